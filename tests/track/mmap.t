#!/usr/bin/env bash
# snap-record --mmap: what the program maps is recorded as the system has it, however it is cut, moved and mapped over.
. "$(dirname "$0")/../lib.sh"
skip_sanitized
need_real python3
cd "$work" || exit 1
cat >random.c <<'TEXT'
#define _GNU_SOURCE
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>
#define PAGES 256
#define PAGE  4096ul
/* Shared mappings have a name of their own in /proc/self/maps, and are never joined with others. */
#define FLAGS (MAP_SHARED | MAP_ANONYMOUS)
static __attribute__((noinline)) void *map_some(void *at, size_t size, int fixed)
{
	return mmap(at, size, PROT_READ | PROT_WRITE, FLAGS | fixed, -1, 0);
}
/* A hole may become anybody's: only what is still there is touched. */
static int is_there(const char *there, size_t at, size_t count)
{
	for (size_t i = at; i < at + count; i++)
		if (!there[i])
			return 0;
	return 1;
}
static void work(unsigned seed)
{
	char there[PAGES], *arena = NULL;
	for (int i = 0; i < 4000; i++) {
		if (i % 100 == 0) {
			arena = map_some(NULL, PAGES * PAGE, 0);
			memset(there, 1, PAGES);
		}
		size_t at = (unsigned)rand_r(&seed) % PAGES, count = 1 + (unsigned)rand_r(&seed) % 16;
		size_t to = (unsigned)rand_r(&seed) % (PAGES - 32);
		count = at + count > PAGES ? PAGES - at : count;
		if (!is_there(there, at, count))
			continue;
		switch (rand_r(&seed) % 5) {
		case 0:
			munmap(arena + at * PAGE, count * PAGE - 1);
			memset(there + at, 0, count);
			break;
		case 1: map_some(arena + at * PAGE, count * PAGE - 7, MAP_FIXED); break;
		case 2: /* a part moves away and grows, or shrinks */
			mremap(arena + at * PAGE, PAGE, 20 * PAGE, MREMAP_MAYMOVE);
			there[at] = 0;
			break;
		case 3:
			mremap(arena + at * PAGE, count * PAGE, PAGE, 0);
			memset(there + at + 1, 0, count - 1);
			break;
		case 4:
			if (!is_there(there, to, count + 2) || (to < at + count && at < to + count + 2))
				break;
			if (mremap(arena + at * PAGE, count * PAGE, (count + 2) * PAGE, MREMAP_MAYMOVE | MREMAP_FIXED,
				   arena + to * PAGE) != MAP_FAILED)
				memset(there + at, 0, count);
		}
	}
}
static void *thread(void *seed)
{
	work((unsigned)(size_t)seed);
	return NULL;
}
int main(int argc, char **argv)
{
	pthread_t threads[4];
	int count = argc > 1 ? atoi(argv[1]) : 1;
	for (int i = 0; i < count; i++)
		pthread_create(&threads[i], NULL, thread, (void *)(size_t)(i + 1));
	for (int i = 0; i < count; i++)
		pthread_join(threads[i], NULL);
	return system("exec cat /proc/$PPID/maps") != 0;
}
TEXT
cat >compare.py <<'PYTHON'
# The pages of shared mappings, as the system and as the snapshot has them; and how many mappings there are.
import re, sys
def pages(ranges):
    return {page for start, end in ranges for page in range(start // 4096, end // 4096)}
system = [tuple(int(x, 16) for x in line.split()[0].split("-")) for line in open(sys.argv[1]) if "/dev/zero" in line]
seen = [(int(a, 16), int(a, 16) + int(size)) for a, size in
        re.findall(r'^- \{id: (0x\w+), type: "mmap", size: (\d+)', open(sys.argv[2]).read(), re.M)]
seen = [r for r in seen if any(a < r[1] and r[0] < b for a, b in system)] if "all" not in sys.argv else seen
print(len(pages(seen) ^ pages(system)), len(pages(seen)) * 4096 == sum(b - a for a, b in seen), len(system) > 40)
PYTHON
${CC:-cc} -O1 random.c -o random -lpthread
for threads in 1 4; do
	status 0 "$threads threads: records" eval "snap-record --mmap --no-symbols -o random.snap ./random $threads >maps"
	snap-dump --quiet random.snap >text
	is "$(python3 compare.py maps text all)" "0 True True" "$threads threads: every page, once, and no other"
	is "$(snap-info --properties random.snap | grep -c '^lost_')" 0 "$threads threads: nothing is lost"
done
snap-record --mmap -o random.snap ./random 1 >maps
ok "with their stacks" grep -q map_some <(snap-top -k function random.snap)
snap-record --no-symbols -o plain.snap ./random 1 >maps
is "$(snap-dump plain.snap | grep -c mmap)" 0 "not without the option"

cat >kinds.c <<'TEXT'
#include <fcntl.h>
#include <snap_track.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>
void *kept[10];
int main(void)
{
	int file = open("kinds.c", O_RDONLY);
	kept[0] = mmap(NULL, 100, PROT_READ, MAP_PRIVATE, file, 0);
	kept[1] = malloc(1 << 24); /* mapped by the allocator */
	kept[2] = sbrk(5000);
	sbrk(3000);
	sbrk(-2000);
	brk((char *)sbrk(0) + 300);
	kept[3] = mmap(NULL, 5 << 20, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	mmap(NULL, 1, PROT_READ, MAP_PRIVATE, -1, 0); /* fails */
	munmap((char *)kept[3] + (1 << 20), 1 << 20);
	kept[4] = mmap(NULL, 7 * 4096, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	snap_track_free(kept[4]); /* is raw material */
	return 0;
}
TEXT
${CC:-cc} -O1 -w -I"$top/libsnap/include" kinds.c -o kinds
mapped() { snap-dump "$1" | sed -n 's/^- {id: 0x[0-9a-f]*, type: "\([^"]*\)", size: \([0-9]*\),.*domain: 4294967295.*/\1 \2/p' | sort -n | tr '\n' ','; }
wanted="mmap 1000,mmap 1048576,mmap 300,mmap 3145728,mmap 5000,mmap of a file 4096,"
for allocator in libjemalloc.so.2 libtcmalloc_minimal.so.4 libmimalloc.so; do
	path=$(PATH=$PATH:/sbin ldconfig -p | sed -n "s|.*$allocator.*=> ||p" | head -1)
	[ "$path" ] || continue
	LD_PRELOAD=$path snap-record --mmap --no-symbols -o other.snap ./kinds
	is "$(mapped other.snap)" "$wanted" "$allocator: what it maps itself is not recorded"
done
snap-record --mmap --no-symbols -o kinds.snap ./kinds
is "$(mapped kinds.snap)" "$wanted" "files, the break, and what is left of a mapping"
is "$(snap-dump kinds.snap | grep -c 'size: 16777216')" 1 "a block that malloc maps counts once"
status 0 "all is whole" snap-info --verify kinds.snap
status 2 "not with a sample" snap-record --mmap --sample=1M true
done_testing
