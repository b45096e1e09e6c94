/*
 * loader: nft text into the kernel, by libnftables.
 *
 * libnftables may crash on tables that newer tools wrote, so it works in a child process, which
 * cannot take the lock or the rest of an apply with it.
 */
#ifndef TPC_LIVE_LOADER_H
#define TPC_LIVE_LOADER_H

#include <stdbool.h>
#include <stddef.h>

struct arena;
struct buf;

enum loader_how {
	LOADER_RUN,   /* one transaction */
	LOADER_CHECK, /* asks the kernel, changes nothing */
};

struct loader_error {
	unsigned int line; /* of the text, from 1; 0: not known */
	const char *text;  /* libnftables' or the system's words, without a place; in the arena */
};

/* A child that waits for texts. All 0: none yet, loader_run brings one into being. */
struct loader {
	int socket;
	int child; /* its process id */
	int lock;  /* where it is not 0: a file descriptor that the child must not keep */
};

/* Lets the child get ready while we do something else. */
void loader_open(struct loader *loader);
/* The child ends, and has ended. */
void loader_close(struct loader *loader);
/*
 * The child ends by itself. Whoever closes an nftables socket last waits until the kernel has
 * destroyed what was removed, a moment for each thousand elements: with sockets that were opened
 * before the child, that is it and not we, where they are closed before this.
 */
void loader_leave(struct loader *loader);
/*
 * Loads the text as one transaction. On failure nothing has changed (but for the one case that the
 * kernel's answer was lost), and *error says why and, as far as libnftables can tell, in which
 * line.
 */
bool loader_run(struct arena *arena, struct loader *loader, const struct buf *text,
		enum loader_how how, struct loader_error *error);
/* The errno behind libnftables' words, where it is one that may pass; else 0. */
int loader_code(const struct loader_error *error);

#endif
