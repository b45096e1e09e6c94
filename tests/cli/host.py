"""host: a network namespace of its own, to run commands in as root, without being root.

	with Host(shop) as host:
		host.run("ip", "link", "set", "lo", "up")

Nothing that is done there reaches the machine: the namespaces (user, network, mounts) live as long as a
process that the Host starts, and end with it.
"""
import contextlib
import json
import os
import pathlib
import signal
import subprocess
import sys
import tempfile

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent))
import accounts  # noqa: E402
import settled  # noqa: E402

# The users and groups of the examples are there, whatever the machine has.
HOLD = "".join(['mount --bind "$1/passwd" /etc/passwd && mount --bind "$1/group" /etc/group && ',
	*(f"mount --bind /dev/null {path} && " for path in accounts.RULES), "echo ready && exec sleep 600"])

NAMESPACES = ["--preserve-credentials", "-U", "-n", "-m"]


class Host:
	def __init__(self, shop):
		self.shop = shop
		self.holder = None
		self.environment = {"TPC_RUN_DIR": str(shop.folder / "run")}

	def __enter__(self):
		with tempfile.TemporaryDirectory(prefix="host-") as folder:
			for name, text in accounts.files().items():
				pathlib.Path(folder, name).write_text(text, encoding="utf-8")
			self.holder = subprocess.Popen(["unshare", "-Urnm", "sh", "-c", HOLD, "sh", folder],
				stdout=subprocess.PIPE, stdin=subprocess.DEVNULL)
			ready = self.holder.stdout.readline()
		if ready != b"ready\n":
			raise RuntimeError("no network namespace here: unprivileged user namespaces must be allowed")
		self.must("ip", "link", "set", "lo", "up")
		self.must("sysctl", "-qw", "net.ipv4.ip_forward=1", "net.ipv6.conf.all.forwarding=1",
			"net.ipv6.conf.all.accept_dad=0", "net.ipv6.conf.default.accept_dad=0")
		return self

	def __exit__(self, *_):
		"""A watchdog that a case has left may still write into the case's folder, which goes next."""
		settled.wait(self._end_all)
		self.holder.kill()
		self.holder.wait()
		self.holder.stdout.close()

	def _end_all(self):
		"""Ends what still runs here; whether anything did."""
		running = self.processes()
		for process in running:
			with contextlib.suppress(ProcessLookupError):
				os.kill(process, signal.SIGKILL)
		return running

	def processes(self, name=None):
		"""The processes of this host, or those of a name, without the one that holds it."""
		space, found = os.readlink(f"/proc/{self.holder.pid}/ns/net"), []
		for process in filter(str.isdigit, os.listdir("/proc")):
			try:
				# Bytes: the kernel cuts names at 15, in the middle of a letter too.
				comm = pathlib.Path("/proc", process, "comm").read_bytes().rstrip(b"\n")
				if os.readlink(f"/proc/{process}/ns/net") == space and name in (None, comm.decode(errors="replace")):
					found.append(int(process))
			except OSError:
				pass  # it has ended meanwhile, or is another user's
		return [process for process in found if process != self.holder.pid]

	def words(self, *command):
		return ["nsenter", "-t", str(self.holder.pid), *NAMESPACES, f"--wd={self.shop.folder}",
			*[str(word) for word in command]]

	def run(self, *command, environment=None, **more):
		return self.shop.run(*self.words(*command), environment={**self.environment, **(environment or {})}, **more)

	def start(self, *command, stdin=subprocess.DEVNULL, **more):
		"""A process that goes on beside the test; its output is a pipe."""
		return subprocess.Popen(self.words(*command), stdout=subprocess.PIPE, stdin=stdin,
			env={"PATH": os.environ.get("PATH", "") + ":/usr/sbin:/sbin", "LC_ALL": "C.UTF-8", "HOME": "/",
				**self.environment}, **more)

	def watch(self, *commands):
		"""Programs that tell what changes, when they listen: a socket of theirs has joined a group."""
		def listeners():
			rows = pathlib.Path(f"/proc/{self.holder.pid}/net/netlink").read_text(encoding="utf-8").splitlines()[1:]
			return sum(int(row.split()[3], 16) != 0 for row in rows)
		monitors = []
		for command in commands:
			before = listeners()
			monitors.append(self.start(*command))
			settled.wait(lambda least=before: listeners() <= least)
		return monitors

	def tpc(self, *words, **more):
		from cli import TPC, outputs  # pylint: disable=import-outside-toplevel
		return outputs.checked(words, self.run(TPC, *words, **more))

	def must(self, *command):
		done = self.run(*command)
		if done.status:
			raise RuntimeError(f"{' '.join(str(word) for word in command)}: {done}")
		return done.out

	def link(self, *names):
		"""Interfaces that are up, each with an address of its own."""
		for number, name in enumerate(names):
			self.must("ip", "link", "add", name, "type", "veth", "peer", "name", f"far{number}-{name}"[:15])
			self.must("ip", "link", "set", f"far{number}-{name}"[:15], "up")
			self.must("ip", "link", "set", name, "addrgenmode", "none")
			self.must("ip", "link", "set", f"far{number}-{name}"[:15], "addrgenmode", "none")
			self.must("ip", "link", "set", name, "up")
			self.must("ip", "address", "add", f"192.0.{number + 2}.2/24", "dev", name)
		self.settle()

	def _late(self):
		links = [(link["ifname"], sum(value for word, value in (("UP", settled.UP), ("LOWER_UP", settled.LOWER_UP))
			if word in link["flags"]), settled.OPERSTATES.get(link["operstate"], 0))
			for link in json.loads(self.must("ip", "-j", "link"))]
		if late := settled.late_links(links):
			return late
		# Whoever gets the lock that links are changed with comes after all that follows such a change.
		self.must("ip", "link", "set", "lo", "up")
		net = pathlib.Path(f"/proc/{self.holder.pid}/net")
		return settled.late_addresses(links, *((net / name).read_text(encoding="utf-8") for name in ("if_inet6", "ipv6_route")))

	def settle(self):
		"""Waits until links and addresses are what they were set to be."""
		settled.wait(self._late)

	def state(self):
		"""All that a policy could leave: rules, routes, nft, sysctls. Equal states are equal texts."""
		self.settle()
		parts = [self.must("nft", "list", "ruleset")]
		for version in "-4", "-6":
			parts.append(self.must("ip", "-d", version, "rule"))
			routes = self.must("ip", "-d", version, "route", "show", "table", "all")
			parts.append("\n".join(sorted(routes.splitlines())))
		parts.append(self.must("sh", "-c",
			"cd /proc/sys/net/ipv4/conf; for f in */rp_filter */src_valid_mark; do echo $f $(cat $f); done"))
		return "\n".join(parts)

	def json(self, *words, status=0):
		done = self.tpc(*words, "--format", "json")
		if done.status != status:
			raise RuntimeError(f"tpc {' '.join(words)}: {done}")
		return json.loads(done.out)
