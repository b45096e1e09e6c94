"""Programs of the distribution, running on hosts of the lab.

In: a host, a command line, the ports to wait for. Out: a Daemon, which is ready when it listens and
gone, with all its children, when it is closed. Always true: none outlives the process that started
it, since each has a process namespace that ends with its parent.
"""

import os
import pathlib
import shutil
import signal
import subprocess
import tempfile
import time

import ns

# `setpriv` ties `unshare` to the thread that starts it, the worker's main thread, and so on. The
# shell, the first process of its namespace, is there because a program that takes on another user
# loses that tie; it stays for those that go on in the background.
WRAPPED = ("setpriv", "--pdeathsig", "KILL", "unshare", "--pid", "--fork", "--kill-child",
           "sh", "-c", '"$@" && exec sleep infinity', "sh")
GROUP = "nogroup"  # of programs that are started as another user
LISTEN, UNCONNECTED = "0A", "07"  # the states in /proc/net/tcp and udp (net/tcp_states.h)


def private(*folders):
    """
    Folders that a program writes to are empty and ours in this process; (path, user) each.
    """
    for path, user in folders:
        if os.path.isdir(path):
            ns.mount("tmpfs", path, "tmpfs")
            shutil.chown(path, user)


def settled(read, wanted, what):
    """What a program writes of itself in its own time."""
    end = time.monotonic() + 5
    while read() != wanted and time.monotonic() < end:
        time.sleep(0.05)
    assert read() == wanted, what


class Daemon:
    """Waits on `ports`, ("tcp", 3129) each, of these `versions`; `user` starts it, or root."""

    def __init__(self, host, *command, ports, versions=(4, 6), user=None):
        self.host, self.ports, self.versions = host, ports, versions
        self.log = tempfile.NamedTemporaryFile("w", prefix="tpc-interop-")
        as_user = ("setpriv", "--reuid", user, "--regid", GROUP, "--clear-groups") if user else ()
        self.what = " ".join(command)
        with host:
            self.process = subprocess.Popen(
                [*WRAPPED, *as_user, *command], stdin=subprocess.DEVNULL, stdout=self.log,
                stderr=subprocess.STDOUT, cwd="/")
        try:
            self._wait(self.is_listening, "did not listen")
        except AssertionError:
            self.close()
            raise

    def _wait(self, condition, what):
        end = time.monotonic() + 15
        while not condition():
            if self.process.poll() is not None or time.monotonic() > end:
                raise AssertionError(f"{self.what}: it {what}:\n{self.said()}")
            time.sleep(0.05)

    def is_listening(self):
        return all(port in self._open(proto, version)
                   for proto, port in self.ports for version in self.versions)

    def _open(self, proto, version):
        """The ports that wait on this host, of IPv4 those that wait in IPv6 sockets too."""
        state = LISTEN if proto == "tcp" else UNCONNECTED
        with self.host:
            lines = []
            for suffix in ("6",) if version == 6 else ("", "6"):
                text = pathlib.Path(f"/proc/thread-self/net/{proto}{suffix}").read_text()
                lines += text.splitlines()[1:]
        fields = [line.split() for line in lines]
        return {int(field[1].rsplit(":", 1)[1], 16) for field in fields if field[3] == state}

    def said(self):
        return pathlib.Path(self.log.name).read_text()  # the program's own place in it stays

    def close(self):
        """
        The end of the first process of a process namespace is the end of all in it: `unshare`
        learns of it when the last is gone.
        """
        if self.log.closed:
            return
        own = self.process.pid
        if self.process.poll() is None:
            first = pathlib.Path(f"/proc/{own}/task/{own}/children").read_text()
            os.kill(int(first or own), signal.SIGKILL)
        self.process.wait()
        self.log.close()
