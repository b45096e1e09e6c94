/*
 * archive: writes and reads the file. Every thing has one function that goes over its fields; in
 * one direction it writes them, in the other it fills them in, so the two cannot part.
 */
#include "state/archive.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/arena.h"
#include "base/buf.h"
#include "base/file.h"
#include "base/sum.h"
#include "emit/emit.h"
#include "ir/ir.h"
#include "state/piece.h"
#include "state/record.h"
#include "state/rundir.h"
#include "state/state.h"
#include "state/tape.h"

#ifndef TPC_VERSION
#error "TPC_VERSION comes from the Makefile"
#endif
static const char MAGIC[] = "tpc-archive 14 " TPC_VERSION;

/* ---- sets ---- */

static void narrow(struct tape *tape, struct interval *interval)
{
	uint32_t ends[] = { (uint32_t)interval->first.low, (uint32_t)interval->last.low };

	tape_bytes(tape, ends, sizeof(ends));
	*interval = (struct interval){ wide(ends[0]), wide(ends[1]) };
}

static void elements(struct tape *tape, struct ir_set *set)
{
	bool is_narrow = set->type == IR_SET_IPV4 || set->type == IR_SET_PORT;
	struct interval_set *all = &set->elements;

	all->count = tape_count(tape, all->count);
	if (!tape->out)
		all->items = arena_alloc(tape->arena, (all->count + 1) * sizeof(*all->items));
	for (size_t i = 0; i < all->count && is_narrow; i++)
		narrow(tape, &all->items[i]);
	if (!is_narrow && all->count)
		tape_bytes(tape, all->items, all->count * sizeof(*all->items));
}

static void target(struct tape *tape, struct ir_target *item)
{
	TAPE_FIELD(tape, item->verdict);
	tape_text(tape, &item->chain);
}

static void set(struct tape *tape, struct ir_set *item)
{
	struct ir_target *targets = (struct ir_target *)item->targets;
	uint32_t *leads = (uint32_t *)item->leads;

	tape_text(tape, &item->base);
	tape_text(tape, &item->name);
	TAPE_FIELD(tape, item->type);
	elements(tape, item);
	TAPE_FIELD(tape, item->contents);
	TAPE_FIELD(tape, item->dynamic);
	TAPE_FIELD(tape, item->timeout);
	TAPE_FIELD(tape, item->size);
	TAPE_ITEMS(tape, targets, item->target_count, target);
	if (!item->target_count)
		return;
	if (!tape->out)
		leads = arena_alloc(tape->arena, (item->elements.count + 1) * sizeof(*leads));
	tape_bytes(tape, leads, item->elements.count * sizeof(*leads));
	for (size_t i = 0; i < item->elements.count; i++)
		tape->broken |= leads[i] >= item->target_count;
	item->targets = targets;
	item->leads = leads;
}

/* ---- rules ---- */

/*
 * A rule of nft is kept as pieces (piece.h) that end where a set is named, so that its name of the
 * day can be put there. What asks for a name that the host may lack later stays a match of its own.
 */
enum { NAME_BEGIN = 1, NAME_END = 2 };

static void add_piece(struct tape *tape, struct ir_rule *rule, const char *words, size_t length,
		      const struct ir_set *named, bool is_match)
{
	const char *copy = arena_strndup(tape->arena, words, length);

	*arena_append(tape->arena, rule->matches, rule->match_count) =
		is_match ? piece_match(tape->arena, copy, named)
			 : piece_statements(tape->arena, copy, named);
}

/* From "ip daddr @" NAME_BEGIN "3" NAME_END " drop". */
static void cut_words(struct tape *tape, struct ir_rule *rule, const char *line, bool is_match)
{
	const char *end;

	while ((end = strchr(line, NAME_BEGIN))) {
		char *behind;
		unsigned long index = strtoul(end + 1, &behind, 10);

		tape->broken |= index >= tape->ir->set_count || *behind != NAME_END;
		if (tape->broken)
			return;
		add_piece(tape, rule, line, (size_t)(end - line), &tape->ir->sets[index], is_match);
		line = behind + 1;
		line += *line == ' ';
	}
	if (*line)
		add_piece(tape, rule, line, strlen(line), NULL, is_match);
}

