/*
 * list_other: a line of a list that does not begin with an entry. In comes the line, out comes
 * which program writes such lines, and how to make entries of them. What is not known here is left
 * to addr_parse_range, which says what is wrong with the first word.
 */
#include <string.h>

#include "addr/list_line.h"
#include "base/arena.h"

struct other {
	struct arena *arena; /* NULL: only the kind is wanted */
	const char *begin, *end;
	struct list_word first; /* up to white space */
	struct list_fault *fault;
};

static bool other_is_blank(char c)
{
	return c == ' ' || c == '\t' || c == '\v' || c == '\f';
}

static struct list_word other_next(const struct other *other, const char *at)
{
	struct list_word word;

	while (at < other->end && other_is_blank(*at))
		at++;
	for (word.begin = at; at < other->end && !other_is_blank(*at); at++)
		;
	word.end = at;
	return word;
}

static bool other_is_entry(struct list_word word)
{
	struct addr_range range;

	return addr_parse_range(NULL, word.begin, (size_t)(word.end - word.begin), &range,
				&(const char *){ NULL });
}

/* The first entry that stands in the line, after its beginning or in quotes. */
static bool other_find_entry(const struct other *other, struct list_word *found)
{
	static const char parts[] = ",;|=()[]{}\"'<>!";
	const char *at = other->begin;

	while (at < other->end) {
		struct list_word word;

		while (at < other->end && (other_is_blank(*at) || (strchr(parts, *at) && *at)))
			at++;
		for (word.begin = at;
		     at < other->end && !other_is_blank(*at) && !(strchr(parts, *at) && *at); at++)
			;
		word.end = at;
		if (word.end > word.begin && other_is_entry(word)) {
			*found = word;
			return true;
		}
	}
	return false;
}

static bool other_say(const struct other *other, enum list_kind kind, const char *why,
		      const char *help)
{
	*other->fault = (struct list_fault){ kind, why, help };
	return true;
}

/* The same, and how the entry in it is written. */
static bool other_say_entry(const struct other *other, enum list_kind kind, const char *why,
			    const char *help)
{
	struct list_word entry;

	if (other->arena && other_find_entry(other, &entry))
		why = arena_printf(other->arena, "%s: write %.*s alone on its line", why,
				   (int)(entry.end - entry.begin), entry.begin);
	return other_say(other, kind, why, help);
}

/* ---- by the first word ---- */

struct other_head {
	const char *text;
	enum list_kind kind;
	bool is_word; /* white space or the end of the line comes next */
	const char *why, *help;
};

#define NGINX "this is a line of nginx"
#define NFT "this is text of nft"
#define IPTABLES "this is a line of iptables-save"
#define IPSET "this is a line of ipset save"
#define CLASH "this is a rule of Clash or mihomo"
#define ROUTE "this is a line about a route: write its prefix alone on a line"
#define RESOLVER "this is a line of dnsmasq"
#define DOMAINS "names have sets of their own: {domains: [www.example]}"
#define RULE "this is a rule about domains, and a list file holds addresses"
#define REMARK "a remark begins with a # or a ;"
#define IPSET_HELP "awk '$1 == \"add\" {print $3}' OLD > NEW takes the entries out"
#define CLASH_HELP "sed -n 's/.*IP-CIDR6*,\\([^,]*\\).*/\\1/p' OLD > NEW takes the prefixes out"

