/* Copies a snapshot block for block, and adds an index; or makes one
 * to compare with that which there is (FORMAT.md, section 7.5). */
#include "index.h"

#define DEFAULT_MEMORY ((uint64_t)2 << 30)

/* ---- the blocks that there are ---- */

/* The header of a block or batch, with what only the directory says of a batch. */
static enum snap_status read_block(struct making *making, uint64_t number,
				   struct snapfmt_block *block, struct snap_error *error)
{
	const struct libsnap_block *from = &making->reader->blocks[number];
	uint8_t bytes[SNAPFMT_BLOCK_HEADER_SIZE];
	const char *reason;
	enum snap_status status = libsnap_source_read(&making->reader->source, from->offset, bytes,
						      sizeof(bytes), error);
	if (status != SNAP_OK)
		return status;
	struct cursor c = cursor_over(bytes, sizeof(bytes));
	if (snapfmt_read_block(&c, block, &reason) != SNAPFMT_GOOD ||
	    block->stored_size > LIBSNAP_STORED_BOUND)
		return libsnap_fail(error, SNAP_CORRUPT, from->offset, "block %u changed",
				    from->sequence);
	if (!snapfmt_is_batch(block))
		return SNAP_OK;
	block->first_row = 0;
	block->flags = SNAPFMT_BLOCK_CRITICAL;
	for (uint64_t i = number; i < making->reader->block_count &&
				  making->reader->blocks[i].sequence == from->sequence;
	     i++)
		block->first_row |=
			snapfmt_table_bit((uint16_t)(making->reader->blocks[i].column >> 16));
	return SNAP_OK;
}

static enum snap_status copy_block(struct making *making, struct snap_writer *w, uint64_t number)
{
	const struct libsnap_block *from = &making->reader->blocks[number];
	uint8_t *payload = w->stored + SNAPFMT_BLOCK_HEADER_SIZE;
	struct snapfmt_block block;
	enum snap_status status = read_block(making, number, &block, &w->problem);
	if (status == SNAP_OK)
		status = libsnap_source_read(&making->reader->source,
					     from->offset + snapfmt_block_header_size(&block),
					     payload, block.stored_size, &w->problem);
	if (status == SNAP_OK)
		status = libsnap_out_block(w, &block, payload);
	if (status == SNAP_OK && !libsnap_hash_agrees(block.hash, from->hash))
		status = libsnap_fail(&w->problem, SNAP_CORRUPT, from->offset,
				      "block %u does not have the hash that it should",
				      from->sequence);
	w->batch.written += status == SNAP_OK && snapfmt_is_batch(&block);
	return status;
}

static bool is_one_batch(const struct making *making)
{
	const uint64_t count = making->old.first_block;
	const struct libsnap_block *blocks = making->reader->blocks;
	return count > 0 && blocks[0].batch && blocks[count - 1].sequence == 0;
}

static enum snap_status copy_base(struct making *making, struct snap_writer *w)
{
	uint8_t *bytes = making->header;
	size_t size = sizeof(making->header);
	struct snapfmt_header header;
	const struct libsnap_block *blocks = making->reader->blocks;
	enum snap_status status =
		libsnap_read_header(making->reader, bytes, &size, &header, &w->problem);
	if (status == SNAP_OK)
		status = libsnap_out_begin(w);
	w->out.header = bytes;
	w->out.header_size = size;
	w->out.header_hash = status == SNAP_OK ? header.hash : 0;
	if (status == SNAP_OK && making->options == NULL)
		w->out.small = is_one_batch(making) && libsnap_can_be_small(w) &&
			       header.hash == snapfmt_small_header().hash;
	for (uint64_t i = 0; status == SNAP_OK && i < making->old.first_block; i++)
		if (i == 0 || blocks[i].sequence != blocks[i - 1].sequence)
			status = copy_block(making, w, i);
	/* What the header does not promise may not follow. */
	if (status == SNAP_OK && !(header.required_features & SNAPFMT_FEATURE_BATCHES))
		w->batch.written = SNAPFMT_MAX_BATCHES;
	return status;
}

