/* The tracker in a process that runs already: snap-record
 * has loaded it, or finds it there, and waits. */
#include <errno.h>
#include <pthread.h>
#include <stdint.h>
#include <string.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "snap_attach.h"
#include "track.h"

#define EXPORTED   __attribute__((visibility("default")))
#define STACK_SIZE ((size_t)1 << 18)
#define TRIES      400 /* of 50 ms */
/* a slot that the loader fills in at the same moment is not ours: it is looked at again */
#define AGAIN_MS 20

EXPORTED struct snap_attach snap_track_attach = {.size = sizeof(struct snap_attach)};

static bool fail(const char *message)
{
	strncpy(snap_track_attach.message, message, sizeof snap_track_attach.message - 1);
	return false;
}

/* Of what was live when a recording ended, nobody knows what has become. */
static void forget_all(void)
{
	track_freed_within(8, UINTPTR_MAX - 8);
	atomic_store(&track_sums.peak_bytes, 0);
	atomic_store(&track_lost.blocks, 0);
	atomic_store(&track_lost.older_frees, 0);
	track_take_forked();
	track_triggers_forked();
}

static void read_settings(const struct snap_attach *a)
{
	struct track_settings *s = &track_settings;
	memcpy(s->output, a->output, sizeof s->output);
	s->output[sizeof s->output - 1] = '\0';
	s->sample_bytes = a->sample_bytes;
	s->growth_bytes = a->growth_bytes;
	s->interval_ns = a->interval_ns;
	s->depth = (size_t)a->depth;
	s->limit_percent = (unsigned)a->limit_percent;
	s->signal = a->signal;
	s->peak = a->peak;
	s->references = a->references;
	s->mapped = a->mapped;
	s->since_ns = track_now_ns();
}

static bool start(void)
{
	if (atomic_load(&track_on))
		return fail("it is recorded already");
	track_attached = true;
	forget_all();
	read_settings(&snap_track_attach);
	track_find_next();
	track_begin();
	if (!track_patch()) {
		atomic_store(&track_on, false);
		snap_track_attach.is_recording = 0;
		return fail("its modules cannot be found");
	}
	struct timespec pause = {0, AGAIN_MS * 1000000};
	nanosleep(&pause, NULL);
	track_patch();
	return true;
}

static bool take(enum track_reason reason)
{
	if (!atomic_load(&track_on))
		return fail("it is not recorded");
	memcpy(snap_track_attach.output, track_output, sizeof snap_track_attach.output);
	for (unsigned i = 0; i < TRIES; i++) {
		struct timespec pause = {0, 50000000};
		if (track_take(reason))
			return true;
		if (track_take_failed())
			return fail("the process could not write the snapshot");
		nanosleep(&pause, NULL);
	}
	return fail("another snapshot is still being written");
}

static bool end(void)
{
	if (!track_attached)
		return fail("it was started by snap-record, which records to the end");
	bool done = take(TRACK_AT_DETACH);
	if (!atomic_load(&track_on))
		return false;
	track_unpatch();
	atomic_store(&track_on, false);
	snap_track_attach.is_recording = 0;
	track_signals_end();
	return done;
}

static bool grant(uint32_t wish)
{
	switch (wish) {
	case SNAP_ATTACH_START: return start();
	case SNAP_ATTACH_END: return end();
	default: return take(TRACK_FROM_OUTSIDE);
	}
}

static void set_state(enum snap_attach_state state)
{
	__atomic_store_n(&snap_track_attach.state, (uint32_t)state, __ATOMIC_RELEASE);
}

static void *work(void *unused)
{
	snap_track_attach.tid = (int32_t)syscall(SYS_gettid);
	bool done = grant(snap_track_attach.wish);
	set_state(done ? SNAP_ATTACH_DONE : SNAP_ATTACH_FAILED);
	return unused;
}

EXPORTED void snap_track_attach_begin(void)
{
	pthread_t thread;
	pthread_attr_t attributes;
	snap_track_attach.message[0] = '\0';
	set_state(SNAP_ATTACH_BEGUN);
	pthread_attr_init(&attributes);
	pthread_attr_setdetachstate(&attributes, PTHREAD_CREATE_DETACHED);
	pthread_attr_setstacksize(&attributes, STACK_SIZE);
	/* All signals are blocked here, and so in the new thread. */
	if (pthread_create(&thread, &attributes, work, NULL) != 0) {
		fail("it cannot have another thread");
		set_state(SNAP_ATTACH_FAILED);
	}
	pthread_attr_destroy(&attributes);
}
