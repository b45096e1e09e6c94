"""Others' nft rules that write marks: which of them apply and plan refuse, which they warn of, and which are no matter."""
import re

import pytest

from cli import ROOT, SEED, differs, expect

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
WORDS = ["[number-conflict]", "a foreign nft rule sets"]


def load(host, hook, *rules, table="inet theirs", before=""):
	"""A foreign table; `hook` is its chain's "type ... hook ... priority ...", or empty."""
	head = f"type {hook}; " if hook else ""
	host.run("nft", f"table {table} {{ {before} chain c {{ {head}{'; '.join(rules)}; }}; }}")


@pytest.mark.parametrize("what, policy, rule, words, hook, table, beside", [
	("a rule that sets the mark of a listener", SEED, "tcp dport 80 meta mark set 0x64", ["the mark of proxy, 0x64/0xffffffff", "meta mark set 0x64", "policy.yaml:5:"], "filter hook prerouting priority -150", "inet theirs", True),
	("a rule that sets its bits", SEED, "meta mark set mark or 0x64", ["meta mark set meta mark or 0x64"], "filter hook prerouting priority -150", "ip theirs", True),
	("a rule that sets a mark under a mask, whatever it does to the others' bits", VPN, "meta mark set mark and 0x00ffffff or 0x01000040", ["the mark of vpn, 0x1000000/0x7f000000", "meta mark set meta mark and 0xffffbf or 0x1000040"], "filter hook prerouting priority -150", "inet theirs", False),
	("a rule that makes it of the bits that are there", VPN, "meta mark set mark xor 0x01000000", (), "filter hook prerouting priority -150", "inet theirs", False),
	("a rule in a chain that others jump to", SEED, "meta mark set 0x64", (), "", "inet theirs", True),
	("a rule in an ip6 table", SEED, "meta mark set 0x64", (), "filter hook prerouting priority -150", "ip6 theirs", True),
	("a rule for what comes in by a device", SEED, "meta mark set 0x64", (), 'filter hook ingress device "lo" priority 0', "netdev theirs", True),
	("a rule of a bridge, in input", SEED, "meta mark set 0x64", (), "filter hook input priority 0", "bridge theirs", True),
	("a rule that turns one way's mark into another's", TWO, "meta mark set 0x01000000", (), "filter hook prerouting priority -150", "inet theirs", False),
	("a rule that does so with a bit of neither's", VPN.replace("{value: 0x01000000, mask: 0x7f000000}", "0x60").replace("rules:",
	"  lan: {dev: wg0, mark: 0x64}\nrules:\n  - {to: 198.51.100.0/24, then: {route: lan}}"), "meta mark set mark or 0x4", ["the mark of lan"], "filter hook prerouting priority -150", "inet theirs", False),
	("a rule that gives connections one of the policy's marks", TWO, "ct mark set ct mark and 0xffff or 0x1d000000", ["the connection mark of", "ct mark set ct mark and 0xffff or 0x1d000000"], "filter hook prerouting priority -150", "inet theirs", True),
])
def test_refusal(shop, host, what, policy, rule, words, hook, table, beside):
	"""{what}: refused with status 3, nothing changed; --allow-foreign accepts it: {beside}

	`beside`: does --allow-foreign let it stand?
	"""
	host.link("wg0")
	shop.write("policy.yaml", policy)
	load(host, hook, rule, table=table)
	before = host.state()
	for verb in ("apply", "plan"):
		done = host.tpc(verb, "policy.yaml")
		expect(done, 3, None, [*WORDS, f"table {table}, chain c, handle ", "policy.yaml:", "mark_mask", *words])
		assert ("--allow-foreign" in done.stderr) == beside, f"--allow-foreign: {done}"
	if not beside:
		expect(host.tpc("apply", "policy.yaml", "--allow-foreign"), 3, None, WORDS)
		differs(before, host.state(), "refused:")
		return
	differs(before, host.state(), "refused:")
	expect(host.tpc("plan", "policy.yaml", "--allow-foreign"), 5, (), "take the same route")
	expect(host.tpc("apply", "policy.yaml", "--allow-foreign"), 0, "applied", ["warning: ", "take the same route", *words])
	expect(host.tpc("apply", "policy.yaml"), 0, "nothing to change")
	expect(host.tpc("remove"), 0, "removed")
	differs(before, host.state(), "after remove:")


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


