/*
 * Unit tests of kernel/nft_mark_expr: expressions as the kernel dumps them, and what they make of a
 * mark.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include <arpa/inet.h>
#include <libmnl/libmnl.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/nf_tables_compat.h>

#include "base/arena.h"
#include "kernel/nft_mark_expr.h"

struct fixture {
	struct arena *arena;
	struct nlmsghdr *message;
	struct nlattr *list, *expression, *data;
	struct nft_mark_expr *found;
	size_t count;
};

static int make(void **state)
{
	struct arena *arena = arena_new();
	struct fixture *fixture = arena_new_of(arena, struct fixture);

	fixture->arena = arena;
	fixture->message = mnl_nlmsg_put_header(arena_alloc(arena, 4096));
	fixture->list = mnl_attr_nest_start(fixture->message, NFTA_RULE_EXPRESSIONS);
	*state = fixture;
	return 0;
}

static int drop(void **state)
{
	arena_free(((struct fixture *)*state)->arena);
	return 0;
}

/* ---- expressions ---- */

static void begin(struct fixture *fixture, const char *name)
{
	fixture->expression = mnl_attr_nest_start(fixture->message, NFTA_LIST_ELEM);
	mnl_attr_put_strz(fixture->message, NFTA_EXPR_NAME, name);
	fixture->data = mnl_attr_nest_start(fixture->message, NFTA_EXPR_DATA);
}

static void end(struct fixture *fixture)
{
	mnl_attr_nest_end(fixture->message, fixture->data);
	mnl_attr_nest_end(fixture->message, fixture->expression);
}

static void put(struct fixture *fixture, uint16_t type, uint32_t number)
{
	mnl_attr_put_u32(fixture->message, type, htonl(number));
}

static void put_word(struct fixture *fixture, uint16_t type, uint32_t word)
{
	struct nlattr *nest = mnl_attr_nest_start(fixture->message, type);

	mnl_attr_put_u32(fixture->message, NFTA_DATA_VALUE, word);
	mnl_attr_nest_end(fixture->message, nest);
}

static void immediate(struct fixture *fixture, uint32_t number, uint32_t value)
{
	begin(fixture, "immediate");
	put(fixture, NFTA_IMMEDIATE_DREG, number);
	put_word(fixture, NFTA_IMMEDIATE_DATA, value);
	end(fixture);
}

static void bitwise(struct fixture *fixture, uint32_t number, uint32_t mask, uint32_t flip,
		    uint32_t operation)
{
	begin(fixture, "bitwise");
	put(fixture, NFTA_BITWISE_SREG, number);
	put(fixture, NFTA_BITWISE_DREG, number);
	put(fixture, NFTA_BITWISE_OP, operation);
	put_word(fixture, NFTA_BITWISE_MASK, mask);
	put_word(fixture, NFTA_BITWISE_XOR, flip);
	end(fixture);
}

static void meta(struct fixture *fixture, uint16_t type, uint32_t number, uint32_t key)
{
	begin(fixture, "meta");
	put(fixture, NFTA_META_KEY, key);
	put(fixture, type, number);
	end(fixture);
}

static void ct(struct fixture *fixture, uint16_t type, uint32_t number)
{
	begin(fixture, "ct");
	put(fixture, NFTA_CT_KEY, NFT_CT_MARK);
	put(fixture, type, number);
	end(fixture);
}

static void target(struct fixture *fixture, const char *name, uint32_t revision, uint32_t mark,
		   uint32_t mask)
{
	uint32_t info[] = { mark, mask };

	begin(fixture, "target");
	mnl_attr_put_strz(fixture->message, NFTA_TARGET_NAME, name);
	put(fixture, NFTA_TARGET_REV, revision);
	mnl_attr_put(fixture->message, NFTA_TARGET_INFO, sizeof(info), info);
	end(fixture);
}

static size_t read_all(struct fixture *fixture)
{
	mnl_attr_nest_end(fixture->message, fixture->list);
	nft_mark_expr_read(fixture->arena, fixture->list, &fixture->found, &fixture->count);
	return fixture->count;
}

static void is_marking(const struct fixture *fixture, bool of_connection, uint32_t mask,
		       uint32_t xor, const char *text)
{
	assert_int_equal(fixture->found[0].of_connection, of_connection);
	assert_int_equal(fixture->found[0].mask, mask);
	assert_int_equal(fixture->found[0].xor, xor);
	assert_string_equal(nft_mark_expr_text(fixture->arena, &fixture->found[0]), text);
}

/* ---- what is told ---- */

