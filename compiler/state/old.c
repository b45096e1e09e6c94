/*
 * old: see old.h. A file is lines of fields that tabs part, the first line its format and boot;
 * bytes that could part them are written %XX.
 */
#include "state/old.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/arena.h"
#include "ir/ir_codec.h"
#include "state/history.h"
#include "state/pending.h"
#include "state/record.h"
#include "state/rundir.h"
#include "state/snapshot.h"

enum { FIELDS_MOST = 10 };

/* What follows the boot; NULL: it is another one. Every line ends in a line feed, the last one,
 * too. */
static char *text_of(struct arena *arena, const struct rundir *folder, const char *file,
		     const char *format, bool *is_whole)
{
	const char *head = arena_printf(arena, "%s\t%s", format, snapshot_boot(arena));
	size_t size;
	char *text = snapshot_text(arena, folder, file, &size);

	if (!text || strncmp(text, head, strlen(head)) != 0)
		return NULL;
	*is_whole = strlen(text) == size && text[size - 1] == '\n';
	text += strlen(head);
	return text + (*text != '\0');
}

static bool refuse(struct arena *arena, const struct rundir *folder, const char *file)
{
	snapshot_set_aside(arena, folder, file, "it is truncated or changed");
	return false;
}

/* ---- records ---- */

/* In place, with its %XX put back; NULL for the "-" or nothing that stands for none. */
static const char *plain(char *field)
{
	char *to = field;
	unsigned int byte;

	if (!*field || strcmp(field, "-") == 0)
		return NULL;
	for (char *from = field; *from; from++) {
		if (sscanf(from, "%%%2x", &byte) == 1 && from[1] && from[2]) {
			*to++ = (char)byte;
			from += 2;
		} else {
			*to++ = *from;
		}
	}
	*to = '\0';
	return field;
}

static uint64_t number(const char *field)
{
	return strtoull(field, NULL, 10);
}

static void read_claim(struct arena *arena, struct record *record, char **fields)
{
	struct record_claim *claim = arena_append(arena, record->claims, record->claim_count);
	char *table;

	claim->protocol = (uint32_t)number(fields[1]);
	claim->priority_first = (uint32_t)number(fields[2]);
	claim->priority_last = (uint32_t)number(fields[3]);
	while ((table = strsep(&fields[4], ",")))
		if (*table)
			*arena_append(arena, claim->tables, claim->table_count) =
				(uint32_t)number(table);
}

static void read_policy(struct record *record, char **fields)
{
	record->name = plain(fields[1]);
	record->since = (int64_t)number(fields[2]);
	record->digest = strtoull(fields[3], NULL, 16);
	record->is_complete = number(fields[4]);
	record->nft_rules = (size_t)number(fields[5]);
	record->policy = plain(fields[6]);
}

static void read_fields(struct arena *arena, struct record *record, char **fields)
{
	const char *word = fields[0];

	if (strcmp(word, "policy") == 0)
		read_policy(record, fields);
	else if (strcmp(word, "claim") == 0)
		read_claim(arena, record, fields);
	else if (strcmp(word, "copy") == 0 && record->claim_count)
		record->claims[record->claim_count - 1].main_copy = (uint32_t)number(fields[1]);
	else if (strcmp(word, "sysctl") == 0)
		*arena_append(arena, record->sysctls, record->sysctl_count) =
			(struct record_sysctl){ plain(fields[1]), plain(fields[2]),
						plain(fields[3]) };
	else if (strcmp(word, "beside") == 0)
		*arena_append(arena, record->companions, record->companion_count) =
			(struct record_companion){ plain(fields[1]), plain(fields[2]) };
	else if (strcmp(word, "links") == 0)
		record->newest_link = (unsigned int)number(fields[1]);
	else if (strcmp(word, "ticket") == 0)
		record->ticket = plain(fields[1]);
	else if (strcmp(word, "returned") == 0) {
		record->returned = (int64_t)number(fields[1]);
		record->by_watchdog = number(fields[2]);
	} else if (strcmp(word, "options") == 0) {
		record->options = plain(fields[1]);
		record->options_before = plain(fields[2]);
	}
}

static bool is_good(const struct record *record, const char *name)
{
	bool good = record->name && strcmp(record->name, name) == 0 && record->policy &&
		    record->claim_count;

	for (size_t i = 0; i < record->sysctl_count; i++)
		good &= ir_codec_is_key(record->sysctls[i].key) && record->sysctls[i].value;
	for (size_t i = 0; i < record->companion_count; i++)
		good &= ir_codec_is_key(record->companions[i].with) &&
			ir_codec_is_key(record->companions[i].key);
	return good;
}

struct record *old_record_read(struct arena *arena, const struct rundir *folder, const char *name)
{
	struct record *record = arena_new_of(arena, struct record);
	bool is_whole = false;
	char *at = text_of(arena, folder, name, "tpc-record\t2", &is_whole), *line;
	char *none = arena_strdup(arena, "");

	if (!at)
		return NULL;
	while ((line = strsep(&at, "\n"))) {
		char *fields[FIELDS_MOST];

		for (size_t i = 0; i < FIELDS_MOST; i++)
			fields[i] = line ? strsep(&line, "\t") : none;
		read_fields(arena, record, fields);
	}
	if (!is_whole || !is_good(record, name)) {
		refuse(arena, folder, name);
		return NULL;
	}
	return record;
}

/* ---- what waits, and what sets held ---- */

bool old_pending_read(struct arena *arena, const struct rundir *folder, const char *file,
		      struct pending *out)
{
	bool is_whole = false;
	char *text = text_of(arena, folder, file, "tpc-pending\t1", &is_whole);
	int end = 0;

	if (!text)
		return false;
	if (!is_whole || sscanf(text, "watchdog\t%d\t%" SCNu64 "\t%" SCNd64 "%n", &out->pid,
				&out->started, &out->deadline, &end) != 3)
		return refuse(arena, folder, file);
	text += end + strlen("\n");
	if (strncmp(text, "failure\t", strlen("failure\t")) == 0)
		out->failure = arena_strndup(arena, strchr(text, '\t') + 1,
					     strcspn(text, "\n") - strlen("failure\t"));
	return true;
}

bool old_history_read(struct arena *arena, const struct rundir *folder, const char *file,
		      struct history *out)
{
	struct history_set *set = NULL;
	bool is_whole = false;
	char *at = text_of(arena, folder, file, "tpc-held\t1", &is_whole), *line;

	if (!at)
		return false;
	out->digest = strtoull(at, NULL, 16);
	strsep(&at, "\n");
	while (is_whole && (line = strsep(&at, "\n")) && *line) {
		const char *base = strsep(&line, "\t");
		struct wide first, last;

		is_whole = line && sscanf(line, "%" SCNx64 "\t%" SCNx64 "\t%" SCNx64 "\t%" SCNx64,
					  &first.high, &first.low, &last.high, &last.low) == 4;
		if (!is_whole)
			break;
		if (!set || strcmp(set->base, base) != 0) {
			set = arena_append(arena, out->sets, out->set_count);
			*set = (struct history_set){ .base = base };
		}
		interval_add(arena, &set->ranges, first, last);
	}
	return is_whole || refuse(arena, folder, file);
}
