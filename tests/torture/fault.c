/*
 * fault: a library that is preloaded, and lets the kernel seem to refuse one netlink message.
 *
 * In go, from the environment, FAULT_AT (the message's number, from 1, over the command and its
 * children), FAULT_TIMES (how many in a row, 1), FAULT_ERRNO and FAULT_HOW:
 *     send      the call that sends it fails, and the kernel never sees it
 *     refuse    the call succeeds, and the kernel's answer is the error
 *     receive   the kernel has done it, and the call that reads an answer fails once
 *     lose      the kernel has done it, and its answers are gone: the call fails, none is left
 *     command   nothing fails, but before it is sent the command FAULT_COMMAND is run
 * The file FAULT_FILE holds two numbers, which count what was sent and received.
 */
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/select.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <linux/netfilter/nfnetlink.h>
#include <linux/netlink.h>

enum { FDS = 1024 };

struct answer {
	struct nlmsghdr header;
	struct nlmsgerr error;
};

static struct {
	uint32_t *counts; /* sent, received: shared with children */
	uint32_t at, times;
	int code;
	const char *how, *command;
	struct answer pending[FDS]; /* what the next receive is to get; nlmsg_len 0: nothing */
} fault;

static uint32_t number(const char *name, uint32_t otherwise)
{
	const char *text = getenv(name);

	return text ? (uint32_t)strtoul(text, NULL, 10) : otherwise;
}

static __attribute__((constructor)) void prepare(void)
{
	const char *path = getenv("FAULT_FILE");
	int fd = path ? open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600) : -1;
	void *shared;

	if (fd < 0 || ftruncate(fd, 2 * sizeof(uint32_t)) < 0)
		return;
	shared = mmap(NULL, 2 * sizeof(uint32_t), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	close(fd);
	if (shared == MAP_FAILED)
		return;
	fault.at = number("FAULT_AT", 0);
	fault.times = number("FAULT_TIMES", 1);
	fault.code = (int)number("FAULT_ERRNO", EBUSY);
	fault.how = getenv("FAULT_HOW") ? getenv("FAULT_HOW") : "send";
	fault.command = getenv("FAULT_COMMAND");
	fault.counts = shared;
}

static bool is_netlink(int fd)
{
	int domain = 0;
	socklen_t length = sizeof(domain);

	return fault.counts && fd >= 0 && fd < FDS &&
	       getsockopt(fd, SOL_SOCKET, SO_DOMAIN, &domain, &length) == 0 && domain == AF_NETLINK;
}

static bool is_due(size_t which)
{
	uint32_t count = ++fault.counts[which];

	return fault.at && count >= fault.at && count < fault.at + fault.times;
}

static bool is_how(const char *how)
{
	return strcmp(fault.how, how) == 0;
}

/* The kernel's refusal of the first message that asks for something. */
static void put_answer(int fd, const struct nlmsghdr *message, size_t length)
{
	struct answer *answer = &fault.pending[fd];

	if (message->nlmsg_type == NFNL_MSG_BATCH_BEGIN &&
	    length > NLMSG_ALIGN(message->nlmsg_len) + sizeof(*message))
		message = (const void *)((const char *)message + NLMSG_ALIGN(message->nlmsg_len));
	answer->header = (struct nlmsghdr){ .nlmsg_len = sizeof(*answer),
					    .nlmsg_type = NLMSG_ERROR,
					    .nlmsg_flags = NLM_F_CAPPED,
					    .nlmsg_seq = message->nlmsg_seq };
	answer->error.error = -fault.code;
	answer->error.msg = *message;
}

