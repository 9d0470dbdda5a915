/* tracemalloc.Snapshot.dump files of CPython 3.6 to 3.14: traces in a pickle -> objects with a
 * stack.
 *
 * The order of a pickle's traces is that of a hash table, and says nothing.  Frames, stacks and
 * objects are written in the order of their names instead: equal snapshots give equal files, and
 * neighbours are alike. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "import.h"
#include "pickle.h"

/* So few traces take less than what could be said of them. */
#define FEW_TRACES 50u

struct source_line {
	pickle_value tuple; /* (file, line) */
	uint32_t id;        /* in the snapshot */
};

/* Where memory was allocated.  The same frames with and without callers left out are two. */
struct site {
	const pickle_value *frames; /* innermost first */
	size_t count;
	bool truncated;
	uint32_t stack; /* its id in the snapshot */
};

struct row {
	pickle_value tuple;
	uint32_t site, domain;
	uint64_t size, count;
};

struct importer {
	struct import_context *context;
	struct pickle *pickle;
	struct snap_error *error;
	/* For each tuple, an index plus one.  A trace: [0] its row.  Frames: [truncated] their
	 * site.  A frame: [0] its line.  No tuple is two of these: they begin with a number, a
	 * tuple and a string. */
	uint32_t (*slots)[2];
	struct source_line *lines;
	struct site *sites;
	struct row *rows;
	size_t slot_capacity;
	size_t line_count, line_capacity, site_count, site_capacity, row_count, row_capacity;
	uint64_t trace; /* number of the one being read, for messages */
};

static enum snap_status fail_trace(const struct importer *im, const char *reason)
{
	return import_fail_at(im->error, SNAP_CORRUPT, SNAP_NO_OFFSET, "trace %" PRIu64 ": %s",
			      im->trace, reason);
}

static enum snap_status reserve(struct importer *im, void *array, size_t *capacity, size_t needed,
				size_t element_size)
{
	enum snap_status status = pickle_reserve(im->pickle, array, capacity, needed, element_size);
	if (status == SNAP_OK)
		return SNAP_OK;
	return import_fail_at(im->error, status, SNAP_NO_OFFSET,
			      status == SNAP_LIMIT ? "more traces than the memory limit allows"
						   : "out of memory");
}

static enum snap_status add_line(struct importer *im, pickle_value tuple)
{
	size_t count, size;
	uint64_t line;
	const pickle_value *items = pickle_tuple(im->pickle, tuple, &count);
	if (items == NULL || count != 2 || pickle_string(im->pickle, items[0], &size) == NULL ||
	    !pickle_number(im->pickle, items[1], &line) || line > UINT32_MAX)
		return fail_trace(im, "a frame is not a file name and a line number");
	if (im->slots[pickle_index(tuple)][0] != 0)
		return SNAP_OK;
	enum snap_status status =
		reserve(im, &im->lines, &im->line_capacity, im->line_count + 1, sizeof(*im->lines));
	if (status != SNAP_OK)
		return status;
	im->lines[im->line_count++] = (struct source_line){.tuple = tuple};
	im->slots[pickle_index(tuple)][0] = (uint32_t)im->line_count;
	return SNAP_OK;
}

static enum snap_status add_site(struct importer *im, pickle_value tuple, uint64_t total_frames,
				 uint32_t *index)
{
	size_t count;
	const pickle_value *frames = pickle_tuple(im->pickle, tuple, &count);
	if (frames == NULL || count == 0 || pickle_kind(frames[0]) != PICKLE_TUPLE)
		return fail_trace(im, "no frames");
	bool truncated = total_frames > count;
	uint32_t *slot = &im->slots[pickle_index(tuple)][truncated];
	if (*slot != 0) {
		*index = *slot - 1;
		return SNAP_OK;
	}
	for (size_t i = 0; i < count; i++) {
		enum snap_status status = add_line(im, frames[i]);
		if (status != SNAP_OK)
			return status;
	}
	enum snap_status status =
		reserve(im, &im->sites, &im->site_capacity, im->site_count + 1, sizeof(*im->sites));
	if (status != SNAP_OK)
		return status;
	*index = (uint32_t)im->site_count;
	im->sites[im->site_count++] = (struct site){frames, count, truncated, 0};
	*slot = *index + 1;
	return SNAP_OK;
}

