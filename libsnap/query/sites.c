/* The frame that stands for a stack: its innermost one that is not passed over. */
#include "query.h"

bool libsnap_has_sites(struct snap_reader *reader, const struct snap_query_options *options)
{
	return options->passed_count && snap_reader_row_count(reader, SNAP_MODULES);
}

/* Parents are earlier rows, so what stands for them is known. */
static enum snap_status choose(struct names *names, struct libsnap_array *frame_bits,
			       struct snap_error *error)
{
	for (uint64_t i = 1; i < names->stacks.count; i++) {
		struct stack_node stack = libsnap_stack_at(names, i);
		uint32_t frames[MAX_INLINED];
		size_t count, k = 0;
		enum snap_status status =
			libsnap_frame_chain(names, stack.frame, frames, &count, error);
		if (status != SNAP_OK)
			return status;
		while (k < count && libsnap_array_get64(frame_bits, frames[k]))
			k++;
		uint32_t site =
			k < count ? frames[k] : libsnap_array_get32(&names->sites, stack.parent);
		libsnap_array_set32(&names->sites, i, site);
	}
	return SNAP_OK;
}

enum snap_status libsnap_sites_load(struct names *names, const struct snap_query_options *options,
				    struct snap_error *error)
{
	struct filter filter;
	struct libsnap_array frame_bits = {0};
	if (!names->stacks.count || !libsnap_has_sites(names->reader, options))
		return SNAP_OK;
	struct budget *budget = names->space->budget;
	enum snap_status status = libsnap_filter_begin(&filter, budget, options->passed,
						       options->passed_count, error);
	if (status == SNAP_OK)
		status = libsnap_filter_frames(&filter, names, &frame_bits, error);
	if (status == SNAP_OK)
		status = libsnap_budget_array(budget, &names->sites, names->stacks.count,
					      sizeof(uint32_t), error);
	if (status == SNAP_OK)
		status = choose(names, &frame_bits, error);
	libsnap_array_end(&frame_bits);
	libsnap_filter_end(&filter);
	return status;
}
