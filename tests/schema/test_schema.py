"""The schema against what it speaks of, in a real validator (python3-jsonschema).

In go the schema, the examples, the golden cases and the compiler's own field tables; out comes a test each. What is good must
validate, what is bad must not, and the keys of both sides are the same. Policies are read the YAML 1.2 way: on, off, yes and
no are words.
"""
import json
import os
import pathlib
import re
import subprocess

import jsonschema
import pytest
import yaml

import json_output

ROOT = pathlib.Path(__file__).resolve().parents[2]
TPC = os.environ["TPC"]
TEXT = (ROOT / "schema" / "policy.schema.json").read_text(encoding="utf-8")
SCHEMA = json.loads(TEXT)
VALIDATOR = jsonschema.Draft202012Validator(SCHEMA)

# Errors that no schema can see, each with what it would have to know.
BEYOND = {
	"file-unreadable": "the file system",
	"file-too-large": "the file system",
	"encoding": "bytes below YAML",
	"yaml-syntax": "text below YAML",
	"yaml-colon-address": "text below YAML",
	"yaml-feature": "text below YAML",
	"yaml-depth": "text below YAML",
	"yaml-scalar-size": "text below YAML",
	"duplicate-key": "a mapping before it is one",
	"list-entry": "another file",
	"list-entry.formats": "another file",
	"list-format": "another file",
	"geoip-database": "another file",
	"include-cycle": "another file",
	"unknown-name": "names given elsewhere in the document",
	"set-cycle": "names given elsewhere in the document",
	"group-cycle": "names given elsewhere in the document",
	"endpoint-inside": "where rules send an address",
	"impossible.answers": "a route and another key side by side",
	"impossible.nptv6": "two prefixes side by side",
	"impossible.nptv6-family": "the family of an address",
	"impossible.route-order": "two routes side by side",
	"impossible.families": "the family of an address",
	"impossible.family-off": "two places at once",
	"impossible.listener": "the listener behind a name",
	"impossible.loopback": "the listener behind a name",
	"impossible.routes": "the family and the group behind a value",
	"impossible.source": "the family of an address",
	"impossible.dynamic": "the set behind a name",
	"impossible.time": "a calendar",
	"wrong-protocol": "the listener behind a name",
	"needs-runs-as": "the listener behind a name",
	"number-conflict": "two places at once",
	"own-mark": "a comment that allows it",
	"out-of-numbers": "what is allocated",
	"too-complex": "what is generated",
	"expect-failed": "what the rules mean",
}


class Loader(yaml.SafeLoader):
	"""YAML 1.2's core words: only true and false are booleans, and a colon never makes a number."""


Loader.yaml_implicit_resolvers = {}
for tag, words, first in (
	("bool", r"^(?:true|True|TRUE|false|False|FALSE)$", "tTfF"),
	("int", r"^(?:[-+]?[0-9]+|0x[0-9a-fA-F]+|0o[0-7]+)$", "-+0123456789"),
	("float", r"^[-+]?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?$", "-+.0123456789"),
	("null", r"^(?:~|null|Null|NULL|)$", ["~", "n", "N", ""]),
):
	Loader.add_implicit_resolver("tag:yaml.org,2002:" + tag, re.compile(words), list(first))


def integer(loader, node):
	text = loader.construct_scalar(node)
	return int(text, 0 if text[:2] in ("0x", "0o") else 10)


Loader.add_constructor("tag:yaml.org,2002:int", integer)


def read(path):
	return yaml.load(path.read_text(encoding="utf-8"), Loader)


def first_error(document):
	error = jsonschema.exceptions.best_match(VALIDATOR.iter_errors(document))
	return "" if error is None else f"{error.json_path}: {error.message[:300]}"


def policies(pattern):
	"""The folders that hold one."""
	return [str(path.parent.relative_to(ROOT)) for path in sorted(ROOT.glob(f"{pattern}/policy.yaml"))]


def read_pieces():
	"""Pieces of policies, one a line below a heading 'good:' or 'bad:'; '#' begins a comment line."""
	kind, pieces = "good", []
	for number, line in enumerate((ROOT / "tests" / "schema" / "pieces").read_text(encoding="utf-8").splitlines(), 1):
		line = line.strip()
		if line in ("good:", "bad:"):
			kind = line[:-1]
		elif line and not line.startswith("#"):
			pieces.append(pytest.param(kind, line, id=f"{number}-{kind}"))
	return pieces