static void hosted_match(struct tape *tape, struct ir_match *item)
{
	const char *words = NULL, *name = NULL;

	if (tape->out) {
		struct buf printed = { 0 };

		item->ops->print(item, &printed);
		words = arena_strdup(tape->arena, buf_text(&printed));
		name = piece_hosted_name(item);
		buf_free(&printed);
	}
	TAPE_FIELD(tape, item->hosted);
	TAPE_FIELD(tape, item->negated);
	tape_text(tape, &words);
	tape_text(tape, &name);
	tape->broken |= !words || !name;
	if (!tape->out && !tape->broken)
		*item = piece_hosted(tape->arena, words, item->hosted, item->negated, name);
}

/* One rule of nft in nft's words, without the tabs before it and the line end behind it. */
static void nft_rule(struct tape *tape, struct ir_rule *item)
{
	const char *matches = NULL, *statements = NULL;
	struct ir_match *hosted = NULL;
	size_t count = 0;

	tape_text(tape, &matches);
	TAPE_ITEMS(tape, hosted, count, hosted_match);
	tape_text(tape, &statements);
	cut_words(tape, item, matches ? matches : "", true);
	for (size_t i = 0; i < count; i++)
		*arena_append(tape->arena, item->matches, item->match_count) = hosted[i];
	cut_words(tape, item, statements ? statements : "", false);
}

static void write_text(struct tape *tape, const struct ir_rule *rule, size_t nth)
{
	struct buf out = { 0 };
	const char *all;

	emit_nft_put_nth(rule, nth, &out);
	all = buf_text(&out) + strspn(buf_text(&out), "\t");
	all = arena_strndup(tape->arena, all, strlen(all) - 1);
	tape_text(tape, &all);
	buf_free(&out);
}

static void write_rule(struct tape *tape, const struct ir_rule *rule, size_t nth)
{
	struct ir_rule matches = { 0 }, hosted = { 0 }, statements = *rule;

	statements.matches = NULL;
	statements.match_count = 0;
	for (size_t i = 0; i < rule->match_count; i++) {
		const struct ir_match *match = &rule->matches[i];
		struct ir_rule *part = piece_is_statements(match) ? &statements
				       : match->hosted            ? &hosted
								  : &matches;

		*arena_append(tape->arena, part->matches, part->match_count) = *match;
	}
	write_text(tape, &matches, 0);
	TAPE_ITEMS(tape, hosted.matches, hosted.match_count, hosted_match);
	write_text(tape, &statements, nth);
}

/* What becomes several rules in nft is several rules when it is read. */
static void rules(struct tape *tape, struct ir_chain *chain)
{
	if (!tape->out) {
		TAPE_ITEMS(tape, chain->rules, chain->rule_count, nft_rule);
		return;
	}
	tape_count(tape, emit_nft_chain_length(chain));
	for (size_t i = 0; i < chain->rule_count; i++)
		for (size_t k = 0; k < emit_nft_rule_count(&chain->rules[i]); k++)
			write_rule(tape, &chain->rules[i], k);
}

static void chain(struct tape *tape, struct ir_chain *item)
{
	tape_text(tape, &item->name);
	TAPE_FIELD(tape, item->hook);
	TAPE_FIELD(tape, item->type);
	TAPE_FIELD(tape, item->priority);
	rules(tape, item);
}

/* ---- routing and the rest ---- */

static void ip_rule(struct tape *tape, struct ir_ip_rule *item)
{
	TAPE_FIELD(tape, item->family);
	TAPE_FIELD(tape, item->priority);
	TAPE_FIELD(tape, item->mark);
	TAPE_FIELD(tape, item->mask);
	TAPE_FIELD(tape, item->action);
	TAPE_FIELD(tape, item->table);
	TAPE_FIELD(tape, item->shortest);
	tape_text(tape, &item->iif);
	tape_text(tape, &item->oif);
}

static void address(struct tape *tape, struct addr *item)
{
	TAPE_FIELD(tape, item->family);
	TAPE_FIELD(tape, item->bits);
}

static void gateway(struct tape *tape, struct ir_gateway *item)
{
	tape_text(tape, &item->set);
	tape_text(tape, &item->name);
	tape_text(tape, &item->dev);
	TAPE_FIELD(tape, item->has_via);
	address(tape, &item->via);
	tape->broken |= !item->set || !item->name || !item->dev;
}

