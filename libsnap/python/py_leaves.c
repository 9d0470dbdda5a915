/* Objects that refer to nothing: what is to be said of them is read beside the walk. */
#include "py_walk.h"

#if !PY_SINCE(3, 11)
#include <longintrepr.h>
#endif

#define POSTED_IDS 8192u
#define AHEAD      16u
#define SMALL_MAX  256u

/* The walk itself uses small integers for a moment, and counts that. */
static bool is_small(PyObject *object)
{
#if PY_SINCE(3, 12)
	(void)object;
	return false;
#else
	const Py_ssize_t size = Py_SIZE(object);
	return size == 0 ||
	       ((size == 1 || size == -1) && ((PyLongObject *)object)->ob_digit[0] <= SMALL_MAX);
#endif
}

static const struct py_leaf_kind *kind_of(const struct py_leaves *leaves, PyObject *object)
{
	for (size_t i = 0; i < PY_LEAF_KINDS; i++)
		if (Py_TYPE(object) == leaves->kinds[i].type)
			return &leaves->kinds[i];
	return NULL;
}

static PyObject *object_of(const struct snap_heap_object *row)
{
	return (PyObject *)(uintptr_t)row->id; /* NOLINT(performance-no-int-to-ptr) */
}

static bool describe(const struct py_leaves *leaves, struct snap_heap_object *row)
{
	PyObject *object = object_of(row);
	const struct py_leaf_kind *kind = kind_of(leaves, object);
	if (!kind || (kind->layout == PY_INTEGER && is_small(object)))
		return false;
	row->size = py_plain_size(leaves->integer_sizes, object, kind->layout);
	row->refcount = py_refcount(object);
	row->layout = kind->plain;
	return row->size != 0;
}

static void run(struct libsnap_job *posted)
{
	struct py_leaf_job *job = (struct py_leaf_job *)(void *)posted;
	for (uint32_t id = job->first; id <= job->last; id++) {
		if (job->last - id > AHEAD)
			__builtin_prefetch(object_of(&job->objects[id - 1 + AHEAD]));
		if (describe(job->leaves, &job->objects[id - 1]))
			job->marks[id - 1] = PY_VISITED | PY_LEAF;
	}
}

static struct py_leaf_job job_for(struct py_walk *w, uint32_t first, uint32_t last)
{
	return (struct py_leaf_job){.job.run = run,
				    .leaves = &w->leaves,
				    .objects = (struct snap_heap_object *)(void *)w->objects.bytes,
				    .marks = (uint8_t *)w->marks.bytes,
				    .first = first,
				    .last = last};
}

void py_leaves_describe(struct py_walk *w, uint32_t first, uint32_t end)
{
	struct py_leaf_job job = job_for(w, first, end - 1);
	if (first < end)
		run(&job.job);
}

void py_leaves_go_on(struct py_walk *w)
{
	w->leaves.posted = w->object_count;
	w->leaves.due = w->object_count + POSTED_IDS;
	w->object_stop = 0;
}

void py_leaves_begin(struct py_walk *w)
{
	struct py_leaves *leaves = &w->leaves;
	static PyTypeObject *const types[PY_LEAF_KINDS] = {&PyUnicode_Type, &PyLong_Type,
							   &PyFloat_Type, &PyBytes_Type};
	for (size_t i = 0; i < PY_LEAF_KINDS && py_going(w); i++) {
		struct py_type *type = py_type_at(w, types[i]);
		if (type)
			leaves->kinds[i] = (struct py_leaf_kind){types[i], type->layout,
								 py_plain_layout(w, type)};
	}
	leaves->integer_sizes = w->integer_sizes;
	py_leaves_go_on(w);
	/* Stacks and contents are the writer's, which is not for two threads. */
	if (w->options->traces || w->options->hashes)
		leaves->due = UINT32_MAX;
}

static void post(struct py_walk *w, struct py_leaf_job *job)
{
	struct py_leaves *leaves = &w->leaves;
	libsnap_worker_wait(&w->worker, &job->job);
	*job = job_for(w, leaves->posted + 1, w->object_count);
	leaves->posted = w->object_count;
	leaves->next = (leaves->next + 1) % PY_LEAF_JOBS;
	libsnap_worker_post(&w->worker, &job->job);
}

void py_leaves_post(struct py_walk *w)
{
	struct py_leaves *leaves = &w->leaves;
	if (libsnap_worker_pending(&w->worker) < PY_LEAF_JOBS)
		post(w, &leaves->jobs[leaves->next]);
	leaves->due = w->object_count + POSTED_IDS;
}

void py_leaves_wait(struct py_walk *w)
{
	for (size_t i = 0; i < PY_LEAF_JOBS; i++)
		libsnap_worker_wait(&w->worker, &w->leaves.jobs[i].job);
}

void py_leaves_end_round(struct py_walk *w)
{
	if (w->leaves.due != UINT32_MAX && w->object_count > w->leaves.posted)
		post(w, &w->leaves.jobs[w->leaves.next]);
	py_leaves_wait(w);
}
