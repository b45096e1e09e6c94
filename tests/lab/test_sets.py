"""
Sets that are filled at run time: by a real dnsmasq with the file that the policy gives it, and by
hand; what they hold survives everything but the end of the policy.
"""

import ctypes
import json
import secrets
import shutil
import signal
import socket
import struct
import subprocess
import threading
import time

import pytest

import probe
from test_policy_switch import Flood
from lab import FOREIGN, ROUTER
from ns import all_ids
from policy import WAYS, Policy
from outcomes import answered, fails, nothing

FAMILIES = (4, 6)
PREFIX = {4: "203.0.113.0/24", 6: "2001:db8:113::/48"}
SITE = {4: "203.0.113.20", 6: "2001:db8:113::20"}
OTHER = {4: "203.0.113.30", 6: "2001:db8:113::30"}


# ---- what a set holds ----

def listed(net, name, version):
    """The elements of a set as {text: (its own timeout, seconds left)}, None where it has none."""
    text = net.router.run("nft", "-j", "list", "set", "inet", "tpc", f"{name}_v{version}").stdout
    (body,) = (item["set"] for item in json.loads(text)["nftables"] if "set" in item)
    return dict(_element(item) for item in body.get("elem", []))


def _element(item):
    times = item.get("elem", {}) if isinstance(item, dict) else {}
    return _text(times.get("val", item)), (times.get("timeout"), times.get("expires"))


def _text(value):
    if isinstance(value, str):
        return value
    if "prefix" in value:
        return f"{value['prefix']['addr']}/{value['prefix']['len']}"
    return "-".join(value["range"])


def held(net, name, version):
    return sorted(listed(net, name, version))


def change(net, verb, name, version, *elements, check=True):
    return net.router.run("nft", verb, "element", "inet", "tpc", f"{name}_v{version}",
                          "{", ", ".join(elements), "}", check=check)


def new(net, version, address=FOREIGN):
    """A connection of its own."""
    return probe.ask(net.client, "udp", address[version], 5000)


def reload(net, policy):
    net.router.run("nft", "-f", str(policy.file(".nft")))


# ---- dnsmasq ----

class Dnsmasq:
    """A dnsmasq on `host` with these options and no others of this machine."""

    def __init__(self, host, port, *options):
        if not all_ids():
            pytest.skip("dnsmasq changes its group, and other ids cannot be taken on here; run the lab as root")
        with host:
            self.process = subprocess.Popen(
                ["dnsmasq", "--keep-in-foreground", "--conf-file=/dev/null", f"--port={port}",
                 "--user=root", "--pid-file=", "--log-facility=-", "--no-resolv", "--no-hosts",
                 *options], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT, text=True,
                preexec_fn=lambda: ctypes.CDLL(None).prctl(1, signal.SIGKILL))  # PR_SET_PDEATHSIG

    def forget(self):
        self.process.send_signal(signal.SIGHUP)

    def close(self):
        """Ends it; what it has said."""
        if not self.process.stdout.closed:
            self.process.kill()
            self.said = self.process.communicate()[0]
        return self.said


def question(name, kind):
    """A question of RFC 1035, section 4; kind is 1 for A, 28 for AAAA."""
    labels = b"".join(bytes([len(label)]) + label.encode() for label in name.split("."))
    return secrets.token_bytes(2) + struct.pack("!5H", 0x0100, 1, 0, 0, 0) + labels + struct.pack(
        "!BHH", 0, kind, 1)


def addresses_in(data, kind):
    """The addresses of an answer whose names are written as dnsmasq does, with pointers."""
    count = struct.unpack_from("!H", data, 6)[0]
    at, found = data.index(b"\0", 12) + 5, []
    for _ in range(count):
        at += 2 if data[at] >= 0xC0 else data.index(b"\0", at) + 1 - at
        got, _, _, length = struct.unpack_from("!HHIH", data, at)
        at += 10 + length
        if got == kind:
            family = socket.AF_INET if kind == 1 else socket.AF_INET6
            found.append(socket.inet_ntop(family, data[at - length:at]))
    return found


