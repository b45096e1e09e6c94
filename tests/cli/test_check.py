#!/usr/bin/python3
"""tpc check and tpc schema: what they say and what they leave alone."""
import json
import sys

from cli import ROOT, SEED, WRONG, case, expect, main

EXPECT = SEED + """expect:
  - {packet: {in: lan0, from: 10.10.10.2, to: 203.0.113.8, proto: tcp, port: 80}, then: {proxy: proxy}}
  - {packet: {in: lan0, from: 10.10.10.2, to: 192.0.2.8, proto: tcp, port: 80}, then: direct}
"""


@case("good policies: a line each, with what they hold")
def good(shop):
	shop.write("a.yaml", SEED)
	shop.write("b.yaml", EXPECT)
	problems = expect(shop.tpc("check", "a.yaml", "b.yaml"), 0,
		["a.yaml: ok (1 rule, 1 set, 0 expectations)\n", "b.yaml: ok (1 rule, 1 set, 2 expectations)\n"])
	return problems + expect(shop.tpc("check", "-q", "a.yaml"), 0, None)


@case("one bad policy of several: its error, the others' lines, status 1, nothing written")
def bad(shop):
	shop.write("a.yaml", SEED)
	shop.write("b.yaml", WRONG)
	before = shop.listing()
	problems = expect(shop.tpc("check", "b.yaml", "a.yaml", "none.yaml"), 1,
		"a.yaml: ok", ["b.yaml:7:", "^^^^", "none.yaml"])
	return problems + ([] if shop.listing() == before else ["files were touched"])


@case("all errors of a policy in one run")
def all_errors(shop):
	text = WRONG.replace("to: foreign", "to: nowhere, port: 99999").replace("tproxy: 12345", "tproxi: 12345")
	shop.write("a.yaml", text.replace("203.0.113.0", "203.0.113.1"))
	return expect(shop.tpc("check", "a.yaml"), 1, None, ["a.yaml:3:", "a.yaml:5:", "a.yaml:7:", "99999"])


@case("an expectation that fails shows which rule took the packet")
def failed(shop):
	shop.write("a.yaml", EXPECT.replace("then: direct}", "then: drop}"))
	return expect(shop.tpc("check", "a.yaml"), 1, None, ["a.yaml:10:", "[expect-failed]"])


@case("standard input has a name in messages")
def standard_input(shop):
	problems = expect(shop.tpc("check", "-", stdin=SEED.encode()), 0, "<stdin>: ok")
	return problems + expect(shop.tpc("check", "-", stdin=WRONG.encode()), 1, None, "<stdin>:7:")


@case("--format json: everything on standard output, an object a line")
def as_json(shop):
	shop.write("a.yaml", EXPECT)
	shop.write("b.yaml", WRONG)
	done = shop.tpc("check", "--format", "json", "a.yaml", "b.yaml")
	problems = expect(done, 1, (), None)
	objects = [json.loads(line) for line in done.out.splitlines()]
	verdicts = {item["policy"]: item for item in objects if "policy" in item}
	errors = [item for item in objects if "code" in item and item["severity"] == "error"]
	if not verdicts["a.yaml"]["ok"] or verdicts["a.yaml"]["expectations"] != 2 or verdicts["b.yaml"]["ok"]:
		problems.append(f"the verdicts are {verdicts}")
	if [(item["file"], item["line"], item["code"]) for item in errors] != [("b.yaml", 7, "unknown-name")]:
		problems.append(f"the errors are {errors}")
	return problems


@case("tpc schema prints the schema of the repository")
def schema(shop):
	done = shop.tpc("schema")
	problems = expect(done, 0, (), None)
	if done.out != (ROOT / "schema" / "policy.schema.json").read_text(encoding="utf-8"):
		problems.append("another text than schema/policy.schema.json")
	if json.loads(done.out)["$schema"] != "https://json-schema.org/draft/2020-12/schema":
		problems.append("another dialect")
	return problems


@case("tpc schema --fields prints a key a line")
def fields(shop):
	done = shop.tpc("schema", "--fields")
	lines = done.out.splitlines()
	problems = expect(done, 0, (), None)
	if "rule to" not in lines or len(lines) != len(set(lines)):
		problems.append("keys are missing or twice there")
	return problems + [f"a line of another form: {line}" for line in lines if len(line.split()) not in (2, 3)]


if __name__ == "__main__":
	sys.exit(main())
