/*
 * list_rest: what stands after an entry on its line. A remark is words and bare numbers, as ipsum's
 * counts are; another address, a length, a mask or the end of a range is a part of the entry, or an
 * entry of its own, and no remark.
 */
#include <stdarg.h>
#include <string.h>

#include "addr/list_line.h"
#include "base/arena.h"

struct rest {
	struct arena *arena;
	struct list_entry *entry;
	const char *at, *end;
	char separator;       /* before the word: ' ', or one of ";,|=" */
	bool is_first;        /* no word since the entry, or since that separator */
	bool is_range;        /* what stands between the ends of a range came before */
	enum list_kind wants; /* the word before gives a number this meaning */
	struct list_fault *fault;
};

static bool list_is_letter(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

static bool list_is_hex(char c)
{
	return addr_is_digit(c) || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F');
}

/* ---- words ---- */

struct list_word list_word_strip(struct list_word word)
{
	static const char opens[] = "\"'`([{<!", closes[] = "\"'`)]}>,.;:!";

	while (word.begin < word.end && strchr(opens, *word.begin) && *word.begin)
		word.begin++;
	while (word.end > word.begin && strchr(closes, word.end[-1]) && word.end[-1] &&
	       !(word.end[-1] == ':' && word.end - word.begin > 1 && word.end[-2] == ':'))
		word.end--;
	return word;
}

/* Four numbers with dots between them; NULL, or the byte after them. */
static const char *list_quad(struct list_word word)
{
	const char *at = word.begin;

	for (int i = 0; i < 4; i++) {
		const char *begin = at;

		if (i && (at == word.end || *at != '.'))
			return NULL;
		begin = at += i > 0;
		while (at < word.end && addr_is_digit(*at))
			at++;
		if (at == begin || at - begin > 3)
			return NULL;
	}
	return at;
}

static const char *list_groups(struct list_word word)
{
	const char *at = word.begin;
	unsigned int colons = 0;
	struct addr addr;

	for (; at < word.end && (list_is_hex(*at) || *at == ':' || *at == '.'); at++)
		colons += *at == ':';
	/* "::" alone is how some part one remark from the next. */
	if (colons < 2 || at - word.begin < 3 ||
	    !addr_read_mask(NULL, word.begin, (size_t)(at - word.begin), &addr,
			    &(const char *){ NULL }))
		return NULL;
	return at;
}

bool list_word_is_address(struct list_word word, const char **after)
{
	const char *at = list_quad(word);

	if (!at)
		at = list_groups(word);
	/* A host's name may begin with its address: 192.0.2.1.isp.example. */
	if (!at || (at < word.end && (list_is_letter(*at) || *at == '_' ||
				      (*at == '.' && at + 1 < word.end && at[1] != '.') ||
				      (*at == '-' && at + 1 < word.end && list_is_letter(at[1])))))
		return false;
	*after = at;
	return true;
}

static bool list_word_is(struct list_word word, const char *text)
{
	size_t length = strlen(text);

	return (size_t)(word.end - word.begin) == length && !strncasecmp(word.begin, text, length);
}

static bool list_is_all(struct list_word word, const char *allowed)
{
	const char *at = word.begin;

	while (at < word.end && *at && strchr(allowed, *at))
		at++;
	return at == word.end && at > word.begin;
}

static bool list_is_number(struct list_word word)
{
	return list_is_all(word, "0123456789");
}

/* The byte after what people write between the ends of a range, at the beginning of the word. */
static const char *list_skip_dash(struct list_word word)
{
	static const char *const dashes[] = { "\xe2\x80\x90", "\xe2\x80\x91", "\xe2\x80\x92",
					      "\xe2\x80\x93", "\xe2\x80\x94", "\xe2\x80\x95",
					      "\xe2\x88\x92", "\xe2\x80\xa6", "->" };
	const char *at = word.begin;

	for (size_t i = 0; i < sizeof(dashes) / sizeof(dashes[0]); i++) {
		size_t length = strlen(dashes[i]);

		if ((size_t)(word.end - at) >= length && !memcmp(at, dashes[i], length))
			return at + length;
	}
	while (at < word.end && (*at == '-' || *at == '~'))
		at++;
	if (at == word.begin)
		while (at < word.end && *at == '.')
			at++;
	return at;
}

static bool list_is_between(struct list_word word)
{
	static const char *const words[] = { "to", "thru", "through", "until", "till" };

	if (word.begin < word.end &&
	    (list_skip_dash(word) == word.end || list_is_all(word, "-~.:>/\\")))
		return true;
	for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++)
		if (list_word_is(word, words[i]))
			return true;
	return false;
}

/* ---- what was meant ---- */

