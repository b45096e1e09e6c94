/*
 * unrouted: asks the kernel for the route of an unmarked packet to an address of no network; see
 * unrouted.h.
 */
#include "host/unrouted.h"

#include "base/arena.h"
#include "base/buf.h"
#include "base/report.h"
#include "ir/ir.h"
#include "kernel/link.h"

/* 192.0.0.8 (RFC 7600) and 100:: (RFC 6666) are in no network, so a default route takes them. */
static struct addr nowhere(enum addr_family family)
{
	struct wide bits = family == ADDR_IPV6 ? wide_left(wide(0x0100), 112) : wide(0xc0000008);

	return (struct addr){ family, bits };
}

/* "wan0 has no carrier, wan1 is down" */
static const char *links_words(struct arena *arena, struct netlink *netlink,
			       enum addr_family family)
{
	struct buf text = { 0 };
	size_t count;
	const char **names = link_defaults(arena, netlink, family, &count);

	for (size_t i = 0; i < count; i++)
		buf_printf(&text, "%s%s has no carrier", i ? ", " : "", names[i]);
	return buf_keep(arena, &text);
}

static void tell(struct arena *arena, struct report *report, struct netlink *netlink,
		 enum addr_family family)
{
	char digit = addr_digit(family);

	diag_help_text(report_add(report, SEVERITY_WARNING, DIAG_main_route,
				  "the IPv%c default route of table main cannot be used (%s), so the kernel refuses what this host sends as unreachable before the policy's rules match it",
				  digit, links_words(arena, netlink, family)),
		       arena_printf(arena,
				    "give main a second default route by a link that works, with a larger metric: "
				    "ip -%c route add default via GATEWAY dev INTERFACE metric 4000",
				    digit));
}

void unrouted_tell(struct arena *arena, struct report *report, struct netlink *netlink,
		   const struct ir *ir)
{
	for (int family = 0; family < ADDR_FAMILIES; family++)
		if (ir->sends_local[family] &&
		    !link_fib(arena, netlink, nowhere((enum addr_family)family)).device &&
		    link_has_default(arena, netlink, (enum addr_family)family))
			tell(arena, report, netlink, (enum addr_family)family);
}
