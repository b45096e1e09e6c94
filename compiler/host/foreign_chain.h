/*
 * foreign_chain: a packet's way through the foreign chains of a hook.
 *
 * The tables of other policies of ours count as foreign here: both see every packet.
 */
#ifndef TPC_HOST_FOREIGN_CHAIN_H
#define TPC_HOST_FOREIGN_CHAIN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "addr/addr.h"
#include "host/foreign_rule.h"
#include "ir/ir.h"
#include "kernel/nft_foreign.h"

struct arena;
struct foreign_packet;
struct netlink;
struct netlink_error;

/* Read once, for many packets. */
struct foreign_chains;
struct foreign_chains *foreign_chains_read(struct arena *arena, struct netlink *nft,
					   const char *own, struct netlink_error *error);
/* Sets with these names are taken to hold nothing. */
void foreign_chains_empty(struct foreign_chains *chains, const char *const *names, size_t count);
/* What sets hold is asked once for each key, and so is as it was then. */
void foreign_chains_remember(struct foreign_chains *chains);
/* The chains with a hook of the family's packets: "inet fw input, ip nat PREROUTING". NULL: there
 * is none. */
const char *foreign_chains_names(const struct foreign_chains *chains, struct arena *arena,
				 enum addr_family family);
/* Tables whose chains are not followed (families netdev and bridge, hook ingress): "netdev x". */
const char *const *foreign_chains_unfollowed(const struct foreign_chains *chains, size_t *count);

/* Something that a chain does, or may do. */
struct foreign_effect {
	enum foreign_verdict verdict; /* FOREIGN_NEXT: it rewrites the mark */
	const char *doubt;            /* why it is not known whether it does; NULL: it does */
	struct nft_foreign_table table;
	const char *place;   /* "table ip filter, chain FORWARD, handle 4" */
	const char *command; /* that shows it */
	bool is_policy;      /* of the chain: no rule took the packet */
	bool is_offered; /* it surely comes to that tproxy or queue, and the doubt is about whether
			    it is taken there */
	bool is_mark_known;
	uint32_t before, after; /* marks */
	bool has_to, is_redirect;
	struct wide to;
	unsigned int port;
	const struct foreign_packet *packet; /* where one stands for many: those it does it to */
};

struct foreign_effects {
	struct foreign_effect *items;
	size_t count;
};

/* Where a translation leads: "203.0.113.8 port 53", "this host", "another address". */
const char *foreign_effect_target(struct arena *arena, const struct foreign_effect *effect,
				  enum addr_family family);

/*
 * Goes through the chains of packet->hook whose priority is least..most (of those that translate:
 * all have the places around -100, or 100, where the kernel calls them), and changes the packet as
 * they surely do. False: one of them surely ends its way. `arena` keeps the effects.
 */
bool foreign_chains_walk(const struct foreign_chains *chains, struct arena *arena,
			 struct foreign_packet *packet, int least, int most,
			 struct foreign_effects *out);

#endif
