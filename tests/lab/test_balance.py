"""Balance and limit: shares counted over thousands of flows, flows that never change side, buckets."""

import collections
import json
import socket
import time

import pytest

import probe
from lab import FOREIGN, Network
from policy import Policy

TABLES = """version: 1
tables:
  fibre: {via: [192.0.2.1, "2001:db8:1::1"], dev: wan0}
  mobile: {via: [198.51.100.1, "2001:db8:2::1"], dev: wan1}
"""
PORT, FLOWS = 7000, 10000
# A source of its own for each flow; all of them are the client's.
SOURCES = {4: "10.20.{}.{}", 6: "fd00:20::{:x}{:02x}"}


def world(*more):
    return Network(uplinks=("wan0", "wan1", *more))


@pytest.fixture(name="net")
def made():
    with world() as net:
        yield net


class Sides:
    """Who got which flow: a sniffer at each far end, emptied often enough to lose nothing."""

    def __init__(self, net, names=("origin", "mobile")):
        self.watch = {name: net.sniff(name) for name in names}
        self.of = collections.defaultdict(collections.Counter)

    def look(self):
        for name, sniffer in self.watch.items():
            for _, source, target, source_port, port, _ in sniffer.packets():
                if port == PORT:
                    self.of[source, source_port, target][name] += 1

    def shares(self):
        """How many flows each side has; no flow may have been on two."""
        self.look()
        torn = [flow for flow, names in self.of.items() if len(names) != 1]
        assert not torn, f"{len(torn)} flows changed sides, {torn[0]}: {self.of[torn[0]]}"
        return collections.Counter(next(iter(names)) for names in self.of.values())


def send(net, sides, version, flows):
    """A datagram for each flow: (source address or "", source port, destination)."""
    family = socket.AF_INET6 if version == 6 else socket.AF_INET
    with net.client:
        for number, (source, port, target) in enumerate(flows):
            with socket.socket(family, socket.SOCK_DGRAM) as sock:
                if source:
                    probe.turn_on(sock, "FREEBIND")
                sock.bind((source, port))
                sock.sendto(b"x", (target, PORT))
            if number % 2000 == 1999:
                sides.look()


def sinks(net):
    """Takes the datagrams without a word: no ICMP errors come back."""
    for host in (net.origin, net.mobile):
        for family, every in ((socket.AF_INET, "0.0.0.0"), (socket.AF_INET6, "::")):
            with host:
                sock = net.add(socket.socket(family, socket.SOCK_DGRAM))
            if family == socket.AF_INET6:
                sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
            sock.bind((every, PORT))


def is_share(found, whole, share, what):
    """Within three parts in a hundred of the whole."""
    assert abs(found - whole * share) <= whole * 0.03, f"{what}: {found} of {whole}"


def test_connection():
    """balance: by connection: 10,000 flows of each family, 3 to 1, none changes side"""
    for version in 4, 6:
        with world() as net:
            sinks(net)
            Policy(net, TABLES + "rules: [{in: lan0, then: {balance: {fibre: 3, mobile: 1}}}]\n").up()
            sides = Sides(net)
            flows = [("", 20000 + number, FOREIGN[version]) for number in range(FLOWS)]
            send(net, sides, version, flows)
            send(net, sides, version, flows)
            shares = sides.shares()
            assert sum(shares.values()) == FLOWS, f"flows over IPv{version}"
            is_share(shares["origin"], FLOWS, 0.75, "fibre")
            is_share(shares["mobile"], FLOWS, 0.25, "mobile")


def test_source():
    """balance: by source: 10,000 sources, 3 to 1, all flows of a source on one side"""
    for version in 4, 6:
        with world() as net:
            sinks(net)
            net.client.ip("route add local 10.20.0.0/16 dev lo")
            net.client.ip("route add local fd00:20::/64 dev lo", "-6")
            Policy(net, TABLES + """
rules: [{in: lan0, then: {balance: {fibre: 3, mobile: 1}, by: source}}]
""").up()
            sides = Sides(net)
            sources = [SOURCES[version].format(number >> 8, number & 255)
                       for number in range(FLOWS)]
            send(net, sides, version, [(source, 40000, FOREIGN[version]) for source in sources])
            shares = sides.shares()
            assert sum(shares.values()) == FLOWS, f"sources over IPv{version}"
            is_share(shares["origin"], FLOWS, 0.75, "fibre")
            for port in range(40001, 40006):
                send(net, sides, version, [(source, port, FOREIGN[version][:-1] + str(port % 10))
                                           for source in sources[:200]])
            sides.shares()
            of_source = collections.defaultdict(set)
            for (source, _, _), names in sides.of.items():
                of_source[source] |= set(names)
            torn = [source for source, names in of_source.items() if len(names) != 1]
            assert not torn, f"{len(torn)} sources are on both sides"


