#!/usr/bin/env bash
# The writer: a million objects with three references each, as a program hands them over.  OBJECTS changes the size of it.
. "$(dirname "$0")/measure.bash"
objects=${OBJECTS:-1000000}

# written SERIES [MEMORY-MiB]: its line, from writer.c
written() {
	local series=$1; shift
	"$BUILD/tests/bench/writer" "$objects" 3 "$@" >>"$work/$series"
}
# shown WHAT SERIES
shown() {
	local -x what="$objects objects, $((objects * 3)) references, $1"
	row "$what: until it is written, processor time" s "$(column "$2" 4)" "" less
	row "$what: of which in \`snap_writer_finish\`" s "$(awk '{print $4 - $3}' "$work/$2")" "" less
	row "$what: memory of the writer per object" bytes "$(column "$2" 5)" "" less
	row "$what: peak memory of the process, above its start" MiB "$(column "$2" 6 0.0009765625)" "" less
	row "$what: file per object" bytes "$(column "$2" 7)" "" less
}
for ((round = 0; round < rounds; round++)); do
	written free 0
	written bounded 16
done
shown "in memory" free
shown "in 16 MiB" bounded
[ "$(cut -f8 "$work/free" "$work/bounded" | sort -u | wc -l)" = 1 ] || { echo "bench: two snapshots of the same objects differ" >&2; exit 1; }
