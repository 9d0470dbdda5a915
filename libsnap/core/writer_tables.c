/* All tables but those of objects and their references. */
#include "writer.h"

#define TEXT_RAW 262144u /* a block of strings is closed when it has so many bytes */

/* As many texts from at on as one block takes. */
static enum snap_status write_some_texts(struct snap_writer *w, size_t count,
					 libsnap_text_at *text_at, void *context, size_t *at)
{
	size_t size, first = *at, end = first;
	uint64_t raw_size = 0;
	const char *bytes;
	struct sink s = sink_over(w->encoder.raw, SNAPFMT_MAX_RAW);
	for (; end < count && end - first < LIBSNAP_BLOCK_ROWS && raw_size < TEXT_RAW; end++) {
		enum snap_status status = text_at(w, context, end, &bytes, &size);
		if (status != SNAP_OK)
			return status;
		raw_size += size + LIBSNAP_VARINT_MAX;
		sink_varint(&s, size);
	}
	for (size_t i = first; i < end; i++) {
		enum snap_status status = text_at(w, context, i, &bytes, &size);
		if (status != SNAP_OK)
			return status;
		sink_bytes(&s, bytes, size);
	}
	*at = end;
	return libsnap_block_text(w, w->encoder.raw, (size_t)(s.at - w->encoder.raw), first,
				  (uint32_t)(end - first), end - first == count);
}

enum snap_status libsnap_write_texts(struct snap_writer *w, size_t count, libsnap_text_at *text_at,
				     void *context)
{
	enum snap_status status = SNAP_OK;
	for (size_t at = 0; at < count && status == SNAP_OK;)
		status = write_some_texts(w, count, text_at, context, &at);
	return status;
}

static enum snap_status own_text(struct snap_writer *w, void *context, size_t i, const char **bytes,
				 size_t *size)
{
	(void)context;
	*bytes = libsnap_names_text(&w->names, w->numbers.string_order[i], size);
	return SNAP_OK;
}

static enum snap_status write_properties(struct snap_writer *w)
{
	const struct libsnap_pages *rows = &w->names.properties;
	struct libsnap_table_out t;
	enum snap_status status = SNAP_OK;
	libsnap_table_begin(&t, w, SNAP_PROPERTIES, rows->count);
	for (uint64_t i = 0; i < rows->count && status == SNAP_OK; i++) {
		const struct libsnap_property *p = libsnap_pages_at(rows, i);
		const uint64_t values[] = {libsnap_number(w->numbers.strings, p->key),
					   libsnap_number(w->numbers.strings, p->value)};
		status = libsnap_table_row(&t, values);
	}
	return libsnap_table_end(&t, status);
}

/* Each fills one row of its table. */
static void module_row(const struct libsnap_numbers *n, const void *row, uint64_t *values)
{
	const struct libsnap_module *m = row;
	values[0] = libsnap_number(n->strings, m->path);
	values[1] = libsnap_number(n->strings, m->build_id);
	values[2] = m->base;
	values[3] = m->size;
}

static void frame_row(const struct libsnap_numbers *n, const void *row, uint64_t *values)
{
	const struct libsnap_frame_row *f = row;
	values[0] = libsnap_number(n->strings, f->function);
	values[1] = libsnap_number(n->strings, f->file);
	values[2] = f->line;
	values[3] = libsnap_number(n->modules, f->module);
	values[4] = f->offset;
	values[5] = libsnap_number(n->frames, f->inlined_into);
}

static void stack_row(const struct libsnap_numbers *n, const void *row, uint64_t *values)
{
	const struct libsnap_stack *s = row;
	values[0] = libsnap_number(n->stacks, s->parent);
	values[1] = libsnap_number(n->frames, s->frame);
	values[2] = s->flags;
}

static void type_row(const struct libsnap_numbers *n, const void *row, uint64_t *values)
{
	const struct libsnap_type *t = row;
	values[0] = libsnap_number(n->strings, t->name);
	values[1] = t->kind;
}

