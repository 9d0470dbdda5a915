/* Memory through the caller's allocator, with sizes that cannot overflow. */
#include <stdlib.h>
#include <string.h>

#include "core.h"

static void *system_resize(void *context, void *pointer, size_t old_size, size_t new_size)
{
	(void)context;
	(void)old_size;
	if (new_size == 0) {
		free(pointer);
		return NULL;
	}
	return realloc(pointer, new_size);
}

static bool is_system(const struct snap_allocator *allocator)
{
	return !allocator || !allocator->resize;
}

static void *resize(const struct snap_allocator *allocator, void *pointer, size_t old_size,
		    size_t new_size)
{
	if (is_system(allocator))
		return system_resize(NULL, pointer, old_size, new_size);
	return allocator->resize(allocator->context, pointer, old_size, new_size);
}

/* Never 0, which would mean free; SIZE_MAX where it overflows. */
static size_t size_of(size_t count, size_t element_size)
{
	size_t size;
	if (__builtin_mul_overflow(count, element_size, &size) || size > PTRDIFF_MAX)
		return SIZE_MAX;
	return size ? size : 1;
}

void *libsnap_alloc(const struct snap_allocator *allocator, size_t count, size_t element_size)
{
	size_t size = size_of(count, element_size);
	return size == SIZE_MAX ? NULL : resize(allocator, NULL, 0, size);
}

void *libsnap_alloc_zeroed(const struct snap_allocator *allocator, size_t count,
			   size_t element_size)
{
	size_t size = size_of(count, element_size);
	/* The system's pages are zero, and those that nobody writes to are never taken. */
	if (is_system(allocator))
		return size == SIZE_MAX ? NULL : calloc(1, size);
	void *pointer = libsnap_alloc(allocator, count, element_size);
	if (pointer)
		memset(pointer, 0, size);
	return pointer;
}

void *libsnap_resize_array(const struct snap_allocator *allocator, void *pointer, size_t old_count,
			   size_t new_count, size_t element_size)
{
	size_t size = size_of(new_count, element_size);
	if (size == SIZE_MAX)
		return NULL;
	return resize(allocator, pointer, pointer ? size_of(old_count, element_size) : 0, size);
}

void libsnap_free(const struct snap_allocator *allocator, void *pointer, size_t count,
		  size_t element_size)
{
	if (pointer)
		resize(allocator, pointer, size_of(count, element_size), 0);
}

void *libsnap_grow(const struct snap_allocator *allocator, void *pointer, size_t *capacity,
		   size_t needed, size_t element_size)
{
	if (pointer && needed <= *capacity)
		return pointer;
	size_t wanted = *capacity + *capacity / 2 + 16;
	if (wanted < needed)
		wanted = needed;
	void *larger = libsnap_resize_array(allocator, pointer, *capacity, wanted, element_size);
	if (larger)
		*capacity = wanted;
	return larger;
}
