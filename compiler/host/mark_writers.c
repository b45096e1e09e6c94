/*
 * mark_writers: reads the rules of all nft tables but ours, and judges what they write to marks
 * (see mark_writers.h).
 *
 * The judgement is about bits: whatever else the rule asks of a packet, it is taken to hold. A
 * packet that none of ours has marked is taken to have none of a mark's bits: a rule that leaves
 * them alone, as of everybody who writes only bits of his own, is never in the way.
 */
#include "host/mark_writers.h"

#include <inttypes.h>
#include <limits.h>
#include <string.h>

#include <linux/netfilter.h>
#include <linux/netfilter/nf_tables.h>

#include "base/arena.h"
#include "base/diag.h"
#include "base/report.h"
#include "host/host.h"
#include "ir/ir.h"
#include "kernel/nft_foreign.h"
#include "kernel/nft_mark_expr.h"

struct marker {
	struct nft_foreign_table table;
	const char *chain;
	uint64_t handle;
	struct nft_mark_expr marking;
	const struct nft_table_chain *hook; /* of its chain; NULL until it is known */
};

/* A value of the policy's, of packets' or connections' marks. */
struct own {
	uint32_t value, mask;
	const struct ir_class *class; /* NULL: a connection's */
};

struct search {
	const struct mark_writers_job *job;
	struct marker *markers;
	size_t marker_count;
	struct own *packets, *connections;
	size_t packet_count, connection_count;
	bool is_good;
};

/* ---- what the policy has ---- */

/* Ways whose mark an ip rule of ours or the proxy reads. A bare mark is set for whoever waits for
 * it. */
static void collect_packets(struct search *search)
{
	const struct ir *ir = search->job->ir;

	for (size_t i = 0; i < ir->class_count; i++) {
		const struct ir_class *class = &ir->classes[i];

		if (class->kind != IR_CLASS_MARK && class->mark & class->mask)
			*arena_append(search->job->arena, search->packets, search->packet_count) =
				(struct own){ class->mark, class->mask, class };
	}
}

/* What rules of ours read a way from. */
static void collect_rule(struct search *search, const struct ir_rule *rule)
{
	for (size_t i = 0; i < rule->statement_count; i++) {
		const struct ir_statement *statement = &rule->statements[i];

		for (size_t k = 0; k < statement->case_count; k++)
			if (statement->op == IR_DISPATCH && statement->on_ct)
				*arena_append(search->job->arena, search->connections,
					      search->connection_count) =
					(struct own){ statement->cases[k].value, statement->mask,
						      NULL };
	}
}

static void collect(struct search *search)
{
	const struct ir *ir = search->job->ir;

	collect_packets(search);
	for (size_t i = 0; i < ir->chain_count; i++)
		for (size_t k = 0; k < ir->chains[i].rule_count; k++)
			collect_rule(search, &ir->chains[i].rules[k]);
}

/* ---- bits ---- */

static bool has(uint32_t mark, const struct own *own)
{
	return !((mark ^ own->value) & own->mask);
}

/* Can the rule make this mark of the other one, or, of NULL, of none of the policy's? */
static bool makes(const struct nft_mark_expr *marking, const struct own *from,
		  const struct own *own)
{
	uint32_t before = from ? from->value & from->mask : 0;

	return has(nft_mark_expr_result(marking, before), own) && !has(before, own);
}

/* The first of the policy's marks that the rule gives, or NULL. */
static const struct own *given_by(const struct nft_mark_expr *marking, const struct own *list,
				  size_t count)
{
	for (size_t i = 0; i < count; i++) {
		if (!(marking->xor &list[i].mask))
			continue;
		if (makes(marking, NULL, &list[i]))
			return &list[i];
		for (size_t k = 0; k < count; k++)
			if (makes(marking, &list[k], &list[i]))
				return &list[i];
	}
	return NULL;
}

static bool spares(const struct nft_mark_expr *marking, const struct own *own)
{
	return has(nft_mark_expr_result(marking, own->value & own->mask), own);
}

static bool spares_all(const struct nft_mark_expr *marking, const struct own *list, size_t count)
{
	for (size_t i = 0; i < count; i++)
		if (!spares(marking, &list[i]))
			return false;
	return true;
}

/* Rules that write only bits of their own are the many, and nothing is kept of them. */
static bool matters(const struct search *search, const struct nft_mark_expr *marking)
{
	if (marking->of_connection)
		return given_by(marking, search->connections, search->connection_count);
	return given_by(marking, search->packets, search->packet_count) ||
	       !spares_all(marking, search->packets, search->packet_count);
}

/* ---- what others have ---- */

