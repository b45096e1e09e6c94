"""
Kernel settings: each one adverse before, the feature broken as long as it is (sysctls: ignore),
whole with `set`, reported by `check`, and restored by remove, except for foreign changes
since.
"""

import socket
import struct
import time

import probe
from lab import CLIENT, FOREIGN, PLAIN, ROUTER, UPLINKS, Network, mac
from policy import TPC, Policy
from outcomes import answered, silent

FAMILIES = (4, 6)
BOTH = [(proto, version) for proto in ("tcp", "udp") for version in FAMILIES]
FORWARDING = {4: "net.ipv4.ip_forward", 6: "net.ipv6.conf.all.forwarding"}
OFF = {"net.ipv4.ip_forward": 0, "net.ipv6.conf.all.forwarding": 0}
VPN = """version: 1
tables: {vpn: {dev: wg0, masquerade: true, fallback: unreachable}}
rules: [{in: lan0, then: {route: vpn}}]
"""


def put(net, values):
    for key, value in values.items():
        net.router.sysctl(key, value)


def values(net, keys):
    return {key: net.router.sysctl(key) for key in keys}


def strict(net, *devices):
    put(net, {f"net.ipv4.conf.{name.replace('.', '/')}.rp_filter": 1
                   for name in ("all", "default", "lo", *devices)})


def mode(text, word):
    return text.replace("version: 1\n", f"version: 1\nsettings: {{sysctls: {word}}}\n", 1)


def whole_way(net, text, adverse, wanted, broken, works, way="apply"):
    """
    `adverse` and `wanted` are values by key. Ignored the feature is broken; checked it is told, and
    nothing changes; set it works; removed all is as it was, but for what is foreign.
    """
    put(net, adverse)
    before = values(net, [*adverse, *wanted])
    policy = Policy(net, mode(text, "ignore")).up(way)
    broken()
    assert values(net, before) == before, "the settings, ignored"
    policy.down(way)
    said = tell(net, mode(text, "check"), way, broken)
    for key, value in wanted.items():
        assert f"{key} is {before[key]} and should be {value}" in said, f"{key}: {said}"
    assert values(net, before) == before, "the settings, checked"
    policy = Policy(net, text).up(way)
    works()
    assert values(net, wanted) == {key: str(value) for key, value in wanted.items()}, "set"
    policy.up(way)
    assert values(net, wanted) == {key: str(value) for key, value in wanted.items()}, "set twice"
    policy.down(way)
    assert values(net, before) == before, "the settings after remove"


def tell(net, text, way, broken):
    """What a policy that only checks says, from its coming to its going."""
    policy = Policy(net, text)
    if way == "sh":
        policy.compile()
        said = net.router.run("sh", str(policy.file(".sh")), "up").stderr
    else:
        said = policy.tpc("apply", str(policy.path)).stderr
        assert [line for line in said.splitlines() if "should be" in line and "warning" not in line] == [], \
            "what is not a warning"
        status = policy.tpc("status", check=False).stdout
        assert "should be" in status, f"status says nothing: {status}"
    broken()
    policy.down(way)
    return said


def probes(net, who):
    """No reply; and: `who` replies."""
    def broken():
        for proto, version in BOTH:
            outcome = probe.ask(net.client, proto, FOREIGN[version], 443, timeout=0.3)
            assert outcome.kind != "answer", outcome

    def works():
        for proto, version in BOTH:
            answered(probe.ask(net.client, proto, FOREIGN[version], 443), who)
    return broken, works


# ---- forwarding ----

def test_forwarding():
    """sysctls: forwarding is switched on for a table, in each family, by apply and by the script"""
    for way in "apply", "sh":
        with Network(uplinks=("wan0", "wg0")) as net:
            broken, works = probes(net, "vpn")
            whole_way(net, VPN, OFF, {key: 1 for key in OFF}, broken, works, way)


def test_forwarding_not(network):
    """sysctls: forwarding only in the families of a table, and not for packets to this host"""
    net = network(uplinks=("wan0", "wg0"))
    put(net, OFF)
    policy = Policy(net, VPN.replace("{in", "{family: ipv4, in")).up()
    assert values(net, OFF) == {FORWARDING[4]: "1", FORWARDING[6]: "0"}, "IPv4 alone"
    policy.down()
    for text in ("listeners: {p: {tproxy: 12345}}\nrules: [{in: lan0, then: {proxy: p}}]",
                 "listeners: {p: {redirect: 3128}}\nrules: [{in: lan0, then: {proxy: p}}]",
                 f'listeners: {{p: {{dnat: ["{ROUTER[4]}:3128", "[{ROUTER[6]}]:3128"]}}}}\n'
                 "rules: [{in: lan0, then: {proxy: p}}]",
                 "tables: {vpn: {dev: wg0, masquerade: true}}\n"
                 "rules: [{scope: local, to: [203.0.113.0/24, '2001:db8:113::/48'], "
                 "then: {route: vpn}}]"):
        for way in "apply", "sh":
            policy = Policy(net, f"version: 1\n{text}\n").up(way)
            assert values(net, OFF) == {key: "0" for key in OFF}, f"{way}: {text}"
            policy.down(way)


