/*
 * probe: a session of questions to this host (see probe.h). What is the same for all packets is
 * read when it opens.
 */
#include "host/probe.h"

#include <inttypes.h>
#include <net/if.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>

#include "base/arena.h"
#include "base/buf.h"
#include "host/probe_state.h"
#include "host/table_checks.h"
#include "kernel/nft_elements.h"
#include "kernel/socket_table.h"
#include "state/pending.h"
#include "state/rundir.h"

static struct report *new_report(struct arena *arena, const struct report *from)
{
	struct report *report = arena_new_of(arena, struct report);

	*report = (struct report){ .arena = arena };
	for (size_t i = 0; from && i < from->count; i++)
		*arena_append(arena, report->records, report->count) = from->records[i];
	for (size_t i = 0; from && i < from->step_count; i++)
		*arena_append(arena, report->steps, report->step_count) = from->steps[i];
	return report;
}

static bool refused(struct probe *ask, struct report *report)
{
	return host_refused(report, &ask->error);
}

/* ---- sets that are filled at run time ---- */

static struct probe_member *find_member(struct probe *ask, const struct ir_set *set,
					struct wide value)
{
	for (size_t i = 0; i < ask->member_count; i++)
		if (!strcmp(ask->members[i].set->base, set->base) &&
		    wide_equal(ask->members[i].value, value))
			return &ask->members[i];
	return NULL;
}

/* A set that the kernel does not say anything of holds nothing, and the session ends with that. */
static struct probe_member *probe_member(struct probe *ask, const struct ir_set *set,
					 struct wide value)
{
	struct probe_member *member =
		arena_append(ask->packet_arena, ask->members, ask->member_count);
	struct nft_elements contents;

	*member = (struct probe_member){ .set = set, .value = value };
	if (!nft_elements_find(ask->packet_arena, &ask->kernel.nft, ask->ir->table, set->base,
			       set->type, value, &contents, &ask->error))
		return member;
	ask->error.code = 0;
	member->is_there = contents.ranges.count > 0;
	if (member->is_there) {
		member->element = contents.ranges.items[0];
		member->left = contents.times[0].left;
	}
	return member;
}

static bool held_find(struct ir_held *held, const struct ir_set *set, struct wide value,
		      struct interval *element)
{
	struct probe *ask = (struct probe *)held;
	const struct probe_member *member = find_member(ask, set, value);

	if (!member)
		member = probe_member(ask, set, value);
	*element = member->element;
	return member->is_there;
}

static void note_members(struct probe *ask)
{
	enum addr_family family = ask->question->packet->family;

	for (size_t i = 0; i < ask->member_count; i++) {
		const struct probe_member *member = &ask->members[i];
		struct buf text = { 0 };
		char address[ADDR_TEXT];

		addr_format((struct addr){ family, member->value }, address);
		buf_printf(&text, "set %s: %s is %sin it", member->set->base, address,
			   member->is_there ? "" : "not ");
		if (member->is_there && !interval_is_one(member->element)) {
			buf_puts(&text, ", by its element ");
			addr_put_interval(&text, family, member->element);
		}
		if (member->is_there && member->left)
			buf_printf(&text, ", for %" PRIu64 " more seconds",
				   (member->left + 999) / 1000);
		probe_note(ask, "%s", buf_text(&text));
		buf_free(&text);
	}
}

/* ---- the policy ---- */

/* Which of the levels the table holds; the one that was asked about, where they are the same. */
static bool find_level(struct probe *ask, uint64_t digest)
{
	const struct probe_policy *policy = &ask->policy;
	int level = 0;

	while (level < PROBE_LEVELS && policy->levels[level]->digest != digest)
		level++;
	if (policy->levels[policy->level]->digest == digest)
		level = policy->level;
	if (level == PROBE_LEVELS)
		return false;
	ask->out->level = level;
	ask->ir = policy->levels[level];
	return true;
}

