/*
 * packet: a packet as it is typed: in=lan0 to=203.0.113.8 proto=tcp port=443.
 *
 * The keys and values are those of `expect: packet`. A value with spaces stands in quotes, single
 * or double, as a shell takes them.
 */
#ifndef TPC_LANG_PACKET_H
#define TPC_LANG_PACKET_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "ir/packet.h"

struct arena;
struct diag;
struct ir;
struct source;

/* One word, KEY=VALUE without quotes, and where it stands. */
struct packet_word {
	const char *text;
	uint32_t begin, end;
};

/*
 * All errors of the words are added, each at its place in the source. What the packet points to
 * lives in the arena, or is the words' own text; the errors do not.
 */
bool packet_read(struct arena *arena, struct diag *diag, const struct source *source,
		 const struct packet_word *words, size_t count, struct ir_packet *out);
/* Does every word that the packet was read from mean to the policy what it seems to: is what stands
 * for an interface no group of them? The errors are added. */
bool packet_check_groups(struct arena *arena, struct diag *diag, const struct source *source,
			 const struct packet_word *words, size_t count, const struct ir *ir);
/* Are these bytes plain text? One error if not. */
bool packet_check_text(struct diag *diag, const struct source *source, uint32_t begin,
		       uint32_t end);
/* The words of the bytes begin..end of the source: one line. False after an error. */
bool packet_split(struct arena *arena, struct diag *diag, const struct source *source,
		  uint32_t begin, uint32_t end, struct packet_word **words, size_t *count);

#endif