def test_forwarding_dnat():
    """sysctls: forwarding for a dnat listener on another host"""
    text = f"""version: 1
listeners: {{far: {{dnat: ["{PLAIN[4]}:8080", "[{PLAIN[6]}]:8080"]}}}}
rules: [{{in: lan0, then: {{proxy: far}}}}]
"""
    for way in "apply", "sh":
        with Network() as net:
            def broken():
                for proto, version in (("tcp", 4), ("tcp", 6)):
                    outcome = probe.ask(net.client, proto, FOREIGN[version], 443, timeout=0.3)
                    assert outcome.kind != "answer", outcome

            def works():
                for version in FAMILIES:
                    answered(probe.ask(net.client, "tcp", FOREIGN[version], 443), "origin")
            whole_way(net, text, OFF, {key: 1 for key in OFF}, broken, works, way)


def test_beside():
    """sysctls: sysctls that forwarding changes are restored by remove"""
    kept = {"net.ipv4.conf.all.accept_redirects": 0, "net.ipv4.conf.lan0.forwarding": 1,
            "net.ipv6.conf.wan0.forwarding": 1, "net.ipv4.conf.wan0.forwarding": 0}
    for way in "apply", "sh":
        with Network(uplinks=("wan0", "wg0")) as net:
            put(net, {**OFF, **kept})
            policy = Policy(net, VPN).up(way)
            assert net.router.sysctl("net.ipv4.conf.wan0.forwarding") == "1", "switched on with it"
            policy.down(way)
            assert values(net, [*OFF, *kept]) == {key: str(value) for key, value in
                                                {**OFF, **kept}.items()}, f"{way}: after remove"


def _container(net, version):
    """As Docker's: an interface that comes later, and its own rules."""
    net.router.ip("link add docker0 type veth peer name docker1\nlink set docker0 up\naddress add 172.17.0.1/16 dev docker0\n"
                  "address add fd00:17::1/64 dev docker0 nodad" if version is None else "")
    if version:
        net.router.nft(f"""table {'ip6' if version == 6 else 'ip'} docker {{ chain post {{
            type nat hook postrouting priority 100; oifname wan0 masquerade
            }}
            }}""")


def test_relied():
    """sysctls: forwarding that other software may rely on stays, and remove says so, in each family"""
    signs = ((4, {4}, "the chain post of the nft table ip docker"), (6, {6}, "the chain post of the nft table ip6 docker"),
             (None, {4, 6}, "the interface docker0, which has come since it was set,"))
    for way in "apply", "sh":
        for version, stays, said in signs:
            with Network(uplinks=("wan0", "wg0")) as net:
                put(net, OFF)
                policy = Policy(net, VPN).up(way)
                _container(net, version)
                policy.up(way)
                if way == "sh":
                    shown = net.router.run("sh", str(policy.file(".sh")), "down").stderr
                else:
                    shown = policy.tpc("remove").stderr
                assert values(net, OFF) == {FORWARDING[4]: str(int(4 in stays)), FORWARDING[6]: str(int(6 in stays))}, \
                    shown
                for family in stays:
                    assert f"{FORWARDING[family]} stays 1 (it was 0 before the policy): {said} may rely on it" in shown, shown
                    assert f"sysctl -w {FORWARDING[family]}=0" in shown, shown


def test_relied_update():
    """sysctls: an update without forwarding leaves it to software that relies on it; an empty foreign chain is no sign"""
    for way in "apply", "sh":
        for version in 4, 6, 0:
            with Network(uplinks=("wan0", "wg0")) as net:
                put(net, OFF)
                Policy(net, VPN).up(way)
                net.router.nft("table inet filter {\nchain forward {\ntype filter hook forward priority 0\n}\n}\n")
                _container(net, version)
                policy = Policy(net, "version: 1\nrules: [{in: lan0, proto: tcp, port: 25, then: drop}]\n").up(way)
                wanted = {FORWARDING[family]: str(int(family == version)) for family in (4, 6)}
                assert values(net, OFF) == wanted, f"{way} {version}: after the update"
                policy.down(way)
                assert values(net, OFF) == wanted, f"{way} {version}: after remove"


