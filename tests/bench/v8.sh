#!/usr/bin/env bash
# Heaps of V8: import, size and questions, beside MemLab, the developer tools of Chrome, and the JSON through zstd.
# NODES, LARGE, FILES and LARGE_FILES change the size of it; BENCH_LARGE=0 leaves out the large heaps, which need 8 GiB of memory to make.
. "$(dirname "$0")/measure.bash"
nodes=${NODES:-2000000} large=${LARGE:-8000000} files=${FILES:-1300} large_files=${LARGE_FILES:-7800}
export NODE_OPTIONS=--max-old-space-size=12000
node=$(node --version)

# heap NODES: the path of V8's picture of a heap of about that many nodes.
heap() {
	local file=$cache/heap-$1-$node.heapsnapshot
	cached "$file" make_heap "$1"
	echo "$file"
}
make_heap() { node "$here/v8_heap.js" "$2" "$1"; }
make_typescript() { node "$top/tests/real/v8_typescript.js" "$modules" "$@"; }
count() { snap-info --format=tsv "$1" | awk -F '\t' '$5 == "objects" && !seen {print $3; seen = 1}'; }

find_peers() {
	modules=$("$top/tests/real/npm" typescript@5.9.3 chrome-devtools-frontend@1.0.1705227 @memlab/core@2.0.5 2>"$work/npm") || modules=
	[ -n "$modules" ] || { note "MemLab, DevTools, TypeScript" "not measured: npm gave no packages"; return; }
	node "$top/tests/real/v8_devtools.mjs" "$modules" "$work/devtools" "$top/tests/real/v8_tiny.heapsnapshot" 1 >/dev/null
}
# asked SERIES QUESTION FILE: a peer, if there are any
asked() {
	[ -z "$modules" ] || peer "$1" node "$here/v8_peer.js" "$modules" "$work/devtools" "$2" "$3" 2>"$work/.progress" ||
		{ tail -3 "$work/.progress" >&2; return 1; }
}
# sizes WHAT SNAP JSON COUNT
sizes() {
	local each
	each=$(awk -v c="$4" 'BEGIN {print 1 / c}')
	row "$1: file per node; JSON through \`zstd -3\`" bytes "$(awk -v e="$each" -v b="$(bytes "$2")" 'BEGIN {print e * b}')" \
		"$(zstd -q -3 -c "$3" | wc -c | awk -v e="$each" '{print $1 * e}')" less
}
# imported WHAT SNAP JSON SERIES: what the imports have shown
imported() {
	local megabytes
	megabytes=$(awk -v b="$(bytes "$3")" 'BEGIN {print b / 1e6}')
	row "$1: import, of processor time; MemLab's parser" MB/s "$(per "$4" "$megabytes")" "$(per "$4-memlab" "$megabytes")" more
	row "$1: import, elapsed; MemLab's parser" s "$(column "$4" $ELAPSED)" "$(column "$4-memlab" $ELAPSED)" less
	memory "$1: import; MemLab's parser" "$4" "$4-memlab"
	sizes "$1" "$2" "$3" "$(count "$2")"
}

