#!/bin/sh
# policy.sh: written by tpc from policy.yaml; change that and compile again, not this file.
#
#   up      puts the policy into force; again and again if you like
#   down    takes all of it away and puts sysctls back
#   status  shows what is there and what is missing (exit status 5)
#
# What it takes of the host's numbers:
#   name              mark/mask              ip rule  table    goes to
#   mesh              0x0d000000/0x7f000000  10000    7125     tproxy port 15001
#   0x00000025.connection  0x00000025/0xffffffff  -        -        only the mark
#   0x00000100.0x0000ff00.connection  0x00000100/0x0000ff00  -        -        only the mark
#   0x00000025        0x00000025/0xffffffff  -        -        only the mark
#   nft table inet tpc; ip rules and routes carry protocol 116

stem='policy'
table=tpc
digest=d218c8eb6b75e649
protocol=116
first=10000
last=10001
sysctl_policy='set'
tables='7125'
main_copy=''
sets='flows.ended_v4 flows.ended_v6 prerouting.th_dport output.th_dport'
dynamic_sets=''
gateways=''
named='lo'
cgroups=''
time_sets=''

# family, table, destination and metric, and the words for ip
each_route() {
	:
	"$1" 4 7125 'default 0' local default dev lo table 7125 protocol 116
	"$1" 6 7125 'default 1024' local default dev lo table 7125 protocol 116
}

# family, what tells the rule from others, and the words for ip
each_rule() {
	:
	"$1" 4 '10000 0xd000000/0x7f000000 7125 - -' fwmark 0xd000000/0x7f000000 lookup 7125 priority 10000 protocol 116
	"$1" 6 '10000 0xd000000/0x7f000000 7125 - -' fwmark 0xd000000/0x7f000000 lookup 7125 priority 10000 protocol 116
	"$1" 4 '10001 0xd000000/0x7f000000 unreachable - -' fwmark 0xd000000/0x7f000000 unreachable priority 10001 protocol 116
	"$1" 6 '10001 0xd000000/0x7f000000 unreachable - -' fwmark 0xd000000/0x7f000000 unreachable priority 10001 protocol 116
}

# family, what tells the rule from others, and the words for ip: what has no mark is refused
each_unmarked() {
	:
}

# key, value, when it matters, the address it is about, why, and interfaces
each_sysctl() {
	:
	"$1" 'net.ipv4.conf.all.src_valid_mark' '0' always - 'the listener mesh takes what comes from outside by tproxy, and with 1 the kernel looks for the way back by the mark, finds this host, and drops the packet'
	"$1" 'net.ipv4.conf.*.src_valid_mark' '0' always - 'the listener mesh takes what comes from outside by tproxy, and the kernel drops it where an interface'\''s own is 1'
	"$1" 'net.bridge.bridge-nf-call-iptables' '0' bridge - 'the listener mesh takes forwarded packets by tproxy, and with 1 (br_netfilter, for Docker) what comes by a bridge loses its listener; rules of others for packets within one bridge, such as between containers, need 1'
	"$1" 'net.bridge.bridge-nf-call-ip6tables' '0' bridge - 'the listener mesh takes forwarded packets by tproxy, and with 1 (br_netfilter, for Docker) what comes by a bridge loses its listener; rules of others for packets within one bridge, such as between containers, need 1'
}

# compiler/emit/script.sh follows.
