
# From here on the same for every policy. Above are its numbers and names, and the functions
# each_route, each_rule, each_unmarked and each_sysctl, which call the function they are given once
# for every route, ip rule and sysctl of the policy.

set -uf
umask 077
LC_ALL=C
export LC_ALL
tab='	'
newline='
'
case $0 in
*/*) here=${0%/*}/ ;;
*) here=./ ;;
esac
nft_file=$here$stem.nft
families='4 6'
[ -d /proc/sys/net/ipv6 ] || families=4
failures=0
missing=0

say() {
	printf '%s: %s\n' "${0##*/}" "$*" >&2
}

# Ends the script before anything was changed.
refuse() {
	say "$*"
	say 'nothing was changed'
	exit 3
}

trouble() {
	say "$*"
	failures=$((failures + 1))
}

# Is $1 one of the lines of $2?
is_line_of() {
	case $newline$2$newline in
	*"$newline$1$newline"*) return 0 ;;
	esac
	return 1
}

has_family() {
	[ "$1" = 4 ] || [ "$families" != 4 ]
}

# ---- what the kernel has ----

# The ip rules of family $1 between priorities $2 and $3, a line each: OWNER PRIORITY MARK/MASK ACTION
# SUPPRESS INTERFACE, and how ip shows it. OWNER is the protocol, or foreign where the rule has
# other keys than ours have; INTERFACE is oif/NAME for one that sockets are bound to.
rules_between() {
	lowest=$2 highest=$3
	ip -N "-$1" rule show | while read -r priority words; do
		priority=${priority%:}
		[ "$priority" -ge "$lowest" ] || continue
		[ "$priority" -le "$highest" ] || continue
		# shellcheck disable=SC2086 # the words of the line
		set -- $words
		mark='' action='' suppress=- iif=- owner=''
		while [ $# -gt 0 ]; do
			case $1 in
			from) [ "${2-}" = all ] || owner=foreign ;;
			fwmark) mark=${2-} ;;
			lookup) action=${2-} ;;
			suppress_prefixlength) suppress=${2-} ;;
			iif) iif=${2-} ;;
			oif) iif=oif/${2-} ;;
			'[detached]') ;;
			proto) [ "$owner" ] || owner=${2-} ;;
			6 | blackhole) action=blackhole ;;
			7 | unreachable) action=unreachable ;;
			8 | prohibit) action=prohibit ;;
			*) owner=foreign ;;
			esac
			case $1 in
			from | fwmark | lookup | suppress_prefixlength | iif | oif | proto) [ $# -lt 2 ] || shift ;;
			esac
			shift
		done
		case $mark in
		*/*) ;;
		*) mark=$mark/0xffffffff ;;
		esac
		[ "$action" != main ] || action=254
		[ "$action" != local ] || action=255
		# By interface, ours are about what has no mark.
		case $iif:$mark in
		-:* | oif/*:0/* | *:0/0xffffffff) ;;
		*) owner=foreign ;;
		esac
		printf '%s %s %s %s %s %s %s\n' "${owner:-0}" "$priority" "$mark" "${action:--}" "$suppress" \
			"$iif" "$priority: $words"
	done
}

# Our ip rules of family $1, a line each: PRIORITY MARK/MASK ACTION SUPPRESS INTERFACE. Only what carries
# protocol $2, lies between priorities $3 and $4 and has no other key than ours have.
present_rules() {
	rules_between "$1" "$3" "$4" | sed -n "s/^$2 //p" | cut -d ' ' -f 1-5
}

# Our routes of family $1 in table $2 with protocol $3, a line each: DESTINATION METRIC.
present_routes() {
	ip -N "-$1" route show table "$2" proto "$3" 2>/dev/null | while read -r line; do
		# shellcheck disable=SC2086 # the words of the line
		set -- $line
		case $1 in
		nexthop) continue ;;
		[0-9] | 1[0-9] | unicast | local | blackhole | unreachable | prohibit | throw) shift ;;
		esac
		destination=$1
		metric=0
		while [ $# -gt 1 ]; do
			[ "$1" != metric ] || metric=$2
			shift
		done
		printf '%s %s\n' "$destination" "$metric"
	done
}

# The words of $@, a line of `ip -o -6 route show`, that a copy of the route in table $main_copy has.
copy_words() {
	to='' words='' metric=1024
	case $1 in
	[0-9] | 1[0-9] | unicast | local | blackhole | unreachable | prohibit | throw)
		words=$1
		shift
		;;
	esac
	to=$1
	shift
	words="$words $to"
	while [ $# -gt 0 ]; do
		case $1 in
		metric)
			metric=$2
			words="$words metric $2"
			;;
		via | dev | src | mtu | weight) words="$words $1 $2" ;;
		onlink | nexthop) words="$words $1" ;;
		esac
		case $1 in
		metric | via | dev | src | mtu | weight | proto | expires | pref | error | scope) shift ;;
		esac
		shift
	done
}

# As each_route, for the copy of main's IPv6 routes that rules ask instead of main: a route to which
# the kernel has learnt a path MTU is no default route for it any more. Only what is more specific
# than a default route is copied.
each_copy() {
	[ "$main_copy" ] || return 0
	while read -r line; do
		# shellcheck disable=SC2086 # the words of the line
		copy_words ${line:-default}
		case $to in
		default | */[0-6] | fe[89ab]?:* | ff??:*) continue ;;
		esac
		# shellcheck disable=SC2086 # words for ip
		"$1" 6 "$main_copy" "$to $metric" $words table "$main_copy" protocol "$protocol"
	done <<END
$(ip -o -N -6 route show table main 2>/dev/null)
END
}

# What ip calls the gateway of this host's own default route by the interface $2 in family $1, the one
# with the lowest metric in any table, goes into `gateway`, nothing by a link from point to point, and
# ` onlink` into `flag`. False: there is none.
learn_gateway() {
	by=$2 gateway='' least='' flag=''
	while read -r line; do
		# shellcheck disable=SC2086 # the words of the line
		set -- $line
		metric=0 owner='' via='' leads='' onlink=''
		while [ $# -gt 0 ]; do
			case $1 in
			onlink) onlink=' onlink' ;;
			metric) metric=$2 ;;
			proto) owner=$2 ;;
			nexthop) via='' ;;
			via)
				via="via $2"
				[ "$2" != inet6 ] || via="$via $3"
				;;
			dev) [ "$2" != "$by" ] || leads=${leads:-found $via} ;;
			esac
			shift
		done
		[ "$leads" ] && [ "$owner" != "$protocol" ] && [ "$metric" -lt "${least:-4294967295}" ] || continue
		least=$metric gateway=${leads#found } flag=$onlink
	done <<END
$(ip -o -N "-$1" route show table all default 2>/dev/null)
END
	[ ! "$least" ] || return 0
	case $(ip -o link show dev "$by" 2>/dev/null) in
	*[\<,]POINTOPOINT[,\>]*) return 0 ;;
	esac
	return 1
}

