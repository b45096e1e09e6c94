/*
 * build: from libyaml's events to a tree. The state that its files share: build.c (events),
 * feature.c (what YAML has and a policy has not), repair.c (addresses with a colon at their edge),
 * twice.c (keys given twice).
 */
#ifndef TPC_YAML_BUILD_H
#define TPC_YAML_BUILD_H

#include "base/diag.h"
#include "yaml/node.h"

/* After so many errors of this layer a text is not checked further. */
enum { BUILD_REPORTS = 100 };

/* A list or mapping whose end is not there yet. */
struct build_frame {
	struct node node;
	bool flow;           /* in brackets */
	const char *anchor;  /* or NULL */
	size_t nodes_before; /* build.nodes at its beginning */
	/* mapping */
	bool has_key; /* the next node is a value */
	bool drop;    /* ... which is of no use, because its key was none */
	bool merge;   /* ... of the key "<<" */
	const char *key;
	struct span key_span;
	bool key_quoted;
	struct node merged; /* what "<<" brought */
};

struct build_anchor {
	const char *name;
	struct node node;
	size_t nodes; /* how many the tree below it has */
};

struct build {
	struct arena *arena;
	struct diag *diag;
	const struct source *source;
	const char *text; /* what libyaml reads: the source's text, or a repaired copy of the same
			     length */
	char *repaired;
	unsigned int repairs;
	bool probing;                   /* this run only looks for more to repair */
	size_t char_index, char_offset; /* libyaml counts characters: the last one that was looked
					   up, and its byte */
	size_t event;                   /* the number of the present event, from 1 */
	size_t quiet; /* the events up to this one have been reported on in an earlier run */
	unsigned int reports;
	bool stopped; /* too many errors, far too deep, or a second document */
	struct build_frame frames[NODE_DEPTH];
	unsigned int depth;
	unsigned int buried; /* how many levels of what is too deep are open */
	struct build_anchor *anchors;
	size_t anchor_count;
	size_t nodes, borrowed; /* attached so far; of these, by aliases */
	struct node root;
	bool has_root;
};

/* The document's root, or NULL after a syntax error. Errors are added. */
struct node *build_document(struct arena *arena, struct diag *diag, const struct source *source);
/* Adds an error, or returns NULL when an earlier run has. */
struct diag_record *build_report(struct build *build, enum diag_code code, struct span span,
				 const char *format, ...) __attribute__((format(printf, 4, 5)));
/* Counts an error that is about to be added; false when an earlier run has added it. */
bool build_counts(struct build *build);
/* A span of the source from byte offsets. */
struct span build_span(const struct build *build, size_t begin, size_t end);

/*
 * Anchor and tag before a value that begins at `begin`: refused, if there are any. Returns where
 * the value itself begins, at most `end`.
 */
size_t feature_properties(struct build *build, size_t begin, size_t end, bool has_anchor,
			  bool has_tag);
/* The lines of a document's head that begin with '%'. */
void feature_directives(struct build *build, size_t begin, size_t end);
void feature_document(struct build *build, size_t begin, size_t end);
void feature_merge_key(struct build *build, struct span span);
/*
 * Aliases are refused, but followed where that is cheap, so that the rest of the policy is still
 * checked as it was meant. Remember: the node is what `name` stands for. Alias: into *out, and
 * false when it stands for nothing.
 */
void feature_remember(struct build *build, const char *name, const struct node *node, size_t nodes);
bool feature_alias(struct build *build, struct span span, const char *name, struct node *out);
/* Adds what "<<" brought and the mapping has not itself. */
void feature_merge(struct build *build, struct node *map, const struct node *merged);

/*
 * Refuses keys that a finished mapping has twice. The later value is joined to the first if both
 * are lists or mappings, so that what it defines is known to the rest of the policy; otherwise it
 * goes.
 */
void twice_check(struct build *build, struct node *map);

/*
 * Addresses with a colon at their edge. Find: did one make libyaml give up at `at`, with these
 * words? Cover: reports it and puts letters in its place for the next run, in which it is covered:
 * the text is the source's then.
 */
bool repair_find(const struct build *build, const char *problem, size_t at, size_t *begin,
		 size_t *end);
void repair_cover(struct build *build, size_t begin, size_t end);
bool repair_is_covered(const struct build *build, const struct node *node);
/* Is another run worth its time? */
bool repair_may_repeat(const struct build *build);
/*
 * `- fd00::` and `[fd00:: ]` are mappings of "fd00:" to nothing. Entry: is the frame's key with
 * this value one? Then it is reported, and a mapping that is over and held nothing else collapses
 * into the address.
 */
void repair_entry(struct build *build, struct build_frame *frame, const struct node *value);
void repair_collapse(struct node *map);

#endif
