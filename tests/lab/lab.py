"""
The lab: client - router - origin, and what a test may add to it.

    client 10.10.10.2, fd00:10::2 --- lan0 router wan0 --- origin 192.0.2.1, 2001:db8:1::1
    server 10.10.10.9, fd00:10::9 ---/ (one wire)    \\-- wan1 mobile 198.51.100.1, 2001:db8:2::1
                                                      \\- wg0, wg1: tunnels to vpn, vpn2

Every host beyond the router answers for all of 203.0.113.0/24 and 2001:db8:113::/48, so who answers
tells which way a packet went. All addresses are private or for documentation. A network is made in
some 30 ms and gone when it is closed.
"""

import os
import shutil
import tempfile

import probe
from ns import Host

FOREIGN = {4: "203.0.113.8", 6: "2001:db8:113::8"}
PLAIN = {4: "192.0.2.1", 6: "2001:db8:1::1"}
CLIENT = {4: "10.10.10.2", 6: "fd00:10::2"}
SERVER = {4: "10.10.10.9", 6: "fd00:10::9"}
ROUTER = {4: "10.10.10.1", 6: "fd00:10::1"}
UPLINKS = {  # device on the router -> the host behind it, the router's addresses there, the host's
    "wan0": ("origin", {4: "192.0.2.2", 6: "2001:db8:1::2"}, {4: "192.0.2.1", 6: "2001:db8:1::1"}),
    "wan1": ("mobile", {4: "198.51.100.2", 6: "2001:db8:2::2"},
             {4: "198.51.100.1", 6: "2001:db8:2::1"}),
    "wg0": ("vpn", {4: "10.99.0.2", 6: "fd00:99::2"}, {4: "10.99.0.1", 6: "fd00:99::1"}),
    "wg1": ("vpn2", {4: "10.98.0.2", 6: "fd00:98::2"}, {4: "10.98.0.1", 6: "fd00:98::1"}),
}
TCP_PORTS = (22, 53, 80, 443, 853, 5228, 8080)
UDP_PORTS = (53, 123, 443, 5000)


def mac(number):
    """A link address: always the same ones, so that two networks are the same to the last route."""
    return f"address 02:00:00:00:00:{number:02x}"


def _forget_runs():
    """
    Every network is a fresh machine: what a program left in /run (ours alone, see ns.enter) goes.
    """
    for name in os.listdir("/run"):
        if name != "netns":
            shutil.rmtree(f"/run/{name}", ignore_errors=True)


class Network:
    """The hosts of one test. `with Network(...) as net:`"""

    def __init__(self, uplinks=("wan0",), server=False, foreign=(), tcp=TCP_PORTS, udp=UDP_PORTS):
        self.closers, self.hosts = [], {}
        self.ports = tcp, udp  # where the hosts beyond the router echo
        _forget_runs()
        self.directory = tempfile.mkdtemp(prefix="tpc-lab-")
        self.router, self.client = self._host("router"), self._host("client")
        self.server = self._host("server") if server else None
        self.connect_lan()
        for device in uplinks:
            self._uplink(device, foreign)
        if "wan0" in uplinks:
            self._default_routes()
        for key in ("ipv4.ip_forward", "ipv6.conf.all.forwarding"):
            self.router.sysctl(f"net.{key}", 1)
        for host in self.hosts.values():
            host.settle()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def _host(self, name):
        host = Host(name)
        self.hosts[name] = host
        setattr(self, name, host)
        return host

    def connect_lan(self):
        """Makes the link to the client, and to the server (again)."""
        members = [(self.client, CLIENT)] + ([(self.server, SERVER)] if self.server else [])
        lines = ["link set lo up"]
        if self.server:
            switch = self._host("switch")
            switch.ip("link add br0 type bridge\nlink set br0 up\n" + "".join(
                f"link add {name} type veth peer name {device} {mac(number)} netns {host.path}\n"
                f"link set {name} master br0 up\n"
                for number, (name, host, device) in enumerate([
                    ("router", self.router, "lan0"), ("client", self.client, "eth0"),
                               ("server", self.server, "eth0")], 1)))
        else:
            lines.append(
                f"link add lan0 {mac(1)} type veth peer name eth0 netns {self.client.path}")
        lines += ["link set lan0 up", f"address add {ROUTER[4]}/24 dev lan0",
                  f"address add {ROUTER[6]}/64 dev lan0 nodad"]
        self.router.ip("\n".join(lines))
        for host, address in members:
            host.ip(f"""link set lo up
                    link set eth0 up
                    address add {address[4]}/24 dev eth0
                    address add {address[6]}/64 dev eth0 nodad
                    route add default via {ROUTER[4]}
                    route add default via {ROUTER[6]}""")

    def _uplink(self, device, foreign):
        name, ours, theirs = UPLINKS[device]
        host = self._host(name)
        self.connect(device)
        host.ip("\n".join(f"route add local {prefix} dev lo" for prefix in (
            "203.0.113.0/24", "2001:db8:113::/48", *foreign)))
        for key in ("ipv4.ip_forward", "ipv6.conf.all.forwarding"):
            host.sysctl(f"net.{key}", 1)
        self.add(probe.Echo(host, *self.ports))

    def connect(self, device):
        """
        Makes an uplink's link (again). A tunnel has no neighbours to look for, as wireguard has
        none: on a device that is told not to ask, the kernel sends to the device's own link
        address, so both ends get the same one.
        """
        name, ours, theirs = UPLINKS[device]
        number = 9 + list(UPLINKS).index(device)
        tunnel = device.startswith("wg")
        there = mac(number) if tunnel else ""
        peer = f"eth0 {there} netns {self.hosts[name].path}"
        self.router.ip(f"""link add {device} {mac(number)} type veth peer name {peer}
                           link set {device} {'arp off' if tunnel else ''} up
                           address add {ours[4]}/24 dev {device}
                           address add {ours[6]}/64 dev {device} nodad""")
        self.hosts[name].ip(f"""link set lo up
                                link set eth0 {'arp off' if tunnel else ''} up
                                address add {theirs[4]}/24 dev eth0
                                address add {theirs[6]}/64 dev eth0 nodad
                                route add default via {ours[4]}
                                route add default via {ours[6]}""")

    def link_up(self, device):
        """
        Sets a link up again, with the IPv6 address and the default routes that the kernel took away
        when it went down. The routes of a policy stay away.
        """
        _, ours, _ = UPLINKS[device]
        self.router.ip(f"link set {device} up\naddress replace {ours[6]}/64 dev {device} nodad")
        if device == "wan0":
            self._default_routes()
        self.router.settle()

    def _default_routes(self):
        for version, gateway in UPLINKS["wan0"][2].items():
            self.router.ip(f"route replace default via {gateway} dev wan0", f"-{version}")

    def add(self, thing):
        """Closes `thing` with the network."""
        self.closers.append(thing)
        return thing

    def listener(self, port=12345, host=None, **how):
        return self.add(probe.Listener(host or self.router, port, **how))

    def echo(self, host, tcp=(), udp=(), **how):
        return self.add(probe.Echo(host, tcp, udp, **how))

    def sniff(self, name="origin", device="eth0"):
        return self.add(probe.Sniffer(self.hosts[name], device))

    def close(self):
        for thing in reversed(self.closers):
            thing.close()
        self.closers = []
        for host in self.hosts.values():
            host.close()
        shutil.rmtree(self.directory)
