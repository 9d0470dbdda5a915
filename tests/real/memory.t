#!/usr/bin/env bash
# snap-refs on a real V8 heap with little memory: the same answers, within the memory, and no file is left.
. "$(dirname "$0")/../lib.sh"
need_real node
cd "$work" || exit 1
mkdir temporary
export TMPDIR=$work/temporary
node "$top/tests/bench/v8_heap.js" heap 400000
snap-import v8 -q -o heap.snap heap
rm heap

# same NAME ARGUMENT...: with much memory and with little
same() {
	local name=$1 peak
	shift
	snap-refs -q "$@" >large
	"$BUILD/tests/helper/timed" times snap-refs -q --memory=8M "$@" >small
	ok "$name: the same lines" cmp large small
	ok "$name: there are some" test -s small
	peak=$(tail -1 times | cut -d' ' -f2)
	# The program itself, and blocks of the columns that it reads.
	ok "$name: in 8 MiB and blocks of columns ($peak KiB)" test "$peak" -le $(((8 + 10) * 1024))
}
same "one object" heap.snap row:200000
same "its path" --brief heap.snap row:200000
same "a group" -n 0 -p 0 --owned heap.snap type:Order
same "suspects" --suspects heap.snap
same "cycles" --cycles heap.snap
same "what is unreachable" --unreachable heap.snap
same "dominators" --dominators heap.snap
same "weak references" --weak --format=tsv heap.snap type:Map
is "$(find temporary -mindepth 1)" "" "no file is left"

# Interrupted where it works in files.
snap-refs -q --memory=8M -n 0 --cycles heap.snap >/dev/null &
pid=$!
for _ in $(seq 200); do
	ls -l "/proc/$pid/fd" 2>/dev/null | grep -q "$work/temporary" && break
	sleep 0.01
done
ok "files are in \$TMPDIR" eval 'ls -l /proc/$pid/fd | grep -q "$work/temporary"'
is "$(find temporary -mindepth 1)" "" "they have no names"
kill -TERM "$pid"
wait "$pid"
is "$?" 143 "it was interrupted"
is "$(find temporary -mindepth 1)" "" "no file is left then"
done_testing
