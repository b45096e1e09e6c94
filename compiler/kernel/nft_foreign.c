/*
 * nft_foreign: dumps tables, then each table's rules, then all chains (see nft_foreign.h).
 */
#include "kernel/nft_foreign.h"

#include <arpa/inet.h>
#include <endian.h>
#include <errno.h>
#include <string.h>

#include <linux/netfilter.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/nfnetlink.h>

#include "base/arena.h"
#include "kernel/netlink.h"

/* Reading is started over so often when tables come and go in between. */
enum { ATTEMPTS = 20 };

struct reading {
	struct arena *arena;
	const struct nft_foreign_reader *reader;
	struct nft_foreign_tables *tables;
	const struct nft_foreign_table *table; /* the one that is read */
};

static uint8_t family_of(const struct nlmsghdr *message)
{
	return ((const struct nfgenmsg *)mnl_nlmsg_get_payload(message))->nfgen_family;
}

static void read_table(const struct nlmsghdr *message, void *user)
{
	const struct nlattr *attributes[NETLINK_ATTRIBUTES];
	struct reading *reading = user;
	struct nft_foreign_table table = { .family = family_of(message) };

	if (!netlink_read_nft(message, NFT_MSG_NEWTABLE, attributes) ||
	    !attributes[NFTA_TABLE_NAME] ||
	    (netlink_u32(attributes[NFTA_TABLE_FLAGS]) & NFT_TABLE_F_DORMANT))
		return;
	table.name = mnl_attr_get_str(attributes[NFTA_TABLE_NAME]);
	if (table.family == NFPROTO_ARP ||
	    !reading->reader->wants_table(reading->reader->user, &table))
		return;
	table.name = arena_strdup(reading->arena, table.name);
	*arena_append(reading->arena, reading->tables->items, reading->tables->count) = table;
}

static bool is_in(const struct nlmsghdr *message, const struct nlattr *name,
		  const struct nft_foreign_table *table)
{
	return name && family_of(message) == table->family &&
	       !strcmp(mnl_attr_get_str(name), table->name);
}

static void read_rule(const struct nlmsghdr *message, void *user)
{
	const struct nlattr *attributes[NETLINK_ATTRIBUTES];
	struct reading *reading = user;

	if (!netlink_read_nft(message, NFT_MSG_NEWRULE, attributes) ||
	    !is_in(message, attributes[NFTA_RULE_TABLE], reading->table) ||
	    !attributes[NFTA_RULE_CHAIN] || !attributes[NFTA_RULE_HANDLE] ||
	    !attributes[NFTA_RULE_EXPRESSIONS])
		return;
	reading->reader->rule(reading->reader->user, reading->table,
			      mnl_attr_get_str(attributes[NFTA_RULE_CHAIN]),
			      netlink_u64(attributes[NFTA_RULE_HANDLE]),
			      attributes[NFTA_RULE_EXPRESSIONS]);
}

static void read_chain(const struct nlmsghdr *message, void *user)
{
	const struct nlattr *attributes[NETLINK_ATTRIBUTES];
	struct reading *reading = user;

	if (!netlink_read_nft(message, NFT_MSG_NEWCHAIN, attributes) ||
	    !attributes[NFTA_CHAIN_NAME])
		return;
	for (size_t i = 0; i < reading->tables->count; i++)
		if (is_in(message, attributes[NFTA_CHAIN_TABLE], &reading->tables->items[i]))
			reading->reader->chain(reading->reader->user, &reading->tables->items[i],
					       attributes);
}

static bool ask(struct netlink *nft, struct reading *reading, uint16_t type,
		const struct nft_foreign_table *of, netlink_each_fn *each,
		struct netlink_error *error)
{
	char room[NETLINK_REQUEST];
	struct nlmsghdr *request = netlink_nft(room, type, NLM_F_DUMP);
	struct nfgenmsg *header = mnl_nlmsg_get_payload(request);

	header->nfgen_family = of ? of->family : NFPROTO_UNSPEC;
	reading->table = of;
	if (of)
		mnl_attr_put_strz(request, NFTA_RULE_TABLE, of->name);
	return netlink_ask(nft, request, each, reading, error);
}

static bool read_once(struct netlink *nft, struct reading *reading, struct netlink_error *error)
{
	reading->tables->count = 0;
	reading->reader->begin(reading->reader->user);
	if (!ask(nft, reading, NFT_MSG_GETTABLE, NULL, read_table, error))
		return false;
	for (size_t i = 0; i < reading->tables->count; i++)
		if (!ask(nft, reading, NFT_MSG_GETRULE, &reading->tables->items[i], read_rule,
			 error))
			return false;
	return !reading->tables->count ||
	       ask(nft, reading, NFT_MSG_GETCHAIN, NULL, read_chain, error);
}

bool nft_foreign_read(struct arena *arena, struct netlink *nft,
		      const struct nft_foreign_reader *reader, struct nft_foreign_tables *tables,
		      struct netlink_error *error)
{
	struct reading reading = { .arena = arena, .reader = reader, .tables = tables };

	memset(tables, 0, sizeof(*tables));
	for (int attempt = 0; attempt < ATTEMPTS; attempt++) {
		if (read_once(nft, &reading, error))
			return true;
		/* A table that goes away between the questions is ENOENT in the middle. */
		if (error->code != EINTR && error->code != ENOENT)
			break;
	}
	return false;
}

const char *nft_foreign_family(uint8_t family)
{
	switch (family) {
	case NFPROTO_IPV4:
		return "ip";
	case NFPROTO_IPV6:
		return "ip6";
	case NFPROTO_INET:
		return "inet";
	case NFPROTO_BRIDGE:
		return "bridge";
	case NFPROTO_NETDEV:
		return "netdev";
	default:
		return "of another family,";
	}
}
