"""explain: how many packets a second `tpc explain --batch` answers, with a large set in the policy.

Reading the policy is not counted: a batch of many packets is measured against one of a single packet.
"""
import random

POLICY = """\
version: 1
sets:
  far: {file: prefixes.txt}
listeners:
  proxy: {tproxy: 12345, runs_as: {user: proxyd}}
tables:
  vpn: {dev: wg0, fallback: unreachable}
rules:
  - {in: guest0, then: drop}
  - {to: private, then: direct}
  - {from: 192.168.7.0/24, proto: udp, port: 443, then: reject}
  - {to: far, proto: tcp, port: [80, 443], then: {proxy: proxy}}
  - {to: far, then: {route: vpn}}
  - {proto: udp, port: 53, then: {proxy: proxy}}
"""
PACKETS = 200_000
# 100,000 packets a second.
PACKET_US = 10


def packets(count, seed=1):
	chance = random.Random(seed)
	return "".join(f"in=lan0 from=192.168.{chance.randrange(16)}.{chance.randrange(256)} "
		f"to={chance.randrange(1, 224)}.{chance.randrange(256)}.{chance.randrange(256)}.{chance.randrange(256)} "
		f"proto={chance.choice(('tcp', 'udp'))} port={chance.choice((22, 53, 80, 443))}\n" for _ in range(count))


def measure(bench, folder):
	"""Microseconds a packet."""
	times = []
	for count in 1, PACKETS:
		found = bench.measure(3, bench.tpc, "explain", folder / "policy.yaml", "--batch", folder / f"packets-{count}",
			"--format", "json")
		if isinstance(found, str):
			raise SystemExit(f"tpc explain failed: {found}")
		times.append(found[2])
	return (times[1] - times[0]) * 1000 / (PACKETS - 1)


def run(bench, folder, prefixes):
	"""The policy's folder and the text of its list."""
	folder.mkdir()
	(folder / "policy.yaml").write_text(POLICY, encoding="utf-8")
	(folder / "prefixes.txt").write_text(prefixes, encoding="utf-8")
	for count in 1, PACKETS:
		(folder / f"packets-{count}").write_text(packets(count), encoding="utf-8")
	rounds = [measure(bench, folder)]
	while len(rounds) < 3 and min(rounds) > PACKET_US:
		rounds.append(measure(bench, folder))
	bench.bound("explain --batch, a packet", min(rounds), PACKET_US, "us",
		f", {1e6 / min(rounds):.0f} a second with {prefixes.count(chr(10))} prefixes")
