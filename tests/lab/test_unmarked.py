"""
What holds without nft: ip rules that refuse what comes in by an interface without a mark, where the last
word about it is a way that refuses. And that nothing else notices them.
"""

import json
import threading

import pytest

import probe
from lab import CLIENT, FOREIGN, ROUTER, UPLINKS, Network
from policy import TPC, Policy
from outcomes import answered, nothing

BOTH = ("tcp", 4), ("udp", 4), ("tcp", 6), ("udp", 6)
FAR = {4: "203.0.113.9", 6: "2001:db8:113::9"}  # beyond main's default route, and direct
GONE = "unreachable", "prohibited"
SWITCH = """version: 1
sets: {plain: [203.0.113.9, "2001:db8:113::9"]}
tables:
  vpn: {dev: wg0, fallback: unreachable, masquerade: true%s}
rules:
  - {to: private, then: direct}
  - {to: plain, then: direct}
  - {in: lan0, then: {route: vpn}}
"""
LOSSES = {"nft flush ruleset": ["flush", "ruleset"], "nft delete table": ["delete", "table", "inet", "tpc"]}


def world(*uplinks, **how):
    """A LAN, another one behind wan1, and the far ends know their way back."""
    net = Network(uplinks=uplinks or ("wan0", "wan1", "wg0"), **how)
    net.echo(net.router, tcp=[22], udp=[5000])
    return net


@pytest.fixture(name="net")
def made():
    with world() as net:
        yield net


def masqueraded(net):
    """What leaves by wan0 is translated there, by another program; and a port forward comes in."""
    net.router.nft("""table inet other {
        chain post { type nat hook postrouting priority 100; oifname "wan0" masquerade
        }
        chain pre { type nat hook prerouting priority -100;
            iifname "wan0" tcp dport 8443 dnat ip to 10.10.10.2:443
            iifname "wan0" tcp dport 8443 dnat ip6 to [fd00:10::2]:443
        }
    }""")


def asks(net, proto, address, port=443, **how):
    return probe.ask(net.client, proto, address, port, **how)


def as_before(net):
    """All that has nothing to do with the tunnel, and the tunnel."""
    for proto, version in BOTH:
        answered(asks(net, proto, FOREIGN[version]), "vpn", peer=UPLINKS["wg0"][1][version])
        answered(asks(net, proto, FAR[version]), "origin")
    reaches_host(net)
    for version in 4, 6:
        answered(probe.ask(net.origin, "tcp", UPLINKS["wan0"][1][version], 8443), "client")
        assert probe.ping(net.client, FAR[version]), f"ping, IPv{version}"


def reaches_host(net):
    for version in 4, 6:
        answered(asks(net, "tcp", ROUTER[version], 22), "router")
        answered(asks(net, "udp", ROUTER[version], 5000), "router")
        answered(asks(net, "tcp", UPLINKS["wan0"][1][version], 22), "router")


def refused(net, families=(4, 6)):
    """Forwarded packets of both families get an error, and nothing reaches the uplink."""
    origin = net.sniff()
    for proto, version in BOTH:
        if version in families:
            outcome = asks(net, proto, FOREIGN[version], timeout=1)
            if outcome.kind == "silence":  # the kernel sends a host few errors a second
                outcome = asks(net, proto, FOREIGN[version])
            assert outcome.kind in GONE, f"{proto}, IPv{version}: {outcome}"
    nothing(origin)


@pytest.mark.parametrize("loss, words", LOSSES.items())
def test_loss(net, loss, words):
    """unmarked: after `{loss}` a kill switch still refuses; before, and after an apply, everything works"""
    net.echo(net.client, tcp=[443])
    masqueraded(net)
    policy = Policy(net, SWITCH % "").up()
    as_before(net)
    net.router.run("nft", *words)
    refused(net)
    reaches_host(net)
    status = policy.tpc("status", check=False)
    assert status.returncode == 5, "the exit status of status"
    assert "everything holds" not in status.stdout, status.stdout
    assert "unmarked: refused without nft too" in status.stdout and "lan0 (IPv4 and IPv6)" in status.stdout, \
        status.stdout
    masqueraded(net) if "flush" in words else None
    policy.up()
    as_before(net)
    policy.down()
    for version in 4, 6:
        answered(asks(net, "udp", FOREIGN[version]), "origin")
        assert "iif" not in net.router.run("ip", f"-{version}", "rule").stdout


