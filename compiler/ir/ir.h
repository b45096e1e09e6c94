/*
 * ir: what a policy asks of the kernel: sets, chains, nft rules, ip rules, routes and sysctls, each
 * with the place in the policy it came from. The text back ends print it, the live engine makes the
 * kernel equal to it, the evaluator runs packets through it.
 *
 * Always true of a finished ir (ir_verify): every name that is referred to exists; sets are
 * canonical; base chains carry a hook; ip rules are in the order of their priorities; nothing
 * depends on time, locale or machine. All memory is the arena's.
 */
#ifndef TPC_IR_IR_H
#define TPC_IR_IR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "addr/addr.h"
#include "base/source.h"
#include "ir/authored.h"
#include "ir/host.h"
#include "ir/packet.h"

struct buf;

/* ---- sets ---- */

/*
 * Elements are addresses, ports, or moments: seconds since 1970-01-01 00:00 of the local time of
 * whatever host will load them. Before the live engine does that, it makes them what the kernel
 * compares, nanoseconds of UTC. Or link addresses, which only the host knows. Or flows: two
 * addresses, a protocol, two ports; the rules themselves add those, so none are here.
 */
enum ir_set_type {
	IR_SET_IPV4,
	IR_SET_IPV6,
	IR_SET_PORT,
	IR_SET_TIME,
	IR_SET_LINK,
	IR_SET_FLOW_IPV4,
	IR_SET_FLOW_IPV6
};

enum ir_target_verdict { TARGET_ACCEPT, TARGET_DROP, TARGET_GOTO, TARGET_JUMP };

/* What an element of a verdict map leads to. */
struct ir_target {
	enum ir_target_verdict verdict;
	const char *chain; /* of the last two */
};

struct ir_set {
	/* "foreign_v4", "rule3.to_v6", "rule2.port": its name in nft, but where an apply replaces
	 * a set without a gap (host/diff.h). NULL: the map of one rule alone. */
	const char *base;
	enum ir_set_type type;
	struct interval_set elements; /* of a dynamic set: what it begins with */
	/* Names the elements, and, of a map, where they lead: ir_set_digest's of seed 0, kept by
	 * ir_digest, since a long set takes its time. 0: not known. */
	uint64_t contents;
	struct span origin;
	/*
	 * Filled at run time: its name in nft is the base for ever, since others write to it, and
	 * whatever it holds stays there. One with a dot in its base is ours to write to: the host
	 * knows what it holds (struct ir_fill), or the rules do.
	 */
	bool dynamic;
	uint32_t timeout; /* seconds until an element goes that is added without a time of its own;
			     0: never */
	uint32_t size;    /* the most elements; 0: any number */
	const char *const *domains; /* names whose addresses a resolver adds, sorted, each once */
	size_t domain_count;
	/*
	 * A verdict map, where there are targets: its elements are sorted and disjoint, but
	 * neighbours that lead elsewhere stay two.
	 */
	const struct ir_target *targets;
	size_t target_count;
	const uint32_t *leads; /* the number of each element's target */
};

/* ---- matches ---- */

struct ir_match;

/*
 * A field of the packet that matches of a kind look up, so that several rules which ask for it can
 * become one verdict map. Two matches are about the same field when ir_match_same_key says so.
 */
struct ir_key {
	/* Of a map by the field that this match looks up. NULL: such a map has single values, and
	 * is the rule's own. */
	enum ir_set_type (*type)(const struct ir_match *match);
	/* One of those single values as nft writes it. */
	void (*put)(struct buf *out, struct wide value);
	/* The values that the match holds for; `out` may be NULL, to ask only. False where they are
	 * no set of values of the field. */
	bool (*members)(struct arena *arena, const struct ir_match *match,
			struct interval_set *out);
	/* The field as nft words. */
	void (*print)(const struct ir_match *match, struct buf *out);
	/* What the packet has there. False: not known, or nothing. */
	bool (*value)(const struct ir_match *match, const struct ir_packet *packet,
		      struct wide *out);
	/* What the match asks beside the value, as another match. False where that is all. NULL:
	 * it always is. */
	bool (*rest)(struct arena *arena, const struct ir_match *match, struct ir_match *out);
};

