/*
 * lower/lower: from a checked policy to the ir. The files share one struct lower. They stand below
 * in their order: each calls those above itself alone, and lower/lower.c calls the phases one after
 * the other.
 */
#ifndef TPC_LANG_LOWER_LOWER_H
#define TPC_LANG_LOWER_LOWER_H

#include "lang/ast/ast.h"

struct arena;
struct diag;

/* A way that packets can take: what its mark means. */
struct lower_class {
	enum ir_class_kind kind;
	const char *name;  /* of the listener, the table, the tables joined by '.', or the mark */
	const char *chain; /* sets the mark, and hands to the proxy: for what arrives */
	const char *local_chain; /* the same for what this host sends */
	uint32_t mark, mask;
	uint32_t note; /* in the mark of its connections, for those they make expected; 0: none */
	uint32_t ct_mask; /* these bits are the connection's, too, and its replies'; 0: none */
	bool families[ADDR_FAMILIES]; /* packets of this family are sent this way */
	bool forward, local;          /* traffic of this scope is */
	bool tcp, udp;                /* rules send it packets of these protocols */
	/*
	 * A way by tables, for what came in by an uplink and meets a rule that names no interface,
	 * and for what a foreign rule has translated since: what the main table knows more than a
	 * default route for is delivered there, and not sent back out.
	 */
	struct lower_class *inbound;
	const char *open_chain; /* chooses between the two by uplink; or NULL */
	bool opened;            /* some rule sends there */
	/*
	 * A way by tables that refuses, for what begins this host's own TCP connections: where the
	 * kernel's ip rule refuses, a TCP socket is not told and tries on for minutes. These
	 * packets come in again by `lo` instead, and are reset there.
	 */
	struct lower_class *syn;
	/* A way by a list, whose connections stay on the member that took them: lower/sticky.c. */
	enum ast_sticky sticky;
	struct lower_member *members; /* those that an interface tells */
	size_t member_count;
	bool unkept; /* rules send each packet of a connection there, and it keeps no state */
	struct ast_listener *listener;
	struct ast_table **tables; /* in the order they are tried */
	size_t table_count;
	int fallback;      /* enum ast_fallback: behind the last table */
	bool names_main;   /* the author lists the main table */
	size_t main_at;    /* it stands after so many of the tables */
	uint32_t table;    /* a proxy's own */
	uint32_t priority; /* of its first ip rule; 0: none */
	struct span origin;
};

/* One of a list that is tried in its order, the main table among them. */
struct lower_member {
	const char *name;
	const char **devs; /* it leads out by these; by none: the main table, by all others */
	size_t dev_count;
	struct lower_class *way; /* tries it before the others: the list's own for the first */
	uint32_t note;           /* in the mark of connections that keep no other value; 0: none */
};

/* A row of rules in one chain, and how far its drops and rejects have got: see lower/decide.c. */
struct lower_walk {
	enum ir_scope scope;
	const char *name;
	struct ir_chain *chain;
	bool specials; /* packets to this host, broadcast, multicast, link-local */
	bool errors;   /* ICMP errors about connections that keep no state */
	bool keeps;    /* some rule of the row could change its mind: drops and rejects are noted */
	bool stateful; /* from here on connections keep their way */
	bool as_told;  /* the rule asks for `state`: what is expected goes as it says */
	size_t cuts;
};

/* A way together with the drops and rejects above the rule that chose it. */
struct lower_way {
	enum ir_scope scope;
	const struct lower_class *class; /* that the target ends in, if that may be sticky */
	const char *target;              /* chain; NULL: the main table */
	struct lower_row *row;           /* NULL where nothing above it drops */
	size_t cuts;                     /* so many of the row's */
	/* Where the kernel may forget such connections (lower/flow.c): the sets of those there are,
	 * and the chain that adds to them on the way to the target; or NULL. */
	const struct ir_set *flows[ADDR_FAMILIES];
	const char *remember;
	const struct ast_listener *let_go; /* that had no socket for them; or NULL */
};

/* What drops and rejects in a row of rules, in order: each an unnamed chain with the nft rules of
 * one rule. */
struct lower_row {
	enum ir_scope scope;
	const char *name; /* of the walk */
	struct ir_chain **cuts;
	size_t cut_count;
};

struct lower_value {
	size_t origin, way, member; /* from 1; 0: none */
	uint32_t value;
};

/* An uplink: connections that come in by a table's interfaces are answered by that table; those to
 * its `answers` alone, where it has any. */
