#!/bin/sh
# policy.sh: written by tpc from policy.yaml; change that and compile again, not this file.
#
#   up      puts the policy into force; again and again if you like
#   down    takes all of it away and puts sysctls back
#   status  shows what is there and what is missing (exit status 5)
#
# What it takes of the host's numbers:
#   name              mark/mask              ip rule  table    goes to
#   one               0x25000000/0x7f000000  10000    7104     the table's routes
#   two               0x26000000/0x7f000000  10002    7106     the table's routes
#   six               0x1e000000/0x7f000000  10004    7140     the table's routes
#   one.two.unreachable  0x46000000/0x7f000000  10006    -        the table's routes
#   one               0x56000000/0x7f000000  10009    7104     replies of connections that came in through it
#   two               0x1f000000/0x7f000000  10012    7106     replies of connections that came in through it
#   six               0x70000000/0x7f000000  10015    7140     replies of connections that came in through it
#   one               0x07000000/0x7f000000  10018    7104     the table's routes, for what comes in by an uplink or is translated
#   one.two.unreachable  0x39000000/0x7f000000  10021    -        the table's routes, for what comes in by an uplink or is translated
#   two               0x3b000000/0x7f000000  10026    7106     the table's routes, for what comes in by an uplink or is translated
#   six               0x50000000/0x7f000000  10029    7140     the table's routes, for what comes in by an uplink or is translated
#   one.two.unreachable/two  0x1c000000/0x7f000000  10032    -        the table's routes, two first: connections that it has taken
#   direct            0x32000000/0x7f000000  -        -        what is left alone, where unmarked packets are refused
#   nft table inet tpc; ip rules and routes carry protocol 116

stem='policy'
table=tpc
digest=5f6a187722df44de
protocol=116
first=10000
last=10037
sysctl_policy='set'
tables='7103 7104 7106 7140'
main_copy=7103
sets='gateways.one gateways.main flows.ended_v4 flows.ended_v6'
dynamic_sets=''
gateways='gateways.one wan0 192.0.2.1
gateways.one wan0 2001:db8:1::1
gateways.main wan0 main'
own=''
named='lan0
lan1
wan1
wan2
wan0'
cgroups=''
time_sets=''

# Masquerade by an interface without an IPv4 address would give packets that of another one.
# `tpc apply` leaves such a route out, and this file does not.
# family, table, destination and metric, and the words for ip
each_route() {
	:
	"$1" 4 7106 'default 0' default dev wan1 table 7106 protocol 116
	"$1" 6 7106 'default 1024' default dev wan1 table 7106 protocol 116
	"$1" 4 7140 'default 0' default dev wan2 table 7140 protocol 116
	"$1" 6 7140 'default 1024' default dev wan2 table 7140 protocol 116
	"$1" 4 7104 'default 0' default via 192.0.2.1 dev wan0 table 7104 protocol 116
	"$1" 6 7104 'default 1024' default via 2001:db8:1::1 dev wan0 table 7104 protocol 116
}

