#!/usr/bin/env bash
# snap-record --references: who holds a block, and which blocks nobody holds, as LeakSanitizer sees it.
. "$(dirname "$0")/../lib.sh"
skip_sanitized
cd "$work" || exit 1

# Address and size of each block.
blocks() {
	snap-dump "$1" | sed -n 's/^- {id: \(0x[0-9a-f]*\), size: \([0-9]*\).*/\1 \2/p'
}
address_of() { blocks "$1" | awk -v size="$2" '$2 == size { print $1 }' | tail -1; }
# Sizes of the blocks that no root reaches.
leaked() {
	blocks "$1" | while read -r address size; do
		snap-refs --brief --format=tsv "$1" "$address" | grep -q '	unreached	' && echo "$size"
	done | sort -n | tr '\n' ' '
}
# The path to the block of a size: kind and label of each step.
path_to() {
	snap-refs --brief --format=tsv "$1" "$(address_of "$1" "$2")" |
		awk -F '\t' 'NR == 1 { for (i = 1; i <= NF; i++) at[$i] = i }
			$at["section"] == "path" { printf "%s %s x%s; ", $at["kind"], $at["label"], $at["repeats"] }'
}

cat >leaks.c <<'TEXT'
#include <pthread.h>
#include <semaphore.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "asleep.h"
#define OWN __attribute__((noinline, noclone))
struct node { struct node *next, *other; };
struct node *global;                /* holds 2001 -> 2002 -> 2003 */
char *interior;                     /* holds 2004 by its middle */
__thread void *of_thread;           /* holds 2005, 2008 */
static pthread_key_t key, late_keys[40];
static sem_t ready, never;
OWN void *take(size_t size, void *next)
{
	struct node *node = malloc(size);
	memset(node, 0, size);
	node->next = next;
	return node;
}
OWN void leak(void)
{
	take(1001, NULL);                                  /* direct */
	take(1003, take(1002, NULL));                      /* 1002 indirect */
	struct node *a = take(1004, NULL), *b = take(1005, a); /* a cycle */
	a->next = b;
	struct node *self = take(1006, NULL);              /* of one */
	self->next = self;
	free(take(3000, take(1007, NULL)));                /* only from a freed block */
	void *odd = take(1008, NULL);                      /* not aligned */
	memcpy((char *)take(1009, NULL) + 17, &odd, sizeof odd);
	a = take(24, NULL);                                /* ends where free memory begins */
	free(take(4000, NULL));
}
OWN void hold(void)
{
	global = take(2001, take(2002, take(2003, NULL)));
	interior = (char *)take(2004, NULL) + 1000;
	of_thread = take(2005, NULL);
	pthread_setspecific(key, take(2006, NULL));
	pthread_setspecific(late_keys[39], take(2007, NULL));
}
OWN void *thread(void *held)
{
	of_thread = take(2008, NULL);
	pthread_setspecific(key, take(2009, NULL));
	pthread_setspecific(late_keys[39], take(2010, NULL));
	void *volatile local[] = {take(2011, NULL), held};
	sem_post(&ready);
	sem_wait(&never);
	return local[0];
}
OWN void clear(void)
{
	volatile char below[65536];
	memset((char *)below, 0, sizeof below);
}
OWN static void *brief(void *unused) { take(1010, NULL); return unused; }
int main(void)
{
	pthread_t t, u;
	pthread_key_create(&key, NULL);
	for (int i = 0; i < 40; i++)
		pthread_key_create(&late_keys[i], NULL);
	sem_init(&ready, 0, 0);
	sem_init(&never, 0, 0);
	pthread_create(&t, NULL, thread, take(2012, NULL));
	sem_wait(&ready);
	pthread_create(&u, NULL, brief, NULL);
	pthread_join(u, NULL);
	leak();
	hold();
	clear();
	asleep_await(1);
	return 0;
}
TEXT
# Some kernels place more at random than the judge bears; some containers forbid to do without.
steady=
setarch -R true 2>/dev/null && steady="setarch -R"
leaks="24 1001 1002 1003 1004 1005 1006 1007 1008 1009 1010 "
for flags in -O0 -O2; do
	${CC:-cc} $flags -g -I"$top/tests" leaks.c -o leaks -lpthread
	status 0 "$flags: records" snap-record --references -o leaks.snap ./leaks
	is "$(leaked leaks.snap)" "$leaks" "$flags: leaks are found, and nothing else"
	is "$(snap-refs --unreachable --format=tsv leaks.snap | awk -F '\t' '$10 == "garbage" { print $3, $6 }')" "11 10079" \
		"$flags: all of them, in sum"
	if ${CC:-cc} $flags -g -fno-omit-frame-pointer -fsanitize=leak -I"$top/tests" leaks.c -o judged -lpthread 2>/dev/null; then
		LSAN_OPTIONS=report_objects=1 $steady ./judged 2>&1 | sed -n 's/^0x[0-9a-f]* (\([0-9]*\) bytes).*/\1/p' | sort -n | tr '\n' ' ' >judged.out
		is "$(cat judged.out)" "$leaks" "$flags: LeakSanitizer finds the same"
	fi
