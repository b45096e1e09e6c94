"""What a packet says of itself and who sends it: link address, class, length, hops, control group."""

import contextlib
import fcntl
import json
import os
import pathlib
import pickle
import select
import socket
import struct
import tempfile

import pytest

import ns
import probe
import raw_packets
from cgroups import control_group
from lab import FOREIGN, Network
from ns import all_ids
from policy import Policy, different, generation, kernel
from outcomes import answered

FAMILIES = (4, 6)
BOTH = [(proto, version) for proto in ("tcp", "udp") for version in FAMILIES]
WEIRD = r"we\x2dird@1.service"  # as systemd writes a '-' in the name of a unit
MOBILE = '{via: [198.51.100.1, "2001:db8:2::1"], dev: wan1, masquerade: true}'


def refused(host, proto, version, port, no, what, **how):
    """
    Whether the policy's reject took the probe is as it should be; otherwise the origin answers. A
    datagram of the router's own that is rejected is not even sent: its process gets EPERM. The kernel
    sends so many ICMP errors a second, and no more; so one that is missed is asked for again.
    """
    for _ in range(4):
        outcome = probe.ask(host, proto, FOREIGN[version], port, timeout=0.5, **how)
        if outcome.kind != "silence":
            break
    found = "refused" if outcome.kind in ("refused", "prohibited") else outcome.who
    assert found == ("refused" if no else "origin"), f"{what}: {proto} port {port} over IPv{version}"


# ---- mac ----

def renamed(net, address):
    """The client's link address becomes this one, and the router learns it."""
    net.client.ip(f"link set eth0 address {address}")
    net.router.ip("neigh flush dev lan0")


def test_mac(net):
    """fields: mac, in each notation, lists, ranges and not"""
    renamed(net, "02:00:5e:10:00:0a")
    Policy(net, """version: 1
rules:
  - {mac: 02:00:5e:10:00:0a, proto: [tcp, udp], port: 53, then: reject}
  - {mac: [02-00-5E-10-00-0A, 02:00:5e:10:00:77], proto: tcp, port: 80, then: reject}
  - {mac: 02:00:5e:10:00:00-02:00:5e:10:00:0f, proto: tcp, port: 443, then: reject}
  - {mac: {not: [02:00:5e:10:00:0b, 02:00:5e:10:00:0c]}, proto: tcp, port: 22, then: reject}
  - {mac: {not: 02:00:5e:10:00:00-02:00:5e:10:00:0f}, proto: tcp, port: 853, then: reject}
""").up()
    for address, taken in (("02:00:5e:10:00:0a", (53, 80, 443, 22)),
                           ("02:00:5e:10:00:0b", (443,)),
                           ("02:00:5e:10:00:10", (22, 853))):
        renamed(net, address)
        for version in FAMILIES:
            for port in 53, 80, 443, 22, 853:
                refused(net.client, "tcp", version, port, port in taken, address)
            refused(net.client, "udp", version, 53, 53 in taken, address)


def test_lists(net):
    """fields: lists of macs and ports, with files: as their values, in lists, and in not"""
    Policy(net, """version: 1
macs:
  old: [{file: old.txt}]
  known: [old, 02:00:5e:10:00:10-02:00:5e:10:00:1f]
ports:
  web: {file: web.txt}
  both: [web, dns]
rules:
  - {mac: known, port: both, then: reject}
  - {mac: {not: [old, 02:00:5e:10:00:77]}, proto: tcp, port: [22, 853], then: reject}
  - {scope: local, proto: tcp, port: {not: [both, 22]}, then: reject}
""", {"old.txt": "# devices\r\n02-00-5E-10-00-0A first\r\n", "web.txt": "80 web\n443;secure\n"}).up()
    for address, taken in (("02:00:5e:10:00:0a", (53, 80, 443)),
                           ("02:00:5e:10:00:1f", (53, 80, 443, 22, 853)),
                           ("02:00:5e:10:00:20", (22, 853)), ("02:00:5e:10:00:77", ())):
        renamed(net, address)
        for version in FAMILIES:
            for port in 53, 80, 443, 22, 853:
                refused(net.client, "tcp", version, port, port in taken, address)
            refused(net.client, "udp", version, 53, 53 in taken, address)
    for version in FAMILIES:
        for port in 53, 80, 443, 22, 853:
            refused(net.router, "tcp", version, port, port == 853, "the router itself")


