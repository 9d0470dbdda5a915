#!/usr/bin/env bash
# snap-record --pid PID --take of a CPython 3.14 that strace traces, which must load the extension itself: at several kinds of
# work, and where it cannot.
. "$(dirname "$0")/../../lib.sh"
here=$top/tests/real/python
need_real strace
. "$here/pythons.bash"
cd "$work" || exit 1
python=
for entry in "${pythons[@]}"; do
	[ "${entry%% *}" != 3.14 ] || python=${entry#* }
done
if [ ! "$python" ]; then
	echo "# no CPython 3.14 is here: its tests are left out"
	done_testing
	exit
fi
ok "builds" build_for "$python"
echo 'void churn(int n) { for (volatile int i = 0; i < n; i++); }' >churn.c
${CC:-cc} -O2 -shared -fPIC churn.c -o churn.so
export CHURN=$work/churn.so

# Whether the main thread is in the call in which it stays: clock_nanosleep() or accept4(), and not waiting for a lock.
waits() {
	local call
	read -r call _ 2>/dev/null <"/proc/$target/syscall"
	case $call in 230 | 288) ;; *) return 1 ;; esac
}

# start KIND [OPTION...]: sets $target and its $tracer.
start() {
	local kind=$1; shift
	rm -f started taken.snap
	touch begun
	strace -f -qq -o strace.out -e trace=none "$python" "$@" "$here/attach_target.py" "$kind" started >said 2>&1 &
	tracer=$!
	await test -e started
	read -r target <"/proc/$tracer/task/$tracer/children"
	case $kind in idle | blocked*) await waits ;; esac
}
# Of others that run at the same time some may be there, which go away.
folders() { find /tmp -maxdepth 1 -name 'snap-record.??????' -newer begun 2>/dev/null; }
none_is_left() { left=$(folders); [ -z "$left" ]; }
take() { timeout 300 snap-record --pid "$target" -o taken.snap --take; }
# end NAME THREADS
end() {
	kill -TERM "$target"
	wait "$tracer"
	is "$?, $(cat said)" "0, alive, $2 threads, left []" "$1: it goes on"
	await none_is_left
	is "$(ls -d taken.snap 2>/dev/null)$left" "$3" "$1: nothing else is left"
}

for entry in "busy 1" "pure 1" "malloc 2" "gc 1" "threads 4"; do
	kind=${entry% *}
	start "$kind"
	for time in once again; do
		rm -f taken.snap
		ok "$kind: a snapshot, $time" take
		ok "$kind: it is good" snap-info --verify taken.snap
		is "$(snap-top -k type -n 0 --format=tsv taken.snap | awk -F'\t' '$NF == "__main__.Marker" { print $2 }')" 10 "$kind: all objects"
	done
	end "$kind" "${entry#* }" taken.snap
done

# refused KIND WORDS THREADS [OPTION...]: also, the script does not run later.
refused() {
	local kind=$1 words=$2 threads=$3; shift 3
	start "$kind" "$@"
	take 2>err
	is "$?/$(grep -c "$words" err)" 2/1 "$kind $*: refused: $words"
	end "$kind $*" "$threads" ""
}
refused idle "main thread ran no Python code" 1
refused blocked-busy "main thread ran no Python code" 2
refused busy "refuses remote debugging" 1 -X disable-remote-debug
# Whether it has handlers of signals, of which SIGTERM is the fifteenth.
waits_for_answer() { grep -qs '^Name:.snap-record' "/proc/$taker/status" && grep -qs '^SigCgt:.*[4-7c-f]...$' "/proc/$taker/status"; }
start idle
snap-record --pid "$target" -o taken.snap --take 2>err & taker=$!
await waits_for_answer
kill -TERM $taker
wait $taker
is "$?/$(grep -c interrupted err)" 2/1 "the wait can be ended"
end "ended" 1 ""
start busy
is "$(snap-record --pid "$target" -o no/such/taken.snap --take 2>&1 | grep -c 'No such file')" 1 "what the process could not do is said"
ok "an extension that is none: its reason is said" bash -c "snap-record --pid $target -o taken.snap --take --extension=$CHURN 2>&1 | grep PyInit"
end "busy" 1 ""
done_testing
