/* Answers: what they own, and how their rows are told. */
#include "query.h"

void snap_answer_free(struct snap_answer *answer)
{
	if (!answer)
		return;
	const struct snap_allocator *memory = &answer->budget.allocator;
	libsnap_space_end(&answer->space);
	for (int side = 0; side < 2; side++) {
		libsnap_free(memory, answer->sides[side], answer->side_capacity[side],
			     sizeof(union measure));
		libsnap_free(memory, answer->retained[side], answer->retained_count[side],
			     sizeof(uint64_t));
		libsnap_free(memory, answer->fills[side], answer->fill_capacity[side],
			     sizeof(struct snap_fill));
	}
	libsnap_free(memory, answer->rows, answer->row_capacity, sizeof(uint32_t));
	libsnap_free(memory, answer->frames, answer->frame_capacity, sizeof(*answer->frames));
	libsnap_free(memory, answer->slots, answer->slot_capacity, sizeof(*answer->slots));
	libsnap_free(memory, answer->steps, answer->step_capacity, sizeof(*answer->steps));
	libsnap_free(answer->budget.below, answer, 1, sizeof(*answer));
}

void snap_answer_info(const struct snap_answer *answer, struct snap_answer_info *out)
{
	*out = answer->info;
}

enum snap_status libsnap_answer_prepare(struct snap_answer *answer, struct snap_error *error)
{
	const struct snap_allocator *memory = &answer->budget.allocator;
	size_t longest = 0;
	int part = answer->info.key == SNAP_KEY_SHAPE ? 2 : 0;
	if (answer->info.key != SNAP_KEY_SHAPE && answer->info.key != SNAP_KEY_TRACEBACK &&
	    answer->info.key != SNAP_KEY_PATH)
		return SNAP_OK;
	for (uint32_t group = 0; group < answer->space.groups.count; group++) {
		uint32_t list = (uint32_t)libsnap_group_at(&answer->space, group)->part[part];
		size_t length = libsnap_chain_at(&answer->space, list)->length;
		longest = length > longest ? length : longest;
	}
	bool good;
	if (answer->info.key == SNAP_KEY_SHAPE) {
		answer->slots = libsnap_alloc(memory, longest, sizeof(*answer->slots));
		answer->slot_capacity = longest;
		good = answer->slots != NULL;
	} else if (answer->info.key == SNAP_KEY_PATH) {
		answer->steps = libsnap_alloc(memory, longest, sizeof(*answer->steps));
		answer->step_capacity = longest;
		good = answer->steps != NULL;
	} else {
		answer->frames = libsnap_alloc(memory, longest, sizeof(*answer->frames));
		answer->frame_capacity = longest;
		good = answer->frames != NULL;
	}
	return good ? SNAP_OK : libsnap_budget_fail(&answer->budget, error);
}

static struct snap_text text_of(const struct snap_answer *answer, uint64_t id)
{
	struct text_item text = libsnap_text_at(&answer->space, (uint32_t)id);
	return (struct snap_text){text.bytes, text.size};
}

/* Innermost first, as the list goes. */
static size_t tell_frames(struct snap_answer *answer, uint64_t list)
{
	size_t count = 0;
	for (uint32_t id = (uint32_t)list; id; id = libsnap_chain_at(&answer->space, id)->before) {
		const struct tuple *place = libsnap_place_at(
			&answer->space, libsnap_chain_at(&answer->space, id)->item);
		answer->frames[count++] = (struct snap_place){
			.file = text_of(answer, place->part[0]),
			.line = place->part[1],
			.function = text_of(answer, place->part[2]),
			.module = text_of(answer, place->part[3]),
			.offset = place->part[4],
		};
	}
	return count;
}

