"""What all suites share: where they run, the programs they test, titles, time limits, and the last line.

In: BUILD (the build folder, build) and TPC (the program, BUILD/tpc) of the environment, and the options
below. Out: every process that runs tests is in network and mount namespaces of its own, so that no test
reaches the machine's network or /run. The docstring of a test begins with its title, which its report
shows; `{name}` in it stands for the parameter. The last line is "N passed, N failed, N skipped".
"""
import atexit
import contextlib
import os
import pathlib
import shutil
import signal
import sys
import tempfile

import pytest

import clock
import ns

ROOT = pathlib.Path(__file__).resolve().parents[1]
BUILD = pathlib.Path(os.environ.get("BUILD", ROOT / "build")).resolve()
LIMIT = 300
# Suites that need no namespaces: they run where none may be made.
ANYWHERE = ("house", "lint", "schema", "unit")
os.environ |= {
	"BUILD": str(BUILD),
	"TPC": os.path.abspath(os.environ.get("TPC", BUILD / "tpc")),
	"PATH": os.environ.get("PATH", "") + ":/usr/local/sbin:/usr/sbin:/sbin",
	"CMOCKA_MESSAGE_OUTPUT": "TAP",
	"ASAN_OPTIONS": "detect_leaks=1",
	"UBSAN_OPTIONS": "print_stacktrace=1",
}
private = contextlib.ExitStack()
unable = pytest.StashKey[str]()


def pytest_addoption(parser):
	group = parser.getgroup("tpc")
	group.addoption("--long", action="store_true", default=os.environ.get("TORTURE") == "long",
		help="tests marked long, and torture to its end")
	group.addoption("--patience", type=int, default=1, metavar="TIMES", help="for a slow machine: limits are so many times as long")
	group.addoption("--seed", default="1", help="model: of random policies and packets, with --long")
	group.addoption("--policies", type=int, default=1000, help="model: how many, with --long")
	group.addoption("--only", metavar="SEED/INDEX", help="model: one policy of a seed")
	group.addoption("--case", metavar="FOLDER", help="model: what a difference has left")
	group.addoption("--now", type=int, help="model: around which moment windows of time are made")
	group.addoption("--update", action="store_true", help="golden: rewrite the expected files")


def pytest_configure(config):
	"""
	Where workers run the tests, they enter namespaces of their own; only a process of one thread, as
	this one still is, can become root in them. Where nohup is above, all that tests start would ignore
	hangups, and what they try with them fails.
	"""
	if config.getoption("long"):
		os.environ["TORTURE"] = "long"
	config.stash[unable] = ""
	is_worker = hasattr(config, "workerinput")
	try:
		if not is_worker:
			# It is removed at exit, and belongs to this user, whatever user id the namespaces show.
			folder = os.environ["PYTEST_DEBUG_TEMPROOT"] = tempfile.mkdtemp(prefix="tpc-tests-")
			atexit.register(shutil.rmtree, folder, ignore_errors=True)
		if not is_worker and config.getoption("numprocesses", None):
			ns.apart()
			return
		signal.signal(signal.SIGHUP, signal.SIG_DFL)
		ns.enter()
		# Wherever this machine is, nft moves no local time of a policy by hand.
		private.enter_context(clock.host_zone(clock.made(0)))
	except ns.Unable as why:
		config.stash[unable] = str(why)


def pytest_unconfigure():
	private.close()


# ---- which tests ----


def suite_of(item):
	return item.path.relative_to(ROOT / "tests").parts[0]


def title(item):
	"""The first line of the docstring, with the parameters in their places."""
	text = (getattr(getattr(item, "obj", None), "__doc__", None) or "").strip().partition("\n")[0]
	for name, value in (item.callspec.params if hasattr(item, "callspec") else {}).items():
		text = text.replace(f"{{{name}}}", getattr(value, "__name__", str(value)))
	return text


def pytest_make_parametrize_id(val, argname):
	"""A parameter is shown in an id where it is a few words."""
	return argname if isinstance(val, str) and ("\n" in val or len(val) > 60) else None


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(config, items):
	"""Words of titles are keywords for -k."""
	chosen = []
	for item in items:
		item.extra_keyword_matches.update(title(item).replace(":", " ").replace(",", " ").split())
		for name in ("torture", "interop"):
			if suite_of(item) == name:
				item.add_marker(name)
		if config.getoption("long") or "long" in config.getoption("markexpr") or not item.get_closest_marker("long"):
			chosen.append(item)
	items[:] = chosen


def pytest_runtest_setup(item):
	if item.config.stash[unable] and suite_of(item) not in ANYWHERE:
		pytest.fail(item.config.stash[unable], pytrace=False)
	if item.get_closest_marker("root") and not ns.all_ids():
		pytest.skip("needs root; run this as root")


# ---- how long ----


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_protocol(item):
	marker = item.get_closest_marker("limit")
	limit = (marker.args[0] if marker else LIMIT) * item.config.getoption("patience")

	def late(*_):
		pytest.fail(f"not done after {limit} seconds")
	before = signal.signal(signal.SIGALRM, late)
	signal.alarm(limit)
	yield
	signal.alarm(0)
	signal.signal(signal.SIGALRM, before)


# ---- what is said ----


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item):
	"""The head of a failure is the title beside the name."""
	outcome = yield
	report, text = outcome.get_result(), title(item)
	if text:
		path, line, name = report.location
		report.location = (path, line, f"{name}: {text}")


@pytest.hookimpl(hookwrapper=True, tryfirst=True)
def pytest_sessionfinish(session):
	yield
	reporter = session.config.pluginmanager.get_plugin("terminalreporter")
	if reporter is None or hasattr(session.config, "workerinput"):
		return
	passed, failed, errors, skipped = (len(reporter.stats.get(kind, ())) for kind in ("passed", "failed", "error", "skipped"))
	sys.stdout.flush()
	reporter.write_line(f"{passed} passed, {failed + errors} failed, {skipped} skipped")
