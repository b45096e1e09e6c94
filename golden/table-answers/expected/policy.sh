#!/bin/sh
# policy.sh: written by tpc from policy.yaml; change that and compile again, not this file.
#
#   up      puts the policy into force; again and again if you like
#   down    takes all of it away and puts sysctls back
#   status  shows what is there and what is missing (exit status 5)
#
# What it takes of the host's numbers:
#   name              mark/mask              ip rule  table    goes to
#   one               0x25000000/0x7f000000  10000    7104     the table's routes
#   two               0x26000000/0x7f000000  10002    7106     the table's routes
#   vpn               0x3d000000/0x7f000000  10004    7105     the table's routes
#   one               0x56000000/0x7f000000  10006    7104     replies of connections that came in through it
#   two               0x1f000000/0x7f000000  10009    7106     replies of connections that came in through it
#   vpn               0x17000000/0x7f000000  10012    7105     the table's routes, for what comes in by an uplink or is translated
#   one               0x07000000/0x7f000000  10015    7104     the table's routes, for what comes in by an uplink or is translated
#   two               0x3b000000/0x7f000000  10018    7106     the table's routes, for what comes in by an uplink or is translated
#   nft table inet tpc; ip rules and routes carry protocol 116

stem='policy'
table=tpc
digest=a43ece36c9721405
protocol=116
first=10000
last=10020
sysctl_policy='set'
tables='7103 7104 7105 7106'
main_copy=7103
sets='flows.ended_v4 flows.ended_v6'
dynamic_sets=''
gateways=''
own=''
named='lan0
wan0'
cgroups=''
time_sets=''

# Masquerade by an interface without an IPv4 address would give packets that of another one.
# `tpc apply` leaves such a route out, and this file does not.
# family, table, destination and metric, and the words for ip
each_route() {
	:
	"$1" 4 7104 'default 0' default via 192.0.2.1 dev wan0 table 7104 protocol 116
	"$1" 6 7104 'default 1024' default via 2001:db8:1::1 dev wan0 table 7104 protocol 116
	"$1" 4 7106 'default 0' default via 198.51.100.1 dev wan0 table 7106 protocol 116
	"$1" 6 7106 'default 1024' default via 2001:db8:2::1 dev wan0 table 7106 protocol 116
	"$1" 4 7105 'default 0' default via 10.0.0.9 dev lan0 table 7105 protocol 116
}

