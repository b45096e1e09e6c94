#!/bin/sh
# policy.sh: written by tpc from policy.yaml; change that and compile again, not this file.
#
#   up      puts the policy into force; again and again if you like
#   down    takes all of it away and puts sysctls back
#   status  shows what is there and what is missing (exit status 5)
#
# What it takes of the host's numbers:
#   name              mark/mask              ip rule  table    goes to
#   through           0x52000000/0x7f000000  10000    7173     tproxy port 12345
#   around            0x31000000/0x7f000000  -        -        redirect port 12346
#   one               0x25000000/0x7f000000  10002    7104     the table's routes
#   four              0x2a000000/0x7f000000  10004    7156     the table's routes
#   vpn               0x3d000000/0x7f000000  10006    7105     the table's routes
#   two.unreachable   0x27000000/0x7f000000  10008    7106     the table's routes
#   one               0x56000000/0x7f000000  10010    7104     replies of connections that came in through it
#   two               0x1f000000/0x7f000000  10013    7106     replies of connections that came in through it
#   vpn               0x70000000/0x7f000000  10016    7105     replies of connections that came in through it
#   two.unreachable   0x2b000000/0x7f000000  10019    7106     the table's routes, for what comes in by an uplink or is translated
#   one               0x07000000/0x7f000000  10022    7104     the table's routes, for what comes in by an uplink or is translated
#   four              0x7b000000/0x7f000000  10025    7156     the table's routes, for what comes in by an uplink or is translated
#   vpn               0x17000000/0x7f000000  10028    7105     the table's routes, for what comes in by an uplink or is translated
#   two.unreachable   0x1c000000/0x7f000000  10031    7106     the table's routes, for what begins TCP connections of this host
#   vpn               0x47000000/0x7f000000  10033    7105     the table's routes, for what begins TCP connections of this host
#   nft table inet tpc; ip rules and routes carry protocol 116

stem='policy'
table=tpc
digest=1eaa04d6ded80f7a
protocol=116
first=10000
last=10036
sysctl_policy='set'
tables='7103 7104 7105 7106 7156 7173 7199'
main_copy=7103
sets='gateways.one gateways.two gateways.main flows.local_route_two.unre.fe6514da_v4 flows.local_route_two.unre.fe6514da_v6 flows.route_one.00617930_v4 flows.route_one.00617930_v6 flows.route_four.b035e7da_v4 flows.route_four.b035e7da_v6 flows.local_route_vpn.e5b35c38_v4 flows.local_route_vpn.e5b35c38_v6 flows.ended_v4 flows.ended_v6 output.th_dport'
dynamic_sets=''
gateways='gateways.one wan0 192.0.2.1
gateways.one wan0 2001:db8:1::1
gateways.two wan1 198.51.100.1
gateways.two wan1 2001:db8:2::1
gateways.main wan0 main
gateways.main wan1 main'
own=''
named='wan1
wan*
wan0
lo
wg0'
cgroups=''
time_sets=''

# Masquerade by an interface without an IPv4 address would give packets that of another one.
# `tpc apply` leaves such a route out, and this file does not.
# family, table, destination and metric, and the words for ip
each_route() {
	:
	"$1" 4 7173 'default 0' local default dev lo table 7173 protocol 116
	"$1" 6 7173 'default 1024' local default dev lo table 7173 protocol 116
	"$1" 4 7199 'default 0' local default dev lo table 7199 protocol 116
	"$1" 6 7199 'default 1024' local default dev lo table 7199 protocol 116
	"$1" 4 7105 'default 0' default dev wg0 table 7105 protocol 116
	"$1" 6 7105 'default 1024' default dev wg0 table 7105 protocol 116
	"$1" 4 7104 'default 0' default via 192.0.2.1 dev wan0 table 7104 protocol 116
	"$1" 6 7104 'default 1024' default via 2001:db8:1::1 dev wan0 table 7104 protocol 116
	"$1" 4 7106 'default 0' default via 198.51.100.1 dev wan1 table 7106 protocol 116
	"$1" 6 7106 'default 1024' default via 2001:db8:2::1 dev wan1 table 7106 protocol 116
	"$1" 4 7156 'default 0' default via 198.51.100.1 dev wan1 table 7156 protocol 116
}

