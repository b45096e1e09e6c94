"""
Two policies take turns under a flood: what comes out where neither of them sends it is 0 packets.
And the same by hand, the naive way, must let packets out, or else the watch is blind.
"""

import pytest

from policy import different, kernel
from torture import Ends, all_at_once, by_length, flood, note, one_name, sets_alone, strong

# Elements -> turns, 500 in the long form over both kinds.
TURNS = {10: by_length(8, 100), 1000: by_length(4, 100), 100000: by_length(1, 50)}
KINDS = {"sets alone": sets_alone, "rules, sets and tables": all_at_once}


def listed(net, count):
    """The kernel's state where nft lists it in a reasonable time."""
    return kernel(net.router) if count <= 1000 else {}


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("count", TURNS)
def test_turns(net, kind, count):
    """flood: {kind} change, {count} elements: no packet leaks"""
    ends = Ends(net)
    policies = KINDS[kind](net, count)
    states = []
    for policy in reversed(policies):
        policy.up()
        states.append(listed(net, count))
    with flood(net) as result:
        for turn in range(1, TURNS[count] + 1):
            said = policies[turn % 2].tpc("apply", str(policies[turn % 2].path)).stdout
            in_place = "sets in place" in said
            assert in_place == (kind == "sets alone"), f"not what is to be tried: {said}"
    note(f"{kind}, {count} elements, {TURNS[count]} applies: {result['sent']} packets, "
         f"{result['rate']} a second, astray: {sum(ends.astray().values())}")
    assert ends.astray() == {}, f"packets astray of {result['sent']}"
    lines = different(one_name(states[1 - TURNS[count] % 2]), one_name(listed(net, count)))
    assert not lines, "after the last turn:\n" + "\n".join(lines)
    strong(result, ends)


def _delete(router, file):
    router.run("nft", "delete", "table", "inet", "tpc")
    router.run("nft", "-f", file)


def _flush(router, file):
    router.run("nft", "flush", "table", "inet", "tpc")
    router.run("nft", "-f", file)


@pytest.mark.parametrize("way, count, turns, replace", [
    ("delete table and nft -f", 1000, by_length(3, 20), _delete),
    ("flush table and nft -f", 10, by_length(5, 50), _flush),
])
def test_naive(net, way, count, turns, replace):
    """flood: control: {way} leaks packets"""
    ends = Ends(net)
    policies = [policy.compile() for policy in sets_alone(net, count)]
    policies[0].up()
    with flood(net) as result:
        for turn in range(1, turns + 1):
            replace(net.router, str(policies[turn % 2].file(".nft")))
    astray = sum(ends.astray().values())
    note(f"control, {way}: {astray} of {result['sent']} packets astray")
    assert astray, f"of {result['sent']} packets none came out at the wrong end"
    strong(result, ends)
