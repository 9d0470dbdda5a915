/* From ids to rows, many at a time.  Ids that lie close together are bits, which
 * are counted; others are sorted, and so are those that are asked for, which are
 * then found in one sweep, in memory or page by page in a temporary file. */
#include <errno.h>
#include <string.h>

#include "writer.h"

#define PAGE_ENTRIES 1024u
#define PAGE_SIZE    (PAGE_ENTRIES * sizeof(struct libsnap_sort_entry))
#define DENSE        32 /* numbers for each id, at most */
#define PLACES_MAX   65536u

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

static inline size_t home_of(uint64_t entry, size_t slot_count)
{
	return (size_t)(entry * UINT64_C(0x9e3779b97f4a7c15) >> 32) & (slot_count - 1);
}

/* Where an entry is, or could be put. */
static size_t slot_of(const uint64_t *slots, size_t slot_count, uint64_t entry)
{
	size_t i = home_of(entry, slot_count);
	while (slots[i] && slots[i] != entry)
		i = (i + 1) & (slot_count - 1);
	return i;
}

bool libsnap_place_add(struct snap_writer *w, uint64_t place)
{
	struct libsnap_places *p = &w->places;
	p->last = place + 1;
	if (p->slot_count > 0 && p->slots[slot_of(p->slots, p->slot_count, place + 1)])
		return true;
	if (p->count == PLACES_MAX) {
		p->too_many = true;
		return true;
	}
	if ((p->count + 1) * 2 > p->slot_count) {
		size_t wider = p->slot_count ? p->slot_count * 2 : 64;
		uint64_t *slots = libsnap_alloc_zeroed(w->allocator, wider, sizeof(*slots));
		if (!slots)
			return false;
		for (size_t i = 0; i < p->slot_count; i++)
			if (p->slots[i])
				slots[slot_of(slots, wider, p->slots[i])] = p->slots[i];
		libsnap_free(w->allocator, p->slots, p->slot_count, sizeof(*slots));
		p->slots = slots;
		p->slot_count = wider;
	}
	p->slots[slot_of(p->slots, p->slot_count, place + 1)] = place + 1;
	p->count++;
	return true;
}

/* Places get their words in their own order. */
static enum snap_status number_places(struct snap_writer *w)
{
	struct libsnap_map *m = &w->map;
	const struct libsnap_places *p = &w->places;
	struct libsnap_sort_entry *order =
		libsnap_alloc(w->allocator, 2 * p->count, sizeof(*order));
	if (!order)
		return libsnap_fail_memory(&w->problem);
	size_t count = 0;
	for (size_t i = 0; i < p->slot_count; i++)
		if (p->slots[i])
			order[count++] = (struct libsnap_sort_entry){p->slots[i], i};
	libsnap_sort_entries(order, order + count, count);
	for (size_t i = 0; i < count; i++)
		m->places[order[i].position] = (struct libsnap_map_place){
			.entry = order[i].key, .first_word = i * m->words_per_place};
	libsnap_free(w->allocator, order, 2 * p->count, sizeof(*order));
	return SNAP_OK;
}

static enum snap_status begin_memory(struct snap_writer *w, bool dense)
{
	struct libsnap_map *m = &w->map;
	if (dense) {
		m->words = libsnap_alloc_zeroed(w->allocator, (size_t)m->word_count,
						sizeof(*m->words));
		m->rows = libsnap_alloc(w->allocator, (size_t)m->capacity, sizeof(*m->rows));
		m->places = libsnap_alloc_zeroed(w->allocator, m->place_slots, sizeof(*m->places));
		if (!m->words || !m->rows || !m->places)
			return libsnap_fail_memory(&w->problem);
		return number_places(w);
	}
	m->entries = libsnap_alloc(w->allocator, (size_t)m->capacity, sizeof(*m->entries));
	return m->entries ? SNAP_OK : libsnap_fail_memory(&w->problem);
}

/* Bits below it are alike in all ids; a place has at least a word. */
static unsigned shift_of(const struct snap_writer *w)
{
	unsigned shift = w->id_bits ? (unsigned)__builtin_ctzll(w->id_bits) : 0;
	return shift < LIBSNAP_PLACE_SHIFT - 6 ? shift : LIBSNAP_PLACE_SHIFT - 6;
}

