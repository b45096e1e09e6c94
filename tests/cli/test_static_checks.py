"""What is proved of a policy, taken for errors with --strict, and allowed by comments in its lines."""
import json

from cli import expect

# Line 10 is covered by lines 8 and 9 together; the sets of lines 8 and 9 share an address.
TWO = """\
version: 1
sets:
  left: [192.0.2.0/25, 198.51.100.1, "2001:db8::/33"]
  right: [192.0.2.128/25, 198.51.100.1, "2001:db8:8000::/33"]
  inner: [192.0.2.1, "2001:db8::1"]
  outer: [192.0.0.0/16, 198.51.0.0/16, "2001:db8::/31"]
rules:
  - {to: left, then: drop}
  - {to: right, then: reject}
  - {to: [192.0.2.0/24, "2001:db8::/32"], port: 80, then: direct}
  - {in: lan0, to: inner, then: direct}
  - {to: outer, then: direct}
"""
COVERED = "policy.yaml:10:5: warning: no packet gets as far as this rule [shadowed-rule]"


def allow(text, line, comment):
	"""The text with a comment at the end of a line, counted from 1."""
	lines = text.splitlines()
	lines[line - 1] += f" {comment}"
	return "\n".join(lines) + "\n"


def test_covered(shop):
	"""a rule that two others shadow together: a warning with all three places, exit 0"""
	shop.write("policy.yaml", TWO)
	expect(shop.tpc("check", "policy.yaml"), 0, "policy.yaml: ok (",
		[COVERED, "policy.yaml:8:5: note: this one takes a part", "policy.yaml:9:5: note: ",
		"policy.yaml:11:5: warning"])


def test_notes(shop):
	"""notes: check shows the surprising ones, -v all, compile none without -v"""
	shop.write("policy.yaml", TWO)
	partly = 'policy.yaml:9:10: note: 198.51.100.1 is in "right" and in "left", whose rule comes first and wins [two-sets]'
	inside = 'note: 192.0.2.0 is in "outer" and in "left"'
	expect(shop.tpc("check", "policy.yaml"), 0, (), [partly])
	for words, wanted, unwanted in ((["check"], partly, inside),
			(["compile", "--emit", "ip"], COVERED, "[two-sets]"),
			(["compile", "-v", "--emit", "ip"], partly, "nothing")):
		done = shop.tpc(*words, "policy.yaml")
		expect(done, 0, (), [wanted])
		assert unwanted not in done.stderr, f"{words} says {unwanted}"
	assert inside in shop.tpc("check", "-v", "policy.yaml").stderr, "-v does not show sets that lie inside others"


def test_strict(shop):
	"""--strict: warnings are errors, notes are not; nothing is written"""
	shop.write("policy.yaml", TWO)
	shop.write("good.yaml", "version: 1\nsets: {a: [192.0.2.0/25, '2001:db8::1'], b: [192.0.2.1-192.0.2.200]}\n"
		"rules:\n  - {to: a, then: drop}\n  - {to: b, then: reject}\n")
	before = shop.listing()
	expect(shop.tpc("check", "--strict", "policy.yaml"), 1, (), "policy.yaml:10:5: error: no packet")
	expect(shop.tpc("compile", "--strict", "policy.yaml", "-o", "out"), 1, (), "error: no packet")
	expect(shop.tpc("apply", "--strict", "--dry-run", "policy.yaml"), 1, (), "error: no packet")
	expect(shop.tpc("check", "--strict", "good.yaml"), 0, "good.yaml: ok", "[two-sets]")
	assert shop.listing() == before, "files were written"


def test_allowed(shop):
	"""a comment allows one code in its line, and check says so"""
	text = allow(allow(TWO, 10, "# allow: covered-rule"), 11, "# allow: unused, shadowed-rule  since the move")
	shop.write("policy.yaml", text)
	done = shop.tpc("check", "policy.yaml")
	expect(done, 0, "2 silenced (policy.yaml:10 shadowed-rule, policy.yaml:11 shadowed-rule)",
		['policy.yaml:11:50: warning: this line has no warning "unused" [unneeded-allow]'])
	assert "[shadowed-rule]" not in done.stderr, "a rule is reported all the same"
	shop.write("policy.yaml", text.replace("unused, ", ""))
	expect(shop.tpc("check", "--strict", "policy.yaml"), 0, "2 silenced")


