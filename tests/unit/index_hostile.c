/* An index that says something else, with hashes that are right (FORMAT.md, 7.5): every question is
 * answered or refused with a reason, and what is answered otherwise verification calls corrupt. */
#include "build_snapshot.h"
#include "graph_make.h"
#include "snap_query.h"

#include <malloc.h>
#include <unistd.h>

enum { OBJECTS = 45, COLUMNS = 160, MUTANT_SECONDS = 60 };

/* ---- a snapshot with an index, as columns ---- */

struct values {
	uint32_t column;
	bool is_text, is_there;
	uint64_t *values;
	size_t count;
	const char *texts[64];
};

static struct values columns[COLUMNS];
static size_t column_count;

/* Cycles, arrays, garbage, weak references, stacks, rows of many blocks, and a synthetic root. */
static void make(struct buffer *buffer)
{
	struct snap_writer *writer = begin(buffer);
	const uint32_t types[] = {type(writer, "A", SNAP_TYPE_OBJECT),
				  type(writer, "B", SNAP_TYPE_ARRAY),
				  type(writer, "(roots)", SNAP_TYPE_SYNTHETIC)};
	uint64_t next = SNAP_LABEL_STRING(string(writer, "next"));
	uint32_t frame, stacks[2], global = string(writer, "global");
	REQUIRE(snap_writer_frame(writer,
				  &(struct snap_frame){.function = string(writer, "f"), .line = 7},
				  &frame, NULL) == SNAP_OK);
	REQUIRE(snap_writer_stack(writer, 0, frame, 0, &stacks[0], NULL) == SNAP_OK);
	REQUIRE(snap_writer_stack(writer, stacks[0], frame, 0, &stacks[1], NULL) == SNAP_OK);
	for (uint64_t i = 1; i <= OBJECTS; i++) {
		const struct snap_object row = {.id = i * 16,
						.size = 8 + i % 3 * 50,
						.count = 1,
						.refcount = i % 2,
						.type = types[i == 1 ? 2 : i % 7 == 0],
						.stack = stacks[i % 2]};
		REQUIRE(snap_writer_object(writer, &row, NULL) == SNAP_OK);
		uint64_t to = i % 20 == 0 ? i - 9 : i + 1 <= OBJECTS ? i + 1 : OBJECTS / 2;
		refer(writer, i * 16, to * 16, SNAP_REF_FIELD, next);
		for (uint64_t j = 0; i % 7 == 0 && j < 3; j++)
			refer(writer, i * 16, (1 + (i * 31 + j * 17) % OBJECTS) * 16,
			      SNAP_REF_ELEMENT, SNAP_LABEL_INDEX(j));
		if (i % 20 == 1 && i < 40)
			root(writer, i * 16, SNAP_ROOT_GLOBAL, i == 21 ? global : 0);
	}
	refer(writer, 16, 32, SNAP_REF_WEAK, next);
	finish(writer);
}

static void read_column(struct snap_reader *reader, uint32_t id, struct values *v)
{
	struct snap_column *column;
	struct snap_column_info info;
	snap_column_describe(id, &info);
	*v = (struct values){.column = id,
			     .is_text = info.is_text,
			     .is_there = snap_reader_has_column(reader, id),
			     .count = (size_t)snap_reader_row_count(reader, id >> 16)};
	v->values = calloc(v->count + 1, sizeof(*v->values));
	REQUIRE(v->values != NULL && snap_column_open(&column, reader, id, NULL) == SNAP_OK);
	for (size_t row = 0; row < v->count; row++) {
		const char *text;
		size_t size;
		if (!v->is_text) {
			REQUIRE(snap_column_read(column, row, 1, &v->values[row], NULL) == SNAP_OK);
			continue;
		}
		REQUIRE(v->count < 64 &&
			snap_column_text(column, row, &text, &size, NULL) == SNAP_OK);
		v->texts[row] = strndup(text, size);
	}
	snap_column_close(column);
}

