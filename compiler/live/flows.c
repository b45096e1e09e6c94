/*
 * flows: which connections of conntrack's are on a way that is no more, and their end (see
 * flows.h).
 */
#include "live/flows.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/socket.h>

#include <linux/netfilter/nf_conntrack_common.h>
#include <linux/netfilter/nfnetlink.h>
#include <linux/netfilter/nfnetlink_conntrack.h>

#include "base/arena.h"
#include "ir/evaluate.h"
#include "ir/ir.h"
#include "ir/packet.h"
#include "live/hops.h"
#include "live/links.h"
#include "live/record.h"
#include "live/report.h"

enum { ATTRIBUTES = NETLINK_ATTRIBUTES };

struct end {
	struct addr addr;
	uint16_t port;
};

struct flow {
	unsigned int protocol;
	struct end from, to;                 /* as its first packet was */
	struct end answers_from, answers_to; /* as its answers are */
	uint32_t status, mark;
};

/* Enough to delete just this one: its tuple as the kernel has it, its zone, its number. */
struct doomed {
	uint8_t family;
	void *tuple;
	size_t length;
	bool has_zone;
	uint16_t zone;
	uint32_t id;
};

/* Where the kernel sends what goes to the address. */
struct hop {
	struct addr to;
	bool local;
	const char *dev; /* NULL: nowhere */
};

struct search {
	const struct flows_job *job;
	const struct ir_walker *walker;
	struct hop *hops;
	size_t hop_count;
	struct doomed *found;
	size_t count;
};

/* ---- reading ---- */

static bool read_end(const struct nlattr *ip[ATTRIBUTES], const struct nlattr *ports[ATTRIBUTES],
		     bool source, struct end *out)
{
	const struct nlattr *v4 = ip[source ? CTA_IP_V4_SRC : CTA_IP_V4_DST];
	const struct nlattr *v6 = ip[source ? CTA_IP_V6_SRC : CTA_IP_V6_DST];
	const struct nlattr *port = ports[source ? CTA_PROTO_SRC_PORT : CTA_PROTO_DST_PORT];

	if (!port || (!v4 && !v6))
		return false;
	out->port = ntohs(mnl_attr_get_u16(port));
	out->addr = v4 ? hops_address(ADDR_IPV4, v4) : hops_address(ADDR_IPV6, v6);
	return true;
}

static bool read_tuple(const struct nlattr *tuple, unsigned int *protocol, struct end *from,
		       struct end *to)
{
	const struct nlattr *parts[ATTRIBUTES], *ip[ATTRIBUTES], *ports[ATTRIBUTES];

	if (!tuple)
		return false;
	netlink_read_nested(tuple, parts);
	if (!parts[CTA_TUPLE_IP] || !parts[CTA_TUPLE_PROTO])
		return false;
	netlink_read_nested(parts[CTA_TUPLE_IP], ip);
	netlink_read_nested(parts[CTA_TUPLE_PROTO], ports);
	*protocol = ports[CTA_PROTO_NUM] ? mnl_attr_get_u8(ports[CTA_PROTO_NUM]) : 0;
	return read_end(ip, ports, true, from) && read_end(ip, ports, false, to);
}

/* TCP and UDP; what has no ports is left. */
static bool read_flow(const struct nlattr *attributes[ATTRIBUTES], struct flow *out)
{
	unsigned int back;

	*out = (struct flow){ 0 };
	if (!attributes[CTA_STATUS] || !attributes[CTA_ID] ||
	    !read_tuple(attributes[CTA_TUPLE_ORIG], &out->protocol, &out->from, &out->to) ||
	    !read_tuple(attributes[CTA_TUPLE_REPLY], &back, &out->answers_from, &out->answers_to))
		return false;
	out->status = ntohl(mnl_attr_get_u32(attributes[CTA_STATUS]));
	out->mark = attributes[CTA_MARK] ? ntohl(mnl_attr_get_u32(attributes[CTA_MARK])) : 0;
	return out->protocol == IPPROTO_TCP || out->protocol == IPPROTO_UDP;
}

