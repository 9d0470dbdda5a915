/* What each object refers to, and by which name, key or index. */
#include "py_walk.h"

/* ---- references that a type's tp_traverse reports ---- */

static int report(PyObject *object, void *context)
{
	struct py_walk *w = context;
	if (!object)
		return 0;
	PyObject **added = py_area_add(&w->visited, sizeof(*added));
	if (!added) {
		py_fail(w, SNAP_NO_MEMORY, "out of memory");
		return -1;
	}
	*added = object;
	return 0;
}

static PyObject **visited_at(const struct py_walk *w, size_t i)
{
	return (PyObject **)(void *)w->visited.bytes + i;
}

/* So many times a whole list is searched in vain; then only the next few are looked at. */
#define SEARCHES_MAX 16
#define FEW          4

/* Whether to was reported and has no label yet; it has one then. */
static bool take_reported(struct py_walk *w, PyObject *to)
{
	size_t count = w->visited.size / sizeof(PyObject *);
	size_t most = w->searches < SEARCHES_MAX || count < FEW ? count : FEW;
	/* Mostly they are asked for in the order in which they were reported. */
	for (size_t tried = 0; to && tried < most; tried++) {
		size_t i = w->visited_at + tried < count ? w->visited_at + tried
							 : w->visited_at + tried - count;
		if (*visited_at(w, i) != to)
			continue;
		*visited_at(w, i) = NULL;
		w->visited_at = i + 1 < count ? i + 1 : 0;
		return true;
	}
	w->searches++;
	return false;
}

bool py_claim(struct py_walk *w, PyObject *to, enum snap_reference_kind kind, uint64_t label)
{
	if (!take_reported(w, to))
		return false;
	py_refer(w, to, kind, label);
	return true;
}

void py_claim_field(struct py_walk *w, PyObject *to, const char *label)
{
	if (to)
		py_claim(w, to, SNAP_REF_FIELD, py_literal_label(w, label));
}

void py_claim_internal(struct py_walk *w, PyObject *to, const char *label)
{
	if (to)
		py_claim(w, to, SNAP_REF_INTERNAL, py_literal_label(w, label));
}

static void refer_rest(struct py_walk *w, enum snap_reference_kind kind, uint64_t label)
{
	size_t count = w->visited.size / sizeof(PyObject *);
	for (size_t i = 0; i < count && py_going(w); i++)
		if (*visited_at(w, i))
			py_refer(w, *visited_at(w, i), kind, label);
}

/* ---- containers of the core, read as they are ---- */

void py_refer_closure(struct py_walk *w, PyFunctionObject *function)
{
	PyCodeObject *code = (PyCodeObject *)function->func_code;
	PyObject *tuple = function->func_closure;
#if PY_SINCE(3, 11)
	PyObject *names = code->co_localsplusnames;
	Py_ssize_t first = code->co_nlocalsplus - code->co_nfreevars;
#else
	PyObject *names = code->co_freevars;
	Py_ssize_t first = 0;
#endif
	for (Py_ssize_t i = 0; i < PyTuple_GET_SIZE(tuple) && py_going(w); i++) {
		bool named = first + i < PyTuple_GET_SIZE(names);
		py_refer(w, PyTuple_GET_ITEM(tuple, i), SNAP_REF_LOCAL,
			 named ? py_name_label(w, PyTuple_GET_ITEM(names, first + i))
			       : SNAP_LABEL_INDEX(i));
	}
}

static bool is_identifier(PyObject *key)
{
	if (!PyUnicode_CheckExact(key) || !PyUnicode_IS_COMPACT_ASCII(key) ||
	    !PyUnicode_CHECK_INTERNED(key))
		return false;
	Py_ssize_t length = PyUnicode_GET_LENGTH(key);
	const unsigned char *text = PyUnicode_DATA(key);
	for (Py_ssize_t i = 0; i < length; i++)
		if (!Py_ISALNUM(text[i]) && text[i] != '_')
			return false;
	return length > 0 && length <= 64 && !Py_ISDIGIT(text[0]);
}

/* The label of a dict's key, if it may be told.  Names in namespaces
 * are the program's; other keys are contents, of which only those are
 * told that look like names and that the interpreter keeps as such. */
static bool tell_key(struct py_walk *w, PyObject *key, bool is_namespace, uint64_t *label)
{
	if (!PyUnicode_Check(key))
		return false;
	uint32_t known = is_namespace || w->options->keys ? 0 : py_map_get(&w->told_keys, key);
	if (known) {
		*label = SNAP_LABEL_STRING(known);
		return true;
	}
	if (!is_namespace && !w->options->keys && !is_identifier(key))
		return false;
	*label = py_name_label(w, key);
	if (!is_namespace && !w->options->keys && py_going(w) &&
	    !py_map_put(&w->told_keys, key, (uint32_t)(*label / 4)))
		py_fail(w, SNAP_NO_MEMORY, "out of memory for names");
	return true;
}

