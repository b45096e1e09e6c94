/*
 * archive: writes and reads the file. Every thing has one function that goes over its fields; in
 * one direction it writes them, in the other it fills them in, so the two cannot part.
 */
#include "live/archive.h"

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
#include "live/folder.h"
#include "live/piece.h"
#include "live/record.h"
#include "live/state.h"

#ifndef TPC_VERSION
#error "TPC_VERSION comes from the Makefile"
#endif
static const char MAGIC[] = "tpc-archive 6 " TPC_VERSION;

/* Where the writing or reading has got to. */
struct tape {
	struct arena *arena;
	struct buf *out; /* writing; NULL: reading */
	const unsigned char *bytes;
	size_t left;
	bool broken;
	struct ir *ir;
};

/* ---- plain values ---- */

static void bytes(struct tape *tape, void *value, size_t size)
{
	if (tape->out) {
		buf_add(tape->out, value, size);
		return;
	}
	tape->broken |= tape->left < size;
	if (tape->broken) {
		memset(value, 0, size);
		return;
	}
	memcpy(value, tape->bytes, size);
	tape->bytes += size;
	tape->left -= size;
}

/* A field of a type that has no padding and is as wide on every machine, in this host's own order.
 */
#define FIELD(tape, field) bytes(tape, &(field), sizeof(field))

static size_t number(struct tape *tape, size_t value)
{
	uint64_t wide = value;

	FIELD(tape, wide);
	tape->broken |= wide > SIZE_MAX;
	return (size_t)wide;
}

static size_t count_of(struct tape *tape, size_t count)
{
	count = number(tape, count);
	/* Whatever is counted takes a byte at least. */
	if (!tape->out && count > tape->left)
		tape->broken = true;
	return tape->broken ? 0 : count;
}

static void text(struct tape *tape, const char **value)
{
	size_t length = count_of(tape, *value ? strlen(*value) + 1 : 0);
	char *copy = (char *)*value;

	if (!tape->out)
		copy = length ? arena_alloc(tape->arena, length + 1) : NULL;
	if (length)
		bytes(tape, copy, length);
	if (copy && !tape->out)
		copy[length] = 0;
	*value = copy;
}

static void texts(struct tape *tape, const char ***items, size_t *count)
{
	*count = count_of(tape, *count);
	if (!tape->out)
		*items = arena_alloc(tape->arena, (*count + 1) * sizeof(char *));
	for (size_t i = 0; i < *count && !tape->broken; i++)
		text(tape, &(*items)[i]);
}

/* An array of things, each by its own function. */
#define ITEMS(tape, items, count, each)                                                         \
	do {                                                                                    \
		(count) = count_of(tape, count);                                                \
		if (!(tape)->out)                                                               \
			(items) = arena_alloc((tape)->arena, ((count) + 1) * sizeof(*(items))); \
		for (size_t at_ = 0; at_ < (count) && !(tape)->broken; at_++)                   \
			each(tape, &(items)[at_]);                                              \
	} while (0)

/* ---- sets ---- */

static void narrow(struct tape *tape, struct interval *interval)
{
	uint32_t ends[] = { (uint32_t)interval->first.low, (uint32_t)interval->last.low };

	bytes(tape, ends, sizeof(ends));
	*interval = (struct interval){ wide(ends[0]), wide(ends[1]) };
}

static void elements(struct tape *tape, struct ir_set *set)
{
	bool is_narrow = set->type == IR_SET_IPV4 || set->type == IR_SET_PORT;
	struct interval_set *all = &set->elements;

	all->count = count_of(tape, all->count);
	if (!tape->out)
		all->items = arena_alloc(tape->arena, (all->count + 1) * sizeof(*all->items));
	for (size_t i = 0; i < all->count && is_narrow; i++)
		narrow(tape, &all->items[i]);
	if (!is_narrow && all->count)
		bytes(tape, all->items, all->count * sizeof(*all->items));
}

static void target(struct tape *tape, struct ir_target *item)
{
	FIELD(tape, item->verdict);
	text(tape, &item->chain);
}

