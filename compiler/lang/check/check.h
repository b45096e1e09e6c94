/*
 * check/check: what a policy means, and whether it can work, before any number is given out.
 *
 * Names are resolved into what they name (of a definition that could not be read whole nothing more
 * is asked); groups become their interfaces; every rule gets its scopes, protocols and families.
 * What cannot work is an error with the reason, what may surprise a warning.
 */
#ifndef TPC_LANG_CHECK_CHECK_H
#define TPC_LANG_CHECK_CHECK_H

#include "lang/ast/ast.h"

struct ir_group;

/* What is defined and neither used by a rule nor there for answers: for a policy without errors. */
void check_unused(struct diag *diag, const struct ast_policy *policy, const struct ir *ir);
/* check/sets.c: sets without an address, or with every one where a rule drops: for a policy that is
 * lowered. */
void check_contents(struct arena *arena, struct diag *diag, struct ast_policy *policy);
bool check_policy(struct arena *arena, struct diag *diag, struct ast_policy *policy);

/* check/names.c: do the listeners and the tables of an action exist? Marks them as used; the errors
 * are added. A balance among listeners becomes what it is. */
bool check_names(struct arena *arena, struct diag *diag, struct ast_policy *policy,
		 struct ast_then *then);
/* The error for a name that no table has. Always false. */
bool check_unknown_table(struct arena *arena, struct diag *diag, struct ast_policy *policy,
			 const struct ast_target *target);
/* check/proxy.c: what listeners can take of a rule, which becomes a rule about that. */
bool check_proxy(struct arena *arena, struct diag *diag, struct ast_rule *rule);
bool check_spread(struct arena *arena, struct diag *diag, struct ast_rule *rule);
/* check/then.c: the actions of rules and defaults. `rule` has its scopes, protocols so far (empty:
 * all) and families. */
bool check_then(struct arena *arena, struct diag *diag, struct ast_policy *policy,
		struct ast_rule *rule);
/* Before protocols are checked: `icmp` with `answer` is ping in both families. */
void check_widen_echo(struct arena *arena, const struct ast_rule *rule);
/* Where one interface is wanted, a group's name is a mistake, unless the group holds an interface
 * of that name. */
bool check_is_interface(struct arena *arena, struct diag *diag, const struct ir_group *group,
			struct span span);
/* check/protocol.c: whether what packets carry can decide what the rule's action does. Its
 * protocols are known. */
bool check_data(struct diag *diag, const struct ast_rule *rule);
/* check/conflict.c: conditions that exclude each other or what the action can do. `rule` as above;
 * its families become those that its addresses leave. */
bool check_conflicts(struct diag *diag, const struct ast_policy *policy, struct ast_rule *rule);
/* check/host.c: which of the destinations that rules leave alone each rule is about, once all are
 * checked. */
void check_hosts(struct arena *arena, struct diag *diag, struct ast_policy *policy);
/* check/conflict.c: a mark that connections get, too, has none of the bits that the policy writes
 * there itself. */
bool check_then_mark(struct diag *diag, const struct ast_policy *policy,
		     const struct ast_then *then);
/* check/target.c: what is wrong with a listener or a table itself. */
bool check_listener(struct diag *diag, const struct ast_listener *listener);
/* check/then.c: the table that leads to it, where it names one. */
bool check_via(struct arena *arena, struct diag *diag, struct ast_policy *policy,
	       struct ast_listener *listener);
bool check_table(struct diag *diag, const struct ast_table *table);
/* Is the route one of the family? */
bool check_route_in(const struct ast_route *route, enum addr_family family);
/* Has the table a route of the family with a next hop? */
bool check_leads_out(const struct ast_table *table, enum addr_family family);
/* The interfaces of a table's routes, each once; *complete (unless it is NULL) is false when a
 * route names none. */
const char **check_table_devs(struct arena *arena, const struct ast_table *table, size_t *count,
			      bool *complete);

#endif
