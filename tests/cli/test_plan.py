#!/usr/bin/python3
"""tpc plan: what it says before an apply is what the apply does, and it changes nothing."""
import json
import re
import sys

from cli import expect, main, needs_the_program_itself
from hosted import differs, live

FIRST = """version: 1
sets:
  foreign: [203.0.113.0/25, 198.51.100.0/24, "2001:db8:113::/48"]
tables:
  vpn: {dev: wg0, fallback: unreachable}
rules:
  - {to: foreign, then: {route: vpn}}
"""


@live("plan: everything is new on a bare host, exit 5; nothing is changed or left; behind an apply nothing is to do, exit 0")
def fresh(shop, host):
	host.link("wg0")
	shop.write("policy.yaml", FIRST)
	before = host.state()
	problems = expect(host.tpc("plan", "policy.yaml"), 5, ["+ set foreign_v4  +2 elements", "+ table inet tpc",
		"+ ip -4 rule add fwmark", "+ ip -6 route add default dev wg0", "net.ipv4.conf.wg0.ignore_routes_with_linkdown: 0 -> 1",
		"net.ipv6.conf.wg0.ignore_routes_with_linkdown: 0 -> 1", "to change: 2, to remove: 0"], None)
	problems += differs(before, host.state(), "the plan:")
	problems += [f"left behind: {path}" for path in (shop.folder / "run").rglob("*")]
	problems += expect(host.tpc("apply", "policy.yaml"), 0)
	return problems + expect(host.tpc("plan", "policy.yaml"), 0, "tpc: nothing to change\n", None)


@live("plan: a set that changes alone: how many elements, and which with -v; the apply then does just that")
def contents(shop, host):
	host.link("wg0")
	shop.write("policy.yaml", FIRST)
	host.tpc("apply", "policy.yaml")
	shop.write("policy.yaml", FIRST.replace("203.0.113.0/25", "203.0.113.0/24, 192.0.2.7"))
	problems = expect(host.tpc("plan", "policy.yaml"), 5, ["~ set foreign_v4  +2  -1 elements  (in place)",
		"to add: 0, to change: 1, to remove: 0"], None)
	done = host.tpc("plan", "-v", "policy.yaml")
	problems += expect(done, 5, ["+ 192.0.2.7\n", "+ 203.0.113.0/24\n", "- 203.0.113.0/25\n"], None)
	if "198.51.100.0" in done.out or "rule" in done.out:
		problems.append(f"it tells of what stays: {done.out}")
	result = host.json("apply", "policy.yaml")
	if (result["sets"]["added"], result["sets"]["taken_out"]) != (2, 1):
		problems.append(f"apply did something else: {result['sets']}")
	return problems


@live("plan: a set that goes, or becomes empty, is counted with all its elements, as text and as JSON")
def emptied(shop, host):
	host.link("wg0")
	shop.write("list.txt", "203.0.113.0/25\n198.51.100.0/24\n2001:db8:113::/48\n")
	policy = FIRST.replace('[203.0.113.0/25, 198.51.100.0/24, "2001:db8:113::/48"]', "{file: list.txt}")
	shop.write("policy.yaml", policy)
	host.tpc("apply", "policy.yaml")
	shop.write("list.txt", "")
	problems = []
	for words in ([], ["-O0"]):
		problems += expect(host.tpc("plan", *words, "policy.yaml"), 5, ["- set foreign_v4  -2 elements",
			"- set foreign_v6  -1 elements"])
	problems += expect(host.tpc("plan", "-v", "policy.yaml"), 5, ["- 203.0.113.0/25\n", "- 2001:db8:113::/48\n"])
	found = json.loads(host.tpc("plan", "-v", "--format", "json", "policy.yaml").out)
	sets = {change["what"]: change for change in found["changes"] if change["kind"] == "set"}
	gone = {what: (change["added"], change.get("removed_elements")) for what, change in sets.items() if "flows" not in what}
	if gone != {"set foreign_v4": (0, ["198.51.100.0/24", "203.0.113.0/25"]),
			"set foreign_v6": (0, ["2001:db8:113::/48"])}:
		problems.append(f"JSON: {sets}")
	shop.write("policy.yaml", FIRST.replace("{to: foreign, then", "{to: 192.0.2.1, then"))
	return problems + expect(host.tpc("plan", "policy.yaml"), 5, ["- set foreign_v4  -2 elements"])