# ---- routes that routers advertise ----

PREFIX = "2001:db8:77::"


def advertise(host, device):
    """A router's advertisement: itself as the default route, and a prefix (RFC 4861)."""
    with host, socket.socket(socket.AF_INET6, socket.SOCK_RAW, socket.IPPROTO_ICMPV6) as sock:
        index = socket.if_nametoindex(device)
        sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_MULTICAST_HOPS, 255)
        sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_MULTICAST_IF, index)
        prefix = struct.pack("!BBBBIII16s", 3, 4, 64, 0xC0, 86400, 14400, 0,
                             socket.inet_pton(socket.AF_INET6, PREFIX))
        sock.sendto(struct.pack("!BBHBBHII", 134, 0, 0, 64, 0, 1800, 0, 0) + prefix,
                    ("ff02::1", 0, 0, index))


def learn(net):
    """Waits until the router has a default route by the origin's advertisement."""
    for _ in range(200):
        advertise(net.origin, "eth0")
        time.sleep(0.1)
        if "proto ra" in learned(net):
            return
    raise AssertionError(f"no route was learned: {learned(net)}")


def learned(net):
    return net.router.run("ip", "-6", "route", "show", "default", "dev", "wan0").stdout


def test_advertised():
    """sysctls: an uplink keeps its IPv6 default route from router advertisements under forwarding"""
    for way in "apply", "sh":
        with Network(uplinks=("wan0", "wg0")) as net:
            net.router.ip("route del default", "-6")
            put(net, {**OFF, "net.ipv6.conf.wan0.accept_ra": 1,
                           "net.ipv6.conf.lan0.accept_ra": 1})
            learn(net)
            put(net, {FORWARDING[6]: 1})
            assert learned(net) == "", "the route under forwarding alone (what apply must not do)"
            put(net, {FORWARDING[6]: 0})
            learn(net)
            policy = Policy(net, VPN).up(way)
            keys = [FORWARDING[6], "net.ipv6.conf.wan0.accept_ra", "net.ipv6.conf.lan0.accept_ra"]
            assert list(values(net, keys).values()) == ["1", "2", "1"], "set"
            assert "proto ra" in learned(net), "the default route is gone"
            answered(probe.ask(net.client, "tcp", FOREIGN[6], 443), "vpn")
            answered(probe.ask(net.router, "tcp", FOREIGN[6], 443), "origin")
            net.router.ip("route flush dev wan0 proto ra", "-6")
            learn(net)
            policy.up(way)
            assert list(values(net, keys).values()) == ["1", "2", "1"], "set twice"
            policy.down(way)
            assert list(values(net, keys).values()) == ["0", "1", "1"], "after remove"
            assert "proto ra" in learned(net), "the default route is gone after remove"


def test_not_yet_advertised():
    """sysctls: without an IPv6 default route, forwarding is switched on with a warning"""
    words = "it accepts none from router advertisements except on interfaces whose accept_ra is 2"
    for way in "apply", "sh":
        with Network(uplinks=("wan0", "wg0")) as net:
            put(net, OFF)
            policy = Policy(net, VPN).compile()
            up = ("sh", str(policy.file(".sh")), "up") if way == "sh" else \
                (TPC, "apply", str(policy.path))
            assert (words in net.router.run(*up).stderr) is False, "a default route is there"
            policy.down(way)
            net.router.ip("route del default", "-6")
            assert (words in net.router.run(*up).stderr) is True, "none is there"
            assert (words in net.router.run(*up).stderr) is False, "nothing changes any more"


# ---- reverse-path filters ----

def _reaches(net, who):
    def ask():
        outcome = probe.ask(net.client, "tcp", FOREIGN[4], 443, timeout=3.0 if who else 0.5)
        answered(outcome, who) if who else silent(outcome)
    return ask


def kept(net, level):
    """What is there where conf.all's filter has become each interface's own."""
    return {"net.ipv4.conf.all.rp_filter": 0, **{f"net.ipv4.conf.{name}.rp_filter": level
                                                 for name in ("lo", "lan0", "wan0", "default")}}


