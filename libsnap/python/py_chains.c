/* The collector's lists, followed in many places at once: of a single list, each link would be
 * waited for until memory has given the one before.  Where fewer places than that are left, what an
 * object there refers to is one more: it may lie far ahead.  Chains end where others have been. */
#include "py_chains.h"

#if !PY_SINCE(3, 14)

#define LINK_MASK (~(uintptr_t)3) /* the low bits are the collector's flags */

#define GENERATIONS (NUM_GENERATIONS + 1u) /* the last are those that are permanent */
#define OLDEST      (NUM_GENERATIONS - 1u)
#define BACK        GENERATIONS
#define ACTIVE      16u

#define BLOCK      512u /* addresses; of a chain, each block's first link is marked */
#define FILTER_LOG 16u
#define PARTS      32u /* of an object, that are looked at */
#define ITEMS      8   /* of a list */
#define LARGE      1024
#define WAIT_FIRST 64u /* turns until an object is looked into */
#define WAIT_MAX   16384u

struct chain {
	PyGC_Head *at;    /* the next link */
	PyObject *object; /* the last one */
	uint32_t number, blocks;
	uint32_t room; /* addresses that its last block has room for */
	size_t place;  /* of the next address */
};

struct chains {
	struct py_area *found; /* uintptr_t, block by block */
	struct py_area owners; /* uint32_t: the chain of each block */
	struct py_area ends;   /* uint32_t: the chain that was met by each */
	struct chain active[ACTIVE], back;
	uint32_t active_count;
	/* links that are marked, to chains + 1; and a bit for each, by hash */
	struct py_map marks;
	uint64_t filter[((size_t)1 << FILTER_LOG) / 64];
	/* of the oldest generation, the first link that comes after what is left */
	PyGC_Head *last;
	bool has_back; /* that goes on from there */
	bool samples;  /* objects may be looked into */
	uint32_t wait, looks;
	bool failed;
};

static PyGC_Head *next_of(const PyGC_Head *link)
{
	return (PyGC_Head *)(link->_gc_next & LINK_MASK);
}

static PyGC_Head *previous_of(const PyGC_Head *link)
{
	return (PyGC_Head *)(link->_gc_prev & LINK_MASK);
}

/* ---- marks ---- */

static inline size_t bit_of(const PyGC_Head *link)
{
	return (size_t)(((uintptr_t)link >> 4) * 0x9e3779b97f4a7c15u >> (64 - FILTER_LOG));
}

/* The chain that has been at a link, + 1; 0: none has, that is known. */
static inline uint32_t mark_of(const struct chains *c, const PyGC_Head *link)
{
	const size_t bit = bit_of(link);
	return c->filter[bit / 64] >> bit % 64 & 1 ? py_map_get(&c->marks, link) : 0;
}

static void mark(struct chains *c, const PyGC_Head *link, uint32_t chain)
{
	const size_t bit = bit_of(link);
	c->filter[bit / 64] |= (uint64_t)1 << bit % 64;
	c->failed |= !py_map_put(&c->marks, link, chain + 1);
}

/* ---- links ---- */

static void begin_block(struct chains *c, struct chain *chain, const PyGC_Head *link)
{
	uint32_t *owner = py_area_add(&c->owners, sizeof(*owner));
	chain->place = c->found->size / sizeof(uintptr_t);
	if (!owner || !py_area_add(c->found, BLOCK * sizeof(uintptr_t))) {
		c->failed = true;
		return;
	}
	*owner = chain->number;
	chain->room = BLOCK;
	chain->blocks++;
	mark(c, link, chain->number);
}

static inline void claim(struct chains *c, struct chain *chain, PyGC_Head *link)
{
	if (chain->room == 0)
		begin_block(c, chain, link);
	if (c->failed)
		return;
	chain->object = (PyObject *)(link + 1);
	((uintptr_t *)(void *)c->found->bytes)[chain->place++] = (uintptr_t)(link + 1);
	chain->room--;
}

static void begin(struct chains *c, PyGC_Head *first)
{
	uint32_t *end = py_area_add(&c->ends, sizeof(*end));
	if (!end) {
		c->failed = true;
		return;
	}
	__builtin_prefetch(first);
	c->active[c->active_count++] =
		(struct chain){.at = first, .number = (uint32_t)(c->ends.size / sizeof(*end) - 1)};
}

/* false: it has come to where another has been, or to the end. */
static inline bool follow(struct chains *c, struct chain *chain)
{
	PyGC_Head *link = chain->at;
	const uint32_t met = link == c->last ? BACK + 1 : mark_of(c, link);
	if (met) {
		((uint32_t *)(void *)c->ends.bytes)[chain->number] = met - 1;
		c->has_back &= link != c->last;
		return false;
	}
	chain->at = next_of(link);
	__builtin_prefetch(chain->at);
	claim(c, chain, link);
	return true;
}

/* From the end of the oldest generation, too.  The way back is believed only as far as the way
 * there agrees. */
static void follow_back(struct chains *c)
{
	PyGC_Head *before = previous_of(c->last);
	for (uint32_t i = 0; i < c->active_count; i++)
		c->has_back &= c->active[i].at != c->last;
	c->has_back = c->has_back && next_of(before) == c->last && !mark_of(c, before);
	if (!c->has_back)
		return;
	__builtin_prefetch(previous_of(before));
	claim(c, &c->back, before);
	c->last = before;
}

