"""
Going back by itself: packets say which policy is in force while a confirmation is waited for, after
it has not come, and when it has.
"""

import json
import os
import pathlib
import signal
import subprocess
import time

import pytest

import probe
from test_policy_switch import CLOSED, Flood
from lab import FOREIGN
from policy import TPC, Policy, different, kernel
from outcomes import answered, silent

WALL = """version: 1
name: edge
sets: {learned: {dynamic: true}}
rules:
  - {scope: both, to: [203.0.113.0/24, "2001:db8:113::/48"], count: true, name: wall, then: drop}
  - {to: learned, then: drop}
"""
OPEN = """version: 1
name: edge
rules: [{scope: both, to: [198.51.100.0/24, "2001:db8:51::/48"], then: drop}]
"""
SECONDS = 2
PATIENCE = 20  # of a busy machine, for what is to happen at once


def _ask(net, version, host="client", timeout=0.3):
    return probe.ask(getattr(net, host), "udp", FOREIGN[version], 53, timeout=timeout)


def _ask_all(net, timeout=0.3):
    return [_ask(net, version, host, timeout) for host in ("client", "router") for version in (4, 6)]


def _closed(net):
    for outcome in _ask_all(net):
        silent(outcome)


def _open(net):
    for outcome in _ask_all(net, 3):
        answered(outcome, "origin")


def _back_in_time(net, began, seconds):
    """Both families are closed again when the time is over."""
    while _ask(net, 4).kind == "answer" or _ask(net, 6).kind == "answer":
        assert time.monotonic() - began < seconds + PATIENCE, f"open after {seconds} seconds, and many more"
        time.sleep(0.05)
    _closed(net)


def _waits():
    """Whether an apply waits for its confirmation, by the file that says so."""
    return any(pathlib.Path("/run").glob("tpc/**/*.pending"))


def _counted(net):
    done = net.router.run("nft", "-j", "list", "counters", "table", "inet", "tpc_edge")
    return sum(item["counter"]["packets"] for item in json.loads(done.stdout)["nftables"]
               if "counter" in item)


def _apply(net, policy, seconds):
    with net.router:
        return subprocess.Popen([TPC, "apply", "--confirm", str(seconds), str(policy.path)],
                                stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
                                start_new_session=True)


def _plainly(net, gate, seconds=60):
    process = _apply(net, gate, seconds)
    process.wait()
    return process


def _session(net, gate, seconds):
    """The shell that ran it, and everything else of its session, is gone at once."""
    with net.router:
        shell = subprocess.Popen(["sh", "-c", f"{TPC} apply --confirm {seconds} {gate.path}; "
                                              "echo done; exec sleep 60"],
                                 stdout=subprocess.PIPE, start_new_session=True)
    while shell.stdout.readline() not in (b"done\n", b""):
        pass
    os.killpg(shell.pid, signal.SIGKILL)
    shell.stdout.close()
    return shell


@pytest.mark.parametrize("how, end", (("nobody confirms", _plainly), ("the session is killed", _session)))
def test_ends(net, how, end):
    """confirm: {how}: packets meet the previous policy when the time is over"""
    wall, gate = Policy(net, WALL).up(), Policy(net, OPEN)
    net.router.nft("add element inet tpc_edge learned_v4 { 198.18.0.9 }")
    _closed(net)
    state, counted = kernel(net.router), _counted(net)
    assert counted > 0, "the wall has counted nothing"
    for seconds in SECONDS, 8, 40:  # as many as this machine needs to look at what is open
        process = end(net, gate, seconds)
        began = time.monotonic()
        outcomes = _ask_all(net, 3)
        is_early = time.monotonic() - began < seconds - 1
        _back_in_time(net, began, seconds)
        process.wait()
        if is_early:
            break
    for outcome in outcomes:
        answered(outcome, "origin")
    lines = different(state, kernel(net.router))
    assert not lines, "after it went back:\n" + "\n".join(lines)
    assert _counted(net) > counted, f"counted {_counted(net)} after {counted}"
    wall.tpc("apply", str(wall.path))


def test_confirmed(net):
    """confirm: in time: packets keep meeting the new policy, in both families"""
    Policy(net, WALL).up()
    gate = Policy(net, OPEN)
    _plainly(net, gate, SECONDS + 1)
    gate.tpc("confirm")
    time.sleep(SECONDS + 1.5)
    _open(net)
    gate.tpc("rollback")
    _closed(net)


def test_killed(network):
    """confirm: an apply killed at any moment under a flood is rolled back by the watchdog: no leak"""
    net = network(uplinks=("wan0", "wg0"))
    policies = [Policy(net, CLOSED[name]) for name in ("proxy", "tunnel")]
    policies[0].up()
    state = kernel(net.router)
    watch = net.sniff("origin")
    with Flood(net.client) as far, Flood(net.router) as near:
        for turn in range(4):
            process = _apply(net, policies[1], SECONDS)
            time.sleep(0.01 + 0.03 * turn)
            process.kill()
            process.wait()
            end = time.monotonic() + SECONDS + PATIENCE
            while _waits() and time.monotonic() < end:
                time.sleep(0.05)
            lines = different(state, kernel(net.router))
            assert not lines, f"turn {turn}: not as it was:\n" + "\n".join(lines)
    assert len(watch.packets()) == 0, f"packets of {far.sent} + {near.sent} that got out"


def test_turns(network):
    """confirm: rollback and apply in turn under a flood: no leak"""
    net = network(uplinks=("wan0", "wg0"))
    policies = [Policy(net, CLOSED[name]) for name in ("proxy", "tunnel")]
    policies[0].up()
    watch = net.sniff("origin")
    with Flood(net.client) as far, Flood(net.router) as near:
        for turn in range(8):
            more = ("--confirm", "60") if turn % 2 else ()
            policies[1].tpc("apply", *more, str(policies[1].path))
            policies[1].tpc("rollback")
    assert far.sent + near.sent > 1000, "the flood was a trickle"
    assert len(watch.packets()) == 0, f"packets of {far.sent} + {near.sent} that got out"
