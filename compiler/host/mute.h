/*
 * mute: echo requests that this host is to answer (`then: answer`) while it answers none.
 */
#ifndef TPC_HOST_MUTE_H
#define TPC_HOST_MUTE_H

struct arena;
struct ir;
struct report;

/* A warning for each family in which rules answer, and a setting of the kernel's keeps it silent.
 */
void mute_tell(struct arena *arena, struct report *report, const struct ir *ir);

#endif