# COMMAND FAMILY TABLE KEY, words for ip, and next hops, each VIA DEVICE WEIGHT ONLINK, or `-`: the command
# gets the gateways that this host has where VIA is `auto`. A next hop that has none is left out.
with_gateways() {
	command=$1 family=$2 number=$3 key=$4 words=$5 hops='' lacks=''
	shift 5
	next=nexthop
	[ $# -gt 4 ] || next=''
	while [ $# -gt 0 ]; do
		gateway="via $1" weight='' device="dev $2" flag=''
		[ ! "$next" ] || weight="weight $3"
		[ "$1" != - ] || gateway=''
		[ "$2" != - ] || device=''
		if [ "$1" != auto ] || learn_gateway "$family" "$2"; then
			[ "$4" = - ] || flag=' onlink'
			hops="$hops $next $gateway $device $weight$flag"
		else
			lacks=$2
		fi
		shift 4
	done
	if [ "$hops" ]; then
		# shellcheck disable=SC2086 # words for ip
		"$command" "$family" "$number" "$key" $words $hops
	elif [ "$command" = report_route ]; then
		report 1 "ip -$family route $words via auto dev $lacks"
	elif [ "$command" = put_route ]; then
		say "warning: this host has no IPv$family default route by $lacks to learn the gateway from," \
			"so table $number has no route to ${key% *}"
	fi
}

table_is_there() {
	is_line_of "table inet $table" "$(nft list tables inet)"
}

# The names of the sets and maps of our table, a line each. Does not read their contents.
present_sets() {
	inside=no
	{
		nft -t list sets inet
		nft -t list maps inet
	} | while read -r word name rest; do
		case $word in
		table)
			inside=no
			[ "$name $rest" != "inet $table {" ] || inside=yes
			;;
		set | map) [ "$inside" = no ] || printf '%s\n' "$name" ;;
		esac
	done
}

# ---- what has to be remembered ----

# Words PROTOCOL/FIRST/LAST and PROTOCOL/TABLE of earlier versions of the policy; sysctls that were
# changed, a line KEY NEW OLD each, the last one first; and what has to stay when a sysctl is given
# back, a line KEY OTHER each; and the greatest number of an interface when forwarding was switched on.
old_blocks=''
old_tables=''
old_sysctls=''
besides=''
newest_link=''
boot=''
read -r boot 2>/dev/null </proc/sys/kernel/random/boot_id
state=''

# The folders to try, a line each, and the name of the file, which belongs to one network namespace.
state_folders() {
	if [ "${TPC_RUN_DIR-}" ]; then
		printf '%s\n' "$TPC_RUN_DIR"
	else
		printf '%s\n' /run/tpc ${XDG_RUNTIME_DIR:+"$XDG_RUNTIME_DIR/tpc"}
	fi
}

state_name() {
	namespace=$(readlink /proc/self/ns/net 2>/dev/null) || namespace=net
	namespace=${namespace##*\[}
	printf '%s-%s.sh\n' "${namespace%]}" "$table"
}

# Notes of another boot are about what is gone.
is_of_this_boot() {
	[ -r "$1" ] && read -r line <"$1" && [ "$line" = "boot $boot" ]
}

read_state() {
	while IFS= read -r folder; do
		! is_of_this_boot "$folder/$(state_name)" || state=$folder/$(state_name)
	done <<END
$(state_folders)
END
	[ "$state" ] || return 0
	while IFS= read -r line; do
		case $line in
		"block "*[!0-9/]* | "table "*[!0-9/]*) ;;
		"block "*/*/*) old_blocks="$old_blocks ${line#block }" ;;
		"table "*/*) old_tables="$old_tables ${line#table }" ;;
		"sysctl "*) old_sysctls=$old_sysctls${line#sysctl }$newline ;;
		"beside "*) besides=$besides${line#beside }$newline ;;
		"links "*[!0-9]*) ;;
		"links "*) newest_link=${line#links } ;;
		esac
	done <"$state"
}

state_text() {
	printf 'boot %s\n' "$boot"
	for block in $protocol/$first/$last $old_blocks; do
		printf 'block %s\n' "$block"
	done
	for number in $tables; do
		printf 'table %s/%s\n' "$protocol" "$number"
	done
	for pair in $old_tables; do
		printf 'table %s\n' "$pair"
	done
	[ -z "$newest_link" ] || printf 'links %s\n' "$newest_link"
	printf '%s' "$old_sysctls" | sed 's/^./sysctl &/'
	printf '%s' "$besides" | sed 's/^./beside &/'
}

# Writes it whole or not at all, where it was, or else into the first folder that takes it.
write_state() {
	while IFS= read -r folder; do
		state=$folder/$(state_name)
		if mkdir -p "$folder" 2>/dev/null && state_text 2>/dev/null >"$state.new"; then
			mv -f "$state.new" "$state" && return 0
		fi
	done <<END
$([ -z "$state" ] || printf '%s\n' "${state%/*}"; state_folders)
END
	return 1
}

drop_state() {
	[ "$state" ] || return 0
	rm -f "$state"
	[ "${TPC_RUN_DIR-}" ] || rmdir "${state%/*}" 2>/dev/null
	state=''
}

# ---- kernel settings ----

# Have we changed sysctl $1?
remembered() {
	case $newline$old_sysctls in
	*"$newline$1 "*) return 0 ;;
	esac
	return 1
}

# The value of sysctl $1; false when there is none.
value_of() {
	sysctl -n "$1" 2>/dev/null
}

# The same as it was before us, unless another program has written it since.
value_was() {
	now=$(value_of "$1") || return 1
	while read -r key new old; do
		[ "$key" != "$1" ] || [ "$now" != "$new" ] || now=$old
	done <<END
$old_sysctls
END
	printf '%s\n' "$now"
}

# Puts $3 in the place of every $2 of $1.
exchanged() {
	rest=$1 done=''
	while :; do
		case $rest in
		*"$2"*) done=$done${rest%%"$2"*}$3 rest=${rest#*"$2"} ;;
		*) break ;;
		esac
	done
	printf '%s\n' "$done$rest"
}

# The key of interface $2 for the pattern $1, which has a '*' for it.
key_for() {
	printf '%s%s%s\n' "${1%%\**}" "$(exchanged "$2" . /)" "${1#*\*}"
}

# Of the setting $1, that of interface $2, that of all, and what counts for the interface: the kernel
# takes the greater of both.
own_value() {
	value_was "$(key_for "$1" "$2")"
}

value_of_all() {
	value_was "$(key_for "$1" all)"
}

effective() {
	own=$(own_value "$1" "$2") || own=0
	all=$(value_of_all "$1") || all=0
	[ "$own" -gt "$all" ] || own=$all
	printf '%s\n' "$own"
}

# Is $1 one of the names and patterns that follow? Without any, it is.
is_meant() {
	name=$1
	shift
	[ $# -gt 0 ] || return 0
	for pattern; do
		# shellcheck disable=SC2254 # a pattern
		case $name in
		$pattern) return 0 ;;
		esac
	done
	return 1
}

