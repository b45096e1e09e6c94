"""
The seed: mark 100, ip rule, table 100, and a local proxy, whole. Three ways to reach the proxy
stand side by side, with what each keeps and what each loses.
"""

import json
import os
import shutil
import subprocess
import sys

import probe
from lab import CLIENT, FOREIGN, PLAIN, ROUTER, UPLINKS, Network
from ns import all_ids
from policy import ROOT, TPC, WAYS, Policy
from suite import answered, case, nothing, require, same, told

SEED = """version: 1
sets:
  foreign: [203.0.113.8, "2001:db8:113::8"]
listeners:
  proxy: {tproxy: 12345, mark: 100, table: 100}
rules:
  - {to: foreign, proto: tcp, then: {proxy: proxy}}
"""
SENTENCE = "Intercepted connection from 10.10.10.2:34316 destined for 203.0.113.8:80\n"


def _sentence(way):
    @case(f"seed: the sentence comes back, loaded by {way}")
    def _():
        with Network() as net:
            origin = net.sniff()
            Policy(net, ROOT / "examples" / "seed-lab" / "policy.yaml").up(way)
            net.listener()
            outcome = probe.ask(net.client, "tcp", "203.0.113.8", 80, source=(CLIENT[4], 34316))
            same(outcome.text, SENTENCE, "what the client read")
            nothing(origin)
            answered(probe.ask(net.client, "tcp", "203.0.113.9", 80), "origin", peer=CLIENT[4])
            answered(probe.ask(net.client, "udp", "203.0.113.8", 53), "origin", peer=CLIENT[4])


for _way in WAYS:
    _sentence(_way)


@case("seed: mark 100, a rule for it, table 100 with a local route")
def _chain():
    with Network() as net:
        Policy(net, SEED).up()
        for version in 4, 6:
            rules = json.loads(net.router.run("ip", f"-{version}", "-j", "rule").stdout)
            ours = [rule for rule in rules if rule.get("table") == "100"]
            same([int(rule["fwmark"], 16) for rule in ours], [100],
                 f"fwmark of the IPv{version} rules to table 100")
            routes = json.loads(net.router.run("ip", f"-{version}", "-j", "-d", "route", "show",
                                               "table", "100").stdout)
            same([(r["type"], r["dst"], r["dev"]) for r in routes], [("local", "default", "lo")],
                 f"IPv{version} table 100")


@case("seed: the packet is untouched, in both families")
def _untouched():
    with Network() as net:
        Policy(net, SEED).up()
        listener = net.listener(protocols=("tcp",))
        for version in 4, 6:
            outcome = answered(probe.ask(net.client, "tcp", FOREIGN[version], 80), "proxy")
            same(listener.seen[-1][1], outcome.source, "the client as the proxy saw it")


@case("seed: the proxy connects onward, from its own address")
def _onward():
    with Network() as net:
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


@case("seed: tproxy, redirect and dnat side by side: what each keeps and loses")
def _side_by_side():
    with Network(server=True) as net:
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
                same((first.peer, first.dest), (first.source, f"{_text(net_part + '1')}:443"),
                     f"tproxy, {proto}")
                kept = f"{_text(net_part + '2')}:443" if proto == "tcp" else f"{here}:12346"
                same((second.peer, second.dest), (second.source, kept), f"redirect, {proto}")
                same((third.peer_address, third.dest), (ROUTER[version], f"{there}:12347"),
                     f"dnat, {proto}")
        nothing(origin)


OWN = """version: 1
sets:
  foreign: [203.0.113.8, "2001:db8:113::8"]
listeners:
  proxy: {tproxy: 12345, mark: 100, table: 100, runs_as: {user: 1001}} # allow: own-mark
rules:
  - {scope: both, to: foreign, then: {proxy: proxy}}
"""


@case("seed: the host's own traffic, re-routed from output, TCP and UDP, both families")
def _own():
    with Network() as net:
        Policy(net, OWN).up()
        origin = net.sniff()
        net.listener()
        for version in 4, 6:
            for proto in "tcp", "udp":
                outcome = answered(probe.ask(net.router, proto, FOREIGN[version], 443), "proxy")
                same((outcome.peer, outcome.peer_address),
                     (outcome.source, UPLINKS["wan0"][1][version]), "the peer")
                answered(probe.ask(net.client, proto, FOREIGN[version], 443), "proxy",
                         peer=CLIENT[version])
                nothing(origin)
                answered(probe.ask(net.router, proto, PLAIN[version], 443), "origin")
                origin.packets()


@case("seed: the proxy of the host's own traffic connects onward as its own user")
def _own_onward():
    require(all_ids(), "other user ids cannot be taken on here; run the lab as root")
    with Network() as net:
        Policy(net, OWN).up()
        listener = net.listener(onward=True, identity=probe.Identity(user=1001))
        for host in net.client, net.router:
            for version in 4, 6:
                for proto in "tcp", "udp":
                    outcome = answered(probe.ask(host, proto, FOREIGN[version], 443), "proxy")
                    assert "and origin answers" in outcome.text, f"nothing came back: {outcome}"
        same(len(listener.seen), 8, "connections that the proxy saw")


@case("seed: a proxy that sets its listener's mark is cut off, unless runs_as names that mark")
def _own_mark():
    require(all_ids(), "other user ids cannot be taken on here; run the lab as root")
    identity = probe.Identity(user=1001, mark=100)
    for text, works in ((OWN, False), (OWN.replace("mark: 100, table: 100, runs_as: {user: 1001}", "runs_as: {mark: 100}"), True),
                        (OWN.replace("mark: 100, table: 100, ", ""), True)):
        with Network() as net:
            Policy(net, text).up()
            net.listener()
            for proto, version in (("tcp", 4), ("udp", 4), ("tcp", 6), ("udp", 6)):
                outcome = probe.ask(net.router, proto, FOREIGN[version], 443, timeout=0.25, identity=identity)
                same("origin" in outcome.text, works, f"{proto} over IPv{version}, {outcome}, of\n{text}")


@case("seed: several listeners at once, each with its own mark and table")
def _several():
    with Network() as net:
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
                same(listeners[at].seen[-1], (proto, outcome.source, f"203.0.113.77:{port}"),
                     f"the listener at {at}")
        listeners[12346].close()
        told(probe.ask(net.client, "udp", "203.0.113.77", 53))
        answered(probe.ask(net.client, "tcp", "203.0.113.77", 443), "proxy")


@case("seed lab: the containers' own scripts, in namespaces with the addresses of compose.yaml")
def _compose():
    folder = ROOT / "examples" / "seed-lab"
    wanted = _compose_file(folder / "compose.yaml")
    with Network(uplinks=()) as net:
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
            same(said.returncode, 0, f"the client's exit status ({said.stderr})")
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
        require(False, "python3-yaml is not installed")
    lab = yaml.safe_load(path.read_text())
    services = lab["services"]
    same(sorted(services), ["client", "router"], "the services")
    same(services["router"]["networks"]["lan"]["ipv4_address"], ROUTER[4], "the router's address")
    same(services["client"]["networks"]["lan"]["ipv4_address"], CLIENT[4], "the client's address")
    for service in services.values():
        script = os.path.basename(service["command"][-1])
        assert os.path.exists(path.parent / script), f"no {script}"
        assert os.path.exists(path.parents[2] / service["build"]["dockerfile"]), "no Dockerfile"
    return services["client"]["environment"]
