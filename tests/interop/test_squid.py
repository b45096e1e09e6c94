"""Squid with `http_port ... tproxy`: it fetches from its client's address."""

import pathlib

from daemons import private, settled
from lab import PLAIN
from proxied import FAMILIES, Trial, needs

PORT = 3129
LOG = pathlib.Path("/var/log/squid/access.log")


def squid(net):
    private(("/var/log/squid", "proxy"), ("/var/spool/squid", "proxy"))
    return net.daemon(net.router, "squid", "-N", "-f", net.config("squid.conf"),
                      ports=[("tcp", PORT)])


def test_tproxy():
    """Squid: uses its client's address on both legs; dead, nothing bypasses it"""
    needs("squid", "curl")
    with Trial("with-squid") as net:
        proxy = squid(net.up())
        net.goes_as_client("(squid/")
        settled(lambda: LOG.read_text().count(" ORIGINAL_DST/"), 4,
                "requests that Squid sent where the client was going")
        for version in FAMILIES:
            net.goes_direct(net.client, PLAIN[version], 443, version)
        net.no_straight_way(PORT)
        net.carries_much()
        net.nothing_gets_past(proxy)
        net.goes_without_trace()
