/* Objects that are used as dictionaries: the many names by which one refers to objects of one type
 * are keys, and count as the same. */
#include "query.h"

#define MANY     64u
#define LABELLED 2u /* shapes.tail */

struct finding {
	struct keyed *keyed;
	struct side *side;
	enum snap_status status;
	struct snap_error *error;
};

struct pair {
	uint64_t owner, type;
};

/* Only a shape with many slots, or with a tail of labels, has many names. */
static enum snap_status may_have_many(struct snap_reader *reader, bool *many,
				      struct snap_error *error)
{
	static const uint32_t columns[] = {SNAP_SHAPE_SLOT_COUNT, SNAP_SHAPE_TAIL};
	struct scan scan = scan_begin(reader, columns, 2, error);
	while (scan_next(&scan))
		*many |= scan_value(&scan, 0) > MANY || scan_value(&scan, 1) == LABELLED;
	return scan_end(&scan, NULL);
}

static bool is_named(const struct keyed *keyed, const struct snap_graph_reference *reference)
{
	return reference->kind == SNAP_REF_FIELD && reference->label % 4 == 0 &&
	       reference->owner < keyed->objects;
}

/* Of an owner, as far as they are not many. */
static bool count_name(void *context, const struct snap_graph_reference *reference)
{
	struct keyed *keyed = ((struct finding *)context)->keyed;
	if (!is_named(keyed, reference))
		return true;
	uint8_t *names = libsnap_array_edit(&keyed->names, reference->owner);
	*names = (uint8_t)(*names + (*names <= MANY));
	keyed->any |= *names > MANY;
	return true;
}

static bool has_many(struct keyed *keyed, const struct snap_graph_reference *reference)
{
	return is_named(keyed, reference) &&
	       *(const uint8_t *)libsnap_array_at(&keyed->names, reference->owner) > MANY;
}

static enum snap_status find_pair(struct finding *f, const struct snap_graph_reference *reference,
				  uint32_t *number)
{
	const struct pair pair = {reference->owner,
				  snap_graph_type(f->side->graph, reference->target)};
	return libsnap_space_intern(&f->side->answer->space, &f->keyed->pairs, &pair, number,
				    f->error);
}

static bool count_pair(void *context, const struct snap_graph_reference *reference)
{
	struct finding *f = context;
	uint32_t number;
	if (!has_many(f->keyed, reference) || reference->target >= f->keyed->objects)
		return true;
	f->status = find_pair(f, reference, &number);
	if (f->status == SNAP_OK && !libsnap_array_reach(&f->keyed->counts, (uint64_t)number + 1))
		f->status = libsnap_budget_fail(&f->side->answer->budget, f->error);
	if (f->status != SNAP_OK)
		return false;
	++*(uint32_t *)libsnap_array_edit(&f->keyed->counts, number);
	return true;
}

static enum snap_status walk(struct finding *f, snap_graph_visit *visit)
{
	enum snap_status status = snap_graph_references(f->side->graph, visit, f, f->error);
	return status == SNAP_OK ? f->status : status;
}

enum snap_status libsnap_keyed_find(struct keyed *keyed, struct side *side,
				    struct snap_error *error)
{
	struct finding f = {.keyed = keyed, .side = side, .error = error};
	struct budget *budget = &side->answer->budget;
	*keyed = (struct keyed){.objects = side->object_count};
	libsnap_interner_begin(&keyed->pairs, budget, sizeof(struct pair), sizeof(struct pair));
	enum snap_status status =
		libsnap_budget_array(budget, &keyed->names, keyed->objects, 1, error);
	if (status == SNAP_OK)
		status = libsnap_budget_array(budget, &keyed->counts, 0, sizeof(uint32_t), error);
	bool many = false;
	if (status == SNAP_OK)
		status = may_have_many(side->reader, &many, error);
	if (status == SNAP_OK && many)
		status = walk(&f, count_name);
	if (status == SNAP_OK && keyed->any)
		status = walk(&f, count_pair);
	return status;
}

enum snap_status libsnap_keyed_label(struct keyed *keyed, struct side *side,
				     struct snap_graph_reference *reference,
				     struct snap_error *error)
{
	struct finding f = {.keyed = keyed, .side = side, .error = error};
	uint32_t number;
	if (!keyed->any || !has_many(keyed, reference))
		return SNAP_OK;
	enum snap_status status = find_pair(&f, reference, &number);
	if (status == SNAP_OK && number < keyed->counts.count &&
	    libsnap_array_get32(&keyed->counts, number) > MANY)
		reference->label = SNAP_LABEL_OBJECT(1);
	return status;
}

void libsnap_keyed_end(struct keyed *keyed)
{
	libsnap_interner_end(&keyed->pairs);
	libsnap_array_end(&keyed->names);
	libsnap_array_end(&keyed->counts);
}