static void constant(void **state)
{
	struct fixture *fixture = *state;

	immediate(fixture, NFT_REG_1, 0x64);
	meta(fixture, NFTA_META_SREG, NFT_REG_1, NFT_META_MARK);
	immediate(fixture, NFT_REG_2, 0x7);
	ct(fixture, NFTA_CT_SREG, NFT_REG_2);
	assert_int_equal(read_all(fixture), 2);
	is_marking(fixture, false, 0, 0x64, "meta mark set 0x64");
	assert_int_equal(nft_mark_expr_result(&fixture->found[0], 0xffff0000), 0x64);
	assert_true(fixture->found[1].of_connection);
	assert_int_equal(fixture->found[1].xor, 0x7);
}

static void bits(void **state)
{
	struct fixture *fixture = *state;

	meta(fixture, NFTA_META_DREG, NFT_REG_1, NFT_META_MARK);
	bitwise(fixture, NFT_REG_1, ~0x100u, 0x100, NFT_BITWISE_BOOL);
	meta(fixture, NFTA_META_SREG, NFT_REG_1, NFT_META_MARK);
	assert_int_equal(read_all(fixture), 1);
	is_marking(fixture, false, ~0x100u, 0x100, "meta mark set meta mark or 0x100");
	assert_int_equal(nft_mark_expr_result(&fixture->found[0], 0x164), 0x164);
}

static void twice(void **state)
{
	struct fixture *fixture = *state;

	ct(fixture, NFTA_CT_DREG, NFT_REG_1);
	bitwise(fixture, NFT_REG_1, 0xff, 0x30, NFT_BITWISE_BOOL);
	bitwise(fixture, NFT_REG_1, 0x1f, 0x5, NFT_BITWISE_BOOL);
	ct(fixture, NFTA_CT_SREG, NFT_REG_1);
	assert_int_equal(read_all(fixture), 1);
	is_marking(fixture, true, 0x1f, 0x15, "ct mark set ct mark and 0x1f xor 0x15");
	assert_int_equal(nft_mark_expr_result(&fixture->found[0], 0xffffff03), 0x16);
}

static void of_iptables(void **state)
{
	struct fixture *fixture = *state;

	target(fixture, "MARK", 2, 0x4000, 0x4000);
	target(fixture, "MARK", 1, 0x1, 0x1);
	target(fixture, "TPROXY", 2, 0x1, 0x1);
	target(fixture, "MARK", 2, 0x64, UINT32_MAX);
	assert_int_equal(read_all(fixture), 2);
	is_marking(fixture, false, ~0x4000u, 0x4000, "meta mark set meta mark or 0x4000");
	assert_int_equal(nft_mark_expr_result(&fixture->found[1], 0x77), 0x64);
}

/* ---- what is not ---- */

static void elsewhere(void **state)
{
	struct fixture *fixture = *state;

	ct(fixture, NFTA_CT_DREG, NFT_REG_1);
	meta(fixture, NFTA_META_SREG, NFT_REG_1, NFT_META_MARK);
	meta(fixture, NFTA_META_DREG, NFT_REG_1, NFT_META_IIF);
	bitwise(fixture, NFT_REG_1, 0, 0x64, NFT_BITWISE_BOOL);
	meta(fixture, NFTA_META_SREG, NFT_REG_1, NFT_META_MARK);
	immediate(fixture, NFT_REG_1, 0x64);
	begin(fixture, "lookup");
	end(fixture);
	meta(fixture, NFTA_META_SREG, NFT_REG_1, NFT_META_MARK);
	assert_int_equal(read_all(fixture), 0);
}

static void other_things(void **state)
{
	struct fixture *fixture = *state;

	immediate(fixture, NFT_REG_1, 0x64);
	meta(fixture, NFTA_META_SREG, NFT_REG_1, NFT_META_PRIORITY);
	immediate(fixture, NFT_REG_1, 0x64);
	meta(fixture, NFTA_META_SREG, NFT_REG_2, NFT_META_MARK);
	meta(fixture, NFTA_META_DREG, NFT_REG_1, NFT_META_MARK);
	bitwise(fixture, NFT_REG_1, 0, 0x64, NFT_BITWISE_LSHIFT);
	meta(fixture, NFTA_META_SREG, NFT_REG_1, NFT_META_MARK);
	assert_int_equal(read_all(fixture), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(constant, make, drop),
		cmocka_unit_test_setup_teardown(bits, make, drop),
		cmocka_unit_test_setup_teardown(twice, make, drop),
		cmocka_unit_test_setup_teardown(of_iptables, make, drop),
		cmocka_unit_test_setup_teardown(elsewhere, make, drop),
		cmocka_unit_test_setup_teardown(other_things, make, drop),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
