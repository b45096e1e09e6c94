"""What `tpc apply` asks of the kernel, message by message: nothing more than what there is to do."""
import re
import shutil

import pytest

from cli import SEED, expect

POLICY = SEED.replace('[203.0.113.0/24, 198.51.100.7, "2001:db8:113::/48"]', "{file: list.txt}")
PREFIXES = 20000
REQUEST = re.compile(r"nlmsg_type=(?:NFNL_SUBSYS_NFTABLES<<8\|)?(\w+)")
CHANGE = re.compile(r"(NFT_MSG|RTM)_(NEW|DEL|SET|DESTROY)")


def prefixes(first):
	return "".join(f"{first + (at >> 15)}.{at >> 7 & 255}.{(at & 127) * 2}.0/24\n" for at in range(PREFIXES))


def asked(host, *words):
	"""What tpc said, and the types of the netlink messages that it and its children sent, in order."""
	if not shutil.which("strace"):
		pytest.skip("strace is not here; run packaging/setup check")
	tried = host.run("strace", "-qq", "-o", "trace", "true", check=False)
	if tried.returncode:
		pytest.skip(f"strace cannot trace here: {tried.stderr}")
	done = host.run("strace", "-f", "-qq", "-s", "4096", "-e", "trace=sendto,sendmsg", "-o", "trace", host.program, *words,
		environment={"ASAN_OPTIONS": "detect_leaks=0"}, check=False)
	trace = (host.folder / "trace").read_text(encoding="utf-8", errors="replace")
	return done, REQUEST.findall(trace)


def not_asked(types, *words):
	assert not [f"{kind} was sent" for kind in types if any(word in kind for word in words)]


def test_nothing(shop, host):
	"""nothing has changed: no message that changes anything, and no set is read"""
	shop.write("policy.yaml", POLICY)
	shop.write("list.txt", prefixes(11))
	expect(host.tpc("apply", "policy.yaml"), 0)
	done, types = asked(host, "apply", "policy.yaml")
	expect(done, 0, "tpc: nothing to change\n")
	assert "NFT_MSG_GETSET" in types and "RTM_GETRULE" in types, f"the messages are not seen: {types}"
	assert not [f"{kind} was sent" for kind in types if CHANGE.match(kind)]
	not_asked(types, "SETELEM", "BATCH")


def test_few(shop, host):
	"""a few prefixes have changed: only elements and the metadata of the table, no rule and no set"""
	shop.write("policy.yaml", POLICY)
	shop.write("list.txt", prefixes(11))
	expect(host.tpc("apply", "policy.yaml"), 0)
	shop.write("list.txt", prefixes(11).replace("11.7.", "19.7."))
	done, types = asked(host, "apply", "policy.yaml")
	expect(done, 0, "sets in place: 1, with +128 -128 elements")
	changes = [kind for kind in types if CHANGE.match(kind) or "SETELEM" in kind]
	wished = ["NFT_MSG_DELSETELEM", "NFT_MSG_NEWSETELEM", "NFT_MSG_NEWRULE", "NFT_MSG_NEWRULE"]
	assert changes == wished, f"sent: {changes}, and not {wished}"


def test_rule(shop, host):
	"""a rule has changed: the rules are rewritten, and no set is read or filled"""
	shop.write("policy.yaml", POLICY)
	shop.write("list.txt", prefixes(11))
	expect(host.tpc("apply", "policy.yaml"), 0, f"sets: +3 with {PREFIXES} elements")
	shop.write("policy.yaml", POLICY.replace("proto: tcp,", "proto: tcp, port: 443,"))
	done, types = asked(host, "apply", "policy.yaml")
	expect(done, 0, "another policy is loaded")
	assert "sets:" not in done.stdout, str(done)
	assert "NFT_MSG_NEWRULE" in types, f"the messages are not seen: {types}"
	not_asked(types, "GETSETELEM")


def test_sockets(shop, host):
	"""status: 40 listeners need one socket dump for each protocol and family, and none of /proc/net"""
	shop.write("policy.yaml", "version: 1\nlisteners:\n" + "".join(f"  p{at}: {{tproxy: {20000 + at}}}\n" for at in range(40)) +
		"rules:\n" + "".join(f"  - {{in: lan0, proto: [tcp, udp], port: {at + 1}, then: {{proxy: p{at}}}}}\n" for at in range(40)))
	expect(host.tpc("apply", "policy.yaml"), 0)
	done, types = asked(host, "status")
	expect(done, 0, "no socket listens on 127.0.0.1:20039/tcp (listener p39)", None)
	dumps = [kind for kind in types if "SOCK_DIAG" in kind]
	assert len(dumps) == 4, f"dumps: {dumps or types}"
