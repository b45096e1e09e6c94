"""
Interfaces of `in` and `out` that no packet has on this host: bridges' ports, names that are not
there, and what a bridge only passes on. What is said is what packets do, and the fix that is said
works.
"""

import re

import probe
from lab import FOREIGN, ROUTER, UPLINKS, Network
from policy import Policy
from outcomes import answered

FAMILIES = (4, 6)
BOTH = [(proto, version) for proto in ("tcp", "udp") for version in FAMILIES]
VPN = """version: 1
tables: {vpn: {dev: wg0, masquerade: true, fallback: unreachable}}
rules: [{in: lan0, then: {route: vpn}}]
"""


def bridge(net, addressed=True):
    """The LAN's interface becomes a bridge's port, and the bridge what it was."""
    net.router.ip(f"""link add br0 type bridge
                      link set br0 up
                      address flush dev lan0
                      link set lan0 master br0 up""")
    if addressed:
        net.router.ip(f"""address add {ROUTER[4]}/24 dev br0
                          address add {ROUTER[6]}/64 dev br0 nodad""")
    net.router.settle()


def warnings(text):
    return [line.partition("warning: ")[2] for line in text.splitlines() if "warning: " in line]


def all_go(host, who):
    for proto, version in BOTH:
        answered(probe.ask(host, proto, FOREIGN[version], 443), who)


def test_port(network):
    """interfaces: in: names a bridge's port: plan, apply, status and explain report it with a fix that works"""
    net = network(uplinks=("wan0", "wg0"))
    policy = Policy(net, VPN).up()
    all_go(net.client, "vpn")
    assert "everything holds" in policy.tpc("status").stdout
    bridge(net)
    all_go(net.client, "origin")
    wrong = "no packet comes by lan0, which `in: lan0` names: it is a port of the bridge br0"
    for verb in ("plan", str(policy.path)), ("apply", str(policy.path)), ("status",):
        done = policy.tpc(*verb, check=False)
        said = done.stdout + done.stderr
        assert wrong in said and "write `in: br0`" in said, said
        assert "everything holds" not in said, said
    done = policy.tpc("explain", str(policy.path), "--live", "in=lan0", "proto=tcp", "port=443",
                      f"to={FOREIGN[4]}", check=False)
    assert "lan0 is a port of the bridge br0" in done.stdout, done.stdout
    for text in (VPN.replace("lan0", "{not: lan0}"), VPN.replace("lan0", '"lan*"'),
                 VPN.replace("rules", "interfaces: {home: [lan0]}\nrules").replace(
                     "in: lan0", "in: home")):
        done = Policy(net, text).tpc("plan", str(Policy(net, text).path), check=False)
        assert "it is a port of the bridge br0" in done.stderr, done.stderr
    fixed = Policy(net, VPN.replace("lan0", "br0"))
    done = fixed.tpc("apply", str(fixed.path))
    assert warnings(done.stderr) == [], "what is said of the fix"
    all_go(net.client, "vpn")
    assert "everything holds" in fixed.tpc("status").stdout


def test_out(net):
    """interfaces: out: names a bridge's port, for forwarded and local packets"""
    _, ours, gateway = UPLINKS["wan0"]
    net.router.ip("link add br1 type bridge\nlink set br1 up\n"
                  "address flush dev wan0\nlink set wan0 master br1 up\n"
                  f"address add {ours[4]}/24 dev br1\naddress add {ours[6]}/64 dev br1 nodad\n"
                  f"route replace default via {gateway[4]}")
    net.router.ip(f"route replace default via {gateway[6]}", "-6")
    net.router.settle()
    text = """version: 1
rules: [{scope: both, out: wan0, proto: [tcp, udp], port: 443, then: reject}]
"""
    policy = Policy(net, text)
    done = policy.tpc("apply", str(policy.path))
    wrong = "no packet leaves by wan0, which `out: wan0` names: it is a port of the bridge br1"
    assert wrong in done.stderr and "write `out: br1`" in done.stderr, done.stderr
    assert wrong in policy.tpc("status").stdout
    for host in net.client, net.router:
        all_go(host, "origin")
    done = policy.tpc("explain", str(policy.path), "--live", "scope=local", "out=wan0", "proto=tcp",
                      "port=443", f"to={FOREIGN[4]}", check=False)
    assert "wan0 is a port of the bridge br1" in done.stdout, done.stdout
    fixed = Policy(net, text.replace("wan0", "br1")).up()
    assert "everything holds" in fixed.tpc("status").stdout
    for host in net.client, net.router:
        for proto, version in BOTH:
            outcome = probe.ask(host, proto, FOREIGN[version], 443, timeout=0.5)
            assert outcome.who != "origin", outcome


