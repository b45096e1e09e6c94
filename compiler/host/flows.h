/*
 * flows: connections that conntrack holds on a way that is no more.
 *
 * Connection tracking translates the first packet of a connection alone. A flow of datagrams that
 * goes on would so stay with a listener that is gone, without the listener that it should have, or
 * with the source address of another uplink, for as long as its sender goes on.
 */
#ifndef TPC_HOST_FLOWS_H
#define TPC_HOST_FLOWS_H

#include <stddef.h>

#include "host/host.h"

struct arena;
struct ir;
struct record;
struct report;

struct flows_job {
	struct arena *arena;
	struct report *report;
	struct kernel *kernel;
	const struct record *before; /* what was applied, or NULL */
	const struct record *after;  /* what is now; NULL: nothing */
	const struct ir *ir;         /* of a plan: what is to be; NULL: the kernel has it already */
};

struct flows_entry;

/* Connections on a way that is no more, of one dump. The rules that are asked are those that the
 * kernel has now, or the job's. That they cannot be listed is a warning, and there are none. */
struct flows_found {
	struct flows_entry *items;
	size_t count;
};

struct flows_found flows_find(const struct flows_job *job);

#endif
