/*
 * nft_elements: reads a set's elements by netlink and puts their ends together to intervals.
 */
#include "kernel/nft_elements.h"

#include <arpa/inet.h>
#include <endian.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <linux/netfilter.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/nfnetlink.h>

#include "base/arena.h"
#include "kernel/netlink.h"
#include "kernel/nft_table.h"

enum { ATTEMPTS = 200 };

/* The first value of an interval, or the value after its last one. */
struct edge {
	struct wide key;
	bool is_end;
	struct nft_elements_time time;
};

struct reading {
	struct arena *arena;
	struct edge *edges;
	size_t count;
};

unsigned int nft_elements_bits(enum ir_set_type type)
{
	switch (type) {
	case IR_SET_IPV4:
		return 32;
	case IR_SET_IPV6:
		return 128;
	case IR_SET_PORT:
		return 16;
	case IR_SET_TIME:
		return 64;
	case IR_SET_LINK:
		return 48;
	case IR_SET_FLOW_IPV4:
		return 160;
	case IR_SET_FLOW_IPV6:
		return 352;
	}
	return 0;
}

static void read_edge(struct reading *reading, const struct nlattr *element)
{
	const struct nlattr *attributes[NETLINK_ATTRIBUTES], *key[NETLINK_ATTRIBUTES];
	struct edge *edge;

	netlink_read_nested(element, attributes);
	if (!attributes[NFTA_SET_ELEM_KEY])
		return;
	netlink_read_nested(attributes[NFTA_SET_ELEM_KEY], key);
	if (!key[NFTA_DATA_VALUE])
		return;
	edge = arena_append(reading->arena, reading->edges, reading->count);
	edge->key = wide_get(mnl_attr_get_payload(key[NFTA_DATA_VALUE]),
			     mnl_attr_get_payload_len(key[NFTA_DATA_VALUE]));
	edge->is_end = netlink_u32(attributes[NFTA_SET_ELEM_FLAGS]) & NFT_SET_ELEM_INTERVAL_END;
	edge->time.left = netlink_u64(attributes[NFTA_SET_ELEM_EXPIRATION]);
	edge->time.timeout = netlink_u64(attributes[NFTA_SET_ELEM_TIMEOUT]);
	if (attributes[NFTA_SET_ELEM_TIMEOUT] && !edge->time.timeout)
		edge->time.timeout = CONTENTS_FOR_EVER;
}

static void read_elements(const struct nlmsghdr *message, void *user)
{
	const struct nlattr *attribute, *element;

	if (message->nlmsg_type != (NFNL_SUBSYS_NFTABLES << 8 | NFT_MSG_NEWSETELEM))
		return;
	mnl_attr_for_each(attribute, message, sizeof(struct nfgenmsg))
		if (mnl_attr_get_type(attribute) == NFTA_SET_ELEM_LIST_ELEMENTS)
			mnl_attr_for_each_nested(element, attribute)
				read_edge(user, element);
}

static int compare_edges(const void *a, const void *b)
{
	const struct edge *left = a, *right = b;

	if (!wide_equal(left->key, right->key))
		return wide_less(left->key, right->key) ? -1 : 1;
	return right->is_end - left->is_end;
}

/* An interval ends before the next edge, whether that is its own end or another's beginning. */
static void join(struct reading *reading, struct wide highest, struct nft_elements *out)
{
	struct nft_elements_time *times =
		arena_alloc(reading->arena, (reading->count + 1) * sizeof(*times));

	if (reading->count)
		qsort(reading->edges, reading->count, sizeof(*reading->edges), compare_edges);
	for (size_t i = 0; i < reading->count; i++) {
		const struct edge *edge = &reading->edges[i];

		if (edge->is_end)
			continue;
		times[out->ranges.count] = edge->time;
		interval_add(reading->arena, &out->ranges, edge->key,
			     i + 1 < reading->count ? wide_before(edge[1].key) : highest);
	}
	out->times = times;
}

static bool read_once(struct reading *reading, struct netlink *netlink, const char *table,
		      const char *name, uint32_t *generation, struct netlink_error *error)
{
	char room[NETLINK_REQUEST];
	struct nlmsghdr *request = netlink_nft(room, NFT_MSG_GETSETELEM, NLM_F_DUMP);

	mnl_attr_put_strz(request, NFTA_SET_ELEM_LIST_TABLE, table);
	mnl_attr_put_strz(request, NFTA_SET_ELEM_LIST_SET, name);
	reading->count = 0;
	return netlink_generation(netlink, generation, error) &&
	       netlink_settled(netlink, *generation, error) &&
	       netlink_ask(netlink, request, read_elements, reading, error) &&
	       netlink_settled(netlink, *generation, error);
}

bool nft_elements_read(struct arena *arena, struct netlink *netlink, const char *table,
		       const char *name, enum ir_set_type type, struct nft_elements *out,
		       uint32_t *generation, struct netlink_error *error)
{
	struct reading reading = { .arena = arena };
	bool done = false;

	memset(out, 0, sizeof(*out));
	for (int attempt = 0; attempt < ATTEMPTS && !done; attempt++) {
		done = read_once(&reading, netlink, table, name, generation, error);
		if (!done && error->code != EINTR && error->code != ERESTART)
			return false;
	}
	join(&reading, wide_ones(nft_elements_bits(type)), out);
	return done;
}

/* ---- one element ---- */

/* One end of the interval that the value lies in; what is not there is no error. */
static bool find_edge(struct reading *reading, struct netlink *netlink, const char *table,
		      const char *name, const uint8_t *key, size_t length, bool is_end,
		      struct netlink_error *error)
{
	char room[NETLINK_REQUEST];
	struct nlmsghdr *request = netlink_nft(room, NFT_MSG_GETSETELEM, 0);
	struct nlattr *list, *element, *data;

