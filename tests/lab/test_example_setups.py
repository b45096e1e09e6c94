"""
Published setups: what people run by hand-written scripts, as an example each, loaded as it is
shipped; and what must not happen there: no leak, no loop, no lockout, and what others have loaded
stays as it is.
"""

import contextlib
import difflib
import pathlib
import re
import socket
import time
from datetime import datetime, timezone

import pytest

import clock
import probe
from test_examples import BOTH, FAMILIES, GONE, HOME, all_fail, load
from cgroups import slices
from lab import CLIENT, FOREIGN, ROUTER, SERVER, UPLINKS, Network
from policy import ROOT, Policy
from outcomes import answered, fails, nothing, silent

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
            assert len(proxy.seen) == count, f"connections the proxy saw ({proxy.seen[-2:]})"
        for proto, version in BOTH:
            answered(probe.ask(net.router, proto, FOREIGN[version], 53, identity=identity), "origin")
        inbound()
        assert len(proxy.seen) == len(asked), "connections the proxy saw"
        proxy.close()
        origin = net.sniff()
        for host in net.client, net.router:
            all_fail(host)
        for version in FAMILIES:
            fails(probe.ask(net.client, "tcp", FOREIGN[version], 443))
        nothing(origin)
        inbound()
        return [bool(probe.ping(net.client, FOREIGN[version], 0.2)) for version in FAMILIES]


@pytest.mark.root
def test_by_user():
    """example tproxy-gateway: the LAN and the router through the proxy, identified by its user"""
    assert _gateway("tproxy-gateway", 12345, probe.Identity(user=1001)) == [True, True], "pings answered"


def test_by_mark():
    """example tproxy-gateway-by-mark: the same, the proxy identified by its mark; not even a ping bypasses it"""
    assert _gateway("tproxy-gateway-by-mark", 7893, probe.Identity(mark=255)) == [False, False], "pings answered"


# ---- who uses which uplink ----

GUEST = {4: "10.10.20.2", 6: "fd00:20::2"}


def _segment(net, name, device, addresses, bridge=None):
    """Another network of the router's, with one host in it; on a bridge of the router's, if named."""
    host = net._host(name)  # closed with the network
    router = {version: address[:-1] + "1" for version, address in addresses.items()}
    net.router.ip(f"link add {device} type veth peer name eth0 netns {host.path}")
    if bridge:
        net.router.ip(f"link set {device} master {bridge} up")
    else:
        net.router.ip(f"link set {device} up\naddress add {router[4]}/24 dev {device}\n"
                      f"address add {router[6]}/64 dev {device} nodad")
    host.ip(f"""link set lo up
                link set eth0 up
                address add {addresses[4]}/24 dev eth0
                address add {addresses[6]}/64 dev eth0 nodad
                route add default via {router[4]}
                route add default via {router[6]}""")
    return host


def test_per_device(network):
    """example uplinks-per-device: the LAN, guests and a device have one uplink each, and no other"""
    net = network(uplinks=("wan0", "wan1", "wg0"), server=True)
    guest = _segment(net, "guest", "guest0", GUEST)
    net.server.ip("link set eth0 address 02:00:5e:10:00:09")
    policy = load(net, "uplinks-per-device")
    net.echo(net.router, (22,))
    net.echo(net.server, (80,))
    ways = {net.client: "wan0", guest: "wan1", net.server: "wg0"}

    def each_by_its_own(without=None):
        for host, device in ways.items():
            for proto, version in BOTH if device != without else ():
                answered(probe.ask(host, proto, FOREIGN[version], 443), UPLINKS[device][0],
                         peer=UPLINKS[device][1][version])
            answered(probe.ask(host, "tcp", ROUTER[4], 22), "router")

    each_by_its_own()
    for version in FAMILIES:
        answered(probe.ask(net.client, "tcp", SERVER[version], 80), "server")
        fails(probe.ask(guest, "tcp", SERVER[version], 80))
        for device in "wan0", "wan1":
            host = net.hosts[UPLINKS[device][0]]
            answered(probe.ask(host, "tcp", UPLINKS[device][1][version], 22,
                               source=FOREIGN[version]), "router")
    watches = {device: net.sniff(UPLINKS[device][0]) for device in ways.values()}
    for host, device in ways.items():
        net.router.ip(f"link set {device} down")
        each_by_its_own(without=device)
        for other in watches:
            watches[other].packets()
        all_fail(host)
        for other, watch in watches.items():
            nothing(watch, other)
        net.link_up(device)
        policy.up()
    each_by_its_own()


