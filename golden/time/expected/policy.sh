#!/bin/sh
# policy.sh: written by tpc from policy.yaml; change that and compile again, not this file.
#
#   up      puts the policy into force; again and again if you like
#   down    takes all of it away and puts sysctls back
#   status  shows what is there and what is missing (exit status 5)
#
# What it takes of the host's numbers:
#   name              mark/mask              ip rule  table    goes to
#   proxy             0x19000000/0x7f000000  10000    7112     tproxy port 12345
#   vpn               0x3d000000/0x7f000000  10002    7104     the table's routes
#   vpn               0x70000000/0x7f000000  10004    7104     replies of connections that came in through it
#   vpn               0x17000000/0x7f000000  10007    7104     the table's routes, for what comes in by an uplink or is translated
#   vpn               0x47000000/0x7f000000  10010    7104     the table's routes, for what begins TCP connections of this host
#   nft table inet tpc; ip rules and routes carry protocol 116

stem='policy'
table=tpc
digest=486f49f3c7c8f4c8
protocol=116
first=10000
last=10011
sysctl_policy='set'
tables='7103 7104 7112 7199'
main_copy=7103
sets='time.fe4d5355 time.7b1d5bf7 flows.open_vpn.de681376_v4 flows.open_vpn.de681376_v6 time.84d7d7df flows.local_route_vpn.e5b35c38_v4 flows.local_route_vpn.e5b35c38_v6 flows.ended_v4 flows.ended_v6 prerouting.th_dport'
dynamic_sets=''
gateways=''
own=''
named='lo
wg0'
cgroups=''
time_sets='time.fe4d5355 time.7b1d5bf7 time.84d7d7df'
time_first=1767225600
time_last=2082758399

# ---- windows of time ----
# The nft file has them in local time, the kernel counts seconds of UTC. In between lies the host's
# zone, which is asked for with date(1); TZ is not asked.

unset TZ

# $seconds: the local time YEAR MONTH DAY HOUR MINUTE SECOND as seconds since 1970-01-01 00:00.
read_local() {
	year=$1 month=$2
	[ "$month" -gt 2 ] || year=$((year - 1)) month=$((month + 12))
	seconds=$((year * 365 + year / 4 - year / 100 + year / 400 + (153 * (month - 3) + 2) / 5 + $3 - 719469))
	seconds=$(((seconds * 24 + $4) * 3600 + $5 * 60 + $6))
}

