"""tpc apply, remove and status on a host of their own: what they change, leave alone, and say."""
import fcntl
import json
import os
import re
import subprocess
import threading
import time

import snapshots
import pytest

from cli import differs, expect
import etc_files

SEED = """version: 1
sets:
  foreign: [203.0.113.0/24, 198.51.100.7, "2001:db8:113::/48"]
listeners:
  proxy: {tproxy: 12345, mark: 100, table: 100}
rules:
  - {to: foreign, proto: tcp, then: {proxy: proxy}}
"""
VPN = """version: 1
tables:
  vpn: {dev: wg0, fallback: unreachable, masquerade: true}
rules:
  - {to: 203.0.113.0/24, then: {route: vpn}}
"""
# The same with numbers that are given.
NUMBERED = VPN.replace("{dev: wg0,", "{dev: wg0, id: 7100, mark: {value: 0x1000000, mask: 0x7f000000},")
TWO = """version: 1
sets:
  near: [198.51.100.0/24]
  far: [203.0.113.0/24]
listeners:
  one: {tproxy: 12345}
tables:
  vpn: {dev: wg0, fallback: unreachable}
rules:
  - {to: far, port: 443, then: {proxy: one}}
  - {to: far, count: true, name: rest, then: {route: vpn}}
  - {to: near, then: {route: vpn}}
"""


def changes(result):
	"""The counts of an apply as one tuple: sysctls, routes +-, ip rules +-, sets +-, nft rules."""
	return (result["sysctls"], result["routes"]["added"], result["routes"]["removed"],
		result["ip_rules"]["added"], result["ip_rules"]["removed"], result["sets"]["filled"],
		result["sets"]["removed"], result["nft_rules"] > 0)


def test_round_trip(shop, host):
	"""apply, then remove: the host is as before; changes are reported"""
	shop.write("policy.yaml", SEED)
	before = host.state()
	expect(host.tpc("apply", "policy.yaml"), 0, ["tpc: applied", "sets: +4 with 3 elements", "ip rules: +4 -0",
		"routes: +2 -0"], None)
	during = host.state()
	for line in ("fwmark 0x64 lookup 100 proto 116", "fwmark 0x64 unreachable proto 116", "local default dev lo table 100",
			"tproxy ip to 127.0.0.1:12345", "203.0.113.0/24"):
		assert line in during, f"after apply there is no {line!r}"
	expect(host.tpc("remove"), 0, "tpc: removed", None)
	differs(before, host.state(), "after remove:")
	left = [str(path) for path in (shop.folder / "run").rglob("*")]
	assert not [f"left behind: {path}" for path in left]


def test_idempotent(shop, host):
	"""a second apply changes nothing: nft and routing monitors stay silent"""
	shop.write("policy.yaml", SEED)
	expect(host.tpc("apply", "policy.yaml"), 0)
	monitors = host.watch(("nft", "monitor"), ("ip", "monitor", "route", "rule"))
	state = host.state()
	expect(host.tpc("apply", "policy.yaml"), 0, "tpc: nothing to change\n", None)
	differs(state, host.state(), "the second apply:")
	for monitor, command in zip(monitors, ("nft add table inet last", "ip rule add priority 77 lookup 77")):
		host.run(*command.split())
		first = monitor.stdout.readline().decode()
		monitor.kill()
		monitor.communicate()
		assert re.search("table inet last|^77:", first), f"a monitor saw: {first}"


def test_dry_run(shop, host):
	"""apply --dry-run reports the changes, makes none, and leaves no file"""
	shop.write("policy.yaml", SEED)
	before = host.state()
	expect(host.tpc("apply", "--dry-run", "policy.yaml"), 0,
		["would change", "ip -4 rule add fwmark 0x64/0xffffffff lookup 100", "set foreign_v4: 2 elements"], None)
	result = host.json("apply", "--dry-run", "policy.yaml")
	assert result["outcome"] == "would-change", f"outcome {result['outcome']}"
	assert not (shop.folder / "run").exists(), "a run directory was made"
	differs(before, host.state(), "the dry run:")


def test_outputs(shop, host):
	"""apply as JSON: counts, steps; -q prints nothing; -v prints every step"""
	shop.write("policy.yaml", SEED)
	result = host.json("apply", "policy.yaml")
	assert changes(result) == (0, 2, 0, 4, 0, 4, 0, True) and result["outcome"] == "applied" and len(result["steps"]) == 11, \
		f"apply gave {result}"
	assert host.json("apply", "policy.yaml")["outcome"] == "unchanged", "the second apply is not unchanged"
	expect(host.tpc("remove", "-v"), 0, ["nft delete table inet tpc", "ip -6 route del"], None)
	expect(host.tpc("apply", "-q", "policy.yaml"), 0, None, None)
	expect(host.tpc("remove", "-q"), 0, None, None)


DAMAGE = {
	"an ip rule": ("ip rule del priority 10001", (0, 0, 0, 1, 0, 0, 0, False)),
	"a route": ("ip -6 route del local default table 100", (0, 1, 0, 0, 0, 0, 0, False)),
	"the rules of a chain": ("nft flush chain inet tpc prerouting", (0, 0, 0, 0, 0, 0, 0, True)),
	"a set's elements": ("nft flush set inet tpc foreign_v4", (0, 0, 0, 0, 0, 1, 1, True)),
	"the table": ("nft delete table inet tpc", (0, 0, 0, 0, 0, 4, 0, True)),
	"everything of nft": ("nft flush ruleset", (0, 0, 0, 0, 0, 4, 0, True)),
	"a route's kind": ("ip route replace unreachable default table 100 proto 116", (0, 1, 0, 0, 0, 0, 0, False)),
	"nothing, the table sleeps": ("nft add table inet tpc { flags dormant; }", (0, 0, 0, 0, 0, 0, 0, True)),
}


@pytest.mark.parametrize("what, command, wanted", [(what, command, wanted) for what, (command, wanted) in DAMAGE.items()])
def test_repair(shop, host, what, command, wanted):
	"""repair: {what} was removed by hand; apply fixes only that"""
	shop.write("policy.yaml", SEED)
	host.tpc("apply", "policy.yaml")
	state = host.state()
	host.run(*(command.split() if "{" not in command else ["nft", command[4:]]))
	assert host.state() != state, "the damage was none"
	expect(host.tpc("status", "--drift"), 5, "warning: ", None)
	result = host.json("apply", "policy.yaml")
	assert changes(result) == wanted, f"{changes(result)}, not {wanted}: {result['steps']}"
	now = host.state().replace("foreign_v4.2", "foreign_v4")
	differs(state, now, "repaired:")


OTHERS = {
	"a rule among the priorities": ("ip rule add priority 10001 from 10.77.0.0/16 lookup 53",
		["a foreign IPv4 rule", "10.77.0.0/16", "policy.yaml:5:", "settings: {priority"]),
	"a rule for the same mark": ("ip rule add priority 77 fwmark 0x64 lookup 53", ["0x64", "policy.yaml:5:", "another mark"]),
	"a route in the table": ("ip route add 203.0.113.0/24 dev lo table 100", ["table 100", "policy.yaml:5:", "table id"]),
	"our own kind of rule, untagged": ("ip rule add priority 10000 fwmark 0x64 lookup 100", ["10000-10001"]),
}


@pytest.mark.parametrize("what, command, words", [(what, command, words) for what, (command, words) in OTHERS.items()])
def test_taken(shop, host, what, command, words):
	"""conflict: foreign {what}: listed, refused with status 3, nothing changed"""
	shop.write("policy.yaml", SEED)
	host.run(*command.split())
	before = host.state()
	expect(host.tpc("apply", "policy.yaml"), 3, None, [*words, "[number-conflict]", "nothing changed"])
	differs(before, host.state(), "the refused apply:")


BESIDE = {
	"a rule among the priorities": "rule add priority 10001 from 10.77.0.0/16 lookup 53",
	"a rule that waits for others' marks": "rule add priority 10000 fwmark 0x80000/0xff0000 lookup 53",
	"a route to elsewhere in the table": "route add 203.0.113.0/24 dev lo table 100",
}
# With SEED's numbers: what packets or the kernel would take for the policy's own.
NEVER = {
	"a rule for the same mark": "rule add priority 10001 fwmark 0x64 lookup 53",
	"a route in the place of the policy's": "route add local default dev lo table 100",
	"an nft table of its name": None,
}


