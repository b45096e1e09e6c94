/*
 * privileges: what a process that stays may still do.
 */
#ifndef TPC_WATCH_PRIVILEGES_H
#define TPC_WATCH_PRIVILEGES_H

#include <stdbool.h>

/* Keeps CAP_NET_ADMIN alone, for this process and all that it starts. False: errno says why. */
bool privileges_drop(void);

#endif
