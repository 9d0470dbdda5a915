#!/bin/bash
# A snapshot of few traces is smaller than the pickle that it was made of through `zstd -19`, however few they are.
. "$(dirname "$0")/../lib.sh"
need_real python3 zstd

for frames in 1 25; do
	mkdir "$work/$frames"
	ok "frames: $frames: pickles" python3 "$top/tests/real/tracemalloc_small.py" "$work/$frames" "$frames"
	for pickle in "$work/$frames"/*.pickle; do
		snap-import tracemalloc -o "${pickle%.pickle}.snap" "$pickle"
		echo "$(stat -c %s "${pickle%.pickle}.snap") $(zstd -q -19 -c "$pickle" | wc -c) $(basename "$pickle")"
	done >"$work/sizes"
	is "$(wc -l <"$work/sizes")" 33 "frames: $frames: all are imported"
	is "$(awk '$1 >= $2' "$work/sizes")" "" "frames: $frames: 1 to 5000 traces, smaller than the pickle"
	ok "frames: $frames: snap-info --verify" bash -c 'for s in "$0"/*.snap; do snap-info --verify "$s" || exit; done' "$work/$frames"
	ok "frames: $frames: spec/reader.py reads them" python3 "$top/spec/reader.py" "$work/$frames"/*.snap
	for count in 20 5000; do
		name=$work/$frames/$count-random
		python3 -c '
import sys, tracemalloc
for s in tracemalloc.Snapshot.load(sys.argv[1]).statistics("traceback"):
    print(s.size, s.count, sep="\t")' "$work/$frames/$frames-$count-random.pickle" >"$name.wanted"
		snap-top -n 0 -k traceback --format=tsv "$work/$frames/$frames-$count-random.snap" | tail -n +2 | cut -f1,2 >"$name.out"
		ok "frames: $frames: $count traces: as statistics() adds them up" cmp "$name.wanted" "$name.out"
	done
done
done_testing
