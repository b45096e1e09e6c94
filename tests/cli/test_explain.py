"""tpc explain: which rule takes a packet, where it goes, and what of the rules before did not hold."""
import json
import random

from cli import SEED, WRONG, expect

POLICY = """version: 1
sets:
  far: [203.0.113.0/24, 198.51.100.7, "2001:db8:113::/48"]
listeners:
  proxy: {tproxy: 12345, mark: 100, table: 100, runs_as: {user: proxyd}} # allow: own-mark
  near: {redirect: 3128}
tables:
  vpn: {dev: wg0, fallback: unreachable, id: 200, mark: 0x200, priority: 11000, masquerade: true}
  isp: {id: 7100, routes: [{to: 203.0.113.128/25, via: 192.0.2.1, dev: eth1}, {to: 203.0.113.0/24, dev: eth2}], prefer_main: true}
rules:
  - {name: guests, in: guest0, then: {reject: admin-prohibited}}
  - {count: true, proto: udp, then: continue}
  - {user: backup, then: {route: vpn}}
  - {from: 10.0.0.0/8, to: far, proto: tcp,
     port: [80, "440-449"], then: {proxy: proxy}}
  - {to: far, proto: udp, then: {route: vpn}}
  - {to: 203.0.113.0/24, proto: icmp, then: {route: isp}}
  - {proto: tcp, port: 8080, then: {proxy: near}}
  - {in: lan1, then: {balance: {vpn: 3, isp: 1}, by: source}}
  - {in: lan2, then: {mark: {value: 0x10, mask: 0xf0}}}
  - {in: lan3, then: drop}
default: {local: {route: vpn}}
"""
WEB = ("in=lan0", "from=10.1.2.3", "to=203.0.113.9", "proto=tcp", "port=443")


def ask(shop, *words, policy=POLICY):
	"""The answer as an object."""
	shop.write("policy.yaml", policy)
	done = shop.tpc("explain", "policy.yaml", *words, "--format", "json")
	expect(done, 0, (), None)
	return json.loads(done.stdout)


def other(answer, **wanted):
	assert not [f"{key} is {answer.get(key)!r}, not {value!r}" for key, value in wanted.items() if answer.get(key) != value]


def failed(answer):
	return [(item["line"], item["condition"]) for item in answer.get("failed", [])]


AWAY = """version: 1
listeners:
  one: {dnat: ["192.0.2.9:80", "[2001:db8::9]:80"]}
  two: {dnat: "192.0.2.10:80", runs_as: {port: 4000-4009}}
rules:
  - {proto: tcp, port: 80, then: {proxy: one}}
  - {from: 192.0.2.0/24, then: {proxy: two}}
default: drop
"""


def test_away(shop):
	"""packets from a dnat listener's own address: the rule that takes them, and why not the one of the listener"""
	for source, port, sport, verdict, reason, why in (
			("192.0.2.7", 80, 1, "proxy", None, []), ("192.0.2.9", 80, 1, "proxy", None, ["one"]),
			("2001:db8::9", 80, 1, "drop", "the default", ["one"]), ("192.0.2.10", 81, 4010, "drop", "the default", ["two"]),
			("192.0.2.10", 81, 4009, "direct", "sends itself", [])):
		to = "2001:db8::1" if ":" in source else "203.0.113.1"
		answer = ask(shop, f"from={source}", f"to={to}", "proto=tcp", f"port={port}", f"sport={sport}", policy=AWAY)
		said = [text for _, text in failed(answer) if "itself" in (text or "")]
		wanted = [f"from: {source} is the listener {name} itself" for name in why]
		other(answer, verdict=verdict)
		assert (reason or "") in (answer.get("reason") or ""), f"{source}: {answer.get('reason')!r}, not {reason!r}"
		assert said == wanted, f"{source}: {said}, not {wanted}"


