"""make install and uninstall, into a folder of our own; make help; what a broken call says; flags."""
import os
import pathlib
import re
import shutil
import subprocess

import pytest

ROOT = pathlib.Path(__file__).resolve().parents[2]

# Named as the caller of make named it: another spelling would link the program anew under the other suites.
BUILD = os.path.relpath(os.environ.get("BUILD", ROOT / "build"), ROOT)
INSTALLED = ("bin/tpc", "share/tpc/policy.schema.json", "share/tpc/output.schema.json", "share/doc/tpc/LICENSE",
	"share/doc/tpc/README.md", "share/doc/tpc/schema/reference.md",
	"share/doc/tpc/examples/seed-lab/policy.yaml", "lib/systemd/system/tpc@.service", "share/tpc/openrc/tpc",
	"share/tpc/procd/tpc", "share/tpc/runit/tpc/run", "share/tpc/hooks/tpc")
# Two of them at once would write the same build folder.
pytestmark = pytest.mark.xdist_group("make")


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


def test_install(tmp_path):
	"""install puts all below PREFIX and nothing elsewhere; uninstall leaves nothing"""
	place = (f"DESTDIR={tmp_path}", "PREFIX=/opt/x")
	done = make("install", *place)
	assert done.returncode == 0, done.stderr
	found = files_below(tmp_path)
	assert not [name for name in INSTALLED if f"opt/x/{name}" not in found]
	assert not [name for name in found if not name.startswith("opt/x/")]
	said = subprocess.run([tmp_path / "opt/x/bin/tpc", "--version"], capture_output=True, text=True, check=False).stdout
	version = re.search(r"^VERSION := (\S+)", (ROOT / "Makefile").read_text(), re.MULTILINE)[1]
	assert version in said
	assert not dead_links(tmp_path / "opt/x/share/doc/tpc")
	done = make("uninstall", *place)
	assert done.returncode == 0, done.stderr
	assert not files_below(tmp_path)


@pytest.mark.parametrize("target", ("all", "demo", "check", "interop", "golden", "bench", "lint", "ubsan", "valgrind",
	"arches", "format", "install", "uninstall", "clean"))
def test_help(target):
	"""help names the target {target}"""
	assert f"make {target} " in make("help").stdout


def test_variant():
	"""an unknown variant is refused by name"""
	done = make("VARIANT=fast", "all")
	assert done.returncode and "release, debug, san or ubsan" in done.stderr


def test_warnings(tmp_path):
	"""warnings of another compiler stop CI and developers, but not users"""
	def shown(*arguments):
		return make("-n", "V=1", f"BUILD={tmp_path}", *arguments, WERROR="").stdout
	assert " -c -o " in shown("all"), "nothing is compiled"
	assert not [target for target in ("all", "unit") if "-Werror" in shown(target)]
	for call in ("lint",), ("all", "WERROR=-Werror"):
		said = shown(*call)
		assert "-Wall" not in said or "-Werror" in said


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


def test_flags_stay(tmp_path):
	"""install uses what was built: flags are kept until others, or none, are given"""
	flags = tmp_path / "flags"
	first = build(tmp_path, "CFLAGS=-O1 -DA='\"$$#\"'")
	again = build(tmp_path)
	assert " CC " in first and " CC " not in again and "error" not in first + again
	other = build(tmp_path, CFLAGS="-O3")
	assert " CC " in other and "-O3" in flags.read_text()
	none = build(tmp_path, "CFLAGS=")
	assert " CC " in none and "-O3" not in flags.read_text()


@pytest.mark.parametrize("name", OBJECTS)
def test_same_bytes(name, tmp_path):
	"""two folders give the same bytes: {name}"""
	here, there = tmp_path / "here", tmp_path / "there"
	there.mkdir()
	for part in ("compiler", "Makefile", "schema"):
		copy = shutil.copytree if (ROOT / part).is_dir() else shutil.copy
		copy(ROOT / part, there / part)
	build(here)
	build("build", tree=there)
	assert (here / name).read_bytes() == (there / "build" / name).read_bytes()


@pytest.mark.parametrize("what, sign", {
	"an executable at any address": r"Type:\s+DYN",
	"its tables are read-only": "GNU_RELRO",
	"all bound at the start": r"FLAGS.*\bNOW\b",
	"a guarded stack": "__stack_chk_fail",
	"copies that know their room": r"__\w+_chk\b",
}.items())
def test_hardening(what, sign):
	"""the program is hardened: {what}"""
	said = subprocess.run(["readelf", "-W", "-h", "-l", "-d", "--dyn-syms", ROOT / BUILD / "tpc"], capture_output=True,
		text=True, check=False).stdout
	assert re.search(sign, said)


@pytest.mark.parametrize("flags", [
	{"CPPFLAGS": "-D_FORTIFY_SOURCE=3", "CFLAGS": "-O2 -fstack-protector-strong"},
	{"CFLAGS": "-O0"},
	{"CFLAGS": "-O2 -Wp,-D_FORTIFY_SOURCE=2"},
	{"CFLAGS": "-O1 -fsanitize=undefined"},
])
def test_flags(flags, tmp_path):
	"""flags of a distribution, and of none, work with ours: {flags}"""
	said = build(tmp_path, "WERROR=-Werror", **{"CPPFLAGS": ""} | flags)
	assert " CC " in said and "error" not in said and "warning" not in said, said
