/* Which blocks are live: a table by address, without locks.
 *
 * A directory of two levels leads from an address to the slab of its page of 4 KiB, two lines
 * (of 64 bytes) with room for fifteen blocks, and then to a chain of further slabs, each twice
 * as large as the one before; a block may lie in that line of a slab that its place in the page
 * chooses.  So a look-up reads one line of each, and most find it in the first.  Slabs are never
 * moved or given back: a block is added by one compare-and-swap from 0 and removed by storing 0,
 * also in a signal handler, also while another process of ours is made by fork().  A bit for
 * each page says whether it ever had a block, so that what has none costs no more than that. */
#include <string.h>
#ifdef __SSE2__
#include <emmintrin.h>
#endif
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "track.h"

/* A word: used (1 bit) · place in the page (9) · large (1) · size (25) · site (28); or 0.  A large
 * block has a second word, with the same place, site EXTENSION and the upper bits of its size. */
#define SITE_BITS 28
#define SIZE_BITS 25
#define SITE_MASK (((uint64_t)1 << SITE_BITS) - 1)
#define SIZE_MASK (((uint64_t)1 << SIZE_BITS) - 1)
#define LARGE     ((uint64_t)1 << (SITE_BITS + SIZE_BITS))
#define PLACE_AT  (SITE_BITS + SIZE_BITS + 1)
#define USED      512u /* beside the place */
#define EXTENSION SITE_MASK

#define PAGE_BITS   12
#define PLACES      512u
#define UPPER_BITS  18
#define LOWER_BITS  18
#define ADDRESS_END ((uintptr_t)1 << (PAGE_BITS + UPPER_BITS + LOWER_BITS))
#define LINE        8u /* words */
#define PAGE_LINES  1u /* log2, as the others */
#define LINES_MIN   1u
#define LINES_MAX   6u

typedef _Atomic uint64_t word;
/* A slab's address with log2 of its lines in the low bits; its own first
 * word is the next slab.  A page is the first slab of its chain. */
struct page {
	_Alignas(64) word words[LINE << PAGE_LINES];
};
struct region {
	struct page pages[1u << LOWER_BITS];
	word used[(1u << LOWER_BITS) / 64]; /* a bit for each page that had a block */
};

static struct region *_Atomic directory[1u << UPPER_BITS];

static inline struct region *region_of(uintptr_t address)
{
	if (TRACK_UNLIKELY(address >= ADDRESS_END))
		return NULL;
	return atomic_load_explicit(&directory[address >> (PAGE_BITS + LOWER_BITS)],
				    memory_order_acquire);
}

static inline uintptr_t page_number(uintptr_t address)
{
	return address >> PAGE_BITS & (((uintptr_t)1 << LOWER_BITS) - 1);
}

static inline struct page *used_page(struct region *region, uintptr_t number)
{
	uint64_t used = atomic_load_explicit(&region->used[number / 64], memory_order_acquire);
	return used >> number % 64 & 1 ? &region->pages[number] : NULL;
}

/* NULL: no block was ever there. */
static inline struct page *page_of(uintptr_t address)
{
	struct region *region = region_of(address);
	return region ? used_page(region, page_number(address)) : NULL;
}

static __attribute__((noinline)) struct page *make_page(uintptr_t address)
{
	struct region *region = region_of(address), *none = NULL;
	if (!region) {
		if (address >= ADDRESS_END || !(region = track_map(sizeof *region)))
			return NULL;
		madvise(region, sizeof *region, MADV_NOHUGEPAGE);
		if (!atomic_compare_exchange_strong(&directory[address >> (PAGE_BITS + LOWER_BITS)],
						    &none, region)) {
			syscall(SYS_munmap, region, sizeof *region);
			region = none;
		}
	}
	uintptr_t number = page_number(address);
	atomic_fetch_or_explicit(&region->used[number / 64], (uint64_t)1 << number % 64,
				 memory_order_release);
	return &region->pages[number];
}

