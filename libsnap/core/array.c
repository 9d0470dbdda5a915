/* Arrays that move from memory to pages of temporary files (array.h). */
#include <errno.h>
#include <string.h>

#include "array.h"

#define PAGE         LIBSNAP_ARRAY_PAGE
#define PAGE_NEW     UINT32_MAX       /* zeros, which no file holds */
#define PAGE_STORED  (UINT32_MAX - 1) /* in the file */
#define LEAST_FRAMES 16

void libsnap_arrays_init(struct libsnap_arrays *arrays, const struct snap_allocator *allocator,
			 const struct snap_io *io, const char *folder)
{
	*arrays = (struct libsnap_arrays){.allocator = allocator,
					  .io = io ? io : libsnap_system_io(),
					  .folder = libsnap_temporary_folder(folder)};
}

void libsnap_arrays_end(struct libsnap_arrays *arrays)
{
	libsnap_free(arrays->allocator, arrays->memory, arrays->frame_count, PAGE);
	libsnap_free(arrays->allocator, arrays->frames, arrays->frame_count,
		     sizeof(*arrays->frames));
	arrays->frames = NULL;
	arrays->memory = NULL;
}

enum snap_status libsnap_arrays_check(const struct libsnap_arrays *arrays, struct snap_error *error)
{
	if (arrays->failed != SNAP_OK && error)
		*error = arrays->error;
	return arrays->failed;
}

static void fail_io(struct libsnap_arrays *arrays, int failed, const char *what)
{
	if (arrays->failed == SNAP_OK)
		arrays->failed =
			libsnap_fail_io(&arrays->error, failed, SNAP_NO_OFFSET,
					"cannot %s a temporary file in %s", what, arrays->folder);
}

static void fail_memory(struct libsnap_arrays *arrays)
{
	if (arrays->failed == SNAP_OK)
		arrays->failed = libsnap_fail_memory(&arrays->error);
}

/* ---- pages ---- */

static bool store(struct libsnap_array *array, uint64_t page, const uint8_t *bytes)
{
	struct libsnap_arrays *arrays = array->owner;
	int failed = 0;
	if (!array->file) {
		failed = arrays->io->open(arrays->io->context, arrays->folder, SNAP_IO_TEMPORARY,
					  &array->file);
		if (failed) {
			array->file = NULL;
			fail_io(arrays, failed, "make");
			return false;
		}
	}
	failed = arrays->io->write_at(arrays->io->context, array->file, page * PAGE, bytes, PAGE);
	if (failed)
		fail_io(arrays, failed, "write");
	return !failed;
}

static bool load(struct libsnap_array *array, uint64_t page, uint8_t *bytes)
{
	struct libsnap_arrays *arrays = array->owner;
	size_t got = 0;
	int failed = arrays->io->read_at(arrays->io->context, array->file, page * PAGE, bytes, PAGE,
					 &got);
	if (failed || got != PAGE)
		fail_io(arrays, failed ? failed : EIO, "read");
	return !failed && got == PAGE;
}

/* Takes the page out of a frame. */
static bool empty(struct libsnap_arrays *arrays, size_t index)
{
	struct libsnap_array_frame *frame = &arrays->frames[index];
	if (!frame->array)
		return true;
	if (frame->dirty && !store(frame->array, frame->page, arrays->memory + index * PAGE))
		return false;
	frame->array->places[frame->page] = frame->dirty || frame->stored ? PAGE_STORED : PAGE_NEW;
	frame->array = NULL;
	return true;
}

static size_t choose_frame(struct libsnap_arrays *arrays)
{
	if (arrays->taken < arrays->frame_count)
		return arrays->taken++;
	for (;;) {
		size_t index = arrays->hand;
		arrays->hand = index + 1 < arrays->frame_count ? index + 1 : 0;
		if (!arrays->frames[index].used)
			return index;
		arrays->frames[index].used = false;
	}
}

