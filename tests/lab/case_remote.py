"""
Listeners on another host (dnat): what their host sends beside its answers meets the rules, what the
proxy sends itself is known by its source ports, and nothing comes back to it.
"""

import probe
from lab import CLIENT, FOREIGN, ROUTER, SERVER, UPLINKS, Network
from policy import Policy
from suite import answered, case, nothing, silent, told

FAMILIES = (4, 6)
BOTH = [(proto, version) for proto in ("tcp", "udp") for version in FAMILIES]
AT = {4: UPLINKS["wan0"][1][4], 6: UPLINKS["wan0"][1][6]}


def both(address):
    return f'["{address[4]}", "{address[6]}"]'


def at(address, port):
    return f'["{address[4]}:{port}", "[{address[6]}]:{port}"]'


@case("another host: the host of a dnat listener meets drops, tables and the kill switch, and answers")
def _host():
    with Network(uplinks=("wan0", "wg0"), server=True) as net:
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
            told(probe.ask(net.server, proto, FOREIGN[version], 443), "refused", "unreachable")
        assert not probe.ping(net.server, FOREIGN[4], timeout=0.3)
        nothing(origin)


@case("another host: a proxy's source ports tell its own connections from all else that its host sends")
def _ports():
    with Network(uplinks=("wan0", "wg0"), server=True) as net:
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


@case("another host: two listeners that would hand each other what they send do not")
def _two():
    with Network(uplinks=("wan0",), server=True) as net:
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
