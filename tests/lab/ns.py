"""Network namespaces, without ip-netns and without root.

In: nothing. Out: a process in namespaces of its own (enter), and hosts, each a network namespace
that is held by one file descriptor. Any thread may step into a host (`with host:`), so one process
can open sockets on all hosts of a network. Always true: after enter() nothing that is done here can
reach the machine's own network, mounts or /run.
"""

import contextlib
import ctypes
import fcntl
import json
import os
import pathlib
import signal
import socket
import struct
import subprocess
import sys
import tempfile
import threading

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent))
import etc_files  # noqa: E402
import kernel_wait  # noqa: E402

SIOCGIFFLAGS, SIOCSIFFLAGS = 0x8913, 0x8914
CLONE_NEWNS, CLONE_NEWUSER, CLONE_NEWNET = 0x00020000, 0x10000000, 0x40000000
MS_BIND, MS_REC, MS_PRIVATE = 0x1000, 0x4000, 1 << 18

_libc = ctypes.CDLL(None, use_errno=True)


class Unable(Exception):
    """This machine cannot do what the lab needs; the text says what."""


def _call(name, *args):
    if getattr(_libc, name)(*args) != 0:
        code = ctypes.get_errno()
        raise OSError(code, f"{name}: {os.strerror(code)}")


def _write(path, text):
    with open(path, "w") as file:
        file.write(text)


def mount(source, target, kind, flags=0):
    _call("mount", source and source.encode(), target.encode(), kind and kind.encode(), flags, None)


def umount(target):
    _call("umount2", target.encode(), 2)  # MNT_DETACH


def apart():
    """
    Moves this thread, and what it starts, into namespaces of its own: with all user ids when it is
    root, else as the root of its own id alone, which a process of several threads cannot become.
    """
    uid, gid = os.geteuid(), os.getegid()
    try:
        try:
            if uid != 0:
                raise PermissionError
            _call("unshare", CLONE_NEWNET | CLONE_NEWNS)
        except PermissionError:  # not root, or root in a container without the right to do so
            _call("unshare", CLONE_NEWUSER | CLONE_NEWNET | CLONE_NEWNS)
            _write("/proc/self/setgroups", "deny")
            _write("/proc/self/uid_map", f"0 {uid} 1")
            _write("/proc/self/gid_map", f"0 {gid} 1")
        mount(None, "/", None, MS_REC | MS_PRIVATE)
    except OSError as error:
        raise Unable(f"no private network namespace here ({error}); "
                     "unprivileged user namespaces must be allowed, or this run as root") from error


def enter():
    """Moves this process into private namespaces, with a /run, users and firewall rules of its own."""
    apart()
    try:
        mount("tmpfs", "/run", "tmpfs")
        os.makedirs("/run/netns")
        _write("/proc/sys/net/ipv4/ip_forward", "1")
        _add_accounts()
        for path in etc_files.RULES:
            mount("/dev/null", path, None, MS_BIND)
    except OSError as error:
        raise Unable(f"no private mounts here ({error})") from error


def _add_accounts():
    """The users and groups of the examples are there for this process and its children."""
    for name, text in etc_files.files().items():
        with tempfile.NamedTemporaryFile("w", dir="/run") as file:
            file.write(text)
            file.flush()
            os.chmod(file.name, 0o644)
            mount(file.name, f"/etc/{name}", None, MS_BIND)


def all_ids():
    """Whether other user ids than our own can be taken on."""
    with open("/proc/self/uid_map") as file:
        return any(int(line.split()[2]) > 1 for line in file)


_here = threading.local()
PATIENCE = 300  # seconds


