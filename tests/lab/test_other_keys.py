"""The language's small rows: files that are one, priorities of the hook, a table's numbers, sources and sizes, log lines."""

import json
import os
import re
import socket
import subprocess
import time

import probe
from lab import FOREIGN, ROUTER, UPLINKS, Network
from policy import Policy
from outcomes import answered, fails

FAMILIES = (4, 6)


def test_include(net):
    """language: a policy in several files is one"""
    Policy(net, """version: 1
include: [sets.yaml, more.yaml]
rules: [{to: blocked, proto: tcp, port: 80, then: reject}]
""", files={"sets.yaml": 'sets: {blocked: [203.0.113.8, "2001:db8:113::8"]}\n',
        "more.yaml": "version: 1\nrules: [{to: blocked, proto: tcp, port: 443, then: direct}]\n"
                     "default: {forward: reject}\n"}).up()
    for version in FAMILIES:
        fails(probe.ask(net.client, "tcp", FOREIGN[version], 80))
        answered(probe.ask(net.client, "tcp", FOREIGN[version], 443), "origin")
        fails(probe.ask(net.client, "tcp", FOREIGN[version], 22))


def test_hook_priority():
    """language: hook_priority: foreign marks from before are matched, later ones are not"""
    for priority, seen in ((-120, True), (-170, False)):
        with Network() as net:
            net.router.nft("""table inet theirs {
    chain before {
        type filter hook prerouting priority -155;
        iifname "lan0" meta mark set 5
    }
}""")
            Policy(net, f"""version: 1
settings: {{hook_priority: {priority}}}
rules: [{{mark: 5, proto: tcp, then: reject}}]
""").up()
            for version in FAMILIES:
                outcome = probe.ask(net.client, "tcp", FOREIGN[version], 80)
                fails(outcome) if seen else answered(outcome, "origin")


def _too_large(host, version):
    """The path's size, as a datagram that was too large for it learned."""
    ip = socket.IPPROTO_IPV6 if version == 6 else socket.IPPROTO_IP
    discover, mtu = (23, 24) if version == 6 else (10, 14)  # IP_MTU_DISCOVER, IP_MTU: linux/in.h
    with host:
        sock = socket.socket(probe.family_of(FOREIGN[version]), socket.SOCK_DGRAM)
    with sock:
        sock.setsockopt(ip, discover, 2)  # IP_PMTUDISC_DO
        sock.connect((FOREIGN[version], 5000))
        deadline = time.monotonic() + 20
        while time.monotonic() < deadline:
            try:
                sock.send(b"x" * 1400)
            except OSError:
                break
            time.sleep(0.02)
        return sock.getsockopt(ip, mtu)


def test_route_words(network):
    """language: a table's src, metric, mtu and an onlink gateway"""
    net = network(uplinks=("wan0", "wan1", "wg0", "wg1"))
    net.router.ip("address add 10.99.0.7/32 dev wg0")
    net.router.ip("address add fd00:99::7/128 dev wg0 nodad", "-6")
    net.mobile.ip("address add 10.77.0.1/32 dev eth0")
    net.mobile.ip("address add fd00:77::1/128 dev eth0 nodad", "-6")
    Policy(net, """version: 1
tables:
  sized: {dev: wg0, src: [10.99.0.7, "fd00:99::7"], mtu: 1300, mark: 0x66, id: 4242, priority: 9000}
  pair:
    routes: [{dev: wg0, metric: 20}, {dev: wg1, metric: 10}]
    masquerade: true
  far: {via: [10.77.0.1, "fd00:77::1"], dev: wan1, onlink: true, masquerade: true}
rules:
  - {in: lan0, proto: udp, port: 5000, then: {route: sized}}
  - {in: lan0, proto: tcp, port: 80, then: {route: pair}}
  - {in: lan0, proto: tcp, port: 443, then: {route: far}}
""").up()
    for version in FAMILIES:
        assert _too_large(net.client, version) == 1300, f"the path's size over IPv{version}"
        # A program that marks its own packets has its source chosen by the table.
        answered(probe.ask(net.router, "tcp", FOREIGN[version], 22, identity=probe.Identity(mark=0x66)),
                 "vpn", peer={4: "10.99.0.7", 6: "fd00:99::7"}[version])
        answered(probe.ask(net.client, "tcp", FOREIGN[version], 80), "vpn2")
        answered(probe.ask(net.client, "tcp", FOREIGN[version], 443), "mobile",
                 peer=UPLINKS["wan1"][1][version])
    rules = net.router.run("ip", "-N", "rule").stdout
    assert "9000:\tfrom all fwmark 0x66 lookup 4242" in rules, rules
    net.router.ip("link set wg1 down")
    for version in FAMILIES:
        answered(probe.ask(net.client, "tcp", FOREIGN[version], 80), "vpn")


