/* What is true of random graphs, found the slow way. */
#ifndef GRAPH_CHECKS_H
#define GRAPH_CHECKS_H

#include "graph_model.h"

static bool is_followed(const struct model *m, const struct edge *edge)
{
	return edge->to < m->nodes && (m->follow_weak || edge->kind < SNAP_REF_FIRST_WEAK);
}

/* Distances from the roots where some nodes are gone; UINT32_MAX: not reached. */
static void relax(const struct model *m, uint32_t gone, uint32_t distance[MAX_NODES])
{
	memset(distance, 0xff, MAX_NODES * sizeof(*distance));
	for (uint32_t i = 0; i < m->root_count; i++)
		if (!(gone >> m->roots[i] & 1))
			distance[m->roots[i]] = 0;
	for (bool changed = true; changed;) {
		changed = false;
		for (uint32_t i = 0; i < m->edge_count; i++) {
			const struct edge *e = &m->edges[i];
			if (!is_followed(m, e) || distance[e->from] == UINT32_MAX ||
			    gone >> e->to & 1 || distance[e->to] <= distance[e->from] + 1)
				continue;
			distance[e->to] = distance[e->from] + 1;
			changed = true;
		}
	}
}

static void check_search(const struct model *m, struct snap_graph *graph)
{
	uint32_t distance[MAX_NODES];
	relax(m, 0, distance);
	REQUIRE(snap_graph_search(graph, NULL) == SNAP_OK);
	for (uint32_t v = 0; v < m->nodes; v++) {
		uint64_t wanted = distance[v] == UINT32_MAX ? SNAP_GRAPH_NONE : distance[v];
		REQUIRE(snap_graph_distance(graph, m->row[v]) == wanted);
	}
	REQUIRE(snap_graph_distance(graph, m->nodes) == SNAP_GRAPH_NONE);
}

struct told {
	uint64_t gone, bytes; /* gone: bits */
};

static void tell_gone(void *context, uint64_t row, uint64_t bytes)
{
	struct told *told = context;
	REQUIRE(!(told->gone >> row)); /* rows ascend */
	told->gone |= UINT64_C(1) << row;
	told->bytes += bytes;
}

/* What one object frees is what it dominates. */
static void check_freed(const struct model *m, struct snap_graph *graph, uint32_t v,
			uint32_t dominated)
{
	struct told told = {0, 0};
	uint64_t wanted = 0;
	for (uint32_t w = 0; w < m->nodes; w++)
		if (dominated >> w & 1)
			wanted |= UINT64_C(1) << m->row[w];
	struct snap_graph_set *set = set_of(graph, &m->row[v], 1);
	REQUIRE(snap_graph_freed_by(graph, set, tell_gone, &told, NULL) == SNAP_OK);
	snap_graph_set_close(set);
	REQUIRE(told.gone == wanted);
}

struct branches_seen {
	uint64_t row[MAX_NODES], retained[MAX_NODES];
	uint32_t count[MAX_NODES], told;
};

static bool see_branches(void *context, const struct snap_graph_branch *branches, size_t count)
{
	struct branches_seen *seen = context;
	for (size_t i = 0; i < count; i++, seen->told++) {
		REQUIRE(seen->told < MAX_NODES);
		seen->row[seen->told] = branches[i].row;
		seen->count[seen->told] = (uint32_t)branches[i].count;
		seen->retained[seen->told] = branches[i].retained;
	}
	return true;
}

/* A branch is what its first object dominates, no more and no less. */
static void check_branches(const struct model *m, struct snap_graph *graph,
			   const uint32_t dominated[MAX_NODES])
{
	struct branches_seen seen = {.told = 0};
	uint32_t node[MAX_NODES] = {0}, told = 0;
	enum snap_status status = snap_graph_branches(graph, see_branches, &seen, NULL);
	if (status == SNAP_END && (graph->indexed.is_there ||
				   graph->options.max_memory_bytes < SNAP_GRAPH_DEFAULT_MEMORY)) {
		REQUIRE(seen.told == 0);
		return;
	}
	REQUIRE(status == SNAP_OK);
	for (uint32_t i = 0; i < seen.told; i++)
		while (m->row[node[i]] != seen.row[i])
			REQUIRE(++node[i] < m->nodes);
	for (uint32_t i = 0; i < seen.told; i++) {
		uint32_t inside = 0;
		REQUIRE(seen.count[i] <= seen.told - i);
		for (uint32_t j = i; j < i + seen.count[i]; j++)
			inside |= UINT32_C(1) << node[j];
		REQUIRE(inside == dominated[node[i]]);
		REQUIRE(seen.retained[i] == snap_graph_retained(graph, seen.row[i]));
	}
	for (uint32_t v = 0; v < m->nodes; v++)
		told += dominated[v] != 0;
	REQUIRE(told == seen.told);
}

