"""Files of the run directory that tpc has not written: they are reported and set aside, and every verb goes on
from what the kernel has."""
import os
import pathlib
import socket
import time

import pytest

from cli import expect, needs_the_program_itself
from snapshots import boot, sealed

ONE = """version: 1
name: one
tables:
  vpn: {dev: wg0, fallback: unreachable, masquerade: true}
rules:
  - {to: 203.0.113.0/24, then: {route: vpn}}
"""
TWO = ONE.replace("203.0.113.0/24", "198.51.100.0/24")
# Not where the sanitizers map more addresses than any limit would let them.
LIMIT = ["prlimit", "--as=4000000000"]
STRANGE = "is damaged"
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
	"""Every verb that reads the run directory, each with a limit on time and memory."""
	done = []
	for words in (["status"], ["plan", "one.yaml"], ["apply", "--dry-run", "one.yaml"], *more):
		done.append((words, host.run(*([] if "/san/" in host.program else LIMIT), "timeout", "-s", "KILL", "20", host.program, *words, check=False)))
	return done


def crashed(what, done):
	assert not [f"{what}: tpc {' '.join(words)}: {one}" for words, one in done
		if one.returncode not in (0, 1, 2, 3, 4, 5) or "ERROR: " in one.stderr]


def test_kinds(shop, host):
	"""a state file that is not tpc's: no verb blocks, it is reported and set aside, and the applied policy stays"""
	prepare(shop, host)
	for name in "one", "one.applied", "one.previous", "one.pending", "one.held":
		for kind, make in KINDS.items():
			if name != "one" and kind != "a pipe":
				continue
			expect(host.tpc("apply", "two/one.yaml"), 0)
			expect(host.tpc("apply", "one.yaml"), 0)
			before = host.state()
			replace(folder_of(shop) / name, make)
			done = verbs(host)
			crashed(f"{name} is {kind}", done)
			assert name != "one" or kind in done[0][1].stderr, f"status does not say that {name} is {kind}: {done[0][1]}"
			assert host.state() == before, f"{name} is {kind}: something changed"
			expect(host.tpc("apply", "two/one.yaml"), 0, (), [STRANGE, f"/{name}.aside-1"])
			assert "198.51.100.0/24" in host.run("nft", "list", "table", "inet", "tpc_one").stdout, \
				f"{name} is {kind}: the second apply changed nothing"
			expect(host.tpc("remove", "one"), 0)
			left = sorted(path.name for path in folder_of(shop).iterdir())
			assert left == [f"{name}.aside-1"], f"{name} is {kind}: after remove there is {left}"
			replace(folder_of(shop) / f"{name}.aside-1", lambda path: None)


def test_altered(shop, host):
	"""a truncated or changed record: no verb crashes or uses too much memory, it is reported, and its bytes are kept"""
	prepare(shop, host)
	for what, alter in ALTERED.items():
		expect(host.tpc("apply", "one.yaml"), 0)
		record = folder_of(shop) / "one"
		bytes_now = alter(record.read_bytes())
		assert bytes_now != record.read_bytes(), f"{what}: nothing was altered"
		record.write_bytes(bytes_now)
		done = verbs(host, ["confirm", "one"], ["remove", "one"])
		crashed(what, done)
		assert STRANGE in done[0][1].stderr and "tpc apply" in done[0][1].stderr and done[0][1].returncode == 5, f"{what}: status says {done[0][1]}"
		aside = list(folder_of(shop).glob("one.aside-*"))
		assert [path.read_bytes() for path in aside] == [bytes_now], f"{what}: its bytes are not kept: {aside}"
		assert "table inet tpc_one" not in host.run("nft", "list", "tables").stdout and "7100" not in host.run("ip", "rule").stdout, \
			f"{what}: remove left something"
		for path in aside:
			path.unlink()


def updated(shop, host):
	"""As the program of the format before has left it: two.yaml was applied, then one.yaml, and sysctls were changed."""
	host.link("wg0")
	host.run("sysctl", "-qw", "net.ipv4.conf.all.src_valid_mark=1", "net.ipv4.ip_forward=0")
	for name in "one.yaml", "two.yaml":
		shop.write(name, (BEFORE / name).read_text(encoding="utf-8"))
		host.run(shop.program, "apply", name)
	host.run("nft", "delete", "table", "inet", "tpc_one")
	host.run("nft", "-f", str(BEFORE / "one.nft"))
	for name in "one", "one.applied", "one.previous":
		data = (BEFORE / name).read_bytes().replace(BOOT_BEFORE, boot())
		(folder_of(shop) / name).write_bytes(data if name == "one" else sealed(data))


def shows(host, *words):
	"""What of the status is not so."""
	done = host.tpc("status")
	return [f"status says nothing of {word}: {done}" for word in words if word not in done.stdout] + (
		[f"status reports a file: {done}"] if STRANGE in done.stderr else [])


def test_update(shop, host):
	"""an update of tpc: state of the previous version is read, apply continues from it, and sysctls are restored"""
	updated(shop, host)
	assert not shows(host, "from /mnt/one.yaml", "ip rule 10000", "socket listens on 127.0.0.1:12345")
	crashed("after an update", verbs(host))
	expect(host.tpc("apply", "one.yaml"), 0)
	assert (folder_of(shop) / "one").read_bytes().startswith(b"\x0e\0\0\0\0\0\0\0tpc-record"), "the record is not of the new format"
	assert not shows(host, "one.yaml")
	expect(host.tpc("remove", "one"), 0, ["src_valid_mark = 1, as it was", "ip_forward = 0, as it was"])