def test_strict():
    """sysctls: a strict reverse-path filter of a table's interface, its own or that of all"""
    gateway = UPLINKS["wan1"][2][4]
    by_via = f"""version: 1
tables: {{isp: {{via: {gateway}, masquerade: true, fallback: unreachable}}}}
rules: [{{in: lan0, family: ipv4, then: {{route: isp}}}}]
"""
    for text, device, who in ((VPN, "wg0", "vpn"), (by_via, "wan1", "mobile")):
        for way in "apply", "sh":
            for name in "all", device:
                with Network(uplinks=("wan0", "wan1", "wg0")) as net:
                    wanted = kept(net, 1) if name == "all" else \
                        {f"net.ipv4.conf.{device}.rp_filter": 0}
                    whole_way(net, text, {f"net.ipv4.conf.{name}.rp_filter": 1}, wanted,
                              _reaches(net, None), _reaches(net, who), way)


LIST = """version: 1
tables:
  fibre: {via: [192.0.2.1, "2001:db8:1::1"], dev: wan0, masquerade: true}
  mobile: {via: [198.51.100.1, "2001:db8:2::1"], dev: wan1, masquerade: true}
rules: [{in: lan0, then: {route: [fibre, mobile, unreachable]}}]
"""


def test_loose():
    """sysctls: a loose filter, and main's only default route is lost with its link, or before the apply"""
    for way in "apply", "sh":
        for name in "all", "wan1":
            with Network(uplinks=("wan0", "wan1")) as net:
                put(net, {f"net.ipv4.conf.{name}.rp_filter": 2})
                policy = Policy(net, mode(LIST, "ignore")).up(way)
                _reaches(net, "origin")()
                net.router.ip("link set wan0 down")
                _reaches(net, None)()
                policy.down(way)
                policy = Policy(net, LIST).up(way)  # while main has no default route
                _reaches(net, "mobile")()
                net.link_up("wan0")
                policy.up(way)
                _reaches(net, "origin")()
                net.router.ip("link set wan0 down")
                _reaches(net, "mobile")()
                policy.down(way)
                assert net.router.sysctl(f"net.ipv4.conf.{name}.rp_filter") == "2", "given back"


def test_spread():
    """sysctls: conf.all's filter is spread to each interface, stays so, and is restored as a whole"""
    for way in "apply", "sh":
        with Network(uplinks=("wan0", "wan1", "wg0")) as net:
            seen = net.echo(net.router, (), (9091,), addresses=("0.0.0.0",)).seen
            keys = [f"net.ipv4.conf.{name}.rp_filter"
                    for name in ("all", "default", "lo", "lan0", "wan0", "wan1", "wg0")]
            put(net, {"net.ipv4.conf.all.rp_filter": 1, "net.ipv4.conf.wan1.rp_filter": 2})
            before = values(net, keys)

            def spoof(source):
                frame(net, source, ROUTER[4], 9091)
                time.sleep(0.1)
                return len(seen)
            assert spoof("198.51.100.77") == 0, "spoofed, before"
            policy = Policy(net, VPN).up(way)
            wanted = dict(zip(keys, "0 1 1 1 1 2 0".split()))
            assert values(net, keys) == wanted, "set"
            policy.up(way)
            assert values(net, keys) == wanted, "set twice"
            assert [spoof("198.51.100.77"), spoof(ROUTER[4])] == [0, 0], "spoofed, by the LAN, after"
            assert spoof(CLIENT[4]) == 1, "not spoofed"
            net.router.ip("link add late0 type veth peer name late1")
            assert net.router.sysctl("net.ipv4.conf.late0.rp_filter") == "1", "an interface to come"
            net.router.ip("link delete late0")
            policy = Policy(net, VPN.replace("wg0", "wan1")).up(way)
            assert values(net, keys) == dict(zip(keys, "0 1 1 1 1 0 1".split())), "another table's"
            policy.up(way)
            if way == "apply":
                assert policy.tpc("status", "--drift").returncode == 0, "no drift"
                assert policy.tpc("plan", str(policy.path)).returncode == 0, "nothing to plan"
                put(net, {"net.ipv4.conf.all.rp_filter": 1})
                assert policy.tpc("status", "--drift", check=False).returncode == 5, "drift"
                policy.up()
                policy.tpc("rollback")
                assert values(net, keys) == wanted, "rolled back"
            policy.down(way)
            assert values(net, keys) == before, "after remove"


