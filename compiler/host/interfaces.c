/*
 * interfaces: compares the names in `in` and `out` with the host's interfaces (see interfaces.h).
 * In go names, out come warnings.
 *
 * The hooks of the IP families see a bridge, and never its port; a name that is not there may be
 * misspelt, or come later; and what a bridge without an address takes, it only passes on.
 */
#include "host/interfaces.h"

#include <fnmatch.h>
#include <string.h>

#include "base/arena.h"
#include "base/buf.h"
#include "base/report.h"
#include "base/suggest.h"
#include "ir/ir.h"
#include "kernel/addresses.h"
#include "kernel/link.h"
#include "kernel/sysctl.h"

struct search {
	struct report *report;
	struct netlink *netlink;
	struct link_names names; /* the host's */
	const struct ir_asked *asked;
	const char **said;
	size_t said_count;
};

/* `in: eth2` */
static const char *written(const struct search *search, const char *name)
{
	return arena_printf(search->report->arena,
			    search->asked->negated ? "`%s: {not: %s}`" : "`%s: %s`",
			    search->asked->key, name);
}

static const char *moves(const struct search *search)
{
	return strcmp(search->asked->key, "in") ? "leaves by" : "comes by";
}

/* NULL where it was said before. */
static struct diag_record *tell(struct search *search, const char *text, const char *help)
{
	struct diag_record *line;

	for (size_t i = 0; i < search->said_count; i++)
		if (!strcmp(search->said[i], text))
			return NULL;
	*arena_append(search->report->arena, search->said, search->said_count) = text;
	line = report_add(search->report, SEVERITY_WARNING, DIAG_interface, "%s", text);
	line->where = search->asked->origin;
	diag_help_text(line, help);
	return line;
}

static void tell_port(struct search *search, const char *name, const struct link_state *state)
{
	const char *key = search->asked->key;

	tell(search,
	     arena_printf(search->report->arena,
			  "no packet %s %s, which %s names: it is a port of the %s %s, and for every rule the packet %s %s",
			  moves(search), name, written(search, name), state->kind, state->master,
			  moves(search), state->master),
	     arena_printf(search->report->arena, "write `%s: %s`%s", key, state->master,
			  strcmp(key, "in")
				  ? ""
				  : ", and match a machine at this port by its `mac` or `from`"));
}

static void tell_missing(struct search *search, const char *name)
{
	const char *near = suggest_nearest(name, (const char *const *)search->names.items,
					   search->names.count);
	const char *later = "if it is created later, its rules work without another apply";

	tell(search,
	     arena_printf(search->report->arena,
			  "no packet %s %s, which %s names: there is no such interface",
			  moves(search), name, written(search, name)),
	     near ? arena_printf(search->report->arena, "did you mean %s? %s", near, later)
		  : arena_printf(search->report->arena, "check its name (`ip link`); %s", later));
}

static void tell_passing(struct search *search, const char *name)
{
	const char *seen = sysctl_read(search->report->arena, "net.bridge.bridge-nf-call-iptables");

	tell(search,
	     arena_printf(search->report->arena,
			  "the bridge %s, which %s names, has no address of this host: it forwards frames between its ports, and %s",
			  name, written(search, name),
			  seen && !strcmp(seen, "1")
				  ? "there (br_netfilter) only `drop` and `reject` work"
				  : "no rule sees them"),
	     "give it the address that its machines have as their gateway, or apply the policy on the "
	     "host that routes them");
}

static bool is_pattern(const char *name)
{
	return strchr(name, '*') != NULL;
}

/* Can a packet have it? */
static bool is_usable(struct search *search, const char *name)
{
	return !link_state(search->report->arena, search->netlink, name).master;
}

/* Those that the pattern fits; *usable: those that a packet can have. */
static size_t fitting(struct search *search, const char *pattern, size_t *usable)
{
	size_t count = 0;

	for (size_t i = 0; i < search->names.count; i++)
		if (!fnmatch(pattern, search->names.items[i], FNM_NOESCAPE)) {
			count++;
			*usable += is_usable(search, search->names.items[i]);
		}
	return count;
}

static void check_name(struct search *search, const char *name)
{
	struct link_state state = link_state(search->report->arena, search->netlink, name);

	if (!state.index)
		tell_missing(search, name);
	else if (state.master)
		tell_port(search, name, &state);
	else if (state.is_bridge && !strcmp(search->asked->key, "in") &&
		 !addresses_has_own(search->netlink, state.index))
		tell_passing(search, name);
}

/* A pattern is for what comes and goes: only ports, or nothing at all, and no other name that is
 * there, is said. */
static void check_patterns(struct search *search)
{
	const struct ir_asked *asked = search->asked;
	size_t usable = 0, ports = 0;
	const char *first = NULL;

	for (size_t i = 0; i < asked->name_count; i++) {
		if (is_pattern(asked->names[i])) {
			ports += fitting(search, asked->names[i], &usable);
			first = first ? first : asked->names[i];
		} else {
			usable += is_usable(search, asked->names[i]);
		}
	}
	if (!first || usable)
		return;
	if (!ports)
		tell_missing(search, first);
	for (size_t i = 0; ports && i < search->names.count; i++)
		for (size_t k = 0; k < asked->name_count; k++)
			if (is_pattern(asked->names[k]) &&
			    !fnmatch(asked->names[k], search->names.items[i], FNM_NOESCAPE))
				check_name(search, search->names.items[i]);
}

void interfaces_tell(struct report *report, struct netlink *netlink, const struct ir_asked *asked,
		     size_t count)
{
	struct search search = { .report = report, .netlink = netlink };

	if (count)
		search.names = link_names(report->arena, netlink);
	for (size_t i = 0; i < count; i++) {
		search.asked = &asked[i];
		for (size_t k = 0; k < asked[i].name_count; k++)
			if (!is_pattern(asked[i].names[k]))
				check_name(&search, asked[i].names[k]);
		check_patterns(&search);
	}
}
