"""
kill -9 in the middle: of an apply, of an update of sets in place, of a remove, of a rollback; at every system call
of the program and its children, and at random instants. Afterwards packets of both families see the
old policy or the new one, and the next apply makes the state that it makes on a fresh host.
"""

import subprocess
import time

import pytest

from policy import TPC, kernel
from torture import (LONG, by_length, crossed, crossed_in_place, dice, fresh, killed_at,
                     note, unlike, ways)

PAIRS = {"apply": crossed, "update in place": crossed_in_place}


def whole(net, policy, state, seen, what):
    """What packets see now is one of these; the policy goes on without help, to just its state."""
    now = ways(net)
    assert now in seen, f"{what}: packets went {now}, and not one of {seen}"
    done = policy.tpc("apply", str(policy.path), check=False)
    assert done.returncode == 0, f"{what}: the next apply: {done.returncode}: {done.stderr}"
    unlike(state, net.router, f"{what}, and applied again")


def prepare(net, make):
    """The policies, their fresh states, and how packets go by each; the first is applied."""
    policies = make(net)
    states = fresh(net, policies)
    seen = []
    for policy in reversed(policies):
        policy.up()
        seen.insert(0, ways(net))
    assert seen[0] != seen[1], f"the policies cannot be told apart: {seen}"
    return policies, states, seen


def spread(calls, behind):
    """The numbers to kill at: all of them, or as many behind a message as the short form has time for."""
    if LONG:
        return range(1, calls + 1)
    return behind[::max(1, len(behind) // 24)]


@pytest.mark.parametrize("name, target", [*((name, "all") for name in PAIRS), ("apply", "child")])
def test_each_call(net, name, target):
    """kill: {name}, killed at every system call: {target}"""
    policies, states, seen = prepare(net, PAIRS[name])
    path = [str(policy.path) for policy in policies]
    _, calls, behind = killed_at(net, 0, target, "apply", path[1])
    policies[0].up()
    to, killed = 0, 0
    for number in spread(calls, behind):
        to = 1 - to
        how, _, call = killed_at(net, number, target, "apply", path[to])
        killed += call >= 0
        if target == "child":
            assert how in ("exit 0", "exit 3"), f"child killed at {number}: {how}"
        if call < 0 and target == "child":
            to = to if how == "exit 0" else 1 - to
            continue
        whole(net, policies[to], states[to], seen, f"killed at call {number} ({call})")
    note(f"{name}, {target}: killed at {killed} of {calls} system calls")
    assert killed, "never killed"


def test_remove(net):
    """kill: remove, killed at every system call"""
    policies, states, seen = prepare(net, crossed)
    policies[1].down()
    bare, gone = kernel(net.router), ways(net)
    policies[0].up()
    _, calls, behind = killed_at(net, 0, "all", "remove")
    for number in spread(calls, behind):
        policies[0].up()
        _, _, call = killed_at(net, number, "all", "remove")
        now = ways(net)
        assert now in (seen[0], gone), f"killed at call {number} ({call}): {now}"
        if number % 2:
            whole(net, policies[0], states[0], (seen[0], gone), f"call {number} ({call})")
            continue
        net.router.run(TPC, "remove")
        unlike(bare, net.router, f"killed at call {number} ({call}), and removed again")
    note(f"remove: killed at {len(spread(calls, behind))} of {calls} system calls")


def test_rollback(net):
    """kill: rollback, killed at every system call"""
    policies, states, seen = prepare(net, crossed)
    policies[1].up()
    _, calls, behind = killed_at(net, 0, "all", "rollback")
    for number in spread(calls, behind):
        policies[0].up()
        policies[1].up()
        _, _, call = killed_at(net, number, "all", "rollback")
        to = number % 2
        whole(net, policies[to], states[to], seen, f"killed at call {number} ({call})")
    note(f"rollback: killed at {len(spread(calls, behind))} of {calls} system calls")


def test_instants(net):
    """kill: apply, update and remove, killed at random instants"""
    chance = dice("random instants")
    policies, states, seen = prepare(net, crossed)
    policies[1].down()
    gone, killed = ways(net), 0
    for turn in range(by_length(100, 1000)):
        to = turn % 2
        words = ["remove"] if chance.random() < 0.2 else ["apply", str(policies[to].path)]
        with net.router:
            running = subprocess.Popen([TPC, *words], stdout=subprocess.DEVNULL,
                                       stderr=subprocess.DEVNULL)
        time.sleep(chance.random() * 0.03)
        running.kill()
        killed += running.wait() < 0
        if LONG or turn % 5 == 0:
            whole(net, policies[to], states[to], (*seen, gone), f"turn {turn}: {words}")
    whole(net, policies[0], states[0], (*seen, gone), "the end")
    note(f"killed {killed} times of {turn + 1}")
    assert killed > 10, "hardly ever killed"
