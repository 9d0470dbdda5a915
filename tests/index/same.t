#!/usr/bin/env bash
# With an index all questions have the answers that they have without; and the index comes and goes without a trace.
. "$(dirname "$0")/../lib.sh"
need_real python3
cd "$work" || exit 1

# Every answer, messages and exit status of a snapshot, into a file.
ask() { # PLAIN INDEXED COMMAND...: the same?
	local plain=$1 indexed=$2; shift 2
	"$@" "$plain" $targets >plain.out 2>plain.err; echo $? >>plain.out
	"$@" "$indexed" $targets >indexed.out 2>indexed.err; echo $? >>indexed.out
	sed -i "s#$plain#FILE#g; s#$indexed#FILE#g" plain.out plain.err indexed.out indexed.err
	cmp -s plain.out indexed.out && cmp -s plain.err indexed.err || echo "$* $targets"
}

# PLAIN INDEXED ROW...: all questions; prints those with two answers.
compare() {
	local plain=$1 indexed=$2 key targets= row; shift 2
	for key in type shape lineno filename function traceback module thread domain size generation refcount root dominator duplicate field path fill; do
		ask "$plain" "$indexed" snap-top --retained -k $key
		ask "$plain" "$indexed" snap-top --retained --format=tsv -k $key
		ask "$plain" "$indexed" snap-diff --retained --all -k $key "$plain"
		ask "$plain" "$indexed" snap-diff --retained -n 2 -k $key other.snap
		ask "$plain" "$indexed" snap-top -k $key
		ask "$plain" "$indexed" snap-top --retained -k $key -i 'type:a' -i 'function:f'
		ask "$plain" "$indexed" snap-top --retained -k $key --all-frames -x 'x.c:1' -x 'domain:1:type:*a*'
	done
	ask "$plain" "$indexed" sh -c 'exec snap-diff --all -k dominator "$0" "$0"'
	ask "$plain" "$indexed" snap-diff -k dominator other.snap
	ask "$plain" "$indexed" snap-diff -k dominator -n 3 --format=tsv other.snap
	ask "$plain" "$indexed" snap-top -k dominator -n 3
	ask "$plain" "$indexed" snap-top -k duplicate -n 1
	for key in type:a type:s 'type:*' 'type:a[!r]*' function:f; do
		ask "$plain" "$indexed" snap-top -k duplicate -i "$key" --format=tsv
		ask "$plain" "$indexed" snap-top --retained -k duplicate -x "$key" --format=json
	done
	for key in '-i type:a' '-i type:s -i type:b' '-x type:a' '-x type:nothing' '-i type:*r* -x type:array' '-i type:nothing'; do
		set -f
		ask "$plain" "$indexed" snap-top -k field --format=json $key
		ask "$plain" "$indexed" snap-top --retained -k field --format=json --limit 0 $key
		ask "$plain" "$indexed" snap-diff --retained --all -k field --format=json $key "$plain"
		ask "$plain" "$indexed" snap-diff --retained -k field $key other.snap
		set +f
	done
	ask "$plain" "$indexed" snap-top --retained -k duplicate --sort count --limit 0 --format=json
	for key in bytes count average; do
		ask "$plain" "$indexed" snap-top -k dominator --sort $key
		ask "$plain" "$indexed" snap-top -k dominator --sort $key -n 2 -x type:a --format=tsv
	done
	for key in 1 2 3 9; do
		ask "$plain" "$indexed" snap-top --retained -k path --depth $key --format=json
		ask "$plain" "$indexed" snap-diff --all -k path --depth $key "$plain"
	done
	ask "$plain" "$indexed" snap-top --retained -k function --alloc-fn 'f'
	ask "$plain" "$indexed" snap-top -k dominator -x type:s -x type:a
	ask "$plain" "$indexed" snap-top -k dominator --format=tsv -i type:array
	ask "$plain" "$indexed" snap-refs --suspects
	ask "$plain" "$indexed" snap-refs --suspects --threshold 3 --format=tsv
	ask "$plain" "$indexed" snap-refs --dominators --limit 5
	for key in 1 17 41; do
		ask "$plain" "$indexed" snap-refs --dominators --limit $key --format=tsv
	done
	ask "$plain" "$indexed" snap-refs --dominators --limit 4000 --format=tsv
	ask "$plain" "$indexed" snap-refs --dominators --weak --limit 4000 --format=tsv
	ask "$plain" "$indexed" snap-refs --dominators --limit 0 --format=tsv
	ask "$plain" "$indexed" snap-refs --cycles --unreachable --limit 0 --format=tsv
	ask "$plain" "$indexed" snap-refs --unreachable --limit 0 --format=tsv
	for row; do
		targets=row:$row ask "$plain" "$indexed" snap-refs --owned --limit 0 --paths 0 --format=tsv
		targets=row:$row ask "$plain" "$indexed" snap-refs
		targets=$row ask "$plain" "$indexed" snap-refs
	done
	for targets in "row:0 row:1" "row:2 row:3 row:4" "row:1 row:5 row:9 row:13 row:17 row:21" "row:4 row:8 row:12 row:16 row:40"; do
		ask "$plain" "$indexed" snap-refs --limit 0
	done
	targets="row:0" ask "$plain" "$indexed" snap-refs --weak
	targets="row:0" ask "$plain" "$indexed" snap-refs --partial
	for key in a b s array '*'; do
		targets=type:$key ask "$plain" "$indexed" snap-refs
		targets=type:$key ask "$plain" "$indexed" snap-refs --owned --limit 0 --paths 0 --format=tsv
		targets=type:$key ask "$plain" "$indexed" snap-refs --brief --paths 2
		targets=type:$key ask "$plain" "$indexed" snap-refs --weak
	done
	targets="type:a row:1" ask "$plain" "$indexed" snap-refs
}

