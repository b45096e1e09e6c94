#!/bin/sh
# policy.sh: written by tpc from policy.yaml; change that and compile again, not this file.
#
#   up      puts the policy into force; again and again if you like
#   down    takes all of it away and puts sysctls back
#   status  shows what is there and what is missing (exit status 5)
#
# What it takes of the host's numbers:
#   name              mark/mask              ip rule  table    goes to
#   isp               0x0b000000/0x7f000000  10000    7168     the table's routes
#   lab               0x6f000000/0x7f000000  10002    7183     the table's routes
#   isp               0x54000000/0x7f000000  10004    7168     replies of connections that came in through it
#   lab               0x2b000000/0x7f000000  10007    7183     the table's routes, for what comes in by an uplink or is translated
#   isp               0x16000000/0x7f000000  10010    7168     the table's routes, for what comes in by an uplink or is translated
#   lab               0x6c000000/0x7f000000  10013    7183     replies of connections that came in through it
#   direct            0x32000000/0x7f000000  -        -        what is left alone, where unmarked packets are refused
#   nft table inet tpc; ip rules and routes carry protocol 116

stem='policy'
table=tpc
digest=31ba96df108713d2
protocol=116
first=10000
last=10018
sysctl_policy='set'
tables='7103 7168 7183'
main_copy=7103
sets='gateways.isp gateways.main flows.ended_v4 flows.ended_v6'
dynamic_sets=''
gateways='gateways.isp eth1 192.0.2.1
gateways.isp eth1 fe80::1
gateways.main eth1 main'
own=''
named='lan0
eth1
eth2'
cgroups=''
time_sets=''

# family, table, destination and metric, and the words for ip
each_route() {
	:
	"$1" 4 7168 'default 0' default via 192.0.2.1 dev eth1 table 7168 protocol 116
	"$1" 6 7168 'default 1024' default via fe80::1 dev eth1 table 7168 protocol 116
	"$1" 6 7183 '2001:db8:5::/48 1024' 2001:db8:5::/48 via fe80::2 dev eth2 table 7183 protocol 116
	"$1" 4 7183 '10.0.0.0/8 0' 10.0.0.0/8 via 192.0.2.9 dev eth2 table 7183 protocol 116 onlink
}

