/*
 * Unit tests of host/foreign_match and host/foreign_rule: the matches and targets of iptables, as
 * iptables-nft leaves them in the kernel. The lab has nft's own words, with real packets.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include <arpa/inet.h>
#include <netinet/in.h>

#include <linux/netfilter.h>
#include <linux/netfilter/nf_conntrack_common.h>
#include <linux/netfilter/nf_nat.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/nf_tables_compat.h>
#include <linux/netfilter/xt_addrtype.h>
#include <linux/netfilter/xt_conntrack.h>
#include <linux/netfilter/xt_mark.h>
#include <linux/netfilter/xt_state.h>
#include <linux/netfilter/xt_tcpudp.h>
#include <linux/rtnetlink.h>

#include "base/arena.h"
#include "host/foreign_packet.h"
#include "host/foreign_rule.h"
#include "kernel/netlink.h"
#include "kernel/nft_foreign.h"

static const struct ir_packet question = {
	.scope = SCOPE_FORWARD,
	.in = "lan0",
	.out = "",
	.protocol = IPPROTO_TCP,
	.port = 443,
	.state = STATE_NEW,
};

static struct foreign_packet packet_of(const struct ir_packet *asked)
{
	return (struct foreign_packet){ .packet = asked,
					.hook = IR_HOOK_FORWARD,
					.in = "lan0",
					.port = asked->port,
					.type = RTN_UNICAST,
					.mark = 0x5 };
}

static void matches_ports(void **state)
{
	struct foreign_packet packet = packet_of(&question);
	struct xt_tcp tcp = { .spts = { 0, 65535 }, .dpts = { 443, 443 } };
	struct xt_udp udp = { .spts = { 0, 65535 }, .dpts = { 0, 65535 } };

	(void)state;
	assert_int_equal(foreign_match(&packet, "tcp", 0, &tcp, sizeof(tcp)), 1);
	assert_int_equal(foreign_match(&packet, "udp", 0, &udp, sizeof(udp)), 0);
	tcp.invflags = XT_TCP_INV_DSTPT;
	assert_int_equal(foreign_match(&packet, "tcp", 0, &tcp, sizeof(tcp)), 0);
	tcp = (struct xt_tcp){ .spts = { 1000, 2000 }, .dpts = { 0, 65535 } };
	assert_int_equal(foreign_match(&packet, "tcp", 0, &tcp, sizeof(tcp)), -1);
	tcp.dpts[1] = 80;
	assert_int_equal(foreign_match(&packet, "tcp", 0, &tcp, sizeof(tcp)), 0);
	assert_int_equal(foreign_match(&packet, "tcp", 0, &tcp, sizeof(tcp) - 1), -1);
}

static void matches_state(void **state)
{
	struct foreign_packet packet = packet_of(&question);
	struct xt_conntrack_mtinfo3 info = {
		.match_flags = XT_CONNTRACK_STATE,
		.state_mask = XT_CONNTRACK_STATE_BIT(IP_CT_ESTABLISHED) |
			      XT_CONNTRACK_STATE_BIT(IP_CT_RELATED),
	};
	struct xt_state_info old = { .statemask = XT_STATE_BIT(IP_CT_NEW) };

	(void)state;
	assert_int_equal(foreign_match(&packet, "conntrack", 3, &info, sizeof(info)), 0);
	info.invert_flags = XT_CONNTRACK_STATE;
	assert_int_equal(foreign_match(&packet, "conntrack", 3, &info, sizeof(info)), 1);
	info.match_flags |= XT_CONNTRACK_STATUS;
	assert_int_equal(foreign_match(&packet, "conntrack", 3, &info, sizeof(info)), -1);
	info = (struct xt_conntrack_mtinfo3){ .match_flags = XT_CONNTRACK_STATE,
					      .state_mask = (uint16_t)XT_CONNTRACK_STATE_DNAT };
	assert_int_equal(foreign_match(&packet, "conntrack", 3, &info, sizeof(info)), 0);
	packet.is_translated = true;
	assert_int_equal(foreign_match(&packet, "conntrack", 3, &info, sizeof(info)), 1);
	assert_int_equal(foreign_match(&packet, "state", 0, &old, sizeof(old)), 1);
}

static void matches_mark_and_type(void **state)
{
	struct foreign_packet packet = packet_of(&question);
	struct xt_mark_mtinfo1 mark = { .mark = 0x5, .mask = 0xf };
	struct xt_addrtype_info_v1 type = { .dest = XT_ADDRTYPE_LOCAL };

	(void)state;
	assert_int_equal(foreign_match(&packet, "mark", 1, &mark, sizeof(mark)), 1);
	mark.invert = 1;
	assert_int_equal(foreign_match(&packet, "mark", 1, &mark, sizeof(mark)), 0);
	assert_int_equal(foreign_match(&packet, "addrtype", 1, &type, sizeof(type)), 0);
	type.flags = XT_ADDRTYPE_INVERT_DEST;
	assert_int_equal(foreign_match(&packet, "addrtype", 1, &type, sizeof(type)), 1);
	packet.type = 0;
	assert_int_equal(foreign_match(&packet, "addrtype", 1, &type, sizeof(type)), -1);
	assert_int_equal(foreign_match(&packet, "comment", 0, "", 0), 1);
	assert_int_equal(foreign_match(&packet, "u32", 0, "", 0), -1);
}

/* ---- rules ---- */