/* (domain, size, frames), and since 3.9 the number of frames there were. */
static enum snap_status add_row(struct importer *im, pickle_value tuple)
{
	size_t count;
	uint64_t domain, size, total_frames = 0;
	const pickle_value *items = pickle_tuple(im->pickle, tuple, &count);
	if (items == NULL || (count != 3 && count != 4))
		return fail_trace(im, "not three or four values");
	if (!pickle_number(im->pickle, items[0], &domain) || domain > UINT32_MAX)
		return fail_trace(im, "the domain is no number from 0 to 4294967295");
	if (!pickle_number(im->pickle, items[1], &size))
		return fail_trace(im, "the size is no number from 0");
	if (count == 4 && items[3] != PICKLE_NONE &&
	    !pickle_number(im->pickle, items[3], &total_frames))
		return fail_trace(im, "the number of frames is no number from 0");
	struct row row = {.tuple = tuple, .domain = (uint32_t)domain, .size = size, .count = 1};
	enum snap_status status = add_site(im, items[2], total_frames, &row.site);
	if (status == SNAP_OK)
		status = reserve(im, &im->rows, &im->row_capacity, im->row_count + 1,
				 sizeof(*im->rows));
	if (status != SNAP_OK)
		return status;
	im->rows[im->row_count++] = row;
	im->slots[pickle_index(tuple)][0] = (uint32_t)im->row_count;
	return SNAP_OK;
}

static enum snap_status add_traces(struct importer *im, const pickle_value *traces, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		im->trace++;
		uint32_t row = 0;
		if (pickle_kind(traces[i]) == PICKLE_TUPLE)
			row = im->slots[pickle_index(traces[i])][0];
		if (row != 0 && row <= im->row_count && im->rows[row - 1].tuple == traces[i]) {
			im->rows[row - 1].count++;
			continue;
		}
		enum snap_status status = add_row(im, traces[i]);
		if (status != SNAP_OK)
			return status;
	}
	return SNAP_OK;
}

/* ---- what is a snapshot in the pickle ---- */

static enum snap_status fail_shape(struct importer *im, const char *reason)
{
	return import_fail_at(im->error, SNAP_CORRUPT, SNAP_NO_OFFSET, "%s", reason);
}

static enum snap_status read_snapshot(struct importer *im, uint64_t *limit)
{
	const struct pickle *p = im->pickle;
	const struct pickle_object *snapshot = pickle_object(p, p->result, PICKLE_SNAPSHOT);
	if (snapshot == NULL)
		return fail_shape(im, "the pickle holds no tracemalloc.Snapshot");
	if (!pickle_number(p, snapshot->fields[PICKLE_FIELD_LIMIT], limit))
		return fail_shape(im, "the snapshot has no traceback limit");
	const struct pickle_object *traces =
		pickle_object(p, snapshot->fields[PICKLE_FIELD_TRACES], PICKLE_TRACES);
	if (traces == NULL)
		return fail_shape(im, "the snapshot has no traces");
	size_t count;
	const pickle_value *items = pickle_tuple(p, traces->fields[PICKLE_FIELD_LIST], &count);
	const struct pickle_object *list =
		pickle_object(p, traces->fields[PICKLE_FIELD_LIST], PICKLE_LIST);
	if (items != NULL)
		return add_traces(im, items, count);
	if (list == NULL)
		return fail_shape(im, "the snapshot's traces are no list");
	return add_traces(im, list->items, list->count);
}

/* The traces of a pickle that was cut short: those already in its list, and those that were about
 * to be appended. */
