/*
 * netlink: one socket a bus, requests and batches in, answers and errors out. Acks are always asked
 * for, so a request that came back true was done.
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
#include <linux/rtnetlink.h>

enum { ANSWER_ROOM = 1 << 16 };

static void set_error(struct netlink_error *error, int code)
{
	error->code = code;
	snprintf(error->text, sizeof(error->text), "%s", strerror(code));
}

bool netlink_open(struct netlink *netlink, int bus, struct netlink_error *error)
{
	int on = 1;

	memset(netlink, 0, sizeof(*netlink));
	error->code = 0;
	netlink->answer = malloc(ANSWER_ROOM);
	netlink->socket = mnl_socket_open2(bus, SOCK_CLOEXEC);
	if (!netlink->socket || !netlink->answer ||
	    mnl_socket_bind(netlink->socket, 0, MNL_SOCKET_AUTOPID) < 0) {
		set_error(error, errno);
		netlink_close(netlink);
		return false;
	}
	mnl_socket_setsockopt(netlink->socket, NETLINK_EXT_ACK, &on, sizeof(on));
	mnl_socket_setsockopt(netlink->socket, NETLINK_CAP_ACK, &on, sizeof(on));
	mnl_socket_setsockopt(netlink->socket, NETLINK_GET_STRICT_CHK, &on, sizeof(on));
	return true;
}

void netlink_close(struct netlink *netlink)
{
	if (netlink->socket)
		mnl_socket_close(netlink->socket);
	free(netlink->answer);
	memset(netlink, 0, sizeof(*netlink));
}

struct nlmsghdr *netlink_new(char *room, uint16_t type, uint16_t flags)
{
	struct nlmsghdr *message;

	memset(room, 0, NETLINK_REQUEST);
	message = mnl_nlmsg_put_header(room);
	message->nlmsg_type = type;
	message->nlmsg_flags = NLM_F_REQUEST | flags;
	return message;
}

static void put_nft_header(struct nlmsghdr *message, uint8_t family, uint16_t resource)
{
	struct nfgenmsg *header = mnl_nlmsg_put_extra_header(message, sizeof(*header));

	header->nfgen_family = family;
	header->version = NFNETLINK_V0;
	header->res_id = htons(resource);
}

struct nlmsghdr *netlink_nft(char *room, uint16_t type, uint16_t flags)
{
	struct nlmsghdr *message =
		netlink_new(room, (uint16_t)(NFNL_SUBSYS_NFTABLES << 8 | type), flags);

	put_nft_header(message, NFPROTO_INET, 0);
	return message;
}

/* The kernel's sentence behind an error's fixed part, or NULL. `skip` is the length of that part.
 */
static const char *extended_text(const struct nlmsghdr *message, size_t skip)
{
	const char *text = NULL;
	const struct nlattr *attribute;

	if (!(message->nlmsg_flags & NLM_F_ACK_TLVS))
		return NULL;
	mnl_attr_for_each(attribute, message, skip)
		if (mnl_attr_get_type(attribute) == NLMSGERR_ATTR_MSG &&
		    mnl_attr_validate(attribute, MNL_TYPE_NUL_STRING) == 0)
			text = mnl_attr_get_str(attribute);
	return text;
}

bool netlink_take_error(const struct nlmsghdr *message, struct netlink_error *error)
{
	const int *code = mnl_nlmsg_get_payload(message);
	size_t skip = sizeof(int);
	const char *text;

	if (mnl_nlmsg_get_payload_len(message) < sizeof(int) || *code == 0)
		return true;
	if (message->nlmsg_type == NLMSG_ERROR) {
		const struct nlmsgerr *answer = (const void *)code;

		skip = sizeof(*answer);
		if (!(message->nlmsg_flags & NLM_F_CAPPED))
			skip += answer->msg.nlmsg_len - sizeof(struct nlmsghdr);
	}
	set_error(error, *code < 0 ? -*code : *code);
	text = extended_text(message, skip);
	if (text)
		snprintf(error->text, sizeof(error->text), "%s", text);
	return false;
}

struct answers {
	netlink_each_fn *each;
	void *user;
	struct netlink_error *error;
	uint32_t sequence;
	bool done, cut;
};

static void take_answers(struct answers *answers, const char *bytes, ssize_t length)
{
	const struct nlmsghdr *message = (const void *)bytes;
	int left = (int)length;

	for (; mnl_nlmsg_ok(message, left); message = mnl_nlmsg_next(message, &left)) {
		if (message->nlmsg_seq != answers->sequence)
			continue;
		answers->cut |= (message->nlmsg_flags & NLM_F_DUMP_INTR) != 0;
		if (message->nlmsg_type == NLMSG_ERROR || message->nlmsg_type == NLMSG_DONE) {
			netlink_take_error(message, answers->error);
			answers->done = true;
		} else if (message->nlmsg_type >= NLMSG_MIN_TYPE && answers->each) {
			answers->each(message, answers->user);
		}
	}
}

bool netlink_ask(struct netlink *netlink, struct nlmsghdr *request, netlink_each_fn *each,
		 void *user, struct netlink_error *error)
{
	struct answers answers = {
		.each = each, .user = user, .error = error, .sequence = ++netlink->sequence
	};

	error->code = 0;
	request->nlmsg_seq = netlink->sequence;
	request->nlmsg_flags |= NLM_F_REQUEST;
	if ((request->nlmsg_flags & NLM_F_DUMP) != NLM_F_DUMP)
		request->nlmsg_flags |= NLM_F_ACK;
	if (mnl_socket_sendto(netlink->socket, request, request->nlmsg_len) < 0) {
		set_error(error, errno);
		return false;
	}
	while (!answers.done) {
		ssize_t length = mnl_socket_recvfrom(netlink->socket, netlink->answer, ANSWER_ROOM);

		if (length < 0 && errno == EINTR)
			continue;
		if (length < 0) {
			set_error(error, errno);
			return false;
		}
		take_answers(&answers, netlink->answer, length);
	}
	if (!error->code && answers.cut)
		set_error(error, EINTR);
	return !error->code;
}

void netlink_read_nested(const struct nlattr *nest, const struct nlattr *out[NETLINK_ATTRIBUTES])
{
	const struct nlattr *attribute;

	memset(out, 0, NETLINK_ATTRIBUTES * sizeof(*out));
	mnl_attr_for_each_nested(attribute, nest)
		if (mnl_attr_get_type(attribute) < NETLINK_ATTRIBUTES)
			out[mnl_attr_get_type(attribute)] = attribute;
}
