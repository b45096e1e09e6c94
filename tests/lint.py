#!/usr/bin/python3
"""lint: what the compiler proper cannot check about our own source.

    tests/lint.py [--style]

In go the files of the repository and the objects of the release build ($BUILD; --style: none, and only
the rules that other programs hold), out comes every place that breaks a rule, and exit status 1. tests/house/test_rules.py
makes a test of each rule. The rules are those of the house: which folder may
include which, how long a file and a function may be, no default where a switch is over an enum of
ours, no state outside a function, no unused public symbol, nothing unfinished.
"""
import collections
import functools
import os
import pathlib
import re
import shutil
import statistics
import subprocess
import sys
import tempfile

ROOT = pathlib.Path(__file__).resolve().parent.parent
BUILD = pathlib.Path(os.environ.get("BUILD", ROOT / "build")).resolve()
CLANG_FORMAT = 14  # another version lays things out in another way
FILE_LINES, FILE_LINES_MOST, FUNCTION_LINES = 500, 600, 80

# Which folder of compiler/ may include which; main.c and cmd/ may include all.
SEES = {
	"base": {"base"},
	"addr": {"base", "addr"},
	"yaml": {"base", "addr", "yaml"},
	"ir": {"base", "addr", "ir"},
	"match": {"base", "addr", "yaml", "ir", "match"},
	"lang": {"base", "addr", "yaml", "ir", "match", "lang"},
	"opt": {"base", "addr", "ir", "opt"},
	"emit": {"base", "addr", "ir", "emit"},
	"kernel": {"base", "addr", "ir", "emit", "kernel"},
	"state": {"base", "addr", "ir", "emit", "kernel", "state"},
	"host": {"base", "addr", "ir", "emit", "kernel", "state", "host"},
	"apply": {"base", "addr", "ir", "emit", "kernel", "state", "host", "apply"},
	"watch": {"base", "addr", "ir", "emit", "kernel", "state", "host", "apply", "watch"},
}
# The phases of lang/, in their order: each sees itself, those before it, and what lies beside them.
PHASES = ("ast", "read", "check", "static", "lower")
# Libraries, each behind one wall.
LIBRARIES = {"yaml.h": "yaml", "maxminddb.h": "addr", "nftables/": "kernel", "libmnl/": "kernel"}

# Spelled in two halves, so that this file does not find itself.
UNFINISHED = re.compile(
	"|".join((r"\bTO" r"DO\b", r"\bFIX" r"ME\b", r"\bXX" r"X\b", r"\bfor " r"now\b",
		r"place" r"holder", r"\bnot (yet )?imple" r"mented")), re.IGNORECASE)


