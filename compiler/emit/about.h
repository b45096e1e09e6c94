/*
 * about: what our nft table says about itself: what is there, without a dump of its sets.
 *
 * A chain without a hook holds rules that only carry a comment; the live engine reads them back:
 *
 *   tpc 1 NAME digest=0123456789abcdef                  the policy, once, first
 *   protocol=116 priority=10000-10005 mask=0x7f000000   its block of the host's numbers, once
 *   mark=0x09000000/0x7f000000                          a packet mark of its own, one line each
 *   connections=0x7f000000                              and of connections' marks, if of any
 *   table=100                                           a routing table of its own, one line each;
 *                                                       "copy" after the one that copies main's
 *   set=BASE name=NAME contents=0123456789abcdef        a set and the digest of its elements
 *   kept=BASE name=NAME contents=0123456789abcdef       one that waits, unused, for a rollback
 *   waits=PID-STARTED until=NANOSECONDS uid=UID         who takes it back unless it is confirmed
 */
#ifndef TPC_EMIT_ABOUT_H
#define TPC_EMIT_ABOUT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct arena;
struct buf;
struct emit_job;
struct ir;
struct ir_set;

/* The chain's name ("policy" is a word of nft's own). */
#define ABOUT_CHAIN "about"
/* Raised when the lines change their meaning; a reader that finds another number leaves the table
 * alone. */
enum { ABOUT_VERSION = 1 };
/* Room for any name in a line, NUL included. */
enum { ABOUT_NAME = 100 };

enum about_kind {
	ABOUT_POLICY,
	ABOUT_ROUTING,
	ABOUT_MARK,
	ABOUT_CONNECTIONS,
	ABOUT_TABLE,
	ABOUT_SET,
	ABOUT_RETAINED,
	ABOUT_WAITS
};

struct about_line {
	enum about_kind kind;
	uint64_t handle;       /* of the rule in the kernel that it was read from */
	unsigned int version;  /* ABOUT_POLICY */
	char name[ABOUT_NAME]; /* ABOUT_POLICY: the policy's; ABOUT_SET, ABOUT_RETAINED: the set's
				* in nft
				*/
	char base[ABOUT_NAME]; /* ABOUT_SET, ABOUT_RETAINED */
	uint64_t digest;       /* ABOUT_POLICY, ABOUT_SET, ABOUT_RETAINED */
	uint32_t protocol, priority_first, priority_last; /* ABOUT_ROUTING */
	uint32_t mark;                                    /* ABOUT_MARK */
	uint32_t mask;  /* ABOUT_ROUTING: all bits; ABOUT_MARK, ABOUT_CONNECTIONS */
	uint32_t table; /* ABOUT_TABLE */
	bool is_copy;   /* ABOUT_TABLE */
	/* ABOUT_WAITS: the process (state/pending.h), whose, and when. */
	int64_t pid, until;
	uint64_t started;
	uint32_t uid;
};

/* The rules of the chain, one a line, indented by two tabs. Each comment is shorter than nft's
 * limit of 128 bytes (NFTNL_UDATA_COMMENT_MAXLEN) for names that the language allows. */
void about_put(const struct emit_job *job, struct buf *out);
/* The text of the line of the policy, and of that of a set. */
void about_put_policy(const struct ir *ir, struct buf *out);
void about_put_set(const struct ir_set *set, const char *name, struct buf *out);
/* Reads one comment; false for one that is none of ours. */
bool about_parse(const char *comment, struct about_line *out);
/* The routing tables that hold routes of ours, ascending, each once; in the arena. */
uint32_t *about_tables(struct arena *arena, const struct ir *ir, size_t *count);

#endif
