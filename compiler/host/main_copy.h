/*
 * main_copy: the copy of the main table's specific IPv6 routes that a policy's ip rules ask instead
 * of the main table itself (see add_specific in lang/lower/ip_rule.c for why).
 *
 * The copy is made by every apply. Until the next one, a network that the main table learns goes
 * by the policy's tables: what is not in the copy is never let out by the main table's default.
 */
#ifndef TPC_HOST_MAIN_COPY_H
#define TPC_HOST_MAIN_COPY_H

struct arena;
struct ir;
struct observed;
struct op_list;

/* Compares what the table should hold (observed.main_specific) with what it holds; adds the ops of
 * routes that come and go. */
void main_copy_diff(struct arena *arena, const struct ir *ir, const struct observed *observed,
		    struct op_list *ops);

#endif