# The word after `dev` in a line of ip.
device_in() {
	line=${1#* dev }
	[ "$line" = "$1" ] || printf '%s\n' "${line%% *}"
}

route_to() {
	case $1 in
	*:*) ip -6 route get "$1" 2>/dev/null ;;
	*) ip -4 route get "$1" 2>/dev/null ;;
	esac
}

# 1: $1 is an address of this host.
is_local() {
	case $(route_to "$1") in
	local*) echo 1 ;;
	*) echo 0 ;;
	esac
}

# 1: one of the interfaces from $3 on is a bridge.
has_bridge() {
	shift 2
	ip -o link show type bridge 2>/dev/null | while read -r _ name _; do
		name=${name%:}
		! is_meant "${name%%@*}" "$@" || {
			echo 1
			break
		}
	done
}

# The interfaces of IPv6 routes that routers have advertised, a line each.
advertised() {
	ip -6 route show 2>/dev/null | while read -r line; do
		case $line in
		*' proto ra '* | *' proto kernel '*' expires '*) device_in "$line" ;;
		esac
	done
}

# The interfaces of the main table's default routes in the family of the key $1, a line each.
default_devices() {
	case $1 in
	net.ipv6.*) version=6 ;;
	*) version=4 ;;
	esac
	inside=no
	ip "-$version" route show table main 2>/dev/null | while read -r line; do
		case $line in
		default*) inside=yes ;;
		nexthop*) ;;
		*) inside=no ;;
		esac
		[ "$inside" = no ] || device_in "$line"
	done
}

# Does a sysctl matter that has another value? PATTERN INTERFACE TESTS DEVICE..., where TESTS are lines
# FUNCTION KEY NUMBER that all have to hold: KEY is - for the pattern, and of !NUMBER the opposite holds.
matters() {
	subject=$1 link=$2 tests=$3
	shift 3
	while read -r asked what number; do
		[ "$asked" ] || continue
		[ "$what" != - ] || what=$subject
		found=$("$asked" "$what" "$link" "$@")
		case $number in
		"!$found") return 1 ;;
		"$found" | !*) ;;
		*) return 1 ;;
		esac
	done <<END
$tests
END
}

# What has to be set, a line each: KEY, VALUE and WHY with tabs between.
needs=''

# KEY VALUE WHY. The later word on a key counts, in the place of the first.
gather() {
	gathered='' new=$1$tab$2$tab$3$newline
	while IFS= read -r line; do
		case $line in
		"$1$tab"*) gathered=$gathered$new new='' ;;
		?*) gathered=$gathered$line$newline ;;
		esac
	done <<END
$needs
END
	needs=$gathered$new
}

# Gathers a sysctl that matters here, or that we have set already. KEY PATTERN INTERFACE VALUE
# TESTS WHY DEVICE...
weigh() {
	key=$1 pattern=$2 interface=$3 value=$4 condition=$5 why=$6
	shift 6
	if [ "$interface" ] && [ "$interface" != all ] && [ ! -d "/proc/sys/net/ipv4/conf/$interface" ]; then
		[ "$(value_was "$(key_for "$pattern" default)")" = "$value" ] ||
			! matters "$pattern" default "$condition" "$@" ||
			"$absent" "$key" "$value" "$interface"
		return 0
	fi
	current=$(value_was "$key") || return 0
	if [ "$current" = "$value" ]; then
		[ "$several" = no ] || return 0
	else
		# What has to be 0 is not raised.
		[ "$value" != 0 ] && is_line_of "$pattern $interface" "$effective_devices" && return 0
		matters "$pattern" "$interface" "$condition" "$@" || return 0
	fi
	gather "$key" "$value" "$why"
}

# The interfaces that a sysctl with '*' stands for, a line each. PATTERN LINKS VIA DEVICE...
interfaces_of() {
	if [ "$3" != - ]; then
		found=$(route_to "$3")
		case $found in
		local*) return 0 ;;
		esac
		found=$(device_in "$found")
		shift 3
		! is_meant "$found" "$@" || printf '%s\n' "$found"
	elif [ "$2" = advertised ]; then
		if remembered net.ipv6.conf.all.forwarding ||
			[ "$(value_of net.ipv6.conf.all.forwarding)" = 0 ]; then
			advertised
		fi
	elif [ "$2" = default ]; then
		default_devices "$1"
	else
		folder=/proc/sys/$(exchanged "${1%%.\**}" . /)
		shift 3
		# shellcheck disable=SC2012 # names of interfaces
		ls "$folder" 2>/dev/null | while read -r interface; do
			[ "$interface" = all ] || [ "$interface" = default ] ||
				! is_meant "$interface" "$@" || printf '%s\n' "$interface"
		done
	fi
}

# PATTERN DEVICE, a line each, of settings that have to be 0 and of which the greater of the
# interface's own and that of all counts. That of all has to be 0, then, so every other interface,
# and `default`, gets what counted there.
effective_devices=''

# KEY VALUE LINKS VIA TESTS WHY DEVICE...
note_effective() {
	[ "$5" = 'effective - !0' ] || return 0
	asked=$1 links=$3 address=$4
	shift 6
	case $asked in
	*'*'*) device=$(interfaces_of "$asked" "$links" "$address" "$@") ;;
	*)
		device=${asked#*.conf.}
		device=$(exchanged "${device%.*}" / .)
		asked="${asked%%.conf.*}.conf.*.${asked##*.}"
		;;
	esac
	[ -z "$device" ] || [ ! -d "/proc/sys/net/ipv4/conf/$device" ] ||
		effective_devices="$effective_devices$asked $device$newline"
}

# The interfaces that keep what counts of the setting $1.
spread_others() {
	all=$(value_of_all "$1")
	while IFS= read -r device; do
		key=$(key_for "$1" "$device")
		level=$(effective "$1" "$device")
		[ "$(value_was "$key") $(value_of "$key")" = "$level $level" ] ||
			is_line_of "$1 $device" "$effective_devices" ||
			gather "$key" "$level" \
				"$(key_for "$1" all) has to be 0, and this keeps what it was ($all) for what it does not concern"
	done <<END
default
$(interfaces_of "$1" each -)
END
}

spread_effective() {
	spread=''
	while read -r pattern device; do
		[ "$pattern" ] && ! is_line_of "$pattern" "$spread" &&
			[ "$(value_of_all "$pattern")" != 0 ] || continue
		spread=$spread$newline$pattern
		spread_others "$pattern"
		gather "$(key_for "$pattern" all)" 0 "of this and $device's own the greater counts: see there"
	done <<END
$effective_devices
END
}

# KEY VALUE LINKS VIA TESTS WHY DEVICE..., as each_sysctl has them
weigh_sysctl() {
	setting=$1 wanted=$2 links=$3 address=$4
	shift 4
	[ "${setting#net.ipv6.}" = "$setting" ] || has_family 6 || return 0
	several=no
	case $setting in
	*'*'*)
		several=yes
		while IFS= read -r device; do
			[ -z "$device" ] ||
				weigh "$(key_for "$setting" "$device")" "$setting" "$device" "$wanted" "$@"
		done <<END