/* The frame that has the page then; SIZE_MAX: it could not be had. */
static size_t bring(struct libsnap_array *array, uint64_t page)
{
	struct libsnap_arrays *arrays = array->owner;
	if (arrays->failed != SNAP_OK || !array->places || !arrays->frames)
		return SIZE_MAX;
	uint32_t place = array->places[page];
	if (place < PAGE_STORED)
		return place;
	size_t index = choose_frame(arrays);
	if (!empty(arrays, index))
		return SIZE_MAX;
	uint8_t *bytes = arrays->memory + index * PAGE;
	if (place == PAGE_NEW)
		memset(bytes, 0, PAGE);
	else if (!load(array, page, bytes))
		return SIZE_MAX;
	arrays->frames[index] = (struct libsnap_array_frame){
		.array = array, .page = page, .stored = place == PAGE_STORED};
	array->places[page] = (uint32_t)index;
	return index;
}

uint8_t *libsnap_array_fetch(struct libsnap_array *array, uint64_t index, bool changes)
{
	struct libsnap_arrays *arrays = array->owner;
	uint64_t page = index / array->per_page;
	size_t frame = bring(array, page);
	if (frame == SIZE_MAX) {
		memset(arrays->lost.bytes, 0, sizeof(arrays->lost.bytes));
		return arrays->lost.bytes;
	}
	arrays->frames[frame].used = true;
	arrays->frames[frame].dirty |= changes;
	size_t within = (size_t)(index - page * array->per_page);
	return arrays->memory + frame * PAGE + within * array->element_size;
}

/* ---- growing ---- */

static uint64_t pages_of(const struct libsnap_array *array, uint64_t count)
{
	return count / array->per_page + (count % array->per_page != 0);
}

/* Old places stay, new ones are of zeros. */
static bool reach_outside(struct libsnap_array *array, uint64_t count)
{
	uint64_t pages = pages_of(array, count), old = array->capacity;
	if (pages > old || !array->places) {
		size_t capacity = (size_t)old;
		uint32_t *places = libsnap_grow(array->owner->allocator, array->places, &capacity,
						(size_t)pages, sizeof(*places));
		if (!places)
			return false;
		memset(places + old, 0xff, (capacity - old) * sizeof(*places));
		array->places = places;
		array->capacity = capacity;
	}
	array->count = count > array->count ? count : array->count;
	return true;
}

/* Writes what is in memory, which is then free. */
static void move_out(struct libsnap_array *array)
{
	struct libsnap_arrays *arrays = array->owner;
	uint64_t pages = pages_of(array, array->count);
	size_t used = array->per_page * array->element_size;
	for (uint64_t page = 0; page < pages && arrays->failed == SNAP_OK; page++) {
		uint64_t left = array->count - page * array->per_page;
		size_t size = left < array->per_page ? (size_t)left * array->element_size : used;
		memset(arrays->lost.bytes, 0, PAGE);
		memcpy(arrays->lost.bytes, array->memory + page * used, size);
		if (!store(array, page, arrays->lost.bytes))
			break;
	}
	libsnap_free(arrays->allocator, array->memory, (size_t)array->capacity,
		     array->element_size);
	array->memory = NULL;
	array->capacity = 0;
	if (!reach_outside(array, array->count))
		fail_memory(arrays);
	for (uint64_t page = 0; page < pages && arrays->failed == SNAP_OK; page++)
		array->places[page] = PAGE_STORED;
}

void libsnap_arrays_move_out(struct libsnap_arrays *arrays)
{
	if (arrays->outside)
		return;
	arrays->outside = true;
	for (struct libsnap_array *array = arrays->first; array; array = array->next)
		if (array->memory)
			move_out(array);
	size_t count = arrays->cache_bytes / (PAGE + sizeof(*arrays->frames));
	arrays->frame_count = count < LEAST_FRAMES ? LEAST_FRAMES : count;
	arrays->frames = libsnap_alloc_zeroed(arrays->allocator, arrays->frame_count,
					      sizeof(*arrays->frames));
	arrays->memory = libsnap_alloc(arrays->allocator, arrays->frame_count, PAGE);
	if (!arrays->frames || !arrays->memory)
		fail_memory(arrays);
}

