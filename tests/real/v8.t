#!/bin/bash
# Heap snapshots of V8: what snap-import makes of real ones is what an independent count in Node finds; damaged ones are
# refused at the right byte; secrets stay out; a leak is named.
. "$(dirname "$0")/../lib.sh"
need_real node zstd
here=$top/tests/real
tiny=$here/v8_tiny.heapsnapshot
heap() { node --max-old-space-size=6000 "$here/v8_count.js" "$@"; }

# ---- a small one, whole ----

snap-import v8 -o "$work/tiny.snap" "$tiny"
is "$?" 0 "a small heap is imported"
is "$(snap-dump "$work/tiny.snap" | sed -n '/^frames:/,$p' | sed 's/hash: 0x[0-9a-f]*/hash: H/')" "$(cat <<'END'
frames:
  1: {function: "(root)", file: "file.js"}
  2: {function: "onEvent", file: "file.js", line: 12}
stacks:
  1: {frame: 2} # "file.js":12 "onEvent"
  2: {frame: 2, parent: 1} # "file.js":12 "onEvent"
types:
  1: {name: "(root)", kind: synthetic}
  2: {name: "Cache"}
  3: {name: "(string)", kind: string}
  4: {name: "<div>", kind: native}
  5: {name: "Function", kind: closure}
contents:
  1: {length: 16, hash: H}
objects:
- {id: 0x1, type: "(root)", references: [
    {internal: 2, to: 0x7},
    {element: 0, to: 0},
    {element: 1, to: 0x3}]}
- {id: 0x3, type: "Cache", size: 24, stack: 1, references: [
    {field: "name", to: 0x5},
    {ephemeron: "pair in WeakMap (table @3)", to: 0x9}]}
- {id: 0x5, type: "(string)", size: 32, stack: 2, content: 1}
- {id: 0x7, type: "<div>", size: 100, name: "<div id=\"x\">", flags: [detached], references: [
    {weak: "weak", to: 0x9},
    {element: 0, to: 0x5}]}
- {id: 0x9, type: "Function", size: 64, name: "onEvent", flags: [attached]}
roots:
- {object: 0x1, kind: vm, label: "(root)"}
END
)" "every kind of thing has its place"

ok "standard input" eval 'snap-import v8 -o "$work/a.snap" <"$tiny" && cmp "$work/a.snap" "$work/tiny.snap"'
ok "a pipe" eval 'cat "$tiny" | snap-import v8 -o "$work/a.snap" - && cmp "$work/a.snap" "$work/tiny.snap"'
ok "standard output" eval 'snap-import v8 -o - "$tiny" | cmp - "$work/tiny.snap"'
status 2 "a full device is noticed" eval 'snap-import v8 -o - "$tiny" >/dev/full'
status 2 "a full device by name is noticed" snap-import v8 -o /dev/full "$tiny"
status 2 "no such file" snap-import v8 -o "$work/b.snap" "$work/absent"
status 2 "a folder is no input" snap-import v8 -o "$work/b.snap" "$work"
status 2 "no -o" snap-import v8 "$tiny"
status 2 "unknown format" snap-import v9 -o "$work/b.snap" "$tiny"
status 2 "a key of the wrong length" snap-import v8 --hash-key=00 -o "$work/b.snap" "$tiny"
status 2 "a level out of range" snap-import v8 --level=20 -o "$work/b.snap" "$tiny"

# ---- fields in another order, and fields and members that are new ----

cat >"$work/reorder.js" <<'END'
const fs = require('fs');
const heap = JSON.parse(fs.readFileSync(process.argv[2]));
const { meta } = heap.snapshot;
function reorder(rows, fields, types) {
	const order = fields.map((_, i) => i).reverse(), n = fields.length, out = [];
	for (let i = 0; i < rows.length; i += n)
		out.push(...order.map(k => rows[i + k]), 4294967296 + i);
	return [out, [...order.map(k => fields[k]), 'new_field'], [...order.map(k => types[k]), 'number']];
}
const n = meta.node_fields.length;
for (let i = meta.edge_fields.indexOf('to_node'); i < heap.edges.length; i += 3)
	heap.edges[i] = heap.edges[i] / n * (n + 1);
[heap.nodes, meta.node_fields, meta.node_types] = reorder(heap.nodes, meta.node_fields, meta.node_types);
[heap.edges, meta.edge_fields, meta.edge_types] = reorder(heap.edges, meta.edge_fields, meta.edge_types);
const { strings, nodes, edges, snapshot, ...rest } = heap;
process.stdout.write(JSON.stringify({ strings, later: [{ a: [1.5, null, 'x'] }], edges, ...rest, nodes, snapshot }, null, 1));
END
node "$work/reorder.js" "$tiny" >"$work/reordered"
ok "fields and members in any order, and unknown ones" \
	eval 'snap-import v8 -o "$work/a.snap" "$work/reordered" && cmp "$work/a.snap" "$work/tiny.snap"'

# ---- secrets ----

