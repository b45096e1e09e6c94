"""make install and uninstall, into a folder of our own; make help; what a broken call says."""
import os
import pathlib
import subprocess
import sys
import tempfile

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tests"))
from tap import Tap  # noqa: E402

# Named as the caller of make named it: another spelling would link the program anew under the other suites.
BUILD = os.path.relpath(os.environ.get("BUILD", ROOT / "build"), ROOT)
INSTALLED = ("bin/tpc", "share/tpc/policy.schema.json", "share/doc/tpc/LICENSE",
	"share/doc/tpc/README.md", "share/doc/tpc/examples/seed-lab/policy.yaml")


def make(*arguments, **more):
	"""A variable that is given empty is not set at all."""
	environment = {key: value for key, value in os.environ.items()
		if key not in ("MAKEFLAGS", "MFLAGS", "MAKELEVEL", *more)}
	return subprocess.run(["make", "--no-print-directory", f"BUILD={BUILD}", *arguments], cwd=ROOT,
		env=environment, capture_output=True, text=True, check=False)


def files_below(folder):
	return {str(path.relative_to(folder)) for path in pathlib.Path(folder).rglob("*")
		if path.is_file()}


def test_install(tap):
	with tempfile.TemporaryDirectory(prefix="install-") as folder:
		place = (f"DESTDIR={folder}", "PREFIX=/opt/x")
		done = make("install", *place)
		found = files_below(folder)
		missing = [name for name in INSTALLED if f"opt/x/{name}" not in found]
		tap.check("install puts all below PREFIX", missing + ([done.stderr] if done.returncode
			else []))
		outside = [name for name in found if not name.startswith("opt/x/")]
		tap.check("and nothing elsewhere", outside)
		program = pathlib.Path(folder, "opt/x/bin/tpc")
		said = subprocess.run([program, "--version"], capture_output=True, text=True,
			check=False).stdout if program.exists() else ""
		version = [line.split()[-1] for line in (ROOT / "Makefile").read_text().splitlines()
			if line.startswith("VERSION :=")]
		tap.check("the installed program knows its version",
			"" if version and version[0] in said else f"{version}: {said}")
		done = make("uninstall", *place)
		tap.check("uninstall leaves nothing", sorted(files_below(folder)) or
			(done.stderr if done.returncode else ""))


def test_help(tap):
	said = make("help").stdout
	tap.check("help names the targets", [target for target in ("all", "demo", "check", "interop",
		"golden", "bench", "lint", "format", "install", "uninstall", "clean") if f"make {target} " not in said])


def test_variant(tap):
	done = make("VARIANT=fast", "all")
	tap.check("an unknown variant is refused by name",
		"" if done.returncode and "release, debug or san" in done.stderr else done.stderr)


def test_warnings(tap):
	"""Another compiler warns of more: that stops CI and developers, and no one else."""
	with tempfile.TemporaryDirectory(prefix="flags-") as folder:
		def shown(*arguments):
			return make("-n", "V=1", f"BUILD={folder}", *arguments, WERROR="").stdout
		problems = [f"make {target}" for target in ("all", "unit") if "-Werror" in shown(target)]
		tap.check("a warning stops no build", problems if " -c -o " in shown("all") else "nothing is compiled")
		tap.check("but that of make lint, and one that asks for it", [" ".join(call) for call in (("lint",), ("all", "WERROR=-Werror"))
			if "-Wall" in shown(*call) and "-Werror" not in shown(*call)])


def main():
	tap = Tap()
	for test in (test_install, test_help, test_variant, test_warnings):
		test(tap)
	return tap.done()


if __name__ == "__main__":
	sys.exit(main())
