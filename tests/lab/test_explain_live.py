"""
Explain, asked of the host (`--live`), about what others have done to it: rules in the policy's own
table, elements of sets filled at run time, foreign chains, this host's addresses, bridges, links,
forwarding, reverse-path filters. In each case a packet goes the way that the answer says.
"""

import json

import pytest

import probe
from test_explain import complaints, explain
from lab import CLIENT, FOREIGN, PLAIN, ROUTER
from policy import TPC, Policy
from outcomes import answered

OWN = {4: "192.0.2.2", 6: "2001:db8:1::2"}  # the router's, on wan0
BAN = """version: 1
sets:
  ban: {dynamic: true}
  ok: {dynamic: true, timeout: 1h, elements: [203.0.113.0/24, "2001:db8:113::/48"]}
tables:
  vpn: {dev: wg0, fallback: unreachable, masquerade: true}
rules:
  - {scope: both, to: ban, then: drop}
  - {from: ban, then: drop}
  - {scope: both, to: ok, then: {route: vpn}}
"""
SENT = {"forward": lambda version, *words: ["in=lan0", f"from={CLIENT[version]}", *words],
        "local": lambda version, *words: ["scope=local", *words]}


@pytest.fixture
def net(network):
    return network(uplinks=("wan0", "wan1", "wg0"))


def said(live):
    return " | ".join(live["asked"])


def unknown(live):
    return " | ".join(live["unknown"])


def words(version, scope="forward", to=FOREIGN, proto="udp", port=53):
    return SENT[scope](version, f"to={to[version]}", f"proto={proto}", f"port={port}")


def who(net, version, scope="forward", to=FOREIGN, proto="udp", port=53, wait=3.0):
    """Who answers a packet of that kind; None: no answer in the time."""
    outcome = probe.ask(net.client if scope == "forward" else net.router, proto, to[version], port,
                        timeout=wait)
    return outcome.who if outcome.kind == "answer" else None


def meets(wanted, what, *packet, **more):
    """The packet is answered by this host, or by none."""
    assert who(*packet, wait=3.0 if wanted else 0.2, **more) == wanted, what


BOTH = [(version, scope) for version in (4, 6) for scope in ("forward", "local")]


def foreign(host, table, *chains):
    """A foreign table of these chains (or sets): each a name, and its lines."""
    body = "".join(f"{name} {{\n{lines}\n}}\n" for name, lines in chains)
    host.nft(f"table {table} {{\n{body}}}\n")


def family(version):
    return "ip6" if version == 6 else "ip"


def test_level(net):
    """explain: --live: the level is reported only if the rules differ"""
    policy = Policy(net, BAN).up()
    done = policy.router.run(TPC, "explain", str(policy.path), "--live", *words(4))
    assert "yes, this very policy\n" in done.stdout and "-O" not in done.stdout, done.stdout
    assert done.stdout.endswith("  the kernel agrees\n"), done.stdout
    for what in "nft table inet tpc: its chains, rules and sets", "set ban_v4: 203.0.113.8 is not", \
            "set ok_v4: 203.0.113.8 is in it, by its element 203.0.113.0/24", "IPv4 rule 10000 exists":
        assert f"  asked     {what}" in done.stdout, (what, done.stdout)
    answered(probe.ask(net.client, "udp", FOREIGN[4], 53), "vpn")


def test_own_chain(net):
    """explain: --live: a rule inserted into, replaced in, or deleted from the policy's own chain"""
    policy = Policy(net, BAN).up()
    for version, scope in BOTH:
        chain = "prerouting" if scope == "forward" else "output"
        meets("vpn", "before", net, version, scope)
        policy.router.run("nft", "insert", "rule", "inet", "tpc", chain, family(version), "daddr",
                          FOREIGN[version], "accept")
        _, live = explain(policy, *words(version, scope), status=5)
        assert "holds 2" in complaints(live) or "rules instead of" in complaints(live), complaints(live)
        meets("origin", "the packet", net, version, scope)
        assert live["problems"][0]["command"] == f"tpc apply {policy.path}", "what to run"
        policy.up()
        explain(policy, *words(version, scope))
    listed = policy.router.run("nft", "-a", "list", "chain", "inet", "tpc", "prerouting").stdout
    line = next(line for line in listed.splitlines() if "@ban_v4 drop" in line)
    handle = line.split("# handle ")[1]
    policy.router.run("nft", "replace", "rule", "inet", "tpc", "prerouting", "handle", handle,
                      "ip daddr @ban_v4 accept")
    _, live = explain(policy, *words(4), status=5)
    assert "a rule of the chain prerouting was replaced" in complaints(live), complaints(live)
    policy.router.run("nft", "delete", "rule", "inet", "tpc", "prerouting", "handle", handle)
    _, live = explain(policy, *words(4), status=5)
    assert "rules instead of" in complaints(live), complaints(live)