def test_two(network):
    """sysctls: of two policies that need conf.all's filter off, the last one to be removed restores it"""
    other = VPN.replace("version: 1", "version: 1\nname: other\n"
        "settings: {mark_mask: 0x0000007f, priority: 11000, table_ids: 7300-7310}").replace("wg0", "wan1").replace(
        "{in: lan0", "{in: lan0, port: 853, proto: tcp").replace("vpn", "mobile")
    net = network(uplinks=("wan0", "wan1", "wg0"))
    keys = [f"net.ipv4.conf.{name}.rp_filter" for name in ("all", "default", "lan0", "wan1", "wg0")]
    put(net, {"net.ipv4.conf.all.rp_filter": 1})
    before = values(net, keys)
    first = Policy(net, VPN).up()
    second = Policy(net, other).up()
    assert values(net, keys) == dict(zip(keys, "0 1 1 0 0".split())), "both"
    first.down(name="tpc")
    assert list(values(net, keys[:4]).values()) == "0 1 1 0".split(), "the first one gone"
    answered(probe.ask(net.client, "tcp", FOREIGN[4], 853), "mobile")
    second.up()
    assert values(net, keys) == dict(zip(keys, "0 1 1 0 1".split())), "the second, applied again"
    second.down(name="other")
    assert values(net, keys) == before, "both gone"


def test_own_source(network):
    """sysctls: without a filter, the table's interface still refuses this host's own addresses"""
    net = network(uplinks=("wan0", "wg0"))
    seen = net.echo(net.router, (), (9091,), addresses=("0.0.0.0",)).seen
    Policy(net, VPN.replace("wg0", "lan0").replace("in: lan0", "in: wan0")).up()
    frame(net, ROUTER[4], ROUTER[4], 9091)
    frame(net, "127.0.0.1", ROUTER[4], 9091)
    frame(net, "192.0.2.2", ROUTER[4], 9091)
    frame(net, CLIENT[4], ROUTER[4], 9091)
    arrived(net.closers[-1])
    time.sleep(0.1)
    assert len(seen) == 1, "what came through"


def test_marked():
    """sysctls: on incoming interfaces, a strict filter with src_valid_mark becomes loose"""
    marked = {"net.ipv4.conf.all.src_valid_mark": 1, "net.ipv4.conf.lan0.rp_filter": 1}
    for way in "apply", "sh":
        with Network(uplinks=("wan0", "wg0")) as net:
            whole_way(net, VPN, marked, {"net.ipv4.conf.lan0.rp_filter": 2},
                      _reaches(net, None), _reaches(net, "vpn"), way)
        with Network(uplinks=("wan0", "wg0")) as net:
            wanted = {**kept(net, 1), "net.ipv4.conf.lan0.rp_filter": 2}
            whole_way(net, VPN, {"net.ipv4.conf.all.src_valid_mark": 1, "net.ipv4.conf.all.rp_filter": 1},
                      wanted, _reaches(net, None), _reaches(net, "vpn"), way)


def test_valid_mark(network):
    """sysctls: src_valid_mark of a single interface too, and for replies to a spoofing proxy"""
    for way in "apply", "sh":
        for key in "all", "lan0":
            with Network() as net:
                net.listener()
                key = f"net.ipv4.conf.{key}.src_valid_mark"
                text = """version: 1
listeners: {proxy: {tproxy: 12345}}
rules: [{in: lan0, proto: tcp, then: {proxy: proxy}}]
"""
                whole_way(net, text, {key: 1}, {key: 0}, _reaches(net, None),
                          _reaches(net, "proxy"), way)
    net = network()
    strict(net, "lan0", "wan0")
    net.listener(identity=probe.Identity(mark=0xff), onward=True, spoof=True)
    text = """version: 1
listeners: {proxy: {tproxy: 12345, runs_as: {mark: 0xff}, spoofs_client: true}}
rules: [{scope: local, proto: tcp, then: {proxy: proxy}}]
"""
    key = "net.ipv4.conf.all.src_valid_mark"

    def answer(word):
        outcome = probe.ask(net.router, "tcp", FOREIGN[4], 443, timeout=4)
        assert word in outcome.text, outcome
    whole_way(net, text, {key: 1}, {key: 0}, lambda: answer("and nothing"),
              lambda: answer("and origin answers"))


