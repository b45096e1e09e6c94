/*
 * lang: from a policy file to the ir, with every error on the way.
 */
#ifndef TPC_LANG_LANG_H
#define TPC_LANG_LANG_H

#include "ir/host.h"

struct arena;
struct buf;
struct diag;
struct ir;

/* The host that the policy is for, where it can be asked: which listeners have no socket. */
struct lang_host {
	ir_why_gone *why_gone;
	void *user;
};

/*
 * Reads the policy (path, or "-" for standard input) and all that it includes, checks it, lowers
 * it, and evaluates its expectations. Errors and warnings are added to diag. Returns NULL when
 * there was an error in reading or checking. `host` may be NULL: then listeners in a row are the
 * first ones.
 */
struct ir *lang_compile(struct arena *arena, struct diag *diag, const char *path,
			const struct lang_host *host);
/* The same without its expectations, and without looking for what may surprise in its rules: for
 * who asks what the policy does, also where that is not what was expected. */
struct ir *lang_lower(struct arena *arena, struct diag *diag, const char *path,
		      const struct lang_host *host);

/*
 * The language's own field tables as text, one line a key: "rule to", "listener tproxy". For the
 * check that the schema and the compiler say the same.
 */
void lang_put_fields(struct buf *out);

#endif
