/*
 * loader: runs libnftables in a child. In goes text, back through a pipe come one byte (did it
 * work?) and libnftables' words.
 *
 * A buffer is loaded with nft_run_cmd_from_buffer, which knows no lines; so after a failure the
 * same text is checked once more as a file in memory, for which libnftables says line and column.
 */
#include "live/loader.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <nftables/libnftables.h>

#include "base/arena.h"
#include "base/buf.h"

static void write_all(int fd, const char *text, size_t length)
{
	while (length > 0) {
		ssize_t written = write(fd, text, length);

		if (written < 0 && errno == EINTR)
			continue;
		if (written <= 0)
			return;
		text += written;
		length -= (size_t)written;
	}
}

/* The text as a file that only this process has; -1 when the system has none to give. */
static int text_file(const struct buf *text)
{
	int fd = memfd_create("policy", MFD_CLOEXEC);

	if (fd >= 0)
		write_all(fd, buf_text(text), text->length);
	return fd;
}

static int run_as_file(struct nft_ctx *context, const struct buf *text)
{
	char path[64];

	snprintf(path, sizeof(path), "/proc/self/fd/%d", text_file(text));
	return nft_run_cmd_from_filename(context, path);
}

/*
 * Without the right to force it (in a container with user ids of its own) libnftables' socket keeps
 * the buffer it came with, and larger transactions are refused: it gets what everybody may have.
 * The socket is libnftables' own, so it is looked for among ours.
 */
static void widen_buffers(void)
{
	enum { FDS = 64, ROOM = 64 << 20 };
	int domain, room = ROOM;

	for (int fd = 0; fd < FDS; fd++) {
		socklen_t length = sizeof(domain);

		if (!getsockopt(fd, SOL_SOCKET, SO_DOMAIN, &domain, &length) &&
		    domain == AF_NETLINK)
			setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &room, sizeof(room));
	}
}

static _Noreturn void be_child(const struct buf *text, bool is_dry, bool as_file, int answer)
{
	struct nft_ctx *context;
	const char *words;
	char result = '1';

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	context = nft_ctx_new(NFT_CTX_DEFAULT);
	if (context) {
		nft_ctx_buffer_error(context);
		nft_ctx_buffer_output(context);
		nft_ctx_set_dry_run(context, is_dry);
		widen_buffers();
		result = (as_file ? run_as_file(context, text)
				  : nft_run_cmd_from_buffer(context, buf_text(text)))
				 ? '1'
				 : '0';
	}
	words = context ? nft_ctx_get_error_buffer(context) : NULL;
	write_all(answer, &result, 1);
	if (words)
		write_all(answer, words, strlen(words));
	_exit(0);
}

static void read_answer(int fd, struct buf *out)
{
	char bytes[4096];
	ssize_t length;

	while ((length = read(fd, bytes, sizeof(bytes))) != 0) {
		if (length < 0 && errno != EINTR)
			return;
		if (length > 0)
			buf_add(out, bytes, (size_t)length);
	}
}

/* Runs the text in a child; `words` receives libnftables' complaints. */
static bool run_in_child(const struct buf *text, bool is_dry, bool as_file, int lock,
			 struct buf *words)
{
	struct buf answer = { 0 };
	bool done = false;
	int ends[2], status;
	pid_t child;

	if (pipe2(ends, O_CLOEXEC) < 0) {
		buf_printf(words, "a pipe: %s", strerror(errno));
		return false;
	}
	child = fork();
	if (child == 0) {
		close(ends[0]);
		if (lock >= 0)
			close(lock);
		be_child(text, is_dry, as_file, ends[1]);
	}
	close(ends[1]);
	if (child > 0) {
		read_answer(ends[0], &answer);
		while (waitpid(child, &status, 0) < 0 && errno == EINTR)
			;
		done = answer.length > 0 && answer.text[0] == '0';
		if (answer.length > 0)
			buf_add(words, answer.text + 1, answer.length - 1);
		else
			buf_puts(words, "libnftables crashed");
	} else {
		buf_printf(words, "a child process: %s", strerror(errno));
	}
	close(ends[0]);
	buf_free(&answer);
	return done;
}

/* From "/proc/self/fd/5:12:3-9: Error: words\n...": line 12 and the words, which end with their
 * line. */
static void read_words(struct arena *arena, const char *words, struct loader_error *error)
{
	const char *at = strstr(words, "Error: "), *place = strstr(words, "/proc/self/fd/");
	size_t length;

	if (place && sscanf(place, "/proc/self/fd/%*d:%u:", &error->line) != 1)
		error->line = 0;
	at = at ? at + strlen("Error: ") : words;
	length = strcspn(at, "\n");
	error->text = length ? arena_strndup(arena, at, length) : "libnftables gives no reason";
}

bool loader_run(struct arena *arena, const struct buf *text, enum loader_how how, int lock,
		struct loader_error *error)
{
	struct buf words = { 0 }, placed = { 0 };
	bool done = run_in_child(text, how == LOADER_CHECK, false, lock, &words);

	memset(error, 0, sizeof(*error));
	if (!done) {
		read_words(arena, buf_text(&words), error);
		if (!run_in_child(text, true, true, lock, &placed))
			read_words(arena, buf_text(&placed), error);
	}
	buf_free(&words);
	buf_free(&placed);
	return done;
}

int loader_code(const struct loader_error *error)
{
	static const int codes[] = { EINTR, EAGAIN, EBUSY, ENOBUFS, ENOMEM };

	for (size_t i = 0; i < sizeof(codes) / sizeof(codes[0]); i++)
		if (strstr(error->text, strerror(codes[i])))
			return codes[i];
	return 0;
}
