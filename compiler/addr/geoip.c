/*
 * geoip: a MaxMind DB into a set of addresses for every country.
 *
 * The file is a binary tree over the bits of addresses, whose leaves point to records. It is walked
 * once, the 0 side first and every node once: so IPv4, which lies below ::/96, is met before the
 * nodes elsewhere that lead back to it, and a damaged tree cannot keep us. Many networks share a
 * record, so its country is looked up once. Nothing of the file is trusted.
 */
#include "addr/geoip.h"

#include <maxminddb.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "addr/file_kind.h"
#include "addr/mmdb_guard.h"
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
	MMDB_s mmdb;
	size_t records_end;       /* where the file's description begins */
	struct mmdb_section data; /* what the guard has to pass before the library sees it */
	unsigned char *nodes;     /* a bit for each: has been visited */
	uint8_t *answers;         /* one for every offset in the data section */
	uint64_t ipv4_root;       /* the node of ::/96; no node of any tree until it is met */
	bool has_countries;
};

/* ---- records ---- */

/* The value of a key of the map at `offset`, if it is a map and has the key. False: damaged. */
static bool geoip_find_key(struct geoip_walk *walk, uint32_t offset, const char *key,
			   MMDB_entry_data_s *found)
{
	const char *const path[] = { key, NULL };
	MMDB_entry_s entry = { &walk->mmdb, offset };
	int status;

	found->has_data = false;
	if (!mmdb_guard_value(&walk->data, offset))
		return false;
	status = MMDB_aget_value(&entry, found, path);
	if (status == MMDB_LOOKUP_PATH_DOES_NOT_MATCH_DATA_ERROR) {
		found->has_data = false;
		return true;
	}
	return status == MMDB_SUCCESS;
}

static bool geoip_is_text(const MMDB_entry_data_s *data)
{
	return data->has_data && data->type == MMDB_DATA_TYPE_UTF8_STRING;
}

/*
 * The country of a record, by the shapes that publishers have: {country: {iso_code}} (MaxMind,
 * DB-IP), {country_code} (ip-location-db, IPinfo), {country} of two letters (IPinfo).
 */
static bool geoip_find_country(struct geoip_walk *walk, uint32_t offset, uint8_t *answer)
{
	MMDB_entry_data_s country, code = { 0 };
	int number;

	if (!geoip_find_key(walk, offset, "country", &country))
		return false;
	if (country.has_data && country.type == MMDB_DATA_TYPE_MAP &&
	    !geoip_find_key(walk, country.offset, "iso_code", &code))
		return false;
	if (!geoip_is_text(&code) && !geoip_find_key(walk, offset, "country_code", &code))
		return false;
	if (!geoip_is_text(&code) && geoip_is_text(&country) && country.data_size == 2)
		code = country;
	*answer = GEOIP_WITHOUT;
	if (!geoip_is_text(&code))
		return true;
	number = country_find(code.utf8_string, code.data_size);
	*answer = (uint8_t)(number == COUNTRY_NONE ? GEOIP_OTHER : GEOIP_FIRST + number);
	return true;
}

/* ---- the tree ---- */

/* Networks come in the order of their addresses, so most continue the one before. */
static void geoip_put(struct arena *arena, struct interval_set *set, struct wide first,
		      struct wide last)
{
	struct interval *top = set->count ? &set->items[set->count - 1] : NULL;

	if (top && wide_equal(wide_after(top->last), first))
		top->last = last;
	else
		interval_add(arena, set, first, last);
}

static void geoip_add_network(struct geoip_walk *walk, uint8_t answer, struct wide first,
			      struct wide last)
{
	struct addr_set *set = &walk->database->countries[answer - GEOIP_FIRST];
	struct wide ipv4_last = addr_last(ADDR_IPV4);

	if (!wide_less(ipv4_last, first))
		geoip_put(walk->arena, &set->family[ADDR_IPV4], first, wide_least(last, ipv4_last));
	if (wide_less(ipv4_last, last))
		geoip_put(walk->arena, &set->family[ADDR_IPV6],
			  wide_most(first, wide_after(ipv4_last)), last);
}

/* What a leaf leads to may be a pointer to the record; a record that others point to is read once,
 * too. */
static bool geoip_read_record(struct geoip_walk *walk, uint64_t offset, uint8_t *answer)
{
	uint8_t *known;

	if (!mmdb_guard_follow(&walk->data, &offset))
		return false;
	known = &walk->answers[offset];
	if (*known == GEOIP_UNSEEN && !geoip_find_country(walk, (uint32_t)offset, known))
		return false;
	*answer = *known;
	return true;
}

