/*
 * nft_table: our nft tables as the kernel has them. In go dumps, out comes one struct a table, seen
 * at one generation of the rules: when something changes in between, everything is read again.
 */
#include "kernel/nft_table.h"

#include <arpa/inet.h>
#include <endian.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include <linux/netfilter.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/nfnetlink.h>

#include "base/arena.h"
#include "base/hash.h"
#include "kernel/cgroup.h"
#include "kernel/netlink.h"

/* NFTA_SET_COUNT of Linux 6.16, which older headers lack. */
enum { SET_COUNT = 20 };
/* Most attributes that any of the messages here has. */
enum { ATTEMPTS = 20 };

struct reader {
	struct arena *arena;
	struct nft_table *table;
	const char **names;
	size_t name_count;
};

static bool read_attributes(const struct nlmsghdr *message, uint16_t type,
			    const struct nlattr **out)
{
	const struct nfgenmsg *header = mnl_nlmsg_get_payload(message);

	return netlink_read_nft(message, type, out) && header->nfgen_family == NFPROTO_INET;
}

static bool is_text(const struct nlattr *attribute, const char *text)
{
	return attribute && strcmp(mnl_attr_get_str(attribute), text) == 0;
}

/* ---- tables ---- */

static void read_name(const struct nlmsghdr *message, void *user)
{
	const struct nlattr *attributes[NETLINK_ATTRIBUTES];
	struct reader *reader = user;
	const char *name;

	if (!read_attributes(message, NFT_MSG_NEWTABLE, attributes) || !attributes[NFTA_TABLE_NAME])
		return;
	name = mnl_attr_get_str(attributes[NFTA_TABLE_NAME]);
	if (reader->table && strcmp(name, reader->table->name) == 0) {
		reader->table->exists = true;
		reader->table->handle = netlink_u64(attributes[NFTA_TABLE_HANDLE]);
		reader->table->is_asleep = netlink_u32(attributes[NFTA_TABLE_FLAGS]) &
					   NFT_TABLE_F_DORMANT;
	}
	if (strcmp(name, "tpc") == 0 || strncmp(name, "tpc_", 4) == 0)
		*arena_append(reader->arena, reader->names, reader->name_count) =
			arena_strdup(reader->arena, name);
}

static bool read_names(struct netlink *netlink, struct reader *reader, struct netlink_error *error)
{
	char room[NETLINK_REQUEST];

	reader->name_count = 0;
	return netlink_dump(netlink, netlink_nft(room, NFT_MSG_GETTABLE, NLM_F_DUMP), read_name,
			    reader, &reader->name_count, error);
}

bool nft_table_names(struct arena *arena, struct netlink *netlink, const char ***names,
		     size_t *count, struct netlink_error *error)
{
	struct reader reader = { .arena = arena };
	bool done = read_names(netlink, &reader, error);

	*names = reader.names;
	*count = reader.name_count;
	return done;
}

/* ---- what is in a table ---- */

static void read_hook(struct nft_table_chain *chain, const struct nlattr *nest)
{
	static const enum ir_hook hooks[] = {
		[NF_INET_PRE_ROUTING] = IR_HOOK_PREROUTING,   [NF_INET_LOCAL_IN] = IR_HOOK_INPUT,
		[NF_INET_FORWARD] = IR_HOOK_FORWARD,          [NF_INET_LOCAL_OUT] = IR_HOOK_OUTPUT,
		[NF_INET_POST_ROUTING] = IR_HOOK_POSTROUTING,
	};
	const struct nlattr *inner[NETLINK_ATTRIBUTES];
	uint32_t number;

	netlink_read_nested(nest, inner);
	if (!inner[NFTA_HOOK_HOOKNUM] || !inner[NFTA_HOOK_PRIORITY])
		return;
	number = netlink_u32(inner[NFTA_HOOK_HOOKNUM]);
	chain->priority = (int)netlink_u32(inner[NFTA_HOOK_PRIORITY]);
	if (number < sizeof(hooks) / sizeof(hooks[0]))
		chain->hook = hooks[number];
	else
		chain->is_other = true;
}

void nft_table_read_chain(struct arena *arena, const struct nlattr *const *attributes,
			  struct nft_table_chain *chain)
{
	const struct nlattr *type = attributes[NFTA_CHAIN_TYPE];

