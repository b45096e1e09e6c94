#!/bin/sh
# policy.sh: written by tpc from policy.yaml; change that and compile again, not this file.
#
#   up      puts the policy into force; again and again if you like
#   down    takes all of it away and puts sysctls back
#   status  shows what is there and what is missing (exit status 5)
#
# What it takes of the host's numbers:
#   name              mark/mask              ip rule  table    goes to
#   a                 0x00000100/0x0000ff00  500      300      tproxy port 1001
#   b                 0x00000200/0x0000ff00  -        -        redirect port 1002
#   c                 0x00000300/0x0000ff00  502      390      the table's routes
#   c                 0x00000400/0x0000ff00  504      390      replies of connections that came in through it
#   c                 0x00000500/0x0000ff00  507      390      the table's routes, for what comes in by an uplink or is translated
#   nft table inet tpc_office-2; ip rules and routes carry protocol 200

stem='policy'
table=tpc_office-2
digest=a896bfa20854e7f9
protocol=200
first=500
last=509
sysctl_policy='set'
tables='300 368 390'
main_copy=368
sets='flows.ended_v4 flows.ended_v6 prerouting.th_dport'
dynamic_sets=''
gateways=''
own=''
named='lo
wg0'
cgroups=''
time_sets=''

# Masquerade by an interface without an IPv4 address would give packets that of another one.
# `tpc apply` leaves such a route out, and this file does not.
# family, table, destination and metric, and the words for ip
each_route() {
	:
	"$1" 4 300 'default 0' local default dev lo table 300 protocol 200
	"$1" 6 300 'default 1024' local default dev lo table 300 protocol 200
	"$1" 4 390 'default 0' default dev wg0 table 390 protocol 200
	"$1" 6 390 'default 1024' default dev wg0 table 390 protocol 200
}

# family, what tells the rule from others, and the words for ip
each_rule() {
	:
	"$1" 4 '500 0x100/0xff00 300 - -' fwmark 0x100/0xff00 lookup 300 priority 500 protocol 200
	"$1" 6 '500 0x100/0xff00 300 - -' fwmark 0x100/0xff00 lookup 300 priority 500 protocol 200
	"$1" 4 '501 0x100/0xff00 unreachable - -' fwmark 0x100/0xff00 unreachable priority 501 protocol 200
	"$1" 6 '501 0x100/0xff00 unreachable - -' fwmark 0x100/0xff00 unreachable priority 501 protocol 200
	"$1" 4 '502 0x300/0xff00 390 - -' fwmark 0x300/0xff00 lookup 390 priority 502 protocol 200
	"$1" 6 '502 0x300/0xff00 390 - -' fwmark 0x300/0xff00 lookup 390 priority 502 protocol 200
	"$1" 4 '503 0x300/0xff00 blackhole - -' fwmark 0x300/0xff00 blackhole priority 503 protocol 200
	"$1" 6 '503 0x300/0xff00 blackhole - -' fwmark 0x300/0xff00 blackhole priority 503 protocol 200
	"$1" 4 '504 0x400/0xff00 254 7 -' fwmark 0x400/0xff00 lookup main suppress_prefixlength 7 priority 504 protocol 200
	"$1" 6 '504 0x400/0xff00 368 - -' fwmark 0x400/0xff00 lookup 368 priority 504 protocol 200
	"$1" 4 '505 0x400/0xff00 390 - -' fwmark 0x400/0xff00 lookup 390 priority 505 protocol 200
	"$1" 6 '505 0x400/0xff00 390 - -' fwmark 0x400/0xff00 lookup 390 priority 505 protocol 200
	"$1" 4 '506 0x400/0xff00 blackhole - -' fwmark 0x400/0xff00 blackhole priority 506 protocol 200
	"$1" 6 '506 0x400/0xff00 blackhole - -' fwmark 0x400/0xff00 blackhole priority 506 protocol 200
	"$1" 4 '507 0x500/0xff00 254 7 -' fwmark 0x500/0xff00 lookup main suppress_prefixlength 7 priority 507 protocol 200
	"$1" 6 '507 0x500/0xff00 368 - -' fwmark 0x500/0xff00 lookup 368 priority 507 protocol 200
	"$1" 4 '508 0x500/0xff00 390 - -' fwmark 0x500/0xff00 lookup 390 priority 508 protocol 200
	"$1" 6 '508 0x500/0xff00 390 - -' fwmark 0x500/0xff00 lookup 390 priority 508 protocol 200
	"$1" 4 '509 0x500/0xff00 blackhole - -' fwmark 0x500/0xff00 blackhole priority 509 protocol 200
	"$1" 6 '509 0x500/0xff00 blackhole - -' fwmark 0x500/0xff00 blackhole priority 509 protocol 200
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
	"$1" 'net.ipv4.conf.all.src_valid_mark' '0' each - '' 'the listener a takes packets from outside by tproxy, and with 1 the kernel'\''s reverse-path lookup uses the mark, finds this host, and drops the packet'
	"$1" 'net.ipv4.conf.*.src_valid_mark' '0' each - '' 'the listener a takes what comes from outside by tproxy, and the kernel drops it where an interface'\''s own is 1'
	"$1" 'net.bridge.bridge-nf-call-iptables' '0' each - 'has_bridge - 1' 'the listener a takes forwarded packets by tproxy, and with 1 (br_netfilter, for Docker) what comes by a bridge loses its listener; foreign rules for packets within one bridge, such as between containers, need 1'
	"$1" 'net.bridge.bridge-nf-call-ip6tables' '0' each - 'has_bridge - 1' 'the listener a takes forwarded packets by tproxy, and with 1 (br_netfilter, for Docker) what comes by a bridge loses its listener; foreign rules for packets within one bridge, such as between containers, need 1'
	"$1" 'net.ipv4.conf.wg0.ignore_routes_with_linkdown' '1' each - '' 'the table c leaves by this interface, and with 0 its routes stay in use when the interface loses its carrier: nothing takes its place'
	"$1" 'net.ipv4.conf.wg0.rp_filter' '0' each - 'effective - !0' 'the table c leaves by this interface, and a reverse-path filter drops the replies: a strict one (1) where the main table leaves by another, a loose one (2) where the main table has no route to their source, as when its only default route is gone'
	"$1" 'net.ipv6.conf.wg0.ignore_routes_with_linkdown' '1' each - '' 'the table c leaves by this interface, and with 0 its routes stay in use when the interface loses its carrier: nothing takes its place'
	"$1" 'net.ipv4.ip_forward' '1' each - '' 'the table c takes forwarded packets, and without this the host forwards no IPv4'
	"$1" 'net.ipv6.conf.*.accept_ra' '2' advertised - 'own_value - 1' 'c needs IPv6 forwarding, and a host that forwards forgets the routes that routers advertise, its default route among them, unless this is 2'
	"$1" 'net.ipv6.conf.all.forwarding' '1' each - '' 'the table c takes forwarded packets, and without this the host forwards no IPv6'
	"$1" 'net.ipv4.conf.*.rp_filter' '2' each - 'effective - 1
effective net.ipv4.conf.*.src_valid_mark 1' 'the table c takes packets that come in here, and a strict reverse-path filter that looks at marks (src_valid_mark) drops them'
}

# compiler/emit/script.sh follows.