def test_proxied(shop):
	"""a packet for a proxy: rule, set, element, mark, ip rule, table, route, listener"""
	answer = ask(shop, *WEB)
	other(answer, verdict="proxy", target="proxy", reason=None,
		rule={"file": "policy.yaml", "line": 14, "name": None}, mark={"value": 100, "mask": 0xffffffff},
		table={"name": "proxy", "id": 100}, ip_rule=10000, route="local default dev lo table 100 protocol 116",
		listener={"mode": "tproxy", "address": "127.0.0.1", "port": 12345}, set="far_v4",
		element="203.0.113.0/24", passed=[], balance=None)


LISTS = """version: 1
macs:
  phones: [02:00:5e:10:00:10-02:00:5e:10:00:1f]
  all-of-them: [phones, 02:00:5e:10:00:30]
ports:
  web: [http, 8000-8099]
  mail: [25]
rules:
  - {mac: all-of-them, port: [mail, web], sport: {not: mail}, then: drop}
  - {port: mail, then: reject}
"""


def test_lists(shop):
	"""lists of macs and ports are named with the matching element, as text and JSON"""
	words = ("mac=02:00:5e:10:00:11", "to=203.0.113.9", "sport=9", "port=8001")
	answer = ask(shop, *words, policy=LISTS)
	other(answer, verdict="drop", lists=[
		{"key": "mac", "name": "all-of-them", "element": "02:00:5e:10:00:10-02:00:5e:10:00:1f"},
		{"key": "port", "name": "web", "element": "8000-8099"}])
	expect(shop.tpc("explain", "policy.yaml", *words), 0,
		["  list      all-of-them of mac, by its element 02:00:5e:10:00:10-02:00:5e:10:00:1f\n",
			"  list      web of port, by its element 8000-8099\n"])
	answer = ask(shop, "to=203.0.113.9", "port=25", policy=LISTS)
	other(answer, verdict="reject", lists=[{"key": "port", "name": "mail", "element": "25"}])


def test_proxied_six(shop):
	"""the same in IPv6, with an element of its own"""
	answer = ask(shop, "in=lan0", "to=2001:db8:113::9", "proto=udp", "port=443")
	other(answer, verdict="route", target="vpn", set="far_v6", element="2001:db8:113::/48",
		table={"name": "vpn", "id": 200}, ip_rule=11000, route="default dev wg0 table 200 protocol 116",
		listener=None)


def test_before(shop):
	"""every earlier rule with its first failed condition; rules that continue are separate"""
	answer = ask(shop, "in=lan0", "from=10.1.2.3", "to=203.0.113.9", "proto=udp", "port=443")
	other(answer, verdict="route", rule={"file": "policy.yaml", "line": 16, "name": None},
		passed=[{"file": "policy.yaml", "line": 12, "name": None}])
	found, wanted = failed(answer), [(11, "in: guest0"), (13, "scope: local"), (14, "proto: tcp")]
	assert found == wanted, f"failed are {found}, not {wanted}"
	assert answer["failed"][0]["name"] == "guests", "the rule's name is missing"


def test_furthest(shop):
	"""of a rule that is many nft rules the one that matched furthest counts"""
	answer = ask(shop, "in=lan0", "from=10.1.2.3", "to=203.0.113.9", "proto=tcp", "port=450")
	found = dict(failed(answer)).get(14)
	assert found == 'port: [80, "440-449"]', f"it is {found}"
	answer = ask(shop, "in=lan0", "from=11.1.2.3", "to=203.0.113.9", "proto=tcp", "port=80")
	found = dict(failed(answer)).get(14)
	assert found == "from: 10.0.0.0/8", f"it is {found}"


