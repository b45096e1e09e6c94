"""
Sockets of listeners: in every arrangement of them `explain --live` says of a packet what the kernel then
does with it, and `status` what is wrong: IP_TRANSPARENT, the address, the family, the interface, a
peer, several sockets that share a port, a socket in another network namespace.
"""

import contextlib
import json
import socket
import time

import pytest

import probe
from lab import CLIENT, FOREIGN, Network
from policy import TPC, Policy

SO_BINDTODEVICE = 25
PORT = 12345
CELLS = [(scope, version, proto) for scope in ("forward", "local") for version in (4, 6) for proto in ("tcp", "udp")]
TPROXY, REDIRECT = "{tproxy: 12345, runs_as: {mark: 255}}", "{redirect: 12345, protocols: [tcp, udp], runs_as: {mark: 255}}"
DNAT = '{dnat: ["10.10.10.1:12345", "[fd00:10::1]:12345"], runs_as: {mark: 255}}'


class Sockets(probe.Server):
    """Sockets that take what comes and count it; each a list: an address and words that follow it."""

    def __init__(self, host, *arrangement):
        super().__init__(host)
        self.taken = 0
        for address, *words in arrangement:
            for proto in [word for word in words if word in ("tcp", "udp")] or ("tcp", "udp"):
                self._open(proto, address, words)

    def _open(self, proto, address, words):
        family = probe.family_of(address)
        sock = self.identity.open(self.host, family, probe.SOCKETS[proto])
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        if family == socket.AF_INET6:
            sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, "both" not in words)
        if "transparent" in words:
            probe.turn_on(sock, "TRANSPARENT")
        for word in words:
            if word.startswith("dev="):
                sock.setsockopt(socket.SOL_SOCKET, SO_BINDTODEVICE, word[4:].encode())
        sock.bind((address, PORT))
        if "connected" in words:
            sock.connect(("10.10.10.77" if family == socket.AF_INET else "fd00:10::77", 9))
        if proto == "tcp":
            sock.listen(64)
        sock.setblocking(False)
        self.sockets.append(sock)
        probe.engine().add(sock, lambda: self._news(proto, sock))

    def on_stream(self, child, _):
        self.taken += 1
        child.close()

    def on_datagram(self, sock):
        sock.recv(2048)
        self.taken += 1


def is_taken(sockets, host, version, proto):
    """Whether a socket gets what the host sends; not when it is refused, or nothing has come."""
    before = sockets.taken
    with host, socket.socket(probe.family_of(FOREIGN[version]), probe.SOCKETS[proto]) as sock:
        sock.settimeout(0.3)
        if proto == "udp":
            probe.turn_on(sock, "RECVERR")
        with contextlib.suppress(OSError):
            sock.connect((FOREIGN[version], 80))
            sock.send(b"hello")
            sock.setblocking(False)
            until = time.monotonic() + 0.3
            while sockets.taken == before and time.monotonic() < until:
                with contextlib.suppress(BlockingIOError):
                    if not sock.recv(1):
                        time.sleep(0.001)
                time.sleep(0.001)
    return sockets.taken > before


def packet(scope, version, proto):
    whence = f"in=lan0 from={CLIENT[version]}" if scope == "forward" else "scope=local"
    return f"{whence} to={FOREIGN[version]} proto={proto} port=80"


def verdicts(policy):
    """What explain --live says of each cell: its complaints and doubts, or that a socket takes it."""
    done = policy.router.run(TPC, "explain", str(policy.path), "--live", "--batch", "-", "--format", "json", check=False,
                             stdin="".join(packet(*cell) + "\n" for cell in CELLS))
    lives = [json.loads(line)["live"] for line in done.stdout.splitlines()]
    assert len(lives) == len(CELLS), done.stdout + done.stderr
    for live in lives:
        text = " | ".join([problem["message"] for problem in live["problems"]] + live["unknown"])
        yield text, "the listener p: a socket takes it" in live["asked"]


def complaints(policy):
    """What status says of the listener."""
    done = json.loads(policy.tpc("status", "--format", "json").stdout)
    return [problem["message"] for problem in done["policies"][0]["problems"] if "(listener p)" in problem["message"]]


