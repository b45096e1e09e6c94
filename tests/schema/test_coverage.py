"""Every row of the language has been compiled and sent packets through.

In go schema/reference.md, whose tables are the language, and schema/coverage.md, which names for every row
the golden cases that compile it and the lab's tests that probe it; out comes a test a row. A row without either, a
test that is not there, and one that never uses the row's words fail; so does a row of no language.
"""
import json
import pathlib
import re

import pytest

ROOT = pathlib.Path(__file__).resolve().parents[2]
LAB = ROOT / "tests" / "lab"

# The sections of the reference whose tables are the language, and the one whose bullets are its promises.
SECTIONS = ("Top level", "Settings", "Sets", "Lists", "Listeners", "Tables", "Rules", "Then", "Default", "Expect")
PROMISES = "Guarantees"
# The section of coverage.md for what the reference says outside of its tables.
BESIDE = "Outside the tables"
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


def lab_tests():
	"""{test: the text of its file}, with the examples' where it is about them."""
	found = {}
	examples = "".join(path.read_text(encoding="utf-8") for path in sorted((ROOT / "examples").glob("*/policy.yaml")))
	for path in LAB.glob("test_*.py"):
		text = path.read_text(encoding="utf-8")
		for name in re.findall(r"^def (test_\w+)", text, re.MULTILINE):
			found[f"{path.name}::{name}"] = text + (examples if "examples" in text else "")
	return found


def covered():
	"""(section, row) -> the golden cases, the lab's tests."""
	return {(section, row): (re.findall(r"`([^`]+)`", goldens), re.findall(r"`([^`]+)`", probes))
		for section, text in sections("schema/coverage.md").items()
		for row, goldens, probes in table_rows(text)}


LANGUAGE = language()
COVERED = covered()
BEYOND = [key for key in COVERED if key[0] == BESIDE]
TESTS = lab_tests()


@pytest.mark.parametrize("section, row", LANGUAGE + BEYOND)
def test_row(section, row):
	"""{section}: {row} is compiled and probed"""
	goldens, probes = COVERED.get((section, row), ((), ()))
	assert goldens, "no golden case"
	assert probes, "no test in the lab"
	assert not [name for name in goldens if not (ROOT / "golden" / name / "policy.yaml").exists()]
	assert not [name for name in probes if name not in TESTS]
	compiled = "".join(golden_text(name) for name in goldens)
	probed = "".join(TESTS[name] for name in probes)
	for what, text in ("no golden case", compiled), ("no test of the lab", probed):
		assert not [word for word in words(row) if not has_word(text, word)], what


def test_no_others():
	"""every row of coverage.md is in the language"""
	assert not [key for key in COVERED if key not in LANGUAGE + BEYOND]


def test_keys():
	"""every key of the schema is in some row"""
	assert not keys() - {word for _, row in LANGUAGE + BEYOND for word in words(row)}
