/* What a question adds up: rows of the totals where they can answer it, else rows of objects. */
#include "query.h"
#include "reader.h"

/* ---- totals (FORMAT.md, section 7.4) ---- */

static const enum snap_table table_of_dimension[] = {
	[SNAP_BY_TYPE] = SNAP_TYPES,
	[SNAP_BY_STACK] = SNAP_STACKS,
	[SNAP_BY_THREAD] = SNAP_THREADS,
	[SNAP_BY_SHAPE] = SNAP_SHAPES,
	[SNAP_BY_SIZE] = 0,
};

struct totals {
	struct row_source *source;
	uint64_t dimension; /* the one asked for; SNAP_BY_ALL: none */
	bool tell;          /* second pass: rows go to the question */
	bool has_all, has_dimension, adds_up;
	uint64_t all_bytes, all_count, bytes, count;
};

/* An id beyond its table is corrupt, or lost with the end of the table. */
static bool is_key_known(const struct names *names, uint64_t dimension, uint64_t key)
{
	enum snap_table table = table_of_dimension[dimension];
	if (dimension == SNAP_BY_SIZE)
		return key <= 64;
	return table == 0 || key <= snap_reader_row_count(names->reader, table);
}

static enum snap_status tell_total(struct totals *totals, uint64_t key, uint64_t bytes,
				   uint64_t count, struct snap_error *error)
{
	struct names *names = totals->source->names;
	if (!is_key_known(names, totals->dimension, key)) {
		if (!names->damaged)
			return libsnap_fail(error, SNAP_CORRUPT, SNAP_NO_OFFSET,
					    "a total is of id %llu, beyond its table",
					    (unsigned long long)key);
		names->lost_rows++;
		key = 0;
	}
	struct query_row row = {.bytes = bytes, .count = count};
	switch (totals->dimension) {
	case SNAP_BY_TYPE: row.type = key; break;
	case SNAP_BY_STACK: row.stack = key; break;
	case SNAP_BY_THREAD: row.thread = key; break;
	case SNAP_BY_DOMAIN: row.domain = key; break;
	case SNAP_BY_GENERATION: row.generation = key; break;
	case SNAP_BY_SHAPE: row.shape = key; break;
	case SNAP_BY_SIZE: row.size_bucket = key; break;
	default: break;
	}
	return totals->source->take(totals->source->context, &row, error);
}

static enum snap_status take_totals(void *context, uint64_t first_row, size_t count,
				    const uint64_t *const *values, struct snap_error *error)
{
	(void)first_row;
	struct totals *totals = context;
	for (size_t i = 0; i < count; i++) {
		uint64_t dimension = values[0][i], bytes = values[2][i], blocks = values[3][i];
		if (dimension == SNAP_BY_ALL) {
			totals->has_all = true;
			totals->all_bytes = bytes;
			totals->all_count = blocks;
		}
		if (dimension != totals->dimension)
			continue;
		totals->has_dimension = true;
		if (libsnap_add_overflows(totals->bytes, bytes, &totals->bytes) ||
		    libsnap_add_overflows(totals->count, blocks, &totals->count))
			totals->adds_up = false;
		enum snap_status status =
			totals->tell ? tell_total(totals, values[1][i], bytes, blocks, error)
				     : SNAP_OK;
		if (status != SNAP_OK)
			return status;
	}
	return SNAP_OK;
}

static enum snap_status read_totals(struct totals *totals, struct snap_error *error)
{
	static const uint32_t columns[] = {SNAP_TOTAL_DIMENSION, SNAP_TOTAL_KEY, SNAP_TOTAL_BYTES,
					   SNAP_TOTAL_COUNT};
	totals->bytes = totals->count = 0;
	return libsnap_query_each_batch(totals->source->names, columns, 4, take_totals, totals,
					error);
}

/* A first look: is there what the question needs, and does it add up? */
static enum snap_status check_totals(struct totals *totals, struct snap_error *error)
{
	totals->adds_up = true;
	enum snap_status status = read_totals(totals, error);
	if (totals->has_dimension &&
	    (totals->bytes != totals->all_bytes || totals->count != totals->all_count))
		totals->adds_up = false;
	return status;
}

