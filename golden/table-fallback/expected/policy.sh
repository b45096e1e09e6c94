#!/bin/sh
# policy.sh: written by tpc from policy.yaml; change that and compile again, not this file.
#
#   up      puts the policy into force; again and again if you like
#   down    takes all of it away and puts sysctls back
#   status  shows what is there and what is missing (exit status 5)
#
# What it takes of the host's numbers:
#   name              mark/mask              ip rule  table    goes to
#   soft              0x3f000000/0x7f000000  10000    7188     the table's routes
#   told              0x71000000/0x7f000000  10002    7141     the table's routes
#   forbidden         0x06000000/0x7f000000  10004    7145     the table's routes
#   silent            0x25000000/0x7f000000  10006    7177     the table's routes
#   soft              0x1e000000/0x7f000000  10008    7188     replies of connections that came in through it
#   told              0x6d000000/0x7f000000  10011    7141     replies of connections that came in through it
#   forbidden         0x58000000/0x7f000000  10014    7145     replies of connections that came in through it
#   silent            0x7b000000/0x7f000000  10017    7177     replies of connections that came in through it
#   soft              0x4e000000/0x7f000000  10020    7188     the table's routes, for what comes in by an uplink or is translated
#   told              0x2d000000/0x7f000000  10023    7141     the table's routes, for what comes in by an uplink or is translated
#   forbidden         0x08000000/0x7f000000  10026    7145     the table's routes, for what comes in by an uplink or is translated
#   silent            0x40000000/0x7f000000  10029    7177     the table's routes, for what comes in by an uplink or is translated
#   nft table inet tpc; ip rules and routes carry protocol 116

stem='policy'
table=tpc
digest=142467eda639cd09
protocol=116
first=10000
last=10031
sysctl_policy='set'
tables='7103 7141 7145 7177 7188'
main_copy=7103
sets='flows.ended_v4 flows.ended_v6 prerouting.ip_daddr'
dynamic_sets=''
gateways=''
own=''
named='wg0
wg1
wg2
wg3'
cgroups=''
time_sets=''

# family, table, destination and metric, and the words for ip
each_route() {
	:
	"$1" 4 7188 'default 0' default dev wg0 table 7188 protocol 116
	"$1" 6 7188 'default 1024' default dev wg0 table 7188 protocol 116
	"$1" 4 7141 'default 0' default dev wg1 table 7141 protocol 116
	"$1" 6 7141 'default 1024' default dev wg1 table 7141 protocol 116
	"$1" 4 7145 'default 0' default dev wg2 table 7145 protocol 116
	"$1" 6 7145 'default 1024' default dev wg2 table 7145 protocol 116
	"$1" 4 7177 'default 0' default dev wg3 table 7177 protocol 116
	"$1" 6 7177 'default 1024' default dev wg3 table 7177 protocol 116
}

