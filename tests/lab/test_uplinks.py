"""
Uplinks: fail-over, kill switches, replies by the way the request came, masquerade, what main keeps.
"""

import socket
import time

import pytest

import probe
import raw_packets
from test_carrier import pull
from test_lost_conntrack import Far
from lab import CLIENT, FOREIGN, PLAIN, ROUTER, UPLINKS, Network
from ns import all_ids
from policy import WAYS, Policy
from outcomes import answered, fails, nothing

TABLES = """version: 1
tables:
  fibre: {via: [192.0.2.1, "2001:db8:1::1"], dev: wan0, masquerade: true}
  mobile: {via: [198.51.100.1, "2001:db8:2::1"], dev: wan1, masquerade: true}
  vpn: {dev: wg0, masquerade: true, fallback: unreachable}
"""
BOTH = ("tcp", 4), ("udp", 4), ("tcp", 6), ("udp", 6)
GONE = ("unreachable", "silence", "prohibited", "refused")


def world(*more):
    return Network(uplinks=("wan0", "wan1", "wg0", *more), server=True)


@pytest.fixture(name="net")
def made():
    with world() as net:
        yield net


def all_ask(net, host, who, peer=None, **how):
    for proto, version in BOTH:
        seen = peer and UPLINKS[peer][1][version]
        answered(probe.ask(host, proto, FOREIGN[version], 443, **how), who, peer=seen)


def all_fail(host, *kinds, **how):
    for proto, version in BOTH:
        outcome = probe.ask(host, proto, FOREIGN[version], 443, timeout=0.25, **how)
        assert outcome.kind in (kinds or GONE), f"{proto} over IPv{version}: {outcome}"


def test_ordered(net):
    """uplinks: an ordered list: the first table with a route, then the next, then unreachable"""
    Policy(net,
           TABLES + "rules: [{in: lan0, then: {route: [vpn, mobile, unreachable]}}]\n").up()
    watch = net.sniff("origin")
    all_ask(net, net.client, "vpn", "wg0")
    net.router.ip("link set wg0 down")
    all_ask(net, net.client, "mobile", "wan1")
    net.router.ip("link set wan1 down")
    fails(probe.ask(net.client, "tcp", FOREIGN[4], 443), "unreachable")
    fails(probe.ask(net.client, "udp", FOREIGN[4], 443), "unreachable")
    fails(probe.ask(net.client, "udp", FOREIGN[6], 443), "unreachable")
    all_fail(net.client)
    nothing(watch)


def test_main(net):
    """uplinks: fallback main uses the main table if the table has no route"""
    Policy(net, TABLES + "rules: [{in: lan0, then: {route: mobile}}]\n").up()
    all_ask(net, net.client, "mobile", "wan1")
    net.router.ip("link set wan1 down")
    all_ask(net, net.client, "origin")


def _agrees(policy, version):
    """explain --live has no fault to find, and says that the main table is asked first."""
    asked = policy.tpc("explain", str(policy.path), "--live", "in=lan0", f"from={CLIENT[version]}",
                       f"to={FOREIGN[version]}", "proto=tcp", "port=443").stdout
    assert "first     the main table's routes, which" in asked and "agrees" in asked, asked


def test_main_first(net):
    """uplinks: main before a table: the table where main has no default route, as explain --live says"""
    policy = Policy(net, TABLES + """rules:
  - {in: lan0, port: 853, then: {route: [main, prohibit]}}
  - {scope: both, to: [203.0.113.0/24, "2001:db8:113::/48"], then: {route: [main, mobile]}}
""")
    policy.up()
    all_ask(net, net.client, "origin")
    all_ask(net, net.router, "origin", "wan0")
    answered(probe.ask(net.client, "tcp", FOREIGN[4], 853), "origin")
    for version in 4, 6:
        _agrees(policy, version)
        net.router.ip("route del default", f"-{version}")
        _agrees(policy, version)
    all_ask(net, net.client, "mobile", "wan1")
    fails(probe.ask(net.client, "tcp", FOREIGN[4], 853), "unreachable")
    all_fail(net.router, "unreachable")  # the kernel looks for a route before it sends anything