static void nexthop(struct tape *tape, struct ir_nexthop *item)
{
	TAPE_FIELD(tape, item->has_via);
	address(tape, &item->via);
	tape_text(tape, &item->dev);
	TAPE_FIELD(tape, item->weight);
	TAPE_FIELD(tape, item->onlink);
}

static void let_go(struct tape *tape, struct ir_let_go *item)
{
	tape_text(tape, &item->listener);
	TAPE_FIELD(tape, item->value);
	tape->broken |= !item->listener;
}

static void prefix(struct tape *tape, struct addr_prefix *item)
{
	address(tape, &item->addr);
	TAPE_FIELD(tape, item->length);
}

static void route(struct tape *tape, struct ir_route *item)
{
	TAPE_FIELD(tape, item->family);
	TAPE_FIELD(tape, item->table);
	TAPE_FIELD(tape, item->type);
	prefix(tape, &item->to);
	TAPE_ITEMS(tape, item->hops, item->hop_count, nexthop);
	TAPE_FIELD(tape, item->has_src);
	address(tape, &item->src);
	TAPE_FIELD(tape, item->masquerades);
	TAPE_FIELD(tape, item->metric);
	TAPE_FIELD(tape, item->mtu);
}

static void sysctl(struct tape *tape, struct ir_sysctl *item)
{
	tape_text(tape, &item->key);
	tape_text(tape, &item->value);
	tape_text(tape, &item->why);
	TAPE_FIELD(tape, item->when);
	tape_texts(tape, &item->devs, &item->dev_count);
	TAPE_FIELD(tape, item->has_via);
	address(tape, &item->via);
}

static void class(struct tape *tape, struct ir_class *item)
{
	TAPE_FIELD(tape, item->kind);
	tape_text(tape, &item->name);
	TAPE_FIELD(tape, item->mark);
	TAPE_FIELD(tape, item->mask);
	TAPE_FIELD(tape, item->table);
	TAPE_FIELD(tape, item->priority);
	tape_text(tape, &item->listener_mode);
	TAPE_FIELD(tape, item->port);
}

static void place(struct tape *tape, size_t *item)
{
	*item = tape_number(tape, *item);
}

static void listener(struct tape *tape, struct ir_listener *item)
{
	tape_text(tape, &item->name);
	tape_text(tape, &item->mode);
	for (int i = 0; i < ADDR_FAMILIES; i++)
		address(tape, &item->addr[i]);
	TAPE_FIELD(tape, item->has);
	TAPE_FIELD(tape, item->port);
	TAPE_FIELD(tape, item->tcp);
	TAPE_FIELD(tape, item->udp);
	TAPE_FIELD(tape, item->on_this_host);
	TAPE_FIELD(tape, item->ways);
	TAPE_ITEMS(tape, item->ins, item->in_count, place);
}

static void row(struct tape *tape, struct ir_row *item)
{
	TAPE_ITEMS(tape, item->listeners, item->count, listener);
	item->chosen = tape_number(tape, item->chosen);
	tape->broken |= item->chosen >= item->count;
}

static void hosted(struct tape *tape, struct ir_hosted *item)
{
	tape_text(tape, &item->name);
}

static void asked(struct tape *tape, struct ir_asked *item)
{
	tape_text(tape, &item->key);
	TAPE_FIELD(tape, item->negated);
	tape_texts(tape, &item->names, &item->name_count);
}