ask_heap() {
	local json what snap=$work/heap.snap round
	json=$(heap "$nodes")
	for ((round = 0; round < rounds; round++)); do
		ours import snap-import v8 -o "$snap" "$json"
		asked import-memlab memlab-parse "$json"
		ours dominators snap-refs --dominators "$snap"
		asked dominators-memlab memlab-retained "$json"
		ours type snap-refs "$snap" type:Order
		asked dominators-devtools devtools-retained "$json"
		ours row snap-refs "$snap" row:$((nodes / 2))
		ours verify snap-info --verify "$snap"
	done
	what="$(count "$snap") nodes, $(($(bytes "$json") / 1000000)) MB"
	imported "$what" "$snap" "$json" import
	times "$what: dominators and retained bytes, from the snapshot; DevTools, from JSON" dominators dominators-devtools
	retained "$what" import dominators
	times "$what: \`snap-refs type:Order\`" type -
	times "$what: \`snap-refs row:N\`" row -
	memory "$what: \`snap-refs type:Order\`" type -
	verified "$what" "$snap" verify
}
# retained WHAT IMPORT DOMINATORS: series
retained() {
	times "$1: dominators and retained bytes, from the snapshot; MemLab, from JSON" "$3" "$3-memlab"
	paste "$work/$2" "$work/$3" | awk '{print $1 + $4, ($2 > $5 ? $2 : $5), $3 + $6}' >"$work/$3-from-json"
	times "$1: the same, import included; MemLab" "$3-from-json" "$3-memlab"
	memory "$1: the same, import included; MemLab" "$3-from-json" "$3-memlab"
}
# verified WHAT SNAP SERIES: every byte read, every value decoded and checked
verified() {
	local raw
	raw=$(snap-info --format=tsv "$2" | awk -F '\t' 'NR > 1 {sum += $2} END {print sum / 1e6}')
	row "$1: \`snap-info --verify\` decodes, of processor time" MB/s "$(per "$3" "$raw")" "" more
	row "$1: \`snap-info --verify\` checks, of processor time" "M nodes/s" "$(per "$3" "$(awk -v c="$(count "$2")" 'BEGIN {print c / 1e6}')")" "" more
}

ask_large() {
	local json what round other=$work/heap.snap snap=$work/large.snap
	json=$(heap "$large")
	for ((round = 0; round < (rounds + 1) / 2; round++)); do
		ours large snap-import v8 -o "$snap" "$json"
		asked large-memlab memlab-parse "$json"
		ours large-dominators snap-refs --dominators "$snap"
		asked large-dominators-memlab memlab-retained "$json"
		ours large-verify snap-info --verify "$snap"
	done
	what="$(count "$snap") nodes, $(($(bytes "$json") / 1000000)) MB"
	imported "$what" "$snap" "$json" large
	retained "$what" large large-dominators
	ask_totals "$what" "$snap" "$other"
	verified "$what" "$snap" large-verify
}
# ask_totals WHAT SNAP OTHER: questions whose answer stands in the totals
ask_totals() {
	local round
	for ((round = 0; round < 4 * rounds; round++)); do
		ours top snap-top -n 0 "$2"
		ours small-top snap-top -n 0 "$3"
		ours diff snap-diff -n 0 "$3" "$2"
		ours same snap-diff -n 0 "$2" "$2"
	done
	milliseconds "$1: \`snap-top\`" top -
	memory "$1: \`snap-top\`" top -
	milliseconds "$(count "$3") nodes: \`snap-top\`" small-top -
	milliseconds "$1: \`snap-diff\` with $(count "$3") nodes" diff -
	memory "$1: \`snap-diff\` with $(count "$3") nodes" diff -
	milliseconds "$1: \`snap-diff\` with itself" same -
}

# ask_typescript FILES ROUNDS
ask_typescript() {
	local json=$cache/typescript-$1-$node.heapsnapshot what snap=$work/typescript.snap round
	cached "$json" make_typescript "$1"
	for ((round = 0; round < $2; round++)); do
		ours "typescript-$1" snap-import v8 -o "$snap" "$json"
		asked "typescript-$1-memlab" memlab-parse "$json"
		ours "typescript-$1-dominators" snap-refs --dominators "$snap"
		asked "typescript-$1-dominators-memlab" memlab-retained "$json"
	done
	what="TypeScript 5.9.3, $(count "$snap") nodes, $(($(bytes "$json") / 1000000)) MB"
	imported "$what" "$snap" "$json" "typescript-$1"
	retained "$what" "typescript-$1" "typescript-$1-dominators"
}

find_peers
ask_heap
[ "${BENCH_LARGE:-1}" = 0 ] || ask_large
[ -z "$modules" ] || ask_typescript "$files" "$rounds"
[ -z "$modules" ] || [ "${BENCH_LARGE:-1}" = 0 ] || ask_typescript "$large_files" $(((rounds + 1) / 2))
