#!/usr/bin/env bash
# One thread or two: the same bytes, the same failures; and what --threads takes (snap-import, snap-index).
. "$(dirname "$0")/lib.sh"
here=$(cd "$(dirname "$0")" && pwd)
cd "$work" || exit 1

python3 "$here/real/hprof_make.py" many >many.hprof
python3 "$here/real/hprof_make.py" apart >apart.hprof
python3 - >many.heapsnapshot <<'END'
import json
tiny = {"node_fields": ["type", "name", "id", "self_size", "edge_count"], "edge_fields": ["type", "name_or_index", "to_node"],
        "node_types": [["object", "string"], "string", "number", "number", "number"],
        "edge_types": [["property", "element"], "string_or_number", "node"]}
count = 100000
nodes, edges = [], []
for i in range(count):
    nodes += [i % 2, 1 + i * 7919 % 5000, 2 * i + 1, 16 + i % 7 * 8, 2]
    edges += [0, 1 + i % 50, 5 * (i * 31 % count), 1, i % 3, 5 * ((i + 1) % count)]
strings = [""] + ["name %d" % i for i in range(5000)]
print(json.dumps({"snapshot": {"meta": tiny, "node_count": count, "edge_count": 2 * count}, "nodes": nodes, "edges": edges,
                  "strings": strings}, separators=(",", ":")))
END
shorten() { head -c "$(($(stat -c %s "$1") * 2 / 3))" "$1" >"cut.$1"; }
shorten many.hprof
shorten many.heapsnapshot
both() { # FORMAT FILE OPTION...: what one thread and what two make of it
	local threads file=$2
	for threads in 1 2; do
		snap-import "$1" --threads=$threads "${@:3}" -o $threads.snap "$file" 2>$threads.err
		echo $? >>$threads.err
	done
	cmp 1.err 2.err && { [ ! -e 1.snap ] && [ ! -e 2.snap ] || cmp 1.snap 2.snap; } && cat 1.err
	local same=$?
	rm -f 1.snap 2.snap
	return $same
}

for format in hprof v8; do
	file=many.heapsnapshot; [ $format = v8 ] || file=many.hprof
	is "$(both $format $file)" 0 "$format: the same bytes"
	is "$(both $format $file --contents)" 0 "$format --contents: the same bytes"
	is "$(both $format $file --memory=16M --level=1)" 0 "$format in little memory: the same bytes"
	is "$(both $format cut.$file | tail -1)" 2 "$format, cut: the same failure"
	both $format cut.$file --partial >partial.out
	is "$?" 0 "$format, cut, --partial: the same"
done
is "$(both hprof apart.hprof)" 0 "texts read here and there, and traces meanwhile: the same bytes"
is "$(both hprof cut.many.hprof --partial | tail -1)" 3 "what is whole of a dump is read"

ok "one processor will do" taskset -c "$(taskset -pc $$ | sed 's/.*: //; s/[-,].*//')" snap-import hprof -o one.snap many.hprof
snap-import hprof -o two.snap many.hprof
ok "and gives the same bytes" cmp one.snap two.snap
# strace refuses what a limit of processes would, which does not hold for root.  With one processor nobody asks.
refused() {
	strace -f -qq -o refused.log -e trace=clone,clone3 -e inject=clone,clone3:error=EAGAIN "$@" &&
		{ [ "$(nproc)" = 1 ] || grep -q INJECTED refused.log; }
}
if command -v strace >/dev/null || [ "${SKIP_REAL:-0}" != 1 ]; then
	ok "where no thread can be had, one will do (hprof)" refused snap-import hprof -o one.snap many.hprof
	ok "and gives the same bytes" cmp one.snap two.snap
	ok "where no thread can be had, one will do (v8)" refused snap-import v8 -o one.v8.snap many.heapsnapshot
	snap-import v8 -o two.v8.snap many.heapsnapshot
	ok "and gives the same bytes" cmp one.v8.snap two.v8.snap
fi
ok "the snapshot is sound" snap-info --verify two.snap
snap-index --threads=1 -o indexed.1.snap two.snap
snap-index --threads=2 -o indexed.2.snap two.snap
ok "an index is the same" cmp indexed.1.snap indexed.2.snap
ok "more threads than there is work for are no mistake" snap-import hprof --threads=64 -o two.snap many.hprof
status 2 "no thread is one" snap-import hprof --threads=0 -o two.snap many.hprof
status 2 "a tool without use for it has no such option" snap-info --threads=2 two.snap
done_testing