/* The policy's own table, and those of other policies, whose marks are compared elsewhere. */
static bool is_foreign(void *user, const struct nft_foreign_table *table)
{
	struct search *search = user;
	const struct observed *observed = search->job->observed;

	if (table->family != NFPROTO_INET)
		return true;
	for (size_t i = 0; i < observed->other_count; i++)
		if (!strcmp(table->name,
			    host_table_name(search->job->arena, observed->others[i].name)))
			return false;
	return strcmp(table->name, observed->table.name) != 0;
}

static void begin(void *user)
{
	struct search *search = user;

	search->marker_count = 0;
}

static void read_rule(void *user, const struct nft_foreign_table *table, const char *chain,
		      uint64_t handle, const struct nlattr *expressions)
{
	struct search *search = user;
	struct arena *arena = search->job->arena;
	struct nft_mark_expr *markings = NULL;
	size_t count = 0;

	nft_mark_expr_read(arena, expressions, &markings, &count);
	for (size_t i = 0; i < count; i++) {
		if (!matters(search, &markings[i]))
			continue;
		*arena_append(arena, search->markers, search->marker_count) = (struct marker){
			.table = *table,
			.chain = arena_strdup(arena, chain),
			.handle = handle,
			.marking = markings[i],
		};
	}
}

static void read_chain(void *user, const struct nft_foreign_table *table,
		       const struct nlattr *const *attributes)
{
	struct search *search = user;
	struct nft_table_chain *chain = NULL;

	for (size_t i = 0; i < search->marker_count; i++) {
		struct marker *marker = &search->markers[i];

		if (marker->table.family != table->family ||
		    strcmp(marker->table.name, table->name) != 0 ||
		    strcmp(mnl_attr_get_str(attributes[NFTA_CHAIN_NAME]), marker->chain) != 0)
			continue;
		if (!chain) {
			chain = arena_new_of(search->job->arena, struct nft_table_chain);
			nft_table_read_chain(search->job->arena, attributes, chain);
		}
		marker->hook = chain;
	}
}

static bool read_markers(struct search *search)
{
	const struct nft_foreign_reader reader = { is_foreign, begin, read_rule, read_chain,
						   search };
	struct nft_foreign_tables tables;
	struct netlink_error error;

	return nft_foreign_read(search->job->arena, search->job->nft, &reader, &tables, &error) ||
	       host_refused(search->job->report, &error);
}

/* ---- hooks ---- */

/* Its hook, if it is one of those that our chains can have. */
static enum ir_hook hook_of(const struct marker *marker)
{
	uint8_t family = marker->table.family;

	if (!marker->hook || marker->hook->is_other ||
	    (family != NFPROTO_INET && family != NFPROTO_IPV4 && family != NFPROTO_IPV6))
		return IR_HOOK_NONE;
	return marker->hook->hook;
}

/* Has the policy a chain with this hook, at the priority or after it? Of two chains with the same
 * priority either may be first. */
static bool has_chain_from(const struct ir *ir, enum ir_hook hook, int priority)
{
	for (size_t i = 0; i < ir->chain_count; i++)
		if (ir->chains[i].hook == hook && ir->chains[i].priority >= priority)
			return true;
	return false;
}

/* After routing only chains of ours could still take the mark for one of the policy's. */
static bool is_read_later(const struct ir *ir, const struct marker *marker)
{
	enum ir_hook hook = hook_of(marker);

	if (hook == IR_HOOK_FORWARD && has_chain_from(ir, IR_HOOK_POSTROUTING, INT_MIN))
		return true;
	if (hook != IR_HOOK_INPUT && hook != IR_HOOK_FORWARD && hook != IR_HOOK_POSTROUTING)
		return true;
	return has_chain_from(ir, hook, marker->hook->priority);
}

/* Does it stand between a chain of ours that marks and the routing that follows? */
static bool is_behind_ours(const struct ir *ir, const struct marker *marker)
{
	enum ir_hook hook = hook_of(marker);

	/* For local packets, only chains of this type route again. */
	if (hook != IR_HOOK_PREROUTING &&
	    (hook != IR_HOOK_OUTPUT || marker->hook->type != IR_CHAIN_ROUTE))
		return false;
	for (size_t i = 0; i < ir->chain_count; i++)
		if (ir->chains[i].hook == hook && ir->chains[i].type != IR_CHAIN_NAT &&
		    ir->chains[i].priority <= marker->hook->priority)
			return true;
	return false;
}

/* ---- saying ---- */

