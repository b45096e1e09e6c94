"""
Flows that are older than the policy, or outlive it: stale conntrack entries is deleted after
an apply and a removal, and nothing else is.
"""

import contextlib
import json
import os
import re
import threading
import time

import pytest

import probe
from test_carrier import pull
from test_lost_conntrack import PORT, Far, Talk
from test_source_address import GIVEN, snat
from cgroups import control_group
from lab import FOREIGN, SERVER, UPLINKS, Network
from ns import all_ids
from policy import Policy

POLICY = """version: 1
SETTINGS
listeners: {dns: {redirect: 12345, protocols: [tcp, udp]}}
rules:
  - {in: lan0, mac: 02:00:5e:10:00:01, then: direct}
  - {in: lan0, proto: udp, port: 5000, then: {proxy: dns}}
"""
SHARED = POLICY.replace("{dns:", "{more: {redirect: 12346, protocols: udp}, dns:").replace("{proxy: dns}", "{balance: {dns: 1, more: 1}}")
NAT = """table inet nat {
    chain post {
        type nat hook postrouting priority 100; policy accept;
        oifname "wan0" masquerade
    }
}"""


class Flow:
    """Datagrams of one socket, as a resolver on a fixed port sends them."""

    def __init__(self, host, version, port, identity=probe.NOBODY_SPECIAL):
        self.sock = identity.open(host, probe.family_of(FOREIGN[version]), probe.SOCKETS["udp"])
        self.sock.settimeout(0.5)
        self.sock.connect((FOREIGN[version], port))

    def ask(self, times=3):
        """Who answers, at last: a refusal of what was sent before may come first."""
        who = None
        for _ in range(times):
            with contextlib.suppress(OSError):
                self.sock.send(b"hello\n")
                who = probe.Outcome("answer", self.sock.recv(2048).decode()).who
        return who


class Keeper(probe.Listener):
    """A proxy that keeps its clients' connections."""

    def on_stream(self, child, peer):
        child.setblocking(False)
        probe.engine().add(child, lambda: self._again(child))
        self.sockets.append(child)

    @staticmethod
    def _again(child):
        with contextlib.suppress(OSError):
            if child.recv(2048):
                child.sendall(b"kept\n")


class Kept:
    """A connection with it."""

    def __init__(self, host, version):
        self.sock = probe.NOBODY_SPECIAL.open(host, probe.family_of(FOREIGN[version]), probe.SOCKETS["tcp"])
        self.sock.settimeout(2)
        self.sock.connect((FOREIGN[version], 443))
        self.close = self.sock.close

    def say(self):
        self.sock.send(b"hello\n")
        return self.sock.recv(2048).decode().strip()


def planned(policy):
    """How many connections a plan says that an apply would delete."""
    changes = json.loads(policy.tpc("plan", "--format", "json", str(policy.path), check=False).stdout)["changes"]
    counts = [int(change["what"].split()[0]) for change in changes if change["kind"] == "connections"]
    return counts[0] if counts else 0


def ports(net, flows):
    """The source ports of those flows that connection tracking has an entry of."""
    with net.router, open("/proc/thread-self/net/nf_conntrack") as file:
        text = file.read()
    return {port for port in (flow.sock.getsockname()[1] for flow in flows) if f"sport={port} " in text}


def entries(net, port):
    with net.router, open("/proc/thread-self/net/nf_conntrack") as file:
        return {line.split()[0]: re.sub(r" mark=\d+", "", line) for line in file if f"dport={port} " in line}


def world():
    net = Network()
    net.router.nft(NAT)
    return net


@pytest.fixture(name="net")
def made():
    with world() as net:
        yield net


def ask(flows):
    return [flow.ask() for flow in flows]


def test_follow():
    """flows: flows older than the policy go to its listener, and direct after its removal; no others move"""
    for text in POLICY, SHARED:
        _follows(text)


