/*
 * nft_set: what goes into nft sets as netlink messages.
 *
 * An interval set holds the first value of each interval and, with a flag, the value after its
 * last one; nft adds an end at zero when nothing begins there, and so do we, so that both leave the
 * same set. Both ends of an interval travel in one transaction. Times belong to the first of them.
 */
#include "kernel/nft_set.h"

#include <arpa/inet.h>
#include <endian.h>

#include <linux/netfilter.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/nfnetlink.h>

#include "kernel/netlink.h"

/*
 * The elements of one message are one attribute, whose length has 16 bits; an element takes 60
 * bytes at most (six headers of 4 bytes, a key of 16, flags of 4 or two times of 8), and a verdict
 * 24 and its chain's name more (NFT_NAME_MAXLEN, 256).
 */
enum { MESSAGE_MOST = 48 << 10, NAMES_MOST = 640, ELEMENT_MOST = 64, VERDICT_MOST = 280 };

static size_t element_most(const struct nft_set_change *change)
{
	return change->map ? ELEMENT_MOST + VERDICT_MOST : ELEMENT_MOST;
}

/* linux/netfilter.h, linux/netfilter/nf_tables.h */
static uint32_t verdict_code(enum ir_target_verdict verdict)
{
	switch (verdict) {
	case TARGET_ACCEPT:
		return NF_ACCEPT;
	case TARGET_DROP:
		return NF_DROP;
	case TARGET_GOTO:
		return (uint32_t)NFT_GOTO;
	case TARGET_JUMP:
		return (uint32_t)NFT_JUMP;
	}
	return NF_DROP;
}

static void put_verdict(struct nlmsghdr *message, const struct ir_target *target)
{
	struct nlattr *data = mnl_attr_nest_start(message, NFTA_SET_ELEM_DATA);
	struct nlattr *verdict = mnl_attr_nest_start(message, NFTA_DATA_VERDICT);

	mnl_attr_put_u32(message, NFTA_VERDICT_CODE, htonl(verdict_code(target->verdict)));
	if (target->chain)
		mnl_attr_put_strz(message, NFTA_VERDICT_CHAIN, target->chain);
	mnl_attr_nest_end(message, verdict);
	mnl_attr_nest_end(message, data);
}

static void put_time(struct nlmsghdr *message, struct nft_elements_time time)
{
	uint64_t timeout = time.timeout == CONTENTS_FOR_EVER ? 0 : time.timeout;

	if (time.timeout)
		mnl_attr_put_u64(message, NFTA_SET_ELEM_TIMEOUT, htobe64(timeout));
	if (time.left)
		mnl_attr_put_u64(message, NFTA_SET_ELEM_EXPIRATION, htobe64(time.left));
}

/* `target`: NULL for an end, and in a plain set. */
static void put_edge(struct nlmsghdr *message, unsigned int bits, struct wide key, bool is_end,
		     struct nft_elements_time time, const struct ir_target *target)
{
	struct nlattr *element = mnl_attr_nest_start(message, NFTA_LIST_ELEM), *nest;
	uint8_t bytes[16];

	wide_put(key, bytes, bits / 8);
	if (is_end)
		mnl_attr_put_u32(message, NFTA_SET_ELEM_FLAGS, htonl(NFT_SET_ELEM_INTERVAL_END));
	put_time(message, time);
	nest = mnl_attr_nest_start(message, NFTA_SET_ELEM_KEY);
	mnl_attr_put(message, NFTA_DATA_VALUE, bits / 8, bytes);
	mnl_attr_nest_end(message, nest);
	if (target)
		put_verdict(message, target);
	mnl_attr_nest_end(message, element);
}

static void put_interval(struct nlmsghdr *message, const struct nft_set_change *change,
			 size_t index)
{
	const struct nft_elements_time none = { 0 };
	const struct ir_set *map = change->map;
	struct interval interval = change->contents.ranges.items[index];
	unsigned int bits = nft_elements_bits(change->type);
	struct wide highest = wide_ones(bits);

	put_edge(message, bits, interval.first, false,
		 change->contents.times ? change->contents.times[index] : none,
		 map ? &map->targets[map->leads[index]] : NULL);
	if (!wide_equal(interval.last, highest))
		put_edge(message, bits, wide_after(interval.last), true, none, NULL);
}

