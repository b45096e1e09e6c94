"""
A table that leads out by the interface its packets came in by (a side gateway in the clients' own network):
ICMP redirects would teach clients the way round this host, past every later policy.
"""

import pytest

import probe
from lab import FOREIGN, SERVER, Network
from policy import Policy
from outcomes import answered

LINK_LOCAL = "fe80::ff:fe00:3"  # the server's, of its link address: only such a gateway is told of (RFC 4861)
SIDE = f"""version: 1
tables: {{side: {{via: ["{SERVER[4]}", "{LINK_LOCAL}"], dev: lan0}}}}
rules:
  - {{in: lan0, from: {{not: [{SERVER[4]}, "{SERVER[6]}"]}},
     to: [203.0.113.0/24, "2001:db8:113::/48"], then: {{route: side}}}}
"""
KEYS = [f"net.ipv4.conf.{name}.send_redirects" for name in ("all", "default", "lo", "lan0", "wan0")]


def world():
    net = Network(server=True)
    for version, prefix in ((4, "203.0.113.0/24"), (6, "2001:db8:113::/48")):
        net.server.ip(f"route add local {prefix} dev lo", f"-{version}")
    net.echo(net.server, (443,), (443,), name="side")
    return net


@pytest.fixture(name="net")
def made():
    with world() as net:
        yield net


def redirects(net, version):
    """How many the client has got (RFC 1213 and RFC 4293 count them)."""
    if version == 6:
        text = net.client.run("cat", "/proc/net/snmp6").stdout
        return int(dict(line.split() for line in text.splitlines())["Icmp6InRedirects"])
    names, numbers = [line.split() for line in net.client.run("cat", "/proc/net/snmp").stdout.splitlines()
                      if line.startswith("Icmp:")]
    return int(dict(zip(names, numbers))["InRedirects"])


def teach(net, version):
    """Has the client been told of another gateway than the router?"""
    for proto in "tcp", "udp":
        answered(probe.ask(net.client, proto, FOREIGN[version], 443), "side")
    return redirects(net, version) > 0


def test_quiet():
    """redirects: a client of a side gateway gets no redirect to bypass the router, in either family"""
    for way in "apply", "sh":
        for text in SIDE, SIDE.replace(LINK_LOCAL, SERVER[6]).replace(", dev: lan0", ""), SIDE.replace("in: lan0, ", ""):
            with world() as net:
                before = [net.router.sysctl(key) for key in KEYS]
                policy = Policy(net, text).up(way)
                assert [net.router.sysctl(key) for key in KEYS] == "0 1 1 0 1".split(), "set"
                for version in 4, 6:
                    assert teach(net, version) is False, f"{way}: learned over IPv{version}: {text}"
                policy.up(way)
                assert [net.router.sysctl(key) for key in KEYS] == "0 1 1 0 1".split(), "set twice"
                policy.down(way)
                assert [net.router.sysctl(key) for key in KEYS] == before, "after remove"


def test_sent():
    """redirects: without the sysctl redirects are sent, and outlive the policy; other interfaces still send them"""
    with world() as net:
        policy = Policy(net, SIDE.replace("version: 1\n", "version: 1\nsettings: {sysctls: ignore}\n"))
        policy.up()
        assert teach(net, 4) is True, "learned over IPv4 where the setting is left out"
    with world() as net:
        Policy(net, SIDE.replace("in: lan0", "in: wan0")).up()
        assert [net.router.sysctl(key) for key in KEYS] == ["1"] * 5, "a table by another interface"
        for version in 4, 6:
            gateway = LINK_LOCAL if version == 6 else SERVER[4]
            net.router.ip(f"route replace {FOREIGN[version]} via {gateway} dev lan0", f"-{version}")
            assert teach(net, version) is True, f"the router's own redirects over IPv{version}"
