/* What the index calls paths, roots and fields, and what fields hold (FORMAT.md, section 7.5). */
#include <string.h>

#include "query.h"

enum { PARENT, TYPE, KIND, LABEL };

struct naming {
	struct side *side;
	struct labels labels;
	/* by row: the parent's id, and the number of the label */
	struct libsnap_array parents, numbers;
	struct resolver resolver;
	struct libsnap_array strings, types; /* of roots */
};

static enum snap_status begin_map(struct side *side, struct libsnap_array *map, uint64_t rows,
				  struct snap_error *error)
{
	return libsnap_budget_array(&side->answer->budget, map, rows, sizeof(uint32_t), error);
}

static enum snap_status make_way_map(struct side *side, struct snap_error *error)
{
	return begin_map(side, &side->path_of, side->object_count, error);
}

/* ---- paths ---- */

static enum snap_status take_steps(void *context, uint64_t first, size_t count,
				   const uint64_t *const *values, struct snap_error *error)
{
	struct naming *naming = context;
	for (size_t i = 0; i < count; i++) {
		uint64_t parent = values[PARENT][i], label = values[LABEL][i];
		const struct snap_graph_reference reference = {.kind = (uint32_t)values[KIND][i],
							       .label = label};
		uint32_t number;
		if (parent > first + i)
			return libsnap_wrong_index(error);
		enum snap_status status =
			parent ? libsnap_labels_find(&naming->labels, values[TYPE][i], &reference,
						     &number, error)
			       : libsnap_labels_find_root(
					 &naming->labels, values[TYPE][i], values[KIND][i],
					 label % 4 == 0 ? label / 4 : 0, &number, error);
		if (status != SNAP_OK)
			return status;
		libsnap_array_set32(&naming->parents, first + i, (uint32_t)parent);
		libsnap_array_set32(&naming->numbers, first + i, number);
	}
	return SNAP_OK;
}

static enum snap_status join_steps(struct naming *naming, uint64_t steps, struct snap_error *error)
{
	struct side *side = naming->side;
	struct space *space = &side->answer->space;
	enum snap_status status = SNAP_OK;
	for (uint64_t i = 0; status == SNAP_OK && i < steps; i++) {
		uint32_t item, path, parent = libsnap_array_get32(&naming->parents, i);
		uint32_t before = libsnap_array_get32(&side->kept.step_of, parent);
		struct tuple step = libsnap_labels_step(&naming->labels,
							libsnap_array_get32(&naming->numbers, i));
		status = libsnap_space_intern(space, &space->places, &step, &item, error);
		if (status == SNAP_OK)
			status = libsnap_path_add(space, before, item, &path, error);
		if (status == SNAP_OK)
			libsnap_array_set32(&side->kept.step_of, i + 1, path);
	}
	return status;
}

static enum snap_status cut_steps(struct side *side, struct snap_error *error)
{
	struct libsnap_array cut = {0}, *paths = &side->kept.step_of;
	if (side->options->path_depth == 0)
		return SNAP_OK;
	enum snap_status status = libsnap_paths_cut(side, &cut, error);
	for (uint64_t i = 0; status == SNAP_OK && i < paths->count; i++) {
		uint32_t path = libsnap_array_get32(paths, i);
		libsnap_array_set32(paths, i, libsnap_array_get32(&cut, path));
	}
	libsnap_array_end(&cut);
	return status;
}

enum snap_status libsnap_kept_paths(struct side *side, struct snap_error *error)
{
	static const uint32_t columns[] = {SNAP_INDEX_STEP_PARENT, SNAP_INDEX_STEP_TYPE,
					   SNAP_INDEX_STEP_KIND, SNAP_INDEX_STEP_LABEL};
	struct naming naming = {.side = side};
	uint64_t steps = snap_reader_row_count(side->reader, SNAP_INDEX_STEPS);
	libsnap_labels_begin(&naming.labels, &side->names);
	enum snap_status status = make_way_map(side, error);
	if (status == SNAP_OK)
		status = begin_map(side, &side->kept.step_of, steps + 1, error);
	if (status == SNAP_OK)
		status = begin_map(side, &naming.parents, steps, error);
	if (status == SNAP_OK)
		status = begin_map(side, &naming.numbers, steps, error);
	if (status == SNAP_OK)
		status = libsnap_query_each_batch(&side->names, columns, 4, take_steps, &naming,
						  error);
	if (status == SNAP_OK)
		status = libsnap_labels_load(&naming.labels, error);
	if (status == SNAP_OK)
		status = join_steps(&naming, steps, error);
	if (status == SNAP_OK)
		status = cut_steps(side, error);
	libsnap_array_end(&naming.parents);
	libsnap_array_end(&naming.numbers);
	libsnap_labels_end(&naming.labels);
	return status;
}

