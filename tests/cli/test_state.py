#!/usr/bin/python3
"""Files of the run folder that tpc has not written: they are reported and set aside, and every verb goes on
from what the kernel has."""
import os
import pathlib
import socket
import sys
import time

from cli import TPC, expect, main, needs_the_program_itself
from hosted import live
from snapshots import boot, sealed

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
# Written by tpc before all files had one format; the policy's path was /mnt/one.yaml.
BEFORE = pathlib.Path(__file__).resolve().parent / "format14"
BOOT_BEFORE = b"ac77746e-87f4-4372-93bc-2b110878317e"


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
# What may have become of a record; the sum of the last ones holds.
ALTERED = {
	"another byte": lambda data: data[:200] + bytes([data[200] ^ 1]) + data[201:],
	"another last byte": lambda data: data[:-1] + bytes([data[-1] ^ 1]),
	"a byte more": lambda data: data + b"\0",
	"no end": lambda data: data[:-9],
	"half of it": lambda data: data[:len(data) // 2],
	"no more than its title": lambda data: data[:30],
	"nothing": lambda data: b"",
	"of a format to come": lambda data: sealed(data.replace(b"tpc-record 15", b"tpc-record 99")),
	"of another kind": lambda data: sealed(data.replace(b"tpc-record 15", b"tpc-rekord 15")),
	"without its last field": lambda data: sealed(data[:-9] + data[-8:]),
	"a key outside of /proc/sys/net": lambda data: sealed(data.replace(b"net.ipv4.conf.", b"net/../../../.")),
	"a text without end": lambda data: sealed(data[:data.find(b"net.ipv4.") - 8] + b"\xff" * 8 + data[data.find(b"net.ipv4."):]),
	"text of the format before": lambda data: f"tpc-record\t2\t{boot().decode()}\npolicy\tone\t1\t1\t1\t1\t/x\nclaim\t1".encode(),
	"text of the format before, a key outside": lambda data: (f"tpc-record\t2\t{boot().decode()}\npolicy\tone\t1\t1\t1\t1\t/x\n"
		"claim\t1\t2\t3\t4\nsysctl\tnet.ipv4.conf.//.//.x\t1\t0\n").encode(),
}


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


@live("a record that was cut off or altered: no verb crashes or eats the memory, it is said, and its bytes are kept")
def altered(shop, host):
	prepare(shop, host)
	problems = []
	for what, alter in ALTERED.items():
		problems += expect(host.tpc("apply", "one.yaml"), 0)
		record = folder_of(shop) / "one"
		bytes_now = alter(record.read_bytes())
		if bytes_now == record.read_bytes():
			problems.append(f"{what}: nothing was altered")
		record.write_bytes(bytes_now)
		done = verbs(host, ["confirm", "one"], ["remove", "one"])
		problems += crashed(what, done)
		if STRANGE not in done[0][1].err or "tpc apply" not in done[0][1].err or done[0][1].status != 5:
			problems.append(f"{what}: status says {done[0][1]}")
		aside = list(folder_of(shop).glob("one.aside-*"))
		if [path.read_bytes() for path in aside] != [bytes_now]:
			problems.append(f"{what}: its bytes are not kept: {aside}")
		if "table inet tpc_one" in host.must("nft", "list", "tables") or "7100" in host.must("ip", "rule"):
			problems.append(f"{what}: remove left something")
		for path in aside:
			path.unlink()
	return problems


def updated(shop, host):
	"""As the program of the format before has left it: two.yaml was applied, then one.yaml, and sysctls were changed."""
	host.link("wg0")
	host.must("sysctl", "-qw", "net.ipv4.conf.all.src_valid_mark=1", "net.ipv4.ip_forward=0")
	for name in "one.yaml", "two.yaml":
		shop.write(name, (BEFORE / name).read_text(encoding="utf-8"))
		host.must(TPC, "apply", name)
	host.must("nft", "delete", "table", "inet", "tpc_one")
	host.must("nft", "-f", str(BEFORE / "one.nft"))
	for name in "one", "one.applied", "one.previous":
		data = (BEFORE / name).read_bytes().replace(BOOT_BEFORE, boot())
		(folder_of(shop) / name).write_bytes(data if name == "one" else sealed(data))


def shows(host, *words):
	"""What of the status is not so."""
	done = host.tpc("status")
	return [f"status says nothing of {word}: {done}" for word in words if word not in done.out] + (
		[f"status reports a file: {done}"] if STRANGE in done.err else [])


@live("an update of tpc: what the version before has applied is known, an apply goes on from it, and sysctls are given back")
def update(shop, host):
	updated(shop, host)
	problems = shows(host, "from /mnt/one.yaml", "ip rule 10000", "socket listens on 127.0.0.1:12345")
	problems += crashed("after an update", verbs(host))
	problems += expect(host.tpc("apply", "one.yaml"), 0)
	if not (folder_of(shop) / "one").read_bytes().startswith(b"\x0e\0\0\0\0\0\0\0tpc-record"):
		problems.append("the record is not of the new format")
	problems += shows(host, "one.yaml") + expect(host.tpc("remove", "one"), 0, ["src_valid_mark = 1, as it was", "ip_forward = 0, as it was"])
	return problems


@live("an update of tpc: a rollback leads to what the version before had applied before")
def update_rollback(shop, host):
	updated(shop, host)
	problems = expect(host.tpc("rollback", "one"), 0, "what /mnt/two.yaml said is in force again")
	if "198.51.100.0/24" not in host.must("nft", "list", "table", "inet", "tpc_one"):
		problems.append("it did not lead back")
	return problems + expect(host.tpc("remove", "one"), 0, ["src_valid_mark = 1, as it was", "ip_forward = 0, as it was"])


@live("an update of tpc in the middle of an apply: the next one finds what both have taken, and the old values of sysctls")
def update_half_way(shop, host):
	updated(shop, host)
	record = folder_of(shop) / "one"
	lines = record.read_text(encoding="utf-8").splitlines()
	fields = lines[1].split("\t")
	lines[1] = "\t".join([*fields[:3], "1234", "0", *fields[5:]])
	record.write_text("\n".join(lines) + "\n", encoding="utf-8")
	problems = expect(host.tpc("status"), 5, ["did not come to its end", "tpc apply /mnt/one.yaml"])
	if "is not the policy's" in host.tpc("status").out:
		problems.append(f"rules have become foreign: {host.tpc('status')}")
	problems += expect(host.tpc("rollback", "one"), 0, "what /mnt/one.yaml said is in force again")
	return problems + expect(host.tpc("remove", "one"), 0, ["src_valid_mark = 1, as it was", "ip_forward = 0, as it was"])


@live("an update of tpc while an apply waits for its confirmation: it is known, and can be confirmed")
def update_waits(shop, host):
	updated(shop, host)
	with host.start("sleep", "1000") as waiting:
		started = open(f"/proc/{waiting.pid}/stat", encoding="ascii").read().rsplit(")", 1)[1].split()[19]
		record = folder_of(shop) / "one"
		lines = record.read_text(encoding="utf-8").splitlines()
		lines.insert(2, f"ticket\t{waiting.pid}-{started}")
		record.write_text("\n".join(lines) + "\n", encoding="utf-8")
		(folder_of(shop) / "one.pending").write_text(f"tpc-pending\t1\t{boot().decode()}\nwatchdog\t{waiting.pid}\t{started}\t{1 << 60}\n")
		problems = expect(host.tpc("apply", "two.yaml"), 3, None, "tpc confirm one")
		problems += expect(host.tpc("confirm", "one"), 0, "confirmed")
		waiting.wait(10)
	return problems + shows(host, "from /mnt/one.yaml")


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