# family, what tells the rule from others, and the words for ip
each_rule() {
	:
	"$1" 4 '10000 0x52000000/0x7f000000 7173 - -' fwmark 0x52000000/0x7f000000 lookup 7173 priority 10000 protocol 116
	"$1" 6 '10000 0x52000000/0x7f000000 7173 - -' fwmark 0x52000000/0x7f000000 lookup 7173 priority 10000 protocol 116
	"$1" 4 '10001 0x52000000/0x7f000000 unreachable - -' fwmark 0x52000000/0x7f000000 unreachable priority 10001 protocol 116
	"$1" 6 '10001 0x52000000/0x7f000000 unreachable - -' fwmark 0x52000000/0x7f000000 unreachable priority 10001 protocol 116
	"$1" 4 '10002 0x25000000/0x7f000000 7104 - -' fwmark 0x25000000/0x7f000000 lookup 7104 priority 10002 protocol 116
	"$1" 6 '10002 0x25000000/0x7f000000 7104 - -' fwmark 0x25000000/0x7f000000 lookup 7104 priority 10002 protocol 116
	"$1" 4 '10003 0x25000000/0x7f000000 254 - -' fwmark 0x25000000/0x7f000000 lookup main priority 10003 protocol 116
	"$1" 6 '10003 0x25000000/0x7f000000 254 - -' fwmark 0x25000000/0x7f000000 lookup main priority 10003 protocol 116
	"$1" 4 '10004 0x2a000000/0x7f000000 7156 - -' fwmark 0x2a000000/0x7f000000 lookup 7156 priority 10004 protocol 116
	"$1" 6 '10004 0x2a000000/0x7f000000 7156 - -' fwmark 0x2a000000/0x7f000000 lookup 7156 priority 10004 protocol 116
	"$1" 4 '10005 0x2a000000/0x7f000000 254 - -' fwmark 0x2a000000/0x7f000000 lookup main priority 10005 protocol 116
	"$1" 6 '10005 0x2a000000/0x7f000000 254 - -' fwmark 0x2a000000/0x7f000000 lookup main priority 10005 protocol 116
	"$1" 4 '10006 0x3d000000/0x7f000000 7105 - -' fwmark 0x3d000000/0x7f000000 lookup 7105 priority 10006 protocol 116
	"$1" 6 '10006 0x3d000000/0x7f000000 7105 - -' fwmark 0x3d000000/0x7f000000 lookup 7105 priority 10006 protocol 116
	"$1" 4 '10007 0x3d000000/0x7f000000 unreachable - -' fwmark 0x3d000000/0x7f000000 unreachable priority 10007 protocol 116
	"$1" 6 '10007 0x3d000000/0x7f000000 unreachable - -' fwmark 0x3d000000/0x7f000000 unreachable priority 10007 protocol 116
	"$1" 4 '10008 0x27000000/0x7f000000 7106 - -' fwmark 0x27000000/0x7f000000 lookup 7106 priority 10008 protocol 116
	"$1" 6 '10008 0x27000000/0x7f000000 7106 - -' fwmark 0x27000000/0x7f000000 lookup 7106 priority 10008 protocol 116
	"$1" 4 '10009 0x27000000/0x7f000000 unreachable - -' fwmark 0x27000000/0x7f000000 unreachable priority 10009 protocol 116
	"$1" 6 '10009 0x27000000/0x7f000000 unreachable - -' fwmark 0x27000000/0x7f000000 unreachable priority 10009 protocol 116
	"$1" 4 '10010 0x56000000/0x7f000000 254 7 -' fwmark 0x56000000/0x7f000000 lookup main suppress_prefixlength 7 priority 10010 protocol 116
	"$1" 6 '10010 0x56000000/0x7f000000 7103 - -' fwmark 0x56000000/0x7f000000 lookup 7103 priority 10010 protocol 116
	"$1" 4 '10011 0x56000000/0x7f000000 7104 - -' fwmark 0x56000000/0x7f000000 lookup 7104 priority 10011 protocol 116
	"$1" 6 '10011 0x56000000/0x7f000000 7104 - -' fwmark 0x56000000/0x7f000000 lookup 7104 priority 10011 protocol 116
	"$1" 4 '10012 0x56000000/0x7f000000 254 - -' fwmark 0x56000000/0x7f000000 lookup main priority 10012 protocol 116
	"$1" 6 '10012 0x56000000/0x7f000000 254 - -' fwmark 0x56000000/0x7f000000 lookup main priority 10012 protocol 116
	"$1" 4 '10013 0x1f000000/0x7f000000 254 7 -' fwmark 0x1f000000/0x7f000000 lookup main suppress_prefixlength 7 priority 10013 protocol 116
	"$1" 6 '10013 0x1f000000/0x7f000000 7103 - -' fwmark 0x1f000000/0x7f000000 lookup 7103 priority 10013 protocol 116
	"$1" 4 '10014 0x1f000000/0x7f000000 7106 - -' fwmark 0x1f000000/0x7f000000 lookup 7106 priority 10014 protocol 116
	"$1" 6 '10014 0x1f000000/0x7f000000 7106 - -' fwmark 0x1f000000/0x7f000000 lookup 7106 priority 10014 protocol 116
	"$1" 4 '10015 0x1f000000/0x7f000000 254 - -' fwmark 0x1f000000/0x7f000000 lookup main priority 10015 protocol 116
	"$1" 6 '10015 0x1f000000/0x7f000000 254 - -' fwmark 0x1f000000/0x7f000000 lookup main priority 10015 protocol 116
	"$1" 4 '10016 0x70000000/0x7f000000 254 7 -' fwmark 0x70000000/0x7f000000 lookup main suppress_prefixlength 7 priority 10016 protocol 116
	"$1" 6 '10016 0x70000000/0x7f000000 7103 - -' fwmark 0x70000000/0x7f000000 lookup 7103 priority 10016 protocol 116
	"$1" 4 '10017 0x70000000/0x7f000000 7105 - -' fwmark 0x70000000/0x7f000000 lookup 7105 priority 10017 protocol 116
	"$1" 6 '10017 0x70000000/0x7f000000 7105 - -' fwmark 0x70000000/0x7f000000 lookup 7105 priority 10017 protocol 116
	"$1" 4 '10018 0x70000000/0x7f000000 unreachable - -' fwmark 0x70000000/0x7f000000 unreachable priority 10018 protocol 116
	"$1" 6 '10018 0x70000000/0x7f000000 unreachable - -' fwmark 0x70000000/0x7f000000 unreachable priority 10018 protocol 116
	"$1" 4 '10019 0x2b000000/0x7f000000 254 7 -' fwmark 0x2b000000/0x7f000000 lookup main suppress_prefixlength 7 priority 10019 protocol 116
	"$1" 6 '10019 0x2b000000/0x7f000000 7103 - -' fwmark 0x2b000000/0x7f000000 lookup 7103 priority 10019 protocol 116
	"$1" 4 '10020 0x2b000000/0x7f000000 7106 - -' fwmark 0x2b000000/0x7f000000 lookup 7106 priority 10020 protocol 116
	"$1" 6 '10020 0x2b000000/0x7f000000 7106 - -' fwmark 0x2b000000/0x7f000000 lookup 7106 priority 10020 protocol 116
	"$1" 4 '10021 0x2b000000/0x7f000000 unreachable - -' fwmark 0x2b000000/0x7f000000 unreachable priority 10021 protocol 116
	"$1" 6 '10021 0x2b000000/0x7f000000 unreachable - -' fwmark 0x2b000000/0x7f000000 unreachable priority 10021 protocol 116
	"$1" 4 '10022 0x7000000/0x7f000000 254 7 -' fwmark 0x7000000/0x7f000000 lookup main suppress_prefixlength 7 priority 10022 protocol 116
	"$1" 6 '10022 0x7000000/0x7f000000 7103 - -' fwmark 0x7000000/0x7f000000 lookup 7103 priority 10022 protocol 116
	"$1" 4 '10023 0x7000000/0x7f000000 7104 - -' fwmark 0x7000000/0x7f000000 lookup 7104 priority 10023 protocol 116
	"$1" 6 '10023 0x7000000/0x7f000000 7104 - -' fwmark 0x7000000/0x7f000000 lookup 7104 priority 10023 protocol 116
	"$1" 4 '10024 0x7000000/0x7f000000 254 - -' fwmark 0x7000000/0x7f000000 lookup main priority 10024 protocol 116
	"$1" 6 '10024 0x7000000/0x7f000000 254 - -' fwmark 0x7000000/0x7f000000 lookup main priority 10024 protocol 116
	"$1" 4 '10025 0x7b000000/0x7f000000 254 7 -' fwmark 0x7b000000/0x7f000000 lookup main suppress_prefixlength 7 priority 10025 protocol 116
	"$1" 6 '10025 0x7b000000/0x7f000000 7103 - -' fwmark 0x7b000000/0x7f000000 lookup 7103 priority 10025 protocol 116
	"$1" 4 '10026 0x7b000000/0x7f000000 7156 - -' fwmark 0x7b000000/0x7f000000 lookup 7156 priority 10026 protocol 116
	"$1" 6 '10026 0x7b000000/0x7f000000 7156 - -' fwmark 0x7b000000/0x7f000000 lookup 7156 priority 10026 protocol 116
	"$1" 4 '10027 0x7b000000/0x7f000000 254 - -' fwmark 0x7b000000/0x7f000000 lookup main priority 10027 protocol 116
	"$1" 6 '10027 0x7b000000/0x7f000000 254 - -' fwmark 0x7b000000/0x7f000000 lookup main priority 10027 protocol 116
	"$1" 4 '10028 0x17000000/0x7f000000 254 7 -' fwmark 0x17000000/0x7f000000 lookup main suppress_prefixlength 7 priority 10028 protocol 116
	"$1" 6 '10028 0x17000000/0x7f000000 7103 - -' fwmark 0x17000000/0x7f000000 lookup 7103 priority 10028 protocol 116
	"$1" 4 '10029 0x17000000/0x7f000000 7105 - -' fwmark 0x17000000/0x7f000000 lookup 7105 priority 10029 protocol 116
	"$1" 6 '10029 0x17000000/0x7f000000 7105 - -' fwmark 0x17000000/0x7f000000 lookup 7105 priority 10029 protocol 116
	"$1" 4 '10030 0x17000000/0x7f000000 unreachable - -' fwmark 0x17000000/0x7f000000 unreachable priority 10030 protocol 116
	"$1" 6 '10030 0x17000000/0x7f000000 unreachable - -' fwmark 0x17000000/0x7f000000 unreachable priority 10030 protocol 116
	"$1" 4 '10031 0x1c000000/0x7f000000 7106 - -' fwmark 0x1c000000/0x7f000000 lookup 7106 priority 10031 protocol 116
	"$1" 6 '10031 0x1c000000/0x7f000000 7106 - -' fwmark 0x1c000000/0x7f000000 lookup 7106 priority 10031 protocol 116
	"$1" 4 '10032 0x1c000000/0x7f000000 7199 - -' fwmark 0x1c000000/0x7f000000 lookup 7199 priority 10032 protocol 116
	"$1" 6 '10032 0x1c000000/0x7f000000 7199 - -' fwmark 0x1c000000/0x7f000000 lookup 7199 priority 10032 protocol 116
	"$1" 4 '10033 0x47000000/0x7f000000 7105 - -' fwmark 0x47000000/0x7f000000 lookup 7105 priority 10033 protocol 116
	"$1" 6 '10033 0x47000000/0x7f000000 7105 - -' fwmark 0x47000000/0x7f000000 lookup 7105 priority 10033 protocol 116
	"$1" 4 '10034 0x47000000/0x7f000000 7199 - -' fwmark 0x47000000/0x7f000000 lookup 7199 priority 10034 protocol 116
	"$1" 6 '10034 0x47000000/0x7f000000 7199 - -' fwmark 0x47000000/0x7f000000 lookup 7199 priority 10034 protocol 116
	"$1" 6 '10035 0/0x7f000000 254 - oif/wan1' oif wan1 fwmark 0x0/0x7f000000 lookup main priority 10035 protocol 116
	"$1" 6 '10035 0/0x7f000000 254 - oif/wan0' oif wan0 fwmark 0x0/0x7f000000 lookup main priority 10035 protocol 116
	"$1" 6 '10035 0/0x7f000000 254 - oif/wg0' oif wg0 fwmark 0x0/0x7f000000 lookup main priority 10035 protocol 116
	"$1" 6 '10036 0/0x7f000000 7106 - oif/wan1' oif wan1 fwmark 0x0/0x7f000000 lookup 7106 priority 10036 protocol 116
	"$1" 6 '10036 0/0x7f000000 7104 - oif/wan0' oif wan0 fwmark 0x0/0x7f000000 lookup 7104 priority 10036 protocol 116
	"$1" 6 '10036 0/0x7f000000 7105 - oif/wg0' oif wg0 fwmark 0x0/0x7f000000 lookup 7105 priority 10036 protocol 116
}

