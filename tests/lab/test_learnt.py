"""
Gateways that are learnt (`via: auto`): a table leaves through the gateway that the router itself has by the
interface, whoever put it there, and follows it when it becomes another one.
"""

import json

import pytest

import probe
from lab import CLIENT, FOREIGN, UPLINKS
from outcomes import answered, nothing
from policy import Policy
from test_gateways import all_ask as all_come_in
from test_gateways import world as one_link
from test_uplinks import all_ask, all_fail, world

POLICY = """version: 1
tables: {mobile: {id: 7100, via: auto, dev: wan1, masquerade: true, fallback: unreachable}}
rules: [{in: lan0, then: {route: mobile}}]
"""
THEIRS = UPLINKS["wan1"][2]
NEXT = {4: "198.51.100.9", 6: "2001:db8:2::9"}  # one more address of the same host's


@pytest.fixture(name="net")
def made():
    with world() as net:
        for version, bits in ((4, 24), (6, 64)):
            net.mobile.ip(f"address add {NEXT[version]}/{bits} dev eth0 {'nodad' if version == 6 else ''}")
        yield net


def learn(net, gateways, verb="add", more="metric 700"):
    for version, gateway in gateways.items():
        net.router.ip(f"route {verb} default via {gateway} dev wan1 {more}", f"-{version}")


def held(net, version):
    """The gateways of the policy's default routes."""
    shown = net.router.run("ip", f"-{version}", "-j", "route", "show", "table", "7100", check=False)
    lines = [] if shown.returncode else json.loads(shown.stdout)
    return [hop.get("gateway", "none") for line in lines for hop in line.get("nexthops", [line])]


@pytest.mark.parametrize("way", ["apply", "sh"])
@pytest.mark.parametrize("more", ["metric 700", "table 500", "proto ra metric 2048", "proto dhcp metric 3 src OWN"])
def test_ways(net, way, more):
    """learnt: the gateway of the main table's default route by the interface, or of another table's"""
    ours = UPLINKS["wan1"][1]
    for version, gateway in THEIRS.items():
        learn(net, {version: gateway}, more=more.replace("OWN", ours[version]))
    policy = Policy(net, POLICY).up(way)
    all_ask(net, net.client, "mobile", "wan1")
    assert held(net, 4) == [THEIRS[4]] and held(net, 6) == [THEIRS[6]]
    policy.down(way)


@pytest.mark.parametrize("way", ["apply", "sh"])
def test_none(net, way):
    """learnt: without a gateway there is no route, and the fallback holds; with one it comes"""
    watch = net.sniff("origin")
    policy = Policy(net, POLICY)
    policy.compile()
    if way == "sh":
        done = net.router.run("sh", str(policy.file(".sh")), "up", check=False)
        seen = net.router.run("sh", str(policy.file(".sh")), "status", check=False)
    else:
        done = policy.tpc("apply", str(policy.path), check=False)
        seen = policy.tpc("status", check=False)
    for version in 4, 6:
        assert f"this host has no IPv{version} default route by wan1 to learn the gateway from" in done.stderr, done
    assert done.returncode == 0 and seen.returncode == 5, (done, seen)
    assert "wan1" in seen.stdout, seen.stdout
    all_fail(net.client)
    nothing(watch)
    learn(net, THEIRS)
    policy.up(way)
    all_ask(net, net.client, "mobile", "wan1")


@pytest.mark.parametrize("way", ["apply", "sh"])
def test_change(net, way):
    """learnt: a new lease: status says so, and an apply follows; a lost one leaves the fallback"""
    learn(net, THEIRS)
    policy = Policy(net, POLICY).up(way)
    ask = ("sh", str(policy.file(".sh")), "status") if way == "sh" else ()

    def state():
        return net.router.run(*ask, check=False) if ask else policy.tpc("status", check=False)

    assert state().returncode == 0, state()
    learn(net, NEXT, "replace")
    seen = state()
    assert seen.returncode == 5 and NEXT[4] in seen.stdout and NEXT[6] in seen.stdout, seen
    policy.up(way)
    assert state().returncode == 0, state()
    assert held(net, 4) == [NEXT[4]] and held(net, 6) == [NEXT[6]]
    all_ask(net, net.client, "mobile", "wan1")
    for version in 4, 6:
        net.router.ip("route del default metric 700", f"-{version}")
    assert state().returncode == 5, state()
    watch = net.sniff("origin")
    policy.up(way)
    assert held(net, 4) == held(net, 6) == []
    all_fail(net.client)
    nothing(watch)


@pytest.mark.parametrize("way", ["apply", "sh"])
def test_lowest(net, way):
    """learnt: of several the lowest metric; a policy's own routes are none to learn from"""
    learn(net, NEXT)
    learn(net, THEIRS, more="table 500 metric 50")
    policy = Policy(net, POLICY).up(way)
    assert held(net, 4) == [THEIRS[4]] and held(net, 6) == [THEIRS[6]]
    for version in 4, 6:
        net.router.ip("route flush table 500", f"-{version}")
    policy.up(way)  # its own route has no metric in IPv4, so it would be the first
    assert held(net, 4) == [NEXT[4]] and held(net, 6) == [NEXT[6]]


