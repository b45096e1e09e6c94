/*
 * nft_load: runs libnftables in a child. Through a socket texts go in, and for each comes back
 * whether it worked, and libnftables' words.
 *
 * A buffer is loaded with nft_run_cmd_from_buffer, which knows no lines; so after a failure the
 * same text is checked once more as a file in memory, for which libnftables says line and column.
 */
#include "kernel/nft_load.h"

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

/* What goes before a text, and before the words that come back. */
struct message {
	size_t length;
	enum { RUN, CHECK, CHECK_AS_FILE, WORKED, FAILED } kind;
};

static bool send_all(int fd, const void *from, size_t length)
{
	const char *bytes = from;

	while (length > 0) {
		ssize_t sent = send(fd, bytes, length, MSG_NOSIGNAL);

		if (sent < 0 && errno == EINTR)
			continue;
		if (sent <= 0)
			return false;
		bytes += sent;
		length -= (size_t)sent;
	}
	return true;
}

static bool receive_all(int fd, void *to, size_t length)
{
	char *bytes = to;

	while (length > 0) {
		ssize_t received = recv(fd, bytes, length, 0);

		if (received < 0 && errno == EINTR)
			continue;
		if (received <= 0)
			return false;
		bytes += received;
		length -= (size_t)received;
	}
	return true;
}

static bool send_message(int fd, struct message head, const char *text)
{
	return send_all(fd, &head, sizeof(head)) && send_all(fd, text, head.length);
}

/* False when the other side is gone. */
static bool receive_message(int fd, struct message *head, struct buf *text)
{
	char bytes[4096];

	if (!receive_all(fd, head, sizeof(*head)))
		return false;
	for (size_t left = head->length, part; left > 0; left -= part) {
		part = left < sizeof(bytes) ? left : sizeof(bytes);
		if (!receive_all(fd, bytes, part))
			return false;
		buf_add(text, bytes, part);
	}
	return true;
}

/* ---- the child ---- */

/* The text as a file that only this process has; -1 when the system has none to give. */
static int text_file(const struct buf *text)
{
	int fd = memfd_create("policy", MFD_CLOEXEC);
	const char *from = buf_text(text);

	for (size_t left = text->length; fd >= 0 && left > 0;) {
		ssize_t written = write(fd, from, left);

		if (written < 0 && errno == EINTR)
			continue;
		if (written <= 0)
			break;
		from += written;
		left -= (size_t)written;
	}
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
 * The socket is libnftables' own, so it is looked for, not far above the lowest number that was
 * free before.
 */
static void widen_buffers(int lowest)
{
	enum { FAR = 16, ROOM = 64 << 20 };
	int domain, room = ROOM;

	for (int fd = lowest; fd < lowest + FAR; fd++) {
		socklen_t length = sizeof(domain);

		if (!getsockopt(fd, SOL_SOCKET, SO_DOMAIN, &domain, &length) &&
		    domain == AF_NETLINK) {
			setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &room, sizeof(room));
			return;
		}
	}
}

static struct nft_ctx *open_context(void)
{
	int lowest = dup(STDERR_FILENO);
	struct nft_ctx *context;

	close(lowest);
	context = nft_ctx_new(NFT_CTX_DEFAULT);
	if (!context)
		return NULL;
	nft_ctx_buffer_error(context);
	nft_ctx_buffer_output(context);
	widen_buffers(lowest < 0 ? 0 : lowest);
	return context;
}

/* Whoever reads what we print is not to wait for the child. */
static void leave_terminal(void)
{
	int nowhere = open("/dev/null", O_RDWR | O_CLOEXEC);

	for (int fd = STDIN_FILENO; nowhere >= 0 && fd <= STDERR_FILENO; fd++)
		dup2(nowhere, fd);
}