static inline uint64_t place_of(uintptr_t address)
{
	return address >> 3 & (PLACES - 1);
}

static inline word *words_of(uint64_t slab)
{
	return (word *)(uintptr_t)(slab & ~(uint64_t)63); /* NOLINT(performance-no-int-to-ptr) */
}

/* The slab after the one with these words. */
static inline uint64_t next_slab(const word *words)
{
	return atomic_load_explicit(words, memory_order_acquire);
}

/* The line where a place is, of a slab with so many lines (log2). */
static inline word *line_of(word *words, unsigned lines, uint64_t place)
{
	return words + (place >> (9 - lines)) * LINE;
}

/* The words of a line that have this in their upper bits: a bit for each.  All are looked at,
 * since the processor cannot guess which one it will be. */
static inline unsigned words_with(const word *line, uint64_t upper)
{
#ifdef __SSE2__
	const __m128 *all = (const __m128 *)line;
	__m128i low = _mm_castps_si128(_mm_shuffle_ps(all[0], all[1], _MM_SHUFFLE(3, 1, 3, 1)));
	__m128i high = _mm_castps_si128(_mm_shuffle_ps(all[2], all[3], _MM_SHUFFLE(3, 1, 3, 1)));
	__m128i wanted = _mm_set1_epi32((int)upper);
	low = _mm_cmpeq_epi32(_mm_srli_epi32(low, PLACE_AT - 32), wanted);
	high = _mm_cmpeq_epi32(_mm_srli_epi32(high, PLACE_AT - 32), wanted);
	__m128i all_of_them = _mm_packs_epi32(low, high);
	return (unsigned)_mm_movemask_epi8(_mm_packs_epi16(all_of_them, _mm_setzero_si128()));
#else
	unsigned found = 0;
	for (unsigned i = 0; i < LINE; i++) {
		uint64_t value = atomic_load_explicit(&line[i], memory_order_relaxed);
		found |= (unsigned)(value >> PLACE_AT == upper) << i;
	}
	return found;
#endif
}

static inline bool put_in_slab(word *words, unsigned lines, uint64_t value)
{
	word *line = line_of(words, lines, value >> PLACE_AT & (PLACES - 1));
	unsigned first = line == words;
	for (unsigned empty = words_with(line, 0) >> first << first; empty; empty &= empty - 1) {
		uint64_t none = 0;
		if (atomic_compare_exchange_strong_explicit(&line[__builtin_ctz(empty)], &none,
							    value, memory_order_release,
							    memory_order_relaxed))
			return true;
	}
	return false;
}

static bool put_in_new_slab(struct page *page, uint64_t value)
{
	uint64_t first = atomic_load_explicit(&page->words[0], memory_order_acquire);
	unsigned lines = first ? (first & 63) + 1 : LINES_MIN;
	if (lines > LINES_MAX)
		lines = LINES_MAX;
	word *words = track_alloc((size_t)LINE * sizeof(word) << lines);
	if (!words || !put_in_slab(words, lines, value))
		return false;
	uint64_t slab = (uintptr_t)words | lines;
	do
		atomic_store_explicit(words, first, memory_order_relaxed);
	while (!atomic_compare_exchange_weak_explicit(&page->words[0], &first, slab,
						      memory_order_release, memory_order_acquire));
	return true;
}

static __attribute__((noinline)) bool put_in_chain(struct page *page, uint64_t value)
{
	for (uint64_t slab = next_slab(page->words); slab; slab = next_slab(words_of(slab)))
		if (put_in_slab(words_of(slab), slab & 63, value))
			return true;
	return put_in_new_slab(page, value);
}

static inline bool put_in_page(struct page *page, uint64_t value)
{
	return put_in_slab(page->words, PAGE_LINES, value) || put_in_chain(page, value);
}

void track_block_expect(uintptr_t address)
{
	struct region *region = region_of(address);
	if (region)
		__builtin_prefetch(line_of(region->pages[page_number(address)].words, PAGE_LINES,
					   place_of(address)));
}