	chain->name = arena_strdup(arena, mnl_attr_get_str(attributes[NFTA_CHAIN_NAME]));
	if (!attributes[NFTA_CHAIN_HOOK])
		return;
	read_hook(chain, attributes[NFTA_CHAIN_HOOK]);
	if (is_text(type, "nat"))
		chain->type = IR_CHAIN_NAT;
	else if (is_text(type, "route"))
		chain->type = IR_CHAIN_ROUTE;
	else if (is_text(type, "filter"))
		chain->type = IR_CHAIN_FILTER;
	else
		chain->is_other = true;
	if (attributes[NFTA_CHAIN_POLICY] &&
	    netlink_u32(attributes[NFTA_CHAIN_POLICY]) != NF_ACCEPT)
		chain->is_other = chain->drops = true;
}

static void read_chain(const struct nlmsghdr *message, void *user)
{
	const struct nlattr *attributes[NETLINK_ATTRIBUTES];
	struct reader *reader = user;

	if (!read_attributes(message, NFT_MSG_NEWCHAIN, attributes) ||
	    !attributes[NFTA_CHAIN_NAME] ||
	    !is_text(attributes[NFTA_CHAIN_TABLE], reader->table->name))
		return;
	nft_table_read_chain(reader->arena, attributes,
			     arena_append(reader->arena, reader->table->chains,
					  reader->table->chain_count));
}

static void read_declaration(struct nft_table_set *set, const struct nlattr **attributes)
{
	const struct nlattr *inner[NETLINK_ATTRIBUTES];

	set->is_map = netlink_u32(attributes[NFTA_SET_FLAGS]) & NFT_SET_MAP;
	set->is_dynamic = netlink_u32(attributes[NFTA_SET_FLAGS]) & NFT_SET_TIMEOUT;
	set->holds_flows = netlink_u32(attributes[NFTA_SET_FLAGS]) & NFT_SET_EVAL;
	set->bits = 8 * netlink_u32(attributes[NFTA_SET_KEY_LEN]);
	set->timeout = netlink_u64(attributes[NFTA_SET_TIMEOUT]);
	if (!attributes[NFTA_SET_DESC])
		return;
	netlink_read_nested(attributes[NFTA_SET_DESC], inner);
	set->size = netlink_u32(inner[NFTA_SET_DESC_SIZE]);
}

static void read_set(const struct nlmsghdr *message, void *user)
{
	const struct nlattr *attributes[NETLINK_ATTRIBUTES];
	struct reader *reader = user;
	struct nft_table_set *set;

	if (!read_attributes(message, NFT_MSG_NEWSET, attributes) || !attributes[NFTA_SET_NAME] ||
	    !is_text(attributes[NFTA_SET_TABLE], reader->table->name))
		return;
	if (netlink_u32(attributes[NFTA_SET_FLAGS]) & NFT_SET_ANONYMOUS)
		return;
	set = arena_append(reader->arena, reader->table->sets, reader->table->set_count);
	set->name = arena_strdup(reader->arena, mnl_attr_get_str(attributes[NFTA_SET_NAME]));
	if (attributes[SET_COUNT]) {
		set->has_count = true;
		set->count = netlink_u32(attributes[SET_COUNT]);
	}
	read_declaration(set, attributes);
}

static void read_counter(const struct nlmsghdr *message, void *user)
{
	const struct nlattr *attributes[NETLINK_ATTRIBUTES], *inner[NETLINK_ATTRIBUTES];
	struct reader *reader = user;
	struct nft_table_counter *counter;

	if (!read_attributes(message, NFT_MSG_NEWOBJ, attributes) || !attributes[NFTA_OBJ_NAME] ||
	    !is_text(attributes[NFTA_OBJ_TABLE], reader->table->name) ||
	    !attributes[NFTA_OBJ_TYPE] ||
	    netlink_u32(attributes[NFTA_OBJ_TYPE]) != NFT_OBJECT_COUNTER ||
	    !attributes[NFTA_OBJ_DATA])
		return;
	counter =
		arena_append(reader->arena, reader->table->counters, reader->table->counter_count);
	counter->name = arena_strdup(reader->arena, mnl_attr_get_str(attributes[NFTA_OBJ_NAME]));
	netlink_read_nested(attributes[NFTA_OBJ_DATA], inner);
	counter->packets = netlink_u64(inner[NFTA_COUNTER_PACKETS]);
	counter->bytes = netlink_u64(inner[NFTA_COUNTER_BYTES]);
}