/* What a kind of match can do once it is in the ir; the kinds live in match/. */
struct ir_match_ops {
	const char *name;
	/* The match as nft words, without spaces around it: up to the set's name, if any. */
	void (*print)(const struct ir_match *match, struct buf *out);
	bool (*holds)(const struct ir_match *match, const struct ir_packet *packet);
	bool by_family;           /* holds only for packets of match->family */
	const struct ir_key *key; /* NULL: not to be looked up */
	bool each_packet;         /* asks what packets of one connection may differ in */
};

/* Bytes after the TCP or UDP header: those at the offset, under the mask, equal the value. */
struct ir_bytes {
	unsigned int offset, length; /* in bytes, length at most IR_BYTES_MOST */
	const unsigned char *value, *mask;
};

/* A register of nft compares so many at once. */
enum { IR_BYTES_MOST = 16 };

/* What the kernel keeps by its number and not by its name, so that the host has to have it when the
 * policy is loaded. */
enum ir_hosted_kind { IR_HOSTED_NONE, IR_HOSTED_USER, IR_HOSTED_GROUP, IR_HOSTED_CGROUP };

struct ir_match {
	const struct ir_match_ops *ops;
	bool negated;
	enum ir_hosted_kind hosted; /* the match asks for the last of `names` */
	enum addr_family family;    /* where the match is about addresses */
	const struct ir_set *set;   /* membership, or NULL for the values below */
	struct interval_set values; /* numbers: one, or a list of single ones; ranges only alone */
	const char *const *names;   /* interfaces (a trailing '*' is a pattern and stands alone),
				       users, groups, paths */
	size_t name_count;
	uint32_t mask;         /* marks */
	struct wide bits;      /* address bit masks */
	unsigned int selector; /* which field, in the kind's own numbering (source or destination,
				  in or out) */
	bool tracked; /* asks what the packet's connection began with, and not the packet: for ICMP
			 errors */
	const struct ir_bytes *bytes;
	struct span origin; /* the author's condition; no source where the match stands for none */
	const char *key;    /* of that condition: "to" */
	const char *unless; /* negated, and of no condition: what the packet may not be, in words;
			       one that does not say is not */
};

/* ---- nft rules ---- */

enum ir_reject {
	REJECT_DEFAULT,
	REJECT_TCP_RESET,
	REJECT_PORT_UNREACHABLE,
	REJECT_ADMIN_PROHIBITED,
	REJECT_NO_ROUTE
};

enum ir_op {
	IR_SET_MARK,    /* value, mask: meta mark = meta mark & ~mask | value */
	IR_SET_CT_MARK, /* value, mask */
	IR_TPROXY,      /* addr, port */
	IR_REDIRECT,    /* port; 0: none, of a protocol without */
	IR_DNAT,        /* addr, port; or addr, length */
	IR_PIN, /* addr's family: its own destination, so that nothing translates it later */
	IR_MASQUERADE,
	IR_SNAT,      /* addr; or, with a length, that prefix in place of as many bits */
	IR_CLAMP_MSS, /* value: bytes, 0 for the route's MTU */
	IR_COUNT,     /* name: a named counter */
	IR_LOG,       /* name: the prefix */
	IR_ACCEPT,
	IR_DROP,
	IR_REJECT, /* reject */
	IR_GOTO,   /* chain */
	IR_JUMP,   /* chain */
	IR_RETURN,
	IR_DISPATCH, /* on_ct, mask, cases: a verdict map over the packet's or the connection's mark
		      */
	IR_OVER,     /* value, name: goes on with the rule only for what exceeds `value` packets a
			`name` (second, minute, hour, day) */
	IR_LOOKUP,   /* key, map: what the packet's value of the field leads to, if anything */
	IR_BALANCE,  /* by, value, cases: a verdict map over a number below `value`; for all choices
			but IR_BY_CONNECTION only packets of addr.family */
	IR_REMEMBER  /* addr's family, value, map: the packet's flow is in that set for so many
			seconds from now; the rule ends where the set is full */
};