struct lower_uplink {
	struct ast_table *table;
	const char **devs;
	size_t dev_count;
	struct lower_class *reply;
	const struct ir_set *gateways; /* the link addresses of its gateways, where it has any; or
					  NULL */
	bool by_gateway; /* another table answers what comes in by the interfaces else */
	bool partial;    /* its table has no default route: rules meet what comes in as anything */
};

/* An interface whose forwarded packets all go, in the end, by a way that refuses. */
struct lower_held {
	const char *dev;
	const struct lower_class *way;
};

/* A number that the author gave, with what it is for, or that was given out. */
struct lower_number {
	const char *name;
	uint32_t value, mask;
	struct span span;
};

struct lower_numbers {
	struct lower_number *items;
	size_t count;
};

/* The author's rules of one scope. */
struct lower_scope {
	struct lower_walk rules, host;
	struct lower_walk errors; /* the rules that keep no state, as ICMP errors meet them */
	const struct ast_then *otherwise;
	bool needed;
};

/* Interfaces that packets come in by; none: any. */
struct lower_ingress {
	const char **devs;
	size_t count;
};

struct lower {
	struct arena *arena;
	struct diag *diag;
	struct ast_policy *policy;
	struct ir *ir;
	struct lower_class **classes;
	size_t class_count;
	struct lower_numbers marks, tables; /* those that are given out, too */
	uint32_t reset_table; /* leads what no table has a route for back to this host: syn above */
	struct lower_held *held; /* what comes in there unmarked is refused: lower/unmarked.c */
	size_t held_count;
	uint32_t direct_mark; /* of what the rules leave alone there */
	uint32_t main_copy;   /* the table for main's specific IPv6 routes, if they are asked for */
	struct lower_uplink *uplinks; /* those with `answers` first: what comes in is the first's */
	size_t uplink_count;
	const struct ir_set *main_gateways; /* link addresses of the main table's gateways by those
					       interfaces; or NULL */
	const char **main_devs;
	size_t main_dev_count;
	struct ir_gateway *gateways;
	size_t gateway_count;
	const char **silent_devs; /* of tables that would be uplinks, and answer nothing */
	size_t silent_dev_count;
	struct ir_chain **chains;
	size_t chain_count;
	struct ir_set **sets;
	size_t set_count;
	struct lower_row **rows;
	size_t row_count;
	struct lower_way *ways;
	size_t way_count;
	struct lower_value *values;
	size_t value_count;
	bool keeps[2];          /* some rule of this scope (forward, local) could change its mind */
	bool owner_may_exit[2]; /* a process that is known may exit before its connections do: state
				   is kept from the first rule on */
	bool errors;            /* ICMP errors find their way without state */
	bool relates;           /* a rule about ports may part a connection from those it expects */
	bool notes;             /* so ways are noted in the marks of connections */
	struct span rule;       /* of the author's, that is being lowered */
	bool failed;
};

/* ---- lower/build.c ---- */

struct ir_chain *lower_chain(struct lower *lower, const char *name, const char *remark);
struct ir_chain *lower_base_chain(struct lower *lower, const char *name, enum ir_chain_type type,
				  enum ir_hook hook, int priority, const char *remark);
struct ir_chain *lower_find_chain(struct lower *lower, const char *name);
/* The rule stays in place until the next one is added to its chain. */
struct ir_rule *lower_rule(struct lower *lower, struct ir_chain *chain, struct span origin,
			   const char *remark);
/* A rule that stands for a guarantee and not for the author's words. */
struct ir_rule *lower_guarantee(struct lower *lower, struct ir_chain *chain, const char *remark);
void lower_match(struct lower *lower, struct ir_rule *rule, struct ir_match match);
void lower_do(struct lower *lower, struct ir_rule *rule, struct ir_statement statement);
void lower_op(struct lower *lower, struct ir_rule *rule, enum ir_op op);
void lower_goto(struct lower *lower, struct ir_rule *rule, const char *chain);
/* And comes back. */
void lower_jump(struct lower *lower, struct ir_rule *rule, const char *chain);
/* Ends a rule: goes to the chain, or accepts where there is none (NULL). */
void lower_end(struct lower *lower, struct ir_rule *rule, const char *chain);
/* The bits that allocated marks of packets, and the values of connections, may use. */
uint32_t lower_mark_mask(const struct lower *lower);
void lower_set_mark(struct lower *lower, struct ir_rule *rule, uint32_t value, uint32_t mask);
void lower_set_ct_mark(struct lower *lower, struct ir_rule *rule, uint32_t value, uint32_t mask);
/* "The packet carries this way's mark." */
void lower_match_class(struct lower *lower, struct ir_rule *rule, const struct lower_class *way);
/* tcp, udp or both, as a listener takes them. */
struct ir_match lower_listener_protocols(struct lower *lower, const struct ast_listener *listener);
/* A choice of chains by the policy's bits of the packet's mark, or (`on_ct`) the connection's:
 * empty, one more case, and as a rule of its own, unless it has none. */
