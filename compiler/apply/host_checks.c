/*
 * host_checks: what an apply finds around the policy, and changes nothing of: interfaces,
 * addresses, the main table, foreign nft rules.
 */
#include "apply/apply_state.h"
#include "host/interfaces.h"
#include "host/listening.h"
#include "host/obstacles.h"
#include "host/own_networks.h"
#include "host/translators.h"
#include "ir/ir.h"
#include "kernel/socket_table.h"

void apply_tell_host(struct apply *apply, bool foreign)
{
	struct netlink *netlink = &apply->kernel.route;
	struct translators_job job = { .arena = apply->arena,
				       .report = apply->report,
				       .kernel = &apply->kernel,
				       .ir = apply->ir };
	/* The rules of a rollback are text. */
	struct own_networks_job networks = { .arena = apply->arena,
					     .report = apply->report,
					     .kernel = &apply->kernel,
					     .record = apply->after,
					     .ir = apply->ir };

	foreign &= !apply->job->back;
	interfaces_tell(apply->report, netlink, apply->ir->asked, apply->ir->asked_count);
	obstacles_tell(apply->arena, apply->report, netlink, apply->ir);
	if (foreign)
		own_networks_tell(&networks);
	if (foreign)
		translators_tell(&job);
}

void apply_tell_sockets(struct apply *apply)
{
	struct listening_job job = { .report = apply->report,
				     .netlink = &apply->kernel.route,
				     .listeners = apply->ir->listeners,
				     .count = apply->ir->listener_count,
				     .asked = apply->ir->asked,
				     .asked_count = apply->ir->asked_count,
				     .only_wrong = !apply->job->plan };

	listening_check(&job);
}
