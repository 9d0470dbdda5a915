#!/bin/bash
# The extension for CPython: what a snapshot says of a process's objects is what the interpreter says of them, for every
# CPython with headers that is found here.
. "$(dirname "$0")/../../lib.sh"
here=$top/tests/real/python
. "$here/pythons.bash"

# Runs the scripts, which print TAP without numbers.
compare() {
	local python=$2 script
	for script in walk options parity trace; do
		PYTHONPATH=$BUILD/python "$python" -B "$here/$script.py" "$work/$1" || echo "not ok - CPython $1: $script.py"
		echo "# $script.py ends"
	done 2>&1
}

check_version() {
	local python=$2 line
	ok "CPython $1: builds" build_for "$python"
	mkdir "$work/$1"
	compare "$1" "$python" >"$work/$1.out"
	while IFS= read -r line; do
		case $line in
		"ok - "* | "not ok - "*)
			tap_count=$((tap_count + 1))
			echo "${line%% - *} $tap_count - ${line#* - }"
			[ "${line%% - *}" = ok ] || tap_failed=1 ;;
		*) echo "# ${line#\# }" ;;
		esac
	done <"$work/$1.out"
	is "$(grep -c '^# .*\.py ends$' "$work/$1.out")" 4 "CPython $1: all scripts were run"
	for file in "$work/$1"/*; do
		ok "CPython $1: ${file##*/} is good" snap-info --verify "$file"
	done
}

for entry in "${pythons[@]}"; do
	check_version "${entry%% *}" "${entry#* }"
done
done_testing