struct ir_statement lower_new_dispatch(const struct lower *lower, bool on_ct);
void lower_add_case(struct lower *lower, struct ir_statement *dispatch, uint32_t value,
		    const char *chain);
void lower_dispatch(struct lower *lower, struct ir_chain *chain, struct ir_statement dispatch,
		    const char *remark);
/* The set under this name, or NULL. */
const struct ir_set *lower_find_set(const struct lower *lower, const char *base);
/* Its name in nft is its base. */
const struct ir_set *lower_add_set(struct lower *lower, struct ir_set set);
/* The set under this name, made if need be. */
const struct ir_set *lower_set(struct lower *lower, const char *base, enum ir_set_type type,
			       const struct interval_set *elements, struct span origin);
/* The chain that rejects as fits the protocol. */
const char *lower_refuse(struct lower *lower);
void lower_finish(struct lower *lower);

/* ---- lower/dynamic.c, lower/words.c, lower/name.c ---- */

/* The sets that are filled at run time, in both families, whether a rule asks for them or not. */
void lower_dynamic_sets(struct lower *lower);
/* The author's rules in words: before anything is named after them. */
void lower_words(struct lower *lower);
/* What an action is, in words. */
const char *lower_then_words(struct lower *lower, const struct ast_then *then);
/* Titles and ids of the rules. */
void lower_names(struct lower *lower);
/* The set of the windows that the rule's `time` stands for. */
const char *lower_time_name(struct lower *lower, const struct ast_rule *rule);

/* ---- lower/number.c ---- */

/* What the author gave, and the marks that rules ask for or set. Two that are the same are
 * errors. */
void lower_numbers(struct lower *lower);
/* A value within the policy's mask, or an id within its ids of tables, for a name with what it is
 * the name of before it ("proxy/work"). None left is an error. */
uint32_t lower_draw_mark(struct lower *lower, const char *name, struct span span);
uint32_t lower_draw_table(struct lower *lower, const char *name, struct span span);
/* Is there a mark left? For what a policy can go without: the last are for what it cannot. */
bool lower_has_mark(const struct lower *lower);
/* The same for so many ids of tables. */
bool lower_has_tables(const struct lower *lower, size_t count);
/* The nth value, from 1, that fits into the bits of a mask; 0 when there is none. */
uint32_t lower_mask_value(uint32_t mask, uint32_t n);
/* How many values but 0 the mask has room for. */
uint32_t lower_mask_room(uint32_t mask);

/* ---- lower/target.c ---- */

/* Those of listeners and tables, and what rules ask for beside them. */
void lower_targets(struct lower *lower);
/* Those that targets by tables have beside themselves. The uplinks are there. */
void lower_variants(struct lower *lower);
/* An id for the copy of the main table's specific routes, where one is asked for: last, so that it
 * takes none that another table would have drawn. */
void lower_main_copy(struct lower *lower);
/* One more, with a mark of its own unless the author gave one (NULL: none). */
struct lower_class *lower_add_class(struct lower *lower, enum ir_class_kind kind, const char *name,
				    const struct ast_mark *mark, struct span origin);
/* The same tables by another mark. `name` tells it from others of its kind. */
struct lower_class *lower_variant(struct lower *lower, const struct lower_class *way,
				  enum ir_class_kind kind, const char *name);
/* The way that an action chooses (proxy, route, mark). */
struct lower_class *lower_class_of(struct lower *lower, const struct ast_then *then);
/* The way by one table; NULL for `main`. */
struct lower_class *lower_table_class(struct lower *lower, const char *table);
/* That of a share: by the table, or to the listener. */
struct lower_class *lower_share_class(struct lower *lower, const struct ast_target *share);
/* Is the way used by packets of any family? */
bool lower_is_used(const struct lower_class *way);
/* Does the way lead out by tables, a listener's that has a `via` among them? */
bool lower_leads_out(const struct lower_class *way);
/* Interfaces by which the tables of a way leave; *complete is false when one of them names none. */
const char **lower_devs(struct lower *lower, const struct lower_class *way, size_t *count,
			bool *complete);
