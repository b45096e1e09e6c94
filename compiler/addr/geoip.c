/*
 * geoip: a MaxMind DB into a set of addresses for every country.
 *
 * The file is a binary tree over the bits of addresses, whose leaves point to records. It is walked
 * once, the 0 side first and every node once: so IPv4, which lies below ::/96, is met before the
 * nodes elsewhere that lead back to it, and a damaged tree cannot keep us. Many networks share a
 * record, so its country is looked up once. Nothing of the file is trusted.
 */
#include "addr/geoip.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "addr/mmdb.h"
#include "base/arena.h"
#include "base/diag.h"

/* What is known of a record: nothing yet, that it has no country, that it has one which is none of
 * ours (EU, say), or GEOIP_FIRST and the number of its country. */
enum { GEOIP_UNSEEN, GEOIP_WITHOUT, GEOIP_OTHER, GEOIP_FIRST };
_Static_assert(GEOIP_FIRST + COUNTRY_COUNT - 1 <= UINT8_MAX, "what is known of a record is a byte");

enum { GEOIP_TYPE_SHOWN = 60 };

struct geoip_walk {
	struct arena *arena;
	struct geoip_database *database;
	struct mmdb mmdb;
	unsigned char *nodes; /* a bit for each: has been visited */
	uint8_t *answers;     /* one for every offset in the data section */
	uint64_t ipv4_root;   /* the node of ::/96; no node of any tree until it is met */
	bool has_countries;
};

/* ---- records ---- */

static bool geoip_is_text(const struct mmdb_value *value)
{
	return value->is_there && value->type == MMDB_TEXT;
}

/*
 * The country of a record, by the shapes that publishers have: {country: {iso_code}} (MaxMind,
 * DB-IP), {country_code} (ip-location-db, IPinfo), {country} of two letters (IPinfo).
 */
static bool geoip_find_country(struct geoip_walk *walk, uint64_t offset, uint8_t *answer)
{
	struct mmdb_section *data = &walk->mmdb.data;
	struct mmdb_value country, code = { 0 };
	int number;

	if (!mmdb_find_key(data, offset, "country", &country))
		return false;
	if (country.is_there && country.type == MMDB_MAP &&
	    !mmdb_find_key(data, country.offset, "iso_code", &code))
		return false;
	if (!geoip_is_text(&code) && !mmdb_find_key(data, offset, "country_code", &code))
		return false;
	if (!geoip_is_text(&code) && geoip_is_text(&country) && country.size == 2)
		code = country;
	*answer = GEOIP_WITHOUT;
	if (!geoip_is_text(&code))
		return true;
	number = country_find((const char *)code.bytes, code.size);
	*answer = (uint8_t)(number == COUNTRY_NONE ? GEOIP_OTHER : GEOIP_FIRST + number);
	return true;
}

/* ---- the tree ---- */

/* Networks come in the order of their addresses, so most continue the one before. */
static void geoip_put(struct arena *arena, struct interval_set *set, addr_bits first,
		      addr_bits last)
{
	struct interval *top = set->count ? &set->items[set->count - 1] : NULL;

	if (top && top->last + 1 == first)
		top->last = last;
	else
		interval_add(arena, set, first, last);
}

static void geoip_add_network(struct geoip_walk *walk, uint8_t answer, addr_bits first,
			      addr_bits last)
{
	struct addr_set *set = &walk->database->countries[answer - GEOIP_FIRST];
	addr_bits ipv4_last = addr_last(ADDR_IPV4);

	if (first <= ipv4_last)
		geoip_put(walk->arena, &set->family[ADDR_IPV4], first,
			  last < ipv4_last ? last : ipv4_last);
	if (last > ipv4_last)
		geoip_put(walk->arena, &set->family[ADDR_IPV6],
			  first > ipv4_last ? first : ipv4_last + 1, last);
}

