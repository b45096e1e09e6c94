#!/bin/sh
# policy.sh: written by tpc from policy.yaml; change that and compile again, not this file.
#
#   up      puts the policy into force; again and again if you like
#   down    takes all of it away and puts sysctls back
#   status  shows what is there and what is missing (exit status 5)
#
# What it takes of the host's numbers:
#   nft table inet tpc

stem='policy'
table=tpc
digest=e70fd5b845e4ce26
protocol=116
first=0
last=0
sysctl_policy='set'
tables=''
main_copy=''
sets='prerouting.ip_daddr prerouting.ip6_daddr'
dynamic_sets=''
gateways=''
own=''
named=''
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

# sysctls that the kernel resets when another one is given back: that one, key, the value that stays
companions=''

# key, value, for which interfaces and towards which address, when it matters, why, and interfaces
each_sysctl() {
	:
}

# compiler/emit/script.sh follows.
