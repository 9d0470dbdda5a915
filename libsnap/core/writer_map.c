/* From ids to rows, many at a time.  Ids that lie close together are bits, which are counted; others are sorted, and
 * so are those that are asked for, which are then found in one sweep, in memory or page by page in a temporary file. */
#include <errno.h>
#include <string.h>

#include "writer.h"

#define PAGE_ENTRIES 1024u
#define PAGE_SIZE    (PAGE_ENTRIES * sizeof(struct libsnap_sort_entry))
#define DENSE        32 /* numbers for each id, at most */

static enum snap_status begin_file(struct snap_writer *w)
{
	struct libsnap_map *m = &w->map;
	m->page = libsnap_alloc(w->allocator, PAGE_ENTRIES, sizeof(*m->page));
	if (!m->page)
		return libsnap_fail_memory(&w->problem);
	int failed = w->io->open(w->io->context, w->folder, SNAP_IO_TEMPORARY, &m->file);
	if (!failed)
		return SNAP_OK;
	m->file = NULL;
	return libsnap_fail_io(&w->problem, failed, SNAP_NO_OFFSET,
			       "cannot make a temporary file in %s", w->folder);
}

static enum snap_status begin_memory(struct snap_writer *w, bool dense)
{
	struct libsnap_map *m = &w->map;
	if (dense) {
		m->words = libsnap_alloc_zeroed(w->allocator, (size_t)m->word_count, sizeof(*m->words));
		m->rows = libsnap_alloc(w->allocator, (size_t)m->capacity, sizeof(*m->rows));
		return m->words && m->rows ? SNAP_OK : libsnap_fail_memory(&w->problem);
	}
	m->entries = libsnap_alloc(w->allocator, (size_t)m->capacity, sizeof(*m->entries));
	return m->entries ? SNAP_OK : libsnap_fail_memory(&w->problem);
}

bool libsnap_map_is_close(const struct snap_writer *w, uint64_t *bytes)
{
	const uint64_t count = w->named.record_count;
	unsigned shift = w->id_bits ? (unsigned)__builtin_ctzll(w->id_bits) : 0;
	uint64_t span = (w->highest_id - w->lowest_id) >> shift;
	bool close = count < UINT32_MAX && span / DENSE < count;
	*bytes = close ? (span / 64 + 1) * sizeof(struct libsnap_map_word) + count * sizeof(uint32_t)
		       : count * sizeof(struct libsnap_sort_entry);
	return close;
}

enum snap_status libsnap_map_begin(struct snap_writer *w)
{
	struct libsnap_map *m = &w->map;
	uint64_t bytes;
	bool dense = libsnap_map_is_close(w, &bytes);
	m->low = w->lowest_id;
	m->shift = w->id_bits ? (unsigned)__builtin_ctzll(w->id_bits) : 0;
	m->word_count = ((w->highest_id - w->lowest_id) >> m->shift) / 64 + 1;
	m->capacity = w->named.record_count;
	m->in_memory = w->max_memory_bytes == 0 || bytes <= w->max_memory_bytes / 2;
	if (!m->in_memory)
		return begin_file(w);
	enum snap_status status = SNAP_OK;
	if (w->max_memory_bytes > 0 && bytes + w->lanes.memory_bytes > w->max_memory_bytes / 4 * 3)
		status = libsnap_lanes_spill(w, &w->lanes);
	return status == SNAP_OK ? begin_memory(w, dense) : status;
}

static enum snap_status write_page(struct snap_writer *w)
{
	struct libsnap_map *m = &w->map;
	uint64_t *first = libsnap_pages_add(&m->first);
	if (!first)
		return libsnap_fail_memory(&w->problem);
	*first = m->page[0].key;
	int failed = w->io->write_at(w->io->context, m->file, m->pages * PAGE_SIZE, m->page, PAGE_SIZE);
	if (failed)
		return libsnap_fail_io(&w->problem, failed, SNAP_NO_OFFSET,
				       "cannot write a temporary file in %s", w->folder);
	m->pages++;
	m->used = 0;
	return SNAP_OK;
}