def test_alternatives(shop):
	"""the failed alternative of conditions with many, and of both families"""
	policy = SEED + """  - {from: [10.0.0.0/8, "fd00::/8"], to: foreign, then: drop}
  - {proto: tcp, payload: {contains: secret, within: 64}, then: drop}
  - {proto: udp, port: 53, payload: {not: {contains: secret, within: 64}}, then: drop}
  - {port: 22, to: foreign, payload: {starts_with: SSH}, then: drop}
"""
	for words, line, condition in (
			(("from=10.0.0.1", "to=192.0.2.1"), 8, "to: foreign"),
			(("from=fd00::1", "to=2001:db8::1"), 8, "to: foreign"),
			(("from=192.0.2.1", "to=203.0.113.1", "proto=udp"), 8, 'from: [10.0.0.0/8, "fd00::/8"]'),
			(("to=192.0.2.1", "proto=tcp"), 9, "payload: {contains: secret, within: 64}"),
			(("to=192.0.2.1", "payload=something else that has no such word in it at all"), 9,
				"payload: {contains: secret, within: 64}"),
			(("to=192.0.2.1", "proto=udp", "port=53", "payload=is it secret?"), 10,
				"payload: {not: {contains: secret, within: 64}}"),
			(("to=203.0.113.1", "proto=udp", "port=22", "payload=HTTP"), 11, "payload: {starts_with: SSH}"),
			(("to=192.0.2.1", "proto=udp", "port=22", "payload=SSH"), 11, "to: foreign")):
		answer = ask(shop, *words, policy=policy)
		found = dict(failed(answer)).get(line)
		assert found == condition, f"{words}: {found!r}, not {condition!r}"


def test_refused(shop):
	"""drop and reject have neither mark nor table"""
	answer = ask(shop, "in=guest0", "to=192.0.2.9")
	other(answer, verdict="reject", target=None, mark=None, table=None, ip_rule=None, route=None,
		rule={"file": "policy.yaml", "line": 11, "name": "guests"}, failed=[])
	answer = ask(shop, "in=lan3", "to=192.0.2.9")
	other(answer, verdict="drop", mark=None, set=None, element=None)


def test_routes(shop):
	"""the longest prefix of the table's routes; main before it is unknown"""
	answer = ask(shop, "to=203.0.113.200", "proto=icmp")
	other(answer, verdict="route", target="isp",
		route="203.0.113.128/25 via 192.0.2.1 dev eth1 table 7100 protocol 116", set=None, element="203.0.113.0/24")
	answer = ask(shop, "to=203.0.113.100", "proto=icmp")
	other(answer, route="203.0.113.0/24 dev eth2 table 7100 protocol 116")
	expect(shop.tpc("explain", "policy.yaml", "to=203.0.113.100", "proto=icmp"), 0,
		["{route: isp}", "only the host knows", "dev eth2"], None)


def test_others(shop):
	"""a redirect listener, a weighted choice, a bare mark"""
	answer = ask(shop, "in=lan9", "to=192.0.2.9", "port=8080")
	other(answer, verdict="proxy", target="near", table=None, ip_rule=None, route=None)
	other(answer, listener={"mode": "redirect", "address": None, "port": 3128})
	answer = ask(shop, "in=lan1", "to=192.0.2.9")
	other(answer, verdict="balance", target=None, mark=None, balance={"by": "source",
		"shares": [{"table": "vpn", "share": 3}, {"table": "isp", "share": 1}]})
	answer = ask(shop, "in=lan2", "to=192.0.2.9", "mark=5")
	other(answer, verdict="mark", target=None, mark={"value": 0x10, "mask": 0xf0}, table=None)
	whole = POLICY.replace("{mark: {value: 0x10, mask: 0xf0}}", "{mark: 0x10, connection: true}")
	answer = ask(shop, "in=lan2", "to=192.0.2.9", policy=whole)
	other(answer, mark={"value": 0x10, "mask": 0xffffffff, "connection": True})
	expect(shop.tpc("explain", "policy.yaml", "in=lan2", "to=192.0.2.9"), 0, "{mark: 0x10, connection: true}\n", None)
	shop.write("policy.yaml", POLICY)
	expect(shop.tpc("explain", "policy.yaml", "in=lan2", "to=192.0.2.9"), 0,
		"{mark: {value: 0x10, mask: 0xf0}}\n", None)


