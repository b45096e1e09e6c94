/*
 * timezone: from what the clock on the wall shows to what the kernel's clock counts.
 *
 * The zone is the host's, what /etc/localtime says; the variable TZ is not asked. A window that
 * begins in an hour that daylight saving skips begins when the clock jumps, and one that ends in it
 * ends then; one that begins in an hour that comes twice begins the first time, and one that ends
 * in it ends the second time.
 */
#ifndef TPC_KERNEL_TIMEZONE_H
#define TPC_KERNEL_TIMEZONE_H

struct arena;
struct ir;
struct report;

/*
 * Makes the ir's sets of local seconds sets of nanoseconds since 1970-01-01 00:00 UTC, and names
 * its contents anew: another zone is another policy. Warns of a clock that was never set, and of
 * sets whose windows have all closed.
 */
void timezone_localise(struct arena *arena, struct report *report, struct ir *ir);

#endif
