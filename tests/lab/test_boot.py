"""
A machine that boots: `tpc watch`, or an apply and the hook, is there first, then the links come, in each order, while
the LAN sends as much as it can: no packet leaves in the clear, and in the end all go the way that they should.
"""

import itertools

import pytest

from hooks import Hook
from lab import Network
from outcomes import nothing
from policy import Policy
from test_policy_switch import Flood
from test_uplinks import all_ask
from test_watch import POLICY, Watch, has_table, route, until

LINKS = ("wan0", "wg0", "lan0")


@pytest.fixture(name="net")
def made():
    """A router that has no link but lo, and forwards already."""
    with Network(uplinks=("wan0", "wg0")) as net:
        for link in LINKS:
            net.router.ip(f"link del {link}")
        yield net


def come(net, link):
    if link == "lan0":
        net.connect_lan()
    else:
        net.connect(link)
        net.link_up(link)


def all_come(net, order, after=lambda link: None):
    """The links in this order, under a flood that begins with the LAN's; 200 datagrams or more after each."""
    with Flood(net.client) as flood:
        for place, link in enumerate(order):
            come(net, link)
            after(link)
            sent = flood.sent
            if "lan0" in order[:place + 1]:
                until(lambda: flood.sent >= sent + 200)


def both(net):
    """The tunnel's routes are there."""
    return route(net, 4) and route(net, 6)


@pytest.mark.parametrize("order", itertools.permutations(LINKS), ids="-".join)
def test_watch(net, order):
    """boot: watch first, then the links, in the order {order}: no packet in the clear, then all by the tunnel"""
    clear = net.sniff("origin", "")
    Watch(net, str(Policy(net, POLICY).path))
    until(lambda: has_table(net))
    all_come(net, order)
    until(lambda: both(net))
    all_ask(net, net.client, "vpn", "wg0")
    nothing(clear)


@pytest.mark.parametrize("order", itertools.permutations(LINKS), ids="-".join)
def test_hook(net, order):
    """boot: the hook before the first link and after each, in the order {order}: no packet in the clear, and no daemon"""
    clear = net.sniff("origin", "")
    hook = Hook(net, POLICY)
    hook.call((), {"IFACE": "lo", "MODE": "start", "PHASE": "pre-up"})
    assert has_table(net)
    all_come(net, order, lambda link: hook.event("ifupdown", link))
    assert both(net)
    all_ask(net, net.client, "vpn", "wg0")
    nothing(clear)


def test_late(net):
    """boot: control: links that come before the watch leak, in both families, and the sniffer sees it"""
    clear = net.sniff("origin", "")
    seen = []

    def leak():
        seen.extend(packet[1] for packet in clear.packets())
        return all(sum(sign in source for source in seen) > 50 for sign in ".:")

    with Flood(net.client):
        for link in "wan0", "lan0":
            come(net, link)
        until(leak)
    Watch(net, str(Policy(net, POLICY).path))
    until(lambda: has_table(net))
