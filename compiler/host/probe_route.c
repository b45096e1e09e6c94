/*
 * probe_route: the ip rule, the route, and how both compare with the policy's.
 *
 * The route is asked for as the packet would ask: what arrives by the interface it arrives on, what
 * this host sends as its user. Where that is not known, the kernel is asked without.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <inttypes.h>
#include <net/if.h>
#include <netinet/in.h>
#include <pwd.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include <linux/rtnetlink.h>

#include "base/arena.h"
#include "base/buf.h"
#include "emit/ipbatch.h"
#include "host/diff.h"
#include "host/learnt.h"
#include "host/obstacles.h"
#include "host/probe_state.h"
#include "kernel/link.h"
#include "kernel/sysctl.h"

/* ---- the ip rule ---- */

static void check_rule(struct probe *ask)
{
	const struct ir_ip_rule *wanted = ask->question->lookup.rule;
	const struct ip_rule_list *list = &ask->observed.rules;
	struct buf command = { 0 };

	if (!wanted)
		return;
	for (size_t i = 0; i < list->count; i++)
		if (list->items[i].protocol == ask->ir->protocol &&
		    ip_rule_equal(&list->items[i].rule, wanted)) {
			probe_note(ask, "IPv%c rule %" PRIu32 " exists", addr_digit(wanted->family),
				   wanted->priority);
			return;
		}
	ip_rule_put_command(&command, "add", wanted, ask->ir->protocol);
	probe_differ(ask, "the IPv%c rule %" PRIu32 " is missing", addr_digit(wanted->family),
		     wanted->priority)
		->command = buf_keep(ask->packet_arena, &command);
}

/* ---- the route ---- */

static void put_address(struct nlmsghdr *request, uint16_t type, enum addr_family family,
			struct wide bits)
{
	size_t length = addr_width(family) / 8;
	uint8_t bytes[16];

	wide_put(bits, bytes, length);
	mnl_attr_put(request, type, length, bytes);
}

static bool find_user(const char *user, uint32_t *id)
{
	char *end;
	const struct passwd *account;
	unsigned long number = user ? strtoul(user, &end, 10) : 0;

	if (!user)
		return false;
	if (!*end) {
		*id = (uint32_t)number;
		return true;
	}
	account = getpwnam(user);
	if (account)
		*id = account->pw_uid;
	return account != NULL;
}

static void put_ports(struct nlmsghdr *request, const struct ir_packet *packet, unsigned int port)
{
	if (packet->protocol != IPPROTO_TCP && packet->protocol != IPPROTO_UDP)
		return;
	mnl_attr_put_u8(request, RTA_IP_PROTO, (uint8_t)packet->protocol);
	if (packet->source_port)
		mnl_attr_put_u16(request, RTA_SPORT, htons((uint16_t)packet->source_port));
	if (port)
		mnl_attr_put_u16(request, RTA_DPORT, htons((uint16_t)port));
}

/* The kernel chooses a source once it has a route; with it, it asks again where rules have given a
 * mark (ip_route_me_harder). */
static bool has_source(const struct probe *ask, unsigned int in)
{
	const struct ir_packet *packet = ask->question->packet;

	if (packet->scope != SCOPE_LOCAL)
		return packet->has_from && in;
	return packet->has_from && (!ask->chose_source || ask->question->class);
}

/* What is forwarded needs both its interface and its source, or the kernel takes the question for
 * one about itself. */
static void put_question(struct probe *ask, struct nlmsghdr *request)
{
	const struct ir_packet *packet = ask->question->packet;
	struct rtmsg *header = mnl_nlmsg_put_extra_header(request, sizeof(*header));
	bool is_local = packet->scope == SCOPE_LOCAL;
	unsigned int in = is_local || !*packet->in ? 0 : if_nametoindex(packet->in);
	unsigned int width = addr_width(packet->family);
	uint32_t user;

	header->rtm_family = netlink_family(packet->family);
	header->rtm_dst_len = (uint8_t)width;
	/* IPv6 says the table unasked, and takes the other flag for a mistake. */
	header->rtm_flags = packet->family == ADDR_IPV6 ? RTM_F_FIB_MATCH
							: RTM_F_LOOKUP_TABLE | RTM_F_FIB_MATCH;
	put_address(request, RTA_DST, packet->family, ask->now.to);
	if (has_source(ask, in)) {
		header->rtm_src_len = (uint8_t)width;
		put_address(request, RTA_SRC, packet->family, packet->from);
	}
	if (in && packet->has_from)
		mnl_attr_put_u32(request, RTA_IIF, in);
	if (ask->now.mark)
		mnl_attr_put_u32(request, RTA_MARK, ask->now.mark);
	if (is_local && find_user(packet->user, &user))
		mnl_attr_put_u32(request, RTA_UID, user);
	put_ports(request, packet, ask->now.port);
}