/* ---- what is found ---- */

/* Why it can have no index; NULL if it can. */
static const char *wrong_with(const struct making *making)
{
	struct snap_reader_info info;
	snap_reader_info(making->reader, &info);
	if (info.flags & SNAP_SNAPSHOT_SAMPLED)
		return "the snapshot is sampled: what is retained cannot be known";
	if (making->objects == 0)
		return "the snapshot has no objects";
	return snap_reader_row_count(making->reader, SNAP_ROOTS) == 0 ? "the snapshot has no roots"
								      : NULL;
}

static enum snap_status answer_all(struct making *making, struct snap_error *error)
{
	const struct snap_index_options *given = making->options;
	const struct budget all = {.limit = given->max_memory_bytes};
	struct snap_graph_options options = SNAP_GRAPH_OPTIONS_INIT;
	options.max_memory_bytes = libsnap_budget_for_graph(&all);
	options.allocator = given->allocator;
	options.io = given->io;
	options.temporary_folder = given->temporary_folder;
	options.progress = given->progress;
	options.progress_context = given->progress_context;
	options.ignore_index = options.branches = true;
	options.threads = given->threads;
	enum snap_status status = snap_graph_open(&making->graph, making->reader, &options, error);
	if (status == SNAP_OK)
		status = snap_graph_search(making->graph, error);
	if (status == SNAP_OK)
		status = snap_graph_find_cycles(making->graph, error);
	if (status == SNAP_OK)
		status = snap_graph_retain_cycles(making->graph, error);
	if (status == SNAP_OK)
		status = snap_graph_dominate(making->graph, error);
	if (status == SNAP_OK)
		status = snap_graph_find_keepers(making->graph, error);
	if (status == SNAP_OK) {
		struct snap_graph_info info;
		snap_graph_info(making->graph, &info);
		/* In temporary files it has a cache that may grow again to all that it is given. */
		uint64_t share = options.max_memory_bytes, peak = info.peak_memory_bytes;
		peak = peak > share / 2 && peak < share ? share : peak;
		making->left = peak < all.limit ? all.limit - peak : 1;
	}
	return status;
}

/* ---- objects ---- */

static void describe_row(struct making *making, uint64_t row, uint64_t own, uint64_t *values)
{
	const struct snap_graph *graph = making->graph;
	uint64_t dominator = snap_graph_dominator(graph, row);
	uint64_t parent = snap_graph_parent(graph, row), cycle = snap_graph_cycle_of(graph, row);
	bool is_reached = snap_graph_distance(graph, row) != SNAP_GRAPH_NONE;
	making->facts[SNAP_FACT_REACHED_OBJECTS] += is_reached;
	uint64_t *bytes = &making->facts[SNAP_FACT_REACHED_BYTES];
	if (is_reached && libsnap_add_overflows(*bytes, own, bytes))
		*bytes = UINT64_MAX;
	values[0] = !is_reached ? row + 1 : dominator == SNAP_GRAPH_NONE ? 0 : dominator + 1;
	values[1] = is_reached ? snap_graph_retained(graph, row) - own : 0;
	values[2] = parent == SNAP_GRAPH_NONE || parent == dominator ? 0 : parent + 1;
	values[3] = cycle == SNAP_GRAPH_NONE ? 0 : cycle + 1;
}

static enum snap_status write_objects(struct making *making, struct snap_writer *w)
{
	static const uint32_t columns[] = {SNAP_OBJECT_SIZE, SNAP_OBJECT_COUNT};
	struct libsnap_table_out table;
	struct scan scan = scan_begin(making->reader, columns, 2, &w->problem);
	libsnap_table_begin(&table, w, SNAP_INDEX_OBJECTS, making->objects);
	while (scan_next(&scan)) {
		uint64_t own, row[4];
		if (libsnap_multiply_overflows(scan_value(&scan, 0), scan_value(&scan, 1), &own))
			own = UINT64_MAX;
		describe_row(making, scan.row, own, row);
		scan.status = making->facts[SNAP_FACT_REACHED_BYTES] <= SUM_MAX
				      ? libsnap_table_row(&table, row)
				      : libsnap_too_much(&w->problem);
	}
	return libsnap_table_end(&table, scan_end(&scan, NULL));
}

