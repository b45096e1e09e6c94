"""The language in the kernel: what conditions, groups, names and numbers come to, by packets."""

import json
import pwd

import pytest

import probe
from lab import CLIENT, FOREIGN, PLAIN, UPLINKS
from policy import Policy
from outcomes import answered, fails, nothing, silent

FAMILIES = (4, 6)
BOTH = [(proto, version) for proto in ("tcp", "udp") for version in FAMILIES]


def test_interfaces(network):
    """language: interface names, patterns and groups"""
    net = network(uplinks=("wan0", "wan1", "wg0"))
    Policy(net, """version: 1
interfaces:
  inside: [floors, wires]
  floors: "vlan*"
  wires: [lan0, floors]
  clear: "wan*"
tables: {mobile: {via: [198.51.100.1, "2001:db8:2::1"], dev: wan1, masquerade: true}}
rules:
  - {in: inside, proto: tcp, port: 80, then: reject}
  - {in: "la*", proto: tcp, port: 443, then: reject}
  - {in: [wg0, wg1], proto: tcp, port: 22, then: reject}
  - {in: {not: inside}, proto: tcp, port: 8080, then: reject}
  - {out: clear, proto: tcp, port: 853, then: {route: mobile}}
  - {out: wg0, proto: tcp, port: 5228, then: reject}
""").up()
    for version in FAMILIES:
        for port in 80, 443:
            fails(probe.ask(net.client, "tcp", FOREIGN[version], port))
        for port in 22, 8080, 5228:
            answered(probe.ask(net.client, "tcp", FOREIGN[version], port), "origin")
        answered(probe.ask(net.client, "tcp", FOREIGN[version], 853), "mobile")


def test_bits(net):
    """language: an address with a bit mask"""
    Policy(net, """version: 1
rules:
  - {to: "::8/::ffff", proto: tcp, port: 80, then: reject}
""").up()
    fails(probe.ask(net.client, "tcp", "2001:db8:113::8", 80))
    fails(probe.ask(net.client, "tcp", "2001:db8:113:9::8", 80))
    answered(probe.ask(net.client, "tcp", "2001:db8:113::9", 80), "origin")
    answered(probe.ask(net.client, "tcp", FOREIGN[4], 80), "origin")


def test_sets(net):
    """language: sets by algebra, file and name match exactly"""
    Policy(net, """version: 1
sets:
  lab: [203.0.113.0/24, "2001:db8:113::/48"]
  listed: {file: list.txt}
  blocked: {include: [lab], exclude: [listed, 203.0.113.16-203.0.113.19]}
rules: [{to: blocked, proto: tcp, then: reject}]
""", files={"list.txt": "\ufeff# a list\r\n203.0.113.8 ; one\r\n\r\n203.0.113.32/30 trailing\r\n2001:db8:113:1::/64\r\n"}).up()
    let_through = ("203.0.113.8", "203.0.113.16", "203.0.113.19", "203.0.113.32",
                   "203.0.113.35", "2001:db8:113:1::1")
    refused = ("203.0.113.7", "203.0.113.9", "203.0.113.15", "203.0.113.20", "203.0.113.31",
               "203.0.113.36",
               "2001:db8:113::1", "2001:db8:113:2::1")
    for address in let_through:
        answered(probe.ask(net.client, "tcp", address, 80), "origin")
    for address in refused:
        fails(probe.ask(net.client, "tcp", address, 80))


@pytest.mark.root
def test_names(network):
    """language: a user's name is looked up where the policy is loaded"""
    nobody = pwd.getpwnam("nobody").pw_uid
    net = network()
    Policy(net, "version: 1\nrules: [{user: nobody, proto: tcp, then: reject}]\n").up()
    fails(probe.ask(net.router, "tcp", FOREIGN[4], 80, identity=probe.Identity(user=nobody)))
    answered(probe.ask(net.router, "tcp", FOREIGN[4], 80), "origin")


@pytest.mark.root
def test_ids(network):
    """language: user and group, ids, ranges and not"""
    net = network()
    Policy(net, """version: 1
rules:
  - {user: ["1000-1009", 1020], proto: tcp, port: 80, then: reject}
  - {user: {not: 0}, group: 77, proto: tcp, port: 443, then: reject}
""").up()
    for user, group, port, no in ((1000, 0, 80, True), (1009, 0, 80, True), (1020, 0, 80, True),
                                  (999, 0, 80, False),
                                  (1010, 0, 80, False), (0, 0, 80, False), (5, 77, 443, True),
                                  (0, 77, 443, False),
                                  (5, 78, 443, False)):
        outcome = probe.ask(net.router, "tcp", FOREIGN[4], port,
                            identity=probe.Identity(user=user, group=group))
        assert (outcome.kind == "refused") == no, f"user {user} group {group} port {port} refused"


