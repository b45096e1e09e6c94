"""tpc status --drift: silent where all is as apply left it, and says what is not. What plan would do is drift,
and apply mends it."""
import json
import os
import re

import pytest

from cli import ROOT, differs, expect

# Not under the sanitizers: what the shell makes of a file that tpc has written, and much of the same.
SAN = False

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
		host.run("ip", "link", "add", name, "type", "veth", "peer", "name", f"far-{name}")
		for end in name, f"far-{name}":
			host.run("ip", "link", "set", end, "addrgenmode", "none")
		host.run("ip", "link", "set", f"far-{name}", "up")
		host.run("ip", "link", "set", name, "up")
		for address in addresses:
			host.run("ip", "address", "add", address, "dev", name, *["nodad"] * (":" in address))


def in_order(host, policy, when):
	"""Nothing is to be said, nothing to be done, and nothing is."""
	expect(host.tpc("status", "--drift"), 0, None, None)
	expect(host.tpc("plan", policy), 0, "nothing to change\n")
	before = host.state()
	expect(host.tpc("apply", policy), 0, "nothing to change\n")
	differs(before, host.state(), f"{when}: a second apply:")


def there_and_back(host, path, text):
	"""Applied, changed, rolled back, confirmed: nothing of it is drift."""
	path.write_text(text, encoding="utf-8")
	expect(host.tpc("apply", path.name), 0)
	expect(host.tpc("status", "--drift"), 0, None, None)
	in_order(host, path.name, "applied")
	path.write_text(text.replace("rules:\n", MORE, 1), encoding="utf-8")
	expect(host.tpc("apply", "--confirm", "60", path.name), 0)
	expect(host.tpc("status", "--drift"), 0, None, None)
	expect(host.tpc("confirm"), 0)
	in_order(host, path.name, "changed")
	expect(host.tpc("rollback"), 0)
	expect(host.tpc("status", "--drift"), 0, None, None)
	path.write_text(text, encoding="utf-8")
	in_order(host, path.name, "rolled back")


@pytest.mark.parametrize("path", EXAMPLES)
def test_example(shop, host, path):
	"""no drift: {path}: applied, changed with --confirm, rolled back; apply again changes nothing"""
	uplinks(host)
	for other in path.parent.iterdir():
		shop.write(other.name, other.read_text(encoding="utf-8"))
	there_and_back(host, shop.folder / "policy.yaml", path.read_text(encoding="utf-8"))


def test_maps(shop, host):
	"""no drift: nft rules of several lines, at every -O; plan -v shows only the change"""
	for level in "-O0", "-O1":
		shop.write("policy.yaml", MAPS)
		expect(host.tpc("apply", level, "policy.yaml"), 0)
		expect(host.tpc("status", "--drift"), 0, None, None)
		expect(host.tpc("apply", level, "policy.yaml"), 0, "nothing to change\n")
		shop.write("policy.yaml", MAPS.replace("reject", "drop"))
		done = host.tpc("plan", "-v", level, "policy.yaml")
		text = [line.strip()[1:].strip() for line in done.stdout.splitlines() if line.strip()[:1] in "+-"]
		assert not [f"only its indentation differs, {level}: {line}" for line in set(text) if text.count(line) > 1]
		expect(done, 5, "reject")


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
	return {"priority": policy["priority"][0], "table": way["table"], "protocol": policy["protocol"],
		"mark": f"{way['mark']:#x}/{way['mask']:#x}"}


# Changes by hand of an applied policy, what status says of them, and what plan does.
STRAY = {
	"-4 rule add fwmark {mark} lookup main priority {priority} protocol {protocol}": ("an IPv4 rule has the policy's protocol number", "- ip -4 rule del"),
	"-6 rule add fwmark {mark} lookup main priority {priority} protocol {protocol}": ("an IPv6 rule has the policy's protocol number", "- ip -6 rule del"),
	"-4 route add 1.0.0.0/8 dev wan0 table {table} protocol {protocol}": ("has the policy's protocol number", "- ip -4 route del 1.0.0.0/8"),
	"-6 route add 2001:db8:1::/48 dev wan0 table {table} protocol {protocol}": ("has the policy's protocol number", "- ip -6 route del 2001:db8:1::/48"),
	"-4 route replace default dev wan0 table {table} protocol {protocol}": ("has another route than `default dev wg0`", "~ ip -4 route replace default dev wg0"),
	"-4 route del default dev wg0 table {table}": ("lacks the route `default dev wg0`", "+ ip -4 route add default dev wg0"),
}
TOO_MANY = {
	"add chain inet tpc foo": ("holds the chain foo", "- chain foo", "chains: -1", "chains"),
	"add set inet tpc foo { type ipv4_addr; }": ("holds the set foo", "- set foo", "sets: +0 with 0 elements, -1", "sets"),
	"add map inet tpc foo { type ipv4_addr : verdict; }": ("holds the map foo", "- map foo", "sets: +0 with 0 elements, -1", "sets"),
	"add counter inet tpc foo": ("holds the counter foo", "- counter foo", "counters: -1", "counters"),
}


