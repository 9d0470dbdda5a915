/* Sorting records by a number, in memory or, when that gets too much, by way of a temporary file.
 *
 * Records are added to a tape.  A spill writes what is there as a sorted run and forgets it.  At
 * the end the records come out in order, however often that happened; equal keys in the order in
 * which they were added, or by some of their bytes. */
#ifndef LIBSNAP_SORT_H
#define LIBSNAP_SORT_H

#include "snapfmt.h"
#include "store.h"

struct libsnap_sort_entry {
	uint64_t key, position;
};

struct libsnap_sort_run {
	uint64_t offset, size;
};

/* What comes first of records of equal keys.  Except for the order in which they were
 * added, the first byte of a record says how many more of its bytes are compared. */
enum libsnap_sort_ties {
	LIBSNAP_TIES_IN_ORDER,
	LIBSNAP_TIES_BY_SIZE, /* the one with fewer such bytes, then by these */
	LIBSNAP_TIES_AS_TEXT, /* by these bytes, as texts are compared */
};

struct libsnap_sorter {
	const struct snap_allocator *allocator;
	const struct snap_io *io;
	const char *folder;
	enum libsnap_sort_ties ties;
	struct libsnap_tape tape;
	uint64_t last_key, tape_records, record_count;
	bool ascending; /* so far, on the tape */
	struct libsnap_sort_entry *entries;
	size_t entry_count;
	void *file;
	uint64_t file_size;
	struct libsnap_sort_run *runs;
	size_t run_count, run_capacity;
};

struct libsnap_record {
	uint64_t key;
	const uint8_t *bytes;
	size_t size;
};

void libsnap_sorter_init(struct libsnap_sorter *, const struct snap_allocator *allocator,
			 const struct snap_io *io, const char *folder, enum libsnap_sort_ties);
void libsnap_sorter_free(struct libsnap_sorter *);
enum snap_status libsnap_sorter_add(struct libsnap_sorter *, uint64_t key, const uint8_t *bytes,
				    size_t size, struct snap_error *);
/* Takes a record into the sorter, of which bytes from room up to end were written. */
static inline void libsnap_sorter_commit(struct libsnap_sorter *s, uint64_t key,
					 const uint8_t *room, const uint8_t *end)
{
	libsnap_tape_commit(&s->tape, (size_t)(end - room));
	s->ascending = s->ascending && key >= s->last_key && !(s->ties && key == s->last_key);
	s->last_key = key;
	s->tape_records++;
	s->record_count++;
}
/* A record that is one varint; false: no memory. */
static inline bool libsnap_sorter_add_number(struct libsnap_sorter *s, uint64_t key,
					     uint64_t number)
{
	uint8_t *room = libsnap_tape_room(&s->tape, 3 * LIBSNAP_VARINT_MAX);
	if (!room)
		return false;
	uint8_t *size = libsnap_put(room, snapfmt_zigzag(key - s->last_key)),
		*end = libsnap_put(size + 1, number);
	*size = (uint8_t)(end - size - 1);
	libsnap_sorter_commit(s, key, room, end);
	return true;
}
/* What it needs now, with what sorting it would take. */
static inline uint64_t libsnap_sorter_memory(const struct libsnap_sorter *s)
{
	uint64_t sorting =
		s->ascending ? 0 : s->tape_records * 2 * sizeof(struct libsnap_sort_entry);
	return s->tape.memory_bytes + sorting;
}
enum snap_status libsnap_sorter_spill(struct libsnap_sorter *, struct snap_error *);
/* Fills entries with what is on the tape, in order; a tape that ascends is its own order. */
enum snap_status libsnap_sorter_sort_tape(struct libsnap_sorter *, struct snap_error *);
/* No more is added.  With runs in the file, the rest becomes one too. */
enum snap_status libsnap_sorter_finish(struct libsnap_sorter *, struct snap_error *);
static inline bool libsnap_sorter_spilled(const struct libsnap_sorter *s)
{
	return s->run_count > 0;
}
/* A walk over all records in order, any number of times. */
struct libsnap_sort_reader;
struct libsnap_sort_walk {
	struct libsnap_sorter *sorter;
	size_t next_entry;
	size_t chunk; /* of a tape that ascends: the next one */
	const uint8_t *at, *end;
	uint64_t key;
	struct libsnap_sort_reader *readers; /* of runs */
	size_t reader_count;
	uint32_t *heap; /* of readers, the one with the next record first */
	size_t heap_count;
	bool begun;
};
/* buffer_bytes are shared among the runs. */
enum snap_status libsnap_sort_walk_begin(struct libsnap_sort_walk *, struct libsnap_sorter *,
					 size_t buffer_bytes, struct snap_error *);
/* SNAP_END after the last.  The record lives until the next call; without runs, as long as the
 * sorter. */
enum snap_status libsnap_sort_walk_next(struct libsnap_sort_walk *, struct libsnap_record *,
					struct snap_error *);
/* Without runs: records in the order in which they were
 * added; the walk needs no more than its sorter. */
bool libsnap_sort_next_chunk(struct libsnap_sort_walk *);
static inline enum snap_status libsnap_sort_next_as_added(struct libsnap_sort_walk *w,
							  struct libsnap_record *record)
{
	if (w->at == w->end && !libsnap_sort_next_chunk(w))
		return SNAP_END;
	w->key += snapfmt_unzigzag(libsnap_get(&w->at));
	record->key = w->key;
	record->size = (size_t)libsnap_get(&w->at);
	record->bytes = w->at;
	w->at += record->size;
	return SNAP_OK;
}
/* Without runs: sort_walk_next() does the rest. */
enum snap_status libsnap_sort_next_in_memory(struct libsnap_sort_walk *, struct libsnap_record *);
void libsnap_sort_walk_end(struct libsnap_sort_walk *);

/* Whether record a comes before b when their keys are equal; not for LIBSNAP_TIES_IN_ORDER. */
bool libsnap_sort_ties_before(enum libsnap_sort_ties, const uint8_t *a, const uint8_t *b);

/* Sorts entries by key, stably; scratch has count too. */
void libsnap_sort_entries(struct libsnap_sort_entry *entries, struct libsnap_sort_entry *scratch,
			  size_t count);

#endif
