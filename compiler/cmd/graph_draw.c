/*
 * graph_draw: has Graphviz' `dot` draw a picture, in a child process.
 *
 * In goes a graph's text, out come the bytes of a picture. The text goes in, and complaints come
 * out, by files in memory, and the picture by a pipe, so that neither side can wait for the other.
 * There is no shell between.
 */
#include "cmd/graph_draw.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/buf.h"
#include "cmd/cmd.h"

extern char **environ;

/* What the child is connected to; -1 for what is not open. */
struct ends {
	int text, complaints; /* files in memory */
	int picture[2];
};

static bool write_text(int fd, const struct buf *text)
{
	for (size_t done = 0; done < text->length;) {
		ssize_t count = write(fd, text->text + done, text->length - done);

		if (count < 0 && errno != EINTR)
			return false;
		done += count > 0 ? (size_t)count : 0;
	}
	return lseek(fd, 0, SEEK_SET) == 0;
}

static bool open_ends(const struct cmd_call *call, struct ends *ends, const struct buf *text)
{
	*ends = (struct ends){ memfd_create("graph", MFD_CLOEXEC),
			       memfd_create("complaints", MFD_CLOEXEC),
			       { -1, -1 } };
	if (ends->text >= 0 && ends->complaints >= 0 && !pipe2(ends->picture, O_CLOEXEC) &&
	    write_text(ends->text, text))
		return true;
	cmd_error(call, DIAG_graphviz, NULL, "cannot run dot: %s", strerror(errno));
	return false;
}

static void close_end(int *fd)
{
	if (*fd >= 0)
		close(*fd);
	*fd = -1;
}

static void close_ends(struct ends *ends)
{
	close_end(&ends->text);
	close_end(&ends->complaints);
	close_end(&ends->picture[0]);
	close_end(&ends->picture[1]);
}

/* An errno of posix_spawnp's. */
static int start(const struct ends *ends, const char *format, pid_t *child)
{
	char program[] = "dot", option[16] = "-T";
	char *words[] = { program, option, NULL };
	posix_spawn_file_actions_t actions;
	posix_spawnattr_t attributes;
	sigset_t signals;
	int error;

	strncat(option, format, sizeof(option) - 3);
	posix_spawn_file_actions_init(&actions);
	posix_spawn_file_actions_adddup2(&actions, ends->text, STDIN_FILENO);
	posix_spawn_file_actions_adddup2(&actions, ends->picture[1], STDOUT_FILENO);
	posix_spawn_file_actions_adddup2(&actions, ends->complaints, STDERR_FILENO);
	posix_spawnattr_init(&attributes);
	sigemptyset(&signals);
	sigaddset(&signals, SIGPIPE); /* which we ignore */
	posix_spawnattr_setsigdefault(&attributes, &signals);
	posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSIGDEF);
	error = posix_spawnp(child, words[0], &actions, &attributes, words, environ);
	posix_spawnattr_destroy(&attributes);
	posix_spawn_file_actions_destroy(&actions);
	return error;
}

static bool read_all(int fd, struct buf *out)
{
	char bytes[1 << 16];
	ssize_t count;

	while ((count = read(fd, bytes, sizeof(bytes))) != 0) {
		if (count < 0 && errno != EINTR)
			return false;
		if (count > 0)
			buf_add(out, bytes, (size_t)count);
	}
	return true;
}

/* Its first words, in one line. */
static void report_failure(const struct cmd_call *call, int complaints, int status)
{
	struct buf words = { 0 };
	const char *text;

	if (lseek(complaints, 0, SEEK_SET) == 0)
		read_all(complaints, &words);
	text = buf_text(&words);
	if (WIFSIGNALED(status))
		cmd_error(call, DIAG_graphviz, NULL,
			  "dot was ended by signal %d (%s); nothing was written", WTERMSIG(status),
			  strsignal(WTERMSIG(status)));
	else
		cmd_error(call, DIAG_graphviz, NULL, "dot failed%s%.*s; nothing was written",
			  *text ? ": " : "", (int)strcspn(text, "\n"), text);
	buf_free(&words);
}

static bool finish(const struct cmd_call *call, struct ends *ends, pid_t child, struct buf *out)
{
	bool is_read = read_all(ends->picture[0], out);
	int status = 0;

	/* It would wait for us to read on. */
	close_end(&ends->picture[0]);
	while (waitpid(child, &status, 0) < 0 && errno == EINTR)
		;
	if (is_read && WIFEXITED(status) && WEXITSTATUS(status) == 0 && out->length)
		return true;
	report_failure(call, ends->complaints, status);
	return false;
}

bool graph_draw(const struct cmd_call *call, const struct buf *text, const char *format,
		struct buf *out)
{
	struct ends ends;
	bool is_good = open_ends(call, &ends, text);
	pid_t child;
	int error;

	if (is_good) {
		error = start(&ends, format, &child);
		close_end(&ends.picture[1]);
		is_good = !error && finish(call, &ends, child, out);
		if (error == ENOENT)
			cmd_error(call, DIAG_graphviz,
				  "install the package graphviz; or --emit dot or --emit mermaid, which need nothing",
				  "there is no `dot` here, which draws %s", format);
		else if (error)
			cmd_error(call, DIAG_graphviz, NULL, "cannot run dot: %s", strerror(error));
	}
	close_ends(&ends);
	return is_good;
}
