"""Foreign nft rules that translate what the policy has marked: which of them plan, apply and status name, and which are no matter."""

from cli import ROOT, expect

LAN = {4: "192.0.2.53", 6: "2001:db8:2::53"}
OUTSIDE = {4: "203.0.113.99", 6: "2001:db8:113::99"}
OWN = {4: "192.0.3.2", 6: "2001:db8:3::2"}
WORD = {4: "ip", 6: "ip6"}
PRE, OUT = "nat hook prerouting priority ", "nat hook output priority "

STRICT = """version: 1
tables:
  vpn: {dev: wg0, fallback: unreachable, masquerade: true, strict: true, mark: {value: 0x01000000, mask: 0x7f000000}}
"""
# For both tables, and the answers of one.
FULL = """version: 1
settings: {mark_mask: 0x3000000}
tables:
  vpn: {dev: wg0, fallback: blackhole, masquerade: true}
  second: {dev: wg0, fallback: blackhole}
"""
CURED = STRICT.replace("strict: true, ", "")
LISTENERS = """version: 1
listeners:
  one: {redirect: 12345, protocols: [tcp, udp], mark: {value: 0x01000000, mask: 0x7f000000}}
  two: {tproxy: 12346, mark: {value: 0x02000000, mask: 0x7f000000}}
"""
ANY = "rules:\n  - {in: lan0, then: {route: vpn}}\n"
LOCAL = "default: {local: {route: vpn}}\n"
WEB = "rules:\n  - {in: lan0, proto: tcp, port: 443, then: {route: vpn}}\n"
OPEN = "default: {route: vpn}\n"
PROXIES = "rules:\n  - {in: lan0, port: 53, then: {proxy: one}}\n  - {in: lan0, port: 443, then: {proxy: two}}\n"
DNS = "meta l4proto {{ tcp, udp }} th dport 53 dnat {ip} to {lan}"


def written(rule, version):
	values = {"ip": WORD[version], "lan": LAN[version], "outside": OUTSIDE[version], "own": OWN[version]}
	return f"meta nfproto ipv{version} " + rule.format(**values)


# Policy, hook and priority, rules: what is said of each family's.
NAMED = {
	"a strict table, for what comes by the policy's interface": (STRICT + ANY, PRE + "-100", DNS, ["translates", "the table vpn", "it is strict", "meta mark & 0x7f000000 == 0x01000000 return"]),
	"a strict table that is the default": (STRICT + OPEN, PRE + "-100", DNS, ["translates", "it is strict"]),
	"what a set of interfaces is for": (STRICT + ANY, PRE + "-100", 'iifname {{ "lan0", "lan1" }} ' + DNS, ["translates"]),
	"one port of several": (STRICT + WEB, PRE + "-100", "tcp dport 80-500 dnat {ip} to {lan}", ["translates"]),
	"a public address that is no interface's": (STRICT + OPEN, PRE + "-100", "iifname wan0 {ip} daddr {outside} dnat {ip} to {lan}", ["translates"]),
	"what the rule asks for cannot be told": (STRICT + ANY, PRE + "-100", "limit rate 5/second " + DNS, ["may translate"]),
	"a target that a map gives": (STRICT + ANY, PRE + "-100", "dnat {ip} to tcp dport map {{ 443 : {lan} }}", ["may translate", "another address"]),
	"what this host sends": (STRICT + LOCAL, OUT + "-90", DNS, ["translates", "the table vpn"]),
	"no mark is left": (FULL + ANY, PRE + "-100", DNS, ["translates", "the table vpn", "no mark is left", "mark_mask"]),
	"a redirect listener, after the mark": (LISTENERS + PROXIES, PRE + "-110", DNS, ["translates", "the listener one", "instead", "priority `dstnat`"]),
	"a chain of a priority before the mark's, which is called behind it all the same": (STRICT + ANY, PRE + "-160", DNS, ["translates"]),
	"a redirect listener, by such a chain": (LISTENERS + PROXIES, PRE + "-160", "udp dport 53 redirect to :5353", ["translates", "the listener one", "this host port 5353"]),
	"a tproxy listener": (LISTENERS + PROXIES, PRE + "-105", "tcp dport 443 redirect to :5353", ["translates", "the listener two", "or they are reset (TCP)"]),
}
SILENT = {
	"a way that asks the main table first": (CURED + ANY, PRE + "-100", DNS),
	"other packets, by the port": (STRICT + WEB, PRE + "-100", DNS),
	"other packets, by the protocol": (STRICT + WEB, PRE + "-100", "udp dport 443 dnat {ip} to {lan}"),
	"other packets, by the interface": (STRICT + ANY, PRE + "-100", "iifname guest0 " + DNS),
	"other packets, by the source": (STRICT + "rules:\n  - {from: [192.0.2.0/25, '2001:db8:2::/64'], then: {route: vpn}}\n", PRE + "-100",
		{4: "ip saddr 192.0.2.128/25 " + DNS, 6: "ip6 saddr 2001:db8:9::/64 " + DNS}),
	"other packets, by an earlier rule": (STRICT + "rules:\n  - {in: lan0, port: 53, then: direct}\n  - {in: lan0, then: {route: vpn}}\n", PRE + "-100", DNS),
	"the rule spares the policy's mark": (STRICT + ANY, PRE + "-100", "meta mark & 0x7f000000 != 0x01000000 " + DNS),
	"a rule before it spares the mark": (STRICT + ANY, PRE + "-100", "meta mark & 0x7f000000 == 0x01000000 return; meta nfproto {ip}v " + DNS),
	"a published port": (STRICT + OPEN, PRE + "-100", "fib daddr type local tcp dport 8080 dnat {ip} to {lan}"),
	"a forwarded port, by address": (STRICT + OPEN, PRE + "-100", "{ip} daddr {own} tcp dport 8080 dnat {ip} to {lan}"),
	"a forwarded port, by the uplink": (STRICT + OPEN, PRE + "-100", "iifname wan0 tcp dport 8080 dnat {ip} to {lan}"),
	"the table has the new destination, too": (STRICT + ANY, PRE + "-100", "udp dport 53 dnat {ip} to {outside}"),
	"it stays here": (STRICT + ANY, PRE + "-100", "udp dport 53 redirect to :5353"),
	"behind the listeners' own chain": (LISTENERS + PROXIES, PRE + "-100", DNS),
	"another hook": (STRICT + ANY, OUT + "-90", DNS),
	"a mark that another program reads": ("version: 1\nrules:\n  - {in: lan0, then: {mark: 0x64}}\n", PRE + "-100", DNS),
}


