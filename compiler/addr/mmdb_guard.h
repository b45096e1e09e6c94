/*
 * mmdb_guard: may libmaxminddb follow what a file in the MaxMind DB format (version 2) says?
 *
 * The library follows maps, arrays and pointers as deep as the file says, on its stack, and as
 * often as pointers lead there. So whatever is handed to it is walked here first: nothing recurses,
 * a pointer leads to a value and never to another pointer, and the bytes that are read for one file
 * are counted. A damaged file is an error after a time that is proportional to its size.
 */
#ifndef TPC_ADDR_MMDB_GUARD_H
#define TPC_ADDR_MMDB_GUARD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* A part of the file that holds values; pointers count from its first byte. */
struct mmdb_section {
	const unsigned char *bytes;
	uint64_t size;
	uint64_t reads; /* bytes that may still be read; one that is read twice counts twice */
};

enum mmdb_guard_status { MMDB_GUARD_GOOD, MMDB_GUARD_NO_DATABASE, MMDB_GUARD_DAMAGED };

/*
 * The description at the end of a file, which MMDB_open reads; *records_end is where what stands
 * before it ends. NO_DATABASE: there is none, or its end is missing.
 */
enum mmdb_guard_status mmdb_guard_description(const unsigned char *bytes, size_t size,
					      size_t *records_end);
/* The data section, which the library takes to go on to the end of the file. */
struct mmdb_section mmdb_guard_section(const unsigned char *begin, const unsigned char *end);
/* From a pointer to the value that it leads to; a value stays. False: damaged. */
bool mmdb_guard_follow(struct mmdb_section *section, uint64_t *offset);
/*
 * May keys be looked up in the value at `offset`, which is no pointer? Pointers in it are not
 * followed, as the library follows one alone to a key or to the value that it finds. False:
 * damaged, or more was read by now than a whole file can need.
 */
bool mmdb_guard_value(struct mmdb_section *section, uint64_t offset);

#endif
