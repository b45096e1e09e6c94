/*
 * hosted: asks the host's lists of accounts and its cgroups, and rewrites rules; see hosted.h. In
 * go the ir's rules and names, out come rules that the kernel takes.
 */
#include "host/hosted.h"

#include <ctype.h>
#include <dirent.h>
#include <grp.h>
#include <inttypes.h>
#include <pwd.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/arena.h"
#include "base/buf.h"
#include "base/report.h"
#include "kernel/cgroup.h"
#include "state/piece.h"
#include "state/record.h"

/* ---- names ---- */

static const char *const words[] = { NULL, "user", "group", "cgroup" };

static struct ir_hosted *list_of(const struct ir *ir, enum ir_hosted_kind kind, size_t *count)
{
	switch (kind) {
	case IR_HOSTED_NONE:
		break;
	case IR_HOSTED_USER:
		*count = ir->user_count;
		return ir->users;
	case IR_HOSTED_GROUP:
		*count = ir->group_count;
		return ir->groups;
	case IR_HOSTED_CGROUP:
		*count = ir->cgroup_count;
		return ir->cgroups;
	}
	*count = 0;
	return NULL;
}

static bool find(enum ir_hosted_kind kind, const char *name, uint64_t *number)
{
	const struct passwd *user = kind == IR_HOSTED_USER ? getpwnam(name) : NULL;
	const struct group *group = kind == IR_HOSTED_GROUP ? getgrnam(name) : NULL;

	*number = user ? user->pw_uid : group ? group->gr_gid : 0;
	if (kind == IR_HOSTED_CGROUP)
		*number = cgroup_number(name);
	return user || group || (kind == IR_HOSTED_CGROUP && *number);
}

static bool is_missing(const struct ir *ir, const struct ir_match *match)
{
	const char *name = piece_hosted_name(match);
	size_t count;
	const struct ir_hosted *list = list_of(ir, match->hosted, &count);

	for (size_t i = 0; i < count; i++)
		if (strcmp(list[i].name, name) == 0)
			return list[i].state == IR_HOSTED_MISSING;
	return false;
}

/* ---- numbers that have a name ---- */

struct numbers {
	struct arena *arena;
	enum ir_hosted_kind kind;
	uint32_t *items;
	size_t count;
};

static void add_number(struct numbers *numbers, uint32_t number)
{
	*arena_append(numbers->arena, numbers->items, numbers->count) = number;
}

static bool has_name(enum ir_hosted_kind kind, uint32_t number)
{
	return kind == IR_HOSTED_USER ? getpwuid(number) != NULL : getgrgid(number) != NULL;
}

/* Some sources of accounts know a name and list none (nsswitch.conf): whoever runs now is asked
 * for, one by one. */
static void add_running(struct numbers *numbers)
{
	DIR *stream = opendir("/proc");
	struct dirent *entry;
	struct stat process;
	uint32_t number;

	while (stream && (entry = readdir(stream))) {
		if (!isdigit((unsigned char)entry->d_name[0]) ||
		    fstatat(dirfd(stream), entry->d_name, &process, 0))
			continue;
		number = numbers->kind == IR_HOSTED_USER ? process.st_uid : process.st_gid;
		if (has_name(numbers->kind, number))
			add_number(numbers, number);
	}
	if (stream)
		closedir(stream);
}

static int compare_numbers(const void *a, const void *b)
{
	const uint32_t *one = a, *other = b;

	return *one < *other ? -1 : *one > *other;
}

static void sort_numbers(struct numbers *numbers)
{
	size_t kept = 0;

	qsort(numbers->items, numbers->count, sizeof(*numbers->items), compare_numbers);
	for (size_t i = 0; i < numbers->count; i++)
		if (!kept || numbers->items[kept - 1] != numbers->items[i])
			numbers->items[kept++] = numbers->items[i];
	numbers->count = kept;
}

/* Sorted, each once; root is always among them. */
static struct numbers known_numbers(struct arena *arena, enum ir_hosted_kind kind)
{
	struct numbers numbers = { .arena = arena, .kind = kind };
	const struct passwd *user;
	const struct group *group;

	add_number(&numbers, 0);
	if (kind == IR_HOSTED_USER) {
		setpwent();
		while ((user = getpwent()))
			add_number(&numbers, user->pw_uid);
		endpwent();
	} else {
		setgrent();
		while ((group = getgrent()))
			add_number(&numbers, group->gr_gid);
		endgrent();
	}
	add_running(&numbers);
	sort_numbers(&numbers);
	return numbers;
}

/* ---- what stands for a name ---- */

struct rewrite {
	struct arena *arena;
	struct ir *ir;
	struct ir_chain *out;                /* that is written */
	const char *known[IR_HOSTED_CGROUP]; /* of users and groups: "{ 0, 1 }"; or NULL yet */
	bool refuses;
};

