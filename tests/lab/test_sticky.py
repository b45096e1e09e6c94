"""
Lists of tables: a connection stays on the table that took it, when one before that returns, and when an update
changes their order. Datagrams go where the list says, unless it says `sticky: true`.
"""

import contextlib
import itertools

import pytest

import probe
from test_carrier import plug, pull
from lab import FOREIGN, UPLINKS, Network
from policy import Policy

PORT = 4433
BOTH = 4, 6
NAMES = {"wan0": "origin", "wan1": "mobile", "wg0": "vpn"}


class Held(probe.Echo):
    """Answers each line of a connection, and each datagram, with its name."""

    def on_stream(self, child, peer):
        child.setblocking(False)
        self.sockets.append(child)
        probe.engine().add(child, lambda: self._answer(child))

    def _answer(self, child):
        gone = True
        with contextlib.suppress(OSError):
            gone = not child.recv(2048)
            if not gone:
                child.sendall(self.name.encode())
        if gone:
            probe.engine().drop([child])

    def datagram(self, data, text):
        return self.name.encode()


class Talk:
    def __init__(self, host, proto, version, source=None):
        self.sock = probe.NOBODY_SPECIAL.open(host, probe.family_of(FOREIGN[version]), probe.SOCKETS[proto])
        self.sock.settimeout(2)
        if source:
            self.sock.bind((source, 0))
        self.sock.connect((FOREIGN[version], PORT))

    def who(self):
        """Who answers now; "" where none does, "cut" where the connection is refused."""
        try:
            self.sock.send(b"who\n")
            return self.sock.recv(2048).decode() or "cut"
        except (ConnectionError, TimeoutError) as error:
            return "cut" if isinstance(error, ConnectionError) else ""

    def close(self):
        self.sock.close()


def world():
    net = Network(uplinks=("wan0", "wan1", "wg0"))
    for name in NAMES.values():
        net.add(Held(net.hosts[name], (PORT,), (PORT,)))
    # What the router sends itself is looked up in main first, and main's own default may be dead.
    for version, gateway in UPLINKS["wan1"][2].items():
        net.router.ip(f"route add default via {gateway} dev wan1 metric 2000", f"-{version}")
    return net


@pytest.fixture(name="net")
def made():
    with world() as net:
        yield net


def text(then, translated="masquerade: true", more=""):
    return f"""version: 1
sets: {{hot: {{dynamic: true}}}}
tables:
  fibre: {{via: [192.0.2.1, "2001:db8:1::1"], dev: wan0, {translated}}}
  mobile: {{via: [198.51.100.1, "2001:db8:2::1"], dev: wan1, {translated}}}
  vpn: {{dev: wg0, {translated}}}
rules:
{more}  - {{scope: both, to: [203.0.113.0/24, "2001:db8:113::/48"], then: {then}}}
"""


LIST = "{route: [fibre, mobile, unreachable]}"
TURNED = "{route: [mobile, fibre, unreachable]}"
# With a rule that may change its mind before it, connections keep their way by a value of their own.
KEPT = "  - {scope: both, to: hot, then: {route: vpn}}\n"
COUNTED = LIST[:-1] + "}, count: true, name: far"


def all_say(talks, who, what):
    assert [talk.who() for talk in talks] == [who] * len(talks), what


def opened(net, hosts, proto="tcp"):
    return [net.add(Talk(host, proto, version)) for host, version in itertools.product(hosts, BOTH)]


@pytest.mark.parametrize("how, words", [
    ("no state", {}),
    ("state", {"more": KEPT}),
    ("no translation", {"translated": "prefer_main: true"}),
])
def test_stays(net, how, words):
    """sticky: {how}: connections stay when the first table returns, and when the list is reordered"""
    hosts = net.client, net.router
    policy = Policy(net, text(LIST, **words)).up()
    first = opened(net, hosts)
    all_say(first, "origin", "made by the first")
    pull(net, "wan0", "origin")
    second = opened(net, hosts)
    all_say(second, "mobile", "made while the first was away")
    plug(net, "wan0", "origin")
    all_say(second, "mobile", "the first is back")
    all_say(first, "origin", "the first's own are back")
    all_say(opened(net, hosts), "origin", "new ones")
    turned = Policy(net, text(TURNED, **words)).up()
    all_say(second, "mobile", "in another order")
    all_say(first, "origin", "in another order, the first's own")
    all_say(opened(net, hosts), "mobile", "new ones, in another order")
    assert "everything holds" in turned.tpc("status").stdout
    policy.down()