/* A rule's only expression, or its last: a target. */
static const struct nlattr *target(char *room, const char *name, const void *info, size_t length)
{
	struct nlmsghdr *message = netlink_new(room, 0, 0);
	struct nlattr *list = mnl_attr_nest_start(message, NFTA_RULE_EXPRESSIONS);
	struct nlattr *element = mnl_attr_nest_start(message, NFTA_LIST_ELEM);
	struct nlattr *data;

	mnl_attr_put_strz(message, NFTA_EXPR_NAME, "target");
	data = mnl_attr_nest_start(message, NFTA_EXPR_DATA);
	mnl_attr_put_strz(message, NFTA_TARGET_NAME, name);
	mnl_attr_put_u32(message, NFTA_TARGET_REV, htonl(2));
	mnl_attr_put(message, NFTA_TARGET_INFO, length, info);
	mnl_attr_nest_end(message, data);
	mnl_attr_nest_end(message, element);
	mnl_attr_nest_end(message, list);
	return list;
}

static struct foreign_outcome run(struct arena *arena, const char *name, const void *info,
				  size_t length)
{
	const struct foreign_asked asked = { .arena = arena };
	const struct nft_foreign_table table = { NFPROTO_IPV4, "filter" };
	struct foreign_packet packet = packet_of(&question);
	char room[NETLINK_REQUEST];

	return foreign_rule(&asked, &table, &packet, target(room, name, info, length));
}

static void gives_verdicts(void **state)
{
	struct arena *arena = arena_new();
	struct foreign_outcome outcome = run(arena, "REJECT", "", 0);

	(void)state;
	assert_true(outcome.fits && !outcome.doubt && outcome.verdict == FOREIGN_REJECT);
	outcome = run(arena, "REDIRECT", "", 0);
	assert_true(outcome.verdict == FOREIGN_TRANSLATE && outcome.is_redirect);
	outcome = run(arena, "MASQUERADE", "", 0);
	assert_int_equal(outcome.verdict, FOREIGN_ACCEPT);
	outcome = run(arena, "LOG", "", 0);
	assert_true(outcome.fits && !outcome.doubt && outcome.verdict == FOREIGN_NEXT);
	outcome = run(arena, "TARPIT", "", 0);
	assert_non_null(outcome.doubt);
	arena_free(arena);
}

