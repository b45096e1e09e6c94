"""
packaging/: what `make install` makes of the services; the unit by systemd-analyze, and on a machine of its own whose
first process is systemd (tests/house/pid1), where one can be had.
"""
import os
import pathlib
import re
import shutil
import subprocess

import pytest

from test_make import BUILD, ROOT, make

UNIT = "tpc@.service"
TRIED = re.findall(r'^tell "([^"]*)"|echo "ok ([^"]*)"', (ROOT / "tests/house/trial.sh").read_text(), re.MULTILINE)
TRIED = [one or other for one, other in TRIED if (one or other) != "$name"]
pytestmark = pytest.mark.xdist_group("make")

POLICY = """version: 1
sets: {listed: [{file: /home/admin/list.txt}]}
tables: {vpn: {id: 7100, dev: wg0, masquerade: true, fallback: unreachable}}
rules:
  - {in: lan0, to: listed, then: {route: vpn}}
  - {user: carol, then: {route: vpn}}
  - {cgroup: system.slice, then: {mark: 7}}
"""
# What the machine has beside the unit: a firewall that flushes, and a network that looks before it makes a link.
NFTABLES = """[Unit]
DefaultDependencies=no
Before=network-pre.target
Wants=network-pre.target
[Service]
Type=oneshot
RemainAfterExit=yes
ExecStart=nft flush ruleset
ExecStop=nft flush ruleset
"""
NETWORKING = """[Unit]
DefaultDependencies=no
After=network-pre.target
[Service]
Type=oneshot
ExecStart=sh -c 'nft list tables >/tmp/network; ip link add lan0 type veth peer name client && ip link set lan0 up'
"""
# Its output where the test reads it, and less patience.
DROP_IN = """[Service]
StandardError=append:/out/tpc
WatchdogSec=2
"""


@pytest.fixture(scope="module")
def installed(tmp_path_factory):
	"""As a distribution installs it."""
	folder = tmp_path_factory.mktemp("installed")
	done = make("install", f"DESTDIR={folder}", "PREFIX=/usr")
	assert done.returncode == 0, done.stderr
	return folder


def starters(folder):
	return [folder / "usr/lib/systemd/system" / UNIT, *(folder / "usr/share/tpc" / name for name in (
		"openrc/tpc", "procd/tpc", "runit/tpc/run", "hooks/tpc"))]


def test_path(installed):
	"""services and the hook start the program where it is installed"""
	for path in starters(installed):
		named = set(re.findall(r"/[\w/]+/bin/tpc\b", path.read_text()))
		assert named == {"/usr/bin/tpc"}, path
		assert os.access(path, os.X_OK) == (path.name != UNIT)
	assert os.access(installed / "usr/bin/tpc", os.X_OK)


def test_folder(tmp_path):
	"""SYSTEMD_UNITS says where the unit goes, and uninstall finds it there"""
	place = (f"DESTDIR={tmp_path}", "PREFIX=/opt/x", "SYSTEMD_UNITS=/etc/systemd/system")
	assert make("install", *place).returncode == 0
	unit = tmp_path / "etc/systemd/system" / UNIT
	assert "ExecStart=/opt/x/bin/tpc watch" in unit.read_text()
	assert make("uninstall", *place).returncode == 0
	assert not unit.exists()


def analyze(installed, tmp_path, *words):
	"""systemd-analyze of the installed unit, with a program that it finds."""
	if not shutil.which("systemd-analyze"):
		pytest.skip("systemd-analyze is not here")
	unit = tmp_path / "tpc@gw.service"
	unit.write_text((installed / "usr/lib/systemd/system" / UNIT).read_text().replace(
		"/usr/bin/tpc", str((ROOT / BUILD / "tpc").resolve())))
	done = subprocess.run(["systemd-analyze", *words, unit], capture_output=True, text=True, check=False)
	if "Unknown option" in done.stderr or "unrecognized option" in done.stderr:
		pytest.skip(f"this systemd-analyze has no {words[1]}")
	return done


def test_verify(installed, tmp_path):
	"""systemd-analyze verify has nothing to say"""
	done = analyze(installed, tmp_path, "verify")
	assert done.returncode == 0 and not done.stderr, done.stderr


def test_security(installed, tmp_path):
	"""systemd-analyze security: an exposure below 3.0"""
	done = analyze(installed, tmp_path, "security", "--offline=true", "--threshold=29")
	assert done.returncode == 0, done.stdout.splitlines()[-1]


@pytest.fixture(scope="module")
def machine(installed, tmp_path_factory):
	"""What was tried on a machine with systemd: name -> what came instead, "" where it is right."""
	folder = tmp_path_factory.mktemp("machine")
	root = folder / "root"
	shutil.copytree(installed, root)
	for name, text in {
		"etc/systemd/system/nftables.service": NFTABLES, "etc/systemd/system/networking.service": NETWORKING,
		f"etc/systemd/system/{UNIT}.d/trial.conf": DROP_IN, "etc/tpc/gw.yaml": POLICY, "trial":
		(ROOT / "tests/house/trial.sh").read_text(), "home/admin/list.txt": "203.0.113.0/24\n2001:db8:113::/48\n",
		"etc/tpc/wrong.yaml": "version: 1\nnonsense: 1\nrules: [{in: lan0, then: drop}]\n",
		"etc/systemd/system/tpc@wrong.service.d/trial.conf": "[Service]\nTimeoutStartSec=1\n",
		"wants": "nftables.service networking.service tpc@gw.service tpc@wrong.service",
		"etc/passwd": pathlib.Path("/etc/passwd").read_text() + "carol:x:1042:1042::/home/carol:/bin/sh\n",
	}.items():
		(root / name).parent.mkdir(parents=True, exist_ok=True)
		(root / name).write_text(text)
	done = subprocess.run(["bash", ROOT / "tests/house/pid1", folder], capture_output=True, text=True, check=False)
	if done.returncode == 125:
		pytest.skip((done.stdout + done.stderr).strip())
	said = (folder / "said").read_text() if (folder / "said").exists() else ""
	assert said, done
	log = (folder / "tpc").read_text() if (folder / "tpc").exists() else ""
	return dict(re.findall(r"^ok (.*)()$", said, re.MULTILINE) +
		[(name, f"{what or 'not so'}\n{log}") for name, what in re.findall(r"^not ([^:\n]*)(.*)$", said, re.MULTILINE)])


@pytest.mark.parametrize("what", TRIED)
def test_boot(machine, what):
	"""systemd as the first process: {what}"""
	assert machine.get(what, "never tried") == "", machine.get(what)
