/*
 * read/geoip: the set source {geoip: CODES, database: PATH}. In come the values of both keys, out
 * comes an expression whose countries exist. Whether the database has them is seen when it is read.
 */
#include "base/arena.h"
#include "lang/read/read.h"

static bool refuse_half(struct decode *decode, struct span span, const char *text)
{
	diag_help(diag_add(decode->diag, DIAG_missing_key, span, "%s", text),
		  "write {geoip: [CN, HK], database: FILE.mmdb}");
	return false;
}

static bool read_code(struct decode *decode, const struct node *node,
		      struct ast_set_expression *out)
{
	int number;

	if (node->kind != NODE_SCALAR || !node->length) {
		diag_help(diag_add(decode->diag, DIAG_wrong_type, node->span,
				   "`geoip` takes codes of countries, not %s",
				   node->kind == NODE_SCALAR ? "an empty value"
							     : node_describe(node)),
			  "write {geoip: [CN, HK], database: FILE.mmdb}");
		return false;
	}
	number = country_find(node->text, node->length);
	if (number == COUNTRY_NONE) {
		diag_help(diag_add(decode->diag, DIAG_bad_value, node->span,
				   "\"%s\" is no country's code",
				   node_excerpt(decode->arena, node->text, node->length)),
			  "%s", country_suggest(decode->arena, node->text));
		return false;
	}
	*arena_append(decode->arena, out->countries, out->country_count) =
		(struct ast_country){ number, node->span };
	return true;
}

static bool read_codes(struct decode *decode, const struct node *codes,
		       struct ast_set_expression *out)
{
	bool good = true;

	if (codes->kind != NODE_LIST)
		return read_code(decode, codes, out);
	if (!codes->count)
		return diag_refuse(decode->diag, DIAG_bad_value, codes->span,
				   "`geoip` needs a country",
				   "write the codes of one or more: [CN, HK]");
	for (size_t i = 0; i < codes->count; i++)
		good &= read_code(decode, &codes->items[i], out);
	return good;
}

bool read_geoip(struct decode *decode, const struct node *codes, const struct node *database,
		struct ast_set_expression *out)
{
	bool good;

	if (!database)
		return refuse_half(decode, codes->span,
				   "`geoip` without `database`: which file knows the countries?");
	if (!codes)
		return refuse_half(decode, database->span,
				   "`database` without `geoip`: which countries?");
	good = read_codes(decode, codes, out);
	out->text = read_path(decode, "database", database);
	out->kind = out->text ? SET_GEOIP : SET_LIST; /* of nothing, after an error */
	out->text_span = database->span;
	return out->text && good;
}
