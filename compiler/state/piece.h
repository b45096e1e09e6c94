/*
 * piece: a match of a rule that is kept as nft's words: it prints, and answers nothing. Archived
 * rules are made of them, and so is what stands for a name that the host lacks.
 */
#ifndef TPC_STATE_PIECE_H
#define TPC_STATE_PIECE_H

#include <stdbool.h>
#include <stddef.h>

#include "ir/ir.h"

struct arena;

/* `set`: whose name in nft follows the words; or NULL. */
struct ir_match piece_match(struct arena *arena, const char *words, const struct ir_set *set);
/* Words that are statements of the rule, and no match. */
struct ir_match piece_statements(struct arena *arena, const char *words, const struct ir_set *set);
bool piece_is_statements(const struct ir_match *match);
/* Words that ask for a name which the host has to have. */
struct ir_match piece_hosted(struct arena *arena, const char *words, enum ir_hosted_kind kind,
			     bool negated, const char *name);
/* The name that a match asks the host for; NULL: none. */
const char *piece_hosted_name(const struct ir_match *match);

#endif
