/*
 * own_networks: sends a packet of root's to each network without a gateway through the rules (see
 * own_networks.h).
 */
#include "host/own_networks.h"

#include <netinet/in.h>
#include <string.h>

#include "addr/builtin.h"
#include "base/arena.h"
#include "base/names.h"
#include "base/report.h"
#include "host/flows_state.h"
#include "host/host.h"
#include "ir/ir.h"
#include "kernel/link.h"

enum {
	PORT = 9,         /* discard (RFC 863): rules about services do not mean it */
	SENDER = 40000,   /* some source port */
	TRIED = 8,        /* addresses of a network, until one is another host's */
	NETWORKS_MOST = 8 /* warnings */
};

struct look {
	const struct own_networks_job *job;
	struct flows_walks walks;
	size_t told;
};

/* A network without a gateway, and how it is reached. */
struct own_network {
	struct addr_prefix prefix;
	const char *dev;
	bool is_by_uplink; /* other hosts are reached by its interface, too */
};

static bool is_uplink(struct look *look, enum addr_family family, const char *dev)
{
	const struct record *record = look->job->record;
	size_t count;
	const char **names =
		link_defaults(look->job->arena, &look->job->kernel->route, family, &count);

	for (size_t i = 0; i < count; i++)
		if (!strcmp(names[i], dev))
			return true;
	return ir_leaves_by(&record->ir, dev);
}

/* Rules never see what is for the link, and the proofs what is private. */
static bool is_public(struct arena *arena, struct addr addr)
{
	static const char *const others[] = { "private", "link-local", "multicast", "loopback" };

	for (size_t i = 0; i < sizeof(others) / sizeof(others[0]); i++) {
		struct addr_set set = { 0 };

		builtin_find(arena, others[i], &set);
		if (interval_contains(&set.family[addr.family], addr.bits))
			return false;
	}
	return true;
}

/* False: the route has a gateway, or is none that rules could take away from. */
static bool is_network(struct look *look, const struct ir_route *route, struct own_network *out)
{
	unsigned int shortest = route->family == ADDR_IPV6 ? IR_SPECIFIC_IPV6 : IR_SPECIFIC_IPV4;
	const char *dev = route->hop_count == 1 ? route->hops[0].dev : NULL;

	if (route->type != IR_ROUTE_UNICAST || !dev || route->hops[0].has_via ||
	    route->hops[0].learnt || route->to.length < shortest ||
	    route->to.length >= addr_width(route->family) - 1 ||
	    !is_public(look->job->arena, route->to.addr))
		return false;
	*out = (struct own_network){ route->to, dev, is_uplink(look, route->family, dev) };
	return true;
}

/* Another host of the network, and the address that this one sends from. */
static bool find_ends(struct look *look, const struct own_network *network, struct flow *flow)
{
	struct addr to = network->prefix.addr;

	for (int i = 0; i < TRIED; i++) {
		struct link_fib fib;

		to.bits = wide_add(to.bits, wide(1));
		fib = link_fib(look->job->arena, &look->job->kernel->route, to);
		if (fib.is_local || fib.is_broadcast || fib.is_anycast || !fib.has_source)
			continue;
		*flow = (struct flow){ .from = { fib.source, SENDER }, .to = { to, PORT } };
		flow->answers_from = flow->to;
		flow->answers_to = flow->from;
		return true;
	}
	return false;
}

static const struct ir_class *way_of(const struct record *record, uint32_t mark)
{
	const struct ir_class *way = record_way(record, mark);

	return way && (way->kind == IR_CLASS_PROXY || way->kind == IR_CLASS_ROUTE) ? way : NULL;
}

/* The way that takes it off its network, or NULL. */
static const struct ir_class *taken_by(struct look *look, const struct flow *flow, const char *dev)
{
	struct flows_fate fate = flows_begin(&look->walks, flow);
	const struct ir_class *way = fate.end == FLOWS_PASSED ? way_of(look->job->record, fate.mark)
							      : NULL;
	const char *device;

	if (!way || way->kind == IR_CLASS_PROXY)
		return way;
	device = flows_device(&look->walks, flow, fate.mark);
	return device && !strcmp(device, dev) ? NULL : way;
}

/*
 * Is a network at an uplink a LAN, too? A gateway that stands in the LAN takes what its hosts send;
 * what the hosts of a provider's network send, no rule does.
 */
static bool is_lan(struct look *look, const struct flow *own)
{
	struct flow flow = *own;
	struct flows_fate fate;

	flow.from.addr = own->to.addr;
	flow.to.addr.bits = wide_add(own->to.addr.bits, wide(1));
	if (flows_is_own(&look->walks, flow.to.addr))
		flow.to.addr.bits = wide_add(flow.to.addr.bits, wide(1));
	flow.answers_from = flow.to;
	flow.answers_to = flow.from;
	fate = flows_begin(&look->walks, &flow);
	return fate.end == FLOWS_TAKEN ||
	       (fate.end == FLOWS_PASSED && way_of(look->job->record, fate.mark));
}

static void tell(struct look *look, const struct own_network *network, const struct ir_class *way)
{
	struct report *report = look->job->report;
	const char *quote = addr_quote(network->prefix.addr.family), *match;
	char prefix[ADDR_TEXT];

	if (look->told++ >= NETWORKS_MOST)
		return;
	addr_format_prefix(network->prefix, prefix);
	match = network->is_by_uplink
			? arena_printf(report->arena, "to: %s%s%s", quote, prefix, quote)
			: arena_printf(report->arena, "out: %s", network->dev);
	diag_help(report_add(report, SEVERITY_WARNING, DIAG_lan_included,
			     "packets of this host to %s, its own network on %s, go %s %s", prefix,
			     network->dev,
			     way->kind == IR_CLASS_PROXY ? "to the listener" : "by the table",
			     way->name),
		  "write `{scope: local, %s, then: direct}` before the rule that sends it there",
		  match);
}

static void judge(struct look *look, const struct ir_route *route)
{
	static const unsigned int protocols[] = { IPPROTO_TCP, IPPROTO_UDP };
	struct own_network network;
	struct flow flow;

	if (!is_network(look, route, &network) || !find_ends(look, &network, &flow))
		return;
	for (size_t i = 0; i < 2; i++) {
		const struct ir_class *way;

		flow.protocol = protocols[i];
		way = taken_by(look, &flow, network.dev);
		if (!way || (network.is_by_uplink && !is_lan(look, &flow)))
			continue;
		tell(look, &network, way);
		return;
	}
}

void own_networks_tell(const struct own_networks_job *job)
{
	struct look look = {
		.job = job,
		.walks = { .arena = job->arena,
			   .kernel = job->kernel,
			   .table = host_table_name(job->arena, job->record->name),
			   .ir = job->ir,
			   .is_any_sender = true },
	};
	struct netlink_error error;

	if (!job->record->ir.listener_count && !job->record->ir.route_count)
		return;
	for (int family = 0; family < ADDR_FAMILIES; family++) {
		struct route_list list = { 0 };

		if (!route_observe(job->arena, &job->kernel->route, (enum addr_family)family,
				   IR_TABLE_MAIN, &list, &error))
			continue;
		for (size_t i = 0; i < list.count; i++)
			judge(&look, &list.items[i].route);
	}
	flows_walks_close(&look.walks);
}