def test_own(net):
    """uplinks: packets through a table have its uplink's address, local ones too"""
    Policy(net,
           TABLES + "rules: [{scope: both, to: [203.0.113.0/24, '2001:db8:113::/48'], then: {route: mobile}}]\n").up()
    all_ask(net, net.client, "mobile", "wan1")
    all_ask(net, net.router, "mobile", "wan1")
    for version in 4, 6:
        answered(probe.ask(net.router, "tcp", PLAIN[version], 80), "origin")


def test_prefer():
    """uplinks: prefer_main keeps connected networks on their links, replaces only the default"""
    for prefer, who in (("true", "origin"), ("false", "vpn")):
        with Network(uplinks=("wan0", "wg0"), foreign=("192.0.2.0/24", "2001:db8:1::/64")) as net:
            for version, prefix in ((4, "192.0.2.0/24"), (6, "2001:db8:1::/64")):
                net.origin.ip(f"route del local {prefix} dev lo", f"-{version}")
            Policy(net, f"""version: 1
tables: {{vpn: {{dev: wg0, fallback: unreachable, prefer_main: {prefer}}}}}
rules: [{{in: lan0, then: {{route: vpn}}}}]
""").up()
            for version in 4, 6:
                answered(probe.ask(net.client, "tcp", FOREIGN[version], 80), "vpn")
                answered(probe.ask(net.client, "tcp", PLAIN[version], 80), who)


def _inbound(net, device):
    """
    A host beyond `device` calls the router itself, and a server behind it that somebody else's
    rules forward to.
    """
    name, ours, _ = UPLINKS[device]
    for version in 4, 6:
        far = FOREIGN[version]
        for proto, port in (("tcp", 22), ("udp", 123)):
            answered(probe.ask(net.hosts[name], proto, ours[version], port, source=far),
                     "router", peer=far)
        for proto in "tcp", "udp":
            answered(probe.ask(net.hosts[name], proto, ours[version], 8080, source=far),
                     "server", peer=far)


FORWARDS = """table inet forwards {
    chain prerouting {
        type nat hook prerouting priority -100; policy accept;
        fib daddr type local meta nfproto ipv4 tcp dport 8080 dnat ip to 10.10.10.9:80
        fib daddr type local meta nfproto ipv6 tcp dport 8080 dnat ip6 to [fd00:10::9]:80
        fib daddr type local meta nfproto ipv4 udp dport 8080 dnat ip to 10.10.10.9:80
        fib daddr type local meta nfproto ipv6 udp dport 8080 dnat ip6 to [fd00:10::9]:80
    }
}"""


def test_replies(net):
    """uplinks: replies leave through the uplink of the request, the host's and a forwarded server's"""
    net.router.nft(FORWARDS)
    net.echo(net.router, (22,), (123,))
    net.echo(net.server, (80,), (80,))
    Policy(net, TABLES + "rules: [{in: lan0, then: {route: [vpn, unreachable]}}]\n").up()
    for device in "wan0", "wan1":
        _inbound(net, device)
    all_ask(net, net.client, "vpn", "wg0")


PARTIAL = """version: 1
tables:
  vpn: {{routes: [{{to: 203.0.113.0/24, dev: wg0}}, {{to: "2001:db8:113::/48", dev: wg0}}, {{to: 198.18.1.0/24, dev: {other}}}],
        fallback: {fallback}}}
rules: [{{scope: local, to: 203.0.113.0/24, then: {{route: vpn}}}}]
"""


def _holds(net, far, clear):
    """What the router says in a connection that came by the tunnel, once that is lost: whether in the clear."""
    talks = [probe.NOBODY_SPECIAL.open(net.hosts["vpn"], probe.family_of(FOREIGN[version]), socket.SOCK_STREAM)
             for version in (4, 6)]
    for version, talk in zip((4, 6), talks):
        probe.turn_on(talk, "FREEBIND")
        talk.settimeout(3)
        talk.bind((FOREIGN[version], 0))
        talk.connect((UPLINKS["wg0"][1][version], 4433))
        talk.recv(100)
    pull(net, "wg0", "vpn")
    clear.packets()
    for child in far.sockets[-2:]:
        child.send(b"still there")
    time.sleep(0.3)
    for talk in talks:
        talk.close()
    return {one[2] for one in clear.packets() if one[3] == 4433} == set(FOREIGN.values())


