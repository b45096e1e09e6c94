"""
Explain, asked of the host as well (`--live`): the kernel's own lookup of a packet agrees with what the
policy says of it; and what has gone wrong on the host is named.
"""

import json

import pytest

import probe
from lab import CLIENT
from policy import TPC, Policy
from outcomes import answered

FAR = {4: "203.0.113.8", 6: "2001:db8:113::8"}
NEAR = {4: "198.51.100.66", 6: "2001:db8:2::66"}
POLICY = """version: 1
sets:
  far: [203.0.113.0/24, "2001:db8:113::/48"]
listeners:
  proxy: {tproxy: 12345, runs_as: {user: 1001}}
  near: {redirect: 3128, runs_as: {user: 1001}}
tables:
  vpn: {dev: wg0, fallback: unreachable, masquerade: true}
  isp: {via: [198.51.100.1, "2001:db8:2::1"], dev: wan1, masquerade: true, prefer_main: true}
rules:
  - {scope: both, to: far, proto: tcp, port: 80, then: {proxy: proxy}}
  - {to: far, proto: tcp, port: 8080, then: {proxy: near}}
  - {to: far, proto: tcp, port: 25, then: drop}
  - {to: far, proto: udp, then: {route: vpn}}
  - {to: far, proto: [icmp, icmpv6], then: {route: isp}}
"""


@pytest.fixture
def net(network):
    return network(uplinks=("wan0", "wan1", "wg0"))


def explain(policy, *words, status=0):
    """The answer, and what is said of this host."""
    done = policy.router.run(*command(policy, *words, "--format", "json"), check=False)
    assert done.returncode == status, f"{' '.join(words)}: exit status; {done.stdout}{done.stderr}"
    answer = json.loads(done.stdout)
    return answer, answer["live"]


def command(policy, *words):
    return [TPC, "explain", str(policy.path), "--live", *words]


def packet(version, *words):
    return ["in=lan0", f"from={CLIENT[version]}", f"to={FAR[version]}", *words]


def complaints(live):
    return " | ".join(problem["message"] for problem in live["problems"])


def test_agrees(net):
    """explain: --live: policy and kernel agree for every kind of way, in both families"""
    policy = Policy(net, POLICY).up()
    net.listener()
    net.listener(3128, mode="redirect", addresses=("0.0.0.0", "::"))
    for version in 4, 6:
        for words, verdict, table in (
                (("proto=tcp", "port=80"), "proxy", "proxy"),
                (("proto=tcp", "port=8080"), "proxy", None),
                (("proto=tcp", "port=25"), "drop", None),
                (("proto=udp", "port=53"), "route", "vpn"),
                (("proto=icmp" if version == 4 else "proto=icmpv6",), "route", "isp"),
                (("proto=tcp", "port=22"), "direct", None)):
            answer, live = explain(policy, *packet(version, *words))
            assert (answer["verdict"], (answer["table"] or {}).get("name")) == (verdict, table), words
            assert live["applied"] and not live["problems"], f"{words}: {complaints(live)}"
            if table:
                # IPv6 routes that name no metric get one from the kernel.
                assert live["route"].startswith(answer["route"]), (live["route"], answer["route"])
            elif verdict == "direct":
                assert "dev wan0 table 254" in live["route"], live["route"]
            else:
                assert live["route"] is None, f"a route for {words}"
        answer, live = explain(policy, "scope=local", f"to={FAR[version]}", "proto=tcp", "port=80")
        assert (answer["verdict"], live["problems"]) == ("proxy", []), "what this host sends"
        done = policy.router.run(*command(policy, *packet(version, "proto=udp")))
        assert "the kernel agrees" in done.stdout, done.stdout
    # What it says is what happens.
    answered(probe.ask(net.client, "tcp", FAR[4], 80), "proxy")


def test_lost_route(net):
    """explain: --live: a table without its route, in each family"""
    policy = Policy(net, POLICY).up()
    for version in 4, 6:
        answer, live = explain(policy, *packet(version, "proto=udp"))
        policy.router.run("ip", f"-{version}", "route", "del", "default", "table",
                          str(answer["table"]["id"]))
        answer, live = explain(policy, *packet(version, "proto=udp"), status=5)
        assert "has lost its route" in complaints(live), complaints(live)
        assert "no route for it (unreachable)" in complaints(live), complaints(live)
        assert (live["route"], live["refusal"]) == (None, "unreachable"), "the kernel's answer"
        fix = next(problem["command"] for problem in live["problems"] if problem["command"])
        policy.router.run("sh", "-c", fix)
        explain(policy, *packet(version, "proto=udp"))


def test_lost_rule(net):
    """explain: --live: a missing ip rule, so that the packet would leave through the main table"""
    policy = Policy(net, POLICY).up()
    for version in 4, 6:
        answer, _ = explain(policy, *packet(version, "proto=udp"))
        for priority in answer["ip_rule"], answer["ip_rule"] + 1:
            policy.router.run("ip", f"-{version}", "rule", "del", "priority", str(priority))
        _, live = explain(policy, *packet(version, "proto=udp"), status=5)
        assert f"rule {answer['ip_rule']} is missing" in complaints(live), complaints(live)
        assert "table 254" in live["route"], live["route"]
        assert "the policy's way is" in complaints(live), complaints(live)


