/*
 * node: a YAML document as a tree in which everything knows its place.
 *
 * libyaml gives events with marks; what comes out has scalars, lists and mappings with byte spans.
 * What the policy language refuses (anchors, aliases, merge keys, tags, NUL and control characters,
 * duplicate keys, too deep, too long, several documents) is refused here, each with its place and a
 * fix, and reading goes on. Nesting is limited while libyaml reads, never after: 100 kB of '['
 * would take it 30 seconds.
 */
#ifndef TPC_YAML_NODE_H
#define TPC_YAML_NODE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/source.h"

struct arena;
struct diag;

enum { NODE_DEPTH = 32, NODE_SCALAR_LIMIT = 4096, NODE_EXCERPT = 60 };

enum node_kind { NODE_SCALAR, NODE_LIST, NODE_MAP };

struct node {
	enum node_kind kind;
	struct span span;
	bool quoted;      /* scalar: was in quotes, so it is a string whatever it looks like */
	const char *text; /* scalar: NUL-terminated, holds no NUL */
	size_t length;
	struct node *items;         /* list */
	struct node_entry *entries; /* mapping, in the order of the file */
	size_t count;               /* of items or entries */
};

struct node_entry {
	const char *key;
	struct span key_span;
	struct node value;
};

/*
 * The document's root, which is a mapping, or NULL when there is nothing to check
 * further (errors were added). Keys of one mapping differ: of a key that was given twice, lists and
 * mappings are joined and other values are the first.
 */
struct node *node_parse(struct arena *arena, struct diag *diag, const struct source *source);
/* The entry of a mapping, or NULL. */
struct node_entry *node_find(const struct node *map, const char *key);
/* "a mapping", "a list", "an empty value", "a number" ...: for messages that say what was found. */
const char *node_describe(const struct node *node);
bool node_is_null(const struct node *node);
/* "-" and decimal digits without a zero before them, or "0x" and hexadecimal ones: of a value that
 * is not quoted, or of any text. False without a message. */
bool node_parse_integer(const struct node *node, int64_t *out);
bool node_text_integer(const char *text, int64_t *out);
/* The author's text for use in a message: at most NODE_EXCERPT bytes of it, and "..." where there
 * was more. */
const char *node_excerpt(struct arena *arena, const char *text, size_t length);

#endif
