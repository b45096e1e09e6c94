"""load: a policy through the program: compiled, explained, put into the kernel and taken out again.

Compiled holds what `tpc compile` wrote for one level of optimisation. Loader keeps a router at one
policy at a time, by hand (nft and ip, as the files are meant to be used) or by `tpc apply`.
"""

import json
import os
import pathlib
import re
import subprocess
import time

import ns
import wire
import world
import yamltext
from routing import Routing

ROOT = pathlib.Path(__file__).resolve().parents[2]
BUILD = pathlib.Path(os.environ.get("BUILD", ROOT / "build")).resolve()
TPC = os.path.abspath(os.environ.get("TPC", BUILD / "tpc"))
BATCHES = {4: "policy.ip.batch", 6: "policy.ip6.batch"}
PLACE = re.compile(r"policy\.yaml:(\d+):\d+: error")
CODE = re.compile(r" error: .*\[([a-z0-9-]+)\]$", re.MULTILINE)


class Broken(Exception):
    """The program did what it must never do: the text says what."""


class Refused(Exception):
    """The compiler refuses the policy; `lines` are those it names."""

    def __init__(self, text):
        super().__init__(text)
        self.lines = {int(line) for line in PLACE.findall(text)}


def tpc(*arguments, host=None, **more):
    run = host.run if host else lambda *words, check=False, **how: subprocess.run(
        words, capture_output=True, text=True, timeout=60, **how)
    done = run(TPC, *map(str, arguments), check=False, **more)
    if done.returncode < 0 or "Sanitizer" in done.stderr or "runtime error" in done.stderr:
        raise Broken(f"tpc {' '.join(map(str, arguments))}: exit {done.returncode}\n{done.stderr}")
    return done


def write_file(path, content):
    path.write_bytes(content if isinstance(content, bytes) else content.encode())


def levels():
    """The levels of optimisation that the program knows."""
    return ("-O0", "-O1") if "-O" in tpc("compile", "--help").stdout else ("",)


class Compiled:
    """`slice_` is the control group that stands for the one in the policy."""

    def __init__(self, policy, folder, level, slice_=None):
        self.policy, self.level, self.slice = policy, level, slice_
        self.folder = pathlib.Path(folder)
        self.path = self.folder / "policy.yaml"
        self.out = self.folder / f"out{level}"
        self.folder.mkdir(parents=True, exist_ok=True)
        text, self.entries = yamltext.text(policy.body)
        self.path.write_text(self._here(text))
        for name, content in policy.files.items():
            write_file(self.folder / name, content)
        done = tpc("compile", self.path, "-o", self.out, "-q", *([level] if level else []))
        if done.returncode == 1:
            raise Refused(done.stderr)
        if done.returncode:
            raise Broken(f"tpc compile: exit {done.returncode}\n{done.stderr}")
        self.batches = {family: self._read(name) for family, name in BATCHES.items()}
        self.routing = Routing(self.batches)
        self.described = json.loads(self._read("policy.json"))
        self.ways = {}
        self.syn = {way["name"]: (way["mark"]["value"], way["mark"]["mask"]) for way in self.described["ways"]
                    if way["kind"] == "syn"}
        self.proxies = {way["name"]: (way["mark"]["value"], way["mark"]["mask"]) for way in self.described["ways"]
                        if way["kind"] == "proxy"}
        # What the rules leave alone on interfaces where ip rules refuse what has no mark gets this one.
        self.direct = next((way["mark"]["value"] for way in self.described["ways"] if way["kind"] == "direct"), 0)
        self.held = {rule["iif"] for rule in self.described["ip_rules"] if "iif" in rule}
        for way in self.described["ways"]:
            if way["kind"] in ("route", "inbound"):
                self.ways.setdefault(way["name"], []).append((way["mark"]["value"], way["mark"]["mask"]))

    def _here(self, text):
        return text.replace(world.SLICE, self.slice) if self.slice else text

    def _read(self, name):
        path = self.out / name
        return path.read_text() if path.exists() else ""

    @property
    def nft(self):
        return self._read("policy.nft")

    def explain(self, packets, now):
        """What the program says of each packet."""
        batch = self.folder / f"packets{self.level}"
        batch.write_text(self._here("".join(words(packet, now) + "\n" for packet in packets)))
        done = tpc("explain", self.path, "--batch", batch, "--format", "json",
                   *([self.level] if self.level and "-O" in tpc("explain", "--help").stdout else []))
        answers = [json.loads(line) for line in done.stdout.splitlines()]
        if done.returncode or len(answers) != len(packets):
            raise Broken(f"tpc explain: exit {done.returncode}, {len(answers)} answers for "
                         f"{len(packets)} packets\n{done.stderr[:2000]}")
        for answer, packet in zip(answers, packets):
            answer["local"] = packet.local
        return answers


def fitting(policy, folder, level, slice_=None, dropped=None):
    """The policy without the entries that the compiler refuses."""
    for _ in range(40):
        try:
            return Compiled(policy, folder, level, slice_)
        except Refused as refused:
            _, entries = yamltext.text(policy.body)
            wrong = [entries[line] for line in refused.lines if line in entries] or _too_much(policy.body)
            if not wrong:
                raise
            if dropped is not None:
                dropped.update(CODE.findall(str(refused)))
            _remove(policy.body, wrong)
    raise Refused("nothing was left of it")


