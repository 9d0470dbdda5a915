#!/usr/bin/env bash
# snap-record: the snapshot holds exactly what is live, and the program does not notice.
. "$(dirname "$0")/../lib.sh"
skip_sanitized
cd "$work" || exit 1
load=$BUILD/tests/helper/native_load

# The blocks of a snapshot as the program prints them.
blocks() {
	snap-dump "$1" | sed -n 's/^- {id: \(0x[0-9a-f]*\), size: \([0-9]*\).*/\1 \2/p; s/^- {id: \(0x[0-9a-f]*\), stack.*/\1 0/p' | sort
}

for threads in 1 4 16; do
	snap-record -o load.snap "$load" $threads 20000 5 >said 2>err
	is "$?/$(cat err)" 5/ "$threads threads: the status is the program's"
	status 0 "$threads threads: the snapshot is good" snap-info --verify load.snap
	is "$(snap-info load.snap | sed -n 's/^state *//p')" complete,exact "$threads threads: it is complete"
	blocks load.snap >seen
	is "$(sort said | comm -23 - seen | wc -l)" 0 "$threads threads: it has every block, with its size"
	# The C library's own: buffers of stdio, and a table for each thread whose stack is kept.
	ok "$threads threads: and no others" test "$(sort said | comm -13 - seen | wc -l)" -le $((threads + 2))
done
is "$(snap-info --properties load.snap | grep -c '^lost_')" 0 "nothing was lost"
ok "threads are told apart" test "$(snap-top -k thread -n 0 --format=tsv load.snap | grep -c native_load)" -gt 2

# Stacks are those that the program has: found by the names of the functions in the program.
cat >stacks.c <<'TEXT'
#include <alloca.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#define OWN __attribute__((noinline, noclone))
void *kept[16];
static int at;
OWN void take(size_t size) { kept[at++] = malloc(size); __asm__ volatile("" ::: "memory"); }
OWN void plain(size_t size) { take(size); __asm__ volatile("" ::: "memory"); }
OWN void variable(size_t size) { char *a = alloca(size); memset(a, 1, size); plain(size); __asm__ volatile("" ::"r"(a) : "memory"); }
OWN void aligned(size_t size) { _Alignas(64) char a[64]; __asm__ volatile("" ::"r"(a) : "memory"); variable(size); __asm__ volatile("" ::"r"(a) : "memory"); }
OWN void recursive(int depth) { if (depth == 0) aligned(1005); else recursive(depth - 1); __asm__ volatile("" ::: "memory"); }
static size_t handled = 1006;
OWN void handler(int number) { (void)number; plain(handled); __asm__ volatile("" ::: "memory"); }
OWN void signalled(void) { raise(SIGUSR1); __asm__ volatile("" ::: "memory"); }
OWN void *thread(void *unused) { plain(1007); __asm__ volatile("" ::: "memory"); return unused; }
int main(void)
{
	pthread_t t;
	plain(1002);
	variable(1003);
	aligned(1004);
	recursive(200);
	signal(SIGUSR1, handler);
	signalled();
	stack_t other = {.ss_sp = malloc(1 << 16), .ss_size = 1 << 16};
	struct sigaction act = {.sa_handler = handler, .sa_flags = SA_ONSTACK};
	sigaltstack(&other, NULL);
	sigaction(SIGUSR1, &act, NULL);
	handled = 1008;
	signalled();
	pthread_create(&t, NULL, thread, NULL);
	pthread_join(t, NULL);
	for (int i = 0; i < 3; i++)
		plain(1010);
	return 0;
}
TEXT
# Functions of the program on the stack of the block of a size, innermost first.
cat >functions.py <<'PYTHON'
import re, subprocess, sys
program, snapshot, size = sys.argv[1:4]
text = subprocess.run(["snap-dump", snapshot], capture_output=True, text=True, check=True).stdout
tables, table = {}, None
for line in text.split("\n"):
    if re.match(r"^\w+:", line):
        table = tables.setdefault(line.split(":")[0], {})
    row = re.match(r"^  (\d+): \{(.*)\}$", line)
    if row:
        table[int(row[1])] = dict(p.split(": ", 1) for p in re.findall(r"\w+: (?:\"[^\"]*\"|\[[^\]]*\]|[^,]+)", row[2]))
symbols = []
for line in subprocess.run(["nm", "-n", program], capture_output=True, text=True, check=True).stdout.split("\n"):
    part = line.split()
    if len(part) == 3 and part[1] in "tT":
        symbols.append((int(part[0], 16), part[2]))