static void read_columns(const struct buffer *buffer)
{
	struct snap_reader *reader;
	struct snap_column_info info;
	REQUIRE(snap_reader_open_memory(&reader, buffer->bytes, buffer->size, NULL, NULL) ==
		SNAP_OK);
	for (size_t i = 0; snap_column_at(i, &info); i++)
		if (snap_reader_row_count(reader, info.column >> 16) > 0) {
			REQUIRE(column_count < COLUMNS);
			read_column(reader, info.column, &columns[column_count++]);
		}
	snap_reader_close(reader);
}

static bool is_index(uint32_t column)
{
	const uint32_t table = column >> 16;
	return (table >= SNAP_INDEX && table < SNAP_MAPPINGS) || table == SNAP_INDEX_OWNERS;
}

/* The hash that ties the index to what is before it. */
static void set_base(const struct build *b, struct values *facts)
{
	struct snapfmt_hasher base;
	uint8_t bytes[8];
	snapfmt_hasher_begin(&base);
	for (uint32_t i = 0; i <= b->block_count; i++) {
		struct sink s = sink_over(bytes, 8);
		sink_u64(&s, i == 0 ? b->header.hash : b->blocks[i - 1].hash);
		snapfmt_hasher_add(&base, bytes, 8);
	}
	for (size_t row = 0; row < facts->count; row++)
		if (facts[-1].values[row] == SNAP_FACT_BASE) {
			facts->values[row] = snapfmt_hasher_end(&base);
			return;
		}
}

static void write_columns(struct build *b)
{
	bool has_base = false;
	b->size = 0;
	build_begin(b);
	for (size_t i = 0; i < column_count; i++) {
		struct values *v = &columns[i];
		if (is_index(v->column) && !has_base) {
			REQUIRE(v[1].column == SNAP_INDEX_VALUE);
			set_base(b, &v[1]);
			has_base = true;
		}
		if (v->is_text)
			build_strings(b, v->texts, v->count);
		else if (v->is_there && v->count > 0)
			build_column(b, v->column, v->values, v->count);
	}
	build_end(b, NULL);
}

/* ---- questions, each answer a number ---- */

enum { KEY_QUESTIONS = 2 * SNAP_KEY_COUNT, QUESTIONS = KEY_QUESTIONS + 3 };

struct answers {
	enum snap_status status[QUESTIONS];
	uint64_t digest[QUESTIONS];
};

struct asking {
	struct snap_reader *reader;
	struct snap_error error;
	uint64_t digest;
	size_t live, visited;
};

static void *resize(void *context, void *pointer, size_t old_size, size_t new_size)
{
	size_t *live = context;
	*live += new_size - old_size;
	if (new_size)
		return realloc(pointer, new_size);
	free(pointer);
	return NULL;
}

static void note(struct asking *a, uint64_t number)
{
	a->digest = (a->digest ^ number) * UINT64_C(0x9e3779b97f4a7c15);
	a->digest ^= a->digest >> 29;
}

static void note_text(struct asking *a, const char *bytes, size_t size)
{
	note(a, bytes ? snapfmt_hash(bytes, size) : 0);
}

static void note_row(struct asking *a, const struct snap_answer_row *row)
{
	const uint64_t numbers[] = {row->bytes,   row->count, row->retained,   row->has_number,
				    row->number,  row->low,   row->high,       row->place.line,
				    row->address, row->kind,  row->step_count, row->frame_count};
	for (size_t i = 0; i < sizeof(numbers) / sizeof(*numbers); i++)
		note(a, numbers[i]);
	note_text(a, row->name.bytes, row->name.size);
	note_text(a, row->object_name.bytes, row->object_name.size);
	note_text(a, row->step.label.bytes, row->step.label.size);
	for (size_t i = 0; i < row->step_count; i++)
		note_text(a, row->steps[i].label.bytes, row->steps[i].label.size);
}