@pytest.mark.parametrize("what, command", BESIDE.items())
def test_beside(shop, host, what, command):
	"""--allow-foreign: {what}: refused without it, a warning with it; survives apply, update and remove"""
	shop.write("policy.yaml", SEED)
	host.run("ip", *command.split())
	before = host.state()
	expect(host.tpc("apply", "policy.yaml"), 3, None, ["[number-conflict]", "--allow-foreign"])
	expect(host.tpc("plan", "policy.yaml", "--beside"), 5)
	differs(before, host.state(), "refused, and planned:")
	expect(host.tpc("apply", "policy.yaml", "--allow-foreign"), 0, "applied", "warning: ")
	expect(host.tpc("apply", "policy.yaml", "--allow-foreign"), 0, "nothing to change")
	shop.write("policy.yaml", SEED.replace("203.0.113.0/24", "203.0.113.0/25"))
	expect(host.tpc("apply", "policy.yaml", "--allow-foreign"), 0, "applied")
	expect(host.tpc("remove"), 0, "removed")
	differs(before, host.state(), "after remove:")


@pytest.mark.parametrize("what, command", NEVER.items())
def test_never(shop, host, what, command):
	"""--allow-foreign: {what}: refused even so"""
	shop.write("policy.yaml", SEED)
	host.run("ip", *command.split()).stdout if command else host.run("nft", "add table inet tpc { chain c { }; }").stdout
	before = host.state()
	expect(host.tpc("apply", "policy.yaml", "--allow-foreign"), 3, None, "nothing changed")
	differs(before, host.state(), "the refused apply:")


def test_never_ours(shop, host):
	"""--allow-foreign: another tpc policy with the same numbers is refused even so"""
	shop.write("a.yaml", SEED.replace("version: 1", "version: 1\nname: a"))
	shop.write("b.yaml", SEED.replace("version: 1", "version: 1\nname: b"))
	expect(host.tpc("apply", "a.yaml"), 0)
	before = host.state()
	done = host.tpc("apply", "b.yaml", "--allow-foreign")
	expect(done, 3, None, ["[number-conflict]", "used by the policy a", "nothing changed"])
	assert "--allow-foreign" not in done.stderr, f"--allow-foreign is offered where it does not help: {done.stderr}"
	differs(before, host.state(), "the refused apply:")


def test_neighbours(shop, host):
	"""foreign rules at other priorities are no conflict, and survive apply and remove"""
	shop.write("policy.yaml", SEED)
	for command in ("rule add priority 9000 fwmark 0x80000/0xff0000 lookup 52", "rule add priority 9001 not fwmark 0xca6c lookup 51820",
			"rule add priority 9999 from 10.1.0.0/16 lookup 7", "rule add priority 20000 fwmark 0x64/0xff lookup 9 protocol 116"):
		if "0x64" not in command:
			host.run("ip", *command.split())
	host.run("ip", "route", "add", "default", "dev", "lo", "table", "7", "proto", "116")
	host.run("nft", "add table inet filter { set s { type ipv4_addr; elements = { 192.0.2.1 }; }; "
		"chain c { type filter hook input priority 0; ip saddr @s counter accept; }; }")
	before = host.state()
	expect(host.tpc("apply", "policy.yaml"), 0, "applied")
	expect(host.tpc("remove"), 0, "removed")
	differs(before, host.state(), "after remove:")


# A rule before the policy's block, and whether it can match packets with the policy's marks.
FRONT = {
	"-4 rule add priority 9990 from 10.0.0.0/8 lookup main": "9990: from 10.0.0.0/8 lookup 254",
	"-4 rule add priority 9999 to 203.0.113.0/24 lookup 53": "9999: from all to 203.0.113.0/24 lookup 53",
	"-6 rule add priority 50 iif eth1 lookup 53": "IPv6 rule at priority 50",
	"-4 rule add priority 70 uidrange 0-0 lookup 53": "uidrange 0-0 lookup 53",
	"-4 rule add priority 71 ipproto 6 dport 443 lookup 53": "ipproto 6 dport 443 lookup 53",
	"-4 rule add priority 72 not fwmark 0xca6c lookup 53": "72: not from all fwmark 0xca6c lookup 53",
	"-4 rule add priority 73 fwmark 0/0xff0000 lookup 53": "73: from all fwmark 0x0/0xff0000 lookup 53",
	"-6 rule add priority 74 prohibit": "74: from all prohibit",
	"-4 rule add priority 75 fwmark 0x80000/0xff0000 lookup 52": None,
	"-4 rule add priority 76 fwmark 0xca6c lookup 52": None,
	"-4 rule add priority 77 lookup local": None,
	"-4 rule add priority 78 nop": None,
	"-4 rule add priority 20000 from 10.0.0.0/8 lookup 53": None,
}


def test_in_front(shop, host):
	"""foreign ip rules before the policy's: apply and status warn only of those that could take its packets"""
	host.link("wg0")
	shop.write("policy.yaml", VPN)
	for command, words in FRONT.items():
		host.run("ip", *command.split())
		before = host.state()
		for when in "applied", "nothing to change":
			done = host.tpc("apply", "policy.yaml")
			expect(done, 0, when, [words, "warning: a foreign", "settings: {priority: "] if words else ())
			assert words or "a foreign" not in done.stderr, f"{command}: {done}"
		shown = [item["message"] + str(item["help"]) for item in host.json("status")["policies"][0]["problems"]]
		assert bool(words) == bool(shown) and (not words or words in shown[0] and "remove that rule" in shown[0]), \
			f"{command}: status says {shown}"
		expect(host.tpc("remove"), 0)
		differs(before, host.state(), f"{command}: after remove:")
		host.run("ip", *command.replace(" add ", " del ").split())


def test_front_help(shop, host):
	"""the priority that the warning suggests works"""
	host.link("wg0")
	host.run("ip", "rule", "add", "priority", "5000", "from", "10.0.0.0/8", "lookup", "53")
	shop.write("policy.yaml", VPN)
	said = host.tpc("apply", "policy.yaml").stderr
	found = re.search(r"`(settings: \{priority: \d+\})`", said)
	assert found, f"no such help: {said}"
	shop.write("policy.yaml", VPN.replace("version: 1", "version: 1\n" + found.group(1)))
	done = host.tpc("apply", "policy.yaml")
	expect(done, 0, "applied")
	assert "a foreign" not in done.stderr, ("warned again", str(done))
	expect(host.tpc("status"), 0, "everything holds")


def test_added_since(shop, host):
	"""foreign rules and routes that are added after an apply: status reports them, after a load by hand too"""
	host.link("wg0")
	shop.write("policy.yaml", NUMBERED)
	commands = {
		"rule add priority 10001 from 10.0.0.0/8 lookup 53": "among the policy's (10000-1000",
		"rule add priority 12000 from 10.0.0.0/8 lookup 7100": "to the policy's table 7100: 12000: from 10.0.0.0/8",
		"route add 192.0.2.128/25 dev lo table 7100": "table 7100 holds a foreign IPv4 route: 192.0.2.128/25",
		"rule add from 10.9.0.0/16 lookup 53": "can match packets with the policy's marks: 9999: from 10.9.0.0/16",
		"-6 rule add priority 9000 from 2001:db8::/32 lookup 53": "comes before the policy's",
	}
	expect(host.tpc("apply", "policy.yaml"), 0)
	for notes in "notes", "no notes":
		expect(host.tpc("status"), 0, "everything holds" if notes == "notes" else "rules and routes hold")
		for command, words in commands.items():
			host.run("ip", *command.split())
			done = host.tpc("status")
			expect(done, 0, words)
			assert done.stdout.count("warning") == 1, f"{notes}: {done}"
			host.run("ip", *command.replace(" add ", " del ").split())
		for path in (shop.folder / "run").rglob("tpc"):
			path.unlink()
	host.run("ip", "rule", "add", "priority", "12000", "from", "10.0.0.0/8", "lookup", "7100")
	expect(host.tpc("apply", "policy.yaml"), 0, (), "to the policy's table 7100")


