#!/bin/sh
# policy.sh: written by tpc from policy.yaml; change that and compile again, not this file.
#
#   up      puts the policy into force; again and again if you like
#   down    takes all of it away and puts sysctls back
#   status  shows what is there and what is missing (exit status 5)
#
# What it takes of the host's numbers:
#   name              mark/mask              ip rule  table    goes to
#   one               0x4c000000/0x7f000000  10000    7104     tproxy port 12345
#   two               0x12000000/0x7f000000  10002    7106     tproxy port 12346
#   three             0x39000000/0x7f000000  10004    7168     tproxy port 12347
#   red               0x41000000/0x7f000000  -        -        redirect port 3128
#   blue              0x2e000000/0x7f000000  -        -        redirect port 3129
#   far               0x5f000000/0x7f000000  -        -        dnat port 80
#   away              0x3d000000/0x7f000000  -        -        dnat port 80
#   nft table inet tpc; ip rules and routes carry protocol 116

stem='policy'
table=tpc
digest=2655075fbae1deff
protocol=116
first=10000
last=10005
sysctl_policy='set'
tables='7104 7106 7168'
main_copy=''
sets='flows.ended_v4 flows.ended_v6'
dynamic_sets=''
gateways=''
named='lan0
lan1
lo'
cgroups=''
time_sets=''

# family, table, destination and metric, and the words for ip
each_route() {
	:
	"$1" 4 7104 'default 0' local default dev lo table 7104 protocol 116
	"$1" 6 7104 'default 1024' local default dev lo table 7104 protocol 116
	"$1" 4 7106 'default 0' local default dev lo table 7106 protocol 116
	"$1" 6 7106 'default 1024' local default dev lo table 7106 protocol 116
	"$1" 4 7168 'default 0' local default dev lo table 7168 protocol 116
	"$1" 6 7168 'default 1024' local default dev lo table 7168 protocol 116
}

# family, what tells the rule from others, and the words for ip
each_rule() {
	:
	"$1" 4 '10000 0x4c000000/0x7f000000 7104 - -' fwmark 0x4c000000/0x7f000000 lookup 7104 priority 10000 protocol 116
	"$1" 6 '10000 0x4c000000/0x7f000000 7104 - -' fwmark 0x4c000000/0x7f000000 lookup 7104 priority 10000 protocol 116
	"$1" 4 '10001 0x4c000000/0x7f000000 unreachable - -' fwmark 0x4c000000/0x7f000000 unreachable priority 10001 protocol 116
	"$1" 6 '10001 0x4c000000/0x7f000000 unreachable - -' fwmark 0x4c000000/0x7f000000 unreachable priority 10001 protocol 116
	"$1" 4 '10002 0x12000000/0x7f000000 7106 - -' fwmark 0x12000000/0x7f000000 lookup 7106 priority 10002 protocol 116
	"$1" 6 '10002 0x12000000/0x7f000000 7106 - -' fwmark 0x12000000/0x7f000000 lookup 7106 priority 10002 protocol 116
	"$1" 4 '10003 0x12000000/0x7f000000 unreachable - -' fwmark 0x12000000/0x7f000000 unreachable priority 10003 protocol 116
	"$1" 6 '10003 0x12000000/0x7f000000 unreachable - -' fwmark 0x12000000/0x7f000000 unreachable priority 10003 protocol 116
	"$1" 4 '10004 0x39000000/0x7f000000 7168 - -' fwmark 0x39000000/0x7f000000 lookup 7168 priority 10004 protocol 116
	"$1" 6 '10004 0x39000000/0x7f000000 7168 - -' fwmark 0x39000000/0x7f000000 lookup 7168 priority 10004 protocol 116
	"$1" 4 '10005 0x39000000/0x7f000000 unreachable - -' fwmark 0x39000000/0x7f000000 unreachable priority 10005 protocol 116
	"$1" 6 '10005 0x39000000/0x7f000000 unreachable - -' fwmark 0x39000000/0x7f000000 unreachable priority 10005 protocol 116
}

# family, what tells the rule from others, and the words for ip: what has no mark is refused
each_unmarked() {
	:
}

# key, value, when it matters, the address it is about, why, and interfaces
each_sysctl() {
	:
	"$1" 'net.ipv4.conf.all.src_valid_mark' '0' always - 'the listener one takes what comes from outside by tproxy, and with 1 the kernel looks for the way back by the mark, finds this host, and drops the packet'
	"$1" 'net.ipv4.conf.*.src_valid_mark' '0' always - 'the listener one takes what comes from outside by tproxy, and the kernel drops it where an interface'\''s own is 1' 'lan0'
	"$1" 'net.bridge.bridge-nf-call-iptables' '0' bridge - 'the listener one takes forwarded packets by tproxy, and with 1 (br_netfilter, for Docker) what comes by a bridge loses its listener; rules of others for packets within one bridge, such as between containers, need 1' 'lan0'
	"$1" 'net.bridge.bridge-nf-call-ip6tables' '0' bridge - 'the listener one takes forwarded packets by tproxy, and with 1 (br_netfilter, for Docker) what comes by a bridge loses its listener; rules of others for packets within one bridge, such as between containers, need 1' 'lan0'
	"$1" 'net.ipv4.ip_forward' '1' elsewhere 192.0.2.9 'the listener far is on another host, and without this nothing is forwarded there'
	"$1" 'net.ipv6.conf.*.accept_ra' '2' advertised - 'far needs IPv6 forwarding, and a host that forwards forgets the routes that routers advertise, its default route among them, unless this is 2'
	"$1" 'net.ipv6.conf.all.forwarding' '1' elsewhere 2001:db8::9 'the listener far is on another host, and without this nothing is forwarded there'
	"$1" 'net.ipv4.ip_forward' '1' elsewhere 192.0.2.10 'the listener away is on another host, and without this nothing is forwarded there'
	"$1" 'net.ipv6.conf.all.forwarding' '1' elsewhere 2001:db8::10 'the listener away is on another host, and without this nothing is forwarded there'
}

# compiler/emit/script.sh follows.
