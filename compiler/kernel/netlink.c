/*
 * netlink: one socket a bus, requests and batches in, answers and errors out. Acks are always asked
 * for, so a request that came back true was done.
 */
#include "kernel/netlink.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>

#include <arpa/inet.h>
#include <linux/netfilter.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/nfnetlink.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>

enum { ANSWER_ROOM = 1 << 16 };

void netlink_set_error(struct netlink_error *error, int code)
{
	error->code = code;
	error->offset = 0;
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
		netlink_set_error(error, errno);
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

/* The kernel's sentence, and where in the message it stopped, after an error's fixed part, which
 * is `skip` bytes long. */
static void read_extended(const struct nlmsghdr *message, size_t skip, struct netlink_error *error)
{
	const struct nlattr *attribute;

	if (!(message->nlmsg_flags & NLM_F_ACK_TLVS))
		return;
	mnl_attr_for_each(attribute, message, skip) {
		if (mnl_attr_get_type(attribute) == NLMSGERR_ATTR_MSG &&
		    mnl_attr_validate(attribute, MNL_TYPE_NUL_STRING) == 0)
			snprintf(error->text, sizeof(error->text), "%s",
				 mnl_attr_get_str(attribute));
		else if (mnl_attr_get_type(attribute) == NLMSGERR_ATTR_OFFS &&
			 mnl_attr_validate(attribute, MNL_TYPE_U32) == 0)
			error->offset = mnl_attr_get_u32(attribute);
	}
}

bool netlink_take_error(const struct nlmsghdr *message, struct netlink_error *error)
{
	const int *code = mnl_nlmsg_get_payload(message);
	size_t skip = sizeof(int);

	if (mnl_nlmsg_get_payload_len(message) < sizeof(int) || *code == 0)
		return true;
	if (message->nlmsg_type == NLMSG_ERROR) {
		const struct nlmsgerr *answer = (const void *)code;

		skip = sizeof(*answer);
		if (!(message->nlmsg_flags & NLM_F_CAPPED))
			skip += answer->msg.nlmsg_len - sizeof(struct nlmsghdr);
	}
	netlink_set_error(error, *code < 0 ? -*code : *code);
	read_extended(message, skip, error);
	return false;
}

/* ---- errors that may pass ---- */

bool netlink_may_pass(int code)
{
	return code == EINTR || code == EAGAIN || code == EBUSY || code == ENOBUFS ||
	       code == ENOMEM;
}

static bool pause_before(int attempt)
{
	enum { ATTEMPTS = 4, FIRST_MS = 1 };
	struct timespec pause = { .tv_nsec = FIRST_MS * 1000000L };

	if (attempt >= ATTEMPTS)
		return false;
	for (int i = 0; i < attempt; i++)
		pause.tv_nsec *= 3;
	nanosleep(&pause, NULL);
	return true;
}

bool netlink_try_again(int code, int attempt)
{
	return netlink_may_pass(code) && pause_before(attempt);
}

/* ---- asking ---- */

struct answers {
	netlink_each_fn *each;
	void *user;
	struct netlink_error *error;
	uint32_t sequence;
	size_t count;
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
			answers->count++;
		}
	}
}

/* What is left of answers is thrown away, so that a dump that was under way comes to its end. */
static void drain(struct netlink *netlink)
{
	int fd = mnl_socket_get_fd(netlink->socket);

	for (int failures = 0; failures < 3;)
		if (recv(fd, netlink->answer, ANSWER_ROOM, MSG_DONTWAIT) < 0) {
			if (errno == EAGAIN)
				return;
			failures++;
		}
}

/* Reads until the request is answered. False: some of the answers were lost. */
static bool receive(struct netlink *netlink, struct answers *answers)
{
	while (!answers->done) {
		ssize_t length = mnl_socket_recvfrom(netlink->socket, netlink->answer, ANSWER_ROOM);

		if (length >= 0) {
			take_answers(answers, netlink->answer, length);
		} else if (errno != EINTR) {
			netlink_set_error(answers->error, errno);
			drain(netlink);
			return false;
		}
	}
	return true;
}

/* Once. `is_lost`: it may have been done, and what came of it is not known. */
static bool ask_once(struct netlink *netlink, struct nlmsghdr *request, struct answers *answers,
		     bool *is_lost)
{
	bool is_dump = (request->nlmsg_flags & NLM_F_DUMP) == NLM_F_DUMP;

	answers->sequence = request->nlmsg_seq = ++netlink->sequence;
	answers->done = answers->cut = false;
	answers->error->code = 0;
	if (mnl_socket_sendto(netlink->socket, request, request->nlmsg_len) < 0) {
		netlink_set_error(answers->error, errno);
		return false;
	}
	*is_lost |= !receive(netlink, answers);
	/* Half a dump is none. */
	if (is_dump && answers->count && (answers->error->code || answers->cut))
		netlink_set_error(answers->error, EINTR);
	return !answers->error->code && !answers->cut;
}