done
status 0 "the snapshot is good" snap-info --verify leaks.snap
is "$(path_to leaks.snap 2003)" "global global x1; field +0x0 x1; element [0] x2; " "a path from a variable, with its name"
is "$(path_to leaks.snap 2004)" "global interior x1; field +0x0 x1; " "an interior pointer"
is "$(path_to leaks.snap 2005)" "tls of_thread x1; field +0x0 x1; " "a thread-local variable, with its name"
is "$(path_to leaks.snap 2008)" "tls of_thread x1; field +0x0 x1; " "one of another thread"
is "$(snap-dump leaks.snap | grep -c "element: 19, to: $(address_of leaks.snap 2007)}")" 1 "a table of pthread_setspecific() holds a value"
is "$(snap-refs --cycles --format=tsv leaks.snap | awk -F '\t' '$10 == "cycle" { print $3, $6, $11 }')" "2 2009 unreachable" "a cycle of garbage"
is "$(path_to leaks.snap 2011)" "stack thread x1; local  x1; " "a function's local variable holds a block"

status 0 "records without" snap-record -o without.snap ./leaks
is "$(snap-dump without.snap | grep -cE '^roots:|references')" 0 "and then there are no references"
status 2 "a sample has no references" snap-record --references --sample=64KiB -o x.snap ./leaks

# Paths through containers of C++, and an array, while the program runs on.
cat >held.cc <<'TEXT'
#include <list>
#include <map>
#include <unistd.h>
struct session { long filler[20]; session *other; };
std::map<int, session *> *sessions;
session **array;
std::list<session *> *names;
int main()
{
	sessions = new std::map<int, session *>;
	for (int i = 0; i < 100; i++)
		(*sessions)[i] = new session();
	array = new session *[1000]();
	array[700] = reinterpret_cast<session *>(new char[5555]);
	names = new std::list<session *>;
	for (int i = 0; i < 5000; i++)
		names->push_back(reinterpret_cast<session *>(new char[77]));
	for (int i = 0; i < 20000 && access("go.2", F_OK) != 0; i++) {
		char *volatile some = new char[200000];
		delete[] some;
		usleep(5000);
	}
	_exit(0);
}
TEXT
${CXX:-c++} -O1 -g held.cc -o held
series held.snap 2 snap-record --references --interval=0.1 -o held.snap ./held
at_least "$(members held.snap)" 3 "a series"
for member in 1 -1; do
	is "$(path_to "held.snap#$member" 168 | sed 's/^global sessions x1; \(field +0x[0-9a-f]* x[0-9]*; \)\{2,\}$/PATH/')" PATH \
		"member $member: a map holds an object through its nodes"
	is "$(path_to "held.snap#$member" 5555)" "global array x1; field +0x0 x1; element [700] x1; " "member $member: an array holds it by its index"
	is "$(snap-refs --unreachable --format=tsv "held.snap#$member" | awk -F '\t' '$10 == "garbage" { print $3 }')" 0 "member $member: there are no leaks"
done
ok "blocks of one make have one shape" test "$(snap-info --format=tsv held.snap | awk -F '\t' '$5 == "shapes" { print $3; exit }')" -lt 20
strip -o stripped held
snap-record --references -o stripped.snap ./stripped
is "$(path_to stripped.snap 5555 | sed 's/+0x[0-9a-f]*/+OFFSET/')" "global stripped+OFFSET x1; element [700] x1; " "without symbols: module and offset"

