#!/usr/bin/env bash
# A service that leaks, in two runs of node: what grew is named by path, by type and by owner, though no object has its address.
. "$(dirname "$0")/../lib.sh"
need_real node
here=$top/tests/real
cd "$work" || exit 1
of() { node -e 'const { rows, total } = JSON.parse(require("fs").readFileSync(0)); console.log('"$1"')'; }
key=000102030405060708090a0b0c0d0e0f
for run in a b; do
	node --no-inline-new "$here/v8_leak.js" $run-old.heapsnapshot $run-new.heapsnapshot
	for when in old new; do
		snap-import v8 -q --hash-key=$key -o $run-$when.snap $run-$when.heapsnapshot
		status 0 "$run-$when: a snapshot" snap-info --verify $run-$when.snap
	done
done

# One run and two runs alike.
for old in a-old b-old; do
	snap-diff --format=tsv -k path $old.snap a-new.snap >paths
	is "$(awk -F'\t' '$2 == 3000 && $4 == 3100 && $6 ~ /;sessionCache Map;table \(array\);\[\] Session$/' paths | wc -l)" 1 \
		"$old: the path to sessions grew by 3,000"
	is "$(awk -F'\t' '$2 == 3000 && $4 == 3100 && $6 ~ /;sessionCache Map;table \(array\);\[\] Session;cart Object;items Array$/' paths | wc -l)" 1 \
		"$old: and what hangs on them"
	ok "$old: labels have no numbers of objects" bash -c '! grep -qE "@[0-9]" paths'
	status 1 "$old: a rule on a path" snap-diff -q -k path --fail 'any path:*;[[]] Session count > +1000' $old.snap a-new.snap
	snap-diff --format=tsv -r -k type $old.snap a-new.snap >types
	is "$(awk -F'\t' '$9 == "Session" { print ($2 == 3000 && $6 >= 3100 * 150 && $5 > 3000 * 150) }' types)" 1 "$old: retained by sessions"
	snap-diff --format=tsv -r -k field $old.snap a-new.snap >fields
	# Not that of the cache itself: at times node's stack holds the map, too, and then the field alone does not.
	is "$(awk -F'\t' '$9 == "Session" && $11 == "cart" { print ($2 == 3000 && $5 > 3000 * 60) }' fields)" 1 "$old: the field that holds carts grew"
done

# Retained bytes of a type are at least what the objects have, and at most what would be free without them all.
snap-top --format=tsv -r -k type a-new.snap >types
for type in Session Map Array WeakMap; do
	retained=$(awk -F'\t' -v type=$type '$6 == type { print $4 }' types)
	freed=$(snap-refs --format=json a-new.snap "type:$type" | of 'rows.find(r => r.section === "all").retained')
	ok "$type: retained by one walk $retained, by taking all away $freed" test "${retained:-1}" -le "${freed:-0}"
done
is "$(awk -F'\t' '$6 == "Session" { print ($4 >= $1) }' types)" 1 "a session retains more than itself"

# Owners share the heap among them: what they retain is all that is reached, less what stands for roots.
snap-top --format=json -k dominator a-new.snap >owners
snap-top --format=json -r -k type a-new.snap >all
is "$(of 'rows.reduce((sum, row) => sum + row.retained, 0)' <owners)" "$(of total.retained <owners)" "owners do not overlap"
is "$(of total.retained <owners)" \
	"$(of 'total.retained - rows.reduce((sum, row) => sum + (row.kind === "synthetic" ? row.bytes : 0), 0)' <all)" \
	"owners hold all that is held"
is "$(snap-top --format=tsv -k dominator -x type:global a-new.snap | awk -F'\t' 'NR == 2 { print $7 }')" Map \
	"below the global object, the cache is the largest owner"
done_testing
