/* Texts and lists as numbers that compare as they do; and sorting by numbers, outside memory if
 * need be. */
#include <string.h>

#include "order.h"

/* Of the budget, for what is being sorted; and at once, to compare, of a text. */
#define SORT_SHARE 8
#define CHUNK      240

static struct libsnap_sorter new_sorter(struct budget *budget)
{
	struct libsnap_sorter sorter;
	libsnap_sorter_init(&sorter, &budget->allocator, budget->arrays.io, budget->arrays.folder,
			    LIBSNAP_TIES_AS_TEXT);
	return sorter;
}

static enum snap_status add_record(struct libsnap_sorter *sorter, const struct budget *budget,
				   uint64_t key, const uint8_t *bytes, size_t size,
				   struct snap_error *error)
{
	enum snap_status status = libsnap_sorter_add(sorter, key, bytes, size, error);
	if (status == SNAP_OK && libsnap_sorter_memory(sorter) > budget->limit / SORT_SHARE)
		status = libsnap_sorter_spill(sorter, error);
	return status;
}

static uint32_t id_of(const struct libsnap_record *record)
{
	uint32_t id;
	memcpy(&id, record->bytes + 1 + record->bytes[0], sizeof(id));
	return id;
}

/* ---- sorting by numbers ---- */

void libsnap_number_sort_begin(struct number_sort *sort, struct budget *budget)
{
	*sort = (struct number_sort){.sorter = new_sorter(budget), .budget = budget};
}

void libsnap_number_sort_end(struct number_sort *sort)
{
	if (!sort->budget)
		return;
	libsnap_sort_walk_end(&sort->walk);
	libsnap_sorter_free(&sort->sorter);
	sort->budget = NULL;
}

/* So that the greatest comes first: how long it is, and its bytes, all upside down. */
static uint8_t *put_number(uint8_t *at, uint64_t number)
{
	unsigned size = number ? 8 - (unsigned)__builtin_clzll(number) / 8 : 0;
	*at++ = (uint8_t)~size;
	while (size > 0)
		*at++ = (uint8_t) ~(number >> 8 * --size);
	return at;
}

enum snap_status libsnap_number_sort_add(struct number_sort *sort, const uint64_t *numbers,
					 size_t count, uint32_t id, struct snap_error *error)
{
	uint8_t record[1 + SORT_NUMBERS * 9 + sizeof(id)], *at = record + 1;
	for (size_t i = 1; i < count; i++)
		at = put_number(at, numbers[i]);
	record[0] = (uint8_t)(at - record - 1);
	memcpy(at, &id, sizeof(id));
	return add_record(&sort->sorter, sort->budget, ~numbers[0], record,
			  (size_t)(at - record) + sizeof(id), error);
}

enum snap_status libsnap_number_sort_finish(struct number_sort *sort, struct snap_error *error)
{
	enum snap_status status = libsnap_sorter_finish(&sort->sorter, error);
	if (status == SNAP_OK)
		status = libsnap_sort_walk_begin(&sort->walk, &sort->sorter,
						 (size_t)(sort->budget->limit / SORT_SHARE), error);
	return status;
}

enum snap_status libsnap_number_sort_next(struct number_sort *sort, uint32_t *id,
					  struct snap_error *error)
{
	struct libsnap_record record;
	enum snap_status status = libsnap_sort_walk_next(&sort->walk, &record, error);
	if (status == SNAP_OK)
		*id = id_of(&record);
	return status;
}

/* ---- texts ---- */

/* Texts that are alike as far as they were compared have one rank, the number of those that come
 * before; each round compares one chunk more of them. */
struct text_round {
	struct ranks *ranks;
	uint64_t first; /* of the chunk */
	bool again;     /* some are alike as yet */
};

static enum snap_status add_text(struct text_round *round, struct libsnap_sorter *sorter,
				 uint32_t id, struct snap_error *error)
{
	struct ranks *ranks = round->ranks;
	uint8_t record[1 + CHUNK + sizeof(id)];
	size_t size = libsnap_text_size(ranks->space, id);
	size_t left = size > round->first ? size - (size_t)round->first : 0;
	size_t chunk = left < CHUNK ? left : CHUNK;
	record[0] = (uint8_t)chunk;
	if (chunk)
		libsnap_text_read(ranks->space, id, (size_t)round->first, chunk, record + 1);
	memcpy(record + 1 + chunk, &id, sizeof(id));
	uint64_t key = libsnap_array_get32(&ranks->texts, id);
	return add_record(sorter, ranks->space->budget, key, record, 1 + chunk + sizeof(id), error);
}

