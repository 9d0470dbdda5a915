#!/bin/bash
# The words of YAML and messages for kinds, dimensions and flags are those of spec/registry.yaml, and keys of properties those of spec/FORMAT.md,
# all of them.
. "$(dirname "$0")/../lib.sh"

# enum NAME: "number word" lines.
enum() {
	sed -n "s/^ *$1: {\(.*\)}/\1/p" "$top/spec/registry.yaml" | tr ',' '\n' | sed 's/^ *\([a-z_]*\): *\([0-9]*\)/\2 \1/'
}
wanted() { enum "$1" | cut -d' ' -f2; }

{ echo "snapshot: 1"; echo "types:"; enum type_kinds | awk '{ printf "  %d: {name: t%d, kind: %d}\n", NR, NR, $1 }'; } |
	snap-make | snap-dump | sed -n 's/.*name: "t[0-9]*"\(, kind: \(.*\)\)\?}/\2/p' | sed 's/^$/object/' >"$work/said"
is "$(cat "$work/said")" "$(wanted type_kinds)" "kinds of types"

{ echo "snapshot: 1"; echo "objects:"; echo "- {id: 1, references: ["
  enum reference_kinds | awk '{ printf "    {%d: n%d, to: 1},\n", $1, NR }'; echo "  ]}"; } |
	snap-make | snap-dump | sed -n 's/^    {\([a-z0-9]*\): "n\([0-9]*\)", to:.*/\2 \1/p' | sort -n | cut -d' ' -f2 >"$work/said"
is "$(cat "$work/said")" "$(wanted reference_kinds)" "kinds of references"

{ echo "snapshot: 1"; echo "objects: [{id: 1}]"; echo "roots:"
  enum root_kinds | awk '{ printf "- {object: 1, kind: %d, label: r%d}\n", $1, NR }'; } |
	snap-make | snap-dump | sed -n 's/^- {object: 0x1\(, kind: \([a-z0-9]*\)\)\?, label: "r\([0-9]*\)".*/\3 \2/p' | sort -n | cut -d' ' -f2 |
	sed 's/^$/unknown/' >"$work/said"
is "$(cat "$work/said")" "$(wanted root_kinds)" "kinds of roots"

{ echo "snapshot: 1"; echo "mappings:"; enum mapping_kinds | awk '{ printf "- {address: 1, size: %d, kind: %d}\n", NR, $1 }'; } |
	snap-make | snap-dump | sed -n 's/^- {address: 0x1, size: [0-9]*\(, kind: \(.*\)\)\?}/\2/p' | sed 's/^$/other/' >"$work/said"
is "$(cat "$work/said")" "$(wanted mapping_kinds)" "kinds of mappings"

python3 "$top/tests/spec/make_vectors.py" --binaries "$work" "$top/spec/vectors/good-totals-only.hex"
printf 'snapshot: 1\nflags: [3, 1, 0]\nsampling_interval: 1\n' | snap-make | snap-dump | sed -n 's/^flags: //p' >"$work/said"
is "$(cat "$work/said")" "[$(enum trailer_flags | awk '$1 < 4 && $1 != 2 { printf "%s%s", sep, $2; sep = ", " }')]" "flags of snapshots"
is "$(snap-dump "$work/good-totals-only.snap" | sed -n 's/^flags: \[\(.*\)\]/\1/p')" "$(enum trailer_flags | awk '$1 == 2 { print $2 }')" "the flag of totals"
is "$(snap-dump "$work/good-totals-only.snap" | sed -n 's/^- {\([a-z]*\):.*/\1/p' | uniq)" "$(enum dimensions | awk '$1 == 0 || $1 == 1 || $1 == 7 { print $2 }')" "dimensions"

# Property keys: the first text among the arguments of whatever writes or asks for one.
call='(?<![a-z_])(snap_(writer|reader)_property|(set_|has_|time_|number_)?property)\('
grep -rhzoP --include='*.[ch]' "$call"'[^";{]*"\K[a-z_]+(?=")' "$top/libsnap" "$top/tools" | tr '\0' '\n' | sort -u >"$work/used"
is "$(sed -n '/^Property keys/,/^###/s/^| \(`[^|]*\) |.*/\1/p' "$top/spec/FORMAT.md" | grep -o '[a-z_]*' | sort)" \
	"$(cat "$work/used")" "keys of properties"
ok "and many were found" [ "$(wc -l <"$work/used")" -gt 20 ]
done_testing