static void check_dominators(const struct model *m, struct snap_graph *graph)
{
	uint32_t distance[MAX_NODES], dominated[MAX_NODES] = {0}; /* bits: what v dominates */
	relax(m, 0, distance);
	for (uint32_t v = 0; v < m->nodes; v++) {
		uint32_t without[MAX_NODES];
		relax(m, UINT32_C(1) << v, without);
		for (uint32_t w = 0; w < m->nodes; w++)
			if (distance[w] != UINT32_MAX && without[w] == UINT32_MAX &&
			    distance[v] != UINT32_MAX)
				dominated[v] |= UINT32_C(1) << w;
	}
	uint64_t retained[MAX_NODES] = {0}, dominator[MAX_NODES];
	for (uint32_t v = 0; v < m->nodes; v++) {
		int fewest = 64;
		dominator[v] = SNAP_GRAPH_NONE;
		for (uint32_t w = 0; w < m->nodes; w++) {
			if (dominated[v] >> w & 1)
				retained[v] += m->size[w];
			/* The closest dominator dominates least. */
			if (w != v && dominated[w] >> v & 1 &&
			    __builtin_popcount(dominated[w]) < fewest) {
				fewest = __builtin_popcount(dominated[w]);
				dominator[v] = m->row[w];
			}
		}
	}
	REQUIRE(snap_graph_search(graph, NULL) == SNAP_OK);
	for (uint32_t v = 0; v < m->nodes; v++) {
		REQUIRE(snap_graph_dominate_row(graph, m->row[v], NULL) == SNAP_OK);
		for (uint32_t w = 0; w < m->nodes; w++) {
			bool is_told = graph->indexed.is_there || dominated[w] >> v & 1;
			uint64_t found = snap_graph_retained(graph, m->row[w]);
			REQUIRE(found == (is_told ? retained[w] : 0));
			found = snap_graph_dominator(graph, m->row[w]);
			REQUIRE(found == (is_told ? dominator[w] : SNAP_GRAPH_NONE));
		}
		check_freed(m, graph, v, dominated[v]);
		check_freed(m, graph, 0, dominated[0]);
	}
	REQUIRE(snap_graph_dominate(graph, NULL) == SNAP_OK);
	for (uint32_t v = 0; v < m->nodes; v++) {
		REQUIRE(snap_graph_retained(graph, m->row[v]) == retained[v]);
		REQUIRE(snap_graph_dominator(graph, m->row[v]) == dominator[v]);
	}
	check_branches(m, graph, dominated);
}

static void check_retained_by(const struct model *m, struct snap_graph *graph)
{
	uint32_t distance[MAX_NODES], without[MAX_NODES], gone = 0;
	uint64_t rows[MAX_NODES], bytes, objects, wanted_bytes = 0, wanted_objects = 0;
	struct told told = {0, 0};
	uint64_t wanted = 0;
	size_t count = 0;
	for (uint32_t v = 0; v < m->nodes; v++)
		if (pick(4) == 0) {
			gone |= UINT32_C(1) << v;
			rows[count++] = m->row[v];
		}
	relax(m, 0, distance);
	relax(m, gone, without);
	for (uint32_t v = 0; v < m->nodes; v++)
		if (distance[v] != UINT32_MAX && without[v] == UINT32_MAX) {
			wanted_bytes += m->size[v];
			wanted_objects++;
			wanted |= UINT64_C(1) << m->row[v];
		}
	struct snap_graph_set *set = set_of(graph, rows, count);
	REQUIRE(snap_graph_retained_by(graph, set, &bytes, &objects, NULL) == SNAP_OK);
	REQUIRE(bytes == wanted_bytes && objects == wanted_objects);
	REQUIRE(snap_graph_freed_by(graph, set, tell_gone, &told, NULL) == SNAP_OK);
	snap_graph_set_close(set);
	REQUIRE(told.gone == wanted && told.bytes == wanted_bytes);
}