def tracked():
	"""Every file of the project, without what is built."""
	listed = subprocess.run(["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
		cwd=ROOT, capture_output=True, check=False)
	if listed.returncode == 0:
		names = [name for name in listed.stdout.decode().split("\0") if name]
		return sorted({ROOT / name for name in names if (ROOT / name).is_file()})
	return sorted(path for path in ROOT.rglob("*")
		if path.is_file() and not re.match(r"(build[^/]*|\.git|.*__pycache__)/",
			path.relative_to(ROOT).as_posix()))


def blank(match):
	"""The text of a comment or a literal as spaces: lines and columns stay."""
	return re.sub(r"[^\n]", " ", match.group(0))


class File:
	"""A C file: its text, and `code`, the text without comments and without what is in quotes."""

	def __init__(self, path):
		self.path = path
		self.name = str(path.relative_to(ROOT))
		self.text = path.read_text(encoding="utf-8")
		self.lines = self.text.splitlines()
		plain = re.sub(r"/\*.*?\*/|//[^\n]*|\"(?:\\.|[^\"\\\n])*\"|'(?:\\.|[^'\\\n])+'", blank,
			self.text, flags=re.DOTALL)
		self.code = plain
		parts = path.relative_to(ROOT).parts
		self.folder = parts[1] if len(parts) > 2 else ""

	def line_of(self, offset):
		return self.text.count("\n", 0, offset) + 1

	def at(self, line, text):
		return f"{self.name}:{line}: {text}"


def functions(file):
	"""(name, first line, number of lines) of every function, its braces included."""
	begin = name = None
	code = file.code.splitlines()
	for number, line in enumerate(code, 1):
		if line == "{" and number > 1:
			head = "\n".join(code[max(0, number - 12):number - 1])
			found = re.search(r"(\w+)\((?:[^;{}]*)\)[^;{}()]*$", head)
			begin, name = (number, found.group(1)) if found else (None, None)
		elif line == "}" and begin:
			yield name, begin, number - begin + 1
			begin = None


def phase(name, beside):
	"""Of a file of lang/; `beside` for what is of no phase."""
	parts = name.split("/")
	return PHASES.index(parts[2]) if parts[1] == "lang" and len(parts) > 3 else beside


def check_includes(files):
	for file in files:
		for found in re.finditer(r'^#include ([<"])([^>"]+)[>"]', file.text, re.MULTILINE):
			line, target = file.line_of(found.start()), found.group(2)
			if found.group(1) == "<":
				for library, owner in LIBRARIES.items():
					if target.startswith(library) and file.folder != owner:
						yield file.at(line, f"only {owner}/ includes <{target}>")
			elif not (ROOT / "compiler" / target).exists():
				yield file.at(line, f"no compiler/{target}: paths are relative to compiler/")
			elif file.folder in SEES and target.split("/")[0] not in SEES[file.folder]:
				yield file.at(line, f"{file.folder}/ may not see {target}")
			elif phase(file.name, len(PHASES)) < phase(f"compiler/{target}", -1):
				yield file.at(line, f"an earlier phase may not see {target}")
			elif file.folder not in SEES and file.folder not in ("", "cmd"):
				yield file.at(line, f"no rule in tests/lint.py says what {file.folder}/ may see")


def check_file_lines(files):
	for file in files:
		if len(file.lines) > FILE_LINES_MOST:
			yield f"{file.name}: {len(file.lines)} lines, {FILE_LINES_MOST} at most"


def check_function_lines(files):
	for file in files:
		for name, begin, length in functions(file):
			if length > FUNCTION_LINES:
				yield file.at(begin, f"{name}: {length} lines, {FUNCTION_LINES} at most")


def enumerators(files):
	"""The members of every enum that has a name."""
	names = set()
	for file in files:
		for body in re.findall(r"\benum \w+\s*\{([^}]*)\}", file.code):
			names |= set(re.findall(r"(?:^|,)\s*([A-Za-z_]\w*)", body))
	return names


def switch_bodies(code):
	"""(offset, body) of every switch; a nested one is blanked in the outer's body."""
	for found in re.finditer(r"\bswitch\s*\(", code):
		begin = code.find("{", found.end())
		depth, end = 0, begin
		for end in range(begin, len(code)):
			depth += {"{": 1, "}": -1}.get(code[end], 0)
			if depth == 0:
				break
		body = code[begin + 1:end]
		yield found.start(), re.sub(r"\bswitch\s*\([^{]*\{.*\}", blank, body, flags=re.DOTALL)


def check_switches(files):
	ours = enumerators(files)
	for file in files:
		for offset, body in switch_bodies(file.code):
			labels = set(re.findall(r"\bcase (\w+)", body))
			if re.search(r"\bdefault\s*:", body) and labels & ours:
				yield file.at(file.line_of(offset), "a switch over an enum of ours has a default")


def check_typedefs(files):
	for file in files:
		for found in re.finditer(r"\btypedef (struct|enum|union)\b", file.code):
			yield file.at(file.line_of(found.start()), "a typedef hides what it is")


def check_openings(files):
	for file in files:
		opening = re.match(r"/\*\n(.*?)\n \*/\n", file.text, re.DOTALL)
		length = opening.group(1).count("\n") + 1 if opening else 0
		if not opening or length > 14:
			yield file.at(1, "a file opens with a comment of a few lines: what goes in, what comes "
				"out, what always holds")


def check_guards(files):
	for file in files:
		if file.path.suffix == ".h":
			name = file.path.relative_to(ROOT / "compiler").as_posix()
			guard = "TPC_" + re.sub(r"\W", "_", name).upper()
			if f"#ifndef {guard}\n#define {guard}\n" not in file.text:
				yield file.at(1, f"the include guard is {guard}")


def check_codes(files):
	text = "\n".join(file.code for file in files)
	definitions = (ROOT / "compiler/base/codes.def").read_text(encoding="utf-8")
	for name in re.findall(r"^(?:DIAG|HOST)_CODE\((\w+),", definitions, re.MULTILINE):
		if not re.search(rf"\bDIAG_{name}\b", text):
			yield f"compiler/base/codes.def: {name}: nothing reports it"


def check_unfinished(paths):
	for path in paths:
		name = str(path.relative_to(ROOT))
		if name.startswith("golden/") or name == "LICENSE":
			continue
		try:
			text = path.read_text(encoding="utf-8")
		except UnicodeDecodeError:
			continue
		for number, line in enumerate(text.splitlines(), 1):
			if UNFINISHED.search(line):
				yield f"{name}:{number}: unfinished by its own word: {line.strip()[:80]}"


def check_white_space(paths):
	for path in paths:
		name = str(path.relative_to(ROOT))
		if path.suffix not in (".c", ".h", ".def", ".py", ".sh", ".md", ".yml") and \
				name not in ("Makefile", "tests/house/pid1", ".ci/run") and not name.startswith("packaging/"):
			continue
		text = path.read_text(encoding="utf-8")
		for number, line in enumerate(text.splitlines(), 1):
			if line != line.rstrip():
				yield f"{name}:{number}: white space at the end of the line"
		if text and not text.endswith("\n"):
			yield f"{name}: no newline at the end"


# ---- from the objects ----


def objects(folder, build=BUILD):
	"""Those whose source is there: a build folder keeps what was built of sources that are gone."""
	found = sorted((build / "obj" / folder).rglob("*.o"))
	return [path for path in found if (ROOT / path.relative_to(build / "obj")).with_suffix(".c").exists()]


def objects_of_tests():
	"""Of all tests: `make check` builds the unit tests under the sanitizers alone."""
	return objects("tests") + objects("tests", BUILD / "san")


def symbols(paths):
	"""{name: kind letter} for each object, by `nm`."""
	tables = {path: {} for path in paths}
	if paths:
		listed = subprocess.run(["nm", "-A", *paths], capture_output=True, text=True, check=True)
		for line in listed.stdout.splitlines():
			path, _, row = line.partition(":")
			tables[pathlib.Path(path)][row.split()[-1]] = row.split()[-2]
	return tables


def source_of(path):
	return path.relative_to(BUILD / "obj").with_suffix(".c")


def check_state(tables):
	"""Sections that can be written to; read-only tables with addresses in them are .data.rel.ro."""
	listed = subprocess.run(["objdump", "-t", *tables], capture_output=True, text=True, check=True)
	path = None
	for line in listed.stdout.splitlines():
		head = re.match(r"(\S+\.o):\s+file format", line)
		found = re.search(r"\s(\.(?:data|bss|tdata|tbss)\S*)\t([0-9a-f]+)\s+(\S+)$", line)
		if head:
			path = pathlib.Path(head.group(1))
		elif found and int(found.group(2), 16) and not found.group(1).startswith(".data.rel.ro"):
			yield f"{source_of(path)}: {found.group(3)} can be written to"


def check_public(tables, users):
	wanted = set()
	for table in list(tables.values()) + list(users.values()):
		wanted |= {name for name, kind in table.items() if kind == "U"}
	for path, table in tables.items():
		for name, kind in table.items():
			if kind in "TDBR" and name not in wanted and name != "main":
				yield f"{source_of(path)}: {name} is public and used nowhere else"
			if kind in "TDBR" and re.match(r"(yaml|mnl|nft_ctx|nft_run)_", name):
				yield f"{source_of(path)}: {name} looks like a library's"


def calls(tables):
	"""{source: sources whose functions or objects it uses}."""
	owners = {name: source_of(path) for path, table in tables.items() for name, kind in table.items() if kind in "TDBRV"}
	graph = {}
	for path, table in tables.items():
		used = {owners[name] for name, kind in table.items() if kind == "U" and name in owners}
		graph[source_of(path)] = used - {source_of(path)}
	return graph


def rounds(graph):
	"""The groups of nodes that lead to one another (Tarjan)."""
	number, low, stack, found = {}, {}, [], []

	def visit(node):
		number[node] = low[node] = len(number)
		stack.append(node)
		for other in graph.get(node, ()):
			if other not in number:
				visit(other)
				low[node] = min(low[node], low[other])
			elif other in stack:
				low[node] = min(low[node], number[other])
		if low[node] == number[node]:
			group = stack[stack.index(node):]
			del stack[-len(group):]
			if len(group) > 1:
				found.append(sorted(group))

	for node in sorted(graph):
		if node not in number:
			visit(node)
	return found


def check_rounds(graph, what):
	for group in rounds(graph):
		yield f"these {what} call one another in a circle: {', '.join(str(node) for node in group)}"


def between_folders(graph):
	folders = collections.defaultdict(set)
	for source, used in graph.items():
		folders[source.parent] |= {other.parent for other in used} - {source.parent}
	return folders


# ---- other programs ----


def clang_format():
	"""The program in the one version that we use, or None and what there is instead."""
	found = "no clang-format is here"
	for name in (f"clang-format-{CLANG_FORMAT}", "clang-format"):
		if shutil.which(name):
			said = subprocess.run([name, "--version"], capture_output=True, text=True, check=False)
			if re.search(rf"version {CLANG_FORMAT}\.", said.stdout):
				return name, ""
			found = said.stdout.strip()
	return None, f"it takes clang-format {CLANG_FORMAT}; {found}"


class Missing(Exception):
	"""A rule takes a program that is not here; the text says which."""


def check_format(project):
	program, why = clang_format()
	if not program:
		raise Missing(why)
	done = subprocess.run([program, "--dry-run", "-Werror", *(file.path for file in project.every)],
		capture_output=True, text=True, check=False)
	found = collections.Counter(re.findall(r"^(\S+?):\d+:\d+: error", done.stderr, re.MULTILINE))
	places = [f"{name}: {count} places; run `make format FILES={name}`" for name, count in sorted(found.items())]
	if done.returncode and not places:
		places = done.stderr.splitlines()
	return [place.replace(f"{ROOT}/", "") for place in places]


# What is no error of a program: members that are made at run time, and what a decorator passes.
PYLINT = ("pylint", "--errors-only",
	"--disable=no-member,import-error,no-name-in-module,missing-kwoa,no-value-for-parameter,too-many-function-args")
RUFF = ("ruff", "check", "--quiet", "--no-cache", "--output-format=concise", "--select=E9,F", "--ignore=F541")


def is_python(path):
	with path.open("rb") as file:
		return path.suffix == ".py" or file.read(40).startswith(b"#!/usr/bin/python3")


def check_python(project):
	"""Names that are not there, calls that cannot be: by ruff, or by pylint's errors alone."""
	program = next((program for program in (RUFF, PYLINT) if shutil.which(program[0])), None)
	if not program:
		raise Missing("neither ruff nor pylint is here")
	scripts = [path for path in project.paths if is_python(path)]
	folders = {str(path.parent) for path in scripts}
	done = subprocess.run([*program, *scripts], capture_output=True, text=True, check=False, cwd=ROOT,
		env=os.environ | {"PYTHONPATH": os.pathsep.join(folders)})
	return [line.replace(f"{ROOT}/", "") for line in (done.stdout + done.stderr).splitlines() if not line.startswith("*")]


def is_shell(path):
	"""Scripts; of those that tpc writes, which differ little, the two that say most."""
	name = path.relative_to(ROOT).as_posix()
	if name.startswith("golden/") and not re.match(r"golden/(seed|then-every)/", name):
		return False
	with path.open("rb") as file:
		return file.read(40).startswith((b"#!/bin/sh", b"#!/usr/bin/env bash", b"#!/sbin/openrc-run"))


def whole(path, folder):
	"""A golden script goes on with what is the same for every policy."""
	if not path.is_relative_to(ROOT / "golden"):
		return path
	copy = folder / "-".join(path.relative_to(ROOT).parts)
	copy.write_bytes(path.read_bytes() + (ROOT / "compiler/emit/script.sh").read_bytes())
	return copy


def check_shell(project):
	if not shutil.which("shellcheck"):
		raise Missing("no shellcheck is here")
	with tempfile.TemporaryDirectory(prefix="lint-") as folder:
		scripts = [whole(path, pathlib.Path(folder)) for path in project.paths if is_shell(path)]
		done = subprocess.run(["shellcheck", "-f", "gcc", "-S", "warning", *scripts],
			capture_output=True, text=True, check=False)
	return (done.stdout + done.stderr).replace(f"{ROOT}/", "").replace(f"{folder}/", "").splitlines()


# ---- all of them ----


class Project:
	"""What the rules are about."""

	def __init__(self):
		self.paths = tracked()
		self.compiler = [File(path) for path in self.paths
			if path.suffix in (".c", ".h") and path.is_relative_to(ROOT / "compiler")]
		self.every = self.compiler + [File(path) for path in self.paths
			if path.suffix in (".c", ".h") and path.is_relative_to(ROOT / "tests")]

	@functools.cached_property
	def tables(self):
		tables = symbols(objects("compiler"))
		if not tables:
			raise AssertionError(f"no objects below {BUILD}/obj: run `make` first")
		return tables


STYLE = {
	"the C style": check_format,
	"shell scripts": check_shell,
	"Python": check_python,
}
RULES = STYLE | {
	"include directions": lambda project: check_includes(project.compiler),
	"the length of files": lambda project: check_file_lines(project.every),
	"the length of functions": lambda project: check_function_lines(project.every),
	"no default over our enums": lambda project: check_switches(project.compiler),
	"no typedef of a struct": lambda project: check_typedefs(project.compiler),
	"files say what they do": lambda project: check_openings(project.compiler),
	"include guards": lambda project: check_guards(project.compiler),
	"every code is reported somewhere": lambda project: check_codes(project.compiler),
	"nothing unfinished": lambda project: check_unfinished(project.paths),
	"white space": lambda project: check_white_space(project.paths),
	"no circle of folders": lambda project: check_rounds(between_folders(calls(project.tables)), "folders"),
	"no circle of files": lambda project: check_rounds(calls(project.tables), "files"),
	"no state outside functions": lambda project: check_state(project.tables),
	"no unused public symbol": lambda project: check_public(project.tables, symbols(objects_of_tests())),
}


def note(files):
	for file in files:
		if FILE_LINES < len(file.lines) <= FILE_LINES_MOST:
			print(f"note: {file.name} has {len(file.lines)} lines; {FILE_LINES} is the aim")
	lengths = [length for file in files for _, _, length in functions(file)]
	if lengths:
		print(f"note: {len(lengths)} functions, the median has {statistics.median(lengths):g} lines")


def main():
	project, broken = Project(), 0
	for rule, check in (STYLE if "--style" in sys.argv else RULES).items():
		try:
			places = list(check(project))
		except Missing as why:
			print(f"{rule}: skipped: {why}")
			continue
		broken += bool(places)
		for place in places:
			print(f"{rule}: {place}")
	if "--style" not in sys.argv:
		note(project.compiler)
	return 1 if broken else 0


if __name__ == "__main__":
	sys.exit(main())