static enum snap_status number_texts(struct text_round *round, struct libsnap_sorter *sorter,
				     struct snap_error *error)
{
	struct libsnap_sort_walk walk;
	enum snap_status status = libsnap_sort_walk_begin(
		&walk, sorter, (size_t)(round->ranks->space->budget->limit / SORT_SHARE), error);
	uint64_t last_key = UINT64_MAX;
	uint32_t count = 0, rank = 0;
	uint8_t last[1 + CHUNK];
	struct libsnap_record record;
	while (status == SNAP_OK &&
	       (status = libsnap_sort_walk_next(&walk, &record, error)) == SNAP_OK) {
		bool same = record.key == last_key &&
			    !memcmp(last, record.bytes, 1 + (size_t)record.bytes[0]);
		count++;
		if (!same)
			rank = count;
		else if (record.bytes[0] == CHUNK)
			round->again = true;
		last_key = record.key;
		memcpy(last, record.bytes, 1 + (size_t)record.bytes[0]);
		libsnap_array_set32(&round->ranks->texts, id_of(&record), rank);
	}
	libsnap_sort_walk_end(&walk);
	return status == SNAP_END ? SNAP_OK : status;
}

static enum snap_status rank_texts(struct ranks *ranks, struct snap_error *error)
{
	struct space *space = ranks->space;
	enum snap_status status = libsnap_budget_array(space->budget, &ranks->texts,
						       space->texts.count, sizeof(uint32_t), error);
	struct text_round round = {.ranks = ranks, .again = true};
	for (; status == SNAP_OK && round.again; round.first += CHUNK) {
		round.again = false;
		struct libsnap_sorter sorter = new_sorter(space->budget);
		for (uint32_t id = 1; status == SNAP_OK && id < space->texts.count; id++)
			status = add_text(&round, &sorter, id, error);
		if (status == SNAP_OK)
			status = libsnap_sorter_finish(&sorter, error);
		if (status == SNAP_OK)
			status = number_texts(&round, &sorter, error);
		libsnap_sorter_free(&sorter);
	}
	return status;
}

/* ---- lists ---- */

uint64_t libsnap_rank(struct ranks *ranks, const struct tuple_form *form, unsigned part,
		      uint64_t value)
{
	if (form->texts >> part & 1)
		return libsnap_array_get32(&ranks->texts, value);
	if (form->chains >> part & 1)
		return libsnap_array_get32(&ranks->chains, value);
	return value;
}

static enum snap_status rank_items(struct ranks *ranks, const struct tuple_form *form,
				   struct libsnap_array *of_item, struct snap_error *error)
{
	struct space *space = ranks->space;
	struct number_sort sort;
	libsnap_number_sort_begin(&sort, space->budget);
	enum snap_status status = SNAP_OK;
	for (uint32_t id = 0; status == SNAP_OK && id < space->places.count; id++) {
		struct tuple place = libsnap_tuple_at(&space->places, id);
		uint64_t numbers[5];
		for (unsigned i = 0; i < 5; i++)
			numbers[i] = libsnap_rank(ranks, form, i, place.part[i]);
		status = libsnap_number_sort_add(&sort, numbers, 5, id, error);
	}
	if (status == SNAP_OK)
		status = libsnap_number_sort_finish(&sort, error);
	uint32_t id, rank = space->places.count;
	while (status == SNAP_OK &&
	       (status = libsnap_number_sort_next(&sort, &id, error)) == SNAP_OK)
		libsnap_array_set32(of_item, id, rank--);
	libsnap_number_sort_end(&sort);
	return status == SNAP_END ? SNAP_OK : status;
}

#define SEVERAL UINT32_MAX

struct list_tree {
	struct ranks *ranks;
	struct libsnap_array of_item; /* ranks */
	struct libsnap_array sizes;   /* how many lists begin with it, itself not among them */
	struct libsnap_array child;   /* the one that is longer by an item, 0: none, or SEVERAL */
	struct number_sort several;   /* such lists, by the one before */
	uint32_t next;                /* of them; 0: there is no more */
};

/* A list is made after the one before it, so its number is greater. */
static void link_lists(struct list_tree *tree)
{
	struct space *space = tree->ranks->space;
	for (uint32_t id = space->chains.count; id-- > 1;) {
		uint32_t before = libsnap_chain_at(space, id).before;
		uint32_t size = libsnap_array_get32(&tree->sizes, id) + 1;
		*(uint32_t *)libsnap_array_edit(&tree->sizes, before) += size;
		uint32_t *child = libsnap_array_edit(&tree->child, before);
		*child = *child ? SEVERAL : id;
	}
}

