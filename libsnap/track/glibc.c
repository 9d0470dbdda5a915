/* The heaps of glibc's malloc, chunk by chunk: what was taken before the recording began.
 *
 * For the child of a snapshot.  Nothing but the layout of chunks, heaps and arenas
 * is known, so all is checked: a heap in which anything does not fit is left out
 * as a whole, and counted.  Chunks that wait for their next use in a thread's
 * cache or a fast bin look used; those that are found there are left out.
 *
 * From 2.42 on caches count otherwise, and from 2.43 on there are no
 * fast bins, and chunks with mappings of their own have other sizes. */
#include <string.h>
#include <sys/mman.h>

#include "track.h"

extern const char *gnu_get_libc_version(void) __attribute__((weak));

#define HEAP_MAX     ((uintptr_t)64 << 20) /* what is reserved for one, aligned to its size */
#define PAGE         ((uintptr_t)4096)
#define HEADER       16u
#define CHUNK_MIN    32u
#define PREV_IN_USE  ((uintptr_t)1)
#define IS_MAPPED    ((uintptr_t)2)
#define IS_THREADS   ((uintptr_t)4) /* of an arena other than the main one */
#define BITS         ((uintptr_t)7)
#define BIN_WORDS    254u
#define BEHIND_BINS  56u /* bytes until an arena ends */
#define NEXT_ARENA   16u /* where the next arena is told */
#define ARENA_AT_MIN 0x20u
#define ARENA_AT_MAX 0x100u
#define FAST_BINS    10u
#define ARENAS_MAX   4096u
#define RELEASE_MAX  43u                  /* of those that are known: 2.43 */
#define KEY_MIN      ((uintptr_t)1 << 32) /* smaller ones may be anything */

struct walk {
	struct track_chunks *out;
	struct track_maps *maps;
	const struct track_account *account;
	const struct track_mapping *module; /* that has malloc */
	uintptr_t module_end, main_bins;
	uintptr_t bins_at; /* in an arena; 0: unknown */
	uintptr_t bins[ARENAS_MAX];
	size_t arena_count;
	uintptr_t key; /* the second word of chunks in caches; 0: unknown */
	bool no_memory;
};

static uintptr_t word_at(uintptr_t address)
{
	return *(const uintptr_t *)address; /* NOLINT(performance-no-int-to-ptr) */
}

static bool is_plain(const struct track_mapping *m)
{
	return m->readable && m->writable && !m->shared &&
	       (m->path[0] == '\0' || strncmp(m->path, "[anon", 5) == 0);
}

static bool is_present(const struct walk *w, uintptr_t page)
{
	uintptr_t at = page;
	return track_maps_readable(w->maps, &at, page + PAGE) == page + PAGE && at == page;
}

/* ---- what is found ---- */

static void add(struct walk *w, uintptr_t start, uintptr_t end)
{
	struct track_chunks *c = w->out;
	struct track_block block;
	if (w->no_memory || track_block_find(start, &block))
		return;
	if (c->count == c->capacity) {
		size_t size = c->capacity * sizeof *c->all;
		void *more = size ? mremap(c->all, size, 2 * size, MREMAP_MAYMOVE)
				  : track_map((size_t)1 << 20);
		if (!more || more == MAP_FAILED) {
			w->no_memory = true;
			return;
		}
		c->all = more;
		c->capacity = size ? 2 * c->capacity : ((size_t)1 << 20) / sizeof *c->all;
	}
	c->all[c->count++] = (struct track_range){start, end};
}

/* The one that begins at an address, or NULL. */
static struct track_range *find(const struct walk *w, uintptr_t start)
{
	size_t low = 0, high = w->out->count;
	while (low < high) {
		size_t middle = low + (high - low) / 2;
		if (w->out->all[middle].start < start)
			low = middle + 1;
		else
			high = middle;
	}
	return low < w->out->count && w->out->all[low].start == start ? &w->out->all[low] : NULL;
}