# What each is compared with.
python3 "$top/tests/index/random_graph.py" 99 | snap-make -o other.snap -

# Graphs at random: with cycles, garbage, weak references, tails, several roots, stacks, and types of one name.
seed=0
while [ $seed -lt 8 ]; do
	seed=$((seed + 1))
	python3 "$top/tests/index/random_graph.py" $seed >graph.yaml
	snap-make -o plain.snap graph.yaml
	snap-index -o indexed.snap plain.snap
	is "$(compare plain.snap indexed.snap $(seq 0 7 60))" "" "graph $seed: the same answers with an index"
done
# Enough objects for totals, some unreached, and nothing else known of any.
python3 -c 'print("snapshot: 1\ntypes:\n  1: {name: a}\nobjects:")
for i in range(1, 6001):
	print("- {id: %d, type: 1, size: %d, references: [{field: x, to: %d}]}" % (i, i % 7 * 8, i % 3 and i % 3000 + 1))
print("roots:\n" + "\n".join("- {object: %d, kind: vm, label: r}" % i for i in range(1, 6001) if i % 3))' >graph.yaml
snap-make -o many.snap graph.yaml
snap-index -o many-indexed.snap many.snap
is "$(compare many.snap many-indexed.snap 0 2)" "" "many objects: the same answers with an index"
# An object that is used as a dictionary, and one with as many names as are not too many.
python3 -c 'print("snapshot: 1\ntypes:\n  1: {name: Object}\n  2: {name: User}\n  3: {name: Name}\nobjects:")
refs = lambda first, count: ", ".join("{field: k%d, to: %d}" % (i, i) for i in range(first, first + count))
print("- {id: 1, type: 1, size: 8, references: [%s, {field: one, to: 500}, {field: two, to: 501}]}" % refs(100, 65))
print("- {id: 2, type: 1, size: 8, references: [%s]}" % refs(200, 64))
for i in [*range(100, 165), *range(200, 264)]: print("- {id: %d, type: 2, size: 16, references: [{field: name, to: %d}]}" % (i, i + 1000))
for i in [500, 501, *range(1100, 1165), *range(1200, 1264)]: print("- {id: %d, type: 3, size: 24}" % i)
print("roots:\n- {object: 1, kind: global, label: a}\n- {object: 2, kind: global, label: b}")' >graph.yaml
snap-make -o keyed.snap graph.yaml
snap-index -o keyed-indexed.snap keyed.snap
is "$(compare keyed.snap keyed-indexed.snap 0 2)" "" "a dictionary: the same answers with an index"
is "$(snap-top -k path -n 2 --format=tsv keyed.snap | cut -f2,4 | tr '\n\t' ' ,')" "count,path 65,a Object;{} User;name Name 65,a Object;{} User " \
	"more than 64 names of one object to objects of one type are keys"
