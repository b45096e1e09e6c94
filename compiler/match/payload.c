/*
 * payload: text that a packet carries after its TCP or UDP header, at the beginning
 * ({starts_with: TEXT}) or anywhere in the first bytes ({contains: TEXT, within: BYTES}).
 *
 * The text is what YAML can hold: UTF-8, with tabs and line ends by their escapes, no other control
 * characters. nft looks at one place at a time, so text that may stand anywhere is an alternative
 * for each place.
 */
#include <string.h>

#include "base/arena.h"
#include "match/kinds.h"

enum { TEXT_MOST = 64, WITHIN_DEFAULT = 256, WITHIN_MOST = 1000 };

struct parts {
	const struct node *starts_with, *contains;
	int64_t within;
	bool ignore_case;
};

static const struct decode_field fields[] = {
	{ .key = "starts_with", .read = decode_node, .offset = offsetof(struct parts, starts_with) },
	{ .key = "contains", .read = decode_node, .offset = offsetof(struct parts, contains) },
	{ .key = "within",
	  .read = decode_integer,
	  .offset = offsetof(struct parts, within),
	  .least = 1,
	  .most = WITHIN_MOST },
	{ .key = "ignore_case", .read = decode_bool, .offset = offsetof(struct parts, ignore_case) },
};

const struct decode_table payload_table = { "payload", fields, sizeof(fields) / sizeof(fields[0]) };

static bool refuse(struct decode *decode, struct span span, const char *text, const char *help)
{
	diag_help(diag_add(decode->diag, DIAG_bad_value, span, "%s", text), "%s", help);
	return false;
}

static bool is_text(struct decode *decode, const struct node *value)
{
	if (value->kind != NODE_SCALAR) {
		diag_help(diag_add(decode->diag, DIAG_wrong_type, value->span,
				   "this takes text, not %s", node_describe(value)),
			  "for one of several texts, make `payload` a list");
		return false;
	}
	if (!value->length)
		return refuse(decode, value->span, "every packet holds the empty text",
			      "write what to look for");
	if (value->length > TEXT_MOST)
		return refuse(decode, value->span, "this is longer than 64 bytes",
			      "a shorter part of it finds the same packets");
	return true;
}

static bool fits_together(struct decode *decode, const struct node *value,
			  const struct parts *parts)
{
	const struct node *within = node_find(value, "within") ? &node_find(value, "within")->value
							       : NULL;

	if (!parts->starts_with == !parts->contains)
		return refuse(decode, value->span,
			      parts->contains ? "`starts_with` and `contains` at once"
					      : "this says no text to look for",
			      "write {starts_with: TEXT} or {contains: TEXT, within: BYTES}");
	if (within && parts->starts_with)
		return refuse(decode, within->span, "`within` is for `contains`",
			      "remove it: `starts_with` compares from the first byte");
	if (within && parts->within < (int64_t)parts->contains->length)
		return refuse(decode, within->span, "the text is longer than `within`",
			      "write a larger `within`; it counts the bytes after the TCP or UDP header");
	return true;
}

/* Letters of other scripts are left as they are written. */
static bool is_letter(char c)
{
	return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z');
}

static void add_needle(struct decode *decode, const struct node *text, const struct parts *parts,
		       struct match_condition *condition)
{
	unsigned char *value = arena_alloc(decode->arena, text->length);
	unsigned char *mask = arena_alloc(decode->arena, text->length);
	unsigned int length = (unsigned int)text->length;
	unsigned int within = parts->starts_with ? length : (unsigned int)parts->within;

	for (unsigned int i = 0; i < length; i++) {
		mask[i] = parts->ignore_case && is_letter(text->text[i]) ? 0xdf : 0xff;
		value[i] = (unsigned char)text->text[i] & mask[i];
	}
	*arena_append(decode->arena, condition->needles, condition->needle_count) =
		(struct match_needle){ { 0, length, value, mask }, within - length };
}

static bool read_payload(struct decode *decode, const struct node *value,
			 struct match_condition *condition)
{
	struct parts parts = { .within = WITHIN_DEFAULT };
	const struct node *text;

	if (value->kind != NODE_MAP)
		return diag_refuse(decode->diag, DIAG_wrong_type, value->span,
				   "`payload` needs `starts_with` or `contains`",
				   "write {starts_with: TEXT} or {contains: TEXT, within: BYTES}");
	if (!decode_map(decode, &payload_table, value, &parts))
		return false;
	text = parts.starts_with ? parts.starts_with : parts.contains;
	if ((text && !is_text(decode, text)) || !fits_together(decode, value, &parts))
		return false;
	add_needle(decode, text, &parts, condition);
	return true;
}

static void lower_payload(const struct match_condition *condition, struct match_context *context,
			  struct match_alternatives *out)
{
	if (context->tracked)
		return;
	out->none_of = condition->negated;
	for (size_t i = 0; i < condition->needle_count; i++) {
		struct ir_bytes bytes = condition->needles[i].bytes;

		for (; bytes.offset <= condition->needles[i].last; bytes.offset++)
			bytes_append(context, match_alternative(context, out), &bytes);
	}
}

static const char *payload_protocols(const struct match_condition *condition, struct arena *arena,
				     size_t nth, bool named, struct interval_set *out)
{
	(void)condition;
	(void)named;
	if (nth)
		return NULL;
	interval_add(arena, out, wide(PROTOCOL_TCP), wide(PROTOCOL_TCP));
	interval_add(arena, out, wide(PROTOCOL_UDP), wide(PROTOCOL_UDP));
	return "is not looked into";
}

const struct match_kind match_payload = {
	.noun = "a text to look for",
	.read = read_payload,
	.lower = lower_payload,
	.protocols = payload_protocols,
	.may_change = true,
	.takes_mappings = true,
	.reads_data = true,
};