/* First slot first, against the list's direction. */
static size_t tell_slots(struct snap_answer *answer, uint64_t list)
{
	size_t count = libsnap_chain_at(&answer->space, (uint32_t)list)->length, at = count;
	for (uint32_t id = (uint32_t)list; id; id = libsnap_chain_at(&answer->space, id)->before) {
		const struct tuple *slot = libsnap_place_at(
			&answer->space, libsnap_chain_at(&answer->space, id)->item);
		answer->slots[--at] = (struct snap_slot_text){
			.kind = (uint32_t)slot->part[0],
			.name = text_of(answer, slot->part[2]),
			.label = slot->part[1],
		};
	}
	return count;
}

static struct snap_step_text tell_step(const struct snap_answer *answer, const struct tuple *step)
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
	size_t count = libsnap_chain_at(&answer->space, (uint32_t)list)->length, at = count;
	for (uint32_t id = (uint32_t)list; id; id = libsnap_chain_at(&answer->space, id)->before)
		answer->steps[--at] = tell_step(
			answer, libsnap_place_at(&answer->space,
						 libsnap_chain_at(&answer->space, id)->item));
	return count;
}

static void tell_size(struct snap_answer_row *row, uint64_t bucket)
{
	row->low = bucket ? (uint64_t)1 << (bucket - 1) : 0;
	row->high = bucket ? row->low + (row->low - 1) : 0;
}

static void tell_type(const struct snap_answer *answer, const struct tuple *key,
		      struct snap_answer_row *row)
{
	row->name = text_of(answer, key->part[0]);
	row->kind = (uint32_t)key->part[1];
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
	case SNAP_KEY_TYPE: tell_type(answer, key, row); break;
	case SNAP_KEY_LINENO:
		row->place.line = key->part[1];
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
	case SNAP_KEY_MODULE: row->place.module = text_of(answer, key->part[0]); break;
	case SNAP_KEY_THREAD:
		row->has_number = key->part[0];
		row->number = key->part[1];
		row->name = text_of(answer, key->part[2]);
		break;
	case SNAP_KEY_DOMAIN:
	case SNAP_KEY_GENERATION:
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
	case SNAP_KEY_FILL: tell_type(answer, key, row); break;
	}
}

uint64_t libsnap_waste(const struct snap_answer *answer, int side, uint32_t group)
{
	if (answer->info.key == SNAP_KEY_FILL)
		return libsnap_fill_at(answer, side, group).empty;
	if (answer->info.key != SNAP_KEY_DUPLICATE)
		return 0;
	uint64_t bytes = answer->sides[side][group].exact.bytes,
		 count = answer->sides[side][group].exact.count;
	return count ? bytes - (bytes / count + (bytes % count >= count - count / 2)) : 0;
}

bool libsnap_group_is_told(const struct snap_answer *answer, uint32_t group)
{
	enum snap_key key = answer->info.key;
	if (key != SNAP_KEY_DUPLICATE && key != SNAP_KEY_FILL)
		return true;
	for (int side = 0; side < 2; side++) {
		if (key == SNAP_KEY_FILL && libsnap_fill_at(answer, side, group).places > 0)
			return true;
		if (key == SNAP_KEY_DUPLICATE && group < answer->side_capacity[side] &&
		    answer->sides[side] && answer->sides[side][group].exact.count > 1)
			return true;
	}
	return false;
}

void snap_answer_row(struct snap_answer *answer, uint64_t index, struct snap_answer_row *out)
{
	uint32_t group = answer->rows[index];
	const union measure *now = &answer->sides[answer->info.compared][group];
	int side = answer->info.compared;
	*out = (struct snap_answer_row){.bytes = now->exact.bytes, .count = now->exact.count};
	out->retained = libsnap_retained_at(answer, side, group);
	out->waste = libsnap_waste(answer, side, group);
	out->fill = libsnap_fill_at(answer, side, group);
	if (answer->info.compared) {
		const union measure *old = &answer->sides[0][group];
		out->old_bytes = old->exact.bytes;
		out->old_count = old->exact.count;
		out->old_retained = libsnap_retained_at(answer, 0, group);
		out->is_new = old->exact.count == 0 && old->exact.bytes == 0;
		out->is_gone = now->exact.count == 0 && now->exact.bytes == 0;
	}
	tell_key(answer, libsnap_group_at(&answer->space, group), out);
}
