#!/bin/sh
# policy.sh: written by tpc from policy.yaml; change that and compile again, not this file.
#
#   up      puts the policy into force; again and again if you like
#   down    takes all of it away and puts sysctls back
#   status  shows what is there and what is missing (exit status 5)
#
# What it takes of the host's numbers:
#   name              mark/mask              ip rule  table    goes to
#   web               0x15000000/0x7f000000  -        -        dnat port 8080
#   nft table inet tpc

stem='policy'
table=tpc
digest=dd4685378ce13d9f
protocol=116
first=0
last=0
sysctl_policy='set'
tables=''
main_copy=''
sets='flows.ended_v4 prerouting.ip_daddr'
dynamic_sets=''
gateways=''
named='eth1
br0.7
eth2'
cgroups=''
time_sets=''

# family, table, destination and metric, and the words for ip
each_route() {
	:
}

# family, what tells the rule from others, and the words for ip
each_rule() {
	:
}

# family, what tells the rule from others, and the words for ip: what has no mark is refused
each_unmarked() {
	:
}

# key, value, when it matters, the address it is about, why, and interfaces
each_sysctl() {
	:
	"$1" 'net.ipv4.conf.eth1.route_localnet' '1' unless-all - 'the listener web waits on a loopback address for what comes in here, and with 0 the kernel drops that; the policy'\''s rules keep everything else off loopback addresses'
	"$1" 'net.ipv4.conf.br0/7.route_localnet' '1' unless-all - 'the listener web waits on a loopback address for what comes in here, and with 0 the kernel drops that; the policy'\''s rules keep everything else off loopback addresses'
	"$1" 'net.ipv4.conf.eth2.route_localnet' '1' unless-all - 'the listener web waits on a loopback address for what comes in here, and with 0 the kernel drops that; the policy'\''s rules keep everything else off loopback addresses'
}

# compiler/emit/script.sh follows.