def _follows(text):
    with world() as net:
        listener = net.listener(mode="redirect", addresses=("0.0.0.0", "::"))
        more = net.listener(12346, mode="redirect", addresses=("0.0.0.0", "::"))
        old, other = ([Flow(net.client, version, port) for version in (4, 6)] for port in (5000, 443))
        assert ask(old) + ask(other) == ["origin"] * 4, "before"
        kept = entries(net, 443)
        policy = Policy(net, text.replace("SETTINGS", ""))
        assert planned(policy) == 2, "planned"
        said = policy.tpc("apply", str(policy.path)).stdout
        assert "stale connections: -2" in said, said
        assert ask(old) == ["proxy"] * 2, "with the policy"
        assert policy.tpc("apply", str(policy.path)).stdout.count("no more") == 0, "deleted again"
        assert ask(old) + ask(other) == ["proxy"] * 2 + ["origin"] * 2, "with the policy applied again"
        said = policy.tpc("remove").stdout
        assert "connections: 2 stale, deleted" in said, said
        listener.close()
        more.close()
        assert ask(old) == ["origin"] * 2, "without the policy"
        assert {key: line.split("src=")[1:] for key, line in kept.items()} == \
            {key: line.split("src=")[1:] for key, line in entries(net, 443).items()}, \
            "other flows"


def test_keep():
    """flows: settings and --keep-connections keep entries, also at a removal"""
    for settings, option in ("settings: {connections: keep}", ()), ("", ("--keep-connections",)):
        with world() as net:
            net.listener(mode="redirect", addresses=("0.0.0.0", "::"))
            old = [Flow(net.client, version, 5000) for version in (4, 6)]
            assert ask(old) == ["origin"] * 2, "before"
            policy = Policy(net, POLICY.replace("SETTINGS", settings))
            policy.tpc("apply", *option, str(policy.path))
            assert ask(old) == [None] * 2, "with the policy"
            new = [Flow(net.client, version, 5000) for version in (4, 6)]
            assert ask(new) == ["proxy"] * 2, "what is new"
            policy.tpc("remove", *option)
            assert ask(new) == ["proxy"] * 2, "what the listener had, without the policy"


# ---- what this host sends itself ----

OWN = """version: 1
listeners: {{dns: {{{mode}: 12345, protocols: [tcp, udp], runs_as: {runs_as}}}}}
rules: [{{scope: local, proto: udp, port: 5000, then: {{proxy: dns}}}}]
"""


def _own(mode, runs_as, itself):
    with world() as net:
        addresses = ("127.0.0.1", "::1") if mode == "tproxy" else ("0.0.0.0", "::")
        listener = net.listener(mode=mode, addresses=addresses, identity=itself)
        old = [Flow(net.router, version, 5000) for version in (4, 6)]
        other = [Flow(net.router, version, 443) for version in (4, 6)]
        own = [Flow(net.router, version, 5000, itself) for version in (4, 6)]
        assert ask(old) + ask(other) + ask(own) == ["origin"] * 6, "before"
        kept = ports(net, own)
        policy = Policy(net, OWN.format(mode=mode, runs_as=runs_as))
        assert planned(policy) == 2, "planned"
        said = policy.tpc("apply", str(policy.path)).stdout
        assert "stale connections: -2" in said, said
        assert kept <= ports(net, own), "the program's own are gone"
        assert [flow.ask(1) for flow in old] == ["proxy"] * 2, "with the policy"
        assert ask(other) + ask(own) == ["origin"] * 4, "others, with the policy"
        assert "more" not in policy.tpc("apply", str(policy.path)).stdout, "deleted again"
        policy.tpc("remove")
        listener.close()
        assert ask(old) + ask(other) + ask(own) == ["origin"] * 6, "without the policy"


@pytest.mark.parametrize("mode", ("redirect", "tproxy"))
@pytest.mark.parametrize("form", ("user", "mark", "control group"))
def test_own_case(mode, form):
    """flows: local flows go to a new {mode} listener, and direct again; not those of its program, identified by its {form}"""
    if not (form == "mark" or all_ids()):
        pytest.skip("other user ids cannot be taken on here; run the lab as root")
    if form == "mark":
        _own(mode, "{mark: 255}", probe.Identity(mark=255))
    elif form == "user":
        _own(mode, "{user: 1053}", probe.Identity(user=1053))
    else:
        with control_group() as (name, path):
            os.mkdir(f"{path}/proxies")
            _own(mode, f"{{cgroup: {name}/proxies}}", probe.Identity(cgroup=f"{path}/proxies"))


