/*
 * settings: sysctls of this network namespace, by their dotted names (a dot inside an interface's
 * name is written as a slash, as sysctl(8) has it), read and written below /proc/sys.
 */
#ifndef TPC_LIVE_SETTINGS_H
#define TPC_LIVE_SETTINGS_H

#include <stdbool.h>

struct arena;
struct ir_sysctl;

/* The value without its line end, or NULL when there is no such setting. */
const char *settings_read(struct arena *arena, const char *key);
/* False with errno set. */
bool settings_write(struct arena *arena, const char *key, const char *value);
/* Does this network namespace speak IPv6 at all? */
bool settings_has_ipv6(struct arena *arena);
/*
 * Is there something to do for this wish? False also when the setting is not there. *now receives
 * the value that it has, or NULL.
 */
bool settings_is_open(struct arena *arena, const struct ir_sysctl *wish, const char **now);

#endif
