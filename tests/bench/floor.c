/*
 * floor: the least that a program has to do to get a list into an nftables set.
 *
 *   floor FILE
 *
 * Reads IPv4 prefixes, a line each and disjoint, sorts them and hands them to the kernel as the new
 * set `prefixes` of the new table `inet floor`, in one transaction: no text, no checks, no merging,
 * no memory of what was done. What is slower than this is slower by its own doing; the time in
 * send() is the kernel's. Prints the milliseconds that send() took.
 */
#include <arpa/inet.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <time.h>

#include <linux/netfilter.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/nfnetlink.h>
#include <linux/netlink.h>

/* Elements of a message are one attribute, whose length has 16 bits. */
enum { LIST_MOST = 60000, INTERVAL_BYTES = 44, SPARE = 1 << 16, BUFFER = 1 << 29 };
/* nft's number for the type ipv4_addr. */
enum { IPV4_ADDRESS = 7 };

struct batch {
	char *bytes;
	size_t length;
	size_t message; /* where the last one begins */
};

static void *push(struct batch *batch, size_t size)
{
	void *at = batch->bytes + batch->length;

	batch->length += NLMSG_ALIGN(size);
	return at;
}

static void begin(struct batch *batch, unsigned int type, unsigned int flags)
{
	int is_frame = type == NFNL_MSG_BATCH_BEGIN || type == NFNL_MSG_BATCH_END;
	struct nlmsghdr *header;
	struct nfgenmsg *family;

	batch->message = batch->length;
	header = push(batch, sizeof(*header));
	family = push(batch, sizeof(*family));
	header->nlmsg_type = (uint16_t)(is_frame ? type : NFNL_SUBSYS_NFTABLES << 8 | type);
	header->nlmsg_flags = (uint16_t)(NLM_F_REQUEST | flags);
	family->nfgen_family = is_frame ? AF_UNSPEC : NFPROTO_INET;
	family->res_id = is_frame ? htons(NFNL_SUBSYS_NFTABLES) : 0;
}

static void end(struct batch *batch)
{
	struct nlmsghdr *header = (void *)(batch->bytes + batch->message);

	header->nlmsg_len = (uint32_t)(batch->length - batch->message);
}

static void put(struct batch *batch, unsigned int type, const void *value, size_t size)
{
	struct nlattr *attribute = push(batch, sizeof(*attribute));

	attribute->nla_type = (uint16_t)type;
	attribute->nla_len = (uint16_t)(sizeof(*attribute) + size);
	memcpy(push(batch, size), value, size);
}

static void put_number(struct batch *batch, unsigned int type, uint32_t value)
{
	uint32_t ordered = htonl(value);

	put(batch, type, &ordered, sizeof(ordered));
}

static void put_text(struct batch *batch, unsigned int type, const char *text)
{
	put(batch, type, text, strlen(text) + 1);
}

static size_t open_nest(struct batch *batch, unsigned int type)
{
	size_t at = batch->length;
	struct nlattr *attribute = push(batch, sizeof(*attribute));

	attribute->nla_type = (uint16_t)(type | NLA_F_NESTED);
	return at;
}

static void close_nest(struct batch *batch, size_t at)
{
	((struct nlattr *)(batch->bytes + at))->nla_len = (uint16_t)(batch->length - at);
}

static void put_edge(struct batch *batch, uint32_t key, int is_end)
{
	size_t element = open_nest(batch, NFTA_LIST_ELEM), nest;

	if (is_end)
		put_number(batch, NFTA_SET_ELEM_FLAGS, NFT_SET_ELEM_INTERVAL_END);
	nest = open_nest(batch, NFTA_SET_ELEM_KEY);
	put_number(batch, NFTA_DATA_VALUE, key);
	close_nest(batch, nest);
	close_nest(batch, element);
}

static void declare(struct batch *batch)
{
	begin(batch, NFT_MSG_NEWTABLE, NLM_F_CREATE);
	put_text(batch, NFTA_TABLE_NAME, "floor");
	end(batch);
	begin(batch, NFT_MSG_NEWSET, NLM_F_CREATE);
	put_text(batch, NFTA_SET_TABLE, "floor");
	put_text(batch, NFTA_SET_NAME, "prefixes");
	put_number(batch, NFTA_SET_FLAGS, NFT_SET_INTERVAL);
	put_number(batch, NFTA_SET_KEY_TYPE, IPV4_ADDRESS);
	put_number(batch, NFTA_SET_KEY_LEN, sizeof(uint32_t));
	put_number(batch, NFTA_SET_ID, 1);
	end(batch);
}