/* ---- samples ---- */

static PyGC_Head *tracked(PyObject *object)
{
	const PyTypeObject *type = Py_TYPE(object);
	PyGC_Head *link = (PyGC_Head *)(void *)object - 1;
	return type->tp_flags & Py_TPFLAGS_HAVE_GC && !type->tp_is_gc && link->_gc_next != 0 ? link
											     : NULL;
}

static void sample(struct chains *c, PyGC_Head *link)
{
	if (link && c->active_count < ACTIVE && !mark_of(c, link))
		begin(c, link);
}

struct parts {
	PyGC_Head *found;
	unsigned count;
};

static int look(PyObject *part, void *context)
{
	struct parts *parts = context;
	PyGC_Head *link = part ? tracked(part) : NULL;
	if (link)
		parts->found = link;
	return ++parts->count == PARTS;
}

static void look_into(struct chains *c, PyObject *object)
{
	struct parts parts = {.found = NULL};
	if (Py_TYPE(object) != &PyList_Type) {
		Py_TYPE(object)->tp_traverse(object, look, &parts);
		sample(c, parts.found);
		return;
	}
	const Py_ssize_t count = Py_SIZE(object);
	for (Py_ssize_t i = 0; i < count; i += count / ITEMS + 1) {
		PyObject *item = PyList_GET_ITEM(object, i);
		sample(c, item ? tracked(item) : NULL);
	}
}

static inline bool is_large(const PyObject *object)
{
	return Py_TYPE(object) == &PyList_Type && Py_SIZE(object) >= LARGE;
}

/* ---- all of them ---- */

static void follow_active(struct chains *c)
{
	for (uint32_t i = 0; i < c->active_count;) {
		const struct chain *chain = &c->active[i];
		if (follow(c, &c->active[i])) {
			if (c->samples && c->active_count < ACTIVE && is_large(chain->object))
				look_into(c, chain->object);
			i++;
			continue;
		}
		/* What was found by looking into objects may be worth nothing. */
		c->wait = chain->blocks > 1 ? WAIT_FIRST : c->wait + c->wait / 4;
		c->wait = c->wait < WAIT_MAX ? c->wait : WAIT_MAX;
		c->active[i] = c->active[--c->active_count];
	}
}

static void follow_all(struct chains *c)
{
	for (uint32_t turn = 1; c->active_count > 0 && !c->failed; turn++) {
		follow_active(c);
		if (c->has_back)
			follow_back(c);
		if (turn < c->wait || c->active_count == 0 || c->active_count == ACTIVE ||
		    !c->samples)
			continue;
		PyObject *object = c->active[c->looks++ % c->active_count].object;
		turn = 0;
		if (object)
			look_into(c, object);
	}
}

/* ---- generations ---- */

static uint32_t generation_of(const struct chains *c, uint32_t chain)
{
	while (chain > BACK)
		chain = ((const uint32_t *)(void *)c->ends.bytes)[chain];
	return chain == BACK ? OLDEST : chain;
}

static void tell_generations(struct chains *c)
{
	uintptr_t *addresses = (uintptr_t *)(void *)c->found->bytes;
	const size_t blocks = c->owners.size / sizeof(uint32_t);
	size_t count = 0;
	for (size_t block = 0; block < blocks; block++) {
		const uint32_t generation =
			generation_of(c, ((const uint32_t *)(void *)c->owners.bytes)[block]);
		for (size_t i = block * BLOCK; i < (block + 1) * BLOCK && addresses[i]; i++)
			addresses[count++] = addresses[i] | generation;
	}
	c->found->size = count * sizeof(*addresses);
}

static void begin_generations(struct chains *c, struct _gc_runtime_state *state)
{
	for (unsigned i = 0; i < GENERATIONS; i++) {
		PyGC_Head *head = i < NUM_GENERATIONS ? &state->generations[i].head
						      : &state->permanent_generation.head;
		mark(c, head, i);
		begin(c, next_of(head));
	}
	c->has_back = py_area_add(&c->ends, sizeof(uint32_t)) != NULL;
	c->failed |= !c->has_back;
	c->back.number = BACK;
	c->last = &state->generations[OLDEST].head;
}

bool py_chains_follow(struct py_area *addresses)
{
#if PY_SINCE(3, 9)
	struct _gc_runtime_state *state = &PyInterpreterState_Get()->gc;
#else
	struct _gc_runtime_state *state = &_PyRuntime.gc;
#endif
	struct chains *c = py_map_pages(sizeof(*c));
	if (!c)
		return false;
	c->found = addresses;
	c->wait = WAIT_FIRST;
	/* Otherwise what they refer to may be in other
	 * lists, of which the beginning is not known. */
	c->samples = !state->collecting && !PyInterpreterState_Next(PyInterpreterState_Head());
	begin_generations(c, state);
	follow_all(c);
	const bool done = !c->failed;
	if (done)
		tell_generations(c);
	py_area_free(&c->owners);
	py_area_free(&c->ends);
	py_map_free(&c->marks);
	py_unmap_pages(c, sizeof(*c));
	return done;
}

#endif
