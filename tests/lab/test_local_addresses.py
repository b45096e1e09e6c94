"""
This host's own addresses: a rule that names one of them means just that one, whatever it does; an
exception that stands first excepts them, too; and what is wide leaves the host alone.
"""

import socket

import pytest

import probe
from lab import CLIENT, FOREIGN, ROUTER, Network
from policy import Policy
from outcomes import answered

FAMILIES = (4, 6)
SECOND = {4: "10.10.10.77", 6: "fd00:10::77"}  # another address of the router's
OTHER = {4: "10.10.10.3", 6: "fd00:10::3"}  # another one of the client's
MODES = {"tproxy": "{tproxy: 12345, runs_as: {user: 1001}}",
         "redirect": "{redirect: 12345, protocols: [tcp, udp], runs_as: {user: 1001}}",
         "dnat": '{dnat: ["10.10.10.1:12345", "[fd00:10::1]:12345"], runs_as: {user: 1001}}'}


def _add_addresses(net):
    for version, length in (4, 24), (6, 64):
        for host, device, address in (net.router, "lan0", SECOND), (net.client, "eth0", OTHER):
            host.ip(f"address add {address[version]}/{length} dev {device}" + (" nodad" if version == 6 else ""))


def _asks(net, version):
    """Forwarded and local: who asks, and by which protocol."""
    return [(host, proto) for host in (net.client, net.router) for proto in ("tcp", "udp")]


@pytest.mark.parametrize("mode", MODES)
def test_with_listener(net, mode):
    """local addresses: packets to one address go to a {mode} listener, others do not"""
    _add_addresses(net)
    Policy(net, f"""version: 1
listeners: {{p: {MODES[mode]}}}
rules:
  - {{scope: both, to: ["{SECOND[4]}", "{SECOND[6]}"], proto: [tcp, udp], port: 7001, then: {{proxy: p}}}}
""").up()
    listener = net.listener(mode="redirect" if mode == "dnat" else mode,
                            addresses=("127.0.0.1", "::1") if mode == "tproxy" else ("0.0.0.0", "::"))
    net.echo(net.router, (7001, 22), (7001,), name="router")
    for version in FAMILIES:
        for host, proto in _asks(net, version):
            before = len(listener.seen)
            probe.ask(host, proto, SECOND[version], 7001, timeout=1)
            assert len(listener.seen) == before + 1, \
                f"{mode}: what the proxy sees of {proto} to {SECOND[version]} from {host.name}"
            answered(probe.ask(host, proto, ROUTER[version], 7001), "router")
            assert len(listener.seen) == before + 1, f"{mode}: what the proxy sees of another address"
        answered(probe.ask(net.client, "tcp", SECOND[version], 22), "router")


def test_refused():
    """local addresses: rules that refuse or except one address match only that one; a table matches none"""
    for then, reached in ("drop", False), ("reject", False), ("direct", True), ("{route: vpn}", True):
        with Network() as net:
            _add_addresses(net)
            Policy(net, f"""version: 1
tables: {{vpn: {{dev: wan0, fallback: unreachable, strict: true, masquerade: true}}}}
rules:
  - {{scope: both, to: ["{SECOND[4]}", "{SECOND[6]}"], proto: [tcp, udp], port: 7001, then: {then}}}
  - {{scope: both, to: [any, local], proto: [tcp, udp], port: [7002, {7002 if then != "direct" else 7001}], then: reject}}
""").up()
            net.echo(net.router, (7001,), (7001,), name="router")
            for version in FAMILIES:
                for host, proto in _asks(net, version):
                    outcome = probe.ask(host, proto, SECOND[version], 7001, timeout=0.3)
                    assert (outcome.kind == "answer") == reached, f"{then}: the answer from {SECOND[version]}, {proto}"
                    outcome = probe.ask(host, proto, ROUTER[version], 7001, timeout=1)
                    assert (outcome.kind == "answer") == (then != "direct"), \
                        f"{then}: the answer from {ROUTER[version]}, {proto}"