def test_missing(network):
    """interfaces: a missing name: reported with a similar one; its rules work as soon as it exists"""
    net = network(uplinks=("wan0", "wg0"))
    net.router.ip("link set lan0 down\nlink set lan0 name lan7\nlink set lan7 up\n"
                  f"address replace {ROUTER[6]}/64 dev lan7 nodad")
    net.router.settle()
    policy = Policy(net, VPN)
    done = policy.tpc("apply", str(policy.path))
    wrong = "no packet comes by lan0, which `in: lan0` names: there is no such interface"
    assert wrong in done.stderr and "did you mean lan7?" in done.stderr, done.stderr
    status = policy.tpc("status").stdout
    assert wrong in status and "everything holds" not in status, status
    all_go(net.client, "origin")
    net.router.ip("link set lan7 down\nlink set lan7 name lan0\nlink set lan0 up\n"
                  f"address replace {ROUTER[6]}/64 dev lan0 nodad")
    net.router.settle()
    all_go(net.client, "vpn")
    # The link took main's IPv6 route with it, and the policy's copy of that is not back yet.
    assert "main's IPv6 routes have changed" in policy.tpc("status", check=False).stdout
    policy.up()
    assert "everything holds" in policy.tpc("status").stdout
    patterns = Policy(net, VPN.replace("in: lan0", 'in: [lan0, "docker*"]'))
    assert warnings(patterns.tpc("apply", str(patterns.path)).stderr) == [], "beside one that is there"
    alone = Policy(net, VPN.replace("in: lan0", 'in: "docker*"'))
    assert "`in: docker*`" in alone.tpc("apply", str(alone.path)).stderr


def test_passing(network):
    """interfaces: frames that a bridge only forwards: reported, with and without br_netfilter"""
    net = network(uplinks=("wan0",))
    bridge(net, addressed=False)
    net.router.ip("link set wan0 master br0 up")
    upstream = net.hosts["origin"]
    upstream.ip(f"address add {ROUTER[4]}/24 dev eth0\naddress add {ROUTER[6]}/64 dev eth0 nodad")
    upstream.settle()
    policy = Policy(net, """version: 1
rules: [{in: br0, proto: [tcp, udp], port: 443, then: drop}]
""")
    for value, word, who in (0, "no rule sees them", "origin"), (1, "only `drop` and `reject`", None):
        for name in "iptables", "ip6tables":
            net.router.sysctl(f"net.bridge.bridge-nf-call-{name}", value)
        for said in policy.tpc("apply", str(policy.path)).stderr, policy.tpc("status").stdout:
            assert "the bridge br0, which `in: br0` names, has no address" in said, said
            assert word in said and "everything holds" not in said, said
        for proto, version in BOTH:
            outcome = probe.ask(net.client, proto, FOREIGN[version], 443, timeout=0.5)
            assert (outcome.who if who else outcome.kind) == (who or "silence"), f"{proto} IPv{version}"


def test_later():
    """interfaces: a bridge created after the apply, under br_netfilter: status --drift and plan agree"""
    text = """version: 1
listeners: {proxy: {tproxy: 12345}}
rules: [{in: [lan0, br0], proto: [tcp, udp], then: {proxy: proxy}}]
"""
    keys = [f"net.bridge.bridge-nf-call-{name}" for name in ("iptables", "ip6tables")]
    for settings, found in ("", 5), ("settings: {sysctls: check}\n", 0):
        with Network() as net:
            net.listener()
            for key in keys:
                net.router.sysctl(key, 1)
            policy = Policy(net, text + settings).up()
            assert policy.tpc("status", "--drift", check=False).returncode == 0, "no bridge yet"
            bridge(net)
            codes = [policy.tpc(*verb, check=False).returncode
                     for verb in (("plan", str(policy.path)), ("status", "--drift"), ("status",))]
            assert codes == [found] * 3, f"plan, status --drift and status {settings}"
            said = policy.tpc("status", check=False).stdout
            for key in keys:
                assert re.search(f"{key} is 1 and should be 0", said), said
            if not settings:
                policy.up()
                all_go(net.client, "proxy")
                assert policy.tpc("status", "--drift", check=False).returncode == 0, "applied again"