/* The cycle of each object alone, or what there is where all were found before. */
static void check_circles(const struct model *m, struct snap_graph *graph, bool (*reach)[MAX_NODES])
{
	for (uint32_t v = 0; v < m->nodes; v++) {
		struct snap_graph_cycle info, wanted = {0, 0, SNAP_GRAPH_NONE};
		REQUIRE(snap_graph_find_cycle_of(graph, m->row[v], NULL) == SNAP_OK);
		uint64_t cycle = snap_graph_cycle_of(graph, m->row[v]);
		REQUIRE((cycle != SNAP_GRAPH_NONE) == reach[v][v]);
		for (uint32_t w = 0; w < m->nodes; w++) {
			bool together = reach[v][w] && reach[w][v];
			REQUIRE(!reach[v][v] ||
				together == (snap_graph_cycle_of(graph, m->row[w]) == cycle));
			wanted.objects += together;
			wanted.bytes += together ? m->size[w] : 0;
			if (together && m->row[w] < wanted.first)
				wanted.first = m->row[w];
		}
		snap_graph_cycle(graph, cycle, &info);
		REQUIRE(info.objects == wanted.objects && info.bytes == wanted.bytes &&
			info.first == wanted.first);
	}
}

/* What would be free without each, if all members of one went. */
static void check_kept(const struct model *m, struct snap_graph *graph)
{
	uint32_t distance[MAX_NODES], without[MAX_NODES];
	relax(m, 0, distance);
	REQUIRE(snap_graph_retain_cycles(graph, NULL) == SNAP_OK);
	REQUIRE(snap_graph_search(graph, NULL) == SNAP_OK);
	REQUIRE(snap_graph_find_keepers(graph, NULL) == SNAP_OK);
	for (uint64_t i = 0; i < snap_graph_cycle_count(graph); i++) {
		struct snap_graph_keeper keeper;
		uint64_t bytes = 0;
		uint32_t gone = 0;
		for (uint32_t v = 0; v < m->nodes; v++)
			gone |= (snap_graph_cycle_of(graph, m->row[v]) == i ? UINT32_C(1) : 0) << v;
		relax(m, gone, without);
		for (uint32_t v = 0; v < m->nodes; v++)
			if (distance[v] != UINT32_MAX && without[v] == UINT32_MAX)
				bytes += m->size[v];
		snap_graph_keeper(graph, i, &keeper);
		REQUIRE(keeper.retained == bytes);
	}
}

static void check_cycles(const struct model *m, struct snap_graph *graph)
{
	bool reach[MAX_NODES][MAX_NODES] = {{false}};
	for (uint32_t i = 0; i < m->edge_count; i++)
		if (is_followed(m, &m->edges[i]))
			reach[m->edges[i].from][m->edges[i].to] = true;
	for (uint32_t k = 0; k < m->nodes; k++)
		for (uint32_t i = 0; i < m->nodes; i++)
			for (uint32_t j = 0; j < m->nodes; j++)
				reach[i][j] |= reach[i][k] && reach[k][j];
	check_circles(m, graph, reach);
	REQUIRE(snap_graph_find_cycles(graph, NULL) == SNAP_OK);
	uint64_t in_cycles = 0, told = 0;
	for (uint32_t v = 0; v < m->nodes; v++) {
		uint64_t cycle = snap_graph_cycle_of(graph, m->row[v]), objects = 0, bytes = 0,
			 first = UINT64_MAX;
		REQUIRE((cycle != SNAP_GRAPH_NONE) == reach[v][v]);
		in_cycles += reach[v][v];
		for (uint32_t w = 0; w < m->nodes; w++) {
			bool together = reach[v][w] && reach[w][v];
			REQUIRE(!reach[v][v] ||
				together == (snap_graph_cycle_of(graph, m->row[w]) == cycle));
			objects += together;
			bytes += together ? m->size[w] : 0;
			if (together && m->row[w] < first)
				first = m->row[w];
		}
		struct snap_graph_cycle info;
		snap_graph_cycle(graph, cycle, &info);
		REQUIRE(!reach[v][v] ||
			(info.objects == objects && info.bytes == bytes && info.first == first));
	}
	struct snap_graph_cycle before = {.bytes = UINT64_MAX};
	for (uint64_t i = 0; i < snap_graph_cycle_count(graph); i++) {
		struct snap_graph_cycle info;
		snap_graph_cycle(graph, i, &info);
		REQUIRE(info.bytes < before.bytes ||
			(info.bytes == before.bytes && info.first > before.first));
		told += info.objects;
		before = info;
	}
	REQUIRE(told == in_cycles);
	check_kept(m, graph);
}

