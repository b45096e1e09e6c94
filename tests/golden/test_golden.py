"""golden: policies and what they must compile to, byte for byte.

A case is a folder below golden/ with a policy.yaml (and whatever it names) and a folder expected/:
the output files, and `stderr` where anything is said. Of policy.sh it holds what is the case's own: what
follows is compiler/emit/script.sh, byte for byte, or it stays and is a difference; of policy.nft no declaration of a chain that
follows in its place. A case with a policy.ip.batch holds every
output; another one, about what nft does, holds those that it is about, and the others are not compared. Cases below golden/errors/ must exit 1, print
nothing on standard output and write nothing; of those below golden/warnings/ what is said counts alone;
those below golden/notes/ are compiled with -v. A case
may have a script `prepare`, which makes files that no one wants in a repository; the case then runs in
a copy of its folder. Every case is compiled twice, the second time from another folder, in another
locale and time zone, by the san build where there is one; a case whose expected/ holds a picture,
policy.dot or policy.mmd, is drawn, too. What it compiles to is loaded in namespaces of its own: the
.nft twice by nft, the batches by ip.

--update rewrites the expected files: for a new case every output; delete those that it is not about.
"""
import difflib
import os
import pathlib
import re
import shutil
import subprocess
import tempfile

import pytest

import etc_files

ROOT = pathlib.Path(__file__).resolve().parents[2]
GOLDEN = ROOT / "golden"
TPC = os.environ["TPC"]
SAN = pathlib.Path(os.environ["BUILD"], "san", "tpc")
PATH = os.environ["PATH"]
PLAIN = {"PATH": PATH, "LC_ALL": "C.UTF-8", "TZ": "UTC", "HOME": "/", "LANG": "C.UTF-8"}
ELSEWHERE = {"PATH": PATH, "LC_ALL": "tr_TR.UTF-8", "TZ": "Pacific/Kiritimati", "LANG": "de_DE"}
PICTURES = {"policy.dot", "policy.mmd"}
KEPT = b"written by somebody before\n"
SCRIPT = (ROOT / "compiler/emit/script.sh").read_bytes()
REGULAR = re.compile(rb"^\tchain (\S+) {\n\t}\n", re.MULTILINE)
CUT = b"\n# compiler/emit/script.sh follows.\n"


def without_declarations(data):
	"""A ruleset whose declarations of chains without a hook are left out, where the same chains follow in the same order."""
	before, mark, rules = data.partition(b"\n# ---- rules ----\n")
	declared, flush, filled = rules.partition(b"\nflush table ")
	hooks = re.findall(rb"^\tchain (\S+) {\n\t\ttype ", declared, re.MULTILINE)
	follow = re.findall(rb"^\tchain (\S+) {$", filled, re.MULTILINE)
	if re.findall(REGULAR, declared) != [name for name in follow if name not in hooks]:
		return data
	return before + mark + re.sub(REGULAR, b"", declared) + flush + filled


def own(name, data):
	"""An output without what is the same for every policy, or stands in it twice."""
	if name.endswith(".sh") and data.endswith(SCRIPT):
		return data.removesuffix(SCRIPT) + CUT
	return without_declarations(data) if name.endswith(".nft") else data


class Compiled:
	"""What one run of the compiler did: its status, its messages, the files it wrote."""

	def __init__(self, status, stderr, files):
		self.status = status
		self.stderr = stderr
		self.files = files


class Case:
	def __init__(self, folder):
		self.folder = folder
		self.name = str(folder.relative_to(GOLDEN))
		self.expected = folder / "expected"
		self.must_fail = self.name.startswith("errors/")
		self.warns = self.name.startswith("warnings/")
		self.options = ["-v"] if self.name.startswith("notes/") else []

	def compile(self, program, work, environment, elsewhere):
		"""Compiles in `work`; an output folder that already holds something must keep it."""
		with tempfile.TemporaryDirectory(prefix="golden-") as scratch:
			out = pathlib.Path(scratch) / "out"
			out.mkdir()
			(out / "other.txt").write_bytes(KEPT)
			policy = str(work / "policy.yaml") if elsewhere else "policy.yaml"
			done = subprocess.run([program, "compile", policy, "-o", out, *self.options],
					env=environment, cwd="/" if elsewhere else work, capture_output=True,
					stdin=subprocess.DEVNULL, timeout=60, check=False)
			for name in sorted(PICTURES & self.wanted().keys()):
				subprocess.run([program, "graph", "-q", policy, "-o", out / name],
					env=environment, cwd="/" if elsewhere else work, capture_output=True,
					stdin=subprocess.DEVNULL, timeout=60, check=False)
			files = {path.name: path.read_bytes() for path in out.iterdir()}
		if files.pop("other.txt", None) != KEPT:
			files["other.txt"] = b"(a file that was there before was changed or removed)\n"
		if done.stdout and self.must_fail:
			files["(standard output)"] = done.stdout
		return Compiled(done.returncode, done.stderr, files)

	def work(self, scratch):
		"""The folder to compile in."""
		if not (self.folder / "prepare").exists():
			return self.folder
		work = pathlib.Path(scratch) / self.name
		shutil.copytree(self.folder, work, ignore=shutil.ignore_patterns("expected"))
		subprocess.run(["sh", "./prepare"], cwd=work, env=PLAIN, check=True, timeout=60)
		return work

	def first(self, work):
		return self.compile(TPC, work, PLAIN, False)

	def second(self, work):
		return self.compile(SAN if SAN.exists() else TPC, work, ELSEWHERE, True)

	def found(self, compiled):
		"""What expected/ would hold of it."""
		wanted = self.wanted()
		files = {name: own(name, data) for name, data in compiled.files.items() if self.holds(name, wanted)}
		return files | ({"stderr": compiled.stderr} if compiled.stderr else {})

	def holds(self, name, wanted):
		"""Is the case about this output?"""
		if self.warns:
			return name in PICTURES
		return not wanted or self.must_fail or "policy.ip.batch" in wanted or name in wanted

	def wanted(self):
		if not self.expected.is_dir():
			return {}
		return {path.name: path.read_bytes() for path in self.expected.iterdir()}