/* ---- judging ---- */

static const struct hop *towards(struct search *search, struct addr to)
{
	const struct flows_job *job = search->job;
	struct hop *hop;

	for (size_t i = 0; i < search->hop_count; i++)
		if (addr_equal(search->hops[i].to, to))
			return &search->hops[i];
	hop = arena_append(job->arena, search->hops, search->hop_count);
	*hop = (struct hop){ .to = to, .local = links_has_address(&job->kernel->route, to) };
	if (!hop->local)
		hop->dev = links_towards(job->arena, &job->kernel->route, to);
	return hop;
}

static bool is_translated(const struct ir_listener *listener)
{
	return !strcmp(listener->mode, "redirect") || !strcmp(listener->mode, "dnat");
}

/* Is it this listener that answers the flow? A redirection is to the address that the host has
 * where the packet came in. */
static bool holds(const struct ir_listener *listener, const struct flow *flow)
{
	enum addr_family family = flow->answers_from.addr.family;

	return is_translated(listener) && listener->udp && listener->has[family] &&
	       listener->port == flow->answers_from.port &&
	       (!strcmp(listener->mode, "redirect") ||
		addr_equal(listener->addr[family], flow->answers_from.addr));
}

static bool any_holds(const struct record *record, const struct flow *flow)
{
	for (size_t i = 0; record && i < record->listener_count; i++)
		if (holds(&record->listeners[i], flow))
			return true;
	return false;
}

/* Its listener was the policy's, and is none any more. */
static bool is_left_over(struct search *search, const struct flow *flow)
{
	const struct flows_job *job = search->job;

	if (!(flow->status & IPS_DST_NAT) || !any_holds(job->before, flow) ||
	    any_holds(job->after, flow))
		return false;
	/* What is redirected goes to this host; a foreign translation may use the same port. */
	return !addr_equal(flow->to.addr, flow->answers_from.addr) ||
	       flow->to.port != flow->answers_from.port;
}

/* A forwarded flow that began without the listener that the rules would give it: refused for as
 * long as its sender goes on. Whose a flow of this host's own is cannot be told from here. */
static bool is_past_listener(struct search *search, const struct flow *flow)
{
	struct ir_packet packet = { .scope = SCOPE_FORWARD,
				    .out = "",
				    .family = flow->from.addr.family,
				    .from = flow->from.addr.bits,
				    .to = flow->to.addr.bits,
				    .has_from = true,
				    .has_to = true,
				    .protocol = flow->protocol,
				    .source_port = flow->from.port,
				    .port = flow->to.port,
				    .ct_mark = flow->mark,
				    .state = STATE_NEW };
	const struct hop *from;
	struct ir_outcome outcome;

	if (!search->walker || (flow->status & IPS_DST_NAT))
		return false;
	from = towards(search, flow->from.addr);
	if (from->local || !from->dev || towards(search, flow->to.addr)->local)
		return false;
	packet.in = from->dev;
	outcome = ir_walk(search->walker, &packet, NULL);
	return outcome.verdict == VERDICT_ACCEPT && outcome.way && outcome.way->listener_mode &&
	       !outcome.choice && strcmp(outcome.way->listener_mode, "tproxy") != 0;
}

static void doom(struct search *search, const struct nlmsghdr *message,
		 const struct nlattr *attributes[ATTRIBUTES])
{
	const struct nfgenmsg *header = mnl_nlmsg_get_payload(message);
	struct doomed *doomed = arena_append(search->job->arena, search->found, search->count);
	const struct nlattr *tuple = attributes[CTA_TUPLE_ORIG];

	doomed->family = header->nfgen_family;
	doomed->length = mnl_attr_get_payload_len(tuple);
	doomed->tuple = arena_alloc(search->job->arena, doomed->length);
	memcpy(doomed->tuple, mnl_attr_get_payload(tuple), doomed->length);
	doomed->has_zone = attributes[CTA_ZONE] != NULL;
	doomed->zone = doomed->has_zone ? mnl_attr_get_u16(attributes[CTA_ZONE]) : 0;
	doomed->id = mnl_attr_get_u32(attributes[CTA_ID]);
}

