#!/usr/bin/env bash
# snap-refs --suspects names what accumulates, where it does: lists, trees, arrays, fields, types; and nothing if nothing does.
. "$(dirname "$0")/../lib.sh"
cd "$work" || exit 1

# Main stands for the roots: a synthetic object is no suspect, what it holds may be.
# heap NAME: makes NAME.snap from lines "ID TYPE SIZE [LABEL:TO]...": a label is a name or a number; ID 1 is the root.
heap() {
	awk 'BEGIN { print "snapshot: 1\ntypes:\n  1: {name: Main, kind: synthetic}\nobjects:" }
	{
		line = sprintf("- {id: %d, type: \"%s\", size: %d", $1, $2, $3)
		for (i = 4; i <= NF; i++) {
			split($i, part, ":")
			kind = part[1] ~ /^[0-9]+$/ ? "element" : "field"
			line = line (i == 4 ? ", references: [" : ", ") sprintf("{%s: %s, to: %d}", kind, part[1], part[2])
		}
		print line (NF > 3 ? "]}" : "}")
	}
	END { print "roots:\n- {object: 1, kind: global, label: main}" }' >"$1.yaml"
	snap-make -o "$1.snap" "$1.yaml" || echo "# $1.snap could not be made" >&2
}
# told NAME [OPTION]...: address, count, bytes, retained and type of each suspect.
told() {
	local name=$1; shift
	snap-refs --suspects -n 0 --format=tsv "$@" "$name.snap" >"$name.tsv" || return
	awk -F'\t' '$10 == "suspect" {print $9, $3, $6, $7, $13}' "$name.tsv"
}
# Objects from $1 to $2 of type $3 with size $4; references to them from array indexes; ballast: small things of many types.
many() { for i in $(seq "$1" "$2"); do echo "$i $3 $4"; done; }
elements() { for i in $(seq "$1" "$2"); do printf ' %d:%d' "$i" "$i"; done; }
ballast() { for i in $(seq 9000 9029); do echo "$i Small$i 10"; done; }
ballasted="$(for i in $(seq 9000 9029); do printf ' f%d:%d' "$i" "$i"; done)"

{ echo "1 Main 10 cache:2$ballasted"; echo "2 Cache 10 table:3"; echo "3 Table 10$(elements 100 149)"; many 100 149 Entry 20; ballast; } | heap cache
is "$(told cache)" "0x3 1 1010 1010 Table" "a cache: the table, where it spreads out"
is "$(awk -F'\t' '$10 == "way" {print $2, $12, $13}' cache.tsv)" "0 main Main
1 cache Cache
2 table Table" "with the path to it"
is "$(awk -F'\t' '$10 == "child" {print $3, $7, $13} $10 == "held" {print $3, $6, $13}' cache.tsv)" "50 1000 Entry
50 1000 Entry
1 10 Table" "and what hangs on it"
is "$(awk -F'\t' '$10 == "keyword" {printf "%s ", $12}' cache.tsv)" "main cache table Table Entry " "and words to search for"
is "$(awk -F'\t' '$10 == "reached" {print $1, $3, $4, $6}' cache.tsv)" "10 83 1 1330" "of so much in all"
ok "for people" eval 'snap-refs -s cache.snap | grep -qx "Suspect 1: Table 0x3 holds 1010 B, 75.9%"'

{ echo "1 Main 10 first:100$ballasted"; for i in $(seq 100 199); do echo "$i Node 10 next:$((i + 1)) item:$((i + 1000))"; done
	echo "200 Node 10"; many 1100 1199 Item 10; ballast; } | heap list
is "$(told list)" "0x64 1 2010 2010 Node" "a list is one suspect, from its first node"
is "$(awk -F'\t' '$10 == "held" {print $3, $13}' list.tsv | sort)" "100 Item
101 Node" "with all that is on it"

{ echo "1 Main 10 list:100$ballasted"; for i in $(seq 100 2 298); do echo "$i Node 10 dict:$((i + 1))"; echo "$((i + 1)) dict 10 next:$((i + 2))"; done
	echo "300 Node 10"; ballast; } | heap dicts
is "$(told dicts)" "0x64 1 2010 2010 Node" "as is one whose nodes have two parts"

