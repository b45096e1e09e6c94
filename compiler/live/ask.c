/*
 * ask: one packet's question to the kernel (see ask.h).
 *
 * The route is asked for as the packet would ask: what arrives by the interface it arrives on, what
 * this host sends as its user. Where that is not known, the kernel is asked without.
 */
#include "live/ask.h"

#include <errno.h>
#include <inttypes.h>
#include <net/if.h>
#include <netinet/in.h>
#include <pwd.h>
#include <stdlib.h>
#include <sys/socket.h>

#include <arpa/inet.h>
#include <linux/rtnetlink.h>

#include "base/arena.h"
#include "base/buf.h"
#include "emit/ipbatch.h"
#include "live/diff.h"
#include "live/observe.h"
#include "live/sockets.h"

struct asking {
	struct arena *arena;
	const struct ask_question *question;
	struct kernel kernel;
	struct ask_answer *out;
};

static struct report_line *differ(struct asking *asking, const char *text)
{
	return report_add(asking->out->problems, REPORT_WARNING, "%s", text);
}

static const char *keep(struct asking *asking, struct buf *text)
{
	const char *kept = arena_strdup(asking->arena, buf_text(text));

	buf_free(text);
	return kept;
}

/* ---- the policy ---- */

static bool is_digest(struct asking *asking, uint64_t digest)
{
	const uint64_t *digests = asking->question->digests;
	int level = 0;

	while (level < ASK_LEVELS && digests[level] != digest)
		level++;
	asking->out->level = level;
	return level < ASK_LEVELS;
}

static bool check_policy(struct asking *asking, struct netlink_error *error)
{
	const struct ask_question *question = asking->question;
	const struct about_line *about;
	struct ruleset_table table;
	const char *text = NULL;

	if (!ruleset_observe(asking->arena, &asking->kernel.nft, question->ir->table, &table,
			     error))
		return false;
	about = ruleset_about(&table, ABOUT_POLICY);
	if (!table.exists)
		text = "there is no nft table inet %s: the policy is not applied here";
	else if (!about || !is_digest(asking, about->digest))
		text = "the nft table inet %s holds another policy, or this one as it was before it was changed";
	else if (table.is_asleep)
		text = "the nft table inet %s is dormant: it sees no packets";
	asking->out->is_applied = !text;
	if (!text)
		return true;
	differ(asking, arena_printf(asking->arena, text, question->ir->table))->command =
		question->policy ? record_apply_command(asking->arena, NULL, question->policy)
				 : NULL;
	return true;
}

/* ---- the ip rule ---- */

static bool check_rule(struct asking *asking, struct netlink_error *error)
{
	const struct ir_ip_rule *wanted = asking->question->lookup.rule;
	struct rules_list list = { 0 };
	struct buf command = { 0 };

	if (!wanted)
		return true;
	if (!rules_observe(asking->arena, &asking->kernel.route, wanted->family, &list, error))
		return false;
	for (size_t i = 0; i < list.count; i++)
		if (list.items[i].protocol == asking->question->ir->protocol &&
		    rules_equal(&list.items[i].rule, wanted))
			return true;
	rules_put_command(&command, "add", wanted, asking->question->ir->protocol);
	differ(asking, arena_printf(asking->arena, "the IPv%c rule %" PRIu32 " is missing",
				    wanted->family == ADDR_IPV6 ? '6' : '4', wanted->priority))
		->command = keep(asking, &command);
	return true;
}

/* ---- the route ---- */

static void put_address(struct nlmsghdr *request, uint16_t type, enum addr_family family,
			addr_bits bits)
{
	size_t length = addr_width(family) / 8;
	uint8_t bytes[16];

	for (size_t i = length; i > 0; i--, bits >>= 8)
		bytes[i - 1] = (uint8_t)bits;
	mnl_attr_put(request, type, length, bytes);
}

