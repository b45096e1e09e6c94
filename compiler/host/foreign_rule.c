/*
 * foreign_rule: the expressions of one rule, one after the other (see foreign_rule.h).
 *
 * An expression that cannot be followed leaves a doubt, and the rest of the rule is gone through as
 * if it held: an expression after it that surely does not hold takes the rule away all the same.
 */
#include "host/foreign_rule.h"

#include <arpa/inet.h>
#include <string.h>

#include <linux/netfilter.h>
#include <linux/netfilter/nf_nat.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/nf_tables_compat.h>

#include "base/arena.h"
#include "host/foreign_element.h"
#include "host/foreign_packet.h"
#include "kernel/cgroup.h"
#include "kernel/netlink.h"
#include "kernel/nft_foreign.h"

struct run {
	const struct foreign_asked *asked;
	const struct nft_foreign_table *table;
	const struct foreign_packet *packet;
	struct foreign_packet now; /* with the mark that the rule has given */
	struct foreign_registers registers;
	struct foreign_outcome out;
	bool is_over; /* the rule does not fit, or gave its verdict */
	bool assumes; /* something that was not known */
};

static void fail(struct run *run)
{
	run->out.fits = false;
	run->is_over = true;
}

static void doubt(struct run *run, const char *why)
{
	if (!run->out.doubt)
		run->out.doubt = why;
}

/* Of a packet that stands for many: true where there is a result. */
static bool settle(struct run *run, enum foreign_assumed assumed)
{
	if (assumed == FOREIGN_IMPOSSIBLE)
		fail(run);
	run->assumes |= assumed == FOREIGN_ASSUMED;
	run->out.is_loose |= assumed == FOREIGN_LOOSELY;
	return assumed != FOREIGN_UNDECIDED;
}

static bool assume(struct run *run, size_t at, size_t length, const uint8_t *least,
		   const uint8_t *most)
{
	return run->now.is_any &&
	       settle(run, foreign_assume(run->asked->arena, &run->now, &run->registers, at, length,
					  least, most));
}

static void finish(struct run *run, enum foreign_verdict verdict)
{
	run->out.verdict = verdict;
	run->is_over = true;
}

/* The bytes of a NFTA_DATA_VALUE; NULL where it is none. */
static const uint8_t *value_of(const struct nlattr *data, size_t *length)
{
	const struct nlattr *inner[NETLINK_ATTRIBUTES];

	if (!data)
		return NULL;
	netlink_read_nested(data, inner);
	if (!inner[NFTA_DATA_VALUE])
		return NULL;
	*length = mnl_attr_get_payload_len(inner[NFTA_DATA_VALUE]);
	return mnl_attr_get_payload(inner[NFTA_DATA_VALUE]);
}

/* ---- verdicts ---- */

static void take_verdict(struct run *run, const struct nlattr *nest)
{
	const struct nlattr *inner[NETLINK_ATTRIBUTES];
	int code;

	netlink_read_nested(nest, inner);
	code = (int)netlink_u32(inner[NFTA_VERDICT_CODE]);
	if (inner[NFTA_VERDICT_CHAIN])
		run->out.chain = arena_strdup(run->asked->arena,
					      mnl_attr_get_str(inner[NFTA_VERDICT_CHAIN]));
	if (code == NFT_JUMP)
		finish(run, FOREIGN_JUMP);
	else if (code == NFT_GOTO)
		finish(run, FOREIGN_GOTO);
	else if (code == NFT_RETURN)
		finish(run, FOREIGN_RETURN);
	else if (code == NF_ACCEPT)
		finish(run, FOREIGN_ACCEPT);
	else if (code == NF_DROP)
		finish(run, FOREIGN_DROP);
	else if (code >= 0 && (code & NF_VERDICT_MASK) == NF_QUEUE)
		finish(run, FOREIGN_QUEUE);
}