static enum snap_status next_of_several(struct list_tree *tree, struct snap_error *error)
{
	enum snap_status status = libsnap_number_sort_next(&tree->several, &tree->next, error);
	if (status == SNAP_END)
		tree->next = 0;
	return status == SNAP_END ? SNAP_OK : status;
}

static enum snap_status sort_several(struct list_tree *tree, struct snap_error *error)
{
	struct space *space = tree->ranks->space;
	enum snap_status status = SNAP_OK;
	for (uint32_t id = 1; status == SNAP_OK && id < space->chains.count; id++) {
		struct chain chain = libsnap_chain_at(space, id);
		if (libsnap_array_get32(&tree->child, chain.before) != SEVERAL)
			continue;
		uint64_t number = (uint64_t)(NOT_FOUND - chain.before) << 32 |
				  libsnap_array_get32(&tree->of_item, chain.item);
		status = libsnap_number_sort_add(&tree->several, &number, 1, id, error);
	}
	if (status == SNAP_OK)
		status = libsnap_number_sort_finish(&tree->several, error);
	return status == SNAP_OK ? next_of_several(tree, error) : status;
}

/* Those below parent share the ranks that come after its own; the greatest comes first. */
static enum snap_status place_several(struct list_tree *tree, uint32_t parent, uint32_t rank,
				      struct snap_error *error)
{
	struct space *space = tree->ranks->space;
	uint32_t end = rank + 1 + libsnap_array_get32(&tree->sizes, parent);
	enum snap_status status = SNAP_OK;
	while (status == SNAP_OK && tree->next &&
	       libsnap_chain_at(space, tree->next).before == parent) {
		end -= libsnap_array_get32(&tree->sizes, tree->next) + 1;
		libsnap_array_set32(&tree->ranks->chains, tree->next, end);
		status = next_of_several(tree, error);
	}
	return status;
}

/* Lists in order are the tree of them in preorder, below each list those that are longer by an
 * item, in the order of these. */
static enum snap_status rank_lists(struct list_tree *tree, struct snap_error *error)
{
	struct libsnap_array *ranks = &tree->ranks->chains;
	enum snap_status status = sort_several(tree, error);
	for (uint32_t id = 0; status == SNAP_OK && id < tree->ranks->space->chains.count; id++) {
		uint32_t child = libsnap_array_get32(&tree->child, id);
		uint32_t rank = libsnap_array_get32(ranks, id);
		if (child == SEVERAL)
			status = place_several(tree, id, rank, error);
		else if (child)
			libsnap_array_set32(ranks, child, rank + 1);
	}
	return status;
}

static enum snap_status rank_chains(struct ranks *ranks, const struct tuple_form *form,
				    struct snap_error *error)
{
	struct space *space = ranks->space;
	struct budget *budget = space->budget;
	struct list_tree tree = {.ranks = ranks};
	uint64_t count = space->chains.count, size = sizeof(uint32_t);
	libsnap_number_sort_begin(&tree.several, budget);
	enum snap_status status = libsnap_budget_array(budget, &ranks->chains, count, size, error);
	if (status == SNAP_OK)
		status = libsnap_budget_array(budget, &tree.of_item, space->places.count, size,
					      error);
	if (status == SNAP_OK)
		status = rank_items(ranks, form, &tree.of_item, error);
	if (status == SNAP_OK)
		status = libsnap_budget_array(budget, &tree.sizes, count, size, error);
	if (status == SNAP_OK)
		status = libsnap_budget_array(budget, &tree.child, count, size, error);
	if (status == SNAP_OK) {
		link_lists(&tree);
		status = rank_lists(&tree, error);
	}
	libsnap_number_sort_end(&tree.several);
	libsnap_array_end(&tree.of_item);
	libsnap_array_end(&tree.sizes);
	libsnap_array_end(&tree.child);
	return status;
}

/* ---- all of them ---- */

enum snap_status libsnap_ranks_begin(struct ranks *ranks, struct space *space,
				     const struct tuple_form *form, struct snap_error *error)
{
	*ranks = (struct ranks){.space = space};
	enum snap_status status = SNAP_OK;
	if (form->texts || (form->items && form->items->texts))
		status = rank_texts(ranks, error);
	if (status == SNAP_OK && form->items)
		status = rank_chains(ranks, form->items, error);
	return status;
}

void libsnap_ranks_end(struct ranks *ranks)
{
	libsnap_array_end(&ranks->texts);
	libsnap_array_end(&ranks->chains);
}