# family, what tells the rule from others, and the words for ip
each_rule() {
	:
	"$1" 4 '10000 0x3f000000/0x7f000000 7188 - -' fwmark 0x3f000000/0x7f000000 lookup 7188 priority 10000 protocol 116
	"$1" 4 '10001 0x3f000000/0x7f000000 254 - -' fwmark 0x3f000000/0x7f000000 lookup main priority 10001 protocol 116
	"$1" 4 '10002 0x71000000/0x7f000000 7141 - -' fwmark 0x71000000/0x7f000000 lookup 7141 priority 10002 protocol 116
	"$1" 4 '10003 0x71000000/0x7f000000 unreachable - -' fwmark 0x71000000/0x7f000000 unreachable priority 10003 protocol 116
	"$1" 4 '10004 0x6000000/0x7f000000 7145 - -' fwmark 0x6000000/0x7f000000 lookup 7145 priority 10004 protocol 116
	"$1" 4 '10005 0x6000000/0x7f000000 prohibit - -' fwmark 0x6000000/0x7f000000 prohibit priority 10005 protocol 116
	"$1" 4 '10006 0x25000000/0x7f000000 7177 - -' fwmark 0x25000000/0x7f000000 lookup 7177 priority 10006 protocol 116
	"$1" 6 '10006 0x25000000/0x7f000000 7177 - -' fwmark 0x25000000/0x7f000000 lookup 7177 priority 10006 protocol 116
	"$1" 4 '10007 0x25000000/0x7f000000 blackhole - -' fwmark 0x25000000/0x7f000000 blackhole priority 10007 protocol 116
	"$1" 6 '10007 0x25000000/0x7f000000 blackhole - -' fwmark 0x25000000/0x7f000000 blackhole priority 10007 protocol 116
	"$1" 4 '10008 0x1e000000/0x7f000000 254 7 -' fwmark 0x1e000000/0x7f000000 lookup main suppress_prefixlength 7 priority 10008 protocol 116
	"$1" 6 '10008 0x1e000000/0x7f000000 7103 - -' fwmark 0x1e000000/0x7f000000 lookup 7103 priority 10008 protocol 116
	"$1" 4 '10009 0x1e000000/0x7f000000 7188 - -' fwmark 0x1e000000/0x7f000000 lookup 7188 priority 10009 protocol 116
	"$1" 6 '10009 0x1e000000/0x7f000000 7188 - -' fwmark 0x1e000000/0x7f000000 lookup 7188 priority 10009 protocol 116
	"$1" 4 '10010 0x1e000000/0x7f000000 254 - -' fwmark 0x1e000000/0x7f000000 lookup main priority 10010 protocol 116
	"$1" 6 '10010 0x1e000000/0x7f000000 254 - -' fwmark 0x1e000000/0x7f000000 lookup main priority 10010 protocol 116
	"$1" 4 '10011 0x6d000000/0x7f000000 254 7 -' fwmark 0x6d000000/0x7f000000 lookup main suppress_prefixlength 7 priority 10011 protocol 116
	"$1" 6 '10011 0x6d000000/0x7f000000 7103 - -' fwmark 0x6d000000/0x7f000000 lookup 7103 priority 10011 protocol 116
	"$1" 4 '10012 0x6d000000/0x7f000000 7141 - -' fwmark 0x6d000000/0x7f000000 lookup 7141 priority 10012 protocol 116
	"$1" 6 '10012 0x6d000000/0x7f000000 7141 - -' fwmark 0x6d000000/0x7f000000 lookup 7141 priority 10012 protocol 116
	"$1" 4 '10013 0x6d000000/0x7f000000 unreachable - -' fwmark 0x6d000000/0x7f000000 unreachable priority 10013 protocol 116
	"$1" 6 '10013 0x6d000000/0x7f000000 unreachable - -' fwmark 0x6d000000/0x7f000000 unreachable priority 10013 protocol 116
	"$1" 4 '10014 0x58000000/0x7f000000 254 7 -' fwmark 0x58000000/0x7f000000 lookup main suppress_prefixlength 7 priority 10014 protocol 116
	"$1" 6 '10014 0x58000000/0x7f000000 7103 - -' fwmark 0x58000000/0x7f000000 lookup 7103 priority 10014 protocol 116
	"$1" 4 '10015 0x58000000/0x7f000000 7145 - -' fwmark 0x58000000/0x7f000000 lookup 7145 priority 10015 protocol 116
	"$1" 6 '10015 0x58000000/0x7f000000 7145 - -' fwmark 0x58000000/0x7f000000 lookup 7145 priority 10015 protocol 116
	"$1" 4 '10016 0x58000000/0x7f000000 prohibit - -' fwmark 0x58000000/0x7f000000 prohibit priority 10016 protocol 116
	"$1" 6 '10016 0x58000000/0x7f000000 prohibit - -' fwmark 0x58000000/0x7f000000 prohibit priority 10016 protocol 116
	"$1" 4 '10017 0x7b000000/0x7f000000 254 7 -' fwmark 0x7b000000/0x7f000000 lookup main suppress_prefixlength 7 priority 10017 protocol 116
	"$1" 6 '10017 0x7b000000/0x7f000000 7103 - -' fwmark 0x7b000000/0x7f000000 lookup 7103 priority 10017 protocol 116
	"$1" 4 '10018 0x7b000000/0x7f000000 7177 - -' fwmark 0x7b000000/0x7f000000 lookup 7177 priority 10018 protocol 116
	"$1" 6 '10018 0x7b000000/0x7f000000 7177 - -' fwmark 0x7b000000/0x7f000000 lookup 7177 priority 10018 protocol 116
	"$1" 4 '10019 0x7b000000/0x7f000000 blackhole - -' fwmark 0x7b000000/0x7f000000 blackhole priority 10019 protocol 116
	"$1" 6 '10019 0x7b000000/0x7f000000 blackhole - -' fwmark 0x7b000000/0x7f000000 blackhole priority 10019 protocol 116
	"$1" 4 '10020 0x4e000000/0x7f000000 254 7 -' fwmark 0x4e000000/0x7f000000 lookup main suppress_prefixlength 7 priority 10020 protocol 116
	"$1" 4 '10021 0x4e000000/0x7f000000 7188 - -' fwmark 0x4e000000/0x7f000000 lookup 7188 priority 10021 protocol 116
	"$1" 4 '10022 0x4e000000/0x7f000000 254 - -' fwmark 0x4e000000/0x7f000000 lookup main priority 10022 protocol 116
	"$1" 4 '10023 0x2d000000/0x7f000000 254 7 -' fwmark 0x2d000000/0x7f000000 lookup main suppress_prefixlength 7 priority 10023 protocol 116
	"$1" 4 '10024 0x2d000000/0x7f000000 7141 - -' fwmark 0x2d000000/0x7f000000 lookup 7141 priority 10024 protocol 116
	"$1" 4 '10025 0x2d000000/0x7f000000 unreachable - -' fwmark 0x2d000000/0x7f000000 unreachable priority 10025 protocol 116
	"$1" 4 '10026 0x8000000/0x7f000000 254 7 -' fwmark 0x8000000/0x7f000000 lookup main suppress_prefixlength 7 priority 10026 protocol 116
	"$1" 4 '10027 0x8000000/0x7f000000 7145 - -' fwmark 0x8000000/0x7f000000 lookup 7145 priority 10027 protocol 116
	"$1" 4 '10028 0x8000000/0x7f000000 prohibit - -' fwmark 0x8000000/0x7f000000 prohibit priority 10028 protocol 116
	"$1" 4 '10029 0x40000000/0x7f000000 254 7 -' fwmark 0x40000000/0x7f000000 lookup main suppress_prefixlength 7 priority 10029 protocol 116
	"$1" 6 '10029 0x40000000/0x7f000000 7103 - -' fwmark 0x40000000/0x7f000000 lookup 7103 priority 10029 protocol 116
	"$1" 4 '10030 0x40000000/0x7f000000 7177 - -' fwmark 0x40000000/0x7f000000 lookup 7177 priority 10030 protocol 116
	"$1" 6 '10030 0x40000000/0x7f000000 7177 - -' fwmark 0x40000000/0x7f000000 lookup 7177 priority 10030 protocol 116
	"$1" 4 '10031 0x40000000/0x7f000000 blackhole - -' fwmark 0x40000000/0x7f000000 blackhole priority 10031 protocol 116
	"$1" 6 '10031 0x40000000/0x7f000000 blackhole - -' fwmark 0x40000000/0x7f000000 blackhole priority 10031 protocol 116
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
	"$1" 'net.ipv4.conf.wg0.ignore_routes_with_linkdown' '1' each - '' 'the table soft leaves by this interface, and with 0 its routes stay in use when the interface loses its carrier: nothing takes its place'
	"$1" 'net.ipv4.conf.wg0.rp_filter' '0' each - 'effective - !0' 'the table soft leaves by this interface, and a reverse-path filter drops the replies: a strict one (1) where the main table leaves by another, a loose one (2) where the main table has no route to their source, as when its only default route is gone'
	"$1" 'net.ipv4.ip_forward' '1' each - '' 'the table soft takes forwarded packets, and without this the host forwards no IPv4'
	"$1" 'net.ipv4.conf.*.rp_filter' '2' each - 'effective - 1
effective net.ipv4.conf.*.src_valid_mark 1' 'the table soft takes packets that come in here, and a strict reverse-path filter that looks at marks (src_valid_mark) drops them'
	"$1" 'net.ipv4.conf.wg1.ignore_routes_with_linkdown' '1' each - '' 'the table told leaves by this interface, and with 0 its routes stay in use when the interface loses its carrier: nothing takes its place'
	"$1" 'net.ipv4.conf.wg1.rp_filter' '0' each - 'effective - !0' 'the table told leaves by this interface, and a reverse-path filter drops the replies: a strict one (1) where the main table leaves by another, a loose one (2) where the main table has no route to their source, as when its only default route is gone'
	"$1" 'net.ipv4.conf.wg2.ignore_routes_with_linkdown' '1' each - '' 'the table forbidden leaves by this interface, and with 0 its routes stay in use when the interface loses its carrier: nothing takes its place'
	"$1" 'net.ipv4.conf.wg2.rp_filter' '0' each - 'effective - !0' 'the table forbidden leaves by this interface, and a reverse-path filter drops the replies: a strict one (1) where the main table leaves by another, a loose one (2) where the main table has no route to their source, as when its only default route is gone'
	"$1" 'net.ipv4.conf.wg3.ignore_routes_with_linkdown' '1' each - '' 'the table silent leaves by this interface, and with 0 its routes stay in use when the interface loses its carrier: nothing takes its place'
	"$1" 'net.ipv4.conf.wg3.rp_filter' '0' each - 'effective - !0' 'the table silent leaves by this interface, and a reverse-path filter drops the replies: a strict one (1) where the main table leaves by another, a loose one (2) where the main table has no route to their source, as when its only default route is gone'
	"$1" 'net.ipv6.conf.wg3.ignore_routes_with_linkdown' '1' each - '' 'the table silent leaves by this interface, and with 0 its routes stay in use when the interface loses its carrier: nothing takes its place'
	"$1" 'net.ipv6.conf.*.accept_ra' '2' advertised - 'own_value - 1' 'silent needs IPv6 forwarding, and a host that forwards forgets the routes that routers advertise, its default route among them, unless this is 2'
	"$1" 'net.ipv6.conf.all.forwarding' '1' each - '' 'the table silent takes forwarded packets, and without this the host forwards no IPv6'
	"$1" 'net.ipv6.conf.wg0.ignore_routes_with_linkdown' '1' each - '' 'the table soft leaves by this interface, and with 0 its routes stay in use when the interface loses its carrier: nothing takes its place'
	"$1" 'net.ipv6.conf.wg1.ignore_routes_with_linkdown' '1' each - '' 'the table told leaves by this interface, and with 0 its routes stay in use when the interface loses its carrier: nothing takes its place'
	"$1" 'net.ipv6.conf.wg2.ignore_routes_with_linkdown' '1' each - '' 'the table forbidden leaves by this interface, and with 0 its routes stay in use when the interface loses its carrier: nothing takes its place'
}

# compiler/emit/script.sh follows.
