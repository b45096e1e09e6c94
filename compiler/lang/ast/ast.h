/*
 * ast: what the author wrote, decoded and with places, before anything is known to be legal or to
 * have a number.
 *
 * Spans without a source stand for keys that were not given. All memory is the compilation's
 * arena's.
 */
#ifndef TPC_LANG_AST_AST_H
#define TPC_LANG_AST_AST_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "addr/addr.h"
#include "addr/country.h"
#include "base/source.h"
#include "ir/ir.h"
#include "match/match.h"

/* ---- settings ---- */

enum ast_ipv6 { IPV6_ON, IPV6_OFF, IPV6_BLOCK };

struct ast_settings {
	int64_t mark_mask, priority, protocol, hook_priority;
	uint32_t table_first, table_last;
	int ipv6;        /* enum ast_ipv6 */
	int sysctls;     /* enum ir_sysctl_policy */
	int connections; /* 0: those to targets that are gone are deleted; 1: kept */
	struct span mark_mask_span, priority_span, table_span;
};

/* ---- interfaces and sets ---- */

/* Of what may name others of its kind, while all are looked into. */
enum ast_progress { PROGRESS_NONE, PROGRESS_BUSY, PROGRESS_DONE };

struct ast_group {
	const char *name;
	struct span span;
	const char **members; /* once resolved, interfaces and patterns, each once */
	size_t member_count;
	struct span *member_spans; /* of the members as they were written */
	enum ast_progress progress;
};

enum ast_set_kind { SET_LITERAL, SET_REFERENCE, SET_FILE, SET_GEOIP, SET_LIST, SET_DIFFERENCE };

struct ast_country {
	int number; /* of addr/country.h */
	struct span span;
};

struct ast_set_expression {
	enum ast_set_kind kind;
	struct span span;
	struct addr_range range;       /* SET_LITERAL */
	const char *text;              /* the name, or the file's path ready to open */
	struct span text_span;         /* SET_GEOIP: where the database is named */
	struct ast_country *countries; /* SET_GEOIP */
	size_t country_count;
	struct ast_set_expression *items; /* SET_LIST; SET_DIFFERENCE: what is included */
	size_t count;
	struct ast_set_expression *without; /* SET_DIFFERENCE: what is taken away */
	size_t without_count;
};

/* Addresses of an interface of this host, or their networks. */
struct ast_own {
	const char *dev;
	bool prefixes;
	struct span span; /* of the interface's name */
};

struct ast_set {
	const char *name;
	struct span span;
	struct ast_set_expression expression;
	enum ast_progress progress;
	struct addr_set contents; /* once resolved; of a dynamic set what it begins with */
	bool dynamic;             /* filled at run time: what it holds is not known here */
	uint32_t timeout;         /* of a dynamic set, seconds; 0: none */
	uint32_t size;            /* the most elements a family; 0: any number */
	struct span size_span;
	const char **domains; /* whose addresses a resolver adds: lower case, sorted, each once */
	size_t domain_count;
	struct ast_own *own; /* what alone it holds, where there is any */
	size_t own_count;
	struct span named; /* where the first other set names it */
	bool used;
	bool is_reported; /* a rule that matches nothing has said that this one is empty */
};

/* ---- lists of MAC addresses and of ports ---- */

struct ast_list {
	const char *name;
	struct span span;
	const struct match_kind *kind;  /* whose values it holds: names are the kind's own */
	struct match_condition written; /* the values, and the names of other lists */
	struct match_reference *files;  /* paths ready to open */
	size_t file_count;
	enum ast_progress progress;
	struct interval_set values; /* once resolved */
	bool used;
};

/* ---- marks ---- */

struct ast_mark {
	bool given;
	uint32_t value, mask;
	struct span span;
};

/* ---- listeners ---- */

enum ast_mode { MODE_TPROXY, MODE_REDIRECT, MODE_DNAT };
enum ast_failure { FAILURE_REJECT, FAILURE_DROP, FAILURE_DIRECT };
enum ast_protocols { TAKES_TCP = 1, TAKES_UDP = 2 };

/* How what a listener's own program sends is known: one of these holds. Each has one value: a user,
 * group, cgroup or mark; or, of a listener on another host, a source port or a range of them. */
struct ast_identity {
	struct match_condition **items;
	size_t count;
	struct span span;
};

struct ast_listener {
	const char *name;
	struct span span;
	bool broken; /* could not be read whole: names it, and nothing more is asked of it */
	enum ast_mode mode;
	struct span mode_span;
	uint16_t port;
	bool has[ADDR_FAMILIES]; /* takes this family */
	struct addr addr[ADDR_FAMILIES];
	unsigned int protocols; /* of enum ast_protocols; 0: the mode's default */
	struct ast_identity runs_as;
	int on_failure; /* enum ast_failure */
	struct span on_failure_span;
	bool spoofs_client, masquerade;
	struct span spoofs_client_span, masquerade_span;
	struct ast_mark mark;
	int64_t table; /* 0: allocated */
	struct span table_span;
	const char *via_name; /* of the table that leads to a dnat listener; or NULL */
	struct span via_span;
	struct ast_table *via; /* once resolved */
	bool used, used_locally;
};

