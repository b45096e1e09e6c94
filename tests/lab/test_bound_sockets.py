"""
Sockets that are bound to an interface (SO_BINDTODEVICE). IPv6 refuses them where no route leaves by it, before any rule sees
their packets, so a rule about that interface (`out`) needs an ip rule by it; IPv4 gives them a route whatever the ip rules
say, past a proxy and past a table that is not strict.
"""

import contextlib
import socket
from dataclasses import dataclass

import pytest

import probe
from test_carrier import plug, pull
from lab import FOREIGN, UPLINKS, Network
from policy import WAYS, Policy
from outcomes import answered, nothing

TABLES = """version: 1
listeners:
  through: {tproxy: 12345, runs_as: {user: 1337}}
  around: {redirect: 12346, protocols: [tcp, udp], runs_as: {user: 1337}}
tables:
  two: {via: [198.51.100.1, "2001:db8:2::1"], dev: wan1, masquerade: true}
  too: {via: [198.51.100.1, "2001:db8:2::1"], dev: wan1, masquerade: true}
  vpn: {dev: wg0, masquerade: true, fallback: unreachable}
rules:
"""
BOTH = [(proto, version) for proto in ("tcp", "udp") for version in (4, 6)]


@dataclass(frozen=True)
class Bound(probe.Identity):
    device: str = "wan1"

    def open(self, host, family, kind):
        sock = super().open(host, family, kind)
        with host:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_BINDTODEVICE, self.device.encode())
        return sock


def ask(net, proto, version, device="wan1", timeout=3.0):
    return probe.ask(net.router, proto, FOREIGN[version], 443, timeout=timeout, identity=Bound(device=device))


def world():
    return Network(("wan0", "wan1", "wg0", "wg1"))


@pytest.fixture(name="net")
def made():
    with world() as net:
        yield net


def by_the_gateway(net, device="wan1"):
    """By the table's gateway, which is asked for, and not straight to the destination."""
    net.router.ip(f"neigh flush dev {device}")
    for proto, version in BOTH:
        answered(ask(net, proto, version, device), UPLINKS[device][0], peer=UPLINKS[device][1][version])
    known = [line.split()[0] for line in net.router.run("ip", "neigh", "show", "dev", device).stdout.splitlines()
             if "FAILED" not in line]
    assert [address for address in FOREIGN.values() if address in known] == [], "asked for on the link"


def ip_rules(net):
    return net.router.run("ip", "-6", "rule").stdout.count(" oif ")


@pytest.mark.parametrize("way", WAYS)
def test_out(net, way):
    """bound: a rule about the interface routes packets of a socket bound to it through its table, loaded by {way}"""
    assert [ask(net, proto, 6).kind for proto in ("tcp", "udp")] == ["unreachable"] * 2, "without a policy"
    policy = Policy(net, TABLES + "  - {scope: local, out: wan1, then: {route: two}}").up(way)
    by_the_gateway(net)
    for proto, version in BOTH:
        answered(probe.ask(net.router, proto, FOREIGN[version], 443), "origin")
        answered(ask(net, proto, version, "wan0"), "origin")
    if way != "hand":  # `ip -batch` stops at what is there
        policy.up(way)
    assert ip_rules(net) == 2, "ip rules by interface"
    policy.down(way)
    assert ip_rules(net) == 0, "ip rules by interface, once it is removed"


WORDS = {"a list": "out: wan1, then: {route: [vpn, two, unreachable]}", "a pattern": 'out: "wan*", then: {route: two}',
         "all but one": "out: {not: wan0}, then: {route: two}", "a balance": "out: [wan1, wg1], then: {balance: {two: 2, too: 1}}"}


