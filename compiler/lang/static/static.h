/*
 * static/static: what can be shown of a policy as a whole, once it is known to be legal.
 *
 * Each check adds warnings or notes with every place that matters, and changes nothing. What a
 * check says is true of every packet; where one would take too long, it says nothing.
 */
#ifndef TPC_LANG_STATIC_STATIC_H
#define TPC_LANG_STATIC_STATIC_H

#include "lang/ast/ast.h"

struct static_slice;
struct checks;

/* All of them. */
void static_policy(struct arena *arena, struct diag *diag, struct ast_policy *policy,
		   const struct ir *ir);

/* static/shadow.c: rules, and a default, that no packet gets as far as; and what else is seen of
 * the slices of spaces. */
void static_shadowed(struct diag *diag, struct ast_policy *policy);
/* Of each of these as the last rule, after all rules and defaults: does some packet for sure get
 * as far as it? */
void static_passed(struct ast_policy *policy, const struct ast_rule *const *rests, size_t count,
		   bool *passed);
/* static/rest.c: packets that a rule speaks of and does not take: what its listener does not take,
 * and what goes to this host. */
void static_rests(struct checks *checks);
/* static/source.c: what the host sends by another table, with the address of its old route. */
void static_sources(struct checks *checks);
/* static/order.c: destinations in two sets where the order of two rules decides. `unreached`
 * says of each rule and default, in order, that no packet gets there. */
void static_order(struct diag *diag, struct ast_policy *policy, const struct static_slice *slices,
		  size_t slice_count, const bool *unreached);
/* static/leak.c: tables that let a family go. */
void static_leaks(struct diag *diag, const struct static_slice *slice);
/* static/family.c: IPv6 that goes past rules about IPv4. */
void static_families(struct checks *checks);
/* static/lan.c: what the host sends to its own networks, sent away with the rest. */
void static_lans(struct checks *checks);
/* static/onward_check.c: what a listener on another host sends on, taken by a later rule. */
void static_onwards(struct checks *checks);
/* static/number.c: marks, tables and priorities that other programs are known to use. */
void static_numbers(struct arena *arena, struct diag *diag, struct ast_policy *policy,
		    const struct ir *ir);

#endif
