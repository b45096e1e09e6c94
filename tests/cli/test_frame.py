#!/usr/bin/python3
"""The frame around the verbs: help, versions, options in all their forms, and wrong usage."""
import os
import re
import subprocess
import sys

from cli import SEED, TPC, WRONG, case, expect, main

VERBS = ["compile", "check", "apply", "status", "remove", "explain", "plan", "graph", "schema", "confirm", "rollback"]


@case("without a verb: the usage, on standard error")
def no_verb(shop):
	return expect(shop.tpc(), 2, None, ["usage: tpc VERB", "compile"])


@case("--help lists every verb that is there and none that is not")
def help_lists(shop):
	done = shop.tpc("--help")
	problems = expect(done, 0, ["usage: tpc", "Exit status"], None)
	listed = re.findall(r"^  ([a-z]+) ", done.out, re.MULTILINE)
	if sorted(listed) != sorted(VERBS):
		problems.append(f"listed are {listed}")
	return problems


@case("every verb has its help, with its own usage line, three ways to it")
def verb_help(shop):
	problems = []
	for verb in VERBS:
		done = shop.tpc(verb, "--help")
		problems += expect(done, 0, [f"usage: tpc {verb}", "--format", "--quiet"], None)
		for other in ((verb, "-h"), ("help", verb)):
			if shop.tpc(*other).out != done.out:
				problems.append(f"tpc {' '.join(other)} says something else")
	return problems


@case("help comes before everything else that is wrong")
def help_first(shop):
	return expect(shop.tpc("compile", "--help", "--nonsense", "a", "b"), 0, "usage: tpc compile", None)


@case("the help of a verb fits a terminal")
def help_width(shop):
	return [line for verb in VERBS for line in shop.tpc(verb, "--help").out.splitlines()
		if len(line) > 100]


# What a terminal would obey: an escape sequence, a carriage return, a line feed, a direction override.
NASTY = "a\x1b]0;owned\x07\r\nb\u202e"


def raw(done):
	return [f"{name} has {char!r} raw: {done}" for name, text in (("out", done.out), ("err", done.err))
		for char in ("\x1b", "\x07", "\r", "\u202e", "\nb") if char in text]


@case("nothing in the name of a file reaches the terminal raw, in no message of any verb")
def escapes(shop):
	policy, wrong = f"{NASTY}.yaml", f"{NASTY}-wrong.yaml"
	shop.write(policy, SEED)
	shop.write(wrong, WRONG)
	shop.write("names.yaml", 'version: 1\nsets: {a: [{file: "x\\e[31m"}]}\nrules: [{to: a, then: drop}]\n')
	problems = []
	for words in (["check", policy], ["check", wrong], ["check", "names.yaml"], ["check", NASTY],
			["compile", policy, "-o", f"out{NASTY}"], ["compile", policy, "-o", policy], ["compile", policy, "-o", "."],
			["graph", policy, "-o", f"{NASTY}/x.dot"], ["graph", policy, "-o", f"{NASTY}.dot"], ["graph", policy, "-o", NASTY],
			["explain", policy, "to", "203.0.113.1"], ["explain", policy, NASTY, "1"],
			["explain", policy, "--batch", NASTY], ["check", policy, f"--{NASTY}"], [NASTY], ["status", NASTY],
			["compile", policy, "--emit", NASTY], ["check", policy, policy, NASTY]):
		for color in [], ["--color", "never"]:
			problems += raw(shop.tpc(*words, *(color if len(words) > 1 else [])))
	return problems


@case("a TZ that names a pipe is not waited for")
def zone(shop):
	shop.write("timed.yaml", SEED.replace("proto: tcp,", "proto: tcp, time: {hours: \"08:00-17:00\"},"))
	os.mkfifo(shop.folder / "zone")
	problems = []
	for environment in ({"TZ": str(shop.folder / "zone")}, {"TZ": ":zone", "TZDIR": str(shop.folder)},
			{"TZ": "zone", "TZDIR": str(shop.folder)}):
		done = shop.run("timeout", "20", TPC, "compile", "timed.yaml", "-o", "out", environment=environment)
		problems += expect(done, 0)
	return problems


@case("--version, alone and behind a verb")
def version(shop):
	problems = []
	for words in (["--version"], ["check", "--version"]):
		done = shop.tpc(*words)
		problems += expect(done, 0, (), None)
		if not re.fullmatch(r"tpc [0-9]+\.[0-9]+\.[0-9]+\n", done.out):
			problems.append(repr(done.out))
	return problems