/* ---- one heap ---- */

struct heap {
	uintptr_t first, end;
	uintptr_t top; /* 0: it is in another heap of the arena, and this one ends with a fence */
	bool is_main;
};

/* A chunk whose state the next one tells. */
struct chunk {
	uintptr_t at, size, head;
};

static bool is_fence(const struct heap *h, const struct chunk *c)
{
	return h->top == 0 && c->at + c->size == h->end - HEADER && c->size <= CHUNK_MIN;
}

/* next: the head behind it. */
static bool settle(struct walk *w, const struct heap *h, const struct chunk *c, uintptr_t next)
{
	if (!(next & PREV_IN_USE))
		return (c->head & PREV_IN_USE) && word_at(c->at + c->size) == c->size;
	if (is_fence(h, c))
		return true;
	if (!h->is_main && !(c->head & IS_THREADS))
		return false;
	add(w, c->at + HEADER, c->at + c->size + 8);
	return true;
}

/* False: something does not fit. */
static bool walk_chunks(struct walk *w, const struct heap *h)
{
	struct chunk last = {0};
	for (uintptr_t at = h->first; at <= h->end - HEADER;) {
		struct chunk c = {.at = at, .head = word_at(at + 8)};
		c.size = c.head & ~BITS;
		if ((c.head & IS_MAPPED) || (h->is_main && (c.head & IS_THREADS)) ||
		    c.size > h->end - at || c.size % HEADER != 0)
			return false;
		if (last.size ? !settle(w, h, &last, c.head) : !(c.head & PREV_IN_USE))
			return false;
		if (at == h->top)
			return (c.head & PREV_IN_USE) && c.size >= HEADER && at + c.size == h->end;
		if (c.size == 0)
			return h->top == 0 && (c.head & PREV_IN_USE) && at == h->end - HEADER;
		if (c.size < CHUNK_MIN && !is_fence(h, &c))
			return false;
		last = c;
		at += c.size;
	}
	return false;
}

static void walk_heap(struct walk *w, const struct heap *h)
{
	size_t count = w->out->count;
	if (h->first < h->end && h->first % HEADER == 0 && walk_chunks(w, h))
		return;
	w->out->count = count;
	w->out->unseen++;
}

/* ---- arenas ---- */

static bool is_empty_bin(uintptr_t bin)
{
	return word_at(bin) == bin - HEADER && word_at(bin + 8) == bin - HEADER;
}

/* The list of each bin, which begins and ends with itself if it is
 * empty.  The last one is not in use, and no other lies behind it. */
static bool are_bins(uintptr_t bins)
{
	if (!is_empty_bin(bins + (BIN_WORDS - 2) * 8) || is_empty_bin(bins + BIN_WORDS * 8))
		return false;
	for (uintptr_t at = bins; at < bins + BIN_WORDS * 8; at += 16) {
		uintptr_t first = word_at(at), last = word_at(at + 8), self = at - HEADER;
		if (first == 0 || last == 0 || (first == self) != (last == self) ||
		    (first != self && (first | last) % HEADER != 0))
			return false;
	}
	return true;
}

static uintptr_t top_of(uintptr_t bins)
{
	return word_at(bins - 16);
}

static void note_arena(struct walk *w, uintptr_t bins)
{
	if (w->arena_count < ARENAS_MAX)
		w->bins[w->arena_count++] = bins;
}

/* Moves start to the first stretch of the variables of malloc's
 * module from it on; returns its end; 0: there is none. */
static uintptr_t variables(struct walk *w, uintptr_t *start)
{
	const struct track_mapping *end = w->maps->all + w->maps->count;
	for (const struct track_mapping *m = w->module; m < end && m->start < w->module_end; m++) {
		uintptr_t at = m->start > *start ? m->start : *start;
		uintptr_t stop = m->writable && !m->shared && at < m->end
					 ? track_maps_readable(w->maps, &at, m->end)
					 : 0;
		if (stop != 0) {
			*start = at;
			return stop;
		}
	}
	return 0;
}

