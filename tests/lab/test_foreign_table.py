"""
Tables that another program fills (`from_table`): wg-quick, networkd, Tailscale. The policy looks them up, and
touches none of their routes.
"""

import pytest

from lab import CLIENT, FOREIGN, UPLINKS
from outcomes import nothing
from policy import WAYS, Policy
from test_uplinks import all_ask, all_fail, asks, world

POLICY = """version: 1
tables: {vpn: {from_table: 51820, masquerade: true, fallback: unreachable}}
rules: [{in: lan0, then: {route: vpn}}]
"""


@pytest.fixture(name="net")
def made():
    with world() as net:
        yield net


def fill(net, verb="add", device="wg0"):
    for version in 4, 6:
        net.router.ip(f"route {verb} default dev {device} table 51820 proto static metric 7", f"-{version}")


def routes(net):
    return [net.router.run("ip", f"-{version}", "route", "show", "table", "51820", check=False).stdout
            for version in (4, 6)]


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("dev", ["", "dev: wg0, "])
def test_ways(net, way, dev):
    """foreign table: packets leave by its routes; an empty one has the fallback, without another apply"""
    fill(net)
    before = routes(net)
    policy = Policy(net, POLICY.replace("masquerade", f"{dev}masquerade")).up(way)
    all_ask(net, net.client, "vpn", "wg0")
    watch = net.sniff("origin")
    fill(net, "del")
    all_fail(net.client)
    nothing(watch)
    fill(net)
    all_ask(net, net.client, "vpn", "wg0")
    if way != "hand":
        policy.up(way)
        policy.down(way)
        assert routes(net) == before
        all_ask(net, net.client, "origin")


def test_status(net):
    """foreign table: plan, apply and status say that it is empty, for each family"""
    policy = Policy(net, POLICY)
    net.router.ip("route add default dev wg0 table 51820")
    said = "routing table 51820 (`from_table`) has no IPv6 route, so the fallback applies"
    for done in (policy.tpc("plan", str(policy.path), check=False), policy.tpc("apply", str(policy.path))):
        assert said in done.stderr and "no IPv4 route" not in done.stderr, done.stderr
    status = policy.tpc("status", check=False)
    assert said in status.stdout and "everything holds" not in status.stdout, status
    net.router.ip("route add default dev wg0 table 51820", "-6")
    status = policy.tpc("status", check=False)
    assert "everything holds" in status.stdout, status
    assert "nothing to change" in policy.tpc("plan", str(policy.path)).stdout


def test_answers(net):
    """foreign table: what comes in by its interface is answered through it"""
    fill(net)
    net.echo(net.router, (22,), (123,))
    Policy(net, POLICY.replace("masquerade", "dev: wg0, masquerade")).up()
    for version in 4, 6:
        net.vpn.ip(f"address add {FOREIGN[version]}/{32 if version == 4 else 128} dev lo", f"-{version}")
    asks(net.vpn, UPLINKS["wg0"][1])


def test_explain(net):
    """foreign table: explain says that only the host knows its routes, and --live compares"""
    policy = Policy(net, POLICY)
    ask = ("explain", str(policy.path), "in=lan0", f"from={CLIENT[4]}", f"to={FOREIGN[4]}", "proto=tcp", "port=443")
    assert "vpn (51820), whose routes only the host knows" in policy.tpc(*ask).stdout
    fill(net)
    policy.up()
    live = policy.tpc(*ask, "--live")
    assert "agrees" in live.stdout and "dev wg0 table 51820" in live.stdout, live.stdout
    fill(net, "del")
    live = policy.tpc(*ask, "--live", check=False)
    assert live.returncode == 5 and "table 51820" in live.stdout, live.stdout