enum ir_balance { IR_BY_CONNECTION, IR_BY_SOURCE, IR_BY_SOURCE_DESTINATION };

struct ir_case {
	uint32_t value;
	const char *chain; /* goto that chain; NULL accepts */
};

struct ir_statement {
	enum ir_op op;
	uint32_t value, mask;
	struct addr addr;
	uint16_t port;
	unsigned int length; /* of a prefix; 0: an address */
	const char *name;
	const char *chain;
	enum ir_reject reject;
	enum ir_balance by;
	bool on_ct;
	struct ir_case *cases;
	size_t case_count;
	const struct ir_match *key;
	const struct ir_set *map; /* one of the ir's sets; of a key with single values, the rule's
				     own, without a name; or the set of flows */
};

struct ir_rule {
	struct ir_match *matches;
	size_t match_count;
	struct ir_statement *statements;
	size_t statement_count;
	struct span origin; /* the author's rule; no source for rules that stand for a guarantee */
	bool decides;       /* carries the author's verdict, not only a side effect */
	const char *remark; /* printed as a comment line above, or NULL */
};

enum ir_hook {
	IR_HOOK_NONE,
	IR_HOOK_PREROUTING,
	IR_HOOK_INPUT,
	IR_HOOK_FORWARD,
	IR_HOOK_OUTPUT,
	IR_HOOK_POSTROUTING
};
enum ir_chain_type { IR_CHAIN_FILTER, IR_CHAIN_ROUTE, IR_CHAIN_NAT };

struct ir_chain {
	const char *name;
	enum ir_hook hook; /* IR_HOOK_NONE: a chain that others jump to */
	enum ir_chain_type type;
	int priority; /* nft's number: mangle is -150, dstnat -100, srcnat 100 */
	const char *remark;
	struct ir_rule *rules;
	size_t rule_count;
};

/* ---- routing ---- */

enum ir_rule_action { IR_RULE_LOOKUP, IR_RULE_UNREACHABLE, IR_RULE_PROHIBIT, IR_RULE_BLACKHOLE };

enum { IR_TABLE_MAIN = 254, IR_TABLE_LOCAL = 255 };

/*
 * A prefix shorter than this is a default route, or part of one: 0.0.0.0/1 and 128.0.0.0/1 are one
 * (OpenVPN's redirect-gateway), so are ::/3, 2000::/4, 3000::/4. The longest prefix that covers
 * networks of one's own alone is 10.0.0.0/8, and fc00::/7.
 */
enum { IR_SPECIFIC_IPV4 = 8, IR_SPECIFIC_IPV6 = 7 };

struct ir_ip_rule {
	enum addr_family family;
	uint32_t priority;
	uint32_t mark, mask;
	const char *iif; /* then about what came in by it and has no mark: 0, under all bits */
	const char *oif; /* then about what sockets bound to it send, without a mark of ours */
	enum ir_rule_action action;
	uint32_t table;   /* IR_RULE_LOOKUP only */
	const char *name; /* the table's in the policy, the listener's, or "main" */
	/* Routes with a shorter prefix are not taken: suppress_prefixlength `shortest - 1`. 0: all
	 * are.
	 */
	unsigned int shortest;
	struct span origin;
};

enum ir_route_type {
	IR_ROUTE_UNICAST,
	IR_ROUTE_LOCAL,
	IR_ROUTE_BLACKHOLE,
	IR_ROUTE_UNREACHABLE,
	IR_ROUTE_PROHIBIT,
	IR_ROUTE_THROW
};

/* Whose gateway a next hop goes by. */
enum ir_learnt {
	IR_GIVEN,    /* the policy says it, or that there is none */
	IR_TO_LEARN, /* the host's own by `dev` (host/learnt.h), not asked for yet */
	IR_LEARNT,   /* that, found: `via`, or none is needed */
	IR_LACKING   /* the host has none: there is no such route now */
};

struct ir_nexthop {
	bool has_via;
	struct addr via;
	enum ir_learnt learnt;
	const char *dev;     /* or NULL */
	unsigned int weight; /* 1..256; 1 unless it is one of several */
	bool onlink;
};

