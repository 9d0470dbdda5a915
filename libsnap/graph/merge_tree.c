/* Steps by their parent and key (merge.h). */
#include "merge.h"

#define LISTED     8 /* children that are looked for one by one */
#define LEAST_BITS 6

struct slot {
	uint32_t hash, index; /* index 0: free */
};

enum snap_status libsnap_merge_tree_open(struct merge_tree *tree, struct snap_graph_paths *paths,
					 struct snap_error *error)
{
	*tree = (struct merge_tree){.paths = paths};
	libsnap_array_begin(&tree->nodes, &paths->arrays, sizeof(struct merged));
	libsnap_array_begin(&tree->slots, &paths->arrays, sizeof(struct slot));
	return libsnap_array_reach(&tree->nodes, 1) ? SNAP_OK : libsnap_paths_fail(paths, error);
}

void libsnap_merge_tree_close(struct merge_tree *tree)
{
	libsnap_array_end(&tree->nodes);
	libsnap_array_end(&tree->slots);
}

static uint32_t hash_of(uint32_t parent, const struct step_key *key)
{
	uint64_t place = (uint64_t)parent * 32 + key->kind;
	uint64_t what = libsnap_mix(libsnap_mix(key->label) + key->type);
	return (uint32_t)(libsnap_mix(what + place) >> 32);
}

/* By the upper bits, so that slots keep their order when there are more of them. */
static uint64_t first_slot(uint32_t hash, unsigned bits)
{
	return hash >> (32 - bits);
}

static void place(struct libsnap_array *slots, unsigned bits, struct slot slot)
{
	uint64_t at = first_slot(slot.hash, bits), mask = (UINT64_C(1) << bits) - 1;
	while (((const struct slot *)libsnap_array_at(slots, at & mask))->index != 0)
		at++;
	*(struct slot *)libsnap_array_edit(slots, at & mask) = slot;
}

static enum snap_status widen(struct merge_tree *tree, struct snap_error *error)
{
	struct libsnap_array larger;
	uint64_t old_count = tree->bits != 0 ? UINT64_C(1) << tree->bits : 0;
	unsigned bits = tree->bits != 0 ? tree->bits + 1 : LEAST_BITS;
	libsnap_array_begin(&larger, &tree->paths->arrays, sizeof(struct slot));
	if (bits > 32 || !libsnap_array_reach(&larger, UINT64_C(1) << bits)) {
		libsnap_array_end(&larger);
		return libsnap_paths_fail(tree->paths, error);
	}
	for (uint64_t i = 0; i < old_count; i++) {
		struct slot slot = *(const struct slot *)libsnap_array_at(&tree->slots, i);
		if (slot.index != 0)
			place(&larger, bits, slot);
	}
	libsnap_array_replace(&tree->slots, &larger);
	tree->bits = bits;
	return SNAP_OK;
}

static bool is_child(struct merge_tree *tree, uint32_t index, uint32_t parent,
		     const struct step_key *key)
{
	const struct merged *node = libsnap_merged_at(tree, index);
	return node->parent == parent && libsnap_is_same_step(&node->key, key);
}

static uint32_t find_in_slots(struct merge_tree *tree, uint32_t parent, const struct step_key *key,
			      uint32_t hash)
{
	if (tree->bits == 0)
		return 0;
	uint64_t mask = (UINT64_C(1) << tree->bits) - 1;
	for (uint64_t at = first_slot(hash, tree->bits);; at++) {
		struct slot slot = *(const struct slot *)libsnap_array_at(&tree->slots, at & mask);
		if (slot.index == 0 ||
		    (slot.hash == hash && is_child(tree, slot.index, parent, key)))
			return slot.index;
	}
}

static uint32_t find_in_list(struct merge_tree *tree, uint32_t first, const struct step_key *key)
{
	for (uint32_t at = first, i = 0; at != 0 && i < LISTED; i++) {
		const struct merged *node = libsnap_merged_at(tree, at);
		if (libsnap_is_same_step(&node->key, key))
			return at;
		at = node->next;
	}
	return 0;
}

static enum snap_status append(struct merge_tree *tree, uint32_t parent, const struct step_key *key,
			       uint32_t *child, struct snap_error *error)
{
	uint32_t depth = parent != 0 ? libsnap_merged_at(tree, parent)->depth + 1 : 0;
	struct merged node = {.parent = parent, .depth = depth, .key = *key};
	if (tree->nodes.count >= NONE - 1)
		return libsnap_fail(error, SNAP_LIMIT, SNAP_NO_OFFSET,
				    "more than 4 billion steps of merged paths");
	*child = (uint32_t)tree->nodes.count;
	if (!libsnap_array_add(&tree->nodes, &node))
		return libsnap_paths_fail(tree->paths, error);
	struct merged *above = libsnap_merged_edit(tree, parent);
	uint32_t before = above->last_child;
	above->child_count++;
	above->last_child = *child;
	if (before == 0)
		above->first_child = *child;
	else
		libsnap_merged_edit(tree, before)->next = *child;
	if (depth > tree->depth)
		tree->depth = depth;
	return SNAP_OK;
}

enum snap_status libsnap_merge_tree_add(struct merge_tree *tree, uint32_t parent,
					const struct step_key *key, uint32_t *child,
					struct snap_error *error)
{
	const struct merged *above = libsnap_merged_at(tree, parent);
	bool is_listed = above->child_count < LISTED;
	uint32_t found = find_in_list(tree, above->first_child, key), hash = 0;
	if (found == 0 && !is_listed) {
		hash = hash_of(parent, key);
		found = find_in_slots(tree, parent, key, hash);
	}
	if (found != 0) {
		*child = found;
		return SNAP_OK;
	}
	enum snap_status status = SNAP_OK;
	if (!is_listed && 2 * (tree->slots_used + 1) > UINT64_C(1) << tree->bits)
		status = widen(tree, error);
	if (status == SNAP_OK)
		status = append(tree, parent, key, child, error);
	if (status == SNAP_OK && !is_listed) {
		place(&tree->slots, tree->bits, (struct slot){hash, *child});
		tree->slots_used++;
	}
	return status;
}
