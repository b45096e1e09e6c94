"""
hooks: packaging/hooks/tpc as a machine has it, and how the programs that call it do so.

In: a network, a policy's text. Out: a folder that stands for /etc/tpc, and the hook with it and our
program in its places.
"""

import os
import pathlib
import subprocess

from policy import ROOT, TPC

# Who calls -> arguments and variables, for an event. From ifup(8), NetworkManager-dispatcher(8), networkd-dispatcher(8),
# wg-quick(8) (the line that the hook's head gives), dhclient-script(8) (likewise).
CALLERS = {
    "ifupdown": lambda device, up: ((), {
        "IFACE": device, "LOGICAL": device, "ADDRFAM": "inet", "METHOD": "static", "MODE": "start" if up else "stop",
        "PHASE": "post-up" if up else "post-down", "VERBOSITY": "0"}),
    "NetworkManager": lambda device, up: ((device, "up" if up else "down"), {
        "NM_DISPATCHER_ACTION": "up" if up else "down", "DEVICE_IFACE": device, "DEVICE_IP_IFACE": device,
        "CONNECTION_ID": "a connection"}),
    "networkd-dispatcher": lambda device, up: ((), {
        "IFACE": device, "STATE": "routable" if up else "no-carrier", "AdministrativeState": "configured",
        "OperationalState": "routable" if up else "no-carrier", "ADDR": "", "IP_ADDRS": "", "IP6_ADDRS": "",
        "STATE_FILE": "", "json": "{}"}),
    "wg-quick": lambda device, up: ((device, "up" if up else "down"), {}),
    "dhclient": lambda device, up: ((device, "RENEW" if up else "EXPIRE"), {}),
}


class Hook:
    """The hook of a machine whose policies are in self.etc."""

    def __init__(self, net, text="", program=TPC):
        self.net, self.etc = net, pathlib.Path(net.directory, "etc")
        self.etc.mkdir()
        if text:
            (self.etc / "gw.yaml").write_text(text)
        self.path = pathlib.Path(net.directory, "hook")
        self.path.write_text((ROOT / "packaging/hooks/tpc").read_text().replace(
            "/usr/local/bin/tpc", str(program)).replace("/etc/tpc/", f"{self.etc}/"))
        self.path.chmod(0o755)

    def start(self, arguments=(), variables=None):
        return self.net.router.start(self.path, *arguments, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                                     env={"PATH": os.environ["PATH"], **(variables or {})})

    def call(self, arguments=(), variables=None):
        """What it said; it never fails."""
        process = self.start(arguments, variables)
        said = process.communicate(timeout=60)[0].decode()
        assert process.returncode == 0, said
        return said

    def event(self, caller, device, up=True):
        return self.call(*CALLERS[caller](device, up))
