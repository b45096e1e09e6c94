/*
 * read/then: what a rule does with a packet.
 */
#include <string.h>

#include "base/arena.h"
#include "base/suggest.h"
#include "lang/read/read.h"

static const char *const reject_words[] = { "tcp-reset", "port-unreachable", "admin-prohibited",
					    "no-route", NULL };
static const char *const sticky_words[] = { "tcp", "true", "false", NULL };
static const char *const by_words[] = { "connection", "source", "source-destination", NULL };
static const char *const action_words[] = { "direct", "drop", "reject", "answer", "continue" };
static const char forms[] =
	"write one of direct, drop, reject, answer, continue, {proxy: L}, {route: T}, {balance: {T: 3, U: 1}}, {mark: M}";
static const enum ast_action word_actions[] = { THEN_DIRECT, THEN_DROP, THEN_REJECT, THEN_ANSWER,
						THEN_CONTINUE };

/* One name or a list of them; `want`, `help`: where there is none. */
static bool read_names(struct decode *decode, const struct decode_field *field,
		       const struct node *value, struct ast_target **out, size_t *out_count,
		       const char *want, const char *help)
{
	const struct node *items = value->kind == NODE_LIST ? value->items : value;
	size_t count = value->kind == NODE_LIST ? value->count : 1;
	bool good = count > 0;

	if (!count)
		diag_help(diag_add(decode->diag, DIAG_bad_value, value->span, "%s", want), "%s",
			  help);
	for (size_t i = 0; i < count; i++) {
		struct ast_target *one = arena_append(decode->arena, *out, *out_count);

		one->span = items[i].span;
		good &= decode_name(decode, field, &items[i], &one->name);
	}
	return good;
}

static bool read_proxy(struct decode *decode, const struct decode_field *field,
		       const struct node *value, void *target)
{
	struct ast_then *then = target;

	then->action = THEN_PROXY;
	then->name_span = value->span;
	return read_names(decode, field, value, &then->hands, &then->hand_count,
			  "`proxy` needs a listener",
			  "write {proxy: LISTENER}, or several: the first that has a socket is handed it");
}

static bool read_route(struct decode *decode, const struct decode_field *field,
		       const struct node *value, void *target)
{
	struct ast_then *then = target;

	then->action = THEN_ROUTE;
	then->name_span = value->span;
	return read_names(decode, field, value, &then->targets, &then->target_count,
			  "`route` needs a table",
			  "write {route: TABLE}, or several in the order they are tried");
}

/* true, false or `tcp`, the default. */
static bool read_sticky(struct decode *decode, const struct decode_field *field,
			const struct node *value, void *target)
{
	struct ast_then *then = target;
	int choice = 0;

	then->sticky_span = value->span;
	if (!decode_choice(decode, field, value, &choice))
		return false;
	then->sticky = (enum ast_sticky)choice;
	return true;
}

static bool read_then_mark(struct decode *decode, const struct decode_field *field,
			   const struct node *value, void *target)
{
	struct ast_then *then = target;

	then->action = THEN_MARK;
	return read_mark_field(decode, field, value, &then->mark);
}

static bool read_reject(struct decode *decode, const struct decode_field *field,
			const struct node *value, void *target)
{
	struct ast_then *then = target;
	int choice = 0;

	then->action = THEN_REJECT;
	if (!decode_choice(decode, field, value, &choice))
		return false;
	then->reject = (enum ir_reject)(REJECT_TCP_RESET + choice);
	return true;
}

/* A table's or a listener's share; nft gets a verdict map with as many entries as all shares
 * together. */
enum { WEIGHT_MOST = 1000 };

static bool read_balance(struct decode *decode, const struct decode_field *field,
			 const struct node *value, void *target)
{
	struct decode_field share = { .key = field->key, .least = 1, .most = WEIGHT_MOST };
	struct ast_then *then = target;
	bool good = value->kind == NODE_MAP && value->count;

	then->action = THEN_BALANCE;
	then->name_span = value->span;
	if (!good)
		diag_help(diag_add(decode->diag, DIAG_wrong_type, value->span,
				   "`balance` gives each table, or each listener, its share"),
			  "write {balance: {isp1: 3, isp2: 1}}");
	for (size_t i = 0; good && i < value->count; i++) {
		const struct node_entry *entry = &value->entries[i];
		struct ast_target *one =
			arena_append(decode->arena, then->targets, then->target_count);

		*one = (struct ast_target){ .name = entry->key, .span = entry->key_span };
		good &= read_definition_name(decode, entry, "table or listener");
		good &= decode_integer(decode, &share, &entry->value, &one->weight);
	}
	return good;
}

static const struct decode_field then_fields[] = {
	{ .key = "proxy", .read = read_proxy },
	{ .key = "route", .read = read_route },
	{ .key = "mark", .read = read_then_mark },
	{ .key = "reject", .read = read_reject, .choices = reject_words },
	{ .key = "balance", .read = read_balance },
	{ .key = "by",
	  .read = decode_choice,
	  .offset = offsetof(struct ast_then, by),
	  .choices = by_words },
	{ .key = "sticky", .read = read_sticky, .choices = sticky_words },
	{ .key = "connection",
	  .read = decode_bool,
	  .offset = offsetof(struct ast_then, connection) },
};

const struct decode_table read_then_table = { "then", then_fields,
					      sizeof(then_fields) / sizeof(then_fields[0]) };

static const char *with_name(struct decode *decode, const char *key, const char *name)
{
	return arena_printf(decode->arena, "write `then: {%s: %s}`", key, name);
}