/* ---- roots ---- */

static enum snap_status take_roots(void *context, uint64_t first, size_t count,
				   const uint64_t *const *values, struct snap_error *error)
{
	struct naming *naming = context;
	for (size_t i = 0; i < count; i++) {
		if (values[0][i] > first + i)
			return libsnap_wrong_index(error);
		libsnap_array_set32(&naming->parents, first + i, (uint32_t)values[0][i]);
		libsnap_array_set32(&naming->side->kept.kinds, first + i + 1,
				    values[1][i] < UINT32_MAX ? (uint32_t)values[1][i]
							      : UINT32_MAX);
		libsnap_array_set64(&naming->strings, first + i, values[2][i]);
		libsnap_array_set64(&naming->types, first + i, values[3][i]);
		libsnap_resolver_mark(&naming->resolver, values[2][i]);
	}
	return SNAP_OK;
}

/* Two texts with a slash between them. */
static enum snap_status join_texts(struct space *space, uint32_t above, uint32_t below,
				   uint32_t *text, struct snap_error *error)
{
	size_t before = libsnap_text_size(space, above), size = libsnap_text_size(space, below);
	char *bytes = libsnap_alloc(&space->budget->allocator, before + 1 + size, 1);
	if (!bytes)
		return libsnap_budget_fail(space->budget, error);
	libsnap_text_read(space, above, 0, before, bytes);
	bytes[before] = '/';
	libsnap_text_read(space, below, 0, size, bytes + before + 1);
	enum snap_status status = libsnap_space_text(space, bytes, before + 1 + size, text, error);
	libsnap_free(&space->budget->allocator, bytes, before + 1 + size, 1);
	return status;
}

/* As snap_graph_group tells it. */
static enum snap_status root_label(struct naming *naming, uint64_t row, uint32_t *text,
				   struct snap_error *error)
{
	struct side *side = naming->side;
	uint32_t parent = libsnap_array_get32(&naming->parents, row);
	uint64_t string = libsnap_array_get64(&naming->strings, row);
	if (parent != 0) {
		uint64_t type = libsnap_array_get64(&naming->types, row);
		return join_texts(&side->answer->space,
				  libsnap_array_get32(&naming->numbers, parent - 1),
				  libsnap_type_at(&side->names, type).name, text, error);
	}
	*text = libsnap_resolver_text(&naming->resolver, string);
	if (string != 0)
		return SNAP_OK;
	const char *kind = snap_root_kind_name(libsnap_array_get32(&side->kept.kinds, row + 1));
	kind = kind != NULL ? kind : "unknown";
	return libsnap_space_text(&side->answer->space, kind, strlen(kind), text, error);
}

/* Without an offset into a variable. */
static enum snap_status shorten(struct side *side, uint32_t text, uint32_t *short_text,
				struct snap_error *error)
{
	struct text_item item;
	struct space *space = &side->answer->space;
	*short_text = text;
	if (text == 0)
		return SNAP_OK;
	enum snap_status status = libsnap_space_text_at(space, text, &item, error);
	if (status != SNAP_OK)
		return status;
	size_t size = libsnap_size_of_variable(item.bytes, item.size);
	if (size == item.size)
		return SNAP_OK;
	char *bytes = libsnap_alloc(&space->budget->allocator, size, 1);
	if (!bytes)
		return libsnap_budget_fail(space->budget, error);
	libsnap_text_read(space, text, 0, size, bytes);
	status = libsnap_space_text(space, bytes, size, short_text, error);
	libsnap_free(&space->budget->allocator, bytes, size, 1);
	return status;
}

