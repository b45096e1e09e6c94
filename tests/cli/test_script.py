"""policy.sh in network namespaces of its own: up, down and status, and what they leave alone."""
import os
import pathlib
import re
import shutil

from cli import expect

# Not under the sanitizers: what the shell makes of a file that tpc has written, and much of the same.
SAN = False

POLICY = """version: 1
sets:
  foreign: [203.0.113.0/24, "2001:db8:113::/48"]
listeners:
  proxy: {tproxy: 12345, table: 7100}
tables:
  vpn: {dev: tun0, fallback: unreachable, id: 7101}
rules:
  - {to: foreign, proto: tcp, then: {proxy: proxy}}
  - {in: lan0, then: {route: vpn}}
"""

# What every script here begins with: links, and shell functions.
BEGIN = r"""
set -u
export TPC_RUN_DIR="$PWD/run"
for link in lo lan0 tun0; do
	[ $link = lo ] || ip link add $link type veth peer name peer-$link
	ip link set $link up
done
sysctl -qw net.ipv6.conf.all.disable_ipv6=0 net.ipv4.conf.all.src_valid_mark=1
sysctl -qw net.ipv4.ip_forward=1 net.ipv6.conf.all.forwarding=1
show() {
	nft list ruleset
	for family in 4 6; do
		echo "-- rules $family"; ip -$family rule
		echo "-- routes $family"; ip -$family route show table all | grep -v fe80 | grep -v ff00
	done
	sysctl net.ipv4.conf.all.src_valid_mark
}
# nft monitor, from when a socket of its own has joined a group until it has told of all that there was.
heard() { awk 'NR > 1 && $4 !~ /^0*$/ { found = 1 } END { exit !found }' /proc/net/netlink; }
watch() {
	nft monitor >monitor 2>&1 &
	monitor=$!
	until heard; do sleep 0.01; done
}
unwatch() {
	nft 'add table inet last; delete table inet last'
	until grep -q 'delete table inet last' monitor; do sleep 0.01; done
	kill $monitor
}
verb() { "${SHELL_TO_TEST-sh}" out/policy.sh "$@"; }
"""


def compiled(shop, policy=POLICY):
	shop.write("policy.yaml", policy)
	done = shop.tpc("compile", "-q", "policy.yaml", "-o", "out")
	if done.returncode:
		raise RuntimeError(str(done))


def inside(shop, script, **more):
	return shop.run("unshare", "-Urnm", "sh", "-c", BEGIN + script, **more)


def test_decisions_are_data():
	"""which sysctl matters when is in the head of the script alone: what is the same for every policy names none of them"""
	text = (pathlib.Path(__file__).resolve().parents[2] / "compiler" / "emit" / "script.sh").read_text()
	assert not [key for key in ("src_valid_mark", "accept_redirects", "bridge-nf", "ignore_routes") if key in text]


def test_whole_way(shop):
	"""up, up again, status, down, down again: everything exists once, then nothing is left; in every shell"""
	compiled(shop)
	for shell in filter(shutil.which, ("sh", "dash", "bash", "busybox")):
		done = inside(shop, r"""
show >before
verb up || echo "up: $?"
show >first
verb up || echo "again: $?"
show >second
verb status >status || echo "status: $?"
verb down || echo "down: $?"
show >after
verb down || echo "down again: $?"
cmp first second; cmp before after; ! cmp -s before first || echo "up did nothing"
! grep MISSING status
ls run
""", environment={"SHELL_TO_TEST": "busybox sh" if shell == "busybox" else shell})
		expect(done, 0, None, None)


def test_status(shop):
	"""status: before up all is missing, later only what was removed by hand"""
	compiled(shop)
	done = inside(shop, r"""
sysctl -qw net.ipv4.ip_forward=0 net.ipv6.conf.all.forwarding=0
verb status; echo "status $?"
sysctl -qw net.ipv4.ip_forward=1 net.ipv6.conf.all.forwarding=1
verb up
echo "-- up"
verb status; echo "status $?"
ip -6 rule del priority 10001
ip route flush table 7101
verb status; echo "status $?"
nft flush table inet tpc
verb status; echo "status $?"
""")
	expect(done, 0, ["MISSING  nft table inet tpc", "MISSING  ip -4 rule fwmark"], None)
	before, after = done.stdout.split("-- up\n")
	assert not re.search("^ok +(nft|ip)", before, re.M) and "status 5" in before, "before up"
	parts = re.split(r"status (\d)\n", after)
	missing = [re.findall(r"MISSING  (.*)", part) for part in parts[::2]]
	assert parts[1::2] == ["0", "5", "5"] and not missing[0] and len(missing[1]) == 2 and len(missing[2]) == 3, \
		f"after up: {parts[1::2]} {missing}"


