"""Every example, loaded as it is shipped and probed for what its first lines promise."""

import pathlib
import re
import grp
import pwd

import pytest

import probe
from lab import CLIENT, FOREIGN, PLAIN, ROUTER, SERVER, UPLINKS, Network
from ns import all_ids
from policy import ROOT, Policy
from outcomes import answered, fails, nothing

FAMILIES = (4, 6)
BOTH = [(proto, version) for proto in ("tcp", "udp") for version in FAMILIES]
GONE = ("unreachable", "refused", "prohibited", "silence")
# What the examples name.
HOME = {4: "203.0.113.200", 6: "2001:db8:abcd::8"}
LAPTOP = {4: "10.10.10.20", 6: "fd00:10::20"}
TUNNEL_END = {4: "198.51.100.7", 6: "2001:db8:100::7"}


def load(net, name):
    return Policy(net, ROOT / "examples" / name / "policy.yaml").up()


def all_fail(host, port=443, **how):
    """No answer, in neither family, to TCP or to UDP."""
    for proto, version in BOTH:
        outcome = probe.ask(host, proto, FOREIGN[version], port, timeout=0.1, **how)
        assert outcome.kind in GONE, f"{proto} over IPv{version}: {outcome}"


def test_split(network):
    """example split-by-list: listed and private go direct, the rest through the proxy, also the router's own"""
    net = network(foreign=("2001:db8:abcd::/48",))
    load(net, "split-by-list")
    listener = net.listener(onward=True, identity=probe.Identity(mark=0xff))
    for host in net.client, net.router:
        for proto, version in BOTH:
            outcome = answered(probe.ask(host, proto, FOREIGN[version], 5000 if proto == "udp"
                                         else 443), "proxy")
            assert "and origin answers" in outcome.text, str(outcome)
            answered(probe.ask(host, proto, HOME[version], 443), "origin")
    assert len(listener.seen) == 8, "connections through the proxy"
    listener.close()
    origin = net.sniff()
    for host in net.client, net.router:
        all_fail(host)
        all_fail(host, 5000)
    nothing(origin)
    for proto, version in BOTH:
        answered(probe.ask(net.client, proto, HOME[version], 443), "origin")


def test_split_quic(network):
    """example split-by-list: QUIC is refused only where it would be proxied"""
    net = network(foreign=("2001:db8:abcd::/48",))
    load(net, "split-by-list")
    proxy_itself = probe.Identity(mark=0xff)
    listener = net.listener(onward=True, identity=proxy_itself)
    origin = net.sniff()
    for version in FAMILIES:
        fails(probe.ask(net.client, "udp", FOREIGN[version], 443))
        outcome = probe.ask(net.router, "udp", FOREIGN[version], 443, timeout=0.1)
        assert outcome.kind in GONE, f"the router's own QUIC: {outcome}"
        nothing(origin)
        assert listener.seen == [], "what the proxy saw of QUIC"
        for host in net.client, net.router:
            answered(probe.ask(host, "udp", HOME[version], 443), "origin")
        answered(probe.ask(net.router, "udp", FOREIGN[version], 443, identity=proxy_itself),
                 "origin")
        origin.packets()


@pytest.mark.root
def test_split_dns(network):
    """example split-by-list: DNS is answered here; queries of the resolver and the proxy are not captured"""
    net = network(foreign=("2001:db8:abcd::/48",))
    load(net, "split-by-list")
    proxy = net.listener(onward=True, identity=probe.Identity(mark=0xff))
    itself = probe.Identity(user=1053)
    resolver = net.listener(53, mode="redirect", addresses=("0.0.0.0", "::"), identity=itself)
    origin = net.sniff()
    for proto, version in BOTH:
        for host in net.client, net.router:
            for address in FOREIGN[version], HOME[version]:
                answered(probe.ask(host, proto, address, 53), "proxy")
        answered(probe.ask(net.client, proto, ROUTER[version], 53), "proxy")
    nothing(origin)
    assert (len(resolver.seen), len(proxy.seen)) == (20, 0), "questions to the resolver, to the proxy"
    for proto, version in BOTH:
        answered(probe.ask(net.router, proto, FOREIGN[version], 53,
                           identity=probe.Identity(mark=0xff)), "origin")
        answered(probe.ask(net.router, proto, HOME[version], 53, identity=itself), "origin")
        outcome = answered(probe.ask(net.router, proto, FOREIGN[version], 53, identity=itself),
                           "proxy")
        assert "and origin answers" in outcome.text, str(outcome)
    assert (len(resolver.seen), len(proxy.seen)) == (20, 4), "questions to the resolver, to the proxy"
    resolver.close()
    origin.packets()
    for host in net.client, net.router:
        all_fail(host, 53)
    nothing(origin)


