/*
 * emit: the table of outputs. A new output is a file in this folder and a line here.
 */
#include "emit/emit.h"

#include <string.h>

#include "base/arena.h"
#include "emit/dnsmasq.h"
#include "emit/ipbatch.h"
#include "emit/json.h"
#include "emit/nft.h"
#include "emit/sh.h"
#include "emit/sysctl.h"

static const struct emit_output outputs[] = {
	{ "nft", ".nft", "for `nft -f`", 0666, NULL, emit_nft_put },
	{ "ip", ".ip.batch", "for `ip -batch`", 0666, NULL, ipbatch_put_ipv4 },
	{ "ip6", ".ip6.batch", "for `ip -6 -batch`, where the policy is about IPv6", 0666,
	  ipbatch_needs_ipv6, ipbatch_put_ipv6 },
	{ "sh", ".sh", "a script that does everything: up, down, status", 0777, NULL, emit_sh_put },
	{ "sysctl", ".sysctl.conf", "for `sysctl -p`, where the policy needs kernel settings", 0666,
	  emit_sysctl_is_needed, emit_sysctl_put },
	{ "dnsmasq", ".dnsmasq.conf", "for dnsmasq, where sets have domains", 0666,
	  emit_dnsmasq_is_needed, emit_dnsmasq_put, emit_dnsmasq_check },
	{ "json", ".json", "what was allocated, for programs", 0666, NULL, emit_json_put },
};

enum { OUTPUTS = sizeof(outputs) / sizeof(outputs[0]) };

struct emit_job emit_job_of(struct arena *arena, const struct ir *ir, const char *path)
{
	const char *slash = strrchr(path, '/');
	struct emit_job job = { .ir = ir, .policy = slash ? slash + 1 : path };
	const char *dot = strrchr(job.policy, '.');

	if (!strcmp(path, "-")) {
		job.policy = "standard input";
		job.stem = "policy";
	} else if (dot && dot != job.policy) {
		job.stem = arena_strndup(arena, job.policy, (size_t)(dot - job.policy));
	} else {
		job.stem = job.policy;
	}
	return job;
}

const struct emit_output *emit_outputs(size_t *count)
{
	*count = OUTPUTS;
	return outputs;
}

const struct emit_output *emit_find(const char *kind)
{
	for (size_t i = 0; i < OUTPUTS; i++)
		if (!strcmp(outputs[i].kind, kind))
			return &outputs[i];
	return NULL;
}

void emit_check(struct arena *arena, struct diag *diag, const struct ir *ir)
{
	for (size_t i = 0; i < OUTPUTS; i++)
		if (outputs[i].check)
			outputs[i].check(arena, diag, ir);
}
