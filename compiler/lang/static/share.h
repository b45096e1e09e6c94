/*
 * static/share: what the slices of a policy have in common: the interfaces that its rules can tell
 * from one another, and the terms, conditions that are no dimensions of a space.
 */
#ifndef TPC_LANG_STATIC_SHARE_H
#define TPC_LANG_STATIC_SHARE_H

#include "lang/static/slice.h"

struct static_shared {
	struct arena *arena;
	struct ast_policy *policy;
	const char **names; /* of interfaces, one for each kind that rules can distinguish */
	size_t name_count;
	const struct match_condition **terms; /* distinct ones */
	size_t term_count;
	uint32_t mark_mask; /* marks under other masks are terms */
	bool has_own;       /* some listener's own traffic is known from the rest */
};

/* Does an interface of this kind (of shared->names) fit the name or pattern of a rule? */
bool static_fits(const char *pattern, const char *name);
/* May one interface fit both? */
bool static_names_meet(const struct match_condition *a, const struct match_condition *b);
bool static_same_numbers(const struct interval_set *a, const struct interval_set *b);
/* The number of the term; conditions that were written the same have the same. */
size_t static_term(struct static_shared *shared, const struct match_condition *condition);

#endif
