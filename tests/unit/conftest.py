"""unit: every cmocka test of a test_*.c as a test of pytest.

In: the sources, which name the tests, and their programs in BUILD/san/unit, or BUILD/unit where there are
none under the sanitizers. Out: a test each. A program runs once, as a whole; one that is killed, that
exits with an error and without a failed test, or that runs others than its source names fails all of its tests.
"""
import os
import pathlib
import re
import subprocess

import pytest

RESULT = re.compile(r"(not )?ok \d+ (?:# SKIP |- )?(\w+)(.*)")


def pytest_collect_file(file_path, parent):
	if file_path.suffix == ".c" and file_path.name.startswith("test_"):
		return Program.from_parent(parent, path=file_path)
	return None


class Program(pytest.File):
	"""One source, and what its program said."""

	results = None

	def collect(self):
		names = re.findall(r"\bcmocka_unit_test\w*\((\w+)", self.path.read_text(encoding="utf-8"))
		for name in names:
			item = Unit.from_parent(self, name=name)
			item.add_marker(pytest.mark.xdist_group(self.path.stem))
			yield item

	def run(self):
		"""{test: ("ok", "skip" or "not ok", what was said)} and what is wrong with the program itself."""
		if self.results is None:
			build = pathlib.Path(os.environ["BUILD"])
			folder = build / "san" if (build / "san" / "tpc").exists() else build
			done = subprocess.run([folder / "unit" / self.path.stem], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
				stderr=subprocess.STDOUT, check=False)
			self.results = read(done.stdout.decode("utf-8", "replace"), done.returncode)
		return self.results


def read(text, status):
	"""What cmocka prints: a plan, a line a test, "# " lines behind one that failed; a skip as a failure."""
	results, planned = {}, None
	for line in text.splitlines():
		plan, found = re.match(r"1\.\.(\d+)", line), RESULT.match(line)
		if plan:
			planned = int(plan[1])
		elif found:
			name = found[2]
			kind = "skip" if "# SKIP" in line else "not ok" if found[1] else "ok"
			results[name] = [kind, ""]
		elif results and line.startswith("#"):
			results[name][1] += line[1:].removeprefix(" ") + "\n"
	wrong = ""
	if status < 0:
		wrong = f"it was killed by signal {-status}"
	elif status and all(kind != "not ok" for kind, _ in results.values()):
		wrong = f"it exited with {status}"
	elif planned != len(results):
		wrong = f"it planned {planned} tests and ran {len(results)}"
	return results, wrong and f"{wrong}\n{text[-4000:]}"


class Unit(pytest.Item):
	"""One cmocka test."""

	def runtest(self):
		results, wrong = self.parent.run()
		kind, said = results.get(self.name, ("not run", ""))
		if wrong or kind in ("not ok", "not run"):
			pytest.fail(wrong or f"{kind}\n{said}", pytrace=False)
		if kind == "skip":
			pytest.skip(said.strip() or "skipped by the test")

	def reportinfo(self):
		return self.path, None, f"{self.path.stem}: {self.name}"
