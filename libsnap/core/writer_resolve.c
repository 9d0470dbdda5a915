/* From ids to rows, many at a time: the ids that are asked for are sorted, and found in one sweep
 * over those that there are, in memory or page by page in a temporary file. */
#include <errno.h>
#include <string.h>

#include "writer.h"

#define PAGE_ENTRIES 1024u
#define PAGE_SIZE    (PAGE_ENTRIES * sizeof(struct libsnap_sort_entry))

enum snap_status libsnap_map_begin(struct snap_writer *w)
{
	struct libsnap_order *o = &w->order;
	o->map_page = libsnap_alloc(w->allocator, PAGE_ENTRIES, sizeof(*o->map_page));
	if (!o->map_page)
		return libsnap_fail_memory(&w->problem);
	int failed = w->io->open(w->io->context, w->folder, SNAP_IO_TEMPORARY, &o->map_file);
	if (!failed)
		return SNAP_OK;
	o->map_file = NULL;
	return libsnap_fail_io(&w->problem, failed, SNAP_NO_OFFSET,
			       "cannot make a temporary file in %s", w->folder);
}

static enum snap_status write_page(struct snap_writer *w)
{
	struct libsnap_order *o = &w->order;
	uint64_t *first = libsnap_pages_add(&o->map_first);
	if (!first)
		return libsnap_fail_memory(&w->problem);
	*first = o->map_page[0].key;
	int failed = w->io->write_at(w->io->context, o->map_file, o->map_pages * PAGE_SIZE,
				     o->map_page, PAGE_SIZE);
	if (failed)
		return libsnap_fail_io(&w->problem, failed, SNAP_NO_OFFSET,
				       "cannot write a temporary file in %s", w->folder);
	o->map_pages++;
	o->map_used = 0;
	return SNAP_OK;
}

enum snap_status libsnap_map_add(struct snap_writer *w, uint64_t id, uint64_t row)
{
	struct libsnap_order *o = &w->order;
	o->map_page[o->map_used++] = (struct libsnap_sort_entry){id, row};
	return o->map_used == PAGE_ENTRIES ? write_page(w) : SNAP_OK;
}

/* The last page is filled up with its last entry, of which the first is found. */
enum snap_status libsnap_map_finish(struct snap_writer *w)
{
	struct libsnap_order *o = &w->order;
	if (o->map_used == 0)
		return SNAP_OK;
	struct libsnap_sort_entry last = o->map_page[o->map_used - 1];
	while (o->map_used < PAGE_ENTRIES)
		o->map_page[o->map_used++] = last;
	return write_page(w);
}

static enum snap_status load_page(struct snap_writer *w, uint64_t page)
{
	struct libsnap_order *o = &w->order;
	size_t got = 0;
	if (o->map_loaded == page + 1)
		return SNAP_OK;
	o->map_loaded = 0;
	int failed = w->io->read_at(w->io->context, o->map_file, page * PAGE_SIZE, o->map_page,
				    PAGE_SIZE, &got);
	if (!failed && got != PAGE_SIZE)
		failed = EIO;
	if (failed)
		return libsnap_fail_io(&w->problem, failed, SNAP_NO_OFFSET,
				       "cannot read a temporary file in %s", w->folder);
	o->map_loaded = page + 1;
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

static void sweep_memory(struct snap_writer *w, size_t count)
{
	const struct libsnap_order *o = &w->order;
	const struct libsnap_sort_entry *entries = w->named.entries;
	size_t entry_count = w->named.entry_count, at = 0;
	for (size_t i = 0; i < count; i++) {
		struct libsnap_sort_entry *lookup = &w->order.lookups[i];
		at = seek(entries, at, entry_count, lookup->key);
		bool found = at < entry_count && entries[at].key == lookup->key &&
			     o->row_of_entry[at] != LIBSNAP_NO_ROW;
		lookup->key = found ? (uint64_t)o->row_of_entry[at] + 1 : 0;
	}
}

static enum snap_status sweep_file(struct snap_writer *w, size_t count)
{
	struct libsnap_order *o = &w->order;
	uint64_t page = 0;
	for (size_t i = 0; i < count; i++) {
		struct libsnap_sort_entry *lookup = &o->lookups[i];
		while (page + 1 < o->map_pages &&
		       *(uint64_t *)libsnap_pages_at(&o->map_first, page + 1) <= lookup->key)
			page++;
		if (o->map_pages == 0) {
			lookup->key = 0;
			continue;
		}
		enum snap_status status = load_page(w, page);
		if (status != SNAP_OK)
			return status;
		size_t at = seek(o->map_page, 0, PAGE_ENTRIES, lookup->key);
		bool found = at < PAGE_ENTRIES && o->map_page[at].key == lookup->key;
		lookup->key = found ? o->map_page[at].position + 1 : 0;
	}
	return SNAP_OK;
}

static enum snap_status resolve_batch(struct snap_writer *w, uint64_t *ids, size_t count,
				      uint64_t *unknown)
{
	struct libsnap_order *o = &w->order;
	size_t asked = 0;
	for (size_t i = 0; i < count; i++)
		if (ids[i])
			o->lookups[asked++] = (struct libsnap_sort_entry){ids[i], i};
	libsnap_sort_entries(o->lookups, o->scratch, asked);
	enum snap_status status = SNAP_OK;
	if (o->in_memory)
		sweep_memory(w, asked);
	else
		status = sweep_file(w, asked);
	for (size_t i = 0; i < asked && status == SNAP_OK; i++) {
		ids[o->lookups[i].position] = o->lookups[i].key;
		*unknown += o->lookups[i].key == 0;
	}
	return status;
}

enum snap_status libsnap_resolve(struct snap_writer *w, uint64_t *ids, size_t count,
				 uint64_t *unknown)
{
	struct libsnap_order *o = &w->order;
	if (!o->lookups)
		o->lookups = libsnap_alloc(w->allocator, LIBSNAP_BATCH, sizeof(*o->lookups));
	if (!o->scratch)
		o->scratch = libsnap_alloc(w->allocator, LIBSNAP_BATCH, sizeof(*o->scratch));
	if (!o->lookups || !o->scratch)
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
	struct libsnap_order *o = &w->order;
	libsnap_free(w->allocator, o->map_page, PAGE_ENTRIES, sizeof(*o->map_page));
	libsnap_free(w->allocator, o->lookups, LIBSNAP_BATCH, sizeof(*o->lookups));
	libsnap_free(w->allocator, o->scratch, LIBSNAP_BATCH, sizeof(*o->scratch));
	libsnap_pages_free(&o->map_first);
	if (o->map_file)
		w->io->close(w->io->context, o->map_file);
	o->map_file = NULL;
	o->map_page = o->lookups = o->scratch = NULL;
}