/* What the kernel answers to a packet that it has no route for; false for what is no such answer.
 */
static const char *refusal_words(int code)
{
	switch (code) {
	case ENETUNREACH:
	case EHOSTUNREACH:
	case ESRCH:
		return "unreachable";
	case EACCES:
		return "prohibit";
	case EINVAL:
		return "blackhole, or no source for it";
	case EXDEV:
		return "the source does not come by this interface (rp_filter)";
	}
	return NULL;
}

/* The foreign ip rule that leads to the table before the policy's own rule does, or NULL. */
static const struct ip_rule_seen *rule_in_front(const struct probe *ask,
						const struct route_seen *found)
{
	const struct ir_ip_rule *own = ask->question->lookup.rule;

	for (size_t i = 0; found && own && i < ask->observed.rules.count; i++) {
		const struct ip_rule_seen *seen = &ask->observed.rules.items[i];

		if (seen->is_lookup && seen->rule.family == own->family &&
		    seen->rule.priority < own->priority && seen->rule.table == found->route.table &&
		    !host_owns_rule(&ask->observed, seen))
			return seen;
	}
	return NULL;
}

static void differ_route(struct probe *ask, const struct route_seen *route, const char *wanted)
{
	const struct ip_rule_seen *before = rule_in_front(ask, route);
	const char *found =
		ask->out->route
			? arena_printf(ask->packet_arena, "sends it by \"%s\"", ask->out->route)
			: arena_printf(ask->packet_arena, "has no route for it (%s)",
				       ask->out->refusal);
	struct diag_record *line;

	line = probe_differ(ask, "the kernel %s, and the policy's way is \"%s\"", found, wanted);
	if (before)
		diag_help(line, "this foreign ip rule comes before the policy's: %s", before->text);
}

/* Does the kernel hold the route at all? */
static void check_held(struct probe *ask, const struct ir_route *wanted)
{
	const struct route_list *list = &ask->observed.routes;
	struct buf command = { 0 };
	const char *lost;

	for (size_t i = 0; i < list->count; i++)
		if (list->items[i].route.family == wanted->family &&
		    list->items[i].route.table == wanted->table &&
		    route_fulfil(&list->items[i].route, wanted))
			return;
	lost = diff_lost_words(ask->packet_arena, wanted);
	if (lost) {
		probe_differ(ask, "%s", lost);
		return;
	}
	route_put_command(&command, "add", wanted, ask->ir->protocol);
	probe_differ(ask, "table %" PRIu32 " has lost its route", wanted->table)->command =
		buf_keep(ask->packet_arena, &command);
}

/* The routes by an interface without carrier are left out (ignore_routes_with_linkdown). */
static void check_carriers(struct probe *ask, const struct ir_route *wanted)
{
	for (size_t i = 0; i < wanted->hop_count; i++)
		if (wanted->hops[i].dev && if_nametoindex(wanted->hops[i].dev))
			probe_interface(ask, wanted->hops[i].dev, "leaves by");
}

/* Is it what the main table was asked for before the policy's tables, or the copy of it? */
static bool is_from_main(const struct probe *ask, const struct route_seen *found)
{
	if (ask->ir->main_copy && found->route.table == ask->ir->main_copy)
		return true;
	return found->route.table == IR_TABLE_MAIN &&
	       (found->route.to.length || ask->question->lookup.after_default);
}

/* That of the policy's tables, by the gateway that this host has now. */
static const struct ir_route *wanted_route(struct probe *ask)
{
	struct ir_route *found = arena_new_of(ask->packet_arena, struct ir_route);

	if (!ask->question->lookup.route)
		return NULL;
	*found = learnt_route(ask->packet_arena, &ask->kernel.route, &ask->observed,
			      ask->question->lookup.route);
	return found;
}

static void compare_route(struct probe *ask, const struct route_seen *found)
{
	const struct probe_question *question = ask->question;
	const struct ir_ip_rule *rule = question->lookup.rule;
	const struct ir_route *wanted = wanted_route(ask);
	struct buf text = { 0 };

	if (found && question->lookup.after_main && is_from_main(ask, found))
		return;
	if (!wanted && rule && rule->action != IR_RULE_LOOKUP) {
		if (found)
			differ_route(ask, found, ir_action_name(rule->action));
		return;
	}
	if (!wanted && rule && ir_table_is_foreign(ask->ir, rule->table)) {
		if (!found || found->route.table != rule->table)
			differ_route(ask, found,
				     arena_printf(ask->packet_arena, "table %" PRIu32,
						  rule->table));
		return;
	}
	if (!wanted) {
		if (found && ir_has_table(ask->ir, found->route.table))
			differ_route(ask, found, "main");
		ask->out->lacks_route = !found;
		return;
	}
	check_held(ask, wanted);
	/* To an address of this host the table `local` leads as well. */
	if (found && found->route.type == IR_ROUTE_LOCAL && wanted->type == IR_ROUTE_LOCAL)
		return;
	if (found && found->route.table == wanted->table && route_fulfil(&found->route, wanted))
		return;
	if (!found || found->route.table != wanted->table)
		check_carriers(ask, wanted);
	ipbatch_put_route(wanted, ask->ir->protocol, &text);
	differ_route(ask, found, buf_keep(ask->packet_arena, &text));
}

