#!/usr/bin/env bash
# Every tests/tools/TOOL/NAME.sh prints what NAME.out says and exits as NAME.status says.  UPDATE=1 (make golden) rewrites both.
# A case runs in the folder of the example snapshots, which are made from tests/data/*.yaml.
. "$(dirname "$0")/../lib.sh"
cd "$BUILD/tests/data" || exit 1
for case in "$top"/tests/tools/*/*.sh; do
	base=${case%.sh}
	bash -u "$case" >"$work/out" 2>&1
	status=$?
	if [ "${UPDATE:-0}" = 1 ]; then
		cp "$work/out" "$base.out"
		echo "$status" >"$base.status"
	fi
	name=${base#"$top/tests/tools/"}
	is "$(cat "$work/out")" "$(cat "$base.out" 2>&1)" "$name: output"
	is "$status" "$(cat "$base.status" 2>&1)" "$name: exit status"
done
for kept in "$top"/tests/tools/*/*.out "$top"/tests/tools/*/*.status; do
	[ -e "${kept%.*}.sh" ] || is "$kept" "" "every expected output has its case"
done
done_testing