def drifted(host, status, plan, applied):
	"""All three report it, and then it is gone."""
	shown = host.tpc("status")
	expect(host.tpc("status", "--drift"), 5, status)
	expect(shown, 5, status)
	expect(host.tpc("plan", "policy.yaml"), 5, plan)
	done = host.tpc("apply", "policy.yaml")
	expect(done, 0, applied)
	in_order(host, "policy.yaml", "mended")


@pytest.mark.parametrize("command, words", STRAY.items())
def test_stray(shop, host, command, words):
	"""drift: ip {command}: plan, status and apply agree"""
	uplinks(host)
	shop.write("policy.yaml", VPN)
	expect(host.tpc("apply", "policy.yaml"), 0)
	before = host.state()
	status, plan = words
	call = command.format(**numbers(host)).split()
	host.run("ip", *call)
	drifted(host, status, plan, "applied")
	differs(before, host.state(), "mended by apply:")
	host.run("ip", *call)
	line = next(item for item in host.json("status", status=5)["policies"][0]["problems"] if status in item["message"])
	host.run(*line["command"].split())
	differs(before, host.state(), f"mended by {line['command']}:")


@pytest.mark.parametrize("command, words", TOO_MANY.items())
def test_too_many(shop, host, command, words):
	"""drift: nft {command}: plan, apply and status report it"""
	status, plan, applied, key = words
	uplinks(host)
	shop.write("policy.yaml", VPN)
	expect(host.tpc("apply", "policy.yaml"), 0)
	before = host.state()
	host.run("nft", command)
	changes = json.loads(host.tpc("plan", "--format", "json", "policy.yaml").stdout)["changes"]
	assert [item["what"] for item in changes] == [plan[2:]], f"plan --format json: {changes}"
	expect(host.tpc("apply", "--dry-run", "policy.yaml"), 0, "would change")
	drifted(host, status, plan, applied)
	host.run("nft", command)
	result = host.json("apply", "policy.yaml")
	assert result["outcome"] == "applied" and result[key]["removed"] == 1, f"apply --format json: {result}"
	differs(before, host.state(), "mended:")


# Sets of one and of several elements, at the lowest and the highest value too, and a map at -O1.
HELD = """version: 1
sets:
  one: [203.0.113.0/24]
  some: [0.0.0.0/8, 198.51.100.7, 192.0.2.0/24, 250.0.0.0/8]
  last: [240.0.0.0/4]
  sixes: ["2001:db8:113::/48", "::/128"]
rules:
  - {to: one, then: drop}
  - {to: some, proto: tcp, then: drop}
  - {to: last, proto: udp, then: drop}
  - {from: sixes, then: reject}
  - {to: 203.0.114.0/24, proto: tcp, port: 25, then: reject}
  - {to: 203.0.115.0/24, proto: tcp, port: 26, then: drop}
"""


def handle(host, which):
	"""A chain's rule, the first or the last."""
	lines = [line for line in host.run("nft", "-a", "list", "chain", "inet", "tpc", "prerouting").stdout.splitlines() if "# handle" in line]
	return re.search(r"# handle (\d+)", lines[1:][which]).group(1)


def edited(host):
	"""Changes of the table that keep the number of rules; each is a command, by name."""
	def replace(which):
		return ["nft", "replace", "rule", "inet", "tpc", "prerouting", "handle", handle(host, which), "iifname", "lo", "drop"]
	return {
		"the first rule of a chain replaced": lambda: replace(0),
		"the last rule of a chain replaced": lambda: replace(-1),
		"a chain's policy": lambda: ["nft", "chain inet tpc prerouting { policy drop; }"],
	}


def elements(host, level):
	"""The same of sets, on a kernel that says how many elements they hold: one by one at -O0, in a map at -O1."""
	def element(verb, base, text):
		name = re.search(r"(?:set|map) (%s[^ ]*) {" % base, host.run("nft", "list", "table", "inet", "tpc").stdout).group(1)
		return ["nft", f"{verb} element inet tpc {name} {{ {text} }}"]

	def of_map(text):
		found = re.search(r"map (\S+) {.*?jump (\S+\.list\d+)", host.run("nft", "list", "table", "inet", "tpc").stdout, re.S)
		return ["nft", f"delete element inet tpc {found.group(1)} {{ {text} : jump {found.group(2)} }}"]

	six = {"an IPv6 element added": lambda: element("add", "sixes", "2001:db8:114::/48"),
		"an IPv6 element gone": lambda: element("delete", "sixes", "2001:db8:113::/48")}
	if level == "-O1":
		return {**six, "the lowest of a map gone": lambda: of_map("0.0.0.0/8"), "another of a map gone": lambda: of_map("198.51.100.7")}
	return {
		**six,
		"an element beside the only one": lambda: element("add", "one", "198.18.0.0/15"),
		"two elements beside the only one": lambda: element("add", "one", "198.18.0.0/15, 192.0.2.0/24"),
		"the only element gone": lambda: element("delete", "one", "203.0.113.0/24"),
		"an element beside the highest": lambda: element("add", "last", "198.18.0.0/15"),
		"an element beside several": lambda: element("add", "some", "198.18.0.0/15"),
		"an element of several gone": lambda: element("delete", "some", "198.51.100.7"),
		"the lowest of several gone": lambda: element("delete", "some", "0.0.0.0/8"),
	}


