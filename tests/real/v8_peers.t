#!/bin/bash
# Distances from the root, retained bytes and sizes of 10,000 nodes of real heaps of V8, and what each class retains, are those of the
# developer tools of Chrome, and retained bytes those of MemLab.  What differs by definition: v8_devtools.mjs, v8_memlab.js.
. "$(dirname "$0")/../lib.sh"
need_real node npm
here=$top/tests/real
export NODE_OPTIONS=--max-old-space-size=6000
fetch modules "$here/npm" typescript@5.9.3 chrome-devtools-frontend@1.0.1705227 @memlab/core@2.0.5
cd "$work" || exit 1

# wanted PEER ROWS: the rows that the peer has, too
wanted() { awk 'NR == FNR {want[$1]; next} $1 in want' "$1" "$2" | sort; }
# DevTools has one class for all sets of roots, lists what is detached apart, and leaves out classes without bytes.
classes() { awk -F'\t' '$3 != "(synthetic)" {b[$3] += $1; r[$3] += $2} END {for (c in b) if (b[c]) printf "%d\t%d\t%s\n", b[c], r[c], c}' | sort; }
our_classes() { snap-top -r -k type -n 0 --format=tsv "$1" | awk -F'\t' 'NR > 1 && $5 != "synthetic" {print $1 "\t" $4 "\t" $6}' | classes; }

compare() {
	snap-import v8 -o "$1.snap" "$1.heapsnapshot"
	node "$here/v8_devtools.mjs" "$modules" devtools "$1.heapsnapshot" 10000 "$1.types" | sort >"$1.devtools"
	node "$here/v8_memlab.js" "$modules" "$1.heapsnapshot" "$1.copy" 10000 2>"$1.progress" | sort >"$1.memlab"
	"$BUILD/tests/helper/graph_rows" "$1.snap" >"$1.rows"
	wanted "$1.devtools" "$1.rows" >"$1.ours"
	is "$(wc -l <"$1.ours") $(cut -f2 "$1.ours" | sort -u | wc -l | awk '{print ($1 > 5)}')" "10000 1" "$1: 10,000 nodes, near and far"
	ok "$1: distances, retained bytes and sizes as in DevTools" diff "$1.ours" "$1.devtools"
	our_classes "$1.snap" >"$1.classes"
	ok "$1: there are more than 100 classes" test "$(wc -l <"$1.classes")" -gt 100
	ok "$1: bytes of each, and what it retains, as in DevTools" diff "$1.classes" <(sed 's/\tDetached /\t/' "$1.types" | classes)
	# What no root reaches has no retained bytes of ours; MemLab gives it some.
	cut -f1,3 "$1.ours" | grep -v -- - >"$1.retained"
	ok "$1: nearly all nodes are reached" test "$(wc -l <"$1.retained")" -gt 9000
	ok "$1: retained bytes as in MemLab" diff "$1.retained" <(wanted "$1.retained" "$1.memlab")
}

node "$here/v8_leak.js" old.heapsnapshot leak.heapsnapshot
compare leak
node "$here/v8_typescript.js" "$modules" 100 typescript.heapsnapshot
compare typescript
done_testing