def resolve(host, server, name, version):
    """Asks a resolver as clients do, with retries."""
    kind = 1 if version == 4 else 28
    with host, socket.socket(probe.family_of(server), socket.SOCK_DGRAM) as sock:
        sock.connect((server, 53))
        for _ in range(120):
            try:
                sock.settimeout(0.25)
                sock.send(question(name, kind))
                return addresses_in(sock.recv(2048), kind)
            except TimeoutError:
                pass
            except ConnectionRefusedError:
                time.sleep(0.05)
    raise AssertionError(f"nobody at {server} knows {name}")


NAMES = {  # the last number of the addresses
    "video.example": 10, "www.video.example": 11, "ads.example": 12, "a.b.ads.example": 13,
    "other.example": 14, "notvideo.example": 15, "own.video.example": 16,
}
BY_NAME = """version: 1
sets:
  sites: {domains: [Video.example, cdn.example]}
  own: {domains: own.video.example, elements: [203.0.113.200]}
  ads: {domains: ads.example, timeout: 1h}
listeners: {p: {tproxy: 12345}}
rules:
  - {to: [own, ads], then: reject}
  - {to: sites, proto: [tcp, udp], then: {proxy: p}}
"""


def address_of(name, version):
    return f"203.0.113.{NAMES[name]}" if version == 4 else f"2001:db8:113::{NAMES[name]:x}"


def upstream(net):
    """A server on the far side that knows the names from its own configuration."""
    records = [f"--host-record={name},{address_of(name, 4)},{address_of(name, 6)}"
               for name in NAMES if not name.startswith("a.b.")]
    wild = [f"--address=/a.b.ads.example/{address_of('a.b.ads.example', version)}"
            for version in FAMILIES]
    return net.add(Dnsmasq(net.origin, 5353, *records, *wild, "--local-ttl=300"))


def resolver(net, policy):
    return net.add(Dnsmasq(net.router, 53, f"--conf-file={policy.file('.dnsmasq.conf')}",
                           "--server=192.0.2.1#5353", "--interface=lan0", "--bind-interfaces"))


def reach(net, name, version, proto):
    return probe.ask(net.client, proto, address_of(name, version), 443 if proto == "tcp" else 5000)


def all_as(net, wanted):
    """Each name's addresses are reached as said, in both families."""
    for name, how in wanted.items():
        for version in FAMILIES:
            for proto in ("tcp", "udp"):
                outcome = reach(net, name, version, proto)
                if how == "refused":
                    fails(outcome)
                else:
                    answered(outcome, how)


@pytest.mark.parametrize("way", WAYS)
def test_resolved(network, way):
    """sets: only names that dnsmasq adds use the policy's way, loaded by {way}"""
    if not shutil.which("dnsmasq"):
        pytest.skip("dnsmasq is not installed")
    net = network()
    policy = Policy(net, BY_NAME).up(way)
    net.listener()
    upstream(net)
    own = resolver(net, policy)
    all_as(net, dict.fromkeys(NAMES, "origin"))
    for name in NAMES:
        for version in FAMILIES:
            server = ROUTER[version]
            assert resolve(net.client, server, name.upper(), version) == [address_of(name, version)], \
                f"the address of {name}"
    wanted = {"video.example": "proxy", "www.video.example": "proxy",
              "ads.example": "refused", "a.b.ads.example": "refused",
              "other.example": "origin", "notvideo.example": "origin",
              "own.video.example": "refused"}
    all_as(net, wanted)
    # A name in two sets is in both, whichever of dnsmasq's lines is the closer one.
    own_address = address_of("own.video.example", 4)
    assert own_address in held(net, "sites", 4), held(net, "sites", 4)
    assert held(net, "own", 4) == [own_address, "203.0.113.200"], "the set of the name below"
    reload(net, policy)
    all_as(net, wanted)
    said = own.close()
    assert "rror" not in said, said


