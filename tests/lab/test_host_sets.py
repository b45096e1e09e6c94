"""
Sets of this host's own addresses (`addresses_of`, `prefix_of`): what an interface has now, in the kernel before any
rule asks for it, and followed by the next apply, or by the script.
"""

import json
import time

import pytest

import probe
from lab import CLIENT, FOREIGN, PLAIN, ROUTER, UPLINKS, Network
from outcomes import answered, nothing, fails
from policy import Policy, different, generation, kernel
from test_policy_switch import Flood

BOTH = pytest.mark.parametrize("way", ["apply", "sh"])
TUNNEL = """version: 1
sets: {near: {prefix_of: wan0}}
tables: {vpn: {dev: wg0, masquerade: true, prefer_main: false, fallback: unreachable}}
rules:
"""
NEAR = TUNNEL + """  - {scope: both, to: near, then: direct}
  - {scope: both, to: [192.0.2.0/23, 203.0.113.0/24, "2001:db8::/32"], then: {route: vpn}}
"""
MORE = {4: "203.0.113.77/24", 6: "2001:db8:113::77/48"}  # makes FOREIGN near


def world():
    """Both uplinks answer for the network of wan0, too: who answers tells the way."""
    net = Network(uplinks=("wan0", "wg0"), foreign=("192.0.2.0/24", "2001:db8:1::/64"))
    for version, prefix in ((4, "192.0.2.0/24"), (6, "2001:db8:1::/64")):
        net.origin.ip(f"route del local {prefix} dev lo", f"-{version}")
    return net


@pytest.fixture(name="net")
def made():
    with world() as net:
        yield net


def held(net, name, version):
    """The elements of the set, as nft lists them: ADDRESS/LENGTH, or ADDRESS."""
    listed = net.router.run("nft", "-j", "list", "set", "inet", "tpc", f"{name}.host_v{version}").stdout
    item, = (item["set"] for item in json.loads(listed)["nftables"] if "set" in item)
    return sorted("{addr}/{len}".format(**one["prefix"]) if "prefix" in one else one
                  for one in item.get("elem", []))


def state(policy, way):
    if way == "sh":
        return policy.router.run("sh", str(policy.file(".sh")), "status", check=False)
    return policy.tpc("status", check=False)


def holds(policy, way):
    done = state(policy, way)
    assert done.returncode == 0, done
    if way == "apply":
        assert "nothing to change" in policy.tpc("plan", str(policy.path)).stdout


def drifted(policy, way, *said):
    """Status says so and names the set and the interface, and so does a plan."""
    done = state(policy, way)
    assert done.returncode == 5 and all(word in done.stdout for word in said), done
    if way == "apply":
        planned = policy.tpc("plan", "-v", str(policy.path), check=False).stdout
        assert all(word in planned for word in said), planned
        assert "rules" not in planned, planned


def change(net, verb, device="wan0", more="noprefixroute"):
    for version, address in MORE.items():
        net.router.ip(f"address {verb} {address} dev {device} {more} {'nodad' if version == 6 else ''}"
                      if verb == "add" else f"address {verb} {address} dev {device}", f"-{version}")
    net.router.settle()  # IPv6 takes an address for its own a moment later


def ask(host, addresses, who, port=443, source=None):
    for version, address in addresses.items():
        for proto in "tcp", "udp":
            answered(probe.ask(host, proto, address, port, source=source and source[version]), who)


def handles(net):
    """The rules' handles: a rule that is written anew has another one."""
    listed = json.loads(net.router.run("nft", "-j", "-a", "list", "table", "inet", "tpc").stdout)["nftables"]
    return [item["rule"]["handle"] for item in listed if "rule" in item]


@BOTH
def test_prefix(net, way):
    """own sets: packets to an interface's networks, forwarded and local, follow its addresses"""
    policy = Policy(net, NEAR).up(way)
    assert held(net, "near", 4) == ["192.0.2.0/24"] and held(net, "near", 6) == ["2001:db8:1::/64"]
    for host in net.client, net.router:
        ask(host, PLAIN, "origin")
        ask(host, FOREIGN, "vpn")
    holds(policy, way)
    rules = handles(net)
    change(net, "add")
    drifted(policy, way, "near", "wan0")
    ask(net.client, FOREIGN, "vpn")
    policy.up(way)
    ask(net.client, PLAIN, "origin")
    ask(net.client, FOREIGN, "origin")
    ask(net.router, FOREIGN, "origin", source=UPLINKS["wan0"][1])
    holds(policy, way)
    change(net, "del")
    drifted(policy, way, "near", "wan0")
    policy.up(way)
    ask(net.client, PLAIN, "origin")
    ask(net.client, FOREIGN, "vpn")
    holds(policy, way)
    assert way == "sh" or handles(net) == rules, "rules were written anew"
    policy.down(way)
    ask(net.client, FOREIGN, "origin")


