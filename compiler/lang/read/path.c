/*
 * read/path: the value of a set's `file` or `database`. In comes what was written, out comes the
 * path to open, or what to write where one path cannot say it: several files, a pattern, a URL.
 */
#include <string.h>
#include <unistd.h>

#include "base/arena.h"
#include "lang/read/read.h"

static const char *refuse(struct decode *decode, const struct node *value, const char *what,
			  const char *help)
{
	diag_help(diag_add(decode->diag, DIAG_bad_value, value->span, "%s", what), "%s", help);
	return NULL;
}

static const char *refuse_list(struct decode *decode, const char *key, const struct node *value)
{
	bool is_file = !strcmp(key, "file");

	return refuse(decode, value, arena_printf(decode->arena, "`%s` names one file", key),
		      is_file ? "write an item for each in the set's list: [{file: ONE}, {file: TWO}]"
			      : "write an item for each in the set's list: [{geoip: [CN], database: ONE}, "
				"{geoip: [CN], database: TWO}]");
}

static bool is_there(struct decode *decode, const struct node *value)
{
	return access(read_relative_path(decode->arena, value->span.source, value->text), F_OK) ==
	       0;
}

const char *read_path(struct decode *decode, const char *key, const struct node *value)
{
	struct decode_field field = { .key = key };
	const char *path;

	if (value->kind == NODE_LIST && value->count > 1)
		return refuse_list(decode, key, value);
	if (!decode_text(decode, &field, value, &path))
		return NULL;
	if (!strncmp(path, "file://", 7))
		return refuse(decode, value, "this is a URL, and a path stands here",
			      arena_printf(decode->arena, "write {%s: %s}", key, path + 7));
	if (strstr(path, "://"))
		return refuse(decode, value,
			      "this is a URL, and nothing is fetched when a policy is compiled",
			      arena_printf(decode->arena,
					   "fetch it first, curl --fail -o FILE %s, and write {%s: FILE}",
					   path, key));
	if (strpbrk(path, "*?[") && !is_there(decode, value))
		return refuse(decode, value,
			      "this is a pattern, and the name of one file stands here",
			      "name each file as an item of its own in the set's list: [{file: ONE}, {file: TWO}]");
	if (path[0] == '~' && !is_there(decode, value))
		return refuse(decode, value, "only a shell knows what \"~\" is",
			      "write the path from / on, or from the policy's folder on");
	return read_relative_path(decode->arena, value->span.source, path);
}
