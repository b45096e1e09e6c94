#!/bin/sh
# policy.sh: written by tpc from policy.yaml; change that and compile again, not this file.
#
#   up      puts the policy into force; again and again if you like
#   down    takes all of it away and puts sysctls back
#   status  shows what is there and what is missing (exit status 5)
#
# What it takes of the host's numbers:
#   name              mark/mask              ip rule  table    goes to
#   dev_only          0x09000000/0x7f000000  10000    7102     the table's routes
#   via_four          0x79000000/0x7f000000  10002    7101     the table's routes
#   via_both          0x5a000000/0x7f000000  10004    7114     the table's routes
#   off_link          0x0e000000/0x7f000000  10006    7146     the table's routes
#   dev_only          0x4b000000/0x7f000000  10008    7102     replies of connections that came in through it
#   via_both          0x5e000000/0x7f000000  10011    7114     replies of connections that came in through it
#   off_link          0x0b000000/0x7f000000  10014    7146     replies of connections that came in through it
#   dev_only          0x2e000000/0x7f000000  10017    7102     the table's routes, for what comes in by an uplink or is translated
#   via_four          0x3e000000/0x7f000000  10020    7101     the table's routes, for what comes in by an uplink or is translated
#   off_link          0x21000000/0x7f000000  10023    7146     the table's routes, for what comes in by an uplink or is translated
#   via_both          0x4f000000/0x7f000000  10026    7114     the table's routes, for what comes in by an uplink or is translated
#   nft table inet tpc; ip rules and routes carry protocol 116

stem='policy'
table=tpc
digest=258c351d6fd5c7d5
protocol=116
first=10000
last=10028
sysctl_policy='set'
tables='7101 7102 7103 7114 7146'
main_copy=7103
sets='gateways.via_both gateways.off_link gateways.main flows.ended_v4 flows.ended_v6 prerouting.ip_daddr'
dynamic_sets=''
gateways='gateways.via_both eth1 192.0.2.1
gateways.via_both eth1 2001:db8::1
gateways.off_link eth2 198.51.100.1
gateways.main eth1 main
gateways.main eth2 main'
own=''
named='wg0
eth1
eth2'
cgroups=''
time_sets=''

# family, table, destination and metric, and the words for ip
each_route() {
	:
	"$1" 4 7102 'default 0' default dev wg0 table 7102 protocol 116
	"$1" 6 7102 'default 1024' default dev wg0 table 7102 protocol 116
	"$1" 4 7101 'default 0' default via 192.0.2.1 table 7101 protocol 116
	"$1" 4 7114 'default 20' default via 192.0.2.1 dev eth1 table 7114 protocol 116 src 192.0.2.2 metric 20 mtu 1400
	"$1" 6 7114 'default 20' default via 2001:db8::1 dev eth1 table 7114 protocol 116 metric 20 mtu 1400
	"$1" 4 7146 'default 0' default via 198.51.100.1 dev eth2 table 7146 protocol 116 onlink
}

