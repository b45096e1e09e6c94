/*
 * files: says when one of some files is written, replaced or removed.
 */
#ifndef TPC_WATCH_FILES_H
#define TPC_WATCH_FILES_H

#include <stdbool.h>
#include <stddef.h>

struct arena;

struct files {
	struct arena *arena; /* of the names; re-created with them */
	int inotify;         /* -1: not open */
	struct files_item {
		int folder; /* inotify's number of it */
		const char *name;
	} * items;
	size_t count;
};

bool files_open(struct files *files);
/* Waits for these from now on, and for no others. A file need not be there; its folder must. */
void files_set(struct files *files, const char *const *paths, size_t count);
/* Reads all that has come, without waiting. True where one of the files has changed. */
bool files_take(struct files *files);

#endif