static void thread_row(const struct libsnap_numbers *n, const void *row, uint64_t *values)
{
	const struct libsnap_thread *t = row;
	values[0] = t->number;
	values[1] = libsnap_number(n->strings, t->name);
}

static enum snap_status write_set(struct snap_writer *w, enum snap_table table,
				  const struct libsnap_set *set, const uint32_t *numbers,
				  void (*fill)(const struct libsnap_numbers *, const void *row,
					       uint64_t *values))
{
	struct libsnap_table_out t;
	uint64_t values[LIBSNAP_COLUMNS_MAX];
	enum snap_status status = SNAP_OK;
	libsnap_table_begin(&t, w, (uint16_t)table, set->rows.count);
	for (uint32_t id = 1; id <= set->rows.count && status == SNAP_OK; id++) {
		if (!libsnap_number(numbers, id))
			continue;
		fill(&w->numbers, libsnap_set_at(set, id), values);
		status = libsnap_table_row(&t, values);
	}
	return libsnap_table_end(&t, status);
}

static enum snap_status write_contents(struct snap_writer *w)
{
	struct libsnap_table_out t;
	const struct libsnap_set *contents = &w->names.contents;
	enum snap_status status = SNAP_OK;
	libsnap_table_begin(&t, w, SNAP_CONTENTS, contents->rows.count);
	for (uint32_t id = 1; id <= contents->rows.count && status == SNAP_OK; id++) {
		const struct libsnap_content *c = libsnap_set_at(contents, id);
		const uint64_t hash = w->number_contents && !c->text ? id : c->hash;
		const uint64_t values[] = {c->length, hash,
					   libsnap_number(w->numbers.strings, c->text)};
		status = libsnap_table_row(&t, values);
	}
	return libsnap_table_end(&t, status);
}

static enum snap_status write_timeline(struct snap_writer *w)
{
	struct libsnap_table_out t;
	enum snap_status status = SNAP_OK;
	libsnap_table_begin(&t, w, SNAP_TIMELINE, w->timeline.count);
	for (uint64_t i = 0; i < w->timeline.count && status == SNAP_OK; i++) {
		const struct libsnap_moment *m = libsnap_pages_at(&w->timeline, i);
		const uint64_t values[] = {m->time, m->bytes, m->count, m->resident};
		status = libsnap_table_row(&t, values);
	}
	return libsnap_table_end(&t, status);
}

static enum snap_status write_mappings(struct snap_writer *w)
{
	struct libsnap_table_out t;
	enum snap_status status = SNAP_OK;
	libsnap_table_begin(&t, w, SNAP_MAPPINGS, w->mappings.count);
	for (uint64_t i = 0; i < w->mappings.count && status == SNAP_OK; i++) {
		const struct snap_mapping *m = libsnap_pages_at(&w->mappings, i);
		const uint64_t values[] = {m->address,
					   m->size,
					   m->resident,
					   m->live,
					   m->kind,
					   m->flags,
					   libsnap_number(w->numbers.strings, m->name)};
		status = libsnap_table_row(&t, values);
	}
	return libsnap_table_end(&t, status);
}

static enum snap_status write_shapes(struct snap_writer *w)
{
	struct libsnap_table_out t;
	enum snap_status status = SNAP_OK;
	libsnap_table_begin(&t, w, SNAP_SHAPES, w->shapes.count);
	for (size_t i = 0; i < w->shapes.count && status == SNAP_OK; i++) {
		const struct libsnap_shape *s = libsnap_shape_at(&w->shapes, w->shapes.in_order[i]);
		const uint64_t values[] = {s->type, s->slot_count, s->tail, s->tail_kind};
		status = libsnap_table_row(&t, values);
	}
	return libsnap_table_end(&t, status);
}

