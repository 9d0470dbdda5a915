#!/usr/bin/env bash
# snap-record --near-limit: a snapshot is there before memory is exhausted, whoever sets the limit.
. "$(dirname "$0")/../lib.sh"
skip_sanitized
cd "$work" || exit 1
cat >grow.c <<'TEXT'
#include <stdlib.h>
#include <string.h>
/* Grows until there is no more: by blocks of 10,000 bytes, or one large one. */
int main(int argc, char **argv)
{
	size_t size = argc > 1 ? strtoul(argv[1], NULL, 10) : 10000;
	for (char *block; (block = malloc(size));)
		memset(block, 1, size);
	return 3;
}
TEXT
${CC:-cc} -O1 -fno-builtin grow.c -o grow
reason() { property "$1" taken_at; }
bytes() { snap-info --format=json "$1" | sed -n 's/^ "heap_bytes": \([0-9]*\),$/\1/p'; }

for limit in "v RLIMIT_AS" "d RLIMIT_DATA"; do
	set -- $limit
	(ulimit -"$1" 400000; snap-record --no-symbols --near-limit=80% -o limit.snap ./grow)
	is "$?" 3 "$2: the program ends as it would"
	is "$(reason 'limit.snap#1') $(property 'limit.snap#1' limit) $(property 'limit.snap#1' limit_bytes)" "limit $2 409600000" "$2: a snapshot at the limit"
	ok "$2: when so much was used" between $((409600000 / 100 * 80)) "$(property 'limit.snap#1' limit_used_bytes)" $((409600000 / 100 * 90))
	ok "$2: with what was live then" between 200000000 "$(bytes 'limit.snap#1')" 340000000
	is "$(reason limit.snap)" exit "$2: and one at the end"
	status 0 "$2: all is whole" snap-info --verify limit.snap
	rm limit.snap
done
(ulimit -v 400000; snap-record --no-symbols --near-limit=80% -o large.snap ./grow 350000000)
is "$?/$(reason 'large.snap#1')" 3/limit "an allocation that is refused"
snap-record --no-symbols --near-limit=80 -o none.snap true
is "$(snap-info --members --format=tsv none.snap | wc -l)" 2 "no limit, no snapshot but at the end"
for wrong in 0 100% x -5 9x; do
	status 2 "--near-limit=$wrong" snap-record --near-limit=$wrong -o none.snap true
done

# Control groups where we may make them: GROUP FILE.
in_group() {
	local group=$1 file=$2
	sh -c "echo \$\$ >$group/cgroup.procs && exec snap-record --no-symbols --near-limit=75% -o group.snap ./grow" 2>/dev/null
	is "$?" 137 "$file: the program is killed"
	is "$(reason group.snap) $(property group.snap limit) $(property group.snap limit_bytes)" "limit $file 99999744" "$file: before, a snapshot was taken"
	ok "$file: of most that there was" between 60000000 "$(bytes group.snap)" 80000000
	status 0 "$file: which is whole" snap-info --verify group.snap
	rm -f group.snap
}
group=/sys/fs/cgroup/memory/snap-test-$$
if mkdir "$group" 2>/dev/null && echo 100000000 >"$group/memory.limit_in_bytes" 2>/dev/null; then
	in_group "$group" memory.limit_in_bytes
else
	echo "# no control group of version 1 with memory can be made here"
fi
[ -d "$group" ] && rmdir "$group"

second=$(sed -n 's/^[^ ]* [^ ]* [^ ]* [^ ]* \([^ ]*\) .* - cgroup2 .*/\1/p' /proc/self/mountinfo | head -1)
group=$second/snap-test-$$
if [ "$second" ] && grep -qw memory "$second/cgroup.controllers" && echo +memory 2>/dev/null >"$second/cgroup.subtree_control" &&
	mkdir "$group" 2>/dev/null && echo 100000000 >"$group/memory.max" 2>/dev/null; then
	echo 0 2>/dev/null >"$group/memory.swap.max"
	in_group "$group" memory.max
else
	echo "# no control group of version 2 with memory can be made here: $(cat "$second/cgroup.controllers" 2>&1)"
fi
[ -d "$group" ] && rmdir "$group"

# Files as the system has them, in place of its own of version 2.
inner=$(sed -n 's/^0:://p' /proc/self/cgroup)
if [ "$second" ] && unshare -m true 2>/dev/null; then
	mkdir -p "second$inner"
	printf 'max\n' >"second$inner/memory.max"
	printf '50000000\n' >"second/memory.max"
	printf '49000000\n' | tee second/memory.current >"second$inner/memory.current"
	printf 'anon 1\nfile 2\ninactive_file 1000000\nactive_file 5\n' >second/memory.stat
	[ "$inner" = / ] || printf '60000000\n' >second/memory.high
	unshare -m sh -c "mount --bind second $second && (ulimit -v 800000; exec snap-record --no-symbols --near-limit=95% -o second.snap ./grow)"
	is "$(reason 'second.snap#1') $(property 'second.snap#1' limit) $(property 'second.snap#1' limit_used_bytes)" "limit memory.max 48000000" \
		"version 2: without what would be given back"
	printf 'inactive_file 9000000\n' >second/memory.stat
	unshare -m sh -c "mount --bind second $second && (ulimit -v 800000; exec snap-record --no-symbols --near-limit=95% -o second.snap ./grow)"
	is "$(property 'second.snap#1' limit)" RLIMIT_AS "version 2: file pages do not count"
fi
done_testing
