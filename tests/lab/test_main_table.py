"""
What the main table may keep to itself: routes that the kernel has learnt (path MTUs), defaults that
no prefix length shows (two halves), and ip rules of other programs that stand before it.
"""

import socket
import struct
import time

import pytest

import probe
import raw_packets
from lab import FOREIGN, UPLINKS
from policy import Policy
from outcomes import answered, nothing

BOTH = ("tcp", 4), ("udp", 4), ("tcp", 6), ("udp", 6)
GONE = ("unreachable", "silence", "prohibited", "refused")
PREFER = """version: 1
tables:
  vpn: {dev: wg0, fallback: unreachable, prefer_main: true, masquerade: true}
rules: [{scope: both, then: {route: vpn}}]
"""


@pytest.fixture
def net(network):
    return network(uplinks=("wan0", "wan1", "wg0"))


# ---- path MTUs ----

def too_big(net, version, device="wan0", mtu=1280):
    """Whoever is beyond the uplink says that a ping of the router's to FOREIGN, or its answer, was too large."""
    name, ours, _ = UPLINKS[device]
    pack = lambda address: socket.inet_pton(probe.family_of(address), address)
    source, target = pack(ours[version]), pack(FOREIGN[version])
    if version == 6:
        quoted = struct.pack(">IHBB", 6 << 28, 1400, socket.IPPROTO_ICMPV6, 64) + source + target
        quoted += struct.pack(">BBHHH", 128, 0, 0, 7, 1) + bytes(1000)
        message, protocol = struct.pack(">BBHI", 2, 0, 0, mtu) + quoted, socket.IPPROTO_ICMPV6
    else:
        quoted = struct.pack(">BBHHHBBH", 0x45, 0, 1400, 1, 0x4000, 64, 1, 0) + source + target
        quoted += struct.pack(">BBHHH", 0, 0, 0, 7, 1)
        body = struct.pack(">HH", 0, mtu) + quoted
        message = b"\3\4" + raw_packets.checksum(b"\3\4\0\0" + body) + body
        protocol = socket.IPPROTO_ICMP
    with net.hosts[name]:
        sock = socket.socket(probe.family_of(ours[version]), socket.SOCK_RAW, protocol)
    with sock:
        sock.sendto(message, (ours[version], 0))
    for _ in range(50):
        route = net.router.run("ip", f"-{version}", "route", "get", FOREIGN[version]).stdout
        if f"mtu {mtu}" in route:
            return
        time.sleep(0.02)
    raise AssertionError(f"the kernel has learnt no path MTU: {route}")


def _senders(net):
    return net.client, net.router


def _all_by_vpn(net):
    for host in _senders(net):
        for proto, version in BOTH:
            answered(probe.ask(host, proto, FOREIGN[version], 443), "vpn", peer=UPLINKS["wg0"][1][version])


def _all_gone(net):
    for host in _senders(net):
        for proto, version in BOTH:
            outcome = probe.ask(host, proto, FOREIGN[version], 443, timeout=0.25)
            assert outcome.kind in GONE, f"{proto} over IPv{version}: {outcome}"


@pytest.mark.parametrize("when", ("before the apply", "after the apply"))
def test_kill_switch(net, when):
    """main: a path MTU learnt {when} opens no kill switch with prefer_main"""
    policy = Policy(net, PREFER)
    if when == "after the apply":
        policy.up()
    for version in 4, 6:
        too_big(net, version)
    policy.up()
    watch = net.sniff("origin")
    _all_by_vpn(net)
    net.router.ip("link set wg0 down")
    _all_gone(net)
    nothing(watch)


def test_turned(net):
    """main: a path MTU learnt through one uplink does not move replies of another to it"""
    net.echo(net.router, (22,), (123,))
    Policy(net, """version: 1
tables:
  fibre: {via: [192.0.2.1, "2001:db8:1::1"], dev: wan0}
  mobile: {via: [198.51.100.1, "2001:db8:2::1"], dev: wan1}
rules: [{in: lan0, then: {route: [fibre, mobile]}}]
""").up()
    for version in 4, 6:
        too_big(net, version)
    watch = net.sniff("origin")
    for proto, port in (("tcp", 22), ("udp", 123)):
        for version in 4, 6:
            answered(probe.ask(net.mobile, proto, UPLINKS["wan1"][1][version], port,
                               source=FOREIGN[version]), "router", peer=FOREIGN[version])
    nothing(watch)


