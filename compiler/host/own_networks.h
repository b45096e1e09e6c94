/*
 * own_networks: networks of this host's, by their main table's routes, whose hosts it could not
 * speak to by itself under a policy: what it sends there goes to a listener, or by a table.
 *
 * The proofs know private networks alone (lang/static/lan.c); which public ones are the host's own
 * only the host knows.
 */
#ifndef TPC_HOST_OWN_NETWORKS_H
#define TPC_HOST_OWN_NETWORKS_H

struct arena;
struct ir;
struct kernel;
struct record;
struct report;

struct own_networks_job {
	struct arena *arena;
	struct report *report;
	struct kernel *kernel;
	const struct record *record; /* of what is, or is to be, applied */
	const struct ir *ir;         /* that is to be applied; NULL: the kernel has it */
};

/* A warning for each; of those at uplinks, for what is a LAN, too: the policy takes what its hosts
 * send. */
void own_networks_tell(const struct own_networks_job *job);

#endif
