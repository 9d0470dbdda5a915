#!/bin/bash
# The extension for CPython: what a snapshot says of a process's objects is what the interpreter says of them, for every
# CPython with headers that is found here.
. "$(dirname "$0")/../../lib.sh"
here=$top/tests/real/python
. "$here/pythons.bash"

cat >"$work/frees.c" <<'TEXT'
#include <pthread.h>
#include <stdlib.h>
void PyMem_RawFree(void *);
static pthread_t thread;
static void *run(void *going)
{
	while (*(volatile int *)going)
		PyMem_RawFree(malloc(16));
	return NULL;
}
int begin(int *going) { return pthread_create(&thread, NULL, run, going); }
int end(void) { return pthread_join(thread, NULL); }
TEXT
cat "$here/dies.c" >>"$work/frees.c"
${CC:-cc} -O1 -shared -fPIC "$work/frees.c" -o "$work/frees.so"

# Runs the scripts, which print TAP without numbers.
compare() {
	local python=$2 script
	for script in walk lists options parity trace; do
		PYTHONPATH=$BUILD/python FREES=$work/frees.so "$python" -B "$here/$script.py" "$work/$1" || echo "not ok - CPython $1: $script.py"
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
			case $line in "ok - "*) echo "ok $tap_count - ${line#* - }" ;; *) not_ok "${line#* - }" ;; esac ;;
		"# "*".py ends") ;;
		*) explain <<<"$line" ;;
		esac
	done <"$work/$1.out"
	is "$(grep -c '^# .*\.py ends$' "$work/$1.out")" 5 "CPython $1: all scripts were run"
	for file in "$work/$1"/*; do
		ok "CPython $1: ${file##*/} is good" snap-info --verify "$file"
	done
}

for entry in "${pythons[@]}"; do
	check_version "${entry%% *}" "${entry#* }"
done
done_testing
