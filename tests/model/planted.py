"""planted: defects that are put into the emitter's text on its way to the kernel, each of which must be
found: the test of the test.

Each changes one thing in policy.nft, and leaves it a file that loads.
"""

import argparse
import re

import worker

SEED, POLICIES, AT_ONCE = "planted", 64, 8
DEFECTS = {
    "a prefix that is one bit shorter": (
        r"([sd]addr (?:!= )?(?!224\.|169\.254|ff00|fe80)[0-9a-f.:]+/)(\d+)", lambda found: f"{found[1]}{int(found[2]) - 1}"),
    "a range of ports that ends one earlier": (r"(dport \d+-)(\d+)", lambda found: f"{found[1]}{int(found[2]) - 1}"),
    "an operator that says the opposite": (r"((?:addr|port|proto|name|length|ttl)) != ", lambda found: f"{found[1]} == "),
    "a mark with another value": (r"(meta mark set meta mark & 0x[0-9a-f]+ \| )(0x[0-9a-f]+)",
                                  lambda found: f"{found[1]}0x00000000"),
    "a verdict that is missing": (r"^(\t\t(?!#|.*@flows\.).*) drop$", lambda found: f"{found[1]} accept"),
    "a set that lacks its last element": (r", ([0-9a-f.:/-]+)(\n\t\t\}|\n\t\}| \})", lambda found: found[2]),
}


def _altered(pattern, replacement):
    def alter(text):
        head, mark, rules = text.rpartition("flush table")  # what is behind it is in force
        return head + mark + re.sub(pattern, replacement, rules, count=1, flags=re.MULTILINE)
    return alter


def seen(name, given):
    """Whether the defect makes a difference in some policy."""
    planted = argparse.Namespace(**{**vars(given), "alter": _altered(*DEFECTS[name]), "shrink": False})
    for tried in range(0, POLICIES, AT_ONCE):
        orders = [("seed", f"{SEED}/{i}") for i in range(tried, tried + AT_ONCE)]
        # A file that does not load is no difference between the model and the kernel.
        if [problem for report in worker.run_all(planted, orders, min(given.jobs, 2))
                for problem in report.problems if "make a difference" in problem]:
            return True
    return False
