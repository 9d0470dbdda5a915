/* Whether a reader finds what the model of writer_model.h has: objects, references, roots. */
#ifndef WRITER_CHECK_H
#define WRITER_CHECK_H

#include "writer_model.h"

struct edge {
	uint64_t from, to, kind, label; /* ids; a label that is an object has its id */
};

static int compare_edges(const void *a, const void *b)
{
	return memcmp(a, b, sizeof(struct edge));
}

struct walk {
	struct snap_reader *reader;
	const uint64_t *address, *target, *tail_kind, *tail_label;
	struct edge *edges;
	size_t count, target_at, label_at;
};

/* "string 17" gives 18, its id in the model. */
static uint64_t model_string(const char *text, size_t size)
{
	char number[16];
	REQUIRE(size > 7 && size - 7 < sizeof(number) && memcmp(text, "string ", 7) == 0);
	memcpy(number, text + 7, size - 7);
	number[size - 7] = '\0';
	return strtoull(number, NULL, 10) + 1;
}

static void add_edge(struct walk *w, uint64_t row, uint64_t kind, uint64_t label, uint64_t target)
{
	if (target == 0)
		return;
	uint64_t to = w->address[target - 1];
	const char *text;
	size_t size;
	/* Strings by their text's number, which is their id in the model. */
	if ((label & 3) == 0) {
		REQUIRE(snap_reader_string(w->reader, label >> 2, &text, &size, NULL) == SNAP_OK);
		label = SNAP_LABEL_STRING(model_string(text, size));
	}
	if ((label & 3) == 2)
		label = w->address[(label >> 2) - 1] * 4 + 2;
	w->edges[w->count++] = (struct edge){w->address[row], to, kind, label};
}

/* All references of a snapshot, by FORMAT.md 7.3. */
static size_t read_edges(struct snap_reader *reader, struct edge *edges)
{
	struct walk w = {.reader = reader, .edges = edges};
	uint64_t *address = load(reader, SNAP_OBJECT_ADDRESS),
		 *target = load(reader, SNAP_REFERENCE_TARGET);
	uint64_t *tail_kind = load(reader, SNAP_TAIL_LABEL_KIND),
		 *tail_label = load(reader, SNAP_TAIL_LABEL);
	uint64_t *shape = load(reader, SNAP_RUN_SHAPE), *rows = load(reader, SNAP_RUN_ROWS);
	uint64_t *slots = load(reader, SNAP_SHAPE_SLOT_COUNT),
		 *tail = load(reader, SNAP_SHAPE_TAIL);
	uint64_t *indexed_kind = load(reader, SNAP_SHAPE_TAIL_KIND),
		 *length = load(reader, SNAP_TAIL_LENGTH);
	uint64_t *slot_kind = load(reader, SNAP_SLOT_KIND),
		 *slot_label = load(reader, SNAP_SLOT_LABEL);
	uint64_t *first_slot =
		model_alloc(snap_reader_row_count(reader, SNAP_SHAPES) + 1, sizeof(*first_slot));
	for (uint64_t i = 0; i < snap_reader_row_count(reader, SNAP_SHAPES); i++)
		first_slot[i + 1] = first_slot[i] + slots[i];
	w.address = address;
	w.target = target;
	size_t row = 0, tail_at = 0;
	for (uint64_t run = 0; run < snap_reader_row_count(reader, SNAP_RUNS); run++) {
		uint64_t s = shape[run] - 1;
		for (uint64_t k = 0; k < slots[s]; k++)
			for (uint64_t i = 0; i < rows[run]; i++)
				add_edge(&w, row + i, slot_kind[first_slot[s] + k],
					 slot_label[first_slot[s] + k], target[w.target_at++]);
		for (uint64_t i = 0; tail[s] && i < rows[run]; i++) {
			uint64_t elements = length[tail_at++];
			for (uint64_t k = 0; k < elements; k++, w.label_at += tail[s] == 2)
				add_edge(&w, row + i,
					 tail[s] == 2 ? tail_kind[w.label_at] : indexed_kind[s],
					 tail[s] == 2 ? tail_label[w.label_at]
						      : SNAP_LABEL_INDEX(k),
					 target[w.target_at++]);
		}
		row += rows[run];
	}
	REQUIRE(w.target_at == snap_reader_row_count(reader, SNAP_REFERENCES));
	uint64_t *all[] = {address,   target,     tail_kind, tail_label,   shape,
			   rows,      slots,      tail,      indexed_kind, length,
			   slot_kind, slot_label, first_slot};
	for (size_t i = 0; i < sizeof(all) / sizeof(*all); i++)
		free(all[i]);
	return w.count;
}

static bool model_has(const struct model *m, uint64_t id)
{
	for (size_t i = 0; i < m->object_count; i++)
		if (m->objects[i].id == id && id)
			return true;
	return false;
}

