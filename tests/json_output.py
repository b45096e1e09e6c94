"""json_output: validates the output of `--format json` against schema/output.schema.json.

In: the command's words and its output. Out: what does not fit. Each line on standard output is an object of its
verb (check: or a message), each line on standard error a message.
"""
import json
import pathlib

import jsonschema

SCHEMA = pathlib.Path(__file__).resolve().parent.parent / "schema" / "output.schema.json"
VALIDATORS = {}


def validator(name):
	if name not in VALIDATORS:
		schema = json.loads(SCHEMA.read_text(encoding="utf-8"))
		del schema["anyOf"]
		VALIDATORS[name] = jsonschema.Draft202012Validator({**schema, "$ref": f"#/$defs/{name}"})
	return VALIDATORS[name]


def wrong_with(name, document):
	"""The first thing that does not fit; "" for none."""
	error = jsonschema.exceptions.best_match(validator(name).iter_errors(document))
	return "" if error is None else f"{name}: {error.json_path}: {error.message[:300]}"


def wrong_with_line(name, line):
	document = json.loads(line)
	return wrong_with("message" if name == "check" and "severity" in document else name, document)


def is_json(words):
	return any(pair == ("--format", "json") for pair in zip(words, words[1:]))


def checked(words, done):
	"""`done` again; raises where it does not fit. `words` begin with the verb."""
	words = [str(word) for word in words]
	if not is_json(words):
		return done
	lines = [] if "--emit" in words or "--check" in words else [(words[0], line) for line in done.stdout.splitlines()]
	lines += [("message", line) for line in done.stderr.splitlines()]
	for name, line in lines:
		problem = wrong_with_line(name, line)
		if problem:
			raise AssertionError(f"tpc {' '.join(words)}: {problem}\n{line[:500]}")
	return done