def test_no_listener(net):
    """explain: --live: no socket listens for the packet"""
    policy = Policy(net, POLICY).up()
    for version in 4, 6:
        _, live = explain(policy, *packet(version, "proto=tcp", "port=80"), status=5)
        assert len(live["problems"]) == 1, complaints(live)
        assert "(listener proxy)" in complaints(live), complaints(live)
    net.listener()
    for version in 4, 6:
        explain(policy, *packet(version, "proto=tcp", "port=80"))


def test_main_first(net):
    """explain: --live: main's own networks come first with prefer_main"""
    policy = Policy(net, POLICY.replace("to: far, proto: [icmp", "proto: [icmp")).up()
    for version in 4, 6:
        words = packet(version, "proto=icmp" if version == 4 else "proto=icmpv6")
        words[2] = f"to={NEAR[version]}"
        _, live = explain(policy, *words)
        # In IPv6 the policy asks a copy of them: the prefix of the link.
        assert ("table 254" if version == 4 else "2001:db8:2::/64 dev wan1 table 71") in live["route"], live["route"]


def test_not_this(net):
    """explain: --live: not applied, another policy, no such interface, no permission"""
    policy = Policy(net, POLICY)
    _, live = explain(policy, *packet(4, "proto=tcp", "port=25"), status=5)
    assert not live["applied"] and "not applied here" in complaints(live), complaints(live)
    _, live = explain(policy, *packet(4, "proto=udp"), status=5)
    assert len(live["problems"]) == 1, f"no more than that is said: {complaints(live)}"
    assert live["problems"][0]["command"] == f"tpc apply {policy.path}", "what to run"
    policy.up()
    explain(policy, *packet(4, "proto=tcp", "port=25"))
    other = Policy(net, POLICY.replace("port: 25", "port: 26"))
    _, live = explain(other, *packet(4, "proto=tcp", "port=26"), status=5)
    assert not live["applied"] and "another policy" in complaints(live), complaints(live)
    _, live = explain(policy, "in=lan7", f"to={FAR[4]}", "proto=udp", status=5)
    assert "there is no interface lan7" in complaints(live), complaints(live)
    done = policy.router.run("setpriv", "--bounding-set", "-net_admin", "--inh-caps", "-net_admin",
                             *command(policy, f"to={FAR[4]}"), check=False)
    assert done.returncode == 3, f"without rights: {done.stdout}{done.stderr}"
    assert "CAP_NET_ADMIN" in done.stderr, done.stderr


def test_time_and_level(net):
    """explain: --live: an applied policy with time windows is the same policy, at either level"""
    text = POLICY.replace("port: 25,", "port: 25, time: {hours: \"08:00-20:00\"},").replace(
        "  - {to: far, proto: udp,", "  - {to: far, proto: tcp, port: 26, then: drop}\n  - {to: far, proto: udp,")
    policy = Policy(net, text)
    words = packet(4, "proto=udp")
    for applied in 1, 0:
        assert policy.router.run(TPC, "apply", f"-O{applied}", str(policy.path), check=False).returncode == 0, "apply"
        for asked in 0, 1:
            _, live = explain(policy, *words, f"-O{asked}")
            assert (live["applied"], live["level"], live["problems"]) == (True, applied, []), f"-O{asked}"
            done = policy.router.run(*command(policy, *words, f"-O{asked}"))
            assert (f"with -O{applied}" in done.stdout) == (asked != applied), done.stdout
            assert "this very policy" in done.stdout, done.stdout


def test_lost_link(net):
    """explain: --live: a missing interface is named, without a command that needs it"""
    policy = Policy(net, POLICY).up()
    policy.router.run("ip", "link", "del", "wg0")
    for version in 4, 6:
        _, live = explain(policy, *packet(version, "proto=udp"), status=5)
        assert "there is no interface wg0, so table" in complaints(live), complaints(live)
        assert [problem["command"] for problem in live["problems"]] == [None, None], "commands"


def test_no_route(net):
    """explain: --live: a direct packet without a route in the kernel is reported"""
    policy = Policy(net, POLICY).up()
    for version in 4, 6:
        policy.router.run("ip", f"-{version}", "route", "flush", "default")
        words = packet(version, "proto=tcp", "port=22")
        answer, live = explain(policy, *words)
        assert (answer["verdict"], live["refusal"]) == ("direct", "unreachable"), "the kernel's answer"
        done = policy.router.run(*command(policy, *words))
        assert "kernel has no route for it" in done.stdout and "agrees" not in done.stdout, done.stdout
        done = policy.router.run(*command(policy, *packet(version, "proto=tcp", "port=25")))
        assert "the kernel agrees" in done.stdout, done.stdout
