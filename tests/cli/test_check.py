"""tpc check and tpc schema: what they say and what they leave alone."""
import json

from cli import ROOT, SEED, WRONG, expect

EXPECT = SEED + """expect:
  - {packet: {in: lan0, from: 10.10.10.2, to: 203.0.113.8, proto: tcp, port: 80}, then: {proxy: proxy}}
  - {packet: {in: lan0, from: 10.10.10.2, to: 192.0.2.8, proto: tcp, port: 80}, then: direct}
"""


def test_good(shop):
	"""good policies: one line each, with counts"""
	shop.write("a.yaml", SEED)
	shop.write("b.yaml", EXPECT)
	expect(shop.tpc("check", "a.yaml", "b.yaml"), 0,
		["a.yaml: ok (1 rule, 1 set, 0 expectations)\n", "b.yaml: ok (1 rule, 1 set, 2 expectations)\n"])
	expect(shop.tpc("check", "-q", "a.yaml"), 0, None)


def test_bad(shop):
	"""one bad policy of several: its error, the lines of the others, status 1, nothing written"""
	shop.write("a.yaml", SEED)
	shop.write("b.yaml", WRONG)
	before = shop.listing()
	expect(shop.tpc("check", "b.yaml", "a.yaml", "none.yaml"), 1,
		"a.yaml: ok", ["b.yaml:7:", "^^^^", "none.yaml"])
	assert shop.listing() == before, "files were touched"


def test_all_errors(shop):
	"""one run reports all errors of a policy"""
	text = WRONG.replace("to: foreign", "to: nowhere, port: 99999").replace("tproxy: 12345", "tproxi: 12345")
	shop.write("a.yaml", text.replace("203.0.113.0", "203.0.113.1"))
	expect(shop.tpc("check", "a.yaml"), 1, None, ["a.yaml:3:", "a.yaml:5:", "a.yaml:7:", "99999"])


def test_failed(shop):
	"""an expectation that fails shows which rule took the packet"""
	shop.write("a.yaml", EXPECT.replace("then: direct}", "then: drop}"))
	expect(shop.tpc("check", "a.yaml"), 1, None, ["a.yaml:10:", "[expect-failed]"])


def test_standard_input(shop):
	"""standard input has a name in messages"""
	expect(shop.tpc("check", "-", stdin=SEED), 0, "<stdin>: ok")
	expect(shop.tpc("check", "-", stdin=WRONG), 1, None, "<stdin>:7:")


def test_as_json(shop):
	"""--format json: everything on standard output, one object in each line"""
	shop.write("a.yaml", EXPECT)
	shop.write("b.yaml", WRONG)
	done = shop.tpc("check", "--format", "json", "a.yaml", "b.yaml")
	expect(done, 1, (), None)
	objects = [json.loads(line) for line in done.stdout.splitlines()]
	verdicts = {item["policy"]: item for item in objects if "policy" in item}
	errors = [item for item in objects if "code" in item and item["severity"] == "error"]
	assert verdicts["a.yaml"]["ok"] and verdicts["a.yaml"]["expectations"] == 2 and not verdicts["b.yaml"]["ok"], \
		f"the verdicts are {verdicts}"
	assert [(item["file"], item["line"], item["code"]) for item in errors] == [("b.yaml", 7, "unknown-name")], f"the errors are {errors}"


def test_schema(shop):
	"""tpc schema prints the schema of the repository"""
	done = shop.tpc("schema")
	expect(done, 0, (), None)
	assert done.stdout == (ROOT / "schema" / "policy.schema.json").read_text(encoding="utf-8"), "another text than schema/policy.schema.json"
	assert json.loads(done.stdout)["$schema"] == "https://json-schema.org/draft/2020-12/schema", "another dialect"


def test_fields(shop):
	"""tpc schema --fields prints one key in each line"""
	done = shop.tpc("schema", "--fields")
	lines = done.stdout.splitlines()
	expect(done, 0, (), None)
	assert "rule to" in lines and len(lines) == len(set(lines)), "keys are missing or twice there"
	assert not [f"a line of another form: {line}" for line in lines if len(line.split()) not in (2, 3)]
