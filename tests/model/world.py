"""world: a router with six links, and a host at the far end of each.

    lan0 10.10.10.1/24 fd00:10::1/64    lan1 10.11.0.1/24 fd00:11::1/64
    wan0 192.0.2.2/24 2001:db8:1::2/64 (default route)   wan1 198.51.100.2/24 2001:db8:2::2/64
    wg0 10.99.0.2/24 fd00:99::2/64      wg1 10.98.0.2/24 fd00:98::2/64

The router looks for no neighbours, and the far end answers nothing, so what is seen is what the
router alone does. A table of its own gives a packet, and its connection, the mark that its number names, before every
policy; another tells what passes, behind every policy: the hook, the mark, the interfaces, and the
packet's first bytes (nflog).
"""

import contextlib
import os
import socket
import struct

import pytest

import cgroups
import ns
import probe
import watch
import wire

LINKS = {  # interface: its address in each family, and the prefix that it is in
    "lan0": {4: ("10.10.10.1", 24), 6: ("fd00:10::1", 64)},
    "lan1": {4: ("10.11.0.1", 24), 6: ("fd00:11::1", 64)},
    "wan0": {4: ("192.0.2.2", 24), 6: ("2001:db8:1::2", 64)},
    "wan1": {4: ("198.51.100.2", 24), 6: ("2001:db8:2::2", 64)},
    "wg0": {4: ("10.99.0.2", 24), 6: ("fd00:99::2", 64)},
    "wg1": {4: ("10.98.0.2", 24), 6: ("fd00:98::2", 64)},
}
GATEWAYS = {"wan0": {4: "192.0.2.1", 6: "2001:db8:1::1"}, "wan1": {4: "198.51.100.1", 6: "2001:db8:2::1"}}
# What the main table knows besides: destination, interface.
MORE = (("203.0.113.192/26", "wan1"), ("2001:db8:113:8000::/49", "wan1"), ("10.50.0.0/16", "wg1"))
# The marks that packets may bring; the index stands in the packet's number.
MARKS = (0, 1, 2, 3, 4, 5, 7, 8, 0x10, 0x11, 0xFF, 0x100, 0x1FF, 0x200, 0x1000, 0x20000, 0x20001,
         0x10000, 0x40000, 0x80000, 0x800000, 0x80000000, 0x80000001, 0xFFFFFF)
GROUP = 7
# Control groups as policies name them here; for the first name stands one of a process' own.
SLICE = "model.slice"
SLICES = (f"{SLICE}/a", f"{SLICE}/a/b", f"{SLICE}/c")
SNAPLEN = 120
LAST_PROTOCOL = 253  # for experiments: RFC 3692


def router_mac(iface):
    return bytes((2, 0, 0, 0, 1, 1 + list(LINKS).index(iface)))


def _map(expression):
    """A single byte, whose upper six bits are the index: of two, nft 1.1 turns the order for the map."""
    pairs = ", ".join(f"{i << 2:#x} : {mark:#x}" for i, mark in enumerate(MARKS) if mark)
    return f"meta mark set {expression} & 0xfc map {{ {pairs} }}"


# The last packet of a run has no receiver, and no policy matches it.
TABLES = f"""
table inet model_marks {{
	chain prerouting {{
		type filter hook prerouting priority -300;
		meta l4proto {LAST_PROTOCOL} log group {GROUP} queue-threshold 1 drop
		iifname "lo" accept
		meta nfproto ipv4 {_map("@nh,32,8")}
		meta nfproto ipv6 {_map("@nh,16,8")}
	}}
	chain connections {{
		type filter hook prerouting priority -190;
		iifname != "lo" ct state new ct mark set meta mark
	}}
	chain connections_local {{
		type filter hook output priority -190;
		ct state new ct mark set meta mark
	}}
}}
table inet model_watch {{
	chain prerouting {{
		type filter hook prerouting priority 301;
		log group {GROUP} snaplen {SNAPLEN} queue-threshold 1
	}}
	chain input {{
		type filter hook input priority 300;
		log group {GROUP} snaplen {SNAPLEN} queue-threshold 1
	}}
	chain postrouting {{
		type filter hook postrouting priority 300;
		log group {GROUP} snaplen {SNAPLEN} queue-threshold 1
	}}
}}
"""