def test_partial():
    """uplinks: a table with only some destinations has the replies to those on its interfaces"""
    for fallback, other in ("main", "wg0"), ("main", "wg1"), ("unreachable", "wg0"):
        with world("wg1") as net:
            net.router.nft(FORWARDS)
            net.echo(net.router, (22,), (123,))
            net.echo(net.server, (80,), (80,))
            far = net.add(Far(net.router, (4433,)))
            Policy(net, PARTIAL.format(fallback=fallback, other=other)).up()
            _inbound(net, "wg0")
            # Where the table has no route to the sender, the main table answers, as it always did.
            net.hosts["vpn"].ip("address add 198.18.2.9/32 dev lo")
            clear = net.sniff()
            raw_packets.send(net.hosts["vpn"], "tcp", "198.18.2.9", UPLINKS["wg0"][1][4], 22)
            found = clear.wait(lambda packets: any(one[2] == "198.18.2.9" for one in packets))
            assert found, "no answer by main's default route"
            assert _holds(net, far, clear) == (fallback == "main"), "answers in the clear when the tunnel is lost"


SHARED = """version: 1
tables: {{vpn: {{via: [10.10.10.9, "fd00:10::9"], dev: lan0{answers}}}}}
rules: [{{scope: local, user: 1001, then: {{route: vpn}}}}]
"""
# The router's second address: the one that is asked through the other gateway.
SECOND = {4: "10.10.10.77", 6: "fd00:10::77"}


def asks(host, address, silent=False):
    """A far client's connections that come in through a gateway in the LAN, and are answered through it."""
    for version in 4, 6:
        for proto, port in (("tcp", 22), ("udp", 123)):
            outcome = probe.ask(host, proto, address[version], port, source=FOREIGN[version],
                                timeout=0.3 if silent else 3)
            if silent:
                assert outcome.kind in GONE, f"answered through the other gateway: {outcome}"
            else:
                answered(outcome, "router", peer=FOREIGN[version])


def test_answers(network):
    """uplinks: a table with no replies, or those of one address, on the link of main's default route"""
    net = network(uplinks=(), server=True)
    net.echo(net.router, (22,), (123,))
    for version, bits in ((4, 32), (6, 128)):
        net.router.ip(f"address add {SECOND[version]}/{24 if version == 4 else 64} dev lan0"
                      f"{'' if version == 4 else ' nodad'}\nroute add default via {CLIENT[version]} dev lan0", f"-{version}")
        for gateway in net.client, net.server:
            gateway.ip(f"address add {FOREIGN[version]}/{bits} dev lo", f"-{version}")
    net.router.settle()
    for answers, first, second in (("", False, False), (", answers: none", False, True),
                                   (', answers: [10.10.10.77, "fd00:10::77"]', False, False)):
        policy = Policy(net, SHARED.format(answers=answers)).up()
        asks(net.client, ROUTER, silent=first)
        asks(net.server, SECOND, silent=second)
        policy.down()


SEVERAL = {
    "that ranks them": """[{via: [192.0.2.1, "2001:db8:1::1"], dev: wan0, metric: 10},
                      {via: [198.51.100.1, "2001:db8:2::1"], dev: wan1, metric: 20}]""",
    "that shares among them": """[{nexthops: [{via: 192.0.2.1, dev: wan0, weight: 3}, {via: 198.51.100.1, dev: wan1}]},
                      {nexthops: [{via: "2001:db8:1::1", dev: wan0}, {via: "2001:db8:2::1", dev: wan1}]}]"""}