def test_kill(network):
    """example vpn-kill-switch: everything through the tunnel or not at all, except the tunnel's own packets"""
    net = network(uplinks=("wan0", "wg0"), server=True)
    policy = load(net, "vpn-kill-switch")
    net.echo(net.router, (22,))
    origin = net.sniff()

    def through():
        for host in net.client, net.router:
            for proto, version in BOTH:
                answered(probe.ask(host, proto, FOREIGN[version], 443), "vpn",
                         peer=UPLINKS["wg0"][1][version])
        nothing(origin)

    def closed():
        for host in net.client, net.router:
            all_fail(host)
        nothing(origin)
        for version, end in TUNNEL_END.items():
            probe.ask(net.client, "udp", end, 51820, timeout=0.05)  # not the tunnel's: a client's
            probe.ask(net.router, "tcp", end, 443, timeout=0.05)
            nothing(origin)
            _encrypted(net, origin, end, 51820)
            _encrypted(net, origin, FOREIGN[version], 4500, identity=probe.Identity(mark=51820))
            answered(probe.ask(net.client, "tcp", ROUTER[version], 22), "router")
            answered(probe.ask(net.origin, "tcp", UPLINKS["wan0"][1][version], 22), "router")
            origin.packets()

    through()
    for version, end in TUNNEL_END.items():
        _encrypted(net, origin, end, 51820)
        _encrypted(net, origin, FOREIGN[version], 4500, identity=probe.Identity(mark=51820))
        origin.packets()
    net.router.ip("link set wg0 down")
    closed()
    net.router.ip("link delete wg0")
    closed()
    net.connect("wg0")
    closed()  # the link alone is not enough: its routes are not back yet
    policy.up()
    through()
    net.router.run("nft", "flush", "ruleset")
    all_fail(net.client)
    nothing(origin)
    policy.up()
    through()


def _encrypted(net, origin, address, port, **how):
    """The tunnel's packets leave in the clear, with or without a reply."""
    probe.ask(net.router, "udp", address, port, timeout=0.05, **how)
    packets = origin.wait()
    assert packets and packets[0][2] == address, f"no packet to {address}: {packets}"


def test_two(network):
    """example two-uplinks: fibre, then mobile, then an error; replies through the uplink of the request"""
    net = network(uplinks=("wan0", "wan1"))
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
                               source=FOREIGN[version], timeout=4), "router")
    net.router.ip("link set wan0 down")
    for proto, version in BOTH:
        answered(probe.ask(net.client, proto, FOREIGN[version], 443), "mobile",
                 peer=UPLINKS["wan1"][1][version])
    net.router.ip("link set wan1 down")
    fails(probe.ask(net.client, "tcp", FOREIGN[4], 443), "unreachable")
    net.link_up("wan0")
    net.link_up("wan1")
    policy.up()
    for proto, version in BOTH:
        answered(probe.ask(net.client, proto, FOREIGN[version], 443), "origin")


@pytest.mark.root
def test_one_user(network):
    """example vpn-for-one-user: user 1001 through the tunnel or nowhere, others direct"""
    net = network(uplinks=("wan0", "wg0"))
    load(net, "vpn-for-one-user")
    user = probe.Identity(user=1001)
    for proto, version in BOTH:
        answered(probe.ask(net.router, proto, FOREIGN[version], 443, identity=user), "vpn",
                 peer=UPLINKS["wg0"][1][version])
        answered(probe.ask(net.router, proto, FOREIGN[version], 443,
                           identity=probe.Identity(user=1003)), "origin")
        answered(probe.ask(net.client, proto, FOREIGN[version], 443), "origin",
                 peer=CLIENT[version])
    net.router.ip("link set wg0 down")
    origin = net.sniff()
    for proto, version in BOTH:
        outcome = probe.ask(net.router, proto, FOREIGN[version], 443, identity=user,
                            timeout=0.25)
        assert outcome.kind == ("refused" if proto == "tcp" else "unreachable"), str(outcome)
    nothing(origin)