$(shift 2; interfaces_of "$setting" "$links" "$address" "$@")
END
		;;
	*.conf.*)
		device=${setting#*.conf.} device=${device%.*}
		weigh "$setting" "${setting%%.conf.*}.conf.*.${setting##*.}" "$(exchanged "$device" / .)" \
			"$wanted" "$@"
		;;
	*) weigh "$setting" '' '' "$wanted" "$@" ;;
	esac
}

# Calls $1 with KEY VALUE WHY for every sysctl that matters on this host, and $2 with KEY VALUE
# INTERFACE for one whose interface is not there yet.
each_need() {
	need=$1 absent=${2-:}
	needs='' effective_devices=''
	each_sysctl note_effective
	spread_effective
	each_sysctl weigh_sysctl
	while IFS=$tab read -r key value why; do
		[ -z "$key" ] || "$need" "$key" "$value" "$why"
	done <<END
$needs
END
}

# Remembers what has to stay as it is when sysctl $1 is given back.
note_besides() {
	while read -r with pattern value; do
		[ "$with" = "$1" ] || continue
		while IFS= read -r device; do
			other=$pattern
			[ -z "$device" ] || other=$(key_for "$pattern" "$device")
			[ "$(value_of "$other")" != "$value" ] || besides="$besides$1 $other$newline"
		done <<END
$(case $pattern in *'*'*) echo default; interfaces_of "$pattern" each - ;; esac)
END
	done <<END
$companions
END
}

# What is remembered of sysctl $1 gets the new value $2.
renew_sysctl() {
	renewed=''
	while read -r name new old; do
		[ "$name" ] || continue
		[ "$name" != "$1" ] || [ "$(value_of "$name")" != "$new" ] || new=$2
		renewed="$renewed$name $new $old$newline"
	done <<END
$old_sysctls
END
	old_sysctls=$renewed
}

# Software that comes later may rely on forwarding that it finds switched on.
note_links() {
	case $1$newest_link in
	net.ipv4.ip_forward | net.ipv6.conf.all.forwarding) newest_link=0 ;;
	*) return 0 ;;
	esac
	while IFS=: read -r index rest; do
		[ ! "$index" ] || [ "$index" -le "$newest_link" ] || newest_link=$index
	done <<END
$(ip -o link show 2>/dev/null)
END
}

remember_sysctl() {
	if remembered "$1"; then
		renew_sysctl "$1" "$2"
		return 0
	fi
	current=$(value_of "$1") || return 0
	[ "$current" != "$2" ] || return 0
	note_besides "$1"
	note_links "$1"
	old_sysctls="$1 $2 $current$newline$old_sysctls"
}

# yes: it is the turn of sysctls that only the rules make safe.
guarded=no

is_turn_of() {
	case $guarded:$1 in
	yes:*.route_localnet) return 0 ;;
	yes:* | no:*.route_localnet) return 1 ;;
	esac
}

keeps_routes=yes

# What stands in the way is dropped by the kernel and goes nowhere else: the rest of the policy is
# better than none of it.
set_sysctl() {
	is_turn_of "$1" || return 0
	current=$(value_of "$1") || return 0
	[ "$current" != "$2" ] || return 0
	if [ "$1$keeps_routes" = net.ipv6.conf.all.forwardingno ]; then
		say "warning: sysctl $1 stays $current: the host would lose the routes that it learned from routers"
		return 0
	fi
	[ "$1" != net.ipv6.conf.all.forwarding ] || [ "$(ip -6 route show default 2>/dev/null)" ] ||
		say 'warning: this host has no IPv6 default route yet, and once it forwards IPv6 it accepts none from' \
			'router advertisements except on interfaces whose accept_ra is 2 (net.ipv6.conf.INTERFACE.accept_ra)'
	answer=$(sysctl -w "$1=$2" 2>&1) && [ "$(value_of "$1")" = "$2" ] && return 0
	case $1 in
	*.accept_ra) keeps_routes=no ;;
	esac
	say "warning: sysctl $1 cannot be set to $2 (it is $current): $answer; $3"
}

say_absent() {
	say "warning: there is no interface $3 yet, so the sysctl $1 is not set to $2; run \`up\` again when it exists"
}

check_sysctl() {
	current=$(value_of "$1") || return 0
	[ "$current" = "$2" ] || say "warning: sysctl $1 is $current and should be $2: $3"
}

# Does the policy name the interface $1?
is_named() {
	while IFS= read -r pattern; do
		# shellcheck disable=SC2254 # a pattern
		case $1 in
		$pattern) return 0 ;;
		esac
	done <<END
$named
END
	return 1
}

# The first chain of table $2 of family $1 that has rules for forwarded packets.
forwarding_chain() {
	chain='' hook=no
	nft -t list table "$1" "$2" 2>/dev/null | while read -r line; do
		case $line in
		"chain "*) chain=${line#chain } hook=no ;;
		"type "*" hook forward "* | "type nat hook postrouting "*) hook=yes ;;
		"}") hook=no ;;
		'' | "comment "*) ;;
		*)
			if [ "$hook" = yes ]; then
				printf '%s\n' "the chain ${chain% \{} of the nft table $1 $2"
				break
			fi
			;;
		esac
	done
}

# What may rely on forwarding, as sysctl $1 has it, a line each; nothing: no sign of any.
relied_on() {
	case $1 in
	net.ipv4.ip_forward) version=4 family=ip legacy=/proc/net/ip_tables_names ;;
	net.ipv6.conf.all.forwarding | net.ipv6.conf.*.accept_ra)
		version=6 family=ip6 legacy=/proc/net/ip6_tables_names
		;;
	*) return 0 ;;
	esac
	nft list tables 2>/dev/null | while read -r word kind name; do
		case "$word $kind $name" in
		"table inet tpc" | "table inet tpc_"*) ;;
		"table $family "* | "table inet "*) forwarding_chain "$kind" "$name" ;;
		esac
	done
	[ ! -r "$legacy" ] || while read -r word; do
		case $word in
		filter | nat) printf '%s\n' 'iptables-legacy, which has rules,' ;;
		esac
	done <"$legacy"
	[ "$newest_link" ] || return 0
	ip -o "-$version" address show scope global 2>/dev/null | while read -r index name rest; do
		[ "${index%:}" -le "$newest_link" ] || is_named "$name" ||
			printf '%s\n' "the interface $name, which has come since it was set,"
	done
}

# KEY NEW OLD
give_back() {
	current=$(value_of "$1") || return 0
	[ "$current" != "$3" ] || return 0
	if [ "$current" != "$2" ]; then
		say "sysctl $1 is $current by now, which is not what this script had set; left alone"
		return 0
	fi
	relied=$(relied_on "$1")
	if [ "$relied" ]; then
		say "warning: sysctl $1 stays $2 (it was $3 before the policy): ${relied%%"$newline"*} may rely on it;" \
			"where nothing else forwards, run: sysctl -w $1=$3"
		return 0
	fi
	kept=''
	while read -r with other; do
		[ "$with" != "$1" ] || kept="$kept$other=$(value_of "$other")$newline"
	done <<END
$besides
END
	answer=$(sysctl -w "$1=$3" 2>&1) || trouble "sysctl $1 cannot be put back to $3: $answer"
	while IFS= read -r pair; do
		[ -z "$pair" ] || sysctl -qw "$pair" 2>/dev/null
	done <<END
$kept
END
}

