/* For snap-record's tracker, where it is in the process: which Python lines call
 * malloc.  It asks in any thread, mostly without the interpreter's lock; but a
 * thread's own frames change only by itself, and keep their code alive. */
#include <pthread.h>

#include "py_activation.h"
#include "py_tracer.h"
#include "snap_track.h"

#define LEVELS 256

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
/* the process's, as the tracker is */
static struct py_stacks stacks = {.for_tracker = true, .lock = &lock};

static void before_fork(void)
{
	pthread_mutex_lock(&lock);
}

static void after_fork(void)
{
	pthread_mutex_unlock(&lock);
}

/* For the tracker: allocates nothing. */
static uint32_t line_here(void)
{
	const PyThreadState *thread = py_is_ending() ? NULL : PyGILState_GetThisThreadState();
	if (!thread || thread->interp != stacks.interpreter)
		return 0;
	pthread_mutex_lock(&lock);
	uint32_t node = py_stacks_here(&stacks, thread);
	uint32_t line = node >= PY_STACK_FIRST ? py_stacks_node(&stacks, node)->line : 0;
	pthread_mutex_unlock(&lock);
	return line;
}

void py_track_begin(void)
{
	if (!snap_tracker_interpreter || stacks.limit || !py_layouts_hold())
		return;
	if (pthread_atfork(before_fork, after_fork, after_fork) != 0 ||
	    !py_stacks_init(&stacks, LEVELS)) {
		py_stacks_free(&stacks);
		return;
	}
	snap_track_interpreter((const void *)(uintptr_t)&PyEval_EvalCode, line_here);
}