/* Always false. Without an arena the reason is not made. */
__attribute__((format(printf, 4, 5))) static bool
rest_fail(struct rest *rest, enum list_kind kind, const char *help, const char *format, ...)
{
	va_list args;

	*rest->fault = (struct list_fault){ kind, format, help };
	if (!rest->arena)
		return false;
	va_start(args, format);
	rest->fault->why = arena_vprintf(rest->arena, format, args);
	va_end(args);
	return false;
}

/* One address, without a length. */
static bool rest_is_single(const struct rest *rest)
{
	const struct list_entry *entry = rest->entry;
	struct addr_prefix prefix;

	return !memchr(entry->begin, '/', (size_t)(entry->end - entry->begin)) &&
	       addr_interval_is_prefix(entry->range.family,
				       (struct interval){ entry->range.first, entry->range.last },
				       &prefix) &&
	       prefix.length == addr_width(entry->range.family);
}

/* The entry as a prefix of that length, or what one looks like. */
static const char *rest_prefix(const struct rest *rest, int length, char out[ADDR_TEXT])
{
	enum addr_family family = rest->entry->range.family;
	struct addr_prefix prefix = { { family, rest->entry->range.first }, (unsigned int)length };

	if (!rest_is_single(rest) || length < 0 || prefix.length > addr_width(family))
		return family == ADDR_IPV4 ? "192.0.2.0/24" : "2001:db8::/32";
	prefix.addr.bits =
		wide_and(prefix.addr.bits, wide_not(addr_host_bits(family, prefix.length)));
	return addr_format_prefix(prefix, out);
}

bool list_entry_fits(const struct list_entry *entry, unsigned int length)
{
	enum addr_family family = entry->range.family;

	return length && length <= addr_width(family) &&
	       wide_equal(entry->range.first, entry->range.last) &&
	       wide_is_zero(wide_and(entry->range.first, addr_host_bits(family, length)));
}

static int rest_number(struct list_word word)
{
	int number = 0;

	while (word.begin < word.end && addr_is_digit(*word.begin) && number < 1000)
		number = number * 10 + (*word.begin++ - '0');
	return number;
}

static bool rest_fail_length(struct rest *rest, struct list_word number)
{
	char text[ADDR_TEXT];

	return rest_fail(rest, LIST_LENGTH, NULL,
			 "the length stands apart from its prefix: write %s in one word",
			 rest_prefix(rest, rest_number(number), text));
}

/* "- 20": the last number alone. */
static bool rest_fail_short_end(struct rest *rest, struct list_word end)
{
	const struct list_entry *entry = rest->entry;
	int number = list_is_number(end) ? rest_number(end) : 256;
	struct addr last = { entry->range.family, entry->range.first };
	char text[ADDR_TEXT];

	if (last.family == ADDR_IPV6 || number > 255 || !rest_is_single(rest))
		return rest_fail(rest, LIST_RANGE, NULL,
				 "a range is one word, and its end an address: write first-last");
	last.bits = wide((last.bits.low & ~UINT64_C(0xff)) | (unsigned int)number);
	return rest_fail(rest, LIST_RANGE, NULL,
			 "a range is one word, and its end an address: write %.*s-%s",
			 (int)(entry->end - entry->begin), entry->begin, addr_format(last, text));
}

/* The length that a netmask says, or the wildcard mask of a router's access list; or -1. */
static int rest_mask_length(const struct rest *rest, struct addr addr)
{
	int length = addr_netmask_length(addr);

	if (addr.family == ADDR_IPV6 || !rest_is_single(rest) ||
	    rest->entry->range.family == ADDR_IPV6)
		return -1;
	addr.bits = wide(~(uint32_t)addr.bits.low);
	return length > 0 ? length : addr_netmask_length(addr);
}

static bool rest_fail_mask(struct rest *rest, int length)
{
	char text[ADDR_TEXT];

	return rest_fail(rest, LIST_NETMASK, NULL, "a mask stands after it: write %s",
			 rest_prefix(rest, length, text));
}

/* Two addresses that may be the ends of a range. */
static bool rest_fail_ends(struct rest *rest, struct addr last)
{
	static const char awk[] =
		"awk '{print $1 \"-\" $2}' OLD > NEW writes such columns as ranges";
	const struct list_entry *entry = rest->entry;
	char text[ADDR_TEXT];

	if (rest->is_range)
		return rest_fail(rest, LIST_RANGE, NULL, "a range is one word: write %.*s-%s",
				 (int)(entry->end - entry->begin), entry->begin,
				 addr_format(last, text));
	return rest_fail(rest, LIST_COLUMNS, rest->separator == ' ' ? awk : NULL,
			 "another address stands after it: a range is one word, %.*s-%s, and what is no "
			 "range has a line for each",
			 (int)(entry->end - entry->begin), entry->begin, addr_format(last, text));
}