/* One message with elements from *next on; *next moves after the last that found room. */
static void put_message(struct netlink_batch *batch, const struct nft_set_change *change,
			size_t *next)
{
	const struct nft_elements_time none = { 0 };
	const struct nft_elements *contents = &change->contents;
	unsigned int bits = nft_elements_bits(change->type);
	struct nlmsghdr *message =
		netlink_batch_begin(batch,
				    change->is_removal ? NFT_MSG_DELSETELEM : NFT_MSG_NEWSETELEM,
				    change->is_removal ? 0 : NLM_F_CREATE,
				    MESSAGE_MOST + NAMES_MOST);
	struct nlattr *list;
	uint32_t limit;

	mnl_attr_put_strz(message, NFTA_SET_ELEM_LIST_TABLE, change->table);
	mnl_attr_put_strz(message, NFTA_SET_ELEM_LIST_SET, change->name);
	list = mnl_attr_nest_start(message, NFTA_SET_ELEM_LIST_ELEMENTS);
	limit = message->nlmsg_len + MESSAGE_MOST - 3 * (uint32_t)element_most(change);
	if (change->is_first && *next == 0 && !wide_is_zero(contents->ranges.items[0].first))
		put_edge(message, bits, wide(0), true, none, NULL);
	for (; *next < contents->ranges.count && message->nlmsg_len < limit; ++*next)
		put_interval(message, change, *next);
	mnl_attr_nest_end(message, list);
	netlink_batch_end(batch, message);
}

/* What one more message may take. */
static size_t message_most(const struct nft_set_change *change, size_t next)
{
	size_t left =
		(change->contents.ranges.count - next) * 2 * element_most(change) + 2 * NAMES_MOST;

	return left < MESSAGE_MOST ? left : MESSAGE_MOST;
}

/* `batch` may hold messages already, which go with the first elements. */
static bool put_contents(struct netlink *netlink, struct netlink_batch *batch,
			 const struct nft_set_change *change, struct netlink_error *error)
{
	size_t limit = netlink_batch_limit(netlink), next = 0,
	       count = change->contents.ranges.count;
	bool done = true;

	do {
		while (next < count &&
		       (!batch->messages || batch->length + message_most(change, next) < limit))
			put_message(batch, change, &next);
		done = netlink_batch_commit(netlink, batch, error);
		batch->generation = 0;
	} while (done && next < count);
	netlink_batch_free(batch);
	return done;
}

void nft_set_put(struct netlink_batch *batch, const struct nft_set_change *change)
{
	for (size_t next = 0; next < change->contents.ranges.count;)
		put_message(batch, change, &next);
}

bool nft_set_change(struct netlink *netlink, const struct nft_set_change *change,
		    struct netlink_error *error)
{
	struct netlink_batch batch = { .generation = change->generation };

	return put_contents(netlink, &batch, change, error);
}

/* The declaration of `like`, which is there, under another name. */
struct declaration {
	struct netlink_batch *batch;
	const char *table, *name;
	bool is_put; /* the answer may come twice */
};

