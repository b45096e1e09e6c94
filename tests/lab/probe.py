"""Probes and listeners: real sockets on the hosts of a network.

A probe is a client that connects, or sends a datagram, and says what came of it (Outcome). An Echo
is an ordinary host that answers everyone and says who asked whom. A Listener is a local proxy: it
waits for what TPROXY, REDIRECT or DNAT bring it and says where the connection was meant to go. All
servers of a process share one thread.
"""

import contextlib
import ctypes
import errno
import os
import re
import selectors
import socket
import struct
import threading
import time
import traceback
from dataclasses import dataclass

# Socket options as (level, option) of IPv4 and of IPv6 (linux/in.h, linux/in6.h).
OPTIONS = {name: ((socket.IPPROTO_IP, four), (socket.IPPROTO_IPV6, six)) for name, four, six in (
    ("RECVERR", 11, 25), ("TRANSPARENT", 19, 75), ("FREEBIND", 15, 78), ("ORIGDSTADDR", 20, 74),
    ("TOS", 1, 67), ("TTL", 2, 16), ("PKTINFO", 8, socket.IPV6_PKTINFO), ("RECVPKTINFO", 8, socket.IPV6_RECVPKTINFO))}
SO_ORIGINAL_DST = IP6T_SO_ORIGINAL_DST = 80
SO_MARK = 36
SOCKETS = {"tcp": socket.SOCK_STREAM, "udp": socket.SOCK_DGRAM}
SYS_SETFSUID, SYS_SETFSGID = (122, 123) if os.uname().machine == "x86_64" else (151, 152)

_libc = ctypes.CDLL(None, use_errno=True)


def family_of(address):
    return socket.AF_INET6 if ":" in address else socket.AF_INET


def option(name, family):
    return OPTIONS[name][family == socket.AF_INET6]


def turn_on(sock, name, value=1):
    sock.setsockopt(*option(name, sock.family), value)


def plain(address):
    return address.removeprefix("::ffff:").split("%")[0]


def place(sockaddr):
    """An address and port as a person writes them."""
    address = plain(sockaddr[0])
    return f"[{address}]:{sockaddr[1]}" if ":" in address else f"{address}:{sockaddr[1]}"


# ---- who sends ----

@dataclass(frozen=True)
class Identity:
    """As whom a socket is opened: what `runs_as` knows a proxy by."""
    user: int = 0
    group: int = 0
    mark: int = 0
    cgroup: str = ""

    @contextlib.contextmanager
    def assumed(self):
        """
        The kernel notes the thread's file system ids in a socket; a thread may change its own
        alone.
        """
        for call, value in ((SYS_SETFSGID, self.group), (SYS_SETFSUID, self.user)):
            _libc.syscall(call, value)
            if _libc.syscall(call, -1) != value:
                raise OSError(errno.EPERM, f"cannot take on id {value}")
        try:
            yield
        finally:
            _libc.syscall(SYS_SETFSUID, 0)
            _libc.syscall(SYS_SETFSGID, 0)

    def open(self, host, family, kind):
        with host:
            if self.cgroup:
                sock = _open_in_cgroup(self.cgroup, family, kind)
            else:
                with self.assumed():
                    sock = socket.socket(family, kind)
        if self.mark:
            sock.setsockopt(socket.SOL_SOCKET, SO_MARK, self.mark)
        return sock


def _open_in_cgroup(path, family, kind):
    """
    A socket belongs to the control group of the process that made it: a child makes it and hands it
    back.
    """
    here, there = socket.socketpair()
    child = os.fork()
    if child == 0:
        try:
            with open(os.path.join(path, "cgroup.procs"), "w") as file:
                file.write("0")
            sock = socket.socket(family, kind)
            socket.send_fds(there, [b"x"], [sock.fileno()])
        finally:
            os._exit(0)
    there.close()
    _, fds, _, _ = socket.recv_fds(here, 1, 1)
    here.close()
    os.waitpid(child, 0)
    if not fds:
        raise OSError(errno.EPERM, f"cannot enter {path}")
    return socket.socket(fileno=fds[0])


