"""
Listeners: nothing loops, a dead one means closed (or what its policy says), both legs of a spoofing
proxy come home, and a connection keeps the proxy, or the direct way, that its first packet got.
"""

import contextlib
import socket

import pytest

import probe
from cgroups import control_group
from lab import CLIENT, FOREIGN, ROUTER, UPLINKS, Network
from ns import all_ids
from policy import Policy, everything
from outcomes import answered, fails, nothing, silent

FAMILIES = (4, 6)
BOTH = [(proto, version) for proto in ("tcp", "udp") for version in FAMILIES]


# ---- loops ----

def _no_loop(mode, runs_as, identity):
    with Network() as net:
        text = f"{{{mode}: 12345, protocols: [tcp, udp], runs_as: {runs_as}}}"
        Policy(net, everything(text)).up()
        addresses = ("127.0.0.1", "::1") if mode == "tproxy" else ("0.0.0.0", "::")
        listener = net.listener(mode=mode, addresses=addresses, identity=identity, onward=True)
        asked = [(host, *cell) for host in (net.client, net.router) for cell in BOTH]
        for count, (host, proto, version) in enumerate(asked, 1):
            outcome = answered(probe.ask(host, proto, FOREIGN[version], 443), "proxy")
            # A redirected datagram does not say where it was going.
            if mode == "tproxy" or proto == "tcp":
                assert "and origin answers" in outcome.text, f"the proxy's own way out: {outcome}"
            assert len(listener.seen) == count, f"connections the proxy saw ({listener.seen[-2:]})"


@pytest.mark.parametrize("mode, form, runs_as, identity, ids", [
    ("tproxy", "user", "{user: 1001}", probe.Identity(user=1001), True),
    ("redirect", "user", "{user: 1001}", probe.Identity(user=1001), True),
    ("tproxy", "group", "{group: 77}", probe.Identity(user=1005, group=77), True),
    ("redirect", "group", "{group: 77}", probe.Identity(user=1005, group=77), True),
    ("tproxy", "mark", "{mark: 0xff}", probe.Identity(mark=0xff), False),
    ("redirect", "mark", "{mark: 0xff}", probe.Identity(mark=0xff), False),
    ("tproxy", "control group", None, None, True),
    ("redirect", "control group", None, None, True),
])
def test_loop_case(mode, form, runs_as, identity, ids):
    """no loops: {mode}, the proxy identified by its {form}"""
    if not (not ids or all_ids()):
        pytest.skip("other user ids cannot be taken on here; run the lab as root")
    if form == "control group":
        if not all_ids():
            pytest.skip("a control group of one's own needs root; run the lab as root")
        with control_group() as (name, path):
            _no_loop(mode, f"{{cgroup: {name}}}", probe.Identity(cgroup=path))
    else:
        _no_loop(mode, runs_as, identity)


def test_straight(net):
    """no loops: a connection straight to the listener's port does not come back to the proxy"""
    Policy(net, everything("{tproxy: 12345, runs_as: {user: 1001}}")).up()
    listener = net.listener(addresses=("0.0.0.0", "::"), onward=True)
    for version in FAMILIES:
        for proto in "tcp", "udp":
            fails(probe.ask(net.client, proto, ROUTER[version], 12345), "refused", "reset")
    assert listener.seen == [], "what the proxy saw"


def test_straight_redirect():
    """no loops: a connection to a redirect listener's port is refused, unless a rule is about that port"""
    rule = "{in: lan0, proto: tcp, port: 80, then: {proxy: p}}"
    local = "{scope: local, proto: tcp, port: 80, then: {proxy: p}}"
    asked = "{in: lan0, proto: tcp, port: [80, 12345], then: {proxy: p}}"
    meant = "{to: local, proto: tcp, port: 12345, then: direct}"
    for rules, reached in ((rule, False), (local, False), (asked, True), (f"{meant}, {rule}", True)):
        with Network() as net:
            Policy(net, f"""version: 1
listeners: {{p: {{redirect: 12345, runs_as: {{mark: 0xff}}}}}}
rules: [{rules}]
""").up()
            listener = net.listener(mode="redirect", protocols=("tcp",), addresses=("0.0.0.0", "::"))
            for version in FAMILIES:
                straight = probe.ask(net.client, "tcp", ROUTER[version], 12345)
                if reached:
                    assert listener.seen, f"{rules}: not reached over IPv{version}: {straight}"
                else:
                    fails(straight)
                listener.seen.clear()
                if rules != local:
                    answered(probe.ask(net.client, "tcp", FOREIGN[version], 80), "proxy")
                listener.seen.clear()