static void immediate(struct run *run, const struct nlattr *const *data)
{
	const struct nlattr *inner[NETLINK_ATTRIBUTES] = { 0 };
	size_t length = 0;
	const uint8_t *bytes = value_of(data[NFTA_IMMEDIATE_DATA], &length);

	if (data[NFTA_IMMEDIATE_DATA])
		netlink_read_nested(data[NFTA_IMMEDIATE_DATA], inner);
	if (bytes && length <= 64)
		foreign_put(&run->registers, netlink_u32(data[NFTA_IMMEDIATE_DREG]), bytes, length);
	else if (inner[NFTA_DATA_VERDICT])
		take_verdict(run, inner[NFTA_DATA_VERDICT]);
}

/* ---- comparing ---- */

/* A comparison with a field of a packet that stands for many. */
static bool assume_order(struct run *run, size_t at, size_t length, uint32_t op,
			 const uint8_t *bytes)
{
	static const uint8_t none[64];
	uint8_t all[64];

	memset(all, 0xff, sizeof(all));
	if (op == NFT_CMP_EQ)
		return assume(run, at, length, bytes, bytes);
	if (op == NFT_CMP_LTE)
		return assume(run, at, length, none, bytes);
	return assume(run, at, length, op == NFT_CMP_GTE ? bytes : NULL, all);
}

/* -1, 0 or 1 as memcmp, where the bytes are known; bits that differ and are known settle it for
 * those who ask only whether all are the same. */
static void compare(struct run *run, const struct nlattr *const *data)
{
	size_t length = 0, at;
	const uint8_t *bytes = value_of(data[NFTA_CMP_DATA], &length);
	uint32_t op = netlink_u32(data[NFTA_CMP_OP]);
	const struct foreign_registers *registers = &run->registers;
	bool differs = false, holds = false;
	const char *unknown;
	int order;

	if (!bytes || !foreign_register(netlink_u32(data[NFTA_CMP_SREG]), length, &at)) {
		doubt(run, "an unknown comparison");
		return;
	}
	for (size_t i = 0; i < length; i++)
		differs |= (registers->bytes[at + i] ^ bytes[i]) & registers->known[at + i];
	unknown = foreign_unknown(registers, at, length);
	if (unknown && !(differs && (op == NFT_CMP_EQ || op == NFT_CMP_NEQ))) {
		if (!assume_order(run, at, length, op, bytes))
			doubt(run, unknown);
		return;
	}
	order = memcmp(registers->bytes + at, bytes, length);
	if (op == NFT_CMP_EQ || op == NFT_CMP_NEQ)
		holds = (differs || order) == (op == NFT_CMP_NEQ);
	else if (op == NFT_CMP_LT || op == NFT_CMP_LTE)
		holds = order < (op == NFT_CMP_LTE);
	else if (op == NFT_CMP_GT || op == NFT_CMP_GTE)
		holds = order > -(op == NFT_CMP_GTE);
	if (!holds)
		fail(run);
}

static void range(struct run *run, const struct nlattr *const *data)
{
	size_t length = 0, other = 0, at;
	const uint8_t *from = value_of(data[NFTA_RANGE_FROM_DATA], &length);
	const uint8_t *to = value_of(data[NFTA_RANGE_TO_DATA], &other);
	const char *unknown;
	bool inside;

	if (!from || !to || length != other ||
	    !foreign_register(netlink_u32(data[NFTA_RANGE_SREG]), length, &at)) {
		doubt(run, "an unknown range");
		return;
	}
	unknown = foreign_unknown(&run->registers, at, length);
	if (unknown) {
		if (!assume(run, at, length,
			    netlink_u32(data[NFTA_RANGE_OP]) == NFT_RANGE_EQ ? from : NULL, to))
			doubt(run, unknown);
		return;
	}
	inside = memcmp(run->registers.bytes + at, from, length) >= 0 &&
		 memcmp(run->registers.bytes + at, to, length) <= 0;
	if (inside != (netlink_u32(data[NFTA_RANGE_OP]) == NFT_RANGE_EQ))
		fail(run);
}