def test_family(net):
    """language: a rule about one family leaves the other alone"""
    Policy(net, """version: 1
settings: {ipv6: off}
rules: [{proto: tcp, port: 80, then: reject}]
""").up()
    fails(probe.ask(net.client, "tcp", FOREIGN[4], 80))
    answered(probe.ask(net.client, "tcp", FOREIGN[6], 80), "origin")
    Policy(net, """version: 1
rules:
  - {family: ipv6, proto: tcp, port: 80, then: reject}
  - {family: {not: ipv6}, proto: tcp, port: 443, then: reject}
""").up()
    for port, refused in ((80, 6), (443, 4)):
        fails(probe.ask(net.client, "tcp", FOREIGN[refused], port))
        answered(probe.ask(net.client, "tcp", FOREIGN[10 - refused], port), "origin")


def test_once(net):
    """language: a packet that matches a rule in several ways is counted once"""
    Policy(net, """version: 1
sets: {near: [203.0.113.0/24, "2001:db8:113::/48"]}
rules:
  - {in: [lan0, "la*"], to: [near, 203.0.113.8, "2001:db8:113::8"], proto: udp, count: true, then: continue}
""").up()
    for version in FAMILIES:
        answered(probe.ask(net.client, "udp", FOREIGN[version], 53), "origin")
    listed = json.loads(net.router.run("nft", "-j", "list", "counters").stdout)["nftables"]
    assert [item["counter"]["packets"] for item in listed if "counter" in item] == [2], "packets counted"


# ---- log ----

class Trace:
    """
    The log lines that the rules of a host write, by the kernel's own account of which rules a packet meets:
    the kernel's log itself is the machine's and not a namespace's.
    """

    def __init__(self, host):
        host.nft("""table inet watch {
    chain every {
        type filter hook prerouting priority -300;
        iifname "lan0" meta nftrace set 1
    }
}""")
        with host:
            self.process = subprocess.Popen(["nft", "monitor", "trace"], stdout=subprocess.PIPE)
        os.set_blocking(self.process.stdout.fileno(), False)
        self.text = ""

    def wait(self, poke):
        """Until packets are told of: the program takes a moment to listen."""
        deadline = time.monotonic() + 30
        while not self.process.stdout.read() and time.monotonic() < deadline:
            poke()
            time.sleep(0.02)
        self.take()

    def take(self, least=0):
        """The prefixes since the last call, when so many have come and the kernel's account is quiet."""
        deadline = time.monotonic() + 20
        quiet, found = 0, []
        while (quiet < 5 or len(found) < least) and time.monotonic() < deadline:
            time.sleep(0.02)
            read = self.process.stdout.read() or b""
            quiet = 0 if read else quiet + 1
            self.text += read.decode()
            found = re.findall(r'rule .*log prefix "([^"]*)".*\(verdict', self.text.rpartition("\n")[0])
        self.text = self.text.rpartition("\n")[2]
        return found

    def close(self):
        self.process.terminate()
        self.process.wait()
        self.process.stdout.close()


def test_log(net):
    """language: a rule that logs writes the first packet of a connection, or every packet it refuses"""
    Policy(net, """version: 1
listeners: {p: {tproxy: 12345}}
rules:
  - {proto: tcp, port: 443, then: reject, log: "no "}
  - {proto: udp, port: 53, then: continue, log: "asked "}
  - {proto: udp, port: 5000, then: continue, log: "few ", limit: 1/day}
  - {proto: tcp, port: 80, then: {proxy: p}, log: "taken "}
""").up()
    net.listener()
    lines = net.add(Trace(net.router))
    lines.wait(lambda: probe.ping(net.client, ROUTER[4]))
    for version in FAMILIES:
        fails(probe.ask(net.client, "tcp", FOREIGN[version], 443))
        assert lines.take(1) == ["no "], "lines of a refusal"
        answered(probe.ask(net.client, "udp", FOREIGN[version], 53), "origin")
        assert lines.take(1) == ["asked "], "lines of a datagram"
        answered(probe.ask(net.client, "tcp", FOREIGN[version], 80), "proxy")
        assert lines.take(1) == ["taken "], "lines of a connection of several packets"
    for _ in range(20):
        answered(probe.ask(net.client, "udp", FOREIGN[4], 5000), "origin")
    found = lines.take(1)
    assert set(found) == {"few "} and len(found) < 10, f"lines under a limit: {found}"