def test_strangers(shop):
	"""obsolete rules of the policy are removed; foreign ones stay, even similar ones"""
	compiled(shop)
	done = inside(shop, r"""
nft add table inet other; nft add table ip tpc
ip rule add fwmark 0x77/0xff lookup 300 priority 20001 protocol 99
ip rule add fwmark 0x77/0xff lookup 300 priority 9999 protocol 116
ip rule add from 192.0.2.1 fwmark 0x77/0xff lookup 300 priority 20002 protocol 116
ip route add 192.0.2.0/24 dev tun0 table 7102 protocol 99
show >before
ip rule add fwmark 0x78/0xff lookup 300 priority 10002 protocol 116
ip rule add fwmark 0x78/0xff priority 10003 protocol 116 prohibit
ip route add unreachable 192.0.2.0/24 table 7101 protocol 116 metric 7
verb up || echo "up: $?"
ip rule | grep 0x78
ip route show table 7101 | grep 'metric 7'
verb down || echo "down: $?"
show | diff before -
""")
	expect(done, 0, None, None)


def test_changed(shop):
	"""an update removes old routes, rules and sysctls; new sets exist before their rules"""
	compiled(shop)
	script = r"""
show >nothing
verb up || echo "up: $?"
[ "$(sysctl -n net.ipv4.conf.all.src_valid_mark)" = 0 ] || echo "the sysctl was not set"
mv out old; mv new out
watch
verb up || echo "up: $?"
unwatch
verb status >/dev/null || echo "status: $?"
show >second
grep -c 'add element' monitor
# The elements, the end of their transaction, and only then rules.
sed -n '/element.*more_v4/,/add rule/p' monitor | grep -q 'new generation' || echo "in one go"
ip rule | grep -c 7100
sysctl -n net.ipv4.conf.all.src_valid_mark
verb down || echo "down: $?"
show | diff nothing -
"""
	shutil.move(shop.folder / "out", shop.folder / "first")
	text = POLICY.replace("sets:\n", "sets:\n  more: [192.0.2.0/24, 198.51.100.0/24]\n")
	text = text.replace("  - {to: foreign, proto: tcp, then: {proxy: proxy}}\n",
		"  - {to: more, then: {route: vpn}}\n").replace("version: 1\n",
		"version: 1\nsettings: {sysctls: ignore}\n").replace("7100", "7200").replace("7101", "7201")
	compiled(shop, text)
	shutil.move(shop.folder / "out", shop.folder / "new")
	shutil.move(shop.folder / "first", shop.folder / "out")
	done = inside(shop, script)
	expect(done, 0, (), None)
	lines = done.stdout.split()
	# Elements were added; no rule leads to the old table; the sysctl is back at what it was.
	assert len(lines) == 3 and lines[0] != "0" and lines[1:] == ["0", "1"], str(done)


TIMED = """version: 1
rules:
  - {in: lan0, time: {days: sun, hours: "01:30-06:30"}, then: drop}
"""


