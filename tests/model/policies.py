"""policies: random policies over the whole language.

Out comes a Policy: the text's mappings and lists, the files beside it, and which of its listeners
are there when packets come. Not every combination is allowed; what the compiler refuses is taken
out again by whoever loads it (see load.py), so only the most frequent mistakes are avoided here.
"""

import random as chance
from dataclasses import dataclass, field

import mmdb
import values
import world
from values import Draw

CONDITIONS = {  # key: how often, where it works
    "to": (10, "both"), "from": (5, "both"), "proto": (5, "both"), "port": (5, "both"),
    "sport": (2, "both"), "in": (3, "forward"), "mac": (2, "forward"), "family": (2, "both"),
    "out": (1.5, "both"), "user": (3, "local"), "group": (2, "local"), "cgroup": (1.5, "local"),
    "mark": (2, "both"), "ctmark": (1, "both"), "dscp": (1.5, "both"), "ecn": (1, "both"), "state": (1, "both"), "time": (1, "both"),
    "app": (1, "both"), "payload": (1, "both"), "length": (1.5, "both"), "ttl": (1.5, "both"),
}
ACTIONS = {"proxy": 34, "route": 24, "direct": 9, "drop": 8, "reject": 9, "mark": 7, "balance": 5,
           "answer": 4, "continue": 4}


@dataclass
class Policy:
    body: dict
    files: dict = field(default_factory=dict)
    places: dict = field(default_factory=dict)  # database: (prefix, country) of its networks
    alive: dict = field(default_factory=dict)   # listener: "loopback", "any" or "" (nobody waits)


