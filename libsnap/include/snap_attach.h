/* snap_attach: what snap-record and the objects that
 * it loads into a running process say to each other.
 *
 * An object has one variable of this type and one function without arguments,
 * snap_OBJECT_attach and snap_OBJECT_attach_begin, where OBJECT is python or track.
 * snap-record writes the variable from outside, has the function called on a thread
 * of the process, and reads the variable until it is done.  The function only starts
 * a thread, which does the work; so it may be called wherever pthread_create() may.
 *
 * Both sides come from one build: nothing here is
 * kept compatible, and size tells whether they do. */
#ifndef SNAP_ATTACH_H
#define SNAP_ATTACH_H

#include <stdint.h>

#define SNAP_ATTACH_PATH    4096
#define SNAP_ATTACH_MESSAGE 512

/* Of the tracker; the extension for CPython only takes. */
enum snap_attach_wish {
	SNAP_ATTACH_TAKE = 0,  /* a snapshot, and wait until it is written */
	SNAP_ATTACH_START = 1, /* to record */
	SNAP_ATTACH_END = 2,   /* the same as TAKE, and record no more */
};

enum snap_attach_state {
	SNAP_ATTACH_IDLE = 0,
	SNAP_ATTACH_BEGUN = 1,   /* the thread runs, or is about to */
	SNAP_ATTACH_DONE = 2,
	SNAP_ATTACH_FAILED = 3,  /* message says why */
};

struct snap_attach {
	uint32_t size;                     /* of this; set by the object */
	uint32_t state;                    /* enum snap_attach_state; stored and read at once */
	/* snap-record does not wait any more: what has not begun is not to be done */
	uint32_t cancelled;
	int32_t tid;                       /* of the thread that does the work */
	/* the object's own, as dlopen() gave it; 0: it must stay */
	uint64_t handle;
	uint32_t wish;                     /* enum snap_attach_wish */
	uint32_t is_recording;             /* said by the tracker */
	/* For START; as snap-record's options. */
	uint64_t sample_bytes, growth_bytes, interval_ns, depth, limit_percent;
	int32_t signal;
	uint8_t peak, references, mapped, spare;
	char message[SNAP_ATTACH_MESSAGE]; /* one line; of DONE: how it was not done at first, or none */
	/* absolute, as the process sees it; of START a pattern, of
	 * END and TAKE of the tracker what START had, to be read */
	char output[SNAP_ATTACH_PATH];
};

#endif