@pytest.mark.parametrize("form, routes", SEVERAL.items())
def test_replies_of_several(net, form, routes):
    """uplinks: replies leave through the uplink of the request if only one table has it, {form}"""
    net.router.nft(FORWARDS)
    net.echo(net.router, (22,), (123,))
    net.echo(net.server, (80,), (80,))
    Policy(net, f"version: 1\ntables: {{world: {{masquerade: true, routes: {routes}}}}}\n"
                "rules: [{in: lan0, then: {route: world}}]\n").up()
    for _ in range(4):
        for device in "wan0", "wan1":
            _inbound(net, device)


def test_replies_past_proxy(net):
    """uplinks: replies of a port-forwarded server pass under a proxy for everything"""
    net.router.nft(FORWARDS)
    net.echo(net.router, (22,), (123,))
    net.echo(net.server, (80,), (80,))
    Policy(net, "version: 1\nlisteners: {p: {tproxy: 12345, runs_as: {user: 1001}}}\n"
                "rules: [{scope: both, proto: [tcp, udp], then: {proxy: p}}]\ndefault: drop\n").up()
    _inbound(net, "wan0")


KILL = TABLES.replace("fallback: unreachable", "fallback: unreachable, strict: true, endpoint: 192.0.2.77") + """rules:
  - {in: lan0, then: {route: vpn}}
  - {user: 1001, then: {route: vpn}}
"""


def test_kill(net):
    """uplinks: the kill switch holds in both families: link down, up, deleted, re-created"""
    policy = Policy(net, KILL).up()
    watches = [net.sniff("origin"), net.sniff("mobile")]
    user = probe.Identity(user=1001) if all_ids() else None
    senders = [(net.client, {})] + ([(net.router, {"identity": user})] if user else [])

    def all_quiet():
        for host, how in senders:
            all_fail(host, **how)
        for watch in watches:
            nothing(watch, "a clear uplink")

    for host, how in senders:
        all_ask(net, host, "vpn", "wg0", **how)
    net.router.ip("link set wg0 down")
    all_quiet()
    net.link_up("wg0")
    all_quiet()  # the routes went with the link and are not back yet: closed, not open
    policy.up()
    for host, how in senders:
        all_ask(net, host, "vpn", "wg0", **how)
    net.router.ip("link delete wg0")
    all_quiet()
    net.connect("wg0")
    policy.up()
    for host, how in senders:
        all_ask(net, host, "vpn", "wg0", **how)


@pytest.mark.parametrize("words", ("fallback: unreachable", "fallback: prohibit, strict: true", "fallback: unreachable, prefer_main: true"))
def test_told_local(net, words):
    """uplinks: a local TCP connection through a table that refuses gets an error at once: {words}"""
    policy = Policy(net, f"""version: 1
tables: {{vpn: {{dev: wg0, masquerade: true, {words}}}}}
rules: [{{scope: both, then: {{route: vpn}}}}]
""").up()
    watch = net.sniff("origin")
    # A service of this host's own on the port, on any address: it is not what was asked for.
    net.echo(net.router, (443,), (443,))
    all_ask(net, net.router, "vpn", "wg0")
    for _ in "down", "up again":
        net.router.ip("link set wg0 down")
        for version in 4, 6:
            fails(probe.ask(net.router, "tcp", FOREIGN[version], 443), "refused")
            fails(probe.ask(net.router, "udp", FOREIGN[version], 443), "unreachable", "prohibited")
        all_fail(net.client)
        nothing(watch)
        net.link_up("wg0")
        policy.up()
        all_ask(net, net.router, "vpn", "wg0")
        all_ask(net, net.client, "vpn", "wg0")
    policy.down()


def test_strict(net):
    """uplinks: strict refuses packets that routing would send through another interface"""
    Policy(net, """version: 1
tables: {vpn: {dev: wg0, strict: true, fallback: main}}
rules: [{scope: both, to: [203.0.113.0/24, "2001:db8:113::/48"], then: {route: vpn}}]
""").up()
    watch = net.sniff("origin")
    all_ask(net, net.client, "vpn")
    net.router.ip("link set wg0 down")
    all_fail(net.client, "refused", "unreachable", "prohibited")
    all_fail(net.router)
    nothing(watch)


