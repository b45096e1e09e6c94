"""Every example, loaded as it is shipped and probed for what its first lines promise."""

import probe
from lab import CLIENT, FOREIGN, PLAIN, ROUTER, UPLINKS, Network
from ns import all_ids
from policy import ROOT, Policy
from suite import CASES, answered, case, nothing, require, same, told

FAMILIES = (4, 6)
BOTH = [(proto, version) for proto in ("tcp", "udp") for version in FAMILIES]
PROBED = set()


def example(name, what):
    PROBED.add(name)
    return case(f"example {name}: {what}")


def load(net, name):
    return Policy(net, ROOT / "examples" / name / "policy.yaml").up()


@example("split-by-list",
         "listed and private go direct, the rest through the proxy, also the router's own")
def _split():
    with Network() as net:
        load(net, "split-by-list")
        listener = net.listener(onward=True, identity=probe.Identity(mark=0xff))
        for host in net.client, net.router:
            for proto, version in BOTH:
                outcome = answered(probe.ask(host, proto, FOREIGN[version], 443), "proxy")
                assert "and origin answers" in outcome.text, str(outcome)
            answered(probe.ask(host, "tcp", "203.0.113.200", 443), "origin")
        same(len(listener.seen), 8, "connections through the proxy")
        listener.close()
        origin = net.sniff()
        told(probe.ask(net.client, "tcp", FOREIGN[4], 443))
        nothing(origin)
        answered(probe.ask(net.client, "tcp", "203.0.113.200", 443), "origin")


@example("vpn-kill-switch", "everything by the tunnel or not at all")
def _kill():
    with Network(uplinks=("wan0", "wg0"), server=True) as net:
        load(net, "vpn-kill-switch")
        net.echo(net.router, (22,))
        origin = net.sniff()
        for host in net.client, net.router:
            for proto, version in BOTH:
                answered(probe.ask(host, proto, FOREIGN[version], 443), "vpn",
                         peer=UPLINKS["wg0"][1][version])
        nothing(origin)
        for end in ("198.51.100.7",
                    "2001:db8:100::7"):  # the tunnel's own packets take the clear way
            probe.ask(net.router, "udp", end, 51820, timeout=0.1)
            packets = origin.packets()
            assert packets and packets[0][2] == end, f"no packet to {end}: {packets}"
        net.router.ip("link set wg0 down")
        for host in net.client, net.router:
            for proto, version in BOTH:
                outcome = probe.ask(host, proto, FOREIGN[version], 443, timeout=0.25)
                assert outcome.kind in ("unreachable", "refused", "prohibited",
                                        "silence"), str(outcome)
        nothing(origin)
        answered(probe.ask(net.client, "tcp", ROUTER[4], 22), "router")


@example("two-uplinks", "fibre, then mobile, then told so; answers by the way the question came")
def _two():
    with Network(uplinks=("wan0", "wan1")) as net:
        net.echo(net.router, (22,))
        policy = load(net, "two-uplinks")
        for proto, version in BOTH:
            answered(probe.ask(net.client, proto, FOREIGN[version], 443), "origin",
                     peer=UPLINKS["wan0"][1][version])
        net.echo(net.mobile, (873,), name="mobile")
        net.echo(net.origin, (873,), name="origin")
        for version in FAMILIES:
            answered(probe.ask(net.client, "tcp", FOREIGN[version], 873), "mobile")
            for device in "wan0", "wan1":
                host = net.hosts[UPLINKS[device][0]]
                answered(probe.ask(host, "tcp", UPLINKS[device][1][version], 22,
                                   source=FOREIGN[version], timeout=1), "router")
        net.router.ip("link set wan0 down")
        for proto, version in BOTH:
            answered(probe.ask(net.client, proto, FOREIGN[version], 443), "mobile",
                     peer=UPLINKS["wan1"][1][version])
        net.router.ip("link set wan1 down")
        told(probe.ask(net.client, "tcp", FOREIGN[4], 443), "unreachable")
        net.link_up("wan0")
        net.link_up("wan1")
        policy.up()
        for proto, version in BOTH:
            answered(probe.ask(net.client, proto, FOREIGN[version], 443), "origin")