static bool rest_fail_address(struct rest *rest, struct list_word word, const char *after)
{
	const struct list_entry *entry = rest->entry;
	struct addr addr;
	bool is_good = addr_parse(NULL, word.begin, (size_t)(after - word.begin), &addr,
				  &(const char *){ NULL }) &&
		       after == word.end;
	int length = is_good ? rest_mask_length(rest, addr) : -1;

	if (length >= 0 && !rest->is_range)
		return rest_fail_mask(rest, length);
	if (is_good && rest_is_single(rest) && addr.family == entry->range.family &&
	    wide_less(entry->range.first, addr.bits))
		return rest_fail_ends(rest, addr);
	if (rest->is_range)
		return rest_fail(rest, LIST_RANGE, NULL,
				 "a range is one word: write first-last, both of them addresses");
	return rest_fail(rest, LIST_SEVERAL, NULL,
			 "another address stands after it: write an entry a line, and a # before a remark");
}

/* ---- word by word ---- */

static bool rest_is_same(const struct rest *rest, struct list_word word)
{
	size_t length = (size_t)(word.end - word.begin);

	return length == (size_t)(rest->entry->end - rest->entry->begin) &&
	       !memcmp(rest->entry->begin, word.begin, length);
}

/* What is an end of a range although it is no address: "20", "2.20", "ff". */
static bool rest_is_short_end(const struct rest *rest, struct list_word word)
{
	return list_is_all(word, "0123456789.") ||
	       (rest->entry->range.family == ADDR_IPV6 && word.end - word.begin <= 4 &&
		list_is_all(word, "0123456789abcdefABCDEF"));
}

/* The word itself, after what parts two ends. */
static bool rest_check_address(struct rest *rest, struct list_word word)
{
	struct list_word tail = word;
	bool is_range = rest->is_range;
	const char *after;

	if (rest->is_first)
		tail.begin = list_skip_dash(word);
	rest->is_range |= tail.begin > word.begin;
	tail.begin += tail.begin < tail.end && *tail.begin == '/';
	if (list_word_is_address(tail, &after))
		return (rest_is_same(rest, tail) && !rest->is_range) ||
		       rest_fail_address(rest, tail, after);
	if (rest->is_range && rest_is_short_end(rest, tail))
		return rest_fail_short_end(rest, tail);
	rest->is_range = is_range;
	return true;
}

/* "/24", "/ 24", "mask 24", "0xffffff00" */
static bool rest_check_length(struct rest *rest, struct list_word word)
{
	struct list_word tail = { word.begin + (*word.begin == '/'), word.end };
	uint32_t mask = 0;

	if ((rest->wants == LIST_LENGTH || tail.begin > word.begin) && list_is_number(tail))
		return rest_fail_length(rest, tail);
	if (word.end - word.begin != 10 || strncasecmp(word.begin, "0xf", 3) != 0)
		return true;
	for (const char *at = word.begin + 2; at < word.end; at++)
		mask = mask << 4 | (uint32_t)(addr_is_digit(*at) ? *at - '0' : (*at & 15) + 9);
	if (!list_is_all((struct list_word){ word.begin + 2, word.end },
			 "0123456789abcdefABCDEF") ||
	    addr_netmask_length((struct addr){ ADDR_IPV4, wide(mask) }) < 0)
		return true;
	return rest_fail_mask(rest, addr_netmask_length((struct addr){ ADDR_IPV4, wide(mask) }));
}

/* A number alone is a remark after white space, but no remark begins with these. */
static bool rest_check_number(struct rest *rest, struct list_word word)
{
	if (!rest->is_first || !list_is_number(word))
		return true;
	if (rest->separator == ' ')
		rest->entry->number = (unsigned int)rest_number(word);
	if (rest->separator == ';' &&
	    (unsigned int)rest_number(word) < addr_width(rest->entry->range.family) &&
	    list_entry_fits(rest->entry, (unsigned int)rest_number(word)))
		return rest_fail_length(rest, word);
	if (rest->separator == '|' || rest->separator == ',')
		return rest_fail(rest, LIST_NUMBER, NULL,
				 "a column with a number stands after it: write a prefix, 192.0.2.0/24, or a "
				 "range, first-last, in one word");
	return true;
}

/* The addresses that a hosts file gives to names. */
static bool rest_is_of_hosts(const struct rest *rest)
{
	static const char *const addresses[] = { "0.0.0.0", "127.0.0.1", "127.0.1.1",
						 "::",      "::1",       "255.255.255.255" };
	struct list_word entry = { rest->entry->begin, rest->entry->end };

	for (size_t i = 0; i < sizeof(addresses) / sizeof(addresses[0]); i++)
		if (list_word_is(entry, addresses[i]))
			return true;
	return false;
}