# family, what tells the rule from others, and the words for ip
each_rule() {
	:
	"$1" 4 '10000 0x25000000/0x7f000000 7104 - -' fwmark 0x25000000/0x7f000000 lookup 7104 priority 10000 protocol 116
	"$1" 4 '10001 0x25000000/0x7f000000 254 - -' fwmark 0x25000000/0x7f000000 lookup main priority 10001 protocol 116
	"$1" 4 '10002 0x26000000/0x7f000000 7106 - -' fwmark 0x26000000/0x7f000000 lookup 7106 priority 10002 protocol 116
	"$1" 4 '10003 0x26000000/0x7f000000 254 - -' fwmark 0x26000000/0x7f000000 lookup main priority 10003 protocol 116
	"$1" 4 '10004 0x3d000000/0x7f000000 7105 - -' fwmark 0x3d000000/0x7f000000 lookup 7105 priority 10004 protocol 116
	"$1" 4 '10005 0x3d000000/0x7f000000 254 - -' fwmark 0x3d000000/0x7f000000 lookup main priority 10005 protocol 116
	"$1" 4 '10006 0x56000000/0x7f000000 254 7 -' fwmark 0x56000000/0x7f000000 lookup main suppress_prefixlength 7 priority 10006 protocol 116
	"$1" 6 '10006 0x56000000/0x7f000000 7103 - -' fwmark 0x56000000/0x7f000000 lookup 7103 priority 10006 protocol 116
	"$1" 4 '10007 0x56000000/0x7f000000 7104 - -' fwmark 0x56000000/0x7f000000 lookup 7104 priority 10007 protocol 116
	"$1" 6 '10007 0x56000000/0x7f000000 7104 - -' fwmark 0x56000000/0x7f000000 lookup 7104 priority 10007 protocol 116
	"$1" 4 '10008 0x56000000/0x7f000000 254 - -' fwmark 0x56000000/0x7f000000 lookup main priority 10008 protocol 116
	"$1" 6 '10008 0x56000000/0x7f000000 254 - -' fwmark 0x56000000/0x7f000000 lookup main priority 10008 protocol 116
	"$1" 4 '10009 0x1f000000/0x7f000000 254 7 -' fwmark 0x1f000000/0x7f000000 lookup main suppress_prefixlength 7 priority 10009 protocol 116
	"$1" 6 '10009 0x1f000000/0x7f000000 7103 - -' fwmark 0x1f000000/0x7f000000 lookup 7103 priority 10009 protocol 116
	"$1" 4 '10010 0x1f000000/0x7f000000 7106 - -' fwmark 0x1f000000/0x7f000000 lookup 7106 priority 10010 protocol 116
	"$1" 6 '10010 0x1f000000/0x7f000000 7106 - -' fwmark 0x1f000000/0x7f000000 lookup 7106 priority 10010 protocol 116
	"$1" 4 '10011 0x1f000000/0x7f000000 254 - -' fwmark 0x1f000000/0x7f000000 lookup main priority 10011 protocol 116
	"$1" 6 '10011 0x1f000000/0x7f000000 254 - -' fwmark 0x1f000000/0x7f000000 lookup main priority 10011 protocol 116
	"$1" 4 '10012 0x17000000/0x7f000000 254 7 -' fwmark 0x17000000/0x7f000000 lookup main suppress_prefixlength 7 priority 10012 protocol 116
	"$1" 4 '10013 0x17000000/0x7f000000 7105 - -' fwmark 0x17000000/0x7f000000 lookup 7105 priority 10013 protocol 116
	"$1" 4 '10014 0x17000000/0x7f000000 254 - -' fwmark 0x17000000/0x7f000000 lookup main priority 10014 protocol 116
	"$1" 4 '10015 0x7000000/0x7f000000 254 7 -' fwmark 0x7000000/0x7f000000 lookup main suppress_prefixlength 7 priority 10015 protocol 116
	"$1" 4 '10016 0x7000000/0x7f000000 7104 - -' fwmark 0x7000000/0x7f000000 lookup 7104 priority 10016 protocol 116
	"$1" 4 '10017 0x7000000/0x7f000000 254 - -' fwmark 0x7000000/0x7f000000 lookup main priority 10017 protocol 116
	"$1" 4 '10018 0x3b000000/0x7f000000 254 7 -' fwmark 0x3b000000/0x7f000000 lookup main suppress_prefixlength 7 priority 10018 protocol 116
	"$1" 4 '10019 0x3b000000/0x7f000000 7106 - -' fwmark 0x3b000000/0x7f000000 lookup 7106 priority 10019 protocol 116
	"$1" 4 '10020 0x3b000000/0x7f000000 254 - -' fwmark 0x3b000000/0x7f000000 lookup main priority 10020 protocol 116
}

# family, what tells the rule from others, and the words for ip: what has no mark is refused
each_unmarked() {
	:
}

# sysctls that the kernel resets when another one is given back: that one, key, the value that stays
companions='net.ipv4.ip_forward net.ipv4.conf.all.accept_redirects 0
net.ipv4.ip_forward net.ipv4.conf.*.forwarding 1'

# key, value, for which interfaces and towards which address, when it matters, why, and interfaces
each_sysctl() {
	:
	"$1" 'net.ipv4.conf.wan0.ignore_routes_with_linkdown' '1' each - '' 'the table one leaves by this interface, and with 0 its routes stay in use when the interface loses its carrier: nothing takes its place'
	"$1" 'net.ipv4.conf.wan0.rp_filter' '0' each - 'effective - !0' 'the table one leaves by this interface, and a reverse-path filter drops the replies: a strict one (1) where the main table leaves by another, a loose one (2) where the main table has no route to their source, as when its only default route is gone'
	"$1" 'net.ipv4.ip_forward' '1' each - '' 'the table one takes forwarded packets, and without this the host forwards no IPv4'
	"$1" 'net.ipv4.conf.*.rp_filter' '2' each - 'effective - 1
effective net.ipv4.conf.*.src_valid_mark 1' 'the table one takes packets that come in here, and a strict reverse-path filter that looks at marks (src_valid_mark) drops them'
	"$1" 'net.ipv4.conf.lan0.ignore_routes_with_linkdown' '1' each - '' 'the table vpn leaves by this interface, and with 0 its routes stay in use when the interface loses its carrier: nothing takes its place'
	"$1" 'net.ipv4.conf.lan0.rp_filter' '0' each - 'effective - !0' 'the table vpn leaves by this interface, and a reverse-path filter drops the replies: a strict one (1) where the main table leaves by another, a loose one (2) where the main table has no route to their source, as when its only default route is gone'
	"$1" 'net.ipv4.conf.lan0.send_redirects' '0' each - 'effective - !0' 'the table vpn may send packets out through the interface they came in on, and an ICMP redirect would make their sender bypass this host'
	"$1" 'net.ipv6.conf.wan0.ignore_routes_with_linkdown' '1' each - '' 'the table one leaves by this interface, and with 0 its routes stay in use when the interface loses its carrier: nothing takes its place'
}

# compiler/emit/script.sh follows.
