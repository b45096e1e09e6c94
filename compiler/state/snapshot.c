/*
 * snapshot: see snapshot.h. Nothing here waits for a file, whatever stands at its name.
 */
#include "state/snapshot.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/fs.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/arena.h"
#include "base/buf.h"
#include "base/codec.h"
#include "base/file.h"
#include "base/ordinary.h"
#include "base/report.h"
#include "base/hash.h"
#include "state/rundir.h"

enum { ASIDE_NAMES = 1000 };
/* What the largest may have: a list may have 512 MiB, and a policy several. */
static const uint64_t SIZE_LIMIT = UINT64_C(16) << 30;

static const char *path_of(struct arena *arena, const struct rundir *folder, const char *name)
{
	return arena_printf(arena, "%s/%s", folder->path, name);
}

/* ---- files ---- */

/* A descriptor, and the size; -1 when there is none: *why says what it is instead, or is NULL. */
static int open_file(struct arena *arena, const struct rundir *folder, const char *name,
		     uint64_t *size, const char **why)
{
	const char *kind;
	struct stat info;
	int fd;

	*why = NULL;
	if (!folder->path)
		return -1;
	fd = ordinary_open(path_of(arena, folder, name), O_NOFOLLOW, &info, &kind);
	if (fd < 0 && kind)
		*why = arena_printf(arena, "it is %s", kind);
	else if (fd < 0 && errno != ENOENT)
		*why = arena_printf(arena, "it cannot be opened (%s)", strerror(errno));
	else if (fd >= 0 && info.st_uid != geteuid())
		*why = arena_printf(arena, "it belongs to user %u", (unsigned int)info.st_uid);
	else if (fd >= 0 &&
		 ((uint64_t)info.st_size > SIZE_LIMIT || (uint64_t)info.st_size > SIZE_MAX))
		*why = "it is larger than what tpc writes";
	if (*why && fd >= 0)
		close(fd);
	if (!*why && fd >= 0)
		*size = (uint64_t)info.st_size;
	return *why ? -1 : fd;
}

/* A file in memory. Without `bytes` there is none, or nothing can be in it: `why`, or NULL. */
struct mapped {
	unsigned char *bytes;
	size_t length;
	const char *why;
};

static struct mapped map_file(struct arena *arena, const struct rundir *folder, const char *name)
{
	struct mapped mapped = { 0 };
	uint64_t size;
	int fd = open_file(arena, folder, name, &size, &mapped.why);

	if (fd < 0)
		return mapped;
	if (size)
		mapped.bytes = mmap(NULL, (size_t)size, PROT_READ, MAP_PRIVATE, fd, 0);
	if (!mapped.bytes || mapped.bytes == MAP_FAILED)
		mapped = (struct mapped){ .why = "it is empty, or cannot be read" };
	else
		mapped.length = (size_t)size;
	close(fd);
	return mapped;
}

static void unmap(const struct mapped *mapped)
{
	if (mapped->bytes)
		munmap(mapped->bytes, mapped->length);
}

char *snapshot_text(struct arena *arena, const struct rundir *folder, const char *name,
		    size_t *size)
{
	struct mapped mapped = map_file(arena, folder, name);
	char *text = mapped.bytes ? arena_strndup(arena, (char *)mapped.bytes, mapped.length)
				  : NULL;

	*size = mapped.length;
	unmap(&mapped);
	return text;
}

void snapshot_remove(struct arena *arena, const struct rundir *folder, const char *name)
{
	if (folder->path)
		unlink(path_of(arena, folder, name));
}

const char *snapshot_boot(struct arena *arena)
{
	FILE *file = fopen("/proc/sys/kernel/random/boot_id", "re");
	char line[64] = "-";

	if (file) {
		if (!fgets(line, sizeof(line), file))
			line[0] = '-';
		fclose(file);
	}
	return arena_strndup(arena, line, strcspn(line, "\n"));
}

/* ---- what is in them ---- */

static const char *title_of(struct arena *arena, const char *kind)
{
	return arena_printf(arena, "tpc-%s %d", kind, SNAPSHOT_FORMAT);
}

/* Before 15, tpc's version followed; an archive was the same but for that. */
static bool is_archive_14(const char *title, const char *kind)
{
	static const char archive[] = "tpc-archive 14 ";

	return strcmp(kind, "archive") == 0 && strncmp(title, archive, strlen(archive)) == 0;
}

bool snapshot_write(struct arena *arena, const struct rundir *folder, const char *name,
		    const char *kind, snapshot_body *body, void *thing, const char **why)
{
	struct file_output output = { .name = name, .mode = 0600 };
	const char *none[] = { NULL }, *title = title_of(arena, kind), *boot = snapshot_boot(arena);
	struct buf out = { 0 };
	struct codec codec = { .arena = arena, .out = &out };
	uint64_t sum;
	bool done;

	codec_text(&codec, &title);
	codec_text(&codec, &boot);
	body(&codec, thing);
	sum = hash_words(0, buf_text(&out), out.length);
	codec_bytes(&codec, &sum, sizeof(sum));
	output.text = buf_text(&out);
	output.length = out.length;
	done = file_write_all(arena, folder->path, &output, 1, none, why);
	buf_free(&out);
	return done;
}

