#!/bin/sh
# policy.sh: written by tpc from policy.yaml; change that and compile again, not this file.
#
#   up      puts the policy into force; again and again if you like
#   down    takes all of it away and puts sysctls back
#   status  shows what is there and what is missing (exit status 5)
#
# What it takes of the host's numbers:
#   name              mark/mask              ip rule  table    goes to
#   masked            0x1b000000/0x7f000000  10000    7117     the table's routes
#   fixed             0x4e000000/0x7f000000  10002    7122     the table's routes
#   fixed_four        0x30000000/0x7f000000  10004    7199     the table's routes
#   masked            0x68000000/0x7f000000  10006    7117     replies of connections that came in through it
#   fixed             0x43000000/0x7f000000  10009    7122     replies of connections that came in through it
#   fixed_four        0x2f000000/0x7f000000  10012    7199     replies of connections that came in through it
#   masked            0x45000000/0x7f000000  10015    7117     the table's routes, for what comes in by an uplink or is translated
#   fixed             0x3c000000/0x7f000000  10018    7122     the table's routes, for what comes in by an uplink or is translated
#   fixed_four        0x06000000/0x7f000000  10021    7199     the table's routes, for what comes in by an uplink or is translated
#   nft table inet tpc; ip rules and routes carry protocol 116

stem='policy'
table=tpc
digest=bc9514a15eb9d056
protocol=116
first=10000
last=10023
sysctl_policy='set'
tables='7103 7117 7122 7199'
main_copy=7103
sets='gateways.fixed gateways.main flows.ended_v4 flows.ended_v6 prerouting.ip_daddr prerouting.ip6_daddr output.ip_daddr'
dynamic_sets=''
gateways='gateways.fixed eth1 192.0.2.1
gateways.fixed eth1 2001:db8::1
gateways.main eth1 main'
own=''
named='wg0
eth2
eth1'
cgroups=''
time_sets=''

# Masquerade by an interface without an IPv4 address would give packets that of another one.
# `tpc apply` leaves such a route out, and this file does not.
# family, table, destination and metric, and the words for ip
each_route() {
	:
	"$1" 4 7117 'default 0' default dev wg0 table 7117 protocol 116
	"$1" 6 7117 'default 1024' default dev wg0 table 7117 protocol 116
	"$1" 4 7199 'default 0' default dev eth2 table 7199 protocol 116
	"$1" 6 7199 'default 1024' default dev eth2 table 7199 protocol 116
	"$1" 4 7122 'default 0' default via 192.0.2.1 dev eth1 table 7122 protocol 116
	"$1" 6 7122 'default 1024' default via 2001:db8::1 dev eth1 table 7122 protocol 116
}

