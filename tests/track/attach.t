#!/usr/bin/env bash
# snap-record --pid: recording begins and ends in programs that run already, which go on undisturbed; what is allocated
# meanwhile is all there; what cannot be attached to is refused, and left as it was.  STRESS: how often for each kind of work;
# KILLS: how often snap-record is killed in the midst of it;
# BUSY: how often for a process that is never idle.
. "$(dirname "$0")/../lib.sh"
skip_sanitized
cd "$work" || exit 1
STRESS=${STRESS:-3} KILLS=${KILLS:-0}
target=$BUILD/tests/helper/native_attach

start() { # KIND...: sets $pid
	rm -f said
	"$target" "$@" >said 2>&1 &
	pid=$!
	await grep -qs ready said
}
end() { # NAME [SAID]: it ends as it would have
	kill -TERM "$pid" 2>/dev/null
	wait "$pid"
	is "$? $(grep -avE '^[-+]0x' said | sort | tr '\n' ' ')" "5 ${2:-}ready " "$1"
}
blocks() { snap-dump "$1" | sed -n 's/^- {id: \(0x[0-9a-f]*\), size: \([0-9]*\).*/\1 \2/p' | sort; }

# What is live in the end: of the blocks that were allocated since, every one with its size; of older ones, none that is not.
cat >plugin.c <<'TEXT'
#include <stdlib.h>
void *make(size_t size) { return malloc(size); }
TEXT
${CC:-cc} -shared -fPIC plugin.c -o plugin.so
start churn churn churn pure floats poll epoll sleep "load=$work/plugin.so"
status 0 "attaches" snap-record --pid "$pid" -o live.snap
kill -USR1 "$pid"
await grep -qs churned said
await grep -qs loaded said
status 0 "takes one" snap-record --pid "$pid" --take
status 2 "is not attached to twice" snap-record --pid "$pid" -o twice.snap
end "the program ends as it would" "churned loaded "
status 0 "all are whole" snap-info --verify live.snap
is "$(property 'live.snap#1' taken_at) $(property live.snap taken_at)" "request exit" "one that was asked for, and one at the end"
blocks live.snap >seen
sed -n 's/^+//p' said | sort >since
sed -n 's/^[-+]//p' said | sort >all
ok "blocks were allocated since" test "$(wc -l <since)" -gt 1000
is "$(comm -23 since seen | head -3)" "" "all of them are there, with their sizes"
is "$(comm -13 all seen | grep -vE ' (32768|1024|4096|16|560)$' | head -3)" "" "and no others"
is "$(grep -c ' 12345$' seen)" 1 "also of a library that was loaded since"
ok "the snapshot says since when" test -n "$(property live.snap recorded_since)"
ok "and that older blocks were freed" test "$(property live.snap older_frees)" -gt 100