def test_tproxy(net):
    """flows: flows of a transparent listener leave translated by the firewall after the removal"""
    net.listener()
    flows = [Flow(host, version, 5000) for host in (net.client, net.router) for version in (4, 6)]
    policy = Policy(net, """version: 1
listeners: {px: {tproxy: 12345, runs_as: {user: 1053}}}
rules: [{scope: both, proto: udp, port: 5000, then: {proxy: px}}]
""").up()
    assert ask(flows) == ["proxy"] * 4, "with the policy"
    said = policy.tpc("remove").stdout
    assert "connections: 2 stale, deleted" in said, said
    assert [flow.ask(1) for flow in flows] == ["origin"] * 4, "without the policy"


# ---- the address of another uplink ----

TWO = """version: 1
tables:
  one: {{via: [192.0.2.1, "2001:db8:1::1"], dev: wan0, {one}}}
  two: {{via: [198.51.100.1, "2001:db8:2::1"], dev: wan1, {two}}}
rules: [{{scope: both, port: 5000, then: {{route: {way}}}}}]
"""
# A firewall's own; nothing of the policy's translates.
GIVES = "\n".join(f"""table {family} nat {{
    chain post {{
        type nat hook postrouting priority 100; policy accept;
        oifname "wan0" snat to {UPLINKS["wan0"][1][version]}
        oifname "wan1" snat to {UPLINKS["wan1"][1][version]}
    }}
}}""" for family, version in (("ip", 4), ("ip6", 6)))


def two_uplinks(nat, words):
    net = Network(uplinks=("wan0", "wan1"))
    net.router.nft(nat)
    for version, gateway in UPLINKS["wan1"][2].items():
        net.router.ip(f"route add default via {gateway} dev wan1 metric 2000", f"-{version}")
    for device, word in zip(("wan0", "wan1"), words):
        if word.startswith("snat"):
            net.router.ip(f"address add {GIVEN[device][4]}/24 dev {device}\n"
                          f"address add {GIVEN[device][6]}/64 dev {device} nodad")
    return net


BOTH_HOSTS = ("client", "router")


@pytest.mark.parametrize("one, two, nat, hosts", [
    ("masquerade: true", "masquerade: true", NAT, BOTH_HOSTS),
    (snat("wan0"), snat("wan1"), NAT, BOTH_HOSTS),
    ("masquerade: true", snat("wan1"), NAT, BOTH_HOSTS),
    ("", "", GIVES, BOTH_HOSTS),
    # What the router sends itself in IPv6 has no address of the inside, and stays here.
    (*(f'masquerade: ipv4, nptv6: {{inside: "fd00:10::/64", outside: "2001:db8:{number}::/64"}}'
       for number in (111, 222)), NAT, ("client",)),
])
def test_moves(one, two, nat, hosts):
    """flows: flows that an update, a rollback or a removal moves get the address of their uplink ({one}, {two})"""
    with two_uplinks(nat, (one, two)) as net:
        flows, other = ([Flow(net.hosts[host], version, port) for host in hosts for version in (4, 6)]
                        for port in (5000, 443))
        count = len(flows)
        first, second = (Policy(net, TWO.format(one=one or "metric: 1", two=two or "metric: 1", way=way))
                         for way in ("one", "two"))
        first.up()
        assert ask(flows) + ask(other) == ["origin"] * 2 * count, "by the first"
        kept = ports(net, other)
        assert planned(second) == count, "planned"
        said = second.tpc("apply", str(second.path)).stdout
        assert f"stale connections: -{count}" in said, said
        assert [flow.ask(1) for flow in flows] == ["mobile"] * count, "by the second"
        said = second.tpc("rollback").stdout
        assert f"connections: {count} stale, deleted" in said, said
        assert [flow.ask(1) for flow in flows] == ["origin"] * count, "by the first again"
        second.up()
        assert [flow.ask(1) for flow in flows] == ["mobile"] * count, "by the second again"
        second.tpc("remove")
        assert [flow.ask(1) for flow in flows] == ["origin"] * count, "without a policy"
        assert kept <= ports(net, other), "other flows are gone"