/* What a mask takes away is known afterwards. */
static void bitwise(struct run *run, const struct nlattr *const *data)
{
	struct foreign_registers *registers = &run->registers;
	size_t length = 0, other = 0, from, to;
	const uint8_t *mask = value_of(data[NFTA_BITWISE_MASK], &length);
	const uint8_t * xor = value_of(data[NFTA_BITWISE_XOR], &other);
	uint32_t size = netlink_u32(data[NFTA_BITWISE_LEN]),
		 dreg = netlink_u32(data[NFTA_BITWISE_DREG]);

	if ((data[NFTA_BITWISE_OP] && netlink_u32(data[NFTA_BITWISE_OP]) != NFT_BITWISE_BOOL) ||
	    !mask || !xor || length != other || length != size ||
	    !foreign_register(netlink_u32(data[NFTA_BITWISE_SREG]), length, &from) ||
	    !foreign_register(dreg, length, &to)) {
		foreign_forget(registers, dreg, size, "an unknown computation");
		return;
	}
	for (size_t i = 0; i < length; i++) {
		registers->known[to + i] = registers->known[from + i] | (uint8_t)~mask[i];
		registers->bytes[to + i] = (registers->bytes[from + i] & mask[i]) ^ xor[i];
	}
	for (size_t i = 0; i < (length + 3) / 4; i++) {
		registers->why[to / 4 + i] = registers->why[from / 4 + i];
		registers->fields[to / 4 + i] = registers->fields[from / 4 + i];
	}
}

static void byteorder(struct run *run, const struct nlattr *const *data)
{
	struct foreign_registers *registers = &run->registers;
	uint32_t length = netlink_u32(data[NFTA_BYTEORDER_LEN]),
		 size = netlink_u32(data[NFTA_BYTEORDER_SIZE]);
	uint8_t bytes[64], known[64];
	size_t from, to;

	if (!size || length % size || length > sizeof(bytes) ||
	    !foreign_register(netlink_u32(data[NFTA_BYTEORDER_SREG]), length, &from) ||
	    !foreign_register(netlink_u32(data[NFTA_BYTEORDER_DREG]), length, &to))
		return;
	memcpy(bytes, registers->bytes + from, length);
	memcpy(known, registers->known + from, length);
	for (size_t i = 0; i < length; i++) {
		size_t other = htonl(1) == 1 ? i : i / size * size + (size - 1 - i % size);

		registers->bytes[to + i] = bytes[other];
		registers->known[to + i] = known[other];
	}
	for (size_t i = 0; i < (length + 3) / 4; i++) {
		registers->why[to / 4 + i] = registers->why[from / 4 + i];
		registers->fields[to / 4 + i] = FOREIGN_NONE;
	}
}

/* ---- sets ---- */

/* What a map gives goes where the expression says; a verdict is the rule's. */
static void take_data(struct run *run, const struct foreign_element *element, uint32_t dreg)
{
	if (element->verdict)
		take_verdict(run, element->verdict);
	else if (element->length <= sizeof(element->data))
		foreign_put(&run->registers, dreg, element->data, element->length);
}

static bool is_empty(const struct run *run, const char *set)
{
	for (size_t i = 0; i < run->asked->empty_count; i++)
		if (!strcmp(run->asked->empty[i], set))
			return true;
	return false;
}

/* A packet that stands for many: some of them are in the set, or are not. */
static bool assume_lookup(struct run *run, const struct nlattr *const *data, size_t length)
{
	size_t at;

	if (!run->now.is_any || !length || data[NFTA_LOOKUP_DREG] ||
	    !foreign_register(netlink_u32(data[NFTA_LOOKUP_SREG]), length, &at) ||
	    !foreign_is_field(&run->now, &run->registers, at, length))
		return false;
	run->now.is_vague = true;
	return settle(run, FOREIGN_LOOSELY);
}