# Gives back those that are not among the lines of $1, of the guarded ones or the others.
give_back_except() {
	left=''
	while read -r key new old; do
		[ "$key" ] || continue
		if is_line_of "$key" "$1" || ! is_turn_of "$key"; then
			left="$left$key $new $old$newline"
		else
			give_back "$key" "$new" "$old"
		fi
	done <<END
$old_sysctls
END
	old_sysctls=$left
}

# ---- what is unmarked ----

# The interfaces by which packets come that are refused without a mark, a line each.
unmarked_devices=''

# FAMILY KEY and the words for ip
note_unmarked() {
	unmarked_devices=$unmarked_devices$newline${2##* }
}

# Why IPv4 packets without a mark cannot be refused; nothing: they can. A reverse-path filter asks the
# same rules, without a mark, and would drop answers; so does who answers ARP for other hosts.
unmarked_obstacle() {
	while IFS= read -r device; do
		[ "$device" != lo ] && ! is_line_of "$device" "$unmarked_devices" &&
			{ ! is_line_of "net.ipv4.conf.*.rp_filter $device" "$effective_devices" ||
				[ ! -w "/proc/sys/net/ipv4/conf/$device/rp_filter" ]; } &&
			[ "$(effective 'net.ipv4.conf.*.rp_filter' "$device")" != 0 ] &&
			printf '%s\n' "$device has a reverse-path filter (rp_filter)"
	done <<END
default
$(interfaces_of 'net.ipv4.conf.*.rp_filter' each -)
END
	while IFS= read -r device; do
		[ -z "$device" ] || [ "$(effective 'net.ipv4.conf.*.proxy_arp' "$device")" = 0 ] ||
			printf '%s\n' "$device answers ARP for other hosts (proxy_arp)"
	done <<END
$unmarked_devices
END
}

# Asked once, before anything is changed.
obstacle=unknown

can_refuse_unmarked() {
	[ "$1" = 4 ] || return 0
	if [ "$obstacle" = unknown ]; then
		effective_devices=''
		[ "$sysctl_policy" != set ] || each_sysctl note_effective
		obstacle=$(unmarked_obstacle)
	fi
	[ -z "$obstacle" ]
}

# As each_unmarked, for those rules that can be.
each_refused() {
	with_refused=$1
	each_unmarked if_refused
}

if_refused() {
	! can_refuse_unmarked "$1" || "$with_refused" "$@"
}

wanted_sysctls=''

want_sysctl() {
	wanted_sysctls=$wanted_sysctls$newline$1
}

# ---- up ----

check_tools() {
	for tool in ip nft sysctl; do
		command -v "$tool" >/dev/null 2>&1 ||
			refuse "$tool is not installed (packages: iproute2 for ip, nftables for nft, procps for sysctl)"
	done
	answer=$(nft list tables 2>&1) ||
		refuse "this needs root (the capability CAP_NET_ADMIN); nft says: $answer"
}

# Is an ip rule at priority $2 with owner $1 of this policy, as it is or as it was?
is_our_rule() {
	for block in $protocol/$first/$last $old_blocks; do
		numbers=${block#*/}
		[ "$1" != "${block%%/*}" ] || [ "$2" -lt "${numbers%/*}" ] || [ "$2" -gt "${numbers#*/}" ] ||
			return 0
	done
	return 1
}

# Foreign ip rules among the priorities that are ours, a line each.
foreign_rules() {
	[ "$first" != 0 ] || return 0
	for family in $families; do
		rules_between "$family" "$first" "$last" | while read -r owner priority mark action suppress iif words; do
			is_our_rule "$owner" "$priority" || printf '  IPv%s  %s\n' "$family" "$words"
		done
	done
}

# Is a route of protocol $1 in table $2 of this policy, as it is or as it was?
is_our_route() {
	for pair in $protocol/$2 $old_tables; do
		[ "$1/$2" != "$pair" ] || return 0
	done
	return 1
}

# Foreign routes in the tables that are ours, a line each.
foreign_routes() {
	for family in $families; do
		for number in $tables; do
			ip -d -N "-$family" route show table "$number" 2>/dev/null | while read -r line; do
				owner=${line#* proto }
				case $line in
				'1 '*) line=${line#1 } ;;
				'6 '*) line="blackhole ${line#6 }" ;;
				'7 '*) line="unreachable ${line#7 }" ;;
				'8 '*) line="prohibit ${line#8 }" ;;
				esac
				case $line in
				nexthop*) ;;
				*' proto '*)
					is_our_route "${owner%% *}" "$number" ||
						printf '  IPv%s  table %s: %s\n' "$family" "$number" "$line"
					;;
				esac
			done
		done
	done
}

# Numbers that foreign objects use: their rules would match our packets, and ours theirs.
check_numbers() {
	foreign_objects=$(foreign_rules)
	[ -z "$foreign_objects" ] || {
		say "the ip rule priorities $first-$last are needed, and foreign rules are among them:"
		printf '%s\n' "$foreign_objects" >&2
		refuse 'give the policy room elsewhere with "settings: {priority: N}", or remove those rules'
	}
	foreign_objects=$(foreign_routes)
	[ -z "$foreign_objects" ] || {
		say "the routing tables $tables are needed, and foreign routes are in them:"
		printf '%s\n' "$foreign_objects" >&2
		refuse 'give the tables other ids with "settings: {table_ids: ...}", or remove those routes'
	}
}

# nft looks cgroups up when it loads the rules.
check_cgroups() {
	[ "$cgroups" ] || return 0
	[ -e /sys/fs/cgroup/cgroup.controllers ] ||
		refuse "this host has no cgroups of version 2 at /sys/fs/cgroup, where nft looks for: $cgroups"
	lost=''
	for path in $cgroups; do
		[ -d "/sys/fs/cgroup/$path" ] || lost="$lost $path"
	done
	[ -z "$lost" ] || refuse "not among the cgroups of this host (below /sys/fs/cgroup):$lost." \
		'They must exist when the policy is loaded; start their units first'
}

# A table with our name that neither says that it is a policy's nor is one that we remember.
check_table() {
	table_is_there || return 0
	[ -z "$state" ] || return 0
	case $(nft list chain inet "$table" about 2>/dev/null) in
	*'comment "tpc '*) return 0 ;;
	esac
	refuse "nft table inet $table exists but was not created by tpc (no tpc metadata)." \
		'Give the policy another name (the key "name"),' \
		"or remove that table yourself: nft delete table inet $table"
}

