/*
 * files: inotify on the folders of the files: an editor that replaces a file makes another one of
 * its name.
 */
#include "watch/files.h"

#include <stdlib.h>
#include <string.h>
#include <sys/inotify.h>
#include <unistd.h>

#include "base/arena.h"

enum { CHANGES = IN_CLOSE_WRITE | IN_MOVED_TO | IN_MOVED_FROM | IN_DELETE | IN_CREATE | IN_ATTRIB };

bool files_open(struct files *files)
{
	files->inotify = inotify_init1(IN_NONBLOCK | IN_CLOEXEC);
	return files->inotify >= 0;
}

static void forget(struct files *files)
{
	for (size_t i = 0; i < files->count; i++)
		inotify_rm_watch(files->inotify, files->items[i].folder);
	if (files->arena)
		arena_free(files->arena);
	files->arena = NULL;
	files->items = NULL;
	files->count = 0;
}

/* inotify gives a folder one number, however often it is asked. */
static void add(struct files *files, const char *path)
{
	const char *slash = strrchr(path, '/');
	const char *folder = slash ? arena_strndup(files->arena, path, (size_t)(slash - path) + 1)
				   : ".";
	int number = inotify_add_watch(files->inotify, folder, CHANGES);

	if (number >= 0)
		*arena_append(files->arena, files->items, files->count) =
			(struct files_item){ number,
					     arena_strdup(files->arena, slash ? slash + 1 : path) };
}

void files_set(struct files *files, const char *const *paths, size_t count)
{
	struct arena *arena = arena_new();
	const char **copies = arena_alloc(arena, (count + 1) * sizeof(*copies));

	for (size_t i = 0; i < count; i++)
		copies[i] = arena_strdup(arena, paths[i]);
	forget(files);
	files->arena = arena;
	for (size_t i = 0; i < count; i++)
		add(files, copies[i]);
}

static bool is_meant(const struct files *files, const struct inotify_event *event)
{
	if (event->mask & IN_Q_OVERFLOW)
		return true;
	for (size_t i = 0; event->len && i < files->count; i++)
		if (files->items[i].folder == event->wd &&
		    strcmp(files->items[i].name, event->name) == 0)
			return true;
	return false;
}

bool files_take(struct files *files)
{
	char room[4096] __attribute__((aligned(__alignof__(struct inotify_event))));
	bool has_changed = false;
	ssize_t length;

	while ((length = read(files->inotify, room, sizeof(room))) > 0)
		for (char *at = room; at < room + length;) {
			const struct inotify_event *event = (const void *)at;

			has_changed |= is_meant(files, event);
			at += sizeof(*event) + event->len;
		}
	return has_changed;
}
