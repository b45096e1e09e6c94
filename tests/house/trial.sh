#!/bin/sh
# Inside tests/house/pid1: the unit on a machine that has just booted. A line for each thing that was tried:
# "ok NAME" or "not NAME: what there is instead".

unit=tpc@gw.service
tell() {
	name=$1
	shift
	for _ in 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20 21 22 23 24 25 26 27 28 29 30; do
		if "$@" >/tmp/last 2>&1; then
			echo "ok $name"
			return
		fi
		sleep 0.2
	done
	echo "not $name: $* $(tail -n 5 /tmp/last | tr '\n' ' ')"
}
value() { systemctl show -P "$1" "$unit"; }
has_table() { nft list table inet tpc; }
is() { echo "$1" && [ "$1" = "$2" ]; }
is_up() { is "$(value ActiveState)" active; }
restarted() { is_up && [ "$(value NRestarts)" -gt "$1" ]; }

tell "ready" is_up
tell "a wrong policy does not keep the network away" test -s /tmp/network
tell "before the links" is "$(head -n 1 /tmp/network)" "table inet tpc"
tell "its status" is "$(value StatusText)" "the policy holds"
tell "a sysctl of the network" is "$(sysctl -n net.ipv4.ip_forward)" 1
tell "no other right" is "$(sed -n 's/^Cap\(Prm\|Eff\|Bnd\):\t//p' "/proc/$(value MainPID)/status" | sort -u)" 0000000000001000
tell "a user" sh -c 'nft list table inet tpc | grep "skuid 1042"'
tell "a cgroup" sh -c 'nft list table inet tpc | grep "socket cgroupv2 level 1 \"system.slice\""'
tell "a list in a home" sh -c 'nft list set inet tpc listed_v4 | grep 203.0.113.0'
tell "no other call" grep "^Seccomp:.2" "/proc/$(value MainPID)/status"
tell "no other folder" grep " / / ro," "/proc/$(value MainPID)/mountinfo"

ip link add wg0 type veth peer name far && ip link set far up && ip link set wg0 up
tell "a link that comes" sh -c 'ip route show table 7100 | grep wg0'
tell "what the host has" tpc status

pid=$(value MainPID)
echo "# changed" >>/etc/tpc/gw.yaml
tell "reload" systemctl reload "$unit"
tell "reload keeps the process" is "$(value MainPID)" "$pid"
tell "reload and then ready" is_up

nft flush ruleset
tell "a flush" has_table
systemctl restart nftables
tell "nftables.service again" has_table
tell "nftables.service does not stop it" is "$(value MainPID)" "$pid"

kill -9 "$pid"
has_table >/dev/null && echo "ok killed, the policy stays" || echo "not killed, the policy stays"
tell "killed, it starts again" restarted 0
tell "killed, it finds its state" sh -c 'tpc status --format json | grep "\"name\": *\"tpc\""'

before=$(value NRestarts)
kill -STOP "$(value MainPID)"
tell "watchdog" restarted "$before"

systemctl stop "$unit"
has_table >/dev/null && echo "ok stopped, the policy stays" || echo "not stopped, the policy stays"
tell "stopped, it says how to remove" grep "tpc remove tpc" /out/tpc
tell "stopped, the state stays" sh -c 'ls -lR /run/tpc; find /run/tpc -type f -size +0 | grep -q tpc'
systemctl restart "$unit"
tell "restarted" is_up
systemctl stop "$unit"
systemctl start "$unit"
tell "started again" is_up
systemctl stop "$unit"
tpc remove
has_table >/dev/null 2>&1 && echo "not removed" || echo "ok removed"

! systemctl start tpc@none 2>/tmp/none && grep -q -i assert /tmp/none && echo "ok no such policy" || echo "not no such policy: $(cat /tmp/none)"

unit=tpc@wrong.service
! is_up >/dev/null && echo "ok wrong, it is not up" || echo "not wrong, it is not up"
sed -i 2d /etc/tpc/wrong.yaml
tell "wrong, then right" is_up
