/*
 * Unit tests of base/source and base/source_read: places in texts against a slow count of the same,
 * and files that cannot be read.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/arena.h"
#include "base/buf.h"
#include "base/diag.h"
#include "base/source.h"
#include "privileges.h"

struct fixture {
	struct arena *arena;
	struct diag *diag;
	char folder[64], path[128];
};

static int make(void **state)
{
	struct fixture *fixture = calloc(1, sizeof(*fixture));

	fixture->arena = arena_new();
	fixture->diag = diag_new(fixture->arena);
	strcpy(fixture->folder, "/tmp/tpc-test-source-XXXXXX");
	*state = fixture;
	return mkdtemp(fixture->folder) ? 0 : -1;
}

static int drop(void **state)
{
	struct fixture *fixture = *state;
	char command[128];

	snprintf(command, sizeof(command), "rm -rf '%s'", fixture->folder);
	arena_free(fixture->arena);
	if (system(command))
		return -1;
	free(fixture);
	return 0;
}

static const char *path_of(struct fixture *fixture, const char *name)
{
	snprintf(fixture->path, sizeof(fixture->path), "%s/%s", fixture->folder, name);
	return fixture->path;
}

static const char *put_file(struct fixture *fixture, const char *name, const char *text,
			    size_t length)
{
	FILE *file = fopen(path_of(fixture, name), "w");

	assert_non_null(file);
	assert_int_equal(fwrite(text, 1, length, file), length);
	assert_int_equal(fclose(file), 0);
	return fixture->path;
}

static struct source *read_file(struct fixture *fixture, const char *path, size_t limit)
{
	return source_read(fixture->arena, fixture->diag, path, limit, (struct span){ NULL, 0, 0 });
}

/* Everything that was said, with the test's own folder as "DIR". */
static const char *said(struct fixture *fixture)
{
	struct buf buf = { 0 };
	char *text, *at;

	diag_render(fixture->diag, &buf, (struct diag_style){ 0 });
	text = arena_strdup(fixture->arena, buf_text(&buf));
	buf_free(&buf);
	while ((at = strstr(text, fixture->folder))) {
		memcpy(at, "DIR", 3);
		memmove(at + 3, at + strlen(fixture->folder),
			strlen(at + strlen(fixture->folder)) + 1);
	}
	return text;
}

static struct source *from(struct fixture *fixture, const char *text)
{
	return source_from(fixture->arena, "test", text, strlen(text));
}

static void check_place(const struct source *source, uint32_t offset, unsigned int line,
			unsigned int column)
{
	struct place place = source_place(source, offset);

	assert_int_equal(place.line, line);
	assert_int_equal(place.column, column);
}

static void places_count_characters(void **state)
{
	struct source *source = from(*state, "ab\n\xc3\xa9\xe4\xb8\xad!\n\nend");

	check_place(source, 0, 1, 1);
	check_place(source, 2, 1, 3); /* the line feed */
	check_place(source, 3, 2, 1);
	check_place(source, 5, 2, 2);  /* behind two bytes of e acute */
	check_place(source, 8, 2, 3);  /* behind three bytes more */
	check_place(source, 10, 3, 1); /* an empty line */
	check_place(source, 11, 4, 1);
	check_place(source, 14, 4, 4); /* the end */
	check_place(source, 99, 4, 4); /* behind the end */
	assert_int_equal(source->line_count, 4);
}

static void lines_come_without_their_end(void **state)
{
	struct source *source = from(*state, "one\r\ntwo\n\nfour\r");
	size_t length;

	assert_memory_equal(source_line(source, 1, &length), "one", 3);
	assert_int_equal(length, 3);
	source_line(source, 2, &length);
	assert_int_equal(length, 3);
	source_line(source, 3, &length);
	assert_int_equal(length, 0);
	source_line(source, 4, &length);
	assert_int_equal(length, 5); /* a carriage return that no line feed follows is a part of the
					line */
	source_line(source, 5, &length);
	assert_int_equal(length, 0);
	source_line(source, 0, &length);
	assert_int_equal(length, 0);
}

