"""The suites' own pytest, fed with tests that go wrong in every way we know: nothing may look like success."""
import os
import pathlib
import re
import shutil
import subprocess
import sys

import pytest

ROOT = pathlib.Path(__file__).resolve().parents[2]
HEAD = "import os, pytest, time\n"
# What a test does, what must be said of it, and the last line. A killed worker's test may be tried again.
TESTS = {
	"a good one": ("def test_it(): pass", "1 passed in", "1 passed, 0 failed, 0 skipped"),
	"a failure": ("def test_it():\n\tassert 1 == 2, 'because'", "because", "0 passed, 1 failed, 0 skipped"),
	"its title": ("@pytest.mark.parametrize('n', [7])\ndef test_it(n):\n\t'it holds for {n}'\n\tassert not n",
		"test_it[7]: it holds for 7", "0 passed, 1 failed, 0 skipped"),
	"nothing at all": ("", "no tests ran", "0 passed, 0 failed, 0 skipped"),
	"killed": ("def test_it(): os.kill(os.getpid(), 9)", "crashed while running", "0 passed, [1-9] failed, 0 skipped"),
	"no module": ("import nosuch", "No module named 'nosuch'", "0 passed, 1 failed, 0 skipped"),
	"a fixture that fails": ("@pytest.fixture\ndef bad(): 1 / 0\ndef test_it(bad): pass", "ZeroDivisionError",
		"0 passed, 1 failed, 0 skipped"),
	"hanging": ("@pytest.mark.limit(1)\ndef test_it(): time.sleep(60)", "not done after 1 seconds",
		"0 passed, 1 failed, 0 skipped"),
	"a skip": ("def test_it(): pytest.skip('no such kernel')", "no such kernel", "0 passed, 0 failed, 1 skipped"),
	"long": ("@pytest.mark.long\ndef test_it(): assert False\ndef test_other(): pass", "1 passed in",
		"1 passed, 0 failed, 0 skipped"),
}
# What cmocka prints: a plan first, a skip as a failure, and a line for the group.
UNITS = {
	"all kinds": (r"printf '1..3\nok 1 - a\nnot ok 2 - b\n# x.c:7: error\nnot ok 3 # SKIP c\n# not ok - g\n'; exit 1",
		"x.c:7: error", "1 passed, 1 failed, 1 skipped"),
	"killed": (r"printf '1..3\nok 1 - a\n'; kill -9 $$", "killed by signal 9", "0 passed, 3 failed, 0 skipped"),
	"fewer than planned": (r"printf '1..3\nok 1 - a\nok 2 - b\n'", "planned 3 tests and ran 2", "0 passed, 3 failed, 0 skipped"),
	"others than its source": (r"printf '1..3\nok 1 - a\nok 2 - b\nok 3 - d\n'", "not run", "2 passed, 1 failed, 0 skipped"),
	"an exit status": (r"printf '1..3\nok 1 - a\nok 2 - b\nok 3 - c\n'; echo leak; exit 23", "exited with 23",
		"0 passed, 3 failed, 0 skipped"),
}


def project(folder):
	"""A project with our settings and no tests."""
	for name in ("pytest.ini", "tests/conftest.py", "tests/unit/conftest.py", "tests/etc_files.py", "tests/kernel_wait.py",
			"tests/lab/ns.py", "tests/lab/clock.py"):
		(folder / name).parent.mkdir(parents=True, exist_ok=True)
		shutil.copy(ROOT / name, folder / name)
	return folder / "tests"


def run(tests, *words):
	environment = {key: value for key, value in os.environ.items()
		if key not in ("TPC", "BUILD", "TORTURE") and not key.startswith("PYTEST")}
	return subprocess.run([sys.executable, "-m", "pytest", *words], cwd=tests, env=environment, capture_output=True,
		text=True, check=False)


@pytest.mark.parametrize("name", TESTS)
def test_tests(name, tmp_path):
	"""{name}: reported and counted"""
	text, wanted, last = TESTS[name]
	tests = project(tmp_path)
	(tests / "house").mkdir()
	(tests / "house" / "test_it.py").write_text(HEAD + text, encoding="utf-8")
	done = run(tests, "house", "-n1")
	assert wanted in done.stdout, done.stderr
	assert re.fullmatch(last, done.stdout.splitlines()[-1])
	assert (done.returncode == 0) == (name in ("a good one", "a skip", "long"))


@pytest.mark.parametrize("name", UNITS)
def test_units(name, tmp_path):
	"""cmocka: {name}"""
	script, wanted, last = UNITS[name]
	tests = project(tmp_path)
	(tests / "unit" / "test_x.c").write_text("".join(f"cmocka_unit_test({test}),\n" for test in "abc"), encoding="utf-8")
	unit = tmp_path / "build" / "unit" / "test_x"
	unit.parent.mkdir(parents=True)
	unit.write_text(f"#!/bin/sh\n{script}\n", encoding="utf-8")
	unit.chmod(0o755)
	done = run(tests, "unit")
	assert wanted in done.stdout, done.stderr
	assert done.stdout.splitlines()[-1] == last
	assert done.returncode == 1
