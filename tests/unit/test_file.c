/*
 * Unit tests of base/file: all outputs or none, whatever the system refuses half way: a full disk,
 * a limit, a folder in the way, a mount point. After every case the folder is compared, file by
 * file, with what it must hold.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <dirent.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/arena.h"
#include "base/buf.h"
#include "base/file.h"
#include "privileges.h"

/* Exit statuses of the processes that cases run in: 0 is good, a line number is where it went
 * wrong. */
enum { CANNOT = 255 };

struct fixture {
	struct arena *arena;
	char folder[64];
	const char *why;
};

static int make(void **state)
{
	struct fixture *fixture = calloc(1, sizeof(*fixture));

	fixture->arena = arena_new();
	strcpy(fixture->folder, "/tmp/tpc-test-file-XXXXXX");
	*state = fixture;
	return mkdtemp(fixture->folder) ? 0 : -1;
}

static int drop(void **state)
{
	struct fixture *fixture = *state;
	char command[128];
	int failed;

	snprintf(command, sizeof(command), "rm -rf '%s'", fixture->folder);
	failed = system(command);
	arena_free(fixture->arena);
	free(fixture);
	return failed ? -1 : 0;
}

static const char *in_folder(struct fixture *fixture, const char *name)
{
	return arena_printf(fixture->arena, "%s/%s", fixture->folder, name);
}

static struct file_output output(const char *name, const char *text)
{
	return (struct file_output){ name, text, strlen(text), 0644 };
}

static bool put(struct fixture *fixture, const char *folder, const struct file_output *outputs,
		size_t count, const char *const *stale)
{
	fixture->why = NULL;
	return file_write_all(fixture->arena, folder, outputs, count, stale, &fixture->why);
}

static int compare_names(const struct dirent **a, const struct dirent **b)
{
	return strcmp((*a)->d_name, (*b)->d_name);
}

/* "name=text name=text ": all of a folder, hidden files too, folders with a slash. */
static const char *holds(struct fixture *fixture, const char *folder)
{
	struct buf buf = { 0 };
	struct dirent **names;
	int count = scandir(folder, &names, NULL, compare_names), i;
	const char *text;

	for (i = 0; i < count; i++) {
		char *path = arena_printf(fixture->arena, "%s/%s", folder, names[i]->d_name),
		     content[32] = "";
		int fd = open(path, O_RDONLY);

		if (strcmp(names[i]->d_name, ".") && strcmp(names[i]->d_name, "..")) {
			if (read(fd, content, sizeof(content) - 1) < 0)
				buf_printf(&buf, "%s/ ", names[i]->d_name);
			else
				buf_printf(&buf, "%s=%s ", names[i]->d_name, content);
		}
		close(fd);
		free(names[i]);
	}
	if (count >= 0)
		free(names);
	text = count < 0 ? "no folder" : arena_strdup(fixture->arena, buf_text(&buf));
	buf_free(&buf);
	return text;
}

static struct stat info_of(const char *path)
{
	struct stat info;

	memset(&info, 0, sizeof(info));
	stat(path, &info);
	return info;
}

static void writes_new_files_and_folders(void **state)
{
	struct fixture *fixture = *state;
	struct file_output outputs[] = { output("a.nft", "one"), output("a.sh", "two"),
					 output("empty", "") };
	const char *folder = in_folder(fixture, "x//y/z/");
	mode_t before = umask(0077);
	bool done;

	outputs[0].mode = 0666;
	outputs[1].mode = 0777;
	done = put(fixture, folder, outputs, 3, NULL);
	umask(before);
	assert_true(done);
	assert_string_equal(holds(fixture, folder), "a.nft=one a.sh=two empty= ");
	assert_int_equal(info_of(in_folder(fixture, "x/y/z/a.nft")).st_mode, S_IFREG | 0600);
	assert_int_equal(info_of(in_folder(fixture, "x/y/z/a.sh")).st_mode, S_IFREG | 0700);
	assert_int_equal(info_of(in_folder(fixture, "x/y")).st_mode, S_IFDIR | 0700);
	assert_string_equal(holds(fixture, fixture->folder), "x/ ");
}

