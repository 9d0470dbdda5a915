/* Totals agree with each other and with the objects (FORMAT.md, section 7.4). */
#include "reader.h"

#define DIMENSIONS 8 /* of enum snap_dimension; later ones are not compared with objects */

struct totals {
	struct snap_reader *reader;
	size_t rows;
	uint64_t *dimension, *key, *bytes, *count; /* as the file says */
	uint64_t *sum_bytes, *sum_count;           /* as the objects say */
	/* rows of a dimension: first[d] to first[d + 1] */
	size_t first[DIMENSIONS + 1];
	size_t last[DIMENSIONS]; /* neighbours are mostly alike */
	uint64_t *shape_types;
	struct libsnap_stream run_shapes, run_rows;
	uint64_t run_left, shape, type;
};

static enum snap_status wrong(const struct totals *t, size_t row, const char *words,
			      struct snap_error *error)
{
	return libsnap_fail(
		error, SNAP_CORRUPT, SNAP_NO_OFFSET, "totals of dimension %llu, key %llu: %s",
		(unsigned long long)t->dimension[row], (unsigned long long)t->key[row], words);
}

static uint16_t table_of(uint64_t dimension)
{
	switch (dimension) {
	case SNAP_BY_TYPE: return SNAP_TYPES;
	case SNAP_BY_STACK: return SNAP_STACKS;
	case SNAP_BY_THREAD: return SNAP_THREADS;
	case SNAP_BY_SHAPE: return SNAP_SHAPES;
	default: return 0;
	}
}

static enum snap_status check_row(const struct totals *t, size_t row, struct snap_error *error)
{
	uint64_t dimension = t->dimension[row], key = t->key[row];
	if (row > 0 && (t->dimension[row - 1] > dimension ||
			(t->dimension[row - 1] == dimension && t->key[row - 1] >= key)))
		return wrong(t, row, "they do not ascend", error);
	uint16_t table = table_of(dimension);
	if (table && key > t->reader->rows[table])
		return wrong(t, row, "the id is beyond its table", error);
	if (dimension == SNAP_BY_ALL && key != 0)
		return wrong(t, row, "the only key of all is 0", error);
	if (dimension == SNAP_BY_SIZE && key > 64)
		return wrong(t, row, "there is no such bucket", error);
	return SNAP_OK;
}

/* Rows ascend, and each dimension adds up to the first row, which is all. */
static enum snap_status check_rows(struct totals *t, struct snap_error *error)
{
	if (t->dimension[0] != SNAP_BY_ALL)
		return wrong(t, 0, "there is no sum of all", error);
	uint64_t bytes = 0, count = 0;
	for (size_t i = 0; i < t->rows; i++) {
		enum snap_status status = check_row(t, i, error);
		if (status != SNAP_OK)
			return status;
		if (libsnap_add_overflows(bytes, t->bytes[i], &bytes) ||
		    libsnap_add_overflows(count, t->count[i], &count))
			return wrong(t, i, "the sum overflows", error);
		if (i + 1 < t->rows && t->dimension[i + 1] == t->dimension[i])
			continue;
		if (bytes != t->bytes[0] || count != t->count[0])
			return wrong(t, i, "the dimension does not add up to all", error);
		bytes = count = 0;
	}
	size_t row = 0;
	for (uint64_t d = 0; d <= DIMENSIONS; d++) {
		while (row < t->rows && t->dimension[row] < d)
			row++;
		t->first[d] = row;
		if (d < DIMENSIONS)
			t->last[d] = row;
	}
	return SNAP_OK;
}

/* ---- objects ---- */

/* The row of a key; t->rows if there is none. */
static size_t find_row(struct totals *t, unsigned dimension, uint64_t key)
{
	size_t low = t->first[dimension], high = t->first[dimension + 1];
	size_t last = t->last[dimension];
	if (last < high && t->key[last] == key)
		return last;
	while (low < high) {
		size_t middle = low + (high - low) / 2;
		if (t->key[middle] < key)
			low = middle + 1;
		else
			high = middle;
	}
	if (low == t->first[dimension + 1] || t->key[low] != key)
		return t->rows;
	t->last[dimension] = low;
	return low;
}

static uint64_t bucket_of(uint64_t size)
{
	uint64_t bucket = 0;
	for (; size; size >>= 1)
		bucket++;
	return bucket;
}

static enum snap_status add_object(struct totals *t, uint64_t row, const uint64_t keys[DIMENSIONS],
				   uint64_t bytes, uint64_t count, struct snap_error *error)
{
	for (unsigned d = 0; d < DIMENSIONS && (bytes | count) != 0; d++) {
		bool absent = t->first[d] == t->first[d + 1];
		if (absent && keys[d] == 0)
			continue;
		size_t at = absent ? t->rows : find_row(t, d, keys[d]);
		if (at == t->rows)
			return libsnap_fail(
				error, SNAP_CORRUPT, SNAP_NO_OFFSET,
				"object row %llu has key %llu in dimension %u, which totals lack",
				(unsigned long long)row, (unsigned long long)keys[d], d);
		if (libsnap_add_overflows(t->sum_bytes[at], bytes, &t->sum_bytes[at]) ||
		    libsnap_add_overflows(t->sum_count[at], count, &t->sum_count[at]))
			return wrong(t, at, "the sum of the objects overflows", error);
	}
	return SNAP_OK;
}