/* Masquerade has no address to give: host/obstacles.c. */
static void check_source(struct probe *ask, const struct ir_route *route)
{
	const char *bare = obstacles_bare_device(&ask->kernel.route, ask->ir, route);

	if (!bare)
		return;
	diag_help_text(probe_differ(ask, "%s has no IPv%c address to masquerade with%s", bare,
				    addr_digit(route->family),
				    route->family == ADDR_IPV6 ? ": the packet is dropped" : ""),
		       "give the interface one, then apply again");
}

/* What this host sends needs a route of the main table's before the policy's chain is asked. */
static void check_unmarked(struct probe *ask)
{
	const struct ir_packet *packet = ask->question->packet;
	struct addr to = { packet->family, packet->to };
	struct link_fib fib;

	if (packet->scope != SCOPE_LOCAL || !packet->has_to || !ask->question->class)
		return;
	fib = link_fib(ask->packet_arena, &ask->kernel.route, to);
	if (!fib.device && !fib.is_local && !fib.is_broadcast && !fib.is_anycast)
		diag_help_text(
			probe_differ(ask,
				     "the main table has no route for it, so the program gets \"Network is unreachable\" before the policy's rules see the packet"),
			"give main a second default route through a link that works, with a larger metric");
}

static void check_devices(struct probe *ask, const struct ir_route *route, struct probe_way *way)
{
	bool is_one = route->hop_count == 1;

	for (size_t i = 0; i < route->hop_count; i++) {
		const char *dev = route->hops[i].dev;

		if (!dev)
			continue;
		probe_interface(ask, dev, is_one ? "leaves by" : "of its share leaves by");
		if (is_one)
			way->device = dev;
	}
	if (!is_one)
		probe_doubt(ask, "the route has several gateways: which of them a connection gets");
}

/* A refusal that a sysctl explains is reported with the sysctl. */
static void explain_refusal(struct probe *ask, int code)
{
	const char *filter = code == EXDEV || code == EINVAL ? probe_reverse_filter(ask) : NULL;

	ask->out->refusal = filter ? filter : refusal_words(code);
	if (filter)
		probe_differ(ask, "the packet is dropped: %s", filter);
}

/* Was its destination changed to one that the policy sends nothing to by its ip rules? */
static bool goes_elsewhere(const struct probe *ask)
{
	const struct probe_question *question = ask->question;
	const struct ir_listener *listener = question->listener;
	enum addr_family family = question->packet->family;

	return ask->now.is_translated &&
	       !(listener && question->class->priority && listener->has[family] &&
		 wide_equal(ask->now.to, listener->addr[family].bits));
}

bool probe_route(struct probe *ask, struct probe_way *way)
{
	struct route_list list = { 0 };
	const struct route_seen *found;
	struct nlmsghdr *request;
	char room[NETLINK_REQUEST];
	size_t before = ask->out->problems->count;

	*way = (struct probe_way){ 0 };
	check_unmarked(ask);
	request = netlink_new(room, RTM_GETROUTE, 0);
	put_question(ask, request);
	if (!route_ask(ask->packet_arena, &ask->kernel.route, request,
		       ask->question->packet->family, &list, &ask->error)) {
		explain_refusal(ask, ask->error.code);
		if (!ask->out->refusal)
			return false;
		ask->error.code = 0;
	}
	found = list.count ? &list.items[0] : NULL;
	if (found)
		ask->out->route = found->text;
	/* Of what this host does not forward, the kernel tells no route (IPv4). */
	if (!found || found->route.type != IR_ROUTE_LOCAL)
		probe_forwarding(ask);
	if (!goes_elsewhere(ask))
		check_rule(ask);
	/* What has another destination now does not go the policy's way, or goes to its listener.
	 */
	if (!goes_elsewhere(ask) &&
	    (found || ask->out->problems->count == before || ask->question->lookup.route))
		compare_route(ask, found);
	way->is_known = found != NULL;
	way->is_local = found && found->route.type == IR_ROUTE_LOCAL;
	if (found && !way->is_local) {
		check_devices(ask, &found->route, way);
		check_source(ask, &found->route);
	}
	return true;
}
