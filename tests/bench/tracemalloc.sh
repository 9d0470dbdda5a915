#!/usr/bin/env bash
# Python's tracemalloc beside our tools, on the same data in the same run.  TRACES and FRAMES change the size of it.
. "$(dirname "$0")/measure.bash"
traces=${TRACES:-1000000} frames=${FRAMES:-25}
keys="lineno filename traceback"

python() { local series=$1; shift; peer "$series" python3 "$here/traces.py" "$@"; }
# made FOLDER TRACES FRAMES: two pickles of one program, and our snapshots of them
made() {
	mkdir "$1"
	python3 "$here/traces.py" make "$@" >/dev/null
	snap-import tracemalloc -o "$1/old.snap" "$1/old.pickle"
	snap-import tracemalloc -o "$1/new.snap" "$1/new.pickle"
}
asked() {
	local old=$work/large/old new=$work/large/new key
	for key in $keys; do
		python "statistics-$key" statistics "$new.pickle" "$key"
		ours "top-$key" snap-top --key="$key" "$new.snap"
	done
	python cumulative cumulative "$new.pickle" lineno
	ours top-cumulative snap-top --key=lineno --cumulative "$new.snap"
	python filtered filtered "$new.pickle" lineno '*part0*'
	ours top-filtered snap-top --key=lineno --include='*part0*' "$new.snap"
	python compare compare "$old.pickle" "$new.pickle" lineno
	ours diff snap-diff --key=lineno "$old.snap" "$new.snap"
	python load load "$new.pickle"
	ours import snap-import tracemalloc -o "$work/import.snap" "$new.pickle"
}
# sizes WHAT FOLDER: our file beside the pickle, raw and packed
sizes() {
	local ours level
	ours=$(bytes "$2/new.snap")
	row "$1: file; pickle" bytes "$ours" "$(bytes "$2/new.pickle")" less
	for level in 3 19; do
		row "$1: file; pickle through \`zstd -$level\`" bytes "$ours" "$(zstd -q -$level -c "$2/new.pickle" | wc -c)" less
	done
}

made "$work/large" "$traces" "$frames"
made "$work/small" 300 "$frames"
made "$work/tiny" 300 1
made "$work/few" 20 "$frames"
for ((round = 0; round < rounds; round++)); do
	asked
done
what="$traces traces, $frames frames"
for key in $keys; do
	times "$what: \`snap-top -k $key\`; load, statistics" "top-$key" "statistics-$key"
done
milliseconds "$what: \`snap-top -k lineno\`; load, statistics" top-lineno statistics-lineno
memory "$what: \`snap-top -k lineno\`; load, statistics" top-lineno statistics-lineno
times "$what: \`snap-top -k lineno --cumulative\`; load, statistics" top-cumulative cumulative
times "$what: \`snap-top -k lineno --include\`; load, filter_traces, statistics" top-filtered filtered
times "$what: \`snap-diff -k lineno\`; load twice, compare_to" diff compare
memory "$what: \`snap-diff -k lineno\`; load twice, compare_to" diff compare
times "$what: \`snap-import\`; load" import load
times "$what: \`snap-import\`; load, statistics" import statistics-lineno
memory "$what: \`snap-import\`; load" import load
sizes "$what" "$work/large"
sizes "300 traces, $frames frames" "$work/small"
sizes "300 traces, 1 frame" "$work/tiny"
sizes "20 traces, $frames frames" "$work/few"
