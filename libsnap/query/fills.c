/* The key fill: how many places for references each object has, and how many of them are used
 * (FORMAT.md, 7.3). */
#include "query.h"

struct shape_places {
	uint32_t slots;
	bool has_tail;
};

struct fill_walk {
	struct side *side;
	struct libsnap_array shapes;
	uint64_t row, tail; /* next ones */
	struct snap_column *tails;
	uint64_t tail_rows;
	bool lost;
};

#define TAIL_BATCH 1024

static void set_places(struct side *side, uint64_t row, uint64_t places)
{
	libsnap_array_set32(&side->places, row,
			    places < UINT32_MAX ? (uint32_t)places : UINT32_MAX);
}

static enum snap_status take_shapes(void *context, uint64_t first_row, size_t count,
				    const uint64_t *const *values, struct snap_error *error)
{
	(void)error;
	struct fill_walk *walk = context;
	for (size_t i = 0; i < count; i++)
		*(struct shape_places *)libsnap_array_edit(&walk->shapes, first_row + i + 1) =
			(struct shape_places){values[0][i] < UINT32_MAX ? (uint32_t)values[0][i]
									: UINT32_MAX,
					      values[1][i] != SNAP_TAIL_NONE};
	return SNAP_OK;
}

/* Tails that damage took count as empty ones. */
static enum snap_status read_tails(struct fill_walk *walk, uint64_t count, uint64_t *lengths,
				   struct snap_error *error)
{
	if (walk->tail_rows == 0 || walk->lost)
		return SNAP_END;
	enum snap_status status =
		snap_column_read(walk->tails, walk->tail, (size_t)count, lengths, error);
	if (status != SNAP_CORRUPT || !libsnap_query_is_damaged(&walk->side->names))
		return status;
	walk->lost = true;
	walk->side->names.lost_rows++;
	return SNAP_END;
}

static enum snap_status take_run(struct fill_walk *walk, const struct shape_places *shape,
				 uint64_t rows, struct snap_error *error)
{
	struct side *side = walk->side;
	uint64_t lengths[TAIL_BATCH];
	for (uint64_t done = 0; done < rows;) {
		uint64_t count = rows - done < TAIL_BATCH ? rows - done : TAIL_BATCH;
		enum snap_status status =
			shape->has_tail ? read_tails(walk, count, lengths, error) : SNAP_END;
		if (status != SNAP_OK && status != SNAP_END)
			return status;
		for (uint64_t i = 0; i < count; i++)
			set_places(side, walk->row++,
				   status == SNAP_END || lengths[i] > UINT32_MAX
					   ? shape->slots
					   : shape->slots + lengths[i]);
		walk->tail += shape->has_tail ? count : 0;
		done += count;
	}
	return SNAP_OK;
}

static enum snap_status take_runs(void *context, uint64_t first_row, size_t count,
				  const uint64_t *const *values, struct snap_error *error)
{
	(void)first_row;
	struct fill_walk *walk = context;
	for (size_t i = 0; i < count; i++) {
		uint64_t shape = values[0][i], left = walk->side->object_count - walk->row;
		if (shape >= walk->shapes.count || values[1][i] > left) {
			if (!libsnap_query_is_damaged(&walk->side->names))
				return libsnap_fail(error, SNAP_CORRUPT, SNAP_NO_OFFSET,
						    "runs do not fit shapes and objects");
			walk->side->names.lost_rows++;
			return SNAP_OK;
		}
		struct shape_places places =
			*(const struct shape_places *)libsnap_array_at(&walk->shapes, shape);
		enum snap_status status = take_run(walk, &places, values[1][i], error);
		if (status != SNAP_OK)
			return status;
	}
	return SNAP_OK;
}

static enum snap_status count_places(struct fill_walk *walk, struct snap_error *error)
{
	static const uint32_t shape_columns[] = {SNAP_SHAPE_SLOT_COUNT, SNAP_SHAPE_TAIL};
	static const uint32_t run_columns[] = {SNAP_RUN_SHAPE, SNAP_RUN_ROWS};
	struct side *side = walk->side;
	walk->tail_rows = snap_reader_row_count(side->reader, SNAP_TAILS);
	enum snap_status status =
		libsnap_query_each_batch(&side->names, shape_columns, 2, take_shapes, walk, error);
	if (status == SNAP_OK)
		status = snap_column_open(&walk->tails, side->reader, SNAP_TAIL_LENGTH, error);
	if (status == SNAP_OK)
		status = libsnap_query_each_batch(&side->names, run_columns, 2, take_runs, walk,
						  error);
	snap_column_close(walk->tails);
	return status;
}

static bool fill_place(void *context, const struct snap_graph_reference *reference)
{
	struct side *side = context;
	if (reference->owner < side->object_count) {
		uint32_t filled = libsnap_array_get32(&side->filled, reference->owner);
		if (filled < UINT32_MAX)
			libsnap_array_set32(&side->filled, reference->owner, filled + 1);
	}
	return true;
}

enum snap_status libsnap_fills_prepare(struct side *side, struct snap_error *error)
{
	struct budget *budget = &side->answer->budget;
	struct fill_walk walk = {.side = side};
	enum snap_status status = libsnap_side_graph(side, false, error);
	if (status == SNAP_OK)
		status = libsnap_budget_array(budget, &side->places, side->object_count,
					      sizeof(uint32_t), error);
	if (status == SNAP_OK)
		status = libsnap_budget_array(budget, &side->filled, side->object_count,
					      sizeof(uint32_t), error);
	if (status == SNAP_OK)
		status = libsnap_budget_array(budget, &walk.shapes,
					      snap_reader_row_count(side->reader, SNAP_SHAPES) + 1,
					      sizeof(struct shape_places), error);
	if (status == SNAP_OK)
		status = count_places(&walk, error);
	if (status == SNAP_OK)
		status = snap_graph_references(side->graph, fill_place, side, error);
	libsnap_array_end(&walk.shapes);
	return status;
}

enum snap_status libsnap_fills_add(struct side *side, uint64_t row, uint32_t group,
				   struct snap_error *error)
{
	struct libsnap_array *fills = &side->answer->fills[side->number];
	if (group >= fills->count && !libsnap_array_reach(fills, (uint64_t)group + 1))
		return libsnap_budget_fail(&side->answer->budget, error);
	if (side->kept.parts) {
		struct snap_fill *sum = libsnap_array_edit(fills, group);
		sum->places += side->kept.fill.places;
		sum->empty += side->kept.fill.empty;
		sum->hollow += side->kept.fill.hollow;
		return SNAP_OK;
	}
	uint32_t places = libsnap_array_get32(&side->places, row);
	uint32_t filled = libsnap_array_get32(&side->filled, row);
	if (filled > places) /* damage took the number of places, but left references */
		places = filled;
	struct snap_fill *fill = libsnap_array_edit(fills, group);
	fill->places += places;
	fill->empty += places - filled;
	fill->hollow += places > 0 && filled == 0;
	return SNAP_OK;
}
