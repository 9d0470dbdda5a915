/* The walk itself: every object once, with its references, into a snapshot. */
#include "py_tracer.h"

void py_fail(struct py_walk *w, enum snap_status status, const char *message)
{
	if (!py_going(w))
		return;
	w->status = status;
	w->error = (struct snap_error){.status = status, .offset = SNAP_NO_OFFSET};
	strncpy(w->error.message, message, sizeof(w->error.message) - 1);
}

/* ---- text ---- */

uint32_t py_string(struct py_walk *w, const char *text)
{
	uint32_t id = 0;
	py_lock(w);
	if (py_going(w))
		w->status = snap_writer_string(w->writer, text, strlen(text), &id, &w->error);
	py_unlock(w);
	return id;
}

uint64_t py_literal_label(struct py_walk *w, const char *literal)
{
	uint32_t id = py_map_get(&w->names, literal);
	if (!id) {
		id = py_string(w, literal);
		if (py_going(w) && !py_map_put(&w->names, literal, id))
			py_fail(w, SNAP_NO_MEMORY, "out of memory for names");
	}
	return SNAP_LABEL_STRING(id);
}

static size_t put_character(char *out, Py_UCS4 c)
{
	if (c < 0x80) {
		out[0] = (char)c;
		return 1;
	}
	size_t extra = c < 0x800 ? 1 : c < 0x10000 ? 2 : 3;
	static const unsigned char first[] = {0, 0xc0, 0xe0, 0xf0};
	out[0] = (char)(first[extra] | c >> 6 * extra);
	for (size_t i = 1; i <= extra; i++)
		out[i] = (char)(0x80 | (c >> 6 * (extra - i) & 0x3f));
	return extra + 1;
}

size_t py_text(PyObject *string, char *out, size_t size)
{
	size_t at = 0;
	bool readable = string && PyUnicode_Check(string);
#if !PY_SINCE(3, 12)
	readable = readable && PyUnicode_IS_READY(string);
#endif
	Py_ssize_t length = readable ? PyUnicode_GET_LENGTH(string) : 0;
	for (Py_ssize_t i = 0; i < length && at + 5 <= size; i++)
		at += put_character(out + at, PyUnicode_READ_CHAR(string, i));
	out[at] = 0;
	return at;
}

#define NAME_MAX_BYTES 4096u

uint64_t py_name_label(struct py_walk *w, PyObject *name)
{
	uint32_t id = py_map_get(&w->names, name);
	if (id || !py_going(w))
		return id ? SNAP_LABEL_STRING(id) : SNAP_LABEL_NONE;
	char text[NAME_MAX_BYTES];
	size_t size = py_text(name, text, sizeof(text));
	py_lock(w);
	w->status = snap_writer_string(w->writer, text, size, &id, &w->error);
	py_unlock(w);
	if (py_going(w) && !py_map_put(&w->names, name, id))
		py_fail(w, SNAP_NO_MEMORY, "out of memory for names");
	return SNAP_LABEL_STRING(id);
}

/* ---- objects ---- */

static uint32_t name_of(struct py_walk *w, PyObject *object, const struct py_type *type)
{
	char text[512];
	switch (type->layout) {
	case PY_FUNCTION:
		return (uint32_t)(py_name_label(w, ((PyFunctionObject *)object)->func_qualname) /
				  4);
	case PY_CODE: return py_code_name(w, (PyCodeObject *)object);
	case PY_FRAME: return w->layouts ? py_frame_name(w, object) : 0;
	case PY_TYPE:
		py_type_name(w, (PyTypeObject *)object, text, sizeof(text));
		return py_string(w, text);
	case PY_GENERATOR: return (uint32_t)(py_name_label(w, py_generator_name(object)) / 4);
	case PY_C_FUNCTION: return py_string(w, ((PyCFunctionObject *)object)->m_ml->ml_name);
	case PY_MODULE: {
		PyObject *name = PyDict_GetItemString(PyModule_GetDict(object), "__name__");
		return name && PyUnicode_Check(name) ? (uint32_t)(py_name_label(w, name) / 4) : 0;
	}
	default: return 0;
	}
}

