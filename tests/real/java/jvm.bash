# A JVM with a heap of HprofHeap's, its dumps, and its own histogram as the judge.  Sourced after lib.sh.

# start_heap BIN SESSIONS: the program by the java in BIN (a folder with its slash; empty: that of PATH); its process is $jvm.
start_heap() {
	rm -f ready
	"$1java" -Xmx1500m -XX:+UseSerialGC -cp . HprofHeap "$2" >ready &
	jvm=$!
	trap 'kill $jvm 2>/dev/null; rm -rf "$work"' EXIT
	await grep -qs ready ready
}
# dump_twice BIN FILE: the second dump of it, and the histograms before and after; what jcmd itself allocates is there then.
dump_twice() {
	"$1jcmd" $jvm GC.heap_dump "$work/first.hprof" >/dev/null
	"$1jcmd" $jvm GC.class_histogram >histogram1
	"$1jcmd" $jvm GC.heap_dump "$work/$2" >/dev/null
	"$1jcmd" $jvm GC.class_histogram >histogram2
	rm -f first.hprof
}

# In the JVM's words: count, bytes, type.
histogram() {
	python3 - "$1" <<'END'
import re, sys
ints = {}
short = dict(Z='boolean', B='byte', C='char', S='short', I='int', J='long', F='float', D='double')
for line in open(sys.argv[1]):
    m = re.match(r'\s*\d+:\s+(\d+)\s+(\d+)\s+(\S+)', line)
    if m:
        name = m[3].lstrip('[')
        depth = len(m[3]) - len(name)
        if depth:
            name = short.get(name) or name[1:-1]
        if depth and name in ('int', 'jdk.internal.vm.FillerElement'): # alike in the dump
            ints[depth] = [a + int(b) for a, b in zip(ints.get(depth, (0, 0)), (m[1], m[2]))]
        else:
            print(m[1], m[2], name + '[]' * depth)
for depth, of in ints.items():
    print(*of, 'int' + '[]' * depth)
END
}
# same_as_histogram SNAPSHOT NAME: of what jcmd left alone, count and bytes of each class are the JVM's own.
same_as_histogram() {
	local classes
	snap-top -k type -n 0 --format=tsv "$1" | awk -F'\t' 'NR > 1 {sub(/ #[0-9]+$/, "", $5); print $2, $1, $5}' | sort >ours
	histogram histogram1 | sort >before
	histogram histogram2 | sort >after
	# Newer JVMs have objects of classes that they have not loaded, and dump none of these.
	classes=$(awk '$3 == "java.lang.Class" {print $1}' ours)
	comm -12 before after | awk -v classes="$classes" '$3 != "java.lang.Class" || $1 == classes' >steady
	ok "$2: of $(wc -l <after) classes the histogram was steady in $(wc -l <steady)" test "$(wc -l <steady)" -ge $(($(wc -l <after) * 9 / 10))
	is "$(comm -23 steady ours)" "" "$2: count and bytes of each of them are the JVM's own"
}