struct ir_route {
	enum addr_family family;
	uint32_t table;
	enum ir_route_type type;
	struct addr_prefix to;
	struct ir_nexthop *hops; /* none for blackhole and the like; several for multipath */
	size_t hop_count;
	bool has_src;
	struct addr src;
	bool masquerades;     /* its table does, in the family; no part of the digest */
	uint32_t metric, mtu; /* 0: not given (IPv6 then gets 1024 from the kernel) */
	struct span origin;
};

/*
 * When a setting has to change is seen where the policy is loaded. The first is the strongest: two
 * sysctls of one key become the one that comes first here.
 */
enum ir_sysctl_when {
	IR_SYSCTL_ALWAYS,
	/* Where the address (`via`) is not this host's own: a listener there needs forwarding. */
	IR_SYSCTL_IF_ELSEWHERE,
	/* Not where conf.all's has the value: the kernel takes either. */
	IR_SYSCTL_UNLESS_ALL,
	/*
	 * "0", where the greater of conf.all's and this one counts: only where that is not 0. Then
	 * conf.all's has to be 0, too, so every other interface, and `default`, gets what counted
	 * there until then.
	 */
	IR_SYSCTL_IF_EFFECTIVE,
	/* A reverse-path filter, "2": only where the filter that counts is strict, 1, and looks at
	   marks (src_valid_mark, conf.all's or this one's). */
	IR_SYSCTL_IF_MARKED,
	/* Where one of the interfaces is a bridge. */
	IR_SYSCTL_IF_BRIDGE,
	/* accept_ra, "2": where it is 1, routes have come by router advertisements, and the host
	 * does not forward IPv6 yet. */
	IR_SYSCTL_IF_ADVERTISED,
	/* For the interfaces that the main table's default routes of the key's family leave by. */
	IR_SYSCTL_IF_DEFAULT,
};

struct ir_sysctl {
	const char *key; /* dotted, interface names with dots as slashes:
			    "net.ipv4.conf.eth0/100.rp_filter"; '*' for an interface: each of `devs`
			  */
	const char *value;
	const char *why; /* the feature that needs it, and what happens without */
	enum ir_sysctl_when when;
	const char **devs; /* names or patterns; none: every interface there is */
	size_t dev_count;
	bool has_via; /* '*' in the key: the interface towards this address */
	struct addr via;
	struct span origin;
};

/* ---- what was allocated ---- */

enum ir_class_kind {
	IR_CLASS_PROXY,
	IR_CLASS_ROUTE,
	IR_CLASS_MARK,
	IR_CLASS_REPLY,
	IR_CLASS_INBOUND,
	IR_CLASS_SYN,    /* of IR_CLASS_ROUTE, what begins this host's own TCP connections */
	IR_CLASS_DIRECT, /* goes where the host's own rules say, and no ip rule of ours takes it */
	IR_CLASS_ANSWER, /* echo requests that this host answers in their destination's place */
	IR_CLASS_MEMBER  /* of IR_CLASS_ROUTE, the connections that one of the list has taken */
};

/* A class of packets: what their mark means, a target to be sent to or a verdict. */
struct ir_class {
	enum ir_class_kind kind;
	const char *name; /* the listener's or the table's, or tables' joined by '+'; the mark's
			     text for a bare mark */
	uint32_t mark, mask;
	uint32_t ct_mask;          /* these bits are the connection's, too; 0: none */
	uint32_t table;            /* 0: none of its own */
	uint32_t priority;         /* of its first ip rule, 0: none */
	const char *listener_mode; /* "tproxy", "redirect", "dnat" or NULL */
	uint16_t port;
	struct span origin;
	struct span mark_given, table_given; /* where the author names them; or no source */
};

/*
 * What fills a set that only the host knows, by an interface of it. Link addresses of gateways:
 * what comes from one came in by its table's uplink, where others send by the same interface. Or
 * the interface's own addresses, or their networks.
 */
