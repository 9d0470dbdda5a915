/* Answers: what they own, and how their rows are told. */
#include "query.h"

void snap_answer_free(struct snap_answer *answer)
{
	if (!answer)
		return;
	const struct snap_allocator *memory = &answer->budget.allocator;
	libsnap_space_end(&answer->space);
	for (int side = 0; side < 2; side++) {
		libsnap_array_end(&answer->sides[side]);
		libsnap_array_end(&answer->retained[side]);
		libsnap_array_end(&answer->fills[side]);
		libsnap_array_end(&answer->variances[side]);
	}
	libsnap_array_end(&answer->rows);
	libsnap_array_end(&answer->group_of_path);
	libsnap_arrays_end(&answer->budget.arrays);
	libsnap_tape_free(&answer->told);
	libsnap_free(memory, answer->frames, answer->frame_capacity, sizeof(*answer->frames));
	libsnap_free(memory, answer->slots, answer->slot_capacity, sizeof(*answer->slots));
	libsnap_free(memory, answer->steps, answer->step_capacity, sizeof(*answer->steps));
	libsnap_free(answer->budget.below, answer, 1, sizeof(*answer));
}

void snap_answer_info(const struct snap_answer *answer, struct snap_answer_info *out)
{
	*out = answer->info;
}

enum snap_status snap_answer_check(const struct snap_answer *answer, struct snap_error *error)
{
	if (answer->failed != SNAP_OK && error)
		*error = answer->error;
	return answer->failed;
}

/* ---- parts of a row ---- */

static void note_failure(struct snap_answer *answer)
{
	const struct budget *budget = &answer->budget;
	if (answer->failed == SNAP_OK)
		answer->failed = libsnap_budget_fail(budget, &answer->error);
}

static struct snap_text text_of(struct snap_answer *answer, uint64_t id)
{
	struct space *space = &answer->space;
	if (id == 0)
		return (struct snap_text){NULL, 0};
	struct snap_text text = {libsnap_text_in_memory(space, (uint32_t)id),
				 libsnap_text_size(space, (uint32_t)id)};
	if (text.bytes)
		return text;
	char *room = (char *)libsnap_tape_room(&answer->told, text.size);
	if (!room) {
		note_failure(answer);
		return (struct snap_text){NULL, 0};
	}
	libsnap_text_read(space, (uint32_t)id, 0, text.size, room);
	libsnap_tape_commit(&answer->told, text.size);
	text.bytes = room;
	return text;
}

/* Room for the items of a list, which a row tells; NULL: there is none. */
static void *room_for(struct snap_answer *answer, uint64_t list, void *items, size_t *capacity,
		      size_t size, size_t *count)
{
	*count = libsnap_chain_at(&answer->space, (uint32_t)list).length;
	void *room = libsnap_grow(&answer->budget.allocator, items, capacity, *count, size);
	if (!room) {
		note_failure(answer);
		*count = 0;
	}
	return room;
}

/* The item of a list, which then is the one before it. */
static struct tuple take_item(struct snap_answer *answer, uint32_t *list)
{
	struct chain chain = libsnap_chain_at(&answer->space, *list);
	*list = chain.before;
	return libsnap_tuple_at(&answer->space.places, chain.item);
}

/* Innermost first, as the list goes. */
static size_t tell_frames(struct snap_answer *answer, uint64_t list)
{
	size_t count;
	struct snap_place *frames = room_for(answer, list, answer->frames, &answer->frame_capacity,
					     sizeof(*frames), &count);
	answer->frames = frames ? frames : answer->frames;
	uint32_t id = (uint32_t)list;
	for (size_t i = 0; i < count; i++) {
		struct tuple place = take_item(answer, &id);
		frames[i] = (struct snap_place){
			.file = text_of(answer, place.part[0]),
			.line = place.part[1],
			.function = text_of(answer, place.part[2]),
			.module = text_of(answer, place.part[3]),
			.offset = place.part[4],
		};
	}
	return count;
}

