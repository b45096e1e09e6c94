/*
 * sets: what goes into nft sets as netlink messages.
 *
 * An interval set holds the first value of each interval and, with a flag, the value behind its
 * last one; nft adds an end at zero when nothing begins there, and so do we, so that both leave the
 * same set. Both ends of an interval travel in one transaction.
 */
#include "live/sets.h"

#include <arpa/inet.h>

#include <linux/netfilter.h>
#include <linux/netfilter/nf_tables.h>

#include "ir/ir.h"
#include "live/netlink.h"

/*
 * The elements of one message are one attribute, whose length has 16 bits; an element takes 44
 * bytes at most (four headers of 4 bytes, a key of 16, flags of 4, and padding).
 */
enum { MESSAGE_MOST = 48 << 10, NAMES_MOST = 640, ELEMENT_MOST = 48 };

static unsigned int key_bits(enum ir_set_type type)
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
	}
	return 0;
}

static void put_element(struct nlmsghdr *message, unsigned int bits, addr_bits key, bool is_end)
{
	struct nlattr *element = mnl_attr_nest_start(message, NFTA_LIST_ELEM), *nest;
	uint8_t bytes[16];

	for (size_t i = bits / 8; i > 0; i--, key >>= 8)
		bytes[i - 1] = (uint8_t)key;
	if (is_end)
		mnl_attr_put_u32(message, NFTA_SET_ELEM_FLAGS, htonl(NFT_SET_ELEM_INTERVAL_END));
	nest = mnl_attr_nest_start(message, NFTA_SET_ELEM_KEY);
	mnl_attr_put(message, NFTA_DATA_VALUE, bits / 8, bytes);
	mnl_attr_nest_end(message, nest);
	mnl_attr_nest_end(message, element);
}

static void put_interval(struct nlmsghdr *message, unsigned int bits, struct interval interval)
{
	addr_bits highest = bits == 128 ? ~(addr_bits)0 : ((addr_bits)1 << bits) - 1;

	put_element(message, bits, interval.first, false);
	if (interval.last != highest)
		put_element(message, bits, interval.last + 1, true);
}

/* One message with elements from *next on; *next moves behind the last that found room. */
static void put_message(struct netlink_batch *batch, const char *table, const struct ir_set *set,
			size_t *next)
{
	unsigned int bits = key_bits(set->type);
	struct nlmsghdr *message = netlink_batch_begin(batch, NFT_MSG_NEWSETELEM, NLM_F_CREATE,
						       MESSAGE_MOST + NAMES_MOST);
	struct nlattr *list;
	uint32_t limit;

	mnl_attr_put_strz(message, NFTA_SET_ELEM_LIST_TABLE, table);
	mnl_attr_put_strz(message, NFTA_SET_ELEM_LIST_SET, set->name);
	list = mnl_attr_nest_start(message, NFTA_SET_ELEM_LIST_ELEMENTS);
	limit = message->nlmsg_len + MESSAGE_MOST - 3 * ELEMENT_MOST;
	if (*next == 0 && set->elements.items[0].first != 0)
		put_element(message, bits, 0, true);
	while (*next < set->elements.count && message->nlmsg_len < limit)
		put_interval(message, bits, set->elements.items[(*next)++]);
	mnl_attr_nest_end(message, list);
	netlink_batch_end(batch, message);
}

bool sets_fill(struct netlink *netlink, const char *table, const struct ir_set *set,
	       struct netlink_error *error)
{
	size_t limit = netlink_batch_limit(netlink), next = 0;
	struct netlink_batch batch = { 0 };
	bool done = true;

	while (done && next < set->elements.count) {
		do
			put_message(&batch, table, set, &next);
		while (next < set->elements.count && batch.length + MESSAGE_MOST < limit);
		done = netlink_batch_commit(netlink, &batch, error);
	}
	netlink_batch_free(&batch);
	return done;
}

bool sets_remove(struct netlink *netlink, const char *table, const char *const *names, size_t count,
		 struct netlink_error *error)
{
	struct netlink_batch batch = { 0 };
	bool done;

	for (size_t i = 0; i < count; i++) {
		struct nlmsghdr *message =
			netlink_batch_begin(&batch, NFT_MSG_DELSET, 0, NAMES_MOST);

		mnl_attr_put_strz(message, NFTA_SET_TABLE, table);
		mnl_attr_put_strz(message, NFTA_SET_NAME, names[i]);
		netlink_batch_end(&batch, message);
	}
	done = netlink_batch_commit(netlink, &batch, error);
	netlink_batch_free(&batch);
	return done;
}

bool sets_remove_counters(struct netlink *netlink, const char *table, const char *const *names,
			  size_t count, struct netlink_error *error)
{
	struct netlink_batch batch = { 0 };
	bool done;

	for (size_t i = 0; i < count; i++) {
		struct nlmsghdr *message =
			netlink_batch_begin(&batch, NFT_MSG_DELOBJ, 0, NAMES_MOST);

		mnl_attr_put_strz(message, NFTA_OBJ_TABLE, table);
		mnl_attr_put_strz(message, NFTA_OBJ_NAME, names[i]);
		mnl_attr_put_u32(message, NFTA_OBJ_TYPE, htonl(NFT_OBJECT_COUNTER));
		netlink_batch_end(&batch, message);
	}
	done = netlink_batch_commit(netlink, &batch, error);
	netlink_batch_free(&batch);
	return done;
}

bool sets_remove_table(struct netlink *netlink, const char *table, struct netlink_error *error)
{
	struct netlink_batch batch = { 0 };
	struct nlmsghdr *message = netlink_batch_begin(&batch, NFT_MSG_DELTABLE, 0, NAMES_MOST);
	bool done;

	mnl_attr_put_strz(message, NFTA_TABLE_NAME, table);
	netlink_batch_end(&batch, message);
	done = netlink_batch_commit(netlink, &batch, error);
	netlink_batch_free(&batch);
	return done;
}
