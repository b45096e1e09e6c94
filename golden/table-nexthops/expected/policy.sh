#!/bin/sh
# policy.sh: written by tpc from policy.yaml; change that and compile again, not this file.
#
#   up      puts the policy into force; again and again if you like
#   down    takes all of it away and puts sysctls back
#   status  shows what is there and what is missing (exit status 5)
#
# What it takes of the host's numbers:
#   name              mark/mask              ip rule  table    goes to
#   multi             0x57000000/0x7f000000  10000    7117     the table's routes
#   multi.1           0x68000000/0x7f000000  10002    7192     replies of connections that came in through it
#   multi.2           0x43000000/0x7f000000  10005    7149     replies of connections that came in through it
#   multi.3           0x25000000/0x7f000000  10008    7130     replies of connections that came in through it
#   multi             0x73000000/0x7f000000  10011    7117     the table's routes, for what comes in by an uplink or is translated
#   nft table inet tpc; ip rules and routes carry protocol 116

stem='policy'
table=tpc
digest=071647b8e223cb80
protocol=116
first=10000
last=10013
sysctl_policy='set'
tables='7103 7117 7130 7149 7192'
main_copy=7103
sets='flows.ended_v4 flows.ended_v6'
dynamic_sets=''
gateways=''
own=''
named='lan0
ppp0
eth1
eth2'
cgroups=''
time_sets=''

# family, table, destination and metric, and the words for ip
each_route() {
	:
	"$1" 4 7192 'default 0' default dev ppp0 table 7192 protocol 116
	"$1" 6 7192 'default 1024' default dev ppp0 table 7192 protocol 116
	"$1" 4 7117 'default 0' default table 7117 protocol 116 nexthop via 192.0.2.1 weight 3 nexthop dev ppp0 weight 1
	"$1" 6 7117 '2001:db8:7::/48 50' 2001:db8:7::/48 table 7117 protocol 116 metric 50 nexthop via 2001:db8::1 dev eth1 weight 1 nexthop via 2001:db8::2 dev eth2 weight 256 onlink
	"$1" 6 7149 '2001:db8:7::/48 50' 2001:db8:7::/48 via 2001:db8::1 dev eth1 table 7149 protocol 116 metric 50
	"$1" 6 7130 '2001:db8:7::/48 50' 2001:db8:7::/48 via 2001:db8::2 dev eth2 table 7130 protocol 116 metric 50 onlink
}

