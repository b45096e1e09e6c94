"""What packets carry: words in their data, and what speaks in them, with bytes of real clients."""

import contextlib
import json
import shutil
import socket
import struct

import pytest

import probe
from test_examples import load
from lab import FOREIGN, Network
from ns import all_ids
from policy import Policy
from servers import Names, Web, certificate, curl, dig
from outcomes import answered

FAMILIES = (4, 6)
PORTS = (80, 5000, 8080)
WORD = "forbidden-word"
MOBILE = '{via: [198.51.100.1, "2001:db8:2::1"], dev: wan1, masquerade: true}'


class Mirror(probe.Server):
    """Says how many bytes came, each time that some come."""

    def __init__(self, host, tcp=PORTS, udp=PORTS):
        super().__init__(host)
        for address in "0.0.0.0", "::":
            for port in tcp:
                self.listen("tcp", address, port)
            for port in udp:
                self.listen("udp", address, port, ["RECVPKTINFO"])

    def on_stream(self, child, peer):
        child.setblocking(False)
        probe.engine().add(child, lambda: self._more(child))

    @staticmethod
    def _more(child):
        try:
            data = child.recv(65536)
        except OSError:
            data = b""
        if data:
            child.send(b"%d\n" % len(data))
        else:
            probe.engine().drop([child])

    def on_datagram(self, sock):
        data, ancillary, _, peer = sock.recvmsg(65536, 256)
        dest = probe._addressed_to(ancillary)
        sock.sendmsg([b"%d\n" % len(data)], [probe._answer_from(dest)], 0, peer)


class Talk:
    """A connection, or a flow of datagrams, each piece of which is a packet of its own."""

    def __init__(self, host, proto, address, port, identity=probe.NOBODY_SPECIAL):
        self.sock = identity.open(host, probe.family_of(address), probe.SOCKETS[proto])
        self.sock.settimeout(3)
        if proto == "tcp":
            self.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        else:
            probe.turn_on(self.sock, "RECVERR")
        self.sock.connect((address, port))

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.sock.close()

    def say(self, data, timeout=3.0):
        """How many bytes the other end got; or what became of the packet."""
        self.sock.settimeout(timeout)
        try:
            self.sock.sendall(data if isinstance(data, bytes) else data.encode())
            return self.sock.recv(100).decode().strip() or "closed"
        except TimeoutError:
            return "silence"
        except OSError as error:
            return probe.KINDS.get(error.errno, "error")

    def passes(self, data):
        assert self.say(data) == str(len(data if isinstance(data, bytes) else data.encode())), \
            f"what came of {data[:40]!r}"

    def cut(self, data, *kinds, timeout=3.0):
        found = self.say(data, timeout)
        assert found in (kinds or ("reset",)), f"{data[:40]!r}: {found}"


@contextlib.contextmanager
def network(text, uplinks=("wan0",)):
    """The lab with a mirror beyond the router, at the foreign addresses, and a policy."""
    with Network(uplinks, tcp=(), udp=()) as net:
        for name in ("origin", "mobile")[:len(uplinks)]:
            net.add(Mirror(net.hosts[name]))
        net.policy = Policy(net, "version: 1\n" + text).up()
        yield net


def needs(*programs):
    for program in programs:
        if not shutil.which(program):
            pytest.skip(f"{program} is not here; run packaging/setup check")


def each(net):
    """Who asks, and where: forwarded and local, both families."""
    return [(host, FOREIGN[version]) for host in (net.client, net.router) for version in FAMILIES]


# ---- words ----