static void describe_object(struct py_walk *w, uint32_t id, PyObject *object,
			    const struct py_type *type)
{
	const size_t at = id - 1;
	struct snap_heap_object *row = py_row_of(w, id);
	row->size = py_size(w, object, type);
	row->refcount = py_refcount(object);
	row->name = name_of(w, object, type);
	if (w->options->traces && py_going(w))
		((uint32_t *)(void *)w->traces.bytes)[at] =
			py_trace_of(w, (const char *)object - type->before);
	if (w->options->hashes && py_going(w))
		((uint32_t *)(void *)w->contents.bytes)[at] = py_content_of(w, object, type);
}

static void visit(struct py_walk *w, uint32_t id)
{
	PyObject *object = py_object_at(w, id);
	struct py_type *type = py_type_of(w, object);
	py_mark_as(w, id, PY_VISITED);
	if (!type || !py_going(w))
		return;
	describe_object(w, id, object, type);
	w->own_dict = 0;
	py_mark(w, object);
	py_refer_begin(w);
	py_references(w, id, type);
	type->last = py_refer_end(w, id, type, type->last);
}

/* A dict that the object at hand is the only one to hold. */
static void visit_own_dict(struct py_walk *w, PyTypeObject *owner)
{
	const uint32_t id = w->own_dict;
	PyObject *dict = py_object_at(w, id);
	struct py_type *type = py_type_of(w, dict), *of = type ? py_type_at(w, owner) : NULL;
	if (!of)
		return;
	py_mark_as(w, id, PY_VISITED);
	describe_object(w, id, dict, type);
	py_refer_begin(w);
	py_refer_own_dict(w, dict);
	of->last_of_dict = py_refer_end(w, id, type, of->last_of_dict);
}

/* A closure's variables are said by the function, whether it
 * was visited as a plain tuple before or will be after. */
static void visit_closure(struct py_walk *w, PyFunctionObject *function)
{
	uint32_t id = py_note(w, function->func_closure);
	struct py_type *type = id ? py_type_of(w, function->func_closure) : NULL;
	if (!type || !type->exact || !py_going(w))
		return;
	py_mark_as(w, id, PY_VISITED);
	describe_object(w, id, function->func_closure, type);
	py_refer_begin(w);
	py_refer_closure(w, function);
	py_refer_end(w, id, type, 0);
}

void py_add_id(struct py_walk *w, struct py_area *ids, uint32_t id)
{
	uint32_t *added = py_area_add(ids, sizeof(*added));
	if (added)
		*added = id;
	else
		py_fail(w, SNAP_NO_MEMORY, "out of memory for a table of objects");
}

static void visit_with_parts(struct py_walk *w, uint32_t id)
{
	PyObject *object = py_object_at(w, id);
	visit(w, id);
	if (w->own_dict && !(py_marks_of(w, w->own_dict) & PY_VISITED) && py_going(w) &&
	    py_dict_size_is_known(w, py_object_at(w, w->own_dict)))
		visit_own_dict(w, Py_TYPE(object));
	if (Py_TYPE(object) == &PyFunction_Type && ((PyFunctionObject *)object)->func_closure &&
	    py_going(w))
		py_add_id(w, &w->closures, id);
}

/* The second of two walks came to its end within this object. */
static void take_back(struct py_walk *w, uint32_t id)
{
	const uint32_t ids[] = {id, w->own_dict};
	for (size_t i = 0; i < 2; i++)
		if (ids[i])
			__atomic_fetch_and((uint8_t *)w->marks.bytes + (ids[i] - 1),
					   (uint8_t) ~(PY_VISITED | PY_LEAF), __ATOMIC_RELAXED);
	py_pair_leave(w, id);
}

/* Dicts wait: what they may be the namespaces of has to say so before. */
static void visit_or_defer(struct py_walk *w, uint32_t id)
{
	PyObject *object = py_object_at(w, id);
	if (py_marks_of(w, id) & PY_VISITED)
		return;
	if (PyDict_CheckExact(object) && !py_first(w)->stretches.dicts)
		py_add_id(w, &w->later, id);
	else if (py_pair_may_visit(w, object, id))
		visit_with_parts(w, id);
	if (w->status == SNAP_END)
		take_back(w, id);
}

