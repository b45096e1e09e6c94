/*
 * flows_guard: what would come as an answer of a connection that is about to be deleted is dropped,
 * so that it opens none the other way round (lang/lower_ended.c). In go connections, out come
 * elements of the policy's sets for them.
 */
#include <inttypes.h>

#include "base/arena.h"
#include "base/buf.h"
#include "ir/ir.h"
#include "live/flows_state.h"
#include "live/loader.h"

static bool is_same(struct owner_end a, struct owner_end b)
{
	return addr_equal(a.addr, b.addr) && a.port == b.port;
}

bool flows_can_turn(const struct flow *flow)
{
	return is_same(flow->from, flow->answers_to) && is_same(flow->to, flow->answers_from);
}

/* "source . destination . protocol . port . port", as the rules ask. */
static void put_answer(const struct flow *flow, struct buf *out)
{
	char from[ADDR_TEXT], to[ADDR_TEXT];

	buf_printf(out, "%s . %s . %u . %u . %u", addr_format(flow->answers_from.addr, from),
		   addr_format(flow->answers_to.addr, to), flow->protocol, flow->answers_from.port,
		   flow->answers_to.port);
}

static void put_family(const char *table, enum addr_family family, const struct flow *const *flows,
		       size_t count, struct buf *out)
{
	const char *gap = "";

	for (size_t i = 0; i < count; i++) {
		if (flows[i]->from.addr.family != family)
			continue;
		if (!*gap)
			buf_printf(out, "add element inet %s %s {", table, ir_ended_set(family));
		buf_puts(out, gap);
		put_answer(flows[i], out);
		gap = ", ";
	}
	if (*gap)
		buf_puts(out, "}\n");
}

bool flows_guard(struct arena *arena, const char *table, const struct flow *const *flows,
		 size_t count, const char **why)
{
	struct loader loader = { 0 };
	struct loader_error error;
	struct buf text = { 0 };
	bool done;

	for (int family = 0; family < ADDR_FAMILIES; family++)
		put_family(table, (enum addr_family)family, flows, count, &text);
	done = loader_run(arena, &loader, &text, LOADER_RUN, &error);
	*why = done ? NULL : error.text;
	loader_close(&loader);
	buf_free(&text);
	return done;
}