static void check_applied(struct probe *ask)
{
	const struct nft_table *table = &ask->observed.table;
	const struct about_line *about = nft_table_about(table, ABOUT_POLICY);
	const char *text = NULL;

	if (!table->exists)
		text = "there is no nft table inet %s: the policy is not applied here";
	else if (!about || !find_level(ask, about->digest))
		text = "the nft table inet %s holds another policy, or this one as it was before it was changed";
	else if (table->is_asleep)
		text = "the nft table inet %s is dormant: it sees no packets";
	ask->out->is_applied = !text;
	if (!text)
		return;
	probe_differ(ask, text, table->name)->command =
		ask->policy.file ? record_apply_command(ask->arena, NULL, ask->policy.file) : NULL;
}

/* As status finds it. */
static void check_table(struct probe *ask, const struct record *record, bool is_open)
{
	struct report *problems = ask->out->problems;
	struct table_checks checks = {
		.observed = &ask->observed,
		.record = record,
		.applied = ask->policy.levels[ask->out->level],
		.is_open = is_open,
		.command = record ? record_command(ask->arena, record)
			   : ask->policy.file
				   ? record_apply_command(ask->arena, NULL, ask->policy.file)
				   : NULL,
		.problems = problems,
		.drift = problems,
	};

	table_checks_find(&checks);
	if (!problems->count)
		table_checks_contents(ask->arena, &checks);
	if (!problems->count)
		probe_note(ask,
			   "nft table inet %s: its chains, rules and sets are as "
			   "they were applied",
			   ask->observed.table.name);
	if (!record)
		probe_doubt(ask,
			    "nft table inet %s: there is no saved state of its apply, so rules are only counted",
			    ask->observed.table.name);
}

/* iptables' older half keeps its rules where nft does not see them. */
static void check_legacy(struct probe *ask)
{
	static const char *const files[] = { "/proc/net/ip_tables_names",
					     "/proc/net/ip6_tables_names" };

	for (size_t i = 0; i < 2; i++) {
		FILE *file = fopen(files[i], "re");
		char name[64];

		if (file && fgets(name, sizeof(name), file))
			probe_doubt(ask,
				    "%s has tables of its own: their rules are not read (see them: %s-save)",
				    i ? "ip6tables-legacy" : "iptables-legacy",
				    i ? "ip6tables-legacy" : "iptables-legacy");
		if (file)
			fclose(file);
	}
}

static void check_unfollowed(struct probe *ask)
{
	size_t count;
	const char *const *tables = foreign_chains_unfollowed(ask->foreign, &count);

	for (size_t i = 0; i < count; i++)
		probe_doubt(ask,
			    "table %s has chains at a hook that is not read (see them: nft list table %s)",
			    tables[i], tables[i]);
}

static bool read_host(struct probe *ask)
{
	const struct ir *ir = ask->policy.levels[ask->policy.level];
	const struct record *record;
	const struct about_line *about;
	struct rundir folder;
	const char *why;
	bool is_open;

	if (!host_open(&ask->kernel, &ask->error))
		return false;
	rundir_open(ask->arena, &folder, false, &why);
	record = record_read(ask->arena, &folder, ir->name);
	if (!host_observe(ask->arena, &ask->kernel, ir->table, record, NULL, &ask->observed,
			  &ask->error))
		return false;
	check_applied(ask);
	if (!ask->out->is_applied)
		return true;
	about = nft_table_about(&ask->observed.table, ABOUT_POLICY);
	if (record && record->digest != about->digest)
		record = NULL;
	is_open = pending_waits(ask->arena, pending_read(ask->arena, &folder, ir->name), record);
	check_table(ask, record, is_open);
	ask->foreign = foreign_chains_read(ask->arena, &ask->kernel.nft, ir->table, &ask->error);
	if (!ask->foreign)
		return false;
	check_unfollowed(ask);
	check_legacy(ask);
	return true;
}

bool probe_open(struct arena *arena, struct report *report, const struct probe_policy *policy,
		struct probe **out)
{
	struct probe *ask = arena_new_of(arena, struct probe);

