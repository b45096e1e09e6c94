"""expected: what the kernel must be seen to do with a packet of which `tpc explain` has said what it
says.

In go the answer of explain, the packet, the policy and its routing; out come Outcomes, of which one
must be seen: several only where the policy itself leaves it to chance. What explain cannot know (the
router's main table, whether somebody listens, whether the packet may make another hop) is added here.
"""

import contextlib
import ipaddress
from dataclasses import dataclass

import packets
import values
import wire
import world

PORT_UNREACHABLE = {4: (3, 3), 6: (1, 4)}
REJECTS = {"port-unreachable": PORT_UNREACHABLE, "admin-prohibited": {4: (3, 13), 6: (1, 1)},
           "no-route": {4: (3, 0), 6: (1, 0)}}
# A route's word, and an ip rule's ("no network", where a route says "no host").
REFUSED_ROUTE = {"unreachable": {4: (3, 1), 6: (1, 0)}, "rule unreachable": {4: (3, 0), 6: (1, 0)},
                 "rule prohibit": {4: (3, 13), 6: (1, 1)}, "prohibit": {4: (3, 13), 6: (1, 1)}}
TTL_EXCEEDED = {4: (11, 0), 6: (3, 0)}


@dataclass
class Outcome:
    """What is not None must be seen so."""
    passed: bool = None
    delivered: bool = False
    sent: str = ""
    mark: int = None
    listener: str = ""
    errors: tuple = ()     # one of these, or silence where "" is among them; None: anything
    source: int = None   # of what leaves
    to: tuple = None     # its destination and port

    def misses(self, answer):
        """What is otherwise, as names of fields."""
        wrong = [name for name in ("passed", "delivered", "sent") if getattr(self, name) is not None
                 and getattr(self, name) != getattr(answer, name)]
        if self.mark is not None and answer.passed and self.mark != answer.mark:
            wrong.append("mark")
        if self.listener is not None and self.listener != answer.listener:
            wrong.append("listener")
        if self.errors is not None and not (answer.errors <= set(self.errors) and (
                answer.errors or not self.errors or "" in self.errors)):
            wrong.append("errors")
        if answer.leaving and self.source is not None and self.source != answer.leaving.source:
            wrong.append("source")
        if answer.leaving and self.to is not None and self.to != (answer.leaving.to, answer.leaving.port):
            wrong.append("to")
        return wrong


def error_of(packet, error):
    """
    An error by the router's own doing. What belongs to no connection, belongs to none in the error about
    it either: rules about what the router itself sends may take that.
    """
    return (error,) if packet.flags == wire.SYN else (error, "")


def refusal(packet, kind="default", routing=None):
    """The error of `reject`; there is none for packets to many receivers."""
    silent = packet.place == "broadcast" or packets.is_odd(packet.family, packet.to)
    silent |= packet.flags != wire.SYN  # see error_of
    # It comes by an uplink whose table refuses its way back.
    silent |= bool(routing) and not packet.local and routing.refuses(packet.family, packet.source)
    silent |= packet.local and (packet.family, packet.source) not in packets.OWN
    if kind == "tcp-reset" or (kind == "default" and packet.protocol == wire.TCP):
        errors = ("tcp-reset",)
    else:
        errors = (REJECTS[kind if kind != "default" else "port-unreachable"][packet.family],)
    return errors + (("",) if silent else ())


def _names(rule, to):
    """
    Does `to` itself name the address, or a part of a prefix that rules leave alone, around it? An
    exception to all but some destinations (`not`) excepts what goes to the router as well.
    """
    items = rule.get("to", [])
    if isinstance(items, dict):
        return rule["then"] == "direct"
    for item in items if isinstance(items, list) else [items]:
        with contextlib.suppress(TypeError, ValueError):
            network = ipaddress.ip_network(item)
            if (network.num_addresses == 1 or network.is_loopback or network.is_multicast or network.is_link_local) \
                    and to in range(int(network[0]), int(network[-1]) + 1):
                return True
    return False


