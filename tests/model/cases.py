"""cases: policies and packets in files, as a difference leaves them and as tests/model/cases keeps them.

A folder holds policy.yaml (as yamltext writes it), its list files, and `packets`: lines that begin with
`listener NAME` say whether somebody waits there (any, loopback, nobody); every other line is a packet in
the words of `tpc explain`, with `at=ADDRESS` where `to` says only local or broadcast, and with `then=`,
the answer: a verdict, or VERDICT:TARGET.
"""

import shlex

import load
import packets
import policies
import wire
import yamltext

NUMBERS = {name: number for number, name in wire.NAMES.items()}


def answer_text(said):
    return said["verdict"] + (f":{said['target']}" if said["target"] else "")


def packet_line(packet, now, then):
    at = f" at={wire.address(packet.family, packet.to)}" if packet.place else ""
    words = [word for word in shlex.split(load.words(packet, now)) if not word.startswith("time=")]
    return " ".join(shlex.quote(word) for word in words) + f"{at} then={then}"


def save(folder, policy, lines, remark=""):
    folder.mkdir(parents=True, exist_ok=True)
    text, _ = yamltext.text(policy.body)
    (folder / "policy.yaml").write_text("".join(f"# {line}\n" for line in remark.splitlines()) + text)
    for name, content in policy.files.items():
        load.write_file(folder / name, content)
    alive = [f"listener {name} {policy.alive[name] or 'nobody'}" for name in policy.body.get("listeners", {})]
    (folder / "packets").write_text("\n".join([*alive, *lines]) + "\n")


def read(folder):
    """The policy, the packets, and what each is said to become."""
    body = yamltext.read((folder / "policy.yaml").read_text())
    body = {**{name: {} for name in ("settings", "interfaces", "sets", "listeners", "tables")}, "rules": [], **body}
    files = {path.name: path.read_bytes() for path in folder.glob("*.*") if path.suffix in (".txt", ".mmdb")}
    policy = policies.Policy(body, files, alive={name: "" for name in body["listeners"]})
    found, wants = [], []
    for line in (folder / "packets").read_text().splitlines():
        words = shlex.split(line, comments=True)
        if words[:1] == ["listener"]:
            policy.alive[words[1]] = "" if words[2] == "nobody" else words[2]
        elif words:
            pairs = dict(word.split("=", 1) for word in words)
            wants.append(pairs.pop("then"))
            found.append(_packet(pairs))
    return policy, found, wants


def _packet(pairs):
    family = int(pairs.get("family", "ipv4")[3:])
    protocol = pairs.get("proto", "tcp")
    packet = wire.Packet(family, wire.number(pairs["from"]), wire.number(pairs.get("at") or pairs["to"]),
                         NUMBERS[protocol] if protocol in NUMBERS else int(protocol))
    packet.local = pairs.get("scope") == "local"
    packet.iface = "" if packet.local else pairs.get("in", "lan0")
    for key, name in (("sport", "sport"), ("port", "port"), ("dscp", "dscp"), ("ecn", "ecn"), ("ttl", "ttl"), ("mark", "mark"),
                      ("user", "user"), ("group", "group")):
        if key in pairs:
            setattr(packet, name, int(pairs[key], 0))
    if "mac" in pairs:
        packet.mac = values_mac(pairs["mac"])
    packet.cgroup = pairs.get("cgroup", "")
    packet.payload = pairs.get("payload", "").encode()
    if "app" in pairs:
        packets.speak(packet, pairs["app"], packet.protocol)
    packet.flags = wire.SYN | (1 if pairs.get("state") == "invalid" else 0)
    if "length" in pairs and not packet.payload:
        packet.payload = b"x" * max(0, int(pairs["length"]) - packet.length)
    packet.place = packets.place(family, packet.to)
    packet.out = packets.Maker.out_of(packet)
    return packet


def values_mac(text):
    return int(text.replace(":", ""), 16)