# FAMILY TABLE KEY and the words for ip
put_route() {
	family=$1 number=$2 key=$3
	shift 3
	has_family "$family" || return 0
	verb=add
	is_line_of "$key" "$(present_routes "$family" "$number" "$protocol")" && verb=replace
	answer=$(ip "-$family" route "$verb" "$@" 2>&1) && return 0
	case $answer in
	*'File exists'*)
		trouble "table $number has a route to ${key% *} that is not ours;" \
			"give the policy's table another id"
		;;
	*) say "warning: ip -$family route $verb $*: $answer" ;;
	esac
}

copied=''

# As put_route; main may have several routes with one key, by different interfaces.
put_copy() {
	key=$3
	is_line_of "$key" "$copied" || {
		copied="$copied$newline$key"
		put_route "$@"
		return
	}
	shift 3
	answer=$(ip -6 route append "$@" 2>&1) && return 0
	case $answer in
	*'File exists'*) ;;
	*) say "warning: ip -6 route append $*: $answer" ;;
	esac
}

# FAMILY KEY and the words for ip
put_rule() {
	family=$1
	shift 2
	has_family "$family" || return 0
	answer=$(ip "-$family" rule add "$@" 2>&1) && return 0
	case $answer in
	*'File exists'*) ;;
	*) trouble "ip -$family rule add $*: $answer" ;;
	esac
}

# Sets that are filled at run time and are there already, a line each: what they hold stays.
kept_sets=''

find_kept_sets() {
	[ "$dynamic_sets" ] && table_is_there || return 0
	present=$(present_sets)
	for name in $dynamic_sets; do
		! is_line_of "$name" "$present" || kept_sets=$kept_sets$newline$name
	done
}

# The nft file; windows of time are loaded in another form than they have there (see above).
policy_text() {
	if [ "$time_sets" ]; then
		print_policy
	else
		cat "$nft_file"
	fi
}

# Loads the nft file, or with -c only asks whether it could be. What kept sets begin with is left
# out: an element that overlaps an existing one would be refused, and the whole file with it.
load_nft() {
	[ "$time_sets$kept_sets" ] || {
		nft "$@" -f "$nft_file"
		return
	}
	edits=''
	for name in $kept_sets; do
		edits="$edits$newline/^add element inet $table $name {\$/,/^}\$/d"
	done
	policy_text | sed "$edits" | nft "$@" -f -
}

# Adds the initial elements of the retained set $1, as far as they overlap no existing ones.
add_elements() {
	elements=$(sed -n "/^add element inet $table $1 {\$/,/^}\$/p" "$nft_file")
	[ "$elements" ] || return 0
	! printf '%s\n' "$elements" | nft -f - 2>/dev/null || return 0
	for element in $(printf '%s\n' "$elements" | sed -e 1d -e '$d' -e 's/,//g'); do
		answer=$(nft add element inet "$table" "$1" "{ $element }" 2>&1) && continue
		case $answer in
		*overlaps* | *'File exists'* | *'not empty'*)
			say "warning: $element was not added to the set $1, where something overlaps it"
			;;
		*) trouble "the set $1 does not take $element: $answer" ;;
		esac
	done
}

# The part of the nft text that comes in which makes and fills the sets that are lines of $1.
text_of_sets() {
	copy=no
	while IFS= read -r line; do
		case $line in
		'# ---- rules ----') return 0 ;;
		"${tab}set "* | "${tab}map "* | "add element inet $table "*)
			name=${line% \{}
			is_line_of "${name##* }" "$1" && copy=yes
			;;
		# What maps lead to.
		"${tab}chain "*) copy=yes ;;
		esac
		[ "$copy" = yes ] || continue
		case $line in
		"${tab}set "* | "${tab}map "* | "${tab}chain "*) printf 'table inet %s {\n%s\n' "$table" "$line" ;;
		"$tab}")
			printf '%s\n}\n' "$line"
			copy=no
			;;
		'}')
			printf '%s\n' "$line"
			copy=no
			;;
		*) printf '%s\n' "$line" ;;
		esac
	done
}

# A packet could meet a new rule before the contents of a new set when both come in one transaction;
# so where rules are in force already, new sets come first. So do those that the script itself fills.
fill_new_sets() {
	present='' new='' names=$(own_sets)
	! table_is_there || present=$(present_sets) names=$sets
	for name in $names; do
		is_line_of "$name" "$present" || new=$new$newline$name
	done
	[ "$new" ] || return 0
	answer=$(policy_text | text_of_sets "$new" | nft -f - 2>&1) || trouble "nft refuses the new sets: $answer"
}

# FAMILY PROTOCOL PRIORITY MARK ACTION SUPPRESS INTERFACE
delete_rule() {
	family=$1 owner=$2 priority=$3 mark=$4 action=$5 suppress=$6 iif=$7
	case $action in
	blackhole | unreachable | prohibit) set -- "$action" ;;
	*) set -- lookup "$action" ;;
	esac
	[ "$suppress" = - ] || set -- "$@" suppress_prefixlength "$suppress"
	case $iif in
	-) ;;
	oif/*) set -- oif "${iif#oif/}" "$@" ;;
	*) set -- iif "$iif" "$@" ;;
	esac
	set -- priority "$priority" fwmark "$mark" "$@" protocol "$owner"
	answer=$(ip "-$family" rule del "$@" 2>&1) || trouble "ip -$family rule del $*: $answer"
}

# yes: of the ip rules only those about what is unmarked are to go.
unmarked=no

# Takes away the ip rules of family $1 and block $2 that are not among the lines PROTOCOL FAMILY KEY
# of $3.
delete_rules_of() {
	owner=${2%%/*} lowest=${2#*/}
	while read -r priority mark action suppress iif; do
		[ "$priority" ] || continue
		case $unmarked:$iif in
		yes:- | yes:oif/*) continue ;;
		esac
		is_line_of "$owner $1 $priority $mark $action $suppress $iif" "$3" ||
			delete_rule "$1" "$owner" "$priority" "$mark" "$action" "$suppress" "$iif"
	done <<END
$(present_rules "$1" "$owner" "${lowest%/*}" "${lowest#*/}")
END
}

delete_rules_except() {
	for family in $families; do
		for block in $protocol/$first/$last $old_blocks; do
			delete_rules_of "$family" "$block" "$1"
		done
	done
}

# FAMILY PROTOCOL TABLE DESTINATION METRIC
delete_route() {
	family=$1 metric=$5
	set -- "$4" table "$3" protocol "$2"
	[ "$metric" = 0 ] || set -- "$@" metric "$metric"
	answer=$(ip "-$family" route del "$@" 2>&1) || trouble "ip -$family route del $*: $answer"
}

# Takes away the routes of family $1 in PROTOCOL/TABLE $2 that are not among the lines PROTOCOL
# FAMILY TABLE KEY of $3.
delete_routes_of() {
	owner=${2%/*} number=${2#*/}
	while read -r destination metric; do
		[ "$destination" ] || continue
		is_line_of "$owner $1 $number $destination $metric" "$3" ||
			delete_route "$1" "$owner" "$number" "$destination" "$metric"
	done <<END
$(present_routes "$1" "$number" "$owner")
END
}