def test_copied(net):
    """main: IPv6 networks of main: apply copies them, status reports a new one, the next apply copies it"""
    policy = Policy(net, PREFER).up()
    status = lambda: policy.tpc("status", "--drift", check=False)
    assert status().returncode == 0, "the exit status of status --drift"
    # A port of the host's that no table of the policy leaves by: no cable, no complaint.
    net.mobile.ip("link set eth0 down")
    net.router.settle()
    assert "everything holds" in policy.tpc("status").stdout
    # A network behind the LAN's client: main learns it, and the copy has not yet.
    net.client.ip("address add 2001:db8:77::2/64 dev lo nodad")
    net.router.ip("route add 2001:db8:77::/64 via fd00:10::2", "-6")
    shown = status()
    assert shown.returncode == 5, "the exit status of status --drift"
    assert "main's IPv6 routes have changed since the apply" in shown.stdout + shown.stderr, shown.stdout
    assert "route append 2001:db8:77::/64 via fd00:10::2" in policy.tpc("plan", str(policy.path), check=False).stdout
    net.echo(net.client, (80,))
    policy.up()
    answered(probe.ask(net.router, "tcp", "2001:db8:77::2", 80), "client")
    assert status().returncode == 0, "the exit status of status --drift"
    net.router.ip("route del 2001:db8:77::/64 via fd00:10::2", "-6")
    assert status().returncode == 5, "the exit status of status --drift"
    policy.up()
    assert status().returncode == 0, "the exit status of status --drift"
    policy.down()
    assert [line for line in net.router.run("ip", "-6", "route", "show", "table", "all").stdout.splitlines()
          if "table 7" in line] == [], "routes of the policy's after remove"


def test_copied_by_script(net):
    """main: the script copies main's IPv6 networks, the batch file says that it does not"""
    policy = Policy(net, PREFER)
    assert "is for a copy of main's routes" in policy.file(".ip6.batch").read_text()
    too_big(net, 6)
    policy.up("sh")
    _all_by_vpn(net)
    policy.down("sh")
    assert net.router.run("ip", "-6", "rule").stdout.count("\n") == 2, "ip rules after down"


# ---- halves ----

HALVES = {4: (("0.0.0.0/1", "128.0.0.0/1"), ("0.0.0.0/2", "64.0.0.0/2", "128.0.0.0/2", "192.0.0.0/2")),
          6: (("::/1", "8000::/1"), ("::/3", "2000::/4", "3000::/4", "fc00::/7"))}


@pytest.mark.parametrize("number", (0, 1))
def test_halves(net, number):
    """main: several routes that together are a default count as one: prefer_main and replies"""
    net.echo(net.router, (22,), (123,))
    for version in 4, 6:
        gateway = UPLINKS["wan0"][2][version]
        for prefix in HALVES[version][number]:
            if prefix != "fc00::/7":
                net.router.ip(f"route add {prefix} via {gateway} dev wan0", f"-{version}")
    Policy(net, PREFER.replace("rules:", """  mobile: {via: [198.51.100.1, "2001:db8:2::1"], dev: wan1}
rules:""")).up()
    _all_by_vpn(net)
    for proto, port in (("tcp", 22), ("udp", 123)):
        for version in 4, 6:
            answered(probe.ask(net.mobile, proto, UPLINKS["wan1"][1][version], port,
                               source=FOREIGN[version]), "router", peer=FOREIGN[version])


# ---- other programs' rules ----

MAIN = """version: 1
tables:
  mobile: {via: [198.51.100.1, "2001:db8:2::1"], dev: wan1, masquerade: true}
rules:
  - {scope: both, proto: tcp, then: {route: %s}}
"""


@pytest.mark.parametrize("then", ("mobile", "[mobile, main]", "main"))
def test_says_main(net, then):
    """main: `route: {then}` uses the main table before foreign ip rules"""
    # As wg-quick does: everything that no rule before it has taken.
    for version in 4, 6:
        net.router.ip("""route add default dev wg0 table 51820
                                 rule add lookup main suppress_prefixlength 0 pref 31999
                                 rule add lookup 51820 pref 32000""", f"-{version}")
    net.router.ip("link set wan1 down")
    Policy(net, MAIN % then).up()
    for host in net.client, net.router:
        for version in 4, 6:
            answered(probe.ask(host, "tcp", FOREIGN[version], 443), "origin")
            answered(probe.ask(host, "udp", FOREIGN[version], 443), "vpn")  # `direct` is theirs
