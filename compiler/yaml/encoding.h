/*
 * encoding: is a text fit to be read at all? UTF-8, and no characters that a person cannot see.
 */
#ifndef TPC_YAML_ENCODING_H
#define TPC_YAML_ENCODING_H

#include <stdbool.h>
#include <stdint.h>

struct diag;
struct source;

/* Adds an error for every bad place (20 at most); false when there was one. */
bool encoding_check(struct diag *diag, const struct source *source);
/* Why the character may not be in a policy ("a control character"), or NULL. */
const char *encoding_refuses(uint32_t c);

#endif