static bool find_module(struct walk *w, uintptr_t function)
{
	for (size_t i = 0; i < w->maps->count && w->maps->all[i].start <= function; i++) {
		w->module = &w->maps->all[i];
		w->module_end = track_mapping_module_end(w->maps, w->module);
		if (function < w->module_end)
			return true;
	}
	return false;
}

static bool find_main_arena(struct walk *w)
{
	for (uintptr_t at = 0, stop; (stop = variables(w, &at)) != 0; at = stop)
		for (at += HEADER + FAST_BINS * 8; at + BIN_WORDS * 8 + BEHIND_BINS <= stop;
		     at += 8)
			if (are_bins(at)) {
				w->main_bins = at;
				return true;
			}
	return false;
}

static void walk_main(struct walk *w, const struct track_mapping *m)
{
	const struct track_mapping *all = w->maps->all + w->maps->count;
	struct heap h = {
		.first = m->start, .end = m->start, .top = top_of(w->main_bins), .is_main = true};
	for (; m < all && m->start == h.end && m->readable && strcmp(m->path, "[heap]") == 0; m++)
		h.end = m->end;
	note_arena(w, w->main_bins);
	walk_heap(w, &h);
}

/* Where the bins of an arena are; 0: there is none. */
static uintptr_t bins_of(struct walk *w, uintptr_t arena)
{
	uintptr_t base = arena & ~(HEAP_MAX - 1);
	const struct track_mapping *m = track_mapping_from(w->maps, base);
	if (arena % HEADER != 0 || arena - base < ARENA_AT_MIN || arena - base > ARENA_AT_MAX ||
	    !m || m->start > base || !is_plain(m) || !is_present(w, base) || word_at(base) != arena)
		return 0;
	for (uintptr_t at = arena + HEADER; at < arena + ARENA_AT_MAX; at += 8)
		if (are_bins(at)) {
			w->bins_at = at - arena;
			return at;
		}
	return 0;
}

/* A heap has its arena, the heap before, its size, and how much of it may be used. */
static bool describe_heap(struct walk *w, const struct track_mapping *m, uintptr_t base,
			  struct heap *h, uintptr_t *bins)
{
	uintptr_t arena = word_at(base), size = word_at(base + 16), usable = word_at(base + 24);
	if (size % PAGE != 0 || usable % PAGE != 0 || size == 0 || size > usable ||
	    usable > HEAP_MAX || usable > m->end - base)
		return false;
	*bins = bins_of(w, arena);
	if (*bins == 0)
		return false;
	bool is_first = arena >> 26 == base >> 26;
	uintptr_t first = is_first ? *bins + BIN_WORDS * 8 + BEHIND_BINS : base + arena % HEAP_MAX,
		  top = top_of(*bins);
	*h = (struct heap){.first = (first + HEADER - 1) & ~(uintptr_t)(HEADER - 1),
			   .end = base + size};
	h->top = top >= base && top < h->end ? top : 0;
	return true;
}

/* Beside what is in use, the rest is reserved, as of a heap whose first words are damaged. */
static bool is_reserved(const struct walk *w, const struct track_mapping *m, uintptr_t base)
{
	const struct track_mapping *rest = m + 1;
	return rest < w->maps->all + w->maps->count && rest->start == m->end &&
	       rest->path[0] == '\0' && !rest->readable && rest->end >= base + HEAP_MAX &&
	       m->end < base + HEAP_MAX;
}

/* Where a heap ends; base: there is none. */
static uintptr_t walk_arenas_heap(struct walk *w, const struct track_mapping *m, uintptr_t base)
{
	struct heap h;
	uintptr_t bins;
	if (!is_present(w, base))
		return base;
	if (describe_heap(w, m, base, &h, &bins)) {
		if (bins >> 26 == base >> 26)
			note_arena(w, bins);
		walk_heap(w, &h);
		return h.end;
	}
	if (!is_reserved(w, m, base))
		return base;
	w->out->unseen++;
	return m->end;
}