# family, what tells the rule from others, and the words for ip
each_rule() {
	:
	"$1" 6 '10000 0x25000000/0x7f000000 7104 - -' fwmark 0x25000000/0x7f000000 lookup 7104 priority 10000 protocol 116
	"$1" 6 '10001 0x25000000/0x7f000000 254 - -' fwmark 0x25000000/0x7f000000 lookup main priority 10001 protocol 116
	"$1" 4 '10002 0x26000000/0x7f000000 7106 - -' fwmark 0x26000000/0x7f000000 lookup 7106 priority 10002 protocol 116
	"$1" 6 '10002 0x26000000/0x7f000000 7106 - -' fwmark 0x26000000/0x7f000000 lookup 7106 priority 10002 protocol 116
	"$1" 4 '10003 0x26000000/0x7f000000 unreachable - -' fwmark 0x26000000/0x7f000000 unreachable priority 10003 protocol 116
	"$1" 6 '10003 0x26000000/0x7f000000 unreachable - -' fwmark 0x26000000/0x7f000000 unreachable priority 10003 protocol 116
	"$1" 4 '10004 0x1e000000/0x7f000000 7140 - -' fwmark 0x1e000000/0x7f000000 lookup 7140 priority 10004 protocol 116
	"$1" 6 '10004 0x1e000000/0x7f000000 7140 - -' fwmark 0x1e000000/0x7f000000 lookup 7140 priority 10004 protocol 116
	"$1" 4 '10005 0x1e000000/0x7f000000 254 - -' fwmark 0x1e000000/0x7f000000 lookup main priority 10005 protocol 116
	"$1" 6 '10005 0x1e000000/0x7f000000 254 - -' fwmark 0x1e000000/0x7f000000 lookup main priority 10005 protocol 116
	"$1" 4 '10006 0x46000000/0x7f000000 7104 - -' fwmark 0x46000000/0x7f000000 lookup 7104 priority 10006 protocol 116
	"$1" 6 '10006 0x46000000/0x7f000000 7104 - -' fwmark 0x46000000/0x7f000000 lookup 7104 priority 10006 protocol 116
	"$1" 4 '10007 0x46000000/0x7f000000 7106 - -' fwmark 0x46000000/0x7f000000 lookup 7106 priority 10007 protocol 116
	"$1" 6 '10007 0x46000000/0x7f000000 7106 - -' fwmark 0x46000000/0x7f000000 lookup 7106 priority 10007 protocol 116
	"$1" 4 '10008 0x46000000/0x7f000000 unreachable - -' fwmark 0x46000000/0x7f000000 unreachable priority 10008 protocol 116
	"$1" 6 '10008 0x46000000/0x7f000000 unreachable - -' fwmark 0x46000000/0x7f000000 unreachable priority 10008 protocol 116
	"$1" 4 '10009 0x56000000/0x7f000000 254 7 -' fwmark 0x56000000/0x7f000000 lookup main suppress_prefixlength 7 priority 10009 protocol 116
	"$1" 6 '10009 0x56000000/0x7f000000 7103 - -' fwmark 0x56000000/0x7f000000 lookup 7103 priority 10009 protocol 116
	"$1" 4 '10010 0x56000000/0x7f000000 7104 - -' fwmark 0x56000000/0x7f000000 lookup 7104 priority 10010 protocol 116
	"$1" 6 '10010 0x56000000/0x7f000000 7104 - -' fwmark 0x56000000/0x7f000000 lookup 7104 priority 10010 protocol 116
	"$1" 4 '10011 0x56000000/0x7f000000 254 - -' fwmark 0x56000000/0x7f000000 lookup main priority 10011 protocol 116
	"$1" 6 '10011 0x56000000/0x7f000000 254 - -' fwmark 0x56000000/0x7f000000 lookup main priority 10011 protocol 116
	"$1" 4 '10012 0x1f000000/0x7f000000 254 7 -' fwmark 0x1f000000/0x7f000000 lookup main suppress_prefixlength 7 priority 10012 protocol 116
	"$1" 6 '10012 0x1f000000/0x7f000000 7103 - -' fwmark 0x1f000000/0x7f000000 lookup 7103 priority 10012 protocol 116
	"$1" 4 '10013 0x1f000000/0x7f000000 7106 - -' fwmark 0x1f000000/0x7f000000 lookup 7106 priority 10013 protocol 116
	"$1" 6 '10013 0x1f000000/0x7f000000 7106 - -' fwmark 0x1f000000/0x7f000000 lookup 7106 priority 10013 protocol 116
	"$1" 4 '10014 0x1f000000/0x7f000000 unreachable - -' fwmark 0x1f000000/0x7f000000 unreachable priority 10014 protocol 116
	"$1" 6 '10014 0x1f000000/0x7f000000 unreachable - -' fwmark 0x1f000000/0x7f000000 unreachable priority 10014 protocol 116
	"$1" 4 '10015 0x70000000/0x7f000000 254 7 -' fwmark 0x70000000/0x7f000000 lookup main suppress_prefixlength 7 priority 10015 protocol 116
	"$1" 6 '10015 0x70000000/0x7f000000 7103 - -' fwmark 0x70000000/0x7f000000 lookup 7103 priority 10015 protocol 116
	"$1" 4 '10016 0x70000000/0x7f000000 7140 - -' fwmark 0x70000000/0x7f000000 lookup 7140 priority 10016 protocol 116
	"$1" 6 '10016 0x70000000/0x7f000000 7140 - -' fwmark 0x70000000/0x7f000000 lookup 7140 priority 10016 protocol 116
	"$1" 4 '10017 0x70000000/0x7f000000 254 - -' fwmark 0x70000000/0x7f000000 lookup main priority 10017 protocol 116
	"$1" 6 '10017 0x70000000/0x7f000000 254 - -' fwmark 0x70000000/0x7f000000 lookup main priority 10017 protocol 116
	"$1" 6 '10018 0x7000000/0x7f000000 7103 - -' fwmark 0x7000000/0x7f000000 lookup 7103 priority 10018 protocol 116
	"$1" 6 '10019 0x7000000/0x7f000000 7104 - -' fwmark 0x7000000/0x7f000000 lookup 7104 priority 10019 protocol 116
	"$1" 6 '10020 0x7000000/0x7f000000 254 - -' fwmark 0x7000000/0x7f000000 lookup main priority 10020 protocol 116
	"$1" 4 '10021 0x39000000/0x7f000000 254 7 -' fwmark 0x39000000/0x7f000000 lookup main suppress_prefixlength 7 priority 10021 protocol 116
	"$1" 6 '10021 0x39000000/0x7f000000 7103 - -' fwmark 0x39000000/0x7f000000 lookup 7103 priority 10021 protocol 116
	"$1" 4 '10022 0x39000000/0x7f000000 7104 - -' fwmark 0x39000000/0x7f000000 lookup 7104 priority 10022 protocol 116
	"$1" 6 '10022 0x39000000/0x7f000000 7104 - -' fwmark 0x39000000/0x7f000000 lookup 7104 priority 10022 protocol 116
	"$1" 4 '10023 0x39000000/0x7f000000 254 7 -' fwmark 0x39000000/0x7f000000 lookup main suppress_prefixlength 7 priority 10023 protocol 116
	"$1" 6 '10023 0x39000000/0x7f000000 7103 - -' fwmark 0x39000000/0x7f000000 lookup 7103 priority 10023 protocol 116
	"$1" 4 '10024 0x39000000/0x7f000000 7106 - -' fwmark 0x39000000/0x7f000000 lookup 7106 priority 10024 protocol 116
	"$1" 6 '10024 0x39000000/0x7f000000 7106 - -' fwmark 0x39000000/0x7f000000 lookup 7106 priority 10024 protocol 116
	"$1" 4 '10025 0x39000000/0x7f000000 unreachable - -' fwmark 0x39000000/0x7f000000 unreachable priority 10025 protocol 116
	"$1" 6 '10025 0x39000000/0x7f000000 unreachable - -' fwmark 0x39000000/0x7f000000 unreachable priority 10025 protocol 116
	"$1" 4 '10026 0x3b000000/0x7f000000 254 7 -' fwmark 0x3b000000/0x7f000000 lookup main suppress_prefixlength 7 priority 10026 protocol 116
	"$1" 6 '10026 0x3b000000/0x7f000000 7103 - -' fwmark 0x3b000000/0x7f000000 lookup 7103 priority 10026 protocol 116
	"$1" 4 '10027 0x3b000000/0x7f000000 7106 - -' fwmark 0x3b000000/0x7f000000 lookup 7106 priority 10027 protocol 116
	"$1" 6 '10027 0x3b000000/0x7f000000 7106 - -' fwmark 0x3b000000/0x7f000000 lookup 7106 priority 10027 protocol 116
	"$1" 4 '10028 0x3b000000/0x7f000000 unreachable - -' fwmark 0x3b000000/0x7f000000 unreachable priority 10028 protocol 116
	"$1" 6 '10028 0x3b000000/0x7f000000 unreachable - -' fwmark 0x3b000000/0x7f000000 unreachable priority 10028 protocol 116
	"$1" 4 '10029 0x50000000/0x7f000000 254 7 -' fwmark 0x50000000/0x7f000000 lookup main suppress_prefixlength 7 priority 10029 protocol 116
	"$1" 6 '10029 0x50000000/0x7f000000 7103 - -' fwmark 0x50000000/0x7f000000 lookup 7103 priority 10029 protocol 116
	"$1" 4 '10030 0x50000000/0x7f000000 7140 - -' fwmark 0x50000000/0x7f000000 lookup 7140 priority 10030 protocol 116
	"$1" 6 '10030 0x50000000/0x7f000000 7140 - -' fwmark 0x50000000/0x7f000000 lookup 7140 priority 10030 protocol 116
	"$1" 4 '10031 0x50000000/0x7f000000 254 - -' fwmark 0x50000000/0x7f000000 lookup main priority 10031 protocol 116
	"$1" 6 '10031 0x50000000/0x7f000000 254 - -' fwmark 0x50000000/0x7f000000 lookup main priority 10031 protocol 116
	"$1" 4 '10032 0x1c000000/0x7f000000 7106 - -' fwmark 0x1c000000/0x7f000000 lookup 7106 priority 10032 protocol 116
	"$1" 6 '10032 0x1c000000/0x7f000000 7106 - -' fwmark 0x1c000000/0x7f000000 lookup 7106 priority 10032 protocol 116
	"$1" 4 '10033 0x1c000000/0x7f000000 7104 - -' fwmark 0x1c000000/0x7f000000 lookup 7104 priority 10033 protocol 116
	"$1" 6 '10033 0x1c000000/0x7f000000 7104 - -' fwmark 0x1c000000/0x7f000000 lookup 7104 priority 10033 protocol 116
	"$1" 4 '10034 0x1c000000/0x7f000000 unreachable - -' fwmark 0x1c000000/0x7f000000 unreachable priority 10034 protocol 116
	"$1" 6 '10034 0x1c000000/0x7f000000 unreachable - -' fwmark 0x1c000000/0x7f000000 unreachable priority 10034 protocol 116
}