# family, what tells the rule from others, and the words for ip: what has no mark is refused
each_unmarked() {
	:
}

# sysctls that the kernel resets when another one is given back: that one, key, the value that stays
companions=''

# key, value, for which interfaces and towards which address, when it matters, why, and interfaces
each_sysctl() {
	:
	"$1" 'net.ipv4.conf.wan0.ignore_routes_with_linkdown' '1' each - '' 'the table one leaves by this interface, and with 0 its routes stay in use when the interface loses its carrier: nothing takes its place'
	"$1" 'net.ipv4.conf.wan0.rp_filter' '0' each - 'effective - !0' 'the table one leaves by this interface, and a reverse-path filter drops the replies: a strict one (1) where the main table leaves by another, a loose one (2) where the main table has no route to their source, as when its only default route is gone'
	"$1" 'net.ipv6.conf.wan0.ignore_routes_with_linkdown' '1' each - '' 'the table one leaves by this interface, and with 0 its routes stay in use when the interface loses its carrier: nothing takes its place'
	"$1" 'net.ipv4.conf.wan1.ignore_routes_with_linkdown' '1' each - '' 'the table four leaves by this interface, and with 0 its routes stay in use when the interface loses its carrier: nothing takes its place'
	"$1" 'net.ipv4.conf.wan1.rp_filter' '0' each - 'effective - !0' 'the table four leaves by this interface, and a reverse-path filter drops the replies: a strict one (1) where the main table leaves by another, a loose one (2) where the main table has no route to their source, as when its only default route is gone'
	"$1" 'net.ipv4.conf.wg0.ignore_routes_with_linkdown' '1' each - '' 'the table vpn leaves by this interface, and with 0 its routes stay in use when the interface loses its carrier: nothing takes its place'
	"$1" 'net.ipv4.conf.wg0.rp_filter' '0' each - 'effective - !0' 'the table vpn leaves by this interface, and a reverse-path filter drops the replies: a strict one (1) where the main table leaves by another, a loose one (2) where the main table has no route to their source, as when its only default route is gone'
	"$1" 'net.ipv6.conf.wg0.ignore_routes_with_linkdown' '1' each - '' 'the table vpn leaves by this interface, and with 0 its routes stay in use when the interface loses its carrier: nothing takes its place'
	"$1" 'net.ipv6.conf.wan1.ignore_routes_with_linkdown' '1' each - '' 'the table two.unreachable leaves by this interface, and with 0 its routes stay in use when the interface loses its carrier: nothing takes its place'
}

# compiler/emit/script.sh follows.
