/* All objects that the cyclic collector tracks, visited in the order of their addresses. */
#include "py_private.h"

#define SHIFT      4u /* objects begin at multiples of 16 */
#define DIGIT_BITS 11u
#define DIGITS     4u
#define DIGIT_MAX  ((1u << DIGIT_BITS) - 1)
/* Of a process, for each of an address here, as is guessed: room costs nothing until it is used. */
#define BYTES_EACH 32u

struct found {
	struct py_area addresses; /* uintptr_t */
	bool failed;
};

static bool add(struct found *found, const PyObject *object)
{
	uintptr_t *added = py_area_add(&found->addresses, sizeof(*added));
	if (added)
		*added = (uintptr_t)object;
	found->failed |= !added;
	return added != NULL;
}

/* ---- in order ---- */

static void sort_by_digit(const uintptr_t *from, uintptr_t *to, size_t count, unsigned digit)
{
	const unsigned shift = SHIFT + digit * DIGIT_BITS;
	size_t counts[DIGIT_MAX + 1] = {0}, place = 0;
	for (size_t i = 0; i < count; i++)
		counts[from[i] >> shift & DIGIT_MAX]++;
	for (size_t value = 0; value <= DIGIT_MAX; value++) {
		const size_t next = place + counts[value];
		counts[value] = place;
		place = next;
	}
	for (size_t i = 0; i < count; i++)
		to[counts[from[i] >> shift & DIGIT_MAX]++] = from[i];
}

/* What an address has above the last digit is the same for nearly all. */
static bool sort(struct found *found)
{
	const size_t size = found->addresses.size, count = size / sizeof(uintptr_t);
	uintptr_t *other = py_map_pages(size + 1),
		  *here = (uintptr_t *)(void *)found->addresses.bytes;
	if (!other)
		return false;
	for (unsigned digit = 0; digit < DIGITS; digit += 2) {
		sort_by_digit(here, other, count, digit);
		sort_by_digit(other, here, count, digit + 1);
	}
	py_unmap_pages(other, size + 1);
	return true;
}

/* ---- visited ---- */

static void note_all(struct py_walk *w, const struct found *found, unsigned generation)
{
	const uintptr_t *addresses = (const uintptr_t *)(const void *)found->addresses.bytes;
	const size_t count = found->addresses.size / sizeof(*addresses);
	for (size_t i = 0; i < count && py_going(w); i++) {
		/* NOLINTNEXTLINE(performance-no-int-to-ptr) */
		const uint32_t id = py_note(w, (const PyObject *)addresses[i]);
		if (id)
			py_row_of(w, id)->generation = (uint16_t)generation;
	}
}

static void note_found(struct py_walk *w, struct found *found, unsigned generation)
{
	if (found->failed || !sort(found))
		py_fail(w, SNAP_NO_MEMORY, "out of memory for the collector's objects");
	note_all(w, found, generation);
	found->addresses.size = 0;
}

#if PY_SINCE(3, 14)

static int keep(PyObject *object, void *context)
{
	return add(context, object);
}

void py_collector_walk(struct py_walk *w)
{
	struct found found = {0};
	(void)py_area_reserve(&found.addresses, w->large_bytes / BYTES_EACH);
	PyUnstable_GC_VisitObjects(keep, &found);
	note_found(w, &found, 0);
	py_area_free(&found.addresses);
}

#else

#define LINK_MASK (~(uintptr_t)3) /* the low bits are the collector's flags */
#define STRIDE    8u              /* links; a power of two */

static PyGC_Head *next_of(const PyGC_Head *link)
{
	return (PyGC_Head *)(link->_gc_next & LINK_MASK);
}

static PyGC_Head *previous_of(const PyGC_Head *link)
{
	return (PyGC_Head *)(link->_gc_prev & LINK_MASK);
}

/* Objects that were made one after the other mostly lie so, too: where the link is that comes as
 * far behind this one as this one comes behind an earlier. */
static inline void expect_stride(PyGC_Head *link, PyGC_Head **earlier, size_t turn)
{
	PyGC_Head **place = &earlier[turn % STRIDE];
	/* NOLINTNEXTLINE(performance-no-int-to-ptr) */
	__builtin_prefetch((const void *)((uintptr_t)link * 2 - (uintptr_t)*place));
	*place = link;
}

/* From both ends, so that two links are waited for at once.  The way back is believed only as far
 * as the way there agrees. */
static void find_generation(PyGC_Head *head, struct found *found)
{
	PyGC_Head *first = next_of(head), *last = head, *before = previous_of(head);
	PyGC_Head *earlier_first[STRIDE] = {0}, *earlier_last[STRIDE] = {0};
	for (size_t turn = 0; first != last && add(found, (PyObject *)(first + 1)); turn++) {
		expect_stride(first, earlier_first, turn);
		expect_stride(before, earlier_last, turn);
		first = next_of(first);
		if (first == last || next_of(before) != last ||
		    !add(found, (PyObject *)(before + 1)))
			continue;
		last = before;
		before = previous_of(last);
	}
}

void py_collector_walk(struct py_walk *w)
{
#if PY_SINCE(3, 9)
	struct _gc_runtime_state *state = &PyInterpreterState_Get()->gc;
#else
	struct _gc_runtime_state *state = &_PyRuntime.gc;
#endif
	struct found found = {0};
	(void)py_area_reserve(&found.addresses, w->large_bytes / BYTES_EACH);
	for (unsigned i = 0; i <= NUM_GENERATIONS; i++) {
		PyGC_Head *head = i < NUM_GENERATIONS ? &state->generations[i].head
						      : &state->permanent_generation.head;
		find_generation(head, &found);
		note_found(w, &found, i);
	}
	py_area_free(&found.addresses);
}

#endif
