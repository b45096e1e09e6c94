#!/bin/sh
# policy.sh: written by tpc from policy.yaml; change that and compile again, not this file.
#
#   up      puts the policy into force; again and again if you like
#   down    takes all of it away and puts sysctls back
#   status  shows what is there and what is missing (exit status 5)
#
# What it takes of the host's numbers:
#   name              mark/mask              ip rule  table    goes to
#   main              0x6f000000/0x7f000000  10000    -        the table's routes
#   nft table inet tpc; ip rules and routes carry protocol 116

stem='policy'
table=tpc
digest=fc12c452a3ea4249
protocol=116
first=10000
last=10000
sysctl_policy='set'
tables=''
main_copy=''
sets=''
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
	"$1" 4 '10000 0x6f000000/0x7f000000 254 - -' fwmark 0x6f000000/0x7f000000 lookup main priority 10000 protocol 116
	"$1" 6 '10000 0x6f000000/0x7f000000 254 - -' fwmark 0x6f000000/0x7f000000 lookup main priority 10000 protocol 116
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
