/*
 * decode: from nodes to structs, by table.
 *
 * A table of fields says for every key of a mapping how its value is read and where it goes. From
 * the same tables come the errors (unknown key, with the nearest known one; wrong kind of value;
 * missing key) and the list that the schema is checked against.
 */
#ifndef TPC_YAML_DECODE_H
#define TPC_YAML_DECODE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/diag.h"
#include "yaml/node.h"

struct buf;

struct decode {
	struct arena *arena;
	struct diag *diag;
	void *user; /* what a decoder of the caller needs besides these */
};

struct decode_field;
/* Reads `value` into `target` (the struct's address plus the field's offset). Adds errors and
 * returns false on failure. */
typedef bool decode_fn(struct decode *decode, const struct decode_field *field,
		       const struct node *value, void *target);

struct decode_field {
	const char *key;
	decode_fn *read;
	size_t offset;
	bool required;
	char bare; /* what is meant for this key without a mapping around it: 'w' a word, 'n' a
		      number, 'a' an address */
	int64_t least, most;        /* decode_integer's bounds, both included; both 0: none */
	const char *const *choices; /* decode_choice's words, NULL-terminated */
	const void *more;           /* for a decoder of the caller's */
};

struct decode_table {
	const char *what; /* "rule", "listener": for messages and for the schema's check */
	const struct decode_field *fields;
	size_t count;
};

/* Every key of the mapping into `target`; all errors are added; false when there was one. A node
 * that is no mapping is an error. */
bool decode_map(struct decode *decode, const struct decode_table *table, const struct node *node,
		void *target);
/* The field of a key, or NULL. */
const struct decode_field *decode_find(const struct decode_table *table, const char *key);
/* The error for a word that is none of `candidates`, with "did you mean": `what` is "key of a
 * rule", "set", "listener". */
struct diag_record *decode_unknown(struct decode *decode, enum diag_code code, struct span span,
				   const char *what, const char *word,
				   const char *const *candidates, size_t count);

/* Decoders: the type that `target` must have is in the comment. */
decode_fn decode_text; /* const char * : a scalar, not empty, one line without tabs */
decode_fn decode_bool; /* bool : true, false (YAML 1.2 core words only; yes/no/on/off get a fix) */
decode_fn decode_integer; /* int64_t : decimal or 0x; within least..most */
decode_fn decode_choice;  /* int : the index in choices */
decode_fn decode_name;    /* const char * : [a-z][a-z0-9_-]{0,30} */
decode_fn decode_node;    /* const struct node * : kept for later */

/* For values inside lists. */
bool decode_is_name(const char *text);

#endif
