"""yamltext: a policy as a person would write it: a line for each rule, set, listener and table.

text() writes one, read() reads what text() has written, and nothing else of YAML.
"""

import json
import re

PLAIN = re.compile(r"[A-Za-z0-9][A-Za-z0-9_./-]*$")
NOT_PLAIN = re.compile(r"(true|false|null|yes|no|on|off|y|n|[0-9.eE_x-]+)$", re.IGNORECASE)


def word(value):
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int):
        return str(value) if value < 0x10000 else f"{value:#x}"
    if PLAIN.match(value) and (not NOT_PLAIN.match(value) or "." in value):
        return value
    return json.dumps(value)


def flow(value):
    """In one line, as { } and [ ]."""
    if isinstance(value, dict):
        return "{" + ", ".join(f"{key}: {flow(item)}" for key, item in value.items()) + "}"
    if isinstance(value, (list, tuple)):
        return "[" + ", ".join(flow(item) for item in value) + "]"
    return word(value)


def text(policy):
    """The policy's text, and which entry stands on which line: (section, name or index)."""
    lines, entries = ["version: 1"], {}
    for section, body in policy.items():
        if not body or section == "version":
            continue
        if section in ("rules", "sets", "macs", "ports", "listeners", "tables", "interfaces"):
            lines.append(f"{section}:")
            pairs = enumerate(body) if isinstance(body, list) else body.items()
            for name, item in pairs:
                lines.append(f"  - {flow(item)}" if section == "rules" else f"  {name}: {flow(item)}")
                entries[len(lines)] = section, name
        else:
            lines.append(f"{section}: {flow(body)}")
            entries[len(lines)] = section, None
    return "\n".join(lines) + "\n", entries


# ---- back ----

TOKEN = re.compile(r'\s*("(?:\\.|[^"\\])*"|[{}\[\],]|[^{}\[\],"\s:]+(?::(?! )[^{}\[\],"\s:]+)*|:)')


def _value(tokens):
    token = tokens.pop(0)
    if token == "{":
        found = {}
        while tokens[0] != "}":
            key = _value(tokens)
            assert tokens.pop(0) == ":", f"no colon behind {key}"
            found[key] = _value(tokens)
            if tokens[0] == ",":
                tokens.pop(0)
        tokens.pop(0)
        return found
    if token == "[":
        found = []
        while tokens[0] != "]":
            found.append(_value(tokens))
            if tokens[0] == ",":
                tokens.pop(0)
        tokens.pop(0)
        return found
    if token.startswith('"'):
        return json.loads(token)
    if re.fullmatch(r"0x[0-9a-fA-F]+|-?[0-9]+", token):
        return int(token, 0)
    return {"true": True, "false": False}.get(token, token)


def read(written):
    policy = {}
    section = None
    for line in written.splitlines():
        if not line.strip() or line.lstrip().startswith("#"):
            continue
        if not line.startswith(" "):
            section, _, rest = line.partition(":")
            policy[section] = _value(TOKEN.findall(rest)) if rest.strip() else ([] if section == "rules" else {})
        elif line.startswith("  - "):
            policy[section].append(_value(TOKEN.findall(line[4:])))
        else:
            name, _, rest = line.strip().partition(":")
            policy[section][name] = _value(TOKEN.findall(rest))
    return policy
