/*
 * nft_element: reads a refused element back from the message that it was sent in (see
 * nft_element.h). An interval's end stands after its first value, as an element with a flag.
 */
#include "kernel/nft_element.h"

#include <errno.h>
#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include <arpa/inet.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/nfnetlink.h>

#include "addr/addr.h"
#include "base/buf.h"
#include "kernel/netlink.h"

struct edge {
	struct wide key;
	uint16_t bytes; /* of the key; 0: none was found */
	bool is_end;
};

static void read_key(const struct nlattr *nest, struct edge *edge)
{
	const struct nlattr *value;

	mnl_attr_for_each_nested(value, nest) {
		if (mnl_attr_get_type(value) != NFTA_DATA_VALUE)
			continue;
		edge->bytes = mnl_attr_get_payload_len(value);
		edge->key = wide_get(mnl_attr_get_payload(value), edge->bytes);
	}
}

static struct edge read_edge(const struct nlattr *element)
{
	const struct nlattr *attribute;
	struct edge edge = { 0 };

	mnl_attr_for_each_nested(attribute, element) {
		if (mnl_attr_get_type(attribute) == NFTA_SET_ELEM_KEY)
			read_key(attribute, &edge);
		else if (mnl_attr_get_type(attribute) == NFTA_SET_ELEM_FLAGS)
			edge.is_end = (netlink_u32(attribute) & NFT_SET_ELEM_INTERVAL_END) != 0;
	}
	return edge;
}

/* The interval that the element at `at` begins or ends. */
static void find(const struct nlattr *list, const void *at, struct edge *first, struct edge *end)
{
	const struct nlattr *element;
	struct edge before = { 0 };

	mnl_attr_for_each_nested(element, list) {
		struct edge edge = read_edge(element);

		if ((const void *)element == at) {
			*first = edge.is_end ? before : edge;
			*end = edge.is_end ? edge : *end;
		} else if ((const void *)element > at) {
			if (!end->bytes && edge.is_end)
				*end = edge;
			return;
		}
		before = edge;
	}
}

static void put_words(const struct edge *first, const struct edge *end, struct buf *out)
{
	struct interval interval = { first->key, first->key };

	if (end->bytes && end->is_end && wide_less(first->key, end->key))
		interval.last = wide_before(end->key);
	if (first->bytes == 4 || first->bytes == 16)
		addr_put_interval(out, first->bytes == 4 ? ADDR_IPV4 : ADDR_IPV6, interval);
	else
		buf_printf(out, "%" PRIu64 "-%" PRIu64, interval.first.low, interval.last.low);
}

static const char *words_of(const struct netlink_error *error)
{
	if (error->code == EEXIST || error->code == ENOTEMPTY)
		return "added, or a part of it, from outside";
	if (error->code == ENOENT)
		return "removed from outside";
	return error->text;
}

void nft_element_refused(const struct nlmsghdr *message, uint32_t offset,
			 struct netlink_error *error)
{
	const struct nlattr *attribute, *list = NULL;
	const char *set = NULL;
	struct edge first = { 0 }, end = { 0 };
	struct buf words = { 0 };

	if (message->nlmsg_type != (NFNL_SUBSYS_NFTABLES << 8 | NFT_MSG_NEWSETELEM) &&
	    message->nlmsg_type != (NFNL_SUBSYS_NFTABLES << 8 | NFT_MSG_DELSETELEM))
		return;
	mnl_attr_for_each(attribute, message, sizeof(struct nfgenmsg)) {
		if (mnl_attr_get_type(attribute) == NFTA_SET_ELEM_LIST_SET)
			set = mnl_attr_get_str(attribute);
		else if (mnl_attr_get_type(attribute) == NFTA_SET_ELEM_LIST_ELEMENTS)
			list = attribute;
	}
	if (set && list)
		find(list, (const char *)message + offset, &first, &end);
	if (!first.bytes)
		return;
	buf_printf(&words, "%s: ", set);
	put_words(&first, &end, &words);
	buf_printf(&words, ": %s", words_of(error));
	snprintf(error->text, sizeof(error->text), "%s", buf_text(&words));
	buf_free(&words);
}