def test_harmless(shop, host):
	"""rules that write other bits, or an unknown value: no refusal, no warning, and they survive"""
	host.link("wg0")
	for name in ("docker.nft", "firewalld.nft"):
		host.run("nft", "-f", ROOT / "tests" / "lab" / "foreign" / name)
	load(host, "filter hook prerouting priority -100", *HARMLESS)
	load(host, "route hook output priority -100", *HARMLESS, table="ip theirs")
	load(host, "nat hook postrouting priority 100", *HARMLESS, table="inet nat")
	before = uncounted(host)
	for policy in (VPN, TWO):
		shop.write("policy.yaml", policy)
		done = host.tpc("apply", "policy.yaml")
		expect(done, 0, "applied")
		assert "nft rule" not in done.stderr, f"warned: {done}"
	expect(host.tpc("remove"), 0, "removed")
	differs(before, uncounted(host), "after remove:")


# Rules that set the policy's mark where nothing reads it later.
UNREAD = {
	"a table that sleeps": ("inet theirs", "filter hook prerouting priority -150", "flags dormant;"),
	"what is for this host, once it is here": ("inet theirs", "filter hook input priority 0", ""),
	"what leaves, behind all of ours": ("inet theirs", "filter hook postrouting priority 300", ""),
	"ARP": ("arp theirs", "filter hook input priority 0", ""),
}


def test_unread(shop, host):
	"""rules whose mark is never read are ignored: a dormant table, the hooks after routing, ARP"""
	shop.write("policy.yaml", SEED)
	for what, (table, hook, flags) in UNREAD.items():
		load(host, hook, "meta mark set 0x64", table=table, before=flags)
		done = host.tpc("apply", "policy.yaml")
		expect(done, 0, "applied")
		assert "nft rule" not in done.stderr, f"{what}: {done}"
		host.tpc("remove")
		host.run("nft", "delete", "table", *table.split())


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


def test_takers(shop, host):
	"""rules that remove the policy's mark: a warning only before the routing that reads it"""
	host.link("wg0")
	shop.write("policy.yaml", TWO)
	for (table, hook), warned in TAKERS.items():
		load(host, hook, "tcp dport 1 meta mark set 0x1", "tcp dport 2 meta mark set mark and 0xff", "meta mark set mark or 0x4",
			"tcp dport 3 meta mark set mark and 0xfeffffff", table=table)
		done = host.tpc("apply", "policy.yaml")
		expect(done, 0, "applied", ["warning: a foreign nft rule after the policy's chain", f"table {table}, chain c, handle ",
			"meta mark set 0x1, and 2 more in that chain"] if warned else ())
		assert done.stderr.count("nft rule") == warned, f"{table} {hook}: {done}"
		host.tpc("remove")
		host.run("nft", "delete", "table", *table.split())


def test_since(shop, host):
	"""a rule added later: ignored while nothing changes, refused at the next change; a rollback works even so"""
	shop.write("policy.yaml", SEED)
	expect(host.tpc("apply", "policy.yaml"), 0, "applied")
	shop.write("policy.yaml", SEED.replace("proto: tcp", "proto: udp"))
	expect(host.tpc("apply", "policy.yaml"), 0, "applied")
	load(host, "filter hook prerouting priority -150", "meta mark set 0x64")
	expect(host.tpc("apply", "policy.yaml"), 0, "nothing to change", None)
	state = host.state()
	shop.write("policy.yaml", SEED)
	expect(host.tpc("apply", "policy.yaml"), 3, None, WORDS)
	differs(state, host.state(), "refused:")
	expect(host.tpc("rollback"), 0)


def test_together(shop, host):
	"""all conflicts are reported at once: an ip rule and an nft rule for the same mark"""
	shop.write("policy.yaml", SEED)
	host.run("ip", "rule", "add", "priority", "77", "fwmark", "0x64", "lookup", "53")
	load(host, "filter hook prerouting priority -150", "meta mark set 0x64", "meta mark set mark or 0x64")
	done = host.tpc("apply", "policy.yaml")
	expect(done, 3, None, [*WORDS, "a foreign IPv4 rule matches"])
	assert done.stderr.count("nft rule sets") == 2, f"not each is said: {done}"


def test_bare(shop, host):
	"""a policy without ways, and marks that it only sets, collide with nothing"""
	load(host, "filter hook prerouting priority -150", "meta mark set 0x64")
	shop.write("policy.yaml", "version: 1\nrules:\n  - {to: 203.0.113.0/24, then: {mark: 0x64}}\n  - {to: 198.51.100.0/24, then: drop}\n")
	done = host.tpc("apply", "policy.yaml")
	expect(done, 0, "applied")
	assert "nft rule" not in done.stderr, f"warned: {done}"
