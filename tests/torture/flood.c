/*
 * flood: datagrams to every address given, at a steady pace, until it is told to end.
 *
 *     flood PER_SECOND SECONDS ADDRESS...
 *
 * IPv4 and IPv6 mixed, from SOCKETS sockets to PORTS ports of each address, so that old and new
 * connections are among them. SIGTERM, or SECONDS, ends it; it prints what it has sent and the
 * packets a second that this came to. A packet that the kernel refuses to send has met the policy
 * too, and counts.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>

enum { BATCH = 64, SOCKETS = 16, PORTS = 16, FIRST_PORT = 5000, MOST = 32 };

struct target {
	struct sockaddr_storage to;
	socklen_t length;
	int sockets[SOCKETS];
};

static volatile sig_atomic_t is_over;

static void end(int signal)
{
	(void)signal;
	is_over = 1;
}

static double now(void)
{
	struct timespec time;

	clock_gettime(CLOCK_MONOTONIC, &time);
	return (double)time.tv_sec + (double)time.tv_nsec * 1e-9;
}

static int open_target(struct target *target, const char *address)
{
	struct sockaddr_in *four = (void *)&target->to;
	struct sockaddr_in6 *six = (void *)&target->to;
	int family = strchr(address, ':') ? AF_INET6 : AF_INET;
	void *bits = family == AF_INET6 ? (void *)&six->sin6_addr : (void *)&four->sin_addr;

	target->to.ss_family = (sa_family_t)family;
	target->length = family == AF_INET6 ? sizeof(*six) : sizeof(*four);
	if (inet_pton(family, address, bits) != 1)
		return -1;
	for (int i = 0; i < SOCKETS; i++) {
		target->sockets[i] = socket(family, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
		if (target->sockets[i] < 0)
			return -1;
	}
	return 0;
}

/* One batch of one socket, to a port that moves on; each refusal takes the packet it was about. */
static unsigned long send_batch(struct target *target, unsigned long turn)
{
	static char bytes[18];
	struct iovec payload = { bytes, sizeof(bytes) };
	struct sockaddr_storage to[PORTS];
	struct mmsghdr messages[BATCH];
	int next = 0;

	memset(messages, 0, sizeof(messages));
	for (int i = 0; i < PORTS; i++) {
		to[i] = target->to;
		/* In the same place for both families. */
		((struct sockaddr_in *)&to[i])->sin_port = htons((uint16_t)(FIRST_PORT + i));
	}
	for (int i = 0; i < BATCH; i++)
		messages[i].msg_hdr = (struct msghdr){ .msg_name = &to[i % PORTS],
						       .msg_namelen = target->length,
						       .msg_iov = &payload,
						       .msg_iovlen = 1 };
	while (next < BATCH && !is_over) {
		int done = sendmmsg(target->sockets[turn % SOCKETS], messages + next,
				    (unsigned int)(BATCH - next), 0);

		if (done < 0 && errno == EAGAIN)
			return (unsigned long)next;
		next += done > 0 ? done : 1;
	}
	return (unsigned long)next;
}

static unsigned long flood(struct target *targets, int count, double pace, double seconds)
{
	const struct timespec pause = { .tv_nsec = 200000 };
	double begin = now(), passed = 0;
	unsigned long sent = 0, turn = 0;

	while (!is_over && (passed = now() - begin) < seconds) {
		if ((double)sent > passed * pace) {
			nanosleep(&pause, NULL);
			continue;
		}
		sent += send_batch(&targets[turn % (unsigned long)count],
				   turn / (unsigned long)count);
		turn++;
	}
	passed = now() - begin;
	printf("%lu %.0f\n", sent, (double)sent / (passed > 0 ? passed : 1));
	return sent;
}

int main(int argc, char **argv)
{
	static struct target targets[MOST];
	double pace = argc > 3 ? strtod(argv[1], NULL) : 0;
	double seconds = argc > 3 ? strtod(argv[2], NULL) : 0;
	int count = argc - 3;

	if (pace <= 0 || seconds <= 0 || count > MOST) {
		fputs("usage: flood PER_SECOND SECONDS ADDRESS...\n", stderr);
		return 2;
	}
	for (int i = 0; i < count; i++)
		if (open_target(&targets[i], argv[3 + i]) < 0) {
			perror(argv[3 + i]);
			return 2;
		}
	signal(SIGTERM, end);
	return flood(targets, count, pace, seconds) ? 0 : 1;
}