/* A record that others point to is read once, too. */
static bool geoip_read_record(struct geoip_walk *walk, uint64_t offset, uint8_t *answer)
{
	uint8_t *known;

	if (!mmdb_follow(&walk->mmdb.data, &offset))
		return false;
	known = &walk->answers[offset];
	if (*known == GEOIP_UNSEEN && !geoip_find_country(walk, offset, known))
		return false;
	*answer = *known;
	return true;
}

static bool geoip_read_leaf(struct geoip_walk *walk, uint64_t side, addr_bits first, addr_bits last)
{
	uint64_t offset;
	uint8_t *answer;

	if (!mmdb_find_record(&walk->mmdb, side, &offset))
		return false;
	answer = &walk->answers[offset];
	if (*answer == GEOIP_UNSEEN && !geoip_read_record(walk, offset, answer))
		return false;
	walk->has_countries |= *answer >= GEOIP_OTHER;
	if (*answer >= GEOIP_FIRST)
		geoip_add_network(walk, *answer, first, last);
	return true;
}

static bool geoip_walk_node(struct geoip_walk *walk, uint64_t number, addr_bits first,
			    unsigned int depth);

/* One side of a node: a network of `length` bits. */
static bool geoip_walk_side(struct geoip_walk *walk, uint64_t side, addr_bits first,
			    unsigned int length)
{
	if (side < walk->mmdb.node_count)
		return geoip_walk_node(walk, side, first, length);
	if (side == walk->mmdb.node_count)
		return true;
	return geoip_read_leaf(walk, side, first,
			       first | (((addr_bits)1 << (walk->mmdb.depth - length)) - 1));
}

/* The only node that two ways may lead to is IPv4's: the others into it are its aliases in IPv6. */
static bool geoip_is_alias(const struct geoip_walk *walk, uint64_t number, addr_bits first)
{
	return number == walk->ipv4_root && first > addr_last(ADDR_IPV4);
}

static bool geoip_walk_node(struct geoip_walk *walk, uint64_t number, addr_bits first,
			    unsigned int depth)
{
	unsigned char *byte = &walk->nodes[number / 8], bit = (unsigned char)(1u << number % 8);
	uint64_t sides[2];
	addr_bits second;

	if (*byte & bit)
		return geoip_is_alias(walk, number, first);
	*byte |= bit;
	if (first == 0 && walk->mmdb.depth - depth == addr_width(ADDR_IPV4))
		walk->ipv4_root = number;
	if (depth >= walk->mmdb.depth)
		return false;
	mmdb_read_node(&walk->mmdb, number, sides);
	second = first | (addr_bits)1 << (walk->mmdb.depth - 1 - depth);
	return geoip_walk_side(walk, sides[0], first, depth + 1) &&
	       geoip_walk_side(walk, sides[1], second, depth + 1);
}

static bool geoip_walk_all(struct geoip_walk *walk)
{
	size_t node_bytes = (size_t)walk->mmdb.node_count / 8 + 1;
	size_t answer_bytes = (size_t)walk->mmdb.data.size + 1;
	bool good;

	walk->nodes = calloc(node_bytes, 1);
	walk->answers = calloc(answer_bytes, 1);
	if (!walk->nodes || !walk->answers)
		arena_exhausted(node_bytes + answer_bytes);
	good = geoip_walk_node(walk, 0, 0, 0);
	free(walk->nodes);
	free(walk->answers);
	return good;
}

/* ---- the file ---- */

/* A file, and where to say what is wrong with it. */
struct geoip_job {
	struct diag *diag;
	const char *path;
	struct span wanted_by;
};

static bool geoip_is_packed(const unsigned char *bytes, size_t size)
{
	static const char *const heads[] = { "\x1f\x8b", "PK", "BZ", "\xfd\x37", "(\xb5" };

	for (size_t i = 0; size >= 2 && i < sizeof(heads) / sizeof(heads[0]); i++)
		if (!memcmp(bytes, heads[i], 2))
			return true;
	return false;
}

