"""
Source addresses: what leaves by a table that translates has the table's address, or does not leave. Only the
first packet of a connection is translated, so what connection tracking knows of none, and what another table
has begun, is held.
"""

import contextlib
import socket
import time

import pytest

import probe
import raw_packets
from test_carrier import plug, pull
from test_lost_conntrack import PORT, Far, Talk
from lab import CLIENT, FOREIGN, ROUTER, UPLINKS
from policy import Policy
from outcomes import answered

FIN, RST = 1, 4
STRAYS = RST, FIN | raw_packets.ACK, raw_packets.SYN | raw_packets.ACK
FAR = '[203.0.113.0/24, "2001:db8:113::/48"]'
GIVEN = {"wan0": {4: "192.0.2.10", 6: "2001:db8:1::10"}, "wan1": {4: "198.51.100.10", 6: "2001:db8:2::10"},
         "wg0": {4: "10.99.0.10", 6: "fd00:99::10"}}
GATEWAYS = {"wan0": '[192.0.2.1, "2001:db8:1::1"]', "wan1": '[198.51.100.1, "2001:db8:2::1"]'}


def snat(device):
    return f'snat: [{GIVEN[device][4]}, "{GIVEN[device][6]}"]'


def own(net, **words):
    """The addresses that tables give are the router's own."""
    for device in (device for device, word in words.items() if word == snat(device)):
        net.router.ip(f"address add {GIVEN[device][4]}/24 dev {device}\n"
                      f"address add {GIVEN[device][6]}/64 dev {device} nodad")


def sources(packets, port=None):
    return {packet[1] for packet in packets if not packet[1].startswith("fe80:") and port in (None, packet[4])}


# ---- packets of no connection ----

def _closed(host, version):
    """What answers to a socket that is closed meanwhile: an ICMP error about a translated flow."""
    with host, socket.socket(probe.family_of(FOREIGN[version]), socket.SOCK_DGRAM) as sock:
        sock.connect((FOREIGN[version], 7))
        sock.send(b"hello\n")


@pytest.mark.parametrize("words, ours", [
    ("masquerade: true", UPLINKS["wg0"][1]),
    (snat("wg0"), GIVEN["wg0"]),
])
def test_strays(network, words, ours):
    """sources: a table with {words}: packets of no connection are not translated, and do not leave"""
    net = network(uplinks=("wan0", "wg0"))
    own(net, wg0=words)
    policy = Policy(net, f"""version: 1
tables: {{vpn: {{dev: wg0, fallback: unreachable, {words}}}}}
rules: [{{scope: both, to: {FAR}, then: {{route: vpn}}}}]
""").up()
    wire, clear = net.sniff("vpn"), net.sniff()
    for version in 4, 6:
        for host, source in (net.client, CLIENT), (net.router, ROUTER):
            for number, flags in enumerate(STRAYS):
                raw_packets.send(host, "tcp", source[version], FOREIGN[version], 80, sport=40000 + number, flags=flags)
        # What may belong to a connection that is older than the table is translated, as ever.
        raw_packets.send(net.client, "tcp", CLIENT[version], FOREIGN[version], 81, flags=raw_packets.ACK)
    found = wire.wait(lambda packets: len(sources(packets, 81)) > 1)
    assert sources(found) == set(ours.values()), "sources"
    assert sources(found, 80) | sources(clear.packets(), 80) == set(), "sources of strays"
    for version in 4, 6:
        answered(probe.ask(net.client, "tcp", FOREIGN[version], 443), "vpn", peer=ours[version])
        answered(probe.ask(net.router, "tcp", FOREIGN[version], 443), "vpn", peer=ours[version])
    policy.down()


def test_errors(network):
    """sources: ICMP errors about masqueraded packets leave with the table's address"""
    net = network(uplinks=("wan0", "wg0"))
    Policy(net, f"""version: 1
tables: {{vpn: {{dev: wg0, fallback: unreachable, masquerade: true}}}}
rules: [{{in: lan0, to: {FAR}, then: {{route: vpn}}}}]
""").up()
    wire = net.sniff("vpn")
    for version in 4, 6:
        _closed(net.client, version)
    asked = wire.wait(lambda packets: len({one[1] for one in packets if one[0] == 17}) > 1)
    for _, source, dest, sport, port, _ in asked:
        raw_packets.send(net.hosts["vpn"], "udp", dest, source, sport, sport=port)
    found = wire.wait(lambda packets: len({one[0] for one in packets if one[0] in (1, 58)}) > 1)
    assert sources(found) == set(UPLINKS["wg0"][1].values()), "sources"


