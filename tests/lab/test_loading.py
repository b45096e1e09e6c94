"""
Loading: by hand, by script and by the program end in the same kernel state; a second time changes
nothing; taking away leaves the host as it was; and what belongs to others stands untouched all the
while.
"""

import contextlib
import json

import pytest

import probe
from cgroups import slices
from lab import Network
from policy import ROOT, TPC, WAYS, Policy, different, generation, kernel, ruleset
from outcomes import answered, silent

EXAMPLES = sorted(path.parent.name for path in (ROOT / "examples").glob("*/policy.yaml"))
ALL_UPLINKS = ("wan0", "wan1", "wg0", "wg1")

# Somebody else's: a firewall with counters, maps and NAT, rules and routes with marks, an own use
# of our default table ids' neighbourhood.
OTHERS_NFT = """
table inet filter {
    set blocked {
        type ipv4_addr
        flags interval
        elements = { 203.0.113.66, 198.51.100.128/25 }
    }
    chain input {
        type filter hook input priority 0; policy accept;
        ct state established,related accept
        ip saddr @blocked counter drop
    }
    chain forward {
        type filter hook forward priority 0; policy accept;
        meta mark & 0x00ff0000 == 0x00080000 counter accept
    }
}
table ip nat {
    chain prerouting {
        type nat hook prerouting priority -100; policy accept;
        iifname "wan0" tcp dport 8080 dnat to 10.10.10.9:80
    }
    chain postrouting {
        type nat hook postrouting priority 100; policy accept;
        oifname "nowhere0" masquerade
    }
}
table inet theirs {
    chain mine {
    }
}
"""
OTHERS_RULES = """rule add priority 100 fwmark 0x80000/0xff0000 lookup 52 protocol 3
rule add priority 9999 from 10.77.0.0/16 lookup 53
rule add priority 9998 fwmark 0x10000/0x10000 lookup 53
rule add priority 19999 fwmark 0x20000/0x20000 lookup 53
rule add priority 30000 to 203.0.113.99 prohibit"""
OTHERS_ROUTES = {4: """route add default via 192.0.2.1 table 52 proto static
route add unreachable 203.0.113.99/32 table 53 metric 5
route add 203.0.113.96/28 via 192.0.2.1 proto 116""", 6: """route add default via 2001:db8:1::1 table 52 proto static
route add unreachable 2001:db8:113::99/128 table 53 metric 5"""}


def others(net):
    """Other software's rules, settled in before the policy comes."""
    net.router.nft(OTHERS_NFT)
    for version in 4, 6:
        rules = OTHERS_RULES if version == 4 else OTHERS_RULES.replace("10.77.0.0/16",
                                                                       "fd00:77::/32").replace(
            "203.0.113.99", "2001:db8:113::99")
        net.router.ip(rules + "\n" + OTHERS_ROUTES[version], f"-{version}")


# Every kind of thing a policy can leave in a kernel.
BROAD = """version: 1
sets:
  foreign: [203.0.113.0/24, "2001:db8:113::/48", 198.51.100.77-198.51.100.99]
  home: {include: [private], exclude: [10.1.0.0/16]}
listeners:
  one: {tproxy: 12345, runs_as: {user: 1001}, spoofs_client: true}
  two: {redirect: 12346, runs_as: {user: 1001}, on_failure: drop}
  three: {dnat: ["10.10.10.9:12347", "[fd00:10::9]:12347"], masquerade: true}
tables:
  vpn: {dev: wg0, fallback: unreachable, masquerade: true, clamp_mss: true, strict: true}
  mobile: {via: [198.51.100.1, "2001:db8:2::1"], dev: wan1, masquerade: true, prefer_main: true}
  lab: {routes: [{to: 10.0.0.0/8, via: 192.0.2.1}, {to: default, dev: wg1, metric: 20}, {to: 10.66.0.0/16, type: blackhole}]}
  multi: {routes: [{to: default, nexthops: [{via: 192.0.2.1, dev: wan0, weight: 3}, {via: 198.51.100.1, dev: wan1}]}]}
rules:
  - {name: never, to: 203.0.113.66, then: drop}
  - {to: home, then: direct}
  - {scope: both, to: foreign, proto: tcp, port: [80, 443, "8000-8100"], then: {proxy: one}}
  - {to: foreign, proto: tcp, port: 8443, then: {proxy: two}}
  - {to: foreign, proto: udp, port: 53, then: {proxy: three}}
  - {user: [1002, "2000-2999"], then: {route: [vpn, mobile, unreachable]}}
  - {in: lan0, from: 10.10.10.64/26, then: {route: mobile}}
  - {mark: {value: 0x80000, mask: 0xff0000}, then: {route: lab}}
  - {in: "lan*", proto: icmp, then: {route: multi}}
  - {from: 10.10.10.0/30, port: 25, then: reject}
  - {from: 10.10.10.4/30, state: new, then: {mark: 0x7}}
default: {forward: direct, local: direct}
"""


