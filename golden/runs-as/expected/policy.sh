#!/bin/sh
# policy.sh: written by tpc from policy.yaml; change that and compile again, not this file.
#
#   up      puts the policy into force; again and again if you like
#   down    takes all of it away and puts sysctls back
#   status  shows what is there and what is missing (exit status 5)
#
# What it takes of the host's numbers:
#   name              mark/mask              ip rule  table    goes to
#   by_user           0x3b000000/0x7f000000  10000    7129     tproxy port 1001
#   by_number         0x15000000/0x7f000000  10002    7171     tproxy port 1002
#   by_group          0x3f000000/0x7f000000  10004    7197     tproxy port 1003
#   by_mark           0x4c000000/0x7f000000  10006    7135     tproxy port 1004
#   by_bits           0x0f000000/0x7f000000  -        -        redirect port 1005
#   vpn               0x3d000000/0x7f000000  10008    7104     the table's routes
#   vpn               0x70000000/0x7f000000  10010    7104     answers of connections that came in that way
#   vpn               0x17000000/0x7f000000  10013    7104     the table's routes, for what comes in by an uplink or is translated
#   nft table inet tpc; ip rules and routes carry protocol 116

stem='policy'
table=tpc
digest=476f6a3b27734dc0
protocol=116
first=10000
last=10015
sysctl_policy='set'
tables='7103 7104 7129 7135 7171 7197'
main_copy=7103
sets='flows.route_vpn.3f454fe8_v4 flows.route_vpn.3f454fe8_v6 flows.ended_v4 flows.ended_v6 prerouting.ip_daddr output.ip_daddr host_local.ip_daddr'
dynamic_sets=''
gateways=''
named='lo
wg0'
cgroups=''
time_sets=''

# Masquerade by an interface without an IPv4 address would give packets that of another one.
# `tpc apply` leaves such a route out, and this file does not.
# family, table, destination and metric, and the words for ip
each_route() {
	:
	"$1" 4 7129 'default 0' local default dev lo table 7129 protocol 116
	"$1" 6 7129 'default 1024' local default dev lo table 7129 protocol 116
	"$1" 4 7171 'default 0' local default dev lo table 7171 protocol 116
	"$1" 4 7197 'default 0' local default dev lo table 7197 protocol 116
	"$1" 4 7135 'default 0' local default dev lo table 7135 protocol 116
	"$1" 4 7104 'default 0' default dev wg0 table 7104 protocol 116
	"$1" 6 7104 'default 1024' default dev wg0 table 7104 protocol 116
}

