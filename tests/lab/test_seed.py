"""
The seed: mark 100, ip rule, table 100, and a local proxy, whole. Three ways to reach the proxy
stand side by side, with what each keeps and what each loses.
"""

import json
import os
import shutil
import subprocess
import sys

import pytest

import probe
from lab import CLIENT, FOREIGN, PLAIN, ROUTER, UPLINKS, Network
from policy import ROOT, TPC, WAYS, Policy
from outcomes import answered, fails, nothing

SEED = """version: 1
sets:
  foreign: [203.0.113.8, "2001:db8:113::8"]
listeners:
  proxy: {tproxy: 12345, mark: 100, table: 100}
rules:
  - {to: foreign, proto: tcp, then: {proxy: proxy}}
"""
SENTENCE = "Intercepted connection from 10.10.10.2:34316 destined for 203.0.113.8:80\n"


@pytest.mark.parametrize("way", WAYS)
def test_sentence(net, way):
    """seed: the proxy's sentence arrives, loaded by {way}"""
    origin = net.sniff()
    Policy(net, ROOT / "examples" / "seed-lab" / "policy.yaml").up(way)
    net.listener()
    outcome = probe.ask(net.client, "tcp", "203.0.113.8", 80, source=(CLIENT[4], 34316))
    assert outcome.text == SENTENCE, "what the client read"
    nothing(origin)
    answered(probe.ask(net.client, "tcp", "203.0.113.9", 80), "origin", peer=CLIENT[4])
    answered(probe.ask(net.client, "udp", "203.0.113.8", 53), "origin", peer=CLIENT[4])


def test_chain(net):
    """seed: mark 100, a rule for it, table 100 with a local route"""
    Policy(net, SEED).up()
    for version in 4, 6:
        rules = json.loads(net.router.run("ip", f"-{version}", "-j", "rule").stdout)
        ours = [rule for rule in rules if rule.get("table") == "100"]
        assert [int(rule["fwmark"], 16) for rule in ours] == [100], f"fwmark of the IPv{version} rules to table 100"
        routes = json.loads(net.router.run("ip", f"-{version}", "-j", "-d", "route", "show",
                                           "table", "100").stdout)
        assert [(r["type"], r["dst"], r["dev"]) for r in routes] == [("local", "default", "lo")], \
            f"IPv{version} table 100"


def test_untouched(net):
    """seed: the packet is untouched, in both families"""
    Policy(net, SEED).up()
    listener = net.listener(protocols=("tcp",))
    for version in 4, 6:
        outcome = answered(probe.ask(net.client, "tcp", FOREIGN[version], 80), "proxy")
        assert listener.seen[-1][1] == outcome.source, "the client as the proxy saw it"


def test_onward(net):
    """seed: the proxy connects to the origin from its own address"""
    Policy(net, SEED).up()
    net.listener(onward=True)
    for version in 4, 6:
        outcome = answered(probe.ask(net.client, "tcp", FOREIGN[version], 80), "proxy")
        wanted = f"and origin answers {_text(UPLINKS['wan0'][1][version])}:"
        assert wanted in outcome.text, f"no {wanted!r} in {outcome}"


def _text(address):
    return f"[{address}]" if ":" in address else address


SIDE_BY_SIDE = """version: 1
sets:
  by_tproxy: [203.0.113.1, "2001:db8:113::1"]
  by_redirect: [203.0.113.2, "2001:db8:113::2"]
  by_dnat: [203.0.113.3, "2001:db8:113::3"]
listeners:
  one: {tproxy: 12345}
  two: {redirect: 12346, protocols: [tcp, udp]}
  three: {dnat: ["10.10.10.9:12347", "[fd00:10::9]:12347"], masquerade: true}
rules:
  - {to: by_tproxy, proto: [tcp, udp], then: {proxy: one}}
  - {to: by_redirect, proto: [tcp, udp], then: {proxy: two}}
  - {to: by_dnat, proto: [tcp, udp], then: {proxy: three}}
"""


def test_side_by_side(network):
    """seed: tproxy, redirect and dnat side by side: what each keeps and loses"""
    net = network(server=True)
    Policy(net, SIDE_BY_SIDE).up()
    origin = net.sniff()
    net.listener(12345)
    net.listener(12346, mode="redirect", addresses=("0.0.0.0", "::"))
    net.listener(12347, host=net.server, mode="dnat", addresses=("0.0.0.0", "::"))
    for version, net_part, here, there in ((4, "203.0.113.", ROUTER[4], "10.10.10.9"),
                                           (6, "2001:db8:113::", f"[{ROUTER[6]}]",
                                            "[fd00:10::9]")):
        for proto in "tcp", "udp":
            first, second, third = (answered(probe.ask(net.client, proto, f"{net_part}{n}",
                                                       443), "proxy")
                                    for n in (1, 2, 3))
            assert (first.peer, first.dest) == (first.source, f"{_text(net_part + '1')}:443"), f"tproxy, {proto}"
            kept = f"{_text(net_part + '2')}:443" if proto == "tcp" else f"{here}:12346"
            assert (second.peer, second.dest) == (second.source, kept), f"redirect, {proto}"
            assert (third.peer_address, third.dest) == (ROUTER[version], f"{there}:12347"), f"dnat, {proto}"
    nothing(origin)


OWN = """version: 1
sets:
  foreign: [203.0.113.8, "2001:db8:113::8"]
listeners:
  proxy: {tproxy: 12345, mark: 100, table: 100, runs_as: {user: 1001}} # allow: own-mark
rules:
  - {scope: both, to: foreign, then: {proxy: proxy}}
"""


