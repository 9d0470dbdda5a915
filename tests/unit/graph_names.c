/* Dictionaries in merged paths, against a naive answer: trees in which no step repeats
 * (snap_graph.h). */
#include "graph_make.h"
#include "random.h"

#define MAX_NODES 500
#define NAMES     40

enum form { BY_NAME, BY_INDEX, UNNAMED };

struct node {
	uint32_t parent; /* UINT32_MAX: a root */
	uint32_t layer, type, name;
	enum form form;
	uint64_t row;
};

struct model {
	struct node nodes[MAX_NODES];
	uint32_t count;
	bool is_target[MAX_NODES];
	bool leads[MAX_NODES]; /* to a target */
};

static uint64_t random_state = 88172645463325252u;

static uint32_t pick(uint32_t below)
{
	return (uint32_t)((random_next(&random_state) >> 16) % below);
}

/* Types are those of a layer, so that nothing is folded into a step before it. */
static void make(struct model *m, uint32_t round)
{
	uint32_t names = 1 + pick(NAMES), types = 1 + pick(3);
	m->count = 1 + pick(round % 10 == 0 ? MAX_NODES - 1 : 60);
	for (uint32_t i = 0; i < m->count; i++) {
		struct node *node = &m->nodes[i];
		node->parent = i == 0 ? UINT32_MAX : pick(pick(3) == 0 ? i : 1 + i / 8);
		node->layer = i == 0 ? 0 : m->nodes[node->parent].layer + 1;
		if (node->layer > 5) {
			node->parent = 0;
			node->layer = 1;
		}
		node->type = node->layer * 3 + pick(types);
		node->form = pick(6) == 0 ? BY_INDEX : pick(6) == 0 ? UNNAMED : BY_NAME;
		node->name = node->form == BY_NAME ? pick(names) : 0;
		m->leads[i] = m->is_target[i] = pick(3) != 0;
	}
	for (uint32_t i = m->count; i-- > 1;)
		m->leads[m->nodes[i].parent] |= m->leads[i];
}

static void write_model(struct model *m, struct buffer *buffer)
{
	struct snap_writer *writer = begin(buffer);
	char text[16];
	for (uint32_t i = 0; i < m->count; i++) {
		const struct node *node = &m->nodes[i];
		snprintf(text, sizeof(text), "T%02u", node->type);
		object(writer, 16 * (i + 1), 8, type(writer, text, SNAP_TYPE_OBJECT));
	}
	for (uint32_t i = 1; i < m->count; i++) {
		const struct node *node = &m->nodes[i];
		uint64_t label = SNAP_LABEL_NONE;
		snprintf(text, sizeof(text), "n%02u", node->name);
		if (node->form == BY_NAME)
			label = SNAP_LABEL_STRING(string(writer, text));
		else if (node->form == BY_INDEX)
			label = SNAP_LABEL_INDEX(i);
		refer(writer, 16 * (node->parent + 1), 16 * (i + 1), SNAP_REF_FIELD, label);
	}
	root(writer, 16, SNAP_ROOT_GLOBAL, 0);
	finish(writer);
}

/* ---- the naive answer: a text with one line for each step, children sorted by what they say ----
 */

static int compare_text(const void *left, const void *right)
{
	return strcmp(*(char *const *)left, *(char *const *)right);
}

static char *join(char *head, char **parts, size_t count)
{
	qsort(parts, count, sizeof(*parts), compare_text);
	size_t size = strlen(head) + 3;
	for (size_t i = 0; i < count; i++)
		size += strlen(parts[i]);
	char *all = malloc(size);
	REQUIRE(all != NULL);
	strcpy(all, head);
	strcat(all, "(");
	for (size_t i = 0; i < count; i++) {
		strcat(all, parts[i]);
		free(parts[i]);
	}
	strcat(all, ")");
	return all;
}

static bool is_alike(const struct node *a, const struct node *b, bool any_name)
{
	return a->type == b->type && a->form == b->form && (any_name || a->name == b->name);
}

/* The names that lead to nodes like this one, if they are those of a dictionary; else 0. */
static uint32_t dictionary(const struct model *m, const bool *children, const struct node *node)
{
	uint32_t names = 0, nodes = 0;
	bool seen[NAMES] = {false};
	for (uint32_t i = 0; i < m->count; i++) {
		if (!children[i] || !is_alike(node, &m->nodes[i], true))
			continue;
		names += !seen[m->nodes[i].name];
		seen[m->nodes[i].name] = true;
		nodes++;
	}
	return node->form == BY_NAME && names > 8 && nodes < 2 * names ? names : 0;
}

