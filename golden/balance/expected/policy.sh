#!/bin/sh
# policy.sh: written by tpc from policy.yaml; change that and compile again, not this file.
#
#   up      puts the policy into force; again and again if you like
#   down    takes all of it away and puts sysctls back
#   status  shows what is there and what is missing (exit status 5)
#
# What it takes of the host's numbers:
#   name              mark/mask              ip rule  table    goes to
#   isp1              0x2d000000/0x7f000000  10000    7107     the table's routes
#   isp2              0x08000000/0x7f000000  10002    7126     the table's routes
#   main              0x6f000000/0x7f000000  10004    -        the table's routes
#   isp1              0x5b000000/0x7f000000  10005    7107     replies of connections that came in through it
#   isp2              0x79000000/0x7f000000  10008    7126     replies of connections that came in through it
#   isp1              0x5a000000/0x7f000000  10011    7107     the table's routes, for what comes in by an uplink or is translated
#   isp2              0x35000000/0x7f000000  10014    7126     the table's routes, for what comes in by an uplink or is translated
#   nft table inet tpc; ip rules and routes carry protocol 116

stem='policy'
table=tpc
digest=1466b646f1852beb
protocol=116
first=10000
last=10016
sysctl_policy='set'
tables='7103 7107 7126'
main_copy=7103
sets='gateways.isp1 gateways.isp2 gateways.main flows.route_isp1.cd434a6c_v4 flows.route_isp1.cd434a6c_v6 flows.route_isp2.d0434f25_v4 flows.route_isp2.d0434f25_v6 flows.count_rule_in_lan1_t.6d1993f3_v4 flows.count_rule_in_lan1_t.6d1993f3_v6 flows.count_rule_in_lan1_t.6e199586_v4 flows.count_rule_in_lan1_t.6e199586_v6 flows.open_isp1.1a7cd349_v4 flows.open_isp1.1a7cd349_v6 flows.open_isp2.177cce90_v4 flows.open_isp2.177cce90_v6 flows.ended_v4 flows.ended_v6'
dynamic_sets=''
gateways='gateways.isp1 wan0 192.0.2.1
gateways.isp1 wan0 2001:db8:1::1
gateways.isp2 wan1 198.51.100.1
gateways.isp2 wan1 2001:db8:2::1
gateways.main wan0 main
gateways.main wan1 main'
own=''
named='lan0
lan1
lan2
wan0
wan1'
cgroups=''
time_sets=''

# Masquerade by an interface without an IPv4 address would give packets that of another one.
# `tpc apply` leaves such a route out, and this file does not.
# family, table, destination and metric, and the words for ip
each_route() {
	:
	"$1" 4 7107 'default 0' default via 192.0.2.1 dev wan0 table 7107 protocol 116
	"$1" 6 7107 'default 1024' default via 2001:db8:1::1 dev wan0 table 7107 protocol 116
	"$1" 4 7126 'default 0' default via 198.51.100.1 dev wan1 table 7126 protocol 116
	"$1" 6 7126 'default 1024' default via 2001:db8:2::1 dev wan1 table 7126 protocol 116
}