	*ask = (struct probe){ .held = { held_find }, .arena = arena, .policy = *policy };
	ask->shared.asked = new_report(arena, NULL);
	ask->shared.problems = new_report(arena, NULL);
	ask->shared.unknown = new_report(arena, NULL);
	ask->out = &ask->shared;
	*out = ask;
	return read_host(ask) || refused(ask, report);
}

void probe_close(struct probe *ask)
{
	host_close(&ask->kernel);
}

/* ---- a packet ---- */

/* The policy's chain sees the packet as foreign chains before it have left it. */
static void take_changes(struct probe *ask, struct ir_packet *packet)
{
	packet->mark = ask->now.mark;
	packet->ct_mark = ask->now.ct_mark;
	if (!ask->now.is_translated)
		return;
	packet->has_to = ask->now.has_to;
	packet->to = ask->now.to;
	packet->port = ask->now.port;
	packet->to_local = packet->to_broadcast = false;
	probe_destination(ask, packet);
}

bool probe_begin(struct probe *ask, struct arena *arena, struct report *report,
		 struct ir_packet *packet, struct probe_answer *out)
{
	*out = ask->shared;
	out->asked = new_report(arena, ask->shared.asked);
	out->problems = new_report(arena, ask->shared.problems);
	out->unknown = new_report(arena, ask->shared.unknown);
	ask->packet_arena = arena;
	ask->out = out;
	ask->members = NULL;
	ask->member_count = 0;
	ask->is_stopped = ask->chose_source = false;
	ask->error.code = 0;
	if (!out->is_applied)
		return true;
	probe_surroundings(ask, packet);
	probe_path_before(ask, packet,
			  ir_chain_find(ask->ir,
					packet->scope == SCOPE_LOCAL ? "output" : "prerouting"));
	take_changes(ask, packet);
	packet->held = &ask->held;
	return !ask->error.code || refused(ask, report);
}

/* What is seen of the sockets stands for all packets of the session. */
static const struct socket_table *sockets_of(struct probe *ask)
{
	if (!ask->sockets)
		ask->sockets = socket_table_read(ask->arena, &ask->kernel.route);
	return ask->sockets;
}

static void check_listener(struct probe *ask, const struct ir_listener *listener)
{
	const struct ir_packet *packet = ask->question->packet;
	struct socket_table_way way = { .listener = listener,
					.family = packet->family,
					.udp = packet->protocol == IPPROTO_UDP,
					.is_local = packet->scope == SCOPE_LOCAL };
	struct socket_table_verdict verdict;

	if (!socket_table_is_here(&ask->kernel.route, listener, packet->family))
		return;
	if (!way.is_local && *packet->in)
		way.device = if_nametoindex(packet->in);
	verdict = socket_table_judge(ask->packet_arena, sockets_of(ask), &way);
	switch (verdict.kind) {
	case SOCKET_TABLE_TAKEN:
		probe_note(ask, "the listener %s: a socket takes it", listener->name);
		break;
	case SOCKET_TABLE_UNKNOWN:
		probe_doubt(ask, "%s", verdict.text);
		break;
	case SOCKET_TABLE_MISSING:
	case SOCKET_TABLE_WRONG:
		diag_help_text(probe_differ(ask, "%s", verdict.text), verdict.help);
	}
}

static void check_listeners(struct probe *ask)
{
	const struct probe_question *question = ask->question;

	if (question->listener)
		check_listener(ask, question->listener);
	for (size_t i = 0; i < question->share_count; i++)
		check_listener(ask, question->shares[i]);
}

bool probe_finish(struct probe *ask, struct report *report, const struct probe_question *question,
		  struct probe_answer *out)
{
	const char *foreign;

	if (!out->is_applied)
		return true;
	ask->question = question;
	note_members(ask);
	foreign = foreign_chains_names(ask->foreign, ask->packet_arena, question->packet->family);
	if (foreign)
		probe_note(ask, "foreign chains: %s", foreign);
	if (!ask->is_stopped && question->passes && !probe_path_after(ask))
		return refused(ask, report);
	if (!ask->is_stopped && question->passes)
		check_listeners(ask);
	return !ask->error.code || refused(ask, report);
}
