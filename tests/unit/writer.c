/* The writer: what a reader finds is what was written, in whatever order and memory (snap.h,
 * writing). */
#include "writer_model.h"

#include "writer.h"

#include <sys/stat.h>
#include <unistd.h>

/* ---- what the reader finds, against the model ---- */

static uint64_t *load(struct snap_reader *reader, uint32_t column)
{
	uint64_t rows = snap_reader_row_count(reader, (enum snap_table)(column >> 16));
	uint64_t *values = model_alloc(rows, sizeof(*values));
	struct snap_column *c;
	REQUIRE(snap_column_open(&c, reader, column, NULL) == SNAP_OK);
	REQUIRE(snap_column_read(c, 0, rows, values, NULL) == SNAP_OK);
	snap_column_close(c);
	return values;
}

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
		wanted[i] = (struct flat){o->id,     o->size,   o->type,         o->stack,
					  o->thread, o->name,   o->content,      o->generation,
					  o->flags,  o->domain, o->birth_serial, o->birth_time_ns,
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

/* ---- writing ---- */

/* forced_memory is less than a caller may give, so that little data spills too. */
static struct snap_writer *
open_bytes(struct model_bytes *b, const struct snap_writer_options *options, uint64_t forced_memory)
{
	const struct snap_sink sink = {b, model_take};
	struct snap_writer *w;
	b->size = 0;
	REQUIRE(snap_writer_open_sink(&w, &sink, options, NULL) == SNAP_OK);
	if (forced_memory)
		w->max_memory_bytes = forced_memory;
	return w;
}

static void write_model(struct model_bytes *b, const struct model *m, uint64_t shuffle,
			uint64_t memory)
{
	struct snap_writer *w = open_bytes(b, NULL, memory);
	struct snap_error error;
	enum snap_status status =
		shuffle ? model_add_shuffled(w, m, shuffle, &error) : model_add(w, m, &error);
	if (status == SNAP_OK)
		status = snap_writer_finish(w, NULL, &error);
	if (status != SNAP_OK)
		printf("# %s\n", error.message);
	REQUIRE(status == SNAP_OK);
}

static bool same_bytes(const struct model_bytes *a, const struct model_bytes *b)
{
	return a->size == b->size && memcmp(a->bytes, b->bytes, a->size) == 0;
}

static void test_orders_and_memory(void)
{
	struct model_bytes plain = {0}, other = {0};
	for (uint64_t seed = 1; seed <= 60; seed++) {
		struct model m;
		model_make(&m, 3 + seed * seed % 900, seed);
		write_model(&plain, &m, 0, 0);
		check_against_model(&plain, &m);
		write_model(&other, &m, 0, 0);
		REQUIRE(same_bytes(&plain, &other));
		write_model(&other, &m, 0, 16384);
		REQUIRE(same_bytes(&plain, &other));
		for (uint64_t shuffle = 1; shuffle <= 3; shuffle++) {
			write_model(&other, &m, seed * 10 + shuffle,
				    shuffle == 1 ? 0 : 8192 * shuffle);
			REQUIRE(same_bytes(&plain, &other));
		}
		model_free(&m);
	}
	CHECK_NAMED(true,
		    "random heaps come back whole, with the same bytes for any order and memory");
	free(plain.bytes);
	free(other.bytes);
}

/* More than 128 runs, which are then merged into one. */
static void test_many_runs(void)
{
	struct model_bytes plain = {0}, other = {0};
	struct model m;
	model_make(&m, 6000, 99);
	write_model(&plain, &m, 0, 0);
	write_model(&other, &m, 5, 2048);
	CHECK_NAMED(same_bytes(&plain, &other), "hundreds of spilled runs give the same bytes");
	model_free(&m);
	free(plain.bytes);
	free(other.bytes);
}

static void put_object(struct snap_writer *w, uint64_t id, uint32_t type)
{
	const struct snap_object o = {.id = id, .size = 8, .count = 1, .type = type};
	REQUIRE(snap_writer_object(w, &o, NULL) == SNAP_OK);
}

/* A dictionary with more names than a shape should have, and many objects that are alike to nobody.
 */
static void test_wide_objects(void)
{
	struct model_bytes b = {0};
	struct snap_writer *w = open_bytes(&b, NULL, 0);
	struct snap_writer_summary summary;
	char text[32];
	uint32_t name;
	put_object(w, 1, 0);
	for (unsigned i = 0; i < 20000; i++) {
		int size = snprintf(text, sizeof text, "string %u", i);
		REQUIRE(snap_writer_string(w, text, (size_t)size, &name, NULL) == SNAP_OK);
		REQUIRE(snap_writer_reference(w, 1, 1, SNAP_REF_FIELD, SNAP_LABEL_STRING(name),
					      NULL) == SNAP_OK);
	}
	for (uint32_t i = 0; i < 1000; i++) {
		put_object(w, 2 + i, 0);
		for (uint32_t k = 0; k < 10; k++)
			REQUIRE(snap_writer_reference(
					w, 2 + i, 1, SNAP_REF_FIELD,
					SNAP_LABEL_STRING(1 + (i * 17 + k * 3) % 20000),
					NULL) == SNAP_OK);
	}
	CHECK(snap_writer_finish(w, &summary, NULL) == SNAP_OK);
	CHECK(summary.references == 30000 && summary.object_rows == 1001);
	struct snap_reader *reader;
	REQUIRE(snap_reader_open_memory(&reader, b.bytes, b.size, NULL, NULL) == SNAP_OK);
	CHECK(snap_reader_verify(reader, NULL, NULL, NULL) == SNAP_OK);
	CHECK_NAMED(snap_reader_row_count(reader, SNAP_SHAPES) == 1,
		    "shapes of one object each become one labelled shape");
	snap_reader_close(reader);
	free(b.bytes);
}

/* ---- mistakes of the caller ---- */

static void test_duplicates(void)
{
	struct model_bytes b = {0};
	for (unsigned loose = 0; loose < 2; loose++) {
		for (uint64_t memory = 0; memory <= 256; memory += 256) {
			struct snap_writer *w = open_bytes(&b, NULL, memory);
			struct snap_error error = {0};
			for (uint64_t i = 1; i < 50; i++)
				put_object(w, i, 0);
			if (loose)
				REQUIRE(snap_writer_reference(w, 3, 4, SNAP_REF_FIELD,
							      SNAP_LABEL_NONE, NULL) == SNAP_OK);
			put_object(w, 21, 0);
			REQUIRE(snap_writer_finish(w, NULL, &error) == SNAP_MISUSE);
			REQUIRE(strstr(error.message, "id 21 ") != NULL && b.size == 0);
		}
	}
	CHECK_NAMED(true, "an id given twice is named, in memory and spilled");
	free(b.bytes);
}

static void test_misuse(void)
{
	struct model_bytes b = {0};
	struct snap_writer *w = open_bytes(&b, NULL, 0);
	struct snap_error e;
	uint32_t id;
	struct snap_object o = {.id = 1, .count = 1};
	CHECK(snap_writer_object(w, &o, &e) == SNAP_OK);
	o = (struct snap_object){.id = 0, .count = 0};
	CHECK(snap_writer_object(w, &o, &e) == SNAP_MISUSE && e.status == SNAP_MISUSE &&
	      e.message[0]);
	o = (struct snap_object){.id = 2, .count = 2};
	CHECK(snap_writer_object(w, &o, &e) == SNAP_MISUSE);
	o = (struct snap_object){.id = 2, .count = 1, .type = 1};
	CHECK(snap_writer_object(w, &o, &e) == SNAP_MISUSE);
	o = (struct snap_object){.id = 2, .count = 1, .content = 9};
	CHECK(snap_writer_object(w, &o, &e) == SNAP_MISUSE);
	CHECK(snap_writer_reference(w, 1, 1, SNAP_REF_FIELD, SNAP_LABEL_OBJECT(1), &e) ==
	      SNAP_MISUSE);
	CHECK(snap_writer_reference(w, 1, 1, SNAP_REF_FIELD, SNAP_LABEL_STRING(0), &e) ==
	      SNAP_MISUSE);
	CHECK(snap_writer_reference(w, 1, 1, SNAP_REF_FIELD, SNAP_LABEL_STRING(1), &e) ==
	      SNAP_MISUSE);
	CHECK(snap_writer_reference(w, 1, 1, SNAP_REF_FIELD, SNAP_LABEL_NONE + 4, &e) ==
	      SNAP_MISUSE);
	CHECK(snap_writer_reference(w, 0, 1, SNAP_REF_FIELD, SNAP_LABEL_NONE, &e) == SNAP_MISUSE);
	CHECK(snap_writer_reference(w, 1, 1, (enum snap_reference_kind)32, SNAP_LABEL_NONE, &e) ==
	      SNAP_MISUSE);
	CHECK(snap_writer_keyed_reference(w, 1, 1, SNAP_REF_VALUE, 0, &e) == SNAP_MISUSE);
	CHECK(snap_writer_type(w, 1, SNAP_TYPE_OBJECT, &id, &e) == SNAP_MISUSE);
	CHECK(snap_writer_stack(w, 0, 0, 0, &id, &e) == SNAP_MISUSE);
	CHECK(snap_writer_stack(w, 1, 1, 0, &id, &e) == SNAP_MISUSE);
	CHECK(snap_writer_total(w, SNAP_BY_ALL, 0, 1, 1, &e) == SNAP_MISUSE);
	struct snap_root root = {.object = 1, .stack = 1};
	CHECK(snap_writer_root(w, &root, &e) == SNAP_MISUSE);
	/* None of it matters afterwards. */
	struct snap_writer_summary summary;
	CHECK(snap_writer_finish(w, &summary, &e) == SNAP_OK);
	CHECK(summary.object_rows == 1 && summary.references == 0);
	struct snap_writer_options options = SNAP_WRITER_OPTIONS_INIT;
	options.level = 20;
	const struct snap_sink sink = {&b, model_take};
	CHECK(snap_writer_open_sink(&w, &sink, &options, &e) == SNAP_MISUSE);
	options.level = 0;
	options.flags = SNAP_SNAPSHOT_SAMPLED;
	CHECK(snap_writer_open_sink(&w, &sink, &options, &e) == SNAP_MISUSE);
	options.flags = 1u << 7;
	CHECK(snap_writer_open_sink(&w, &sink, &options, &e) == SNAP_MISUSE);
	free(b.bytes);
}

static void test_sums_over_the_limit(void)
{
	struct model_bytes b = {0};
	struct snap_writer *w = open_bytes(&b, NULL, 0);
	struct snap_error e;
	struct snap_object o = {.size = UINT64_MAX, .count = 1};
	CHECK(snap_writer_object(w, &o, &e) == SNAP_OK);
	CHECK(snap_writer_object(w, &o, &e) == SNAP_LIMIT);
	CHECK_NAMED(snap_writer_property(w, "a", "b", &e) == SNAP_LIMIT,
		    "what failed once fails for ever");
	CHECK(snap_writer_finish(w, NULL, &e) == SNAP_LIMIT && b.size == 0);
	free(b.bytes);
}

static void test_unknown(void)
{
	struct model_bytes b = {0};
	struct snap_writer *w = open_bytes(&b, NULL, 0);
	struct snap_writer_summary summary;
	put_object(w, 1, 0);
	REQUIRE(snap_writer_reference(w, 1, 2, SNAP_REF_FIELD, SNAP_LABEL_NONE, NULL) == SNAP_OK);
	REQUIRE(snap_writer_reference(w, 1, 0, SNAP_REF_FIELD, SNAP_LABEL_NONE, NULL) == SNAP_OK);
	REQUIRE(snap_writer_reference(w, 1, 1, SNAP_REF_FIELD, SNAP_LABEL_NONE, NULL) == SNAP_OK);
	REQUIRE(snap_writer_reference(w, 7, 1, SNAP_REF_FIELD, SNAP_LABEL_NONE, NULL) == SNAP_OK);
	struct snap_root root = {.object = 5};
	REQUIRE(snap_writer_root(w, &root, NULL) == SNAP_OK);
	CHECK(snap_writer_finish(w, &summary, NULL) == SNAP_OK);
	CHECK(summary.references == 1 && summary.unknown_references == 2 &&
	      summary.unknown_roots == 1);
	struct snap_reader *reader;
	struct snap_reader_info info;
	REQUIRE(snap_reader_open_memory(&reader, b.bytes, b.size, NULL, NULL) == SNAP_OK);
	snap_reader_info(reader, &info);
	CHECK(info.unknown_references == 2 && info.identity == summary.identity &&
	      info.size == summary.bytes_written);
	snap_reader_close(reader);
	free(b.bytes);
}

/* ---- sums only ---- */

static void test_totals_only(void)
{
	struct model_bytes whole = {0}, sums = {0};
	struct model m;
	model_make(&m, 500, 4);
	struct snap_writer *with = open_bytes(&whole, NULL, 0);
	with->few_objects = 0;
	REQUIRE(model_add(with, &m, NULL) == SNAP_OK && snap_writer_finish(with, NULL, NULL) == SNAP_OK);
	struct snap_writer_options options = SNAP_WRITER_OPTIONS_INIT;
	options.totals_only = true;
	struct snap_writer *w = open_bytes(&sums, &options, 0);
	REQUIRE(model_add(w, &m, NULL) == SNAP_OK);
	CHECK(snap_writer_finish(w, NULL, NULL) == SNAP_OK);
	struct snap_reader *a, *b;
	REQUIRE(snap_reader_open_memory(&a, whole.bytes, whole.size, NULL, NULL) == SNAP_OK);
	REQUIRE(snap_reader_open_memory(&b, sums.bytes, sums.size, NULL, NULL) == SNAP_OK);
	struct snap_error error;
	enum snap_status verified = snap_reader_verify(b, NULL, NULL, &error);
	CHECK(verified == SNAP_OK);
	CHECK(snap_reader_row_count(b, SNAP_OBJECTS) == 0 &&
	      snap_reader_row_count(b, SNAP_SHAPES) == 0);
	uint64_t *of_a = load(a, SNAP_TOTAL_BYTES), *of_b = load(b, SNAP_TOTAL_BYTES);
	CHECK(of_a[0] == of_b[0] && of_a[0] > 0);
	CHECK(snap_reader_row_count(b, SNAP_STRINGS) < snap_reader_row_count(a, SNAP_STRINGS));
	free(of_a);
	free(of_b);
	snap_reader_close(a);
	snap_reader_close(b);
	model_free(&m);
	free(whole.bytes);
	free(sums.bytes);
}

/* Names that no sum needs are dropped, and keys follow their rows. */
static void test_given_totals(void)
{
	struct model_bytes b = {0};
	struct snap_writer_options options = SNAP_WRITER_OPTIONS_INIT;
	options.totals_only = true;
	struct snap_writer *w = open_bytes(&b, &options, 0);
	REQUIRE(model_names(w, NULL) == SNAP_OK);
	CHECK(snap_writer_total(w, SNAP_BY_ALL, 0, 100, 4, NULL) == SNAP_OK);
	CHECK(snap_writer_total(w, SNAP_BY_TYPE, 5, 60, 3, NULL) == SNAP_OK);
	CHECK(snap_writer_total(w, SNAP_BY_TYPE, 0, 40, 1, NULL) == SNAP_OK);
	CHECK(snap_writer_total(w, SNAP_BY_STACK, 3, 100, 4, NULL) == SNAP_OK);
	CHECK(snap_writer_total(w, SNAP_BY_DOMAIN, 77, 100, 4, NULL) == SNAP_OK);
	CHECK(snap_writer_total(w, SNAP_BY_TYPE, 7, 1, 1, NULL) == SNAP_MISUSE);
	CHECK(snap_writer_total(w, SNAP_BY_SHAPE, 1, 1, 1, NULL) == SNAP_MISUSE);
	CHECK(snap_writer_finish(w, NULL, NULL) == SNAP_OK);
	struct snap_reader *reader;
	REQUIRE(snap_reader_open_memory(&reader, b.bytes, b.size, NULL, NULL) == SNAP_OK);
	CHECK(snap_reader_verify(reader, NULL, NULL, NULL) == SNAP_OK);
	CHECK(snap_reader_row_count(reader, SNAP_TYPES) == 1 &&
	      snap_reader_row_count(reader, SNAP_STACKS) == 3);
	CHECK(snap_reader_row_count(reader, SNAP_TOTALS) == 5);
	uint64_t *keys = load(reader, SNAP_TOTAL_KEY);
	CHECK(keys[0] == 0 && keys[1] == 0 && keys[2] == 1 && keys[3] == 3 && keys[4] == 77);
	free(keys);
	snap_reader_close(reader);
	w = open_bytes(&b, &options, 0);
	struct snap_error error;
	REQUIRE(snap_writer_total(w, SNAP_BY_ALL, 0, 100, 4, NULL) == SNAP_OK);
	REQUIRE(snap_writer_total(w, SNAP_BY_SIZE, 5, 99, 4, NULL) == SNAP_OK);
	CHECK(snap_writer_finish(w, NULL, &error) == SNAP_MISUSE &&
	      strstr(error.message, "totals by size"));
	free(b.bytes);
}

/* ---- an empty one, and a large one ---- */

static void test_empty(void)
{
	struct model_bytes b = {0};
	struct snap_writer *w = open_bytes(&b, NULL, 0);
	CHECK(snap_writer_finish(w, NULL, NULL) == SNAP_OK);
	struct snap_reader *reader;
	REQUIRE(snap_reader_open_memory(&reader, b.bytes, b.size, NULL, NULL) == SNAP_OK);
	struct snap_error error = {0};
	CHECK(snap_reader_verify(reader, NULL, NULL, &error) == SNAP_OK);
	snap_reader_close(reader);
	free(b.bytes);
	CHECK(snap_writer_finish(NULL, NULL, NULL) == SNAP_OK);
	snap_writer_abort(NULL);
}

/* Several blocks of every column, and defaults before anything else. */
static void test_many_rows(void)
{
	struct model_bytes b = {0};
	struct snap_writer *w = open_bytes(&b, NULL, 0);
	const uint64_t count = 200000;
	for (uint64_t i = 1; i <= count; i++) {
		struct snap_object o = {
			.id = i * 8, .size = 32, .count = 1, .flags = i > 150000 ? 1 : 0};
		REQUIRE(snap_writer_object(w, &o, NULL) == SNAP_OK);
		REQUIRE(snap_writer_reference(w, i * 8, (count + 1 - i) * 8, SNAP_REF_FIELD,
					      SNAP_LABEL_NONE, NULL) == SNAP_OK);
	}
	REQUIRE(snap_writer_finish(w, NULL, NULL) == SNAP_OK);
	struct snap_reader *reader;
	struct snap_error error;
	REQUIRE(snap_reader_open_memory(&reader, b.bytes, b.size, NULL, &error) == SNAP_OK);
	CHECK(snap_reader_verify(reader, NULL, NULL, &error) == SNAP_OK);
	uint64_t *flags = load(reader, SNAP_OBJECT_FLAGS),
		 *target = load(reader, SNAP_REFERENCE_TARGET);
	CHECK(flags[149999] == 0 && flags[150000] == 1 && target[0] == count &&
	      target[count - 1] == 1);
	CHECK_NAMED(b.size < 20000, "what goes by steps takes next to nothing");
	free(flags);
	free(target);
	snap_reader_close(reader);
	free(b.bytes);
}

/* A program that tells of each block: what is kept grows with what differs, not with the blocks. */
static void test_many_blocks(void)
{
	struct model_bytes b = {0};
	struct snap_writer *w = open_bytes(&b, NULL, 0);
	struct snap_writer_summary summary;
	for (uint64_t i = 0; i < 100000; i++) {
		struct snap_object o = {.size = i % 10 * 8, .count = 1 + i % 2};
		REQUIRE(snap_writer_object(w, &o, NULL) == SNAP_OK);
	}
	CHECK(w->anonymous.record_count < 100);
	CHECK(snap_writer_finish(w, &summary, NULL) == SNAP_OK && summary.object_rows == 10);
	struct snap_reader *reader;
	REQUIRE(snap_reader_open_memory(&reader, b.bytes, b.size, NULL, NULL) == SNAP_OK);
	CHECK(snap_reader_verify(reader, NULL, NULL, NULL) == SNAP_OK);
	uint64_t *counts = load(reader, SNAP_OBJECT_COUNT);
	CHECK(counts[0] == 10000 && counts[1] == 20000 && counts[9] == 20000);
	free(counts);
	snap_reader_close(reader);
	free(b.bytes);
}

/* ---- files ---- */

static uint64_t file_size(const char *path)
{
	struct stat about;
	return stat(path, &about) == 0 ? (uint64_t)about.st_size : UINT64_MAX;
}

static unsigned files_in(const char *folder)
{
	char command[300];
	unsigned count = 0;
	snprintf(command, sizeof command, "ls -A '%s' | wc -l", folder);
	FILE *pipe = popen(command, "r");
	REQUIRE(pipe && fscanf(pipe, "%u", &count) == 1);
	pclose(pipe);
	return count;
}

static void write_file(const char *path, bool append, uint64_t id)
{
	struct snap_writer_options options = SNAP_WRITER_OPTIONS_INIT;
	options.append = append;
	struct snap_writer *w;
	REQUIRE(snap_writer_open(&w, path, &options, NULL) == SNAP_OK);
	put_object(w, id, 0);
	REQUIRE(snap_writer_finish(w, NULL, NULL) == SNAP_OK);
}

static void test_files(void)
{
	char folder[] = "/tmp/snap-writer-XXXXXX", path[64];
	REQUIRE(mkdtemp(folder) != NULL);
	snprintf(path, sizeof path, "%s/a.snap", folder);
	struct snap_writer *w;
	REQUIRE(snap_writer_open(&w, path, NULL, NULL) == SNAP_OK);
	put_object(w, 1, 0);
	snap_writer_abort(w);
	CHECK_NAMED(files_in(folder) == 0, "abort leaves nothing");
	write_file(path, true, 1);
	uint64_t one = file_size(path);
	write_file(path, true, 2);
	CHECK(files_in(folder) == 1 && file_size(path) > one);
	struct snap_reader *reader;
	struct snap_reader_info info;
	REQUIRE(snap_reader_open(&reader, path, NULL, NULL) == SNAP_OK);
	snap_reader_info(reader, &info);
	CHECK(info.member == 2 && info.member_count == 2 && info.offset == one);
	snap_reader_close(reader);
	write_file(path, false, 3);
	CHECK_NAMED(files_in(folder) == 1 && file_size(path) == one,
		    "a new file replaces the old one");
	struct snap_error error;
	REQUIRE(snap_writer_open(&w, path, NULL, NULL) == SNAP_OK);
	put_object(w, 1, 0);
	put_object(w, 1, 0);
	CHECK(snap_writer_finish(w, NULL, &error) == SNAP_MISUSE);
	CHECK_NAMED(files_in(folder) == 1 && file_size(path) == one,
		    "a failed one leaves the old one");
	struct snap_writer_options options = SNAP_WRITER_OPTIONS_INIT;
	options.append = true;
	REQUIRE(truncate(path, (off_t)one - 1) == 0);
	REQUIRE(snap_writer_open(&w, path, &options, NULL) == SNAP_OK);
	CHECK(snap_writer_finish(w, NULL, &error) == SNAP_CORRUPT);
	CHECK_NAMED(file_size(path) == one - 1, "nothing is appended to what is not whole");
	CHECK(snap_writer_open(&w, "/nonexistent/a.snap", NULL, &error) == SNAP_IO &&
	      error.os_errno != 0);
	REQUIRE(unlink(path) == 0 && rmdir(folder) == 0);
	REQUIRE(snap_writer_open(&w, "/dev/null", NULL, NULL) == SNAP_OK);
	REQUIRE(snap_writer_finish(w, NULL, NULL) == SNAP_OK);
	struct stat about;
	CHECK_NAMED(stat("/dev/null", &about) == 0 && S_ISCHR(about.st_mode),
		    "a device is not replaced");
}

/* ---- objects of one make ---- */

#define MAKES 3u

struct makes {
	uint32_t types[MAKES], layouts[MAKES];
	struct snap_slot slots[MAKES][80];
	size_t slot_count[MAKES];
};

static void begin_makes(struct snap_writer *w, struct makes *makes)
{
	static const size_t slot_counts[MAKES] = {0, 3, 70}; /* none, some, more than a shape has */
	for (uint32_t i = 0; i < MAKES; i++) {
		char name[16];
		uint32_t string;
		makes->slot_count[i] = slot_counts[i];
		for (size_t slot = 0; slot < slot_counts[i]; slot++) {
			int size = snprintf(name, sizeof(name), "field %zu", slot);
			REQUIRE(snap_writer_string(w, name, (size_t)size, &string, NULL) == SNAP_OK);
			makes->slots[i][slot] = (struct snap_slot){
				slot ? SNAP_REF_FIELD : SNAP_REF_CLASS,
				slot ? SNAP_LABEL_STRING(string) : SNAP_LABEL_NONE};
		}
		int size = snprintf(name, sizeof(name), "type %u", i);
		REQUIRE(snap_writer_string(w, name, (size_t)size, &string, NULL) == SNAP_OK);
		REQUIRE(snap_writer_type(w, string, SNAP_TYPE_OBJECT, &makes->types[i], NULL) == SNAP_OK);
		REQUIRE(snap_writer_layout(w, makes->types[i], makes->slots[i], slot_counts[i],
					   &makes->layouts[i], NULL) == SNAP_OK);
	}
}

/* One by one, what snap_writer_object_of() does at once. */
static void add_apart(struct snap_writer *w, const struct makes *makes, uint32_t make,
		      const struct snap_object *o, const uint64_t *targets, size_t count)
{
	REQUIRE(snap_writer_object(w, o, NULL) == SNAP_OK);
	for (size_t i = 0; i < count; i++) {
		struct snap_slot slot = {SNAP_REF_ELEMENT, SNAP_LABEL_INDEX(i - makes->slot_count[make])};
		if (i < makes->slot_count[make])
			slot = makes->slots[make][i];
		REQUIRE(snap_writer_reference(w, o->id, targets[i], slot.kind, slot.label, NULL) == SNAP_OK);
	}
}

/* Most first slots have the same target; with spread 1, others are just before their object. */
static void write_makes(struct model_bytes *b, bool apart, bool loose, uint64_t spread, uint64_t memory)
{
	struct snap_writer *w = open_bytes(b, NULL, memory);
	struct makes makes;
	uint64_t targets[100], random = 88172645463325252u;
	begin_makes(w, &makes);
	for (uint64_t i = 0; i < 5000; i++) {
		uint32_t make = (uint32_t)model_random(&random, MAKES);
		size_t count = makes.slot_count[make] + model_random(&random, 3) * model_random(&random, 10);
		for (size_t k = 0; k < count; k++)
			targets[k] = model_random(&random, 6000) * spread;
		struct snap_object o = {.id = (i * 7919 % 5000 + 1) * spread, .size = 8 * count, .count = 1,
					.type = makes.types[make], .domain = count % 2};
		if (model_random(&random, 4) > 0)
			targets[0] = 77 * spread;
		else if (model_random(&random, 2) > 0)
			targets[0] = o.id - spread;
		if (loose && i % 100 == 50)
			REQUIRE(snap_writer_reference(w, (i * 7919 % 4000 + 1) * spread, spread,
						      SNAP_REF_HIDDEN, SNAP_LABEL_NONE, NULL) == SNAP_OK);
		if (apart)
			add_apart(w, &makes, make, &o, targets, count);
		else
			REQUIRE(snap_writer_object_of(w, makes.layouts[make], &o, targets, count, NULL) == SNAP_OK);
	}
	REQUIRE(snap_writer_finish(w, NULL, NULL) == SNAP_OK);
}

static void test_makes(void)
{
	struct model_bytes apart = {0}, whole = {0};
	for (unsigned i = 0; i < 4; i++) {
		const bool loose = i % 2;
		const uint64_t spread = i / 2 ? 1 : 16;
		write_makes(&apart, true, loose, spread, 0);
		write_makes(&whole, false, loose, spread, 0);
		CHECK(same_bytes(&apart, &whole));
		write_makes(&whole, false, loose, spread, 16384);
		CHECK(same_bytes(&apart, &whole));
	}
	free(apart.bytes);
	free(whole.bytes);
}

static void test_wrong_makes(void)
{
	struct model_bytes b = {0};
	struct snap_writer *w = open_bytes(&b, NULL, 0);
	struct makes makes;
	const uint64_t targets[4] = {0};
	uint32_t id;
	begin_makes(w, &makes);
	struct snap_object o = {.id = 16, .count = 1, .type = makes.types[1]};
	CHECK(snap_writer_object_of(w, 0, &o, targets, 3, NULL) == SNAP_MISUSE);
	CHECK(snap_writer_object_of(w, MAKES + 1, &o, targets, 3, NULL) == SNAP_MISUSE);
	CHECK(snap_writer_object_of(w, makes.layouts[1], &o, targets, 2, NULL) == SNAP_MISUSE);
	CHECK(snap_writer_object_of(w, makes.layouts[0], &o, targets, 0, NULL) == SNAP_MISUSE);
	o.id = 0;
	CHECK(snap_writer_object_of(w, makes.layouts[1], &o, targets, 3, NULL) == SNAP_MISUSE);
	const struct snap_slot wrong[] = {{SNAP_REF_FIELD, SNAP_LABEL_INDEX(1)},
					  {SNAP_REF_FIELD, SNAP_LABEL_STRING(999)},
					  {SNAP_REF_FIELD, SNAP_LABEL_STRING(0)},
					  {(enum snap_reference_kind)32, SNAP_LABEL_NONE}};
	for (size_t i = 0; i < sizeof(wrong) / sizeof(*wrong); i++)
		CHECK(snap_writer_layout(w, makes.types[0], &wrong[i], 1, &id, NULL) == SNAP_MISUSE);
	CHECK(snap_writer_layout(w, 999, NULL, 0, &id, NULL) == SNAP_MISUSE);
	snap_writer_abort(w);
	free(b.bytes);
}

/* ---- contents ---- */

static void test_contents(void)
{
	const uint64_t lengths[] = {5, 6, 5, 5}, hashes[] = {70, 70, 70, 71};
	for (int numbered = 0; numbered < 2; numbered++) {
		struct snap_writer_options options = SNAP_WRITER_OPTIONS_INIT;
		options.number_contents = numbered;
		struct model_bytes b = {0};
		struct snap_writer *w = open_bytes(&b, &options, 0);
		uint32_t ids[4], one, text, string;
		REQUIRE(snap_writer_contents(w, lengths, hashes, 4, ids, NULL) == SNAP_OK);
		CHECK(ids[0] == 1 && ids[1] == 2 && ids[2] == 1 && ids[3] == 3);
		REQUIRE(snap_writer_content(w, 6, 70, 0, &one, NULL) == SNAP_OK);
		CHECK(one == ids[1]);
		REQUIRE(snap_writer_string(w, "eggs", 4, &string, NULL) == SNAP_OK);
		REQUIRE(snap_writer_content(w, 4, 0, string, &text, NULL) == SNAP_OK);
		REQUIRE(snap_writer_finish(w, NULL, NULL) == SNAP_OK);
		struct snap_reader *reader;
		REQUIRE(snap_reader_open_memory(&reader, b.bytes, b.size, NULL, NULL) == SNAP_OK);
		REQUIRE(snap_reader_row_count(reader, SNAP_CONTENTS) == 4 && text == 4);
		uint64_t *written = load(reader, SNAP_CONTENT_HASH);
		for (uint64_t i = 0; i < 3; i++)
			CHECK(written[i] == (numbered ? i + 1 : i / 2 + 70));
		CHECK(written[3] == 0);
		free(written);
		snap_reader_close(reader);
		free(b.bytes);
	}
}

int main(void)
{
	test_orders_and_memory();
	test_many_runs();
	test_wide_objects();
	test_duplicates();
	test_misuse();
	test_sums_over_the_limit();
	test_unknown();
	test_totals_only();
	test_given_totals();
	test_empty();
	test_many_rows();
	test_many_blocks();
	test_files();
	test_makes();
	test_wrong_makes();
	test_contents();
	return DONE();
}
