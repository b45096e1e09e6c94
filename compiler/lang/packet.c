/*
 * packet: words into a mapping with places, which is then read as the packet of an expectation is.
 */
#include "lang/packet.h"

#include <string.h>

#include "base/arena.h"
#include "base/diag.h"
#include "base/utf8.h"
#include "ir/ir.h"
#include "lang/check/check.h"
#include "lang/read/read.h"

/* ---- words of a line ---- */

static bool is_blank(char c)
{
	return c == ' ' || c == '\t' || c == '\r';
}

/* A byte that no packet is written with: everything but printable UTF-8. */
bool packet_check_text(struct diag *diag, const struct source *source, uint32_t begin, uint32_t end)
{
	for (uint32_t at = begin; at < end;) {
		uint32_t code = 0;
		size_t size;

		if (source->text[at] >= ' ' && source->text[at] <= '~') {
			at++;
			continue;
		}
		size = utf8_decode(source->text + at, end - at, &code);
		if (size && (!utf8_is_hidden(code) || is_blank(source->text[at]))) {
			at += (uint32_t)size;
			continue;
		}
		return diag_refuse(diag, DIAG_encoding,
				   (struct span){ source, at, at + (size ? (uint32_t)size : 1) },
				   size ? "a control character" : "a byte that is not UTF-8",
				   "packets are written in plain text: in=lan0 to=203.0.113.8");
	}
	return true;
}

/* One word without its quotes into the room, which is moved after it as *at is. NULL for a quote
 * that nothing ends. */
static const char *take_word(const struct source *source, uint32_t *at, uint32_t end, char **room)
{
	char *word = *room;
	char quote = 0;

	for (; *at < end && (quote || !is_blank(source->text[*at])); ++*at) {
		char c = source->text[*at];

		if (quote ? c == quote : c == '"' || c == '\'')
			quote = quote ? 0 : c;
		else
			*(*room)++ = c;
	}
	*(*room)++ = '\0';
	return quote ? NULL : word;
}

bool packet_split(struct arena *arena, struct diag *diag, const struct source *source,
		  uint32_t begin, uint32_t end, struct packet_word **words, size_t *count)
{
	/* A NUL after a word takes the place of the blank, or of the line's end. */
	char *room = arena_alloc(arena, end - begin + 1);
	uint32_t at = begin;

	if (!packet_check_text(diag, source, begin, end))
		return false;
	for (;;) {
		struct packet_word *word;

		while (at < end && is_blank(source->text[at]))
			at++;
		if (at == end || source->text[at] == '#')
			return true;
		word = arena_append(arena, *words, *count);
		word->begin = at;
		word->text = take_word(source, &at, end, &room);
		word->end = at;
		if (word->text)
			continue;
		return diag_refuse(diag, DIAG_bad_value, (struct span){ source, word->begin, at },
				   "a quote that nothing ends",
				   "a value with spaces stands between two quotes: payload=\"GET / HTTP\"");
	}
}

/* ---- words into a packet ---- */

static bool refuse_word(struct diag *diag, struct span where, const struct packet_word *word)
{
	size_t key = strcspn(word->text, "=:");

	if (!word->text[key])
		return diag_refuse(diag, DIAG_wrong_type, where,
				   "a packet is made of KEY=VALUE, and here is no \"=\"",
				   "for example: in=lan0 to=203.0.113.8 proto=tcp port=443");
	if (word->text[key] == '=')
		return diag_refuse(diag, DIAG_wrong_type, where, "here is no key before the \"=\"",
				   "for example: to=203.0.113.8");
	return diag_refuse(diag, DIAG_wrong_type, where,
			   "a packet is made of KEY=VALUE, and here is no \"=\"",
			   "write \"=\" where the \":\" is");
}