static bool geoip_read_leaf(struct geoip_walk *walk, uint32_t offset, struct wide first,
			    struct wide last)
{
	uint8_t *answer;

	if (offset >= walk->data.size)
		return false;
	answer = &walk->answers[offset];
	if (*answer == GEOIP_UNSEEN && !geoip_read_record(walk, offset, answer))
		return false;
	walk->has_countries |= *answer >= GEOIP_OTHER;
	if (*answer >= GEOIP_FIRST)
		geoip_add_network(walk, *answer, first, last);
	return true;
}

static bool geoip_walk_node(struct geoip_walk *walk, uint64_t number, struct wide first,
			    unsigned int depth);

/* One side of a node: a network of `length` bits. */
static bool geoip_walk_side(struct geoip_walk *walk, uint8_t type, uint64_t record, uint32_t offset,
			    struct wide first, unsigned int length)
{
	switch (type) {
	case MMDB_RECORD_TYPE_SEARCH_NODE:
		return geoip_walk_node(walk, record, first, length);
	case MMDB_RECORD_TYPE_EMPTY:
		return true;
	case MMDB_RECORD_TYPE_DATA:
		return geoip_read_leaf(walk, offset, first,
				       wide_or(first, wide_ones(walk->mmdb.depth - length)));
	default:
		return false;
	}
}

/* The only node that two ways may lead to is IPv4's: the others into it are its aliases in IPv6. */
static bool geoip_is_alias(const struct geoip_walk *walk, uint64_t number, struct wide first)
{
	return number == walk->ipv4_root && wide_less(addr_last(ADDR_IPV4), first);
}

static bool geoip_walk_node(struct geoip_walk *walk, uint64_t number, struct wide first,
			    unsigned int depth)
{
	unsigned char *byte = &walk->nodes[number / 8], bit = (unsigned char)(1u << number % 8);
	MMDB_search_node_s node;
	struct wide second;

	if (*byte & bit)
		return geoip_is_alias(walk, number, first);
	*byte |= bit;
	if (wide_is_zero(first) && walk->mmdb.depth - depth == addr_width(ADDR_IPV4))
		walk->ipv4_root = number;
	if (depth >= walk->mmdb.depth ||
	    MMDB_read_node(&walk->mmdb, (uint32_t)number, &node) != MMDB_SUCCESS)
		return false;
	second = wide_or(first, wide_left(wide(1), walk->mmdb.depth - 1 - depth));
	return geoip_walk_side(walk, node.left_record_type, node.left_record,
			       node.left_record_entry.offset, first, depth + 1) &&
	       geoip_walk_side(walk, node.right_record_type, node.right_record,
			       node.right_record_entry.offset, second, depth + 1);
}