# family, what tells the rule from others, and the words for ip
each_rule() {
	:
	"$1" 4 '10000 0x9000000/0x7f000000 7102 - -' fwmark 0x9000000/0x7f000000 lookup 7102 priority 10000 protocol 116
	"$1" 4 '10001 0x9000000/0x7f000000 254 - -' fwmark 0x9000000/0x7f000000 lookup main priority 10001 protocol 116
	"$1" 4 '10002 0x79000000/0x7f000000 7101 - -' fwmark 0x79000000/0x7f000000 lookup 7101 priority 10002 protocol 116
	"$1" 4 '10003 0x79000000/0x7f000000 254 - -' fwmark 0x79000000/0x7f000000 lookup main priority 10003 protocol 116
	"$1" 4 '10004 0x5a000000/0x7f000000 7114 - -' fwmark 0x5a000000/0x7f000000 lookup 7114 priority 10004 protocol 116
	"$1" 6 '10004 0x5a000000/0x7f000000 7114 - -' fwmark 0x5a000000/0x7f000000 lookup 7114 priority 10004 protocol 116
	"$1" 4 '10005 0x5a000000/0x7f000000 254 - -' fwmark 0x5a000000/0x7f000000 lookup main priority 10005 protocol 116
	"$1" 6 '10005 0x5a000000/0x7f000000 254 - -' fwmark 0x5a000000/0x7f000000 lookup main priority 10005 protocol 116
	"$1" 4 '10006 0xe000000/0x7f000000 7146 - -' fwmark 0xe000000/0x7f000000 lookup 7146 priority 10006 protocol 116
	"$1" 4 '10007 0xe000000/0x7f000000 254 - -' fwmark 0xe000000/0x7f000000 lookup main priority 10007 protocol 116
	"$1" 4 '10008 0x4b000000/0x7f000000 254 7 -' fwmark 0x4b000000/0x7f000000 lookup main suppress_prefixlength 7 priority 10008 protocol 116
	"$1" 6 '10008 0x4b000000/0x7f000000 7103 - -' fwmark 0x4b000000/0x7f000000 lookup 7103 priority 10008 protocol 116
	"$1" 4 '10009 0x4b000000/0x7f000000 7102 - -' fwmark 0x4b000000/0x7f000000 lookup 7102 priority 10009 protocol 116
	"$1" 6 '10009 0x4b000000/0x7f000000 7102 - -' fwmark 0x4b000000/0x7f000000 lookup 7102 priority 10009 protocol 116
	"$1" 4 '10010 0x4b000000/0x7f000000 254 - -' fwmark 0x4b000000/0x7f000000 lookup main priority 10010 protocol 116
	"$1" 6 '10010 0x4b000000/0x7f000000 254 - -' fwmark 0x4b000000/0x7f000000 lookup main priority 10010 protocol 116
	"$1" 4 '10011 0x5e000000/0x7f000000 254 7 -' fwmark 0x5e000000/0x7f000000 lookup main suppress_prefixlength 7 priority 10011 protocol 116
	"$1" 6 '10011 0x5e000000/0x7f000000 7103 - -' fwmark 0x5e000000/0x7f000000 lookup 7103 priority 10011 protocol 116
	"$1" 4 '10012 0x5e000000/0x7f000000 7114 - -' fwmark 0x5e000000/0x7f000000 lookup 7114 priority 10012 protocol 116
	"$1" 6 '10012 0x5e000000/0x7f000000 7114 - -' fwmark 0x5e000000/0x7f000000 lookup 7114 priority 10012 protocol 116
	"$1" 4 '10013 0x5e000000/0x7f000000 254 - -' fwmark 0x5e000000/0x7f000000 lookup main priority 10013 protocol 116
	"$1" 6 '10013 0x5e000000/0x7f000000 254 - -' fwmark 0x5e000000/0x7f000000 lookup main priority 10013 protocol 116
	"$1" 4 '10014 0xb000000/0x7f000000 254 7 -' fwmark 0xb000000/0x7f000000 lookup main suppress_prefixlength 7 priority 10014 protocol 116
	"$1" 4 '10015 0xb000000/0x7f000000 7146 - -' fwmark 0xb000000/0x7f000000 lookup 7146 priority 10015 protocol 116
	"$1" 4 '10016 0xb000000/0x7f000000 254 - -' fwmark 0xb000000/0x7f000000 lookup main priority 10016 protocol 116
	"$1" 4 '10017 0x2e000000/0x7f000000 254 7 -' fwmark 0x2e000000/0x7f000000 lookup main suppress_prefixlength 7 priority 10017 protocol 116
	"$1" 4 '10018 0x2e000000/0x7f000000 7102 - -' fwmark 0x2e000000/0x7f000000 lookup 7102 priority 10018 protocol 116
	"$1" 4 '10019 0x2e000000/0x7f000000 254 - -' fwmark 0x2e000000/0x7f000000 lookup main priority 10019 protocol 116
	"$1" 4 '10020 0x3e000000/0x7f000000 254 7 -' fwmark 0x3e000000/0x7f000000 lookup main suppress_prefixlength 7 priority 10020 protocol 116
	"$1" 4 '10021 0x3e000000/0x7f000000 7101 - -' fwmark 0x3e000000/0x7f000000 lookup 7101 priority 10021 protocol 116
	"$1" 4 '10022 0x3e000000/0x7f000000 254 - -' fwmark 0x3e000000/0x7f000000 lookup main priority 10022 protocol 116
	"$1" 4 '10023 0x21000000/0x7f000000 254 7 -' fwmark 0x21000000/0x7f000000 lookup main suppress_prefixlength 7 priority 10023 protocol 116
	"$1" 4 '10024 0x21000000/0x7f000000 7146 - -' fwmark 0x21000000/0x7f000000 lookup 7146 priority 10024 protocol 116
	"$1" 4 '10025 0x21000000/0x7f000000 254 - -' fwmark 0x21000000/0x7f000000 lookup main priority 10025 protocol 116
	"$1" 4 '10026 0x4f000000/0x7f000000 254 7 -' fwmark 0x4f000000/0x7f000000 lookup main suppress_prefixlength 7 priority 10026 protocol 116
	"$1" 6 '10026 0x4f000000/0x7f000000 7103 - -' fwmark 0x4f000000/0x7f000000 lookup 7103 priority 10026 protocol 116
	"$1" 4 '10027 0x4f000000/0x7f000000 7114 - -' fwmark 0x4f000000/0x7f000000 lookup 7114 priority 10027 protocol 116
	"$1" 6 '10027 0x4f000000/0x7f000000 7114 - -' fwmark 0x4f000000/0x7f000000 lookup 7114 priority 10027 protocol 116
	"$1" 4 '10028 0x4f000000/0x7f000000 254 - -' fwmark 0x4f000000/0x7f000000 lookup main priority 10028 protocol 116
	"$1" 6 '10028 0x4f000000/0x7f000000 254 - -' fwmark 0x4f000000/0x7f000000 lookup main priority 10028 protocol 116
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
	"$1" 'net.ipv4.conf.wg0.ignore_routes_with_linkdown' '1' each - '' 'the table dev_only leaves by this interface, and with 0 its routes stay in use when the interface loses its carrier: nothing takes its place'
	"$1" 'net.ipv4.conf.wg0.rp_filter' '0' each - 'effective - !0' 'the table dev_only leaves by this interface, and a reverse-path filter drops the replies: a strict one (1) where the main table leaves by another, a loose one (2) where the main table has no route to their source, as when its only default route is gone'
	"$1" 'net.ipv4.ip_forward' '1' each - '' 'the table dev_only takes forwarded packets, and without this the host forwards no IPv4'
	"$1" 'net.ipv4.conf.*.rp_filter' '2' each - 'effective - 1
effective net.ipv4.conf.*.src_valid_mark 1' 'the table dev_only takes packets that come in here, and a strict reverse-path filter that looks at marks (src_valid_mark) drops them'
	"$1" 'net.ipv4.conf.*.ignore_routes_with_linkdown' '1' each 192.0.2.1 '' 'the table via_four leaves by this interface, and with 0 its routes stay in use when the interface loses its carrier: nothing takes its place'
	"$1" 'net.ipv4.conf.*.rp_filter' '0' each 192.0.2.1 'effective - !0' 'the table via_four leaves by this interface, and a reverse-path filter drops the replies: a strict one (1) where the main table leaves by another, a loose one (2) where the main table has no route to their source, as when its only default route is gone'
	"$1" 'net.ipv4.conf.*.send_redirects' '0' each 192.0.2.1 'effective - !0' 'the table via_four may send packets out through the interface they came in on, and an ICMP redirect would make their sender bypass this host'
	"$1" 'net.ipv4.conf.eth1.ignore_routes_with_linkdown' '1' each - '' 'the table via_both leaves by this interface, and with 0 its routes stay in use when the interface loses its carrier: nothing takes its place'
	"$1" 'net.ipv4.conf.eth1.rp_filter' '0' each - 'effective - !0' 'the table via_both leaves by this interface, and a reverse-path filter drops the replies: a strict one (1) where the main table leaves by another, a loose one (2) where the main table has no route to their source, as when its only default route is gone'
	"$1" 'net.ipv6.conf.eth1.ignore_routes_with_linkdown' '1' each - '' 'the table via_both leaves by this interface, and with 0 its routes stay in use when the interface loses its carrier: nothing takes its place'
	"$1" 'net.ipv4.conf.eth1.send_redirects' '0' each - 'effective - !0' 'the table via_both may send packets out through the interface they came in on, and an ICMP redirect would make their sender bypass this host'
	"$1" 'net.ipv6.conf.*.accept_ra' '2' advertised - 'own_value - 1' 'via_both needs IPv6 forwarding, and a host that forwards forgets the routes that routers advertise, its default route among them, unless this is 2'
	"$1" 'net.ipv6.conf.all.forwarding' '1' each - '' 'the table via_both takes forwarded packets, and without this the host forwards no IPv6'
	"$1" 'net.ipv4.conf.eth2.ignore_routes_with_linkdown' '1' each - '' 'the table off_link leaves by this interface, and with 0 its routes stay in use when the interface loses its carrier: nothing takes its place'
	"$1" 'net.ipv4.conf.eth2.rp_filter' '0' each - 'effective - !0' 'the table off_link leaves by this interface, and a reverse-path filter drops the replies: a strict one (1) where the main table leaves by another, a loose one (2) where the main table has no route to their source, as when its only default route is gone'
	"$1" 'net.ipv4.conf.eth2.send_redirects' '0' each - 'effective - !0' 'the table off_link may send packets out through the interface they came in on, and an ICMP redirect would make their sender bypass this host'
	"$1" 'net.ipv6.conf.wg0.ignore_routes_with_linkdown' '1' each - '' 'the table dev_only leaves by this interface, and with 0 its routes stay in use when the interface loses its carrier: nothing takes its place'
}

# compiler/emit/script.sh follows.