/* Takes an edge that was told out of those still awaited. */
struct awaited {
	const struct model *m;
	bool told[MAX_EDGES];
	uint32_t count;
	uint64_t last_owner;
};

static bool is_edge(const struct model *m, const struct edge *e,
		    const struct snap_graph_reference *reference)
{
	uint64_t label = e->key != 0 ? SNAP_LABEL_OBJECT(m->row[e->key - 1] + 1) : label_of(m, e);
	return e->to < m->nodes && m->row[e->from] == reference->owner &&
	       m->row[e->to] == reference->target && e->kind == reference->kind &&
	       label == reference->label;
}

static bool tell(void *context, const struct snap_graph_reference *reference)
{
	struct awaited *awaited = context;
	uint32_t i = 0;
	while (i < awaited->m->edge_count &&
	       (awaited->told[i] || !is_edge(awaited->m, &awaited->m->edges[i], reference)))
		i++;
	REQUIRE(i < awaited->m->edge_count);
	awaited->told[i] = true;
	awaited->count++;
	awaited->last_owner = reference->owner;
	return true;
}

static void check_references(const struct model *m, struct snap_graph *graph)
{
	struct awaited all = {.m = m}, one_by_one = {.m = m}, owners = {.m = m};
	uint32_t existing = 0, followed = 0;
	for (uint32_t i = 0; i < m->edge_count; i++) {
		existing += m->edges[i].to < m->nodes;
		followed += is_followed(m, &m->edges[i]);
	}
	REQUIRE(snap_graph_references(graph, tell, &all, NULL) == SNAP_OK);
	for (uint32_t v = 0; v < m->nodes; v++) {
		REQUIRE(snap_graph_owned(graph, m->row[v], tell, &one_by_one, NULL) == SNAP_OK);
		REQUIRE(snap_graph_owners(graph, m->row[v], tell, &owners, NULL) == SNAP_OK);
	}
	REQUIRE(all.count == existing && one_by_one.count == existing && owners.count == followed);
	struct snap_graph_info info;
	snap_graph_info(graph, &info);
	REQUIRE(info.objects == m->nodes && info.references == followed &&
		info.roots == m->root_count);
}

struct path {
	const struct model *m;
	uint64_t at, steps;
};

static bool follow(void *context, const struct snap_graph_reference *reference)
{
	struct path *path = context;
	if (path->steps++ == 0) {
		REQUIRE(reference->owner == SNAP_GRAPH_NONE &&
			reference->label < path->m->root_count);
		REQUIRE(path->m->row[path->m->roots[reference->label]] == reference->target);
	} else {
		uint32_t i = 0;
		while (i < path->m->edge_count && !is_edge(path->m, &path->m->edges[i], reference))
			i++;
		REQUIRE(i < path->m->edge_count && is_followed(path->m, &path->m->edges[i]));
		REQUIRE(reference->owner == path->at);
	}
	path->at = reference->target;
	return true;
}