def test_two_policies(shop, host):
	"""two policies: the numbers of the other are refused with its name; with different numbers both apply"""
	tables = "settings: {table_ids: 7100-7102}"
	shop.write("policy.yaml", TWO.replace("version: 1", f"version: 1\nname: one\n{tables}"))
	shop.write("same.yaml", TWO.replace("version: 1", f"version: 1\nname: two\n{tables}"))
	shop.write("apart.yaml", TWO.replace("version: 1",
		"version: 1\nname: two\nsettings: {priority: 11000, mark_mask: 0x00ff0000, table_ids: 7300-7309}"))
	host.link("wg0")
	before = host.state()
	expect(host.tpc("apply", "policy.yaml"), 0)
	alone = host.state()
	expect(host.tpc("apply", "same.yaml"), 3, None, ["used by the policy one", "mark bits", "priorities", "routing tables"])
	said = host.tpc("apply", "same.yaml").stderr
	helps = re.findall(r"help: write `settings: \{(.*)\}`", said)
	assert said.count("[number-conflict]") == 3 and len(helps) == 3, f"not one error for marks, priorities and tables each: {said}"
	differs(alone, host.state(), "the refused apply:")
	shop.write("same.yaml", TWO.replace("version: 1", f"version: 1\nname: two\nsettings: {{{', '.join(helps)}}}"))
	expect(host.tpc("apply", "same.yaml"), 0, "two: applied")
	expect(host.tpc("remove", "two"), 0)
	differs(alone, host.state(), "one, after two came as it was told and went:")
	expect(host.tpc("apply", "apart.yaml"), 0, "two: applied")
	expect(host.tpc("status"), 0, ["one\n", "two\n"])
	expect(host.tpc("remove"), 2, None, "name one of them: one, two")
	expect(host.tpc("remove", "two"), 0, "two: removed")
	differs(alone, host.state(), "one, after two went:")
	expect(host.tpc("remove"), 0, "one: removed")
	differs(before, host.state(), "after both went:")


def test_missing_interface(shop, host):
	"""a missing interface: a warning, everything else is applied; a later apply adds its route"""
	shop.write("policy.yaml", NUMBERED)
	expect(host.tpc("apply", "policy.yaml"), 0, "applied", ["warning", "policy.yaml:3:", "no interface wg0"])
	assert "fwmark 0x1000000/0x7f000000 unreachable" in host.state(), "the fallback is not there"
	expect(host.tpc("apply", "policy.yaml"), 0, "nothing to change", "no interface wg0")
	expect(host.tpc("status"), 5, "no interface wg0")
	host.link("wg0")
	assert changes(host.json("apply", "policy.yaml"))[1] >= 1, "no route was added"
	assert "default dev wg0 table 7100 proto 116" in host.state(), "the route is not there"
	expect(host.tpc("status"), 0, "everything holds")
	host.run("ip", "link", "set", "wg0", "down")
	expect(host.tpc("apply", "policy.yaml"), 0, (), ["warning", "the interface wg0 is down"])
	expect(host.tpc("remove"), 0)


def test_changed_set(shop, host):
	"""a changed set is filled under another name, and the old one is removed; unchanged ones are not touched"""
	shop.write("policy.yaml", TWO)
	host.link("wg0")
	before = host.state()
	expect(host.tpc("apply", "-O0", "policy.yaml"), 0)
	first = host.state()
	shop.write("policy.yaml", TWO.replace("203.0.113.0/24", "203.0.113.0/25").replace("443", "444"))
	result = host.json("apply", "-O0", "policy.yaml")
	assert changes(result) == (0, 0, 0, 0, 0, 1, 1, True), f"{changes(result)} {result['steps']}"
	now = host.state()
	assert "@far_v4.2" in now and "set far_v4 {" not in now and "203.0.113.0/25" in now and "@near_v4 " in now, \
		"not the sets that should be there: " + "".join(re.findall(r"set .*\{", now))
	shop.write("policy.yaml", TWO)
	expect(host.tpc("apply", "-O0", "policy.yaml"), 0)
	differs(first, host.state(), "back again:")
	expect(host.tpc("remove"), 0)
	differs(before, host.state(), "after remove:")


def test_in_place(shop, host):
	"""a change of only sets happens in place: the rules stay, and a second apply does nothing"""
	host.link("wg0")
	for level in "-O0", "-O1":
		shop.write("policy.yaml", TWO)
		expect(host.tpc("apply", level, "policy.yaml"), 0)
		first = host.state()
		handles = host.run("nft", "-a", "list", "chain", "inet", "tpc", "prerouting").stdout
		shop.write("policy.yaml", TWO.replace("203.0.113.0/24", "203.0.113.0/25, 192.0.2.7"))
		result = host.json("apply", level, "policy.yaml")
		assert changes(result) == (0, 0, 0, 0, 0, 0, 0, False) and result["sets"]["in_place"] >= 1 and result["sets"]["added"], \
			f"{level}: {changes(result)} {result['sets']} {result['steps']}"
		assert host.run("nft", "-a", "list", "chain", "inet", "tpc", "prerouting").stdout == handles, f"{level}: the rules were written anew"
		now = host.state()
		assert "203.0.113.0/24" not in now and "203.0.113.0/25" in now and "192.0.2.7" in now, f"{level}: not what the set should hold"
		expect(host.tpc("apply", level, "policy.yaml"), 0, "nothing to change")
		fresh = host.state()
		expect(host.tpc("remove"), 0)
		expect(host.tpc("apply", level, "policy.yaml"), 0)
		differs(fresh, host.state(), f"{level}: in place, beside filled anew:")
		shop.write("policy.yaml", TWO)
		expect(host.tpc("apply", level, "policy.yaml"), 0, "sets in place")
		differs(first, host.state(), f"{level}: back again:")
		host.run("nft", "add", "element", "inet", "tpc", "far_v4", "{ 198.18.0.1, 198.18.0.3, 198.18.0.5, 198.18.0.7 }").stdout if level == "-O0" else None
		shop.write("policy.yaml", TWO.replace("203.0.113.0/24", "203.0.113.0/26"))
		expect(host.tpc("apply", level, "policy.yaml"), 0)
		assert "198.18.0.1" not in host.state(), f"{level}: what somebody else put into the set is still there"
		expect(host.tpc("remove"), 0)


def test_counters(shop, host):
	"""counters keep counting through an apply that changes the policy"""
	shop.write("policy.yaml", TWO.replace("rules:", "rules:\n  - {scope: local, to: 192.0.2.0/24, count: true, name: mine, then: direct}"))
	host.link("wg0")
	expect(host.tpc("apply", "policy.yaml"), 0)
	host.run("/usr/bin/python3", "-c", "import socket; s = socket.socket(type=socket.SOCK_DGRAM)\n"
		"for i in range(5): s.sendto(b'x', ('192.0.2.99', 9))")
	counts = host.json("status")["policies"][0]["counters"]
	counted = [item["packets"] for item in counts if item["name"] == "rule_mine"]
	assert counted and counted[0] >= 5, f"the counter does not count: {counts}"
	text = (shop.folder / "policy.yaml").read_text()
	shop.write("policy.yaml", text.replace("203.0.113.0/24", "203.0.113.0/25"))
	expect(host.tpc("apply", "policy.yaml"), 0, "applied")
	after = [item["packets"] for item in host.json("status")["policies"][0]["counters"] if item["name"] == "rule_mine"]
	assert after and after[0] >= counted[0], f"it was {counted}, and is {after}"


