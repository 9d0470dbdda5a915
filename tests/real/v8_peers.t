#!/bin/bash
# Distances from the root and retained bytes of 1,000 nodes of real heaps of V8 are those of the developer tools of Chrome, and
# retained bytes those of MemLab.  What differs by definition: v8_devtools.mjs, v8_memlab.js.
. "$(dirname "$0")/../lib.sh"
need_real node npm
here=$top/tests/real
export NODE_OPTIONS=--max-old-space-size=6000
modules=$("$here/npm" typescript@5.9.3 chrome-devtools-frontend@1.0.1705227 @memlab/core@2.0.5)
is "$?" 0 "the peers are here"
cd "$work" || exit 1

compare() {
	snap-import v8 -o "$1.snap" "$1.heapsnapshot"
	node "$here/v8_devtools.mjs" "$modules" devtools "$1.heapsnapshot" 1000 >"$1.devtools"
	node "$here/v8_memlab.js" "$modules" "$1.heapsnapshot" "$1.copy" 1000 >"$1.memlab" 2>"$1.progress"
	cut -f1 "$1.devtools" | "$BUILD/tests/helper/graph_rows" "$1.snap" >"$1.rows"
	is "$(wc -l <"$1.rows") $(cut -f2 "$1.rows" | sort -u | wc -l | awk '{print ($1 > 5)}')" "1000 1" "$1: 1,000 nodes, near and far"
	ok "$1: distances and retained bytes as in DevTools" diff "$1.rows" "$1.devtools"
	cut -f1,3 "$1.rows" | grep -v -- - >"$1.retained"
	# What no root reaches has no retained bytes of ours; MemLab gives it some.
	awk 'NR == FNR {want[$1]; next} $1 in want' "$1.retained" "$1.memlab" >"$1.reached"
	ok "$1: nearly all nodes are reached" test "$(wc -l <"$1.retained")" -gt 900
	ok "$1: retained bytes as in MemLab" diff "$1.retained" "$1.reached"
}

node "$here/v8_leak.js" old.heapsnapshot leak.heapsnapshot
compare leak
node "$here/v8_typescript.js" "$modules" 100 typescript.heapsnapshot
compare typescript
done_testing