def test_accept_local(network):
    """sysctls: accept_local is not needed: without it, under strict filters, all listeners reply"""
    text = """version: 1
sets: {foreign: [203.0.113.0/24, "2001:db8:113::/48"]}
listeners:
  plain: {tproxy: 12345, runs_as: {mark: 0xfe}}
  spoof: {tproxy: 12346, runs_as: {mark: 0xff}, spoofs_client: true}
  near: {redirect: 3128, runs_as: {mark: 0xfc}}
  far: {dnat: ["10.10.10.9:8080", "[fd00:10::9]:8080"], masquerade: true, runs_as: {mark: 0xfd}}
  loop: {dnat: "127.0.0.1:3129", runs_as: {mark: 0xfb}}
rules:
  - {scope: both, to: foreign, port: 80, then: {proxy: plain}}
  - {scope: both, to: foreign, port: 443, then: {proxy: spoof}}
  - {scope: both, to: foreign, proto: tcp, port: 22, then: {proxy: near}}
  - {scope: both, to: foreign, proto: tcp, port: 853, then: {proxy: far}}
  - {scope: local, to: [203.0.113.0/24], proto: tcp, port: 8080, then: {proxy: loop}}
"""
    net = network(server=True)
    strict(net, "lan0", "wan0")
    put(net, {f"net.ipv4.conf.{name}.{key}": 0 for name in ("all", "default", "lo", "lan0",
                   "wan0") for key in ("accept_local", "route_localnet")})
    net.listener(12345)
    net.listener(12346, identity=probe.Identity(mark=0xff), onward=True, spoof=True)
    net.listener(3128, mode="redirect", addresses=("0.0.0.0", "::"))
    net.listener(3129, mode="redirect", protocols=("tcp",), addresses=("127.0.0.1",))
    net.echo(net.server, (8080,))
    Policy(net, text).up()
    for host in net.client, net.router:
        for proto, version in BOTH:
            answered(probe.ask(host, proto, FOREIGN[version], 80, timeout=2), "proxy")
            outcome = probe.ask(host, proto, FOREIGN[version], 443, timeout=4)
            answered(outcome, "proxy")
            assert "and origin answers" in outcome.text, outcome
        for version in FAMILIES:
            answered(probe.ask(host, "tcp", FOREIGN[version], 22, timeout=2), "proxy")
            answered(probe.ask(host, "tcp", FOREIGN[version], 853, timeout=2), "server")
    answered(probe.ask(net.router, "tcp", FOREIGN[4], 8080, timeout=2), "proxy")
    for name in "all", "lan0", "wan0", "lo":
        assert net.router.sysctl(f"net.ipv4.conf.{name}.accept_local") == "0", name


# ---- listeners on loopback addresses ----

LOOP = """version: 1
listeners: {web: {dnat: "127.0.0.1:8080"}}
rules: [{in: lan0, to: 203.0.113.0/24, port: [80, 443, 53], then: {proxy: web}}]
"""


def frame(net, source, dest, port):
    """A datagram for the router's own link address, from the client, whatever its addresses are."""
    text = b"hello\n"
    udp = struct.pack("!HHHH", 40000, port, 8 + len(text), 0) + text
    head = struct.pack("!BBHHHBBH4s4s", 0x45, 0, 20 + len(udp), 1, 0, 64, 17, 0,
                       socket.inet_aton(source), socket.inet_aton(dest))
    total = sum(struct.unpack("!10H", head))
    total = (total & 0xFFFF) + (total >> 16)
    head = head[:10] + struct.pack("!H", ~(total + (total >> 16)) & 0xFFFF) + head[12:]
    router = bytes.fromhex(mac(1).split()[1].replace(":", ""))
    with net.client, socket.socket(socket.AF_PACKET, socket.SOCK_RAW) as sock:
        sock.bind(("eth0", 0))
        sock.send(router + sock.getsockname()[4] + b"\x08\x00" + head + udp)


def arrived(*servers):
    """Waits until each has seen something."""
    end = time.monotonic() + 10
    while not all(server.seen for server in servers) and time.monotonic() < end:
        time.sleep(0.02)


def test_localnet():
    """sysctls: a dnat listener on a loopback address takes packets from a named interface"""
    key = "net.ipv4.conf.lan0.route_localnet"
    for way in "apply", "sh":
        with Network() as net:
            net.echo(net.router, (8080,), (8080,), name="loopback", addresses=("127.0.0.1",))

            def asks(judge, timeout=3.0):
                for proto, port in (("tcp", 80), ("tcp", 443), ("udp", 53)):
                    judge(probe.ask(net.client, proto, FOREIGN[4], port, timeout=timeout))
            whole_way(net, LOOP, {key: 0}, {key: 1}, lambda: asks(silent, 0.5),
                      lambda: asks(lambda outcome: answered(outcome, "loopback", peer=CLIENT[4])),
                      way)