def test_counters_below(shop, host):
	"""a new rule at the top keeps the values of other counters, named or not"""
	lines = ["  - {scope: local, to: 192.0.2.0/24, count: true, name: mine, then: continue}",
		"  - {scope: local, to: 192.0.2.0/25, count: true, then: direct}"]
	host.link("wg0")
	shop.write("policy.yaml", TWO.replace("rules:", "\n".join(["rules:", *lines])))
	expect(host.tpc("apply", "policy.yaml"), 0)
	host.run("/usr/bin/python3", "-c", "import socket; s = socket.socket(type=socket.SOCK_DGRAM)\n"
		"for i in range(5): s.sendto(b'x', ('192.0.2.99', 9))")
	before = {item["name"]: item["packets"] for item in host.json("status")["policies"][0]["counters"]}
	assert sum(packets >= 5 for packets in before.values()) == 2, f"the counters do not count: {before}"
	lines.insert(0, "  - {scope: local, to: 192.0.2.77, count: true, then: drop}")
	shop.write("policy.yaml", TWO.replace("rules:", "\n".join(["# a comment", "rules:", *lines])))
	expect(host.tpc("apply", "-O0", "policy.yaml"), 0, "applied")
	after = {item["name"]: item["packets"] for item in host.json("status")["policies"][0]["counters"]}
	rules = host.run("nft", "list", "chain", "inet", "tpc", "output").stdout
	for to, least, most in ("192.0.2.77", 0, 0), ("192.0.2.0/24", 5, 99), ("192.0.2.0/25", 5, 99):
		name = re.search(f'ip daddr {re.escape(to)} .*?counter name "([^"]+)"', rules).group(1)
		assert least <= after[name] <= most, f"{to} has {after[name]} packets: {before}, {after}"


def test_changed_hook(shop, host):
	"""a chain whose priority changed is re-created in the same commit"""
	shop.write("policy.yaml", SEED)
	expect(host.tpc("apply", "policy.yaml"), 0)
	shop.write("policy.yaml", SEED.replace("version: 1", "version: 1\nsettings: {hook_priority: -140}"))
	expect(host.tpc("apply", "policy.yaml"), 0, "applied")
	assert "hook prerouting priority mangle + 10" in host.state() or "priority -140" in host.state(), \
		"the chain has not moved:\n" + host.run("nft", "list", "ruleset").stdout
	expect(host.tpc("apply", "policy.yaml"), 0, "nothing to change")


def test_covered(shop, host):
	"""an update that uses the same numbers for other ways: the mark is fenced meanwhile"""
	host.link("wg0", "wg1")
	shop.write("policy.yaml", "version: 1\ntables:\n  vpn: {dev: wg0, fallback: unreachable, id: 7100, mark: 0x77}\n"
		"rules:\n  - {to: 203.0.113.0/24, then: {route: vpn}}\n")
	shop.write("other.yaml", "version: 1\ntables:\n  isp: {dev: wg1, id: 7100, mark: 0x77}\n"
		"  vpn: {dev: wg0, fallback: unreachable}\n"
		"rules:\n  - {to: 203.0.113.0/24, then: {route: vpn}}\n  - {to: 198.51.100.0/24, then: {route: isp}}\n")
	bare = host.state()
	expect(host.tpc("apply", "other.yaml"), 0)
	fresh = host.state()
	expect(host.tpc("remove"), 0)
	expect(host.tpc("apply", "policy.yaml"), 0)
	monitor, = host.watch(("ip", "-4", "monitor", "rule", "route"))
	expect(host.tpc("apply", "other.yaml"), 0, "applied")
	for verb in "add", "del":
		host.run("ip", "rule", verb, "priority", "77", "lookup", "77")
	said = []
	while not said or not said[-1].startswith("77:"):
		said.append(monitor.stdout.readline().decode().strip())
	monitor.kill()
	monitor.communicate()
	places = {}
	for number, line in enumerate(said):
		for key in ("blackhole", "dev wg1 table 7100"):
			if key in line:
				places.setdefault(("gone " if line.startswith("Deleted") else "") + key, number)
	assert {"blackhole", "gone blackhole", "dev wg1 table 7100"} <= set(places) and places["blackhole"] < places["dev wg1 table 7100"] < places["gone blackhole"], \
		"the mark was not covered while its table changed hands:\n" + "\n".join(said)
	differs(fresh, host.state(), "against a fresh apply:")
	expect(host.tpc("remove"), 0)
	differs(bare, host.state(), "after remove:")


def test_edited(shop, host):
	"""a changed gateway needs no fence: its route is replaced in place"""
	host.link("eth1")
	shop.write("policy.yaml", "version: 1\ntables:\n  isp: {via: 192.0.2.1, dev: eth1}\nrules:\n  - {to: 203.0.113.0/24, then: {route: isp}}\n")
	expect(host.tpc("apply", "policy.yaml"), 0)
	text = (shop.folder / "policy.yaml").read_text()
	shop.write("policy.yaml", text.replace("192.0.2.1,", "192.0.2.7,"))
	done = host.tpc("apply", "-v", "policy.yaml")
	expect(done, 0, "ip -4 route replace default via 192.0.2.7")
	assert "blackhole" not in done.stdout and "route del" not in done.stdout, str(done)


BROKEN = """version: 1
listeners:
  proxy: {tproxy: 12345}
tables:
  bad: {via: 192.0.2.255, dev: eth1}
rules:
  - {to: 198.51.100.0/24, then: {proxy: proxy}}
  - {to: 203.0.113.0/24, then: {route: bad}}
"""


def test_taken_back(shop, host):
	"""an error half-way: everything is undone, status 3, with the policy's line"""
	host.link("eth1")  # a broadcast address is no gateway: the kernel says so when half of the routes are there
	shop.write("policy.yaml", BROKEN)
	before = host.state()
	expect(host.tpc("apply", "policy.yaml"), 3, None, ["policy.yaml:5:", "192.0.2.255", "nothing changed"])
	differs(before, host.state(), "the failed apply:")
	shop.write("good.yaml", BROKEN.replace("192.0.2.255,", "192.0.2.1,"))
	expect(host.tpc("apply", "good.yaml"), 0)
	good = host.state()
	shop.write("policy.yaml", BROKEN.replace("198.51.100.0/24", "198.51.100.0/25"))
	expect(host.tpc("apply", "policy.yaml"), 3, None, "nothing changed")
	differs(good, host.state(), "the failed second apply:")
	expect(host.tpc("apply", "good.yaml"), 0, "nothing to change")


SHIM = r"""
#include <dlfcn.h>
#include <string.h>
#include <stdbool.h>
#include <stdlib.h>
struct nft_ctx;
static bool dry;
void nft_ctx_set_dry_run(struct nft_ctx *c, bool d)
{
	dry = d;
	((void (*)(struct nft_ctx *, bool))dlsym(RTLD_NEXT, "nft_ctx_set_dry_run"))(c, d);
}
int nft_run_cmd_from_buffer(struct nft_ctx *c, const char *text)
{
	if (!dry && (strstr(text, "flush table") || strstr(text, "create chain")))
		return getenv("CRASH") ? (abort(), 1) : 1;
	return ((int (*)(struct nft_ctx *, const char *))dlsym(RTLD_NEXT, "nft_run_cmd_from_buffer"))(c, text);
}
"""


def test_failed_flip(shop, host):
	"""the commit fails, or libnftables crashes in it: sets, rules and routes are undone"""
	shop.write("shim.c", SHIM)
	made = shop.run(os.environ.get("CC", "cc"), "-D_GNU_SOURCE", "-shared", "-fPIC", "-o", "shim.so", "shim.c")
	assert not made.returncode, f"the shim cannot be built: {made}"
	host.link("wg0")
	shop.write("policy.yaml", TWO)
	before = host.state()
	for more in ({}, {"CRASH": "1"}):
		shim = {"LD_PRELOAD": str(shop.folder / "shim.so"), "ASAN_OPTIONS": "verify_asan_link_order=0", **more}
		expect(host.tpc("apply", "policy.yaml", environment=shim), 3, None, "nothing changed")
		differs(before, host.state(), f"the failed apply {more}:")
	expect(host.tpc("apply", "policy.yaml"), 0)
	good = host.state()
	shop.write("policy.yaml", TWO.replace("203.0.113.0/24", "203.0.113.0/25").replace("443", "444"))
	expect(host.tpc("apply", "policy.yaml", environment=shim), 3, None, "nothing changed")
	differs(good, host.state(), "the failed second apply:")
	# Maps that are filled before the flip lead to chains that were not there.
	shop.write("policy.yaml", TWO + "  - {to: 192.0.2.0/28, port: 80, then: drop}\n  - {to: 192.0.2.4, then: drop}\n")
	expect(host.tpc("apply", "policy.yaml", environment=shim), 3, None, "nothing changed")
	differs(good, host.state(), "the failed apply with new maps:")
	expect(host.tpc("apply", "policy.yaml"), 0, "sets: +2")


