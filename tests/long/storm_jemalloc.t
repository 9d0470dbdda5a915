#!/usr/bin/env bash
# The storm for long, under jemalloc: none hangs, none crashes, none is wrong.
. "$(dirname "$0")/../lib.sh"
. "$(dirname "$0")/../track/storm.bash"
storms "libjemalloc.so.2"