def test_marks(network):
    """language: a foreign mark on the first packet decides for the whole connection"""
    net = network(uplinks=("wan0", "wan1"))
    net.router.nft("""table inet theirs {
    chain before {
        type filter hook prerouting priority -200; policy accept;
        iifname "lan0" ct state new th dport { 80, 53 } meta mark set 0x5
    }
}""")
    Policy(net, """version: 1
tables: {mobile: {via: [198.51.100.1, "2001:db8:2::1"], dev: wan1, masquerade: true}}
rules: [{in: lan0, mark: {value: 0x5, mask: 0xff}, then: {route: mobile}}]
""").up()
    origin = net.sniff()
    for version in FAMILIES:
        answered(probe.ask(net.client, "tcp", FOREIGN[version], 80), "mobile")
        answered(probe.ask(net.client, "udp", FOREIGN[version], 53), "mobile")
    nothing(origin)
    answered(probe.ask(net.client, "tcp", FOREIGN[4], 443), "origin")


# What the client is sent, for TCP to each of these ports: a reset, or (ICMP type, code) by family.
REJECTS = {80: ("tcp-reset", None), 443: ("port-unreachable", {4: (3, 3), 6: (1, 4)}),
           8080: ("admin-prohibited", {4: (3, 13), 6: (1, 1)}),
           853: ("no-route", {4: (3, 0), 6: (1, 0)})}


def test_rejects(net):
    """language: each kind of reject sends its own reply"""
    Policy(net, "version: 1\nrules:\n" + "".join(
        f"  - {{proto: tcp, port: {port}, then: {{reject: {kind}}}}}\n" for port,
        (kind, _) in REJECTS.items())).up()
    origin, heard = net.sniff(), net.sniff("client")
    for version in FAMILIES:
        for port, (kind, icmp) in REJECTS.items():
            heard.packets()
            probe.ask(net.client, "tcp", FOREIGN[version], port, timeout=0.1)

            def says(packets):
                if not icmp:
                    return any(packet[5] & 4 for packet in packets)  # RST
                return icmp[version] in [packet[3:5] for packet in packets if packet[0] in (1, 58)]
            packets = heard.wait(says)
            assert says(packets), f"{kind} over IPv{version}: {packets}"
    nothing(origin)


def test_default(net):
    """language: default for forwarded and for local traffic"""
    Policy(net, """version: 1
rules: [{scope: both, proto: tcp, port: 443, then: direct}]
default: {forward: reject, local: direct}
""").up()
    for version in FAMILIES:
        answered(probe.ask(net.client, "tcp", FOREIGN[version], 443), "origin")
        fails(probe.ask(net.client, "tcp", FOREIGN[version], 80))
        fails(probe.ask(net.client, "udp", FOREIGN[version], 443))
        answered(probe.ask(net.router, "tcp", FOREIGN[version], 80), "origin")


def test_default_way(network):
    """language: default may be a proxy, or a table"""
    net = network(uplinks=("wan0", "wan1"))
    Policy(net, """version: 1
listeners: {proxy: {tproxy: 12345}}
rules: [{to: [192.0.2.0/24, "2001:db8:1::/64"], then: direct}]
default: {forward: {proxy: proxy}, local: direct}
""").up()
    net.listener()
    for proto, version in BOTH:
        answered(probe.ask(net.client, proto, FOREIGN[version], 443), "proxy")
        answered(probe.ask(net.client, proto, PLAIN[version], 443), "origin")
        answered(probe.ask(net.router, proto, FOREIGN[version], 443), "origin")
    Policy(net, """version: 1
tables: {mobile: {via: [198.51.100.1, "2001:db8:2::1"], dev: wan1, masquerade: true}}
rules: [{to: [192.0.2.0/24, "2001:db8:1::/64"], then: direct}]
default: {forward: {route: mobile}, local: direct}
""").up()
    for proto, version in BOTH:
        answered(probe.ask(net.client, proto, FOREIGN[version], 443), "mobile")
        answered(probe.ask(net.client, proto, PLAIN[version], 443), "origin",
                 peer=CLIENT[version])