static void writes_into_the_current_folder(void **state)
{
	struct fixture *fixture = *state;
	struct file_output outputs[] = { output("a", "one") };
	int before = open(".", O_RDONLY | O_DIRECTORY);

	assert_int_equal(chdir(fixture->folder), 0);
	assert_true(put(fixture, ".", outputs, 1, NULL));
	assert_true(put(fixture, "sub", outputs, 1, NULL));
	assert_int_equal(fchdir(before), 0);
	close(before);
	assert_string_equal(holds(fixture, fixture->folder), "a=one sub/ ");
}

static void replaces_what_differs(void **state)
{
	struct fixture *fixture = *state;
	struct file_output first[] = { output("a", "one"), output("b", "two") };
	struct file_output second[] = { output("a", "one"), output("b", "TWO"),
					output("c", "three") };
	struct stat same, changed;

	assert_true(put(fixture, fixture->folder, first, 2, NULL));
	same = info_of(in_folder(fixture, "a"));
	changed = info_of(in_folder(fixture, "b"));
	assert_true(put(fixture, fixture->folder, second, 3, NULL));
	assert_string_equal(holds(fixture, fixture->folder), "a=one b=TWO c=three ");
	assert_int_equal(info_of(in_folder(fixture, "a")).st_ino, same.st_ino);
	assert_int_equal(info_of(in_folder(fixture, "a")).st_mtim.tv_nsec, same.st_mtim.tv_nsec);
	assert_int_not_equal(info_of(in_folder(fixture, "b")).st_ino, changed.st_ino);
}

static void mends_the_mode(void **state)
{
	struct fixture *fixture = *state;
	struct file_output outputs[] = { output("a", "one") };

	assert_true(put(fixture, fixture->folder, outputs, 1, NULL));
	assert_int_equal(chmod(in_folder(fixture, "a"), 0600), 0);
	assert_true(put(fixture, fixture->folder, outputs, 1, NULL));
	assert_int_equal(info_of(in_folder(fixture, "a")).st_mode, S_IFREG | 0644);
	assert_string_equal(holds(fixture, fixture->folder), "a=one ");
}

static void large_texts_arrive(void **state)
{
	struct fixture *fixture = *state;
	char *text = test_malloc(300001);
	struct file_output outputs[] = { { "a", text, 300001, 0644 } };
	struct stat info;

	memset(text, 'x', 300001);
	assert_true(put(fixture, fixture->folder, outputs, 1, NULL));
	info = info_of(in_folder(fixture, "a"));
	assert_int_equal(info.st_size, 300001);
	assert_true(put(fixture, fixture->folder, outputs, 1, NULL));
	assert_int_equal(info_of(in_folder(fixture, "a")).st_ino, info.st_ino);
	text[300000] = 'y';
	assert_true(put(fixture, fixture->folder, outputs, 1, NULL));
	assert_int_not_equal(info_of(in_folder(fixture, "a")).st_ino, info.st_ino);
	test_free(text);
}

static void a_link_is_replaced_and_not_followed(void **state)
{
	struct fixture *fixture = *state;
	struct file_output victim[] = { output("victim", "mine") },
			   outputs[] = { output("a", "one") };
	struct stat info;

	assert_true(put(fixture, in_folder(fixture, "elsewhere"), victim, 1, NULL));
	assert_int_equal(symlink("elsewhere/victim", in_folder(fixture, "a")), 0);
	assert_true(put(fixture, fixture->folder, outputs, 1, NULL));
	assert_int_equal(lstat(in_folder(fixture, "a"), &info), 0);
	assert_true(S_ISREG(info.st_mode));
	assert_string_equal(holds(fixture, in_folder(fixture, "elsewhere")), "victim=mine ");
}

