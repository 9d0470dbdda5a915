#!/usr/bin/env bash
# snap-refs --suspects names the leak first: in a Node service, and in the demo's C service.
. "$(dirname "$0")/../lib.sh"
need_real node
cd "$work" || exit 1
node "$top/tests/real/v8_leak.js" old.heapsnapshot new.heapsnapshot
snap-import v8 -o new.snap new.heapsnapshot
# first FILE SECTION COLUMN: of the first suspect
first() { snap-refs -q --suspects -n 0 --format=tsv "$1" | awk -F'\t' -v section="$2" -v column="$3" '$10 == section && $1 == 1 {print $column}'; }
ok "Node: the path to the cache is given" eval 'first new.snap way 12 | grep -qx sessionCache'
is "$(first new.snap child 13 | head -1)" Session "Node: sessions are what accumulates"
is "$(first new.snap child 3 | head -1)" 3100 "Node: all of them"
ok "Node: the cache is a keyword" eval 'first new.snap keyword 12 | grep -qx sessionCache'
ok "Node: the suspect holds its share" test "$(first new.snap suspect 6)" -gt 700000

"$BUILD/tests/demo/leaky" before.snap after.snap
is "$?" 0 "the demo's service runs"
is "$(first after.snap way 12 | tr '\n' ' ')" "server cache buckets " "C: the path to the table is given"
is "$(first after.snap child 13)" Session "C: sessions are what accumulates"
ok "C: who allocated them is said" eval 'first after.snap held 14 | grep -q "leaky.c:[0-9]* session_open$"'
ok "C: and is a keyword" eval 'first after.snap keyword 12 | grep -qx session_open'
done_testing
