"""
The matrix: what every action does with TCP and UDP, in both families, for forwarded and for local
traffic. Each cell is a policy of one rule, which takes exactly that cell; what is next to the cell
(the other protocol, family, scope, another destination) must go its usual way.
"""

import pytest

import probe
from lab import FOREIGN, PLAIN, Network, UPLINKS
from policy import Policy
from outcomes import answered, fails, nothing, silent

PROXY = probe.Identity(user=1001)
LISTENERS = {
    "tproxy": "{tproxy: 12345, runs_as: {user: 1001}}",
    "redirect": "{redirect: 12345, protocols: [tcp, udp], runs_as: {user: 1001}}",
    "dnat": '{dnat: ["10.10.10.9:12345", "[fd00:10::9]:12345"], masquerade: true, runs_as: {user: 1001}}',
}
ACTIONS = {"route": "{route: mobile}", "drop": "drop", "reject": "reject", "direct": "direct",
           "mark": "{mark: 0x5}"}


class Cell:
    """One cell's network, policy and probes."""

    def __init__(self, mode, proto, version, scope):
        self.mode, self.proto, self.version, self.scope = mode, proto, version, scope
        self.net = Network(uplinks=("wan0", "wan1"), server=mode == "dnat")
        self.sender = self.net.client if scope == "forward" else self.net.router
        self.bystander = self.net.router if scope == "forward" else self.net.client
        self.origin = self.net.sniff("origin")
        self.dest = FOREIGN[version]

    def __enter__(self):
        if self.mode == "mark":  # somebody else's rule and table make something of the mark
            for version in 4, 6:
                self.net.router.ip(f"""rule add priority 500 fwmark 5 lookup 50
                    route add default via {UPLINKS['wan1'][2][version]} table 50""", f"-{version}")
        Policy(self.net, self.text()).up()
        return self

    def __exit__(self, *_):
        self.net.close()

    def text(self):
        then = ACTIONS.get(self.mode) or "{proxy: it}"
        more = f"listeners:\n  it: {LISTENERS[self.mode]}\n" if self.mode in LISTENERS else ""
        if self.mode == "route":
            more = 'tables:\n  mobile: {via: [198.51.100.1, "2001:db8:2::1"], dev: wan1, masquerade: true}\n'
        if self.mode == "direct":
            more = "default: {forward: drop, local: drop}\n"
        return f"""version: 1
{more}rules:
  - {{scope: {self.scope}, family: ipv{self.version}, proto: {self.proto}, to: ["{self.dest}"], then: {then}}}
"""

    def ask(self, dest=None, sender=None, proto=None, **how):
        return probe.ask(sender or self.sender, proto or self.proto, dest or self.dest, 443, **how)

    def others_go_direct(self):
        answered(self.ask(dest=PLAIN[self.version]), "origin")
        answered(self.ask(dest=FOREIGN[10 - self.version]), "origin")
        answered(self.ask(proto="udp" if self.proto == "tcp" else "tcp"), "origin")
        answered(self.ask(sender=self.bystander), "origin")
        self.origin.packets()


def meant(cell):
    return f"[{cell.dest}]:443" if cell.version == 6 else f"{cell.dest}:443"


def proxied(cell, host, keeps_peer, dest):
    cell.others_go_direct()
    fails(ask_dead(cell), *dead(cell))
    nothing(cell.origin)
    addresses = ("127.0.0.1", "::1") if cell.mode == "tproxy" else ("0.0.0.0", "::")
    listener = cell.net.listener(12345, host=host, mode=cell.mode, addresses=addresses)
    outcome = answered(cell.ask(), "proxy", dest=dest)
    assert (outcome.peer == outcome.source) == keeps_peer, f"the client's own address and port are seen ({outcome})"
    nothing(cell.origin)
    listener.close()
    fails(ask_dead(cell), *dead(cell))
    nothing(cell.origin)


def dead(cell):
    """
    A local IPv4 datagram cannot be answered by the kernel: the ICMP message would come from the
    foreign address, which it refuses to send from. The sender waits; nothing leaves all the same.
    """
    if (cell.mode, cell.proto, cell.version, cell.scope) == ("tproxy", "udp", 4, "local"):
        return ("silence",)
    return ("refused",)


def ask_dead(cell):
    return cell.ask(timeout=0.4 if dead(cell) == ("silence",) else 3.0)


def tproxy(cell):
    proxied(cell, cell.net.router, True, meant(cell))


def redirect(cell):
    """TCP can ask for the original destination; for UDP it is lost."""
    lost = {"forward": {4: "10.10.10.1:12345", 6: "[fd00:10::1]:12345"},
            "local": {4: "127.0.0.1:12345", 6: "[::1]:12345"}}
    dest = meant(cell) if cell.proto == "tcp" else lost[cell.scope][cell.version]
    proxied(cell, cell.net.router, True, dest)


def dnat(cell):
    """
    The other host sees its own address, and the router's instead of the client's (masquerade).
    """
    proxied(cell, cell.net.server, False,
            {4: "10.10.10.9:12345", 6: "[fd00:10::9]:12345"}[cell.version])


def route(cell):
    cell.others_go_direct()
    answered(cell.ask(), "mobile", peer=UPLINKS["wan1"][1][cell.version])
    nothing(cell.origin)


def mark(cell):
    cell.others_go_direct()
    answered(cell.ask(), "mobile")
    nothing(cell.origin)


def drop(cell):
    cell.others_go_direct()
    silent(cell.ask(timeout=0.2))
    nothing(cell.origin)


def reject(cell):
    cell.others_go_direct()
    fails(cell.ask(), "refused", "prohibited")  # a local datagram: send() itself says no
    nothing(cell.origin)


def direct(cell):
    """The rule is an exception from a default that drops."""
    answered(cell.ask(), "origin")
    cell.origin.packets()
    silent(cell.ask(dest=PLAIN[cell.version], timeout=0.2))
    silent(cell.ask(proto="udp" if cell.proto == "tcp" else "tcp", timeout=0.2))
    nothing(cell.origin)


@pytest.mark.parametrize("check", (tproxy, redirect, dnat, route, drop, reject, direct, mark))
@pytest.mark.parametrize("scope", ("forward", "local"))
@pytest.mark.parametrize("proto", ("tcp", "udp"))
@pytest.mark.parametrize("version", (4, 6))
def test_cell(check, proto, version, scope):
    """matrix: {check}, {scope} {proto} over IPv{version}"""
    with Cell(check.__name__, proto, version, scope) as cell:
        check(cell)
