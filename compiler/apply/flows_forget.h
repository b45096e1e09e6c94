/*
 * flows_forget: gives up connections on a way that is no more (see flows.h).
 */
#ifndef TPC_APPLY_FLOWS_FORGET_H
#define TPC_APPLY_FLOWS_FORGET_H

#include <stddef.h>

struct flows_job;

/* Deletes them, one by one, and leaves all others. Returns how many. What the kernel refuses is a
 * warning. */
size_t flows_forget(const struct flows_job *job);

#endif
