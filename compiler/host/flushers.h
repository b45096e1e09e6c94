/*
 * flushers: files of this host that, loaded once more, take a policy's nft table with them.
 */
#ifndef TPC_HOST_FLUSHERS_H
#define TPC_HOST_FLUSHERS_H

struct report;

/* A warning for each file of nftables.service that begins with `flush ruleset`. */
void flushers_tell(struct report *report, const char *command);

#endif