# family, what tells the rule from others, and the words for ip
each_rule() {
	:
	"$1" 4 '10000 0xb000000/0x7f000000 7168 - -' fwmark 0xb000000/0x7f000000 lookup 7168 priority 10000 protocol 116
	"$1" 6 '10000 0xb000000/0x7f000000 7168 - -' fwmark 0xb000000/0x7f000000 lookup 7168 priority 10000 protocol 116
	"$1" 4 '10001 0xb000000/0x7f000000 unreachable - -' fwmark 0xb000000/0x7f000000 unreachable priority 10001 protocol 116
	"$1" 6 '10001 0xb000000/0x7f000000 unreachable - -' fwmark 0xb000000/0x7f000000 unreachable priority 10001 protocol 116
	"$1" 4 '10002 0x6f000000/0x7f000000 7183 - -' fwmark 0x6f000000/0x7f000000 lookup 7183 priority 10002 protocol 116
	"$1" 6 '10002 0x6f000000/0x7f000000 7183 - -' fwmark 0x6f000000/0x7f000000 lookup 7183 priority 10002 protocol 116
	"$1" 4 '10003 0x6f000000/0x7f000000 254 - -' fwmark 0x6f000000/0x7f000000 lookup main priority 10003 protocol 116
	"$1" 6 '10003 0x6f000000/0x7f000000 254 - -' fwmark 0x6f000000/0x7f000000 lookup main priority 10003 protocol 116
	"$1" 4 '10004 0x54000000/0x7f000000 254 7 -' fwmark 0x54000000/0x7f000000 lookup main suppress_prefixlength 7 priority 10004 protocol 116
	"$1" 6 '10004 0x54000000/0x7f000000 7103 - -' fwmark 0x54000000/0x7f000000 lookup 7103 priority 10004 protocol 116
	"$1" 4 '10005 0x54000000/0x7f000000 7168 - -' fwmark 0x54000000/0x7f000000 lookup 7168 priority 10005 protocol 116
	"$1" 6 '10005 0x54000000/0x7f000000 7168 - -' fwmark 0x54000000/0x7f000000 lookup 7168 priority 10005 protocol 116
	"$1" 4 '10006 0x54000000/0x7f000000 unreachable - -' fwmark 0x54000000/0x7f000000 unreachable priority 10006 protocol 116
	"$1" 6 '10006 0x54000000/0x7f000000 unreachable - -' fwmark 0x54000000/0x7f000000 unreachable priority 10006 protocol 116
	"$1" 4 '10007 0x2b000000/0x7f000000 254 7 -' fwmark 0x2b000000/0x7f000000 lookup main suppress_prefixlength 7 priority 10007 protocol 116
	"$1" 6 '10007 0x2b000000/0x7f000000 7103 - -' fwmark 0x2b000000/0x7f000000 lookup 7103 priority 10007 protocol 116
	"$1" 4 '10008 0x2b000000/0x7f000000 7183 - -' fwmark 0x2b000000/0x7f000000 lookup 7183 priority 10008 protocol 116
	"$1" 6 '10008 0x2b000000/0x7f000000 7183 - -' fwmark 0x2b000000/0x7f000000 lookup 7183 priority 10008 protocol 116
	"$1" 4 '10009 0x2b000000/0x7f000000 254 - -' fwmark 0x2b000000/0x7f000000 lookup main priority 10009 protocol 116
	"$1" 6 '10009 0x2b000000/0x7f000000 254 - -' fwmark 0x2b000000/0x7f000000 lookup main priority 10009 protocol 116
	"$1" 4 '10010 0x16000000/0x7f000000 254 7 -' fwmark 0x16000000/0x7f000000 lookup main suppress_prefixlength 7 priority 10010 protocol 116
	"$1" 6 '10010 0x16000000/0x7f000000 7103 - -' fwmark 0x16000000/0x7f000000 lookup 7103 priority 10010 protocol 116
	"$1" 4 '10011 0x16000000/0x7f000000 7168 - -' fwmark 0x16000000/0x7f000000 lookup 7168 priority 10011 protocol 116
	"$1" 6 '10011 0x16000000/0x7f000000 7168 - -' fwmark 0x16000000/0x7f000000 lookup 7168 priority 10011 protocol 116
	"$1" 4 '10012 0x16000000/0x7f000000 unreachable - -' fwmark 0x16000000/0x7f000000 unreachable priority 10012 protocol 116
	"$1" 6 '10012 0x16000000/0x7f000000 unreachable - -' fwmark 0x16000000/0x7f000000 unreachable priority 10012 protocol 116
	"$1" 4 '10013 0x6c000000/0x7f000000 254 7 -' fwmark 0x6c000000/0x7f000000 lookup main suppress_prefixlength 7 priority 10013 protocol 116
	"$1" 6 '10013 0x6c000000/0x7f000000 7103 - -' fwmark 0x6c000000/0x7f000000 lookup 7103 priority 10013 protocol 116
	"$1" 4 '10014 0x6c000000/0x7f000000 7183 - -' fwmark 0x6c000000/0x7f000000 lookup 7183 priority 10014 protocol 116
	"$1" 6 '10014 0x6c000000/0x7f000000 7183 - -' fwmark 0x6c000000/0x7f000000 lookup 7183 priority 10014 protocol 116
	"$1" 4 '10015 0x6c000000/0x7f000000 254 - -' fwmark 0x6c000000/0x7f000000 lookup main priority 10015 protocol 116
	"$1" 6 '10015 0x6c000000/0x7f000000 254 - -' fwmark 0x6c000000/0x7f000000 lookup main priority 10015 protocol 116
}

