/*
 * fuzz_node: any bytes into node_parse, and what must hold for every tree that comes out.
 *
 * Spans lie in the text and in each other, plain words of one line are their span's bytes, keys of
 * a mapping differ, and a text without an error has a root.
 */
#include <stdlib.h>
#include <string.h>

#include "base/arena.h"
#include "base/buf.h"
#include "base/diag.h"
#include "yaml/node.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void require(bool holds)
{
	if (!holds)
		abort();
}

static void check_scalar(const struct node *node, bool is_exact)
{
	const char *text = node->span.source->text + node->span.begin;
	size_t length = node->span.end - node->span.begin;

	require(strlen(node->text) == node->length);
	if (!is_exact || node->quoted || memchr(text, '\n', length) || memchr(text, '\r', length))
		return;
	require(length == node->length && !memcmp(text, node->text, length));
}

/* `is_exact`: there was no error, so that everything stands where it came from. */
static void check_node(const struct node *node, bool is_exact)
{
	require(node->span.begin <= node->span.end && node->span.end <= node->span.source->size);
	if (node->kind == NODE_SCALAR)
		check_scalar(node, is_exact);
	for (size_t i = 0; i < node->count; i++) {
		const struct node *child = node->kind == NODE_LIST ? &node->items[i]
								   : &node->entries[i].value;

		if (node->kind == NODE_MAP)
			require(node_find(node, node->entries[i].key) == &node->entries[i]);
		if (is_exact && child->span.end > child->span.begin)
			require(child->span.begin >= node->span.begin &&
				child->span.end <= node->span.end);
		check_node(child, is_exact);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct arena *arena = arena_new();
	struct diag *diag = diag_new(arena);
	const struct source *source = source_from(arena, "p", (const char *)data, size);
	struct node *root = node_parse(arena, diag, source);
	struct buf shown = { 0 };

	require(root || diag_error_count(diag));
	if (root) {
		require(root->kind == NODE_MAP);
		check_node(root, !diag_error_count(diag));
	}
	diag_render(diag, &shown, (struct diag_style){ 0 });
	buf_free(&shown);
	arena_free(arena);
	return 0;
}
