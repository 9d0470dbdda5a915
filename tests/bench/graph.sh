#!/usr/bin/env bash
# Questions about references: rows of a Markdown table on stdout.  NODES changes the size of the V8 heap that is asked about.
. "$(dirname "$0")/../lib.sh"
set -e
nodes=${NODES:-2000000}
node "$top/tests/bench/v8_heap.js" "$work/heap" "$nodes" >&2
snap-import v8 -o "$work/heap.snap" "$work/heap"
rm "$work/heap"
"$BUILD/tests/bench/graph" "$work/heap.snap" | awk -v nodes="$nodes" '
	/ held / { seconds = $0; sub(/ s .*/, "", seconds); sub(/.* /, "", seconds)
		what = substr($0, 1, 24); sub(/ +$/, "", what)
		peak = $0; sub(/.*peak +/, "", peak)
		printf "| %s, V8 heap of %d nodes | %s s, %s at the peak | | |\n", what, nodes, seconds, peak }'
