/*
 * lower/sysctl: the kernel settings that the policy's targets need.
 *
 * In go the targets with their families, scopes and interfaces, out come sysctls: a key, a value,
 * when it matters (seen where the policy is loaded), and the reason. What each feature needs is one
 * row of the table below. A setting comes after those that must be there before it.
 */
#include <fnmatch.h>
#include <string.h>

#include "addr/addr.h"
#include "base/arena.h"
#include "base/names.h"
#include "lang/lower/lower.h"

enum need {
	NEED_FORWARD_IPV4,
	NEED_FORWARD_IPV6,
	NEED_REMOTE,
	NEED_ADVERTISED,
	NEED_CARRIER,
	NEED_CARRIER_MAIN,
	NEED_UNFILTERED,
	NEED_QUIET,
	NEED_LOOSE_MARKED,
	NEED_UNMARKED,
	NEED_UNMARKED_HERE,
	NEED_LOCALNET,
	NEED_UNBRIDGED,
};

/* A '%' in a key stands for an interface; in a reason %s is the name of the listener or the table.
 */
static const struct feature {
	const char *keys[ADDR_FAMILIES], *value;
	enum ir_sysctl_when when;
	const char *why;
} features[] = {
	[NEED_FORWARD_IPV4] = {
		{ "net.ipv4.ip_forward" }, "1", IR_SYSCTL_ALWAYS,
		"the table %s takes forwarded packets, and without this the host forwards no IPv4",
	},
	[NEED_FORWARD_IPV6] = {
		{ NULL, "net.ipv6.conf.all.forwarding" }, "1", IR_SYSCTL_ALWAYS,
		"the table %s takes forwarded packets, and without this the host forwards no IPv6",
	},
	[NEED_REMOTE] = {
		{ "net.ipv4.ip_forward", "net.ipv6.conf.all.forwarding" }, "1", IR_SYSCTL_IF_ELSEWHERE,
		"the listener %s is on another host, and without this nothing is forwarded there",
	},
	[NEED_ADVERTISED] = {
		{ NULL, "net.ipv6.conf.%.accept_ra" }, "2", IR_SYSCTL_IF_ADVERTISED,
		"%s needs IPv6 forwarding, and a host that forwards forgets the routes that routers "
		"advertise, its default route among them, unless this is 2",
	},
	[NEED_CARRIER] = {
		{ "net.ipv4.conf.%.ignore_routes_with_linkdown", "net.ipv6.conf.%.ignore_routes_with_linkdown" }, "1", IR_SYSCTL_ALWAYS,
		"the table %s leaves by this interface, and with 0 its routes stay in use when the "
		"interface loses its carrier: nothing takes its place",
	},
	[NEED_CARRIER_MAIN] = {
		{ "net.ipv4.conf.%.ignore_routes_with_linkdown", "net.ipv6.conf.%.ignore_routes_with_linkdown" }, "1", IR_SYSCTL_IF_DEFAULT,
		"the list %s goes on after the main table, and with 0 the main table's default route "
		"stays in use when this interface loses its carrier: nothing takes its place",
	},
	[NEED_UNFILTERED] = {
		{ "net.ipv4.conf.%.rp_filter" }, "0", IR_SYSCTL_IF_EFFECTIVE,
		"the table %s leaves by this interface, and a reverse-path filter drops the replies: a strict one (1) where the main table leaves by another, a loose one (2) where the main table has no route to their source, as when its only default route is gone",
	},
	[NEED_QUIET] = {
		{ "net.ipv4.conf.%.send_redirects" }, "0", IR_SYSCTL_IF_EFFECTIVE,
		"the table %s may send packets out through the interface they came in on, and an ICMP redirect would make their sender bypass this host",
	},
	[NEED_LOOSE_MARKED] = {
		{ "net.ipv4.conf.%.rp_filter" }, "2", IR_SYSCTL_IF_MARKED,
		"the table %s takes packets that come in here, and a strict reverse-path filter that "
		"looks at marks (src_valid_mark) drops them",
	},
	[NEED_UNMARKED] = {
		{ "net.ipv4.conf.all.src_valid_mark" }, "0", IR_SYSCTL_ALWAYS,
		"the listener %s takes packets from outside by tproxy, and with 1 the kernel's reverse-path lookup uses the mark, finds this host, and drops the packet",
	},
	[NEED_UNMARKED_HERE] = {
		{ "net.ipv4.conf.%.src_valid_mark" }, "0", IR_SYSCTL_ALWAYS,
		"the listener %s takes what comes from outside by tproxy, and the kernel drops it where an "
		"interface's own is 1",
	},
	[NEED_LOCALNET] = {
		{ "net.ipv4.conf.%.route_localnet" }, "1", IR_SYSCTL_UNLESS_ALL,
		"the listener %s is on a loopback address and takes packets from outside, which the kernel drops with 0; the policy's rules keep all others off loopback addresses",
	},
	[NEED_UNBRIDGED] = {
		{ "net.bridge.bridge-nf-call-iptables", "net.bridge.bridge-nf-call-ip6tables" }, "0", IR_SYSCTL_IF_BRIDGE,
		"the listener %s takes forwarded packets by tproxy, and with 1 (br_netfilter, for Docker) what comes by a bridge loses its listener; foreign rules for packets within one bridge, such as between containers, need 1",
	},
};