def test_reasons(shop):
	"""the default and guarantees are reasons without a rule"""
	answer = ask(shop, "in=lan0", "to=192.0.2.9")
	other(answer, verdict="direct", rule=None, reason="no rule takes it: the default", mark=None)
	assert len(failed(answer)) == 10, f"failed are {failed(answer)}"
	for words, verdict, reason in (
			(("in=lan3", "to=local"), "direct", "the host stays a host"),
			(("in=lan3", "to=127.0.0.1"), "direct", "the host stays a host"),
			(("in=lan3", "to=255.255.255.255"), "direct", "the host stays a host"),
			(("in=lan3", "to=ff02::fb"), "direct", "the host stays a host"),
			(("in=lo", "to=192.0.2.9"), "direct", "what this host sends to itself"),
			(("in=lan3", "to=local", "port=12345"), "reject", "a connection straight to a listener would loop"),
			(("user=proxyd", "to=203.0.113.9", "port=80"), "direct", "what the listeners themselves send"),
			(("scope=local", "to=203.0.113.9", "port=22"), "route", "no rule takes it: the default")):
		answer = ask(shop, *words)
		other(answer, verdict=verdict, rule=None, reason=reason)
	answer = ask(shop, "scope=local", "to=203.0.113.9", policy=SEED)
	other(answer, verdict="direct", rule=None,
		reason="the policy has no rules for local packets")


def test_words_of(shop):
	"""text output: the verdict and the reasons, one line each"""
	shop.write("policy.yaml", POLICY)
	expect(shop.tpc("explain", "policy.yaml", *WEB), 0, ["{proxy: proxy}\n", "policy.yaml:14\n",
		"far_v4, by its element 203.0.113.0/24", "0x00000064/0xffffffff", "10000", "proxy (100)",
		"tproxy, 127.0.0.1:12345", 'policy.yaml:11 "guests"  in: guest0\n'], None)
	expect(shop.tpc("explain", "policy.yaml", "in=lan0", "proto=udp", "to=192.0.2.1"), 0,
		["direct\n", "no rule takes it: the default", "policy.yaml:12  matches, and continues\n"], None)


def test_not_given(shop):
	"""a missing key that a rule needs is named with the rule"""
	shop.write("policy.yaml", POLICY)
	expect(shop.tpc("explain", "policy.yaml", "in=lan0", "from=10.1.2.3", "to=203.0.113.9"), 0,
		["direct\n", "  not given proto, which policy.yaml:12 and 4 more rules ask for\n"], None)
	expect(shop.tpc("explain", "policy.yaml", "in=lan0", "to=192.0.2.1", "proto=tcp"), 0,
		"  not given port, which policy.yaml:14 and 1 more rule ask for\n", None)
	answer = ask(shop, "in=lan0", "from=10.1.2.3", "to=203.0.113.9")
	other(answer, verdict="direct", not_given=["proto"])
	answer = ask(shop, *WEB)
	other(answer, verdict="proxy", not_given=[])


def test_wrong_words(shop):
	"""every wrong word has its place and a suggestion; there is no result"""
	shop.write("policy.yaml", POLICY)
	done = shop.tpc("explain", "policy.yaml", "too=1.2.3.4", "port=", "lan0", "in=a", "in=b", "to=10.0.0.0/8")
	expect(done, 1, None, ["command line:1:1: error", 'did you mean "to"?', "`port` has no value",
		'here is no "="', "`in` is given twice", "command line:1:13:", "command line:1:19:", "command line:1:29:"])
	expect(shop.tpc("explain", "policy.yaml", "to=10.0.0.0/8"), 1, None,
		["to=10.0.0.0/8\n    |    ^^^^^^^^^^", "one address"])
	expect(shop.tpc("explain", "policy.yaml", "port=80-90"), 1, None, "not a range")
	expect(shop.tpc("explain", "policy.yaml", "in=lan0", "user=x"), 1, None, "both arrive")
	expect(shop.tpc("explain", "policy.yaml", "to:1.2.3.4"), 1, None, "where the \":\" is")