def test_forgets(network):
    """sets: dnsmasq fills re-created sets after its cache is cleared"""
    if not shutil.which("dnsmasq"):
        pytest.skip("dnsmasq is not installed")
    net = network()
    policy = Policy(net, BY_NAME).up()
    upstream(net)
    own = resolver(net, policy)
    resolve(net.client, ROUTER[4], "video.example", 4)
    assert held(net, "sites", 4) == [address_of("video.example", 4)], "what was resolved"
    policy.down()
    policy.up()
    resolve(net.client, ROUTER[4], "video.example", 4)
    assert held(net, "sites", 4) == [], "what an answer out of the cache adds"
    own.forget()
    for _ in range(200):
        resolve(net.client, ROUTER[4], "video.example", 4)
        if held(net, "sites", 4):
            break
        time.sleep(0.05)
    assert held(net, "sites", 4) == [address_of("video.example", 4)], "what was resolved again"


def test_without_ipv6(network):
    """sets: without IPv6 in the policy dnsmasq adds only IPv4 addresses, without errors"""
    if not shutil.which("dnsmasq"):
        pytest.skip("dnsmasq is not installed")
    net = network()
    policy = Policy(net, BY_NAME + "settings: {ipv6: off}\n").up()
    upstream(net)
    own = resolver(net, policy)
    for version in FAMILIES:
        resolve(net.client, ROUTER[version], "video.example", version)
    assert held(net, "sites", 4) == [address_of("video.example", 4)], "IPv4 addresses"
    assert held(net, "sites", 6) == [], "IPv6 addresses"
    said = own.close()
    assert "rror" not in said, said


# ---- what survives ----

SEEN = """version: 1
sets:
  seen: {dynamic: true, elements: [203.0.113.20, "2001:db8:113::20"]}
  nobody: {dynamic: true}
rules:
  - {in: lan0, to: seen, then: reject}
"""
# Another policy about the same sets: other rules, other sets beside them, other elements.
ANOTHER = """version: 1
sets:
  more: [198.18.0.0/15]
  seen: {dynamic: true, elements: [203.0.113.30, "2001:db8:113::30"]}
  nobody: {dynamic: true}
tables: {vpn: {dev: wg0, fallback: unreachable}}
rules:
  - {to: more, then: drop}
  - {in: lan0, to: seen, then: {route: vpn}}
"""


@pytest.mark.parametrize("way", WAYS)
def test_survives(network, way):
    """sets: initial and added elements survive reloads and other policies, loaded by {way}"""
    net = network(uplinks=("wan0", "wg0"))
    first, second = Policy(net, SEEN), Policy(net, ANOTHER, name="policy")
    first.up(way)
    for version in FAMILIES:
        fails(new(net, version, SITE))
        answered(new(net, version), "origin")
        change(net, "add", "seen", version, FOREIGN[version])
        change(net, "add", "nobody", version, PREFIX[version])
        fails(new(net, version))
    for _ in range(2):
        first.up(way) if way != "hand" else reload(net, first)
        for version in FAMILIES:
            assert held(net, "seen", version) == sorted([SITE[version], FOREIGN[version]]), \
                "the set after the same policy"
            assert held(net, "nobody", version) == [PREFIX[version]], "the set of no rule"
            fails(new(net, version))
    for version in FAMILIES:
        change(net, "delete", "seen", version, SITE[version])
    second.up(way)
    for version in FAMILIES:
        assert held(net, "seen", version) == sorted([OTHER[version], FOREIGN[version]]), "the set after another policy"
        for address in OTHER, FOREIGN:
            answered(new(net, version, address), "vpn")
        answered(new(net, version, SITE), "origin")
    first.up(way) if way != "hand" else reload(net, first)
    for version in FAMILIES:
        assert held(net, "seen", version) == sorted([SITE[version], OTHER[version], FOREIGN[version]]), \
            "the set after the first policy again"
        for address in SITE, OTHER, FOREIGN:
            fails(new(net, version, address))
    if way == "hand":
        return
    first.down(way)
    assert net.router.run("nft", "list", "tables").stdout == "", "tables after the end"
    first.up(way)
    for version in FAMILIES:
        assert held(net, "seen", version) == [SITE[version]], "the set at its beginning"