def test_element(net):
    """explain: --live: one element of a dynamic set is looked up in the kernel, and decides"""
    policy = Policy(net, BAN).up()
    for version, scope in BOTH:
        answer, live = explain(policy, *words(version, scope))
        assert (answer["verdict"], answer["set"]) == ("route", f"ok_v{version}"), "not banned"
        assert f"set ban_v{version}: {FOREIGN[version]} is not in it" in said(live), said(live)
        meets("vpn", "not banned", net, version, scope)
        prefix = "203.0.113.0/28" if version == 4 else "2001:db8:113::/64"
        policy.router.run("nft", "add", "element", "inet", "tpc", f"ban_v{version}",
                          f"{{ {prefix} timeout 50s }}")
        answer, live = explain(policy, *words(version, scope))
        assert (answer["verdict"], answer["set"], answer["element"]) == ("drop", f"ban_v{version}", prefix), "banned"
        assert "in it, by its element" in said(live) and "more seconds" in said(live), said(live)
        meets(None, "banned", net, version, scope)
        policy.router.run("nft", "flush", "set", "inet", "tpc", f"ban_v{version}")
    for version in 4, 6:
        policy.router.run("nft", "add", "element", "inet", "tpc", f"ban_v{version}", f"{{ {CLIENT[version]} }}")
        answer, live = explain(policy, *words(version))
        assert (answer["verdict"], live["problems"]) == ("drop", []), "a source"
        meets(None, "a source", net, version)
    # What it begins with can be gone, too.
    policy.router.run("nft", "flush", "set", "inet", "tpc", "ok_v4")
    policy.router.run("nft", "flush", "set", "inet", "tpc", "ban_v4")
    answer, live = explain(policy, *words(4))
    assert (answer["verdict"], who(net, 4)) == ("direct", "origin"), "gone"


def test_mark(net):
    """explain: --live: a foreign chain after ours rewrites the mark: reported, and the packet leaks"""
    policy = Policy(net, BAN).up()
    for version, scope in BOTH:
        hook, kind = ("prerouting", "filter") if scope == "forward" else ("output", "route")
        foreign(net.router, "inet qos", ("chain shape", f"""type {kind} hook {hook} priority -140;
                {family(version)} daddr {FOREIGN[version]} udp dport 53 meta mark set 0x1"""))
        _, live = explain(policy, *words(version, scope), status=5)
        text = complaints(live)
        assert "table inet qos, chain shape, handle" in text and "rewrites its mark from 0x" in text, text
        assert "to 0x1" in text and "table 254" in live["route"], (text, live["route"])
        meets("origin", "the packet", net, version, scope)
        explain(policy, *words(version, scope, port=123))
        meets("vpn", "a packet that the rule is not for", net, version, scope, port=123)
        policy.router.run("nft", "delete", "table", "inet", "qos")
    foreign(net.router, "inet qos", ("chain shape", "type filter hook prerouting priority -150; meta mark set 0x1"))
    _, live = explain(policy, *words(4))
    assert "may rewrite its mark from 0x" in unknown(live) and "either may be first" in unknown(live), live
    policy.router.run("nft", "delete", "table", "inet", "qos")
    # Bits beside the policy's, and a chain before it, change no way.
    foreign(net.router, "inet qos",
            ("chain shape", "type filter hook prerouting priority -140; meta mark set mark or 0x1"),
            ("chain early", "type filter hook prerouting priority -200; meta mark set 0x2"))
    _, live = explain(policy, *words(4))
    assert "rewrites its mark from 0x0 to 0x2, before the policy's chain" in said(live), said(live)
    meets("vpn", "the packet", net, 4)