def test_not_allowed(shop):
	"""a comment elsewhere, in quotes, or of another code, allows nothing"""
	for line, comment in ((9, "# allow: shadowed-rule"), (10, "# allow: unused"), (10, "# allowed: shadowed-rule"),
			(10, "#nothing # allow : shadowed-rule")):
		shop.write("policy.yaml", allow(TWO, line, comment))
		expect(shop.tpc("check", "policy.yaml"), 0, "ok (", [COVERED])
	shop.write("policy.yaml", TWO.replace("port: 80,", 'port: 80, name: "x # allow: shadowed-rule",'))
	expect(shop.tpc("check", "policy.yaml"), 0, "ok (", [COVERED])


def test_wrong_codes(shop):
	"""an unknown code is reported with what was meant; an error is not allowed"""
	shop.write("policy.yaml", allow(TWO, 10, "# allow: shadwed-rule"))
	expect(shop.tpc("check", "policy.yaml"), 0, "ok (",
		['no warning has the code "shadwed-rule" [unneeded-allow]', 'did you mean "shadowed-rule"?'])
	shop.write("policy.yaml", allow(TWO.replace("to: left,", "to: lift,"), 8, "# allow: unknown-name"))
	expect(shop.tpc("check", "policy.yaml"), 1, (), "[unknown-name]")


def test_allowed_note(shop):
	"""a note can be allowed too, and that is no warning when notes are not shown"""
	shop.write("policy.yaml", allow(TWO, 9, "# allow: two-sets"))
	done = shop.tpc("check", "policy.yaml")
	expect(done, 0, "policy.yaml:9 two-sets", COVERED)
	assert "[two-sets]" not in done.stderr and "unneeded-allow" not in done.stderr, f"it says {done.stderr}"
	done = shop.tpc("compile", "--emit", "ip", "policy.yaml")
	assert "unneeded-allow" not in done.stderr, "compile takes it for unneeded"


def test_allowed_otherwise(shop):
	"""a comment with a capital, or after other text, allows too; one in its own line is reported with the right place"""
	for comment in ("# Allow: shadowed-rule", "# my note; allow: shadowed-rule", "# we ALLOW: shadowed-rule until May"):
		shop.write("policy.yaml", allow(TWO, 10, comment))
		expect(shop.tpc("check", "policy.yaml"), 0, "1 silenced (policy.yaml:10 shadowed-rule)", "11:5: warning")
	shop.write("policy.yaml", allow(TWO, 10, "# we allow: all of that"))
	done = shop.tpc("check", "policy.yaml")
	expect(done, 0, (), [COVERED])
	assert "unneeded-allow" not in done.stderr, "it reads prose"
	lines = TWO.splitlines()
	shop.write("policy.yaml", "\n".join(lines[:9] + ["  # allow: shadowed-rule"] + lines[9:]) + "\n")
	expect(shop.tpc("check", "policy.yaml"), 0, (),
		["policy.yaml:10:12: warning: this line has no warning", "put it at the end of the next line", "policy.yaml:11:5"])


def test_errors_first(shop):
	"""check says that fixing the errors may show more, unless all checks ran"""
	shop.write("policy.yaml", TWO.replace("to: left,", "to: lift,"))
	more = "policy.yaml: more errors may be found once these are fixed"
	expect(shop.tpc("check", "policy.yaml"), 1, None, [more, "[unknown-name]"])
	assert "once these are fixed" not in shop.tpc("check", "-q", "policy.yaml").stderr, "-q says it, too"
	shop.write("policy.yaml", TWO)
	assert "once these are fixed" not in shop.tpc("check", "--strict", "policy.yaml").stderr, "it is said where the proofs were made"


def test_counted(shop):
	"""check and compile count the sets of the policy, at each -O"""
	shop.write("policy.yaml", TWO)
	expect(shop.tpc("check", "policy.yaml"), 0, "ok (5 rules, 4 sets, 0 expectations)", ())
	for level in ("-O0", "-O1"):
		expect(shop.tpc("compile", level, "policy.yaml", "-o", "out"), 0, "5 rules, 4 sets", ())