# Frames of functions: of the thread that takes the snapshot, and of others that sleep.
thread_of() { snap-refs --brief --format=tsv "$1" "$(address_of "$1" "$2")" | awk -F '\t' '$10 == "path" && $2 == 0 { print $NF }'; }
site_of() { snap-refs --brief --format=tsv "$1" "$(address_of "$1" "$2")" | awk -F '\t' '$10 == "path" && $2 == 0 { print $14 }'; }
cat >frames.c <<'TEXT'
#define _GNU_SOURCE
#include <pthread.h>
#include <semaphore.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "asleep.h"
#define OWN __attribute__((noinline, noclone))
static sem_t ready, never;
static volatile int go_on;
OWN void sleeper(void *given)
{
	void *volatile local[] = {malloc(1101), given};
	sem_post(&ready);
	sem_wait(&never);
	*local = NULL;
}
OWN static void *thread(void *unused)
{
	void *volatile local = malloc(1102);
	sleeper(malloc(1103));
	return local ? unused : NULL;
}
OWN static void *runner(void *unused)
{
	void *volatile local = malloc(1104);
	sem_post(&ready);
	while (!go_on)
		continue;
	return local ? unused : NULL;
}
/* Leaves pointers where its stack was, and sleeps above. */
OWN static void lose(void)
{
	void *volatile local[100];
	for (int i = 0; i < 100; i++)
		local[i] = local[0];
	local[50] = malloc(1105);
}
OWN static void *loser(void *unused)
{
	lose();
	sem_post(&ready);
	sem_wait(&never);
	return unused;
}
/* What it holds is in a register, which the next function stores. */
OWN void stores(void)
{
	register void *own __asm__("rbx");
	__asm__ volatile("" : "=r"(own) : "0"(malloc(1107)) : "memory");
	raise(SIGUSR2);
	__asm__ volatile("" : : "r"(own));
}
OWN void keeps(void)
{
	register void *own __asm__("rbx");
	__asm__ volatile("" : "=r"(own) : "0"(malloc(1106)) : "memory");
	stores();
	__asm__ volatile("" : : "r"(own));
}
OWN static void clear(void) { volatile char below[65536]; memset((char *)below, 0, sizeof below); }
static void start(void *(*function)(void *), const char *name, int asleep)
{
	pthread_t t;
	pthread_create(&t, NULL, function, NULL);
	pthread_setname_np(t, name);
	sem_wait(&ready);
	asleep_await(asleep);
}
int main(void)
{
	void *volatile local = malloc(1108);
	start(thread, "sleeps", 1);
	start(runner, "runs", 1);
	start(loser, "loses", 2);
	clear();
	keeps();
	return local == NULL;
}
TEXT
if [ "$(uname -m)" = x86_64 ]; then
	for flags in -O0 -O2 "-O2 -fno-omit-frame-pointer"; do
		${CC:-cc} $flags -g -I"$top/tests" frames.c -o frames -pthread
		rm -f frames.snap
		snap-record --references --signal=USR2 -o frames.snap ./frames
		for block in 1101:sleeper 1102:thread 1103:sleeper 1106:keeps 1107:stores 1108:main; do
			is "$(path_to "frames.snap#1" "${block%:*}")" "stack ${block#*:} x1; local  x1; " "$flags: a variable of ${block#*:} holds a block"
		done
		is "$(path_to "frames.snap#1" 1104)" "stack stack x1; local  x1; " "$flags: where a thread runs is not known"
		is "$(leaked "frames.snap#1")" "1105 " "$flags: what is not in use of a stack holds nothing"
		line=$(grep -n 'sem_wait(&never);' frames.c | sed -n '1s/:.*//p')
		is "$(site_of "frames.snap#1" 1101)" "$work/frames.c:$line sleeper" "$flags: the line that is run"
		is "$(snap-top -k thread --format=tsv "frames.snap#1" | awk -F '\t' '$5 == "sleeps" { print $4 }')" "$(thread_of "frames.snap#1" 1101)" \
			"$flags: and the thread"
	done
	is "$(snap-top -k root --format=tsv "frames.snap#1" | awk -F '\t' '$5 == "sleeper" { print $2 }') $(snap-top -k dominator --format=tsv "frames.snap#1" | awk -F '\t' '$8 == "sleeper" { print $6, $7 }')" \
		"2 place frame" "functions are roots, and owners"
	strip -o bare frames
	snap-record --references --signal=USR2 -o bare.snap ./bare
	is "$(path_to "bare.snap#1" 1102 | sed 's/+0x[0-9a-f]*/+OFFSET/')" "stack bare+OFFSET x1; local  x1; " "without symbols: module and offset"
	# Where rules end, no function is guessed.
	printf 'void sleeper(void *);\nvoid *malloc(unsigned long);\nvoid blind(void) { void *volatile local = malloc(1109); sleeper(malloc(1110)); local = 0; }\n' >blind.c
	${CC:-cc} -O2 -fno-asynchronous-unwind-tables -fno-unwind-tables -c blind.c
	sed 's/^\tsleeper(malloc(1103));/\tvoid blind(void);\n\tblind();/' frames.c >seen.c
	${CC:-cc} -O2 -g -I"$top/tests" seen.c blind.o -o seen -pthread
	snap-record --references --signal=USR2 -o seen.snap ./seen
	for block in 1110:sleeper 1109:stack 1102:stack; do
		is "$(path_to "seen.snap#1" "${block%:*}")" "stack ${block#*:} x1; local  x1; " "around code without rules: ${block#*:}"
	done