def test_mark_before(net):
    """explain: --live: a foreign chain before ours sets a mark that the policy matches"""
    text = BAN.replace("rules:\n", "rules:\n  - {mark: 0x5, then: drop}\n")
    policy = Policy(net, text).up()
    explain(policy, *words(4))
    foreign(net.router, "inet early",
            ("chain marks", "type filter hook prerouting priority -200; meta mark set 0x5"))
    for version in 4, 6:
        answer, _ = explain(policy, *words(version))
        assert (answer["verdict"], who(net, version, wait=0.2)) == ("drop", None), "the packet"


DROPS = (  # hook, its chain's head and rule, what is said
    ("forward", "type filter hook forward priority 0; policy drop;", "", "policy drop"),
    ("forward", "type filter hook forward priority 0;", "udp dport 53 reject", "rejects the packet"),
    ("forward", "type filter hook prerouting priority -300;", "meta l4proto udp th dport { 53, 99 } drop",
     "drops the packet, before the policy's chain"),
    ("forward", "type filter hook prerouting priority 0;", "iifname \"lan*\" meta mark != 0 drop", "drops the packet"),
    ("forward", "type filter hook postrouting priority 0;", "oifname wg0 udp dport vmap { 53 : drop, 99 : accept }", "drops"),
    ("local", "type filter hook output priority 0;", "udp dport 50-60 drop", "drops the packet"),
    ("local", "type filter hook postrouting priority 0;", "udp dport 53 jump deny", "chain deny, handle"),
)


def test_drops(net):
    """explain: --live: a foreign chain that drops or rejects is reported, at every hook on the path"""
    policy = Policy(net, BAN).up()
    for scope, head, rule, text in DROPS:
        foreign(net.router, "inet fw", ("chain deny", "drop"), ("chain guard", f"{head} {rule}"))
        for version in 4, 6:
            _, live = explain(policy, *words(version, scope), status=5)
            assert "table inet fw, chain" in complaints(live) and text in complaints(live), (head, complaints(live))
            meets(None, head + rule, net, version, scope)
        policy.router.run("nft", "delete", "table", "inet", "fw")
    for version in 4, 6:
        own, other = family(version), family(10 - version)
        foreign(net.router, f"{own} filter", ("chain FORWARD", "type filter hook forward priority 0; policy drop;"))
        _, live = explain(policy, *words(version), status=5)
        assert f"table {own} filter, chain FORWARD: drops the packet (policy drop)" in complaints(live), complaints(live)
        meets(None, "the family's packets", net, version)
        policy.router.run("nft", "delete", "table", own, "filter")
        foreign(net.router, f"{other} filter", ("chain FORWARD", "type filter hook forward priority 0; policy drop;"))
        explain(policy, *words(version))
        meets("vpn", "the other family's", net, version)
        policy.router.run("nft", "delete", "table", other, "filter")


FORWARD = "type filter hook forward priority 0; "
PASSES = (
    [("chain guard", FORWARD + """policy drop; ct state established,related accept
        iifname lan0 oifname wg0 ct state new accept""")],
    [("chain guard", FORWARD + "policy drop; ct state established accept\niifname . udp dport vmap { lan0 . 53 : accept }")],
    [("set ports", "type inet_service; flags interval; elements = { 50-60 }"),
     ("chain guard", FORWARD + "policy drop; ct state established accept\nudp dport @ports accept")],
    [("chain guard", FORWARD + """ct state established accept
        ip daddr != 203.0.113.0/24 meta nfproto ipv4 drop
        tcp dport 53 drop""")],
    [("chain ok", "ct state established accept\niifname lan0 counter return\ndrop"), ("chain guard", FORWARD + "jump ok")],
    [("chain ok", "meta cpu 99 return\nudp dport 99 drop"), ("chain guard", FORWARD + "jump ok\nudp dport 99 drop")],
    [("chain guard", "type filter hook input priority 0; policy drop;")],
    [("chain guard", FORWARD + "meta skuid 0 drop")],
    [("chain guard", "type filter hook prerouting priority 0; fib daddr type local drop")],
    [("chain nat", "type nat hook postrouting priority 100; oifname wan0 masquerade")],
)