def test_included(shop):
	"""included files have their own lines"""
	head, rules = TWO.split("rules:\n")
	shop.write("policy.yaml", head + "include: [more.yaml]\nrules:\n  - {to: 203.0.113.1, family: ipv4, then: drop}\n")
	shop.write("more.yaml", "rules:\n" + allow(rules, 3, "# allow: shadowed-rule"))
	expect(shop.tpc("check", "policy.yaml"), 0, "1 silenced (more.yaml:4 shadowed-rule)", "more.yaml:5:5: warning")


def test_as_json(shop):
	"""--format json: severities, and what is allowed where"""
	shop.write("policy.yaml", allow(TWO, 10, "# allow: shadowed-rule"))
	done = shop.tpc("check", "--format", "json", "policy.yaml")
	expect(done, 0, (), None)
	objects = [json.loads(line) for line in done.stdout.splitlines()]
	verdict = [item for item in objects if "policy" in item][0]
	found = sorted({(item["severity"], item["code"], item["line"]) for item in objects if "code" in item})
	assert verdict["silenced"] == [{"file": "policy.yaml", "line": 10, "code": "shadowed-rule"}], f"silenced: {verdict['silenced']}"
	assert verdict["warnings"] == 1 and not verdict["errors"], f"it counts {verdict}"
	assert found == [("note", "two-sets", 9), ("warning", "shadowed-rule", 11)], f"it says {found}"


def shown(shop, text, *words):
	"""What check says of a policy: (line, code) of each."""
	shop.write("policy.yaml", "version: 1\n" + text)
	done = shop.tpc("check", "--format", "json", *words, "policy.yaml")
	return [(item["line"], item["code"]) for item in map(json.loads, done.stdout.splitlines()) if "code" in item]


def expect_told(shop, codes, cases, *words):
	"""Of each policy (which begins in line 2) what is said under these codes, and nothing else of them."""
	for text, wanted in cases:
		found = [item for item in shown(shop, text, *words) if item[1] in codes.split()]
		assert found == wanted, f"{found}, not {wanted}, of\n{text}"


OFFICE = """\
tables: {office: {routes: [%s], endpoint: %s, masquerade: true, fallback: %s%s}}
rules: [{scope: both, family: %s, then: {route: office}}]
"""
NARROW = "{to: 10.20.0.0/16, dev: wg0}"
WIDE = "{to: default, dev: wg0}"
ONE = "192.0.2.9"
SIX = '"2001:db8::9"'


def test_endpoint_routes(shop):
	"""endpoint: only a route of the table into the tunnel's interface is a loop"""
	host = "{to: 192.0.2.9/32, via: 198.51.100.1, dev: wan0}"
	error, quiet = [(2, "endpoint-inside")], []
	def office(route, end=ONE, fallback="main", more="", family="ipv4"):
		return OFFICE % (route, end, fallback, more, family)
	main = ", prefer_main: true"
	expect_told(shop, "endpoint-inside tunnel-loop", [
		(office(NARROW), quiet),
		(office(NARROW, fallback="unreachable"), quiet),
		(office(WIDE), error),
		(office("{to: 192.0.2.0/24, dev: wg0}"), error),
		(office(f"{WIDE}, {host}"), quiet),
		(office(f"{WIDE}, {{to: 192.0.2.0/24, dev: wan0}}"), quiet),
		(office(f"{WIDE}, {{to: 192.0.2.0/24, type: throw}}"), quiet),
		(office(f"{WIDE}, {{to: 192.0.2.9/32, type: blackhole}}"), quiet),
		(office(f"{{to: default, dev: office0}}, {host}"), quiet),
		(office("{to: default, dev: office0}, {to: 10.0.0.0/8, dev: lan0}"), error),
		(office(WIDE, more=main), [(2, "tunnel-loop")]),
		(office(NARROW, more=main), quiet),
		(office(f"{WIDE}, {host}", more=main), quiet),
		(office(f"{WIDE}, {{to: 192.0.2.9/32, type: throw}}", more=main), quiet),
		(office("{to: 0.0.0.0/0, dev: wg0}", SIX, "unreachable", main, "[ipv4, ipv6]"), quiet),
		(office(WIDE, SIX, "unreachable", main, "[ipv4, ipv6]"), [(2, "tunnel-loop")]),
	])


