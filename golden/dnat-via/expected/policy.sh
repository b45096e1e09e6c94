#!/bin/sh
# policy.sh: written by tpc from policy.yaml; change that and compile again, not this file.
#
#   up      puts the policy into force; again and again if you like
#   down    takes all of it away and puts sysctls back
#   status  shows what is there and what is missing (exit status 5)
#
# What it takes of the host's numbers:
#   name              mark/mask              ip rule  table    goes to
#   dns               0x45000000/0x7f000000  10000    7104     dnat port 53
#   web               0x15000000/0x7f000000  10002    7169     dnat port 8080
#   vpn               0x70000000/0x7f000000  10005    7104     replies of connections that came in through it
#   far               0x7d000000/0x7f000000  10008    7169     replies of connections that came in through it
#   nft table inet tpc; ip rules and routes carry protocol 116

stem='policy'
table=tpc
digest=6445fea3700bfd5b
protocol=116
first=10000
last=10010
sysctl_policy='set'
tables='7103 7104 7169'
main_copy=7103
sets='flows.ended_v4 flows.ended_v6 prerouting.th_dport'
dynamic_sets=''
gateways=''
own=''
named='eth0
wg0
eth1'
cgroups=''
time_sets=''

# Masquerade by an interface without an IPv4 address would give packets that of another one.
# `tpc apply` leaves such a route out, and this file does not.
# family, table, destination and metric, and the words for ip
each_route() {
	:
	"$1" 4 7104 'default 0' default dev wg0 table 7104 protocol 116
	"$1" 6 7104 'default 1024' default dev wg0 table 7104 protocol 116
	"$1" 4 7169 '198.51.100.0/24 0' 198.51.100.0/24 via 192.0.2.1 dev eth1 table 7169 protocol 116
}

# family, what tells the rule from others, and the words for ip
each_rule() {
	:
	"$1" 4 '10000 0x45000000/0x7f000000 7104 - -' fwmark 0x45000000/0x7f000000 lookup 7104 priority 10000 protocol 116
	"$1" 6 '10000 0x45000000/0x7f000000 7104 - -' fwmark 0x45000000/0x7f000000 lookup 7104 priority 10000 protocol 116
	"$1" 4 '10001 0x45000000/0x7f000000 blackhole - -' fwmark 0x45000000/0x7f000000 blackhole priority 10001 protocol 116
	"$1" 6 '10001 0x45000000/0x7f000000 blackhole - -' fwmark 0x45000000/0x7f000000 blackhole priority 10001 protocol 116
	"$1" 4 '10002 0x15000000/0x7f000000 254 7 -' fwmark 0x15000000/0x7f000000 lookup main suppress_prefixlength 7 priority 10002 protocol 116
	"$1" 4 '10003 0x15000000/0x7f000000 7169 - -' fwmark 0x15000000/0x7f000000 lookup 7169 priority 10003 protocol 116
	"$1" 4 '10004 0x15000000/0x7f000000 254 - -' fwmark 0x15000000/0x7f000000 lookup main priority 10004 protocol 116
	"$1" 4 '10005 0x70000000/0x7f000000 254 7 -' fwmark 0x70000000/0x7f000000 lookup main suppress_prefixlength 7 priority 10005 protocol 116
	"$1" 6 '10005 0x70000000/0x7f000000 7103 - -' fwmark 0x70000000/0x7f000000 lookup 7103 priority 10005 protocol 116
	"$1" 4 '10006 0x70000000/0x7f000000 7104 - -' fwmark 0x70000000/0x7f000000 lookup 7104 priority 10006 protocol 116
	"$1" 6 '10006 0x70000000/0x7f000000 7104 - -' fwmark 0x70000000/0x7f000000 lookup 7104 priority 10006 protocol 116
	"$1" 4 '10007 0x70000000/0x7f000000 blackhole - -' fwmark 0x70000000/0x7f000000 blackhole priority 10007 protocol 116
	"$1" 6 '10007 0x70000000/0x7f000000 blackhole - -' fwmark 0x70000000/0x7f000000 blackhole priority 10007 protocol 116
	"$1" 4 '10008 0x7d000000/0x7f000000 254 7 -' fwmark 0x7d000000/0x7f000000 lookup main suppress_prefixlength 7 priority 10008 protocol 116
	"$1" 4 '10009 0x7d000000/0x7f000000 7169 - -' fwmark 0x7d000000/0x7f000000 lookup 7169 priority 10009 protocol 116
	"$1" 4 '10010 0x7d000000/0x7f000000 254 - -' fwmark 0x7d000000/0x7f000000 lookup main priority 10010 protocol 116
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
	"$1" 'net.ipv4.conf.wg0.ignore_routes_with_linkdown' '1' each - '' 'the table vpn leaves by this interface, and with 0 its routes stay in use when the interface loses its carrier: nothing takes its place'
	"$1" 'net.ipv4.conf.wg0.rp_filter' '0' each - 'effective - !0' 'the table vpn leaves by this interface, and a reverse-path filter drops the replies: a strict one (1) where the main table leaves by another, a loose one (2) where the main table has no route to their source, as when its only default route is gone'
	"$1" 'net.ipv6.conf.wg0.ignore_routes_with_linkdown' '1' each - '' 'the table vpn leaves by this interface, and with 0 its routes stay in use when the interface loses its carrier: nothing takes its place'
	"$1" 'net.ipv4.conf.*.rp_filter' '2' each - 'effective - 1
effective net.ipv4.conf.*.src_valid_mark 1' 'the table vpn takes packets that come in here, and a strict reverse-path filter that looks at marks (src_valid_mark) drops them'
	"$1" 'net.ipv4.ip_forward' '1' each 10.99.0.53 'is_local 10.99.0.53 0' 'the listener dns is on another host, and without this nothing is forwarded there'
	"$1" 'net.ipv6.conf.*.accept_ra' '2' advertised - 'own_value - 1' 'dns needs IPv6 forwarding, and a host that forwards forgets the routes that routers advertise, its default route among them, unless this is 2'
	"$1" 'net.ipv6.conf.all.forwarding' '1' each fd00:99::53 'is_local fd00:99::53 0' 'the listener dns is on another host, and without this nothing is forwarded there'
	"$1" 'net.ipv4.conf.eth1.ignore_routes_with_linkdown' '1' each - '' 'the table far leaves by this interface, and with 0 its routes stay in use when the interface loses its carrier: nothing takes its place'
	"$1" 'net.ipv4.conf.eth1.rp_filter' '0' each - 'effective - !0' 'the table far leaves by this interface, and a reverse-path filter drops the replies: a strict one (1) where the main table leaves by another, a loose one (2) where the main table has no route to their source, as when its only default route is gone'
	"$1" 'net.ipv4.ip_forward' '1' each 198.51.100.80 'is_local 198.51.100.80 0' 'the listener web is on another host, and without this nothing is forwarded there'
}

# compiler/emit/script.sh follows.