/* Of which shape and type the next object is. */
static enum snap_status next_shape(struct totals *t, struct snap_error *error)
{
	if (t->run_left == 0) {
		enum snap_status status = libsnap_stream_next(&t->run_shapes, &t->shape, error);
		if (status == SNAP_OK)
			status = libsnap_stream_next(&t->run_rows, &t->run_left, error);
		if (status != SNAP_OK)
			return status;
		t->type = t->shape_types[t->shape - 1];
	}
	t->run_left--;
	return SNAP_OK;
}

static enum snap_status add_batch(struct totals *t, uint64_t first_row, size_t count,
				  const uint64_t *const *values, struct snap_error *error)
{
	for (size_t i = 0; i < count; i++) {
		enum snap_status status = next_shape(t, error);
		if (status != SNAP_OK)
			return status;
		uint64_t size = values[0][i], bytes;
		if (libsnap_multiply_overflows(size, values[1][i], &bytes))
			return libsnap_fail(error, SNAP_CORRUPT, SNAP_NO_OFFSET,
					    "size times count of object row %llu overflows",
					    (unsigned long long)first_row + i);
		const uint64_t keys[DIMENSIONS] = {
			[SNAP_BY_TYPE] = t->type,
			[SNAP_BY_STACK] = values[2][i],
			[SNAP_BY_THREAD] = values[3][i],
			[SNAP_BY_DOMAIN] = values[4][i],
			[SNAP_BY_GENERATION] = values[5][i],
			[SNAP_BY_SHAPE] = t->shape,
			[SNAP_BY_SIZE] = bucket_of(size),
		};
		status = add_object(t, first_row + i, keys, bytes, values[1][i], error);
		if (status != SNAP_OK)
			return status;
	}
	return SNAP_OK;
}

static enum snap_status add_objects(struct totals *t, struct snap_error *error)
{
	static const uint32_t columns[] = {
		SNAP_OBJECT_SIZE,   SNAP_OBJECT_COUNT,  SNAP_OBJECT_STACK,
		SNAP_OBJECT_THREAD, SNAP_OBJECT_DOMAIN, SNAP_OBJECT_GENERATION,
	};
	struct scan scan = scan_begin(t->reader, columns, sizeof columns / sizeof *columns, error);
	while (scan_batch(&scan))
		scan.status = add_batch(t, scan.first, scan.count, scan.values, error);
	return scan_end(&scan, NULL);
}

static enum snap_status check_objects(struct totals *t, struct snap_error *error)
{
	struct snap_reader *reader = t->reader;
	void *bytes = NULL, *count = NULL;
	enum snap_status status =
		libsnap_reader_resize(reader, &bytes, 0, t->rows, sizeof(uint64_t), error);
	t->sum_bytes = bytes;
	if (status == SNAP_OK)
		status = libsnap_reader_resize(reader, &count, 0, t->rows, sizeof(uint64_t), error);
	t->sum_count = count;
	for (size_t i = 0; i < t->rows && status == SNAP_OK; i++)
		t->sum_bytes[i] = t->sum_count[i] = 0;
	if (status == SNAP_OK)
		status = libsnap_load_column(reader, SNAP_SHAPE_TYPE, &t->shape_types, error);
	if (status == SNAP_OK)
		status = libsnap_stream_open(&t->run_shapes, reader, SNAP_RUN_SHAPE, error);
	if (status == SNAP_OK)
		status = libsnap_stream_open(&t->run_rows, reader, SNAP_RUN_ROWS, error);
	if (status == SNAP_OK)
		status = add_objects(t, error);
	for (size_t i = 0; i < t->first[DIMENSIONS] && status == SNAP_OK; i++) {
		if (t->sum_bytes[i] != t->bytes[i] || t->sum_count[i] != t->count[i])
			status = wrong(t, i, "the objects do not add up to them", error);
	}
	return status;
}

enum snap_status libsnap_verify_totals(struct snap_reader *reader, struct snap_error *error)
{
	if (reader->rows[SNAP_TOTALS] == 0)
		return SNAP_OK;
	struct totals t = {.reader = reader, .rows = (size_t)reader->rows[SNAP_TOTALS]};
	enum snap_status status =
		libsnap_load_column(reader, SNAP_TOTAL_DIMENSION, &t.dimension, error);
	if (status == SNAP_OK)
		status = libsnap_load_column(reader, SNAP_TOTAL_KEY, &t.key, error);
	if (status == SNAP_OK)
		status = libsnap_load_column(reader, SNAP_TOTAL_BYTES, &t.bytes, error);
	if (status == SNAP_OK)
		status = libsnap_load_column(reader, SNAP_TOTAL_COUNT, &t.count, error);
	if (status == SNAP_OK)
		status = check_rows(&t, error);
	if (status == SNAP_OK && !(reader->info.flags & SNAP_SNAPSHOT_TOTALS_ONLY))
		status = check_objects(&t, error);
	libsnap_stream_close(&t.run_shapes);
	libsnap_stream_close(&t.run_rows);
	uint64_t *arrays[] = {t.dimension, t.key, t.bytes, t.count, t.sum_bytes, t.sum_count};
	for (size_t i = 0; i < sizeof arrays / sizeof *arrays; i++)
		libsnap_reader_free(reader, arrays[i], t.rows, sizeof(uint64_t));
	libsnap_reader_free(reader, t.shape_types, (size_t)reader->rows[SNAP_SHAPES],
			    sizeof(uint64_t));
	return status;
}