def test_unknown_ends(shop):
	"""a tunnel without an endpoint is a warning if it has a wide route"""
	rules = ", masquerade: true, prefer_main: true}}\nrules: [{scope: local, family: ipv4, then: {route: vpn}}]\n"
	loop = [(3, "tunnel-loop")]
	expect_told(shop, "endpoint-inside tunnel-loop", [
		("tables: {vpn: {dev: wg0" + rules, loop),
		("tables: {vpn: {routes: [{to: 0.0.0.0/1, dev: wg0}, {to: 128.0.0.0/1, dev: wg0}]" + rules, loop),
		("tables: {vpn: {routes: [{to: 10.20.0.0/16, dev: wg0}]" + rules, []),
	])


def test_tunnels_in_rows(shop):
	"""tunnels through another table, and through each other"""
	tables = "tables: {wan: {via: 198.51.100.1, dev: eth0, masquerade: true}, " \
		"vpn: {dev: wg0, endpoint: 192.0.2.9, masquerade: true}}\n"
	pair = "tables: {a: {dev: tuna0, endpoint: 192.0.2.9, masquerade: true}, " \
		"b: {dev: tunb0, endpoint: 203.0.113.9, masquerade: true}}\nrules:\n"
	row = "rules:\n%s  - {scope: both, family: ipv4, to: {not: private}, then: {route: [%s]}}\n"
	to = "  - {scope: local, to: %s, then: {route: %s}}\n"
	expect_told(shop, "endpoint-inside tunnel-loop", [
		(tables + row % ("", "wan, vpn, unreachable"), [(2, "tunnel-loop")]),
		(tables + row % ("", "vpn, wan, unreachable"), [(2, "endpoint-inside")]),
		(tables + row % ("  - {scope: local, to: 192.0.2.9, then: direct}\n", "wan, vpn, unreachable"), []),
		(tables + row % ("  - {scope: local, to: 192.0.2.9, then: {route: wan}}\n", "vpn, wan"), []),
		(pair + to % ("192.0.2.9", "b") + to % ("203.0.113.9", "a"), [(2, "tunnel-loop")]),
		(pair + to % ("192.0.2.9", "b") + to % ("192.0.2.0/24", "a"), []),
	])


WAN = "tables: {wan: {via: [198.51.100.1, '2001:db8::1'], dev: eth0, masquerade: true%s}}\nrules:\n"


def test_lans(shop):
	"""lan-included: earlier rules, and the table, may except the host's networks"""
	def policy(*rules, table=""):
		return WAN % table + "".join(f"  - {{scope: local, {rule}}}\n" for rule in rules)
	def at(line):
		return [(line, "lan-included")]
	wan = "then: {route: wan}"
	private = "to: private, then: direct"
	expect_told(shop, "lan-included", [
		(policy(wan), at(4)),
		(policy(private, wan), []),
		(policy("to: private, then: drop", wan), []),
		(policy("to: 192.168.1.0/24, then: direct", wan), []),
		(policy("to: [10.0.0.0/8, 172.16.0.0/12, 192.168.0.0/16], then: direct", wan), []),
		(policy("to: 192.168.1.1, then: direct", wan), at(5)),
		(policy("to: private, proto: udp, then: direct", wan), at(5)),
		(policy("to: private, proto: tcp, then: direct", "proto: tcp, " + wan), []),
		(policy("to: private, user: alice, then: direct", wan), at(5)),
		(policy(wan, private), at(4)),
		(policy("to: {not: 203.0.113.0/24}, " + wan), at(4)),
		(policy("to: any, " + wan), at(4)),
		(policy("to: {not: private}, " + wan), []),
		(policy("to: private, " + wan), []),
		(policy("to: 203.0.113.0/24, " + wan), []),
		(policy("user: alice, " + wan), []),
		(policy(wan, table=", prefer_main: true"), []),
		("tables: {wg: {routes: [{to: 10.20.0.0/16, dev: wg0}], masquerade: true}}\nrules:\n  - {scope: local, "
			"then: {route: wg}}\n", []),
		(WAN % "" + "  - {scope: local, to: private, then: direct}\ndefault: {local: {route: wan}}\n", []),
		(WAN % "" + "  - {to: private, then: direct}\ndefault: {local: {route: wan}}\n", at(5)),
	])