bool libsnap_map_is_close(const struct snap_writer *w, uint64_t *bytes)
{
	const uint64_t count = w->named.record_count;
	uint64_t words = w->places.count << (LIBSNAP_PLACE_SHIFT - 6 - shift_of(w));
	bool close = count > 0 && count < UINT32_MAX && !w->places.too_many &&
		     words <= count / 64 * DENSE + ((size_t)1 << (LIBSNAP_PLACE_SHIFT - 6));
	*bytes = close ? words * sizeof(struct libsnap_map_word) + count * sizeof(uint32_t) +
				 w->places.slot_count * sizeof(struct libsnap_map_place)
		       : count * sizeof(struct libsnap_sort_entry);
	return close;
}

enum snap_status libsnap_map_begin(struct snap_writer *w)
{
	struct libsnap_map *m = &w->map;
	uint64_t bytes;
	bool dense = libsnap_map_is_close(w, &bytes);
	m->shift = shift_of(w);
	m->low = w->lowest_id & (((uint64_t)1 << m->shift) - 1);
	m->words_per_place = (uint64_t)1 << (LIBSNAP_PLACE_SHIFT - 6 - m->shift);
	m->word_count = w->places.count * m->words_per_place;
	m->place_slots = w->places.slot_count;
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
	int failed =
		w->io->write_at(w->io->context, m->file, m->pages * PAGE_SIZE, m->page, PAGE_SIZE);
	if (failed)
		return libsnap_fail_io(&w->problem, failed, SNAP_NO_OFFSET,
				       "cannot write a temporary file in %s", w->folder);
	m->pages++;
	m->used = 0;
	return SNAP_OK;
}

/* NULL: no id is there. */
static inline const struct libsnap_map_place *place_at(const struct libsnap_map *m, uint64_t entry)
{
	size_t i = home_of(entry, m->place_slots);
	while (m->places[i].entry != entry) {
		if (!m->places[i].entry)
			return NULL;
		i = (i + 1) & (m->place_slots - 1);
	}
	return &m->places[i];
}

/* The word that has the bit of an id, which is there, and mostly near the one before. */
static inline struct libsnap_map_word *word_near(const struct libsnap_map *m, uint64_t id,
						 const struct libsnap_map_place **near,
						 uint64_t *bit)
{
	const uint64_t entry = (id >> LIBSNAP_PLACE_SHIFT) + 1;
	if (!*near || (*near)->entry != entry)
		*near = place_at(m, entry);
	uint64_t within = (id & ((1u << LIBSNAP_PLACE_SHIFT) - 1)) >> m->shift;
	*bit = (uint64_t)1 << within % 64;
	return &m->words[(*near)->first_word + within / 64];
}