def text_of(listener, more=""):
    return f"""version: 1
listeners: {{p: {listener}}}
rules:
  - {{{more or 'in: lan0'}, proto: [tcp, udp], port: 80, then: {{proxy: p}}}}
  - {{scope: local, proto: [tcp, udp], port: 80, then: {{proxy: p}}}}
"""


def cells(*words):
    """Those that have all of the words."""
    return {cell for cell in CELLS if all(word in cell for word in words)}


def both(*words, ipv4="0.0.0.0", ipv6="::"):
    return (ipv4, *words), (ipv6, *words)


# The listener, its sockets, the cells that they take, and a part of what status says.
ROWS = {
    "one on each loopback address, transparent": (
        TPROXY, both("transparent", ipv4="127.0.0.1", ipv6="::1"), cells(), None),
    "no IP_TRANSPARENT": (
        TPROXY, both(), None, "the socket on [::]:12345/udp has no IP_TRANSPARENT"),
    "one IPv6 socket for both families, IPV6_TRANSPARENT": (TPROXY, [("::", "transparent", "both")], cells(), None),
    "an IPv6 socket alone": (
        TPROXY, [("::", "transparent")], cells(6),
        "no socket listens on 127.0.0.1:12345/tcp (listener p); what listens on that port is bound to [::]:12345 "
        "(IPv6 alone)"),
    "a v4-mapped address": (
        TPROXY, [("::ffff:127.0.0.1", "transparent", "both")], cells(4), "bound to [::ffff:127.0.0.1]:12345"),
    "an interface": (
        TPROXY, both("transparent", "dev=lan0"), cells("forward"), "bound to 0.0.0.0:12345 (lan0 alone)"),
    "another address": (
        TPROXY, both("transparent", ipv4="10.10.10.1", ipv6="fd00:10::1"), None,
        "no socket listens on [::1]:12345/udp (listener p); what listens on that port is bound to [fd00:10::1]:12345"),
    "the nearer of two is not transparent": (
        TPROXY, (*both("transparent"), *both(ipv4="127.0.0.1", ipv6="::1")), None,
        "the socket on 127.0.0.1:12345/tcp has no IP_TRANSPARENT"),
    "the packet's own family is nearer than a socket for both": (
        TPROXY, [("::", "transparent", "both"), ("0.0.0.0",)], cells(6), "the socket on 0.0.0.0:12345/tcp has no"),
    "connected UDP sockets": (
        TPROXY, (*both("transparent", "tcp"), *both("transparent", "udp", "connected")), cells("tcp"),
        "12345 (connected to 10.10.10.77 alone)"),
    "TCP alone": (TPROXY, both("transparent", "tcp"), cells("tcp"), "no socket listens on 127.0.0.1:12345/udp (listener p)"),
    "redirect to every address": (REDIRECT, both(), cells(), None),
    "redirect to one IPv6 socket for both families": (REDIRECT, [("::", "both")], cells(), None),
    "redirect to loopback": (
        REDIRECT, both(ipv4="127.0.0.1", ipv6="::1"), cells("local"),
        "no socket listens on [fd00:10::1]:12345/udp, where redirect sends packets from lan0 (listener p); what "
        "listens on that port is bound to [::1]:12345"),
    "redirect to the address of the interface": (
        REDIRECT, both(ipv4="10.10.10.1", ipv6="fd00:10::1"), cells("forward"),
        "no socket listens on 127.0.0.1:12345/tcp (listener p); what listens on that port is bound to 10.10.10.1:12345"),
    "redirect to the address of another interface": (
        REDIRECT, both(ipv4="192.0.2.2", ipv6="2001:db8:1::2"), None, "from lan0 (listener p); what listens"),
    "redirect to a socket of another interface": (REDIRECT, both("dev=wan0"), None, "bound to 0.0.0.0:12345 (wan0 alone)"),
    "dnat to an address of this host": (DNAT, both(), cells(), None),
    "dnat to an address of this host where nothing listens": (
        DNAT, both(ipv4="127.0.0.1", ipv6="::1"), None,
        "no socket listens on 10.10.10.1:12345/tcp (listener p); what listens on that port is bound to 127.0.0.1:12345"),
}


