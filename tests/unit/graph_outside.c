/* Questions with less memory than they need: the same answers from temporary files, and files that
 * fail (snap_graph.h). */
#include "graph_make.h"

#include "faults.h"
#include "graph/merge.h"
#include "random.h"

#include <inttypes.h>

/* ---- graphs ---- */

static uint64_t random_state = 88172645463325252u;

static uint64_t pick(uint64_t below)
{
	return (random_next(&random_state) >> 16) % below;
}

static uint64_t pick_near(uint64_t from, uint64_t objects)
{
	return from > 20 && pick(8) != 0 ? from - pick(20) : pick(objects);
}

/* Each form is hard for a part of the work: 0 references to any place, 1 a hub that much refers to,
 * with more references than are listed at a time, 2 climbs that are as long as the graph, 3 arrays
 * with long tails, and objects that no root reaches. */
static void make(struct buffer *buffer, uint64_t objects, int form)
{
	struct snap_writer *writer = begin(buffer);
	uint32_t types[3] = {type(writer, "A", SNAP_TYPE_OBJECT),
			     type(writer, "B", SNAP_TYPE_OBJECT),
			     type(writer, "C", SNAP_TYPE_ARRAY)};
	uint64_t next = SNAP_LABEL_STRING(string(writer, "next"));
	uint64_t other = SNAP_LABEL_STRING(string(writer, "other"));
	for (uint64_t i = 1; i <= objects; i++) {
		uint64_t kind = pick(3);
		object(writer, i, 1 + pick(100), types[kind]);
		if (i < objects && (form != 3 || pick(50) != 0))
			refer(writer, i, i + 1, SNAP_REF_FIELD, next);
		for (uint64_t j = 0; form == 0 && j < kind; j++)
			refer(writer, i, 1 + pick(objects), SNAP_REF_FIELD, other);
		for (uint64_t j = 0; form == 1 && j < 3; j++)
			refer(writer, i, 1 + objects / 2, SNAP_REF_ELEMENT, SNAP_LABEL_INDEX(j));
		for (uint64_t j = 0; form == 3 && kind == 2 && j < 9; j++)
			refer(writer, i, 1 + pick_near(i, objects), SNAP_REF_ELEMENT,
			      SNAP_LABEL_INDEX(j));
		if (form != 2)
			continue;
		object(writer, objects + i, 1, types[1]);
		refer(writer, i, objects + i, SNAP_REF_FIELD, other);
		if (i % 3 == 0)
			refer(writer, objects / 2, objects + i, SNAP_REF_ELEMENT,
			      SNAP_LABEL_INDEX(i));
		else
			root(writer, objects + i, SNAP_ROOT_INTERNED, 0);
	}
	root(writer, 1, SNAP_ROOT_GLOBAL, 0);
	finish(writer);
}

/* A tree, or a list of so many rounds of the same fields, with as many names as it has objects:
 * merged paths have nearly as many steps. */
static void make_named(struct buffer *buffer, uint64_t objects)
{
	struct snap_writer *writer = begin(buffer);
	uint32_t types[7];
	char text[16];
	uint64_t spread = 1 + pick(20), names = 1 + pick(objects), period = 1 + pick(8);
	bool is_list = pick(4) == 0;
	for (uint32_t i = 0; i < 7; i++) {
		snprintf(text, sizeof(text), "T%u", i);
		types[i] = type(writer, text, i % 2 ? SNAP_TYPE_OBJECT : SNAP_TYPE_ARRAY);
	}
	for (uint64_t i = 1; i <= objects; i++)
		object(writer, i, 8, types[is_list ? i % period % 7 : pick(7)]);
	for (uint64_t i = 2; i <= objects; i++) {
		uint64_t owner =
			is_list ? i - 1 - pick(2) * (i > 2) : 1 + pick(1 + (i - 1) / spread);
		uint64_t label = SNAP_LABEL_INDEX(pick(9));
		snprintf(text, sizeof(text), "n%u", (unsigned)(is_list ? i % period : pick(names)));
		if (pick(8) != 0)
			label = SNAP_LABEL_STRING(string(writer, text));
		refer(writer, owner, i, SNAP_REF_FIELD, label);
	}
	root(writer, 1, SNAP_ROOT_GLOBAL, string(writer, "first"));
	for (uint64_t i = 0; i < 20; i++)
		root(writer, 1 + pick(objects), SNAP_ROOT_INTERNED, 0);
	finish(writer);
}

/* ---- answers ---- */

