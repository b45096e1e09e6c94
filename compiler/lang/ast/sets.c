/*
 * sets: what is in a set: literals, files, other sets, and algebra, computed once for each set.
 */
#include "lang/ast/sets.h"

#include <string.h>

#include "addr/builtin.h"
#include "addr/geoip.h"
#include "addr/listfile.h"
#include "base/arena.h"
#include "base/diag.h"
#include "yaml/decode.h"

/* A part of a set that has no address. */
struct without_address {
	const struct ast_set_expression *part;
	bool is_taken_away; /* it stands in an `exclude` */
};

struct resolving {
	struct arena *arena;
	struct diag *diag;
	struct ast_policy *policy;
	struct geoip geoip;
	struct without_address *empties; /* of the sets that are being resolved */
	size_t empty_count;
	unsigned int excluding; /* how many an `exclude` deep */
};

static bool resolve(struct resolving *resolving, const struct ast_set_expression *expression,
		    struct addr_set *out);

static void add_all(struct arena *arena, struct addr_set *into, const struct addr_set *from)
{
	for (int family = 0; family < ADDR_FAMILIES; family++)
		for (size_t i = 0; i < from->family[family].count; i++) {
			struct interval item = from->family[family].items[i];

			interval_add(arena, &into->family[family], item.first, item.last);
		}
}

bool sets_unknown(struct arena *arena, struct diag *diag, const struct ast_policy *policy,
		  const char *name, struct span span)
{
	struct decode decode = { .arena = arena, .diag = diag };
	const char **candidates = NULL;
	size_t count = 0, built_in;
	const char *const *names = builtin_names(&built_in);

	for (size_t i = 0; i < policy->set_count; i++)
		*arena_append(arena, candidates, count) = policy->sets[i].name;
	for (size_t i = 0; i < built_in; i++)
		*arena_append(arena, candidates, count) = names[i];
	decode_unknown(&decode, DIAG_unknown_name, span, "set", name, candidates, count);
	return false;
}

/*
 * The parts that are empty, of those from `first` on, when the set itself is not: else the rules
 * that name it say so. Taken away, nothing lets all stay that was meant to go.
 */
static void warn_of_empty_parts(struct resolving *resolving, const struct ast_set *set,
				size_t first)
{
	bool has_more = set->dynamic || !addr_set_is_empty(&set->contents);

	for (size_t i = first; i < resolving->empty_count; i++) {
		const struct without_address *empty = &resolving->empties[i];
		const struct ast_set_expression *part = empty->part;

		if (!has_more && !empty->is_taken_away)
			continue;
		diag_help(part->kind == SET_FILE
				  ? diag_add(resolving->diag, DIAG_empty_set, part->span,
					     "\"%s\" has no entry", part->text)
				  : diag_add(resolving->diag, DIAG_empty_set, part->span,
					     "nothing is left of this part"),
			  empty->is_taken_away
				  ? "nothing is taken away by it: fill it, or take it out"
				  : "nothing is added by it: fill it, or take it out");
	}
	resolving->empty_count = first;
}

static bool resolve_set(struct resolving *resolving, struct ast_set *set, struct span wanted_by)
{
	size_t first = resolving->empty_count;
	unsigned int excluding = resolving->excluding;
	struct diag_record *record;
	bool good;

	if (set->progress == PROGRESS_BUSY) {
		record = diag_add(resolving->diag, DIAG_set_cycle, wanted_by,
				  "the set \"%s\" contains itself", set->name);
		diag_also(record, set->span, "defined here");
		diag_help(record, "remove one of the names of the cycle");
		return false;
	}
	if (set->progress == PROGRESS_DONE)
		return true;
	set->progress = PROGRESS_BUSY;
	resolving->excluding = 0;
	good = resolve(resolving, &set->expression, &set->contents);
	resolving->excluding = excluding;
	addr_set_normalise(&set->contents);
	warn_of_empty_parts(resolving, set, first);
	set->progress = PROGRESS_DONE;
	return good;
}

