/*
 * foreign_target: what the targets of iptables do, as nft has them in a rule (see
 * foreign_packet.h).
 */
#include <arpa/inet.h>
#include <string.h>

#include <linux/netfilter/nf_tables_compat.h>

#include "base/arena.h"
#include "host/foreign_rule.h"
#include "kernel/netlink.h"

struct targeted {
	struct arena *arena;
	struct foreign_packet *now;
	struct foreign_outcome *out;
	const char *name;
	uint32_t revision;
	const struct nlattr *info; /* or NULL */
};

static void doubt(struct targeted *target, const char *why)
{
	if (!target->out->doubt)
		target->out->doubt = why;
}

/* struct xt_mark_tginfo2, whose header defines the same name as that of an older one. */
static void set_mark(struct targeted *target)
{
	struct {
		uint32_t mark, mask;
	} mark;

	target->out->marks = true;
	if (!target->info || mnl_attr_get_payload_len(target->info) < sizeof(mark)) {
		doubt(target, "the iptables target `MARK`");
		return;
	}
	memcpy(&mark, mnl_attr_get_payload(target->info), sizeof(mark));
	target->now->mark = (target->now->mark & ~mark.mask) ^ mark.mark;
	target->out->is_mark_known = true;
	target->out->mark = target->now->mark;
}

/* Of DNAT and SNAT. */
static bool read_address(struct targeted *target, struct wide *address, unsigned int *port)
{
	return target->info && foreign_dnat(target->now->packet->family, target->revision,
					    mnl_attr_get_payload(target->info),
					    mnl_attr_get_payload_len(target->info), address, port);
}

static void give_source(struct targeted *target)
{
	struct foreign_outcome *out = target->out;
	unsigned int port;

	if (!strcmp(target->name, "MASQUERADE"))
		out->source = FOREIGN_SOURCE_INTERFACE;
	else if (!strcmp(target->name, "SNAT") && read_address(target, &out->given, &port))
		out->source = FOREIGN_SOURCE_GIVEN;
	else if (!strcmp(target->name, "SNAT"))
		out->source = FOREIGN_SOURCE_UNKNOWN;
	else if (!strcmp(target->name, "NETMAP"))
		out->source = FOREIGN_SOURCE_UNKNOWN;
	out->given_last = out->given;
}

/* Those that end the rule. */
static bool ends(struct targeted *target)
{
	static const struct {
		const char *name;
		enum foreign_verdict verdict;
	} targets[] = {
		{ "REJECT", FOREIGN_REJECT },      { "DNAT", FOREIGN_TRANSLATE },
		{ "REDIRECT", FOREIGN_TRANSLATE }, { "NETMAP", FOREIGN_TRANSLATE },
		{ "TPROXY", FOREIGN_TAKE },        { "NFQUEUE", FOREIGN_QUEUE },
		{ "SNAT", FOREIGN_ACCEPT },        { "MASQUERADE", FOREIGN_ACCEPT },
	};
	struct foreign_outcome *out = target->out;

	for (size_t i = 0; i < sizeof(targets) / sizeof(targets[0]); i++) {
		if (strcmp(target->name, targets[i].name) != 0)
			continue;
		out->is_redirect = !strcmp(target->name, "REDIRECT");
		if (!strcmp(target->name, "DNAT"))
			out->has_to = read_address(target, &out->to, &out->port);
		give_source(target);
		out->verdict = targets[i].verdict;
		return true;
	}
	return false;
}

static bool is_harmless(const char *name)
{
	static const char *const harmless[] = { "LOG",   "NFLOG", "TCPMSS",   "TTL", "HL",
						"TOS",   "DSCP",  "CHECKSUM", "CT",  "NOTRACK",
						"TRACE", "AUDIT", "CLASSIFY", "SET", "LED" };

	for (size_t i = 0; i < sizeof(harmless) / sizeof(harmless[0]); i++)
		if (!strcmp(name, harmless[i]))
			return true;
	return false;
}

bool foreign_target(struct arena *arena, struct foreign_packet *now,
		    const struct nlattr *const *data, struct foreign_outcome *out)
{
	struct targeted target = {
		.arena = arena,
		.now = now,
		.out = out,
		.name = data[NFTA_TARGET_NAME] ? mnl_attr_get_str(data[NFTA_TARGET_NAME]) : "",
		.revision = netlink_u32(data[NFTA_TARGET_REV]),
		.info = data[NFTA_TARGET_INFO],
	};

	if (ends(&target))
		return true;
	if (is_harmless(target.name))
		return false;
	if (!strcmp(target.name, "MARK")) {
		set_mark(&target);
	} else if (!strcmp(target.name, "CONNMARK") || !strcmp(target.name, "CONNSECMARK")) {
		doubt(&target, "the iptables target `CONNMARK`");
		out->marks = true;
	} else {
		doubt(&target, arena_printf(arena, "the iptables target `%s`", target.name));
		out->verdict = FOREIGN_QUEUE;
		return true;
	}
	return false;
}