fi

# Threads that wait, and have their block in a register alone.
cat >registers.c <<'TEXT'
#define _GNU_SOURCE
#include <errno.h>
#include <linux/futex.h>
#include <poll.h>
#include <pthread.h>
#include <semaphore.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/select.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>
#include "asleep.h"
#define OWN __attribute__((noinline, noclone))
static sem_t never;
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER, own_lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t condition = PTHREAD_COND_INITIALIZER;
static int pipes[2], word;
static volatile int spins;
static pthread_t waiting;
OWN static void in_condition(void) { pthread_mutex_lock(&own_lock); pthread_cond_wait(&condition, &own_lock); }
OWN static void wait_in(int way)
{
	struct epoll_event event;
	struct pollfd file = {pipes[0], POLLIN, 0};
	struct timespec long_time = {1000, 0};
	fd_set files;
	sigset_t signals;
	FD_ZERO(&files);
	FD_SET(pipes[0], &files);
	sigemptyset(&signals);
	sigaddset(&signals, SIGUSR1);
	char byte;
	switch (way) {
	case 0: sem_wait(&never); break;
	case 1: in_condition(); break;
	case 2: pthread_mutex_lock(&lock); break;
	case 3: pthread_join(waiting, NULL); break;
	case 4: syscall(SYS_futex, &word, FUTEX_WAIT, 0, NULL, NULL, 0); break;
	case 5: epoll_wait(epoll_create1(0), &event, 1, -1); break;
	case 6: poll(&file, 1, -1); break;
	case 7: select(pipes[0] + 1, &files, NULL, NULL, NULL); break;
	case 8: if (read(pipes[0], &byte, 1) < 0) return; break;
	case 9: nanosleep(&long_time, NULL); break;
	case 10: sigwait(&signals, &way); break;
	case 11: pause(); break;
	default: spins = 1; for (;;) continue;
	}
}
/* Nothing else holds a block, not even a word in which it was returned. */
OWN static void clear(void)
{
	char below[65536];
	memset(below, 0, sizeof below);
	__asm__ volatile("" : : "r"(below) : "memory");
}
OWN static void *holds(void *way)
{
#if defined(__x86_64__)
	register void *held __asm__(REGISTER);
	__asm__ volatile("" : "=r"(held) : "0"(malloc(1200 + (size_t)way)));
	clear();
	wait_in((int)(size_t)way);
	__asm__ volatile("" : : "r"(held));
#endif
	return NULL;
}
int main(int argc, char **argv)
{
	pthread_t t;
	int ways = argc > 1 ? atoi(argv[1]) : 0;
	sem_init(&never, 0, 0);
	if (pipe(pipes) != 0)
		return 1;
	pthread_mutex_lock(&lock);
	for (int i = 0; i < ways; i++) {
		pthread_create(&t, NULL, holds, (void *)(size_t)i);
		waiting = i == 0 ? t : waiting;
		asleep_await(i < 12 ? i + 1 : 12); /* one after the other, so that none waits for another's lock */
	}
	while (ways > 12 && !spins)
		continue;
	_exit(0);
}
TEXT
if [ "$(uname -m)" = x86_64 ]; then
	for register in rbx r12 r14 r15; do
		${CC:-cc} -O2 -fomit-frame-pointer -DREGISTER="\"$register\"" -I"$top/tests" registers.c -o registers -pthread
		snap-record --references -o registers.snap ./registers 12
		is "$(leaked registers.snap)" "" "what threads that wait have in $register is held"
		is "$(property registers.snap unseen_registers)" "" "$register: and all were seen"
	done
	is "$(path_to registers.snap 1205)" "stack holds x1; local  x1; " "by the function that put it there"
	env LD_PRELOAD="$BUILD/lib/libsnap-track.so" SNAP_TRACK_OUTPUT=without.snap SNAP_TRACK_REFERENCES=1 ./registers 12
	is "$(leaked without.snap | grep -cw 1211)/$(property without.snap unseen_registers)" 1/12 \
		"where calls are not led, a leak is reported that is none, and how many threads' registers are unknown"
	snap-record --references -o registers.snap ./registers 13
	is "$(property registers.snap unseen_registers)" 1 "those of a thread that runs are not seen"
