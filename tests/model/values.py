"""values: what conditions may say, and packets' fields near what they say.

random_KEY(draw) gives a value for a rule's KEY as the policy writes it; edges(...) gives numbers at,
just inside and just outside its ends. Addresses come from few neighbourhoods, so that sets overlap
and touch.
"""

import ipaddress
import time

SITES = {
    4: ("203.0.113.0/24", "8.8.8.0/24", "198.18.0.0/15", "10.20.0.0/16", "172.16.0.0/12", "100.64.0.0/10",
        "192.0.2.0/24", "10.10.10.0/24", "10.50.0.0/16", "1.0.0.0/8", "223.255.255.0/24", "128.0.0.0/1",
        "198.51.100.0/24", "203.0.113.128/25"),
    6: ("2001:db8:113::/48", "2001:db8:8::/48", "2400::/12", "fd00:20::/32", "fc00::/7", "2001:db8:1::/64",
        "fd00:10::/64", "2001:db8:113:8000::/49", "8000::/1", "2001:db8::/32"),
}
BUILT_IN = {  # as far as their ends are of interest
    "private": ("10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "fc00::/7"),
    "link-local": ("169.254.0.0/16", "fe80::/10"),
    "multicast": ("224.0.0.0/4", "ff00::/8"),
    "bogons": ("100.64.0.0/10", "192.0.0.0/24", "192.0.2.0/24", "198.18.0.0/15", "198.51.100.0/24",
               "203.0.113.0/24", "240.0.0.0/4", "2001:db8::/32", "fc00::/7", "fe80::/10"),
    "any": ("0.0.0.0/0", "::/0"),
    "loopback": (), "local": (), "broadcast": (),
}
DSCP = {"cs1": 8, "af11": 10, "af21": 18, "af31": 26, "af41": 34, "ef": 46, "cs6": 48, "be": 0, "le": 1}
PORTS = (22, 53, 80, 443, 853, 1000, 1023, 1024, 5228, 8080, 32768, 49151, 65535, 1)
SERVICES = {"http": 80, "https": 443, "dns": 53, "ssh": 22, "ntp": 123}
INSIDE, OUTSIDE = "fd00:10::/64", "2001:db8:7::/64"  # of tables with nptv6; the first is lan0's
PROTOCOLS = {"tcp": 6, "udp": 17, "sctp": 132, "icmp": 1, "icmpv6": 58, "esp": 50, "gre": 47}
MACS = tuple(0x020000000000 + low for low in (1, 2, 3, 0xFF, 0x100, 0x1FF, 0x10000, 0x5E100001))
USERS, GROUPS = (0, 1, 1000, 1001, 1999, 2000, 65534), (0, 5, 1000, 1001, 3000)
INTERFACES = ("lan0", "lan1", "wan0", "wan1", "wg0", "wg1")
APPS = ("http", "tls", "quic", "dns", "ssh", "bittorrent")
# What a client of each app says first, by protocol: RFC 9112, 8446, 9000, 1035, 4253, BEP 3 and BEP 5.
# What is text is told as text.
_QUERY = b"\x12\x34\x01\x00\x00\x01\x00\x00\x00\x00\x00\x00\x05model\x04test\x00\x00\x01\x00\x01"
FIRST_WORDS = {
    ("http", 6): b"GET /model HTTP/1.1", ("ssh", 6): b"SSH-2.0-model", ("bittorrent", 17): b"d1:ad2:id20:model",
    ("tls", 6): b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + bytes(40),
    ("quic", 17): b"\xc3\x00\x00\x00\x01\x08" + bytes(1200), ("dns", 17): _QUERY,
    ("dns", 6): b"\x00" + bytes([len(_QUERY)]) + _QUERY, ("bittorrent", 6): b"\x13BitTorrent protocol" + bytes(48),
}
KEYWORDS = ("GET ", "Host", "abc", "torrent", "x", "needle in the hay", "HELLO")
DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")


class Draw:
    """Chances, all from one seed."""

    def __init__(self, random):
        self.random = random

    def chance(self, share):
        return self.random.random() < share

    def one(self, items):
        return items[self.random.randrange(len(items))]

    def weighted(self, table):
        return self.random.choices(list(table), list(table.values()))[0]

    def some(self, items, most):
        return self.random.sample(list(items), min(len(items), self.random.randint(1, most)))

    def between(self, first, last):
        return self.random.randint(first, last)


# ---- addresses ----

def ends(text):
    """(family, first, last) of an address, a prefix or a range."""
    if "-" in text:
        first, last = (ipaddress.ip_address(part) for part in text.split("-"))
        return first.version, int(first), int(last)
    network = ipaddress.ip_network(text)
    return network.version, int(network[0]), int(network[-1])


def shown(family, bits):
    return str((ipaddress.IPv4Address if family == 4 else ipaddress.IPv6Address)(bits))


def random_element(draw, family=None):
    """An address, a prefix or a range near others."""
    family = family or (4 if draw.chance(0.6) else 6)
    width = 32 if family == 4 else 128
    site = ipaddress.ip_network(draw.one(SITES[family]))
    first, last = int(site[0]), int(site[-1])
    # Mostly small numbers of a site, so that one policy's elements meet.
    at = draw.one((first, last, min(last, first + draw.between(0, 64)), draw.between(first, last),
                   max(first, last - draw.between(0, 64))))
    kind = draw.weighted({"address": 3, "prefix": 4, "range": 3, "site": 1})
    if kind == "site":
        return str(site)
    if kind == "address":
        return shown(family, at)
    if kind == "prefix":
        length = draw.one((site.prefixlen, width, width - 1, draw.between(site.prefixlen, width),
                           min(width, site.prefixlen + draw.between(0, 8))))
        return f"{shown(family, at >> width - length << width - length)}/{length}"
    end = min(last, at + draw.one((1, 2, 7, 63, draw.between(1, 1000), draw.between(1, max(2, last - at)))))
    return f"{shown(family, at)}-{shown(family, max(at, end))}" if end > at else shown(family, at)


def random_masked(draw):
    if draw.chance(0.5):
        mask = draw.one((1, 7, 255, 0xFF00))
        return f"{shown(4, draw.one((0, 1, 5, 255, 0x7100)) & mask)}/{shown(4, mask)}"
    return draw.one(("::1:2:3:4/::ffff:ffff:ffff:ffff", "::8/::f", "2001:db8::/ffff:ffff::", "::1/::ffff"))


def element_points(draw, text):
    """Addresses in and around an element, as (family, number)."""
    if "/" in text and not text.split("/")[1].isdigit():
        wanted, mask = (ipaddress.ip_address(part) for part in text.split("/"))
        site = ipaddress.ip_network(draw.one(SITES[wanted.version]))
        base = draw.between(int(site[0]), int(site[-1]))
        fits = base & ~int(mask) | int(wanted)
        return wanted.version, draw.one((fits, fits, fits ^ 1, base))
    family, first, last = ends(text)
    most = (1 << (32 if family == 4 else 128)) - 1
    point = draw.one((first, last, first - 1, last + 1, first, last, first, last, (first + last) // 2,
                      draw.between(first, last), draw.between(first, last)))
    return family, min(most, max(0, point))


# ---- numbers ----

def edge(draw, first, last, least, most):
    value = draw.one((first, last, first, last, first, last, (first + last) // 2, first - 1, last + 1))
    return min(most, max(least, value))


def span(text):
    """first, last of 5 or "5-9"."""
    first, _, last = str(text).partition("-")
    return int(first, 0), int(last or first, 0)


def random_span(draw, values, most, share=0.35):
    value = draw.one(values)
    if not draw.chance(share):
        return value
    return f"{value}-{min(most, value + draw.one((1, 2, 9, 100, 1000)))}"


def mac_text(value):
    return value.to_bytes(6, "big").hex(":")


def random_mac(draw):
    value = draw.one(MACS)
    if draw.chance(0.3):
        return f"{mac_text(value)}-{mac_text(value + draw.one((1, 15, 255)))}"
    return mac_text(value)


def mac_ends(text):
    parts = [int(part.replace(":", ""), 16) for part in text.split("-")]
    return parts[0], parts[-1]


# ---- time ----

def random_time(draw, now):
    """A window around now, or one that is not; its ends are never near enough to pass during a run."""
    def clock(minutes):
        minutes %= 24 * 60
        return f"{minutes // 60:02}:{minutes % 60:02}"
    moment = time.gmtime(now)
    minute = moment.tm_hour * 60 + moment.tm_min
    window = {}
    if draw.chance(0.7):
        begin = minute + draw.one((-600, -90, -30, 30, 90, 600))
        window["hours"] = f"{clock(begin)}-{clock(begin + draw.one((60, 120, 700)))}"
    if draw.chance(0.4) or not window:
        first = draw.one((moment.tm_wday, (moment.tm_wday + 1) % 7, (moment.tm_wday + 6) % 7))
        window["days"] = draw.one((DAYS[first], f"{DAYS[first]}-{DAYS[(first + 2) % 7]}",
                                   [DAYS[first], DAYS[(first + 3) % 7]]))
    if draw.chance(0.2):
        day = time.strftime("%Y-%m-%d", time.gmtime(now + 86400 * draw.one((-1, 0, 0, 1))))
        later = time.strftime("%Y-%m-%d", time.gmtime(now + 86400 * 2))
        window["dates"] = draw.one((day, f"{day}..{later}"))
    return window