enum snap_status libsnap_map_add(struct snap_writer *w, uint64_t id, uint64_t row)
{
	struct libsnap_map *m = &w->map;
	if (m->words) {
		uint64_t place = (id - m->low) >> m->shift;
		struct libsnap_map_word *word = &m->words[place / 64];
		if (!word->bits)
			word->before = m->count;
		word->bits |= (uint64_t)1 << place % 64;
		m->rows[m->count++] = (uint32_t)row;
		return SNAP_OK;
	}
	if (m->in_memory) {
		m->entries[m->count++] = (struct libsnap_sort_entry){id, row};
		return SNAP_OK;
	}
	m->page[m->used++] = (struct libsnap_sort_entry){id, row};
	return m->used == PAGE_ENTRIES ? write_page(w) : SNAP_OK;
}

/* The last page is filled up with its last entry, of which the first is found. */
enum snap_status libsnap_map_finish(struct snap_writer *w)
{
	struct libsnap_map *m = &w->map;
	if (m->in_memory || m->used == 0)
		return SNAP_OK;
	struct libsnap_sort_entry last = m->page[m->used - 1];
	while (m->used < PAGE_ENTRIES)
		m->page[m->used++] = last;
	return write_page(w);
}

/* ---- ids that lie close together ---- */

static inline unsigned count_bits(uint64_t x)
{
	x -= x >> 1 & 0x5555555555555555u;
	x = (x & 0x3333333333333333u) + (x >> 2 & 0x3333333333333333u);
	x = (x + (x >> 4)) & 0x0f0f0f0f0f0f0f0fu;
	return (unsigned)(x * 0x0101010101010101u >> 56);
}

bool libsnap_map_mark(struct libsnap_map *m, uint64_t id)
{
	uint64_t place = (id - m->low) >> m->shift, bit = (uint64_t)1 << place % 64;
	struct libsnap_map_word *word = &m->words[place / 64];
	bool new = !(word->bits & bit);
	word->bits |= bit;
	m->count += new;
	return new;
}

void libsnap_map_count(struct libsnap_map *m)
{
	uint64_t count = 0;
	for (uint64_t i = 0; i < m->word_count; i++) {
		m->words[i].before = count;
		count += count_bits(m->words[i].bits);
	}
}

/* The place of an id in their order + 1; 0: there is none. */
static inline uint64_t place_of(const struct libsnap_map *m, uint64_t id)
{
	uint64_t far = id - m->low, place = far >> m->shift;
	if (id < m->low || place / 64 >= m->word_count || place << m->shift != far)
		return 0;
	const struct libsnap_map_word *word = &m->words[place / 64];
	uint64_t bit = (uint64_t)1 << place % 64;
	return word->bits & bit ? word->before + count_bits(word->bits & (bit - 1)) + 1 : 0;
}

uint32_t *libsnap_map_row(const struct libsnap_map *m, uint64_t id)
{
	return &m->rows[place_of(m, id) - 1];
}

/* In two steps, each of which waits for memory in many places at once. */
static void resolve_close(const struct libsnap_map *m, uint64_t *ids, size_t count, uint64_t *unknown)
{
	uint64_t last = 0, place = 0;
	for (size_t i = 0; i < count; i++) {
		if (ids[i] != last) {
			last = ids[i];
			place = place_of(m, last);
		}
		*unknown += place == 0 && last != 0;
		ids[i] = place;
	}
	for (size_t i = 0; i < count; i++)
		ids[i] = ids[i] ? (uint64_t)m->rows[ids[i] - 1] + 1 : 0;
}

/* ---- others ---- */

static enum snap_status load_page(struct snap_writer *w, uint64_t page)
{
	struct libsnap_map *m = &w->map;
	size_t got = 0;
	if (m->loaded == page + 1)
		return SNAP_OK;
	m->loaded = 0;
	int failed = w->io->read_at(w->io->context, m->file, page * PAGE_SIZE, m->page, PAGE_SIZE, &got);
	if (!failed && got != PAGE_SIZE)
		failed = EIO;
	if (failed)
		return libsnap_fail_io(&w->problem, failed, SNAP_NO_OFFSET,
				       "cannot read a temporary file in %s", w->folder);
	m->loaded = page + 1;
	return SNAP_OK;
}