stack = re.search(r"size: %s, .*?stack: (\d+)" % size, text)
names, at, cut = [], int(stack[1]), False
while at:
    row = tables["stacks"][at]
    frame = tables["frames"][int(row["frame"])]
    module = tables["modules"][int(frame["module"])] if "module" in frame else {"path": "?"}
    if module["path"].strip('"').endswith("/" + program):
        offset = int(frame.get("offset", "0"), 0)
        names.append([name for start, name in symbols if start <= offset][-1])
    cut = cut or "flags" in row
    at = int(row.get("parent", "0"))
print(" ".join(names) + (" cut" if cut else ""))
PYTHON
for flags in "-O2 -fomit-frame-pointer" "-O2 -fno-omit-frame-pointer" "-O0"; do
	${CC:-cc} $flags -g stacks.c -o stacks -lpthread
	status 0 "$flags: records" snap-record --no-symbols -o stacks.snap ./stacks
	functions() { python3 functions.py stacks stacks.snap "$1"; }
	is "$(functions 1002)" "take plain main _start" "$flags: a plain stack"
	is "$(functions 1003)" "take plain variable main _start" "$flags: through a function with alloca()"
	is "$(functions 1004)" "take plain variable aligned main _start" "$flags: through one that aligns its stack"
	is "$(functions 1005)" "take plain variable aligned $(printf 'recursive %.0s' {0..200})main _start" "$flags: through recursion"
	is "$(functions 1006)" "take plain handler signalled main _start" "$flags: through a signal handler"
	is "$(functions 1008)" "take plain handler signalled main _start" "$flags: through one on a stack of its own"
	is "$(functions 1007)" "take plain thread" "$flags: of a thread"
	is "$(functions 1010)" "take plain main _start" "$flags: and again"
	snap-record --no-symbols --depth=4 -o shallow.snap ./stacks
	is "$(python3 functions.py stacks shallow.snap 1004)" "take plain variable aligned cut" "$flags: no deeper than --depth"
done

snap-record -o named.snap ./stacks
is "$(snap-top -k function -n 0 --format=tsv named.snap | grep -cE '	(take|malloc)')" 1 "frames have names in the end"
snap-record --growth=1 -o series.snap ./stacks
is "$(snap-info --members --format=tsv series.snap | wc -l)" "$(snap-info --verify --format=tsv series.snap | grep -c good | awk '{ print $1 + 1 }')" "each member of a series"

# Nothing that the program can see changes, but for its environment.
cat >bare.sh <<'TEXT'
echo out; echo err >&2
ls /proc/self/fd | wc -l
trap 'echo trapped' USR1; kill -USR1 $$
sh -c 'exit 3'; echo $?
sh -c 'kill -TERM $$'; echo $?
grep -E 'Sig(Blk|Ign|Cgt)' /proc/self/status
TEXT
bash bare.sh >plain.out 2>plain.err </dev/null
snap-record -o bare.snap bash bare.sh >with.out 2>with.err </dev/null
is "$(diff plain.out with.out)" "" "the same output"
is "$(diff <(sed 's/[0-9]* Terminated/Terminated/' plain.err) <(sed 's/[0-9]* Terminated/Terminated/' with.err))" "" "the same messages"
status 2 "a command that is not there is trouble" snap-record no-such-command
(snap-record -o killed.snap sh -c 'kill -KILL $$'; exit $?) 2>err
is "$?" 137 "killed as the program was"
is "$(grep -c '^snap-record: no snapshot was taken' err)" 1 "and it is said that there is no snapshot"
echo 'int main(void) { return 0; }' >refused.c
${CC:-cc} -static refused.c -o static
${CC:-cc} -fsanitize=address refused.c -o sanitized
refused() { snap-record -o refused.snap "$@" 2>&1 | tail -1 | cut -d: -f3; }
is "$(refused ./static)" " the program is statically linked, so that nothing can be preloaded" "a static program is told"
is "$(PATH=$PWD:$PATH refused static)" "$(refused ./static)" "also where it is in PATH"
is "$(refused ./sanitized)" " the program has a sanitizer, which brings an allocator of its own" "and one with a sanitizer"
status 2 "a snapshot cannot go to standard output" snap-record -o - true
snap-record -o /nowhere/x.snap true 2>err
is "$?" 2 "a snapshot that cannot be written is trouble"
ok "and it is said" grep -q '^snap-record: /nowhere/x.snap: ' err
(exec <&- >&- 2>&-; snap-record -o closed.snap sh -c ':')
status 0 "a program without descriptors" snap-info closed.snap

# Children, where the name tells them apart, and only then.
mkdir children one; (cd children && snap-record -o '%e.%p.snap' bash -c 'sh -c :; (exec true); exit 0')
is "$(cd children && ls | sed 's/\.[0-9]*\.snap$//' | sort -u | tr '\n' ' ')" "bash dash true " "children have their own"
(cd one && snap-record -o one.snap bash -c 'sh -c :; (exec true); exit 0')
is "$(ls one)" one.snap "unless the name has no %p"