static void policy(struct tape *tape, struct ir *ir)
{
	TAPE_FIELD(tape, ir->digest);
	tape_text(tape, &ir->name);
	tape_text(tape, &ir->table);
	TAPE_FIELD(tape, ir->protocol);
	TAPE_FIELD(tape, ir->mark_mask);
	TAPE_FIELD(tape, ir->ct_mask);
	TAPE_FIELD(tape, ir->priority_first);
	TAPE_FIELD(tape, ir->priority_last);
	TAPE_FIELD(tape, ir->sysctl_policy);
	TAPE_FIELD(tape, ir->main_copy);
	TAPE_FIELD(tape, ir->sends_local);
	TAPE_FIELD(tape, ir->keeps_connections);
	TAPE_ITEMS(tape, ir->sets, ir->set_count, set);
	TAPE_ITEMS(tape, ir->chains, ir->chain_count, chain);
	TAPE_ITEMS(tape, ir->written, ir->written_count, chain);
	TAPE_FIELD(tape, ir->written_digest);
	tape_texts(tape, &ir->counters, &ir->counter_count);
	TAPE_ITEMS(tape, ir->ip_rules, ir->ip_rule_count, ip_rule);
	TAPE_ITEMS(tape, ir->routes, ir->route_count, route);
	TAPE_ITEMS(tape, ir->sysctls, ir->sysctl_count, sysctl);
	TAPE_ITEMS(tape, ir->gateways, ir->gateway_count, gateway);
	TAPE_ITEMS(tape, ir->classes, ir->class_count, class);
	TAPE_ITEMS(tape, ir->given, ir->given_count, prefix);
	TAPE_ITEMS(tape, ir->let_go, ir->let_go_count, let_go);
	TAPE_ITEMS(tape, ir->listeners, ir->listener_count, listener);
	TAPE_ITEMS(tape, ir->rows, ir->row_count, row);
	TAPE_ITEMS(tape, ir->users, ir->user_count, hosted);
	TAPE_ITEMS(tape, ir->groups, ir->group_count, hosted);
	TAPE_ITEMS(tape, ir->cgroups, ir->cgroup_count, hosted);
	TAPE_ITEMS(tape, ir->asked, ir->asked_count, asked);
	ir->policy_rules = tape_number(tape, ir->policy_rules);
}

/* Does the file begin as one of this boot and version does? When written, it does. */
static enum archive_state head(struct tape *tape, struct archive *archive)
{
	const char *magic = MAGIC, *boot = record_boot(tape->arena);
	const char *found[] = { magic, boot };

	tape_text(tape, &found[0]);
	tape_text(tape, &found[1]);
	if (found[1] && strcmp(found[1], boot) != 0)
		return ARCHIVE_NONE;
	if (!found[0] || !found[1] || strcmp(found[0], magic) != 0)
		return ARCHIVE_BROKEN;
	tape_text(tape, &archive->policy);
	TAPE_FIELD(tape, archive->shape);
	return tape->broken ? ARCHIVE_BROKEN : ARCHIVE_THERE;
}

/* ---- files ---- */

/* Rules name sets by their places in the ir while they are written. */
static struct ir *with_places(struct arena *arena, const struct ir *ir, const char ***names)
{
	struct ir *copy = arena_new_of(arena, struct ir);

	*copy = *ir;
	*names = arena_alloc(arena, (ir->set_count + 1) * sizeof(char *));
	for (size_t i = 0; i < ir->set_count; i++) {
		(*names)[i] = ir->sets[i].name;
		ir->sets[i].name = arena_printf(arena, "%c%zu%c", NAME_BEGIN, i, NAME_END);
	}
	return copy;
}

bool archive_write(struct arena *arena, const struct rundir *folder, const char *file,
		   const struct archive *archive, const char **why)
{
	struct file_output output = { .name = file, .mode = 0600 };
	const char *none[] = { NULL }, **names;
	struct buf out = { 0 };
	struct archive copy = *archive;
	struct tape tape = { .arena = arena, .out = &out };
	uint64_t sum;
	bool done;

	copy.ir = with_places(arena, archive->ir, &names);
	head(&tape, &copy);
	policy(&tape, copy.ir);
	for (size_t i = 0; i < archive->ir->set_count; i++)
		archive->ir->sets[i].name = names[i];
	sum = sum_of(0, buf_text(&out), out.length);
	buf_add(&out, (const char *)&sum, sizeof(sum));
	output.text = buf_text(&out);
	output.length = out.length;
	done = file_write_all(arena, folder->path, &output, 1, none, why);
	buf_free(&out);
	return done;
}

/* Does the file end in the sum of all before it? */
static bool is_whole(const unsigned char *start, size_t length)
{
	uint64_t sum;

	if (length < sizeof(sum))
		return false;
	memcpy(&sum, start + length - sizeof(sum), sizeof(sum));
	return sum == sum_of(0, (const char *)start, length - sizeof(sum));
}

