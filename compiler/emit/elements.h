/*
 * elements: the declaration and the contents of sets in nft's words.
 */
#ifndef TPC_EMIT_ELEMENTS_H
#define TPC_EMIT_ELEMENTS_H

struct buf;
struct emit_job;
struct ir_set;
struct ir_target;

/* The set's name in nft. NULL: there is no set, or it is the map of one rule alone. */
const char *elements_name(const struct emit_job *job, const struct ir_set *set);
/* The set's declaration inside `table inet X { }`, indented by a tab. */
void elements_declare(const struct emit_job *job, const struct ir_set *set, struct buf *out);
/* Statements that make the set hold exactly its elements, whatever it held before; a dynamic one,
 * them as well. Not inside a table block. */
void elements_fill(const struct ir_set *set, const char *table, struct buf *out);

/* The verdict of an element of a map. */
void elements_put_target(const struct ir_target *target, struct buf *out);

#endif
