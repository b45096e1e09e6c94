/*
 * netlink_batch: nftables messages that take effect together.
 *
 * In go messages, framed by a begin and an end; out comes success, or the first error, and then the
 * kernel has changed nothing. The kernel works a batch off while it is sent, so all answers are
 * there when the send is over.
 */
#include "kernel/netlink.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include <arpa/inet.h>
#include <linux/netfilter.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/nfnetlink.h>
#include <linux/netlink.h>

#include "kernel/nft_element.h"

enum {
	ANSWER_ROOM = 1 << 16,
	FRAME_ROOM = 64,
	WISHED_BUFFER = 128 << 20,
	SMALLEST_LIMIT = 32 << 10
};

static void make_room(struct netlink_batch *batch, size_t more)
{
	size_t room = batch->room ? batch->room : 1 << 16;

	while (room < batch->length + more)
		room *= 2;
	if (room == batch->room)
		return;
	batch->bytes = realloc(batch->bytes, room);
	if (!batch->bytes) {
		fputs("tpc: out of memory\n", stderr);
		abort();
	}
	batch->room = room;
}

static struct nlmsghdr *begin(struct netlink_batch *batch, uint16_t type, uint8_t family,
			      uint16_t resource, size_t most)
{
	struct nlmsghdr *message;
	struct nfgenmsg *header;

	make_room(batch, most + FRAME_ROOM);
	memset(batch->bytes + batch->length, 0, most + FRAME_ROOM);
	message = mnl_nlmsg_put_header(batch->bytes + batch->length);
	message->nlmsg_type = type;
	message->nlmsg_flags = NLM_F_REQUEST;
	header = mnl_nlmsg_put_extra_header(message, sizeof(*header));
	header->nfgen_family = family;
	header->version = NFNETLINK_V0;
	header->res_id = htons(resource);
	return message;
}

static void end(struct netlink_batch *batch, const struct nlmsghdr *message)
{
	batch->length += MNL_ALIGN(message->nlmsg_len);
}

static void open_frame(struct netlink_batch *batch)
{
	struct nlmsghdr *message =
		begin(batch, NFNL_MSG_BATCH_BEGIN, AF_UNSPEC, NFNL_SUBSYS_NFTABLES, 0);

	if (batch->generation)
		mnl_attr_put_u32(message, NFNL_BATCH_GENID, htonl(batch->generation));
	end(batch, message);
}

struct nlmsghdr *netlink_batch_begin(struct netlink_batch *batch, uint16_t type, uint16_t flags,
				     size_t most)
{
	struct nlmsghdr *message;

	if (!batch->messages)
		open_frame(batch);
	message = begin(batch, (uint16_t)(NFNL_SUBSYS_NFTABLES << 8 | type), NFPROTO_INET, 0, most);
	message->nlmsg_flags |= flags;
	return message;
}

void netlink_batch_end(struct netlink_batch *batch, struct nlmsghdr *message)
{
	end(batch, message);
	batch->messages++;
}

/* Numbers the messages and asks for an ack of the last one before the end of the batch, whose
 * number comes back: without errors it is the only answer. */
static uint32_t number(struct netlink_batch *batch, uint32_t *sequence)
{
	struct nlmsghdr *message = (void *)batch->bytes, *last = message;
	int left = (int)batch->length;

	for (; mnl_nlmsg_ok(message, left); message = mnl_nlmsg_next(message, &left)) {
		message->nlmsg_seq = ++*sequence;
		if (message->nlmsg_type != NFNL_MSG_BATCH_END)
			last = message;
	}
	last->nlmsg_flags |= NLM_F_ACK;
	return last->nlmsg_seq;
}

/* What came of a batch that was sent. */
struct outcome {
	uint32_t last; /* the sequence number of the message that is acknowledged */
	bool is_acked, is_lost;
};

static const struct nlmsghdr *find_message(const struct netlink_batch *batch, uint32_t sequence)
{
	const struct nlmsghdr *message = (const void *)batch->bytes;
	int left = (int)batch->length;

	for (; mnl_nlmsg_ok(message, left); message = mnl_nlmsg_next(message, &left))
		if (message->nlmsg_seq == sequence)
			return message;
	return NULL;
}

static void take_answer(const struct netlink_batch *batch, const struct nlmsghdr *message,
			struct outcome *outcome, struct netlink_error *error)
{
	const struct nlmsghdr *refused;

	if (message->nlmsg_type != NLMSG_ERROR)
		return;
	if (!error->code && !netlink_take_error(message, error) && error->offset) {
		refused = find_message(batch, message->nlmsg_seq);
		if (refused && error->offset < refused->nlmsg_len)
			nft_element_refused(refused, error->offset, error);
	}
	outcome->is_acked |= message->nlmsg_seq == outcome->last;
}

static void read_answers(struct netlink *netlink, const struct netlink_batch *batch,
			 struct outcome *outcome, struct netlink_error *error)
{
	int fd = mnl_socket_get_fd(netlink->socket);