class World:
    """One router and its far end, until close(). `slice` is the control group that stands for SLICE."""

    def __init__(self, slice_=None):
        self.slice = slice_
        self.router, self.outside = ns.Host("router"), ns.Host("outside")
        for key, value in (("net.ipv6.conf.all.disable_ipv6", 1), ("net.ipv4.ip_forward", 0)):
            self.outside.sysctl(key, value)
        for iface in LINKS:
            self._link(iface)
        self._routes()
        for key, value in (
                ("net.ipv4.ip_forward", 1), ("net.ipv6.conf.all.forwarding", 1),
                ("net.netfilter.nf_conntrack_checksum", 0),
                ("net.netfilter.nf_conntrack_tcp_loose", 0), ("net.ipv4.icmp_msgs_per_sec", 1000000),
                ("net.ipv4.icmp_msgs_burst", 100000), ("net.ipv4.tcp_syncookies", 0),
                ("net.ipv4.tcp_max_syn_backlog", 4096), ("net.core.somaxconn", 4096)):
            self._sysctl(key, value)
        self.router.nft(TABLES)
        with self.router:
            self.index = {socket.if_nametoindex(name): name for name in (*LINKS, "lo")}
            self.events = watch.Events(self.index, GROUP)
            self.conntrack = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, 12)
        self.ports = {}
        with self.outside:
            for iface in LINKS:
                self.ports[iface] = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, 0)
                self.ports[iface].bind(("x" + iface, 0))
        self.raw = {}

    def _link(self, iface):
        mac = router_mac(iface).hex(":")
        self.router.ip("link set lo up\n" f"link add {iface} address {mac} arp off type veth "
                       f"peer name x{iface} netns {self.outside.path}\nlink set {iface} up\n" + "\n".join(
                           f"address add {address}/{length} dev {iface}{' nodad' if version == 6 else ''}"
                           for version, (address, length) in LINKS[iface].items()))
        self.outside.ip(f"link set x{iface} arp off up")

    def _routes(self):
        lines = {4: "", 6: ""}
        for version in lines:
            lines[version] = f"route add default via {GATEWAYS['wan0'][version]} dev wan0\n"
        for prefix, iface in MORE:
            lines[6 if ":" in prefix else 4] += f"route add {prefix} dev {iface}\n"
        for version, text in lines.items():
            self.router.ip(text, f"-{version}")

    def _sysctl(self, key, value):
        """As far as this kernel has it and this user may."""
        try:
            self.router.sysctl(key, value)
        except OSError:
            pass

    def forget(self):
        """No connection is known any more."""
        self.conntrack.send(struct.pack("=IHHIIBBH", 20, 1 << 8 | 2, 5, 1, 0, 0, 0, 0))
        code = struct.unpack_from("=i", self.conntrack.recv(4096), 16)[0]
        if code:
            raise OSError(-code, "the kernel did not forget its connections")

    def send(self, number, packet):
        if packet.local:
            self._send_local(number, packet)
            return
        identification = MARKS.index(packet.mark) << 10 | number
        self.ports[packet.iface].send(wire.framed(packet, identification, router_mac(packet.iface)))

    def send_last(self):
        packet = wire.Packet(4, wire.number("10.10.10.2"), wire.number("203.0.113.1"), LAST_PROTOCOL,
                             iface="lan0")
        self.ports["lan0"].send(wire.framed(packet, 0, router_mac("lan0")))

    def _send_local(self, number, packet):
        key = packet.family, packet.user, packet.group, packet.cgroup
        sock = self.raw.get(key)
        if sock is None:
            cgroup = packet.cgroup.replace(SLICE, self.slice or "")
            identity = probe.Identity(packet.user, packet.group, 0, cgroup)
            sock = self.raw[key] = _opened(self.router, identity, wire.family(packet.family), self.slice)
        sock.setsockopt(socket.SOL_SOCKET, probe.SO_MARK, struct.pack("=I", packet.mark))
        try:
            sock.sendto(wire.built(packet, number), (wire.address(packet.family, packet.to), 0))
        except OSError:
            pass  # a dropped packet is an error here; what became of it is seen elsewhere

    def close(self):
        for sock in (*self.ports.values(), *self.raw.values(), self.events.sock, self.conntrack):
            sock.close()
        self.router.close()
        self.outside.close()


def _opened(host, identity, family, home):
    """A socket belongs to the control group that its process was in when it was opened."""
    if identity.cgroup:
        _enter(identity.cgroup)
    with host, identity.assumed():
        sock = socket.socket(family, socket.SOCK_RAW, socket.IPPROTO_RAW)
    if identity.cgroup:
        _enter(home)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_BROADCAST, 1)
    return sock


def _enter(path):
    with open(f"/sys/fs/cgroup/{path}/cgroup.procs", "w") as file:
        file.write("0")


@contextlib.contextmanager
def slices():
    """
    The control group that stands for SLICE, with SLICES in it; None where none can be made.
    """
    with open("/proc/self/cgroup") as file:
        home = file.read().rpartition("0::/")[2].strip()
    with contextlib.ExitStack() as stack:
        try:
            name, path = stack.enter_context(cgroups.control_group())
        except pytest.skip.Exception:
            yield None
            return
        for inner in SLICES:
            os.makedirs(f"{path}/{inner.partition('/')[2]}", exist_ok=True)
        try:
            yield name
        finally:
            _enter(home)
