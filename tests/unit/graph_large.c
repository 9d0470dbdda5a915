/* Graphs that are deep, wide, folded or empty, and words for what is in them (snap_graph.h). */
#include "graph_make.h"

/* ---- large graphs ---- */

static uint64_t type_of(struct snap_graph *graph, const char *name)
{
	const char *text;
	size_t size;
	for (uint64_t id = 1;; id++) {
		REQUIRE(snap_graph_type_name(graph, id, &text, &size, NULL) == SNAP_OK);
		if (size == strlen(name) && memcmp(text, name, size) == 0)
			return id;
	}
}

struct last_step {
	struct snap_graph *graph;
	uint64_t steps, nexts;
};

static bool count_step(void *context, const struct snap_graph_reference *reference)
{
	struct last_step *last = context;
	const char *text;
	size_t size;
	if (reference->owner != SNAP_GRAPH_NONE && last->steps++ % 1000 == 0) {
		REQUIRE(snap_graph_label_text(last->graph, reference->label, &text, &size, NULL) ==
			SNAP_OK);
		last->nexts += size == 4 && memcmp(text, "next", 4) == 0;
	}
	return true;
}

/* A root holds a list of so many nodes, doubly linked on demand; the last one's retained bytes and
 * the like are known. */
static void test_list(uint32_t length, bool back)
{
	struct buffer buffer = {NULL, 0, 0};
	struct snap_writer *writer = begin(&buffer);
	uint32_t node = type(writer, "Node", SNAP_TYPE_OBJECT),
		 list = type(writer, "List", SNAP_TYPE_OBJECT);
	uint64_t next = SNAP_LABEL_STRING(string(writer, "next")),
		 head = SNAP_LABEL_STRING(string(writer, "head"));
	uint64_t previous = SNAP_LABEL_STRING(string(writer, "previous"));
	object(writer, 8, 100, list);
	refer(writer, 8, 16, SNAP_REF_FIELD, head);
	for (uint64_t i = 0; i < length; i++) {
		object(writer, 16 + 16 * i, 10, node);
		if (i + 1 < length)
			refer(writer, 16 + 16 * i, 32 + 16 * i, SNAP_REF_FIELD, next);
		if (back && i > 0)
			refer(writer, 16 + 16 * i, 16 * i, SNAP_REF_FIELD, previous);
	}
	root(writer, 8, SNAP_ROOT_GLOBAL, string(writer, "list"));
	finish(writer);
	struct opened opened = open_graph(&buffer, false);
	struct snap_graph *graph = opened.graph;
	uint64_t first, last, rows[2];
	struct snap_graph_cycle cycle;
	REQUIRE(snap_graph_find_address(graph, 8, &first, NULL) == SNAP_OK);
	REQUIRE(snap_graph_find_address(graph, 16 * (uint64_t)length, &last, NULL) == SNAP_OK);
	CHECK(snap_graph_search(graph, NULL) == SNAP_OK &&
	      snap_graph_distance(graph, last) == length);
	CHECK(snap_graph_dominate(graph, NULL) == SNAP_OK &&
	      snap_graph_retained(graph, last) == 10);
	CHECK(snap_graph_retained(graph, first) == 100 + 10 * (uint64_t)length);
	CHECK(snap_graph_find_cycles(graph, NULL) == SNAP_OK &&
	      snap_graph_cycle_count(graph) == (back ? 1 : 0));
	snap_graph_cycle(graph, 0, &cycle);
	CHECK(cycle.objects == (back ? length : 0));
	struct last_step step = {.graph = graph};
	CHECK(snap_graph_path(graph, last, count_step, &step, NULL) == SNAP_OK);
	CHECK(step.steps == length && step.nexts == length / 1000 - 1);
	CHECK(snap_graph_attribute_roots(graph, NULL) == SNAP_OK &&
	      snap_graph_group_of(graph, last) == 0);
	rows[0] = last;
	rows[1] = first;
	struct steps paths;
	REQUIRE(merge_paths(graph, rows, 2, &paths) == SNAP_OK);
	CHECK(paths.count == 3 && paths.steps[2].repeats == length - 1 && paths.steps[2].ends == 1);
	CHECK(paths.steps[0].ends == 1 && paths.steps[0].through == 2 &&
	      paths.steps[2].objects == length - 1);
	free(paths.steps);
	close_graph(opened);
	free(buffer.bytes);
}

