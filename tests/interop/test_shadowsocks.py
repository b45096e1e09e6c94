"""shadowsocks-libev: ss-redir takes TCP and UDP, its ss-server on another host goes on."""

import json
import os

from lab import FOREIGN, PLAIN, ROUTER, UPLINKS
from policy import Policy
from servers import curl, dig, shown
from outcomes import answered, fails, nothing
from proxied import FAMILIES, Trial, needs

PORT, SERVER_PORT = 1088, 8388
EXAMPLE = "with-shadowsocks"

# ss-redir's other way, which is its default: TCP by REDIRECT. It must listen on every address then,
# and on every address of IPv6 is on those of IPv4 too: so a port for each family.
REDIRECT = """version: 1
sets: {near: [private, 198.51.100.1, 192.0.2.0/24, "2001:db8:1::/48"]}
listeners:
  tcp4: {redirect: 1088, runs_as: {user: nobody}}
  udp4: {tproxy: 1088, protocols: [udp], runs_as: {user: nobody}}
  tcp6: {redirect: 1089, runs_as: {user: nobody}}
  udp6: {tproxy: 1089, protocols: [udp], runs_as: {user: nobody}}
rules:
  - {scope: both, to: local, proto: [tcp, udp], port: [1088, 1089], then: reject}
  - {scope: both, to: near, then: direct}
  - {scope: both, family: ipv4, proto: tcp, then: {proxy: tcp4}}
  - {scope: both, family: ipv4, proto: udp, then: {proxy: udp4}}
  - {scope: both, family: ipv6, proto: tcp, then: {proxy: tcp6}}
  - {scope: both, family: ipv6, proto: udp, then: {proxy: udp6}}
"""


def ss_server(net):
    """On the far host, with the client's own settings."""
    client = json.loads((net.folder / "ss-redir-4.json").read_text())
    return net.daemon(net.mobile, "ss-server", "-s", client["server"], "-p", str(SERVER_PORT),
                      "-k", client["password"], "-m", client["method"], "-u",
                      ports=[("tcp", SERVER_PORT), ("udp", SERVER_PORT)], versions=(4,),
                      user="nobody")


def ss_redir(net, version, file, port=PORT):
    """As the user that the policy knows it by."""
    return net.daemon(net.router, "ss-redir", "-c", file, ports=[("tcp", port), ("udp", port)],
                      versions=(version,), user="nobody")


def all_by_the_server(net):
    """
    TCP and UDP of both hosts and families come out at the server, and were asked for what they were
    sent to; nothing of it passes in the clear.
    """
    origin, mobile = net.sniff(), net.sniff("mobile")
    for host in net.client, net.router:
        for version in FAMILIES:
            for outcome, port in ((curl(host, FOREIGN[version]), 80),
                                  (dig(host, FOREIGN[version]), 53),
                                  (dig(host, FOREIGN[version], "+tcp"), 53)):
                answered(outcome, "mobile", dest=shown(FOREIGN[version], port))
                assert outcome.peer_address in net.addresses(net.mobile, version) \
                    + [FOREIGN[version]], f"not the server: {outcome}"
    assert len(net.web["mobile"].seen) + len(net.names["mobile"].seen) == 12, "requests at the far end"
    nothing(origin)
    strays = [packet for packet in mobile.packets()
              if packet[1] != UPLINKS["wan1"][1][4] or packet[4] != SERVER_PORT]
    assert strays == [], "what reached the server's host beside ss-redir's own traffic"


def refused_or_silent(host, version):
    """Local IPv4 datagrams are refused without an error."""
    outcome = dig(host, FOREIGN[version], timeout=1)
    assert outcome.kind in ("refused", "silence"), str(outcome)


def test_tproxy():
    """shadowsocks: TCP and UDP of LAN and host through tproxy reach their destination"""
    needs("ss-redir", "ss-server", "curl", "dig")
    with Trial(EXAMPLE, uplinks=("wan0", "wan1")) as net:
        ss_server(net)
        proxies = [ss_redir(net.up(), version, net.config(f"ss-redir-{version}.json"))
                   for version in FAMILIES]
        all_by_the_server(net)
        for version in FAMILIES:
            net.goes_direct(net.client, PLAIN[version], 80, version)
            net.goes_direct(net.router, PLAIN[version], 80, version)
            net.goes_direct(net.router, FOREIGN[version], 80, version, user="nobody")
            fails(dig(net.client, ROUTER[version], "-p", str(PORT)), "refused")
        net.no_straight_way(PORT)
        net.carries_much()
        net.nothing_gets_past(*proxies, tried=refused_or_silent)
        net.goes_without_trace()


def test_redirect():
    """shadowsocks: TCP through redirect, UDP through tproxy, to one ss-redir for each family"""
    needs("ss-redir", "ss-server", "curl", "dig")
    with Trial(EXAMPLE, uplinks=("wan0", "wan1")) as net:
        ss_server(net)
        net.policy = Policy(net, REDIRECT)
        net.up()
        proxies = []
        os.chmod(net.directory, 0o755)  # ss-redir is nobody before it reads them
        for version, everywhere, port in (4, "0.0.0.0", 1088), (6, "::", 1089):
            given = json.loads((net.folder / f"ss-redir-{version}.json").read_text())
            given.update(local_address=everywhere, local_port=port, tcp_tproxy=False)
            file = net.policy.folder / f"{version}.json"
            file.write_text(json.dumps(given))
            proxies.append(ss_redir(net, version, str(file), port))
        all_by_the_server(net)
        for version in FAMILIES:
            net.goes_direct(net.client, PLAIN[version], 80, version)
        net.no_straight_way(1088, (4,))
        net.no_straight_way(1089, (6,))
        net.carries_much()
        net.nothing_gets_past(*proxies, tried=refused_or_silent)
        net.goes_without_trace()
