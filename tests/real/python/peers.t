#!/bin/bash
# What grows, by type, in number and bytes, is what guppy3 and pympler say of the same heap; the path to an object is objgraph's.
. "$(dirname "$0")/../../lib.sh"
. "$top/tests/real/python/pythons.bash"
python=$(command -v python3)
ok "builds" build_for "$python"
fetch peers "$top/tests/real/pip" "$python" guppy3==3.1.7 pympler==1.1 objgraph==3.7.0
cd "$work" || exit 1
PYTHONPATH=$BUILD/python:$peers PYTHONDONTWRITEBYTECODE=1 "$python" "$top/tests/real/python/peers.py" . || echo "# peers.py failed" >&2

# Lines "TYPE COUNT BYTES" of what there is a hundred more of.  The values of an Order are inside of it since CPython 3.11, in a dict
# before: its own bytes are told in many ways.
many() { awk -F'\t' -v OFS='\t' '$1 == "__main__.Order" {$3 = "?"} $2 >= 100' | sort; }
without() { grep -v -P "^($1)\t"; }
ours() { snap-diff -k type -n 0 --format=tsv "$1.snap" "$2.snap" | awk -F'\t' -v OFS='\t' 'NR > 1 {print $7, $2, $1}' | many; }
theirs() {
	awk -F'\t' -v OFS='\t' 'NR == FNR {count[$3] = $1; bytes[$3] = $2; next} {print $3, $1 - count[$3], $2 - bytes[$3]}' "$1" "$2" | many
}

# guppy3 gives each instance a dict as it looks at it; so does Python itself up to 3.10.
ours heap.old heap.new | without dict >ours
is "$(wc -l <ours)" 10 "there are types to compare"
ok "growth by type, in number and bytes: guppy3" diff ours <(theirs guppy.old guppy.new | without dict)
# pympler finds what the collector tracks, and what that holds: ints are shared with what it does not find.
ok "growth by type, in number and bytes: pympler" diff <(without "dict|int" <ours) <(theirs pympler.old pympler.new | without "dict|int")
# What the collector tracks is found by all: more of no type than ours, but for a few of the peer itself.
snap-top -k type -n 0 --format=tsv heap.new.snap | awk -F'\t' -v OFS='\t' 'NR > 1 {print $5, $2}' | sort >found
is "$(awk -F'\t' 'NR == FNR {ours[$1] = $2; next} $1 > ours[$3] + 5 {print $3, ours[$3] + 0, $1}' found pympler.new)" "" "no type of which pympler finds more"
# A tracker makes strings of its own.
ok "growth by type: SummaryTracker" diff <(ours old new | without "dict|str") \
	<(awk -F'\t' -v OFS='\t' '{print $3, $1, $2}' tracker | many | without "dict|str")
# The first step is from a module's dict, which a running function of the module has, too.
is "$(snap-top -k path -i type:__main__.Needle --format=tsv old.snap | sed -n 2p | cut -f4 | tr ';' '\n' | sed '1d; s/.* //' | tr '\n' ';')" \
	"$(cut -d';' -f2- objgraph);" "the path to an object is objgraph's"
done_testing