PROXY = "listeners: {p: {tproxy: 1, runs_as: {user: 5}%s}}\n"


def test_lans_proxied(shop):
	"""lan-included: for listeners as for tables"""
	def policy(*rules, more=""):
		return PROXY % more + "rules:\n" + "".join(f"  - {{{rule}}}\n" for rule in rules)
	def at(line):
		return [(line, "lan-included")]
	proxy = "scope: local, then: {proxy: p}"
	expect_told(shop, "lan-included", [
		(policy(proxy), at(4)),
		(policy("scope: both, proto: tcp, then: {proxy: p}"), at(4)),
		(policy("then: {proxy: p}"), []),
		(policy("scope: local, to: private, then: direct", proxy), []),
		(policy("scope: local, to: 192.168.7.0/24, then: direct", proxy), []),
		(policy("scope: local, to: {not: private}, then: {proxy: p}"), []),
		(policy("user: 7, then: {proxy: p}"), []),
		(PROXY % "" + "default: {local: {proxy: p}}\n", at(3)),
		(WAN % "" + "  - {scope: local, then: {route: [main, wan]}}\n", []),
	])


def test_narrowed(shop):
	"""listener-narrows: none if the rule has proto, or other rules or the default take the rest"""
	def policy(*rules, listener="{redirect: 53}", more=""):
		return f"listeners: {{dns: {listener}, other: {{tproxy: 9}}}}\nrules:\n" \
			+ "".join(f"  - {{{rule}}}\n" for rule in rules) + more
	def at(line):
		return [(line, "listener-narrows")]
	dns = "port: dns, then: {proxy: dns}"
	rest = "then: {proxy: other}"
	expect_told(shop, "listener-narrows", [
		(policy(dns), at(4)),
		(policy("then: {proxy: dns}"), at(4)),
		(policy("proto: {not: icmp}, then: {proxy: dns}"), at(4)),
		(policy("to: 192.0.2.1, then: {proxy: dns}", listener="{tproxy: 53, protocols: tcp}"), at(4)),
		(policy(dns, listener="{tproxy: 53, protocols: udp}"), at(4)),
		(policy(dns, listener="{tproxy: 53}"), []),
		(policy(dns, listener="{redirect: 53, protocols: [udp, tcp]}"), []),
		(policy("proto: tcp, " + dns), []),
		(policy("app: http, then: drop", "proto: tcp, then: {proxy: dns}"), []),
		(policy(dns, "port: dns, proto: udp, " + rest), []),
		(policy(dns, "proto: udp, then: reject"), []),
		(policy("proto: udp, then: direct", dns), []),
		(policy("in: lan0, " + dns, "in: lan0, port: 1-100, " + rest), []),
		(policy("in: lan0, " + dns, "in: lan1, port: dns, " + rest), at(4)),
		(policy(dns, "in: lan0, port: dns, " + rest), at(4)),
		(policy(dns, "to: 192.0.2.0/24, port: dns, " + rest), at(4)),
		(policy(dns, "family: ipv4, port: dns, " + rest, "family: ipv6, port: dns, then: drop"), []),
		(policy(dns, "port: dns, limit: 5/second, " + rest), at(4)),
		(policy("scope: both, " + dns, "port: dns, then: drop", listener="{redirect: 53, runs_as: {user: 5}}"), at(4)),
		(policy(dns, more="default: reject\n"), []),
		(policy(dns, more="default: {local: reject}\n"), at(4)),
		(policy("port: 80, then: drop", more="default: {proxy: dns}\n"), at(5)),
		(policy("proto: udp, then: reject", more="default: {proxy: dns}\n"), []),
	])