def test_pasted(network):
    """fields: mac as `ip neigh` prints it; the connection keeps its way without state"""
    net = network(uplinks=("wan0", "wan1"), server=True)
    answered(probe.ask(net.client, "tcp", FOREIGN[4], 80), "origin")
    line = net.router.run("ip", "neigh", "show", "10.10.10.2", "dev", "lan0").stdout.split()
    policy = Policy(net, f"""version: 1
tables: {{mobile: {MOBILE}}}
rules: [{{mac: {line[line.index("lladdr") + 1]}, then: {{route: mobile}}}}]
""").up()
    for proto, version in BOTH:
        answered(probe.ask(net.client, proto, FOREIGN[version], 443), "mobile")
        answered(probe.ask(net.server, proto, FOREIGN[version], 443), "origin")
    text = policy.file(".nft").read_text()
    assert "a connection keeps the way its first packet got" not in text, text


class Tunnel:
    """
    A device without link addresses on the router, and who is behind it: 10.77.0.2 and fd00:77::2, who
    sends datagrams and reads what comes back.
    """
    ADDRESS = {4: "10.77.0.2", 6: "fd00:77::2"}

    def __init__(self, net):
        try:
            with net.router:  # TUNSETIFF: IFF_TUN | IFF_NO_PI
                self.fd = os.open("/dev/net/tun", os.O_RDWR | os.O_NONBLOCK)
                fcntl.ioctl(self.fd, 0x400454CA, struct.pack("16sH22x", b"tun0", 0x1001))
        except OSError as error:
            pytest.skip(f"no tun device can be made here ({error.strerror})")
        net.router.ip("""link set tun0 up
                         address add 10.77.0.1/24 dev tun0
                         address add fd00:77::1/64 dev tun0 nodad""")

    def close(self):
        os.close(self.fd)

    def ask(self, version, port, timeout):
        """The answer's text, or the ICMP type that came instead; None for silence."""
        os.write(self.fd, raw_packets.packet("udp", self.ADDRESS[version], FOREIGN[version], port))
        while select.select([self.fd], [], [], timeout)[0]:
            packet = os.read(self.fd, 4096)
            if packet[0] >> 4 != version:
                continue
            proto, data = (packet[9], packet[20:]) if version == 4 else (packet[6], packet[40:])
            if proto == socket.IPPROTO_UDP:
                return data[8:].decode()
            if (proto, data[0]) in ((1, 3), (58, 1)):
                return "unreachable"
        return None


def test_tunnel(net):
    """fields: mac: packets from a tunnel have no address, and so none that a rule names"""
    tunnel = net.add(Tunnel(net))
    Policy(net, """version: 1
rules:
  - {mac: {not: [02:00:5e:10:00:0a, 02:00:5e:10:00:0b]}, proto: udp, port: 53, then: reject}
  - {mac: 02:00:00:00:00:00-fe:ff:ff:ff:ff:ff, proto: udp, port: [123, 443], then: reject}
""").up()
    for version in FAMILIES:
        assert tunnel.ask(version, 53, 1) == "unreachable", f"a negated mac, over IPv{version}"
        assert (tunnel.ask(version, 443, 1) or "").startswith("origin answers"), "any mac"
        refused(net.client, "udp", version, 443, True, "the client has a mac")


# ---- dscp ----