def test_strict(network):
    """example uplinks-per-device: strict holds against foreign ip rules"""
    net = network(uplinks=("wan0", "wan1", "wg0"), server=True)
    guest = _segment(net, "guest", "guest0", GUEST)
    load(net, "uplinks-per-device")
    for version in FAMILIES:
        net.router.ip("rule add priority 50 iif guest0 lookup main", f"-{version}")
    origin = net.sniff()
    for proto, version in BOTH:
        fails(probe.ask(guest, proto, FOREIGN[version], 443))
    nothing(origin)


def test_shared(network):
    """example uplinks-shared: 3 to 1 over both; when a link goes down the other has all"""
    net = network(uplinks=("wan0", "wan1"))
    policy = load(net, "uplinks-shared")
    net.echo(net.router, (22,))
    for proto, version in BOTH:
        who = [probe.ask(net.client, proto, FOREIGN[version], 443).who for _ in range(40)]
        assert set(who) == {"origin", "mobile"}, "who answered"
        assert 22 <= who.count("origin") <= 38, f"{who.count('origin')} of 40 by the first"
    _answers_by_the_same(net)
    for down, left in (("wan0", "wan1"), ("wan1", "wan0")):
        net.router.ip(f"link set {down} down")
        for proto, version in BOTH * 4:
            answered(probe.ask(net.client, proto, FOREIGN[version], 443), UPLINKS[left][0],
                     peer=UPLINKS[left][1][version])
        net.link_up(down)
        policy.up()
    _answers_by_the_same(net)


def test_several(net):
    """example several-proxies: 2 to 1 over two proxies; DNS through its own, and through the first if that is dead"""
    first, second, names = (net.listener(port) for port in (12345, 12346, 12353))
    policy = load(net, "several-proxies")
    for proto, version in BOTH:
        for _ in range(6):
            answered(probe.ask(net.client, proto, FOREIGN[version], 443), "proxy")
        answered(probe.ask(net.client, proto, FOREIGN[version], 53), "proxy")
    assert len(names.seen) == 4, "what the third has taken"
    assert len(first.seen) + len(second.seen) == 24 and 5 <= len(second.seen) <= 11, (len(first.seen), len(second.seen))
    names.close()
    assert policy.tpc("status", "--drift", check=False).returncode == 5, "of status, once the third is gone"
    policy.up()
    before = len(first.seen)
    for proto, version in BOTH:
        answered(probe.ask(net.client, proto, FOREIGN[version], 53), "proxy")
    assert len(first.seen) == before + 4, "what the first has taken in its place"


def _answers_by_the_same(net):
    """Also where a neighbour is asked for first, and the client's first packet is repeated, after a second."""
    for device in "wan0", "wan1":
        for version in FAMILIES:
            answered(probe.ask(net.hosts[UPLINKS[device][0]], "tcp", UPLINKS[device][1][version], 22,
                               source=FOREIGN[version], timeout=4), "router", peer=FOREIGN[version])


def test_dscp(network):
    """example dscp-and-ports: voice through the fast line, bulk never, the rest through the cheap one while it is up"""
    voice = [("udp", 5000, 46), ("udp", 5000, 44), ("tcp", 443, 40), ("udp", 5060, 0), ("tcp", 5061, 0)]
    bulk = [("tcp", 443, 1), ("udp", 443, 8), ("tcp", 873, 0)]
    rest = [("tcp", 443, 0), ("udp", 443, 0), ("tcp", 443, 18), ("udp", 873, 0)]
    net = network(uplinks=("wan0", "wan1"))
    policy = load(net, "dscp-and-ports")
    for name in "origin", "mobile":
        net.echo(net.hosts[name], (873, 5061), (873, 5060))

    def all_by(kind, device):
        for version in FAMILIES:
            for proto, port, dscp in kind:
                answered(probe.ask(net.client, proto, FOREIGN[version], port, TOS=dscp << 2),
                         UPLINKS[device][0], peer=UPLINKS[device][1][version])

    def down(device):
        net.router.ip(f"link set {device} down")

    def back(device):
        net.link_up(device)
        policy.up()

    all_by(voice, "wan0")
    all_by(bulk + rest, "wan1")
    down("wan0")
    all_by(voice + bulk + rest, "wan1")
    back("wan0")
    down("wan1")
    all_by(voice + rest, "wan0")
    origin = net.sniff()
    for version in FAMILIES:
        for proto, port, dscp in bulk:
            outcome = probe.ask(net.client, proto, FOREIGN[version], port, timeout=0.05,
                                TOS=dscp << 2)
            assert outcome.kind in GONE, str(outcome)
    nothing(origin)
    back("wan1")
    all_by(bulk, "wan1")


