#!/bin/bash
# Pickles that mean harm, or came to harm: exit 2 with a reason, nothing run, nothing written.
. "$(dirname "$0")/../lib.sh"
need_real python3
cd "$work" || exit 2

cat >make.py <<'P'
import os, pickle, sys, tracemalloc
class Run:
    def __init__(self, command): self.command = command
    def __reduce__(self): return os.system, (self.command,)
for protocol in range(pickle.HIGHEST_PROTOCOL + 1):
    with open("system%d" % protocol, "wb") as out:
        pickle.dump(Run("touch executed"), out, protocol)
tracemalloc.start(3)
kept = [bytearray(i) for i in range(5)] + [b"x" * i for i in range(3000, 3003)]
exec(compile("kept += [bytearray(9) for _ in range(3)]", "odd\n::error\t\x1b[31m\\\udcff\u202e.py", "exec"))
snapshot = tracemalloc.take_snapshot()
tracemalloc.stop()
snapshot.dump("good")
for protocol in 2, 3:
    with open("good%d" % protocol, "wb") as out:
        pickle.dump(snapshot, out, protocol)
snapshot.filter_traces([tracemalloc.Filter(True, "none")]).dump("empty")
tracemalloc.Snapshot(snapshot.traces._traces[::-1], 3).dump("reversed")
tracemalloc.Snapshot(tuple(snapshot.traces._traces), 3).dump("tuple")
snapshot.label = Run("touch executed")
snapshot.dump("mixed")
snapshot.label = ["a note", {"of": "the user's"}]
snapshot.dump("labelled")
pickle.dump([1, 2, 3], open("list", "wb"))
with open("huge", "wb") as out:
    out.write(b"\x80\x04]" + b"\x85" * 3000000)
P
ok "pickles" python3 make.py

# refused INPUT REASON [OPTION]...: exit 2, the reason as message, no output
refused() {
	local input=$1 reason=$2 message status; shift 2
	message=$(snap-import tracemalloc "$@" -o out.snap "$input" 2>&1)
	status=$?
	is "$status: $message" "2: snap-import: $input: $reason" "$input: refused, with the reason"
	ok "$input: nothing is run, nothing is written" [ ! -e executed -a ! -e out.snap ]
}
for protocol in 0 1; do
	refused system$protocol "at byte 0: unsupported: refuses global posix.system"
done
for protocol in 2 3; do
	refused system$protocol "at byte 2: unsupported: refuses global posix.system"
done
refused system4 "at byte 28: unsupported: refuses global posix.system"
[ ! -e system5 ] || refused system5 "at byte 28: unsupported: refuses global posix.system"
refused list "corrupt: the pickle holds no tracemalloc.Snapshot"
: >nothing
refused nothing "at byte 0: corrupt: ends too early"
refused make.py "at byte 0: corrupt: is no pickle of protocol 2 to 5"
message=$(snap-import tracemalloc --memory=1M -o out.snap huge 2>&1)
is "$?: ${message##*: }" "2: holds more than the memory limit allows" "tuples three million deep, in 1 MiB"
message=$(snap-import tracemalloc -o out.snap huge 2>&1)
is "$?: ${message##*: }" "2: ends too early" "in any memory: no crash"
message=$(snap-import tracemalloc -o out.snap mixed 2>&1)
ok "a call beside good traces is refused" [ "$?" = 2 -a ! -e executed -a ! -e out.snap ]
is "${message##*: }" "refuses global posix.system" "by name"

ok "a good one" snap-import tracemalloc -o good.snap good
for other in good2 good3 labelled reversed tuple; do
	ok "$other: other protocol, order, sequence, or attributes of the user's" snap-import tracemalloc -o other.snap $other
	ok "$other: the same snapshot, byte for byte" cmp good.snap other.snap
done
ok "no traces at all" snap-import tracemalloc -o empty.snap empty
status 0 "which can be asked" snap-top empty.snap

ok "a name that is not fit for a terminal" snap-top -n 0 --key=lineno --include='odd*' --format=tsv good.snap
is "$(tail -n +2 .out | LC_ALL=C tr -d '[:print:]\n\t' | wc -c)" 0 "is escaped"
is "$(tail -n +2 .out | wc -l)" 1 "and is one line"
python3 - >names <<'P'
import tracemalloc
print("\n".join(sorted({s.traceback[0].filename for s in tracemalloc.Snapshot.load("good").statistics("filename")}, key=ascii)).encode("unicode-escape"))
P
ok "Python reads the same name" grep -q 'odd.*::error' names

cuts() {
	local size i
	size=$(stat -c %s good)
	for ((i = 0; i < size; i += 1 + i / 300)); do
		head -c "$i" good >cut
		snap-import tracemalloc -o cut.snap cut 2>message
		[ $? = 2 ] && [ ! -e cut.snap ] && [ "$(wc -l <message)" = 1 ] || { echo "at byte $i"; cat message; return 1; }
	done
}
ok "cut at byte after byte: exit 2, one line, nothing written" cuts
status 2 "bytes after the end" bash -c '(cat good; echo) | snap-import tracemalloc -o cut.snap -'
head -c $(($(stat -c %s good) * 3 / 4)) good >cut
status 3 "--partial keeps what comes before a cut" snap-import --partial tracemalloc -o part.snap cut
status 2 "but not if there is nothing" snap-import --partial tracemalloc -o none.snap nothing
ok "whose traces are some of the good ones" bash -c '
	[ -s part.snap ] && snap-top --partial -n 0 --key=lineno --format=tsv part.snap >part.tsv; [ $? -le 3 ] &&
	[ "$(wc -l <part.tsv)" -gt 1 ] && [ "$(wc -l <part.tsv)" -le "$(snap-top -n 0 --key=lineno --format=tsv good.snap | wc -l)" ]'
done_testing