/* A table or a listener whose name alone was written, or nearly: what to write, or NULL. */
static const char *named_form(struct decode *decode, const char *name, bool is_exact)
{
	struct ast_policy *policy = decode->user;
	const char **names = NULL, *nearest;
	size_t count = 0;

	for (size_t i = 0; policy && i < policy->table_count; i++)
		*arena_append(decode->arena, names, count) = policy->tables[i].name;
	for (size_t i = 0; policy && i < policy->listener_count; i++)
		*arena_append(decode->arena, names, count) = policy->listeners[i].name;
	nearest = is_exact ? name : suggest_nearest(name, names, count);
	if (!policy || !nearest)
		return NULL;
	if (ast_table_find(policy, nearest))
		return with_name(decode, "route", nearest);
	return ast_listener_find(policy, nearest) ? with_name(decode, "proxy", nearest) : NULL;
}

static const char *action_help(struct decode *decode, const char *word)
{
	const char *help = named_form(decode, word, true);

	if (!help)
		help = suggest_advice("action", word);
	if (help)
		return help;
	help = suggest_nearest(word, action_words, sizeof(action_words) / sizeof(action_words[0]));
	if (help)
		return arena_printf(decode->arena, "did you mean \"%s\"?", help);
	help = named_form(decode, word, false);
	return help ? help : forms;
}

static bool read_word(struct decode *decode, const struct node *value, struct ast_then *then)
{
	size_t count = sizeof(action_words) / sizeof(action_words[0]);
	const struct decode_field *field;
	struct diag_record *record;

	if (!value->length) {
		diag_help(diag_add(decode->diag, DIAG_bad_value, value->span,
				   "the rule does not say what it does"),
			  "%s", forms);
		return false;
	}
	for (size_t i = 0; i < count; i++) {
		then->action = word_actions[i];
		if (!strcmp(value->text, action_words[i]))
			return true;
	}
	field = decode_find(&read_then_table, value->text);
	if (field && field->read) {
		record = diag_add(decode->diag, DIAG_bad_value, value->span,
				  "`%s` needs to know more", field->key);
		diag_help(record, "write `then: {%s: ...}`", field->key);
		return false;
	}
	diag_help(diag_add(decode->diag, DIAG_bad_value, value->span, "no action \"%s\"",
			   node_excerpt(decode->arena, value->text, value->length)),
		  "%s", action_help(decode, value->text));
	return false;
}

static void not_one(struct decode *decode, const struct node *value)
{
	diag_help(diag_add(decode->diag,
			   value->kind == NODE_LIST ? DIAG_wrong_type : DIAG_bad_value, value->span,
			   "a rule does exactly one thing"),
		  "%s", forms);
}

/* {drop: true} */
static bool refuse_word(struct decode *decode, const struct node *value)
{
	for (size_t i = 0; i < sizeof(action_words) / sizeof(action_words[0]); i++) {
		const struct node_entry *entry = node_find(value, action_words[i]);

		if (!entry || decode_find(&read_then_table, action_words[i]))
			continue;
		diag_help(diag_add(decode->diag, DIAG_wrong_type, entry->key_span,
				   "`%s` stands for itself", action_words[i]),
			  "write `then: %s`", action_words[i]);
		return true;
	}
	return false;
}

/* Words that say more of an action. */
static const struct {
	const char *key, *action;
	const char *text, *help;
} additions[] = {
	{ "by", "balance", "says what a balance keeps together",
	  "write {balance: {isp1: 3, isp2: 1}, by: source}" },
	{ "connection", "mark", "says whose mark a mark is, too",
	  "write {mark: M, connection: true}" },
	{ "sticky", "route", "says what stays on the table of a list that took it",
	  "write {route: [isp1, isp2], sticky: false}" },
};

enum { ADDITIONS = sizeof(additions) / sizeof(additions[0]) };

/* Does each go with its action? */
static bool check_additions(struct decode *decode, const struct node *value)
{
	for (size_t i = 0; i < ADDITIONS; i++) {
		const char *key = additions[i].key;

		if (!node_find(value, key) || node_find(value, additions[i].action))
			continue;
		diag_help(diag_add(decode->diag, DIAG_missing_key, read_key_span(value, key),
				   "`%s` %s", key, additions[i].text),
			  "%s, or remove `%s`", additions[i].help, key);
		return false;
	}
	return true;
}

static size_t count_additions(const struct node *value)
{
	size_t count = 0;

	for (size_t i = 0; i < ADDITIONS; i++)
		count += node_find(value, additions[i].key) != NULL;
	return count;
}

struct ast_then *read_then(struct decode *decode, const struct node *value)
{
	struct ast_then *then = arena_new_of(decode->arena, struct ast_then);

	then->span = value->span;
	if (value->kind == NODE_SCALAR)
		return read_word(decode, value, then) ? then : NULL;
	if (value->kind == NODE_LIST) {
		not_one(decode, value);
		return NULL;
	}
	if (refuse_word(decode, value) || !decode_map(decode, &read_then_table, value, then))
		return NULL;
	if (!check_additions(decode, value))
		return NULL;
	if (value->count != 1 + count_additions(value)) {
		not_one(decode, value);
		return NULL;
	}
	return then;
}

bool read_then_field(struct decode *decode, const struct decode_field *field,
		     const struct node *value, void *target)
{
	(void)field;
	*(struct ast_then **)target = read_then(decode, value);
	return *(struct ast_then **)target != NULL;
}
