/*
 * ip_rule: ip rules of the kernel. In go dumps and rules, out come lists and changes; a rule is
 * always named by all of its keys, so that a change meets that rule and no other.
 */
#include "kernel/ip_rule.h"

#include <arpa/inet.h>
#include <errno.h>
#include <inttypes.h>
#include <string.h>
#include <sys/socket.h>

#include <linux/fib_rules.h>
#include <linux/rtnetlink.h>

#include "base/arena.h"
#include "base/buf.h"
#include "emit/ipbatch.h"
#include "kernel/netlink.h"

static uint8_t kernel_action(enum ir_rule_action action)
{
	switch (action) {
	case IR_RULE_LOOKUP:
		return FR_ACT_TO_TBL;
	case IR_RULE_UNREACHABLE:
		return FR_ACT_UNREACHABLE;
	case IR_RULE_PROHIBIT:
		return FR_ACT_PROHIBIT;
	case IR_RULE_BLACKHOLE:
		return FR_ACT_BLACKHOLE;
	}
	return FR_ACT_UNSPEC;
}

static bool ir_action(uint8_t action, enum ir_rule_action *out)
{
	static const enum ir_rule_action all[] = { IR_RULE_LOOKUP, IR_RULE_UNREACHABLE,
						   IR_RULE_PROHIBIT, IR_RULE_BLACKHOLE };

	for (size_t i = 0; i < sizeof(all) / sizeof(all[0]); i++)
		if (kernel_action(all[i]) == action) {
			*out = all[i];
			return true;
		}
	return false;
}

/* ---- reading ---- */

struct reader {
	struct arena *arena;
	struct ip_rule_list *list;
	enum addr_family family;
};

static void put_prefix(struct buf *out, const char *word, enum addr_family family,
		       const struct nlattr *attribute, unsigned int length)
{
	char text[INET6_ADDRSTRLEN];

	if (!attribute) {
		buf_printf(out, " %s all", word);
		return;
	}
	inet_ntop(netlink_family(family), mnl_attr_get_payload(attribute), text, sizeof(text));
	buf_printf(out, " %s %s/%u", word, text, length);
}

static void put_action(struct buf *out, const struct ip_rule_seen *seen,
		       const struct fib_rule_hdr *header, bool is_vrf)
{
	static const char *const names[] = { "", "",          "goto",        "nop",     "",
					     "", "blackhole", "unreachable", "prohibit" };

	if (is_vrf)
		buf_puts(out, " lookup [l3mdev-table]");
	else if (header->action == FR_ACT_TO_TBL)
		buf_printf(out, " lookup %" PRIu32, seen->rule.table);
	else if (header->action < sizeof(names) / sizeof(names[0]))
		buf_printf(out, " %s", names[header->action]);
	if (seen->rule.shortest)
		buf_printf(out, " suppress_prefixlength %u", seen->rule.shortest - 1);
}

static void put_ports(struct buf *out, const char *word, const struct nlattr *attribute)
{
	const struct fib_rule_port_range *range;

	if (!attribute)
		return;
	range = mnl_attr_get_payload(attribute);
	buf_printf(out, " %s %u", word, range->start);
	if (range->end != range->start)
		buf_printf(out, "-%u", range->end);
}

static void put_selectors(struct buf *out, const struct fib_rule_hdr *header,
			  const struct nlattr *const *attributes)
{
	if (header->tos)
		buf_printf(out, " tos 0x%02x", header->tos);
	if (attributes[FRA_IIFNAME])
		buf_printf(out, " iif %s", mnl_attr_get_str(attributes[FRA_IIFNAME]));
	if (attributes[FRA_OIFNAME])
		buf_printf(out, " oif %s", mnl_attr_get_str(attributes[FRA_OIFNAME]));
	if (attributes[FRA_UID_RANGE]) {
		const struct fib_rule_uid_range *range =
			mnl_attr_get_payload(attributes[FRA_UID_RANGE]);

		buf_printf(out, " uidrange %" PRIu32 "-%" PRIu32, range->start, range->end);
	}
	if (attributes[FRA_IP_PROTO])
		buf_printf(out, " ipproto %u", mnl_attr_get_u8(attributes[FRA_IP_PROTO]));
	put_ports(out, "sport", attributes[FRA_SPORT_RANGE]);
	put_ports(out, "dport", attributes[FRA_DPORT_RANGE]);
}

