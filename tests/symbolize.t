#!/usr/bin/env bash
# snap-symbolize: names from a module's file, its separate debug file, or nothing; never those of another build.
. "$(dirname "$0")/lib.sh"
cd "$work" || exit 1

cat >prog.c <<'TEXT'
#include <stdlib.h>
void *volatile kept[8];
static inline __attribute__((always_inline)) void *inner(int n)
{
	return malloc((size_t)n); /* inner */
}
static inline __attribute__((always_inline)) void *middle(int n)
{
	return inner(n + 1); /* middle */
}
__attribute__((noinline)) void outer(int at, int n)
{
	kept[at] = middle(n); /* outer */
	kept[at + 1] = inner(n); /* outer again */
}
int main(int argc, char **argv)
{
	(void)argv;
	outer(argc, 100 * argc); /* main */
	return 0;
}
TEXT
line() { grep -n "/\* $1 \*/" prog.c | cut -d: -f1; }

# Where malloc is called from, as module offsets: what a tracker records is an address within the call.
offsets() {
	objdump -d "$1" | sed -n '/<outer>:$/,/^$/p' | sed -n 's/^ *\([0-9a-f]*\):.*call.*malloc.*/\1/p'
}
# snapshot MODULE BUILD_ID OFFSET...: one block of each offset.
snapshot() {
	local module=$1 build_id=$2 n=0 offset; shift 2
	echo "snapshot: 1"
	echo "modules:"
	echo "  1: {path: $module${build_id:+, build_id: \"$build_id\"}, base: 0x10000}"
	echo "frames:"
	for offset; do echo "  $((n += 1)): {module: 1, offset: 0x$offset}"; done
	echo "stacks:"
	for n in $(seq $#); do echo "  $n: {frame: $n}"; done
	echo "objects:"
	for n in $(seq $#); do echo "- {size: 8, stack: $n}"; done
}
build_id() { file "$1" | sed -n 's/.*BuildID\[sha1\]=\([0-9a-f]*\).*/\1/p'; }
tracebacks() { snap-top -k traceback -n 0 --format=tsv "$1" | tail -n +2 | cut -f4 | sort; }
first="outer ($work/prog.c:$(line outer));middle ($work/prog.c:$(line middle));inner ($work/prog.c:$(line inner))"
second="outer ($work/prog.c:$(line "outer again"));inner ($work/prog.c:$(line inner))"
expected=$(printf '%s\n%s\n' "$first" "$second" | sort)

for flags in -gdwarf-5 -gdwarf-4 "-gdwarf-5 -gsplit-dwarf" "-g -no-pie"; do
	ok "$flags: it builds" ${CC:-cc} -O2 $flags -Wl,--build-id "$work/prog.c" -o prog
	start=0
	case $flags in *no-pie*) start=0x$(objdump -p prog | sed -n 's/.*LOAD.*vaddr 0x\([0-9a-f]*\).*/\1/p' | head -1) ;; esac
	places=$(for o in $(offsets prog); do printf '%x ' $((0x$o - start)); done)
	snapshot "$work/prog" "$(build_id prog)" $places | snap-make -o prog.snap - 2>err || explain <err
	cp prog.snap raw.snap
	status 0 "$flags: named in place" snap-symbolize prog.snap
	is "$(tracebacks prog.snap)" "$expected" "$flags: with all that was inlined"
	status 0 "$flags: sound" snap-info --verify prog.snap
	is "$(snap-top -k function --format=tsv prog.snap | tail -n +2 | cut -f4,6 | sort -u)" "inner	$work/prog" "$flags: functions"
done

snapshot "$work/prog" "$(build_id prog)" $places | snap-make -o prog.snap -
cp prog.snap raw.snap
snap-symbolize prog.snap
status 0 "again" snap-symbolize -o again.snap prog.snap
ok "changes nothing" cmp prog.snap again.snap
snap-symbolize -o - raw.snap >piped.snap
ok "to standard output: the same" cmp prog.snap piped.snap
ok "nothing but names is new" diff <(snap-dump raw.snap | sed -n '/^objects/,$p') <(snap-dump prog.snap | sed -n '/^objects/,$p')
cat raw.snap prog.snap >series.snap
status 2 "a member is not replaced in place" snap-symbolize series.snap#1
status 0 "but copied" snap-symbolize -o member.snap series.snap#1
ok "as it would be alone" cmp member.snap prog.snap
cp series.snap first.snap
cp raw.snap second.snap
chmod 640 first.snap
ln -s first.snap link.snap
{ cat raw.snap; head -c 100 raw.snap; } >cut.snap
cp cut.snap before.snap
status 2 "two files in one" snap-symbolize -o x.snap first.snap second.snap
snap-symbolize link.snap cut.snap "$work/none.snap" /dev/null second.snap 2>err
is "$?" 2 "one file of several that is none is trouble"
ok "and named" grep -q "none.snap: No such file" err
ok "so is a device" grep -q "/dev/null: not a file" err
ok "all members have names in place" cmp first.snap <(cat prog.snap prog.snap)
is "$(stat -c %a first.snap)" 640 "with the mode that the file had"
ok "where a link leads to" test -L link.snap
ok "those of files after a bad one, too" cmp second.snap prog.snap
ok "a series that is not whole is as before" cmp cut.snap before.snap
is "$(echo ./*.snap.*)" "./*.snap.*" "nothing else is left"

objcopy --only-keep-debug prog saved
strip prog
cp raw.snap stripped.snap
status 1 "stripped, nothing has a name" snap-symbolize stripped.snap
is "$(snap-top -k traceback --format=tsv stripped.snap | grep -c "$work/prog+0x")" 2 "and offsets stay"
id=$(build_id prog)
mkdir -p folder/.build-id/"${id:0:2}"
cp saved folder/.build-id/"${id:0:2}/${id:2}.debug"
cp raw.snap separate.snap
status 0 "names from a separate debug file" snap-symbolize --debug-folders="$work/none:$work/folder" separate.snap
is "$(tracebacks separate.snap)" "$expected" "all of them"
mv prog moved
cp raw.snap gone.snap
status 0 "though the program is gone" snap-symbolize --debug-folders="$work/folder" gone.snap
is "$(tracebacks gone.snap)" "$expected" "all of them too"
mkdir -p "root$work" && cp saved "root$work/prog"
cp raw.snap root.snap
status 0 "from another root" snap-symbolize --sysroot="$work/root" root.snap
is "$(tracebacks root.snap)" "$expected" "the same"

sed 's/return 0/return 3/' prog.c >other.c
${CC:-cc} -O2 -g -Wl,--build-id other.c -o prog
cp raw.snap other.snap
snap-symbolize other.snap 2>err
is "$?" 1 "another build of the program gives no names"
ok "and it is said why" grep -q "another build" err
ok "the snapshot is as it was" cmp <(snap-dump other.snap) <(snap-dump raw.snap)
rm prog
cp prog.snap kept.snap
snap-symbolize kept.snap 2>err
ok "a file that is missing is named" grep -q "$work/prog: .*keep" err
is "$(tracebacks kept.snap)" "$expected" "and names that are there are kept"
cp series.snap kept.snap
snap-symbolize kept.snap 2>err
is "$(grep -c "keep their offsets" err)" 1 "a file is looked for once, not for each member of a series"

# Whatever the file of a module holds, the answer is names or none.
good=0
for n in $(seq 60); do
	python3 - saved prog "$n" <<'TEXT'
import random, sys
data = bytearray(open(sys.argv[1], "rb").read())
random.seed(int(sys.argv[3]))
for _ in range(random.choice([1, 20, 400])):
    data[random.randrange(64, len(data))] = random.randrange(256)
open(sys.argv[2], "wb").write(data[:len(data) if random.random() < .7 else random.randrange(len(data))])
TEXT
	limited 20 snap-symbolize -o hostile.snap raw.snap 2>/dev/null
	case $? in 0 | 1) snap-info --verify hostile.snap >/dev/null && good=$((good + 1)) ;; esac
