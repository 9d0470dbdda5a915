/* A cache of pages of arrays (pages.h): what was not used lately makes room. */
#include "graph.h"

#include <errno.h>
#include <string.h>

/* Large enough that a call for a page costs little beside what it moves; smaller where a cache of
 * such pages would have too few. */
#define PAGE_SHIFT_MAX 12
#define PAGE_SHIFT_MIN 6
#define FEW_FRAMES     256
#define LEAST_FRAMES   16

static enum snap_status fail(struct pages *pages, int failed, const char *what)
{
	if (pages->failed == SNAP_OK)
		pages->failed = libsnap_fail_io(
			&pages->error, failed, SNAP_NO_OFFSET, "cannot %s a temporary file in %s",
			what, libsnap_temporary_folder(pages->graph->options.temporary_folder));
	return pages->failed;
}

static enum snap_status store(struct pages *pages, uint32_t index)
{
	const struct snap_io *io = pages->graph->io;
	struct frame *frame = &pages->frames[index];
	struct paged *array = frame->array;
	int failed = 0;
	if (array->file == NULL) {
		failed = io->open(io->context,
				  libsnap_temporary_folder(pages->graph->options.temporary_folder),
				  SNAP_IO_TEMPORARY, &array->file);
		if (failed != 0) {
			array->file = NULL;
			return fail(pages, failed, "make");
		}
	}
	failed = io->write_at(io->context, array->file, frame->page << pages->page_shift,
			      pages->memory + ((uint64_t)index << pages->page_shift),
			      (size_t)1 << pages->page_shift);
	if (failed != 0)
		return fail(pages, failed, "write");
	pages->state[index] &= (uint8_t)~FRAME_DIRTY;
	return SNAP_OK;
}

/* Takes the page out of a frame. */
static enum snap_status empty(struct pages *pages, uint32_t index)
{
	struct frame *frame = &pages->frames[index];
	if (frame->array == NULL)
		return SNAP_OK;
	uint32_t *place = &frame->array->frames[frame->page];
	if (pages->state[index] & FRAME_DIRTY) {
		enum snap_status status = store(pages, index);
		if (status != SNAP_OK)
			return status;
		*place = PAGE_STORED;
	} else {
		*place = frame->stored ? PAGE_STORED : PAGE_NEW;
	}
	frame->array = NULL;
	pages->state[index] = 0;
	return SNAP_OK;
}

static uint32_t choose_frame(struct pages *pages)
{
	if (pages->taken < pages->frame_count)
		return pages->taken++;
	for (;;) {
		uint32_t index = pages->hand;
		pages->hand = index + 1 < pages->frame_count ? index + 1 : 0;
		if (!(pages->state[index] & FRAME_USED))
			return index;
		pages->state[index] &= (uint8_t)~FRAME_USED;
	}
}

uint32_t libsnap_paged_fetch(struct paged *array, uint64_t page)
{
	struct pages *pages = array->pages;
	const struct snap_io *io = pages->graph->io;
	size_t size = (size_t)1 << pages->page_shift, got = 0;
	bool good = pages->failed == SNAP_OK && page < array->page_count;
	uint32_t index = good ? choose_frame(pages) : pages->frame_count;
	if (index < pages->frame_count && empty(pages, index) != SNAP_OK)
		index = pages->frame_count;
	uint8_t *memory = pages->memory + ((uint64_t)index << pages->page_shift);
	bool stored = good && array->frames[page] == PAGE_STORED;
	if (index < pages->frame_count && stored) {
		int failed = io->read_at(io->context, array->file, page << pages->page_shift,
					 memory, size, &got);
		if (failed != 0 || got != size) {
			fail(pages, failed != 0 ? failed : EIO, "read");
			index = pages->frame_count;
			memory = pages->memory + ((uint64_t)index << pages->page_shift);
		}
	}
	if (index == pages->frame_count || !stored)
		memset(memory, 0, size);
	if (index < pages->frame_count) {
		pages->frames[index] =
			(struct frame){.array = array, .page = page, .stored = stored};
		pages->state[index] = FRAME_USED;
		array->frames[page] = index;
	}
	return index;
}

static size_t frame_bytes(unsigned page_shift)
{
	return ((size_t)1 << page_shift) + sizeof(struct frame) + 1;
}

static void lay_out(struct pages *pages, uint8_t *block, uint32_t count)
{
	size_t frames = (size_t)count + 1;
	pages->memory = block;
	pages->frames = (struct frame *)(block + (frames << pages->page_shift));
	pages->state = (uint8_t *)(pages->frames + frames);
	pages->frame_count = count;
	pages->hand = pages->taken = 0;
	memset(pages->frames, 0, frames * sizeof(*pages->frames));
	memset(pages->state, 0, frames);
}

