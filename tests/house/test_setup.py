"""packaging/setup on machines that do not exist: an empty one, with one fake package manager each."""
import os
import shutil
import subprocess

import pytest

from fake_machine import SETUP, Machine

COUNTRIES = SETUP.parent / "countries"
MANAGERS = {
	"apt-get": ["apt-get update", "apt-get install -y --no-install-recommends gcc libc6-dev",
		"libyaml-dev", "libnftables-dev", "libmnl-dev", "libmaxminddb-dev",
		"libcmocka-dev", "iproute2", "python3-jsonschema", "python3-yaml", "python3-pytest", "python3-pytest-xdist",
		"tzdata", "dnsmasq-base", "curl",
		"bind9-dnsutils", "openssh-client", "openssl", "graphviz", "strace"],
	"dnf": ["dnf install -y gcc", "pkgconfig(libnftables)", "pkgconfig(libmaxminddb)",
		"iproute ", "python3-jsonschema", " dnsmasq"],
	"apk": ["apk add --no-cache gcc musl-dev linux-headers", "nftables-dev", "libmaxminddb-dev",
		"py3-jsonschema", "graphviz font-dejavu"],
	"pacman": ["pacman -Sy --needed --noconfirm gcc", "libyaml", "libmaxminddb", "python-jsonschema"],
	"zypper": ["openssh-clients", "zypper --non-interactive install gcc", "pkgconfig(yaml-0.1)", "iproute2"],
}


def lacking(text, wanted):
	return [word for word in wanted if word not in text]


@pytest.mark.parametrize("manager", MANAGERS)
def test_managers(manager, tmp_path):
	"""{manager} is asked for its own packages"""
	machine = Machine(tmp_path, 0)
	machine.manager(manager)
	status, said, asked = machine.run("check")
	assert not lacking(asked, MANAGERS[manager]), asked
	assert status == 1 and "still missing" in said, "nothing was installed, and it was not seen"


def test_purposes(tmp_path):
	"""packages for tests are not installed for a build or a demo, proxies only for interop; a dry run installs nothing"""
	machine = Machine(tmp_path, 0)
	machine.manager("apt-get")
	_, build, _ = machine.run("build", "--dry-run")
	_, demo, asked = machine.run("demo", "--dry-run")
	assert not [word for word in ("cmocka", " nftables", "python3") if word in build]
	assert not [word for word in ("cmocka", "jsonschema", "pytest", "dnsmasq", "graphviz", "haproxy", "squid") if word in build + demo]
	assert asked == ""


@pytest.mark.parametrize("manager, names", {
	"apt-get": ["quietly apt-get install", " shadowsocks-libev", " dnsmasq-base", " bind9-dnsutils", " python3-pytest"],
	"dnf": [" haproxy squid", " bind-utils"],
}.items())
def test_interop(manager, names, tmp_path):
	"""{manager}: proxies for interop, without starting their services"""
	machine = Machine(tmp_path, 0)
	machine.manager(manager)
	_, said, _ = machine.run("interop", "--dry-run")
	assert not lacking(said, names), said
	assert ("quietly" in said) == (manager == "apt-get")


def test_quietly(tmp_path):
	"""no service is started while packages are installed; what was not enabled before is not after; a machine's own ban stays"""
	# apt starts and enables what it installs, and squid was enabled before.
	machine = Machine(tmp_path, 0)
	policy = machine.folder / "usr" / "sbin" / "policy-rc.d"
	policy.parent.mkdir(parents=True)
	for tool in ("rm", "chmod"):
		(machine.folder / tool).symlink_to(shutil.which(tool))
	machine.tool("systemctl", f"""case $1:$3 in
is-enabled:squid.service) exit 0 ;;
is-enabled:haproxy.service) [ -e {tmp_path}/installed ] ;;
is-enabled:*) exit 1 ;;
*) echo "systemctl $*" >>{machine.log} ;;
esac""")
	machine.tool("apt-get", f"{policy} haproxy start; echo $? >{tmp_path}/installed; exit 7")
	command = [machine.folder / "sh", SETUP.parent / "quietly", "apt-get", "install"]

	def run():
		return subprocess.run(command, env={"PATH": str(machine.folder), "SYSROOT": str(tmp_path)}, capture_output=True,
			text=True, check=False)
	done = run()
	assert (machine.folder / "installed").read_text(encoding="utf-8") == "101\n", done.stderr
	assert machine.log.read_text(encoding="utf-8") == "systemctl disable --quiet haproxy.service\n"
	assert done.returncode == 7 and not policy.exists(), "the package manager's status is kept, and the ban lifted"
	policy.write_text("#!/bin/sh\nexit 104\n", encoding="utf-8")
	policy.chmod(0o755)
	run()
	assert "104" in policy.read_text(encoding="utf-8")


