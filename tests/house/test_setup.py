"""packaging/setup on machines that do not exist: an empty one, with one fake package manager each."""
import os
import pathlib
import shutil
import subprocess
import sys
import tempfile

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tests"))
from tap import Tap  # noqa: E402

SETUP = ROOT / "packaging" / "setup"
COUNTRIES = ROOT / "packaging" / "countries"
MANAGERS = {
	"apt-get": ["apt-get update", "apt-get install -y --no-install-recommends gcc libc6-dev",
		"libyaml-dev", "libnftables-dev", "libmnl-dev", "libmaxminddb-dev",
		"libcmocka-dev", "iproute2", "python3-jsonschema", "python3-yaml", "tzdata", "dnsmasq-base", "curl",
		"bind9-dnsutils", "openssh-client", "openssl", "graphviz", "strace"],
	"dnf": ["dnf install -y gcc", "pkgconfig(libnftables)", "pkgconfig(libmaxminddb)",
		"iproute ", "python3-jsonschema", " dnsmasq"],
	"apk": ["apk add --no-cache gcc musl-dev linux-headers", "nftables-dev", "libmaxminddb-dev",
		"py3-jsonschema", "graphviz font-dejavu"],
	"pacman": ["pacman -Sy --needed --noconfirm gcc", "libyaml", "libmaxminddb", "python-jsonschema"],
	"zypper": ["openssh-clients", "zypper --non-interactive install gcc", "pkgconfig(yaml-0.1)", "iproute2"],
}


class Machine:
	"""A folder that is all of PATH; what its package manager and sudo are asked is written down."""

	def __init__(self, folder, uid):
		self.folder = pathlib.Path(folder)
		self.log = self.folder / "log"
		for tool in ("sh", "sed", "cat", "env", "dirname"):
			(self.folder / tool).symlink_to(shutil.which(tool))
		self.tool("id", f"echo {uid}")

	def tool(self, name, script):
		path = self.folder / name
		path.write_text(f"#!/bin/sh\n{script}\n", encoding="utf-8")
		path.chmod(0o755)

	def manager(self, name, script="exit 0"):
		self.tool(name, f'echo "{name} $*" >>{self.log}\n{script}')

	def run(self, purpose, *arguments, **more):
		environment = {"PATH": str(self.folder), "SYSROOT": "/nonexistent",
			"PYTHON": "/nonexistent/python3", **more}
		done = subprocess.run([self.folder / "sh", SETUP, purpose, *arguments], env=environment,
			capture_output=True, text=True, stdin=subprocess.DEVNULL, check=False)
		asked = self.log.read_text(encoding="utf-8") if self.log.exists() else ""
		return done.returncode, done.stdout + done.stderr, asked


def lacking(text, wanted):
	return [f"not there: {word}\n{text}" for word in wanted if word not in text]



def test_managers(tap):
	for manager, wanted in MANAGERS.items():
		with tempfile.TemporaryDirectory(prefix="setup-") as folder:
			machine = Machine(folder, 0)
			machine.manager(manager)
			status, said, asked = machine.run("check")
		problems = lacking(asked, wanted)
		if status != 1 or "still missing" not in said:
			problems.append(f"nothing was installed, and it was not seen: {status}\n{said}")
		tap.check(f"{manager} is asked for its own packages", problems)


def test_purposes(tap):
	with tempfile.TemporaryDirectory(prefix="setup-") as folder:
		machine = Machine(folder, 0)
		machine.manager("apt-get")
		_, build, _ = machine.run("build", "--dry-run")
		_, demo, asked = machine.run("demo", "--dry-run")
	problems = [word for word in ("cmocka", " nftables", "python3") if word in build]
	problems += [word for word in ("cmocka", "jsonschema", "dnsmasq", "graphviz") if word in build + demo]
	tap.check("what is only for tests is not asked for to build or to show", problems)
	tap.check("a dry run installs nothing", asked)
	tap.check("the proxies are for interop alone", [word for word in ("haproxy", "squid")
		if word in build + demo])


