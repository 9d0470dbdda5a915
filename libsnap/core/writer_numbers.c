/* Which names are written, and their ids in the file.
 *
 * Strings that name things come first, so that a question about sums needs the first block of
 * strings only; then labels; then what objects are called.  With sums only, nothing is kept that no
 * sum needs. */
#include "writer.h"

static uint32_t *zeros(struct snap_writer *w, const struct libsnap_set *set)
{
	return libsnap_alloc_zeroed(w->allocator, (size_t)set->rows.count, sizeof(uint32_t));
}

static void number_marked(uint32_t *marks, uint64_t count)
{
	uint32_t number = 0;
	for (uint64_t i = 0; i < count; i++)
		marks[i] = marks[i] ? ++number : 0;
}

/* Those of which there is a sum. */
static void mark_sums(uint32_t *marks, const struct libsnap_pages *sums)
{
	for (uint64_t id = 1; id < sums->count; id++) {
		const struct libsnap_sum *sum = libsnap_pages_at(sums, id);
		marks[id - 1] = sum->bytes || sum->count;
	}
}

/* Callers come before, so that one sweep from the end marks all of them. */
static void mark_stacks(struct snap_writer *w)
{
	struct libsnap_numbers *n = &w->numbers;
	for (uint64_t id = w->names.stacks.rows.count; id > 0; id--) {
		const struct libsnap_stack *stack = libsnap_set_at(&w->names.stacks, (uint32_t)id);
		if (!n->stacks[id - 1])
			continue;
		n->frames[stack->frame - 1] = 1;
		if (stack->parent)
			n->stacks[stack->parent - 1] = 1;
	}
	for (uint64_t id = w->names.frames.rows.count; id > 0; id--) {
		const struct libsnap_frame_row *frame =
			libsnap_set_at(&w->names.frames, (uint32_t)id);
		if (!n->frames[id - 1])
			continue;
		if (frame->inlined_into)
			n->frames[frame->inlined_into - 1] = 1;
		if (frame->module)
			n->modules[frame->module - 1] = 1;
	}
}

static enum snap_status keep_for_sums(struct snap_writer *w)
{
	struct libsnap_numbers *n = &w->numbers;
	n->modules = zeros(w, &w->names.modules);
	n->frames = zeros(w, &w->names.frames);
	n->stacks = zeros(w, &w->names.stacks);
	n->types = zeros(w, &w->names.types);
	n->threads = zeros(w, &w->names.threads);
	if (!n->modules || !n->frames || !n->stacks || !n->types || !n->threads)
		return libsnap_fail_memory(&w->problem);
	mark_sums(n->types, &w->totals.by_type);
	mark_sums(n->stacks, &w->totals.by_stack);
	mark_sums(n->threads, &w->totals.by_thread);
	mark_stacks(w);
	number_marked(n->modules, w->names.modules.rows.count);
	number_marked(n->frames, w->names.frames.rows.count);
	number_marked(n->stacks, w->names.stacks.rows.count);
	number_marked(n->types, w->names.types.rows.count);
	number_marked(n->threads, w->names.threads.rows.count);
	return SNAP_OK;
}

static void keep_string(struct libsnap_numbers *n, uint32_t id)
{
	if (id == 0 || n->strings[id - 1])
		return;
	n->string_order[n->string_count++] = id;
	n->strings[id - 1] = (uint32_t)n->string_count;
}

static void keep_names(struct snap_writer *w)
{
	const struct libsnap_names *names = &w->names;
	struct libsnap_numbers *n = &w->numbers;
	for (uint64_t i = 0; i < names->properties.count; i++) {
		const struct libsnap_property *property = libsnap_pages_at(&names->properties, i);
		keep_string(n, property->key);
		keep_string(n, property->value);
	}
	for (uint32_t id = 1; id <= names->types.rows.count; id++)
		if (libsnap_number(n->types, id))
			keep_string(
				n,
				((struct libsnap_type *)libsnap_set_at(&names->types, id))->name);
	for (uint32_t id = 1; id <= names->modules.rows.count; id++) {
		const struct libsnap_module *module = libsnap_set_at(&names->modules, id);
		if (!libsnap_number(n->modules, id))
			continue;
		keep_string(n, module->path);
		keep_string(n, module->build_id);
	}
	for (uint32_t id = 1; id <= names->threads.rows.count; id++)
		if (libsnap_number(n->threads, id))
			keep_string(n,
				    ((struct libsnap_thread *)libsnap_set_at(&names->threads, id))
					    ->name);
	for (uint32_t id = 1; id <= names->frames.rows.count; id++) {
		const struct libsnap_frame_row *frame = libsnap_set_at(&names->frames, id);
		if (!libsnap_number(n->frames, id))
			continue;
		keep_string(n, frame->function);
		keep_string(n, frame->file);
	}
}

