/*
 * privileges: capset(2) and the bounding set, see capabilities(7).
 */
#include "watch/privileges.h"

#include <errno.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <linux/capability.h>

static bool drop_bounding(void)
{
	for (int capability = 0; prctl(PR_CAPBSET_READ, capability, 0, 0, 0) >= 0; capability++)
		if (capability != CAP_NET_ADMIN &&
		    prctl(PR_CAPBSET_DROP, capability, 0, 0, 0) < 0 && errno != EPERM)
			return false;
	return true;
}

bool privileges_drop(void)
{
	struct __user_cap_header_struct header = { .version = _LINUX_CAPABILITY_VERSION_3 };
	struct __user_cap_data_struct sets[_LINUX_CAPABILITY_U32S_3] = { 0 };

	if (!drop_bounding() || prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0)
		return false;
	sets[CAP_NET_ADMIN / 32].effective = 1U << CAP_NET_ADMIN % 32;
	sets[CAP_NET_ADMIN / 32].permitted = 1U << CAP_NET_ADMIN % 32;
	return syscall(SYS_capset, &header, sets) == 0;
}
