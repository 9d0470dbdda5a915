/* Records on a tape, and their order in memory. */
#include <string.h>

#include "snapfmt.h"
#include "sort.h"

void libsnap_sorter_init(struct libsnap_sorter *s, const struct snap_allocator *allocator,
			 const struct snap_io *io, const char *folder, enum libsnap_sort_ties ties)
{
	*s = (struct libsnap_sorter){.allocator = allocator,
				     .io = io,
				     .folder = folder,
				     .ties = ties,
				     .ascending = true};
	libsnap_tape_init(&s->tape, allocator);
}

void libsnap_sorter_free(struct libsnap_sorter *s)
{
	libsnap_free(s->allocator, s->entries, s->entry_count, sizeof(*s->entries));
	libsnap_free(s->allocator, s->runs, s->run_capacity, sizeof(*s->runs));
	libsnap_tape_free(&s->tape);
	if (s->file)
		s->io->close(s->io->context, s->file);
	libsnap_sorter_init(s, s->allocator, s->io, s->folder, s->ties);
}

/* On a tape: the key's difference to the one before, the size, the bytes. */
enum snap_status libsnap_sorter_add(struct libsnap_sorter *s, uint64_t key, const uint8_t *bytes,
				    size_t size, struct snap_error *error)
{
	uint8_t *room = libsnap_tape_room(&s->tape, size + 2 * LIBSNAP_VARINT_MAX);
	if (!room)
		return libsnap_fail_memory(error);
	uint8_t *at = libsnap_put(room, snapfmt_zigzag(key - s->last_key));
	at = libsnap_put(at, size);
	memcpy(at, bytes, size);
	libsnap_sorter_commit(s, key, room, at + size);
	return SNAP_OK;
}

static void list_entries(struct libsnap_sorter *s)
{
	uint64_t key = 0;
	size_t count = 0;
	for (size_t i = 0; i < s->tape.chunk_count; i++) {
		const struct libsnap_tape_chunk *chunk = &s->tape.chunks[i];
		const uint8_t *at = chunk->bytes;
		while (at < chunk->bytes + chunk->used) {
			uint64_t zigzag = libsnap_get(&at);
			key += snapfmt_unzigzag(zigzag);
			uint64_t place = (uint64_t)(at - chunk->bytes);
			s->entries[count++] = (struct libsnap_sort_entry){
				key, (uint64_t)i << LIBSNAP_TAPE_SHIFT | place};
			size_t size = (size_t)libsnap_get(&at);
			at += size;
		}
	}
}

/* Only the bits in which keys differ are looked at, eight at a time, the lowest first. */
void libsnap_sort_entries(struct libsnap_sort_entry *entries, struct libsnap_sort_entry *scratch,
			  size_t count)
{
	uint64_t varying = 0;
	for (size_t i = 1; i < count; i++)
		varying |= entries[i].key ^ entries[0].key;
	struct libsnap_sort_entry *from = entries, *to = scratch;
	while (varying) {
		unsigned shift = (unsigned)__builtin_ctzll(varying);
		size_t starts[256] = {0};
		for (size_t i = 0; i < count; i++)
			starts[from[i].key >> shift & 0xff]++;
		for (size_t digit = 0, sum = 0; digit < 256; digit++) {
			size_t here = starts[digit];
			starts[digit] = sum;
			sum += here;
		}
		for (size_t i = 0; i < count; i++)
			to[starts[from[i].key >> shift & 0xff]++] = from[i];
		struct libsnap_sort_entry *swap = from;
		from = to;
		to = swap;
		varying = shift >= 56 ? 0 : varying & ~(uint64_t)0 << (shift + 8);
	}
	if (from != entries)
		memcpy(entries, from, count * sizeof(*entries));
}

bool libsnap_sort_ties_before(enum libsnap_sort_ties ties, const uint8_t *a, const uint8_t *b)
{
	size_t size = *a < *b ? *a : *b;
	if (ties == LIBSNAP_TIES_BY_SIZE)
		return memcmp(a, b, 1 + size) < 0;
	int order = memcmp(a + 1, b + 1, size);
	return order ? order < 0 : *a < *b;
}

