#!/usr/bin/env bash
# The storm for long, under tcmalloc: none hangs, none crashes, none is wrong.
. "$(dirname "$0")/../lib.sh"
. "$(dirname "$0")/../track/storm.bash"
storms "libtcmalloc_minimal.so.4"
