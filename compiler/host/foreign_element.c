/*
 * foreign_element: asks for one element (NFT_MSG_GETSETELEM with a key), never for a dump.
 */
#include "host/foreign_element.h"

#include <arpa/inet.h>
#include <errno.h>
#include <string.h>

#include <linux/netfilter.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/nfnetlink.h>

#include "base/arena.h"
#include "base/hash.h"
#include "host/foreign_packet.h"
#include "kernel/netlink.h"
#include "kernel/nft_foreign.h"

struct asking {
	struct netlink *nft;
	const struct nft_foreign_table *table;
	const char *set;
	uint32_t key_length;
	struct foreign_element *out;
};

static void read_key_length(const struct nlmsghdr *message, void *user)
{
	const struct nlattr *attributes[NETLINK_ATTRIBUTES];
	struct asking *asking = user;

	if (netlink_read_nft(message, NFT_MSG_NEWSET, attributes))
		asking->key_length = netlink_u32(attributes[NFTA_SET_KEY_LEN]);
}

static void read_data(struct foreign_element *element, const struct nlattr *data)
{
	const struct nlattr *inner[NETLINK_ATTRIBUTES];

	netlink_read_nested(data, inner);
	if (inner[NFTA_DATA_VALUE]) {
		element->length = mnl_attr_get_payload_len(inner[NFTA_DATA_VALUE]);
		if (element->length <= sizeof(element->data))
			memcpy(element->data, mnl_attr_get_payload(inner[NFTA_DATA_VALUE]),
			       element->length);
	}
	if (!inner[NFTA_DATA_VERDICT] || inner[NFTA_DATA_VERDICT]->nla_len > sizeof(element->room))
		return;
	memcpy(element->room, inner[NFTA_DATA_VERDICT], inner[NFTA_DATA_VERDICT]->nla_len);
	element->verdict = (const void *)element->room;
}

static void read_element(const struct nlmsghdr *message, void *user)
{
	const struct nlattr *attributes[NETLINK_ATTRIBUTES], *inner[NETLINK_ATTRIBUTES], *each;
	struct asking *asking = user;

	if (!netlink_read_nft(message, NFT_MSG_NEWSETELEM, attributes) ||
	    !attributes[NFTA_SET_ELEM_LIST_ELEMENTS])
		return;
	mnl_attr_for_each_nested(each, attributes[NFTA_SET_ELEM_LIST_ELEMENTS]) {
		netlink_read_nested(each, inner);
		asking->out->is_there = true;
		if (inner[NFTA_SET_ELEM_DATA])
			read_data(asking->out, inner[NFTA_SET_ELEM_DATA]);
	}
}

static struct nlmsghdr *new_request(const struct asking *asking, char *room, uint16_t type)
{
	struct nlmsghdr *request = netlink_nft(room, type, 0);
	struct nfgenmsg *header = mnl_nlmsg_get_payload(request);

	header->nfgen_family = asking->table->family;
	mnl_attr_put_strz(request, NFTA_SET_TABLE, asking->table->name);
	return request;
}

/* One question for one element: that of the key, or of all that no key is for (`*`). */
static bool ask_element(struct asking *asking, const uint8_t *key)
{
	char room[NETLINK_REQUEST];
	struct nlmsghdr *request = new_request(asking, room, NFT_MSG_GETSETELEM);
	struct netlink_error error;
	struct nlattr *list, *item, *nest;

	mnl_attr_put_strz(request, NFTA_SET_ELEM_LIST_SET, asking->set);
	list = mnl_attr_nest_start(request, NFTA_SET_ELEM_LIST_ELEMENTS);
	item = mnl_attr_nest_start(request, 1);
	if (!key) {
		mnl_attr_put_u32(request, NFTA_SET_ELEM_FLAGS, htonl(NFT_SET_ELEM_CATCHALL));
	} else {
		nest = mnl_attr_nest_start(request, NFTA_SET_ELEM_KEY);
		mnl_attr_put(request, NFTA_DATA_VALUE, asking->key_length, key);
		mnl_attr_nest_end(request, nest);
	}
	mnl_attr_nest_end(request, item);
	mnl_attr_nest_end(request, list);
	return netlink_ask(asking->nft, request, read_element, asking, &error) ||
	       error.code == ENOENT || (!key && error.code == EINVAL);
}

static bool find_element(struct asking *asking, const uint8_t *key)
{
	return ask_element(asking, key) && (asking->out->is_there || ask_element(asking, NULL));
}

