
# ---- windows of time ----
# The nft file has them in local time, the kernel counts seconds of UTC. In between lies the host's
# zone, which is asked for with date(1); TZ is not asked.

unset TZ

# $seconds: the local time YEAR MONTH DAY HOUR MINUTE SECOND as seconds since 1970-01-01 00:00.
read_local() {
	year=$1 month=$2
	[ "$month" -gt 2 ] || year=$((year - 1)) month=$((month + 12))
	seconds=$((year * 365 + year / 4 - year / 100 + year / 400 + (153 * (month - 3) + 2) / 5 + $3 - 719469))
	seconds=$(((seconds * 24 + $4) * 3600 + $5 * 60 + $6))
}

# $offset: how far local time is ahead of UTC at moment $1.
read_offset() {
	moment=$1
	# shellcheck disable=SC2046 # six words
	set -- $(date -d "@$moment" '+%Y %m %d %H %M %S' 2>/dev/null)
	[ $# = 6 ] ||
		refuse "windows of time need a date that tells the local time of a moment:" \
			"date -d @0, as in coreutils or busybox"
	read_local "$1" "${2#0}" "${3#0}" "${4#0}" "${5#0}" "${6#0}"
	offset=$((seconds - moment))
}

# $late: the first moment with the offset $3 that holds at $2 and not at $1.
find_change() {
	early=$1 late=$2
	while [ $((late - early)) -gt 1 ]; do
		middle=$((early + (late - early) / 2))
		read_offset $middle
		if [ "$offset" = "$3" ]; then late=$middle; else early=$middle; fi
	done
}

# $zone: words START OFFSET for each stretch of time with one offset, the first from 0 on.
read_zone() {
	at=$((time_first - 172800)) stop=$((time_last + 172800))
	read_offset $at
	held=$offset
	zone="0 $held "
	while [ $at -lt $stop ]; do
		# No zone that changes its mind changes it back within three weeks.
		ahead=$((at + 1814400))
		read_offset $ahead
		if [ "$offset" != "$held" ]; then
			held=$offset
			find_change $at $ahead "$held"
			zone="$zone$late $held "
		fi
		at=$ahead
	done
}

# $opens: the first moment at which the clock shows $1 or more. Like the next one, goes forward
# through the zone.
find_opening() {
	while [ "$open_rest" ] && [ $(($1 - open_offset)) -ge "${open_rest%% *}" ]; do
		open_start=${open_rest%% *} open_rest=${open_rest#* }
		open_offset=${open_rest%% *} open_rest=${open_rest#* }
	done
	opens=$(($1 - open_offset))
	[ $opens -ge "$open_start" ] || opens=$open_start
}

# $closes: the first moment from which on the clock shows $1 or more for good.
find_closing() {
	while [ "$close_rest" ]; do
		rest=${close_rest#* }
		[ "${close_rest%% *}" -lt $(($1 - ${rest%% *})) ] || break
		close_offset=${rest%% *} close_rest=${rest#* }
	done
	closes=$(($1 - close_offset))
	[ -z "$close_rest" ] || [ $closes -le "${close_rest%% *}" ] || closes=${close_rest%% *}
}

# The moments BEGIN-END of the windows in local time that come in, a line each, with a comma between
# two of them.
print_moments() {
	open_start=0 open_rest=${zone#* }
	open_offset=${open_rest%% *} open_rest=${open_rest#* }
	close_offset=$open_offset close_rest=$open_rest
	begin='' end=''
	while read -r line; do
		# shellcheck disable=SC2086 # the numbers of the line
		set -- $line
		while [ $# -ge 12 ]; do
			read_local "$1" "$2" "$3" "$4" "$5" "$6"
			find_opening $seconds
			shift 6
			read_local "$1" "$2" "$3" "$4" "$5" "$6"
			find_closing $seconds
			shift 6
			# A window inside an hour that is skipped never opens.
			[ $opens -lt $closes ] || continue
			if [ "$end" ] && [ $opens -le "$end" ]; then
				[ $closes -le "$end" ] || end=$closes
				continue
			fi
			[ -z "$end" ] || printf '\t%s-%s,\n' "$begin" "$end"
			begin=$opens end=$closes
		done
	done
	[ -z "$end" ] || printf '\t%s-%s\n' "$begin" "$end"
}

print_windows() {
	for name in $time_sets; do
		text=$(sed -n "/^add element inet $table $name {\$/,/^}\$/{
			/\"/{
				s/[^0-9]\{1,\}/ /g
				s/ 0\([0-9]\)/ \1/g
				p
			}
		}" "$nft_file" | print_moments)
		[ -z "$text" ] || printf 'add element inet %s %s {\n%s\n}\n' "$table" "$name" "$text"
	done
}

# $windows: all sets of windows, as nft text in seconds of UTC.
read_windows() {
	read_zone
	windows=$(print_windows)
}

# The nft file with $windows in the place of its own.
print_policy() {
	cut=''
	for name in $time_sets; do
		cut="$cut/^add element inet $table $name {\$/,/^}\$/d$newline"
	done
	sed "$cut/^# ---- rules ----\$/,\$d" "$nft_file"
	printf '%s\n' "$windows"
	sed -n '/^# ---- rules ----$/,$p' "$nft_file"
}