def test_keyword(network):
    """example block-keyword: a request with the word in path, header or body is reset, another passes"""
    needs("curl")
    net = network(tcp=(), udp=())
    web = net.add(Web(net.origin, (80, 81, 8080)))
    net.add(Mirror(net.origin, (), (5000, 6000)))
    load(net, "block-keyword")
    for host, address in each(net):
        for port in 80, 8080:
            for how in ({"page": f"a?b={WORD}"}, {"page": "FORBIDDEN-word/"},
                        {"options": ("-H", f"X-Topic: a {WORD}")},
                        {"options": ("-d", f"say={WORD}&more=of+it")}):
                assert curl(host, address, port, **how).kind == "reset", f"{how} to {address}"
            for how in ({}, {"page": "forbidden/word"}, {"options": ("-d", "forbidden word")}):
                answered(curl(host, address, port, **how), "origin")
        answered(curl(host, address, 81, page=WORD), "origin")
        with Talk(host, "udp", address, 5000) as talk:
            talk.passes("a word that is not forbidden")
            talk.cut(f"a {WORD}", "silence", "prohibited", timeout=0.3)
            talk.passes("another")
        with Talk(host, "udp", address, 6000) as talk:
            talk.passes(WORD)
    assert len(web.seen) == 4 * (2 * 3 + 1), "requests that came through"


def test_within():
    """payload: a word anywhere in the first bytes, in any packet of a connection"""
    with network(f"""rules:
  - {{scope: both, port: 80, payload: {{contains: {WORD}}}, then: reject}}
  - {{scope: both, port: 5000, payload: {{contains: {WORD}, within: 40, ignore_case: true}}, then: reject}}
""") as net:
        last = 256 - len(WORD)
        for host, address in each(net):
            for at in 0, 1, 15, 16, 17, 100, last - 1, last:
                with Talk(host, "tcp", address, 80) as talk:
                    talk.passes("the first packet")
                    talk.passes("the second one, with a forbidden-wor")
                    talk.cut("x" * at + WORD + "y" * (300 if at % 2 else 0))
            with Talk(host, "tcp", address, 80) as talk:
                talk.passes("x" * (last + 1) + WORD)  # behind the 256 bytes
                talk.passes("Forbidden-Word")
                talk.passes(WORD[:7])  # in two packets
                talk.passes(WORD[7:])
                talk.passes(WORD[:-1])
            with Talk(host, "tcp", address, 5000) as talk:
                talk.passes("x" * (40 - len(WORD) + 1) + WORD)
                talk.cut("x" * (40 - len(WORD)) + "FORBIDDEN-word")
            with Talk(host, "tcp", address, 8080) as talk:
                talk.passes(WORD)
            with Talk(host, "udp", address, 80) as talk:
                talk.passes("x" * (last + 1) + WORD)
                talk.cut("x" * last + WORD, "refused", "prohibited")


LONG = "GET /a/path/of/just/sixty-four/bytes/which/is/the/longest/text/x"


def test_starts():
    """payload: text at the beginning, long text, lists, other scripts, line ends, not"""
    assert len(LONG) == 64
    with network(f"""rules:
  - {{port: 80, proto: tcp, payload: [{{starts_with: "{LONG}"}}, {{starts_with: "QUIT\\r\\n"}}, {{contains: "\\t", within: 3}}], then: reject}}
  - {{port: 8080, proto: tcp, payload: {{starts_with: ελ, ignore_case: true}}, then: drop}}
  - {{port: 5000, proto: udp, payload: {{not: [{{starts_with: one}}, {{contains: two, within: 30}}]}}, then: reject}}
  - {{port: 5000, proto: tcp, payload: {{starts_with: "ΕΛ-[@^`{{", ignore_case: true}}, then: reject}}
""") as net:
        for version in FAMILIES:
            address = FOREIGN[version]
            for cut in LONG, LONG + "y", "QUIT\r\n", "\ta", "ab\t":
                with Talk(net.client, "tcp", address, 80) as talk:
                    for text in LONG[:-1], LONG[:-1] + "y", "y" + LONG, "QUIT\n", "a QUIT\r\n", "abc\t":
                        talk.passes(text)
                    talk.cut(cut)
            with Talk(net.client, "tcp", address, 8080) as talk:
                talk.passes("ΕΛ")
                talk.passes("ε")
                talk.cut("ελλ", "silence", timeout=0.3)
            with Talk(net.client, "tcp", address, 5000) as talk:
                talk.passes("ΕΛ-{`~@[")  # the bit of a letter's case is looked at where there is none
                talk.cut("ΕΛ-[@^`{")
            with Talk(net.client, "udp", address, 5000) as talk:
                for text in "one", "one more", "a two", "x" * 27 + "two":
                    talk.passes(text)
                for text in "x" * 28 + "two", "on", "", "a one":
                    talk.cut(text, "refused")