/* First slot first, against the list's direction. */
static size_t tell_slots(struct snap_answer *answer, uint64_t list)
{
	size_t count;
	struct snap_slot_text *slots = room_for(answer, list, answer->slots, &answer->slot_capacity,
						sizeof(*slots), &count);
	answer->slots = slots ? slots : answer->slots;
	uint32_t id = (uint32_t)list;
	for (size_t i = count; i-- > 0;) {
		struct tuple slot = take_item(answer, &id);
		slots[i] = (struct snap_slot_text){
			.kind = (uint32_t)slot.part[0],
			.name = text_of(answer, slot.part[2]),
			.label = slot.part[1],
		};
	}
	return count;
}

static struct snap_step_text tell_step(struct snap_answer *answer, const struct tuple *step)
{
	return (struct snap_step_text){
		.is_root = step->part[2] & STEP_ROOT,
		.kind = (uint32_t)step->part[2],
		.is_index = step->part[3] == LABEL_INDEX,
		.is_key = step->part[3] == LABEL_KEY,
		.label = text_of(answer, step->part[4]),
		.type = text_of(answer, step->part[0]),
		.type_kind = (uint32_t)step->part[1],
	};
}

/* First step first, against the list's direction. */
static size_t tell_steps(struct snap_answer *answer, uint64_t list)
{
	size_t count;
	struct snap_step_text *steps = room_for(answer, list, answer->steps, &answer->step_capacity,
						sizeof(*steps), &count);
	answer->steps = steps ? steps : answer->steps;
	uint32_t id = (uint32_t)list;
	for (size_t i = count; i-- > 0;) {
		struct tuple step = take_item(answer, &id);
		steps[i] = tell_step(answer, &step);
	}
	return count;
}

static void tell_size(struct snap_answer_row *row, uint64_t bucket)
{
	row->low = bucket ? (uint64_t)1 << (bucket - 1) : 0;
	row->high = bucket ? row->low + (row->low - 1) : 0;
}

static void tell_type(struct snap_answer *answer, const struct tuple *key,
		      struct snap_answer_row *row)
{
	row->name = text_of(answer, key->part[0]);
	row->kind = (uint32_t)key->part[1];
}

/* Of those that ask where: a place, or several. */
static void tell_place(struct snap_answer *answer, const struct tuple *key,
		       struct snap_answer_row *row)
{
	switch (answer->info.key) {
	case SNAP_KEY_LINENO:
		row->place.line = key->part[1];
		row->place.function = text_of(answer, key->part[2]);
		row->place.module = text_of(answer, key->part[3]);
		row->place.offset = key->part[4];
		/* fall through */
	case SNAP_KEY_FILENAME: row->place.file = text_of(answer, key->part[0]); break;
	case SNAP_KEY_FUNCTION:
		row->place.function = text_of(answer, key->part[0]);
		row->place.file = text_of(answer, key->part[1]);
		row->place.module = text_of(answer, key->part[2]);
		break;
	case SNAP_KEY_TRACEBACK:
		row->frame_count = tell_frames(answer, key->part[0]);
		row->frames = answer->frames;
		break;
	default: row->place.module = text_of(answer, key->part[0]); break;
	}
}

static void tell_key(struct snap_answer *answer, const struct tuple *key,
		     struct snap_answer_row *row)
{
	switch (answer->info.key) {
	case SNAP_KEY_SHAPE:
		row->slot_count = tell_slots(answer, key->part[2]);
		row->slots = answer->slots;
		row->tail = (uint32_t)key->part[3];
		row->tail_kind = (uint32_t)key->part[4];
		/* fall through */
	case SNAP_KEY_TYPE:
	case SNAP_KEY_FILL: tell_type(answer, key, row); break;
	case SNAP_KEY_LINENO:
	case SNAP_KEY_FILENAME:
	case SNAP_KEY_FUNCTION:
	case SNAP_KEY_TRACEBACK:
	case SNAP_KEY_MODULE: tell_place(answer, key, row); break;
	case SNAP_KEY_THREAD:
		row->has_number = key->part[0];
		row->number = key->part[1];
		row->name = text_of(answer, key->part[2]);
		break;
	case SNAP_KEY_DOMAIN:
	case SNAP_KEY_GENERATION:
	case SNAP_KEY_REFCOUNT:
		row->has_number = true;
		row->number = key->part[0];
		break;
	case SNAP_KEY_SIZE: tell_size(row, key->part[0]); break;
	case SNAP_KEY_ROOT:
		row->has_number = key->part[0];
		row->number = key->part[0] ? key->part[0] - 1 : 0;
		row->name = text_of(answer, key->part[1]);
		break;
	case SNAP_KEY_DOMINATOR:
		tell_type(answer, key, row);
		row->address = key->part[2];
		row->object_name = text_of(answer, key->part[3]);
		break;
	case SNAP_KEY_DUPLICATE:
		tell_type(answer, key, row);
		row->length = key->part[2];
		row->hash = key->part[3];
		row->content = text_of(answer, key->part[4]);
		break;
	case SNAP_KEY_FIELD:
		tell_type(answer, key, row);
		row->step = tell_step(answer, key);
		break;
	case SNAP_KEY_PATH:
		row->step_count = tell_steps(answer, key->part[0]);
		row->steps = answer->steps;
		break;
	}
}

