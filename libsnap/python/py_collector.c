/* All objects that the cyclic collector tracks, visited in the order of their addresses. */
#include "py_chains.h"

#define SHIFT      4u /* objects begin at multiples of 16 */
#define GENERATION (((uintptr_t)1 << SHIFT) - 1)
#define DIGIT_BITS 11u
#define DIGITS     4u
#define DIGIT_MAX  ((1u << DIGIT_BITS) - 1)
/* Of a process, for each of an address here, as is guessed: room costs nothing until it is used. */
#define BYTES_EACH 32u

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
static bool sort(struct py_area *found)
{
	const size_t size = found->size, count = size / sizeof(uintptr_t);
	uintptr_t *other = py_map_pages(size + 1), *here = (uintptr_t *)(void *)found->bytes;
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

static void note_all(struct py_walk *w, const struct py_area *found)
{
	const uintptr_t *addresses = (const uintptr_t *)(const void *)found->bytes;
	const size_t count = found->size / sizeof(*addresses);
	for (size_t i = 0; i < count && py_going(w); i++) {
		/* NOLINTNEXTLINE(performance-no-int-to-ptr) */
		const uint32_t id = py_note(w, (const PyObject *)(addresses[i] & ~GENERATION));
		if (id)
			py_row_of(w, id)->generation = (uint16_t)(addresses[i] & GENERATION);
	}
}

#if PY_SINCE(3, 14)

struct keeper {
	struct py_area *found;
	bool failed;
};

static int keep(PyObject *object, void *context)
{
	struct keeper *keeper = context;
	uintptr_t *added = py_area_add(keeper->found, sizeof(*added));
	if (added)
		*added = (uintptr_t)object;
	keeper->failed |= !added;
	return added != NULL;
}

static bool find(struct py_area *found)
{
	struct keeper keeper = {.found = found};
	PyUnstable_GC_VisitObjects(keep, &keeper);
	return !keeper.failed;
}

#else

static bool find(struct py_area *found)
{
	return py_chains_follow(found);
}

#endif

void py_collector_walk(struct py_walk *w)
{
	struct py_area found = {0};
	(void)py_area_reserve(&found, w->large_bytes / BYTES_EACH);
	if (!find(&found) || !sort(&found))
		py_fail(w, SNAP_NO_MEMORY, "out of memory for the collector's objects");
	note_all(w, &found);
	py_area_free(&found);
}
