#!/bin/bash
# Heaps of JVMs against VisualVM's heap library: distances from the roots, retained bytes and sizes of 10,000 objects of each, and all
# types.  Where rules differ, the same dump is judged without what they differ in (PlainGraph.java), and with it against a plain
# recount of all objects by the rules of snap-import(1).
. "$(dirname "$0")/../lib.sh"
need_real java javac jcmd visualvm
here=$top/tests/real
library=/usr/share/visualvm/visualvm/modules/org-graalvm-visualvm-lib-jfluid-heap.jar
export CLASSPATH=$work/classes:$library
cd "$work" || exit 1
javac -encoding UTF-8 -d classes "$here"/java/*.java "$here"/Hprof*.java || exit 1
rows=$BUILD/tests/helper/graph_rows
run() { java -Xmx2g -XX:+UseSerialGC "$@"; }

# Classes of one name from several loaders are told apart by a number, which the judges do not have.
types() { snap-top -k type -n 0 --format=tsv "$1" | awk -F'\t' 'NR > 1 && $5 != "java.lang.Class" {sub(/ #[0-9]+$/, "", $5); print $2 "\t" $1 "\t" $5}' | sort; }
# As the JVM writes names of hidden classes.  A class is no object to VisualVM.
visualvm_types() { run VisualVm types "$1" | sed 's/+0x/\/0x/' | awk -F'\t' '$3 != "java.lang.Class"' | sort; }

# judge NAME: NAME.hprof
judge() {
	local objects references taken
	snap-import hprof -q -o "$1.snap" "$1.hprof"
	"$rows" "$1.snap" >"$1.rows"
	objects=$(wc -l <"$1.rows")
	ok "$1: there are more than 500,000 objects" test "$objects" -gt 500000
	ok "$1: distances and retained bytes of all $objects objects, by a plain recount" eval \
		"run PlainGraph answers $1.hprof $1.rows 20 | sort >answers && cut -f1-3 $1.rows | sort | cmp - answers"

	taken=$(run PlainGraph plain "$1.hprof" "$1.rows" plain.hprof)
	references=$(snap-info --format=tsv "$1.snap" | awk -F'\t' '$5 == "references" && !seen {print $3; seen = 1}')
	snap-import hprof -q -o plain.snap plain.hprof
	"$rows" plain.snap >plain.rows
	run VisualVm rows plain.hprof 10000 >visualvm
	awk 'NR == FNR {want[$1]; next} $1 in want' visualvm plain.rows | sort >ours
	is "$(wc -l <ours) $(awk '$2 != "-" && $3 > $4' ours | wc -l | awk '{print ($1 > 2000)}')" "10000 1" "$1: 10,000 objects, many of which retain others"
	ok "$1: distance, retained bytes and size of each as in VisualVM, less $taken of $references references" diff ours <(sort visualvm)
	types plain.snap >ours
	ok "$1: and count and bytes of each of $(wc -l <ours) types" diff ours <(visualvm_types plain.hprof)
	rm -rf plain.*
}

# ---- a service: collections, threads, locals, references of all strengths ----

java -Xmx2g -XX:+UseSerialGC HprofHeap 120000 >ready &
jvm=$!
trap 'kill $jvm 2>/dev/null; rm -rf "$work"' EXIT
await grep -qs ready ready
jcmd $jvm GC.heap_dump "$work/garbage.hprof" >/dev/null # what jcmd itself allocates is there now
rm garbage.hprof
jcmd $jvm GC.heap_dump -all "$work/garbage.hprof" >/dev/null
jcmd $jvm GC.class_histogram >before
jcmd $jvm GC.heap_dump "$work/service.hprof" >/dev/null
jcmd $jvm GC.class_histogram >after
kill $jvm
judge service
ok "service: more than a million" test "$(wc -l <service.rows)" -gt 1000000

# VisualVM does not know the fields that HotSpot adds, nor its padding: the JVM itself says who is right.
visualvm_types service.hprof >theirs
types service.snap >ours
is "$(diff <(cut -f1,3 ours | sort) <(cut -f1,3 theirs | sort))" "" "service: counts of each type as in VisualVM, of the dump as it is"
histogram() { sed -nE 's/^ *[0-9]+: +([0-9]+) +([0-9]+) +([^ []+).*/\1\t\2\t\3/p' "$1" | sort; }
comm -23 theirs ours | cut -f3 >differ
comm -12 <(histogram before) <(histogram after) | awk -F'\t' 'NR == FNR {want[$1]; next} $3 in want' differ - >steady
ok "where sizes differ, which is in $(tr '\n' ' ' <differ)" test "$(wc -l <steady)" -gt 5
is "$(comm -23 steady ours)" "" "the JVM's own histogram is with us"

judge garbage
ok "garbage: some objects no root reaches" grep -q -- '-	-' garbage.rows

# ---- the Java compiler at work ----

ok "javac compiles 60 files and dumps its heap" run HprofJavac 60 javac.hprof
judge javac
done_testing
