/*
 * Unit tests of kernel/socket_table: what old kernels, and those without sock_diag, do not say of a
 * socket is said not to be known; and what the kernel's answers hold is read as it is meant.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <arpa/inet.h>
#include <cmocka.h>
#include <libmnl/libmnl.h>
#include <linux/inet_diag.h>
#include <netinet/in.h>

#include "base/arena.h"
#include "ir/ir.h"
#include "kernel/socket_table.h"

enum { PORT = 12345, LAN = 7 };

static const struct ir_listener tproxy = {
	.name = "p",
	.mode = "tproxy",
	.addr = { { ADDR_IPV4, { 0, 0x7f000001 } }, { ADDR_IPV6, { 0, 1 } } },
	.has = { true, true },
	.port = PORT,
};

/* An answer about a listening socket of any address, in memory of just its size. `size` of its
 * options: an older kernel has fewer, or none. */
static void take(struct socket_table *sockets, int family, size_t size, bool is_transparent)
{
	char *room = calloc(1, 4096);
	struct inet_diag_sockopt options = { .transparent = is_transparent };
	struct nlmsghdr *message = mnl_nlmsg_put_header(room);
	struct inet_diag_msg *header = mnl_nlmsg_put_extra_header(message, sizeof(*header));
	char *exact;

	assert_non_null(room);
	header->idiag_family = (uint8_t)family;
	header->idiag_state = 10;
	header->id.idiag_sport = htons(PORT);
	if (size)
		mnl_attr_put(message, INET_DIAG_SOCKOPT, size, &options);
	if (family == AF_INET6)
		mnl_attr_put_u8(message, INET_DIAG_SKV6ONLY, 1);
	exact = malloc(message->nlmsg_len);
	assert_non_null(exact);
	memcpy(exact, message, message->nlmsg_len);
	socket_table_take(sockets, false, (const struct nlmsghdr *)exact);
	free(exact);
	free(room);
}

static struct socket_table_verdict judge(struct arena *arena, struct socket_table *sockets,
					 enum addr_family family)
{
	struct socket_table_way way = { .listener = &tproxy, .family = family, .device = LAN };

	return socket_table_judge(arena, sockets, &way);
}

static void what_an_old_kernel_does_not_say_is_not_known(void **state)
{
	static const size_t sizes[] = { 0, 1, sizeof(struct inet_diag_sockopt) };
	static const enum socket_table_kind kinds[] = { SOCKET_TABLE_UNKNOWN, SOCKET_TABLE_UNKNOWN,
							SOCKET_TABLE_TAKEN };
	(void)state;

	for (size_t i = 0; i < 3; i++) {
		struct arena *arena = arena_new();
		struct socket_table *sockets = socket_table_new(arena);
		struct socket_table_verdict verdict;

		take(sockets, AF_INET, sizes[i], true);
		verdict = judge(arena, sockets, ADDR_IPV4);
		assert_int_equal(verdict.kind, kinds[i]);
		if (verdict.text)
			assert_non_null(strstr(verdict.text, "cannot be known"));
		arena_free(arena);
	}
}

static void one_that_is_surely_without_it_is_said_beside_one_that_is_not_known(void **state)
{
	struct arena *arena = arena_new();
	struct socket_table *sockets = socket_table_new(arena);
	struct socket_table_verdict verdict;
	(void)state;

	take(sockets, AF_INET6, 0, false);
	take(sockets, AF_INET6, sizeof(struct inet_diag_sockopt), false);
	verdict = judge(arena, sockets, ADDR_IPV6);
	assert_int_equal(verdict.kind, SOCKET_TABLE_WRONG);
	assert_non_null(
		strstr(verdict.text, "1 of 2 sockets on [::]:12345/tcp has no IP_TRANSPARENT"));
	assert_int_equal(judge(arena, sockets, ADDR_IPV4).kind, SOCKET_TABLE_WRONG);
	arena_free(arena);
}

static void lines_of_proc_say_where_and_not_how(void **state)
{
	static const char in[] =
		"   0: 0100007F:3039 00000000:0000 0A 00000000:00000000 00:00000000";
	static const char established[] = "   1: 0100007F:3039 0200007F:0050 01 00000000:00000000";
	static const char in6[] = "   0: 00000000000000000000000001000000:3039 "
				  "00000000000000000000000000000000:0000 0A 00000000:00000000";
	struct arena *arena = arena_new();
	struct socket_table *sockets = socket_table_new(arena);
	(void)state;

	if (htonl(1) == 1)
		skip();
	socket_table_take_line(sockets, false, established);
	assert_int_equal(judge(arena, sockets, ADDR_IPV4).kind, SOCKET_TABLE_MISSING);
	socket_table_take_line(sockets, false, in);
	assert_int_equal(judge(arena, sockets, ADDR_IPV4).kind, SOCKET_TABLE_UNKNOWN);
	socket_table_take_line(sockets, false, in6);
	assert_int_equal(judge(arena, sockets, ADDR_IPV6).kind, SOCKET_TABLE_UNKNOWN);
	arena_free(arena);
}

/* Redirect to the interface's first address; of an interface that is not known, to some. */
static void where_redirect_sends_depends_on_the_interface(void **state)
{
	struct ir_listener redirect = tproxy;
	struct socket_table_way way = { .listener = &redirect, .family = ADDR_IPV4, .device = LAN };
	struct arena *arena = arena_new();
	struct socket_table *sockets = socket_table_new(arena);
	static const char line[] = "   0: 010A0A0A:3039 00000000:0000 0A 00000000:00000000";
	(void)state;

	if (htonl(1) == 1)
		skip();
	redirect.mode = "redirect";
	socket_table_take_line(sockets, false, line);
	socket_table_take_address(sockets, LAN, (struct addr){ ADDR_IPV4, wide(0x0a0a0a01) });
	socket_table_take_address(sockets, LAN, (struct addr){ ADDR_IPV4, wide(0x0a0a0a02) });
	assert_int_equal(socket_table_judge(arena, sockets, &way).kind, SOCKET_TABLE_TAKEN);
	way.device = LAN + 1;
	socket_table_take_address(sockets, LAN + 1, (struct addr){ ADDR_IPV4, wide(0x0a0a0a02) });
	assert_int_equal(socket_table_judge(arena, sockets, &way).kind, SOCKET_TABLE_WRONG);
	way.device = 0;
	assert_int_equal(socket_table_judge(arena, sockets, &way).kind, SOCKET_TABLE_UNKNOWN);
	arena_free(arena);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_an_old_kernel_does_not_say_is_not_known),
		cmocka_unit_test(
			one_that_is_surely_without_it_is_said_beside_one_that_is_not_known),
		cmocka_unit_test(lines_of_proc_say_where_and_not_how),
		cmocka_unit_test(where_redirect_sends_depends_on_the_interface),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
