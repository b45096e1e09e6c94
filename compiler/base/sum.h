/*
 * sum: names bytes by 64 bits, so that others are told from them. Word by word, as FNV-1a goes byte
 * by byte: quick, and no guard against malice. The same on hosts of one byte order.
 */
#ifndef TPC_BASE_SUM_H
#define TPC_BASE_SUM_H

#include <stddef.h>
#include <stdint.h>

/* `before`: the sum of what stands before these bytes, or 0. */
uint64_t sum_of(uint64_t before, const void *bytes, size_t length);

#endif
