/*
 * main_copy: the copy of the main table's specific IPv6 routes that a policy's ip rules ask instead
 * of the main table itself (see add_specific in lang/lower/route.c for why).
 *
 * The copy is made by every apply. Until the next one, a network that the main table learns goes
 * by the policy's tables: what is not in the copy is never let out by the main table's default.
 */
#ifndef TPC_HOST_MAIN_COPY_H
#define TPC_HOST_MAIN_COPY_H

#include <stdbool.h>
#include <stdint.h>

struct arena;
struct ir;
struct netlink;
struct netlink_error;
struct observed;
struct op_list;
struct route_list;

/* What the table should hold now: the specific routes of the main table, as routes of `table`.
 * Link-local and multicast destinations never meet a policy's rules, and are not among them. */
bool main_copy_observe(struct arena *arena, struct netlink *netlink, uint32_t table,
		       struct route_list *out, struct netlink_error *error);
/* Compares that with what the table holds; adds the ops of routes that come and go. */
void main_copy_diff(struct arena *arena, const struct ir *ir, const struct observed *observed,
		    struct op_list *ops);

#endif
