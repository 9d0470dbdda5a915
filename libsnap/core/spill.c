/* Sorted runs in a temporary file, and the walk that merges them. */
#include <errno.h>
#include <string.h>

#include "sort.h"

#define WRITE_BUFFER    65536
#define READ_BUFFER_MIN 4096
#define READ_BUFFER_MAX 262144
#define RUNS_MAX        128 /* then they are merged into one */
#define MERGE_BUFFER    (2u << 20)
#define PART_RECORDS    (1u << 17) /* that are sorted at once where there are many more */
#define HEADER_MAX      (2 * LIBSNAP_VARINT_MAX)

static enum snap_status open_file(struct libsnap_sorter *s, struct snap_error *error)
{
	int failed = s->io->open(s->io->context, s->folder, SNAP_IO_TEMPORARY, &s->file);
	if (!failed)
		return SNAP_OK;
	s->file = NULL;
	return libsnap_fail_io(error, failed, SNAP_NO_OFFSET, "cannot make a temporary file in %s",
			       s->folder);
}

/* ---- writing a run ---- */

struct run_writer {
	struct libsnap_sorter *sorter;
	uint8_t *buffer;
	size_t used;
	uint64_t start, last_key;
};

static enum snap_status run_write(struct run_writer *w, const void *bytes, size_t size,
				  struct snap_error *error)
{
	struct libsnap_sorter *s = w->sorter;
	int failed = s->io->write_at(s->io->context, s->file, s->file_size, bytes, size);
	if (failed)
		return libsnap_fail_io(error, failed, SNAP_NO_OFFSET,
				       "cannot write a temporary file in %s", s->folder);
	s->file_size += size;
	return SNAP_OK;
}

static enum snap_status run_flush(struct run_writer *w, struct snap_error *error)
{
	size_t size = w->used;
	w->used = 0;
	return size ? run_write(w, w->buffer, size, error) : SNAP_OK;
}

static enum snap_status run_begin(struct run_writer *w, struct libsnap_sorter *s,
				  struct snap_error *error)
{
	*w = (struct run_writer){.sorter = s, .start = s->file_size};
	w->buffer = libsnap_alloc(s->allocator, WRITE_BUFFER, 1);
	return w->buffer ? SNAP_OK : libsnap_fail_memory(error);
}

static enum snap_status run_add(struct run_writer *w, const struct libsnap_record *record,
				struct snap_error *error)
{
	enum snap_status status = SNAP_OK;
	if (WRITE_BUFFER - w->used < HEADER_MAX + record->size)
		status = run_flush(w, error);
	uint8_t *at = libsnap_put(w->buffer + w->used, record->key - w->last_key);
	at = libsnap_put(at, record->size);
	w->used = (size_t)(at - w->buffer);
	w->last_key = record->key;
	if (status == SNAP_OK && WRITE_BUFFER - w->used < record->size) {
		status = run_flush(w, error);
		return status == SNAP_OK ? run_write(w, record->bytes, record->size, error)
					 : status;
	}
	if (status == SNAP_OK) {
		memcpy(at, record->bytes, record->size);
		w->used += record->size;
	}
	return status;
}

static enum snap_status run_end(struct run_writer *w, enum snap_status status,
				struct snap_error *error)
{
	struct libsnap_sorter *s = w->sorter;
	if (status == SNAP_OK)
		status = run_flush(w, error);
	libsnap_free(s->allocator, w->buffer, WRITE_BUFFER, 1);
	if (status != SNAP_OK)
		return status;
	struct libsnap_sort_run *runs = libsnap_grow(s->allocator, s->runs, &s->run_capacity,
						     s->run_count + 1, sizeof(*runs));
	if (!runs)
		return libsnap_fail_memory(error);
	s->runs = runs;
	runs[s->run_count++] = (struct libsnap_sort_run){w->start, s->file_size - w->start};
	return SNAP_OK;
}

static void forget_tape(struct libsnap_sorter *s)
{
	libsnap_free(s->allocator, s->entries, s->entry_count, sizeof(*s->entries));
	s->entries = NULL;
	s->entry_count = 0;
	libsnap_tape_free(&s->tape);
	s->last_key = 0;
	s->tape_records = 0;
	s->ascending = true;
}

/* ---- reading runs ---- */

struct libsnap_sort_reader {
	uint8_t *buffer;
	size_t capacity, at, end;
	uint64_t offset, left; /* what is not yet in the buffer */
	struct libsnap_record record;
};