@live("plan: other rules, a table that goes: signs, commands, how the rules differ, as text and as JSON")
def rules(shop, host):
	host.link("wg0")
	shop.write("policy.yaml", FIRST)
	host.tpc("apply", "policy.yaml")
	shop.write("policy.yaml", FIRST.replace("then: {route: vpn}", "then: drop").replace("tables:\n  vpn: {dev: wg0, fallback: unreachable}\n", ""))
	problems = expect(host.tpc("plan", "policy.yaml"), 5, ["~ table inet tpc", "the policy is another one",
		"- ip -4 rule del", "- ip -6 route del default dev wg0"])
	problems += expect(host.tpc("plan", "-v", "policy.yaml"), 5, ["-\t\tip daddr @foreign_v4 goto ",
		"+\t\tip daddr @foreign_v4 drop"])
	problems += expect(host.tpc("plan", "--color", "always", "policy.yaml"), 5, ["\33[33m~ table inet tpc", "\33[31m- ip -4"])
	done = host.tpc("plan", "--format", "json", "policy.yaml")
	if done.status != 5:
		problems.append(f"status {done.status}")
	found = {(item["kind"], item["action"]) for item in json.loads(done.out)["changes"]}
	wanted = {("nft", "change"), ("ip_rule", "remove"), ("route", "remove")}
	if not wanted <= found or any(action == "add" for _, action in found):
		problems.append(f"JSON: {sorted(found)}")
	return problems


@live("plan: a policy that apply would refuse, or that is wrong: the same words and statuses as apply's, and no plan")
def refused(shop, host):
	host.link("wg0")
	shop.write("policy.yaml", FIRST)
	host.must("nft", "add", "table", "inet", "tpc")
	host.must("nft", "add", "chain", "inet", "tpc", "theirs")
	before = host.state()
	problems = expect(host.tpc("plan", "policy.yaml"), 3, None, ["inet tpc", "apply would be refused"])
	shop.write("wrong.yaml", FIRST.replace("route: vpn", "route: vnp"))
	problems += expect(host.tpc("plan", "wrong.yaml"), 1, None, ['did you mean "vpn"?'])
	return problems + differs(before, host.state(), "refused plans:")


@live("plan -v: rules that somebody else has changed are written anew, and are said to be those that were applied")
def foreign(shop, host):
	host.link("wg0")
	shop.write("policy.yaml", FIRST)
	host.tpc("apply", "policy.yaml")
	host.must("nft", "add", "rule", "inet", "tpc", "prerouting", "counter")
	problems = expect(host.tpc("plan", "-v", "policy.yaml"), 5, ["~ table inet tpc", "somebody else has changed what is loaded"], None)
	host.tpc("apply", "policy.yaml")
	shop.write("policy.yaml", FIRST.replace("then: {route: vpn}", "then: drop"))
	done = host.tpc("plan", "-v", "policy.yaml")
	return problems + ([f"said of another policy: {done}"] if "somebody else" in done.out else [])


def same(host, name, words, *options):
	"""Both plan and apply refuse, in these words; the state stays."""
	def state():
		return re.sub(r" expires \w+", "", host.state())
	before = state()
	problems = [problem for verb in ("plan", "apply") for problem in expect(host.tpc(verb, *options, name), 3, None, words)]
	return problems + differs(before, state(), "what was refused:")


@live("plan: while an apply waits for its confirmation it is refused as apply is")
def waiting(shop, host):
	needs_the_program_itself("a watchdog closes files that the other one has open")
	host.link("wg0")
	shop.write("policy.yaml", FIRST)
	problems = expect(host.tpc("apply", "--confirm", "50", "policy.yaml"), 0)
	shop.write("policy.yaml", FIRST.replace("then: {route: vpn}", "then: drop"))
	problems += same(host, "policy.yaml", ["the last apply of tpc waits for its confirmation", "`tpc confirm tpc`"])
	return problems + expect(host.tpc("rollback"), 0)


FILLED = """version: 1
sets:
  d: {dynamic: true, timeout: 1h, size: 100, elements: [203.0.113.1, 203.0.113.4, 203.0.113.7]}
rules:
  - {to: d, then: drop}
"""


@live("plan: a set filled at run time that is to hold less than it does is refused, at its line; so by apply")
def too_small(shop, host):
	shop.write("policy.yaml", FILLED)
	problems = expect(host.tpc("apply", "policy.yaml"), 0)
	host.must("nft", "add", "element", "inet", "tpc", "d_v4", "{ 198.51.100.1, 198.51.100.3 }")
	shop.write("policy.yaml", FILLED.replace("size: 100", "size: 4"))
	problems += same(host, "policy.yaml", ["policy.yaml:3:3: error: the set d_v4 cannot be filled: it holds more than the `size`"])
	shop.write("policy.yaml", FILLED.replace("size: 100", "size: 5"))
	problems += expect(host.tpc("plan", "policy.yaml"), 5, ["~ set d_v4  (made anew with what it holds: its `size` changes: 100 -> 5)\n"])
	return problems + expect(host.tpc("apply", "policy.yaml"), 0)