KEPT = f"""tables: {{mobile: {MOBILE}}}
rules:
  - {{user: 1000, then: {{route: mobile}}}}
  - {{scope: both, port: 80, payload: {{contains: {WORD}}}, then: reject}}
  - {{payload: {{starts_with: note}}, scope: both, count: true, name: noted, then: continue}}
  - {{scope: both, proto: [tcp, udp], then: {{balance: {{mobile: 1, main: 1}}}}}}
  - {{scope: both, port: 80, payload: {{starts_with: below}}, then: reject}}
"""


def test_kept():
    """payload: a word cuts only connections that keep their way by a rule below"""
    with network(KEPT, ("wan0", "wan1")) as net:
        noted = 0
        for host, address in each(net):
            for proto in "tcp", "udp":
                for _ in range(4):
                    with Talk(host, proto, address, 80) as talk:
                        talk.passes("first")
                        talk.passes("below is not looked at any more")
                        talk.passes("note this")
                        noted += 1
                        talk.cut(f"a {WORD}", *(("reset",) if proto == "tcp" else
                                                ("refused", "prohibited")))
        for version in FAMILIES if all_ids() else ():
            with Talk(net.router, "tcp", FOREIGN[version], 80, probe.Identity(user=1000)) as talk:
                talk.passes("first")
                talk.passes(f"a {WORD} below the rule that decided")
                talk.passes("note this, too: but it is below as well")
        assert counts(net)["rule_noted"] == noted, "packets that were noted"


def test_proxy():
    """payload: a word cuts connections to a proxy, and an earlier rule's connections keep no state for it"""
    with network(f"""listeners: {{proxy: {{tproxy: 12345}}}}
rules:
  - {{port: 80, payload: {{contains: {WORD}}}, then: reject}}
  - {{in: lan0, proto: tcp, then: {{proxy: proxy}}}}
""") as net:
        mirror = Mirror(net.router, (), ())
        net.add(mirror)
        for address in "127.0.0.1", "::1":
            mirror.listen("tcp", address, 12345, ["TRANSPARENT"])
        origin = net.sniff()
        for version in FAMILIES:
            with Talk(net.client, "tcp", FOREIGN[version], 80) as talk:
                talk.passes("hello, proxy")
                talk.cut(f"and now a {WORD}")
            with Talk(net.client, "tcp", FOREIGN[version], 8080) as talk:
                talk.passes(WORD)
        assert origin.packets() == [], "what came to the origin"
        assert "ct mark" not in net.policy.file(".nft").read_text()


# ---- apps ----

APPS = ("http", "tls", "quic", "dns", "ssh", "bittorrent")
COUNTING = "rules:\n" + "".join(
    f"  - {{scope: both, app: {app}, count: true, name: {app}, then: continue}}\n" for app in APPS)


def counts(net):
    """What every rule that counts has counted, by its name."""
    found = json.loads(net.router.run("nft", "-j", "list", "counters", "table", "inet", "tpc").stdout)
    return {item["counter"]["name"]: item["counter"]["packets"] for item in found["nftables"]
            if "counter" in item}


