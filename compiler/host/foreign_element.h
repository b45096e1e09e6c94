/*
 * foreign_element: what a set or map of a foreign table holds for one key.
 */
#ifndef TPC_HOST_FOREIGN_ELEMENT_H
#define TPC_HOST_FOREIGN_ELEMENT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct arena;
struct foreign_registers;
struct nft_foreign_table;
struct netlink;
struct nlattr;

struct foreign_element {
	bool is_there;
	size_t key_length; /* 0: not known */
	size_t length;     /* of the data of a map */
	uint8_t data[64];
	const struct nlattr *verdict; /* of a map of verdicts; it lies in `room` */
	uint8_t room[256];
};

/* What the kernel has said of elements, so that each is asked for once. */
struct foreign_memory;
struct foreign_memory *foreign_memory_new(struct arena *arena);

/* The element whose key stands in the register. NULL, or why that is not known. `memory` may be
 * NULL: then the kernel is asked each time. */
const char *foreign_find(struct netlink *nft, struct foreign_memory *memory,
			 const struct nft_foreign_table *table, const char *set,
			 const struct foreign_registers *registers, uint32_t number,
			 struct foreign_element *out);

#endif