class Expecting:
    def __init__(self, policy, compiled):
        self.policy, self.body = policy, policy.body
        self.routing, self.ways, self.entries = compiled.routing, compiled.ways, compiled.entries
        self.syn, self.proxies = compiled.syn, compiled.proxies
        self.direct, self.held = compiled.direct, compiled.held

    def outcomes(self, packet, said):
        verdict = said["verdict"]
        if packet.place and any(_names(rule, packet.to) for rule in self.body["rules"]):
            # explain was asked with the kind of the destination; the kernel knows which of these it is.
            return [Outcome(delivered=None, sent=None, listener=None, errors=None)]
        if verdict == "drop":
            return [Outcome(passed=False)]
        if verdict == "reject":
            return [Outcome(passed=False, errors=refusal(packet, self._reject_kind(said), self.routing))]
        if verdict == "proxy":
            return self._proxy(packet, said)
        if verdict == "balance":
            return [outcome for share in said["balance"]["shares"]
                    for outcome in (self._share(packet, share["table"]) if "table" in share
                                    else self._proxy(packet, self._handing(packet, share["listener"])))]
        mark = said["mark"]
        if verdict == "answer":
            if packets.is_odd(packet.family, packet.to):
                return [Outcome(passed=None, delivered=None, sent=None, errors=None)]
            return [Outcome(passed=True, delivered=True, mark=packet.mark & ~mark["mask"] | mark["value"])]
        if not mark:
            return self._out(packet, packet.mark, None)
        return self._out(packet, packet.mark & ~mark["mask"] | mark["value"], said["target"])

    def _reject_kind(self, said):
        if not said["rule"]:
            then = self.body.get("default")
            if isinstance(then, dict):
                then = then.get("local" if said["local"] else "forward", then)
            if said["reason"] != "no rule takes it: the default":
                then = "reject"
        else:
            section, index = self.entries[said["rule"]["line"]]
            then = self.body[section][index]["then"]
        return then["reject"] if isinstance(then, dict) and "reject" in then else "default"

    def _handing(self, packet, name):
        """What explain says of a packet that goes to the listener."""
        listener = self.body["listeners"][name]
        mode = next(mode for mode in ("tproxy", "redirect", "dnat") if mode in listener)
        written = listener[mode] if isinstance(listener[mode], list) else [listener[mode]]
        ends = [str(end).rpartition(":") for end in written if mode == "dnat" and ("[" in end) == (packet.family == 6)]
        value, mask = self.proxies[name]
        return {"target": name, "mark": {"value": value, "mask": mask}, "listener": {
            "mode": mode, "address": ends[0][0].strip("[]") if ends else None, "port": int(ends[0][2]) if ends else None}}

    def _share(self, packet, table):
        return [outcome for mark, mask in self.ways.get(table, ())
                for outcome in self._out(packet, packet.mark & ~mask | mark, table)]

    # ---- out by a route ----

    def _out(self, packet, mark, target):
        if not packet.local and not mark and packet.iface in self.held:
            mark = self.direct
        begins = packet.local and packet.protocol == wire.TCP and packet.flags & (wire.SYN | wire.RST) == wire.SYN
        if begins and target in self.syn:
            value, mask = self.syn[target]
            mark = mark & ~mask | value
        if packet.place:
            # A connection straight to a listener's port that the policy does not mind.
            many = packet.local and packet.place == "broadcast"
            return [Outcome(passed=None if many else True, delivered=None if many else True, sent=None if many else "", mark=mark,
                            listener=None, errors=None)]
        if packets.is_odd(packet.family, packet.to):
            return [Outcome(passed=None if packet.local else True, delivered=None, sent=None, mark=mark, errors=None)]
        way = self.routing.lookup(packet.family, mark, packet.to)
        if not way.devs:
            return [_refused(packet, mark, way)]
        if way.kind == "local" and begins and target in self.syn:
            # It comes back by lo and is reset there, or a table says `local` itself.
            return [Outcome(passed=None, delivered=None, mark=None, errors=refusal(packet, routing=self.routing) + ("",))]
        if way.kind == "local":
            return [Outcome(passed=True, delivered=True, mark=mark)]
        return [self._leave(packet, mark, target, dev) for dev in way.devs]

    def _leave(self, packet, mark, target, dev, to=None):
        if packet.ttl < 2 and not packet.local:
            return Outcome(passed=True, mark=mark, errors=error_of(packet, TTL_EXCEEDED[packet.family]))
        tables = [(name, self.body["tables"][name]) for name in _tables_of(target, self.body)]
        if any("strict" in table for _, table in tables) and not any(dev in _devs(table) for _, table in tables):
            return Outcome(passed=None if packet.local else True, errors=("",) if packet.local else refusal(packet, routing=self.routing))
        source = packet.source
        if packet.flags != wire.SYN and source != wire.number(world.LINKS[dev][packet.family][0]) \
                and any(_translated(packet, table, dev) for _, table in tables):
            return Outcome(passed=None if packet.local else True, mark=mark)  # of no connection, so not translated
        if packet.flags == wire.SYN:
            source = next((new for _, table in tables if (new := _translated(packet, table, dev))), source)
        return Outcome(passed=True, sent=dev, mark=mark, source=source, to=to)

    # ---- to a listener ----

    def _via(self, packet, mark, listener, to):
        """
        Looked up by its mark with the listener's address; what the router sends with its own destination
        before that, too.
        """
        first, way = (self.routing.lookup(packet.family, mark, address) for address in (packet.to, to[0]))
        if packet.local and not first.devs:
            return [_refused(packet, mark, first)]
        if not way.devs:
            return [_refused(packet, mark, way)]
        outcomes = [self._leave(packet, mark, listener["via"], dev, to) for dev in way.devs]
        for outcome, dev in zip(outcomes, way.devs):
            if listener.get("masquerade") and outcome.sent:
                outcome.source = wire.number(world.LINKS[dev][packet.family][0])
        return outcomes

    def _proxy(self, packet, said):
        listener = self.body["listeners"][said["target"]]
        # From an address that is not the router's: an answer to the kernel, which explain does not ask.
        if packet.local and (packet.family, packet.source) not in packets.OWN \
                and any("tproxy" in listener for listener in self.body["listeners"].values()):
            return [Outcome(passed=None, delivered=None, sent=None, errors=None, listener=None)]
        if "via" in listener and not packets.is_odd(packet.family, packet.to):
            mark = packet.mark & ~said["mark"]["mask"] | said["mark"]["value"]
            if packet.flags != wire.SYN:  # refused by the table, or by the lock
                return [Outcome(passed=None, delivered=None, sent=None, errors=None)]
            return self._via(packet, mark, listener, (wire.number(said["listener"]["address"]), said["listener"]["port"]))
        return [self._handed(packet, said)]

    def _handed(self, packet, said):
        name, mark = said["target"], said["mark"]
        if packets.is_odd(packet.family, packet.to):
            return Outcome(passed=None, delivered=None, sent=None, errors=None, listener=None)
        listener, alive = self.body["listeners"][name], self.policy.alive[name]
        mark = packet.mark & ~mark["mask"] | mark["value"]
        on_failure = listener.get("on_failure", "reject")
        if said["listener"]["mode"] == "tproxy":
            if alive:
                return Outcome(passed=True, delivered=True, mark=mark, listener=_heard(packet, name, self.routing))
            if on_failure == "direct" and not packet.local:
                return self._out(packet, packet.mark, None)[0]
            if packet.local:
                return Outcome(errors=refusal(packet, routing=self.routing) + ("",))
            return Outcome(passed=False, errors=() if on_failure == "drop" else refusal(packet, routing=self.routing))
        if packet.flags != wire.SYN:
            return self._untranslated(packet, mark)
        address, port = said["listener"]["address"], said["listener"]["port"]
        if said["listener"]["mode"] == "dnat" and (packet.family, wire.number(address)) not in packets.OWN:
            dev = packets.main_route(packet.family, wire.number(address))[0]
            outcome = self._leave(packet, mark, None, dev, (wire.number(address), port))
            if listener.get("masquerade"):
                outcome.source = wire.number(world.LINKS[dev][packet.family][0])
            return outcome
        if alive:
            # From the router's own address the owner of a datagram is unknown.
            heard = None if listener.get("masquerade") else _heard(packet, name, self.routing)
            return Outcome(passed=True, delivered=True, mark=mark, listener=heard)
        if on_failure == "drop":
            return Outcome(passed=True, mark=mark)
        return Outcome(passed=True, delivered=True, mark=mark, errors=refusal(packet, routing=self.routing))

    def _untranslated(self, packet, mark):
        """No connection, so no translation: refused before it leaves."""
        if packet.place:
            return Outcome(passed=True, delivered=True, mark=mark, listener=None, errors=None)
        if packets.is_odd(packet.family, packet.to):
            return Outcome(passed=None, delivered=None, sent=None, errors=None)
        if packet.local:
            return Outcome(passed=None)
        if packet.ttl < 2:
            return Outcome(passed=True, mark=mark, errors=error_of(packet, TTL_EXCEEDED[packet.family]))
        return Outcome(passed=True, mark=mark, errors=refusal(packet, routing=self.routing))


