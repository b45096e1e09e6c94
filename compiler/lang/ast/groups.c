/*
 * groups: see groups.h. Groups nest as sets do. A group's own name among its members is an
 * interface of that name.
 */
#include "lang/ast/groups.h"

#include <string.h>

#include "base/arena.h"
#include "base/diag.h"
#include "base/names.h"
#include "base/suggest.h"
#include "match/kinds.h"

static bool unknown(struct arena *arena, struct diag *diag, const struct ast_policy *policy,
		    const char *name, struct span span)
{
	const char **candidates = NULL, *nearest;
	struct diag_record *record;
	size_t count = 0;

	for (size_t i = 0; i < policy->group_count; i++)
		*arena_append(arena, candidates, count) = policy->groups[i].name;
	nearest = suggest_nearest(name, candidates, count);
	record = diag_add(diag, DIAG_unknown_name, span,
			  "\"%s\" is neither an interface nor a group of interfaces", name);
	if (nearest)
		diag_help(record, "did you mean \"%s\"?", nearest);
	else
		diag_help(record,
			  "an interface has a name of up to %d characters; a group is defined under `interfaces`",
			  INTERFACE_LENGTH);
	return false;
}

bool groups_expand(struct arena *arena, struct diag *diag, const struct ast_policy *policy,
		   const char *name, struct span span, const char ***names, size_t *count)
{
	const struct ast_group *group = ast_group_find(policy, name);

	for (size_t i = 0; group && i < group->member_count; i++)
		names_add(arena, names, count, group->members[i]);
	if (group)
		return true;
	if (strlen(name) > INTERFACE_LENGTH)
		return unknown(arena, diag, policy, name, span);
	names_add(arena, names, count, name);
	return true;
}

static bool resolve(struct arena *arena, struct diag *diag, struct ast_policy *policy,
		    struct ast_group *group, struct span wanted_by)
{
	const char **names = NULL;
	size_t count = 0;
	bool good = true;

	if (group->progress == PROGRESS_BUSY) {
		struct diag_record *record = diag_add(diag, DIAG_group_cycle, wanted_by,
						      "the group \"%s\" contains itself",
						      group->name);

		diag_also(record, group->span, "defined here");
		diag_help(record, "remove one of the names of the cycle");
		return false;
	}
	if (group->progress == PROGRESS_DONE)
		return true;
	group->progress = PROGRESS_BUSY;
	for (size_t i = 0; i < group->member_count; i++) {
		const char *member = group->members[i];
		struct span span = group->member_spans[i];
		struct ast_group *inner = (struct ast_group *)ast_group_find(policy, member);

		if (inner == group)
			names_add(arena, &names, &count, member);
		else if (!inner || resolve(arena, diag, policy, inner, span))
			good &= groups_expand(arena, diag, policy, member, span, &names, &count);
		else
			good = false;
	}
	group->members = names;
	group->member_count = count;
	group->progress = PROGRESS_DONE;
	return good;
}

bool groups_resolve(struct arena *arena, struct diag *diag, struct ast_policy *policy)
{
	bool good = true;

	for (size_t i = 0; i < policy->group_count; i++)
		good &= resolve(arena, diag, policy, &policy->groups[i], policy->groups[i].span);
	return good;
}