# family, what tells the rule from others, and the words for ip
each_rule() {
	:
	"$1" 4 '10000 0x3b000000/0x7f000000 7129 - -' fwmark 0x3b000000/0x7f000000 lookup 7129 priority 10000 protocol 116
	"$1" 6 '10000 0x3b000000/0x7f000000 7129 - -' fwmark 0x3b000000/0x7f000000 lookup 7129 priority 10000 protocol 116
	"$1" 4 '10001 0x3b000000/0x7f000000 unreachable - -' fwmark 0x3b000000/0x7f000000 unreachable priority 10001 protocol 116
	"$1" 6 '10001 0x3b000000/0x7f000000 unreachable - -' fwmark 0x3b000000/0x7f000000 unreachable priority 10001 protocol 116
	"$1" 4 '10002 0x15000000/0x7f000000 7171 - -' fwmark 0x15000000/0x7f000000 lookup 7171 priority 10002 protocol 116
	"$1" 4 '10003 0x15000000/0x7f000000 unreachable - -' fwmark 0x15000000/0x7f000000 unreachable priority 10003 protocol 116
	"$1" 4 '10004 0x3f000000/0x7f000000 7197 - -' fwmark 0x3f000000/0x7f000000 lookup 7197 priority 10004 protocol 116
	"$1" 4 '10005 0x3f000000/0x7f000000 unreachable - -' fwmark 0x3f000000/0x7f000000 unreachable priority 10005 protocol 116
	"$1" 4 '10006 0x4c000000/0x7f000000 7135 - -' fwmark 0x4c000000/0x7f000000 lookup 7135 priority 10006 protocol 116
	"$1" 4 '10007 0x4c000000/0x7f000000 unreachable - -' fwmark 0x4c000000/0x7f000000 unreachable priority 10007 protocol 116
	"$1" 4 '10008 0x3d000000/0x7f000000 7104 - -' fwmark 0x3d000000/0x7f000000 lookup 7104 priority 10008 protocol 116
	"$1" 4 '10009 0x3d000000/0x7f000000 254 - -' fwmark 0x3d000000/0x7f000000 lookup main priority 10009 protocol 116
	"$1" 4 '10010 0x70000000/0x7f000000 254 7 -' fwmark 0x70000000/0x7f000000 lookup main suppress_prefixlength 7 priority 10010 protocol 116
	"$1" 6 '10010 0x70000000/0x7f000000 7103 - -' fwmark 0x70000000/0x7f000000 lookup 7103 priority 10010 protocol 116
	"$1" 4 '10011 0x70000000/0x7f000000 7104 - -' fwmark 0x70000000/0x7f000000 lookup 7104 priority 10011 protocol 116
	"$1" 6 '10011 0x70000000/0x7f000000 7104 - -' fwmark 0x70000000/0x7f000000 lookup 7104 priority 10011 protocol 116
	"$1" 4 '10012 0x70000000/0x7f000000 254 - -' fwmark 0x70000000/0x7f000000 lookup main priority 10012 protocol 116
	"$1" 6 '10012 0x70000000/0x7f000000 254 - -' fwmark 0x70000000/0x7f000000 lookup main priority 10012 protocol 116
	"$1" 4 '10013 0x17000000/0x7f000000 254 7 -' fwmark 0x17000000/0x7f000000 lookup main suppress_prefixlength 7 priority 10013 protocol 116
	"$1" 4 '10014 0x17000000/0x7f000000 7104 - -' fwmark 0x17000000/0x7f000000 lookup 7104 priority 10014 protocol 116
	"$1" 4 '10015 0x17000000/0x7f000000 254 - -' fwmark 0x17000000/0x7f000000 lookup main priority 10015 protocol 116
}

# family, what tells the rule from others, and the words for ip: what has no mark is refused
each_unmarked() {
	:
}

# key, value, when it matters, the address it is about, why, and interfaces
each_sysctl() {
	:
	"$1" 'net.ipv4.conf.all.src_valid_mark' '0' always - 'the listener by_user takes what comes from outside by tproxy, and with 1 the kernel looks for the way back by the mark, finds this host, and drops the packet'
	"$1" 'net.ipv4.conf.*.src_valid_mark' '0' always - 'the listener by_user takes what comes from outside by tproxy, and the kernel drops it where an interface'\''s own is 1'
	"$1" 'net.bridge.bridge-nf-call-iptables' '0' bridge - 'the listener by_user takes forwarded packets by tproxy, and with 1 (br_netfilter, for Docker) what comes by a bridge loses its listener; rules of others for packets within one bridge, such as between containers, need 1'
	"$1" 'net.bridge.bridge-nf-call-ip6tables' '0' bridge - 'the listener by_user takes forwarded packets by tproxy, and with 1 (br_netfilter, for Docker) what comes by a bridge loses its listener; rules of others for packets within one bridge, such as between containers, need 1'
	"$1" 'net.ipv4.conf.wg0.ignore_routes_with_linkdown' '1' always - 'the table vpn leaves by this interface, and with 0 its routes stay in use when the interface loses its carrier: nothing takes its place'
	"$1" 'net.ipv4.conf.wg0.rp_filter' '0' effective - 'the table vpn leaves by this interface, and a reverse-path filter drops the answers: a strict one (1) where the main table leaves by another, a loose one (2) where the main table has no route to their source, as when its only default route is gone'
	"$1" 'net.ipv6.conf.wg0.ignore_routes_with_linkdown' '1' always - 'the table vpn leaves by this interface, and with 0 its routes stay in use when the interface loses its carrier: nothing takes its place'
}

# compiler/emit/script.sh follows.