NOBODY_SPECIAL = Identity()


# ---- clients ----

SENTENCE = re.compile(
    r"^(?:(\S+) answers|Intercepted connection from) (\S+?)(?: at | destined for )(\S+)")


@dataclass
class Outcome:
    """What came of a probe: kind is answer, reset, refused, unreachable, prohibited or silence."""
    kind: str
    text: str = ""
    took: float = 0.0
    source: str = ""

    def _word(self, group):
        found = SENTENCE.search(self.text)
        return (found.group(group) or "proxy") if found else None

    who = property(lambda self: self._word(1))   # the host that answered, or "proxy"
    peer = property(lambda self: self._word(2))  # whom it saw, address:port
    dest = property(lambda self: self._word(3))  # where it thinks it was asked

    @property
    def peer_address(self):
        return self.peer and self.peer.rsplit(":", 1)[0].strip("[]")

    def __str__(self):
        said = f": {self.text.strip()}" if self.text else ""
        return f"{self.kind}{said} after {self.took * 1000:.0f} ms"


KINDS = {errno.ECONNREFUSED: "refused", errno.ECONNRESET: "reset",
         errno.EHOSTUNREACH: "unreachable", errno.ENETUNREACH: "unreachable",
         errno.EACCES: "prohibited", errno.EPERM: "prohibited",
         errno.ETIMEDOUT: "silence", errno.EINVAL: "prohibited", errno.EADDRNOTAVAIL: "unreachable"}


# A test may leave a host few ports.
PORT_TRIES = 100


def _connect(sock, proto, to, timeout, source, fields):
    """Sets the socket up; UDP sends nothing for that."""
    sock.settimeout(timeout)
    for name, value in fields.items():
        turn_on(sock, name, value)
    if proto == "udp":
        turn_on(sock, "RECVERR")
    if source:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        turn_on(sock, "FREEBIND")
        sock.bind(source if isinstance(source, tuple) else (source, 0))
    sock.connect(to)


def ask(host, proto, address, port, timeout=3.0, source=None, identity=NOBODY_SPECIAL,
        data=b"hello\n", **fields):
    """
    Connects (or sends a datagram) from `host` and reads the answer. `fields` are the header's: TOS (the
    whole byte), TTL. Without a `source` no two datagrams of a host's come from one port: the later one would
    be of the earlier one's connection, and go its way.
    """
    family = family_of(address)
    sock = identity.open(host, family, SOCKETS[proto])
    began = time.monotonic()
    outcome = Outcome("silence")
    try:
        _connect(sock, proto, (address, port), timeout, source, fields)
        for _ in range(PORT_TRIES):
            if proto != "udp" or source or sock.getsockname()[1] not in host.ports:
                break
            sock.close()
            sock = identity.open(host, family, SOCKETS[proto])
            _connect(sock, proto, (address, port), timeout, source, fields)
        if proto == "udp":
            host.ports.add(sock.getsockname()[1])
        sock.sendall(data)
        outcome.source = place(sock.getsockname())
        outcome.text = _read(sock, proto)
        outcome.kind = "answer" if outcome.text else "closed"
    except TimeoutError:
        pass
    except OSError as error:
        outcome.kind, outcome.text = KINDS.get(error.errno, "error"), os.strerror(error.errno or 0)
    finally:
        outcome.took = time.monotonic() - began
        sock.close()
    return outcome


def _read(sock, proto):
    if proto == "udp":
        return sock.recv(2048).decode()
    text = b""
    while block := sock.recv(2048):
        text += block
    return text.decode()


def ping(host, address, timeout=1.0):
    """Who answers an echo request, or "" when no host does."""
    with Pings(host, address, timeout) as row:
        return row.ask()