WITHOUT = r"""
#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
struct nft_ctx;
static char words[256];
static int fails(const char *text, const char *path)
{
	const char *at = strstr(text, getenv("WITHOUT"));
	int line = 1;

	for (const char *c = text; at && c < at; c++)
		line += *c == '\n';
	if (at)
		snprintf(words, sizeof(words), "%s:%d:3-40: Error: Could not process rule: No such file or directory\n", path, line);
	return at != NULL;
}
int nft_run_cmd_from_buffer(struct nft_ctx *c, const char *text)
{
	return fails(text, "internal:0") ||
	       ((int (*)(struct nft_ctx *, const char *))dlsym(RTLD_NEXT, "nft_run_cmd_from_buffer"))(c, text);
}
int nft_run_cmd_from_filename(struct nft_ctx *c, const char *path)
{
	static char text[1 << 20];
	FILE *file = fopen(path, "r");
	text[fread(text, 1, sizeof(text) - 1, file)] = 0;
	fclose(file);
	return fails(text, path) ||
	       ((int (*)(struct nft_ctx *, const char *))dlsym(RTLD_NEXT, "nft_run_cmd_from_filename"))(c, path);
}
const char *nft_ctx_get_error_buffer(struct nft_ctx *c)
{
	(void)c;
	return words;
}
"""


MAPPED = """version: 1
sets: {s: {dynamic: true}}
rules:
  - {in: lan0, proto: tcp, then: drop}
  - {in: lan1, then: reject}
  - {in: lan2, proto: udp, then: drop}
  - {from: s, then: drop}
  - {to: 203.0.113.9, then: drop}
"""


def test_no_feature(shop, host):
	"""a missing kernel feature (simulated): its name, the rule of the policy, status 3"""
	shop.write("shim.c", WITHOUT)
	made = shop.run(os.environ.get("CC", "cc"), "-D_GNU_SOURCE", "-shared", "-fPIC", "-o", "shim.so", "shim.c")
	assert not made.returncode, f"the shim cannot be built: {made}"
	shop.write("policy.yaml", SEED)
	before = host.state()
	for without, words in (("tproxy ", ["this kernel has no tproxy", "nft_tproxy", "CONFIG_NFT_TPROXY", "policy.yaml:7:", "modprobe nft_tproxy"]),
			("@foreign_v4 goto", ["nft refuses the rule", "@foreign_v4", "No such file or directory", "policy.yaml:7:"])):
		shim = {"LD_PRELOAD": str(shop.folder / "shim.so"), "ASAN_OPTIONS": "verify_asan_link_order=0", "WITHOUT": without}
		expect(host.tpc("apply", "policy.yaml", environment=shim), 3, None, [*words, "nothing changed"])
	shop.write("policy.yaml", MAPPED)
	shim["WITHOUT"] = "ip saddr @s_v4 drop"  # behind a rule over five lines
	expect(host.tpc("apply", "policy.yaml", environment=shim), 3, None, ["nft refuses the rule", "policy.yaml:7:"])
	differs(before, host.state(), "the refused apply:")


def test_killed(shop, host):
	"""killed at any moment: the next apply makes the state of a fresh one, and remove leaves nothing"""
	host.link("wg0")
	shop.write("a.yaml", TWO)
	shop.write("b.yaml", TWO.replace("203.0.113.0/24", "203.0.112.0/23").replace("one:", "aaa: {tproxy: 777}\n  one:").replace(
		"rules:", "rules:\n  - {to: 192.0.2.77, then: {proxy: aaa}}"))
	bare = host.state()
	host.run(shop.program, "apply", "-q", "b.yaml")
	wanted = re.sub(r"(far_v4|near_v4|[a-z_]+\.(?:ct_)?[a-z0-9_]+addr)\.\d+", r"\1", host.state())
	host.run(shop.program, "remove", "-q")
	for turn in range(14):
		if turn % 2:
			host.run(shop.program, "apply", "-q", "a.yaml")
		process = host.start(shop.program, "apply", "-q", "b.yaml", stderr=subprocess.DEVNULL)
		time.sleep(0.004 + turn * 0.004)
		process.kill()
		process.communicate()
		time.sleep(0.05)
		if turn % 3 != 2:
			expect(host.tpc("apply", "b.yaml"), 0)
			now = re.sub(r"(far_v4|near_v4|[a-z_]+\.(?:ct_)?[a-z0-9_]+addr)\.\d+", r"\1", host.state())
			differs(wanted, now, f"turn {turn}, applied again:")
		expect(host.tpc("remove"), 0)
		differs(bare, host.state(), f"turn {turn}, removed:")


def test_no_capability(shop, host):
	"""without CAP_NET_ADMIN: its name, what to do, status 3"""
	shop.write("policy.yaml", SEED)
	for words in (["apply", "policy.yaml"], ["remove"], ["status"]):
		done = host.run("setpriv", "--bounding-set", "-net_admin", shop.program, *words, check=False)
		expect(done, 3, None, ["CAP_NET_ADMIN", "setcap"])


def test_no_account(shop, host):
	"""a missing account: a warning, the rest is applied; status and plan report it; the next apply resolves it"""
	shop.write("policy.yaml", SEED.replace("mark: 100, table: 100", "runs_as: {user: nosuchuser}").replace(
		"rules:", "rules:\n  - {group: {not: nosuchgroup}, to: 192.0.2.9, then: drop}\n  - {scope: local, to: foreign, proto: tcp, then: {proxy: proxy}}"))
	names = [f'there is no {what} "nosuch{what}" on this host yet' for what in ("user", "group")]
	expect(host.tpc("plan", "policy.yaml"), 5, ["tpc: apply would change"], names)
	expect(host.tpc("apply", "--strict", "policy.yaml"), 3, None, names)
	expect(host.tpc("apply", "policy.yaml"), 0, ["tpc: applied"],
		["policy.yaml:5:42: warning: " + names[0], "policy.yaml:7:19: warning: " + names[1], "useradd --system nosuchuser",
			"run: tpc apply"])
	expect(host.tpc("status"), 0, [*names, "run: tpc apply"], None)
	expect(host.tpc("status", "--drift"), 0)
	expect(host.tpc("apply", "policy.yaml"), 0, ["nothing to change"], names)
	expect(host.tpc("explain", "policy.yaml", "--live", "scope=local", "to=203.0.113.9", "proto=tcp", "port=80", "user=nosuchuser"),
		5, [names[0]], None)
	host.run("sh", "-c", "echo nosuchuser:x:64301:64301::/:/bin/false >>/etc/passwd; echo nosuchgroup:x:64301: >>/etc/group")
	expect(host.tpc("status", "--drift"), 5, ["the user nosuchuser exists now", "run: tpc apply"], None)
	expect(host.tpc("plan", "policy.yaml"), 5, ["the user nosuchuser exists now"],
		["no socket listens on 127.0.0.1:12345/tcp (listener proxy)"])
	expect(host.tpc("apply", "policy.yaml"), 0, ["the user nosuchuser exists now"], None)
	expect(host.tpc("status", "--drift"), 0)
	table = host.run("nft", "list", "table", "inet", "tpc").stdout
	assert "skuid 64301" in table and "skgid != 64301" in table and "skuid !=" not in table, table


def test_account_changes(shop, host):
	"""an account that is removed, gets another number, or is missing at a rollback: reported, never refused"""
	shop.write("policy.yaml", "version: 1\nrules: [{user: proxy, family: ipv4, then: drop}]\n")
	shop.write("other.yaml", "version: 1\nrules: [{proto: sctp, then: drop}]\n")
	before = host.run("id", "-u", "proxy").stdout.strip()
	expect(host.tpc("apply", "policy.yaml"), 0)
	number = "s/^proxy:x:[0-9]*:/proxy:x:64302:/"
	host.run("sh", "-c", f"sed '{number}' /etc/passwd >p && cat p >/etc/passwd")
	expect(host.tpc("status", "--drift"), 5, ["the user proxy has another number now, 64302"], None)
	expect(host.tpc("apply", "policy.yaml"), 0, ["the user proxy has another number now, 64302"], None)
	expect(host.tpc("apply", "other.yaml"), 0)
	host.run("sh", "-c", "sed '/^proxy:/d' p >/etc/passwd")
	expect(host.tpc("rollback"), 0, ["in force again"], ['there is no user "proxy" on this host yet'])
	table = host.run("nft", "list", "table", "inet", "tpc").stdout
	assert before not in ("", "64302") and "skuid 64302" not in table and "meta skuid != { 0, " in table, table
	host.run("sh", "-c", "cat p >/etc/passwd")
	expect(host.tpc("status", "--drift"), 5, ["the user proxy exists now"], None)
	expect(host.tpc("rollback"), 3, None, ["there is nothing to roll back to"])
	expect(host.tpc("apply", "policy.yaml"), 0, ["the user proxy exists now"], None)
	expect(host.tpc("status"), 0, ["everything holds"], None)


