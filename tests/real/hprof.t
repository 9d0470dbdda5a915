#!/bin/bash
# Heap dumps of JVMs and Android: small ones by hand, real ones against the JVM's own histogram and an independent count; cut
# and damaged ones are refused; secrets stay out; a leak is named.
. "$(dirname "$0")/../lib.sh"
. "$top/tests/real/java/jvm.bash"
need_real java javac jcmd python3 zstd gzip
here=$top/tests/real
cd "$work" || exit 1

# ---- small ones, whole ----

for kind in jvm4 jvm8 late android; do
	python3 "$here/hprof_make.py" $kind >$kind.hprof
	snap-import hprof -o $kind.snap $kind.hprof
	is "$?" 0 "$kind is imported"
	ok "$kind is sound" snap-info --verify $kind.snap
	snap-dump $kind.snap | sed -n '/^properties:/,$p' | sed 's/hash: 0x[0-9a-f]*/hash: H/' >$kind.txt
	[ $kind = late ] && continue
	is "$(cat $kind.txt)" "$(cat "$here/hprof_$kind.txt")" "$kind: everything has its place"
	ok "$kind: the second reader agrees" python3 "$top/spec/reader.py" $kind.snap
done
python3 "$here/hprof_make.py" jdk25 >jdk25.hprof
snap-import hprof -o jdk25.snap jdk25.hprof
is "$(snap-top -k type --format=tsv jdk25.snap | awk -F'\t' '$5 ~ /Thread|Method|Chunk|[$]/ {print $1, $5}')" \
	'2176 jdk.internal.vm.StackChunk
472 java.util.concurrent.SubmissionPublisher$BufferedSubscription
312 java.util.concurrent.ForkJoinPool$WorkQueue
112 java.lang.Thread
24 java.lang.invoke.ResolvedMethodName' "sizes of JDK 25: fields that the JVM adds, padding, stacks of virtual threads"
for kind in jvm8 late; do snap-import hprof --hash-key=000102030405060708090a0b0c0d0e0f -o $kind.key.snap $kind.hprof; done
things() { snap-dump "$1" | grep -E '^- |^    \{' | sed 's/content: [0-9]*/content/; s/, thread: 1//; s/, name: "worker"//' | sort; }
is "$(things late.key.snap)" "$(things jvm8.key.snap)" "instances may come before their classes"
snap-import hprof --hash-key=000102030405060708090a0b0c0d0e0f -o jvm4.key.snap jvm4.hprof
hashes() { snap-dump "$1" | sed -n 's/.*{length: \([0-9]*\), hash: \(.*\)}/\1 \2/p' | sort; }
is "$(hashes jvm4.key.snap)" "$(hashes jvm8.key.snap)" "with a key, texts compare, however they are stored"
is "$(hashes jvm8.snap)" "12 0x3
6 0x1
6 0x4
7 0x2" "without, equal numbers are equal texts, and tell no more"
is "$(snap-info jvm8.snap | grep ^hash_key) $(snap-info jvm8.key.snap | grep ^hash_key)" "hash_key            derived hash_key            given" \
	"the properties say which"
snap-import hprof --contents -o contents.snap jvm8.hprof
is "$(snap-dump contents.snap | sed -n 's/.*text: //p')" '"secret"}
"grüße"}
"€ 😀 �"}
"worker"}' "texts where they are asked for"
python3 "$here/hprof_make.py" empty | snap-import hprof --contents -o empty.snap
is "$(snap-dump empty.snap | grep -A 1 ^contents:)" 'contents:
  1: {length: 0, text: ""}' "a dump whose texts are all empty"
contains() { zstd -dcq "$1" | grep -aqF "$2"; }
ok "else the name of a thread is all" eval '! contains jvm8.snap secret && contains jvm8.snap worker'

# ---- reads that fail ----