def test_values(shop):
	"""values with spaces, apps, times"""
	policy = SEED + """  - {proto: tcp, payload: {contains: a word}, then: drop}
  - {proto: udp, app: quic, then: reject}
  - {time: {hours: "22:00-23:00"}, then: {proxy: proxy}}
"""
	answer = ask(shop, "to=192.0.2.1", "payload=this is a word", policy=policy)
	other(answer, verdict="drop")
	answer = ask(shop, "to=192.0.2.1", "app=quic", policy=policy)
	other(answer, verdict="reject")
	assert failed(answer)[1][1] == "proto: tcp", f"failed are {failed(answer)}"
	answer = ask(shop, "to=192.0.2.1", "proto=udp", "time=2026-12-24 22:30", policy=policy)
	other(answer, verdict="proxy", target="proxy")


def test_batch(shop):
	"""a batch: one result for each line in order, without comments and blank lines"""
	shop.write("policy.yaml", POLICY)
	text = "# packets\n\n" + " ".join(WEB) + "\r\nin=guest0\tto=1.2.3.4 # a guest\n  to='192.0.2.9' payload=\"a b\"\nto=::1"
	shop.write("packets", text)
	done = shop.tpc("explain", "policy.yaml", "--batch", "packets", "--format", "json")
	expect(done, 0, (), None)
	found = [(item["line"], item["verdict"]) for item in map(json.loads, done.stdout.splitlines())]
	assert found == [(3, "proxy"), (4, "reject"), (5, "direct"), (6, "direct")], f"the answers are {found}"
	done = shop.tpc("explain", "policy.yaml", "--batch", "-", stdin=text)
	expect(done, 0, "3: {proxy: proxy}  policy.yaml:14\n4: reject  policy.yaml:11 \"guests\"\n"
		"5: direct  no rule takes it: the default\n6: direct  the host stays a host\n", None)


def test_wrong_batch(shop):
	"""a batch with errors: all have file, line and column, other lines have results, status 1"""
	shop.write("policy.yaml", POLICY)
	(shop.folder / "packets").write_bytes(b"to=1.2.3.4\nto=nobody\nfrm=1.2.3.4\nto=1.2.3.4 payload='x\n\xff\nto=\x01\nto=5.6.7.8\n")
	done = shop.tpc("explain", "policy.yaml", "--batch", "packets")
	expect(done, 1, ["1: direct", "7: direct"], ["packets:2:4: error", "packets:3:1: error", 'mean "from"?',
		"packets:4:12: error", "a quote that nothing ends", "packets:5:1: error", "packets:6:4: error"])


def packets(count):
	chance = random.Random(7)
	return [" ".join((f"in={chance.choice(['lan0', 'lan1', 'lan2', 'lan3', 'guest0'])}", f"from=10.0.0.{chance.randrange(256)}",
		f"to={chance.choice(['203.0.113', '198.51.100', '192.0.2'])}.{chance.randrange(256)}",
		f"proto={chance.choice(['tcp', 'udp', 'icmp'])}")) for _ in range(count)]


def test_levels(shop):
	"""-O0 and -O1 give the same results"""
	shop.write("policy.yaml", POLICY)
	text = "\n".join(packets(500)).encode()
	plain = shop.tpc("explain", "policy.yaml", "--batch", "-", "--format", "json", "-O0", stdin=text)
	flat = shop.tpc("explain", "policy.yaml", "--batch", "-", "--format", "json", "-O1", stdin=text)
	expect(plain, 0, (), None)
	expect(flat, 0, (), None)
	assert plain.stdout.count("\n") == 500 and plain.stdout == flat.stdout, "they differ"


