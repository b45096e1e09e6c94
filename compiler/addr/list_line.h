/*
 * list_line: what a line of a list holds that is no entry, and what was probably meant.
 *
 * Lists of other formats begin many of their lines with an address too. What follows it would be
 * lost without a word if it were all a remark, so it is read: list_rest.c. What a line without an
 * entry at its beginning may be is in list_other.c.
 */
#ifndef TPC_ADDR_LIST_LINE_H
#define TPC_ADDR_LIST_LINE_H

#include <stdbool.h>
#include <stddef.h>

#include "addr/addr.h"

struct arena;

/* ---- the grammar of a line, of all list files ---- */

static inline bool list_is_blank(char c)
{
	return c == ' ' || c == '\t' || c == '\v' || c == '\f';
}

static inline bool list_is_comment(char c)
{
	return c == '#' || c == ';';
}

/* A line ends at a line feed or a carriage return: old lists have the one without the other. */
static inline bool list_is_end(char c)
{
	return c == '\n' || c == '\r';
}

static inline bool list_ends_word(char c)
{
	return list_is_end(c) || list_is_blank(c) || list_is_comment(c);
}

/* ---- what is no entry ---- */

/* Lines with the same mistake get one message for all of them; LIST_ALONE have their own. */
enum list_kind {
	LIST_ALONE,
	/* after an entry */
	LIST_RANGE,
	LIST_COLUMNS,
	LIST_NETMASK,
	LIST_LENGTH,
	LIST_SEVERAL,
	LIST_NUMBER,
	LIST_NOMATCH,
	LIST_TIMEOUT,
	LIST_HOSTS,
	/* before one, or without one */
	LIST_COMMA,
	LIST_CSV,
	LIST_PIPES,
	LIST_QUOTES,
	LIST_EXCEPTION,
	LIST_ITEM,
	LIST_NGINX,
	LIST_IPSET,
	LIST_IPTABLES,
	LIST_NFT,
	LIST_CLASH,
	LIST_RULE,
	LIST_RESOLVER,
	LIST_ADBLOCK,
	LIST_ASN,
	LIST_ROUTE,
	LIST_URL,
	LIST_P2P,
	LIST_REMARK,
	LIST_NAME,
	LIST_MARK,
	LIST_SPACE,
	LIST_LATER,
	LIST_KINDS
};

struct list_entry {
	const char *begin, *end;
	struct addr_range range;
	unsigned int number; /* that list_rest_is_remark finds alone after it; or 0 */
};

struct list_fault {
	enum list_kind kind;
	const char *why, *help; /* in the arena; help may be NULL */
};

/*
 * Is what stands between an entry and the end of its line a remark? If not, *fault says what else.
 * Without an arena (NULL) only its kind is known.
 */
bool list_rest_is_remark(struct arena *arena, struct list_entry *entry, const char *end,
			 struct list_fault *fault);
/* Is the entry an address that a prefix of this length begins with? */
bool list_entry_fits(const struct list_entry *entry, unsigned int length);
/* A line from its first word, which is no entry, to its end. LIST_ALONE: nothing is known. */
void list_other_line(struct arena *arena, const char *begin, const char *end,
		     struct list_fault *fault);

/* ---- for both ---- */

struct list_word {
	const char *begin, *end;
};

/* Without the quotes and brackets around it, and what ends a clause. */
struct list_word list_word_strip(struct list_word word);
/* Does it begin with an address of either family, after which no name goes on? *after is then the
 * byte after the address. */
bool list_word_is_address(struct list_word word, const char **after);

#endif