static void lookup(struct run *run, const struct nlattr *const *data)
{
	const char *set = data[NFTA_LOOKUP_SET] ? mnl_attr_get_str(data[NFTA_LOOKUP_SET]) : "";
	bool is_inverted = netlink_u32(data[NFTA_LOOKUP_FLAGS]) & NFT_LOOKUP_F_INV;
	const struct nlattr *dreg = data[NFTA_LOOKUP_DREG];
	struct foreign_element element = { 0 };
	const char *unknown = is_empty(run, set)
				      ? NULL
				      : foreign_find(run->asked->nft, run->asked->memory,
						     run->table, set, &run->registers,
						     netlink_u32(data[NFTA_LOOKUP_SREG]), &element);

	if (unknown && assume_lookup(run, data, element.key_length))
		return;
	if (unknown) {
		doubt(run, unknown);
		if (dreg)
			foreign_forget(&run->registers, netlink_u32(dreg), 16, unknown);
		/* A map of verdicts may give any of them. */
		if (dreg && netlink_u32(dreg) == NFT_REG_VERDICT)
			finish(run, FOREIGN_QUEUE);
	} else if (element.is_there == is_inverted) {
		fail(run);
	} else if (dreg) {
		take_data(run, &element, netlink_u32(dreg));
	}
}

/* ---- what it does ---- */

static void write_mark(struct run *run, uint32_t number, bool of_connection)
{
	size_t at;
	uint32_t value;
	const char *unknown;

	if (!foreign_register(number, 4, &at))
		return;
	unknown = foreign_unknown(&run->registers, at, 4);
	memcpy(&value, run->registers.bytes + at, sizeof(value));
	if (of_connection) {
		run->out.ct_marks = !unknown;
		run->out.ct_mark = run->now.ct_mark = unknown ? run->now.ct_mark : value;
		return;
	}
	run->out.marks = true;
	run->out.is_mark_known = !unknown;
	run->out.mark = run->now.mark = unknown ? run->now.mark : value;
	if (unknown)
		doubt(run, unknown);
}

static bool read_address(struct run *run, const struct nlattr *number, struct wide *out)
{
	size_t length = run->packet->packet->family == ADDR_IPV6 ? 16 : 4, at;

	if (!number || !foreign_register(netlink_u32(number), length, &at) ||
	    foreign_unknown(&run->registers, at, length))
		return false;
	*out = wide_get(run->registers.bytes + at, length);
	return true;
}

static void read_port(struct run *run, const struct nlattr *number)
{
	size_t at;

	if (number && foreign_register(netlink_u32(number), 2, &at) &&
	    !foreign_unknown(&run->registers, at, 2))
		run->out.port = (unsigned int)run->registers.bytes[at] << 8 |
				run->registers.bytes[at + 1];
}

static void give_source(struct run *run, const struct nlattr *const *data)
{
	const struct nlattr *last = data[NFTA_NAT_REG_ADDR_MAX];

	run->out.source = FOREIGN_SOURCE_UNKNOWN;
	if (!read_address(run, data[NFTA_NAT_REG_ADDR_MIN], &run->out.given))
		return;
	run->out.given_last = run->out.given;
	if (!last || read_address(run, last, &run->out.given_last))
		run->out.source = FOREIGN_SOURCE_GIVEN;
}

/* Of a prefix (`dnat ip6 prefix to`) the bits in which the range's ends differ are the packet's. */
static bool read_destination(struct run *run, const struct nlattr *const *data)
{
	struct wide most, own;

	if (!read_address(run, data[NFTA_NAT_REG_ADDR_MIN], &run->out.to))
		return false;
	if (!(netlink_u32(data[NFTA_NAT_FLAGS]) & NF_NAT_RANGE_NETMAP))
		return true;
	if (!run->packet->has_to || !read_address(run, data[NFTA_NAT_REG_ADDR_MAX], &most))
		return false;
	own = wide_xor(run->out.to, most);
	run->out.to = wide_or(wide_and(run->packet->to, own), wide_and(run->out.to, wide_not(own)));
	return true;
}

static void translate(struct run *run, const struct nlattr *const *data)
{
	if (netlink_u32(data[NFTA_NAT_TYPE]) != NFT_NAT_DNAT) {
		give_source(run, data);
		finish(run, FOREIGN_ACCEPT);
		return;
	}
	run->out.has_to = read_destination(run, data);
	read_port(run, data[NFTA_NAT_REG_PROTO_MIN]);
	finish(run, FOREIGN_TRANSLATE);
}