def is_of(net, app, times, what, ask):
    """What is asked makes so many packets of the app, and none of another."""
    before = counts(net)
    ask()
    grown = {name.removeprefix("rule_"): packets - before[name] for name, packets in counts(net).items()
             if packets != before[name]}
    assert grown == ({app: times} if times else {}), f"{what}: packets of apps"


def initial(version=1, kind=0, length=1200):
    """
    An Initial of QUIC: RFC 9000 section 17.2.2; in version 2 its number and type differ (RFC 9369).
    What is encrypted behind its header is zeros here.
    """
    number = {1: 1, 2: 0x6B3343CF}.get(version, version)
    first = 0xC0 | (kind + (version == 2)) << 4 | 3  # long, fixed bit, type; 4 bytes of packet number
    destination, source = bytes.fromhex("8394c8f03e515708"), bytes.fromhex("0102")
    head = struct.pack("!BIB", first, number, len(destination)) + destination
    head += struct.pack("!B", len(source)) + source + b"\0"  # no token
    return (head + struct.pack("!H", 0x4000 | length - len(head) - 2)).ljust(length, b"\0")


HANDSHAKE = b"\x13BitTorrent protocol" + bytes(8) + b"0123456789abcdefghij" * 2
TRACKER = struct.pack("!QII", 0x41727101980, 0, 0x12345678)  # BEP 15
NODE = b"abcdefghij0123456789"
DHT = (b"d1:ad2:id20:" + NODE + b"e1:q4:ping1:t2:aa1:y1:qe",  # BEP 5
       b"d1:ad2:id20:" + NODE + b"6:target20:" + NODE + b"e1:q9:find_node1:t2:aa1:y1:qe",
       b"d1:rd2:id20:" + NODE + b"e1:t2:aa1:y1:re")


def ssh(host, address, port):
    return host.run("ssh", "-F", "/dev/null", "-o", "BatchMode=yes", "-o", "ConnectTimeout=2",
                    "-o", "StrictHostKeyChecking=no", "-o", "UserKnownHostsFile=/dev/null",
                    "-p", str(port), f"nobody@{address}", check=False, timeout=20)


def of_http(net, host, address):
    requests = {"GET": (), "HEAD": ("-I",), "POST": ("-d", "a=b"), "PUT": ("-T", "/etc/hostname"),
                "OPTIONS *": ("-X", "OPTIONS", "--request-target", "*"),
                "PROPFIND": ("-X", "PROPFIND"), "PATCH": ("-X", "PATCH", "-d", "a"),
                "by a proxy": ("--proxy", f"http://{shown(address)}:5228", "--noproxy", ""),
                "CONNECT": ("--proxy", f"http://{shown(address)}:5228", "--noproxy", "", "-p"),
                "HTTP/2": ("--http2-prior-knowledge",)}
    for name, options in requests.items():
        is_of(net, "http", 1, f"{name} to {address}",
              lambda: curl(host, address, 5228, options=options, timeout=3))


def shown(address):
    return f"[{address}]" if ":" in address else address


def test_apps(network):
    """app: each app matches the bytes of its own clients, on any port, and no others"""
    needs("curl", "dig", "ssh", "openssl")
    net = network(tcp=(), udp=())
    net.add(Web(net.origin, (5228,)))
    net.add(Web(net.origin, (853,), certificate(net.origin, net.directory)))
    net.add(Names(net.origin))
    net.add(Mirror(net.origin))
    Policy(net, "version: 1\n" + COUNTING).up()
    for host, address in each(net):
        of_http(net, host, address)
        for options in ("-k",), ("-k", "--tls-max", "1.2"), ("-k", "--http1.1", "--tlsv1.3"):
            is_of(net, "tls", 1, f"curl {options}", lambda: answered(
                curl(host, address, 853, scheme="https", options=options), "origin"))
        is_of(net, "dns", 1, "dig by UDP", lambda: answered(dig(host, address), "origin"))
        is_of(net, "dns", 1, "dig by TCP",
              lambda: answered(dig(host, address, "+tcp"), "origin"))
        is_of(net, "dns", 1, "dig without EDNS",
              lambda: answered(dig(host, address, "+noedns", "+norecurse", "+cdflag"), "origin"))
        is_of(net, "dns", 1, "dig for the root",
              lambda: answered(dig(host, address, name=".", kind="NS"), "origin"))
        is_of(net, "ssh", 1, "ssh", lambda: ssh(host, address, 8080))


