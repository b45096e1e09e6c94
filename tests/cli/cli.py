"""cli: running the command as a user does.

A suite of this folder is a file of functions, each marked with @case("what it shows"); each gets a Shop,
a folder of its own with the program at hand, and returns what is wrong as a list of texts (none: good),
or raises Skip.
"""
import os
import pathlib
import subprocess
import sys
import tempfile
import traceback

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
sys.path.insert(0, str(ROOT / "tests"))
import outputs  # pylint: disable=wrong-import-position
from tap import Tap  # pylint: disable=wrong-import-position

TPC = os.path.abspath(os.environ.get("TPC", ROOT / "build" / "tpc"))
KILLAT = pathlib.Path(os.environ.get("BUILD", ROOT / "build")).resolve() / "torture" / "killat"
PATH = os.environ.get("PATH", "") + ":/usr/local/sbin:/usr/sbin:/sbin"
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

CASES = []


class Skip(Exception):
	"""What the case needs is not on this machine; the text says what."""


def needs_the_program_itself(why):
	"""For a case that cannot hold where TPC is a script that runs it by another program: valgrind, qemu."""
	with open(TPC, "rb") as file:
		if file.read(2) == b"#!":
			raise Skip(f"the program runs inside another one: {why}")


class Done:
	"""What a program left behind: its status and both its outputs as text."""

	def __init__(self, completed):
		self.status = completed.returncode
		self.out = (completed.stdout or b"").decode("utf-8", "backslashreplace")
		self.err = completed.stderr.decode("utf-8", "backslashreplace")

	def __str__(self):
		return f"status {self.status}\nout: {self.out}err: {self.err}"


class Shop:
	"""A folder, and the program to be run in it."""

	def __init__(self, folder):
		self.folder = pathlib.Path(folder)

	def write(self, name, text):
		path = self.folder / name
		path.parent.mkdir(parents=True, exist_ok=True)
		path.write_text(text, encoding="utf-8")
		return path

	def run(self, *command, stdin=b"", environment=None, **more):
		more.setdefault("stdout", subprocess.PIPE)
		return Done(subprocess.run([str(word) for word in command], cwd=self.folder, input=stdin,
			env={**PLAIN, **(environment or {})}, stderr=subprocess.PIPE, timeout=300,
			check=False, **more))

	def tpc(self, *words, **more):
		return outputs.checked(words, self.run(TPC, *words, **more))

	def listing(self, folder="."):
		"""Every file below the folder with its bytes."""
		base = self.folder / folder
		return {str(path.relative_to(base)): path.read_bytes()
			for path in sorted(base.rglob("*")) if path.is_file()}


def case(name):
	def add(function):
		CASES.append((name, function))
		return function
	return add


def expect(done, status, out=(), err=()):
	"""What of this does not hold: the status; words in the outputs; None: the output is empty."""
	problems = []
	if done.status != status:
		problems.append(f"status {done.status}, not {status}")
	for name, text, words in (("out", done.out, out), ("err", done.err, err)):
		if words is None:
			if text:
				problems.append(f"something on std{name}")
			continue
		for word in [words] if isinstance(words, str) else words:
			if word not in text:
				problems.append(f"std{name} does not say {word!r}")
	return problems + [str(done)] if problems else []


def main():
	tap = Tap()
	for name, function in CASES:
		with tempfile.TemporaryDirectory(prefix="cli-") as folder:
			try:
				problems = function(Shop(folder))
			except Skip as why:
				tap.skip(name, why)
				continue
			except Exception:  # pylint: disable=broad-except
				problems = [traceback.format_exc()]
		tap.check(name, problems)
	return tap.done()
