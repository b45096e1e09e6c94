#!/usr/bin/python3
"""Others' nft rules that write marks: which of them apply and plan refuse, which they warn of, and which are no matter."""
import re
import sys

from cli import ROOT, SEED, expect, main
from hosted import differs, live

VPN = """version: 1
tables:
  vpn: {dev: wg0, fallback: unreachable, masquerade: true, mark: {value: 0x01000000, mask: 0x7f000000}}
rules:
  - {to: 203.0.113.0/24, then: {route: vpn}}
"""
# Marks in the default bits, and connection marks.
TWO = """version: 1
listeners:
  one: {redirect: 12345}
tables:
  vpn: {dev: wg0, fallback: unreachable, mark: {value: 0x01000000, mask: 0x7f000000}}
rules:
  - {to: 203.0.113.0/24, proto: tcp, then: {proxy: one}}
  - {to: 203.0.113.0/24, scope: both, then: {route: vpn}}
"""
WORDS = ["[number-conflict]", "somebody else's nft rule gives"]


def load(host, hook, *rules, table="inet theirs", before=""):
	"""A table of somebody else's; `hook` is its chain's "type ... hook ... priority ...", or empty."""
	head = f"type {hook}; " if hook else ""
	host.must("nft", f"table {table} {{ {before} chain c {{ {head}{'; '.join(rules)}; }}; }}")


def refusal(what, policy, rule, words=(), hook="filter hook prerouting priority -150", table="inet theirs", beside=True):
	"""`beside`: does --beside let it stand?"""
	@live(f"{what}: refused with status 3, nothing changed; --beside {'lets it stand' if beside else 'does not help'}")
	def _(shop, host):
		host.link("wg0")
		shop.write("policy.yaml", policy)
		load(host, hook, rule, table=table)
		before = host.state()
		problems = []
		for verb in ("apply", "plan"):
			done = host.tpc(verb, "policy.yaml")
			problems += expect(done, 3, None, [*WORDS, f"table {table}, chain c, handle ", "policy.yaml:", "mark_mask", *words])
			if ("--beside" in done.err) != beside:
				problems.append(f"--beside: {done}")
		if not beside:
			problems += expect(host.tpc("apply", "policy.yaml", "--beside"), 3, None, WORDS)
			return problems + differs(before, host.state(), "refused:")
		problems += differs(before, host.state(), "refused:")
		problems += expect(host.tpc("plan", "policy.yaml", "--beside"), 5, (), "go the same way")
		problems += expect(host.tpc("apply", "policy.yaml", "--beside"), 0, "applied", ["warning: ", "go the same way", *words])
		problems += expect(host.tpc("apply", "policy.yaml"), 0, "nothing to change")
		problems += expect(host.tpc("remove"), 0, "removed")
		return problems + differs(before, host.state(), "after remove:")


refusal("a rule that sets the mark of a listener", SEED, "tcp dport 80 meta mark set 0x64", ["the mark of proxy, 0x64/0xffffffff", "meta mark set 0x64", "policy.yaml:5:"])
refusal("a rule that sets its bits", SEED, "meta mark set mark or 0x64", ["meta mark set meta mark or 0x64"], table="ip theirs")
refusal("a rule that sets a mark under a mask, whatever it does to the others' bits", VPN, "meta mark set mark and 0x00ffffff or 0x01000040", ["the mark of vpn, 0x1000000/0x7f000000", "meta mark set meta mark and 0xffffbf or 0x1000040"], beside=False)
refusal("a rule that makes it of the bits that are there", VPN, "meta mark set mark xor 0x01000000", beside=False)
refusal("a rule in a chain that others jump to", SEED, "meta mark set 0x64", hook="")
refusal("a rule in an ip6 table", SEED, "meta mark set 0x64", table="ip6 theirs")
refusal("a rule for what comes in by a device", SEED, "meta mark set 0x64", hook='filter hook ingress device "lo" priority 0', table="netdev theirs")
refusal("a rule of a bridge, in input", SEED, "meta mark set 0x64", hook="filter hook input priority 0", table="bridge theirs")
refusal("a rule that turns one way's mark into another's", TWO, "meta mark set 0x01000000", beside=False)
refusal("a rule that does so with a bit of neither's", VPN.replace("{value: 0x01000000, mask: 0x7f000000}", "0x60").replace("rules:",
	"  lan: {dev: wg0, mark: 0x64}\nrules:\n  - {to: 198.51.100.0/24, then: {route: lan}}"), "meta mark set mark or 0x4", ["the mark of lan"], beside=False)
refusal("a rule that gives connections one of the policy's marks", TWO, "ct mark set ct mark and 0xffff or 0x1d000000", ["the connection mark of", "ct mark set ct mark and 0xffff or 0x1d000000"])


# What hosts really have (Tailscale, kube-proxy, Docker's mesh, wg-quick, AWS, firewalld's and others' ways to set), beside the default bits.
HARMLESS = [
	"meta mark set mark and 0xff00ffff or 0x40000",
	"meta mark set mark or 0x4000",
	"meta mark set mark xor 0x4000",
	"meta mark set mark and 0xffff7fff or 0x8000",
	"meta mark set mark or 0x80",
	"meta mark set ct mark",
	"ct mark set meta mark",
	"meta mark set ct mark and 0xff0000",
	"ct mark set 0x1",
	"ct mark set ct mark or 0x80",
	"meta mark set ip dscp map { 1 : 0x01000000 }",
	"meta mark set numgen inc mod 2 offset 0x01000000",
	"meta mark 0x01000000 continue",
	"meta priority set 0x01000000",
]


def uncounted(host):
	"""The state without what counters hold: a host sends packets of its own accord."""
	return re.sub(r"packets \d+ bytes \d+", "", host.state())


