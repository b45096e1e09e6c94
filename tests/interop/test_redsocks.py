"""redsocks behind REDIRECT, with a SOCKS5 server on another host."""

from lab import CLIENT, FOREIGN, PLAIN, UPLINKS
from servers import curl, shown
from outcomes import answered, fails, nothing
from proxied import FAMILIES, Trial, needs

PORT, SERVER_PORT = 12345, 1080


def test_redirect():
    """redsocks: the SOCKS5 server gets the original destination; other traffic is refused"""
    needs("redsocks", "microsocks", "curl")
    with Trial("with-redsocks", uplinks=("wan0", "wan1")) as net:
        net.daemon(net.mobile, "microsocks", "-p", str(SERVER_PORT),
                   ports=[("tcp", SERVER_PORT)], versions=(4,), user="nobody")
        proxy = net.daemon(net.up().router, "redsocks", "-c", net.config("redsocks.conf"),
                           ports=[("tcp", PORT)], versions=(4,))
        origin, mobile = net.sniff(), net.sniff("mobile")
        for host in net.client, net.router:
            for port in 80, 443:
                outcome = answered(curl(host, FOREIGN[4], port), "mobile",
                                   dest=shown(FOREIGN[4], port))
                assert outcome.peer_address not in (CLIENT[4], UPLINKS["wan1"][1][4]), str(outcome)
            fails(curl(host, FOREIGN[6]), "refused", "reset")
        assert len(net.web["mobile"].seen) == 4, "requests at the far end"
        nothing(origin)
        strays = [packet for packet in mobile.packets()
                  if packet[1] != UPLINKS["wan1"][1][4] or packet[4] != SERVER_PORT]
        assert strays == [], "what reached the server's host beside redsocks' own traffic"
        for version in FAMILIES:
            net.goes_direct(net.client, PLAIN[version], 80, version)
            net.goes_direct(net.router, PLAIN[version], 80, version)
        net.no_straight_way(PORT, (4,))
        net.carries_much((4,))
        net.nothing_gets_past(proxy, versions=(4,))
        net.goes_without_trace()