def test_passes(net):
    """explain: --live: foreign chains that accept the packet are read, and not reported"""
    policy = Policy(net, BAN).up()
    for text in PASSES:
        foreign(net.router, "inet fw", *text)
        for version in 4, 6:
            _, live = explain(policy, *words(version))
            assert (live["problems"], live["unknown"]) == ([], []), text
            assert "foreign chains: inet fw " in said(live), said(live)
            meets("vpn", text, net, version)
        policy.router.run("nft", "delete", "table", "inet", "fw")


UNKNOWN = (  # what may happen, and why it is not known
    ("udp dport 53 limit rate over 1/day burst 1 packets drop", "may drop the packet: `limit`"),
    ("meta cpu 9 drop", "may drop the packet: a field of `meta`"),
    ("fib saddr . iif oif missing drop", "may drop the packet: it looks up routes"),
    ("udp dport 53 queue", "may decide otherwise: a program decides"),
)


def test_may(net):
    """explain: --live: a foreign rule with unknown conditions is listed as unknown, with the reason"""
    policy = Policy(net, BAN).up()
    for rule, text in UNKNOWN:
        try:
            foreign(net.router, "inet fw", ("chain guard", FORWARD + rule))
        except AssertionError as error:  # a kernel without queues
            assert "queue" in rule and "No such file" in str(error), error
            continue
        _, live = explain(policy, *words(4))
        assert text in unknown(live) and "nft -a list chain inet fw guard" in unknown(live), (rule, unknown(live))
        done = policy.router.run(TPC, "explain", str(policy.path), "--live", *words(4))
        assert "the kernel agrees" not in done.stdout and "  unknown   table inet fw" in done.stdout, done.stdout
        policy.router.run("nft", "delete", "table", "inet", "fw")
    foreign(net.router, "inet fw", ("chain guard", FORWARD + "ip saddr 10.10.10.0/24 drop"))
    _, live = explain(policy, f"to={FOREIGN[4]}", "proto=udp", "port=53")
    assert "from= is not given" in unknown(live), unknown(live)
    policy.router.run("nft", "delete", "table", "inet", "fw")
    foreign(net.router, "netdev edge", ("chain early", "type filter hook ingress device lan0 priority 0;"))
    _, live = explain(policy, *words(4))
    assert "table netdev edge has chains at a hook that is not read" in unknown(live), unknown(live)


def test_translates(net):
    """explain: --live: a foreign chain that translates the destination"""
    policy = Policy(net, BAN).up()
    for version, scope in BOTH:
        hook = "prerouting" if scope == "forward" else "output"
        target = PLAIN[version] if version == 4 else f"[{PLAIN[version]}]"
        foreign(net.router, "inet nat", ("chain first", f"""type nat hook {hook} priority -100;
                {family(version)} daddr {FOREIGN[version]} udp dport 53 dnat {family(version)} to {target}:5000"""))
        _, live = explain(policy, *words(version, scope), status=5)
        assert f"translates its destination to {PLAIN[version]} port 5000" in complaints(live), complaints(live)
        outcome = probe.ask(net.client if scope == "forward" else net.router, "udp", FOREIGN[version], 53, timeout=0.4)
        # The main table knows that network, and so it is not sent by the vpn.
        assert outcome.kind == "answer" and "dev wan0" in live["route"], (outcome, live["route"])
        policy.router.run("nft", "delete", "table", "inet", "nat")


PROXY = """version: 1
listeners:
  tp: {tproxy: 12345, runs_as: {user: 1001}}
  web: {redirect: 8080, protocols: tcp, runs_as: {user: 1001}}
rules:
  - {to: 192.0.2.2, family: ipv4, proto: tcp, port: 80, then: {proxy: web}}
  - {to: local, proto: tcp, port: 443, then: {proxy: web}}
  - {to: local, proto: tcp, port: 853, then: {proxy: tp}}
  - {scope: both, to: [203.0.113.0/24, "2001:db8:113::/48"], proto: tcp, port: [80, 22], then: {proxy: tp}}
"""