def test_other_policy(net):
    """learnt: another policy's routes are none to learn from"""
    Policy(net, """version: 1
name: other
settings: {mark_mask: 0xf0000, table_ids: "7300-7309", priority: 11000}
tables: {mobile: {via: [%s, "%s"], dev: wan1}}
rules: [{in: lan0, to: [203.0.113.9, "2001:db8:113::9"], then: {route: mobile}}]
""" % (THEIRS[4], THEIRS[6]), name="other").up()
    Policy(net, POLICY.replace("tables:", "settings: {mark_mask: 0xf}\ntables:")).up()
    assert held(net, 4) == held(net, 6) == []


@pytest.mark.parametrize("way", ["apply", "sh"])
def test_point_to_point(net, way):
    """learnt: a link from point to point needs no gateway"""
    net.router.ip("tuntap add ppp7 mode tun\nlink set ppp7 up\naddress add 10.97.0.2/32 peer 10.97.0.1 dev ppp7")
    Policy(net, POLICY.replace("wan1", "ppp7").replace("in: lan0", "in: lan0, family: ipv4")).up(way)
    assert held(net, 4) == ["none"]


@pytest.mark.parametrize("way", ["apply", "sh"])
def test_onlink(net, way):
    """learnt: a gateway that no address of the interface is near, as many providers give"""
    learn(net, {4: "203.0.113.1", 6: "2001:db8:113::1"}, more="onlink metric 700")
    for version, bits in ((4, 32), (6, 128)):
        net.mobile.ip(f"address add {'203.0.113.1' if version == 4 else '2001:db8:113::1'}/{bits} dev eth0", f"-{version}")
    Policy(net, POLICY).up(way)
    all_ask(net, net.client, "mobile", "wan1")


@pytest.mark.parametrize("way", ["apply", "sh"])
def test_several(net, way):
    """learnt: of several next hops those that have a gateway now"""
    learn(net, THEIRS)
    policy = Policy(net, """version: 1
tables:
  both:
    id: 7100
    fallback: unreachable
    masquerade: true
    routes: [{nexthops: [{via: auto, dev: wan0, weight: 2}, {via: auto, dev: wan1}]}]
rules: [{in: lan0, then: {route: both}}]
""").up(way)
    for version in 4, 6:
        assert sorted(held(net, version)) == sorted([UPLINKS["wan0"][2][version], THEIRS[version]])
        net.router.ip("route del default metric 700", f"-{version}")
    policy.up(way)
    for version in 4, 6:
        assert held(net, version) == [UPLINKS["wan0"][2][version]]
    all_ask(net, net.client, "origin", "wan0")
    for version in 4, 6:
        net.router.ip("route del default", f"-{version}")
    policy.up(way)
    assert held(net, 4) == held(net, 6) == []


@pytest.mark.parametrize("way", ["apply", "sh"])
def test_replies(way):
    """learnt: what comes in from a learnt gateway is answered through it, beside main's on the same link"""
    with one_link() as net:
        from lab import SERVER
        for version in 4, 6:
            net.router.ip(f"route replace default via {CLIENT[version]} dev lan0 metric 2000", f"-{version}")
            net.router.ip("route del default metric 0" if version == 4 else "route del default metric 1024", f"-{version}")
            net.router.ip(f"route add default via {SERVER[version]} dev lan0 table 500 metric 10", f"-{version}")
        Policy(net, """version: 1
tables: {box: {via: auto, dev: lan0}}
rules: [{scope: local, user: 1001, then: {route: box}}]
""").up(way)
        all_come_in(net.client, net.server)


def test_back(net):
    """learnt: a rollback leaves through the gateway of today, not of then"""
    learn(net, THEIRS)
    policy = Policy(net, POLICY).up()
    other = Policy(net, POLICY.replace("in: lan0,", "in: lan0, to: 203.0.113.0/24,"))
    other.up()
    learn(net, NEXT, "replace")
    policy.tpc("rollback")
    assert held(net, 4) == [NEXT[4]] and held(net, 6) == [NEXT[6]]
    all_ask(net, net.client, "mobile", "wan1")


def test_explain(net):
    """learnt: explain says so, and --live compares with the gateway of now"""
    policy = Policy(net, POLICY)
    ask = ("explain", str(policy.path), "in=lan0", f"from={CLIENT[4]}", f"to={FOREIGN[4]}", "proto=tcp", "port=443")
    assert "learnt" in policy.tpc(*ask).stdout
    learn(net, THEIRS)
    policy.up()
    live = policy.tpc(*ask, "--live")
    assert "agrees" in live.stdout and THEIRS[4] in live.stdout, live.stdout
    learn(net, NEXT, "replace")
    live = policy.tpc(*ask, "--live", check=False)
    assert live.returncode == 5 and NEXT[4] in live.stdout, live.stdout
    answered(probe.ask(net.client, "tcp", FOREIGN[4], 443), "mobile")