static bool geoip_refuse(struct geoip_job *job, const char *what, const char *help)
{
	diag_help(diag_add(job->diag, DIAG_geoip_database, job->wanted_by, "\"%s\" %s", job->path,
			   what),
		  "%s", help);
	return false;
}

static bool geoip_refuse_kind(struct geoip_job *job, const struct mmdb_value *kind)
{
	int shown = kind->size < GEOIP_TYPE_SHOWN ? (int)kind->size : GEOIP_TYPE_SHOWN;

	diag_help(diag_add(job->diag, DIAG_geoip_database, job->wanted_by,
			   "\"%s\" knows no countries: its kind is \"%.*s\"", job->path, shown,
			   (const char *)kind->bytes),
		  "use a database of countries or cities");
	return false;
}

/* Finds out what the file is, and says so where that is no database. */
static bool geoip_open(struct geoip_walk *walk, struct geoip_job *job, const unsigned char *bytes,
		       size_t size)
{
	switch (mmdb_open(&walk->mmdb, bytes, size)) {
	case MMDB_GOOD:
		return true;
	case MMDB_DAMAGED:
		return geoip_refuse(job, "is damaged: its description is not whole",
				    "fetch it again");
	case MMDB_NEWER:
		return geoip_refuse(job, "has another version of the format than 2",
				    "name a file in version 2 of the MaxMind DB format");
	case MMDB_NONE:
		break;
	}
	if (geoip_is_packed(bytes, size))
		return geoip_refuse(job, "is packed, and not a MaxMind DB as it is",
				    "unpack it, and name the .mmdb file");
	return geoip_refuse(job, "is no MaxMind DB, or its end is missing",
			    "name a .mmdb file; if it is one, fetch it again");
}

static bool geoip_read_bytes(struct geoip_walk *walk, struct geoip_job *job,
			     const unsigned char *bytes, size_t size)
{
	if (!geoip_open(walk, job, bytes, size))
		return false;
	if (!geoip_walk_all(walk))
		return geoip_refuse(job, "is damaged: its tree or its records are not whole",
				    "fetch it again");
	if (!walk->has_countries)
		return geoip_refuse_kind(job, &walk->mmdb.kind);
	for (int i = 0; i < COUNTRY_COUNT; i++)
		addr_set_normalise(&walk->database->countries[i]);
	return true;
}

/* The file is read and not mapped: who cuts it short meanwhile would end us with a signal. */
static bool geoip_read_file(struct geoip_walk *walk, struct geoip_job *job)
{
	size_t room, size = 0;
	unsigned char *bytes;
	ssize_t got = 0;
	bool good;
	int fd = source_open(walk->arena, job->diag, job->path, GEOIP_LIMIT, job->wanted_by, &room);

	if (fd < 0)
		return false;
	bytes = malloc(room + 1);
	if (!bytes)
		arena_exhausted(room + 1);
	while (size < room && (got = source_get(fd, bytes + size, room - size)) > 0)
		size += (size_t)got;
	close(fd);
	good = got < 0 ? geoip_refuse(job, "cannot be read: the disk refuses",
				      "look at the system's log")
		       : geoip_read_bytes(walk, job, bytes, size);
	free(bytes);
	return good;
}

const struct geoip_database *geoip_read(struct geoip *geoip, struct arena *arena, struct diag *diag,
					const char *path, struct span wanted_by)
{
	struct geoip_walk walk = { .arena = arena, .ipv4_root = UINT64_MAX };
	struct geoip_job job = { diag, path, wanted_by };

	for (size_t i = 0; i < geoip->count; i++)
		if (!strcmp(geoip->databases[i]->path, path))
			return geoip->databases[i]->good ? geoip->databases[i] : NULL;
	walk.database = arena_new_of(arena, struct geoip_database);
	walk.database->path = path;
	walk.database->good = geoip_read_file(&walk, &job);
	*arena_append(arena, geoip->databases, geoip->count) = walk.database;
	return walk.database->good ? walk.database : NULL;
}
