"""cli: every test by the plain program, and by the one under the sanitizers, where it is built."""
import os
import pathlib
import tempfile

import pytest

import json_output
from cli import PLAIN, Shop
from ns import Host

PROGRAMS = {"plain": os.environ["TPC"], "san": os.path.join(os.environ["BUILD"], "san", "tpc")}


def pytest_generate_tests(metafunc):
	"""A module may say SAN = False."""
	if "program" in metafunc.fixturenames:
		kinds = [kind for kind in PROGRAMS if kind == "plain" or
			getattr(metafunc.module, "SAN", True) and os.path.exists(PROGRAMS[kind])]
		metafunc.parametrize("program", [PROGRAMS[kind] for kind in kinds], ids=kinds)


@pytest.fixture
def shop(program):
	with tempfile.TemporaryDirectory(prefix="cli-") as folder:
		yield Shop(folder, program)


@pytest.fixture
def users():
	"""A test may change the users and groups of its process, which are not the machine's."""
	before = {path: path.read_bytes() for path in (pathlib.Path("/etc/passwd"), pathlib.Path("/etc/group"))}
	yield
	for path, data in before.items():
		if path.read_bytes() != data:
			path.write_bytes(data)


@pytest.fixture
def host(shop, users):
	host = Host("host", shop.folder, PLAIN | {"TPC_RUN_DIR": str(shop.folder / "run")}, shop.program,
		json_output.checked)
	host.ip("link set lo up")
	for key in ("ipv4.ip_forward", "ipv6.conf.all.forwarding"):
		host.sysctl(f"net.{key}", 1)
	yield host
	host.end_all()
	host.close()
