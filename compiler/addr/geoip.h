/*
 * geoip: which addresses are a country's, from databases in the MaxMind DB format.
 *
 * In comes the path of a .mmdb file, out come the networks of every country in it. A database is
 * read once in a compilation, however many sets name it. The country of a network is where it is
 * used (`country`), not where it is registered. Networks of IPv4 come out as IPv4 and once: other
 * ways into them that a tree for IPv6 has (IPv4-mapped, 6to4, Teredo) are no networks of IPv6.
 */
#ifndef TPC_ADDR_GEOIP_H
#define TPC_ADDR_GEOIP_H

#include <stdbool.h>
#include <stddef.h>

#include "addr/addr.h"
#include "addr/country.h"
#include "base/source.h"

struct diag;

/* The most a database may hold. */
#define GEOIP_LIMIT (512u << 20)

struct geoip_database {
	const char *path;
	bool good; /* it was read, and it knows countries */
	struct addr_set countries[COUNTRY_COUNT];
};

/* The databases that were read so far. Begins zeroed. */
struct geoip {
	struct geoip_database **databases;
	size_t count;
};

/*
 * The database at `path`, which is ready to open. NULL when it cannot be used: the error is at
 * `wanted_by` of whoever asked first.
 */
const struct geoip_database *geoip_read(struct geoip *geoip, struct arena *arena, struct diag *diag,
					const char *path, struct span wanted_by);

#endif