def _program(runs_as, identity):
    """One program with two listeners under one port: TCP comes by redirect, UDP by tproxy."""
    with Network() as net:
        Policy(net, f"""version: 1
listeners:
  tcp: {{redirect: 12345, runs_as: {runs_as}}}
  udp: {{tproxy: 12345, protocols: udp, runs_as: {runs_as}}}
rules:
  - {{scope: both, proto: tcp, to: [203.0.113.0/24, "2001:db8:113::/48"], then: {{proxy: tcp}}}}
  - {{scope: both, proto: udp, to: [203.0.113.0/24, "2001:db8:113::/48"], then: {{proxy: udp}}}}
""").up()
        net.listener(mode="redirect", protocols=("tcp",), addresses=("0.0.0.0", "::"), identity=identity, onward=True)
        net.listener(protocols=("udp",), identity=identity, onward=True)
        for host in net.client, net.router:
            for proto, version in BOTH:
                outcome = answered(probe.ask(host, proto, FOREIGN[version], 443), "proxy")
                assert "and origin answers" in outcome.text, f"the program's own way out: {outcome}"
                assert outcome.text.count("Intercepted") == 1, f"times on its way ({outcome})"


def test_program_by_mark():
    """no loops: one program, one mark, two listeners on one port; overlapping masks too"""
    for mark in "255", "{value: 0x0f, mask: 0x0f}":
        _program(f"{{mark: {mark}}}", probe.Identity(mark=255))


@pytest.mark.root
def test_program_by_list():
    """no loops: one program identified by its user or its group"""
    for identity in probe.Identity(user=1337), probe.Identity(user=5, group=1337):
        _program("[{user: 1337}, {group: 1337}]", identity)


@pytest.mark.root
def test_two_identities(network):
    """no loops: a program with the identities of two listeners is handed to neither by a rule that names one"""
    net = network()
    Policy(net, """version: 1
listeners:
  one: {tproxy: 12345, runs_as: {user: 1001}}
  two: {tproxy: 12346, runs_as: [{group: 77}, {mark: 5}]}
rules:
  - {user: [1001, 1002], to: [203.0.113.0/24, "2001:db8:113::/48"], then: {proxy: two}}
""").up()
    net.listener(12346)
    for proto, version in BOTH:
        for identity, who in ((probe.Identity(user=1002), "proxy"), (probe.Identity(user=1001), "proxy"),
                              (probe.Identity(user=1001, group=77), "origin"), (probe.Identity(user=1001, mark=5), "origin")):
            answered(probe.ask(net.router, proto, FOREIGN[version], 443, identity=identity), who)


@pytest.mark.root
def test_unused(network):
    """no loops: packets of a listener's program are left alone even if no rule uses the listener"""
    net = network(uplinks=("wan0", "wg0"))
    Policy(net, """version: 1
listeners: {p: {tproxy: 12345, runs_as: [{user: 1001}, {mark: 0xff}]}}
tables: {vpn: {dev: wg0, masquerade: true, fallback: unreachable}}
rules: [{scope: both, to: [203.0.113.0/24, "2001:db8:113::/48"], then: {route: vpn}}]
""").up()
    for proto, version in BOTH:
        for identity, who in ((probe.NOBODY_SPECIAL, "vpn"), (probe.Identity(user=1001), "origin"), (probe.Identity(mark=0xff), "origin")):
            answered(probe.ask(net.router, proto, FOREIGN[version], 443, identity=identity), who)


@pytest.mark.root
def test_chain(network):
    """no loops: two proxies in a chain, each meets only its own identity's exception"""
    net = network()
    Policy(net, """version: 1
listeners:
  one: {tproxy: 12345, runs_as: {user: 1001}}
  two: {tproxy: 12346, runs_as: {user: 1002}}
rules:
  - {user: 1001, proto: tcp, to: [203.0.113.0/24, "2001:db8:113::/48"], then: {proxy: two}}
  - {proto: tcp, to: [203.0.113.0/24, "2001:db8:113::/48"], then: {proxy: one}}
""").up()
    one = net.listener(12345, identity=probe.Identity(user=1001), onward=True,
                       protocols=("tcp",))
    two = net.listener(12346, identity=probe.Identity(user=1002), onward=True,
                       protocols=("tcp",))
    for count, version in enumerate(FAMILIES, 1):
        outcome = answered(probe.ask(net.client, "tcp", FOREIGN[version], 80), "proxy")
        assert outcome.text.count("Intercepted") == 2, f"proxies on the way ({outcome})"
        assert "origin answers" in outcome.text, str(outcome)
        assert (len(one.seen), len(two.seen)) == (count, count), "what the two saw"


