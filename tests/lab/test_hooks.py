"""
packaging/hooks/tpc, called as ifupdown, NetworkManager, networkd-dispatcher, wg-quick and dhclient call it, and by the
real ifup and wg-quick where they are here: without a daemon routes come back and gateways are followed.
"""

import os
import pathlib
import shutil

import pytest

from hooks import CALLERS, Hook
from lab import UPLINKS
from outcomes import nothing
from policy import TPC
from test_learnt import NEXT, THEIRS, held, learn
from test_uplinks import all_ask, all_fail, world
from test_watch import LEARNT, POLICY, has_table, route

SBIN = os.pathsep.join((os.environ["PATH"], "/usr/sbin", "/sbin"))


@pytest.fixture(name="net")
def made():
    with world() as net:
        yield net


@pytest.mark.parametrize("caller", CALLERS)
def test_link(net, caller):
    """hooks: a link that went and came, also as another device, has its routes again: {caller}"""
    hook = Hook(net, POLICY)
    assert hook.event(caller, "wg0") == ""
    all_ask(net, net.client, "vpn", "wg0")
    clear = net.sniff("origin")
    net.router.ip("link del wg0")
    hook.event(caller, "wg0", False)
    all_fail(net.client)
    net.connect("wg0")
    net.router.settle()
    assert not route(net)
    hook.event(caller, "wg0")
    all_ask(net, net.client, "vpn", "wg0")
    nothing(clear)


@pytest.mark.parametrize("call", [
    *(CALLERS[caller]("wan1", True) for caller in CALLERS),
    (("wan1", "dhcp4-change"), {"NM_DISPATCHER_ACTION": "dhcp4-change"}), (("wan1", "dhcp6-change"), {}),
    (("wan1", "BOUND"), {}), (("wan1", "BOUND6"), {})], ids=str)
def test_lease(net, call):
    """hooks: a lease with another gateway is followed: {call}"""
    for version, bits in ((4, 24), (6, 64)):
        net.mobile.ip(f"address add {NEXT[version]}/{bits} dev eth0 {'nodad' if version == 6 else ''}")
    hook = Hook(net, LEARNT)
    learn(net, THEIRS)
    hook.call(*call)
    assert held(net, 4) == [THEIRS[4]] and held(net, 6) == [THEIRS[6]]
    learn(net, NEXT, "replace")
    hook.call(*call)
    assert held(net, 4) == [NEXT[4]] and held(net, 6) == [NEXT[6]]
    all_ask(net, net.client, "mobile", "wan1")


@pytest.mark.parametrize("call", [
    ((), {}), (("wg0", "hostname"), {}), (("none", "connectivity-change"), {}), (("wg0", "pre-down"), {}),
    ((), {"IFACE": "wg0", "MODE": "stop", "PHASE": "pre-down"}), ((), {"IFACE": "wg0", "STATE": "configuring"}),
    (("wg0", "PREINIT"), {}), (("wg0", "MEDIUM"), {})], ids=str)
def test_other_event(net, call):
    """hooks: an event that changes no link and no address is none of its: {call}"""
    assert Hook(net, POLICY).call(*call) == ""
    assert not has_table(net)


def test_never_fails(net):
    """hooks: an error is said, the other policies are applied, and the caller goes on"""
    hook = Hook(net)
    up = CALLERS["NetworkManager"]("wg0", True)
    assert hook.call(*up) == ""
    (hook.etc / "a.yaml").write_text("version: 1\nnonsense: 1\n")
    (hook.etc / "gw.yaml").write_text(POLICY)
    assert "a.yaml:2:1: error" in hook.call(*up)
    all_ask(net, net.client, "vpn", "wg0")
    shutil.rmtree(hook.etc)
    hook.call(*up)


def test_no_program(net):
    """hooks: where the program is gone, the caller goes on"""
    assert "not found" in Hook(net, POLICY, "/usr/no/tpc").event("ifupdown", "wg0")


def test_many(net):
    """hooks: of many events at once two are at work or wait, and the last change is seen"""
    count = pathlib.Path(net.directory, "count")
    slow = pathlib.Path(net.directory, "slow")
    slow.write_text(f'#!/bin/sh\necho x >>{count}\n"{TPC}" "$@"\nsleep 0.5\n')
    slow.chmod(0o755)
    hook = Hook(net, POLICY, slow)
    net.router.ip("link set wg0 down")
    begun = [hook.start(*CALLERS["ifupdown"]("wg0", True)) for _ in range(20)]
    net.link_up("wg0")
    begun += [hook.start(*CALLERS["ifupdown"]("wg0", True)) for _ in range(3)]
    for process in begun:
        process.communicate(timeout=60)
        assert process.returncode == 0
    assert 2 <= len(count.read_text().splitlines()) <= 6, count.read_text()
    assert route(net) and route(net, 6)


