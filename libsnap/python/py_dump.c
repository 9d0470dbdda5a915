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
	if (py_going(w))
		w->status = snap_writer_string(w->writer, text, strlen(text), &id, &w->error);
	return id;
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
	w->status = snap_writer_string(w->writer, text, size, &id, &w->error);
	if (py_going(w) && !py_map_put(&w->names, name, id))
		py_fail(w, SNAP_NO_MEMORY, "out of memory for names");
	return SNAP_LABEL_STRING(id);
}

/* ---- objects ---- */

static uint32_t name_of(struct py_walk *w, PyObject *object, const struct py_type *type)
{
	char text[512];
	switch (type->layout) {
	case PY_FUNCTION: return (uint32_t)(py_name_label(w, ((PyFunctionObject *)object)->func_qualname) / 4);
	case PY_CODE: return py_code_name(w, (PyCodeObject *)object);
	case PY_FRAME: return w->layouts ? py_frame_name(w, object) : 0;
	case PY_TYPE: py_type_name(w, (PyTypeObject *)object, text, sizeof(text)); return py_string(w, text);
	case PY_GENERATOR: return (uint32_t)(py_name_label(w, py_generator_name(object)) / 4);
	case PY_C_FUNCTION: return py_string(w, ((PyCFunctionObject *)object)->m_ml->ml_name);
	case PY_MODULE: {
		PyObject *name = PyDict_GetItemString(PyModule_GetDict(object), "__name__");
		return name && PyUnicode_Check(name) ? (uint32_t)(py_name_label(w, name) / 4) : 0;
	}
	default: return 0;
	}
}

/* Where what the object at hand holds is put down, after how many there are of them. */
static uint64_t begin_edges(struct py_walk *w)
{
	if (!py_area_add(&w->edges, sizeof(uint32_t)))
		py_fail(w, SNAP_NO_MEMORY, "out of memory for references");
	return w->edges.size / sizeof(uint32_t) - 1;
}

static void end_edges(struct py_walk *w, uint32_t id, uint64_t first)
{
	uint64_t count = w->edges.size / sizeof(uint32_t) - first - 1;
	((uint32_t *)(void *)w->edges.bytes)[first] = (uint32_t)count;
	if (count == 0)
		w->edges.size -= sizeof(uint32_t);
	else
		((uint64_t *)(void *)w->first_edges.bytes)[id - 1] = first;
}

static void write_object(struct py_walk *w, uint32_t id)
{
	PyObject *object = py_object_at(w, id);
	uint8_t flags = *py_flags_of(w, id);
	const struct py_type *type = py_type_of(w, object);
	uint64_t first_edge = begin_edges(w);
	if (!type || !py_going(w))
		return;
	struct snap_object row = {
		.id = (uintptr_t)object,
		.size = py_size(w, object, type),
		.count = 1,
		.type = type->id,
		.name = name_of(w, object, type),
		.generation = flags >> PY_GENERATION,
		.refcount = py_refcount(object),
		.flags = flags & PY_GARBAGE ? SNAP_OBJECT_UNCOLLECTABLE : 0,
	};
	if (w->options->traces && py_going(w))
		row.stack = py_trace_of(w, (const char *)object - type->before);
	if (w->options->hashes && py_going(w))
		row.content = py_content_of(w, object, type);
	if (py_going(w))
		py_references(w, id, type);
	if (py_going(w))
		py_put_object(w, &row);
	end_edges(w, id, first_edge);
}

#define AHEAD_POINTER 48u
#define AHEAD_HEADER  24u
#define AHEAD_PARTS   12u

/* Memory is asked for what is soon to be read.  Always inline: a call of it seems to GCC to do nothing, and is left out. */
static inline __attribute__((always_inline)) void prefetch(const struct py_walk *w, const uint32_t *ids, size_t left)
{
	if (left <= AHEAD_POINTER)
		return;
	__builtin_prefetch((PyObject **)(void *)w->objects.bytes + ids[AHEAD_POINTER] - 1);
	__builtin_prefetch(py_object_at(w, ids[AHEAD_HEADER]));
	const PyObject *object = py_object_at(w, ids[AHEAD_PARTS]);
	if (Py_TYPE(object) == &PyList_Type) {
		__builtin_prefetch(((const PyListObject *)object)->ob_item);
	} else if (Py_TYPE(object) == &PyDict_Type) {
		__builtin_prefetch(((const PyDictObject *)object)->ma_keys);
		__builtin_prefetch(((const PyDictObject *)object)->ma_values);
	}
}