/* ---- sysctls ---- */

/* In a sysctl's name an interface's dots are slashes. */
static const char *key_of(struct lower *lower, const char *key, const char *dev)
{
	const char *place = strchr(key, '%');
	char *name;

	if (!place)
		return key;
	name = arena_strdup(lower->arena, dev);
	for (char *c = name; *c; c++)
		if (*c == '.')
			*c = '/';
	return arena_printf(lower->arena, "%.*s%s%s", (int)(place - key), key, name, place + 1);
}

static const char *why_of(struct lower *lower, const struct feature *feature,
			  const struct lower_target *target)
{
	const char *place = strstr(feature->why, "%s");

	return arena_printf(lower->arena, "%.*s%s%s", (int)(place - feature->why), feature->why,
			    target->name, place + 2);
}

/* Two sysctls for one key: the stronger one, for the interfaces of both. */
static void join(struct lower *lower, struct ir_sysctl *into, const struct ir_sysctl *more)
{
	bool any = !into->dev_count || !more->dev_count;

	if (more->when < into->when) {
		into->when = more->when;
		into->has_via = more->has_via;
		into->via = more->via;
		into->why = more->why;
		into->origin = more->origin;
	}
	for (size_t i = 0; !any && i < more->dev_count; i++)
		names_add(lower->arena, &into->devs, &into->dev_count, more->devs[i]);
	if (any)
		into->dev_count = 0;
}

static bool is_same_place(const struct ir_sysctl *a, const struct ir_sysctl *b)
{
	bool same_via = a->has_via == b->has_via && wide_equal(a->via.bits, b->via.bits);

	if (strcmp(a->key, b->key))
		return false;
	return strchr(a->key, '*') ? a->when == b->when && same_via
				   : a->when != b->when || same_via;
}

static void add(struct lower *lower, const struct ir_sysctl *wanted)
{
	struct ir *ir = lower->ir;

	for (size_t i = 0; i < ir->sysctl_count; i++)
		if (is_same_place(&ir->sysctls[i], wanted)) {
			join(lower, &ir->sysctls[i], wanted);
			return;
		}
	*arena_append(lower->arena, ir->sysctls, ir->sysctl_count) = *wanted;
}

static struct ir_sysctl wanted(struct lower *lower, enum need need, enum addr_family family,
			       const struct lower_target *target, const char *dev)
{
	const struct feature *feature = &features[need];

	return (struct ir_sysctl){ .key = key_of(lower, feature->keys[family], dev ? dev : "*"),
				   .value = feature->value,
				   .why = why_of(lower, feature, target),
				   .when = feature->when,
				   .origin = target->origin };
}

static void need_at(struct lower *lower, enum need what, enum addr_family family,
		    const struct lower_target *target, const char *dev)
{
	struct ir_sysctl one = wanted(lower, what, family, target, dev);

	add(lower, &one);
}

/* `via`, `from`: NULL, or where the packets go and which interfaces they come in by. */
static void need_where(struct lower *lower, enum need what, enum addr_family family,
		       const struct lower_target *target, const struct addr *via,
		       const struct lower_ingress *from)
{
	struct ir_sysctl one = wanted(lower, what, family, target, NULL);

	one.has_via = via != NULL;
	one.via = via ? *via : (struct addr){ 0 };
	for (size_t i = 0; from && i < from->count; i++)
		names_add(lower->arena, &one.devs, &one.dev_count, from->devs[i]);
	add(lower, &one);
}

static void need(struct lower *lower, enum need what, enum addr_family family,
		 const struct lower_target *target)
{
	need_where(lower, what, family, target, NULL, NULL);
}

/* ---- features ---- */

static void forwarding(struct lower *lower, const struct lower_target *target)
{
	if (target->families[ADDR_IPV4])
		need(lower, NEED_FORWARD_IPV4, ADDR_IPV4, target);
	if (!target->families[ADDR_IPV6])
		return;
	need(lower, NEED_ADVERTISED, ADDR_IPV6, target);
	need(lower, NEED_FORWARD_IPV6, ADDR_IPV6, target);
}

