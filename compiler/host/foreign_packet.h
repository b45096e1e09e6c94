/*
 * foreign_packet: a packet as foreign rules see it, and the registers in which they compare it.
 *
 * Of each bit of a register it is known, or not, what it holds: a question about a packet leaves
 * much open. What is not known has a reason, for the answer.
 */
#ifndef TPC_HOST_FOREIGN_PACKET_H
#define TPC_HOST_FOREIGN_PACKET_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "ir/ir.h"

struct arena;
struct nlattr;

/* What of a packet can be assumed. */
enum foreign_field {
	FOREIGN_NONE,
	FOREIGN_IN, /* without bounds */
	FOREIGN_FROM,
	FOREIGN_TO,
	FOREIGN_PORT,
	FOREIGN_FIELDS
};

/* With which source a packet leaves. */
enum foreign_source {
	FOREIGN_SOURCE_KEPT,
	FOREIGN_SOURCE_INTERFACE, /* masquerade: an address of the interface */
	FOREIGN_SOURCE_GIVEN,     /* snat to this one, or one of these */
	FOREIGN_SOURCE_UNKNOWN
};

/* Who sends it: the socket of this host. */
struct foreign_sender {
	uint32_t user;
	uint64_t cgroup; /* 0: not known */
};

struct foreign_packet {
	const struct ir_packet *packet; /* the question; what changes on the way is below */
	enum ir_hook hook;
	const char *in, *out; /* "": by none; NULL: not known */
	bool has_from, has_to;
	struct wide from, to;
	unsigned int port;         /* 0: not known */
	unsigned char type;        /* of the destination (RTN_), as fib tells; 0: not known */
	unsigned char source_type; /* the same of the source */
	const struct foreign_sender *sender; /* NULL: not known, or in `packet` */
	uint64_t now;                        /* nanoseconds of the epoch; 0: not known */
	enum foreign_source source;          /* what the chains so far give it */
	struct wide given, given_last;       /* of FOREIGN_SOURCE_GIVEN */
	uint32_t mark, ct_mark;
	bool is_tracked; /* its connection is known, with this status (IPS_) */
	uint32_t status;
	bool is_translated; /* its destination is another one now */
	bool is_pinned;     /* and none of the chains to come changes it */
	/* The table whose choices (numgen, jhash) are taken to fall on the first of what they
	 * choose from, which is then noted; or NULL. */
	const char *choosing;
	bool *has_chosen;
	/*
	 * It stands for all packets of which no more is known: what a rule asks for beside is
	 * assumed, and becomes known. A field that lies between two values is none that is known.
	 */
	bool is_any;
	bool is_vague; /* a set says which it stands for */
	struct foreign_bounds {
		bool has;
		struct wide least, most;
	} bounds[FOREIGN_FIELDS];
};

/* nft's 16 words of 32 bits. */
struct foreign_registers {
	uint8_t bytes[64], known[64];  /* `known`: a mask of bits */
	const char *why[16];           /* a word is not wholly known */
	enum foreign_field fields[16]; /* what is not known there begins such a field, or is one
					  under a mask */
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

/* A choice of the table that `packet` says. False: it is none. */
bool foreign_choose(const struct foreign_packet *packet, const char *table, const char *name,
		    const struct nlattr *const *data, struct foreign_registers *registers);

/* What became of a comparison with a field that is not known. */
enum foreign_assumed {
	FOREIGN_UNDECIDED, /* nothing can be assumed */
	FOREIGN_ASSUMED,   /* the packet has what is asked */
	FOREIGN_LOOSELY,   /* some packets have it, and `packet` does not tell which */
	FOREIGN_IMPOSSIBLE /* another rule has asked for something else */
};

/*
 * foreign_assume.c: the bytes at `at` of the registers lie between `least` and `most` (NULL: they
 * are others, or not told). `packet` is changed, and must be one that stands for many.
 */
enum foreign_assumed foreign_assume(struct arena *arena, struct foreign_packet *packet,
				    const struct foreign_registers *registers, size_t at,
				    size_t length, const uint8_t *least, const uint8_t *most);
/* The same for the ports that iptables' match `tcp` or `udp` (`name`) asks for. */
enum foreign_assumed foreign_assume_ports(struct foreign_packet *packet, const char *name,
					  const void *info, size_t length);
/* Are those bytes one of the fields that can be assumed, and the whole of it? */
bool foreign_is_field(const struct foreign_packet *packet,
		      const struct foreign_registers *registers, size_t at, size_t length);
/* Does one stand for all packets that the other stands for? */
bool foreign_covers(const struct foreign_packet *one, const struct foreign_packet *other);

/* The bits of `ct state`, which iptables has, too. */
uint32_t foreign_state(enum ir_state state);

/*
 * iptables' matches, as nft has them (struct xt_*). 1: it holds, 0: it does not, -1: not known.
 */
int foreign_match(const struct foreign_packet *packet, const char *name, uint32_t revision,
		  const void *info, size_t length);

/* Where iptables' target DNAT leads, or with which source SNAT lets it leave: to one address, and
 * one port (0: as it was, or one of several). False: to more than one, or it is not known. */
bool foreign_dnat(enum addr_family family, uint32_t revision, const void *info, size_t length,
		  struct wide *to, unsigned int *port);

#endif