static void an_empty_text_has_one_line(void **state)
{
	struct source *source = from(*state, "");
	size_t length;

	check_place(source, 0, 1, 1);
	assert_int_equal(source->line_count, 1);
	assert_int_equal(source_offset(source, 0, 0), 0);
	assert_int_equal(source_offset(source, 3, 3), 0);
	assert_int_equal(source_walk(source, 0, 5), 0);
	assert_int_equal(source_walk(source, 0, -5), 0);
	source_line(source, 1, &length);
	assert_int_equal(length, 0);
}

static void a_byte_order_mark_is_skipped(void **state)
{
	struct fixture *fixture = *state;
	struct source *source = from(fixture, "\xef\xbb\xbfversion: 1\n");

	assert_string_equal(source->text, "version: 1\n");
	check_place(source, 0, 1, 1);
	source = read_file(fixture, put_file(fixture, "bom", "\xef\xbb\xbf", 3), 100);
	assert_non_null(source);
	assert_int_equal(source->size, 0);
}

static void sources_are_numbered(void **state)
{
	assert_int_equal(from(*state, "a")->order, 0);
	assert_int_equal(from(*state, "b")->order, 1);
	assert_string_equal(source_from(((struct fixture *)*state)->arena, "-", "", 0)->name,
			    "<stdin>");
}

static void texts_are_copied(void **state)
{
	char text[] = "abc";
	struct source *source = from(*state, text);

	text[0] = 'x';
	assert_string_equal(source->text, "abc");
	source = source_from(((struct fixture *)*state)->arena, "nul", "a\0b", 3);
	assert_int_equal(source->size, 3);
	assert_memory_equal(source->text, "a\0b", 4);
}

/* The length of YAML's line break at `text`, 0 for none. */
static size_t break_size(const char *text)
{
	if (!strncmp(text, "\r\n", 2))
		return 2;
	if (*text == '\n' || *text == '\r')
		return 1;
	if (!strncmp(text, "\xc2\x85", 2))
		return 2;
	return !strncmp(text, "\xe2\x80\xa8", 3) || !strncmp(text, "\xe2\x80\xa9", 3) ? 3 : 0;
}

/* Counts slowly through the text, as editors count (place) and as libyaml counts (offset), and
 * compares both. */
static void check_all_places(const struct source *source)
{
	unsigned int line = 1, column = 1, yaml_line = 0, yaml_column = 0;
	size_t at = 0, size;

	while (at < source->size) {
		assert_int_equal(source_place(source, (uint32_t)at).line, line);
		assert_int_equal(source_place(source, (uint32_t)at).column, column);
		assert_int_equal(source_offset(source, yaml_line, yaml_column), at);
		size = break_size(source->text + at);
		yaml_column = size ? 0 : yaml_column + 1;
		yaml_line += size != 0;
		if (size == 2 && source->text[at] == '\r')
			column += 2;
		else
			column++;
		size = size ? size : 1;
		while (at + size < source->size &&
		       ((unsigned char)source->text[at + size] & 0xc0) == 0x80)
			size++;
		if (source->text[at + size - 1] == '\n') {
			line++;
			column = 1;
		}
		at += size;
	}
	assert_int_equal(source_offset(source, yaml_line, yaml_column), source->size);
	assert_int_equal(source_place(source, (uint32_t)at).line, line);
	assert_int_equal(source_place(source, (uint32_t)at).column, column);
}

/* Texts of many blocks, of every mixture of widths and of line breaks. */
static void places_agree_with_a_slow_count(void **state)
{
	static const char *const pieces[] = { "a",        "bc",           "\n",
					      "\xc3\xa9", "\xe4\xb8\xad", "\xf0\x9f\x98\x80",
					      "xxxxxxxx", "\r\n",         "\r",
					      "\xc2\x85", "\xe2\x80\xa8", "\xe2\x80\xa9" };
	struct fixture *fixture = *state;
	uint64_t seed = 11;
	int round, i;

	for (round = 0; round < 60; round++) {
		struct buf buf = { 0 };
		unsigned int kinds = round % 3 == 0   ? 2
				     : round % 3 == 1 ? 8
						      : 12,
			     lengths = round % 5 ? 3000 : 30;

		for (i = 0; i < (int)lengths; i++) {
			seed = seed * 6364136223846793005u + 1442695040888963407u;
			buf_puts(&buf, pieces[(seed >> 33) % kinds]);
		}
		check_all_places(source_from(fixture->arena, "drawn", buf_text(&buf), buf.length));
		buf_free(&buf);
	}
}