/* True: the message is not to be sent, and *result is what the caller gets. */
static bool stops_send(int fd, const void *bytes, size_t length, ssize_t *result)
{
	char *preload;

	if (!is_netlink(fd) || !is_due(0))
		return false;
	if (is_how("send")) {
		errno = fault.code;
		*result = -1;
		return true;
	}
	if (is_how("refuse") && length >= sizeof(struct nlmsghdr)) {
		put_answer(fd, bytes, length);
		*result = (ssize_t)length;
		return true;
	}
	if (is_how("command") && fault.command) {
		preload = getenv("LD_PRELOAD");
		unsetenv("LD_PRELOAD");
		if (system(fault.command) != 0)
			fprintf(stderr, "fault: %s failed\n", fault.command);
		if (preload)
			setenv("LD_PRELOAD", preload, 1);
	}
	return false;
}

/* True: *result and errno are what the caller gets, or the answer was copied to `into`. */
static bool stops_receive(int fd, void *into, size_t room, ssize_t *result)
{
	static char gone[1 << 16];

	if (!is_netlink(fd))
		return false;
	if (fault.pending[fd].header.nlmsg_len) {
		size_t length = sizeof(fault.pending[fd]);

		memcpy(into, &fault.pending[fd], length < room ? length : room);
		fault.pending[fd].header.nlmsg_len = 0;
		*result = (ssize_t)length;
		return true;
	}
	if (!is_due(1) || (!is_how("receive") && !is_how("lose")))
		return false;
	if (is_how("lose"))
		while (syscall(SYS_recvfrom, fd, gone, sizeof(gone), MSG_DONTWAIT, NULL, NULL) > 0)
			;
	errno = fault.code;
	*result = -1;
	return true;
}

ssize_t sendto(int fd, const void *bytes, size_t length, int flags, const struct sockaddr *to,
	       socklen_t to_length)
{
	ssize_t (*next)(int, const void *, size_t, int, const struct sockaddr *, socklen_t) =
		dlsym(RTLD_NEXT, "sendto");
	ssize_t result;

	return stops_send(fd, bytes, length, &result)
		       ? result
		       : next(fd, bytes, length, flags, to, to_length);
}

ssize_t sendmsg(int fd, const struct msghdr *message, int flags)
{
	ssize_t (*next)(int, const struct msghdr *, int) = dlsym(RTLD_NEXT, "sendmsg");
	ssize_t result;
	size_t length = 0;

	for (size_t i = 0; i < message->msg_iovlen; i++)
		length += message->msg_iov[i].iov_len;
	/* A batch's first parts tell enough; they lie in one piece up to the first message. */
	if (message->msg_iovlen &&
	    stops_send(fd, message->msg_iov[0].iov_base, message->msg_iov[0].iov_len, &result))
		return result < 0 ? result : (ssize_t)length;
	return next(fd, message, flags);
}

ssize_t recv(int fd, void *into, size_t room, int flags)
{
	ssize_t (*next)(int, void *, size_t, int) = dlsym(RTLD_NEXT, "recv");
	ssize_t result;

	return stops_receive(fd, into, room, &result) ? result : next(fd, into, room, flags);
}

ssize_t recvmsg(int fd, struct msghdr *message, int flags)
{
	ssize_t (*next)(int, struct msghdr *, int) = dlsym(RTLD_NEXT, "recvmsg");
	ssize_t result;

	if (!message->msg_iovlen || flags & MSG_PEEK ||
	    !stops_receive(fd, message->msg_iov[0].iov_base, message->msg_iov[0].iov_len, &result))
		return next(fd, message, flags);
	if (result >= 0 && message->msg_name) {
		memset(message->msg_name, 0, message->msg_namelen);
		((struct sockaddr_nl *)message->msg_name)->nl_family = AF_NETLINK;
	}
	message->msg_flags = 0;
	return result;
}

/* libnftables looks whether there is an answer before it reads one. */
int select(int count, fd_set *read, fd_set *write, fd_set *except, struct timeval *timeout)
{
	int (*next)(int, fd_set *, fd_set *, fd_set *, struct timeval *) =
		dlsym(RTLD_NEXT, "select");

	for (int fd = 0; read && fd < count && fd < FDS; fd++)
		if (FD_ISSET(fd, read) && fault.pending[fd].header.nlmsg_len)
			return 1;
	return next(count, read, write, except, timeout);
}