/* A table of blackholes and the like sends nothing out, so nothing that leaves has left by it. */
bool lower_leads_nowhere(struct lower *lower, const struct ast_table *table);
/* Does the main table's knowledge go before this one of the way's tables? */
bool lower_prefers_main(const struct lower_class *way, size_t table);

/* ---- lower/gateway.c, lower/uplink.c ---- */

/* Leads the table by the interface to gateways that no uplink before it leads to there? */
bool lower_has_new_gateways(const struct lower *lower, const struct ast_table *table,
			    const char *dev);
/* The sets that distinguish uplinks from others on their interfaces. */
void lower_gateways(struct lower *lower);
/* The uplinks by default routes. */
void lower_uplinks(struct lower *lower);
/* A table without a default route answers what comes in by the interfaces of its destinations, and
 * by no other table's. A policy can go without. */
void lower_partial_uplinks(struct lower *lower);
/* What came in by an uplink goes to the chain `target`. */
void lower_from_uplinks(struct lower *lower, struct ir_chain *chain, const char *target);

/* ---- lower/ingress.c ---- */

/* By which interfaces do the packets come that rules send this way? */
struct lower_ingress lower_ingress(struct lower *lower, const struct lower_class *way);
/* Is it a listener on a loopback address that takes what comes from outside? */
bool lower_takes_loopback(const struct lower_class *way);
/* The interfaces by which packets come that go to a listener on a loopback address. */
const char **lower_loopback_devs(struct lower *lower, size_t *count);

/* ---- lower/decide.c ---- */

/* Which rules could change their mind, and so which scopes need state. */
void lower_plan_state(struct lower *lower);
/* Could a later packet of a connection be answered otherwise than the first? */
bool lower_changes(const struct lower *lower, const struct ast_rule *rule);

/* ---- lower/connmark.c ---- */

/* The first value from `start`, a hash, that neither a connection's mark nor a way's note has; 0:
 * none is left. */
uint32_t lower_free_value(const struct lower *lower, uint32_t start);
/* The value of a connection's mark that says: came by this uplink (0: none), goes this way (0:
 * undecided). */
uint32_t lower_value(struct lower *lower, size_t origin, size_t way);
/* The one that it has already; 0: none. `member`: of the list that the way is by, from 1; 0: not
 * known yet. */
uint32_t lower_value_of(const struct lower *lower, size_t origin, size_t way, size_t member);
/* Adds the value for the connections that a member has taken; nothing where none is left. `start`:
 * a hash. */
void lower_add_member_value(struct lower *lower, size_t way, size_t member, uint32_t start);
/* The chain of the replies to those below. */
extern const char lower_spoofed[];
/* The value of connections that a program on this host opened with a foreign source, to this host.
 */
uint32_t lower_spoofed_value(struct lower *lower);
/* What drops and rejects in the block, by its name. */
struct lower_row *lower_prefilter(struct lower *lower, const struct lower_walk *walk);
/* The number of the way, from 1. */
size_t lower_way(struct lower *lower, const struct lower_walk *walk, const char *target);
/* What chains are called that have to do with it. */
const char *lower_way_name(struct lower *lower, size_t way);
/* Writes into the connection's mark by which uplink the packet came in, if by any, beside the way
 * (0: none yet). */
void lower_origin(struct lower *lower, struct ir_chain *chain, size_t way);
/* Writes the value of a way into the connection's mark, for each uplink it may have come by. */
void lower_keep(struct lower *lower, struct ir_chain *chain, const struct lower_walk *walk,
		size_t way);

/* ---- lower/route.c ---- */

/* Families in which a table has a way out at all: those its uplink answers in. */
void lower_reply_families(struct lower *lower);
/* Does the table have any route of the family? */
bool lower_has_family(struct lower *lower, const struct ast_table *table, enum addr_family family);
/* Those of all tables. */
void lower_routes(struct lower *lower);

/* ---- lower/ip_rule.c, lower/bound.c ---- */

/* Those of all targets. The priority after those that were given out. */
uint32_t lower_ip_rules(struct lower *lower);
/* The last priority before the main table's rule, 32766. */
enum { LOWER_PRIORITY_MOST = 32765 };
/* The first of `count` priorities, from `first` on, that nothing given or known stands in. */
uint32_t lower_free_block(struct lower *lower, uint32_t first, size_t count);
/* ip rules for sockets that are bound to an interface, from the priority `next` on; the priority
 * after them. */