static void walking_goes_by_characters(void **state)
{
	struct fixture *fixture = *state;
	struct buf buf = { 0 };
	struct source *source;
	int i;

	for (i = 0; i < 5000; i++)
		buf_puts(&buf, i % 3 ? "\xc3\xa9" : "a");
	source = source_from(fixture->arena, "long", buf_text(&buf), buf.length);
	buf_free(&buf);
	assert_int_equal(source_walk(source, 0, 3), 5);
	assert_int_equal(source_walk(source, 5, -3), 0);
	assert_int_equal(source_walk(source, 5, -4), 0);
	assert_int_equal(source_walk(source, 0, 3000), 5000);
	assert_int_equal(source_walk(source, 5000, -3000), 0);
	assert_int_equal(source_walk(source, 5000, 1), 5001);
	assert_int_equal(source_walk(source, 0, 1000000), source->size);
}

/* Bytes that are no text must not lead anywhere outside it. */
static void rubbish_has_places_too(void **state)
{
	struct fixture *fixture = *state;
	char text[5000];
	struct source *source;
	uint32_t i;

	memset(text, 0x80, sizeof(text));
	text[2500] = '\n';
	source = source_from(fixture->arena, "rubbish", text, sizeof(text));
	for (i = 0; i <= sizeof(text); i++) {
		assert_true(source_place(source, i).line <= 2);
		assert_true(source_offset(source, i, i) <= sizeof(text));
		assert_true(source_walk(source, i, -7) <= sizeof(text));
		assert_true(source_walk(source, i, 7) <= sizeof(text));
	}
}

static void reads_files_whole(void **state)
{
	struct fixture *fixture = *state;
	char *text = test_malloc(300000);
	struct source *source;

	memset(text, 'x', 300000);
	source = read_file(fixture, put_file(fixture, "large", text, 300000), 300000);
	assert_non_null(source);
	assert_int_equal(source->size, 300000);
	assert_memory_equal(source->text, text, 300000);
	assert_int_equal(source->text[300000], '\0');
	source = read_file(fixture, put_file(fixture, "empty", "", 0), 300000);
	assert_non_null(source);
	assert_int_equal(source->size, 0);
	assert_string_equal(source->name, fixture->path);
	assert_string_equal(said(fixture), "");
	test_free(text);
}

static void reads_standard_input(void **state)
{
	struct fixture *fixture = *state;
	int pipes[2], before = dup(STDIN_FILENO);
	struct source *source;
	pid_t child;

	assert_int_equal(pipe(pipes), 0);
	fflush(NULL);
	child = fork();
	if (!child) {
		int i;

		for (i = 0; i < 20000; i++) {
			if (write(pipes[1], "0123456789", 10) != 10)
				_exit(1);
		}
		_exit(0);
	}
	close(pipes[1]);
	dup2(pipes[0], STDIN_FILENO);
	source = read_file(fixture, "-", 1000000);
	assert_int_equal(waitpid(child, NULL, 0), child);
	assert_non_null(source);
	assert_string_equal(source->name, "<stdin>");
	assert_int_equal(source->size, 200000);
	dup2(before, STDIN_FILENO);
	close(before);
	close(pipes[0]);
}

static void a_missing_file_is_looked_for(void **state)
{
	struct fixture *fixture = *state;

	put_file(fixture, "china.txt", "", 0);
	put_file(fixture, "other.txt", "", 0);
	assert_int_equal(mkdir(path_of(fixture, "chinb.txt"), 0755), 0);
	assert_null(read_file(fixture, path_of(fixture, "chima.txt"), 100));
	assert_string_equal(said(fixture),
			    "tpc: error: cannot read \"DIR/chima.txt\": there is no such file [file-unreadable]\n"
			    "help: did you mean \"DIR/china.txt\"?\n");
}