/* What is told of objects, whether it was read before or not. */
static void check_known(const struct model *m, struct snap_graph *graph)
{
	struct snap_graph_object before[MAX_NODES], after;
	uint64_t rows[MAX_NODES];
	size_t count = 0;
	for (uint32_t v = 0; v < m->nodes; v++) {
		REQUIRE(snap_graph_object(graph, m->row[v], &before[v], NULL) == SNAP_OK);
		REQUIRE(before[v].size == m->size[v]);
		if (pick(2) == 0)
			rows[count++] = m->row[v];
	}
	struct snap_graph_set *set = set_of(graph, rows, count);
	REQUIRE(snap_graph_read_objects(graph, set, NULL) == SNAP_OK);
	snap_graph_set_close(set);
	for (uint32_t v = 0; v < m->nodes; v++) {
		const char *name;
		size_t size;
		REQUIRE(snap_graph_object(graph, m->row[v], &after, NULL) == SNAP_OK);
		REQUIRE(memcmp(&after, &before[v], sizeof(after)) == 0);
		REQUIRE(snap_graph_object_name(graph, m->row[v], &name, &size, NULL) == SNAP_OK);
	}
}

/* The paths to some objects, one by one, as those to each alone. */
static void check_ways(const struct model *m, struct snap_graph *graph, const uint64_t *rows)
{
	struct snap_graph_ways *ways;
	struct snap_graph_paths *paths;
	struct snap_graph_set *set = set_of(graph, rows, m->nodes);
	REQUIRE(snap_graph_ways_open(&ways, graph, set, NULL) == SNAP_OK);
	snap_graph_set_close(set);
	for (uint32_t v = 0; v < m->nodes; v++) {
		struct steps wanted, found;
		REQUIRE(merge_paths(graph, &m->row[v], 1, &wanted) == SNAP_OK);
		enum snap_status status = snap_graph_ways_path(ways, m->row[v], &paths, NULL);
		REQUIRE(status == (wanted.unreached ? SNAP_MISUSE : SNAP_OK));
		if (status == SNAP_OK) {
			REQUIRE(take_steps(paths, &found) == SNAP_OK);
			REQUIRE(found.count == wanted.count && found.first == wanted.first);
			REQUIRE(memcmp(found.steps, wanted.steps,
				       found.count * sizeof(*found.steps)) == 0);
			free(found.steps);
		}
		free(wanted.steps);
	}
	snap_graph_ways_close(ways);
}

static void check_paths(const struct model *m, struct snap_graph *graph)
{
	uint64_t rows[MAX_NODES], reached = 0, on_way[MAX_NODES] = {0}, ways = 0;
	for (uint32_t v = 0; v < m->nodes; v++) {
		struct path path = {.m = m};
		uint64_t distance = snap_graph_distance(graph, m->row[v]);
		enum snap_status status = snap_graph_path(graph, m->row[v], follow, &path, NULL);
		REQUIRE(status == (distance == SNAP_GRAPH_NONE ? SNAP_END : SNAP_OK));
		REQUIRE(status == SNAP_END || (path.at == m->row[v] && path.steps == distance + 1));
		rows[v] = m->row[v];
		reached += status == SNAP_OK;
		for (uint64_t row = m->row[v]; status == SNAP_OK && row != SNAP_GRAPH_NONE;
		     row = snap_graph_parent(graph, row))
			ways += on_way[row]++ == 0;
	}
	check_known(m, graph);
	check_ways(m, graph, rows);
	struct steps paths;
	REQUIRE(merge_paths(graph, rows, m->nodes, &paths) == SNAP_OK);
	uint64_t ends = 0, objects = 0, through = 0;
	for (size_t i = 0; i < paths.count; i++) {
		const struct snap_graph_step *step = &paths.steps[i];
		ends += step->ends;
		objects += step->objects;
		REQUIRE(step->parent == UINT32_MAX
				? step->depth == 0
				: step->parent < i &&
					  paths.steps[step->parent].depth + 1 == step->depth);
		REQUIRE(snap_graph_type(graph, step->example) == step->type &&
			step->through >= step->ends);
		if (step->next != UINT32_MAX)
			REQUIRE(paths.steps[step->next].through <= step->through);
	}
	for (uint32_t i = paths.first; i != UINT32_MAX; i = paths.steps[i].next)
		through += paths.steps[i].through;
	REQUIRE(ends == reached && through == reached && objects == ways &&
		paths.unreached == m->nodes - reached);
	free(paths.steps);
}

/* Breadth first, the rows of one distance in order, but the roots as they come, over the references
 * as the snapshot has them. */
struct queue {
	const struct model *m;
	uint64_t rows[MAX_NODES];
	uint32_t count;
	char label[MAX_NODES][256];
	bool seen[MAX_NODES];
};