def _try(listener, arrangement, wanted, said):
    with Network() as net:
        policy = Policy(net, text_of(listener)).up()
        sockets = net.add(Sockets(net.router, *arrangement))
        for cell, (text, is_said) in zip(CELLS, verdicts(policy)):
            host = net.client if cell[0] == "forward" else net.router
            takes = is_taken(sockets, host, *cell[1:])
            assert takes == (wanted is not None and cell in wanted), \
                f"{cell}: whether a socket gets the packet ({text})"
            assert is_said == takes, f"{cell}: what explain --live says ({text})"
            assert takes != ("(listener p)" in text), f"{cell}: {text}"
        found = complaints(policy)
        assert any(said in text for text in found) if said else not found, "\n".join(found)


@pytest.mark.parametrize("name", ROWS)
def test_row(name):
    """sockets: {name}: explain --live, status and the packets agree"""
    _try(*ROWS[name])


def test_shared():
    """sockets: two share a port, and one is not transparent: some connections are refused, with a warning"""
    for version in 4, 6:
        with Network() as net:
            policy = Policy(net, text_of(TPROXY)).up()
            sockets = net.add(Sockets(net.router, *both("transparent"), *both()))
            for proto in "tcp", "udp":
                found = {is_taken(sockets, net.client, version, proto) for _ in range(24)}
                assert found == {True, False}, f"IPv{version} {proto}: packets that a socket gets"
                said = f"1 of 2 sockets on {'[::]' if version == 6 else '0.0.0.0'}:12345/{proto} has no IP_TRANSPARENT"
                assert any(said in text for text in complaints(policy)), complaints(policy)


def test_either(net):
    """sockets: one of the interface and one of all: the kernel takes the first or the last one, and both are possible"""
    policy = Policy(net, text_of(TPROXY)).up()
    net.add(Sockets(net.router, *both("transparent"), *both("dev=lan0")))
    said = [text for text, _ in verdicts(policy)]
    assert ["1 of 2 sockets on" in text for text in said] == [scope == "forward" for scope, _, _ in CELLS], said


def test_plan(net):
    """sockets: plan reports what an apply would find, apply reports existing sockets that do not match"""
    policy = Policy(net, text_of(TPROXY))
    said = policy.tpc("plan", str(policy.path), check=False)
    assert "no socket listens on [::1]:12345/udp (listener p)" in said.stdout + said.stderr, said.stdout + said.stderr
    said = policy.tpc("apply", str(policy.path))
    assert "(listener p)" not in said.stdout + said.stderr, "an apply may come before the program"
    policy.down()
    net.add(Sockets(net.router, *both()))
    for verb in "plan", "apply":
        said = policy.tpc(verb, str(policy.path), check=False)
        assert "the socket on [::]:12345/tcp has no IP_TRANSPARENT" in said.stdout + said.stderr, said.stderr
    policy.down()
    assert policy.tpc("apply", "--strict", str(policy.path), check=False).returncode == 0, "a socket can be made anew"


def test_interfaces(network):
    """sockets: the interfaces where a redirected packet finds none; sockets of other namespaces do not count"""
    net = network(uplinks=("wan0", "wan1"))
    policy = Policy(net, text_of(REDIRECT, "in: {not: wan1}")).up()
    there = net.add(Sockets(net.client, *both()))
    for text in complaints(policy):
        assert text.startswith("no socket listens on port 12345/") or "127.0.0.1:12345/" in text \
            or "[::1]:12345/" in text, text
    assert (is_taken(there, net.client, 4, "tcp"), len(complaints(policy))) == (False, 4), "in another namespace"
    net.add(Sockets(net.router, *both(ipv4="10.10.10.1", ipv6="fd00:10::1")))
    said = " | ".join(complaints(policy))
    assert "192.0.2.2:12345/tcp, where redirect sends packets from wan0" in said, said
    assert "2001:db8:1::2]:12345/udp, where redirect sends packets from wan0" in said, said
    assert "lan0" not in said and "wan1" not in said, said
    policy.down()
    policy = Policy(net, text_of(REDIRECT, "scope: forward"), name="all").up()
    said = " | ".join(complaints(policy))
    assert "from wan0 (listener p)" in said and "the same for packets from wan1" in said, said
