"""cli: running the command as a user does.

A test of this folder takes a `shop`, a folder of its own with the program at hand, or a `host`, a network
namespace whose commands run in that folder. What it says is compared by expect(), states of a host by differs().
"""
import os
import pathlib

import pytest

import ns
import json_output

ROOT = pathlib.Path(__file__).resolve().parents[2]
KILLAT = pathlib.Path(os.environ["BUILD"]) / "torture" / "killat"
PATH = os.environ["PATH"]
PLAIN = {"PATH": PATH, "LC_ALL": "C.UTF-8", "HOME": "/"}

SEED = """version: 1
sets:
  foreign: [203.0.113.0/24, 198.51.100.7, "2001:db8:113::/48"]
listeners:
  proxy: {tproxy: 12345, mark: 100, table: 100}
rules:
  - {to: foreign, proto: tcp, then: {proxy: proxy}}
"""
WRONG = SEED.replace("proxy: proxy}", "proxy: prxy}")


def needs_the_program_itself(shop, why):
	"""For a test that cannot hold where the program is a script that runs it by another one: valgrind, qemu."""
	with open(shop.program, "rb") as file:
		if file.read(2) == b"#!":
			pytest.skip(f"the program runs inside another one: {why}")


class Shop:
	"""A folder, and the program to be run in it."""

	def __init__(self, folder, program=os.environ["TPC"]):
		self.folder = pathlib.Path(folder)
		self.program = str(program)

	def write(self, name, text):
		path = self.folder / name
		path.parent.mkdir(parents=True, exist_ok=True)
		path.write_text(text, encoding="utf-8")
		return path

	def run(self, *command, stdin=None, environment=None, **more):
		"""What a command says, whatever its exit status."""
		return ns.run(*command, check=False, stdin=stdin, cwd=self.folder, env={**PLAIN, **(environment or {})}, **more)

	def tpc(self, *words, **more):
		return json_output.checked(words, self.run(self.program, *words, **more))

	def listing(self, folder="."):
		"""Every file below the folder with its bytes."""
		base = self.folder / folder
		return {str(path.relative_to(base)): path.read_bytes()
			for path in sorted(base.rglob("*")) if path.is_file()}


def expect(done, status, out=(), err=()):
	"""The status; words in the outputs; None: the output is empty."""
	assert done.returncode == status, done
	for name, text, words in (("out", done.stdout, out), ("err", done.stderr, err)):
		if words is None:
			assert text == "", f"something on std{name}: {done}"
			continue
		for word in [words] if isinstance(words, str) else words:
			assert word in text, f"std{name} does not say {word!r}: {done}"


def differs(before, after, what):
	"""Two states of a host differ in nothing but the order in which nft and ip list it."""
	gone = [line for line in before.splitlines() if line not in after.splitlines()]
	new = [line for line in after.splitlines() if line not in before.splitlines()]
	assert sorted(before.splitlines()) == sorted(after.splitlines()), "\n".join(
		[what, *(f"- {line}" for line in gone), *(f"+ {line}" for line in new)])