def shipped(name):
    return ROOT / "examples" / name / "policy.yaml"


@contextlib.contextmanager
def subject(name):
    """A policy as Policy takes it; the control groups that it names are there meanwhile."""
    path = shipped(name)
    if name == "everything at once":
        yield BROAD
    elif "cgroup:" in path.read_text():
        with slices(path.read_text()) as (text, _):
            yield text
    else:
        yield path


def policy_name(name):
    """The name that `remove` wants, for a policy that has one."""
    if name == "everything at once":
        return None
    lines = shipped(name).read_text().splitlines()
    return next((line.split(":", 1)[1].strip() for line in lines if line.startswith("name:")), None)


def world():
    return Network(uplinks=ALL_UPLINKS, server=True)


@pytest.fixture(name="net")
def made():
    with world() as net:
        yield net


def file_alone(state):
    """Without the link addresses of gateways, which nobody finds who loads the nft file by hand."""
    return {**state, "nft": [{"set": {key: value for key, value in item["set"].items() if key != "elem"}}
                             if item.get("set", {}).get("name", "").startswith("gateways.") else item
                             for item in state["nft"]]}


@pytest.mark.parametrize("name", (*EXAMPLES, "everything at once"))
def test_alike(name):
    """loading: {name}: three ways make the same kernel state, twice, and remove it again"""
    states = {}
    for way in WAYS:
        with subject(name) as text, world() as net:
            others(net)
            bare = kernel(net.router)
            policy = Policy(net, text).up(way)
            states[way] = kernel(net.router)
            assert different(bare, states[way]), f"loading by {way} changed nothing"
            if way != "hand":
                _again(net, policy, way)
            policy.down(way, policy_name(name))
            left = different(bare, kernel(net.router))
            assert not left, f"loaded by {way}, removed, left or gone:\n" + "\n".join(left)
    for way in WAYS[1:]:
        lines = different(states["hand"], file_alone(states[way]))
        assert not lines, f"by hand (-) and by {way} (+):\n" + "\n".join(lines)


def _again(net, policy, way):
    """A second time changes nothing, and apply asks the kernel for nothing."""
    state, number = kernel(net.router), generation(net.router)
    policy.up(way)
    lines = different(state, kernel(net.router))
    assert not lines, f"after {way} again:\n" + "\n".join(lines)
    if way == "apply":
        assert generation(net.router) == number, "the ruleset's generation after the second apply"


def test_reload(net):
    """loading: the nft file loaded repeatedly by hand makes the same state"""
    policy = Policy(net, BROAD).up("hand")
    state = kernel(net.router)
    for _ in range(3):
        net.router.run("nft", "-f", str(policy.file(".nft")))
    lines = different(state, kernel(net.router))
    assert not lines, "\n".join(lines)


def test_there_and_back(net):
    """loading: an update to another policy and back leaves nothing of the first"""
    others(net)
    bare = kernel(net.router)
    first = Policy(net, BROAD).up()
    state = kernel(net.router)
    small = Policy(net, "version: 1\nrules:\n  - {to: 203.0.113.5, then: drop}\n").up()
    middle = kernel(net.router)
    assert different(state, middle), "the second policy changed nothing"
    for table in net.router.run("ip", "rule").stdout.splitlines():
        assert "10000:" not in table.split()[:1], f"left of the first policy: {table}"
    first.up()
    lines = different(state, kernel(net.router))
    assert not lines, "\n".join(lines)
    small.down()
    lines = different(bare, kernel(net.router))
    assert not lines, "\n".join(lines)


def test_side_by_side(net):
    """loading: two policies of different names coexist and are removed separately"""
    one = Policy(net, """version: 1
name: one
listeners: {a: {tproxy: 12345}}
rules: [{to: 203.0.113.1, then: {proxy: a}}]
""", name="one")
    two = Policy(net, """version: 1
name: two
settings: {mark_mask: 0xff00, table_ids: "7300-7310", priority: 11000, protocol: 118}
listeners: {b: {tproxy: 12346}}
rules: [{to: 203.0.113.2, then: {proxy: b}}]
""", name="two")
    bare = kernel(net.router)
    one.up()
    alone = kernel(net.router)
    two.up()
    one.up()
    two.down(name="two")
    lines = different(alone, kernel(net.router))
    assert not lines, "\n".join(lines)
    one.down(name="one")
    lines = different(bare, kernel(net.router))
    assert not lines, "\n".join(lines)