# family, what tells the rule from others, and the words for ip: what has no mark is refused
each_unmarked() {
	:
	"$1" 4 '10035 0/0xffffffff 255 - lan0' iif lan0 fwmark 0x0/0xffffffff lookup local priority 10035 protocol 116
	"$1" 6 '10035 0/0xffffffff 255 - lan0' iif lan0 fwmark 0x0/0xffffffff lookup local priority 10035 protocol 116
	"$1" 4 '10036 0/0xffffffff 254 7 lan0' iif lan0 fwmark 0x0/0xffffffff lookup main suppress_prefixlength 7 priority 10036 protocol 116
	"$1" 6 '10036 0/0xffffffff 7103 - lan0' iif lan0 fwmark 0x0/0xffffffff lookup 7103 priority 10036 protocol 116
	"$1" 4 '10037 0/0xffffffff unreachable - lan0' iif lan0 fwmark 0x0/0xffffffff unreachable priority 10037 protocol 116
	"$1" 6 '10037 0/0xffffffff unreachable - lan0' iif lan0 fwmark 0x0/0xffffffff unreachable priority 10037 protocol 116
}

# sysctls that the kernel resets when another one is given back: that one, key, the value that stays
companions='net.ipv4.ip_forward net.ipv4.conf.all.accept_redirects 0
net.ipv4.ip_forward net.ipv4.conf.*.forwarding 1
net.ipv6.conf.all.forwarding net.ipv6.conf.*.forwarding 1'