def test_open_hosts(shop):
	"""host-left-open: senders that are refused, and still reach this host"""
	sets = "sets:\n  banned: {dynamic: true}\n  kids: {dynamic: true, elements: [10.0.0.9]}\n  far: [203.0.113.0/24]\nrules:\n"
	def policy(*rules, more=""):
		return sets + "".join(f"  - {{{rule}}}\n" for rule in rules) + more
	def at(line):
		return [(line, "host-left-open")]
	ban = "from: banned, then: drop"
	expect_told(shop, "host-left-open", [
		(policy(ban), at(7)),
		(policy("from: far, then: reject"), at(7)),
		(policy("scope: both, from: far, to: any, then: drop"), at(7)),
		(policy("in: wan0, from: [far, private], then: drop"), at(7)),
		(policy("from: far, to: [any, 192.0.2.1, '2001:db8::1'], then: drop"), at(7)),
		(policy("scope: forward, " + ban), []),
		(policy("from: banned, to: [any, local], then: drop"), []),
		(policy(ban, "from: banned, to: local, then: drop"), []),
		(policy(ban, "from: far, to: local, then: drop"), at(7)),
		(policy("to: local, port: ssh, then: direct", "to: local, then: drop", ban), []),
		(policy("from: kids, then: drop"), []),
		(policy("from: [far, private], then: drop"), []),
		(policy("from: far, to: 192.0.2.1, then: drop"), []),
		(policy("from: far, out: lan0, then: drop"), []),
		(policy("from: {not: far}, then: drop"), []),
		(policy("from: any, then: drop"), []),
		(policy("then: drop"), []),
	])


def test_sources(shop):
	"""needs-masquerade: none if the rule names the address, no route leads out, or main comes first"""
	def policy(rule, table="{via: [198.51.100.1, '2001:db8::1'], dev: eth0}", more=""):
		return f"sets: {{mine: [198.51.100.10, '2001:db8::10']}}\ntables: {{two: {table}, three: {{dev: eth1, masquerade: true}}}}\n" \
			f"rules:\n  - {{scope: local, {rule}}}\n{more}"
	reported = [(5, "needs-masquerade")]
	two = "then: {route: two}"
	snat = "{via: [198.51.100.1, '2001:db8::1'], snat: 198.51.100.9}"
	expect_told(shop, "needs-masquerade no-effect", [
		(policy(two), reported),
		(policy("from: any, " + two), reported),
		(policy("from: {not: mine}, " + two), reported),
		(policy("from: mine, " + two), []),
		(policy("from: 198.51.100.10, " + two), []),
		(policy("from: 198.51.100.10, then: {balance: {two: 1, three: 1}}"), []),
		(policy(two, "{routes: [{type: local, dev: lo}]}"), []),
		(policy(two, "{routes: [{type: blackhole}, {to: 192.0.2.0/24, type: throw}]}"), []),
		(policy(two, "{routes: [{type: unreachable}], masquerade: true}"), [(3, "no-effect")]),
		(policy(two, "{routes: [{type: local, dev: lo}], snat: 192.0.2.1}"), [(3, "no-effect")]),
		(policy(two, "{routes: [{type: blackhole}, {to: 192.0.2.0/24, dev: eth0}], masquerade: true}"), []),
		(policy(two, snat), reported),
		(policy("to: 203.0.113.1, " + two, snat), []),
		(policy("then: {route: [main, two]}"), []),
		(policy("then: {route: [three, two]}"), reported),
		(policy("port: 80, then: drop", more="default: {local: {route: two}}\n"), [(6, "needs-masquerade")]),
	])