static bool rest_check_host(struct rest *rest, struct list_word word)
{
	static const char allowed[] =
		"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789.-_";

	if (!rest->is_first || rest->separator != ' ' || list_is_all(word, "0123456789.-_") ||
	    !rest_is_of_hosts(rest) || !list_is_all(word, allowed))
		return true;
	return rest_fail(rest, LIST_HOSTS,
			 "write the names into a set of their own: {domains: [ads.example]}",
			 "this is a line of a hosts file, which is about the names in it");
}

static bool rest_check_keyword(struct rest *rest, struct list_word word)
{
	static const char *const lengths[] = { "mask", "netmask", "prefixlen", "masklen" };
	bool is_duration = rest->wants == LIST_TIMEOUT && addr_is_digit(*word.begin);

	rest->wants = LIST_ALONE;
	if (!is_duration && addr_is_digit(*word.begin))
		return true;
	if (list_word_is(word, "nomatch"))
		return rest_fail(
			rest, LIST_NOMATCH,
			"put it into a list of its own: {include: {file: ...}, exclude: {file: ...}}",
			"ipset's `nomatch` leaves this out of the set, and here it would be in it");
	if (is_duration)
		return rest_fail(rest, LIST_TIMEOUT,
				 "a set whose elements end: {dynamic: true, timeout: 5m}",
				 "an entry of a list stays, it has no timeout");
	if (list_word_is(word, "timeout"))
		rest->wants = LIST_TIMEOUT;
	for (size_t i = 0; i < sizeof(lengths) / sizeof(lengths[0]); i++)
		if (list_word_is(word, lengths[i]))
			rest->wants = LIST_LENGTH;
	return true;
}

/* Numbers alone and words of nothing but letters are what most remarks have. */
static bool rest_check_plain(struct rest *rest, struct list_word word)
{
	if (rest->wants == LIST_LENGTH && addr_is_digit(*word.begin))
		return rest_fail_length(rest, word);
	if (!rest_check_keyword(rest, word) ||
	    (rest->is_range && rest_is_short_end(rest, word) && !rest_fail_short_end(rest, word)) ||
	    !rest_check_number(rest, word) || !rest_check_host(rest, word))
		return false;
	rest->is_first = rest->is_range = false;
	return true;
}

static bool rest_check_word(struct rest *rest, struct list_word word)
{
	bool is_between = rest->is_first && list_is_between(word);
	struct list_word bare = list_word_strip(word);

	if (is_between || bare.begin == bare.end) {
		rest->is_range |= is_between;
		if (memchr(word.begin, '/', (size_t)(word.end - word.begin)))
			rest->wants = LIST_LENGTH;
		return true;
	}
	if (!rest_check_length(rest, bare) || !rest_check_keyword(rest, bare) ||
	    !rest_check_address(rest, bare) || !rest_check_number(rest, bare) ||
	    !rest_check_host(rest, bare))
		return false;
	rest->is_first = rest->is_range = false;
	return true;
}

static bool rest_is_separator(char c)
{
	return c == ';' || c == ',' || c == '|' || c == '=';
}

/* To the next word; false when a comment or the end comes before it. */
static bool rest_skip(struct rest *rest)
{
	for (; rest->at < rest->end; rest->at++) {
		if (rest_is_separator(*rest->at)) {
			rest->separator = *rest->at;
			rest->is_first = true;
		} else if ((unsigned char)*rest->at == 0xc2 && rest->at + 1 < rest->end &&
			   (unsigned char)rest->at[1] == 0xa0) {
			rest->at++;
		} else if (!list_is_blank(*rest->at)) {
			break;
		}
	}
	return rest->at < rest->end && *rest->at != '#' &&
	       !(rest->at + 1 < rest->end && rest->at[0] == '/' && rest->at[1] == '/');
}

bool list_rest_is_remark(struct arena *arena, struct list_entry *entry, const char *end,
			 struct list_fault *fault)
{
	struct rest rest = { .arena = arena,
			     .entry = entry,
			     .at = entry->end,
			     .end = end,
			     .separator = ' ',
			     .is_first = true,
			     .fault = fault };

	while (rest_skip(&rest)) {
		struct list_word word = { rest.at, rest.at };
		size_t digits = 0, letters = 0, length;

		while (word.end < end && !list_is_blank(*word.end) && *word.end != '#' &&
		       !rest_is_separator(*word.end)) {
			digits += addr_is_digit(*word.end);
			letters += list_is_letter(*word.end++);
		}
		rest.at = word.end;
		length = (size_t)(word.end - word.begin);
		if (digits == length || (letters == length && !list_is_between(word))
			    ? !rest_check_plain(&rest, word)
			    : !rest_check_word(&rest, word))
			return false;
		/* After ';' a remark may say anything, up to the next one. */
		if (rest.separator == ';' && !rest.is_first && !list_is_number(word)) {
			rest.at = memchr(rest.at, ';', (size_t)(end - rest.at));
			rest.at = rest.at ? rest.at : end;
		}
	}
	return true;
}
