"""accounts: users and groups that a policy names, on whatever machine.

In: names. Out: /etc/passwd and /etc/group as this machine has them, with what they lack. The suites mount
them over the machine's own in namespaces of theirs: nothing that a test names has to be installed.
"""
import pathlib

# What the examples speak of, users and groups of the same name, which packages would have made.
EXAMPLES = ("haproxy", "proxy", "redsocks", "nobody", "nogroup")
FIRST = 64100
SHAPES = {"passwd": "{0}:x:{1}:{1}::/:/bin/false\n", "group": "{0}:x:{1}:\n"}


# Where a machine's nftables.service has its rules; a suite puts nothing in their place.
RULES = tuple(path for path in ("/etc/nftables.conf", "/etc/sysconfig/nftables.conf", "/etc/nftables.nft")
	if pathlib.Path(path).is_file())


def files(users=EXAMPLES, groups=EXAMPLES):
	"""The texts of "passwd" and "group"."""
	result = {}
	for name, wanted in (("passwd", users), ("group", groups)):
		text = pathlib.Path("/etc", name).read_text(encoding="utf-8")
		text += "" if text.endswith("\n") else "\n"
		known = {line.partition(":")[0] for line in text.splitlines()}
		result[name] = text + "".join(SHAPES[name].format(account, number)
			for number, account in enumerate(wanted, FIRST) if account not in known)
	return result