# ---- by whom, by name ----

def test_by_domain(network):
    """example split-by-domain: only addresses that dnsmasq adds use the tunnel; DNS comes here"""
    net = network(uplinks=("wan0", "wg0"), foreign=("2001:db8:abcd::/48",))
    policy = load(net, "split-by-domain")
    resolver = net.listener(53, mode="redirect", addresses=("0.0.0.0", "::"))
    origin = net.sniff()

    def all_by(who):
        for proto, version in BOTH:
            answered(probe.ask(net.client, proto, FOREIGN[version], 443), who)
            answered(probe.ask(net.client, proto, HOME[version], 443), "origin")
            answered(probe.ask(net.router, proto, FOREIGN[version], 443), "origin")

    for proto, version in BOTH:
        answered(probe.ask(net.client, proto, FOREIGN[version], 53), "proxy")
        fails(probe.ask(net.client, proto, FOREIGN[version], 853))
    nothing(origin)
    all_by("origin")
    lines = policy.compile().file(".dnsmasq.conf").read_text().splitlines()
    sets = re.findall(r"[46]#(\w+)#(\w+)#(\w+)", next(
        line for line in lines if line.startswith("nftset=") and "/video.example/" in line))
    for (family, table, name), version in zip(sets, FAMILIES):  # as dnsmasq would
        net.router.run("nft", "add", "element", family, table, name, "{", FOREIGN[version], "}")
    assert len(sets) == 2, "sets that dnsmasq is told to fill"
    all_by("vpn")
    policy.up()
    all_by("vpn")  # what the set has learned survives
    net.router.ip("link set wg0 down")
    origin.packets()
    all_fail(net.client)
    nothing(origin)
    resolver.close()
    all_fail(net.client, 53)
    nothing(origin)


@pytest.mark.root
def test_user_dns(network):
    """example vpn-for-one-user: DNS of that user through its own resolver and the tunnel, with and without a local one"""
    net = network(uplinks=("wan0", "wg0"))
    load(net, "vpn-for-one-user")
    net.echo(net.router, (53, 631), (53,), name="machine")  # what everybody asks
    itself, user = probe.Identity(user=1002), probe.Identity(user=1001)
    own = net.listener(5353, mode="redirect", addresses=("127.0.0.1", "::1"), identity=itself)
    origin = net.sniff()
    for proto, version in BOTH:
        loopback = {4: "127.0.0.1", 6: "::1"}[version]
        for address in FOREIGN[version], ROUTER[version], loopback:
            answered(probe.ask(net.router, proto, address, 53, identity=user), "proxy")
        answered(probe.ask(net.router, proto, loopback, 53), "machine")
        answered(probe.ask(net.router, proto, ROUTER[version], 53,
                           identity=probe.Identity(user=1003)), "machine")
        answered(probe.ask(net.router, proto, FOREIGN[version], 53, identity=itself), "vpn",
                 peer=UPLINKS["wg0"][1][version])
        answered(probe.ask(net.router, "tcp", loopback, 631, identity=user), "machine")
    nothing(origin)
    net.router.ip("link set wg0 down")
    own.close()
    for identity in user, itself:
        all_fail(net.router, 53, identity=identity)
    nothing(origin)


def _hours(now):
    """Times of this day, whether it is night then, and when the night begins."""
    today = datetime.fromtimestamp(now, timezone.utc).weekday()
    late, was_late = today in (4, 5), (today - 1) % 7 in (4, 5)
    return (("12:00:00", False), ("03:00:00", True), ("07:00:00", was_late), ("21:00:00", False),
            ("22:00:00", not late), ("23:45:00", True)), "23:30:00" if late else "21:30:00"


