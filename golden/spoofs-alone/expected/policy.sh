#!/bin/sh
# policy.sh: written by tpc from policy.yaml; change that and compile again, not this file.
#
#   up      puts the policy into force; again and again if you like
#   down    takes all of it away and puts sysctls back
#   status  shows what is there and what is missing (exit status 5)
#
# What it takes of the host's numbers:
#   name              mark/mask              ip rule  table    goes to
#   cache             0x42000000/0x7f000000  10000    7182     tproxy port 3129
#   nft table inet tpc; ip rules and routes carry protocol 116

stem='policy'
table=tpc
digest=eaae66407dc4bf01
protocol=116
first=10000
last=10001
sysctl_policy='set'
tables='7182'
main_copy=''
sets='flows.ended_v4 flows.ended_v6'
dynamic_sets=''
gateways=''
own=''
named='lo'
cgroups=''
time_sets=''

# family, table, destination and metric, and the words for ip
each_route() {
	:
	"$1" 4 7182 'default 0' local default dev lo table 7182 protocol 116
	"$1" 6 7182 'default 1024' local default dev lo table 7182 protocol 116
}

# family, what tells the rule from others, and the words for ip
each_rule() {
	:
	"$1" 4 '10000 0x42000000/0x7f000000 7182 - -' fwmark 0x42000000/0x7f000000 lookup 7182 priority 10000 protocol 116
	"$1" 6 '10000 0x42000000/0x7f000000 7182 - -' fwmark 0x42000000/0x7f000000 lookup 7182 priority 10000 protocol 116
	"$1" 4 '10001 0x42000000/0x7f000000 unreachable - -' fwmark 0x42000000/0x7f000000 unreachable priority 10001 protocol 116
	"$1" 6 '10001 0x42000000/0x7f000000 unreachable - -' fwmark 0x42000000/0x7f000000 unreachable priority 10001 protocol 116
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
	"$1" 'net.ipv4.conf.all.src_valid_mark' '0' each - '' 'the listener cache takes packets from outside by tproxy, and with 1 the kernel'\''s reverse-path lookup uses the mark, finds this host, and drops the packet'
	"$1" 'net.ipv4.conf.*.src_valid_mark' '0' each - '' 'the listener cache takes what comes from outside by tproxy, and the kernel drops it where an interface'\''s own is 1'
}

# compiler/emit/script.sh follows.
