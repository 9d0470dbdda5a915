/* The live blocks, and older ones that may be, found by any address inside of them. */
#include <sys/mman.h>

#include "track.h"

#define PAGE_BITS 12

/* Blocks that touch a page: indexes from first to below last. */
struct track_holders_page {
	uintptr_t page;
	uint32_t first, last; /* last 0: there is none */
};

struct gathering {
	struct track_holders *holders;
	size_t capacity;
	const struct track_range *older, *older_end;
};

static bool add(struct gathering *g, const struct track_block *block)
{
	struct track_holders *h = g->holders;
	if (h->count == g->capacity) {
		size_t size = g->capacity * sizeof *h->blocks;
		void *more = size ? mremap(h->blocks, size, 2 * size, MREMAP_MAYMOVE)
				  : track_map((size_t)1 << 20);
		if (!more || more == MAP_FAILED || h->count >= UINT32_MAX / 2)
			return false;
		h->blocks = more;
		g->capacity = size ? 2 * g->capacity : ((size_t)1 << 20) / sizeof *h->blocks;
	}
	uintptr_t end = block->address + (block->size ? block->size : 1);
	end = end > block->address ? end : UINTPTR_MAX;
	h->nested = h->nested || block->address < h->high;
	h->high = end > h->high ? end : h->high;
	h->blocks[h->count++] = (struct track_range){block->address, end};
	return true;
}

/* Those that begin below an address. */
static bool add_older(struct gathering *g, uintptr_t until)
{
	for (; g->older < g->older_end && g->older->start < until; g->older++) {
		const struct track_block block = {.address = g->older->start,
						  .size = g->older->end - g->older->start};
		if (block.size != 0 && !add(g, &block))
			return false;
	}
	return true;
}

static bool gather(void *context, const struct track_block *block)
{
	return add_older(context, block->address) && add(context, block);
}

static struct track_holders_page *page_slot(const struct track_holders *h, uintptr_t page)
{
	size_t at = (size_t)(page * 0x9e3779b97f4a7c15u >> 20) & h->page_mask;
	while (h->pages[at].last != 0 && h->pages[at].page != page)
		at = (at + 1) & h->page_mask;
	return &h->pages[at];
}

/* That any block touches. */
static size_t count_pages(const struct track_holders *h)
{
	size_t count = 0;
	uintptr_t next = 0;
	for (size_t i = 0; i < h->count; i++) {
		uintptr_t first = h->blocks[i].start >> PAGE_BITS,
			  last = (h->blocks[i].end - 1) >> PAGE_BITS;
		first = first < next ? next : first;
		count += last >= first ? last - first + 1 : 0;
		next = last + 1 > next ? last + 1 : next;
	}
	return count;
}

static void fill_pages(struct track_holders *h)
{
	for (size_t i = 0; i < h->count; i++) {
		uintptr_t last = (h->blocks[i].end - 1) >> PAGE_BITS;
		for (uintptr_t page = h->blocks[i].start >> PAGE_BITS; page <= last; page++) {
			struct track_holders_page *slot = page_slot(h, page);
			if (slot->last == 0)
				*slot = (struct track_holders_page){.page = page,
								    .first = (uint32_t)i};
			slot->last = (uint32_t)i + 1;
		}
	}
}

bool track_holders_read(struct track_holders *h, const struct track_chunks *older)
{
	struct gathering g = {
		.holders = h, .older = older->all, .older_end = older->all + older->count};
	uint64_t duplicates;
	*h = (struct track_holders){0};
	if (!track_blocks_each(gather, &g, &duplicates) || !add_older(&g, UINTPTR_MAX))
		return false;
	if (h->count == 0)
		return true;
	size_t pages = count_pages(h), capacity = 64;
	while (capacity < 2 * pages)
		capacity *= 2;
	h->pages = track_map(capacity * sizeof *h->pages);
	if (!h->pages)
		return false;
	h->page_mask = capacity - 1;
	fill_pages(h);
	h->low = h->blocks[0].start;
	return true;
}

const struct track_range *track_holders_find(const struct track_holders *h, uintptr_t address)
{
	if (TRACK_LIKELY(address < h->low || address >= h->high))
		return NULL;
	const struct track_holders_page *page = page_slot(h, address >> PAGE_BITS);
	size_t low = page->first, high = page->last;
	while (low < high) {
		size_t middle = low + (high - low) / 2;
		if (h->blocks[middle].start <= address)
			low = middle + 1;
		else
			high = middle;
	}
	while (low-- > page->first) {
		if (address < h->blocks[low].end)
			return &h->blocks[low];
		if (!h->nested)
			break;
	}
	return NULL;
}

bool track_holders_words(const struct track_holders *h, struct track_maps *maps,
			 const struct track_block *block,
			 bool (*each)(void *context, size_t offset, uintptr_t target),
			 void *context)
{
	uintptr_t end = block->address + block->size;
	for (uintptr_t at = (block->address + 7) & ~(uintptr_t)7, stop; end - at >= 8; at = stop) {
		stop = track_maps_readable(maps, &at, end);
		if (stop == 0)
			break;
		for (; stop >= at + 8; at += 8) {
			const struct track_range *to =
				track_holders_find(h, *(const uintptr_t *)at); /* NOLINT */
			if (!to || to->start == block->address ||
			    (h->nested && track_holders_find(h, at)->start != block->address))
				continue;
			if (!each(context, at - block->address, to->start))
				return false;
		}
	}
	return true;
}