def test_update_rollback(shop, host):
	"""an update of tpc: rollback restores the previous policy of the previous version"""
	updated(shop, host)
	expect(host.tpc("rollback", "one"), 0, "the policy of /mnt/two.yaml is in force again")
	assert "198.51.100.0/24" in host.run("nft", "list", "table", "inet", "tpc_one").stdout, "it did not lead back"
	expect(host.tpc("remove", "one"), 0, ["src_valid_mark = 1, as it was", "ip_forward = 0, as it was"])


def test_update_half_way(shop, host):
	"""an update of tpc during an apply: the next apply knows the numbers of both versions, and the old sysctls"""
	updated(shop, host)
	record = folder_of(shop) / "one"
	lines = record.read_text(encoding="utf-8").splitlines()
	fields = lines[1].split("\t")
	lines[1] = "\t".join([*fields[:3], "1234", "0", *fields[5:]])
	record.write_text("\n".join(lines) + "\n", encoding="utf-8")
	expect(host.tpc("status"), 5, ["did not finish", "tpc apply /mnt/one.yaml"])
	assert "is not the policy's" not in host.tpc("status").stdout, f"rules have become foreign: {host.tpc('status')}"
	expect(host.tpc("rollback", "one"), 0, "the policy of /mnt/one.yaml is in force again")
	expect(host.tpc("remove", "one"), 0, ["src_valid_mark = 1, as it was", "ip_forward = 0, as it was"])


def test_update_waits(shop, host):
	"""an update of tpc while a confirmation is pending: confirm works"""
	updated(shop, host)
	with host.start("sleep", "1000") as waiting:
		started = open(f"/proc/{waiting.pid}/stat", encoding="ascii").read().rsplit(")", 1)[1].split()[19]
		record = folder_of(shop) / "one"
		lines = record.read_text(encoding="utf-8").splitlines()
		lines.insert(2, f"ticket\t{waiting.pid}-{started}")
		record.write_text("\n".join(lines) + "\n", encoding="utf-8")
		(folder_of(shop) / "one.pending").write_text(f"tpc-pending\t1\t{boot().decode()}\nwatchdog\t{waiting.pid}\t{started}\t{1 << 60}\n")
		expect(host.tpc("apply", "two.yaml"), 3, None, "tpc confirm one")
		expect(host.tpc("confirm", "one"), 0, "confirmed")
		waiting.wait(10)
	assert not shows(host, "from /mnt/one.yaml")


def test_rollback(shop, host):
	"""rollback without its record uses the archives and the kernel"""
	prepare(shop, host)
	expect(host.tpc("apply", "two/one.yaml"), 0)
	expect(host.tpc("apply", "one.yaml"), 0)
	(folder_of(shop) / "one").write_bytes(b"nonsense")
	expect(host.tpc("rollback", "one"), 0, "rolled back", STRANGE)
	assert "198.51.100.0/24" in host.run("nft", "list", "table", "inet", "tpc_one").stdout, "it did not lead back"
	expect(host.tpc("status"), 0)
	(folder_of(shop) / "one").write_bytes(b"nonsense")
	expect(host.tpc("rollback", "one"), 3, None, ["is unknown", "tpc remove one"])
	assert "198.51.100.0/24" in host.run("nft", "list", "table", "inet", "tpc_one").stdout, "what is applied is lost"


def test_waits(shop, host):
	"""a pending confirmation without its record: confirm works, and without it the policy is rolled back"""
	needs_the_program_itself(shop, "a watchdog closes files that the other one has open")
	prepare(shop, host)
	expect(host.tpc("apply", "two/one.yaml"), 0)
	expect(host.tpc("apply", "--confirm", "60", "one.yaml"), 0)
	(folder_of(shop) / "one").write_bytes(b"nonsense")
	expect(host.tpc("confirm"), 3, None, ["waits for its confirmation", "tpc confirm one"])
	expect(host.tpc("confirm", "one"), 0, "confirmed", STRANGE)
	expect(host.tpc("apply", "--confirm", "1", "two/one.yaml"), 0)
	(folder_of(shop) / "one").write_bytes(b"nonsense")
	for _ in range(100):
		if "203.0.113.0/24" in host.run("nft", "list", "table", "inet", "tpc_one").stdout:
			return
		time.sleep(0.1)
	pytest.fail(f"the watchdog did not go back: {host.tpc('status')}")


def test_escapes(shop, host):
	"""apply, plan, status and remove escape a policy's file name with control characters"""
	prepare(shop, host)
	name = "x\x1b[31m\ny/one.yaml"
	shop.write(name, ONE)
	for words in (["plan", name], ["apply", "--dry-run", "-v", name], ["apply", name], ["status"], ["plan", "-v", "two/one.yaml"],
			["rollback", "one", "-v"], ["apply", name], ["remove"]):
		done = host.tpc(*words)
		for text in done.stdout, done.stderr:
			assert "\x1b" not in text and "\ny/" not in text, f"tpc {words[0]}: {done}"


def test_left_over(shop, host):
	"""the next run removes half-written files of a killed one from the run directory"""
	prepare(shop, host)
	expect(host.tpc("apply", "one.yaml"), 0)
	(folder_of(shop) / ".one.tpc-4711-0").write_text("half", encoding="ascii")
	expect(host.tpc("apply", "one.yaml"), 0)
	left = sorted(path.name for path in folder_of(shop).iterdir())
	assert left == ["lock", "one", "one.applied"], f"there is {left}"
