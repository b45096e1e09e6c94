"""
A cable that is out (NO-CARRIER, the interface administratively up): the kernel keeps the routes by it,
and only a setting makes it leave them out. Fail-over and back, at once and without an apply.
"""

import time

import pytest

import probe
from test_explain import complaints, explain
from lab import CLIENT, FOREIGN, UPLINKS, Network
from policy import Policy
from outcomes import answered, fails

TABLES = """version: 1
tables:
  fibre: {via: [192.0.2.1, "2001:db8:1::1"], dev: wan0, masquerade: true}
  mobile: {via: [198.51.100.1, "2001:db8:2::1"], dev: wan1, masquerade: true}
  vpn: {dev: wg0, masquerade: true, fallback: unreachable}
"""
SHARED = """version: 1
tables:
  fibre:
    masquerade: true
    routes: [{via: [192.0.2.1, "2001:db8:1::1"], dev: wan0, metric: 10},
             {via: [198.51.100.1, "2001:db8:2::1"], dev: wan1, metric: 20}]
  mobile:
    masquerade: true
    routes: [{via: [198.51.100.1, "2001:db8:2::1"], dev: wan1, metric: 10},
             {via: [192.0.2.1, "2001:db8:1::1"], dev: wan0, metric: 20}]
rules: [{in: lan0, then: {balance: {fibre: 1, mobile: 1}}}]
"""
BOTH = ("tcp", 4), ("udp", 4), ("tcp", 6), ("udp", 6)
KEYS = [f"net.{family}.conf.{{}}.ignore_routes_with_linkdown" for family in ("ipv4", "ipv6")]
FAR = "[203.0.113.0/24, '2001:db8:113::/48']"


def world():
    return Network(uplinks=("wan0", "wan1", "wg0"))


@pytest.fixture(name="net")
def made():
    with world() as net:
        yield net


def pull(net, device, name):
    """The other end of the cable goes; the router's own stays up, without a carrier."""
    net.hosts[name].ip("link set eth0 down")
    _await(net, device, "NO-CARRIER")


def plug(net, device, name):
    """The other end comes back, with what the kernel took from it."""
    _, ours, theirs = UPLINKS[device]
    net.hosts[name].ip(f"""link set eth0 up
                           address replace {theirs[6]}/64 dev eth0 nodad
                           route replace default via {ours[4]}
                           route replace default via {ours[6]}""")
    _await(net, device, "LOWER_UP")
    net.router.settle()
    net.hosts[name].settle()


def _await(net, device, flag):
    for _ in range(200):
        flags = net.router.run("ip", "-o", "link", "show", device).stdout
        if flag in flags and ("linkdown" in _routes(net, device)) == (flag == "NO-CARRIER"):
            return
        time.sleep(0.02)
    raise AssertionError(f"{device} is not {flag}: {flags}")


def _routes(net, device):
    return net.router.run("ip", "route", "show", "table", "all", "dev", device).stdout


def all_ask(host, who):
    for proto, version in BOTH:
        answered(probe.ask(host, proto, FOREIGN[version], 443), who)


def all_fail_at_once(host):
    for version in 4, 6:
        fails(probe.ask(host, "tcp", FOREIGN[version], 443), "unreachable", "refused")


def values(net, *devices):
    return [net.router.sysctl(key.format(device)) for device in devices for key in KEYS]


@pytest.mark.parametrize("way", ("apply", "sh", "hand"))
def test_fails_over(net, way):
    """carrier: loaded by {way}: the next table of a list, the fallback; and back, without an apply"""
    policy = Policy(net, TABLES + """rules:
  - {in: lan0, proto: [tcp, udp], port: 853, then: {route: vpn}}
  - {in: lan0, then: {route: [fibre, mobile, unreachable]}}
""").up(way)
    assert values(net, "wan0", "wan1", "wg0") == ["1"] * 6, "the setting"
    all_ask(net.client, "origin")
    for version in 4, 6:
        answered(probe.ask(net.client, "tcp", FOREIGN[version], 853), "vpn")
    pull(net, "wan0", "origin")
    all_ask(net.client, "mobile")
    pull(net, "wg0", "vpn")
    for version in 4, 6:
        fails(probe.ask(net.client, "tcp", FOREIGN[version], 853), "unreachable", "refused")
    pull(net, "wan1", "mobile")
    all_fail_at_once(net.client)
    plug(net, "wan0", "origin")
    all_ask(net.client, "origin")
    policy.down(way if way != "hand" else "apply")
    if way != "hand":
        assert values(net, "wan0", "wan1", "wg0") == ["0"] * 6, "given back"


