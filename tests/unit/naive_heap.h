/* Small random heaps, written, and what is retained in them, found the slow way. */
#ifndef NAIVE_HEAP_H
#define NAIVE_HEAP_H

#include "graph_make.h"
#include "random.h"

enum { OBJECTS = 40, TYPES = 4, LABELS = 3, CONTENTS = 5, MAX_REFERENCES = 160 };

struct reference {
	int from, to; /* to -1: none */
	enum snap_reference_kind kind;
	int label; /* of LABELS; -1: none; at or above LABELS: an index */
};
struct heap {
	int count, reference_count, root_count;
	uint64_t size[OBJECTS];
	int type[OBJECTS], content[OBJECTS];
	bool named[OBJECTS];
	struct reference references[MAX_REFERENCES];
	int roots[4];
};

static const char *const type_names[TYPES] = {"Map", "Node", "Text", "(root)"};
static const char *const label_names[LABELS] = {"next", "value", "owner"};
static uint64_t state = 88172645463325252u;

static int below(int limit)
{
	return (int)((random_next(&state) >> 33) % (uint64_t)limit);
}

static enum snap_type_kind kind_of(int type_index)
{
	return type_index == 3 ? SNAP_TYPE_SYNTHETIC : SNAP_TYPE_OBJECT;
}

static void add_reference(struct heap *heap, struct reference reference)
{
	for (int i = 0; reference.to >= 0 && i < heap->reference_count; i++)
		if (heap->references[i].from == reference.from &&
		    heap->references[i].to == reference.to)
			return; /* one from each to each: a path then has one label */
	/* Elements follow each other: a gap in their indexes is an empty place. */
	if (reference.kind == SNAP_REF_ELEMENT) {
		reference.label = LABELS;
		for (int i = 0; i < heap->reference_count; i++)
			reference.label += heap->references[i].kind == SNAP_REF_ELEMENT &&
					   heap->references[i].from == reference.from;
	}
	heap->references[heap->reference_count++] = reference;
}

static void make_heap(struct heap *heap)
{
	*heap = (struct heap){.count = 2 + below(OBJECTS - 1), .root_count = below(4)};
	for (int i = 0; i < heap->count; i++) {
		heap->size[i] = (uint64_t)below(100);
		heap->type[i] = below(8) ? below(3) : 3;
		heap->content[i] = below(3) ? -1 : below(CONTENTS);
		heap->named[i] = below(2);
	}
	int wanted = below(3 * heap->count);
	for (int i = 0; i < wanted && i < MAX_REFERENCES; i++) {
		static const enum snap_reference_kind kinds[] = {SNAP_REF_FIELD, SNAP_REF_ELEMENT,
								 SNAP_REF_INTERNAL, SNAP_REF_WEAK};
		struct reference r = {below(heap->count), below(heap->count), kinds[below(4)],
				      below(LABELS)};
		if (below(8) == 0)
			r.to = -1;
		if (below(5) == 0)
			r.label = -1;
		add_reference(heap, r);
	}
	for (int i = 0; i < heap->root_count; i++)
		heap->roots[i] = below(heap->count);
}

static void write_heap(const struct heap *heap, struct buffer *bytes)
{
	struct snap_writer *w = begin(bytes);
	uint32_t types[TYPES], contents[CONTENTS];
	for (int i = 0; i < TYPES; i++)
		types[i] = type(w, type_names[i], kind_of(i));
	for (int i = 0; i < CONTENTS; i++)
		REQUIRE(snap_writer_content(w, (uint64_t)i, (uint64_t)i * 77 + 1,
					    i == 4 ? string(w, "four") : 0, &contents[i],
					    NULL) == SNAP_OK);
	for (int i = 0; i < heap->count; i++) {
		struct snap_object o = {.id = (uint64_t)i + 16, .size = heap->size[i], .count = 1};
		o.type = types[heap->type[i]];
		o.content = heap->content[i] < 0 ? 0 : contents[heap->content[i]];
		o.name = heap->named[i] ? string(w, "named") : 0;
		REQUIRE(snap_writer_object(w, &o, NULL) == SNAP_OK);
		for (int k = 0; k < heap->reference_count; k++) {
			const struct reference *r = &heap->references[k];
			if (r->from != i)
				continue;
			uint64_t label = r->label < 0 ? SNAP_LABEL_NONE
						      : SNAP_LABEL_INDEX(r->label - LABELS);
			if (r->label >= 0 && r->label < LABELS)
				label = SNAP_LABEL_STRING(string(w, label_names[r->label]));
			refer(w, o.id, r->to < 0 ? 0 : (uint64_t)r->to + 16, r->kind, label);
		}
	}
	for (int i = 0; i < heap->root_count; i++)
		root(w, (uint64_t)heap->roots[i] + 16, SNAP_ROOT_GLOBAL,
		     i % 2 ? string(w, "a root") : 0);
	if (heap->root_count == 0)
		root(w, 16, SNAP_ROOT_VM, 0);
	finish(w);
}

/* ---- naively ---- */

static bool holds(const struct reference *r)
{
	return r->kind < SNAP_REF_FIRST_WEAK && r->to >= 0;
}

/* What the roots reach without the object gone (-1: with all). */
static void reach(const struct heap *heap, int gone, bool reached[OBJECTS])
{
	memset(reached, 0, OBJECTS);
	for (int i = 0; i < heap->root_count; i++)
		reached[heap->roots[i]] = heap->roots[i] != gone;
	if (heap->root_count == 0)
		reached[0] = gone != 0;
	for (bool more = true; more;) {
		more = false;
		for (int k = 0; k < heap->reference_count; k++) {
			const struct reference *r = &heap->references[k];
			if (!holds(r) || !reached[r->from] || reached[r->to] || r->to == gone)
				continue;
			reached[r->to] = more = true;
		}
	}
}

struct naive {
	bool reached[OBJECTS], dominates[OBJECTS][OBJECTS]; /* strictly */
	uint64_t retained[OBJECTS];
	int dominator[OBJECTS];
};

static void analyse(const struct heap *heap, struct naive *n)
{
	reach(heap, -1, n->reached);
	for (int a = 0; a < heap->count; a++) {
		bool without[OBJECTS];
		reach(heap, a, without);
		n->retained[a] = 0;
		for (int b = 0; b < heap->count; b++) {
			bool freed = n->reached[a] && n->reached[b] && !without[b];
			n->dominates[a][b] = freed && a != b;
			n->retained[a] += freed ? heap->size[b] : 0;
		}
	}
	for (int b = 0; b < heap->count; b++) {
		n->dominator[b] = -1;
		for (int a = 0; a < heap->count; a++)
			if (n->dominates[a][b] &&
			    (n->dominator[b] < 0 || n->dominates[n->dominator[b]][a]))
				n->dominator[b] = a;
	}
}

static uint64_t retained_by(const struct heap *heap, const struct naive *n,
			    const bool members[OBJECTS])
{
	uint64_t sum = 0;
	for (int b = 0; b < heap->count; b++) {
		bool nested = false;
		for (int a = 0; a < heap->count; a++)
			nested |= members[a] && n->dominates[a][b];
		sum += members[b] && !nested ? n->retained[b] : 0;
	}
	return sum;
}

#endif