# key, value, for which interfaces and towards which address, when it matters, why, and interfaces
each_sysctl() {
	:
	"$1" 'net.ipv6.conf.wan0.ignore_routes_with_linkdown' '1' each - '' 'the table one leaves by this interface, and with 0 its routes stay in use when the interface loses its carrier: nothing takes its place'
	"$1" 'net.ipv6.conf.*.accept_ra' '2' advertised - 'own_value - 1' 'one needs IPv6 forwarding, and a host that forwards forgets the routes that routers advertise, its default route among them, unless this is 2'
	"$1" 'net.ipv6.conf.all.forwarding' '1' each - '' 'the table one takes forwarded packets, and without this the host forwards no IPv6'
	"$1" 'net.ipv4.conf.wan1.ignore_routes_with_linkdown' '1' each - '' 'the table two leaves by this interface, and with 0 its routes stay in use when the interface loses its carrier: nothing takes its place'
	"$1" 'net.ipv4.conf.wan1.rp_filter' '0' each - 'effective - !0' 'the table two leaves by this interface, and a reverse-path filter drops the replies: a strict one (1) where the main table leaves by another, a loose one (2) where the main table has no route to their source, as when its only default route is gone'
	"$1" 'net.ipv6.conf.wan1.ignore_routes_with_linkdown' '1' each - '' 'the table two leaves by this interface, and with 0 its routes stay in use when the interface loses its carrier: nothing takes its place'
	"$1" 'net.ipv4.ip_forward' '1' each - '' 'the table two takes forwarded packets, and without this the host forwards no IPv4'
	"$1" 'net.ipv4.conf.*.rp_filter' '2' each - 'effective - 1
effective net.ipv4.conf.*.src_valid_mark 1' 'the table two takes packets that come in here, and a strict reverse-path filter that looks at marks (src_valid_mark) drops them'
	"$1" 'net.ipv4.conf.wan2.ignore_routes_with_linkdown' '1' each - '' 'the table six leaves by this interface, and with 0 its routes stay in use when the interface loses its carrier: nothing takes its place'
	"$1" 'net.ipv4.conf.wan2.rp_filter' '0' each - 'effective - !0' 'the table six leaves by this interface, and a reverse-path filter drops the replies: a strict one (1) where the main table leaves by another, a loose one (2) where the main table has no route to their source, as when its only default route is gone'
	"$1" 'net.ipv6.conf.wan2.ignore_routes_with_linkdown' '1' each - '' 'the table six leaves by this interface, and with 0 its routes stay in use when the interface loses its carrier: nothing takes its place'
	"$1" 'net.ipv4.conf.wan0.ignore_routes_with_linkdown' '1' each - '' 'the table one.two.unreachable leaves by this interface, and with 0 its routes stay in use when the interface loses its carrier: nothing takes its place'
	"$1" 'net.ipv4.conf.wan0.rp_filter' '0' each - 'effective - !0' 'the table one.two.unreachable leaves by this interface, and a reverse-path filter drops the replies: a strict one (1) where the main table leaves by another, a loose one (2) where the main table has no route to their source, as when its only default route is gone'
	"$1" 'net.ipv4.conf.wan0.send_redirects' '0' each - 'effective - !0' 'the table one.two.unreachable may send packets out through the interface they came in on, and an ICMP redirect would make their sender bypass this host'
}

# compiler/emit/script.sh follows.