def test_established(net):
    """uplinks: an established connection keeps its uplink's source address"""
    Policy(net, TABLES + "rules: [{in: lan0, then: {route: mobile}}]\n").up()
    watch = net.sniff("mobile")
    all_ask(net, net.client, "mobile", "wan1")
    sources = {packet[1] for packet in watch.packets() if packet[0] in (6, 17)}
    assert sources == set(UPLINKS["wan1"][1].values()), "source addresses that the uplink saw"


def test_clamp(network):
    """uplinks: clamp_mss lowers the MSS to the tunnel's size"""
    net = network(uplinks=("wan0", "wg0"))
    net.router.ip("link set wg0 mtu 1300")
    Policy(net,
           "version: 1\ntables: {vpn: {dev: wg0, clamp_mss: true}}\nrules: [{in: lan0, then: {route: vpn}}]\n").up()
    for version, size in ((4, 1260), (6, 1240)):
        announced = _announced(net, version)
        assert announced == size, f"the announced segment size over IPv{version}"


def test_clamp_answers():
    """uplinks: clamp_mss also lowers incoming replies to this host, if the size is known"""
    for table, sizes in (("clamp_mss: 1200", (1200, 1200)), ("clamp_mss: true, mtu: 1300", (1260, 1240))):
        with Network(uplinks=("wan0", "wg0")) as net:
            Policy(net, f"version: 1\ntables: {{vpn: {{dev: wg0, masquerade: true, {table}}}}}\n"
                        "rules: [{scope: both, then: {route: vpn}}]\n").up()
            for version, size in zip((4, 6), sizes):
                for host in net.client, net.router:
                    assert _announced(net, version, host, answer=True) == size, \
                        f"what the answer lets {host.name} send over IPv{version}"


def _announced(net, version, asker=None, answer=False):
    """
    The other end's view: TCP_MAXSEG of the accepted connection is what the peer announced, less the
    time stamps' 12 bytes. Of the connecting socket it is what the answer announced.
    """
    host = net.hosts["vpn"]
    with host:
        family = (socket.AF_INET, socket.AF_INET6)[version == 6]
        server = socket.socket(family, socket.SOCK_STREAM)
        server.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        server.bind(("", 7777))
        server.listen(1)
        server.settimeout(2)
    with asker or net.client:
        client = socket.socket(family, socket.SOCK_STREAM)
    with server, client:
        client.settimeout(2)
        client.connect((FOREIGN[version], 7777))
        with server.accept()[0] as child:
            seen = client if answer else child
            return seen.getsockopt(socket.IPPROTO_TCP, socket.TCP_MAXSEG) + 12


def test_snat(net):
    """uplinks: snat uses the table's address"""
    net.mobile.ip("route add 198.51.100.50 via 198.51.100.2")
    Policy(net, """version: 1
tables: {mobile: {via: 198.51.100.1, dev: wan1, snat: 198.51.100.50}}
rules: [{in: lan0, family: ipv4, then: {route: mobile}}]
""").up()
    answered(probe.ask(net.client, "tcp", FOREIGN[4], 80), "mobile", peer="198.51.100.50")


@pytest.mark.root
def test_user(net):
    """uplinks: one user's traffic through the tunnel, that of others direct"""
    Policy(net,
           TABLES + "rules: [{user: 1001, then: {route: vpn}}, {group: 77, then: {route: mobile}}]\n").up()
    all_ask(net, net.router, "vpn", "wg0", identity=probe.Identity(user=1001))
    all_ask(net, net.router, "mobile", "wan1", identity=probe.Identity(user=1002, group=77))
    all_ask(net, net.router, "origin", "wan0", identity=probe.Identity(user=1002))
    all_ask(net, net.client, "origin")
    assert probe.ask(net.client, "tcp", FOREIGN[4], 80).peer_address == CLIENT[4], "the client's address"


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("prepare", ("missing", "down"))
def test_missing(network, way, prepare):
    """uplinks: loaded by {way}, the tunnel's link {prepare}: closed, and open the next time"""
    net = network(uplinks=("wan0", "wg0"))
    net.router.ip("link delete wg0" if prepare == "missing" else "link set wg0 down")
    watch = net.sniff("origin")
    policy = Policy(net, """version: 1
tables: {vpn: {dev: wg0, fallback: unreachable}}
rules: [{in: lan0, then: {route: vpn}}]
""")
    for option in ("-4", "-force"):
        _load(net, policy, way, option)
        all_fail(net.client)
        nothing(watch)
    (net.connect if prepare == "missing" else net.link_up)("wg0")
    _load(net, policy, way, "-force")
    all_ask(net, net.client, "vpn")