class Pings:
    """Echo requests of one socket, which are one connection."""

    def __init__(self, host, address, timeout=1.0):
        family = family_of(address)
        self.address, self.type = address, 128 if family == socket.AF_INET6 else 8
        with host:
            self.sock = socket.socket(family, socket.SOCK_DGRAM, socket.IPPROTO_ICMPV6 if self.type == 128
                                      else socket.IPPROTO_ICMP)
        self.sock.settimeout(timeout)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def close(self):
        self.sock.close()

    def ask(self):
        try:
            self.sock.sendto(bytes([self.type, 0, 0, 0, 0, 1, 0, 1]) + b"hello", (self.address, 0))
            return plain(self.sock.recvfrom(100)[1][0])
        except OSError:
            return ""


# ---- the thread that serves ----

class Engine:
    """One thread that calls back when a socket has something to read."""

    def __init__(self):
        self.selector = selectors.DefaultSelector()
        self.lock = threading.RLock()  # callbacks, which hold it, may add and drop too
        threading.Thread(target=self._serve, daemon=True).start()

    def _serve(self):
        while True:
            ready = self.selector.select(0.5)
            with self.lock:
                for key, _ in ready:
                    if self._has(key.fileobj):
                        self._call(key.data)

    def _has(self, sock):
        """A closed socket is none of the selector's, which raises an error when it is asked for one."""
        return sock.fileno() >= 0 and sock in self.selector.get_map()

    @staticmethod
    def _call(callback):
        """Whatever goes wrong in one server, the others still answer."""
        try:
            callback()
        except Exception:
            traceback.print_exc()

    def add(self, sock, callback):
        with self.lock:
            self.selector.register(sock, selectors.EVENT_READ, callback)

    def drop(self, sockets):
        with self.lock:
            for sock in sockets:
                if self._has(sock):
                    self.selector.unregister(sock)
                sock.close()


_engine = None


def engine():
    global _engine
    _engine = _engine or Engine()
    return _engine


class Server:
    """Sockets on a host and what is done with each that has news."""

    def __init__(self, host, identity=NOBODY_SPECIAL):
        self.host, self.identity, self.sockets = host, identity, []

    def listen(self, proto, address, port, options=()):
        family = family_of(address)
        sock = self.identity.open(self.host, family, SOCKETS[proto])
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if family == socket.AF_INET6:
            sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
            turn_on(sock, "FREEBIND")  # to answer from any address that was asked
        for name in options:
            turn_on(sock, name)
        sock.bind((address, port))
        if proto == "tcp":
            sock.listen(64)
        sock.setblocking(False)
        self.sockets.append(sock)
        engine().add(sock, lambda: self._news(proto, sock))

    def _news(self, proto, sock):
        with contextlib.suppress(OSError):
            if proto == "tcp":
                with self.identity.assumed():
                    child, peer = sock.accept()
                self.on_stream(child, peer)
            else:
                self.on_datagram(sock)

    def close(self):
        engine().drop(self.sockets)
        self.sockets = []


def finish(sock, text):
    """Sends all, then closes in order: data that nobody read would turn the close into a reset."""
    with contextlib.suppress(OSError):
        sock.setblocking(False)
        sock.sendall(text.encode())
        sock.shutdown(socket.SHUT_WR)

    def drain():
        with contextlib.suppress(BlockingIOError):
            try:
                gone = not sock.recv(4096)
            except BlockingIOError:
                raise
            except OSError:
                gone = True
            if gone:
                engine().drop([sock])
    engine().add(sock, drain)