/* A connection of TCP's is refused, or reset by the port that nothing waits at: its client knows.
 */
static void judge(const struct nlmsghdr *message, void *user)
{
	const struct nlattr *attributes[ATTRIBUTES];
	struct search *search = user;
	struct flow flow;

	if (netlink_read_nfnl(message, NFNL_SUBSYS_CTNETLINK << 8 | IPCTNL_MSG_CT_NEW,
			      attributes) &&
	    read_flow(attributes, &flow) && flow.protocol == IPPROTO_UDP &&
	    (is_left_over(search, &flow) || is_past_listener(search, &flow)))
		doom(search, message, attributes);
}

/* ---- asking ---- */

static struct nlmsghdr *request(char *room, uint16_t type, uint16_t flags, uint8_t family)
{
	struct nlmsghdr *message =
		netlink_new(room, (uint16_t)(NFNL_SUBSYS_CTNETLINK << 8 | type), flags);
	struct nfgenmsg *header = mnl_nlmsg_put_extra_header(message, sizeof(*header));

	header->nfgen_family = family;
	header->version = NFNETLINK_V0;
	return message;
}

/* False where the kernel refuses; what has gone by itself is no failure. */
static bool forget(struct netlink *netlink, const struct doomed *doomed, bool *gone,
		   struct netlink_error *error)
{
	char room[NETLINK_REQUEST];
	struct nlmsghdr *message = request(room, IPCTNL_MSG_CT_DELETE, 0, doomed->family);

	mnl_attr_put(message, CTA_TUPLE_ORIG | NLA_F_NESTED, doomed->length, doomed->tuple);
	if (doomed->has_zone)
		mnl_attr_put_u16(message, CTA_ZONE, doomed->zone);
	mnl_attr_put_u32(message, CTA_ID, doomed->id);
	*gone = netlink_ask(netlink, message, NULL, NULL, error);
	return *gone || error->code == ENOENT;
}

static void refused(const struct flows_job *job, const char *what, const char *why)
{
	report_add(job->report, REPORT_WARNING,
		   "%s: %s; flows that are older than the policy may stay where they were", what,
		   why)
		->command = "conntrack -L -p udp";
}

static bool dump(struct search *search, struct netlink_error *error)
{
	enum { TRIES = 4 };
	bool done = false;

	for (int i = 0; i < TRIES && !done; i++) {
		char room[NETLINK_REQUEST];

		search->count = 0;
		done = netlink_ask(&search->job->kernel->nft,
				   request(room, IPCTNL_MSG_CT_GET, NLM_F_DUMP, AF_UNSPEC), judge,
				   search, error);
		if (!done && error->code != EINTR)
			break;
	}
	return done;
}

static bool has_translated(const struct record *record)
{
	for (size_t i = 0; record && i < record->listener_count; i++)
		if (is_translated(&record->listeners[i]) && record->listeners[i].udp)
			return true;
	return false;
}

size_t flows_forget(const struct flows_job *job)
{
	struct search search = { .job = job };
	struct netlink_error error = { 0 };
	size_t count = 0;

	if (!has_translated(job->before) && !has_translated(job->after))
		return 0;
	if (job->ir)
		search.walker = ir_walker(job->arena, job->ir);
	if (!dump(&search, &error)) {
		/* A kernel without connections' netlink, or that tracks none. */
		if (error.code != EINVAL && error.code != EOPNOTSUPP)
			refused(job, "the connections cannot be listed", error.text);
		return 0;
	}
	for (size_t i = 0; i < search.count; i++) {
		bool gone;

		if (!forget(&job->kernel->nft, &search.found[i], &gone, &error)) {
			refused(job, "a connection cannot be deleted", error.text);
			break;
		}
		count += gone;
	}
	if (count)
		report_add(job->report, REPORT_STEP,
			   "connections: %zu on a way that is no more, deleted", count);
	return count;
}