# Of the dynamic linker, which reads so too, the status is another.
failing_reads() {
	local n status
	for n in $(seq 1000); do
		strace -f -qq -o fail.log -P "$(realpath jvm8.hprof)" -e trace=pread64 -e inject=pread64:error=EIO:when=$n \
			snap-import hprof -o fail.snap jvm8.hprof 2>fail.err
		status=$?
		grep -q INJECTED fail.log || break
		echo "$status $(sed 's/at byte [0-9]*/at byte N/' fail.err) $(ls fail.snap 2>/dev/null)"
	done | sort | uniq -c | awk '{ print ($1 > 3), $0 }' | sed 's/ \+[0-9]* / /'
}
if command -v strace >/dev/null || [ "${SKIP_REAL:-0}" != 1 ]; then
	is "$(failing_reads)" "1 2 snap-import: jvm8.hprof: at byte N: cannot read: Input/output error " "a read that fails is never passed over"
fi

# ---- a heap dump longer than its length has bits for ----

python3 "$here/hprof_make.py" wrap wrap.hprof
snap-import hprof -o wrap.snap wrap.hprof
is "$? $(snap-top -k type -n 1 --format=tsv wrap.snap | sed -n 2p | cut -f1,2)" "0 4294967352	2" "lengths wrap at 2^32"
is "$(snap-dump wrap.snap | sed -n '/^roots/,$p' | sed 's/, stack.*}/}/')" "$(sed -n '/^roots/,$p' jvm8.txt | sed 's/, stack.*}/}/')" \
	"and what comes after is found"
rm -f wrap.hprof

# ---- damage ----

every_cut() { # every_cut FILE OPTION STEP EXPECTED FROM
	local n got size
	size=$(stat -c %s "$1")
	for ((n = $5; n < size; n += $3)); do
		rm -f b.snap
		head -c "$n" "$1" | snap-import hprof $2 -q -o b.snap 2>message
		got=$?
		[ $got = "$4" ] || { echo "cut at $n: exit $got"; cat message; return 1; }
		[ $got = 2 ] && [ -e b.snap ] && { echo "cut at $n: something was written"; return 1; }
		[ $got = 3 ] && { snap-info --verify b.snap >out 2>&1 || { echo "cut at $n:"; cat out; return 1; }; }
	done
	return 0
}
find_bytes() { python3 -c 'import sys; d = open("jvm8.hprof", "rb").read(); print(d.index(bytes.fromhex(sys.argv[1])))' "$1"; }
for kind in jvm8 jvm4 android; do ok "$kind: every cut is noticed" every_cut $kind.hprof "" 3 2 0; done
at=$(find_bytes 200000000000000110)
head -c $((at - 1)) jvm8.hprof >early.hprof
ok "--partial cannot help before there is an object" every_cut early.hprof --partial 11 2 0
ok "--partial accepts any later cut" every_cut jvm8.hprof --partial 3 3 $at
head -c $((at + 900)) jvm8.hprof | snap-import hprof --partial -o partial.snap 2>message
is "$?" 3 "a dump that was cut"
ok "what is missing is not known, and that is said" grep -q 'incomplete: cut short; how much is missing is not known$' message
ok "is marked" eval 'snap-info partial.snap | grep -q "^state *partial"'

