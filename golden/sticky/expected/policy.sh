#!/bin/sh
# policy.sh: written by tpc from policy.yaml; change that and compile again, not this file.
#
#   up      puts the policy into force; again and again if you like
#   down    takes all of it away and puts sysctls back
#   status  shows what is there and what is missing (exit status 5)
#
# What it takes of the host's numbers:
#   name              mark/mask              ip rule  table    goes to
#   one.two.unreachable  0x46000000/0x7f000000  10000    -        the table's routes
#   one.two.unreachable  0x47000000/0x7f000000  10003    -        the table's routes
#   one.two.unreachable  0x48000000/0x7f000000  10006    -        the table's routes
#   two.far.main      0x31000000/0x7f000000  10009    -        the table's routes
#   one.two.main      0x04000000/0x7f000000  10012    -        the table's routes
#   far.near.two      0x6d000000/0x7f000000  10015    -        the table's routes
#   one               0x56000000/0x7f000000  10019    7104     replies of connections that came in through it
#   two               0x1f000000/0x7f000000  10022    7106     replies of connections that came in through it
#   far               0x7d000000/0x7f000000  10025    7169     replies of connections that came in through it
#   near              0x02000000/0x7f000000  10028    7142     replies of connections that came in through it
#   one.two.unreachable  0x39000000/0x7f000000  10031    -        the table's routes, for what comes in by an uplink or is translated
#   one.two.unreachable  0x3a000000/0x7f000000  10036    -        the table's routes, for what comes in by an uplink or is translated
#   one.two.unreachable  0x3b000000/0x7f000000  10041    -        the table's routes, for what comes in by an uplink or is translated
#   two.far.main      0x59000000/0x7f000000  10046    -        the table's routes, for what comes in by an uplink or is translated
#   one.two.main      0x1b000000/0x7f000000  10051    -        the table's routes, for what comes in by an uplink or is translated
#   far.near.two      0x08000000/0x7f000000  10056    -        the table's routes, for what comes in by an uplink or is translated
#   one.two.unreachable  0x6b000000/0x7f000000  10063    -        the table's routes, for what begins TCP connections of this host
#   one.two.unreachable/two  0x1c000000/0x7f000000  10066    -        the table's routes, two first: connections that it has taken
#   one.two.unreachable/two  0x1d000000/0x7f000000  10069    -        the table's routes, two first: connections that it has taken
#   two.far.main/far  0x7c000000/0x7f000000  10072    -        the table's routes, far first: connections that it has taken
#   two.far.main/main  0x21000000/0x7f000000  10075    -        the table's routes, main first: connections that it has taken
#   one.two.main/two  0x1e000000/0x7f000000  10079    -        the table's routes, two first: connections that it has taken
#   one.two.main/main  0x19000000/0x7f000000  10082    -        the table's routes, main first: connections that it has taken
#   far.near.two/two  0x5c000000/0x7f000000  10086    -        the table's routes, two first: connections that it has taken
#   nft table inet tpc; ip rules and routes carry protocol 116

stem='policy'
table=tpc
digest=a8f6f931749007be
protocol=116
first=10000
last=10089
sysctl_policy='set'
tables='7103 7104 7106 7142 7169 7199'
main_copy=7103
sets='hot_v4 hot_v6 gateways.one gateways.two gateways.far gateways.near gateways.main flows.route_two.far.main.9424e517_v4 flows.route_two.far.main.9424e517_v6 flows.count_rule_in_lan0_t.f8dea8d2_v4 flows.count_rule_in_lan0_t.f8dea8d2_v6 flows.route_far.near.two.eeac5cf9_v4 flows.route_far.near.two.eeac5cf9_v6 flows.ended_v4 flows.ended_v6 prerouting.list1.th_dport'
dynamic_sets='hot_v4 hot_v6'
gateways='gateways.one eth0 192.0.2.1
gateways.one eth0 2001:db8::1
gateways.two eth1 198.51.100.1
gateways.two eth1 2001:db8:2::1
gateways.far eth2 203.0.113.254
gateways.near eth2 203.0.113.253
gateways.main eth0 main
gateways.main eth1 main
gateways.main eth2 main'
own=''
named='lan0
lan1
lo
eth0
eth1
eth2'
cgroups=''
time_sets=''

