/*
 * relied: looks for the signs of software that forwards (see relied.h): foreign nft chains with
 * rules for forwarded packets, tables of iptables-legacy, interfaces that have come since and that
 * the policy does not name. A chain without rules is what a distribution's default file leaves.
 */
#include "host/relied.h"

#include <fnmatch.h>
#include <net/if.h>
#include <stdio.h>
#include <string.h>

#include <arpa/inet.h>
#include <linux/netfilter.h>
#include <linux/netfilter/nf_tables.h>

#include "base/arena.h"
#include "base/names.h"
#include "host/host.h"
#include "host/sysctl_plan.h"
#include "kernel/addresses.h"
#include "kernel/link.h"
#include "kernel/nft_foreign.h"

struct search {
	struct arena *arena;
	enum addr_family family;
	const char **with_rules; /* chains, with their tables */
	size_t count;
	const char *found;
};

static bool family_of(const char *key, enum addr_family *family)
{
	static const char ipv6[] = "net.ipv6.conf.", end[] = ".accept_ra";
	size_t length = strlen(key);

	if (strcmp(key, "net.ipv4.ip_forward") == 0)
		*family = ADDR_IPV4;
	else if (strcmp(key, NEEDS_FORWARDING_IPV6) == 0 ||
		 (strncmp(key, ipv6, sizeof(ipv6) - 1) == 0 && length >= sizeof(end) &&
		  strcmp(key + length - (sizeof(end) - 1), end) == 0))
		*family = ADDR_IPV6;
	else
		return false;
	return true;
}

/* ---- nft ---- */

static bool wants_table(void *user, const struct nft_foreign_table *table)
{
	const struct search *search = user;
	uint8_t family = netlink_family(search->family);
	bool is_ours = table->family == NFPROTO_INET &&
		       (!strcmp(table->name, "tpc") || !strncmp(table->name, "tpc_", 4));

	return !is_ours && (table->family == NFPROTO_INET || table->family == family);
}

static void begin(void *user)
{
	struct search *search = user;

	search->count = 0;
	search->found = NULL;
}

static const char *chain_words(struct search *search, const struct nft_foreign_table *table,
			       const char *chain)
{
	return arena_printf(search->arena, "the chain %s of the nft table %s %s", chain,
			    nft_foreign_family(table->family), table->name);
}

static void take_rule(void *user, const struct nft_foreign_table *table, const char *chain,
		      uint64_t handle, const struct nlattr *expressions)
{
	struct search *search = user;

	(void)handle;
	(void)expressions;
	names_add(search->arena, &search->with_rules, &search->count,
		  chain_words(search, table, chain));
}

static bool is_for_forwarded(const struct nlattr *const *chain)
{
	const struct nlattr *hook[NETLINK_ATTRIBUTES];
	uint32_t number;

	if (!chain[NFTA_CHAIN_HOOK])
		return false;
	netlink_read_nested(chain[NFTA_CHAIN_HOOK], hook);
	if (!hook[NFTA_HOOK_HOOKNUM])
		return false;
	number = netlink_u32(hook[NFTA_HOOK_HOOKNUM]);
	return number == NF_INET_FORWARD ||
	       (number == NF_INET_POST_ROUTING && chain[NFTA_CHAIN_TYPE] &&
		!strcmp(mnl_attr_get_str(chain[NFTA_CHAIN_TYPE]), "nat"));
}

static void take_chain(void *user, const struct nft_foreign_table *table,
		       const struct nlattr *const *attributes)
{
	struct search *search = user;
	const char *words;

	if (search->found || !attributes[NFTA_CHAIN_NAME] || !is_for_forwarded(attributes))
		return;
	words = chain_words(search, table, mnl_attr_get_str(attributes[NFTA_CHAIN_NAME]));
	for (size_t i = 0; i < search->count; i++)
		if (!strcmp(search->with_rules[i], words))
			search->found = words;
}

/* ---- iptables-legacy ---- */

static const char *legacy_words(struct arena *arena, enum addr_family family)
{
	const char *path = family == ADDR_IPV6 ? "/proc/net/ip6_tables_names"
					       : "/proc/net/ip_tables_names";
	FILE *file = fopen(path, "re");
	const char *words = NULL;
	char name[64];

	while (file && fgets(name, sizeof(name), file))
		if (!strcmp(name, "filter\n") || !strcmp(name, "nat\n"))
			words = arena_printf(arena,
					     "iptables-legacy, which has rules (see them: "
					     "%s-legacy-save),",
					     family == ADDR_IPV6 ? "ip6tables" : "iptables");
	if (file)
		fclose(file);
	return words;
}

/* ---- interfaces ---- */

static bool is_named(const struct record *record, const char *name)
{
	for (size_t i = 0; i < record->ir.asked_count; i++)
		for (size_t k = 0; k < record->ir.asked[i].name_count; k++)
			if (!fnmatch(record->ir.asked[i].names[k], name, FNM_NOESCAPE))
				return true;
	return ir_leaves_by(&record->ir, name);
}

/* The kernel counts interfaces up. */
static const char *newcomer(struct arena *arena, struct netlink *netlink,
			    const struct record *record, enum addr_family family)
{
	struct link_names names = { 0 };

	if (record->newest_link)
		names = link_names(arena, netlink);
	for (size_t i = 0; i < names.count; i++) {
		unsigned int index = if_nametoindex(names.items[i]);

		if (index > record->newest_link && !is_named(record, names.items[i]) &&
		    addresses_sources(netlink, index, family).here)
			return arena_printf(arena,
					    "the interface %s, which has come since it was set,",
					    names.items[i]);
	}
	return NULL;
}

const char *relied_on(struct arena *arena, struct kernel *kernel, const struct record *record,
		      const char *key)
{
	struct search search = { .arena = arena };
	const struct nft_foreign_reader reader = { wants_table, begin, take_rule, take_chain,
						   &search };
	struct nft_foreign_tables tables;
	struct netlink_error error;
	const char *words;

	if (!family_of(key, &search.family))
		return NULL;
	if (!nft_foreign_read(arena, &kernel->nft, &reader, &tables, &error))
		return "an nft table, which cannot be read,";
	words = search.found ? search.found : legacy_words(arena, search.family);
	return words ? words : newcomer(arena, &kernel->route, record, search.family);
}

void relied_note(struct arena *arena, struct kernel *kernel, const struct record *before,
		 struct record *after, const char *key)
{
	enum addr_family family;
	struct link_names names;

	if (!family_of(key, &family))
		return;
	after->newest_link = before ? before->newest_link : 0;
	if (after->newest_link)
		return;
	names = link_names(arena, &kernel->route);
	for (size_t i = 0; i < names.count; i++) {
		unsigned int index = if_nametoindex(names.items[i]);

		if (index > after->newest_link)
			after->newest_link = index;
	}
}