/* A list of nodes that each hold an item, which the root holds too: the worst case of climbing step
 * by step. */
static void test_long_climbs(uint32_t length)
{
	struct buffer buffer = {NULL, 0, 0};
	struct snap_writer *writer = begin(&buffer);
	uint32_t node = type(writer, "Node", SNAP_TYPE_OBJECT),
		 item = type(writer, "Item", SNAP_TYPE_OBJECT);
	uint64_t base = UINT64_C(1) << 40;
	for (uint64_t i = 1; i <= length; i++) {
		object(writer, i, 10, node);
		object(writer, base + i, 1, item);
		if (i < length)
			refer(writer, i, i + 1, SNAP_REF_FIELD,
			      SNAP_LABEL_STRING(string(writer, "next")));
		refer(writer, i, base + i, SNAP_REF_FIELD,
		      SNAP_LABEL_STRING(string(writer, "item")));
		/* Every third item is held from half-way down the list only. */
		if (i % 3 == 0)
			refer(writer, length / 2, base + i, SNAP_REF_ELEMENT, SNAP_LABEL_INDEX(i));
	}
	root(writer, 1, SNAP_ROOT_GLOBAL, 0);
	for (uint64_t i = 1; i <= length; i++)
		if (i % 3 != 0)
			root(writer, base + i, SNAP_ROOT_INTERNED, 0);
	finish(writer);
	struct opened opened = open_graph(&buffer, false);
	REQUIRE(snap_graph_dominate(opened.graph, NULL) == SNAP_OK);
	uint64_t half, bad = 0, nodes = type_of(opened.graph, "Node");
	REQUIRE(snap_graph_find_address(opened.graph, length / 2, &half, NULL) == SNAP_OK);
	for (uint64_t row = 0; row < 2 * (uint64_t)length; row++) {
		struct snap_graph_object info;
		REQUIRE(snap_graph_object(opened.graph, row, &info, NULL) == SNAP_OK);
		uint64_t dominator = snap_graph_dominator(opened.graph, row),
			 i = info.address % base, above = 0;
		if (dominator != SNAP_GRAPH_NONE) {
			REQUIRE(snap_graph_object(opened.graph, dominator, &info, NULL) == SNAP_OK);
			above = info.address;
		}
		if (snap_graph_type(opened.graph, row) == nodes)
			bad += above != i - 1;
		else if (i % 3 != 0)
			bad += dominator != SNAP_GRAPH_NONE;
		else
			bad += above != (i < length / 2 ? i : length / 2);
	}
	CHECK_NAMED(bad == 0, "dominators at the end of long climbs");
	close_graph(opened);
	free(buffer.bytes);
}

/* A cycle that leads back from the lowest to the highest row and so on inwards. */
static void test_zigzag(uint64_t nodes)
{
	struct buffer buffer = {NULL, 0, 0};
	struct snap_writer *writer = begin(&buffer);
	uint32_t node = type(writer, "Node", SNAP_TYPE_OBJECT);
	for (uint64_t i = 0; i < nodes; i++) {
		uint64_t id = i % 2 ? nodes - i / 2 : i / 2 + 1;
		uint64_t next = (i + 1) % nodes;
		object(writer, id, 8, node);
		refer(writer, id, next % 2 ? nodes - next / 2 : next / 2 + 1, SNAP_REF_FIELD,
		      SNAP_LABEL_NONE);
	}
	root(writer, 1, SNAP_ROOT_GLOBAL, 0);
	finish(writer);
	struct opened opened = open_graph(&buffer, false);
	struct snap_graph_cycle cycle;
	REQUIRE(snap_graph_search(opened.graph, NULL) == SNAP_OK);
	REQUIRE(snap_graph_find_cycle_of(opened.graph, 0, NULL) == SNAP_OK);
	snap_graph_cycle(opened.graph, 0, &cycle);
	CHECK(snap_graph_cycle_count(opened.graph) == 1 && cycle.objects == nodes);
	close_graph(opened);
	free(buffer.bytes);
}