def test_dns(network):
    """example forced-dns: this router's resolver answers all queries, except those of two hosts"""
    net = network(server=True)
    load(net, "forced-dns")
    resolver = net.listener(53, mode="redirect", addresses=("0.0.0.0", "::"))
    origin = net.sniff()
    for proto, version in BOTH:
        answered(probe.ask(net.client, proto, FOREIGN[version], 53), "proxy",
                 peer=CLIENT[version])
        fails(probe.ask(net.client, proto, FOREIGN[version], 853))
    nothing(origin)
    assert len(resolver.seen) == 4, "questions to the resolver"
    net.echo(net.origin, (), (853,))
    for version in FAMILIES:  # deprecated: only who binds to it sends from it
        net.client.ip(f"address add {LAPTOP[version]} dev eth0 preferred_lft 0")
    for proto, version in BOTH:
        for port in 53, 853:
            answered(probe.ask(net.client, proto, FOREIGN[version], port,
                               source=LAPTOP[version]), "origin", peer=LAPTOP[version])
            answered(probe.ask(net.server, proto, FOREIGN[version], port), "origin",
                     peer=SERVER[version])
        answered(probe.ask(net.router, proto, FOREIGN[version], 53), "origin")
        answered(probe.ask(net.client, proto, ROUTER[version], 53), "proxy")
        answered(probe.ask(net.client, proto, FOREIGN[version], 443), "origin")
    resolver.close()
    origin.packets()
    all_fail(net.client, 53)
    nothing(origin)


def test_mixed(net):
    """example redirect-and-tproxy: TCP has SO_ORIGINAL_DST, UDP arrives unchanged"""
    load(net, "redirect-and-tproxy")
    net.listener(12345, mode="redirect", protocols=("tcp",), addresses=("0.0.0.0", "::"))
    net.listener(12346, protocols=("udp",))
    origin = net.sniff()
    for proto, version in BOTH:
        shown = f"[{FOREIGN[6]}]" if version == 6 else FOREIGN[4]
        outcome = answered(probe.ask(net.client, proto, FOREIGN[version], 443), "proxy",
                           dest=f"{shown}:443")
        assert outcome.peer == outcome.source, "the client as the proxy saw it"
    nothing(origin)
    answered(probe.ask(net.client, "tcp", PLAIN[4], 443), "origin")


def test_another(network):
    """example proxy-on-another-host: web requests reach the other host, masqueraded; its own go direct"""
    net = network(server=True)
    load(net, "proxy-on-another-host")
    net.listener(3128, host=net.server, mode="dnat", protocols=("tcp",),
                 addresses=("0.0.0.0", "::"))
    for version in FAMILIES:
        answered(probe.ask(net.client, "tcp", FOREIGN[version], 80), "proxy",
                 peer=ROUTER[version])
        answered(probe.ask(net.server, "tcp", FOREIGN[version], 80), "origin")
        answered(probe.ask(net.client, "tcp", FOREIGN[version], 443), "origin",
                 peer=CLIENT[version])


def test_beside(network):
    """example beside-other-software: uses its own bits, leaves packets with foreign marks alone"""
    net = network(uplinks=("wan0", "wan1"))
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


# ---- with the lab's listener in the place of the programs that tests/interop runs ----

def through(net, host, version, seen, name="origin"):
    """A connection by the proxy, which went on to where it was meant to go and was seen as `seen`."""
    outcome = answered(probe.ask(host, "tcp", FOREIGN[version], 80), "proxy")
    assert outcome.peer == outcome.source, "the client as the proxy saw it"
    shown = "[{}]" if version == 6 else "{}"
    wanted = f"and {name} answers {shown.format(seen[version])}:"
    assert wanted in outcome.text and f"at {shown.format(FOREIGN[version])}:80" in outcome.text, \
        f"not {wanted!r}: {outcome}"