/* A digest of the answers to each question. */
enum {
	DISTANCES,
	DOMINATORS,
	OWNERS,
	CYCLES,
	GROUPS,
	PATHS,
	FREED,
	CHAIN,
	CYCLE_OF,
	ONE_PATH,
	QUESTIONS
};
struct answers {
	uint64_t digest[QUESTIONS];
};

static void digest(uint64_t *sum, uint64_t value)
{
	*sum = (*sum ^ value) * UINT64_C(0x9e3779b97f4a7c15);
	*sum ^= *sum >> 29;
}

static bool digest_reference(void *context, const struct snap_graph_reference *reference)
{
	digest(context, reference->owner);
	digest(context, reference->target);
	digest(context, reference->kind);
	digest(context, reference->label);
	return true;
}

static void digest_freed(void *context, uint64_t row, uint64_t bytes)
{
	digest(context, row);
	digest(context, bytes);
}

static void digest_group(uint64_t *sum, const struct snap_graph *graph, uint64_t row)
{
	struct snap_graph_group group;
	snap_graph_group(graph, snap_graph_group_of(graph, row), &group);
	for (size_t i = 0; i < group.label_size; i++)
		digest(sum, (uint8_t)group.label[i]);
}

static void digest_cycle(uint64_t *sum, const struct snap_graph *graph, uint64_t row)
{
	struct snap_graph_cycle cycle;
	snap_graph_cycle(graph, snap_graph_cycle_of(graph, row), &cycle);
	digest(sum, snap_graph_cycle_of(graph, row));
	digest(sum, cycle.objects);
	digest(sum, cycle.bytes);
	digest(sum, cycle.first);
}

/* All cycles may be known, and then this one has another number. */
static enum snap_status digest_cycle_of(uint64_t *sum, struct snap_graph *graph, uint64_t row)
{
	struct snap_graph_cycle cycle;
	enum snap_status status = snap_graph_find_cycle_of(graph, row, NULL);
	snap_graph_cycle(graph, snap_graph_cycle_of(graph, row), &cycle);
	digest(sum, cycle.objects);
	digest(sum, cycle.bytes);
	digest(sum, cycle.first);
	return status;
}

static enum snap_status digest_chain(uint64_t *sum, struct snap_graph *graph, uint64_t row)
{
	enum snap_status status = snap_graph_dominate_row(graph, row, NULL);
	for (uint64_t left = 5000; status == SNAP_OK && row != SNAP_GRAPH_NONE && left > 0;
	     left--) {
		digest(sum, row);
		digest(sum, snap_graph_retained(graph, row));
		row = snap_graph_dominator(graph, row);
	}
	return status;
}

static enum snap_status digest_steps(struct snap_graph_paths *paths, uint64_t *sum)
{
	struct snap_graph_paths_info info;
	struct snap_graph_step step;
	enum snap_status status = SNAP_OK;
	snap_graph_paths_info(paths, &info);
	digest(sum, info.first);
	digest(sum, info.unreached);
	for (uint32_t i = 0; status == SNAP_OK && i < info.count; i++) {
		status = snap_graph_paths_step(paths, i, &step, NULL);
		const uint64_t all[] = {step.parent,     step.type,    step.label, step.kind,
					step.ends,       step.objects, step.depth, step.example,
					step.next,       step.repeats, step.names, step.through,
					step.first_child};
		for (size_t j = 0; status == SNAP_OK && j < sizeof(all) / sizeof(all[0]); j++)
			digest(sum, all[j]);
	}
	return status;
}

static enum snap_status ask_paths(struct snap_graph *graph, const struct snap_graph_set *set,
				  uint64_t *sum)
{
	struct snap_graph_paths *paths;
	enum snap_status status = snap_graph_merge_paths(graph, set, &paths, NULL);
	if (status != SNAP_OK)
		return status;
	status = digest_steps(paths, sum);
	snap_graph_paths_close(paths);
	return status;
}

static enum snap_status ask_of_rows(struct snap_graph *graph, int question, uint64_t rows,
				    uint64_t *sum)
{
	struct snap_graph_set *set;
	enum snap_status status = snap_graph_set_open(&set, graph, NULL);
	if (status != SNAP_OK)
		return status;
	for (uint64_t row = 0; row < rows; row++)
		if (row % 5 == 1)
			snap_graph_set_add(set, row);
	status = snap_graph_search(graph, NULL);
	if (status == SNAP_OK)
		status = question == PATHS
				 ? ask_paths(graph, set, sum)
				 : snap_graph_freed_by(graph, set, digest_freed, sum, NULL);
	snap_graph_set_close(set);
	return status;
}

