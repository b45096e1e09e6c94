/*
 * flows_forget: deletes connections on a way that is no more. What would come as an answer of one
 * that is about to go is dropped first, so that it opens none the other way round
 * (lang/lower/ended.c). At the end: which connections an apply leaves alone, and its op.
 */
#include "apply/flows_forget.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>

#include <linux/netfilter/nfnetlink_conntrack.h>

#include "apply/apply_state.h"
#include "base/arena.h"
#include "base/buf.h"
#include "base/report.h"
#include "host/flows.h"
#include "host/flows_state.h"
#include "ir/ir.h"
#include "kernel/nft_load.h"
#include "state/record.h"

/* ---- answers that are under way ---- */

static bool is_same(struct owner_end a, struct owner_end b)
{
	return addr_equal(a.addr, b.addr) && a.port == b.port;
}

/* Is no address or port of it translated, so that an answer could open it the other way round? */
static bool can_turn(const struct flow *flow)
{
	return is_same(flow->from, flow->answers_to) && is_same(flow->to, flow->answers_from);
}

/* "source . destination . protocol . port . port", as the rules ask. */
static void put_answer(const struct flow *flow, struct buf *out)
{
	char from[ADDR_TEXT], to[ADDR_TEXT];

	buf_printf(out, "%s . %s . %u . %u . %u", addr_format(flow->answers_from.addr, from),
		   addr_format(flow->answers_to.addr, to), flow->protocol, flow->answers_from.port,
		   flow->answers_to.port);
}

static void put_family(const char *table, enum addr_family family, const struct flow *const *flows,
		       size_t count, struct buf *out)
{
	const char *gap = "";

	for (size_t i = 0; i < count; i++) {
		if (flows[i]->from.addr.family != family)
			continue;
		if (!*gap)
			buf_printf(out, "add element inet %s %s {", table, ir_ended_set(family));
		buf_puts(out, gap);
		put_answer(flows[i], out);
		gap = ", ";
	}
	if (*gap)
		buf_puts(out, "}\n");
}

/* False where the policy's table has no room for them, and why. */
static bool hold_answers(struct arena *arena, const char *table, const struct flow *const *flows,
			 size_t count, const char **why)
{
	struct nft_load loader = { 0 };
	struct nft_load_error error;
	struct buf text = { 0 };
	bool done;

	for (int family = 0; family < ADDR_FAMILIES; family++)
		put_family(table, (enum addr_family)family, flows, count, &text);
	done = nft_load_run(arena, &loader, &text, NFT_LOAD_RUN, &error);
	*why = done ? NULL : error.text;
	nft_load_close(&loader);
	buf_free(&text);
	return done;
}

/* Those whose answers cannot be held stay: refused is better than turned round. */
static void guard(const struct flows_job *job, struct flows_found *found)
{
	const char *table = host_table_name(job->arena, job->after->name);
	const struct flow **flows = NULL;
	const char *why;
	size_t turning = 0, count = 0;

	for (size_t i = 0; i < found->count; i++)
		if (can_turn(&found->items[i].flow))
			*arena_append(job->arena, flows, turning) = &found->items[i].flow;
	if (!turning || hold_answers(job->arena, table, flows, turning, &why))
		return;
	flows_refused(job, "connections cannot be deleted", why);
	for (size_t i = 0; i < found->count; i++)
		if (!can_turn(&found->items[i].flow))
			found->items[count++] = found->items[i];
	found->count = count;
}

/* ---- deleting ---- */

/* False where the kernel refuses; what has gone by itself is no failure. */
static bool forget(struct netlink *netlink, const struct flows_entry *entry, bool *gone,
		   struct netlink_error *error)
{
	char room[NETLINK_REQUEST];
	struct nlmsghdr *message = flows_request(room, IPCTNL_MSG_CT_DELETE, 0, entry->family);

	mnl_attr_put(message, CTA_TUPLE_ORIG | NLA_F_NESTED, entry->length, entry->tuple);
	if (entry->has_zone)
		mnl_attr_put_u16(message, CTA_ZONE, entry->zone);
	mnl_attr_put_u32(message, CTA_ID, entry->id);
	*gone = netlink_ask(netlink, message, NULL, NULL, error);
	return *gone || error->code == ENOENT;
}

size_t flows_forget(const struct flows_job *job)
{
	struct flows_found found = flows_find(job);
	struct netlink_error error = { 0 };
	size_t count = 0;

	if (job->after) /* without a policy there are no rules to be passed by */
		guard(job, &found);
	for (size_t i = 0; i < found.count; i++) {
		bool gone;

		if (!forget(&job->kernel->nft, &found.items[i], &gone, &error)) {
			flows_refused(job, "a connection cannot be deleted", error.text);
			break;
		}
		count += gone;
	}
	if (count)
		report_step(job->report, "connections: %zu stale, deleted", count);
	return count;
}

/* ---- of an apply ---- */

static bool are_kept(const struct apply *apply)
{
	return apply->job->keep_connections || apply->after->ir.keeps_connections;
}

static bool has_listener(const struct ir_listener *listeners, size_t count,
			 const struct ir_listener *wanted)
{
	for (size_t i = 0; i < count; i++)
		if (!strcmp(listeners[i].name, wanted->name) &&
		    !strcmp(listeners[i].mode, wanted->mode) && listeners[i].port == wanted->port)
			return true;
	return false;
}

static void note_left(struct apply *apply, const struct ir_listener *listeners, size_t count)
{
	struct record *after = apply->after;

	for (size_t i = 0; i < count; i++)
		if (!has_listener(after->ir.listeners, after->ir.listener_count, &listeners[i]) &&
		    !has_listener(after->left, after->left_count, &listeners[i]))
			*arena_append(apply->arena, after->left, after->left_count) = listeners[i];
}

void apply_note_kept_flows(struct apply *apply)
{
	const struct record *before = apply->before;

	if (!before || !are_kept(apply))
		return;
	note_left(apply, before->left, before->left_count);
	note_left(apply, before->ir.listeners, before->ir.listener_count);
}

static struct flows_job job_of(struct apply *apply)
{
	return (struct flows_job){ .arena = apply->arena,
				   .report = apply->report,
				   .kernel = &apply->kernel,
				   .before = apply->before,
				   .after = apply->after };
}

static void add_op(struct apply *apply, size_t count, enum op_state state)
{
	struct op *op;

	if (!count)
		return;
	op = op_add(apply->arena, &apply->ops, OP_FLOWS_FORGET, STAGE_FLOWS);
	op->state = state;
	op->count = count;
	op->why = "on a way that would be no more";
}

void apply_forget_flows(struct apply *apply)
{
	struct flows_job job = job_of(apply);

	if (!are_kept(apply))
		add_op(apply, flows_forget(&job), OP_DONE);
}

void apply_foresee_flows(struct apply *apply, bool has_changes)
{
	struct flows_job job = job_of(apply);

	/* What is applied already, the kernel has. */
	if (has_changes)
		job.ir = apply->ir;
	if (!are_kept(apply))
		add_op(apply, flows_find(&job).count, OP_PLANNED);
}
