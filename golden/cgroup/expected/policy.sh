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
#   nft table inet tpc; ip rules and routes carry protocol 116

stem='policy'
table=tpc
digest=e0a86f52634170ec
protocol=116
first=10000
last=10009
sysctl_policy='set'
tables='7103 7104 7112'
main_copy=7103
sets='flows.route_vpn.3f454fe8_v4 flows.route_vpn.3f454fe8_v6 flows.ended_v4 flows.ended_v6 output.th_dport'
dynamic_sets=''
gateways=''
own=''
named='lo
wg0'
cgroups='vpn.slice vpn.slice/app.service user.slice/user-1000.slice/app\x2dmail.scope system.slice/quiet.service system.slice/backup.service machine.slice open.slice system.slice/proxy.service'
time_sets=''

# Masquerade by an interface without an IPv4 address would give packets that of another one.
# `tpc apply` leaves such a route out, and this file does not.
# family, table, destination and metric, and the words for ip
each_route() {
	:
	"$1" 4 7112 'default 0' local default dev lo table 7112 protocol 116
	"$1" 6 7112 'default 1024' local default dev lo table 7112 protocol 116
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
	"$1" 4 '10003 0x3d000000/0x7f000000 254 - -' fwmark 0x3d000000/0x7f000000 lookup main priority 10003 protocol 116
	"$1" 6 '10003 0x3d000000/0x7f000000 254 - -' fwmark 0x3d000000/0x7f000000 lookup main priority 10003 protocol 116
	"$1" 4 '10004 0x70000000/0x7f000000 254 7 -' fwmark 0x70000000/0x7f000000 lookup main suppress_prefixlength 7 priority 10004 protocol 116
	"$1" 6 '10004 0x70000000/0x7f000000 7103 - -' fwmark 0x70000000/0x7f000000 lookup 7103 priority 10004 protocol 116
	"$1" 4 '10005 0x70000000/0x7f000000 7104 - -' fwmark 0x70000000/0x7f000000 lookup 7104 priority 10005 protocol 116
	"$1" 6 '10005 0x70000000/0x7f000000 7104 - -' fwmark 0x70000000/0x7f000000 lookup 7104 priority 10005 protocol 116
	"$1" 4 '10006 0x70000000/0x7f000000 254 - -' fwmark 0x70000000/0x7f000000 lookup main priority 10006 protocol 116
	"$1" 6 '10006 0x70000000/0x7f000000 254 - -' fwmark 0x70000000/0x7f000000 lookup main priority 10006 protocol 116
	"$1" 4 '10007 0x17000000/0x7f000000 254 7 -' fwmark 0x17000000/0x7f000000 lookup main suppress_prefixlength 7 priority 10007 protocol 116
	"$1" 6 '10007 0x17000000/0x7f000000 7103 - -' fwmark 0x17000000/0x7f000000 lookup 7103 priority 10007 protocol 116
	"$1" 4 '10008 0x17000000/0x7f000000 7104 - -' fwmark 0x17000000/0x7f000000 lookup 7104 priority 10008 protocol 116
	"$1" 6 '10008 0x17000000/0x7f000000 7104 - -' fwmark 0x17000000/0x7f000000 lookup 7104 priority 10008 protocol 116
	"$1" 4 '10009 0x17000000/0x7f000000 254 - -' fwmark 0x17000000/0x7f000000 lookup main priority 10009 protocol 116
	"$1" 6 '10009 0x17000000/0x7f000000 254 - -' fwmark 0x17000000/0x7f000000 lookup main priority 10009 protocol 116
}

# family, what tells the rule from others, and the words for ip: what has no mark is refused
each_unmarked() {
	:
}

# sysctls that the kernel resets when another one is given back: that one, key, the value that stays
companions=''

# key, value, for which interfaces and towards which address, when it matters, why, and interfaces
each_sysctl() {
	:
	"$1" 'net.ipv4.conf.wg0.ignore_routes_with_linkdown' '1' each - '' 'the table vpn leaves by this interface, and with 0 its routes stay in use when the interface loses its carrier: nothing takes its place'
	"$1" 'net.ipv4.conf.wg0.rp_filter' '0' each - 'effective - !0' 'the table vpn leaves by this interface, and a reverse-path filter drops the replies: a strict one (1) where the main table leaves by another, a loose one (2) where the main table has no route to their source, as when its only default route is gone'
	"$1" 'net.ipv6.conf.wg0.ignore_routes_with_linkdown' '1' each - '' 'the table vpn leaves by this interface, and with 0 its routes stay in use when the interface loses its carrier: nothing takes its place'
}

# compiler/emit/script.sh follows.