/* A prefix is its first address, and in the low half how many follow. */
static void put_elements(struct batch *batch, const uint64_t *prefixes, size_t count)
{
	for (size_t i = 0; i < count;) {
		size_t list;

		begin(batch, NFT_MSG_NEWSETELEM, NLM_F_CREATE);
		put_text(batch, NFTA_SET_ELEM_LIST_TABLE, "floor");
		put_text(batch, NFTA_SET_ELEM_LIST_SET, "prefixes");
		put_number(batch, NFTA_SET_ELEM_LIST_SET_ID, 1);
		list = open_nest(batch, NFTA_SET_ELEM_LIST_ELEMENTS);
		for (; i < count && batch->length - list < LIST_MOST; i++) {
			uint32_t first = (uint32_t)(prefixes[i] >> 32);

			put_edge(batch, first, 0);
			put_edge(batch, first + (uint32_t)prefixes[i] + 1, 1);
		}
		close_nest(batch, list);
		end(batch);
	}
}

static int compare(const void *a, const void *b)
{
	uint64_t one = *(const uint64_t *)a, other = *(const uint64_t *)b;

	return one < other ? -1 : one > other;
}

/* How many prefixes the text has, which go to `out`. */
static size_t read_prefixes(char *text, uint64_t *out)
{
	size_t count = 0;

	while (*text) {
		uint64_t address = 0;

		for (int i = 0; i < 4; i++, text++)
			address = address << 8 | strtoul(text, &text, 10);
		out[count++] = address << 32 |
			       (uint32_t)(UINT64_MAX >> 32 >> strtoul(text, &text, 10));
		text += *text == '\n';
	}
	qsort(out, count, sizeof(*out), compare);
	return count;
}

static char *read_file(const char *path)
{
	FILE *file = fopen(path, "r");
	struct stat about;
	char *text;

	if (!file || fstat(fileno(file), &about) < 0)
		return NULL;
	text = calloc(1, (size_t)about.st_size + 1);
	if (text && fread(text, 1, (size_t)about.st_size, file) != (size_t)about.st_size)
		text = NULL;
	fclose(file);
	return text;
}

static double now_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (double)now.tv_sec * 1e3 + (double)now.tv_nsec / 1e6;
}

static int hand_over(const struct batch *batch)
{
	int fd = socket(AF_NETLINK, SOCK_RAW, NETLINK_NETFILTER), size = BUFFER;
	struct sockaddr_nl kernel = { .nl_family = AF_NETLINK };
	double start = now_ms();
	char answer[8192];
	ssize_t length;

	setsockopt(fd, SOL_SOCKET, SO_SNDBUFFORCE, &size, sizeof(size));
	if (sendto(fd, batch->bytes, batch->length, 0, (void *)&kernel, sizeof(kernel)) < 0) {
		perror("floor: send");
		return 1;
	}
	printf("%.1f\n", now_ms() - start);
	length = recv(fd, answer, sizeof(answer), 0);
	if (length < (ssize_t)NLMSG_LENGTH(sizeof(int)) || *(int *)NLMSG_DATA(answer)) {
		fputs("floor: the kernel refuses the set\n", stderr);
		return 1;
	}
	return 0;
}

int main(int argc, char **argv)
{
	char *text = argc == 2 ? read_file(argv[1]) : NULL;
	struct batch batch = { 0 };
	uint64_t *prefixes;
	size_t count;

	if (!text) {
		fputs("usage: floor FILE\n", stderr);
		return 2;
	}
	prefixes = calloc(strlen(text) / 8 + 1, sizeof(*prefixes));
	count = prefixes ? read_prefixes(text, prefixes) : 0;
	/* Two edges of an interval; messages and what frames them are in the spare. */
	batch.bytes = calloc(1, count * (INTERVAL_BYTES + 1) + SPARE);
	if (!prefixes || !batch.bytes)
		return 1;
	begin(&batch, NFNL_MSG_BATCH_BEGIN, 0);
	end(&batch);
	declare(&batch);
	put_elements(&batch, prefixes, count);
	begin(&batch, NFNL_MSG_BATCH_END, NLM_F_ACK);
	end(&batch);
	return hand_over(&batch);
}