/* Strings are known by number; that of a label is its id in the model. */
static bool same_edges(struct snap_reader *reader, const struct model *m)
{
	struct edge *got =
		model_alloc(snap_reader_row_count(reader, SNAP_REFERENCES), sizeof(*got));
	struct edge *wanted = model_alloc(m->reference_count, sizeof(*wanted));
	size_t got_count = read_edges(reader, got), wanted_count = 0;
	for (size_t i = 0; i < m->reference_count; i++) {
		const struct model_reference *r = &m->references[i];
		if (!model_has(m, r->to) || !model_has(m, r->from))
			continue;
		uint64_t label = r->label;
		if (r->key)
			label = model_has(m, r->key) ? r->key * 4 + 2 : SNAP_LABEL_NONE;
		wanted[wanted_count++] = (struct edge){r->from, r->to, r->kind, label};
	}
	qsort(got, got_count, sizeof(*got), compare_edges);
	qsort(wanted, wanted_count, sizeof(*wanted), compare_edges);
	bool same = got_count == wanted_count && memcmp(got, wanted, got_count * sizeof(*got)) == 0;
	free(got);
	free(wanted);
	return same;
}

struct flat {
	uint64_t id, size, type, stack, thread, name, content, generation, flags, domain, serial,
		time, refcount, count;
};

static int compare_flat(const void *a, const void *b)
{
	return memcmp(a, b, sizeof(struct flat));
}

/* Rows that differ in their count only become one. */
static size_t add_up(struct flat *rows, size_t count)
{
	size_t kept = 0;
	qsort(rows, count, sizeof(*rows), compare_flat);
	for (size_t i = 0; i < count; i++) {
		if (kept && memcmp(&rows[kept - 1], &rows[i], offsetof(struct flat, count)) == 0)
			rows[kept - 1].count += rows[i].count;
		else
			rows[kept++] = rows[i];
	}
	return kept;
}

static uint64_t string_number(struct snap_reader *reader, uint64_t id)
{
	const char *text;
	size_t size;
	if (id == 0)
		return 0;
	REQUIRE(snap_reader_string(reader, id, &text, &size, NULL) == SNAP_OK);
	return model_string(text, size);
}

static bool same_objects(struct snap_reader *reader, const struct model *m)
{
	uint64_t rows = snap_reader_row_count(reader, SNAP_OBJECTS);
	struct flat *got = model_alloc(rows, sizeof(*got)),
		    *wanted = model_alloc(m->object_count, sizeof(*wanted));
	static const uint32_t columns[] = {
		SNAP_OBJECT_ADDRESS,      SNAP_OBJECT_SIZE,       SNAP_OBJECT_STACK,
		SNAP_OBJECT_THREAD,       SNAP_OBJECT_NAME,       SNAP_OBJECT_CONTENT,
		SNAP_OBJECT_GENERATION,   SNAP_OBJECT_FLAGS,      SNAP_OBJECT_DOMAIN,
		SNAP_OBJECT_BIRTH_SERIAL, SNAP_OBJECT_BIRTH_TIME, SNAP_OBJECT_REFCOUNT,
		SNAP_OBJECT_COUNT,
	};
	uint64_t *values[13], *shape = load(reader, SNAP_RUN_SHAPE),
			      *run_rows = load(reader, SNAP_RUN_ROWS);
	uint64_t *type = load(reader, SNAP_SHAPE_TYPE);
	for (size_t i = 0; i < 13; i++)
		values[i] = load(reader, columns[i]);
	for (uint64_t run = 0, row = 0; run < snap_reader_row_count(reader, SNAP_RUNS); run++)
		for (uint64_t i = 0; i < run_rows[run]; i++, row++)
			got[row] = (struct flat){
				values[0][row],       values[1][row],
				type[shape[run] - 1], values[2][row],
				values[3][row],       string_number(reader, values[4][row]),
				values[5][row],       values[6][row],
				values[7][row],       values[8][row],
				values[9][row],       values[10][row],
				values[11][row],      values[12][row]};
	for (size_t i = 0; i < m->object_count; i++) {
		const struct snap_object *o = &m->objects[i];
		wanted[i] = (struct flat){o->id,       o->size,   o->type,         o->stack,
					  o->thread,   o->name,   o->content,      o->generation,
					  o->flags,    o->domain, o->birth_serial, o->birth_time_ns,
					  o->refcount, o->count};
	}
	size_t wanted_count = add_up(wanted, m->object_count);
	qsort(got, rows, sizeof(*got), compare_flat);
	bool same = wanted_count == rows && memcmp(got, wanted, rows * sizeof(*got)) == 0;
	for (size_t i = 0; i < 13; i++)
		free(values[i]);
	free(shape);
	free(run_rows);
	free(type);
	free(got);
	free(wanted);
	return same;
}

static uint64_t known_roots(const struct model *m)
{
	uint64_t count = 0;
	for (size_t i = 0; i < m->root_count; i++)
		count += model_has(m, m->roots[i].object);
	return count;
}

static void check_against_model(const struct model_bytes *b, const struct model *m)
{
	struct snap_reader *reader;
	struct snap_error error;
	const char *text;
	size_t size;
	REQUIRE(snap_reader_open_memory(&reader, b->bytes, b->size, NULL, &error) == SNAP_OK);
	enum snap_status verified = snap_reader_verify(reader, NULL, NULL, &error);
	if (verified != SNAP_OK)
		printf("# %s\n", error.message);
	REQUIRE(verified == SNAP_OK);
	REQUIRE(same_objects(reader, m));
	REQUIRE(same_edges(reader, m));
	REQUIRE(snap_reader_row_count(reader, SNAP_ROOTS) == known_roots(m));
	REQUIRE(snap_reader_property(reader, "program", &text, &size, NULL) == SNAP_OK);
	REQUIRE(size == 5 && memcmp(text, "model", 5) == 0);
	snap_reader_close(reader);
}

#endif