/* The index of the interface that the packet comes by; 0 when it is not known. */
static unsigned int find_interface(struct asking *asking)
{
	const struct ir_packet *packet = asking->question->packet;
	unsigned int index = *packet->in ? if_nametoindex(packet->in) : 0;

	if (*packet->in && !index)
		differ(asking, arena_printf(asking->arena, "there is no interface %s", packet->in));
	return index;
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

static void put_ports(struct nlmsghdr *request, const struct ir_packet *packet)
{
	if (packet->protocol != IPPROTO_TCP && packet->protocol != IPPROTO_UDP)
		return;
	mnl_attr_put_u8(request, RTA_IP_PROTO, (uint8_t)packet->protocol);
	if (packet->source_port)
		mnl_attr_put_u16(request, RTA_SPORT, htons((uint16_t)packet->source_port));
	if (packet->port)
		mnl_attr_put_u16(request, RTA_DPORT, htons((uint16_t)packet->port));
}

/* What is forwarded needs both its interface and its source, or the kernel takes the question for
 * one about itself. */
static void put_question(struct asking *asking, struct nlmsghdr *request)
{
	const struct ask_question *question = asking->question;
	const struct ir_packet *packet = question->packet;
	struct rtmsg *header = mnl_nlmsg_put_extra_header(request, sizeof(*header));
	bool is_local = packet->scope == SCOPE_LOCAL;
	unsigned int in = is_local ? 0 : find_interface(asking);
	unsigned int width = addr_width(packet->family);
	bool with_source = packet->has_from && (in || is_local);
	uint32_t user;

	header->rtm_family = packet->family == ADDR_IPV6 ? AF_INET6 : AF_INET;
	header->rtm_dst_len = (uint8_t)width;
	/* IPv6 says the table unasked, and takes the other flag for a mistake. */
	header->rtm_flags = packet->family == ADDR_IPV6 ? RTM_F_FIB_MATCH
							: RTM_F_LOOKUP_TABLE | RTM_F_FIB_MATCH;
	put_address(request, RTA_DST, packet->family, packet->to);
	if (with_source) {
		header->rtm_src_len = (uint8_t)width;
		put_address(request, RTA_SRC, packet->family, packet->from);
	}
	if (in && packet->has_from)
		mnl_attr_put_u32(request, RTA_IIF, in);
	if (question->mark)
		mnl_attr_put_u32(request, RTA_MARK, question->mark);
	if (is_local && find_user(packet->user, &user))
		mnl_attr_put_u32(request, RTA_UID, user);
	put_ports(request, packet);
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

static bool is_own_table(const struct ir *ir, uint32_t table)
{
	for (size_t i = 0; i < ir->route_count; i++)
		if (ir->routes[i].table == table)
			return true;
	return false;
}

static void differ_route(struct asking *asking, const char *wanted)
{
	const char *found =
		asking->out->route
			? arena_printf(asking->arena, "sends it by \"%s\"", asking->out->route)
			: arena_printf(asking->arena, "has no route for it (%s)",
				       asking->out->refusal);

	differ(asking, arena_printf(asking->arena, "the kernel %s, and the policy's way is \"%s\"",
				    found, wanted));
}

/* Does the kernel hold the route at all? */
static bool check_held(struct asking *asking, const struct ir_route *wanted,
		       struct netlink_error *error)
{
	struct routes_list list = { 0 };
	struct buf command = { 0 };
	const char *lost;

	if (!routes_observe(asking->arena, &asking->kernel.route, wanted->family, wanted->table,
			    &list, error))
		return false;
	for (size_t i = 0; i < list.count; i++)
		if (routes_fulfil(&list.items[i].route, wanted))
			return true;
	lost = diff_lost_words(asking->arena, wanted);
	if (lost) {
		differ(asking, lost);
		return true;
	}
	routes_put_command(&command, "add", wanted, asking->question->ir->protocol);
	differ(asking,
	       arena_printf(asking->arena, "table %" PRIu32 " has lost its route", wanted->table))
		->command = keep(asking, &command);
	return true;
}

static bool compare_route(struct asking *asking, const struct routes_seen *found,
			  struct netlink_error *error)
{
	const struct ask_question *question = asking->question;
	const struct ir_ip_rule *rule = question->lookup.rule;
	const struct ir_route *wanted = question->lookup.route;
	struct buf text = { 0 };

	if (found && question->lookup.after_main && found->route.table == IR_TABLE_MAIN &&
	    (found->route.to.length || question->lookup.after_default))
		return true;
	if (!wanted && rule && rule->action != IR_RULE_LOOKUP) {
		if (found)
			differ_route(asking, ir_action_name(rule->action));
		return true;
	}
	if (!wanted) {
		if (found && is_own_table(question->ir, found->route.table))
			differ_route(asking, "main");
		asking->out->lacks_route = !found;
		return true;
	}
	if (!check_held(asking, wanted, error))
		return false;
	if (found && found->route.table == wanted->table && routes_fulfil(&found->route, wanted))
		return true;
	ipbatch_put_route(wanted, question->ir->protocol, &text);
	differ_route(asking, keep(asking, &text));
	return true;
}

static bool check_route(struct asking *asking, struct netlink_error *error)
{
	struct routes_list list = { 0 };
	struct nlmsghdr *request;
	char room[NETLINK_REQUEST];

	if (!asking->question->is_routed || !asking->question->packet->has_to)
		return true;
	request = netlink_new(room, RTM_GETROUTE, 0);
	put_question(asking, request);
	if (!routes_ask(asking->arena, &asking->kernel.route, request,
			asking->question->packet->family, &list, error)) {
		asking->out->refusal = refusal_words(error->code);
		if (!asking->out->refusal)
			return false;
	}
	if (list.count)
		asking->out->route = list.items[0].text;
	return compare_route(asking, list.count ? &list.items[0] : NULL, error);
}

/* ---- the listener ---- */

static void check_listener(struct asking *asking)
{
	const struct ir_listener *listener = asking->question->listener;
	const struct ir_packet *packet = asking->question->packet;
	bool udp = packet->protocol == IPPROTO_UDP;
	char addr[ADDR_TEXT];

	if (!listener || !listener->on_this_host || !listener->has[packet->family] ||
	    sockets_has_listener(listener, packet->family, udp))
		return;
	differ(asking,
	       arena_printf(asking->arena, "nobody waits at %s %s port %u: the listener %s is down",
			    udp ? "udp" : "tcp", addr_format(listener->addr[packet->family], addr),
			    listener->port, listener->name));
}

bool ask_host(struct arena *arena, struct report *report, const struct ask_question *question,
	      struct ask_answer *out)
{
	struct asking asking = { .arena = arena, .question = question, .out = out };
	struct netlink_error error;
	bool good = observe_open(&asking.kernel, &error);

	*out = (struct ask_answer){ .problems = arena_new_of(arena, struct report) };
	out->problems->arena = arena;
	good = good && check_policy(&asking, &error);
	if (good && out->is_applied)
		good = check_rule(&asking, &error) && check_route(&asking, &error);
	if (good && out->is_applied)
		check_listener(&asking);
	observe_close(&asking.kernel);
	return good || observe_refused(report, &error);
}