static enum snap_status tell_totals(struct totals *totals, struct snap_error *error)
{
	if (!totals->has_dimension) /* then all of it has none or zero */
		return totals->has_all
			       ? tell_total(totals, 0, totals->all_bytes, totals->all_count, error)
			       : SNAP_OK;
	totals->tell = true;
	return read_totals(totals, error);
}

/* ---- objects (section 7.2) ---- */

#define RUN_BATCH 1024

/* Which shape a row has: rows are asked for in ascending order. */
struct run_walk {
	struct names *names;
	struct snap_column *shapes, *rows;
	uint64_t shape_batch[RUN_BATCH], row_batch[RUN_BATCH];
	uint64_t run_count, first_run; /* of the batch */
	size_t at, batch_size;
	uint64_t end; /* the row after the current run */
	bool lost;    /* damage took the rest */
};

struct object_walk {
	struct row_source *source;
	struct run_walk *runs;                 /* or NULL */
	int stack, thread, domain, generation; /* their places among the columns, or -1 */
	int address, name, content, refcount;
};

static enum snap_status next_run(struct run_walk *walk, struct snap_error *error)
{
	if (walk->at + 1 < walk->batch_size) {
		walk->at++;
	} else {
		walk->first_run += walk->batch_size;
		uint64_t left = walk->run_count - walk->first_run;
		if (left == 0)
			return libsnap_fail(error, SNAP_CORRUPT, SNAP_NO_OFFSET,
					    "objects lie beyond the last run");
		walk->batch_size = left < RUN_BATCH ? (size_t)left : RUN_BATCH;
		walk->at = 0;
		enum snap_status status = snap_column_read(
			walk->shapes, walk->first_run, walk->batch_size, walk->shape_batch, error);
		if (status == SNAP_OK)
			status = snap_column_read(walk->rows, walk->first_run, walk->batch_size,
						  walk->row_batch, error);
		if (status != SNAP_OK)
			return status;
	}
	if (libsnap_add_overflows(walk->end, walk->row_batch[walk->at], &walk->end))
		return libsnap_fail(error, SNAP_CORRUPT, SNAP_NO_OFFSET,
				    "runs are longer than 64 bits can say");
	return SNAP_OK;
}

/* Sets the row's shape and type; SNAP_END: damage took them. */
static enum snap_status find_shape(struct run_walk *walk, struct query_row *row,
				   struct snap_error *error)
{
	while (row->row >= walk->end && !walk->lost) {
		enum snap_status status = next_run(walk, error);
		if (status == SNAP_CORRUPT && libsnap_query_is_damaged(walk->names))
			walk->lost = true;
		else if (status != SNAP_OK)
			return status;
	}
	if (walk->lost)
		return SNAP_END;
	row->shape = walk->shape_batch[walk->at];
	if (row->shape < walk->names->shapes.count)
		row->type = libsnap_shape_name_at(walk->names, row->shape).type;
	return SNAP_OK;
}

/* Rows of the run that follow it at once, but for those of nothing, and what is too much. */
static void add_alike(const struct run_walk *runs, struct query_row *row, const uint64_t *sizes,
		      const uint64_t *counts, size_t most)
{
	uint64_t bytes;
	if (most > runs->end - row->row)
		most = (size_t)(runs->end - row->row);
	if (row->bytes == 0 && row->count == 0)
		return;
	for (size_t i = 1; i < most; i++, row->more++) {
		if (libsnap_multiply_overflows(sizes[i], counts[i], &bytes) ||
		    (bytes == 0 && counts[i] == 0) || bytes > UINT64_MAX - row->bytes ||
		    counts[i] > UINT64_MAX - row->count)
			break;
		row->bytes += bytes;
		row->count += counts[i];
	}
}

/* The first row wanted from `row` on, or the end. */
static uint64_t next_wanted(const struct row_source *source, uint64_t row, uint64_t end)
{
	for (; row < end && row / 64 < source->only->count; row = (row / 64 + 1) * 64) {
		uint64_t bits = libsnap_array_get64(source->only, row / 64) >> row % 64;
		if (bits)
			return row + (unsigned)__builtin_ctzll(bits) < end
				       ? row + (unsigned)__builtin_ctzll(bits)
				       : end;
	}
	return end;
}

