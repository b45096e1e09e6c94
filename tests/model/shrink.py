"""shrink: the least policy in which a packet still makes a difference.

Whatever can go goes, as long as the compiler takes what is left and the packet's answers still
differ: rules, sets, listeners, tables, settings, then what stands inside them.
"""

import copy
from dataclasses import replace

import load

MOST = 300  # tries


def _places(body):
    """Paths to everything that could be left out, the largest first."""
    for section in ("rules", "sets", "macs", "ports", "listeners", "tables", "interfaces"):
        keys = range(len(body.get(section, ()))) if section == "rules" else list(body.get(section, {}))
        for key in reversed(list(keys)):
            yield section, key
    for section in ("default", "settings", "interfaces"):
        if body.get(section):
            yield (section,)
    yield from _inside(body, ())


def _inside(value, path):
    if isinstance(value, dict):
        for key in list(value):
            if path and not (path[0] == "rules" and key in ("then", "version")):
                yield (*path, key)
            yield from _inside(value[key], (*path, key))
    elif isinstance(value, list):
        for index in reversed(range(len(value))):
            if len(value) > 1:
                yield (*path, index)
            yield from _inside(value[index], (*path, index))


def _without(body, path):
    body = copy.deepcopy(body)
    at = body
    for step in path[:-1]:
        at = at[step]
    del at[path[-1]]
    return body


def shrunk(policy, differs):
    """`differs` says of a policy whether the packet still makes a difference."""
    tries = 0
    progress = True
    while progress and tries < MOST:
        progress = False
        for path in list(_places(policy.body)):
            tries += 1
            try:
                smaller = replace(policy, body=_without(policy.body, path))
                if differs(smaller):
                    policy, progress = smaller, True
                    break
            except (load.Refused, load.Broken, KeyError, IndexError):
                continue
            if tries >= MOST:
                break
    return policy
