"""tpc plan: what it says before an apply is what the apply does, and it changes nothing."""
import json
import re

from cli import differs, expect, needs_the_program_itself

FIRST = """version: 1
sets:
  foreign: [203.0.113.0/25, 198.51.100.0/24, "2001:db8:113::/48"]
tables:
  vpn: {dev: wg0, fallback: unreachable}
rules:
  - {to: foreign, then: {route: vpn}}
"""


def test_fresh(shop, host):
	"""plan: everything is new on an empty host, exit 5; plan changes nothing; after an apply nothing is to do, exit 0"""
	host.link("wg0")
	shop.write("policy.yaml", FIRST)
	before = host.state()
	expect(host.tpc("plan", "policy.yaml"), 5, ["+ set foreign_v4  +2 elements", "+ table inet tpc",
		"+ ip -4 rule add fwmark", "+ ip -6 route add default dev wg0", "net.ipv4.conf.wg0.ignore_routes_with_linkdown: 0 -> 1",
		"net.ipv6.conf.wg0.ignore_routes_with_linkdown: 0 -> 1", "to change: 2, to remove: 0"], None)
	differs(before, host.state(), "the plan:")
	assert not [f"left behind: {path}" for path in (shop.folder / "run").rglob("*")]
	expect(host.tpc("apply", "policy.yaml"), 0)
	expect(host.tpc("plan", "policy.yaml"), 0, "tpc: nothing to change\n", None)


def test_contents(shop, host):
	"""plan: a change of one set: the number of elements, -v lists them; the apply does just that"""
	host.link("wg0")
	shop.write("policy.yaml", FIRST)
	host.tpc("apply", "policy.yaml")
	shop.write("policy.yaml", FIRST.replace("203.0.113.0/25", "203.0.113.0/24, 192.0.2.7"))
	expect(host.tpc("plan", "policy.yaml"), 5, ["~ set foreign_v4  +2  -1 elements  (in place)",
		"to add: 0, to change: 1, to remove: 0"], None)
	done = host.tpc("plan", "-v", "policy.yaml")
	expect(done, 5, ["+ 192.0.2.7\n", "+ 203.0.113.0/24\n", "- 203.0.113.0/25\n"], None)
	assert "198.51.100.0" not in done.stdout and "rule" not in done.stdout, f"it tells of what stays: {done.stdout}"
	result = host.json("apply", "policy.yaml")
	assert (result["sets"]["added"], result["sets"]["taken_out"]) == (2, 1), f"apply did something else: {result['sets']}"


def test_emptied(shop, host):
	"""plan: a removed or emptied set is counted with all its elements, as text and JSON"""
	host.link("wg0")
	shop.write("list.txt", "203.0.113.0/25\n198.51.100.0/24\n2001:db8:113::/48\n")
	policy = FIRST.replace('[203.0.113.0/25, 198.51.100.0/24, "2001:db8:113::/48"]', "{file: list.txt}")
	shop.write("policy.yaml", policy)
	host.tpc("apply", "policy.yaml")
	shop.write("list.txt", "")
	for words in ([], ["-O0"]):
		expect(host.tpc("plan", *words, "policy.yaml"), 5, ["- set foreign_v4  -2 elements",
			"- set foreign_v6  -1 elements"])
	expect(host.tpc("plan", "-v", "policy.yaml"), 5, ["- 203.0.113.0/25\n", "- 2001:db8:113::/48\n"])
	found = json.loads(host.tpc("plan", "-v", "--format", "json", "policy.yaml").stdout)
	sets = {change["what"]: change for change in found["changes"] if change["kind"] == "set"}
	gone = {what: (change["added"], change.get("removed_elements")) for what, change in sets.items() if "flows" not in what}
	assert gone == {"set foreign_v4": (0, ["198.51.100.0/24", "203.0.113.0/25"]),
			"set foreign_v6": (0, ["2001:db8:113::/48"])}, f"JSON: {sets}"
	shop.write("policy.yaml", FIRST.replace("{to: foreign, then", "{to: 192.0.2.1, then"))
	expect(host.tpc("plan", "policy.yaml"), 5, ["- set foreign_v4  -2 elements"])


def test_rules(shop, host):
	"""plan: changed rules, a removed table: signs, commands, a diff of the rules, as text and JSON"""
	host.link("wg0")
	shop.write("policy.yaml", FIRST)
	host.tpc("apply", "policy.yaml")
	shop.write("policy.yaml", FIRST.replace("then: {route: vpn}", "then: drop").replace("tables:\n  vpn: {dev: wg0, fallback: unreachable}\n", ""))
	expect(host.tpc("plan", "policy.yaml"), 5, ["~ table inet tpc", "another policy is loaded",
		"- ip -4 rule del", "- ip -6 route del default dev wg0"])
	expect(host.tpc("plan", "-v", "policy.yaml"), 5, ["-\t\tip daddr @foreign_v4 goto ",
		"+\t\tip daddr @foreign_v4 drop"])
	expect(host.tpc("plan", "--color", "always", "policy.yaml"), 5, ["\33[33m~ table inet tpc", "\33[31m- ip -4"])
	done = host.tpc("plan", "--format", "json", "policy.yaml")
	assert done.returncode == 5, f"status {done.returncode}"
	found = {(item["kind"], item["action"]) for item in json.loads(done.stdout)["changes"]}
	wanted = {("nft", "change"), ("ip_rule", "remove"), ("route", "remove")}
	assert wanted <= found and not any(action == "add" for _, action in found), f"JSON: {sorted(found)}"