def test_shared_bits(net):
    """loading: policies share mark bits: forty that only drop, and two with listeners"""
    bare = kernel(net.router)
    many = {f"drop{i}": Policy(net, f"""version: 1
name: drop{i}
rules: [{{to: [203.0.113.{100 + i}, "2001:db8:113::{100 + i}"], then: drop}}]
""", name=f"drop{i}") for i in range(40)}
    two = {name: Policy(net, f"""version: 1
name: {name}
settings: {{priority: {priority}}}
listeners: {{proxy: {{tproxy: {port}}}}}
rules: [{{to: [203.0.113.{host}, "2001:db8:113::{host}"], then: {{proxy: proxy}}}}]
""", name=name) for name, priority, port, host in (("one", 10000, 12345, 3), ("two", 11000, 12346, 9))}
    for policy in (*many.values(), *two.values()):
        policy.up()
    one, other = net.listener(12345), net.listener(12346)
    for version, prefix in (4, "203.0.113."), (6, "2001:db8:113::"):
        answered(probe.ask(net.client, "tcp", f"{prefix}3", 443), "proxy")
        assert (len(one.seen), len(other.seen)) == (version // 2 - 1, version // 2 - 2), "what each proxy saw"
        answered(probe.ask(net.client, "tcp", f"{prefix}9", 443), "proxy")
        assert (len(one.seen), len(other.seen)) == (version // 2 - 1, version // 2 - 1), "what each proxy saw"
        silent(probe.ask(net.client, "tcp", f"{prefix}120", 443, timeout=0.3))
    keeps = Policy(net, """version: 1
name: keeps
settings: {priority: 12000}
tables: {vpn: {dev: wan0}}
rules: [{mark: 5, to: 203.0.113.77, then: {route: vpn}}]
""", name="keeps").up()
    refused = Policy(net, """version: 1
name: too
settings: {priority: 13000}
tables: {vpn: {dev: wan0}}
rules: [{mark: 6, to: 203.0.113.78, then: {route: vpn}}]
""", name="too")
    refused = refused.tpc("apply", str(refused.path), check=False)
    assert "are used by the policy keeps" in refused.stderr and "need bits of their own" in refused.stderr, refused.stderr
    for name, policy in {"keeps": keeps, **two, **many}.items():
        policy.down(name=name)
    lines = different(bare, kernel(net.router))
    assert not lines, "\n".join(lines)


def test_others_count(net):
    """loading: counters and elements of other tables survive apply and remove"""
    others(net)
    net.router.nft("add rule inet filter forward ip daddr 192.0.2.1 counter")
    probe.ask(net.client, "tcp", "192.0.2.1", 80)
    before = ruleset(net.router, keep_counts=True)
    policy = Policy(net, BROAD).up()
    policy.down()
    assert ruleset(net.router, keep_counts=True) == before, "the ruleset with its counts"


TAKEN = {
    "a route in the table": "route add default via 192.0.2.1 table 100",
    "an ip rule among the priorities": "rule add priority 10001 from 10.77.0.0/16 lookup 53",
    "the same ip rule, not tagged as ours": "rule add priority 10000 fwmark 0x64 lookup 100",
}


SEED = """version: 1
listeners: {a: {tproxy: 12345, mark: 100, table: 100}}
rules: [{to: 203.0.113.1, then: {proxy: a}}]
"""


@pytest.mark.parametrize("what, line", TAKEN.items())
def test_taken(net, what, line):
    """loading: apply refuses foreign {what}"""
    net.router.ip(line)
    bare = kernel(net.router)
    policy = Policy(net, SEED)
    done = net.router.run(TPC, "apply", str(policy.path), check=False)
    assert done.returncode == 3, f"the exit status ({done.stderr})"
    lines = different(bare, kernel(net.router))
    assert not lines, "\n".join(lines)


@pytest.mark.parametrize("what, line", TAKEN.items())
def test_script_leaves(net, what, line):
    """loading: foreign {what} survives the script's up and down"""
    net.router.ip(line)
    bare = kernel(net.router)
    script = str(Policy(net, SEED).file(".sh"))
    net.router.run("sh", script, "up", check=False)
    there = json.dumps(kernel(net.router))
    for item in ("192.0.2.1", "10.77.0.0", "0x64"):
        assert item not in json.dumps(bare) or item in there, f"{item} is gone"
    net.router.run("sh", script, "down")
    lines = different(bare, kernel(net.router))
    assert not lines, "\n".join(lines)


def test_wrong(net):
    """loading: a policy that is wrong changes nothing"""
    Policy(net, "version: 1\nrules: [{to: 203.0.113.1, then: drop}]\n").up()
    state, number = kernel(net.router), generation(net.router)
    bad = Policy(net, "version: 1\nrules: [{to: nowhere, then: drop}]\n")
    done = bad.tpc("apply", str(bad.path), check=False)
    assert done.returncode == 1, "the exit status"
    assert generation(net.router) == number, "the ruleset's generation"
    lines = different(state, kernel(net.router))
    assert not lines, "\n".join(lines)