static bool reach_inside(struct libsnap_array *array, uint64_t count)
{
	struct libsnap_arrays *arrays = array->owner;
	size_t capacity = (size_t)array->capacity;
	if (count > SIZE_MAX / array->element_size)
		return false;
	arrays->growing = true;
	arrays->refused = false;
	void *larger = libsnap_grow(arrays->allocator, array->memory, &capacity, (size_t)count,
				    array->element_size);
	arrays->growing = false;
	if (!larger)
		return false;
	array->memory = larger;
	array->capacity = capacity;
	if (count > array->count) {
		memset(array->memory + array->count * array->element_size, 0,
		       (size_t)(count - array->count) * array->element_size);
		array->count = count;
	}
	return true;
}

bool libsnap_array_reach(struct libsnap_array *array, uint64_t count)
{
	struct libsnap_arrays *arrays = array->owner;
	if (!arrays->outside) {
		if (reach_inside(array, count))
			return true;
		if (!arrays->refused)
			return false;
		libsnap_arrays_move_out(arrays);
	}
	return reach_outside(array, count) && arrays->failed == SNAP_OK;
}

bool libsnap_array_add_slowly(struct libsnap_array *array, const void *element)
{
	uint64_t index = array->count;
	if (!libsnap_array_reach(array, index + 1))
		return false;
	memcpy(libsnap_array_edit(array, index), element, array->element_size);
	return true;
}

/* ---- arrays ---- */

void libsnap_array_begin(struct libsnap_array *array, struct libsnap_arrays *arrays,
			 size_t element_size)
{
	*array = (struct libsnap_array){
		.owner = arrays, .next = arrays->first, .element_size = element_size};
	array->per_page = PAGE / element_size;
	arrays->first = array;
}

static struct libsnap_array **link_to(const struct libsnap_array *array)
{
	struct libsnap_array **link = &array->owner->first;
	while (*link != array)
		link = &(*link)->next;
	return link;
}

static void rename_frames(struct libsnap_array *from, struct libsnap_array *to)
{
	struct libsnap_arrays *arrays = from->owner;
	for (size_t i = 0; i < arrays->taken; i++)
		if (arrays->frames[i].array == from)
			arrays->frames[i].array = to;
}

void libsnap_array_end(struct libsnap_array *array)
{
	struct libsnap_arrays *arrays = array->owner;
	if (!arrays)
		return;
	rename_frames(array, NULL);
	*link_to(array) = array->next;
	if (array->file)
		arrays->io->close(arrays->io->context, array->file);
	libsnap_free(arrays->allocator, array->memory, (size_t)array->capacity,
		     array->element_size);
	libsnap_free(arrays->allocator, array->places, (size_t)array->capacity,
		     sizeof(*array->places));
	array->owner = NULL;
}

void libsnap_array_replace(struct libsnap_array *array, struct libsnap_array *from)
{
	libsnap_array_end(array);
	rename_frames(from, array);
	*link_to(from) = array;
	*array = *from;
	from->owner = NULL;
}

/* Elements from first on that lie in one piece, at most count. */
static size_t in_one_piece(const struct libsnap_array *array, uint64_t first, size_t count)
{
	size_t left = array->memory ? count : array->per_page - first % array->per_page;
	return left < count ? left : count;
}

void libsnap_array_read(struct libsnap_array *array, uint64_t first, size_t count, void *to)
{
	while (count > 0) {
		size_t piece = in_one_piece(array, first, count);
		memcpy(to, libsnap_array_at(array, first), piece * array->element_size);
		to = (uint8_t *)to + piece * array->element_size;
		first += piece;
		count -= piece;
	}
}

void libsnap_array_write(struct libsnap_array *array, uint64_t first, size_t count,
			 const void *from)
{
	while (count > 0) {
		size_t piece = in_one_piece(array, first, count);
		memcpy(libsnap_array_edit(array, first), from, piece * array->element_size);
		from = (const uint8_t *)from + piece * array->element_size;
		first += piece;
		count -= piece;
	}
}

bool libsnap_array_equals(struct libsnap_array *array, uint64_t first, size_t count,
			  const void *other)
{
	while (count > 0) {
		size_t piece = in_one_piece(array, first, count),
		       size = piece * array->element_size;
		if (memcmp(libsnap_array_at(array, first), other, size) != 0)
			return false;
		other = (const uint8_t *)other + size;
		first += piece;
		count -= piece;
	}
	return true;
}