def test_kept():
    """flows: plan counts connections that would be deleted, status the kept ones, and the next apply deletes them"""
    with two_uplinks(NAT, (snat("wan0"), snat("wan1"))) as net:
        net.listener(mode="redirect", addresses=("0.0.0.0", "::"))
        flows = [Flow(host, version, 5000) for host in (net.client, net.router) for version in (4, 6)]
        dns = [Flow(net.client, version, 53) for version in (4, 6)]
        first, second = (Policy(net, TWO.format(one=snat("wan0"), two=snat("wan1"), way=way)
                                .replace("rules: [", "rules: [{in: lan0, port: 53, then: {proxy: dns}}, " if more else "rules: [")
                                + more) for way, more in (
            ("one", "listeners: {dns: {redirect: 12345, protocols: [tcp, udp]}}"), ("two", "")))
        first.up()
        assert ask(flows) + ask(dns) == ["origin"] * 4 + ["proxy"] * 2, "by the first"
        assert "stale" not in first.tpc("status").stdout, "before"
        assert planned(first) == 0, "planned before"
        second.tpc("apply", "--keep-connections", str(second.path))
        said = second.tpc("status", check=False).stdout
        assert "6 connections are stale" in said and "everything holds" not in said, said
        assert planned(second) == 6, "planned after"
        said = second.tpc("apply", str(second.path)).stdout
        assert "stale connections: -6" in said, said
        assert ask(flows) + ask(dns) == ["mobile"] * 4 + ["origin"] * 2, "by the second"
        assert "stale" not in second.tpc("status").stdout, "after"
        assert planned(second) == 0, "planned at last"
        said = second.tpc("rollback", "--keep-connections").stdout
        assert "connections: " not in said, said
        assert "6 connections are stale" in second.tpc("status", check=False).stdout, "kept"


def test_kept_back():
    """flows: a rollback to a policy that keeps connections keeps them"""
    with two_uplinks(NAT, (snat("wan0"), snat("wan1"))) as net:
        flows = [Flow(net.client, version, 5000) for version in (4, 6)]
        first, second = (Policy(net, TWO.format(one=snat("wan0"), two=snat("wan1"), way=way) + more) for way, more in (
            ("one", "settings: {connections: keep}"), ("two", "")))
        first.up()
        second.up()
        assert ask(flows) == ["mobile"] * 2, "by the second"
        kept = ports(net, flows)
        assert "connections: " not in second.tpc("rollback").stdout, "deleted"
        assert kept and kept == ports(net, flows), "gone"
        assert "no more" not in first.tpc("status", check=False).stdout, "status"


def test_failover():
    """flows: after a failover status counts entries with the old uplink's address, and an apply deletes them"""
    words = snat("wan0"), snat("wan1")
    with two_uplinks(NAT, words) as net:
        policy = Policy(net, TWO.format(one=words[0], two=words[1], way="[one, two, unreachable]")).up()
        flows = [Flow(host, version, 5000) for host in (net.client, net.router) for version in (4, 6)]
        assert ask(flows) == ["origin"] * 4, "by the first"
        pull(net, "wan0", "origin")
        assert "4 connections are stale" in policy.tpc("status", check=False).stdout, "status"
        assert planned(policy) == 4, "planned"
        said = policy.tpc("apply", str(policy.path)).stdout
        assert "stale connections: -4" in said, said
        assert [flow.ask(1) for flow in flows] == ["mobile"] * 4, "by the second"
        assert "stale" not in policy.tpc("status", check=False).stdout, "status"


# ---- TCP ----

LOSS = """table inet lose {
    chain out {
        type filter hook output priority -400; policy accept;
        tcp sport 12345 drop
    }
}"""