static enum snap_status read_cut(struct importer *im)
{
	const struct pickle *p = im->pickle;
	for (size_t i = 0; i < p->object_count; i++) {
		if (p->objects[i].kind != PICKLE_LIST)
			continue;
		enum snap_status status = add_traces(im, p->objects[i].items, p->objects[i].count);
		if (status != SNAP_OK)
			return status;
	}
	for (size_t i = 0; i < p->mark_count; i++) {
		size_t at = p->marks[i], end = i + 1 < p->mark_count ? p->marks[i + 1] : p->depth;
		if (at == 0 || pickle_object(p, p->stack[at - 1], PICKLE_LIST) == NULL)
			continue;
		size_t count = 0;
		while (at + count < end && pickle_kind(p->stack[at + count]) == PICKLE_TUPLE)
			count++;
		return add_traces(im, p->stack + at, count);
	}
	return SNAP_OK;
}

/* ---- order ---- */

static int compare_numbers(uint64_t a, uint64_t b)
{
	return a < b ? -1 : a > b;
}

static int compare_lines(const void *left, const void *right, void *context)
{
	const struct pickle *p = context;
	size_t count, a_size = 0, b_size = 0;
	uint64_t a_line = 0, b_line = 0;
	const pickle_value *a = pickle_tuple(p, ((const struct source_line *)left)->tuple, &count);
	const pickle_value *b = pickle_tuple(p, ((const struct source_line *)right)->tuple, &count);
	if (a[0] != b[0]) {
		const char *a_file = pickle_string(p, a[0], &a_size),
			   *b_file = pickle_string(p, b[0], &b_size);
		int order = memcmp(a_file, b_file, a_size < b_size ? a_size : b_size);
		return order != 0 ? order : compare_numbers(a_size, b_size);
	}
	pickle_number(p, a[1], &a_line);
	pickle_number(p, b[1], &b_line);
	return compare_numbers(a_line, b_line);
}

/* From the outermost frame inwards, so that sites with common callers are neighbours. */
static int compare_sites(const void *left, const void *right, void *context)
{
	const struct importer *im = context;
	const struct site *a = &im->sites[*(const uint32_t *)left],
			  *b = &im->sites[*(const uint32_t *)right];
	if (a->truncated != b->truncated)
		return a->truncated ? 1 : -1;
	for (size_t i = 0; i < a->count && i < b->count; i++) {
		pickle_value a_frame = a->frames[a->count - 1 - i],
			     b_frame = b->frames[b->count - 1 - i];
		if (a_frame != b_frame)
			return compare_numbers(im->slots[pickle_index(a_frame)][0],
					       im->slots[pickle_index(b_frame)][0]);
	}
	return compare_numbers(a->count, b->count);
}

static int compare_rows(const void *left, const void *right, void *context)
{
	const struct importer *im = context;
	const struct row *a = left, *b = right;
	if (a->site != b->site)
		return compare_numbers(im->sites[a->site].stack, im->sites[b->site].stack);
	return a->domain != b->domain ? compare_numbers(a->domain, b->domain)
				      : compare_numbers(a->size, b->size);
}

/* ---- writing ---- */

static enum snap_status write_lines(struct importer *im)
{
	struct snap_writer *writer = im->context->writer;
	pickle_value file = PICKLE_NONE;
	struct snap_frame frame = {0};
	for (size_t i = 0; i < im->line_count; i++) {
		size_t count, size;
		uint64_t line = 0;
		const pickle_value *items = pickle_tuple(im->pickle, im->lines[i].tuple, &count);
		if (items[0] != file) {
			file = items[0];
			const char *name = pickle_string(im->pickle, file, &size);
			enum snap_status status =
				snap_writer_string(writer, name, size, &frame.file, im->error);
			if (status != SNAP_OK)
				return status;
		}
		pickle_number(im->pickle, items[1], &line);
		frame.line = (uint32_t)line;
		enum snap_status status =
			snap_writer_frame(writer, &frame, &im->lines[i].id, im->error);
		if (status != SNAP_OK)
			return status;
		im->slots[pickle_index(im->lines[i].tuple)][0] = (uint32_t)i + 1;
	}
	return SNAP_OK;
}