/* The kernel's words for a change that was made already. */
static bool says_done(const struct nlmsghdr *request, int code)
{
	return request->nlmsg_flags & NLM_F_EXCL ? code == EEXIST : code == ENOENT || code == ESRCH;
}

bool netlink_ask(struct netlink *netlink, struct nlmsghdr *request, netlink_each_fn *each,
		 void *user, struct netlink_error *error)
{
	struct answers answers = { .each = each, .user = user, .error = error };
	bool is_dump = (request->nlmsg_flags & NLM_F_DUMP) == NLM_F_DUMP;
	bool was_lost = false;

	request->nlmsg_flags |= is_dump ? NLM_F_REQUEST : NLM_F_REQUEST | NLM_F_ACK;
	for (int attempt = 0;; attempt++) {
		bool is_repeated = was_lost;

		if (ask_once(netlink, request, &answers, &was_lost))
			return true;
		if (answers.cut)
			netlink_set_error(error, EINTR);
		if (is_repeated && !each && says_done(request, error->code)) {
			error->code = 0;
			return true;
		}
		if ((is_dump && answers.count) || !netlink_try_again(error->code, attempt))
			return false;
	}
}

bool netlink_dump(struct netlink *netlink, struct nlmsghdr *request, netlink_each_fn *each,
		  void *user, size_t *collected, struct netlink_error *error)
{
	enum { TRIES = 10 };
	size_t before = collected ? *collected : 0;

	for (int attempt = 0; attempt < TRIES; attempt++) {
		if (collected)
			*collected = before;
		if (netlink_ask(netlink, request, each, user, error))
			return true;
		if (error->code != EINTR)
			break;
	}
	return false;
}

bool netlink_insist(struct netlink *netlink, struct nlmsghdr *request, struct netlink_error *error)
{
	for (int attempt = 0;; attempt++) {
		if (netlink_ask(netlink, request, NULL, NULL, error))
			return true;
		if (error->code == ENOENT || error->code == ESRCH || error->code == ENODEV ||
		    netlink_may_pass(error->code) || attempt == 2 || !pause_before(attempt))
			return false;
	}
}

static void read_generation(const struct nlmsghdr *message, void *user)
{
	const struct nlattr *attribute;
	uint32_t *generation = user;

	mnl_attr_for_each(attribute, message, sizeof(struct nfgenmsg))
		if (mnl_attr_get_type(attribute) == NFTA_GEN_ID)
			*generation = netlink_u32(attribute);
}

bool netlink_generation(struct netlink *netlink, uint32_t *out, struct netlink_error *error)
{
	char room[NETLINK_REQUEST];

	return netlink_ask(netlink, netlink_nft(room, NFT_MSG_GETGEN, 0), read_generation, out,
			   error);
}

bool netlink_read_nft(const struct nlmsghdr *message, uint16_t type,
		      const struct nlattr *out[NETLINK_ATTRIBUTES])
{
	return netlink_read_nfnl(message, (uint16_t)(NFNL_SUBSYS_NFTABLES << 8 | type), out);
}

bool netlink_read_nfnl(const struct nlmsghdr *message, uint16_t type,
		       const struct nlattr *out[NETLINK_ATTRIBUTES])
{
	const struct nlattr *attribute;

	memset(out, 0, NETLINK_ATTRIBUTES * sizeof(*out));
	if (message->nlmsg_type != type)
		return false;
	mnl_attr_for_each(attribute, message, sizeof(struct nfgenmsg))
		if (mnl_attr_get_type(attribute) < NETLINK_ATTRIBUTES)
			out[mnl_attr_get_type(attribute)] = attribute;
	return true;
}

void netlink_read_nested(const struct nlattr *nest, const struct nlattr *out[NETLINK_ATTRIBUTES])
{
	const struct nlattr *attribute;

	memset(out, 0, NETLINK_ATTRIBUTES * sizeof(*out));
	mnl_attr_for_each_nested(attribute, nest)
		if (mnl_attr_get_type(attribute) < NETLINK_ATTRIBUTES)
			out[mnl_attr_get_type(attribute)] = attribute;
}