def test_reset(network):
    """sources: the host's own reset for a stray segment does not show a tunnel's address elsewhere"""
    net = network(uplinks=("wan0", "wg0"))
    Policy(net, f"""version: 1
tables: {{vpn: {{dev: wg0, fallback: unreachable, masquerade: true}}}}
rules: [{{in: lan0, to: {FAR}, then: {{route: vpn}}}}]
""").up()
    clear = net.sniff()
    for version in 4, 6:
        raw_packets.send(net.hosts["vpn"], "tcp", FOREIGN[version], UPLINKS["wg0"][1][version], 40000, sport=80,
                 flags=FIN | raw_packets.ACK)
        # The same with the address of the interface that it leaves by is an answer like any other.
        raw_packets.send(net.hosts["origin"], "tcp", FOREIGN[version], UPLINKS["wan0"][1][version], 40000, sport=80,
                 flags=FIN | raw_packets.ACK)
    found = clear.wait(lambda packets: len(packets) > 1)
    assert sources(found) == set(UPLINKS["wan0"][1].values()), "sources"


# ---- connections that another table has begun ----

def _list(one, two):
    return f"""version: 1
tables:
  one: {{via: {GATEWAYS["wan0"]}, dev: wan0, {one}}}
  two: {{via: {GATEWAYS["wan1"]}, dev: wan1, {two}}}
rules: [{{scope: both, to: {FAR}, then: {{route: [one, two, unreachable]}}}}]
"""


def down(net):
    net.router.ip("link set wan0 down")


def up(net):
    net.link_up("wan0")
    net.router.ip(f"address replace {GIVEN['wan0'][6]}/64 dev wan0 nodad")
    net.router.settle()


LOSSES = {"the link goes down": (down, up),
          "the cable is pulled": (lambda net: pull(net, "wan0", "origin"), lambda net: plug(net, "wan0", "origin"))}


@pytest.mark.parametrize("one, two, how, theirs", [
    (snat("wan0"), snat("wan1"), "the link goes down", GIVEN["wan1"]),
    (snat("wan0"), snat("wan1"), "the cable is pulled", GIVEN["wan1"]),
    (snat("wan0"), "masquerade: true", "the cable is pulled", UPLINKS["wan1"][1]),
    ("masquerade: true", snat("wan1"), "the cable is pulled", GIVEN["wan1"]),
    ("", "masquerade: true", "the cable is pulled", UPLINKS["wan1"][1]),
])
def test_fails_over(network, one, two, how, theirs):
    """sources: a list of tables ({one}, then {two}), {how}: no packet through the second with another's address, and new connections pass"""
    lose, find = LOSSES[how]
    hosts = ("client",) if not one else ("client", "router")
    net = network(uplinks=("wan0", "wan1"))
    own(net, wan0=one, wan1=two)
    for version, gateway in UPLINKS["wan1"][2].items():
        net.router.ip(f"route add default via {gateway} dev wan1 metric 2000", f"-{version}")
    net.hosts["origin"].ip(f"route add {CLIENT[4]}/32 via {UPLINKS['wan0'][1][4]}\n"
                           f"route add {CLIENT[6]}/128 via {UPLINKS['wan0'][1][6]}")
    for name in "origin", "mobile":
        net.add(Far(net.hosts[name], (PORT,), (PORT,)))
    policy = Policy(net, _list(one, two)).up()
    talks = [(name, proto, version, Talk(net.hosts[name], proto, version)) for name in hosts
             for proto in ("tcp", "udp") for version in (4, 6)]
    for *_, talk in talks:
        assert talk.first.startswith("origin "), talk.first
    lose(net)
    wire = net.sniff("mobile")
    for *_, talk in talks:
        talk.say()
    time.sleep(0.4)
    left = sources(wire.packets(), PORT)
    assert left <= set(theirs.values()), f"by the second table, from {left}"
    for name, proto, version, talk in talks:
        if name == "client" and proto == "tcp":
            with contextlib.suppress(ConnectionResetError, ConnectionRefusedError):
                raise AssertionError(f"not told: {talk.sock.recv(100)!r}")
        answered(probe.ask(net.hosts[name], proto, FOREIGN[version], 443), "mobile", peer=theirs[version])
    find(net)
    policy.up()
    for name, proto, _, talk in talks:
        if proto == "udp":
            _again(talk)
    for *_, talk in talks:
        talk.close()


def _again(talk):
    """The flow is answered once more: a refusal that came late is of before."""
    talk.sock.settimeout(0.3)
    for _ in range(10):
        talk.say()
        with contextlib.suppress(OSError):
            if talk.sock.recv(2048).startswith(b"origin"):
                return
    raise AssertionError("the flow is not answered again")
