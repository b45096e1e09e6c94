/*
 * foreign_element: asks for one element (NFT_MSG_GETSETELEM with a key), never for a dump.
 */
#include "live/foreign_element.h"

#include <arpa/inet.h>
#include <errno.h>
#include <string.h>

#include <linux/netfilter.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/nfnetlink.h>

#include "live/foreign.h"
#include "live/foreign_packet.h"
#include "live/netlink.h"

static uint32_t number_in(const struct nlattr *attribute)
{
	return attribute ? ntohl(mnl_attr_get_u32(attribute)) : 0;
}

struct asking {
	struct netlink *nft;
	const struct foreign_table *table;
	const char *set;
	uint32_t key_length;
	struct foreign_element *out;
};

static void read_key_length(const struct nlmsghdr *message, void *user)
{
	const struct nlattr *attributes[NETLINK_ATTRIBUTES];
	struct asking *asking = user;

	if (netlink_read_nft(message, NFT_MSG_NEWSET, attributes))
		asking->key_length = number_in(attributes[NFTA_SET_KEY_LEN]);
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

const char *foreign_find(struct netlink *nft, const struct foreign_table *table, const char *set,
			 const struct foreign_registers *registers, uint32_t number,
			 struct foreign_element *out)
{
	static const char refused[] = "a set that cannot be asked";
	struct asking asking = { .nft = nft, .table = table, .set = set, .out = out };
	const char *unknown;
	size_t at;

	ask_key_length(&asking);
	out->key_length = asking.key_length;
	if (!asking.key_length || !foreign_register(number, asking.key_length, &at))
		return refused;
	unknown = foreign_unknown(registers, at, asking.key_length);
	if (!unknown && !find_element(&asking, registers->bytes + at))
		return refused;
	return unknown;
}