/* Nodes that are one step, and the children of all of them. */
static char *say(const struct model *m, const bool *step, const char *label)
{
	uint32_t objects = 0, ends = 0, type = 0;
	bool *children = calloc(m->count, 1), *said = calloc(m->count, 1);
	bool *next = malloc(m->count);
	char *parts[512], head[64];
	size_t count = 0;
	REQUIRE(children != NULL && said != NULL && next != NULL);
	for (uint32_t i = 0; i < m->count; i++) {
		objects += step[i];
		ends += step[i] && m->is_target[i];
		type = step[i] ? m->nodes[i].type : type;
		children[i] = i > 0 && step[m->nodes[i].parent] && m->leads[i];
	}
	for (uint32_t i = 0; i < m->count; i++) {
		if (!children[i] || said[i])
			continue;
		const struct node *node = &m->nodes[i];
		uint32_t names = dictionary(m, children, node);
		for (uint32_t j = 0; j < m->count; j++) {
			next[j] = children[j] && is_alike(node, &m->nodes[j], names > 0);
			said[j] |= next[j];
		}
		snprintf(head, sizeof(head), names > 0 ? "*%02u" : "n%02u",
			 names > 0 ? names : node->name);
		if (node->form != BY_NAME)
			strcpy(head, node->form == BY_INDEX ? "[]" : "");
		REQUIRE(count < sizeof(parts) / sizeof(parts[0]));
		parts[count++] = say(m, next, head);
	}
	snprintf(head, sizeof(head), "%s T%02u %u<-%u", label, type, objects, ends);
	free(children);
	free(said);
	free(next);
	return join(head, parts, count);
}

/* ---- the library's answer in the same form ---- */

static char *say_step(struct snap_graph *graph, const struct steps *paths, uint32_t index)
{
	const struct snap_graph_step *step = &paths->steps[index];
	const char *name, *label;
	size_t name_size, label_size, count = 0;
	char *parts[512], head[64], word[32] = "";
	REQUIRE(snap_graph_type_name(graph, step->type, &name, &name_size, NULL) == SNAP_OK);
	snprintf(head, sizeof(head), " %.*s %u<-%u", (int)name_size, name, (unsigned)step->objects,
		 (unsigned)step->ends);
	REQUIRE((step->names > 1) == (step->depth > 0 && step->label == SNAP_GRAPH_ANY_NAME));
	if (step->depth > 0) {
		REQUIRE(snap_graph_label_text(graph, step->label, &label, &label_size, NULL) ==
			SNAP_OK);
		snprintf(word, sizeof(word), "%.*s", (int)label_size, label);
	}
	if (word[0] == '[')
		strcpy(word, "[]");
	if (step->names > 1)
		snprintf(word, sizeof(word), "%.1s%02u", label, step->names);
	uint64_t through = step->ends;
	for (uint32_t i = step->first_child; i != UINT32_MAX; i = paths->steps[i].next) {
		REQUIRE(paths->steps[i].parent == index && count < 512);
		REQUIRE(paths->steps[i].depth == step->depth + 1 && i > index);
		REQUIRE(snap_graph_type(graph, paths->steps[i].example) == paths->steps[i].type);
		through += paths->steps[i].through;
		parts[count++] = say_step(graph, paths, i);
	}
	REQUIRE(through == step->through);
	char all[128];
	snprintf(all, sizeof(all), "%s%s", word, head);
	return join(all, parts, count);
}

static bool compare(struct model *m, const struct buffer *buffer, uint64_t *folded)
{
	struct opened opened = open_graph(buffer, false);
	static uint64_t rows[MAX_NODES];
	static bool step[MAX_NODES];
	size_t count = 0;
	for (uint32_t i = 0; i < m->count; i++) {
		REQUIRE(snap_graph_find_address(opened.graph, 16 * (i + 1), &m->nodes[i].row,
						NULL) == SNAP_OK);
		if (m->is_target[i])
			rows[count++] = m->nodes[i].row;
	}
	struct steps paths;
	REQUIRE(snap_graph_search(opened.graph, NULL) == SNAP_OK);
	REQUIRE(merge_paths(opened.graph, rows, count, &paths) == SNAP_OK);
	bool good = paths.unreached == 0 && (count == 0) == (paths.count == 0);
	for (size_t i = 0; i < paths.count; i++)
		*folded += paths.steps[i].names > 1;
	if (good && count > 0) {
		memset(step, 0, sizeof(step));
		step[0] = true;
		char *wanted = say(m, step, ""),
		     *told = say_step(opened.graph, &paths, paths.first);
		good = strcmp(wanted, told) == 0;
		if (!good)
			printf("# wanted %s\n# told   %s\n", wanted, told);
		free(wanted);
		free(told);
	}
	free(paths.steps);
	close_graph(opened);
	return good;
}

