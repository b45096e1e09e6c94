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
from datetime import datetime, timedelta

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


def showing(wall, moment=None):
    """A zone without changes whose clock shows "23:10:00" at a moment (now), on that day in UTC."""
    moment = int(time.time()) if moment is None else moment
    hour, minute, second = map(int, wall.split(":"))
    return made(hour * 3600 + minute * 60 + second - moment % 86400)


def until(moment):
    time.sleep(max(0, moment - time.time()))


def in_time(attempt):
    """
    A moment some seconds ahead, and what comes before and after it. Returns False where this machine was
    not done when it came: then there is another one, further ahead.
    """
    for lead in 5, 15, 45:
        if attempt(int(time.time()) + lead):
            return
    raise AssertionError("three times the moment came too early for this machine")


@contextlib.contextmanager
def host_zone(contents):
    """The host's zone is this one, whatever the machine has."""
    if os.path.islink(LOCALTIME) or not os.path.exists(LOCALTIME):
        _own_etc()
    with tempfile.NamedTemporaryFile() as file:
        file.write(contents)
        file.flush()
        os.chmod(file.name, 0o644)
        mount(file.name, LOCALTIME, None, MS_BIND)
        try:
            yield
        finally:
            umount(LOCALTIME)


def _own_etc():
    """
    A copy of /etc in which the file is one: behind a link it is one of the database's, which is to
    stay as it is.
    """
    with tempfile.TemporaryDirectory() as folder:
        mount("tmpfs", folder, "tmpfs")
        subprocess.run(["cp", "-a", "/etc/.", folder], check=False, stderr=subprocess.DEVNULL)
        pathlib.Path(folder, "localtime").unlink(missing_ok=True)
        pathlib.Path(folder, "localtime").write_bytes(made(0))
        mount(folder, "/etc", None, MS_BIND)
        umount(folder)


# ---- what should be there ----

def hours(day, begin, end):
    """A window of a policy that opens on the day: naive local begin and end."""
    begin, end = (timedelta(hours=int(text[:2]), minutes=int(text[3:])) for text in (begin, end))
    return day + begin, day + end + (timedelta(days=1) if end < begin else timedelta())


def offset(where, moment):
    return int(datetime.fromtimestamp(moment, where).utcoffset().total_seconds())


def moments(where, wall):
    """The first and the last moment at which the clock shows `wall`; of a skipped time, the jump."""
    early, late = (int(wall.replace(tzinfo=where, fold=fold).timestamp()) for fold in (0, 1))
    if early <= late:  # once, or twice
        return early, late
    low, high = late - 1, early
    while high - low > 1:
        middle = (low + high) // 2
        if offset(where, middle) == offset(where, early):
            high = middle
        else:
            low = middle
    return high, high - 1


def windows(where, openings):
    """Openings (begin, end) in naive local time, ascending, as seconds of UTC."""
    out = []
    for begin, end in openings:
        first, last = moments(where, begin)[0], moments(where, end - timedelta(seconds=1))[1] + 1
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
