"""
A firewall beside the policy that changes destinations behind its marks: what a transparent listener
takes keeps its own.
"""

import probe
from case_explain import explain
from lab import CLIENT, FOREIGN, Network
from policy import Policy, everything
from suite import answered, case, nothing

FAMILIES = (4, 6)
BOTH = [(proto, version) for proto in ("tcp", "udp") for version in FAMILIES]


def _firewall(net, hook, rules):
    net.router.nft(f"""table inet fw {{
    chain {hook} {{
        type nat hook {hook} priority -100;
        {rules}
    }}
}}""")


@case("translated: what a transparent listener takes keeps its destination, whatever a firewall redirects")
def _pinned():
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


@case("translated: what a routed way takes and a firewall sends to the LAN goes there, all else by the table")
def _routed():
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
