/*
 * lists: what is in a named list: values, files and other lists, computed once for each list; and
 * what rules mean that name one.
 */
#include "lang/ast/lists.h"

#include <string.h>

#include "base/arena.h"
#include "base/diag.h"
#include "match/kinds.h"
#include "yaml/decode.h"

struct resolving {
	struct arena *arena;
	struct diag *diag;
	struct ast_policy *policy;
};

static void add_all(struct arena *arena, struct interval_set *into, const struct interval_set *from)
{
	for (size_t i = 0; i < from->count; i++)
		interval_add(arena, into, from->items[i].first, from->items[i].last);
}

/* ---- names ---- */

/* "list of ports" */
static const char *list_of(struct resolving *resolving, const struct match_kind *kind)
{
	return arena_printf(resolving->arena, "list of %s", kind->lists);
}

/* In a policy without such lists the word is what it is elsewhere: no value. */
static bool refuse_value(struct decode *decode, const struct match_kind *kind,
			 const struct match_reference *reference)
{
	struct match_condition alone = { .kind = kind };
	const struct node node = { .kind = NODE_SCALAR,
				   .span = reference->span,
				   .text = reference->name,
				   .length = strlen(reference->name) };

	return kind->read(decode, &node, &alone);
}

static bool unknown(struct resolving *resolving, const struct match_kind *kind,
		    const struct match_reference *reference)
{
	struct decode decode = { .arena = resolving->arena, .diag = resolving->diag };
	const char **candidates = NULL;
	size_t count = 0, service_count = 0;
	const char *const *services =
		kind == &match_port ? port_services(resolving->arena, &service_count) : NULL;
	struct diag_record *record;

	for (size_t i = 0; i < resolving->policy->list_count; i++)
		if (resolving->policy->lists[i].kind == kind)
			*arena_append(resolving->arena, candidates, count) =
				resolving->policy->lists[i].name;
	if (!count)
		return refuse_value(&decode, kind, reference);
	for (size_t i = 0; i < service_count; i++)
		*arena_append(resolving->arena, candidates, count) = services[i];
	record = decode_unknown(&decode, DIAG_unknown_name, reference->span,
				services ? "service and no list of ports" : "list of macs",
				reference->name, candidates, count);
	if (services)
		diag_help(record,
			  "any port can be written as its number; a list of them stands under `ports`");
	return false;
}

/* A word that a rule could mean as well, or a name that is another thing's. */
static bool is_free(struct resolving *resolving, const struct ast_list *list)
{
	const struct ast_group *group = ast_group_find(resolving->policy, list->name);
	struct node node = { .kind = NODE_SCALAR, .text = list->name };
	struct diag_record *record;
	struct interval value;
	bool is_value;

	node.length = strlen(list->name);
	is_value = !list->kind->parse(&node, &value);
	if (!decode_is_name(list->name)) /* that has been said */
		return false;
	if (!group && !is_value && strcmp(list->name, "any") && strcmp(list->name, "all"))
		return true;
	record = diag_add(resolving->diag, DIAG_reserved_name, list->span,
			  group       ? "\"%s\" is the name of a group of interfaces"
			  : !is_value ? "\"%s\" is a word of its own"
			  : list->kind == &match_port ? "\"%s\" is the name of a service"
						      : "\"%s\" is an address",
			  list->name);
	if (group)
		diag_also(record, group->span, "defined here");
	diag_help(record, "give the %s another name", list_of(resolving, list->kind));
	return false;
}

/* ---- contents ---- */

static bool resolve(struct resolving *resolving, struct ast_list *list, struct span wanted_by);

static bool add_named(struct resolving *resolving, const struct match_kind *kind,
		      const struct match_reference *reference, struct interval_set *out)
{
	struct ast_list *list = ast_list_find(resolving->policy, kind, reference->name);

	if (!list)
		return unknown(resolving, kind, reference);
	list->used = true;
	if (!resolve(resolving, list, reference->span))
		return false;
	add_all(resolving->arena, out, &list->values);
	return true;
}