static enum snap_status name_roots(struct naming *naming, uint64_t roots, struct snap_error *error)
{
	struct side *side = naming->side;
	enum snap_status status = libsnap_resolver_load(&naming->resolver, error);
	for (uint64_t row = 0; status == SNAP_OK && row < roots; row++) {
		uint32_t text, short_text;
		status = root_label(naming, row, &text, error);
		if (status == SNAP_OK)
			status = shorten(side, text, &short_text, error);
		if (status != SNAP_OK)
			break;
		libsnap_array_set32(&naming->numbers, row, text);
		libsnap_array_set32(&side->kept.step_of, row + 1, short_text);
	}
	return status;
}

enum snap_status libsnap_kept_roots(struct side *side, struct snap_error *error)
{
	static const uint32_t columns[] = {SNAP_INDEX_ROOT_PARENT, SNAP_INDEX_ROOT_KIND,
					   SNAP_INDEX_ROOT_LABEL, SNAP_INDEX_ROOT_TYPE};
	struct naming naming = {.side = side};
	struct budget *budget = &side->answer->budget;
	uint64_t roots = snap_reader_row_count(side->reader, SNAP_INDEX_ROOTS);
	enum snap_status status = libsnap_resolver_begin(&naming.resolver, &side->names, error);
	if (status != SNAP_OK)
		return status;
	status = make_way_map(side, error);
	if (status == SNAP_OK)
		status = begin_map(side, &side->group_of, roots + 1, error);
	if (status == SNAP_OK)
		status = begin_map(side, &side->kept.step_of, roots + 1, error);
	if (status == SNAP_OK)
		status = begin_map(side, &side->kept.kinds, roots + 1, error);
	if (status == SNAP_OK)
		status = begin_map(side, &naming.parents, roots, error);
	if (status == SNAP_OK)
		status = begin_map(side, &naming.numbers, roots, error);
	if (status == SNAP_OK)
		status = libsnap_budget_array(budget, &naming.strings, roots, 8, error);
	if (status == SNAP_OK)
		status = libsnap_budget_array(budget, &naming.types, roots, 8, error);
	if (status == SNAP_OK)
		status = libsnap_query_each_batch(&side->names, columns, 4, take_roots, &naming,
						  error);
	if (status == SNAP_OK)
		status = name_roots(&naming, roots, error);
	libsnap_array_end(&naming.parents);
	libsnap_array_end(&naming.numbers);
	libsnap_array_end(&naming.strings);
	libsnap_array_end(&naming.types);
	libsnap_resolver_end(&naming.resolver);
	return status;
}

/* ---- fields ---- */

struct field {
	uint32_t label;
	uint64_t references, bytes, retained;
};

struct listing {
	struct side *side;
	struct labels labels;
	struct libsnap_array fields;
	struct libsnap_array owners; /* by row of their table: whether patterns keep one */
	struct field all;
};

static bool keeps_type(struct side *side, uint64_t type)
{
	const struct query_row row = {.type = type};
	return libsnap_side_keeps(side, &row);
}

static enum snap_status take_fields(void *context, uint64_t first, size_t count,
				    const uint64_t *const *values, struct snap_error *error)
{
	(void)first;
	struct listing *listing = context;
	for (size_t i = 0; i < count; i++) {
		const struct snap_graph_reference reference = {.kind = (uint32_t)values[1][i],
							       .label = values[2][i]};
		struct field field = {0, values[3][i], values[4][i], values[5][i]};
		if (field.references == 0) {
			listing->all = field;
			continue;
		}
		if (!keeps_type(listing->side, values[0][i]))
			continue;
		enum snap_status status = libsnap_labels_find(&listing->labels, values[0][i],
							      &reference, &field.label, error);
		if (status != SNAP_OK)
			return status;
		if (!libsnap_array_add(&listing->fields, &field))
			return libsnap_budget_fail(&listing->side->answer->budget, error);
	}
	return SNAP_OK;
}

