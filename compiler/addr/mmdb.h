/*
 * mmdb: what a file in the MaxMind DB format (version 2) holds: a tree over the bits of addresses,
 * and the records that its leaves point to.
 *
 * In come the bytes of a whole file, of which nothing is trusted, out come nodes and values of
 * maps. Nothing here recurses, a pointer leads to a value and never to another pointer, and the
 * bytes that are read for one file are counted: a damaged file is an error after a time that is
 * proportional to its size.
 */
#ifndef TPC_ADDR_MMDB_H
#define TPC_ADDR_MMDB_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* A part of the file that holds values; pointers count from its first byte. */
struct mmdb_section {
	const unsigned char *bytes;
	uint64_t size;
	uint64_t reads; /* bytes that may still be read; one that is read twice counts twice */
};

/* The types of values that are of use here, as the format numbers them. */
enum mmdb_type { MMDB_TEXT = 2, MMDB_MAP = 7 };

struct mmdb_value {
	bool is_there;
	unsigned int type;          /* enum mmdb_type, or another of the format's */
	const unsigned char *bytes; /* of a text or a number */
	uint64_t size;              /* its bytes, or the pairs of a map */
	uint64_t offset;            /* of a map: its head in the section */
};

struct mmdb {
	const unsigned char *tree;
	uint64_t node_count;
	unsigned int record_size; /* bits: 24, 28 or 32 */
	unsigned int depth;       /* bits of an address: 32 or 128 */
	struct mmdb_value kind;   /* "GeoLite2-Country", a text */
	struct mmdb_section data;
};

enum mmdb_status { MMDB_GOOD, MMDB_NONE, MMDB_NEWER, MMDB_DAMAGED };

/* NONE: the file is no database, or its end is missing. NEWER: a version that is not read here.
 * `bytes` stay in use. */
enum mmdb_status mmdb_open(struct mmdb *mmdb, const unsigned char *bytes, size_t size);
/* Both sides of a node below node_count: the number of a node, node_count for nothing, or more for
 * a record. */
void mmdb_read_node(const struct mmdb *mmdb, uint64_t number, uint64_t sides[2]);
/* Where a side's record is in the data section; false when it is outside of it. */
bool mmdb_find_record(const struct mmdb *mmdb, uint64_t side, uint64_t *offset);
/* From a pointer to the value that it leads to; a value stays. False: damaged. */
bool mmdb_follow(struct mmdb_section *section, uint64_t *offset);
/*
 * The value of `key` in the map at `offset`. A value that is no map has no key. False: damaged, or
 * more was read by now than a file that is whole can need.
 */
bool mmdb_find_key(struct mmdb_section *section, uint64_t offset, const char *key,
		   struct mmdb_value *found);

#endif
