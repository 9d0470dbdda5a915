/* Where a block was allocated, as the tracer knows it, or else tracemalloc. */
#include "py_tracer.h"

PyAPI_FUNC(PyObject *) _PyTraceMalloc_GetTraceback(unsigned int domain, uintptr_t block);

static uint32_t add_frame(struct py_walk *w, uint32_t parent, PyObject *place, uint32_t flags)
{
	struct snap_frame frame = {
		.file = (uint32_t)(py_name_label(w, PyTuple_GET_ITEM(place, 0)) / 4),
		.line = (uint32_t)PyLong_AsUnsignedLongMask(PyTuple_GET_ITEM(place, 1))};
	uint32_t frame_id = 0, stack_id = 0;
	if (py_going(w))
		w->status = snap_writer_frame(w->writer, &frame, &frame_id, &w->error);
	if (py_going(w))
		w->status =
			snap_writer_stack(w->writer, parent, frame_id, flags, &stack_id, &w->error);
	return stack_id;
}

/* traceback: (file, line) of each frame, the innermost
 * first; count: of all frames that there were, or 0. */
static uint32_t add_traceback(struct py_walk *w, PyObject *traceback, size_t count)
{
	size_t kept = (size_t)PyTuple_GET_SIZE(traceback);
	bool cut = count ? count > kept : kept >= w->options->trace_limit;
	uint32_t stack = 0;
	for (size_t i = kept; i-- > 0 && py_going(w);)
		stack = add_frame(w, stack, PyTuple_GET_ITEM(traceback, (Py_ssize_t)i),
				  cut && i == kept - 1 ? SNAP_STACK_TRUNCATED : 0);
	return stack;
}

/* trace: (domain, size, traceback) and, since 3.9, the count of frames. */
static void add_row(struct py_walk *w, PyObject *trace, struct py_map *stacks)
{
	PyObject *traceback = PyTuple_GET_ITEM(trace, 2);
	uint32_t stack = py_map_get(stacks, traceback);
	if (!stack) {
		size_t count = PyTuple_GET_SIZE(trace) > 3
				       ? PyLong_AsSize_t(PyTuple_GET_ITEM(trace, 3))
				       : 0;
		stack = add_traceback(w, traceback, count);
		if (py_going(w) && !py_map_put(stacks, traceback, stack))
			py_fail(w, SNAP_NO_MEMORY, "out of memory");
	}
	const struct snap_object block = {
		.size = PyLong_AsSize_t(PyTuple_GET_ITEM(trace, 1)),
		.count = 1,
		.stack = stack,
		.domain = (uint32_t)PyLong_AsUnsignedLongMask(PyTuple_GET_ITEM(trace, 0))};
	if (py_going(w))
		w->status = snap_writer_object(w->writer, &block, &w->error);
}

static void tracemalloc_rows(struct py_walk *w)
{
	PyObject *module = PyDict_GetItemString(PyImport_GetModuleDict(), "_tracemalloc");
	PyObject *traces = module ? PyObject_CallMethod(module, "_get_traces", NULL) : NULL;
	if (!traces || !PyList_Check(traces)) {
		PyErr_Clear();
		py_fail(w, SNAP_NO_MEMORY, "tracemalloc does not give its traces");
		return;
	}
	struct py_map stacks = {0};
	for (Py_ssize_t i = 0; i < PyList_GET_SIZE(traces) && py_going(w); i++)
		add_row(w, PyList_GET_ITEM(traces, i), &stacks);
	py_map_free(&stacks);
}

/* ---- the tracer's ---- */

static uint32_t *known_stack(struct py_walk *w, uint32_t node)
{
	return (uint32_t *)(void *)w->stacks.bytes + node;
}

static uint32_t add_node(struct py_walk *w, uint32_t parent, const struct py_node *node)
{
	const struct py_code *code = py_stacks_code(py_tracer_stacks(), node->code);
	struct snap_frame frame = {.function = (uint32_t)(py_name_label(w, code->function) / 4),
				   .file = (uint32_t)(py_name_label(w, code->file) / 4),
				   .line = node->line};
	uint32_t frame_id = 0, stack_id = 0,
		 flags = node->parent == PY_STACK_TRUNCATED ? SNAP_STACK_TRUNCATED : 0;
	if (py_going(w))
		w->status = snap_writer_frame(w->writer, &frame, &frame_id, &w->error);
	if (py_going(w))
		w->status =
			snap_writer_stack(w->writer, parent, frame_id, flags, &stack_id, &w->error);
	return stack_id;
}