contains() { zstd -dcq "$1" | grep -aqF "$2"; }
ok "the text of a string is not stored" eval '! contains "$work/tiny.snap" secret'
snap-import v8 --contents -o "$work/contents.snap" "$tiny"
ok "unless it is asked for" contains "$work/contents.snap" "secret 😀 text"
ok "and then the snapshot says so" eval 'snap-info "$work/contents.snap" | grep -q "^state .*contents"'
hash_of() { snap-dump "$1" | sed -n 's/.*length: 16, hash: \(0x[0-9a-f]*\).*/\1/p'; }
snap-import v8 --hash-key=000102030405060708090a0b0c0d0e0f -o "$work/key1.snap" "$tiny"
sed 's/"file.js"/"other.js"/' "$tiny" >"$work/other"
snap-import v8 --hash-key=000102030405060708090A0B0C0D0E0F -o "$work/key2.snap" "$work/other"
snap-import v8 -o "$work/other.snap" "$work/other"
is "$(hash_of "$work/key1.snap")" "$(hash_of "$work/key2.snap")" "with a key, hashes of two heaps compare"
ok "without, they do not" test "$(hash_of "$work/tiny.snap")" != "$(hash_of "$work/other.snap")"
ok "the properties say which" eval 'snap-info "$work/key1.snap" | grep -q "^hash_key *given" &&
	snap-info "$work/tiny.snap" | grep -q "^hash_key *derived"'

# ---- damage ----

# wrong SED-SCRIPT REASON: the changed file is refused, with the reason, at the byte of what SED-SCRIPT put there.
wrong() {
	sed -e "$1" "$tiny" >"$work/wrong"
	rm -f "$work/b.snap"
	snap-import v8 -o "$work/b.snap" "$work/wrong" 2>"$work/message"
	local got=$? at
	at=$(sed -n 's/.*at byte \([0-9]*\): .*/\1/p' "$work/message")
	is "$got $(grep -c -- "$2" "$work/message") $(test -e "$work/b.snap" && echo written)" "2 1 " "refused: $2"
	[ -z "${3-}" ] || is "$(tail -c +$((at + 1)) "$work/wrong" | head -c ${#3})" "$3" "at the right byte: $2"
}
wrong 's/^,8,3,7/,99,3,7/' '"nodes", row 3: there is no such type' '99,3,7'
wrong 's/^,8,3,7/,8,77,7/' '"nodes", row 3: there is no such string' '77,7'
wrong 's/^,8,3,7/,8,3,0/' '"nodes", row 3: an id is from 1' '0,100'
wrong 's/^,8,3,7/,8,3,4294967296/' '"nodes", row 3: an id is from 1' '4294967296'
wrong 's/^,8,3,7/,8,3,5/' 'id' ''
wrong 's/,100,2,0,2/,100,2,0,7/' 'detachedness is from 0 to 2' '7'
wrong 's/,100,2,0,2/,100,2,9,2/' 'there is no such node in the trace tree' '9,2'
wrong 's/,100,2,0,2/,100,3,0,2/' 'there are more than the 6 edges' '3,0'
wrong 's/,100,2,0,2/,100,1,0,2/' 'the nodes have 5 edges, but "edge_count" is 6'
wrong 's/,100,2,0,2/,100,2,0/' '"nodes" ends within a row'
wrong 's/^,8,3,7.*/                              /' '4 nodes, but "node_count" is 5'
wrong 's/"node_count":5/"node_count":4/' 'more than the 4 nodes'
wrong 's/"node_count":5/"node_count":4000000000/' 'more than the file has room for'
wrong 's/"edge_count":6/"edge_count":7/' 'the nodes have 6 edges'
wrong 's/^,2,6,14/,7,6,14/' '"edges", row 2: there is no such type' '7,6,14'
wrong 's/^,2,6,14/,2,6,15/' '"edges", row 2: there is no such node' '15'
wrong 's/^,2,6,14/,2,6,35/' '"edges", row 2: there is no such node' '35'
wrong 's/^,2,6,14/,2,66,14/' '"edges", row 2: there is no such string' '66'
wrong 's/^,2,6,14/,2,6,14,2,6,14/' '"edges", row 6: no node has this edge' ''
wrong 's/^,2,6,14/         /' '5 edges, but "edge_count" is 6'
wrong 's/^,2,6,14/,2,-6,14/' "a whole number from 0 up expected" '-6'
wrong 's/^,2,6,14/,2,6e0,14/' "a whole number expected" '6e0'
wrong 's/^,2,6,14/,2,6,99999999999999999999/' 'over 2^64' '999'
wrong 's/"self_size"/"size"/' 'no field "self_size"'
wrong 's/"shortcut"/"sideways"/' 'unknown type of edges'
wrong 's/"node_types":\[\[/"node_types":["x",[/' 'does not list the types of nodes'
wrong 's/^"nodes"/"nodes":[],"nodes"/' '"nodes" is there twice'
wrong 's/^"nodes"/"knots"/' 'no member "nodes"'
wrong 's/"snapshot"/"snapshut"/' 'no heap snapshot of V8'
wrong 's/"node_count"/"root_index":3,"node_count"/' 'root_index'
wrong 's/\[2,1,1,24,/[2,5,1,24,/' 'id or function out of range'
wrong '$s/$/ x/' 'something follows the end' 'x'