/* Dictionaries between the nodes of a list: a repetition of two steps. */
static void test_folding(void)
{
	struct buffer buffer = {NULL, 0, 0};
	struct snap_writer *writer = begin(&buffer);
	uint32_t node = type(writer, "Node", SNAP_TYPE_OBJECT),
		 dict = type(writer, "dict", SNAP_TYPE_OBJECT);
	uint64_t next = SNAP_LABEL_STRING(string(writer, "next")),
		 own = SNAP_LABEL_STRING(string(writer, "__dict__"));
	for (uint64_t i = 1; i <= 50; i++) {
		object(writer, 10 * i, 10, node);
		object(writer, 10 * i + 1, 10, dict);
		refer(writer, 10 * i, 10 * i + 1, SNAP_REF_FIELD, own);
		if (i < 50)
			refer(writer, 10 * i + 1, 10 * i + 10, SNAP_REF_VALUE, next);
	}
	root(writer, 10, SNAP_ROOT_GLOBAL, string(writer, "list"));
	finish(writer);
	struct opened opened = open_graph(&buffer, false);
	uint64_t rows[100];
	size_t count = 0;
	for (uint64_t row = 0; row < 100; row++)
		if (snap_graph_type(opened.graph, row) == type_of(opened.graph, "Node"))
			rows[count++] = row;
	REQUIRE(count == 50 && snap_graph_search(opened.graph, NULL) == SNAP_OK);
	struct steps paths;
	REQUIRE(merge_paths(opened.graph, rows, count, &paths) == SNAP_OK);
	CHECK(paths.count == 3 && paths.steps[0].ends == 1 && paths.steps[2].ends == 49);
	CHECK(paths.steps[1].repeats == 49 && paths.steps[1].objects == 49 &&
	      paths.steps[2].parent == 1);
	free(paths.steps);
	close_graph(opened);
	free(buffer.bytes);
}

struct tail {
	uint64_t count, sum;
};

static bool add_tail(void *context, const struct snap_graph_reference *reference)
{
	struct tail *tail = context;
	REQUIRE(reference->label == SNAP_LABEL_INDEX(tail->count));
	tail->count++;
	tail->sum += reference->target;
	return true;
}

/* Arrays of many lengths, each of them a root with a label of its own. */
static void test_many_arrays(uint32_t arrays)
{
	struct buffer buffer = {NULL, 0, 0};
	struct snap_writer *writer = begin(&buffer);
	uint32_t array = type(writer, "Array", SNAP_TYPE_ARRAY),
		 item = type(writer, "Item", SNAP_TYPE_OBJECT);
	char name[16];
	for (uint64_t i = 0; i < arrays; i++) {
		object(writer, 16 + 16 * i, 8, array);
		for (uint64_t j = 0; j < i % 13; j++)
			refer(writer, 16 + 16 * i, 8, SNAP_REF_ELEMENT, SNAP_LABEL_INDEX(j));
		if (i % 13 > 5)
			refer(writer, 16 + 16 * i, 16, SNAP_REF_ELEMENT, SNAP_LABEL_INDEX(i % 13));
		snprintf(name, sizeof(name), "root%d", (int)i);
		root(writer, 16 + 16 * i, SNAP_ROOT_GLOBAL, string(writer, name));
	}
	object(writer, 8, 1, item);
	finish(writer);
	struct opened opened = open_graph(&buffer, false);
	struct snap_graph *graph = opened.graph;
	uint64_t one, zero, bad = 0, *rows = malloc(arrays * sizeof(*rows));
	REQUIRE(rows != NULL && snap_graph_find_address(graph, 8, &one, NULL) == SNAP_OK);
	REQUIRE(snap_graph_find_address(graph, 16, &zero, NULL) == SNAP_OK);
	REQUIRE(snap_graph_attribute_roots(graph, NULL) == SNAP_OK);
	for (uint64_t i = 0; i < arrays; i++) {
		struct tail tail = {0, 0};
		struct snap_graph_group group;
		REQUIRE(snap_graph_find_address(graph, 16 + 16 * i, &rows[i], NULL) == SNAP_OK);
		REQUIRE(snap_graph_owned(graph, rows[i], add_tail, &tail, NULL) == SNAP_OK);
		bad += tail.count != i % 13 + (i % 13 > 5) ||
		       tail.sum != i % 13 * one + (i % 13 > 5) * zero;
		snprintf(name, sizeof(name), "root%d", (int)i);
		snap_graph_group(graph, snap_graph_group_of(graph, rows[i]), &group);
		bad += group.label_size != strlen(name) ||
		       memcmp(group.label, name, group.label_size) != 0;
	}
	CHECK_NAMED(bad == 0, "tails and roots of many arrays");
	struct steps paths;
	REQUIRE(merge_paths(graph, rows, arrays, &paths) == SNAP_OK);
	CHECK(paths.count == arrays && snap_graph_group_count(graph) == arrays);
	free(paths.steps);
	free(rows);
	close_graph(opened);
	free(buffer.bytes);
}