# A program that goes on in the background, as servers do, and lets everybody write what it makes.
cat >daemon.c <<'TEXT'
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>
int main(void)
{
	umask(0);
	return malloc(10) && fork() == 0 ? getchar() != EOF : 0;
}
TEXT
${CC:-cc} -O1 daemon.c -o daemon
mkfifo in
exec 4<>in
snap-record -o left.snap ./daemon <in 2>err 4>&-
is "$?/$(grep -c "1 of the program's processes still run, .* not recorded, unless" err)" 0/1 "a process that is left behind is told"
mkdir left
snap-record -o left/%p.snap ./daemon <in 2>err 4>&-
is "$(grep -c "1 of the program's processes still run, .* writes its snapshot when it ends" err)" 1 "where it is recorded, too"
exec 4>&-
await eval '[ "$(ls left/*.snap | wc -l)" = 2 ]'
left=(left/*)
ok "and writes its snapshot" eval 'snap-info "${left[0]}" && snap-info "${left[1]}"'
is "$(stat -c %a left/* | sort -u)" 644 "which is nobody else's to write"
is "$(basename "$(property one/one.snap program)")" bash "it is that of the first program"

# A sample of about 12,600: the standard deviation of the estimate is 0.9 %.
cat >many.c <<'TEXT'
#include <stdlib.h>
void *kept[400000];
int main(void)
{
	for (int i = 0; i < 400000; i++)
		kept[i] = malloc(16 + (size_t)i % 1000);
	return 0;
}
TEXT
${CC:-cc} -O1 many.c -o many
snap-record --sample=16KiB -o sampled.snap ./many
is "$(snap-info sampled.snap | sed -n 's/^state *//p')" "complete,sampled" "a sample says so"
is "$(snap-info sampled.snap | grep -c '^sampling interval *16.0 KiB$')" 1 "with its interval"
snap-dump sampled.snap | sed -n 's/^- {id: 0x[0-9a-f]*, size: \([0-9]*\).*/\1/p' >sizes
is "$(awk '{ all += $1 / (1 - exp(-$1 / 16384)) } END { true_ = 400000 * 515.5; print (all > true_ * 0.9 && all < true_ * 1.1) ? "near" : all }' sizes)" \
	near "and its estimate is right"

# A program whose own malloc is called, also by libraries.
cat >brings.c <<'TEXT'
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
static char memory[1 << 20];
static size_t used;
void *malloc(size_t size)
{
	size_t at = used;
	used += (size + 31) & ~(size_t)15;
	memcpy(memory + at, &size, sizeof size);
	return memory + at + 16;
}
void free(void *block) { (void)block; }
void *calloc(size_t count, size_t size) { return memset(malloc(count * size), 0, count * size); }
void *realloc(void *old, size_t size) { return old ? memcpy(malloc(size), old, size < ((size_t *)old)[-2] ? size : ((size_t *)old)[-2]) : malloc(size); }
int main(void) { return puts(strdup("as before")) < 0 ? 1 : 6; }
TEXT
${CC:-cc} -O1 -fno-builtin brings.c -o brings
is "$(snap-record -o brings.snap ./brings 2>brings.err; echo "$?")" "as before
6" "a program with an allocator inside: prints and ends as before"
ok "it is said" grep -q 'brings malloc itself' brings.err
is "$(snap-info brings.snap | sed -n 's/^state *//p')" partial,exact "and the snapshot says so"

# What is loaded with RTLD_DEEPBIND frees past the recorder.
printf '#include <stdlib.h>\nvoid drop(void *block) { free(block); }\n' >deep.c
cat >deep_main.c <<'TEXT'
#include <dlfcn.h>
#include <stdlib.h>
#include <string.h>
int main(void)
{
	void *library = dlopen("./deep.so", RTLD_NOW | RTLD_DEEPBIND), *found = library ? dlsym(library, "drop") : NULL;
	void (*drop)(void *);
	if (!found)
		return 1;
	memcpy(&drop, &found, sizeof drop);
	void *volatile block = malloc(777);
	drop(block);
	block = malloc(777);
	return 5;
}
TEXT
${CC:-cc} -O1 -fno-builtin -shared -fPIC deep.c -o deep.so && ${CC:-cc} -O1 -fno-builtin -D_GNU_SOURCE deep_main.c -o deep -ldl
is "$(snap-record -o deep.snap ./deep 2>deep.err; echo $?)" 5 "a library frees past the recorder: the status is the program's"
ok "it is said" grep -q 'deep.snap: some blocks were freed unseen' deep.err
is "$(snap-info --properties deep.snap | awk '$1 == "lost_frees" { print $2 }')" 1 "and the snapshot says of how many"
done_testing