def test_local(net):
    """carrier: local packets, where the main table has another default route"""
    for version, gateway in ((4, "198.51.100.1"), (6, "2001:db8:2::1")):
        net.router.ip(f"route add default via {gateway} dev wan1 metric 2000", f"-{version}")
    Policy(net, TABLES + f"rules: [{{scope: both, to: {FAR}, then: {{route: [fibre, vpn]}}}}]\n").up()
    for host in net.client, net.router:
        all_ask(host, "origin")
    pull(net, "wan0", "origin")
    for host in net.client, net.router:
        all_ask(host, "vpn")
    plug(net, "wan0", "origin")
    for host in net.client, net.router:
        all_ask(host, "origin")


def test_own_unrouted(net):
    """carrier: main's only default route is dead: local packets are refused before the rules, with a warning"""
    policy = Policy(net, TABLES + f"rules: [{{scope: both, to: {FAR}, then: {{route: [fibre, vpn]}}}}]\n").up()
    first = "unreachable before the policy's rules match them"
    assert first not in policy.tpc("status").stdout
    pull(net, "wan0", "origin")
    all_ask(net.client, "vpn")
    all_fail_at_once(net.router)
    for said in policy.tpc("status").stdout, policy.tpc("plan", str(policy.path), check=False).stderr:
        for version in 4, 6:
            assert f"the IPv{version} default route of table main cannot be used (wan0 has no carrier)" in said, said
        assert said.count(first) == 2 and "everything holds" not in said, said
    for version in 4, 6:
        _, live = explain(policy, "scope=local", f"to={FOREIGN[version]}", "proto=tcp", "port=443", status=5)
        assert "the main table has no route for it" in complaints(live), complaints(live)
    for version, gateway in ((4, "198.51.100.1"), (6, "2001:db8:2::1")):
        net.router.ip(f"route add default via {gateway} dev wan1 metric 4000", f"-{version}")
    assert first not in policy.tpc("status").stdout
    for host in net.client, net.router:
        all_ask(host, "vpn")


def test_after_main():
    """carrier: a list with a table after main, whose default route no table has"""
    for way in "apply", "sh":
        with world() as net:
            policy = Policy(net, TABLES + "rules: [{in: lan0, then: {route: [main, mobile]}}]\n").up(way)
            policy.up(way)
            assert values(net, "wan0", "wan1") == ["1"] * 4, "the setting"
            all_ask(net.client, "origin")
            pull(net, "wan0", "origin")
            all_ask(net.client, "mobile")
            plug(net, "wan0", "origin")
            all_ask(net.client, "origin")
            policy.down(way)
            assert values(net, "wan0", "wan1") == ["0"] * 4, f"{way}: given back"


def test_balanced(net):
    """carrier: no balanced connection is lost, in either family"""
    Policy(net, SHARED).up()
    pull(net, "wan0", "origin")
    for version in 4, 6:
        for _ in range(10):
            answered(probe.ask(net.client, "tcp", FOREIGN[version], 443), "mobile")


def test_said(net):
    """carrier: status and explain --live report it; a re-created link lacks the sysctl"""
    policy = Policy(net, TABLES + "rules: [{in: lan0, then: {route: [fibre, mobile]}}]\n").up()
    assert policy.tpc("status", "--drift").returncode == 0, "before"
    pull(net, "wan0", "origin")
    said = policy.tpc("status").stdout
    assert "the interface wan0 has no carrier" in said and "uses the next ones" in said, said
    said = policy.tpc("explain", str(policy.path), "in=lan0", f"from={CLIENT[4]}", f"to={FOREIGN[4]}",
                      "proto=tcp", "port=443", "--live", check=False)
    assert said.returncode == 5, "explain --live"
    assert "the interface wan0 has no carrier" in said.stdout + said.stderr, said
    plug(net, "wan0", "origin")
    net.router.ip("link delete wan1")
    net.connect("wan1")
    assert values(net, "wan1") == ["0", "0"], "of the new link"
    drift = policy.tpc("status", "--drift", check=False)
    assert drift.returncode == 5, "drift"
    for key in KEYS:
        assert f"{key.format('wan1')} is 0 and should be 1" in policy.tpc(
            "status", check=False).stdout, key
    policy.up()
    assert values(net, "wan1") == ["1", "1"], "after the next apply"
    assert policy.tpc("status", "--drift").returncode == 0, "after it"