# ---- dead listeners ----

@pytest.mark.parametrize("on_failure", ("reject", "drop", "direct"))
def test_dead(net, on_failure):
    """dead listener: on_failure {on_failure}: forwarded TCP and UDP, both families"""
    Policy(net, f"""version: 1
listeners: {{proxy: {{tproxy: 12345, on_failure: {on_failure}}}}}
rules: [{{proto: [tcp, udp], then: {{proxy: proxy}}}}]
""").up()
    origin = net.sniff()
    listener = net.listener()
    for proto, version in BOTH:
        answered(probe.ask(net.client, proto, FOREIGN[version], 443), "proxy")
    nothing(origin)
    listener.close()
    for proto, version in BOTH:
        outcome = probe.ask(net.client, proto, FOREIGN[version], 443,
                            timeout=0.4 if on_failure == "drop" else 3.0)
        if on_failure == "direct":
            answered(outcome, "origin", peer=CLIENT[version])
            origin.packets()
        else:
            (fails if on_failure == "reject" else silent)(outcome)
            nothing(origin)
    listener = net.listener()
    answered(probe.ask(net.client, "tcp", FOREIGN[4], 443), "proxy")


def test_half(net):
    """dead listener: bound to one address only, the other family stays closed"""
    Policy(net, everything("{tproxy: 12345, runs_as: {user: 1001}}")).up()
    origin = net.sniff()
    net.listener(addresses=("127.0.0.1",))
    answered(probe.ask(net.client, "tcp", FOREIGN[4], 443), "proxy")
    for proto in "tcp", "udp":
        fails(probe.ask(net.client, proto, FOREIGN[6], 443))
    nothing(origin)


def test_redirect_drop(net):
    """dead listener: redirect with on_failure drop sends no reply, and serves when it is back"""
    listener = "redirect: 12345, protocols: [tcp, udp], runs_as: {user: 1001}, on_failure: drop"
    Policy(net, everything(f"{{{listener}}}")).up()
    for host in net.client, net.router:
        for proto, version in BOTH:
            silent(probe.ask(host, proto, FOREIGN[version], 443, timeout=0.15))
    net.listener(mode="redirect", addresses=("0.0.0.0", "::"))
    for host in net.client, net.router:
        for proto, version in BOTH:
            answered(probe.ask(host, proto, FOREIGN[version], 443), "proxy")


def test_dies(net):
    """dead listener: packets of an established connection do not leak after the proxy died"""
    Policy(net, everything("{tproxy: 12345, runs_as: {user: 1001}}")).up()
    origin = net.sniff()
    with net.router:
        server = socket.socket()
        probe.turn_on(server, "TRANSPARENT")
        server.bind(("127.0.0.1", 12345))
        server.listen()
    with net.client:
        client = socket.create_connection((FOREIGN[4], 80), timeout=2)
    child, _ = server.accept()
    client.sendall(b"one")
    assert child.recv(10) == b"one", "what the proxy read"
    server.close()
    child.close()
    with contextlib.suppress(OSError):
        for _ in range(5):
            client.sendall(b"into the void")
    client.close()
    nothing(origin)


def test_spoof(net):
    """spoofs_client: replies to the client's address reach the proxy's socket, both legs"""
    Policy(net, everything("{tproxy: 12345, runs_as: {mark: 0xff}, spoofs_client: true}")).up()
    net.listener(identity=probe.Identity(mark=0xff), onward=True, spoof=True)
    for proto, version in BOTH:
        outcome = answered(probe.ask(net.client, proto, FOREIGN[version], 443), "proxy")
        shown = f"[{CLIENT[6]}]" if version == 6 else CLIENT[4]
        assert f"and origin answers {shown}:" in outcome.text, \
            f"the origin did not see the client: {outcome}"


