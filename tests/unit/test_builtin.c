/*
 * Unit tests of addr/builtin: for every built-in set, addresses at its edges that are in it and
 * that are not.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "addr/builtin.h"
#include "base/arena.h"

static int make(void **state)
{
	*state = arena_new();
	return 0;
}

static int drop(void **state)
{
	arena_free(*state);
	return 0;
}

static bool is_in(struct arena *arena, const struct addr_set *set, const char *text)
{
	struct addr addr;
	const char *why;

	assert_true(addr_read_mask(arena, text, strlen(text), &addr, &why));
	return interval_contains(&set->family[addr.family], addr.bits);
}

static void check_builtin(struct arena *arena, const char *name, const char *const *in,
			  const char *const *out)
{
	struct addr_set set;

	assert_true(builtin_find(arena, name, &set));
	for (; *in; in++) {
		if (!is_in(arena, &set, *in))
			fail_msg("%s is not in %s", *in, name);
	}
	for (; *out; out++) {
		if (is_in(arena, &set, *out))
			fail_msg("%s is in %s", *out, name);
	}
}

static void private_addresses(void **state)
{
	static const char *const in[] = {
		"10.255.255.255", "172.16.0.0", "172.31.255.255", "192.168.0.1", "fc00::",
		"fdff::1",        NULL
	};
	static const char *const out[] = { "9.255.255.255", "172.15.255.255", "172.32.0.0",
					   "100.64.0.1",    "192.169.0.0",    "fe00::",
					   "fe80::1",       "127.0.0.1",      NULL };

	check_builtin(*state, "private", in, out);
}

static void loopback(void **state)
{
	static const char *const in[] = { "127.0.0.1", "127.255.255.255", "::1", NULL };
	static const char *const out[] = { "128.0.0.0", "::", "::2", NULL };

	check_builtin(*state, "loopback", in, out);
}

static void link_local(void **state)
{
	static const char *const in[] = { "169.254.0.0", "169.254.169.254", "fe80::1", "febf::1",
					  NULL };
	static const char *const out[] = { "169.255.0.0", "fec0::", "fe7f::", NULL };

	check_builtin(*state, "link-local", in, out);
}

static void multicast(void **state)
{
	static const char *const in[] = { "224.0.0.1", "239.255.255.255", "ff02::1", NULL };
	static const char *const out[] = { "240.0.0.0", "223.255.255.255", "fe80::1", NULL };

	check_builtin(*state, "multicast", in, out);
}

static void bogons(void **state)
{
	static const char *const in[] = { "0.0.0.0",
					  "10.1.1.1",
					  "100.64.0.1",
					  "100.127.255.255",
					  "127.0.0.1",
					  "169.254.1.1",
					  "172.20.0.1",
					  "192.0.0.1",
					  "192.0.2.1",
					  "192.88.99.1",
					  "192.168.1.1",
					  "198.18.0.1",
					  "198.19.255.255",
					  "198.51.100.7",
					  "203.0.113.8",
					  "224.0.0.1",
					  "240.0.0.1",
					  "255.255.255.255",
					  "::",
					  "::1",
					  "::ffff:1.2.3.4",
					  "64:ff9b:1::1",
					  "100::1",
					  "2001::1",
					  "2001:2::1",
					  "2001:10::1",
					  "2001:db8::1",
					  "2002:102:304::1",
					  "3fff:fff::1",
					  "5f00::1",
					  "fc00::1",
					  "fe80::1",
					  "fec0::1",
					  "ff02::1",
					  "4000::",
					  "fe00::1",
					  NULL };
	static const char *const out[] = { "1.1.1.1",         "8.8.8.8",
					   "100.63.255.255",  "100.128.0.0",
					   "172.32.0.0",      "192.0.0.9",
					   "192.0.0.10",      "192.0.1.1",
					   "192.31.196.1",    "192.52.193.1",
					   "192.175.48.1",    "198.20.0.0",
					   "223.255.255.255", "64:ff9b::808:808",
					   "2001:1::1",       "2001:1::3",
					   "2001:3::1",       "2001:4:112::1",
					   "2001:20::1",      "2001:30::1",
					   "2001:200::1",     "2001:4860:4860::8888",
					   "2003::1",         "2606:4700::1111",
					   "2620:4f:8000::1", "3ffe::1",
					   "2a00:1450::1",    NULL };

	check_builtin(*state, "bogons", in, out);
}

static void any(void **state)
{
	static const char *const in[] = { "0.0.0.0", "255.255.255.255", "::",
					  "ffff::",  "8.8.8.8",         NULL };
	static const char *const out[] = { NULL };

	check_builtin(*state, "any", in, out);
}

/* The other two built-in sets are decided when a packet arrives. */
static void names(void **state)
{
	struct addr_set set;
	const char *const *words;
	size_t count, i;

	words = builtin_names(&count);
	assert_int_equal(count, 6);
	for (i = 0; i < count; i++)
		assert_true(builtin_find(*state, words[i], &set));
	assert_false(builtin_find(*state, "local", &set));
	assert_false(builtin_find(*state, "broadcast", &set));
	assert_false(builtin_find(*state, "", &set));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(any, make, drop),
		cmocka_unit_test_setup_teardown(private_addresses, make, drop),
		cmocka_unit_test_setup_teardown(loopback, make, drop),
		cmocka_unit_test_setup_teardown(link_local, make, drop),
		cmocka_unit_test_setup_teardown(multicast, make, drop),
		cmocka_unit_test_setup_teardown(bogons, make, drop),
		cmocka_unit_test_setup_teardown(names, make, drop),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
