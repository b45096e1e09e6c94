#!/bin/sh
# policy.sh: written by tpc from policy.yaml; change that and compile again, not this file.
#
#   up      puts the policy into force; again and again if you like
#   down    takes all of it away and puts sysctls back
#   status  shows what is there and what is missing (exit status 5)
#
# What it takes of the host's numbers:
#   name              mark/mask              ip rule  table    goes to
#   lab               0x6f000000/0x7f000000  10000    7183     the table's routes
#   lab               0x6c000000/0x7f000000  10002    7183     replies of connections that came in through it
#   lab.1             0x34000000/0x7f000000  10005    7134     replies of connections that came in through it
#   lab               0x2b000000/0x7f000000  10008    7183     the table's routes, for what comes in by an uplink or is translated
#   nft table inet tpc; ip rules and routes carry protocol 116

stem='policy'
table=tpc
digest=64c6772f00b7181e
protocol=116
first=10000
last=10010
sysctl_policy='set'
tables='7103 7134 7183'
main_copy=7103
sets='flows.ended_v4 flows.ended_v6'
dynamic_sets=''
gateways=''
own=''
named='lo
tun0
eth1'
cgroups=''
time_sets=''

# family, table, destination and metric, and the words for ip
each_route() {
	:
	"$1" 4 7183 '10.9.0.0/16 0' unreachable 10.9.0.0/16 table 7183 protocol 116
	"$1" 4 7183 '10.8.0.0/16 0' prohibit 10.8.0.0/16 table 7183 protocol 116
	"$1" 4 7183 '10.7.0.0/16 5' blackhole 10.7.0.0/16 table 7183 protocol 116 metric 5
	"$1" 4 7183 '10.6.0.0/16 0' throw 10.6.0.0/16 table 7183 protocol 116
	"$1" 4 7183 '10.5.0.1 0' local 10.5.0.1 dev lo table 7183 protocol 116
	"$1" 4 7183 'default 20' default dev tun0 table 7183 protocol 116 metric 20
	"$1" 6 7183 'default 20' default dev tun0 table 7183 protocol 116 metric 20
	"$1" 4 7183 '10.0.0.0/8 0' 10.0.0.0/8 via 10.1.0.1 table 7183 protocol 116
	"$1" 6 7183 '2001:db8:5::/48 1024' 2001:db8:5::/48 via 2001:db8::1 dev eth1 table 7183 protocol 116 mtu 1280
	"$1" 6 7134 '2001:db8:5::/48 1024' 2001:db8:5::/48 via 2001:db8::1 dev eth1 table 7134 protocol 116 mtu 1280
}