def program(name):
    found = shutil.which(name, path=SBIN)
    if not found:
        pytest.skip(f"{name} is not here")
    return found


def with_etc(net, files, *command, **more):
    """A command with files below /etc that the machine lacks: an overlay that ends with it."""
    top = pathlib.Path(net.directory, "top")
    for name, text in files.items():
        (top / name).parent.mkdir(parents=True, exist_ok=True)
        (top / name).write_text(text)
        (top / name).chmod(0o755)
    mount = f'mount -t overlay overlay -o lowerdir={top}:/etc /etc && exec "$@"'
    return net.router.run("unshare", "-m", "sh", "-c", mount, "sh", *command, **more)


def test_ifup(net):
    """hooks: the real ifup and ifdown: the policy holds before lo is up, and routes come with the tunnel"""
    ifup = program("ifup")
    _, ours, _ = UPLINKS["wg0"]
    hook = Hook(net, POLICY).path.read_text()
    net.router.ip("link set lo down\nlink set wg0 down\naddress flush dev wg0")
    seen = pathlib.Path(net.directory, "seen")
    files = {f"network/if-{when}.d/tpc": hook for when in ("pre-up", "up", "post-down")} | {
        # After ours in the order of names: what is there before the first link.
        "network/if-pre-up.d/zz": f'#!/bin/sh\necho "$IFACE $(nft list tables)" >>{seen}\n',
        "network/interfaces": f"""auto lo wg0
iface lo inet loopback
iface wg0 inet static
	address {ours[4]}/24
iface wg0 inet6 static
	address {ours[6]}/64
	dad-attempts 0
"""}
    pathlib.Path("/run/network").mkdir(exist_ok=True)
    with_etc(net, files, ifup, "-a")
    assert seen.read_text().startswith(("lo table inet tpc", "--all table inet tpc")), seen.read_text()
    all_ask(net, net.client, "vpn", "wg0")
    clear = net.sniff("origin")
    ifdown = pathlib.Path(net.directory, "ifdown")  # one program of two names
    ifdown.symlink_to(ifup)
    with_etc(net, files, ifdown, "wg0")
    all_fail(net.client)
    with_etc(net, files, ifup, "wg0")
    all_ask(net, net.client, "vpn", "wg0")
    nothing(clear)


# A tunnel without wireguard in the kernel: the lab's own link is set aside and comes under its name.
IP = """#!/bin/sh
case "$*" in
"link add wg0 type wireguard" | "link add dev wg0 type wireguard") exec IP link set aside name wg0 ;;
"link delete dev wg0") IP link set wg0 down && IP address flush dev wg0 && exec IP link set wg0 name aside ;;
*) exec IP "$@" ;;
esac
"""
WG = '#!/bin/sh\ncase "$*" in "show interfaces") echo wg0 ;; setconf*) cat >/dev/null ;; esac\n'


def test_wg_quick(net):
    """hooks: the real wg-quick with the lines that the hook's head gives: routes come with its link, which is new each time"""
    wg_quick, ip = program("wg-quick"), program("ip")
    _, ours, _ = UPLINKS["wg0"]
    hook = Hook(net, POLICY)
    hook.event("ifupdown", "lo")
    net.router.ip("link set wg0 down\naddress flush dev wg0\nlink set wg0 name aside")
    folder = pathlib.Path(net.directory, "wg")
    folder.mkdir()
    shutil.copy(wg_quick, folder)  # it calls the wg and the ip of its own folder
    for name, text in (("ip", IP.replace("IP", ip)), ("wg", WG)):
        (folder / name).write_text(text)
        (folder / name).chmod(0o755)
    (folder / "wg0.conf").write_text(f"""[Interface]
PrivateKey = 6NuGNmlnRMUOCuBoEEtVJRZLLNFW3KfmmxuC1gB2WnE=
Address = {ours[4]}/24, {ours[6]}/64
Table = off
PostUp = {hook.path} %i up
PostDown = {hook.path} %i down
""")
    (folder / "wg0.conf").chmod(0o600)
    clear = net.sniff("origin")
    for _ in range(2):
        all_fail(net.client)
        net.router.run(folder / "wg-quick", "up", folder / "wg0.conf")
        all_ask(net, net.client, "vpn", "wg0")
        net.router.run(folder / "wg-quick", "down", folder / "wg0.conf")
    all_fail(net.client)
    nothing(clear)
