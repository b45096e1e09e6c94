/*
 * lower/uplink: which interfaces a table leaves by, and so which table answers what comes in by
 * them.
 */
#ifndef TPC_LANG_LOWER_UPLINK_H
#define TPC_LANG_LOWER_UPLINK_H

#include "lang/ast/ast.h"

struct arena;

/* Has the table a default route? */
bool lower_uplink_is_one(const struct ast_table *table);

/* Does it answer in IPv4: by a default route, or, where it has none, by any? */
bool lower_uplink_has_ipv4(const struct ast_table *table);

/* The interfaces that a table leaves by, each once. */
const char **lower_uplink_devs(struct arena *arena, const struct ast_table *table, size_t *count);

/* The gateways of its default routes by the interface. */
struct addr *lower_uplink_gateways(struct arena *arena, const struct ast_table *table,
				   const char *dev, size_t *count);

/* Does the default route leave by this interface as long as its link is up? */
bool lower_uplink_leads(const struct ast_table *table, const char *dev);

/* A table of its own with the routes that leave by this interface. Its name, with a dot, is none
 * that an author can give; its numbers are still to be given out. */
struct ast_table *lower_uplink_only(struct arena *arena, const struct ast_table *table,
				    const char *dev, size_t number);

#endif