done
is "$good" 60 "damaged files of modules do no harm"
status 2 "damaged snapshots are refused" snap-symbolize -o x.snap <(head -c 100 raw.snap)

# Names are kept as they are linked, and shown as they were written.
cat >names.cc <<'TEXT'
#include <cstdlib>
#include <vector>
namespace own {
template <class T> struct Pool {
	std::vector<void *> all;
	__attribute__((noinline)) void grow(T n) { all.push_back(malloc((size_t)n)); }
};
} // namespace own
int main(int argc, char **) { static own::Pool<long> pool; pool.grow(argc); return (int)pool.all.size() - 1; }
TEXT
ok "a program in C++ builds" ${CXX:-g++} -O1 -g -Wl,--build-id names.cc -o names
place=$(objdump -d names | sed -n '/<_ZN3own4PoolIlE4growEl>:$/,/^$/p' | sed -n 's/^ *\([0-9a-f]*\):.*call.*malloc.*/\1/p')
{ snapshot "$work/names" "$(build_id names)" $place && echo "properties: {references: conservative}"; } | snap-make -o names.snap -
snap-symbolize names.snap
is "$(snap-top -k function --format=tsv names.snap | tail -n +2 | cut -f4)" "own::Pool<long>::grow" "functions are demangled"
is "$(snap-top -k function --format=tsv -i 'function:own::Pool<*' names.snap | tail -n +2 | cut -f1)" 8 "patterns see what is shown"
status 0 "in snap-refs too" snap-refs names.snap 'site:own::Pool<long>::grow'
is "$(snap-dump names.snap | grep -c 'function: "*_ZN3own4PoolIlE4growEl')" 1 "the snapshot has the linkage name"
done_testing
