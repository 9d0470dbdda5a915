#!/usr/bin/env bash
# snap-record --pid --references: blocks that are older than the recording, where they are reached, and what they hold.
. "$(dirname "$0")/../lib.sh"
skip_sanitized
cd "$work" || exit 1
cat >older.c <<'TEXT'
/* Has blocks before it is recorded; with SIGUSR1 it takes others, which hang on these, and with SIGTERM it ends. */
#include <pthread.h>
#include <semaphore.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#define OWN   __attribute__((noinline, noclone))
#define STALE 11
struct node { struct node *next; void *held; long filler[28]; };
static volatile sig_atomic_t asked, ending;
static struct node *list, *of_thread;
char **large, **wide, **late; /* have mappings of their own; wide and late do not begin where these do */
static uintptr_t *stale; /* addresses of what is freed in the end */
static void *volatile lost;
static sem_t ready, go, done;
static void on_signal(int number) { if (number == SIGTERM) ending = 1; else asked = 1; }
OWN static struct node *make(struct node *first, size_t count, size_t size)
{
	for (size_t i = 0; i < count; i++) {
		struct node *n = calloc(1, size);
		n->next = first;
		first = n;
	}
	return first;
}
OWN static void hang(struct node *n, size_t size)
{
	for (; n; n = n->next)
		memset(n->held = malloc(size), 0, size);
}
OWN static void make_stale(void)
{
	for (int i = 0; i < STALE; i++) {
		stale[i] = (uintptr_t)malloc(i < STALE - 1 ? 90 : 3000);
		lost = malloc(700);
	}
	lost = NULL;
}
static void *thread(void *unused)
{
	of_thread = make(make(NULL, 500, 264), 1200, 64000); /* an arena's first heap is 64 MiB at most */
	sem_post(&ready);
	sem_wait(&go);
	hang(of_thread, 333);
	sem_post(&done);
	for (;;)
		pause();
	return unused;
}
OWN static void clear(void)
{
	volatile char below[65536];
	memset((char *)below, 0, sizeof below);
}
OWN static void since(void)
{
	hang(list, 222);
	large[5000] = malloc(444);
	wide[5000] = malloc(445);
	memset(late = aligned_alloc(4096, 600000), 0, 600000);
	late[5000] = malloc(446);
	lost = calloc(1, 555);
	lost = NULL;
	sem_post(&go);
	sem_wait(&done);
	/* Into a thread's cache, which has room for seven, a fast bin, and the list of what was freed last. */
	for (int i = 0; i < STALE; i++)
		free((void *)stale[i]);
}
int main(int argc, char **argv)
{
	pthread_t t;
	signal(SIGUSR1, on_signal);
	signal(SIGTERM, on_signal);
	sem_init(&ready, 0, 0);
	sem_init(&go, 0, 0);
	sem_init(&done, 0, 0);
	pthread_create(&t, NULL, thread, NULL);
	sem_wait(&ready);
	puts("begun");
	list = make(NULL, 1000, sizeof *list);
	large = calloc(50000, sizeof *large);
	memset(wide = aligned_alloc(4096, 500000), 0, 500000);
	stale = calloc(STALE, sizeof *stale);
	make_stale();
	for (int i = 0; i < STALE; i++)
		printf("stale %#lx\n", (unsigned long)stale[i]);
	if (argc > 1 && strcmp(argv[1], "damaged") == 0)
		((size_t *)list)[-1] = 0x51;
	struct node *last = of_thread; /* in the first of two heaps, of which the allocator asks nothing any more */
	while (last->next)
		last = last->next;
	if (argc > 1 && strcmp(argv[1], "damaged-arena") == 0)
		((size_t *)((uintptr_t)last & ~(uintptr_t)0x3ffffff))[2] += 16;
	clear();
	puts("ready");
	fflush(stdout);
	while (!asked)
		usleep(10000);
	since();
	clear();
	puts("since");
	fflush(stdout);
	while (!ending)
		usleep(10000);
	_exit(0);
}
TEXT
${CC:-cc} -O1 -w -g older.c -o older -lpthread

