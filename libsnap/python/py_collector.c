/* All objects that the cyclic collector tracks, without a list of them. */
#include "py_private.h"

#if PY_SINCE(3, 14)

static int note_one(PyObject *object, void *context)
{
	struct py_walk *w = context;
	(void)py_note(w, object);
	return py_going(w);
}

void py_collector_walk(struct py_walk *w)
{
	PyUnstable_GC_VisitObjects(note_one, w);
}

#else

#define LINK_MASK (~(uintptr_t)3) /* the low bits are the collector's flags */

static PyGC_Head *next_of(const PyGC_Head *link)
{
	return (PyGC_Head *)(link->_gc_next & LINK_MASK);
}

static PyGC_Head *previous_of(const PyGC_Head *link)
{
	return (PyGC_Head *)(link->_gc_prev & LINK_MASK);
}

static void note(struct py_walk *w, PyGC_Head *link, unsigned generation)
{
	uint32_t id = py_note(w, (PyObject *)(link + 1));
	if (id)
		py_row_of(w, id)->generation = (uint16_t)generation;
}

#define STRIDE 8u /* links; a power of two */

/* Objects that were made one after the other mostly lie so, too: where the link
 * is that comes as far behind this one as this one comes behind an earlier. */
static inline void expect_stride(PyGC_Head *link, PyGC_Head **earlier, size_t turn)
{
	PyGC_Head **place = &earlier[turn % STRIDE];
	/* NOLINTNEXTLINE(performance-no-int-to-ptr) */
	__builtin_prefetch((const void *)((uintptr_t)link * 2 - (uintptr_t)*place));
	*place = link;
}

/* From both ends, so that two links are waited for at once.  The way back is believed only as
 * far as the way there agrees, and what was found on it comes in the order of the list. */
static void note_generation(struct py_walk *w, PyGC_Head *head, unsigned generation)
{
	struct py_area back = {0};
	PyGC_Head *first = next_of(head), *last = head, *before = previous_of(head);
	PyGC_Head *earlier_first[STRIDE] = {0}, *earlier_last[STRIDE] = {0};
	for (size_t turn = 0; first != last && py_going(w); turn++) {
		expect_stride(first, earlier_first, turn);
		expect_stride(before, earlier_last, turn);
		note(w, first, generation);
		first = next_of(first);
		if (first == last || next_of(before) != last)
			continue;
		PyGC_Head **added = py_area_add(&back, sizeof(*added));
		if (!added)
			continue;
		*added = last = before;
		before = previous_of(last);
	}
	for (size_t i = back.size / sizeof(PyGC_Head *); i-- > 0 && py_going(w);)
		note(w, ((PyGC_Head **)(void *)back.bytes)[i], generation);
	py_area_free(&back);
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