# family, what tells the rule from others, and the words for ip
each_rule() {
	:
	"$1" 4 '10000 0x57000000/0x7f000000 7117 - -' fwmark 0x57000000/0x7f000000 lookup 7117 priority 10000 protocol 116
	"$1" 6 '10000 0x57000000/0x7f000000 7117 - -' fwmark 0x57000000/0x7f000000 lookup 7117 priority 10000 protocol 116
	"$1" 4 '10001 0x57000000/0x7f000000 254 - -' fwmark 0x57000000/0x7f000000 lookup main priority 10001 protocol 116
	"$1" 6 '10001 0x57000000/0x7f000000 254 - -' fwmark 0x57000000/0x7f000000 lookup main priority 10001 protocol 116
	"$1" 4 '10002 0x68000000/0x7f000000 254 7 -' fwmark 0x68000000/0x7f000000 lookup main suppress_prefixlength 7 priority 10002 protocol 116
	"$1" 6 '10002 0x68000000/0x7f000000 7103 - -' fwmark 0x68000000/0x7f000000 lookup 7103 priority 10002 protocol 116
	"$1" 4 '10003 0x68000000/0x7f000000 7192 - -' fwmark 0x68000000/0x7f000000 lookup 7192 priority 10003 protocol 116
	"$1" 6 '10003 0x68000000/0x7f000000 7192 - -' fwmark 0x68000000/0x7f000000 lookup 7192 priority 10003 protocol 116
	"$1" 4 '10004 0x68000000/0x7f000000 254 - -' fwmark 0x68000000/0x7f000000 lookup main priority 10004 protocol 116
	"$1" 6 '10004 0x68000000/0x7f000000 254 - -' fwmark 0x68000000/0x7f000000 lookup main priority 10004 protocol 116
	"$1" 6 '10005 0x43000000/0x7f000000 7103 - -' fwmark 0x43000000/0x7f000000 lookup 7103 priority 10005 protocol 116
	"$1" 6 '10006 0x43000000/0x7f000000 7149 - -' fwmark 0x43000000/0x7f000000 lookup 7149 priority 10006 protocol 116
	"$1" 6 '10007 0x43000000/0x7f000000 254 - -' fwmark 0x43000000/0x7f000000 lookup main priority 10007 protocol 116
	"$1" 6 '10008 0x25000000/0x7f000000 7103 - -' fwmark 0x25000000/0x7f000000 lookup 7103 priority 10008 protocol 116
	"$1" 6 '10009 0x25000000/0x7f000000 7130 - -' fwmark 0x25000000/0x7f000000 lookup 7130 priority 10009 protocol 116
	"$1" 6 '10010 0x25000000/0x7f000000 254 - -' fwmark 0x25000000/0x7f000000 lookup main priority 10010 protocol 116
	"$1" 4 '10011 0x73000000/0x7f000000 254 7 -' fwmark 0x73000000/0x7f000000 lookup main suppress_prefixlength 7 priority 10011 protocol 116
	"$1" 6 '10011 0x73000000/0x7f000000 7103 - -' fwmark 0x73000000/0x7f000000 lookup 7103 priority 10011 protocol 116
	"$1" 4 '10012 0x73000000/0x7f000000 7117 - -' fwmark 0x73000000/0x7f000000 lookup 7117 priority 10012 protocol 116
	"$1" 6 '10012 0x73000000/0x7f000000 7117 - -' fwmark 0x73000000/0x7f000000 lookup 7117 priority 10012 protocol 116
	"$1" 4 '10013 0x73000000/0x7f000000 254 - -' fwmark 0x73000000/0x7f000000 lookup main priority 10013 protocol 116
	"$1" 6 '10013 0x73000000/0x7f000000 254 - -' fwmark 0x73000000/0x7f000000 lookup main priority 10013 protocol 116
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
	"$1" 'net.ipv4.conf.*.ignore_routes_with_linkdown' '1' each 192.0.2.1 '' 'the table multi leaves by this interface, and with 0 its routes stay in use when the interface loses its carrier: nothing takes its place'
	"$1" 'net.ipv4.conf.ppp0.ignore_routes_with_linkdown' '1' each - '' 'the table multi leaves by this interface, and with 0 its routes stay in use when the interface loses its carrier: nothing takes its place'
	"$1" 'net.ipv4.conf.*.rp_filter' '0' each 192.0.2.1 'effective - !0' 'the table multi leaves by this interface, and a reverse-path filter drops the replies: a strict one (1) where the main table leaves by another, a loose one (2) where the main table has no route to their source, as when its only default route is gone'
	"$1" 'net.ipv4.conf.ppp0.rp_filter' '0' each - 'effective - !0' 'the table multi leaves by this interface, and a reverse-path filter drops the replies: a strict one (1) where the main table leaves by another, a loose one (2) where the main table has no route to their source, as when its only default route is gone'
	"$1" 'net.ipv6.conf.ppp0.ignore_routes_with_linkdown' '1' each - '' 'the table multi leaves by this interface, and with 0 its routes stay in use when the interface loses its carrier: nothing takes its place'
	"$1" 'net.ipv6.conf.eth1.ignore_routes_with_linkdown' '1' each - '' 'the table multi leaves by this interface, and with 0 its routes stay in use when the interface loses its carrier: nothing takes its place'
	"$1" 'net.ipv6.conf.eth2.ignore_routes_with_linkdown' '1' each - '' 'the table multi leaves by this interface, and with 0 its routes stay in use when the interface loses its carrier: nothing takes its place'
	"$1" 'net.ipv4.conf.*.send_redirects' '0' each 192.0.2.1 'effective - !0' 'the table multi may send packets out through the interface they came in on, and an ICMP redirect would make their sender bypass this host' 'lan0'
	"$1" 'net.ipv4.ip_forward' '1' each - '' 'the table multi takes forwarded packets, and without this the host forwards no IPv4'
	"$1" 'net.ipv6.conf.*.accept_ra' '2' advertised - 'own_value - 1' 'multi needs IPv6 forwarding, and a host that forwards forgets the routes that routers advertise, its default route among them, unless this is 2'
	"$1" 'net.ipv6.conf.all.forwarding' '1' each - '' 'the table multi takes forwarded packets, and without this the host forwards no IPv6'
	"$1" 'net.ipv4.conf.*.rp_filter' '2' each - 'effective - 1
effective net.ipv4.conf.*.src_valid_mark 1' 'the table multi takes packets that come in here, and a strict reverse-path filter that looks at marks (src_valid_mark) drops them' 'lan0'
}

# compiler/emit/script.sh follows.