static enum snap_status write_slots(struct snap_writer *w)
{
	struct libsnap_table_out t;
	enum snap_status status = SNAP_OK;
	libsnap_table_begin(&t, w, SNAP_SLOTS, w->shapes.slots.count);
	for (size_t i = 0; i < w->shapes.count; i++) {
		const struct libsnap_shape *s = libsnap_shape_at(&w->shapes, w->shapes.in_order[i]);
		for (uint32_t k = 0; k < s->slot_count && status == SNAP_OK; k++) {
			uint64_t slot =
				*(uint64_t *)libsnap_pages_at(&w->shapes.slots, s->first_slot + k);
			uint64_t label = libsnap_slot_label(slot);
			if ((label & 3) == LIBSNAP_TAG_STRING)
				label = SNAP_LABEL_STRING(
					libsnap_number(w->numbers.strings, (uint32_t)(label >> 2)));
			const uint64_t values[] = {libsnap_slot_kind(slot), label};
			status = libsnap_table_row(&t, values);
		}
	}
	return libsnap_table_end(&t, status);
}

enum snap_status libsnap_write_tables(struct snap_writer *w)
{
	const struct libsnap_names *names = &w->names;
	const struct libsnap_numbers *n = &w->numbers;
	enum snap_status status = libsnap_write_texts(w, n->string_count, own_text, NULL);
	if (status == SNAP_OK)
		status = write_properties(w);
	if (status == SNAP_OK)
		status = write_set(w, SNAP_MODULES, &names->modules, n->modules, module_row);
	if (status == SNAP_OK)
		status = write_set(w, SNAP_FRAMES, &names->frames, n->frames, frame_row);
	if (status == SNAP_OK)
		status = write_set(w, SNAP_STACKS, &names->stacks, n->stacks, stack_row);
	if (status == SNAP_OK)
		status = write_set(w, SNAP_TYPES, &names->types, n->types, type_row);
	if (status == SNAP_OK)
		status = write_set(w, SNAP_THREADS, &names->threads, n->threads, thread_row);
	if (status == SNAP_OK)
		status = libsnap_write_totals(w);
	if (status == SNAP_OK)
		status = write_timeline(w);
	if (status == SNAP_OK)
		status = write_mappings(w);
	if (status != SNAP_OK || w->totals_only)
		return status;
	status = write_contents(w);
	if (status == SNAP_OK)
		status = write_shapes(w);
	return status == SNAP_OK ? write_slots(w) : status;
}

/* Targets are known only when all objects are. */
static enum snap_status write_known_roots(struct snap_writer *w, const uint64_t *objects)
{
	struct libsnap_table_out t;
	enum snap_status status = SNAP_OK;
	libsnap_table_begin(&t, w, SNAP_ROOTS, w->roots.count);
	for (uint64_t i = 0; i < w->roots.count && status == SNAP_OK; i++) {
		const struct libsnap_root *r = libsnap_pages_at(&w->roots, i);
		const uint64_t values[] = {objects[i], r->kind,
					   libsnap_number(w->numbers.strings, r->label), r->thread,
					   r->stack};
		if (objects[i])
			status = libsnap_table_row(&t, values);
	}
	return libsnap_table_end(&t, status);
}

enum snap_status libsnap_write_roots(struct snap_writer *w)
{
	size_t count = (size_t)w->roots.count;
	uint64_t *objects = libsnap_alloc(w->allocator, count, sizeof(*objects));
	if (!objects)
		return libsnap_fail_memory(&w->problem);
	for (size_t i = 0; i < count; i++)
		objects[i] = ((struct libsnap_root *)libsnap_pages_at(&w->roots, i))->object;
	enum snap_status status = SNAP_OK;
	if (w->heap.given)
		libsnap_heap_resolve(w, objects, count, &w->unknown_roots);
	else
		status = libsnap_resolve(w, objects, count, &w->unknown_roots);
	if (status == SNAP_OK)
		status = write_known_roots(w, objects);
	libsnap_free(w->allocator, objects, count, sizeof(*objects));
	return status;
}
