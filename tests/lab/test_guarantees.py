"""
What holds whatever the policy: the host stays a host, what is not meant is not taken, the first
packet decides, only our own bits are written.
"""

import errno
import json
import socket

import probe
from lab import CLIENT, FOREIGN, PLAIN, ROUTER, UPLINKS, Network
from policy import Policy, everything
from outcomes import answered, fails, nothing

FAMILIES = (4, 6)
BOTH = [(proto, version) for proto in ("tcp", "udp") for version in FAMILIES]


# ---- the host stays a host ----

def test_services(net):
    """host: its own services reply under a policy that takes everything"""
    net.echo(net.router, (22, 53), (53,))
    Policy(net, everything("{tproxy: 12345, runs_as: {user: 1001}}", default="drop")).up()
    for version in FAMILIES:
        for address in ROUTER[version], UPLINKS["wan0"][1][version]:
            answered(probe.ask(net.client, "tcp", address, 22), "router", peer=CLIENT[version])
            answered(probe.ask(net.client, "udp", address, 53), "router", peer=CLIENT[version])
        answered(probe.ask(net.origin, "tcp", UPLINKS["wan0"][1][version], 22), "router")
        answered(probe.ask(net.router, "tcp", {4: "127.0.0.1", 6: "::1"}[version], 22),
                 "router")
        answered(probe.ask(net.router, "udp", ROUTER[version], 53), "router")


def test_session(net):
    """host: an open session to the router survives apply, update and remove"""
    with net.router:
        server = socket.create_server(("0.0.0.0", 22))
    with net.client:
        client = socket.create_connection((ROUTER[4], 22), timeout=2)
    child, _ = server.accept()

    def still_there():
        client.sendall(b"x")
        child.settimeout(1)
        assert child.recv(1) == b"x", "the session's byte"
    with server, client, child:
        still_there()
        policy = Policy(net,
                        everything("{tproxy: 12345, runs_as: {user: 1001}}",
                                   default="drop")).up()
        still_there()
        Policy(net, "version: 1\nrules: [{scope: both, then: reject}]\n").up()
        still_there()
        policy.down()
        still_there()


def _cast(net, address, port, device="eth0"):
    """
    One datagram from the client to a broadcast or multicast address; did the router's socket get
    it?
    """
    family = probe.family_of(address)
    with net.router:
        receiver = socket.socket(family, socket.SOCK_DGRAM)
        receiver.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        receiver.bind(("", port))
        if address.startswith("ff"):
            index = socket.if_nametoindex("lan0")
            receiver.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_JOIN_GROUP,
                                socket.inet_pton(family, address) + index.to_bytes(4, "little"))
        elif address.startswith("224"):
            receiver.setsockopt(socket.IPPROTO_IP, socket.IP_ADD_MEMBERSHIP,
                                socket.inet_aton(address) + socket.inet_aton(ROUTER[4]))
    with net.client, receiver, socket.socket(family, socket.SOCK_DGRAM) as sender:
        sender.setsockopt(socket.SOL_SOCKET, socket.SO_BROADCAST, 1)
        sender.setsockopt(socket.SOL_SOCKET, socket.SO_BINDTODEVICE, device.encode())
        receiver.settimeout(1)
        sender.sendto(b"anyone?", (address, port))
        try:
            return receiver.recv(100) == b"anyone?"
        except TimeoutError:
            return False


def test_casts(net):
    """host: broadcast, multicast and link-local are left alone: DHCP, mDNS, neighbour discovery"""
    everywhere = [("255.255.255.255", 67), ("10.10.10.255", 137), ("224.0.0.251", 5353),
                  ("ff02::fb", 5353), ("ff02::1", 547)]
    for address, port in everywhere:
        assert _cast(net, address, port), f"{address}:{port} is lost without a policy, too"
    Policy(net, everything("{tproxy: 12345, runs_as: {user: 1001}}", default="drop")).up()
    listener = net.listener()
    for address, port in everywhere:
        assert _cast(net, address, port), f"{address}:{port} did not arrive"
    net.router.run("ip", "neigh", "flush", "all")
    net.client.run("ip", "neigh", "flush", "all")
    for version in FAMILIES:
        answered(probe.ask(net.client, "tcp", FOREIGN[version], 80), "proxy")
    assert len(listener.seen) == 2, f"what the proxy saw ({listener.seen})"


