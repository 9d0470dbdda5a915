#!/usr/bin/env bash
# Heaps of JVMs: import, dominators, what types retain, beside VisualVM's heap library; also beside hprof-slurp and Eclipse MAT, where these are.
# SMALL, OBJECTS and LARGE change the sizes; BENCH_LARGE=0 leaves out the large heap, which needs 5 GiB of memory to make.
# MAT=PROGRAM: MAT's ParseHeapDump.sh, or what takes a dump as that does.
. "$(dirname "$0")/measure.bash"
small=${SMALL:-1000000} objects=${OBJECTS:-10000000} large=${LARGE:-30000000}
library=/usr/share/visualvm/visualvm/modules/org-graalvm-visualvm-lib-jfluid-heap.jar
export CLASSPATH=$work/classes:$library
javac -d "$work/classes" "$here/JvmHeap.java" "$top/tests/real/java/VisualVm.java"

# dump OBJECTS: the path of a dump of a heap of about that many objects
dump() {
	local file=$cache/jvm-$1.hprof
	cached "$file" make_dump "$1"
	echo "$file"
}
make_dump() { java -Xmx5g -XX:+UseSerialGC JvmHeap "$1" "$2"; }
# count FILE TABLE: its rows
count() { snap-info --format=tsv "$1" | awk -F'\t' -v table="$2" '$5 == table && !seen {print $3; seen = 1}'; }

# Peers leave indexes beside the dump, which must not be there for the next run.
fresh() { rm -rf "$work/peer" && mkdir "$work/peer" && ln -s "$1" "$work/peer/heap.hprof"; }
visualvm() { fresh "$3" && peer "$1" java -Xmx5g -XX:+UseSerialGC VisualVm time "$2" "$work/peer/heap.hprof"; }
# MAT has all but its dominator tree when heap.index is written; then the last of it is heap.o2ret.index.
mat() {
	[ -n "${MAT-}" ] || return 0
	fresh "$2"
	ours "$1" $MAT "$work/peer/heap.hprof"
	stat -c %.Y "$work/peer/heap.o2ret.index" "$work/peer/heap.index" | paste -s | awk '{print $1 - $2}' >>"$work/$1-dominators"
}
slurp() { ! command -v hprof-slurp >/dev/null || ours "$1" hprof-slurp "$2"; }

# both WHAT OURS PEER:NAME...: time and memory beside each peer that was there
both() {
	local what=$1 ours=$2 peer; shift 2
	for peer; do
		[ -e "$work/${peer%%:*}" ] || continue
		times "$what; ${peer#*:}" "$ours" "${peer%%:*}"
		memory "$what; ${peer#*:}" "$ours" "${peer%%:*}"
	done
}
# whole IMPORT QUESTION: the series of both in turn, from the dump to the answer
whole() { paste "$work/$1" "$work/$2" | awk '{print $1 + $4, ($2 > $5 ? $2 : $5), $3 + $6}' >"$work/$1-whole"; }

# steps WHAT SNAP SERIES PEER: what the library needs, from an opened snapshot
steps() {
	local round
	for ((round = 0; round < rounds; round++)); do
		"$BUILD/tests/bench/graph" "$2" | awk '/^dominators, retained/ {sub(/^[^0-9]*/, ""); print $1, $3, $6, $(NF - 1)}' >>"$work/$3"
	done
	row "$1: dominators and retained bytes, from the opened snapshot, $(count "$2" references) references${MAT:+; MAT, elapsed}" s \
		"$(column "$3" 2)" "$(column "$4" 1)" less
	row "$1: the same, processor time" s "$(column "$3" 1)" "" less
	row "$1: the same, in a second" "M objects" "$(column "$3" 3)" "" more
	row "$1: the same, memory per object" bytes "$(column "$3" 4)" "" less
}

