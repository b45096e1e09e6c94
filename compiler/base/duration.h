/*
 * duration: times as the language has them: "1d2h30m5s".
 */
#ifndef TPC_BASE_DURATION_H
#define TPC_BASE_DURATION_H

#include <stdint.h>

/* Seconds; each unit once at most, the larger ones first. 0 when it is none. */
uint64_t duration_parse(const char *text);

#endif