static struct archive *read_bytes(struct arena *arena, const unsigned char *start, size_t length)
{
	struct archive *archive = arena_new_of(arena, struct archive);
	struct tape tape = { .arena = arena, .bytes = start };

	if (!is_whole(start, length))
		return NULL;
	tape.left = length - sizeof(uint64_t);
	tape.ir = archive->ir = arena_new_of(arena, struct ir);
	if (head(&tape, archive) != ARCHIVE_THERE)
		return NULL;
	policy(&tape, archive->ir);
	for (size_t i = 0; i < archive->ir->set_count; i++)
		archive->ir->sets[i].name = archive->ir->sets[i].base;
	return tape.broken || tape.left ? NULL : archive;
}

static enum archive_state look_at(struct arena *arena, const unsigned char *start, size_t length,
				  uint64_t *digest)
{
	struct archive archive = { 0 };
	struct tape tape = { .arena = arena, .bytes = start, .left = length };
	enum archive_state state = head(&tape, &archive);

	if (state == ARCHIVE_THERE)
		TAPE_FIELD(&tape, *digest);
	return tape.broken ? ARCHIVE_BROKEN : state;
}

/* A file in memory. Without `bytes` there is none, or nothing can be in it: `why`, or NULL. */
struct mapped {
	unsigned char *bytes;
	size_t length;
	const char *why;
};

static struct mapped map_file(struct arena *arena, const struct rundir *folder, const char *file)
{
	struct mapped mapped = { 0 };
	uint64_t size;
	int fd = state_open(folder, file, STATE_ARCHIVE_LIMIT, &size, arena, &mapped.why);

	if (fd < 0)
		return mapped;
	if (size && size <= SIZE_MAX)
		mapped.bytes = mmap(NULL, (size_t)size, PROT_READ, MAP_PRIVATE, fd, 0);
	if (!mapped.bytes || mapped.bytes == MAP_FAILED)
		mapped = (struct mapped){ .why = "it is empty, or cannot be read" };
	else
		mapped.length = (size_t)size;
	close(fd);
	return mapped;
}

static void unmap(const struct mapped *mapped)
{
	if (mapped->bytes)
		munmap(mapped->bytes, mapped->length);
}

enum archive_state archive_look(struct arena *arena, const struct rundir *folder, const char *file,
				uint64_t *digest)
{
	struct mapped mapped = map_file(arena, folder, file);
	enum archive_state state = mapped.why ? ARCHIVE_BROKEN : ARCHIVE_NONE;

	if (mapped.bytes)
		state = look_at(arena, mapped.bytes, mapped.length, digest);
	unmap(&mapped);
	return state;
}

struct archive *archive_read(struct arena *arena, const struct rundir *folder, const char *file)
{
	struct mapped mapped = map_file(arena, folder, file);
	struct archive *archive = NULL;

	if (mapped.bytes)
		archive = read_bytes(arena, mapped.bytes, mapped.length);
	unmap(&mapped);
	return archive;
}

/* Is it no archive of ours, of whatever boot or version? NULL: it is, or there is none. What it
 * holds is not read: an archive may be of millions of addresses. */
static const char *strangeness(struct arena *arena, const struct rundir *folder, const char *file)
{
	struct mapped mapped = map_file(arena, folder, file);
	const char *why = mapped.why;
	enum archive_state state = ARCHIVE_NONE;
	uint64_t digest;

	if (mapped.bytes)
		state = look_at(arena, mapped.bytes, mapped.length, &digest);
	if (state == ARCHIVE_BROKEN)
		why = "it is cut off or altered, or is of another version of tpc";
	else if (state == ARCHIVE_THERE && !is_whole(mapped.bytes, mapped.length))
		why = "it is cut off or altered";
	unmap(&mapped);
	return why;
}

void archive_settle(struct arena *arena, const struct rundir *folder, const char *policy)
{
	for (int kind = ARCHIVE_APPLIED; kind <= ARCHIVE_PREVIOUS; kind++) {
		const char *file = archive_file(arena, policy, (enum archive_kind)kind);
		const char *why = strangeness(arena, folder, file);

		if (why)
			state_set_aside(arena, folder, file, why);
	}
}
