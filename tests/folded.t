#!/usr/bin/env bash
# --format=folded is what flamegraph.pl and its kin read: stacks between semicolons, one weight or two, whatever names hold.
. "$(dirname "$0")/lib.sh"
cp "$BUILD"/tests/data/*.snap "$work"
cd "$work" || exit 1

# As flamegraph.pl reads lines; prints frames joined by |, and the weights.
cat >fold.pl <<'PERL'
while (<>) {
	my ($stack, $new) = /^(.*)\s+?(\d+(?:\.\d*)?)$/ or die "not folded: $_";
	my $old = $stack =~ s/^(.*)\s+?(\d+(?:\.\d*)?)$/$1/ ? $2 : undef;
	print join("|", split(";", $stack)), "\t", defined $old ? "$old\t" : "", "$new\n";
}
PERL

cat >odd.yaml <<'YAML'
snapshot: 1
modules:
  1: {path: "/lib/odd 12", base: 0, size: 4096}
frames:
  1: {function: "main", file: "a b.c", line: 1}
  2: {function: "operator; new", file: "x;y.c", line: 2}
  3: {function: "block 7.5", module: 1, offset: 16}
  4: {function: "plain"}
stacks:
  1: {frame: 1}
  2: {frame: 2, parent: 1}
  3: {frame: 3, parent: 2}
  4: {frame: 4, parent: 1}
types:
  1: {name: "Big 9"}
objects:
- {id: 1, type: 1, size: 10, stack: 1, references: [{field: "a;b", to: 2}]}
- {id: 2, type: 1, size: 20, stack: 2}
- {id: 3, type: 1, size: 40, stack: 3}
- {type: 1, size: 80, stack: 4, count: 3}
- {id: 5, type: 1, size: 160}
roots:
- {object: 1, kind: global, label: "all 3"}
YAML
snap-make -o odd.snap odd.yaml || exit 1

is "$(snap-top --format=folded odd.snap | perl fold.pl)" "main (a b.c:1)|plain	240
<unknown>	160
main (a b.c:1)|operator\x3b new (x\x3by.c:2)|block 7.5@/lib/odd\x2012	40
main (a b.c:1)|operator\x3b new (x\x3by.c:2)	20
main (a b.c:1)	10" "stacks and bytes; semicolons and numbers in names are no syntax"
is "$(snap-top --format=folded -s count odd.snap | perl fold.pl | sed -n 1p)" "main (a b.c:1)|plain	3" "counts"
is "$(snap-top --format=folded -k path odd.snap | perl fold.pl)" "(unreachable)	440
all 3 Big 9|a\x3bb Big\x209	20
all 3 Big\x209	10" "paths"
is "$(snap-top --format=folded -n 2 odd.snap | wc -l)" 2 "--limit"

for file in app new hostile; do
	for key in traceback path; do
		for measure in bytes count; do
			snap-top --format=folded -k $key -s $measure $file.snap | perl fold.pl >folded
			is "$(awk -F'\t' '{sum += $NF} END {print sum + 0}' folded)" \
				"$(snap-top --format=json -k $key $file.snap | python3 -c "import json, sys; print(json.load(sys.stdin)['total']['$measure'])")" \
				"$file, $key: $measure add up"
			is "$(wc -l <folded)" "$(snap-top --format=tsv -k $key $file.snap | sed 1d | wc -l)" "$file, $key, $measure: a line for every row"
		done
	done
done
is "$(for key in traceback path; do snap-top --format=folded -k $key hostile.snap; done | LC_ALL=C grep -acP '[\x00-\x09\x0b-\x1f\x7f]|^\s*::')" 0 "hostile names are harmless"
is "$(snap-top --format=folded old.snap | wc -l)" "$(snap-top -k traceback --format=tsv old.snap | sed 1d | wc -l)" "tracebacks unless a key is given"
printf 'snapshot: 1\ntypes:\n  1: {name: T}\nobjects:\n- {id: 1, type: 1, size: 8}\nroots:\n- {object: 1, kind: global, label: g}\n' | snap-make -o bare.snap -
is "$(snap-top --format=folded bare.snap)" "g T 8" "paths where there are no stacks"

for measure in bytes count; do
	snap-diff --format=folded -s $measure old.snap new.snap | perl fold.pl >folded
	is "$(awk -F'\t' 'NF != 3 {print "not two weights: " $0} {old += $2; new += $3} END {print old, new}' folded)" \
		"$(for file in old new; do snap-top --format=json $file.snap | python3 -c "import json, sys; print(json.load(sys.stdin)['total']['$measure'])"; done | paste -sd' ')" \
		"snap-diff: old and new $measure of all stacks"
done
is "$(snap-diff --format=folded odd.snap odd.snap | perl fold.pl | tail -1)" "main (a b.c:1)	10	10" "snap-diff: what did not change, too"
status 1 "snap-diff: a broken rule is one all the same" snap-diff --format=folded --fail 'bytes > 1' old.snap new.snap

for tool in "snap-top" "snap-diff old.snap"; do
	for options in "-k type" "-s average" "-r" "-r -s bytes" "--errors"; do
		status 2 "$tool $options has no folded form" $tool --format=folded $options new.snap
	done
done
status 2 "snap-refs has none" snap-refs --format=folded new.snap type:Session
done_testing
