/*
 * source: a text that a person wrote, and places in it.
 *
 * In comes a file (or standard input, or bytes), out comes its text, NUL-terminated, and the line
 * and column of any byte. A span is a half-open range of bytes in one source; a span without a
 * source is "no place".
 */
#ifndef TPC_BASE_SOURCE_H
#define TPC_BASE_SOURCE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

struct arena;
struct diag;

struct source {
	const char *name; /* as the user named it: what messages show; "-" is shown as "<stdin>" */
	const char *text; /* `size` bytes and a NUL; may hold any byte */
	size_t size;
	unsigned int order; /* sources are numbered in the order they were opened: messages sort by
			       it */
	uint32_t *lines;    /* offset of the first byte of each line */
	size_t line_count;
	uint32_t *breaks; /* the same by YAML's idea of a line's end; `lines` itself when both agree
			   */
	size_t break_count;
	uint32_t *inside; /* how many bytes before byte k * 1024 continue a character: makes columns
			     cheap */
};

struct span {
	const struct source *source;
	uint32_t begin, end;
};

struct place {
	unsigned int line, column; /* from 1; columns count characters (code points), not bytes */
};

/* The most a policy file may hold. */
#define SOURCE_LIMIT (64u << 20)

/*
 * Reads a file whole; "-" and /dev/stdin are standard input. What is no ordinary file (a directory,
 * a pipe, a device, a file below /proc), files over `limit` bytes and whatever the system refuses
 * are errors at `wanted_by` (the place that names the file, may be without a source), with the
 * system's reason in words. Returns NULL then.
 */
struct source *source_read(struct arena *arena, struct diag *diag, const char *path, size_t limit,
			   struct span wanted_by);
/*
 * For who reads piece by piece: the file's descriptor, which is the caller's to close, and its
 * size. -1 where source_read would refuse it; the error is the same.
 */
int source_open(struct arena *arena, struct diag *diag, const char *path, size_t limit,
		struct span wanted_by, size_t *size);
/* As read, but interrupted by nothing. */
ssize_t source_get(int fd, void *into, size_t room);
/* Is the path one of standard input's names? */
bool source_is_stdin(const char *path);
/* A source from bytes in memory, which are copied. */
struct source *source_from(struct arena *arena, const char *name, const char *text, size_t size);
/* The same from bytes that stay where they are: in the arena, with a NUL after them. */
struct source *source_wrap(struct arena *arena, const char *name, const char *text, size_t size);

struct place source_place(const struct source *source, uint32_t offset);
/* The byte offset of line `line` (from 0), character `column` (from 0): what libyaml's marks count.
 */
uint32_t source_offset(const struct source *source, size_t line, size_t column);
/* The byte where the character begins that is `characters` after (or before) the one at offset;
 * stops at both ends. */
uint32_t source_walk(const struct source *source, uint32_t offset, ptrdiff_t characters);
/* One line without its end; `line` from 1. */
const char *source_line(const struct source *source, unsigned int line, size_t *length);

#endif