/* At least size bytes in the buffer, or all that is left. */
static enum snap_status reader_need(struct libsnap_sorter *s, struct libsnap_sort_reader *r,
				    size_t size, struct snap_error *error)
{
	if (r->end - r->at >= size || r->left == 0)
		return SNAP_OK;
	memmove(r->buffer, r->buffer + r->at, r->end - r->at);
	r->end -= r->at;
	r->at = 0;
	if (r->capacity < size) {
		uint8_t *larger =
			libsnap_resize_array(s->allocator, r->buffer, r->capacity, size, 1);
		if (!larger)
			return libsnap_fail_memory(error);
		r->buffer = larger;
		r->capacity = size;
	}
	size_t wanted = r->capacity - r->end;
	if (wanted > r->left)
		wanted = (size_t)r->left;
	size_t got = 0;
	int failed = s->io->read_at(s->io->context, s->file, r->offset, r->buffer + r->end, wanted,
				    &got);
	if (!failed && got != wanted)
		failed = EIO;
	if (failed)
		return libsnap_fail_io(error, failed, SNAP_NO_OFFSET,
				       "cannot read a temporary file in %s", s->folder);
	r->end += got;
	r->offset += got;
	r->left -= got;
	return SNAP_OK;
}

/* SNAP_END after the run's last record. */
static enum snap_status reader_next(struct libsnap_sorter *s, struct libsnap_sort_reader *r,
				    struct snap_error *error)
{
	if (r->at == r->end && r->left == 0)
		return SNAP_END;
	enum snap_status status = reader_need(s, r, HEADER_MAX, error);
	if (status != SNAP_OK)
		return status;
	const uint8_t *at = r->buffer + r->at;
	r->record.key += libsnap_get(&at);
	r->record.size = (size_t)libsnap_get(&at);
	r->at = (size_t)(at - r->buffer);
	status = reader_need(s, r, r->record.size, error);
	if (status != SNAP_OK)
		return status;
	r->record.bytes = r->buffer + r->at;
	r->at += r->record.size;
	return SNAP_OK;
}

static bool reader_before(const struct libsnap_sort_walk *w, uint32_t a, uint32_t b)
{
	const struct libsnap_record *x = &w->readers[a].record, *y = &w->readers[b].record;
	if (x->key != y->key)
		return x->key < y->key;
	enum libsnap_sort_ties ties = w->sorter->ties;
	if (ties) {
		if (libsnap_sort_ties_before(ties, x->bytes, y->bytes))
			return true;
		if (libsnap_sort_ties_before(ties, y->bytes, x->bytes))
			return false;
	}
	return a < b;
}

static void sift_down(struct libsnap_sort_walk *w, size_t i)
{
	for (;;) {
		size_t child = 2 * i + 1;
		if (child >= w->heap_count)
			return;
		if (child + 1 < w->heap_count &&
		    reader_before(w, w->heap[child + 1], w->heap[child]))
			child++;
		if (!reader_before(w, w->heap[child], w->heap[i]))
			return;
		uint32_t swap = w->heap[i];
		w->heap[i] = w->heap[child];
		w->heap[child] = swap;
		i = child;
	}
}

static enum snap_status open_readers(struct libsnap_sort_walk *w, size_t buffer_bytes,
				     struct snap_error *error)
{
	struct libsnap_sorter *s = w->sorter;
	w->readers = libsnap_alloc_zeroed(s->allocator, s->run_count, sizeof(*w->readers));
	w->heap = libsnap_alloc(s->allocator, s->run_count, sizeof(*w->heap));
	w->reader_count = s->run_count;
	if (!w->readers || !w->heap)
		return libsnap_fail_memory(error);
	size_t each = buffer_bytes / s->run_count;
	each = each < READ_BUFFER_MIN   ? READ_BUFFER_MIN
	       : each > READ_BUFFER_MAX ? READ_BUFFER_MAX
					: each;
	for (size_t i = 0; i < s->run_count; i++) {
		struct libsnap_sort_reader *r = &w->readers[i];
		r->buffer = libsnap_alloc(s->allocator, each, 1);
		if (!r->buffer)
			return libsnap_fail_memory(error);
		r->capacity = each;
		r->offset = s->runs[i].offset;
		r->left = s->runs[i].size;
		enum snap_status status = reader_next(s, r, error);
		if (status == SNAP_OK)
			w->heap[w->heap_count++] = (uint32_t)i;
		else if (status != SNAP_END)
			return status;
	}
	for (size_t i = w->heap_count; i-- > 0;)
		sift_down(w, i);
	return SNAP_OK;
}

enum snap_status libsnap_sort_walk_begin(struct libsnap_sort_walk *w, struct libsnap_sorter *s,
					 size_t buffer_bytes, struct snap_error *error)
{
	*w = (struct libsnap_sort_walk){.sorter = s};
	if (!libsnap_sorter_spilled(s))
		return SNAP_OK;
	enum snap_status status = open_readers(w, buffer_bytes, error);
	if (status != SNAP_OK)
		libsnap_sort_walk_end(w);
	return status;
}

/* The record given last is still in its reader's buffer: that reader moves on only now. */
static enum snap_status next_merged(struct libsnap_sort_walk *w, struct libsnap_record *record,
				    struct snap_error *error)
{
	if (w->begun && w->heap_count > 0) {
		enum snap_status status = reader_next(w->sorter, &w->readers[w->heap[0]], error);
		if (status == SNAP_END)
			w->heap[0] = w->heap[--w->heap_count];
		else if (status != SNAP_OK)
			return status;
		sift_down(w, 0);
	}
	w->begun = true;
	if (w->heap_count == 0)
		return SNAP_END;
	*record = w->readers[w->heap[0]].record;
	return SNAP_OK;
}