def test_localnet_guard(network):
    """sysctls: no other service on a loopback address can be reached from the LAN (CVE-2020-8558)"""
    key = "net.ipv4.conf.lan0.route_localnet"
    attacks = [(CLIENT[4], "127.0.0.1"), (CLIENT[4], "127.9.9.9"), ("127.0.0.1", "127.0.0.1"),
               ("127.0.0.1", ROUTER[4])]
    net = network()
    private = net.echo(net.router, (), (9090,), addresses=("127.0.0.1",))
    open_one = net.echo(net.router, (), (9091,), addresses=("0.0.0.0",))
    web = net.echo(net.router, (8080,), (8080,), name="loopback", addresses=("127.0.0.1",))
    put(net, {key: 1, "net.ipv4.conf.lan0.accept_local": 1})
    frame(net, CLIENT[4], "127.0.0.1", 9090)
    frame(net, "127.0.0.1", ROUTER[4], 9091)
    arrived(private, open_one)
    assert [len(private.seen), len(open_one.seen)] == [1, 1], "without the guard they come through"
    put(net, {key: 0})
    Policy(net, LOOP).up()
    answered(probe.ask(net.client, "tcp", FOREIGN[4], 80), "loopback")
    assert net.router.sysctl(key) == "1", "the setting"
    before = len(web.seen)
    for source, dest in attacks:
        for port in 9090, 9091, 8080:
            frame(net, source, dest, port)
    time.sleep(0.1)
    assert [len(private.seen), len(open_one.seen), len(web.seen)] == [1, 1, before], "what came through"
    answered(probe.ask(net.router, "udp", "127.0.0.1", 9090), "router")
    net.router.run("nft", "list", "table", "inet", "tpc")


def test_localnet_order(network):
    """sysctls: loopback addresses are open only while the rules guard them"""
    key = "net.ipv4.conf.lan0.route_localnet"
    net = network()
    said = Policy(net, LOOP).tpc("apply", "-v", str(Policy(net, LOOP).path)).stdout
    flip, setting = said.index("rules (there is no table"), said.index(f"sysctl {key} = 1")
    assert flip < setting, said
    plain = LOOP.replace('dnat: "127.0.0.1:8080"', "redirect: 8080, protocols: [tcp, udp]")
    update = Policy(net, plain)
    said = update.tpc("apply", "-v", str(update.path)).stdout
    assert said.index(f"sysctl {key} = 0, as it was") < said.index("table inet tpc: "), said
    Policy(net, LOOP).up()
    said = update.tpc("remove", "-v").stdout
    assert said.index(f"sysctl {key} = 0, as it was") < said.index("nft delete table"), said
    put(net, {"net.ipv4.conf.all.route_localnet": 1})
    Policy(net, LOOP).up()
    assert net.router.sysctl(key) == "0", "where the one of all is 1, nothing has to change"


# ---- bridges ----

def bridge(net):
    """The LAN's interface becomes a bridge's port, and the bridge what it was."""
    net.router.ip(f"""link add br0 type bridge
                      link set br0 up
                      address flush dev lan0
                      link set lan0 master br0 up
                      address add {ROUTER[4]}/24 dev br0
                      address add {ROUTER[6]}/64 dev br0 nodad""")


def test_bridge():
    """sysctls: tproxy for packets from a bridge under br_netfilter, and only there"""
    text = """version: 1
listeners: {proxy: {tproxy: 12345}}
rules: [{in: lan0, proto: [tcp, udp], then: {proxy: proxy}}]
"""
    keys = {f"net.bridge.bridge-nf-call-{name}": 1 for name in ("iptables", "ip6tables")}
    for way in "apply", "sh":
        with Network() as net:
            net.listener()
            bridge(net)

            broken, works = probes(net, "proxy")
            for name in "br0", '"br*"', "[wan0, br0]":
                whole_way(net, text.replace("lan0", name), keys, {key: 0 for key in keys}, broken,
                          works, way)
            for name in "wan0", '"wan*"':
                policy = Policy(net, text.replace("lan0", name)).up(way)
                assert values(net, keys) == {key: "1" for key in keys}, f"in: {name}, no bridge"
                policy.down(way)


# ---- interfaces that are not there yet, and others' names ----

