#!/bin/bash
# The tests of honesty without gaps: every bit, every length, every block, every tool.
. "$(dirname "$0")/../lib.sh"
export JOBS=${JOBS:-$(nproc 2>/dev/null || echo 1)}

counted() { # FILE WORDS: the sum of the numbers before WORDS
	sed -n "s/.*[^0-9]\([0-9][0-9]*\) $2.*/\1/p" "$1" | awk '{ sum += $1 } END { print sum + 0 }'
}

EXHAUSTIVE=1 "$BUILD/tests/unit/corrupt" >"$work/library"; library=$?
ok "every bit through the library, all columns and partial readers too: $(counted "$work/library" tried) cases" \
	bash -c 'grep -A 9 "^not" "$1"; exit "$2"' - "$work/library" $library
STRIDE=1 "$top/tests/honesty/tools.t" >"$work/tools"; tools=$?
ok "every bit through every tool: $(grep -v '^#' "$work/tools" | counted /dev/stdin "damaged copies") processes" \
	bash -c 'grep -A 9 "^not" "$1"; exit "$2"' - "$work/tools" $tools
done_testing