def test_spoof_alone(net):
    """spoofs_client: replies to a listener that no rule names come back too"""
    for text, works in (("", False), ("listeners: {proxy: {tproxy: 12345, spoofs_client: true}}\n", True)):
        Policy(net, "version: 1\n" + text).up()
        for proto, version in BOTH:
            outcome = probe.ask(net.router, proto, FOREIGN[version], 443, timeout=0.25,
                                source=CLIENT[version], TRANSPARENT=1)
            assert (outcome.kind == "answer") == works, f"{proto} over IPv{version}: {outcome}"


def test_spoof_here(net):
    """spoofs_client: servers on this host reply to a spoofing proxy on it, and to the client itself"""
    Policy(net, "version: 1\nlisteners: {proxy: {tproxy: 12345, spoofs_client: true}}\n").up()
    net.echo(net.router, tcp=(81,), udp=(81,))
    for proto, version in BOTH:
        for to in (ROUTER[version], UPLINKS["wan0"][1][version], *(("::1",) if version == 6 else ())):
            for asked in range(2):
                outcome = probe.ask(net.router, proto, to, 81, timeout=0.5, source=(CLIENT[version], 4000 + asked), TRANSPARENT=1)
                answered(outcome, "router", peer=CLIENT[version])
            if to != "::1":
                answered(probe.ask(net.client, proto, to, 81), "router", peer=CLIENT[version])
                answered(probe.ask(net.origin, proto, to, 81), "router")
            answered(probe.ask(net.router, proto, to, 81), "router")


def test_spoof_errors(net):
    """spoofs_client: an ICMP error about a proxy's packet from its client's address reaches the proxy"""
    Policy(net, "version: 1\nlisteners: {proxy: {tproxy: 12345, spoofs_client: true}}\n").up()
    for version in FAMILIES:
        outcome = probe.ask(net.router, "udp", UPLINKS["wan0"][2][version], 9, timeout=0.5, source=CLIENT[version], TRANSPARENT=1)
        assert outcome.kind == "refused", f"of the error over IPv{version} ({outcome})"


# ---- listeners in a row ----

FAR = '[203.0.113.0/24, "2001:db8:113::/48"]'
ROW = f"""version: 1
listeners:
  one: {{tproxy: 12345, runs_as: {{mark: 0xfe}}}}
  two: {{SECOND, runs_as: {{mark: 0xff}}}}
rules: [{{scope: both, proto: [tcp, udp], to: {FAR}, then: {{proxy: [one, two]}}}}]
"""
SECONDS = {"tproxy": "tproxy: 12346", "redirect": "redirect: 12346, protocols: [tcp, udp]",
           "dnat": 'dnat: ["192.0.2.2:12346", "[2001:db8:1::2]:12346"]'}


def _proxies(net, mode):
    """How to start each, with an identity of its own."""
    where = ("127.0.0.1", "::1") if mode == "tproxy" else ("0.0.0.0", "::")
    return (lambda: net.listener(12345, identity=probe.Identity(mark=0xfe), onward=True),
            lambda: net.listener(12346, mode=mode, addresses=where, identity=probe.Identity(mark=0xff), onward=mode == "tproxy"))


def _taken_by(net, listener, what):
    """All of it, and nothing comes round again."""
    for host in net.client, net.router:
        for proto, version in BOTH:
            before = len(listener.seen)
            outcome = answered(probe.ask(host, proto, FOREIGN[version], 443), "proxy")
            assert (len(listener.seen), outcome.text.count("Intercepted")) == (before + 1, 1), \
                f"{what}: {host.name}, {proto}, IPv{version} ({outcome})"


def _says(policy, text, drift):
    """Of status, and of plan, which says the same of what an apply would do."""
    for verb, words in ("status", ()), ("plan", (str(policy.path),)):
        done = policy.tpc(verb, *words, check=False)
        assert (done.returncode, text in done.stdout) == (5 if drift else 0, True), \
            f"{verb}: {text!r}\n{done.stdout}{done.stderr}"
    return policy.tpc("status", check=False).stdout


def _explained(policy):
    return policy.tpc("explain", str(policy.path), "in=lan0", f"from={CLIENT[4]}", f"to={FOREIGN[4]}", "proto=tcp", "port=443", "--live", check=False)


