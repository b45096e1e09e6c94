/*
 * flows: which connections of conntrack's are on a way that is no more, and their end (see
 * flows.h).
 */
#include "host/flows.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/socket.h>

#include <linux/netfilter/nf_conntrack_common.h>
#include <linux/netfilter/nfnetlink.h>
#include <linux/netfilter/nfnetlink_conntrack.h>

#include "base/arena.h"
#include "base/report.h"
#include "host/flows_state.h"
#include "ir/ir.h"
#include "kernel/socket_table.h"
#include "state/record.h"

struct search {
	const struct flows_job *job;
	struct flows_walks walks;
	struct socket_table *sockets; /* NULL: not read yet */
	struct flows_entry *entries;
	size_t count;
};

/* ---- judging: its listener ---- */

static bool is_translated(const struct ir_listener *listener)
{
	return !strcmp(listener->mode, "redirect") || !strcmp(listener->mode, "dnat");
}

/* Is it this listener that answers the flow? A redirection is to the address that the host has
 * where the packet came in. */
static bool holds(const struct ir_listener *listener, const struct flow *flow)
{
	enum addr_family family = flow->answers_from.addr.family;

	return is_translated(listener) &&
	       (flow->protocol == IPPROTO_UDP ? listener->udp : listener->tcp) &&
	       listener->has[family] && listener->port == flow->answers_from.port &&
	       (!strcmp(listener->mode, "redirect") ||
		addr_equal(listener->addr[family], flow->answers_from.addr));
}

static bool any_holds(const struct ir_listener *listeners, size_t count, const struct flow *flow)
{
	for (size_t i = 0; i < count; i++)
		if (holds(&listeners[i], flow))
			return true;
	return false;
}

/* The policy's, or, of one that was kept at an apply, the policy's before it. */
static bool was_held(const struct record *before, const struct flow *flow)
{
	return before && (any_holds(before->ir.listeners, before->ir.listener_count, flow) ||
			  any_holds(before->left, before->left_count, flow));
}

/* A connection of TCP's goes on while its proxy lives, and is reset by the port at which no socket
 * is left. */
static bool is_alive(struct search *search, const struct flow *flow)
{
	struct owner owner;

	if (flow->protocol != IPPROTO_TCP)
		return false;
	if (!flows_is_own(&search->walks, flow->answers_from.addr))
		return true;
	return flows_owner(&search->walks, false, flow->answers_from, flow->from, &owner) !=
		       OWNER_NONE &&
	       !owner.is_left;
}

/* Its listener was the policy's, and is none any more. */
static bool is_left_over(struct search *search, const struct flow *flow)
{
	const struct flows_job *job = search->job;

	if (!(flow->status & IPS_DST_NAT) || !was_held(job->before, flow) ||
	    (job->after &&
	     any_holds(job->after->ir.listeners, job->after->ir.listener_count, flow)))
		return false;
	/* What is redirected goes to this host; a foreign translation may use the same port. */
	if (addr_equal(flow->to.addr, flow->answers_from.addr) &&
	    flow->to.port == flow->answers_from.port)
		return false;
	return !is_alive(search, flow);
}

static const struct ir_listener *find_listener(const struct record *record, const char *name)
{
	for (size_t i = 0; record && i < record->ir.listener_count; i++)
		if (!strcmp(record->ir.listeners[i].name, name))
			return &record->ir.listeners[i];
	return NULL;
}

/* Does the mark send what is this host's own to a transparent listener that the policy had not
 * before? A packet that another program had masqueraded is lost then, and the entry with it
 * (nf_nat_oif_changed in the kernel). */
static bool leads_to_new(const struct flows_job *job, uint32_t mark)
{
	const struct ir_class *way = record_way(job->after, mark);

	return way && way->listener_mode && !strcmp(way->listener_mode, "tproxy") &&
	       !find_listener(job->before, way->name);
}

/* It began without the listener that the rules would give it: refused for as long as its sender
 * goes on. TCP's are reset. */
static bool is_past_listener(struct search *search, const struct flow *flow)
{
	struct flows_fate fate;

	if (!search->job->after || flow->protocol != IPPROTO_UDP || (flow->status & IPS_DST_NAT))
		return false;
	fate = flows_begin(&search->walks, flow);
	return fate.end == FLOWS_PASSED &&
	       (fate.is_translated || (flows_is_own(&search->walks, flow->from.addr) &&
				       leads_to_new(search->job, fate.mark)));
}

/* ---- judging: its source ---- */

static bool leads_by(struct search *search, const struct ir_route *route, struct addr source)
{
	for (size_t i = 0; i < route->hop_count; i++)
		if (route->hops[i].dev &&
		    addresses_has(&search->walks.addresses, source, route->hops[i].dev))
			return true;
	return false;
}