# family, what tells the rule from others, and the words for ip: what has no mark is refused
each_unmarked() {
	:
	"$1" 4 '10016 0/0xffffffff 255 - lan0' iif lan0 fwmark 0x0/0xffffffff lookup local priority 10016 protocol 116
	"$1" 6 '10016 0/0xffffffff 255 - lan0' iif lan0 fwmark 0x0/0xffffffff lookup local priority 10016 protocol 116
	"$1" 4 '10017 0/0xffffffff 254 7 lan0' iif lan0 fwmark 0x0/0xffffffff lookup main suppress_prefixlength 7 priority 10017 protocol 116
	"$1" 6 '10017 0/0xffffffff 7103 - lan0' iif lan0 fwmark 0x0/0xffffffff lookup 7103 priority 10017 protocol 116
	"$1" 4 '10018 0/0xffffffff unreachable - lan0' iif lan0 fwmark 0x0/0xffffffff unreachable priority 10018 protocol 116
	"$1" 6 '10018 0/0xffffffff unreachable - lan0' iif lan0 fwmark 0x0/0xffffffff unreachable priority 10018 protocol 116
}

# sysctls that the kernel resets when another one is given back: that one, key, the value that stays
companions='net.ipv4.ip_forward net.ipv4.conf.all.accept_redirects 0
net.ipv4.ip_forward net.ipv4.conf.*.forwarding 1
net.ipv6.conf.all.forwarding net.ipv6.conf.*.forwarding 1'

# key, value, for which interfaces and towards which address, when it matters, why, and interfaces
each_sysctl() {
	:
	"$1" 'net.ipv4.conf.eth1.ignore_routes_with_linkdown' '1' each - '' 'the table isp leaves by this interface, and with 0 its routes stay in use when the interface loses its carrier: nothing takes its place'
	"$1" 'net.ipv4.conf.eth1.rp_filter' '0' each - 'effective - !0' 'the table isp leaves by this interface, and a reverse-path filter drops the replies: a strict one (1) where the main table leaves by another, a loose one (2) where the main table has no route to their source, as when its only default route is gone'
	"$1" 'net.ipv6.conf.eth1.ignore_routes_with_linkdown' '1' each - '' 'the table isp leaves by this interface, and with 0 its routes stay in use when the interface loses its carrier: nothing takes its place'
	"$1" 'net.ipv4.ip_forward' '1' each - '' 'the table isp takes forwarded packets, and without this the host forwards no IPv4'
	"$1" 'net.ipv6.conf.*.accept_ra' '2' advertised - 'own_value - 1' 'isp needs IPv6 forwarding, and a host that forwards forgets the routes that routers advertise, its default route among them, unless this is 2'
	"$1" 'net.ipv6.conf.all.forwarding' '1' each - '' 'the table isp takes forwarded packets, and without this the host forwards no IPv6'
	"$1" 'net.ipv4.conf.*.rp_filter' '2' each - 'effective - 1
effective net.ipv4.conf.*.src_valid_mark 1' 'the table isp takes packets that come in here, and a strict reverse-path filter that looks at marks (src_valid_mark) drops them'
	"$1" 'net.ipv4.conf.eth2.ignore_routes_with_linkdown' '1' each - '' 'the table lab leaves by this interface, and with 0 its routes stay in use when the interface loses its carrier: nothing takes its place'
	"$1" 'net.ipv4.conf.eth2.rp_filter' '0' each - 'effective - !0' 'the table lab leaves by this interface, and a reverse-path filter drops the replies: a strict one (1) where the main table leaves by another, a loose one (2) where the main table has no route to their source, as when its only default route is gone'
	"$1" 'net.ipv6.conf.eth2.ignore_routes_with_linkdown' '1' each - '' 'the table lab leaves by this interface, and with 0 its routes stay in use when the interface loses its carrier: nothing takes its place'
	"$1" 'net.ipv4.conf.eth2.send_redirects' '0' each - 'effective - !0' 'the table lab may send packets out through the interface they came in on, and an ICMP redirect would make their sender bypass this host'
}

# compiler/emit/script.sh follows.