delete_routes_except() {
	for family in $families; do
		for number in $tables; do
			delete_routes_of "$family" "$protocol/$number" "$1"
		done
		for pair in $old_tables; do
			delete_routes_of "$family" "$pair" "$1"
		done
	done
}

wanted_rules=''
wanted_routes=''

want_rule() {
	wanted_rules="$wanted_rules$newline$protocol $1 $2"
}

want_route() {
	wanted_routes="$wanted_routes$newline$protocol $1 $2 $3"
}

finish() {
	[ "$failures" -gt 0 ] || return 0
	say "$failures of the steps failed; fix what is named above and run \`up\` again," \
		"or \`down\` to take everything away"
	exit 4
}

up() {
	[ -r "$nft_file" ] || refuse "$nft_file is missing; it belongs into the folder of this script"
	check_tools
	read_state
	check_table
	check_numbers
	check_cgroups
	[ -z "$time_sets" ] || read_windows
	find_kept_sets
	answer=$(load_nft -c 2>&1) || {
		say "nft does not take $nft_file:$newline$answer"
		case $answer in
		*'Message too long'*) say "that is more than one transaction may hold without the right to large" \
			"socket buffers (see net.core.wmem_default)" ;;
		*) ! table_is_there || say "where settings.hook_priority has changed, or whether a set is filled at" \
			"run time, run \`down\` first" ;;
		esac
		refuse 'the policy was not loaded'
	}
	each_route want_route
	each_copy want_route
	each_unmarked note_unmarked
	each_rule want_rule
	each_refused want_rule
	if [ "$sysctl_policy" = set ]; then
		each_need want_sysctl
		each_need remember_sysctl
	fi
	write_state ||
		refuse "cannot write $state, where \`down\` looks for what to put back;" \
			"name another folder in TPC_RUN_DIR"
	[ "$sysctl_policy" != set ] || each_need set_sysctl say_absent
	[ "$sysctl_policy" != check ] || each_need check_sysctl say_absent
	# Rules without their routes, and marks without their rules, would send packets the wrong way.
	each_route put_route
	each_copy put_copy
	finish
	each_rule put_rule
	fill_new_sets
	for name in $kept_sets; do
		add_elements "$name"
	done
	fill_own_sets
	finish
	guarded=yes
	give_back_except "$wanted_sysctls"
	unmarked=yes
	delete_rules_except "$wanted_rules"
	unmarked=no
	answer=$(load_nft 2>&1) || trouble "nft does not take $nft_file:$newline$answer"
	finish
	fill_gateways
	each_refused put_rule
	[ "$sysctl_policy" != set ] || each_need set_sysctl
	guarded=no
	delete_rules_except "$wanted_rules"
	delete_routes_except "$wanted_routes"
	give_back_except "$wanted_sysctls"
	old_blocks=''
	old_tables=''
	write_state || trouble "cannot write $state"
	finish
}

# ---- gateways that share an interface ----

# The gateways of $gateways (SET DEV ADDRESS, `main` for those of main's default routes, auto4 or auto6
# for one that is learnt), a line each: main's by their addresses, and only where no table has them.
list_gateways() {
	known=$(printf '%s\n' "$gateways" | while read -r set device via; do
		case $via in
		main) continue ;;
		auto[46])
			learn_gateway "${via#auto}" "$device" && [ "$gateway" ] || continue
			via=${gateway##* }
			;;
		esac
		printf '%s %s %s\n' "$set" "$device" "$via"
	done)
	printf '%s\n' "$known"
	printf '%s\n' "$gateways" | while read -r set device via; do
		[ "$via" = main ] || continue
		for family in $families; do
			ip "-$family" route show table main default dev "$device" 2>/dev/null
		done | sed -n 's/.* via \(inet6 \)\{0,1\}\([^ ]*\).*/\2/p' | while read -r via; do
			is_line_of "$device $via" "$(printf '%s\n' "$known" | cut -d ' ' -f 2-)" ||
				printf '%s %s %s\n' "$set" "$device" "$via"
		done
	done
}

# Of the lines in $1, those whose interface has gateways of more than one set.
shared_gateways() {
	printf '%s\n' "$1" | while read -r set device via; do
		while read -r other same rest; do
			[ "$same" = "$device" ] && [ "$other" != "$set" ] && {
				printf '%s %s %s\n' "$set" "$device" "$via"
				break
			}
		done <<END
$1
END
	done
}

# The link address of the neighbour $2 on the interface $1, if the kernel knows it.
link_address() {
	ip neigh show to "$2" dev "$1" 2>/dev/null |
		sed -n '/FAILED\|INCOMPLETE/!s/.*lladdr \([0-9a-f:]\{17\}\).*/\1/p'
}

# Makes the kernel look for the neighbour, and waits a second at most.
find_link_address() {
	found=$(link_address "$1" "$2")
	[ ! "$found" ] || return 0
	ip neigh replace "$2" dev "$1" use 2>/dev/null || return 0
	for _ in 1 2 3 4 5; do
		sleep 0.2
		found=$(link_address "$1" "$2")
		[ ! "$found" ] || return 0
	done
}

# What comes in by an interface that leads to several gateways is distinguished by link addresses.
fill_gateways() {
	[ "$gateways" ] || return 0
	text='' taken=''
	for set in $(printf '%s\n' "$gateways" | sed 's/ .*//' | sort -u); do
		text="${text}flush set inet $table $set$newline"
	done
	while read -r set device via; do
		[ "$set" ] || continue
		find_link_address "$device" "$via"
		if [ ! "$found" ]; then
			say "warning: the gateway $via on $device has no link address: replies to it may leave" \
				"through another gateway"
		elif ! is_line_of "$device $found" "$taken"; then
			text="${text}add element inet $table $set { $found }$newline"
			taken=$taken$newline"$device $found"
		fi
	done <<END
$(shared_gateways "$(list_gateways)")
END
	answer=$(printf '%s' "$text" | nft -f - 2>&1) ||
		trouble "nft does not take the link addresses of gateways: $answer"
}

# ---- sets of this host's own addresses ----

# The sets of $own (SET DEV WHAT FAMILY, WHAT is `addresses` or `networks`).
own_sets() {
	printf '%s\n' "$own" | sed 's/ .*//' | sort -u
}

# Of the addresses that `ip -o address` lists, those that are used beyond the link, as ADDRESS/LENGTH; or
# their networks, which are the other end's by a link from point to point. $1: WHAT.
read_addresses() {
	while read -r _ _ _ address rest; do
		case "$address $rest " in
		' '* | fe[89ab]?:*) continue ;;
		*' optimistic '*) ;;
		*' tentative '* | *' dadfailed '*) continue ;;
		esac
		network=$address
		case $rest in
		'peer '*)
			network=${rest#peer }
			network=${network%% *}
			;;
		esac
		case $1,$address in
		networks,*) printf '%s\n' "$network" ;;
		*:*) printf '%s/128\n' "${address%/*}" ;;
		*) printf '%s/32\n' "${address%/*}" ;;
		esac
	done
}

