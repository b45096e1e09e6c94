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
	"include-cycle": "another file",
	"unknown-name": "names given elsewhere in the document",
	"set-cycle": "names given elsewhere in the document",
	"wrong-protocol": "the listener behind a name",
	"needs-runs-as": "the listener behind a name",
	"number-conflict": "two places at once",
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


class Tap:
	def __init__(self):
		self.count = self.failed = 0

	def ok(self, holds, name, why=""):
		self.count += 1
		self.failed += not holds
		print("%sok %d - %s" % ("" if holds else "not ", self.count, name))
		if not holds:
			for line in str(why).splitlines():
				print("#   " + line)

	def end(self):
		print("1..%d" % self.count)
		return 1 if self.failed else 0


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
		found = 0
		for name, path in policies(*pattern):
			found += 1
			error = first_error(validator, read(path))
			tap.ok(not error, "%s validates" % name, error)
		tap.ok(found > 0, "there are policies in %s" % "/".join(pattern))


def check_bad(tap, validator):
	for name, path in policies("golden", "errors", "*"):
		code = os.path.basename(name).split(".")[0]
		if code in BEYOND:
			continue
		tap.ok(first_error(validator, read(path)) != "", "%s does not validate" % name, "no error found")
	for name, path in policies("golden", "later", "*"):
		tap.ok(first_error(validator, read(path)) != "", "%s does not validate" % name, "no error found")
	for code in BEYOND:
		found = glob.glob(os.path.join(ROOT, "golden", "errors", code + "*"))
		tap.ok(found != [], "%s, which needs %s, has a golden case" % (code, BEYOND[code]))


def read_cases(path):
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
	for number, good, text in read_cases(path):
		document = yaml.load("{version: 1, %s}" % text, Loader)
		error = first_error(validator, document)
		tap.ok((error == "") == good, "pieces:%d %s: %s" % (number, "good" if good else "bad", text.replace("#", "\\#")),
			error or "it validates")


def compiler_fields():
	"""{table: {key: later}} as the compiler prints them."""
	text = subprocess.run([TPC, "schema", "--fields"], stdout=subprocess.PIPE, check=True).stdout.decode()
	tables = {}
	for line in text.splitlines():
		words = line.split()
		tables.setdefault(words[0], {})[words[1]] = words[2:] == ["later"]
	return tables


def check_fields(tap, schema):
	tables = compiler_fields()
	described = {name: body["properties"] for name, body in schema["$defs"].items() if "properties" in body}
	for table, keys in sorted(tables.items()):
		if all(keys.values()):
			continue
		now = {key for key, later in keys.items() if not later}
		there = set(described.get(table, {}))
		tap.ok(now == there, "the compiler and the schema give %s the same keys" % table,
			"only the compiler: %s\nonly the schema: %s" % (sorted(now - there), sorted(there - now)))
	missing = {name for name in described if not name.endswith(("_condition", "_only"))} - set(tables)
	tap.ok(not missing, "the compiler knows every mapping of the schema", sorted(missing))
	for table, properties in sorted(described.items()):
		bare = [key for key, body in properties.items() if "description" not in body]
		tap.ok(not bare, "every key of %s is described" % table, bare)


def check_printed(tap):
	printed = subprocess.run([TPC, "schema"], stdout=subprocess.PIPE, check=False).stdout
	with open(SCHEMA, "rb") as file:
		tap.ok(printed == file.read(), "tpc schema prints schema/policy.schema.json")


def main():
	tap = Tap()
	with open(SCHEMA, encoding="utf-8") as file:
		schema = json.load(file)
	jsonschema.Draft202012Validator.check_schema(schema)
	tap.ok(True, "the schema is a JSON Schema 2020-12")
	validator = jsonschema.Draft202012Validator(schema)
	check_good(tap, validator)
	check_bad(tap, validator)
	check_pieces(tap, validator)
	check_fields(tap, schema)
	check_printed(tap)
	return tap.end()


if __name__ == "__main__":
	sys.exit(main())