# Masquerade by an interface without an IPv4 address would give packets that of another one.
# `tpc apply` leaves such a route out, and this file does not.
# family, table, destination and metric, and the words for ip
each_route() {
	:
	"$1" 4 7199 'default 0' local default dev lo table 7199 protocol 116
	"$1" 4 7104 'default 0' default via 192.0.2.1 dev eth0 table 7104 protocol 116
	"$1" 6 7104 'default 1024' default via 2001:db8::1 dev eth0 table 7104 protocol 116
	"$1" 4 7106 'default 0' default via 198.51.100.1 dev eth1 table 7106 protocol 116
	"$1" 6 7106 'default 1024' default via 2001:db8:2::1 dev eth1 table 7106 protocol 116
	"$1" 4 7169 'default 0' default via 203.0.113.254 dev eth2 table 7169 protocol 116
	"$1" 4 7142 'default 0' default via 203.0.113.253 dev eth2 table 7142 protocol 116
}

# family, what tells the rule from others, and the words for ip
each_rule() {
	:
	"$1" 4 '10000 0x46000000/0x7f000000 7104 - -' fwmark 0x46000000/0x7f000000 lookup 7104 priority 10000 protocol 116
	"$1" 6 '10000 0x46000000/0x7f000000 7104 - -' fwmark 0x46000000/0x7f000000 lookup 7104 priority 10000 protocol 116
	"$1" 4 '10001 0x46000000/0x7f000000 7106 - -' fwmark 0x46000000/0x7f000000 lookup 7106 priority 10001 protocol 116
	"$1" 6 '10001 0x46000000/0x7f000000 7106 - -' fwmark 0x46000000/0x7f000000 lookup 7106 priority 10001 protocol 116
	"$1" 4 '10002 0x46000000/0x7f000000 unreachable - -' fwmark 0x46000000/0x7f000000 unreachable priority 10002 protocol 116
	"$1" 6 '10002 0x46000000/0x7f000000 unreachable - -' fwmark 0x46000000/0x7f000000 unreachable priority 10002 protocol 116
	"$1" 4 '10003 0x47000000/0x7f000000 7104 - -' fwmark 0x47000000/0x7f000000 lookup 7104 priority 10003 protocol 116
	"$1" 6 '10003 0x47000000/0x7f000000 7104 - -' fwmark 0x47000000/0x7f000000 lookup 7104 priority 10003 protocol 116
	"$1" 4 '10004 0x47000000/0x7f000000 7106 - -' fwmark 0x47000000/0x7f000000 lookup 7106 priority 10004 protocol 116
	"$1" 6 '10004 0x47000000/0x7f000000 7106 - -' fwmark 0x47000000/0x7f000000 lookup 7106 priority 10004 protocol 116
	"$1" 4 '10005 0x47000000/0x7f000000 unreachable - -' fwmark 0x47000000/0x7f000000 unreachable priority 10005 protocol 116
	"$1" 6 '10005 0x47000000/0x7f000000 unreachable - -' fwmark 0x47000000/0x7f000000 unreachable priority 10005 protocol 116
	"$1" 4 '10006 0x48000000/0x7f000000 7104 - -' fwmark 0x48000000/0x7f000000 lookup 7104 priority 10006 protocol 116
	"$1" 4 '10007 0x48000000/0x7f000000 7106 - -' fwmark 0x48000000/0x7f000000 lookup 7106 priority 10007 protocol 116
	"$1" 4 '10008 0x48000000/0x7f000000 unreachable - -' fwmark 0x48000000/0x7f000000 unreachable priority 10008 protocol 116
	"$1" 4 '10009 0x31000000/0x7f000000 7106 - -' fwmark 0x31000000/0x7f000000 lookup 7106 priority 10009 protocol 116
	"$1" 6 '10009 0x31000000/0x7f000000 7106 - -' fwmark 0x31000000/0x7f000000 lookup 7106 priority 10009 protocol 116
	"$1" 4 '10010 0x31000000/0x7f000000 7169 - -' fwmark 0x31000000/0x7f000000 lookup 7169 priority 10010 protocol 116
	"$1" 6 '10010 0x31000000/0x7f000000 7169 - -' fwmark 0x31000000/0x7f000000 lookup 7169 priority 10010 protocol 116
	"$1" 4 '10011 0x31000000/0x7f000000 254 - -' fwmark 0x31000000/0x7f000000 lookup main priority 10011 protocol 116
	"$1" 6 '10011 0x31000000/0x7f000000 254 - -' fwmark 0x31000000/0x7f000000 lookup main priority 10011 protocol 116
	"$1" 4 '10012 0x4000000/0x7f000000 7104 - -' fwmark 0x4000000/0x7f000000 lookup 7104 priority 10012 protocol 116
	"$1" 4 '10013 0x4000000/0x7f000000 7106 - -' fwmark 0x4000000/0x7f000000 lookup 7106 priority 10013 protocol 116
	"$1" 4 '10014 0x4000000/0x7f000000 254 - -' fwmark 0x4000000/0x7f000000 lookup main priority 10014 protocol 116
	"$1" 4 '10015 0x6d000000/0x7f000000 7169 - -' fwmark 0x6d000000/0x7f000000 lookup 7169 priority 10015 protocol 116
	"$1" 6 '10015 0x6d000000/0x7f000000 7169 - -' fwmark 0x6d000000/0x7f000000 lookup 7169 priority 10015 protocol 116
	"$1" 4 '10016 0x6d000000/0x7f000000 7142 - -' fwmark 0x6d000000/0x7f000000 lookup 7142 priority 10016 protocol 116
	"$1" 6 '10016 0x6d000000/0x7f000000 7142 - -' fwmark 0x6d000000/0x7f000000 lookup 7142 priority 10016 protocol 116
	"$1" 4 '10017 0x6d000000/0x7f000000 7106 - -' fwmark 0x6d000000/0x7f000000 lookup 7106 priority 10017 protocol 116
	"$1" 6 '10017 0x6d000000/0x7f000000 7106 - -' fwmark 0x6d000000/0x7f000000 lookup 7106 priority 10017 protocol 116
	"$1" 4 '10018 0x6d000000/0x7f000000 254 - -' fwmark 0x6d000000/0x7f000000 lookup main priority 10018 protocol 116
	"$1" 6 '10018 0x6d000000/0x7f000000 254 - -' fwmark 0x6d000000/0x7f000000 lookup main priority 10018 protocol 116
	"$1" 4 '10019 0x56000000/0x7f000000 254 7 -' fwmark 0x56000000/0x7f000000 lookup main suppress_prefixlength 7 priority 10019 protocol 116
	"$1" 6 '10019 0x56000000/0x7f000000 7103 - -' fwmark 0x56000000/0x7f000000 lookup 7103 priority 10019 protocol 116
	"$1" 4 '10020 0x56000000/0x7f000000 7104 - -' fwmark 0x56000000/0x7f000000 lookup 7104 priority 10020 protocol 116
	"$1" 6 '10020 0x56000000/0x7f000000 7104 - -' fwmark 0x56000000/0x7f000000 lookup 7104 priority 10020 protocol 116
	"$1" 4 '10021 0x56000000/0x7f000000 254 - -' fwmark 0x56000000/0x7f000000 lookup main priority 10021 protocol 116
	"$1" 6 '10021 0x56000000/0x7f000000 254 - -' fwmark 0x56000000/0x7f000000 lookup main priority 10021 protocol 116
	"$1" 4 '10022 0x1f000000/0x7f000000 254 7 -' fwmark 0x1f000000/0x7f000000 lookup main suppress_prefixlength 7 priority 10022 protocol 116
	"$1" 6 '10022 0x1f000000/0x7f000000 7103 - -' fwmark 0x1f000000/0x7f000000 lookup 7103 priority 10022 protocol 116
	"$1" 4 '10023 0x1f000000/0x7f000000 7106 - -' fwmark 0x1f000000/0x7f000000 lookup 7106 priority 10023 protocol 116
	"$1" 6 '10023 0x1f000000/0x7f000000 7106 - -' fwmark 0x1f000000/0x7f000000 lookup 7106 priority 10023 protocol 116
	"$1" 4 '10024 0x1f000000/0x7f000000 254 - -' fwmark 0x1f000000/0x7f000000 lookup main priority 10024 protocol 116
	"$1" 6 '10024 0x1f000000/0x7f000000 254 - -' fwmark 0x1f000000/0x7f000000 lookup main priority 10024 protocol 116
	"$1" 4 '10025 0x7d000000/0x7f000000 254 7 -' fwmark 0x7d000000/0x7f000000 lookup main suppress_prefixlength 7 priority 10025 protocol 116
	"$1" 4 '10026 0x7d000000/0x7f000000 7169 - -' fwmark 0x7d000000/0x7f000000 lookup 7169 priority 10026 protocol 116
	"$1" 4 '10027 0x7d000000/0x7f000000 254 - -' fwmark 0x7d000000/0x7f000000 lookup main priority 10027 protocol 116
	"$1" 4 '10028 0x2000000/0x7f000000 254 7 -' fwmark 0x2000000/0x7f000000 lookup main suppress_prefixlength 7 priority 10028 protocol 116
	"$1" 4 '10029 0x2000000/0x7f000000 7142 - -' fwmark 0x2000000/0x7f000000 lookup 7142 priority 10029 protocol 116
	"$1" 4 '10030 0x2000000/0x7f000000 254 - -' fwmark 0x2000000/0x7f000000 lookup main priority 10030 protocol 116
	"$1" 4 '10031 0x39000000/0x7f000000 254 7 -' fwmark 0x39000000/0x7f000000 lookup main suppress_prefixlength 7 priority 10031 protocol 116
	"$1" 4 '10032 0x39000000/0x7f000000 7104 - -' fwmark 0x39000000/0x7f000000 lookup 7104 priority 10032 protocol 116
	"$1" 4 '10033 0x39000000/0x7f000000 254 7 -' fwmark 0x39000000/0x7f000000 lookup main suppress_prefixlength 7 priority 10033 protocol 116
	"$1" 4 '10034 0x39000000/0x7f000000 7106 - -' fwmark 0x39000000/0x7f000000 lookup 7106 priority 10034 protocol 116
	"$1" 4 '10035 0x39000000/0x7f000000 unreachable - -' fwmark 0x39000000/0x7f000000 unreachable priority 10035 protocol 116
	"$1" 4 '10036 0x3a000000/0x7f000000 254 7 -' fwmark 0x3a000000/0x7f000000 lookup main suppress_prefixlength 7 priority 10036 protocol 116
	"$1" 6 '10036 0x3a000000/0x7f000000 7103 - -' fwmark 0x3a000000/0x7f000000 lookup 7103 priority 10036 protocol 116
	"$1" 4 '10037 0x3a000000/0x7f000000 7104 - -' fwmark 0x3a000000/0x7f000000 lookup 7104 priority 10037 protocol 116
	"$1" 6 '10037 0x3a000000/0x7f000000 7104 - -' fwmark 0x3a000000/0x7f000000 lookup 7104 priority 10037 protocol 116
	"$1" 4 '10038 0x3a000000/0x7f000000 254 7 -' fwmark 0x3a000000/0x7f000000 lookup main suppress_prefixlength 7 priority 10038 protocol 116
	"$1" 6 '10038 0x3a000000/0x7f000000 7103 - -' fwmark 0x3a000000/0x7f000000 lookup 7103 priority 10038 protocol 116
	"$1" 4 '10039 0x3a000000/0x7f000000 7106 - -' fwmark 0x3a000000/0x7f000000 lookup 7106 priority 10039 protocol 116
	"$1" 6 '10039 0x3a000000/0x7f000000 7106 - -' fwmark 0x3a000000/0x7f000000 lookup 7106 priority 10039 protocol 116
	"$1" 4 '10040 0x3a000000/0x7f000000 unreachable - -' fwmark 0x3a000000/0x7f000000 unreachable priority 10040 protocol 116
	"$1" 6 '10040 0x3a000000/0x7f000000 unreachable - -' fwmark 0x3a000000/0x7f000000 unreachable priority 10040 protocol 116
	"$1" 4 '10041 0x3b000000/0x7f000000 254 7 -' fwmark 0x3b000000/0x7f000000 lookup main suppress_prefixlength 7 priority 10041 protocol 116
	"$1" 6 '10041 0x3b000000/0x7f000000 7103 - -' fwmark 0x3b000000/0x7f000000 lookup 7103 priority 10041 protocol 116
	"$1" 4 '10042 0x3b000000/0x7f000000 7104 - -' fwmark 0x3b000000/0x7f000000 lookup 7104 priority 10042 protocol 116
	"$1" 6 '10042 0x3b000000/0x7f000000 7104 - -' fwmark 0x3b000000/0x7f000000 lookup 7104 priority 10042 protocol 116
	"$1" 4 '10043 0x3b000000/0x7f000000 254 7 -' fwmark 0x3b000000/0x7f000000 lookup main suppress_prefixlength 7 priority 10043 protocol 116
	"$1" 6 '10043 0x3b000000/0x7f000000 7103 - -' fwmark 0x3b000000/0x7f000000 lookup 7103 priority 10043 protocol 116
	"$1" 4 '10044 0x3b000000/0x7f000000 7106 - -' fwmark 0x3b000000/0x7f000000 lookup 7106 priority 10044 protocol 116
	"$1" 6 '10044 0x3b000000/0x7f000000 7106 - -' fwmark 0x3b000000/0x7f000000 lookup 7106 priority 10044 protocol 116
	"$1" 4 '10045 0x3b000000/0x7f000000 unreachable - -' fwmark 0x3b000000/0x7f000000 unreachable priority 10045 protocol 116
	"$1" 6 '10045 0x3b000000/0x7f000000 unreachable - -' fwmark 0x3b000000/0x7f000000 unreachable priority 10045 protocol 116
	"$1" 4 '10046 0x59000000/0x7f000000 254 7 -' fwmark 0x59000000/0x7f000000 lookup main suppress_prefixlength 7 priority 10046 protocol 116
	"$1" 6 '10046 0x59000000/0x7f000000 7103 - -' fwmark 0x59000000/0x7f000000 lookup 7103 priority 10046 protocol 116
	"$1" 4 '10047 0x59000000/0x7f000000 7106 - -' fwmark 0x59000000/0x7f000000 lookup 7106 priority 10047 protocol 116
	"$1" 6 '10047 0x59000000/0x7f000000 7106 - -' fwmark 0x59000000/0x7f000000 lookup 7106 priority 10047 protocol 116
	"$1" 4 '10048 0x59000000/0x7f000000 254 7 -' fwmark 0x59000000/0x7f000000 lookup main suppress_prefixlength 7 priority 10048 protocol 116
	"$1" 6 '10048 0x59000000/0x7f000000 7103 - -' fwmark 0x59000000/0x7f000000 lookup 7103 priority 10048 protocol 116
	"$1" 4 '10049 0x59000000/0x7f000000 7169 - -' fwmark 0x59000000/0x7f000000 lookup 7169 priority 10049 protocol 116
	"$1" 6 '10049 0x59000000/0x7f000000 7169 - -' fwmark 0x59000000/0x7f000000 lookup 7169 priority 10049 protocol 116
	"$1" 4 '10050 0x59000000/0x7f000000 254 - -' fwmark 0x59000000/0x7f000000 lookup main priority 10050 protocol 116
	"$1" 6 '10050 0x59000000/0x7f000000 254 - -' fwmark 0x59000000/0x7f000000 lookup main priority 10050 protocol 116
	"$1" 4 '10051 0x1b000000/0x7f000000 254 7 -' fwmark 0x1b000000/0x7f000000 lookup main suppress_prefixlength 7 priority 10051 protocol 116
	"$1" 4 '10052 0x1b000000/0x7f000000 7104 - -' fwmark 0x1b000000/0x7f000000 lookup 7104 priority 10052 protocol 116
	"$1" 4 '10053 0x1b000000/0x7f000000 254 7 -' fwmark 0x1b000000/0x7f000000 lookup main suppress_prefixlength 7 priority 10053 protocol 116
	"$1" 4 '10054 0x1b000000/0x7f000000 7106 - -' fwmark 0x1b000000/0x7f000000 lookup 7106 priority 10054 protocol 116
	"$1" 4 '10055 0x1b000000/0x7f000000 254 - -' fwmark 0x1b000000/0x7f000000 lookup main priority 10055 protocol 116
	"$1" 4 '10056 0x8000000/0x7f000000 254 7 -' fwmark 0x8000000/0x7f000000 lookup main suppress_prefixlength 7 priority 10056 protocol 116
	"$1" 6 '10056 0x8000000/0x7f000000 7103 - -' fwmark 0x8000000/0x7f000000 lookup 7103 priority 10056 protocol 116
	"$1" 4 '10057 0x8000000/0x7f000000 7169 - -' fwmark 0x8000000/0x7f000000 lookup 7169 priority 10057 protocol 116
	"$1" 6 '10057 0x8000000/0x7f000000 7169 - -' fwmark 0x8000000/0x7f000000 lookup 7169 priority 10057 protocol 116
	"$1" 4 '10058 0x8000000/0x7f000000 254 7 -' fwmark 0x8000000/0x7f000000 lookup main suppress_prefixlength 7 priority 10058 protocol 116
	"$1" 6 '10058 0x8000000/0x7f000000 7103 - -' fwmark 0x8000000/0x7f000000 lookup 7103 priority 10058 protocol 116
	"$1" 4 '10059 0x8000000/0x7f000000 7142 - -' fwmark 0x8000000/0x7f000000 lookup 7142 priority 10059 protocol 116
	"$1" 6 '10059 0x8000000/0x7f000000 7142 - -' fwmark 0x8000000/0x7f000000 lookup 7142 priority 10059 protocol 116
	"$1" 4 '10060 0x8000000/0x7f000000 254 7 -' fwmark 0x8000000/0x7f000000 lookup main suppress_prefixlength 7 priority 10060 protocol 116
	"$1" 6 '10060 0x8000000/0x7f000000 7103 - -' fwmark 0x8000000/0x7f000000 lookup 7103 priority 10060 protocol 116
	"$1" 4 '10061 0x8000000/0x7f000000 7106 - -' fwmark 0x8000000/0x7f000000 lookup 7106 priority 10061 protocol 116
	"$1" 6 '10061 0x8000000/0x7f000000 7106 - -' fwmark 0x8000000/0x7f000000 lookup 7106 priority 10061 protocol 116
	"$1" 4 '10062 0x8000000/0x7f000000 254 - -' fwmark 0x8000000/0x7f000000 lookup main priority 10062 protocol 116
	"$1" 6 '10062 0x8000000/0x7f000000 254 - -' fwmark 0x8000000/0x7f000000 lookup main priority 10062 protocol 116
	"$1" 4 '10063 0x6b000000/0x7f000000 7104 - -' fwmark 0x6b000000/0x7f000000 lookup 7104 priority 10063 protocol 116
	"$1" 4 '10064 0x6b000000/0x7f000000 7106 - -' fwmark 0x6b000000/0x7f000000 lookup 7106 priority 10064 protocol 116
	"$1" 4 '10065 0x6b000000/0x7f000000 7199 - -' fwmark 0x6b000000/0x7f000000 lookup 7199 priority 10065 protocol 116
	"$1" 4 '10066 0x1c000000/0x7f000000 7106 - -' fwmark 0x1c000000/0x7f000000 lookup 7106 priority 10066 protocol 116
	"$1" 6 '10066 0x1c000000/0x7f000000 7106 - -' fwmark 0x1c000000/0x7f000000 lookup 7106 priority 10066 protocol 116
	"$1" 4 '10067 0x1c000000/0x7f000000 7104 - -' fwmark 0x1c000000/0x7f000000 lookup 7104 priority 10067 protocol 116
	"$1" 6 '10067 0x1c000000/0x7f000000 7104 - -' fwmark 0x1c000000/0x7f000000 lookup 7104 priority 10067 protocol 116
	"$1" 4 '10068 0x1c000000/0x7f000000 unreachable - -' fwmark 0x1c000000/0x7f000000 unreachable priority 10068 protocol 116
	"$1" 6 '10068 0x1c000000/0x7f000000 unreachable - -' fwmark 0x1c000000/0x7f000000 unreachable priority 10068 protocol 116
	"$1" 4 '10069 0x1d000000/0x7f000000 7106 - -' fwmark 0x1d000000/0x7f000000 lookup 7106 priority 10069 protocol 116
	"$1" 4 '10070 0x1d000000/0x7f000000 7104 - -' fwmark 0x1d000000/0x7f000000 lookup 7104 priority 10070 protocol 116
	"$1" 4 '10071 0x1d000000/0x7f000000 unreachable - -' fwmark 0x1d000000/0x7f000000 unreachable priority 10071 protocol 116
	"$1" 4 '10072 0x7c000000/0x7f000000 7169 - -' fwmark 0x7c000000/0x7f000000 lookup 7169 priority 10072 protocol 116
	"$1" 6 '10072 0x7c000000/0x7f000000 7169 - -' fwmark 0x7c000000/0x7f000000 lookup 7169 priority 10072 protocol 116
	"$1" 4 '10073 0x7c000000/0x7f000000 7106 - -' fwmark 0x7c000000/0x7f000000 lookup 7106 priority 10073 protocol 116
	"$1" 6 '10073 0x7c000000/0x7f000000 7106 - -' fwmark 0x7c000000/0x7f000000 lookup 7106 priority 10073 protocol 116
	"$1" 4 '10074 0x7c000000/0x7f000000 254 - -' fwmark 0x7c000000/0x7f000000 lookup main priority 10074 protocol 116
	"$1" 6 '10074 0x7c000000/0x7f000000 254 - -' fwmark 0x7c000000/0x7f000000 lookup main priority 10074 protocol 116
	"$1" 4 '10075 0x21000000/0x7f000000 254 - -' fwmark 0x21000000/0x7f000000 lookup main priority 10075 protocol 116
	"$1" 6 '10075 0x21000000/0x7f000000 254 - -' fwmark 0x21000000/0x7f000000 lookup main priority 10075 protocol 116
	"$1" 4 '10076 0x21000000/0x7f000000 7106 - -' fwmark 0x21000000/0x7f000000 lookup 7106 priority 10076 protocol 116
	"$1" 6 '10076 0x21000000/0x7f000000 7106 - -' fwmark 0x21000000/0x7f000000 lookup 7106 priority 10076 protocol 116
	"$1" 4 '10077 0x21000000/0x7f000000 7169 - -' fwmark 0x21000000/0x7f000000 lookup 7169 priority 10077 protocol 116
	"$1" 6 '10077 0x21000000/0x7f000000 7169 - -' fwmark 0x21000000/0x7f000000 lookup 7169 priority 10077 protocol 116
	"$1" 4 '10078 0x21000000/0x7f000000 254 - -' fwmark 0x21000000/0x7f000000 lookup main priority 10078 protocol 116
	"$1" 6 '10078 0x21000000/0x7f000000 254 - -' fwmark 0x21000000/0x7f000000 lookup main priority 10078 protocol 116
	"$1" 4 '10079 0x1e000000/0x7f000000 7106 - -' fwmark 0x1e000000/0x7f000000 lookup 7106 priority 10079 protocol 116
	"$1" 4 '10080 0x1e000000/0x7f000000 7104 - -' fwmark 0x1e000000/0x7f000000 lookup 7104 priority 10080 protocol 116
	"$1" 4 '10081 0x1e000000/0x7f000000 254 - -' fwmark 0x1e000000/0x7f000000 lookup main priority 10081 protocol 116
	"$1" 4 '10082 0x19000000/0x7f000000 254 - -' fwmark 0x19000000/0x7f000000 lookup main priority 10082 protocol 116
	"$1" 4 '10083 0x19000000/0x7f000000 7104 - -' fwmark 0x19000000/0x7f000000 lookup 7104 priority 10083 protocol 116
	"$1" 4 '10084 0x19000000/0x7f000000 7106 - -' fwmark 0x19000000/0x7f000000 lookup 7106 priority 10084 protocol 116
	"$1" 4 '10085 0x19000000/0x7f000000 254 - -' fwmark 0x19000000/0x7f000000 lookup main priority 10085 protocol 116
	"$1" 4 '10086 0x5c000000/0x7f000000 7106 - -' fwmark 0x5c000000/0x7f000000 lookup 7106 priority 10086 protocol 116
	"$1" 6 '10086 0x5c000000/0x7f000000 7106 - -' fwmark 0x5c000000/0x7f000000 lookup 7106 priority 10086 protocol 116
	"$1" 4 '10087 0x5c000000/0x7f000000 7169 - -' fwmark 0x5c000000/0x7f000000 lookup 7169 priority 10087 protocol 116
	"$1" 6 '10087 0x5c000000/0x7f000000 7169 - -' fwmark 0x5c000000/0x7f000000 lookup 7169 priority 10087 protocol 116
	"$1" 4 '10088 0x5c000000/0x7f000000 7142 - -' fwmark 0x5c000000/0x7f000000 lookup 7142 priority 10088 protocol 116
	"$1" 6 '10088 0x5c000000/0x7f000000 7142 - -' fwmark 0x5c000000/0x7f000000 lookup 7142 priority 10088 protocol 116
	"$1" 4 '10089 0x5c000000/0x7f000000 254 - -' fwmark 0x5c000000/0x7f000000 lookup main priority 10089 protocol 116
	"$1" 6 '10089 0x5c000000/0x7f000000 254 - -' fwmark 0x5c000000/0x7f000000 lookup main priority 10089 protocol 116
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
	"$1" 'net.ipv4.conf.eth0.ignore_routes_with_linkdown' '1' each - '' 'the table one.two.unreachable leaves by this interface, and with 0 its routes stay in use when the interface loses its carrier: nothing takes its place'
	"$1" 'net.ipv4.conf.eth0.rp_filter' '0' each - 'effective - !0' 'the table one.two.unreachable leaves by this interface, and a reverse-path filter drops the replies: a strict one (1) where the main table leaves by another, a loose one (2) where the main table has no route to their source, as when its only default route is gone'
	"$1" 'net.ipv6.conf.eth0.ignore_routes_with_linkdown' '1' each - '' 'the table one.two.unreachable leaves by this interface, and with 0 its routes stay in use when the interface loses its carrier: nothing takes its place'
	"$1" 'net.ipv4.conf.eth1.ignore_routes_with_linkdown' '1' each - '' 'the table one.two.unreachable leaves by this interface, and with 0 its routes stay in use when the interface loses its carrier: nothing takes its place'
	"$1" 'net.ipv4.conf.eth1.rp_filter' '0' each - 'effective - !0' 'the table one.two.unreachable leaves by this interface, and a reverse-path filter drops the replies: a strict one (1) where the main table leaves by another, a loose one (2) where the main table has no route to their source, as when its only default route is gone'
	"$1" 'net.ipv6.conf.eth1.ignore_routes_with_linkdown' '1' each - '' 'the table one.two.unreachable leaves by this interface, and with 0 its routes stay in use when the interface loses its carrier: nothing takes its place'
	"$1" 'net.ipv4.ip_forward' '1' each - '' 'the table one.two.unreachable takes forwarded packets, and without this the host forwards no IPv4'
	"$1" 'net.ipv6.conf.*.accept_ra' '2' advertised - 'own_value - 1' 'one.two.unreachable needs IPv6 forwarding, and a host that forwards forgets the routes that routers advertise, its default route among them, unless this is 2'
	"$1" 'net.ipv6.conf.all.forwarding' '1' each - '' 'the table one.two.unreachable takes forwarded packets, and without this the host forwards no IPv6'
	"$1" 'net.ipv4.conf.*.rp_filter' '2' each - 'effective - 1
effective net.ipv4.conf.*.src_valid_mark 1' 'the table one.two.unreachable takes packets that come in here, and a strict reverse-path filter that looks at marks (src_valid_mark) drops them'
	"$1" 'net.ipv4.conf.eth0.send_redirects' '0' each - 'effective - !0' 'the table one.two.unreachable may send packets out through the interface they came in on, and an ICMP redirect would make their sender bypass this host'
	"$1" 'net.ipv4.conf.eth1.send_redirects' '0' each - 'effective - !0' 'the table one.two.unreachable may send packets out through the interface they came in on, and an ICMP redirect would make their sender bypass this host'
	"$1" 'net.ipv4.conf.eth2.ignore_routes_with_linkdown' '1' each - '' 'the table two.far.main leaves by this interface, and with 0 its routes stay in use when the interface loses its carrier: nothing takes its place'
	"$1" 'net.ipv4.conf.eth2.rp_filter' '0' each - 'effective - !0' 'the table two.far.main leaves by this interface, and a reverse-path filter drops the replies: a strict one (1) where the main table leaves by another, a loose one (2) where the main table has no route to their source, as when its only default route is gone'
	"$1" 'net.ipv4.conf.*.ignore_routes_with_linkdown' '1' default - '' 'the list two.far.main goes on after the main table, and with 0 the main table'\''s default route stays in use when this interface loses its carrier: nothing takes its place'
	"$1" 'net.ipv6.conf.*.ignore_routes_with_linkdown' '1' default - '' 'the list two.far.main goes on after the main table, and with 0 the main table'\''s default route stays in use when this interface loses its carrier: nothing takes its place'
}

# compiler/emit/script.sh follows.