static bool is_label(struct snap_graph *graph, uint64_t label, const char *wanted)
{
	const char *text;
	size_t size;
	REQUIRE(snap_graph_label_text(graph, label, &text, &size, NULL) == SNAP_OK);
	return size == strlen(wanted) && memcmp(text, wanted, size) == 0;
}

static void test_words(void)
{
	struct buffer buffer = {NULL, 0, 0};
	struct snap_writer *writer = begin(&buffer);
	struct snap_object named = {
		.id = 0x20, .size = 1, .count = 1, .type = type(writer, "str", SNAP_TYPE_STRING)};
	object(writer, 0x10, 1, named.type);
	named.name = string(writer, "spam");
	REQUIRE(snap_writer_object(writer, &named, NULL) == SNAP_OK);
	named = (struct snap_object){.id = 0x30, .size = 1, .count = 1, .type = named.type};
	REQUIRE(snap_writer_content(writer, 4, 0, string(writer, "eggs"), &named.content, NULL) ==
		SNAP_OK);
	REQUIRE(snap_writer_object(writer, &named, NULL) == SNAP_OK);
	root(writer, 0x10, SNAP_ROOT_THREAD_OBJECT, 0);
	root(writer, 0x20, SNAP_ROOT_GLOBAL, string(writer, "module"));
	finish(writer);
	struct opened opened = open_graph(&buffer, false);
	struct snap_graph *graph = opened.graph;
	static const char *const words[] = {"{str 0x10}", "{spam}", "{eggs}"};
	uint64_t row;
	for (uint64_t i = 0; i < 3; i++) {
		REQUIRE(snap_graph_find_address(graph, 16 + 16 * i, &row, NULL) == SNAP_OK);
		CHECK_NAMED(is_label(graph, SNAP_LABEL_OBJECT(row + 1), words[i]), words[i]);
	}
	CHECK(is_label(graph, SNAP_LABEL_INDEX(7), "[7]") &&
	      is_label(graph, SNAP_GRAPH_ANY_INDEX, "[]"));
	CHECK(is_label(graph, SNAP_GRAPH_ANY_KEY, "{}") && is_label(graph, SNAP_LABEL_NONE, ""));
	const char *text;
	size_t size;
	CHECK(snap_graph_label_text(graph, SNAP_LABEL_OBJECT(4), &text, &size, NULL) ==
	      SNAP_CORRUPT);
	CHECK(snap_graph_root_text(graph, 0, &text, &size, NULL) == SNAP_OK && size == 6 &&
	      !memcmp(text, "thread", 6));
	CHECK(snap_graph_root_text(graph, 1, &text, &size, NULL) == SNAP_OK && size == 6 &&
	      !memcmp(text, "module", 6));
	CHECK(snap_graph_root_text(graph, 2, &text, &size, NULL) == SNAP_MISUSE);
	CHECK(!strcmp(snap_reference_kind_name(SNAP_REF_SHORTCUT), "shortcut") &&
	      snap_reference_kind_name(15) == NULL);
	CHECK(!strcmp(snap_root_kind_name(SNAP_ROOT_FOREIGN), "foreign") &&
	      snap_root_kind_name(13) == NULL);
	close_graph(opened);
	free(buffer.bytes);
}

static void test_empty(void)
{
	struct buffer buffer = {NULL, 0, 0};
	finish(begin(&buffer));
	struct opened opened = open_graph(&buffer, false);
	struct snap_graph *graph = opened.graph;
	struct steps paths;
	uint64_t row = 0, bytes = 1, objects = 1;
	CHECK(snap_graph_search(graph, NULL) == SNAP_OK &&
	      snap_graph_dominate(graph, NULL) == SNAP_OK);
	CHECK(snap_graph_find_cycles(graph, NULL) == SNAP_OK && snap_graph_cycle_count(graph) == 0);
	CHECK(snap_graph_attribute_roots(graph, NULL) == SNAP_OK &&
	      snap_graph_group_count(graph) == 0);
	CHECK(merge_paths(graph, &row, 1, &paths) == SNAP_OK && paths.count == 0);
	CHECK(paths.first == UINT32_MAX && paths.unreached == 0);
	free(paths.steps);
	struct snap_graph_set *set = set_of(graph, &row, 1);
	CHECK(snap_graph_retained_by(graph, set, &bytes, &objects, NULL) == SNAP_OK && bytes == 0 &&
	      objects == 0);
	snap_graph_set_close(set);
	CHECK(snap_graph_owned(graph, 0, count_step, NULL, NULL) == SNAP_MISUSE);
	CHECK(snap_graph_references(graph, count_step, NULL, NULL) == SNAP_OK);
	close_graph(opened);
	free(buffer.bytes);
}

