"""
Published setups: what people run by hand-written scripts, as an example each, loaded as it is
shipped; and what must not happen there: no leak, no loop, no lockout, and what others have loaded
stays as it is.
"""

import probe
from case_examples import BOTH, FAMILIES, GONE, all_fail, example, load
from lab import CLIENT, FOREIGN, PLAIN, ROUTER, SERVER, UPLINKS, Network
from ns import all_ids
from suite import answered, nothing, require, same, told

# A machine in the LAN that the world may reach by an address of its own: no rule is about it.
PUBLIC = "2001:db8:77::80"


# ---- a gateway with a transparent proxy ----

def _inbound(net):
    """
    What comes in from outside: to this router, to a server behind it by a port forward, and by an
    address of its own.
    """
    net.router.nft("""table inet forwards {
    chain prerouting {
        type nat hook prerouting priority -100; policy accept;
        iifname "wan0" meta nfproto ipv4 tcp dport 8080 dnat ip to 10.10.10.9:80
        iifname "wan0" meta nfproto ipv6 tcp dport 8080 ip6 daddr != 2001:db8:77::80 dnat ip6 to [fd00:10::9]:80
    }
}""")
    net.server.ip(f"address add {PUBLIC} dev eth0 nodad preferred_lft 0")
    net.router.ip(f"route add {PUBLIC} dev lan0", "-6")
    net.echo(net.router, (22,))
    net.echo(net.server, (80,))

    def works():
        for version in FAMILIES:
            ours, far = UPLINKS["wan0"][1][version], FOREIGN[version]
            answered(probe.ask(net.origin, "tcp", ours, 22, source=far), "router", peer=far)
            answered(probe.ask(net.origin, "tcp", ours, 8080, source=far), "server", peer=far)
            answered(probe.ask(net.client, "tcp", ROUTER[version], 22), "router")
        answered(probe.ask(net.origin, "tcp", PUBLIC, 80, source=FOREIGN[6]), "server",
                 peer=FOREIGN[6])
    return works


def _gateway(name, port, identity):
    """All TCP and UDP through the proxy and out again, once each; nothing at all once it is dead."""
    with Network(server=True) as net:
        inbound = _inbound(net)
        load(net, name)
        proxy = net.listener(port, onward=True, identity=identity)
        asked = [(host, *cell) for host in (net.client, net.router) for cell in BOTH]
        for count, (host, proto, version) in enumerate(asked, 1):
            outcome = answered(probe.ask(host, proto, FOREIGN[version], 443), "proxy")
            assert "and origin answers" in outcome.text, f"the proxy's own way out: {outcome}"
            same(len(proxy.seen), count, f"connections the proxy saw ({proxy.seen[-2:]})")
        for proto, version in BOTH:
            answered(probe.ask(net.router, proto, FOREIGN[version], 53, identity=identity), "origin")
        inbound()
        same(len(proxy.seen), len(asked), "connections the proxy saw")
        proxy.close()
        origin = net.sniff()
        for host in net.client, net.router:
            all_fail(host)
        for version in FAMILIES:
            told(probe.ask(net.client, "tcp", FOREIGN[version], 443))
        nothing(origin)
        inbound()
        return [probe.ping(net.client, FOREIGN[version], 0.2) for version in FAMILIES]


@example("tproxy-gateway", "the LAN and the router through the proxy, known by its user")
def _by_user():
    require(all_ids(), "other user ids cannot be taken on here; run the lab as root")
    same(_gateway("tproxy-gateway", 12345, probe.Identity(user=1001)), [True, True], "pings answered")


@example("tproxy-gateway-by-mark", "the same, the proxy known by its mark; not even a ping goes past it")
def _by_mark():
    same(_gateway("tproxy-gateway-by-mark", 7893, probe.Identity(mark=255)), [False, False],
         "pings answered")