/* The rule in the words of `ip rule`, as far as a person needs them to find it. */
static const char *describe(struct reader *reader, const struct ip_rule_seen *seen,
			    const struct fib_rule_hdr *header,
			    const struct nlattr *const *attributes)
{
	struct buf out = { 0 };

	buf_printf(&out, "%" PRIu32 ":", seen->rule.priority);
	if (header->flags & FIB_RULE_INVERT)
		buf_puts(&out, " not");
	put_prefix(&out, "from", reader->family, attributes[FRA_SRC], header->src_len);
	if (attributes[FRA_DST])
		put_prefix(&out, "to", reader->family, attributes[FRA_DST], header->dst_len);
	if (seen->rule.mask == UINT32_MAX)
		buf_printf(&out, " fwmark 0x%" PRIx32, seen->rule.mark);
	else if (seen->rule.mask)
		buf_printf(&out, " fwmark 0x%" PRIx32 "/0x%" PRIx32, seen->rule.mark,
			   seen->rule.mask);
	put_selectors(&out, header, attributes);
	put_action(&out, seen, header, attributes[FRA_L3MDEV] != NULL);
	return buf_keep(reader->arena, &out);
}

/* Attributes that only say what a rule of ours may say too, or nothing. */
static bool is_ours_to_give(unsigned int type)
{
	switch (type) {
	case FRA_PRIORITY:
	case FRA_FWMARK:
	case FRA_FWMASK:
	case FRA_TABLE:
	case FRA_SUPPRESS_PREFIXLEN:
	case FRA_PROTOCOL:
	case FRA_IIFNAME:
	case FRA_OIFNAME:
	case FRA_PAD:
		return true;
	}
	return false;
}

static bool has_selector(const struct fib_rule_hdr *header, const struct nlattr *const *attributes)
{
	static const unsigned int selectors[] = { FRA_SRC,         FRA_DST,        FRA_IIFNAME,
						  FRA_OIFNAME,     FRA_FLOW,       FRA_TUN_ID,
						  FRA_L3MDEV,      FRA_UID_RANGE,  FRA_IP_PROTO,
						  FRA_SPORT_RANGE, FRA_DPORT_RANGE };

	for (size_t i = 0; i < sizeof(selectors) / sizeof(selectors[0]); i++)
		if (attributes[selectors[i]])
			return true;
	return header->tos != 0;
}

static uint32_t number_of(const struct nlattr *attribute, uint32_t otherwise)
{
	return attribute ? mnl_attr_get_u32(attribute) : otherwise;
}

static void read_rule(const struct nlmsghdr *message, void *user)
{
	struct reader *reader = user;
	const struct fib_rule_hdr *header = mnl_nlmsg_get_payload(message);
	const struct nlattr *attributes[FRA_MAX + 1] = { NULL }, *attribute;
	struct ip_rule_seen *seen;

	if (message->nlmsg_type != RTM_NEWRULE || header->family != netlink_family(reader->family))
		return;
	seen = arena_append(reader->arena, reader->list->items, reader->list->count);
	mnl_attr_for_each(attribute, message, sizeof(*header)) {
		unsigned int type = mnl_attr_get_type(attribute);

		if (type <= FRA_MAX)
			attributes[type] = attribute;
		seen->is_other |= !is_ours_to_give(type);
	}
	seen->rule.family = reader->family;
	seen->rule.priority = number_of(attributes[FRA_PRIORITY], 0);
	seen->rule.mark = number_of(attributes[FRA_FWMARK], 0);
	seen->rule.mask = number_of(attributes[FRA_FWMASK], 0);
	seen->rule.shortest = number_of(attributes[FRA_SUPPRESS_PREFIXLEN], UINT32_MAX) + 1;
	if (header->action == FR_ACT_TO_TBL)
		seen->rule.table = number_of(attributes[FRA_TABLE], header->table);
	if (attributes[FRA_IIFNAME])
		seen->rule.iif =
			arena_strdup(reader->arena, mnl_attr_get_str(attributes[FRA_IIFNAME]));
	if (attributes[FRA_OIFNAME])
		seen->rule.oif =
			arena_strdup(reader->arena, mnl_attr_get_str(attributes[FRA_OIFNAME]));
	if (attributes[FRA_PROTOCOL])
		seen->protocol = mnl_attr_get_u8(attributes[FRA_PROTOCOL]);
	seen->is_lookup = header->action == FR_ACT_TO_TBL;
	seen->is_idle = header->action == FR_ACT_NOP;
	seen->has_selector = has_selector(header, attributes);
	seen->is_negated = header->flags & FIB_RULE_INVERT;
	seen->is_other |= !ir_action(header->action, &seen->rule.action) || seen->is_negated ||
			  header->tos ||
			  (seen->rule.iif && (seen->rule.mark || seen->rule.mask != UINT32_MAX)) ||
			  (seen->rule.oif && (seen->rule.mark || seen->rule.iif));
	seen->text = describe(reader, seen, header, attributes);
}

