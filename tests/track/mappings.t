#!/usr/bin/env bash
# snap-record --references --mmap: what a program maps itself holds blocks, and is not lost.
. "$(dirname "$0")/../lib.sh"
skip_sanitized
cd "$work" || exit 1

cat >areas.c <<'TEXT'
#define _GNU_SOURCE
#include <fcntl.h>
#include <pthread.h>
#include <snap_track.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <ucontext.h>
#include <unistd.h>
#define OWN __attribute__((noinline, noclone))
enum { AREA = 1 << 16, PLACE = 64 };
static ucontext_t here, coroutine;
OWN void *take(size_t size)
{
	return memset(malloc(size), 0, size);
}
OWN char *map(int flags)
{
	char *area = mmap(NULL, AREA, PROT_READ | PROT_WRITE, MAP_ANONYMOUS | flags, -1, 0);
	if (area == MAP_FAILED)
		_exit(1);
	return area;
}
OWN void hold(char *where, void *what)
{
	memcpy(where, &what, sizeof what);
}
OWN void clear(void) { volatile char stack[8192]; memset((char *)stack, 0, sizeof stack); }

OWN void hold_in_areas(void)
{
	char *area = map(MAP_PRIVATE), *block = take(2002);
	hold(block + PLACE, take(2003));
	hold(area + PLACE, block);
	hold(map(MAP_PRIVATE) + AREA - 8, take(2004));
	area = map(MAP_PRIVATE);
	hold(area, take(2005));
	mprotect(area, AREA, PROT_READ);
	area = map(MAP_PRIVATE);
	hold(area + AREA / 2, take(2006));
	munmap(area, AREA / 4);
}
/* As the system may place any, where it then is one mapping with what is there. */
OWN void hold_below_variables(void)
{
	unsigned char state;
	char *end = __builtin_thread_pointer();
	for (end -= (uintptr_t)end % 4096; mincore(end - 4096, 4096, &state) == 0;)
		end -= 4096;
	hold(mmap(end - 4096, 4096, PROT_READ | PROT_WRITE, MAP_ANONYMOUS | MAP_PRIVATE, -1, 0),
	     take(2008));
}
OWN void lose_in_areas(void)
{
	char *area = map(MAP_PRIVATE);
	hold(area, take(1001));
	madvise(area, AREA, MADV_DONTNEED);
	area = map(MAP_PRIVATE);
	hold(area, take(1002));
	munmap(area, AREA);
	hold(map(MAP_SHARED), take(1003));
	area = map(MAP_PRIVATE);
	hold(area, take(1004));
	mprotect(area, AREA, PROT_NONE);
	area = map(MAP_PRIVATE);
	snap_track_alloc(area + 4096, 1005, 1);
	hold(area + 4096 + PLACE, take(1006)); /* in a block in which nobody is interested */
	/* What is cut off is not to be looked at. */
	int file = open("cut", O_RDWR | O_CREAT, 0600);
	if (ftruncate(file, AREA) != 0)
		_exit(1);
	area = mmap(NULL, AREA, PROT_READ | PROT_WRITE, MAP_PRIVATE, file, 0);
	hold(area, take(1007));
	if (ftruncate(file, 0) != 0)
		_exit(1);
}
/* The stack of a thread that has ended is kept for the next one. */
OWN void *end(void *unused)
{
	void *volatile local[100];
	for (int i = 0; i < 100; i++)
		local[i] = NULL;
	local[50] = take(1008);
	return unused;
}
OWN void wait_inside(void)
{
	void *volatile local = take(2007);
	swapcontext(&coroutine, &here);
	local = NULL;
}
OWN void begin_coroutine(void)
{
	getcontext(&coroutine);
	coroutine.uc_stack.ss_sp = map(MAP_PRIVATE);
	coroutine.uc_stack.ss_size = AREA;
	makecontext(&coroutine, wait_inside, 0);
	swapcontext(&here, &coroutine);
	memset(&here, 0, sizeof here);
	memset(&coroutine, 0, sizeof coroutine);
}
int main(void)
{
	pthread_t thread;
	hold_below_variables();
	hold_in_areas();
	lose_in_areas();
	pthread_create(&thread, NULL, end, NULL);
	pthread_join(thread, NULL);
	begin_coroutine();
	clear();
	return 0;
}
TEXT
${CC:-cc} -O1 -w -g -I"$top/libsnap/include" areas.c -o areas -lpthread
address_of() { snap-dump areas.snap | sed -n "s/^- {id: \(0x[0-9a-f]*\), .*size: $1,.*/\1/p"; }
unreached() { # sizes of blocks
	local size
	for size in {1001..1008} {2002..2008}; do
		snap-refs --brief --format=tsv areas.snap "$(address_of $size)" | grep -q '	unreached	' && echo $size
	done | tr '\n' ' '
}
lost="1001 1002 1003 1004 1005 1006 1007 1008 "
for allocator in "" libjemalloc.so.2 libtcmalloc_minimal.so.4 libmimalloc.so.2; do
	path=$(PATH=$PATH:/sbin ldconfig -p | sed -n "s|.*$allocator .*=> ||p" | head -1)
	[ -z "$allocator" ] || [ "$path" ] || continue
	name=${allocator:-glibc}
	LD_PRELOAD=${allocator:+$path} status 0 "$name: records" snap-record --references --mmap -o areas.snap ./areas
	status 0 "$name: the snapshot is good" snap-info --verify areas.snap
	is "$(unreached)" "$lost" "$name: what is held from mappings is not lost, and all else is"
	is "$(snap-refs --unreachable --format=tsv areas.snap 2>&1 | awk -F '\t' '$10 == "unreachable" && $11 ~ /mmap/')" "" "$name: nor is what is mapped, of which nothing is said"
done
is "$(snap-refs --brief --format=tsv areas.snap "$(address_of 2003)" | awk -F '\t' 'NR == 1 { for (i = 1; i <= NF; i++) at[$i] = i }
	$at["section"] == "path" { printf "%s %s %s; ", $at["kind"], $at["label"], $at["repeats"] }')" "global mapping 1; element [8] 2; " "a path begins at a mapping"
snap-record --references -o areas.snap ./areas
is "$(unreached)" "${lost}2002 2003 2004 2005 2006 2007 2008 " "without the option they hold nothing"
at_least "$(property areas.snap unseen_mappings)" 1 "which is counted"
done_testing
