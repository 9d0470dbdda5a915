/* The order of rows: parts of keys as numbers that compare as they do, and sorting by numbers
 * (order.c, ranks.c). */
#ifndef LIBSNAP_ORDER_H
#define LIBSNAP_ORDER_H

#include "query.h"

/* How the parts of a tuple compare: as texts, as lists, else as numbers. */
struct tuple_form {
	unsigned texts, chains;
	const struct tuple_form *items; /* of the lists */
};

/* Numbers that compare as what they stand for: by id
 * of texts, and of lists of items of that form. */
struct ranks {
	struct space *space;
	struct libsnap_array texts, chains;
};
enum snap_status libsnap_ranks_begin(struct ranks *, struct space *, const struct tuple_form *,
				     struct snap_error *);
void libsnap_ranks_end(struct ranks *);
/* A part as a number. */
uint64_t libsnap_rank(struct ranks *, const struct tuple_form *, unsigned part, uint64_t value);

/* What a row goes by before its key: its first number and its second, the greatest first. */
#define SORT_NUMBERS 16
struct sums {
	union measure old, now;
	uint64_t old_other, other; /* retained, or waste */
	bool compared;
};
uint64_t *libsnap_order_put(uint64_t *to, enum snap_order, const struct sums *);

/* Where only the first rows will be asked for: the first two numbers of as many as are wanted, the
 * least of them first, so that the one to go is found at once. */
struct head {
	uint64_t first, second;
};
struct chosen {
	const struct snap_allocator *memory;
	struct head *heap; /* NULL: all are wanted */
	size_t count, wanted;
};
/* max_rows: as in the options; 0: all. */
enum snap_status libsnap_chosen_begin(struct chosen *, struct budget *, uint64_t max_rows,
				      struct snap_error *);
void libsnap_chosen_end(struct chosen *);
void libsnap_chosen_offer(struct chosen *, const uint64_t *numbers);
/* After all were offered: it is one of them, or like the last. */
bool libsnap_chosen_has(const struct chosen *, const uint64_t *numbers);

/* Sorts by numbers, the first ones first; ties keep the order in which they were added. */
struct number_sort {
	struct libsnap_sorter sorter;
	struct libsnap_sort_walk walk;
	struct budget *budget;
};
void libsnap_number_sort_begin(struct number_sort *, struct budget *);
enum snap_status libsnap_number_sort_add(struct number_sort *, const uint64_t *numbers,
					 size_t count, uint32_t id, struct snap_error *);
enum snap_status libsnap_number_sort_finish(struct number_sort *, struct snap_error *);
/* SNAP_END after the last. */
enum snap_status libsnap_number_sort_next(struct number_sort *, uint32_t *id, struct snap_error *);
void libsnap_number_sort_end(struct number_sort *);

#endif