/* The snapshot's stack for one of the tracer's; each node is written once, after its parents. */
static uint32_t stack_of(struct py_walk *w, uint32_t node)
{
	const struct py_stacks *stacks = py_tracer_stacks();
	struct py_area chain = {0};
	if (!w->stacks.size && !py_area_add(&w->stacks, py_stacks_count(stacks) * sizeof(uint32_t)))
		py_fail(w, SNAP_NO_MEMORY, "out of memory for stacks");
	uint32_t at = node;
	for (; py_going(w) && at >= PY_STACK_FIRST && !*known_stack(w, at);
	     at = py_stacks_node(stacks, at)->parent) {
		uint32_t *added = py_area_add(&chain, sizeof(*added));
		if (added)
			*added = at;
		else
			py_fail(w, SNAP_NO_MEMORY, "out of memory for stacks");
	}
	uint32_t id = at >= PY_STACK_FIRST && py_going(w) ? *known_stack(w, at) : 0;
	for (size_t i = chain.size / sizeof(uint32_t); i-- > 0 && py_going(w);) {
		at = ((const uint32_t *)(const void *)chain.bytes)[i];
		id = *known_stack(w, at) = add_node(w, id, py_stacks_node(stacks, at));
	}
	py_area_free(&chain);
	return id;
}

/* Blocks of one size from one place. */
struct sum {
	uint64_t size, count;
	uint32_t stack;
};
struct sums {
	struct sum *all;
	size_t capacity, count;
};

static struct sum *sum_of(const struct sums *sums, uint64_t size, uint32_t stack)
{
	uint64_t hash = (size * 0xc2b2ae3d27d4eb4fu ^ stack) * 0x9e3779b97f4a7c15u;
	size_t at = (size_t)(hash >> 32) & (sums->capacity - 1);
	while (sums->all[at].count && (sums->all[at].size != size || sums->all[at].stack != stack))
		at = (at + 1) & (sums->capacity - 1);
	return &sums->all[at];
}

static bool grow_sums(struct sums *sums)
{
	struct sums larger = {.capacity = sums->capacity ? sums->capacity * 2 : 4096,
			      .count = sums->count};
	larger.all = py_map_pages(larger.capacity * sizeof(*larger.all));
	if (!larger.all)
		return false;
	for (size_t i = 0; i < sums->capacity; i++)
		if (sums->all[i].count)
			*sum_of(&larger, sums->all[i].size, sums->all[i].stack) = sums->all[i];
	py_unmap_pages(sums->all, sums->capacity * sizeof(*sums->all));
	*sums = larger;
	return true;
}

static bool add_up(struct sums *sums, const struct py_blocks *blocks)
{
	struct py_block block;
	for (size_t at = 0; py_blocks_next(blocks, &at, &block);) {
		if (sums->count * 2 >= sums->capacity && !grow_sums(sums))
			return false;
		struct sum *sum = sum_of(sums, block.size, block.stack);
		sums->count += sum->count == 0;
		*sum = (struct sum){block.size, sum->count + 1, block.stack};
	}
	return true;
}

static void tracer_rows(struct py_walk *w)
{
	struct sums sums = {0};
	const struct py_blocks *blocks;
	for (unsigned table = 0; (blocks = py_tracer_blocks(table)) != NULL; table++)
		if (!add_up(&sums, blocks))
			py_fail(w, SNAP_NO_MEMORY, "out of memory for traces");
	for (size_t i = 0; i < sums.capacity && py_going(w); i++) {
		const struct sum *sum = &sums.all[i];
		const struct snap_object row = {
			.size = sum->size, .count = sum->count, .stack = stack_of(w, sum->stack)};
		if (sum->count && py_going(w))
			w->status = snap_writer_object(w->writer, &row, &w->error);
	}
	py_unmap_pages(sums.all, sums.capacity * sizeof(*sums.all));
}

bool py_traces_are_locked(void)
{
	PyObject *module = PyDict_GetItemString(PyImport_GetModuleDict(), "_tracemalloc");
	PyObject *answer = module ? PyObject_CallMethod(module, "is_tracing", NULL) : NULL;
	bool is_tracing = answer == Py_True;
	Py_XDECREF(answer);
	PyErr_Clear();
	return is_tracing;
}

void py_traces_wait(void)
{
	Py_XDECREF(_PyTraceMalloc_GetTraceback(0, 0));
}

/* ---- either ---- */

uint32_t py_trace_of(struct py_walk *w, const void *address)
{
	struct py_block block;
	if (py_tracer_limit())
		return py_tracer_find(address, &block) ? stack_of(w, block.stack) : 0;
	PyObject *traceback = _PyTraceMalloc_GetTraceback(0, (uintptr_t)address);
	uint32_t stack = traceback && PyTuple_Check(traceback) ? add_traceback(w, traceback, 0) : 0;
	Py_XDECREF(traceback);
	PyErr_Clear();
	return stack;
}

void py_trace_rows(struct py_walk *w)
{
	if (py_tracer_limit())
		tracer_rows(w);
	else
		tracemalloc_rows(w);
}