is "$(snap-top -k path -n 0 --format=tsv keyed.snap | wc -l)" 135 "and others are not"
is "$(snap-top -k field -n 0 --format=tsv keyed.snap | grep -c 'k2[0-9]*$') $(snap-top -k field -n 0 --format=tsv keyed.snap | grep -c '{}$')" "64 1" "so it is with fields"
# Dictionaries whose names are one step, fields that stay apart, lists, and what several objects hold together.
python3 - >names.yaml <<'END'
print("snapshot: 1\ntypes:\n  1: {name: a}\n  2: {name: b}\n  3: {name: s}\nobjects:")
for i in range(1, 401):
    to = {1: range(2, 42)}.get(i, [5 * i + k for k in range(3) if 5 * i + k < 400] + [i + 1] * (i % 4 == 0))
    words = ", ".join("{%s, to: %d}" % ("element: %d" % n if i % 7 == 3 else "field: %s%d" % ("k" if i % 2 else "x", n + i * (i % 2)), t) for n, t in enumerate(to))
    print("- {id: %d, type: %d, size: %d, references: [%s]}" % (i, i % 5 % 3 + 1, i % 9 * 8, words))
print("roots:\n- {object: 1, kind: vm, label: r}\n- {object: 7, kind: global, label: g}\n- {object: 7, kind: vm, label: r}")
END
snap-make -o names.snap names.yaml
status 0 "names of dictionaries" snap-index -o names-indexed.snap names.snap
is "$(compare names.snap names-indexed.snap 0 2 9)" "" "dictionaries and lists: the same answers with an index"
# What several objects hold together, and none of them alone: also in a ring, and also what something else holds after all.
python3 - >together.yaml <<'END'
refers = {1: [2, 3], 2: [4], 3: [4, 9], 4: [5, 6], 5: [4, 7], 6: [8], 7: [], 8: [7], 9: [10, 12], 10: [11], 11: [10, 12], 12: [11], 13: [6], 14: [13, 12]}
print("snapshot: 1\ntypes:\n  1: {name: a}\nobjects:")
for i in range(1, 15):
    print("- {id: %d, type: 1, size: %d, references: [%s]}" % (i, i * 8, ", ".join("{field: f%d, to: %d}" % f for f in enumerate(refers[i]))))
print("roots:\n- {object: 1, kind: vm, label: r}\n- {object: 14, kind: vm, label: s}")
END
snap-make -o together.snap together.yaml
snap-index -o together-indexed.snap together.snap
is "$(for rows in 1,7 1,7,12 7,12 8,12 1,12 4,5 4,6 2,13 9,13 8,10,13; do
	targets=$(sed 's/\([0-9]*\)/row:\1/g; s/,/ /g' <<<$rows) ask together.snap together-indexed.snap snap-refs --format=tsv --limit 0; done)" "" \
	"what several hold together: the same answers with an index"
is "$(for rows in "row:1 row:7" "row:1 row:7 row:12"; do
	snap-refs --format=tsv together-indexed.snap $rows | awk -F'\t' '$10 == "all" {print $7}'; done | tr '\n' ' ')" "184 456 " "and that is what they free"
# As of a native program: only the variables that hold blocks have types.
sed -e 's/type: 1, size/size/' -e '/id: 1,/s/size: [0-9]*/type: 1, count: 0/' graph.yaml >native.yaml
snap-make -o native.snap native.yaml
snap-index -o native-indexed.snap native.snap
is "$(compare native.snap native-indexed.snap 0 2)" "" "only holders have types: the same answers with an index"
status 0 "snap-info --verify: the index agrees with itself" snap-info --verify indexed.snap
ok "spec/reader.py says so, too" python3 "$top/spec/reader.py" indexed.snap