static void refer_value(struct py_walk *w, PyObject *key, PyObject *value, bool is_namespace)
{
	uint64_t label;
	if (tell_key(w, key, is_namespace, &label))
		py_refer(w, value, is_namespace ? SNAP_REF_FIELD : SNAP_REF_VALUE, label);
	else
		py_refer_key(w, value, key);
}

static bool is_split(PyObject *dict)
{
	return ((PyDictObject *)dict)->ma_values != NULL;
}

static void refer_dict(struct py_walk *w, PyObject *dict, bool is_namespace)
{
	PyObject *key, *value;
	Py_ssize_t at = 0;
	bool split = is_split(dict);
	/* Before 3.13 a split dict has its values; since
	 * then it may show those that the instance has. */
	bool borrowed = split && py_values_are_embedded(dict);
	while (py_going(w) && PyDict_Next(dict, &at, &key, &value)) {
		if (!split)
			py_refer(w, key, SNAP_REF_KEY, SNAP_LABEL_NONE);
		if (!borrowed)
			refer_value(w, key, value, is_namespace || split);
	}
}

void py_refer_own_dict(struct py_walk *w, PyObject *dict)
{
	if (!w->own_is_told) {
		refer_dict(w, dict, true);
		return;
	}
	const bool split = is_split(dict);
	for (const struct py_own_item *item = w->own; item < w->own + w->own_count; item++) {
		if (!split)
			py_refer(w, item->key, SNAP_REF_KEY, SNAP_LABEL_NONE);
		py_refer_id(w, item->id, item->label << PY_KIND_BITS | SNAP_REF_FIELD);
	}
}

/* ---- everything else: what tp_traverse reports, with the labels that we know ---- */

/* Keys that are all strings are not reported; an
 * ordered dict reports keys before all of the dict. */
static void claim_dict_items(struct py_walk *w, PyObject *dict)
{
	PyObject *key, *value;
	Py_ssize_t at = 0;
	while (PyDict_Next(dict, &at, &key, &value))
		take_reported(w, key);
	at = 0;
	while (PyDict_Next(dict, &at, &key, &value))
		take_reported(w, value);
	refer_dict(w, dict, false);
}

static PyObject *const *items_of(PyObject *object, enum py_layout layout, Py_ssize_t *count)
{
	*count = layout == PY_LIST || layout == PY_TUPLE ? Py_SIZE(object) : 0;
	return layout == PY_LIST ? ((PyListObject *)object)->ob_item
				 : ((PyTupleObject *)object)->ob_item;
}

/* They are reported from the last to the first. */
static void take_items(struct py_walk *w, PyObject *object, enum py_layout layout)
{
	Py_ssize_t count;
	PyObject *const *items = items_of(object, layout, &count);
	while (count-- > 0)
		take_reported(w, items[count]);
}

static void refer_items(struct py_walk *w, PyObject *object, enum py_layout layout)
{
	Py_ssize_t count;
	PyObject *const *items = items_of(object, layout, &count);
	for (Py_ssize_t i = 0; i < count && py_going(w); i++)
		if (items[i])
			py_refer(w, items[i], SNAP_REF_ELEMENT, SNAP_LABEL_INDEX(i));
}

static void claim_function(struct py_walk *w, PyFunctionObject *f)
{
	py_claim_internal(w, f->func_code, "__code__");
	py_claim_internal(w, f->func_globals, "__globals__");
	py_claim_internal(w, f->func_module, "__module__");
	py_claim_internal(w, f->func_name, "__name__");
	py_claim_internal(w, f->func_qualname, "__qualname__");
	py_claim_field(w, f->func_defaults, "__defaults__");
	py_claim_field(w, f->func_kwdefaults, "__kwdefaults__");
	py_claim_internal(w, f->func_doc, "__doc__");
	py_claim_internal(w, f->func_dict, "__dict__");
	py_claim_internal(w, f->func_closure, "__closure__");
	py_claim_internal(w, f->func_annotations, "__annotations__");
}

static void claim_exception(struct py_walk *w, PyBaseExceptionObject *e)
{
	py_claim_internal(w, e->dict, "__dict__");
	py_claim_field(w, e->args, "args");
	py_claim_field(w, e->traceback, "__traceback__");
	py_claim_field(w, e->cause, "__cause__");
	py_claim_field(w, e->context, "__context__");
#if PY_SINCE(3, 11)
	py_claim_field(w, e->notes, "__notes__");
#endif
}

