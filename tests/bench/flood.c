/*
 * flood: what a packet costs on its way through the rules of another network namespace.
 *
 *     flood SECONDS COUNT
 *
 * Sends small datagrams to COUNT addresses from 10.0.0.0 on, in an order that jumps about, and
 * prints the nanoseconds that one took. On a veth pair the receiver's hooks run while the sender
 * sends, so the sender's time is the time of the rules and of the way there, which an empty rule
 * set shows.
 */
#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <time.h>

/* STEP is prime to every count that is used, and so comes by all addresses. */
enum { BATCH = 64, FIRST = 10 << 24, STEP = 7919, PORT = 9999, SECONDS_MOST = 60 };

static double now(void)
{
	struct timespec time;

	clock_gettime(CLOCK_MONOTONIC, &time);
	return (double)time.tv_sec + (double)time.tv_nsec * 1e-9;
}

static void prepare(struct mmsghdr *messages, struct sockaddr_in *to, struct iovec *payload)
{
	for (int i = 0; i < BATCH; i++) {
		to[i] = (struct sockaddr_in){ .sin_family = AF_INET, .sin_port = htons(PORT) };
		messages[i].msg_hdr = (struct msghdr){ .msg_name = &to[i],
						       .msg_namelen = sizeof(to[i]),
						       .msg_iov = payload,
						       .msg_iovlen = 1 };
	}
}

int main(int argc, char **argv)
{
	static struct mmsghdr messages[BATCH];
	static struct sockaddr_in to[BATCH];
	static char bytes[18];
	struct iovec payload = { bytes, sizeof(bytes) };
	int sock = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	double seconds = argc == 3 ? strtod(argv[1], NULL) : 0, begin, end;
	unsigned int count = argc == 3 ? (unsigned int)strtoul(argv[2], NULL, 10) : 0, next = 0;
	unsigned long sent = 0;

	if (sock < 0 || !count || seconds <= 0 || seconds > SECONDS_MOST) {
		fprintf(stderr, "usage: flood SECONDS COUNT\n");
		return 2;
	}
	prepare(messages, to, &payload);
	begin = now();
	while ((end = now()) < begin + seconds) {
		int done;

		for (int i = 0; i < BATCH; i++)
			to[i].sin_addr.s_addr = htonl(FIRST + next++ * STEP % count);
		done = sendmmsg(sock, messages, BATCH, 0);
		sent += done > 0 ? (unsigned long)done : 0;
	}
	printf("%.1f\n", (end - begin) * 1e9 / (double)(sent ? sent : 1));
	return sent ? 0 : 1;
}