def test_words():
    """bound: a list of tables, a pattern, not, a balance; no table of another interface"""
    for what, rule in WORDS.items():
        with world() as net:
            Policy(net, f"{TABLES}  - {{scope: local, {rule}}}").up()
            for proto in ("tcp", "udp") * 2:
                answered(ask(net, proto, 6), "mobile")
            if what != "a pattern":  # which holds for wan0, too
                answered(probe.ask(net.router, "tcp", FOREIGN[6], 443), "origin")
    with world() as net:  # what rules leave alone, refuse, or know by a group of interfaces
        Policy(net, TABLES.replace("listeners:", "interfaces: {second: [wan1, wg1]}\nlisteners:")
               + "  - {scope: local, proto: tcp, port: 80, then: reject}\n"
               + "  - {scope: local, out: second, port: 853, then: {route: two}}").up()
        for proto, port, who in ("tcp", 853, "mobile"), ("tcp", 443, "mobile"), ("udp", 443, "mobile"), ("tcp", 80, None):
            outcome = probe.ask(net.router, proto, FOREIGN[6], port, identity=Bound())
            assert outcome.who == who, f"{proto} {port}: {outcome}"
    with world() as net:
        strict = TABLES.replace("unreachable}", "unreachable, strict: true}")
        Policy(net, f"{strict}  - {{scope: local, out: wan1, then: {{route: vpn}}}}").up()
        assert ip_rules(net) == 0, "ip rules"
        assert [ask(net, proto, version, timeout=0.2).kind == "answer" for proto, version in BOTH] == [False] * 4, \
            "answers"


def test_losses(net):
    """bound: the cable pulled, the link re-created, and an ip rule removed by another program"""
    text = f"{TABLES}  - {{scope: local, out: wan1, then: {{route: [two, unreachable]}}}}"
    policy = Policy(net, text).up()
    by_the_gateway(net)
    clear = net.sniff()
    pull(net, "wan1", "mobile")
    assert [ask(net, proto, version, timeout=0.2).kind == "answer" for proto, version in BOTH] == [False] * 4, \
        "without a cable"
    plug(net, "wan1", "mobile")
    policy.up()
    by_the_gateway(net)
    net.router.ip("link delete wan1")
    net.connect("wan1")
    net.router.settle()
    net.mobile.settle()
    policy.up()
    by_the_gateway(net)
    nothing(clear)
    priority = net.router.run("ip", "-6", "rule").stdout.split(" oif ")[0].splitlines()[-1].split(":")[0]
    net.router.ip(f"rule del priority {priority}", "-6")
    said = policy.tpc("status", "--drift", check=False)
    assert said.returncode == 5 and "oif wan1" in said.stdout, said.stdout + said.stderr
    assert "oif wan1" in policy.tpc("plan", policy.path, check=False).stdout
    policy.up()
    assert policy.tpc("status", "--drift", check=False).returncode == 0, "status once it is applied again"
    by_the_gateway(net)


HELD = {"a strict table": "{route: vpn}", "a list of them": "{route: [vpn, unreachable]}",
        "a tproxy listener": "{proxy: through}", "a redirect listener": "{proxy: around}"}


def test_held():
    """bound: a bound socket does not bypass a strict table or a proxy"""
    for what, then in HELD.items():
        with world() as net:
            net.listener(12345)
            net.listener(12346, mode="redirect")
            Policy(net, TABLES.replace("unreachable}", "unreachable, strict: true}") + f"  - {{scope: local, then: {then}}}").up()
            others = {device: net.sniff(UPLINKS[device][0]) for device in ("wan0", "wan1", "wg1")}
            for device in others:
                for proto, version in BOTH:
                    outcome = ask(net, proto, version, device, 0.1)
                    assert outcome.kind != "answer", f"{what}: bound to {device}, {proto}, IPv{version}: {outcome}"
            for device, sniffer in others.items():
                with contextlib.suppress(OSError):
                    assert [one for one in sniffer.packets() if one[4] in (443, 12346)] == [], \
                        f"{what}: left by {device}"
            for proto, version in BOTH:
                wanted = "vpn" if "vpn" in then else "proxy"
                answered(probe.ask(net.router, proto, FOREIGN[version], 443), wanted)
                if wanted == "vpn":
                    assert ask(net, proto, version, "wg0").kind == ("answer" if version == 4 else "unreachable"), \
                        "bound to wg0"