def test_account_places(shop, host):
	"""a missing account: the place of the name, not of the same word in a comment or another key"""
	head = "# user: nosuchuser and group: nosuchgroup, as nosuchuser says\nversion: 1\nname: nosuchuser\n"
	for text, place in (
			("listeners:\n  nosuchuser: {tproxy: 1, runs_as: {user: nosuchuser}} # user nosuchuser\n"
				"rules: [{in: lan0, then: {proxy: nosuchuser}}]\n", "5:43: warning: there is no user"),
			("rules:\n  - {name: user nosuchuser, to: 192.0.2.1, then: drop}\n  - {user: [0, nosuchuser], then: drop}\n",
				"6:16: warning: there is no user"),
			("rules:\n  # group: nosuchgroup\n  - {user: 5, group: {not: nosuchgroup}, then: drop}\n",
				"6:28: warning: there is no group")):
		shop.write("policy.yaml", head + text)
		expect(host.tpc("apply", "policy.yaml"), 0, ["nosuchuser: applied"], ["policy.yaml:" + place])
	shop.write("more.yaml", "# user: nosuchuser\nrules: [{user: nosuchuser, then: drop}]\n")
	shop.write("policy.yaml", "version: 1 # user: nosuchuser\nname: nosuchuser\ninclude: [more.yaml]\n")
	expect(host.tpc("apply", "policy.yaml"), 0, ["nosuchuser: applied"], ["more.yaml:2:16: warning: there is no user"])


def test_no_cgroup(shop, host):
	"""a cgroup on a host without cgroups: an error at its place, status 3; a missing one is a warning"""
	text = SEED.replace("rules:", "rules:\n  - {scope: local, to: foreign, proto: tcp, then: {proxy: proxy}}")
	before = host.state()
	unified = os.path.exists("/sys/fs/cgroup/cgroup.controllers")
	words = ["start its unit"] if unified else ["no cgroups of version 2", "unified_cgroup_hierarchy"]
	for path in "nothere", "/system.slice/nothere.service":
		shop.write("policy.yaml", text.replace("mark: 100, table: 100", f"runs_as: {{cgroup: {path}}}"))
		done = host.tpc("apply", "policy.yaml")
		expect(done, 0 if unified else 3, None, [f'"{path.removeprefix("/")}"', "policy.yaml:5:", *words])
		assert done.stderr.count("no cgroup") == 1, str(done)
	if not unified:
		differs(before, host.state(), "the refused apply:")
	there = next((entry.name for entry in os.scandir("/sys/fs/cgroup") if entry.is_dir()), None)
	if there and unified:
		shop.write("policy.yaml", text.replace("mark: 100, table: 100", f"runs_as: {{cgroup: {there}}}"))
		done = host.tpc("apply", "policy.yaml")
		assert "no cgroup" not in done.stderr, str(done)


def test_wrong(shop, host):
	"""an error of the policy: status 1 before the host is read"""
	shop.write("policy.yaml", SEED.replace("{proxy: proxy}", "{proxy: prxy}"))
	expect(host.tpc("apply", "policy.yaml"), 1, None, ["policy.yaml:7:", "prxy"])
	assert not (shop.folder / "run").exists(), "a run directory was made"


def test_locked(shop, host):
	"""two applies at once: one waits for the other, both succeed"""
	host.link("wg0")
	shop.write("policy.yaml", TWO)
	expect(host.tpc("apply", "policy.yaml"), 0)
	lock = next((shop.folder / "run").rglob("lock"))
	with open(lock, "r+", encoding="utf-8") as file:
		fcntl.flock(file, fcntl.LOCK_EX)
		timer = threading.Timer(0.7, lambda: fcntl.flock(file, fcntl.LOCK_UN))
		timer.start()
		began = time.monotonic()
		expect(host.tpc("apply", "policy.yaml"), 0, "nothing to change")
		assert time.monotonic() - began >= 0.5, "it did not wait"
		timer.join()
	many = [host.start(shop.program, *(["apply", "policy.yaml"] if n % 2 else ["remove"]), stderr=subprocess.PIPE) for n in range(8)]
	for process in many:
		out, err = process.communicate(timeout=120)
		assert not process.returncode, f"one of many: {process.returncode} {out} {err}"


def test_folder_of_others(shop, host):
	"""a run directory that others can write to is not trusted"""
	(shop.folder / "run").mkdir(mode=0o777)
	os.chmod(shop.folder / "run", 0o777)
	shop.write("policy.yaml", SEED)
	before = host.state()
	expect(host.tpc("apply", "policy.yaml"), 3, None, "can be written by others")
	differs(before, host.state(), "the refused apply:")


def test_other_version(shop, host):
	"""a table of another version of the format is left alone, by apply and by remove"""
	shop.write("policy.yaml", SEED)
	host.run("nft", 'table inet tpc { chain about { return comment "tpc 2 tpc digest=0123456789abcdef"; }; }')
	before = host.state()
	expect(host.tpc("apply", "policy.yaml"), 3, None, ["another version of tpc", "nothing changed"])
	expect(host.tpc("remove"), 3, None, "another version of tpc")
	differs(before, host.state(), "the refused apply:")


def test_table_of_others(shop, host):
	"""a foreign nft table of the policy's name: neither replaced nor removed, status 3; without saved state ours is known by its metadata"""
	shop.write("policy.yaml", SEED)
	host.run("nft", "add table inet tpc { chain mine { type filter hook input priority 0; accept; }; }")
	before = host.state()
	words = ["nft table inet tpc exists but was not created by tpc (no tpc metadata, no saved state)", "another `name:`", "nft delete table inet tpc"]
	for command in ["apply", "policy.yaml"], ["apply", "--dry-run", "policy.yaml"], ["remove"], ["remove", "tpc"]:
		expect(host.tpc(*command), 3, None, words)
		differs(before, host.state(), f"the refused {command}:")
	expect(host.tpc("status"), 0, "nft table inet tpc was not created by tpc")
	host.run("nft", "delete", "table", "inet", "tpc")
	expect(host.tpc("apply", "policy.yaml"), 0)
	host.run("nft", "flush", "table", "inet", "tpc")
	expect(host.tpc("apply", "policy.yaml"), 0, "applied")
	for path in (shop.folder / "run").rglob("tpc"):
		path.unlink()
	expect(host.tpc("apply", "policy.yaml"), 0, "nothing to change")
	expect(host.tpc("remove"), 0, "tpc: removed")