def test_dscp(net):
    """fields: dscp by name, number, range and not, for all ECN bits"""
    Policy(net, """version: 1
rules:
  - {dscp: ef, proto: udp, port: 53, then: reject}
  - {dscp: [10, "12-14", cs7], proto: udp, port: 123, then: reject}
  - {dscp: {not: [be, le]}, proto: udp, port: 443, then: reject}
  - {scope: local, dscp: {not: "8-63"}, proto: udp, port: 5000, then: reject}
""").up()
    for version in FAMILIES:
        for congestion in range(4):
            for dscp, port, no in ((46, 53, True), (45, 53, False), (47, 53, False),
                                   (10, 123, True), (11, 123, False), (12, 123, True),
                                   (13, 123, True), (14, 123, True), (15, 123, False),
                                   (56, 123, True), (0, 443, False), (1, 443, False),
                                   (2, 443, True), (63, 443, True), (0, 5000, False)):
                refused(net.client, "udp", version, port, no, dscp, TOS=dscp << 2 | congestion)
        for dscp, no in ((0, True), (7, True), (8, False), (63, False)):
            refused(net.router, "udp", version, 5000, no, dscp, TOS=dscp << 2)


def test_ecn(net):
    """fields: ecn by name, number and not, for all classes"""
    Policy(net, """version: 1
rules:
  - {ecn: ce, proto: udp, port: 53, then: reject}
  - {ecn: [ect0, 1], proto: udp, port: 123, then: reject}
  - {scope: both, ecn: {not: not-ect}, proto: udp, port: 5000, then: reject}
""").up()
    for version in FAMILIES:
        for dscp in (0, 46):
            for ecn in range(4):
                tos = dscp << 2 | ecn
                for port, no in ((53, ecn == 3), (123, ecn in (1, 2)), (5000, ecn > 0)):
                    refused(net.client, "udp", version, port, no, tos, TOS=tos)
                refused(net.router, "udp", version, 5000, ecn > 0, tos, TOS=tos)


def test_first():
    """fields: the first packet chooses the way by dscp, ecn, length or ttl for the whole connection"""
    rules = {"dscp: 46": ({"TOS": 46 << 2}, b"x", {"TOS": 0}, b"x"),
             "ecn: ect0": ({"TOS": 2}, b"x", {"TOS": 0}, b"x"),
             'length: "100-1000"': ({}, b"x" * 200, {}, b"x"),
             "ttl: 9": ({"TTL": 9}, b"x", {"TTL": 64}, b"x")}
    for rule, (before, first, after, later) in rules.items():
        with Network(uplinks=("wan0", "wan1")) as net:
            Policy(net, f"""version: 1
tables: {{mobile: {MOBILE}}}
rules: [{{{rule}, proto: udp, then: {{route: mobile}}}}]
""").up()
            for version in FAMILIES:
                seen_by = []
                for order in ((before, first), (after, later)), ((after, later), (before, first)):
                    seen_by.append(conversation(net.client, version, order))
                assert seen_by == [["mobile", "mobile"], ["origin", "origin"]], f"{rule}, IPv{version}"


def conversation(host, version, packets):
    """Sends each of [(header fields, data)] on one socket; who answered each."""
    with host:
        sock = socket.socket(probe.family_of(FOREIGN[version]), socket.SOCK_DGRAM)
    with sock:
        sock.settimeout(2)
        sock.connect((FOREIGN[version], 443))
        answers = []
        for fields, data in packets:
            for name, value in fields.items():
                probe.turn_on(sock, name, value)
            sock.send(data)
            answers.append(sock.recv(2048).decode().split()[0])
        return answers


# ---- length and ttl ----

def test_length(network):
    """fields: length counts the whole packet with its header, in each family"""
    head = {4: 28, 6: 48}
    net = network()
    Policy(net, """version: 1
rules:
  - {length: 200, proto: udp, port: 53, then: reject}
  - {length: [100, "300-400"], proto: udp, port: 123, then: reject}
  - {length: {not: "20-500"}, proto: udp, port: 443, then: reject}
  - {length: {not: [20-149, 151-65535]}, scope: local, proto: udp, port: 5000, then: reject}
""").up()
    for version in FAMILIES:
        for host, port, total, no in (
                (net.client, 53, 199, False), (net.client, 53, 200, True),
                (net.client, 53, 201, False), (net.client, 123, 100, True),
                (net.client, 123, 101, False), (net.client, 123, 299, False),
                (net.client, 123, 300, True), (net.client, 123, 400, True),
                (net.client, 123, 401, False), (net.client, 443, 500, False),
                (net.client, 443, 501, True), (net.client, 443, 1400, True),
                (net.router, 5000, 149, False), (net.router, 5000, 150, True),
                (net.router, 5000, 151, False), (net.client, 5000, 150, False)):
            refused(host, "udp", version, port, no, total, data=b"x" * (total - head[version]))


