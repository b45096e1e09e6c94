"""
Connections that the kernel forgets: with the link, or its address, by which a connection was masqueraded goes
its conntrack entry, and the mark that keeps its way. What it sends from then on meets the rules as if it were
new, and they may say something else: an element of a set has gone, or the process.
"""

import contextlib
import time

import pytest

import probe
import raw_packets
from test_first_packet import FAMILIES, element
from lab import CLIENT, FOREIGN, UPLINKS, Network
from policy import Policy

POLICY = """version: 1
sets: {hot: {dynamic: true}, cut: {dynamic: true}}
tables: {vpn: {dev: wg0, masquerade: true, fallback: unreachable}}
rules:
  - {scope: both, to: cut, then: drop}
  - {user: 888, then: {route: vpn}}
  - {scope: both, to: hot, then: {route: vpn}}
"""
PORT = 4433  # where only the host behind the tunnel answers
SECRET = b"secret\n"
USER = probe.Identity(user=888)
# What the kernel takes with the conntrack entries, and the tunnel as it was afterwards.
LOSSES = {"the link goes down": "link set wg0 down", "the link is deleted": "link delete wg0",
          "its addresses go": "addr flush dev wg0 scope global"}


class Far(probe.Echo):
    """
    Holds its connections. A FIN that it sent again would come to the router without an entry, and the reset that
    the router itself answers with is none of the connection's packets.
    """

    def on_stream(self, child, peer):
        child.sendall(self._line(peer, child.getsockname()).encode())
        self.sockets.append(child)


class Talk:
    """A connection, or a flow of datagrams, that was answered and is held."""

    def __init__(self, host, proto, version, identity=probe.NOBODY_SPECIAL):
        self.sock = identity.open(host, probe.family_of(FOREIGN[version]), probe.SOCKETS[proto])
        self.sock.settimeout(3)
        self.sock.connect((FOREIGN[version], PORT))
        self.say()
        self.first = self.sock.recv(2048).decode()

    def say(self):
        with contextlib.suppress(OSError):
            self.sock.send(SECRET)

    def close(self):
        self.sock.close()


def world():
    net = Network(uplinks=("wan0", "wg0"))
    net.add(Far(net.hosts["vpn"], (PORT,), (PORT,)))
    return net


@pytest.fixture(name="net")
def made():
    with world() as net:
        yield net


def elements(net, verb, name="hot"):
    for version in FAMILIES:
        element(net, verb, version, name)


def lose(net, how):
    net.router.ip(LOSSES[how])
    deadline = time.monotonic() + 5
    while tracked(net) and time.monotonic() < deadline:
        time.sleep(0.02)
    assert tracked(net) == 0, "entries that are left: the kernel has forgotten nothing"


def tracked(net):
    with net.router, open("/proc/thread-self/net/nf_conntrack") as file:
        return sum(f"dport={PORT} " in line for line in file)


def seen(sniffer, seconds=0.0):
    """What went by the clear way to the port, as (protocol, source, flags)."""
    time.sleep(seconds)
    return [(packet[0], packet[1], packet[5]) for packet in sniffer.packets() if packet[4] == PORT]


def both_families(host, proto, identity=probe.NOBODY_SPECIAL):
    talks = [Talk(host, proto, version, identity) for version in (4, 6)]
    for talk in talks:
        assert talk.first.startswith("vpn "), talk.first
    return talks


def back(net, how):
    """The tunnel as it was."""
    if "deleted" in how:
        net.connect("wg0")
        net.router.settle()
    else:
        net.link_up("wg0")


@pytest.mark.parametrize("how", ("the link goes down", "the link is deleted"))
@pytest.mark.parametrize("proto", ("tcp", "udp"))
def test_forwarded(net, proto, how):
    """forgotten: forwarded {proto} whose element is gone, when {how}: no leak, and the connection goes on"""
    policy = Policy(net, POLICY).up()
    elements(net, "add")
    talks = both_families(net.client, proto)
    elements(net, "delete")
    origin = net.sniff()
    lose(net, how)
    for talk in talks:
        talk.say()
    assert seen(origin, 0.5) == [], "in the clear"
    for version in 4, 6:  # but what is new meets the rules
        assert probe.ask(net.client, proto, FOREIGN[version], 443).who == "origin"
    back(net, how)
    policy.up()
    origin.packets()
    vpn = net.sniff("vpn")
    for talk in talks:
        talk.say()
    found = {packet[1] for packet in vpn.wait(lambda packets: len({one[1] for one in packets}) > 1)}
    assert found == {UPLINKS["wg0"][1][4], UPLINKS["wg0"][1][6]}, "on it goes, from"
    assert seen(origin) == [], "in the clear, after it"
    for talk in talks:
        talk.close()


def test_orphaned():
    """forgotten: packets of an ended process, when the link goes down: no leak"""
    for identity, rule in ((USER, False), (probe.NOBODY_SPECIAL, True)):
        with world() as net:
            Policy(net, POLICY).up()
            if rule:
                elements(net, "add")
            talks = both_families(net.router, "tcp", identity)
            if rule:
                elements(net, "delete")
            origin = net.sniff()
            lose(net, "the link goes down")
            for talk in talks:
                talk.say()
                talk.close()
            assert seen(origin, 1.5) == [], "in the clear"


def test_local_datagrams(net):
    """forgotten: local datagrams whose element is gone, when the link goes down: no leak"""
    Policy(net, POLICY).up()
    elements(net, "add")
    talks = both_families(net.router, "udp")
    elements(net, "delete")
    origin = net.sniff()
    lose(net, "the link goes down")
    for talk in talks:
        talk.say()
    assert seen(origin, 0.5) == [], "in the clear"


def test_cut(net):
    """forgotten: a drop above the rule that decided still cuts the connection"""
    Policy(net, POLICY).up()
    elements(net, "add")
    talks = both_families(net.client, "tcp")
    elements(net, "delete")
    lose(net, "its addresses go")
    elements(net, "add", "cut")
    origin, vpn = net.sniff(), net.sniff("vpn")
    for talk in talks:
        talk.say()
    assert (seen(origin, 0.5), seen(vpn)) == ([], []), "packets"


def test_others(net):
    """forgotten: segments of connections without state meet the rules: replies may use another host"""
    Policy(net, POLICY).up()
    origin = net.sniff()
    for version in 4, 6:
        raw_packets.send(net.client, "tcp", CLIENT[version], FOREIGN[version], 443, flags=raw_packets.ACK)
    found = origin.wait(lambda packets: len(packets) > 1)
    assert [packet[5] for packet in found] == [raw_packets.ACK] * 2, "flags of what came"


def test_stateless(net):
    """forgotten: without state, a masqueraded connection meets the same rule again"""
    Policy(net, """version: 1
tables: {vpn: {dev: wg0, masquerade: true, fallback: unreachable}}
rules: [{scope: both, proto: [tcp, udp], port: 4433, then: {route: vpn}}]
""").up()
    talks = [talk for host in (net.client, net.router) for proto in ("tcp", "udp")
             for talk in both_families(host, proto)]
    origin = net.sniff()
    lose(net, "the link goes down")
    for talk in talks:
        talk.say()
        talk.close()
    assert seen(origin, 1.5) == [], "in the clear"
