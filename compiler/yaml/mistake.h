/*
 * mistake: what libyaml says of text that is not YAML, in words that help.
 */
#ifndef TPC_YAML_MISTAKE_H
#define TPC_YAML_MISTAKE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/source.h"

struct arena;
struct diag;

struct mistake {
	struct arena *arena;
	struct diag *diag;
	const struct source *source;
	const char *problem, *context; /* libyaml's words */
	uint32_t at;                   /* where it gave up */
	uint32_t from; /* where what it was reading began; `at` if it does not say */
	bool has_opener;
	uint32_t opener; /* the innermost bracket that is open */
};

/* Adds the error. */
void mistake_report(const struct mistake *mistake);

#endif