# A few common types, in no order, are no structure: so are closures and contexts on the way to what leaks.
{ echo "1 Main 10 server:2$ballasted"; at=2; for type in Object Function Function Context Function Array Context Emitter Object; do
	echo "$at $type 10 f$at:$((at + 1))"; at=$((at + 1)); done
	echo "$at Array 10$(elements 100 149)"; many 100 149 Listener 20; ballast; } | heap closures
is "$(told closures)" "0xb 1 1010 1010 Array" "but not what only passes through types that recur"

{ echo "1 Main 10 tree:1001$ballasted"; for i in $(seq 1 127); do
	if [ "$i" -lt 64 ]; then echo "$((1000 + i)) Leaf 10 left:$((1000 + 2 * i)) right:$((1001 + 2 * i))"; else echo "$((1000 + i)) Leaf 10"; fi
done; ballast; } | heap tree
is "$(told tree)" "0x3e9 1 1270 1270 Leaf" "a tree is one, from its root"

twins() { echo "1 Main 10 registry:2$ballasted"; echo "2 Registry 10 $1:3 $2:4"; echo "3 Map 10$(elements 100 149)"; echo "4 Map 10$(elements 200 239)"
	many 100 149 Entry 20; many 200 239 Entry 20; ballast; }
twins alpha beta | heap fields
is "$(told fields)" "0x3 1 1010 1010 Map
0x4 1 810 810 Map" "two fields are two"
twins 0 1 | heap array
is "$(told array)" "0x2 1 1830 1830 Registry" "elements of an array are one"
is "$(awk -F'\t' '$10 == "child" {print $3, $7, $13}' array.tsv)" "2 1820 Map" "where it spreads out"

# An object of the program that holds many small things is one too.
{ echo "1 Main 10 outer:2$ballasted"; echo "2 Outer 10 inner:3$(elements 300 330)"; echo "3 Inner 10$(elements 100 129)"
	many 100 129 Entry 20; many 300 330 Note 20; ballast; } | heap nested
is "$(told nested)" "0x2 1 630 1240 Outer
0x3 1 610 610 Inner" "what a suspect inside holds is not counted again"
is "$(told nested --threshold=50)" "0x2 1 1240 1240 Outer" "unless it is too small to be one"

{ echo "1 Main 0 a:2 b:3$ballasted"; echo "2 Left 10$(elements 100 149)"; echo "3 Right 10$(elements 100 149)"; many 100 149 Shared 20; ballast; } | heap shared
is "$(told shared)" "0x64 50 1000 1000 Shared" "what two hold is a type of its own, below roots that are no objects"

# common LAST [ENTRY]: Shared, from 100 to LAST, beside a table that holds 810 bytes, or 10 and those of entries from 200 to ENTRY.
common() { { echo "1 Main 0 a:2 b:3 c:4$ballasted"; echo "2 Left 10$(elements 100 "$1")"; echo "3 Right 10$(elements 100 "$1")"
	echo "4 Table 10$(elements 200 "${2:-239}")"; many 100 "$1" Shared 20; many 200 "${2:-239}" Entry 20; ballast; } | heap common; }
common 144
is "$(told common | cut -d' ' -f3-)" "810 810 Table
900 900 Shared" "which comes after what one object holds"
snap-index -o indexed.snap common.snap
is "$(snap-refs --suspects indexed.snap)" "$(snap-refs --suspects common.snap)" "with an index, too"
common 159
is "$(told common | cut -d' ' -f3-)" "1200 1200 Shared
810 810 Table" "unless it is half of all"

common 114 201
is "$(told common | cut -d' ' -f3-)" "50 50 Table
300 300 Shared" "where no single object holds 10%, one that holds 5% is told"
is "$(snap-refs -s common.snap | sed '/^$/q')" "51 objects, 670 B, are reached; 2 suspects hold more than 5% of that" "which is said"
snap-index -o indexed.snap common.snap
is "$(snap-refs --suspects indexed.snap)" "$(snap-refs --suspects common.snap)" "with an index, too"
is "$(told common --threshold=10 | cut -d' ' -f3-)" "300 300 Shared" "unless 10 is asked for"
common 114 200
is "$(told common | cut -d' ' -f3-)" "300 300 Shared" "and none that holds less"
ok "which is said" eval 'snap-refs -s common.snap | sed -n 2p | grep -q "^No single object does; .*snap-diff -k path$"'

