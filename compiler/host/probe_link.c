/*
 * probe_link: what a session says, interfaces, this host's addresses, and what keeps a packet from
 * being forwarded.
 */
#include <stdlib.h>
#include <string.h>

#include <linux/rtnetlink.h>

#include "base/arena.h"
#include "host/hosted.h"
#include "host/probe_state.h"
#include "kernel/link.h"
#include "kernel/sysctl.h"

void probe_interface(struct probe *ask, const char *name, const char *does)
{
	struct link_state state = link_state(ask->packet_arena, &ask->kernel.route, name);

	if (!state.index)
		probe_differ(ask, "there is no interface %s", name);
	else if (!state.is_up)
		probe_differ(ask, "the interface %s is down: no packet %s it", name, does)->command =
			arena_printf(ask->packet_arena, "ip link set %s up", name);
	else if (!state.has_carrier)
		diag_help_text(probe_differ(ask, "the interface %s has no carrier: no packet %s it",
					    name, does),
			       "check its cable, its other end, or the program that holds it open (tun, tap)");
}

/* Rules of the IP families see the bridge, and never its port. `key`: "in" or "out". */
static void take_interface(struct probe *ask, const char **name, const char *key, const char *does)
{
	struct link_state state = link_state(ask->packet_arena, &ask->kernel.route, *name);
	struct diag_record *line;

	probe_interface(ask, *name, does);
	if (!state.master)
		return;
	line = probe_differ(ask,
			    "%s is a port of the %s %s: for every rule the packet "
			    "%s %s",
			    *name, state.kind, state.master, does, state.master);
	diag_help(line, "write `%s: %s` in the policy, and ask with %s=%s", key, state.master, key,
		  state.master);
	*name = state.master;
}

/* Of what the kernel's fib says, what the question does not. */
void probe_destination(struct probe *ask, struct ir_packet *packet)
{
	struct addr to = { packet->family, packet->to };
	struct link_fib fib;
	char text[ADDR_TEXT];

	if (packet->scope == SCOPE_LOCAL && packet->has_from)
		packet->from_foreign = !link_fib(ask->packet_arena, &ask->kernel.route,
						 (struct addr){ packet->family, packet->from })
						.is_local;
	if (!packet->has_to)
		return;
	fib = link_fib(ask->packet_arena, &ask->kernel.route, to);
	packet->to_local |= fib.is_local;
	packet->to_broadcast |= fib.is_broadcast || fib.is_anycast;
	if (fib.is_local || fib.is_broadcast || fib.is_anycast)
		probe_note(ask, "%s is %s address of this host", addr_format(to, text),
			   fib.is_local       ? "an"
			   : fib.is_broadcast ? "a broadcast"
					      : "an anycast");
	if (*packet->out && fib.device && strcmp(packet->out, fib.device) != 0)
		probe_differ(ask, "a packet to %s without a mark leaves through %s, not %s",
			     addr_format(to, text), fib.device, packet->out);
	else if (!*packet->out && fib.device)
		packet->out = fib.device;
	if (packet->scope == SCOPE_LOCAL && !packet->has_from && fib.has_source) {
		ask->chose_source = packet->has_from = true;
		packet->from = fib.source.bits;
	}
}

void probe_surroundings(struct probe *ask, struct ir_packet *packet)
{
	if (packet->scope == SCOPE_LOCAL && ask->ir)
		hosted_tell_of(ask->out->problems, ask->ir, packet,
			       ask->policy.file ? record_apply_command(ask->packet_arena, NULL,
								       ask->policy.file)
						: NULL);
	if (*packet->in && packet->scope == SCOPE_FORWARD)
		take_interface(ask, &packet->in, "in", "comes by");
	if (*packet->out)
		take_interface(ask, &packet->out, "out", "leaves by");
	probe_destination(ask, packet);
	if (packet->scope != SCOPE_FORWARD || !packet->has_to)
		return;
	if (!*packet->in || !packet->has_from)
		probe_doubt(ask,
			    "without in= and from= the route is looked up as for a packet of this host, without the reverse-path filter");
}

/* ---- forwarding ---- */

static int number_of(struct probe *ask, const char *pattern, const char *interface)
{
	const char *value =
		sysctl_read(ask->packet_arena, sysctl_key(ask->packet_arena, pattern, interface));

	return value ? atoi(value) : -1;
}

/* IPv4 asks the interface that the packet came by; IPv6 what is set for all, or, since Linux 6.17,
 * force_forwarding of that interface (ip6_forward in the kernel). */
void probe_forwarding(struct probe *ask)
{
	const struct ir_packet *packet = ask->question->packet;
	bool is_ipv6 = packet->family == ADDR_IPV6;
	const char *in = *packet->in ? packet->in : "all", *key;

	if (packet->scope != SCOPE_FORWARD)
		return;
	if (is_ipv6 ? number_of(ask, "net.ipv6.conf.*.forwarding", "all") != 0 ||
			      number_of(ask, "net.ipv6.conf.*.force_forwarding", in) > 0
		    : number_of(ask, "net.ipv4.conf.*.forwarding", in) != 0)
		return;
	if (is_ipv6)
		key = "net.ipv6.conf.all.forwarding";
	else if (number_of(ask, "net.ipv4.conf.*.forwarding", "all") == 0)
		key = "net.ipv4.ip_forward";
	else
		key = sysctl_key(ask->packet_arena, "net.ipv4.conf.*.forwarding", in);
	probe_differ(ask, "%s is 0: this host forwards no such packet", key)->command =
		arena_printf(ask->packet_arena, "sysctl -w %s=1", key);
}

const char *probe_reverse_filter(struct probe *ask)
{
	static const char pattern[] = "net.ipv4.conf.*.rp_filter";
	const struct ir_packet *packet = ask->question->packet;
	struct addr from = { packet->family, packet->from };
	struct link_fib fib;
	int all, own;
	char text[ADDR_TEXT];

	if (packet->family != ADDR_IPV4 || packet->scope != SCOPE_FORWARD || !packet->has_from ||
	    !*packet->in)
		return NULL;
	all = number_of(ask, pattern, "all");
	own = number_of(ask, pattern, packet->in);
	own = own > all ? own : all;
	fib = link_fib(ask->packet_arena, &ask->kernel.route, from);
	addr_format(from, text);
	if (fib.is_local)
		return arena_printf(ask->packet_arena, "%s is an address of this host itself",
				    text);
	if (own <= 0 || (fib.device && (own == 2 || !strcmp(fib.device, packet->in))))
		return NULL;
	return fib.device
		       ? arena_printf(ask->packet_arena,
				      "rp_filter of %s is strict, and packets to %s leave through %s",
				      packet->in, text, fib.device)
		       : arena_printf(ask->packet_arena,
				      "rp_filter of %s is on, and the main table has no route to "
				      "%s",
				      packet->in, text);
}
