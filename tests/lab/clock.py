"""The host's zone for a case, and what the kernel holds of windows of time.

In: a zone of the tz database, or one made here (a fixed offset, one change at any second). Out: this
process, and what it starts, has it at /etc/localtime until the `with` ends; and the elements of a
set as the kernel tells them, in nanoseconds. Nothing of it outlives the private mounts of ns.enter().
"""

import contextlib
import os
import pathlib
import socket
import struct
import subprocess
import tempfile
import time
import zoneinfo
from datetime import datetime, timedelta, timezone

from ns import MS_BIND, mount, umount

ZONES = pathlib.Path("/usr/share/zoneinfo")
NFT_MSG_GETSETELEM = 13
LOCALTIME = "/etc/localtime"


def zone(name):
    return (ZONES / name).read_bytes()


def made(*stretches, footer=""):
    """
    A TZif file (RFC 8536, version 2): offsets in seconds, each but the first from a moment on:
    made(3600), made(3600, (1790000000, 7200)). The footer says what comes behind the last change.
    """
    offsets = [stretches[0]] + [offset for _, offset in stretches[1:]]
    changes = [moment for moment, _ in stretches[1:]]
    names = b"LMT\0"
    body = b"".join(struct.pack(">q", moment) for moment in changes)
    body += bytes(range(1, len(offsets)))
    body += b"".join(struct.pack(">lBB", offset, 0, 0) for offset in offsets) + names

    def head(times, types, chars):
        return b"TZif2" + bytes(15) + struct.pack(">6l", 0, 0, 0, times, types, chars)
    return (head(0, 1, 4) + struct.pack(">lBB", offsets[0], 0, 0) + names
            + head(len(changes), len(offsets), len(names)) + body + f"\n{footer}\n".encode())


def showing(wall, footer=""):
    """A zone without changes whose clock shows `wall` ("23:59:57" or a datetime) now."""
    now = datetime.now(timezone.utc).replace(tzinfo=None)
    if isinstance(wall, str):
        hour, minute, second = map(int, wall.split(":"))
        wall = now.replace(hour=hour, minute=minute, second=second, microsecond=0)
    return made(round((wall - now).total_seconds()), footer=footer)


@contextlib.contextmanager
def host_zone(contents):
    """The host's zone is this one, whatever the machine has."""
    if not os.path.exists(LOCALTIME):
        _own_etc()
    with tempfile.NamedTemporaryFile(dir="/run") as file:
        file.write(contents)
        file.flush()
        os.chmod(file.name, 0o644)
        mount(file.name, LOCALTIME, None, MS_BIND)
    try:
        time.tzset()
        yield
    finally:
        umount(LOCALTIME)
        time.tzset()


def _own_etc():
    """A copy of /etc in which the file can be."""
    folder = tempfile.mkdtemp(dir="/run")
    subprocess.run(["cp", "-a", "/etc/.", folder], check=False, stderr=subprocess.DEVNULL)
    pathlib.Path(folder, "localtime").write_bytes(made(0))
    mount(folder, "/etc", None, MS_BIND)


# ---- what should be there ----

def offset(where, moment):
    return int(datetime.fromtimestamp(moment, where).utcoffset().total_seconds())


def moments(where, wall):
    """
    When the clock shows `wall` (a naive datetime): the first moment at which it shows that or more,
    and the first from which on it does for good.
    """
    early, late = (int(wall.replace(tzinfo=where, fold=fold).timestamp()) for fold in (0, 1))
    if early <= late:  # once, or twice
        return early, late
    low, high = late - 1, early  # never: the jump lies between
    while high - low > 1:
        middle = (low + high) // 2
        if offset(where, middle) == offset(where, early):
            high = middle
        else:
            low = middle
    return high, high


def windows(where, openings):
    """Openings (begin, end) in naive local time, ascending, as seconds of UTC."""
    out = []
    for begin, end in openings:
        first, last = moments(where, begin)[0], moments(where, end)[1]
        if first >= last:
            continue
        if out and first <= out[-1][1]:
            out[-1] = out[-1][0], max(out[-1][1], last)
        else:
            out.append((first, last))
    return out


def read_zone(contents):
    with tempfile.TemporaryFile() as file:
        file.write(contents)
        file.seek(0)
        return zoneinfo.ZoneInfo.from_file(file)


def every_day(first=(2026, 1, 1), last=(2035, 12, 31)):
    day = datetime(*first)
    while day <= datetime(*last):
        yield day
        day += timedelta(days=1)


# ---- what is there ----

def elements(host, table, name):
    """The intervals of a set of 64 bit numbers, [begin, end) in ascending order."""
    keys = sorted(_keys(host, table, name))
    assert len(keys) % 2 == 0, f"{name} has an interval without an end"
    pairs = [(keys[i], keys[i + 1]) for i in range(0, len(keys), 2)]
    assert all(not a[1] and b[1] for a, b in pairs), f"{name}: begins and ends do not take turns"
    return [(a[0], b[0]) for a, b in pairs]


def _keys(host, table, name):
    """(key, is an end) of each element; the end at zero, below all, is none of an interval."""
    request = struct.pack("!BBH", 1, 0, 0) + _attribute(1, table.encode() + b"\0")
    request += _attribute(2, name.encode() + b"\0")
    with host:
        sock = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, 12)  # NETLINK_NETFILTER
    with sock:
        sock.send(struct.pack("=IHHII", 16 + len(request), 10 << 8 | NFT_MSG_GETSETELEM,
                              0x301, 1, 0) + request)  # NLM_F_REQUEST | NLM_F_DUMP
        while True:
            data = sock.recv(1 << 20)
            while data:
                length, kind = struct.unpack_from("=IH", data)
                if kind == 2:  # NLMSG_ERROR
                    raise AssertionError(f"no set {name} in {table}")
                if kind == 3:  # NLMSG_DONE
                    return
                yield from _elements_of(data[20:length])
                data = data[(length + 3) & ~3:]


def _attribute(kind, value):
    return struct.pack("=HH", 4 + len(value), kind) + value + bytes(-len(value) % 4)


def _attributes(data):
    while len(data) >= 4:
        length, kind = struct.unpack_from("=HH", data)
        yield kind & 0x3FFF, data[4:length]
        data = data[(length + 3) & ~3:]


def _elements_of(message):
    for element in _attributes(dict(_attributes(message)).get(3, b"")):
        parts = dict(_attributes(element[1]))
        key = int.from_bytes(dict(_attributes(parts[1]))[1], "big")
        is_end = bool(int.from_bytes(parts.get(3, b"\0"), "big") & 1)
        if key:
            yield key, is_end
