/*
 * snapshot: the files of the run directory: how each begins and ends, and what becomes of one that
 * is none of ours.
 *
 * A file begins with its kind and format, and with the boot that it is of; then come the bytes that
 * the codec (base/codec.h) makes of what is in it; it ends in a sum of all before. It appears whole
 * or not at all. One of another boot is as good as none.
 *
 * What is no ordinary file of ours (a pipe, a link, a folder, another user's, too large), was cut
 * off or altered, or is of another format, counts as none. It is reported, and while the folder is
 * locked it gets another name, NAME.aside-1 or the next that is free, under which it keeps its
 * bytes.
 */
#ifndef TPC_STATE_SNAPSHOT_H
#define TPC_STATE_SNAPSHOT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct arena;
struct codec;
struct rundir;

/* Raised when a function of the codec writes something else. Formats before 15 had one of their own
 * for each kind of file (state/old.h). */
enum { SNAPSHOT_FORMAT = 15 };

enum snapshot_state {
	SNAPSHOT_NONE,   /* or of another boot */
	SNAPSHOT_BROKEN, /* none of ours */
	SNAPSHOT_OLD,    /* text, of a format before 15 */
	SNAPSHOT_READ
};

/* Goes over the fields of what is in a file of a kind. */
typedef void snapshot_body(struct codec *codec, void *thing);

bool snapshot_write(struct arena *arena, const struct rundir *folder, const char *name,
		    const char *kind, snapshot_body *body, void *thing, const char **why);
/* The body may be NULL: is there such a file? *why says in words what is broken. */
enum snapshot_state snapshot_read(struct arena *arena, const struct rundir *folder,
				  const char *name, const char *kind, snapshot_body *body,
				  void *thing, const char **why);
/* The same; one that is broken is reported, set aside, and none. */
enum snapshot_state snapshot_load(struct arena *arena, const struct rundir *folder,
				  const char *name, const char *kind, snapshot_body *body,
				  void *thing);
/* Only what the body asks for is read: neither the sum nor what follows. */
enum snapshot_state snapshot_look(struct arena *arena, const struct rundir *folder,
				  const char *name, const char *kind, snapshot_body *body,
				  void *thing);
/* Reports a file, and sets it aside where the folder is locked. `why`: "it is a pipe". */
void snapshot_set_aside(struct arena *arena, const struct rundir *folder, const char *name,
			const char *why);
/* Gone afterwards, whether it was there or not. */
void snapshot_remove(struct arena *arena, const struct rundir *folder, const char *name);
/* The whole text of an ordinary file of ours, with a NUL after it; NULL: there is none. */
char *snapshot_text(struct arena *arena, const struct rundir *folder, const char *name,
		    size_t *size);
/* This boot's name, by which files of an earlier one are known. */
const char *snapshot_boot(struct arena *arena);

#endif