def test_order(network):
    """language: the first match wins, and protocols that a listener cannot take go on to the next rules"""
    net = network(uplinks=("wan0", "wan1"))
    Policy(net, """version: 1
listeners: {web: {tproxy: 12345, protocols: [tcp]}}
tables: {mobile: {via: [198.51.100.1, "2001:db8:2::1"], dev: wan1, masquerade: true}}
rules:
  - {to: 203.0.113.1, then: direct}
  - {to: [203.0.113.0/24, "2001:db8:113::/48"], then: {proxy: web}}
  - {to: [203.0.113.0/24, "2001:db8:113::/48"], then: {route: mobile}}
""").up()
    net.listener(protocols=("tcp",))
    answered(probe.ask(net.client, "tcp", "203.0.113.1", 80), "origin")
    answered(probe.ask(net.client, "udp", "203.0.113.1", 53), "origin")
    for version in FAMILIES:
        answered(probe.ask(net.client, "tcp", FOREIGN[version], 80), "proxy")
        answered(probe.ask(net.client, "udp", FOREIGN[version], 53), "mobile")


def test_settings(net):
    """language: settings decide marks, tables, priorities and the protocol number"""
    Policy(net, """version: 1
name: office
settings: {mark_mask: 0x00f00000, table_ids: "4000-4009", priority: 15000, protocol: 99}
listeners: {one: {tproxy: 12345}, two: {tproxy: 12346}}
rules:
  - {to: 203.0.113.1, then: {proxy: one}}
  - {to: 203.0.113.2, then: {proxy: two}}
""").up()
    rules = json.loads(net.router.run("ip", "-N", "-j", "-d", "rule").stdout)
    ours = [rule for rule in rules if 15000 <= rule["priority"] < 16000]
    assert ours, "no ip rule from 15000 on"
    for rule in ours:
        assert rule["fwmask"] == "0xf00000", f"the mask of {rule}"
        assert str(rule["protocol"]) == "99", f"the tag of {rule}"
    tables = {int(rule["table"]) for rule in ours if "table" in rule}
    assert len(tables) == 2 and tables <= set(range(4000, 4010)), f"tables {tables}"
    tables = net.router.run("nft", "list", "tables").stdout
    assert "table inet tpc_office" in tables, tables
    net.listener(12345)
    answered(probe.ask(net.client, "tcp", "203.0.113.1", 80), "proxy")
    fails(probe.ask(net.client, "tcp", "203.0.113.2", 80))


def test_routes(network):
    """language: a table's routes: prefixes, a blackhole, a throw to the next table"""
    net = network(uplinks=("wan0", "wan1", "wg0"))
    Policy(net, """version: 1
tables:
  mixed:
    routes:
      - {to: 203.0.113.0/25, dev: wg0}
      - {to: 203.0.113.64/26, type: blackhole}
      - {to: 203.0.113.192/26, type: throw}
      - {to: 203.0.113.128/25, via: 198.51.100.1, dev: wan1}
    fallback: main
rules: [{in: lan0, family: ipv4, then: {route: mixed}}]
""").up()
    answered(probe.ask(net.client, "tcp", "203.0.113.1", 80), "vpn")
    silent(probe.ask(net.client, "tcp", "203.0.113.65", 80, timeout=0.2))
    answered(probe.ask(net.client, "tcp", "203.0.113.129", 80), "mobile")
    answered(probe.ask(net.client, "tcp", "203.0.113.193", 80), "origin")
    answered(probe.ask(net.client, "tcp", PLAIN[4], 80), "origin")


def test_multipath(network):
    """language: several next hops share connections by their weights"""
    net = network(uplinks=("wan0", "wan1"))
    for family in "ipv4", "ipv6":
        net.router.sysctl(f"net.{family}.fib_multipath_hash_policy", 1)
    Policy(net, """version: 1
tables:
  both:
    routes:
      - nexthops: [{via: 192.0.2.1, dev: wan0, weight: 4}, {via: 198.51.100.1, dev: wan1}]
      - nexthops: [{via: "2001:db8:1::1", dev: wan0, weight: 4}, {via: "2001:db8:2::1", dev: wan1}]
    masquerade: true
rules: [{in: lan0, then: {route: both}}]
""").up()
    for version in FAMILIES:
        seen = {}
        count = {"origin": 0, "mobile": 0}
        for number in range(150):
            # Never a port again: the kernel hashes by socket here, and drops what then changes its link.
            outcome = probe.ask(net.client, "udp", FOREIGN[version], 443,
                                source=(CLIENT[version], 20000 + number))
            answered(outcome, outcome.who)
            seen[outcome.who] = outcome.peer_address
            count[outcome.who] += 1
        assert seen == {"origin": UPLINKS["wan0"][1][version], "mobile": UPLINKS["wan1"][1][version]}, \
            "who answered whom"
        # 120 of 150 on the average; one in a million runs has less than 95 or more than 142.
        assert 95 <= count["origin"] <= 142, f"shares of 4 to 1 over IPv{version}: {count}"