/* The first entry from start on whose id is not less: steps that double, then halves. */
static size_t seek(const struct libsnap_sort_entry *entries, size_t start, size_t count,
		   uint64_t id)
{
	size_t step = 1, low = start, high = start;
	while (high < count && entries[high].key < id) {
		low = high + 1;
		high += step;
		step *= 2;
	}
	if (high > count)
		high = count;
	while (low < high) {
		size_t middle = low + (high - low) / 2;
		if (entries[middle].key < id)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

static void sweep_memory(struct libsnap_map *m, size_t count)
{
	size_t at = 0;
	for (size_t i = 0; i < count; i++) {
		struct libsnap_sort_entry *lookup = &m->lookups[i];
		at = seek(m->entries, at, (size_t)m->count, lookup->key);
		bool found = at < m->count && m->entries[at].key == lookup->key;
		lookup->key = found ? m->entries[at].position + 1 : 0;
	}
}

static enum snap_status sweep_file(struct snap_writer *w, size_t count)
{
	struct libsnap_map *m = &w->map;
	uint64_t page = 0;
	for (size_t i = 0; i < count; i++) {
		struct libsnap_sort_entry *lookup = &m->lookups[i];
		while (page + 1 < m->pages &&
		       *(uint64_t *)libsnap_pages_at(&m->first, page + 1) <= lookup->key)
			page++;
		if (m->pages == 0) {
			lookup->key = 0;
			continue;
		}
		enum snap_status status = load_page(w, page);
		if (status != SNAP_OK)
			return status;
		size_t at = seek(m->page, 0, PAGE_ENTRIES, lookup->key);
		bool found = at < PAGE_ENTRIES && m->page[at].key == lookup->key;
		lookup->key = found ? m->page[at].position + 1 : 0;
	}
	return SNAP_OK;
}

static enum snap_status resolve_batch(struct snap_writer *w, uint64_t *ids, size_t count,
				      uint64_t *unknown)
{
	struct libsnap_map *m = &w->map;
	size_t asked = 0;
	for (size_t i = 0; i < count; i++)
		if (ids[i])
			m->lookups[asked++] = (struct libsnap_sort_entry){ids[i], i};
	libsnap_sort_entries(m->lookups, m->scratch, asked);
	enum snap_status status = SNAP_OK;
	if (m->in_memory)
		sweep_memory(m, asked);
	else
		status = sweep_file(w, asked);
	for (size_t i = 0; i < asked && status == SNAP_OK; i++) {
		ids[m->lookups[i].position] = m->lookups[i].key;
		*unknown += m->lookups[i].key == 0;
	}
	return status;
}

enum snap_status libsnap_resolve(struct snap_writer *w, uint64_t *ids, size_t count,
				 uint64_t *unknown)
{
	struct libsnap_map *m = &w->map;
	if (m->words) {
		resolve_close(m, ids, count, unknown);
		return SNAP_OK;
	}
	if (!m->lookups)
		m->lookups = libsnap_alloc(w->allocator, LIBSNAP_BATCH, sizeof(*m->lookups));
	if (!m->scratch)
		m->scratch = libsnap_alloc(w->allocator, LIBSNAP_BATCH, sizeof(*m->scratch));
	if (!m->lookups || !m->scratch)
		return libsnap_fail_memory(&w->problem);
	enum snap_status status = SNAP_OK;
	while (count > 0 && status == SNAP_OK) {
		size_t batch = count < LIBSNAP_BATCH ? count : LIBSNAP_BATCH;
		status = resolve_batch(w, ids, batch, unknown);
		ids += batch;
		count -= batch;
	}
	return status;
}

void libsnap_map_free(struct snap_writer *w)
{
	struct libsnap_map *m = &w->map;
	libsnap_free(w->allocator, m->words, (size_t)m->word_count, sizeof(*m->words));
	libsnap_free(w->allocator, m->rows, (size_t)m->capacity, sizeof(*m->rows));
	libsnap_free(w->allocator, m->entries, (size_t)m->capacity, sizeof(*m->entries));
	libsnap_free(w->allocator, m->page, PAGE_ENTRIES, sizeof(*m->page));
	libsnap_free(w->allocator, m->lookups, LIBSNAP_BATCH, sizeof(*m->lookups));
	libsnap_free(w->allocator, m->scratch, LIBSNAP_BATCH, sizeof(*m->scratch));
	libsnap_pages_free(&m->first);
	if (m->file)
		w->io->close(w->io->context, m->file);
	*m = (struct libsnap_map){.file = NULL};
}