def test_unused(shop):
	"""unused: not a table with replies of its own interface, nor a listener that spoofs"""
	def at(line):
		return [(line, "unused")]
	expect_told(shop, "unused", [
		("tables: {a: {dev: eth0}}\n", []),
		("tables: {a: {via: 192.0.2.1, dev: eth0}}\n", []),
		("tables: {a: {routes: [{dev: eth0, metric: 1}, {dev: eth1, metric: 2}]}}\n", []),
		("tables: {a: {via: 192.0.2.1}}\n", at(2)),
		("tables: {a: {routes: [{to: 10.0.0.0/8, dev: eth0}]}}\n", []),
		("tables: {a: {routes: [{to: 10.0.0.0/8, via: 192.0.2.1}]}}\n", at(2)),
		("tables:\n  a: {dev: eth0}\n  b: {dev: eth0}\n", at(4)),
		("tables:\n  a: {via: 192.0.2.1, dev: eth0}\n  b: {via: 192.0.2.1, dev: eth0}\n", at(4)),
		("tables:\n  a: {via: 192.0.2.1, dev: eth0}\n  b: {via: 192.0.2.9, dev: eth0}\n", []),
		("settings: {ipv6: off}\ntables: {a: {via: '2001:db8::1', dev: eth0}}\n", at(3)),
		("listeners: {p: {tproxy: 1}}\n", at(2)),
		("listeners: {p: {tproxy: 1, spoofs_client: true}}\n", []),
		("listeners: {p: {tproxy: 1, runs_as: {user: 5}}}\n", []),
	])


def test_own_marks(shop):
	"""own-mark: a listener with an identity, and a mark that its program may set"""
	expect_told(shop, "own-mark", [
		("listeners: {p: {tproxy: 1, mark: 255, runs_as: {user: 5}}}\n", [(2, "own-mark")]),
		("listeners: {p: {tproxy: 1, mark: {value: 1, mask: 3}, runs_as: [{mark: 4}, {cgroup: a.slice}]}}\n", [(2, "own-mark")]),
		("listeners: {p: {redirect: 1, mark: {value: 1, mask: 3}, runs_as: {cgroup: a.slice}}}\n", [(2, "own-mark")]),
		("listeners: {p: {tproxy: 1, mark: 255, runs_as: {user: 5}}} # allow: own-mark\n", []),
		("listeners: {p: {tproxy: 1, runs_as: {user: 5}}}\n", []),
		("listeners: {p: {tproxy: 1, mark: 255, runs_as: {mark: 254}}}\n", []),
		("listeners: {p: {tproxy: 1, mark: 255}}\n", []),
	])


def test_one_family(shop):
	"""a listener of one family: the help is about the listener, not about destinations"""
	def helped(listener, rule="port: 80"):
		shop.write("policy.yaml", f"version: 1\nlisteners: {{p: {listener}}}\nrules:\n  - {{{rule}, then: {{proxy: p}}}}\n")
		return shop.tpc("check", "policy.yaml").stderr
	for listener, rule, wanted in (
			("{tproxy: {port: 1, address: 127.0.0.1}}", "port: 80", "give the listener an IPv6 address, too: `{tproxy: "),
			('{dnat: "192.0.2.9:80"}', "port: 80", "give the listener an IPv6 address, too: `{dnat: "),
			('{dnat: "127.0.0.1:80"}', "in: lan0, port: 80", "use `{redirect: PORT}`, which takes IPv6, too"),
			('{tproxy: {port: 1, address: "::1"}}', "port: 80", "[ipv4-uncovered]")):
		said = helped(listener, rule)
		assert wanted in said and "destinations too" not in said, f"{said}, not {wanted}"
	for rule in ("port: 80, family: ipv6", 'to: "2001:db8::1"'):
		assert "ipv4-uncovered" not in helped('{tproxy: {port: 1, address: "::1"}}', rule), f"a warning of {rule}"


