/* How many rows a table must have had, by what other tables
 * say of it (FORMAT.md, sections 7.2, 7.3 and 8). */
#include "reader.h"

#define BATCH 1024

struct layout {
	struct snap_reader *reader;
	uint64_t *slots, *tails; /* of each shape: its slots, and its kind of tail */
	size_t slots_capacity, tails_capacity;
	uint64_t objects, tail_count, references, labels; /* that runs and tails call for */
	uint64_t tail_row;
	bool whole; /* nothing was lost so far */
};

/* Lost values end what can be known, and are no failure. */
static enum snap_status take(struct layout *layout, enum snap_status status)
{
	if (status != SNAP_CORRUPT)
		return status;
	layout->whole = false;
	return SNAP_OK;
}

static enum snap_status load(struct layout *layout, uint32_t id, uint64_t **values,
			     size_t *capacity, struct snap_error *error)
{
	struct snap_reader *reader = layout->reader;
	uint64_t rows = reader->rows[SNAP_SHAPES];
	struct snap_column *column;
	void *memory = NULL;
	if (rows > SIZE_MAX / sizeof(**values))
		return libsnap_fail(error, SNAP_LIMIT, SNAP_NO_OFFSET, "too many shapes");
	enum snap_status status = libsnap_reader_reserve(reader, &memory, capacity, (size_t)rows,
							 sizeof(**values), error);
	if (status != SNAP_OK)
		return status;
	*values = memory;
	status = snap_column_open(&column, reader, id, error);
	if (status != SNAP_OK)
		return status;
	status = take(layout, snap_column_read(column, 0, (size_t)rows, *values, error));
	snap_column_close(column);
	return status;
}

static void add_run(struct layout *layout, uint64_t shape, uint64_t rows)
{
	uint64_t slots;
	layout->whole = layout->whole && shape >= 1 && shape <= layout->reader->rows[SNAP_SHAPES] &&
			!libsnap_add_overflows(layout->objects, rows, &layout->objects) &&
			layout->objects <= LIBSNAP_MAX_ROWS_KNOWN &&
			!libsnap_multiply_overflows(rows, layout->slots[shape - 1], &slots) &&
			!libsnap_add_overflows(layout->references, slots, &layout->references);
	/* No more than the objects, so it does not overflow. */
	if (layout->whole && layout->tails[shape - 1] != SNAP_TAIL_NONE)
		layout->tail_count += rows;
}

static enum snap_status add_runs(struct layout *layout, struct snap_error *error)
{
	const uint32_t columns[] = {SNAP_RUN_SHAPE, SNAP_RUN_ROWS};
	struct scan scan = scan_begin(layout->reader, columns, 2, error);
	for (uint64_t next = 0; layout->whole && scan_next(&scan); next++) {
		layout->whole = scan.row == next;
		if (layout->whole)
			add_run(layout, scan_value(&scan, 0), scan_value(&scan, 1));
	}
	return scan_end(&scan, NULL);
}

/* The tails of a run's objects. */
static enum snap_status add_run_tails(struct layout *layout, struct snap_column *lengths,
				      uint64_t tail, uint64_t rows, struct snap_error *error)
{
	uint64_t values[BATCH];
	while (rows > 0 && layout->whole) {
		size_t count = rows < BATCH ? (size_t)rows : BATCH;
		enum snap_status status = take(
			layout, snap_column_read(lengths, layout->tail_row, count, values, error));
		if (status != SNAP_OK)
			return status;
		for (size_t i = 0; i < count && layout->whole; i++) {
			layout->whole = !libsnap_add_overflows(layout->references, values[i],
							       &layout->references);
			layout->labels += tail == SNAP_TAIL_LABELLED ? values[i] : 0;
		}
		layout->tail_row += count;
		rows -= count;
	}
	return SNAP_OK;
}

/* What is known of tails up to the first that is lost counts. */
static enum snap_status add_tails(struct layout *layout, struct snap_error *error)
{
	const uint32_t columns[] = {SNAP_RUN_SHAPE, SNAP_RUN_ROWS};
	struct snap_column *lengths = NULL;
	enum snap_status status =
		snap_column_open(&lengths, layout->reader, SNAP_TAIL_LENGTH, error);
	if (status != SNAP_OK)
		return status;
	struct scan scan = scan_begin(layout->reader, columns, 2, error);
	while (layout->whole && scan_next(&scan)) {
		uint64_t tail = layout->tails[scan_value(&scan, 0) - 1];
		if (tail != SNAP_TAIL_NONE)
			scan.status =
				add_run_tails(layout, lengths, tail, scan_value(&scan, 1), error);
	}
	snap_column_close(lengths);
	return scan_end(&scan, NULL);
}

static void reach(struct snap_reader *reader, enum snap_table table, uint64_t rows)
{
	if (rows <= LIBSNAP_MAX_ROWS_KNOWN && rows > reader->rows[table])
		reader->rows[table] = rows;
}

enum snap_status libsnap_extend_layout(struct snap_reader *reader, struct snap_error *error)
{
	struct layout layout = {.reader = reader, .whole = true};
	enum snap_status status =
		load(&layout, SNAP_SHAPE_SLOT_COUNT, &layout.slots, &layout.slots_capacity, error);
	if (status == SNAP_OK)
		status = load(&layout, SNAP_SHAPE_TAIL, &layout.tails, &layout.tails_capacity,
			      error);
	if (status == SNAP_OK && layout.whole)
		status = add_runs(&layout, error);
	if (status == SNAP_OK && layout.whole) {
		reach(reader, SNAP_OBJECTS, layout.objects);
		reach(reader, SNAP_TAILS, layout.tail_count);
		status = add_tails(&layout, error);
		reach(reader, SNAP_REFERENCES, layout.references);
		reach(reader, SNAP_TAIL_LABELS, layout.labels);
		/* Objects without a run had one that is lost. */
		if (layout.objects < reader->rows[SNAP_OBJECTS])
			reader->rows[SNAP_RUNS]++;
	}
	libsnap_reader_free(reader, layout.slots, layout.slots_capacity, sizeof(*layout.slots));
	libsnap_reader_free(reader, layout.tails, layout.tails_capacity, sizeof(*layout.tails));
	return status;
}
