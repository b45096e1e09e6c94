/*
 * read/read: from YAML nodes to the ast, one file for each part of a policy.
 *
 * The readers below add every error they find and return false when there was one; what could be
 * read is in the target all the same.
 */
#ifndef TPC_LANG_READ_READ_H
#define TPC_LANG_READ_READ_H

#include "lang/ast/ast.h"
#include "yaml/decode.h"

/*
 * The policy with all that it includes, decoded as far as that goes: what could not be read whole
 * is marked broken, so that the rest can still be checked. The errors are in diag.
 */
struct ast_policy *read_policy(struct arena *arena, struct diag *diag, const char *path);

bool read_settings(struct decode *decode, const struct node *node, struct ast_settings *settings);
bool read_groups(struct decode *decode, const struct node *node, struct ast_policy *policy);
bool read_sets(struct decode *decode, const struct node *node, struct ast_policy *policy);
/* Those of one kind: `macs` or `ports`. */
bool read_lists(struct decode *decode, const struct node *node, const struct match_kind *kind,
		struct ast_policy *policy);
bool read_listeners(struct decode *decode, const struct node *node, struct ast_policy *policy);
bool read_tables(struct decode *decode, const struct node *node, struct ast_policy *policy);
bool read_rules(struct decode *decode, const struct node *node, struct ast_policy *policy);
bool read_expectations(struct decode *decode, const struct node *node, struct ast_policy *policy);

/* A packet out of the mapping of its keys. */
bool read_packet(struct decode *decode, const struct node *node, struct ir_packet *out);

/* The keys of a set's mapping as they were written. */
struct read_set_parts {
	const struct node *file; /* read/path.c */
	const struct node *include, *exclude;
	const struct node *geoip, *database;                              /* read/geoip.c */
	const struct node *dynamic, *domains, *timeout, *size, *elements; /* read/dynamic.c */
	const struct node *addresses_of, *prefix_of;                      /* read/own.c */
};

/* An item of a set or a list of them, after what is there already. */
bool read_set_items(struct decode *decode, const struct node *node,
		    struct ast_set_expression **items, size_t *count);
bool read_set_expression(struct decode *decode, const struct node *node,
			 struct ast_set_expression *out);
/* Is it a mapping with a key of a set that is filled at run time? */
bool read_is_dynamic(const struct node *node);
bool read_dynamic_set(struct decode *decode, const struct node *node, struct ast_set *set);
/* Is it a mapping with addresses or networks of this host's interfaces, or a list with one? */
bool read_is_own(const struct node *node);
bool read_own_set(struct decode *decode, const struct node *node, struct ast_set *set);
/* A set's `geoip` and `database`; either may be missing (NULL), but not both. */
bool read_geoip(struct decode *decode, const struct node *codes, const struct node *database,
		struct ast_set_expression *out);
/* A `then` value. NULL after an error. */
struct ast_then *read_then(struct decode *decode, const struct node *value);

/* ---- values that several parts share; the type of the target is in the comment ---- */

decode_fn read_mark_field;      /* struct ast_mark: a number, or {value, mask} */
decode_fn read_addresses_field; /* struct ast_addresses: an address, or a list of one a family */
decode_fn read_interface_field; /* const char *: one interface's name, no pattern */
decode_fn read_then_field;      /* struct ast_then * */

/* The key's span in a mapping, or a span without a source. */
struct span read_key_span(const struct node *map, const char *key);
/* That of its value. */
struct span read_value_span(const struct node *map, const char *key);
/* Every entry of a mapping of definitions has a name; false when this one's is none, or reserved.
 */
bool read_definition_name(struct decode *decode, const struct node_entry *entry, const char *what);
/* The path that a file names, relative to that file's folder. */
const char *read_relative_path(struct arena *arena, const struct source *source, const char *path);

/* The file that `file` or `database` names, ready to open. NULL after an error. */
const char *read_path(struct decode *decode, const char *key, const struct node *value);

/* The field tables of the parts. */
extern const struct decode_table read_settings_table, read_set_table, read_list_table,
	read_listener_table, read_tproxy_table, read_redirect_table, read_runs_as_table,
	read_mark_table, read_table_table, read_route_table, read_nexthop_table, read_npt_table,
	read_rule_table, read_then_table, read_expect_table, read_packet_table;

#endif