static void set(struct tape *tape, struct ir_set *item)
{
	struct ir_target *targets = (struct ir_target *)item->targets;
	uint32_t *leads = (uint32_t *)item->leads;

	text(tape, &item->base);
	text(tape, &item->name);
	FIELD(tape, item->type);
	elements(tape, item);
	FIELD(tape, item->contents);
	FIELD(tape, item->dynamic);
	FIELD(tape, item->timeout);
	FIELD(tape, item->size);
	ITEMS(tape, targets, item->target_count, target);
	if (!item->target_count)
		return;
	if (!tape->out)
		leads = arena_alloc(tape->arena, (item->elements.count + 1) * sizeof(*leads));
	bytes(tape, leads, item->elements.count * sizeof(*leads));
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
	FIELD(tape, item->hosted);
	FIELD(tape, item->negated);
	text(tape, &words);
	text(tape, &name);
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

	text(tape, &matches);
	ITEMS(tape, hosted, count, hosted_match);
	text(tape, &statements);
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
	text(tape, &all);
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
	ITEMS(tape, hosted.matches, hosted.match_count, hosted_match);
	write_text(tape, &statements, nth);
}

/* What becomes several rules in nft is several rules when it is read. */
static void rules(struct tape *tape, struct ir_chain *chain)
{
	size_t count = 0;

	if (!tape->out) {
		ITEMS(tape, chain->rules, chain->rule_count, nft_rule);
		return;
	}
	for (size_t i = 0; i < chain->rule_count; i++)
		count += emit_nft_rule_count(&chain->rules[i]);
	count_of(tape, count);
	for (size_t i = 0; i < chain->rule_count; i++)
		for (size_t k = 0; k < emit_nft_rule_count(&chain->rules[i]); k++)
			write_rule(tape, &chain->rules[i], k);
}

static void chain(struct tape *tape, struct ir_chain *item)
{
	text(tape, &item->name);
	FIELD(tape, item->hook);
	FIELD(tape, item->type);
	FIELD(tape, item->priority);
	rules(tape, item);
}

/* ---- routing and the rest ---- */

static void ip_rule(struct tape *tape, struct ir_ip_rule *item)
{
	FIELD(tape, item->family);
	FIELD(tape, item->priority);
	FIELD(tape, item->mark);
	FIELD(tape, item->mask);
	FIELD(tape, item->action);
	FIELD(tape, item->table);
	FIELD(tape, item->shortest);
}

static void address(struct tape *tape, struct addr *item)
{
	FIELD(tape, item->family);
	FIELD(tape, item->bits);
}

static void nexthop(struct tape *tape, struct ir_nexthop *item)
{
	FIELD(tape, item->has_via);
	address(tape, &item->via);
	text(tape, &item->dev);
	FIELD(tape, item->weight);
	FIELD(tape, item->onlink);
}

static void route(struct tape *tape, struct ir_route *item)
{
	FIELD(tape, item->family);
	FIELD(tape, item->table);
	FIELD(tape, item->type);
	address(tape, &item->to.addr);
	FIELD(tape, item->to.length);
	ITEMS(tape, item->hops, item->hop_count, nexthop);
	FIELD(tape, item->has_src);
	address(tape, &item->src);
	FIELD(tape, item->metric);
	FIELD(tape, item->mtu);
}

static void sysctl(struct tape *tape, struct ir_sysctl *item)
{
	text(tape, &item->key);
	text(tape, &item->value);
	text(tape, &item->why);
	FIELD(tape, item->when);
	texts(tape, &item->devs, &item->dev_count);
	FIELD(tape, item->has_via);
	address(tape, &item->via);
}

static void class(struct tape *tape, struct ir_class *item)
{
	FIELD(tape, item->kind);
	text(tape, &item->name);
	FIELD(tape, item->mark);
	FIELD(tape, item->mask);
	FIELD(tape, item->table);
	FIELD(tape, item->priority);
	text(tape, &item->listener_mode);
	FIELD(tape, item->port);
}

