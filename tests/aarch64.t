#!/usr/bin/env bash
# Tracker and snap-record are made for x86-64 and for ARM's 64 bits; this compiles what the former does not see.
. "$(dirname "$0")/lib.sh"
need_real aarch64-linux-gnu-gcc
cd "$top" || exit 1
flags=$(make -pn V=1 2>/dev/null | sed -n 's/^WARN *= *//p' | sed 's/\$(WERROR)/-Werror/')
for file in libsnap/track/*.c tools/record/*.c tools/snap-record.c; do
	ok "$file" aarch64-linux-gnu-gcc -std=c11 -D_GNU_SOURCE -D_FILE_OFFSET_BITS=64 $flags -Ilibsnap/sample -Ilibsnap/calls -Ilibsnap/include -Itools/common -O2 -fno-builtin -c "$file" -o /dev/null
done
done_testing