# family, what tells the rule from others, and the words for ip
each_rule() {
	:
	"$1" 4 '10000 0x2d000000/0x7f000000 7107 - -' fwmark 0x2d000000/0x7f000000 lookup 7107 priority 10000 protocol 116
	"$1" 6 '10000 0x2d000000/0x7f000000 7107 - -' fwmark 0x2d000000/0x7f000000 lookup 7107 priority 10000 protocol 116
	"$1" 4 '10001 0x2d000000/0x7f000000 254 - -' fwmark 0x2d000000/0x7f000000 lookup main priority 10001 protocol 116
	"$1" 6 '10001 0x2d000000/0x7f000000 254 - -' fwmark 0x2d000000/0x7f000000 lookup main priority 10001 protocol 116
	"$1" 4 '10002 0x8000000/0x7f000000 7126 - -' fwmark 0x8000000/0x7f000000 lookup 7126 priority 10002 protocol 116
	"$1" 6 '10002 0x8000000/0x7f000000 7126 - -' fwmark 0x8000000/0x7f000000 lookup 7126 priority 10002 protocol 116
	"$1" 4 '10003 0x8000000/0x7f000000 254 - -' fwmark 0x8000000/0x7f000000 lookup main priority 10003 protocol 116
	"$1" 6 '10003 0x8000000/0x7f000000 254 - -' fwmark 0x8000000/0x7f000000 lookup main priority 10003 protocol 116
	"$1" 4 '10004 0x6f000000/0x7f000000 254 - -' fwmark 0x6f000000/0x7f000000 lookup main priority 10004 protocol 116
	"$1" 6 '10004 0x6f000000/0x7f000000 254 - -' fwmark 0x6f000000/0x7f000000 lookup main priority 10004 protocol 116
	"$1" 4 '10005 0x5b000000/0x7f000000 254 7 -' fwmark 0x5b000000/0x7f000000 lookup main suppress_prefixlength 7 priority 10005 protocol 116
	"$1" 6 '10005 0x5b000000/0x7f000000 7103 - -' fwmark 0x5b000000/0x7f000000 lookup 7103 priority 10005 protocol 116
	"$1" 4 '10006 0x5b000000/0x7f000000 7107 - -' fwmark 0x5b000000/0x7f000000 lookup 7107 priority 10006 protocol 116
	"$1" 6 '10006 0x5b000000/0x7f000000 7107 - -' fwmark 0x5b000000/0x7f000000 lookup 7107 priority 10006 protocol 116
	"$1" 4 '10007 0x5b000000/0x7f000000 254 - -' fwmark 0x5b000000/0x7f000000 lookup main priority 10007 protocol 116
	"$1" 6 '10007 0x5b000000/0x7f000000 254 - -' fwmark 0x5b000000/0x7f000000 lookup main priority 10007 protocol 116
	"$1" 4 '10008 0x79000000/0x7f000000 254 7 -' fwmark 0x79000000/0x7f000000 lookup main suppress_prefixlength 7 priority 10008 protocol 116
	"$1" 6 '10008 0x79000000/0x7f000000 7103 - -' fwmark 0x79000000/0x7f000000 lookup 7103 priority 10008 protocol 116
	"$1" 4 '10009 0x79000000/0x7f000000 7126 - -' fwmark 0x79000000/0x7f000000 lookup 7126 priority 10009 protocol 116
	"$1" 6 '10009 0x79000000/0x7f000000 7126 - -' fwmark 0x79000000/0x7f000000 lookup 7126 priority 10009 protocol 116
	"$1" 4 '10010 0x79000000/0x7f000000 254 - -' fwmark 0x79000000/0x7f000000 lookup main priority 10010 protocol 116
	"$1" 6 '10010 0x79000000/0x7f000000 254 - -' fwmark 0x79000000/0x7f000000 lookup main priority 10010 protocol 116
	"$1" 4 '10011 0x5a000000/0x7f000000 254 7 -' fwmark 0x5a000000/0x7f000000 lookup main suppress_prefixlength 7 priority 10011 protocol 116
	"$1" 6 '10011 0x5a000000/0x7f000000 7103 - -' fwmark 0x5a000000/0x7f000000 lookup 7103 priority 10011 protocol 116
	"$1" 4 '10012 0x5a000000/0x7f000000 7107 - -' fwmark 0x5a000000/0x7f000000 lookup 7107 priority 10012 protocol 116
	"$1" 6 '10012 0x5a000000/0x7f000000 7107 - -' fwmark 0x5a000000/0x7f000000 lookup 7107 priority 10012 protocol 116
	"$1" 4 '10013 0x5a000000/0x7f000000 254 - -' fwmark 0x5a000000/0x7f000000 lookup main priority 10013 protocol 116
	"$1" 6 '10013 0x5a000000/0x7f000000 254 - -' fwmark 0x5a000000/0x7f000000 lookup main priority 10013 protocol 116
	"$1" 4 '10014 0x35000000/0x7f000000 254 7 -' fwmark 0x35000000/0x7f000000 lookup main suppress_prefixlength 7 priority 10014 protocol 116
	"$1" 6 '10014 0x35000000/0x7f000000 7103 - -' fwmark 0x35000000/0x7f000000 lookup 7103 priority 10014 protocol 116
	"$1" 4 '10015 0x35000000/0x7f000000 7126 - -' fwmark 0x35000000/0x7f000000 lookup 7126 priority 10015 protocol 116
	"$1" 6 '10015 0x35000000/0x7f000000 7126 - -' fwmark 0x35000000/0x7f000000 lookup 7126 priority 10015 protocol 116
	"$1" 4 '10016 0x35000000/0x7f000000 254 - -' fwmark 0x35000000/0x7f000000 lookup main priority 10016 protocol 116
	"$1" 6 '10016 0x35000000/0x7f000000 254 - -' fwmark 0x35000000/0x7f000000 lookup main priority 10016 protocol 116
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
	"$1" 'net.ipv4.conf.wan0.ignore_routes_with_linkdown' '1' each - '' 'the table isp1 leaves by this interface, and with 0 its routes stay in use when the interface loses its carrier: nothing takes its place'
	"$1" 'net.ipv4.conf.wan0.rp_filter' '0' each - 'effective - !0' 'the table isp1 leaves by this interface, and a reverse-path filter drops the replies: a strict one (1) where the main table leaves by another, a loose one (2) where the main table has no route to their source, as when its only default route is gone'
	"$1" 'net.ipv6.conf.wan0.ignore_routes_with_linkdown' '1' each - '' 'the table isp1 leaves by this interface, and with 0 its routes stay in use when the interface loses its carrier: nothing takes its place'
	"$1" 'net.ipv4.conf.wan0.send_redirects' '0' each - 'effective - !0' 'the table isp1 may send packets out through the interface they came in on, and an ICMP redirect would make their sender bypass this host'
	"$1" 'net.ipv4.ip_forward' '1' each - '' 'the table isp1 takes forwarded packets, and without this the host forwards no IPv4'
	"$1" 'net.ipv6.conf.*.accept_ra' '2' advertised - 'own_value - 1' 'isp1 needs IPv6 forwarding, and a host that forwards forgets the routes that routers advertise, its default route among them, unless this is 2'
	"$1" 'net.ipv6.conf.all.forwarding' '1' each - '' 'the table isp1 takes forwarded packets, and without this the host forwards no IPv6'
	"$1" 'net.ipv4.conf.*.rp_filter' '2' each - 'effective - 1
effective net.ipv4.conf.*.src_valid_mark 1' 'the table isp1 takes packets that come in here, and a strict reverse-path filter that looks at marks (src_valid_mark) drops them'
	"$1" 'net.ipv4.conf.wan1.ignore_routes_with_linkdown' '1' each - '' 'the table isp2 leaves by this interface, and with 0 its routes stay in use when the interface loses its carrier: nothing takes its place'
	"$1" 'net.ipv4.conf.wan1.rp_filter' '0' each - 'effective - !0' 'the table isp2 leaves by this interface, and a reverse-path filter drops the replies: a strict one (1) where the main table leaves by another, a loose one (2) where the main table has no route to their source, as when its only default route is gone'
	"$1" 'net.ipv6.conf.wan1.ignore_routes_with_linkdown' '1' each - '' 'the table isp2 leaves by this interface, and with 0 its routes stay in use when the interface loses its carrier: nothing takes its place'
	"$1" 'net.ipv4.conf.wan1.send_redirects' '0' each - 'effective - !0' 'the table isp2 may send packets out through the interface they came in on, and an ICMP redirect would make their sender bypass this host'
}

# compiler/emit/script.sh follows.
