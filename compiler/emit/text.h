/*
 * text: words of a policy inside the syntax of other programs. Whatever a name holds, it stays a
 * name: it ends no comment, no string and no shell word.
 */
#ifndef TPC_EMIT_TEXT_H
#define TPC_EMIT_TEXT_H

struct buf;

/* Inside a '#' comment: control characters, which could end the line, become '?'. */
void text_put_comment(struct buf *out, const char *text);
/* The inside of an nft string: nft has no escapes there, so quotes, '$' (a variable) and control
 * characters become '?'. */
void text_put_nft_string(struct buf *out, const char *text);
/* One word of a POSIX shell, in single quotes. */
void text_put_shell(struct buf *out, const char *text);
/* The same without quotes where none are needed: also a word of an `ip -batch` file. */
void text_put_word(struct buf *out, const char *text);

#endif