def test_fragments(net):
    """fields: length of a fragmented packet is that of the whole packet"""
    Policy(net, 'version: 1\nrules: [{length: "2500-65535", proto: udp, then: reject}]\n').up()
    for version in FAMILIES:
        refused(net.client, "udp", version, 443, True, "whole", data=b"x" * 3000)
        refused(net.client, "udp", version, 443, False, "whole", data=b"x" * 2000)


def test_ttl(net):
    """fields: ttl is the hop limit in IPv6; numbers, ranges and not"""
    Policy(net, """version: 1
rules:
  - {ttl: 9, proto: [tcp, udp], port: 53, then: reject}
  - {ttl: ["2-5", 255], proto: [tcp, udp], port: 443, then: reject}
  - {ttl: {not: [64, 128]}, proto: udp, port: 123, then: reject}
  - {scope: local, ttl: 33, proto: udp, port: 5000, then: reject}
""").up()
    for version in FAMILIES:
        for ttl, port, no in ((8, 53, False), (9, 53, True), (10, 53, False), (5, 443, True),
                              (2, 443, True), (6, 443, False), (255, 443, True),
                              (254, 443, False)):
            for proto in "tcp", "udp":
                refused(net.client, proto, version, port, no, ttl, TTL=ttl)
        for ttl, no in ((64, False), (128, False), (63, True), (200, True)):
            refused(net.client, "udp", version, 123, no, ttl, TTL=ttl)
        for host, ttl, no in ((net.router, 33, True), (net.router, 34, False),
                              (net.client, 33, False)):
            refused(host, "udp", version, 5000, no, ttl, TTL=ttl)


# ---- cgroup ----

@contextlib.contextmanager
def groups(*below):
    """A control group with others below it; their names from the root, and Identities in them."""
    if not all_ids():
        pytest.skip("a control group of one's own needs root; run the lab as root")
    with control_group() as (name, path):
        for part in below:
            os.makedirs(f"{path}/{part}")
        yield {part: f"{name}/{part}" if part else name for part in ("", *below)}, \
            {part: probe.Identity(cgroup=f"{path}/{part}") for part in ("", *below)}


def test_cgroup():
    """fields: cgroup: processes in it or below it, not in siblings or parents"""
    with groups("a/b/c", "a/bb", WEIRD) as (names, who), Network() as net:
        who["a"] = probe.Identity(cgroup=who[""].cgroup + "a")
        who["a/b"] = probe.Identity(cgroup=who[""].cgroup + "a/b")
        who["/"] = probe.Identity(cgroup="/sys/fs/cgroup")
        base = names[""]
        Policy(net, f"""version: 1
rules:
  - {{cgroup: {base}/a/b, proto: [tcp, udp], port: 53, then: reject}}
  - {{cgroup: [{base}/a, /{base}/a/b, '{names[WEIRD]}'], proto: tcp, port: 80, then: reject}}
  - {{cgroup: {{not: {base}/a/b}}, proto: [tcp, udp], port: 443, then: reject}}
  - {{cgroup: {{not: [{base}/a/b/c, {base}/a/bb]}}, proto: tcp, port: 22, count: true, then: reject}}
""").up()
        expected = {"a/b": (53, 80, 22), "a/b/c": (53, 80), "a": (80, 443, 22),
                    "a/bb": (80, 443), WEIRD: (80, 443, 22), "": (443, 22),
                    "/": (443, 22)}
        for version in FAMILIES:
            for name, taken in expected.items():
                for port in 53, 80, 443, 22:
                    refused(net.router, "tcp", version, port, port in taken, name,
                            identity=who[name])
                for port in 53, 443:
                    refused(net.router, "udp", version, port, port in taken, name,
                            identity=who[name])
                refused(net.client, "tcp", version, 53, False, "forwarded")


