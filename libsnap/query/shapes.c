/* Shapes by content (FORMAT.md, section 7.2): their types, and their slots as lists. */
#include "query.h"

static struct shape_name *edit_shape(struct names *names, uint64_t id)
{
	return libsnap_array_edit(&names->shapes, id);
}

static enum snap_status take_shapes(void *context, uint64_t first_row, size_t count,
				    const uint64_t *const *values, struct snap_error *error)
{
	struct names *names = context;
	for (size_t i = 0; i < count; i++) {
		if (values[1][i] > UINT32_MAX || values[2][i] > SNAP_TAIL_LABELLED ||
		    values[3][i] > UINT32_MAX)
			return libsnap_fail(error, SNAP_CORRUPT, SNAP_NO_OFFSET,
					    "shape %llu is out of range",
					    (unsigned long long)(first_row + i + 1));
		*edit_shape(names, first_row + i + 1) = (struct shape_name){
			.type = (uint32_t)values[0][i],
			.slots = (uint32_t)values[1][i],
			.tail = (uint32_t)values[2][i],
			.tail_kind = (uint32_t)values[3][i],
		};
	}
	return SNAP_OK;
}

struct slot_walk {
	struct names *names;
	struct resolver resolver;
	uint64_t shape; /* whose slots come now */
	uint64_t end;   /* the row after its last slot */
	/* slot counts by shape: in names->shapes the list takes their place */
	struct libsnap_array left;
};

static enum snap_status mark_labels(void *context, uint64_t first_row, size_t count,
				    const uint64_t *const *values, struct snap_error *error)
{
	(void)first_row;
	struct slot_walk *walk = context;
	uint64_t strings = snap_reader_row_count(walk->names->reader, SNAP_STRINGS);
	for (size_t i = 0; i < count; i++) {
		uint64_t label = values[1][i];
		if (label % 4 != 0)
			continue;
		if (label / 4 > strings)
			return libsnap_fail(error, SNAP_CORRUPT, SNAP_NO_OFFSET,
					    "a slot's label is string %llu of %llu",
					    (unsigned long long)(label / 4),
					    (unsigned long long)strings);
		libsnap_resolver_mark(&walk->resolver, label / 4);
	}
	return SNAP_OK;
}

static enum snap_status take_slots(void *context, uint64_t first_row, size_t count,
				   const uint64_t *const *values, struct snap_error *error)
{
	struct slot_walk *walk = context;
	struct names *names = walk->names;
	for (size_t i = 0; i < count; i++) {
		while (walk->shape < names->shapes.count && first_row + i >= walk->end)
			if (++walk->shape < names->shapes.count)
				walk->end += libsnap_array_get32(&walk->left, walk->shape);
		if (walk->shape >= names->shapes.count)
			return SNAP_OK; /* slots of no shape: the verifier's business */
		uint64_t label = values[1][i];
		struct tuple slot = {{values[0][i], label, 0, 0, 0}};
		if (label % 4 == 0)
			slot = (struct tuple){{values[0][i], 0,
					       libsnap_resolver_text(&walk->resolver, label / 4), 0,
					       0}};
		uint32_t item, list = libsnap_shape_name_at(names, walk->shape).slots;
		enum snap_status status = libsnap_space_intern(names->space, &names->space->places,
							       &slot, &item, error);
		if (status == SNAP_OK)
			status = libsnap_space_chain(names->space, list, item, &list, error);
		if (status != SNAP_OK)
			return status;
		edit_shape(names, walk->shape)->slots = list;
	}
	return SNAP_OK;
}

static enum snap_status load_slots(struct names *names, struct snap_error *error)
{
	static const uint32_t columns[] = {SNAP_SLOT_KIND, SNAP_SLOT_LABEL};
	struct slot_walk walk = {.names = names};
	enum snap_status status = libsnap_budget_array(
		names->space->budget, &walk.left, names->shapes.count, sizeof(uint32_t), error);
	for (uint64_t i = 0; status == SNAP_OK && i < names->shapes.count; i++) {
		libsnap_array_set32(&walk.left, i, libsnap_shape_name_at(names, i).slots);
		edit_shape(names, i)->slots = 0;
	}
	if (status == SNAP_OK)
		status = libsnap_resolver_begin(&walk.resolver, names, error);
	if (status == SNAP_OK)
		status = libsnap_query_each_batch(names, columns, 2, mark_labels, &walk, error);
	if (status == SNAP_OK)
		status = libsnap_resolver_load(&walk.resolver, error);
	if (status == SNAP_OK)
		status = libsnap_query_each_batch(names, columns, 2, take_slots, &walk, error);
	libsnap_resolver_end(&walk.resolver);
	libsnap_array_end(&walk.left);
	return status;
}

enum snap_status libsnap_shapes_load(struct names *names, unsigned needed, struct snap_error *error)
{
	static const uint32_t columns[] = {SNAP_SHAPE_TYPE, SNAP_SHAPE_SLOT_COUNT, SNAP_SHAPE_TAIL,
					   SNAP_SHAPE_TAIL_KIND};
	uint64_t rows = snap_reader_row_count(names->reader, SNAP_SHAPES);
	if (rows >= UINT32_MAX - 1)
		return libsnap_fail(error, SNAP_LIMIT, SNAP_NO_OFFSET,
				    "more than 4 billion shapes");
	enum snap_status status = libsnap_budget_array(names->space->budget, &names->shapes,
						       rows + 1, sizeof(struct shape_name), error);
	uint64_t lost_before = names->lost_rows;
	if (status == SNAP_OK)
		status = libsnap_query_each_batch(names, columns, 4, take_shapes, names, error);
	/* Where shapes are lost, nobody knows whose slots the next ones are. */
	if (status == SNAP_OK && (needed & NEED_SLOTS) && names->lost_rows == lost_before)
		return load_slots(names, error);
	for (uint64_t i = 0; status == SNAP_OK && i < names->shapes.count; i++)
		edit_shape(names, i)->slots = 0;
	return status;
}