static enum snap_status ask_key(struct asking *a, enum snap_key key, bool patterns)
{
	const struct snap_pattern only_a = {.kind = SNAP_PATTERN_TYPE, .glob = "A"};
	const struct snap_allocator allocator = {&a->live, resize};
	struct snap_query_options options = SNAP_QUERY_OPTIONS_INIT;
	struct snap_answer *answer;
	struct snap_answer_info info;
	options.key = key;
	options.retained = true;
	options.patterns = &only_a;
	options.pattern_count = patterns;
	options.allocator = &allocator;
	enum snap_status status = snap_query(&answer, a->reader, &options, &a->error);
	if (status != SNAP_OK)
		return status;
	snap_answer_info(answer, &info);
	for (uint64_t i = 0; i < info.row_count; i++) {
		struct snap_answer_row row;
		snap_answer_row(answer, i, &row);
		note_row(a, &row);
	}
	status = snap_answer_check(answer, &a->error);
	snap_answer_free(answer);
	return status;
}

static bool visit(void *context, const struct snap_graph_reference *reference)
{
	struct asking *a = context;
	note(a, reference->owner);
	note(a, reference->target);
	note(a, reference->label);
	return ++a->visited % 10000 != 0;
}

static void tell_member(void *context, uint64_t cycle, uint64_t type_id, uint64_t count,
			uint64_t first)
{
	const uint64_t numbers[] = {cycle, type_id, count, first};
	for (size_t i = 0; i < 4; i++)
		note(context, numbers[i]);
}

static enum snap_status ask_cycles(struct asking *a, struct snap_graph *graph)
{
	enum snap_status status = snap_graph_find_keepers(graph, &a->error);
	for (uint64_t i = 0; status == SNAP_OK && i < snap_graph_cycle_count(graph); i++) {
		struct snap_graph_cycle cycle;
		struct snap_graph_keeper keeper;
		snap_graph_cycle(graph, i, &cycle);
		snap_graph_keeper(graph, i, &keeper);
		const uint64_t numbers[] = {cycle.objects,  cycle.bytes,    cycle.first,
					    keeper.nearest, keeper.entry,   keeper.entries,
					    keeper.holder,  keeper.retained};
		for (size_t k = 0; k < 8; k++)
			note(a, numbers[k]);
		status = snap_graph_members(graph, i, tell_member, a, &a->error);
		status = status == SNAP_END ? SNAP_OK : status;
	}
	return status;
}

static enum snap_status ask_row(struct asking *a, struct snap_graph *graph, uint64_t row)
{
	struct snap_graph_set *set = set_of(graph, &row, 1);
	uint64_t freed = 0, objects = 0;
	note(a, snap_graph_distance(graph, row));
	note(a, snap_graph_is_reached(graph, row));
	note(a, snap_graph_parent(graph, row));
	note(a, snap_graph_dominator(graph, row));
	note(a, snap_graph_retained(graph, row));
	note(a, snap_graph_cycle_of(graph, row));
	enum snap_status status = snap_graph_path(graph, row, visit, a, &a->error);
	if (status == SNAP_OK || status == SNAP_END)
		status = snap_graph_references_to(graph, set, visit, a, &a->error);
	if (status == SNAP_OK)
		status = snap_graph_retained_by(graph, set, &freed, &objects, &a->error);
	note(a, freed);
	note(a, objects);
	snap_graph_set_close(set);
	return status;
}

static enum snap_status ask_rows(struct asking *a, struct snap_graph *graph)
{
	enum snap_status status = SNAP_OK;
	struct snap_graph_object object;
	for (uint64_t row = 0; status == SNAP_OK && row < OBJECTS; row++) {
		status = snap_graph_object(graph, row, &object, &a->error);
		uint64_t found = 0;
		if (status == SNAP_OK)
			status = snap_graph_find_address(graph, object.address, &found, &a->error);
		note(a, found);
		if (status == SNAP_OK || status == SNAP_END)
			status = ask_row(a, graph, row);
	}
	return status;
}

