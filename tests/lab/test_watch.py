"""
`tpc watch`: what the host loses of a policy comes back by itself: a link that returns, a lease that changes, a
flushed ruleset; and the policy's file is applied when it changes.
"""

import json
import os
import signal
import socket
import subprocess
import time

import pytest

import probe
from lab import FOREIGN, UPLINKS
from outcomes import nothing
from policy import TPC, Policy, kernel
from test_learnt import NEXT, THEIRS, held, learn
from test_uplinks import all_ask, all_fail, world

POLICY = """version: 1
tables: {vpn: {id: 7100, dev: wg0, masquerade: true, fallback: unreachable}}
rules: [{in: lan0, then: {route: vpn}}]
"""
LEARNT = POLICY.replace("dev: wg0", "via: auto, dev: wan1")


@pytest.fixture(name="net")
def made():
    with world() as net:
        yield net


class Watch:
    """The program at work in the router; what it says is kept."""

    def __init__(self, net, *arguments, environment=None):
        self.said = open(os.path.join(net.directory, "watch"), "w+", encoding="utf-8")
        with net.router:
            self.process = subprocess.Popen([TPC, "watch", *arguments], stderr=self.said,
                                            stdout=self.said, env={**os.environ, **(environment or {})})
        net.add(self)

    def text(self):
        self.said.flush()
        with open(self.said.name, encoding="utf-8") as file:
            return file.read()

    def end(self):
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
            self.process.wait(10)

    def close(self):
        self.end()
        self.said.close()


def until(holds, seconds=5):
    """The time in milliseconds that it took."""
    begin = time.monotonic()
    while not holds():
        assert time.monotonic() - begin < seconds, "it does not come"
        time.sleep(0.002)
    return (time.monotonic() - begin) * 1000


def route(net, version=4):
    return net.router.run("ip", f"-{version}", "route", "show", "table", "7100", check=False).stdout.strip()


def has_table(net):
    return "tpc" in net.router.run("nft", "list", "tables").stdout


def started(net, text=POLICY):
    policy = Policy(net, text)
    watch = Watch(net, str(policy.path))
    until(lambda: has_table(net) and route(net) and route(net, 6))
    return policy, watch


def test_link(net):
    """watch: routes come back with their link, and meanwhile the fallback holds"""
    _, watch = started(net)
    all_ask(net, net.client, "vpn", "wg0")
    clear = net.sniff("origin")
    net.router.ip("link set wg0 down")
    all_fail(net.client)
    net.link_up("wg0")
    until(lambda: route(net) and route(net, 6))
    all_ask(net, net.client, "vpn", "wg0")
    net.router.ip("link del wg0")
    all_fail(net.client)
    net.connect("wg0")
    until(lambda: route(net) and route(net, 6))
    all_ask(net, net.client, "vpn", "wg0")
    nothing(clear)
    assert "tpc: repaired: " in watch.text(), watch.text()


def test_lease(net):
    """watch: a learnt gateway is followed when it comes, changes and goes"""
    for version, bits in ((4, 24), (6, 64)):
        net.mobile.ip(f"address add {NEXT[version]}/{bits} dev eth0 {'nodad' if version == 6 else ''}")
    policy = Policy(net, LEARNT)
    Watch(net, str(policy.path))
    until(lambda: has_table(net))
    assert held(net, 4) == held(net, 6) == []
    learn(net, THEIRS)
    until(lambda: held(net, 4) == [THEIRS[4]] and held(net, 6) == [THEIRS[6]])
    all_ask(net, net.client, "mobile", "wan1")
    learn(net, NEXT, "replace")
    until(lambda: held(net, 4) == [NEXT[4]] and held(net, 6) == [NEXT[6]])
    clear = net.sniff("origin")
    for version in 4, 6:
        net.router.ip("route del default metric 700", f"-{version}")
    until(lambda: held(net, 4) == held(net, 6) == [])
    all_fail(net.client)
    nothing(clear)


@pytest.mark.parametrize("harm", [
    ("nft", "flush", "ruleset"), ("nft", "delete", "table", "inet", "tpc"), ("ip", "rule", "flush", "proto", "116"),
    ("ip", "route", "flush", "table", "7100"), ("ip", "-6", "rule", "flush", "proto", "116")])
