/*
 * lives: see lives.h.
 */
#include "host/lives.h"

#include <linux/netlink.h>

#include "base/arena.h"
#include "base/report.h"
#include "ir/ir.h"
#include "kernel/netlink.h"
#include "kernel/socket_table.h"
#include "kernel/sysctl.h"
#include "state/record.h"

struct lives {
	struct arena *arena;
	struct netlink netlink; /* rtnetlink's */
	struct socket_table *sockets;
	bool is_open, is_failed;
};

struct lives *lives_new(struct arena *arena)
{
	struct lives *lives = arena_new_of(arena, struct lives);

	*lives = (struct lives){ .arena = arena };
	return lives;
}

void lives_close(struct lives *lives)
{
	if (lives->is_open && !lives->is_failed)
		netlink_close(&lives->netlink);
}

static bool open_lives(struct lives *lives)
{
	struct netlink_error error;

	if (lives->is_open)
		return !lives->is_failed;
	lives->is_open = true;
	lives->is_failed = !netlink_open(&lives->netlink, NETLINK_ROUTE, &error);
	if (!lives->is_failed)
		lives->sockets = socket_table_read(lives->arena, &lives->netlink);
	return !lives->is_failed;
}

/* NULL: one takes it, or that is not known. */
static const char *why_not(struct arena *arena, const struct socket_table *sockets,
			   const struct socket_table_way *way)
{
	struct socket_table_verdict verdict = socket_table_judge(arena, sockets, way);

	return verdict.kind == SOCKET_TABLE_TAKEN || verdict.kind == SOCKET_TABLE_UNKNOWN
		       ? NULL
		       : verdict.text;
}

/* NULL: a socket of this host takes what comes to the listener by one of its ways, or that is not
 * known, or it is on another host; else why none does. */
static const char *why_gone(struct arena *arena, const struct socket_table *sockets,
			    struct netlink *netlink, const struct ir_listener *listener)
{
	int families = sysctl_has_ipv6(arena) ? ADDR_FAMILIES : 1;
	const char *first = NULL;

	for (int bit = 0; bit < 2 * families * 2; bit++) {
		struct socket_table_way way = { .listener = listener,
						.is_local = bit & 1,
						.udp = bit & 2,
						.family = (enum addr_family)(bit / 4) };
		const char *why;

		if (!(listener->ways & ir_listener_way(way.is_local, way.family, way.udp)))
			continue;
		if (!socket_table_is_here(netlink, listener, way.family))
			return NULL;
		why = why_not(arena, sockets, &way);
		if (!why)
			return NULL;
		first = first ? first : why;
	}
	return first;
}

const char *lives_why_gone(void *user, const struct ir_listener *listener)
{
	struct lives *lives = user;

	if (!open_lives(lives))
		return NULL;
	return why_gone(lives->arena, lives->sockets, &lives->netlink, listener);
}

/* ---- words ---- */

const char *lives_row_words(struct arena *arena, const struct ir_row *row)
{
	const char *words = row->listeners[0].name;

	for (size_t i = 1; i < row->count; i++)
		words = arena_printf(arena, "%s, else %s", words, row->listeners[i].name);
	return words;
}

const char *lives_choice_words(struct arena *arena, const struct ir_row *row)
{
	const char *words = arena_printf(arena, "%s: %s is handed it", lives_row_words(arena, row),
					 row->listeners[row->chosen].name);

	if (row->why[row->chosen])
		return arena_printf(arena, "%s, and none has a socket: %s", words,
				    row->why[row->chosen]);
	for (size_t i = 0; i < row->chosen; i++)
		words = arena_printf(arena, "%s%s %s", words, i ? ";" : ":", row->why[i]);
	return words;
}

/* ---- what was applied ---- */

static struct ir_row row_now(struct lives *lives, const struct ir_row *row)
{
	struct ir_row now = *row;

	now.why = arena_alloc(lives->arena, row->count * sizeof(*now.why));
	ir_row_choose(&now, lives_why_gone, lives);
	return now;
}

void lives_tell(struct report *report, const char *command, const struct record *record,
		struct ir_row **rows, size_t *count)
{
	struct lives *lives = lives_new(report->arena);

	for (size_t i = 0; i < record->ir.row_count; i++) {
		const struct ir_row *row = &record->ir.rows[i];
		struct ir_row now;

		if (row->chosen >= row->count)
			continue;
		now = row_now(lives, row);
		*arena_append(report->arena, *rows, *count) = now;
		if (now.chosen != row->chosen)
			report_add(report, SEVERITY_WARNING, DIAG_listener_changed,
				   "%s gets packets that the next apply gives to %s: %s",
				   row->listeners[row->chosen].name, now.listeners[now.chosen].name,
				   lives_choice_words(report->arena, &now))
				->command = command;
	}
	lives_close(lives);
}
