"""Rules that could change their mind: the first packet decides for the whole connection; what drops still cuts."""

import pytest

import probe
from lab import CLIENT, FOREIGN
from policy import Policy
from outcomes import answered, fails, nothing

FAMILIES = (4, 6)
HOT = """version: 1
sets: {hot: {dynamic: true}, cut: {dynamic: true, elements: [203.0.113.77, "2001:db8:113::77"]}}
listeners: {p: {tproxy: 12345}}
tables: {mobile: {via: [198.51.100.1, "2001:db8:2::1"], dev: wan1, masquerade: true}}
rules:
  - {to: cut, then: reject}
"""


def element(net, verb, version, name="hot"):
    net.router.run("nft", verb, "element", "inet", "tpc", f"{name}_v{version}", "{", FOREIGN[version], "}")


def flow(net, version, port):
    """One flow of the client's: the same ports each time."""
    return probe.ask(net.client, "udp", FOREIGN[version], 5000, source=(CLIENT[version], port))


@pytest.mark.parametrize("name, rule, inside", [
    ("a proxy", "{proxy: p}", "proxy"),
    ("a table", "{route: mobile}", "mobile"),
])
def test_kept(network, name, rule, inside):
    """first packet: a set that is filled and emptied moves only new connections: {name}"""
    net = network(uplinks=("wan0", "wan1"))
    Policy(net, f"{HOT}  - {{in: lan0, to: hot, then: {rule}}}\n").up()
    net.listener()
    for version in FAMILIES:
        answered(flow(net, version, 20000), "origin")
        element(net, "add", version)
        answered(flow(net, version, 20001), inside)
        answered(flow(net, version, 20000), "origin")
        element(net, "delete", version)
        answered(flow(net, version, 20001), inside)
        answered(flow(net, version, 20000), "origin")
        answered(flow(net, version, 20002), "origin")


def test_cut(network):
    """first packet: a drop above, with a set that is filled later, cuts the connections below it"""
    net = network(uplinks=("wan0", "wan1"))
    Policy(net, HOT + "  - {in: lan0, to: hot, then: {route: mobile}}\n").up()
    for version in FAMILIES:
        element(net, "add", version)
        answered(flow(net, version, 20001), "mobile")
        element(net, "add", version, "cut")
        fails(flow(net, version, 20001))
        element(net, "delete", version, "cut")
        answered(flow(net, version, 20001), "mobile")


def tracked(net):
    """The connections' marks, in our bits, by the port the client asked from."""
    marks = {}
    with net.router, open("/proc/thread-self/net/nf_conntrack") as file:
        for line in file:
            words = dict(word.split("=", 1) for word in reversed(line.split()) if "=" in word)
            marks[int(words.get("sport", 0))] = int(words.get("mark", 0)) & 0x7F000000
    return marks


def test_prefix(net):
    """first packet: rules above the first one that needs state do not write the connection mark"""
    Policy(net, """version: 1
sets: {hot: {dynamic: true}}
listeners: {p: {tproxy: 12345}}
rules:
  - {to: [203.0.113.0/25, "2001:db8:113::/64"], proto: udp, port: 5000, then: {proxy: p}}
  - {to: hot, proto: udp, then: {proxy: p}}
""").up()
    net.listener()
    for version, later in ((4, "203.0.113.200"), (6, "2001:db8:113:1::1")):
        answered(flow(net, version, 20000), "proxy")
        answered(probe.ask(net.client, "udp", later, 5000, source=(CLIENT[version], 20001)), "origin")
        marks = tracked(net)
        assert marks[20000] == 0, "the mark of a connection that needs none"
        assert marks[20001], "a connection that may change its mind has no mark"


def test_dead(network):
    """first packet: a connection keeps its way when its uplink is lost, whatever the set has by then"""
    net = network(uplinks=("wan0", "wan1"))
    Policy(net, HOT.replace("masquerade: true}", "fallback: unreachable}")
           + "  - {in: lan0, to: hot, then: {route: mobile}}\n").up()
    watch = net.sniff("origin")
    for version in FAMILIES:
        element(net, "add", version)
        answered(flow(net, version, 20001), "mobile")
    net.router.ip("link set wan1 down")
    for version in FAMILIES:
        element(net, "delete", version)
        fails(flow(net, version, 20001), "unreachable")
    nothing(watch)


def test_many(network):
    """first packet: forty drops and ways in turn: only the drops above a way cut it"""
    net = network(uplinks=("wan0", "wan1"))
    rules = "".join(
        f"  - {{proto: udp, port: {6000 + number}, then: reject}}\n"
        f"  - {{in: lan0, to: hot, proto: udp, sport: {20000 + number}, then: {{route: mobile}}}}\n"
        for number in range(40))
    Policy(net, HOT.replace("{to: cut, then: reject}", "{to: cut, proto: udp, sport: 20039, then: reject}")
           .replace("rules:", "settings: {mark_mask: 0x7ff00000}\nrules:") + rules).up()
    for version in FAMILIES:
        element(net, "add", version)
        for port in 20000, 20039:
            answered(flow(net, version, port), "mobile")
        element(net, "delete", version)
        for port in 20000, 20039:
            answered(flow(net, version, port), "mobile")
        fails(probe.ask(net.client, "udp", FOREIGN[version], 6039, source=(CLIENT[version], 20001)))
        element(net, "add", version, "cut")
        fails(flow(net, version, 20039))
        answered(flow(net, version, 20000), "mobile")
