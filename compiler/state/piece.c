/*
 * piece: see piece.h. In go words, out comes a match of a kind that only prints. The words are the
 * first of the match's names; a name that the host has to have is the last.
 */
#include "state/piece.h"

#include "base/arena.h"
#include "base/buf.h"

static void print_piece(const struct ir_match *match, struct buf *out)
{
	buf_puts(out, match->names[0]);
}

/* Nothing is known of that; and so `each_packet` is set: what walks a packet asks that first. */
static bool holds_never(const struct ir_match *match, const struct ir_packet *packet)
{
	(void)match;
	(void)packet;
	return false;
}

static const struct ir_match_ops match_ops = {
	.name = "text", .print = print_piece, .holds = holds_never, .each_packet = true
};
static const struct ir_match_ops statement_ops = {
	.name = "statements", .print = print_piece, .holds = holds_never, .each_packet = true
};

static struct ir_match make(struct arena *arena, const struct ir_match_ops *ops, const char *words,
			    const char *name, const struct ir_set *set)
{
	struct ir_match match = { .ops = ops, .set = set };
	const char **names = NULL;

	*arena_append(arena, names, match.name_count) = words;
	if (name)
		*arena_append(arena, names, match.name_count) = name;
	match.names = names;
	return match;
}

struct ir_match piece_match(struct arena *arena, const char *words, const struct ir_set *set)
{
	return make(arena, &match_ops, words, NULL, set);
}

struct ir_match piece_statements(struct arena *arena, const char *words, const struct ir_set *set)
{
	return make(arena, &statement_ops, words, NULL, set);
}

bool piece_is_statements(const struct ir_match *match)
{
	return match->ops == &statement_ops;
}

struct ir_match piece_hosted(struct arena *arena, const char *words, enum ir_hosted_kind kind,
			     bool negated, const char *name)
{
	struct ir_match match = make(arena, &match_ops, words, name, NULL);

	match.hosted = kind;
	match.negated = negated;
	return match;
}

const char *piece_hosted_name(const struct ir_match *match)
{
	return match->hosted == IR_HOSTED_NONE ? NULL : match->names[match->name_count - 1];
}
