"""What a packet spends in the rules: with 500 destination classes beside one.

`run` is for tests/bench/run. By itself, as a program in namespaces of its own, it loads each policy
into a router and floods it from the other end of a veth pair, turn by turn, and prints what a packet
took under each, in nanoseconds.
"""
import json
import pathlib
import subprocess
import sys

CLASSES, PIECES, TURNS, SECONDS = 500, 500, 7, 0.4
# With so many classes a packet may cost at most so many times what it costs with one.
MOST = 1.25
LAB = pathlib.Path(__file__).resolve().parents[1] / "lab"


def policy(classes):
	"""So many classes, which share the same 500 prefixes and go two ways in turn."""
	each = PIECES // classes
	lines = ["version: 1", "settings: {sysctls: ignore, ipv6: off}", "sets:"]
	for number in range(classes):
		items = (f"10.{piece >> 8}.{piece & 255}.0/25" for piece in range(number * each, (number + 1) * each))
		lines.append(f"  class{number}: [{', '.join(items)}]")
	lines += ["tables:", "  even: {dev: up0}", "  odd: {dev: up1}", "rules:"]
	lines += [f"  - {{to: class{number}, proto: udp, then: {{route: {('even', 'odd')[number % 2]}}}}}"
		for number in range(classes)]
	return "\n".join(lines) + "\n"


def run(bench, folder, flood):
	folder.mkdir()
	(folder / "one.yaml").write_text(policy(1), encoding="utf-8")
	(folder / "many.yaml").write_text(policy(CLASSES), encoding="utf-8")
	done = subprocess.run([sys.executable, __file__, bench.tpc, flood, folder], capture_output=True,
		text=True, check=False)
	if done.returncode:
		print(f"packets in the rules: not measured: {(done.stderr.strip() or 'no figures').splitlines()[-1]}")
		bench.over += 1
		return
	found = json.loads(done.stdout)
	bench.bound(f"a packet, {CLASSES} classes beside one", found["many"] / found["one"], MOST, "x",
		f", {found['many']:.0f} ns and {found['one']:.0f} ns")
	print(f"    {'as ' + str(CLASSES) + ' plain rules (-O0)':30} {found['plain'] / found['one']:9.2f} x"
		f"  , {found['plain']:.0f} ns; no rules at all: {found['none']:.0f} ns")


def load(router, tpc, path, level):
	router.run("nft", "flush", "ruleset")
	if path:
		compiled = router.run(tpc, "compile", f"-O{level}", "-q", path, "--emit", "nft").stdout
		router.nft(compiled)


def main(tpc, flood, folder):
	"""Medians over turns, each of which goes once through all: a busy moment meets them alike."""
	sys.path.insert(0, str(LAB))
	import ns
	ns.enter()
	with_rules, sender = ns.Host("router"), ns.Host("sender")
	sender.ip(f"link add s0 type veth peer name r0 netns {with_rules.path}\nlink set s0 up\n"
		"address add 192.0.2.1/24 dev s0")
	with_rules.ip("link set r0 up\naddress add 192.0.2.2/24 dev r0")
	sender.ip("route add 10.0.0.0/8 via 192.0.2.2")
	kinds = {"none": (None, 0), "one": (f"{folder}/one.yaml", 1), "many": (f"{folder}/many.yaml", 1),
		"plain": (f"{folder}/many.yaml", 0)}
	found = {kind: [] for kind in kinds}
	for _ in range(TURNS):
		for kind, (path, level) in kinds.items():
			load(with_rules, tpc, path, level)
			found[kind].append(float(sender.run(flood, str(SECONDS), str(PIECES * 256)).stdout))
	print(json.dumps({kind: sorted(figures)[TURNS // 2] for kind, figures in found.items()}))


if __name__ == "__main__":
	main(*sys.argv[1:])
