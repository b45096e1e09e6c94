/*
 * packet: what a rule can know of one packet. Written by expectations (and by whoever asks where a
 * packet goes), read by the matches.
 */
#ifndef TPC_IR_PACKET_H
#define TPC_IR_PACKET_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "addr/addr.h"
#include "addr/interval.h"

struct ir_set;

/* Knows what sets that are filled at run time hold now. */
struct ir_held {
	/* Does the set hold the value? *element receives what it lies in. */
	bool (*find)(struct ir_held *held, const struct ir_set *set, struct wide value,
		     struct interval *element);
};

enum ir_scope { SCOPE_FORWARD = 1, SCOPE_LOCAL = 2, SCOPE_BOTH = 3 };

enum ir_state { STATE_NEW = 1, STATE_ESTABLISHED = 2, STATE_RELATED = 4, STATE_INVALID = 8 };

struct ir_packet {
	enum ir_scope scope;  /* one of forward and local */
	const char *in, *out; /* interface names, "" when not known */
	enum addr_family family;
	struct wide from, to;
	bool has_from, has_to;          /* they are known */
	bool to_local, to_broadcast;    /* what the kernel's fib would say of the destination */
	bool from_foreign;              /* this host sends it from an address that is not its own */
	unsigned int protocol;          /* IP protocol number; 0 when not known */
	unsigned int source_port, port; /* 0 when not known */
	const char *user, *group; /* name or number of the sending process, NULL when not known */
	uint32_t mark;            /* what the packet brought */
	uint32_t ct_mark;
	enum ir_state state;
	uint64_t mac;           /* of the sender, 48 bits; 0 when not known */
	const char *cgroup;     /* path below the root, without the first slash; NULL: not known */
	unsigned int dscp, ecn; /* 0..63, 0..3 */
	unsigned int length, ttl;     /* bytes with the IP header, hops left; 0 when not known */
	const unsigned char *payload; /* after the TCP or UDP header */
	size_t payload_length;
	/*
	 * When the packet comes, as the clock on the wall of the host shows it: seconds since
	 * 1970-01-01 00:00 of its local time. 0 when not known.
	 */
	int64_t time;
	struct ir_held *held; /* NULL: such sets hold what they begin with */
};

#endif
