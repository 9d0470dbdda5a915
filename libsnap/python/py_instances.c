/* Attributes of instances, where each version of CPython keeps them, and what types hold. */
#include "py_private.h"

bool py_values_are_embedded(PyObject *dict)
{
#if PY_SINCE(3, 13)
	return ((PyDictObject *)dict)->ma_values->embedded;
#else
	(void)dict;
	return false;
#endif
}

uintptr_t py_dict_shape(PyObject *dict)
{
	const PyDictKeysObject *keys = ((PyDictObject *)dict)->ma_keys;
#if PY_SINCE(3, 11)
	const uintptr_t shape = (uintptr_t)keys->dk_log2_size << 16 |
				(uintptr_t)keys->dk_log2_index_bytes << 8 | keys->dk_kind;
	return keys->dk_refcnt == 1 ? shape : 0;
#else
	/* its count of references, its size, ... */
	const Py_ssize_t *numbers = (const Py_ssize_t *)(const void *)keys;
	return numbers[0] == 1 ? (uintptr_t)numbers[1] : 0;
#endif
}

static PyObject *dict_at_offset(PyObject *object)
{
	const PyTypeObject *type = Py_TYPE(object);
	Py_ssize_t offset = type->tp_dictoffset;
	if (offset < 0) {
		size_t count = (size_t)(Py_SIZE(object) < 0 ? -Py_SIZE(object) : Py_SIZE(object));
		size_t size = (size_t)type->tp_basicsize + count * (size_t)type->tp_itemsize;
		size = (size + sizeof(void *) - 1) & ~(sizeof(void *) - 1);
		offset += (Py_ssize_t)size;
	}
	return offset > 0 ? *(PyObject **)(void *)((char *)object + offset) : NULL;
}

/* Attributes that a dict of the instance's own keeps are said of the
 * instance, too: where they are kept differs between versions and
 * even between instances, and is not what a path should be about. */
static void tell_own(struct py_walk *w, PyObject *dict)
{
	PyObject *name, *value;
	Py_ssize_t at = 0;
	size_t count = 0;
	w->own_is_told = true;
	while (py_going(w) && PyDict_Next(dict, &at, &name, &value)) {
		if (!PyUnicode_Check(name)) {
			w->own_is_told = false;
			continue;
		}
		struct py_own_item *item = &w->own[count++];
		*item = (struct py_own_item){name, py_name_label(w, name), py_note(w, value)};
		py_refer_id(w, item->id, item->label << PY_KIND_BITS | SNAP_REF_ALIAS);
	}
	w->own_count = count;
	w->own_dict = py_note(w, dict);
}

static void claim_dict(struct py_walk *w, PyObject *dict)
{
	py_claim_internal(w, dict, "__dict__");
	if (!dict || !PyDict_CheckExact(dict) || Py_REFCNT(dict) != 1 ||
	    PyDict_GET_SIZE(dict) > PY_OWN_MAX ||
	    (((PyDictObject *)dict)->ma_values && py_values_are_embedded(dict)))
		return;
	tell_own(w, dict);
}

#if PY_SINCE(3, 11)

/* The dict, or the values that have none yet. */
struct attributes {
	PyObject *dict;
	PyDictValues *values;
};

static struct attributes managed_attributes(PyObject *object)
{
	struct attributes found = {NULL, NULL};
#if PY_SINCE(3, 13)
	found.dict = (PyObject *)_PyObject_ManagedDictPointer(object)->dict;
	if (Py_TYPE(object)->tp_flags & Py_TPFLAGS_INLINE_VALUES) {
		PyDictValues *values = _PyObject_InlineValues(object);
		found.values = values->valid ? values : NULL;
	}
#elif PY_SINCE(3, 12)
	PyDictOrValues either = *_PyObject_DictOrValuesPointer(object);
	if (_PyDictOrValues_IsValues(either))
		found.values = _PyDictOrValues_GetValues(either);
	else
		found.dict = _PyDictOrValues_GetDict(either);
#else
	found.values = *_PyObject_ValuesPointer(object);
	found.dict = *_PyObject_ManagedDictPointer(object);
#endif
	return found;
}

static bool is_managed(const PyTypeObject *type)
{
	return (type->tp_flags & Py_TPFLAGS_MANAGED_DICT) != 0;
}

PyObject *py_instance_dict(const struct py_walk *w, PyObject *object)
{
	if (!is_managed(Py_TYPE(object)))
		return dict_at_offset(object);
	return w->layouts ? managed_attributes(object).dict : NULL;
}

static PyDictKeysObject *shared_keys(const PyTypeObject *type)
{
	return ((const PyHeapTypeObject *)type)->ht_cached_keys;
}

size_t py_inline_values_size(PyObject *object)
{
	const PyTypeObject *type = Py_TYPE(object);
	const size_t word = sizeof(void *);
	if (!is_managed(type))
		return 0;
#if PY_SINCE(3, 13)
	if (!(type->tp_flags & Py_TPFLAGS_INLINE_VALUES))
		return 0;
	size_t capacity = _PyObject_InlineValues(object)->capacity;
	return (capacity + 1) * word + (capacity + word - 1) / word * word;
#else
	if (!managed_attributes(object).values)
		return 0;
	PyDictKeysObject *keys = shared_keys(type);
	size_t count = (size_t)(keys->dk_nentries + keys->dk_usable);
	return (count + 2 + word - 1) / word * word + count * word;
#endif
}