def test_harm(net, harm):
    """watch: what another program flushes is put back, as it was"""
    started(net)
    state = kernel(net.router)
    net.router.run(*harm)
    until(lambda: kernel(net.router) == state)
    all_ask(net, net.client, "vpn", "wg0")


def test_file(net):
    """watch: a changed file is applied, a wrong one is not, and the one before stays"""
    policy, watch = started(net)
    policy.path.write_text(POLICY.replace("version: 1", "version: 1\nnonsense: 1"))
    until(lambda: "nonsense" in watch.text())
    all_ask(net, net.client, "vpn", "wg0")
    policy.path.write_text(POLICY.replace("in: lan0", "in: lan0, to: 192.0.2.77"))
    until(lambda: answered_by(net, "origin"))
    fresh = policy.path.with_name("fresh")
    fresh.write_text(POLICY)
    fresh.rename(policy.path)  # as editors do
    until(lambda: answered_by(net, "vpn"))


def test_file_meanwhile(net):
    """watch: a file that is written while it is read for the first time is read again"""
    for turn in range(6):
        policy = Policy(net, POLICY)
        watch = Watch(net, str(policy.path))
        time.sleep(0.01 * turn)
        policy.path.write_text(POLICY.replace("in: lan0", f"in: lan0, to: 192.0.2.{turn}"))
        until(lambda: f"192.0.2.{turn}" in net.router.run("nft", "list", "ruleset").stdout)
        watch.close()
        policy.down()


def answered_by(net, who):
    return probe.ask(net.client, "tcp", FOREIGN[4], 443, timeout=0.3).who == who


def test_not_ready(net):
    """watch: a policy that has errors from the beginning is not ready, whatever happens on the host, until it is right"""
    policy = Policy(net, "version: 1\nnonsense: 1\n")
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
        manager.settimeout(5)
        manager.bind(os.path.join(net.directory, "manager"))
        watch = Watch(net, str(policy.path), environment={"NOTIFY_SOCKET": manager.getsockname()})
        assert b"has errors" in manager.recv(1000)
        net.router.ip("link set wg0 down")
        assert b"has errors" in manager.recv(1000)
        policy.path.write_text(POLICY)
        until(lambda: b"READY=1" in manager.recv(1000))
        assert has_table(net) and "nonsense" in watch.text()


def test_remove(net):
    """watch: what is removed by hand stays away, until it is applied again"""
    policy, watch = started(net)
    policy.down()
    until(lambda: "[watch-gone]" in watch.text())
    net.router.ip("link set wg0 down")
    net.link_up("wg0")
    policy.path.write_text(POLICY + "# changed\n")
    time.sleep(0.6)
    assert not has_table(net) and not route(net), watch.text()
    policy.up()
    net.router.ip("link set wg0 down")
    net.link_up("wg0")
    until(lambda: route(net))
    policy.path.write_text(POLICY)
    time.sleep(0.1)  # an apply of the file waits for its end
    policy.down()
    time.sleep(0.6)
    assert not has_table(net) and not route(net), watch.text()


def test_by_hand(net):
    """watch: an apply, a confirmed one and a rollback beside it are its policy from then on"""
    policy, _ = started(net)
    other = Policy(net, POLICY.replace("dev: wg0", "dev: wan1, via: 198.51.100.1"))
    other.up()
    net.router.run("nft", "flush", "ruleset")
    until(lambda: has_table(net))
    assert "wan1" in route(net)
    policy.tpc("rollback")
    net.router.run("nft", "flush", "ruleset")
    until(lambda: has_table(net) and "wg0" in route(net))


def test_end(net):
    """watch: ended, it leaves the policy in force and says how to remove it; not when it is removed already"""
    _, watch = started(net)
    watch.end()
    all_ask(net, net.client, "vpn", "wg0")
    assert "tpc remove tpc [watch-ended]" in watch.text(), watch.text()
    again = Watch(net, "tpc")
    time.sleep(0.3)
    net.router.run(TPC, "remove", "tpc")
    until(lambda: "[watch-gone]" in again.text())
    again.end()
    assert "[watch-ended]" not in again.text().split("[watch-gone]")[1], again.text()


