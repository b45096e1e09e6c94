"""
A firewall beside the policy that changes destinations behind its marks: what a transparent listener
takes keeps its own.
"""

import probe
from case_explain import explain
from lab import CLIENT, FOREIGN, Network
from policy import Policy, everything
from suite import answered, case

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
