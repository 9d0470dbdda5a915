#!/bin/bash
# Leaks as Python programs have them: the first line of snap-diff -k path names the holder of each, on every CPython.
. "$(dirname "$0")/../../lib.sh"
cases=$top/tests/real/python/cases
. "$top/tests/real/python/pythons.bash"

wanted() {
	cat <<'END'
cycle (unreachable)
cycle_del cycle_del module;RESURRECTED list;[] cycle_del.Resource;payload bytearray
cache cache module;CACHE dict;{} cache.Answer;body str
listeners listeners module;BUS listeners.Bus;listeners list;[] method;__self__ listeners.Widget;pixels bytearray
exception exception module;ERRORS list;[] ValueError;__traceback__ traceback;tb_next traceback;tb_frame frame;big bytearray
exception_chain exception_chain module;LAST exception_chain.Retry;__cause__ exception_chain.Retry;__traceback__ traceback;tb_next traceback;tb_frame frame;blob bytearray
lru_method lru_method module;total functools._lru_cache_wrapper;cached dict;<key> tuple;[] lru_method.Report;data bytearray
closure closure module;CALLBACKS list;[] function;__closure__ tuple;document cell;cell_contents bytearray
thread_local backlog in work (thread_local.py) list;[] thread_local.Job;blob bytearray
generator generator module;PENDING list;[] generator;buffer bytearray
task task module;TASKS set;<element> _asyncio.Task;<internal> coroutine;body bytearray
c_extension held from C: refcount 1, 0 known c_extension.Row;cells list
END
}

# The path of the first line, without the dicts that older versions give every instance.
answer() {
	snap-diff -k path -n 1 --format=tsv "$1" "$2" | sed -n 2p | cut -f6 |
		sed 's/;__dict__ dict//g; s/;gi_frame frame//; s/^work (\(.*\)) frame;backlog/backlog in work (\1)/'
}

# Memory that no object of Python's has: the tracker sees it, and the extension says whose line asks for it.
check_native() {
	local version=$1 python=$2
	PYTHONPATH=$BUILD/python snap-record -q -o "$work/series" -- "$python" -B "$cases/run.py" ctypes_malloc || echo "# run.py failed" >&2
	is "$(snap-diff -k lineno -n 1 --format=tsv "$work/series#1" "$work/series#2" | sed -n 2p | cut -f2,6,7)" \
		"200	$cases/ctypes_malloc.py	9" "CPython $version: ctypes_malloc"
	is "$(snap-diff -k function -n 1 --format=tsv "$work/series#1" "$work/series#2" | sed -n 2p | cut -f6)" step "CPython $version: its function"
	rm -f "$work/series"
}

check_version() {
	local python=$2 case path
	ok "CPython $1: builds" build_for "$python"
	mkdir "$work/$1"
	ok "CPython $1: the extension with a bug builds" $CC -O1 -shared -fPIC \
		"-I$("$python" -c 'import sysconfig; print(sysconfig.get_path("include"))')" "$cases/forgetful.c" -o "$work/$1/forgetful.so"
	while read -r case path; do
		PYTHONPATH=$BUILD/python:$work/$1 "$python" -B "$cases/run.py" "$case" "$work/$1/old" "$work/$1/new" ||
			echo "# run.py failed" >&2
		is "$(answer "$work/$1/old" "$work/$1/new")" "$path" "CPython $1: $case"
		[ "$case" != c_extension ] ||
			is "$(snap-refs --foreign -n 0 --format=tsv "$work/$1/new" | awk -F '\t' '$13 == "c_extension.Row" && $10 == "foreign_type" { print $3, $4 }')" \
				"210 210" "CPython $1: what is held from C"
		rm -f "$work/$1/old" "$work/$1/new"
	done < <(wanted)
	check_native "$1" "$python"
}

for entry in "${pythons[@]}"; do
	check_version "${entry%% *}" "${entry#* }"
done
done_testing