static void stale_files_go(void **state)
{
	struct fixture *fixture = *state;
	static const char *const stale[] = { "old", "never", "folder", NULL };
	struct file_output first[] = { output("a", "one"), output("old", "x"),
				       output("foreign", "y") };
	struct file_output second[] = { output("a", "two") };

	assert_true(put(fixture, fixture->folder, first, 3, NULL));
	assert_int_equal(mkdir(in_folder(fixture, "folder"), 0755), 0);
	assert_true(put(fixture, fixture->folder, second, 1, stale));
	assert_string_equal(holds(fixture, fixture->folder), "a=two folder/ foreign=y ");
}

static void temporary_names_of_others_stay(void **state)
{
	struct fixture *fixture = *state;
	char taken[64];
	struct file_output others[] = { output(taken, "theirs") },
			   outputs[] = { output("a", "one") };

	snprintf(taken, sizeof(taken), ".a.tpc-%ld-0", (long)getpid());
	assert_true(put(fixture, fixture->folder, others, 1, NULL));
	assert_true(put(fixture, fixture->folder, outputs, 1, NULL));
	assert_string_equal(holds(fixture, fixture->folder),
			    arena_printf(fixture->arena, "%s=theirs a=one ", taken));
}

static void a_folder_in_the_way(void **state)
{
	struct fixture *fixture = *state;
	struct file_output first[] = { output("a", "old") };
	struct file_output outputs[] = { output("a", "one"), output("b", "two") };

	assert_true(put(fixture, fixture->folder, first, 1, NULL));
	assert_int_equal(mkdir(in_folder(fixture, "b"), 0755), 0);
	assert_false(put(fixture, fixture->folder, outputs, 2, NULL));
	assert_string_equal(fixture->why,
			    arena_printf(fixture->arena,
					 "cannot write \"%s/b\": a folder of that name is in the way",
					 fixture->folder));
	assert_string_equal(holds(fixture, fixture->folder), "a=old b/ ");
}

static void a_file_where_the_folder_should_be(void **state)
{
	struct fixture *fixture = *state;
	struct file_output outputs[] = { output("a", "one") };

	assert_true(put(fixture, fixture->folder, outputs, 1, NULL));
	assert_false(put(fixture, in_folder(fixture, "a"), outputs, 1, NULL));
	assert_non_null(strstr(fixture->why, "a\": a file of that name is in the way"));
	assert_false(put(fixture, in_folder(fixture, "a/b"), outputs, 1, NULL));
	assert_non_null(strstr(fixture->why, "a\": a file of that name is in the way"));
	assert_string_equal(holds(fixture, fixture->folder), "a=one ");
}

/* Runs a case in a process of its own, in which it may lose rights or mount things. */
static void run_apart(int (*test)(struct fixture *fixture), struct fixture *fixture)
{
	int status;
	pid_t child;

	fflush(NULL);
	child = fork();
	if (!child)
		_exit(test(fixture));
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_true(WIFEXITED(status));
	if (WEXITSTATUS(status) == CANNOT)
		skip();
	if (WEXITSTATUS(status))
		fail_msg("went wrong near line %d or %d", WEXITSTATUS(status) + 256,
			 WEXITSTATUS(status) + 512);
}

#define CHECK(holds_true)                                           \
	do {                                                        \
		if (!(holds_true))                                  \
			return __LINE__ % 256 ? __LINE__ % 256 : 1; \
	} while (0)

static bool write_to(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY);
	bool done = fd >= 0 && write(fd, text, strlen(text)) == (ssize_t)strlen(text);

	close(fd);
	return done;
}

/* Mounts of our own from here on. */
static bool enter_namespace(void)
{
	char users[64], groups[64];

	snprintf(users, sizeof(users), "0 %u 1", (unsigned int)getuid());
	snprintf(groups, sizeof(groups), "0 %u 1", (unsigned int)getgid());
	if (unshare(CLONE_NEWUSER | CLONE_NEWNS) || !write_to("/proc/self/uid_map", users) ||
	    !write_to("/proc/self/setgroups", "deny") || !write_to("/proc/self/gid_map", groups))
		return false;
	return !mount("none", "/", "none", MS_REC | MS_PRIVATE, NULL);
}

