/*
 * fingerprint: takes down and compares; see fingerprint.h. Whatever is not sure is no difference: a
 * record of another table, another policy, or an apply that did not come to its end.
 */
#include "state/fingerprint.h"

#include <string.h>

#include "base/arena.h"
#include "kernel/nft_table.h"
#include "state/record.h"

void fingerprint_take(struct arena *arena, struct record *record, const struct nft_table *table)
{
	const struct about_line *policy = nft_table_about(table, ABOUT_POLICY);

	if (!policy || policy->digest != record->digest)
		return;
	record->table_handle = table->handle;
	record->last_handle = table->last_handle;
	record->chain_count = record->set_count = 0;
	for (size_t i = 0; i < table->chain_count; i++)
		if (strcmp(table->chains[i].name, ABOUT_CHAIN) != 0)
			*arena_append(arena, record->chains, record->chain_count) =
				(struct record_chain){ table->chains[i].name,
						       table->chains[i].sum };
	for (size_t i = 0; i < table->set_count; i++) {
		const struct nft_table_set *set = &table->sets[i];

		if (set->has_count && !set->is_dynamic)
			*arena_append(arena, record->sets, record->set_count) =
				(struct record_set){ set->name, set->count };
	}
}

/* Is the table the one of the record, and any of its rules from then? */
static bool is_same_load(const struct record *record, const struct nft_table *table)
{
	const struct about_line *policy = nft_table_about(table, ABOUT_POLICY);

	return record && record->is_complete && record->table_handle && policy &&
	       policy->digest == record->digest && table->handle == record->table_handle &&
	       table->first_handle <= record->last_handle;
}

void fingerprint_compare(const struct record *record, struct nft_table *table)
{
	if (!is_same_load(record, table))
		return;
	for (size_t i = 0; i < table->chain_count; i++)
		for (size_t k = 0; k < record->chain_count; k++)
			if (strcmp(record->chains[k].name, table->chains[i].name) == 0)
				table->chains[i].is_edited |= table->chains[i].sum !=
							      record->chains[k].sum;
	for (size_t i = 0; i < table->set_count; i++) {
		struct nft_table_set *set = &table->sets[i];

		for (size_t k = 0; k < record->set_count; k++)
			if (strcmp(record->sets[k].set, set->name) == 0)
				set->is_edited = set->has_count && !set->is_dynamic &&
						 set->count != record->sets[k].count;
	}
}