/* ---- tables ---- */

enum ast_fallback { FALLBACK_MAIN, FALLBACK_UNREACHABLE, FALLBACK_PROHIBIT, FALLBACK_BLACKHOLE };

/* Up to one address a family. */
struct ast_addresses {
	bool has[ADDR_FAMILIES];
	struct addr addr[ADDR_FAMILIES];
	struct span span;
};

struct ast_hop {
	struct span span;
	struct ast_addresses via;
	bool learns; /* via: auto: in a family without an address the host's own gateway */
	const char *dev;
	int64_t weight; /* 0: not given */
	bool onlink;
};

struct ast_route {
	struct span span;
	bool is_default; /* `to` is not given or "default" */
	struct addr_prefix to;
	struct span to_span;
	int type; /* enum ir_route_type */
	struct ast_hop *hops;
	size_t hop_count;
	struct ast_hop hop; /* via, dev and onlink of the route itself */
	struct ast_addresses src;
	int64_t metric, mtu;
};

struct ast_endpoint {
	struct addr addr;
	struct span span;
};

/* NPTv6 (RFC 6296): what leaves from one prefix has the same address in the other. */
struct ast_npt {
	struct addr_prefix inside, outside;
	struct span span, inside_span, outside_span;
};

struct ast_table {
	const char *name;
	struct span span;
	bool broken; /* as a listener's */
	struct ast_route shorthand;
	bool has_shorthand;
	struct ast_route *routes;
	size_t route_count;
	int fallback; /* enum ast_fallback */
	bool prefer_main, strict;
	bool masquerades[ADDR_FAMILIES];
	struct span prefer_main_span, masquerade_span, strict_span;
	struct ast_endpoint *endpoints; /* where a tunnel's own packets go */
	size_t endpoint_count;
	/* Connections that come in by its interface and asked for one of these are answered by it.
	 * None although given: no connection is. Not given: all. */
	struct ast_endpoint *answers;
	size_t answer_count;
	struct span answers_span; /* no source: not given */
	struct ast_addresses snat;
	struct ast_npt *npts;
	size_t npt_count;
	struct span npt_span;
	int64_t clamp_mss; /* -1: no; 0: the route's MTU; else bytes */
	int64_t id, priority;
	int64_t from_table; /* another program's, which is also its id; 0: its routes are ours */
	struct span id_span, priority_span;
	struct ast_mark mark;
	bool used;
};

/* ---- rules ---- */

enum ast_action {
	THEN_DIRECT,
	THEN_DROP,
	THEN_REJECT,
	THEN_PROXY,
	THEN_ROUTE,
	THEN_BALANCE, /* among tables */
	THEN_SPREAD,  /* among listeners: a balance, once its names are resolved */
	THEN_MARK,
	THEN_ANSWER, /* this host answers echo requests in the destination's place */
	THEN_CONTINUE
};

/* Datagrams have no connection that could be cut: they go where the list says. */
enum ast_sticky {
	STICKY_TCP, /* and what else has connections */
	STICKY_ALL,
	STICKY_NONE
};

struct ast_target {
	const char *name; /* of a table, or main, unreachable, prohibit, blackhole; of a listener */
	struct span span;
	int64_t weight;                /* of a share, from 1 */
	struct ast_listener *listener; /* once resolved, if it is one */
};

struct ast_then {
	enum ast_action action;
	struct span span;
	enum ir_reject reject;
	struct span name_span;
	struct ast_listener *listener; /* once resolved: that of several which rows.c chooses; of
					  THEN_SPREAD the first */
	struct ast_target *targets;    /* tables */
	size_t target_count;
	struct ast_target *hands; /* all listeners that it may hand to, once resolved */
	size_t hand_count;
	int by; /* enum ir_balance */
	/* Which connections stay on the table of a list that took them, while it lives. */
	enum ast_sticky sticky;
	struct span sticky_span; /* no source: not given */
	struct ast_mark mark;
	bool connection; /* the mark is the connection's, too */
};

/* So many packets a unit: "second", "minute", "hour" or "day". */
struct ast_limit {
	uint32_t rate; /* 0: none given */
	const char *unit;
};

struct ast_rule {
	struct span span;
	bool broken;   /* could not be read whole: only its names are looked up */
	size_t number; /* from 1, in the order of all files */
	int scope;     /* enum ir_scope; 0: not given */
	struct span scope_span;
	struct match_condition **conditions;
	size_t condition_count;
	const struct node **written; /* each condition's value as it stands in the file */
	size_t written_count;
	struct ast_then *then;
	const char *log;
	bool count;
	struct ast_limit limit;
	const char *name;
	const char *title, *id; /* once it is lowered: see lower/name.c */
	/* once checked */
	enum ir_scope scopes;
	struct interval_set protocols; /* empty: all */
	bool families[ADDR_FAMILIES];
	/* What its listener does not take of tcp and udp, and of the families, and no word of the
	 * rule leaves out: it goes on to the next rules. */
	struct interval_set cut_protocols;
	bool cut_families[ADDR_FAMILIES];
	/* Of the destinations that rules leave alone, those that the rule names: see check/host.c
	 */
	unsigned int specials;
	struct addr_set meant;
	bool means_own;    /* sets of this host's own addresses */
	bool excepts;      /* all that its conditions fit */
	unsigned int host; /* the scopes in which it is about any */
};

