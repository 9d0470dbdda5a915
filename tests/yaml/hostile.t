#!/bin/bash
# snap-make reads strangers' text: what is wrong is named by its place, and nothing takes long or changes a file.
. "$(dirname "$0")/../lib.sh"

# refuses NAME PLACE REASON: the text on standard input.
refuses() {
	local name=$1 place=$2 reason=$3
	cat >"$work/text.yaml"
	echo before >"$work/out.snap"
	limited 5 snap-make -o "$work/out.snap" "$work/text.yaml" >"$work/said" 2>&1
	is "$?, $(tr -d '\0' <"$work/said" | sed "s|$work/||")" "2, snap-make: text.yaml:$place: $reason" "$name"
	is "$(cat "$work/out.snap"; ls "$work" | grep -c snap)" "before
1" "$name: the file is as it was"
}

refuses "an alias" 2:10 "aliases are not allowed" <<<$'snapshot: 1\nobjects: *x'
refuses "an anchor" 2:10 "anchors are not allowed" <<<$'snapshot: 1\nobjects: &x []'
refuses "a tag" 2:10 "tags are not allowed" <<<$'snapshot: 1\nobjects: !!seq []'
refuses "a directive" 1:1 "directives are not allowed" <<<$'%YAML 1.1\n---\nsnapshot: 1'
refuses "an unknown key" 2:1 "unknown key colour" <<<$'snapshot: 1\ncolour: red'
refuses "a key twice" 2:1 "the key snapshot is there twice" <<<$'snapshot: 1\nsnapshot: 1'
refuses "an object's key twice" 3:22 "the key size is there twice" <<<$'snapshot: 1\nobjects:\n- {id: 0x1, size: 1, size: 2}'
refuses "no version" 2:1 'the key snapshot is missing: write "snapshot: 1"' <<<'objects: []'
refuses "another version" 1:11 "the number is too large: at most 1" <<<'snapshot: 2'
refuses "not a mapping" 1:1 "a mapping is expected here" <<<'- snapshot'
refuses "no number" 3:10 "a number is expected here" <<<$'snapshot: 1\nobjects:\n- {size: x}'
refuses "a negative number" 3:10 "a number is expected here" <<<$'snapshot: 1\nobjects:\n- {size: -1}'
refuses "a number over 64 bits" 3:10 "the number is too large: at most 18446744073709551615" <<<$'snapshot: 1\nobjects:\n- {size: 18446744073709551616}'
refuses "a row that is not next" 3:3 "row 1 comes next in this table" <<<$'snapshot: 1\ntypes:\n  2: {name: A}'
refuses "a row twice" 4:16 "row 2 says the same as row 1" <<<$'snapshot: 1\ntypes:\n  1: {name: A}\n  2: {name: "A"}'
refuses "a stack that is not there" 3:11 "there is no row 7 before this" <<<$'snapshot: 1\nobjects:\n- {stack: 7}'
refuses "an id twice" 5:1 "two objects have the id 16 (0x10)" <<<$'snapshot: 1\nobjects:\n- {id: 16}\n- {id: 0x10}'
refuses "keys after references" 3:44 "references have to be the last key of an object" <<<$'snapshot: 1\nobjects:\n- {id: 1, references: [{field: a, to: 1}], size: 3}'
refuses "a property twice" 2:22 "the property a is there twice" <<<$'snapshot: 1\nproperties: {a: "1", a: "2"}'
refuses "flags too late" 3:1 "flags has to come before all tables" <<<$'snapshot: 1\ntypes: {}\nflags: [partial]'
refuses "an unknown word" 2:9 "unknown word big" <<<$'snapshot: 1\nflags: [big]'
refuses "a second document" 2:1 "only one document is expected: a series is joined with cat" <<<$'snapshot: 1\n---\nsnapshot: 1'
refuses "a control character" " at byte 10" "control characters are not allowed" <<<$'snapshot: \x01'
refuses "not UTF-8" " at byte 10" "invalid leading UTF-8 octet" <<<$'snapshot: \xff'
refuses "no text" 1:1 "no text" </dev/null

# Bombs: each would take libyaml 0.2.5 seconds or minutes.  The text is in bomb.yaml.
bomb() {
	status 2 "$1" limited 5 snap-make -o "$work/bomb.snap" "$work/bomb.yaml"
	cp "$work/.out" "$work/said"
	ok "$1: refused as it should be" grep -qE "$2" "$work/said"
}
repeat() { # TEXT SIZE
	head -c "$2" < <(yes -- "$1" | tr -d '\n') >"$work/bomb.yaml"
}
repeat '[' 300000
bomb "300,000 brackets" "nested too deep"
repeat '{' 300000
bomb "300,000 braces" "nested too deep"
repeat '- ' 300000
bomb "300,000 dashes" "nested too deep"
repeat '? ' 300000
bomb "300,000 question marks" "nested too deep"
repeat '[a, {b: ' 300000
bomb "lists in mappings in lists" "nested too deep"
repeat '"a": [ ' 300000
bomb "after quoted keys" "nested too deep|expected"
{ printf "snapshot: 1\nproperties: {a: b '\n"; head -c 300000 < <(yes '[' | tr -d '\n'); } >"$work/bomb.yaml"
bomb "brackets behind a quote that is none" "nested too deep|expected"
for ((i = 0; i < 100; i++)); do printf '%*sa:\n' "$i" ''; done >"$work/bomb.yaml"
bomb "a hundred levels of blocks" "unknown key"
{ echo "snapshot: 1"; echo "objects:"; for ((i = 0; i < 100; i++)); do printf '%*s-\n' "$i" ''; done; } >"$work/bomb.yaml"
bomb "a hundred levels of lists" "expected"
for ((i = 0; i < 20000; i++)); do echo "%TAG !a$i! tag:x,2000:"; done >"$work/bomb.yaml"
bomb "20,000 directives" "directives"
{ echo 'a: &a [x, x]'; for i in b c d e f g h; do echo "$i: &$i [*a, *a, *a, *a, *a]"; done; } >"$work/bomb.yaml"
bomb "a billion laughs" "unknown key|anchors"

printf 'snapshot: 1\nproperties: {a: "%070000d"}\n' 0 >"$work/large.yaml"
status 2 "a text over --max-size" snap-make --max-size=64K -o "$work/large.snap" "$work/large.yaml"
cp "$work/.out" "$work/said"
ok "the size is named" grep -q "larger than --max-size" "$work/said"
status 0 "and under it" snap-make --max-size=1M -o "$work/large.snap" "$work/large.yaml"

# What only looks dangerous is allowed.
cat >"$work/fine.yaml" <<'END'
snapshot: 1 # [[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[
properties:
  a: "[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[["
  b: 'it''s [[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[['
  c: "\"[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[["
  don't: it's an operator[ or operator{
  dashes: ---------------------------------------------------
END
status 0 "brackets in quotes and comments" snap-make -o "$work/fine.snap" "$work/fine.yaml"
status 2 "a snapshot is no text" snap-make -o "$work/x.snap" "$work/fine.snap"
done_testing