static enum snap_status take_objects(void *context, uint64_t first_row, size_t count,
				     const uint64_t *const *values, struct snap_error *error)
{
	const struct object_walk *walk = context;
	struct row_source *source = walk->source;
	for (size_t i = 0, more; i < count; i += 1 + more) {
		if (source->only)
			i = (size_t)(next_wanted(source, first_row + i, first_row + count) -
				     first_row);
		if (i == count)
			break;
		uint64_t size = values[0][i];
		struct query_row row = {.row = first_row + i, .count = values[1][i]};
		row.size_bucket = size ? 64 - (unsigned)__builtin_clzll(size) : 0;
		row.stack = walk->stack < 0 ? 0 : values[walk->stack][i];
		row.thread = walk->thread < 0 ? 0 : values[walk->thread][i];
		row.domain = walk->domain < 0 ? 0 : values[walk->domain][i];
		row.generation = walk->generation < 0 ? 0 : values[walk->generation][i];
		row.address = walk->address < 0 ? 0 : values[walk->address][i];
		row.name = walk->name < 0 ? 0 : values[walk->name][i];
		row.content = walk->content < 0 ? 0 : values[walk->content][i];
		row.refcount = walk->refcount < 0 ? 0 : values[walk->refcount][i];
		if (libsnap_multiply_overflows(size, row.count, &row.bytes))
			return libsnap_fail(error, SNAP_CORRUPT, SNAP_NO_OFFSET,
					    "object %llu has more than 2^64 bytes",
					    (unsigned long long)row.row);
		enum snap_status status =
			walk->runs ? find_shape(walk->runs, &row, error) : SNAP_OK;
		if (status == SNAP_OK && source->together && walk->runs)
			add_alike(walk->runs, &row, values[0] + i, values[1] + i, count - i);
		more = (size_t)row.more;
		if (status == SNAP_OK)
			status = source->take(source->context, &row, error);
		else if (status == SNAP_END)
			source->names->lost_rows++;
		if (status != SNAP_OK && status != SNAP_END)
			return status;
	}
	return SNAP_OK;
}

/* Without what lies between rows that are wanted. */
static enum snap_status scan_wanted(struct object_walk *walk, const uint32_t *columns, size_t count,
				    struct snap_error *error)
{
	struct names *names = walk->source->names;
	uint64_t rows = snap_reader_row_count(names->reader, SNAP_OBJECTS);
	struct scan scan = scan_begin(names->reader, columns, count, error);
	for (uint64_t row = 0; scan.status == SNAP_OK; row = scan.first + scan.count) {
		row = next_wanted(walk->source, row, rows);
		libsnap_scan_skip(scan.scan, row);
		if (scan_batch(&scan))
			scan.status =
				take_objects(walk, scan.first, scan.count, scan.values, error);
	}
	return scan_end(&scan, &names->lost_rows);
}

static enum snap_status scan_objects(struct object_walk *walk, struct snap_error *error)
{
	uint32_t columns[SNAP_SCAN_MAX_COLUMNS] = {SNAP_OBJECT_SIZE, SNAP_OBJECT_COUNT};
	size_t count = 2;
	const struct {
		unsigned dimension;
		uint32_t column;
		int *place;
	} wanted[] = {
		{DIMENSION(SNAP_BY_STACK), SNAP_OBJECT_STACK, &walk->stack},
		{DIMENSION(SNAP_BY_THREAD), SNAP_OBJECT_THREAD, &walk->thread},
		{DIMENSION(SNAP_BY_DOMAIN), SNAP_OBJECT_DOMAIN, &walk->domain},
		{DIMENSION(SNAP_BY_GENERATION), SNAP_OBJECT_GENERATION, &walk->generation},
		{NEED_ADDRESS & ~NEED_ROWS, SNAP_OBJECT_ADDRESS, &walk->address},
		{NEED_NAME & ~NEED_ROWS, SNAP_OBJECT_NAME, &walk->name},
		{NEED_CONTENT & ~NEED_ROWS, SNAP_OBJECT_CONTENT, &walk->content},
		{NEED_REFCOUNT & ~NEED_ROWS, SNAP_OBJECT_REFCOUNT, &walk->refcount},
	};
	for (size_t i = 0; i < sizeof(wanted) / sizeof(wanted[0]); i++) {
		*wanted[i].place = -1;
		if (!(walk->source->dimensions & wanted[i].dimension))
			continue;
		*wanted[i].place = (int)count;
		columns[count++] = wanted[i].column;
	}
	if (!walk->source->only)
		return libsnap_query_each_batch(walk->source->names, columns, count, take_objects,
						walk, error);
	return scan_wanted(walk, columns, count, error);
}