def test_status(shop, host):
	"""status: nothing applied; then file, marks, tables; a listener without and with a socket"""
	expect(host.tpc("status"), 0, "nothing is applied\n", None)
	assert host.json("status")["policies"] == [], "policies where there are none"
	expect(host.tpc("remove"), 0, "tpc: nothing is applied", None)
	shop.write("policy.yaml", SEED.replace("tproxy: 12345", "tproxy: 12345, protocols: [tcp]"))
	expect(host.tpc("apply", "policy.yaml"), 0)
	expect(host.tpc("status"), 0, [str(shop.folder / "policy.yaml"), "0x00000064", "ip rule 10000", "table 100",
		"no socket listens on 127.0.0.1:12345/tcp (listener proxy) [no-socket]\n", "no socket listens on [::1]:12345/tcp"], None)
	listener = host.start("/usr/bin/python3", "-c", "import socket, time\n"
		"a = socket.create_server(('127.0.0.1', 12345)); b = socket.create_server(('::1', 12345), family=socket.AF_INET6)\n"
		"print('up', flush=True); input()\n"
		"a.setsockopt(socket.IPPROTO_IP, 19, 1); b.setsockopt(socket.IPPROTO_IPV6, 75, 1)\n"  # IP_TRANSPARENT, IPV6_TRANSPARENT
		"print('transparent', flush=True); time.sleep(60)", stdin=subprocess.PIPE)
	listener.stdout.readline()
	expect(host.tpc("status"), 0, ["the socket on 127.0.0.1:12345/tcp has no IP_TRANSPARENT",
		"the socket on [::1]:12345/tcp has no IP_TRANSPARENT", "ss -Hlntp sport = :12345"], None)
	listener.stdin.write(b"\n")
	listener.stdin.flush()
	listener.stdout.readline()
	expect(host.tpc("status"), 0, "everything holds", None)
	listener.kill()
	listener.communicate()
	policy = host.json("status")["policies"][0]
	assert policy["classes"][0]["mark"] == 100 and policy["tables"] == [100] and policy["nft_table"] == "tpc" and policy["problems"], \
		json.dumps(policy)
	assert not policy["drift"], "a listener is no drift"
	expect(host.tpc("status"), 0, "(listener proxy)")
	expect(host.tpc("status", "--drift"), 0, None, None)
	host.run("ip", "rule", "del", "priority", "10000")
	expect(host.tpc("status"), 5, ["IPv4 rule 10000 is missing", "ip -4 rule add fwmark 0x64/0xffffffff lookup 100",
		"(listener proxy)"])
	done = host.tpc("status", "--drift")
	expect(done, 5, "tpc\n  warning: the IPv4 rule 10000 is missing [drift]\n  ", None)
	assert "listener" not in done.stdout, "more than drift is told"
	assert host.json("status", status=5)["policies"][0]["drift"] is True, "JSON has no drift"


def test_drift(shop, host):
	"""status: a rule added or replaced by hand, a changed set: exit 5; the counts of a policy without ip rules"""
	shop.write("policy.yaml", "version: 1\nsets: {far: [203.0.113.0/24]}\nrules: [{to: far, then: drop}]\n")
	expect(host.tpc("apply", "policy.yaml"), 0)
	done = host.tpc("status")
	expect(done, 0, [" 1 set\n", "everything holds"], None)
	assert "0-0" not in done.stdout, str(done)
	for command in ("add rule inet tpc prerouting counter", "add element inet tpc far_v4 { 192.0.2.0/24, 198.51.100.0/24, 100.64.0.0/10 }"):
		host.run("nft", command)
		expect(host.tpc("status"), 5, "warning: ", None)
		expect(host.tpc("apply", "policy.yaml"), 0)
		expect(host.tpc("status"), 0, "everything holds", None)


def test_by_hand(shop, host):
	"""a load by hand: status knows it, apply has nothing to change, remove works, without saved state"""
	shop.write("policy.yaml", SEED)
	before = host.state()
	for keep in False, True:
		shop.tpc("compile", "-q", "policy.yaml", "-o", "out")
		host.run("ip", "-batch", "out/policy.ip.batch")
		host.run("ip", "-6", "-batch", "out/policy.ip6.batch")
		host.run("nft", "-f", "out/policy.nft")
		by_hand_state = host.state()
		expect(host.tpc("status"), 0, ["by hand", "tables 100"])
		if keep:
			expect(host.tpc("apply", "policy.yaml"), 0, "nothing to change")
			differs(by_hand_state, host.state(), "apply behind loading by hand:")
		expect(host.tpc("remove"), 0, "removed")
		differs(before, host.state(), "after remove:")


def test_leftovers(shop, host):
	"""remove works without the nft table, and without the policy's file"""
	shop.write("policy.yaml", SEED)
	before = host.state()
	expect(host.tpc("apply", "policy.yaml"), 0)
	os.unlink(shop.folder / "policy.yaml")
	host.run("nft", "delete", "table", "inet", "tpc")
	expect(host.tpc("status"), 5, "the nft table inet tpc is gone")
	expect(host.tpc("remove"), 0, "removed")
	differs(before, host.state(), "after remove:")


def test_without_ipv6(shop, host):
	"""a host without IPv6: one warning, IPv4 is complete, ip rules still refuse IPv6"""
	shop.write("policy.yaml", SEED)
	sysctl(host, "net.ipv6.conf.all.disable_ipv6", 1)
	before = host.state()
	done = host.tpc("apply", "policy.yaml")
	expect(done, 0, ["applied", "ip rules: +4 -0", "routes: +1 -0"], "IPv6 is disabled here")
	assert done.stderr.count("warning") == 1, str(done)
	expect(host.tpc("apply", "policy.yaml"), 0, "nothing to change")
	assert "table 100" not in host.tpc("status").stdout.replace("tables 100", "").replace("10000  table 100", ""), \
		"status asks for IPv6 routes"
	expect(host.tpc("remove"), 0)
	differs(before, host.state(), "after remove:")


def sysctl(host, key, value=None):
	if value is None:
		return host.run("sysctl", "-n", key).stdout.strip()
	return host.run("sysctl", "-qw", f"{key}={value}").stdout


def test_sysctls(shop, host):
	"""sysctls: set where needed, restored by remove, kept if changed by hand since"""
	shop.write("policy.yaml", SEED)
	key = "net.ipv4.conf.all.src_valid_mark"
	sysctl(host, key, 1)
	expect(host.tpc("apply", "policy.yaml"), 0, "sysctls: 1")
	assert sysctl(host, key) == "0", "it was not set"
	expect(host.tpc("apply", "policy.yaml"), 0, "nothing to change")
	expect(host.tpc("remove"), 0)
	assert sysctl(host, key) == "1", "it was not given back"
	host.tpc("apply", "policy.yaml")
	sysctl(host, key, 1)
	expect(host.tpc("status"), 5, f"{key} is 1 and should be 0")
	expect(host.tpc("remove"), 0)
	assert sysctl(host, key) == "1", "a foreign change was undone"
	shop.write("policy.yaml", SEED.replace("version: 1", "version: 1\nsettings: {sysctls: check}"))
	expect(host.tpc("apply", "policy.yaml"), 0, (), [f"{key} is 1 and should be 0", "sysctl -w"])
	shop.write("policy.yaml", SEED.replace("version: 1", "version: 1\nsettings: {sysctls: ignore}"))
	done = host.tpc("apply", "policy.yaml")
	assert "src_valid_mark" not in done.stderr and sysctl(host, key) == "1", "ignore does not ignore"


def test_same_mark(shop, host):
	"""two policies with the same full mark: refused, even with different priorities and tables"""
	shop.write("a.yaml", SEED.replace("version: 1", "version: 1\nname: a"))
	text = SEED.replace("version: 1", "version: 1\nname: b\nsettings: {priority: 12000}").replace("table: 100", "table: 200")
	shop.write("b.yaml", text)
	shop.write("c.yaml", text.replace("mark: 100", "mark: 200"))
	expect(host.tpc("apply", "a.yaml"), 0)
	done = host.tpc("apply", "b.yaml")
	expect(done, 3, None, ["the mark of proxy, 0x64/0xffffffff", "another mark"])
	assert done.stderr.count("[number-conflict]") == 1, str(done)
	expect(host.tpc("apply", "c.yaml"), 0, "b: applied")


def test_shared_sysctls(shop, host):
	"""sysctls of two policies: the last one to be removed restores the value from before the first"""
	shop.write("a.yaml", SEED.replace("version: 1", "version: 1\nname: a"))
	shop.write("b.yaml", SEED.replace("version: 1", "version: 1\nname: b\nsettings: {priority: 12000}").replace(
		"mark: 100, table: 100", "mark: 200, table: 200"))
	key = "net.ipv4.conf.all.src_valid_mark"
	sysctl(host, key, 1)
	expect(host.tpc("apply", "a.yaml"), 0)
	expect(host.tpc("apply", "b.yaml"), 0)
	expect(host.tpc("remove", "a"), 0)
	assert sysctl(host, key) == "0", "taken from the policy that stays"
	expect(host.tpc("remove", "b"), 0)
	assert sysctl(host, key) == "1", "not given back in the end"