def test_name(net):
    """watch: with a name what is applied is kept; a name that nothing has is refused"""
    policy = Policy(net, POLICY).up()
    done = net.router.run(TPC, "watch", "nobody", check=False)
    assert done.returncode == 3 and 'there is no file "nobody"' in done.stderr, done
    Watch(net, "tpc")
    time.sleep(0.3)
    policy.path.unlink()
    net.router.run("nft", "flush", "ruleset")
    until(lambda: answered_by(net, "vpn"))
    all_ask(net, net.client, "vpn", "wg0")


def test_storm(net):
    """watch: against a program that flushes again and again it backs off, and says so"""
    _, watch = started(net)
    end = time.monotonic() + 4
    flushes = 0
    while time.monotonic() < end:
        if has_table(net):
            net.router.run("nft", "flush", "ruleset")
            flushes += 1
        time.sleep(0.02)
    assert "[watch-storm]" in watch.text(), watch.text()
    assert flushes < 20, flushes
    until(lambda: has_table(net), 10)


def test_flapping(net):
    """watch: a link that goes and comes again and again is no storm: it is followed each time"""
    policy = Policy(net, LEARNT)
    watch = Watch(net, str(policy.path))
    until(lambda: has_table(net))
    for _ in range(12):
        learn(net, THEIRS)
        until(lambda: held(net, 4) == [THEIRS[4]] and held(net, 6) == [THEIRS[6]], 2)
        for version in 4, 6:
            net.router.ip("route del default metric 700", f"-{version}")
        until(lambda: held(net, 4) == held(net, 6) == [], 2)
    assert "watch-storm" not in watch.text(), watch.text()


def test_cost(net):
    """watch: idle it costs nothing, and stays small, whatever the policy holds"""
    lines = "".join(f"{11 + (i >> 16)}.{i >> 8 & 255}.{i & 255}.0/32\n" for i in range(50000))
    policy = Policy(net, POLICY.replace("version: 1", "version: 1\nsets: {big: [{file: big.txt}]}").replace(
        "in: lan0", "in: lan0, to: {not: big}"), {"big.txt": lines})
    watch = Watch(net, str(policy.path))
    until(lambda: has_table(net) and route(net), 20)
    time.sleep(1)
    net.router.ip("link set wg0 down")
    net.link_up("wg0")
    until(lambda: route(net))
    time.sleep(0.5)
    stat = f"/proc/{watch.process.pid}/"

    def used():
        with open(stat + "stat", encoding="ascii") as file:
            fields = file.read().rpartition(")")[2].split()
        return int(fields[11]) + int(fields[12])

    before = used()
    time.sleep(1)
    assert used() - before <= 1, "it is at work while nothing happens"
    with open(stat + "status", encoding="ascii") as file:
        status = dict(line.split(":", 1) for line in file.read().splitlines())
    assert int(status["VmRSS"].split()[0]) < 10240, status["VmRSS"]
    assert int(status["CapEff"], 16) == 1 << 12 and int(status["CapBnd"], 16) in (0, 1 << 12), status


def test_events(net):
    """watch: --format json says an object a line for each event"""
    policy = Policy(net, POLICY)
    watch = Watch(net, str(policy.path), "--format", "json")
    until(lambda: route(net))
    net.router.run("ip", "route", "flush", "table", "7100")
    until(lambda: route(net))
    until(lambda: "repaired" in watch.text())
    events = [json.loads(line) for line in watch.text().splitlines()]
    assert [event["event"] for event in events][:2] == ["applied", "repaired"], events


def test_addresses(net):
    """watch: a set of an interface's addresses follows them, without another commit of the rules"""
    policy = Policy(net, """version: 1
sets: {mine: {addresses_of: wan1}}
tables: {vpn: {id: 7100, dev: wg0, masquerade: true, fallback: unreachable}}
rules: [{in: lan0, from: mine, then: drop}, {in: lan0, then: {route: vpn}}]
""")
    Watch(net, str(policy.path))
    until(lambda: has_table(net) and route(net) and route(net, 6))

    def listed():
        return net.router.run("nft", "list", "ruleset").stdout

    until(lambda: UPLINKS["wan1"][1][4] in listed())
    for version, address, bits in ((4, "198.51.100.77", 24), (6, "2001:db8:2::77", 64)):
        net.router.ip(f"address add {address}/{bits} dev wan1 {'nodad' if version == 6 else ''}")
        until(lambda: address in listed())
        net.router.ip(f"address del {address}/{bits} dev wan1")
        until(lambda: address not in listed())
