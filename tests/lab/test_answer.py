"""
`then: answer`: this host answers echo requests to the addresses of a set (fake-IP pools) in place of the destination, with
the destination's address as the source, whoever asks; nothing else to them is answered, and no request leaves.
"""

import time

import pytest

import probe
from test_stale_connections import NAT
from lab import CLIENT, FOREIGN, ROUTER, UPLINKS, Network
from policy import WAYS, Policy
from outcomes import answered, nothing

FAKE = {4: "198.18.0.5", 6: "fc00::5"}
FIREWALL = """table inet fw {
    chain guard {
        type filter hook input priority 0; policy accept;
        icmp type echo-request drop
        icmpv6 type echo-request drop
    }
}"""
POOL = 'version: 1\nsets: {fakeip: [198.18.0.0/15, "fc00::/18"]}\n'
ANSWER = POOL + "rules: [{to: fakeip, proto: icmp, scope: both, then: answer}]\n"


def rows(net):
    """Who asks whom under which number, of rows to other hosts."""
    with net.router, open("/proc/thread-self/net/nf_conntrack") as file:
        return {tuple(word for word in line.split() if word.startswith(("src=", "dst=", "id="))) for line in file
                if "type=" in line and ("203.0.113." in line or "2001:0db8:0113" in line)}


def askers(net):
    return {"client": net.client, "router": net.router}


def pings(net, addresses, timeout=0.3):
    """Who answers each host's request to each of the addresses."""
    return {(name, address): probe.ping(host, address, timeout)
            for name, host in askers(net).items() for address in addresses}


def answered_by(net, addresses):
    return {(name, address): address for name in askers(net) for address in addresses}


def answered_by_none(net, addresses):
    return dict.fromkeys(answered_by(net, addresses), "")


@pytest.mark.parametrize("way", WAYS)
def test_all(net, way):
    """answer: echo replies come from the requested address, in both families, loaded by {way}"""
    out = net.sniff()
    policy = Policy(net, ANSWER).up(way)
    assert pings(net, FAKE.values()) == answered_by(net, FAKE.values()), "who answers"
    nothing(out)
    for version, address in FAKE.items():  # what is no ping is none of the rule's
        for host in askers(net).values():
            outcome = probe.ask(host, "udp", address, 5000, timeout=0.2)
            assert outcome.kind != "answer", f"a datagram to {address}: {outcome}"
        assert probe.ping(net.client, FOREIGN[version]) == FOREIGN[version], "another address answers itself"
        assert probe.ping(net.client, ROUTER[version]) == ROUTER[version], "the router itself"
        assert {one[2] for one in out.packets()} & {address} == {address}, "the datagram goes its usual way"
    policy.down(way)
    assert pings(net, FAKE.values(), 0.2) == answered_by_none(net, FAKE.values()), "once it is removed"


PROXY = POOL + """listeners: {px: {tproxy: 12345, runs_as: {user: 1337}}}
tables: {vpn: {dev: wg0, fallback: unreachable, masquerade: true, strict: true}}
rules:
  - {in: lan0, to: fakeip, proto: icmp, then: answer}
  - {scope: local, to: fakeip, then: answer}
  - {scope: both, to: fakeip, then: {proxy: px}}
  - {in: lan0, then: {route: vpn}}
"""


def test_beside(network):
    """answer: together with a proxy for the same set and a strict table for all else, with the tunnel down too"""
    net = network(("wan0", "wg0"))
    net.listener()
    out, tunnel = net.sniff(), net.sniff("vpn")
    Policy(net, PROXY).up()
    assert pings(net, FAKE.values()) == answered_by(net, FAKE.values()), "who answers"
    for version, address in FAKE.items():
        for host in askers(net).values():
            for proto in "tcp", "udp":
                answered(probe.ask(host, proto, address, 443), "proxy")
        answered(probe.ask(net.client, "tcp", FOREIGN[version], 443), "vpn")
    assert [one for one in tunnel.packets() if one[2] in FAKE.values()] == [], "requests in the tunnel"
    net.vpn.ip("link set eth0 down")
    time.sleep(0.05)
    assert pings(net, FAKE.values()) == answered_by(net, FAKE.values()), "without the tunnel"
    assert probe.ping(net.client, FOREIGN[4], 0.2) == "", "what the tunnel refuses"
    nothing(out)


LATER = """version: 1
sets: {fakeip: {dynamic: true, elements: [198.18.0.0/15, "fc00::/18"]}}
rules: [{to: fakeip, proto: icmp, scope: both, then: answer}, {in: lan0, proto: [icmp, icmpv6], then: drop}]
"""


