/*
 * listening: every way to every listener, judged by one dump of the sockets (see socket_table.h).
 * In go listeners, out come warnings.
 *
 * What a forwarded packet meets depends on the interface that it comes by: the first one whose
 * packets no socket takes is named whole, and the others after it.
 */
#include "host/listening.h"

#include <fnmatch.h>
#include <string.h>

#include "base/arena.h"
#include "base/names.h"
#include "base/report.h"
#include "ir/ir.h"
#include "kernel/link.h"
#include "kernel/socket_state.h"
#include "kernel/sysctl.h"

enum { LOOPBACK = 1, OTHERS_SHOWN = 4 };

struct telling {
	const struct listening_job *job;
	const struct socket_table *sockets;
	struct arena *arena;
	const char **names; /* of the sockets' links, or NULL for one that packets do not come by */
	const char **said;  /* of the listener at hand */
	size_t said_count;
};

/* ---- interfaces ---- */

/* Rules see a bridge, and never its port. */
static void read_names(struct telling *telling)
{
	const struct socket_table *sockets = telling->sockets;

	telling->names =
		arena_alloc(telling->arena, (sockets->link_count + 1) * sizeof(*telling->names));
	for (size_t i = 0; i < sockets->link_count; i++) {
		const char *name = socket_device(telling->arena, sockets->links[i].device);

		telling->names[i] =
			sockets->links[i].device == LOOPBACK ||
					link_state(telling->arena, telling->job->netlink, name)
						.master
				? NULL
				: name;
	}
}

static bool fits(const struct ir_asked *asked, const char *name)
{
	for (size_t i = 0; i < asked->name_count; i++)
		if (!fnmatch(asked->names[i], name, FNM_NOESCAPE))
			return !asked->negated;
	return asked->negated;
}

static bool comes_by(const struct telling *telling, const struct ir_listener *listener,
		     const char *name)
{
	for (size_t i = 0; i < listener->in_count; i++)
		if (fits(&telling->job->asked[listener->ins[i]], name))
			return true;
	return !listener->in_count;
}

/* ---- warnings ---- */

static void tell(struct telling *telling, const struct socket_table_verdict *verdict)
{
	const struct listening_job *job = telling->job;
	struct diag_record *line;
	size_t before = telling->said_count;

	if (verdict->kind == SOCKET_TABLE_TAKEN ||
	    (job->only_wrong && verdict->kind != SOCKET_TABLE_WRONG))
		return;
	names_add(telling->arena, &telling->said, &telling->said_count, verdict->text);
	if (telling->said_count == before)
		return;
	line = report_add(job->report, SEVERITY_WARNING, DIAG_no_socket, "%s", verdict->text);
	diag_help_text(line, verdict->help);
}

static bool is_same(const struct socket_table_verdict *a, const struct socket_table_verdict *b)
{
	return a->kind == b->kind && a->text && b->text && !strcmp(a->text, b->text);
}

/* By each interface; where that makes no difference the words are the same. */
static void tell_forwarded(struct telling *telling, struct socket_table_way *way)
{
	struct socket_table_verdict first = { SOCKET_TABLE_TAKEN }, verdict;
	const char *others = "";
	size_t judged = 0, more = 0;

	for (size_t i = 0; i < telling->sockets->link_count; i++) {
		const struct socket_link *link = &telling->sockets->links[i];

		if (!telling->names[i] || !link->has[way->family] ||
		    !comes_by(telling, way->listener, telling->names[i]))
			continue;
		judged++;
		way->device = link->device;
		verdict = socket_table_judge(telling->arena, telling->sockets, way);
		if (verdict.kind == SOCKET_TABLE_TAKEN || is_same(&first, &verdict))
			continue;
		if (first.kind == SOCKET_TABLE_TAKEN)
			first = verdict;
		else if (more++ < OTHERS_SHOWN)
			others = arena_printf(telling->arena, "%s%s %s", others,
					      *others ? "," : "; the same for packets from",
					      telling->names[i]);
	}
	way->device = 0;
	if (!judged)
		first = socket_table_judge(telling->arena, telling->sockets, way);
	if (more)
		first.text = arena_printf(telling->arena, "%s%s%s", first.text, others,
					  more > OTHERS_SHOWN ? " and others" : "");
	tell(telling, &first);
}

static void check_listener(struct telling *telling, const struct ir_listener *listener,
			   enum addr_family family, bool udp)
{
	struct socket_table_way way = { .listener = listener, .family = family, .udp = udp };
	struct socket_table_verdict verdict;

	if (!(udp ? listener->udp : listener->tcp))
		return;
	if (listener->ways & ir_listener_way(true, family, udp)) {
		way.is_local = true;
		verdict = socket_table_judge(telling->arena, telling->sockets, &way);
		tell(telling, &verdict);
		way.is_local = false;
		/* One sentence does for a port that no socket has. */
		if (verdict.kind == SOCKET_TABLE_MISSING)
			return;
	}
	if (listener->ways & ir_listener_way(false, family, udp))
		tell_forwarded(telling, &way);
}

static bool are_ins_known(const struct ir_listener *listener, size_t asked_count)
{
	for (size_t i = 0; i < listener->in_count; i++)
		if (listener->ins[i] >= asked_count)
			return false;
	return true;
}

void listening_check(const struct listening_job *job)
{
	struct telling telling = { .job = job, .arena = job->report->arena };
	int families = sysctl_has_ipv6(telling.arena) ? ADDR_FAMILIES : 1;

	if (!job->count)
		return;
	telling.sockets = socket_table_read(telling.arena, job->netlink);
	read_names(&telling);
	for (size_t i = 0; i < job->count; i++) {
		telling.said_count = 0;
		if (!are_ins_known(&job->listeners[i], job->asked_count))
			continue;
		for (int family = 0; family < families; family++)
			for (int udp = 0; udp < 2; udp++)
				if (socket_table_is_here(job->netlink, &job->listeners[i],
							 (enum addr_family)family))
					check_listener(&telling, &job->listeners[i],
						       (enum addr_family)family, udp);
	}
}