static bool fill(struct resolving *resolving, struct ast_list *list)
{
	bool good = true;

	add_all(resolving->arena, &list->values, &list->written.values);
	for (size_t i = 0; i < list->file_count; i++)
		good &= list_words_read(resolving->arena, resolving->diag, list->kind,
					list->files[i].name, list->files[i].span, &list->values);
	for (size_t i = 0; i < list->written.reference_count; i++)
		good &= add_named(resolving, list->kind, &list->written.references[i],
				  &list->values);
	interval_normalise(&list->values);
	return good;
}

static bool resolve(struct resolving *resolving, struct ast_list *list, struct span wanted_by)
{
	struct diag_record *record;
	bool good;

	if (list->progress == PROGRESS_BUSY) {
		record = diag_add(resolving->diag, DIAG_set_cycle, wanted_by,
				  "the %s \"%s\" contains itself", list_of(resolving, list->kind),
				  list->name);
		diag_also(record, list->span, "defined here");
		diag_help(record, "remove one of the names of the cycle");
		return false;
	}
	if (list->progress == PROGRESS_DONE)
		return true;
	list->progress = PROGRESS_BUSY;
	good = fill(resolving, list);
	list->progress = PROGRESS_DONE;
	return good;
}

/* ---- who names them ---- */

static bool resolve_condition(struct resolving *resolving, struct match_condition *condition)
{
	bool good = true;

	if (!condition->kind->lists || !condition->reference_count)
		return true;
	for (size_t i = 0; i < condition->reference_count; i++)
		good &= add_named(resolving, condition->kind, &condition->references[i],
				  &condition->values);
	interval_normalise(&condition->values);
	return good;
}

/* An identity has one value: a list of ports becomes an identity for each of its entries. */
static bool resolve_identities(struct resolving *resolving, struct ast_identity *runs_as)
{
	const struct ast_identity old = *runs_as;
	bool good = true;

	runs_as->items = NULL;
	runs_as->count = 0;
	for (size_t i = 0; i < old.count; i++) {
		struct match_condition *written = old.items[i];
		bool is_list = written->kind->lists && written->reference_count;

		good &= resolve_condition(resolving, written);
		for (size_t k = 0; k < (is_list ? written->values.count : 1); k++) {
			struct match_condition *one =
				arena_new_of(resolving->arena, struct match_condition);

			*one = *written;
			if (is_list)
				one->values = (struct interval_set){ &written->values.items[k], 1 };
			*arena_append(resolving->arena, runs_as->items, runs_as->count) = one;
		}
	}
	return good;
}

bool lists_resolve(struct arena *arena, struct diag *diag, struct ast_policy *policy)
{
	struct resolving resolving = { arena, diag, policy };
	bool good = true;

	for (size_t i = 0; i < policy->list_count; i++) {
		good &= is_free(&resolving, &policy->lists[i]);
		good &= resolve(&resolving, &policy->lists[i], policy->lists[i].span);
	}
	for (size_t i = 0; i < policy->rule_count; i++)
		for (size_t k = 0; k < policy->rules[i].condition_count; k++)
			good &= resolve_condition(&resolving, policy->rules[i].conditions[k]);
	for (size_t i = 0; i < policy->listener_count; i++)
		good &= resolve_identities(&resolving, &policy->listeners[i].runs_as);
	return good;
}

void lists_check_use(struct diag *diag, const struct ast_policy *policy)
{
	for (size_t i = 0; i < policy->list_count; i++) {
		const struct ast_list *list = &policy->lists[i];

		if (!list->used)
			diag_add(diag, DIAG_unused, list->span,
				 "no rule uses the list of %s \"%s\"", list->kind->lists,
				 list->name);
		else if (!list->values.count)
			diag_help(diag_add(diag, DIAG_empty_set, list->span,
					   "the list of %s \"%s\" has no entry", list->kind->lists,
					   list->name),
				  "fill it, or take its name out of the policy");
	}
}