static struct diag_record *refuse_dynamic(struct resolving *resolving,
					  const struct ast_set_expression *expression)
{
	struct diag_record *record =
		diag_add(resolving->diag, DIAG_impossible, expression->span,
			 "what \"%s\" holds is known only at run time, so nothing can be computed from it",
			 expression->text);

	diag_help(record, "name it in a rule's from or to beside the others: `to: [%s, ...]`",
		  expression->text);
	return record;
}

static bool resolve_name(struct resolving *resolving, const struct ast_set_expression *expression,
			 struct addr_set *out)
{
	struct ast_set *set = ast_set_find(resolving->policy, expression->text);
	struct addr_set built_in = { 0 };

	if (!strcmp(expression->text, "local") || !strcmp(expression->text, "broadcast")) {
		diag_help(diag_add(resolving->diag, DIAG_impossible, expression->span,
				   "what \"%s\" means is known only when a packet arrives",
				   expression->text),
			  "name it in the `to` of a rule");
		return false;
	}
	if (set && set->dynamic) {
		set->used = true;
		diag_also(refuse_dynamic(resolving, expression), set->span, "defined here");
		return false;
	}
	if (set) {
		set->used = true;
		if (!set->named.source)
			set->named = expression->span;
		if (!resolve_set(resolving, set, expression->span))
			return false;
		add_all(resolving->arena, out, &set->contents);
		return true;
	}
	if (!builtin_find(resolving->arena, expression->text, &built_in))
		return sets_unknown(resolving->arena, resolving->diag, resolving->policy,
				    expression->text, expression->span);
	add_all(resolving->arena, out, &built_in);
	return true;
}

static bool resolve_geoip(struct resolving *resolving, const struct ast_set_expression *expression,
			  struct addr_set *out)
{
	const struct geoip_database *database = geoip_read(&resolving->geoip, resolving->arena,
							   resolving->diag, expression->text,
							   expression->text_span);
	bool good = database != NULL;

	for (size_t i = 0; database && i < expression->country_count; i++) {
		struct ast_country country = expression->countries[i];
		const struct addr_set *networks = &database->countries[country.number];

		add_all(resolving->arena, out, networks);
		if (!addr_set_is_empty(networks))
			continue;
		good = false;
		diag_help(diag_add(resolving->diag, DIAG_geoip_database, country.span,
				   "\"%s\" has no network of %s (%s)", database->path,
				   country_name(country.number), country_code(country.number)),
			  "leave the country out, or use another database");
	}
	return good;
}

static size_t count_of(const struct addr_set *set)
{
	return set->family[ADDR_IPV4].count + set->family[ADDR_IPV6].count;
}

/* Other sets by name say by themselves that they are empty. */
static bool resolve_part(struct resolving *resolving, const struct ast_set_expression *part,
			 struct addr_set *out)
{
	size_t before = count_of(out);
	bool good = resolve(resolving, part, out);

	if (good && count_of(out) == before &&
	    (part->kind == SET_FILE || part->kind == SET_DIFFERENCE))
		*arena_append(resolving->arena, resolving->empties, resolving->empty_count) =
			(struct without_address){ part, resolving->excluding > 0 };
	return good;
}

static bool resolve_all(struct resolving *resolving, const struct ast_set_expression *items,
			size_t count, struct addr_set *out)
{
	bool good = true;

	for (size_t i = 0; i < count; i++)
		good &= resolve_part(resolving, &items[i], out);
	return good;
}

/* Does it come from a database of countries, by name or not? */
static bool is_of_countries(const struct resolving *resolving,
			    const struct ast_set_expression *expression)
{
	const struct ast_set *set = expression->kind == SET_REFERENCE
					    ? ast_set_find(resolving->policy, expression->text)
					    : NULL;
	bool is = expression->kind == SET_GEOIP || (set && set->expression.kind == SET_GEOIP);

	for (size_t i = 0; expression->kind == SET_LIST && i < expression->count; i++)
		is |= is_of_countries(resolving, &expression->items[i]);
	for (size_t i = 0; set && set->expression.kind == SET_LIST && i < set->expression.count;
	     i++)
		is |= set->expression.items[i].kind == SET_GEOIP;
	return is;
}