def test_named(net):
    """host: a rule that names multicast takes it"""
    Policy(net, """version: 1
rules: [{in: lan0, to: multicast, proto: udp, port: 5353, then: drop}]
""").up()
    assert not _cast(net, "224.0.0.251", 5353), "224.0.0.251 arrived"
    assert not _cast(net, "ff02::fb", 5353), "ff02::fb arrived"
    assert _cast(net, "255.255.255.255", 67), "broadcast did not arrive"


def test_each_named(net):
    """host: rules that name local, broadcast or link-local take only those"""
    link_local = json.loads(net.router.run("ip", "-6", "-j", "address", "show", "dev", "lan0", "scope", "link").stdout)
    address, = [info["local"] for link in link_local for info in link.get("addr_info", ()) if "local" in info]
    net.echo(net.router, tcp=(7001, 7002), name="router")
    net.router.ip("address add 169.254.7.1/16 dev lan0")
    net.client.ip("address add 169.254.7.2/16 dev eth0")
    Policy(net, """version: 1
rules:
  - {in: lan0, to: local, proto: tcp, port: 7001, then: reject}
  - {in: lan0, to: broadcast, proto: udp, port: 67, then: drop}
  - {in: lan0, to: link-local, proto: tcp, port: 7002, then: reject}
  - {in: lan0, proto: tcp, port: [7001, 7002], then: drop}
""").up()
    for version in FAMILIES:
        fails(probe.ask(net.client, "tcp", ROUTER[version], 7001))
        answered(probe.ask(net.client, "tcp", ROUTER[version], 7002), "router")
    fails(probe.ask(net.client, "tcp", "169.254.7.1", 7002))
    with net.client, socket.socket(socket.AF_INET6) as sock:
        sock.settimeout(2)
        assert sock.connect_ex((address, 7002, 0, socket.if_nametoindex("eth0"))) == errno.ECONNREFUSED, \
            "the answer of a link-local address"
    assert not _cast(net, "255.255.255.255", 67), "the broadcast arrived"
    assert not _cast(net, "10.10.10.255", 67), "the network's broadcast arrived"
    assert _cast(net, "10.10.10.255", 137), "a broadcast to another port did not arrive"
    assert _cast(net, "224.0.0.251", 67), "multicast did not arrive"


def test_masked(net):
    """marks: a value under a mask is matched and set, without other bits"""
    net.router.nft("""table inet theirs {
    chain before {
        type filter hook prerouting priority -160;
        iifname "lan0" tcp dport 80 meta mark set 0x25
        iifname "lan0" tcp dport 443 meta mark set 0x26
        iifname "lan0" tcp dport 853 meta mark set 0xf0f
    }
    chain after {
        type filter hook forward priority 0;
        meta mark 0x30f reject with tcp reset
    }
}""")
    Policy(net, """version: 1
rules:
  - {mark: {value: 0x5, mask: 0xf}, proto: tcp, then: reject}
  - {proto: tcp, port: 853, then: {mark: {value: 0x300, mask: 0xf00}}}
""").up()
    for version in FAMILIES:
        fails(probe.ask(net.client, "tcp", FOREIGN[version], 80))
        answered(probe.ask(net.client, "tcp", FOREIGN[version], 443), "origin")
        fails(probe.ask(net.client, "tcp", FOREIGN[version], 853))
        answered(probe.ask(net.client, "tcp", FOREIGN[version], 22), "origin")


def test_ping(net):
    """host: ping and other protocols that a proxy cannot take go direct"""
    Policy(net, """version: 1
listeners: {proxy: {tproxy: 12345}}
rules: [{to: [203.0.113.0/24, "2001:db8:113::/48"], then: {proxy: proxy}}]
""").up()
    net.listener()
    origin = net.sniff()
    for version in FAMILIES:
        assert probe.ping(net.client, FOREIGN[version]), f"no echo from {FOREIGN[version]}"
        protocols = {packet[0] for packet in origin.packets()}
        assert protocols == {1 if version == 4 else 58}, "protocols that reached the origin"
        answered(probe.ask(net.client, "tcp", FOREIGN[version], 80), "proxy")


