/*
 * privileges: lets a test meet the refusals of the system although root runs it, in a namespace or
 * not. Permanent for the process: fork first.
 */
#ifndef TPC_TESTS_PRIVILEGES_H
#define TPC_TESTS_PRIVILEGES_H

#include <linux/capability.h>
#include <sys/syscall.h>
#include <unistd.h>

/* From here on root is a user like any other. 0, or -1 with errno. */
static inline int privileges_drop(void)
{
	struct __user_cap_header_struct header = { .version = _LINUX_CAPABILITY_VERSION_3 };
	struct __user_cap_data_struct none[2] = { { 0, 0, 0 }, { 0, 0, 0 } };

	return (int)syscall(SYS_capset, &header, none);
}

#endif