@example("vpn-for-one-user", "user 1001 by the tunnel or nowhere, everybody else as always")
def _one_user():
    require(all_ids(), "other user ids cannot be taken on here; run the lab as root")
    with Network(uplinks=("wan0", "wg0")) as net:
        load(net, "vpn-for-one-user")
        user = probe.Identity(user=1001)
        for proto, version in BOTH:
            answered(probe.ask(net.router, proto, FOREIGN[version], 443, identity=user), "vpn",
                     peer=UPLINKS["wg0"][1][version])
            answered(probe.ask(net.router, proto, FOREIGN[version], 443,
                               identity=probe.Identity(user=1002)), "origin")
            answered(probe.ask(net.client, proto, FOREIGN[version], 443), "origin",
                     peer=CLIENT[version])
        net.router.ip("link set wg0 down")
        origin = net.sniff()
        for proto, version in BOTH:
            outcome = probe.ask(net.router, proto, FOREIGN[version], 443, identity=user,
                                timeout=0.25)
            assert outcome.kind in ("unreachable", "silence", "prohibited"), str(outcome)
        nothing(origin)


@example("forced-dns", "whoever is asked, this router's resolver answers; DNS over TLS is refused")
def _dns():
    with Network() as net:
        load(net, "forced-dns")
        resolver = net.listener(53, mode="redirect", addresses=("0.0.0.0", "::"))
        origin = net.sniff()
        for proto, version in BOTH:
            answered(probe.ask(net.client, proto, FOREIGN[version], 53), "proxy",
                     peer=CLIENT[version])
        for version in FAMILIES:
            told(probe.ask(net.client, "tcp", FOREIGN[version], 853))
        nothing(origin)
        same(len(resolver.seen), 4, "questions to the resolver")
        for proto, version in BOTH:
            answered(probe.ask(net.router, proto, FOREIGN[version], 53), "origin")
            answered(probe.ask(net.client, proto, ROUTER[version], 53), "proxy")
            answered(probe.ask(net.client, proto, FOREIGN[version], 443), "origin")


@example("redirect-and-tproxy", "TCP asks the kernel where it was going, UDP arrives untouched")
def _mixed():
    with Network() as net:
        load(net, "redirect-and-tproxy")
        net.listener(12345, mode="redirect", protocols=("tcp",), addresses=("0.0.0.0", "::"))
        net.listener(12346, protocols=("udp",))
        origin = net.sniff()
        for proto, version in BOTH:
            shown = f"[{FOREIGN[6]}]" if version == 6 else FOREIGN[4]
            outcome = answered(probe.ask(net.client, proto, FOREIGN[version], 443), "proxy",
                               dest=f"{shown}:443")
            same(outcome.peer, outcome.source, "the client as the proxy saw it")
        nothing(origin)
        answered(probe.ask(net.client, "tcp", PLAIN[4], 443), "origin")


@example("proxy-on-another-host", "web requests reach the other host, masqueraded; its own go out")
def _another():
    with Network(server=True) as net:
        load(net, "proxy-on-another-host")
        net.listener(3128, host=net.server, mode="dnat", protocols=("tcp",),
                     addresses=("0.0.0.0", "::"))
        for version in FAMILIES:
            answered(probe.ask(net.client, "tcp", FOREIGN[version], 80), "proxy",
                     peer=ROUTER[version])
            answered(probe.ask(net.server, "tcp", FOREIGN[version], 80), "origin")
            answered(probe.ask(net.client, "tcp", FOREIGN[version], 443), "origin",
                     peer=CLIENT[version])


@example("beside-other-software", "takes its own bits, leaves alone what the other program marked")
def _beside():
    with Network(uplinks=("wan0", "wan1")) as net:
        net.router.nft("""table inet theirs {
    chain marks {
        type filter hook prerouting priority -200; policy accept;
        iifname "lan0" udp dport 123 meta mark set 0x80000
    }
}""")
        for version in FAMILIES:
            net.router.ip(f"rule add priority 500 fwmark 0x80000/0xff0000 lookup 50\n"
                          f"route add default via {UPLINKS['wan1'][2][version]} table 50",
                          f"-{version}")
        load(net, "beside-other-software")
        net.listener(protocols=("tcp",))
        for version in FAMILIES:
            answered(probe.ask(net.client, "tcp", FOREIGN[version], 80), "proxy")
            answered(probe.ask(net.client, "udp", FOREIGN[version], 123), "mobile",
                     peer=CLIENT[version])
            answered(probe.ask(net.client, "udp", FOREIGN[version], 443), "origin",
                     peer=UPLINKS["wan0"][1][version])


@case("example: each one that is shipped has a case here")
def _all():
    shipped = {path.parent.name for path in (ROOT / "examples").glob("*/policy.yaml")}
    tried = PROBED | {"seed-lab"}  # the seed has a file of its own
    assert any("sentence" in name for name, _ in CASES)
    same(shipped - tried, set(), "examples without a case")
    same(tried - shipped, set(), "cases without an example")
