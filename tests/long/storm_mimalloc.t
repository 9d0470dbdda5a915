#!/usr/bin/env bash
# The storm for long, under mimalloc: none hangs, none crashes, none is wrong.
. "$(dirname "$0")/../lib.sh"
. "$(dirname "$0")/../track/storm.bash"
storms "libmimalloc.so"