def readable(data):
	return data.decode("utf-8", "backslashreplace").splitlines(keepends=True)


def unified(name, wanted, found):
	lines = difflib.unified_diff(readable(wanted), readable(found), f"expected/{name}",
			f"found/{name}")
	text = "".join(line if line.endswith("\n") else line + "\n\\ no newline at the end\n"
			for line in lines)
	return text or f"{name}: only bytes that are not text differ\n"


def compare(wanted, found):
	"""The differences between two dicts of files, as text."""
	problems = []
	for name in sorted(wanted.keys() | found.keys()):
		if wanted.get(name) != found.get(name):
			problems.append(unified(name, wanted.get(name, b""), found.get(name, b"")))
	return "".join(problems)


def judge_status(case, compiled):
	wanted = 1 if case.must_fail else 0
	if compiled.status == wanted:
		return ""
	text = "".join(readable(compiled.stderr)[-30:])
	return f"exit status {compiled.status}, not {wanted}\n{text}"


def judge(case, compiled):
	problems = judge_status(case, compiled)
	found = case.found(compiled)
	if not case.wanted():
		problems += "there is no expected/: run `make golden` and read what it wrote\n"
	return problems + compare(case.wanted(), found)


def judge_elsewhere(case, work, first, second):
	problems = judge_status(case, second)
	messages = second.stderr.replace(str(work).encode() + b"/", b"")
	return problems + compare(dict(first.files, stderr=first.stderr),
			dict(second.files, stderr=messages))


# ---- loading ----

# In: the folder with the outputs; beside them are lines of links, addresses and accounts to make first,
# and the cgroups that nft looks up: it asks for the number of a folder, whatever file system it is on.
LOAD = r"""
set -e
cd "$1"
if [ -s passwd ]; then mount --bind passwd /etc/passwd; mount --bind group /etc/group; fi
if [ -s cgroups ]; then
	mount -t tmpfs none /sys/fs/cgroup
	while read -r path; do mkdir -p "/sys/fs/cgroup/$path"; done <cgroups
fi
ip link set lo up
ip -batch links
for file in *.nft; do nft -f "$file"; nft -f "$file"; done
for file in *.ip.batch; do [ ! -e "$file" ] || ip -batch "$file"; done
for file in *.ip6.batch; do [ ! -e "$file" ] || ip -6 -batch "$file"; done
for file in *.sh; do [ ! -e "$file" ] || sh -n "$file"; done
"""


def neighbour(address):
	"""Another address of the same small network, with its length."""
	if ":" in address:
		return address.rstrip("0123456789abcdef") + "fff1/64"
	first, _, last = address.rpartition(".")
	return f"{first}.{int(last) ^ 2 or 1}/24"


def links(text):
	"""`ip -batch` lines that make every link and address that the batches speak of."""
	text = re.sub(r"^#.*", "", text, flags=re.MULTILINE)
	devices = {"gw0"} | set(re.findall(r"\bdev (\S+)", text))
	addresses = set()
	for line in re.split(r"\n|\bnexthop\b", text):
		device = re.search(r"\bdev (\S+)", line)
		via = re.search(r"\bvia (?:inet6? )?(\S+)", line)
		source = re.search(r"\bsrc (\S+)", line)
		name = device.group(1) if device else "gw0"
		if via and not via.group(1).startswith("fe80:"):
			addresses.add((neighbour(via.group(1)), name))
		if source:
			addresses.add((source.group(1), name))
	lines = []
	for number, name in enumerate(sorted(devices - {"lo"})):
		lines += [f"link add {name} type veth peer name peer{number}",
				f"link set {name} up", f"link set peer{number} up"]
	for address, name in sorted(addresses):
		nodad = " nodad" if ":" in address else ""
		lines.append(f"address replace {address} dev {name}{nodad}")
	return "".join(line + "\n" for line in lines)