enum ir_fill_kind {
	IR_FILL_MAIN,   /* all gateways of the main table's default routes by the interface */
	IR_FILL_GIVEN,  /* the gateway `via` */
	IR_FILL_LEARNT, /* a gateway as a nexthop's: `via`, once it is found */
	IR_FILL_ADDRESSES,
	IR_FILL_PREFIXES
};

struct ir_fill {
	const char *set;  /* its base */
	const char *name; /* of gateways the table's in the policy, or "main"; else the set's */
	const char *dev;
	enum ir_fill_kind kind;
	bool has_via;    /* a gateway that is known */
	struct addr via; /* of the last three kinds at least its family */
	struct span origin;
};

enum ir_sysctl_policy { IR_SYSCTL_SET, IR_SYSCTL_CHECK, IR_SYSCTL_IGNORE };

/* A set in the kernel that no rule uses: it waits for a rollback. */
struct ir_retained {
	const char *base, *name;
	uint64_t contents; /* their digest */
};

struct ir {
	uint64_t digest;    /* ir_digest's, kept in the kernel beside the rules */
	const char *name;   /* the policy's */
	const char *table;  /* "tpc" or "tpc_NAME", family inet */
	uint32_t protocol;  /* rtnetlink protocol number of our rules and routes */
	uint32_t mark_mask; /* every bit of a packet's or a connection's mark that it writes */
	uint32_t ct_mask;   /* of a connection's alone; 0: it keeps nothing there */
	uint32_t priority_first, priority_last; /* the block of ip rule priorities */
	enum ir_sysctl_policy sysctl_policy;
	bool keeps_connections; /* an apply deletes none; no part of the digest */
	struct ir_set *sets;
	size_t set_count;
	struct ir_chain *chains;
	size_t chain_count;
	/* Where the host lacks a name: the chains with the names as they were written, and the
	 * digest that goes with them (host/hosted.h); else none. */
	struct ir_chain *written;
	size_t written_count;
	uint64_t written_digest;
	const char **counters;
	size_t counter_count;
	struct ir_ip_rule *ip_rules;
	size_t ip_rule_count;
	/* The table that holds a copy of the main table's specific IPv6 routes (prefix not shorter
	 * than IR_SPECIFIC_IPV6), which only the host knows; 0: none. */
	uint32_t main_copy;
	struct ir_route *routes;
	size_t route_count;
	bool sends_local[ADDR_FAMILIES]; /* its own packets, by tables; no part of the digest */
	struct ir_sysctl *sysctls;
	size_t sysctl_count;
	struct ir_fill *fills;
	size_t fill_count;
	struct ir_class *classes;
	size_t class_count;
	struct addr_prefix *given; /* sources that ways by tables give (snat, nptv6); no part of the
				      digest */
	size_t given_count;
	struct ir_let_go *let_go; /* no part of the digest */
	size_t let_go_count;
	struct ir_listener *listeners;
	size_t listener_count;
	struct ir_row *rows;
	size_t row_count;
	struct ir_hosted *users, *groups, *cgroups; /* each once */
	size_t user_count, group_count, cgroup_count;
	struct ir_asked *asked; /* each once */
	size_t asked_count;
	struct ir_retained *retained; /* while a confirmation is waited for; no part of the digest
				       */
	size_t retained_count;
	const char *waits; /* the line that says so (emit/about.h), or NULL; not in the digest */
	size_t policy_rules, policy_sets, expectation_count; /* as the author wrote them: for
								messages */
	/* For whoever shows the policy in its author's words; no part of the digest. */
	struct ir_authored *authored;
	size_t authored_count;
	struct ir_authored default_forward, default_local;
	struct ir_table *tables;
	size_t table_count;
	struct ir_group *interface_groups;
	size_t interface_group_count;
};

/* Could one packet's mark be both values, each under its mask? Marks in separate bits are written
 * separately: they do not meet. */
