/*
 * nft_table: what the kernel holds of our nft tables, read by netlink.
 *
 * Names, hooks, how many rules a chain has, and the comments in which a table says what it is
 * (emit/about.h). Elements of sets are never read: a dump of a big set takes the kernel minutes.
 */
#ifndef TPC_KERNEL_NFT_TABLE_H
#define TPC_KERNEL_NFT_TABLE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "emit/about.h"
#include "ir/ir.h"

struct arena;
struct netlink;
struct netlink_error;

struct nft_table_chain {
	const char *name;
	enum ir_hook hook;
	enum ir_chain_type type; /* of a chain with a hook */
	int priority;
	bool is_other; /* a hook, type or policy that no chain of ours has */
	bool drops;    /* its policy, at its end */
	size_t rule_count;
	uint64_t last_handle; /* the greatest of its rules; 0: it has none */
	uint64_t sum;         /* of its rules: what they hold but for counts, and their handles */
	bool is_edited;       /* its rules are not those of the last apply */
};

struct nft_table_set {
	const char *name;
	bool has_count; /* since Linux 6.16 the kernel says how many elements there are */
	uint32_t count;
	bool is_map;
	bool is_dynamic;   /* its elements may have times: filled at run time */
	bool holds_flows;  /* ... by the rules themselves */
	unsigned int bits; /* of a value */
	uint64_t timeout;  /* milliseconds; 0: none */
	uint32_t size;     /* 0: any number */
	bool is_edited;    /* its number of elements is another than after the last apply */
};

struct nft_table_counter {
	const char *name;
	uint64_t packets, bytes;
};

struct nft_table {
	const char *name;
	bool exists;
	uint64_t handle;                    /* no other table has had it since the boot */
	uint64_t first_handle, last_handle; /* of its rules, those that speak of it too */
	bool is_asleep; /* its chains are there but see no packets (flag dormant) */
	struct nft_table_chain *chains;
	size_t chain_count;
	struct nft_table_set *sets; /* without anonymous ones */
	size_t set_count;
	struct nft_table_counter *counters;
	size_t counter_count;
	uint64_t *cgroups; /* numbers of those that rules ask for */
	size_t cgroup_count;
	struct about_line *about; /* what it says of itself, in order */
	size_t about_count;
};

/* The names of the tables of family inet that are ours by name: "tpc" and "tpc_...". */
bool nft_table_names(struct arena *arena, struct netlink *netlink, const char ***names,
		     size_t *count, struct netlink_error *error);
bool nft_table_observe(struct arena *arena, struct netlink *netlink, const char *name,
		       struct nft_table *out, struct netlink_error *error);

/* Fills in what a chain's attributes, by their numbers, tell; its name must be among them. */
struct nlattr;
void nft_table_read_chain(struct arena *arena, const struct nlattr *const *attributes,
			  struct nft_table_chain *chain);

const struct nft_table_chain *nft_table_chain_find(const struct nft_table *table, const char *name);
/* Do others fill it at run time? A copy that stands in for such a set, and what is filled by the
 * rules or by an apply, has a dot in its name, which no set of an author's has. */
bool nft_table_is_learned(const struct nft_table_set *set);
const struct nft_table_set *nft_table_set_find(const struct nft_table *table, const char *name);
/* "set" or "map": nft's word for one that is there, or is to be (NULL is a set). */
const char *nft_table_set_word(const struct nft_table_set *set);
/* How many rules the table has, without those that only speak of it. */
size_t nft_table_rule_count(const struct nft_table *table);
/* The first line of a kind, or NULL. */
const struct about_line *nft_table_about(const struct nft_table *table, enum about_kind kind);
/* The line about a set that rules use, by its base, its name (either may be NULL) or both. */
const struct about_line *nft_table_about_set(const struct nft_table *table, const char *base,
					     const char *name);
/* Is the table one of a policy of ours, in words that this version understands? */
bool nft_table_is_readable(const struct nft_table *table);

#endif