def test_mixed(network):
    """sets: the three ways to load, one after the other, keep the contents"""
    net = network(uplinks=("wan0", "wg0"))
    policy = Policy(net, SEEN).up()
    for version in FAMILIES:
        change(net, "add", "seen", version, f"{FOREIGN[version]} timeout 1h")
    before = [held(net, "seen", version) for version in FAMILIES]
    for again in (lambda: policy.up("sh"), lambda: reload(net, policy), policy.up):
        again()
        assert [held(net, "seen", version) for version in FAMILIES] == before, "the sets"
        for version in FAMILIES:
            (own, left) = listed(net, "seen", version)[FOREIGN[version]]
            assert own == 3600 and 3500 < left <= 3600, (own, left)
            fails(new(net, version))


def test_overlap(network):
    """sets: initial elements are added where they do not overlap existing ones"""
    text = """version: 1
sets: {seen: {dynamic: true, elements: [ELEMENTS]}}
rules: [{in: lan0, to: seen, then: reject}]
"""
    net = network()
    small = Policy(net, text.replace("ELEMENTS", '203.0.113.8/31, "2001:db8:113::8/127"')).up()
    wide = Policy(net, text.replace("ELEMENTS", '203.0.113.0/24, "2001:db8:113::/48"'))
    refused = net.router.run("nft", "-f", str(wide.file(".nft")), check=False)
    assert refused.returncode and "overlaps" in refused.stderr, refused.stderr
    assert held(net, "seen", 4) == ["203.0.113.8/31"], "what nft has left"
    net.router.run("sh", str(wide.file(".sh")), "up")
    assert held(net, "seen", 4) == ["203.0.113.8/31"], "what the script has added"
    for version in FAMILIES:
        fails(new(net, version))
        answered(new(net, version, SITE), "origin")
    small.up("sh")
    wide.up()
    for version in FAMILIES:
        for address in FOREIGN, SITE, OTHER:
            fails(new(net, version, address))


# ---- time and size ----

def while_held(net, name, version, address, element):
    """The packet is rejected as long as the set holds the element; added again where it ran out too soon."""
    for _ in range(10):
        outcome = new(net, version, address)
        if address[version] in held(net, name, version):
            fails(outcome)
            return
        change(net, "add", name, version, element)
    raise AssertionError(f"the set {name} holds {held(net, name, version)}")


def gone(net, name, version, element):
    """Waits until the element's time is over, with much patience: it is two seconds."""
    end = time.monotonic() + 30
    while element in held(net, name, version) and time.monotonic() < end:
        time.sleep(0.05)
    assert element not in held(net, name, version), f"{element} stays in {name}"


def test_expire(net):
    """sets: elements expire after the set's timeout or their own; others stay"""
    Policy(net, """version: 1
sets:
  short: {dynamic: true, timeout: 2s, elements: [203.0.113.20, "2001:db8:113::20"]}
  long: {dynamic: true}
rules:
  - {in: lan0, to: [short, long], then: reject}
""").up()
    for version in FAMILIES:
        change(net, "add", "short", version, f"{OTHER[version]} timeout 1h")
        while_held(net, "short", version, SITE, SITE[version])
        while_held(net, "long", version, FOREIGN, f"{FOREIGN[version]} timeout 2s")
        fails(new(net, version, OTHER))
    for version in FAMILIES:
        gone(net, "short", version, SITE[version])
        gone(net, "long", version, FOREIGN[version])
        answered(new(net, version, SITE), "origin")
        answered(new(net, version), "origin")
        fails(new(net, version, OTHER))
        assert held(net, "short", version) == [OTHER[version]], "what is left"
        assert held(net, "long", version) == [], "what is left"


def test_size(network):
    """sets: a set takes its size in each family and no more, and no apply shrinks it below its contents"""
    text = """version: 1
sets: {seen: {dynamic: true, size: SIZE}}
rules: [{in: lan0, to: seen, then: reject}]
"""
    net = network()
    policy = Policy(net, text.replace("SIZE", "3")).up()
    kept = {version: [SITE[version], OTHER[version], PREFIX[version].replace("113", "114")]
            for version in FAMILIES}
    for version in FAMILIES:
        for element in kept[version]:
            change(net, "add", "seen", version, element)
        one_more = change(net, "add", "seen", version, FOREIGN[version], check=False)
        assert one_more.returncode, "a fourth element was taken"
        answered(new(net, version), "origin")
        fails(new(net, version, SITE))
        assert held(net, "seen", version) == sorted(kept[version]), "the set"
    smaller = Policy(net, text.replace("SIZE", "2"))
    refused = smaller.tpc("apply", str(smaller.path), check=False)
    assert refused.returncode == 3, f"apply of a smaller size: {refused.stderr}"
    assert "size" in refused.stderr, refused.stderr
    assert policy.tpc("apply", str(policy.path)).stdout == "tpc: nothing to change\n", "apply"
    Policy(net, text.replace("SIZE", "4")).up()
    for version in FAMILIES:
        change(net, "add", "seen", version, FOREIGN[version])
        fails(new(net, version))
        assert held(net, "seen", version) == sorted([*kept[version], FOREIGN[version]]), "the set"