# wrong OFFSET HEX REASON: the file with other bytes there is refused, with the reason.
wrong() {
	cp jvm8.hprof wrong.hprof
	printf "$(sed 's/../\\x&/g' <<<"$2")" | dd of=wrong.hprof bs=1 seek="$1" conv=notrunc status=none
	rm -f b.snap
	snap-import hprof -o b.snap wrong.hprof 2>message
	is "$? $(grep -c -- "$3" message) $(test -e b.snap && echo written)" "2 1 " "refused: $3"
	[ "$(grep -c -- "$3" message)" = 1 ] || explain <message
	[ -z "${4-}" ] || is "$(sed -n 's/.*at byte \([0-9]*\): .*/\1/p' message)" "$4" "at the right byte: $3"
}
find_bytes() { python3 -c 'import sys; d = open("jvm8.hprof", "rb").read(); print(d.index(bytes.fromhex(sys.argv[1])))' "$1"; }
wrong 0 4b 'no HPROF dump' 0
wrong 17 39 'a version of HPROF' 17
wrong 19 00000005 'ids of 5 bytes' 19
wrong 31 3f 'there is no record of type 0x3f' 31
instance=$(find_bytes 210000000000001000)
wrong "$instance" 66 'there is no record of type 0x66 in a heap dump' "$instance"
wrong $((instance + 1)) 0000000000000000 'an object with the id 0' "$instance"
wrong $((instance + 13)) 0000000000009999 'an instance of the class 0x9999, which is not there' "$instance"
wrong $((instance + 21)) 00000013 'there is no record of type 0x00 in a heap dump' $((instance + 44))
wrong $((instance + 21)) 00100000 'ends too early'
array=$(find_bytes 230000000000001300)
wrong $((array + 17)) 03 'an array of no known type: 3' "$array"
wrong $((array + 13)) 00000005 "a record goes beyond its heap dump's end" "$array"
class=$(find_bytes 200000000000000150)
wrong $((class + 79)) 0a 'an instance of 16 bytes, but its class has fields of 12' "$(find_bytes 210000000000001060)"
class=$(find_bytes 200000000000000120)
wrong $((class + 13)) 0000000000009999 'the superclass 0x9999 is not there' "$class"
wrong $((class + 13)) 0000000000000120 'a class with more than 512 superclasses' "$class"
wrong "$((class + 1))" 0000000000000110 'the class 0x110 is there twice' "$class"
wrong $((instance + 1)) 0000000000001020 'two objects have the id'

# ---- gzip ----

gzip -kn jvm8.hprof
split -b 700 jvm8.hprof part. && for part in part.*; do gzip -cn $part; done >chunks.gz
for file in jvm8.hprof.gz chunks.gz; do
	ok "$file" eval "snap-import hprof -o a.snap $file && cmp a.snap jvm8.snap"
	ok "$file through a pipe" eval "cat $file | snap-import hprof -o a.snap && cmp a.snap jvm8.snap"
done
ok "gzip: every cut is noticed" every_cut jvm8.hprof.gz "" 7 2 0
ok "gzip of many members: every cut is noticed" every_cut chunks.gz "" 7 2 0
size=$(stat -c %s chunks.gz)
head -c $((size - 300)) chunks.gz | snap-import hprof -q --partial -o a.snap
is "$?" 3 "gzip that was cut, with --partial"
cp jvm8.hprof.gz wrong.gz && printf '\x55\x55' | dd of=wrong.gz bs=1 seek=400 conv=notrunc status=none
status 2 "damaged gzip" snap-import hprof -q --partial -o a.snap wrong.gz
(cat jvm8.hprof.gz; echo x) >wrong.gz
status 2 "something after gzip" snap-import hprof -q --partial -o a.snap wrong.gz
is "$(stat -c %s b.snap 2>/dev/null)" "" "nothing was written"

# ---- a real JVM ----

javac -encoding UTF-8 -d . "$here/HprofHeap.java" "$here/HprofJavac.java" || exit 1
start_heap "" 120000
dump_twice "" heap.hprof
jcmd $jvm GC.heap_dump -gz=1 "$work/heap.hprof.gz" >/dev/null
kill $jvm
snap-import hprof -o heap.snap heap.hprof 2>message
is "$?" 0 "a JVM's heap is imported"
ok "it is sound" snap-info --verify heap.snap