#define SPARSE 64 /* slots of the index for each object, at most, where it is read to put objects in order */

/* The ids of objects after those that have been visited, in the order of their addresses if there are many. */
static bool next_ids(struct py_walk *w, uint32_t visited)
{
	uint32_t count = w->object_count - visited;
	w->order.size = 0;
	if (!py_area_add(&w->first_edges, count * sizeof(uint64_t)))
		return false;
	if ((uint64_t)count * SPARSE >= w->index.count * PY_CHUNK_SLOTS)
		return py_index_order(&w->index, visited, w->object_count, &w->order);
	uint32_t *ids = py_area_add(&w->order, count * sizeof(*ids));
	for (uint32_t i = 0; ids && i < count; i++)
		ids[i] = visited + i + 1;
	return ids != NULL;
}

/* All objects that are known, and those that these turn out to refer to. */
static void write_objects(struct py_walk *w)
{
	(void)begin_edges(w); /* of no object: 0 is nowhere */
	for (uint32_t visited = 0, end; visited < w->object_count && py_going(w); visited = end) {
		end = w->object_count;
		if (!next_ids(w, visited))
			py_fail(w, SNAP_NO_MEMORY, "out of memory for a table of objects");
		const uint32_t *ids = (const uint32_t *)(void *)w->order.bytes;
		for (size_t left = w->order.size / sizeof(*ids); left > 0 && py_going(w); left--, ids++) {
			prefetch(w, ids, left);
			write_object(w, *ids);
		}
	}
}

static void mark_garbage(struct py_walk *w)
{
	PyObject *module = PyDict_GetItemString(PyImport_GetModuleDict(), "gc");
	PyObject *garbage = module ? PyDict_GetItemString(PyModule_GetDict(module), "garbage") : NULL;
	for (Py_ssize_t i = 0; garbage && PyList_CheckExact(garbage) && i < PyList_GET_SIZE(garbage); i++) {
		uint32_t id = py_note(w, PyList_GET_ITEM(garbage, i));
		if (id)
			*py_flags_of(w, id) |= PY_GARBAGE;
	}
}

static void write_graph(struct py_walk *w)
{
	py_collector_walk(w);
	mark_garbage(w);
	py_known_roots(w);
	write_objects(w);
	py_foreign_roots(w);
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
	PyOS_snprintf(text, sizeof(text), "CPython %.*s", (int)(length < 40 ? length : 40), version);
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
}

#define LEVEL 1 /* an eighth less time than 3 takes, for files that are a thirtieth larger */

static void open_writer(struct py_walk *w, const struct snap_allocator *allocator)
{
	struct snap_writer_options options = SNAP_WRITER_OPTIONS_INIT;
	options.allocator = allocator;
	options.level = LEVEL;
	if (w->options->traces && py_tracer_lost())
		options.flags |= SNAP_SNAPSHOT_PARTIAL;
	/* Objects are all there, even if not all have a stack. */
	if (w->options->traces && !w->options->graph && py_tracer_interval()) {
		options.flags |= SNAP_SNAPSHOT_SAMPLED;
		options.sampling_interval_bytes = py_tracer_interval();
	}
	w->status = w->options->path ?
		snap_writer_open(&w->writer, w->options->path, &options, &w->error) :
		snap_writer_open_descriptor(&w->writer, w->options->descriptor, &options, &w->error);
}

void py_dump(struct py_walk *w, const struct py_options *options)
{
	struct py_memory memory = {0};
	struct snap_allocator allocator = py_memory_allocator(&memory);
	*w = (struct py_walk){.options = options, .status = SNAP_OK};
	py_tracer_silence();
	w->sizeof_name = PyUnicode_FromString("__sizeof__");
	w->module_name = PyUnicode_FromString("__module__");
	py_sizes_init(w);
	w->layouts = !options->plain && py_layouts_hold();
	open_writer(w, &allocator);
	set_properties(w);
	if (options->graph)
		write_graph(w);
	else if (options->traces)
		py_trace_rows(w);
	if (py_going(w))
		w->status = snap_writer_timeline(w->writer, options->time_ns, 0, 0, options->resident_bytes, &w->error);
	if (py_going(w))
		w->status = snap_writer_finish(w->writer, NULL, &w->error);
	else
		snap_writer_abort(w->writer);
}