static const struct other_head other_heads[] = {
	{ "deny", LIST_NGINX, true, NGINX, NULL },
	{ "allow", LIST_NGINX, true, NGINX, NULL },
	{ "add", LIST_IPSET, true, IPSET, IPSET_HELP },
	{ "create", LIST_IPSET, true, IPSET, IPSET_HELP },
	{ "-A", LIST_IPTABLES, true, IPTABLES, NULL },
	{ "-I", LIST_IPTABLES, true, IPTABLES, NULL },
	{ "COMMIT", LIST_IPTABLES, true, IPTABLES, NULL },
	{ "*filter", LIST_IPTABLES, true, IPTABLES, NULL },
	{ "*raw", LIST_IPTABLES, true, IPTABLES, NULL },
	{ "*mangle", LIST_IPTABLES, true, IPTABLES, NULL },
	{ "{", LIST_NFT, false, NFT, NULL },
	{ "}", LIST_NFT, false, NFT, NULL },
	{ "table", LIST_NFT, true, NFT, NULL },
	{ "set", LIST_NFT, true, NFT, NULL },
	{ "define", LIST_NFT, true, NFT, NULL },
	{ "elements", LIST_NFT, true, NFT, NULL },
	{ "type", LIST_NFT, true, NFT, NULL },
	{ "flags", LIST_NFT, true, NFT, NULL },
	{ "IP-CIDR", LIST_CLASH, false, CLASH, CLASH_HELP },
	{ "domain:", LIST_RULE, false, RULE, DOMAINS },
	{ "DOMAIN", LIST_CLASH, false, CLASH, DOMAINS },
	{ "full:", LIST_RULE, false, RULE, DOMAINS },
	{ "regexp:", LIST_RULE, false, RULE, DOMAINS },
	{ "keyword:", LIST_RULE, false, RULE, DOMAINS },
	{ "include:", LIST_RULE, false, RULE, DOMAINS },
	{ "+.", LIST_RULE, false, RULE, DOMAINS },
	{ "server=", LIST_RESOLVER, false, RESOLVER, DOMAINS },
	{ "address=", LIST_RESOLVER, false, RESOLVER, DOMAINS },
	{ "ipset=", LIST_RESOLVER, false, RESOLVER, DOMAINS },
	{ "nftset=", LIST_RESOLVER, false, RESOLVER, DOMAINS },
	{ "||", LIST_ADBLOCK, false, "this is a rule of a filter for browsers", DOMAINS },
	{ "@@", LIST_ADBLOCK, false, "this is a rule of a filter for browsers", DOMAINS },
	{ "http://", LIST_URL, false, "this is a URL, and a list file holds addresses", NULL },
	{ "https://", LIST_URL, false, "this is a URL, and a list file holds addresses", NULL },
	{ "default", LIST_ROUTE, true, ROUTE, NULL },
	{ "route", LIST_ROUTE, true, ROUTE, NULL },
	{ "push", LIST_ROUTE, true, ROUTE, NULL },
	{ "ip", LIST_ROUTE, true, ROUTE, NULL },
	{ "network", LIST_ROUTE, true, ROUTE, NULL },
	{ "blackhole", LIST_ROUTE, true, ROUTE, NULL },
	{ "//", LIST_REMARK, false, REMARK, NULL },
	{ "--", LIST_REMARK, true, REMARK, NULL },
	{ "!", LIST_REMARK, true, REMARK, NULL },
	{ "%", LIST_REMARK, false, REMARK, NULL },
	{ "-", LIST_ITEM, true, "this is an item of a YAML list", NULL },
	{ "\xef\xbb\xbf", LIST_MARK, false,
	  "a byte order mark stands here, where two files were joined: take it out", NULL },
	{ "\xc2\xa0", LIST_SPACE, false, "the line begins with a no-break space: take it out",
	  NULL },
	{ "(", LIST_QUOTES, false, "brackets have no place around it", NULL },
	{ "<", LIST_QUOTES, false, "brackets have no place around it", NULL },
	{ "'", LIST_QUOTES, false, "quotes have no place around it", NULL },
	{ "\"", LIST_QUOTES, false, "quotes have no place around it", NULL },
	{ "`", LIST_QUOTES, false, "quotes have no place around it", NULL },
};

static bool other_begins(const struct other *other, const struct other_head *head)
{
	size_t length = strlen(head->text);

	return (*other->begin | 0x20) == (*head->text | 0x20) &&
	       (size_t)(other->end - other->begin) >= length &&
	       !strncasecmp(other->begin, head->text, length) &&
	       (!head->is_word ||
		(other->begin + length == other->end ? head->kind != LIST_ROUTE
						     : other_is_blank(other->begin[length])));
}

static bool other_by_head(const struct other *other)
{
	for (size_t i = 0; i < sizeof(other_heads) / sizeof(other_heads[0]); i++)
		if (other_begins(other, &other_heads[i]))
			return (other_heads[i].kind == LIST_ROUTE
					? other_say
					: other_say_entry)(other, other_heads[i].kind,
							   other_heads[i].why, other_heads[i].help);
	return false;
}

/* ---- by what it looks like ---- */

