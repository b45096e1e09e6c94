"""A trial: an example's policy on the lab's router, its proxy beside it, and what each must prove.

In: the name of a folder in examples/. Out: a Network with HTTP and DNS servers beyond the router
that say whom they saw. Always true: before the policy came, the router's rules and routes were
noted, so that its going can be compared.
"""

import shutil

import pytest

import ns
from daemons import Daemon
from lab import CLIENT, FOREIGN, ROUTER, UPLINKS, Network
from policy import ROOT, Policy, different, kernel
from servers import MUCH, Names, Web, curl, shown
from outcomes import answered, fails, nothing

FAMILIES = (4, 6)
BEYOND = ("origin", "mobile")


def needs(*programs):
    """Skips the test where it cannot run."""
    if not ns.all_ids():
        pytest.skip("proxies take on users of their own: run this as root")
    for program in programs:
        if not shutil.which(program):
            pytest.skip(f"{program} is not here; run packaging/setup interop")


class Trial(Network):
    """The lab's network, an HTTP and a DNS server on every host beyond the router, and a policy."""

    def __init__(self, example, uplinks=("wan0",), **more):
        super().__init__(uplinks, tcp=(), udp=(), **more)
        self.folder = ROOT / "examples" / example
        self.web, self.names = {}, {}
        for name in BEYOND[:len(uplinks)]:
            self.web[name] = self.add(Web(self.hosts[name]))
            self.names[name] = self.add(Names(self.hosts[name]))
        self.before = kernel(self.router)
        self.policy = Policy(self, self.folder / "policy.yaml")

    def up(self):
        self.policy.up()
        return self

    def daemon(self, host, *command, **how):
        return self.add(Daemon(host, *command, **how))

    def config(self, name):
        """The file that a user of the example copies."""
        return str(self.folder / name)

    def addresses(self, host, version):
        """A host's own addresses."""
        shown_by_ip = host.run("ip", f"-{version}", "-br", "address").stdout.split()
        return [word.split("/")[0] for word in shown_by_ip if "/" in word]

    def goes_direct(self, host, address, port, version, user=None):
        """No proxy between the host and the origin, which sees the host's own address."""
        outcome = answered(curl(host, address, port, user), "origin", dest=shown(address, port))
        assert outcome.peer_address in self.addresses(host, version), str(outcome)
        assert "by way of nobody" in outcome.text, str(outcome)

    def goes_as_client(self, word):
        """By the proxy, which leaves its word in the request; the origin sees who asked, once each."""
        for host, address in (self.client, CLIENT), (self.router, UPLINKS["wan0"][1]):
            for version in FAMILIES:
                outcome = answered(curl(host, FOREIGN[version]), "origin", peer=address[version],
                                   dest=shown(FOREIGN[version], 80))
                assert word in outcome.text, str(outcome)
        assert len(self.web["origin"].seen) == 4, "requests at the origin"

    def carries_much(self, versions=FAMILIES):
        """Not only a connection's first packets arrive."""
        for version in versions:
            outcome = curl(self.client, FOREIGN[version], page="much")
            assert outcome.text == MUCH, f"{len(outcome.text)} bytes of {len(MUCH)}, {outcome.kind}"

    def nothing_gets_past(self, *daemons, versions=FAMILIES, port=80, tried=lambda *_: None):
        """
        The proxy is dead: clients are told at once, and the far side hears nothing. `tried` tries
        more, from a host in a family.
        """
        for daemon in daemons:
            daemon.close()
        far = [self.sniff(name) for name in self.web]
        for host in self.client, self.router:
            for version in versions:
                fails(curl(host, FOREIGN[version], port), "refused", "reset")
                tried(host, version)
        for sniffer in far:
            nothing(sniffer, "the far side")

    def no_straight_way(self, port, versions=FAMILIES):
        """A request to the listener's own port would make the proxy call itself."""
        for version in versions:
            for host in self.client, self.router:
                fails(curl(host, ROUTER[version], port), "refused", "reset")

    def goes_without_trace(self, port=80):
        """The policy is removed: rules and routes are as they were, requests go direct."""
        self.policy.down()
        assert different(self.before, kernel(self.router)) == [], "what remove left behind"
        for version in FAMILIES:
            self.goes_direct(self.client, FOREIGN[version], port, version)
            self.goes_direct(self.router, FOREIGN[version], port, version)