enum snap_status libsnap_map_add(struct snap_writer *w, uint64_t id, uint64_t row)
{
	struct libsnap_map *m = &w->map;
	if (m->words) {
		uint64_t bit;
		struct libsnap_map_word *word = word_near(m, id, &m->near, &bit);
		if (!word->bits)
			word->before = m->count;
		word->bits |= bit;
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

static inline uint64_t count_before(const struct libsnap_map_word *word, uint64_t bit)
{
	return word->before + count_bits(word->bits & (bit - 1));
}

static void count_words(struct libsnap_map *m)
{
	for (uint64_t i = 0; i < m->word_count; i++) {
		m->words[i].before = m->count;
		m->count += count_bits(m->words[i].bits);
	}
}

/* Ids as they were added, up to a chunk of their tape. */
struct stretch {
	struct libsnap_job job;
	struct libsnap_map *map;
	struct libsnap_sort_walk walk;
	size_t end;
};

static inline bool next_of(struct stretch *s, struct libsnap_record *record)
{
	return (s->walk.at != s->walk.end || s->walk.chunk < s->end) &&
	       libsnap_sort_next_as_added(&s->walk, record) == SNAP_OK;
}

/* 0, or an id that has its bit already. */
static uint64_t set_bits(struct stretch *s)
{
	const struct libsnap_map_place *near = NULL;
	struct libsnap_record record;
	uint64_t bit;
	while (next_of(s, &record)) {
		struct libsnap_map_word *word = word_near(s->map, record.key, &near, &bit);
		if (word->bits & bit)
			return record.key;
		word->bits |= bit;
	}
	return 0;
}

static void set_rows(struct libsnap_job *job)
{
	struct stretch *s = (struct stretch *)job;
	const struct libsnap_map_place *near = NULL;
	struct libsnap_record record;
	uint64_t bit;
	while (next_of(s, &record)) {
		const struct libsnap_map_word *word = word_near(s->map, record.key, &near, &bit);
		const uint8_t *at = record.bytes;
		s->map->rows[count_before(word, bit)] = (uint32_t)libsnap_get(&at);
	}
}

/* What is written to for the first time takes its time. */
static void touch_rows(struct libsnap_job *job)
{
	struct libsnap_map *m = ((struct stretch *)job)->map;
	memset(m->rows, 0, (size_t)m->capacity * sizeof(*m->rows));
}

uint64_t libsnap_map_fill(struct libsnap_map *m, struct libsnap_sorter *named, unsigned threads)
{
	struct libsnap_worker worker;
	struct stretch first = {.map = m, .walk.sorter = named, .end = named->tape.chunk_count / 2};
	struct stretch all = first, second = {.job.run = touch_rows, .map = m};
	libsnap_worker_begin(&worker, threads);
	if (worker.threaded)
		libsnap_worker_post(&worker, &second.job);
	uint64_t twin = set_bits(&all);
	libsnap_worker_wait(&worker, &second.job);
	second = all;
	second.job.run = set_rows;
	second.end = all.end = named->tape.chunk_count;
	if (twin == 0)
		twin = set_bits(&all);
	if (twin == 0) {
		count_words(m);
		libsnap_worker_post(&worker, &second.job);
		set_rows(&first.job);
	}
	libsnap_worker_end(&worker);
	return twin;
}

/* The place of an id in their order + 1; 0: there is none.  *near: where the last one was, or NULL.
 */
static inline uint64_t place_of(const struct libsnap_map *m, uint64_t id,
				const struct libsnap_map_place **near)
{
	const uint64_t entry = (id >> LIBSNAP_PLACE_SHIFT) + 1;
	if (!*near || (*near)->entry != entry)
		*near = place_at(m, entry);
	if (!*near || (id & (((uint64_t)1 << m->shift) - 1)) != m->low)
		return 0;
	const uint64_t within = (id & ((1u << LIBSNAP_PLACE_SHIFT) - 1)) >> m->shift;
	const uint64_t bit = (uint64_t)1 << within % 64;
	const struct libsnap_map_word *word = &m->words[(*near)->first_word + within / 64];
	return word->bits & bit ? count_before(word, bit) + 1 : 0;
}

/* In two steps, each of which waits for memory in many places at once. */
void libsnap_map_find(const struct libsnap_map *m, uint64_t *ids, size_t count,
		      struct libsnap_found *found)
{
	const struct libsnap_map_place *near = NULL;
	uint64_t last = 0, place = 0;
	for (size_t i = 0; i < count; i++) {
		if (ids[i] != last) {
			last = ids[i];
			place = place_of(m, last, &near);
		}
		found->known += place != 0;
		found->unknown += place == 0 && last != 0;
		ids[i] = place;
	}
	for (size_t i = 0; i < count; i++)
		if (ids[i])
			ids[i] = (uint64_t)m->rows[ids[i] - 1] + 1;
}

/* ---- others ---- */

static enum snap_status load_page(struct snap_writer *w, uint64_t page)
{
	struct libsnap_map *m = &w->map;
	size_t got = 0;
	if (m->loaded == page + 1)
		return SNAP_OK;
	m->loaded = 0;
	int failed =
		w->io->read_at(w->io->context, m->file, page * PAGE_SIZE, m->page, PAGE_SIZE, &got);
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
		struct libsnap_found found = {0};
		libsnap_map_find(m, ids, count, &found);
		*unknown += found.unknown;
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
	libsnap_free(w->allocator, m->places, m->place_slots, sizeof(*m->places));
	libsnap_free(w->allocator, w->places.slots, w->places.slot_count, sizeof(*w->places.slots));
	w->places = (struct libsnap_places){.slots = NULL};
	libsnap_free(w->allocator, m->entries, (size_t)m->capacity, sizeof(*m->entries));
	libsnap_free(w->allocator, m->page, PAGE_ENTRIES, sizeof(*m->page));
	libsnap_free(w->allocator, m->lookups, LIBSNAP_BATCH, sizeof(*m->lookups));
	libsnap_free(w->allocator, m->scratch, LIBSNAP_BATCH, sizeof(*m->scratch));
	libsnap_pages_free(&m->first);
	if (m->file)
		w->io->close(w->io->context, m->file);
	*m = (struct libsnap_map){.file = NULL};
}