# $offset: how far local time is ahead of UTC at moment $1.
read_offset() {
	moment=$1
	# shellcheck disable=SC2046 # six words
	set -- $(date -d "@$moment" '+%Y %m %d %H %M %S' 2>/dev/null)
	[ $# = 6 ] ||
		refuse "windows of time need a date that tells the local time of a moment:" \
			"date -d @0, as in coreutils or busybox"
	read_local "$1" "${2#0}" "${3#0}" "${4#0}" "${5#0}" "${6#0}"
	offset=$((seconds - moment))
}

# $late: the first moment with the offset $3 that holds at $2 and not at $1.
find_change() {
	early=$1 late=$2
	while [ $((late - early)) -gt 1 ]; do
		middle=$((early + (late - early) / 2))
		read_offset $middle
		if [ "$offset" = "$3" ]; then late=$middle; else early=$middle; fi
	done
}

# $zone: words START OFFSET for each stretch of time with one offset, the first from 0 on.
read_zone() {
	at=$((time_first - 172800)) stop=$((time_last + 172800))
	read_offset $at
	held=$offset
	zone="0 $held "
	while [ $at -lt $stop ]; do
		# No zone that changes its mind changes it back within three weeks.
		ahead=$((at + 1814400))
		read_offset $ahead
		if [ "$offset" != "$held" ]; then
			held=$offset
			find_change $at $ahead "$held"
			zone="$zone$late $held "
		fi
		at=$ahead
	done
}

# $opens: the first moment at which the clock shows $1 or more. Like the next one, goes forward
# through the zone.
find_opening() {
	while [ "$open_rest" ] && [ $(($1 - open_offset)) -ge "${open_rest%% *}" ]; do
		open_start=${open_rest%% *} open_rest=${open_rest#* }
		open_offset=${open_rest%% *} open_rest=${open_rest#* }
	done
	opens=$(($1 - open_offset))
	[ $opens -ge "$open_start" ] || opens=$open_start
}

# $closes: the first moment from which on the clock shows $1 or more for good.
find_closing() {
	while [ "$close_rest" ]; do
		rest=${close_rest#* }
		[ "${close_rest%% *}" -lt $(($1 - ${rest%% *})) ] || break
		close_offset=${rest%% *} close_rest=${rest#* }
	done
	closes=$(($1 - close_offset))
	[ -z "$close_rest" ] || [ $closes -le "${close_rest%% *}" ] || closes=${close_rest%% *}
}

# The moments BEGIN-END of the windows in local time that come in, a line each, with a comma between
# two of them.
print_moments() {
	open_start=0 open_rest=${zone#* }
	open_offset=${open_rest%% *} open_rest=${open_rest#* }
	close_offset=$open_offset close_rest=$open_rest
	begin='' end=''
	while read -r line; do
		# shellcheck disable=SC2086 # the numbers of the line
		set -- $line
		while [ $# -ge 12 ]; do
			read_local "$1" "$2" "$3" "$4" "$5" "$6"
			find_opening $seconds
			shift 6
			read_local "$1" "$2" "$3" "$4" "$5" "$6"
			find_closing $seconds
			shift 6
			# A window inside an hour that is skipped never opens.
			[ $opens -lt $closes ] || continue
			if [ "$end" ] && [ $opens -le "$end" ]; then
				[ $closes -le "$end" ] || end=$closes
				continue
			fi
			[ -z "$end" ] || printf '\t%s-%s,\n' "$begin" "$end"
			begin=$opens end=$closes
		done
	done
	[ -z "$end" ] || printf '\t%s-%s\n' "$begin" "$end"
}

print_windows() {
	for name in $time_sets; do
		text=$(sed -n "/^add element inet $table $name {\$/,/^}\$/{
			/\"/{
				s/[^0-9]\{1,\}/ /g
				s/ 0\([0-9]\)/ \1/g
				p
			}
		}" "$nft_file" | print_moments)
		[ -z "$text" ] || printf 'add element inet %s %s {\n%s\n}\n' "$table" "$name" "$text"
	done
}

# $windows: all sets of windows, as nft text in seconds of UTC.
read_windows() {
	read_zone
	windows=$(print_windows)
}

# The nft file with $windows in the place of its own.
print_policy() {
	cut=''
	for name in $time_sets; do
		cut="$cut/^add element inet $table $name {\$/,/^}\$/d$newline"
	done
	sed "$cut/^# ---- rules ----\$/,\$d" "$nft_file"
	printf '%s\n' "$windows"
	sed -n '/^# ---- rules ----$/,$p' "$nft_file"
}

# Masquerade by an interface without an IPv4 address would give packets that of another one.
# `tpc apply` leaves such a route out, and this file does not.
# family, table, destination and metric, and the words for ip
each_route() {
	:
	"$1" 4 7112 'default 0' local default dev lo table 7112 protocol 116
	"$1" 6 7112 'default 1024' local default dev lo table 7112 protocol 116
	"$1" 4 7199 'default 0' local default dev lo table 7199 protocol 116
	"$1" 6 7199 'default 1024' local default dev lo table 7199 protocol 116
	"$1" 4 7104 'default 0' default dev wg0 table 7104 protocol 116
	"$1" 6 7104 'default 1024' default dev wg0 table 7104 protocol 116
}

# family, what tells the rule from others, and the words for ip
each_rule() {
	:
	"$1" 4 '10000 0x19000000/0x7f000000 7112 - -' fwmark 0x19000000/0x7f000000 lookup 7112 priority 10000 protocol 116
	"$1" 6 '10000 0x19000000/0x7f000000 7112 - -' fwmark 0x19000000/0x7f000000 lookup 7112 priority 10000 protocol 116
	"$1" 4 '10001 0x19000000/0x7f000000 unreachable - -' fwmark 0x19000000/0x7f000000 unreachable priority 10001 protocol 116
	"$1" 6 '10001 0x19000000/0x7f000000 unreachable - -' fwmark 0x19000000/0x7f000000 unreachable priority 10001 protocol 116
	"$1" 4 '10002 0x3d000000/0x7f000000 7104 - -' fwmark 0x3d000000/0x7f000000 lookup 7104 priority 10002 protocol 116
	"$1" 6 '10002 0x3d000000/0x7f000000 7104 - -' fwmark 0x3d000000/0x7f000000 lookup 7104 priority 10002 protocol 116
	"$1" 4 '10003 0x3d000000/0x7f000000 unreachable - -' fwmark 0x3d000000/0x7f000000 unreachable priority 10003 protocol 116
	"$1" 6 '10003 0x3d000000/0x7f000000 unreachable - -' fwmark 0x3d000000/0x7f000000 unreachable priority 10003 protocol 116
	"$1" 4 '10004 0x70000000/0x7f000000 254 7 -' fwmark 0x70000000/0x7f000000 lookup main suppress_prefixlength 7 priority 10004 protocol 116
	"$1" 6 '10004 0x70000000/0x7f000000 7103 - -' fwmark 0x70000000/0x7f000000 lookup 7103 priority 10004 protocol 116
	"$1" 4 '10005 0x70000000/0x7f000000 7104 - -' fwmark 0x70000000/0x7f000000 lookup 7104 priority 10005 protocol 116
	"$1" 6 '10005 0x70000000/0x7f000000 7104 - -' fwmark 0x70000000/0x7f000000 lookup 7104 priority 10005 protocol 116
	"$1" 4 '10006 0x70000000/0x7f000000 unreachable - -' fwmark 0x70000000/0x7f000000 unreachable priority 10006 protocol 116
	"$1" 6 '10006 0x70000000/0x7f000000 unreachable - -' fwmark 0x70000000/0x7f000000 unreachable priority 10006 protocol 116
	"$1" 4 '10007 0x17000000/0x7f000000 254 7 -' fwmark 0x17000000/0x7f000000 lookup main suppress_prefixlength 7 priority 10007 protocol 116
	"$1" 6 '10007 0x17000000/0x7f000000 7103 - -' fwmark 0x17000000/0x7f000000 lookup 7103 priority 10007 protocol 116
	"$1" 4 '10008 0x17000000/0x7f000000 7104 - -' fwmark 0x17000000/0x7f000000 lookup 7104 priority 10008 protocol 116
	"$1" 6 '10008 0x17000000/0x7f000000 7104 - -' fwmark 0x17000000/0x7f000000 lookup 7104 priority 10008 protocol 116
	"$1" 4 '10009 0x17000000/0x7f000000 unreachable - -' fwmark 0x17000000/0x7f000000 unreachable priority 10009 protocol 116
	"$1" 6 '10009 0x17000000/0x7f000000 unreachable - -' fwmark 0x17000000/0x7f000000 unreachable priority 10009 protocol 116
	"$1" 4 '10010 0x47000000/0x7f000000 7104 - -' fwmark 0x47000000/0x7f000000 lookup 7104 priority 10010 protocol 116
	"$1" 6 '10010 0x47000000/0x7f000000 7104 - -' fwmark 0x47000000/0x7f000000 lookup 7104 priority 10010 protocol 116
	"$1" 4 '10011 0x47000000/0x7f000000 7199 - -' fwmark 0x47000000/0x7f000000 lookup 7199 priority 10011 protocol 116
	"$1" 6 '10011 0x47000000/0x7f000000 7199 - -' fwmark 0x47000000/0x7f000000 lookup 7199 priority 10011 protocol 116
}

# family, what tells the rule from others, and the words for ip: what has no mark is refused
each_unmarked() {
	:
}

# sysctls that the kernel resets when another one is given back: that one, key, the value that stays
companions='net.ipv4.ip_forward net.ipv4.conf.all.accept_redirects 0
net.ipv4.ip_forward net.ipv4.conf.*.forwarding 1
net.ipv6.conf.all.forwarding net.ipv6.conf.*.forwarding 1'

# key, value, for which interfaces and towards which address, when it matters, why, and interfaces
each_sysctl() {
	:
	"$1" 'net.ipv4.conf.all.src_valid_mark' '0' each - '' 'the listener proxy takes packets from outside by tproxy, and with 1 the kernel'\''s reverse-path lookup uses the mark, finds this host, and drops the packet'
	"$1" 'net.ipv4.conf.*.src_valid_mark' '0' each - '' 'the listener proxy takes what comes from outside by tproxy, and the kernel drops it where an interface'\''s own is 1'
	"$1" 'net.bridge.bridge-nf-call-iptables' '0' each - 'has_bridge - 1' 'the listener proxy takes forwarded packets by tproxy, and with 1 (br_netfilter, for Docker) what comes by a bridge loses its listener; foreign rules for packets within one bridge, such as between containers, need 1'
	"$1" 'net.bridge.bridge-nf-call-ip6tables' '0' each - 'has_bridge - 1' 'the listener proxy takes forwarded packets by tproxy, and with 1 (br_netfilter, for Docker) what comes by a bridge loses its listener; foreign rules for packets within one bridge, such as between containers, need 1'
	"$1" 'net.ipv4.conf.wg0.ignore_routes_with_linkdown' '1' each - '' 'the table vpn leaves by this interface, and with 0 its routes stay in use when the interface loses its carrier: nothing takes its place'
	"$1" 'net.ipv4.conf.wg0.rp_filter' '0' each - 'effective - !0' 'the table vpn leaves by this interface, and a reverse-path filter drops the replies: a strict one (1) where the main table leaves by another, a loose one (2) where the main table has no route to their source, as when its only default route is gone'
	"$1" 'net.ipv6.conf.wg0.ignore_routes_with_linkdown' '1' each - '' 'the table vpn leaves by this interface, and with 0 its routes stay in use when the interface loses its carrier: nothing takes its place'
	"$1" 'net.ipv4.ip_forward' '1' each - '' 'the table vpn takes forwarded packets, and without this the host forwards no IPv4'
	"$1" 'net.ipv6.conf.*.accept_ra' '2' advertised - 'own_value - 1' 'vpn needs IPv6 forwarding, and a host that forwards forgets the routes that routers advertise, its default route among them, unless this is 2'
	"$1" 'net.ipv6.conf.all.forwarding' '1' each - '' 'the table vpn takes forwarded packets, and without this the host forwards no IPv6'
	"$1" 'net.ipv4.conf.*.rp_filter' '2' each - 'effective - 1
effective net.ipv4.conf.*.src_valid_mark 1' 'the table vpn takes packets that come in here, and a strict reverse-path filter that looks at marks (src_valid_mark) drops them'
}

# compiler/emit/script.sh follows.
