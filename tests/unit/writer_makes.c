/* The writer: objects of one make, written at once, are
 * those written one by one; and contents (snap.h). */
#include "faults.h"
#include "writer_model.h"

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
			REQUIRE(snap_writer_string(w, name, (size_t)size, &string, NULL) ==
				SNAP_OK);
			makes->slots[i][slot] = (struct snap_slot){
				slot ? SNAP_REF_FIELD : SNAP_REF_CLASS,
				slot ? SNAP_LABEL_STRING(string) : SNAP_LABEL_NONE};
		}
		int size = snprintf(name, sizeof(name), "type %u", i);
		REQUIRE(snap_writer_string(w, name, (size_t)size, &string, NULL) == SNAP_OK);
		REQUIRE(snap_writer_type(w, string, SNAP_TYPE_OBJECT, &makes->types[i], NULL) ==
			SNAP_OK);
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
		struct snap_slot slot = {SNAP_REF_ELEMENT,
					 SNAP_LABEL_INDEX(i - makes->slot_count[make])};
		if (i < makes->slot_count[make])
			slot = makes->slots[make][i];
		REQUIRE(snap_writer_reference(w, o->id, targets[i], slot.kind, slot.label, NULL) ==
			SNAP_OK);
	}
}

/* Most first slots have the same target; with spread 1, others are just before their object. */
static void write_makes(struct model_bytes *b, bool apart, bool loose, uint64_t spread,
			uint64_t memory)
{
	struct snap_writer *w = open_bytes(b, NULL, memory);
	struct makes makes;
	uint64_t targets[100], random = 88172645463325252u;
	begin_makes(w, &makes);
	for (uint64_t i = 0; i < 5000; i++) {
		uint32_t make = (uint32_t)model_random(&random, MAKES);
		size_t count = makes.slot_count[make] +
			       model_random(&random, 3) * model_random(&random, 10);
		for (size_t k = 0; k < count; k++)
			targets[k] = model_random(&random, 6000) * spread;
		struct snap_object o = {.id = (i * 7919 % 5000 + 1) * spread,
					.size = 8 * count,
					.count = 1,
					.type = makes.types[make],
					.domain = count % 2};
		if (model_random(&random, 4) > 0)
			targets[0] = 77 * spread;
		else if (model_random(&random, 2) > 0)
			targets[0] = o.id - spread;
		if (loose && i % 100 == 50)
			REQUIRE(snap_writer_reference(w, (i * 7919 % 4000 + 1) * spread, spread,
						      SNAP_REF_HIDDEN, SNAP_LABEL_NONE,
						      NULL) == SNAP_OK);
		if (apart)
			add_apart(w, &makes, make, &o, targets, count);
		else
			REQUIRE(snap_writer_object_of(w, makes.layouts[make], &o, targets, count,
						      NULL) == SNAP_OK);
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
		CHECK(snap_writer_layout(w, makes.types[0], &wrong[i], 1, &id, NULL) ==
		      SNAP_MISUSE);
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

/* ---- lack of memory ---- */

static enum snap_status write_some(struct snap_writer *w)
{
	const uint64_t lengths[] = {5, 6, 7}, hashes[] = {70, 71, 72};
	struct snap_slot slots[70];
	uint32_t contents[3], name, type, few, many;
	uint64_t targets[80];
	MODEL_TRY(snap_writer_property(w, "program", "makes", NULL));
	MODEL_TRY(snap_writer_contents(w, lengths, hashes, 3, contents, NULL));
	MODEL_TRY(snap_writer_string(w, "name", 4, &name, NULL));
	MODEL_TRY(snap_writer_type(w, name, SNAP_TYPE_OBJECT, &type, NULL));
	for (size_t i = 0; i < 70; i++)
		slots[i] = (struct snap_slot){SNAP_REF_FIELD, SNAP_LABEL_STRING(name)};
	MODEL_TRY(snap_writer_layout(w, type, slots, 3, &few, NULL));
	MODEL_TRY(snap_writer_layout(w, type, slots, 70, &many, NULL));
	for (uint64_t id = 1; id <= 40; id++) {
		const struct snap_object o = {.id = id * 16,
					      .size = 8,
					      .count = 1,
					      .type = type,
					      .content = contents[id % 3]};
		size_t count = id % 2 ? 3 + id % 5 : 70 + id % 3;
		for (size_t i = 0; i < count; i++)
			targets[i] = (id * 7 + i) % 41 * 16;
		if (id % 10 == 0)
			MODEL_TRY(snap_writer_reference(w, id * 16 + 32, 16, SNAP_REF_HIDDEN,
							SNAP_LABEL_NONE, NULL));
		MODEL_TRY(snap_writer_object_of(w, id % 2 ? few : many, &o, targets, count, NULL));
	}
	return SNAP_OK;
}

static enum snap_status write_faulty(struct faults *f)
{
	const struct snap_allocator allocator = faulty_memory(f);
	struct snap_writer_options options = SNAP_WRITER_OPTIONS_INIT;
	struct model_bytes b = {0};
	const struct snap_sink sink = {&b, model_take};
	struct snap_writer *w;
	options.allocator = &allocator;
	options.level = 1;
	enum snap_status status = snap_writer_open_sink(&w, &sink, &options, NULL);
	if (status != SNAP_OK)
		return status;
	status = write_some(w);
	if (status == SNAP_OK)
		status = snap_writer_finish(w, NULL, NULL);
	else
		snap_writer_abort(w);
	free(b.bytes);
	return status;
}

static void test_out_of_memory(void)
{
	for (uint64_t n = 0;; n++) {
		struct faults f = {.memory_fail_at = n, .io_fail_at = UINT64_MAX};
		const enum snap_status status = write_faulty(&f);
		REQUIRE(f.live == 0);
		if (f.memory_calls <= n) {
			CHECK(status == SNAP_OK && n > 20);
			return;
		}
		REQUIRE(status == SNAP_NO_MEMORY);
	}
}

int main(void)
{
	test_makes();
	test_wrong_makes();
	test_contents();
	test_out_of_memory();
	return DONE();
}
