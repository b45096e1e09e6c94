"""packets: random packets for a policy, most of them near the edges of what its rules say.

Each is made for one rule: a field for each of its conditions, at or just beside an end of what the
condition names; then one field in four packets is changed at random. Packets that the kernel would
throw away before or behind any policy (martians) are not made. No two share a connection.
"""

import ipaddress

import values
import wire
import world

LOCALS = {family: [(iface, wire.number(addresses[family][0])) for iface, addresses in world.LINKS.items()]
          for family in (4, 6)}
NETS = {family: {iface: ipaddress.ip_interface("/".join(map(str, addresses[family]))).network
                 for iface, addresses in world.LINKS.items()} for family in (4, 6)}
ROUTES = {family: sorted(
    [(net, iface) for iface, net in NETS[family].items()]
    + [(ipaddress.ip_network(prefix), iface) for prefix, iface in world.MORE
       if (":" in prefix) == (family == 6)], key=lambda pair: -pair[0].prefixlen) for family in (4, 6)}
SPANS = {family: [(int(net[0]), int(net[-1]), iface, net.prefixlen) for net, iface in ROUTES[family]]
         for family in (4, 6)}
OWN = {(family, bits) for family in (4, 6) for _, bits in LOCALS[family]}
# The kernel takes the first address of a prefix that is on a link for the anycast of its routers.
ANYCAST = {(6, int(net[0])) for net in NETS[6].values()} \
    | {(6, int(ipaddress.ip_network(prefix)[0])) for prefix, _ in world.MORE if ":" in prefix}
BROADCAST = {(4, int(net[-1])) for net in NETS[4].values()} | {(4, 0xFFFFFFFF), (4, 0x7FFFFFFF)}


def main_route(family, to):
    """The interface, and whether a route says more than the default."""
    for first, last, iface, _ in SPANS[family]:
        if first <= to <= last:
            return iface, True
    return "wan0", False


def place(family, to):
    if (family, to) in BROADCAST:
        return "broadcast"
    if (family, to) in OWN or (family == 4 and to >> 24 == 127) or (family, to) == (6, 1):
        return "local"
    return ""


def is_odd(family, to):
    """Multicast, link-local and site-local: where such a packet ends is a question of more than routes."""
    if family == 4:
        return to >> 28 == 14 or to >> 16 == 0xA9FE
    return to >> 120 == 0xFF or to >> 118 in (0x3FA, 0x3FB)


def is_martian_source(family, source, local):
    if family == 4:
        return source >> 28 >= 14 or source >> 24 in (0, 127) \
            or ((4, source) in OWN and not local) or (4, source) in BROADCAST
    return source >> 120 == 0xFF or source >> 118 == 0x3FA or source <= 0xFFFFFFFFFFFF \
        or ((6, source) in OWN and not local) or (6, source) in ANYCAST


def is_martian_destination(family, to, local):
    if family == 4:
        return to >> 24 == 0 or (to >> 24 == 127 and not local) or (to == 0xFFFFFFFF and local)
    if (6, to) in ANYCAST:
        return True
    # Of multicast, the scopes of an interface and below never pass a router; ::/96 is for no one.
    return (to <= 0xFFFFFFFFFFFF and not (local and to == 1)) or (to >> 120 == 0xFF and (to >> 112 & 15) < 2) \
        or (local and is_odd(6, to))


def speak(packet, name, protocol):
    """The packet begins as the app does; what is no text, explain makes up by the app's name."""
    packet.payload, packet.protocol = values.FIRST_WORDS[name, protocol], protocol
    packet.app = "" if packet.payload.isascii() and packet.payload.decode().isprintable() else name


