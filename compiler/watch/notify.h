/*
 * notify: tells the service manager how it stands, as sd_notify(3) describes; nothing where none
 * asks ($NOTIFY_SOCKET is not set).
 */
#ifndef TPC_WATCH_NOTIFY_H
#define TPC_WATCH_NOTIFY_H

#include <stdint.h>

/* "READY=1\nSTATUS=..." */
void notify_send(const char *text);
/* How often the service manager wants to hear WATCHDOG=1, in milliseconds; 0: it does not. */
int64_t notify_watchdog(void);

#endif
