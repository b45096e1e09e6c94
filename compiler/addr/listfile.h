/*
 * listfile: a file of addresses, prefixes and ranges, one a line, into a set.
 *
 * '#' and ';' begin comments, blank lines are nothing, CRLF and a BOM are accepted, and so is text
 * after white space after the first word. Every bad line is an error of its own at its place in
 * that file (after 20 of them, one line says how many more). The file is named relative to the
 * folder of the policy that names it.
 */
#ifndef TPC_ADDR_LISTFILE_H
#define TPC_ADDR_LISTFILE_H

#include <stdbool.h>

#include "addr/addr.h"
#include "base/source.h"

struct diag;

/* The most a list file may hold. */
#define LISTFILE_LIMIT (512u << 20)

/* Adds the file's entries to `set` (not normalised). `path` is ready to open. False when there was
 * an error. */
bool listfile_read(struct arena *arena, struct diag *diag, const char *path, struct span wanted_by,
		   struct addr_set *set);

#endif