static enum snap_status prepare(struct snap_graph *graph, int question)
{
	switch (question) {
	case DISTANCES:
	case CHAIN:
	case CYCLE_OF:
	case ONE_PATH: return snap_graph_search(graph, NULL);
	case DOMINATORS: return snap_graph_dominate(graph, NULL);
	case CYCLES: return snap_graph_find_cycles(graph, NULL);
	case GROUPS: return snap_graph_attribute_roots(graph, NULL);
	default: return SNAP_OK;
	}
}

static enum snap_status ask_of_row(struct snap_graph *graph, int question, uint64_t row,
				   uint64_t *sum)
{
	enum snap_status status = SNAP_OK;
	switch (question) {
	case DISTANCES:
		digest(sum, snap_graph_distance(graph, row));
		digest(sum, snap_graph_parent(graph, row));
		break;
	case DOMINATORS:
		digest(sum, snap_graph_dominator(graph, row));
		digest(sum, snap_graph_retained(graph, row));
		break;
	case OWNERS:
		if (row % 64 == 0)
			status = snap_graph_owners(graph, row, digest_reference, sum, NULL);
		break;
	case CYCLES: digest_cycle(sum, graph, row); break;
	case CHAIN:
		if (row % 997 == 1)
			status = digest_chain(sum, graph, row);
		break;
	case CYCLE_OF:
		if (row % 997 == 1)
			status = digest_cycle_of(sum, graph, row);
		break;
	case GROUPS: digest_group(sum, graph, row); break;
	default:
		if (row % 997 == 1)
			status = snap_graph_path(graph, row, digest_reference, sum, NULL);
	}
	return status == SNAP_END ? SNAP_OK : status;
}

static enum snap_status ask(struct snap_graph *graph, int question, struct answers *out)
{
	struct snap_graph_info info;
	snap_graph_info(graph, &info);
	uint64_t *sum = &out->digest[question];
	*sum = (uint64_t)question;
	if (question == PATHS || question == FREED)
		return ask_of_rows(graph, question, info.objects, sum);
	enum snap_status status = prepare(graph, question);
	for (uint64_t row = 0; status == SNAP_OK && row < info.objects; row++)
		status = ask_of_row(graph, question, row, sum);
	return status == SNAP_OK ? snap_graph_check(graph, NULL) : status;
}

static struct answers find_answers(const struct buffer *buffer)
{
	struct answers answers;
	struct opened opened = open_graph(buffer, false);
	for (int i = 0; i < QUESTIONS; i++)
		REQUIRE(ask(opened.graph, i, &answers) == SNAP_OK);
	REQUIRE(opened.graph->outside.pages == NULL);
	close_graph(opened);
	return answers;
}

/* All questions from one on; whatever fails: no other answer, nothing left over. */
static enum snap_status ask_all(const struct buffer *buffer, uint64_t limit, int first,
				struct faults *f, const struct answers *wanted)
{
	const struct snap_allocator memory = faulty_memory(f);
	const struct snap_io io = faulty_io(f);
	struct snap_graph_options options = SNAP_GRAPH_OPTIONS_INIT;
	struct snap_reader *reader;
	struct snap_graph *graph;
	struct snap_graph_info info;
	struct answers answers;
	options.max_memory_bytes = limit;
	options.allocator = &memory;
	options.io = &io;
	REQUIRE(snap_reader_open_memory(&reader, buffer->bytes, buffer->size, NULL, NULL) ==
		SNAP_OK);
	enum snap_status status = snap_graph_open(&graph, reader, &options, NULL);
	if (status == SNAP_OK) {
		for (int i = 0; status == SNAP_OK && i < QUESTIONS; i++) {
			int question = (first + i) % QUESTIONS;
			status = ask(graph, question, &answers);
			if (status == SNAP_OK)
				REQUIRE(answers.digest[question] == wanted->digest[question]);
		}
		snap_graph_info(graph, &info);
		REQUIRE(info.peak_memory_bytes <= limit);
		snap_graph_close(graph);
	}
	snap_reader_close(reader);
	REQUIRE(f->open_files == 0 && f->live == 0);
	return status;
}