@BOTH
def test_into(net, way):
    """own sets: only what is for an interface's networks goes into a tunnel"""
    policy = Policy(net, TUNNEL + "  - {scope: both, to: near, then: {route: vpn}}\n").up(way)
    for host in net.client, net.router:
        ask(host, PLAIN, "vpn")
        ask(host, FOREIGN, "origin")
    for version in 4, 6:
        ours = UPLINKS["wan0"][1][version]
        net.router.ip(f"address del {ours}/{24 if version == 4 else 64} dev wan0", f"-{version}")
    change(net, "add")
    policy.up(way)
    ask(net.client, FOREIGN, "vpn")
    holds(policy, way)


@BOTH
def test_from(network, way):
    """own sets: what this host sends from an interface's addresses leaves by its table, the rest by main's route"""
    net = network(uplinks=("wan0", "wan1"))
    policy = Policy(net, """version: 1
sets: {second: {addresses_of: wan1}}
tables: {mobile: {via: [198.51.100.1, "2001:db8:2::1"], dev: wan1}}
rules: [{scope: local, from: second, then: {route: mobile}}]
""").up(way)
    assert held(net, "second", 4) == ["198.51.100.2"] and held(net, "second", 6) == ["2001:db8:2::2"]
    more = {4: "198.51.100.7", 6: "2001:db8:2::7"}
    ask(net.router, FOREIGN, "origin")
    ask(net.router, FOREIGN, "mobile", source=UPLINKS["wan1"][1])
    net.router.ip("address add 198.51.100.7/24 dev wan1\naddress add 2001:db8:2::7/64 dev wan1 nodad")
    drifted(policy, way, "second", "wan1")
    policy.up(way)
    ask(net.router, FOREIGN, "mobile", source=more)
    holds(policy, way)


@BOTH
def test_to(network, way):
    """own sets: a rule to an interface's addresses takes packets to this host, one that excepts them does not"""
    net = network()
    net.echo(net.router, (2222,), (2222,))
    text = """version: 1
sets: {mine: [{addresses_of: wan0}], second: {addresses_of: lan0}}
rules: [%s]
"""
    policy = Policy(net, text % "{in: lan0, to: mine, then: reject}").up(way)

    def asked(addresses, refused):
        for version, address in addresses.items():
            done = probe.ask(net.client, "tcp", address, 2222)
            (fails if refused else answered)(done, *([] if refused else ["router"]))

    asked(UPLINKS["wan0"][1], True)
    asked(ROUTER, False)
    ask(net.client, FOREIGN, "origin")
    change(net, "add")
    more = {version: address.split("/")[0] for version, address in MORE.items()}
    asked(more, False)
    drifted(policy, way, "mine", "wan0")
    policy.up(way)
    asked(more, True)
    holds(policy, way)
    Policy(net, text % "{in: lan0, to: second, then: direct}, {in: lan0, to: [any, local], then: reject}").up(way)
    asked(ROUTER, False)
    asked(UPLINKS["wan0"][1], True)
    # Networks name no address of this host's: a list that happens to hold one blocks nothing.
    Policy(net, text.replace("addresses_of", "prefix_of") % "{in: lan0, to: mine, then: reject}").up(way)
    asked(UPLINKS["wan0"][1], False)
    for version in 4, 6:
        fails(probe.ask(net.client, "tcp", PLAIN[version], 443))


@BOTH
def test_proxy(network, way):
    """own sets: all but the networks of an interface goes to a proxy, or only they do"""
    net = network()
    net.listener()
    text = """version: 1
sets: {near: {prefix_of: wan0}}
listeners: {p: {tproxy: 12345, runs_as: {user: 1001}}}
rules:
"""
    Policy(net, text + """  - {scope: both, to: near, then: direct}
  - {scope: both, to: [192.0.2.0/23, 203.0.113.0/24, "2001:db8::/32"], proto: [tcp, udp], then: {proxy: p}}
""").up(way)
    for host in net.client, net.router:
        ask(host, PLAIN, "origin")
        ask(host, FOREIGN, "proxy")
    Policy(net, text + "  - {scope: both, to: near, proto: [tcp, udp], then: {proxy: p}}\n").up(way)
    for host in net.client, net.router:
        ask(host, PLAIN, "proxy")
        ask(host, FOREIGN, "origin")