def test_dynamic(network):
    """answer: a dynamic set; requests from an uplink, and only one family"""
    with Network(("wan0", "wan1")) as net:
        Policy(net, LATER).up()
        assert pings(net, FAKE.values()) == answered_by(net, FAKE.values()), "who answers"
        net.router.nft("delete element inet tpc fakeip_v4 { 198.18.0.0/15 }\n"
                       "delete element inet tpc fakeip_v6 { fc00::/18 }")
        assert pings(net, FAKE.values(), 0.2) == answered_by_none(net, FAKE.values()), "with the set empty"
    uplinks = "".join(f"  {name}: {{dev: {dev}, via: [{', '.join(repr(one) for one in UPLINKS[dev][2].values())}]}}\n"
                      for name, dev in (("one", "wan0"), ("two", "wan1")))
    net = network(("wan0", "wan1"))
    Policy(net, f"{POOL}tables:\n{uplinks}rules: [{{to: fakeip, proto: icmpv6, then: answer}}]\n").up()
    for name in "origin", "mobile":  # the answer leaves by the uplink that the request came in by
        assert probe.ping(net.hosts[name], FAKE[6]) == FAKE[6], f"{name} asks"
        assert probe.ping(net.hosts[name], FAKE[4], 0.2) == "", f"{name} asks over IPv4"


def test_bare(net):
    """answer: without an address in the kernel there is no reply, and no other way"""
    out = net.sniff()
    Policy(net, ANSWER).up()
    net.router.ip(f"address del {ROUTER[4]}/24 dev lan0")
    net.router.ip(f"route add {CLIENT[4]} dev lan0")
    assert probe.ping(net.client, FAKE[4], 0.2) == "", "no IPv4 address at lan0"
    assert probe.ping(net.client, FAKE[6]) == FAKE[6], "IPv6 has one always"
    nothing(out)


def test_rows(net):
    """answer: pings that are older than the policy get replies from the apply to the removal; explain --live"""
    net.router.nft(NAT)  # without any translation, the kernel asks for one while no answer has come
    old = [net.add(probe.Pings(net.client, address, 0.3)) for address in FAKE.values()]
    assert [row.ask() for row in old] == ["", ""], "before"
    out = net.sniff()
    other = [net.add(probe.Pings(net.client, address, 0.3)) for address in FOREIGN.values()]
    assert [row.ask() for row in other] == list(FOREIGN.values()), "other rows"
    kept = rows(net)
    policy = Policy(net, ANSWER)
    for verb, words in ("plan", "- 2 connections"), ("apply", "stale connections: -2"):
        said = policy.tpc(verb, policy.path, check=False).stdout
        assert words in said, said
    assert [row.ask() for row in old] == list(FAKE.values()), "an older row"
    new = [net.add(probe.Pings(net.client, address, 0.3)) for address in FAKE.values()]
    assert [row.ask() for row in new] == list(FAKE.values()), "a new one"
    assert [one for one in out.packets() if one[2] in FAKE.values()] == [], "requests that left"
    for version, address in FAKE.items():
        said = policy.tpc("explain", policy.path, "--live", "in=lan0", f"from={CLIENT[version]}", f"to={address}",
                          f"proto={'icmp' if version == 4 else 'icmpv6'}", check=False)
        assert said.returncode == 0 and "the kernel agrees" in said.stdout, said.stdout + said.stderr
        assert said.stdout.startswith("answer\n"), said.stdout
    net.router.nft(FIREWALL)
    for version, address in FAKE.items():
        said = policy.tpc("explain", policy.path, "--live", "in=lan0", f"from={CLIENT[version]}", f"to={address}",
                          f"proto={'icmp' if version == 4 else 'icmpv6'}", check=False)
        assert said.returncode == 5 and "chain guard, " in said.stdout and "drops the packet" in said.stdout, said.stdout
        assert probe.ping(net.client, address, 0.2) == "", "through a firewall that drops ping"
    net.router.run("nft", "delete", "table", "inet", "fw")
    said = policy.tpc("remove").stdout
    assert "connections: 4 stale, deleted" in said, said
    assert [row.ask() for row in old + new] == [""] * 4, "rows that outlive it"
    assert [row.ask() for row in other] == list(FOREIGN.values()), "other rows"
    assert kept <= rows(net), "other rows are gone"


def test_mute(net):
    """answer: with icmp_echo_ignore_all there are no replies, and apply, plan and status report it, in each family"""
    keys = {4: "net.ipv4.icmp_echo_ignore_all", 6: "net.ipv6.icmp.echo_ignore_all"}
    policy = Policy(net, ANSWER)
    for version, key in keys.items():
        net.router.sysctl(key, 1)
        said = policy.tpc("apply", policy.path)
        for text in (said.stdout + said.stderr, policy.tpc("plan", policy.path, check=False).stderr,
                     policy.tpc("status", check=False).stdout):
            assert f"answers no ping over IPv{version} ({key} is 1)" in text, text
            assert f"sysctl -w {key}=0" in text and f"IPv{10 - version}" not in text, text
        assert probe.ping(net.client, FAKE[version], 0.2) == "", key
        assert probe.ping(net.client, FAKE[10 - version]) == FAKE[10 - version], "the other family"
        net.router.sysctl(key, 0)
    assert "no ping" not in policy.tpc("status").stdout