def test_timed(shop):
	"""time windows: the same UTC times in every shell; new ones exist before the rules that use them"""
	found = set()
	for shell in filter(shutil.which, ("dash", "bash", "busybox")):
		compiled(shop)
		shutil.rmtree(shop.folder / "old", ignore_errors=True)
		shutil.move(shop.folder / "out", shop.folder / "old")
		compiled(shop, TIMED)
		done = inside(shop, r"""
mkdir -p etc
mount -t tmpfs tmpfs etc
cp -a /etc/. etc 2>/dev/null
rm -f etc/localtime
cp /usr/share/zoneinfo/America/New_York etc/localtime
mount --bind etc /etc
mv out new; mv old out
verb up || echo "up: $?"
mv out old; mv new out
watch
TZ=Asia/Tokyo verb up || echo "timed: $?"
unwatch
sed -n '/element.*inet tpc time[.]/,/add rule/p' monitor | grep -q 'new generation' || echo "in one go"
TZ=UTC nft list table inet tpc | grep -o '"2026-0[13]-.*"'
verb status >/dev/null || echo "status: $?"
verb down || echo "down: $?"
""", environment={"SHELL_TO_TEST": "busybox sh" if shell == "busybox" else shell})
		assert not expect(done, 0), (f"{shell}:", str(done))
		found.add(done.stdout)
	# Before the change of March 8th, over it, and behind it.
	for window in ('"2026-03-01 06:30:00"-"2026-03-01 11:30:00"', '"2026-03-08 06:30:00"-"2026-03-08 10:30:00"',
			'"2026-03-15 05:30:00"-"2026-03-15 10:30:00"'):
		assert window in str(found), f"{window} is not there"
	words = {word for text in found for word in re.findall(r"[a-z].*", text)}
	assert not [f"{len(found)} answers: {found}"] * (len(found) != 1)
	assert not sorted(words)


def test_dateless(shop):
	"""time windows: a `date` without local time is reported before anything changes"""
	compiled(shop, TIMED)
	shop.write("bin/date", "#!/bin/sh\nexit 1\n").chmod(0o755)
	done = inside(shop, r"""
show >before
PATH=$PWD/bin:$PATH verb up; echo "up $?"
show | diff before -
! [ -e run ] || echo "something was remembered"
""")
	expect(done, 0, "up 3\n", ["date -d @0", "nothing was changed"])
	assert done.stdout == "up 3\n", str(done)


def test_no_interface(shop):
	"""a missing interface is a warning, the rest is loaded, the fallback applies"""
	compiled(shop)
	done = inside(shop, r"""
ip link del tun0
verb up; echo "up $?"
ip rule | grep unreachable | wc -l
verb status | grep MISSING
nft list tables
verb down; echo "down $?"
""")
	expect(done, 0, ["up 0", "\n5\n", "MISSING  ip -4 route default dev tun0", "table inet tpc\n", "down 0"],
		['warning: ip -4 route add default dev tun0', 'Cannot find device "tun0"'])


# Foreign objects with the policy's numbers, and what `up` says of them.
TAKEN = {
	"rule add priority 10001 from 192.0.2.1 lookup 300": ["priorities 10000-100", "IPv4  10001: from 192.0.2.1 lookup 300"],
	"-6 rule add priority 10002 fwmark 0x77/0xff lookup 300 protocol 99": ["IPv6  10002: from all fwmark 0x77/0xff lookup 300 proto 99"],
	"rule add priority 10000 from 192.0.2.1 fwmark 0x77/0xff lookup 300 protocol 116": ["IPv4  10000: from 192.0.2.1 fwmark 0x77/0xff"],
	"rule add priority 10003 prohibit": ["IPv4  10003: from all"],
	"route add default dev lan0 table 7101 protocol 99": ["IPv4  table 7101: default dev lan0 proto 99", "table_ids"],
	"route add 198.51.100.0/24 dev lan0 table 7101": ["IPv4  table 7101: 198.51.100.0/24 dev lan0 proto 3"],
	"-6 route add unreachable 2001:db8::/32 table 7100": ["IPv6  table 7100: unreachable 2001:db8::/32"],
}


def test_taken(shop):
	"""foreign numbers: named, refused with status 3, nothing changed; in every shell"""
	compiled(shop)
	for shell in filter(shutil.which, ("dash", "bash", "busybox")):
		for command, words in TAKEN.items():
			done = inside(shop, f"ip {command}" + r"""
show >before
verb up; echo "up $?"
verb down; echo "down $?"
show | diff before -
[ ! -e run ] || echo "notes were left"
""", environment={"SHELL_TO_TEST": "busybox sh" if shell == "busybox" else shell})
			expect(done, 0, [], [*words, "settings: {", "nothing was changed"])
			assert done.stdout == "up 3\ndown 0\n", str(done)


