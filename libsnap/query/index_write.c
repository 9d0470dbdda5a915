/* Copies a snapshot block for block, and adds an index (FORMAT.md, section 7.5). */
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

static enum snap_status check_snapshot(const struct making *making, struct snap_error *error)
{
	struct snap_reader_info info;
	snap_reader_info(making->reader, &info);
	const char *wrong = NULL;
	if (making->reader->partial)
		wrong = "what was salvaged is no snapshot to be copied";
	else if (making->options != NULL && (info.flags & SNAP_SNAPSHOT_SAMPLED))
		wrong = "the snapshot is sampled: what is retained cannot be known";
	else if (making->options != NULL && making->objects == 0)
		wrong = "the snapshot has no objects";
	else if (making->options != NULL && snap_reader_row_count(making->reader, SNAP_ROOTS) == 0)
		wrong = "the snapshot has no roots";
	return wrong ? libsnap_fail(error, SNAP_MISUSE, SNAP_NO_OFFSET, "%s", wrong) : SNAP_OK;
}

static enum snap_status answer_all(struct making *making, struct snap_error *error)
{
	const struct snap_index_options *given = making->options;
	struct snap_graph_options options = SNAP_GRAPH_OPTIONS_INIT;
	options.max_memory_bytes = given->max_memory_bytes;
	options.allocator = given->allocator;
	options.io = given->io;
	options.temporary_folder = given->temporary_folder;
	options.progress = given->progress;
	options.progress_context = given->progress_context;
	options.ignore_index = options.branches = true;
	enum snap_status status = snap_graph_open(&making->graph, making->reader, &options, error);
	if (status == SNAP_OK)
		status = snap_graph_search(making->graph, error);
	if (status == SNAP_OK)
		status = snap_graph_find_cycles(making->graph, error);
	if (status == SNAP_OK)
		status = snap_graph_dominate(making->graph, error);
	if (status == SNAP_OK)
		status = snap_graph_find_keepers(making->graph, error);
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
	struct snap_scan *scan = NULL;
	enum snap_status status = snap_scan_open(&scan, making->reader, columns, 2, &w->problem);
	libsnap_table_begin(&table, w, SNAP_INDEX_OBJECTS, making->objects);
	while (status == SNAP_OK) {
		uint64_t first, row[4];
		size_t count;
		const uint64_t *const *values;
		status = snap_scan_next(scan, &first, &count, &values, &w->problem);
		for (size_t i = 0; status == SNAP_OK && i < count; i++) {
			uint64_t own;
			if (libsnap_multiply_overflows(values[0][i], values[1][i], &own))
				own = UINT64_MAX;
			describe_row(making, first + i, own, row);
			status = making->facts[SNAP_FACT_REACHED_BYTES] <= SUM_MAX
					 ? libsnap_table_row(&table, row)
					 : libsnap_too_much(&w->problem);
		}
	}
	snap_scan_close(scan);
	status = libsnap_table_end(&table, status == SNAP_END ? SNAP_OK : status);
	return status;
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

/* Where several of its objects are entered, a search of
 * the whole graph says what would be free without it. */
static enum snap_status search_without(struct making *making, uint64_t number,
				       const struct snap_graph_cycle *cycle, uint64_t *retained,
				       struct snap_error *error)
{
	struct snap_graph_set *members;
	enum snap_status status = snap_graph_set_open(&members, making->graph, error);
	if (status != SNAP_OK)
		return status;
	for (uint64_t row = cycle->first;
	     row < making->objects && snap_graph_set_count(members) < cycle->objects; row++)
		if (snap_graph_cycle_of(making->graph, row) == number)
			snap_graph_set_add(members, row);
	status = snap_graph_retained_by(making->graph, members, retained, NULL, error);
	snap_graph_set_close(members);
	return status;
}

static enum snap_status write_cycles(struct making *making, struct snap_writer *w)
{
	unsigned searches = SEARCHES;
	struct libsnap_table_out table;
	uint64_t count = snap_graph_cycle_count(making->graph);
	enum snap_status status = SNAP_OK;
	libsnap_table_begin(&table, w, SNAP_INDEX_CYCLES, count);
	for (uint64_t i = 0; status == SNAP_OK && i < count; i++) {
		struct snap_graph_cycle cycle;
		struct snap_graph_keeper by;
		uint64_t retained = 0;
		snap_graph_cycle(making->graph, i, &cycle);
		snap_graph_keeper(making->graph, i, &by);
		bool is_reached = snap_graph_distance(making->graph, by.nearest) != SNAP_GRAPH_NONE;
		if (searches > 0 && is_reached && by.entries > 1) {
			searches--;
			status = search_without(making, i, &cycle, &retained, &w->problem);
		}
		if (status != SNAP_OK)
			break;
		status = libsnap_table_row(
			&table, (uint64_t[]){cycle.objects, cycle.bytes, cycle.first + 1,
					     by.nearest == cycle.first ? 0 : by.nearest + 1,
					     by.entries, by.entry == by.nearest ? 0 : by.entry + 1,
					     by.holder + 1, retained});
	}
	return libsnap_table_end(&table, status);
}

/* ---- one after the other ---- */

static enum snap_status write_all(struct snap_writer *w, void *context)
{
	struct making *making = context;
	enum snap_status status = copy_base(making, w);
	if (status != SNAP_OK || making->options == NULL)
		return status;
	status = write_objects(making, w);
	if (status == SNAP_OK)
		status = libsnap_index_write_classes(making, w);
	if (status == SNAP_OK)
		status = libsnap_index_write_fields(making, w);
	if (status == SNAP_OK)
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
		status = write_facts(making, w);
	return status == SNAP_OK ? snap_graph_check(making->graph, &w->problem) : status;
}

enum snap_status snap_index_write(struct snap_writer *w, struct snap_reader *reader,
				  const struct snap_index_options *given,
				  struct snap_writer_summary *out, struct snap_error *error)
{
	struct snap_index_options options = SNAP_INDEX_OPTIONS_INIT;
	struct snap_reader_info info;
	struct making making = {.reader = reader,
				.objects = snap_reader_row_count(reader, SNAP_OBJECTS)};
	enum snap_status status = libsnap_copy_options(&options, sizeof(options), given, error);
	if (options.max_memory_bytes == 0)
		options.max_memory_bytes = DEFAULT_MEMORY;
	if (given != NULL)
		making.options = &options;
	snap_reader_info(reader, &info);
	if (status == SNAP_OK)
		status = check_snapshot(&making, error);
	if (status == SNAP_OK)
		status = snap_reader_index(reader, &making.old, error);
	if (status == SNAP_OK && given != NULL)
		status = answer_all(&making, error);
	if (status == SNAP_OK) {
		w->flags = info.flags;
		w->sampling_interval = info.sampling_interval_bytes;
		w->unknown_references = info.unknown_references;
		status = libsnap_writer_finish_copy(w, write_all, &making, out, error);
	} else {
		snap_writer_abort(w);
	}
	libsnap_free(options.allocator, making.tops, making.top_capacity, sizeof(*making.tops));
	snap_graph_close(making.graph);
	return status;
}