def _load(net, policy, way, option):
    """By hand: ip stops at the missing link, or goes on with -force, as the batch file itself says."""
    if way != "hand":
        policy.up(way)
        return
    for suffix, family in ((".ip.batch", "-4"), (".ip6.batch", "-6")):
        net.router.run("ip", option, family, "-batch", str(policy.file(suffix)), check=False)
    net.router.run("nft", "-f", str(policy.file(".nft")))


# ---- duplicate address detection ----

DETECTED = """version: 1
tables: {mobile: {via: [198.51.100.1, "2001:db8:2::1"], dev: wan1, src: [198.51.100.2, "2001:db8:2::2"],
                  masquerade: true, fallback: unreachable}}
rules: [{scope: both, proto: [tcp, udp], port: 443, then: {route: mobile}}]
"""


def detected(net, *commands):
    """wan1 comes up, and the kernel asks whether another host has its IPv6 address."""
    net.router.sysctl("net.ipv6.conf.wan1.accept_dad", 1)
    net.router.ip("link set wan1 down\n" + "\n".join(commands) + "\nlink set wan1 up")
    net.router.ip("address replace 2001:db8:2::2/64 dev wan1", "-6")
    found = net.router.run("ip", "-6", "address", "show", "dev", "wan1", "tentative").stdout
    assert "2001:db8:2::2" in found, "the address is not tentative here"


def test_detected(network):
    """uplinks: an apply in a link-up hook waits for duplicate address detection, and adds the IPv6 route"""
    net = network(uplinks=("wan0", "wan1"))
    policy = Policy(net, DETECTED)
    for verb in "new", "applied already":
        detected(net)
        done = policy.tpc("plan", str(policy.path), check=False)
        assert "would be left out" not in done.stderr, done.stderr
        done = policy.tpc("apply", "-v", str(policy.path))
        assert (done.stderr, "waited" in done.stdout) == ("", True), verb
        assert "everything holds" in policy.tpc("status").stdout
        for host in net.client, net.router:
            for proto, version in (("tcp", 4), ("tcp", 6), ("udp", 4), ("udp", 6)):
                answered(probe.ask(host, proto, FOREIGN[version], 443), "mobile")


def test_duplicate(network):
    """uplinks: a duplicate address, or one without carrier: no wait, closed, with a warning"""
    net = network(uplinks=("wan0", "wan1"))
    far = net.hosts["mobile"]
    far.ip("address add 2001:db8:2::2/64 dev eth0 nodad")
    policy = Policy(net, DETECTED)
    detected(net)
    for _ in range(60):
        if "dadfailed" in net.router.run("ip", "-6", "address", "show", "dev", "wan1").stdout:
            break
        time.sleep(0.1)
    for words, before in ("is a duplicate", None), ("has no carrier", "down"):
        if before:
            far.ip("address del 2001:db8:2::2/64 dev eth0\nlink set eth0 down")
            detected(net)
        began = time.monotonic()
        done = policy.tpc("apply", "-v", str(policy.path))
        assert words in done.stderr and "then apply again" in done.stderr.replace(
            "; apply again", "; then apply again"), done.stderr
        assert "waited" not in done.stdout and time.monotonic() - began < 4, done.stdout
        assert "everything holds" not in policy.tpc("status", check=False).stdout
        for host in net.client, net.router:
            for proto in "tcp", "udp":
                outcome = probe.ask(host, proto, FOREIGN[6], 443, timeout=0.5)
                assert outcome.who is None, f"{words}: {outcome}"