/* ---- chunks with mappings of their own ---- */

/* Mappings side by side are one to the system: each page may be the first
 * of a chunk.  A block with a larger alignment begins somewhat later; if it
 * is live, it is there beside the chunk, which nothing points to then. */
static uintptr_t walk_pages(struct walk *w, const struct track_mapping *m, uintptr_t start,
			    uintptr_t end)
{
	uintptr_t at = start;
	for (uintptr_t programs;
	     at < end && (programs = track_account_programs(w->account, &at, end)) != 0;) {
		uintptr_t stop = track_maps_readable(w->maps, &at, programs);
		if (stop == 0) {
			at = programs;
			continue;
		}
		while (at < stop) {
			uintptr_t head = word_at(at + 8), size = head & ~BITS;
			if (size % PAGE == PAGE - HEADER)
				size += HEADER; /* with what lies before it */
			bool is_chunk = (head & BITS) == IS_MAPPED && word_at(at) == 0 &&
					size != 0 && size % PAGE == 0 && size <= m->end - at;
			if (is_chunk)
				add(w, at + HEADER, at + size);
			at += is_chunk ? size : PAGE;
		}
	}
	return at < end ? end : at;
}

static void walk_plain(struct walk *w, const struct track_mapping *m)
{
	for (uintptr_t at = m->start, next; at < m->end; at = next) {
		uintptr_t base = (at / HEAP_MAX + 1) * HEAP_MAX;
		next = at % HEAP_MAX == 0 ? walk_arenas_heap(w, m, at) : at;
		if (next == at)
			next = walk_pages(w, m, at, base < m->end ? base : m->end);
	}
}

/* ---- what is free, and looks used ---- */

static void drop(struct track_range *chunk)
{
	chunk->end = chunk->start;
}

/* It is a variable of the allocator's. */
static bool is_key(struct walk *w, uintptr_t key)
{
	for (uintptr_t at = 0, stop; w->key == 0 && (stop = variables(w, &at)) != 0; at = stop)
		for (; at + 8 <= stop; at += 8)
			if (word_at(at) == key)
				w->key = key;
	return w->key == key;
}

/* How many chunks of each size a thread keeps, or how many
 * more it may, and where the first is.  Large ones share bins. */
struct cache {
	unsigned bins;
	bool has_room;
};
static const struct cache caches[] = {{64, false}, {76, true}};
#define SMALL_BINS 64u

static size_t usable_size(size_t size)
{
	return ((size + 8 + HEADER - 1) & ~(size_t)(HEADER - 1)) - 8;
}

static uint16_t count_of(const struct track_range *chunk, size_t bin)
{
	uint16_t count;
	/* NOLINTNEXTLINE(performance-no-int-to-ptr) */
	memcpy(&count, (const char *)chunk->start + bin * sizeof count, sizeof count);
	return count;
}

static uintptr_t first_of(const struct track_range *chunk, const struct cache *as, size_t bin)
{
	return word_at(chunk->start + as->bins * sizeof(uint16_t) + bin * sizeof(uintptr_t));
}

static uint16_t room_of_empty(const struct track_range *chunk, const struct cache *as)
{
	size_t i = as->bins;
	while (--i > 0 && first_of(chunk, as, i) != 0)
		continue;
	return count_of(chunk, i);
}

static bool is_cache_as(struct walk *w, const struct track_range *chunk, const struct cache *as)
{
	uintptr_t key = 0, first;
	size_t size = usable_size(as->bins * (sizeof(uint16_t) + sizeof first));
	if (chunk->end - chunk->start != size && chunk->end - chunk->start != size + HEADER)
		return false;
	uint16_t empty = as->has_room ? room_of_empty(chunk, as) : 0;
	for (size_t i = 0; i < as->bins; i++) {
		first = first_of(chunk, as, i);
		if ((first == 0) != (count_of(chunk, i) == empty))
			return false;
		if (first == 0)
			continue;
		const struct track_range *c = find(w, first);
		if (!c || (i < SMALL_BINS && c->end - c->start != CHUNK_MIN + i * 16 - 8) ||
		    (key != 0 && word_at(first + 8) != key))
			return false;
		key = word_at(first + 8);
	}
	return key >= KEY_MIN && is_key(w, key);
}