static int on_a_full_disk(struct fixture *fixture)
{
	static char large[200000];
	struct file_output small[] = { output("a", "old"), output("gone", "old too") };
	struct file_output outputs[] = { output("a", "new"), { "b", large, sizeof(large), 0644 } };
	static const char *const stale[] = { "gone", NULL };
	const char *deep;

	if (!enter_namespace() || mount("none", fixture->folder, "tmpfs", 0, "size=65536"))
		return CANNOT;
	deep = in_folder(fixture, "one/two");
	CHECK(put(fixture, fixture->folder, small, 2, NULL));
	CHECK(!put(fixture, fixture->folder, outputs, 2, stale));
	CHECK(!strcmp(fixture->why,
		      arena_printf(fixture->arena, "cannot write \"%s/b\": the disk is full",
				   fixture->folder)));
	CHECK(!strcmp(holds(fixture, fixture->folder), "a=old gone=old too "));
	CHECK(!put(fixture, deep, outputs, 2, NULL));
	CHECK(strstr(fixture->why, "the disk is full"));
	CHECK(!strcmp(holds(fixture, fixture->folder), "a=old gone=old too "));
	outputs[1].length = 10;
	CHECK(put(fixture, fixture->folder, outputs, 2, stale));
	CHECK(!strcmp(holds(fixture, fixture->folder), "a=new b= "));
	return 0;
}

static void a_full_disk_changes_nothing(void **state)
{
	run_apart(on_a_full_disk, *state);
}

/* A file that something is mounted on cannot be replaced; that shows only when others have been. */
static int beside_a_mount_point(struct fixture *fixture)
{
	static const char *const stale[] = { "gone", NULL };
	struct file_output first[] = { output("a", "old"), output("c", "old"),
				       output("gone", "old"), output("z", "z") };
	struct file_output second[] = { output("a", "new"), output("b", "new"),
					output("c", "new") };
	static const char *const stale_mount[] = { "gone", "z", NULL };

	CHECK(put(fixture, fixture->folder, first, 4, NULL));
	if (!enter_namespace() ||
	    mount("/proc/version", in_folder(fixture, "c"), "none", MS_BIND, NULL))
		return CANNOT;
	CHECK(!put(fixture, fixture->folder, second, 3, stale));
	CHECK(!strcmp(fixture->why,
		      arena_printf(fixture->arena,
				   "cannot write \"%s/c\": something is mounted there",
				   fixture->folder)));
	CHECK(!umount2(in_folder(fixture, "c"), MNT_DETACH));
	CHECK(!strcmp(holds(fixture, fixture->folder), "a=old c=old gone=old z=z "));

	/* The same when what fails is the last removal. */
	CHECK(!mount("/proc/version", in_folder(fixture, "z"), "none", MS_BIND, NULL));
	CHECK(!put(fixture, fixture->folder, second, 3, stale_mount));
	CHECK(!umount2(in_folder(fixture, "z"), MNT_DETACH));
	CHECK(!strcmp(holds(fixture, fixture->folder), "a=old c=old gone=old z=z "));
	return 0;
}

static void a_late_refusal_is_undone(void **state)
{
	run_apart(beside_a_mount_point, *state);
}

static int under_a_limit(struct fixture *fixture)
{
	static char large[20000];
	struct file_output outputs[] = { output("a", "one"), { "b", large, sizeof(large), 0644 } };
	struct rlimit limit = { 10000, 10000 };

	CHECK(!setrlimit(RLIMIT_FSIZE, &limit));
	CHECK(!put(fixture, in_folder(fixture, "one/two"), outputs, 2, NULL));
	CHECK(strstr(fixture->why, "/one/two/b\": files may not become that large here"));
	CHECK(!strcmp(holds(fixture, fixture->folder), ""));
	CHECK(signal(SIGXFSZ, SIG_IGN) == SIG_DFL);
	return 0;
}

