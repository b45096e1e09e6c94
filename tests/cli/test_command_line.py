"""The frame around the verbs: help, versions, options in all their forms, and wrong usage."""
import os
import re
import subprocess

from cli import SEED, WRONG, expect

VERBS = ["compile", "check", "apply", "status", "remove", "explain", "plan", "graph", "schema", "confirm", "rollback", "watch"]


def test_no_verb(shop):
	"""without a verb: the usage, on standard error"""
	expect(shop.tpc(), 2, None, ["usage: tpc VERB", "compile"])


def test_help_lists(shop):
	"""--help lists every verb and no other"""
	done = shop.tpc("--help")
	expect(done, 0, ["usage: tpc", "Exit status"], None)
	listed = re.findall(r"^  ([a-z]+) ", done.stdout, re.MULTILINE)
	assert sorted(listed) == sorted(VERBS), f"listed are {listed}"


def test_verb_help(shop):
	"""every verb has its help with its own usage line, with three spellings"""
	for verb in VERBS:
		done = shop.tpc(verb, "--help")
		expect(done, 0, [f"usage: tpc {verb} [OPTIONS]", "--format", "--quiet"], None)
		assert "--beside" not in done.stdout, f"tpc {verb}: an old name is shown"
		for other in ((verb, "-h"), ("help", verb)):
			assert shop.tpc(*other).stdout == done.stdout, f"tpc {' '.join(other)} says something else"


def test_help_first(shop):
	"""--help wins over wrong options"""
	expect(shop.tpc("compile", "--help", "--nonsense", "a", "b"), 0, "usage: tpc compile", None)


def test_help_width(shop):
	"""the help of a verb fits a terminal"""
	assert not [line for verb in VERBS for line in shop.tpc(verb, "--help").stdout.splitlines()
		if len(line) > 100]


# What a terminal would obey: an escape sequence, a carriage return, a line feed, a direction override.
NASTY = "a\x1b]0;owned\x07\r\nb\u202e"


def raw(done):
	return [f"{name} has {char!r} raw: {done}" for name, text in (("out", done.stdout), ("err", done.stderr))
		for char in ("\x1b", "\x07", "\r", "\u202e", "\nb") if char in text]


def test_escapes(shop):
	"""every message of every verb escapes the names of files"""
	policy, wrong = f"{NASTY}.yaml", f"{NASTY}-wrong.yaml"
	shop.write(policy, SEED)
	shop.write(wrong, WRONG)
	shop.write("names.yaml", 'version: 1\nsets: {a: [{file: "x\\e[31m"}]}\nrules: [{to: a, then: drop}]\n')
	for words in (["check", policy], ["check", wrong], ["check", "names.yaml"], ["check", NASTY],
			["compile", policy, "-o", f"out{NASTY}"], ["compile", policy, "-o", policy], ["compile", policy, "-o", "."],
			["graph", policy, "-o", f"{NASTY}/x.dot"], ["graph", policy, "-o", f"{NASTY}.dot"], ["graph", policy, "-o", NASTY],
			["explain", policy, "to", "203.0.113.1"], ["explain", policy, NASTY, "1"],
			["explain", policy, "--batch", NASTY], ["check", policy, f"--{NASTY}"], [NASTY], ["status", NASTY],
			["compile", policy, "--emit", NASTY], ["check", policy, policy, NASTY]):
		for color in [], ["--color", "never"]:
			assert not raw(shop.tpc(*words, *(color if len(words) > 1 else [])))


def test_zone(shop):
	"""a TZ that names a pipe is not waited for"""
	shop.write("timed.yaml", SEED.replace("proto: tcp,", "proto: tcp, time: {hours: \"08:00-17:00\"},"))
	os.mkfifo(shop.folder / "zone")
	for environment in ({"TZ": str(shop.folder / "zone")}, {"TZ": ":zone", "TZDIR": str(shop.folder)},
			{"TZ": "zone", "TZDIR": str(shop.folder)}):
		done = shop.run("timeout", "20", shop.program, "compile", "timed.yaml", "-o", "out", environment=environment)
		expect(done, 0)


def test_version(shop):
	"""--version, alone and after a verb"""
	for words in (["--version"], ["check", "--version"]):
		done = shop.tpc(*words)
		expect(done, 0, (), None)
		assert re.fullmatch(r"tpc [0-9]+\.[0-9]+\.[0-9]+\n", done.stdout), repr(done.stdout)