/* A dict of an object's own, where the type says in the usual way. */
static inline PyDictObject *own_dict(const PyObject *object)
{
	const Py_ssize_t offset = Py_TYPE(object)->tp_dictoffset;
	return offset > 0 ? *(PyDictObject *const *)(const void *)((const char *)object + offset)
			  : NULL;
}

/* Memory is asked for what is soon to be read.  Always inline:
 * a call of it seems to GCC to do nothing, and is left out. */
static inline __attribute__((always_inline)) void prefetch_keys(const PyDictObject *dict)
{
	__builtin_prefetch(dict->ma_keys);
	__builtin_prefetch((const char *)dict->ma_keys + 64);
	/* before the values lies their order, in most versions */
	__builtin_prefetch((const char *)dict->ma_values - 16);
	__builtin_prefetch((const char *)dict->ma_values + 48);
}
static inline __attribute__((always_inline)) void prefetch_parts(const PyObject *object)
{
	if (Py_TYPE(object) == &PyDict_Type)
		prefetch_keys((const PyDictObject *)(const void *)object);
	else if (Py_TYPE(object) == &PyList_Type)
		__builtin_prefetch(((const PyListObject *)object)->ob_item);
	else
		__builtin_prefetch(own_dict(object));
}

#define AGE_PARTS 12u
#define AGE_KEYS  22u

/* A little later; 0: only those that wait. */
static void visit_soon(struct py_walk *w, uint32_t id)
{
	const size_t turn = w->turn++;
	uint32_t *place = &w->soon[turn % PY_SOON];
	const uint32_t due = *place, parts = w->soon[(turn - AGE_PARTS) % PY_SOON],
		       keys = w->soon[(turn - AGE_KEYS) % PY_SOON];
	*place = id;
	if (parts)
		prefetch_parts(py_object_at(w, parts));
	const PyDictObject *dict = keys ? own_dict(py_object_at(w, keys)) : NULL;
	if (dict && PyDict_CheckExact((const PyObject *)(const void *)dict))
		prefetch_keys(dict);
	if (due && py_going(w))
		visit_or_defer(w, due);
}

#define AHEAD 16u

/* How many were begun. */
static size_t visit_stretch(struct py_walk *w, const uint32_t *ids, size_t count)
{
	size_t i = 0;
	for (; i < count && py_going(w); i++) {
		if (i + 2 * AHEAD < count) {
			__builtin_prefetch(py_row_of(w, ids[i + 2 * AHEAD]), 1);
			__builtin_prefetch(py_object_at(w, ids[i + AHEAD]));
		}
		if (!(py_marks_of(w, ids[i]) & PY_VISITED))
			visit_soon(w, ids[i]);
	}
	return i;
}

void py_visit_stretches(struct py_walk *w)
{
	const uint32_t *ids = py_first(w)->stretches.ids;
	size_t first = 0, end = 0;
	while (py_going(w) && py_pair_next(w, &first, &end))
		first += visit_stretch(w, ids + first, end - first);
	for (size_t i = 0; i < PY_SOON && py_going(w); i++)
		visit_soon(w, 0);
	for (; w->status == SNAP_END && first < end; first++)
		py_pair_leave(w, ids[first]);
	for (size_t i = 0; i < PY_SOON; i++) {
		if (w->status == SNAP_END && w->soon[i])
			py_pair_leave(w, w->soon[i]);
		w->soon[i] = 0;
	}
}

/* So few are not worth a second thread. */
#define PAIR_LEAST 4096u