def test_pair():
    """balance: by source and destination: a pair stays on one side, a source uses both"""
    for version in 4, 6:
        with world() as net:
            sinks(net)
            Policy(net, TABLES + """
rules: [{in: lan0, then: {balance: {fibre: 1, mobile: 1}, by: source-destination}}]
""").up()
            sides = Sides(net)
            base = "203.0.113." if version == 4 else "2001:db8:113::"
            flows = [("", 20000 + 100 * again + number, f"{base}{number + 1}")
                     for again in range(5) for number in range(100)]
            send(net, sides, version, flows)
            sides.shares()
            of_target = collections.defaultdict(set)
            for (_, _, target), names in sides.of.items():
                of_target[target] |= set(names)
            assert len(of_target) == 100, "destinations"
            assert all(len(names) == 1 for names in of_target.values()), "a pair on both sides"
            assert set().union(*of_target.values()) == {"origin", "mobile"}, "sides that were used"


def test_update(net):
    """balance: an update of the shares does not move running flows"""
    sinks(net)
    rules = "rules: [{{in: lan0, then: {{balance: {{fibre: {}, mobile: {}}}}}}}]\n"
    Policy(net, TABLES + rules.format(1, 1)).up()
    sides = Sides(net)
    flows = [("", 20000 + number, FOREIGN[4]) for number in range(400)]
    send(net, sides, 4, flows)
    assert sides.shares() == {"origin": 200, "mobile": 200}, "shares before"
    Policy(net, TABLES + rules.format(9, 1)).up()
    send(net, sides, 4, flows)
    assert sides.shares() == {"origin": 200, "mobile": 200}, "the same flows afterwards"
    send(net, sides, 4, [("", 30000 + number, FOREIGN[4]) for number in range(400)])
    assert sides.shares() == {"origin": 560, "mobile": 240}, "with 400 new flows"


def test_down():
    """balance: flows of a side that is down use its fallback; drops still cut, local too"""
    for fallback, kinds in (("main", ("answer",)), ("unreachable", ("unreachable", "answer"))):
        with world() as net:
            policy = TABLES.replace("dev: wan1", f"dev: wan1, masquerade: true, fallback: {fallback}")
            Policy(net, policy.replace("dev: wan0", "dev: wan0, masquerade: true") + """
rules:
  - {scope: both, proto: tcp, port: 22, then: reject}
  - {scope: both, to: [203.0.113.0/24, "2001:db8:113::/48"],
     then: {balance: {fibre: 1, mobile: 1}}, count: true}
""").up()
            for host in net.client, net.router:
                for version in 4, 6:
                    who = {probe.ask(host, "tcp", FOREIGN[version], 443).who for _ in range(4)}
                    assert who == {"origin", "mobile"}, f"sides of {host.name} over IPv{version}"
                    assert probe.ask(host, "tcp", FOREIGN[version], 22).kind == "refused", "port 22"
            net.router.ip("link set wan1 down")
            for version in 4, 6:
                outcomes = [probe.ask(net.client, "udp", FOREIGN[version], 443) for _ in range(4)]
                assert {outcome.kind for outcome in outcomes} == set(kinds), f"{fallback} IPv{version}"
                assert {o.who for o in outcomes if o.kind == "answer"} == {"origin"}, "who answers"
            net.router.ip("link set wan0 down\nlink set wan0 up\nlink set wan1 up")


def test_main(net):
    """balance: `main` is a side too"""
    Policy(net, TABLES + "rules: [{in: lan0, then: {balance: {mobile: 1, main: 1}}}]\n").up()
    for version in 4, 6:
        who = collections.Counter(
            probe.ask(net.client, "udp", FOREIGN[version], 443).who for _ in range(8))
        assert who == {"origin": 4, "mobile": 4}, f"IPv{version}"


# ---- among listeners ----

FAR = '[203.0.113.0/24, "2001:db8:113::/48"]'
MODES = {"tproxy": "tproxy: {port}", "redirect": "redirect: {port}, protocols: [tcp, udp]",
         "dnat": 'dnat: ["192.0.2.2:{port}", "[2001:db8:1::2]:{port}"]'}


