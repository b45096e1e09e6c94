/*
 * table: the kinds of match.def, and what is asked of all of them: reading a condition with its
 * {not: ...} and lists, the numbers of a packet, and which element a packet lies in.
 */
#include <string.h>
#include <strings.h>

#include "base/arena.h"
#include "base/buf.h"
#include "match/kinds.h"

const struct match_key match_keys[] = {
#define MATCH(key, kind, selector) { #key, &match_##kind, selector, false },
#include "match/match.def"
};

const size_t match_key_count = sizeof(match_keys) / sizeof(match_keys[0]);

const struct match_key match_number_keys[MATCH_NUMBERS] = {
#define MATCH_NUMBER(key, kind, selector) { #key, &match_##kind, selector, false },
#include "match/match.def"
};

size_t match_number_find(const char *key)
{
	size_t i = 0;

	while (i < MATCH_NUMBERS && strcmp(match_number_keys[i].key, key))
		i++;
	return i;
}

const struct match_number *match_number(size_t nth)
{
	return &match_number_keys[nth].kind->numbers[match_number_keys[nth].selector];
}

uint64_t match_number_get(size_t nth, const struct ir_packet *packet)
{
	const struct match_number *number = match_number(nth);
	const char *field = (const char *)packet + number->offset;
	uint64_t wide = 0;
	uint32_t narrow = 0;

	if (number->size == sizeof(wide)) {
		memcpy(&wide, field, sizeof(wide));
		return wide;
	}
	memcpy(&narrow, field, sizeof(narrow));
	return narrow;
}

void match_number_set(size_t nth, struct ir_packet *packet, uint64_t value)
{
	const struct match_number *number = match_number(nth);
	char *field = (char *)packet + number->offset;
	uint32_t narrow = (uint32_t)value;

	if (number->size == sizeof(value))
		memcpy(field, &value, sizeof(value));
	else
		memcpy(field, &narrow, sizeof(narrow));
}

static bool refuse_shape(struct decode *decode, const struct node *value, const char *text,
			 const char *help)
{
	diag_help(diag_add(decode->diag, DIAG_bad_value, value->span, "%s", text), "%s", help);
	return false;
}

/* "a,b", "a, b": as a list. */
static const char *as_list(struct decode *decode, const char *text, const char *separators)
{
	const char *list = "";

	while (*text) {
		size_t length = strcspn(text, separators);

		if (length)
			list = arena_printf(decode->arena, "%s%s%.*s", list, *list ? ", " : "",
					    (int)length, text);
		text += length + (text[length] != '\0');
	}
	return arena_printf(decode->arena, "write a list: [%s]", list);
}

/* What follows "!" or "not ", or NULL. */
static const char *after_not(const char *text)
{
	if (*text == '!')
		text++;
	else if (!strncasecmp(text, "not ", strlen("not ")))
		text += strlen("not ");
	else
		return NULL;
	text += strspn(text, "= ");
	return *text ? text : NULL;
}

/* What parts several values in one text. Elsewhere a slash or a space has a meaning of its own. */
static const char *parting(const struct match_kind *kind, const char *text)
{
	if (kind == &match_protocol || kind == &match_state || kind == &match_app)
		return strpbrk(text, ",/ ") ? ",/ " : NULL;
	return strchr(text, ',') ? ", " : NULL;
}

/* Other programs' forms of what is written otherwise here: not, several, and all. */
static bool has_shape(struct decode *decode, const struct node *value,
		      const struct match_condition *condition)
{
	const struct match_kind *kind = condition->kind;
	const char *rest;

	if (value->kind != NODE_SCALAR || kind == &match_payload || kind == &match_cgroup ||
	    kind == &match_time)
		return true;
	rest = after_not(value->text);
	if (rest)
		return refuse_shape(decode, value,
				    arena_printf(decode->arena, "`%s` has its own word for not",
						 condition->key),
				    arena_printf(decode->arena, "write `%s: {not: %s}`",
						 condition->key,
						 node_excerpt(decode->arena, rest, strlen(rest))));
	if (parting(kind, value->text))
		return refuse_shape(decode, value,
				    arena_printf(decode->arena, "this is not %s, but several",
						 kind->noun),
				    as_list(decode,
					    node_excerpt(decode->arena, value->text, value->length),
					    parting(kind, value->text)));
	if (kind != &match_address && kind != &match_identity &&
	    (!strcmp(value->text, "all") || !strcmp(value->text, "*") ||
	     (!strcmp(value->text, "any") && !kind->names_interfaces)))
		return refuse_shape(decode, value,
				    arena_printf(decode->arena, "\"%s\" is no condition",
						 value->text),
				    arena_printf(decode->arena,
						 "leave `%s` out: a rule without it is about every %s",
						 condition->key, strchr(kind->noun, ' ') + 1));
	return true;
}

static bool read_one(struct decode *decode, const struct node *value,
		     struct match_condition *condition)
{
	return has_shape(decode, value, condition) &&
	       condition->kind->read(decode, value, condition);
}

static bool read_values(struct decode *decode, const struct node *value,
			struct match_condition *condition)
{
	bool good = true;

	if (value->kind != NODE_LIST)
		return read_one(decode, value, condition);
	if (!value->count) {
		struct diag_record *record = diag_add(decode->diag, DIAG_bad_value, value->span,
						      "`%s` is an empty list", condition->key);

		diag_help(record,
			  "an empty list matches nothing; leave `%s` out to match everything",
			  condition->key);
		return false;
	}
	for (size_t i = 0; i < value->count; i++)
		good &= read_one(decode, &value->items[i], condition);
	return good;
}

/* The value inside {not: value}, or NULL after an error. */
static const struct node *negated_value(struct decode *decode, const struct node *value,
					const struct match_key *key)
{
	struct diag_record *record;

	if (value->count == 1 && !strcmp(value->entries[0].key, "not") &&
	    (value->entries[0].value.kind != NODE_MAP || key->kind->takes_mappings))
		return &value->entries[0].value;
	record = diag_add(decode->diag, DIAG_wrong_type, value->span,
			  "`%s` takes a value, a list of values, or {not: ...}", key->key);
	diag_help(record, "write `%s: {not: VALUE}` for everything but VALUE", key->key);
	return NULL;
}

struct match_condition *match_read(struct decode *decode, const struct match_key *key,
				   const struct node *value)
{
	struct match_condition *condition = arena_new_of(decode->arena, struct match_condition);

	*condition =
		(struct match_condition){ .kind = key->kind,
					  .key = key->key,
					  .span = value->span,
					  .selector = key->selector,
					  .may_be_group = key->kind->names_interfaces,
					  .may_be_list = key->kind->lists && !key->is_packets };
	if (value->kind == NODE_MAP && (node_find(value, "not") || !key->kind->takes_mappings)) {
		value = negated_value(decode, value, key);
		condition->negated = true;
	}
	if (!value || !read_values(decode, value, condition))
		return NULL;
	interval_normalise(&condition->values);
	addr_set_normalise(&condition->addresses);
	addr_set_normalise(&condition->meant);
	return condition;
}

const char *match_blamed_key(const struct ir_match *match, const struct ir_packet *packet)
{
	return port_lacks_protocol(match, packet) ? "proto" : match->key;
}

bool match_put_element(const struct ir_match *match, const struct ir_packet *packet,
		       struct buf *out)
{
	return address_put_element(match, packet, out) || port_put_element(match, packet, out);
}
