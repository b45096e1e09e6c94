"""
Several gateways by one interface: the interface does not say by which of them a connection came in; the link
address of the packet does. The router's lan0 leads to three hosts behind a switch, each of which a far client
may come in by.
"""

import contextlib
import json

import pytest

import probe
from test_uplinks import asks
from lab import CLIENT, FOREIGN, ROUTER, SERVER, Network
from policy import Policy
from outcomes import answered

BOX = """version: 1
tables: {box: {via: [%s, "%s"], dev: lan0}}
rules: [{scope: local, user: 1001, then: {route: box}}]
""" % (SERVER[4], SERVER[6])
TWO = """version: 1
tables:
  one: {via: [%s, "%s"], dev: lan0}
  two: {via: [%s, "%s"], dev: lan0}
rules: [{scope: local, user: 1001, then: {route: one}}, {scope: local, user: 1002, then: {route: two}}]
""" % (CLIENT[4], CLIENT[6], SERVER[4], SERVER[6])
SECOND = {4: "10.10.10.19", 6: "fd00:10::19"}  # one more address of the server's
NEW = "02:00:00:00:77:01"


@contextlib.contextmanager
def world(main=CLIENT):
    """Behind lan0 `client` and `server`, which a far client's packets may come through; one is main's gateway."""
    with Network(uplinks=(), server=True) as net:
        net.echo(net.router, (22,), (123,))
        for version, bits in ((4, 32), (6, 128)):
            for gateway in net.client, net.server:
                gateway.ip(f"address add {FOREIGN[version]}/{bits} dev lo", f"-{version}")
            net.router.ip(f"route add default via {main[version]} dev lan0", f"-{version}")
        net.router.settle()
        yield net


@pytest.fixture(name="net")
def made():
    with world() as net:
        yield net


def all_ask(*hosts):
    for host in hosts:
        asks(host, ROUTER)


@pytest.mark.parametrize("name, text, way", [
    ("a table beside the main table on one link", BOX, "apply"),
    ("a table beside the main table on one link", BOX, "sh"),
    ("two tables on one link", TWO, "apply"),
    ("two tables on one link", TWO, "sh"),
])
def test_distinguished(net, name, text, way):
    """gateways: {name}, loaded by {way}: replies leave through the gateway of the request"""
    policy = Policy(net, text).up(way)
    all_ask(net.client, net.server)
    policy.up(way)
    all_ask(net.client, net.server)
    policy.down(way)


def test_forwarded(net):
    """gateways: replies of a port forward leave through the gateway of the request"""
    net.router.ip("link add dmz type veth peer name peer\nlink set dmz up\naddress add 172.16.0.1/24 dev dmz")
    host = net._host("behind")
    net.router.ip(f"link set peer netns {host.path}")
    host.ip("link set lo up\nlink set peer up\naddress add 172.16.0.2/24 dev peer\nroute add default via 172.16.0.1")
    net.echo(host, (80,), ())
    net.router.nft("table ip fw { chain pre { type nat hook prerouting priority dstnat; "
                   "tcp dport 80 dnat to 172.16.0.2; }; }")
    Policy(net, BOX).up()
    for gateway in net.client, net.server:
        answered(probe.ask(gateway, "tcp", ROUTER[4], 80, source=FOREIGN[4]), "behind", peer=FOREIGN[4])


def drift(policy):
    return policy.tpc("status", "--drift", check=False)


def test_changed(net):
    """gateways: another device with the gateway's address: status reports it, and the next apply uses it"""
    policy = Policy(net, BOX).up()
    assert drift(policy).returncode == 0, "drift"
    assert policy.tpc("plan", str(policy.path)).returncode == 0, "plan"
    net.client.ip(f"link set eth0 address {NEW}")
    net.router.run("ip", "neigh", "flush", "all")
    for version in 4, 6:
        probe.ping(net.router, CLIENT[version])
    said = drift(policy)
    assert said.returncode == 5, "drift"
    assert "a gateway of the main table has a link address that the set gateways.main lacks" in said.stdout, said.stdout
    planned = policy.tpc("plan", "-v", str(policy.path), check=False).stdout
    assert NEW in planned and "link addresses of gateways" in planned, planned
    policy.up()
    assert drift(policy).returncode == 0, "drift after it"
    all_ask(net.client, net.server)


def test_silent(net):
    """gateways: a silent gateway keeps its link address, and one that shares it is reported"""
    policy = Policy(net, BOX).up()
    held = links(net)
    net.router.run("ip", "neigh", "flush", "all")
    assert policy.tpc("plan", str(policy.path)).returncode == 0, "plan"
    net.client.ip("link set eth0 down")
    policy.up()
    assert links(net) == held, "link addresses"
    net.client.ip(f"link set eth0 up\naddress replace {CLIENT[6]}/64 dev eth0 nodad")
    for version in 4, 6:
        net.router.ip(f"route replace default via {SECOND[version]} dev lan0", f"-{version}")
        net.server.ip(f"address add {SECOND[version]}/{24 if version == 4 else 64} dev eth0", f"-{version}")
    net.server.settle()
    said = policy.tpc("apply", str(policy.path)).stderr
    assert "has the link address of a gateway of the table box" in said and "answers: none" in said, said


def links(net):
    sets = json.loads(net.router.run("nft", "-j", "list", "sets").stdout)["nftables"]
    return {item["set"]["name"]: item["set"].get("elem") for item in sets if "set" in item}


def test_one():
    """gateways: a single gateway of the link needs no link address and gets all replies"""
    with world(main=SERVER) as net:
        policy = Policy(net, BOX).up()
        assert set(links(net).values()) == {None}, "link addresses"
        all_ask(net.server)
        policy.down()
