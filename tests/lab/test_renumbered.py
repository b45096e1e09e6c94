"""Other definitions before one's own: connections that run keep their way."""

import json

import probe
from lab import CLIENT, FOREIGN
from policy import Policy
from outcomes import answered

FAMILIES = (4, 6)
ONE = """version: 1
sets: {hot: {dynamic: true}}
tables:
  mobile: {via: [198.51.100.1, "2001:db8:2::1"], dev: wan1, masquerade: true}
rules:
  - {in: lan0, to: hot, then: {route: mobile}}
"""
TWO = ONE.replace("tables:\n", """listeners: {p: {tproxy: 12345}}
tables:
  spare: {via: [192.0.2.1, "2001:db8:1::1"], dev: wan0, masquerade: true}
""").replace("rules:\n", "rules:\n  - {to: 192.0.2.222, proto: tcp, then: {proxy: p}}\n  - {in: lan0, to: [198.51.100.222, '2001:db8:99::1'], then: {route: spare}}\n")


def element(net, verb, version):
    net.router.run("nft", verb, "element", "inet", "tpc", f"hot_v{version}", "{", FOREIGN[version], "}")


def numbers(net):
    """What ip rules of the policy lead where: marks and tables, of both families."""
    return {(rule["fwmark"], rule.get("table", rule.get("type"))) for version in FAMILIES
            for rule in json.loads(net.router.run("ip", "-N", "-j", "-d", f"-{version}", "rule").stdout)
            if "fwmark" in rule}


def flow(net, version, port):
    """One flow of the client's: the same ports each time."""
    return probe.ask(net.client, "udp", FOREIGN[version], 5000, source=(CLIENT[version], port))


def test_kept(network):
    """renumbered: running connections keep their way when a listener and a table are inserted before theirs, and back"""
    net = network(uplinks=("wan0", "wan1"))
    first, second = Policy(net, ONE), Policy(net, TWO)
    first.up()
    for version in FAMILIES:
        element(net, "add", version)
        answered(flow(net, version, 20001), "mobile")
        element(net, "delete", version)
    before = numbers(net)
    for policy in second, first:
        policy.up()
        assert before <= numbers(net), f"numbers have changed: {before} and {numbers(net)}"
        for version in FAMILIES:
            answered(flow(net, version, 20001), "mobile")
            answered(flow(net, version, 20002), "origin")
