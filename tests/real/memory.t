#!/bin/bash
# --memory=16M holds, and no answer changes by it: traces of Python's tracemalloc of which no two are alike, by every key and
# in every form, for snap-top and snap-diff; and paths from the roots in a heap of V8.
. "$(dirname "$0")/../lib.sh"
need_real python3 node

traces() { # OUT SEED
	python3 - "$1.pickle" "$2" <<'END' && snap-import tracemalloc -o "$1.snap" "$1.pickle"
import random, sys, tracemalloc
same, own = random.Random(1), random.Random(int(sys.argv[2]))
places = [("/usr/lib/python3/package/module_%d.py" % (n % 5000), n) for n in range(40000)]
stacks = [(places[0],)]
while len(stacks) < 120000:
    before = same.choice(stacks)[:same.randrange(1, 25)]
    stacks.append(before + (same.choice(places),))
traces = [(own.randrange(3), own.choice((24, 32, 64, 4096)), s, len(s)) for s in stacks if own.random() < .98]
tracemalloc.Snapshot(traces, 25).dump(sys.argv[1])
END
}
same() { # COMMAND...: with little memory as with much
	"$@" >plain && "$@" --memory=16M >small && cmp plain small && [ -s plain ]
}

cd "$work" || exit 1
ok "two snapshots of Python" traces a 1
ok "another one" traces b 2
for key in lineno filename traceback domain size; do
	ok "snap-top -k $key" same snap-top -k "$key" --format=tsv a.snap
	ok "snap-diff -k $key" same snap-diff -k "$key" --format=tsv a.snap b.snap
done
for form in table csv json yaml markdown tracemalloc; do
	ok "snap-top --format=$form" same snap-top -k traceback -n 1000 --format="$form" a.snap
done
ok "cumulative" same snap-top -k lineno --cumulative -n 0 a.snap
ok "patterns" same snap-top -k traceback -i '*module_1*' -x '*9.py' --all-frames -n 0 a.snap
ok "by average" same snap-top -k lineno -s average -n 0 a.snap
ok "a heap of V8" node "$top/tests/bench/v8_heap.js" v8.heapsnapshot 600000
ok "its snapshot" snap-import v8 -o v8.snap v8.heapsnapshot
ok "snap-top -k path" same snap-top -k path -n 0 --format=tsv v8.snap
ok "its first rows" same snap-top -k path -n 100 v8.snap
ok "snap-diff -k path" same snap-diff -k path --all -n 0 --format=tsv v8.snap v8.snap
ok "merged paths" same snap-refs --brief -p 0 v8.snap 'type:*'
ok "snap-refs of everything" same snap-refs v8.snap 'type:*'
ok "snap-index" same snap-index -o - v8.snap
case ${CFLAGS:-} in
*sanitize*) ;;
*)
	ok "without a limit it takes more" test "$(peak snap-top -k traceback a.snap)" -gt 32768
	for command in "snap-top a.snap" "snap-diff a.snap b.snap"; do
		ok "$command: below 24 MiB" test "$(peak $command -k traceback --memory=16M)" -lt 24576
	done
	ok "merged paths take more without a limit" test "$(peak snap-refs --brief v8.snap 'type:*')" -gt 36864
	for command in "snap-top -k path v8.snap" "snap-diff -k path v8.snap v8.snap" "snap-refs --brief v8.snap type:*"; do
		ok "$command: below 24 MiB" test "$(peak $command --memory=16M)" -lt 24576
	done
	ok "snap-index, which writes, too: below 32 MiB" test "$(peak snap-index -o - --memory=16M v8.snap)" -lt 32768
	;;
esac
TMPDIR=$work/none snap-top -k traceback --memory=16M a.snap >out 2>err
is "$?/$(cat err)" "2/snap-top: a.snap: cannot make a temporary file in $work/none: No such file or directory" \
	"without a place for files there is no answer"
done_testing
