"""
What the torture cases share: how long they run, the pairs of policies that take turns, floods, and
the ends where packets are counted.

    flood from client and router ---> router ---> vpn (by wg0), vpn2 (by wg1), origin (clear)

Two addresses a family are watched, X and Y. A pair says by which ways each may go; whatever comes
out elsewhere has taken a way that neither policy allows.
"""

import contextlib
import json
import os
import pathlib
import random
import re
import signal
import subprocess
import threading

import pytest

import probe
from lab import Network
from policy import ROOT, TPC, Policy, different, kernel

LONG = os.environ.get("TORTURE") == "long"
SEED = int(os.environ.get("SEED") or 1)
TOOLS = pathlib.Path(os.environ.get("BUILD", str(ROOT / "build"))).resolve() / "torture"
X = {4: "203.0.113.8", 6: "2001:db8:113::8"}
Y = {4: "203.0.113.200", 6: "2001:db8:113:f::8"}
WATCHED = {"x4": X[4], "x6": X[6], "y4": Y[4], "y6": Y[6]}
ENDS = ("origin", "vpn", "vpn2")


def by_length(short, long):
    return long if LONG else short


def note(text):
    """A line of the report beside the results."""
    print(f"# {text}", flush=True)


def dice(what):
    """Chance that is the same for the same seed; the seed is in the report."""
    note(f"{what}: SEED={SEED}")
    return random.Random(f"{SEED} {what}")


def network():
    return Network(uplinks=("wan0", "wg0", "wg1"))


# ---- policies ----