class Echo(Server):
    """An ordinary host: `HOST answers PEER at DEST` to everyone, on every port given."""

    def __init__(self, host, tcp=(), udp=(), identity=NOBODY_SPECIAL, name=None,
                 addresses=("0.0.0.0", "::")):
        super().__init__(host, identity)
        self.name, self.seen = name or host.name, []
        for address in addresses:
            for port in tcp:
                self.listen("tcp", address, port)
            for port in udp:
                self.listen("udp", address, port, ["RECVPKTINFO"])

    def _line(self, peer, dest):
        self.seen.append((place(peer), place(dest)))
        return f"{self.name} answers {place(peer)} at {place(dest)}\n"

    def on_stream(self, child, peer):
        finish(child, self._line(peer, child.getsockname()))

    def on_datagram(self, sock):
        data, ancillary, _, peer = sock.recvmsg(4096, 256)
        dest = _addressed_to(ancillary)
        text = self._line(peer, (dest, sock.getsockname()[1]))
        sock.sendmsg([self.datagram(data, text)], [_answer_from(dest)], 0, peer)

    @staticmethod
    def datagram(_, text):
        """The answer to a datagram."""
        return text.encode()


def _addressed_to(ancillary):
    for level, kind, data in ancillary:
        if (level, kind) == OPTIONS["PKTINFO"][0]:
            return socket.inet_ntoa(data[8:12])
        if (level, kind) == OPTIONS["PKTINFO"][1]:
            return socket.inet_ntop(socket.AF_INET6, data[:16])
    raise OSError(errno.EINVAL, "no destination address with the datagram")


def _answer_from(address):
    family = family_of(address)
    packed = socket.inet_pton(family, address)
    if family == socket.AF_INET6:
        return *option("PKTINFO", family), packed + struct.pack("@I", 0)
    return *option("PKTINFO", family), struct.pack("@I4s4s", 0, packed, b"\0" * 4)


class Listener(Server):
    """
    A local proxy: `Intercepted connection from PEER destined for DEST`. mode is tproxy, redirect or
    dnat. With onward it then connects to DEST itself, as its own identity (and, with spoof, from
    the client's address), and passes the answer on.
    """

    def __init__(self, host, port, mode="tproxy", protocols=("tcp", "udp"),
                 addresses=("127.0.0.1", "::1"), identity=NOBODY_SPECIAL, onward=False,
                 spoof=False):
        super().__init__(host, identity)
        self.mode, self.onward, self.spoof, self.seen = mode, onward, spoof, []
        for address in addresses:
            for proto in protocols:
                self.listen(proto, address, port, self._options(proto))

    def _options(self, proto):
        if self.mode != "tproxy":
            return ["RECVPKTINFO"] if proto == "udp" else []
        return ["TRANSPARENT", "ORIGDSTADDR"] if proto == "udp" else ["TRANSPARENT"]

    def _line(self, proto, peer, dest):
        self.seen.append((proto, place(peer), place(dest)))
        return f"Intercepted connection from {place(peer)} destined for {place(dest)}\n"

    def on_stream(self, child, peer):
        dest = child.getsockname()
        if self.mode == "redirect":
            dest = original_destination(child)
        text = self._line("tcp", peer, dest)
        if self.onward:
            _aside(lambda: finish(child, text + self._fetch("tcp", peer, dest)))
        else:
            finish(child, text)

    def _fetch(self, proto, peer, dest):
        if len(self.seen) > 20:
            return "loop\n"
        family = family_of(dest[0])
        with self.identity.open(self.host, family, SOCKETS[proto]) as sock:
            try:
                sock.settimeout(2)
                if self.spoof:
                    turn_on(sock, "TRANSPARENT")
                    sock.bind((peer[0], 0))
                sock.connect(dest[:2])
                sock.sendall(b"hello from the proxy\n")
                return "and " + _read(sock, proto)
            except OSError as error:
                return f"and nothing: {error}\n"

    def on_datagram(self, sock):
        data, ancillary, _, peer = sock.recvmsg(4096, 256)
        if self.mode != "tproxy":
            dest = (_addressed_to(ancillary), sock.getsockname()[1])
            text = self._line("udp", peer, dest)
            sock.sendmsg([text.encode()], [_answer_from(dest[0])], 0, peer)
            return
        dest = _datagram_destination(ancillary)
        text = self._line("udp", peer, dest)
        if self.onward:
            _aside(lambda: self._answer(peer, dest, text + self._fetch("udp", peer, dest)))
        else:
            self._answer(peer, dest, text)

    def _answer(self, peer, dest, text):
        """Answers from the address that was asked, which is not one of ours."""
        family = family_of(dest[0])
        with self.identity.open(self.host, family, socket.SOCK_DGRAM) as back:
            back.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            turn_on(back, "TRANSPARENT")
            back.bind(dest)
            back.sendto(text.encode(), peer)