static enum snap_status write_site(struct importer *im, struct site *site)
{
	site->stack = 0;
	for (size_t i = site->count; i-- > 0;) {
		uint32_t frame = im->lines[im->slots[pickle_index(site->frames[i])][0] - 1].id;
		uint32_t flags = i + 1 == site->count && site->truncated ? SNAP_STACK_TRUNCATED : 0;
		enum snap_status status = snap_writer_stack(im->context->writer, site->stack, frame,
							    flags, &site->stack, im->error);
		if (status != SNAP_OK)
			return status;
	}
	return SNAP_OK;
}

static enum snap_status write_sites(struct importer *im)
{
	uint32_t *order = NULL;
	size_t capacity = 0;
	enum snap_status status = reserve(im, &order, &capacity, im->site_count, sizeof(*order));
	if (status != SNAP_OK)
		return status;
	for (size_t i = 0; i < im->site_count; i++)
		order[i] = (uint32_t)i;
	qsort_r(order, im->site_count, sizeof(*order), compare_sites, im);
	for (size_t i = 0; i < im->site_count && status == SNAP_OK; i++)
		status = write_site(im, &im->sites[order[i]]);
	free(order);
	return status;
}

static enum snap_status write_rows(struct importer *im)
{
	qsort_r(im->rows, im->row_count, sizeof(*im->rows), compare_rows, im);
	for (size_t i = 0; i < im->row_count; i++) {
		const struct row *row = &im->rows[i];
		const struct snap_object object = {
			.size = row->size,
			.count = row->count,
			.stack = im->sites[row->site].stack,
			.domain = row->domain,
		};
		enum snap_status status =
			snap_writer_object(im->context->writer, &object, im->error);
		if (status != SNAP_OK)
			return status;
	}
	return SNAP_OK;
}

static enum snap_status write_properties(struct importer *im, uint64_t limit)
{
	struct snap_writer *writer = im->context->writer;
	if (im->context->bare)
		return SNAP_OK;
	enum snap_status status = snap_writer_property(writer, "runtime", "cpython", im->error);
	if (status != SNAP_OK || im->pickle->cut)
		return status;
	char text[24];
	snprintf(text, sizeof(text), "%" PRIu64, limit);
	return snap_writer_property(writer, "traceback_limit", text, im->error);
}

static enum snap_status write_all(struct importer *im, uint64_t limit)
{
	im->context->bare = im->row_count < FEW_TRACES;
	enum snap_status status =
		import_begin(im->context, im->pickle->cut ? SNAP_SNAPSHOT_PARTIAL : 0, im->error);
	if (status == SNAP_OK)
		status = write_properties(im, limit);
	if (status != SNAP_OK)
		return status;
	if (im->line_count > 0)
		qsort_r(im->lines, im->line_count, sizeof(*im->lines), compare_lines, im->pickle);
	status = write_lines(im);
	if (status == SNAP_OK && im->site_count > 0)
		status = write_sites(im);
	if (status == SNAP_OK && im->row_count > 0)
		status = write_rows(im);
	return status;
}

enum snap_status import_tracemalloc(struct import_context *context, struct snap_error *error)
{
	struct importer im = {.context = context, .error = error};
	uint64_t limit = 0;
	enum snap_status status = pickle_read(&im.pickle, context->input, context->options->partial,
					      context->writer_options.max_memory_bytes, error);
	if (status != SNAP_OK)
		return status;
	status = reserve(&im, &im.slots, &im.slot_capacity, im.pickle->tuple_count + 1,
			 sizeof(*im.slots));
	if (status != SNAP_OK)
		goto end;
	memset(im.slots, 0, im.slot_capacity * sizeof(*im.slots));
	status = im.pickle->cut ? read_cut(&im) : read_snapshot(&im, &limit);
	if (status == SNAP_OK && im.pickle->cut && im.row_count == 0)
		status = import_fail_at(error, SNAP_CORRUPT, SNAP_NO_OFFSET,
					"ends before the first trace");
	if (status == SNAP_OK && im.pickle->cut)
		context->lost = IMPORT_LOST_SOME; /* a pickle does not say how many were to come */
	if (status == SNAP_OK)
		status = write_all(&im, limit);
end:
	free(im.slots);
	free(im.lines);
	free(im.sites);
	free(im.rows);
	pickle_free(im.pickle);
	return status;
}