{ echo "1 Main 0$ballasted"; ballast; } | heap even
is "$(told even)" "" "where nothing stands out, nothing is named"
status 0 "which is no failure" snap-refs --suspects even.snap
is "$(snap-refs --suspects even.snap)" "31 objects, 300 B, are reached; nothing stands out: nothing holds more than 10% of that" "and it is said"
is "$(told even --threshold=3 | wc -l)" 30 "but with a lower threshold"

# Blocks have no types: where they were allocated tells them apart.
{
	printf '%s\n' 'snapshot: 1' 'frames:' '  1: {file: a.c, line: 1}' '  2: {function: node_new, file: a.c, line: 2}' \
		'  3: {function: text_new, file: a.c, line: 3}' 'stacks:' '  1: {frame: 1}' '  2: {frame: 2, parent: 1}' '  3: {frame: 3, parent: 2}' \
		'  4: {frame: 2}' 'objects:'
	for i in {10..29}; do
		printf -- '- {id: %d, size: 10, stack: %d, references: [{field: text, to: %d}]}\n- {id: %d, size: 90, stack: 3}\n' \
			"$i" "$((i % 2 ? 2 : 4))" "$((i + 100))" "$((i + 100))"
	done
	for i in {200..229}; do printf -- '- {id: %d, size: 10}\n' "$i"; done
	for i in {230..259}; do printf -- '- {id: %d, size: 10, stack: 1}\n' "$i"; done
	echo 'roots:'
	for i in {10..29} {200..259}; do printf -- '- {object: %d, kind: global, label: g%d}\n' "$i" "$i"; done
} | snap-make -o sites.snap -
snap-refs --suspects -n 0 --format=tsv sites.snap >sites.tsv
is "$(awk -F'\t' '$10 == "suspect" {print $3, $6, $7, $13, $14}' sites.tsv)" "20 2000 2000  a.c:2 node_new
30 300 300  a.c:1" "what no single object holds is one of its place, with what each of them holds"
is "$(awk -F'\t' '$10 == "held" {print $1, $3, $6, $14}' sites.tsv)" "1 20 1800 a.c:3 text_new
1 20 200 a.c:2 node_new
2 30 300 a.c:1" "which is listed; what has neither type nor place is left out"
is "$(awk -F'\t' '$10 == "keyword" {printf "%s ", $12}' sites.tsv)" "node_new text_new a.c:1 " "the function, or the place, is a word to search for"
ok "for people" eval 'snap-refs -s sites.snap | grep -qx "Suspect 1: 20 blocks, held by the roots together, hold 2.0 KiB, 76.9%"'
is "$(snap-refs sites.snap id:110 | sed -n '/^Allocated/,/^$/p')" "Allocated at:
  text_new (a.c:3)
  node_new (a.c:2)
  a.c:1" "a frame without a function is its place"
snap-index -o indexed.snap sites.snap
is "$(snap-refs --suspects indexed.snap)" "$(snap-refs --suspects sites.snap)" "an index changes nothing"

# Whatever is named holds more than was asked for, and exactly what is listed; -n bounds all lists.
for name in cache list dicts tree fields array nested shared even; do
	for percent in 1 3 10 30; do
		told "$name" --threshold=$percent >/dev/null
		is "$(awk -F'\t' -v p=$percent '$10 == "reached" {all = $6} $10 == "suspect" {bytes[$1] = $6; sum += $6; if ($6 * 100 <= all * p || $6 > $7) print "small", $0}
			$10 == "held" {held[$1] += $6} END {for (i in bytes) if (bytes[i] != held[i]) print i, bytes[i], held[i]; if (sum > all) print "more than all"}' "$name.tsv")" "" \
			"$name, $percent%: sums"
	done
done
is "$(snap-refs --suspects --threshold=3 -n 2 --format=tsv even.snap | awk -F'\t' '$10 == "suspect"' | wc -l)" 2 "--limit"
status 2 "0% is refused" snap-refs --suspects --threshold=0 even.snap
status 2 "100% is refused" snap-refs --suspects --threshold=100 even.snap
done_testing
