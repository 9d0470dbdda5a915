/* All objects that the cyclic collector tracks, without a list of them. */
#include "py_private.h"

#if PY_SINCE(3, 14)

static int note_one(PyObject *object, void *context)
{
	struct py_walk *w = context;
	if (py_note(w, object))
		py_mark(w, object);
	return py_going(w);
}

void py_collector_walk(struct py_walk *w)
{
	PyUnstable_GC_VisitObjects(note_one, w);
}

#else

#define LINK_MASK (~(uintptr_t)3) /* the low bits are the collector's flags */

static void note_generation(struct py_walk *w, PyGC_Head *head, unsigned generation)
{
	PyGC_Head *link = (PyGC_Head *)(head->_gc_next & LINK_MASK);
	for (; link != head && py_going(w); link = (PyGC_Head *)(link->_gc_next & LINK_MASK)) {
		uint32_t id = py_note(w, (PyObject *)(link + 1));
		if (!id)
			return;
		*py_flags_of(w, id) |= (uint8_t)(generation << PY_GENERATION);
		py_mark(w, (PyObject *)(link + 1));
	}
}

void py_collector_walk(struct py_walk *w)
{
#if PY_SINCE(3, 9)
	struct _gc_runtime_state *state = &PyInterpreterState_Get()->gc;
#else
	struct _gc_runtime_state *state = &_PyRuntime.gc;
#endif
	for (unsigned i = 0; i < NUM_GENERATIONS; i++)
		note_generation(w, &state->generations[i].head, i);
	note_generation(w, &state->permanent_generation.head, NUM_GENERATIONS);
}

#endif
