#!/bin/bash
# The tests of honesty without gaps: every bit, every length, every tool.
. "$(dirname "$0")/../lib.sh"
ok "every bit through the library, all columns and partial readers too" env EXHAUSTIVE=1 "$BUILD/tests/unit/corrupt"
ok "every bit through every tool" env STRIDE=1 "$top/tests/honesty/tools.t"
done_testing
