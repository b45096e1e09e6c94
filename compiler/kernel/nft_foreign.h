/*
 * nft_foreign: the nft tables of this host that are not one policy's, read by netlink: their chains
 * and rules. Elements of sets are never read.
 */
#ifndef TPC_KERNEL_NFT_FOREIGN_H
#define TPC_KERNEL_NFT_FOREIGN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct arena;
struct netlink;
struct netlink_error;
struct nlattr;
struct nft_table_chain;

struct nft_foreign_table {
	uint8_t family; /* NFPROTO_ */
	const char *name;
};

/* Awake tables of all families but arp. */
struct nft_foreign_tables {
	struct nft_foreign_table *items;
	size_t count;
};

/* What is called for each chain and each rule; false of `wants_table` leaves a table out. What the
 * attributes point to is good only during the call. */
struct nft_foreign_reader {
	bool (*wants_table)(void *user, const struct nft_foreign_table *table);
	void (*begin)(void *user); /* everything is read again: forget what came */
	void (*rule)(void *user, const struct nft_foreign_table *table, const char *chain,
		     uint64_t handle, const struct nlattr *expressions);
	/* Chains come after the rules. `attributes` by their numbers (NFTA_CHAIN_). */
	void (*chain)(void *user, const struct nft_foreign_table *table,
		      const struct nlattr *const *attributes);
	void *user;
};

/* Tables may come and go meanwhile: all is read until one reading was whole. */
bool nft_foreign_read(struct arena *arena, struct netlink *nft,
		      const struct nft_foreign_reader *reader, struct nft_foreign_tables *tables,
		      struct netlink_error *error);
/* "ip", "inet" ...: nft's word for the family. */
const char *nft_foreign_family(uint8_t family);

#endif
