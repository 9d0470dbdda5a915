#!/usr/bin/env bash
# Questions of a JVM heap with and without an index (snap-index): rows of a Markdown table on stdout.  OBJECTS changes its size.
. "$(dirname "$0")/measure.bash"
objects=${OBJECTS:-10000000} plain=$work/plain.snap indexed=$work/indexed.snap
mkdir -p "$work/classes"
javac -d "$work/classes" "$here/JvmHeap.java"
make_dump() { java -Xmx5g -XX:+UseSerialGC -cp "$work/classes" JvmHeap "$1" "$2"; }
cached "$cache/jvm-$objects.hprof" make_dump "$objects"
snap-import hprof -q -o "$plain" "$cache/jvm-$objects.hprof"
count=$(snap-info --format=tsv "$plain" | awk -F'\t' '$5 == "objects" && !seen {print $3; seen = 1}')
ours make snap-index -o "$indexed" "$plain"

# ask SERIES QUESTION...: of both in turn, FILE standing for the snapshot; the answers must be the same.
ask() {
	local series=$1 round question what=${*:2}; shift
	for ((round = 0; round < (rounds + 1) / 2; round++)); do
		question=("${@//FILE/$plain}")
		[ "$round" -gt 0 ] || { ours "$series-plain" "${question[@]}"; mv "$work/.answer" "$work/.plain"; }
		question=("${@//FILE/$indexed}")
		ours "$series-indexed" "${question[@]}"
		cmp -s "$work/.plain" "$work/.answer" || { echo "bench: ${question[*]}: another answer with an index" >&2; return 1; }
	done
	times "$count objects: \`${what// FILE/}\`, with an index; without" "$series-indexed" "$series-plain"
}

ask row snap-refs FILE "row:$((count / 2))"
ask brief snap-refs --brief FILE "row:$((count / 2))"
ask top snap-top --retained -k type FILE
for key in root path field fill duplicate; do
	ask "top-$key" snap-top --retained -k $key FILE
done
ask pattern snap-top --retained -k type -i 'type:java.*' FILE
ask pattern-path snap-top --retained -k path -x 'type:java.*' FILE
ask owners snap-top -k dominator FILE
ask owners-pattern snap-top -k dominator -x 'type:java.*' FILE
ask retainers snap-refs --dominators FILE
ask retainers-4000 snap-refs --dominators -n 4000 FILE
ask retainers-10000 snap-refs --dominators -n 10000 FILE
ask duplicate-pattern snap-top --retained -k duplicate -i 'type:java.*' FILE
ask diff snap-diff --retained -k type FILE FILE
ask diff-owners snap-diff -k dominator FILE FILE
ask diff-path snap-diff --retained -k path FILE FILE
for type in 'byte[]' java.lang.String java.lang.Integer 'java.util.HashMap$Node' java.util.ArrayList; do
	ask "$type" snap-refs FILE "type:$type"
done
ask cycles snap-refs --cycles FILE
ask unreachable snap-refs --unreachable FILE
ask suspects snap-refs --suspects FILE
ask suspects-1 snap-refs --suspects --threshold 1 FILE
times "$count objects: \`snap-index\`" make -
memory "$count objects: \`snap-index\`" make -
row "$count objects: file; without an index" bytes "$(bytes "$indexed")" "$(bytes "$plain")" less
