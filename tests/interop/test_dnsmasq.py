"""dnsmasq as the resolver that answers, whomever one asks."""

from daemons import settled
from lab import CLIENT, FOREIGN, PLAIN, ROUTER, SERVER, UPLINKS
from policy import Policy
from servers import dig, shown
from outcomes import answered, fails, nothing
from proxied import FAMILIES, Trial, needs

WAYS = ((), ("+tcp",))
ANY_CLIENT = """version: 1
listeners:
  resolver: {redirect: 53, protocols: [tcp, udp], runs_as: {user: dnsmasq}}
rules:
  - {scope: both, port: dns, then: {proxy: resolver}}
"""


def dnsmasq(net):
    return net.daemon(net.router, "dnsmasq", "--keep-in-foreground", "--log-queries",
                      "--log-facility=-", "--pid-file",
                      "--conf-file=" + net.config("dnsmasq.conf"), ports=[("udp", 53), ("tcp", 53)])


def knows(net, resolver, host, addresses):
    """dnsmasq's own record, from `host` by UDP and TCP, whichever of the addresses is asked."""
    for version in FAMILIES:
        kind = "AAAA" if version == 6 else "A"
        for address in addresses:
            for way in WAYS:
                known = dig(host, address[version], *way, name="router.lan", kind=kind)
                assert known.text == ROUTER[version], f"what {address[version]} knows"
        if host is net.client:
            line = f"query[{kind}] router.lan from {CLIENT[version]}\n"
            settled(lambda line=line: resolver.said().count(line), 2 * len(addresses),
                    "questions of the client's address in dnsmasq's log")


def by_its_upstream(net, host):
    """What dnsmasq does not know, it asks the one that its configuration names, as this host."""
    for version in FAMILIES:
        asked = dig(host, FOREIGN[version], name=f"{host.name}{version}.example")
        answered(asked, "origin", peer=UPLINKS["wan0"][1][4], dest=shown(PLAIN[4], 53))


def nobody_else_answers(net, resolver, hosts):
    resolver.close()
    origin = net.sniff()
    for host in hosts:
        for version in FAMILIES:
            for way in WAYS:
                fails(dig(host, FOREIGN[version], *way), "refused")
    nothing(origin)


def test_forced():
    """dnsmasq: answers all queries of the LAN through its own upstream; dead, no server does"""
    needs("dnsmasq", "dig")
    with Trial("forced-dns", server=True) as net:
        resolver = dnsmasq(net.up())
        knows(net, resolver, net.client, (FOREIGN, ROUTER))
        assert net.names["origin"].seen == [], "questions at the origin"
        by_its_upstream(net, net.client)
        for host, address in (net.router, UPLINKS["wan0"][1]), (net.server, SERVER):
            for version in FAMILIES:
                for way in WAYS:
                    answered(dig(host, FOREIGN[version], *way), "origin", peer=address[version],
                             dest=shown(FOREIGN[version], 53))
        nobody_else_answers(net, resolver, [net.client])
        net.goes_without_trace()


def test_everybody():
    """dnsmasq: answers its own host too, and its own queries do not loop"""
    needs("dnsmasq", "dig")
    with Trial("forced-dns") as net:
        net.policy = Policy(net, ANY_CLIENT)
        resolver = dnsmasq(net.up())
        for host in net.client, net.router:
            knows(net, resolver, host, [FOREIGN])
            by_its_upstream(net, host)
        assert len(net.names["origin"].seen) == 4, "questions at the origin"
        nobody_else_answers(net, resolver, (net.client, net.router))
        net.goes_without_trace()