def test_own_address(network):
    """explain: --live: addresses of this host and broadcast addresses are recognized, whatever rule names them"""
    net = network()
    policy = Policy(net, PROXY).up()
    net.listener(8080, mode="redirect", protocols=("tcp",), addresses=("0.0.0.0", "::"))
    net.echo(net.router, tcp=(80,))
    answer, live = explain(policy, *words(4, to=OWN, proto="tcp", port=80))
    assert (answer["verdict"], answer["rule"]["line"]) == ("proxy", 6), "an address of this host, named as such"
    assert "192.0.2.2 is an address of this host" in said(live), live
    meets("proxy", "the packet", net, 4, to=OWN, proto="tcp", port=80)
    meets("router", "to another address of this host", net, 4, to=ROUTER, proto="tcp", port=80)
    for version in 4, 6:
        answer, _ = explain(policy, *words(version, to=OWN, proto="tcp", port=443))
        assert (answer["verdict"], who(net, version, to=OWN, proto="tcp", port=443)) == ("proxy", "proxy"), "to: local"
        answer, _ = explain(policy, *words(version, to=OWN, proto="tcp", port=853), status=5)
        assert answer["verdict"] == "proxy", "to: local, to a tproxy listener"
        net.listener()
        explain(policy, *words(version, to=OWN, proto="tcp", port=853))
        meets("proxy", "to: local, to a tproxy listener", net, version, to=OWN, proto="tcp", port=853)
        net.closers.pop().close()
    answer, live = explain(policy, *words(4, to={4: "10.10.10.255"}, port=67))
    assert answer["verdict"] == "direct" and "10.10.10.255 is a broadcast address" in said(live), live


def test_own_address_without_rules(network):
    """explain: --live: addresses of this host without an ip rule, and one that only looks local"""
    text = PROXY.replace("  tp: {tproxy: 12345, runs_as: {user: 1001}}\n", "").replace(
        "to: 192.0.2.2,", 'to: [192.0.2.2, "2001:db8:1::2", 203.0.113.8],')
    text = "".join(line + "\n" for line in text.splitlines() if "proxy: tp" not in line)
    net = network()
    policy = Policy(net, text).up()
    assert not [line for line in net.router.run("ip", "rule").stdout.splitlines() if "fwmark" in line]
    net.listener(8080, mode="redirect", protocols=("tcp",), addresses=("0.0.0.0", "::"))
    net.echo(net.router, tcp=(80,))
    for version in 4, 6:
        answer, live = explain(policy, *words(version, to=OWN, proto="tcp", port=80))
        # The rule names both, and is about IPv4 alone.
        assert answer["verdict"] == ("proxy" if version == 4 else "direct"), "an address of this host"
        assert f"{OWN[version]} is an address of this host" in said(live), live
        meets("proxy" if version == 4 else "router", "the packet", net, version, to=OWN, proto="tcp", port=80)
    # The fib of rules asks the table `local` alone; main's is another one once there are ip rules.
    net.router.run("ip", "rule", "add", "fwmark", "0x999", "lookup", "99")
    net.router.run("ip", "route", "add", "local", FOREIGN[4], "dev", "lo", "table", "main")
    answer, live = explain(policy, *words(4, proto="tcp", port=80))
    assert (answer["verdict"], who(net, 4, proto="tcp", port=80)) == ("proxy", "proxy"), "a local route of main"


def test_input(network):
    """explain: --live: input chains, for packets to a listener and to this host"""
    net = network()
    policy = Policy(net, PROXY).up()
    net.listener()
    net.listener(8080, mode="redirect", protocols=("tcp",), addresses=("0.0.0.0", "::"))
    for port, chain in ((443, "tcp dport 8080 drop"), (80, "tcp dport 80 drop")):
        to = OWN if port == 443 else FOREIGN
        for version in 4, 6:
            explain(policy, *words(version, to=to, proto="tcp", port=port))
        foreign(net.router, "inet fw", ("chain guard", f"type filter hook input priority 0; {chain}"))
        for version in 4, 6:
            _, live = explain(policy, *words(version, to=to, proto="tcp", port=port), status=5)
            assert "table inet fw, chain guard, handle" in complaints(live), complaints(live)
            meets(None, chain, net, version, to=to, proto="tcp", port=port)
        policy.router.run("nft", "delete", "table", "inet", "fw")
    # What this host sends to its own listener comes in by lo.
    foreign(net.router, "inet fw",
            ("chain guard", "type filter hook input priority 0; policy drop; iifname lo accept"))
    for version in 4, 6:
        explain(policy, *words(version, "local", proto="tcp", port=22))
        meets("proxy", "by lo", net, version, "local", proto="tcp", port=22)
        explain(policy, *words(version, proto="tcp", port=22), status=5)