def test_night(network):
    """example no-internet-at-night: only two devices, by the hours of the day"""
    net = network(server=True)
    net.echo(net.router, (22,))
    net.echo(net.server, (443,))
    now = int(time.time())
    for wall, night in _hours(now)[0]:
        with clock.host_zone(clock.showing(wall, now)):
            policy = load(net, "no-internet-at-night")
        for number in 1, 2, 77:
            net.client.ip(f"link set eth0 address 02:00:5e:10:00:{number:02}")
            net.router.ip("neigh flush dev lan0")
            for proto, version in BOTH:
                outcome = probe.ask(net.client, proto, FOREIGN[version], 443)
                if night and number != 77:
                    fails(outcome)
                else:
                    answered(outcome, "origin")
            answered(probe.ask(net.client, "tcp", ROUTER[4], 22), "router")
        policy.down()


def test_night_falls():
    """example no-internet-at-night: running connections are cut when the night begins"""
    clock.in_time(_falls)


def _falls(begins):
    with Network() as net, contextlib.ExitStack() as stack:
        net.client.ip("link set eth0 address 02:00:5e:10:00:01")
        net.router.ip("neigh flush dev lan0")
        with clock.host_zone(clock.showing(_hours(begins)[1], begins)):
            load(net, "no-internet-at-night")
        if time.time() > begins - 2:
            return False
        pairs = []
        for version in FAMILIES:
            with net.origin:
                server = stack.enter_context(socket.create_server(
                    ("", 7777), family=probe.family_of(FOREIGN[version])))
            with net.client:
                client = stack.enter_context(
                    socket.create_connection((FOREIGN[version], 7777), timeout=2))
            pairs.append((client, stack.enter_context(server.accept()[0])))
            client.sendall(b"by day")
            stack.enter_context(pairs[-1][1]).settimeout(20)
        read = [child.recv(10) for _, child in pairs]
        if time.time() >= begins:
            return False
        assert read == [b"by day"] * 2, "what the origin has read"
        clock.until(begins + 0.1)
        origin = net.sniff()
        for client, _ in pairs:
            client.sendall(b"by night")
            try:
                client.recv(1)
                raise AssertionError("the connection lives on")
            except ConnectionResetError:
                pass
        nothing(origin)
    return True


def test_cgroups():
    """example listeners-per-cgroup: each slice through its own listener or nowhere, others direct"""
    text = (ROOT / "examples" / "listeners-per-cgroup" / "policy.yaml").read_text()
    with slices(text) as (policy, paths), Network(server=True) as net:
        Policy(net, policy).up()
        work, private, proxies = (probe.Identity(cgroup=paths[f"{name}.slice"])
                                  for name in ("work", "private", "proxies"))
        net.echo(net.server, (443,), (443,))
        net.echo(net.router, (), (53,), name="machine")
        office = net.listener(12345, identity=proxies, onward=True)
        hidden = net.listener(9040, mode="redirect", protocols=("tcp",), identity=proxies,
                              addresses=("127.0.0.1", "::1"), onward=True)
        names = net.listener(9053, mode="redirect", identity=proxies, addresses=("127.0.0.1", "::1"))
        origin = net.sniff()
        for proto, version in BOTH:
            outcome = answered(probe.ask(net.router, proto, FOREIGN[version], 443, identity=work),
                               "proxy")
            assert "and origin answers" in outcome.text, str(outcome)
            for address in FOREIGN[version], ROUTER[version], SERVER[version]:
                answered(probe.ask(net.router, proto, address, 53, identity=private), "proxy")
            for identity in work, private:
                answered(probe.ask(net.router, proto, SERVER[version], 443, identity=identity),
                         "server")
            for host, how in (net.router, {}), (net.router, {"identity": proxies}), (net.client, {}):
                answered(probe.ask(host, proto, FOREIGN[version], 443, **how), "origin")
        for version in FAMILIES:
            outcome = answered(probe.ask(net.router, "tcp", FOREIGN[version], 443, identity=private),
                               "proxy")
            assert "and origin answers" in outcome.text, str(outcome)
            answered(probe.ask(net.router, "udp", ROUTER[version], 53, identity=work), "machine")
        assert (len(office.seen), len(hidden.seen), len(names.seen)) == (4, 2, 12), "what each has seen"
        origin.packets()
        for version in FAMILIES:
            outcome = probe.ask(net.router, "udp", FOREIGN[version], 443, identity=private,
                                timeout=0.1)
            assert outcome.kind in GONE, str(outcome)
        for listener in office, hidden, names:
            listener.close()
        for identity in work, private:
            all_fail(net.router, identity=identity)
        all_fail(net.router, 53, identity=private)
        nothing(origin)


