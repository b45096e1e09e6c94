/*
 * ip_rule: ip rules, read from and written to the kernel by rtnetlink, for both families.
 *
 * What was read keeps apart what a policy can ask for (an ir_ip_rule) and whatever else the rule
 * carries, so that a foreign rule is never taken for one of ours.
 */
#ifndef TPC_KERNEL_IP_RULE_H
#define TPC_KERNEL_IP_RULE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "ir/ir.h"

struct arena;
struct buf;
struct netlink;
struct netlink_error;

struct ip_rule_seen {
	struct ir_ip_rule rule;
	uint32_t protocol; /* rtnetlink's, of who added it */
	bool is_other;   /* has a selector, a negation or an action that no policy of ours gives */
	bool is_negated; /* `ip rule add not ...` */
	bool is_lookup;  /* in the table rule.table */
	bool is_idle;    /* does nothing to any packet (nop) */
	bool has_selector; /* something else than a mark */
	const char *text;  /* "32765: from all fwmark 0x64 lookup 100" */
};

struct ip_rule_list {
	struct ip_rule_seen *items;
	size_t count;
};

/* Appends every rule of the family. */
bool ip_rule_observe(struct arena *arena, struct netlink *netlink, enum addr_family family,
		     struct ip_rule_list *list, struct netlink_error *error);
/* A rule that is there already is an error (EEXIST), and so is one that is not there when it is
 * removed (ENOENT). */
bool ip_rule_add(struct netlink *netlink, const struct ir_ip_rule *rule, uint32_t protocol,
		 struct netlink_error *error);
bool ip_rule_remove(struct netlink *netlink, const struct ir_ip_rule *rule, uint32_t protocol,
		    struct netlink_error *error);
bool ip_rule_equal(const struct ir_ip_rule *a, const struct ir_ip_rule *b);
/* "ip -4 rule add fwmark ...": the command that does the same. */
void ip_rule_put_command(struct buf *out, const char *verb, const struct ir_ip_rule *rule,
			 uint32_t protocol);

#endif
