/*
 * gateways: from gateways to their link addresses, by the kernel's table of neighbours.
 */
#include "kernel/gateways.h"

#include <errno.h>
#include <string.h>
#include <time.h>

#include <net/if.h>
#include <sys/socket.h>

#include <libmnl/libmnl.h>
#include <linux/neighbour.h>
#include <linux/rtnetlink.h>

#include "base/arena.h"
#include "base/report.h"
#include "ir/ir.h"
#include "kernel/link.h"
#include "kernel/neighbour.h"
#include "kernel/netlink.h"

/* One gateway's address, of a table's or of the main table. */
struct gateway {
	const struct ir_fill *of;
	struct addr via;
	uint64_t link; /* its link address; 0: not known */
	bool is_other; /* a rival has that link address */
};

struct finding {
	struct arena *arena;
	struct netlink *netlink;
	struct gateway *items;
	size_t count;
};

/* By the same interface, and for another set. */
static bool is_rival(const struct gateway *a, const struct gateway *b)
{
	return strcmp(a->of->dev, b->of->dev) == 0 && strcmp(a->of->set, b->of->set) != 0;
}

const char *gateways_owner(struct arena *arena, const struct ir_fill *of)
{
	return of->kind == IR_FILL_MAIN ? "the main table"
					: arena_printf(arena, "the table %s", of->name);
}

/* ---- which gateways there are ---- */

static void add(struct finding *finding, const struct ir_fill *of, struct addr via)
{
	*arena_append(finding->arena, finding->items, finding->count) =
		(struct gateway){ .of = of, .via = via };
}

static bool has_gateway(const struct finding *finding, const char *dev, struct addr via)
{
	for (size_t i = 0; i < finding->count; i++)
		if (strcmp(finding->items[i].of->dev, dev) == 0 &&
		    addr_equal(finding->items[i].via, via))
			return true;
	return false;
}

/* A gateway that a table of the policy's has, too, is that table's. */
static void add_main(struct finding *finding, const struct ir_fill *fills, size_t count,
		     enum addr_family family)
{
	size_t hop_count;
	const struct ir_nexthop *hops =
		link_gateways(finding->arena, finding->netlink, family, &hop_count);

	for (size_t i = 0; i < count; i++)
		for (size_t k = 0; k < hop_count && fills[i].kind == IR_FILL_MAIN; k++)
			if (strcmp(hops[k].dev, fills[i].dev) == 0 &&
			    !has_gateway(finding, hops[k].dev, hops[k].via))
				add(finding, &fills[i], hops[k].via);
}

static bool is_shared(const struct finding *finding, const struct gateway *gateway)
{
	for (size_t i = 0; i < finding->count; i++)
		if (is_rival(&finding->items[i], gateway))
			return true;
	return false;
}

static void drop_lonely(struct finding *finding)
{
	struct gateway *kept = NULL;
	size_t count = 0;

	for (size_t i = 0; i < finding->count; i++)
		if (is_shared(finding, &finding->items[i]))
			*arena_append(finding->arena, kept, count) = finding->items[i];
	finding->items = kept;
	finding->count = count;
}

/* ---- their link addresses ---- */

static void take(struct gateway *gateway, const struct neighbour_list *neighbours)
{
	uint64_t link = neighbour_link(neighbours, gateway->of->dev, gateway->via);

	if (link)
		gateway->link = link;
}

static void read_neighbours(struct finding *finding)
{
	struct neighbour_list neighbours = neighbour_read(finding->arena, finding->netlink);

	for (size_t i = 0; i < finding->count; i++)
		take(&finding->items[i], &neighbours);
}

static size_t count_unknown(const struct finding *finding)
{
	size_t unknown = 0;

	for (size_t i = 0; i < finding->count; i++)
		unknown += !finding->items[i].link;
	return unknown;
}

