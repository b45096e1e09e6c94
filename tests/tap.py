"""tap: results of a suite of ours, in the Test Anything Protocol that tests/run adds up.

    tap = Tap()
    tap.ok("name")                  ok 1 - name
    tap.fail("name", "what, why")   not ok 2 - name, then the text as "# " lines
    tap.skip("name", "why")         ok 3 - name # SKIP why
    sys.exit(tap.done())            1..3; the exit status

The plan comes last, so a suite that dies before done() is seen to have died.
"""
import sys


class Tap:
	def __init__(self, out=sys.stdout):
		self.out = out
		self.count = 0
		self.failed = 0

	def _line(self, text):
		print(text, file=self.out, flush=True)

	def ok(self, name):
		self.count += 1
		self._line(f"ok {self.count} - {name}")

	def skip(self, name, why):
		self.count += 1
		self._line(f"ok {self.count} - {name} # SKIP {why}")

	def fail(self, name, text=""):
		self.count += 1
		self.failed += 1
		self._line(f"not ok {self.count} - {name}")
		for line in text.splitlines():
			self._line(f"# {line}")

	def check(self, name, problems):
		"""Passed when `problems` (a text, or a list of texts) is empty."""
		text = problems if isinstance(problems, str) else "\n".join(problems)
		if text:
			self.fail(name, text)
		else:
			self.ok(name)

	def done(self):
		self._line(f"1..{self.count}")
		return 1 if self.failed else 0