def mended_each(host, edits, level):
	for name, command in edits.items():
		before = host.state()
		host.run(*command())
		expect(host.tpc("status", "--drift"), 5, "is not as it was applied")
		expect(host.tpc("plan", level, "policy.yaml"), 5, "~ table inet tpc")
		expect(host.tpc("apply", level, "policy.yaml"), 0, "applied")
		expect(host.tpc("status", "--drift"), 0, None, None)
		expect(host.tpc("apply", level, "policy.yaml"), 0, "nothing to change\n")
		after = host.state()
		for text in before, after:
			assert text.count("\n") >= 10, "there is nothing to compare"
		differs(plain(before), plain(after), "mended:")


def plain(text):
	"""Without the names of the day that sets have."""
	return re.sub(r"\b([a-z]\w*)\.\d+", r"\1", text)


def test_replaced(shop, host):
	"""drift: a replaced rule, a chain's policy: status reports it, apply fixes it, after every kind of apply"""
	for level in "-O0", "-O1":
		shop.write("policy.yaml", HELD)
		expect(host.tpc("apply", level, "policy.yaml"), 0)
		mended_each(host, edited(host), level)
		shop.write("policy.yaml", HELD.replace("203.0.113.0/24", "203.0.113.0/25"))
		expect(host.tpc("apply", level, "policy.yaml"), 0, "in place" if level == "-O0" else "applied")
		mended_each(host, edited(host), level)
		expect(host.tpc("rollback"), 0)
		shop.write("policy.yaml", HELD)
		mended_each(host, edited(host), level)
		expect(host.tpc("remove"), 0)


def test_hand_made(shop, host):
	"""drift: an element added or deleted by hand: status reports it, apply fixes it"""
	if tuple(int(part) for part in os.uname().release.split(".")[:2]) < (6, 16):
		pytest.skip("this kernel does not say how many elements a set has")
	for level in "-O0", "-O1":
		shop.write("policy.yaml", HELD)
		expect(host.tpc("apply", level, "policy.yaml"), 0)
		mended_each(host, elements(host, level), level)
		expect(host.tpc("remove"), 0)


def test_by_hand(shop, host):
	"""no drift: policy.nft loaded by hand over an apply, twice, and into a re-created table; a replaced rule is still seen"""
	for level in "-O0", "-O1":
		shop.write("policy.yaml", HELD)
		expect(shop.tpc("compile", level, "policy.yaml", "-o", "out"), 0)
		expect(host.tpc("apply", level, "policy.yaml"), 0)
		mended_each(host, {"the first rule": edited(host)["the first rule of a chain replaced"]}, level)
		for step in (), (), ("nft", "delete", "table", "inet", "tpc"), ():
			if step:
				host.run(*step)
			host.run("nft", "-f", "out/policy.nft")
			expect(host.tpc("status", "--drift"), 0, None, None)
			expect(host.tpc("plan", level, "policy.yaml"), 0, "nothing to change")
		host.run("nft", "delete", "rule", "inet", "tpc", "prerouting", "handle", handle(host, 0))
		host.run("nft", "insert", "rule", "inet", "tpc", "prerouting", "iifname", "lo", "drop")
		expect(host.tpc("status", "--drift"), 5, "is not as it was applied")
		expect(host.tpc("apply", level, "policy.yaml"), 0, "a rule of the chain prerouting was replaced")
		expect(host.tpc("status", "--drift"), 0, None, None)
		expect(host.tpc("remove"), 0)


def test_absent(shop, host):
	"""status NAME --drift of a policy that is not applied: reported, exit 5, as text and JSON; without a name no output"""
	expect(host.tpc("status", "--drift", "home"), 5, "home: nothing is applied", None)
	expect(host.tpc("status", "--drift", "--format", "json", "home"), 5, '"policies":[]', None)
	expect(host.tpc("status", "home"), 0, "home: nothing is applied", None)
	expect(host.tpc("status", "--drift"), 0, None, None)
	shop.write("policy.yaml", MAPS)
	expect(host.tpc("apply", "policy.yaml"), 0)
	expect(host.tpc("status", "--drift", "home"), 5, ["home: nothing is applied", "tpc"], None)
