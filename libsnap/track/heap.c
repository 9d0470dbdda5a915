/* The heap of the child of a snapshot: small blocks
 * by powers of two, large ones from the system. */
#include <string.h>
#include <sys/mman.h>

#include "track.h"

#define SMALL_MIN 6u /* log2 */

static unsigned class_of(size_t size)
{
	unsigned c = SMALL_MIN;
	while (c <= TRACK_HEAP_SMALL && (size_t)1 << c < size)
		c++;
	return c;
}

static void *heap_take(struct track_heap *heap, size_t size)
{
	unsigned c = class_of(size);
	if (c > TRACK_HEAP_SMALL)
		return track_map(size);
	void *first = heap->free[c];
	if (!first)
		return track_alloc((size_t)1 << c);
	memcpy(&heap->free[c], first, sizeof(void *));
	return first;
}

static void heap_give(struct track_heap *heap, void *pointer, size_t size)
{
	unsigned c = class_of(size);
	if (c > TRACK_HEAP_SMALL) {
		munmap(pointer, size);
		return;
	}
	memcpy(pointer, &heap->free[c], sizeof(void *));
	heap->free[c] = pointer;
}

void *track_heap_resize(void *context, void *pointer, size_t old_size, size_t new_size)
{
	struct track_heap *heap = context;
	if (pointer && new_size && (class_of(old_size) > TRACK_HEAP_SMALL) &&
	    class_of(new_size) > TRACK_HEAP_SMALL) {
		void *moved = mremap(pointer, old_size, new_size, MREMAP_MAYMOVE);
		return moved == MAP_FAILED ? NULL : moved;
	}
	if (pointer && new_size && class_of(old_size) == class_of(new_size))
		return pointer;
	void *new = new_size ? heap_take(heap, new_size) : NULL;
	if (pointer && (new || new_size == 0)) {
		if (new)
			memcpy(new, pointer, old_size < new_size ? old_size : new_size);
		heap_give(heap, pointer, old_size);
	}
	return new;
}
