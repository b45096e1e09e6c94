"""etc_files: users and groups of tests, and nftables' rules file, on any machine.

In: names. Out: the machine's /etc/passwd and /etc/group with the missing names added. The suites mount
them over the machine's own in their namespaces, so nothing that a test names has to be installed.
"""
import pathlib

# Users and groups (of the same name) of the examples; packages would create them.
EXAMPLES = ("haproxy", "proxy", "redsocks", "nobody", "nogroup")
FIRST = 64100
SHAPES = {"passwd": "{0}:x:{1}:{1}::/:/bin/false\n", "group": "{0}:x:{1}:\n"}


# The rules files of nftables.service; a suite mounts an empty file over them.
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
