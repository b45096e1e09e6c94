/*
 * nft_load: nft text into the kernel, by libnftables.
 *
 * libnftables may crash on tables that newer tools wrote, so it works in a child process, which
 * cannot take the lock or the rest of an apply with it.
 */
#ifndef TPC_KERNEL_NFT_LOAD_H
#define TPC_KERNEL_NFT_LOAD_H

#include <stdbool.h>
#include <stddef.h>

struct arena;
struct buf;

enum nft_load_how {
	NFT_LOAD_RUN,   /* one transaction */
	NFT_LOAD_CHECK, /* asks the kernel, changes nothing */
};

struct nft_load_error {
	unsigned int line; /* of the text, from 1; 0: not known */
	const char *text;  /* libnftables' or the system's words, without a place; in the arena */
};

/* A child that waits for texts. All 0: none yet, nft_load_run brings one into being. */
struct nft_load {
	int socket;
	int child; /* its process id */
	int lock;  /* where it is not 0: a file descriptor that the child must not keep */
};

/* Lets the child get ready while we do something else. */
void nft_load_open(struct nft_load *loader);
/* The child ends, and has ended. */
void nft_load_close(struct nft_load *loader);
/*
 * The child ends by itself. Whoever closes an nftables socket last waits until the kernel has
 * destroyed what was removed, a moment for each thousand elements: with sockets that were opened
 * before the child, that is it and not we, where they are closed before this.
 */
void nft_load_leave(struct nft_load *loader);
/*
 * Loads the text as one transaction. On failure nothing has changed (but for the one case that the
 * kernel's answer was lost), and *error says why and, as far as libnftables can tell, in which
 * line.
 */
bool nft_load_run(struct arena *arena, struct nft_load *loader, const struct buf *text,
		  enum nft_load_how how, struct nft_load_error *error);
/* The errno after libnftables' words, where it is one that may pass; else 0. */
int nft_load_code(const struct nft_load_error *error);

#endif