/* ---- small tables ---- */

static enum snap_status write_facts(struct making *making, struct snap_writer *w)
{
	struct libsnap_table_out table;
	enum snap_status status = libsnap_layer_base(making->reader, making->old.first_block,
						     &making->facts[SNAP_FACT_BASE], &w->problem);
	libsnap_table_begin(&table, w, SNAP_INDEX, SNAP_FACT_COUNT);
	for (uint64_t fact = 0; status == SNAP_OK && fact < SNAP_FACT_COUNT; fact++)
		if (fact <= SNAP_FACT_REACHED_BYTES || fact >= SNAP_FACT_TOP_BYTES)
			status = libsnap_table_row(&table, (uint64_t[]){fact, making->facts[fact]});
	return libsnap_table_end(&table, status);
}

static enum snap_status compare_facts(const struct making *making, struct snap_writer *w)
{
	static const uint8_t facts[] = {SNAP_FACT_REACHED_OBJECTS, SNAP_FACT_REACHED_BYTES,
					SNAP_FACT_TOP_BYTES};
	for (size_t i = 0; i < sizeof(facts); i++) {
		const uint64_t is = making->old.facts[facts[i]], made = making->facts[facts[i]];
		if (is != made)
			return libsnap_fail(&w->problem, SNAP_CORRUPT, SNAP_NO_OFFSET,
					    "the index: fact %u is %llu, made anew %llu", facts[i],
					    (unsigned long long)is, (unsigned long long)made);
	}
	return SNAP_OK;
}

/* An index that is compared, which says that it has none. */
static bool has_no_tops(const struct making *making, const struct snap_writer *w)
{
	return w->compared && making->old.facts[SNAP_FACT_TOP_BYTES] == 0 &&
	       w->compared->rows[SNAP_INDEX_TOPS] == 0 &&
	       w->compared->rows[SNAP_INDEX_TOP_PARTS] == 0;
}

static enum snap_status write_cycles(struct making *making, struct snap_writer *w)
{
	struct libsnap_table_out table;
	uint64_t count = snap_graph_cycle_count(making->graph);
	enum snap_status status = SNAP_OK;
	libsnap_table_begin(&table, w, SNAP_INDEX_CYCLES, count);
	for (uint64_t i = 0; status == SNAP_OK && i < count; i++) {
		struct snap_graph_cycle cycle;
		struct snap_graph_keeper by;
		snap_graph_cycle(making->graph, i, &cycle);
		snap_graph_keeper(making->graph, i, &by);
		status = libsnap_table_row(
			&table, (uint64_t[]){cycle.objects, cycle.bytes, cycle.first + 1,
					     by.nearest == cycle.first ? 0 : by.nearest + 1,
					     by.entries, by.entry == by.nearest ? 0 : by.entry + 1,
					     by.holder + 1, by.retained});
	}
	return libsnap_table_end(&table, status);
}

/* ---- one after the other ---- */

static enum snap_status write_tables(struct making *making, struct snap_writer *w)
{
	enum snap_status status = write_objects(making, w);
	if (status == SNAP_OK)
		status = libsnap_index_write_classes(making, w);
	if (status == SNAP_OK)
		status = libsnap_index_write_fields(making, w);
	if (status == SNAP_OK)
		status = libsnap_index_write_duplicates(making, w);
	if (status == SNAP_OK && !has_no_tops(making, w))
		status = libsnap_index_write_tops(making, w);
	if (status == SNAP_OK)
		status = write_cycles(making, w);
	if (status == SNAP_OK)
		status = libsnap_index_write_spans(making, w);
	if (status == SNAP_OK)
		status = libsnap_index_write_maps(making, w);
	if (status == SNAP_OK)
		status = libsnap_index_write_members(making, w);
	if (status == SNAP_OK)
		status = libsnap_write_types(making->graph, w, &w->problem);
	if (status == SNAP_OK)
		status = w->compared ? compare_facts(making, w) : write_facts(making, w);
	return status == SNAP_OK ? snap_graph_check(making->graph, &w->problem) : status;
}