static const char *known_words(struct rewrite *rewrite, enum ir_hosted_kind kind)
{
	struct numbers numbers;
	struct buf out = { 0 };

	if (rewrite->known[kind])
		return rewrite->known[kind];
	numbers = known_numbers(rewrite->arena, kind);
	buf_puts(&out, "{ ");
	for (size_t i = 0; i < numbers.count; i++)
		buf_printf(&out, "%s%" PRIu32, i ? ", " : "", numbers.items[i]);
	buf_puts(&out, " }");
	return rewrite->known[kind] = buf_keep(rewrite->arena, &out);
}

/* Whoever has a name now is not the one that is missing, or, with "!= ", whoever has none. */
static const char *account_words(struct rewrite *rewrite, enum ir_hosted_kind kind,
				 const char * not )
{
	return arena_printf(rewrite->arena, "meta %s %s%s",
			    kind == IR_HOSTED_USER ? "skuid" : "skgid", not,
			    known_words(rewrite, kind));
}

/* Below the deepest of the cgroups above it that is there, and in none of those that are there
 * beside it. `level` is nft's. */
static const char *cgroup_words(struct rewrite *rewrite, const char *name)
{
	unsigned int level;
	const char *above = cgroup_above(rewrite->arena, name, &level);
	struct cgroup_list siblings = cgroup_below(rewrite->arena, above);
	const char *shown = *above ? above : "/";
	struct buf text = { 0 };

	buf_printf(&text, "socket cgroupv2 level %u \"%s\" socket cgroupv2 level %u != ", level,
		   shown, level + 1);
	/* None is at the next level and has the number of the one above. */
	buf_printf(&text, siblings.count ? "{ " : "\"%s\"", shown);
	for (size_t i = 0; i < siblings.count; i++)
		buf_printf(&text, "%s\"%s\"", i ? ", " : "", siblings.names[i]);
	buf_puts(&text, siblings.count ? " }" : "");
	return buf_keep(rewrite->arena, &text);
}

/* Packets of whom nothing says whether they are meant. */
static struct ir_match unsure(struct rewrite *rewrite, const struct ir_match *match)
{
	const char *text = match->hosted == IR_HOSTED_CGROUP
				   ? cgroup_words(rewrite, piece_hosted_name(match))
				   : account_words(rewrite, match->hosted, "!= ");

	return piece_match(rewrite->arena, text, NULL);
}

/* What a listener itself sends goes to a chain that leaves the host's own addresses alone first:
 * lower/loop.c. */
static bool is_own(const struct ir_rule *rule)
{
	static const char before[] = "own_", archived[] = "goto own_";
	const struct ir_match *last = rule->match_count ? &rule->matches[rule->match_count - 1]
							: NULL;

	for (size_t i = 0; i < rule->statement_count; i++)
		if (rule->statements[i].op == IR_GOTO &&
		    !strncmp(rule->statements[i].chain, before, strlen(before)))
			return true;
	return last && piece_is_statements(last) &&
	       !strncmp(last->names[0], archived, strlen(archived));
}

static void add_match(struct rewrite *rewrite, struct ir_rule *rule, struct ir_match match)
{
	*arena_append(rewrite->arena, rule->matches, rule->match_count) = match;
}

/* ---- rules ---- */

static const char REFUSE[] = "refuse"; /* lower_refuse's */

/*
 * A packet for which the rule might be meant: every missing name that the rule asks for might be
 * its sender's; where it asks for none, only for such that are not (`only` is one of those).
 */
static void add_refusal(struct rewrite *rewrite, const struct ir_rule *rule,
			const struct ir_match *only)
{
	struct ir_rule *out =
		arena_append(rewrite->arena, rewrite->out->rules, rewrite->out->rule_count);
	struct ir_statement refuse = { .op = IR_GOTO, .chain = REFUSE };

	*out = (struct ir_rule){ .origin = rule->origin, .decides = true };
	out->remark = "a user, group or cgroup that is not there yet: refused until the next apply";
	for (size_t i = 0; i < rule->match_count; i++) {
		const struct ir_match *match = &rule->matches[i];

		if (piece_is_statements(match))
			continue;
		if (!is_missing(rewrite->ir, match))
			add_match(rewrite, out, *match);
		else if (match == only || (!only && !match->negated))
			add_match(rewrite, out, unsure(rewrite, match));
	}
	if (is_own(rule))
		add_match(rewrite, out,
			  piece_match(rewrite->arena,
				      "fib daddr type != { local, broadcast, anycast }", NULL));
	*arena_append(rewrite->arena, out->statements, out->statement_count) = refuse;
	rewrite->refuses = true;
}

