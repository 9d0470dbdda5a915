#!/usr/bin/env bash
# The storm for long: STORMS runs (100) of STORM_SECONDS (20) under each allocator in turn; none hangs, none is wrong.
. "$(dirname "$0")/../lib.sh"
. "$(dirname "$0")/../track/storm.bash"
make_storm
allocators=("" libjemalloc.so.2 libtcmalloc_minimal.so.4 libmimalloc.so.2)
for ((run = 0; run < ${STORMS:-100}; run++)); do
	allocator=${allocators[run % 4]}
	storm "$run ${allocator:-glibc}" "${STORM_SECONDS:-20}" "$allocator"
done
done_testing
