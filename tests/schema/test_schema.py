#!/usr/bin/python3
"""The schema against what it speaks of, in a real validator (python3-jsonschema).

In go the schema, the examples, the golden cases and the compiler's own field tables; out come TAP lines. What is good must
validate, what is bad must not, and the keys of both sides are the same. Policies are read the YAML 1.2 way: on, off, yes and
no are words.
"""
import glob
import json
import os
import re
import subprocess
import sys

import jsonschema
import yaml

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
sys.path.insert(0, os.path.join(ROOT, "tests"))
import outputs  # pylint: disable=wrong-import-position
from tap import Tap  # pylint: disable=wrong-import-position

SCHEMA = os.path.join(ROOT, "schema", "policy.schema.json")
TPC = os.path.abspath(os.environ.get("TPC", os.path.join(ROOT, "build", "tpc")))

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
	with open(path, encoding="utf-8") as file:
		return yaml.load(file, Loader)


def first_error(validator, document):
	error = jsonschema.exceptions.best_match(validator.iter_errors(document))
	return "" if error is None else "%s: %s" % (error.json_path, error.message[:300])


def policies(*pattern):
	for path in sorted(glob.glob(os.path.join(ROOT, *pattern, "policy.yaml"))):
		yield os.path.relpath(os.path.dirname(path), ROOT), path


def check_good(tap, validator):
	for pattern in (("examples", "*"), ("golden", "*"), ("golden", "warnings", "*")):
		found = False
		for name, path in policies(*pattern):
			found = True
			tap.check(f"{name} validates", first_error(validator, read(path)))
		tap.check(f"there are policies in {'/'.join(pattern)}", "" if found else "none")


def check_bad(tap, validator):
	for name, path in policies("golden", "errors", "*"):
		case = os.path.basename(name)
		if case in BEYOND or case.split(".")[0] in BEYOND:
			continue
		wrong = first_error(validator, read(path))
		tap.check(f"{name} does not validate", "" if wrong else "no error found")
	for code, needs in BEYOND.items():
		there = os.path.exists(os.path.join(ROOT, "golden", "errors", code, "policy.yaml"))
		tap.check(f"{code}, which needs {needs}, has a golden case", "" if there else "none")


def read_pieces(path):
	"""Pieces of policies, one a line below a heading 'good:' or 'bad:'; '#' begins a comment line."""
	good = True
	with open(path, encoding="utf-8") as file:
		for number, line in enumerate(file, 1):
			line = line.strip()
			if line in ("good:", "bad:"):
				good = line == "good:"
			elif line and not line.startswith("#"):
				yield number, good, line


def check_pieces(tap, validator):
	path = os.path.join(ROOT, "tests", "schema", "pieces")
	for number, good, text in read_pieces(path):
		document = yaml.load("{version: 1, %s}" % text, Loader)
		wrong = first_error(validator, document)
		problem = wrong if good else "" if wrong else "it validates"
		tap.check(f"pieces:{number} {'good' if good else 'bad'}: {text}", problem)


def compiler_fields():
	"""{table: {key, ...}} as the compiler prints them."""
	text = subprocess.run([TPC, "schema", "--fields"], stdout=subprocess.PIPE, check=True).stdout.decode()
	tables = {}
	for line in text.splitlines():
		table, key = line.split()
		tables.setdefault(table, set()).add(key)
	return tables


def check_fields(tap, schema):
	tables = compiler_fields()
	described = {name: body["properties"] for name, body in schema["$defs"].items() if "properties" in body}
	for table, keys in sorted(tables.items()):
		there = set(described.get(table, {}))
		tap.check(f"the compiler and the schema give {table} the same keys",
			[f"only the compiler: {key}" for key in sorted(keys - there)]
			+ [f"only the schema: {key}" for key in sorted(there - keys)])
	missing = {name for name in described if not name.endswith("_condition")} - set(tables)
	tap.check("the compiler knows every mapping of the schema", sorted(missing))
	for table, properties in sorted(described.items()):
		bare = [key for key, body in properties.items() if "description" not in body and key != "not"]
		tap.check(f"every key of {table} is described", bare)


def check_reference(tap, schema):
	"""The reference for people has every key, and every code that a message can carry."""
	with open(os.path.join(ROOT, "schema", "reference.md"), encoding="utf-8") as file:
		text = file.read()
	with open(os.path.join(ROOT, "compiler", "base", "codes.def"), encoding="utf-8") as file:
		codes = re.findall(r"^(?:DIAG|HOST)_CODE\((\w+),", file.read(), re.MULTILINE)
	keys = {key for body in schema["$defs"].values() for key in body.get("properties", {})}
	tap.check("the reference has every key",
		[key for key in sorted(keys) if not re.search(r"`%s`|[{ ]%s[:,} ]" % (key, key), text)])
	tap.check("the reference has every code",
		[code for code in codes if f"| `{code.replace('_', '-')}` |" not in text])


def check_countries(tap, schema):
	with open(os.path.join(ROOT, "compiler", "addr", "country.c"), encoding="utf-8") as file:
		codes = re.findall(r'^\t\{ "([A-Z]{2})", "[A-Z]{3}", ', file.read(), re.MULTILINE)
	same = codes and codes == schema["$defs"]["country"]["enum"]
	tap.check("the compiler and the schema know the same countries", "" if same else "they do not")


def check_printed(tap):
	printed = subprocess.run([TPC, "schema"], stdout=subprocess.PIPE, check=False).stdout
	with open(SCHEMA, "rb") as file:
		same = printed == file.read()
	tap.check("tpc schema prints schema/policy.schema.json", "" if same else "it prints something else")


def check_outputs(tap):
	"""policy.json of every golden case; what the verbs print is checked wherever a test runs them."""
	for path in sorted(glob.glob(os.path.join(ROOT, "golden", "*", "expected", "policy.json"))):
		with open(path, encoding="utf-8") as file:
			tap.check(f"{os.path.relpath(path, ROOT)} validates", outputs.wrong_with("json", json.load(file)))


def main():
	tap = Tap()
	with open(SCHEMA, encoding="utf-8") as file:
		schema = json.load(file)
	jsonschema.Draft202012Validator.check_schema(schema)
	tap.ok("the schema is a JSON Schema 2020-12")
	validator = jsonschema.Draft202012Validator(schema)
	check_good(tap, validator)
	check_bad(tap, validator)
	check_pieces(tap, validator)
	check_fields(tap, schema)
	check_reference(tap, schema)
	check_countries(tap, schema)
	check_printed(tap)
	check_outputs(tap)
	return tap.done()


if __name__ == "__main__":
	sys.exit(main())
