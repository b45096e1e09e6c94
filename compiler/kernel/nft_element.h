/*
 * nft_element: which element of which set the kernel has refused, in words.
 *
 * In goes the message that was refused and the kernel's offset of what it stopped at; out comes the
 * error's text with set and element in front, or as it was where the message is no such one.
 */
#ifndef TPC_KERNEL_NFT_ELEMENT_H
#define TPC_KERNEL_NFT_ELEMENT_H

#include <stdint.h>

struct netlink_error;
struct nlmsghdr;

void nft_element_refused(const struct nlmsghdr *message, uint32_t offset,
			 struct netlink_error *error);

#endif
