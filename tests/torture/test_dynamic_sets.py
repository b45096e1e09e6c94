"""
kill -9 of an apply whose policy has sets that are filled at run time, at every system call, and back
to the policy before by a rollback: whatever the change does to a set, it holds then what it held, with
the times that its elements had; and what was counted is still known.
"""

import collections
import contextlib
import json
import socket

import pytest

from policy import Policy
from torture import LONG, killed_at, note

# One set for each thing that may become of it.
ONE = """version: 1
sets:
  stays: {dynamic: true, elements: [198.51.100.0/28]}
  timed: {dynamic: true}
  untimed: {dynamic: true, timeout: 2h}
  sized: {dynamic: true, size: 100}
  goes: {dynamic: true, timeout: 1h}
  turns: {dynamic: true}
rules:
  - {from: stays, then: drop}
  - {from: timed, then: drop}
  - {from: untimed, then: drop}
  - {from: sized, then: drop}
  - {from: goes, then: drop}
  - {scope: both, to: 192.0.2.77, count: true, name: seen, then: drop}
  - {to: turns, then: drop}
"""
TWO = """version: 1
sets:
  stays: {dynamic: true, elements: [198.51.100.0/28]}
  timed: {dynamic: true, timeout: 1h}
  untimed: {dynamic: true}
  sized: {dynamic: true, size: 200}
  turns: [192.0.2.0/24, "2001:db8:1::/64"]
rules:
  - {to: stays, then: drop}
  - {to: timed, then: drop}
  - {to: untimed, then: drop}
  - {to: sized, then: drop}
  - {from: turns, then: drop}
"""
SETS = ("stays", "timed", "untimed", "sized", "goes", "turns")


STAY, ALL = SETS[:4], (*SETS, "counted")
COUNTED = 3


def learn(net):
    """What other programs add, with a time of its own and without, and packets that are counted."""
    net.router.nft("".join(
        f"add element inet tpc {name}_v4 {{ 203.0.113.{at}, 203.0.113.1{at} timeout 1d }}\n"
        f"add element inet tpc {name}_v6 {{ 2001:db8::{at} }}\n" for at, name in enumerate(SETS, 1)))
    with net.router, socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender:
        for _ in range(COUNTED):
            with contextlib.suppress(PermissionError):
                sender.sendto(b"x", ("192.0.2.77", 9))


def held(host, names=SETS):
    """What each set holds, with the times that elements are given, and what was counted."""
    found = {}
    for item in json.loads(host.run("nft", "-j", "list", "table", "inet", "tpc").stdout)["nftables"]:
        for kind, body in item.items():
            if kind == "counter":
                found["counted"] = body["packets"]
            if kind in ("set", "map") and body["name"].rsplit("_", 1)[0] in names:
                found[body["name"]] = sorted(_element(element) for element in body.get("elem", []))
    return found


def _element(element):
    """The element, and whether it runs out."""
    about = element.get("elem", {}) if isinstance(element, dict) else {}
    return json.dumps(about.get("val", element)), "expires" in about


def prepare(net):
    policies = [Policy(net, ONE, name="policy"), Policy(net, TWO, name="policy")]
    policies[0].up()
    learn(net)
    state = held(net.router)
    assert all(state.values()) and state.get("counted") == COUNTED, f"nothing was learned: {state}"
    return policies


def unlike(net, state, what, names):
    now = held(net.router)
    gone = [f"{name}: {now.get(name)}, and not {value}" for name, value in state.items()
            if name.rsplit("_", 1)[0] in names and now.get(name) != value]
    assert not gone, f"{what}:\n" + "\n".join(gone)


def where(policy):
    """How far the apply came: "before" its first change, "half way", or to its "end"."""
    said = policy.tpc("status", check=False).stdout
    if "did not finish" in said:
        return "half way"
    return "end" if str(policy.path) in said else "before"


def few(calls, behind):
    """The numbers to kill at: all of them, or a few, the last ones close together: there things go."""
    return range(1, calls + 1) if LONG else behind[:-20:12] + behind[-20:]


def cut_off(net, policies, number):
    """The first policy, with what was learned, and an apply of the second one that is killed."""
    policies[0].up()
    learn(net)
    state = held(net.router)
    _, _, call = killed_at(net, number, "all", "apply", str(policies[1].path))
    return state, f"killed at call {number} ({call})"


def cut_off_half_way(net, policies, last):
    """
    The same at `last` or a little before: on a machine with much to do the calls are not the same twice. An apply that
    came to its end is the one that a rollback of the next one leads to.
    """
    for number in range(last, last - 20, -1):
        state, what = cut_off(net, policies, number)
        if where(policies[1]) == "half way":
            return state, what
        policies[0].down()
    raise AssertionError(f"no call from {last - 19} to {last} is half way")


def go_back(net, policies, state, what, names=ALL):
    """What is there holds: without a rollback where nothing was changed, and else with one."""
    far = where(policies[1])
    if far != "before":
        said = policies[1].tpc("rollback")
        what += f": {said.stdout}{said.stderr}"
    unlike(net, state, what, names if far != "end" else STAY)
    policies[0].down()
    return far


@pytest.mark.parametrize("name, again, names", [
    ("", False, ALL),
    (", applied again", True, STAY),
])
def test_rolled_back(net, name, again, names):
    """dynamic sets: an apply killed at every system call{name} and rolled back: the contents survive"""
    policies = prepare(net)
    _, calls, behind = killed_at(net, 0, "all", "apply", str(policies[1].path))
    policies[1].down()
    seen = collections.Counter()
    for number in few(calls, behind):
        state, what = cut_off(net, policies, number)
        if again:
            policies[1].up()
        seen[go_back(net, policies, state, what, names)] += 1
    note(f"{dict(seen)}, of {calls} system calls")
    assert again or len(seen) == 3, f"no kill in some of the parts: {seen}"


def test_twice(net):
    """dynamic sets: an apply killed at its end, and at every system call of the next one: the contents survive"""
    policies = prepare(net)
    _, calls, behind = killed_at(net, 0, "all", "apply", str(policies[1].path))
    for last in reversed(behind):
        policies[0].down()
        cut_off(net, policies, last)
        if where(policies[1]) == "half way":
            break
    _, calls, behind = killed_at(net, 0, "all", "apply", str(policies[1].path))
    policies[0].down()
    for number in few(calls, behind):
        state, what = cut_off_half_way(net, policies, last)
        _, _, call = killed_at(net, number, "all", "apply", str(policies[1].path))
        go_back(net, policies, state, f"{what}, then at call {number} of {calls} ({call})")
    note(f"killed at {last}, then at {len(few(calls, behind))} of {calls} system calls")