enum snap_status libsnap_sort_walk_next(struct libsnap_sort_walk *w, struct libsnap_record *record,
					struct snap_error *error)
{
	if (w->readers)
		return next_merged(w, record, error);
	return libsnap_sort_next_in_memory(w, record);
}

void libsnap_sort_walk_end(struct libsnap_sort_walk *w)
{
	if (!w->sorter)
		return;
	const struct snap_allocator *allocator = w->sorter->allocator;
	for (size_t i = 0; w->readers && i < w->reader_count; i++)
		libsnap_free(allocator, w->readers[i].buffer, w->readers[i].capacity, 1);
	libsnap_free(allocator, w->readers, w->reader_count, sizeof(*w->readers));
	libsnap_free(allocator, w->heap, w->reader_count, sizeof(*w->heap));
	*w = (struct libsnap_sort_walk){0};
}

/* ---- spilling ---- */

/* All that a walk gives becomes the last run of target's file. */
static enum snap_status copy_run(struct libsnap_sorter *target, struct libsnap_sorter *source,
				 struct snap_error *error)
{
	struct libsnap_sort_walk walk = {0};
	struct run_writer writer;
	enum snap_status status = run_begin(&writer, target, error);
	if (status == SNAP_OK)
		status = libsnap_sort_walk_begin(&walk, source, MERGE_BUFFER, error);
	struct libsnap_record record;
	while (status == SNAP_OK &&
	       (status = libsnap_sort_walk_next(&walk, &record, error)) == SNAP_OK)
		status = run_add(&writer, &record, error);
	libsnap_sort_walk_end(&walk);
	return run_end(&writer, status == SNAP_END ? SNAP_OK : status, error);
}

/* Many runs become one, in a file of its own. */
static enum snap_status merge_runs(struct libsnap_sorter *s, struct snap_error *error)
{
	struct libsnap_sorter merged;
	libsnap_sorter_init(&merged, s->allocator, s->io, s->folder, s->ties);
	enum snap_status status = open_file(&merged, error);
	if (status == SNAP_OK)
		status = copy_run(&merged, s, error);
	if (status != SNAP_OK) {
		libsnap_sorter_free(&merged);
		return status;
	}
	merged.record_count = s->record_count;
	libsnap_sorter_free(s);
	*s = merged;
	return SNAP_OK;
}

static enum snap_status spill_sorted(struct libsnap_sorter *s, struct snap_error *error)
{
	/* A walk over s would merge its older runs: this one is over the tape alone. */
	struct libsnap_sorter tape_alone = *s;
	tape_alone.run_count = 0;
	return copy_run(s, &tape_alone, error);
}

static enum snap_status spill_part(struct libsnap_sorter *s, struct libsnap_sorter *part,
				   struct snap_error *error)
{
	enum snap_status status = libsnap_sorter_sort_tape(part, error);
	if (status == SNAP_OK)
		status = copy_run(s, part, error);
	forget_tape(part);
	return status;
}

/* To sort a large tape as one would take much more memory than it has. */
static enum snap_status spill_in_parts(struct libsnap_sorter *s, struct snap_error *error)
{
	struct libsnap_sort_walk walk = {.sorter = s};
	struct libsnap_record record;
	struct libsnap_sorter part;
	enum snap_status status = SNAP_OK;
	libsnap_sorter_init(&part, s->allocator, s->io, s->folder, s->ties);
	while (status == SNAP_OK && libsnap_sort_next_as_added(&walk, &record) == SNAP_OK) {
		status = libsnap_sorter_add(&part, record.key, record.bytes, record.size, error);
		if (status == SNAP_OK && part.tape_records == PART_RECORDS)
			status = spill_part(s, &part, error);
	}
	if (status == SNAP_OK && part.tape_records > 0)
		status = spill_part(s, &part, error);
	libsnap_sorter_free(&part);
	return status;
}

enum snap_status libsnap_sorter_spill(struct libsnap_sorter *s, struct snap_error *error)
{
	if (s->tape_records == 0)
		return SNAP_OK;
	const bool in_parts = !s->ascending && s->tape_records > PART_RECORDS;
	enum snap_status status = s->file ? SNAP_OK : open_file(s, error);
	if (status == SNAP_OK && !in_parts)
		status = libsnap_sorter_sort_tape(s, error);
	if (status == SNAP_OK)
		status = in_parts ? spill_in_parts(s, error) : spill_sorted(s, error);
	if (status != SNAP_OK)
		return status;
	forget_tape(s);
	return s->run_count < RUNS_MAX ? SNAP_OK : merge_runs(s, error);
}

enum snap_status libsnap_sorter_finish(struct libsnap_sorter *s, struct snap_error *error)
{
	return libsnap_sorter_spilled(s) ? libsnap_sorter_spill(s, error)
					 : libsnap_sorter_sort_tape(s, error);
}