# ---- beside Docker and firewalld ----

CONTAINERS = {"container": {4: "172.17.0.2", 6: "fd00:172::2"},
              "other": {4: "172.17.0.3", 6: "fd00:172::3"}}
OTHERS = pathlib.Path(__file__).parent / "foreign"
FIREWALLD = (OTHERS / "firewalld.nft").read_text()
LOOSE, STRICT = "fib saddr . mark oif missing drop", "fib saddr . mark . iif oif missing drop"


def _listing(host, *options):
    """The foreign tables as nft lists them, line by line, with handles."""
    tables = host.run("nft", "list", "tables").stdout.splitlines()
    return [line for table in tables if table.split()[-1] != "tpc"
            for line in host.run("nft", *options, "-a", "list", *table.split()).stdout.splitlines()]


def _counts(host):
    return [int(number) for line in _listing(host)
            for number in re.findall(r"packets (\d+) bytes", line)]


class _Others:
    """
    A foreign rule set on the router. Each step must leave it as it was, byte for byte and
    handle for handle; counts go on and are never set back.
    """

    def __init__(self, net, text):
        self.net = net
        net.router.nft(text)
        self.shape = _listing(net.router, "-s")

    def step(self, work):
        before = _counts(self.net.router)
        result = work()
        changed = list(difflib.unified_diff(self.shape, _listing(self.net.router, "-s"), n=0))
        assert not changed, "others' rules are not what they were:\n" + "\n".join(changed[:20])
        after = _counts(self.net.router)
        assert all(old <= new for old, new in zip(before, after)), f"counts: {before}, then {after}"
        return result


def _comes_and_goes(net, name, others, before, during, after_update):
    """Up, changed, and down again; what others have stays as it is all the while."""
    before()
    policy = others.step(lambda: load(net, name))
    during()
    text = policy.path.read_text()
    rules = text.index("\nrules:\n") + len("\nrules:\n")
    extra = "  - {name: no telnet, in: lan0, proto: tcp, port: telnet, then: reject}\n"
    changed = Policy(net, text[:rules] + extra + text[rules:])
    others.step(changed.up)
    during()
    after_update()
    others.step(changed.down)
    before()


def test_docker(network):
    """example beside-docker: published ports work, containers follow the policy, Docker's rules stay"""
    net = network(uplinks=("wan0", "wg0"), server=True)
    net.router.ip("link add docker0 type bridge\nlink set docker0 up\n"
                  "address add 172.17.0.1/16 dev docker0\n"
                  "address add fd00:172::1/64 dev docker0 nodad")
    for number, (name, addresses) in enumerate(CONTAINERS.items()):
        _segment(net, name, f"veth{number}", addresses, bridge="docker0")
    net.echo(net.container, (80, 9000), (53,))
    net.echo(net.other, (80,))
    net.echo(net.router, (22,))
    others = _Others(net, (OTHERS / "docker.nft").read_text())
    proxy = net.listener(mode="redirect", protocols=("tcp",), addresses=("0.0.0.0", "::"))
    for key in "iptables", "ip6tables":  # as Docker sets them for some of its networks
        net.router.sysctl(f"net.bridge.bridge-nf-call-{key}", 1)
    origin, vpn = net.sniff(), net.sniff("vpn")

    def published():
        for version in FAMILIES:
            far, ours = FOREIGN[version], UPLINKS["wan0"][1][version]
            answered(probe.ask(net.origin, "tcp", ours, 8080, source=far), "container", peer=far)
            answered(probe.ask(net.client, "tcp", ROUTER[version], 8080), "container",
                     peer=CLIENT[version])
            answered(probe.ask(net.router, "tcp", ours, 8080), "container")
            answered(probe.ask(net.router, "tcp", CONTAINERS["container"][version], 9000),
                     "container")
            answered(probe.ask(net.other, "tcp", CONTAINERS["container"][version], 9000),
                     "container", peer=CONTAINERS["other"][version])
            fails(probe.ask(net.origin, "tcp", ours, 9000, source=far))  # is not published
            answered(probe.ask(net.origin, "tcp", ours, 22, source=far), "router", peer=far)
        for proto, version in BOTH:
            answered(probe.ask(net.client, proto, FOREIGN[version], 443), "origin",
                     peer=CLIENT[version])

    def bare():
        published()
        for version in FAMILIES:
            answered(probe.ask(net.container, "tcp", FOREIGN[version], 80), "origin",
                     peer=UPLINKS["wan0"][1][version])

    def governed():
        published()
        origin.packets()
        for version in FAMILIES:
            for port in 80, 443:
                outcome = answered(probe.ask(net.container, "tcp", FOREIGN[version], port), "proxy")
                assert outcome.peer_address == CONTAINERS["container"][version], "whom the proxy saw"
            for proto, port in (("tcp", 5228), ("udp", 443), ("udp", 53)):
                answered(probe.ask(net.container, proto, FOREIGN[version], port), "vpn",
                         peer=UPLINKS["wg0"][1][version])
        nothing(origin)

    def closed():
        net.router.ip("link set wg0 down")
        proxy.close()
        vpn.packets()
        for proto, version in BOTH:
            for port in 80, 5228:
                outcome = probe.ask(net.container, proto, FOREIGN[version], port, timeout=0.1)
                assert outcome.kind in GONE, f"{proto} over IPv{version}: {outcome}"
        nothing(origin)
        published()

    _comes_and_goes(net, "beside-docker", others, bare, governed, closed)


