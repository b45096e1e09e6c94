/*
 * archive_files: the names of a policy's archives, and what becomes of them when something else is
 * applied, taken back or removed (see archive.h).
 */
#include <stdio.h>
#include <unistd.h>

#include "base/arena.h"
#include "state/archive.h"
#include "state/rundir.h"

const char *archive_file(struct arena *arena, const char *policy, enum archive_kind kind)
{
	static const char *const words[] = { "applied", "previous" };

	return arena_printf(arena, "%s.%s", policy, words[kind]);
}

static const char *path_of(struct arena *arena, const struct rundir *folder, const char *policy,
			   enum archive_kind kind)
{
	return arena_printf(arena, "%s/%s", folder->path, archive_file(arena, policy, kind));
}

void archive_keep(struct arena *arena, const struct rundir *folder, const char *policy)
{
	const char *previous = path_of(arena, folder, policy, ARCHIVE_PREVIOUS);

	if (rename(path_of(arena, folder, policy, ARCHIVE_APPLIED), previous) < 0)
		unlink(previous);
}

void archive_return(struct arena *arena, const struct rundir *folder, const char *policy)
{
	rename(path_of(arena, folder, policy, ARCHIVE_PREVIOUS),
	       path_of(arena, folder, policy, ARCHIVE_APPLIED));
}

void archive_remove(struct arena *arena, const struct rundir *folder, const char *policy)
{
	if (!folder->path)
		return;
	unlink(path_of(arena, folder, policy, ARCHIVE_APPLIED));
	unlink(path_of(arena, folder, policy, ARCHIVE_PREVIOUS));
}
