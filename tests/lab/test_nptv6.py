"""
NPTv6: what leaves by a table from an inside prefix has the same address in the outside one, and what comes in for that
reaches the inside, new connections too; an inside address never leaves as it is, nor that of another uplink.
"""

import contextlib
import socket

import pytest

import probe
import raw_packets
from test_carrier import plug, pull
from test_stale_connections import NAT, Flow
from test_lost_conntrack import PORT, Far, Talk
from lab import CLIENT, FOREIGN, ROUTER, SERVER, UPLINKS, Network
from policy import WAYS, Policy
from outcomes import answered, fails

OUTSIDE = {"wan0": "2001:db8:111:1::", "wan1": "2001:db8:222:1::"}
INSIDE = "fd00:10::"
DEVICES = {"one": "wan0", "two": "wan1"}
NAMES = {"wan0": "origin", "wan1": "mobile"}


def table(name, more="fallback: unreachable"):
    device = DEVICES[name]
    gateway = UPLINKS[device][2]
    return (f'  {name}: {{via: [{gateway[4]}, "{gateway[6]}"], dev: {device}, masquerade: ipv4, {more},\n'
            f'        nptv6: {{inside: "{INSIDE}/64", outside: "{OUTSIDE[device]}/64"}}}}\n')


def policy(rules, more="fallback: unreachable", names=("one", "two")):
    return f"version: 1\ntables:\n{''.join(table(name, more) for name in names)}rules:\n{rules}\n"


LIST = policy("  - {in: lan0, then: {route: [one, two, unreachable]}}\n"
              f'  - {{scope: local, from: "{ROUTER[6]}", then: {{route: one}}}}')


def outside(device, address=CLIENT[6]):
    return address.replace(INSIDE, OUTSIDE[device])


def world():
    net = Network(("wan0", "wan1", "wg0"), server=True)
    net.echo(net.client, (80,), (5000,))
    net.echo(net.server, (80,), (5000,))
    return net


@pytest.fixture(name="net")
def made():
    with world() as net:
        yield net


def asked(net, host, device, source=None, peer=None, version=6):
    """From inside: the far end sees the outside address."""
    for proto, port in ("tcp", 443), ("udp", 443):
        answered(probe.ask(host, proto, FOREIGN[version], port, source=source), NAMES[device], peer=peer)


def reached(net, device):
    """From outside: new connections to each inside host, answered from the address that was asked."""
    far = net.hosts[NAMES[device]]
    for address, name in (CLIENT[6], "client"), (SERVER[6], "server"):
        for proto, port in ("tcp", 80), ("udp", 5000):
            outcome = probe.ask(far, proto, outside(device, address), port)
            answered(outcome, name, dest=f"[{address}]:{port}")
        assert probe.ping(far, outside(device, address)) == outside(device, address), "who answers a ping"


def clean(sniffer, device):
    """What has reached the far end of a link: nothing from an inside address, nor from another uplink's outside prefix."""
    others = [INSIDE, *(prefix for name, prefix in OUTSIDE.items() if name != device)]
    assert [one for one in sniffer.packets() if any(one[1].startswith(prefix[:-1]) for prefix in others)] == [], \
        f"foreign sources at {NAMES[device]}"


@pytest.mark.parametrize("way", WAYS)
def test_both(net, way):
    """nptv6: out with the outside address, in to the inside one, through each uplink, loaded by {way}"""
    wires = {device: net.sniff(name) for device, name in NAMES.items()}
    one = Policy(net, LIST).up(way)
    asked(net, net.client, "wan0", peer=outside("wan0"))
    asked(net, net.client, "wan0", peer=UPLINKS["wan0"][1][4], version=4)
    asked(net, net.router, "wan0", source=ROUTER[6], peer=outside("wan0", ROUTER[6]))
    assert probe.ping(net.client, FOREIGN[6]) == FOREIGN[6], "a ping from inside"
    fails(probe.ask(net.client, "udp", FOREIGN[6], 7))  # the error quotes the outside address
    for device in NAMES:
        reached(net, device)
    net.router.ip(f"address add {OUTSIDE['wan0']}1/64 dev wan0 nodad")
    net.router.settle()
    net.echo(net.router, (8080,))
    answered(probe.ask(net.origin, "tcp", f"{OUTSIDE['wan0']}1", 8080), "router", dest=f"[{OUTSIDE['wan0']}1]:8080")
    for device, wire in wires.items():
        clean(wire, device)
    one.down(way)
    assert probe.ask(net.mobile, "tcp", outside("wan1"), 80, timeout=0.3).kind != "answer", "reached without it"


def test_failover(net):
    """nptv6: after the cable is pulled new connections use the other prefix, old ones end, no packet has the wrong one"""
    for name in "origin", "mobile":
        net.add(Far(net.hosts[name], (PORT,), (PORT,)))
    wires = {device: net.sniff(name) for device, name in NAMES.items()}
    Policy(net, LIST).up()
    talks = [Talk(net.client, proto, 6) for proto in ("tcp", "udp")]
    for talk in talks:
        talk.say()
    assert {talk.sock.getsockname()[0] for talk in talks} == {CLIENT[6]}, "who speaks"
    clean(wires["wan0"], "wan0")
    pull(net, "wan0", "origin")
    with contextlib.suppress(OSError):  # the socket says once that its link was down
        wires["wan0"].packets()
    for talk in talks:
        talk.say()
    asked(net, net.client, "wan1", peer=outside("wan1"))
    clean(wires["wan1"], "wan1")
    reached(net, "wan1")
    plug(net, "wan0", "origin")
    Policy(net, LIST).up()
    asked(net, net.client, "wan0", peer=outside("wan0"))
    reached(net, "wan0")
    clean(wires["wan0"], "wan0")
    clean(wires["wan1"], "wan1")