bool ip_rule_observe(struct arena *arena, struct netlink *netlink, enum addr_family family,
		     struct ip_rule_list *list, struct netlink_error *error)
{
	struct reader reader = { .arena = arena, .list = list, .family = family };
	char room[NETLINK_REQUEST];
	struct nlmsghdr *request = netlink_new(room, RTM_GETRULE, NLM_F_DUMP);
	struct fib_rule_hdr *header = mnl_nlmsg_put_extra_header(request, sizeof(*header));

	header->family = netlink_family(family);
	/* A kernel without IPv6 has no IPv6 rules. */
	return netlink_dump(netlink, request, read_rule, &reader, &list->count, error) ||
	       error->code == EAFNOSUPPORT || error->code == EOPNOTSUPP;
}

/* ---- changing ---- */

static bool change(struct netlink *netlink, uint16_t type, uint16_t flags,
		   const struct ir_ip_rule *rule, uint32_t protocol, struct netlink_error *error)
{
	char room[NETLINK_REQUEST];
	struct nlmsghdr *request = netlink_new(room, type, flags);
	struct fib_rule_hdr *header = mnl_nlmsg_put_extra_header(request, sizeof(*header));

	header->family = netlink_family(rule->family);
	header->action = kernel_action(rule->action);
	mnl_attr_put_u32(request, FRA_PRIORITY, rule->priority);
	mnl_attr_put_u32(request, FRA_FWMARK, rule->mark);
	mnl_attr_put_u32(request, FRA_FWMASK, rule->mask);
	if (rule->iif)
		mnl_attr_put_strz(request, FRA_IIFNAME, rule->iif);
	if (rule->oif)
		mnl_attr_put_strz(request, FRA_OIFNAME, rule->oif);
	if (rule->action == IR_RULE_LOOKUP) {
		header->table = rule->table < 256 ? (uint8_t)rule->table : RT_TABLE_UNSPEC;
		mnl_attr_put_u32(request, FRA_TABLE, rule->table);
	}
	if (rule->shortest)
		mnl_attr_put_u32(request, FRA_SUPPRESS_PREFIXLEN, rule->shortest - 1);
	mnl_attr_put_u8(request, FRA_PROTOCOL, (uint8_t)protocol);
	return type == RTM_DELRULE ? netlink_insist(netlink, request, error)
				   : netlink_ask(netlink, request, NULL, NULL, error);
}

bool ip_rule_add(struct netlink *netlink, const struct ir_ip_rule *rule, uint32_t protocol,
		 struct netlink_error *error)
{
	return change(netlink, RTM_NEWRULE, NLM_F_CREATE | NLM_F_EXCL, rule, protocol, error);
}

bool ip_rule_remove(struct netlink *netlink, const struct ir_ip_rule *rule, uint32_t protocol,
		    struct netlink_error *error)
{
	return change(netlink, RTM_DELRULE, 0, rule, protocol, error);
}

bool ip_rule_equal(const struct ir_ip_rule *a, const struct ir_ip_rule *b)
{
	return a->family == b->family && a->priority == b->priority && a->mark == b->mark &&
	       a->mask == b->mask && a->action == b->action && a->shortest == b->shortest &&
	       strcmp(a->iif ? a->iif : "", b->iif ? b->iif : "") == 0 &&
	       strcmp(a->oif ? a->oif : "", b->oif ? b->oif : "") == 0 &&
	       (a->action != IR_RULE_LOOKUP || a->table == b->table);
}

void ip_rule_put_command(struct buf *out, const char *verb, const struct ir_ip_rule *rule,
			 uint32_t protocol)
{
	buf_printf(out, "ip -%c rule %s ", addr_digit(rule->family), verb);
	ipbatch_put_rule(rule, protocol, out);
}
