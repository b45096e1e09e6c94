"""outcomes: what a probe's outcome must be.

In: what probe.ask() gives, or a sniffer. Out: the outcome, or an AssertionError that says what came instead.
"""


def answered(outcome, who, peer=None, dest=None):
    """
    The probe was answered by `who` (a host's name, or "proxy"), who saw this peer address and this
    destination.
    """
    assert outcome.kind == "answer", f"no answer from {who}: {outcome}"
    assert outcome.who == who, f"not answered by {who}: {outcome}"
    assert peer in (None, outcome.peer, outcome.peer_address), f"not from {peer}: {outcome}"
    assert dest in (None, outcome.dest), f"not for {dest}: {outcome}"
    return outcome


def fails(outcome, *kinds, within=2.5):
    """
    The client learned at once that there is no way: before the kernel gives up a neighbour, after three
    seconds, would be late on an idle machine; a busy one is late by itself.
    """
    kinds = kinds or ("refused",)
    assert outcome.kind in kinds, f"not {' or '.join(kinds)}: {outcome}"
    assert outcome.took < within, f"not at once: {outcome}"


def silent(outcome):
    assert outcome.kind in ("silence", "prohibited"), f"not silence: {outcome}"


def nothing(sniffer, where="the origin"):
    packets = sniffer.packets()
    assert not packets, f"{len(packets)} packets reached {where}, first {packets[0]}"