def test_by_hand(net):
    """sets: prefixes are added and removed by hand, and status counts them"""
    policy = Policy(net, SEEN).up()
    for version in FAMILIES:
        change(net, "delete", "seen", version, SITE[version])
        change(net, "add", "seen", version, PREFIX[version])
        fails(new(net, version))
        inside = change(net, "add", "seen", version, FOREIGN[version], check=False)
        assert "overlaps" in inside.stderr, inside.stderr
    status = json.loads(policy.tpc("status", "--format", "json").stdout)["policies"][0]
    assert {item["name"] for item in status["dynamic_sets"]} == {"seen_v4", "seen_v6", "nobody_v4", "nobody_v6"}, \
        "sets that status tells of"
    for item in status["dynamic_sets"]:
        assert (item["elements"] in (None, 1 if item["name"].startswith("seen") else 0)) is True, \
            f"the count of {item}"
    for version in FAMILIES:
        change(net, "delete", "seen", version, PREFIX[version])
        answered(new(net, version), "origin")


# ---- declared otherwise ----

CARRIED = """version: 1
sets: {{seen: {{dynamic: true{more}}}}}
rules: [{{in: lan0, to: seen, then: {then}}}]
"""


def test_carried(net):
    """sets: a changed declaration migrates the elements, each with its remaining time"""
    Policy(net, CARRIED.format(more=", timeout: 1h", then="drop")).up()
    own = {4: "203.0.113.64/26", 6: "2001:db8:113:1::/64"}
    for version in FAMILIES:
        change(net, "add", "seen", version, FOREIGN[version])
        change(net, "add", "seen", version, f"{own[version]} timeout 10m")
    for more, timeout in ((", timeout: 2h", 7200), (", timeout: 30m", 1800), ("", None),
                          (", timeout: 1d, size: 100", 86400)):
        policy = Policy(net, CARRIED.format(more=more, then="reject")).up()
        assert policy.tpc("apply", str(policy.path)).stdout == "tpc: nothing to change\n", more
        for version in FAMILIES:
            times = listed(net, "seen", version)
            assert sorted(times) == sorted([FOREIGN[version], own[version]]), more
            assert 3500 < times[FOREIGN[version]][1] <= 3600, (more, times)
            assert times[own[version]][0] == 600, f"the element's own timeout, {more}"
            assert 500 < times[own[version]][1] <= 600, (more, times)
            fails(new(net, version))
            change(net, "add", "seen", version, OTHER[version])
            left = listed(net, "seen", version)[OTHER[version]][1]
            assert left is timeout or timeout - 60 < left <= timeout, (more, left)
            change(net, "delete", "seen", version, OTHER[version])
        text = net.router.run("nft", "list", "table", "inet", "tpc").stdout
        assert "seen_v4." not in text and "seen_v6." not in text, text


def test_converted(network):
    """sets: a static set becomes dynamic, and static again"""
    fixed = f"""version: 1
sets: {{seen: [203.0.113.20, "2001:db8:113::20"]}}
rules: [{{in: lan0, to: seen, then: reject}}]
"""
    net = network()
    elements = ', elements: [203.0.113.20, "2001:db8:113::20"]'
    static = Policy(net, fixed)
    dynamic = Policy(net, CARRIED.format(more=elements, then="reject"))
    for _ in range(2):
        static.up()
        for version in FAMILIES:
            fails(new(net, version, SITE))
            answered(new(net, version), "origin")
        dynamic.up()
        for version in FAMILIES:
            assert held(net, "seen", version) == [SITE[version]], "what it begins with"
            change(net, "add", "seen", version, FOREIGN[version])
            fails(new(net, version, SITE))
            fails(new(net, version))


