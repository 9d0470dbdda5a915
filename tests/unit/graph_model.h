/* Random graphs, written, and found again in what was read. */
#ifndef GRAPH_MODEL_H
#define GRAPH_MODEL_H

#include "graph_make.h"

#include "graph/graph.h"
#include "random.h"

#define MAX_NODES 24
#define MAX_EDGES 160
#define MAX_ROOTS 6
#define TYPES     5

struct edge {
	uint32_t from, to; /* to: MAX_NODES is an object that was never written */
	enum snap_reference_kind kind;
	uint64_t label;
	uint32_t key;  /* node that is the label, + 1 */
	uint32_t name; /* string that is the label, + 1 */
};

struct model {
	uint32_t nodes, edge_count, root_count;
	uint64_t size[MAX_NODES];
	uint32_t type[MAX_NODES];
	struct edge edges[MAX_EDGES];
	uint32_t roots[MAX_ROOTS], root_labels[MAX_ROOTS];
	uint64_t row[MAX_NODES];  /* where the snapshot has it */
	uint32_t node[MAX_NODES]; /* back */
	uint32_t labels[4];       /* string ids: the writer's, then the file's */
	uint32_t types[TYPES];    /* ids alike; the last two are synthetic */
	bool follow_weak;
};

static uint64_t random_state = 88172645463325252u;

static uint32_t pick(uint32_t below)
{
	return (uint32_t)((random_next(&random_state) >> 16) % below);
}

static uint64_t id_of(uint32_t node)
{
	return 0x1000 + (uint64_t)(node * 7919 % 1009) * 16;
}

static void add_edge(struct model *m, uint32_t from, uint32_t to)
{
	static const enum snap_reference_kind kinds[] = {
		SNAP_REF_FIELD, SNAP_REF_FIELD,    SNAP_REF_ELEMENT, SNAP_REF_VALUE,
		SNAP_REF_WEAK,  SNAP_REF_SHORTCUT, SNAP_REF_INTERNAL};
	if (m->edge_count == MAX_EDGES)
		return;
	struct edge *edge = &m->edges[m->edge_count];
	*edge = (struct edge){.from = from, .to = to, .kind = kinds[pick(7)]};
	if (edge->kind == SNAP_REF_ELEMENT)
		edge->label = SNAP_LABEL_INDEX(m->edge_count);
	else if (edge->kind == SNAP_REF_VALUE)
		edge->key = pick(m->nodes) + 1;
	else if (pick(3) == 0)
		edge->label = SNAP_LABEL_NONE;
	else
		edge->name = pick(4) + 1;
	m->edge_count++;
}

static void add_edges(struct model *m, uint32_t form)
{
	uint32_t n = m->nodes;
	switch (form) {
	case 0: /* any */
		for (uint32_t i = pick(3 * n + 1); i-- > 0;)
			add_edge(m, pick(n), pick(n));
		break;
	case 1: /* no cycles */
		for (uint32_t i = pick(3 * n + 1); i-- > 0;) {
			uint32_t a = pick(n), b = pick(n);
			if (a != b)
				add_edge(m, a < b ? a : b, a < b ? b : a);
		}
		break;
	case 2: /* a chain with side steps */
		for (uint32_t i = 0; i + 1 < n; i++)
			add_edge(m, i, i + 1);
		for (uint32_t i = pick(n); i-- > 0;)
			add_edge(m, pick(n), pick(n));
		break;
	case 3: /* cliques */
		for (uint32_t i = 0; i < n; i++)
			for (uint32_t j = 0; j < n; j++)
				if (i / 4 == j / 4)
					add_edge(m, i, j);
		for (uint32_t i = pick(5); i-- > 0;)
			add_edge(m, pick(n), pick(n));
		break;
	case 4: /* twice the same, itself, and nowhere */
		for (uint32_t i = 0; i < n; i++) {
			uint32_t to = pick(n);
			add_edge(m, i, to);
			add_edge(m, i, to);
			if (pick(3) == 0)
				add_edge(m, i, i);
			if (pick(3) == 0)
				add_edge(m, i, MAX_NODES);
		}
		break;
	default: /* one array that holds much */
		for (uint32_t i = 0; i < MAX_EDGES / 2; i++)
			add_edge(m, pick(2) % n, pick(n));
		for (uint32_t i = pick(n); i-- > 0;)
			add_edge(m, pick(n), pick(n));
		break;
	}
}