static void visit_ids(struct py_walk *w, const struct py_area *ids, bool dicts)
{
	w->stretches = (struct py_stretches){.ids = (const uint32_t *)(void *)ids->bytes,
					     .count = ids->size / sizeof(uint32_t),
					     .dicts = dicts};
	if (w->stretches.count >= PAIR_LEAST)
		py_pair_begin(w);
	py_visit_stretches(w);
	py_pair_end(w);
	for (size_t i = 0; i < w->left.size / sizeof(uint32_t) && py_going(w); i++)
		visit_or_defer(w, ((const uint32_t *)(void *)w->left.bytes)[i]);
	w->left.size = 0;
}

static void visit_closures(struct py_walk *w)
{
	for (size_t i = 0; i < w->closures.size / sizeof(uint32_t) && py_going(w); i++) {
		const uint32_t id = ((const uint32_t *)(void *)w->closures.bytes)[i];
		visit_closure(w, (PyFunctionObject *)py_object_at(w, id));
	}
	w->closures.size = 0;
}

static void visit_round(struct py_walk *w)
{
	visit_ids(w, &w->order, false);
	visit_ids(w, &w->later, true);
	w->later.size = 0;
	visit_closures(w);
	py_leaves_end_round(w);
}

/* The ids of objects after one that are still to be visited. */
static void next_ids(struct py_walk *w, uint32_t after)
{
	w->order.size = 0;
	if (!py_area_reserve(&w->order, (size_t)(w->object_count - after + 1) * sizeof(uint32_t))) {
		py_fail(w, SNAP_NO_MEMORY, "out of memory for a table of objects");
		return;
	}
	uint32_t *ids = (uint32_t *)(void *)w->order.bytes;
	size_t found = 0;
	for (uint32_t id = after + 1; id <= w->object_count; id++) {
		ids[found] = id;
		found += !(py_marks_of(w, id) & PY_VISITED);
	}
	w->order.size = found * sizeof(*ids);
}

/* All objects that are known, and those that these turn out to refer to. */
static void visit_all(struct py_walk *w)
{
	uint32_t known = 0;
	py_leaves_begin(w);
	while (known < w->object_count && py_going(w)) {
		const uint32_t after = known;
		known = w->object_count;
		next_ids(w, after);
		visit_round(w);
	}
}

static void give_heap(struct py_walk *w)
{
	struct snap_heap heap = SNAP_HEAP_INIT;
	w->order.size = 0;
	if (py_going(w) && !py_index_order(w->index, 0, w->object_count, &w->order))
		py_fail(w, SNAP_NO_MEMORY, "out of memory for a table of objects");
	py_index_free(w->index);
	if (!py_going(w))
		return;
	heap.count = w->object_count;
	heap.order_count = (uint32_t)(w->order.size / sizeof(uint32_t));
	heap.order = (const uint32_t *)(void *)w->order.bytes;
	heap.objects = (const struct snap_heap_object *)(const void *)w->objects.bytes;
	heap.words = (const uint32_t *)(void *)w->words.bytes;
	heap.word_count = w->words.size / sizeof(*heap.words);
	if (w->options->traces)
		heap.stacks = (const uint32_t *)(void *)w->traces.bytes;
	if (w->options->hashes)
		heap.contents = (const uint32_t *)(void *)w->contents.bytes;
	w->status = snap_writer_heap(w->writer, &heap, &w->error);
}

static void mark_garbage(struct py_walk *w)
{
	PyObject *module = PyDict_GetItemString(PyImport_GetModuleDict(), "gc");
	PyObject *garbage =
		module ? PyDict_GetItemString(PyModule_GetDict(module), "garbage") : NULL;
	for (Py_ssize_t i = 0;
	     garbage && PyList_CheckExact(garbage) && i < PyList_GET_SIZE(garbage); i++) {
		uint32_t id = py_note(w, PyList_GET_ITEM(garbage, i));
		if (id)
			py_row_of(w, id)->flags = SNAP_OBJECT_UNCOLLECTABLE;
	}
}

/* Where the process has died of something, it is tried without. */
static unsigned threads_of(const struct py_options *options)
{
	return options->died ? 1 : 2;
}

