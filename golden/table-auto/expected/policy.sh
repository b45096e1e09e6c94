#!/bin/sh
# policy.sh: written by tpc from policy.yaml; change that and compile again, not this file.
#
#   up      puts the policy into force; again and again if you like
#   down    takes all of it away and puts sysctls back
#   status  shows what is there and what is missing (exit status 5)
#
# What it takes of the host's numbers:
#   name              mark/mask              ip rule  table    goes to
#   fibre             0x12000000/0x7f000000  10000    7172     the table's routes
#   both              0x7a000000/0x7f000000  10002    7191     the table's routes
#   lte.prohibit      0x7f000000/0x7f000000  10004    7147     the table's routes
#   fibre             0x5c000000/0x7f000000  10006    7172     replies of connections that came in through it
#   lte               0x59000000/0x7f000000  10009    7147     replies of connections that came in through it
#   both.3            0x6f000000/0x7f000000  10012    7160     replies of connections that came in through it
#   fibre             0x25000000/0x7f000000  10015    7172     the table's routes, for what comes in by an uplink or is translated
#   lte.prohibit      0x32000000/0x7f000000  10018    7147     the table's routes, for what comes in by an uplink or is translated
#   both              0x5e000000/0x7f000000  10021    7191     the table's routes, for what comes in by an uplink or is translated
#   nft table inet tpc; ip rules and routes carry protocol 116

stem='policy'
table=tpc
digest=4c6baa73487d36f1
protocol=116
first=10000
last=10023
sysctl_policy='set'
tables='7103 7147 7160 7172 7191'
main_copy=7103
sets='gateways.fibre gateways.lte gateways.main flows.ended_v4 flows.ended_v6 prerouting.list1.th_dport'
dynamic_sets=''
gateways='gateways.fibre wan0 auto4
gateways.fibre wan0 auto6
gateways.lte wwan0 auto4
gateways.lte wwan0 2001:db8:2::1
gateways.main wan0 main
gateways.main wwan0 main'
own=''
named='lan0
ppp0
wan0
wwan0'
cgroups=''
time_sets=''

# Masquerade by an interface without an IPv4 address would give packets that of another one.
# `tpc apply` leaves such a route out, and this file does not.
# family, table, destination and metric, and the words for ip
each_route() {
	:
	"$1" 4 7160 'default 0' default dev ppp0 table 7160 protocol 116
	"$1" 6 7160 'default 1024' default dev ppp0 table 7160 protocol 116
	with_gateways "$1" 4 7172 'default 0' 'default table 7172 protocol 116' auto wan0 1 -
	with_gateways "$1" 6 7172 'default 1024' 'default table 7172 protocol 116' auto wan0 1 -
	with_gateways "$1" 4 7147 'default 5' 'default table 7147 protocol 116 metric 5' auto wwan0 1 -
	"$1" 6 7147 'default 5' default via 2001:db8:2::1 dev wwan0 table 7147 protocol 116 metric 5
	with_gateways "$1" 4 7191 'default 0' 'default table 7191 protocol 116' auto wan0 2 - auto wwan0 1 onlink - ppp0 1 - 192.0.2.9 - 1 -
}