fi
# What a program sees of its system calls does not change while snapshots are taken.
cat >undisturbed.c <<'TEXT'
#define _GNU_SOURCE
#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/ipc.h>
#include <sys/sem.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>
enum { SIZE = 1 << 20 };
static atomic_int done, errors, rounds, arguments;
static int pipes[2];
static void check(long result) { errors += result < 0; rounds++; }
static void *wait_in_epoll(void *unused)
{
	struct epoll_event event;
	for (int file = epoll_create1(0); !done;)
		check(epoll_wait(file, &event, 1, 20));
	return unused;
}
static void *wait_in_poll(void *unused) { while (!done) check(poll(NULL, 0, 20)); return unused; }
static void *wait_asleep(void *unused)
{
	struct timespec time = {0, 20000000}, left;
	while (!done)
		check(nanosleep(&time, &left));
	return unused;
}
static void *wait_for_semaphore(void *unused)
{
	int id = semget(IPC_PRIVATE, 1, 0600);
	struct sembuf take = {0, -1, 0};
	struct timespec time = {0, 20000000};
	while (!done)
		errors += semtimedop(id, &take, 1, &time) == 0 || errno != EAGAIN;
	semctl(id, 0, IPC_RMID);
	return unused;
}
/* A write that is interrupted has written less. */
static void *write_much(void *unused)
{
	char *bytes = calloc(1, SIZE);
	while (!done)
		errors += write(pipes[1], bytes, SIZE) != SIZE;
	free(bytes);
	close(pipes[1]);
	return unused;
}
static void *read_slowly(void *unused)
{
	char bytes[4096];
	for (int i = 0; read(pipes[0], bytes, sizeof bytes) > 0; i++)
		if (i % 64 == 0)
			usleep(1000);
	return unused;
}
int main(void)
{
	void *(*const ways[])(void *) = {wait_in_epoll, wait_in_poll, wait_asleep, wait_for_semaphore, write_much, read_slowly};
	pthread_t threads[6];
	/* Six arguments go through. */
	arguments = pipe(pipes) == 0 && syscall(SYS_pselect6, 0, NULL, NULL, NULL, &(struct timespec){0, 1000}, NULL) == 0;
	for (int i = 0; i < 6; i++)
		pthread_create(&threads[i], NULL, ways[i], NULL);
	for (int i = 0; i < 20000 && (rounds <= 10 || access("go.6", F_OK) != 0); i++) {
		void *volatile some = malloc(200000);
		free(some);
		usleep(5000);
	}
	done = 1;
	for (int i = 0; i < 6; i++)
		pthread_join(threads[i], NULL);
	printf("%d %d %d\n", arguments, errors, rounds > 10);
	return 0;
}
TEXT
${CC:-cc} -O1 undisturbed.c -o undisturbed -pthread
series undisturbed.snap 6 snap-record --references --interval=0.05 -o undisturbed.snap ./undisturbed >said
is "$(cat said)" "1 0 1" "no system call fails, or does less"
at_least "$(members undisturbed.snap)" 7 "while many snapshots are taken"