static void a_limit_is_an_error_and_not_the_end(void **state)
{
	run_apart(under_a_limit, *state);
}

static int without_rights(struct fixture *fixture)
{
	struct file_output outputs[] = { output("a", "one") };

	CHECK(put(fixture, fixture->folder, outputs, 1, NULL));
	CHECK(!chmod(fixture->folder, 0555));
	CHECK(!privileges_drop());
	outputs[0] = output("a", "two");
	CHECK(!put(fixture, fixture->folder, outputs, 1, NULL));
	CHECK(!strcmp(fixture->why,
		      arena_printf(fixture->arena, "cannot write \"%s/a\": you may not write there",
				   fixture->folder)));
	CHECK(!put(fixture, in_folder(fixture, "x/y"), outputs, 1, NULL));
	CHECK(strstr(fixture->why, "cannot make the folder \"") &&
	      strstr(fixture->why, "/x\": you may not write there"));
	CHECK(!strcmp(holds(fixture, fixture->folder), "a=one "));
	outputs[0] = output("a", "one"); /* what is there already needs no right */
	CHECK(put(fixture, fixture->folder, outputs, 1, NULL));
	CHECK(!chmod(fixture->folder, 0755));
	return 0;
}

static void a_folder_that_may_not_be_written(void **state)
{
	run_apart(without_rights, *state);
}

/* ---- differences ---- */

static char *diff_of(struct fixture *fixture, const char *old, const char *new)
{
	struct buf buf = { 0 };
	char *text;

	file_diff(&buf, "old", old, strlen(old), "new", new, strlen(new));
	text = arena_strdup(fixture->arena, buf_text(&buf));
	buf_free(&buf);
	return text;
}

static void differences_are_shown(void **state)
{
	static const struct {
		const char *old, *new, *expected;
	} cases[] = {
		{ "", "", "" },
		{ "a\n", "a\n", "" },
		{ "", "a\nb\n", "--- old\n+++ new\n@@ -0,0 +1,2 @@\n+a\n+b\n" },
		{ "a\n", "", "--- old\n+++ new\n@@ -1 +0,0 @@\n-a\n" },
		{ "a\n", "b\n", "--- old\n+++ new\n@@ -1 +1 @@\n-a\n+b\n" },
		{ "a", "a\n",
		  "--- old\n+++ new\n@@ -1 +1 @@\n-a\n\\ No newline at end of file\n+a\n" },
		{ "1\n2\n3\n4\n5\n6\n7\n8\n9\n", "1\n2\n3\n4\nx\n6\n7\n8\n9\n",
		  "--- old\n+++ new\n@@ -2,7 +2,7 @@\n 2\n 3\n 4\n-5\n+x\n 6\n 7\n 8\n" },
		{ "a\n1\n2\n3\n4\n5\n6\nb\n", "A\n1\n2\n3\n4\n5\n6\nB\n",
		  "--- old\n+++ new\n@@ -1,8 +1,8 @@\n-a\n+A\n 1\n 2\n 3\n 4\n 5\n 6\n-b\n+B\n" },
		{ "a\n1\n2\n3\n4\n5\n6\n7\nb\n", "A\n1\n2\n3\n4\n5\n6\n7\nB\n",
		  "--- old\n+++ new\n@@ -1,4 +1,4 @@\n-a\n+A\n 1\n 2\n 3\n@@ -6,4 +6,4 @@\n 5\n 6\n 7\n-b\n+B\n" },
	};
	size_t i;

	for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
		assert_string_equal(diff_of(*state, cases[i].old, cases[i].new), cases[i].expected);
}