class Maker:
    def __init__(self, random, now, cgroups=()):
        self.draw, self.now, self.cgroups = Draw(random), now, cgroups
        self.body = {"settings": {}, "interfaces": {}, "sets": {}, "listeners": {}, "tables": {},
                     "rules": [], "default": None}
        self.policy = Policy(self.body)

    def make(self):
        self._settings()
        self._interfaces()
        for i in range(self.draw.between(0, 4)):
            self.body["sets"][f"s{i}"] = self._set(i)
        for i in range(self.draw.between(1, 3)):
            self._listener(f"p{i}", 12345 + i)
        for i in range(self.draw.between(1, 3)):
            self.body["tables"][f"t{i}"] = self._table()
        for listener in self.body["listeners"].values():
            self._via(listener)
        for _ in range(self.draw.one((1, 2, 3, 4, 5, 6, 8, 12))):
            self.body["rules"].append(self._rule())
        if self.draw.chance(0.3):
            self._row()
        self._default()
        self._after_connections()
        self._lists()
        self._listeners_in_a_row()
        return self.policy

    def _listeners_in_a_row(self):
        """
        After a listener that is there, or with it another one that is not: `tpc apply` takes the first then,
        too. What waits on another host counts as there.
        """
        draw, alive = Draw(chance.Random(repr(self.body["listeners"]))), self.policy.alive
        for rule in self.body["rules"]:
            first = rule["then"].get("proxy") if isinstance(rule["then"], dict) else None
            others = [name for name, body in self.body["listeners"].items() if name != first and (alive.get(first) or not alive[name])
                      and "10.11." not in str(body) and "fd00:11:" not in str(body)]
            if first and others and draw.chance(0.3):
                rule["then"] = {"proxy": [first, *draw.some(others, 2)]}

    def _lists(self):
        """
        Some MAC addresses and ports move into lists, whose names say them then. Drawn apart, so that a seed's
        other policies stay what they were.
        """
        draw = Draw(chance.Random(repr(self.body)))
        for rule in self.body["rules"]:
            for key in {"mac", "port", "sport"} & set(rule):
                if draw.chance(0.3):
                    rule[key] = self._named(draw, key.removeprefix("s") + "s", rule[key])

    def _named(self, draw, section, condition):
        """The condition with one of its values, or all, in a list or in a file."""
        if isinstance(condition, dict):
            return {"not": self._named(draw, section, condition["not"])}
        items = condition if isinstance(condition, list) else [condition]
        first = draw.between(0, len(items) - 1)
        lists = self.body.setdefault(section, {})
        name = f"l{len(lists)}"
        body = items[first:]
        if draw.chance(0.3):
            self.policy.files[f"{section}-{name}.txt"] = "".join(f"{item} # text\n" for item in body)
            body = [{"file": f"{section}-{name}.txt"}]
        if draw.chance(0.2):
            lists[name + "-inner"], body = body, [name + "-inner"]
        lists[name] = body
        return [*items[:first], name] if first else name

    def _after_connections(self):
        """The router marks connections at -190; a rule that reads those marks stands after that."""
        settings = self.body["settings"]
        if settings.get("hook_priority", 0) < -190 and any("ctmark" in rule for rule in self.body["rules"]):
            settings["hook_priority"] = -189

    # ---- the frame ----

    def _settings(self):
        draw, settings = self.draw, self.body["settings"]
        if draw.chance(0.25):
            settings["ipv6"] = draw.one(("on", "off", "block", "block"))
        if draw.chance(0.2):
            settings["mark_mask"] = draw.one((0x7FE00000, 0x00FF0000, 0x0F000000, 0xFFF00, 0xFF000000))
        if draw.chance(0.15):
            settings["hook_priority"] = draw.one((-199, -150, -106, -120))
        if draw.chance(0.1):
            settings["priority"] = draw.one((1, 500, 20000))
        if draw.chance(0.1):
            settings["table_ids"] = "300-340"

    def _interfaces(self):
        draw = self.draw
        if draw.chance(0.4):
            self.body["interfaces"]["lan"] = draw.one((["lan0"], ["lan0", "lan1"], "lan*", ["lan0", "wg*"]))
        if draw.chance(0.2):
            self.body["interfaces"]["edge"] = draw.one((["wan0", "wan1"], "wan0"))

    def _items(self, most, names=()):
        """A list for a set: elements, sets before this one, built-in ones, algebra."""
        draw, items = self.draw, []
        for _ in range(draw.between(1, most)):
            kind = draw.weighted({"element": 12, "set": 2 if names else 0, "built-in": 1, "algebra": 1})
            if kind == "element":
                items.append(values.random_element(draw))
            elif kind == "set":
                items.append(draw.one(names))
            elif kind == "built-in":
                items.append(draw.one(("private", "link-local", "bogons", "multicast")))
            else:
                items.append({"include": draw.one(("any", values.random_element(draw))),
                              "exclude": [values.random_element(draw)]})
        return items

    def _set(self, index):
        draw = self.draw
        names = [name for name, body in self.body["sets"].items()
                 if not (isinstance(body, dict) and "dynamic" in body)]
        kind = draw.weighted({"list": 6, "algebra": 3, "dynamic": 1.5, "file": 1, "big": 1, "geoip": 1})
        if kind == "geoip":
            return self._countries(f"s{index}.mmdb")
        if kind == "algebra":
            include = "any" if draw.chance(0.4) else self._items(4, names)
            return {"include": include, "exclude": self._items(3, names)}
        if kind == "dynamic":
            return {"dynamic": True, "elements": [values.random_element(draw)
                                                  for _ in range(draw.between(1, 4))]}
        if kind == "file":
            self.policy.files[f"s{index}.txt"] = "".join(
                f"{values.random_element(draw)}{draw.one(('', ' ; text', ' # text'))}\n"
                for _ in range(draw.between(1, 20)))
            return [{"file": f"s{index}.txt"}]
        return self._items(40 if kind == "big" else 5, names)

    def _countries(self, name):
        """Two countries in a database, of which the policy wants one or both."""
        draw = self.draw
        networks = [(element, draw.one(("AA", "BB"))) for element in
                    (values.random_element(draw) for _ in range(draw.between(3, 12))) if "-" not in element]
        networks += [("203.0.113.64/26", "AA"), ("2001:db8:113:64::/64", "BB")]
        self.policy.files[name] = mmdb.database([(prefix, mmdb.record("flat", code)) for prefix, code in networks])
        self.policy.places[name] = networks
        return [{"geoip": draw.one(("AA", "BB", ["AA", "BB"])), "database": name}]

    def _listener(self, name, port):
        draw = self.draw
        mode = draw.weighted({"tproxy": 5, "redirect": 3, "dnat": 2})
        body = {mode: port}
        if mode == "tproxy" and draw.chance(0.2):
            body[mode] = {"port": port, "address": draw.one((["127.0.0.1", "::1"], "127.0.0.1"))}
        if mode == "dnat":
            body[mode] = draw.one((["10.11.0.5:8080", "[fd00:11::5]:8080"], [f"10.10.10.1:{port}",
                                  f"[fd00:10::1]:{port}"], "10.11.0.6:8081", f"10.10.10.1:{port}"))
        if mode == "redirect":
            body["protocols"] = draw.one((["tcp"], ["tcp", "udp"], ["udp"]))
        elif draw.chance(0.25):
            body["protocols"] = draw.one((["tcp"], ["udp"]))
        if draw.chance(0.75):
            body["runs_as"] = draw.one((self._identity(), self._identity(), [self._identity(), self._identity()]))
        if mode == "dnat" and draw.chance(0.3):
            body["runs_as"] = {"port": draw.one((1024, "1000-2000", "40000-60000"))}
        if draw.chance(0.4):
            body["on_failure"] = draw.one(("reject", "drop", "direct") if mode == "tproxy" else ("reject", "drop"))
        if mode == "tproxy" and draw.chance(0.1):
            body["spoofs_client"] = True
        if mode == "dnat" and draw.chance(0.2):
            body["masquerade"] = True
        if draw.chance(0.1) and not isinstance(body.get("runs_as"), list) and set(body.get("runs_as", ())) <= {"mark"}:
            body["mark"] = draw.one((0x400, 0x2000, {"value": 0x3000, "mask": 0xF000}))
        self.body["listeners"][name] = body
        self.policy.alive[name] = draw.weighted({"any": 4, "loopback": 2 if mode == "tproxy" else 0, "": 3})

    def _via(self, listener):
        """A table that leads to a listener on another host."""
        text = str(listener.get("dnat", ""))
        if "10.11." in text or "fd00:11:" in text:
            if self.draw.chance(0.5):
                listener["via"] = self.draw.one(sorted(self.body["tables"]))

    def _is_kept_from(self, listener):
        """What the router sends would be refused before it is translated."""
        table = self.body["tables"].get(listener.get("via"), {})
        return table.get("fallback", "main") != "main" and not ("dev" in table and "via" not in table)

    def _identity(self):
        draw = self.draw
        kind = draw.weighted({"user": 4, "group": 2, "mark": 2, "cgroup": 1 if self.cgroups else 0})
        if kind == "mark":
            return {kind: draw.one((0xFF, 0x20001, {"value": 0x200, "mask": 0xF00}, {"value": 1, "mask": 0xFF}))}
        return {kind: draw.one({"user": (1000, 1001, 65534), "group": (1000, 3000),
                                "cgroup": self.cgroups}[kind])}

    def _table(self):
        draw = self.draw
        dev = draw.one(("wan1", "wg0", "wg1", "wan0"))
        kind = draw.weighted({"dev": 4, "via": 3, "routes": 3, "nexthops": 1})
        if kind == "via" and dev in world.GATEWAYS:
            gateways = world.GATEWAYS[dev]
            body = {"via": draw.one((gateways[4], [gateways[4], gateways[6]], gateways[6])), "dev": dev}
        elif kind == "routes":
            body = {"routes": [self._route(i) for i in range(draw.between(1, 3))]}
        elif kind == "nexthops":
            body = {"routes": [{"nexthops": [{"dev": "wg0", "weight": 2}, {"dev": "wg1"}]}]}
        else:
            body = {"dev": dev}
        if "masquerade" not in body and draw.chance(0.15):
            body["snat"] = draw.one(("192.0.2.200", ["198.51.100.200", "2001:db8:2::200"], "2001:db8:1::200"))
        for key, share, choices in (("fallback", 0.5, ("main", "unreachable", "prohibit", "blackhole")),
                                    ("prefer_main", 0.2, (True,)), ("masquerade", 0 if "snat" in body else 0.3, (True, True, True, "ipv4", "ipv6")),
                                    ("strict", 0.1, (True,)), ("clamp_mss", 0.1, (True, 1300)),
                                    ("mark", 0.06, (0x600, 0x60000, {"value": 0x5000, "mask": 0xF000})),
                                    ("id", 0.05, (200, 1234))):
            if draw.chance(share):
                body[key] = draw.one(choices)
        if "snat" not in body and body.get("masquerade") in (None, "ipv4") and draw.chance(0.15):
            body["nptv6"] = {"inside": values.INSIDE, "outside": values.OUTSIDE}
        return body

    def _route(self, index):
        draw = self.draw
        route = {"to": draw.one(("10.20.0.0/16", "203.0.113.0/24", "2001:db8:113::/48", "8.8.8.0/25",
                                 "128.0.0.0/1", "2001:db8:8::/48")), "metric": index + 1}
        if draw.chance(0.3):
            route["to"] = "default"
        if route["to"] != "default" and draw.chance(0.25):
            return {**route, "type": draw.one(("blackhole", "unreachable", "prohibit", "throw"))}
        return {**route, "dev": draw.one(("wan1", "wg0", "wg1"))}

    def _default(self):
        draw = self.draw
        if draw.chance(0.5):
            thens = [self._then(draw.weighted({"proxy": 3, "route": 3, "drop": 1, "reject": 2, "direct": 1,
                                               "balance": 1, "mark": 1, "answer": 0.5})) for _ in range(2)]
            self.body["default"] = draw.one((thens[0], {"forward": thens[0]}, {"local": thens[1]},
                                             {"forward": thens[0], "local": thens[1]}))
        if not self.body["default"]:
            del self.body["default"]

    # ---- rules ----

    def _then(self, action):
        draw, tables = self.draw, list(self.body["tables"])
        if action == "proxy":
            return {"proxy": draw.one(list(self.body["listeners"]))}
        if action == "route":
            if draw.chance(0.6):
                return {"route": draw.one(tables)}
            last = draw.one(([], ["main"], ["unreachable"], ["prohibit"], ["blackhole"]))
            targets = draw.some(tables, 3) + last
            strict = any(self.body["tables"].get(name, {}).get("strict") for name in targets)
            if "main" not in targets and not strict and draw.chance(0.3):
                targets.insert(draw.between(0, len(targets) - 1), "main")
            sticky = {"sticky": draw.one(("tcp", True, False))} if draw.chance(0.2) and len(targets) > 1 else {}
            return {"route": targets, **sticky}
        if action == "balance" and draw.chance(0.4):
            shares = self._alike()
            if len(shares) > 1:
                by = {"by": draw.one(("source", "source-destination", "connection"))} if draw.chance(0.6) else {}
                return {"balance": {name: draw.between(1, 4) for name in shares}, **by}
        if action == "balance":
            targets = draw.some([*tables, "main"], 3)
            by = {"by": draw.one(("source", "source-destination", "connection"))} if draw.chance(0.6) else {}
            return {"balance": {name: draw.between(1, 4) for name in targets}, **by}
        if action == "reject" and draw.chance(0.5):
            return {"reject": draw.one(("tcp-reset", "port-unreachable", "admin-prohibited", "no-route"))}
        if action == "mark":
            marked = {"mark": draw.one((0x1, 0x55, 0x40000, {"value": 0x10, "mask": 0xF0}))}
            return {**marked, "connection": True} if draw.chance(0.3) else marked
        return action

    def _alike(self):
        """Listeners of one mode."""
        modes = {}
        for name, body in self.body["listeners"].items():
            modes.setdefault(next(key for key in ("tproxy", "redirect", "dnat") if key in body), []).append(name)
        return max(modes.values(), key=len)

    def _row(self):
        """Rules that look up the same field, which the optimiser makes one map of."""
        draw = self.draw
        key = draw.weighted({"to": 8, "from": 2, "port": 3, "sport": 1, "in": 2, "mark": 1.5, "mac": 1})
        scope = "forward" if CONDITIONS[key][1] == "forward" else draw.one(("forward", "forward", "both", None))
        for _ in range(draw.between(3, 14)):
            self.body["rules"].append(self._rule(key, scope))

    def _rule(self, key=None, scope=None):
        """Any; or one with the key among its few conditions."""
        draw = self.draw
        action = draw.weighted(ACTIONS)
        scope = scope or draw.weighted({"forward": 55, "local": 27, "both": 18})
        then = self._then(action)
        mode = None
        if action == "proxy":
            listener = self.body["listeners"][then["proxy"]]
            mode = next(key for key in ("tproxy", "redirect", "dnat") if key in listener)
            if scope != "forward" and ("runs_as" not in listener or self._is_kept_from(listener)):
                scope = "forward"
        rule = {key: self._condition(key)} if key and not (key in ("in", "mac") and scope != "forward") else {}
        table = {key: share for key, (share, where) in CONDITIONS.items()
                 if where in ("both", scope) and not (key in ("app", "payload") and action not in (
                     "drop", "reject", "continue", "proxy", "direct"))}
        for key in ("port", "sport", "app", "payload") if action == "answer" else ():
            table.pop(key, None)
            rule.pop(key, None)
        more = draw.one((0, 1, 1, 2, 2, 3, 4)) if len(self.body["rules"]) > 1 else draw.between(1, 3)
        for _ in range(draw.one((0, 0, 0, 1)) if rule else more):
            key = draw.weighted(table)
            if key not in rule and not (key == "cgroup" and not self.cgroups):
                rule[key] = self._condition(key)
        if then == {"reject": "tcp-reset"}:
            rule["proto"] = "tcp"
        elif action == "answer" and isinstance(rule.get("proto"), (str, int, list)):
            rule["proto"] = draw.one(("icmp", "icmpv6", ["icmp", "icmpv6"]))
        elif mode and isinstance(rule.get("proto"), (str, int, list)):
            rule["proto"] = draw.one(listener.get("protocols") or ["tcp", "udp"])
        if scope != "forward":
            rule = {"scope": scope, **rule}
        for key, share, value in (("count", 0.12, True), ("log", 0.05, "model "),
                                  ("limit", 0.05, "1000000/second"), ("name", 0.03, "a rule")):
            if draw.chance(share) or (action == "continue" and key == "count"):
                rule[key] = value
        return {**rule, "then": then}

    def _condition(self, key):
        """A value, a list of them, or {not: ...}."""
        draw = self.draw
        made = getattr(self, "_" + key.replace("from", "source"))()
        if key not in ("app", "payload", "state", "family") and draw.chance(0.22):
            return {"not": made}
        return made

    def _list(self, make, most=3):
        made = []
        for _ in range(self.draw.one((1, 1, 2, most))):
            value = make()
            if value not in made:
                made.append(value)
        return made[0] if len(made) == 1 else made

    def _place(self, specials):
        draw = self.draw
        kinds = {"set": 6 if self.body["sets"] else 0, "element": 6, "built-in": 1.5, "masked": 1,
                 "special": 1.2 if specials else 0}
        kind = draw.weighted(kinds)
        if kind == "set":
            return draw.one(list(self.body["sets"]))
        if kind == "built-in":
            return draw.one(("private", "bogons", "any"))
        if kind == "masked":
            return values.random_masked(draw)
        if kind == "special":
            return draw.one(("local", "broadcast", "multicast", "link-local"))
        return values.random_element(draw)

    def _to(self):
        return self._list(lambda: self._place(True))

    def _source(self):
        return self._list(lambda: self._place(False))

    def _proto(self):
        return self._list(lambda: self.draw.weighted(
            {"tcp": 8, "udp": 8, "icmp": 2, "icmpv6": 2, "sctp": 2, "esp": 1, "gre": 1, 99: 1, 200: 1}))

    def _port(self):
        def one():
            if self.draw.chance(0.15):
                return self.draw.one(list(values.SERVICES))
            return values.random_span(self.draw, values.PORTS, 65535)
        return self._list(one, 5)

    _sport = _port

    def _in(self):
        names = [*values.INTERFACES, *self.body["interfaces"], *self.body["interfaces"]]
        if self.draw.chance(0.15):
            return self.draw.one(("lan*", "wan*", "wg*", "w*"))
        return self._list(lambda: self.draw.one(names))

    _out = _in

    def _mac(self):
        return self._list(lambda: values.random_mac(self.draw))

    def _family(self):
        return self.draw.one(("ipv4", "ipv6"))

    def _user(self):
        return self._list(lambda: values.random_span(self.draw, values.USERS, 1 << 31))

    def _group(self):
        return self._list(lambda: values.random_span(self.draw, values.GROUPS, 1 << 31))

    def _cgroup(self):
        return self._list(lambda: self.draw.one(self.cgroups))

    def _mark(self):
        if self.draw.chance(0.4):
            mask = self.draw.one((0xFF, 0xF00, 0x70000, 0xFFFFFF, 1))
            return {"value": self.draw.one(world.MARKS) & mask, "mask": mask}
        return self._list(lambda: self.draw.one(world.MARKS))

    _ctmark = _mark

    def _dscp(self):
        def one():
            if self.draw.chance(0.5):
                return self.draw.one(list(values.DSCP))
            return values.random_span(self.draw, (0, 1, 8, 10, 46, 63), 63)
        return self._list(one)

    def _ecn(self):
        return self._list(lambda: self.draw.one((0, 1, 2, 3, "not-ect", "ect0", "ect1", "ce")))

    def _state(self):
        return self.draw.one(("new", "invalid", "established", ["new", "related"], {"not": "new"},
                              {"not": "invalid"}, {"not": ["established", "related"]}))

    def _time(self):
        return self._list(lambda: values.random_time(self.draw, self.now), 2)

    def _app(self):
        return self._list(lambda: self.draw.one(values.APPS), 2)

    def _payload(self):
        draw, text = self.draw, self.draw.one(values.KEYWORDS)
        more = {"ignore_case": True} if draw.chance(0.3) else {}
        if draw.chance(0.5):
            return {"starts_with": text, **more}
        return {"contains": text, "within": draw.one((20, 30, 64)), **more}

    def _length(self):
        return self._list(lambda: values.random_span(self.draw, (28, 29, 40, 48, 60, 100, 128, 500, 1400), 65535, 0.7))

    def _ttl(self):
        return self._list(lambda: values.random_span(self.draw, (1, 2, 32, 63, 64, 65, 128, 255), 255))
