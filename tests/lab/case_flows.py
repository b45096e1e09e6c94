"""
Flows that are older than the policy, or outlive it: what conntrack holds on a way that is no more is deleted after
an apply and a removal, and nothing else is.
"""

import contextlib

import probe
from lab import FOREIGN, Network
from policy import Policy
from suite import case, same

POLICY = """version: 1
SETTINGS
listeners: {dns: {redirect: 12345, protocols: [tcp, udp]}}
rules: [{in: lan0, proto: udp, port: 5000, then: {proxy: dns}}]
"""
NAT = """table inet nat {
    chain post {
        type nat hook postrouting priority 100; policy accept;
        oifname "wan0" masquerade
    }
}"""


class Flow:
    """Datagrams of one socket, as a resolver on a fixed port sends them."""

    def __init__(self, host, version, port):
        self.sock = probe.NOBODY_SPECIAL.open(host, probe.family_of(FOREIGN[version]), probe.SOCKETS["udp"])
        self.sock.settimeout(0.5)
        self.sock.connect((FOREIGN[version], port))

    def ask(self):
        """Who answers the second time: a refusal of what was sent before may come first."""
        who = None
        for _ in range(3):
            with contextlib.suppress(OSError):
                self.sock.send(b"hello\n")
                who = probe.Outcome("answer", self.sock.recv(2048).decode()).who
        return who


def entries(net, port):
    with net.router, open("/proc/thread-self/net/nf_conntrack") as file:
        return {line.split()[0]: line for line in file if f"dport={port} " in line}


def world():
    net = Network()
    net.router.nft(NAT)
    return net


def ask(flows):
    return [flow.ask() for flow in flows]


@case("flows: what is older than the policy goes to its listener, and out again when the policy is removed; nothing else")
def _follow():
    with world() as net:
        listener = net.listener(mode="redirect", addresses=("0.0.0.0", "::"))
        old, other = ([Flow(net.client, version, port) for version in (4, 6)] for port in (5000, 443))
        same(ask(old) + ask(other), ["origin"] * 4, "before")
        kept = entries(net, 443)
        policy = Policy(net, POLICY.replace("SETTINGS", ""))
        said = policy.tpc("apply", str(policy.path)).stdout
        assert "connections on a way that is no more: -2" in said, said
        same(ask(old), ["proxy"] * 2, "with the policy")
        same(policy.tpc("apply", str(policy.path)).stdout.count("no more"), 0, "deleted again")
        same(ask(old) + ask(other), ["proxy"] * 2 + ["origin"] * 2, "with the policy applied again")
        said = policy.tpc("remove").stdout
        assert "connections: 2 on a way that is no more, deleted" in said, said
        listener.close()
        same(ask(old), ["origin"] * 2, "without the policy")
        same({key: line.split("src=")[1:] for key, line in kept.items()},
             {key: line.split("src=")[1:] for key, line in entries(net, 443).items()}, "other flows")


@case("flows: settings and --keep-connections leave what there is, also at a removal")
def _keep():
    for settings, option in ("settings: {connections: keep}", ()), ("", ("--keep-connections",)):
        with world() as net:
            net.listener(mode="redirect", addresses=("0.0.0.0", "::"))
            old = [Flow(net.client, version, 5000) for version in (4, 6)]
            same(ask(old), ["origin"] * 2, "before")
            policy = Policy(net, POLICY.replace("SETTINGS", settings))
            policy.tpc("apply", *option, str(policy.path))
            same(ask(old), [None] * 2, "with the policy")
            new = [Flow(net.client, version, 5000) for version in (4, 6)]
            same(ask(new), ["proxy"] * 2, "what is new")
            policy.tpc("remove", *option)
            same(ask(new), ["proxy"] * 2, "what the listener had, without the policy")