/* Merged paths, with so much memory; moved: all that is known goes into files before. */
static enum snap_status merge_with(const struct buffer *buffer, uint64_t limit, bool moved,
				   struct faults *f, uint64_t *sum, bool *outside)
{
	const struct snap_allocator memory = faulty_memory(f);
	const struct snap_io io = faulty_io(f);
	struct snap_graph_options options = SNAP_GRAPH_OPTIONS_INIT;
	struct snap_reader *reader;
	struct snap_graph *graph;
	struct snap_graph_set *set = NULL;
	struct snap_graph_paths *paths = NULL;
	struct snap_graph_info info;
	options.max_memory_bytes = limit;
	options.allocator = &memory;
	options.io = &io;
	REQUIRE(snap_reader_open_memory(&reader, buffer->bytes, buffer->size, NULL, NULL) ==
		SNAP_OK);
	enum snap_status status = snap_graph_open(&graph, reader, &options, NULL);
	if (status == SNAP_OK) {
		status = snap_graph_search(graph, NULL);
		if (status == SNAP_OK && moved)
			status = libsnap_graph_prepare(graph, UINT64_MAX, NULL);
		if (status == SNAP_OK)
			status = snap_graph_set_open(&set, graph, NULL);
		snap_graph_info(graph, &info);
		for (uint64_t row = 0; status == SNAP_OK && row < info.objects; row++)
			if (row % 7 != 1)
				snap_graph_set_add(set, row);
		if (status == SNAP_OK)
			status = snap_graph_merge_paths(graph, set, &paths, NULL);
		if (status == SNAP_OK)
			status = digest_steps(paths, sum);
		*outside = paths != NULL && paths->arrays.outside;
		snap_graph_info(graph, &info);
		REQUIRE(info.peak_memory_bytes <= limit);
		snap_graph_paths_close(paths);
		snap_graph_set_close(set);
		snap_graph_close(graph);
	}
	snap_reader_close(reader);
	REQUIRE(f->open_files == 0 && f->live == 0);
	return status;
}

static void test_paths(uint64_t rounds)
{
	uint64_t spilled = 0;
	struct buffer buffer = {NULL, 0, 0};
	for (uint64_t i = 0; i < rounds; i++) {
		struct faults f = {.only_temporary = true,
				   .memory_fail_at = UINT64_MAX,
				   .io_fail_at = UINT64_MAX};
		uint64_t objects = 200 + pick(1500), wanted = 0, sum = 0;
		bool outside;
		make_named(&buffer, objects);
		REQUIRE(merge_with(&buffer, UINT64_C(1) << 26, false, &f, &wanted, &outside) ==
			SNAP_OK);
		REQUIRE(!outside && f.written == 0);
		bool moved = pick(4) == 0;
		uint64_t limit = moved ? 400000 + pick(400000) : 150000 + pick(50000);
		REQUIRE(merge_with(&buffer, limit, moved, &f, &sum, &outside) == SNAP_OK);
		REQUIRE(sum == wanted);
		spilled += outside;
	}
	printf("# %" PRIu64 " of %" PRIu64 " in files\n", spilled, rounds);
	CHECK_NAMED(spilled > rounds / 4, "merged paths in files are those in memory");
	free(buffer.bytes);
}

/* Where memory ends too, what failed first is told. */
static void test_faults_and_limits(uint64_t objects)
{
	struct buffer buffer = {NULL, 0, 0};
	uint64_t failures = 0, limited = 0;
	make_named(&buffer, objects);
	for (uint64_t limit = 20000; limit < 200000; limit += 1500) {
		struct faults none = {.memory_fail_at = UINT64_MAX, .io_fail_at = UINT64_MAX};
		uint64_t sum = 0;
		bool outside = false;
		enum snap_status status = merge_with(&buffer, limit, false, &none, &sum, &outside);
		REQUIRE(status == SNAP_OK || status == SNAP_LIMIT);
		uint64_t calls = none.io_calls;
		for (uint64_t n = calls > 40 ? calls - 40 : 0; n < calls; n++) {
			struct faults f = {.memory_fail_at = UINT64_MAX, .io_fail_at = n};
			REQUIRE(merge_with(&buffer, limit, false, &f, &sum, &outside) == SNAP_IO);
			failures++;
			limited += status == SNAP_LIMIT;
		}
	}
	CHECK_NAMED(failures > limited && limited > 0,
		    "a failed file is told, not the limit met after it");
	free(buffer.bytes);
}