def test_interop(tap):
	wanted = {"apt-get": ["quietly apt-get install", " shadowsocks-libev", " dnsmasq-base",
		" bind9-dnsutils"], "dnf": [" haproxy squid", " bind-utils"]}
	for manager, names in wanted.items():
		with tempfile.TemporaryDirectory(prefix="setup-") as folder:
			machine = Machine(folder, 0)
			machine.manager(manager)
			_, said, _ = machine.run("interop", "--dry-run")
		tap.check(f"{manager}: proxies for interop", lacking(said, names) +
			(["quietly, where nothing is started"] if manager == "dnf" and "quietly" in said else []))


def test_quietly(tap):
	"""A machine where apt starts and enables what it installs, and squid was enabled before."""
	with tempfile.TemporaryDirectory(prefix="setup-") as folder:
		machine = Machine(folder, 0)
		policy = machine.folder / "usr" / "sbin" / "policy-rc.d"
		policy.parent.mkdir(parents=True)
		for tool in ("rm", "chmod"):
			(machine.folder / tool).symlink_to(shutil.which(tool))
		machine.tool("systemctl", f"""case $1:$3 in
is-enabled:squid.service) exit 0 ;;
is-enabled:haproxy.service) [ -e {folder}/installed ] ;;
is-enabled:*) exit 1 ;;
*) echo "systemctl $*" >>{machine.log} ;;
esac""")
		machine.tool("apt-get", f"{policy} haproxy start; echo $? >{folder}/installed; exit 7")
		environment = {"PATH": str(machine.folder), "SYSROOT": folder}
		command = [machine.folder / "sh", SETUP.parent / "quietly", "apt-get", "install"]

		def run():
			return subprocess.run(command, env=environment, capture_output=True, text=True,
				check=False)
		done = run()
		forbidden = (machine.folder / "installed").read_text(encoding="utf-8")
		asked = machine.log.read_text(encoding="utf-8")
		tap.check("no service is started while packages are installed",
			"" if forbidden == "101\n" else f"{forbidden}: {done.stderr}")
		tap.check("what was not enabled before is not after",
			"" if asked == "systemctl disable --quiet haproxy.service\n" else asked)
		tap.check("the package manager's status is kept, and the ban lifted",
			"" if done.returncode == 7 and not policy.exists() else f"{done}")
		policy.write_text("#!/bin/sh\nexit 104\n", encoding="utf-8")
		policy.chmod(0o755)
		run()
		tap.check("a ban of the machine's own is left alone", "" if policy.exists() and
			"104" in policy.read_text(encoding="utf-8") else "it is gone")


def test_rights(tap):
	with tempfile.TemporaryDirectory(prefix="setup-") as folder:
		machine = Machine(folder, 1000)
		machine.manager("apt-get")
		status, said, asked = machine.run("check")
		problems = lacking(said, ["neither sudo nor doas", "    apt-get update",
			"apt-get install -y"])
		if status != 1 or asked:
			problems.append(f"status {status}, ran: {asked}")
		tap.check("without rights it says what to run", problems)
		machine.tool("sudo", f'echo "sudo $*" >>{machine.log}\nshift\nexec "$@"')
		_, _, asked = machine.run("check")
		tap.check("with sudo it asks sudo, and not for a password where nobody is",
			lacking(asked, ["sudo -n apt-get update", "sudo -n env", "apt-get install"]))


def test_failures(tap):
	with tempfile.TemporaryDirectory(prefix="setup-") as folder:
		machine = Machine(folder, 0)
		status, said, _ = machine.run("check")
		problems = lacking(said, ["none of apt, dnf, apk, pacman and zypper", "compiler", "libmnl"])
		tap.check("no package manager", problems + ([] if status == 1 else [f"status {status}"]))
		machine.manager("apt-get", "exit 100")
		status, said, _ = machine.run("check")
		problems = lacking(said, ["installing failed", "    apt-get update"])
		tap.check("a manager that fails", problems + ([] if status == 1 else [f"status {status}"]))
		status, said, _ = machine.run("everything")
		tap.check("an unknown purpose", "" if status == 2 else f"status {status}: {said}")


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