/* Is the source one that a table gave which was the policy's, or that of its interface? */
static bool was_given(struct search *search, const struct flow *flow)
{
	const struct record *before = search->job->before;
	struct addr source = flow->answers_to.addr;

	for (size_t i = 0; before && i < before->ir.given_count; i++)
		if (addr_prefix_covers(before->ir.given[i], source))
			return true;
	for (size_t i = 0; before && i < before->ir.route_count; i++)
		if (leads_by(search, &before->ir.routes[i], source))
			return true;
	return false;
}

/* What a transparent listener took was never about to leave, and so was never translated. */
static bool was_taken(struct search *search, const struct flow *flow)
{
	const struct record *before = search->job->before;

	if (!addr_equal(flow->from.addr, flow->answers_to.addr))
		return false;
	for (size_t i = 0; before && i < before->ir.listener_count; i++)
		if (!strcmp(before->ir.listeners[i].mode, "tproxy"))
			return true;
	return false;
}

/* Has it a source that its packets would get, if it began now, where they leave? */
static bool has_fitting_source(struct search *search, const struct flow *flow,
			       const struct flows_fate *fate, const char *device)
{
	struct flows_source source = { .kind = FOREIGN_SOURCE_KEPT };
	struct addr has = flow->answers_to.addr;

	/* To a transparent listener nothing is translated. */
	if (fate->end == FLOWS_PASSED && strcmp(device, "lo") != 0)
		source = flows_leave(&search->walks, flow, fate->mark, device);
	switch (source.kind) {
	case FOREIGN_SOURCE_KEPT:
		return addr_equal(has, flow->from.addr);
	case FOREIGN_SOURCE_INTERFACE:
		return addresses_has(&search->walks.addresses, has, device);
	case FOREIGN_SOURCE_GIVEN:
		return !wide_less(has.bits, source.given) && !wide_less(source.last, has.bits);
	case FOREIGN_SOURCE_UNKNOWN:
		return true;
	}
	return true;
}

/*
 * It holds a source that another way has given, or none where its way gives one: the far end's
 * replies do not come back. Forwarded TCP is reset by the policy's rules, and may go on where its
 * table returns.
 */
static bool is_sourced_elsewhere(struct search *search, const struct flow *flow)
{
	struct flows_fate fate;
	const char *device = "lo";
	bool is_ours;

	if (!flows_walks_open(&search->walks) ||
	    ((flow->status & IPS_DST_NAT) && flows_is_own(&search->walks, flow->answers_from.addr)))
		return false;
	fate = flows_go_on(&search->walks, flow);
	if (fate.end == FLOWS_UNKNOWN || fate.end == FLOWS_ENDED)
		return false;
	is_ours = fate.end == FLOWS_TAKEN || record_way(search->job->after, fate.mark);
	if (is_ours ? flow->protocol == IPPROTO_TCP &&
			      !flows_is_own(&search->walks, flow->from.addr)
		    : !was_given(search, flow) && !was_taken(search, flow))
		return false;
	if (fate.end == FLOWS_PASSED)
		device = flows_device(&search->walks, flow, fate.mark);
	return device && !has_fitting_source(search, flow, &fate, device);
}

/* ---- judging: a listener that was away ---- */

static bool has_socket(struct search *search, const struct ir_listener *listener,
		       const struct flow *flow)
{
	const struct socket_table_way way = { .listener = listener,
					      .family = flow->from.addr.family,
					      .udp = true };

	if (!search->sockets)
		search->sockets =
			socket_table_read(search->job->arena, &search->job->kernel->route);
	return socket_table_judge(search->job->arena, search->sockets, &way).kind ==
	       SOCKET_TABLE_TAKEN;
}

/* It went direct for want of the listener's socket, which is there now, and would take it. */
static bool was_let_go(struct search *search, const struct flow *flow)
{
	const struct record *after = search->job->after;
	const struct ir_listener *listener = NULL;
	struct flow anew = *flow;

	if (!after || flow->protocol != IPPROTO_UDP)
		return false;
	for (size_t i = 0; i < after->ir.let_go_count; i++)
		if ((flow->mark & after->ir.ct_mask) == after->ir.let_go[i].value)
			listener = find_listener(after, after->ir.let_go[i].listener);
	if (!listener || !has_socket(search, listener, flow))
		return false;
	anew.mark &= ~after->ir.ct_mask;
	return flows_begin(&search->walks, &anew).end == FLOWS_TAKEN;
}

/* ---- one after the other ---- */

static bool answers_ping(const struct record *record)
{
	for (size_t i = 0; record && i < record->ir.class_count; i++)
		if (record->ir.classes[i].kind == IR_CLASS_ANSWER)
			return true;
	return false;
}

/* Echo requests that this host answers in their destination's place, and would not any more; or
 * that it would answer, had they not begun before. */