static void ask_key_length(struct asking *asking)
{
	char room[NETLINK_REQUEST];
	struct nlmsghdr *request = new_request(asking, room, NFT_MSG_GETSET);
	struct netlink_error error;

	mnl_attr_put_strz(request, NFTA_SET_NAME, asking->set);
	netlink_ask(asking->nft, request, read_key_length, asking, &error);
}

/* ---- what was asked before ---- */

enum { BUCKETS = 4096, KEY_MOST = 64, REMEMBERED_MOST = 200000 };

struct remembered {
	struct remembered *next; /* in the same bucket */
	uint8_t family;
	const char *table, *set;
	uint32_t key_length;
	bool is_key; /* `element` is its result; else only the set's key length */
	uint8_t key[KEY_MOST];
	const struct foreign_element *element; /* NULL: there is none */
};

struct foreign_memory {
	struct arena *arena;
	struct remembered *buckets[BUCKETS];
	size_t count;
};

struct foreign_memory *foreign_memory_new(struct arena *arena)
{
	struct foreign_memory *memory = arena_new_of(arena, struct foreign_memory);

	*memory = (struct foreign_memory){ .arena = arena };
	return memory;
}

/* `key` NULL: the set itself. */
static struct remembered **bucket_of(struct foreign_memory *memory, const struct asking *asking,
				     const uint8_t *key)
{
	uint64_t sum =
		hash_words(asking->table->family, asking->table->name, strlen(asking->table->name));

	sum = hash_words(sum, asking->set, strlen(asking->set));
	if (key)
		sum = hash_words(sum, key, asking->key_length);
	return &memory->buckets[sum % BUCKETS];
}

static bool is_about(const struct remembered *one, const struct asking *asking, const uint8_t *key)
{
	return one->is_key == (key != NULL) && one->family == asking->table->family &&
	       !strcmp(one->set, asking->set) && !strcmp(one->table, asking->table->name) &&
	       (!key || !memcmp(one->key, key, asking->key_length));
}

static struct remembered *recall(struct foreign_memory *memory, const struct asking *asking,
				 const uint8_t *key)
{
	struct remembered *one = memory ? *bucket_of(memory, asking, key) : NULL;

	while (one && !is_about(one, asking, key))
		one = one->next;
	return one;
}

static void remember(struct foreign_memory *memory, const struct asking *asking, const uint8_t *key)
{
	struct remembered **bucket, *one;
	struct foreign_element *element;

	if (!memory || memory->count >= REMEMBERED_MOST || asking->key_length > KEY_MOST)
		return;
	bucket = bucket_of(memory, asking, key);
	one = arena_new_of(memory->arena, struct remembered);
	*one = (struct remembered){ .next = *bucket,
				    .family = asking->table->family,
				    .table = asking->table->name,
				    .set = arena_strdup(memory->arena, asking->set),
				    .key_length = asking->key_length,
				    .is_key = key != NULL };
	if (key)
		memcpy(one->key, key, asking->key_length);
	if (key && asking->out->is_there) {
		element = arena_new_of(memory->arena, struct foreign_element);
		*element = *asking->out;
		one->element = element;
	}
	*bucket = one;
	memory->count++;
}

static void find_key_length(struct foreign_memory *memory, struct asking *asking)
{
	const struct remembered *one = recall(memory, asking, NULL);

	if (one) {
		asking->key_length = one->key_length;
		return;
	}
	ask_key_length(asking);
	if (asking->key_length)
		remember(memory, asking, NULL);
}

static bool look_up(struct foreign_memory *memory, struct asking *asking, const uint8_t *key)
{
	const struct remembered *one = recall(memory, asking, key);

	if (!one) {
		if (!find_element(asking, key))
			return false;
		remember(memory, asking, key);
		return true;
	}
	if (!one->element)
		return true;
	*asking->out = *one->element;
	/* The verdict lies in the copy's own room. */
	if (one->element->verdict)
		asking->out->verdict = (const void *)asking->out->room;
	return true;
}

const char *foreign_find(struct netlink *nft, struct foreign_memory *memory,
			 const struct nft_foreign_table *table, const char *set,
			 const struct foreign_registers *registers, uint32_t number,
			 struct foreign_element *out)
{
	static const char refused[] = "a set that cannot be asked";
	struct asking asking = { .nft = nft, .table = table, .set = set, .out = out };
	const char *unknown;
	size_t at;

	find_key_length(memory, &asking);
	out->key_length = asking.key_length;
	if (!asking.key_length || !foreign_register(number, asking.key_length, &at))
		return refused;
	unknown = foreign_unknown(registers, at, asking.key_length);
	if (!unknown && !look_up(memory, &asking, registers->bytes + at))
		return refused;
	return unknown;
}
