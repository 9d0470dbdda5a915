#!/bin/bash
# Python's tracemalloc beside our tools, on the same data in the same run: rows of a Markdown table on stdout.
# TRACES, FRAMES and ROUNDS change the size of it.  Times are medians of interleaved runs: Python's own clock around
# load and statistics, without its start, against whole processes of ours.
. "$(dirname "$0")/../lib.sh"
set -e
traces=${TRACES:-1000000} frames=${FRAMES:-25} rounds=${ROUNDS:-5}
here=$top/tests/bench timed=$BUILD/tests/helper/timed

# median FILE COLUMN
median() {
	awk -v c="$2" '{print $c}' "$1" | sort -g | awk '{v[NR] = $1} END {print NR % 2 ? v[(NR + 1) / 2] : (v[NR / 2] + v[NR / 2 + 1]) / 2}'
}
# row NAME OURS PEER UNIT DECIMALS: how many times less ours is
row() {
	awk -v n="$1" -v o="$2" -v p="$3" -v u="$4" -v d="$5" 'BEGIN {
		printf "| %s | %." d "f %s | %." d "f %s | %.1f |\n", n, o, u, p, u, p / o }'
}
# python NAME ARGUMENT...: seconds by its own clock and peak KiB, appended to NAME
python() {
	local name=$1; shift
	"$timed" "$work/peak" python3 "$here/traces.py" "$@" >"$work/seconds"
	echo "$(cat "$work/seconds") $(tail -1 "$work/peak" | cut -d' ' -f2)" >>"$work/$name"
}
# ours NAME COMMAND...: seconds of the process and peak KiB, appended to NAME
ours() {
	local name=$1; shift
	"$timed" "$work/$name" "$@" >/dev/null
}
milliseconds() { awk -v s="$(median "$1" 1)" 'BEGIN {print s * 1000}'; }
mebibytes() { awk -v k="$(median "$1" 2)" 'BEGIN {print k / 1024}'; }

# compare NAME OURS PEER: a row of times and one of memory
compare() {
	row "$1" "$(milliseconds "$work/$2")" "$(milliseconds "$work/$3")" ms 1
	row "$1, peak memory" "$(mebibytes "$work/$2")" "$(mebibytes "$work/$3")" MiB 1
}

# sizes WHAT FOLDER: our file beside the pickle, raw and packed
sizes() {
	local ours pickle packed
	snap-import tracemalloc -o "$2/new.snap" "$2/new.pickle"
	ours=$(stat -c %s "$2/new.snap") pickle=$(stat -c %s "$2/new.pickle")
	packed=$(zstd -q -19 -c "$2/new.pickle" | wc -c)
	row "$1: file, pickle" "$ours" "$pickle" bytes 0
	row "$1: file, pickle through zstd -19" "$ours" "$packed" bytes 0
}

mkdir "$work/large" "$work/small" "$work/tiny"
python3 "$here/traces.py" make "$work/large" "$traces" "$frames" >/dev/null
python3 "$here/traces.py" make "$work/small" 300 "$frames" >/dev/null
python3 "$here/traces.py" make "$work/tiny" 300 1 >/dev/null
for name in old new; do
	snap-import tracemalloc -o "$work/large/$name.snap" "$work/large/$name.pickle"
done
old=$work/large/old new=$work/large/new
for ((round = 0; round < rounds; round++)); do
	python load load "$new.pickle"
	ours import snap-import tracemalloc -o "$work/import.snap" "$new.pickle"
	for key in lineno filename traceback; do
		python "statistics-$key" statistics "$new.pickle" "$key"
		ours "top-$key" snap-top --key=$key "$new.snap"
	done
	python cumulative cumulative "$new.pickle" lineno
	ours top-cumulative snap-top --key=lineno --cumulative "$new.snap"
	python filtered filtered "$new.pickle" lineno '*part0*'
	ours top-filtered snap-top --key=lineno --include='*part0*' "$new.snap"
	python compare compare "$old.pickle" "$new.pickle" lineno
	status=0
	ours diff snap-diff --key=lineno "$old.snap" "$new.snap" || status=$?
	[ "$status" -le 1 ]
done
what="tracemalloc, $traces traces of $frames frames"
for key in lineno filename traceback; do
	compare "$what: snap-top; load + statistics($key)" "top-$key" "statistics-$key"
done
compare "$what: snap-top --cumulative; load + statistics(lineno, True)" top-cumulative cumulative
compare "$what: snap-top --include; load + filter_traces + statistics(lineno)" top-filtered filtered
compare "$what: snap-diff; load twice + compare_to(lineno)" diff compare
compare "$what: snap-import; load + statistics(lineno)" import statistics-lineno
compare "$what: snap-import; load" import load
sizes "$what" "$work/large"
sizes "tracemalloc, 300 traces of $frames frames" "$work/small"
sizes "tracemalloc, 300 traces of 1 frame" "$work/tiny"