/* Countries of one family that are taken away from both: the other family of them stays. */
static void warn_of_one_family(struct resolving *resolving,
			       const struct ast_set_expression *expression,
			       const struct addr_set *with)
{
	const struct ast_set_expression *first = NULL;
	struct addr_set countries = { 0 };

	for (size_t i = 0; i < expression->without_count; i++) {
		if (!is_of_countries(resolving, &expression->without[i]))
			continue;
		first = first ? first : &expression->without[i];
		resolve(resolving, &expression->without[i], &countries);
	}
	for (int family = 0; first && family < ADDR_FAMILIES; family++) {
		if (countries.family[family].count || !with->family[family].count ||
		    (family == ADDR_IPV6 && resolving->policy->settings.ipv6 != IPV6_ON))
			continue;
		diag_help(diag_add(resolving->diag, DIAG_empty_set, first->span,
				   "no %s network of these countries is known, so all %s stays in the set",
				   addr_family_name(family), addr_family_name(family)),
			  "name a database of both families, or one of each: [{geoip: ..., database: ONE}, "
			  "{geoip: ..., database: TWO}]");
	}
}

static bool resolve_difference(struct resolving *resolving,
			       const struct ast_set_expression *expression, struct addr_set *out)
{
	struct addr_set with = { 0 }, without = { 0 }, rest;
	bool good = resolve_all(resolving, expression->items, expression->count, &with);

	resolving->excluding++;
	good &= resolve_all(resolving, expression->without, expression->without_count, &without);
	resolving->excluding--;
	addr_set_normalise(&with);
	addr_set_normalise(&without);
	if (good)
		warn_of_one_family(resolving, expression, &with);
	rest = addr_set_subtract(resolving->arena, &with, &without);
	add_all(resolving->arena, out, &rest);
	return good;
}

static bool resolve(struct resolving *resolving, const struct ast_set_expression *expression,
		    struct addr_set *out)
{
	switch (expression->kind) {
	case SET_LITERAL:
		addr_set_add(resolving->arena, out, expression->range);
		return true;
	case SET_REFERENCE:
		return resolve_name(resolving, expression, out);
	case SET_FILE:
		return listfile_read(resolving->arena, resolving->diag, expression->text,
				     expression->span, out);
	case SET_GEOIP:
		return resolve_geoip(resolving, expression, out);
	case SET_LIST:
		return resolve_all(resolving, expression->items, expression->count, out);
	case SET_DIFFERENCE:
		return resolve_difference(resolving, expression, out);
	}
	return false;
}

/* Do the elements that a dynamic set begins with fit into its size? */
static bool has_room(struct diag *diag, const struct ast_set *set)
{
	for (int family = 0; family < ADDR_FAMILIES; family++) {
		size_t count = set->contents.family[family].count;

		if (!set->size || count <= set->size)
			continue;
		diag_help(diag_add(diag, DIAG_bad_value, set->size_span,
				   "the set \"%s\" begins with %zu %s elements and may have only %u",
				   set->name, count, addr_family_name(family),
				   (unsigned int)set->size),
			  "write a `size` with room for what is added at run time, too");
		return false;
	}
	return true;
}

bool sets_resolve(struct arena *arena, struct diag *diag, struct ast_policy *policy)
{
	struct resolving resolving = { .arena = arena, .diag = diag, .policy = policy };
	bool good = true;

	for (size_t i = 0; i < policy->set_count; i++) {
		good &= resolve_set(&resolving, &policy->sets[i], policy->sets[i].span);
		good &= has_room(diag, &policy->sets[i]);
	}
	return good;
}
