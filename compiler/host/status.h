/*
 * status: the applied policies of this host and their drift. Reads only.
 */
#ifndef TPC_HOST_STATUS_H
#define TPC_HOST_STATUS_H

#include <stdbool.h>
#include <stddef.h>

#include "host/host.h"

struct arena;
struct pending;
struct report;

struct status_policy {
	const char *name;
	const struct record *record; /* NULL: it was loaded by hand, or its record is gone */
	const struct ir *applied;    /* what its last apply has kept, or NULL */
	struct observed observed;
	struct ir_row *rows; /* of listeners, as they are now */
	size_t row_count;
	const char *unmarked; /* what is refused without a mark, so without nft, too; or NULL */
	const struct pending *pending; /* its last apply waits for a confirmation; or NULL */
	bool is_open;                  /* it waits, also where no watchdog is left */
	/* Warnings, with the command that fixes each: */
	struct report *problems; /* all that does not hold */
	struct report *drift;    /* of it: what apply has put there and is gone or changed */
};

struct status {
	const char *folder;             /* where records are, NULL when there are none */
	struct status_policy *policies; /* by name */
	size_t count;
	const char **names; /* of all that is applied, whatever was asked for */
	size_t name_count;
};

/* All policies, or the one of this name. False with a line in the report when the system cannot be
 * asked. */
bool status_read(struct arena *arena, struct report *report, const char *only, struct status *out);

#endif
