#!/usr/bin/env bash
# What this system's kernel may not have: a control group of version 2 that limits memory; and what another may not have: that
# it tells in which call a thread sleeps, which Yama forbids, too.  A kernel that runs as a program (User Mode Linux) sees this
# system's files.
. "$(dirname "$0")/../lib.sh"
skip_sanitized
if [ "$(uname -m)" != x86_64 ]; then
	echo "1..0 # SKIP User Mode Linux is for x86-64"
	exit 0
fi
if ! command -v linux.uml >/dev/null; then
	echo "1..0 # SKIP no User Mode Linux: not every release has it"
	exit 0
fi
need_real setpriv
cd "$work" || exit 1
# In it another user works, too, who need not see the folder of this tree.
chmod 755 "$work"
mkdir -m 777 others
mkdir bin reports
cp "$BUILD/bin/snap-record" bin
cp -r "$BUILD/lib" lib
chmod -R a+rX bin lib

cat >grow.c <<'TEXT'
#include <stdlib.h>
#include <string.h>
int main(void)
{
	for (char *block; (block = malloc(10000));)
		memset(block, 1, 10000);
	return 3;
}
TEXT
cat >waits.c <<'TEXT'
#include <pthread.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>
#include "asleep.h"
static int pipes[2];
static void *run(void *unused)
{
	void *volatile held = malloc(1001);
	char byte;
	while (clock() < CLOCKS_PER_SEC / 10) /* this kernel counts time by the hundredth of a second */
		;
	if (read(pipes[0], &byte, 1) < 0)
		return unused;
	free(held);
	return unused;
}
int main(void)
{
	pthread_t thread;
	if (pipe(pipes) != 0)
		return 1;
	pthread_create(&thread, NULL, run, NULL);
	asleep_await(1);
	return 5;
}
TEXT
${CC:-cc} -O1 -fno-builtin grow.c -o grow
${CC:-cc} -O1 -g -I"$top/tests" waits.c -o waits -pthread
cat >init <<TEXT
#!/bin/sh
export PATH=$PATH
cd $work
echo yes >started
mount -t proc proc /proc
mount -t sysfs sys /sys
mount -t cgroup2 none /sys/fs/cgroup
echo +memory >/sys/fs/cgroup/cgroup.subtree_control
mkdir /sys/fs/cgroup/outer
echo +memory >/sys/fs/cgroup/outer/cgroup.subtree_control
mkdir /sys/fs/cgroup/outer/inner
echo 60000000 >/sys/fs/cgroup/outer/memory.max
group=/sys/fs/cgroup/outer/inner/cgroup.procs
sh -c "echo \\\$\\\$ >\$group && exec snap-record --no-symbols --near-limit=75% -o group.snap ./grow" 2>group.err
echo "\$?" >group.status
echo 1 >/proc/sys/kernel/yama/ptrace_scope
# Files of this system do not belong to who makes them there.
mount -t tmpfs -o mode=1777 none reports
cd others
setpriv --reuid=65534 --clear-groups cat /proc/1/syscall >asked 2>/dev/null
TMPDIR=$work/reports setpriv --reuid=65534 --clear-groups "$work/bin/snap-record" --no-symbols --references -o waits.snap ../waits
echo "\$?" >waits.status
cd ..
echo yes >done
echo o >/proc/sysrq-trigger
sleep 100
TEXT
chmod +x init
# Its memory is a file, for which a container has too little in /dev/shm.
TMPDIR=$work timeout -k 1 900 linux.uml mem=256M rootfstype=hostfs rootflags=/ rw init="$work/init" con=null con0=fd:0,fd:1 delayacct quiet </dev/null >kernel.out 2>&1
if [ ! -e started ]; then
	tail -20 kernel.out | sed 's/^/# /'
	echo "1..0 # SKIP User Mode Linux does not run here"
	exit 0
fi
[ -e "done" ] || tail -20 kernel.out | explain
is "$(cat "done")" yes "a kernel ran"
is "$(cat group.status)" 137 "memory.max: the program is killed"
is "$(property 'group.snap#1' taken_at) $(property 'group.snap#1' limit) $(property 'group.snap#1' limit_bytes)" "limit memory.max 59998208" \
	"memory.max of a group further out: before, a snapshot was taken"
used=$(property 'group.snap#1' limit_used_bytes)
ok "when so much was used" test "$used" -ge $((59998208 / 100 * 75)) -a "$used" -le $((59998208 / 100 * 85))
ok "with most of it" test "$(snap-info --format=json 'group.snap#1' | sed -n 's/^ "heap_bytes": \([0-9]*\),$/\1/p')" -gt 30000000
status 0 "which is whole" snap-info --verify group.snap
is "$(cat others/asked)" "" "where a thread sleeps is not told"
is "$(cat others/waits.status)" 5 "a program ends as it would"
snap-symbolize -q others/waits.snap -o waits.snap 2>/dev/null || cp others/waits.snap waits.snap
is "$(snap-refs --brief --format=tsv waits.snap "$(snap-dump waits.snap | sed -n 's/^- {id: \(0x[0-9a-f]*\), size: 1001,.*/\1/p')" |
	awk -F '\t' '$10 == "path" && $2 == 0 { print $11, $12 }')" "stack run" "frames of threads that wait are known all the same"
is "$(property waits.snap unseen_registers)" "" "and their registers"
done_testing