def test_strays(net):
    """nptv6: strays and connections that are older than the policy do not leave with an inside address"""
    net.router.nft(NAT)
    sock = probe.NOBODY_SPECIAL.open(net.client, socket.AF_INET6, socket.SOCK_DGRAM)
    with sock:
        sock.connect((FOREIGN[6], 443))
        sock.send(b"before\n")
        wire = net.sniff()
        wire.wait(seconds=0.05)
        wire.packets()
        Policy(net, LIST).up()
        with contextlib.suppress(OSError):
            sock.send(b"after\n")
            sock.send(b"after\n")
        for flags in 1 | raw_packets.ACK, 4, raw_packets.SYN | raw_packets.ACK:
            raw_packets.send(net.client, "tcp", CLIENT[6], FOREIGN[6], 80, flags=flags)
        asked(net, net.client, "wan0", peer=outside("wan0"))
        clean(wire, "wan0")


def test_beside():
    """nptv6: with prefer_main, fallback main and strict; explain --live follows the translation"""
    with world() as net:  # what main knows better is not translated: another network of this site's
        Policy(net, policy("  - {in: lan0, then: {route: two}}", "prefer_main: true", ("two",))).up()
        answered(probe.ask(net.client, "tcp", UPLINKS["wg0"][2][6], 443), "vpn", peer=CLIENT[6])
        asked(net, net.client, "wan1", peer=outside("wan1"))
        reached(net, "wan1")
    with world() as net:  # a rule for what comes in sees the outside address
        drop = f'  - {{in: wan1, to: "{outside("wan1", SERVER[6])}", then: drop}}\n  - {{in: lan0, then: {{route: two}}}}'
        Policy(net, policy(drop, names=("two",))).up()
        answered(probe.ask(net.mobile, "tcp", outside("wan1"), 80), "client")
        assert probe.ping(net.mobile, outside("wan1", SERVER[6]), 0.2) == "", "who is dropped"
    with world() as net:  # what main sends is main's
        Policy(net, policy("  - {in: lan0, then: {route: two}}", "fallback: main", ("two",))).up()
        pull(net, "wan1", "mobile")
        asked(net, net.client, "wan0", peer=CLIENT[6])
    with world() as net:
        one = Policy(net, policy("  - {in: lan0, then: {route: two}}", "strict: true, fallback: unreachable", ("two",))).up()
        asked(net, net.client, "wan1", peer=outside("wan1"))
        reached(net, "wan1")
        said = one.tpc("explain", one.path, "--live", "in=wan1", f"from={UPLINKS['wan1'][2][6]}", f"to={outside('wan1')}",
                       "proto=tcp", "port=80", check=False)
        assert said.returncode == 0 and "lan0" in said.stdout, said.stdout + said.stderr
        pull(net, "wan1", "mobile")
        fails(probe.ask(net.client, "tcp", FOREIGN[6], 443), "unreachable", "refused")


def test_flows(net):
    """nptv6: an update keeps flows that it does not move, and deletes those of the other prefix, as remove does"""
    first, more, second = (Policy(net, policy(f"{rule}  - {{in: lan0, then: {{route: {name}}}}}")) for name, rule in (
        ("one", ""), ("one", "  - {in: lan0, proto: udp, port: 9999, then: drop}\n"), ("two", "")))
    first.up()
    flow = Flow(net.client, 6, 443)
    assert flow.ask(1) == "origin", "by the first"
    said = more.tpc("apply", more.path).stdout
    assert "connections" not in said, said
    assert flow.ask(1) == "origin", "by the first still"
    said = second.tpc("apply", second.path).stdout
    assert "stale connections: -1" in said, said
    assert flow.ask(1) == "mobile", "by the second"
    second.down()
    assert flow.ask(1) == "origin", "without a policy"


def test_inbound(net):
    """nptv6: a table that no rule uses has the replies to its prefix, and needs forwarding"""
    net.router.sysctl("net.ipv6.conf.all.forwarding", 0)
    one = Policy(net, f"version: 1\ntables:\n{table('two')}").up()
    reached(net, "wan1")
    one.down()
    assert net.router.sysctl("net.ipv6.conf.all.forwarding") == "0", "forwarding, once it is removed"


def test_foreign(net):
    """nptv6: explain --live follows a foreign translation of a prefix to the inside address"""
    net.router.nft(f"""table inet other {{
    chain pre {{
        type nat hook prerouting priority -100; policy accept;
        iifname "wan1" ip6 daddr {OUTSIDE["wan1"]}/64 dnat ip6 prefix to {INSIDE}/64
    }}
}}""")
    one = Policy(net, "version: 1\nrules: [{in: lan0, proto: udp, port: 9, then: drop}]\n").up()
    said = one.tpc("explain", one.path, "--live", "in=wan1", f"from={UPLINKS['wan1'][2][6]}", f"to={outside('wan1')}",
                   "proto=tcp", "port=80", check=False)
    assert f"translates its destination to {CLIENT[6]}" in said.stdout, said.stdout + said.stderr
