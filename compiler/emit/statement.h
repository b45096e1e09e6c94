/*
 * statement: what an nft rule does, in nft's words.
 */
#ifndef TPC_EMIT_STATEMENT_H
#define TPC_EMIT_STATEMENT_H

struct buf;
struct ir_statement;

/* The statement without spaces around it. */
void statement_put(const struct ir_statement *statement, const char *set_name, struct buf *out);

#endif
