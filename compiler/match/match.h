/*
 * match: what a rule can ask of a packet, one file a kind.
 *
 * A kind reads the values of its keys from the policy, says what can never work, turns a condition
 * into ir matches, prints them as nft text and evaluates them. match.def lists the keys. A
 * condition holds when one of its values does, or, negated, when none does.
 *
 * Lowering gives alternatives: a packet fits the condition when all matches of at least one
 * alternative hold. No alternative means that no packet of this family can fit; an alternative
 * without matches means that all do.
 */
#ifndef TPC_MATCH_MATCH_H
#define TPC_MATCH_MATCH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "addr/addr.h"
#include "base/diag.h"
#include "ir/ir.h"
#include "yaml/decode.h"

struct match_kind;

/* Destinations that are decided when the packet arrives, and those that rules leave alone unless
 * they name them. */
enum match_special {
	SPECIAL_LOCAL = 1,
	SPECIAL_BROADCAST = 2,
	SPECIAL_MULTICAST = 4,
	SPECIAL_LINK_LOCAL = 8,
};

struct match_reference {
	const char *name;
	struct span span;
	bool is_own; /* once it is checked: a set of this host's own addresses */
};

/* An address under a bit mask: packet & mask == bits. */
struct match_masked {
	enum addr_family family;
	struct wide bits, mask;
};

/* Bytes that a packet carries, at their offset or anywhere up to the offset `last`. */
struct match_needle {
	struct ir_bytes bytes;
	unsigned int last;
};

struct match_condition {
	const struct match_kind *kind;
	const char *key;
	struct span span;      /* of the value */
	unsigned int selector; /* which of the kind's keys: see match.def */
	bool negated;
	bool may_be_group; /* a name of an interface may be a group's, which is longer */
	bool may_be_list;  /* a word that is no value may be the name of a list of them */
	struct interval_set values;
	const char **names;
	size_t name_count;
	struct match_reference *references; /* names of sets; or of lists (see match_kind), whose
					       values are among `values` once they are resolved */
	size_t reference_count;
	struct match_reference *hosted; /* accounts and cgroups by name: the host must have them */
	size_t hosted_count;
	struct addr_set addresses; /* written in the rule itself */
	struct match_masked *masked;
	size_t masked_count;
	unsigned int specials; /* of enum match_special */
	struct addr_set meant; /* of the addresses those that may be named in spite of what they
				  are: see match_address */
	uint32_t mask;         /* marks */
	struct match_needle *needles;
	size_t needle_count;
};

/* How much of a family a named set holds, and under which nft set. */
enum match_extent { EXTENT_EMPTY, EXTENT_SOME, EXTENT_ALL };

/* What a kind needs from its surroundings to become ir. */
struct match_context {
	struct arena *arena;
	enum addr_family family;
	enum ir_scope scope;                  /* forward or local */
	const struct interval_set *protocols; /* the protocols that the rule is about; empty: all */
	const char *rule; /* "rule3": the beginning of the names of sets that are made for it */
	bool host; /* the packet goes to a destination that rules leave alone unless they name it:
		      of a `to` only these are asked for: */
	unsigned int specials;        /* the names */
	const struct addr_set *meant; /* the addresses */
	bool means_own;               /* the sets that are this host's own addresses */
	bool tracked; /* packets are ICMP errors: addresses, protocols and ports are those of the
			 connection they are about */
	enum match_extent (*named_set)(struct match_context *context, const char *name,
				       const struct ir_set **out);
	const struct ir_set *(*make_set)(struct match_context *context, const char *base,
					 enum ir_set_type type,
					 const struct interval_set *elements);
	void *user;
};

struct match_alternative {
	struct ir_match *items;
	size_t count;
	unsigned int least; /* so many bytes a packet that fits carries after its TCP or UDP
			       header, if not more */
};

struct match_alternatives {
	struct match_alternative *items;
	size_t count;
	bool none_of;           /* the packet fits when all matches hold of none of them */
	struct ir_match *extra; /* with none_of: must hold, too; or NULL */
};

/*
 * A number that a packet has, as a key of a rule or of a packet asks for it. The static checks
 * compare rules by it, `expect` and `explain` give it to packets.
 */
struct match_number {
	size_t offset, size;  /* of the field in struct ir_packet; 4 or 8 bytes */
	uint64_t least, most; /* that a packet can have */
	bool may_lack;        /* there are packets that have none */
	bool zero_is_unknown; /* 0: it is not known what the packet has */
};

/* The field's place: { MATCH_PACKET_FIELD(ttl), 1, 255 }. */
#define MATCH_PACKET_FIELD(field) \
	offsetof(struct ir_packet, field), sizeof(((struct ir_packet *)NULL)->field)

