#!/usr/bin/env bash
# The demo catches its leak: site, type and holder are named, and the gate fails.
. "$(dirname "$0")/lib.sh"
export BUILD DEMO_FOLDER=$work/demo
ok "the demo runs" "$top/tests/demo/run"
"$top/tests/demo/run" >"$work/demo.txt" 2>&1
cd "$work/demo" || exit 1
source=tests/demo/leaky.c
line() { grep -n "$1" "$top/$source" | head -1 | cut -d: -f1; } # where the source says this
session=$(line 'NEW(Session)') page=$(line 'last_page = NEW(Buffer)')

is "$(snap-diff -k lineno --format=tsv -n 2 before.snap after.snap | tail -n +2 | grep -oE 'leaky.c.[0-9]+' | tr '\t' : | sort)" \
	"$(printf 'leaky.c:%s\n' "$session" "$page" | sort)" "snap-diff by line: the two sites of session_open() grew most"
is "$(snap-diff -k function --format=tsv -n 1 before.snap after.snap | sed -n 2p | grep -o session_open)" session_open \
	"snap-diff by function: session_open"
is "$(snap-diff -k type --format=tsv before.snap after.snap | sed -n '2,3p' | grep -oE 'Buffer|Session$|Session	' | tr -d '\t')" \
	"$(printf 'Buffer\nSession')" "snap-diff by type: Buffer and Session grew"
ok "snap-top names the site" grep -q "leaky.c.*$session" "$work/demo.txt"
snap-refs after.snap type:Session >"$work/refs" 2>&1
for holder in server cache buckets next; do
	ok "snap-refs names the holder: $holder" grep -qw "$holder" "$work/refs"
done
status 1 "the gate fails on growth" snap-diff --fail 'bytes > +5%' before.snap after.snap
status 0 "the gate holds without growth" snap-diff --fail 'bytes > +5%' before.snap before.snap
status 1 "the gate fails against the totals-only baseline" snap-diff --fail 'bytes > +5%' baseline.snap after.snap
status 0 "and holds against its own" snap-diff --fail 'bytes > +5%' baseline.snap before.snap
is "$(snap-top -k type --format=tsv baseline.snap)" "$(snap-top -k type --format=tsv before.snap)" "the baseline has the same sums by type"
is "$(snap-top -k traceback --format=tsv baseline.snap)" "$(snap-top -k traceback --format=tsv before.snap)" "and by stack"
ok "the baseline takes less than 4 KiB" test "$(stat -c %s baseline.snap)" -lt 4096
ok "both pictures are whole" snap-info --verify before.snap
ok "and the second" snap-info --verify after.snap

# The tour in README.md is what the demo prints, but for addresses.
tour() { awk '/^```$/ { inside = !inside; n++ } inside && n == 1 && !/^```$/' "$top/README.md"; }
plain() { sed 's/0x[0-9a-f]*/0xADDRESS/g' "$@"; }
ok "README.md has a tour" test "$(tour | wc -l)" -gt 20
is "$(tour | grep -v '^$' | plain | grep -vxFf <(plain "$work/demo.txt"))" "" "every line of it is printed by the demo"
done_testing
