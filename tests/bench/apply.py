"""What `tpc apply` costs on a host: beside nft, beside the bare kernel, and when there is little to do.

`run` is for tests/bench/run. By itself, as a program in namespaces of its own, it measures turn by turn, so
that a busy moment meets what is compared alike, and prints the shortest of all turns, as anything longer is
this machine's doing. Each peer has a network namespace of its own. nft takes minutes for 1,000 elements more in a set of 1,000,000: that is measured in a long run; a short
one measures both in a set of 100,000.
"""
import json
import pathlib
import random
import resource
import socket
import subprocess
import sys

LAB = pathlib.Path(__file__).resolve().parents[1] / "lab"
POLICY = """\
version: 1
settings: {ipv6: off}
sets:
  foreign: %s
listeners:
  proxy: {tproxy: 12345, mark: 100, table: 100}
rules:
  - {to: foreign, proto: tcp, then: {proxy: proxy}}
"""
CHANGED, SHORT = 1000, 100_000
# The bounds: shares (and a percentage) of what the peers need, milliseconds, MiB.
SHARE_NFT, SHARE_FLOOR, FIRST_MIB = 0.30, 1.25, 200
PERCENT_ADD, UPDATE_MS, NOTHING_MS, SEED_MS, ROLLBACK_MS, SOCKETS_MS = 1, 1000, 300, 15, 100, 300
LISTENERS, SOCKETS = 400, 8000
TURNS, SEED_TURNS = 3, 15
# Blocks of 256 addresses that lists may take from.
FIRST, PAST = 1 << 16, 223 << 16


def free_blocks(lines, count, chance):
	"""So many blocks that nothing in the list touches."""
	taken, found = bytearray(PAST), []
	for line in lines:
		address, length = line.split("/")
		high, middle, low, _ = map(int, address.split("."))
		first, size = high << 16 | middle << 8 | low, 1 << 24 - int(length)
		taken[first:first + size] = b"x" * size
	while len(found) < count:
		block = chance.randrange(FIRST, PAST)
		if not taken[block]:
			taken[block] = 1
			found.append(block)
	return found


def change(lines, count=CHANGED, seed=4):
	"""The list with so many others instead of as many of its own; and those others."""
	chance = random.Random(seed)
	gone = set(chance.sample(range(len(lines)), count))
	others = [f"{block >> 16}.{block >> 8 & 255}.{block & 255}.0/24\n"
		for block in free_blocks(lines, count, chance)]
	return [line for at, line in enumerate(lines) if at not in gone] + others, others


def element_text(lines):
	return ",\n".join(line.strip() for line in lines)


def write(folder, prefixes):
	"""Policies, lists and nft files, for the whole list and for the beginning of it."""
	for name, count in ("many", None), ("some", SHORT):
		lines = prefixes.splitlines(keepends=True)[:count]
		changed, others = change(lines)
		for which, text in ("old", lines), ("new", changed):
			(folder / f"{name}-{which}.txt").write_text("".join(text), encoding="utf-8")
			(folder / f"{name}-{which}.yaml").write_text(POLICY % f"{{file: {name}-{which}.txt}}",
				encoding="utf-8")
		(folder / f"{name}.nft").write_text("table inet peer {\n\tset foreign {\n\t\ttype ipv4_addr\n"
			f"\t\tflags interval\n\t\telements = {{ {element_text(lines)} }}\n\t}}\n}}\n", encoding="utf-8")
		(folder / f"{name}-more.nft").write_text(
			f"add element inet peer foreign {{ {element_text(others)} }}\n", encoding="utf-8")
	(folder / "other.txt").write_text("".join(prefixes.splitlines(keepends=True)[-SHORT:]), encoding="utf-8")
	(folder / "other.yaml").write_text(POLICY % "{file: other.txt}", encoding="utf-8")
	(folder / "seed.yaml").write_text(POLICY % "[203.0.113.8]", encoding="utf-8")


