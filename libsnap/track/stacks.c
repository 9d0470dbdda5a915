/* The tree of frames: each (parent, frame) once.  Look-ups take no lock; adding does. */
#include <string.h>

#include "track.h"

#define CHUNK_BITS 14
#define CHUNK      (1u << CHUNK_BITS)
#define INDEX_MIN  4096u

/* Nodes stay where they are; the index (half of a hash, and an id, in each slot) is
 * replaced by a larger one, and the old one left for those that still read it. */
struct index {
	uint64_t mask;
	_Atomic uint64_t slots[];
};

static struct track_node *_Atomic chunks[(TRACK_NODE_MAX >> CHUNK_BITS) + 1];
static struct index *_Atomic current;
static _Atomic uint32_t node_count = 2; /* ROOT and TRUNCATED */
static struct track_lock lock;

static inline uint64_t hash_of(uint32_t parent, uint64_t frame)
{
	uint64_t h = (frame ^ (uint64_t)parent << 34 ^ parent) * 0x9e3779b97f4a7c15u;
	h ^= h >> 32;
	h *= 0xd6e8feb86659fd93u;
	return h ^ h >> 29;
}

const struct track_node *track_node_at(uint32_t id)
{
	return &atomic_load_explicit(&chunks[id >> CHUNK_BITS],
				     memory_order_acquire)[id & (CHUNK - 1)];
}

uint32_t track_node_count(void)
{
	return atomic_load_explicit(&node_count, memory_order_acquire);
}

static inline uint32_t look_up(const struct index *index, uint64_t hash, uint32_t parent,
			       uint64_t frame)
{
	for (uint64_t i = hash & index->mask;; i = (i + 1) & index->mask) {
		uint64_t slot = atomic_load_explicit(&index->slots[i], memory_order_acquire);
		if (slot == 0)
			return 0;
		if ((slot ^ hash) >> 32)
			continue;
		const struct track_node *node = track_node_at((uint32_t)slot);
		if (TRACK_LIKELY(node->frame == frame && node->parent == parent))
			return (uint32_t)slot;
	}
}

static void index_put(struct index *index, uint64_t hash, uint32_t id)
{
	uint64_t i = hash & index->mask;
	while (atomic_load_explicit(&index->slots[i], memory_order_relaxed))
		i = (i + 1) & index->mask;
	atomic_store_explicit(&index->slots[i], hash >> 32 << 32 | id, memory_order_release);
}

static struct index *larger_index(const struct index *old)
{
	uint64_t slots = old ? (old->mask + 1) * 2 : INDEX_MIN;
	struct index *new = track_map(sizeof *new + slots * sizeof *new->slots);
	if (!new)
		return NULL;
	new->mask = slots - 1;
	uint32_t count = atomic_load_explicit(&node_count, memory_order_relaxed);
	for (uint32_t id = 2; id < count; id++)
		index_put(new, hash_of(track_node_at(id)->parent, track_node_at(id)->frame), id);
	atomic_store_explicit(&current, new, memory_order_release);
	return new;
}

static struct track_node *new_node(uint32_t id)
{
	struct track_node *chunk =
		atomic_load_explicit(&chunks[id >> CHUNK_BITS], memory_order_relaxed);
	if (!chunk) {
		chunk = track_map(CHUNK * sizeof *chunk);
		if (!chunk)
			return NULL;
		atomic_store_explicit(&chunks[id >> CHUNK_BITS], chunk, memory_order_release);
	}
	return &chunk[id & (CHUNK - 1)];
}

/* With the lock held: somebody else may have added it just now. */
static uint32_t add(uint64_t hash, uint32_t parent, uint64_t frame)
{
	struct index *index = atomic_load_explicit(&current, memory_order_relaxed);
	uint32_t id = index ? look_up(index, hash, parent, frame) : 0;
	if (id)
		return id;
	id = atomic_load_explicit(&node_count, memory_order_relaxed);
	if (id >= TRACK_NODE_MAX)
		return TRACK_TRUNCATED;
	if (!index || (uint64_t)id * 2 > index->mask)
		index = larger_index(index);
	struct track_node *node = index ? new_node(id) : NULL;
	if (!node)
		return TRACK_TRUNCATED;
	node->frame = frame;
	node->parent = parent;
	atomic_store_explicit(&node_count, id + 1, memory_order_release);
	index_put(index, hash, id);
	return id;
}

uint32_t track_node(uint32_t parent, uint64_t frame)
{
	uint64_t hash = hash_of(parent, frame);
	const struct index *index = atomic_load_explicit(&current, memory_order_acquire);
	uint32_t id = index ? look_up(index, hash, parent, frame) : 0;
	if (TRACK_LIKELY(id != 0))
		return id;
	track_lock(&lock);
	id = add(hash, parent, frame);
	track_unlock(&lock);
	return id;
}

/* ---- whole stacks ---- */

#define SITES_MIN 1024u

struct site {
	_Atomic uint64_t hash;
	uint32_t check, site;
};
struct sites {
	uint64_t mask, count;
	struct site slots[];
};
static struct sites *_Atomic sites;
static struct track_lock sites_lock;

uint32_t track_site_find(uint64_t hash, uint32_t check)
{
	const struct sites *all = atomic_load_explicit(&sites, memory_order_acquire);
	if (TRACK_UNLIKELY(!all))
		return 0;
	for (uint64_t i = hash & all->mask;; i = (i + 1) & all->mask) {
		uint64_t there = atomic_load_explicit(&all->slots[i].hash, memory_order_acquire);
		if (TRACK_LIKELY(there == hash) && all->slots[i].check == check)
			return all->slots[i].site;
		if (there == 0)
			return 0;
	}
}

static void sites_put(struct sites *all, uint64_t hash, uint32_t check, uint32_t site)
{
	uint64_t i = hash & all->mask;
	while (atomic_load_explicit(&all->slots[i].hash, memory_order_relaxed))
		i = (i + 1) & all->mask;
	all->slots[i].check = check;
	all->slots[i].site = site;
	atomic_store_explicit(&all->slots[i].hash, hash, memory_order_release);
	all->count++;
}

static struct sites *larger_sites(const struct sites *old)
{
	uint64_t size = old ? (old->mask + 1) * 2 : SITES_MIN;
	struct sites *new = track_map(sizeof *new + size * sizeof *new->slots);
	if (!new)
		return NULL;
	new->mask = size - 1;
	for (uint64_t i = 0; old && i <= old->mask; i++)
		if (old->slots[i].hash)
			sites_put(new, old->slots[i].hash, old->slots[i].check, old->slots[i].site);
	atomic_store_explicit(&sites, new, memory_order_release);
	return new;
}

/* Two threads may add the same one: then it is there twice, and does no harm. */
void track_site_add(uint64_t hash, uint32_t check, uint32_t site)
{
	track_lock(&sites_lock);
	struct sites *all = atomic_load_explicit(&sites, memory_order_relaxed);
	if (!all || all->count * 3 > all->mask)
		all = larger_sites(all);
	if (all)
		sites_put(all, hash, check, site);
	track_unlock(&sites_lock);
}
