/*
 * bare: asks for the addresses of the interfaces that routes leave by; see bare.h.
 */
#include "host/bare.h"

#include <inttypes.h>
#include <net/if.h>

#include "base/arena.h"
#include "base/names.h"
#include "base/report.h"
#include "ir/ir.h"
#include "kernel/addresses.h"
#include "kernel/link.h"

static bool is_bare(struct netlink *netlink, const char *device, enum addr_family family)
{
	unsigned int index = device ? if_nametoindex(device) : 0;
	struct addresses_sources sources;

	if (!index)
		return false;
	sources = addresses_sources(netlink, index, family);
	return !sources.here && sources.of_another;
}

const char *bare_device(struct netlink *netlink, const struct ir *ir, const struct ir_route *route)
{
	if (route->type != IR_ROUTE_UNICAST || !ir_masquerades(ir, route->table, route->family))
		return NULL;
	for (size_t i = 0; i < route->hop_count; i++)
		if (is_bare(netlink, route->hops[i].dev, route->family))
			return route->hops[i].dev;
	return NULL;
}

void bare_tell(struct arena *arena, struct report *report, struct netlink *netlink,
	       const struct ir *ir)
{
	const char **told = NULL;
	size_t told_count = 0;

	for (size_t i = 0; i < ir->route_count; i++) {
		const struct ir_route *route = &ir->routes[i];
		const char *device = route->family == ADDR_IPV6 ? bare_device(netlink, ir, route)
								: NULL;
		struct diag_record *line;
		size_t before = told_count;

		if (device)
			names_add(arena, &told, &told_count, device);
		if (before == told_count)
			continue;
		line = report_add(report, SEVERITY_WARNING, DIAG_no_masquerade_address,
				  "%s has no IPv6 address to masquerade with: IPv6 packets that leave by it (table %" PRIu32
				  ") are dropped",
				  device, route->table);
		line->where = route->origin;
		diag_help_text(line,
			       "give it one; or leave IPv6 out of the table (`family: ipv4` in its route), so that its `fallback` answers");
	}
}
