"""
What belongs to a connection without being of its protocol, and what comes in unasked: ICMP errors about
connections that were taken, and connections from outside under rules that name no interface.
"""

import socket
import struct
import time

import pytest

import probe
import raw_packets
from lab import CLIENT, FOREIGN
from policy import Policy
from outcomes import answered, nothing

ETH_IP = 0x0800
IP_MTU, IP_TRANSPARENT = 14, 19  # linux/in.h
TOO_BIG = (3, 4)  # ICMP type and code: fragmentation needed
NEXT_MTU = 1200


def too_big(packet):
    """The answer of a router between client and proxy: the packet did not fit."""
    body = packet[:28 + 8]
    head = struct.pack("!BBHHH", *TOO_BIG, 0, 0, NEXT_MTU) + body
    return head[:2] + raw_packets.checksum(head) + head[4:]


def first_large(sniffer):
    deadline = time.monotonic() + 20
    while time.monotonic() < deadline:
        packet, where = sniffer.recvfrom(2000)
        if where[2] != socket.PACKET_OUTGOING and packet[9] == socket.IPPROTO_TCP and len(packet) > 500:
            return packet
    raise AssertionError("the proxy sent nothing large")


POLICIES = {
    "addresses alone": "rules: [{to: 203.0.113.8, proto: tcp, then: {proxy: p}}]",
    "a way that is kept": "rules: [{to: 203.0.113.8, proto: tcp, state: new, then: {proxy: p}}]",
}


@pytest.mark.parametrize("name, rules", POLICIES.items())
def test_errors(net, name, rules):
    """errors: an ICMP error about a proxied connection reaches the proxy, not the origin: {name}"""
    Policy(net, f"version: 1\nlisteners: {{p: {{tproxy: 12345}}}}\n{rules}\n").up()
    # The client takes no large segment, so that the proxy's stays unacknowledged.
    net.client.nft("""table inet deaf {
    chain input {
        type filter hook input priority 0;
        ip protocol tcp meta length > 500 drop
    }
}""")
    with net.router:
        listener = socket.socket()
        listener.setsockopt(socket.SOL_IP, IP_TRANSPARENT, 1)
        listener.bind(("127.0.0.1", 12345))
        listener.listen()
    with net.client:
        client = socket.create_connection((FOREIGN[4], 80), timeout=2)
        errors = socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_ICMP)
        sniffer = socket.socket(socket.AF_PACKET, socket.SOCK_DGRAM, socket.htons(ETH_IP))
        sniffer.settimeout(20)
    with listener, client, errors, sniffer:
        child, _ = listener.accept()
        child.send(b"x" * 1400)
        packet = first_large(sniffer)
        watch = net.sniff("origin")
        errors.sendto(too_big(packet), (FOREIGN[4], 0))
        deadline = time.monotonic() + 20
        while child.getsockopt(socket.SOL_IP, IP_MTU) != NEXT_MTU and time.monotonic() < deadline:
            time.sleep(0.02)
        assert child.getsockopt(socket.SOL_IP, IP_MTU) == NEXT_MTU, "the proxy's path MTU"
        nothing(watch)
        child.close()


def _transparent(version):
    """A datagram socket that may have any address."""
    family = socket.AF_INET6 if version == 6 else socket.AF_INET
    sock = socket.socket(family, socket.SOCK_DGRAM)
    probe.turn_on(sock, "TRANSPARENT")
    sock.settimeout(20)
    return sock


def _close_before_the_answer(net, host, version, port, listen_at):
    """The client asks and is gone when the answer comes: an ICMP error says so."""
    with host:
        listener, answer = _transparent(version), _transparent(version)
    listener.bind(listen_at)
    with net.client:
        client = socket.socket(listener.family, socket.SOCK_DGRAM)
    client.sendto(b"question", (FOREIGN[version], port))
    _, asker = listener.recvfrom(100)
    client.close()
    if host is net.router:
        answer.bind((FOREIGN[version], port))
    (answer if host is net.router else listener).sendto(b"answer", asker)
    time.sleep(0.2)
    listener.close()
    answer.close()


def _complaints(watch):
    return [packet for packet in watch.packets()
            if packet[0] in (socket.IPPROTO_ICMP, socket.IPPROTO_ICMPV6)]


CLOSED = {
    "any port": "proto: udp",
    "ports in a list": "proto: udp, port: [53, 1000-2000]",
    "a port of the sender's, and all but one": "proto: udp, sport: 1024-65535, port: {not: 7000}",
    "neither protocol nor port": "from: {not: 10.1.0.0/16}",
}


@pytest.mark.parametrize("name, condition", CLOSED.items())
def test_closed_port(net, name, condition):
    """errors: an ICMP error about a client's closed port does not reach the origin of a proxied reply: {name}"""
    Policy(net, f"""version: 1
listeners: {{p: {{tproxy: 12345}}}}
rules:
  - {{to: [203.0.113.9, "2001:db8:113::9"], then: drop}}
  - {{to: [203.0.113.0/24, "2001:db8:113::/48"], {condition}, then: {{proxy: p}}}}
""").up()
    watch = net.sniff("origin")
    for version in 4, 6:
        here = "::1" if version == 6 else "127.0.0.1"
        _close_before_the_answer(net, net.router, version, 53, (here, 12345))
        nothing(watch)
        if "7000" not in condition and "port: [" not in condition:
            continue
        # A connection that the rule does not take: its errors go their usual way.
        every = "::" if version == 6 else "0.0.0.0"
        _close_before_the_answer(net, net.origin, version, 7000, (every, 7000))
        assert _complaints(watch), f"no ICMP error at the origin over IPv{version}"


def test_inbound(network):
    """inbound: a rule without an interface does not send packets from an uplink back"""
    net = network(uplinks=("wan0", "wan1"))
    Policy(net, """version: 1
tables:
  fibre: {via: [192.0.2.1, "2001:db8:1::1"], dev: wan0, masquerade: true}
  mobile: {via: [198.51.100.1, "2001:db8:2::1"], dev: wan1, masquerade: true}
default: {forward: {route: [fibre, mobile, unreachable]}}
""").up()
    net.echo(net.client, tcp=(5000,), udp=(5000,))
    for proto in "tcp", "udp":
        answered(probe.ask(net.hosts["origin"], proto, CLIENT[6], 5000, timeout=2), "client")
    # What the rule is there for still goes its way.
    for proto, version in (("tcp", 4), ("udp", 6)):
        answered(probe.ask(net.client, proto, FOREIGN[version], 443), "origin")


def test_asked_mark(net):
    """marks: a foreign mark with a value that the policy matches is not taken for one of its ways"""
    net.router.nft("""table inet theirs {
    chain before {
        type filter hook prerouting priority -160;
        iifname "lan0" meta l4proto udp meta mark set 0x01000000
    }
}""")
    Policy(net, """version: 1
listeners: {p: {tproxy: 12345}}
rules:
  - {mark: 0x01000000, then: direct}
  - {in: lan0, proto: tcp, then: {proxy: p}}
""").up()
    for version in 4, 6:
        answered(probe.ask(net.client, "udp", FOREIGN[version], 53), "origin")