BEFORE = """version: 1
sets:
  foreign: [203.0.113.0/25, 198.51.100.0/24]
  late: {dynamic: true, size: 100, elements: [203.0.113.1]}
tables:
  vpn: {dev: wg0, fallback: unreachable, id: 7100, mark: 0x77}
rules:
  - {to: foreign, then: {route: vpn}}
  - {to: late, name: dropped, count: true, then: drop}
"""
AFTER = BEFORE.replace("vpn", "other").replace("wg0", "wg1").replace("198.51.100.0/24", "192.0.2.0/24") \
	.replace("size: 100", "size: 50").replace(", name: dropped, count: true", "")


def test_same_ops(shop, host):
	"""apply --dry-run: the same ops as apply, in the same order, fences and stand-ins too, and the same counts"""
	host.link("wg0")
	host.link("wg1")
	shop.write("policy.yaml", BEFORE)
	host.tpc("apply", "policy.yaml")
	shop.write("policy.yaml", AFTER)
	would = host.json("apply", "--dry-run", "policy.yaml")
	did = host.json("apply", "policy.yaml")
	steps = [step.replace(" (is ", " (was ") for step in would["steps"]]
	assert steps == did["steps"]
	for part in "blackhole", "set late_v4: re-created", "set foreign_v4: removed", "counter rule_dropped: removed", "table inet tpc":
		assert any(part in step for step in steps), f"no op says {part}: {steps}"
	for name in "sysctls", "routes", "ip_rules", "sets", "chains", "counters", "nft_rules":
		assert would[name] == did[name], name


def test_refused(shop, host):
	"""plan: a refused or wrong policy has the same messages and statuses as with apply, and no plan"""
	host.link("wg0")
	shop.write("policy.yaml", FIRST)
	host.run("nft", "add", "table", "inet", "tpc")
	host.run("nft", "add", "chain", "inet", "tpc", "theirs")
	before = host.state()
	expect(host.tpc("plan", "policy.yaml"), 3, None, ["inet tpc", "apply would be refused"])
	shop.write("wrong.yaml", FIRST.replace("route: vpn", "route: vnp"))
	expect(host.tpc("plan", "wrong.yaml"), 1, None, ['did you mean "vpn"?'])
	differs(before, host.state(), "refused plans:")


def test_foreign(shop, host):
	"""plan -v: rules that were changed by hand are rewritten, with the applied text"""
	host.link("wg0")
	shop.write("policy.yaml", FIRST)
	host.tpc("apply", "policy.yaml")
	host.run("nft", "add", "rule", "inet", "tpc", "prerouting", "counter")
	expect(host.tpc("plan", "-v", "policy.yaml"), 5, ["~ table inet tpc", "the loaded ones were changed by hand"], None)
	host.tpc("apply", "policy.yaml")
	shop.write("policy.yaml", FIRST.replace("then: {route: vpn}", "then: drop"))
	done = host.tpc("plan", "-v", "policy.yaml")
	assert "changed from outside" not in done.stdout, f"said of another policy: {done}"


def same(host, name, words, *options):
	"""Both plan and apply refuse, in these words; the state stays."""
	def state():
		return re.sub(r" expires \w+", "", host.state())
	before = state()
	for verb in ("plan", "apply"):
		expect(host.tpc(verb, *options, name), 3, None, words)
	differs(before, state(), "what was refused:")


def test_waiting(shop, host):
	"""plan: refused like apply while a confirmation is pending"""
	needs_the_program_itself(shop, "a watchdog closes files that the other one has open")
	host.link("wg0")
	shop.write("policy.yaml", FIRST)
	expect(host.tpc("apply", "--confirm", "50", "policy.yaml"), 0)
	shop.write("policy.yaml", FIRST.replace("then: {route: vpn}", "then: drop"))
	same(host, "policy.yaml", ["the last apply of tpc waits for its confirmation", "`tpc confirm tpc`"])
	expect(host.tpc("rollback"), 0)


FILLED = """version: 1
sets:
  d: {dynamic: true, timeout: 1h, size: 100, elements: [203.0.113.1, 203.0.113.4, 203.0.113.7]}
rules:
  - {to: d, then: drop}
"""


