/*
 * foreign_packet: a packet as foreign rules see it, and the registers in which they compare it.
 *
 * Of each bit of a register it is known, or not, what it holds: a question about a packet leaves
 * much open. What is not known has a reason, for the answer.
 */
#ifndef TPC_LIVE_FOREIGN_PACKET_H
#define TPC_LIVE_FOREIGN_PACKET_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "ir/ir.h"

struct nlattr;

struct foreign_packet {
	const struct ir_packet *packet; /* the question; what changes on the way is below */
	enum ir_hook hook;
	const char *in, *out; /* "": by none; NULL: not known */
	bool has_from, has_to;
	struct wide from, to;
	unsigned int port;  /* 0: not known */
	unsigned char type; /* of the destination (RTN_), as fib tells; 0: not known */
	uint32_t mark, ct_mark;
	bool is_translated; /* its destination is another one now */
	bool is_pinned;     /* and none of the chains to come changes it */
};

/* nft's 16 words of 32 bits. */
struct foreign_registers {
	uint8_t bytes[64], known[64]; /* `known`: a mask of bits */
	const char *why[16];          /* a word is not wholly known */
};

/* Where register `number` begins; false: there is no such register, or `length` bytes do not fit.
 */
bool foreign_register(uint32_t number, size_t length, size_t *at);
void foreign_put(struct foreign_registers *registers, uint32_t number, const void *bytes,
		 size_t length);
void foreign_forget(struct foreign_registers *registers, uint32_t number, size_t length,
		    const char *why);
/* Why one of these bytes is not wholly known; NULL: they are. */
const char *foreign_unknown(const struct foreign_registers *registers, size_t at, size_t length);

/* The expressions `meta`, `payload`, `ct` and `fib`, where they load; `data` by their attributes'
 * numbers. False: it is none of them. */
bool foreign_load(const struct foreign_packet *packet, const char *name,
		  const struct nlattr *const *data, struct foreign_registers *registers);

/* The bits of `ct state`, which iptables has, too. */
uint32_t foreign_state(enum ir_state state);

/*
 * iptables' matches, as nft has them (struct xt_*). 1: it holds, 0: it does not, -1: not known.
 */
int foreign_match(const struct foreign_packet *packet, const char *name, uint32_t revision,
		  const void *info, size_t length);

#endif