def listeners(mode, more=""):
    """Two of a mode, one with twice the share of the other, each known by its mark."""
    return "version: 1\nlisteners:\n" + "".join(
        f"  {name}: {{{MODES[mode].format(port=port)}, runs_as: {{mark: {mark}}}{more}}}\n"
        for name, port, mark in (("one", 12345, 0xfe), ("two", 12346, 0xff)))


class Proxies:
    """The programs of both; taken() is how many each has got since it was asked last."""

    def __init__(self, net, mode, onward=True):
        where = ("127.0.0.1", "::1") if mode == "tproxy" else ("0.0.0.0", "::")
        self.both = [net.listener(port, mode=mode, addresses=where, identity=probe.Identity(mark=mark), onward=onward)
                     for port, mark in ((12345, 0xfe), (12346, 0xff))]

    def taken(self):
        counts = [len(listener.seen) for listener in self.both]
        for listener in self.both:
            listener.seen.clear()
        return counts


def flow(host, version, rounds=4, source=""):
    """One UDP flow of several datagrams; the answers, as they are."""
    with host, socket.socket(probe.family_of(FOREIGN[version]), socket.SOCK_DGRAM) as sock:
        sock.settimeout(2)
        if source:
            probe.turn_on(sock, "FREEBIND")
            sock.bind((source, 0))
        sock.connect((FOREIGN[version], 443))
        for _ in range(rounds):
            sock.send(b"hello")
            sock.recv(2048)


@pytest.mark.parametrize("mode", MODES)
def test_spread(network, mode):
    """balance: among {mode} listeners: shares, each flow on one of them, nothing loops; forwarded and local"""
    net = network()
    Policy(net, listeners(mode) + f"rules: [{{scope: both, to: {FAR}, then: {{balance: {{one: 2, two: 1}}}}}}]\n").up()
    proxies = Proxies(net, mode)
    for host in net.client, net.router:
        for version in 4, 6:
            for proto in "tcp", "udp":
                for _ in range(6):
                    outcome = probe.ask(host, proto, FOREIGN[version], 443)
                    assert outcome.who == "proxy", f"{host.name} {proto} {version}: {outcome}"
                    assert outcome.text.count("Intercepted") == 1, f"times on its way ({outcome})"
                    if mode == "tproxy" or (mode == "redirect" and proto == "tcp"):
                        assert "and origin answers" in outcome.text, f"the proxy's own way out: {outcome}"
                one, two = proxies.taken()
                # A late packet of a connection that is over may take a turn of its own.
                assert one + two == 6 and two in (1, 2, 3), f"{host.name}, {proto}, IPv{version}: {one} and {two}"
            sides = [proxies.taken() for _ in range(6) if not flow(host, version)]
            assert set(map(tuple, sides)) == {(4, 0), (0, 4)}, f"datagrams of {host.name}'s flows over IPv{version}: {sides}"


class Quiet:
    def look(self):
        """No sniffer."""


def test_spread_by():
    """balance: among listeners, by source: all flows of a source go to one; by pair: a source uses both"""
    for by, sides in (("source", 1), ("source-destination", 2)):
        with Network() as net:
            net.client.ip("route add local 10.20.0.0/16 dev lo")
            net.client.ip("route add local fd00:20::/64 dev lo", "-6")
            Policy(net, listeners("tproxy") + f"rules: [{{in: lan0, to: {FAR}, then: {{balance: {{one: 1, two: 1}}, by: {by}}}}}]\n").up()
            proxies = Proxies(net, "tproxy", onward=False)
            for version in 4, 6:
                used = [set(), set()]
                base = "203.0.113." if version == 4 else "2001:db8:113::"
                send(net, Quiet(), version, [(SOURCES[version].format(0, number), 20000, f"{base}{last}")
                                             for number in range(1, 13) for last in range(1, 7)])
                until = time.monotonic() + 3
                while sum(len(listener.seen) for listener in proxies.both) < 72 and time.monotonic() < until:
                    time.sleep(0.01)
                for used_of, listener in zip(used, proxies.both):
                    used_of |= {peer.rsplit(":", 1)[0] for _, peer, _ in listener.seen}
                assert sum(proxies.taken()) == 72, f"connections over IPv{version}"
                assert used[0] and used[1], f"IPv{version}: {used}"
                assert bool(used[0] & used[1]) == (sides == 2), f"{by} over IPv{version}: {used}"


