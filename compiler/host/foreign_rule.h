/*
 * foreign_rule: what one foreign nft rule does with a packet, as far as that can be known.
 *
 * A rule's expressions are gone through as the kernel does. Where it asks for a set, the kernel is
 * asked for that one element.
 */
#ifndef TPC_HOST_FOREIGN_RULE_H
#define TPC_HOST_FOREIGN_RULE_H

#include <stdbool.h>
#include <stdint.h>

#include "addr/addr.h"
#include "host/foreign_packet.h"

struct arena;
struct foreign_memory;
struct nft_foreign_table;
struct netlink;
struct nlattr;

enum foreign_verdict {
	FOREIGN_NEXT,
	FOREIGN_ACCEPT,
	FOREIGN_DROP,
	FOREIGN_REJECT,
	FOREIGN_QUEUE,     /* a program decides */
	FOREIGN_TRANSLATE, /* the destination */
	FOREIGN_TAKE,      /* a socket of this host gets it (tproxy) */
	FOREIGN_JUMP,
	FOREIGN_GOTO,
	FOREIGN_RETURN,
};

struct foreign_outcome {
	bool fits;         /* it does, or may */
	const char *doubt; /* why it is not known whether it does; NULL: it does */
	enum foreign_verdict verdict;
	const char *chain; /* where it jumps to */
	bool marks, is_mark_known, ct_marks;
	uint32_t mark, ct_mark;
	bool is_moved; /* it writes another destination without a verdict */
	bool has_to;   /* of what it translates to, it is known */
	struct wide to;
	unsigned int port;          /* 0: as it was, or not known */
	bool is_redirect;           /* to this host */
	enum foreign_source source; /* that it gives */
	struct wide given, given_last;
	/* Of a packet that stands for many, those that the rule takes; NULL: all of them. Loosely:
	 * fewer, and it is not told which. */
	const struct foreign_packet *assumed;
	bool is_loose;
};

struct foreign_asked {
	struct arena *arena;
	struct netlink *nft;
	struct foreign_memory *memory; /* NULL: the kernel is asked each time */
	const char *const *empty;      /* names of sets that are taken to hold nothing */
	size_t empty_count;
};

struct foreign_outcome foreign_rule(const struct foreign_asked *asked,
				    const struct nft_foreign_table *table,
				    const struct foreign_packet *packet,
				    const struct nlattr *expressions);

/* foreign_target.c: the same of iptables' target in it; `data` by its attributes' numbers. True:
 * the rule ends there. */
bool foreign_target(struct arena *arena, struct foreign_packet *now,
		    const struct nlattr *const *data, struct foreign_outcome *out);

#endif
