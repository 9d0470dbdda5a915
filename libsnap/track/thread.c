/* Threads: the state of each that allocates, and a record of who it was. */
#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "track.h"

__thread struct track_thread *track_current __attribute__((tls_model("initial-exec")));
static __thread bool beginning __attribute__((tls_model("initial-exec")));

static struct track_thread *_Atomic all;
static struct track_thread_record records[TRACK_THREADS_MAX];
static _Atomic uint32_t record_count = 1; /* the first is the main thread */
static pthread_key_t key;
static bool have_key;

static pid_t thread_id(void)
{
	return (pid_t)syscall(SYS_gettid);
}

const struct track_thread_record *track_thread_record(uint32_t number)
{
	return &records[number];
}

uint32_t track_thread_count(void)
{
	uint32_t count = atomic_load_explicit(&record_count, memory_order_acquire);
	return count < TRACK_THREADS_MAX ? count : TRACK_THREADS_MAX;
}

static void note_name(const struct track_thread *self)
{
	if (self->number < TRACK_THREADS_MAX)
		prctl(PR_GET_NAME, records[self->number].name);
}

/* The thread ends; what it allocates after this takes a state anew. */
static void release(void *context)
{
	struct track_thread *self = context;
	note_name(self);
	atomic_fetch_add_explicit(&track_sums.bytes, self->bytes, memory_order_relaxed);
	self->bytes = 0;
	track_current = NULL;
	atomic_store_explicit(&self->tid, 0, memory_order_release);
}

/* A state that nobody has, or whose thread ended without a word. */
static struct track_thread *take_free(pid_t tid)
{
	for (struct track_thread *t = atomic_load_explicit(&all, memory_order_acquire); t;
	     t = t->next) {
		pid_t owner = atomic_load_explicit(&t->tid, memory_order_relaxed);
		int kept = errno;
		bool is_free = owner == 0 || owner == tid ||
			       (syscall(SYS_tgkill, getpid(), owner, 0) != 0 && errno == ESRCH);
		errno = kept;
		if (is_free && atomic_compare_exchange_strong(&t->tid, &owner, tid))
			return t;
	}
	return NULL;
}

static struct track_thread *make(pid_t tid)
{
	struct track_thread *new = track_map(sizeof *new);
	if (!new)
		return NULL;
	new->tid = tid;
	new->next = atomic_load_explicit(&all, memory_order_relaxed);
	while (!atomic_compare_exchange_weak_explicit(&all, &new->next, new, memory_order_release,
						      memory_order_relaxed))
		continue;
	return new;
}

static uint32_t new_record(pid_t tid)
{
	if (tid == getpid())
		return 0;
	uint32_t number = atomic_load_explicit(&record_count, memory_order_relaxed);
	do
		if (number >= TRACK_THREADS_MAX)
			return TRACK_THREADS_MAX;
	while (!atomic_compare_exchange_weak(&record_count, &number, number + 1));
	records[number].tid = tid;
	return number;
}

static void begin(struct track_thread *self, pid_t tid)
{
	self->number = new_record(tid);
	self->busy = false;
	self->epoch = 0;
	self->stack_low = self->stack_high = 0;
	self->random = (uint64_t)tid * 0x9e3779b97f4a7c15u ^ (uintptr_t)self;
	self->until_flush = track_blocks_between();
}

struct track_thread *track_thread_begin(void)
{
	if (beginning)
		return NULL;
	beginning = true;
	pid_t tid = thread_id();
	struct track_thread *self = take_free(tid);
	if (!self)
		self = make(tid);
	if (self) {
		begin(self, tid);
		track_current = self;
		self->busy = true;
		if (have_key)
			pthread_setspecific(key, self);
		self->busy = false;
	}
	beginning = false;
	return self;
}

void track_threads_init(void)
{
	have_key = pthread_key_create(&key, release) == 0;
	records[0].tid = getpid();
	prctl(PR_GET_NAME, records[0].name);
}

void track_threads_forked(void)
{
	for (struct track_thread *t = atomic_load_explicit(&all, memory_order_acquire); t;
	     t = t->next)
		if (t != track_current)
			atomic_store_explicit(&t->tid, 0, memory_order_relaxed);
	if (track_current)
		atomic_store_explicit(&track_current->tid, thread_id(), memory_order_relaxed);
	if (track_current && track_current->number < TRACK_THREADS_MAX)
		records[track_current->number].tid = thread_id();
}

/* The clock of a thread's time on a processor, as the system numbers it. */
static clockid_t clock_of(pid_t tid)
{
	return (clockid_t)((~(unsigned)tid << 3) | 6u);
}

void track_threads_note(void)
{
	pid_t own = thread_id();
	for (struct track_thread *t = atomic_load_explicit(&all, memory_order_acquire); t;
	     t = t->next) {
		pid_t tid = atomic_load_explicit(&t->tid, memory_order_relaxed);
		struct timespec ran = {0};
		if (tid != 0 && tid != own)
			syscall(SYS_clock_gettime, clock_of(tid), &ran);
		t->ran_ns = (uint64_t)ran.tv_sec * 1000000000u + (uint64_t)ran.tv_nsec;
	}
}

uint64_t track_thread_ran(pid_t tid)
{
	for (const struct track_thread *t = atomic_load_explicit(&all, memory_order_acquire); t;
	     t = t->next)
		if (atomic_load_explicit(&t->tid, memory_order_relaxed) == tid)
			return t->ran_ns;
	return 0;
}
