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
digest=a57f95efe56a3201
protocol=116
first=0
last=0
sysctl_policy='set'
tables=''
main_copy=''
sets='hosts_v4 hosts_v6 nets_v4 ranges_v4 nets_v6 ranges_v6 all_of_them_v4 all_of_them_v6 upper_v6 prerouting.ip_daddr'
dynamic_sets=''
gateways=''
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

# key, value, when it matters, the address it is about, why, and interfaces
each_sysctl() {
	:
}

# compiler/emit/script.sh follows.
