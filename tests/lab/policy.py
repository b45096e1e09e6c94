"""Policies on a router of the lab: compiled, loaded in each of the three ways, taken away; and what
the kernel then holds.

The ways: "hand" feeds the compiled files to nft and ip, "sh" runs the compiled script, "apply" runs
the program. Afterwards kernel() is the same for all three.
"""

import json
import os
import pathlib
import re
import socket
import struct
import subprocess
import time

from ns import all_ids

ROOT = pathlib.Path(__file__).resolve().parents[2]
TPC = os.environ.get("TPC", str(ROOT / "build" / "tpc"))
WAYS = ("hand", "sh", "apply")


class Policy:
    """A policy's text, or the path of one, in a folder of its own."""

    def __init__(self, net, text, files=None, name="policy"):
        self.net, self.router = net, net.router
        self.folder = pathlib.Path(net.directory) / f"{name}-{len(os.listdir(net.directory))}"
        self.folder.mkdir()
        self.out = self.folder / "out"
        if isinstance(text, pathlib.Path):
            self.path = text
        else:
            self.path = self.folder / f"{name}.yaml"
            self.path.write_text(text)
            for file, content in (files or {}).items():
                (self.folder / file).write_text(content)
        self.compiled = False

    def tpc(self, verb, *arguments, check=True):
        return self.router.run(TPC, verb, *arguments, check=check)

    def killed(self, after):
        """An apply that is killed so many seconds after its beginning."""
        with self.router:
            running = subprocess.Popen([TPC, "apply", str(self.path)], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        time.sleep(after)
        running.kill()
        running.wait()

    def compile(self):
        if not self.compiled:
            self.tpc("compile", str(self.path), "-o", str(self.out))
            self.compiled = True
        return self

    def file(self, suffix):
        self.compile()
        found = sorted(self.out.glob(f"*{suffix}"))
        return found[0] if found else None

    def up(self, way="apply"):
        try:
            getattr(self, f"_up_{way}")()
        except AssertionError as error:
            if "Message too long" in str(error) and not all_ids():
                import pytest  # the demo does without
                pytest.skip("nft as an ordinary user has no room for this many elements")
            raise
        return self

    def _up_hand(self):
        """Fail closed by hand, too: routes and rules first, then what marks packets."""
        for suffix, family in ((".ip.batch", "-4"), (".ip6.batch", "-6")):
            if batch := self.file(suffix):
                # No host of the lab has a reverse-path filter, so these lines are taken in, as they say.
                text = batch.read_text().replace("# rule add ", "rule add ")
                self.router.ip(text, family)
                self._copy_main(text)
        if settings := self.file(".sysctl.conf"):
            for line in settings.read_text().splitlines():
                if "=" in line and not line.startswith("#"):
                    key, value = (word.strip() for word in line.split("=", 1))
                    self.router.sysctl(key, value)
        self.router.run("nft", "-f", str(self.file(".nft")))

    def _copy_main(self, batch):
        """What the batch file says that it cannot know."""
        if table := re.search("^# Table ([0-9]+) is for a copy of main's routes", batch, re.M):
            protocol = re.search("carry protocol ([0-9]+)", batch)[1]
            for line in self.router.run("ip", "-6", "route").stdout.splitlines():
                if not line.startswith(("default", "fe80:")):
                    words = re.sub(" (proto|pref) [a-z]+", "", line)
                    self.router.ip(f"route append {words} table {table[1]} protocol {protocol}", "-6")

    def _up_sh(self):
        self.compile()
        self.router.run("sh", str(self.file(".sh")), "up")

    def _up_apply(self):
        self.tpc("apply", str(self.path))

    def down(self, way="apply", name=None):
        if way == "sh":
            self.router.run("sh", str(self.file(".sh")), "down")
        else:
            self.tpc("remove", *([name] if name else []))
        return self


def _json(host, *argv):
    text = host.run(*argv).stdout
    return json.loads(text) if text.strip() else []


def kernel(host):
    """
    What the kernel holds of rules and routes, in an order that does not depend on how it got there.
    """
    host.settle()
    state = {"nft": ruleset(host)}
    for version in 4, 6:
        ip = ("ip", f"-{version}", "-j", "-d")
        state[f"ip -{version} rule"] = _json(host, *ip, "rule")
        state[f"ip -{version} route"] = sorted(
            _json(host, *ip, "route", "show", "table", "all"), key=str)
    return state


# The type of a set of moments, as nft 1.0 and 1.1 have it.
TIME = ("time", {"typeof": {"meta": {"key": "time"}}})


def ruleset(host, keep_counts=False):
    objects = _json(host, "nft", "-j", "list", "ruleset")["nftables"]
    if any(item.get("set", {}).get("type") in TIME for item in objects):
        _forget_digests(objects)
    return sorted((_plain(item, keep_counts) for item in objects if "metainfo" not in item),
                  key=_place)


def _forget_digests(objects):
    """Windows of time are named by what was loaded: nft gets local time, the kernel from the program UTC."""
    for item in objects:
        if comment := item.get("rule", {}).get("comment"):
            item["rule"]["comment"] = re.sub("(digest|contents)=[0-9a-f]{16}", r"\1=", comment)


def _plain(item, keep_counts):
    """Without handles and without counts; a set's elements sorted."""
    if isinstance(item, list):
        return [_plain(part, keep_counts) for part in item]
    if not isinstance(item, dict):
        return item
    item = {key: _plain(value, keep_counts) for key, value in item.items()
            if key not in ("handle",) and (keep_counts or key not in ("packets", "bytes"))}
    if item.get("name", "").startswith("flows.ended_"):
        item.pop("elem", None)  # for half a minute after an apply that has deleted connections
    if isinstance(item.get("elem"), list):
        item["elem"].sort(key=str)
    return item


def _place(item):
    """Rules keep their order in their chain: sorting is stable."""
    (kind, body), = item.items()
    return body.get("family"), body.get("table", body["name"] if kind == "table" else ""), kind, \
        body.get("chain", body.get("name", ""))


def different(one, other):
    """What differs between two kernel() results, in a few lines; empty when nothing does."""
    lines = []
    for part in one:
        for sign, left, right in (("-", one[part], other[part]), ("+", other[part], one[part])):
            lines += [f"{part} {sign} {json.dumps(item)[:400]}"
                      for item in left if item not in right]
        if one[part] != other[part] and not any(line.startswith(part) for line in lines):
            lines.append(f"{part}: the same things in another order")
    return lines[:20]


def generation(host):
    """
    The ruleset's generation, a number that every change to any table makes larger (NFT_MSG_GETGEN).
    """
    with host:
        sock = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, 12)  # NETLINK_NETFILTER
    with sock:
        sock.send(struct.pack("=IHHIIBBH", 20, (10 << 8) | 16, 1, 1, 0, 0, 0, 0))  # NFT_MSG_GETGEN
        data = sock.recv(4096)
    at = 20
    while at < len(data):
        length, kind = struct.unpack_from("=HH", data, at)
        if kind & 0x3FFF == 1:  # NFTA_GEN_ID
            return struct.unpack_from("!I", data, at + 4)[0]
        at += (length + 3) & ~3
    raise AssertionError("the kernel names no ruleset generation")


def everything(listener, default="direct"):
    """The hungriest policy: all TCP and UDP, forwarded and local, to one listener."""
    return f"""version: 1
listeners:
  proxy: {listener}
rules:
  - {{scope: both, proto: [tcp, udp], then: {{proxy: proxy}}}}
default: {default}
"""
