/*
 * nft_comment: `return comment "..."` as nft itself writes it: an expression that returns, and the
 * text in the rule's user data, as type, length and value (type 0 is a comment, with its NUL).
 */
#include "kernel/nft_comment.h"

#include <arpa/inet.h>
#include <endian.h>
#include <string.h>

#include <linux/netfilter/nf_tables.h>

#include "emit/about.h"
#include "kernel/netlink.h"

enum { TEXT_MOST = 128, MESSAGE_MOST = 1024 };

static void put_return(struct nlmsghdr *message)
{
	struct nlattr *list = mnl_attr_nest_start(message, NFTA_RULE_EXPRESSIONS);
	struct nlattr *element = mnl_attr_nest_start(message, NFTA_LIST_ELEM);
	struct nlattr *data, *value, *verdict;

	mnl_attr_put_strz(message, NFTA_EXPR_NAME, "immediate");
	data = mnl_attr_nest_start(message, NFTA_EXPR_DATA);
	mnl_attr_put_u32(message, NFTA_IMMEDIATE_DREG, htonl(NFT_REG_VERDICT));
	value = mnl_attr_nest_start(message, NFTA_IMMEDIATE_DATA);
	verdict = mnl_attr_nest_start(message, NFTA_DATA_VERDICT);
	mnl_attr_put_u32(message, NFTA_VERDICT_CODE, htonl((uint32_t)NFT_RETURN));
	mnl_attr_nest_end(message, verdict);
	mnl_attr_nest_end(message, value);
	mnl_attr_nest_end(message, data);
	mnl_attr_nest_end(message, element);
	mnl_attr_nest_end(message, list);
}

void nft_comment_remove(struct netlink_batch *batch, const char *table, uint64_t handle)
{
	struct nlmsghdr *message = netlink_batch_begin(batch, NFT_MSG_DELRULE, 0, MESSAGE_MOST);

	mnl_attr_put_strz(message, NFTA_RULE_TABLE, table);
	mnl_attr_put_strz(message, NFTA_RULE_CHAIN, ABOUT_CHAIN);
	mnl_attr_put_u64(message, NFTA_RULE_HANDLE, htobe64(handle));
	netlink_batch_end(batch, message);
}

/* Instead of the rule of this handle; 0: after all. */
static void put(struct netlink_batch *batch, const char *table, uint64_t handle, const char *text)
{
	struct nlmsghdr *message =
		netlink_batch_begin(batch, NFT_MSG_NEWRULE,
				    NLM_F_CREATE | (handle ? NLM_F_REPLACE : NLM_F_APPEND),
				    MESSAGE_MOST);
	size_t length = strnlen(text, TEXT_MOST - 1) + 1;
	uint8_t data[2 + TEXT_MOST] = { 0, (uint8_t)length };

	memcpy(data + 2, text, length - 1);
	mnl_attr_put_strz(message, NFTA_RULE_TABLE, table);
	mnl_attr_put_strz(message, NFTA_RULE_CHAIN, ABOUT_CHAIN);
	if (handle)
		mnl_attr_put_u64(message, NFTA_RULE_HANDLE, htobe64(handle));
	put_return(message);
	mnl_attr_put(message, NFTA_RULE_USERDATA, 2 + length, data);
	netlink_batch_end(batch, message);
}

void nft_comment_replace(struct netlink_batch *batch, const char *table, uint64_t handle,
			 const char *text)
{
	put(batch, table, handle, text);
}

void nft_comment_add(struct netlink_batch *batch, const char *table, const char *text)
{
	put(batch, table, 0, text);
}
