"""kernel: what the kernel does with packets, each the first of its connection.

In go packets, numbered; out comes an Answer a packet: where it was seen, under which mark, who got
it, and what errors its sender got. Nothing here knows the policy.
"""

import time
from dataclasses import dataclass, field

import wire
import world

CHUNK = 8      # packets sent between two looks at what has happened
PATIENCE = 5.0


class Lost(Exception):
    """The kernel did not tell of a packet that no policy touches."""


@dataclass
class Answer:
    passed: bool = False       # met the watcher behind prerouting, or was sent by the router itself
    mark: int = 0              # when it was last seen
    delivered: bool = False    # to this host
    sent: str = ""             # the interface by which it left
    leaving: wire.Seen = None  # as it left
    listener: str = ""
    errors: set = field(default_factory=set)  # "tcp-reset", or (ICMP type, code)

    def note(self, hook, mark, outdev, seen):
        self.mark = mark
        self.passed = True
        self.delivered |= hook == "input"
        if hook == "postrouting" and outdev != "lo":
            self.sent, self.leaving = outdev, seen


class Run:
    """One burst of packets through one router."""

    def __init__(self, place, packets, listeners):
        self.world, self.packets, self.listeners = place, packets, listeners
        self.answers = [Answer() for _ in packets]
        self.by_flow = {(packet.family, *packet.flow): i for i, packet in enumerate(packets)}
        self.by_source = {(packet.source, packet.sport): i for i, packet in enumerate(packets)
                          if packet.protocol == wire.UDP}
        self.ended = 0

    def go(self):
        self.world.forget()
        self._look()
        for i, packet in enumerate(self.packets):
            self.world.send(i + 1, packet)
            if i % CHUNK == CHUNK - 1:
                self._look()
        # What goes by lo queues up again behind what has come meanwhile: so twice, each in its turn.
        for turn in 1, 2:
            self._settle(turn)
        return self.answers

    def _settle(self, turn):
        """Everything before it is done when the kernel tells of the last packet."""
        self.world.send_last()
        end = time.monotonic() + PATIENCE
        while self.ended < turn:
            self._look()
            if time.monotonic() > end:
                raise Lost("no news of the last packet")

    def _look(self):
        for hook, mark, _, outdev, seen in self.world.events.read():
            if seen.protocol == world.LAST_PROTOCOL:
                self.ended += hook == "prerouting"
            elif seen.error:
                self._told(seen.error, seen.about)
            elif seen.protocol == wire.TCP and seen.flags & (wire.RST | wire.ACK):
                self._answered(hook, seen)
            elif 0 < seen.number <= len(self.packets) and self._is_sent(seen):
                self.answers[seen.number - 1].note(hook, mark, outdev, seen)
        for name, source, port in self.listeners.datagrams():
            if (i := self.by_source.get((source, port))) is not None:
                self.answers[i].listener = name

    def _is_sent(self, seen):
        """One of ours, and not what the router itself says under the same number."""
        packet = self.packets[seen.number - 1]
        return seen.protocol == packet.protocol and (
            seen.source != packet.to or seen.to != packet.source or packet.source == packet.to) \
            and (seen.protocol not in (wire.ICMP, wire.ICMPV6) or seen.flags in (8, 128))

    def _told(self, error, about):
        """An error quotes the packet it is about, with its number: another packet's has another one."""
        i = about.number - 1
        if 0 <= i < len(self.packets) and about.protocol == self.packets[i].protocol:
            self.answers[i].errors.add(error)

    def _answered(self, hook, seen):
        """A reset, or the answer of a listener, whose name its time to live tells."""
        i = self.by_flow.get((seen.family, *seen.back))
        if i is None or hook != "postrouting":
            return
        if seen.flags & wire.RST:
            self.answers[i].errors.add("tcp-reset")
        elif seen.flags & wire.SYN:
            self.answers[i].listener = self.listeners.by_ttl(seen.ttl) or self.answers[i].listener