# family, what tells the rule from others, and the words for ip
each_rule() {
	:
	"$1" 4 '10000 0x12000000/0x7f000000 7172 - -' fwmark 0x12000000/0x7f000000 lookup 7172 priority 10000 protocol 116
	"$1" 6 '10000 0x12000000/0x7f000000 7172 - -' fwmark 0x12000000/0x7f000000 lookup 7172 priority 10000 protocol 116
	"$1" 4 '10001 0x12000000/0x7f000000 unreachable - -' fwmark 0x12000000/0x7f000000 unreachable priority 10001 protocol 116
	"$1" 6 '10001 0x12000000/0x7f000000 unreachable - -' fwmark 0x12000000/0x7f000000 unreachable priority 10001 protocol 116
	"$1" 4 '10002 0x7a000000/0x7f000000 7191 - -' fwmark 0x7a000000/0x7f000000 lookup 7191 priority 10002 protocol 116
	"$1" 6 '10002 0x7a000000/0x7f000000 7191 - -' fwmark 0x7a000000/0x7f000000 lookup 7191 priority 10002 protocol 116
	"$1" 4 '10003 0x7a000000/0x7f000000 254 - -' fwmark 0x7a000000/0x7f000000 lookup main priority 10003 protocol 116
	"$1" 6 '10003 0x7a000000/0x7f000000 254 - -' fwmark 0x7a000000/0x7f000000 lookup main priority 10003 protocol 116
	"$1" 4 '10004 0x7f000000/0x7f000000 7147 - -' fwmark 0x7f000000/0x7f000000 lookup 7147 priority 10004 protocol 116
	"$1" 6 '10004 0x7f000000/0x7f000000 7147 - -' fwmark 0x7f000000/0x7f000000 lookup 7147 priority 10004 protocol 116
	"$1" 4 '10005 0x7f000000/0x7f000000 prohibit - -' fwmark 0x7f000000/0x7f000000 prohibit priority 10005 protocol 116
	"$1" 6 '10005 0x7f000000/0x7f000000 prohibit - -' fwmark 0x7f000000/0x7f000000 prohibit priority 10005 protocol 116
	"$1" 4 '10006 0x5c000000/0x7f000000 254 7 -' fwmark 0x5c000000/0x7f000000 lookup main suppress_prefixlength 7 priority 10006 protocol 116
	"$1" 6 '10006 0x5c000000/0x7f000000 7103 - -' fwmark 0x5c000000/0x7f000000 lookup 7103 priority 10006 protocol 116
	"$1" 4 '10007 0x5c000000/0x7f000000 7172 - -' fwmark 0x5c000000/0x7f000000 lookup 7172 priority 10007 protocol 116
	"$1" 6 '10007 0x5c000000/0x7f000000 7172 - -' fwmark 0x5c000000/0x7f000000 lookup 7172 priority 10007 protocol 116
	"$1" 4 '10008 0x5c000000/0x7f000000 unreachable - -' fwmark 0x5c000000/0x7f000000 unreachable priority 10008 protocol 116
	"$1" 6 '10008 0x5c000000/0x7f000000 unreachable - -' fwmark 0x5c000000/0x7f000000 unreachable priority 10008 protocol 116
	"$1" 4 '10009 0x59000000/0x7f000000 254 7 -' fwmark 0x59000000/0x7f000000 lookup main suppress_prefixlength 7 priority 10009 protocol 116
	"$1" 6 '10009 0x59000000/0x7f000000 7103 - -' fwmark 0x59000000/0x7f000000 lookup 7103 priority 10009 protocol 116
	"$1" 4 '10010 0x59000000/0x7f000000 7147 - -' fwmark 0x59000000/0x7f000000 lookup 7147 priority 10010 protocol 116
	"$1" 6 '10010 0x59000000/0x7f000000 7147 - -' fwmark 0x59000000/0x7f000000 lookup 7147 priority 10010 protocol 116
	"$1" 4 '10011 0x59000000/0x7f000000 254 - -' fwmark 0x59000000/0x7f000000 lookup main priority 10011 protocol 116
	"$1" 6 '10011 0x59000000/0x7f000000 254 - -' fwmark 0x59000000/0x7f000000 lookup main priority 10011 protocol 116
	"$1" 4 '10012 0x6f000000/0x7f000000 254 7 -' fwmark 0x6f000000/0x7f000000 lookup main suppress_prefixlength 7 priority 10012 protocol 116
	"$1" 6 '10012 0x6f000000/0x7f000000 7103 - -' fwmark 0x6f000000/0x7f000000 lookup 7103 priority 10012 protocol 116
	"$1" 4 '10013 0x6f000000/0x7f000000 7160 - -' fwmark 0x6f000000/0x7f000000 lookup 7160 priority 10013 protocol 116
	"$1" 6 '10013 0x6f000000/0x7f000000 7160 - -' fwmark 0x6f000000/0x7f000000 lookup 7160 priority 10013 protocol 116
	"$1" 4 '10014 0x6f000000/0x7f000000 254 - -' fwmark 0x6f000000/0x7f000000 lookup main priority 10014 protocol 116
	"$1" 6 '10014 0x6f000000/0x7f000000 254 - -' fwmark 0x6f000000/0x7f000000 lookup main priority 10014 protocol 116
	"$1" 4 '10015 0x25000000/0x7f000000 254 7 -' fwmark 0x25000000/0x7f000000 lookup main suppress_prefixlength 7 priority 10015 protocol 116
	"$1" 6 '10015 0x25000000/0x7f000000 7103 - -' fwmark 0x25000000/0x7f000000 lookup 7103 priority 10015 protocol 116
	"$1" 4 '10016 0x25000000/0x7f000000 7172 - -' fwmark 0x25000000/0x7f000000 lookup 7172 priority 10016 protocol 116
	"$1" 6 '10016 0x25000000/0x7f000000 7172 - -' fwmark 0x25000000/0x7f000000 lookup 7172 priority 10016 protocol 116
	"$1" 4 '10017 0x25000000/0x7f000000 unreachable - -' fwmark 0x25000000/0x7f000000 unreachable priority 10017 protocol 116
	"$1" 6 '10017 0x25000000/0x7f000000 unreachable - -' fwmark 0x25000000/0x7f000000 unreachable priority 10017 protocol 116
	"$1" 4 '10018 0x32000000/0x7f000000 254 7 -' fwmark 0x32000000/0x7f000000 lookup main suppress_prefixlength 7 priority 10018 protocol 116
	"$1" 6 '10018 0x32000000/0x7f000000 7103 - -' fwmark 0x32000000/0x7f000000 lookup 7103 priority 10018 protocol 116
	"$1" 4 '10019 0x32000000/0x7f000000 7147 - -' fwmark 0x32000000/0x7f000000 lookup 7147 priority 10019 protocol 116
	"$1" 6 '10019 0x32000000/0x7f000000 7147 - -' fwmark 0x32000000/0x7f000000 lookup 7147 priority 10019 protocol 116
	"$1" 4 '10020 0x32000000/0x7f000000 prohibit - -' fwmark 0x32000000/0x7f000000 prohibit priority 10020 protocol 116
	"$1" 6 '10020 0x32000000/0x7f000000 prohibit - -' fwmark 0x32000000/0x7f000000 prohibit priority 10020 protocol 116
	"$1" 4 '10021 0x5e000000/0x7f000000 254 7 -' fwmark 0x5e000000/0x7f000000 lookup main suppress_prefixlength 7 priority 10021 protocol 116
	"$1" 6 '10021 0x5e000000/0x7f000000 7103 - -' fwmark 0x5e000000/0x7f000000 lookup 7103 priority 10021 protocol 116
	"$1" 4 '10022 0x5e000000/0x7f000000 7191 - -' fwmark 0x5e000000/0x7f000000 lookup 7191 priority 10022 protocol 116
	"$1" 6 '10022 0x5e000000/0x7f000000 7191 - -' fwmark 0x5e000000/0x7f000000 lookup 7191 priority 10022 protocol 116
	"$1" 4 '10023 0x5e000000/0x7f000000 254 - -' fwmark 0x5e000000/0x7f000000 lookup main priority 10023 protocol 116
	"$1" 6 '10023 0x5e000000/0x7f000000 254 - -' fwmark 0x5e000000/0x7f000000 lookup main priority 10023 protocol 116
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
	"$1" 'net.ipv4.conf.wan0.ignore_routes_with_linkdown' '1' each - '' 'the table fibre leaves by this interface, and with 0 its routes stay in use when the interface loses its carrier: nothing takes its place'
	"$1" 'net.ipv4.conf.wan0.rp_filter' '0' each - 'effective - !0' 'the table fibre leaves by this interface, and a reverse-path filter drops the replies: a strict one (1) where the main table leaves by another, a loose one (2) where the main table has no route to their source, as when its only default route is gone'
	"$1" 'net.ipv6.conf.wan0.ignore_routes_with_linkdown' '1' each - '' 'the table fibre leaves by this interface, and with 0 its routes stay in use when the interface loses its carrier: nothing takes its place'
	"$1" 'net.ipv4.ip_forward' '1' each - '' 'the table fibre takes forwarded packets, and without this the host forwards no IPv4'
	"$1" 'net.ipv6.conf.*.accept_ra' '2' advertised - 'own_value - 1' 'fibre needs IPv6 forwarding, and a host that forwards forgets the routes that routers advertise, its default route among them, unless this is 2'
	"$1" 'net.ipv6.conf.all.forwarding' '1' each - '' 'the table fibre takes forwarded packets, and without this the host forwards no IPv6'
	"$1" 'net.ipv4.conf.*.rp_filter' '2' each - 'effective - 1
effective net.ipv4.conf.*.src_valid_mark 1' 'the table fibre takes packets that come in here, and a strict reverse-path filter that looks at marks (src_valid_mark) drops them' 'lan0'
	"$1" 'net.ipv4.conf.wwan0.ignore_routes_with_linkdown' '1' each - '' 'the table both leaves by this interface, and with 0 its routes stay in use when the interface loses its carrier: nothing takes its place'
	"$1" 'net.ipv4.conf.ppp0.ignore_routes_with_linkdown' '1' each - '' 'the table both leaves by this interface, and with 0 its routes stay in use when the interface loses its carrier: nothing takes its place'
	"$1" 'net.ipv4.conf.*.ignore_routes_with_linkdown' '1' each 192.0.2.9 '' 'the table both leaves by this interface, and with 0 its routes stay in use when the interface loses its carrier: nothing takes its place'
	"$1" 'net.ipv4.conf.wwan0.rp_filter' '0' each - 'effective - !0' 'the table both leaves by this interface, and a reverse-path filter drops the replies: a strict one (1) where the main table leaves by another, a loose one (2) where the main table has no route to their source, as when its only default route is gone'
	"$1" 'net.ipv4.conf.ppp0.rp_filter' '0' each - 'effective - !0' 'the table both leaves by this interface, and a reverse-path filter drops the replies: a strict one (1) where the main table leaves by another, a loose one (2) where the main table has no route to their source, as when its only default route is gone'
	"$1" 'net.ipv4.conf.*.rp_filter' '0' each 192.0.2.9 'effective - !0' 'the table both leaves by this interface, and a reverse-path filter drops the replies: a strict one (1) where the main table leaves by another, a loose one (2) where the main table has no route to their source, as when its only default route is gone'
	"$1" 'net.ipv6.conf.wwan0.ignore_routes_with_linkdown' '1' each - '' 'the table both leaves by this interface, and with 0 its routes stay in use when the interface loses its carrier: nothing takes its place'
	"$1" 'net.ipv6.conf.ppp0.ignore_routes_with_linkdown' '1' each - '' 'the table both leaves by this interface, and with 0 its routes stay in use when the interface loses its carrier: nothing takes its place'
	"$1" 'net.ipv4.conf.*.send_redirects' '0' each 192.0.2.9 'effective - !0' 'the table both may send packets out through the interface they came in on, and an ICMP redirect would make their sender bypass this host' 'lan0'
}

# compiler/emit/script.sh follows.