def says(host, proto, address, port, *pieces):
    with Talk(host, proto, address, port) as talk:
        for piece in pieces:
            talk.passes(piece)


def test_built():
    """app: quic and bittorrent by their specifications, and similar data is no match"""
    with network(COUNTING) as net:
        for host, address in each(net):
            for app, proto, data in (
                    ("quic", "udp", initial()), ("quic", "udp", initial(2)),
                    ("quic", "udp", initial(length=1350)), ("bittorrent", "tcp", HANDSHAKE),
                    ("bittorrent", "udp", TRACKER), *(("bittorrent", "udp", data) for data in DHT)):
                for port in 80, 5000:
                    is_of(net, app, 1, f"{data[:20]} to {port}",
                          lambda: says(host, proto, address, port, data))
            is_of(net, "bittorrent", 2, "a flow of datagrams",
                  lambda: says(host, "udp", address, 80, DHT[0], b"something", DHT[1]))
            for proto, data in LOOKALIKES:
                is_of(net, None, 0, f"{data[:30]} by {proto}",
                      lambda: says(host, proto, address, 80, data))


QUERY = bytes.fromhex("1234 0100 0001 0000 0000 0000 01 61 02 62 63 00 0001 0001")
LOOKALIKES = [
    ("tcp", b"hello"), ("tcp", b"GET"), ("tcp", b"GET key\r\n"), ("tcp", b"get / HTTP/1.1\r\n"),
    ("tcp", b"OPTIONS sip:a@b.example SIP/2.0\r\n"), ("tcp", b"OPTIONS * RTSP/2.0\r\n"),
    ("tcp", b"PRI * HTTP/1.1\r\n\r\nSM\r\n\r\n"), ("tcp", b"HTTP/1.1 200 OK\r\n"),
    ("udp", b"GET / HTTP/1.1\r\n"), ("udp", b"SSH-2.0-x"), ("udp", HANDSHAKE), ("tcp", b"SSH-3.0-x"),
    ("tcp", bytes.fromhex("160301 0200 02 0001fc 0303") + bytes(40)),  # a ServerHello
    ("tcp", bytes.fromhex("170303 0200 01 0001fc 0303") + bytes(40)),  # data
    ("tcp", bytes.fromhex("160301 0200 01 0001fc 03")),  # cut too early
    ("udp", bytes.fromhex("160301 0200 01 0001fc 0303") + bytes(40)),
    ("udp", initial(length=1199)), ("udp", initial(0)), ("udp", initial(3)), ("udp", initial(1, 1)),
    ("udp", initial(2, -1)), ("tcp", initial()), ("udp", b"\x43" + bytes(1199)),
    ("udp", QUERY[:16]), ("udp", QUERY[:2] + b"\x81" + QUERY[3:]),  # an answer
    ("udp", QUERY[:2] + b"\x29" + QUERY[3:]),  # an update
    ("udp", QUERY[:5] + b"\x02" + QUERY[6:]), ("udp", bytes(48)),
    ("udp", b"\x23" + bytes(47)), ("tcp", QUERY), ("udp", b"\0\x14" + QUERY),  # time; the other form
    ("tcp", TRACKER), ("udp", TRACKER[:-1]), ("udp", TRACKER[:8] + b"\0\0\0\x01" + TRACKER[12:]),
    ("tcp", DHT[0]), ("udp", b"d1:q4:ping"),
]


