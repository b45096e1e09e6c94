#!/usr/bin/python3
"""Files of the run folder that tpc has not written: they are reported and set aside, and every verb goes on
from what the kernel has."""
import os
import socket
import sys
import time

from cli import TPC, expect, main, needs_the_program_itself
from hosted import live

ONE = """version: 1
name: one
tables:
  vpn: {dev: wg0, fallback: unreachable, masquerade: true}
rules:
  - {to: 203.0.113.0/24, then: {route: vpn}}
"""
TWO = ONE.replace("203.0.113.0/24", "198.51.100.0/24")
# The sanitizers map more addresses than any limit would let them.
LIMIT = [] if "/san/" in TPC else ["prlimit", "--as=4000000000"]
STRANGE = "is not what tpc has written"


def prepare(shop, host):
	host.link("wg0")
	shop.write("one.yaml", ONE)
	shop.write("two/one.yaml", TWO)


def folder_of(shop):
	return next(path for path in (shop.folder / "run").iterdir() if path.is_dir())


def replace(path, make):
	if path.is_dir() and not path.is_symlink():
		path.rmdir()
	elif path.exists() or path.is_symlink():
		path.unlink()
	make(path)


def sock(path):
	with socket.socket(socket.AF_UNIX) as one:
		one.bind(str(path))


def huge(path):
	path.touch()
	os.truncate(path, 1 << 36)


KINDS = {
	"a pipe": os.mkfifo,
	"a directory": lambda path: path.mkdir(),
	"a symbolic link": lambda path: path.symlink_to("/dev/zero"),
	"a socket": sock,
	"larger than what tpc writes": huge,
}
# What a line of a record may be altered to.
LINES = ["claim\t1\t2\t3\tx", "sysctl\tx\t-\t5", "sysctl\tnet.ipv4.ip_forward\t-\t5", "claim\t-1\t2\t3\t",
	"sysctl\tnet.ipv4.conf.//.//.x\t1\t0", "route\t7\t1\t1\t0.0.0.0/0\t0\t0\t-", "rule\t0\t1\t1\t1\t9\t1\t0",
	"wish\tnet.x\t1\t99\t-\twhy", "unknown\t1", "", "policy\tone", "listener\ta\tb\t70000\t1\t1\t1\t-\t-",
	"sysctl\tnet.x\t%zz\t0", "a\0b"]


def verbs(host, *more):
	"""Every verb that reads the run folder, each with a limit on time and memory."""
	done = []
	for words in (["status"], ["plan", "one.yaml"], ["apply", "--dry-run", "one.yaml"], *more):
		done.append((words, host.run(*LIMIT, "timeout", "-s", "KILL", "20", TPC, *words)))
	return done


def crashed(what, done):
	return [f"{what}: tpc {' '.join(words)}: {one}" for words, one in done
		if one.status not in (0, 1, 2, 3, 4, 5) or "ERROR: " in one.err]


@live("a record, an archive or a note that is no file of ours: nothing waits, it is said and set aside, and what is applied goes on")
def kinds(shop, host):
	prepare(shop, host)
	problems = []
	for name in "one", "one.applied", "one.previous", "one.pending", "one.held":
		for kind, make in KINDS.items():
			if name != "one" and kind != "a pipe":
				continue
			problems += expect(host.tpc("apply", "two/one.yaml"), 0)
			problems += expect(host.tpc("apply", "one.yaml"), 0)
			before = host.state()
			replace(folder_of(shop) / name, make)
			done = verbs(host)
			problems += crashed(f"{name} is {kind}", done)
			if name == "one" and kind not in done[0][1].err:
				problems.append(f"status does not say that {name} is {kind}: {done[0][1]}")
			if host.state() != before:
				problems.append(f"{name} is {kind}: something changed")
			problems += expect(host.tpc("apply", "two/one.yaml"), 0, (), [STRANGE, f"/{name}.aside-1"])
			if "198.51.100.0/24" not in host.must("nft", "list", "table", "inet", "tpc_one"):
				problems.append(f"{name} is {kind}: the second apply changed nothing")
			problems += expect(host.tpc("remove", "one"), 0)
			left = sorted(path.name for path in folder_of(shop).iterdir())
			if left != [f"{name}.aside-1"]:
				problems.append(f"{name} is {kind}: after remove there is {left}")
			replace(folder_of(shop) / f"{name}.aside-1", lambda path: None)
	return problems


