/* Runs, shapes, slots, tails and references agree in
 * their numbers (FORMAT.md, sections 7.2 and 7.3). */
#include "reader.h"

struct layout {
	struct snap_reader *reader;
	uint64_t *slot_counts, *tails;
	struct libsnap_stream shapes, rows, lengths;  /* of runs, runs, tails */
	uint64_t objects, tailed, references, labels; /* how many rows there must be */
};

static enum snap_status overflows(struct snap_error *error)
{
	return libsnap_fail(error, SNAP_CORRUPT, SNAP_NO_OFFSET,
			    "the numbers of references overflow");
}

static enum snap_status count_slots(const struct layout *layout, struct snap_error *error)
{
	const struct snap_reader *reader = layout->reader;
	uint64_t slots = 0;
	for (uint64_t i = 0; i < reader->rows[SNAP_SHAPES]; i++) {
		if (libsnap_add_overflows(slots, layout->slot_counts[i], &slots))
			return overflows(error);
	}
	if (slots != reader->rows[SNAP_SLOTS])
		return libsnap_fail(
			error, SNAP_CORRUPT, SNAP_NO_OFFSET,
			"the shapes have %llu slots, but the table of slots has %llu rows",
			(unsigned long long)slots, (unsigned long long)reader->rows[SNAP_SLOTS]);
	return SNAP_OK;
}

static enum snap_status add_tails(struct layout *layout, uint64_t rows, bool labelled,
				  struct snap_error *error)
{
	uint64_t sum = 0;
	/* Without the table all tails are empty.  With it, a
	 * claim of many rows ends where the lengths do. */
	for (uint64_t i = 0; i < rows && layout->reader->rows[SNAP_TAILS]; i++) {
		uint64_t length;
		enum snap_status status = libsnap_stream_next(&layout->lengths, &length, error);
		if (status != SNAP_OK)
			return status;
		if (libsnap_add_overflows(sum, length, &sum))
			return overflows(error);
	}
	if (libsnap_add_overflows(layout->tailed, rows, &layout->tailed) ||
	    libsnap_add_overflows(layout->references, sum, &layout->references) ||
	    (labelled && libsnap_add_overflows(layout->labels, sum, &layout->labels)))
		return overflows(error);
	return SNAP_OK;
}

static enum snap_status add_run(struct layout *layout, struct snap_error *error)
{
	uint64_t shape, rows, references;
	enum snap_status status = libsnap_stream_next(&layout->shapes, &shape, error);
	if (status == SNAP_OK)
		status = libsnap_stream_next(&layout->rows, &rows, error);
	if (status != SNAP_OK)
		return status;
	uint64_t tail = layout->tails[shape - 1];
	if (libsnap_add_overflows(layout->objects, rows, &layout->objects) ||
	    libsnap_multiply_overflows(layout->slot_counts[shape - 1], rows, &references) ||
	    libsnap_add_overflows(layout->references, references, &layout->references))
		return overflows(error);
	return tail ? add_tails(layout, rows, tail == SNAP_TAIL_LABELLED, error) : SNAP_OK;
}

static enum snap_status compare(const struct layout *layout, struct snap_error *error)
{
	const struct {
		enum snap_table table;
		uint64_t wanted;
		const char *words;
	} rules[] = {
		{SNAP_OBJECTS, layout->objects, "objects"},
		{SNAP_TAILS, layout->reader->rows[SNAP_TAILS] ? layout->tailed : 0, "tails"},
		{SNAP_REFERENCES, layout->references, "references"},
		{SNAP_TAIL_LABELS, layout->labels, "tail labels"},
	};
	for (size_t i = 0; i < sizeof rules / sizeof *rules; i++) {
		uint64_t rows = layout->reader->rows[rules[i].table];
		if (rows != rules[i].wanted)
			return libsnap_fail(error, SNAP_CORRUPT, SNAP_NO_OFFSET,
					    "there are %llu %s, but runs and shapes ask for %llu",
					    (unsigned long long)rows, rules[i].words,
					    (unsigned long long)rules[i].wanted);
	}
	return SNAP_OK;
}

enum snap_status libsnap_verify_layout(struct snap_reader *reader, struct snap_error *error)
{
	struct layout layout = {.reader = reader};
	enum snap_status status =
		libsnap_load_column(reader, SNAP_SHAPE_SLOT_COUNT, &layout.slot_counts, error);
	if (status == SNAP_OK)
		status = libsnap_load_column(reader, SNAP_SHAPE_TAIL, &layout.tails, error);
	if (status == SNAP_OK)
		status = count_slots(&layout, error);
	if (status == SNAP_OK)
		status = libsnap_stream_open(&layout.shapes, reader, SNAP_RUN_SHAPE, error);
	if (status == SNAP_OK)
		status = libsnap_stream_open(&layout.rows, reader, SNAP_RUN_ROWS, error);
	if (status == SNAP_OK)
		status = libsnap_stream_open(&layout.lengths, reader, SNAP_TAIL_LENGTH, error);
	for (uint64_t i = 0; status == SNAP_OK && i < reader->rows[SNAP_RUNS]; i++)
		status = add_run(&layout, error);
	if (status == SNAP_OK)
		status = compare(&layout, error);
	libsnap_stream_close(&layout.shapes);
	libsnap_stream_close(&layout.rows);
	libsnap_stream_close(&layout.lengths);
	size_t shapes = (size_t)reader->rows[SNAP_SHAPES];
	libsnap_reader_free(reader, layout.slot_counts, shapes, sizeof(uint64_t));
	libsnap_reader_free(reader, layout.tails, shapes, sizeof(uint64_t));
	return status;
}