/* A rule's comment is a type-length-value in its user data; type 0 (NFTNL_UDATA_RULE_COMMENT) is
 * the comment, with its NUL. */
static void read_comment(struct reader *reader, const struct nlattr *data, uint64_t handle)
{
	const uint8_t *bytes = mnl_attr_get_payload(data);
	size_t left = mnl_attr_get_payload_len(data);

	while (left >= 2 && left - 2 >= bytes[1]) {
		if (bytes[0] == 0 && bytes[1] > 0) {
			const char *text =
				arena_strndup(reader->arena, (const char *)bytes + 2, bytes[1]);
			struct about_line line;

			if (!about_parse(text, &line))
				return;
			line.handle = handle;
			*arena_append(reader->arena, reader->table->about,
				      reader->table->about_count) = line;
		}
		left -= 2u + bytes[1];
		bytes += 2 + bytes[1];
	}
}

/* The expressions' names and what is in them, where that does not change by itself. */
static uint64_t sum_expressions(uint64_t sum, const struct nlattr *list)
{
	static const char *const counting[] = { "counter", "quota", "last" };
	const struct nlattr *inner[NETLINK_ATTRIBUTES], *each;

	mnl_attr_for_each_nested(each, list) {
		bool counts = false;

		netlink_read_nested(each, inner);
		if (!inner[NFTA_EXPR_NAME])
			continue;
		for (size_t i = 0; i < sizeof(counting) / sizeof(counting[0]); i++)
			counts |= is_text(inner[NFTA_EXPR_NAME], counting[i]);
		sum = hash_words(sum, mnl_attr_get_payload(inner[NFTA_EXPR_NAME]),
				 mnl_attr_get_payload_len(inner[NFTA_EXPR_NAME]));
		if (inner[NFTA_EXPR_DATA] && !counts)
			sum = hash_words(sum, mnl_attr_get_payload(inner[NFTA_EXPR_DATA]),
					 mnl_attr_get_payload_len(inner[NFTA_EXPR_DATA]));
	}
	return sum;
}

/* Rules are only ever added after one another, so in a chain their handles rise. */
static void add_rule(struct nft_table *table, struct nft_table_chain *chain, uint64_t handle,
		     const struct nlattr *expressions)
{
	chain->rule_count++;
	chain->is_edited |= handle <= chain->last_handle;
	chain->last_handle = handle;
	chain->sum = hash_words(chain->sum, &handle, sizeof(handle));
	if (expressions)
		chain->sum = sum_expressions(chain->sum, expressions);
	if (handle > table->last_handle)
		table->last_handle = handle;
	if (!table->first_handle || handle < table->first_handle)
		table->first_handle = handle;
}

static void read_rule(const struct nlmsghdr *message, void *user)
{
	const struct nlattr *attributes[NETLINK_ATTRIBUTES];
	struct reader *reader = user;
	const char *name;
	uint64_t handle;

	if (!read_attributes(message, NFT_MSG_NEWRULE, attributes) ||
	    !attributes[NFTA_RULE_CHAIN] || !attributes[NFTA_RULE_HANDLE] ||
	    !is_text(attributes[NFTA_RULE_TABLE], reader->table->name))
		return;
	name = mnl_attr_get_str(attributes[NFTA_RULE_CHAIN]);
	handle = netlink_u64(attributes[NFTA_RULE_HANDLE]);
	for (size_t i = 0; i < reader->table->chain_count; i++)
		if (strcmp(reader->table->chains[i].name, name) == 0)
			add_rule(reader->table, &reader->table->chains[i], handle,
				 attributes[NFTA_RULE_EXPRESSIONS]);
	if (attributes[NFTA_RULE_EXPRESSIONS])
		cgroup_read(reader->arena, attributes[NFTA_RULE_EXPRESSIONS],
			    &reader->table->cgroups, &reader->table->cgroup_count);
	if (strcmp(name, ABOUT_CHAIN) == 0 && attributes[NFTA_RULE_USERDATA])
		read_comment(reader, attributes[NFTA_RULE_USERDATA], handle);
}