/* "!192.0.2.0/24" */
static bool other_exception(const struct other *other)
{
	struct list_word bare = list_word_strip(other->first);
	const char *after;

	return *other->begin == '!' && list_word_is_address(bare, &after) &&
	       other_say(other, LIST_EXCEPTION,
			 "a list has no exceptions: put this entry into a list of its own, without the \"!\"",
			 "name that one in `exclude`: {include: {file: ...}, exclude: {file: ...}}");
}

/* "[2001:db8::1]", "{192.0.2.1}" */
static bool other_bracket(const struct other *other)
{
	struct list_word bare = list_word_strip(other->first);

	return *other->begin == '[' && other_is_entry(bare) &&
	       other_say_entry(other, LIST_QUOTES, "brackets have no place around it", NULL);
}

static const char csv_help[] =
	"cut -d, -f1 OLD > NEW takes the first column; two columns with the ends of ranges: "
	"awk -F, '{print $1 \"-\" $2}' OLD > NEW";

/* Columns, or several entries, with commas between them. */
static bool other_commas(const struct other *other)
{
	const char *comma = memchr(other->begin, ',', (size_t)(other->end - other->begin));
	struct list_word field = { other->begin, comma }, bare;
	bool are_entries = true;
	size_t count = 0;

	if (!comma)
		return false;
	for (;; field.begin = field.end + 1, count++) {
		field.end = memchr(field.begin, ',', (size_t)(other->end - field.begin));
		field.end = field.end ? field.end : other->end;
		bare = list_word_strip(field);
		while (bare.begin < bare.end && other_is_blank(*bare.begin))
			bare.begin++;
		while (bare.begin < bare.end && other_is_blank(bare.end[-1]))
			bare.end--;
		are_entries &= bare.begin == bare.end || other_is_entry(bare);
		if (field.end == other->end)
			break;
	}
	if (!are_entries)
		return other_say(other, LIST_CSV,
				 "this is a line of a table with commas (CSV): a list has an entry a line",
				 csv_help);
	return other_say_entry(other, LIST_COMMA, "a comma stands after it",
			       count > 1 || comma + 1 < other->end
				       ? "tr -s ', ' '\\n\\n' < OLD > NEW writes one a line"
				       : "sed 's/,$//' OLD > NEW takes them away");
}

/* The same with quotes around each. */
static bool other_quoted_commas(const struct other *other)
{
	return strchr("\"'", *other->begin) && other_commas(other);
}

/* "prefixes:" */
static bool other_key(const struct other *other)
{
	struct list_word word = other->first;

	return word.end - word.begin > 1 && word.end[-1] == ':' && word.end == other->end &&
	       (*word.begin | 0x20) >= 'g' && (*word.begin | 0x20) <= 'z' &&
	       other_say(other, LIST_ITEM,
			 "this is a key of YAML: write its entries alone, one a line", NULL);
}

static bool other_pipes(const struct other *other)
{
	return memchr(other->begin, '|', (size_t)(other->end - other->begin)) &&
	       other_say(other, LIST_PIPES,
			 "this is a line of a table with a \"|\" between its columns: a list has an entry a line",
			 NULL);
}

/* "some org:192.0.2.0-192.0.2.255" */
static bool other_p2p(const struct other *other)
{
	const char *colon = memrchr(other->begin, ':', (size_t)(other->end - other->begin));
	struct list_word range = { colon ? colon + 1 : other->end, other->end };

	return colon && memchr(range.begin, '-', (size_t)(range.end - range.begin)) &&
	       other_is_entry(range) &&
	       other_say(other, LIST_P2P,
			 "this is a line of a P2P block list: its range stands last",
			 "sed 's/.*://' OLD > NEW leaves the ranges");
}

/* "AS64496" */
static bool other_asn(const struct other *other)
{
	struct list_word word = other->first;
	size_t digits = 0;

	if (word.end - word.begin < 3 || strncasecmp(word.begin, "as", 2) != 0)
		return false;
	for (const char *at = word.begin + 2; at < word.end; at++)
		digits += *at >= '0' && *at <= '9';
	return digits == (size_t)(word.end - word.begin) - 2 &&
	       other_say(other, LIST_ASN,
			 "this is the number of a network (AS): write the prefixes that it announces",
			 NULL);
}

