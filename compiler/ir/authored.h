/*
 * authored: the policy in its author's words, for whoever shows or explains it: rules with their
 * conditions and where they lead, tables, groups of interfaces. No part of the digest.
 */
#ifndef TPC_IR_AUTHORED_H
#define TPC_IR_AUTHORED_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "addr/addr.h"
#include "addr/interval.h"
#include "base/source.h"
#include "ir/packet.h"

struct ir_class;
struct ir_row;

/* The prefix that an inside one is to the outside. */
struct ir_npt {
	struct addr_prefix inside, outside;
};

/* A routing table of the policy's that some way leads to. */
struct ir_table {
	const char *name;
	uint32_t id;
	bool masquerades[ADDR_FAMILIES];
	bool strict;
	bool has_snat[ADDR_FAMILIES];
	struct addr snat[ADDR_FAMILIES];
	struct ir_npt *npts;
	size_t npt_count;
	int64_t clamp_mss; /* -1: no; 0: the route's MTU; else bytes */
	struct span origin;
};

/* A group of interfaces; rules may name it instead of its members. */
struct ir_group {
	const char *name;
	const char *const *members;
	size_t member_count;
	struct span origin;
};

/* Of a condition so many values are shown, and of a value so many bytes: the rest is in the file.
 */
enum { IR_AUTHORED_VALUES = 6, IR_AUTHORED_BYTES = 48 };

/* A list of MAC addresses or of ports that a condition names. */
struct ir_list {
	const char *name;
	struct interval_set values;
};

/* A condition of a rule, in one line of text without control characters: "to foreign". */
struct ir_authored_condition {
	const char *key;  /* "to" */
	const char *text; /* "to foreign or private", "not port 53", "tcp" */
	bool negated;
	/* Of `in` and `out`, interfaces and groups as they were written; else none. */
	const char **names;
	size_t name_count;
	struct ir_list *lists; /* in the author's order */
	size_t list_count;
	struct span origin;
};

enum ir_authored_then {
	IR_THEN_DIRECT,
	IR_THEN_DROP,
	IR_THEN_REJECT,
	IR_THEN_PROXY,
	IR_THEN_ROUTE,
	IR_THEN_BALANCE,
	IR_THEN_MARK,
	IR_THEN_ANSWER,
	IR_THEN_CONTINUE
};

/* What a rule sends to: one, or of a balance several. */
struct ir_authored_target {
	const struct ir_class *class; /* NULL: the main table, or one that nothing can reach */
	const char *name; /* the listener's or the table's; of a row of tables the class's;
			     a mark's text */
	uint32_t weight;  /* of a balance, else 0 */
};

/* One of the author's rules, or a default: with number 0, without a place where none is given. */
struct ir_authored {
	size_t number; /* from 1, in the order of all files */
	struct span origin;
	const char *name; /* or NULL */
	enum ir_scope scopes;
	struct ir_authored_condition *conditions; /* in the author's order */
	size_t condition_count;
	const char *text; /* of all conditions: "to foreign, tcp, port 443"; "" without any */
	enum ir_authored_then then;
	const struct ir_row *row; /* of the listener that it hands to, or NULL */
	const char *then_text;    /* "proxy px", "route vpn, else unreachable" */
	struct ir_authored_target *targets;
	size_t target_count;
	const char *log;   /* the prefix, or NULL */
	const char *limit; /* "10/second", or NULL */
	bool count;
};

#endif