size=$(stat -c %s "$tiny")
strings_at=$(grep -abo '"strings"' "$tiny" | cut -d: -f1)
every_cut() { # every_cut OPTION FROM TO STATUS
	local n got
	for ((n = $2; n < $3; n += 7)); do
		head -c "$n" "$tiny" | snap-import v8 $1 -q -o "$work/b.snap" 2>"$work/message"
		got=$?
		[ $got = "$4" ] || { echo "cut at $n: exit $got"; cat "$work/message"; return 1; }
	done
}
ok "every cut is noticed" every_cut "" 0 $((size - 1)) 2
ok "--partial cannot help before the names" every_cut --partial 0 "$strings_at" 2
ok "--partial accepts a cut within the names" every_cut --partial $((strings_at + 12)) $((size - 1)) 3
head -c $((size - 60)) "$tiny" | snap-import v8 -q --partial -o "$work/partial.snap"
is "$(snap-dump --partial "$work/partial.snap" 2>&1 | grep -c 'to: 0x[0-9]')" 6 "and has every reference"
ok "and is marked" eval 'snap-info "$work/partial.snap" | grep -q "^state *partial"'

# ---- a service with a leak ----

cd "$work" || exit 1
node "$here/v8_leak.js" old.heapsnapshot new.heapsnapshot traced.heapsnapshot
is "$?" 0 "a Node program writes its heap"
for name in old new traced; do
	snap-import v8 -o $name.snap $name.heapsnapshot
	is "$?" 0 "$name heap is imported"
	ok "$name snapshot is sound" snap-info --verify $name.snap
done
is "$(snap-diff -k type -n 0 --format=tsv old.snap new.snap | awk -F'\t' '$7 == "Session" {print $1, $2}')" "120000 3000" \
	"snap-diff names the type that grows"
ok "snap-refs names the cache that holds it" eval \
	'snap-refs new.snap type:Session >refs && grep -q "3100 .*sessionCache" refs'
ok "no text of a string gets in" eval '! contains new.snap "horse battery" && ! contains new.snap "weak value" &&
	! contains new.snap "user5@"'
traced_lines() { snap-top -k lineno -n 0 --format=tsv traced.snap | awk -F'\t' 'NR > 1 && $5 != "" {print $1 "\t" $2 "\t" $4 "\t" $5}' | sort; }
is "$(traced_lines)" "$(node "$here/v8_traces.js" traced.heapsnapshot | sort)" "who allocated, as the dump's own traces say"
# Older V8 traces few of the allocations that it makes inline.
if [ "$(node -p 'process.versions.node.split(".")[0]')" -ge 20 ]; then
	ok "the constructor is named" eval \
		'traced_lines | grep -qP "^(?!0\t)\d+\t\d+\t.*v8_leak.js\t1[67]$"'
fi

# compare NAME: counts, classes, every node and edge, and roots, of NAME.heapsnapshot and NAME.snap.
sums() { awk -F'\t' 'NR > 1 {b[$5] += $1; c[$5] += $2} END {for (n in b) printf "%d\t%d\t%s\n", b[n], c[n], n}' | sort; }
compare() {
	local dump=$1.dump
	snap-dump "$1.snap" >"$dump" || return
	is "$(grep -c '^- {id: ' "$dump")	$(grep -c ', to: 0x' "$dump")	$(snap-top -k type -n 0 --format=tsv "$1.snap" |
		awk -F'\t' 'NR > 1 {b += $1} END {print b}')" "$(heap counts "$1.heapsnapshot")" "$1: nodes, edges and bytes"
	is "$(snap-top -k type -n 0 --format=tsv "$1.snap" | sums)" "$(heap types "$1.heapsnapshot" | sort)" "$1: bytes per type"
	is "$(snap-top -k root -n 0 --format=tsv "$1.snap" | sums)" "$(heap roots "$1.heapsnapshot" "$dump" | sort)" \
		"$1: every node and edge, and bytes per root"
	rm -f "$dump"
}
compare new
compare traced

# ---- the TypeScript compiler at work ----

fetch modules "$here/npm" typescript@5.9.3
node "$here/v8_typescript.js" "$modules" 200 ts.heapsnapshot
is "$?" 0 "the TypeScript compiler checks 200 files and writes its heap"
ok "it is imported with little memory" test "$(peak snap-import v8 -o ts.snap ts.heapsnapshot)" -lt $(($(stat -c %s ts.heapsnapshot) / 2048))
ok "the snapshot is sound" snap-info --verify ts.snap
read -r nodes edges _ < <(heap counts ts.heapsnapshot)
ok "it has $nodes nodes" test "$nodes" -gt 500000
echo "# $(stat -c %s ts.snap) bytes: $(($(stat -c %s ts.snap) * 100 / nodes)) hundredths per node, $edges edges"
ok "at most 4.5 bytes per node, with more than five edges each" test $(($(stat -c %s ts.snap) * 10)) -le $((nodes * 45))
ok "less memory, same bytes" eval 'snap-import v8 --memory=16M -o ts16.snap ts.heapsnapshot && cmp ts.snap ts16.snap'
compare ts
done_testing