static void test_faults_of_paths(uint64_t objects, uint64_t limit, bool moved)
{
	struct buffer buffer = {NULL, 0, 0};
	struct faults none = {.memory_fail_at = UINT64_MAX, .io_fail_at = UINT64_MAX};
	uint64_t wanted = 0, failures = 0;
	bool outside = false;
	while (!outside) {
		make_named(&buffer, objects);
		wanted = 0;
		REQUIRE(merge_with(&buffer, limit, moved, &none, &wanted, &outside) == SNAP_OK);
	}
	for (uint64_t n = 0;; n += 1 + n / 16) {
		struct faults f = {
			.only_temporary = true, .memory_fail_at = UINT64_MAX, .io_fail_at = n};
		uint64_t sum = 0;
		enum snap_status status = merge_with(&buffer, limit, moved, &f, &sum, &outside);
		REQUIRE(status == (f.io_calls > n ? SNAP_IO : SNAP_OK));
		failures += status == SNAP_IO;
		REQUIRE(status != SNAP_OK || sum == wanted);
		if (status == SNAP_OK)
			break;
	}
	CHECK_NAMED(failures > 20, "files of merged paths may fail");
	for (failures = 0;; failures++) {
		struct faults f = {.only_temporary = true,
				   .memory_fail_at = failures,
				   .io_fail_at = UINT64_MAX};
		uint64_t sum = 0;
		enum snap_status status = merge_with(&buffer, limit, moved, &f, &sum, &outside);
		/* A cache that cannot be made smaller leaves no room. */
		REQUIRE(status == SNAP_NO_MEMORY || status == SNAP_LIMIT ||
			(status == SNAP_OK && sum == wanted));
		if (f.memory_calls <= failures)
			break;
	}
	CHECK_NAMED(failures > 20, "and so may their memory");
	free(buffer.bytes);
}

static void test_limits(uint64_t objects, int form)
{
	struct buffer buffer = {NULL, 0, 0};
	make(&buffer, objects, form);
	struct answers wanted = find_answers(&buffer);
	uint64_t answered = 0, spilled = 0, least = UINT64_MAX;
	int first = 0;
	for (uint64_t limit = 1024; limit < 200 * objects; limit += limit / 8) {
		struct faults f = {.only_temporary = true,
				   .memory_fail_at = UINT64_MAX,
				   .io_fail_at = UINT64_MAX};
		enum snap_status status = ask_all(&buffer, limit, first++ % QUESTIONS, &f, &wanted);
		/* Places of pages take much where pages are as small as here. */
		REQUIRE(status == SNAP_OK || (status == SNAP_LIMIT && limit < 48 * objects));
		if (status == SNAP_OK && limit < least)
			least = limit;
		answered += status == SNAP_OK;
		spilled += status == SNAP_OK && f.written > 0;
	}
	printf("# form %d: from %" PRIu64 " bytes for %" PRIu64 " objects\n", form, least, objects);
	CHECK_NAMED(spilled > 8 && answered > spilled, "the same answers with any memory");
	free(buffer.bytes);
}

static void test_faults(uint64_t objects, uint64_t limit)
{
	struct buffer buffer = {NULL, 0, 0};
	make(&buffer, objects, 0);
	struct answers wanted = find_answers(&buffer);
	uint64_t failures = 0, n;
	int first = 0;
	for (n = 0;; n += 1 + n / 32) {
		struct faults f = {
			.only_temporary = true, .memory_fail_at = UINT64_MAX, .io_fail_at = n};
		enum snap_status status = ask_all(&buffer, limit, first++ % QUESTIONS, &f, &wanted);
		REQUIRE(status == (f.io_calls > n ? SNAP_IO : SNAP_OK));
		failures += status == SNAP_IO;
		if (status == SNAP_OK)
			break;
	}
	CHECK_NAMED(failures > 20, "files that fail are said, and no answer is wrong");
	for (n = 0;; n++) {
		struct faults f = {
			.only_temporary = true, .memory_fail_at = n, .io_fail_at = UINT64_MAX};
		enum snap_status status = ask_all(&buffer, limit, 0, &f, &wanted);
		/* A cache that cannot be made smaller leaves no room. */
		REQUIRE(status == SNAP_NO_MEMORY || status == SNAP_LIMIT || status == SNAP_OK);
		if (f.memory_calls <= n)
			break;
	}
	CHECK_NAMED(n > 20, "every allocation may fail outside, too");
	free(buffer.bytes);
}

int main(void)
{
	for (int form = 0; form < 4; form++)
		test_limits(4000, form);
	test_faults(2000, 120000);
	test_paths(1000);
	test_faults_of_paths(1000, 170000, false);
	test_faults_of_paths(400, 400000, true);
	test_faults_and_limits(600);
	return DONE();
}