bool ir_marks_meet(uint32_t value, uint32_t mask, uint32_t other, uint32_t other_mask);
/* Does what is routed by the table get masqueraded in the family? */
bool ir_masquerades(const struct ir *ir, uint32_t table, enum addr_family family);
/* Does another program fill the table that an ip rule looks up? */
bool ir_table_is_foreign(const struct ir *ir, uint32_t table);
/* Does the route want a gateway that is not known, or that the host does not have? */
bool ir_route_is_open(const struct ir_route *route);
bool ir_route_is_lacking(const struct ir_route *route);
/* Does the rule ask the main table, or the copy of it? */
bool ir_rule_asks_main(const struct ir *ir, const struct ir_ip_rule *rule);
/* And takes its default route, too. */
bool ir_rule_takes_default(const struct ir_ip_rule *rule);
/* Is it about the interface's addresses, and not about a gateway? */
bool ir_fill_is_own(const struct ir_fill *fill);
/* The first that fills the set, or NULL; and what all of them fill it with: "addresses of wan0,
 * networks of lan0". */
const struct ir_fill *ir_fill_of(const struct ir *ir, const char *base);
void ir_put_fills(const struct ir *ir, const char *base, struct buf *out);
/* Who adds its elements at run time: resolvers and scripts; the rules themselves? */
bool ir_set_is_learned(const struct ir_set *set);
bool ir_set_holds_flows(const struct ir_set *set);
/* The set of flows that are answers of connections which an apply has deleted. */
const char *ir_ended_set(enum addr_family family);
/* A link address: 02:00:5e:10:00:01. And what a set knows a flow by, as nft words. */
void ir_put_link(struct buf *out, uint64_t address);
void ir_put_flow(enum addr_family family, struct buf *out);
/* "proxy", "syn" ...; and what an author writes for such a class: "proxy", "route", "mark",
 * "direct" or "answer". */
const char *ir_class_name(enum ir_class_kind kind);
const char *ir_class_then(enum ir_class_kind kind);
/* "lookup", "unreachable" ...: ip's words. */
const char *ir_action_name(enum ir_rule_action action);
enum { IR_INTERFACE_TEXT = 17 };

/* An interface's name as the kernel compares it: 16 bytes (IFNAMSIZ), filled up with zeros, as one
 * number, and back. */
struct wide ir_interface_number(const char *name);
const char *ir_interface_name(struct wide number, char text[static IR_INTERFACE_TEXT]);
/* Do both look up the same field of a packet? */
bool ir_match_same_key(const struct ir_match *a, const struct ir_match *b);
/* The match as nft words. `set_name`: its set's, if it has one; NULL: the base. */
void ir_match_put(const struct ir_match *match, const char *set_name, struct buf *out);
/* Where the value leads; NULL: nowhere. */
const struct ir_target *ir_map_find(const struct ir_set *map, struct wide value);
/* Finds by name; NULL when there is none. */
const struct ir_chain *ir_chain_find(const struct ir *ir, const char *name);
/* The class whose packets go by the table; NULL: none. */
const struct ir_class *ir_table_class(const struct ir *ir, uint32_t table);
/* Has the policy a route in the table? */
bool ir_has_table(const struct ir *ir, uint32_t table);
/* Has the policy a route by the interface? */
bool ir_leaves_by(const struct ir *ir, const char *dev);
/* By its base's name; NULL when there is none. */
struct ir_set *ir_set_find(const struct ir *ir, const char *base);

/*
 * Names the contents: FNV-1a over everything the kernel will hold (sets, chains, ip rules, routes,
 * not places or remarks). Equal digests mean nothing to do. Sets whose contents have no name yet
 * get it.
 */
uint64_t ir_digest(struct ir *ir);
/* The same without what sets hold: equal shapes differ in that alone. */
uint64_t ir_shape(const struct ir *ir);
/* The same of a chain's rules. */
uint64_t ir_rules_digest(const struct ir_chain *chain, uint64_t seed);
/* Names what a set holds, and, of a map, where it leads. The seed is interval_digest's. */
uint64_t ir_set_digest(const struct ir_set *set, uint64_t seed);

/* Checks what is "always true" above. NULL, or what is broken in words (a defect of ours, never of
 * a policy). */
const char *ir_verify(struct arena *arena, const struct ir *ir);

#endif
