/*
 * netlink_batch: nftables messages that take effect together.
 *
 * In go messages, framed by a begin and an end; out comes success, or the first error, and then the
 * kernel has changed nothing. The kernel works a batch off while it is sent, so all answers are
 * there when the send is over.
 */
#include "live/netlink.h"

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

/* Numbers the messages and asks for an ack of the last one before the end of the batch: without
 * errors it is the only answer. */
static void number(struct netlink_batch *batch, uint32_t *sequence)
{
	struct nlmsghdr *message = (void *)batch->bytes, *last = message;
	int left = (int)batch->length;

	for (; mnl_nlmsg_ok(message, left); message = mnl_nlmsg_next(message, &left)) {
		message->nlmsg_seq = ++*sequence;
		if (message->nlmsg_type != NFNL_MSG_BATCH_END)
			last = message;
	}
	last->nlmsg_flags |= NLM_F_ACK;
}

static void read_answers(struct netlink *netlink, struct netlink_error *error)
{
	int fd = mnl_socket_get_fd(netlink->socket);

	for (;;) {
		ssize_t length = recv(fd, netlink->answer, ANSWER_ROOM, MSG_DONTWAIT);
		const struct nlmsghdr *message = (const void *)netlink->answer;
		int left = (int)length;

		if (length < 0 && errno == EINTR)
			continue;
		if (length <= 0)
			break;
		for (; mnl_nlmsg_ok(message, left); message = mnl_nlmsg_next(message, &left))
			if (message->nlmsg_type == NLMSG_ERROR && !error->code)
				netlink_take_error(message, error);
	}
}

static bool send_frame(struct netlink *netlink, struct netlink_batch *batch,
		       struct netlink_error *error)
{
	error->code = 0;
	end(batch, begin(batch, NFNL_MSG_BATCH_END, AF_UNSPEC, NFNL_SUBSYS_NFTABLES, 0));
	number(batch, &netlink->sequence);
	if (mnl_socket_sendto(netlink->socket, batch->bytes, batch->length) < 0) {
		error->code = errno;
		snprintf(error->text, sizeof(error->text), "%s", strerror(error->code));
	} else {
		read_answers(netlink, error);
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
