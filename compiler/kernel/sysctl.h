/*
 * sysctl: sysctls of this network namespace, by their dotted names (a dot inside an interface's
 * name is written as a slash, as sysctl(8) has it), read and written below /proc/sys.
 */
#ifndef TPC_KERNEL_SYSCTL_H
#define TPC_KERNEL_SYSCTL_H

#include <stdbool.h>
#include <stddef.h>

struct arena;

/* The value without its line end, or NULL when there is no such setting. */
const char *sysctl_read(struct arena *arena, const char *key);
/* False with errno set. */
bool sysctl_write(const char *key, const char *value);
bool sysctl_is_writable(const char *key);
/* Does this network namespace speak IPv6 at all? */
bool sysctl_has_ipv6(struct arena *arena);

/*
 * Of "net.ipv4.conf.*.rp_filter": the interfaces that have such a setting, by name, without `all`
 * and `default`; and the key for one of them.
 */
const char **sysctl_interfaces(struct arena *arena, const char *pattern, size_t *count);
const char *sysctl_key(struct arena *arena, const char *pattern, const char *interface);
/* The interface in such a key, `all` and `default` too; NULL when the key is about none. *pattern
 * (may be NULL) receives the key with '*' in its place. */
const char *sysctl_interface(struct arena *arena, const char *key, const char **pattern);

#endif