static void listener(struct tape *tape, struct ir_listener *item)
{
	text(tape, &item->name);
	text(tape, &item->mode);
	for (int i = 0; i < ADDR_FAMILIES; i++)
		address(tape, &item->addr[i]);
	FIELD(tape, item->has);
	FIELD(tape, item->port);
	FIELD(tape, item->tcp);
	FIELD(tape, item->udp);
	FIELD(tape, item->on_this_host);
}

static void hosted(struct tape *tape, struct ir_hosted *item)
{
	text(tape, &item->name);
}

static void asked(struct tape *tape, struct ir_asked *item)
{
	text(tape, &item->key);
	FIELD(tape, item->negated);
	texts(tape, &item->names, &item->name_count);
}

static void policy(struct tape *tape, struct ir *ir)
{
	FIELD(tape, ir->digest);
	text(tape, &ir->name);
	text(tape, &ir->table);
	FIELD(tape, ir->protocol);
	FIELD(tape, ir->mark_mask);
	FIELD(tape, ir->priority_first);
	FIELD(tape, ir->priority_last);
	FIELD(tape, ir->sysctl_policy);
	FIELD(tape, ir->main_copy);
	ITEMS(tape, ir->sets, ir->set_count, set);
	ITEMS(tape, ir->chains, ir->chain_count, chain);
	ITEMS(tape, ir->written, ir->written_count, chain);
	FIELD(tape, ir->written_digest);
	texts(tape, &ir->counters, &ir->counter_count);
	ITEMS(tape, ir->ip_rules, ir->ip_rule_count, ip_rule);
	ITEMS(tape, ir->routes, ir->route_count, route);
	ITEMS(tape, ir->sysctls, ir->sysctl_count, sysctl);
	ITEMS(tape, ir->classes, ir->class_count, class);
	ITEMS(tape, ir->listeners, ir->listener_count, listener);
	ITEMS(tape, ir->users, ir->user_count, hosted);
	ITEMS(tape, ir->groups, ir->group_count, hosted);
	ITEMS(tape, ir->cgroups, ir->cgroup_count, hosted);
	ITEMS(tape, ir->asked, ir->asked_count, asked);
	ir->policy_rules = number(tape, ir->policy_rules);
}

/* Does the file begin as one of this boot and version does? When written, it does. */
static enum archive_state head(struct tape *tape, struct archive *archive)
{
	const char *magic = MAGIC, *boot = record_boot(tape->arena);
	const char *found[] = { magic, boot };

	text(tape, &found[0]);
	text(tape, &found[1]);
	if (found[1] && strcmp(found[1], boot) != 0)
		return ARCHIVE_NONE;
	if (!found[0] || !found[1] || strcmp(found[0], magic) != 0)
		return ARCHIVE_BROKEN;
	text(tape, &archive->policy);
	FIELD(tape, archive->shape);
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

bool archive_write(struct arena *arena, const struct folder *folder, const char *file,
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
		FIELD(&tape, *digest);
	return tape.broken ? ARCHIVE_BROKEN : state;
}

/* A file in memory. Without `bytes` there is none, or nothing can be in it: `why`, or NULL. */
struct mapped {
	unsigned char *bytes;
	size_t length;
	const char *why;
};

static struct mapped map_file(struct arena *arena, const struct folder *folder, const char *file)
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

enum archive_state archive_look(struct arena *arena, const struct folder *folder, const char *file,
				uint64_t *digest)
{
	struct mapped mapped = map_file(arena, folder, file);
	enum archive_state state = mapped.why ? ARCHIVE_BROKEN : ARCHIVE_NONE;

	if (mapped.bytes)
		state = look_at(arena, mapped.bytes, mapped.length, digest);
	unmap(&mapped);
	return state;
}

struct archive *archive_read(struct arena *arena, const struct folder *folder, const char *file)
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
static const char *strangeness(struct arena *arena, const struct folder *folder, const char *file)
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

void archive_settle(struct arena *arena, const struct folder *folder, const char *policy)
{
	for (int kind = ARCHIVE_APPLIED; kind <= ARCHIVE_PREVIOUS; kind++) {
		const char *file = archive_file(arena, policy, (enum archive_kind)kind);
		const char *why = strangeness(arena, folder, file);

		if (why)
			state_set_aside(arena, folder, file, why);
	}
}