@BOTH
def test_link(net, way):
    """own sets: an interface that goes leaves its set empty, and one that is made anew fills it again"""
    policy = Policy(net, NEAR).up(way)
    net.router.ip("link del wan0")
    drifted(policy, way, "near", "wan0")
    policy.compile()
    done = (net.router.run("sh", str(policy.file(".sh")), "up") if way == "sh"
            else policy.tpc("apply", str(policy.path)))
    assert "the set near holds nothing of wan0: there is no such interface" in done.stderr, done
    assert held(net, "near", 4) == held(net, "near", 6) == []
    ask(net.client, PLAIN, "vpn")
    net.connect("wan0")
    net._default_routes()
    net.router.settle()
    drifted(policy, way, "near", "wan0")
    policy.up(way)
    ask(net.client, PLAIN, "origin")
    holds(policy, way)


@BOTH
def test_missing(way):
    """own sets: an interface without an address, or that is not there yet, is reported, and no reason to fail"""
    with Network() as net:
        net.router.ip("link add spare type veth peer name spare2\nlink set spare up")
        policy = Policy(net, """version: 1
sets: {near: {prefix_of: [spare, ppp0], addresses_of: ppp0}}
rules: [{in: lan0, to: {not: near}, then: reject}]
""")
        policy.compile()
        done = (net.router.run("sh", str(policy.file(".sh")), "up") if way == "sh"
                else policy.tpc("apply", str(policy.path)))
        assert "the set near holds nothing of spare, which has no address" in done.stderr, done
        assert done.stderr.count("the set near holds nothing of ppp0: there is no such interface") == 1, done
        assert held(net, "near", 4) == held(net, "near", 6) == []
        for version in 4, 6:
            fails(probe.ask(net.client, "tcp", PLAIN[version], 443))
        if way == "apply":
            said = policy.tpc("status", check=False).stdout
            assert "there is no such interface" in said and "everything holds" not in said, said


@BOTH
def test_overlaps(net, way):
    """own sets: of networks that overlap the wider one, neighbours stay two, and both ways leave the same"""
    net.router.ip("""address add 10.10.3.1/16 dev lan0
                     address add 10.20.0.1/24 dev lan0
                     address add 10.20.1.1/24 dev lan0
                     address add 10.10.10.1/32 dev wg0
                     address add fd00:10::7/48 dev lan0 nodad
                     address add fd00:10:8000::1/33 dev lan0 nodad
                     address add fd00:11:7fff::1/35 dev lan0 nodad""")
    text = NEAR.replace("{prefix_of: wan0}", "[{prefix_of: [lan0, wan0]}, {addresses_of: [wg0, lan0]}]")
    policy = Policy(net, text).up(way)
    assert held(net, "near", 4) == ["10.10.0.0/16", "10.20.0.0/24", "10.20.1.0/24", "10.99.0.2", "192.0.2.0/24"]
    assert held(net, "near", 6) == ["2001:db8:1::/64", "fd00:10:8000::/33", "fd00:10::/48", "fd00:11:6000::/35",
                                    "fd00:99::2"]
    for other in "apply", "sh":
        holds(policy, other if other == way or way == "apply" else way)
    before = kernel(net.router)
    Policy(net, text, name=policy.path.stem).up("sh" if way == "apply" else "apply")
    assert not different(before, kernel(net.router))


@BOTH
def test_kinds(net, way):
    """own sets: no link-local, failed or unsettled address; the other end's of a link from point to point"""
    net.router.ip("tuntap add ppp7 mode tun\nlink set ppp7 up\n"
                  "address add 10.97.0.2/32 peer 10.97.0.1 dev ppp7\n"
                  "address add fd00:97::2 peer fd00:97::1/128 dev ppp7 nodad")
    net.router.sysctl("net.ipv6.conf.wan0.accept_dad", 1)
    net.router.sysctl("net.ipv6.conf.wan0.dad_transmits", 1)
    net.router.ip("address add 2001:db8:1::1/64 dev wan0")  # the origin's
    until = time.monotonic() + 10
    while "dadfailed" not in net.router.run("ip", "-6", "address", "show", "dev", "wan0").stdout:
        assert time.monotonic() < until, "no duplicate was found"
        time.sleep(0.05)
    net.router.sysctl("net.ipv6.conf.wan0.dad_transmits", 100)  # a second each
    net.router.ip("address add 2001:db8:5::5/64 dev wan0")
    policy = Policy(net, NEAR.replace("{prefix_of: wan0}", "{prefix_of: [wan0, ppp7]}").replace("sets: {", """sets: {
  mine: {addresses_of: [wan0, ppp7]}, """).replace("to: near", "to: [near, mine]")).up(way)
    shown = net.router.run("ip", "-6", "address", "show", "dev", "wan0").stdout
    assert "2001:db8:5::5/64 scope global tentative" in shown, shown
    assert held(net, "mine", 4) == ["10.97.0.2", "192.0.2.2"]
    assert held(net, "mine", 6) == ["2001:db8:1::2", "fd00:97::2"]
    assert held(net, "near", 4) == ["10.97.0.1", "192.0.2.0/24"]
    assert held(net, "near", 6) == ["2001:db8:1::/64", "fd00:97::1"]
    net.router.ip("address del 2001:db8:1::1/64 dev wan0\naddress del 2001:db8:5::5/64 dev wan0\n"
                  "address add 2001:db8:5::5/64 dev wan0 nodad")
    net.router.settle()
    drifted(policy, way, "mine", "near", "wan0")
    policy.up(way)
    assert held(net, "mine", 6) == ["2001:db8:1::2", "2001:db8:5::5", "fd00:97::2"]
    assert held(net, "near", 6) == ["2001:db8:1::/64", "2001:db8:5::/64", "fd00:97::1"]


