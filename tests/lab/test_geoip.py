"""
Countries: what a database says of an address decides where its packets go, and of no other's.
"""

import pytest

import mmdb
import probe
from lab import CLIENT
from policy import WAYS, Policy
from outcomes import answered, fails, silent

# Within what every host beyond the router answers for; 6to4 of an address in China beside it.
NETWORKS = [("203.0.113.0/25", "CN"), ("203.0.113.64/26", "HK"), ("203.0.113.128/26", "NO"),
            ("2001:db8:113::/52", "CN"), ("2001:db8:113:400::/56", "HK"),
            ("2001:db8:113:8000::/52", "NO")]
ADDRESSES = {"CN": ("203.0.113.8", "2001:db8:113::8"),
             "HK": ("203.0.113.100", "2001:db8:113:4ff::8"),
             "NO": ("203.0.113.130", "2001:db8:113:8fff::8"),
             "nobody's": ("203.0.113.200", "2001:db8:113:f000::8")}
SIX_TO_FOUR = "2002:cb00:7108::8"


def _policy(net, text, **how):
    policy = Policy(net, text)
    for layout in "nested", "flat":
        (policy.folder / f"{layout}.mmdb").write_bytes(mmdb.database(
            [(prefix, mmdb.record(layout, code)) for prefix, code in NETWORKS], **how))
    return policy


def _ask(net, proxied):
    """These countries are reached through the proxy, others directly."""
    for country, addresses in ADDRESSES.items():
        who = "proxy" if country in proxied else "origin"
        for address in addresses:
            for proto, port in ("tcp", 443), ("udp", 53):
                dest = f"[{address}]:{port}" if ":" in address else f"{address}:{port}"
                answered(probe.ask(net.client, proto, address, port), who, dest=dest)


@pytest.mark.parametrize("way", WAYS)
def test_countries(net, way):
    """geoip: only addresses of two countries go to the proxy, loaded by {way}"""
    policy = _policy(net, """version: 1
sets:
  china: {geoip: [CN, HK], database: nested.mmdb}
listeners:
  proxy: {tproxy: 12345}
rules:
  - {to: china, then: {proxy: proxy}}
""")
    policy.up(way)
    net.listener()
    _ask(net, ("CN", "HK"))


def test_all_but(network):
    """geoip: all but a country go to the proxy, 6to4 of the country's addresses too"""
    net = network(foreign=("2002:cb00:7100::/40",))
    _policy(net, """version: 1
sets:
  foreign: {include: any, exclude: [{geoip: CN, database: flat.mmdb}, private]}
listeners:
  proxy: {tproxy: 12345}
rules:
  - {to: foreign, then: {proxy: proxy}}
""", size=24).up()
    net.listener()
    _ask(net, ("HK", "NO", "nobody's"))
    answered(probe.ask(net.client, "tcp", SIX_TO_FOUR, 443), "proxy")


def test_source(network):
    """geoip: a country's addresses as a source, without 6to4 of them"""
    net = network(foreign=("2002:cb00:7100::/40",))
    _policy(net, """version: 1
sets:
  norway: [{geoip: NO, database: nested.mmdb}]
  china: {geoip: [CN], database: nested.mmdb}
rules:
  - {scope: both, to: norway, then: reject}
  - {from: norway, then: drop}
  - {to: china, then: drop}
""", size=32).up()
    net.client.ip("\n".join(f"address add {address} dev eth0{' nodad' if ':' in address else ''}"
                            for address in ADDRESSES["NO"]))
    for number, version in enumerate((4, 6)):
        china, norway, hong_kong = (ADDRESSES[code][number] for code in ("CN", "NO", "HK"))
        ours = CLIENT[version]
        silent(probe.ask(net.client, "tcp", hong_kong, 80, timeout=0.7, source=norway))
        silent(probe.ask(net.client, "tcp", china, 80, timeout=0.7, source=ours))
        fails(probe.ask(net.router, "tcp", norway, 80))
        answered(probe.ask(net.client, "tcp", hong_kong, 80, source=ours), "origin", peer=ours)
    answered(probe.ask(net.client, "tcp", SIX_TO_FOUR, 80, source=CLIENT[6]), "origin")
