"""watch: what passes on the router, reported by the kernel (nflog), and what reaches its listeners.

Events gives (hook, mark, interface in, interface out, packet) of every packet that a hook of the
watching table has met. Listeners are real sockets: a UDP listener is read, a TCP listener is known
by the time to live of the answers that the kernel gives in its name.
"""

import contextlib
import socket
import struct

import probe
import wire

NEW_PACKET = 4 << 8  # NFNL_SUBSYS_ULOG, NFULNL_MSG_PACKET
HEADER, MARK, INDEV, OUTDEV, PAYLOAD = 1, 2, 4, 5, 9
HOOKS = ("prerouting", "input", "forward", "output", "postrouting")


class Events:
    def __init__(self, names, group):
        self.names = names  # of the interfaces, by index
        self.sock = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, 12)
        self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4 << 20)
        self.sock.setblocking(False)
        self._configure(group, 1, b"\x01")  # NFULA_CFG_CMD: bind
        self._configure(group, 2, struct.pack("!IBx", 256, 2))  # NFULA_CFG_MODE: copy packets

    def _configure(self, group, kind, value):
        value = struct.pack("=HH", 4 + len(value), kind) + value + b"\0" * (-len(value) % 4)
        self.sock.send(struct.pack("=IHHIIBBH", 20 + len(value), 4 << 8 | 1, 5, 1, 0, 0, 0,
                                   socket.htons(group)) + value)
        self.sock.setblocking(True)
        kind = 0
        while kind != 2:  # NLMSG_ERROR; packets may be told of before
            data = self.sock.recv(65536)
            kind, = struct.unpack_from("=H", data, 4)
        self.sock.setblocking(False)
        code = struct.unpack_from("=i", data, 16)[0]
        if code:
            raise OSError(-code, "nflog")

    def read(self):
        """All there are."""
        while True:
            try:
                data = self.sock.recv(65536)
            except BlockingIOError:
                return
            at = 0
            while at + 20 <= len(data):
                length, kind = struct.unpack_from("=IH", data, at)
                if kind == NEW_PACKET:
                    yield self._event(data, at + 20, at + length)
                at += (length + 3) & ~3

    def _event(self, data, at, end):
        mark, indev, outdev, hook, seen = 0, 0, 0, 0, None
        while at + 4 <= end:
            length, kind = struct.unpack_from("=HH", data, at)
            if kind == PAYLOAD:
                seen = wire.read(data[at + 4:at + length])
            elif kind == HEADER:
                hook = data[at + 6]
            elif kind == MARK:
                mark, = struct.unpack_from("!I", data, at + 4)
            elif kind == INDEV:
                indev, = struct.unpack_from("!I", data, at + 4)
            elif kind == OUTDEV:
                outdev, = struct.unpack_from("!I", data, at + 4)
            at += (length + 3) & ~3
        return HOOKS[hook], mark, self.names.get(indev, ""), self.names.get(outdev, ""), seen


class Listeners:
    """The sockets of one policy's listeners that are there; each answers TCP with its own TTL."""

    FIRST_TTL = 200

    def __init__(self, host):
        self.host, self.sockets, self.names = host, [], []

    def open(self, name, port, protocols, transparent, wildcard):
        ttl = self.FIRST_TTL + len(self.names)
        self.names.append(name)
        for version in 4, 6:
            address = {4: ("127.0.0.1", "0.0.0.0"), 6: ("::1", "::")}[version][wildcard]
            for protocol in protocols:
                sock = self._socket(version, protocol, ttl, transparent)
                sock.bind((address, port))
                if protocol == "tcp":
                    sock.listen(4096)
                self.sockets.append((sock, name, protocol))

    def _socket(self, version, protocol, ttl, transparent):
        with self.host:
            sock = socket.socket(wire.family(version), probe.SOCKETS[protocol])
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        sock.setblocking(False)
        if version == 6:
            sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        if transparent:
            probe.turn_on(sock, "TRANSPARENT")
        if protocol == "tcp":
            option = (socket.IPPROTO_IPV6, socket.IPV6_UNICAST_HOPS) if version == 6 \
                else (socket.IPPROTO_IP, socket.IP_TTL)
            sock.setsockopt(*option, ttl)
        return sock

    def datagrams(self):
        """(name, source, source port) of every datagram that has come."""
        for sock, name, protocol in self.sockets:
            while protocol == "udp":
                try:
                    _, peer = sock.recvfrom(64)
                except BlockingIOError:
                    break
                except OSError:
                    continue  # an error about an answer
                yield name, wire.number(peer[0].split("%")[0]), peer[1]

    def by_ttl(self, ttl):
        index = ttl - self.FIRST_TTL
        return self.names[index] if 0 <= index < len(self.names) else None

    def close(self):
        for sock, _, _ in self.sockets:
            with contextlib.suppress(OSError):
                sock.close()
        self.sockets, self.names = [], []