static enum snap_status take_owners(void *context, uint64_t first, size_t count,
				    const uint64_t *const *values, struct snap_error *error)
{
	struct listing *listing = context;
	for (size_t i = 0; i < count; i++) {
		uint64_t parent = values[0][i];
		if (parent > first + i)
			return libsnap_wrong_index(error);
		bool keeps = keeps_type(listing->side, values[1][i]) ||
			     (parent != 0 && libsnap_array_has_bit(&listing->owners, parent - 1));
		if (!keeps)
			continue;
		libsnap_array_set_bit(&listing->owners, first + i);
		if (libsnap_add_overflows(listing->all.bytes, values[2][i], &listing->all.bytes) ||
		    libsnap_add_overflows(listing->all.retained, values[3][i],
					  &listing->all.retained))
			return libsnap_too_much(error);
	}
	return SNAP_OK;
}

/* What is kept of all fields together. */
static enum snap_status add_up_owners(struct listing *listing, struct snap_error *error)
{
	static const uint32_t columns[] = {SNAP_INDEX_OWNER_PARENT, SNAP_INDEX_OWNER_TYPE,
					   SNAP_INDEX_OWNER_BYTES, SNAP_INDEX_OWNER_RETAINED};
	struct side *side = listing->side;
	uint64_t rows = snap_reader_row_count(side->reader, SNAP_INDEX_OWNERS);
	if (side->options->pattern_count == 0)
		return SNAP_OK;
	listing->all = (struct field){.references = 0};
	enum snap_status status = libsnap_budget_array(&side->answer->budget, &listing->owners,
						       rows / 64 + 1, sizeof(uint64_t), error);
	return status == SNAP_OK ? libsnap_query_each_batch(&side->names, columns, 4, take_owners,
							    listing, error)
				 : status;
}

static enum snap_status add_field(struct listing *listing, const struct field *field,
				  struct snap_error *error)
{
	struct side *side = listing->side;
	struct snap_answer *answer = side->answer;
	struct libsnap_array *sums = &answer->retained[side->number];
	struct tuple key = libsnap_labels_step(&listing->labels, field->label);
	uint32_t group;
	enum snap_status status =
		libsnap_space_intern(&answer->space, &answer->space.groups, &key, &group, error);
	if (status == SNAP_OK)
		status = libsnap_side_count(side, group, field->bytes, field->references, error);
	side->total.exact.count += field->references;
	if (status != SNAP_OK || !side->options->retained)
		return status;
	if (!libsnap_array_reach(sums, answer->space.groups.count))
		return libsnap_budget_fail(&answer->budget, error);
	libsnap_array_set64(sums, group, field->retained);
	return SNAP_OK;
}

enum snap_status libsnap_kept_add_fields(struct side *side, struct snap_error *error)
{
	static const uint32_t columns[] = {SNAP_INDEX_FIELD_TYPE,  SNAP_INDEX_FIELD_KIND,
					   SNAP_INDEX_FIELD_LABEL, SNAP_INDEX_FIELD_REFERENCES,
					   SNAP_INDEX_FIELD_BYTES, SNAP_INDEX_FIELD_RETAINED};
	struct budget *budget = &side->answer->budget;
	struct snap_answer_info *info = &side->answer->info;
	struct listing listing = {.side = side};
	libsnap_labels_begin(&listing.labels, &side->names);
	enum snap_status status =
		libsnap_budget_array(budget, &listing.fields, 0, sizeof(struct field), error);
	if (status == SNAP_OK && side->options->retained)
		status = libsnap_budget_array(budget, &side->answer->retained[side->number],
					      side->answer->space.groups.count, sizeof(uint64_t),
					      error);
	if (status == SNAP_OK)
		status = libsnap_query_each_batch(&side->names, columns, 6, take_fields, &listing,
						  error);
	if (status == SNAP_OK)
		status = add_up_owners(&listing, error);
	if (status == SNAP_OK)
		status = libsnap_labels_load(&listing.labels, error);
	for (uint64_t i = 0; status == SNAP_OK && i < listing.fields.count; i++) {
		struct field field = *(const struct field *)libsnap_array_at(&listing.fields, i);
		status = add_field(&listing, &field, error);
	}
	side->total.exact.bytes = listing.all.bytes;
	if (side->options->retained)
		*(info->compared && side->number == 0 ? &info->old_retained : &info->retained) =
			listing.all.retained;
	libsnap_array_end(&listing.fields);
	libsnap_array_end(&listing.owners);
	libsnap_labels_end(&listing.labels);
	return status;
}
