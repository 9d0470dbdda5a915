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

for ((round = 0; round < rounds; round++)); do "$BUILD/tests/bench/writer" 1000000 3; done | sort -g -k4 | head -1 |
	awk -F '\t' '{ printf "| write 1 M objects with 3 M references | %.2f s of one core | | |\n", $4
		printf "| memory of the writer | %s bytes per object | | |\n| size of the file | %s bytes per object | | |\n", $5, $7 }'
"$big" "$work/million.snap" 1000000
"$big" "$work/large.snap" "$objects"
for count in 1000000 $objects; do
	file=$work/million.snap; [ "$count" = 1000000 ] || file=$work/large.snap
	row "snap-top -k type, $count objects" $(best "top$count" snap-top -k type "$file")
	row "snap-top -k lineno, $count objects" $(best "line$count" snap-top -k lineno "$file")
	row "snap-diff -k type, $count objects" $(best "diff$count" snap-diff -k type "$file" "$file")
	row "snap-info --verify, $count objects" $(rounds=1 best "verify$count" snap-info --verify "$file")
done
