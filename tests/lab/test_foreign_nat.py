"""
A firewall beside the policy that changes destinations behind its marks: what a transparent listener
takes keeps its own, what goes by a table reaches the LAN, and where neither holds the rule is named.
"""

import re

import probe
from test_explain import explain
from lab import CLIENT, FOREIGN, Network
from policy import Policy, everything
from outcomes import answered, nothing

FAMILIES = (4, 6)
BOTH = [(proto, version) for proto in ("tcp", "udp") for version in FAMILIES]


def _firewall(net, hook, rules):
    net.router.nft(f"""table inet fw {{
    chain {hook} {{
        type nat hook {hook} priority -100;
        {rules}
    }}
}}""")


def test_pinned():
    """translated: packets of a transparent listener keep their destination, whatever a firewall redirects"""
    for later in False, True:
        with Network() as net:
            redirects = ("meta l4proto { tcp, udp } th dport 53 redirect to :5353",
                         "meta l4proto { tcp, udp } th dport 443 meta nfproto ipv4 dnat ip to 192.0.2.1",
                         "meta l4proto { tcp, udp } th dport 443 meta nfproto ipv6 dnat ip6 to 2001:db8:1::1")
            policy = Policy(net, everything("{tproxy: 12345, runs_as: {mark: 0xff}}"))
            if later:
                policy.up()
            for hook in "prerouting", "output":
                net.router.nft(f"add table inet {hook}_fw\nadd chain inet {hook}_fw nat "
                               f"{{ type nat hook {hook} priority -100; }}\n" + "".join(
                                   f"add rule inet {hook}_fw nat meta mark != 0xff {rule}\n" for rule in redirects))
            if not later:
                policy.up()
            net.listener()
            net.echo(net.router, tcp=(5353,), udp=(5353,), name="firewall")
            for host in net.client, net.router:
                for proto, version in BOTH:
                    for port in 53, 443:
                        shown = f"[{FOREIGN[6]}]" if version == 6 else FOREIGN[4]
                        answered(probe.ask(host, proto, FOREIGN[version], port), "proxy", dest=f"{shown}:{port}")
            for version in FAMILIES:
                for sent in ["in=lan0", f"from={CLIENT[version]}"], ["scope=local"]:
                    _, live = explain(policy, *sent, f"to={FOREIGN[version]}", "proto=tcp", "port=53")
                    assert not live["problems"], live["problems"]


def test_routed():
    """translated: packets of a table that a firewall sends to the LAN go there, others through the table"""
    for rule in "{in: lan0, then: {route: vpn}}", "{then: {route: vpn}}":
        with Network(uplinks=("wan0", "wan1", "wg0")) as net:
            policy = Policy(net, f"""version: 1
tables: {{vpn: {{dev: wg0, fallback: unreachable, masquerade: true}}}}
rules:
  - {rule}
  - {{scope: local, to: [203.0.113.0/24, "2001:db8:113::/48"], then: {{route: vpn}}}}
""").up()
            targets = {4: ("198.51.100.1", "203.0.113.77"), 6: ("2001:db8:2::1", "2001:db8:113::77")}
            for hook, priority in ("prerouting", -100), ("output", -90):
                net.router.nft(f"add table inet {hook}_fw\nadd chain inet {hook}_fw nat "
                               f"{{ type nat hook {hook} priority {priority}; }}\n" + "".join(
                                   f"add rule inet {hook}_fw nat meta l4proto {{ tcp, udp }} th dport {port} meta nfproto "
                                   f"ipv{version} dnat {'ip6' if version == 6 else 'ip'} to {targets[version][nth]}\n"
                                   for version in FAMILIES for nth, port in enumerate((53, 443))))
            origin = net.sniff()
            for host in net.client, net.router:
                for proto, version in BOTH:
                    answered(probe.ask(host, proto, FOREIGN[version], 53), "mobile")
                    answered(probe.ask(host, proto, FOREIGN[version], 443), "vpn")
                    port = 80 if proto == "tcp" else 5000
                    answered(probe.ask(host, proto, FOREIGN[version], port), "vpn")
            net.router.ip("link set wg0 down")
            for proto, version in BOTH:
                answered(probe.ask(net.client, proto, FOREIGN[version], 53), "mobile")
                for host in net.client, net.router:
                    outcome = probe.ask(host, proto, FOREIGN[version], 443, timeout=0.3)
                    assert outcome.kind != "answer", f"answered: {outcome}"
            nothing(origin)
            policy.down()


