"""
Listeners on another host (dnat): what their host sends beside its answers meets the rules, what the
proxy sends itself is known by its source ports, and nothing comes back to it.
"""

import probe
from test_explain import complaints, explain
from lab import CLIENT, FOREIGN, ROUTER, SERVER, UPLINKS, Network
from policy import Policy
from outcomes import answered, fails, nothing, silent

FAMILIES = (4, 6)
BOTH = [(proto, version) for proto in ("tcp", "udp") for version in FAMILIES]
AT = {4: UPLINKS["wan0"][1][4], 6: UPLINKS["wan0"][1][6]}


def both(address):
    return f'["{address[4]}", "{address[6]}"]'


def at(address, port):
    return f'["{address[4]}:{port}", "[{address[6]}]:{port}"]'


def test_host(network):
    """another host: the host of a dnat listener meets drops, tables and the kill switch, and its replies pass"""
    net = network(uplinks=("wan0", "wg0"), server=True)
    Policy(net, f"""version: 1
listeners: {{web: {{dnat: {at(SERVER, 8080)}}}}}
tables: {{vpn: {{dev: wg0, fallback: unreachable, masquerade: true}}}}
rules:
  - {{in: wan0, to: local, proto: [tcp, udp], port: 80, then: {{proxy: web}}}}
  - {{name: no mail, in: lan0, from: {both(SERVER)}, port: [22, 123], then: drop}}
  - {{in: lan0, then: {{route: vpn}}}}
""").up()
    net.listener(8080, host=net.server, mode="dnat", addresses=("0.0.0.0", "::"))
    origin = net.sniff()
    for host in net.client, net.server:
        for proto, version in BOTH:
            answered(probe.ask(host, proto, FOREIGN[version], 443), "vpn")
        assert probe.ping(host, FOREIGN[4]), "an echo request by the tunnel"
    for proto, port in (("tcp", 22), ("udp", 123)):
        for version in FAMILIES:
            silent(probe.ask(net.server, proto, FOREIGN[version], port, timeout=0.3))
            answered(probe.ask(net.client, proto, FOREIGN[version], port), "vpn")
    nothing(origin)
    for proto, version in BOTH:
        answered(probe.ask(net.origin, proto, AT[version], 80), "proxy",
                 peer=UPLINKS["wan0"][2][version])
    origin.packets()
    net.router.ip("link set wg0 down")
    for proto, version in BOTH:
        fails(probe.ask(net.server, proto, FOREIGN[version], 443), "refused", "unreachable")
    assert not probe.ping(net.server, FOREIGN[4], timeout=0.3)
    nothing(origin)


def test_ports(network):
    """another host: source ports distinguish a proxy's own connections from others of its host"""
    net = network(uplinks=("wan0", "wg0"), server=True)
    Policy(net, f"""version: 1
listeners: {{cache: {{dnat: {at(SERVER, 3128)}, masquerade: true, runs_as: {{port: 40000-40100}}}}}}
tables: {{vpn: {{dev: wg0, fallback: unreachable, masquerade: true}}}}
rules:
  - {{scope: both, proto: [tcp, udp], port: [53, 80], then: {{proxy: cache}}}}
  - {{in: lan0, proto: tcp, port: 22, then: drop}}
default: {{route: vpn}}
""").up()
    net.listener(3128, host=net.server, mode="dnat", addresses=("0.0.0.0", "::"))
    for proto, version in BOTH:
        port = 53 if proto == "udp" else 80
        answered(probe.ask(net.client, proto, FOREIGN[version], port), "proxy", peer=ROUTER[version])
        answered(probe.ask(net.router, proto, FOREIGN[version], port), "proxy")
        # 39999 and 40101 are its host's, and no rule hands it what comes from there.
        for source, who in ((40000, "origin"), (40100, "origin"), (39999, "vpn"), (40101, "vpn")):
            answered(probe.ask(net.server, proto, FOREIGN[version], port,
                               source=(SERVER[version], source)), who)
        answered(probe.ask(net.client, proto, FOREIGN[version], 443,
                           source=(CLIENT[version], 40000)), "vpn")
    for version in FAMILIES:
        silent(probe.ask(net.server, "tcp", FOREIGN[version], 22, timeout=0.3))


