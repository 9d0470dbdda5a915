/* The key traceback: stacks as lists of places, equal ones as one. */
#include "query.h"

/* A frame with a file is its function, file and line: places of tracemalloc have no functions. */
static enum snap_status place_frames(struct side *side, struct libsnap_array *place_of,
				     struct snap_error *error)
{
	struct space *space = &side->answer->space;
	for (uint64_t i = 1; i < side->names.frames.count; i++) {
		struct frame_name frame = libsnap_frame_at(&side->names, i);
		struct tuple place = {{frame.file, frame.line, frame.function}};
		if (!frame.file)
			place = (struct tuple){{0, 0, frame.function, frame.module, frame.offset}};
		uint32_t id;
		enum snap_status status =
			libsnap_space_intern(space, &space->places, &place, &id, error);
		if (status != SNAP_OK)
			return status;
		libsnap_array_set32(place_of, i, id);
	}
	return SNAP_OK;
}

/* Parents are earlier rows, so their lists are there already. */
static enum snap_status list_stacks(struct side *side, struct libsnap_array *place_of,
				    struct snap_error *error)
{
	for (uint64_t i = 1; i < side->names.stacks.count; i++) {
		struct stack_node stack = libsnap_stack_at(&side->names, i);
		uint32_t frames[MAX_INLINED];
		size_t count;
		enum snap_status status =
			libsnap_frame_chain(&side->names, stack.frame, frames, &count, error);
		uint32_t list = libsnap_array_get32(&side->list_of, stack.parent);
		while (status == SNAP_OK && count > 0) {
			uint32_t place = libsnap_array_get32(place_of, frames[--count]);
			status = libsnap_space_chain(&side->answer->space, list, place, &list,
						     error);
		}
		if (status != SNAP_OK)
			return status;
		libsnap_array_set32(&side->list_of, i, list);
	}
	return SNAP_OK;
}

enum snap_status libsnap_list_tracebacks(struct side *side, struct snap_error *error)
{
	struct budget *budget = &side->answer->budget;
	struct libsnap_array place_of = {0};
	enum snap_status status = libsnap_budget_array(
		budget, &side->list_of, side->names.stacks.count, sizeof(uint32_t), error);
	if (status == SNAP_OK)
		status = libsnap_budget_array(budget, &place_of, side->names.frames.count,
					      sizeof(uint32_t), error);
	if (status == SNAP_OK)
		status = place_frames(side, &place_of, error);
	if (status == SNAP_OK)
		status = list_stacks(side, &place_of, error);
	libsnap_array_end(&place_of);
	return status;
}