def test_lans():
    """unmarked: without nft the LANs of this host still reach each other, and a re-created link is still refused"""
    with world(server=True) as net:
        policy = Policy(net, (SWITCH % ", prefer_main: true")).up()
        net.router.run("nft", "flush", "ruleset")
        for proto, version in BOTH:  # a connected network, in the clear as the policy has it
            answered(asks(net, proto, UPLINKS["wan1"][2][version]), "mobile")
        refused(net)
        net.router.ip("link set wg0 down")
        refused(net)
        net.router.ip(f"link set lan0 down\nlink set lan0 up\naddress replace {ROUTER[6]}/64 dev lan0 nodad")
        net.router.settle()
        refused(net)
        policy.down()


def test_new_interface(net):
    """unmarked: an interface created after the apply is refused too"""
    net.router.ip("link set lan0 down\nlink set lan0 name early\nlink set early up\n"
                  f"address replace {ROUTER[6]}/64 dev early nodad")
    Policy(net, SWITCH % "").up()
    net.router.run("nft", "flush", "ruleset")
    net.router.settle()
    answered(asks(net, "udp", FOREIGN[4]), "origin")
    net.router.ip("link set early down\nlink set early name lan0\nlink set lan0 up\n"
                  f"address replace {ROUTER[6]}/64 dev lan0 nodad")
    net.router.settle()
    refused(net)


def test_reverse_path_elsewhere(net):
    """unmarked: with a reverse-path filter elsewhere its replies pass: IPv4 is left out, and status says so"""
    net.echo(net.client, tcp=[443])
    masqueraded(net)
    for value in 2, 1:
        net.router.sysctl("net.ipv4.conf.wan0.rp_filter", value)
        policy = Policy(net, SWITCH % "").up()
        as_before(net)
        status = policy.tpc("status").stdout
        assert "lan0 (IPv6 alone); IPv4 is not: wan0 has a reverse-path filter" in status, status
    net.router.sysctl("net.ipv4.conf.wan0.rp_filter", 0)
    policy.up()
    as_before(net)
    net.router.sysctl("net.ipv4.conf.wan0.rp_filter", 2)  # it drops answers now, and that is said
    assert asks(net, "udp", FAR[4]).kind == "silence", "an answer through the filter"
    assert "it drops replies" in policy.tpc("status").stdout
    policy.up()
    as_before(net)
    net.router.run("nft", "flush", "ruleset")
    refused(net, families=(6,))


def test_own_filter():
    """unmarked: a filter of the table's interface that cannot be switched off drops no replies from the tunnel"""
    for way in "apply", "sh":
        with world() as net:
            net.router.sysctl("net.ipv4.conf.wg0.rp_filter", 2)
            policy = Policy(net, SWITCH % "").compile()
            up = f"sh {policy.file('.sh')} up" if way == "sh" else f"{TPC} apply {policy.path}"
            net.router.run("unshare", "-m", "sh", "-c", "mount --bind /proc/sys /proc/sys && "
                           f"mount -o remount,bind,ro /proc/sys && {up}")
            for proto, version in BOTH:
                answered(asks(net, proto, FOREIGN[version]), "vpn")
            assert refusing(net) == {4: [], 6: ["lan0"]}, way
            policy.up(way)
            assert refusing(net) == {4: ["lan0"], 6: ["lan0"]}, way
            for proto, version in BOTH:
                answered(asks(net, proto, FOREIGN[version]), "vpn")
            policy.down(way)


def test_script(net):
    """unmarked: the script does the same"""
    net.echo(net.client, tcp=[443])
    masqueraded(net)
    policy = Policy(net, SWITCH % "").up("sh")
    as_before(net)
    net.router.run("nft", "delete", "table", "inet", "tpc")
    refused(net)
    reaches_host(net)
    policy.up("sh")
    as_before(net)
    net.router.sysctl("net.ipv4.conf.wan0.rp_filter", 2)
    policy.up("sh")
    as_before(net)
    net.router.run("sh", str(policy.file(".sh")), "status")
    policy.down("sh")
    for version in 4, 6:
        assert "iif" not in net.router.run("ip", f"-{version}", "rule").stdout


def test_explain(net):
    """unmarked: explain --live agrees for direct packets"""
    policy = Policy(net, SWITCH % "").up()
    for version in 4, 6:
        words = "in=lan0", f"from={CLIENT[version]}", f"to={FAR[version]}", "proto=udp", "port=53"
        text = policy.tpc("explain", str(policy.path), "--live", *words, check=False).stdout
        assert "wan0" in text and text.endswith("  the kernel agrees\n"), text


def refusing(net):
    """Which interfaces the ip rules that refuse are about, by family."""
    return {version: [rule["iif"] for rule in json.loads(net.router.run("ip", f"-{version}", "-j", "rule").stdout)
                      if rule.get("action") == "unreachable" and "iif" in rule] for version in (4, 6)}