static void a_missing_file_without_a_neighbour(void **state)
{
	struct fixture *fixture = *state;

	assert_null(read_file(fixture, path_of(fixture, "none"), 100));
	assert_string_equal(said(fixture),
			    "tpc: error: cannot read \"DIR/none\": there is no such file [file-unreadable]\n");
}

static void a_missing_folder_is_named(void **state)
{
	struct fixture *fixture = *state;

	assert_null(read_file(fixture, path_of(fixture, "lists/cn.txt"), 100));
	assert_string_equal(said(fixture),
			    "tpc: error: cannot read \"DIR/lists/cn.txt\": there is no such file "
			    "[file-unreadable]\nhelp: there is no folder \"DIR/lists/\"\n");
}

static void a_folder_is_no_file(void **state)
{
	struct fixture *fixture = *state;

	assert_null(read_file(fixture, fixture->folder, 100));
	assert_string_equal(said(fixture),
			    "tpc: error: cannot read \"DIR\": it is a directory [file-unreadable]\n"
			    "help: name a file inside it\n");
}

static void a_file_is_no_folder(void **state)
{
	struct fixture *fixture = *state;

	put_file(fixture, "file", "", 0);
	assert_null(read_file(fixture, path_of(fixture, "file/x"), 100));
	assert_non_null(
		strstr(said(fixture),
		       "a part of the path before the last is a file, not a folder [file-unreadable]"));
}

static void the_limit_holds(void **state)
{
	struct fixture *fixture = *state;
	char *text = test_calloc(1, (1 << 20) + 1);

	assert_non_null(read_file(fixture, put_file(fixture, "fits", text, 1 << 20), 1 << 20));
	assert_null(read_file(fixture, put_file(fixture, "over", text, (1 << 20) + 1), 1 << 20));
	assert_string_equal(
		said(fixture),
		"tpc: error: \"DIR/over\" is larger than 1 MiB, the most that is read [file-too-large]\n");
	test_free(text);
}

/* What has no end is given up at the limit. */
static void the_limit_holds_without_a_size(void **state)
{
	struct fixture *fixture = *state;
	int before = dup(STDIN_FILENO), endless = open("/dev/zero", O_RDONLY);

	assert_true(endless >= 0 && dup2(endless, STDIN_FILENO) == STDIN_FILENO);
	assert_null(read_file(fixture, "/dev/stdin", 3 << 20));
	dup2(before, STDIN_FILENO);
	close(before);
	close(endless);
	assert_string_equal(
		said(fixture),
		"tpc: error: \"/dev/stdin\" is larger than 3 MiB, the most that is read [file-too-large]\n");
}

static void only_files_that_hold_bytes_are_read(void **state)
{
	static const struct {
		const char *path, *kind;
	} others[] = {
		{ "/dev/zero", "a device" },
		{ "/dev/null", "a device" },
		{ "/proc/version", "a file that the kernel makes at each reading" },
		{ "/proc/mounts", "a file that the kernel makes at each reading" },
	};
	struct fixture *fixture = *state;

	for (size_t i = 0; i < sizeof(others) / sizeof(others[0]); i++) {
		fixture->diag = diag_new(fixture->arena);
		assert_null(read_file(fixture, others[i].path, 3 << 20));
		assert_string_equal(said(fixture),
				    arena_printf(fixture->arena,
						 "tpc: error: cannot read \"%s\": it is %s [file-unreadable]\n"
						 "help: copy what is meant to a file, and name that\n",
						 others[i].path, others[i].kind));
	}
}

