#!/usr/bin/python3
"""tpc status --drift: silent where all is as apply left it, and says what is not. What plan would do is drift,
and apply mends it."""
import json
import sys

from cli import ROOT, expect, main
from hosted import differs, live

UPLINKS = {"wan0": ("192.0.2.2/24", "2001:db8:1::2/64"), "wan1": ("198.51.100.2/24", "2001:db8:2::2/64"),
	"wg0": ("10.99.0.2/24", "fd00:99::2/64")}
# One that names control groups needs a host that has them: tests/lab loads it.
EXAMPLES = [path for path in sorted(ROOT.glob("examples/*/policy.yaml")) if "cgroup:" not in path.read_text(encoding="utf-8")]
MAPS = """version: 1
sets: {s: {dynamic: true}}
rules:
  - {from: s, then: drop}
  - {in: lan0, to: 203.0.113.0/24, then: drop}
  - {in: lan0, to: 203.0.114.0/24, then: reject}
"""
MORE = "rules:\n  - {to: 203.0.113.99, proto: tcp, port: 4242, then: drop}\n"


def uplinks(host):
	for name, addresses in UPLINKS.items():
		host.must("ip", "link", "add", name, "type", "veth", "peer", "name", f"far-{name}")
		for end in name, f"far-{name}":
			host.must("ip", "link", "set", end, "addrgenmode", "none")
		host.must("ip", "link", "set", f"far-{name}", "up")
		host.must("ip", "link", "set", name, "up")
		for address in addresses:
			host.must("ip", "address", "add", address, "dev", name, *["nodad"] * (":" in address))


def in_order(host, policy, when):
	"""Nothing is to be said, nothing to be done, and nothing is."""
	problems = expect(host.tpc("status", "--drift"), 0, None, None)
	problems += expect(host.tpc("plan", policy), 0, "nothing to change\n")
	before = host.state()
	problems += expect(host.tpc("apply", policy), 0, "nothing to change\n")
	return [f"{when}:"] * bool(problems) + problems + differs(before, host.state(), f"{when}: a second apply:")


def there_and_back(host, path, text):
	"""Applied, changed, rolled back, confirmed: nothing of it is drift."""
	path.write_text(text, encoding="utf-8")
	problems = expect(host.tpc("apply", path.name), 0)
	problems += expect(host.tpc("status", "--drift"), 0, None, None)
	problems += in_order(host, path.name, "applied")
	path.write_text(text.replace("rules:\n", MORE, 1), encoding="utf-8")
	problems += expect(host.tpc("apply", "--confirm", "60", path.name), 0)
	problems += expect(host.tpc("status", "--drift"), 0, None, None)
	problems += expect(host.tpc("confirm"), 0)
	problems += in_order(host, path.name, "changed")
	problems += expect(host.tpc("rollback"), 0)
	problems += expect(host.tpc("status", "--drift"), 0, None, None)
	path.write_text(text, encoding="utf-8")
	return problems + in_order(host, path.name, "rolled back")


def example(path):
	@live(f"no drift: {path.parent.name}: applied, changed with --confirm, rolled back; apply again changes nothing")
	def _(shop, host):
		uplinks(host)
		for other in path.parent.iterdir():
			shop.write(other.name, other.read_text(encoding="utf-8"))
		return there_and_back(host, shop.folder / "policy.yaml", path.read_text(encoding="utf-8"))


for _path in EXAMPLES:
	example(_path)


@live("no drift: rules of nft over several lines are kept as they are, at every -O; plan -v shows nothing but the change")
def maps(shop, host):
	problems = []
	for level in "-O0", "-O1":
		shop.write("policy.yaml", MAPS)
		problems += expect(host.tpc("apply", level, "policy.yaml"), 0)
		problems += expect(host.tpc("status", "--drift"), 0, None, None)
		problems += expect(host.tpc("apply", level, "policy.yaml"), 0, "nothing to change\n")
		shop.write("policy.yaml", MAPS.replace("reject", "drop"))
		done = host.tpc("plan", "-v", level, "policy.yaml")
		text = [line.strip()[1:].strip() for line in done.out.splitlines() if line.strip()[:1] in "+-"]
		problems += [f"only its indentation differs, {level}: {line}" for line in set(text) if text.count(line) > 1]
		problems += expect(done, 5, "reject")
	return problems


VPN = """version: 1
sets:
  foreign: [203.0.113.0/24, "2001:db8:113::/48"]
tables:
  vpn: {dev: wg0, fallback: unreachable}
rules:
  - {to: foreign, then: {route: vpn}}
"""


def numbers(host):
	"""What the policy has taken: its first priority, its table, its protocol number, a mark with its mask."""
	policy = host.json("status")["policies"][0]
	way = policy["classes"][0]
	return {"priority": policy["priority"][0], "table": policy["tables"][0], "protocol": policy["protocol"],
		"mark": f"{way['mark']:#x}/{way['mask']:#x}"}