	for (int failures = 0; failures < 3;) {
		ssize_t length = recv(fd, netlink->answer, ANSWER_ROOM, MSG_DONTWAIT);
		const struct nlmsghdr *message = (const void *)netlink->answer;
		int left = (int)length;

		if (length < 0 && errno == EAGAIN)
			break;
		if (length < 0 && errno != EINTR) {
			outcome->is_lost = true;
			failures++;
		}
		for (; mnl_nlmsg_ok(message, left); message = mnl_nlmsg_next(message, &left))
			take_answer(batch, message, outcome, error);
	}
}

/*
 * Once. True: it is known what came of it, good or bad. A frame without messages is acknowledged by
 * newer kernels only (6.10).
 */
static bool send_once(struct netlink *netlink, struct netlink_batch *batch,
		      struct netlink_error *error)
{
	struct outcome outcome = { .last = number(batch, &netlink->sequence) };

	error->code = 0;
	if (mnl_socket_sendto(netlink->socket, batch->bytes, batch->length) < 0) {
		netlink_set_error(error, errno);
		return true;
	}
	read_answers(netlink, batch, &outcome, error);
	if (error->code || outcome.is_acked || (!batch->messages && !outcome.is_lost))
		return true;
	netlink_set_error(error, ENOBUFS);
	return false;
}

static bool is_nothing_left(const struct netlink_error *error)
{
	return error->code == ENOENT || error->code == ESRCH || error->code == EEXIST;
}

/*
 * A batch whose answer was lost, while the ruleset has changed: it was very likely taken. Then it
 * changes nothing when it is sent again, or meets that what it removes is gone, or that what it
 * makes is there. One that is bound to a generation gives ERESTART, and its sender looks again.
 */
static void send_again(struct netlink *netlink, struct netlink_batch *batch, uint32_t generation,
		       bool *was_taken, struct netlink_error *error)
{
	uint32_t now = generation;
	struct netlink_error other;

	if (netlink_generation(netlink, &now, &other))
		*was_taken |= now != generation;
	if (send_once(netlink, batch, error) && *was_taken && is_nothing_left(error))
		error->code = 0;
}

static bool send_frame(struct netlink *netlink, struct netlink_batch *batch,
		       struct netlink_error *error)
{
	uint32_t generation = 0;
	bool was_taken = false, was_lost;

	/* Where that is not to be had, 0: every answer is then another one. */
	if (batch->messages)
		netlink_generation(netlink, &generation, error);
	end(batch, begin(batch, NFNL_MSG_BATCH_END, AF_UNSPEC, NFNL_SUBSYS_NFTABLES, 0));
	was_lost = !send_once(netlink, batch, error);
	for (int attempt = 0; error->code; attempt++) {
		bool is_worth = netlink_may_pass(error->code) ||
				(batch->insists && !is_nothing_left(error) && attempt < 2);

		if (!is_worth || !netlink_try_again(EAGAIN, attempt))
			break;
		if (was_lost)
			send_again(netlink, batch, generation, &was_taken, error);
		else
			was_lost = !send_once(netlink, batch, error);
	}
	batch->length = 0;
	batch->messages = 0;
	return !error->code;
}

bool netlink_batch_commit(struct netlink *netlink, struct netlink_batch *batch,
			  struct netlink_error *error)
{
	error->code = 0;
	return !batch->messages || send_frame(netlink, batch, error);
}

/* An empty transaction, which waits for its turn as all do. */
bool netlink_settled(struct netlink *netlink, uint32_t generation, struct netlink_error *error)
{
	struct netlink_batch batch = { .generation = generation };
	bool settled;

	open_frame(&batch);
	settled = send_frame(netlink, &batch, error);
	netlink_batch_free(&batch);
	return settled;
}

void netlink_batch_free(struct netlink_batch *batch)
{
	free(batch->bytes);
	memset(batch, 0, sizeof(*batch));
}

size_t netlink_batch_limit(struct netlink *netlink)
{
	int fd = mnl_socket_get_fd(netlink->socket), size = WISHED_BUFFER;
	socklen_t length = sizeof(size);

	/* SO_SNDBUFFORCE is only for the host's own root; everybody may have what net.core.wmem_max
	 * allows. */
	if (setsockopt(fd, SOL_SOCKET, SO_SNDBUFFORCE, &size, sizeof(size)) < 0)
		setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &size, sizeof(size));
	if (getsockopt(fd, SOL_SOCKET, SO_SNDBUF, &size, &length) < 0)
		return SMALLEST_LIMIT;
	/* The kernel doubles what was asked for, and counts its own overhead against it. */
	return size / 4 > SMALLEST_LIMIT ? (size_t)size / 4 : SMALLEST_LIMIT;
}

bool netlink_batch_send(struct netlink *netlink, struct netlink_batch *batch,
			struct netlink_error *error)
{
	bool done = netlink_batch_commit(netlink, batch, error);

	netlink_batch_free(batch);
	return done;
}