static void put_declaration(const struct nlmsghdr *answer, void *user)
{
	static const uint16_t kept[] = { NFTA_SET_FLAGS,       NFTA_SET_KEY_TYPE, NFTA_SET_KEY_LEN,
					 NFTA_SET_POLICY,      NFTA_SET_DESC,     NFTA_SET_TIMEOUT,
					 NFTA_SET_GC_INTERVAL, NFTA_SET_USERDATA };
	struct declaration *declaration = user;
	const struct nlattr *attribute;
	struct nlmsghdr *message;

	if (answer->nlmsg_type != (NFNL_SUBSYS_NFTABLES << 8 | NFT_MSG_NEWSET) ||
	    declaration->is_put)
		return;
	declaration->is_put = true;
	message = netlink_batch_begin(declaration->batch, NFT_MSG_NEWSET, NLM_F_CREATE,
				      answer->nlmsg_len + NAMES_MOST);
	mnl_attr_put_strz(message, NFTA_SET_TABLE, declaration->table);
	mnl_attr_put_strz(message, NFTA_SET_NAME, declaration->name);
	mnl_attr_put_u32(message, NFTA_SET_ID, htonl(1));
	mnl_attr_for_each(attribute, answer, sizeof(struct nfgenmsg))
		for (size_t i = 0; i < sizeof(kept) / sizeof(kept[0]); i++)
			if (mnl_attr_get_type(attribute) == kept[i])
				mnl_attr_put(message, attribute->nla_type,
					     mnl_attr_get_payload_len(attribute),
					     mnl_attr_get_payload(attribute));
	netlink_batch_end(declaration->batch, message);
}

void nft_set_put_removal(struct netlink_batch *batch, const char *table, const char *name)
{
	struct nlmsghdr *message = netlink_batch_begin(batch, NFT_MSG_DELSET, 0, NAMES_MOST);

	mnl_attr_put_strz(message, NFTA_SET_TABLE, table);
	mnl_attr_put_strz(message, NFTA_SET_NAME, name);
	netlink_batch_end(batch, message);
}

bool nft_set_replace(struct netlink *netlink, const struct nft_set_change *change, const char *like,
		     struct netlink_error *error)
{
	struct netlink_batch batch = { .generation = change->generation };
	struct declaration declaration = { &batch, change->table, change->name, false };
	char room[NETLINK_REQUEST];
	struct nlmsghdr *request = netlink_nft(room, NFT_MSG_GETSET, 0);

	mnl_attr_put_strz(request, NFTA_SET_TABLE, change->table);
	mnl_attr_put_strz(request, NFTA_SET_NAME, like);
	nft_set_put_removal(&batch, change->table, change->name);
	if (netlink_ask(netlink, request, put_declaration, &declaration, error))
		return put_contents(netlink, &batch, change, error);
	netlink_batch_free(&batch);
	return false;
}

void nft_set_put_chain_removal(struct netlink_batch *batch, const char *table, const char *name)
{
	struct nlmsghdr *message =
		netlink_batch_begin(batch, NFT_MSG_DELCHAIN, NLM_F_NONREC, NAMES_MOST);

	mnl_attr_put_strz(message, NFTA_CHAIN_TABLE, table);
	mnl_attr_put_strz(message, NFTA_CHAIN_NAME, name);
	netlink_batch_end(batch, message);
}

void nft_set_put_counter_removal(struct netlink_batch *batch, const char *table, const char *name)
{
	struct nlmsghdr *message = netlink_batch_begin(batch, NFT_MSG_DELOBJ, 0, NAMES_MOST);

	mnl_attr_put_strz(message, NFTA_OBJ_TABLE, table);
	mnl_attr_put_strz(message, NFTA_OBJ_NAME, name);
	mnl_attr_put_u32(message, NFTA_OBJ_TYPE, htonl(NFT_OBJECT_COUNTER));
	netlink_batch_end(batch, message);
}

bool nft_set_remove(struct netlink *netlink, nft_set_put_removal_fn *put, const char *table,
		    const char *const *names, size_t count, struct netlink_error *error)
{
	struct netlink_batch batch = { .insists = true };

	for (size_t i = 0; i < count; i++)
		put(&batch, table, names[i]);
	return netlink_batch_send(netlink, &batch, error);
}

bool nft_set_remove_table(struct netlink *netlink, const char *table, struct netlink_error *error)
{
	struct netlink_batch batch = { .insists = true };
	struct nlmsghdr *message = netlink_batch_begin(&batch, NFT_MSG_DELTABLE, 0, NAMES_MOST);

	mnl_attr_put_strz(message, NFTA_TABLE_NAME, table);
	netlink_batch_end(&batch, message);
	return netlink_batch_send(netlink, &batch, error);
}
