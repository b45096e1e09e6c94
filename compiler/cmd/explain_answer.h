/*
 * explain_answer: the verdict of one packet and its reasons, ready to print.
 *
 * The outcome (verdict, mark, routing, listener) is the optimised ir's; the rule, and what failed
 * before it, are found in the ir that has a rule for every rule of the policy.
 */
#ifndef TPC_CMD_EXPLAIN_ANSWER_H
#define TPC_CMD_EXPLAIN_ANSWER_H

#include "base/buf.h"
#include "cmd/cmd.h"
#include "ir/lookup.h"
#include "ir/trace.h"

struct explain_text;
struct json;

/* How many of a choice's packets get which table, or which listener. */
struct explain_share {
	const char *name;
	size_t count;
};

struct explain_shares {
	const struct ir_statement *choice;
	struct explain_share *items;
	size_t count;
	const struct ir_listener **listeners; /* of the items, or none: then they are tables */
	size_t listener_count;
	struct explain_shares *next;
};

struct explain_lack {
	const struct trace_rule *first;
	size_t count;
};

/* Made once for a policy. */
struct explain {
	struct arena *arena;
	const struct ir *ir;            /* what is carried out */
	int level;                      /* its optimisation */
	const struct ir_walker *walker; /* of it */
	struct trace *trace;            /* of the plain one */
	struct explain_text **texts;    /* of the trace's rules: what was said of them before */
	struct explain_shares *shares;  /* of the choices that came up */
	struct explain_lack *lacks;     /* what explain_lacks gave last */
};

struct explain_answer {
	const struct ir_packet *packet;
	struct ir_outcome outcome;
	const char *verdict;                /* direct, proxy, route, balance, mark, drop, reject */
	const char *target;                 /* the listener's or the table's name, or NULL */
	const struct trace_rule *rule;      /* NULL for the default */
	const struct trace_rule *otherwise; /* the default as a rule, or NULL */
	const char *reason;                 /* without a rule: why, in words */
	const struct ir_class *class;       /* whose mark the packet gets, or NULL */
	struct lookup lookup;               /* of a packet with a class */
	const struct ir_listener *listener;
	const struct ir_row *row;            /* of listeners, of which this is one; or NULL */
	const char *found_by;                /* the condition's key that found it, or "" */
	const struct ir_set *set;            /* that the rule found the packet in, or NULL */
	const struct explain_shares *shares; /* of verdict balance, else NULL */
	struct buf *element; /* its element, or the rule's own address or port; empty: none */
};

struct explain explain_new(struct arena *arena, const struct ir *plain, const struct ir *optimised);
/* `element` is emptied and filled. The answer is good until the next packet. */
struct explain_answer explain_packet(struct explain *explain, const struct ir_packet *packet,
				     struct buf *element);

/* ---- words ---- */

/* Is the packet handed to an address of the listener's? Not where it is redirected: then the
 * address is that of the interface. */
bool explain_has_address(const struct explain_answer *answer);
/* Is the rule one that the packet was not for, or that it passed on its way? */
bool explain_is_before(const struct explain *explain, const struct explain_answer *answer,
		       const struct trace_rule *rule);
/* Did it take the packet, only to go on? */
bool explain_passed(const struct explain *explain, const struct trace_rule *rule);
/*
 * What of the rule did not hold, in one line: the condition as the author wrote it, "to: foreign";
 * "scope: local"; what follows from another condition as nft has it. NULL where no packet can fit
 * the rule at all.
 */
const char *explain_condition(const struct explain *explain, const struct explain_answer *answer,
			      const struct trace_rule *rule);
/*
 * The nth list that the rule names and the packet is in: its name, the condition's key, and, put
 * into *out, its element. False after the last.
 */
bool explain_list(const struct explain_answer *answer, size_t nth, const char **key,
		  const char **name, struct buf *out);
/* The author's condition that it is, or NULL. */
const struct ir_authored_condition *explain_blamed(const struct explain *explain,
						   const struct explain_answer *answer,
						   const struct trace_rule *rule);
/* For each of match_keys: the rules whose condition on it did not hold because the question left
 * out what it asks for. Good until the next packet. */
const struct explain_lack *explain_lacks(struct explain *explain,
					 const struct explain_answer *answer);

/* ---- explain_json.c, explain_words.c, explain_live.c ---- */

/* The members of an object; `line` is the packet's in a batch, 0 for none. */
void explain_put_json(struct explain *explain, const struct explain_answer *answer,
		      unsigned int line, struct json *out);
void explain_put_words(struct explain *explain, const struct explain_answer *answer,
		       struct buf *out);
/* One line of a batch. */
void explain_put_line(struct explain *explain, const struct explain_answer *answer,
		      unsigned int line, struct buf *out);
/* ---- this host ---- */

struct explain_live;
/* CMD_DONE, or, when the host cannot be asked, which was said, CMD_SYSTEM_REFUSED; so it is with
 * all of them. */
enum cmd_status explain_live_open(const struct cmd_call *call, const struct explain *explain,
				  struct explain_live **out);
void explain_live_close(struct explain_live *live);
/* Before explain_packet: puts what this host knows into the packet. `arena` keeps the answer. */
enum cmd_status explain_live_begin(struct explain_live *live, struct arena *arena,
				   struct ir_packet *packet);
/* After it. CMD_DIFFERENCE where the host differs. */
enum cmd_status explain_live_finish(struct explain_live *live, const struct explain_answer *answer);
/* For the end of the answer: text, or the member "live" of its object. */
void explain_live_put(const struct explain_live *live, bool is_batch, struct buf *out);
void explain_live_put_json(const struct explain_live *live, struct json *out);

#endif