uint64_t libsnap_waste(struct snap_answer *answer, int side, uint32_t group)
{
	if (answer->info.key == SNAP_KEY_FILL)
		return libsnap_fill_at(answer, side, group).empty;
	if (answer->info.key != SNAP_KEY_DUPLICATE)
		return 0;
	union measure sum = libsnap_sum_at(answer, side, group);
	uint64_t bytes = sum.exact.bytes, count = sum.exact.count;
	return count ? bytes - (bytes / count + (bytes % count >= count - count / 2)) : 0;
}

bool libsnap_group_is_told(struct snap_answer *answer, uint32_t group)
{
	enum snap_key key = answer->info.key;
	if (key != SNAP_KEY_DUPLICATE && key != SNAP_KEY_FILL)
		return true;
	for (int side = 0; side < 2; side++) {
		if (key == SNAP_KEY_FILL && libsnap_fill_at(answer, side, group).places > 0)
			return true;
		if (key == SNAP_KEY_DUPLICATE && group < answer->sides[side].count &&
		    libsnap_sum_at(answer, side, group).exact.count > 1)
			return true;
	}
	return false;
}

/* Its group's number. */
static uint32_t tell_sums(struct snap_answer *answer, uint64_t index, struct snap_answer_row *out)
{
	uint32_t group = libsnap_array_get32(&answer->rows, index);
	int side = answer->info.compared;
	union measure now = libsnap_sum_at(answer, side, group);
	*out = (struct snap_answer_row){.bytes = now.exact.bytes, .count = now.exact.count};
	out->retained = libsnap_retained_at(answer, side, group);
	out->waste = libsnap_waste(answer, side, group);
	out->fill = libsnap_fill_at(answer, side, group);
	struct variance variance = libsnap_variance_at(answer, side, group);
	out->bytes_error = libsnap_error_of(variance.bytes);
	out->count_error = libsnap_error_of(variance.count);
	if (answer->info.compared) {
		union measure old = libsnap_sum_at(answer, 0, group);
		out->old_bytes = old.exact.bytes;
		out->old_count = old.exact.count;
		out->old_retained = libsnap_retained_at(answer, 0, group);
		variance = libsnap_variance_at(answer, 0, group);
		out->old_bytes_error = libsnap_error_of(variance.bytes);
		out->old_count_error = libsnap_error_of(variance.count);
		out->is_new = old.exact.count == 0 && old.exact.bytes == 0;
		out->is_gone = now.exact.count == 0 && now.exact.bytes == 0;
	}
	if (answer->budget.arrays.failed != SNAP_OK)
		note_failure(answer);
	return group;
}

void snap_answer_sums(struct snap_answer *answer, uint64_t index, struct snap_answer_row *out)
{
	tell_sums(answer, index, out);
}

void snap_answer_row(struct snap_answer *answer, uint64_t index, struct snap_answer_row *out)
{
	uint32_t group = tell_sums(answer, index, out);
	libsnap_tape_free(&answer->told);
	struct tuple key = libsnap_tuple_at(&answer->space.groups, group);
	tell_key(answer, &key, out);
	if (answer->budget.arrays.failed != SNAP_OK)
		note_failure(answer);
}