def test_loopback(net):
    """local addresses: a part of the loopback prefix matches, sets and wide prefixes do not"""
    _add_addresses(net)
    net.echo(net.router, (7001, 7002, 7003), (), name="router")
    policy = Policy(net, f"""version: 1
sets: {{mine: ["{SECOND[4]}", "{SECOND[6]}", 127.0.0.53]}}
rules:
  - {{scope: local, to: [127.192.0.0/10, 127.0.0.53, "::1"], proto: tcp, port: 7001, then: reject}}
  - {{scope: both, to: mine, proto: tcp, port: 7002, then: drop}} # allow: host-stays-host
  - {{scope: both, to: [10.0.0.0/8, "fd00::/8", 127.0.0.0/8, 10.10.10.76-10.10.10.78], proto: tcp, port: 7003, then: drop}}
""")
    policy.up()
    for address, taken in ("127.192.3.4", True), ("127.0.0.53", True), ("::1", True), ("127.0.0.1", False), \
            ("127.0.0.54", False):
        outcome = probe.ask(net.router, "tcp", address, 7001, timeout=1)
        assert outcome.kind == ("refused" if taken else "answer"), address
    for version in FAMILIES:
        for host in net.client, net.router:
            answered(probe.ask(host, "tcp", SECOND[version], 7002), "router")
            answered(probe.ask(host, "tcp", SECOND[version], 7003), "router")


def test_excepted():
    """local addresses: an earlier exception also excepts packets to this host, before a rule that names it"""
    for to in "", "to: any, ", 'to: {not: [198.51.100.1, "2001:db8:9::1"]}, ':
        with Network() as net:
            _add_addresses(net)
            Policy(net, f"""version: 1
listeners: {{dns: {{redirect: 12345, protocols: [tcp, udp], runs_as: {{mark: 0xff}}}}}}
rules:
  - {{in: lan0, from: ["{OTHER[4]}", "{OTHER[6]}"], {to}then: direct}}
  - {{user: 1002, {to}then: direct}}
  - {{scope: both, to: [any, local], proto: [tcp, udp], port: 53, then: {{proxy: dns}}}}
""").up()
            net.listener(mode="redirect", addresses=("0.0.0.0", "::"))
            net.echo(net.router, (53,), (53,), name="router")
            for version in FAMILIES:
                for proto in "tcp", "udp":
                    answered(probe.ask(net.client, proto, ROUTER[version], 53, source=OTHER[version]), "router")
                    answered(probe.ask(net.client, proto, ROUTER[version], 53, source=CLIENT[version]), "proxy")
                    answered(probe.ask(net.client, proto, FOREIGN[version], 53, source=OTHER[version]), "origin")
                    answered(probe.ask(net.router, proto, ROUTER[version], 53, identity=probe.Identity(user=1002)),
                             "router")
                    answered(probe.ask(net.router, proto, ROUTER[version], 53), "proxy")


def test_answers(net):
    """local addresses: a proxy's reply from a foreign address is no new connection of its own"""
    Policy(net, """version: 1
listeners: {p: {tproxy: 12345, runs_as: {mark: 0xff}}}
rules:
  - {in: lan0, proto: udp, then: {proxy: p}}
  - {scope: local, proto: [tcp, udp], then: {proxy: p}}
""").up()
    listener = net.listener()
    for version, kind in (4, socket.AF_INET), (6, socket.AF_INET6):
        with net.client:
            client = socket.socket(kind, socket.SOCK_DGRAM)
        with net.router:
            answer = socket.socket(kind, socket.SOCK_DGRAM)
        with client, answer:
            client.bind((CLIENT[version], 5555))
            client.settimeout(1)
            probe.turn_on(answer, "TRANSPARENT")
            answer.bind((FOREIGN[version], 3478))
            answer.sendto(b"from elsewhere", (CLIENT[version], 5555))
            assert client.recvfrom(100)[1][:2] == (FOREIGN[version], 3478), "who the answer comes from"
        assert listener.seen == [], "what the proxy saw of its own answer"
        answered(probe.ask(net.router, "udp", FOREIGN[version], 53), "proxy")
        answered(probe.ask(net.client, "udp", FOREIGN[version], 53), "proxy")
        listener.seen.clear()