def test_interfaces(shop):
	"""an interface is one name: groups, patterns and lists are refused with what to write; unknown names are not"""
	policy = SEED.replace("sets:", 'interfaces: {lan: [br-lan, "vlan*"], eth9: [eth9, eth8]}\nsets:')
	policy += "  - {in: lan, proto: udp, then: drop}\n  - {in: eth9, proto: udp, then: reject}\n"
	shop.write("policy.yaml", policy)
	for words, said in (
			(("in=lan", "proto=udp"), ['command line:1:4: error: "lan" is a group', "policy.yaml:2:", "br-lan, vlan*"]),
			(("proto=udp", "out=lan"), ['command line:1:15: error: "lan" is a group']),
			(("in=vlan*",), '"vlan*" is not the name of one interface'), (("in=a,b",), '"a,b" is not the name of one')):
		expect(shop.tpc("explain", "policy.yaml", *words), 1, None, said)
	done = shop.tpc("explain", "policy.yaml", "--batch", "-", stdin=b"in=lan proto=udp\nin=vlan7 proto=udp\n")
	expect(done, 1, "2: drop", '<stdin>:1:4: error: "lan" is a group')
	shop.write("tested.yaml", policy + "expect:\n  - {packet: {in: lan, proto: udp}, then: drop}\n")
	expect(shop.tpc("check", "tested.yaml"), 1, None, ['"lan" is a group', "br-lan, vlan*"])
	for name, verdict in (("vlan7", "drop"), ("eth9", "reject"), ("unheard-of", "direct")):
		answer = ask(shop, f"in={name}", "proto=udp", "to=192.0.2.1", policy=policy)
		other(answer, verdict=verdict)


def test_accounts(shop):
	"""root is 0, as user and group; only the host knows other names"""
	policy = SEED + """  - {user: 0, proto: tcp, then: drop}
  - {user: root, proto: udp, then: reject}
  - {group: 0, proto: icmp, then: drop}
  - {user: 1000, then: reject}
  - {user: {not: root}, proto: sctp, then: drop}
"""
	for words, verdict in ((("user=root", "proto=tcp"), "drop"), (("user=0", "proto=tcp"), "drop"),
			(("user=root", "proto=udp"), "reject"), (("user=0", "proto=udp"), "reject"),
			(("group=root", "proto=icmp"), "drop"), (("user=1000", "proto=tcp"), "reject"),
			(("user=bob", "proto=tcp"), "direct"), (("user=0", "proto=sctp"), "direct"), (("user=bob", "proto=sctp"), "drop")):
		answer = ask(shop, *words, "to=192.0.2.1", policy=policy)
		other(answer, verdict=verdict)
	done = shop.tpc("explain", "policy.yaml", "user=bob", "to=192.0.2.1", "proto=tcp")
	expect(done, 0, "user: 1000  (whose number a name is, only the host knows)\n", None)
	done = shop.tpc("explain", "policy.yaml", "user=1001", "to=192.0.2.1", "proto=tcp")
	assert "only the host knows" not in done.stdout, "a number is no riddle"


def test_said_once(shop):
	"""each error of a packet is reported once, with what to write"""
	shop.write("policy.yaml", POLICY)
	for words, said in (
			(("time=2026-03-02", "22:30", "to=192.0.2.1"), ["1:1: error: this moment is in two words",
				"'time=2026-03-02 22:30'"]),
			(("proto=esp", "port=5"), ["`port` with a protocol that has no ports", "tcp, udp and sctp"]),
			(("port=443,80",), "a packet has one `port`, not several")):
		done = shop.tpc("explain", "policy.yaml", *words)
		expect(done, 1, None, said)
		assert done.stderr.count("error:") == 1, f"not once: {done.stderr}"
	shop.write("ports.yaml", POLICY.replace("port: 8080", 'port: "443,80"'))
	expect(shop.tpc("check", "ports.yaml"), 1, None, "write a list: [443, 80]")
	expect(shop.tpc("explain", "policy.yaml", "proto=tcp", "port=8080", "to=192.0.2.1"), 0,
		"found in  port 8080\n", None)