uint32_t lower_bound_rules(struct lower *lower, uint32_t next);
/* From the priority `next` on; left out where there is no room. */
void lower_refuse_unmarked(struct lower *lower, uint32_t next);
/* By their priorities. Given ones may run into each other; what is given out never does. */
void lower_sort_ip_rules(struct lower *lower);

/* ---- lower/unmarked.c ---- */

/* Finds the interfaces whose unmarked packets are to be refused, and draws the mark of the others
 * there. */
void lower_find_unmarked(struct lower *lower);
/* The chain that marks what the rules leave alone on interfaces where unmarked packets are refused.
 */
void lower_mark_unmarked(struct lower *lower);
/* The mark above as a class of the ir. */
void lower_describe_unmarked(struct lower *lower);

/* ---- lower/host.c, lower/ended.c ---- */

/* Destinations that rules leave alone go to `host`, where the rules that name them are; NULL
 * accepts. */
void lower_leave_host(struct lower *lower, struct ir_chain *chain, const char *host);
void lower_leave_ipv6(struct lower *lower, struct ir_chain *chain);
void lower_leave_discovery(struct lower *lower, struct ir_chain *chain);
void lower_leave_loopback(struct lower *lower, struct ir_chain *chain);
/* Where a listener waits on a loopback address the kernel lets such addresses in by the interface
 * (route_localnet): what asks for them by itself is dropped. */
void lower_guard_loopback(struct lower *lower, struct ir_chain *chain);
/* Answers of connections that an apply deletes open none the other way round. */
void lower_ended(struct lower *lower, struct ir_chain *chain);

/* ---- lower/related.c ---- */

/* May a rule part a connection from those that a helper of the kernel's expects of it? */
void lower_plan_related(struct lower *lower);
/* At the head of a way's chain: what is expected goes where its master goes. */
void lower_follow(struct lower *lower, struct ir_chain *chain);
/* The same, and the connection notes the way for those. */
void lower_note_way(struct lower *lower, struct ir_chain *chain, struct lower_class *way);
/* What is expected and comes in by an uplink has the master's mark, and is answered by that uplink:
 * `uplinks` is the chain that notes it. */
void lower_relate_inbound(struct lower *lower, struct ir_chain *chain, const char *uplinks);
/* The chains that all of that goes to, once each way has its chain. */
void lower_related(struct lower *lower);

/* ---- lower/sticky.c ---- */

/* The members of the lists that rules send to, as far as something tells them and there is a mark
 * left for each. A `sticky` that can do nothing is a warning. */
void lower_members(struct lower *lower);
/* Values for connections that a member has taken, of those that are left. */
void lower_plan_sticky(struct lower *lower);
/* In the chain of the list's way: to the member that took the connection. */
void lower_follow_member(struct lower *lower, struct ir_chain *chain,
			 const struct lower_class *way);
/* Ways by one member have the packets of their list's. */
void lower_use_members(struct lower *lower);
/* The chains that write down by which member a connection leaves. */
void lower_sticky(struct lower *lower);

/* ---- lower/flow.c ---- */

/* Connections that keep the way (its number) are remembered where the kernel may forget them. */
void lower_remember(struct lower *lower, size_t way, const struct lower_class *class);
/* Connections of the scope that the kernel has forgotten go on as they went. */
void lower_recall(struct lower *lower, struct ir_chain *chain, enum ir_scope scope);

/* ---- lower/decide.c ---- */

/*
 * A chain that keeps the way to `target` (NULL: the main table) for the connection, and hands its
 * first packet to `first`, which is the target itself unless a listener is to be tried (NULL:
 * accepts). `class`: what the target stands for (NULL: the main table).
 */
const char *lower_decide(struct lower *lower, const struct lower_walk *walk,
			 const struct lower_class *class, const char *target, const char *first);
/* Where packets of connections that have decided leave the base chain: its cases come last, so it
 * is filled here. */
void lower_fill_keep(struct lower *lower, struct ir_chain *chain, enum ir_scope scope);
/* Replies of connections that came in by an uplink, or from a foreign source on this host. */
void lower_fill_replies(struct lower *lower, struct ir_chain *chain);

/* ---- lower/target_chain.c ---- */

/* The chains that send a packet each way. */
void lower_way_chains(struct lower *lower);
/* A chain that tries a listener with `on_failure: direct` for a first packet, and lets it go where
 * none waits. */
