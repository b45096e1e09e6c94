/*
 * lower/name: what generated files call a rule of the author's.
 *
 * In go the checked rules and their words (lower/words.c), out come each rule's title, for
 * comments, and its id, for counters, chains and sets. Both come from the rule's own words and
 * never from its place, so that an edit elsewhere in the policy renames nothing of this rule's.
 */
#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include "base/arena.h"
#include "base/hash.h"
#include "base/utf8.h"
#include "lang/lower/lower.h"

enum {
	TITLE = 100, /* bytes of a title that is the rule's words */
	/*
	 * Sets are named after the id, and the comment that names one twice (emit/about.h) has room
	 * for 43 bytes each: "rule_", 29 bytes, and ".from_v4".
	 */
	ID_WORDS = 29,
	ID_BEGIN = 20, /* the same followed by ".01234567" */
};

/* ---- which words ---- */

static uint32_t hash_node(uint32_t hash, const struct node *node)
{
	static const char *const kinds[] = { "\1", "\2", "\3" };

	hash = hash_text(hash, kinds[node->kind]);
	if (node->kind == NODE_SCALAR)
		return hash_text(hash, node->text);
	for (size_t i = 0; i < node->count; i++) {
		if (node->kind == NODE_MAP)
			hash = hash_text(hash, node->entries[i].key);
		hash = hash_node(hash, node->kind == NODE_MAP ? &node->entries[i].value
							      : &node->items[i]);
	}
	return hash;
}

static uint32_t hash_rule(const struct ast_rule *rule, const char *then)
{
	static const char *const scopes[] = { "", "/forward", "/local", "/both" };
	uint32_t hash = hash_text(HASH_TEXT, scopes[rule->scope]);

	for (size_t i = 0; i < rule->condition_count; i++) {
		hash = hash_text(hash, rule->conditions[i]->key);
		hash = hash_node(hash, rule->written[i]);
	}
	return hash_text(hash, then);
}

const char *lower_time_name(struct lower *lower, const struct ast_rule *rule)
{
	for (size_t i = 0; i < rule->condition_count; i++)
		if (!strcmp(rule->conditions[i]->key, "time"))
			return arena_printf(lower->arena, "time.%08x",
					    hash_node(HASH_TEXT, rule->written[i]));
	return "time";
}

/* ---- title ---- */

static const char *cut(struct lower *lower, const char *text)
{
	size_t length = strlen(text);

	if (length <= TITLE)
		return text;
	for (length = TITLE; length && !utf8_begins(text[length]);)
		length--;
	return arena_printf(lower->arena, "%.*s...", (int)length, text);
}

static const char *title_of(struct lower *lower, const struct ir_authored *words)
{
	if (words->name)
		return words->name;
	return cut(lower, arena_printf(lower->arena, "%s%sthen %s", words->text,
				       *words->text ? ", " : "", words->then_text));
}

/* ---- id ---- */

/* The words with '_' for whatever cannot stand in a name of nft's; *is_whole: nothing else was
 * lost than spaces. */
static char *slug_of(struct lower *lower, const char *words, bool *is_whole)
{
	char *slug = arena_alloc(lower->arena, strlen(words) + 1), *end = slug;

	*is_whole = true;
	for (; *words; words++) {
		bool is_plain = isalnum((unsigned char)*words) || *words == '-' || *words == '_';

		*is_whole &= is_plain || *words == ' ';
		if (is_plain)
			*end++ = *words;
		else if (end > slug && end[-1] != '_')
			*end++ = '_';
	}
	*end = '\0';
	return slug;
}

static const char *with_hash(struct lower *lower, const char *slug, uint32_t hash)
{
	int length = (int)strcspn(slug, ".");

	length = length > ID_BEGIN ? ID_BEGIN : length;
	while (length && slug[length - 1] == '_')
		length--;
	return arena_printf(lower->arena, "rule_%.*s.%08x", length, slug, hash);
}

static const char *id_of(struct lower *lower, const struct ast_rule *rule,
			 const struct ir_authored *words)
{
	bool is_whole;
	const char *slug = slug_of(lower, rule->title, &is_whole);

	if (!words->name)
		return with_hash(lower, slug, hash_rule(rule, words->then_text));
	if (!is_whole || strlen(slug) > ID_WORDS)
		return with_hash(lower, slug, hash_text(HASH_TEXT, words->name));
	return arena_printf(lower->arena, "rule_%s", slug);
}

/* ---- each once ---- */

static int compare(const void *a, const void *b)
{
	const struct ast_rule *left = *(struct ast_rule *const *)a;
	const struct ast_rule *right = *(struct ast_rule *const *)b;
	int order = strcmp(left->id, right->id);

	return order ? order : (left->number > right->number) - (left->number < right->number);
}

static bool are_same(struct ast_rule *const *rules, size_t i, size_t count)
{
	return i + 1 < count && !strcmp(rules[i]->id, rules[i + 1]->id);
}

/* Rules of one name differ by their words, and those of the same words by their order. */
static bool part(struct lower *lower, struct ast_rule **rules, size_t count, unsigned int round)
{
	bool changed = false;

	qsort(rules, count, sizeof(struct ast_rule *), compare);
	for (size_t i = 0; i < count; i++) {
		size_t first = i;
		const char *id = rules[i]->id;

		while (are_same(rules, i, count))
			i++;
		for (size_t k = first + (round ? 1 : 0); first < i && k <= i; k++) {
			const struct ir_authored *words =
				&lower->ir->authored[rules[k] - lower->policy->rules];
			uint32_t hash = hash_rule(rules[k], words->then_text);

			if (round)
				hash = hash_text(hash, arena_printf(lower->arena, "/%u/%zu", round,
								    k - first));
			rules[k]->id = with_hash(lower, id + strlen("rule_"), hash);
			changed = true;
		}
	}
	return changed;
}

void lower_names(struct lower *lower)
{
	struct ast_policy *policy = lower->policy;
	struct ast_rule **rules =
		arena_alloc(lower->arena, (policy->rule_count + 1) * sizeof(*rules));
	unsigned int round = 0;

	for (size_t i = 0; i < policy->rule_count; i++) {
		rules[i] = &policy->rules[i];
		rules[i]->title = title_of(lower, &lower->ir->authored[i]);
		rules[i]->id = id_of(lower, rules[i], &lower->ir->authored[i]);
	}
	while (part(lower, rules, policy->rule_count, round))
		round++;
}