static const uint8_t *tie_bytes(const struct libsnap_sorter *s,
				const struct libsnap_sort_entry *entry)
{
	const uint8_t *at = libsnap_tape_at(&s->tape, entry->position);
	libsnap_get(&at);
	return at;
}

static void merge_ties(const struct libsnap_sorter *s, struct libsnap_sort_entry *to,
		       const struct libsnap_sort_entry *a, size_t a_count, size_t b_count)
{
	const struct libsnap_sort_entry *b = a + a_count;
	while (a_count && b_count) {
		if (libsnap_sort_ties_before(s->ties, tie_bytes(s, b), tie_bytes(s, a))) {
			*to++ = *b++;
			b_count--;
		} else {
			*to++ = *a++;
			a_count--;
		}
	}
	memcpy(to, a, a_count * sizeof(*a));
	memcpy(to + a_count, b, b_count * sizeof(*b));
}

static void sort_ties(const struct libsnap_sorter *s, struct libsnap_sort_entry *entries,
		      struct libsnap_sort_entry *scratch, size_t count)
{
	for (size_t width = 1; width < count; width *= 2) {
		for (size_t start = 0; start < count; start += 2 * width) {
			size_t left = count - start;
			size_t a = left < width ? left : width;
			size_t b = left - a < width ? left - a : width;
			merge_ties(s, scratch + start, entries + start, a, b);
		}
		memcpy(entries, scratch, count * sizeof(*entries));
	}
}

static void sort_all_ties(struct libsnap_sorter *s, struct libsnap_sort_entry *scratch)
{
	for (size_t i = 0, end; i < s->entry_count; i = end) {
		end = i + 1;
		while (end < s->entry_count && s->entries[end].key == s->entries[i].key)
			end++;
		sort_ties(s, s->entries + i, scratch, end - i);
	}
}

enum snap_status libsnap_sorter_sort_tape(struct libsnap_sorter *s, struct snap_error *error)
{
	if (s->ascending)
		return SNAP_OK;
	s->entries = libsnap_alloc(s->allocator, s->tape_records, sizeof(*s->entries));
	if (!s->entries)
		return libsnap_fail_memory(error);
	s->entry_count = s->tape_records;
	list_entries(s);
	struct libsnap_sort_entry *scratch =
		libsnap_alloc(s->allocator, s->entry_count, sizeof(*scratch));
	if (!scratch)
		return libsnap_fail_memory(error);
	libsnap_sort_entries(s->entries, scratch, s->entry_count);
	if (s->ties)
		sort_all_ties(s, scratch);
	libsnap_free(s->allocator, scratch, s->entry_count, sizeof(*scratch));
	return SNAP_OK;
}

static enum snap_status next_entry(struct libsnap_sort_walk *w, struct libsnap_record *record)
{
	const struct libsnap_sorter *s = w->sorter;
	if (w->next_entry == s->entry_count)
		return SNAP_END;
	const struct libsnap_sort_entry *entry = &s->entries[w->next_entry++];
	const uint8_t *at = libsnap_tape_at(&s->tape, entry->position);
	record->key = entry->key;
	record->size = (size_t)libsnap_get(&at);
	record->bytes = at;
	return SNAP_OK;
}

enum snap_status libsnap_sort_next_in_memory(struct libsnap_sort_walk *w,
					     struct libsnap_record *record)
{
	return w->sorter->ascending ? libsnap_sort_next_as_added(w, record) : next_entry(w, record);
}

bool libsnap_sort_next_chunk(struct libsnap_sort_walk *w)
{
	const struct libsnap_tape *tape = &w->sorter->tape;
	while (w->at == w->end) {
		if (w->chunk == tape->chunk_count)
			return false;
		const struct libsnap_tape_chunk *chunk = &tape->chunks[w->chunk++];
		w->at = chunk->bytes;
		w->end = chunk->bytes + chunk->used;
	}
	return true;
}