class Maker:
    def __init__(self, random, policy, cgroups=(), all_ids=True, taken=(0, ())):
        self.draw, self.policy, self.body = values.Draw(random), policy, policy.body
        self.cgroups, self.all_ids = cgroups, all_ids
        self.own_bits, self.ways = taken
        self.flows = set()

    def make(self, count):
        made = []
        for _ in range(count * 50):
            packet = self._one()
            if packet and self._is_new(packet):
                made.append(packet)
            if len(made) == count:
                break
        return made

    def _is_new(self, packet):
        """
        One connection each; of one source and port only one, so that a datagram tells whose it is,
        and without ports only one to each destination, whatever its source becomes.
        """
        flows = {(packet.family, packet.protocol, packet.source, packet.sport)}
        if packet.protocol not in wire.WITH_PORTS:
            flows.add((packet.family, packet.protocol, packet.to))
        if flows & self.flows:
            return False
        self.flows |= flows
        return True

    def _one(self):
        draw = self.draw
        rules = self.body["rules"]
        rule = draw.one(rules) if rules and draw.chance(0.95) else {}
        packet = self._base(rule)
        for key, condition in rule.items():
            apply = getattr(self, "_for_" + key.replace("from", "source"), None)
            negated = isinstance(condition, dict) and set(condition) == {"not"}
            if apply and draw.chance(0.4 if negated else 0.96):
                apply(packet, condition)
                packet.tags.add(key)
        if draw.chance(0.18):
            self._disturb(packet)
        return self._finish(packet)

    # ---- a packet out of the blue ----

    def _base(self, rule):
        draw = self.draw
        scope = rule.get("scope") or draw.one(("forward", "forward", "local"))
        family = self._family_of(rule)
        packet = wire.Packet(family, 0, 0, draw.weighted({6: 5, 17: 5, wire.ICMP: 1, 132: 0.4}))
        packet.local = scope == "local" or (scope == "both" and draw.chance(0.5))
        packet.iface = "" if packet.local else draw.weighted({"lan0": 6, "lan1": 2, "wan0": 1, "wan1": 1, "wg0": 1})
        packet.sport = draw.between(1024, 65535)
        packet.port = draw.one(values.PORTS)
        packet.mac = draw.one(values.MACS)
        packet.source = self._source(packet)
        packet.to = self._somewhere(family)
        packet.payload = draw.one((b"", b"", b"x", b"abc", b"hello there"))
        return packet

    def _family_of(self, rule):
        draw = self.draw
        said = {"ipv4": 4, "ipv6": 6}.get(rule.get("family") if isinstance(rule.get("family"), str) else None)
        for key in ("to", "from"):
            items = _items(rule.get(key))
            families = {4 if "." in str(item) else 6 for item in items if ":" in str(item) or "." in str(item)}
            if len(families) == 1 and draw.chance(0.9):
                said = families.pop()
        if said is None and "icmpv6" in map(str, _items(rule.get("proto"))):
            said = 6
        return said or draw.one((4, 4, 6))

    def _source(self, packet):
        draw, family = self.draw, packet.family
        if packet.local:
            return draw.one(LOCALS[family])[1]
        net = NETS[family][packet.iface]
        if draw.chance(0.7):
            return int(net[0]) + draw.between(2, 200)
        return self._somewhere(family)

    def _somewhere(self, family):
        draw = self.draw
        site = ipaddress.ip_network(draw.one(values.SITES[family]))
        return draw.one((draw.between(int(site[0]), int(site[-1])), int(site[0]) + draw.between(0, 64),
                         int(site[-1])))

    def _disturb(self, packet):
        draw = self.draw
        what = draw.one(("to", "source", "port", "sport", "protocol", "iface", "dscp", "ecn", "ttl", "mark", "mac", "user"))
        if what == "to":
            packet.to = draw.one((self._somewhere(packet.family), packet.to ^ 1, draw.one(LOCALS[packet.family])[1]))
        elif what == "source":
            packet.source = self._source(packet)
        elif what in ("port", "sport"):
            setattr(packet, what, draw.one((*values.PORTS, 12345, 12346)))
        elif what == "protocol":
            packet.protocol = draw.one((6, 17, wire.ICMP, 132, 50, 47, 99))
        elif what == "iface" and not packet.local:
            packet.iface = draw.one(values.INTERFACES)
        elif what == "dscp":
            packet.dscp = draw.between(0, 63)
        elif what == "ecn":
            packet.ecn = draw.between(0, 3)
        elif what == "ttl":
            packet.ttl = draw.one((2, 63, 65, 128, 255))
        elif what == "mark":
            packet.mark = draw.one(world.MARKS)
        elif what == "mac":
            packet.mac = draw.one(values.MACS)
        elif what == "user":
            packet.user, packet.group = draw.one(values.USERS), draw.one(values.GROUPS)

    # ---- a field for a condition ----

    def _for_source(self, packet, condition):
        packet.source = self._point(packet.family, condition) or packet.source

    def _for_to(self, packet, condition):
        packet.to = self._point(packet.family, condition) or packet.to

    def _point(self, family, condition):
        """An address at an end of one of these sets and elements."""
        for _ in range(6):
            found = self._point_of(_items(condition), family, 0)
            if found and found[0] == family:
                return found[1]
        return None

    def _point_of(self, items, family, depth):
        draw = self.draw
        if not items or depth > 6:
            return None
        item = draw.one(items)
        if isinstance(item, dict):
            inside = draw.one([part for part in (item.get("include"), item.get("exclude"), item.get("elements"))
                               if part] or [[]])
            if "geoip" in item:
                inside = [prefix for prefix, _ in self.policy.places.get(item["database"], ())]
            if "file" in item:
                inside = [line.split()[0] for line in self.policy.files[item["file"]].splitlines()]
            return self._point_of(_items(inside), family, depth + 1)
        if item in self.body["sets"]:
            return self._point_of(_items(self.body["sets"][item]), family, depth + 1)
        if item == "local":
            return family, draw.one(LOCALS[family])[1]
        if item == "broadcast":
            return draw.one(sorted(BROADCAST))
        if item in values.BUILT_IN:
            item = draw.one(values.BUILT_IN[item] or ("10.0.0.0/8",))
        return values.element_points(draw, item)

    def _for_proto(self, packet, condition):
        name = self.draw.one(_items(condition))
        packet.protocol = values.PROTOCOLS.get(name, name)

    def _listed(self, section, condition):
        """Its values, those in lists among them."""
        found = []
        for item in _items(condition):
            if isinstance(item, dict):
                found += [line.split()[0] for line in self.policy.files[item["file"]].splitlines()]
            elif item in self.body.get(section, {}):
                found += self._listed(section, self.body[section][item])
            else:
                found.append(item)
        return found

    def _for_port(self, packet, condition, name="port"):
        value = self.draw.one(self._listed("ports", condition))
        first, last = values.span(values.SERVICES.get(value, value))
        setattr(packet, name, values.edge(self.draw, first, last, 1, 65535))
        if packet.protocol not in wire.WITH_PORTS:
            packet.protocol = self.draw.one((6, 17))

    def _for_sport(self, packet, condition):
        self._for_port(packet, condition, "sport")

    def _for_in(self, packet, condition):
        names = self._interfaces(condition)
        if not packet.local and names:
            packet.iface = self.draw.one(names)

    def _interfaces(self, condition):
        names = []
        for item in _items(condition):
            group = self.body["interfaces"].get(item)
            for name in _items(group) if group else [item]:
                names += [iface for iface in values.INTERFACES
                          if iface == name or (name.endswith("*") and iface.startswith(name[:-1]))]
        return names

    def _for_out(self, packet, condition):
        """A destination that the main table sends there."""
        for name in self._interfaces(condition):
            spans = [span for span in SPANS[packet.family] if span[2] == name]
            if spans and self.draw.chance(0.6):
                first, last, _, _ = self.draw.one(spans)
                packet.to = self.draw.one((first + 9, last - 9, self.draw.between(first, last)))

    def _for_mac(self, packet, condition):
        first, last = values.mac_ends(self.draw.one(self._listed("macs", condition)))
        packet.mac = values.edge(self.draw, first, last, 1, (1 << 48) - 1) & ~(1 << 40)

    def _for_user(self, packet, condition):
        packet.user = values.edge(self.draw, *values.span(self.draw.one(_items(condition))), 0, 1 << 31)

    def _for_group(self, packet, condition):
        packet.group = values.edge(self.draw, *values.span(self.draw.one(_items(condition))), 0, 1 << 31)

    def _for_cgroup(self, packet, condition):
        packet.cgroup = self.draw.one((*_items(condition), *self.cgroups))

    def _for_mark(self, packet, condition):
        if isinstance(condition, dict) and "value" in condition:
            fitting = [mark for mark in world.MARKS if mark & condition["mask"] == condition["value"]]
            packet.mark = self.draw.one((*fitting, *fitting, self.draw.one(world.MARKS)))
        else:
            packet.mark = self.draw.one([item for item in _items(condition) if item in world.MARKS] or [0])

    _for_ctmark = _for_mark

    def _for_dscp(self, packet, condition):
        value = self.draw.one(_items(condition))
        packet.dscp = values.edge(self.draw, *values.span(values.DSCP.get(value, value)), 0, 63)

    def _for_ecn(self, packet, condition):
        value = self.draw.one(_items(condition))
        packet.ecn = {"not-ect": 0, "ect1": 1, "ect0": 2, "ce": 3}.get(value, value)

    def _for_ttl(self, packet, condition):
        packet.ttl = values.edge(self.draw, *values.span(self.draw.one(_items(condition))), 1, 255)

    def _for_length(self, packet, condition):
        if packet.app:
            return
        wanted = values.edge(self.draw, *values.span(self.draw.one(_items(condition))), 20, 1500)
        packet.payload = b"x" * max(0, wanted - packet.length + len(packet.payload))

    def _for_state(self, packet, condition):
        if "invalid" in map(str, _items(condition)) and self.draw.chance(0.7):
            packet.protocol, packet.flags = wire.TCP, wire.SYN | 1

    def _for_app(self, packet, condition):
        draw = self.draw
        wanted = _items(condition)
        name, protocol = draw.one([pair for pair in values.FIRST_WORDS if pair[0] in wanted or draw.chance(0.2)]
                                  or list(values.FIRST_WORDS))
        speak(packet, name, protocol)
        if packet.app and any("payload" in rule for rule in self.body["rules"]):
            packet.app, packet.payload = "", b""  # of which text explain would not know
        elif not packet.app and draw.chance(0.3):
            packet.payload = draw.one((packet.payload[:4], packet.payload[:-8], packet.payload.lower()))

    def _for_payload(self, packet, condition):
        draw = self.draw
        text = (condition.get("starts_with") or condition.get("contains")).encode()
        if draw.chance(0.3):
            text = draw.one((text.upper(), text.lower(), text[:-1], text + b"!"))
        most = condition.get("within", 0) - len(text)
        before = draw.one((0, 1, most, most + 1, most - 1)) if "contains" in condition else draw.one((0, 0, 0, 1))
        packet.payload = b"." * max(0, before) + text + draw.one((b"", b"....", b"." * 60))
        packet.protocol = packet.protocol if packet.protocol in (6, 17) else draw.one((6, 17))

    # ---- what can be sent ----

    def _finish(self, packet):
        draw, family = self.draw, packet.family
        if packet.protocol in (wire.ICMP, wire.ICMPV6):
            packet.protocol = wire.ICMP if family == 4 else wire.ICMPV6
        if family == 6 and packet.protocol in wire.NOT_LAST_IN_IPV6:
            return None
        if packet.protocol not in wire.WITH_PORTS:
            packet.port = 0
            packet.sport = draw.between(1, 65535) if packet.protocol in (wire.ICMP, wire.ICMPV6) else 0
        if packet.protocol != wire.TCP:
            packet.flags = wire.SYN
        if packet.app and values.FIRST_WORDS.get((packet.app, packet.protocol)) != packet.payload:
            return None
        if packet.protocol == wire.SCTP:
            packet.payload = b""  # behind its first chunk there would be a broken one
        if not packet.local:
            packet.user = packet.group = 0
            packet.cgroup = ""
        elif not self.all_ids:
            packet.user = packet.group = 0
        if is_martian_source(family, packet.source, packet.local) \
                or is_martian_destination(family, packet.to, packet.local) or packet.length > 1400:
            return None
        if packet.mark & self.own_bits or any(packet.mark & mask == value for value, mask in self.ways):
            packet.mark = 0
        if packet.local and not packet.cgroup and self.cgroups:
            packet.cgroup = draw.one(self.cgroups)
        packet.place = place(family, packet.to)
        if is_odd(family, packet.to) and any("out" in rule for rule in self.body["rules"]):
            return None  # the main table does not say by which interface it would leave
        packet.out = self.out_of(packet)
        return packet

    @staticmethod
    def out_of(packet):
        if packet.place == "local":
            return "lo"
        return main_route(packet.family, packet.to)[0]


def _items(condition):
    """The values of a condition, of a set, of a group."""
    if isinstance(condition, dict) and set(condition) == {"not"}:
        condition = condition["not"]
    if condition is None:
        return []
    return list(condition) if isinstance(condition, (list, tuple)) else [condition]
