/* A question's memory, and what is told apart by content in it: names, keys and lists (space.c). */
#ifndef LIBSNAP_SPACE_H
#define LIBSNAP_SPACE_H

#include "array.h"
#include "snap_query.h"

/* ---- memory with a limit ---- */

/* All that a question needs.  Arrays take the room that there is; when
 * something is wanted for which there is none, they move to temporary files. */
struct budget {
	/* what the engine allocates with: counts, then asks below */
	struct snap_allocator allocator;
	const struct snap_allocator *below;
	uint64_t used, limit; /* limit is not 0 */
	bool exceeded;
	struct libsnap_arrays arrays;
};

void libsnap_budget_begin(struct budget *, const struct snap_query_options *, uint64_t limit);
/* What a graph may have of it. */
uint64_t libsnap_budget_for_graph(const struct budget *);
/* Why an allocation, or an array, failed. */
enum snap_status libsnap_budget_fail(const struct budget *, struct snap_error *);
/* Begins an array with count zeros; it has to end, also after a failure. */
enum snap_status libsnap_budget_array(struct budget *, struct libsnap_array *, uint64_t count,
				      size_t element_size, struct snap_error *);

/* ---- distinct things, numbered ---- */

#define NOT_FOUND UINT32_MAX

struct interner {
	struct libsnap_array items, slots;
	size_t identity_size;   /* the first bytes of items, that tell them apart */
	unsigned bits;          /* 1 << bits slots; 0: none */
	uint32_t count, placed; /* placed: items that have slots */
};

struct text_item {
	const char *bytes;
	size_t size;
};
/* A group's key, a place or a slot; the meaning of the parts is where it is made. */
struct tuple {
	uint64_t part[5];
};
/* A list is its last item and the list before it; 0 is the empty one. */
struct chain {
	uint32_t before, item;
	uint32_t length;      /* follows from the others */
	uint32_t first, next; /* one that is longer by an item, and another of those; 0: none */
};

/* Names and lists by content, shared by the snapshots
 * that are compared.  Text and chain 0 are none. */
struct space {
	struct budget *budget;
	struct interner texts, places, chains, groups;
	struct libsnap_array bytes; /* of texts */
	char *scratch;
	size_t scratch_capacity;
	uint64_t seed;
};

void libsnap_interner_begin(struct interner *, struct budget *, size_t item_size,
			    size_t identity_size);
void libsnap_interner_end(struct interner *);
enum snap_status libsnap_space_begin(struct space *, struct budget *, struct snap_error *);
void libsnap_space_end(struct space *);
enum snap_status libsnap_space_text(struct space *, const char *bytes, size_t size, uint32_t *id,
				    struct snap_error *);
enum snap_status libsnap_space_intern(struct space *, struct interner *, const void *item,
				      uint32_t *id, struct snap_error *);
/* One more, which the caller knows to be none of those. */
enum snap_status libsnap_space_append(struct space *, struct interner *, const void *item,
				      uint32_t *id, struct snap_error *);
enum snap_status libsnap_space_chain(struct space *, uint32_t before, uint32_t item, uint32_t *id,
				     struct snap_error *);

size_t libsnap_text_size(struct space *, uint32_t id);
void libsnap_text_read(struct space *, uint32_t id, size_t first, size_t count, void *to);
/* NULL: it is not in memory.  Until the next allocation. */
const char *libsnap_text_in_memory(struct space *, uint32_t id);
/* Until the next text is asked for, or the next allocation. */
enum snap_status libsnap_space_text_at(struct space *, uint32_t id, struct text_item *out,
				       struct snap_error *);

static inline struct tuple libsnap_tuple_at(struct interner *interner, uint32_t id)
{
	return *(const struct tuple *)libsnap_array_at(&interner->items, id);
}
static inline struct chain libsnap_chain_at(struct space *space, uint32_t id)
{
	return *(const struct chain *)libsnap_array_at(&space->chains.items, id);
}

#endif