const char *lower_try(struct lower *lower, const struct lower_walk *walk,
		      const struct lower_class *way);

/* ---- lower/act.c, lower/rule.c ---- */

/* What the author's rule does, at the end of an ir rule. */
void lower_act(struct lower *lower, struct lower_walk *walk, const struct ast_rule *rule,
	       struct ir_rule *out);
/* Notes that packets of the family are sent where the rule says. */
void lower_note_use(struct lower *lower, const struct lower_walk *walk, const struct ast_rule *rule,
		    enum addr_family family);
/* The key of conditions that are no words of the rule: it takes nothing that its listener sends. */
extern const char lower_runs_as[];
/* The author's rule at the end of the walk. */
void lower_author_rule(struct lower *lower, struct lower_walk *walk, const struct ast_rule *rule);

/* ---- lower/block.c ---- */

/* A row of rules of the scope, without a chain yet. */
struct lower_walk lower_new_walk(struct lower *lower, enum ir_scope scope, const char *name);
/* The author's rule at the end of the walk, and among what cuts kept connections if it drops. */
void lower_walk_rule(struct lower *lower, struct lower_walk *walk, const struct ast_rule *rule);
/* A default as a rule without conditions. */
struct ast_rule lower_default_rule(struct lower *lower, const struct ast_then *then,
				   enum ir_scope scope);

/* ---- lower/loop.c ---- */

/* Does any listener that is used have traffic of its own that can be told? */
bool lower_has_own(const struct lower *lower);
void lower_own_chains(struct lower *lower);
/* Sends what the listeners themselves send to those chains. */
void lower_leave_own(struct lower *lower, struct ir_chain *chain);
/* What a proxy on another host sends itself is known by its source port. */
void lower_leave_remote(struct lower *lower, struct ir_chain *chain);
/* Refuses connections straight to tproxy listeners. */
void lower_refuse_loops(struct lower *lower, struct ir_chain *chain);
/* Is there a redirect listener that only what was redirected may reach? */
bool lower_has_guarded(const struct lower *lower);
/* Refuses the others. */
void lower_refuse_unredirected(struct lower *lower, struct ir_chain *chain);

/* ---- lower/spoof.c ---- */

/* The first listener that spoofs its clients, whether a rule hands it anything or not: the clients
 * may come to it by themselves. NULL: none. */
const struct lower_class *lower_spoofing(const struct lower *lower);
void lower_take_spoofed(struct lower *lower, struct ir_chain *chain);
void lower_note_spoofing(struct lower *lower, struct ir_chain *chain);
/* Such listeners take the families of their addresses. */
void lower_use_spoofing(struct lower *lower);

/* ---- lower/scope.c, lower/hook.c ---- */

/* Lowers the rules of the scope, and puts them at the end of a base chain. */
struct lower_scope lower_scope(struct lower *lower, enum ir_scope scope);
void lower_put_scope(struct lower *lower, struct ir_chain *chain, const struct lower_scope *scope);
/* The author's rules and the guarantees around them: prerouting, output, and what they go to. */
void lower_hooks(struct lower *lower);

/* ---- lower/nat.c, lower/sysctl.c, lower/lock.c, lower/source.c ---- */

/* Address translation by mark: redirect and dnat listeners, masquerade and snat. */
void lower_translation(struct lower *lower);
/* Once it is known which ways are used: what is translated after its mark. */
void lower_translated(struct lower *lower);
/* Only what leaves by the table's interfaces; false where it may leave by any. */
bool lower_match_devs(struct lower *lower, struct ir_rule *rule, const struct ast_table *table);
/* What stands behind the marks: packets that were not translated, strict tables, sizes of segments,
 * listeners that are gone. */
void lower_locks(struct lower *lower);
/* What is about to be forwarded. */
struct ir_chain *lower_forward_chain(struct lower *lower);
/* What may not leave with the source address that it has. */
void lower_sources(struct lower *lower);
/* Kernel settings, once it is known which ways are used. */
void lower_sysctls(struct lower *lower);
/* The interfaces that IPv6 packets may be sent out by which came in by them, and whose neighbours
 * the kernel would tell so. */
const char **lower_quiet_devs(struct lower *lower, size_t *count);

/* ---- lower/describe.c ---- */

/* What the ir says of the policy beside the kernel's objects. */
void lower_describe(struct lower *lower);

/* ---- lower/lower.c ---- */

/* The whole of it. NULL when there was an error. */
struct ir *lower_policy(struct arena *arena, struct diag *diag, struct ast_policy *policy);

#endif