@BOTH
def test_foreign(net, way):
    """own sets: what other programs put in or take out is drift, and the next apply sets it right"""
    policy = Policy(net, NEAR).up(way)
    rules = handles(net)
    net.router.nft("add element inet tpc near.host_v4 { 203.0.113.0/25 }\n"
                   "delete element inet tpc near.host_v4 { 192.0.2.0/24 }\n"
                   "delete element inet tpc near.host_v6 { 2001:db8:1::/64 }")
    drifted(policy, way, "near.host_v4")
    assert "near.host_v6" in state(policy, way).stdout
    before = generation(net.router)
    policy.up(way)
    taken = generation(net.router) - before
    assert way == "sh" or taken == 2, f"what comes and goes takes {taken} transactions for two sets"
    assert held(net, "near", 4) == ["192.0.2.0/24"] and held(net, "near", 6) == ["2001:db8:1::/64"]
    holds(policy, way)
    assert way == "sh" or handles(net) == rules, "rules were written anew"


@BOTH
def test_flood(net, way):
    """own sets: a policy with one and one without in turn under a flood: no packet meets an empty set"""
    change(net, "add")
    one = Policy(net, TUNNEL + "  - {scope: both, to: near, then: {route: vpn}}\n")
    other = Policy(net, TUNNEL.replace("sets: {near: {prefix_of: wan0}}\n", "")
                   + '  - {scope: both, to: [203.0.113.0/24, "2001:db8:113::/48"], then: {route: vpn}}\n')
    other.up(way)
    turns = 8 if way == "apply" else 2
    watch = net.sniff("origin")
    with Flood(net.client) as far, Flood(net.router) as near:
        for _ in range(turns):
            one.up(way)
            other.up(way)
        one.up(way)
        for _ in range(turns):  # a wider network comes and goes: the elements are others, and hold the same
            net.router.ip("address add 203.0.112.1/20 dev wan0 noprefixroute\n"
                          "address add 2001:db8:113:1::1/44 dev wan0 nodad noprefixroute preferred_lft 0")
            one.up(way)
            net.router.ip("address del 203.0.112.1/20 dev wan0\naddress del 2001:db8:113:1::1/44 dev wan0")
            one.up(way)
    assert far.sent > 500 and near.sent > 500, f"the flood was a trickle: {far.sent} and {near.sent}"
    nothing(watch)


def test_back(net):
    """own sets: a rollback and a declaration that changes: the addresses of today"""
    first = Policy(net, NEAR).up()
    Policy(net, NEAR.replace("{prefix_of: wan0}", "{dynamic: true, timeout: 1h}")).up()
    net.router.nft("add element inet tpc near_v4 { 198.18.0.0/15 }")
    change(net, "add")
    first.tpc("rollback")
    assert held(net, "near", 4) == ["192.0.2.0/24", "203.0.113.0/24"]
    assert held(net, "near", 6) == ["2001:db8:113::/48", "2001:db8:1::/64"]
    ask(net.client, FOREIGN, "origin")
    said = Policy(net, NEAR.replace("prefix_of: wan0", "prefix_of: lan0")).up().tpc
    assert held(net, "near", 4) == ["10.10.10.0/24"] and held(net, "near", 6) == ["fd00:10::/64"]
    ask(net.client, FOREIGN, "vpn")
    assert "lost" not in said("status", check=False).stdout
    first.tpc("rollback")
    assert held(net, "near", 4) == ["192.0.2.0/24", "203.0.113.0/24"]
    ask(net.client, FOREIGN, "origin")


def test_explain(net):
    """own sets: explain knows nothing of what they hold, and --live looks them up"""
    policy = Policy(net, NEAR)
    asked = ("explain", str(policy.path), "in=lan0", f"from={CLIENT[4]}", f"to={PLAIN[4]}", "proto=tcp", "port=443")
    said = policy.tpc(*asked).stdout
    assert "{route: vpn}" in said and "(which addresses it has, only the host knows)" in said, said
    policy.up()
    live = policy.tpc(*asked, "--live")
    assert "agrees" in live.stdout and "direct" in live.stdout and "only the host" not in live.stdout and "192.0.2.0/24" in live.stdout, live.stdout
