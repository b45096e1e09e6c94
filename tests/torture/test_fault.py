"""
Netlink messages that fail, one at a time, each with each error: the program tries again or takes
back what it did. It says success only for the new state, "nothing changed" only for the old one.
"""

import errno
import time

import pytest

from policy import Policy, kernel
from torture import by_length, crossed, crossed_in_place, faulty, fresh, note, unlike, ways

REFUSALS = ("ENOBUFS", "EMSGSIZE", "EINTR", "EBUSY", "ENOMEM", "EPERM")
LOSSES = ("ENOBUFS", "EINTR", "ENOMEM")  # what a call that reads can fail with
# How a message fails, and with what. Of those in the second line a person need not hear.
HOWS = {"send": REFUSALS, "refuse": REFUSALS, "receive": LOSSES, "lose": ("ENOBUFS",)}
TRANSIENT = {"send": ("EINTR", "EBUSY", "ENOBUFS"), "refuse": ("EINTR", "EBUSY"),
             "receive": ("EINTR", "ENOBUFS"), "lose": ("ENOBUFS",)}
PAIRS = {"apply": crossed, "update in place": crossed_in_place}


def judge(net, done, before, after, what):
    """Exit 0 with the new state, or 3 with the old one; true for 0."""
    said = f"{what}: exit {done.returncode}: {done.stdout}{done.stderr}"
    assert done.returncode in (0, 3), said
    if done.returncode == 3:
        assert done.stderr.strip(), f"{what}: refused without a word"
    unlike(before if done.returncode else after, net.router, said)
    return done.returncode == 0


def settle(is_so):
    """Waits until it is so, two seconds at most."""
    end = time.monotonic() + 2
    while not is_so() and time.monotonic() < end:
        time.sleep(0.05)


def numbers(count):
    """Which messages: each, or some in the short form."""
    wanted = by_length(6, count)
    return sorted({1 + number * (count - 1) // max(wanted - 1, 1) for number in range(wanted)})


@pytest.mark.parametrize("name", PAIRS)
@pytest.mark.parametrize("how", HOWS)
def test_errors(net, name, how):
    """fault: {name}: every message {how}: retried, or nothing changed"""
    policies = PAIRS[name](net)
    states = fresh(net, policies)
    policies[0].up()
    path = [str(policy.path) for policy in policies]
    _, sent, received = faulty(net, "apply", path[1])
    at, tried, through = 1, 0, 0
    for code in HOWS[how]:
        for number in numbers(sent if how in ("send", "refuse") else received):
            done, _, _ = faulty(net, "apply", path[1 - at], at=number, how=how,
                                code=getattr(errno, code))
            what = f"{code} at message {number}, {how}"
            tried += 1
            if judge(net, done, states[at], states[1 - at], what):
                at, through = 1 - at, through + 1
            else:
                assert code not in TRANSIENT[how], \
                    f"{what}: given up at once: {done.stderr}"
    note(f"{name}, {how}: {tried} errors at {sent} messages: {through} applied all the "
         f"same, {tried - through} refused")


@pytest.mark.parametrize("name", PAIRS)
def test_lasting(net, name):
    """fault: {name}: all messages from one on fail: never success, and the next apply fixes it"""
    policies = PAIRS[name](net)
    states = fresh(net, policies)
    policies[0].up()
    path = [str(policy.path) for policy in policies]
    _, sent, _ = faulty(net, "apply", path[1])
    at, doubts = 1, 0
    for number in numbers(sent):
        done, _, _ = faulty(net, "apply", path[1 - at], at=number, how="refuse",
                            code=errno.EBUSY, times=1 << 20)
        what = f"from message {number} on"
        if done.returncode == 0:  # what failed was only to look once more, behind the change
            unlike(states[1 - at], net.router, what)
        elif done.returncode == 4:
            doubts += 1
            assert "run" in done.stderr, f"{what}: says nothing to run: {done.stderr}"
        else:
            assert done.returncode == 3, f"{what}: {done.stderr}"
            unlike(states[at], net.router, what)
        policies[1 - at].up()
        at = 1 - at
        unlike(states[at], net.router, f"{what}, and applied again")
    note(f"{name}: all fail from each of {len(numbers(sent))} messages on: {doubts} doubts")


def test_remove(net):
    """fault: remove: every message refused: removed, or still there"""
    policies = crossed(net)
    bare = kernel(net.router)
    state, = fresh(net, policies[:1])
    policies[0].up()
    _, sent, _ = faulty(net, "remove")
    for code in REFUSALS:
        for number in numbers(sent):
            policies[0].up()
            done, _, _ = faulty(net, "remove", at=number, how="refuse",
                                code=getattr(errno, code))
            judge(net, done, state, bare, f"remove, {code} at message {number}")


def test_link(net):
    """fault: a link that vanishes between reading and writing: left out, or nothing changed"""
    policies = crossed(net)
    policies[0].up()
    path = str(policies[0].path)
    policies[0].down()
    _, sent, _ = faulty(net, "apply", path)
    policies[0].down()
    bare = kernel(net.router)
    applied = 0
    for number in numbers(sent):
        done, _, _ = faulty(net, "apply", path, at=number, how="command",
                            command="ip link del wg0")
        what = f"wg0 gone at message {number}: exit {done.returncode}: {done.stderr}"
        assert done.returncode in (0, 3), what
        now = ways(net)
        if done.returncode == 0:
            applied += 1
            assert "origin" not in now, f"{what}: packets left in the clear: {now}"
        net.connect("wg0")
        policies[0].up()
        policies[0].down()
        settle(lambda: kernel(net.router) == bare)  # a new link's own routes come late
        unlike(bare, net.router, f"{what}, mended, applied and removed")
    note(f"a link gone at each of {len(numbers(sent))} messages: applied {applied} times")


WALL = """version: 1
sets: {x: [203.0.113.0/24, 198.51.100.7, "2001:db8:113::/48"]}
rules: [{to: x, then: drop}]
"""
MEDDLING = {  # a foreign change of a set at that moment -> what the program says of it
    "nft add element inet tpc x_v4 '{ 10.0.0.0/9 }'":
        ("x_v4: 10.1.0.0-10.2.255.255: added, or a part of it, from outside",),
    "nft flush set inet tpc x_v4": ("x_v4: 198.51.100.7: removed from outside",),
}


@pytest.mark.parametrize("command, words", MEDDLING.items())
def test_element(net, command, words):
    """fault: `{command}` between reading and writing: set and element are named"""
    one = Policy(net, WALL)
    two = Policy(net, WALL.replace("198.51.100.7", "10.1.0.0-10.2.255.255"))
    one.up()
    _, sent, _ = faulty(net, "apply", str(two.path))
    said = []
    for number in range(1, sent + 1):
        one.down().up()
        done, _, _ = faulty(net, "apply", str(two.path), at=number, how="command",
                            command=command)
        assert done.returncode in (0, 3), f"at message {number}: {done.stderr}"
        if done.returncode:
            said.append(done.stderr)
        two.up()
        state = kernel(net.router)
    assert said, "never refused"
    for word in words:
        assert any(word in text for text in said), f"no {word!r} in {said}"
    two.down().up()
    unlike(state, net.router, "the last one, applied again after the meddling, and fresh")