def moved(net, identity, version):
    """A child opens a socket, moves into the group, and asks on that socket and on a new one."""
    here, there = os.pipe()
    child = os.fork()
    if child == 0:
        outcomes = []
        with contextlib.suppress(Exception), net.router:
            family = probe.family_of(FOREIGN[version])
            with socket.socket(family, socket.SOCK_DGRAM) as early:
                with open(f"{identity.cgroup}/cgroup.procs", "w") as file:
                    file.write("0")
                with socket.socket(family, socket.SOCK_DGRAM) as late:
                    for sock in early, late:
                        outcomes.append(answered_on(sock, version))
        os.write(there, pickle.dumps(outcomes))
        os._exit(0)
    os.close(there)
    with os.fdopen(here, "rb") as file:
        outcomes = pickle.load(file)
    os.waitpid(child, 0)
    return outcomes


def answered_on(sock, version):
    sock.settimeout(2)
    probe.turn_on(sock, "RECVERR")
    try:
        sock.connect((FOREIGN[version], 53))
        sock.send(b"hello\n")
        return sock.recv(2048).decode().split()[0]
    except (ConnectionRefusedError, PermissionError):
        return "refused"


def test_moved():
    """fields: cgroup: a socket stays in the group that its process was in when it opened it"""
    with groups("a") as (names, who), Network() as net:
        Policy(net, f"version: 1\nrules: [{{cgroup: {names['a']}, proto: udp, then: reject}}]\n").up()
        for version in FAMILIES:
            assert moved(net, who["a"], version) == ["origin", "refused"], "opened before, and after"


def test_own():
    """fields: cgroup: packets of a listener's group, or of one below it, do not loop"""
    with groups("proxy/worker") as (names, who), Network() as net:
        group = names[""] + "/proxy"
        Policy(net, f"""version: 1
listeners: {{p: {{tproxy: 12345, runs_as: {{cgroup: {group}}}}}}}
rules: [{{scope: both, proto: [tcp, udp], then: {{proxy: p}}}}]
""").up()
        listener = net.listener(identity=who["proxy/worker"], onward=True)
        for count, (proto, version) in enumerate(BOTH, 1):
            outcome = answered(probe.ask(net.router, proto, FOREIGN[version], 443), "proxy")
            assert "and origin answers" in outcome.text, f"the proxy's own way out: {outcome}"
            assert len(listener.seen) == count, "connections that the proxy saw"


def test_missing():
    """fields: cgroup: the rules of a missing group fail closed until the next apply"""
    with groups("there/a", "other") as (names, who), Network() as net:
        base = names[""]
        policy = Policy(net, f"""version: 1
rules:
  - {{cgroup: {base}/there/gone, proto: [tcp, udp], port: 53, then: direct}}
  - {{cgroup: {{not: {base}/lost}}, proto: [tcp, udp], port: 443, then: direct}}
""")
        done = policy.tpc("apply", str(policy.path))
        for line, name in (3, "there/gone"), (4, "lost"):
            assert f'policy.yaml:{line}:' in done.stderr, done.stderr
            assert f'there is no cgroup "{base}/{name}" on this host yet' in done.stderr, done.stderr
        for name in "there/gone/b", "lost", "later":
            os.makedirs(f"/sys/fs/cgroup/{base}/{name}")
            who[name] = probe.Identity(cgroup=f"/sys/fs/cgroup/{base}/{name}")
        closed = {"": (), "there/a": (), "other": (), "there/gone/b": (53,), "lost": (443,),
                  "later": (443,)}
        for version in FAMILIES:
            for name, taken in closed.items():
                for proto, port in (("tcp", 53), ("udp", 53), ("tcp", 443), ("udp", 443),
                                    ("tcp", 80)):
                    refused(net.router, proto, version, port, port in taken, name,
                            identity=who[name])
            refused(net.client, "tcp", version, 53, False, "forwarded")
        status = policy.tpc("status", "--drift", check=False)
        assert status.returncode == 5, "exit status of status --drift"
        assert f"the cgroup {base}/there/gone exists now" in status.stdout, status.stdout
        policy.up("apply")
        assert "everything holds" in policy.tpc("status").stdout
        for version in FAMILIES:
            for name in closed:
                refused(net.router, "tcp", version, 53, False, name, identity=who[name])
                refused(net.router, "udp", version, 443, False, name, identity=who[name])