static int compare_rows(const void *left, const void *right)
{
	const uint64_t *a = left, *b = right;
	return *a < *b ? -1 : *a > *b;
}

static void enqueue(struct queue *queue, uint64_t row, const char *above, bool is_root)
{
	static const char *const synthetic[] = {"(S)", "(T)"};
	const struct model *m = queue->m;
	if (queue->seen[row])
		return;
	uint32_t kind = m->type[m->node[row]];
	char label[sizeof(queue->label[row])];
	queue->seen[row] = true;
	queue->rows[queue->count++] = row;
	if (kind >= 3 && !(is_root && strcmp(above, synthetic[kind - 3]) == 0))
		snprintf(label, sizeof(label), "%.200s/%s", above, synthetic[kind - 3]);
	else
		snprintf(label, sizeof(label), "%.200s", above);
	memcpy(queue->label[row], label, sizeof(label));
}

static bool enqueue_target(void *context, const struct snap_graph_reference *reference)
{
	struct queue *queue = context;
	if (queue->m->follow_weak || reference->kind < SNAP_REF_FIRST_WEAK)
		enqueue(queue, reference->target, queue->label[reference->owner], false);
	return true;
}

static void check_attribution(const struct model *m, struct snap_graph *graph)
{
	static const char *const labels[] = {"global", "left", "right", "(S)"};
	struct queue queue = {.m = m};
	for (uint32_t i = 0; i < m->root_count; i++)
		enqueue(&queue, m->row[m->roots[i]], labels[m->root_labels[i]], true);
	for (uint32_t i = 0, end = 0; i < queue.count; i++) {
		if (i == end) {
			end = queue.count;
			if (i > 0) /* roots stay as they were told */
				qsort(queue.rows + i, end - i, sizeof(*queue.rows), compare_rows);
		}
		REQUIRE(snap_graph_owned(graph, queue.rows[i], enqueue_target, &queue, NULL) ==
			SNAP_OK);
	}
	REQUIRE(snap_graph_attribute_roots(graph, NULL) == SNAP_OK);
	for (uint32_t row = 0; row < m->nodes; row++) {
		uint32_t index = snap_graph_group_of(graph, row);
		REQUIRE((index == SNAP_GRAPH_NO_GROUP) == !queue.seen[row]);
		if (index == SNAP_GRAPH_NO_GROUP)
			continue;
		struct snap_graph_group group;
		snap_graph_group(graph, index, &group);
		REQUIRE(group.kind == SNAP_ROOT_GLOBAL &&
			group.label_size == strlen(queue.label[row]));
		REQUIRE(memcmp(group.label, queue.label[row], group.label_size) == 0);
	}
}

/* All questions; before one of them, all that is known goes outside of memory. */
#define CHECKS 7
static inline void check_all(const struct model *m, struct snap_graph *graph, uint32_t moved_before)
{
	static void (*const checks[CHECKS])(const struct model *, struct snap_graph *) = {
		check_references, check_search, check_dominators, check_retained_by,
		check_cycles,     check_paths,  check_attribution};
	for (uint32_t i = 0; i < CHECKS; i++) {
		if (i == moved_before)
			REQUIRE(libsnap_graph_prepare(graph, UINT64_MAX, NULL) == SNAP_OK);
		checks[i](m, graph);
	}
	REQUIRE(snap_graph_check(graph, NULL) == SNAP_OK);
}

/* The same with pages in files: little has room beside them. */
static inline void check_outside(const struct model *m, struct snap_reader *reader, bool wide,
				 uint32_t moved_before)
{
	struct snap_graph_options options = SNAP_GRAPH_OPTIONS_INIT;
	struct snap_graph *graph;
	struct snap_graph_info info;
	options.follow_weak = m->follow_weak;
	options.max_memory_bytes = 32768;
	options.branches = true;
	REQUIRE(libsnap_graph_open(&graph, reader, &options, wide, NULL) == SNAP_OK);
	check_all(m, graph, moved_before);
	REQUIRE(graph->outside.pages != NULL && graph->wide == wide);
	snap_graph_info(graph, &info);
	REQUIRE(info.peak_memory_bytes <= options.max_memory_bytes);
	snap_graph_close(graph);
}

#endif
