/*
 * sysctl_shared: forwarding is a switch that turns others. Off again, the kernel also switches off
 * what single interfaces had on before it was switched on, and accepts redirects where it did not
 * (Documentation/networking/ip-sysctl.rst: "its change resets all configuration parameters to
 * their default state"). Those are noted before, and kept as they are when it is given back.
 */
#ifndef TPC_APPLY_SYSCTL_SHARED_H
#define TPC_APPLY_SYSCTL_SHARED_H

#include <stdbool.h>

struct arena;
struct record;

/* Before `key` is set: adds to the record what will have to stay when it is given back. */
void sysctl_shared_note(struct arena *arena, struct record *record, const char *key);
/* Gives the setting its old value and keeps what the record has noted. False with errno set. */
bool sysctl_shared_restore(struct arena *arena, const struct record *record, const char *key,
			   const char *value);
/* Copies what one record has noted for a setting to another. */
void sysctl_shared_copy(struct arena *arena, const struct record *from, struct record *to,
			const char *key);

#endif
