#!/usr/bin/python3
"""tpc plan: what it says before an apply is what the apply does, and it changes nothing."""
import json
import sys

from cli import expect, main
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
		"+ ip -4 rule add fwmark", "+ ip -6 route add default dev wg0", "to change: 0, to remove: 0"], None)
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


if __name__ == "__main__":
	sys.exit(main())
