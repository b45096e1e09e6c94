"""
Changing a policy while packets pass: a bounded flood from the client (and from a user of the
router), while two policies take turns. Both close the clear way, each in its own manner, so not one
packet may come out there at any instant.
"""

import socket
import subprocess
import threading
import time

import pytest

import probe
from lab import FOREIGN
from policy import TPC, Policy, different, kernel

TURNS = 12


class Flood:
    """
    Datagrams from many source ports (each a new connection), a few thousand a second, until
    stopped.
    """

    def __init__(self, host, identity=probe.NOBODY_SPECIAL, ports=40):
        self.stopping, self.sent = threading.Event(), 0
        self.socks = []
        for number in range(ports):
            for version in 4, 6:
                sock = identity.open(host, probe.family_of(FOREIGN[version]), socket.SOCK_DGRAM)
                sock.setblocking(False)
                self.socks.append((sock, (FOREIGN[version], 5000 + number % 7)))
        self.thread = threading.Thread(target=self._run, daemon=True)

    def _run(self):
        while not self.stopping.wait(0.004):
            for sock, dest in self.socks:
                try:
                    sock.sendto(b"flood", dest)
                    self.sent += 1
                except OSError:
                    pass  # told that there is no way: as it should be

    def __enter__(self):
        self.thread.start()
        return self

    def __exit__(self, *_):
        self.stopping.set()
        self.thread.join()
        for sock, _ in self.socks:
            sock.close()


PREFIXES = "\n".join(f"  - 203.{second}.0.0/17" for second in range(256)
                     if second != 0) + '\n  - 203.0.113.0/24\n  - "2001:db8:113::/48"\n'

CLOSED = {
    "proxy": """version: 1
sets:
  foreign:
%s
listeners: {p: {tproxy: 12345, runs_as: {user: 1001}}}
rules: [{scope: both, to: foreign, proto: [tcp, udp], then: {proxy: p}}]
""" % PREFIXES,
    "tunnel": """version: 1
sets:
  elsewhere:
%s
tables: {vpn: {dev: wg0, fallback: unreachable}}
rules: [{scope: both, to: elsewhere, then: {route: vpn}}]
""" % PREFIXES,
    "proxy of the number": """version: 1
sets:
  foreign:
%s
listeners: {p: {tproxy: 12345, runs_as: {user: 1001}, mark: 77, table: 7001}} # allow: own-mark
rules: [{scope: both, to: foreign, proto: [tcp, udp], then: {proxy: p}}]
""" % PREFIXES,
    "tunnel of the number": """version: 1
sets:
  elsewhere:
%s
tables: {vpn: {dev: wg0, fallback: unreachable, mark: 77, id: 7001}}
rules: [{scope: both, to: elsewhere, then: {route: vpn}}]
""" % PREFIXES,
    "wall": "version: 1\nrules: [{scope: both, to: [203.0.113.0/24, '2001:db8:113::/48'], then: drop}]\n",
    "bigger proxy": """version: 1
sets:
  foreign:
  - 198.18.0.0/15
%s
listeners: {p: {tproxy: 12345, runs_as: {user: 1001}}}
rules: [{scope: both, to: foreign, proto: [tcp, udp], then: {proxy: p}}]
""" % PREFIXES,
}


@pytest.mark.parametrize("one, other", [
    ("proxy", "tunnel"), ("proxy", "bigger proxy"), ("tunnel", "wall"), ("proxy of the number", "tunnel of the number"),
])
def test_switch(network, one, other):
    """switch: {one} and {other} in turn under a flood, loaded by apply: no leak"""
    net = network(uplinks=("wan0", "wg0"))
    policies = [Policy(net, CLOSED[name]).compile() for name in (one, other)]
    policies[0].up()
    state = kernel(net.router)
    watch = net.sniff("origin")
    with Flood(net.client) as far, Flood(net.router) as near:
        for turn in range(TURNS):
            policies[(turn + 1) % 2].up()
    packets = watch.packets()
    assert far.sent > 500 and near.sent + far.sent > 1000, \
        f"the flood was a trickle: {far.sent} and {near.sent}"
    assert len(packets) == 0, f"packets of {far.sent} + {near.sent} that got out (first {packets[:1]})"
    lines = different(state, kernel(net.router))
    assert not lines or TURNS % 2, "after as many turns there as back:\n" + "\n".join(lines)


def test_reload(network):
    """switch: the nft file loaded repeatedly under a flood: no leak"""
    net = network(uplinks=("wan0", "wg0"))
    policy = Policy(net, CLOSED["proxy"]).up("hand")
    watch = net.sniff("origin")
    with Flood(net.client) as far:
        for _ in range(TURNS):
            net.router.run("nft", "-f", str(policy.file(".nft")))
    assert far.sent > 100, f"the flood was a trickle: {far.sent}"
    packets = watch.packets()
    assert len(packets) == 0, f"packets of {far.sent} that got out (first {packets[:1]})"


def test_script(network):
    """switch: the script's up repeatedly under a flood: no leak"""
    net = network(uplinks=("wan0", "wg0"))
    policy = Policy(net, CLOSED["tunnel"]).up("sh")
    watch = net.sniff("origin")
    with Flood(net.client) as far:
        for _ in range(4):
            policy.up("sh")
    assert far.sent > 100, f"the flood was a trickle: {far.sent}"
    packets = watch.packets()
    assert len(packets) == 0, f"packets of {far.sent} that got out (first {packets[:1]})"


def test_flows(net):
    """switch: without a policy the same flood leaks"""
    watch = net.sniff("origin")
    with Flood(net.client) as far:
        while far.sent < 1000:
            far.stopping.wait(0.02)
    assert len(watch.packets()) > 100, "the watch at the origin is blind"


def test_killed(network):
    """switch: apply killed at any moment under a flood leaks nothing, and the next apply fixes it"""
    net = network(uplinks=("wan0", "wg0"))
    policies = [Policy(net, CLOSED[name]).compile() for name in ("proxy", "tunnel")]
    policies[0].up()
    state = kernel(net.router)
    policies[1].up()
    watch = net.sniff("origin")
    with Flood(net.client) as far:
        for turn in range(16):
            policies[turn % 2].killed(0.002 + 0.0025 * turn)
        policies[0].up()
    packets = watch.packets()
    assert len(packets) == 0, f"packets of {far.sent} that got out (first {packets[:1]})"
    lines = different(state, kernel(net.router))
    assert not lines, "after the last apply, which went through:\n" + "\n".join(lines)


def test_at_once(network):
    """switch: two applies at the same moment are serialized, without a mixture"""
    net = network(uplinks=("wan0", "wg0"))
    policies = [Policy(net, CLOSED[name]).compile() for name in ("proxy", "tunnel")]
    states = []
    for policy in policies:
        policy.up()
        states.append(kernel(net.router))
    watch = net.sniff("origin")
    with Flood(net.client):
        for _ in range(4):
            with net.router:
                running = [subprocess.Popen([TPC, "apply", str(policy.path)],
                                            stdout=subprocess.PIPE,
                                            stderr=subprocess.STDOUT, text=True)
                                            for policy in policies]
            said = [process.communicate()[0] for process in running]
            codes = {process.returncode for process in running}
            assert 0 in codes and codes <= {0, 3}, f"exit statuses {codes}: {said}"
            left = [different(state, kernel(net.router)) for state in states]
            assert not all(left), "neither policy's state:\n" + "\n".join(left[0])
    packets = watch.packets()
    assert len(packets) == 0, f"packets that got out (first {packets[:1]})"
