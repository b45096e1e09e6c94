"""
Flattening: whatever the level, a packet goes where the first rule that takes it says, and counters
count the same; maps and their chains come, change and go like all else.
"""

import json

import pytest

import probe
import raw_packets
from lab import Network
from policy import WAYS, Policy, different, generation, kernel, ruleset
from outcomes import answered, fails, silent
from test_policy_switch import Flood

# Nested, overlapping and neighbouring destinations, some with a port or a protocol of their own.
CLASSES = """version: 1
sets:
  inner: [203.0.113.16/28, "2001:db8:113::10-2001:db8:113::1f"]
  middle: [203.0.113.8-203.0.113.40, "2001:db8:113::8-2001:db8:113::28"]
  outer: [203.0.113.0/25, "2001:db8:113::/122"]
  edge: [203.0.113.128/26, "2001:db8:113::80/122"]
tables:
  first: {dev: wg0, fallback: unreachable}
  second: {dev: wg1, fallback: unreachable}
rules:
  - {scope: both, to: [203.0.113.20, "2001:db8:113::14"], count: true, then: drop}
  - {scope: both, to: inner, proto: tcp, port: 443, count: true, then: reject}
  - {scope: both, to: inner, proto: tcp, count: true, then: {route: first}}
  - {scope: both, to: middle, count: true, then: continue}
  - {scope: both, to: middle, proto: udp, count: true, then: {route: second}}
  - {scope: both, to: [203.0.113.30, "2001:db8:113::1e"], then: direct}
  - {scope: both, to: edge, count: true, then: {route: first}}
  - {scope: both, to: outer, count: true, then: {route: second}}
"""
# Last byte, protocol, port: who answers.
ANSWERS = [
    (20, "tcp", 80, "silence"), (20, "udp", 53, "silence"), (16, "tcp", 443, "refused"),
    (16, "tcp", 80, "vpn"), (31, "tcp", 80, "vpn"), (16, "udp", 53, "vpn2"), (31, "udp", 53, "vpn2"),
    (15, "tcp", 443, "vpn2"), (32, "tcp", 443, "vpn2"), (8, "udp", 53, "vpn2"), (7, "udp", 53, "vpn2"),
    (30, "udp", 53, "vpn2"), (30, "tcp", 80, "vpn"), (30, "tcp", 443, "refused"),
    (40, "tcp", 80, "vpn2"), (41, "tcp", 80, "vpn2"), (0x80, "tcp", 80, "vpn"),
    (0xBF, "udp", 53, "vpn"), (0xC0, "udp", 53, "origin"), (0xC0, "tcp", 443, "origin"),
]


def _address(version, last):
    return f"203.0.113.{last}" if version == 4 else f"2001:db8:113::{last:x}"


def _check(host, version):
    for last, protocol, port, who in ANSWERS:
        outcome = probe.ask(host, protocol, _address(version, last), port,
                            timeout=0.3 if who == "silence" else 3.0)
        if who == "silence":
            silent(outcome)
        elif who == "refused":
            fails(outcome)
        else:
            answered(outcome, who)


# Of the LAN, and none of its hosts': nothing that answers is answered.
FREE = {4: "10.10.10.77", 6: "fd00:10::77"}


def _counts(host, sender):
    """
    What the counters say of one packet to each. How many packets a connection has is TCP's choice, and
    another one when the machine is busy.
    """
    host.run("nft", "reset", "counters")
    for version in 4, 6:
        for sport, (last, protocol, port, _) in enumerate(ANSWERS, 40000):
            raw_packets.send(sender, protocol, FREE[version], _address(version, last), port, sport=sport)
    listed = json.loads(host.run("nft", "-j", "list", "counters").stdout)["nftables"]
    return {item["counter"]["name"]: item["counter"]["packets"]
            for item in listed if "counter" in item}


@pytest.mark.parametrize("where", ["client", "router"])
def test_levels(where):
    """maps: from the {where}, the same rule decides and counts at -O0 and -O1"""
    counts = []
    for level in "01":
        with Network(uplinks=("wan0", "wg0", "wg1")) as net:
            policy = Policy(net, CLASSES)
            policy.tpc("apply", f"-O{level}", str(policy.path))
            maps = net.router.run("nft", "list", "maps", "inet").stdout.count("\tmap ")
            assert (maps > 0) == (level == "1"), f"are there maps at -O{level}"
            for version in 4, 6:
                _check(getattr(net, where), version)
            counts.append(_counts(net.router, getattr(net, where)))
    assert counts[1] == counts[0], "counters at -O1 beside those at -O0"
    assert len(counts[0]) == 7 and all(counts[0].values()), f"a counter is 0: {counts[0]}"