@live("plan: a set filled at run time whose timeout alone changes: why, and no elements but those that it lacks")
def carried(shop, host):
	shop.write("policy.yaml", FILLED)
	problems = expect(host.tpc("apply", "policy.yaml"), 0)
	shop.write("policy.yaml", FILLED.replace("1h", "2h"))
	problems += expect(host.tpc("plan", "policy.yaml"), 5,
		["~ set d_v4  (made anew with what it holds: its `timeout` changes: 3600 s -> 7200 s)\n"])
	shop.write("policy.yaml", FILLED.replace("1h", "2h").replace("113.7", "113.7, 203.0.113.9"))
	return problems + expect(host.tpc("plan", "-v", "policy.yaml"), 5, ["~ set d_v4  +1 elements  (made anew", "+ 203.0.113.9\n"])


@live("plan: a set that somebody has taken elements from: that, and how many it is filled with")
def damaged(shop, host):
	host.link("wg0")
	shop.write("policy.yaml", FIRST)
	problems = expect(host.tpc("apply", "policy.yaml"), 0)
	host.must("nft", "flush", "set", "inet", "tpc", "foreign_v4")
	return problems + expect(host.tpc("plan", "policy.yaml"), 5,
		["~ set foreign_v4  (somebody else has changed it: filled anew with its 2 elements, with the rules)"])


FAULTS = {
	"via: 172.31.0.1": ["ip -4 route add default via 172.31.0.1", "the gateway, 172.31.0.1, is on no network of wg0"],
	'via: "2001:db8:77::1"': ["ip -6 route add default via 2001:db8:77::1", "the gateway, 2001:db8:77::1, is on no network of wg0"],
	"src: 10.9.9.9": ["ip -4 route add default dev wg0", "`src`, 10.9.9.9, is no address of this host"],
	'src: "2001:db8:77::1"': ["ip -6 route", "`src`, 2001:db8:77::1, is no address of this host"],
}


@live("plan: routes that the kernel will refuse are told with what to look at, as apply tells them, and are no change for ever")
def ways(shop, host):
	host.link("wg0")
	host.must("ip", "address", "add", "2001:db8:2::2/64", "dev", "wg0", "nodad")
	problems = []
	for what, words in FAULTS.items():
		shop.write("policy.yaml", FIRST.replace("dev: wg0", f"dev: wg0, {what}"))
		plan = host.tpc("plan", "policy.yaml")
		problems += expect(plan, 5, (), ["policy.yaml:5:3: warning: the kernel would refuse", *words])
		problems += expect(host.tpc("apply", "policy.yaml"), 0, "applied", ["policy.yaml:5:3: warning: the kernel refuses", *words])
		problems += expect(host.tpc("plan", "policy.yaml"), 0, "nothing to change", words)
		problems += expect(host.tpc("remove"), 0)
	for what in "via: 192.0.2.1", 'via: "2001:db8:2::1"', "via: 172.31.0.1, onlink: true", "src: 192.0.2.2", 'via: "fe80::1"':
		shop.write("policy.yaml", FIRST.replace("dev: wg0", f"dev: wg0, {what}"))
		for verb, status in ("plan", 5), ("apply", 0), ("plan", 0):
			done = host.tpc(verb, "policy.yaml")
			problems += expect(done, status) + ([f"{what}: {done}"] if "refuse" in done.err else [])
	host.tpc("remove")
	for what in "", ", via: 172.31.0.1":  # a gateway that the table itself leads to
		shop.write("policy.yaml", FIRST.replace("dev: wg0", f"dev: wg0{what}"))
		for verb, status in ("plan", 5), ("apply", 0), ("plan", 0):
			done = host.tpc(verb, "policy.yaml")
			problems += expect(done, status) + ([f"{what}: {done}"] if "refuse" in done.err else [])
	return problems


@live("plan: a link that is down is told of, as by apply; its routes are no change until it is up")
def down(shop, host):
	host.link("wg0")
	host.must("ip", "link", "set", "wg0", "down")
	shop.write("policy.yaml", FIRST)
	words = ["policy.yaml:5:3: warning: the interface wg0 is down", "apply again when it is up"]
	problems = []
	for verb, status in ("plan", 5), ("apply", 0), ("plan", 0), ("apply", 0):
		problems += expect(host.tpc(verb, "policy.yaml"), status, (), words)
	host.must("ip", "link", "set", "wg0", "up")
	problems += expect(host.tpc("plan", "policy.yaml"), 5, "+ ip -4 route add default dev wg0", None)
	problems += expect(host.tpc("apply", "policy.yaml"), 0, "routes: +2", None)
	return problems + expect(host.tpc("plan", "policy.yaml"), 0, "nothing to change", None)


if __name__ == "__main__":
	sys.exit(main())
