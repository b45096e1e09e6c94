/*
 * which: the policy that a verb with [NAME] is about, where NAME may be left out.
 */
#ifndef TPC_CMD_WHICH_H
#define TPC_CMD_WHICH_H

#include <stddef.h>

#include "cmd/cmd.h"

struct report;

enum which {
	WHICH_ONE,
	WHICH_NONE,    /* there is none */
	WHICH_UNKNOWN, /* the system cannot be asked; the report says why */
	WHICH_WRONG,   /* no name at all, or one is needed; that was said */
};

/* The one that was named, or the only one that is applied. */
enum which which_policy(const struct cmd_call *call, struct report *report, const char **name);
/* The one that was named, or the only one of these. */
enum which which_of(const struct cmd_call *call, const char *const *names, size_t count,
		    const char **name);

#endif