ROUTES = """version: 1
tables:
  a: {id: 7100, routes: [{to: 203.0.113.0/24, type: throw}, {dev: wg0, metric: 20}, {dev: wg1, metric: 10}]}
  b: {id: 7101, routes: [{to: 203.0.113.0/25, type: blackhole}, {to: 203.0.113.7, dev: wg2}, {to: 192.0.2.0/24, dev: wg3}]}
rules:
  - {proto: tcp, then: {route: [a, b, prohibit]}}
  - {proto: udp, then: {route: [b, main]}}
"""


def test_rows(shop):
	"""routing: metrics, throw, the next table of a list, its end"""
	for words, table, ip_rule, route in (
			(("to=192.0.2.1", "proto=tcp"), "a", 10000, "default dev wg1 table 7100 protocol 116 metric 10"),
			(("to=203.0.113.1", "proto=tcp"), "b", 10001, "blackhole 203.0.113.0/25 table 7101 protocol 116"),
			(("to=203.0.113.7", "proto=tcp"), "b", 10001, "203.0.113.7 dev wg2 table 7101 protocol 116"),
			(("to=203.0.113.200", "proto=tcp"), None, 10002, "prohibit"),
			(("to=198.51.100.1", "proto=udp"), "main", 10004, None)):
		answer = ask(shop, *words, policy=ROUTES)
		other(answer, verdict="route", ip_rule=ip_rule, route=route)
		assert (answer["table"] or {}).get("name") == table, f"{words}: the table is {answer['table']}"
	expect(shop.tpc("explain", "policy.yaml", "to=198.51.100.1", "proto=udp"), 0,
		["{route: [b, main]}", "main, whose routes only the host knows"], None)


def test_same(shop):
	"""a batch gives the same results as single packets"""
	shop.write("policy.yaml", POLICY)
	lines = packets(40)
	done = shop.tpc("explain", "policy.yaml", "--batch", "-", "--format", "json", stdin="\n".join(lines).encode())
	expect(done, 0, (), None)
	for line, text in zip(lines, done.stdout.splitlines()):
		alone = ask(shop, *line.split())
		together = json.loads(text)
		together.pop("line")
		assert together == alone, f"{line}: {together}, alone {alone}"


def test_unexpected(shop):
	"""explain works for a policy whose expectations fail"""
	policy = SEED + "expect:\n  - {packet: {to: 192.0.2.1, proto: tcp}, then: drop}\n"
	answer = ask(shop, "to=192.0.2.1", "proto=tcp", policy=policy)
	other(answer, verdict="direct")
	expect(shop.tpc("check", "policy.yaml"), 1, None, "expect-failed")


def test_usage(shop):
	"""wrong usage, wrong policies, missing files"""
	shop.write("policy.yaml", POLICY)
	shop.write("wrong.yaml", WRONG)
	expect(shop.tpc("explain", "policy.yaml"), 2, None, "say which packet")
	expect(shop.tpc("explain"), 2, None, "POLICY is missing")
	expect(shop.tpc("explain", "policy.yaml", "--batch", "x", "to=1.2.3.4"), 2, None, "leave out")
	expect(shop.tpc("explain", "-", "--batch", "-", stdin=b""), 2, None, "standard input")
	expect(shop.tpc("explain", "wrong.yaml", "to=1.2.3.4"), 1, None, ["wrong.yaml:7:", 'mean "proxy"?'])
	expect(shop.tpc("explain", "policy.yaml", "--batch", "none"), 1, None, "no such file")