static bool is_ping_astray(struct search *search, const struct flow *flow)
{
	bool is_answered = flow->status & IPS_DST_NAT;
	struct flows_fate fate;

	if (is_answered && (!answers_ping(search->job->before) ||
			    !flows_is_own(&search->walks, flow->answers_from.addr) ||
			    flows_is_own(&search->walks, flow->to.addr)))
		return false;
	if (!answers_ping(search->job->after))
		return is_answered;
	fate = flows_begin(&search->walks, flow);
	return fate.end == FLOWS_PASSED && fate.is_translated != is_answered;
}

static bool is_astray(struct search *search, const struct flow *flow)
{
	if (flow->protocol == IPPROTO_ICMP || flow->protocol == IPPROTO_ICMPV6)
		return is_ping_astray(search, flow);
	return is_left_over(search, flow) || is_past_listener(search, flow) ||
	       is_sourced_elsewhere(search, flow) || was_let_go(search, flow);
}

/* ---- asking ---- */

struct nlmsghdr *flows_request(char *room, uint16_t type, uint16_t flags, uint8_t family)
{
	struct nlmsghdr *message =
		netlink_new(room, (uint16_t)(NFNL_SUBSYS_CTNETLINK << 8 | type), flags);
	struct nfgenmsg *header = mnl_nlmsg_put_extra_header(message, sizeof(*header));

	header->nfgen_family = family;
	header->version = NFNETLINK_V0;
	return message;
}

void flows_refused(const struct flows_job *job, const char *what, const char *why)
{
	report_add(job->report, SEVERITY_WARNING, DIAG_kernel_unreadable,
		   "%s: %s; flows older than the policy may keep their old route", what, why)
		->command = "conntrack -L";
}

static void keep(const struct nlmsghdr *message, void *user)
{
	const struct nfgenmsg *header = mnl_nlmsg_get_payload(message);
	const struct nlattr *attributes[NETLINK_ATTRIBUTES], *tuple;
	struct search *search = user;
	struct flows_entry *entry;
	struct flow flow;

	if (!netlink_read_nfnl(message, NFNL_SUBSYS_CTNETLINK << 8 | IPCTNL_MSG_CT_NEW,
			       attributes) ||
	    !flows_read(attributes, &flow))
		return;
	entry = arena_append(search->job->arena, search->entries, search->count);
	tuple = attributes[CTA_TUPLE_ORIG];
	*entry = (struct flows_entry){ .flow = flow,
				       .family = header->nfgen_family,
				       .length = mnl_attr_get_payload_len(tuple),
				       .has_zone = attributes[CTA_ZONE] != NULL,
				       .id = mnl_attr_get_u32(attributes[CTA_ID]) };
	entry->tuple = arena_alloc(search->job->arena, entry->length);
	memcpy(entry->tuple, mnl_attr_get_payload(tuple), entry->length);
	if (entry->has_zone)
		entry->zone = mnl_attr_get_u16(attributes[CTA_ZONE]);
}

static bool dump(struct search *search, struct netlink_error *error)
{
	char room[NETLINK_REQUEST];

	return netlink_dump(&search->job->kernel->nft,
			    flows_request(room, IPCTNL_MSG_CT_GET, NLM_F_DUMP, AF_UNSPEC), keep,
			    search, &search->count, error);
}

/* Does the policy send anything anywhere? */
static bool has_ways(const struct record *record)
{
	return record && (record->ir.listener_count || record->left_count ||
			  record->ir.route_count || answers_ping(record));
}

/* False where there is nothing to be judged, or the kernel does not say. */
static bool look(struct search *search)
{
	const struct flows_job *job = search->job;
	struct netlink_error error = { 0 };

	if (!has_ways(job->before) && !has_ways(job->after))
		return false;
	search->walks = (struct flows_walks){
		.arena = job->arena,
		.kernel = job->kernel,
		.ir = job->ir,
		.table = job->after ? host_table_name(job->arena, job->after->name) : NULL,
	};
	if (dump(search, &error))
		return true;
	/* A kernel without connections' netlink, or that tracks none. */
	if (error.code != EINVAL && error.code != EOPNOTSUPP)
		flows_refused(job, "the connections cannot be listed", error.text);
	return false;
}

/* Leaves those on a way that is no more. */
static void choose(struct search *search)
{
	size_t count = 0;

	for (size_t i = 0; i < search->count; i++)
		if (is_astray(search, &search->entries[i].flow))
			search->entries[count++] = search->entries[i];
	search->count = count;
}

struct flows_found flows_find(const struct flows_job *job)
{
	struct search search = { .job = job };

	if (look(&search))
		choose(&search);
	else
		search.count = 0;
	flows_walks_close(&search.walks);
	return (struct flows_found){ search.entries, search.count };
}