/* Who would wait for a pipe that stays empty, waits for ever: so does this test. */
static void a_pipe_is_not_waited_for(void **state)
{
	struct fixture *fixture = *state;
	int pipes[2];

	assert_int_equal(mkfifo(path_of(fixture, "pipe"), 0600), 0);
	assert_null(read_file(fixture, path_of(fixture, "pipe"), 100));
	assert_non_null(strstr(said(fixture),
			       "\": it is a pipe [file-unreadable]\nhelp: write what comes"));
	fixture->diag = diag_new(fixture->arena);
	assert_int_equal(pipe(pipes), 0);
	assert_null(read_file(fixture, arena_printf(fixture->arena, "/dev/fd/%d", pipes[0]), 100));
	assert_non_null(strstr(said(fixture),
			       "\": it is a pipe [file-unreadable]\nhelp: write what comes"));
	close(pipes[0]);
	close(pipes[1]);
}

static void errors_stand_where_the_file_is_named(void **state)
{
	struct fixture *fixture = *state;
	struct source *source = from(fixture, "sets:\n  cn: {file: none}\n");

	assert_null(source_read(fixture->arena, fixture->diag, path_of(fixture, "none"), 100,
				(struct span){ source, 19, 23 }));
	assert_string_equal(said(fixture),
			    "test:2:14: error: cannot read \"DIR/none\": there is no such file "
			    "[file-unreadable]\n  2 |   cn: {file: none}\n    |              ^^^^\n");
}

/* In a process that root's rights were taken from: nothing is forbidden to root. */
static void what_may_not_be_read(void **state)
{
	struct fixture *fixture = *state;
	int pipes[2], status;
	char text[1000];
	ssize_t got;
	pid_t child;

	put_file(fixture, "secret", "x", 1);
	assert_int_equal(chmod(fixture->path, 0200), 0);
	assert_int_equal(pipe(pipes), 0);
	fflush(NULL);
	child = fork();
	if (!child) {
		if (privileges_drop())
			_exit(2);
		if (read_file(fixture, fixture->path, 100))
			_exit(3);
		_exit(write(pipes[1], said(fixture), strlen(said(fixture))) < 0);
	}
	close(pipes[1]);
	got = read(pipes[0], text, sizeof(text) - 1);
	close(pipes[0]);
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_int_equal(status, 0);
	text[got > 0 ? got : 0] = '\0';
	assert_non_null(
		strstr(text,
		       "cannot read \"DIR/secret\": you may not read it: it belongs to user "));
	assert_non_null(strstr(text, ", with mode 0200 [file-unreadable]"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(places_count_characters, make, drop),
		cmocka_unit_test_setup_teardown(lines_come_without_their_end, make, drop),
		cmocka_unit_test_setup_teardown(an_empty_text_has_one_line, make, drop),
		cmocka_unit_test_setup_teardown(a_byte_order_mark_is_skipped, make, drop),
		cmocka_unit_test_setup_teardown(sources_are_numbered, make, drop),
		cmocka_unit_test_setup_teardown(texts_are_copied, make, drop),
		cmocka_unit_test_setup_teardown(places_agree_with_a_slow_count, make, drop),
		cmocka_unit_test_setup_teardown(walking_goes_by_characters, make, drop),
		cmocka_unit_test_setup_teardown(rubbish_has_places_too, make, drop),
		cmocka_unit_test_setup_teardown(reads_files_whole, make, drop),
		cmocka_unit_test_setup_teardown(reads_standard_input, make, drop),
		cmocka_unit_test_setup_teardown(a_missing_file_is_looked_for, make, drop),
		cmocka_unit_test_setup_teardown(a_missing_file_without_a_neighbour, make, drop),
		cmocka_unit_test_setup_teardown(a_missing_folder_is_named, make, drop),
		cmocka_unit_test_setup_teardown(a_folder_is_no_file, make, drop),
		cmocka_unit_test_setup_teardown(a_file_is_no_folder, make, drop),
		cmocka_unit_test_setup_teardown(the_limit_holds, make, drop),
		cmocka_unit_test_setup_teardown(the_limit_holds_without_a_size, make, drop),
		cmocka_unit_test_setup_teardown(only_files_that_hold_bytes_are_read, make, drop),
		cmocka_unit_test_setup_teardown(a_pipe_is_not_waited_for, make, drop),
		cmocka_unit_test_setup_teardown(errors_stand_where_the_file_is_named, make, drop),
		cmocka_unit_test_setup_teardown(what_may_not_be_read, make, drop),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