def proxied_by(net, identity, hosts, **how):
    """Both families from all hosts by the proxy, other ports direct, nothing when it is gone."""
    listener = net.listener(identity=identity, onward=True, protocols=("tcp",), **how)
    for host in hosts:
        for version in FAMILIES:
            seen = CLIENT if how.get("spoof") and host is net.client else UPLINKS["wan0"][1]
            through(net, host, version, seen)
            answered(probe.ask(host, "tcp", FOREIGN[version], 8080), "origin")
    assert len(listener.seen) == 2 * len(hosts), "connections that the proxy took"
    listener.close()
    origin = net.sniff()
    for host in hosts:
        for version in FAMILIES:
            fails(probe.ask(host, "tcp", FOREIGN[version], 80), "refused")
    nothing(origin)


def account(name):
    if not all_ids():
        pytest.skip("other user ids cannot be taken on here; run the lab as root")
    return probe.Identity(user=pwd.getpwnam(name).pw_uid)


def test_haproxy(network):
    """example with-haproxy: web requests through the proxy, identified by its user, from its own address"""
    identity = account("haproxy")
    net = network()
    load(net, "with-haproxy")
    proxied_by(net, identity, (net.client, net.router), port=3129)


def test_haproxy_spoofing(network):
    """example with-haproxy-spoofing: web requests through the proxy, identified by its group, from the client's address"""
    account("haproxy")
    net = network()
    load(net, "with-haproxy-spoofing")
    identity = probe.Identity(group=grp.getgrnam("haproxy").gr_gid)
    proxied_by(net, identity, (net.client, net.router), port=3129, spoof=True)


def test_squid(network):
    """example with-squid: web requests through the proxy, identified by its user, from the client's address"""
    identity = account("proxy")
    net = network()
    load(net, "with-squid")
    proxied_by(net, identity, (net.client, net.router), port=3129, spoof=True)


def test_shadowsocks(network):
    """example with-shadowsocks: TCP and UDP through the proxy, except its server and local networks"""
    identity = account("nobody")
    net = network(uplinks=("wan0", "wan1"))
    load(net, "with-shadowsocks")
    listener = net.listener(1088, identity=identity, onward=True)
    for host in net.client, net.router:
        for proto, version in BOTH:
            outcome = answered(probe.ask(host, proto, FOREIGN[version], 443), "proxy")
            assert "and origin answers" in outcome.text, str(outcome)
            answered(probe.ask(host, proto, PLAIN[version], 443), "origin")
            answered(probe.ask(host, proto, UPLINKS["wan1"][2][version], 443), "mobile")
    assert len(listener.seen) == 8, "connections through the proxy"
    listener.close()
    origin = net.sniff()
    for proto, version in BOTH:
        fails(probe.ask(net.client, proto, FOREIGN[version], 443))
    nothing(origin)


def test_redsocks(network):
    """example with-redsocks: IPv4 TCP through the proxy, IPv6 and QUIC refused; no direct connection to it"""
    identity = account("redsocks")
    net = network()
    load(net, "with-redsocks")
    listener = net.listener(mode="redirect", protocols=("tcp",), addresses=("0.0.0.0",),
                            identity=identity, onward=True)
    for host, seen in (net.client, ROUTER), (net.router, UPLINKS["wan0"][1]):
        through(net, host, 4, UPLINKS["wan0"][1])
        fails(probe.ask(host, "tcp", FOREIGN[6], 80))
        fails(probe.ask(host, "udp", FOREIGN[4], 443), "refused", "prohibited")
        fails(probe.ask(host, "tcp", seen[4], 12345))
        answered(probe.ask(host, "tcp", PLAIN[4], 80), "origin")
        answered(probe.ask(host, "udp", FOREIGN[4], 123), "origin")
    assert len(listener.seen) == 2, "connections that the proxy took"
    listener.close()
    origin = net.sniff()
    for host in net.client, net.router:
        fails(probe.ask(host, "tcp", FOREIGN[4], 80))
    nothing(origin)


# Those that send this host's own traffic to a listener, and whose accounts they name.
OWN = {"split-by-list": None, "tproxy-gateway": None, "tproxy-gateway-by-mark": None, "with-haproxy": "haproxy",
       "with-haproxy-spoofing": "haproxy", "with-squid": "proxy", "with-redsocks": "redsocks", "with-shadowsocks": "nobody"}