static inline uint64_t word_of(uint64_t place, uint64_t size, uint64_t site)
{
	return (USED | place) << PLACE_AT | (size & SIZE_MASK) << SITE_BITS | site;
}

bool track_block_add(uintptr_t address, size_t size, uint32_t site)
{
	struct page *page = page_of(address);
	if (TRACK_UNLIKELY(!page) && !(page = make_page(address)))
		return false;
	uint64_t place = place_of(address), value = word_of(place, size, site);
	if (TRACK_LIKELY(size <= SIZE_MASK))
		return put_in_page(page, value);
	return put_in_page(page, word_of(place, size >> SIZE_BITS, EXTENSION)) &&
	       put_in_page(page, value | LARGE);
}

/* The word that equals wanted in the bits of mask, among them the place,
 * and is (or is not) an extension. */
static inline word *find_in_slab(word *words, unsigned lines, uint64_t wanted, uint64_t mask,
				 bool extension)
{
	uint64_t upper = wanted >> PLACE_AT;
	word *line = line_of(words, lines, upper & (PLACES - 1));
	for (unsigned found = words_with(line, upper); found; found &= found - 1) {
		word *at = &line[__builtin_ctz(found)];
		uint64_t value = atomic_load_explicit(at, memory_order_relaxed);
		if (TRACK_LIKELY(((value ^ wanted) & mask) == 0 &&
				 ((value & SITE_MASK) == EXTENSION) == extension))
			return at;
	}
	return NULL;
}

static __attribute__((noinline)) word *find_in_chain(struct page *page, uint64_t wanted,
						     uint64_t mask, bool extension)
{
	word *at = NULL;
	for (uint64_t slab = next_slab(page->words); slab && !at; slab = next_slab(words_of(slab)))
		at = find_in_slab(words_of(slab), slab & 63, wanted, mask, extension);
	return at;
}

static inline word *find_masked(struct page *page, uint64_t wanted, uint64_t mask, bool extension)
{
	word *at = find_in_slab(page->words, PAGE_LINES, wanted, mask, extension);
	return TRACK_LIKELY(at != NULL) ? at : find_in_chain(page, wanted, mask, extension);
}

static inline word *find(struct page *page, uint64_t place, bool extension)
{
	return find_masked(page, word_of(place, 0, 0), ~(uint64_t)0 << PLACE_AT, extension);
}

static void describe(uintptr_t address, uint64_t value, uint64_t extension, struct track_block *out)
{
	out->address = address;
	out->size = (size_t)(value >> SITE_BITS & SIZE_MASK);
	if (value & LARGE)
		out->size |= (size_t)(extension >> SITE_BITS & SIZE_MASK) << SIZE_BITS;
	out->site = (uint32_t)(value & SITE_MASK);
}

static inline __attribute__((always_inline)) bool look_up_in(struct page *page, uintptr_t address,
							     struct track_block *out, bool remove)
{
	uint64_t place = place_of(address), extension = 0;
	word *at = find(page, place, false);
	if (!at)
		return false;
	uint64_t value = atomic_load_explicit(at, memory_order_relaxed);
	if (remove)
		atomic_store_explicit(at, 0, memory_order_release);
	if (TRACK_UNLIKELY(value & LARGE)) {
		word *upper = find(page, place, true);
		extension = upper ? atomic_load_explicit(upper, memory_order_relaxed) : 0;
		if (upper && remove)
			atomic_store_explicit(upper, 0, memory_order_release);
	}
	describe(address, value, extension, out);
	return true;
}

static inline bool look_up(uintptr_t address, struct track_block *out, bool remove)
{
	struct page *page = page_of(address);
	return page && look_up_in(page, address, out, remove);
}

static __attribute__((noinline)) bool remove_from(struct page *page, uintptr_t address,
						  struct track_block *out)
{
	return look_up_in(page, address, out, true);
}

