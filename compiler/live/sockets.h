/*
 * sockets: does a socket listen on a port? Read from the kernel's socket tables of this network
 * namespace.
 */
#ifndef TPC_LIVE_SOCKETS_H
#define TPC_LIVE_SOCKETS_H

#include <stdbool.h>

#include "addr/addr.h"

struct arena;
struct ir_listener;

/* NULL where there is a socket (listening for TCP, bound for UDP) that a packet handed to this
 * listener's address of the family would reach; else what to say of it, with the addresses that
 * sockets of that port listen on. */
const char *sockets_missing(struct arena *arena, const struct ir_listener *listener,
			    enum addr_family family, bool udp);

#endif