@pytest.mark.parametrize("mode", SECONDS)
def test_row(net, mode):
    """in a row: tproxy, else {mode}: the first with a socket at the apply; forwarded and local"""
    policy = Policy(net, ROW.replace("SECOND", SECONDS[mode]))
    start_one, start_two = _proxies(net, mode)
    two = start_two()
    applied = policy.tpc("apply", str(policy.path)).stdout
    missing = "one, else two: two is handed it: no socket listens on"
    assert missing in applied, applied
    _taken_by(net, two, "the first is gone")
    assert "everything holds" in _says(policy, missing, False)
    assert ("{proxy: two}" in _explained(policy).stdout, missing in _explained(policy).stdout) == (True, True), \
        _explained(policy).stdout

    one = start_one()
    assert "two gets packets that the next apply gives to one: one, else two: one is handed it" in _says(policy, "one, else two: one is handed it\n", True)
    assert _explained(policy).returncode == 5, "explain --live, before it is applied"
    policy.up()
    _taken_by(net, one, "both are there")
    assert "everything holds" in _says(policy, "one, else two: one is handed it\n", False)

    one.close()
    assert "one gets packets that the next apply gives to two: one, else two: two is handed it: no socket" in _says(policy, missing, True)
    fails(probe.ask(net.client, "tcp", FOREIGN[4], 443), "refused", "reset")
    policy.up()
    _taken_by(net, two, "the first is gone again")
    two.close()
    assert "two gets packets that the next apply gives to one" in _says(policy, "and none has a socket", True)


def test_row_by_hand():
    """in a row: the files and the script take the first, and say that only apply chooses"""
    for way, suffix in ("hand", ".nft"), ("sh", ".sh"):
        with Network() as net:
            policy = Policy(net, ROW.replace("SECOND", SECONDS["tproxy"]))
            start_one, start_two = _proxies(net, "tproxy")
            start_two()
            policy.up(way)
            text = policy.file(suffix).read_text()
            assert "in a row: one, else two. Here one is handed it: which one has a socket, only `tpc apply` asks." in text, text
            fails(probe.ask(net.client, "tcp", FOREIGN[4], 443), "refused", "reset")
            _taken_by(net, start_one(), way)


def test_row_back(net):
    """in a row: a rollback restores the previous listener, and status still names it"""
    policy = Policy(net, ROW.replace("SECOND", SECONDS["tproxy"]))
    start_one, start_two = _proxies(net, "tproxy")
    two = start_two()
    policy.up()
    start_one()
    policy.up()
    policy.tpc("rollback")
    _taken_by(net, two, "after the rollback")
    assert "two gets packets that the next apply gives to one" in policy.tpc("status", check=False).stdout


# ---- on_failure direct, and what a connection keeps ----

TRY = """version: 1
listeners: {proxy: {tproxy: 12345, on_failure: direct}}
rules: [{proto: [tcp, udp], then: {proxy: proxy}}]
"""


def _stream(net, family, port):
    with net.client:
        client = socket.create_connection((FOREIGN[family], port), timeout=2)
    return client


def _both_ways(one, other):
    """A byte each way."""
    for sender, receiver in ((one, other), (other, one)):
        receiver.settimeout(1)
        sender.sendall(b"x")
        assert receiver.recv(1) == b"x", "the byte"


def test_stays_direct():
    """first packet: a connection that went direct while the proxy was dead stays direct when it is back"""
    for version in FAMILIES:
        with Network() as net:
            Policy(net, TRY).up()
            with net.origin:
                server = socket.create_server(("", 7777), family=probe.family_of(FOREIGN[version]))
            client = _stream(net, version, 7777)
            child, _ = server.accept()
            with server, client, child:
                _both_ways(client, child)
                net.listener()
                _both_ways(client, child)
                answered(probe.ask(net.client, "tcp", FOREIGN[version], 443), "proxy")
                _both_ways(client, child)


def test_stays_proxied(net):
    """first packet: a connection of the proxy does not go direct when the proxy dies"""
    Policy(net, TRY).up()
    with net.router:
        server = socket.socket()
        probe.turn_on(server, "TRANSPARENT")
        server.bind(("127.0.0.1", 12345))
        server.listen()
    client = _stream(net, 4, 80)
    child, _ = server.accept()
    origin = net.sniff()
    with client:
        _both_ways(client, child)
        server.close()
        _both_ways(client, child)  # the proxy's connection outlives its listener
        child.close()
        with contextlib.suppress(OSError):
            for _ in range(5):
                client.sendall(b"into the void")
        nothing(origin)
    answered(probe.ask(net.client, "tcp", FOREIGN[4], 80), "origin")
