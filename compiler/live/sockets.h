/*
 * sockets: does anybody wait on a port? Read from the kernel's socket tables of this network
 * namespace.
 */
#ifndef TPC_LIVE_SOCKETS_H
#define TPC_LIVE_SOCKETS_H

#include <stdbool.h>

#include "addr/addr.h"

struct ir_listener;

/* Is there a socket (listening for TCP, bound for UDP) that a packet handed to this listener's
 * address of the family would reach? */
bool sockets_has_listener(const struct ir_listener *listener, enum addr_family family, bool udp);

#endif