static void write_graph(struct py_walk *w)
{
	libsnap_worker_begin(&w->worker, threads_of(w->options));
	py_sizes_ask(w);
	py_collector_walk(w);
	mark_garbage(w);
	py_known_roots(w);
	visit_all(w);
	struct py_reach *foreign = py_foreign_find(w);
	give_heap(w);
	py_foreign_give(w, foreign);
	py_area_free(&w->marks);
	py_area_free(&w->later);
	py_area_free(&w->closures);
	py_area_free(&w->left);
	py_area_free(&w->holes);
	libsnap_worker_end(&w->worker);
}

static void set_property(struct py_walk *w, const char *key, const char *value)
{
	if (py_going(w))
		w->status = snap_writer_property(w->writer, key, value, &w->error);
}

static void set_properties(struct py_walk *w)
{
	char text[64];
	set_property(w, "program", w->options->program);
	set_property(w, "time", w->options->time);
	const char *version = Py_GetVersion();
	size_t length = strcspn(version, " ");
	PyOS_snprintf(text, sizeof(text), "CPython %.*s", (int)(length < 40 ? length : 40),
		      version);
	set_property(w, "runtime", text);
	set_property(w, "producer", "snap.dump " SNAP_VERSION);
	PyOS_snprintf(text, sizeof(text), "%lu", w->options->pid);
	set_property(w, "pid", text);
	if (w->options->hashes)
		set_property(w, "hash_key", "derived");
	PyOS_snprintf(text, sizeof(text), "%zu", w->options->trace_limit);
	if (w->options->traces)
		set_property(w, "traceback_limit", text);
	PyOS_snprintf(text, sizeof(text), "%llu", (unsigned long long)py_tracer_interval());
	if (w->options->graph && w->options->traces && py_tracer_interval())
		set_property(w, "sampled_stacks_interval", text);
	if (w->options->graph && !w->layouts)
		set_property(w, "layouts", "unknown");
	if (w->options->died)
		set_property(w, "made_again", w->options->died);
}

#define LEVEL 1 /* an eighth less time than 3 takes, for files that are a thirtieth larger */

static void open_writer(struct py_walk *w, const struct snap_allocator *allocator)
{
	struct snap_writer_options options = SNAP_WRITER_OPTIONS_INIT;
	options.allocator = allocator;
	options.level = LEVEL;
	options.threads = threads_of(w->options);
	if (w->options->traces && py_tracer_lost())
		options.flags |= SNAP_SNAPSHOT_PARTIAL;
	/* Objects are all there, even if not all have a stack. */
	if (w->options->traces && !w->options->graph && py_tracer_interval()) {
		options.flags |= SNAP_SNAPSHOT_SAMPLED;
		options.sampling_interval_bytes = py_tracer_interval();
	}
	w->status = w->options->path
			    ? snap_writer_open(&w->writer, w->options->path, &options, &w->error)
			    : snap_writer_open_descriptor(&w->writer, w->options->descriptor,
							  &options, &w->error);
}

#define LARGE ((uint64_t)64 << 20)

void py_dump(struct py_walk *w, const struct py_options *options)
{
	struct py_memory memory = {0};
	struct snap_allocator allocator = py_memory_allocator(&memory);
	*w = (struct py_walk){.options = options, .status = SNAP_OK, .leaves.due = UINT32_MAX};
	if (options->resident_bytes >= LARGE)
		w->large_bytes = options->resident_bytes;
	memory.large_pages = w->large_bytes > 0;
	w->index = &w->own_index;
	py_tracer_silence();
	w->sizeof_name = PyUnicode_FromString("__sizeof__");
	w->module_name = PyUnicode_FromString("__module__");
	py_sizes_init(w);
	w->layouts = !options->died && py_layouts_hold();
	open_writer(w, &allocator);
	set_properties(w);
	if (options->graph)
		write_graph(w);
	else if (options->traces)
		py_trace_rows(w);
	if (py_going(w))
		w->status = snap_writer_timeline(w->writer, options->time_ns, 0, 0,
						 options->resident_bytes, &w->error);
	if (py_going(w))
		w->status = snap_writer_finish(w->writer, NULL, &w->error);
	else
		snap_writer_abort(w->writer);
}