static void keep_mappings(struct snap_writer *w)
{
	for (uint64_t i = 0; i < w->mappings.count; i++)
		keep_string(&w->numbers,
			    ((struct snap_mapping *)libsnap_pages_at(&w->mappings, i))->name);
}

static void keep_labels(struct snap_writer *w)
{
	struct libsnap_numbers *n = &w->numbers;
	for (size_t i = 0; i < w->shapes.count; i++) {
		const struct libsnap_shape *shape =
			libsnap_shape_at(&w->shapes, w->shapes.in_order[i]);
		for (uint32_t k = 0; k < shape->slot_count; k++) {
			const uint64_t *slot =
				libsnap_pages_at(&w->shapes.slots, shape->first_slot + k);
			uint64_t label = libsnap_slot_label(*slot);
			if ((label & 3) == LIBSNAP_TAG_STRING)
				keep_string(n, (uint32_t)(label >> 2));
		}
	}
	for (uint64_t i = 0; i < w->roots.count; i++)
		keep_string(n, ((struct libsnap_root *)libsnap_pages_at(&w->roots, i))->label);
}

/* What objects, labelled tails and contents use. */
static void keep_rest(struct snap_writer *w)
{
	const struct libsnap_names *names = &w->names;
	struct libsnap_numbers *n = &w->numbers;
	for (uint64_t id = 1; id <= names->strings.count; id++)
		if (*(uint64_t *)libsnap_pages_at(&names->strings, id - 1) & LIBSNAP_STRING_USED)
			keep_string(n, (uint32_t)id);
	for (uint32_t id = 1; id <= names->contents.rows.count; id++)
		keep_string(n,
			    ((struct libsnap_content *)libsnap_set_at(&names->contents, id))->text);
}

enum snap_status libsnap_numbers_settle(struct snap_writer *w)
{
	struct libsnap_numbers *n = &w->numbers;
	size_t string_count = (size_t)w->names.strings.count;
	n->strings = libsnap_alloc_zeroed(w->allocator, string_count, sizeof(*n->strings));
	n->string_order = libsnap_alloc(w->allocator, string_count, sizeof(*n->string_order));
	if (!n->strings || !n->string_order)
		return libsnap_fail_memory(&w->problem);
	enum snap_status status = w->totals_only ? keep_for_sums(w) : SNAP_OK;
	if (status != SNAP_OK)
		return status;
	keep_names(w);
	keep_mappings(w);
	if (!w->totals_only) {
		keep_labels(w);
		keep_rest(w);
	}
	return SNAP_OK;
}

void libsnap_numbers_free(struct snap_writer *w)
{
	struct libsnap_numbers *n = &w->numbers;
	const struct libsnap_names *names = &w->names;
	libsnap_free(w->allocator, n->strings, (size_t)names->strings.count, sizeof(*n->strings));
	libsnap_free(w->allocator, n->string_order, (size_t)names->strings.count,
		     sizeof(*n->string_order));
	libsnap_free(w->allocator, n->modules, (size_t)names->modules.rows.count,
		     sizeof(*n->modules));
	libsnap_free(w->allocator, n->frames, (size_t)names->frames.rows.count, sizeof(*n->frames));
	libsnap_free(w->allocator, n->stacks, (size_t)names->stacks.rows.count, sizeof(*n->stacks));
	libsnap_free(w->allocator, n->types, (size_t)names->types.rows.count, sizeof(*n->types));
	libsnap_free(w->allocator, n->threads, (size_t)names->threads.rows.count,
		     sizeof(*n->threads));
	*n = (struct libsnap_numbers){0};
}