static const char *const label_names[4] = {"next", "left", "right", "(S)"};
static const char *const type_names[TYPES] = {"A", "B", "C", "(S)", "(T)"};

static uint64_t label_of(const struct model *m, const struct edge *edge)
{
	return edge->name != 0 ? SNAP_LABEL_STRING(m->labels[edge->name - 1]) : edge->label;
}

static void make_random(struct model *m, struct buffer *buffer, uint32_t round)
{
	struct snap_writer *writer = begin(buffer);
	memset(m, 0, sizeof(*m));
	m->follow_weak = round % 5 == 0;
	for (int i = 0; i < 4; i++)
		m->labels[i] = string(writer, label_names[i]);
	for (uint32_t i = 0; i < TYPES; i++)
		m->types[i] =
			type(writer, type_names[i], i < 3 ? SNAP_TYPE_OBJECT : SNAP_TYPE_SYNTHETIC);
	m->nodes = 1 + pick(MAX_NODES);
	add_edges(m, round % 6);
	for (uint32_t i = 0; i < m->nodes; i++) {
		m->size[i] = pick(100);
		m->type[i] = pick(8) == 0 ? 3 + pick(2) : pick(3);
		object(writer, id_of(i), m->size[i], m->types[m->type[i]]);
	}
	for (uint32_t i = 0; i < m->edge_count; i++) {
		const struct edge *e = &m->edges[i];
		uint64_t to = e->to == MAX_NODES ? 1 : id_of(e->to);
		if (e->key != 0)
			REQUIRE(snap_writer_keyed_reference(writer, id_of(e->from), to, e->kind,
							    id_of(e->key - 1), NULL) == SNAP_OK);
		else
			refer(writer, id_of(e->from), to, e->kind, label_of(m, e));
	}
	m->root_count = pick(MAX_ROOTS);
	for (uint32_t i = 0; i < m->root_count; i++) {
		m->roots[i] = pick(m->nodes);
		m->root_labels[i] = pick(4);
		root(writer, id_of(m->roots[i]), SNAP_ROOT_GLOBAL,
		     m->root_labels[i] == 0 ? 0 : m->labels[m->root_labels[i]]);
	}
	finish(writer);
}

/* The writer numbers names anew. */
static inline void find_names(struct model *m, struct opened opened)
{
	const char *text;
	size_t size;
	for (uint32_t id = 1; id <= snap_reader_row_count(opened.reader, SNAP_STRINGS); id++) {
		REQUIRE(snap_reader_string(opened.reader, id, &text, &size, NULL) == SNAP_OK);
		for (int i = 0; i < 4; i++)
			if (strlen(label_names[i]) == size &&
			    memcmp(label_names[i], text, size) == 0)
				m->labels[i] = id;
	}
	for (uint32_t id = 1; id <= snap_reader_row_count(opened.reader, SNAP_TYPES); id++) {
		REQUIRE(snap_graph_type_name(opened.graph, id, &text, &size, NULL) == SNAP_OK);
		for (int i = 0; i < TYPES; i++)
			if (strlen(type_names[i]) == size && memcmp(type_names[i], text, size) == 0)
				m->types[i] = id;
	}
}

static inline void find_rows(struct model *m, struct snap_graph *graph)
{
	for (uint32_t v = 0; v < m->nodes; v++) {
		struct snap_graph_object info;
		REQUIRE(snap_graph_find_address(graph, id_of(v), &m->row[v], NULL) == SNAP_OK);
		REQUIRE(m->row[v] < m->nodes);
		m->node[m->row[v]] = v;
		REQUIRE(snap_graph_object(graph, m->row[v], &info, NULL) == SNAP_OK);
		REQUIRE(info.address == id_of(v) && info.bytes == m->size[v] &&
			info.type == m->types[m->type[v]]);
		REQUIRE(info.kind == (m->type[v] < 3 ? SNAP_TYPE_OBJECT : SNAP_TYPE_SYNTHETIC));
		REQUIRE(snap_graph_type(graph, m->row[v]) == info.type);
	}
	uint64_t row;
	REQUIRE(snap_graph_find_address(graph, 7, &row, NULL) == SNAP_END);
}

#endif
