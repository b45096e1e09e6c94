/*
 * read/rules: `rules`: conditions, what to do, and side effects.
 */
#include <string.h>
#include <strings.h>

#include "base/arena.h"
#include "lang/read/read.h"
#include "match/kinds.h"

static const char *const scope_words[] = { "forward", "local", "both", NULL };

/* A rule's log prefix: nft's NF_LOG_PREFIXLEN is 128 with its NUL; its text goes into kernel
 * messages. */
enum { LOG_LENGTH = 64, NAME_LENGTH = 128 };

static bool read_condition(struct decode *decode, const struct decode_field *field,
			   const struct node *value, void *target)
{
	struct ast_rule *rule = target;
	struct match_condition *condition = match_read(decode, field->more, value);

	if (!condition)
		return false;
	*arena_append(decode->arena, rule->conditions, rule->condition_count) = condition;
	*arena_append(decode->arena, rule->written, rule->written_count) = value;
	return true;
}

static bool read_scope(struct decode *decode, const struct decode_field *field,
		       const struct node *value, void *target)
{
	struct ast_rule *rule = target;
	int choice = 0;

	if (!decode_choice(decode, field, value, &choice))
		return false;
	rule->scope = choice + 1;
	return true;
}

/* Text for a comment: one line, in any script. */
static bool read_title(struct decode *decode, const struct decode_field *field,
		       const struct node *value, void *target)
{
	if (!decode_text(decode, field, value, target))
		return false;
	if (value->length <= (size_t)field->most)
		return true;
	diag_add(decode->diag, DIAG_bad_value, value->span, "`%s` is longer than %d bytes",
		 field->key, (int)field->most);
	return false;
}

/* Text that ends up in nft between quotes: printable ASCII without quote and backslash. */
static bool read_printable(struct decode *decode, const struct decode_field *field,
			   const struct node *value, void *target)
{
	if (!decode_text(decode, field, value, target))
		return false;
	for (const char *c = value->text; *c; c++) {
		if (*c >= ' ' && *c < 0x7f && *c != '"' && *c != '\\' && *c != '$')
			continue;
		diag_help(diag_add(decode->diag, DIAG_bad_value, value->span,
				   "`%s` holds a character that it cannot", field->key),
			  "use printable ASCII without quotes, backslashes and dollar signs");
		return false;
	}
	if (value->length <= (size_t)field->most)
		return true;
	diag_add(decode->diag, DIAG_bad_value, value->span, "`%s` is longer than %d characters",
		 field->key, (int)field->most);
	return false;
}

/* nft keeps the rate in 64 bits of packets a second; more than this is a mistake. */
enum { RATE_MOST = 1000000000 };

/* "10", "10/s", "10/sec", "10 / minute": what to write instead, or NULL. */
static const char *as_rate(struct decode *decode, const struct node *value)
{
	static const char *const units[] = { "second", "minute", "hour", "day" };
	const char *text = value->kind == NODE_SCALAR ? value->text : "";
	int digits = (int)strspn(text, "0123456789");
	const char *unit = text + digits + strspn(text + digits, " /");

	if (!digits || digits > 9 || text[0] == '0')
		return NULL;
	if (!*unit)
		return arena_printf(decode->arena, "write %.*s/second, /minute, /hour or /day",
				    digits, text);
	for (size_t i = 0; i < sizeof(units) / sizeof(units[0]); i++)
		if (!strncasecmp(units[i], unit, strspn(unit, "smhd") == strlen(unit) ? 1 : 3))
			return arena_printf(decode->arena, "write %.*s/%s", digits, text, units[i]);
	return NULL;
}

/* "10/second" */
static bool read_limit(struct decode *decode, const struct decode_field *field,
		       const struct node *value, void *target)
{
	static const char *const units[] = { "second", "minute", "hour", "day" };
	struct ast_limit *limit = target;
	const char *slash = value->kind == NODE_SCALAR ? strchr(value->text, '/') : NULL;
	int64_t rate;

	(void)field;
	for (size_t i = 0; slash && i < sizeof(units) / sizeof(units[0]); i++) {
		struct node number = { .kind = NODE_SCALAR };

		number.length = (size_t)(slash - value->text);
		number.text = arena_printf(decode->arena, "%.*s", (int)number.length, value->text);
		if (strcmp(slash + 1, units[i]) || !node_parse_integer(&number, &rate) ||
		    rate < 1 || rate > RATE_MOST)
			continue;
		*limit = (struct ast_limit){ (uint32_t)rate, units[i] };
		return true;
	}
	if (as_rate(decode, value)) {
		diag_help(diag_add(decode->diag, DIAG_bad_value, value->span, "this is no rate"),
			  "%s", as_rate(decode, value));
		return false;
	}
	diag_help(diag_add(decode->diag, DIAG_bad_value, value->span, "this is no rate"),
		  "write a number of packets, at most %d, and a unit, such as 10/second; the units are second, minute, hour and day",
		  RATE_MOST);
	return false;
}

static const struct decode_field rule_fields[] = {
	{ .key = "scope", .read = read_scope, .choices = scope_words },
#define MATCH(key_, kind, selector_) \
	{ .key = #key_,              \
	  .read = read_condition,    \
	  .more = &(const struct match_key){ #key_, &match_##kind, selector_, false } },
#include "match/match.def"
	{ .key = "then",
	  .read = read_then_field,
	  .offset = offsetof(struct ast_rule, then),
	  .required = true },
	{ .key = "log",
	  .read = read_printable,
	  .offset = offsetof(struct ast_rule, log),
	  .most = LOG_LENGTH },
	{ .key = "limit", .read = read_limit, .offset = offsetof(struct ast_rule, limit) },
	{ .key = "count", .read = decode_bool, .offset = offsetof(struct ast_rule, count) },
	{ .key = "name",
	  .read = read_title,
	  .offset = offsetof(struct ast_rule, name),
	  .most = NAME_LENGTH },
};

const struct decode_table read_rule_table = { "rule", rule_fields,
					      sizeof(rule_fields) / sizeof(rule_fields[0]) };

bool read_rules(struct decode *decode, const struct node *node, struct ast_policy *policy)
{
	bool good = true;

	if (node->kind != NODE_LIST)
		return diag_refuse(decode->diag, DIAG_wrong_type, node->span, "`rules` is a list",
				   "begin each rule with a dash: - {to: SET, then: {proxy: NAME}}");
	for (size_t i = 0; i < node->count; i++) {
		struct ast_rule *rule =
			arena_append(decode->arena, policy->rules, policy->rule_count);

		rule->span = node->items[i].span;
		rule->number = i + 1;
		rule->broken = !decode_map(decode, &read_rule_table, &node->items[i], rule);
		good &= !rule->broken;
		rule->scope_span = node->items[i].kind == NODE_MAP
					   ? read_key_span(&node->items[i], "scope")
					   : (struct span){ 0 };
	}
	return good;
}