def _too_much(body):
    """What to leave out of a policy that is too large for its numbers."""
    if "mark_mask" in body.get("settings", {}):
        del body["settings"]["mark_mask"]
    return [("rules", len(body["rules"]) - 1)] if body["rules"] else []


def _remove(body, wrong):
    for section, name in sorted(wrong, key=str, reverse=True):
        if section == "rules":
            body["rules"][name] = None
        elif name is None:
            body.pop(section, None)
        else:
            body[section].pop(name, None)
    body["rules"] = [rule for rule in body["rules"] if rule is not None]


def words(packet, now):
    """A packet as `tpc explain` reads it."""
    pairs = [("scope", "local" if packet.local else "forward"),
             ("family", f"ipv{packet.family}"),
             ("from", wire.address(packet.family, packet.source)),
             ("to", packet.place or wire.address(packet.family, packet.to)),
             ("proto", wire.NAMES.get(packet.protocol, packet.protocol)),
             ("dscp", packet.dscp), ("ecn", packet.ecn), ("ttl", packet.ttl), ("length", packet.length),
             ("mark", f"{packet.mark:#x}"),
             ("state", "new" if packet.flags == wire.SYN else "invalid"),
             ("time", time.strftime("%Y-%m-%d %H:%M", time.gmtime(now)))]
    if packet.flags == wire.SYN:
        pairs.append(("ctmark", f"{packet.mark:#x}"))
    if packet.protocol in wire.WITH_PORTS:
        pairs += [("sport", packet.sport), ("port", packet.port)]
    if packet.local:
        pairs += [("user", packet.user), ("group", packet.group)]
        pairs += [("cgroup", packet.cgroup)] if packet.cgroup else []
    else:
        pairs += [("in", packet.iface), ("mac", packet.mac.to_bytes(6, "big").hex(":"))]
    if packet.out:
        pairs.append(("out", packet.out))
    if packet.app:
        pairs.append(("app", packet.app))
    elif packet.payload and packet.protocol in (wire.TCP, wire.UDP):
        pairs.append(("payload", packet.payload.decode()))
    return " ".join(f'{key}="{value}"' if " " in str(value) else f"{key}={value}" for key, value in pairs)


# ---- the kernel ----

class Loader:
    def __init__(self, router):
        self.router, self.undo, self.applied, self.dynamic = router, {4: "", 6: ""}, False, False

    def load(self, compiled, by_hand=True, alter=None):
        """`alter` changes the nft text on its way: for the test's own test."""
        if not by_hand:
            self._apply(compiled)
        elif not self._by_hand(compiled, alter):
            self.clear()
            self._apply(compiled)

    def _by_hand(self, compiled, alter):
        """False: nft has no room for the policy's windows of time where it is not root's."""
        self.clear()
        for family, text in compiled.batches.items():
            if text:
                text += self._copied(compiled.routing.copy) if family == 6 else ""
                self._ip(family, text)
                self.undo[family] = _undone(text)
        text = alter(compiled.nft) if alter else compiled.nft
        done = self.router.run("nft", "-f", "-", stdin=text, check=False)
        if done.returncode and "Message too long" in done.stderr and not ns.all_ids():
            return False
        if done.returncode:
            raise Broken(f"nft refuses policy.nft of {compiled.level or 'the policy'}\n{done.stderr[:3000]}")
        return True

    def _copied(self, table):
        """What the batch file says that it cannot know: main's own routes."""
        lines = self.router.run("ip", "-6", "route").stdout.splitlines() if table else []
        return "".join(f"route add {re.sub(' (proto|pref) [a-z]+', '', line)} table {table}\n" for line in lines
                       if not line.startswith(("default", "fe80:")))

    def _ip(self, family, text):
        done = self.router.run("ip", f"-{family}", "-batch", "-", stdin=text, check=False)
        if done.returncode:
            raise Broken(f"ip -{family} -batch: exit {done.returncode}\n{done.stderr[:3000]}")

    def _apply(self, compiled):
        # What a dynamic set holds outlives an apply, as it must.
        if any(self.undo.values()) or self.dynamic:
            self.clear()
        self.dynamic = any("dynamic" in body for body in compiled.policy.body["sets"].values()
                           if isinstance(body, dict))
        level = [compiled.level] if compiled.level else []
        done = tpc("apply", compiled.path, "-q", *level, host=self.router)
        self.applied = True
        if done.returncode:
            raise Broken(f"tpc apply: exit {done.returncode}\n{done.stderr[:3000]}")

    def clear(self):
        if self.applied:
            done = tpc("remove", "-q", host=self.router)
            self.applied = False
            if done.returncode:
                raise Broken(f"tpc remove: exit {done.returncode}\n{done.stderr}")
        self.router.run("nft", "-f", "-", stdin="table inet tpc\ndelete table inet tpc\n")
        for family, text in self.undo.items():
            if text:
                self._ip(family, text)
        self.undo = {4: "", 6: ""}


def _undone(text):
    """What takes a batch's rules and routes away again."""
    rules = [line.replace("rule add", "rule del", 1) for line in text.splitlines() if line.startswith("rule add")]
    tables = sorted(set(re.findall(r"table (\d+)", text)))
    routed = {match for line in text.splitlines() if line.startswith("route add")
              for match in re.findall(r"table (\d+)", line)}
    return "\n".join(rules + [f"route flush table {table}" for table in tables if table in routed]) + "\n"
