"""
Masquerade by an interface that has no address of a family: never with another interface's.
"""

import probe
from test_explain import complaints, explain
from lab import CLIENT, FOREIGN, ROUTER, UPLINKS, Network
from policy import Policy
from outcomes import answered

BOTH = [(proto, version) for proto in ("tcp", "udp") for version in (4, 6)]
POLICY = """version: 1
tables: {vpn: {dev: wg0, fallback: unreachable, masquerade: true}}
rules:
  - {scope: both, to: [203.0.113.0/24, "2001:db8:113::/48"], then: {route: vpn}}
"""
OURS = UPLINKS["wg0"][1]


def _ask(net, version=None):
    return [probe.ask(host, proto, FOREIGN[way], 80 if proto == "tcp" else 5000, timeout=0.3)
            for host in (net.client, net.router) for proto, way in BOTH if version in (None, way)]


def _unasked(net, wire, version=None):
    """No answer, and nothing on the wire of the tunnel from an address that is not the tunnel's."""
    for outcome in _ask(net, version):
        assert outcome.kind != "answer", f"answered: {outcome}"
    sources = {source for _, source, *_ in wire.packets() if not source.startswith("fe80:")}
    assert sources <= set(OURS.values()), sources


def test_lost():
    """masquerade: without addresses of the interface nothing leaves with another's; once they are back everything leaves"""
    for way in "apply", "hand":
        with Network(uplinks=("wan0", "wan1", "wg0")) as net:
            policy = Policy(net, POLICY).up(way)
            for outcome in _ask(net):
                answered(outcome, "vpn")
            wire = net.sniff("vpn")
            net.router.ip("address flush dev wg0 scope global")
            _unasked(net, wire)
            net.router.ip(f"address add {OURS[6]}/64 dev wg0 nodad")
            for outcome in _ask(net, 6):
                answered(outcome, "vpn")
            policy.down(way)


def test_never_there(network):
    """masquerade: an apply while the interface has no address: no wrong source, plan and status report it, the next apply fixes it"""
    net = network(uplinks=("wan0", "wan1", "wg0"))
    net.router.ip("address flush dev wg0 scope global")
    policy = Policy(net, POLICY)
    plan = policy.tpc("plan", str(policy.path), check=False)
    policy.up()
    status = policy.tpc("status", check=False).stdout
    for shown in plan.stderr, status:
        assert "the interface wg0 has no IPv4 address to masquerade with" in shown, shown
        assert "wg0 has no IPv6 address to masquerade with" in shown, shown
    assert "everything holds" not in status, status
    _, live = explain(policy, "in=lan0", f"from={CLIENT[6]}", f"to={FOREIGN[6]}", "proto=tcp", "port=80", status=5)
    assert "wg0 has no IPv6 address to masquerade with" in complaints(live), complaints(live)
    wire = net.sniff("vpn")
    _unasked(net, wire)
    net.router.ip(f"address add {OURS[4]}/24 dev wg0\naddress add {OURS[6]}/64 dev wg0 nodad")
    policy.tpc("apply", str(policy.path))
    assert "everything holds" in policy.tpc("status").stdout
    for outcome in _ask(net):
        answered(outcome, "vpn")
    policy.down()


def test_shared(network):
    """masquerade: an address that another interface has too is the interface's own"""
    net = network(uplinks=("wan0", "wan1", "wg0"))
    net.router.ip(f"address flush dev wg0 scope global\naddress add {ROUTER[4]}/32 dev wg0\n"
                  f"address add {ROUTER[6]}/128 dev wg0 nodad")
    for version, word in (4, ""), (6, "-6"):
        net.hosts["vpn"].ip(f"route replace {ROUTER[version]} dev eth0", word or "-4")
    policy = Policy(net, POLICY).up()
    for outcome in _ask(net):
        answered(outcome, "vpn")
    assert CLIENT[4] not in policy.tpc("status").stdout
    policy.down()


def test_own_address(net):
    """masquerade: a dnat listener on an address of this host, for forwarded and local packets"""
    net.listener(12345, mode="dnat", addresses=(ROUTER[4], ROUTER[6]))
    policy = Policy(net, f"""version: 1
listeners: {{p: {{dnat: ["{ROUTER[4]}:12345", "[{ROUTER[6]}]:12345"], masquerade: true, runs_as: {{port: 1024}}}}}}
rules:
  - {{scope: both, to: [203.0.113.0/24, "2001:db8:113::/48"], then: {{proxy: p}}}}
""").up()
    for outcome in _ask(net):
        answered(outcome, "proxy")
    policy.down()