def test_counted():
    """sticky: a rule that counts, loaded by hand and by the script"""
    for way in "hand", "sh":
        with world() as net:
            Policy(net, text(COUNTED, more=KEPT)).up(way)
            pull(net, "wan0", "origin")
            talks = opened(net, (net.client, net.router))
            all_say(talks, "mobile", f"{way}: made while the first was away")
            plug(net, "wan0", "origin")
            all_say(talks, "mobile", f"{way}: the first is back")


def test_moving(net):
    """sticky: false: connections follow the list, and are reset"""
    Policy(net, text(LIST[:-1] + ", sticky: false}")).up()
    pull(net, "wan0", "origin")
    talks = opened(net, (net.client,))
    all_say(talks, "mobile", "made while the first was away")
    plug(net, "wan0", "origin")
    assert all(talk.who() in ("cut", "") for talk in talks)
    all_say(opened(net, (net.client,)), "origin", "new ones")


@pytest.mark.parametrize("how, more, sticky", [
    ("no state", "", False),
    ("no state", "", True),
    ("state", KEPT, False),
    ("state", KEPT, True),
])
def test_datagrams(net, how, more, sticky):
    """sticky: {how}: datagrams stay if sticky ({sticky}), and move when their table is lost; else they follow the list"""
    then = LIST[:-1] + (", sticky: true}" if sticky else "}")
    Policy(net, text(then, translated="prefer_main: true", more=more)).up()
    pull(net, "wan0", "origin")
    talks = opened(net, (net.client, net.router), "udp")
    all_say(talks, "mobile", "begun while the first was away")
    plug(net, "wan0", "origin")
    all_say(talks, "mobile" if sticky else "origin", "the first is back")
    pull(net, "wan1", "mobile")
    all_say(talks, "origin", "the second is away")
    plug(net, "wan1", "mobile")
    all_say(talks, "origin", "the second is back")


def test_main(net):
    """sticky: the main table as a member: connections of another table stay there, and those of main too"""
    Policy(net, text("{route: [main, vpn]}")).up()
    first = opened(net, (net.client,))
    all_say(first, "origin", "by main")
    for version, gateway in UPLINKS["wan1"][2].items():
        net.router.ip(f"route del default via {gateway} dev wan1 metric 2000", f"-{version}")
    pull(net, "wan0", "origin")
    second = opened(net, (net.client,))
    all_say(second, "vpn", "main has no default")
    plug(net, "wan0", "origin")
    net.link_up("wan0")
    all_say(second, "vpn", "main has one again")
    Policy(net, text("{route: [vpn, main]}")).up()
    all_say(first, "origin", "in another order, by main")
    all_say(opened(net, (net.client,)), "vpn", "new ones, in another order")


def test_narrow(net):
    """sticky: a table without a mark is tried in order for each packet"""
    narrow = text("{route: [fibre, mobile, vpn, unreachable]}").replace("version: 1", "version: 1\nsettings: {mark_mask: 0x7000000}")
    Policy(net, narrow.replace("scope: both", "in: lan0")).up()
    first = opened(net, (net.client,))
    all_say(first, "origin", "by the first")
    pull(net, "wan0", "origin")
    talks = opened(net, (net.client,))
    all_say(talks, "mobile", "made while the first was away")
    plug(net, "wan0", "origin")
    assert all(talk.who() in ("cut", "") for talk in talks)
    all_say(first, "origin", "the first is back")
    all_say(opened(net, (net.client,)), "origin", "new ones")