static enum snap_status rows_of_objects(struct row_source *source, struct snap_error *error)
{
	struct names *names = source->names;
	struct object_walk walk = {.source = source};
	source->from_objects = true;
	if (!(source->dimensions & (DIMENSION(SNAP_BY_TYPE) | DIMENSION(SNAP_BY_SHAPE))))
		return scan_objects(&walk, error);
	const struct snap_allocator *memory = &names->space->budget->allocator;
	enum snap_status status = SNAP_OK;
	if (names->shapes.count == 0)
		status = libsnap_shapes_load(names, NEED_SHAPE_TYPES, error);
	if (status != SNAP_OK)
		return status;
	struct run_walk *runs = libsnap_alloc_zeroed(memory, 1, sizeof(*runs));
	if (!runs)
		return libsnap_budget_fail(names->space->budget, error);
	runs->names = names;
	runs->run_count = snap_reader_row_count(names->reader, SNAP_RUNS);
	walk.runs = runs;
	status = snap_column_open(&runs->shapes, names->reader, SNAP_RUN_SHAPE, error);
	if (status == SNAP_OK)
		status = snap_column_open(&runs->rows, names->reader, SNAP_RUN_ROWS, error);
	if (status == SNAP_OK)
		status = scan_objects(&walk, error);
	snap_column_close(runs->shapes);
	snap_column_close(runs->rows);
	libsnap_free(memory, runs, 1, sizeof(*runs));
	return status;
}

/* ---- which of them ---- */

/* The dimension of the totals that answers, if one does. */
static bool one_dimension(unsigned dimensions, uint64_t *dimension)
{
	dimensions &= ~DIMENSION(SNAP_BY_ALL);
	*dimension = dimensions ? (unsigned)__builtin_ctz(dimensions) : SNAP_BY_ALL;
	return (dimensions & (dimensions - 1)) == 0 && !(dimensions & NEED_ROWS);
}

enum snap_status libsnap_query_rows(struct row_source *source, bool prefer_totals,
				    struct snap_error *error)
{
	struct snap_reader_info info;
	snap_reader_info(source->names->reader, &info);
	bool totals_only = info.flags & SNAP_SNAPSHOT_TOTALS_ONLY;
	struct totals totals = {.source = source};
	if (!one_dimension(source->dimensions, &totals.dimension)) {
		if (totals_only)
			return libsnap_fail(error, SNAP_MISUSE, SNAP_NO_OFFSET,
					    LIBSNAP_NEEDS_OBJECTS);
		return rows_of_objects(source, error);
	}
	bool has_objects = snap_reader_row_count(source->names->reader, SNAP_OBJECTS) > 0;
	bool has_totals = snap_reader_row_count(source->names->reader, SNAP_TOTALS) > 0;
	if (has_objects && (!prefer_totals || !has_totals))
		return rows_of_objects(source, error);
	uint64_t lost_before = source->names->lost_rows;
	enum snap_status status = check_totals(&totals, error);
	if (status != SNAP_OK)
		return status;
	bool whole = totals.has_all && totals.adds_up;
	snap_reader_info(source->names->reader, &info); /* damage may have been met only now */
	if (!whole && has_objects && info.damaged) {
		source->names->lost_rows = lost_before; /* the totals are not needed then */
		return rows_of_objects(source, error);
	}
	if (!whole && !info.damaged && (has_objects || totals.has_dimension))
		return libsnap_fail(error, SNAP_CORRUPT, SNAP_NO_OFFSET,
				    "the totals do not add up");
	return tell_totals(&totals, error);
}