def test_reverse_path(shop, host):
	"""the interfaces of tables have no reverse-path filter, strict or loose; one that is off is not written"""
	host.link("wg0")
	shop.write("policy.yaml", VPN)
	key = "net.ipv4.conf.wg0.rp_filter"
	for everywhere, here in ((0, 0), (1, 0), (0, 1), (2, 0), (1, 2)):
		sysctl(host, "net.ipv4.conf.all.rp_filter", everywhere)
		sysctl(host, key, here)
		expect(host.tpc("apply", "policy.yaml"), 0)
		found = [sysctl(host, name) for name in ("net.ipv4.conf.all.rp_filter", key, "net.ipv4.conf.lo.rp_filter")]
		assert found == ["0", "0", str(everywhere)], f"all={everywhere}, wg0={here}: all, wg0 and lo are {found}"
		expect(host.tpc("apply", "policy.yaml"), 0, "nothing to change")
		expect(host.tpc("remove"), 0)
		left = [sysctl(host, name) for name in ("net.ipv4.conf.all.rp_filter", key, "net.ipv4.conf.lo.rp_filter")]
		assert left == [str(everywhere), str(here), "0"], f"all={everywhere}, wg0={here}: left at {left}"


def test_forwarding(shop, host):
	"""forwarding: reported and switched on, only reported with check, restored by remove with dependent sysctls"""
	host.link("wg0", "lan0")
	keys = ["net.ipv4.ip_forward", "net.ipv6.conf.all.forwarding"]
	for key in keys:
		sysctl(host, key, 0)
	# The kernel would put these back with it, each another way.
	for key, value in (("net.ipv4.conf.all.accept_redirects", 0), ("net.ipv4.conf.lan0.forwarding", 1),
			("net.ipv6.conf.lan0.forwarding", 1)):
		sysctl(host, key, value)
	before = host.run("sh", "-c", "sysctl -a 2>/dev/null | grep -E 'ipv[46].conf.*(forwarding|accept_redirects)|ip_forward '").stdout
	text = TWO.replace("near: [198", 'near: ["2001:db8::/32", 198')
	shop.write("policy.yaml", text.replace("version: 1", "version: 1\nsettings: {sysctls: check}"))
	expect(host.tpc("apply", "policy.yaml"), 0, (), [f"{key} is 0 and should be 1: the table vpn" for key in keys])
	expect(host.tpc("status"), 0, [f"{key} is 0 and should be 1: the table vpn" for key in keys])
	shop.write("policy.yaml", text.replace("version: 1", "version: 1\nsettings: {sysctls: ignore}"))
	done = host.tpc("apply", "policy.yaml")
	assert "forwarding" not in done.stderr and [sysctl(host, key) for key in keys] == ["0", "0"], f"ignored: {done}"
	assert "should be" not in host.tpc("status").stdout, "status does not ignore them"
	shop.write("policy.yaml", text)
	expect(host.tpc("apply", "policy.yaml"), 0, [f"sysctl {key} = 1 (was 0): the table vpn" for key in keys])
	expect(host.tpc("apply", "policy.yaml"), 0, "nothing to change")
	assert "should be" not in host.tpc("status").stdout, "status says that something does not hold"
	expect(host.tpc("remove"), 0, [f"sysctl {key} = 0, as it was" for key in keys])
	after = host.run("sh", "-c", "sysctl -a 2>/dev/null | grep -E 'ipv[46].conf.*(forwarding|accept_redirects)|ip_forward '").stdout
	differs(before, after, "after remove:")


def test_rebooted(shop, host):
	"""saved sysctls from before a reboot are void: nothing is restored"""
	shop.write("policy.yaml", SEED)
	key = "net.ipv4.conf.all.src_valid_mark"
	sysctl(host, key, 1)
	expect(host.tpc("apply", "policy.yaml"), 0, f"sysctl {key} = 0 (was 1)")
	for path in (shop.folder / "run").glob("*/tpc"):
		assert snapshots.boot() in path.read_bytes(), f"no boot in {path.read_bytes()[:80]}"
		path.write_bytes(snapshots.of_another_boot(path.read_bytes()))
	expect(host.tpc("remove"), 0, "removed")
	assert sysctl(host, key) == "0", "an older boot's value was given back"


def test_bridges(shop, host):
	"""br_netfilter is switched off only if the policy listens on a bridge"""
	key = "net.bridge.bridge-nf-call-iptables"
	shop.write("policy.yaml", SEED.replace("{to: f", "{in: [lan0, br9], to: f"))
	if host.run("sysctl", "-n", key, check=False).returncode:  # no br_netfilter, so nothing to do
		done = host.tpc("apply", "policy.yaml")
		expect(done, 0)
		assert "bridge" not in done.stdout + done.stderr, str(done)
		return
	sysctl(host, key, 1)
	for bridge, during in (("br1", "1"), ("br9", "0")):
		host.run("ip", "link", "add", bridge, "type", "bridge")
		expect(host.tpc("apply", "policy.yaml"), 0, (), ["no packet comes by lan0"])
		assert sysctl(host, key) == during, f"{bridge}: {sysctl(host, key)}"
		expect(host.tpc("remove"), 0)
		assert sysctl(host, key) == "1", f"{bridge}: not given back"
	shop.write("policy.yaml", SEED)
	expect(host.tpc("apply", "policy.yaml"), 0, f"sysctl {key} = 0 (was 1)")


def test_flushing(shop, host):
	"""/etc/nftables.conf begins with a flush: the first apply and status say what a restart removes, and what to do"""
	if "/etc/nftables.conf" not in etc_files.RULES:
		return
	shop.write("policy.yaml", SEED)
	wrong = "/etc/nftables.conf begins with `flush ruleset`"
	for text, found in (("#!/usr/sbin/nft -f\n\n# a\n  flush  ruleset # all\ntable inet filter {\n}\n", True), ("flush ruleset\n", True),
			("table inet filter\ndelete table inet filter\n", False), ("flush ruleset ip\n", False),
			("table inet f { }\n# flush ruleset\n", False)):
		shop.write("rules.conf", text)
		host.run("mount", "--bind", "rules.conf", "/etc/nftables.conf")
		expect(host.tpc("apply", "--strict", "policy.yaml"), 0, "applied", [wrong, "instead of the flush"] if found else ())
		expect(host.tpc("apply", "policy.yaml"), 0, "nothing to change", ())
		said = host.tpc("status").stdout
		assert (wrong in said) == found and said.count(wrong) <= 1, f"{text}: {said}"
		expect(host.tpc("status", "--drift"), 0)
		if found:
			host.run("nft", "-f", "rules.conf")
			expect(host.tpc("status", "--drift"), 5, "the nft table inet tpc is gone", None)
		expect(host.tpc("remove"), 0)
		host.run("umount", "/etc/nftables.conf")


def test_big_list(shop, host):
	"""a list of 100,000 prefixes loads without being the host's root, and a second apply fills no set"""
	lines = [f"{10 + (n >> 16)}.{n >> 8 & 255}.{n & 255}.0/25" for n in range(100000)]
	shop.write("list.txt", "\n".join(lines) + "\n")
	shop.write("policy.yaml", SEED.replace("[203", "[{file: list.txt}, 203"))
	expect(host.tpc("apply", "policy.yaml"), 0, "100003 elements")
	expect(host.tpc("apply", "policy.yaml"), 0, "nothing to change")
	listed = host.run("nft", "list", "set", "inet", "tpc", "foreign_v4").stdout.count("/25")
	assert listed == 100000, f"{listed} of 100000 are there"
	expect(host.tpc("remove"), 0)


def test_names(shop, host):
	"""a policy from standard input; invalid names are refused; a name that is not applied is no failure"""
	expect(host.tpc("apply", "-", stdin=SEED), 0, "applied")
	expect(host.tpc("status"), 0, "from <stdin>")
	expect(host.tpc("remove", "../tpc"), 2, None, "no policy's name")
	for verb in "remove", "status":
		expect(host.tpc(verb, "other"), 0, "other: nothing is applied; applied here: tpc\n", None)
	expect(host.tpc("remove", "tpc"), 0, "tpc: removed", None)