def prepare(host):
	host.link("lan0", "wan0", "wg0")
	for number in range(3):
		host.run("ip", "address", "add", f"2001:db8:{number + 2}::2/64", "dev", ("lan0", "wan0", "wg0")[number])
	host.run("ip", "route", "add", "default", "via", "192.0.3.1")
	host.run("ip", "-6", "route", "add", "default", "via", "2001:db8:3::1")
	host.settle()


def load(host, hook, rule):
	for version in 4, 6:
		text = rule[version] if isinstance(rule, dict) else rule
		body = written(text, version).replace("ip6v", "ipv6").replace("ipv ", "ipv4 ")
		host.run("nft", f"table inet fw{version} {{ chain c {{ type {hook}; {body}; }}; }}")


def unload(host):
	for version in 4, 6:
		host.run("nft", "delete", "table", "inet", f"fw{version}")


def test_named(shop, host):
	"""plan, apply and status name the rule of each family with table, chain and handle"""
	prepare(host)
	for what, (policy, hook, rule, words) in NAMED.items():
		load(host, hook, rule)
		shop.write("policy.yaml", policy)
		words = ["warning: a foreign nft rule", *(f"table inet fw{version}, chain c, handle " for version in (4, 6)), *words]
		for status, verb in ((5, ("plan", "policy.yaml")), (0, ("apply", "policy.yaml")), (0, ("status",))):
			done = host.tpc(*verb)
			shown = done.stdout if verb == ("status",) else done.stderr
			assert not [f"{what}: {word!r} is missing: {done}" for word in words[verb == ("status",):] if word not in shown]
			assert done.returncode == status and shown.count("foreign nft rule") == 2, f"{what}: {done}"
		host.tpc("remove")
		unload(host)


def test_silent(shop, host):
	"""no message about rules for other packets, or without harm"""
	prepare(host)
	host.run("nft", "-f", ROOT / "tests" / "lab" / "foreign" / "docker.nft")
	for what, (policy, hook, rule) in SILENT.items():
		load(host, hook, rule)
		shop.write("policy.yaml", policy)
		done = host.tpc("apply", "policy.yaml")
		expect(done, 0, "applied")
		for done in (done, host.tpc("plan", "policy.yaml"), host.tpc("status")):
			assert "foreign nft rule" not in done.stderr + done.stdout, f"{what}: {done}"
		host.tpc("remove")
		unload(host)


CHAINS = """table inet fw {
	chain dns {
		NESTED
		udp dport 53 dnat ip to 192.0.2.53
	}
	chain c {
		type nat hook prerouting priority -100;
		FIRST
		iifname lan0 meta nfproto ipv4 jump dns
		tcp dport 53 meta nfproto ipv4 dnat ip to 192.0.2.53
	}
}
"""
# Earlier rules: how many of the two translations are named, and may they be doubtful?
BEFORE = {
	("", ""): (2, False),
	("", "udp dport 53 return"): (1, False),
	("iifname lan0 udp dport 53 accept", ""): (1, False),
	("iifname lan0 accept", ""): (0, False),
	("iifname lan0 goto other", "udp dport 50-60 return"): (1, False),
	("udp dport 5353 redirect to :1", ""): (2, False),
	("udp dport 5353 redirect to :1", "accept"): (0, False),
	("ip daddr != 203.0.113.0/24 accept", ""): (2, True),
}


def test_chains(shop, host):
	"""jumps to other chains, and packets that earlier rules take"""
	prepare(host)
	shop.write("policy.yaml", STRICT + ANY)
	for (first, nested), (count, may) in BEFORE.items():
		first = first.replace("goto other", "jump dns")
		shop.write("fw.nft", CHAINS.replace("FIRST", first).replace("NESTED", nested))
		host.run("nft", "-f", "fw.nft")
		out = host.tpc("plan", "policy.yaml").stderr
		places = sum(f"chain {chain}, handle" in out for chain in ("c", "dns"))
		assert places == count and ("may translate" in out) == may, f"{first!r}, {nested!r}: {places} named: {out}"
		host.run("nft", "delete", "table", "inet", "fw")


def test_many(shop, host):
	"""many chains: the first of them, and how many more"""
	prepare(host)
	shop.write("policy.yaml", STRICT + ANY)
	services = "".join(f"chain s{port} {{ dnat ip to 192.0.2.53; }}\n" for port in range(1000, 1400))
	jumps = "".join(f"meta nfproto ipv4 tcp dport {port} jump s{port}\n" for port in range(1000, 1400))
	shop.write("fw.nft", f"table inet fw {{ {services} chain c {{ type nat hook prerouting priority -100; {jumps} }}\n}}\n")
	host.run("nft", "-f", "fw.nft")
	done = host.tpc("plan", "policy.yaml")
	shown = done.stderr.count("a foreign nft rule translates")
	assert shown == 8 and "392 more chains translate" in done.stderr, f"{shown} named: {done}"