/* "table ip mangle, chain PREROUTING, handle 4: meta mark set 0x64" */
static const char *place(const struct search *search, const struct marker *marker)
{
	return arena_printf(search->job->arena, "table %s %s, chain %s, handle %" PRIu64 ": %s",
			    nft_foreign_family(marker->table.family), marker->table.name,
			    marker->chain, marker->handle,
			    nft_mark_expr_text(search->job->arena, &marker->marking));
}

static struct span origin_of(const struct ir *ir, const struct own *own)
{
	struct span none = { 0 };

	if (own->class)
		return own->class->origin;
	return ir->class_count ? ir->classes[0].origin : none;
}

static const char *own_name(const struct search *search, const struct own *own)
{
	return own->class ? arena_printf(search->job->arena, "the mark of %s", own->class->name)
			  : "the connection mark of one of the policy's ways";
}

static void refuse(struct search *search, const struct marker *marker, const struct own *own,
		   bool is_safe)
{
	struct diag_record *record =
		diag_add(search->job->diag, DIAG_number_conflict, origin_of(search->job->ir, own),
			 "%s, 0x%" PRIx32 "/0x%" PRIx32 ", is one that a foreign nft rule sets: %s",
			 own_name(search, own), own->value, own->mask, place(search, marker));

	diag_help(record,
		  own->class ? "write `settings: {mark_mask: ...}` with bits that are free, or give this one another mark"
			     : "write `settings: {mark_mask: ...}` with bits that are free");
	if (is_safe)
		diag_help(record,
			  "or allow it, with --allow-foreign: it turns no mark of the policy into another");
	search->is_good = false;
}

static void warn_of_given(const struct search *search, const struct marker *marker,
			  const struct own *own)
{
	struct diag_record *line =
		report_add(search->job->report, SEVERITY_WARNING, DIAG_foreign_mark,
			   "a foreign nft rule sets %s, 0x%" PRIx32 "/0x%" PRIx32
			   ", so its packets take the same route: %s",
			   own_name(search, own), own->value, own->mask, place(search, marker));

	line->where = origin_of(search->job->ir, own);
	diag_help_text(line,
		       "remove that rule, or write `settings: {mark_mask: ...}` in the policy with bits that are free");
}

static void warn_of_taken(const struct search *search, const struct marker *marker, size_t more)
{
	const char *others = more ? arena_printf(search->job->report->arena,
						 ", and %zu more in that chain", more)
				  : "";

	diag_help_text(
		report_add(search->job->report, SEVERITY_WARNING, DIAG_foreign_mark,
			   "a foreign nft rule after the policy's chain, and before routing, can overwrite the policy's mark: %s%s",
			   place(search, marker), others),
		"let it write only bits of its own (`meta mark set mark and ... or ...`), or have a priority before the policy's chain");
}

/* ---- together ---- */

static bool takes(const struct search *search, const struct marker *marker)
{
	return !marker->marking.of_connection &&
	       !spares_all(&marker->marking, search->packets, search->packet_count) &&
	       is_behind_ours(search->job->ir, marker);
}

/* True when the rule gives a mark of the policy's. */
static bool judge_given(struct search *search, const struct marker *marker)
{
	const struct nft_mark_expr *marking = &marker->marking;
	const struct own *list = marking->of_connection ? search->connections : search->packets;
	size_t count = marking->of_connection ? search->connection_count : search->packet_count;
	const struct own *own = given_by(marking, list, count);
	bool is_safe = spares_all(marking, list, count);

	if (!own || !is_read_later(search->job->ir, marker))
		return false;
	if (is_safe && search->job->allow_foreign)
		warn_of_given(search, marker, own);
	else
		refuse(search, marker, own, is_safe);
	return true;
}

/* One line for a chain, however many rules in it do the same. */
static void judge_taken(const struct search *search, size_t index, const bool *given)
{
	const struct marker *marker = &search->markers[index];
	size_t more = 0;

	if (given[index] || !takes(search, marker))
		return;
	for (size_t i = 0; i < search->marker_count; i++) {
		const struct marker *other = &search->markers[i];

		if (i == index || other->hook != marker->hook || given[i] || !takes(search, other))
			continue;
		if (i < index)
			return;
		more++;
	}
	warn_of_taken(search, marker, more);
}

bool mark_writers_check(const struct mark_writers_job *job)
{
	struct search search = { .job = job, .is_good = true };
	bool *given;

	collect(&search);
	if (!search.packet_count && !search.connection_count)
		return true;
	if (!read_markers(&search))
		return false;
	given = arena_alloc(job->arena, (search.marker_count + 1) * sizeof(*given));
	for (size_t i = 0; i < search.marker_count; i++)
		given[i] = judge_given(&search, &search.markers[i]);
	for (size_t i = 0; i < search.marker_count; i++)
		judge_taken(&search, i, given);
	return search.is_good;
}
