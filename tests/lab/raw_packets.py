"""raw: single packets as bytes, with their sums, and how a host sends them."""

import contextlib
import socket
import struct

PROTOCOLS = {"tcp": socket.IPPROTO_TCP, "udp": socket.IPPROTO_UDP}
SYN, ACK = 2, 16  # flags of TCP


def checksum(data):
    """RFC 1071."""
    total = sum(struct.unpack(f"!{len(data) // 2}H", data))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return struct.pack("!H", ~total & 0xFFFF)


def _transport(proto, port, sport, flags):
    """A header with what it carries, and where its sum stands."""
    if proto == "udp":
        return struct.pack("!HHHH", sport, port, 14, 0) + b"hello\n", 6
    return struct.pack("!HHIIBBHHH", sport, port, 1, 0, 5 << 4, flags, 65535, 0, 0), 16


def packet(proto, source, dest, port, sport=40000, flags=SYN):
    """A UDP datagram, or a TCP segment without data: what begins a connection, unless flags say otherwise."""
    version = 6 if ":" in dest else 4
    family = socket.AF_INET6 if version == 6 else socket.AF_INET
    ends = socket.inet_pton(family, source) + socket.inet_pton(family, dest)
    body, place = _transport(proto, port, sport, flags)
    number = PROTOCOLS[proto]
    total = checksum(ends + struct.pack("!HH", number, len(body)) + body)
    body = body[:place] + total + body[place + 2:]
    if version == 6:
        return struct.pack("!IHBB", 6 << 28, len(body), number, 64) + ends + body
    head = struct.pack("!BBHHHBBH", 0x45, 0, 20 + len(body), 1, 0, 64, number, 0) + ends
    return head[:10] + checksum(head) + head[12:] + body


def send(host, *words, **more):
    """One packet(), and not one more: no socket of the host's knows of it. A rule may drop it here."""
    dest = words[2]
    family = socket.AF_INET6 if ":" in dest else socket.AF_INET
    with host, socket.socket(family, socket.SOCK_RAW, socket.IPPROTO_RAW) as sock:
        with contextlib.suppress(PermissionError):
            sock.sendto(packet(*words, **more), (dest, 0))
