/*
 * file_kind: files that are something else than what they are named for. In come the bytes of a
 * file, out comes what they are: packed, a database, another encoding, the text of another program.
 */
#ifndef TPC_ADDR_FILE_KIND_H
#define TPC_ADDR_FILE_KIND_H

#include <stdbool.h>
#include <stddef.h>

struct file_kind {
	const char *what; /* "packed by gzip" */
	const char *help; /* "unpack it: zcat OLD > NEW" */
	bool may_be_mmdb; /* a MaxMind DB, or what may be left of one */
};

/* NULL when there is nothing to say. The first 64 KiB are enough for all but a MaxMind DB, which
 * shows at its end. */
const struct file_kind *file_kind_of(const char *text, size_t size);

#endif