class Writers:
    """Three that add one element after the other, as resolvers do, until they are stopped."""

    def __init__(self, net):
        self.net, self.stopping, self.added = net, threading.Event(), []
        self.threads = [threading.Thread(target=self._run, args=(network,), daemon=True)
                        for network in (16, 17, 18)]

    def _run(self, network):
        number = 0
        while not self.stopping.is_set() and number < 60000:
            element = f"198.{network}.{number // 250}.{number % 250}"
            number += 2  # no two side by side, so that each stays one
            if change(self.net, "add", "seen", 4, element, check=False).returncode == 0:
                self.added.append(element)

    def __enter__(self):
        for thread in self.threads:
            thread.start()
        return self

    def __exit__(self, *_):
        self.stopping.set()
        for thread in self.threads:
            thread.join()


def _wall(more):
    return CARRIED.format(more=f"{more}, elements: [203.0.113.0/24, '2001:db8:113::/48']",
                          then="drop")


def test_flood(net):
    """sets: a migration under a flood: no leak, and elements added meanwhile are not lost"""
    policies = [Policy(net, _wall(more)) for more in (", timeout: 1h", ", timeout: 2h")]
    policies[0].up()
    watch = net.sniff("origin")
    with Flood(net.client) as far, Writers(net) as writer:
        for turn in range(16):
            policies[(turn + 1) % 2].up()
    packets = watch.packets()
    assert far.sent > 500 and len(writer.added) > 5, f"a trickle: {far.sent}, {writer.added}"
    assert len(packets) == 0, f"packets of {far.sent} that got out (first {packets[:1]})"
    lost = set(writer.added) - set(held(net, "seen", 4))
    assert lost == set(), f"elements lost of {len(writer.added)}"
    nothing(watch)


def test_killed(net):
    """sets: the next apply fixes a migration that was killed at any moment"""
    policies = [Policy(net, _wall(more)) for more in (", timeout: 1h", ", timeout: 2h")]
    policies[0].up()
    change(net, "add", "seen", 4, "198.51.100.7")
    watch = net.sniff("origin")
    with Flood(net.client) as far:
        for turn in range(20):
            policies[turn % 2].killed(0.003 + 0.004 * turn)
            assert "198.51.100.7" in held(net, "seen", 4), f"turn {turn}: the element is lost"
        policies[0].up()
    packets = watch.packets()
    assert len(packets) == 0, f"packets of {far.sent} that got out (first {packets[:1]})"
    assert "198.51.100.7" in held(net, "seen", 4), "the element is lost"
    text = net.router.run("nft", "list", "table", "inet", "tpc").stdout
    assert "seen_v4." not in text and "timeout 1h\n" in text, text
    assert policies[0].tpc("apply", str(policies[0].path)).stdout == "tpc: nothing to change\n", "apply once more"


def test_stand_in(net):
    """sets: rules that use a temporary set of an interrupted apply use the set again"""
    policy = Policy(net, SEEN).compile()
    text = policy.file(".nft").read_text()
    for version in FAMILIES:
        name = f"seen_v{version}"
        text = text.replace(f"@{name}", f"@{name}.2").replace(f"name={name} ", f"name={name}.2 ")
        kind = "ipv4_addr" if version == 4 else "ipv6_addr"
        text = text.replace("# ---- rules ----", "table inet tpc { set %s.2 { type %s; "
                            "flags interval, timeout; }; }\n# ---- rules ----" % (name, kind))
    net.router.nft(text)
    for version in FAMILIES:
        change(net, "add", "seen", version, FOREIGN[version])
        answered(new(net, version), "origin")
    policy.up()
    for version in FAMILIES:
        fails(new(net, version))
        assert held(net, "seen", version) == sorted([FOREIGN[version], SITE[version]]), "the set"
    text = net.router.run("nft", "list", "table", "inet", "tpc").stdout
    assert "seen_v4.2" not in text and "seen_v6.2" not in text, text