def test_rights(tmp_path):
	"""without root it says what to run; with sudo it uses sudo, without a password prompt if there is no terminal"""
	machine = Machine(tmp_path, 1000)
	machine.manager("apt-get")
	status, said, asked = machine.run("check")
	assert not lacking(said, ["neither sudo nor doas", "    apt-get update", "apt-get install -y"]), said
	assert status == 1 and not asked
	machine.tool("sudo", f'echo "sudo $*" >>{machine.log}\nshift\nexec "$@"')
	_, _, asked = machine.run("check")
	assert not lacking(asked, ["sudo -n apt-get update", "sudo -n env", "apt-get install"]), asked


def test_failures(tmp_path):
	"""no package manager, a manager that fails, an unknown purpose"""
	machine = Machine(tmp_path, 0)
	status, said, _ = machine.run("check")
	assert status == 1 and not lacking(said, ["none of apt, dnf, apk, pacman and zypper", "compiler", "libmnl"]), said
	machine.manager("apt-get", "exit 100")
	status, said, _ = machine.run("check")
	assert status == 1 and not lacking(said, ["installing failed", "    apt-get update"]), said
	status, said, _ = machine.run("everything")
	assert status == 2, said


# What npm does: makes the packages that it is asked for.
NPM = """
while [ "$1" != --prefix ]; do shift; done
folder=$2
for word in "$@"; do
	case $word in
	@*/*@*)
		mkdir -p "$folder/node_modules/${word%@*}"
		echo "  \\"version\\": \\"${word##*@}\\"," >"$folder/node_modules/${word%@*}/package.json"
		;;
	esac
done
"""


class Fetching(Machine):
	"""A machine that fetches the database of countries into data/."""

	def __init__(self, folder):
		super().__init__(folder, 0)
		for tool in ("find", "mkdir", "rm", "timeout"):
			(self.folder / tool).symlink_to(shutil.which(tool))
		self.data = self.folder / "data"

	def fetch(self):
		"""The status, what was said, what npm and the package manager were asked since last time."""
		self.log.unlink(missing_ok=True)
		done = subprocess.run([self.folder / "sh", COUNTRIES, self.data],
			env={"PATH": str(self.folder), "SYSROOT": "/nonexistent"}, capture_output=True,
			text=True, stdin=subprocess.DEVNULL, check=False)
		asked = self.log.read_text(encoding="utf-8") if self.log.exists() else ""
		return done.returncode, done.stdout + done.stderr, asked


def test_countries(tmp_path):
	"""country databases come from npm, once"""
	machine = Fetching(tmp_path)
	machine.manager("npm", NPM)
	status, said, asked = machine.fetch()
	assert status == 0, said
	assert not lacking(asked, [f"--prefix {machine.data}", "--ignore-scripts", "geo-whois-asn-country-mmdb@",
		"geo-whois-asn-country@"]), asked
	assert machine.fetch() == (0, "", "")


def test_no_registry(tmp_path):
	"""without the registry the set-up goes on, stores the reason, and tries again only later"""
	machine = Fetching(tmp_path)
	machine.manager("npm", "echo npm ERR! code ENOTFOUND\nexit 1")
	status, said, _ = machine.fetch()
	why = machine.data / "why"
	assert status == 0 and "will be skipped: npm could not fetch it: code ENOTFOUND" in said, said
	assert "ENOTFOUND" in why.read_text(encoding="utf-8")
	assert machine.fetch() == (0, "", "")
	os.utime(why, (0, 0))
	machine.manager("npm", NPM)
	_, _, asked = machine.fetch()
	assert "npm install" in asked and not why.exists()


def test_npm(tmp_path):
	"""npm comes from the package manager"""
	machine = Fetching(tmp_path)
	machine.manager("apt-get")
	status, said, asked = machine.fetch()
	assert status == 0 and "apt-get install -y --no-install-recommends npm" in asked, asked
	assert "will be skipped: npm is not here" in said


def test_without_npm(tmp_path):
	"""npm is not installed for two tests: a machine with all else does nothing"""
	machine = Machine(tmp_path, 0)
	machine.manager("apt-get")
	for tool in ("cc", "pkg-config", "nft", "unshare", "sysctl", "curl", "dig", "ssh", "openssl", "dot",
			"strace", "iprange", "dnsmasq", "python3"):
		machine.tool(tool, "exit 0")
	machine.tool("ip", "echo iproute2")
	for path in ("usr/include/stdio.h", "usr/include/linux/netfilter/nf_tables.h", "usr/share/zoneinfo/Europe/Berlin"):
		(tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
		(tmp_path / path).touch()
	assert machine.run("check", SYSROOT=str(tmp_path), PYTHON="python3", BUILD=str(tmp_path)) == (0, "", "")


def test_here(tmp_path):
	"""this machine has everything: nothing to do, no output"""
	(tmp_path / "data").mkdir()
	(tmp_path / "data" / "why").touch()
	environment = dict(os.environ, PATH="/nonexistent-first:" + os.environ["PATH"], BUILD=str(tmp_path))
	done = subprocess.run(["sh", SETUP, "check"], env=environment, capture_output=True, text=True, check=False)
	assert (done.returncode, done.stdout + done.stderr) == (0, "")