static void claim_special(struct py_walk *w, PyObject *object, const struct py_type *type)
{
	switch (type->layout) {
	case PY_DICT: claim_dict_items(w, object); return;
	case PY_FUNCTION: claim_function(w, (PyFunctionObject *)object); return;
	case PY_MODULE: py_claim_internal(w, PyModule_GetDict(object), "__dict__"); return;
	case PY_TYPE: py_claim_type(w, (PyTypeObject *)object); return;
	case PY_FRAME: py_claim_frame(w, object); return;
	case PY_GENERATOR: py_claim_generator(w, object); return;
	case PY_EXCEPTION: claim_exception(w, (PyBaseExceptionObject *)object); return;
	case PY_CELL:
		py_claim_internal(w, ((PyCellObject *)object)->ob_ref, "cell_contents");
		return;
	case PY_C_FUNCTION:
		py_claim_field(w, ((PyCFunctionObject *)object)->m_self, "__self__");
		py_claim_internal(w, ((PyCFunctionObject *)object)->m_module, "__module__");
		return;
	case PY_TRACEBACK:
		py_claim_field(w, (PyObject *)((PyTracebackObject *)object)->tb_next, "tb_next");
		py_claim_field(w, (PyObject *)((PyTracebackObject *)object)->tb_frame, "tb_frame");
		return;
	default: return;
	}
}

static void claim_members(struct py_walk *w, PyObject *object, const struct py_type *type,
			  bool reported)
{
	for (size_t i = 0; i < type->member_count && py_going(w); i++) {
		struct py_member member =
			((struct py_member *)(void *)w->members.bytes)[type->member_first + i];
		PyObject *to = *(PyObject **)(void *)((char *)object + member.offset);
		uint64_t label = SNAP_LABEL_STRING(member.label);
		if (to && reported)
			py_claim(w, to, SNAP_REF_FIELD, label);
		else if (to)
			py_refer(w, to, SNAP_REF_FIELD, label);
	}
}

static void refer_weak(struct py_walk *w, PyObject *reference)
{
	PyObject *to = ((PyWeakReference *)reference)->wr_object;
	if (to && to != Py_None)
		py_refer(w, to, SNAP_REF_WEAK, py_literal_label(w, "referent"));
	py_claim_internal(w, ((PyWeakReference *)reference)->wr_callback, "__callback__");
}

static bool is_static_type(PyObject *object, const struct py_type *type)
{
	return type->layout == PY_TYPE &&
	       !(((PyTypeObject *)object)->tp_flags & Py_TPFLAGS_HEAPTYPE);
}

static void refer_traversed(struct py_walk *w, PyObject *object, const struct py_type *type)
{
	w->visited.size = 0;
	w->visited_at = w->searches = 0;
	type->type->tp_traverse(object, report, w);
	if (type->type->tp_flags & Py_TPFLAGS_HEAPTYPE)
		py_claim(w, (PyObject *)type->type, SNAP_REF_CLASS, SNAP_LABEL_NONE);
	claim_special(w, object, type);
	if (type->layout == PY_WEAK)
		refer_weak(w, object);
	if (type->layout != PY_TYPE)
		py_claim_instance(w, object, type);
	claim_members(w, object, type, true);
	take_items(w, object, type->layout);
	if (type->layout == PY_SET)
		refer_rest(w, SNAP_REF_ELEMENT, SNAP_LABEL_NONE);
	else if (type->is_lru_cache)
		refer_rest(w, SNAP_REF_INTERNAL, py_literal_label(w, "cached"));
	else
		refer_rest(w, SNAP_REF_INTERNAL, SNAP_LABEL_NONE);
	refer_items(w, object, type->layout); /* last, so that the others are slots */
}

void py_references(struct py_walk *w, uint32_t id, const struct py_type *type)
{
	PyObject *object = py_object_at(w, id);
	if (type->exact && type->layout == PY_LIST)
		py_refer_items(w, ((PyListObject *)object)->ob_item,
			       (size_t)PyList_GET_SIZE(object));
	else if (type->exact && type->layout == PY_TUPLE)
		py_refer_items(w, ((PyTupleObject *)object)->ob_item,
			       (size_t)PyTuple_GET_SIZE(object));
	else if (type->exact && type->layout == PY_DICT)
		refer_dict(w, object, py_marks_of(w, id) & PY_NAMESPACE);
	else if (is_static_type(object, type))
		py_refer_static_type(w, (PyTypeObject *)object);
	else if (type->type->tp_traverse)
		refer_traversed(w, object, type);
	else if (!type->exact)
		claim_members(w, object, type, false);
}

/* ---- what an object says of others ---- */

static void mark_namespace(struct py_walk *w, PyObject *dict)
{
	uint32_t id = dict && PyDict_CheckExact(dict) ? py_note(w, dict) : 0;
	if (id)
		py_mark_as(w, id, PY_NAMESPACE);
}

void py_mark(struct py_walk *w, PyObject *object)
{
	PyTypeObject *type = Py_TYPE(object);
	if (type == &PyFunction_Type) {
		mark_namespace(w, ((PyFunctionObject *)object)->func_dict);
	} else if (PyType_Check(object)) {
		mark_namespace(w, py_type_dict((PyTypeObject *)object));
	} else if (type->tp_dictoffset != 0) {
		mark_namespace(w, py_instance_dict(w, object));
	}
}