def _heard(packet, name, routing):
    """
    A listener takes no connection from a segment that opens none, or by a broadcast, and cannot answer
    from a loopback address what the router has sent under a foreign one, or by an uplink whose table
    refuses the way back.
    """
    if routing.refuses(packet.family, packet.source):
        return None
    if packet.place == "broadcast" or (packet.local and (packet.family, packet.source) not in packets.OWN):
        return None
    return name if packet.protocol == wire.UDP or packet.flags == wire.SYN else ""


def _refused(packet, mark, way):
    errors = () if way.kind.endswith("blackhole") or packet.local else error_of(packet, REFUSED_ROUTE[way.kind][packet.family])
    if errors and packet.family == 4:
        errors += ("",)  # IPv4 tells a sender that only a few times a second
    return Outcome(passed=not packet.local, mark=None if packet.local else mark, errors=errors)


def _tables_of(target, body):
    return [name for name in (target or "").split(".") if name in body["tables"]]


def _translated(packet, table, dev):
    """The source of what leaves by the table's interface, where the table changes it."""
    if dev not in _devs(table):
        return None
    inside = ipaddress.ip_network(values.INSIDE)
    if "nptv6" in table and packet.family == 6 and packet.source in range(int(inside[0]), int(inside[-1]) + 1):
        return packet.source - int(inside[0]) + int(ipaddress.ip_network(values.OUTSIDE)[0])
    if table.get("masquerade") in (True, f"ipv{packet.family}"):
        return wire.number(world.LINKS[dev][packet.family][0])
    addresses = table.get("snat", [])
    numbers = [wire.number(text) for text in ([addresses] if isinstance(addresses, str) else addresses)
               if (":" in text) == (packet.family == 6)]
    return numbers[0] if numbers else None


def _devs(table):
    routes = table.get("routes", [table])
    return {hop["dev"] for route in routes for hop in route.get("nexthops", [route]) if "dev" in hop
            and route.get("type", "unicast") == "unicast"}