/* Applies a unified diff, strictly: every line of it must be where it says. */
static char *apply_diff(struct fixture *fixture, const char *old, const char *diff)
{
	struct buf buf = { 0 };
	unsigned long line = 1, begin;
	char *text;

	diff = strstr(diff, "@@ ");
	while (diff && *diff) {
		const char *end = strchr(diff, '\n') + 1;

		if (*diff == '@') {
			begin = strtoul(diff + 4, NULL, 10);
			begin += strtoul(strchr(diff, ' ') + 2, &text, 10) && *text == ',' &&
				 text[1] == '0';
			for (; line < begin; line++, old = strchr(old, '\n') + 1)
				buf_add(&buf, old, (size_t)(strchr(old, '\n') + 1 - old));
		} else if (*diff == '+') {
			buf_add(&buf, diff + 1, (size_t)(end - diff - 1));
		} else {
			assert_memory_equal(old, diff + 1, end - diff - 1);
			if (*diff == ' ')
				buf_add(&buf, diff + 1, (size_t)(end - diff - 1));
			old += end - diff - 1;
			line++;
		}
		diff = end;
	}
	buf_puts(&buf, old);
	text = arena_strdup(fixture->arena, buf_text(&buf));
	buf_free(&buf);
	return text;
}

static const char *draw_text(struct fixture *fixture, uint64_t *seed, unsigned int lines,
			     unsigned int kinds)
{
	struct buf buf = { 0 };
	const char *text;

	while (lines--) {
		*seed = *seed * 6364136223846793005u + 1442695040888963407u;
		buf_printf(&buf, "line %u\n", (unsigned int)(*seed >> 33) % kinds);
	}
	text = arena_strdup(fixture->arena, buf_text(&buf));
	buf_free(&buf);
	return text;
}

static void applying_a_difference_gives_the_new_text(void **state)
{
	struct fixture *fixture = *state;
	uint64_t seed = 21;
	int i;

	for (i = 0; i < 600; i++) {
		const char *old =
			draw_text(fixture, &seed, (unsigned int)i % 40, 2 + (unsigned int)i % 9);
		const char *new = draw_text(fixture, &seed, (unsigned int)(i * 7) % 40,
					    2 + (unsigned int)i % 9);

		assert_string_equal(apply_diff(fixture, old, diff_of(fixture, old, new)), new);
	}
}

/* Thousands of lines without one in common are shown as replaced, in bounded time. */
static void large_differences_are_bounded(void **state)
{
	struct fixture *fixture = *state;
	uint64_t seed = 5;
	const char *old = draw_text(fixture, &seed, 30000, 1000000000),
		   *new = draw_text(fixture, &seed, 30000, 1000000000);

	assert_string_equal(apply_diff(fixture, old, diff_of(fixture, old, new)), new);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(writes_new_files_and_folders, make, drop),
		cmocka_unit_test_setup_teardown(writes_into_the_current_folder, make, drop),
		cmocka_unit_test_setup_teardown(replaces_what_differs, make, drop),
		cmocka_unit_test_setup_teardown(mends_the_mode, make, drop),
		cmocka_unit_test_setup_teardown(large_texts_arrive, make, drop),
		cmocka_unit_test_setup_teardown(a_link_is_replaced_and_not_followed, make, drop),
		cmocka_unit_test_setup_teardown(stale_files_go, make, drop),
		cmocka_unit_test_setup_teardown(temporary_names_of_others_stay, make, drop),
		cmocka_unit_test_setup_teardown(a_folder_in_the_way, make, drop),
		cmocka_unit_test_setup_teardown(a_file_where_the_folder_should_be, make, drop),
		cmocka_unit_test_setup_teardown(a_full_disk_changes_nothing, make, drop),
		cmocka_unit_test_setup_teardown(a_late_refusal_is_undone, make, drop),
		cmocka_unit_test_setup_teardown(a_limit_is_an_error_and_not_the_end, make, drop),
		cmocka_unit_test_setup_teardown(a_folder_that_may_not_be_written, make, drop),
		cmocka_unit_test_setup_teardown(differences_are_shown, make, drop),
		cmocka_unit_test_setup_teardown(applying_a_difference_gives_the_new_text, make,
						drop),
		cmocka_unit_test_setup_teardown(large_differences_are_bounded, make, drop),
	};

	umask(0022);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
