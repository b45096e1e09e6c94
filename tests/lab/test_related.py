"""
Related connections: what a helper of the kernel's expects (the data of FTP) goes where its master goes, in both
directions, though the rules about the master's port know nothing of its ports.
"""

import contextlib
import re
import socket
import threading

import pytest

import probe
from test_carrier import plug, pull
from lab import FOREIGN, UPLINKS, Network
from policy import Policy
from outcomes import answered

HELPER = """table inet helpers {
    ct helper ftp4 { type "ftp" protocol tcp; l3proto ip; }
    ct helper ftp6 { type "ftp" protocol tcp; l3proto ip6; }
    chain forwarded {
        type filter hook prerouting priority -110; policy accept;
        meta nfproto ipv4 tcp dport { 21, 2121 } ct helper set "ftp4"
        meta nfproto ipv6 tcp dport { 21, 2121 } ct helper set "ftp6"
    }
    chain local {
        type filter hook output priority -110; policy accept;
        meta nfproto ipv4 tcp dport { 21, 2121 } ct helper set "ftp4"
        meta nfproto ipv6 tcp dport { 21, 2121 } ct helper set "ftp6"
    }
}"""
DATA = 40021
TABLES = """version: 1
sets: {hot: {dynamic: true}}
tables:
  fibre: {via: [192.0.2.1, "2001:db8:1::1"], dev: wan0, masquerade: true}
  mobile: {via: [198.51.100.1, "2001:db8:2::1"], dev: wan1, masquerade: true}
rules:
"""
FTP = "  - {scope: both, proto: tcp, port: PORT, then: {route: mobile}}\n"
REST = '  - {scope: both, to: [203.0.113.0/24, "2001:db8:113::/48"], then: {route: fibre}}\n'
HOT = "  - {scope: both, to: hot, then: {route: fibre}}\n"
POLICIES = {"no state": (FTP + REST, 21), "another port": (FTP + REST, 2121), "state below": (FTP + HOT + REST, 21),
            "state above": (HOT + FTP + REST, 21), "all else left alone": (FTP, 21)}


class Ftp(probe.Server):
    """Answers EPSV and PORT/EPRT as a server of FTP does: the data connection carries who asked whom."""

    def __init__(self, host, port):
        super().__init__(host)
        for address in "0.0.0.0", "::":
            self.listen("tcp", address, port)

    def on_stream(self, child, peer):
        threading.Thread(target=self._serve, args=(child,), daemon=True).start()

    def _serve(self, child):
        with child, contextlib.suppress(OSError):
            child.settimeout(3)
            child.sendall(b"220 here\r\n")
            said = child.recv(200).decode()
            if said.startswith("EPSV"):
                child.sendall(f"229 Entering Extended Passive Mode (|||{DATA}|)\r\n".encode())
            else:
                child.sendall(b"200 fine\r\n")
                self._call(child, re.split(r"[|]", said)[3:1:-1])
            child.recv(10)

    def _call(self, child, to):
        address = child.getpeername()[0] if not to else to[1]
        with self.host, socket.socket(child.family) as data:
            probe.turn_on(data, "FREEBIND")
            data.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            data.settimeout(2)
            data.bind((child.getsockname()[0], 20))
            data.connect((probe.plain(address), int(to[0])))
            data.sendall(f"{self.host.name} calls\n".encode())


def _control(host, version, port):
    sock = probe.NOBODY_SPECIAL.open(host, probe.family_of(FOREIGN[version]), socket.SOCK_STREAM)
    sock.settimeout(3)
    sock.connect((FOREIGN[version], port))
    sock.recv(100)
    return sock


def passive(host, version, port):
    with _control(host, version, port) as control:
        return _fetch(control, host, version)


def _fetch(control, host, version):
    control.sendall(b"EPSV\r\n")
    control.recv(100)
    return probe.ask(host, "tcp", FOREIGN[version], DATA)


def active(host, version, port):
    """What comes to the client's own port, and from whom it was accepted."""
    with _control(host, version, port) as control:
        own = control.getsockname()[0]
        with host, socket.socket(control.family) as server:
            server.settimeout(3)
            server.bind((own, 0))
            server.listen()
            control.sendall(f"EPRT |{1 if version == 4 else 2}|{own}|{server.getsockname()[1]}|\r\n".encode())
            child, _ = server.accept()
            with child:
                return child.recv(100).decode()


def world(port):
    net = Network(uplinks=("wan0", "wan1"), tcp=(DATA, 443))
    for name in "origin", "mobile":
        net.add(Ftp(net.hosts[name], port))
    net.router.nft(HELPER)
    return net


@pytest.mark.parametrize("name, rules, port", [(name, rules, port) for name, (rules, port) in POLICIES.items()])
def test_follows(name, rules, port):
    """related: FTP's data goes where its control connection goes, whoever opens it: {name}"""
    with world(port) as net:
        policy = Policy(net, TABLES + rules.replace("PORT", str(port))).up()
        for version in 4, 6:
            for host in net.client, net.router:
                outcome = passive(host, version, port)
                assert (outcome.who, outcome.peer_address) == ("mobile", UPLINKS["wan1"][1][version]), \
                    f"passive, {outcome}"
                assert active(host, version, port) == "mobile calls\n", "active"
            # What nothing expects meets the rules.
            assert probe.ask(net.client, "tcp", FOREIGN[version], 443).who == "origin", "another connection"
        policy.down()


def test_as_told():
    """related: rules with a state, and rules that drop, still apply; main's own networks come first"""
    shown = "  - {scope: both, state: related, proto: tcp, then: {route: fibre}}\n"
    cut = f"  - {{scope: both, proto: tcp, port: {DATA}, then: drop}}\n"
    for rules, who in (FTP + shown + REST, "origin"), (FTP + cut + REST, None), (FTP + REST, "origin"):
        with world(21) as net:
            Policy(net, TABLES + rules.replace("PORT", "21")).up()
            if "state" not in rules and who:  # main knows the way to the server itself
                for version, gateway in UPLINKS["wan0"][2].items():
                    net.router.ip(f"route add {FOREIGN[version]} via {gateway} dev wan0")
                Policy(net, TABLES + rules.replace("PORT", "21")).up()
            for version in 4, 6:
                outcome = passive(net.client, version, 21) if who else _dropped(net.client, version)
                assert (outcome and outcome.who) == who, f"the data connection: {outcome}"


def _dropped(host, version):
    with _control(host, version, 21) as control:
        control.sendall(b"EPSV\r\n")
        control.recv(100)
        outcome = probe.ask(host, "tcp", FOREIGN[version], DATA, timeout=0.3)
        return None if outcome.kind == "silence" else outcome


@pytest.mark.parametrize("name, more", [
    ("no state", ""),
    ("state", HOT),
])
def test_stays_with(name, more):
    """related: FTP's data uses the table of a list that took its control connection: {name}"""
    with world(21) as net:
        then = "{route: [fibre, mobile, unreachable]}"
        Policy(net, TABLES + more + FTP.replace("PORT", "21").replace("{route: mobile}", then) + REST).up()
        pull(net, "wan0", "origin")
        controls = {version: _control(net.client, version, 21) for version in (4, 6)}
        plug(net, "wan0", "origin")
        for version, control in controls.items():
            with control:
                answered(_fetch(control, net.client, version), "mobile", peer=UPLINKS["wan1"][1][version])
            answered(probe.ask(net.client, "tcp", FOREIGN[version], DATA), "origin")