class Field:
	"""Where it is measured: a namespace for each peer."""

	def __init__(self, ns, tpc, timer, folder):
		self.tpc, self.timer, self.folder = tpc, timer, folder
		self.hosts = {name: ns.Host(name) for name in ("tpc", "nft", "floor")}

	def run(self, who, *command):
		return self.hosts[who].run(*map(str, command), cwd=self.folder, timeout=600)

	def time(self, who, *command):
		"""Milliseconds and MiB of one run."""
		_, shortest, memory = map(int, self.run(who, self.timer, 1, *command).stdout.split())
		return shortest / 1000, memory / 1024

	def apply(self, policy):
		return self.time("tpc", self.tpc, "apply", "-q", f"{policy}.yaml")

	def clear(self):
		self.run("tpc", self.tpc, "remove", "-q", "tpc")


def first(field, floor):
	"""A million prefixes into an empty kernel."""
	found = {"tpc": [], "floor": []}
	for _ in range(TURNS):
		found["floor"].append(field.time("floor", floor, "many-old.txt"))
		field.run("floor", "nft", "flush", "ruleset")
		found["tpc"].append(field.apply("many-old"))
		field.clear()
	return {"first": min(found["tpc"]), "floor": min(found["floor"]),
		"nft": field.time("nft", "nft", "-f", "many.nft")}


def update(field, name):
	"""So many elements changed, there and back; and applied again. nft's set is there already."""
	field.apply(f"{name}-old")
	changed, unchanged = [], []
	for _ in range(TURNS):
		for which in "new", "old":
			changed.append(field.apply(f"{name}-{which}"))
			unchanged.append(field.apply(f"{name}-{which}"))
	field.clear()
	return {"update": min(changed), "nothing": min(unchanged)}


def seed(field):
	"""The seed policy into an empty kernel, beside the commands that load what it compiles to."""
	field.run("nft", field.tpc, "compile", "-q", "seed.yaml", "-o", "seed")
	batch = (field.folder / "seed" / "seed.ip.batch").read_text(encoding="utf-8").splitlines(keepends=True)
	for what in "rule", "route":
		(field.folder / f"{what}.batch").write_text("".join(line for line in batch
			if line.startswith(f"{what} ")), encoding="utf-8")
	ours, theirs = [], []
	field.run("nft", "ip", "link", "set", "lo", "up")
	field.run("tpc", "ip", "link", "set", "lo", "up")
	for _ in range(SEED_TURNS):
		ours.append(field.apply("seed"))
		field.clear()
		theirs.append(sum(field.time("nft", *command)[0] for command in (("ip", "-batch", "route.batch"),
			("ip", "-batch", "rule.batch"), ("nft", "-f", "seed/seed.nft"))))
		field.run("nft", "nft", "flush", "ruleset")
		for what in "rule", "route":
			text = (field.folder / f"{what}.batch").read_text(encoding="utf-8").replace(" add ", " del ")
			field.hosts["nft"].run("ip", "-batch", "-", stdin=text)
	return {"seed": min(ours), "commands": (min(theirs), 0)}


def rollback(field):
	"""Back from a policy with wholly other prefixes, which waits to be confirmed."""
	found = []
	for _ in range(TURNS):
		field.apply("some-old")
		field.run("tpc", field.tpc, "apply", "-q", "--confirm", 300, "other.yaml")
		found.append(field.time("tpc", field.tpc, "rollback", "-q"))
	field.clear()
	return {"rollback": min(found)}


