/*
 * known: marks, routing tables and priorities of ip rules that other programs are known to use:
 * known.def, looked up by number. What is given out avoids them, what the author gave is warned of.
 */
#ifndef TPC_LANG_AST_KNOWN_H
#define TPC_LANG_AST_KNOWN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct known_mark {
	const char *program;
	uint32_t value, mask; /* a value of 0: any but 0 */
};

struct known_range {
	const char *program;
	uint32_t first, last;
};

const struct known_mark *known_marks(size_t *count);
/* Would the program take a packet with this mark for one of its own? */
bool known_takes(const struct known_mark *known, uint32_t value, uint32_t mask);
/* The first one that uses the number, or NULL. */
const struct known_range *known_table(uint32_t id);
const struct known_range *known_priority(uint32_t priority);

#endif