@pytest.mark.parametrize("lives", [True, False])
def test_holds(net, lives):
    """flows: TCP of a removed listener stays if its proxy lives, else it is deleted (lives: {lives})"""
    listener = net.add(Keeper(net.router, 12345, mode="redirect", addresses=("0.0.0.0", "::")))
    policy = Policy(net, """version: 1
listeners: {px: {redirect: 12345, runs_as: {user: 1053}}}
rules: [{scope: both, proto: tcp, port: 443, then: {proxy: px}}]
""").up()
    talks = [Kept(host, version) for host in (net.client, net.router) for version in (4, 6)]
    assert [talk.say() for talk in talks] == ["kept"] * 4, "with the policy"
    if not lives:
        net.router.nft(LOSS)  # the last segments: a program that crashed has them sent, too
        listener.close()
    said = policy.tpc("remove").stdout
    if lives:
        assert [talk.say() for talk in talks] == ["kept"] * 4, "without the policy"
    assert ("connections: 4 stale, deleted" in said) != lives, said
    for talk in talks:
        talk.close()


def reset(talk):
    """Its other end, or a rule, says at once that there is no such connection."""
    talk.sock.settimeout(1)
    talk.say()
    with contextlib.suppress(ConnectionResetError, ConnectionRefusedError):
        raise AssertionError(f"not reset: {talk.sock.recv(100)!r}")


def test_tcp_moves():
    """flows: TCP that an update or a removal moves to another uplink is reset"""
    for words, own, rest in ((snat("wan0"), snat("wan1")), 2, 4), (("masquerade: true", "masquerade: true"), 2, 4):
        with two_uplinks(NAT, words) as net:
            for name in "origin", "mobile":
                net.add(Far(net.hosts[name], (PORT,), (PORT,)))
            first, second = (Policy(net, TWO.format(one=words[0], two=words[1], way=way).replace("5000", str(PORT)))
                             for way in ("one", "two"))
            first.up()
            talks = [Talk(host, "tcp", version) for host in (net.client, net.router) for version in (4, 6)]
            assert [talk.first.split()[0] for talk in talks] == ["origin"] * 4, "by the first"
            assert planned(second) == own, "planned"
            second.up()
            for talk in talks:
                reset(talk)
                talk.close()
            talks = [Talk(host, "tcp", version) for host in (net.client, net.router) for version in (4, 6)]
            assert [talk.first.split()[0] for talk in talks] == ["mobile"] * 4, "by the second"
            said = second.tpc("remove").stdout
            assert f"connections: {rest} stale, deleted" in said, said
            for talk in talks:
                reset(talk)
                talk.close()


# ---- a listener that was away ----

def test_away(net):
    """flows: flows that went direct while their listener was dead (on_failure: direct) return to it at the next apply"""
    policy = Policy(net, """version: 1
sets: {hot: {dynamic: true}}
listeners: {px: {tproxy: 12345, on_failure: direct}}
rules:
  - {in: lan0, proto: udp, port: 5000, then: {proxy: px}}
  - {in: lan0, to: hot, proto: udp, port: 443, then: {proxy: px}}
""").up()
    away, cold = ([Flow(net.client, version, port) for version in (4, 6)] for port in (5000, 443))
    assert ask(away) + ask(cold) == ["origin"] * 4, "without the listener"
    assert "more" not in policy.tpc("apply", str(policy.path)).stdout, "deleted without the listener"
    for version in 4, 6:
        net.router.run("nft", "add", "element", "inet", "tpc", f"hot_v{version}", f"{{ {FOREIGN[version]} }}")
    net.listener()
    assert ask(away) + ask(cold) == ["origin"] * 4, "a connection keeps its way"
    assert planned(policy) == 2, "planned"
    assert "2 connections are stale" in policy.tpc("status", check=False).stdout, "status"
    said = policy.tpc("apply", str(policy.path)).stdout
    assert "stale connections: -2" in said, said
    assert [flow.ask(1) for flow in away] + ask(cold) == ["proxy"] * 2 + ["origin"] * 2, "with the listener"
    assert "more" not in policy.tpc("apply", str(policy.path)).stdout, "deleted again"