left() { local all=("/proc/$pid/$1"/*); echo ${#all[@]}; }
as_before() { [ "$(left task) $(left fd)" = "$before" ]; }
in_state() { grep -qs "^State:.$2" "/proc/$1/status"; }
# Begun and ended, again and again; and snap-record killed in the middle of it.
for kinds in "churn churn pure churn" "malloc" "malloc malloc" "pure" "floats floats" "poll" "epoll" "sleep" "churn malloc timer"; do
	start $kinds
	[ "$kinds" = "churn malloc timer" ] && STRESS=${BUSY:-$STRESS}
	before="$(left task) $(left fd)"
	for ((i = 0; i < STRESS; i++)); do
		rm -f stress.snap
		snap-record --pid "$pid" -o stress.snap 2>err && snap-record --pid "$pid" --detach 2>>err &&
			snap-info --verify stress.snap >/dev/null 2>>err && { [ $i -gt 1 ] || mappings=$(wc -l <"/proc/$pid/maps"); continue; }
		echo "# $i: $(cat err)" >&2
		break
	done
	is "$i" "$STRESS" "$kinds: attached to $STRESS times"
	await as_before # a thread that has said that it is done ends
	is "$(left task) $(left fd)" "$before" "$kinds: no thread and no descriptor is left behind"
	ok "$kinds: and no memory that adds up" test "$(wc -l <"/proc/$pid/maps")" -le $((mappings + 12))
	is "$(property stress.snap taken_at)" detach "$kinds: the last snapshot is from the end"
	rm -f stress.snap
	# What ends as interrupted when a thread is stopped (poll, epoll_wait) is put right by snap-record, if it lives.
	case $kinds in poll | epoll | sleep) kills=0 ;; *) kills=$KILLS ;; esac
	for ((i = 0; i < kills; i++)); do
		snap-record --pid "$pid" -o stress.snap 2>/dev/null & recorder=$!
		sleep "0.00$((RANDOM % 10))"
		kill -KILL $recorder 2>/dev/null; wait $recorder 2>/dev/null
	done
	end "$kinds: not disturbed"
done

# Refusals.
refused() { # PATTERN NAME PID ARGUMENTS...
	local pattern=$1 name=$2 process=$3; shift 3
	snap-record --pid "$process" "$@" >out 2>err
	is "$?/$(grep -cE "^snap-record: .*$pattern" err)/$(wc -l <err)" 2/1/1 "$name is refused"
	[ -s err ] || return
	grep -qE "$pattern" err || explain <err
}
start churn poll
refused "not recorded" "--detach of what is not recorded" "$pid" --detach
refused "runs no CPython" "--take of what is neither recorded nor CPython" "$pid" --take
kill -STOP "$pid"; await in_state "$pid" T
refused "is stopped" "a stopped process" "$pid" -o no.snap
kill -CONT "$pid"
snap-record --pid "$pid" -o /nowhere/x.snap
refused "could not write" "a place that cannot be written to" "$pid" --take
end "what was refused goes on"
refused "no such process" "a number that no process has" "$pid" -o no.snap
status 2 "--pid=x is trouble" snap-record --pid x
status 2 "--pid with a command is trouble" snap-record --pid $$ true
status 2 "--detach without --pid is trouble" snap-record --detach
${CC:-cc} -static -O1 -w "$top/tests/helper/native_attach.c" -D_GNU_SOURCE -o static -lpthread 2>/dev/null
target=./static start pure
refused "statically linked" "a static program" "$pid" -o no.snap
end "and goes on"
sh -c 'sleep 0.1 & echo $!; exec sleep 100' >zombie & parent=$!
await test -s zombie
await in_state "$(cat zombie)" Z
refused "has ended" "a process that has ended" "$(cat zombie)" -o no.snap
kill $parent
cat >traced.c <<'TEXT'
#include <sys/ptrace.h>
#include <sys/wait.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>
#include <sys/prctl.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
int main(int argc, char **argv)
{
	if (argc > 1 && argv[1][0] == 's') {
		struct sock_filter allow = BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW);
		struct sock_fprog program = {1, &allow};
		if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) || prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program))
			return 1;
		printf("%d\n", (int)getpid());
		fflush(stdout);
		return (int)sleep(100);
	}
	pid_t child = fork();
	if (child == 0)
		for (;;)
			pause();
	ptrace(PTRACE_SEIZE, child, 0, 0);
	printf("%d\n", (int)child);
	fflush(stdout);
	sleep(100);
	kill(child, 9);
	return 0;
}
TEXT
${CC:-cc} -w traced.c -o traced
./traced >child & tracer=$!
await test -s child
refused "is traced by process $tracer" "a process that another traces" "$(cat child)" -o no.snap
kill "$(cat child)" $tracer
./traced s >filtered & filtered=$!
await test -s filtered
refused seccomp "a process whose system calls are filtered" "$(cat filtered)" -o no.snap
kill $filtered
if [ "$(id -u)" = 0 ]; then
	start poll
	chmod 755 "$work"
	setpriv --reuid 65534 --clear-groups "$BUILD/bin/snap-record" --pid "$pid" -o no.snap 2>err
	is "$?/$(grep -c 'not permitted' err)" 2/1 "a process of another user is refused"
	end "and goes on"
	elsewhere="mount -t tmpfs none '$BUILD/lib'"
	if unshare -m sh -c "$elsewhere" 2>/dev/null; then
		rm -f said
		unshare -m sh -c "$elsewhere && exec '$target' poll" >said 2>&1 & pid=$!
		await grep -qs ready said
		refused "does not see" "a process that has other files" "$pid" -o no.snap
		end "and goes on"
	fi
	if unshare -pf true 2>/dev/null; then
		rm -f said
		unshare -pf "$target" churn malloc >said 2>&1 & outer=$!
		await grep -qs ready said
		pid=$(tr -d ' ' <"/proc/$outer/task/$outer/children")
		status 0 "attaches to a process with other numbers of processes" snap-record --pid "$pid" -o inner.snap
		status 0 "and ends it" snap-record --pid "$pid" --detach
		is "$(property inner.snap pid) $(property inner.snap taken_at)" "1 detach" "which says its own number"
		kill -TERM "$pid"
		pid=$outer end "and goes on"
	fi
elif [ "$(stat -c %u /proc/1)" != "$(id -u)" ]; then # in a container it may be one's own
	refused "not permitted" "a process of another user" 1 -o no.snap
fi
done_testing
