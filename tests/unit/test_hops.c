/*
 * Unit tests of kernel/nexthop: attributes that end with the memory they are in, so that the
 * sanitizer sees a byte that is read behind them.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <libmnl/libmnl.h>
#include <linux/rtnetlink.h>

#include "base/arena.h"
#include "kernel/nexthop.h"

/* An attribute with these bytes, in memory of just its size. */
static struct nlattr *attribute(uint16_t type, const void *bytes, size_t size)
{
	struct nlattr *made = malloc(sizeof(*made) + size);

	assert_non_null(made);
	*made = (struct nlattr){ .nla_type = type, .nla_len = (uint16_t)(sizeof(*made) + size) };
	memcpy(mnl_attr_get_payload(made), bytes, size);
	return made;
}

static struct ir_route read_all(struct arena *arena, const void *bytes, size_t size)
{
	struct nlattr *row = attribute(RTA_MULTIPATH, bytes, size);
	struct ir_route route = { .family = ADDR_IPV4 };

	nexthop_read_all(arena, &route, row);
	free(row);
	return route;
}

struct row {
	struct rtnexthop first;
	struct nlattr head;
	uint8_t gateway[4];
	struct rtnexthop last;
};

static struct row make_row(void)
{
	return (struct row){
		.first = { .rtnh_len = offsetof(struct row, last), .rtnh_hops = 2 },
		.head = { .nla_len = 8, .nla_type = RTA_GATEWAY },
		.gateway = { 192, 0, 2, 1 },
		.last = { .rtnh_len = sizeof(struct rtnexthop), .rtnh_flags = RTNH_F_ONLINK },
	};
}

static void a_row_is_read_to_its_end(void **state)
{
	struct arena *arena = arena_new();
	struct row row = make_row();
	struct ir_route route = read_all(arena, &row, sizeof(row));

	(void)state;
	assert_int_equal(route.hop_count, 2);
	assert_true(route.hops[0].has_via);
	assert_int_equal(route.hops[0].via.bits.low, 0xc0000201);
	assert_int_equal(route.hops[0].weight, 3);
	assert_false(route.hops[1].has_via);
	assert_true(route.hops[1].onlink);
	arena_free(arena);
}

static void a_row_that_is_cut_is_read_no_further(void **state)
{
	struct row row = make_row();

	(void)state;
	for (size_t size = 0; size < sizeof(row); size++) {
		struct arena *arena = arena_new();
		struct ir_route route = read_all(arena, &row, size);

		assert_int_equal(route.hop_count, size >= offsetof(struct row, last));
		arena_free(arena);
	}
}

static void a_via_that_is_cut_is_none(void **state)
{
	static const uint8_t bytes[] = { 10, 0, 0x20, 1, 0x0d, 0xb8 };

	(void)state;
	for (size_t size = 0; size <= sizeof(bytes); size++) {
		struct arena *arena = arena_new();
		struct nlattr *via = attribute(RTA_VIA, bytes, size);
		struct ir_route route = { .family = ADDR_IPV4 };

		nexthop_read_one(arena, &route, NULL, via, NULL);
		assert_int_equal(route.hops[0].has_via, size >= sizeof(struct rtvia));
		free(via);
		arena_free(arena);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_row_is_read_to_its_end),
		cmocka_unit_test(a_row_that_is_cut_is_read_no_further),
		cmocka_unit_test(a_via_that_is_cut_is_none),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