def test_bridge(net):
    """explain: --live: in= names a port of a bridge: rules see the bridge, and the verdict is the bridge's"""
    text = BAN.replace("rules:\n", "rules:\n  - {in: lan0, proto: udp, then: drop}\n")
    policy = Policy(net, text).up()
    answer, _ = explain(policy, *words(4))
    assert (answer["verdict"], who(net, 4, wait=0.2)) == ("drop", None), "without a bridge"
    net.router.ip("link add br0 type bridge\nlink set br0 up\nlink set lan0 master br0\n"
                  "address add 10.10.10.1/24 dev br0\naddress add fd00:10::1/64 dev br0 nodad\n"
                  "address flush dev lan0")
    for version in 4, 6:
        answer, live = explain(policy, *words(version), status=5)
        assert answer["verdict"] == "route", "the bridge's verdict"
        assert "lan0 is a port of the bridge br0" in complaints(live), complaints(live)
        meets("vpn", "the packet", net, version)
    answer, live = explain(policy, "in=br0", *words(4)[1:])
    assert (answer["verdict"], live["problems"]) == ("route", []), "asked rightly"


def test_links(net):
    """explain: --live: interfaces that do not exist, are down, or have no carrier, by in=, by out= and by the route"""
    policy = Policy(net, BAN).up()
    for what, text in (("in=none0", "there is no interface none0"), ("in=lan0", "no carrier")):
        if what == "in=lan0":
            net.client.ip("link set eth0 down")
        for version in 4, 6:
            _, live = explain(policy, what, *words(version)[1:], status=5)
            assert text in complaints(live), complaints(live)
    net.client.ip("link set eth0 up")
    _, live = explain(policy, *words(4), "out=none1", status=5)
    assert "there is no interface none1" in complaints(live), complaints(live)
    _, live = explain(policy, *words(4), "out=wan1", status=5)
    assert "without a mark leaves through wan0, not wan1" in complaints(live), complaints(live)
    net.vpn.ip("link set eth0 down")
    _, live = explain(policy, *words(4), status=5)
    assert "the interface wg0 has no carrier" in complaints(live), complaints(live)
    meets(None, "the packet", net, 4)
    net.router.ip("link set lan0 down")
    _, live = explain(policy, *words(4), status=5)
    assert "the interface lan0 is down" in complaints(live), complaints(live)
    assert "ip link set lan0 up" in [problem["command"] for problem in live["problems"]], live


def test_out(net):
    """explain: --live: the outgoing interface of the main table is known to rules with `out`"""
    text = BAN.replace("rules:\n", "rules:\n  - {out: wan0, proto: udp, port: 123, then: drop}\n")
    policy = Policy(net, text).up()
    for version in 4, 6:
        answer, _ = explain(policy, *words(version, port=123))
        assert (answer["verdict"], who(net, version, port=123, wait=0.2)) == ("drop", None), "by wan0"


def test_forwarding(net):
    """explain: --live: forwarding off, for the host and for one interface"""
    policy = Policy(net, BAN.replace("version: 1\n", "version: 1\nsettings: {sysctls: ignore}\n")).up()
    for version, key, text in ((4, "net.ipv4.ip_forward", "net.ipv4.ip_forward is 0"),
                               (6, "net.ipv6.conf.all.forwarding", "net.ipv6.conf.all.forwarding is 0"),
                               (4, "net.ipv4.conf.lan0.forwarding", "net.ipv4.conf.lan0.forwarding is 0")):
        meets("vpn", "before", net, version)
        net.router.sysctl(key, 0)
        _, live = explain(policy, *words(version), status=5)
        assert text in complaints(live), complaints(live)
        assert f"sysctl -w {text.split()[0]}=1" in [p["command"] for p in live["problems"]], live
        meets(None, "the packet", net, version)
        if version == 4:
            explain(policy, *words(version, "local"))
        net.router.sysctl(key, 1)
        if version == 6:
            net.router.ip(f"route replace default via {PLAIN[6]} dev wan0", "-6")


