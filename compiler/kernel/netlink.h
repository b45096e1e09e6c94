/*
 * netlink: requests to the kernel and their answers.
 *
 * A request is one message that is acknowledged, a dump, or a batch of nftables messages that the
 * kernel takes as a whole or not at all. An error is the kernel's own sentence (the extended ack)
 * where it gives one, else the errno in words.
 */
#ifndef TPC_KERNEL_NETLINK_H
#define TPC_KERNEL_NETLINK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <endian.h>
#include <libmnl/libmnl.h>
#include <sys/socket.h>

#include "addr/addr.h"

struct netlink_error {
	int code; /* an errno, 0 for none */
	char text[200];
	uint32_t offset; /* in the message, of what the kernel has against it; 0: not known */
};

struct netlink {
	struct mnl_socket *socket; /* NULL: not open */
	uint32_t sequence;
	char *answer; /* room for one datagram of answers */
};

/* Both sockets of a change of the host. */
struct kernel {
	struct netlink route, nft;
};

struct nlattr;
typedef void netlink_each_fn(const struct nlmsghdr *message, void *user);

/* `bus` is NETLINK_ROUTE or NETLINK_NETFILTER. netlink_close takes a zeroed or failed one as well.
 */
bool netlink_open(struct netlink *netlink, int bus, struct netlink_error *error);
void netlink_close(struct netlink *netlink);

/*
 * Sends the request (type and flags are set; NLM_F_REQUEST and the ack are added) and calls `each`
 * (may be NULL) for every answer. A dump that was cut by a change, or has lost a part, gives EINTR:
 * forget what came and ask again. An error that may pass is waited out, some times. Where an answer
 * was lost the request is made again, and a change that then was made already is done; `each` of a
 * request that is no dump may so be called twice with the same.
 */
bool netlink_ask(struct netlink *netlink, struct nlmsghdr *request, netlink_each_fn *each,
		 void *user, struct netlink_error *error);
/*
 * A dump as a whole: one that a change has cut is asked for again, some times. `*collected`, which
 * `each` counts up, goes back to what it was then; NULL where `each` may see an answer twice.
 */
bool netlink_dump(struct netlink *netlink, struct nlmsghdr *request, netlink_each_fn *each,
		  void *user, size_t *collected, struct netlink_error *error);
/* Makes a change that must not be left half way: asks again whatever the error, some times, but for
 * those that say that there is nothing to be done: ENOENT, ESRCH, ENODEV. */
bool netlink_insist(struct netlink *netlink, struct nlmsghdr *request, struct netlink_error *error);

/*
 * For errors that may pass: true, after a pause, when it is worth to try once more. `attempt`
 * counts from 0, and the pauses together are 40 ms.
 */
bool netlink_try_again(int code, int attempt);
/* Is it one of those? */
bool netlink_may_pass(int code);
/* Says again that an error was this one. */
void netlink_set_error(struct netlink_error *error, int code);

/* Reads an ack, or a dump's end, which may carry an error; true when it stands for success. */
bool netlink_take_error(const struct nlmsghdr *message, struct netlink_error *error);

/* A request in `room`, which has NETLINK_REQUEST bytes. */
enum { NETLINK_REQUEST = 16384 };
/* AF_INET or AF_INET6; netfilter's NFPROTO_IPV4 and NFPROTO_IPV6 are the same numbers. */
static inline uint8_t netlink_family(enum addr_family family)
{
	return family == ADDR_IPV6 ? AF_INET6 : AF_INET;
}
struct nlmsghdr *netlink_new(char *room, uint16_t type, uint16_t flags);

/* ---- nftables ---- */

/* A request to nftables (`type` is one of NFT_MSG_) for the family inet. */
struct nlmsghdr *netlink_nft(char *room, uint16_t type, uint16_t flags);

/* The ruleset's generation: the number that the kernel raises with every change of any nft rule. */
bool netlink_generation(struct netlink *netlink, uint32_t *out, struct netlink_error *error);

/* The attributes of nftables' objects, by their numbers; what has a larger one is left out. */
enum { NETLINK_ATTRIBUTES = 32 };
/* Those of a message; NULL for what is not there. False: it is of another type (an NFT_MSG_). */
bool netlink_read_nft(const struct nlmsghdr *message, uint16_t type,
		      const struct nlattr *out[NETLINK_ATTRIBUTES]);
/* Those inside one attribute; NULL for what is not there. */
/* The same of any subsystem of nfnetlink's: `type` has it in its upper byte. */
bool netlink_read_nfnl(const struct nlmsghdr *message, uint16_t type,
		       const struct nlattr *out[NETLINK_ATTRIBUTES]);
/* A number of nfnetlink's; 0 where the attribute is NULL. */
static inline uint32_t netlink_u32(const struct nlattr *attribute)
{
	return attribute ? be32toh(mnl_attr_get_u32(attribute)) : 0;
}
static inline uint64_t netlink_u64(const struct nlattr *attribute)
{
	return attribute ? be64toh(mnl_attr_get_u64(attribute)) : 0;
}
void netlink_read_nested(const struct nlattr *nest, const struct nlattr *out[NETLINK_ATTRIBUTES]);

/* Messages that take effect together. Grows as needed; freed by netlink_batch_free. */
struct netlink_batch {
	char *bytes;
	size_t length, room;
	size_t messages;     /* without the frame */
	uint32_t generation; /* set before the first message: taken only if the ruleset is still of
				this generation, else ERESTART; 0: whatever it is */
	bool insists;        /* as netlink_insist */
};

/* Begins a message; attributes are added with mnl_attr_put*, at most `most` bytes, and
 * netlink_batch_end closes it. */
struct nlmsghdr *netlink_batch_begin(struct netlink_batch *batch, uint16_t type, uint16_t flags,
				     size_t most);
void netlink_batch_end(struct netlink_batch *batch, struct nlmsghdr *message);
/* Sends and empties the batch; one without messages is nothing. The error is that of the first
 * message that was refused. What may pass is waited out; a batch whose answer was lost is looked
 * for in the ruleset's generation, and sent again. */
bool netlink_batch_commit(struct netlink *netlink, struct netlink_batch *batch,
			  struct netlink_error *error);
/*
 * Is the ruleset of this generation, and no transaction under way? The generation is raised before
 * the elements of a transaction are all there, so what is read at one that has settled, and still
 * is it afterwards, is whole. If not: ERESTART.
 */
bool netlink_settled(struct netlink *netlink, uint32_t generation, struct netlink_error *error);
void netlink_batch_free(struct netlink_batch *batch);
/* Commits and frees. */
bool netlink_batch_send(struct netlink *netlink, struct netlink_batch *batch,
			struct netlink_error *error);
/* How many bytes of messages one batch may hold on this socket, as large as our rights allow. */
size_t netlink_batch_limit(struct netlink *netlink);

#endif
