#!/usr/bin/env bash
# snap_track.h: a program tells of the blocks of its own allocator, and asks for snapshots; without the tracker it does not notice.
. "$(dirname "$0")/../lib.sh"
skip_sanitized
cd "$work" || exit 1
cat >arena.c <<'TEXT'
#include <snap_track.h>
#include <stdio.h>
#include <stdlib.h>
#define OWN __attribute__((noinline, noclone))
static char *raw;
static size_t used;
static OWN void *arena_alloc(size_t size) { void *p = raw + used; used += (size + 15) / 16 * 16; snap_track_alloc(p, size, 7); return p; }
static OWN void *user(size_t size) { void *p = arena_alloc(size); __asm__ volatile("" ::: "memory"); return p; }
int main(void)
{
	raw = (char *)malloc(1 << 20);
	snap_track_free(raw);
	void *a = user(100);
	user(200);
	user(300);
	snap_track_free(a);
	snap_track_realloc(NULL, raw + 65536, 400, 8);
	snap_track_realloc(raw + 65536, raw + 131072, 500, 8);
	for (int i = 0; i < 10; i++)
		user(64);
	printf("%d\n", snap_take());
	snap_track_forget(raw, 65536);
	user(600);
	return 0;
}
TEXT
for build in "${CC:-cc} -O2" "${CC:-cc} -O2 -no-pie" "${CC:-cc} -O0" "${CXX:-g++} -x c++ -O2"; do
	ok "$build: compiles" $build -Wall -Werror -I"$top/libsnap/include" arena.c -o arena
	is "$(./arena)" -1 "$build: without the tracker nothing happens"
	is "$(snap-record -o arena.snap ./arena)" 0 "$build: with it a snapshot is taken"
	sizes() { snap-dump "$1" | sed -n 's/^- {.*size: \([0-9]*\), .*domain: \([0-9]*\).*/\1@\2/p' | sort | uniq -c | tr -s ' \n' ' '; }
	is "$(sizes 'arena.snap#1')" " 1 200@7 1 300@7 1 500@8 10 64@7 " "$build: the arena's blocks are there, with their domain"
	is "$(snap-dump 'arena.snap#1' | grep -c '^- {id: .*size: 1048576')" 0 "$build: its raw material is not"
	is "$(sizes arena.snap)" " 1 500@8 1 600@7 " "$build: a part is forgotten at once"
	status 0 "$build: and all is whole" snap-info --verify arena.snap
done
done_testing