/* The rule for those of whom it is sure that they are none of the missing ones. */
static void add_sure(struct rewrite *rewrite, const struct ir_rule *rule)
{
	struct ir_rule *out =
		arena_append(rewrite->arena, rewrite->out->rules, rewrite->out->rule_count);

	*out = *rule;
	out->matches = NULL;
	out->match_count = 0;
	for (size_t i = 0; i < rule->match_count; i++) {
		const struct ir_match *match = &rule->matches[i];

		add_match(rewrite, out,
			  is_missing(rewrite->ir, match)
				  ? piece_match(rewrite->arena,
						account_words(rewrite, match->hosted, ""), NULL)
				  : *match);
	}
}

static void rewrite_rule(struct rewrite *rewrite, const struct ir_rule *rule)
{
	size_t asked = 0, negated = 0;

	for (size_t i = 0; i < rule->match_count; i++)
		if (is_missing(rewrite->ir, &rule->matches[i])) {
			asked += !rule->matches[i].negated;
			negated += rule->matches[i].negated;
		}
	if (asked) {
		add_refusal(rewrite, rule, NULL);
		return;
	}
	for (size_t i = 0; negated && i < rule->match_count; i++)
		if (is_missing(rewrite->ir, &rule->matches[i]))
			add_refusal(rewrite, rule, &rule->matches[i]);
	if (negated)
		add_sure(rewrite, rule);
	else
		*arena_append(rewrite->arena, rewrite->out->rules, rewrite->out->rule_count) =
			*rule;
}

static struct ir_rule *add_rule(struct rewrite *rewrite, struct ir_chain *chain, const char *text)
{
	struct ir_rule *rule = arena_append(rewrite->arena, chain->rules, chain->rule_count);

	*rule = (struct ir_rule){ 0 };
	add_match(rewrite, rule, piece_statements(rewrite->arena, text, NULL));
	return rule;
}

/* The policy has such a chain only where it refuses something itself. */
static void provide_chain(struct rewrite *rewrite)
{
	struct ir *ir = rewrite->ir;
	struct ir_chain *chain;

	if (!rewrite->refuses || ir_chain_find(ir, REFUSE))
		return;
	chain = arena_append(rewrite->arena, ir->chains, ir->chain_count);
	*chain = (struct ir_chain){ .name = REFUSE, .remark = "tells the sender at once" };
	add_rule(rewrite, chain, "meta l4proto tcp reject with tcp reset");
	add_rule(rewrite, chain, "reject with icmpx port-unreachable");
}

static void rewrite_chains(struct arena *arena, struct ir *ir)
{
	struct rewrite rewrite = { .arena = arena, .ir = ir };

	ir->written = ir->chains;
	ir->written_count = ir->chain_count;
	ir->written_digest = ir->digest;
	ir->chains = NULL;
	ir->chain_count = 0;
	for (size_t i = 0; i < ir->written_count; i++) {
		const struct ir_chain *from = &ir->written[i];

		rewrite.out = arena_append(arena, ir->chains, ir->chain_count);
		*rewrite.out = *from;
		rewrite.out->rules = NULL;
		rewrite.out->rule_count = 0;
		for (size_t k = 0; k < from->rule_count; k++)
			rewrite_rule(&rewrite, &from->rules[k]);
	}
	provide_chain(&rewrite);
	ir->digest = ir_digest(ir);
}

bool hosted_resolve(struct arena *arena, struct ir *ir)
{
	bool is_complete = true;
	size_t count;

	if (ir->written_count) {
		ir->chains = ir->written;
		ir->chain_count = ir->written_count;
		ir->digest = ir->written_digest;
		ir->written_count = 0;
	}
	for (enum ir_hosted_kind kind = IR_HOSTED_USER; kind <= IR_HOSTED_CGROUP; kind++) {
		struct ir_hosted *list = list_of(ir, kind, &count);

		for (size_t i = 0; i < count; i++) {
			list[i].state = find(kind, list[i].name, &list[i].number)
						? IR_HOSTED_THERE
						: IR_HOSTED_MISSING;
			is_complete &= list[i].state == IR_HOSTED_THERE;
		}
	}
	if (is_complete)
		return true;
	if (ir->cgroup_count && !cgroup_number(""))
		return false;
	rewrite_chains(arena, ir);
	return true;
}

uint64_t hosted_written(const struct ir *ir)
{
	return ir->written_count ? ir->written_digest : ir->digest;
}

/* ---- messages ---- */