def test_two(network):
    """another host: two listeners do not hand packets to each other"""
    net = network(uplinks=("wan0",), server=True)
    other = {4: "10.10.10.10", 6: "fd00:10::10"}
    net.server.ip(f"address add {other[4]}/24 dev eth0\naddress add {other[6]}/64 dev eth0 nodad")
    Policy(net, f"""version: 1
listeners:
  one: {{dnat: {at(SERVER, 3128)}, masquerade: true}}
  two: {{dnat: {at(other, 3129)}, masquerade: true}}
rules:
  - {{in: lan0, proto: tcp, port: 80, then: {{proxy: one}}}}
  - {{in: lan0, proto: [tcp, udp], then: {{proxy: two}}}}
""").up()
    one = net.listener(3128, host=net.server, mode="dnat", addresses=("0.0.0.0", "::"))
    two = net.listener(3129, host=net.server, mode="dnat", addresses=("0.0.0.0", "::"))
    for version in FAMILIES:
        for port, seen in ((80, one), (443, two)):
            before = len(seen.seen)
            answered(probe.ask(net.client, "tcp", FOREIGN[version], port), "proxy")
            assert len(seen.seen) == before + 1, f"not the listener of port {port}"
        answered(probe.ask(net.server, "tcp", FOREIGN[version], 80, source=SERVER[version]), "origin")
        # Its own listener takes nothing from there; what the other is handed it may be sent.
        answered(probe.ask(net.server, "tcp", FOREIGN[version], 443, source=other[version]), "origin")
        answered(probe.ask(net.server, "tcp", FOREIGN[version], 80, source=other[version]), "proxy")


# ---- via a table ----

DNS = {4: "203.0.113.53", 6: "2001:db8:113::53"}  # there and in the clear: who answers tells the way


def _via(words, device="wg0"):
    return f"""version: 1
listeners: {{dns: {{dnat: {at(DNS, 53)}, via: vpn, runs_as: {{port: 1}}}}}}
tables: {{vpn: {{dev: {device}, masquerade: true, {words}}}}}
rules: [{{scope: both, proto: [tcp, udp], port: 53, then: {{proxy: dns}}}}]
"""


def _asked(net, check):
    for host in net.client, net.router:
        for proto, version in BOTH:
            check(probe.ask(host, proto, FOREIGN[version], 53, timeout=0.3))


def _explained(policy, status, *words):
    for version in FAMILIES:
        for sent in ["in=lan0", f"from={CLIENT[version]}"], ["scope=local"]:
            answer, live = explain(policy, *sent, f"to={FOREIGN[version]}", "proto=udp", "port=53", status=status)
            assert (answer["verdict"], answer["table"]["name"]) == ("proxy", "vpn"), answer
            assert all(word in complaints(live) for word in words), complaints(live)


def _not_answered(outcome):
    assert outcome.kind != "answer", f"answered: {outcome}"


def test_by_table():
    """via: a dnat listener is reached only through its table, also while that is down"""
    for fallback in "blackhole", "unreachable":
        with Network(uplinks=("wan0", "wg0")) as net:
            policy = Policy(net, _via(f"fallback: {fallback}, strict: true")).up()
            origin = net.sniff()
            _asked(net, lambda outcome: answered(outcome, "vpn"))
            _explained(policy, 0)
            net.router.ip("link set wg0 down")
            _asked(net, _not_answered)
            nothing(origin)
            _explained(policy, 5, "wg0")
            net.link_up("wg0")
            _asked(net, _not_answered)  # the routes went with the link
            nothing(origin)
            policy.up()
            _asked(net, lambda outcome: answered(outcome, "vpn"))
            net.vpn.ip("link set eth0 down")  # the cable is pulled
            _asked(net, _not_answered)
            net.router.ip("link delete wg0")
            _asked(net, _not_answered)
            nothing(origin)


def test_lock(network):
    """via: a strict table holds without its ip rules, forwarded and local"""
    net = network(uplinks=("wan0", "wg0"))
    Policy(net, _via("fallback: unreachable, strict: true")).up()
    origin = net.sniff()
    for version in FAMILIES:
        for priority in (10000, 10001):
            net.router.ip(f"rule delete priority {priority}", f"-{version}")
    _asked(net, _not_answered)
    nothing(origin)


def test_by_route(network):
    """via: a table's fallback, its exceptions, and only destinations of its routes"""
    net = network(uplinks=("wan0", "wg0"))
    routes = ", ".join(f'{{to: "{DNS[version]}", dev: wg0}}' for version in FAMILIES)
    Policy(net, f"""version: 1
listeners: {{dns: {{dnat: {at(DNS, 53)}, via: vpn, runs_as: {{port: 1}}}}}}
tables: {{vpn: {{routes: [{routes}], masquerade: true}}}}
rules: [{{scope: both, proto: [tcp, udp], port: 53, then: {{proxy: dns}}}}]
""").up()
    _asked(net, lambda outcome: answered(outcome, "vpn"))
    net.router.ip("link set wg0 down")
    _asked(net, lambda outcome: answered(outcome, "origin"))  # fallback: main