def filling(count, first):
    """As many prefixes that no packet goes to, of both families; `first` makes them others."""
    lines = []
    for number in range(count // 2):
        lines.append(f"{11 + first}.{number >> 15 & 255}.{number >> 7 & 255}.{(number & 127) * 2}/32")
        lines.append(f"2001:db8:{first + 1:x}:{number >> 16:x}:{number & 0xffff:x}::/80")
    return lines


def text(way_x, way_y, tables=("one", "two"), before=(), extra="", numbers=""):
    """With numbers a table has those of its place."""
    devices = {"one": "wg0", "two": "wg1", "three": "wg1"}
    ways = "".join(f"  {name}: {{dev: {devices[name]}, fallback: unreachable, masquerade: true"
                   f"{numbers and f', id: {7001 + at}, mark: {17 + at}'}}}\n"
                   for at, name in enumerate(tables))
    rules = [*before, f"{{scope: both, to: x, then: {{route: {way_x}}}}}",
             f"{{scope: both, to: y, then: {{route: {way_y}}}}}", f"{{in: lan0, then: {{route: {way_x}}}}}"]
    return (f"version: 1\nsets:\n  x: [{{file: x.txt}}]\n  y: [{{file: y.txt}}]\ntables:\n{ways}{extra}"
            "rules:\n" + "".join(f"  - {rule}\n" for rule in rules))


def lists(count, first, x, y):
    """
    Half of the elements in each set, and what is watched; one in ten is another when `first` is.
    """
    same, other = max(count // 2 * 9 // 10, 2), max(count // 20, 2)
    return {name: "\n".join([*filling(same, 10 + at), *filling(other, first + at), *watched]) + "\n"
            for name, at, watched in (("x.txt", 0, x), ("y.txt", 4, y))}


NARROW = ([X[4], X[6]], [Y[4], Y[6]])
WIDE = (["203.0.113.0/25", "2001:db8:113::/64"], ["203.0.113.128/25", "2001:db8:113:f::/64"])


def sets_alone(net, count):
    """Only the contents change, so they change in place; X and Y stay in, by other elements."""
    return [Policy(net, text("one", "two"), lists(count, first, *watched), name="sets")
            for first, watched in ((0, NARROW), (1, WIDE))]


def all_at_once(net, count):
    """Other sets, other rules before and behind, the tables with each other's marks and ids, and a listener."""
    more = "listeners: {p: {tproxy: 12345, runs_as: {user: 1001}}}\n"
    before = ["{scope: both, to: 198.51.100.0/25, proto: tcp, then: {proxy: p}}",
              "{to: 192.0.2.77, then: drop}"]
    return [Policy(net, text("one", "two", numbers="given"), lists(count, 0, *NARROW), name="all"),
            Policy(net, text("one", "two", ("two", "one"), before, more, "given"),
                   lists(count, 1, *WIDE), name="all")]


def crossed(net, count=10):
    """X and Y change their ways, so that what packets do says which policy it is; one way is by a table
    that only the second policy has."""
    return [Policy(net, text("one", "two"), lists(count, 0, *NARROW), name="crossed"),
            Policy(net, text("three", "one", ("one", "two", "three")), lists(count, 1, *WIDE),
                   name="crossed")]


def crossed_in_place(net, count=10):
    """The same by the contents of the two sets alone."""
    return [Policy(net, text("one", "two"), lists(count, 0, *NARROW), name="place"),
            Policy(net, text("one", "two"), lists(count, 0, *reversed(NARROW)), name="place")]


def fresh(net, policies):
    """What the kernel holds after each of them alone, from nothing; leaves nothing behind."""
    states = []
    for policy in policies:
        policy.up()
        states.append(kernel(net.router))
        policy.down()
    return states


# ---- where packets come out ----

class Ends:
    """Counts what arrives at the far ends; the flood's packets end there."""

    def __init__(self, net):
        self.net = net
        for name in ENDS:
            lines = "".join(
                f"  counter {key} {{ }}\n" for key in WATCHED)
            rules = "".join(
                f"    ip{'6' if ':' in address else ''} daddr {address} udp dport 5000-5015 "
                f"counter name {key} drop\n" for key, address in WATCHED.items())
            net.hosts[name].nft(f"table inet watch {{\n{lines}  chain passing {{\n"
                                "    type filter hook prerouting priority -400\n"
                                f"{rules}  }}\n}}\n")

    def counts(self):
        """{"vpn": {"x4": 17, ...}, ...}"""
        found = {}
        for name in ENDS:
            items = json.loads(self.net.hosts[name].run(
                "nft", "-j", "list", "counters", "table", "inet", "watch").stdout)["nftables"]
            found[name] = {item["counter"]["name"]: item["counter"]["packets"]
                           for item in items if "counter" in item}
        return found

    def astray(self, allowed=(("x", "vpn"), ("y", "vpn2"))):
        """Packets that came out where they never may, by place."""
        return {f"{key} at {name}": number for name, counts in self.counts().items()
                for key, number in counts.items() if number and (key[0], name) not in allowed}

    def arrived(self):
        """Of each watched address, how many came out anywhere."""
        counts = self.counts()
        return {key: sum(counts[name][key] for name in ENDS) for key in WATCHED}


@contextlib.contextmanager
def flood(net, seconds=1700):
    """Datagrams from the client and from the router itself; yields what was sent when it is over."""
    # Two from the client, since one processor alone may not send as many.
    paces = [(net.client, by_length(15000, 65000))] * 2 + [(net.router, by_length(5000, 20000))]
    running, result = [], {}
    for host, pace in paces:
        with host:
            running.append(subprocess.Popen(
                [str(TOOLS / "flood"), str(pace), str(seconds), *WATCHED.values()],
                stdout=subprocess.PIPE, text=True))
    try:
        yield result
    finally:
        for process in running:
            process.send_signal(signal.SIGTERM)
        said = [process.communicate()[0].split() for process in running]
        result["sent"] = sum(int(words[0]) for words in said)
        result["rate"] = sum(int(words[1]) for words in said)


def strong(result, ends):
    """Every watched address got through; skips where the flood was none, by what was asked for."""
    arrived = ends.arrived()
    assert all(arrived.values()), f"nothing came out of some: {arrived}"
    least = by_length(1000, 100000)
    if result["rate"] < least:
        pytest.skip(f"no more than {result['rate']} packets a second here, of the {least} that are to be")


def ways(net):
    """
    Who answers for each watched address, from the client: the policy as packets see it. Only who
    is silent thrice is: a busy machine loses packets.
    """
    found = {}

    def ask(key, address):
        for _ in range(3):
            outcome = probe.ask(net.client, "udp", address, 53, timeout=1.0)
            found[key] = outcome.who if outcome.kind == "answer" else outcome.kind
            if outcome.kind != "silence":
                break

    threads = [threading.Thread(target=ask, args=item) for item in WATCHED.items()]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return tuple(found[key] for key in WATCHED)


# ---- runs of the program ----

def killed_at(net, number, whom, *words):
    """(how it ended, system calls counted, number of the call it was killed at or -1); with number 0
    those behind which something was sent, instead of the last"""
    said = net.router.run(str(TOOLS / "killat"), str(number), whom, TPC, *words, check=False)
    how, status, calls, call, *behind = said.stdout.splitlines()[-1].split()
    return f"{how} {status}", int(calls), int(call) if number else [int(at) for at in behind]


def faulty(net, *words, at=0, how="send", code=0, times=1, command=""):
    """Runs the program with one of its netlink messages failing; (result, sent, received)."""
    counts = pathlib.Path(net.directory) / "fault.counts"
    counts.unlink(missing_ok=True)
    more = {"LD_PRELOAD": str(TOOLS / "fault.so"), "FAULT_FILE": str(counts), "FAULT_AT": str(at),
            "FAULT_HOW": how, "FAULT_ERRNO": str(code), "FAULT_TIMES": str(times),
            "FAULT_COMMAND": command, "ASAN_OPTIONS": "verify_asan_link_order=0"}
    done = net.router.run(TPC, *words, check=False, env={**os.environ, **more})
    data = counts.read_bytes()
    return done, int.from_bytes(data[:4], "little"), int.from_bytes(data[4:8], "little")


def one_name(state):
    """
    A set has one of two names, in turn ("x_v4", "x_v4.2"): the same for both. And what the rules remember of the
    flood's connections is no part of a state.
    """
    text = re.sub(r'([ @"=][a-z_][\w.]*)\.2(?=[" ])', r"\1", json.dumps(state))
    state = json.loads(text)
    for item in state.get("nft", ()):
        if item.get("set", {}).get("name", "").startswith("flows."):
            item["set"].pop("elem", None)
    return state


def unlike(state, host, what):
    """Fails unless the kernel holds this state."""
    lines = different(one_name(state), one_name(kernel(host)))
    assert not lines, f"{what}:\n" + "\n".join(lines)