static void writes_marks(void **state)
{
	struct arena *arena = arena_new();
	const uint32_t info[2] = { 0x10, 0xf0 };
	struct foreign_outcome outcome = run(arena, "MARK", info, sizeof(info));

	(void)state;
	assert_true(outcome.marks && outcome.is_mark_known && !outcome.doubt);
	assert_int_equal(outcome.mark, 0x15);
	outcome = run(arena, "CONNMARK", "", 0);
	assert_true(outcome.marks && !outcome.is_mark_known && outcome.doubt);
	arena_free(arena);
}

static void tells_where_dnat_leads(void **state)
{
	struct nf_nat_ipv4_multi_range_compat old = {
		.rangesize = 1,
		.range = { { .flags = NF_NAT_RANGE_MAP_IPS | NF_NAT_RANGE_PROTO_SPECIFIED,
			     .min_ip = htonl(0xc0000235),
			     .max_ip = htonl(0xc0000235),
			     .min.all = htons(53),
			     .max.all = htons(53) } }
	};
	struct nf_nat_range2 range = { .flags = NF_NAT_RANGE_MAP_IPS,
				       .min_addr.ip6 = { htonl(0x20010db8), 0, 0, htonl(0x53) },
				       .max_addr.ip6 = { htonl(0x20010db8), 0, 0, htonl(0x53) } };
	unsigned int port = 1;
	struct wide to;

	(void)state;
	assert_true(foreign_dnat(ADDR_IPV4, 0, &old, sizeof(old), &to, &port));
	assert_true(wide_equal(to, wide(0xc0000235)));
	assert_int_equal(port, 53);
	assert_false(foreign_dnat(ADDR_IPV4, 0, &old, sizeof(old) - 1, &to, &port));
	old.range[0].max_ip = htonl(0xc0000236);
	assert_false(foreign_dnat(ADDR_IPV4, 0, &old, sizeof(old), &to, &port));
	for (uint32_t revision = 1; revision <= 2; revision++) {
		assert_true(foreign_dnat(ADDR_IPV6, revision, &range, sizeof(range), &to, &port));
		assert_true(wide_equal(to, (struct wide){ UINT64_C(0x20010db800000000), 0x53 }));
		assert_int_equal(port, 0);
	}
	range.max_addr.ip6[3] = htonl(0x54);
	assert_false(foreign_dnat(ADDR_IPV6, 2, &range, sizeof(range), &to, &port));
}

/* A packet that stands for many becomes those with the ports that a rule asks for. */
static void assumes_ports(void **state)
{
	struct ir_packet any = question;
	struct foreign_packet packet, other;
	struct xt_tcp tcp = { .spts = { 0, 65535 }, .dpts = { 80, 443 } };
	struct xt_udp udp = { .spts = { 0, 65535 }, .dpts = { 53, 53 } };

	(void)state;
	any.port = 0;
	packet = other = packet_of(&any);
	assert_int_equal(foreign_assume_ports(&packet, "tcp", &tcp, sizeof(tcp)), FOREIGN_ASSUMED);
	assert_int_equal(packet.port, 0);
	assert_true(foreign_covers(&other, &packet));
	assert_false(foreign_covers(&packet, &other));
	tcp.dpts[0] = 443;
	assert_int_equal(foreign_assume_ports(&packet, "tcp", &tcp, sizeof(tcp)), FOREIGN_ASSUMED);
	assert_int_equal(packet.port, 443);
	assert_int_equal(foreign_assume_ports(&packet, "udp", &udp, sizeof(udp)),
			 FOREIGN_IMPOSSIBLE);
	udp.invflags = XT_UDP_INV_DSTPT;
	assert_int_equal(foreign_assume_ports(&other, "udp", &udp, sizeof(udp)), FOREIGN_LOOSELY);
	assert_int_equal(foreign_assume_ports(&other, "udp", &udp, sizeof(udp) - 1),
			 FOREIGN_UNDECIDED);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(matches_ports),         cmocka_unit_test(matches_state),
		cmocka_unit_test(matches_mark_and_type), cmocka_unit_test(gives_verdicts),
		cmocka_unit_test(writes_marks),          cmocka_unit_test(tells_where_dnat_leads),
		cmocka_unit_test(assumes_ports),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