def test_another_host(network):
    """flows: forwarded and local flows go to a listener on another host, and direct again"""
    net = network(server=True)
    net.router.nft(NAT)
    net.echo(net.server, (443,), (5353,))
    old, other = ([Flow(host, version, port) for host in (net.client, net.router) for version in (4, 6)]
                  for port in (5000, 443))
    assert ask(old) + ask(other) == ["origin"] * 8, "before"
    kept = ports(net, other)
    policy = Policy(net, f"""version: 1
listeners: {{far: {{dnat: ["{SERVER[4]}:5353", "[{SERVER[6]}]:5353"], masquerade: true, runs_as: {{port: 40000-40001}}}}}}
rules: [{{scope: both, proto: udp, port: 5000, then: {{proxy: far}}}}]
""")
    assert planned(policy) == 4, "planned"
    said = policy.tpc("apply", str(policy.path)).stdout
    assert "stale connections: -4" in said, said
    assert ask(old) == ["server"] * 4, "with the policy"
    assert "more" not in policy.tpc("apply", str(policy.path)).stdout, "deleted again"
    assert "connections: 4 stale, deleted" in policy.tpc("remove").stdout, "removed"
    assert [flow.ask(1) for flow in old] == ["origin"] * 4, "without the policy"
    assert kept <= ports(net, other), "other flows are gone"


# ---- a far end that goes on sending ----

class Pusher:
    """Answers every query with one datagram after the other, at the far end."""

    def __init__(self, host, port):
        self.stopping, self.peers, self.socks = threading.Event(), {}, []
        for version in 4, 6:
            sock = probe.NOBODY_SPECIAL.open(host, probe.family_of(FOREIGN[version]), probe.SOCKETS["udp"])
            probe.turn_on(sock, "FREEBIND")
            sock.bind((FOREIGN[version], port))
            sock.setblocking(False)
            self.socks.append(sock)
        self.thread = threading.Thread(target=self._run, daemon=True)
        self.thread.start()

    def _run(self):
        while not self.stopping.wait(0.001):
            for sock in self.socks:
                with contextlib.suppress(OSError):
                    while True:
                        self.peers[sock.recvfrom(100)[1]] = sock
            for peer, sock in list(self.peers.items()):
                with contextlib.suppress(OSError):
                    sock.sendto(b"more", peer)

    def close(self):
        self.stopping.set()
        self.thread.join()
        for sock in self.socks:
            sock.close()


TRACKED = """table inet tracked {
    chain arrives { type filter hook prerouting priority 0; policy accept; ct state new accept; }
    chain sends { type filter hook output priority 0; policy accept; ct state new accept; }
}"""
PUSHED = """version: 1
listeners: {dns: {MODE: 12345, protocols: [udp], runs_as: {user: 888}}}
rules: [{scope: both, proto: udp, port: 5001, then: {proxy: dns}}]
"""


@pytest.mark.parametrize("mode", ("tproxy", "redirect"))
def test_pushed(network, mode):
    """flows: packets of a far end open no connection in the other direction: a {mode} listener"""
    net = network()
    net.router.nft(TRACKED)
    net.listener(mode=mode, addresses=("127.0.0.1", "::1") if mode == "tproxy" else ("0.0.0.0", "::"), identity=probe.Identity(user=888))
    pusher = net.add(Pusher(net.origin, 5001))
    old = [Flow(host, version, 5001) for host in (net.client, net.router) for version in (4, 6)]
    with Sending(old):
        while len(pusher.peers) < len(old):
            time.sleep(0.01)
        policy = Policy(net, PUSHED.replace("MODE", mode)).up()
        watch = net.sniff("origin")
        time.sleep(0.3)
        out = {packet[1] for packet in watch.packets() if packet[4] == 5001}
    assert out == set(), "that still send to the far end"
    policy.down()


class Sending:
    """All flows send, again and again."""

    def __init__(self, flows):
        self.flows, self.stopping = flows, threading.Event()
        self.thread = threading.Thread(target=self._run, daemon=True)

    def _run(self):
        while not self.stopping.wait(0.01):
            for flow in self.flows:
                with contextlib.suppress(OSError):
                    flow.sock.send(b"hello\n")

    def __enter__(self):
        self.thread.start()

    def __exit__(self, *_):
        self.stopping.set()
        self.thread.join()
