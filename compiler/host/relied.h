/*
 * relied: does other software rely on forwarding that a policy has switched on? Docker and others
 * read the setting when they start, and leave it as they find it.
 */
#ifndef TPC_HOST_RELIED_H
#define TPC_HOST_RELIED_H

struct arena;
struct kernel;
struct record;

/* For forwarding of a family and what goes with it: what may rely on it, in words. NULL: no sign of
 * any, or another kind of setting. */
const char *relied_on(struct arena *arena, struct kernel *kernel, const struct record *record,
		      const char *key);
/* Stores which interfaces exist when forwarding is switched on. */
void relied_note(struct arena *arena, struct kernel *kernel, const struct record *before,
		 struct record *after, const char *key);

#endif
