#!/bin/sh
# policy.sh: written by tpc from policy.yaml; change that and compile again, not this file.
#
#   up      puts the policy into force; again and again if you like
#   down    takes all of it away and puts sysctls back
#   status  shows what is there and what is missing (exit status 5)
#
# What it takes of the host's numbers:
#   name              mark/mask              ip rule  table    goes to
#   isp2              0x00020000/0xffffffff  9000     200      the table's routes
#   isp3              0x00300000/0x0ff00000  10000    1000000  the table's routes
#   isp2              0x79000000/0x7f000000  10002    200      replies of connections that came in through it
#   isp2              0x35000000/0x7f000000  10005    200      the table's routes, for what comes in by an uplink or is translated
#   isp3              0x17000000/0x7f000000  10008    1000000  the table's routes, for what comes in by an uplink or is translated
#   nft table inet tpc; ip rules and routes carry protocol 116

stem='policy'
table=tpc
digest=beb15c0519d8c07c
protocol=116
first=9000
last=10010
sysctl_policy='set'
tables='200 1000000'
main_copy=''
sets='gateways.isp2 gateways.main flows.ended_v4 flows.ended_v6 prerouting.ip_daddr'
dynamic_sets=''
gateways='gateways.isp2 eth1 192.0.2.1
gateways.main eth1 main'
own=''
named='eth1'
cgroups=''
time_sets=''

# family, table, destination and metric, and the words for ip
each_route() {
	:
	"$1" 4 200 'default 0' default via 192.0.2.1 dev eth1 table 200 protocol 116
	"$1" 4 1000000 'default 0' default via 192.0.2.1 dev eth1 table 1000000 protocol 116
}

# family, what tells the rule from others, and the words for ip
each_rule() {
	:
	"$1" 4 '9000 0x20000/0xffffffff 200 - -' fwmark 0x20000/0xffffffff lookup 200 priority 9000 protocol 116
	"$1" 4 '9001 0x20000/0xffffffff unreachable - -' fwmark 0x20000/0xffffffff unreachable priority 9001 protocol 116
	"$1" 4 '10000 0x300000/0xff00000 1000000 - -' fwmark 0x300000/0xff00000 lookup 1000000 priority 10000 protocol 116
	"$1" 4 '10001 0x300000/0xff00000 254 - -' fwmark 0x300000/0xff00000 lookup main priority 10001 protocol 116
	"$1" 4 '10002 0x79000000/0x7f000000 254 7 -' fwmark 0x79000000/0x7f000000 lookup main suppress_prefixlength 7 priority 10002 protocol 116
	"$1" 4 '10003 0x79000000/0x7f000000 200 - -' fwmark 0x79000000/0x7f000000 lookup 200 priority 10003 protocol 116
	"$1" 4 '10004 0x79000000/0x7f000000 unreachable - -' fwmark 0x79000000/0x7f000000 unreachable priority 10004 protocol 116
	"$1" 4 '10005 0x35000000/0x7f000000 254 7 -' fwmark 0x35000000/0x7f000000 lookup main suppress_prefixlength 7 priority 10005 protocol 116
	"$1" 4 '10006 0x35000000/0x7f000000 200 - -' fwmark 0x35000000/0x7f000000 lookup 200 priority 10006 protocol 116
	"$1" 4 '10007 0x35000000/0x7f000000 unreachable - -' fwmark 0x35000000/0x7f000000 unreachable priority 10007 protocol 116
	"$1" 4 '10008 0x17000000/0x7f000000 254 7 -' fwmark 0x17000000/0x7f000000 lookup main suppress_prefixlength 7 priority 10008 protocol 116
	"$1" 4 '10009 0x17000000/0x7f000000 1000000 - -' fwmark 0x17000000/0x7f000000 lookup 1000000 priority 10009 protocol 116
	"$1" 4 '10010 0x17000000/0x7f000000 254 - -' fwmark 0x17000000/0x7f000000 lookup main priority 10010 protocol 116
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
	"$1" 'net.ipv4.conf.eth1.ignore_routes_with_linkdown' '1' each - '' 'the table isp2 leaves by this interface, and with 0 its routes stay in use when the interface loses its carrier: nothing takes its place'
	"$1" 'net.ipv4.conf.eth1.rp_filter' '0' each - 'effective - !0' 'the table isp2 leaves by this interface, and a reverse-path filter drops the replies: a strict one (1) where the main table leaves by another, a loose one (2) where the main table has no route to their source, as when its only default route is gone'
	"$1" 'net.ipv4.conf.eth1.send_redirects' '0' each - 'effective - !0' 'the table isp2 may send packets out through the interface they came in on, and an ICMP redirect would make their sender bypass this host'
	"$1" 'net.ipv4.ip_forward' '1' each - '' 'the table isp2 takes forwarded packets, and without this the host forwards no IPv4'
	"$1" 'net.ipv4.conf.*.rp_filter' '2' each - 'effective - 1
effective net.ipv4.conf.*.src_valid_mark 1' 'the table isp2 takes packets that come in here, and a strict reverse-path filter that looks at marks (src_valid_mark) drops them'
}

# compiler/emit/script.sh follows.
