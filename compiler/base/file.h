/*
 * file: outputs that appear whole or not at all, and a diff of what would change.
 */
#ifndef TPC_BASE_FILE_H
#define TPC_BASE_FILE_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

struct arena;
struct buf;

struct file_output {
	const char *name; /* inside the folder */
	const char *text;
	size_t length;
	mode_t mode; /* 0666, 0777 for scripts, 0600; less what the umask takes */
};

/*
 * Writes all outputs into `folder` (made, with its parents, if need be). Each goes to a temporary
 * file beside its place first, synced; only when all are there are they renamed into place. On an
 * error nothing in the folder has changed, all temporary files are gone, *why (in the arena) says
 * what the system refused, naming the file, and false comes back. Files of `stale` (names,
 * NULL-terminated) that exist are removed after that: outputs of an earlier compile that this one
 * does not write.
 */
bool file_write_all(struct arena *arena, const char *folder, const struct file_output *outputs,
		    size_t count, const char *const *stale, const char **why);
/* A unified diff (three lines of context) from old to new, empty when they are the same. */
void file_diff(struct buf *out, const char *old_name, const char *old_text, size_t old_length,
	       const char *new_name, const char *new_text, size_t new_length);

#endif