def test_rejected(network):
    """app: a rejected client gets an error, and the same port works for others"""
    needs("curl", "dig", "ssh", "openssl")
    net = network(tcp=(), udp=())
    net.add(Web(net.origin, (443,), certificate(net.origin, net.directory)))
    net.add(Web(net.origin, (8080,)))
    net.add(Names(net.origin))
    net.add(Mirror(net.origin, (80, 5000), (443, 5000)))
    Policy(net, """version: 1
rules:
  - {scope: both, app: [http, ssh], then: reject}
  - {scope: both, app: tls, port: 5000-6000, then: {reject: tcp-reset}}
  - {scope: both, app: dns, proto: udp, then: reject}
  - {scope: both, app: {not: [quic, dns]}, proto: udp, port: 443, then: drop}
  - {scope: both, app: bittorrent, then: drop}
""").up()
    for host, address in each(net):
        assert curl(host, address, 8080).kind == "reset", "curl"
        assert curl(host, address, 80, options=("--http2-prior-knowledge",)).kind == "reset", "HTTP/2"
        answered(curl(host, address, 443, scheme="https", options=("-k",)), "origin")
        assert curl(host, address, 5000, scheme="https", options=("-k",)).kind == "error 35", "a reset handshake"
        done = ssh(host, address, 80)
        assert "reset by" in done.stderr, done.stderr
        assert dig(host, address).kind in ("refused", "silence"), "dig was answered"
        answered(dig(host, address, "+tcp"), "origin")
        with Talk(host, "tcp", address, 80) as talk:
            talk.passes("something else")
        with Talk(host, "tcp", address, 5000) as talk:
            talk.cut(HANDSHAKE, "silence", timeout=0.3)
        with Talk(host, "udp", address, 443) as talk:
            talk.passes(initial())
            talk.cut(b"a short header", "silence", "prohibited", timeout=0.3)
            talk.cut(b"", "silence", "prohibited", timeout=0.3)


def test_ways():
    """app: over UDP the first datagram chooses the way, and the flow keeps it"""
    with network(f"""listeners: {{proxy: {{tproxy: 12345, protocols: udp}}}}
tables: {{mobile: {MOBILE}}}
rules:
  - {{app: quic, then: {{proxy: proxy}}}}
  - {{app: bittorrent, proto: udp, then: {{route: mobile}}}}
  - {{payload: {{starts_with: mark}}, proto: udp, then: {{mark: {{value: 0x100, mask: 0x100}}}}}}
  - {{app: {{not: dns}}, proto: udp, port: 8080, then: drop}}
""", ("wan0", "wan1")) as net:
        listener = net.listener()
        for version in FAMILIES:
            for data, who in ((initial(), "proxy"), (initial(2), "proxy"), (DHT[0], "mobile"),
                              (b"hello", "origin"), (initial(length=1199), "origin")):
                for more in b"\x43 more", initial(), DHT[1], b"hello":
                    way_kept(net, version, data, more, who)
            with Talk(net.client, "udp", FOREIGN[version], 8080) as talk:
                talk.passes(QUERY)
                talk.cut(b"another", "silence", timeout=0.3)
        assert len(listener.seen) >= 2 * 2 * 4


def way_kept(net, version, data, more, who):
    """Both datagrams of a flow go to the same."""
    sniffers = {name: net.hosts[name] for name in ("origin", "mobile")}
    seen = {name: probe.Sniffer(host, "eth0") for name, host in sniffers.items()}
    with Talk(net.client, "udp", FOREIGN[version], 5000) as talk:
        talk.say(data)
        talk.say(more)
    found = {name: sum(packet[4] == 5000 for packet in sniffer.packets())
             for name, sniffer in seen.items()}
    for sniffer in seen.values():
        sniffer.close()
    wanted = {"origin": 0, "mobile": 0}
    if who != "proxy":
        wanted[who] = 2
    assert found == wanted, f"where {data[:12]}, {more[:12]} went over IPv{version}"