def test_reverse(net):
    """explain: --live: a reverse-path filter that drops the packet is named"""
    policy = Policy(net, BAN.replace("version: 1\n", "version: 1\nsettings: {sysctls: ignore}\n")).up()
    far = ["in=wan0", "from=10.10.10.77", f"to={FOREIGN[4]}", "proto=udp", "port=53"]
    explain(policy, *far)
    net.router.sysctl("net.ipv4.conf.wan0.rp_filter", 1)
    _, live = explain(policy, *far, status=5)
    assert "rp_filter of wan0 is strict, and packets to 10.10.10.77 leave through lan0" in live["refusal"], live
    far[2] = f"to={PLAIN[4]}"
    answer, live = explain(policy, *far, status=5)
    assert answer["verdict"] == "direct" and "the packet is dropped: rp_filter" in complaints(live), live
    net.router.sysctl("net.ipv4.conf.wan0.rp_filter", 0)
    net.router.sysctl("net.ipv4.conf.lan0.rp_filter", 2)
    net.client.ip("address add 172.20.0.5/32 dev eth0")
    net.router.ip("route flush default", "-4")
    _, live = explain(policy, "in=lan0", "from=172.20.0.5", f"to={FOREIGN[4]}", "proto=udp", "port=53", status=5)
    assert "the main table has no route to 172.20.0.5" in live["refusal"], live


def test_balance(net):
    """explain: --live: the table of a balance is unknown, and foreign chains are still read"""
    text = BAN.replace("then: {route: vpn}", "then: {balance: {vpn: 1, main: 1}}")
    policy = Policy(net, text).up()
    for version in 4, 6:
        answer, live = explain(policy, *words(version))
        assert answer["verdict"] == "balance", "the verdict"
        assert "the table depends on the connection" in unknown(live), live
        assert who(net, version) in ("origin", "vpn")
    foreign(net.router, "inet fw", ("chain guard", FORWARD + "policy drop;"))
    for version in 4, 6:
        _, live = explain(policy, *words(version), status=5)
        assert "chain guard: drops the packet" in complaints(live), live
        meets(None, "neither", net, version)


def test_rule_in_front(net):
    """explain: --live: a foreign ip rule before the policy's is reported if it takes the packet"""
    policy = Policy(net, BAN).up()
    for version, scope in BOTH:
        rule = ("ip", f"-{version}", "rule")
        net.router.run(*rule, "add", "to", FOREIGN[version], "lookup", "main", "priority", "90")
        _, live = explain(policy, *words(version, scope), status=5)
        helps = ["; ".join(problem["help"]) for problem in live["problems"]]
        assert any("this foreign ip rule comes before the policy's: 90:" in text for text in helps), live
        meets("origin", "the packet", net, version, scope)
        net.router.run(*rule, "del", "priority", "90")
        explain(policy, *words(version, scope))


def test_by_hand(net):
    """explain: --live: a load without an apply is compared by counts, and that is reported"""
    policy = Policy(net, BAN).up("sh")
    _, live = explain(policy, *words(4))
    assert "there is no saved state of its apply, so rules are only counted" in unknown(live), live
    policy.router.run("nft", "insert", "rule", "inet", "tpc", "prerouting", "accept")
    _, live = explain(policy, *words(4), status=5)
    assert "the chain prerouting holds" in complaints(live), live
    meets("origin", "the packet", net, 4)


def test_batch(net):
    """explain: --live with --batch: one result for each line, each looked up on the host, and status 5 if one differs"""
    policy = Policy(net, BAN).up()
    policy.router.run("nft", "add", "element", "inet", "tpc", "ban_v4", "{ 203.0.113.9 }")
    lines = "".join(" ".join(line) + "\n" for line in (
        words(4), words(4, to={4: "203.0.113.9"}), words(6), words(6, "local")))
    done = policy.router.run(TPC, "explain", str(policy.path), "--live", "--batch", "-", "--format", "json",
                             stdin=lines)
    answers = [json.loads(line) for line in done.stdout.splitlines()]
    assert [(answer["line"], answer["verdict"], answer["live"]["problems"]) for answer in answers] == \
        [(1, "route", []), (2, "drop", []), (3, "route", []), (4, "route", [])], \
        "the answers"
    foreign(net.router, "ip6 fw", ("chain guard", FORWARD + "policy drop;"))
    done = policy.router.run(TPC, "explain", str(policy.path), "--live", "--batch", "-", stdin=lines, check=False)
    assert done.returncode == 5, "the IPv6 packet differs"
    assert [line.split()[0] for line in done.stdout.splitlines()] == ["1:", "2:", "3:", "warning:", "help:", "4:"], \
        done.stdout