/* Does the file end in the sum of all before it? */
static bool is_whole(const struct mapped *mapped)
{
	uint64_t sum;

	if (mapped->length < sizeof(sum))
		return false;
	memcpy(&sum, mapped->bytes + mapped->length - sizeof(sum), sizeof(sum));
	return sum == hash_words(0, mapped->bytes, mapped->length - sizeof(sum));
}

static bool is_text(const struct mapped *mapped, const char *kind, struct arena *arena)
{
	const char *title = arena_printf(arena, "tpc-%s\t", kind);

	return mapped->length > strlen(title) && memcmp(mapped->bytes, title, strlen(title)) == 0;
}

/* READ: the body follows. What is altered here is seen by the sum. */
static enum snapshot_state read_head(struct codec *codec, const char *kind)
{
	const char *title = NULL, *boot = NULL;

	codec_text(codec, &title);
	codec_text(codec, &boot);
	if (!title || !boot)
		return SNAPSHOT_BROKEN;
	if (strcmp(title, title_of(codec->arena, kind)) != 0 && !is_archive_14(title, kind))
		return SNAPSHOT_BROKEN;
	return strcmp(boot, snapshot_boot(codec->arena)) == 0 ? SNAPSHOT_READ : SNAPSHOT_NONE;
}

enum snapshot_state snapshot_read(struct arena *arena, const struct rundir *folder,
				  const char *name, const char *kind, snapshot_body *body,
				  void *thing, const char **why)
{
	struct mapped mapped = map_file(arena, folder, name);
	struct codec codec = { .arena = arena, .bytes = mapped.bytes };
	enum snapshot_state state = mapped.why ? SNAPSHOT_BROKEN : SNAPSHOT_NONE;

	*why = mapped.why;
	if (mapped.bytes && is_text(&mapped, kind, arena)) {
		state = SNAPSHOT_OLD;
	} else if (mapped.bytes && !is_whole(&mapped)) {
		state = SNAPSHOT_BROKEN;
		*why = "it is truncated or changed";
	} else if (mapped.bytes) {
		codec.left = mapped.length - sizeof(uint64_t);
		state = read_head(&codec, kind);
		if (state == SNAPSHOT_READ && body)
			body(&codec, thing);
		if (state == SNAPSHOT_READ && body && (codec.broken || codec.left))
			state = SNAPSHOT_BROKEN;
		if (state == SNAPSHOT_BROKEN)
			*why = "it is of another version of tpc";
	}
	unmap(&mapped);
	return state;
}

enum snapshot_state snapshot_look(struct arena *arena, const struct rundir *folder,
				  const char *name, const char *kind, snapshot_body *body,
				  void *thing)
{
	struct mapped mapped = map_file(arena, folder, name);
	struct codec codec = { .arena = arena, .bytes = mapped.bytes, .left = mapped.length };
	enum snapshot_state state = mapped.why ? SNAPSHOT_BROKEN : SNAPSHOT_NONE;

	if (mapped.bytes)
		state = read_head(&codec, kind);
	if (state == SNAPSHOT_READ)
		body(&codec, thing);
	unmap(&mapped);
	return codec.broken ? SNAPSHOT_BROKEN : state;
}

/* ---- setting aside ---- */

/* False where the system refuses. */
static bool move(struct arena *arena, const struct rundir *folder, const char *name,
		 const char **aside)
{
	const char *path = path_of(arena, folder, name);

	for (int i = 1; i <= ASIDE_NAMES; i++) {
		*aside = arena_printf(arena, "%s.aside-%d", path, i);
		if (!syscall(SYS_renameat2, AT_FDCWD, path, AT_FDCWD, *aside, RENAME_NOREPLACE))
			return true;
		if (errno != EEXIST)
			return false;
	}
	return false;
}

/* A record's name is the policy's, which has no dot; the files beside it have an end after one. */
static bool is_record(const char *name)
{
	return !strchr(name, '.');
}

void snapshot_set_aside(struct arena *arena, const struct rundir *folder, const char *name,
			const char *why)
{
	const char *path = path_of(arena, folder, name), *aside, *text;
	struct report *report = folder->report;

	if (folder->lock < 0)
		text = arena_printf(arena,
				    "%s is damaged: %s; it is ignored, and the next apply or remove sets it aside",
				    path, why);
	else if (move(arena, folder, name, &aside))
		text = arena_printf(arena, "%s is damaged: %s; it was set aside as %s", path, why,
				    aside);
	else
		text = arena_printf(arena, "%s is damaged: %s; it cannot be set aside: %s", path,
				    why, strerror(errno));
	if (!report)
		return;
	diag_help(report_add(report, SEVERITY_WARNING, DIAG_state_damaged, "%s", text),
		  "`tpc status` shows what the kernel has; `tpc apply` with the policy's file restores it, `tpc remove` removes it%s",
		  is_record(name)
			  ? "; the sysctls that were changed before are recorded in that file alone"
			  : "");
}

enum snapshot_state snapshot_load(struct arena *arena, const struct rundir *folder,
				  const char *name, const char *kind, snapshot_body *body,
				  void *thing)
{
	const char *why;
	enum snapshot_state state = snapshot_read(arena, folder, name, kind, body, thing, &why);

	if (state != SNAPSHOT_BROKEN)
		return state;
	snapshot_set_aside(arena, folder, name, why);
	return SNAPSHOT_NONE;
}
