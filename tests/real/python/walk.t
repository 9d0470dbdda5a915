#!/bin/bash
# The extension for CPython: what a snapshot says of a process's objects is what the interpreter says of them, for every
# CPython with headers that is found here.
. "$(dirname "$0")/../../lib.sh"
need_real python3
here=$top/tests/real/python

# Lines "VERSION PATH", one for each minor version for which extensions can be built.
find_pythons() {
	local candidate version
	for candidate in /usr/bin/python3 python3 python3.{8..20} ~/.pyenv/versions/*/bin/python3; do
		version=$("$candidate" -c '
import os, sys, sysconfig
here = os.path.exists(os.path.join(sysconfig.get_path("include"), "Python.h"))
if sys.implementation.name == "cpython" and sys.version_info >= (3, 8) and here:
    print("%d.%d" % sys.version_info[:2])' 2>/dev/null) && [ -n "$version" ] && echo "$version $candidate"
	done | sort -s -V -u -k1,1
}

check_version() {
	local python=$2 out line
	ok "CPython $1: builds" flock "$BUILD/python.lock" "$MAKE" -s -C "$top" BUILD="$BUILD" CC="$CC" WERROR=-Werror PYTHON="$python" python
	mkdir "$work/$1"
	out=$(for script in walk options; do
		PYTHONPATH=$BUILD/python "$python" -B "$here/$script.py" "$work/$1" || echo "not ok - CPython $1: $script.py"
	done 2>&1)
	while IFS= read -r line; do
		case $line in
		"ok - "* | "not ok - "*)
			tap_count=$((tap_count + 1))
			echo "${line%% - *} $tap_count - ${line#* - }"
			[ "${line%% - *}" = ok ] || tap_failed=1 ;;
		*) echo "# ${line#\# }" ;;
		esac
	done <<<"$out"
	ok "CPython $1: all was compared" grep -q ': a local of another thread$' <<<"$out"
	ok "CPython $1: all was tried" grep -q ': all traces$' <<<"$out"
	for file in "$work/$1"/*; do
		ok "CPython $1: ${file##*/} is good" snap-info --verify "$file"
	done
}

MAKE=${MAKE:-make} CC=${CC:-cc}
mapfile -t pythons < <(find_pythons)
ok "${#pythons[@]} versions of CPython with headers are here: ${pythons[*]%% *}" [ "${#pythons[@]}" -ge 1 ]
for entry in "${pythons[@]}"; do
	check_version "${entry%% *}" "${entry#* }"
done
done_testing