def test_unknown_verb(shop):
	"""an unknown verb: did you mean"""
	expect(shop.tpc("complie"), 2, None, ['no verb "complie"', "did you mean `tpc compile`?"])
	expect(shop.tpc("zzzzzz"), 2, None, ['no verb "zzzzzz"', "tpc --help"])


def test_unknown_option(shop):
	"""an unknown option: did you mean, and the usage line"""
	expect(shop.tpc("compile", "--outptu", "x"), 2, None,
		["no option --outptu; did you mean --output?", "usage: tpc compile"])
	expect(shop.tpc("check", "--qiet", "x"), 2, None, "did you mean --quiet?")
	expect(shop.tpc("compile", "-z"), 2, None, ["no option -z", "usage: tpc compile"])


def test_arguments(shop):
	"""arguments that are missing or too many"""
	expect(shop.tpc("compile", "-o", "out"), 2, None, ["POLICY is missing", "usage: tpc compile"])
	expect(shop.tpc("check"), 2, None, "POLICY is missing")
	expect(shop.tpc("compile", "a", "b", "-o", "x"), 2, None, 'one argument too many: "b"')
	expect(shop.tpc("schema", "x"), 2, None, "one argument too many")


def test_values(shop):
	"""values: missing, none wanted, not among the choices"""
	expect(shop.tpc("compile", "p", "-o"), 2, None, "--output needs a value: DIR")
	expect(shop.tpc("compile", "p", "--check=yes"), 2, None, "--check takes no value")
	expect(shop.tpc("check", "p", "--format", "xml"), 2, None,
		'--format takes one of text, json, not "xml"')


def test_forms(shop):
	"""options mean the same in every form and place"""
	shop.write("p.yaml", SEED)
	ways = [["-o", "out1", "p.yaml"], ["p.yaml", "-oout2"], ["--output", "out3", "p.yaml"],
		["p.yaml", "--output=out4"], ["-qvoout5", "p.yaml"], ["-o", "x", "p.yaml", "-o", "out6"]]
	for number, words in enumerate(ways, 1):
		expect(shop.tpc("compile", *words), 0)
		assert shop.listing(f"out{number}") == shop.listing("out1") and shop.listing("out1"), f"{words}: other files"


def test_dashes(shop):
	"""`--` ends the options"""
	shop.write("-o.yaml", SEED)
	expect(shop.tpc("compile", "-o", "out", "--", "-o.yaml"), 0)
	assert "-o.nft" in shop.listing("out"), f"out holds {list(shop.listing('out'))}"


def test_before_the_verb(shop):
	"""options before the verb: the message says where they belong"""
	expect(shop.tpc("--strict", "check", "x"), 2, None, "options come after the verb: `tpc VERB --strict`")
	expect(shop.tpc("-Z"), 2, None, "no option -Z [usage]\nhelp: `tpc --help` lists them")
	expect(shop.tpc("-V"), 0, shop.tpc("--version").stdout, None)
	assert "Options:\n\n" not in shop.tpc("schema", "--help").stdout, "schema's help has a head without options"
	expect(shop.tpc("-q", "check", "x"), 2, None, "options come after the verb: `tpc VERB -q`")


def test_full(shop):
	"""a full disk under standard output is reported, with status 3"""
	shop.write("p.yaml", SEED)
	with open("/dev/full", "wb") as nowhere:
		done = shop.tpc("compile", "p.yaml", "--emit", "nft", stdout=nowhere)
	expect(done, 3, (), "cannot write to standard output: No space left on device")


def test_gone(shop):
	"""a closed pipe on standard output causes no message and no signal"""
	with subprocess.Popen([shop.program, "schema"], stdout=subprocess.PIPE, stderr=subprocess.PIPE) as child:
		child.stdout.close()
		errors = child.stderr.read().decode()
		status = child.wait(timeout=20)
	del shop
	# The schema may have been written before the pipe was closed.
	good = status in (0, 3) and not errors
	assert good, f"status {status}: {errors}"


def test_colors(shop):
	"""colours: on, off, and none in a pipe"""
	shop.write("p.yaml", WRONG)
	expect(shop.tpc("check", "--color", "always", "p.yaml"), 1, None, "\x1b[")
	for words in (["--color", "never"], ["--color", "auto"], []):
		assert "\x1b" not in shop.tpc("check", *words, "p.yaml").stderr, f"{words}: colours in a pipe"
