/*
 * sysctl_plan: what a policy's sysctls for kernel settings come down to on this host, now: one
 * setting a line, those of several interfaces told apart, and which of them have to change. Nothing
 * is changed here.
 */
#ifndef TPC_HOST_SYSCTL_PLAN_H
#define TPC_HOST_SYSCTL_PLAN_H

#include <stdbool.h>
#include <stddef.h>

struct arena;
struct ir_sysctl;
struct netlink;
struct record;

/* A host that switches it on stops to listen to routers. */
#define NEEDS_FORWARDING_IPV6 "net.ipv6.conf.all.forwarding"

struct sysctl_plan_setting {
	const struct ir_sysctl *wanted;
	const char *key; /* of one interface */
	const char *now; /* NULL: there is no such setting */
	bool is_wanted;  /* without the policy it would have another value, and that would matter */
	bool is_open;    /* it has to change: it is wanted, and not so yet */
	const char *absent; /* an interface that is not there yet, and that will begin with a value
			       that would have to change */
};

struct sysctl_plan {
	struct sysctl_plan_setting *items;
	size_t count;
};

/*
 * In the order in which they are to be written: each is seen as if those before it were as wanted.
 * `before` (may be NULL) says what the policy has changed already. `netlink` is rtnetlink's.
 */
struct sysctl_plan sysctl_plan_find(struct arena *arena, struct netlink *netlink,
				    const struct ir_sysctl *sysctls, size_t count,
				    const struct record *before);

#endif