/* As `ip neigh replace ADDRESS dev DEV use` does: the kernel asks who has the address. */
static void ask_for(struct finding *finding, const struct gateway *gateway)
{
	bool is_ipv6 = gateway->via.family == ADDR_IPV6;
	struct netlink_error error;
	char room[NETLINK_REQUEST];
	struct nlmsghdr *request = netlink_new(room, RTM_NEWNEIGH, NLM_F_CREATE | NLM_F_REPLACE);
	struct ndmsg *head = mnl_nlmsg_put_extra_header(request, sizeof(*head));
	uint8_t bytes[16];

	head->ndm_family = is_ipv6 ? AF_INET6 : AF_INET;
	head->ndm_ifindex = (int)if_nametoindex(gateway->of->dev);
	head->ndm_flags = NTF_USE;
	wide_put(gateway->via.bits, bytes, is_ipv6 ? 16 : 4);
	mnl_attr_put(request, NDA_DST, is_ipv6 ? 16 : 4, bytes);
	if (head->ndm_ifindex)
		netlink_ask(finding->netlink, request, NULL, NULL, &error);
}

static void ask(struct finding *finding)
{
	const struct timespec pause = { .tv_nsec = 20 * 1000 * 1000 };

	for (size_t i = 0; i < finding->count; i++)
		if (!finding->items[i].link)
			ask_for(finding, &finding->items[i]);
	for (int waited = 0; waited < 50 && count_unknown(finding); waited++) {
		nanosleep(&pause, NULL);
		read_neighbours(finding);
	}
}

/* ---- telling them apart ---- */

static void warn(struct report *report, const struct gateway *gateway, const char *why)
{
	char via[ADDR_TEXT];
	struct diag_record *line =
		report_add(report, SEVERITY_WARNING, DIAG_reply_gateway,
			   "replies to connections on %s from gateway %s of %s leave through "
			   "another gateway: %s",
			   gateway->of->dev, addr_format(gateway->via, via),
			   gateways_owner(report->arena, gateway->of), why);

	line->where = gateway->of->origin;
	diag_help_text(line, "write `answers: none` into the table whose gateway has no incoming "
			     "connections, or `answers: ADDRESS` with this host's address that is "
			     "reached through it");
}

/* Of tables the first counts, and the main table is last. */
static void tell_apart(struct finding *finding, bool asks, struct report *report)
{
	for (size_t i = 0; i < finding->count; i++) {
		struct gateway *gateway = &finding->items[i];
		const struct gateway *same = NULL;

		for (size_t k = 0; k < i && gateway->link && !same; k++)
			if (is_rival(&finding->items[k], gateway) &&
			    finding->items[k].link == gateway->link)
				same = &finding->items[k];
		if (report && asks && !gateway->link)
			warn(report, gateway, "the kernel finds no link address of it");
		else if (report && same)
			warn(report, gateway,
			     arena_printf(report->arena,
					  "it has the link address of a gateway of %s",
					  gateways_owner(report->arena, same->of)));
		gateway->is_other = same != NULL;
	}
}

struct filled_set *filled_set_of(struct arena *arena, struct filled_sets *found, const char *base)
{
	struct filled_set *set;

	for (size_t i = 0; i < found->count; i++)
		if (strcmp(found->items[i].base, base) == 0)
			return &found->items[i];
	set = arena_append(arena, found->items, found->count);
	*set = (struct filled_set){ .base = base };
	return set;
}

struct filled_sets gateways_find(struct arena *arena, struct netlink *netlink,
				 const struct ir_fill *fills, size_t count, bool asks,
				 struct report *report)
{
	struct finding finding = { .arena = arena, .netlink = netlink };
	struct filled_sets found = { 0 };

	for (size_t i = 0; i < count; i++) {
		if (!ir_fill_is_own(&fills[i]))
			filled_set_of(arena, &found, fills[i].set);
		if (fills[i].has_via)
			add(&finding, &fills[i], fills[i].via);
	}
	for (int family = 0; family < ADDR_FAMILIES && found.count; family++)
		add_main(&finding, fills, count, (enum addr_family)family);
	drop_lonely(&finding);
	if (finding.count)
		read_neighbours(&finding);
	if (asks && count_unknown(&finding))
		ask(&finding);
	tell_apart(&finding, asks, report);
	for (size_t i = 0; i < finding.count; i++) {
		const struct gateway *gateway = &finding.items[i];
		struct filled_set *set = filled_set_of(arena, &found, gateway->of->set);

		set->is_partial |= !gateway->link;
		if (gateway->link && !gateway->is_other)
			interval_add(arena, &set->elements, wide(gateway->link),
				     wide(gateway->link));
	}
	for (size_t i = 0; i < found.count; i++)
		interval_normalise(&found.items[i].elements);
	return found;
}