static enum snap_status write_all(struct snap_writer *w, void *context)
{
	struct making *making = context;
	enum snap_status status = copy_base(making, w);
	return status == SNAP_OK && making->options ? write_tables(making, w) : status;
}

static enum snap_status begin(struct making *making, struct snap_reader *reader,
			      struct snap_index_options *options,
			      const struct snap_index_options *given, struct snap_error *error)
{
	*making = (struct making){.reader = reader,
				  .options = options,
				  .objects = snap_reader_row_count(reader, SNAP_OBJECTS)};
	*options = (struct snap_index_options)SNAP_INDEX_OPTIONS_INIT;
	enum snap_status status = libsnap_copy_options(options, sizeof(*options), given, error);
	if (options->max_memory_bytes == 0)
		options->max_memory_bytes = DEFAULT_MEMORY;
	return status == SNAP_OK ? libsnap_find_index(reader, &making->old, error) : status;
}

static void end(struct making *making, const struct snap_allocator *allocator)
{
	libsnap_free(allocator, making->tops, making->top_capacity, sizeof(*making->tops));
	snap_graph_close(making->graph);
}

enum snap_status snap_index_write(struct snap_writer *w, struct snap_reader *reader,
				  const struct snap_index_options *given,
				  struct snap_writer_summary *out, struct snap_error *error)
{
	struct snap_index_options options;
	struct snap_reader_info info;
	struct making making;
	enum snap_status status = begin(&making, reader, &options, given, error);
	if (given == NULL)
		making.options = NULL;
	const char *wrong = reader->partial ? "what was salvaged is no snapshot to be copied"
			    : given != NULL ? wrong_with(&making)
					    : NULL;
	if (status == SNAP_OK && wrong)
		status = libsnap_fail(error, SNAP_MISUSE, SNAP_NO_OFFSET, "%s", wrong);
	if (status == SNAP_OK && given != NULL)
		status = answer_all(&making, error);
	if (status == SNAP_OK) {
		snap_reader_info(reader, &info);
		w->flags = info.flags;
		w->sampling_interval = info.sampling_interval_bytes;
		w->unknown_references = info.unknown_references;
		status = libsnap_writer_finish_copy(w, write_all, &making, out, error);
	} else {
		snap_writer_abort(w);
	}
	end(&making, options.allocator);
	return status;
}

enum snap_status snap_index_verify(struct snap_reader *reader,
				   const struct snap_index_options *given, struct snap_error *error)
{
	struct snap_index_options options;
	struct making making;
	enum snap_status status = begin(&making, reader, &options, given, error);
	if (status != SNAP_OK || making.old.state == SNAP_INDEX_ABSENT)
		return status;
	const char *wrong = reader->info.damaged ? "the snapshot is damaged"
			    : making.old.state == SNAP_INDEX_FOREIGN
				    ? "it was made of another snapshot, or is not whole"
				    : wrong_with(&making);
	if (wrong)
		return libsnap_fail(error, SNAP_CORRUPT, SNAP_NO_OFFSET, "the index: %s", wrong);
	status = answer_all(&making, error);
	if (status == SNAP_OK) {
		struct snap_writer w = {.allocator = options.allocator, .compared = reader};
		status = write_tables(&making, &w);
		/* What failed in the graph, and not what it said then. */
		if (status == SNAP_CORRUPT && snap_graph_check(making.graph, &w.problem) != SNAP_OK)
			status = w.problem.status;
		if (status != SNAP_OK && error)
			*error = w.problem;
	}
	end(&making, options.allocator);
	return status;
}