# What the set $1 should hold.
own_of() {
	printf '%s\n' "$own" | while read -r set device what family; do
		[ "$set" != "$1" ] ||
			ip -o "-$family" address show dev "$device" 2>/dev/null | read_addresses "$what"
	done
}

# What it holds; a time that an element has is left out.
held_by() {
	nft list set inet "$table" "$1" 2>/dev/null | tr '\n\t' '  ' |
		sed -n 's/.*elements = { *\([^}]*\)}.*/\1,/p' | tr ',' '\n' | while read -r element _; do
		case $element in
		'') ;;
		*[/-]*) printf '%s\n' "$element" ;;
		*:*) printf '%s/128\n' "$element" ;;
		*) printf '%s/32\n' "$element" ;;
		esac
	done
}

# The groups of an IPv6 address, or some of them, as hexadecimal digits.
groups_of() {
	for group in $(printf '%s' "$1" | tr : ' '); do
		printf '%04x' "0x$group"
	done
}

# An address as hexadecimal digits; `::` stands for as many zeros as are missing.
digits_of() {
	case $1 in
	*:*)
		begin=$(groups_of "${1%%::*}") end='' zeros=00000000000000000000000000000000
		case $1 in
		*::*) end=$(groups_of "${1#*::}") ;;
		esac
		known=$(printf '%s' "$begin$end" | tr -c 0 0)
		printf '%s\n' "$begin${zeros#"$known"}$end"
		;;
	*)
		for byte in $(printf '%s' "$1" | tr . ' '); do
			printf '%02x' "$byte"
		done
		;;
	esac
}

# The first $2 bits of the digits $1, as digits; what is over of the last one, and how many bits that is.
first_bits() {
	digits=$1 left=$2 bits=''
	while [ "$left" -ge 4 ]; do
		bits=$bits${digits%"${digits#?}"}
		digits=${digits#?}
		left=$((left - 4))
	done
	[ "$left" = 0 ] || bits=$bits.$((0x${digits%"${digits#?}"} >> (4 - left))).$left
	printf '%s\n' "$bits"
}

# BITS/LENGTH PREFIX of the prefixes that come in, but for those that another one covers. What is no
# prefix stays.
widest_of() {
	kept=''
	sort -t / -k 2,2n | while read -r prefix; do
		case $prefix in
		*-*)
			printf '%s\n' "$prefix"
			continue
			;;
		esac
		all=$(digits_of "${prefix%/*}")
		for key in $kept; do
			[ "$(first_bits "$all" "${key#*/}")" != "${key%/*}" ] || continue 2
		done
		key=$(first_bits "$all" "${prefix#*/}")/${prefix#*/}
		kept="$kept $key"
		printf '%s\n' "$key $prefix"
	done
}

# Interfaces that have nothing to give.
warn_of_no_addresses() {
	printf '%s\n' "$own" | sed 's/\.host_v[46] \([^ ]*\) .*/ \1/' | sort -u | while read -r name device; do
		if ! listed=$(ip -o address show dev "$device" 2>/dev/null); then
			say "warning: the set $name holds nothing of $device: there is no such interface"
		elif [ ! "$(printf '%s\n' "$listed" | read_addresses addresses)" ]; then
			say "warning: the set $name holds nothing of $device, which has no address"
		fi
	done
}

# In one transaction, and before any rule is there that asks for them.
fill_own_sets() {
	[ "$own" ] || return 0
	warn_of_no_addresses
	text=''
	for set in $(own_sets); do
		text="${text}flush set inet $table $set$newline"
		elements=$(own_of "$set" | widest_of | sed 's/.* //' | tr '\n' ',')
		[ ! "$elements" ] || text="${text}add element inet $table $set { ${elements%,} }$newline"
	done
	answer=$(printf '%s' "$text" | nft -f - 2>&1) ||
		trouble "nft does not take the addresses of this host: $answer"
}

report_own() {
	[ "$own" ] || return 0
	for set in $(own_sets); do
		devices=$(printf '%s\n' "$own" | sed -n "s/^$set \([^ ]*\) .*/\1/p" | sort -u | tr '\n' ' ')
		[ "$(own_of "$set" | widest_of | sed 's/ .*//' | sort)" = \
			"$(held_by "$set" | widest_of | sed 's/ .*//' | sort)" ]
		report $? "set $set, as the addresses of ${devices% } are now"
	done
}

# ---- down ----

down() {
	check_tools
	read_state
	check_table
	guarded=yes
	give_back_except ''
	guarded=no
	# They go while the table still marks what the policy leaves alone.
	unmarked=yes
	delete_rules_except ''
	unmarked=no
	if table_is_there; then
		answer=$(nft delete table inet "$table" 2>&1) || trouble "nft delete table inet $table: $answer"
		# As long as packets are marked, the ip rules stay.
		finish
	fi
	delete_rules_except ''
	delete_routes_except ''
	give_back_except ''
	[ "$failures" -gt 0 ] || drop_state
	finish
}

# ---- status ----

# STATUS of the command that asked for it, and WORDS.
report() {
	if [ "$1" = 0 ]; then
		printf 'ok       %s\n' "$2"
	else
		printf 'MISSING  %s\n' "$2"
		missing=$((missing + 1))
	fi
}

report_route() {
	has_family "$1" || return 0
	is_line_of "$3" "$(present_routes "$1" "$2" "$protocol")"
	there=$? family=$1 number=$2
	shift 3
	# A gateway that was learnt may be another one by now.
	case $there,$* in
	0,*' via '*)
		gateway=$*
		gateway=${gateway#* via }
		case "$(ip "-$family" route show table "$number" proto "$protocol")" in
		*" via ${gateway%% *} "*) ;;
		*) there=1 ;;
		esac
		;;
	esac
	report $there "ip -$family route $*"
}

report_rule() {
	has_family "$1" || return 0
	is_line_of "$2" "$(present_rules "$1" "$protocol" "$first" "$last")"
	there=$? family=$1
	shift 2
	report $there "ip -$family rule $*"
}

report_sysctl() {
	[ "$(value_of "$1")" = "$2" ]
	report $? "sysctl $1 = $2"
}

report_absent() {
	report 1 "sysctl $1 = $2 (there is no interface $3)"
}

status() {
	check_tools
	nft list chain inet "$table" about 2>/dev/null | grep -q "digest=$digest"
	report $? "nft table inet $table, as $stem.nft has it"
	each_unmarked note_unmarked
	each_rule report_rule
	each_refused report_rule
	each_route report_route
	each_copy report_route
	report_own
	[ "$sysctl_policy" = ignore ] || each_need report_sysctl report_absent
	[ "$missing" = 0 ] || exit 5
}

case $#${1-} in
1up) up ;;
1down) down ;;
1status) status ;;
*)
	printf 'usage: sh %s up|down|status\n' "$0" >&2
	exit 2
	;;
esac
