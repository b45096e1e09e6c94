#!/bin/sh
# policy.sh: written by tpc from policy.yaml; change that and compile again, not this file.
#
#   up      puts the policy into force; again and again if you like
#   down    takes all of it away and puts sysctls back
#   status  shows what is there and what is missing (exit status 5)
#
# What it takes of the host's numbers:
#   name              mark/mask              ip rule  table    goes to
#   far               0x5f000000/0x7f000000  -        -        dnat port 8080
#   near              0x10000000/0x7f000000  -        -        dnat port 9999
#   six               0x6c000000/0x7f000000  -        -        dnat port 53
#   nft table inet tpc

stem='policy'
table=tpc
digest=5a8ca6e47e00409f
protocol=116
first=0
last=0
sysctl_policy='set'
tables=''
main_copy=''
sets='flows.ended_v4 flows.ended_v6'
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
companions='net.ipv4.ip_forward net.ipv4.conf.all.accept_redirects 0
net.ipv4.ip_forward net.ipv4.conf.*.forwarding 1
net.ipv6.conf.all.forwarding net.ipv6.conf.*.forwarding 1'

# key, value, for which interfaces and towards which address, when it matters, why, and interfaces
each_sysctl() {
	:
	"$1" 'net.ipv4.ip_forward' '1' each 192.0.2.9 'is_local 192.0.2.9 0' 'the listener far is on another host, and without this nothing is forwarded there'
	"$1" 'net.ipv6.conf.*.accept_ra' '2' advertised - 'own_value - 1' 'far needs IPv6 forwarding, and a host that forwards forgets the routes that routers advertise, its default route among them, unless this is 2'
	"$1" 'net.ipv6.conf.all.forwarding' '1' each 2001:db8::9 'is_local 2001:db8::9 0' 'the listener far is on another host, and without this nothing is forwarded there'
	"$1" 'net.ipv6.conf.all.forwarding' '1' each 2001:db8::99 'is_local 2001:db8::99 0' 'the listener six is on another host, and without this nothing is forwarded there'
}

# compiler/emit/script.sh follows.
