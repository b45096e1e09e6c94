/*
 * kinds: the selectors of the kinds, and the matches that the lowering itself needs and no key of a
 * rule stands for.
 *
 * Each function fills a match for the ir; the caller appends it.
 */
#ifndef TPC_MATCH_KINDS_H
#define TPC_MATCH_KINDS_H

#include "match/match.h"

enum { INTERFACE_IN, INTERFACE_OUT, INTERFACE_OUT_FIB };
/* IFNAMSIZ - 1, linux/if.h */
enum { INTERFACE_LENGTH = 15 };
/* Is it the name of one interface, or a pattern of names? */
bool interface_is_name(const char *text);
enum { PORT_SOURCE, PORT_DESTINATION };
enum { ADDRESS_FROM, ADDRESS_TO };
enum { IDENTITY_USER, IDENTITY_GROUP, IDENTITY_CGROUP };
enum { MARK_PACKET, MARK_CONNECTION };

/* iifname / oifname among the names; patterns (trailing '*') only alone. */
struct ir_match interface_match(unsigned int selector, const char *const *names, size_t count,
				bool negated);
/* `lo`, or any interface but that. */
struct ir_match loopback_match(unsigned int selector, bool negated);
struct ir_match family_match(struct arena *arena, enum addr_family family);
/* The protocols; a set of one or more numbers. */
struct ir_match protocol_match(const struct interval_set *protocols);
struct ir_match one_protocol_match(struct arena *arena, unsigned int number);
/* ICMP of both families. */
struct ir_match icmp_match(struct arena *arena);
/* The names that stand for a port. */
const char *const *port_services(struct arena *arena, size_t *count);
struct ir_match port_match(struct arena *arena, unsigned int selector, uint16_t port);
/* Source or destination inside one prefix. */
struct ir_match address_match(struct arena *arena, unsigned int selector,
			      struct addr_prefix prefix);
/* match_put_element for these two. */
bool address_put_element(const struct ir_match *match, const struct ir_packet *packet,
			 struct buf *out);
bool port_put_element(const struct ir_match *match, const struct ir_packet *packet,
		      struct buf *out);
/* Is it a port of another protocol than the packet's? */
bool port_lacks_protocol(const struct ir_match *match, const struct ir_packet *packet);
/* Does only a host's list of accounts know whether the sender is who the match asks for: the one a
 * name, the other a number? */
bool identity_is_guess(const struct ir_match *match, const struct ir_packet *packet);
/* The packet's or the connection's mark, under a mask, equals the value. */
struct ir_match mark_match(struct arena *arena, unsigned int selector, uint32_t value,
			   uint32_t mask);
struct ir_match state_match(struct arena *arena, enum ir_state state);

/* Adds what holds only for packets that carry these bytes, however many they are. */
void bytes_append(struct match_context *context, struct match_alternative *alternative,
		  const struct ir_bytes *bytes);
/* The packet has less than so many bytes, its IP header counted. */
struct ir_match shorter_match(struct arena *arena, unsigned int length);
/* The keys of a value of `payload`. */
extern const struct decode_table payload_table;

/* How packets of an app (by its number among a condition's values) begin over a protocol. */
struct app_signature {
	unsigned int app, protocol;
	struct ir_bytes bytes;
	unsigned int least; /* so many bytes such a datagram carries; 0: as many as are compared */
};

/* The nth of them all; NULL after the last. */
const struct app_signature *app_signature(size_t nth);

/* fib daddr type: an address that this host has; a broadcast address; or either, with anycast. */
enum { FIB_LOCAL, FIB_BROADCAST, FIB_HOST };
struct ir_match fib_match(unsigned int selector);
/* No address that this host has. */
struct ir_match elsewhere_match(void);
/* The source is an address of this host's: of what it sends itself. */
struct ir_match own_source_match(void);
/* ct direction reply. */
struct ir_match direction_match(void);
/* ct direction original. */
struct ir_match original_match(void);
/* Its connection is one that another has had the kernel expect. */
struct ir_match expected_match(void);
/* A transparent socket on this host waits for, or holds, this connection. */
struct ir_match socket_match(void);
/* ct status dnat, negated: the packet's connection was not redirected. */
struct ir_match undirected_match(void);
/* ct status dnat: another program has changed its connection's destination. */
struct ir_match translated_match(void);
/* fib saddr: the source is an address of this host's, and of another interface than it leaves by.
 */
struct ir_match borrowed_match(void);
/* fib saddr: the source is no address of this host's. */
struct ir_match spoofed_match(void);
/* fib saddr: the source is no address of the interface that the packet leaves by. */
struct ir_match lodged_match(void);
/* Its connection began with its own source address, which only a first packet can change. */
struct ir_match unsourced_match(void);
/* Its connection was given a source address in the prefix (and replies come to it). */
struct ir_match given_match(struct arena *arena, struct addr_prefix prefix);
/* The packet is of no connection, so that nothing can redirect it. */
struct ir_match unconnected_match(void);
/* IPv6 redirects (RFC 4861), which no kernel setting keeps this host from sending. */
struct ir_match redirect_match(void);
/* Some socket on this host takes the packet: only sure of first packets. */
struct ir_match listening_match(void);
/* IPv6 neighbour discovery, without which no other IPv6 packet leaves. */
struct ir_match discovery_match(void);
/* The first packet of a TCP connection, in each direction. */
struct ir_match syn_match(void);
/* Any other TCP packet. */
struct ir_match continued_match(void);
/* A TCP packet that ends a connection, in one direction or both. */
struct ir_match end_match(void);
/* A TCP reset. */
struct ir_match reset_match(void);
/* A UDP packet of a flow in which both sides have sent. */
struct ir_match answered_match(void);
/* An echo request: ping. */
struct ir_match echo_match(enum addr_family family);
/* A packet that one of the gateways has sent whose link addresses are in the set. */
struct ir_match gateway_match(const struct ir_set *set);
/* A packet of a flow that is in the set (its type says of which family). */
struct ir_match flow_match(const struct ir_set *set);

/* IP protocol numbers: IANA's registry. */
enum {
	PROTOCOL_ICMP = 1,
	PROTOCOL_TCP = 6,
	PROTOCOL_UDP = 17,
	PROTOCOL_DCCP = 33,
	PROTOCOL_GRE = 47,
	PROTOCOL_ESP = 50,
	PROTOCOL_AH = 51,
	PROTOCOL_ICMPV6 = 58,
	PROTOCOL_SCTP = 132
};

/* The keys of `time`. */
extern const struct decode_table time_table;
/* "2026-12-24 22:30" as local seconds; adds the error and returns false when it is none. */
bool time_read_moment(struct decode *decode, const struct node *value, int64_t *out);

/* "tcp" for 6; NULL for a number without a name of ours. */
const char *protocol_name(unsigned int number);

#endif