def test_other_policies(net):
    """unmarked: an update removes or moves the rules, a rollback restores them, remove leaves none"""
    net.echo(net.client, tcp=[443])
    policy = Policy(net, SWITCH % "").up()
    both = {4: ["lan0"], 6: ["lan0"]}
    assert refusing(net) == both, "the first apply"
    policy.path.write_text((SWITCH % "").replace("in: lan0", "in: [lan0, lan1]"))
    policy.up()
    assert refusing(net) == {4: ["lan0", "lan1"], 6: ["lan0", "lan1"]}, "another interface"
    policy.path.write_text((SWITCH % "").replace("fallback: unreachable, ", ""))
    policy.up()
    assert refusing(net) == {4: [], 6: []}, "a table that goes on to main"
    assert "unmarked" not in policy.tpc("status").stdout
    policy.tpc("rollback")
    assert refusing(net) == {4: ["lan0", "lan1"], 6: ["lan0", "lan1"]}, "back"
    policy.tpc("status", "--drift")
    net.router.run("ip", "rule", "del", "iif", "lan0", "unreachable")
    missing = policy.tpc("status", "--drift", check=False)
    assert missing.returncode == 5 and "ip -4 rule add iif lan0 fwmark 0x0/0xffffffff unreachable" in missing.stdout, \
        missing.stdout
    policy.tpc("remove")
    assert refusing(net) == {4: [], 6: []}, "remove"


def test_turns(net):
    """unmarked: direct packets are never refused while policies with and without such rules alternate"""
    policy, turns = Policy(net, SWITCH % "").up(), 0
    stop, outcomes = threading.Event(), []

    def ask():
        while not stop.is_set():
            outcomes.extend(asks(net, "udp", FAR[version]) for version in (4, 6))
    thread = threading.Thread(target=ask)
    thread.start()
    try:
        for turns in range(6):
            policy.path.write_text((SWITCH % "").replace("fallback: unreachable, ", "" if turns % 2 == 0 else
                                                         "fallback: unreachable, "))
            policy.up()
        policy.tpc("remove")
    finally:
        stop.set()
        thread.join()
    assert len(outcomes) > 10, f"only {len(outcomes)} were asked"
    assert {outcome.who or str(outcome) for outcome in outcomes} == {"origin"}, "who answered"


# ---- docs/how-it-works.md: what holds under which loss ----

LOST = """version: 1
tables: {vpn: {dev: wg0, fallback: unreachable, masquerade: true%s}}
rules:
  - {to: private, then: direct}
  - {in: lan0, then: {route: vpn}}
  - {scope: local, then: {route: vpn}}
"""
RULES = [["ip", f"-{version}", "rule", "flush", "protocol", "116"] for version in (4, 6)]
TABLE = ["nft", "flush", "ruleset"]
CLEAR, HELD = "the clear", "held"
# What is lost -> whether `strict`, then what becomes of forwarded packets and of this host's own.
UNDER = {
    "the nft table": ([TABLE], {"": (HELD, CLEAR), ", strict: true": (HELD, CLEAR)}),
    "the ip rules": (RULES, {"": (CLEAR, CLEAR), ", strict: true": (HELD, HELD)}),
    "the link": ([["ip", "link", "set", "wg0", "down"]], {"": (HELD, HELD), ", strict: true": (HELD, HELD)}),
    "nft table and ip rules": ([TABLE, *RULES], {"": (CLEAR, CLEAR), ", strict: true": (CLEAR, CLEAR)}),
}


def becomes(net, host):
    """The same of both families."""
    origin, found = net.sniff(), set()
    for version in 4, 6:
        outcome = probe.ask(host, "udp", FOREIGN[version], 443, timeout=0.5)
        found.add(CLEAR if outcome.who == "origin" else HELD)
        assert outcome.who in ("origin", None), outcome
    if found == {HELD}:
        nothing(origin)
    assert len(found) == 1, f"families that differ: {found}"
    return found.pop()


@pytest.mark.parametrize("lost", UNDER)
def test_under(lost):
    """unmarked: what survives the loss of: {lost}"""
    commands, outcomes = UNDER[lost]
    for strict, (forwarded, local) in outcomes.items():
        with Network(uplinks=("wan0", "wg0")) as net:
            policy = Policy(net, LOST % strict).up()
            for host in net.client, net.router:
                answered(probe.ask(host, "udp", FOREIGN[4], 443), "vpn")
            for command in commands:
                net.router.run(*command)
            assert (becomes(net, net.client), becomes(net, net.router)) == (forwarded, local), \
                f"forwarded, local{strict}"
            status = policy.tpc("status", check=False)
            assert status.returncode == 5 and "everything holds" not in status.stdout, status.stdout