static void test_random(uint32_t rounds)
{
	struct buffer buffer = {NULL, 0, 0};
	static struct model m;
	uint64_t folded = 0;
	uint32_t good = 0;
	for (uint32_t round = 0; round < rounds; round++) {
		make(&m, round);
		write_model(&m, &buffer);
		if (!compare(&m, &buffer, &folded))
			break;
		good++;
	}
	CHECK_NAMED(good == rounds, "merged paths with dictionaries agree with the naive answer");
	CHECK_NAMED(folded > rounds / 10, "in which dictionaries occur");
	free(buffer.bytes);
}

/* So many objects of one class, each with so many names; shared: the same names in all. */
static struct snap_graph_step first_field(uint32_t objects, uint32_t names, bool shared,
					  size_t *steps)
{
	struct buffer buffer = {NULL, 0, 0};
	struct snap_writer *writer = begin(&buffer);
	uint32_t list = type(writer, "List", SNAP_TYPE_OBJECT),
		 holder = type(writer, "Holder", SNAP_TYPE_OBJECT),
		 item = type(writer, "Item", SNAP_TYPE_OBJECT);
	char text[32];
	uint64_t *rows = calloc((size_t)objects * names, sizeof(*rows));
	REQUIRE(rows != NULL);
	object(writer, 8, 8, list);
	root(writer, 8, SNAP_ROOT_GLOBAL, 0);
	for (uint64_t i = 0; i < objects; i++) {
		object(writer, 16 + 16 * i, 8, holder);
		refer(writer, 8, 16 + 16 * i, SNAP_REF_ELEMENT, SNAP_LABEL_INDEX(i));
		for (uint64_t j = 0; j < names; j++) {
			uint64_t id = UINT64_C(1) << 40 | (i * names + j) * 16;
			snprintf(text, sizeof(text), "n%u", (unsigned)(shared ? j : i * names + j));
			object(writer, id, 8, item);
			refer(writer, 16 + 16 * i, id, SNAP_REF_FIELD,
			      SNAP_LABEL_STRING(string(writer, text)));
		}
	}
	finish(writer);
	struct opened opened = open_graph(&buffer, false);
	for (uint64_t i = 0; i < (uint64_t)objects * names; i++)
		REQUIRE(snap_graph_find_address(opened.graph, UINT64_C(1) << 40 | i * 16, &rows[i],
						NULL) == SNAP_OK);
	struct steps paths;
	REQUIRE(snap_graph_search(opened.graph, NULL) == SNAP_OK);
	REQUIRE(merge_paths(opened.graph, rows, (size_t)objects * names, &paths) == SNAP_OK);
	*steps = paths.count;
	struct snap_graph_step field = paths.steps[2];
	free(paths.steps);
	close_graph(opened);
	free(rows);
	free(buffer.bytes);
	return field;
}

static void test_classes(void)
{
	size_t steps;
	struct snap_graph_step field = first_field(1000, 12, true, &steps);
	CHECK_NAMED(steps == 14 && field.names == 1 && field.objects == 1000,
		    "fields of a class stay apart, however many");
	field = first_field(1, 8, true, &steps);
	CHECK_NAMED(steps == 10 && field.names == 1, "as do few names");
	field = first_field(1, 9, true, &steps);
	CHECK_NAMED(steps == 3 && field.names == 9 && field.label == SNAP_GRAPH_ANY_NAME,
		    "more names are one");
	field = first_field(1000, 2, false, &steps);
	CHECK_NAMED(steps == 3 && field.names == 2000 && field.objects == 2000,
		    "as are those of many dictionaries");
	field = first_field(1, 5000, false, &steps);
	CHECK_NAMED(steps == 3 && field.ends == 5000, "and those of a large one");
}

int main(void)
{
	test_random(1000);
	test_classes();
	return DONE();
}
