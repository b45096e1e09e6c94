/*
 * ir_sysctl: what decides on a host whether a sysctl is changed, as data: the live engine and
 * policy.sh ask the questions, each in its own way.
 */
#ifndef TPC_IR_IR_SYSCTL_H
#define TPC_IR_IR_SYSCTL_H

#include <stdbool.h>
#include <stddef.h>

#include "ir/ir.h"

/* What the host is asked before a sysctl is changed. */
enum ir_sysctl_asked {
	IR_ASKED_NOTHING,
	IR_ASKED_OWN,       /* the interface's value, before the policy */
	IR_ASKED_ALL,       /* conf.all's */
	IR_ASKED_EFFECTIVE, /* the greater of both, which packets meet */
	IR_ASKED_LOCAL,     /* 1: `via` is this host's own address */
	IR_ASKED_BRIDGE     /* 1: one of the interfaces is a bridge */
};

struct ir_sysctl_test {
	enum ir_sysctl_asked asked;
	const char *key; /* with '*' for the interface; NULL: the sysctl's own */
	bool differs;    /* from the value; else it has to be the value */
	int value;
};

struct ir_sysctl_condition {
	const char *links; /* a '*' in the key stands for "each", "advertised", "default" */
	struct ir_sysctl_test tests[2]; /* all have to hold */
};

/* A setting that the kernel changes when another one is given back, and that is to stay. */
struct ir_sysctl_companion {
	const char *with;  /* the key of the other */
	const char *key;   /* '*': of every interface, and of those to come (`default`) */
	const char *value; /* the one that would be lost */
};

const struct ir_sysctl_condition *ir_sysctl_condition(enum ir_sysctl_when when);
const struct ir_sysctl_companion *ir_sysctl_companions(size_t *count);

#endif
