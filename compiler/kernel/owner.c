/*
 * owner: asks inet_diag for one socket (see owner.h).
 */
#include "kernel/owner.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/socket.h>

#include <linux/inet_diag.h>
#include <linux/sock_diag.h>

#include "kernel/netlink.h"

/* INET_DIAG_CGROUP_ID of linux/inet_diag.h, since Linux 5.8; older headers lack it. */
enum { CGROUP_ID = 21 };

/* include/net/tcp_states.h; what waits to be accepted has no inode yet. */
enum { ESTABLISHED = 1, SYN_RECEIVED = 3 };

struct answer {
	struct owner *out;
	bool is_there;
};

static void take(const struct nlmsghdr *message, void *user)
{
	const struct inet_diag_msg *header = mnl_nlmsg_get_payload(message);
	const struct nlattr *attribute;
	struct answer *answer = user;

	if (message->nlmsg_type != SOCK_DIAG_BY_FAMILY ||
	    mnl_nlmsg_get_payload_len(message) < sizeof(*header))
		return;
	answer->is_there = true;
	answer->out->user = header->idiag_uid;
	answer->out->is_left = !header->idiag_inode && header->idiag_state != ESTABLISHED &&
			       header->idiag_state != SYN_RECEIVED;
	mnl_attr_for_each(attribute, message, sizeof(*header))
		if (mnl_attr_get_type(attribute) == INET_DIAG_MARK)
			answer->out->mark = mnl_attr_get_u32(attribute);
		else if (mnl_attr_get_type(attribute) == CGROUP_ID)
			answer->out->cgroup = mnl_attr_get_u64(attribute);
}

enum owner_state owner_find(struct netlink *diag, bool udp, struct owner_end here,
			    struct owner_end peer, struct owner *out)
{
	char room[NETLINK_REQUEST];
	struct nlmsghdr *request = netlink_new(room, SOCK_DIAG_BY_FAMILY, 0);
	struct inet_diag_req_v2 *header = mnl_nlmsg_put_extra_header(request, sizeof(*header));
	size_t length = addr_width(here.addr.family) / 8;
	struct answer answer = { .out = out };
	struct netlink_error error = { 0 };

	*out = (struct owner){ 0 };
	header->sdiag_family = netlink_family(here.addr.family);
	header->sdiag_protocol = udp ? IPPROTO_UDP : IPPROTO_TCP;
	header->idiag_states = UINT32_MAX;
	/* "src and dst are swapped for historical reasons" (udp_dump_one in the kernel). */
	header->id.idiag_sport = htons(udp ? peer.port : here.port);
	header->id.idiag_dport = htons(udp ? here.port : peer.port);
	wide_put(udp ? peer.addr.bits : here.addr.bits, header->id.idiag_src, length);
	wide_put(udp ? here.addr.bits : peer.addr.bits, header->id.idiag_dst, length);
	header->id.idiag_cookie[0] = INET_DIAG_NOCOOKIE;
	header->id.idiag_cookie[1] = INET_DIAG_NOCOOKIE;
	if (!netlink_ask(diag, request, take, &answer, &error))
		return error.code == ENOENT ? OWNER_NONE : OWNER_UNKNOWN;
	return answer.is_there ? OWNER_THERE : OWNER_UNKNOWN;
}