struct ast_expectation {
	struct span span;
	bool broken; /* could not be read whole */
	struct ir_packet packet;
	struct ast_then *then;
};

struct ast_policy {
	bool whole; /* every file could be read, so that a name that is not defined is really not */
	const char *name;
	struct ast_settings settings;
	struct ast_group *groups;
	size_t group_count;
	struct ast_set *sets;
	size_t set_count;
	struct ast_list *lists;
	size_t list_count;
	struct ast_listener *listeners;
	size_t listener_count;
	struct ir_row *rows; /* rows.c */
	size_t row_count;
	struct ast_table *tables;
	size_t table_count;
	struct ast_rule *rules;
	size_t rule_count;
	struct ast_then *default_forward, *default_local; /* NULL: direct */
	struct ast_rule *default_rules[2]; /* forward, local; once checked; NULL: direct */
	struct ast_expectation *expectations;
	size_t expectation_count;
};

const char *ast_mode_name(enum ast_mode mode);
struct ast_set *ast_set_find(struct ast_policy *policy, const char *name);
struct ast_list *ast_list_find(struct ast_policy *policy, const struct match_kind *kind,
			       const char *name);
struct ast_listener *ast_listener_find(struct ast_policy *policy, const char *name);
struct ast_table *ast_table_find(struct ast_policy *policy, const char *name);
const struct ast_group *ast_group_find(const struct ast_policy *policy, const char *name);
/* The rule's condition under a key, or NULL. */
struct match_condition *ast_condition(const struct ast_rule *rule, const char *key);
/* In one family or both. */
bool ast_masquerades(const struct ast_table *table);
/* The rule that stands there, or the number of rules for the default. */
size_t ast_rule_at(const struct ast_policy *policy, struct span span);
/* Its routes, whether they were written one by one or in short. */
const struct ast_route *ast_table_routes(const struct ast_table *table, size_t *count);
/* The nth next hop, from 0, of a route, which has one at least; NULL after the last. */
const struct ast_hop *ast_hop(const struct ast_route *route, size_t nth);
/* May packets of the family go by it? */
bool ast_hop_is_of(const struct ast_hop *hop, enum addr_family family);
/* Does the rule name the interfaces that its packets come by, and not just others? */
bool ast_names_source(const struct ast_rule *rule);
/* Does the rule name who sends: what a listener's own traffic is matched for? */
bool ast_names_identity(const struct ast_rule *rule);
/* May a later packet of a connection answer the condition otherwise than the first: by its kind, or
 * because a set that it names is filled at run time? */
bool ast_may_change(struct ast_policy *policy, const struct match_condition *condition);
/* Direct, a proxy, a table, one of several, a mark, or an answer: where the packet goes, and not
 * whether. */
bool ast_chooses_target(const struct ast_then *then);
/* Does it hand to a listener, or to one of several? */
bool ast_hands_over(const struct ast_then *then);
bool ast_hands_to(const struct ast_then *then, const struct ast_listener *listener);
/* The first of its listeners that has no address of the family, or does not take all of the
 * protocols. One of them is such. */
const struct ast_listener *ast_without_family(const struct ast_then *then, enum addr_family family);
const struct ast_listener *ast_without_protocols(struct arena *arena, const struct ast_then *then,
						 const struct interval_set *protocols);
/* What a balance shares among, each with its weight; none of any other action. */
const struct ast_target *ast_shares(const struct ast_then *then, size_t *count);
/* The same names with the same weights in the same order? */
bool ast_same_targets(const struct ast_target *a, size_t a_count, const struct ast_target *b,
		      size_t b_count);
/* Does it hand to a listener that is passed by when no socket listens there? False for no action
 * (NULL).
 */
bool ast_fails_open(const struct ast_then *then);
/* The tables of a route joined by '.': the name of its target. */
const char *ast_route_name(struct arena *arena, const struct ast_then *then);
/* A default as a rule without conditions, as far as its listener takes it. */
struct ast_rule ast_default_rule(struct arena *arena, const struct ast_policy *policy,
				 const struct ast_then *then, enum ir_scope scope);
/* The protocols that a listener takes. */
struct interval_set ast_takes(struct arena *arena, const struct ast_listener *listener);
/* Does the listener wait on this host for sure? */
bool ast_stays_here(const struct ast_listener *listener);
/* May it wait on another host, at an address of the family? */
bool ast_is_away(const struct ast_listener *listener, enum addr_family family);
/* Is it a source port, which says who sends on another host alone? */
bool ast_is_source_port(const struct match_condition *identity);
/* Is what it sends itself known, on this host, by who sends? */
bool ast_has_identity(const struct ast_listener *listener);
/* Is this a target of a route that is no table? */
bool ast_is_last_resort(const char *target);

#endif