def test_ways():
    """maps: the three ways to load make the same maps, repeatedly, and remove them"""
    states = []
    for way in WAYS:
        with Network(uplinks=("wan0", "wg0", "wg1")) as net:
            bare = kernel(net.router)
            policy = Policy(net, CLASSES).up(way)
            states.append(ruleset(net.router))
            if way != "hand":
                policy.up(way)
                assert ruleset(net.router) == states[-1], f"the rules after a second time by {way}"
                policy.down(way)
                assert not different(bare, kernel(net.router)), "something stayed"
            else:
                net.router.run("nft", "-f", str(policy.file(".nft")))
                assert ruleset(net.router) == states[-1], "the rules after the file was fed again"
    assert states[0] == states[2], "by hand, beside apply"
    assert states[1] == states[2], "by script, beside apply"


OTHER = CLASSES.replace("203.0.113.8-203.0.113.40", "203.0.113.9-203.0.113.60").replace(
    "  - {scope: both, to: edge, count: true, then: {route: first}}\n", "").replace(
    "  edge: [203.0.113.128/26, \"2001:db8:113::80/122\"]\n", "")


def test_update(network):
    """maps: an update to other maps adds and removes the difference, and back again"""
    net = network(uplinks=("wan0", "wg0", "wg1"))
    states = {}
    for text in (CLASSES, OTHER, CLASSES, OTHER):
        policy = Policy(net, text).up()
        before = generation(net.router)
        policy.up()
        assert generation(net.router) == before, "the generation after an apply of the same"
        state = ruleset(net.router)
        names = sorted(next(iter(item.values())).get("name", "") for item in state)
        if text in states:
            assert names == states[text], "the objects in the table, whatever was there before"
        else:
            states[text] = names
        answered(probe.ask(net.client, "tcp", "203.0.113.50", 80), "vpn2")
        answered(probe.ask(net.client, "tcp", "203.0.113.128", 80),
                 "vpn" if text == CLASSES else "origin")


WALL = """version: 1
sets:
  near: [203.0.113.0/26, "2001:db8:113::/123"]
  far: [203.0.113.0/24, "2001:db8:113::/48"]
  more: [203.0.112.0/23, %s]
rules:
  - {scope: both, to: near, proto: [tcp, udp], port: "1-4999", then: direct}
  - {scope: both, to: far, then: %s}
  - {scope: both, to: more, then: %s}
"""
TURNS = 12


def test_switch(net):
    """maps: two policies with maps in turn under a flood, loaded by apply: no leak"""
    policies = [Policy(net, WALL % one) for one in (
        ("198.51.100.0/24", "drop", "reject"), ("198.18.0.0/15", "reject", "drop"))]
    policies[0].up()
    state = kernel(net.router)
    watch = net.sniff("origin")
    with Flood(net.client) as far, Flood(net.router) as near:
        for turn in range(TURNS):
            policies[(turn + 1) % 2].up()
    assert far.sent > 500, f"the flood was a trickle: {far.sent} and {near.sent}"
    packets = watch.packets()
    assert len(packets) == 0, f"packets of {far.sent} + {near.sent} that got out (first {packets[:1]})"
    lines = different(state, kernel(net.router))
    assert not lines, "after as many turns there as back:\n" + "\n".join(lines)


def test_fed(net):
    """maps: two policies with maps in turn under a flood, loaded as nft files: no leak"""
    policies = [Policy(net, WALL % one) for one in (
        ("198.51.100.0/24", "drop", "reject"), ("198.18.0.0/15", "reject", "drop"))]
    policies[0].up("hand")
    policies[1].compile()
    watch = net.sniff("origin")
    with Flood(net.client) as far, Flood(net.router) as near:
        for turn in range(TURNS):
            net.router.run("nft", "-f", str(policies[(turn + 1) % 2].file(".nft")))
    assert far.sent > 100, f"the flood was a trickle: {far.sent} and {near.sent}"
    packets = watch.packets()
    assert len(packets) == 0, f"packets of {far.sent} + {near.sent} that got out (first {packets[:1]})"
