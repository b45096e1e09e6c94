/*
 * ir_sysctl: the two tables (see ir_sysctl.h).
 */
#include "ir/ir_sysctl.h"

const struct ir_sysctl_condition *ir_sysctl_condition(enum ir_sysctl_when when)
{
	static const struct ir_sysctl_condition conditions[] = {
		[IR_SYSCTL_ALWAYS] = { "each" },
		[IR_SYSCTL_IF_ELSEWHERE] = { "each", { { IR_ASKED_LOCAL, .value = 0 } } },
		[IR_SYSCTL_UNLESS_ALL] = { "each",
					   { { IR_ASKED_ALL, .differs = true, .value = 1 } } },
		[IR_SYSCTL_IF_EFFECTIVE] = { "each", { { IR_ASKED_EFFECTIVE, .differs = true } } },
		[IR_SYSCTL_IF_MARKED] = { "each",
					  { { IR_ASKED_EFFECTIVE, .value = 1 },
					    { IR_ASKED_EFFECTIVE, "net.ipv4.conf.*.src_valid_mark",
					      .value = 1 } } },
		[IR_SYSCTL_IF_BRIDGE] = { "each", { { IR_ASKED_BRIDGE, .value = 1 } } },
		[IR_SYSCTL_IF_ADVERTISED] = { "advertised", { { IR_ASKED_OWN, .value = 1 } } },
		[IR_SYSCTL_IF_DEFAULT] = { "default" },
	};

	return &conditions[when];
}

const struct ir_sysctl_companion *ir_sysctl_companions(size_t *count)
{
	static const struct ir_sysctl_companion companions[] = {
		{ "net.ipv4.ip_forward", "net.ipv4.conf.all.accept_redirects", "0" },
		{ "net.ipv4.ip_forward", "net.ipv4.conf.*.forwarding", "1" },
		{ "net.ipv6.conf.all.forwarding", "net.ipv6.conf.*.forwarding", "1" },
	};

	*count = sizeof(companions) / sizeof(companions[0]);
	return companions;
}