bool py_instance_holds(PyObject *instance, PyObject *names, PyObject *values)
{
	if (!is_managed(Py_TYPE(instance)))
		return false;
	struct attributes found = managed_attributes(instance);
	PyDictKeysObject *keys = shared_keys(Py_TYPE(instance));
	if (found.dict || !found.values || !keys || keys->dk_nentries != PyTuple_GET_SIZE(names))
		return false;
	const PyDictUnicodeEntry *entries = DK_UNICODE_ENTRIES(keys);
	for (Py_ssize_t i = 0; i < keys->dk_nentries; i++)
		if (entries[i].me_key != PyTuple_GET_ITEM(names, i) ||
		    found.values->values[i] != PyTuple_GET_ITEM(values, i))
			return false;
	return true;
}

/* Since 3.14 it is the dict that reports the values inside
 * the instance, if there is one: it refers to none, then. */
static void claim_value(struct py_walk *w, PyObject *value, uint64_t label)
{
	if (value && !py_claim(w, value, SNAP_REF_FIELD, label) && py_going(w))
		py_refer(w, value, SNAP_REF_FIELD, label);
}

static void claim_attributes(struct py_walk *w, PyObject *object)
{
	struct attributes found = managed_attributes(object);
	PyDictKeysObject *keys = shared_keys(Py_TYPE(object));
	if (found.values && keys) {
		const PyDictUnicodeEntry *entries = DK_UNICODE_ENTRIES(keys);
		for (Py_ssize_t i = 0; i < keys->dk_nentries && py_going(w); i++)
			claim_value(w, found.values->values[i],
				    py_name_label(w, entries[i].me_key));
	}
	claim_dict(w, found.dict);
}

void py_claim_instance(struct py_walk *w, PyObject *object, const struct py_type *type)
{
	if (type->layout == PY_MODULE)
		return; /* its dict is what it is about */
	if (!is_managed(type->type))
		claim_dict(w, type->type->tp_dictoffset ? dict_at_offset(object) : NULL);
	else if (w->layouts)
		claim_attributes(w, object);
}

static void refer_shared_keys(struct py_walk *w, const PyTypeObject *type)
{
	PyDictKeysObject *keys = shared_keys(type);
	if (!w->layouts || !keys)
		return;
	const PyDictUnicodeEntry *entries = DK_UNICODE_ENTRIES(keys);
	for (Py_ssize_t i = 0; i < keys->dk_nentries && py_going(w); i++)
		if (entries[i].me_key)
			py_refer(w, entries[i].me_key, SNAP_REF_HIDDEN, SNAP_LABEL_NONE);
}

#else

bool py_instance_holds(PyObject *instance, PyObject *names, PyObject *values)
{
	PyObject *dict = dict_at_offset(instance);
	for (Py_ssize_t i = 0; dict && i < PyTuple_GET_SIZE(names); i++)
		if (PyDict_GetItemWithError(dict, PyTuple_GET_ITEM(names, i)) !=
		    PyTuple_GET_ITEM(values, i))
			return false;
	return dict != NULL;
}

PyObject *py_instance_dict(const struct py_walk *w, PyObject *object)
{
	(void)w;
	return dict_at_offset(object);
}

size_t py_inline_values_size(PyObject *object)
{
	(void)object;
	return 0;
}

void py_claim_instance(struct py_walk *w, PyObject *object, const struct py_type *type)
{
	if (type->layout != PY_MODULE) /* its dict is what it is about */
		claim_dict(w, type->type->tp_dictoffset ? dict_at_offset(object) : NULL);
}

static void refer_shared_keys(struct py_walk *w, const PyTypeObject *type)
{
	(void)w;
	(void)type;
}

#endif

/* ---- types ---- */

static void refer_internal(struct py_walk *w, PyObject *to, const char *label)
{
	if (to)
		py_refer(w, to, SNAP_REF_INTERNAL, py_literal_label(w, label));
}

void py_claim_type(struct py_walk *w, PyTypeObject *type)
{
	const PyHeapTypeObject *heap = (const PyHeapTypeObject *)type;
	py_claim_internal(w, type->tp_dict, "__dict__");
	py_claim_internal(w, type->tp_cache, "tp_cache");
	py_claim_internal(w, type->tp_mro, "__mro__");
	py_claim_internal(w, type->tp_bases, "__bases__");
	py_claim_internal(w, (PyObject *)type->tp_base, "__base__");
#if PY_SINCE(3, 9)
	py_claim_internal(w, heap->ht_module, "__module__");
#endif
	/* These tp_traverse does not report. */
	refer_internal(w, heap->ht_name, "__name__");
	refer_internal(w, heap->ht_qualname, "__qualname__");
	refer_internal(w, heap->ht_slots, "__slots__");
	refer_internal(w, (PyObject *)type->tp_subclasses, "tp_subclasses");
	refer_shared_keys(w, type);
}

void py_refer_static_type(struct py_walk *w, PyTypeObject *type)
{
	refer_internal(w, py_type_dict(type), "__dict__");
	refer_internal(w, type->tp_mro, "__mro__");
	refer_internal(w, type->tp_bases, "__bases__");
	refer_internal(w, (PyObject *)type->tp_base, "__base__");
#if !PY_SINCE(3, 12)
	refer_internal(w, type->tp_subclasses, "tp_subclasses");
#endif
}
