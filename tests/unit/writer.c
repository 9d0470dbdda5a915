/* The writer: what a reader finds is what was written, in whatever order and memory (snap.h,
 * writing). */
#include "faults.h"
#include "writer_check.h"

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

/* So many objects, by ids that lie close together and come
 * in no order; returns the most that was in memory. */
static uint64_t write_strewn(struct model_bytes *b, uint64_t count, uint64_t memory)
{
	struct faults faults = {.memory_fail_at = UINT64_MAX, .io_fail_at = UINT64_MAX};
	struct snap_allocator allocator = faulty_memory(&faults);
	struct snap_writer_options options = SNAP_WRITER_OPTIONS_INIT;
	options.allocator = &allocator;
	struct snap_writer *w = open_bytes(b, &options, memory);
	for (uint64_t i = 0; i < count; i++) {
		struct snap_object o = {.id = 8 + 8 * (i * 7919 % count), .size = 16, .count = 1};
		REQUIRE(snap_writer_object(w, &o, NULL) == SNAP_OK);
	}
	REQUIRE(snap_writer_finish(w, NULL, NULL) == SNAP_OK);
	REQUIRE(faults.live == 0);
	return faults.peak;
}

static void test_memory_for_ids(void)
{
	struct model_bytes plain = {0}, other = {0};
	const uint64_t count = 1000003, mib = 1 << 20;
	write_strewn(&plain, count, 0);
	for (uint64_t memory = 4 * mib; memory <= 16 * mib; memory *= 2) {
		uint64_t peak = write_strewn(&other, count, memory);
		CHECK_NAMED(same_bytes(&plain, &other) && peak < memory + 8 * mib,
			    "ids in no order take little more than the memory that is allowed");
	}
	free(plain.bytes);
	free(other.bytes);
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

static void misuse_rest(struct snap_writer *w)
{
	struct snap_error e;
	uint32_t id;
	const struct snap_root wrong[] = {{.object = 0},
					  {.object = 1, .label = 1},
					  {.object = 1, .thread = 1},
					  {.object = 1, .stack = 1}};
	for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++)
		CHECK(snap_writer_root(w, &wrong[i], &e) == SNAP_MISUSE && e.message[0]);
	const struct snap_mapping nameless = {.address = 4096, .size = 4096, .name = 1};
	CHECK(snap_writer_mapping(w, &nameless, &e) == SNAP_MISUSE && e.message[0]);
	CHECK(snap_writer_string(w, NULL, 1, &id, &e) == SNAP_MISUSE && e.message[0]);
	CHECK(snap_writer_property(w, NULL, "value", &e) == SNAP_MISUSE && e.message[0]);
	CHECK(snap_writer_property(w, "key", NULL, &e) == SNAP_MISUSE);
	CHECK(snap_writer_unknown_references(w, UINT64_MAX / 2, &e) == SNAP_OK);
	CHECK(snap_writer_unknown_references(w, 1, &e) == SNAP_MISUSE && e.message[0]);
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
	misuse_rest(w);
	/* None of it matters afterwards. */
	struct snap_writer_summary summary;
	CHECK(snap_writer_finish(w, &summary, &e) == SNAP_OK);
	CHECK(summary.object_rows == 1 && summary.references == 0 &&
	      summary.unknown_references == UINT64_MAX / 2);
	free(b.bytes);
}

static void test_wrong_options(void)
{
	struct model_bytes b = {0};
	struct snap_writer *w;
	struct snap_error e;
	struct snap_writer_options options = SNAP_WRITER_OPTIONS_INIT;
	const struct snap_sink sink = {&b, model_take}, none = {0};
	CHECK(snap_writer_open(&w, "", NULL, &e) == SNAP_MISUSE && e.message[0]);
	CHECK(snap_writer_open_sink(&w, &none, NULL, &e) == SNAP_MISUSE && e.message[0]);
	options.level = 20;
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
	REQUIRE(model_add(with, &m, NULL) == SNAP_OK &&
		snap_writer_finish(with, NULL, NULL) == SNAP_OK);
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
	CHECK(snap_writer_total(w, (enum snap_dimension)99, 0, 1, 1, NULL) == SNAP_MISUSE);
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

/* So far apart that no two share a place, and too many places to keep. */
static void test_far_apart(void)
{
	const uint64_t count = 66000, apart = UINT64_C(1) << 40;
	struct model_bytes b = {0};
	struct snap_writer *w = open_bytes(&b, NULL, 0);
	struct snap_writer_summary summary;
	for (uint64_t i = 1; i <= count; i++) {
		put_object(w, i * apart, 0);
		REQUIRE(snap_writer_reference(w, i * apart, (count + 1 - i) * apart, SNAP_REF_FIELD,
					      SNAP_LABEL_NONE, NULL) == SNAP_OK);
	}
	CHECK(w->places.too_many);
	CHECK(snap_writer_finish(w, &summary, NULL) == SNAP_OK && summary.unknown_references == 0);
	struct snap_reader *reader;
	REQUIRE(snap_reader_open_memory(&reader, b.bytes, b.size, NULL, NULL) == SNAP_OK);
	uint64_t *target = load(reader, SNAP_REFERENCE_TARGET), wrong = 0;
	for (uint64_t i = 0; i < count; i++)
		wrong += target[i] != count - i;
	CHECK(wrong == 0);
	free(target);
	snap_reader_close(reader);
	free(b.bytes);
}

/* An object's record is longer than what is read or written of a temporary file at once. */
static void write_long(struct model_bytes *b, uint64_t memory)
{
	struct snap_writer *w = open_bytes(b, NULL, memory);
	for (uint64_t id = 300; id > 0; id--) {
		uint64_t length = id % 100 == 50 ? 300000 : 3;
		put_object(w, id, 0);
		for (uint64_t i = 0; i < length; i++)
			REQUIRE(snap_writer_reference(w, id, (id * 7919 + i * i) % 300 + 1,
						      SNAP_REF_ELEMENT, SNAP_LABEL_INDEX(i),
						      NULL) == SNAP_OK);
	}
	REQUIRE(snap_writer_finish(w, NULL, NULL) == SNAP_OK);
}

static void test_long_records(void)
{
	struct model_bytes in_memory = {0}, spilled = {0};
	write_long(&in_memory, 0);
	write_long(&spilled, 65536);
	CHECK(same_bytes(&in_memory, &spilled));
	free(in_memory.bytes);
	free(spilled.bytes);
}

int main(void)
{
	test_orders_and_memory();
	test_memory_for_ids();
	test_many_runs();
	test_wide_objects();
	test_duplicates();
	test_misuse();
	test_wrong_options();
	test_sums_over_the_limit();
	test_unknown();
	test_totals_only();
	test_given_totals();
	test_empty();
	test_many_rows();
	test_many_blocks();
	test_far_apart();
	test_long_records();
	return DONE();
}