static bool read_part(struct netlink *netlink, struct reader *reader, uint16_t type,
		      uint16_t table_attribute, netlink_each_fn *each, struct netlink_error *error)
{
	char room[NETLINK_REQUEST];
	struct nlmsghdr *request = netlink_nft(room, type, NLM_F_DUMP);

	/* Chains are always dumped from all tables; their policy does not know the filter. */
	if (type != NFT_MSG_GETCHAIN)
		mnl_attr_put_strz(request, table_attribute, reader->table->name);
	return netlink_ask(netlink, request, each, reader, error);
}

static bool read_table(struct netlink *netlink, struct reader *reader, struct netlink_error *error)
{
	return read_part(netlink, reader, NFT_MSG_GETCHAIN, NFTA_CHAIN_TABLE, read_chain, error) &&
	       read_part(netlink, reader, NFT_MSG_GETSET, NFTA_SET_TABLE, read_set, error) &&
	       read_part(netlink, reader, NFT_MSG_GETOBJ, NFTA_OBJ_TABLE, read_counter, error) &&
	       read_part(netlink, reader, NFT_MSG_GETRULE, NFTA_RULE_TABLE, read_rule, error);
}

bool nft_table_observe(struct arena *arena, struct netlink *netlink, const char *name,
		       struct nft_table *out, struct netlink_error *error)
{
	struct reader reader = { .arena = arena, .table = out };
	uint32_t before, after;
	bool is_whole;

	for (int attempt = 0; attempt < ATTEMPTS; attempt++) {
		memset(out, 0, sizeof(*out));
		out->name = name;
		if (!netlink_generation(netlink, &before, error) ||
		    !read_names(netlink, &reader, error))
			return false;
		if (!out->exists)
			return true;
		/* A table that goes away between the questions is ENOENT in the middle. */
		is_whole = read_table(netlink, &reader, error);
		if (!is_whole && error->code != EINTR && error->code != ENOENT)
			return false;
		if (!netlink_generation(netlink, &after, error))
			return false;
		if (is_whole && before == after)
			return true;
	}
	error->code = EBUSY;
	snprintf(error->text, sizeof(error->text), "nft rules change faster than they can be read");
	return false;
}

/* ---- finding ---- */

const struct nft_table_chain *nft_table_chain_find(const struct nft_table *table, const char *name)
{
	for (size_t i = 0; i < table->chain_count; i++)
		if (strcmp(table->chains[i].name, name) == 0)
			return &table->chains[i];
	return NULL;
}

bool nft_table_is_learned(const struct nft_table_set *set)
{
	return set->is_dynamic && !set->is_map && !strchr(set->name, '.');
}

const struct nft_table_set *nft_table_set_find(const struct nft_table *table, const char *name)
{
	for (size_t i = 0; i < table->set_count; i++)
		if (strcmp(table->sets[i].name, name) == 0)
			return &table->sets[i];
	return NULL;
}

const char *nft_table_set_word(const struct nft_table_set *set)
{
	return set && set->is_map ? "map" : "set";
}

size_t nft_table_rule_count(const struct nft_table *table)
{
	size_t count = 0;

	for (size_t i = 0; i < table->chain_count; i++)
		if (strcmp(table->chains[i].name, ABOUT_CHAIN) != 0)
			count += table->chains[i].rule_count;
	return count;
}

const struct about_line *nft_table_about(const struct nft_table *table, enum about_kind kind)
{
	for (size_t i = 0; i < table->about_count; i++)
		if (table->about[i].kind == kind)
			return &table->about[i];
	return NULL;
}

const struct about_line *nft_table_about_set(const struct nft_table *table, const char *base,
					     const char *name)
{
	for (size_t i = 0; i < table->about_count; i++) {
		const struct about_line *line = &table->about[i];

		if (line->kind == ABOUT_SET && (!base || strcmp(line->base, base) == 0) &&
		    (!name || strcmp(line->name, name) == 0))
			return line;
	}
	return NULL;
}

bool nft_table_is_readable(const struct nft_table *table)
{
	const struct about_line *policy = nft_table_about(table, ABOUT_POLICY);

	return policy && policy->version == ABOUT_VERSION && nft_table_about(table, ABOUT_ROUTING);
}