@pytest.mark.parametrize("on_failure, mode", [
    ("reject", "tproxy"),
    ("drop", "tproxy"),
    ("direct", "tproxy"),
    ("drop", "redirect"),
])
def test_spread_dead(network, on_failure, mode):
    """balance: among {mode} listeners: the share of a dead one meets its on_failure {on_failure}, the other goes on"""
    net = network()
    text = listeners(mode).replace("mark: 255}", f"mark: 255}}, on_failure: {on_failure}")
    policy = Policy(net, text + f"rules: [{{in: lan0, to: {FAR}, then: {{balance: {{one: 1, two: 1}}}}, count: true, name: spread}}]\n").up()
    proxies = Proxies(net, mode, onward=False)
    proxies.both[1].close()
    for version in 4, 6:
        for proto in "tcp", "udp":
            outcomes = [probe.ask(net.client, proto, FOREIGN[version], 443, timeout=0.3) for _ in range(4)]
            kinds = collections.Counter(outcome.who or outcome.kind for outcome in outcomes)
            wanted = {"direct": "origin", "reject": "refused", "drop": "silence"}[on_failure]
            assert kinds == {"proxy": 2, wanted: 2}, f"{proto} over IPv{version}"
    done = policy.tpc("explain", str(policy.path), "in=lan0", "from=10.10.10.2", f"to={FOREIGN[4]}", "proto=tcp", "port=443", "--live", check=False)
    assert (done.returncode, "two" in done.stdout, "the listener one: a socket takes it" in done.stdout) == \
        (5, True, True), \
        done.stdout
    status = policy.tpc("status", check=False).stdout
    assert "(listener two)" in status and "(listener one)" not in status, status


def test_spread_update(network):
    """balance: among listeners: other shares, and a removed listener, do not move running flows"""
    net = network()
    rules = "rules: [{{in: lan0, to: " + FAR + ", then: {{balance: {{one: {}, two: {}}}}}}}]\n"
    Policy(net, listeners("tproxy") + rules.format(1, 1)).up()
    proxies = Proxies(net, "tproxy", onward=False)
    for version in 4, 6:
        with net.client:
            flows = [socket.socket(probe.family_of(FOREIGN[version]), socket.SOCK_DGRAM) for _ in range(6)]
        for shares in ((1, 1), (9, 1), (1, 9), (1, 1)):
            Policy(net, listeners("tproxy") + rules.format(*shares)).up()
            for sock in flows:
                sock.settimeout(2)
                sock.connect((FOREIGN[version], 443))
                sock.send(b"hello")
                sock.recv(2048)
            assert proxies.taken() == [3, 3], f"flows with shares {shares} over IPv{version}"
        for sock in flows:
            sock.close()


# ---- limit ----

def burst(net, count, port=PORT):
    for version in 4, 6:
        family = socket.AF_INET6 if version == 6 else socket.AF_INET
        with net.client, socket.socket(family, socket.SOCK_DGRAM) as sock:
            for _ in range(count):
                sock.sendto(b"x", (FOREIGN[version], port))


def test_limit(net):
    """limit: a rule takes packets up to its limit, both families together; others go on"""
    sinks(net)
    watch = net.sniff("origin")
    Policy(net, f"""version: 1
rules:
  - {{proto: udp, port: {PORT}, then: drop, limit: 2/minute, count: true, name: few}}
  - {{proto: udp, port: {PORT}, then: continue, count: true, limit: 3/hour, name: fewer}}
""").up()
    burst(net, 20)
    dropped, counted = (counters(net)[name] for name in ("rule_few", "rule_fewer"))
    assert 2 <= dropped <= 8, f"{dropped} packets were dropped"
    assert 3 <= counted <= 8, f"{counted} packets were counted"
    assert sum(port == PORT for *_, port, _ in watch.packets()) == 40 - dropped, "packets that passed"


def counters(net):
    table = json.loads(net.router.run("nft", "-j", "list", "counters").stdout)["nftables"]
    return {item["counter"]["name"]: item["counter"]["packets"] for item in table
            if "counter" in item}


def test_limited_way(net):
    """limit: a rule with a way takes connections up to its limit; all keep their way"""
    sinks(net)
    Policy(net, TABLES + f"""
rules: [{{in: lan0, proto: udp, port: {PORT}, then: {{route: mobile}}, limit: 2/minute}}]
""").up()
    sides = Sides(net)
    flows = [("", 20000 + number, FOREIGN[4]) for number in range(40)]
    for _ in range(3):
        send(net, sides, 4, flows)
    shares = sides.shares()
    assert 2 <= shares["mobile"] <= 8, f"{shares}"
    assert shares["origin"] == 40 - shares["mobile"], "flows on their usual way"