# ---- what is not meant is not captured ----

def test_bypass(network):
    """bypass: destinations before the proxy rule go direct, with the client's address"""
    net = network(foreign=("198.51.100.0/24",))
    Policy(net, """version: 1
sets:
  home: [203.0.113.200, 203.0.113.208-203.0.113.211, "2001:db8:113:1::/64", 198.51.100.0/24]
listeners: {proxy: {tproxy: 12345, runs_as: {user: 1001}}}
rules:
  - {scope: both, to: [home, private], then: direct}
  - {scope: both, from: 10.10.10.77, then: direct}
  - {scope: both, proto: [tcp, udp], then: {proxy: proxy}}
""").up()
    listener = net.listener()
    for address in ("203.0.113.200", "203.0.113.208", "203.0.113.211", "2001:db8:113:1::5",
                    "198.51.100.9"):
        for proto in "tcp", "udp":
            answered(probe.ask(net.client, proto, address, 443), "origin")
            answered(probe.ask(net.router, proto, address, 443), "origin")
    assert listener.seen == [], "what the proxy saw"
    for address in ("203.0.113.199", "203.0.113.201", "203.0.113.207", "203.0.113.212",
                    "2001:db8:113:2::5"):
        answered(probe.ask(net.client, "tcp", address, 443), "proxy")
    net.client.ip("address add 10.10.10.77/24 dev eth0")
    answered(probe.ask(net.client, "tcp", "203.0.113.8", 443, source="10.10.10.77"), "origin",
             peer="10.10.10.77")


def test_conditions(net):
    """bypass: not, lists, ranges and ports match exactly"""
    Policy(net, """version: 1
sets:
  a: [203.0.113.0/25, "2001:db8:113::/64"]
rules:
  - {to: {not: a}, proto: tcp, port: 8080, then: reject}
  - {to: a, proto: tcp, port: [22, "5000-6000"], then: reject}
  - {to: a, proto: udp, sport: "40000-40010", then: reject}
  - {in: {not: lan0}, to: a, proto: tcp, port: 443, then: reject}
  - {from: {not: [10.10.10.0/24, "fd00:10::/64"]}, proto: tcp, port: 853, then: reject}
""").up()
    def refused(address, port, proto="tcp", **how):
        return probe.ask(net.client, proto, address, port, **how).kind == "refused"
    for near, far in (("203.0.113.8", "203.0.113.200"),
                      ("2001:db8:113::8", "2001:db8:113:5::8")):
        wanted = {(near, 8080): False, (far, 8080): True, (near, 22): True, (far, 22): False,
                  (near, 5228): True,
                  (near, 443): False, (near, 853): False, (near, 53): False}
        for (address, port), no in wanted.items():
            assert refused(address, port) == no, f"{address} port {port} refused"
        source = CLIENT[6 if ":" in near else 4]
        assert refused(near, 53, "udp", source=(source, 40005)) is True, f"{near} from port 40005 refused"
        assert refused(near, 53, "udp", source=(source, 40011)) is False, f"{near} from port 40011 refused"


# ---- the first packet decides ----

def test_keeps(network):
    """first packet: a connection keeps its way when a state rule would decide otherwise later"""
    net = network(uplinks=("wan0", "wan1"))
    Policy(net, """version: 1
tables: {mobile: {via: [198.51.100.1, "2001:db8:2::1"], dev: wan1, masquerade: true}}
rules:
  - {in: lan0, state: new, then: {route: mobile}}
""").up()
    origin = net.sniff()
    for proto, version in BOTH:
        answered(probe.ask(net.client, proto, FOREIGN[version], 443), "mobile",
                 peer=UPLINKS["wan1"][1][version])
    nothing(origin)


def test_cuts(net):
    """first packet: a drop rule above still cuts a running connection"""
    with net.origin:
        server = socket.create_server(("0.0.0.0", 7777))
    Policy(net, "version: 1\nrules: [{state: new, then: direct}]\n").up()
    with net.client:
        client = socket.create_connection((FOREIGN[4], 7777), timeout=2)
    child, _ = server.accept()
    with server, client, child:
        client.sendall(b"1")
        child.settimeout(1)
        assert child.recv(1) == b"1", "before the rule"
        Policy(net, f"""version: 1
rules:
  - {{to: {FOREIGN[4]}, proto: tcp, port: 7777, then: drop}}
  - {{state: new, then: direct}}
""").up()
        client.sendall(b"2")
        child.settimeout(0.4)
        try:
            got = child.recv(1)
        except TimeoutError:
            got = b""
        assert got == b"", "after the rule"


