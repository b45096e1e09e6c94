/*
 * read/dynamic: sets that are filled at run time: `dynamic` and `domains`, and what they go with.
 *
 * Out come a dynamic ast_set and, as its expression, the elements that it begins with. Domains are
 * names that DNS can have, in lower case, sorted, each once; the names below them need no mention.
 */
#include <stdlib.h>
#include <string.h>

#include "base/arena.h"
#include "base/duration.h"
#include "base/names.h"
#include "lang/read/read.h"

enum {
	SIZE_MOST = INT32_MAX, /* the kernel keeps both ends of an interval: twice as many in 32
				* bits
				*/
	TIMEOUT_MOST = 3650 * 86400,
	DOMAIN_MOST = 253, /* characters without the last dot; RFC 1035 section 2.3.4 has octets */
	LABEL_MOST = 63,
};

/* ---- durations ---- */

static bool read_timeout(struct decode *decode, const struct node *node, struct ast_set *set)
{
	static const struct decode_field field = { .key = "timeout" };
	struct diag_record *record;
	const char *text = NULL;
	uint64_t seconds;

	if (!decode_text(decode, &field, node, &text))
		return false;
	seconds = duration_parse(text);
	set->timeout = (uint32_t)seconds;
	if (seconds && seconds <= TIMEOUT_MOST)
		return true;
	record = diag_add(decode->diag, DIAG_bad_value, node->span,
			  "`timeout` takes a duration from 1s to 3650d, not \"%s\"", text);
	if (text[0] && strspn(text, "0123456789") == node->length && text[0] != '0')
		diag_help(record, "write %ss for seconds, %sm for minutes", text, text);
	else
		diag_help(record,
			  "write 30s, 10m, 1h, 7d, or a sum such as 1h30m; without `timeout` elements stay until they are removed");
	return false;
}

static bool read_size(struct decode *decode, const struct node *node, struct ast_set *set)
{
	static const struct decode_field field = { .key = "size", .least = 1, .most = SIZE_MOST };
	int64_t size = 0;
	bool good = decode_integer(decode, &field, node, &size);

	set->size = (uint32_t)size;
	set->size_span = node->span;
	return good;
}

/* ---- domains ---- */

static bool is_label(const char *text, size_t length)
{
	for (size_t i = 0; i < length; i++)
		if (!strchr("abcdefghijklmnopqrstuvwxyz0123456789-_", text[i]))
			return false;
	return length && length <= LABEL_MOST && text[0] != '-' && text[length - 1] != '-';
}

/* A last label of digits is an address, or a mistake (RFC 3696 section 2). */
static bool is_domain(const char *text)
{
	size_t length;

	if (strlen(text) > DOMAIN_MOST)
		return false;
	for (;; text += length + 1) {
		length = strcspn(text, ".");
		if (!is_label(text, length))
			return false;
		if (!text[length])
			return strspn(text, "0123456789") < length;
	}
}

static bool has_other_letters(const char *text)
{
	for (; *text; text++)
		if ((unsigned char)*text >= 0x80)
			return true;
	return false;
}

/* The host's name inside a URL or after a pattern's beginning, or NULL. */
static const char *name_inside(struct arena *arena, const char *text)
{
	const char *from = strstr(text, "//");
	const char *name;

	from = from ? from + 2 : text;
	from += strspn(from, "*.");
	name = arena_strndup(arena, from, strcspn(from, "/:"));
	return is_domain(name) ? name : NULL;
}

/*
 * What rule lists write before a name, and whether it means the names below it, too, as `domains`
 * always does.
 */
static const struct {
	const char *prefix, *meaning;
	bool is_name, is_alone;
} domain_rules[] = {
	{ "domain:", "a name and all below it", true, false },
	{ "full:", "this name and none below it", true, true },
	{ "regexp:", "an expression that names match", false, false },
	{ "regex:", "an expression that names match", false, false },
	{ "keyword:", "all names with a text in them", false, false },
	{ "geosite:", "a list of names in a file of V2Ray", false, false },
	{ "include:", "another list of names", false, false },
	{ "ext:", "a list of names in a file of V2Ray", false, false },
	{ "domain-suffix,", "a name and all below it", true, false },
	{ "domain-keyword,", "all names with a text in them", false, false },
	{ "domain,", "this name and none below it", true, true },
	{ "+.", "a name and all below it", true, false },
	{ "||", "a name and all below it", true, false },
	{ "server=/", "a name and all below it, in dnsmasq", true, false },
	{ "nftset=/", "a name and all below it, in dnsmasq", true, false },
	{ "ipset=/", "a name and all below it, in dnsmasq", true, false },
};

/* False when none of these begins the text. */
static bool help_rule(struct decode *decode, struct diag_record *record, const char *text)
{
	for (size_t i = 0; i < sizeof(domain_rules) / sizeof(domain_rules[0]); i++) {
		size_t length = strlen(domain_rules[i].prefix);
		const char *name;

		if (strncmp(text, domain_rules[i].prefix, length) != 0)
			continue;
		name = arena_strndup(decode->arena, text + length, strcspn(text + length, ",/^@ "));
		if (!domain_rules[i].is_name || !is_domain(name))
			diag_help(record,
				  "\"%s\" means %s: write the names themselves, each without what is left of them",
				  domain_rules[i].prefix, domain_rules[i].meaning);
		else
			diag_help(record, "\"%s\" means %s: write %s%s", domain_rules[i].prefix,
				  domain_rules[i].meaning, name,
				  domain_rules[i].is_alone ? ", and the names below it are included"
							   : "");
		return true;
	}
	return false;
}

