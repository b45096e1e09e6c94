/*
 * ordinary: opens files that hold bytes, and never waits for what is no such file.
 *
 * A pipe or a terminal would be waited for, opening some devices does something by itself, and what
 * the kernel makes at each reading (/proc, /sys) is another text a moment later. All are recognised
 * by their kind before they are opened.
 */
#ifndef TPC_BASE_ORDINARY_H
#define TPC_BASE_ORDINARY_H

#include <sys/stat.h>

/* "a pipe", "a directory" ...; NULL for a file that holds bytes. */
const char *ordinary_kind(mode_t mode);
/*
 * Opens `path` for reading, `flags` beside O_RDONLY: a descriptor, and *info of it. Else -1:
 * *kind says what it is where it is no ordinary file, and is NULL where errno says why not.
 */
int ordinary_open(const char *path, int flags, struct stat *info, const char **kind);

#endif
