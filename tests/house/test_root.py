"""packaging/bare-root where no root can be made, and where it is interrupted; packaging/versions."""
import os
import pathlib
import re
import signal
import subprocess
import time

import pytest

from fake_machine import ROOT, Machine

BARE_ROOT = ROOT / "packaging" / "bare-root"
COMMAND = "echo working; echo '5 passed, 1 failed, 0 skipped'; exit 3"
# Enters no namespace.
UNSHARE = 'while case $1 in -*) ;; *) false ;; esac; do [ "$1" != --propagation ] || shift; shift; done\nexec "$@"'
APT = "[ $1 != indextargets ] || echo mirror:/debian"


def obey():
	"""A caller may ignore signals (nohup, `&` in a script), and a shell cannot trap what is ignored when it begins."""
	for number in signal.SIGINT, signal.SIGTERM, signal.SIGHUP:
		signal.signal(number, signal.SIG_DFL)


class Bare(Machine):
	"""A machine whose root is a fake one, and whose tools make no root."""

	def __init__(self, folder, uid=0):
		super().__init__(folder, uid)
		self.temporary = self.folder / "temporary"
		self.temporary.mkdir()
		self.tool("apt-get", APT)
		self.tool("unshare", UNSHARE)

	def start(self, script, *arguments):
		environment = dict(os.environ, PATH=f"{self.folder}:{os.environ['PATH']}", TMPDIR=str(self.temporary))
		return subprocess.Popen(["bash", script, *arguments], env=environment, stdout=subprocess.PIPE,
			stderr=subprocess.PIPE, text=True, preexec_fn=obey)

	def ran(self, *arguments):
		with self.start(BARE_ROOT, *arguments) as process:
			out, err = process.communicate(timeout=60)
		return process.returncode, out, err

	def left(self):
		return [f"{path} is left" for path in self.temporary.iterdir()]


# What stops the making of a root: tools that behave otherwise, and what is said of it.
LACKS = {
	"an ordinary user": ({"id": "echo 1000"}, "this needs root"),
	"no network": ({"apt-get": "echo 'E: cannot resolve' >&2; exit 100"}, "apt-get update failed: E: cannot resolve"),
	"another distribution's sources": ({"apt-get": "exit 0"}, "none of the sources of apt is Debian's"),
	"a release that is not there": ({"mmdebstrap": "echo 'E: no release stabl'; exit 1"}, "mmdebstrap failed: E: no release stabl"),
	"no right to mount": ({"unshare": "echo 'unshare: not permitted'; exit 1", "mmdebstrap": "exit 0"},
		"mmdebstrap failed: unshare: not permitted"),
}


@pytest.mark.parametrize("name", LACKS)
def test_lacks(name, tmp_path):
	"""{name}: runs on the host, says why above the last line, and keeps the exit status"""
	tools, why = LACKS[name]
	machine = Bare(tmp_path)
	for tool, script in tools.items():
		machine.tool(tool, script)
	status, _, err = machine.ran("stable", COMMAND)
	assert status == 125 and why in err
	status, out, err = machine.ran("--or-here", "stable", COMMAND)
	assert status == 3, out + err
	assert out.splitlines()[-3:] == ["working", "this ran on the machine itself, not in a bare root of Debian stable: " + why,
		"5 passed, 1 failed, 0 skipped"]
	assert not machine.left()


def runs(pid):
	"""Not one that has ended and that no one has asked for."""
	try:
		return ") Z" not in pathlib.Path("/proc", pid, "stat").read_text(encoding="utf-8")
	except FileNotFoundError:
		return False


def soon(condition):
	"""A process that was killed takes its time on a machine with much to do, but not for ever."""
	end = time.monotonic() + 30
	while not condition() and time.monotonic() < end:
		time.sleep(0.02)
	return condition()


@pytest.mark.parametrize("name", ["SIGTERM", "SIGINT", "SIGHUP"])
def test_interrupted(name, tmp_path):
	"""{name}: nothing is left, in files or processes"""
	number = signal.Signals[name]
	machine = Bare(tmp_path)
	machine.tool("mmdebstrap", f"echo $$ >{tmp_path}/pid\nexec sleep 60")
	with machine.start(BARE_ROOT, "stable", COMMAND) as process:
		pid = tmp_path / "pid"
		soon(lambda: pid.exists() and pid.read_text(encoding="utf-8").endswith("\n"))
		process.send_signal(number)
		process.communicate(timeout=60)
	assert process.returncode == 128 + number
	assert soon(lambda: not runs(pid.read_text(encoding="utf-8").strip())), "what it had started goes on"
	assert not machine.left()


def test_commands():
	"""the commands are the README's two"""
	readme = (ROOT / "README.md").read_text(encoding="utf-8")
	two = re.findall(r"^make \w+", readme.partition("```sh\n")[2].partition("```")[0], re.MULTILINE)
	text = BARE_ROOT.read_text(encoding="utf-8")
	assert len(two) == 2 and all(f"{word};" in text for word in two)


def test_versions(tmp_path):
	"""versions says which are missing, and why"""
	machine = Bare(tmp_path, 1000)
	with machine.start("-c", 'exec sh "$@"', "sh", ROOT / "packaging" / "versions", f"{tmp_path}/logs", "one", "two") as process:
		out, _ = process.communicate(timeout=60)
	assert process.returncode == 1
	assert [line for line in out.splitlines() if "running" not in line] == [line for name in ("one", "two") for line in (
		f"{name}: not run ()", f"    bare-root: no bare root of Debian {name}: this needs root")]
