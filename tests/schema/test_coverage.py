#!/usr/bin/python3
"""Every row of the language has been compiled and sent packets through.

In go schema/reference.md, whose tables are the language, and schema/coverage.md, which names for every row
the golden cases that compile it and the lab's cases that probe it; out come TAP lines. A row without either, a
case that is not there, and a case that never uses the row's words fail; so does a row of no language.
"""
import importlib
import inspect
import json
import pathlib
import re
import sys

ROOT = pathlib.Path(__file__).resolve().parents[2]
LAB = ROOT / "tests" / "lab"
sys.path[:0] = [str(ROOT / "tests"), str(LAB)]
sys.dont_write_bytecode = True
from tap import Tap  # pylint: disable=wrong-import-position
import suite  # pylint: disable=wrong-import-position

# The sections of the reference whose tables are the language, and the one whose bullets are its promises.
SECTIONS = ("Top level", "Settings", "Sets", "Lists", "Listeners", "Tables", "Rules", "Then", "Default", "Expect")
PROMISES = "Guarantees"
# The section of coverage.md for what the reference says outside of its tables.
BESIDE = "Beside the tables"
# What a row's first column shows beside words of the language.
PLACES = re.compile(r"\b[A-Z][A-Z0-9]*\b")
WORD = re.compile(r"[a-z][a-z0-9_-]*")


def sections(path):
	"""Name of the section -> its text."""
	parts = re.split(r"^## (.*)$", (ROOT / path).read_text(encoding="utf-8"), flags=re.MULTILINE)
	return dict(zip(parts[1::2], parts[2::2]))


def table_rows(text):
	"""The cells of every row of every table, heads left out."""
	rows = []
	head = True
	for line in text.splitlines():
		if not line.startswith("|"):
			head = True
			continue
		cells = [cell.strip() for cell in re.split(r"(?<!\\)\|", line.strip()[1:-1])]
		if head or set("".join(cells)) <= set("-: "):
			head = False
			continue
		rows.append(cells)
	return rows


def language():
	"""(section, row) of everything that must be covered."""
	reference = sections("schema/reference.md")
	rows = [(section, cells[0]) for section in SECTIONS for cells in table_rows(reference.get(section, ""))]
	promises = re.findall(r"^- \*\*(.*?)\.?\*\*", reference[PROMISES], re.MULTILINE)
	return rows + [(PROMISES, promise) for promise in promises]


def words(row):
	"""The keys that a row is about: what stands in backticks, without places for values."""
	found = []
	for code in re.findall(r"`([^`]*)`", row):
		inside = re.findall(r"[{,] *([a-z_]+):", code)
		found += inside or WORD.findall(PLACES.sub("", code))
	return found


def keys():
	"""Every key that the schema knows, at whatever depth."""
	found = set()

	def walk(part):
		if isinstance(part, dict):
			if isinstance(part.get("properties"), dict):
				found.update(part["properties"])
			for value in part.values():
				walk(value)
		elif isinstance(part, list):
			for value in part:
				walk(value)
	walk(json.loads((ROOT / "schema" / "policy.schema.json").read_text(encoding="utf-8")))
	return found


def has_word(text, word):
	return re.search(rf"(?<![a-z0-9_-]){re.escape(word)}(?![a-z0-9_-])", text) is not None


def golden_text(name):
	return "".join(path.read_text(encoding="utf-8", errors="replace")
		for path in sorted((ROOT / "golden" / name).glob("**/*.yaml")))


def lab_cases():
	for path in sorted(LAB.glob("case_*.py")):
		importlib.import_module(path.stem)
	return dict(suite.CASES)


def probe_text(function):
	"""The file of the case; the examples too where it is about them."""
	text = pathlib.Path(inspect.getsourcefile(function)).read_text(encoding="utf-8")
	if "examples" in text:
		text += "".join(path.read_text(encoding="utf-8") for path in sorted((ROOT / "examples").glob("*/policy.yaml")))
	return text


def broken(row, goldens, probes, cases):
	"""What is wrong with what a row names, in words."""
	wrong = []
	if not goldens:
		wrong.append("no golden case")
	if not probes:
		wrong.append("no probe in the lab")
	wrong += [f"golden/{name} is not there" for name in goldens if not (ROOT / "golden" / name / "policy.yaml").exists()]
	wrong += [f"the lab has no case {name!r}" for name in probes if name not in cases]
	compiled = "".join(golden_text(name) for name in goldens)
	probed = "".join(probe_text(cases[name]) for name in probes if name in cases)
	for word in words(row):
		wrong += [f"{what} says {word!r}" for what, text in (("no golden case", compiled), ("no probe", probed))
			if not has_word(text, word)]
	return wrong


def main():
	tap = Tap()
	cases = lab_cases()
	covered = {}
	for section, text in sections("schema/coverage.md").items():
		for row, goldens, probes in table_rows(text):
			covered[section, row] = (re.findall(r"`([^`]+)`", goldens), re.findall(r"`([^`]+)`", probes.replace("``", "`")))
	rows = language()
	for section, row in rows:
		goldens, probes = covered.pop((section, row), ((), ()))
		tap.check(f"{section}: {row} is compiled and probed", broken(row, goldens, probes, cases))
	for section, row in [key for key in covered if key[0] == BESIDE]:
		rows.append((section, row))
		tap.check(f"{section}: {row} is compiled and probed", broken(row, *covered.pop((section, row)), cases))
	tap.check("coverage.md has no row that the language has not", [f"{section}: {row}" for section, row in covered])
	said = {word for _, row in rows for word in words(row)}
	tap.check("every key of the schema is in some row", sorted(keys() - said))
	return tap.done()


if __name__ == "__main__":
	sys.exit(main())