def test_missing_script():
    """fields: cgroup: the script reports a missing one before anything changes"""
    with groups() as (names, _), Network() as net:
        text = f"""version: 1
listeners: {{p: {{tproxy: 12345, runs_as: {{cgroup: {names['']}/gone}}}}}}
rules:
  - {{scope: both, proto: tcp, then: {{proxy: p}}}}
  - {{cgroup: {{not: [{names['']}, {names['']}/lost]}}, then: drop}}
"""
        before = kernel(net.router)
        policy = Policy(net, text)
        script = str(policy.file(".sh"))
        done = net.router.run("sh", script, "up", check=False)
        assert done.returncode == 3, f"exit status of the script ({done.stderr})"
        lost = f"not among the cgroups of this host (below /sys/fs/cgroup): {names['']}/lost {names['']}/gone."
        assert lost in done.stderr and "nothing was changed" in done.stderr, done.stderr
        assert different(before, kernel(net.router)) == [], "what changed"
        for name in "gone", "lost":
            os.mkdir(f"/sys/fs/cgroup/{names['']}/{name}")
        policy.up("sh")
        policy.down("sh")
        policy.up("apply")


@contextlib.contextmanager
def accounts(text):
    """/etc/passwd and /etc/group of this process' own, each a line longer once the caller asks."""
    if not all_ids():
        pytest.skip("other users need root; run the lab as root")
    with tempfile.TemporaryDirectory(prefix="lab-") as folder:
        for name in "passwd", "group":
            own = pathlib.Path(folder, name)
            own.write_text(pathlib.Path("/etc", name).read_text(encoding="utf-8"))
            ns.mount(str(own), f"/etc/{name}", None, ns.MS_BIND)
        try:
            yield lambda: [pathlib.Path(folder, name).write_text(
                pathlib.Path("/etc", name).read_text(encoding="utf-8") + line)
                for name, line in text.items()]
        finally:
            for name in "passwd", "group":
                ns.umount(f"/etc/{name}")


def test_missing_account():
    """fields: user, group: the rules of a missing name fail closed until the next apply"""
    later = {"passwd": "latecomer:x:64411:64411::/:/bin/false\n", "group": "latecomer:x:64411:\n"}
    who = {"root": probe.Identity(), "nobody": probe.Identity(user=65534, group=65534),
           "latecomer": probe.Identity(user=64411, group=64411)}
    with accounts(later) as arrive, Network(uplinks=("wan0", "wan1")) as net:
        policy = Policy(net, f"""version: 1
tables: {{mobile: {MOBILE[:-1]}, fallback: unreachable}}}}
listeners: {{p: {{tproxy: 12345, runs_as: {{user: latecomer}}}}}}
rules:
  - {{user: latecomer, proto: [tcp, udp], port: 53, then: {{route: mobile}}}}
  - {{group: {{not: [latecomer, root]}}, proto: [tcp, udp], port: 443, then: {{route: mobile}}}}
  - {{scope: both, proto: [tcp, udp], port: 123, then: {{proxy: p}}}}
""")
        done = policy.tpc("apply", str(policy.path))
        for name in 'user "latecomer"', 'group "latecomer"':
            assert f"there is no {name} on this host yet" in done.stderr, done.stderr
        listener = net.listener(identity=who["latecomer"])
        for version in FAMILIES:
            for proto in "tcp", "udp":
                for port in 53, 443, 123:
                    refused(net.router, proto, version, port, True, "latecomer, before the apply",
                            identity=who["latecomer"])
                for name, port, way in (("root", 53, "origin"), ("nobody", 53, "origin"),
                                        ("root", 443, "origin"), ("nobody", 443, "mobile"),
                                        ("nobody", 123, "proxy")):
                    answered(probe.ask(net.router, proto, FOREIGN[version], port,
                                       identity=who[name]), way)
                answered(probe.ask(net.client, proto, FOREIGN[version], 123), "proxy")
        assert len(listener.seen) == 8, "connections that the proxy saw"
        arrive()
        assert "latecomer exists now" in policy.tpc("status", "--drift", check=False).stdout
        policy.tpc("apply", str(policy.path))
        for version in FAMILIES:
            for proto in "tcp", "udp":
                for port, way in (53, "mobile"), (443, "origin"):
                    answered(probe.ask(net.router, proto, FOREIGN[version], port,
                                       identity=who["latecomer"]), way)