enum snap_status libsnap_pages_open(struct pages **out, struct snap_graph *graph, uint64_t bytes,
				    struct snap_error *error)
{
	enum snap_status status =
		libsnap_graph_reserve(graph, "a cache", sizeof(struct pages), error);
	if (status != SNAP_OK)
		return status;
	struct pages *pages = libsnap_graph_take_zeroed(graph, 1, sizeof(*pages));
	if (pages == NULL)
		return libsnap_fail_memory(error);
	pages->graph = graph;
	pages->page_shift = PAGE_SHIFT_MAX;
	while (pages->page_shift > PAGE_SHIFT_MIN && bytes >> pages->page_shift < FEW_FRAMES)
		pages->page_shift--;
	*out = pages;
	return SNAP_OK;
}

void libsnap_pages_close(struct pages *pages)
{
	if (pages == NULL)
		return;
	while (pages->arrays != NULL)
		libsnap_paged_close(pages->arrays);
	libsnap_graph_give(pages->graph, pages->memory, (size_t)libsnap_pages_bytes(pages), 1);
	libsnap_graph_give(pages->graph, pages, 1, sizeof(*pages));
}

enum snap_status libsnap_pages_resize(struct pages *pages, uint64_t bytes, struct snap_error *error)
{
	struct snap_graph *graph = pages->graph;
	uint64_t count = bytes / frame_bytes(pages->page_shift);
	uint64_t old = libsnap_pages_bytes(pages);
	if (count > PAGE_STORED - 2)
		count = PAGE_STORED - 2;
	count = count < LEAST_FRAMES + 1 ? LEAST_FRAMES : count - 1;
	uint64_t size = (count + 1) * frame_bytes(pages->page_shift);
	for (uint32_t i = 0; i < pages->taken && pages->failed == SNAP_OK; i++)
		(void)!empty(pages, i);
	enum snap_status status = libsnap_pages_check(pages, error);
	if (status == SNAP_OK && old == 0)
		status = libsnap_graph_reserve(graph, "a cache", size, error);
	if (status != SNAP_OK)
		return status;
	if (size > old && libsnap_graph_room(graph) < size - old)
		return SNAP_OK;
	uint8_t *block = libsnap_graph_resize(graph, pages->memory, (size_t)old, (size_t)size);
	if (block != NULL)
		lay_out(pages, block, (uint32_t)count);
	else if (pages->memory == NULL)
		return libsnap_fail_memory(error);
	return SNAP_OK;
}

void libsnap_pages_shrink(struct pages *pages, uint64_t bytes)
{
	uint64_t now = libsnap_pages_bytes(pages),
		 least = (LEAST_FRAMES + 1) * frame_bytes(pages->page_shift);
	uint64_t more = now / 8;
	if (now < least + bytes)
		return;
	if (now - least - bytes < more)
		more = now - least - bytes;
	/* What fails is remembered, or leaves the cache as it was. */
	(void)!libsnap_pages_resize(pages, now - bytes - more, NULL);
}

uint64_t libsnap_pages_bytes(const struct pages *pages)
{
	return pages->memory != NULL ? (pages->frame_count + 1ull) * frame_bytes(pages->page_shift)
				     : 0;
}

enum snap_status libsnap_pages_check(const struct pages *pages, struct snap_error *error)
{
	if (pages->failed != SNAP_OK && error != NULL)
		*error = pages->error;
	return pages->failed;
}

enum snap_status libsnap_paged_open(struct paged *array, struct pages *pages, uint64_t count,
				    bool wide, struct snap_error *error)
{
	unsigned shift = pages->page_shift - (wide ? 3 : 2);
	uint64_t page_count = (count >> shift) + 1;
	enum snap_status status =
		libsnap_graph_reserve(pages->graph, "places of pages", page_count * 4, error);
	if (status != SNAP_OK)
		return status;
	uint32_t *frames = libsnap_graph_take(pages->graph, page_count, 4);
	if (frames == NULL)
		return libsnap_fail_memory(error);
	memset(frames, 0xff, page_count * 4);
	*array = (struct paged){.pages = pages,
				.wide = wide,
				.frames = frames,
				.page_count = page_count,
				.shift = shift,
				.next = pages->arrays};
	pages->arrays = array;
	return SNAP_OK;
}

void libsnap_paged_close(struct paged *array)
{
	struct pages *pages = array->pages;
	if (pages == NULL)
		return;
	const struct snap_io *io = pages->graph->io;
	for (uint32_t i = 0; i < pages->taken; i++)
		if (pages->frames[i].array == array) {
			pages->frames[i].array = NULL;
			pages->state[i] = 0;
		}
	struct paged **link = &pages->arrays;
	while (*link != array)
		link = &(*link)->next;
	*link = array->next;
	if (array->file != NULL)
		io->close(io->context, array->file);
	libsnap_graph_give(pages->graph, array->frames, array->page_count, 4);
	*array = (struct paged){.pages = NULL};
}