def test_countries(tap):
	with tempfile.TemporaryDirectory(prefix="setup-") as folder:
		machine = Fetching(folder)
		machine.manager("npm", NPM)
		status, said, asked = machine.fetch()
		problems = lacking(asked, [f"--prefix {machine.data}", "--ignore-scripts",
			"geo-whois-asn-country-mmdb@", "geo-whois-asn-country@"])
		tap.check("a database of countries comes from npm", problems if not status else said)
		tap.check("once", "".join(map(str, machine.fetch())).removeprefix("0"))
	with tempfile.TemporaryDirectory(prefix="setup-") as folder:
		machine = Fetching(folder)
		machine.manager("npm", "echo npm ERR! code ENOTFOUND\nexit 1")
		status, said, _ = machine.fetch()
		problems = lacking(said, ["will be skipped: npm could not fetch it: code ENOTFOUND"])
		problems += [] if status == 0 else [f"status {status}"]
		problems += lacking((machine.data / "why").read_text(encoding="utf-8"), ["ENOTFOUND"])
		tap.check("a machine without the registry goes on, and the reason is kept", problems)
		tap.check("and does not try again at once", "".join(map(str, machine.fetch())).removeprefix("0"))
		os.utime(machine.data / "why", (0, 0))
		machine.manager("npm", NPM)
		status, said, asked = machine.fetch()
		problems = lacking(asked, ["npm install"]) + [path for path in ["why"]
			if (machine.data / path).exists()]
		tap.check("but later it does", problems)
	with tempfile.TemporaryDirectory(prefix="setup-") as folder:
		machine = Fetching(folder)
		machine.manager("apt-get")
		status, said, asked = machine.fetch()
		problems = lacking(asked, ["apt-get install -y --no-install-recommends npm"])
		problems += lacking(said, ["will be skipped: npm is not here"])
		tap.check("npm comes from the package manager", problems if status == 0 else f"status {status}")


def test_without_npm(tap):
	"""A machine that has all but npm."""
	with tempfile.TemporaryDirectory(prefix="setup-") as folder:
		machine = Machine(folder, 0)
		machine.manager("apt-get")
		for tool in ("cc", "pkg-config", "nft", "unshare", "sysctl", "curl", "dig", "ssh", "openssl", "dot",
				"strace", "iprange", "dnsmasq", "python3"):
			machine.tool(tool, "exit 0")
		machine.tool("ip", "echo iproute2")
		for path in ("usr/include/stdio.h", "usr/include/linux/netfilter/nf_tables.h", "usr/share/zoneinfo/Europe/Berlin"):
			pathlib.Path(folder, path).parent.mkdir(parents=True, exist_ok=True)
			pathlib.Path(folder, path).touch()
		status, said, asked = machine.run("check", SYSROOT=folder, PYTHON="python3", BUILD=folder)
		tap.check("npm is not installed for two tests: what is not there is not fetched",
			f"{status}: {said}{asked}" if status or said or asked else "")


def test_here(tap):
	"""This machine runs the tests, so it has everything, or has just tried."""
	environment = dict(os.environ, PATH="/nonexistent-first:" + os.environ["PATH"])
	with tempfile.TemporaryDirectory(prefix="setup-") as folder:
		(pathlib.Path(folder) / "data").mkdir()
		(pathlib.Path(folder) / "data" / "why").touch()
		done = subprocess.run(["sh", SETUP, "check"], env=dict(environment, BUILD=folder),
			capture_output=True, text=True, check=False)
	said = done.stdout + done.stderr
	tap.check("nothing to do, nothing said", "" if done.returncode == 0 and not said else
		f"{done.returncode}: {said}")


def main():
	tap = Tap()
	for test in (test_managers, test_purposes, test_interop, test_quietly, test_rights,
			test_failures, test_countries, test_without_npm, test_here):
		test(tap)
	return tap.done()


if __name__ == "__main__":
	sys.exit(main())