def _aside(work):
    """A proxy's way onward takes time; the serving thread goes on meanwhile."""
    threading.Thread(target=work, daemon=True).start()


def original_destination(sock):
    """Where a redirected connection was meant to go, as conntrack remembers it."""
    if sock.family == socket.AF_INET6:
        data = sock.getsockopt(socket.IPPROTO_IPV6, IP6T_SO_ORIGINAL_DST, 28)
        return socket.inet_ntop(socket.AF_INET6, data[8:24]), struct.unpack("!H", data[2:4])[0]
    data = sock.getsockopt(socket.IPPROTO_IP, SO_ORIGINAL_DST, 16)
    return socket.inet_ntoa(data[4:8]), struct.unpack("!H", data[2:4])[0]


def _datagram_destination(ancillary):
    for level, kind, data in ancillary:
        if (level, kind) == OPTIONS["ORIGDSTADDR"][0]:
            return socket.inet_ntoa(data[4:8]), struct.unpack("!H", data[2:4])[0]
        if (level, kind) == OPTIONS["ORIGDSTADDR"][1]:
            return socket.inet_ntop(socket.AF_INET6, data[8:24]), struct.unpack("!H", data[2:4])[0]
    raise OSError(errno.EINVAL, "no original destination with the datagram")


# ---- who watches ----

CHATTER = (*range(130, 138), 143)  # ICMPv6: multicast listeners, routers, neighbours


class Sniffer:
    """
    Every IP packet that comes in by one interface of a host, or by any ("", also one that is made later),
    neighbour discovery and router chatter left out.
    """

    def __init__(self, host, device):
        with host:
            self.sock = socket.socket(socket.AF_PACKET, socket.SOCK_DGRAM, socket.htons(3))
            self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 8 << 20)
            if device:
                self.sock.bind((device, 3))
        self.sock.setblocking(False)

    def packets(self):
        """
        What came since the last call: (protocol number, source, destination, source port, port, TCP
        flags).
        """
        found = []
        while True:
            try:
                data, (_, ethertype, kind, _, _) = self.sock.recvfrom(2048)
            except BlockingIOError:
                return found
            packet = _dissect(ethertype, data) if kind != 4 else None  # 4: our own, going out
            if packet:
                found.append(packet)

    def wait(self, wanted=bool, seconds=5):
        """What came since the last call, when it is as wanted (anything), or after so many seconds."""
        packets, end = self.packets(), time.monotonic() + seconds
        while not wanted(packets) and time.monotonic() < end:
            time.sleep(0.005)
            packets += self.packets()
        return packets

    def close(self):
        self.sock.close()


def _dissect(ethertype, data):
    if ethertype == 0x0800:
        head, proto = (data[0] & 15) * 4, data[9]
        source, dest = socket.inet_ntoa(data[12:16]), socket.inet_ntoa(data[16:20])
        if proto == socket.IPPROTO_IGMP:
            return None
    elif ethertype == 0x86DD:
        head, proto = 40, data[6]
        source, dest = (socket.inet_ntop(socket.AF_INET6, data[at:at + 16]) for at in (8, 24))
        if proto == 0 or proto == socket.IPPROTO_ICMPV6 and data[40] in CHATTER:
            return None
    else:
        return None
    ports = (0, 0)
    if proto in (6, 17):
        ports = struct.unpack("!HH", data[head:head + 4])
    elif proto in (1, 58):  # of an ICMP message its type and code
        ports = data[head], data[head + 1]
    return (proto, source, dest, *ports, data[head + 13] if proto == 6 else 0)