# Count and type, whatever the loader.
counts() {
	snap-top -k type -n 0 --format=tsv "$1" |
		awk -F'\t' 'NR > 1 {sub(/ #[0-9]+$/, "", $5); n[$5] += $2} END {for (type in n) print n[type] "\t" type}' | sort
}
same_as_histogram heap.snap "java"
is "$(snap-top -k type -n 0 --format=tsv heap.snap | grep -o 'HprofHeap$Twin\( #.\)\?$' | sort | tr '\n' ,)" 'HprofHeap$Twin,HprofHeap$Twin #2,HprofHeap$Twin #3,' \
	"a class of three loaders is three types"
is "$(grep -c ' HprofHeap$Twin$' steady)" 3 "as it is in the histogram"
padded=$(grep -cE '(Striped64.Cell|ForkJoinPool|ForkJoinPool.WorkQueue|BufferedSubscription|Exchanger.(Node|Slot))$' steady)
ok "sizes with padding are among them" test "$padded" -ge 5
python3 "$here/hprof_count.py" heap.hprof types | sort >counted
is "$(counts heap.snap)" "$(cat counted)" "an independent count of all objects"
snap-dump heap.snap >dump
is "$(grep -oE '^    \{[a-z]+: .*to: 0x' dump | sed -E 's/^    \{([a-z]+).*/\1/' | sort | uniq -c | awk '{print $1 "\t" $2}')" \
	"$(python3 "$here/hprof_count.py" heap.hprof references | sort -k2)" "and of all references by kind"
is "$(sed -n '/^roots/,$p' dump | grep -o 'label: "[^"]*"' | cut -d'"' -f2 | sort | uniq -c | sed 's/^ *//; s/ /\t/')" \
	"$(python3 "$here/hprof_count.py" heap.hprof roots | sort -t'	' -k2)" "and of all roots"
ok "threads have names" grep -q 'name: "holder thread"' dump
ok "a local variable is held by its frame" eval 'snap-refs heap.snap type:HprofHeap\$Session >refs; grep -q "holder thread\|Java frame" refs'
ok "a leak: the static field that holds it is named, and its class" grep -q '\.HprofHeap\.sessionCache ' refs
ok "no text gets in" eval '! contains heap.snap "horse battery" && ! contains heap.snap user119999'
objects=$(awk '{s += $1} END {print s}' counted) bytes=$(stat -c %s heap.snap)
echo "# $objects objects, $(stat -c %s heap.hprof) bytes of HPROF, $bytes bytes"
ok "there are more than a million" test "$objects" -gt 1000000
ok "at most 2.0 bytes per object" test "$bytes" -le $((objects * 2))
ok "less memory, same bytes" eval 'snap-import hprof -q --memory=1M -o small.snap heap.hprof && cmp small.snap heap.snap'
snap-import hprof -q -o gz.snap heap.hprof.gz
is "$? $(snap-info gz.snap | grep -c "^runtime *JVM")" "0 1" "the JDK's own gzip"
ok "is the file that gzip makes of it" eval 'gzip -dc heap.hprof.gz >plain && snap-import hprof -q -o plain.snap plain && cmp gz.snap plain.snap'

# ---- the Java compiler at work ----

ok "javac compiles 60 files and dumps its heap" java -Xmx1500m -cp . HprofJavac 60 javac.hprof
snap-import hprof -o javac.snap javac.hprof 2>message
is "$?" 0 "it is imported"
is "$(grep -v 'references to unknown objects were left out, as HotSpot has them to classes of its archive that were not loaded$' message)" "" \
	"and nothing is said, but of what its archive names"
ok "it is sound" snap-info --verify javac.snap
is "$(counts javac.snap)" \
	"$(python3 "$here/hprof_count.py" javac.hprof types | sort)" "an independent count of all objects"
is "$(snap-dump javac.snap | grep -oE '^    \{[a-z]+: .*to: 0x' | sed -E 's/^    \{([a-z]+).*/\1/' | sort | uniq -c | awk '{print $1 "\t" $2}')" \
	"$(python3 "$here/hprof_count.py" javac.hprof references | sort -k2)" "and of all references by kind"
done_testing