# What somebody does to an applied policy, what status says of it, and what plan does.
STRAY = {
	"-4 rule add fwmark {mark} lookup main priority {priority} protocol {protocol}": ("an IPv4 rule carries the policy's number", "- ip -4 rule del"),
	"-6 rule add fwmark {mark} lookup main priority {priority} protocol {protocol}": ("an IPv6 rule carries the policy's number", "- ip -6 rule del"),
	"-4 route add 1.0.0.0/8 dev wan0 table {table} protocol {protocol}": ("carries the policy's number", "- ip -4 route del 1.0.0.0/8"),
	"-6 route add 2001:db8:1::/48 dev wan0 table {table} protocol {protocol}": ("carries the policy's number", "- ip -6 route del 2001:db8:1::/48"),
	"-4 route replace default dev wan0 table {table} protocol {protocol}": ("has another route to 0.0.0.0/0", "~ ip -4 route replace default dev wg0"),
	"-4 route del default dev wg0 table {table}": ("has no route to 0.0.0.0/0", "+ ip -4 route add default dev wg0"),
}
TOO_MANY = {
	"add chain inet tpc foo": ("holds the chain foo", "- chain foo", "chains: -1", "chains"),
	"add set inet tpc foo { type ipv4_addr; }": ("holds the set foo", "- set foo", "sets: +0 with 0 elements, -1", "sets"),
	"add map inet tpc foo { type ipv4_addr : verdict; }": ("holds the map foo", "- map foo", "sets: +0 with 0 elements, -1", "sets"),
	"add counter inet tpc foo": ("holds the counter foo", "- counter foo", "counters: -1", "counters"),
}


def drifted(host, status, plan, applied):
	"""All three tell of it, and then it is gone."""
	told = host.tpc("status")
	problems = expect(host.tpc("status", "--drift"), 5, status) + expect(told, 5, status)
	problems += expect(host.tpc("plan", "policy.yaml"), 5, plan)
	done = host.tpc("apply", "policy.yaml")
	problems += expect(done, 0, applied)
	return problems + in_order(host, "policy.yaml", "mended")


def stray(command, status, plan):
	@live(f"drift: ip {command}: plan, status and apply agree")
	def _(shop, host):
		uplinks(host)
		shop.write("policy.yaml", VPN)
		problems = expect(host.tpc("apply", "policy.yaml"), 0)
		before = host.state()
		words = command.format(**numbers(host))
		host.must("ip", *words.split())
		problems += drifted(host, status, plan, "applied")
		problems += differs(before, host.state(), "mended by apply:")
		host.must("ip", *words.split())
		line = next(item for item in host.json("status", status=5)["policies"][0]["problems"] if status in item["text"])
		host.must(*line["command"].split())
		return problems + differs(before, host.state(), f"mended by {line['command']}:")


for _command, _words in STRAY.items():
	stray(_command, *_words)


def too_many(command, status, plan, applied, key):
	@live(f"drift: nft {command}: plan and apply name it, and status does")
	def _(shop, host):
		uplinks(host)
		shop.write("policy.yaml", VPN)
		problems = expect(host.tpc("apply", "policy.yaml"), 0)
		before = host.state()
		host.must("nft", command)
		changes = json.loads(host.tpc("plan", "--format", "json", "policy.yaml").out)["changes"]
		if [item["what"] for item in changes] != [plan[2:]]:
			problems.append(f"plan --format json: {changes}")
		problems += expect(host.tpc("apply", "--dry-run", "policy.yaml"), 0, "would change")
		problems += drifted(host, status, plan, applied)
		host.must("nft", command)
		result = host.json("apply", "policy.yaml")
		if result["outcome"] != "applied" or result[key]["removed"] != 1:
			problems.append(f"apply --format json: {result}")
		return problems + differs(before, host.state(), "mended:")


for _command, _words in TOO_MANY.items():
	too_many(_command, *_words)


@live("status NAME --drift of a policy that is not applied: says so, exit 5, as text and as JSON; with none named nothing is said")
def absent(shop, host):
	problems = expect(host.tpc("status", "--drift", "home"), 5, "home: nothing is applied", None)
	problems += expect(host.tpc("status", "--drift", "--format", "json", "home"), 5, '"policies":[]', None)
	problems += expect(host.tpc("status", "home"), 0, "home: nothing is applied", None)
	problems += expect(host.tpc("status", "--drift"), 0, None, None)
	shop.write("policy.yaml", MAPS)
	problems += expect(host.tpc("apply", "policy.yaml"), 0)
	return problems + expect(host.tpc("status", "--drift", "home"), 5, ["home: nothing is applied", "tpc"], None)


if __name__ == "__main__":
	sys.exit(main())
