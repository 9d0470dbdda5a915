#!/usr/bin/env bash
# Threads, forks, dlopen in a loop and signals at once, under four allocators: the live set is right.  For long: tests/long/storm_*.t.
. "$(dirname "$0")/../lib.sh"
. "$(dirname "$0")/storm.bash"
skip_sanitized
make_storm
storm glibc 2
storm "glibc, with references" 2 "" 8 --references
storm "glibc, a sample" 2 "" 8 --sample=64B
for library in libjemalloc.so.2 libtcmalloc_minimal.so.4 libmimalloc.so; do
	if LD_PRELOAD=$library true 2>&1 | grep -q .; then
		[ "${SKIP_REAL:-0}" = 1 ] && continue
		is missing "$library" "$library is here (make deps brings it; SKIP_REAL=1 skips)"
	else
		storm "$library" 1 "$library"
		storm "$library, a sample" 1 "$library" 8 --sample=64B
	fi
done
done_testing
