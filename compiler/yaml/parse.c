/*
 * parse: a source as a tree: what a policy's root must be.
 */
#include <string.h>

#include "base/diag.h"
#include "yaml/build.h"
#include "yaml/encoding.h"
#include "yaml/node.h"

static const char begins_with[] = "a policy begins with the line `version: 1`";

static void refuse_empty(struct diag *diag, const struct source *source)
{
	struct span begin = { source, 0, 0 };

	diag_help(diag_add(diag, DIAG_wrong_type, begin, "the policy is empty"), "%s", begins_with);
}

static void refuse_root(struct diag *diag, const struct node *root)
{
	struct diag_record *record = diag_add(diag, DIAG_wrong_type, root->span,
					      "a policy is a mapping (`key: value` lines), not %s",
					      node_describe(root));

	if (root->kind == NODE_SCALAR && !root->quoted && strchr(root->text, ':'))
		diag_help(record, "write a space after every colon: `key: value`");
	diag_help(record, "%s", begins_with);
}

struct node *node_parse(struct arena *arena, struct diag *diag, const struct source *source)
{
	size_t errors = diag_error_count(diag);
	struct node *root;

	if (!encoding_check(diag, source))
		return NULL;
	root = build_document(arena, diag, source);
	if (root && root->kind == NODE_MAP)
		return root;
	if (root ? node_is_null(root) : diag_error_count(diag) == errors)
		refuse_empty(diag, source);
	else if (root)
		refuse_root(diag, root);
	return NULL;
}