/* A name of DNS: labels with dots between them, a letter in the last. */
static bool other_name(const struct other *other)
{
	struct list_word word = other->first;
	size_t dots = 0, letters = 0;

	if (word.begin < word.end && word.end[-1] == '.')
		word.end--;
	for (const char *at = word.begin; at < word.end; at++) {
		bool is_letter = (*at >= 'a' && *at <= 'z') || (*at >= 'A' && *at <= 'Z');

		if (!is_letter && !(*at >= '0' && *at <= '9') && !strchr("*-_.", *at))
			return false;
		dots += *at == '.';
		letters = *at == '.' ? 0 : letters + is_letter;
	}
	return dots && letters > 1 &&
	       other_say(other, LIST_NAME, "this is a name, and a list file holds addresses",
			 DOMAINS);
}

/* "192.0.2.0/24<no-break space>" */
static bool other_no_break_space(const struct other *other)
{
	return memmem(other->begin, (size_t)(other->first.end - other->begin), "\xc2\xa0", 2) &&
	       other_say(other, LIST_SPACE,
			 "a no-break space stands in it, which looks like a space: take it out",
			 "sed 's/\\xc2\\xa0/ /g' OLD > NEW writes spaces");
}

/* "192.0.2.0/24//remark" */
static bool other_slashes(const struct other *other)
{
	const char *slashes =
		memmem(other->begin, (size_t)(other->first.end - other->begin), "//", 2);

	return slashes && slashes > other->begin &&
	       other_is_entry((struct list_word){ other->begin, slashes }) &&
	       other_say(other, LIST_REMARK, REMARK, NULL);
}

static bool other_begins_number(struct list_word word)
{
	return word.begin < word.end && ((*word.begin >= '0' && *word.begin <= '9') ||
					 memchr(word.begin, ':', (size_t)(word.end - word.begin)));
}

/* "192.0.2.10- 192.0.2.20", "192.0.2.0/ 24" */
static bool other_cut(const struct other *other)
{
	static const char *const ends[] = { "-", "\xe2\x80\x90", "\xe2\x80\x93", "\xe2\x80\x94",
					    "/" };
	struct list_word first = other->first, last = other_next(other, other->first.end);
	bool is_range = true;

	for (size_t i = 0; i < sizeof(ends) / sizeof(ends[0]); i++) {
		size_t length = strlen(ends[i]);

		if ((size_t)(first.end - first.begin) > length &&
		    !memcmp(first.end - length, ends[i], length)) {
			first.end -= length;
			is_range = *ends[i] != '/';
			break;
		}
	}
	if (first.end == other->first.end || !other_is_entry(first) || !other_begins_number(last))
		return false;
	if (!is_range)
		return other_say(other, LIST_LENGTH,
				 "the length stands apart from its prefix: write both in one word",
				 NULL);
	return other_say(other, LIST_RANGE,
			 !other->arena || !other_is_entry(last)
				 ? "a range is one word, and both its ends are addresses: write first-last"
				 : arena_printf(other->arena,
						"a range is one word: write %.*s-%.*s",
						(int)(first.end - first.begin), first.begin,
						(int)(last.end - last.begin), last.begin),
			 NULL);
}

/* An entry stands in it, and words before it. */
static bool other_later(const struct other *other)
{
	struct list_word entry, second = other_next(other, other->first.end);

	return other->first.begin < other->first.end && second.begin < second.end &&
	       other_find_entry(other, &entry) && entry.begin > other->begin &&
	       !(*other->begin >= '0' && *other->begin <= '9') &&
	       other_say_entry(other, LIST_LATER, "an entry stands first on its line", NULL);
}

void list_other_line(struct arena *arena, const char *begin, const char *end,
		     struct list_fault *fault)
{
	static bool (*const kinds[])(const struct other *) = {
		other_exception,     other_bracket, other_no_break_space,
		other_quoted_commas, other_key,     other_by_head,
		other_slashes,       other_cut,     other_commas,
		other_pipes,         other_p2p,     other_asn,
		other_later,         other_name,
	};
	struct other other = { .arena = arena, .begin = begin, .end = end, .fault = fault };
	bool is_known = false;

	other.first = other_next(&other, begin);
	*fault = (struct list_fault){ .kind = LIST_ALONE };
	for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]) && !is_known; i++)
		is_known = kinds[i](&other);
}