@live("a record that was altered in a line: no verb crashes or eats the memory, and its bytes are kept")
def lines(shop, host):
	prepare(shop, host)
	problems = []
	for line in LINES:
		problems += expect(host.tpc("apply", "one.yaml"), 0)
		record = folder_of(shop) / "one"
		bytes_now = record.read_bytes() + line.encode() + b"\n"
		record.write_bytes(bytes_now)
		shown = line.replace("\t", " ")
		done = verbs(host, ["confirm", "one"], ["remove", "one"])
		problems += crashed(shown, done)
		if STRANGE not in done[0][1].err or done[0][1].status != 5:
			problems.append(f"{shown}: status says {done[0][1]}")
		aside = list(folder_of(shop).glob("one.aside-*"))
		if [path.read_bytes() for path in aside] != [bytes_now]:
			problems.append(f"{shown}: its bytes are not kept: {aside}")
		if "table inet tpc_one" in host.must("nft", "list", "tables") or "7100" in host.must("ip", "rule"):
			problems.append(f"{shown}: remove left something")
		for path in aside:
			path.unlink()
	return problems


@live("a rollback without its record leads to what was before, as the archives and the kernel have it")
def rollback(shop, host):
	prepare(shop, host)
	problems = expect(host.tpc("apply", "two/one.yaml"), 0) + expect(host.tpc("apply", "one.yaml"), 0)
	(folder_of(shop) / "one").write_bytes(b"nonsense")
	problems += expect(host.tpc("rollback", "one"), 0, "rolled back", STRANGE)
	if "198.51.100.0/24" not in host.must("nft", "list", "table", "inet", "tpc_one"):
		problems.append("it did not lead back")
	problems += expect(host.tpc("status"), 0)
	(folder_of(shop) / "one").write_bytes(b"nonsense")
	problems += expect(host.tpc("rollback", "one"), 3, None, ["not known any more", "tpc remove one"])
	if "198.51.100.0/24" not in host.must("nft", "list", "table", "inet", "tpc_one"):
		problems.append("what is applied is lost")
	return problems


@live("a policy that waits for its confirmation, without its record: it can be confirmed, and is taken back else")
def waits(shop, host):
	needs_the_program_itself("a watchdog closes files that the other one has open")
	prepare(shop, host)
	problems = expect(host.tpc("apply", "two/one.yaml"), 0)
	problems += expect(host.tpc("apply", "--confirm", "60", "one.yaml"), 0)
	(folder_of(shop) / "one").write_bytes(b"nonsense")
	problems += expect(host.tpc("confirm"), 3, None, ["waits for its confirmation", "tpc confirm one"])
	problems += expect(host.tpc("confirm", "one"), 0, "confirmed", STRANGE)
	problems += expect(host.tpc("apply", "--confirm", "1", "two/one.yaml"), 0)
	(folder_of(shop) / "one").write_bytes(b"nonsense")
	for _ in range(100):
		if "203.0.113.0/24" in host.must("nft", "list", "table", "inet", "tpc_one"):
			return problems
		time.sleep(0.1)
	return [*problems, f"the watchdog did not go back: {host.tpc('status')}"]


@live("a policy's file whose name has an escape character and a line feed: apply, plan, status and remove show it escaped")
def escapes(shop, host):
	prepare(shop, host)
	name = "x\x1b[31m\ny/one.yaml"
	shop.write(name, ONE)
	problems = []
	for words in (["plan", name], ["apply", "--dry-run", "-v", name], ["apply", name], ["status"], ["plan", "-v", "two/one.yaml"],
			["rollback", "one", "-v"], ["apply", name], ["remove"]):
		done = host.tpc(*words)
		for text in done.out, done.err:
			if "\x1b" in text or "\ny/" in text:
				problems.append(f"tpc {words[0]}: {done}")
	return problems


@live("what a killed run left half written in the run folder is taken away by the next")
def left_over(shop, host):
	prepare(shop, host)
	problems = expect(host.tpc("apply", "one.yaml"), 0)
	(folder_of(shop) / ".one.tpc-4711-0").write_text("half", encoding="ascii")
	problems += expect(host.tpc("apply", "one.yaml"), 0)
	left = sorted(path.name for path in folder_of(shop).iterdir())
	return problems + ([] if left == ["lock", "one", "one.applied"] else [f"there is {left}"])


if __name__ == "__main__":
	sys.exit(main())