def public_lan(net):
    """The LAN has public addresses, too, in both families."""
    for host, device, number in (net.router, "lan0", 129), (net.client, "eth0", 130):
        host.ip(f"address add 198.51.100.{number}/25 dev {device}\naddress add 2001:db8:77::{number}/64 dev {device} nodad")
    return {4: "198.51.100.130", 6: "2001:db8:77::130"}


def test_own():
    """example: local packets to the LAN stay there, also at public addresses, in each example with a proxy"""
    for name, user in OWN.items():
        if user:
            account(user)
        with Network() as net:
            there = public_lan(net)
            policy = load(net, name)
            net.echo(net.client, (80,))
            for version in FAMILIES:
                answered(probe.ask(net.router, "tcp", there[version], 80, timeout=1), "client")
                assert probe.ask(net.router, "tcp", FOREIGN[version], 80, timeout=0.1).kind in GONE, f"{name}: not proxied"
            assert "its own network" not in policy.tpc("status", check=False).stdout, name


def test_taken():
    """own networks: apply, plan and status name public networks of the host that local traffic no longer reaches directly"""
    for listener, words, way in (("{tproxy: 12345, runs_as: {user: 1053}}", "", "to the listener px"),
                                 ("{redirect: 12345, runs_as: {mark: 255}}", "proto: tcp, ", "to the listener px")):
        text = f"""version: 1
listeners: {{px: {listener}}}
rules: [EXCEPT{{scope: local, to: private, then: direct}}, {{scope: local, {words}then: {{proxy: px}}}}]
"""
        with Network() as net:
            there = public_lan(net)
            for exception in "", "{scope: local, out: lan0, then: direct}, ":
                policy = Policy(net, text.replace("EXCEPT", exception))
                said = [policy.tpc(*call, check=False) for call in (("plan", str(policy.path)),
                                                                    ("apply", str(policy.path)), ("status",))]
                for one in said:
                    reported = [network for network in ("198.51.100.128/25", "2001:db8:77::/64")
                               if f"{network}, its own network on lan0, go {way}" in one.stdout + one.stderr]
                    assert len(reported) == (0 if exception else 2), f"networks in {one}"
            assert there
            net.router.ip("address flush dev lan0")


def test_side():
    """own networks: also for a gateway in the LAN, whose uplink is the LAN's interface, but not for a provider's"""
    text = """version: 1
listeners: {px: {tproxy: 12345, runs_as: {user: 1053}}}
rules: [EXCEPT{scope: both, to: private, then: direct}, {in: IN, proto: [tcp, udp], then: {proxy: px}},
        {scope: local, then: {proxy: px}}]
"""
    networks = {"198.51.100.128/25": "to: 198.51.100.128/25", "2001:db8:77::/64": 'to: "2001:db8:77::/64"'}
    for inside, count in ("lan0", 2), ("wan0", 0):
        with Network() as net:
            there = public_lan(net)
            for version in FAMILIES:
                net.router.ip(f"route replace default via {there[version]} dev lan0", f"-{version}")
            helps = set()
            for exception in "", "".join(f"{{scope: local, {one}, then: direct}}, " for one in networks.values()):
                policy = Policy(net, text.replace("EXCEPT", exception).replace("IN", inside))
                for call in ("plan", str(policy.path)), ("apply", str(policy.path)), ("status",):
                    one = policy.tpc(*call, check=False)
                    words = one.stdout + one.stderr
                    found = [name for name in networks if f"{name}, its own network on lan0, go to the listener px" in words]
                    assert len(found) == (0 if exception else count), f"networks in {one}"
                    helps |= {name for name in found if f"{{scope: local, {networks[name]}, then: direct}}" in words}
            assert len(helps) == count, "networks with what to write"


def test_all():
    """example: each shipped example has a test here"""
    shipped = {path.parent.name for path in (ROOT / "examples").glob("*/policy.yaml")}
    titles = "".join(path.read_text() for path in sorted(pathlib.Path(__file__).parent.glob("test_*.py")))
    tried = set(re.findall(r'"""example ([a-z0-9-]+): ', titles)) | {"seed-lab"}  # the seed has a file of its own
    assert shipped - tried == set(), "examples without a case"
    assert tried - shipped == set(), "cases without an example"