def test_too_small(shop, host):
	"""plan and apply: a dynamic set with more elements than its new size is refused, at its line"""
	shop.write("policy.yaml", FILLED)
	expect(host.tpc("apply", "policy.yaml"), 0)
	host.run("nft", "add", "element", "inet", "tpc", "d_v4", "{ 198.51.100.1, 198.51.100.3 }")
	shop.write("policy.yaml", FILLED.replace("size: 100", "size: 4"))
	same(host, "policy.yaml", ["policy.yaml:3:3: error: the set d_v4 cannot be filled: it holds more elements than its new `size`"])
	shop.write("policy.yaml", FILLED.replace("size: 100", "size: 5"))
	expect(host.tpc("plan", "policy.yaml"), 5, ["~ set d_v4  (re-created with its elements: its `size` changes: 100 -> 5)\n"])
	expect(host.tpc("apply", "policy.yaml"), 0)


def test_carried(shop, host):
	"""plan: a dynamic set whose timeout changes: the reason, and only missing elements"""
	shop.write("policy.yaml", FILLED)
	expect(host.tpc("apply", "policy.yaml"), 0)
	shop.write("policy.yaml", FILLED.replace("1h", "2h"))
	expect(host.tpc("plan", "policy.yaml"), 5,
		["~ set d_v4  (re-created with its elements: its `timeout` changes: 3600 s -> 7200 s)\n"])
	shop.write("policy.yaml", FILLED.replace("1h", "2h").replace("113.7", "113.7, 203.0.113.9"))
	expect(host.tpc("plan", "-v", "policy.yaml"), 5, ["~ set d_v4  +1 elements  (re-created", "+ 203.0.113.9\n"])


def test_damaged(shop, host):
	"""plan: a set with elements removed by hand: the reason, and the number of elements to add"""
	host.link("wg0")
	shop.write("policy.yaml", FIRST)
	expect(host.tpc("apply", "policy.yaml"), 0)
	host.run("nft", "flush", "set", "inet", "tpc", "foreign_v4")
	expect(host.tpc("plan", "policy.yaml"), 5,
		["~ set foreign_v4  (changed from outside: refilled with its 2 elements, together with the rules)"])


FAULTS = {
	"via: 172.31.0.1": ["ip -4 route add default via 172.31.0.1", "the gateway, 172.31.0.1, is on no network of wg0"],
	'via: "2001:db8:77::1"': ["ip -6 route add default via 2001:db8:77::1", "the gateway, 2001:db8:77::1, is on no network of wg0"],
	"src: 10.9.9.9": ["ip -4 route add default dev wg0", "`src`, 10.9.9.9, is no address of this host"],
	'src: "2001:db8:77::1"': ["ip -6 route", "`src`, 2001:db8:77::1, is no address of this host"],
}


def test_ways(shop, host):
	"""plan: routes that the kernel will refuse are warnings, the same as apply's, and never a change"""
	host.link("wg0")
	host.run("ip", "address", "add", "2001:db8:2::2/64", "dev", "wg0", "nodad")
	for what, words in FAULTS.items():
		shop.write("policy.yaml", FIRST.replace("dev: wg0", f"dev: wg0, {what}"))
		plan = host.tpc("plan", "policy.yaml")
		expect(plan, 5, (), ["policy.yaml:5:3: warning: the kernel would refuse", *words])
		expect(host.tpc("apply", "policy.yaml"), 0, "applied", ["policy.yaml:5:3: warning: the kernel refuses", *words])
		expect(host.tpc("plan", "policy.yaml"), 0, "nothing to change", words)
		expect(host.tpc("remove"), 0)
	for what in "via: 192.0.2.1", 'via: "2001:db8:2::1"', "via: 172.31.0.1, onlink: true", "src: 192.0.2.2", 'via: "fe80::1"':
		shop.write("policy.yaml", FIRST.replace("dev: wg0", f"dev: wg0, {what}"))
		for verb, status in ("plan", 5), ("apply", 0), ("plan", 0):
			done = host.tpc(verb, "policy.yaml")
			expect(done, status)
			assert "refuse" not in done.stderr, f"{what}: {done}"
	host.tpc("remove")
	for what in "", ", via: 172.31.0.1":  # a gateway that the table itself leads to
		shop.write("policy.yaml", FIRST.replace("dev: wg0", f"dev: wg0{what}"))
		for verb, status in ("plan", 5), ("apply", 0), ("plan", 0):
			done = host.tpc(verb, "policy.yaml")
			expect(done, status)
			assert "refuse" not in done.stderr, f"{what}: {done}"


def test_down(shop, host):
	"""plan: a link that is down is a warning, the same as apply's; its routes are no change until it is up"""
	host.link("wg0")
	host.run("ip", "link", "set", "wg0", "down")
	shop.write("policy.yaml", FIRST)
	words = ["policy.yaml:5:3: warning: the interface wg0 is down", "apply again when it is up"]
	for verb, status in ("plan", 5), ("apply", 0), ("plan", 0), ("apply", 0):
		expect(host.tpc(verb, "policy.yaml"), status, (), words)
	host.run("ip", "link", "set", "wg0", "up")
	expect(host.tpc("plan", "policy.yaml"), 5, "+ ip -4 route add default dev wg0", None)
	expect(host.tpc("apply", "policy.yaml"), 0, "routes: +2", None)
	expect(host.tpc("plan", "policy.yaml"), 0, "nothing to change", None)