static bool refuse_twice(struct diag *diag, const struct node_entry *entry,
			 const struct node_entry *twin)
{
	struct diag_record *record = diag_add(diag, DIAG_duplicate_key, entry->key_span,
					      "`%s` is given twice", entry->key);

	diag_also(record, twin->key_span, "first given here");
	diag_help(record, "a packet has one `%s`: remove one of them", entry->key);
	return false;
}

/* "time=2026-12-24 22:30" without quotes is two words: the moment is one of them no more. */
static bool is_rest_of_moment(const struct node *map, const struct packet_word *word)
{
	const struct node_entry *before = map->count ? &map->entries[map->count - 1] : NULL;

	return before && !strcmp(before->key, "time") && !strchr(before->value.text, ' ') &&
	       strspn(word->text, "0123456789:") == strlen(word->text);
}

static bool refuse_moment(struct diag *diag, struct node *map, struct span where,
			  const struct packet_word *word)
{
	const struct node_entry *before = &map->entries[--map->count];

	where.begin = before->key_span.begin;
	diag_help(diag_add(diag, DIAG_wrong_type, where, "this moment is in two words"),
		  "put it in quotes: time=\"%s %s\"; in a shell: 'time=%s %s'", before->value.text,
		  word->text, before->value.text, word->text);
	return false;
}

static bool read_word(struct arena *arena, struct diag *diag, const struct source *source,
		      const struct packet_word *word, struct node *map)
{
	const char *equals = strchr(word->text, '=');
	size_t key = equals ? (size_t)(equals - word->text) : 0;
	struct node_entry *entry = &map->entries[map->count];

	if (!key && is_rest_of_moment(map, word))
		return refuse_moment(diag, map, (struct span){ source, word->begin, word->end },
				     word);
	if (!key)
		return refuse_word(diag, (struct span){ source, word->begin, word->end }, word);
	entry->key = arena_strndup(arena, word->text, key);
	entry->key_span = (struct span){ source, word->begin, word->begin + (uint32_t)key };
	entry->value.text = equals + 1;
	entry->value.length = strlen(equals + 1);
	entry->value.span = (struct span){ source, word->begin + (uint32_t)key + 1, word->end };
	for (size_t i = 0; i < map->count; i++)
		if (!strcmp(map->entries[i].key, entry->key))
			return refuse_twice(diag, entry, &map->entries[i]);
	if (!entry->value.length) {
		diag_help(diag_add(diag, DIAG_wrong_type, entry->key_span, "`%s` has no value",
				   entry->key),
			  "write it after the \"=\", or remove the key");
		return false;
	}
	map->count++;
	return true;
}

bool packet_read(struct arena *arena, struct diag *diag, const struct source *source,
		 const struct packet_word *words, size_t count, struct ir_packet *out)
{
	struct decode decode = { .arena = arena, .diag = diag };
	struct node map = { .kind = NODE_MAP };
	bool good = true;

	map.span = (struct span){ source, words[0].begin, words[count - 1].end };
	map.entries = arena_alloc(arena, count * sizeof(*map.entries));
	for (size_t i = 0; i < count; i++)
		good &= read_word(arena, diag, source, &words[i], &map);
	return read_packet(&decode, &map, out) && good;
}

static size_t key_length(const char *word)
{
	return !strncmp(word, "in=", 3) ? 3 : !strncmp(word, "out=", 4) ? 4 : 0;
}

bool packet_check_groups(struct arena *arena, struct diag *diag, const struct source *source,
			 const struct packet_word *words, size_t count, const struct ir *ir)
{
	bool good = true;

	for (size_t i = 0; i < count; i++) {
		size_t key = key_length(words[i].text);

		for (size_t k = 0; key && k < ir->interface_group_count; k++)
			if (!strcmp(ir->interface_groups[k].name, words[i].text + key))
				good &= check_is_interface(arena, diag, &ir->interface_groups[k],
							   (struct span){ source,
									  words[i].begin +
										  (uint32_t)key,
									  words[i].end });
	}
	return good;
}
