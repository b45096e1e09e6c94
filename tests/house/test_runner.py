"""tests/run, fed with suites that go wrong in every way we know: nothing may look like success."""
import os
import pathlib
import shutil
import subprocess
import sys
import tempfile

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tests"))
from tap import Tap  # noqa: E402

# What a suite does, what the runner must say of it, and its last line.
SUITES = {
	"a good one": ('print("ok 1 - a\\n1..1")', "1 passed", "1 passed, 0 failed, 0 skipped"),
	"a failure": ('print("not ok 1 - a\\n# because\\n1..1"); exit(1)', "          because",
		"0 passed, 1 failed, 0 skipped"),
	"no plan": ('print("ok 1 - a")', "printed no plan", "1 passed, 1 failed, 0 skipped"),
	"fewer than planned": ('print("1..3\\nok 1 - a")', "planned 3 tests and ran 1",
		"1 passed, 1 failed, 0 skipped"),
	"nothing at all": ("pass", "printed no plan", "0 passed, 1 failed, 0 skipped"),
	"killed": ('print("1..1\\nok 1 - a", flush=True); import os; os.kill(os.getpid(), 11)',
		"killed by signal 11", "1 passed, 1 failed, 0 skipped"),
	"an exit status": ('print("1..1\\nok 1 - a"); raise SystemExit("out of cheese")',
		"out of cheese", "1 passed, 1 failed, 0 skipped"),
	"a crash": ('print("1..1\\nok 1 - a", flush=True); 1 / 0', "ZeroDivisionError",
		"1 passed, 1 failed, 0 skipped"),
	"hanging": ('print("1..1\\nok 1 - a", flush=True); import time; time.sleep(60)',
		"still running after 1 seconds", "1 passed, 1 failed, 0 skipped"),
	"a skip": ('print("ok 1 - a # SKIP no such kernel\\n1..1")', "skipped: a: no such kernel",
		"0 passed, 0 failed, 1 skipped"),
	"all skipped": ('print("1..0 # SKIP nothing here")', "nothing here",
		"0 passed, 0 failed, 1 skipped"),
	"bailing out": ('print("1..1\\nok 1 - a\\nBail out! no kernel")', "Bail out! no kernel",
		"1 passed, 1 failed, 0 skipped"),
}


def run(folder, *arguments):
	environment = {key: value for key, value in os.environ.items() if key not in ("TPC", "BUILD")}
	return subprocess.run([sys.executable, folder / "tests" / "run", "--timeout", "1", *arguments],
		env=environment, capture_output=True, text=True, check=False)


def project(folder):
	"""A project with a runner and no tests."""
	root = pathlib.Path(folder)
	(root / "tests" / "cli").mkdir(parents=True)
	shutil.copy(ROOT / "tests" / "run", root / "tests" / "run")
	return root


def test_suites(tap):
	for name, (script, wanted, last) in SUITES.items():
		with tempfile.TemporaryDirectory(prefix="runner-") as folder:
			root = project(folder)
			(root / "tests" / "cli" / "test_it.py").write_text(script, encoding="utf-8")
			done = run(root)
		lines = done.stdout.splitlines()
		problems = [] if wanted in done.stdout else [f"it does not say: {wanted}"]
		problems += [] if lines[-1] == last else [f"the last line is not: {last}"]
		good = name == "a good one"
		problems += [] if (done.returncode == 0) == good else [f"exit status {done.returncode}"]
		tap.check(name, problems and problems + [done.stdout, done.stderr])


def test_units(tap):
	"""What cmocka prints: a plan first, a skip as a failure, and a line for the group."""
	with tempfile.TemporaryDirectory(prefix="runner-") as folder:
		root = project(folder)
		unit = root / "build" / "unit" / "test_x"
		unit.parent.mkdir(parents=True)
		unit.write_text("#!/bin/sh\nprintf '1..3\\nok 1 - a\\nnot ok 2 - b\\n# x.c:7: error\\n"
			"not ok 3 # SKIP c\\n# not ok - g\\n'\nexit 1\n", encoding="utf-8")
		unit.chmod(0o755)
		done = run(root)
	last = done.stdout.splitlines()[-1]
	tap.check("cmocka's TAP", "" if last == "1 passed, 1 failed, 1 skipped" and
		"x.c:7: error" in done.stdout else done.stdout)


def test_none(tap):
	with tempfile.TemporaryDirectory(prefix="runner-") as folder:
		done = run(project(folder))
	tap.check("no suite is no success", "" if done.returncode == 1 else done.stdout)


def main():
	tap = Tap()
	for test in (test_suites, test_units, test_none):
		test(tap)
	return tap.done()


if __name__ == "__main__":
	sys.exit(main())
