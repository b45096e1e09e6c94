"""counts: what a run has exercised, so that it is seen that the random policies reach everything."""

import collections

import wire


class Counts:
    def __init__(self):
        self.by = collections.defaultdict(collections.Counter)

    def add(self, packet, said, answer, rule):
        """`rule` is the policy's rule that decided, or None."""
        by = self.by
        by["verdicts"][said["verdict"]] += 1
        by["scopes"]["local" if packet.local else "forward"] += 1
        by["families"][f"ipv{packet.family}"] += 1
        by["protocols"][wire.NAMES.get(packet.protocol, str(packet.protocol))] += 1
        by["kernel"][self._seen(answer)] += 1
        for key in rule or ():
            if key != "then":
                by["decided by a rule with"][key] += 1
        for key in packet.tags:
            by["near an edge of"][key] += 1
        if packet.flags != wire.SYN:
            by["packets"]["without a connection"] += 1
        if packet.place:
            by["packets"][f"to {packet.place}"] += 1
        if packet.mark:
            by["packets"]["with a mark"] += 1
        by["packets"]["all"] += 1

    @staticmethod
    def _seen(answer):
        if answer.listener:
            return "listener"
        if answer.sent:
            return f"left by {answer.sent}"
        if answer.errors:
            return "refused"
        return "delivered" if answer.delivered else "silence"

    def note(self, what, names, count=1):
        for name in names:
            self.by[what][name] += count

    def join(self, other):
        for what, counter in other.by.items():
            self.by[what].update(counter)

    def share(self, verdicts):
        everything = sum(self.by["verdicts"].values())
        return sum(self.by["verdicts"][verdict] for verdict in verdicts) / max(1, everything)

    def lines(self):
        for what, counter in sorted(self.by.items()):
            yield f"{what}: " + ", ".join(f"{name} {count}" for name, count in counter.most_common())