# family, what tells the rule from others, and the words for ip
each_rule() {
	:
	"$1" 4 '10000 0x1b000000/0x7f000000 7117 - -' fwmark 0x1b000000/0x7f000000 lookup 7117 priority 10000 protocol 116
	"$1" 4 '10001 0x1b000000/0x7f000000 254 - -' fwmark 0x1b000000/0x7f000000 lookup main priority 10001 protocol 116
	"$1" 4 '10002 0x4e000000/0x7f000000 7122 - -' fwmark 0x4e000000/0x7f000000 lookup 7122 priority 10002 protocol 116
	"$1" 6 '10002 0x4e000000/0x7f000000 7122 - -' fwmark 0x4e000000/0x7f000000 lookup 7122 priority 10002 protocol 116
	"$1" 4 '10003 0x4e000000/0x7f000000 254 - -' fwmark 0x4e000000/0x7f000000 lookup main priority 10003 protocol 116
	"$1" 6 '10003 0x4e000000/0x7f000000 254 - -' fwmark 0x4e000000/0x7f000000 lookup main priority 10003 protocol 116
	"$1" 4 '10004 0x30000000/0x7f000000 7199 - -' fwmark 0x30000000/0x7f000000 lookup 7199 priority 10004 protocol 116
	"$1" 6 '10004 0x30000000/0x7f000000 7199 - -' fwmark 0x30000000/0x7f000000 lookup 7199 priority 10004 protocol 116
	"$1" 4 '10005 0x30000000/0x7f000000 254 - -' fwmark 0x30000000/0x7f000000 lookup main priority 10005 protocol 116
	"$1" 6 '10005 0x30000000/0x7f000000 254 - -' fwmark 0x30000000/0x7f000000 lookup main priority 10005 protocol 116
	"$1" 4 '10006 0x68000000/0x7f000000 254 7 -' fwmark 0x68000000/0x7f000000 lookup main suppress_prefixlength 7 priority 10006 protocol 116
	"$1" 6 '10006 0x68000000/0x7f000000 7103 - -' fwmark 0x68000000/0x7f000000 lookup 7103 priority 10006 protocol 116
	"$1" 4 '10007 0x68000000/0x7f000000 7117 - -' fwmark 0x68000000/0x7f000000 lookup 7117 priority 10007 protocol 116
	"$1" 6 '10007 0x68000000/0x7f000000 7117 - -' fwmark 0x68000000/0x7f000000 lookup 7117 priority 10007 protocol 116
	"$1" 4 '10008 0x68000000/0x7f000000 254 - -' fwmark 0x68000000/0x7f000000 lookup main priority 10008 protocol 116
	"$1" 6 '10008 0x68000000/0x7f000000 254 - -' fwmark 0x68000000/0x7f000000 lookup main priority 10008 protocol 116
	"$1" 4 '10009 0x43000000/0x7f000000 254 7 -' fwmark 0x43000000/0x7f000000 lookup main suppress_prefixlength 7 priority 10009 protocol 116
	"$1" 6 '10009 0x43000000/0x7f000000 7103 - -' fwmark 0x43000000/0x7f000000 lookup 7103 priority 10009 protocol 116
	"$1" 4 '10010 0x43000000/0x7f000000 7122 - -' fwmark 0x43000000/0x7f000000 lookup 7122 priority 10010 protocol 116
	"$1" 6 '10010 0x43000000/0x7f000000 7122 - -' fwmark 0x43000000/0x7f000000 lookup 7122 priority 10010 protocol 116
	"$1" 4 '10011 0x43000000/0x7f000000 254 - -' fwmark 0x43000000/0x7f000000 lookup main priority 10011 protocol 116
	"$1" 6 '10011 0x43000000/0x7f000000 254 - -' fwmark 0x43000000/0x7f000000 lookup main priority 10011 protocol 116
	"$1" 4 '10012 0x2f000000/0x7f000000 254 7 -' fwmark 0x2f000000/0x7f000000 lookup main suppress_prefixlength 7 priority 10012 protocol 116
	"$1" 6 '10012 0x2f000000/0x7f000000 7103 - -' fwmark 0x2f000000/0x7f000000 lookup 7103 priority 10012 protocol 116
	"$1" 4 '10013 0x2f000000/0x7f000000 7199 - -' fwmark 0x2f000000/0x7f000000 lookup 7199 priority 10013 protocol 116
	"$1" 6 '10013 0x2f000000/0x7f000000 7199 - -' fwmark 0x2f000000/0x7f000000 lookup 7199 priority 10013 protocol 116
	"$1" 4 '10014 0x2f000000/0x7f000000 254 - -' fwmark 0x2f000000/0x7f000000 lookup main priority 10014 protocol 116
	"$1" 6 '10014 0x2f000000/0x7f000000 254 - -' fwmark 0x2f000000/0x7f000000 lookup main priority 10014 protocol 116
	"$1" 4 '10015 0x45000000/0x7f000000 254 7 -' fwmark 0x45000000/0x7f000000 lookup main suppress_prefixlength 7 priority 10015 protocol 116
	"$1" 4 '10016 0x45000000/0x7f000000 7117 - -' fwmark 0x45000000/0x7f000000 lookup 7117 priority 10016 protocol 116
	"$1" 4 '10017 0x45000000/0x7f000000 254 - -' fwmark 0x45000000/0x7f000000 lookup main priority 10017 protocol 116
	"$1" 4 '10018 0x3c000000/0x7f000000 254 7 -' fwmark 0x3c000000/0x7f000000 lookup main suppress_prefixlength 7 priority 10018 protocol 116
	"$1" 6 '10018 0x3c000000/0x7f000000 7103 - -' fwmark 0x3c000000/0x7f000000 lookup 7103 priority 10018 protocol 116
	"$1" 4 '10019 0x3c000000/0x7f000000 7122 - -' fwmark 0x3c000000/0x7f000000 lookup 7122 priority 10019 protocol 116
	"$1" 6 '10019 0x3c000000/0x7f000000 7122 - -' fwmark 0x3c000000/0x7f000000 lookup 7122 priority 10019 protocol 116
	"$1" 4 '10020 0x3c000000/0x7f000000 254 - -' fwmark 0x3c000000/0x7f000000 lookup main priority 10020 protocol 116
	"$1" 6 '10020 0x3c000000/0x7f000000 254 - -' fwmark 0x3c000000/0x7f000000 lookup main priority 10020 protocol 116
	"$1" 4 '10021 0x6000000/0x7f000000 254 7 -' fwmark 0x6000000/0x7f000000 lookup main suppress_prefixlength 7 priority 10021 protocol 116
	"$1" 6 '10021 0x6000000/0x7f000000 7103 - -' fwmark 0x6000000/0x7f000000 lookup 7103 priority 10021 protocol 116
	"$1" 4 '10022 0x6000000/0x7f000000 7199 - -' fwmark 0x6000000/0x7f000000 lookup 7199 priority 10022 protocol 116
	"$1" 6 '10022 0x6000000/0x7f000000 7199 - -' fwmark 0x6000000/0x7f000000 lookup 7199 priority 10022 protocol 116
	"$1" 4 '10023 0x6000000/0x7f000000 254 - -' fwmark 0x6000000/0x7f000000 lookup main priority 10023 protocol 116
	"$1" 6 '10023 0x6000000/0x7f000000 254 - -' fwmark 0x6000000/0x7f000000 lookup main priority 10023 protocol 116
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
	"$1" 'net.ipv4.conf.wg0.ignore_routes_with_linkdown' '1' each - '' 'the table masked leaves by this interface, and with 0 its routes stay in use when the interface loses its carrier: nothing takes its place'
	"$1" 'net.ipv4.conf.wg0.rp_filter' '0' each - 'effective - !0' 'the table masked leaves by this interface, and a reverse-path filter drops the replies: a strict one (1) where the main table leaves by another, a loose one (2) where the main table has no route to their source, as when its only default route is gone'
	"$1" 'net.ipv4.ip_forward' '1' each - '' 'the table masked takes forwarded packets, and without this the host forwards no IPv4'
	"$1" 'net.ipv4.conf.*.rp_filter' '2' each - 'effective - 1
effective net.ipv4.conf.*.src_valid_mark 1' 'the table masked takes packets that come in here, and a strict reverse-path filter that looks at marks (src_valid_mark) drops them'
	"$1" 'net.ipv4.conf.eth1.ignore_routes_with_linkdown' '1' each - '' 'the table fixed leaves by this interface, and with 0 its routes stay in use when the interface loses its carrier: nothing takes its place'
	"$1" 'net.ipv4.conf.eth1.rp_filter' '0' each - 'effective - !0' 'the table fixed leaves by this interface, and a reverse-path filter drops the replies: a strict one (1) where the main table leaves by another, a loose one (2) where the main table has no route to their source, as when its only default route is gone'
	"$1" 'net.ipv6.conf.eth1.ignore_routes_with_linkdown' '1' each - '' 'the table fixed leaves by this interface, and with 0 its routes stay in use when the interface loses its carrier: nothing takes its place'
	"$1" 'net.ipv4.conf.eth1.send_redirects' '0' each - 'effective - !0' 'the table fixed may send packets out through the interface they came in on, and an ICMP redirect would make their sender bypass this host'
	"$1" 'net.ipv6.conf.*.accept_ra' '2' advertised - 'own_value - 1' 'fixed needs IPv6 forwarding, and a host that forwards forgets the routes that routers advertise, its default route among them, unless this is 2'
	"$1" 'net.ipv6.conf.all.forwarding' '1' each - '' 'the table fixed takes forwarded packets, and without this the host forwards no IPv6'
	"$1" 'net.ipv4.conf.eth2.ignore_routes_with_linkdown' '1' each - '' 'the table fixed_four leaves by this interface, and with 0 its routes stay in use when the interface loses its carrier: nothing takes its place'
	"$1" 'net.ipv4.conf.eth2.rp_filter' '0' each - 'effective - !0' 'the table fixed_four leaves by this interface, and a reverse-path filter drops the replies: a strict one (1) where the main table leaves by another, a loose one (2) where the main table has no route to their source, as when its only default route is gone'
	"$1" 'net.ipv6.conf.eth2.ignore_routes_with_linkdown' '1' each - '' 'the table fixed_four leaves by this interface, and with 0 its routes stay in use when the interface loses its carrier: nothing takes its place'
	"$1" 'net.ipv6.conf.wg0.ignore_routes_with_linkdown' '1' each - '' 'the table masked leaves by this interface, and with 0 its routes stay in use when the interface loses its carrier: nothing takes its place'
}

# compiler/emit/script.sh follows.