/* Of a page without blocks, as most are among samples, nothing else is looked at. */
bool track_block_remove(uintptr_t address, struct track_block *out)
{
	struct page *page = page_of(address);
	return page && remove_from(page, address, out);
}

/* While a block is moved, its old address may already be another's. */
bool track_block_remove_exact(const struct track_block *was)
{
	struct track_block other;
	struct page *page = page_of(was->address);
	uint64_t value = word_of(place_of(was->address), was->size, was->site);
	if (!page || was->size > SIZE_MASK)
		return look_up(was->address, &other, true);
	word *at = find_masked(page, value, ~(uint64_t)0, false);
	if (!at)
		return look_up(was->address, &other, true);
	atomic_store_explicit(at, 0, memory_order_release);
	return true;
}

bool track_block_find(uintptr_t address, struct track_block *out)
{
	return look_up(address, out, false);
}

/* ---- all of them ---- */

struct gathered {
	uint64_t words[PLACES], extensions[PLACES];
	uint64_t places[PLACES / 64];
	uint64_t duplicates;
};

static void gather(struct gathered *g, uint64_t value)
{
	if (value == 0)
		return;
	uint64_t place = value >> PLACE_AT & (PLACES - 1);
	if ((value & SITE_MASK) == EXTENSION) {
		g->extensions[place] = value;
		return;
	}
	uint64_t bit = (uint64_t)1 << (place & 63);
	g->duplicates += (g->places[place >> 6] & bit) != 0;
	g->places[place >> 6] |= bit;
	g->words[place] = value;
}

static bool each_of_page(struct gathered *g, uintptr_t start,
			 bool (*each)(void *, const struct track_block *), void *context)
{
	for (unsigned i = 0; i < PLACES / 64; i++) {
		for (; g->places[i]; g->places[i] &= g->places[i] - 1) {
			uint64_t place = i * 64u + (unsigned)__builtin_ctzll(g->places[i]);
			struct track_block block;
			describe(start + place * 8, g->words[place], g->extensions[place], &block);
			if (!each(context, &block))
				return false;
		}
	}
	return true;
}

static void gather_page(struct gathered *g, struct page *page)
{
	word *words = page->words;
	for (uint64_t slab = PAGE_LINES; words; words = words_of(slab = next_slab(words)))
		for (size_t i = 1; i < (size_t)LINE << (slab & 63); i++)
			gather(g, atomic_load_explicit(&words[i], memory_order_relaxed));
}

uintptr_t track_block_next(uintptr_t start, uintptr_t end)
{
	for (uintptr_t at = start & ~(uintptr_t)7; at < end && at < ADDRESS_END;) {
		struct region *region = region_of(at);
		struct track_block block;
		if (!region)
			at = ((at >> (PAGE_BITS + LOWER_BITS)) + 1) << (PAGE_BITS + LOWER_BITS);
		else if (!used_page(region, page_number(at)))
			at = ((at >> PAGE_BITS) + 1) << PAGE_BITS;
		else if (look_up(at, &block, false))
			return at;
		else
			at += 8;
	}
	return 0;
}

bool track_blocks_each(bool (*each)(void *, const struct track_block *), void *context,
		       uint64_t *duplicates)
{
	struct gathered *g = track_map(sizeof *g);
	bool all = g != NULL;
	for (uintptr_t upper = 0; upper < (uintptr_t)1 << UPPER_BITS && all; upper++) {
		struct region *region =
			atomic_load_explicit(&directory[upper], memory_order_acquire);
		for (uintptr_t i = 0; region && i < (uintptr_t)1 << LOWER_BITS && all; i++) {
			struct page *page = used_page(region, i);
			if (!page)
				continue;
			gather_page(g, page);
			all = each_of_page(g, (upper << LOWER_BITS | i) << PAGE_BITS, each,
					   context);
		}
	}
	if (g) {
		*duplicates = g->duplicates;
		munmap(g, sizeof *g);
	}
	return all;
}