/* `ip daddr set ...`: the packet goes elsewhere, without a verdict. */
static void write_payload(struct run *run, const struct nlattr *const *data)
{
	uint32_t to = run->packet->packet->family == ADDR_IPV6 ? 24 : 16;

	if (netlink_u32(data[NFTA_PAYLOAD_BASE]) != NFT_PAYLOAD_NETWORK_HEADER ||
	    netlink_u32(data[NFTA_PAYLOAD_OFFSET]) != to)
		return;
	run->out.is_moved = true;
	run->out.has_to = read_address(run, data[NFTA_PAYLOAD_SREG], &run->out.to);
}

/* ---- iptables ---- */

static void match(struct run *run, const struct nlattr *const *data)
{
	const char *name = data[NFTA_MATCH_NAME] ? mnl_attr_get_str(data[NFTA_MATCH_NAME]) : "";
	int holds = data[NFTA_MATCH_INFO]
			    ? foreign_match(&run->now, name, netlink_u32(data[NFTA_MATCH_REV]),
					    mnl_attr_get_payload(data[NFTA_MATCH_INFO]),
					    mnl_attr_get_payload_len(data[NFTA_MATCH_INFO]))
			    : -1;

	if (holds < 0 && run->now.is_any && (!strcmp(name, "tcp") || !strcmp(name, "udp")) &&
	    settle(run, foreign_assume_ports(&run->now, name,
					     mnl_attr_get_payload(data[NFTA_MATCH_INFO]),
					     mnl_attr_get_payload_len(data[NFTA_MATCH_INFO]))))
		return;
	if (!holds)
		fail(run);
	else if (holds < 0)
		doubt(run, arena_printf(run->asked->arena, "the iptables match `%s`", name));
}

/* ---- all of them ---- */

static bool does_something(struct run *run, const char *name, const struct nlattr *const *data)
{
	if (!strcmp(name, "immediate"))
		immediate(run, data);
	else if (!strcmp(name, "meta") && data[NFTA_META_SREG]) {
		if (netlink_u32(data[NFTA_META_KEY]) == NFT_META_MARK)
			write_mark(run, netlink_u32(data[NFTA_META_SREG]), false);
	} else if (!strcmp(name, "ct") && data[NFTA_CT_SREG]) {
		if (netlink_u32(data[NFTA_CT_KEY]) == NFT_CT_MARK)
			write_mark(run, netlink_u32(data[NFTA_CT_SREG]), true);
	} else if (!strcmp(name, "payload") && data[NFTA_PAYLOAD_SREG]) {
		write_payload(run, data);
	} else if (!strcmp(name, "reject")) {
		finish(run, FOREIGN_REJECT);
	} else if (!strcmp(name, "nat")) {
		translate(run, data);
	} else if (!strcmp(name, "masq")) {
		run->out.source = FOREIGN_SOURCE_INTERFACE;
		finish(run, FOREIGN_ACCEPT);
	} else if (!strcmp(name, "redir")) {
		run->out.is_redirect = true;
		read_port(run, data[NFTA_REDIR_REG_PROTO_MIN]);
		finish(run, FOREIGN_TRANSLATE);
	} else if (!strcmp(name, "tproxy")) {
		finish(run, FOREIGN_TAKE);
	} else if (!strcmp(name, "queue")) {
		finish(run, FOREIGN_QUEUE);
	} else if (!strcmp(name, "target")) {
		run->is_over |= foreign_target(run->asked->arena, &run->now, data, &run->out);
	} else {
		return false;
	}
	return true;
}

static bool compares(struct run *run, const char *name, const struct nlattr *const *data)
{
	if (!strcmp(name, "cmp"))
		compare(run, data);
	else if (!strcmp(name, "range"))
		range(run, data);
	else if (!strcmp(name, "bitwise"))
		bitwise(run, data);
	else if (!strcmp(name, "byteorder"))
		byteorder(run, data);
	else if (!strcmp(name, "lookup"))
		lookup(run, data);
	else if (!strcmp(name, "match"))
		match(run, data);
	else
		return false;
	return true;
}