def test_local(network):
    """language: local packets by outgoing interface, source and port"""
    net = network(uplinks=("wan0", "wan1"))
    net.router.ip("route add 203.0.113.128/25 via 198.51.100.1 dev wan1")
    net.router.ip("route add 2001:db8:113:8::/64 via 2001:db8:2::1 dev wan1", "-6")
    Policy(net, """version: 1
rules:
  - {scope: local, out: wan1, proto: tcp, port: 80, then: reject}
  - {scope: local, out: "wan*", proto: tcp, port: 443, then: reject}
  - {scope: local, from: [192.0.2.0/24, "2001:db8:1::/64"], proto: tcp, port: 853, then: reject}
  - {scope: local, proto: tcp, sport: 40001, then: reject}
""").up()
    far = {4: "203.0.113.200", 6: "2001:db8:113:8::1"}
    for version in FAMILIES:
        fails(probe.ask(net.router, "tcp", far[version], 80))
        answered(probe.ask(net.router, "tcp", FOREIGN[version], 80), "origin")
        fails(probe.ask(net.router, "tcp", FOREIGN[version], 443))
        fails(probe.ask(net.router, "tcp", FOREIGN[version], 853))
        answered(probe.ask(net.router, "tcp", far[version], 853), "mobile")
        source = UPLINKS["wan0"][1][version]
        fails(probe.ask(net.router, "tcp", FOREIGN[version], 22, source=(source, 40001)))
        answered(probe.ask(net.router, "tcp", FOREIGN[version], 22, source=(source, 40002)),
                 "origin")
        answered(probe.ask(net.client, "tcp", FOREIGN[version], 853), "origin")


def _many(count, skip=()):
    """`count` prefixes that do not touch, from 100.0.0.0 on, as in a file that nobody sorted."""
    numbers = [number for number in range(count) if number not in skip]
    numbers.sort(key=lambda number: (number * 7919) % 65537)
    return "".join(f"{100 + n // 16384}.{n // 64 % 256}.{n % 64 * 4}.0/23\n" for n in numbers)


def test_long_list(network):
    """language: a list of 20,000 prefixes, applied, changed by one line, applied again"""
    text = "version: 1\nsets: {many: {file: many.txt}}\nrules: [{to: many, proto: tcp, then: reject}]\n"
    net = network(foreign=("100.0.0.0/7",))
    policy = Policy(net, text, files={"many.txt": _many(20000)}).up()
    inside = {0: "100.0.0.1", 77: "100.1.53.9", 16384: "101.0.1.255", 19999: "101.56.124.1"}
    for address in inside.values():
        fails(probe.ask(net.client, "tcp", address, 80))
    for address in ("100.0.2.0", "101.56.126.0", "101.56.128.0"):
        answered(probe.ask(net.client, "tcp", address, 80), "origin")
    (policy.folder / "many.txt").write_text(_many(20000, skip=(77,)))
    policy.up()
    answered(probe.ask(net.client, "tcp", inside[77], 80), "origin")
    fails(probe.ask(net.client, "tcp", inside[0], 80))


def test_loopback(net):
    """language: dnat of local traffic to a proxy on the loopback"""
    Policy(net, """version: 1
listeners: {p: {dnat: "127.0.0.1:12345", protocols: [tcp], runs_as: {mark: 0xff}}}
rules: [{scope: local, family: ipv4, to: 203.0.113.0/24, proto: tcp, then: {proxy: p}}]
""").up()
    net.listener(mode="dnat", protocols=("tcp",), addresses=("127.0.0.1",))
    answered(probe.ask(net.router, "tcp", FOREIGN[4], 80, timeout=1), "proxy")
    answered(probe.ask(net.client, "tcp", FOREIGN[4], 80), "origin", peer=CLIENT[4])


def test_counters(network):
    """language: counters count matches, and keep their values through an apply"""
    text = """version: 1
rules:
  - {name: web, to: [203.0.113.0/24, "2001:db8:113::/48"], proto: udp, port: 53, count: true, then: continue}
  - {to: 203.0.113.9, then: reject}
"""
    net = network()
    Policy(net, text).up()
    for version in FAMILIES:
        answered(probe.ask(net.client, "udp", FOREIGN[version], 53), "origin")
    assert _counts(net) == [2], "packets counted"
    Policy(net, text.replace("203.0.113.9", "203.0.113.10")).up()
    answered(probe.ask(net.client, "udp", FOREIGN[4], 53), "origin")
    answered(probe.ask(net.client, "tcp", FOREIGN[4], 53), "origin")
    assert _counts(net) == [3], "packets counted after another apply"


def _counts(net):
    listed = json.loads(net.router.run("nft", "-j", "list", "counters").stdout)["nftables"]
    return [item["counter"]["packets"] for item in listed if "counter" in item]