static void remote_listener(struct lower *lower, const struct lower_target *target)
{
	const struct ast_listener *listener = target->listener;
	const struct addr *addr = listener->addr;

	if (target->families[ADDR_IPV4] && !addr_is_loopback(addr[ADDR_IPV4]))
		need_where(lower, NEED_REMOTE, ADDR_IPV4, target, &addr[ADDR_IPV4], NULL);
	if (!target->families[ADDR_IPV6] || addr_is_loopback(addr[ADDR_IPV6]))
		return;
	need(lower, NEED_ADVERTISED, ADDR_IPV6, target);
	need_where(lower, NEED_REMOTE, ADDR_IPV6, target, &addr[ADDR_IPV6], NULL);
}

static void local_listener(struct lower *lower, const struct lower_target *target)
{
	struct lower_ingress from = lower_ingress(lower, target);

	for (size_t i = 0; i < from.count; i++)
		need_at(lower, NEED_LOCALNET, ADDR_IPV4, target, from.devs[i]);
}

static void transparent_listener(struct lower *lower, const struct lower_target *target)
{
	static const struct lower_ingress any;
	struct lower_ingress from = lower_ingress(lower, target);
	bool answers = target->listener->spoofs_client;

	/* Answers to a borrowed address come in by any uplink. */
	if (target->families[ADDR_IPV4] && (target->forward || answers)) {
		need(lower, NEED_UNMARKED, ADDR_IPV4, target);
		need_where(lower, NEED_UNMARKED_HERE, ADDR_IPV4, target, NULL,
			   answers ? &any : &from);
	}
	if (!target->forward)
		return;
	for (enum addr_family family = ADDR_IPV4; family <= ADDR_IPV6; family++)
		if (target->families[family])
			need_where(lower, NEED_UNBRIDGED, family, target, NULL, &from);
}

/* What becomes of a next hop of a family; `from`: the interfaces that it is about, or NULL. */
struct hop_visit {
	void (*visit)(struct lower *lower, const struct hop_visit *visit,
		      const struct ast_hop *hop);
	const struct lower_target *target;
	enum addr_family family;
	enum need what;
	const struct lower_ingress *from;
	struct lower_ingress *found; /* gets the names of interfaces */
};

static void visit_table(struct lower *lower, const struct hop_visit *visit,
			const struct ast_table *table)
{
	size_t count;
	const struct ast_route *routes = ast_table_routes(table, &count);
	const struct ast_hop *hop;

	for (size_t i = 0; i < count; i++) {
		if (routes[i].type != IR_ROUTE_UNICAST ||
		    (!routes[i].is_default && routes[i].to.addr.family != visit->family))
			continue;
		for (size_t k = 0; (hop = ast_hop(&routes[i], k)); k++)
			if (ast_hop_is_of(hop, visit->family))
				visit->visit(lower, visit, hop);
	}
}

/* May packets for the next hop come in by its interface? A route without a gateway is mostly a
 * tunnel's, and nothing that came out of that goes back unless a rule says so. */
static bool may_come_by(const struct lower_ingress *from, const struct ast_hop *hop)
{
	for (size_t i = 0; i < from->count; i++)
		if (fnmatch(from->devs[i], hop->dev, FNM_NOESCAPE) == 0)
			return true;
	return !from->count && hop->via.span.source;
}

static void hop_needs(struct lower *lower, const struct hop_visit *visit, const struct ast_hop *hop)
{
	enum addr_family family = visit->family;

	if (hop->dev && (!visit->from || may_come_by(visit->from, hop)))
		need_at(lower, visit->what, family, visit->target, hop->dev);
	else if (!hop->dev && hop->via.has[family])
		need_where(lower, visit->what, family, visit->target, &hop->via.addr[family],
			   visit->from);
}

static void table_needs(struct lower *lower, enum need what, enum addr_family family,
			const struct lower_target *target, const struct ast_table *table)
{
	struct hop_visit visit = {
		.visit = hop_needs, .target = target, .family = family, .what = what
	};

	visit_table(lower, &visit, table);
}

/* ---- out by the interface that they came in by ---- */

/* May forwarded packets be sent there by a rule, and not as replies? */
static bool may_turn(const struct lower_target *target, enum addr_family family)
{
	return lower_is_used(target) && target->forward && target->families[family] &&
	       target->kind != IR_CLASS_REPLY && target->kind != IR_CLASS_INBOUND &&
	       target->kind != IR_CLASS_MEMBER;
}

