#!/bin/bash
# Every tool notices damage, with exit 2, or says what it says of the whole file.  STRIDE=1 tries every bit.
. "$(dirname "$0")/../lib.sh"
data=$BUILD/tests/data
stride=${STRIDE:-211}

# noticed NAME FILE COMMAND...: {} is the damaged copy of FILE.
noticed() {
	local name=$1 file=$2
	shift 2
	ok "$name" "$BUILD/tests/helper/damage" "$stride" "$file" "$@"
}

for name in old app; do
	file=$data/$name.snap
	noticed "$name: snap-info" "$file" snap-info {}
	noticed "$name: snap-info --verify" "$file" snap-info --verify {}
	noticed "$name: snap-top -k type" "$file" snap-top -k type --format=tsv {}
	noticed "$name: snap-top -k traceback" "$file" snap-top -k traceback --format=tsv {}
	noticed "$name: snap-diff, the old one" "$file" snap-diff --format=tsv {} "$data/new.snap"
	noticed "$name: snap-diff, the new one" "$file" snap-diff --format=tsv "$data/new.snap" {}
	noticed "$name: snap-dump" "$file" snap-dump {}
	noticed "$name: snap-dump --columns" "$file" snap-dump --columns {}
	noticed "$name: snap-filter" "$file" snap-filter --totals -o - {}
done
noticed "old: snap-refs" "$data/old.snap" snap-refs {} 0x4000
noticed "app: snap-refs" "$data/app.snap" snap-refs {} 0x60

# The tool that verifies must not let anything pass.
for name in old app new; do
	cp "$data/$name.snap" "$work/copy"
	size=$(stat -c %s "$work/copy")
	missed=0
	for ((byte = 0; byte < size; byte += 37)); do
		was=$(od -An -tu1 -j$byte -N1 "$work/copy")
		printf "\\x$(printf %02x $((was ^ 1 << byte % 8)))" | dd of="$work/copy" bs=1 seek=$byte conv=notrunc 2>/dev/null
		snap-info --verify "$work/copy" >/dev/null 2>&1
		[ $? = 2 ] || missed=$((missed + 1))
		printf "\\x$(printf %02x "$was")" | dd of="$work/copy" bs=1 seek=$byte conv=notrunc 2>/dev/null
	done
	is $missed 0 "$name: snap-info --verify exits 2 for any flipped bit"
done
done_testing