static bool is_cache(struct walk *w, const struct track_range *chunk)
{
	for (size_t i = 0; i < sizeof caches / sizeof *caches; i++)
		if (is_cache_as(w, chunk, &caches[i]))
			return true;
	return false;
}

static void drop_cached(struct walk *w)
{
	struct track_chunks *c = w->out;
	for (size_t i = 0; i < c->count; i++)
		if (is_cache(w, &c->all[i]))
			drop(&c->all[i]);
	for (size_t i = 0; i < c->count && w->key != 0; i++)
		if (word_at(c->all[i].start + 8) == w->key)
			drop(&c->all[i]);
}

/* A list: behind the first, addresses are stored together with where they are stored. */
static void drop_fast(struct walk *w, uintptr_t chunk, uintptr_t usable)
{
	while (chunk != 0) {
		struct track_range *c = find(w, chunk + HEADER);
		if (!c || c->end - c->start != usable)
			return;
		drop(c);
		chunk = word_at(c->start) ^ c->start >> 12;
	}
}

/* Arenas are a ring; all have their bins at the same place. */
static void find_bins_at(struct walk *w)
{
	uintptr_t next = word_at(w->main_bins + BIN_WORDS * 8 + NEXT_ARENA);
	if (w->bins_at == 0 && next < w->main_bins && w->main_bins - next <= ARENA_AT_MAX)
		w->bins_at = w->main_bins - next;
}

static void drop_fasts(struct walk *w)
{
	find_bins_at(w);
	if (w->bins_at == 0)
		w->out->unseen++;
	if (w->bins_at < HEADER + FAST_BINS * 8)
		return;
	for (size_t i = 0; i < w->arena_count; i++)
		for (uintptr_t bin = 0; bin < FAST_BINS; bin++)
			drop_fast(w, word_at(w->bins[i] - HEADER - (FAST_BINS - bin) * 8),
				  CHUNK_MIN + bin * 16 - 8);
}

/* ---- all of them ---- */

/* The second number of the C library's version; 0: it is another C library. */
static unsigned release(void)
{
	const char *at = &gnu_get_libc_version ? gnu_get_libc_version() : "";
	unsigned number = 0;
	if (strncmp(at, "2.", 2) != 0)
		return 0;
	for (at += 2; *at >= '0' && *at <= '9' && number < 1000; at++)
		number = number * 10 + (unsigned)(*at - '0');
	return number;
}

static void walk(struct walk *w)
{
	bool has_heap = false;
	for (size_t i = 0; i < w->maps->count; i++) {
		const struct track_mapping *m = &w->maps->all[i];
		bool is_heap = strcmp(m->path, "[heap]") == 0;
		if (is_heap && !has_heap)
			walk_main(w, m);
		else if (is_plain(m))
			walk_plain(w, m);
		has_heap = has_heap || is_heap;
	}
	if (!has_heap && top_of(w->main_bins) != w->main_bins - HEADER)
		w->out->unseen++;
	drop_cached(w);
	if (w->key == 0 && release() > RELEASE_MAX)
		w->out->unseen++;
	drop_fasts(w);
}

bool track_glibc_read(struct track_chunks *out, struct track_maps *maps,
		      const struct track_account *account, uintptr_t function)
{
	struct walk *w = track_map(sizeof *w);
	*out = (struct track_chunks){0};
	if (!w)
		return false;
	*w = (struct walk){.out = out, .maps = maps, .account = account};
	if (find_module(w, function) && find_main_arena(w))
		walk(w);
	else
		out->unseen = 1;
	return !w->no_memory;
}
