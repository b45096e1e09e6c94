"""routing: where a mark leads, read from the compiled files for `ip -batch` and the router's own main
table.

lookup() walks the ip rules as the kernel does: a table without a route for the destination, or with
a `throw`, hands on to the next rule; what ends the walk is a route, or a refusal.
"""

import ipaddress
import re
from dataclasses import dataclass

import packets

MAIN = "main"


@dataclass(frozen=True)
class Way:
    """How a packet's walk through the ip rules ends."""
    devs: tuple = ()       # the interfaces it may leave by; empty: refused
    kind: str = "unicast"  # or local, unreachable, prohibit, blackhole; "rule ..." by an ip rule
    table: str = MAIN


@dataclass(frozen=True)
class Rule:
    priority: int
    mark: int
    mask: int
    action: str
    table: str
    specific: bool  # suppress_prefixlength 7


# The table that holds main's specific IPv6 routes, as the batch file says.
COPY = re.compile(r"^# Table (\d+) is for a copy of main's routes", re.MULTILINE)


class Routing:
    def __init__(self, batches):
        self.rules, self.routes = {4: [], 6: []}, {}
        self.copy = (COPY.search(batches.get(6, "")) or [None, None])[1]
        for family, text in batches.items():
            for line in text.splitlines():
                words = line.split()
                if words[:2] == ["rule", "add"] and not {"iif", "oif"} & set(words):  # what has no mark meets those
                    self.rules[family].append(_rule(words))
                elif words[:2] == ["route", "add"]:
                    self._route(family, line.split(" add ", 1)[1])
            self.rules[family].sort(key=lambda rule: rule.priority)

    def _route(self, family, text):
        words = text.split()
        kind = words.pop(0) if words[0] in ("local", "blackhole", "unreachable", "prohibit", "throw") else "unicast"
        to = words.pop(0)
        network = ipaddress.ip_network(to if to != "default" else ("0.0.0.0/0" if family == 4 else "::/0"))
        pairs = dict(zip(words[::2], words[1::2])) if "nexthop" not in words else {}
        table = re.search(r"table (\S+)", text).group(1)
        metric = int(pairs.get("metric", 0 if family == 4 else 1024))
        devs = tuple(re.findall(r"dev (\S+)", text))
        self.routes.setdefault((family, table), []).append(
            (-network.prefixlen, metric, int(network[0]), int(network[-1]), kind, devs))
        self.routes[family, table].sort()

    def lookup(self, family, mark, to):
        for rule in self.rules[family]:
            if mark & rule.mask != rule.mark:
                continue
            if rule.action != "lookup":
                return Way((), f"rule {rule.action}")
            if rule.table in (MAIN, self.copy):
                dev, specific = packets.main_route(family, to)
                if specific or not (rule.specific or rule.table == self.copy):
                    return Way((dev,))
                continue
            found = next((route for route in self.routes.get((family, rule.table), ())
                          if route[2] <= to <= route[3]), None)
            if found and found[4] != "throw":
                return Way(found[5], found[4], rule.table)
        return Way((packets.main_route(family, to)[0],))

    def refuses(self, family, to):
        """Whether any of the policy's tables has a route that refuses the destination."""
        return any(route[2] <= to <= route[3] and not route[5] for (version, _), routes in self.routes.items()
                   if version == family for route in routes)


def _rule(words):
    def after(word):
        return words[words.index(word) + 1] if word in words else None
    mark, _, mask = after("fwmark").partition("/")
    action = next((word for word in ("lookup", "unreachable", "prohibit", "blackhole") if word in words))
    return Rule(int(after("priority")), int(mark, 0), int(mask or "0xffffffff", 0), action,
                after("lookup") or action, "suppress_prefixlength" in words)