def test_own(net):
    """seed: local traffic, re-routed from output, TCP and UDP, both families"""
    Policy(net, OWN).up()
    origin = net.sniff()
    net.listener()
    for version in 4, 6:
        for proto in "tcp", "udp":
            outcome = answered(probe.ask(net.router, proto, FOREIGN[version], 443), "proxy")
            assert (outcome.peer, outcome.peer_address) == (outcome.source, UPLINKS["wan0"][1][version]), "the peer"
            answered(probe.ask(net.client, proto, FOREIGN[version], 443), "proxy",
                     peer=CLIENT[version])
            nothing(origin)
            answered(probe.ask(net.router, proto, PLAIN[version], 443), "origin")
            origin.packets()


@pytest.mark.root
def test_own_onward(network):
    """seed: the proxy of local traffic connects to the origin as its own user"""
    net = network()
    Policy(net, OWN).up()
    listener = net.listener(onward=True, identity=probe.Identity(user=1001))
    for host in net.client, net.router:
        for version in 4, 6:
            for proto in "tcp", "udp":
                outcome = answered(probe.ask(host, proto, FOREIGN[version], 443), "proxy")
                assert "and origin answers" in outcome.text, f"nothing came back: {outcome}"
    assert len(listener.seen) == 8, "connections that the proxy saw"


@pytest.mark.root
def test_own_mark():
    """seed: a proxy that sets its listener's mark is cut off, unless runs_as names that mark"""
    identity = probe.Identity(user=1001, mark=100)
    for text, works in ((OWN, False), (OWN.replace("mark: 100, table: 100, runs_as: {user: 1001}", "runs_as: {mark: 100}"), True),
                        (OWN.replace("mark: 100, table: 100, ", ""), True)):
        with Network() as net:
            Policy(net, text).up()
            net.listener()
            for proto, version in (("tcp", 4), ("udp", 4), ("tcp", 6), ("udp", 6)):
                outcome = probe.ask(net.router, proto, FOREIGN[version], 443, timeout=0.25, identity=identity)
                assert ("origin" in outcome.text) == works, f"{proto} over IPv{version}, {outcome}, of\n{text}"


def test_several(net):
    """seed: several listeners at once, each with its own mark and table"""
    Policy(net, """version: 1
listeners:
  web: {tproxy: 12345}
  dns: {tproxy: 12346}
  rest: {tproxy: 12347, mark: 100, table: 100}
rules:
  - {to: 203.0.113.0/24, port: [http, https], then: {proxy: web}}
  - {to: 203.0.113.0/24, port: 53, then: {proxy: dns}}
  - {to: 203.0.113.0/24, then: {proxy: rest}}
""").up()
    listeners = {port: net.listener(port) for port in (12345, 12346, 12347)}
    for proto in "tcp", "udp":
        for port, at in ((443, 12345), (53, 12346), (5000, 12347)):
            outcome = answered(probe.ask(net.client, proto, "203.0.113.77", port), "proxy",
                               dest=f"203.0.113.77:{port}")
            assert listeners[at].seen[-1] == (proto, outcome.source, f"203.0.113.77:{port}"), f"the listener at {at}"
    listeners[12346].close()
    fails(probe.ask(net.client, "udp", "203.0.113.77", 53))
    answered(probe.ask(net.client, "tcp", "203.0.113.77", 443), "proxy")


def test_compose(network):
    """seed lab: the containers' own scripts, in namespaces with the addresses of compose.yaml"""
    folder = ROOT / "examples" / "seed-lab"
    wanted = _compose_file(folder / "compose.yaml")
    net = network(uplinks=())
    copy = os.path.join(net.directory, "lab")
    shutil.copytree(folder, copy)
    environment = {"PATH": os.environ["PATH"], "TPC": TPC, "PYTHON": sys.executable, **wanted}
    with net.router:
        router = subprocess.Popen(["sh", f"{copy}/router.sh"], env=environment,
                                  stdout=subprocess.PIPE,
                                  stderr=subprocess.STDOUT, text=True)
    try:
        net.client.run("ip", "route", "del", "default")
        said = net.client.run("sh", f"{copy}/client.sh", env=environment, timeout=20,
                              check=False)
        assert said.returncode == 0, f"the client's exit status ({said.stderr})"
        begin, end = "Intercepted connection from 10.10.10.2:", " destined for 203.0.113.8:80\n"
        assert said.stdout.startswith(begin), f"the client said {said.stdout!r}"
        assert said.stdout.endswith(end), f"the client said {said.stdout!r}"
        lines = iter(router.stdout.readline, "")
        assert said.stdout in lines, "the router did not say the same"
    finally:
        router.kill()
        router.wait()
        router.stdout.close()


def _compose_file(path):
    """
    The compose file is YAML, and asks for what the lab in namespaces has; the client's environment.
    """
    try:
        import yaml
    except ImportError:
        pytest.skip("python3-yaml is not installed")
    lab = yaml.safe_load(path.read_text())
    services = lab["services"]
    assert sorted(services) == ["client", "router"], "the services"
    assert services["router"]["networks"]["lan"]["ipv4_address"] == ROUTER[4], "the router's address"
    assert services["client"]["networks"]["lan"]["ipv4_address"] == CLIENT[4], "the client's address"
    for service in services.values():
        script = os.path.basename(service["command"][-1])
        assert os.path.exists(path.parent / script), f"no {script}"
        assert os.path.exists(path.parents[2] / service["build"]["dockerfile"]), "no Dockerfile"
    return services["client"]["environment"]