# Comes and goes.
snap-index --remove -o removed.snap indexed.snap
ok "--remove gives back every byte" cmp removed.snap plain.snap
cp plain.snap place.snap
snap-index place.snap
ok "in place is as elsewhere" cmp place.snap indexed.snap
snap-index place.snap
ok "an index made anew is the same" cmp place.snap indexed.snap
snap-index -o - - <plain.snap >piped.snap
ok "from a pipe to a pipe" cmp piped.snap indexed.snap
snap-index --memory 64M -o small.snap plain.snap
ok "in less memory" cmp small.snap indexed.snap
cat plain.snap place.snap >damaged.snap
printf X | dd of=damaged.snap bs=1 seek=$(($(wc -c <plain.snap) + 100)) conv=notrunc 2>"$work/dd"
cp damaged.snap as-before.snap
status 2 "of a damaged member none is made" snap-index damaged.snap
ok "and the file is as before" cmp damaged.snap as-before.snap
is "$(ls | grep -c tmp)" 0 "no temporary file is left"
ok "the text is that of the snapshot without it" cmp <(snap-dump indexed.snap) <(snap-dump plain.snap)
snap-dump indexed.snap | snap-make -o again.snap
snap-index again.snap
ok "text and back, and snap-index: every byte" cmp again.snap indexed.snap
snap-filter --totals -o one.snap plain.snap
snap-filter --totals -o two.snap indexed.snap
ok "snap-filter leaves it out" cmp one.snap two.snap

# Series.
cat plain.snap one.snap plain.snap >series.snap
status 0 "a series" snap-index series.snap
ok "each member, but one that cannot" cmp series.snap <(cat indexed.snap one.snap indexed.snap)
status 0 "one member" snap-index -o third.snap series.snap#3
ok "it alone" cmp third.snap indexed.snap
status 2 "one member cannot be written in place" snap-index series.snap#3
status 2 "a snapshot that can have none" snap-index one.snap
snap-filter --totals -o two.snap plain.snap
ok "it is left as it was" cmp one.snap two.snap

# Indexes of other snapshots, and such as lie: never a wrong answer that the snapshot itself gives away.
python3 "$top/tests/spec/make_vectors.py" --binaries . "$top"/spec/vectors/*index*.hex
snap-index --remove -o tiny.snap good-index.snap
for file in bad-index-base bad-index-between bad-index-no-base bad-index-rows; do
	for question in "snap-top --retained -k type" "snap-top -k dominator" "snap-refs --suspects" "snap-refs --owned"; do
		case $question in *owned) rows=row:0 ;; *) rows= ;; esac
		is "$($question tiny.snap $rows 2>&1; echo $?)" "$($question $file.snap $rows 2>said; echo $?)" "$file: $question does not use it"
		is "$(cat said)" "${question%% *}: $file.snap: its index is not of this snapshot, and is not used" "$file: $question says so, once"
	done
	is "$(snap-diff --retained -k type tiny.snap $file.snap 2>&1 >/dev/null)" \
		"snap-diff: $file.snap: its index is not of this snapshot, and is not used" "$file: so does snap-diff"
	is "$(snap-top --quiet --retained -k type $file.snap 2>&1 >/dev/null)" "" "$file: --quiet asks for silence"
done
is "$(snap-top --retained -k type good-index.snap 2>&1 >/dev/null)" "" "nothing is said of an index that is used"
for file in bad-index-*.snap; do
	for rows in row:0 row:1 "row:0 row:1" type:Node; do
		limited 10 snap-refs --suspects --cycles --dominators --unreachable --owned "$file" $rows >/dev/null 2>&1
		[ $? -le 2 ] || echo "$file $rows"
		limited 10 snap-top --retained -k dominator "$file" >/dev/null 2>&1
		[ $? -le 2 ] || echo "$file"
	done
done >crashed
is "$(cat crashed)" "" "no index makes a tool crash or hang"
is "$(for file in bad-index-dominator bad-index-circle bad-index-parents; do
	limited 10 snap-refs --suspects --dominators "$file.snap" row:0 >/dev/null 2>&1; echo $?; done | sort -u | tr '\n' ' ')" "2 " "circles and ids beyond the table are trouble"
done_testing