def test_absent():
    """sysctls: a missing interface is reported, and set up with the next apply"""
    text = """version: 1
listeners: {web: {dnat: "127.0.0.1:8080"}}
settings: {ipv6: off}
rules: [{in: [lan0, late.7], to: 203.0.113.0/24, proto: tcp, then: {proxy: web}}]
"""
    key = "net.ipv4.conf.late/7.route_localnet"
    for way in "apply", "sh":
        with Network() as net:
            policy = Policy(net, text)
            up = ("sh", str(policy.file(".sh")), "up") if way == "sh" else None

            def said():
                return net.router.run(*up).stderr if up else policy.tpc(
                    "apply", str(policy.path)).stderr
            shown = said()
            assert "there is no interface late.7 yet" in shown and key in shown, shown
            assert net.router.sysctl(key.replace("late/7", "lan0")) == "1", "the one that is there"
            net.router.ip("link add late.7 type veth peer name far")
            assert said() == "", "nothing is missing any more"
            assert net.router.sysctl(key) == "1", "set"
            net.router.ip("link del late.7")
            policy.down(way)
            assert net.router.sysctl(key.replace("late/7", "lan0")) == "0", "given back"


def test_dotted(network):
    """sysctls: an uplink with a dot in its name, strict from its first moment"""
    text = VPN.replace("wg0", "wan1.5")
    net = network(uplinks=("wan0", "wan1"))
    strict(net)
    net.router.ip("link set wan1 down\nlink set wan1 name wan1.5\nlink set wan1.5 up")
    put(net, {"net.ipv4.conf.wan1/5.rp_filter": 1})
    key = "net.ipv4.conf.wan1/5.rp_filter"
    for way in "apply", "sh":
        policy = Policy(net, text).up(way)
        assert net.router.sysctl(key) == "0", way
        policy.down(way)
        assert net.router.sysctl(key) == "1", f"{way}: given back"


# ---- what others change meanwhile, updates, other hosts ----

def test_since():
    """sysctls: values changed by hand since stay; an update restores those that it no longer needs"""
    key = "net.ipv4.conf.wg0.rp_filter"
    other = VPN.replace("wg0", "wg1")
    for way in "apply", "sh":
        with Network(uplinks=("wan0", "wg0", "wg1")) as net:
            strict(net, "wg0", "wg1")
            policy = Policy(net, VPN).up(way)
            policy.up(way)
            assert net.router.sysctl(key) == "0", "set"
            Policy(net, other).up(way)
            assert values(net, [key, key.replace("wg0", "wg1")]) == {key: "1", key.replace("wg0", "wg1"): "0"}, \
                f"{way}: after the update"
            policy.up(way)
            put(net, {key: 2})
            policy.down(way)
            assert net.router.sysctl(key) == "2", f"{way}: another program's own value"
            assert net.router.sysctl(key.replace("wg0", "wg1")) == "1", f"{way}: the other one"


def test_namespace(network):
    """sysctls: saved values of another network namespace are ignored"""
    net = network(uplinks=("wan0", "wg0"))
    put(net, OFF)
    Policy(net, VPN).up()
    said = net.client.run(TPC, "remove").stdout
    assert "nothing is applied" in said, said
    assert values(net, OFF) == {key: "1" for key in OFF}, "the router's"


def test_read_only():
    """sysctls: with a read-only /proc/sys the policy is applied, and warnings say what will not work"""
    text = VPN.replace("tables:", "listeners: {web: {tproxy: 12345}}\ntables:").replace(
        "rules: [", "rules: [{in: lan0, proto: tcp, port: 80, then: {proxy: web}}, ")
    for way in "apply", "sh":
        with Network(uplinks=("wan0", "wg0")) as net:
            net.listener()
            put(net, {**OFF, "net.ipv4.conf.all.src_valid_mark": 1})
            policy = Policy(net, text).compile()
            up = f"sh {policy.file('.sh')} up" if way == "sh" else f"{TPC} apply {policy.path}"
            done = net.router.run(
                "unshare", "-m", "sh", "-c", "mount --bind /proc/sys /proc/sys && "
                f"mount -o remount,bind,ro /proc/sys && {up}", check=False)
            assert done.returncode == 0, f"{way}: {done.stderr}"
            for key, why in ((FORWARDING[4], "the table vpn takes forwarded packets"),
                             ("net.ipv4.conf.all.src_valid_mark", "the listener web takes")):
                assert f"{key} cannot be set to" in done.stderr, done.stderr
                assert why in done.stderr, done.stderr
            if way == "apply":
                assert f"{FORWARDING[4]} is 0 and should be 1" in policy.tpc("status", check=False).stdout
            answered(probe.ask(net.client, "tcp", FOREIGN[6], 80), "proxy")
            policy.up(way)
            answered(probe.ask(net.client, "tcp", FOREIGN[4], 80), "proxy")
            answered(probe.ask(net.client, "tcp", FOREIGN[4], 443), "vpn")
            policy.down(way)
            assert values(net, OFF) == {key: "0" for key in OFF}, f"{way}: given back"