struct match_kind {
	const char *noun; /* "an address or set": what a value is */
	/* Of a kind whose values may stand in lists of a name: the policy's key for these
	 * ("ports"), and what a word stands for: NULL, or why it is no value. Else NULL. */
	const char *lists;
	const char *(*parse)(const struct node *value, struct interval *out);
	void (*put)(struct buf *out, uint64_t value); /* one of these values; NULL: decimal */
	/* Reads one value into the condition; adds the error and returns false when it is none. */
	bool (*read)(struct decode *decode, const struct node *value,
		     struct match_condition *condition);
	void (*lower)(const struct match_condition *condition, struct match_context *context,
		      struct match_alternatives *out);
	/*
	 * The protocols whose packets can fit the nth value, added to `out`, and what all others
	 * are like ("has no ports"); NULL after the last value. `named`: the rule names its
	 * protocols. A kind without this function is about all protocols.
	 */
	const char *(*protocols)(const struct match_condition *condition, struct arena *arena,
				 size_t nth, bool named, struct interval_set *out);
	enum ir_scope scopes;  /* where it can work; 0: everywhere */
	const char *elsewhere; /* why it cannot work in the other scope */
	bool implies_local;    /* a rule with it is about the host's own traffic unless it says
				  otherwise */
	bool may_change; /* a later packet of a connection may match differently from the first */
	bool by_family;  /* lowers differently in each family */
	bool names_interfaces; /* names are interfaces, so groups may stand for them */
	bool names_identity;   /* tells who sends: what a listener's own traffic is matched by */
	bool takes_mappings;   /* a value may be a mapping of its own, besides {not: ...} */
	bool reads_data; /* asks what packets carry, and the first ones of TCP carry nothing */
	const struct match_number *numbers; /* by selector; of MATCH_NUMBER in match.def */
};

#define MATCH(key, kind, selector) extern const struct match_kind match_##kind;
#include "match/match.def"

/* A rule's decode_field.more for each key of match.def. */
struct match_key {
	const char *key;
	const struct match_kind *kind;
	unsigned int selector;
	bool is_packets; /* of a packet, which has a value and no list of them */
};

extern const struct match_key match_keys[];
extern const size_t match_key_count;

/* Those whose kinds have numbers. */
enum {
#define MATCH_NUMBER(key, kind, selector) MATCH_NUMBER_##key,
#include "match/match.def"
	MATCH_NUMBERS
};

extern const struct match_key match_number_keys[MATCH_NUMBERS];
/* Of match_number_keys, or MATCH_NUMBERS. */
size_t match_number_find(const char *key);
const struct match_number *match_number(size_t nth);
uint64_t match_number_get(size_t nth, const struct ir_packet *packet);
void match_number_set(size_t nth, struct ir_packet *packet, uint64_t value);

/* Reads a condition: a value, a list of values, or {not: one of these}. NULL after an error. */
struct match_condition *match_read(struct decode *decode, const struct match_key *key,
				   const struct node *value);
/* A condition with this many alternatives gets a chain of its own, and then asks no ICMP error that
 * is about a connection. */
enum { MATCH_APART_LEAST = 16 };
/* May a later packet of the same connection match differently? */
bool match_may_change(const struct match_condition *condition);

/*
 * Which element of the match's set, or which of its values, the packet's own lies in: as text.
 * False where the match is about nothing that has elements, or the packet lies in none.
 */
bool match_put_element(const struct ir_match *match, const struct ir_packet *packet,
		       struct buf *out);

/* As nft and the policy write it: 443, 8000-8099; 02:00:5e:10:00:01. Of a kind with lists. */
void match_put_interval(const struct match_kind *kind, struct interval interval, struct buf *out);

/* Which key is to blame that the match does not hold: its own, or `proto`, where it asks for the
 * protocol as well. NULL for a match that no key stands for. */
const char *match_blamed_key(const struct ir_match *match, const struct ir_packet *packet);

/* ---- match.c: for the kinds ---- */

/* Adds an empty alternative; matches are appended to it. */
struct match_alternative *match_alternative(struct match_context *context,
					    struct match_alternatives *out);
struct ir_match *match_append(struct match_context *context, struct match_alternative *alternative,
			      const struct ir_match_ops *ops);
/* Numbers that are not addresses: single ones as one match, ranges as alternatives (or as one match
 * each when negated). */
void match_lower_values(const struct match_condition *condition, struct match_context *context,
			const struct ir_match_ops *ops, struct match_alternatives *out);
/* The same for a field of the IP header that has its own name in each family, of a kind with
 * numbers: nothing where the negated values are all that a packet can have. */
void match_lower_header(const struct match_condition *condition, struct match_context *context,
			const struct ir_match_ops *ops, struct match_alternatives *out);
/* Is the value, which stands for none of the kind, a name that a list may have? Then it is added to
 * the references. */
bool match_read_list_name(struct decode *decode, const struct node *value,
			  struct match_condition *condition);
struct match_word {
	const char *name;
	unsigned int value;
};

/* Numbers from 0 to `most` of which some have names. */
struct match_words {
	const char *what; /* a name is: "DSCP class" */
	const struct match_word *items;
	size_t count;
	uint64_t most;
	const char *error, *help; /* of what is neither a number nor a name */
};

/* Reads a name, a number or "a-b" into the condition's values; adds the error when it is none. */
bool match_read_words(struct decode *decode, const struct node *value,
		      struct match_condition *condition, const struct match_words *words);
/* Reads a number or "a-b" within 0..most. False, without a message, when it is neither. */
bool match_read_range(const struct node *value, uint64_t most, uint64_t *first, uint64_t *last);
/* The end of a match's text: [!=] value, or { a, b }. `put` prints one number; NULL prints decimal.
 */
void match_put_values(const struct ir_match *match, struct buf *out,
		      void (*put)(struct buf *out, uint64_t value));
/* The members of a key: the values of the match, or of its set, or, negated, all others up to the
 * highest. */
struct interval_set match_members(struct arena *arena, const struct ir_match *match,
				  struct wide highest);
/* For fields whose maps have single values: false where the match has ranges, or is negated. */
bool match_single_members(struct arena *arena, const struct ir_match *match,
			  struct interval_set *out);
/* The interval of the match's set or values that holds the number, or NULL. */
const struct interval *match_element(const struct ir_match *match, struct wide value);
/* Does the number hold under the match's values and negation? */
bool match_values_hold(const struct ir_match *match, struct wide value);

#endif