def sockets(field):
	"""status of a policy with so many listeners, on a host with so many sockets; all hold on to one port in two."""
	text = "version: 1\nsettings: {table_ids: 7100-7999, mark_mask: 0x00fff000}\nlisteners:\n"
	text += "".join(f"  p{at}: {{tproxy: {20000 + at}}}\n" for at in range(LISTENERS)) + "rules:\n"
	text += "".join(f"  - {{proto: [tcp, udp], port: {at + 1}, then: {{proxy: p{at}}}}}\n" for at in range(LISTENERS))
	(field.folder / "listeners.yaml").write_text(text, encoding="utf-8")
	resource.setrlimit(resource.RLIMIT_NOFILE, (SOCKETS + 500, max(SOCKETS + 500, resource.getrlimit(resource.RLIMIT_NOFILE)[1])))
	held = []
	with field.hosts["tpc"]:
		for at in range(SOCKETS):
			held.append(socket.socket(socket.AF_INET6, (socket.SOCK_STREAM, socket.SOCK_DGRAM)[at % 2]))
			held[-1].bind(("::", 10000 + at // 2 * 2))
			if at % 2 == 0:
				held[-1].listen()
	field.apply("listeners")
	found = [field.time("tpc", field.tpc, "status", "-q") for _ in range(TURNS)]
	field.clear()
	for one in held:
		one.close()
	return {"sockets": min(found)}


def main(tpc, timer, floor, folder, is_long):
	sys.path.insert(0, str(LAB))
	import ns
	ns.enter()
	field = Field(ns, tpc, timer, pathlib.Path(folder))
	found = first(field, floor)
	found.update(update(field, "many"))
	if is_long == "long":
		found["add"] = field.time("nft", "nft", "-f", "many-more.nft")
	field.run("nft", "nft", "flush", "ruleset")
	field.run("nft", "nft", "-f", "some.nft")
	found["some_update"] = update(field, "some")["update"]
	found["some_add"] = field.time("nft", "nft", "-f", "some-more.nft")
	field.run("nft", "nft", "flush", "ruleset")
	found.update(seed(field))
	found.update(rollback(field))
	found.update(sockets(field))
	print(json.dumps(found))


def show(bench, found):
	"""The table, in bench's lines."""
	def share(what, ours, peer, most, name):
		bench.bound(what, found[ours][0] / found[peer][0], most, "x",
			f", {found[ours][0]:.0f} ms and {found[peer][0]:.0f} ms: {name}")

	share("first apply, time", "first", "nft", SHARE_NFT, f"nft -f, with {found['nft'][1]:.0f} MiB")
	share("first apply, time", "first", "floor", SHARE_FLOOR, "a bare netlink loader")
	bench.bound("first apply, memory", found["first"][1], FIRST_MIB, "MiB")
	bench.bound(f"apply, {CHANGED} changed, time", found["update"][0], UPDATE_MS, "ms")
	if "add" in found:
		bench.bound(f"apply, {CHANGED} changed, time", 100 * found["update"][0] / found["add"][0], PERCENT_ADD, "%",
			f", {found['update'][0]:.0f} ms and {found['add'][0]:.0f} ms: nft -f of {CHANGED} more, "
			f"with {found['add'][1]:.0f} MiB")
	print(f"    {f'in a set of {SHORT}':30} {found['some_update'][0]:9.2f} ms, "
		f"{100 * found['some_update'][0] / found['some_add'][0]:.1f} % of nft -f of {CHANGED} more, "
		f"{found['some_add'][0]:.0f} ms")
	bench.bound("apply, nothing changed, time", found["nothing"][0], NOTHING_MS, "ms")
	bench.bound("apply, seed policy, time", found["seed"][0], SEED_MS, "ms")
	share("apply, seed policy, time", "seed", "commands", 1, "nft -f, and ip -batch of routes and of rules")
	bench.bound(f"status, {LISTENERS} listeners, time", found["sockets"][0], SOCKETS_MS, "ms",
		f", on a host with {SOCKETS} sockets")
	bench.bound(f"rollback, {SHORT} prefixes, time", found["rollback"][0], ROLLBACK_MS, "ms")


def run(bench, folder, floor, prefixes, is_long):
	"""`prefixes`: the text of the list."""
	folder.mkdir()
	write(folder, prefixes)
	done = subprocess.run([sys.executable, __file__, bench.tpc, bench.timer, floor, folder,
		"long" if is_long else "short"], capture_output=True, text=True, check=False)
	if done.returncode:
		print(f"apply: not measured: {(done.stderr.strip() or 'no figures').splitlines()[-1]}")
		bench.over += 1
		return
	show(bench, json.loads(done.stdout))


if __name__ == "__main__":
	main(*sys.argv[1:])
