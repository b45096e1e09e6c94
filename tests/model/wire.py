"""wire: packets as bytes, and bytes as what they say.

A Packet is the first of a connection, with its number where routers leave it alone: in the low ten
bits of IPv4's identification or of IPv6's flow label. The six bits above them name the mark that
the router gives it before the policy meets it (see world.py). shown() is the packet in the words of
`tpc explain`.
"""

import ipaddress
import socket
import struct
from dataclasses import dataclass, field

TCP, UDP, ICMP, ICMPV6, SCTP, GRE = 6, 17, 1, 58, 132, 47
NUMBERS = 1 << 10  # packets that can be told apart
NAMES = {TCP: "tcp", UDP: "udp", ICMP: "icmp", ICMPV6: "icmpv6", SCTP: "sctp", GRE: "gre", 50: "esp"}
WITH_PORTS = (TCP, UDP, SCTP)
SYN, RST, ACK = 2, 4, 16
# An SCTP INIT behind the ports: tag, checksum (nobody looks), and one chunk of 20 bytes.
SCTP_INIT = struct.pack("!IIBBHIIHHI", 0, 0, 1, 0, 20, 7, 65535, 1, 1, 1)
# Of others, enough to be translated.
HEADERS = {TCP: 20, UDP: 8, ICMP: 8, ICMPV6: 8, SCTP: 4 + len(SCTP_INIT)}
LEAST_HEADER = 8
# IPv6 takes these for headers of its own, with more behind them.
NOT_LAST_IN_IPV6 = (0, 43, 44, 51, 59, 60, 135, 139, 140)


@dataclass
class Packet:
    family: int
    source: int
    to: int
    protocol: int
    local: bool = False      # sent by the router itself
    iface: str = ""          # by which it comes
    sport: int = 0
    port: int = 0
    mac: int = 0x020000000001
    dscp: int = 0
    ecn: int = 0
    ttl: int = 64
    mark: int = 0
    user: int = 0
    group: int = 0
    cgroup: str = ""
    flags: int = SYN         # of TCP
    payload: bytes = b""
    app: str = ""            # whose first bytes the payload is
    out: str = ""            # by which it would leave without a policy
    place: str = ""          # "local" or "broadcast": what the router takes the destination for
    tags: set = field(default_factory=set)  # for the counts: which keys of a rule it was made for

    @property
    def length(self):
        return (20 if self.family == 4 else 40) + HEADERS.get(self.protocol, LEAST_HEADER) + len(self.payload)

    @property
    def flow(self):
        return self.protocol, self.source, self.sport, self.to, self.port


def address(family, bits):
    return str(ipaddress.IPv4Address(bits) if family == 4 else ipaddress.IPv6Address(bits))


def number(text):
    return int(ipaddress.ip_address(text))


def _sum(data):
    if len(data) & 1:
        data += b"\0"
    total = sum(struct.unpack(f"!{len(data) // 2}H", data))
    total = (total & 0xFFFF) + (total >> 16)
    return 0xFFFF & ~((total & 0xFFFF) + (total >> 16))


def _transport(packet, ends):
    """What stands behind the IP header."""
    protocol, data = packet.protocol, packet.payload
    size = HEADERS.get(protocol, LEAST_HEADER) + len(data)
    pseudo = ends + struct.pack("!IHBB", size, 0, 0, protocol)
    if protocol == TCP:
        head = struct.pack("!HHIIBBHHH", packet.sport, packet.port, 1000, 0, 0x50, packet.flags, 65000, 0, 0)
        check = _sum(pseudo + head + data)
        return head[:16] + struct.pack("!H", check) + head[18:] + data
    if protocol == UDP:
        head = struct.pack("!HHHH", packet.sport, packet.port, size, 0)
        return head[:6] + struct.pack("!H", _sum(pseudo + head + data) or 0xFFFF) + data
    if protocol in (ICMP, ICMPV6):
        head = struct.pack("!BBHHH", 8 if protocol == ICMP else 128, 0, 0, packet.sport, 1)
        check = _sum((pseudo if protocol == ICMPV6 else b"") + head + data)
        return head[:2] + struct.pack("!H", check) + head[4:] + data
    if protocol == SCTP:
        return struct.pack("!HH", packet.sport, packet.port) + SCTP_INIT + data
    # The kernel refuses nobody whose bytes do not sum up, whatever the protocol.
    head = struct.pack("!HHI", 0, 0x0800 if protocol == GRE else 1, 0)
    check = _sum((pseudo if packet.family == 6 else b"") + head + data)
    return head[:4] + struct.pack("!H", check) + head[6:] + data


def built(packet, identification):
    """From the IP header on."""
    if packet.family == 4:
        ends = struct.pack("!II", packet.source, packet.to)
        body = _transport(packet, ends)
        head = struct.pack("!BBHHHBBH", 0x45, packet.dscp << 2 | packet.ecn, 20 + len(body), identification,
                           0, packet.ttl, packet.protocol, 0) + ends
        return head[:10] + struct.pack("!H", _sum(head)) + head[12:] + body
    ends = packet.source.to_bytes(16, "big") + packet.to.to_bytes(16, "big")
    body = _transport(packet, ends)
    first = 6 << 28 | packet.dscp << 22 | packet.ecn << 20 | identification
    return struct.pack("!IHBB", first, len(body), packet.protocol, packet.ttl) + ends + body


def framed(packet, identification, router_mac):
    kind = 0x0800 if packet.family == 4 else 0x86DD
    return router_mac + packet.mac.to_bytes(6, "big") + struct.pack("!H", kind) \
        + built(packet, identification)


# ---- reading ----

@dataclass
class Seen:
    """A packet on the router, as far as its first bytes tell."""
    family: int
    number: int
    protocol: int
    source: int
    to: int
    sport: int = 0
    port: int = 0
    flags: int = 0        # of TCP; ICMP's type
    ttl: int = 0
    error: tuple = ()     # (type, code) of an ICMP error
    about: "Seen" = None  # the packet that the error is about

    @property
    def flow(self):
        return self.protocol, self.source, self.sport, self.to, self.port

    @property
    def back(self):
        return self.protocol, self.to, self.port, self.source, self.sport


def read(data):
    if data[0] >> 4 == 4:
        protocol, source, to = data[9], *struct.unpack_from("!II", data, 12)
        seen = Seen(4, struct.unpack_from("!H", data, 4)[0] % NUMBERS, protocol, source, to,
                    ttl=data[8])
        at = (data[0] & 15) * 4
    else:
        seen = Seen(6, struct.unpack_from("!H", data, 2)[0] % NUMBERS, data[6],
                    int.from_bytes(data[8:24], "big"), int.from_bytes(data[24:40], "big"),
                    ttl=data[7])
        protocol, at = seen.protocol, 40
    if protocol in WITH_PORTS and len(data) >= at + 4:
        seen.sport, seen.port = struct.unpack_from("!HH", data, at)
        if protocol == TCP and len(data) > at + 13:
            seen.flags = data[at + 13]
    elif protocol in (ICMP, ICMPV6) and len(data) >= at + 8:
        kind = data[at]
        if kind in ((3, 11) if protocol == ICMP else (1, 3)):
            seen.error = kind, data[at + 1]
            seen.about = read(data[at + 8:])
        else:
            seen.sport, seen.flags = struct.unpack_from("!H", data, at + 4)[0], kind
    return seen


def family(number_):
    return socket.AF_INET if number_ == 4 else socket.AF_INET6