static void quiet(struct lower *lower, const struct lower_target *target,
		  const struct lower_ingress *from)
{
	struct hop_visit visit = { .visit = hop_needs,
				   .target = target,
				   .family = ADDR_IPV4,
				   .what = NEED_QUIET,
				   .from = from };

	for (size_t i = 0; may_turn(target, ADDR_IPV4) && i < target->table_count; i++)
		visit_table(lower, &visit, target->tables[i]);
}

/* A redirect of IPv6 names the gateway's link-local address, or where there is none the destination
 * itself (RFC 4861, section 4.5): for any other gateway the kernel sends none. */
static void hop_turns(struct lower *lower, const struct hop_visit *visit, const struct ast_hop *hop)
{
	bool is_named = !hop->via.has[ADDR_IPV6] || addr_is_link_local(hop->via.addr[ADDR_IPV6]);

	if (is_named && hop->dev && may_come_by(visit->from, hop))
		names_add(lower->arena, &visit->found->devs, &visit->found->count, hop->dev);
}

struct lower_ingress lower_quiet_devs(struct lower *lower)
{
	struct lower_ingress found = { 0 };

	for (size_t i = 0; i < lower->target_count; i++) {
		const struct lower_target *target = lower->targets[i];
		struct lower_ingress from = lower_ingress(lower, target);
		struct hop_visit visit = {
			.visit = hop_turns, .family = ADDR_IPV6, .from = &from, .found = &found
		};

		for (size_t k = 0; may_turn(target, ADDR_IPV6) && k < target->table_count; k++)
			visit_table(lower, &visit, target->tables[k]);
	}
	return found;
}

/* ---- all of it ---- */

/* Does anything stand after the main table in the list? */
static bool goes_on_after_main(const struct lower_target *target)
{
	return target->names_main &&
	       (target->main_at < target->table_count || target->fallback != FALLBACK_MAIN);
}

/* Answers come in by where the tables lead out. */
static void links(struct lower *lower, const struct lower_target *target)
{
	for (enum addr_family family = ADDR_IPV4; family <= ADDR_IPV6; family++)
		if (goes_on_after_main(target) && target->families[family])
			need(lower, NEED_CARRIER_MAIN, family, target);
	for (size_t i = 0; i < target->table_count; i++) {
		if (target->families[ADDR_IPV4]) {
			table_needs(lower, NEED_CARRIER, ADDR_IPV4, target, target->tables[i]);
			table_needs(lower, NEED_UNFILTERED, ADDR_IPV4, target, target->tables[i]);
		}
		if (target->families[ADDR_IPV6])
			table_needs(lower, NEED_CARRIER, ADDR_IPV6, target, target->tables[i]);
	}
}

static void tables(struct lower *lower, const struct lower_target *target)
{
	struct lower_ingress from = lower_ingress(lower, target);
	struct lower_target led = *target;

	/* What leads to a listener is its table, and forwarding is asked for by its address. */
	if (target->listener && target->table_count)
		led.name = target->tables[0]->name;
	if (target->kind == IR_CLASS_MEMBER) /* LIST/MEMBER */
		led.name = arena_printf(lower->arena, "%.*s", (int)strcspn(target->name, "/"),
					target->name);
	links(lower, &led);
	quiet(lower, &led, &from);
	/* What comes in for an outside prefix is forwarded, whatever rules send by the table. */
	if (target->kind == IR_CLASS_REPLY && target->tables[0]->npt_count &&
	    target->families[ADDR_IPV6]) {
		need(lower, NEED_ADVERTISED, ADDR_IPV6, target);
		need(lower, NEED_FORWARD_IPV6, ADDR_IPV6, target);
	}
	/* A target that is the main table alone forwards no more than the host did without the
	 * policy. */
	if (!lower_leads_out(target) || !target->forward || !target->table_count)
		return;
	if (!target->listener)
		forwarding(lower, target);
	if (!target->families[ADDR_IPV4])
		return;
	need_where(lower, NEED_LOOSE_MARKED, ADDR_IPV4, &led, NULL, &from);
}

void lower_sysctls(struct lower *lower)
{
	for (size_t i = 0; i < lower->target_count; i++) {
		const struct lower_target *target = lower->targets[i];

		if (!lower_is_used(target))
			continue;
		tables(lower, target);
		if (target->listener && target->listener->mode == MODE_TPROXY)
			transparent_listener(lower, target);
		if (target->listener && target->listener->mode == MODE_DNAT && target->forward)
			remote_listener(lower, target);
		if (lower_takes_loopback(target))
			local_listener(lower, target);
	}
}