/* Those that let every packet go on. */
static bool is_idle(const char *name, const struct nlattr *const *data)
{
	static const char *const idle[] = { "counter", "log", "last",        "notrack",
					    "dynset",  "dup", "flow_offload" };

	for (size_t i = 0; i < sizeof(idle) / sizeof(idle[0]); i++)
		if (!strcmp(name, idle[i]))
			return true;
	return !strcmp(name, "objref") &&
	       netlink_u32(data[NFTA_OBJREF_IMM_TYPE]) != NFT_OBJECT_QUOTA &&
	       netlink_u32(data[NFTA_OBJREF_IMM_TYPE]) != NFT_OBJECT_LIMIT;
}

/* A packet that is forwarded has no socket, and so no sender: such a rule does not fit. */
static bool asks_sender(const struct run *run, const char *name, const struct nlattr *const *data)
{
	uint32_t key = netlink_u32(data[NFTA_META_KEY]);

	return !strcmp(name, "meta") && (key == NFT_META_SKUID || key == NFT_META_SKGID) &&
	       run->packet->packet->scope == SCOPE_FORWARD && run->packet->hook != IR_HOOK_INPUT;
}

/* Of a sender that is known. One less deep has none at the level, and the rule does not fit. */
static bool load_cgroup(struct run *run, const struct nlattr *const *data)
{
	const struct foreign_sender *sender = run->now.sender;
	uint64_t number;

	if (!sender || !sender->cgroup ||
	    netlink_u32(data[NFTA_SOCKET_KEY]) != NFT_SOCKET_CGROUPV2 ||
	    !cgroup_at_level(sender->cgroup, netlink_u32(data[NFTA_SOCKET_LEVEL]), &number))
		return false;
	if (!number)
		fail(run);
	foreign_put(&run->registers, netlink_u32(data[NFTA_SOCKET_DREG]), &number, sizeof(number));
	return true;
}

/* What an expression would have loaded, and where, is not known either. */
static void be_lost(struct run *run, const char *name)
{
	const char *why = arena_printf(run->asked->arena, "`%s` is not known beforehand", name);

	doubt(run, why);
	foreign_forget(&run->registers, NFT_REG_1, sizeof(run->registers.bytes), why);
}

static void step(struct run *run, const struct nlattr *expression)
{
	const struct nlattr *inner[NETLINK_ATTRIBUTES], *data[NETLINK_ATTRIBUTES] = { 0 };
	const char *name;

	netlink_read_nested(expression, inner);
	if (!inner[NFTA_EXPR_NAME])
		return;
	name = mnl_attr_get_str(inner[NFTA_EXPR_NAME]);
	if (inner[NFTA_EXPR_DATA])
		netlink_read_nested(inner[NFTA_EXPR_DATA], data);
	if (asks_sender(run, name, data))
		fail(run);
	else if (!strcmp(name, "socket") && load_cgroup(run, data))
		return;
	else if (foreign_choose(&run->now, run->table->name, name, data, &run->registers) ||
		 does_something(run, name, data) || compares(run, name, data) ||
		 is_idle(name, data) || foreign_load(&run->now, name, data, &run->registers))
		return;
	else
		be_lost(run, name);
}

struct foreign_outcome foreign_rule(const struct foreign_asked *asked,
				    const struct nft_foreign_table *table,
				    const struct foreign_packet *packet,
				    const struct nlattr *expressions)
{
	struct run run = { .asked = asked, .table = table, .packet = packet, .now = *packet };
	const struct nlattr *expression;

	run.out.fits = true;
	mnl_attr_for_each_nested(expression, expressions) {
		step(&run, expression);
		if (run.is_over)
			break;
	}
	if (run.assumes || run.now.is_vague != packet->is_vague) {
		struct foreign_packet *assumed = arena_new_of(asked->arena, struct foreign_packet);

		*assumed = run.now;
		run.out.assumed = assumed;
	}
	return run.out;
}