static _Noreturn void be_child(int socket)
{
	struct nft_ctx *context;
	struct message head;
	struct buf text = { 0 };

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	leave_terminal();
	context = open_context();
	while (context && receive_message(socket, &head, &text)) {
		const char *words;

		nft_ctx_set_dry_run(context, head.kind != RUN);
		head.kind = (head.kind == CHECK_AS_FILE
				     ? run_as_file(context, &text)
				     : nft_run_cmd_from_buffer(context, buf_text(&text)))
				    ? FAILED
				    : WORKED;
		words = nft_ctx_get_error_buffer(context);
		head.length = words ? strlen(words) : 0;
		if (!send_message(socket, head, words))
			break;
		text.length = 0;
	}
	_exit(0);
}

/* ---- the parent ---- */

void nft_load_open(struct nft_load *loader)
{
	int ends[2];

	if (loader->child || socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) < 0)
		return;
	loader->child = fork();
	if (loader->child == 0) {
		close(ends[0]);
		if (loader->lock > STDERR_FILENO)
			close(loader->lock);
		be_child(ends[1]);
	}
	close(ends[1]);
	loader->socket = ends[0];
	if (loader->child < 0) {
		close(ends[0]);
		loader->child = 0;
	}
}

void nft_load_close(struct nft_load *loader)
{
	int status;

	if (!loader->child)
		return;
	close(loader->socket);
	while (waitpid(loader->child, &status, 0) < 0 && errno == EINTR)
		;
	loader->child = 0;
}

void nft_load_leave(struct nft_load *loader)
{
	if (!loader->child)
		return;
	close(loader->socket);
	/* Where it is quick. Else it is init's, as we end, too. */
	waitpid(loader->child, NULL, WNOHANG);
	loader->child = 0;
}

/* Lets the child do it; `words` receives libnftables' complaints. One that has failed may have
 * answers of the kernel left unread: the next text gets a child of its own. */
static bool ask(struct nft_load *loader, struct message head, const struct buf *text,
		struct buf *words)
{
	nft_load_open(loader);
	if (!loader->child) {
		buf_printf(words, "a child process: %s", strerror(errno));
		return false;
	}
	head.length = text->length;
	if (!send_message(loader->socket, head, buf_text(text)) ||
	    !receive_message(loader->socket, &head, words)) {
		words->length = 0;
		buf_puts(words, "libnftables crashed");
		head.kind = FAILED;
	}
	if (head.kind == WORKED)
		return true;
	nft_load_close(loader);
	return false;
}

/* From "/proc/self/fd/5:12:3-9: Error: words\n...": line 12 and the words, which end with their
 * line. */
static void read_words(struct arena *arena, const char *words, struct nft_load_error *error)
{
	const char *at = strstr(words, "Error: "), *place = strstr(words, "/proc/self/fd/");
	size_t length;

	if (place && sscanf(place, "/proc/self/fd/%*d:%u:", &error->line) != 1)
		error->line = 0;
	at = at ? at + strlen("Error: ") : words;
	length = strcspn(at, "\n");
	error->text = length ? arena_strndup(arena, at, length) : "libnftables gives no reason";
}

bool nft_load_run(struct arena *arena, struct nft_load *loader, const struct buf *text,
		  enum nft_load_how how, struct nft_load_error *error)
{
	struct message run = { .kind = how == NFT_LOAD_CHECK ? CHECK : RUN };
	struct message check = { .kind = CHECK_AS_FILE };
	struct buf words = { 0 }, placed = { 0 };
	bool done = ask(loader, run, text, &words);

	memset(error, 0, sizeof(*error));
	if (!done) {
		read_words(arena, buf_text(&words), error);
		if (!ask(loader, check, text, &placed))
			read_words(arena, buf_text(&placed), error);
	}
	buf_free(&words);
	buf_free(&placed);
	return done;
}

int nft_load_code(const struct nft_load_error *error)
{
	static const int codes[] = { EINTR, EAGAIN, EBUSY, ENOBUFS, ENOMEM };

	for (size_t i = 0; i < sizeof(codes) / sizeof(codes[0]); i++)
		if (strstr(error->text, strerror(codes[i])))
			return codes[i];
	/* libnftables met an answer to what an earlier text had asked; the next child has none. */
	return strstr(error->text, strerror(EPROTO)) ? EAGAIN : 0;
}