# Large variables are one, small ones have parts.
cat >parts.c <<'TEXT'
#include <stdlib.h>
char *large[1000];
struct { long n; char *part; } small;
static char *own;
int main(void)
{
	for (int i = 0; i < 1000; i++)
		large[i] = malloc(31);
	small.part = malloc(32);
	*(char *volatile *)&own = malloc(33);
	return own == NULL;
}
TEXT
${CC:-cc} -O1 -g parts.c -o parts
snap-record --references -o parts.snap ./parts
is "$(snap-dump parts.snap | grep -c 'kind: global, label: "large"')" 1 "an array is one variable"
is "$(snap-top -k dominator -n 0 --format=tsv parts.snap | awk '$NF == "large" { print $1, $2, $3, $5, $6 }')" "0 0 31000 place variable" \
	"which owns what it holds, and is no block"
is "$(snap-top -k size --format=tsv parts.snap | awk '{ n += $2 } END { print n }')" 1002 "variables are in no sum"
is "$(path_to parts.snap 32)$(path_to parts.snap 33)" "global small x1; field +0x8 x1; global own x1; field +0x0 x1; " \
	"a part of a variable, and a static one"

# Symbols that were stripped, where debuggers look for them.
id=$(${CC:-cc} -O1 -g -Wl,--build-id parts.c -o plain && readelf -n plain | sed -n 's/.*Build ID: //p')
if unshare -m true 2>/dev/null && mkdir -p debug/.build-id/"${id:0:2}" /usr/lib/debug 2>/dev/null && command -v objcopy >/dev/null; then
	objcopy --only-keep-debug plain debug/.build-id/"${id:0:2}/${id:2}.debug"
	strip plain
	unshare -m sh -c "mount --bind debug /usr/lib/debug && exec snap-record --references -o apart.snap ./plain"
	is "$(path_to apart.snap 32)$(path_to apart.snap 33)" "global small x1; field +0x8 x1; global own x1; field +0x0 x1; " "variables by a separate debug file"
	printf 'not an ELF file, but longer than a header of one is, and that is to be seen before anything else' >debug/.build-id/"${id:0:2}/${id:2}.debug"
	unshare -m sh -c "mount --bind debug /usr/lib/debug && exec snap-record --references -o apart.snap ./plain"
	is "$(path_to apart.snap 32 | sed 's/+0x[0-9a-f]*/+OFFSET/')" "global plain+OFFSET x1; " "and not by one that is none"
fi

# Thread-local variables of libraries.
cat >library.c <<'TEXT'
#include <stdlib.h>
__thread void *shown[2];
static __thread void *hidden;
void fill(int size) { shown[1] = malloc(size); hidden = malloc(size + 1); }
TEXT
cat >local.c <<'TEXT'
#include <unistd.h>
#include <pthread.h>
#include <semaphore.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "asleep.h"
void fill(int);
static sem_t ready, never;
__thread void *own;
static void *run(void *unused)
{
	fill(3000);
	own = malloc(3002);
	sem_post(&ready);
	sem_wait(&never);
	return unused;
}
__attribute__((noinline)) static void clear(void) { volatile char below[65536]; memset((char *)below, 0, sizeof below); }
int main(void)
{
	pthread_t thread;
	pthread_create(&thread, NULL, run, NULL);
	sem_wait(&ready);
	fill(2000);
	own = malloc(2002);
	clear();
	asleep_await(1);
	return 0;
}
TEXT
if [ "$(uname -m)" = x86_64 ]; then
	${CC:-cc} -g -shared -fPIC library.c -o liblocal.so
	${CC:-cc} -g -I"$top/tests" local.c -o local -L. -llocal -Wl,-rpath,"$PWD" -pthread
	snap-record --references -o local.snap ./local
	for block in 2000:shown:8 2001:hidden:0 2002:own:0 3000:shown:8 3001:hidden:0 3002:own:0; do
		IFS=: read -r size name offset <<<"$block"
		is "$(path_to local.snap "$size")" "tls $name x1; field +0x$offset x1; " "a thread-local variable holds $size"
	done
	strip liblocal.so
	snap-record --references -o local.snap ./local
	is "$(path_to local.snap 3001 | cut -d ';' -f 1)" "tls liblocal.so x1" "without symbols: the library's"