static enum snap_status ask_graph(struct asking *a, int what)
{
	const struct snap_allocator allocator = {&a->live, resize};
	struct snap_graph_options options = SNAP_GRAPH_OPTIONS_INIT;
	struct snap_graph *graph;
	options.allocator = &allocator;
	enum snap_status status = snap_graph_open(&graph, a->reader, &options, &a->error);
	if (status != SNAP_OK)
		return status;
	status = snap_graph_search(graph, &a->error);
	if (status == SNAP_OK)
		status = snap_graph_dominate(graph, &a->error);
	if (status == SNAP_OK)
		status = snap_graph_find_cycles(graph, &a->error);
	if (status == SNAP_OK && what == 0)
		status = ask_rows(a, graph);
	if (status == SNAP_OK && what == 1)
		status = ask_cycles(a, graph);
	if (status == SNAP_OK && what == 2)
		status = snap_graph_attribute_roots(graph, &a->error);
	for (uint64_t row = 0; status == SNAP_OK && what == 2 && row < OBJECTS; row++)
		note(a, snap_graph_group_of(graph, row));
	if (status == SNAP_OK)
		status = snap_graph_check(graph, &a->error);
	snap_graph_close(graph);
	return status;
}

static enum snap_status ask_one(struct asking *a, int question)
{
	return question >= KEY_QUESTIONS
		       ? ask_graph(a, question - KEY_QUESTIONS)
		       : ask_key(a, (enum snap_key)(question / 2), question % 2 != 0);
}

/* Returns what verification says. */
static enum snap_status ask_all(const struct build *b, struct answers *out)
{
	struct asking a = {0};
	const struct snap_allocator allocator = {&a.live, resize};
	struct snap_reader_options options = SNAP_READER_OPTIONS_INIT;
	options.allocator = &allocator;
	alarm(MUTANT_SECONDS);
	REQUIRE(snap_reader_open_memory(&a.reader, b->bytes, b->size, &options, &a.error) ==
		SNAP_OK);
	for (int i = 0; i < QUESTIONS; i++) {
		a.digest = 0;
		out->status[i] = ask_one(&a, i);
		out->digest[i] = a.digest;
		if (out->status[i] != SNAP_OK && a.error.status != out->status[i])
			printf("# question %d: %s, not %s\n", i, snap_status_name(out->status[i]),
			       snap_status_name(a.error.status));
	}
	enum snap_status status = snap_reader_verify(a.reader, NULL, NULL, &a.error);
	struct snap_index_options making = SNAP_INDEX_OPTIONS_INIT;
	making.allocator = &allocator;
	if (status == SNAP_OK)
		status = snap_index_verify(a.reader, &making, &a.error);
	snap_reader_close(a.reader);
	REQUIRE(a.live == 0);
	alarm(0);
	return status;
}

/* ---- mutants ---- */

struct tally {
	uint64_t mutants, corrupt, harmless, lies, odd;
};

static void judge(struct build *b, const struct answers *truth, struct tally *t)
{
	struct answers got;
	bool differs = false;
	write_columns(b);
	enum snap_status said = ask_all(b, &got);
	t->mutants++;
	for (int i = 0; i < QUESTIONS; i++) {
		bool same = got.status[i] == truth->status[i];
		if (!same && got.status[i] != SNAP_CORRUPT && got.status[i] != SNAP_LIMIT) {
			t->odd++;
			printf("# question %d: %s\n", i, snap_status_name(got.status[i]));
		}
		differs |= same && got.status[i] == SNAP_OK && got.digest[i] != truth->digest[i];
	}
	t->corrupt += said == SNAP_CORRUPT;
	t->harmless += said == SNAP_OK && !differs;
	t->lies += said == SNAP_OK && differs;
	t->odd += said != SNAP_OK && said != SNAP_CORRUPT;
}

