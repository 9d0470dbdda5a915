#!/usr/bin/env bash
# What is resident beside live blocks: the account adds up to what the system says, and each part is what the program did.
. "$(dirname "$0")/../lib.sh"
skip_sanitized
need_real python3 sqlite3
cd "$work" || exit 1

cat >parts.c <<'TEXT'
#include <fcntl.h>
#include <pthread.h>
#include <semaphore.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <unistd.h>
#define MIB ((size_t)1 << 20)
static char *kept[64];
static sem_t used, never;
static void *thread(void *unused)
{
	char stack[MIB];
	memset(stack, 1, sizeof stack);
	__asm__ volatile("" ::"r"(stack) : "memory");
	sem_post(&used);
	sem_wait(&never);
	return unused;
}
int main(void)
{
	pthread_t t;
	prctl(PR_SET_THP_DISABLE, 1, 0, 0, 0); /* what is not touched is not there */
	sem_init(&used, 0, 0);
	sem_init(&never, 0, 0);
	for (int i = 0; i < 64; i++)
		memset(kept[i] = malloc(100000), 1, 100000); /* 6 MiB, in the heap */
	for (int i = 0; i < 64; i += 2) {
		free(kept[i]);
		kept[i] = NULL;
	}
	kept[0] = malloc(32 * MIB); /* by a mapping, of which half is touched */
	memset(kept[0], 1, 16 * MIB);
	for (int i = 0; i < 4; i++) {
		pthread_create(&t, NULL, thread, NULL);
		sem_wait(&used);
	}
	memset(mmap(NULL, 8 * MIB, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0), 1, 8 * MIB);
	int file = open("data", O_RDWR);
	volatile char *mapped = mmap(NULL, 4 * MIB, PROT_READ, MAP_SHARED, file, 0);
	for (size_t i = 0; i < 4 * MIB; i += 4096)
		(void)mapped[i];
	_exit(0);
}
TEXT
${CC:-cc} -O1 parts.c -o parts -lpthread
head -c 4194304 /dev/zero >data
status 0 "records" snap-record --no-symbols -o parts.snap ./parts

note() { snap-info --format=json "$1" | sed -n "s/^ \"$2\": \([0-9]*\),\$/\1/p"; }
part() { note parts.snap "resident_$1"; }
said() { property "$1" resident_bytes; }
# The system's own sums, of three kinds, are exact but for so many pages that a processor has not added yet.
pages=$((2 * $(getconf _NPROCESSORS_ONLN)))
slack=$((524288 + 3 * 4096 * (pages > 32 ? pages : 32)))
agrees() { between $(($(said "$1") * 98 / 100 - slack)) "$(note "$1" resident)" $(($(said "$1") * 102 / 100 + slack)); }

ok "the mappings add up to what is resident" agrees parts.snap
is "$(note parts.snap resident)" "$(($(part live) + $(part heap) + $(part stacks) + $(part files) + $(part other) + $(part recorder)))" \
	"and so do the parts"
live=$((32 * 100000 + 16 * 1048576))
ok "live blocks are those that were touched" between $live "$(part live)" $((live + 200000))
ok "blocks that were freed are the heap's" between 3100000 "$(part heap)" 3600000
ok "stacks are those of all threads" between $((4 * 1048576)) "$(part stacks)" $((4 * 1048576 + 400000))
ok "files are mapped" between $((4 * 1048576)) "$(part files)" $((4 * 1048576 + 4000000))
ok "the rest is the program's own mapping" between $((8 * 1048576)) "$(part other)" $((8 * 1048576 + 400000))
ok "the recorder's part is said" between 100000 "$(part recorder)" 4000000
is "$(snap-info --mappings --format=tsv parts.snap | awk -F'\t' 'NR > 1 { sum += $1 } END { print sum }')" "$(note parts.snap resident)" \
	"the list has it all"
ok "with names" grep -q "/data" <(snap-info --mappings parts.snap)
snap-record --no-symbols --sample=64KiB -o sampled.snap ./parts
is "$(note sampled.snap resident_live)" 0 "in a sample, live blocks are not told from the rest of the heap"
ok "which is the sum of both" between $((live + 3000000)) "$(note sampled.snap resident_heap)" $((live + 4000000))

# Programs that we did not write.
seq 1 30000 | sed 's/.*/insert into t values(&, "& & &");/; 1i create table t(a, b); begin;' >load.sql
echo 'commit; select count(*) from t;' >>load.sql
printf '#include <stdio.h>\n#include <stdlib.h>\n#include <string.h>\n' >many.c
seq 1 500 | sed 's/.*/int f&(int a) { for (int i = 0; i < a; i++) printf("%d", i * &); return a; }/' >>many.c
cc1=$(gcc -print-prog-name=cc1 2>/dev/null)
for command in "python3 -c 'a = [str(i) * 5 for i in range(100000)]; print(len(a))'" "sqlite3 :memory: <load.sql" \
	"$cc1 -quiet -O1 many.c -o many.s"; do
	program=${command%% *}
	[ "$program" ] || continue
	eval "snap-record --no-symbols -o real.snap $command" >real.out 2>&1
	ok "$(basename "$program"): the mappings add up to what is resident" agrees real.snap
done
done_testing
