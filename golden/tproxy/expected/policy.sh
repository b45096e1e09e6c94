#!/bin/sh
# policy.sh: written by tpc from policy.yaml; change that and compile again, not this file.
#
#   up      puts the policy into force; again and again if you like
#   down    takes all of it away and puts sysctls back
#   status  shows what is there and what is missing (exit status 5)
#
# What it takes of the host's numbers:
#   name              mark/mask              ip rule  table    goes to
#   both              0x4e000000/0x7f000000  10000    7191     tproxy port 12345
#   only_tcp          0x53000000/0x7f000000  10002    7130     tproxy port 12346
#   only_udp          0x2f000000/0x7f000000  10004    7198     tproxy port 12347
#   nft table inet tpc; ip rules and routes carry protocol 116

stem='policy'
table=tpc
digest=f11649c5256dddac
protocol=116
first=10000
last=10005
sysctl_policy='set'
tables='7130 7191 7198'
main_copy=''
sets='flows.ended_v4 flows.ended_v6 prerouting.ip_daddr prerouting.ip6_daddr errors_forward.ct_original_ip_daddr'
dynamic_sets=''
gateways=''
own=''
named='lo'
cgroups=''
time_sets=''

# family, table, destination and metric, and the words for ip
each_route() {
	:
	"$1" 4 7191 'default 0' local default dev lo table 7191 protocol 116
	"$1" 6 7191 'default 1024' local default dev lo table 7191 protocol 116
	"$1" 4 7130 'default 0' local default dev lo table 7130 protocol 116
	"$1" 4 7198 'default 0' local default dev lo table 7198 protocol 116
	"$1" 6 7198 'default 1024' local default dev lo table 7198 protocol 116
}

# family, what tells the rule from others, and the words for ip
each_rule() {
	:
	"$1" 4 '10000 0x4e000000/0x7f000000 7191 - -' fwmark 0x4e000000/0x7f000000 lookup 7191 priority 10000 protocol 116
	"$1" 6 '10000 0x4e000000/0x7f000000 7191 - -' fwmark 0x4e000000/0x7f000000 lookup 7191 priority 10000 protocol 116
	"$1" 4 '10001 0x4e000000/0x7f000000 unreachable - -' fwmark 0x4e000000/0x7f000000 unreachable priority 10001 protocol 116
	"$1" 6 '10001 0x4e000000/0x7f000000 unreachable - -' fwmark 0x4e000000/0x7f000000 unreachable priority 10001 protocol 116
	"$1" 4 '10002 0x53000000/0x7f000000 7130 - -' fwmark 0x53000000/0x7f000000 lookup 7130 priority 10002 protocol 116
	"$1" 4 '10003 0x53000000/0x7f000000 unreachable - -' fwmark 0x53000000/0x7f000000 unreachable priority 10003 protocol 116
	"$1" 4 '10004 0x2f000000/0x7f000000 7198 - -' fwmark 0x2f000000/0x7f000000 lookup 7198 priority 10004 protocol 116
	"$1" 6 '10004 0x2f000000/0x7f000000 7198 - -' fwmark 0x2f000000/0x7f000000 lookup 7198 priority 10004 protocol 116
	"$1" 4 '10005 0x2f000000/0x7f000000 unreachable - -' fwmark 0x2f000000/0x7f000000 unreachable priority 10005 protocol 116
	"$1" 6 '10005 0x2f000000/0x7f000000 unreachable - -' fwmark 0x2f000000/0x7f000000 unreachable priority 10005 protocol 116
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
	"$1" 'net.ipv4.conf.all.src_valid_mark' '0' each - '' 'the listener both takes packets from outside by tproxy, and with 1 the kernel'\''s reverse-path lookup uses the mark, finds this host, and drops the packet'
	"$1" 'net.ipv4.conf.*.src_valid_mark' '0' each - '' 'the listener both takes what comes from outside by tproxy, and the kernel drops it where an interface'\''s own is 1'
	"$1" 'net.bridge.bridge-nf-call-iptables' '0' each - 'has_bridge - 1' 'the listener both takes forwarded packets by tproxy, and with 1 (br_netfilter, for Docker) what comes by a bridge loses its listener; foreign rules for packets within one bridge, such as between containers, need 1'
	"$1" 'net.bridge.bridge-nf-call-ip6tables' '0' each - 'has_bridge - 1' 'the listener both takes forwarded packets by tproxy, and with 1 (br_netfilter, for Docker) what comes by a bridge loses its listener; foreign rules for packets within one bridge, such as between containers, need 1'
}

# compiler/emit/script.sh follows.
