"""make install and uninstall, into a folder of our own; make help; what a broken call says; flags."""
import os
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tests"))
from tap import Tap  # noqa: E402

# Named as the caller of make named it: another spelling would link the program anew under the other suites.
BUILD = os.path.relpath(os.environ.get("BUILD", ROOT / "build"), ROOT)
INSTALLED = ("bin/tpc", "share/tpc/policy.schema.json", "share/tpc/output.schema.json", "share/doc/tpc/LICENSE",
	"share/doc/tpc/README.md", "share/doc/tpc/schema/reference.md",
	"share/doc/tpc/examples/seed-lab/policy.yaml")


def make(*arguments, **more):
	"""A variable that is given empty is not set at all."""
	environment = {key: value for key, value in os.environ.items()
		if key not in ("MAKEFLAGS", "MFLAGS", "MAKELEVEL", *more)}
	return subprocess.run(["make", "--no-print-directory", f"BUILD={BUILD}", *arguments], cwd=ROOT,
		env=environment, capture_output=True, text=True, check=False)


def files_below(folder):
	return {str(path.relative_to(folder)) for path in pathlib.Path(folder).rglob("*")
		if path.is_file()}


def dead_links(folder):
	"""What the documents of the folder name and is not there, or is outside of PREFIX."""
	dead, read = [], 0
	for page in folder.rglob("*.md"):
		for link in re.findall(r"\]\(([^)#:]+)(?:#[^)]*)?\)", page.read_text(encoding="utf-8")):
			read += 1
			target = (page.parent / link).resolve()
			if not target.exists() or folder.resolve().parents[2] not in target.parents:
				dead.append(f"{page.relative_to(folder)}: {link}")
	return dead if read > 20 else [f"only {read} links"]


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
		tap.check("no document that is installed has a dead link",
			dead_links(pathlib.Path(folder, "opt/x/share/doc/tpc")))
		done = make("uninstall", *place)
		tap.check("uninstall leaves nothing", sorted(files_below(folder)) or
			(done.stderr if done.returncode else ""))


def test_help(tap):
	said = make("help").stdout
	tap.check("help names the targets", [target for target in ("all", "demo", "check", "interop",
		"golden", "bench", "lint", "ubsan", "valgrind", "arches", "format", "install", "uninstall", "clean") if f"make {target} " not in said])


def test_variant(tap):
	done = make("VARIANT=fast", "all")
	tap.check("an unknown variant is refused by name",
		"" if done.returncode and "release, debug, san or ubsan" in done.stderr else done.stderr)


def test_warnings(tap):
	"""Another compiler warns of more: that stops CI and developers, and no one else."""
	with tempfile.TemporaryDirectory(prefix="flags-") as folder:
		def shown(*arguments):
			return make("-n", "V=1", f"BUILD={folder}", *arguments, WERROR="").stdout
		problems = [f"make {target}" for target in ("all", "unit") if "-Werror" in shown(target)]
		tap.check("a warning stops no build", problems if " -c -o " in shown("all") else "nothing is compiled")
		tap.check("but that of make lint, and one that asks for it", [" ".join(call) for call in (("lint",), ("all", "WERROR=-Werror"))
			if "-Wall" in shown(*call) and "-Werror" not in shown(*call)])


# Of a program, the smallest file; of what is generated, one of the two kinds.
OBJECTS = ("obj/compiler/base/wide.o", "obj/clock.o")


def build(folder, *arguments, tree=ROOT, **more):
	"""Some objects into a folder; what make said, its errors last."""
	environment = {key: value for key, value in os.environ.items() if key not in
		("MAKEFLAGS", "MFLAGS", "MAKELEVEL", "CC", "CPPFLAGS", "CFLAGS", "LDFLAGS", "WERROR")}
	done = subprocess.run(["make", "--no-print-directory", f"BUILD={folder}", *arguments,
		*(f"{folder}/{name}" for name in OBJECTS)], cwd=tree, env=environment | more,
		capture_output=True, text=True, check=False)
	return done.stdout + done.stderr


def test_flags_stay(tap):
	"""What was built is what is installed."""
	with tempfile.TemporaryDirectory(prefix="flags-") as folder:
		flags = pathlib.Path(folder, "flags")
		first = build(folder, "CFLAGS=-O1 -DA='\"$$#\"'")
		again = build(folder)
		tap.check("flags are kept for what comes after", first + again
			if " CC " not in first or " CC " in again or "error" in first + again else "")
		other = build(folder, CFLAGS="-O3")
		tap.check("until others are given", other
			if " CC " not in other or "-O3" not in flags.read_text() else "")
		none = build(folder, "CFLAGS=")
		tap.check("or none", none if " CC " not in none or "-O3" in flags.read_text() else "")


def test_same_bytes(tap):
	with tempfile.TemporaryDirectory(prefix="here-") as here, \
			tempfile.TemporaryDirectory(prefix="elsewhere-") as there:
		for name in ("compiler", "Makefile", "schema"):
			copy = shutil.copytree if (ROOT / name).is_dir() else shutil.copy
			copy(ROOT / name, pathlib.Path(there, name))
		said = build(here) + build("build", tree=there)
		tap.check("two folders give the same bytes", [f"{name}: {said}" for name in OBJECTS
			if not pathlib.Path(here, name).exists() or pathlib.Path(here, name).read_bytes() !=
			pathlib.Path(there, "build", name).read_bytes()])


def test_hardening(tap):
	program = ROOT / BUILD / "tpc"
	said = subprocess.run(["readelf", "-W", "-h", "-l", "-d", "--dyn-syms", program], capture_output=True,
		text=True, check=False).stdout
	wanted = {"an executable at any address": r"Type:\s+DYN", "its tables are read-only": "GNU_RELRO",
		"all bound at the start": r"FLAGS.*\bNOW\b", "a guarded stack": "__stack_chk_fail",
		"copies that know their room": r"__\w+_chk\b"}
	tap.check("the program is hardened", [what for what, sign in wanted.items()
		if not re.search(sign, said)])
	with tempfile.TemporaryDirectory(prefix="flags-") as folder:
		said = [build(folder, "WERROR=-Werror", **{"CPPFLAGS": ""} | flags) for flags in (
			{"CPPFLAGS": "-D_FORTIFY_SOURCE=3", "CFLAGS": "-O2 -fstack-protector-strong"},
			{"CFLAGS": "-O0"}, {"CFLAGS": "-O2 -Wp,-D_FORTIFY_SOURCE=2"}, {"CFLAGS": "-O1 -fsanitize=undefined"})]
		tap.check("flags of a distribution, and of none, go with ours", [text for text in said
			if "error" in text or "warning" in text or " CC " not in text])


def main():
	tap = Tap()
	for test in (test_install, test_help, test_variant, test_warnings, test_flags_stay, test_same_bytes,
			test_hardening):
		test(tap)
	return tap.done()


if __name__ == "__main__":
	sys.exit(main())