def accounts_named(text):
	"""passwd and group with every user and group that the rules name: nft resolves them."""
	def named(word):
		found = re.findall(word + r"\s+(?:!=\s*)?(\{[^}]*\}|\S+)", text)
		return sorted(set(re.findall(r"[a-z_][\w.-]*", " ".join(found))))
	return etc_files.files(named("skuid"), named("skgid"))


def cgroups(text):
	"""The path of every cgroup that the rules name, a line each."""
	named = re.findall(r'\bcgroupv2 level \d+ "/?([^"]+)"', text)
	return "".join(path + "\n" for path in sorted(set(named)))


def load(files):
	"""Loads outputs into the kernel; what was said, or "" when nothing was."""
	texts = {name: data.decode() for name, data in files.items()}
	with tempfile.TemporaryDirectory(prefix="golden-") as scratch:
		folder = pathlib.Path(scratch)
		batches = "\n".join(text for name, text in texts.items() if name.endswith(".batch"))
		rules = "\n".join(text for name, text in texts.items() if name.endswith(".nft"))
		texts |= accounts_named(rules) | {"links": links(batches), "cgroups": cgroups(rules)}
		for name, text in texts.items():
			(folder / name).write_text(text, encoding="utf-8")
		done = subprocess.run(["unshare", "-Urnm", "sh", "-c", LOAD, "sh", folder], env=PLAIN,
				capture_output=True, stdin=subprocess.DEVNULL, timeout=60,
				check=False)
	said = (done.stdout + done.stderr).decode("utf-8", "replace")
	if done.returncode and not said:
		return f"exit status {done.returncode}"
	return said if not done.returncode else f"exit status {done.returncode}\n{said}"


# ---- the tests ----


def find_cases():
	"""The outermost folders that hold a policy; what is below one belongs to it."""
	found = {}
	for folder, folders, files in os.walk(GOLDEN):
		if "policy.yaml" in files:
			case = Case(pathlib.Path(folder))
			found[case.name] = case
			folders.clear()
	return dict(sorted(found.items()))


CASES = find_cases()


def update(case, compiled):
	"""Writes what the compiler says now as what is expected; says what changed."""
	assert not judge_status(case, compiled)
	found = case.found(compiled)
	if found != case.wanted():
		shutil.rmtree(case.expected, ignore_errors=True)
		case.expected.mkdir()
		for name, data in found.items():
			(case.expected / name).write_bytes(data)
		print(f"{case.name}: written: {' '.join(sorted(found))}")


@pytest.mark.parametrize("name", CASES)
def test_expected(name, tmp_path, pytestconfig):
	"""{name} compiles to the expected files"""
	case = CASES[name]
	compiled = case.first(case.work(tmp_path))
	if pytestconfig.getoption("update"):
		update(case, compiled)
	problems = judge(case, compiled)
	assert not problems, problems


@pytest.mark.parametrize("name", CASES)
def test_elsewhere(name, tmp_path):
	"""{name} compiles to the same from another folder, in another locale and time zone, under the sanitizers"""
	case = CASES[name]
	work = case.work(tmp_path)
	problems = judge_elsewhere(case, work, case.first(work), case.second(work))
	assert not problems, problems


@pytest.mark.parametrize("name", [case.name for case in CASES.values() if not case.must_fail])
def test_loads(name, tmp_path):
	"""{name}: nft and ip accept the files"""
	case = CASES[name]
	files = case.first(case.work(tmp_path)).files
	assert {"policy.nft", "policy.ip.batch"} <= files.keys(), "not all was written"
	said = load(files)
	assert not said, said


# What needs an output folder with files of the policy in it: tests/cli/test_compile.
ELSEWHERE_TESTED = {"overwrites-input"}


def codes():
	"""FOLDER/CODE of every diagnostic that has a case here."""
	text = (ROOT / "compiler/base/codes.def").read_text(encoding="utf-8")
	return [f"{severity.lower()}s/{name.replace('_', '-')}"
		for name, severity in re.findall(r"^DIAG_CODE\((\w+), SEVERITY_(\w+)", text, re.MULTILINE)
		if name.replace("_", "-") not in ELSEWHERE_TESTED]


@pytest.mark.parametrize("code", codes())
def test_code(code):
	"""{code} has a case that shows it"""
	expected = GOLDEN / code / "expected" / "stderr"
	assert f"[{os.path.basename(code)}]" in expected.read_text(encoding="utf-8", errors="replace")
