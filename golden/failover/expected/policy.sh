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
#   one.two           0x5c000000/0x7f000000  10002    -        the table's routes
#   one.two.unreachable  0x46000000/0x7f000000  10005    -        the table's routes
#   two.one.main      0x5f000000/0x7f000000  10008    -        the table's routes
#   two.blackhole     0x34000000/0x7f000000  10011    7106     the table's routes
#   six.two.prohibit  0x6c000000/0x7f000000  10013    -        the table's routes
#   main.two          0x57000000/0x7f000000  10016    7106     the table's routes
#   two.main.prohibit  0x1c000000/0x7f000000  10019    7106     the table's routes
#   main.unreachable  0x3f000000/0x7f000000  10022    -        the table's routes
#   one               0x56000000/0x7f000000  10024    7104     replies of connections that came in through it
#   two               0x1f000000/0x7f000000  10027    7106     replies of connections that came in through it
#   six               0x70000000/0x7f000000  10030    7140     replies of connections that came in through it
#   one.two           0x22000000/0x7f000000  10033    -        the table's routes, for what comes in by an uplink or is translated
#   one.two.unreachable  0x39000000/0x7f000000  10038    -        the table's routes, for what comes in by an uplink or is translated
#   two.one.main      0x48000000/0x7f000000  10043    -        the table's routes, for what comes in by an uplink or is translated
#   two.blackhole     0x21000000/0x7f000000  10048    7106     the table's routes, for what comes in by an uplink or is translated
#   one               0x07000000/0x7f000000  10051    7104     the table's routes, for what comes in by an uplink or is translated
#   six.two.prohibit  0x42000000/0x7f000000  10054    -        the table's routes, for what comes in by an uplink or is translated
#   two.main.prohibit  0x30000000/0x7f000000  10059    7106     the table's routes, for what comes in by an uplink or is translated
#   one.two/two       0x63000000/0x7f000000  10063    -        the table's routes, two first: connections that it has taken
#   one.two.unreachable/two  0x1d000000/0x7f000000  10066    -        the table's routes, two first: connections that it has taken
#   two.one.main/one  0x10000000/0x7f000000  10069    -        the table's routes, one first: connections that it has taken
#   two.one.main/main  0x5e000000/0x7f000000  10072    -        the table's routes, main first: connections that it has taken
#   six.two.prohibit/two  0x11000000/0x7f000000  10076    -        the table's routes, two first: connections that it has taken
#   main.two/two      0x1b000000/0x7f000000  10079    7106     the table's routes, two first: connections that it has taken
#   two.main.prohibit/main  0x12000000/0x7f000000  10081    7106     the table's routes, main first: connections that it has taken
#   nft table inet tpc; ip rules and routes carry protocol 116

stem='policy'
table=tpc
digest=3d251d6c1d595b5e
protocol=116
first=10000
last=10083
sysctl_policy='set'
tables='7103 7104 7106 7140'
main_copy=7103
sets='gateways.two gateways.six gateways.main flows.ended_v4 flows.ended_v6 prerouting.ip_daddr prerouting.ip6_daddr'
dynamic_sets=''
gateways='gateways.two eth1 192.0.2.1
gateways.two eth1 2001:db8::1
gateways.six eth2 2001:db8:6::1
gateways.main eth1 main
gateways.main eth2 main'
own=''
named='wg0
eth1
eth2'
cgroups=''
time_sets=''

# Masquerade by an interface without an IPv4 address would give packets that of another one.
# `tpc apply` leaves such a route out, and this file does not.
# family, table, destination and metric, and the words for ip
each_route() {
	:
	"$1" 4 7104 'default 0' default dev wg0 table 7104 protocol 116
	"$1" 6 7104 'default 1024' default dev wg0 table 7104 protocol 116
	"$1" 4 7106 'default 0' default via 192.0.2.1 dev eth1 table 7106 protocol 116
	"$1" 6 7106 'default 1024' default via 2001:db8::1 dev eth1 table 7106 protocol 116
	"$1" 6 7140 'default 1024' default via 2001:db8:6::1 dev eth2 table 7140 protocol 116
}