@live("rules that write bits of their own, or what cannot be told: no refusal, no warning, and they stand")
def harmless(shop, host):
	host.link("wg0")
	for name in ("docker.nft", "firewalld.nft"):
		host.must("nft", "-f", ROOT / "tests" / "lab" / "others" / name)
	load(host, "filter hook prerouting priority -100", *HARMLESS)
	load(host, "route hook output priority -100", *HARMLESS, table="ip theirs")
	load(host, "nat hook postrouting priority 100", *HARMLESS, table="inet nat")
	before = uncounted(host)
	problems = []
	for policy in (VPN, TWO):
		shop.write("policy.yaml", policy)
		done = host.tpc("apply", "policy.yaml")
		problems += expect(done, 0, "applied")
		if "nft rule" in done.err:
			problems.append(f"warned: {done}")
	problems += expect(host.tpc("remove"), 0, "removed")
	return problems + differs(before, uncounted(host), "after remove:")


# Of rules that set the policy's mark: those that nobody reads it after.
UNREAD = {
	"a table that sleeps": ("inet theirs", "filter hook prerouting priority -150", "flags dormant;"),
	"what is for this host, once it is here": ("inet theirs", "filter hook input priority 0", ""),
	"what leaves, behind all of ours": ("inet theirs", "filter hook postrouting priority 300", ""),
	"ARP": ("arp theirs", "filter hook input priority 0", ""),
}


@live("rules whose mark nobody reads are no matter: a sleeping table, the hooks behind routing, ARP")
def unread(shop, host):
	problems = []
	shop.write("policy.yaml", SEED)
	for what, (table, hook, flags) in UNREAD.items():
		load(host, hook, "meta mark set 0x64", table=table, before=flags)
		done = host.tpc("apply", "policy.yaml")
		problems += expect(done, 0, "applied")
		problems += [f"{what}: {done}"] if "nft rule" in done.err else []
		host.tpc("remove")
		host.must("nft", "delete", "table", *table.split())
	return problems


# Of rules that take the policy's mark away: is it a warning there?
TAKERS = {
	("inet theirs", "filter hook prerouting priority -149"): True,
	("ip theirs", "filter hook prerouting priority -150"): True,
	("ip theirs", "nat hook prerouting priority -100"): True,
	("ip6 theirs", "route hook output priority 0"): True,
	("inet theirs", "filter hook prerouting priority -151"): False,
	("inet theirs", "route hook output priority -199"): False,
	("inet theirs", "filter hook output priority 0"): False,
	("inet theirs", "filter hook forward priority 0"): False,
	("inet theirs", "filter hook postrouting priority 0"): False,
	("inet theirs", ""): False,
}


@live("rules that take the policy's mark away: a warning where it is before the routing that reads it, else no word")
def takers(shop, host):
	host.link("wg0")
	shop.write("policy.yaml", TWO)
	problems = []
	for (table, hook), warned in TAKERS.items():
		load(host, hook, "tcp dport 1 meta mark set 0x1", "tcp dport 2 meta mark set mark and 0xff", "meta mark set mark or 0x4",
			"tcp dport 3 meta mark set mark and 0xfeffffff", table=table)
		done = host.tpc("apply", "policy.yaml")
		problems += expect(done, 0, "applied", ["warning: behind the policy's chain", f"table {table}, chain c, handle ",
			"meta mark set 0x1, and 2 more in that chain"] if warned else ())
		if done.err.count("nft rule") != warned:
			problems.append(f"{table} {hook}: {done}")
		host.tpc("remove")
		host.must("nft", "delete", "table", *table.split())
	return problems


@live("a rule that came since: no matter while nothing is to change, refused with the next change; a rollback goes back all the same")
def since(shop, host):
	shop.write("policy.yaml", SEED)
	problems = expect(host.tpc("apply", "policy.yaml"), 0, "applied")
	shop.write("policy.yaml", SEED.replace("proto: tcp", "proto: udp"))
	problems += expect(host.tpc("apply", "policy.yaml"), 0, "applied")
	load(host, "filter hook prerouting priority -150", "meta mark set 0x64")
	problems += expect(host.tpc("apply", "policy.yaml"), 0, "nothing to change", None)
	state = host.state()
	shop.write("policy.yaml", SEED)
	problems += expect(host.tpc("apply", "policy.yaml"), 3, None, WORDS)
	problems += differs(state, host.state(), "refused:")
	return problems + expect(host.tpc("rollback"), 0)


@live("what is in the way is said at once: an ip rule and an nft rule for the same mark")
def together(shop, host):
	shop.write("policy.yaml", SEED)
	host.must("ip", "rule", "add", "priority", "77", "fwmark", "0x64", "lookup", "53")
	load(host, "filter hook prerouting priority -150", "meta mark set 0x64", "meta mark set mark or 0x64")
	done = host.tpc("apply", "policy.yaml")
	problems = expect(done, 3, None, [*WORDS, "somebody else's IPv4 rule asks for"])
	return problems + ([] if done.err.count("nft rule gives") == 2 else [f"not each is said: {done}"])


@live("a policy without ways of its own, and marks set for whoever waits for them, collide with nobody")
def bare(shop, host):
	load(host, "filter hook prerouting priority -150", "meta mark set 0x64")
	shop.write("policy.yaml", "version: 1\nrules:\n  - {to: 203.0.113.0/24, then: {mark: 0x64}}\n  - {to: 198.51.100.0/24, then: drop}\n")
	done = host.tpc("apply", "policy.yaml")
	return expect(done, 0, "applied") + ([f"warned: {done}"] if "nft rule" in done.err else [])


if __name__ == "__main__":
	sys.exit(main())