def test_firewalld(network):
    """example beside-firewalld: its zones, forwards and rejects hold, the LAN follows the policy"""
    net = network(uplinks=("wan0", "wg0"), server=True)
    net.echo(net.router, (22, 8443))
    net.echo(net.server, (80,))
    others = _Others(net, FIREWALLD)
    proxy = net.listener(mode="redirect", protocols=("tcp",), addresses=("0.0.0.0", "::"))
    origin = net.sniff()

    def zones():
        for version in FAMILIES:
            far, ours = FOREIGN[version], UPLINKS["wan0"][1][version]
            answered(probe.ask(net.origin, "tcp", ours, 22, source=far), "router", peer=far)
            answered(probe.ask(net.origin, "tcp", ours, 8080, source=far), "server", peer=far)
            answered(probe.ask(net.client, "tcp", ROUTER[version], 22), "router")
            answered(probe.ask(net.router, "tcp", FOREIGN[version], 443), "origin")
            for host, address in (net.origin, ours), (net.client, ROUTER[version]):
                for port in 8443, 12345:  # closed, whatever listens there
                    outcome = probe.ask(host, "tcp", address, port, timeout=0.05)
                    assert outcome.kind in GONE, f"port {port} at {address}: {outcome}"

    def bare():
        zones()
        for proto, version in BOTH:
            answered(probe.ask(net.client, proto, FOREIGN[version], 443), "origin")

    def governed():
        zones()
        origin.packets()
        for version in FAMILIES:
            for port in 80, 443:
                answered(probe.ask(net.client, "tcp", FOREIGN[version], port), "proxy",
                         peer=CLIENT[version])
            for proto, port in (("tcp", 5228), ("udp", 443)):
                answered(probe.ask(net.client, proto, FOREIGN[version], port), "vpn",
                         peer=UPLINKS["wg0"][1][version])
        nothing(origin)

    def closed():
        net.router.ip("link set wg0 down")
        proxy.close()
        all_fail(net.client)
        all_fail(net.client, 5228)
        nothing(origin)
        zones()

    _comes_and_goes(net, "beside-firewalld", others, bare, governed, closed)


def test_firewalld_strict(network):
    """example beside-firewalld: with IPv6_rpfilter at its default, IPv6 through the tunnel is lost and not leaked"""
    net = network(uplinks=("wan0", "wg0"))
    assert LOOSE in FIREWALLD
    net.router.nft(FIREWALLD.replace(LOOSE, STRICT))
    load(net, "beside-firewalld")
    net.listener(mode="redirect", protocols=("tcp",), addresses=("0.0.0.0", "::"))
    origin = net.sniff()
    for version in FAMILIES:
        answered(probe.ask(net.client, "tcp", FOREIGN[version], 443), "proxy")
    answered(probe.ask(net.client, "udp", FOREIGN[4], 443), "vpn")
    silent(probe.ask(net.client, "udp", FOREIGN[6], 443, timeout=0.1))
    nothing(origin)