# family, what tells the rule from others, and the words for ip
each_rule() {
	:
	"$1" 4 '10000 0x25000000/0x7f000000 7104 - -' fwmark 0x25000000/0x7f000000 lookup 7104 priority 10000 protocol 116
	"$1" 6 '10000 0x25000000/0x7f000000 7104 - -' fwmark 0x25000000/0x7f000000 lookup 7104 priority 10000 protocol 116
	"$1" 4 '10001 0x25000000/0x7f000000 254 - -' fwmark 0x25000000/0x7f000000 lookup main priority 10001 protocol 116
	"$1" 6 '10001 0x25000000/0x7f000000 254 - -' fwmark 0x25000000/0x7f000000 lookup main priority 10001 protocol 116
	"$1" 4 '10002 0x5c000000/0x7f000000 7104 - -' fwmark 0x5c000000/0x7f000000 lookup 7104 priority 10002 protocol 116
	"$1" 4 '10003 0x5c000000/0x7f000000 7106 - -' fwmark 0x5c000000/0x7f000000 lookup 7106 priority 10003 protocol 116
	"$1" 4 '10004 0x5c000000/0x7f000000 254 - -' fwmark 0x5c000000/0x7f000000 lookup main priority 10004 protocol 116
	"$1" 4 '10005 0x46000000/0x7f000000 7104 - -' fwmark 0x46000000/0x7f000000 lookup 7104 priority 10005 protocol 116
	"$1" 4 '10006 0x46000000/0x7f000000 7106 - -' fwmark 0x46000000/0x7f000000 lookup 7106 priority 10006 protocol 116
	"$1" 4 '10007 0x46000000/0x7f000000 unreachable - -' fwmark 0x46000000/0x7f000000 unreachable priority 10007 protocol 116
	"$1" 4 '10008 0x5f000000/0x7f000000 7106 - -' fwmark 0x5f000000/0x7f000000 lookup 7106 priority 10008 protocol 116
	"$1" 4 '10009 0x5f000000/0x7f000000 7104 - -' fwmark 0x5f000000/0x7f000000 lookup 7104 priority 10009 protocol 116
	"$1" 4 '10010 0x5f000000/0x7f000000 254 - -' fwmark 0x5f000000/0x7f000000 lookup main priority 10010 protocol 116
	"$1" 4 '10011 0x34000000/0x7f000000 7106 - -' fwmark 0x34000000/0x7f000000 lookup 7106 priority 10011 protocol 116
	"$1" 4 '10012 0x34000000/0x7f000000 blackhole - -' fwmark 0x34000000/0x7f000000 blackhole priority 10012 protocol 116
	"$1" 6 '10013 0x6c000000/0x7f000000 7140 - -' fwmark 0x6c000000/0x7f000000 lookup 7140 priority 10013 protocol 116
	"$1" 6 '10014 0x6c000000/0x7f000000 7106 - -' fwmark 0x6c000000/0x7f000000 lookup 7106 priority 10014 protocol 116
	"$1" 6 '10015 0x6c000000/0x7f000000 prohibit - -' fwmark 0x6c000000/0x7f000000 prohibit priority 10015 protocol 116
	"$1" 4 '10016 0x57000000/0x7f000000 254 - -' fwmark 0x57000000/0x7f000000 lookup main priority 10016 protocol 116
	"$1" 6 '10016 0x57000000/0x7f000000 254 - -' fwmark 0x57000000/0x7f000000 lookup main priority 10016 protocol 116
	"$1" 4 '10017 0x57000000/0x7f000000 7106 - -' fwmark 0x57000000/0x7f000000 lookup 7106 priority 10017 protocol 116
	"$1" 6 '10017 0x57000000/0x7f000000 7106 - -' fwmark 0x57000000/0x7f000000 lookup 7106 priority 10017 protocol 116
	"$1" 4 '10018 0x57000000/0x7f000000 254 - -' fwmark 0x57000000/0x7f000000 lookup main priority 10018 protocol 116
	"$1" 6 '10018 0x57000000/0x7f000000 254 - -' fwmark 0x57000000/0x7f000000 lookup main priority 10018 protocol 116
	"$1" 4 '10019 0x1c000000/0x7f000000 7106 - -' fwmark 0x1c000000/0x7f000000 lookup 7106 priority 10019 protocol 116
	"$1" 4 '10020 0x1c000000/0x7f000000 254 - -' fwmark 0x1c000000/0x7f000000 lookup main priority 10020 protocol 116
	"$1" 4 '10021 0x1c000000/0x7f000000 prohibit - -' fwmark 0x1c000000/0x7f000000 prohibit priority 10021 protocol 116
	"$1" 4 '10022 0x3f000000/0x7f000000 254 - -' fwmark 0x3f000000/0x7f000000 lookup main priority 10022 protocol 116
	"$1" 4 '10023 0x3f000000/0x7f000000 unreachable - -' fwmark 0x3f000000/0x7f000000 unreachable priority 10023 protocol 116
	"$1" 4 '10024 0x56000000/0x7f000000 254 7 -' fwmark 0x56000000/0x7f000000 lookup main suppress_prefixlength 7 priority 10024 protocol 116
	"$1" 6 '10024 0x56000000/0x7f000000 7103 - -' fwmark 0x56000000/0x7f000000 lookup 7103 priority 10024 protocol 116
	"$1" 4 '10025 0x56000000/0x7f000000 7104 - -' fwmark 0x56000000/0x7f000000 lookup 7104 priority 10025 protocol 116
	"$1" 6 '10025 0x56000000/0x7f000000 7104 - -' fwmark 0x56000000/0x7f000000 lookup 7104 priority 10025 protocol 116
	"$1" 4 '10026 0x56000000/0x7f000000 254 - -' fwmark 0x56000000/0x7f000000 lookup main priority 10026 protocol 116
	"$1" 6 '10026 0x56000000/0x7f000000 254 - -' fwmark 0x56000000/0x7f000000 lookup main priority 10026 protocol 116
	"$1" 4 '10027 0x1f000000/0x7f000000 254 7 -' fwmark 0x1f000000/0x7f000000 lookup main suppress_prefixlength 7 priority 10027 protocol 116
	"$1" 6 '10027 0x1f000000/0x7f000000 7103 - -' fwmark 0x1f000000/0x7f000000 lookup 7103 priority 10027 protocol 116
	"$1" 4 '10028 0x1f000000/0x7f000000 7106 - -' fwmark 0x1f000000/0x7f000000 lookup 7106 priority 10028 protocol 116
	"$1" 6 '10028 0x1f000000/0x7f000000 7106 - -' fwmark 0x1f000000/0x7f000000 lookup 7106 priority 10028 protocol 116
	"$1" 4 '10029 0x1f000000/0x7f000000 254 - -' fwmark 0x1f000000/0x7f000000 lookup main priority 10029 protocol 116
	"$1" 6 '10029 0x1f000000/0x7f000000 254 - -' fwmark 0x1f000000/0x7f000000 lookup main priority 10029 protocol 116
	"$1" 6 '10030 0x70000000/0x7f000000 7103 - -' fwmark 0x70000000/0x7f000000 lookup 7103 priority 10030 protocol 116
	"$1" 6 '10031 0x70000000/0x7f000000 7140 - -' fwmark 0x70000000/0x7f000000 lookup 7140 priority 10031 protocol 116
	"$1" 6 '10032 0x70000000/0x7f000000 254 - -' fwmark 0x70000000/0x7f000000 lookup main priority 10032 protocol 116
	"$1" 4 '10033 0x22000000/0x7f000000 254 7 -' fwmark 0x22000000/0x7f000000 lookup main suppress_prefixlength 7 priority 10033 protocol 116
	"$1" 4 '10034 0x22000000/0x7f000000 7104 - -' fwmark 0x22000000/0x7f000000 lookup 7104 priority 10034 protocol 116
	"$1" 4 '10035 0x22000000/0x7f000000 254 7 -' fwmark 0x22000000/0x7f000000 lookup main suppress_prefixlength 7 priority 10035 protocol 116
	"$1" 4 '10036 0x22000000/0x7f000000 7106 - -' fwmark 0x22000000/0x7f000000 lookup 7106 priority 10036 protocol 116
	"$1" 4 '10037 0x22000000/0x7f000000 254 - -' fwmark 0x22000000/0x7f000000 lookup main priority 10037 protocol 116
	"$1" 4 '10038 0x39000000/0x7f000000 254 7 -' fwmark 0x39000000/0x7f000000 lookup main suppress_prefixlength 7 priority 10038 protocol 116
	"$1" 4 '10039 0x39000000/0x7f000000 7104 - -' fwmark 0x39000000/0x7f000000 lookup 7104 priority 10039 protocol 116
	"$1" 4 '10040 0x39000000/0x7f000000 254 7 -' fwmark 0x39000000/0x7f000000 lookup main suppress_prefixlength 7 priority 10040 protocol 116
	"$1" 4 '10041 0x39000000/0x7f000000 7106 - -' fwmark 0x39000000/0x7f000000 lookup 7106 priority 10041 protocol 116
	"$1" 4 '10042 0x39000000/0x7f000000 unreachable - -' fwmark 0x39000000/0x7f000000 unreachable priority 10042 protocol 116
	"$1" 4 '10043 0x48000000/0x7f000000 254 7 -' fwmark 0x48000000/0x7f000000 lookup main suppress_prefixlength 7 priority 10043 protocol 116
	"$1" 4 '10044 0x48000000/0x7f000000 7106 - -' fwmark 0x48000000/0x7f000000 lookup 7106 priority 10044 protocol 116
	"$1" 4 '10045 0x48000000/0x7f000000 254 7 -' fwmark 0x48000000/0x7f000000 lookup main suppress_prefixlength 7 priority 10045 protocol 116
	"$1" 4 '10046 0x48000000/0x7f000000 7104 - -' fwmark 0x48000000/0x7f000000 lookup 7104 priority 10046 protocol 116
	"$1" 4 '10047 0x48000000/0x7f000000 254 - -' fwmark 0x48000000/0x7f000000 lookup main priority 10047 protocol 116
	"$1" 4 '10048 0x21000000/0x7f000000 254 7 -' fwmark 0x21000000/0x7f000000 lookup main suppress_prefixlength 7 priority 10048 protocol 116
	"$1" 4 '10049 0x21000000/0x7f000000 7106 - -' fwmark 0x21000000/0x7f000000 lookup 7106 priority 10049 protocol 116
	"$1" 4 '10050 0x21000000/0x7f000000 blackhole - -' fwmark 0x21000000/0x7f000000 blackhole priority 10050 protocol 116
	"$1" 4 '10051 0x7000000/0x7f000000 254 7 -' fwmark 0x7000000/0x7f000000 lookup main suppress_prefixlength 7 priority 10051 protocol 116
	"$1" 6 '10051 0x7000000/0x7f000000 7103 - -' fwmark 0x7000000/0x7f000000 lookup 7103 priority 10051 protocol 116
	"$1" 4 '10052 0x7000000/0x7f000000 7104 - -' fwmark 0x7000000/0x7f000000 lookup 7104 priority 10052 protocol 116
	"$1" 6 '10052 0x7000000/0x7f000000 7104 - -' fwmark 0x7000000/0x7f000000 lookup 7104 priority 10052 protocol 116
	"$1" 4 '10053 0x7000000/0x7f000000 254 - -' fwmark 0x7000000/0x7f000000 lookup main priority 10053 protocol 116
	"$1" 6 '10053 0x7000000/0x7f000000 254 - -' fwmark 0x7000000/0x7f000000 lookup main priority 10053 protocol 116
	"$1" 6 '10054 0x42000000/0x7f000000 7103 - -' fwmark 0x42000000/0x7f000000 lookup 7103 priority 10054 protocol 116
	"$1" 6 '10055 0x42000000/0x7f000000 7140 - -' fwmark 0x42000000/0x7f000000 lookup 7140 priority 10055 protocol 116
	"$1" 6 '10056 0x42000000/0x7f000000 7103 - -' fwmark 0x42000000/0x7f000000 lookup 7103 priority 10056 protocol 116
	"$1" 6 '10057 0x42000000/0x7f000000 7106 - -' fwmark 0x42000000/0x7f000000 lookup 7106 priority 10057 protocol 116
	"$1" 6 '10058 0x42000000/0x7f000000 prohibit - -' fwmark 0x42000000/0x7f000000 prohibit priority 10058 protocol 116
	"$1" 4 '10059 0x30000000/0x7f000000 254 7 -' fwmark 0x30000000/0x7f000000 lookup main suppress_prefixlength 7 priority 10059 protocol 116
	"$1" 4 '10060 0x30000000/0x7f000000 7106 - -' fwmark 0x30000000/0x7f000000 lookup 7106 priority 10060 protocol 116
	"$1" 4 '10061 0x30000000/0x7f000000 254 - -' fwmark 0x30000000/0x7f000000 lookup main priority 10061 protocol 116
	"$1" 4 '10062 0x30000000/0x7f000000 prohibit - -' fwmark 0x30000000/0x7f000000 prohibit priority 10062 protocol 116
	"$1" 4 '10063 0x63000000/0x7f000000 7106 - -' fwmark 0x63000000/0x7f000000 lookup 7106 priority 10063 protocol 116
	"$1" 4 '10064 0x63000000/0x7f000000 7104 - -' fwmark 0x63000000/0x7f000000 lookup 7104 priority 10064 protocol 116
	"$1" 4 '10065 0x63000000/0x7f000000 254 - -' fwmark 0x63000000/0x7f000000 lookup main priority 10065 protocol 116
	"$1" 4 '10066 0x1d000000/0x7f000000 7106 - -' fwmark 0x1d000000/0x7f000000 lookup 7106 priority 10066 protocol 116
	"$1" 4 '10067 0x1d000000/0x7f000000 7104 - -' fwmark 0x1d000000/0x7f000000 lookup 7104 priority 10067 protocol 116
	"$1" 4 '10068 0x1d000000/0x7f000000 unreachable - -' fwmark 0x1d000000/0x7f000000 unreachable priority 10068 protocol 116
	"$1" 4 '10069 0x10000000/0x7f000000 7104 - -' fwmark 0x10000000/0x7f000000 lookup 7104 priority 10069 protocol 116
	"$1" 4 '10070 0x10000000/0x7f000000 7106 - -' fwmark 0x10000000/0x7f000000 lookup 7106 priority 10070 protocol 116
	"$1" 4 '10071 0x10000000/0x7f000000 254 - -' fwmark 0x10000000/0x7f000000 lookup main priority 10071 protocol 116
	"$1" 4 '10072 0x5e000000/0x7f000000 254 - -' fwmark 0x5e000000/0x7f000000 lookup main priority 10072 protocol 116
	"$1" 4 '10073 0x5e000000/0x7f000000 7106 - -' fwmark 0x5e000000/0x7f000000 lookup 7106 priority 10073 protocol 116
	"$1" 4 '10074 0x5e000000/0x7f000000 7104 - -' fwmark 0x5e000000/0x7f000000 lookup 7104 priority 10074 protocol 116
	"$1" 4 '10075 0x5e000000/0x7f000000 254 - -' fwmark 0x5e000000/0x7f000000 lookup main priority 10075 protocol 116
	"$1" 6 '10076 0x11000000/0x7f000000 7106 - -' fwmark 0x11000000/0x7f000000 lookup 7106 priority 10076 protocol 116
	"$1" 6 '10077 0x11000000/0x7f000000 7140 - -' fwmark 0x11000000/0x7f000000 lookup 7140 priority 10077 protocol 116
	"$1" 6 '10078 0x11000000/0x7f000000 prohibit - -' fwmark 0x11000000/0x7f000000 prohibit priority 10078 protocol 116
	"$1" 4 '10079 0x1b000000/0x7f000000 7106 - -' fwmark 0x1b000000/0x7f000000 lookup 7106 priority 10079 protocol 116
	"$1" 6 '10079 0x1b000000/0x7f000000 7106 - -' fwmark 0x1b000000/0x7f000000 lookup 7106 priority 10079 protocol 116
	"$1" 4 '10080 0x1b000000/0x7f000000 254 - -' fwmark 0x1b000000/0x7f000000 lookup main priority 10080 protocol 116
	"$1" 6 '10080 0x1b000000/0x7f000000 254 - -' fwmark 0x1b000000/0x7f000000 lookup main priority 10080 protocol 116
	"$1" 4 '10081 0x12000000/0x7f000000 254 - -' fwmark 0x12000000/0x7f000000 lookup main priority 10081 protocol 116
	"$1" 4 '10082 0x12000000/0x7f000000 7106 - -' fwmark 0x12000000/0x7f000000 lookup 7106 priority 10082 protocol 116
	"$1" 4 '10083 0x12000000/0x7f000000 prohibit - -' fwmark 0x12000000/0x7f000000 prohibit priority 10083 protocol 116
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
	"$1" 'net.ipv4.conf.wg0.ignore_routes_with_linkdown' '1' each - '' 'the table one leaves by this interface, and with 0 its routes stay in use when the interface loses its carrier: nothing takes its place'
	"$1" 'net.ipv4.conf.wg0.rp_filter' '0' each - 'effective - !0' 'the table one leaves by this interface, and a reverse-path filter drops the replies: a strict one (1) where the main table leaves by another, a loose one (2) where the main table has no route to their source, as when its only default route is gone'
	"$1" 'net.ipv6.conf.wg0.ignore_routes_with_linkdown' '1' each - '' 'the table one leaves by this interface, and with 0 its routes stay in use when the interface loses its carrier: nothing takes its place'
	"$1" 'net.ipv4.ip_forward' '1' each - '' 'the table one takes forwarded packets, and without this the host forwards no IPv4'
	"$1" 'net.ipv6.conf.*.accept_ra' '2' advertised - 'own_value - 1' 'one needs IPv6 forwarding, and a host that forwards forgets the routes that routers advertise, its default route among them, unless this is 2'
	"$1" 'net.ipv6.conf.all.forwarding' '1' each - '' 'the table one takes forwarded packets, and without this the host forwards no IPv6'
	"$1" 'net.ipv4.conf.*.rp_filter' '2' each - 'effective - 1
effective net.ipv4.conf.*.src_valid_mark 1' 'the table one takes packets that come in here, and a strict reverse-path filter that looks at marks (src_valid_mark) drops them'
	"$1" 'net.ipv4.conf.eth1.ignore_routes_with_linkdown' '1' each - '' 'the table one.two leaves by this interface, and with 0 its routes stay in use when the interface loses its carrier: nothing takes its place'
	"$1" 'net.ipv4.conf.eth1.rp_filter' '0' each - 'effective - !0' 'the table one.two leaves by this interface, and a reverse-path filter drops the replies: a strict one (1) where the main table leaves by another, a loose one (2) where the main table has no route to their source, as when its only default route is gone'
	"$1" 'net.ipv4.conf.eth1.send_redirects' '0' each - 'effective - !0' 'the table one.two may send packets out through the interface they came in on, and an ICMP redirect would make their sender bypass this host'
	"$1" 'net.ipv6.conf.eth2.ignore_routes_with_linkdown' '1' each - '' 'the table six.two.prohibit leaves by this interface, and with 0 its routes stay in use when the interface loses its carrier: nothing takes its place'
	"$1" 'net.ipv6.conf.eth1.ignore_routes_with_linkdown' '1' each - '' 'the table six.two.prohibit leaves by this interface, and with 0 its routes stay in use when the interface loses its carrier: nothing takes its place'
	"$1" 'net.ipv4.conf.*.ignore_routes_with_linkdown' '1' default - '' 'the list main.two goes on after the main table, and with 0 the main table'\''s default route stays in use when this interface loses its carrier: nothing takes its place'
	"$1" 'net.ipv6.conf.*.ignore_routes_with_linkdown' '1' default - '' 'the list main.two goes on after the main table, and with 0 the main table'\''s default route stays in use when this interface loses its carrier: nothing takes its place'
}

# compiler/emit/script.sh follows.