def test_families(shop):
	"""ipv6-uncovered: a rule that captures only IPv4, whatever other rules match"""
	head = "tables: {vpn: {dev: tun0, fallback: unreachable, endpoint: 192.0.2.9, masquerade: true}}\nrules:\n"
	def policy(*rules, more=""):
		return more + head + "".join(f"  - {{{rule}}}\n" for rule in rules)
	def at(line):
		return [(line, "ipv6-uncovered")]
	vpn = "in: br0, from: 192.168.1.0/24, then: {route: vpn}"
	expect_told(shop, "ipv6-uncovered", [
		(policy("in: br9, then: drop", vpn), at(5)),
		(policy("in: br9, then: drop", vpn, vpn.replace("1.0", "2.0"), vpn.replace("1.0", "3.0")), at(5)),
		(policy(vpn), at(4)),
		(policy("in: br9, then: drop", "family: ipv4, " + vpn), []),
		(policy("family: ipv4, " + vpn), []),
		(policy(vpn, "in: br0, from: 'fd00::/64', then: {route: vpn}"), []),
		(policy(vpn, "in: br0, family: ipv6, then: direct"), []),
		(policy(vpn, "in: br0, then: reject"), []),
		(policy(vpn, "in: 'br*', then: reject"), []),
		(policy(vpn, "in: br0, to: 'any', port: 25, proto: tcp, then: reject"), at(4)),
		(policy(vpn, "in: br9, then: drop", more="settings: {ipv6: block}\n"), []),
		(policy(vpn, "in: br9, then: drop", more="settings: {ipv6: off}\n"), []),
		(policy("in: br9, then: drop", "in: br0, to: 203.0.113.7, then: {route: vpn}"), []),
		(policy("in: br9, then: drop", "in: br0, to: 203.0.113.7, then: drop"), []),
		(policy("in: br9, then: drop", vpn) + "default: {forward: drop}\n", []),
		(policy("scope: local, then: drop", vpn) + "default: {local: drop}\n", at(5)),
	])
	shop.write("policy.yaml", "version: 1\n" + policy("in: br9, then: drop", vpn, vpn.replace("1.0", "2.0"),
		vpn.replace("1.0", "3.0")))
	expect(shop.tpc("check", "policy.yaml"), 0, (),
		["IPv6 of the same hosts goes its usual way", "so are this rule and 1 more"])


def test_known_numbers(shop):
	"""known-number: allocation avoids them; explicit numbers are compared with their mask"""
	def table(more):
		return f"tables: {{a: {{via: [192.0.2.1, '2001:db8::1'], dev: eth1, {more}}}}}\nrules:\n  - {{then: {{route: a}}}}\n"
	many = "tables:\n" + "".join(f"  t{n}: {{via: 192.0.2.{n}, dev: eth{n}}}\n" for n in range(1, 31)) + "rules:\n" \
		+ "".join(f"  - {{to: 203.0.113.{n}, then: {{route: t{n}}}}}\n" for n in range(1, 31))
	at, none = [(2, "known-number")], []
	expect_told(shop, "known-number", [
		(many, none),
		(many.replace("dev: eth5}", "dev: eth5, id: 7120}"), [(7, "known-number")]),
		(table("mark: {value: 0x0100, mask: 0xff00}"), at),
		(table("mark: {value: 0x10000000, mask: 0x70000000}"), none),
		(table("mark: 0x10000000"), none),
		(table("id: 220"), at),
		(table("priority: 220"), at),
		(table("id: 221, priority: 221"), none),
		("settings: {priority: 5209}\n" + table("metric: 5"), none),
	])
	shop.write("policy.yaml", "version: 1\n" + many)
	out = shop.tpc("compile", "--emit", "ip", "policy.yaml").stdout
	assert not [f"table {number} is {word}" for number, there, word in ((7120, False, "given out"),
		(7121, True, "not given out")) if (f"table {number}" in out) != there]
	shop.write("policy.yaml", "version: 1\nsettings: {table_ids: 7119-7120, mark_mask: 0xc000, priority: 5209}\n" + table("metric: 5"))
	out = shop.tpc("compile", "--emit", "ip", "policy.yaml")
	assert "0x4000" in out.stdout and "5271" in out.stdout, f"known marks are not used at last: {out}"


def test_built_in_sets(shop):
	"""two-sets: built-in sets whose rule takes a part of a later one"""
	def policy(first, second):
		return "sets: {lists: [10.50.0.0/16, 203.0.113.0/24]}\ntables: {corp: {via: 192.0.2.1, dev: eth1}}\nrules:\n" \
			f"  - {{in: br0, {first}}}\n  - {{in: br0, {second}}}\n"
	private, corp = "to: private, then: direct", "to: lists, then: {route: corp}"
	at, none = [(6, "two-sets")], []
	expect_told(shop, "two-sets", [
		(policy(private, corp), at),
		(policy("to: bogons, then: drop", corp.replace("lists", "[lists, 8.0.0.0/8]")), at),
		(policy(corp, private), none),
		(policy(private, "to: any, then: {route: corp}"), none),
		(policy("to: bogons, then: drop", private), none),
		(policy("to: {not: private}, then: direct", corp), none),
	], "-v")