def test_again():
    """fields: cgroup: a re-created one is another group: status reports it, and apply updates it"""
    with groups("a") as (names, who), Network() as net:
        policy = Policy(net, f"version: 1\nrules: [{{cgroup: {names['a']}, then: reject}}]\n").up()
        loaded = generation(net.router)
        policy.up()
        assert generation(net.router) == loaded, "the generation after a second apply"
        assert "everything holds" in policy.tpc("status").stdout
        os.rmdir(who["a"].cgroup)
        os.mkdir(who["a"].cgroup)
        refused(net.router, "tcp", 4, 80, False, "the new group, the old rules", identity=who["a"])
        assert "a cgroup of the rules was removed" in policy.tpc("status", check=False).stdout
        said = policy.tpc("apply", str(policy.path))
        assert f"the cgroup {names['a']} was re-created" in said.stdout + said.stderr, said
        assert "everything holds" in policy.tpc("status").stdout
        for version in FAMILIES:
            refused(net.router, "tcp", version, 80, True, "applied again", identity=who["a"])


# ---- ctmark ----

# Another program's: before the policy it marks connections to some ports, behind it it counts what carries 0x25.
MARKING = """
table inet foreign {
	chain prerouting { type filter hook prerouting priority -160; meta l4proto { tcp, udp } th dport 53 ct mark set 0x539; }
	chain output { type filter hook output priority -160; meta l4proto { tcp, udp } th dport 53 ct mark set 0x539; }
	counter there {}
	counter back {}
	chain seen {
		type filter hook postrouting priority 200;
		meta mark & 0xff == 0x25 ct direction original counter name there
		meta mark & 0xff == 0x25 ct direction reply counter name back
	}
	chain replies {
		type filter hook input priority 0;
		meta mark & 0xff == 0x25 ct direction reply counter name back
	}
}
"""


def counted(net):
    found = json.loads(net.router.run("nft", "-j", "list counters table inet foreign").stdout)["nftables"]
    packets = {item["counter"]["name"]: item["counter"]["packets"] for item in found if "counter" in item}
    return packets["there"], packets["back"]


def test_ctmark():
    """fields: ctmark: a foreign mark on the connection, and a mark of the policy on replies"""
    for mark in "0x25", "{value: 0x25, mask: 0xff}":
        with Network() as net:
            net.router.nft(MARKING)
            Policy(net, f"""version: 1
rules:
  - {{scope: both, ctmark: {{value: 0x500, mask: 0xf00}}, proto: tcp, then: reject}}
  - {{scope: both, ctmark: 0x539, then: reject}}
  - {{scope: both, ctmark: {{not: 0}}, port: 53, then: reject}}
  - {{scope: both, port: 443, then: {{mark: {mark}, connection: true}}}}
""").up()
            for host in net.client, net.router:
                for proto, version in BOTH:
                    refused(host, proto, version, 53, True, "marked by another program")
                    there, back = counted(net)
                    refused(host, proto, version, 443, False, "marked by the policy")
                    after = counted(net)
                    assert after[0] > there and after[1] > back, f"{proto} over IPv{version}: {there, back} became {after}"
                with net.router, open("/proc/thread-self/net/nf_conntrack") as file:
                    assert sum("dport=443 " in line and " mark=37 " in line for line in file) >= 4, "no mark on the connections"
