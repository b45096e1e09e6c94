/*
 * lower/lower: from a checked policy to the ir. The files share one struct lower. They are
 * listed below in their order: each calls only files above it, and lower/lower.c calls the phases
 * one after the other. A target is what the documents call a way.
 */
#ifndef TPC_LANG_LOWER_LOWER_H
#define TPC_LANG_LOWER_LOWER_H

#include "lang/ast/ast.h"

struct arena;
struct diag;

/* What rules can send packets to: a listener, tables, a mark. Its mark is in the packets. */
struct lower_target {
	enum ir_class_kind kind;
	const char *name;  /* of the listener, the table, the tables joined by '.', or the mark */
	const char *chain; /* sets the mark, and hands to the proxy: for what arrives */
	const char *local_chain; /* the same for what this host sends */
	uint32_t mark, mask;
	uint32_t ct_value; /* in the mark of its connections, for related ones; 0: none */
	uint32_t ct_mask;  /* these bits are the connection's, too, and its replies'; 0: none */
	bool families[ADDR_FAMILIES]; /* packets of this family are sent there */
	bool forward, local;          /* traffic of this scope is */
	bool tcp, udp;                /* rules send it packets of these protocols */
	/*
	 * By the same tables, for what came in by an uplink and meets a rule that names no
	 * interface, and for what a foreign rule has translated since: destinations with a
	 * specific route of main are delivered there, and not sent back out.
	 */
	struct lower_target *inbound;
	const char *open_chain; /* chooses between the two by uplink; or NULL */
	bool opened;            /* some rule sends there */
	/*
	 * By the same tables, which refuse, for what begins this host's own TCP connections: where
	 * an ip rule refuses, the TCP socket gets no error and retries for minutes. These packets
	 * come in again by `lo` instead, and are reset there.
	 */
	struct lower_target *syn;
	/* A list of tables, whose connections stay on the member that took them: lower/sticky.c. */
	enum ast_sticky sticky;
	struct lower_member *members; /* those that an interface distinguishes */
	size_t member_count;
	bool stateless; /* rules send each packet of a connection there, and save no decision */
	struct ast_listener *listener;
	struct ast_table **tables; /* in the order they are tried */
	size_t table_count;
	int fallback;      /* enum ast_fallback: after the last table */
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
	struct lower_target *target; /* tries it before the others: the list's own for the first */
	uint32_t ct_value; /* in the mark of connections that have no other value; 0: none */
};

/* A block of the author's rules, and how many of them drop or reject so far: see lower/decide.c. */
struct lower_block {
	enum ir_scope scope;
	const char *name;
	struct ir_chain *chain;
	bool specials;    /* packets to this host, broadcast, multicast, link-local */
	bool errors;      /* ICMP errors about connections that keep no state */
	bool needs_state; /* a later packet may match otherwise: drops and rejects are filters */
	bool stateful;    /* from here on the first packet decides for its connection */
	bool asks_state;  /* the rule asks for `state`: expected connections go as it says */
	size_t filters;   /* of its prefilter */
};

/* What the rules of a block drop and reject, in order: connections that are decided meet this
 * instead of the rules. Each filter is an unnamed chain with the nft rules of one rule. */
struct lower_prefilter {
	enum ir_scope scope;
	const char *name; /* of the block */
	struct ir_chain **filters;
	size_t filter_count;
};

/* What the first packet decides for its connection: where it goes, and what drops and rejects it
 * before. */
struct lower_decision {
	enum ir_scope scope;
	const struct lower_target *target; /* that the chain ends in, if that may be sticky */
	const char *chain;                 /* NULL: the main table */
	struct lower_prefilter *prefilter; /* NULL where nothing above it drops */
	size_t filters;                    /* so many of the prefilter's */
	/* Where the kernel may forget such connections (lower/flow.c): the sets of those there are,
	 * and the chain that adds to them before it goes to `chain`; or NULL. */
	const struct ir_set *flows[ADDR_FAMILIES];
	const char *remember;
	const struct ast_listener *failed_open; /* that had no socket for them; or NULL */
};

/* A value of our bits in a connection's mark, and what it stands for. */
struct lower_connmark {
	size_t uplink, decision, member; /* from 1; 0: none */
	uint32_t value;
};

/* An uplink: connections that come in by a table's interfaces are answered by that table; those to
 * its `answers` alone, where it has any. */
struct lower_uplink {
	struct ast_table *table;
	const char **devs;
	size_t dev_count;
	struct lower_target *reply;
	const struct ir_set *gateways; /* the link addresses of its gateways, where it has any; or
					  NULL */
	bool by_gateway; /* another table answers the other gateways on these interfaces */
	bool partial;    /* its table has no default route: rules meet what comes in as anything */
};