/* ---- an index of several stretches ---- */

static bool mix_reference(void *context, const struct snap_graph_reference *reference)
{
	uint64_t *sum = context;
	*sum = *sum * 31 + reference->owner * 7 + reference->target;
	return true;
}

static void mix_row(void *context, uint64_t row, uint64_t bytes)
{
	uint64_t *sum = context;
	*sum = *sum * 31 + row * 7 + bytes;
}

/* All that is known of a row, as one number. */
static uint64_t ask_of(struct snap_graph *graph, uint64_t row)
{
	struct snap_graph_set *set = set_of(graph, &row, 1);
	struct snap_graph_object object;
	uint64_t sum = 0, found = SNAP_GRAPH_NONE;
	REQUIRE(snap_graph_object(graph, row, &object, NULL) == SNAP_OK);
	REQUIRE(snap_graph_find_address(graph, object.address, &found, NULL) == SNAP_OK);
	REQUIRE(found == row);
	REQUIRE(snap_graph_owners(graph, row, mix_reference, &sum, NULL) == SNAP_OK);
	REQUIRE(snap_graph_references_to(graph, set, mix_reference, &sum, NULL) == SNAP_OK);
	REQUIRE(snap_graph_freed_by(graph, set, mix_row, &sum, NULL) == SNAP_OK);
	mix_row(&sum, snap_graph_parent(graph, row), snap_graph_distance(graph, row));
	mix_row(&sum, snap_graph_dominator(graph, row), snap_graph_retained(graph, row));
	snap_graph_set_close(set);
	return sum;
}

static void test_stretches(void)
{
	const uint64_t stretch = 65536, nodes = 2 * stretch + 100;
	struct buffer plain = {NULL, 0, 0}, indexed = {NULL, 0, 0};
	struct snap_writer *writer = begin(&plain);
	uint32_t node = type(writer, "Node", SNAP_TYPE_OBJECT);
	for (uint64_t i = 0; i < nodes; i++) {
		object(writer, i + 1, 8 + i % 5, node);
		refer(writer, i + 1, 2 * i + 1 < nodes ? 2 * i + 2 : 0, SNAP_REF_FIELD,
		      SNAP_LABEL_NONE);
		refer(writer, i + 1, 2 * i + 2 < nodes ? 2 * i + 3 : 0, SNAP_REF_FIELD,
		      SNAP_LABEL_NONE);
		refer(writer, i + 1, i % 3 ? 0 : i * 7919 % nodes + 1, SNAP_REF_FIELD,
		      SNAP_LABEL_NONE);
	}
	root(writer, 1, SNAP_ROOT_GLOBAL, 0);
	finish(writer);
	REQUIRE(add_index(&plain, &indexed));
	struct opened one = open_graph(&plain, false), other = open_graph(&indexed, false);
	REQUIRE(snap_graph_search(one.graph, NULL) == SNAP_OK &&
		snap_graph_search(other.graph, NULL) == SNAP_OK);
	REQUIRE(snap_graph_dominate(one.graph, NULL) == SNAP_OK &&
		snap_graph_dominate(other.graph, NULL) == SNAP_OK);
	uint64_t differ = 0;
	for (uint64_t end = stretch; end <= 3 * stretch; end += stretch)
		for (uint64_t row = end - 2; row < end + 2; row++)
			differ +=
				ask_of(one.graph, row % nodes) != ask_of(other.graph, row % nodes);
	CHECK_NAMED(differ == 0, "where stretches meet an index says what the heap says");
	CHECK(snap_index_verify(other.reader, NULL, NULL) == SNAP_OK);
	close_graph(one);
	close_graph(other);
	free(plain.bytes);
	free(indexed.bytes);
}

int main(void)
{
	test_empty();
	test_stretches();
	test_folding();
	test_many_arrays(3000);
	test_words();
	test_long_climbs(20000);
	test_zigzag(100000);
	test_list(1000000, false);
	test_list(100000, true);
	return DONE();
}