def test_table_of_others(shop):
	"""a foreign nft table of the policy's name: neither replaced by up nor removed by down; an empty one of ours is"""
	compiled(shop)
	done = inside(shop, r"""
nft 'add table inet tpc { chain mine { type filter hook input priority 0; accept; }; }'
show >before
verb up; echo "up $?"
verb down; echo "down $?"
show | diff before -
nft delete table inet tpc
verb up
nft flush table inet tpc
verb up; echo "up $?"
verb status | grep MISSING
verb down; echo "down $?"
""")
	expect(done, 0, [], ["nft table inet tpc exists but was not created by tpc (no tpc metadata).", "nft delete table inet tpc", "another name", "nothing was changed"])
	assert done.stdout == "up 3\ndown 3\nup 0\ndown 0\n", str(done)


def test_refused(shop):
	"""a file that nft refuses: status 3, nothing changed"""
	compiled(shop, POLICY.replace("rules:\n", "rules:\n  - {user: nobody-here, then: drop}\n"))
	done = inside(shop, r"""
show >before
verb up; echo "up $?"
show | diff before -
[ ! -e run ] || echo "notes were left"
""")
	expect(done, 0, "up 3\n", ["User does not exist", "nobody-here", "nothing was changed"])


def test_sysctl_left(shop):
	"""a sysctl changed by hand since is left alone"""
	compiled(shop)
	done = inside(shop, r"""
verb up
sysctl -qw net.ipv4.conf.all.src_valid_mark=2
verb status | grep MISSING
verb down; echo "down $?"
sysctl -n net.ipv4.conf.all.src_valid_mark
""")
	expect(done, 0, ["MISSING  sysctl net.ipv4.conf.all.src_valid_mark = 0\ndown 0\n2\n"], "left alone")


def test_rebooted(shop):
	"""state of another boot is void: its sysctls are not restored"""
	compiled(shop)
	done = inside(shop, r"""
verb up
grep -c "^boot $(cat /proc/sys/kernel/random/boot_id)$" run/*
sed -i 's/^boot .*/boot another/' run/*
verb down; echo "down $?"
sysctl -n net.ipv4.conf.all.src_valid_mark
""")
	expect(done, 0, "1\ndown 0\n0\n", None)


def test_no_right(shop):
	"""without permission: says which is missing, status 3"""
	compiled(shop)
	done = shop.run("unshare", "-U", "sh", "out/policy.sh", "up")
	expect(done, 3, None, ["CAP_NET_ADMIN", "nothing was changed"])


def test_no_tool(shop):
	"""a missing tool: says which, status 3"""
	compiled(shop)
	(shop.folder / "bin").mkdir()
	for tool in ("sh", "ip", "sysctl", "mkdir", "rm", "mv", "readlink", "rmdir"):
		os.symlink(shutil.which(tool, path="/usr/sbin:/sbin:/usr/bin:/bin"), shop.folder / "bin" / tool)
	done = shop.run("/bin/sh", "out/policy.sh", "up", environment={"PATH": str(shop.folder / "bin")})
	expect(done, 3, None, ["nft is not installed", "nftables", "nothing was changed"])


def test_no_sibling(shop):
	"""a missing policy.nft: says so, status 3"""
	compiled(shop)
	(shop.folder / "out" / "policy.nft").unlink()
	expect(inside(shop, "verb up"), 3, None, ["out/policy.nft is missing"])


def test_any_folder(shop):
	"""runs from any folder, and from one with a name that needs quotes"""
	compiled(shop)
	shutil.move(shop.folder / "out", shop.folder / "a b' $(touch gone)")
	done = inside(shop, r"""
cd /
"$OLDPWD/a b' \$(touch gone)/policy.sh" up; echo "up $?"
cd "$OLDPWD/a b' \$(touch gone)"
sh policy.sh status >/dev/null; echo "status $?"
ls
""")
	expect(done, 0, ["up 0\nstatus 0\n"], None)
	assert "gone\n" not in done.stdout, "a command in the name was run"


def test_usage(shop):
	"""wrong usage: status 2"""
	compiled(shop)
	for words in ([], ["start"], ["up", "down"]):
		expect(shop.run("sh", "out/policy.sh", *words), 2, None, "usage: sh out/policy.sh up|down|status")