def test_bits(network):
    """marks: only the policy's bits are written; foreign bits of the mark stay"""
    net = network(uplinks=("wan0", "wan1"))
    net.router.nft("""table inet theirs {
    chain before {
        type filter hook prerouting priority -200; policy accept;
        iifname "lan0" meta mark set 0x00080001
    }
    chain after {
        type filter hook postrouting priority 0; policy accept;
        oifname "wan1" meta mark & 0x80ffffff == 0x00080001 counter accept
        oifname "wan1" meta l4proto { tcp, udp } counter drop
    }
}""")
    Policy(net, """version: 1
tables: {mobile: {via: [198.51.100.1, "2001:db8:2::1"], dev: wan1, masquerade: true}}
rules: [{in: lan0, then: {route: mobile}}]
""").up()
    for proto, version in BOTH:
        answered(probe.ask(net.client, proto, FOREIGN[version], 443), "mobile")


def test_ipv6():
    """ipv6: block rejects IPv6 that bypasses a policy for IPv4, off leaves it alone"""
    for value in "block", "off":
        with Network() as net:
            Policy(net, f"""version: 1
settings: {{ipv6: "{value}"}}
listeners: {{proxy: {{tproxy: 12345}}}}
rules: [{{to: 203.0.113.0/24, proto: [tcp, udp], then: {{proxy: proxy}}}}]
""").up()
            net.listener()
            net.echo(net.router, (22,))
            answered(probe.ask(net.client, "tcp", FOREIGN[4], 80), "proxy")
            outcome = probe.ask(net.client, "tcp", FOREIGN[6], 80)
            if value == "block":
                fails(outcome, "refused", "prohibited", "unreachable")
                answered(probe.ask(net.client, "tcp", ROUTER[6], 22), "router")
            else:
                answered(outcome, "origin")
            answered(probe.ask(net.client, "tcp", PLAIN[4], 80), "origin")


def test_ipv6_tables(network):
    """ipv6: block rejects IPv6 to tables without IPv6, unless the list names main"""
    net = network(uplinks=("wan0", "wan1"))
    Policy(net, """version: 1
settings: {ipv6: block}
tables: {mobile: {via: 198.51.100.1, dev: wan1, masquerade: true}}
rules:
  - {scope: both, to: any, proto: [tcp, udp], port: 443, then: {route: mobile}}
  - {in: lan0, to: any, proto: [tcp, udp], port: 53, then: {route: [mobile, main]}}
""").up()
    watch = net.sniff("origin")
    for proto in "tcp", "udp":
        answered(probe.ask(net.client, proto, FOREIGN[4], 443), "mobile")
        for host in net.client, net.router:
            fails(probe.ask(host, proto, FOREIGN[6], 443, timeout=0.9), "unreachable", "silence", within=3.0)
    nothing(watch)
    answered(probe.ask(net.client, "udp", FOREIGN[6], 53), "origin")


def test_sysctls(net):
    """sysctls: the proxy works with src_valid_mark and reverse-path filters"""
    net.router.sysctl("net.ipv4.conf.all.src_valid_mark", 1)
    for name in ("all", "lan0", "wan0", "default"):
        net.router.sysctl(f"net.ipv4.conf.{name}.rp_filter", 1)
    before = _filters(net)
    policy = Policy(net, everything("{tproxy: 12345, runs_as: {user: 1001}}")).up()
    net.listener()
    for host in net.client, net.router:
        for proto in "tcp", "udp":
            answered(probe.ask(host, proto, FOREIGN[4], 443), "proxy")
    policy.down()
    assert _filters(net) == before, "the sysctls after remove"


def _filters(net):
    keys = [f"net.ipv4.conf.{name}.{key}" for name in ("all", "lan0", "wan0", "lo")
            for key in ("rp_filter", "src_valid_mark")]
    return {key: net.router.sysctl(key) for key in keys}