# Recorded from before SIGUSR1 until it ends, or is let go.
record() { # SNAPSHOT END COMMAND...
	local snap=$1 end=$2; shift 2
	rm -f said
	"$@" >said & pid=$!
	await grep -qs ready said
	snap-record --pid "$pid" $references -o "$snap" || return
	kill -USR1 "$pid"
	await grep -qs since said
	[ "$end" = exit ] || snap-record --pid "$pid" --detach
	kill -TERM "$pid"
	wait "$pid"
}
# Sizes and counts of what no root reaches, and what is said of it.
lost() {
	snap-refs --unreachable --format=tsv "$1" 2>err | awk -F '\t' '$10 == "garbage" { print $3, $6 }'
	sed 's/^/# /' err
}
objects() { snap-dump "$1" | sed -n 's/^- {id: \(0x[0-9a-f]*\), .*size: \([0-9]*\).*/\1 \2 &/p'; }
older() { objects "$1" | grep 'domain: 4294967294'; }
path_to() {
	snap-refs --brief --format=tsv "$1" "$(objects "$1" | awk -v size="$2" '$2 == size { print $1 }' | tail -1)" |
		awk -F '\t' 'NR == 1 { for (i = 1; i <= NF; i++) at[$i] = i }
			$at["section"] == "path" { printf "%s %s; ", $at["kind"], $at["label"] }'
}
references=--references
for tunables in "" glibc.malloc.tcache_count=0 glibc.malloc.mmap_threshold=60000 glibc.malloc.arena_max=1; do
	for end in detach exit; do
		name="${tunables:-as it is}, $end"
		status 0 "$name: recorded" record older.snap $end env GLIBC_TUNABLES="$tunables" ./older
		status 0 "$name: the snapshot is good" snap-info --verify older.snap
		is "$(property older.snap unseen_heaps)" "" "$name: all heaps are read"
		older older.snap >blocks
		is "$(property older.snap older_blocks)" "$(wc -l <blocks)" "$name: older blocks are counted"
		is "$(awk '{ n[$2]++ } END { print n[248], n[264], n[64008] + n[65520] }' blocks)" "1000 500 1200" "$name: those in lists are there"
		is "$(grep -cE '^0x[0-9a-f]+ 71[02] ' blocks)" 0 "$name: those that nothing holds are not"
		is "$(sed -n 's/^stale //p' said | grep -Ff - blocks | grep -cE '^0x[0-9a-f]+ (104|30[0-9]{2}) ')" 0 "$name: what was freed is not"
		is "$(objects older.snap | awk '{ n[$2]++ } END { print n[222], n[333], n[444], n[445], n[446], n[555], n[600000] }')" "1000 1700 1 1 1 1 1" "$name: blocks since then are"
		is "$(lost older.snap)" "1 555" "$name: the leak is found, and nothing else, without a warning"
		is "$(path_to older.snap 444)" "global large; field +0x0; element [5000]; " "$name: a path through an older block"
		is "$(awk '$2 > 590000' blocks | wc -l)" 0 "$name: a block is not there twice"
	done
done
is "$(snap-top -k type --format=tsv older.snap | awk -F '\t' '$5 == "older" { print $2 }')" "$(wc -l <blocks)" "they are of a type of their own"
is "$(path_to older.snap 222 | cut -d ' ' -f 1-4)" "global list; field +0x0;" "a path through many"

for what in damaged damaged-arena; do
	status 0 "$what: recorded" record damaged.snap detach ./older $what
	is "$(property damaged.snap unseen_heaps)" 1 "$what: a heap is left out"
	lost damaged.snap >out
	is "$(grep -c 'older than the recording' out)" 1 "$what: which is said"
	older damaged.snap | awk '{ n[$2]++ } END { print n[248] + 0, n[264] + 0, (n[64008] > 0) }' >counts
	[ $what = damaged ] && wanted="0 500 1" || wanted="1000 0 1"
	is "$(cat counts)" "$wanted" "$what: others are not"
done

references=
status 0 "records without references" record without.snap detach ./older
is "$(older without.snap | wc -l)/$(property without.snap older_blocks)" 0/ "and then there are none"
references=--references
jemalloc=$(PATH=$PATH:/sbin ldconfig -p | sed -n 's/.*libjemalloc\.so\.2.* => //p' | head -1)
if [ -n "$jemalloc" ]; then
	status 0 "another allocator: recorded" record other.snap detach env LD_PRELOAD="$jemalloc" ./older
	is "$(property other.snap older_blocks) $(property other.snap unseen_heaps)" "0 1" "another allocator: left out"
	lost other.snap >out
	is "$(grep -c 'older than the recording' out)" 1 "another allocator: which is said"
fi
done_testing
