"""trial: one policy, its packets, and all that is said and done of them.

For each level of optimisation the policy is compiled, the packets are explained, the policy is put
into the kernel and the packets are sent. A Difference is a packet of which not all say the same; it
holds everything that is needed to look at it again.
"""

import random
import time
from dataclasses import dataclass, field

import expected
import kernel
import load
import packets as packets_
import policies
import watch
import wire
import world

# Fields of explain's answers in which the levels of optimisation must agree.
SAID = ("verdict", "target", "mark", "table", "ip_rule", "route", "listener")


@dataclass
class Difference:
    policy: policies.Policy
    packet: wire.Packet
    level: str
    what: list          # fields
    said: dict          # by level, what explain says
    wanted: list = field(default_factory=list)
    seen: object = None
    seed: str = ""

    def text(self, now):
        lines = [f"seed {self.seed}, {self.level or 'kernel'}: {', '.join(self.what)}",
                 f"packet: {load.words(self.packet, now)}"]
        if self.packet.place:
            lines.append(f"        to={wire.address(self.packet.family, self.packet.to)}")
        for level, said in self.said.items():
            rule = said["rule"]["line"] if said["rule"] else said["reason"]
            lines.append(f"explain {level}: {said['verdict']} {said['target'] or ''} by {rule}, mark {said['mark']}, "
                         f"route {said['route']}")
        lines += [f"wanted: {outcome}" for outcome in self.wanted]
        return "\n".join(lines + ([f"kernel: {self.seen}"] if self.seen else []))


@dataclass
class Settings:
    """
    What a worker has to work with. Each level has a router of its own: a connection that a listener
    has not taken yet lives on for a second behind the listener's end, and the next level's packets are
    the same again.
    """
    places: list          # (World, Loader), one a level
    folder: object
    levels: tuple
    slice: str = None     # see world.slices
    all_ids: bool = True
    alter: object = None  # changes nft text on its way into the kernel
    now: int = 0


def generate(seed, count, settings):
    """The policy and the packets of a seed, "SEED/INDEX"."""
    slices = world.SLICES if settings.slice else ()
    made = policies.Maker(random.Random(f"{seed}/policy"), settings.now, slices).make()
    compiled = load.fitting(made, settings.folder, settings.levels[0], settings.slice)
    maker = packets_.Maker(random.Random(f"{seed}/packets"), made, slices, settings.all_ids,
                           taken_marks(compiled))
    return made, maker.make(count)


def taken_marks(compiled):
    """The bits that no packet brings along: the policy's own, and (value, mask) of its ways."""
    ways = [(way["mark"]["value"], way["mark"]["mask"]) for way in compiled.described["ways"]
            if way["kind"] != "mark"]
    return compiled.described["mark_mask"], ways


def compare(policy, packets, settings, seed="", by_hand=True, counts=None):
    """Differences, in the order of the packets."""
    found, said, compiled = {}, {}, {}
    now = int(time.time())
    for level in settings.levels:
        compiled[level] = load.Compiled(policy, settings.folder, level, settings.slice)
        said[level] = compiled[level].explain(packets, now)
    first = settings.levels[0]
    for level in settings.levels[1:]:
        for i, (one, other) in enumerate(zip(said[first], said[level])):
            wrong = [name for name in SAID if one[name] != other[name]]
            if wrong:
                found.setdefault(i, Difference(policy, packets[i], f"{first} and {level}", wrong, _of(said, i)))
    for turn, level in enumerate(settings.levels):
        answers = observe(policy, packets, compiled[level], settings.places[turn],
                          bool(settings.alter) or by_hand ^ bool(turn),
                          settings.alter)
        wanting = expected.Expecting(policy, compiled[level])
        for i, (packet, answer) in enumerate(zip(packets, answers)):
            wanted = wanting.outcomes(packet, said[level][i])
            wrong = [outcome.misses(answer) for outcome in wanted]
            if all(wrong):
                found.setdefault(i, Difference(policy, packet, level, min(wrong, key=len), _of(said, i),
                                               wanted, answer, seed))
            if counts and not turn:
                counts.add(packet, said[level][i], answer, _rule_of(said[level][i], compiled[level]))
    return [found[i] for i in sorted(found)]


def _rule_of(said, compiled):
    if not said["rule"]:
        return None
    section, index = compiled.entries[said["rule"]["line"]]
    return compiled.policy.body[section][index]


def _of(said, i):
    return {level: answers[i] for level, answers in said.items()}


def observe(policy, packets, compiled, place, by_hand, alter=None):
    router, loader = place
    loader.load(compiled, by_hand, alter)
    listeners = watch.Listeners(router.router)
    try:
        for name, how in policy.alive.items():
            body = policy.body["listeners"].get(name)
            if how and body and _is_here(body):
                listeners.open(name, *_socket_of(body), how == "any")
        return kernel.Run(router, packets, listeners).go()
    finally:
        listeners.close()


def _is_here(body):
    """A dnat listener may be on another host."""
    ends = body.get("dnat", [])
    return all(_address_of(end) in packets_.OWN for end in ([ends] if isinstance(ends, str) else ends))


def _address_of(end):
    """The family and the number of `ADDRESS:PORT`."""
    address = end.rpartition(":")[0].strip("[]")
    return 6 if ":" in address else 4, wire.number(address)


def _socket_of(body):
    """Port, protocols, and whether the socket is transparent, of a listener on this host."""
    mode = next(key for key in ("tproxy", "redirect", "dnat") if key in body)
    protocols = body.get("protocols") or (["tcp"] if mode == "redirect" else ["tcp", "udp"])
    port = body[mode]
    if isinstance(port, dict):
        port = port["port"]
    elif mode == "dnat":
        port = int((port if isinstance(port, str) else port[0]).rsplit(":", 1)[1])
    return port, protocols, mode == "tproxy"