static const char *missing_words(struct report *report, enum ir_hosted_kind kind, const char *name)
{
	const char *above;
	unsigned int level;

	if (kind != IR_HOSTED_CGROUP)
		return arena_printf(report->arena,
				    "there is no %s \"%s\" on this host yet: until the next apply, its rules refuse packets of every %s without a name",
				    words[kind], name, words[kind]);
	above = cgroup_above(report->arena, name, &level);
	return arena_printf(report->arena,
			    "there is no cgroup \"%s\" on this host yet (" CGROUPS_ROOT
			    "%s): until the next apply, its rules refuse packets of cgroups that are created in %s",
			    name, name, *above ? above : "the root");
}

static const char *help_words(struct report *report, enum ir_hosted_kind kind, const char *name)
{
	if (kind == IR_HOSTED_CGROUP)
		return "start its unit, then apply again; or order the apply after that unit";
	return arena_printf(report->arena,
			    "make it (%sadd --system %s), then apply again; or write an existing one, or its number",
			    words[kind], name);
}

static struct diag_record *tell(struct report *report, enum ir_hosted_kind kind, const char *name,
				const char *command)
{
	struct diag_record *line = report_add(report, SEVERITY_WARNING, DIAG_unknown_on_host, "%s",
					      missing_words(report, kind, name));

	diag_help_text(line, help_words(report, kind, name));
	line->command = command;
	return line;
}

/* Nothing can be loaded that asks for one. */
static void refuse_cgroup(struct report *report, const struct ir_hosted *cgroup)
{
	struct diag_record *line =
		report_add(report, SEVERITY_ERROR, DIAG_no_cgroup2,
			   "this host has no cgroups of version 2 at " CGROUPS_ROOT
			   ", where nft looks for \"%s\"",
			   cgroup->name);

	line->where = cgroup->origin;
	diag_help_text(line,
		       "start it with systemd.unified_cgroup_hierarchy=1, or match the process by its user, group or mark");
}

void hosted_tell(struct report *report, const struct ir *ir, const char *command)
{
	bool has_cgroups = cgroup_number("") != 0;
	size_t count;

	for (enum ir_hosted_kind kind = IR_HOSTED_USER; kind <= IR_HOSTED_CGROUP; kind++) {
		const struct ir_hosted *list = list_of(ir, kind, &count);

		for (size_t i = 0; i < count; i++)
			if (kind == IR_HOSTED_CGROUP && !has_cgroups)
				refuse_cgroup(report, &list[i]);
			else if (list[i].state == IR_HOSTED_MISSING)
				tell(report, kind, list[i].name, command)->where = list[i].origin;
	}
}

const char *hosted_changed(struct arena *arena, const struct record *record)
{
	for (size_t i = 0; record && i < record->hosted_count; i++) {
		const struct record_hosted *name = &record->hosted[i];
		uint64_t number;
		bool is_there = find(name->kind, name->name, &number);

		if (is_there && name->is_missing)
			return arena_printf(arena, "the %s %s exists now", words[name->kind],
					    name->name);
		if (name->is_missing || name->kind == IR_HOSTED_CGROUP)
			continue;
		if (!is_there)
			return arena_printf(arena, "there is no %s %s any more", words[name->kind],
					    name->name);
		if (number != name->number)
			return arena_printf(arena, "the %s %s has another number now, %" PRIu64,
					    words[name->kind], name->name, number);
	}
	return NULL;
}

/* Does the sender's number, as it is written, belong to no account? */
static bool lacks_name(enum ir_hosted_kind kind, const char *sender)
{
	char *end;
	unsigned long number = strtoul(sender, &end, 10);

	return *sender && !*end && !has_name(kind, (uint32_t)number);
}

static bool is_below(const char *path, const char *above)
{
	size_t length = strlen(above);

	return !strncmp(path, above, length) && (!path[length] || path[length] == '/');
}

void hosted_tell_of(struct report *report, const struct ir *ir, const struct ir_packet *packet,
		    const char *command)
{
	const char *const senders[] = { NULL, packet->user, packet->group, packet->cgroup };
	size_t count;

	for (enum ir_hosted_kind kind = IR_HOSTED_USER; kind <= IR_HOSTED_CGROUP; kind++) {
		const struct ir_hosted *list = list_of(ir, kind, &count);
		const char *sender = senders[kind];

		for (size_t i = 0; sender && i < count; i++)
			if (list[i].state == IR_HOSTED_MISSING &&
			    (kind == IR_HOSTED_CGROUP
				     ? is_below(sender, list[i].name)
				     : !strcmp(sender, list[i].name) || lacks_name(kind, sender)))
				tell(report, kind, list[i].name, command)->where = list[i].origin;
	}
}

void hosted_tell_missing(struct report *report, const struct record *record, const char *command)
{
	for (size_t i = 0; i < record->hosted_count; i++) {
		const struct record_hosted *name = &record->hosted[i];
		uint64_t number;

		if (name->is_missing && !find(name->kind, name->name, &number))
			tell(report, name->kind, name->name, command);
	}
}