fi

# Leaks of one place are one line, named after who called operator new.
cat >lost.cc <<'TEXT'
struct session { long filler[20]; };
session *volatile last;
__attribute__((noinline)) void lose() { last = new session(); }
/* Functions at the end have frames with parts that they do not use: what was there before would hold a session. */
__attribute__((noinline)) static void clear() { volatile char below[65536]; for (auto &byte : below) byte = 0; }
int main()
{
	for (int i = 0; i < 100; i++)
		lose();
	last = nullptr;
	clear();
	return 0;
}
TEXT
${CXX:-c++} -O1 -g lost.cc -o lost
snap-record --references -o lost.snap ./lost
is "$(snap-refs --unreachable --format=tsv lost.snap | awk -F '\t' '$10 == "unreachable" { print $3, $6, $14 }')" \
	"100 16000 $work/lost.cc:3 lose" "leaks by site"
# What the loader holds, in memory that it gave to itself.
cat >loads.c <<'TEXT'
#include <dlfcn.h>
#include <stdlib.h>
int main(int argc, char **argv)
{
	for (int i = 1; i < argc; i++)
		if (!dlopen(argv[i], RTLD_NOW | RTLD_GLOBAL))
			return 1;
	return 0;
}
TEXT
${CC:-cc} -O1 -g loads.c -o loads -ldl
libraries=()
for i in {1..40}; do
	echo "int of_$i;" | ${CC:-cc} -shared -fPIC -x c - -o "lib$i.so"
	libraries+=("$work/lib$i.so")
done
status 0 "records a program that loads libraries" snap-record --references -o loads.snap ./loads "${libraries[@]}"
is "$(leaked loads.snap)" "" "what the loader holds is not lost"
# A stack that lies behind the recorder's own variables, in one mapping with them: what they hold holds nothing.
cat >beside.c <<'TEXT'
#define _GNU_SOURCE
#include <inttypes.h>
#include <pthread.h>
#include <semaphore.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#define OWN __attribute__((noinline, noclone))
enum { STACK = 1 << 16 };
static sem_t ready, never;
OWN void leak(void) { char *volatile block = malloc(1001); memset(block, 1, 1001); }
OWN void clear(void) { volatile char stack[4096]; memset((char *)stack, 0, sizeof stack); }
static void *wait(void *unused)
{
	clear();
	sem_post(&ready);
	sem_wait(&never);
	return unused;
}
/* Where the recorder's variables end. */
static void *behind(void)
{
	char line[4400];
	uintptr_t start, end, last = 0;
	FILE *maps = fopen("/proc/self/maps", "r");
	while (fgets(line, sizeof line, maps) && sscanf(line, "%" SCNxPTR "-%" SCNxPTR, &start, &end) == 2)
		if (strstr(line, "libsnap-track.so") || (start == last && !strchr(line, '/')))
			last = end;
	fclose(maps);
	return (void *)last;
}
int main(void)
{
	pthread_attr_t attributes;
	pthread_t thread;
	leak();
	clear();
	void *stack = mmap(behind(), STACK, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0);
	if (stack == MAP_FAILED)
		return 1;
	pthread_attr_init(&attributes);
	pthread_attr_setstack(&attributes, stack, STACK);
	pthread_create(&thread, &attributes, wait, NULL);
	sem_wait(&ready);
	return 0;
}
TEXT
${CC:-cc} -O1 -g beside.c -o beside -pthread
for ((i = 0; i < 50; i++)); do snap-record -q --references -o beside.snap ./beside && break; done
is "$?/$(leaked beside.snap)" "0/1001 " "what the recorder holds is no root"
done_testing