static void change_values(struct build *b, const struct answers *truth, struct values *v,
			  size_t stride, struct tally *t)
{
	const bool was_there = v->is_there;
	v->is_there = true;
	for (size_t row = 0; row < v->count; row += stride) {
		const uint64_t was = v->values[row], other = v->values[(row + 1) % v->count];
		const uint64_t others[] = {was + 1,    0, UINT64_MAX, v->count, other,
					   UINT32_MAX, 1, OBJECTS,    was - 1,  was * 2,
					   INT64_MAX,  2, was ^ 4,    1u << 20, was << 32};
		for (size_t i = 0; i < (stride == 1 ? sizeof(others) / sizeof(*others) : 5); i++) {
			if (others[i] == was)
				continue;
			v->values[row] = others[i];
			judge(b, truth, t);
		}
		v->values[row] = was;
	}
	v->is_there = was_there;
}

/* All columns of a table at once: fewer rows, two exchanged. */
static void change_rows(struct build *b, const struct answers *truth, struct values *first,
			size_t count, struct tally *t)
{
	const size_t rows = first->count;
	const size_t fewer[] = {0, 1, rows / 2, rows - 1};
	for (size_t i = 0; i < 4; i++) {
		for (size_t k = 0; k < count; k++)
			first[k].count = fewer[i] < rows ? fewer[i] : rows;
		if (fewer[i] < rows)
			judge(b, truth, t);
	}
	for (size_t k = 0; k < count; k++)
		first[k].count = rows;
	for (size_t row = 0; row + 1 < rows; row += 1 + rows / 8)
		for (int back = 0; back < 2; back++) {
			for (size_t k = 0; k < count; k++) {
				uint64_t value = first[k].values[row];
				first[k].values[row] = first[k].values[row + 1];
				first[k].values[row + 1] = value;
			}
			if (!back)
				judge(b, truth, t);
		}
}

static void report(const char *name, const struct tally *t)
{
	printf("# %s: %" PRIu64 " mutants, %" PRIu64 " corrupt, %" PRIu64 " harmless, %" PRIu64
	       " lies\n",
	       name, t->mutants, t->corrupt, t->harmless, t->lies);
}

/* How many mutants only leave out what an index need not have, so that answers say less. */
static uint64_t says_less(uint32_t column)
{
	return column == SNAP_INDEX_CYCLE_RETAINED || column == SNAP_INDEX_MEMBER_CYCLE;
}

int main(void)
{
	struct buffer plain = {0}, indexed = {0};
	struct build b = {0};
	static struct answers truth;
	struct tally all = {0};
	const bool exhaustive = getenv("EXHAUSTIVE") != NULL;
	mallopt(M_MMAP_THRESHOLD, 1 << 30);
	mallopt(M_TRIM_THRESHOLD, 1 << 30);
	make(&plain);
	REQUIRE(add_index(&plain, &indexed));
	read_columns(&indexed);
	write_columns(&b);
	CHECK(ask_all(&b, &truth) == SNAP_OK);
	for (size_t i = 0; i < column_count; i++) {
		struct snap_column_info info;
		struct tally t = {0};
		char name[200];
		if (!is_index(columns[i].column))
			continue;
		size_t count = 1;
		while (i + count < column_count &&
		       columns[i + count].column >> 16 == columns[i].column >> 16)
			count++;
		snap_column_describe(columns[i].column, &info);
		size_t stride = exhaustive ? 1 : (2 + columns[i].count / 3) * TAP_FEWER;
		if ((columns[i].column & 0xffff) == 0)
			change_rows(&b, &truth, &columns[i], count, &t);
		if (columns[i].column != SNAP_INDEX_VALUE)
			change_values(&b, &truth, &columns[i], stride, &t);
		snprintf(name, sizeof(name), "%s.%s", info.table_name, info.column_name);
		report(name, &t);
		CHECK_NAMED(t.lies == says_less(columns[i].column), name);
		all.mutants += t.mutants, all.corrupt += t.corrupt;
		all.harmless += t.harmless, all.lies += t.lies, all.odd += t.odd;
	}
	report("all", &all);
	CHECK(all.odd == 0);
	free(plain.bytes);
	free(indexed.bytes);
	build_free(&b);
	return DONE();
}