def compiler_fields():
	"""{table: {key, ...}} as the compiler prints them."""
	tables = {}
	for line in subprocess.run([TPC, "schema", "--fields"], stdout=subprocess.PIPE, check=True, text=True).stdout.splitlines():
		table, key = line.split()
		tables.setdefault(table, set()).add(key)
	return tables


FIELDS = compiler_fields() if os.access(TPC, os.X_OK) else {}
DESCRIBED = {name: body["properties"] for name, body in SCHEMA["$defs"].items() if "properties" in body}
GOOD = [policies(pattern) for pattern in ("examples/*", "golden/*", "golden/warnings/*")]
BAD = [name for name in policies("golden/errors/*")
	if not {os.path.basename(name), os.path.basename(name).split(".")[0]} & BEYOND.keys()]


def test_dialect():
	"""the schema is a JSON Schema 2020-12"""
	jsonschema.Draft202012Validator.check_schema(SCHEMA)
	assert all(GOOD) and BAD, "no policies to try it with"


@pytest.mark.parametrize("name", sum(GOOD, []))
def test_good(name):
	"""{name} validates"""
	assert first_error(read(ROOT / name / "policy.yaml")) == ""


@pytest.mark.parametrize("name", BAD)
def test_bad(name):
	"""{name} does not validate"""
	assert first_error(read(ROOT / name / "policy.yaml")) != ""


@pytest.mark.parametrize("code", BEYOND)
def test_beyond(code):
	"""an error outside the schema has a golden case: {code}"""
	assert (ROOT / "golden" / "errors" / code / "policy.yaml").exists(), f"it needs {BEYOND[code]}"


@pytest.mark.parametrize("kind, text", read_pieces())
def test_piece(kind, text):
	"""{kind}: {text}"""
	wrong = first_error(yaml.load(f"{{version: 1, {text}}}", Loader))
	assert (wrong == "") == (kind == "good"), wrong


@pytest.mark.parametrize("table", sorted(FIELDS))
def test_fields(table):
	"""the compiler and the schema give {table} the same keys"""
	assert FIELDS[table] == set(DESCRIBED.get(table, {}))


@pytest.mark.parametrize("table", sorted(DESCRIBED))
def test_described(table):
	"""every key of {table} is described, and the compiler knows the mapping"""
	assert not [key for key, body in DESCRIBED[table].items() if "description" not in body and key != "not"]
	assert table in FIELDS or table.endswith("_condition")


def test_reference():
	"""the reference for people has every key, and every code that a message can carry"""
	text = (ROOT / "schema" / "reference.md").read_text(encoding="utf-8")
	codes = re.findall(r"^(?:DIAG|HOST)_CODE\((\w+),", (ROOT / "compiler/base/codes.def").read_text(encoding="utf-8"), re.MULTILINE)
	keys = {key for body in SCHEMA["$defs"].values() for key in body.get("properties", {})}
	assert not [key for key in sorted(keys) if not re.search(rf"`{key}`|[{{ ]{key}[:,}} ]", text)]
	assert not [code for code in codes if f"| `{code.replace('_', '-')}` |" not in text]


def test_countries():
	"""the compiler and the schema know the same countries"""
	text = (ROOT / "compiler" / "addr" / "country.c").read_text(encoding="utf-8")
	codes = re.findall(r'^\t\{ "([A-Z]{2})", "[A-Z]{3}", ', text, re.MULTILINE)
	assert codes and codes == SCHEMA["$defs"]["country"]["enum"]


def test_printed():
	"""tpc schema prints schema/policy.schema.json"""
	assert subprocess.run([TPC, "schema"], stdout=subprocess.PIPE, check=False, text=True).stdout == TEXT


@pytest.mark.parametrize("path", [str(path.relative_to(ROOT)) for path in sorted(ROOT.glob("golden/*/expected/policy.json"))])
def test_outputs(path):
	"""{path} validates; every test of a verb validates its output"""
	assert not json_output.wrong_with("json", json.loads((ROOT / path).read_text(encoding="utf-8")))