def run(*argv, check, stdin, what="", **more):
    """A command's CompletedProcess, its outputs as text whatever their bytes are; `stdin` is text or bytes."""
    argv = list(map(str, argv))
    data = stdin.encode() if isinstance(stdin, str) else stdin
    # Without an input of its own a command gets an empty one, not the terminal's.
    done = subprocess.run(argv, input=data or b"", check=False, **{
        "stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "timeout": PATIENCE, **more})
    done.stdout, done.stderr = ((text or b"").decode("utf-8", "backslashreplace") for text in (done.stdout, done.stderr))
    if check and done.returncode != 0:
        raise AssertionError(f"{what}: {' '.join(argv)}: exit {done.returncode}\n{done.stderr}{done.stdout}")
    return done


def _link(message):
    """A link as (name, flags, operational state), from an RTM_NEWLINK message."""
    flags, = struct.unpack_from("=I", message, 24)
    name, state, at = "", 0, 32
    while at < len(message):
        length, kind = struct.unpack_from("=HH", message, at)
        if kind == 3:  # IFLA_IFNAME
            name = message[at + 4:at + length].rstrip(b"\0").decode()
        if kind == 16:  # IFLA_OPERSTATE
            state = message[at + 4]
        at += (length + 3) & ~3
    return name, flags, state


class Host:
    """
    A network namespace; `with host:` runs the calling thread in it. Commands run in `folder`, with the
    variables of `environment` alone, if it is given; `program` is the tpc that tpc() and json() run; `judge` takes its
    words and what it said.
    """

    def __init__(self, name, folder=None, environment=None, program=None, judge=lambda words, done: done):
        self.name, self.folder, self.environment = name, folder, environment
        self.program, self.judge = program, judge
        self.ports = set()  # that datagrams were sent from: see probe.ask
        home = os.open("/proc/thread-self/ns/net", os.O_RDONLY)
        try:
            _call("unshare", CLONE_NEWNET)
            self.fd = os.open("/proc/thread-self/ns/net", os.O_RDONLY)
            self._settle()
        finally:
            _call("setns", home, CLONE_NEWNET)
            os.close(home)

    @staticmethod
    def _settle():
        """
        No duplicate address detection (addresses work at once), no reverse-path surprises from the
        machine.
        """
        for key, value in (("ipv6/conf/default/accept_dad", "0"), ("ipv6/conf/all/accept_dad", "0"),
                   ("ipv6/conf/default/accept_ra", "0"), ("ipv4/conf/all/rp_filter", "0"),
                   ("ipv4/conf/default/rp_filter", "0"), ("ipv4/icmp_ratelimit", "0"),
                   ("ipv6/icmp/ratelimit", "0"), ("ipv4/ping_group_range", "0 0")):
            _write(f"/proc/sys/net/{key}", value)

    @property
    def path(self):
        """A name that `ip link set ... netns` takes, for as long as this process lives."""
        return f"/proc/{os.getpid()}/fd/{self.fd}"

    def __enter__(self):
        stack = _here.__dict__.setdefault("stack", [])
        stack.append(os.open("/proc/thread-self/ns/net", os.O_RDONLY))
        _call("setns", self.fd, CLONE_NEWNET)
        return self

    def __exit__(self, *_):
        home = _here.stack.pop()
        _call("setns", home, CLONE_NEWNET)
        os.close(home)

    def _how(self, environment, more):
        """What a command is started with."""
        given = os.environ if self.environment is None else self.environment
        return {"cwd": self.folder, "env": {**given, **(environment or {})}, **more}

    def run(self, *argv, check=True, stdin=None, environment=None, **more):
        """
        Runs a command on this host; what it printed, with .returncode, .stdout and .stderr as text.
        """
        with self:
            return run(*argv, check=check, stdin=stdin, what=self.name, **self._how(environment, more))

    def start(self, *argv, environment=None, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, **more):
        """A process that goes on beside the test; its output is a pipe of bytes."""
        with self:
            return subprocess.Popen(list(map(str, argv)), stdin=stdin, stdout=stdout, **self._how(environment, more))

    def tpc(self, *words, **more):
        """What the program says, whatever its exit status."""
        return self.judge(words, self.run(self.program, *words, check=False, **more))

    def json(self, *words, status=0):
        done = self.tpc(*words, "--format", "json")
        assert done.returncode == status, f"tpc {' '.join(map(str, words))}: {done}"
        return json.loads(done.stdout)

    def watch(self, *commands):
        """Programs that report what changes, when they listen: a socket of theirs has joined a group."""
        def listeners():
            with self, open("/proc/thread-self/net/netlink") as file:
                return sum(int(row.split()[3], 16) != 0 for row in file.read().splitlines()[1:])
        monitors = []
        for command in commands:
            before = listeners()
            monitors.append(self.start(*command))
            kernel_wait.wait(lambda least=before: listeners() <= least)
        return monitors

    def processes(self, name=None):
        """The processes of this host, or those of a name."""
        space, found = os.stat(self.path).st_ino, []
        for process in filter(str.isdigit, os.listdir("/proc")):
            try:
                # Bytes: the kernel cuts names at 15, in the middle of a letter too.
                comm = pathlib.Path("/proc", process, "comm").read_bytes().rstrip(b"\n")
                if os.stat(f"/proc/{process}/ns/net").st_ino == space and name in (None, comm.decode(errors="replace")):
                    found.append(int(process))
            except OSError:
                pass  # it has ended meanwhile, or is another user's
        return found

    def _end_all(self):
        """Ends what still runs here; whether anything did."""
        running = self.processes()
        for process in running:
            with contextlib.suppress(ProcessLookupError):
                os.kill(process, signal.SIGKILL)
            with contextlib.suppress(ChildProcessError):
                os.waitpid(process, os.WNOHANG)
        return running

    def end_all(self):
        """A watchdog that a test has left may still write into the test's folder, which goes next."""
        kernel_wait.wait(self._end_all)

    def ip(self, text, family=None):
        """Feeds lines to `ip -batch`."""
        lines = "\n".join(line.strip() for line in text.strip().splitlines())
        return self.run("ip", *([family] if family else []), "-batch", "-", stdin=lines + "\n")

    def nft(self, text):
        return self.run("nft", "-f", "-", stdin=text)

    def _links(self):
        """Each link's name, flags and operational state (RTM_GETLINK)."""
        with socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, 0) as sock:
            sock.send(struct.pack("=IHHII16x", 32, 18, 0x301, 1, 0))  # a dump
            found = []
            while True:
                data, at = sock.recv(1 << 16), 0
                while at < len(data):
                    length, kind = struct.unpack_from("=IH", data, at)
                    if kind != 16:  # RTM_NEWLINK
                        return found
                    found.append(_link(data[at:at + length]))
                    at += (length + 3) & ~3

    def _late(self):
        links = self._links()
        if late := kernel_wait.late_links(links):
            return late
        # Whoever gets the lock that links are changed with comes after all that follows such a change.
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
            fcntl.ioctl(sock, SIOCSIFFLAGS, fcntl.ioctl(sock, SIOCGIFFLAGS, struct.pack("16s24x", b"lo")))
        return kernel_wait.late_addresses(links, *(pathlib.Path(f"/proc/thread-self/net/{name}").read_text()
                                               for name in ("if_inet6", "ipv6_route")))

    def settle(self):
        """Waits until links and addresses are what they were set to be."""
        with self:
            kernel_wait.wait(self._late)

    def sysctl(self, key, value=None):
        """Reads, or writes; dots and slashes change places, as sysctl has it ("eth0/100")."""
        path = "/proc/sys/" + key.translate(str.maketrans("./", "/."))
        with self:
            if value is not None:
                _write(path, str(value))
            with open(path) as file:
                return file.read().strip()

    def link(self, *names):
        """Interfaces that are up, each with an address of its own."""
        for number, name in enumerate(names):
            far = f"far{number}-{name}"[:15]
            self.ip(f"""link add {name} type veth peer name {far}
                        link set {far} up
                        link set {name} addrgenmode none
                        link set {far} addrgenmode none
                        link set {name} up
                        address add 192.0.{number + 2}.2/24 dev {name}""")
        self.settle()

    def state(self):
        """All that a policy could leave: rules, routes, nft, sysctls. Equal states are equal texts."""
        self.settle()
        parts = [self.run("nft", "list", "ruleset").stdout]
        for version in "-4", "-6":
            parts.append(self.run("ip", "-d", version, "rule").stdout)
            routes = self.run("ip", "-d", version, "route", "show", "table", "all").stdout
            parts.append("\n".join(sorted(routes.splitlines())))
        with self:
            parts += [f"{path.parent.name}/{path.name} {path.read_text().strip()}" for name in ("rp_filter", "src_valid_mark")
                      for path in sorted(pathlib.Path("/proc/sys/net/ipv4/conf").glob(f"*/{name}"))]
        return "\n".join(parts)

    def close(self):
        if self.fd >= 0:
            os.close(self.fd)
        self.fd = -1
