#!/usr/bin/env bash
# Writing, and questions answered from totals: rows of a Markdown table on stdout.  OBJECTS and ROUNDS change the size of it.
# What grows with the number of objects is measured twice, so that it can be seen whether it does.
. "$(dirname "$0")/../lib.sh"
set -e
objects=${OBJECTS:-8000000} rounds=${ROUNDS:-5} timed=$BUILD/tests/helper/timed big=$BUILD/tests/helper/big

# best NAME COMMAND...: the least of some runs, "SECONDS PEAK_KIB"
best() {
	local name=$1 round; shift
	for ((round = 0; round < rounds; round++)); do "$timed" "$work/$name" "$@" >/dev/null || [ $? = 1 ]; done
	sort -g "$work/$name" | head -1
}
row() { # WHAT SECONDS PEAK_KIB
	awk -v what="$1" -v s="$2" -v k="$3" 'BEGIN { printf "| %s | %.1f ms, %.1f MiB | | |\n", what, s * 1000, k / 1024 }'
}

row "write 1 M objects with 3 M references (time, peak memory)" $(best write "$big" "$work/million.snap" 1000000)
size=$(stat -c %s "$work/million.snap")
echo "| their file | $(awk -v s="$size" 'BEGIN { printf "%.2f bytes per object", s / 1e6 }') | | |"
"$big" "$work/large.snap" "$objects"
for count in 1000000 $objects; do
	file=$work/million.snap; [ "$count" = 1000000 ] || file=$work/large.snap
	row "snap-top -k type, $count objects" $(best "top$count" snap-top -k type "$file")
	row "snap-top -k lineno, $count objects" $(best "line$count" snap-top -k lineno "$file")
	row "snap-diff -k type, $count objects" $(best "diff$count" snap-diff -k type "$file" "$file")
	row "snap-info --verify, $count objects" $(rounds=1 best "verify$count" snap-info --verify "$file")
done