# family, what tells the rule from others, and the words for ip
each_rule() {
	:
	"$1" 4 '10000 0x6f000000/0x7f000000 7183 - -' fwmark 0x6f000000/0x7f000000 lookup 7183 priority 10000 protocol 116
	"$1" 6 '10000 0x6f000000/0x7f000000 7183 - -' fwmark 0x6f000000/0x7f000000 lookup 7183 priority 10000 protocol 116
	"$1" 4 '10001 0x6f000000/0x7f000000 254 - -' fwmark 0x6f000000/0x7f000000 lookup main priority 10001 protocol 116
	"$1" 6 '10001 0x6f000000/0x7f000000 254 - -' fwmark 0x6f000000/0x7f000000 lookup main priority 10001 protocol 116
	"$1" 4 '10002 0x6c000000/0x7f000000 254 7 -' fwmark 0x6c000000/0x7f000000 lookup main suppress_prefixlength 7 priority 10002 protocol 116
	"$1" 6 '10002 0x6c000000/0x7f000000 7103 - -' fwmark 0x6c000000/0x7f000000 lookup 7103 priority 10002 protocol 116
	"$1" 4 '10003 0x6c000000/0x7f000000 7183 - -' fwmark 0x6c000000/0x7f000000 lookup 7183 priority 10003 protocol 116
	"$1" 6 '10003 0x6c000000/0x7f000000 7183 - -' fwmark 0x6c000000/0x7f000000 lookup 7183 priority 10003 protocol 116
	"$1" 4 '10004 0x6c000000/0x7f000000 254 - -' fwmark 0x6c000000/0x7f000000 lookup main priority 10004 protocol 116
	"$1" 6 '10004 0x6c000000/0x7f000000 254 - -' fwmark 0x6c000000/0x7f000000 lookup main priority 10004 protocol 116
	"$1" 6 '10005 0x34000000/0x7f000000 7103 - -' fwmark 0x34000000/0x7f000000 lookup 7103 priority 10005 protocol 116
	"$1" 6 '10006 0x34000000/0x7f000000 7134 - -' fwmark 0x34000000/0x7f000000 lookup 7134 priority 10006 protocol 116
	"$1" 6 '10007 0x34000000/0x7f000000 254 - -' fwmark 0x34000000/0x7f000000 lookup main priority 10007 protocol 116
	"$1" 4 '10008 0x2b000000/0x7f000000 254 7 -' fwmark 0x2b000000/0x7f000000 lookup main suppress_prefixlength 7 priority 10008 protocol 116
	"$1" 6 '10008 0x2b000000/0x7f000000 7103 - -' fwmark 0x2b000000/0x7f000000 lookup 7103 priority 10008 protocol 116
	"$1" 4 '10009 0x2b000000/0x7f000000 7183 - -' fwmark 0x2b000000/0x7f000000 lookup 7183 priority 10009 protocol 116
	"$1" 6 '10009 0x2b000000/0x7f000000 7183 - -' fwmark 0x2b000000/0x7f000000 lookup 7183 priority 10009 protocol 116
	"$1" 4 '10010 0x2b000000/0x7f000000 254 - -' fwmark 0x2b000000/0x7f000000 lookup main priority 10010 protocol 116
	"$1" 6 '10010 0x2b000000/0x7f000000 254 - -' fwmark 0x2b000000/0x7f000000 lookup main priority 10010 protocol 116
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
	"$1" 'net.ipv4.conf.*.ignore_routes_with_linkdown' '1' each 10.1.0.1 '' 'the table lab leaves by this interface, and with 0 its routes stay in use when the interface loses its carrier: nothing takes its place'
	"$1" 'net.ipv4.conf.tun0.ignore_routes_with_linkdown' '1' each - '' 'the table lab leaves by this interface, and with 0 its routes stay in use when the interface loses its carrier: nothing takes its place'
	"$1" 'net.ipv4.conf.*.rp_filter' '0' each 10.1.0.1 'effective - !0' 'the table lab leaves by this interface, and a reverse-path filter drops the replies: a strict one (1) where the main table leaves by another, a loose one (2) where the main table has no route to their source, as when its only default route is gone'
	"$1" 'net.ipv4.conf.tun0.rp_filter' '0' each - 'effective - !0' 'the table lab leaves by this interface, and a reverse-path filter drops the replies: a strict one (1) where the main table leaves by another, a loose one (2) where the main table has no route to their source, as when its only default route is gone'
	"$1" 'net.ipv6.conf.eth1.ignore_routes_with_linkdown' '1' each - '' 'the table lab leaves by this interface, and with 0 its routes stay in use when the interface loses its carrier: nothing takes its place'
	"$1" 'net.ipv6.conf.tun0.ignore_routes_with_linkdown' '1' each - '' 'the table lab leaves by this interface, and with 0 its routes stay in use when the interface loses its carrier: nothing takes its place'
	"$1" 'net.ipv4.conf.*.send_redirects' '0' each 10.1.0.1 'effective - !0' 'the table lab may send packets out through the interface they came in on, and an ICMP redirect would make their sender bypass this host'
	"$1" 'net.ipv4.ip_forward' '1' each - '' 'the table lab takes forwarded packets, and without this the host forwards no IPv4'
	"$1" 'net.ipv6.conf.*.accept_ra' '2' advertised - 'own_value - 1' 'lab needs IPv6 forwarding, and a host that forwards forgets the routes that routers advertise, its default route among them, unless this is 2'
	"$1" 'net.ipv6.conf.all.forwarding' '1' each - '' 'the table lab takes forwarded packets, and without this the host forwards no IPv6'
	"$1" 'net.ipv4.conf.*.rp_filter' '2' each - 'effective - 1
effective net.ipv4.conf.*.src_valid_mark 1' 'the table lab takes packets that come in here, and a strict reverse-path filter that looks at marks (src_valid_mark) drops them'
}

# compiler/emit/script.sh follows.