static bool refuse_domain(struct decode *decode, const struct node *node, const char *text)
{
	struct diag_record *record =
		diag_add(decode->diag, DIAG_bad_value, node->span, "\"%s\" is no name of a domain",
			 node_excerpt(decode->arena, node->text, node->length));
	const char *name = name_inside(decode->arena, text), *why;
	struct addr_range range;

	if (addr_parse_range(decode->arena, text, strlen(text), &range, &why))
		diag_help(record, "addresses stand in `elements`: {domains: [...], elements: [%s]}",
			  text);
	else if (help_rule(decode, record, text))
		return false;
	else if (has_other_letters(text))
		diag_help(record,
			  "write the name as DNS has it, in its xn-- form: `idn2 NAME` prints it");
	else if (name && (text[0] == '*' || text[0] == '.'))
		diag_help(record, "write %s; the names below it are included by themselves", name);
	else if (name)
		diag_help(record, "write the name alone: %s", name);
	else
		diag_help(record,
			  "a name is labels of letters, digits, '-' and '_' with dots between them, up to 63 "
			  "characters in each and 253 in all");
	return false;
}

static bool read_domain(struct decode *decode, const struct node *node, struct ast_set *set)
{
	static const struct decode_field field = { .key = "domains" };
	const char *written = NULL;
	char *text;
	size_t length;

	if (!decode_text(decode, &field, node, &written))
		return false;
	text = arena_strdup(decode->arena, written);
	length = strlen(text);
	for (size_t i = 0; i < length; i++)
		if (text[i] >= 'A' && text[i] <= 'Z')
			text[i] += 'a' - 'A';
	if (length > 1 && text[length - 1] == '.')
		text[length - 1] = '\0';
	if (!is_domain(text))
		return refuse_domain(decode, node, text);
	*arena_append(decode->arena, set->domains, set->domain_count) = text;
	return true;
}

static void sort_domains(struct ast_set *set)
{
	size_t count = 0;

	qsort(set->domains, set->domain_count, sizeof(*set->domains), names_compare);
	for (size_t i = 0; i < set->domain_count; i++)
		if (!count || strcmp(set->domains[count - 1], set->domains[i]) != 0)
			set->domains[count++] = set->domains[i];
	set->domain_count = count;
}

static bool read_domains(struct decode *decode, const struct node *node, struct ast_set *set)
{
	bool good = true;

	if (node->kind != NODE_LIST)
		return read_domain(decode, node, set);
	if (!node->count)
		return diag_refuse(
			decode->diag, DIAG_bad_value, node->span, "`domains` is an empty list",
			"name at least one domain, or write `dynamic: true` for a set that others fill");
	for (size_t i = 0; i < node->count; i++)
		good &= read_domain(decode, &node->items[i], set);
	sort_domains(set);
	return good;
}

/* ---- the set ---- */

static bool read_dynamic(struct decode *decode, const struct node *node)
{
	static const struct decode_field field = { .key = "dynamic" };
	bool dynamic = true;

	if (!decode_bool(decode, &field, node, &dynamic))
		return false;
	if (dynamic)
		return true;
	return diag_refuse(decode->diag, DIAG_bad_value, node->span, "`dynamic` can only be true",
			   "leave it out: a set is not dynamic unless it says so");
}

/* What the parts must be together. */
static bool check_parts(struct decode *decode, const struct node *node,
			const struct read_set_parts *parts)
{
	static const char *const sources[] = { "file", "include", "exclude", "geoip", "database" };
	bool good = true;

	if (!parts->dynamic && !parts->domains)
		return diag_refuse(
			decode->diag, DIAG_impossible, node->span,
			"`timeout`, `size` and `elements` are about sets that are filled at run time",
			"add `dynamic: true` or `domains: [...]`; a set that never changes is a list of what it holds");
	for (size_t i = 0; i < sizeof(sources) / sizeof(sources[0]); i++) {
		if (!node_find(node, sources[i]))
			continue;
		good = false;
		diag_help(diag_add(decode->diag, DIAG_impossible, read_key_span(node, sources[i]),
				   "a set that is filled at run time has no `%s`", sources[i]),
			  "what it begins with stands in `elements`, which takes all that a list may hold: "
			  "`elements: [{...}]`");
	}
	return good;
}

bool read_dynamic_set(struct decode *decode, const struct node *node, struct ast_set *set)
{
	struct read_set_parts parts = { 0 };
	bool good = decode_map(decode, &read_set_table, node, &parts) &&
		    check_parts(decode, node, &parts);

	set->dynamic = true;
	set->expression.kind = SET_LIST;
	set->expression.span = node->span;
	if (parts.dynamic)
		good &= read_dynamic(decode, parts.dynamic);
	if (parts.domains)
		good &= read_domains(decode, parts.domains, set);
	if (parts.timeout)
		good &= read_timeout(decode, parts.timeout, set);
	if (parts.size)
		good &= read_size(decode, parts.size, set);
	if (parts.elements)
		good &= read_set_items(decode, parts.elements, &set->expression.items,
				       &set->expression.count);
	return good;
}