static bool geoip_walk_all(struct geoip_walk *walk)
{
	size_t node_bytes = walk->mmdb.metadata.node_count / 8u + 1;
	size_t answer_bytes = (size_t)walk->data.size + 1;
	bool good;

	walk->nodes = calloc(node_bytes, 1);
	walk->answers = calloc(answer_bytes, 1);
	if (!walk->nodes || !walk->answers)
		arena_exhausted(node_bytes + answer_bytes);
	good = geoip_walk_node(walk, 0, wide(0), 0);
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

static bool geoip_refuse(struct geoip_job *job, const char *what, const char *help)
{
	diag_help(diag_add(job->diag, DIAG_geoip_database, job->wanted_by, "\"%s\" %s", job->path,
			   what),
		  "%s", help);
	return false;
}

/* What the file is instead of a MaxMind DB. */
static bool geoip_refuse_other(struct geoip_job *job, const unsigned char *bytes, size_t size)
{
	const struct file_kind *kind = file_kind_of((const char *)bytes, size);

	if (!kind || kind->may_be_mmdb)
		return geoip_refuse(job, "is no MaxMind DB, or its end is missing",
				    "name a .mmdb file; if it is one, fetch it again");
	diag_help(diag_add(job->diag, DIAG_geoip_database, job->wanted_by,
			   "\"%s\" is %s, and no MaxMind DB", job->path, kind->what),
		  "%s", kind->help);
	return false;
}

static bool geoip_refuse_kind(struct geoip_job *job, const MMDB_s *mmdb)
{
	diag_help(diag_add(job->diag, DIAG_geoip_database, job->wanted_by,
			   "\"%s\" knows no countries: its kind is \"%.*s\"", job->path,
			   GEOIP_TYPE_SHOWN, mmdb->metadata.database_type),
		  "use a database of countries or cities");
	return false;
}

static bool geoip_refuse_description(struct geoip_job *job)
{
	return geoip_refuse(job, "is damaged: its description is not whole", "fetch it again");
}

/* Finds out what the file is, and says so where the library should not see it. */
static bool geoip_pass_guard(struct geoip_walk *walk, struct geoip_job *job,
			     const unsigned char *bytes, size_t size)
{
	switch (mmdb_guard_description(bytes, size, &walk->records_end)) {
	case MMDB_GUARD_GOOD:
		return true;
	case MMDB_GUARD_DAMAGED:
		return geoip_refuse_description(job);
	case MMDB_GUARD_NO_DATABASE:
		break;
	}
	return geoip_refuse_other(job, bytes, size);
}

static bool geoip_read_open(struct geoip_walk *walk, struct geoip_job *job)
{
	const MMDB_metadata_s *about = &walk->mmdb.metadata;

	if (!about->node_count || (about->ip_version != 4 && about->ip_version != 6))
		return geoip_refuse_description(job);
	if (walk->mmdb.data_section > walk->mmdb.file_content + walk->records_end)
		return geoip_refuse_description(job);
	walk->data = mmdb_guard_section(walk->mmdb.data_section,
					walk->mmdb.file_content + walk->records_end);
	if (!geoip_walk_all(walk))
		return geoip_refuse(job, "is damaged: its tree or its records are not whole",
				    "fetch it again");
	if (!walk->has_countries)
		return geoip_refuse_kind(job, &walk->mmdb);
	for (int i = 0; i < COUNTRY_COUNT; i++)
		addr_set_normalise(&walk->database->countries[i]);
	return true;
}

static bool geoip_read_copy(struct geoip_walk *walk, struct geoip_job *job, int copy)
{
	char name[sizeof("/proc/self/fd/") + 3 * sizeof(copy)];
	int status;
	bool good;

	snprintf(name, sizeof(name), "/proc/self/fd/%d", copy);
	status = MMDB_open(name, MMDB_MODE_MMAP, &walk->mmdb);
	if (status == MMDB_FILE_OPEN_ERROR)
		return geoip_refuse(job, "cannot be read: /proc is not there",
				    "mount /proc: mount -t proc proc /proc");
	if (status == MMDB_UNKNOWN_DATABASE_FORMAT_ERROR)
		return geoip_refuse(job, "has another version of the format than 2, or is damaged",
				    "name a file in version 2 of the MaxMind DB format");
	if (status != MMDB_SUCCESS)
		return geoip_refuse_description(job);
	good = geoip_read_open(walk, job);
	MMDB_close(&walk->mmdb);
	return good;
}

static bool geoip_check_copy(struct geoip_walk *walk, struct geoip_job *job, int copy, size_t size)
{
	/* An empty file has no pages to map. */
	const void *bytes = size ? mmap(NULL, size, PROT_READ, MAP_PRIVATE, copy, 0) : "";
	bool good;

	if (bytes == MAP_FAILED)
		arena_exhausted(size);
	good = geoip_pass_guard(walk, job, bytes, size);
	if (size)
		munmap((void *)bytes, size);
	return good && geoip_read_copy(walk, job, copy);
}

/* False: the disk or the memory refuses. */
static bool geoip_copy(int from, int to, size_t size)
{
	enum { PIECE = 1 << 16 };
	char piece[PIECE];
	ssize_t got = 0;

	for (size_t done = 0; done < size; done += (size_t)got) {
		got = source_get(from, piece, size - done < PIECE ? size - done : PIECE);
		if (got <= 0)
			break;
		if (write(to, piece, (size_t)got) != got)
			return false;
	}
	return got >= 0;
}

/* The library maps what it reads. It is given a copy: who cuts the file short meanwhile would end
 * us with a signal, and who changes it would get past the guard. */
static bool geoip_read_file(struct geoip_walk *walk, struct geoip_job *job)
{
	size_t size;
	int from =
		source_open(walk->arena, job->diag, job->path, GEOIP_LIMIT, job->wanted_by, &size);
	int copy = from < 0 ? -1 : memfd_create("tpc-mmdb", MFD_CLOEXEC);
	bool copied = copy >= 0 && geoip_copy(from, copy, size), good = false;

	if (copied)
		good = geoip_check_copy(walk, job, copy, (size_t)lseek(copy, 0, SEEK_END));
	else if (from >= 0)
		geoip_refuse(job, "cannot be read: the disk or the memory refuses",
			     "look at the system's log");
	if (from >= 0)
		close(from);
	if (copy >= 0)
		close(copy);
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