	mnl_attr_put_strz(request, NFTA_SET_ELEM_LIST_TABLE, table);
	mnl_attr_put_strz(request, NFTA_SET_ELEM_LIST_SET, name);
	list = mnl_attr_nest_start(request, NFTA_SET_ELEM_LIST_ELEMENTS);
	element = mnl_attr_nest_start(request, 1);
	if (is_end)
		mnl_attr_put_u32(request, NFTA_SET_ELEM_FLAGS, htonl(NFT_SET_ELEM_INTERVAL_END));
	data = mnl_attr_nest_start(request, NFTA_SET_ELEM_KEY);
	mnl_attr_put(request, NFTA_DATA_VALUE, length, key);
	mnl_attr_nest_end(request, data);
	mnl_attr_nest_end(request, element);
	mnl_attr_nest_end(request, list);
	return netlink_ask(netlink, request, read_elements, reading, error) ||
	       error->code == ENOENT;
}

bool nft_elements_find(struct arena *arena, struct netlink *netlink, const char *table,
		       const char *name, enum ir_set_type type, struct wide value,
		       struct nft_elements *out, struct netlink_error *error)
{
	struct reading reading = { .arena = arena };
	size_t length = nft_elements_bits(type) / 8;
	uint8_t key[16];
	bool done;

	memset(out, 0, sizeof(*out));
	wide_put(value, key, length);
	done = find_edge(&reading, netlink, table, name, key, length, false, error) &&
	       (!reading.count ||
		find_edge(&reading, netlink, table, name, key, length, true, error));
	join(&reading, wide_ones(nft_elements_bits(type)), out);
	return done;
}

struct interval_set nft_elements_missing(struct arena *arena, const struct nft_elements *held,
					 const struct interval_set *wanted)
{
	struct interval_set covered = { 0 };

	for (size_t i = 0; i < held->ranges.count; i++)
		interval_add(arena, &covered, held->ranges.items[i].first,
			     held->ranges.items[i].last);
	interval_normalise(&covered);
	return interval_subtract(arena, wanted, &covered);
}

static void add_timed(struct arena *arena, struct nft_elements *out,
		      struct nft_elements_time **times, const struct interval *range,
		      struct nft_elements_time time)
{
	size_t count = out->ranges.count;

	*arena_append(arena, *times, count) = time;
	interval_add(arena, &out->ranges, range->first, range->last);
}

/* The range, as far as it is outside of a canonical set. */
static void add_outside(struct arena *arena, struct nft_elements *out,
			struct nft_elements_time **times, struct interval *range,
			struct nft_elements_time time, const struct interval_set *without)
{
	size_t at = interval_seek(without, 0, range->first);
	struct interval_set one = { range, 1 };

	if (at == without->count || wide_less(range->last, without->items[at].first)) {
		add_timed(arena, out, times, range, time);
		return;
	}
	if (!wide_less(range->first, without->items[at].first) &&
	    !wide_less(without->items[at].last, range->last))
		return;
	one = interval_subtract(arena, &one, without);
	for (size_t i = 0; i < one.count; i++)
		add_timed(arena, out, times, &one.items[i], time);
}

struct nft_elements nft_elements_keep(struct arena *arena, const struct nft_elements *held,
				      const struct interval_set *ranges)
{
	struct interval_set kept = { 0 }, wanted = { 0 };
	struct nft_elements_time *times = NULL;
	struct nft_elements out = { 0 };

	for (size_t i = 0; i < ranges->count; i++)
		interval_add(arena, &wanted, ranges->items[i].first, ranges->items[i].last);
	interval_normalise(&wanted);
	for (size_t i = 0; i < held->ranges.count; i++)
		if (!held->times[i].left)
			interval_add(arena, &kept, held->ranges.items[i].first,
				     held->ranges.items[i].last);
	interval_normalise(&kept);
	for (size_t i = 0; i < ranges->count; i++)
		add_outside(arena, &out, &times, &ranges->items[i], (struct nft_elements_time){ 0 },
			    &kept);
	for (size_t i = 0; i < held->ranges.count; i++)
		if (held->times[i].left)
			add_outside(arena, &out, &times, &held->ranges.items[i], held->times[i],
				    &wanted);
		else
			add_timed(arena, &out, &times, &held->ranges.items[i], held->times[i]);
	out.times = times;
	return out;
}

/* The kernel takes no more time left than the element's timeout, which is the set's unless it has
 * one. */
static struct nft_elements_time migrated_time(struct nft_elements_time held, uint64_t timeout)
{
	struct nft_elements_time time = { held.timeout, held.left };

	if (!held.left && held.timeout != CONTENTS_FOR_EVER)
		time.timeout = 0;
	else if (held.timeout < held.left && (!timeout || held.left > timeout))
		time.timeout = held.left;
	return time;
}

struct nft_elements nft_elements_migrate(struct arena *arena, const struct nft_elements *held,
					 const struct interval_set *more, uint64_t timeout)
{
	size_t count = held->ranges.count + more->count;
	struct nft_elements_time *times = arena_alloc(arena, (count + 1) * sizeof(*times));
	struct nft_elements out = { .times = times };

	for (size_t i = 0; i < held->ranges.count; i++) {
		times[out.ranges.count] = migrated_time(held->times[i], timeout);
		interval_add(arena, &out.ranges, held->ranges.items[i].first,
			     held->ranges.items[i].last);
	}
	for (size_t i = 0; i < more->count; i++)
		interval_add(arena, &out.ranges, more->items[i].first, more->items[i].last);
	return out;
}