def _named(policy, way, rules):
    """status names the rule of each family, once, and explain says the same of a packet."""
    reported = policy.tpc("status", check=False).stdout
    assert reported.count("a foreign nft rule translates packets") == rules and way in reported, reported
    assert "everything holds" not in reported, reported


def test_strict(network):
    """translated: packets of a strict table stay in it, and the foreign rule is reported until it excludes the mark"""
    net = network(uplinks=("wan0", "wan1", "wg0"))
    policy = Policy(net, """version: 1
tables:
  vpn: {dev: wg0, fallback: unreachable, masquerade: true, strict: true, mark: {value: 0x01000000, mask: 0x7f000000}}
rules:
  - {in: lan0, then: {route: vpn}}
  - {scope: local, to: [203.0.113.0/24, "2001:db8:113::/48"], then: {route: vpn}}
""").up()
    targets = {4: "198.51.100.1", 6: "2001:db8:2::1"}
    # Whatever its priority, a chain that translates is called behind the policy's.
    for hook, priority in ("prerouting", -160), ("output", -90):
        net.router.nft(f"add table inet {hook}_fw\nadd chain inet {hook}_fw nat "
                       f"{{ type nat hook {hook} priority {priority}; }}\n" + "".join(
                           f"add rule inet {hook}_fw nat meta l4proto {{ tcp, udp }} th dport 53 meta nfproto "
                           f"ipv{version} dnat {'ip6' if version == 6 else 'ip'} to {targets[version]}\n"
                           for version in FAMILIES))
    origin = net.sniff()
    _named(policy, "the table vpn, and they stay in it, to", 2)
    for host in net.client, net.router:
        for proto, version in BOTH:
            outcome = probe.ask(host, proto, FOREIGN[version], 53, timeout=0.3)
            assert outcome.kind != "answer", f"answered: {outcome}"
    spare = re.search(r"put `(.*)` before that rule", policy.tpc("status", check=False).stdout)[1]
    for hook in "prerouting", "output":
        net.router.nft(f"insert rule inet {hook}_fw nat {spare}")
    reported = policy.tpc("status", check=False).stdout
    assert "foreign nft rule" not in reported, reported
    for host in net.client, net.router:
        for proto, version in BOTH:
            answered(probe.ask(host, proto, FOREIGN[version], 53), "vpn")
    nothing(origin)
    policy.down()


def test_taken_first():
    """translated: a foreign chain before the listeners' own takes their packets, and is reported"""
    for mode, priority in (("redirect: 12345, protocols: [tcp, udp]", -160), ("tproxy: 12345", -110)):
        with Network() as net:
            policy = Policy(net, everything(f"{{{mode}, runs_as: {{mark: 0xff}}}}")).up()
            net.listener(**({"mode": "redirect", "addresses": ("0.0.0.0", "::")} if mode.startswith("redirect") else {}))
            net.echo(net.router, tcp=(5353,), udp=(5353,), name="firewall")
            for hook in "prerouting", "output":
                net.router.nft(f"add table inet {hook}_fw\nadd chain inet {hook}_fw nat "
                               f"{{ type nat hook {hook} priority {priority}; }}\nadd rule inet {hook}_fw nat meta mark != 0xff "
                               "meta l4proto { tcp, udp } th dport 53 redirect to :5353\n")
            _named(policy, "the listener proxy, and ", 2)
            if mode.startswith("redirect"):
                for host in net.client, net.router:
                    for proto, version in BOTH:
                        answered(probe.ask(host, proto, FOREIGN[version], 53), "firewall")
            for hook in "prerouting", "output":
                net.router.nft(f"flush chain inet {hook}_fw nat")
                net.router.nft(f"delete chain inet {hook}_fw nat\nadd chain inet {hook}_fw nat "
                               f"{{ type nat hook {hook} priority -100; }}\nadd rule inet {hook}_fw nat meta mark != 0xff "
                               "meta l4proto { tcp, udp } th dport 53 redirect to :5353\n")
            reported = policy.tpc("status", check=False).stdout
            assert "foreign nft rule" not in reported, reported
            for host in net.client, net.router:
                for proto, version in BOTH:
                    answered(probe.ask(host, proto, FOREIGN[version], 54), "proxy")
                    answered(probe.ask(host, proto, FOREIGN[version], 53), "proxy")
            policy.down()