@case("an unknown verb: did you mean")
def unknown_verb(shop):
	problems = expect(shop.tpc("complie"), 2, None, ['no verb "complie"', "did you mean `tpc compile`?"])
	return problems + expect(shop.tpc("zzzzzz"), 2, None, ['no verb "zzzzzz"', "tpc --help"])


@case("an unknown option: did you mean, and the usage line")
def unknown_option(shop):
	problems = expect(shop.tpc("compile", "--outptu", "x"), 2, None,
		["no option --outptu; did you mean --output?", "usage: tpc compile"])
	problems += expect(shop.tpc("check", "--qiet", "x"), 2, None, "did you mean --quiet?")
	return problems + expect(shop.tpc("compile", "-z"), 2, None, ["no option -z", "usage: tpc compile"])


@case("arguments that are missing or too many")
def arguments(shop):
	problems = expect(shop.tpc("compile", "-o", "out"), 2, None, ["POLICY is missing", "usage: tpc compile"])
	problems += expect(shop.tpc("check"), 2, None, "POLICY is missing")
	problems += expect(shop.tpc("compile", "a", "b", "-o", "x"), 2, None, 'one argument too many: "b"')
	return problems + expect(shop.tpc("schema", "x"), 2, None, "one argument too many")


@case("values: missing, none wanted, not among the choices")
def values(shop):
	problems = expect(shop.tpc("compile", "p", "-o"), 2, None, "--output needs a value: DIR")
	problems += expect(shop.tpc("compile", "p", "--check=yes"), 2, None, "--check takes no value")
	return problems + expect(shop.tpc("check", "p", "--format", "xml"), 2, None,
		'--format takes one of text, json, not "xml"')


@case("options in every form and place mean the same")
def forms(shop):
	shop.write("p.yaml", SEED)
	ways = [["-o", "out1", "p.yaml"], ["p.yaml", "-oout2"], ["--output", "out3", "p.yaml"],
		["p.yaml", "--output=out4"], ["-qvoout5", "p.yaml"], ["-o", "x", "p.yaml", "-o", "out6"]]
	problems = []
	for number, words in enumerate(ways, 1):
		problems += expect(shop.tpc("compile", *words), 0)
		if shop.listing(f"out{number}") != shop.listing("out1") or not shop.listing("out1"):
			problems.append(f"{words}: other files")
	return problems


@case("`--` ends the options")
def dashes(shop):
	shop.write("-o.yaml", SEED)
	problems = expect(shop.tpc("compile", "-o", "out", "--", "-o.yaml"), 0)
	if "-o.nft" not in shop.listing("out"):
		problems.append(f"out holds {list(shop.listing('out'))}")
	return problems


@case("options before the verb: where they belong")
def before_the_verb(shop):
	problems = expect(shop.tpc("--strict", "check", "x"), 2, None, "options come after the verb: `tpc VERB --strict`")
	problems += expect(shop.tpc("-Z"), 2, None, "no option -Z [usage]\nhelp: `tpc --help` lists them")
	problems += expect(shop.tpc("-V"), 0, shop.tpc("--version").out, None)
	if "Options:\n\n" in shop.tpc("schema", "--help").out:
		problems.append("schema's help has a head without options")
	return problems + expect(shop.tpc("-q", "check", "x"), 2, None, "options come after the verb: `tpc VERB -q`")


@case("a full disk behind standard output is said, with status 3")
def full(shop):
	shop.write("p.yaml", SEED)
	with open("/dev/full", "wb") as nowhere:
		done = shop.tpc("compile", "p.yaml", "--emit", "nft", stdout=nowhere)
	return expect(done, 3, (), "cannot write to standard output: No space left on device")


@case("a reader that goes away is no reason to talk, and no death by signal")
def gone(shop):
	with subprocess.Popen([TPC, "schema"], stdout=subprocess.PIPE, stderr=subprocess.PIPE) as child:
		child.stdout.close()
		errors = child.stderr.read().decode()
		status = child.wait(timeout=20)
	del shop
	# The schema may have been written before the pipe was closed.
	good = status in (0, 3) and not errors
	return [] if good else [f"status {status}: {errors}"]


@case("colours: asked for, refused, and none in a pipe")
def colors(shop):
	shop.write("p.yaml", WRONG)
	problems = expect(shop.tpc("check", "--color", "always", "p.yaml"), 1, None, "\x1b[")
	for words in (["--color", "never"], ["--color", "auto"], []):
		if "\x1b" in shop.tpc("check", *words, "p.yaml").err:
			problems.append(f"{words}: colours in a pipe")
	return problems


if __name__ == "__main__":
	sys.exit(main())
