"""HAProxy with a transparent bind: in its own name, and in its client's."""

from lab import FOREIGN, PLAIN, UPLINKS
from servers import curl, shown
from outcomes import answered
from proxied import FAMILIES, Trial, needs

PORT = 3129


def haproxy(net):
    return net.daemon(net.router, "haproxy", "-db", "-f", net.config("haproxy.cfg"),
                      ports=[("tcp", PORT)])


def test_plain():
    """HAProxy: connects to the original destination of client and host from its own address, once; dead, nothing passes"""
    needs("haproxy", "curl")
    with Trial("with-haproxy") as net:
        proxy = haproxy(net.up())
        for host in net.client, net.router:
            for version in FAMILIES:
                for port in 80, 443:
                    answered(curl(host, FOREIGN[version], port), "origin",
                             peer=UPLINKS["wan0"][1][version], dest=shown(FOREIGN[version], port))
        assert len(net.web["origin"].seen) == 8, "requests at the origin"
        for version in FAMILIES:
            net.goes_direct(net.client, FOREIGN[version], 8080, version)
        net.no_straight_way(PORT)
        net.carries_much()
        net.nothing_gets_past(proxy)
        net.goes_without_trace()


def test_spoofing():
    """HAProxy: with `usesrc clientip` the origin sees the client, and its replies reach HAProxy"""
    needs("haproxy", "curl")
    with Trial("with-haproxy-spoofing") as net:
        proxy = haproxy(net.up())
        net.goes_as_client("by way of 1.1 haproxy")
        for version in FAMILIES:
            net.goes_direct(net.client, PLAIN[version], 443, version)
        net.no_straight_way(PORT)
        net.carries_much()
        net.nothing_gets_past(proxy)
        net.goes_without_trace()