/* An interface whose forwarded packets all go, in the end, to a target that refuses: what comes in
 * there without a mark is refused (lower/unmarked.c). */
struct lower_unmarked {
	const char *dev;
	const struct lower_target *target;
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

/* The author's rules of one scope, which the base chain of its hook has after its head. */
struct lower_body {
	struct lower_block rules, host;
	struct lower_block errors; /* the rules that keep no state, as ICMP errors meet them */
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
	struct lower_target **targets;
	size_t target_count;
	struct lower_numbers marks, tables; /* those that are given out, too */
	uint32_t reset_table; /* leads what no table has a route for back to this host: syn above */
	struct lower_unmarked *unmarked;
	size_t unmarked_count;
	uint32_t direct_mark; /* of direct packets on the interfaces in `unmarked` */
	uint32_t main_copy;   /* the table for main's specific IPv6 routes, if they are asked for */
	struct lower_uplink *uplinks; /* those with `answers` first: what comes in is the first's */
	size_t uplink_count;
	const struct ir_set *main_gateways; /* link addresses of the main table's gateways by those
					       interfaces; or NULL */
	const char **main_devs;
	size_t main_dev_count;
	struct ir_fill *fills;
	size_t fill_count;
	const char **silent_devs; /* of tables that would be uplinks, and answer nothing */
	size_t silent_dev_count;
	struct ir_chain **chains;
	size_t chain_count;
	struct ir_set **sets;
	size_t set_count;
	struct lower_prefilter **prefilters;
	size_t prefilter_count;
	struct lower_decision *decisions;
	size_t decision_count;
	struct lower_connmark *connmarks;
	size_t connmark_count;
	bool needs_state[2];    /* a rule of this scope (forward, local) may match later packets
				   otherwise */
	bool owner_may_exit[2]; /* a process that is known may exit before its connections do: state
				   is kept from the first rule on */
	bool errors;            /* ICMP errors go where their connection goes, without state */
	bool relates;           /* a rule about ports may part a connection from those it expects */
	bool saves_targets;     /* so some targets have a value in the marks of connections */
	struct span rule;       /* of the author's, that is being lowered */
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
/* At the end of the chain. */
void lower_copy_rules(struct lower *lower, struct ir_chain *chain, const struct ir_chain *from);
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
/* In the policy's bits. */
void lower_set_connmark(struct lower *lower, struct ir_rule *rule, uint32_t value);
/* A guarantee for the packets that carry the target's mark. */
struct ir_rule *lower_target_rule(struct lower *lower, struct ir_chain *chain,
				  const struct lower_target *target, const char *remark);
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
/* What a set that has a name (`set` NULL: a built-in one) is called in nft, of the family. */
const char *lower_set_base(struct lower *lower, const char *name, const struct ast_set *set,
			   enum addr_family family);
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

/* Makes the targets of listeners, tables and marks. */
void lower_targets(struct lower *lower);
/* The variants of targets by tables. The uplinks are there. */
void lower_variants(struct lower *lower);
/* An id for the copy of the main table's specific routes, where one is asked for: last, so that it
 * takes none that another table would have drawn. */
void lower_main_copy(struct lower *lower);
/* One more, with a mark of its own unless the author gave one (NULL: none). */
struct lower_target *lower_add_target(struct lower *lower, enum ir_class_kind kind,
				      const char *name, const struct ast_mark *mark,
				      struct span origin);
/* The same tables by another mark. `name` tells it from others of its kind. */
struct lower_target *lower_variant(struct lower *lower, const struct lower_target *target,
				   enum ir_class_kind kind, const char *name);
/* The target that an action chooses (proxy, route, mark). */
struct lower_target *lower_target_of(struct lower *lower, const struct ast_then *then);
/* The target that is one table; NULL for `main`. */
struct lower_target *lower_table_target(struct lower *lower, const char *table);
/* That of a share: the table or the listener. */
struct lower_target *lower_share_target(struct lower *lower, const struct ast_target *share);
/* Do packets of any family go there? */
bool lower_is_used(const struct lower_target *target);
/* Does it lead out by tables, as a listener with a `via` does? */
bool lower_leads_out(const struct lower_target *target);
/* Interfaces by which its tables leave; *complete is false when one of them names none. */
const char **lower_devs(struct lower *lower, const struct lower_target *target, size_t *count,
			bool *complete);
/* A table of blackholes and the like sends nothing out, so nothing that leaves has left by it. */
bool lower_leads_nowhere(struct lower *lower, const struct ast_table *table);
/* Do the main table's specific routes go before this one of its tables? */
bool lower_prefers_main(const struct lower_target *target, size_t table);

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
/* What came in by an uplink goes to the chain `to`. */
void lower_from_uplinks(struct lower *lower, struct ir_chain *chain, const char *to);

/* ---- lower/ingress.c ---- */

/* By which interfaces do the packets come that rules send there? */
struct lower_ingress lower_ingress(struct lower *lower, const struct lower_target *target);
/* Is it a listener on a loopback address that takes what comes from outside? */
bool lower_takes_loopback(const struct lower_target *target);
/* The interfaces by which packets come that go to a listener on a loopback address. */
struct lower_ingress lower_loopback_ingress(struct lower *lower);

/* ---- lower/state.c ---- */

/* Which scopes need state. Not for drops and rejects: they are asked of every packet anyway. */
void lower_plan_state(struct lower *lower);
/* May the rule send a later packet of a connection elsewhere than the first? */
bool lower_changes(const struct lower *lower, const struct ast_rule *rule);

/* ---- lower/connmark.c ---- */

/* The first value from `start`, a hash, that nothing has; 0: none is left. */
uint32_t lower_free_connmark(const struct lower *lower, uint32_t start);
/* The value that says: came in by this uplink (0: none), and this was decided (0: nothing yet). */
uint32_t lower_connmark(struct lower *lower, size_t uplink, size_t decision);
/* The one that there is already; 0: none. `member`: of the target's list, from 1; 0: not known. */
uint32_t lower_find_connmark(const struct lower *lower, size_t uplink, size_t decision,
			     size_t member);
/* Adds the value for the connections that a member has taken; nothing where none is left. `start`:
 * a hash. */
void lower_add_member_connmark(struct lower *lower, size_t decision, size_t member, uint32_t start);
/* The chain of the replies to those below. */
extern const char lower_spoofed[];
/* The value of connections that a program on this host opened with a foreign source, to this host.
 */
uint32_t lower_spoofed_connmark(struct lower *lower);
/* That of the block, made if need be. */
struct lower_prefilter *lower_prefilter(struct lower *lower, const struct lower_block *block);
/* The number, from 1, of the decision to go to the chain (NULL: the main table) from here on in the
 * block. */
size_t lower_decision(struct lower *lower, const struct lower_block *block, const char *chain);
/* That of the nth connmark, from 0, or NULL. */
const struct lower_decision *lower_decided(const struct lower *lower, size_t connmark);
/* What its chains are called after. */
const char *lower_decision_name(struct lower *lower, size_t decision);
/* Writes into the connection's mark by which uplink the packet came in, if by any, with the
 * decision (0: none yet). */
void lower_save_uplink(struct lower *lower, struct ir_chain *chain, size_t decision);
/* Writes the decision into the connection's mark, for each uplink it may have come in by. */
void lower_save_decision(struct lower *lower, struct ir_chain *chain,
			 const struct lower_block *block, size_t decision);

/* ---- lower/route.c ---- */

/* The families that uplinks answer in: those that their tables have routes of. */
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
/* Replies of connections that an apply deletes open none in the other direction. */
void lower_ended(struct lower *lower, struct ir_chain *chain);

/* ---- lower/related.c ---- */

/* May a rule part a connection from those that a helper of the kernel's expects of it? */
void lower_plan_related(struct lower *lower);
/* At the head of a target's chain: what is expected goes where its master goes. */
void lower_follow(struct lower *lower, struct ir_chain *chain);
/* The same, and the target is saved in the connection's mark for those. */
void lower_save_target(struct lower *lower, struct ir_chain *chain, struct lower_target *target);
/* What is expected and comes in by an uplink has the master's mark, and is answered by that uplink:
 * `uplinks` is the chain that saves it. */
void lower_relate_inbound(struct lower *lower, struct ir_chain *chain, const char *uplinks);
/* The chains that all of that goes to, once each target has its chain. */
void lower_related(struct lower *lower);

/* ---- lower/sticky.c ---- */

/* The members of the lists that rules send to, as far as something distinguishes them and there
 * is a mark left for each. A `sticky` that can do nothing is a warning. */
void lower_members(struct lower *lower);
/* Values for connections that a member has taken, of those that are left. */
void lower_plan_sticky(struct lower *lower);
/* In the chain of the list: to the member that took the connection. */
void lower_follow_member(struct lower *lower, struct ir_chain *chain,
			 const struct lower_target *target);
/* Targets by one member have the packets of their list. */
void lower_use_members(struct lower *lower);
/* The chains that write down by which member a connection leaves. */
void lower_sticky(struct lower *lower);

/* ---- lower/flow.c ---- */

/* Connections with the decision are remembered where the kernel may forget them. */
void lower_remember(struct lower *lower, size_t decision, const struct lower_target *target);
/* Connections of the scope that the kernel has forgotten go on as they went. */
void lower_recall(struct lower *lower, struct ir_chain *chain, enum ir_scope scope);

/* ---- lower/decide.c ---- */

/*
 * A chain that saves the decision to go to the chain `to` (NULL: the main table) for the
 * connection, and hands its first packet to `first`, which is the same unless a listener is tried
 * before (NULL: accepts). `target`: what that chain stands for (NULL: the main table).
 */
const char *lower_decide(struct lower *lower, const struct lower_block *block,
			 const struct lower_target *target, const char *to, const char *first);
/* Where packets of decided connections leave the base chain: its cases come last, so it
 * is filled here. */
void lower_restore(struct lower *lower, struct ir_chain *chain, enum ir_scope scope);
/* Replies of connections that came in by an uplink, or from a foreign source on this host. */
void lower_restore_uplinks(struct lower *lower, struct ir_chain *chain);

/* ---- lower/target_chain.c ---- */

/* The chains that send a packet to each target. */
void lower_target_chains(struct lower *lower);
/* A chain that tries a listener with `on_failure: direct` for a first packet, and fails open where
 * it has no socket. */
const char *lower_try(struct lower *lower, const struct lower_block *block,
		      const struct lower_target *target);

/* ---- lower/act.c, lower/rule.c ---- */

/* What the author's rule does, at the end of an ir rule. */
void lower_act(struct lower *lower, struct lower_block *block, const struct ast_rule *rule,
	       struct ir_rule *out);
/* Notes that packets of the family are sent where the rule says. */
void lower_note_use(struct lower *lower, const struct lower_block *block,
		    const struct ast_rule *rule, enum addr_family family);
/* The key of conditions that are no words of the rule: it takes nothing that its listener sends. */
extern const char lower_runs_as[];
/* The author's rule at the end of the block. */
void lower_author_rule(struct lower *lower, struct lower_block *block, const struct ast_rule *rule);

/* ---- lower/block.c ---- */

/* Without a chain yet. */
struct lower_block lower_new_block(struct lower *lower, enum ir_scope scope, const char *name);
/* The same, and a filter for decided connections if it drops. */
void lower_block_rule(struct lower *lower, struct lower_block *block, const struct ast_rule *rule);
/* A default as a rule without conditions. */
struct ast_rule lower_default_rule(struct lower *lower, const struct ast_then *then,
				   enum ir_scope scope);

/* ---- lower/loop.c ---- */

/* Does any listener that is used have traffic of its own that can be distinguished? */
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
const struct lower_target *lower_spoofing(const struct lower *lower);
void lower_take_spoofed(struct lower *lower, struct ir_chain *chain);
void lower_note_spoofing(struct lower *lower, struct ir_chain *chain);
/* Such listeners take the families of their addresses. */
void lower_use_spoofing(struct lower *lower);

/* ---- lower/body.c, lower/hook.c ---- */

/* Lowers the rules of the scope, and puts them at the end of a base chain. */
struct lower_body lower_body(struct lower *lower, enum ir_scope scope);
void lower_put_body(struct lower *lower, struct ir_chain *chain, const struct lower_body *body);
/* The author's rules and the guarantees around them: prerouting, output, and what they go to. */
void lower_hooks(struct lower *lower);

/* ---- lower/nat.c, lower/sysctl.c, lower/lock.c, lower/source.c ---- */

/* Address translation by mark: redirect and dnat listeners, masquerade and snat. */
void lower_translation(struct lower *lower);
/* Once it is known which targets are used: what is translated after its mark. */
void lower_translated(struct lower *lower);
/* Only what leaves by the table's interfaces; false where it may leave by any. */
bool lower_match_devs(struct lower *lower, struct ir_rule *rule, const struct ast_table *table);
/* What is checked after the marks: packets that were not translated, strict tables, sizes of
 * segments, listeners that are gone. */
void lower_locks(struct lower *lower);
/* What is about to be forwarded. */
struct ir_chain *lower_forward_chain(struct lower *lower);
/* What may not leave with the source address that it has. */
void lower_sources(struct lower *lower);
/* Kernel settings, once it is known which targets are used. */
void lower_sysctls(struct lower *lower);
/* The interfaces that IPv6 packets may be sent out by which came in by them: the kernel would send
 * redirects there. */
struct lower_ingress lower_quiet_devs(struct lower *lower);

/* ---- lower/describe.c ---- */

/* What the ir says of the policy besides the kernel's objects. */
void lower_describe(struct lower *lower);

/* ---- lower/lower.c ---- */

/* The whole of it. NULL when there was an error. */
struct ir *lower_policy(struct arena *arena, struct diag *diag, struct ast_policy *policy);

#endif
