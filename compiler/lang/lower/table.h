/*
 * lower/table: which interfaces a table leaves by, and so which table answers what comes in by
 * them.
 */
#ifndef TPC_LANG_LOWER_TABLE_H
#define TPC_LANG_LOWER_TABLE_H

#include "lang/ast/ast.h"

struct arena;

/* Has the table a default route? */
bool lower_table_has_default(const struct ast_table *table);

/* Does it answer in IPv4: by a default route, or, where it has none, by any? */
bool lower_table_has_ipv4(const struct ast_table *table);

/* The gateways of its default routes by the interface; one that is learnt is 0.0.0.0 or ::. */
struct addr *lower_table_gateways(struct arena *arena, const struct ast_table *table,
				  const char *dev, size_t *count);

/* Does the default route leave by this interface as long as its link is up? */
bool lower_table_prefers(const struct ast_table *table, const char *dev);

/* A table of its own with the routes that leave by this interface. Its name, with a dot, is none
 * that an author can give; its numbers are still to be given out. */
struct ast_table *lower_table_by_dev(struct arena *arena, const struct ast_table *table,
				     const char *dev, size_t number);

#endif
