#!/usr/bin/env bash
# snap-record --pid PID --take: processes of every CPython that is found here, at several kinds of work, all of which know
# nothing of it: each snapshot is whole, and each process goes on as before.  STRESS: how often each is attached to.
. "$(dirname "$0")/../../lib.sh"
here=$top/tests/real/python
. "$here/pythons.bash"
cd "$work" || exit 1
STRESS=${STRESS:-2}

cat >churn.c <<'TEXT'
#include <stdlib.h>
void churn(int n)
{
	static __thread void *p[64];
	static __thread unsigned r = 1;
	for (int i = 0; i < n; i++) {
		r = r * 1664525 + 1013904223;
		free(p[r >> 26]);
		p[r >> 26] = malloc(1100 + (r >> 8) % 60000);
	}
}
TEXT
${CC:-cc} -O2 -shared -fPIC churn.c "$here/dies.c" -pthread -o churn.so
export CHURN=$work/churn.so

# start PYTHON KIND: sets $target.
start() {
	rm -f started
	"$1" "$here/attach_target.py" "$2" started >"said" 2>&1 &
	target=$!
	await test -e started
	case $2 in idle | dies | blocked | epoll) await waits ;; esac
}

waits() { grep -qs "^State:.S" "/proc/$target/status"; }

# attach NAME KIND: as often as STRESS says; prints what went wrong.
attach() {
	local i
	for ((i = 1; i <= STRESS; i++)); do
		rm -f taken.snap
		timeout 300 snap-record --pid "$target" -o taken.snap --take || { echo "attach $i: status $?"; return; }
		snap-info --verify taken.snap >verified 2>&1 || cat verified
		[ "$(snap-top -k type -n 0 --format=tsv taken.snap | awk -F'\t' '$NF == "__main__.Marker" { print $2 }')" = 10 ] || echo "attach $i: not all objects"
		[ "$(snap-info --properties --format=tsv taken.snap | grep -c '^layouts')" = 0 ] || echo "attach $i: without labels"
	done
}

killed="the child process that writes the snapshot was killed by signal 9 (Killed)"
for entry in "${pythons[@]}"; do
	version=${entry%% *} python=${entry#* }
	ok "CPython $version: builds" build_for "$python"
	for kind in idle busy malloc gc threads pure blocked blocked-busy epoll; do
		start "$python" $kind
		is "$(attach)" "" "CPython $version, $kind: $STRESS snapshots"
		is "$(grep -c '_snap\.cpython' "/proc/$target/maps")" 0 "CPython $version, $kind: nothing is left in it"
		kill -TERM "$target"
		wait "$target"
		is "$?, $(sed 's/[0-9]* threads/N threads/' said)" "0, alive, N threads, left []" "CPython $version, $kind: it goes on"
	done
	start "$python" dies
	is "$(snap-record --pid "$target" -o taken.snap --take 2>&1)" \
		"snap-record: process $target: $killed; another one wrote it without the labels of what instances and running functions hold" \
		"CPython $version: a child that dies is told of"
	is "$(snap-info --properties --format=tsv taken.snap | grep -e layouts -e made_again)" "layouts	unknown
made_again	$killed" "CPython $version: and in the snapshot, which another made"
	kill "$target"
	wait "$target"
done
done_testing