# ask OBJECTS ROUNDS: VisualVM takes too long for the large heap
ask() {
	local file snap=$work/heap-$1.snap what round bytes
	file=$(dump "$1")
	cat "$file" >/dev/null
	for ((round = 0; round < $2; round++)); do
		ours "$1-import" snap-import hprof -q -o "$snap" "$file"
		ours "$1-alone" snap-import hprof -q --threads=1 -o "$work/.alone" "$file"
		cmp "$snap" "$work/.alone" && rm "$work/.alone"
		slurp "$1-slurp" "$file"
		[ "$1" = "$large" ] || visualvm "$1-types" types "$file"
		ours "$1-dominators" snap-refs --dominators "$snap"
		ours "$1-retained" snap-top -r -k type "$snap"
		[ "$1" = "$large" ] || visualvm "$1-visualvm" retained "$file"
		mat "$1-mat" "$file"
		ours "$1-top" snap-top -k type "$snap"
		ours "$1-path" snap-refs "$snap" row:$(($1 / 2))
	done
	bytes=$(bytes "$file")
	what="$(count "$snap" objects) objects, $((bytes / 1000000)) MB"
	row "$what: import, of processor time" MB/s "$(per "$1-import" "$((bytes / 1000000))")" "" more
	row "$what: the same with \`--threads=1\`" MB/s "$(per "$1-alone" "$((bytes / 1000000))")" "" more
	milliseconds "$what: import; with \`--threads=1\`" "$1-import" "$1-alone"
	both "$what: import" "$1-import" "$1-slurp:hprof-slurp, histogram" "$1-types:VisualVM, histogram"
	row "$what: file per object; dump through \`zstd -3\`" bytes "$(awk -v b="$(bytes "$snap")" -v n="$(count "$snap" objects)" 'BEGIN {print b / n}')" \
		"$(zstd -q -3 -c "$file" | wc -c | awk -v n="$(count "$snap" objects)" '{print $1 / n}')" less
	whole "$1-import" "$1-retained"
	both "$what: import, dominators, retained by type" "$1-import-whole" "$1-visualvm:VisualVM, retained by object" "$1-mat:MAT"
	[ ! -e "$work/$1-mat" ] || milliseconds "$what: import, dominators, retained by type; MAT" "$1-import-whole" "$1-mat"
	times "$what: \`snap-refs --dominators\`" "$1-dominators" -
	milliseconds "$what: \`snap-refs --dominators\`" "$1-dominators" -
	milliseconds "$what: \`snap-top --retained -k type\`" "$1-retained" -
	memory "$what: \`snap-refs --dominators\`" "$1-dominators" -
	milliseconds "$what: \`snap-top -k type\`" "$1-top" -
	times "$what: \`snap-refs row:N\`" "$1-path" -
	steps "$what" "$snap" "$1-steps" "$1-mat-dominators"
}

# bounded OBJECTS COMMAND...: the same answer with little memory
bounded() {
	local snap=$work/heap-$1.snap objects memory hash=(); shift
	objects=$(count "$snap" objects)
	rm -f "$work/256M" "$work/8G"
	for memory in 8G 256M; do
		ours "$memory" "$@" --format=tsv --memory=$memory "$snap"
		hash[${#hash[@]}]=$(md5sum <"$work/.answer")
	done
	[ "${hash[0]}" = "${hash[1]}" ] || { echo "bench: answers of $* differ with --memory=256M" >&2; return 1; }
	row "$objects objects: \`$* --memory=256M\`; with \`8G\`, processor time" s "$(column 256M $CPU)" "$(column 8G $CPU)" less
	row "$objects objects: the same, peak memory" MiB "$(column 256M $PEAK 0.0009765625)" "$(column 8G $PEAK 0.0009765625)" less
}

ask "$small" $(((rounds + 1) / 2))
ask "$objects" 1
if [ "${BENCH_LARGE:-1}" != 0 ]; then
	ask "$large" 1
	bounded "$large" snap-refs --dominators -n 100000
	bounded "$large" snap-top --retained -k type
fi
