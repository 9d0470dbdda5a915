/* What a row is grouped by. */
#include "query.h"

struct tuple libsnap_side_frame_key(struct side *side, uint32_t id)
{
	struct frame_name frame = libsnap_frame_at(&side->names, id);
	switch (side->options->key) {
	case SNAP_KEY_LINENO:
		if (frame.file)
			return (struct tuple){{frame.file, frame.line}};
		return (struct tuple){
			{0, 0, frame.function, frame.module, frame.function ? 0 : frame.offset}};
	case SNAP_KEY_FILENAME: return (struct tuple){{frame.file}};
	case SNAP_KEY_FUNCTION: return (struct tuple){{frame.function, frame.file, frame.module}};
	default: return (struct tuple){{frame.module}};
	}
}

/* SNAP_END: another object owns it. */
static enum snap_status owner_key(struct side *side, const struct query_row *row, struct tuple *key)
{
	if (!libsnap_side_bit(side, row->row))
		return SNAP_END;
	struct type_name type = libsnap_type_at(&side->names, row->type);
	*key = (struct tuple){{type.name, type.kind, row->address,
			       libsnap_resolver_text(&side->resolver, row->name),
			       row->address ? 0 : row->row + 1}};
	return SNAP_OK;
}

/* SNAP_END: it has none. */
static enum snap_status content_key(struct side *side, const struct query_row *row,
				    struct tuple *key)
{
	if (row->content == 0 || row->content >= side->contents.count)
		return SNAP_END;
	struct type_name type = libsnap_type_at(&side->names, row->type);
	const struct content *content = libsnap_array_at(&side->contents, row->content);
	*key = (struct tuple){
		{type.name, type.kind, content->length, content->hash, content->text}};
	return SNAP_OK;
}

/* All that a class's objects have in common, in few numbers; what is not asked for is 0. */
static enum snap_status class_key(struct side *side, const struct query_row *row, struct tuple *key)
{
	unsigned parts = side->classing->parts;
	uint32_t way = 0, group = SNAP_GRAPH_NO_GROUP;
	if (parts & SNAP_PART_ROOT)
		group = snap_graph_group_of(side->graph, row->row);
	if (group != SNAP_GRAPH_NO_GROUP)
		way = group + 1;
	if ((parts & SNAP_PART_PATH) && row->row < side->object_count)
		way = libsnap_array_get32(&side->path_of, row->row);
	bool is_holder = row->bytes == 0 && row->count == 0;
	*key = (struct tuple){{(parts & SNAP_PART_TYPE ? row->type : 0) |
				       (parts & SNAP_PART_SHAPE ? row->shape : 0) << 32,
			       row->stack | row->thread << 32, row->domain,
			       parts & SNAP_PART_REFCOUNT ? row->refcount : row->generation,
			       way | (parts & SNAP_PART_SIZE ? row->size_bucket : 0) << 32 |
				       (uint64_t)is_holder << 40}};
	return SNAP_OK;
}

/* No root reaches it, or its group has been found. */
static enum snap_status kept_root_key(struct side *side, const struct query_row *row, uint64_t *id,
				      struct tuple *key)
{
	uint32_t root = libsnap_array_get32(&side->path_of, row->row);
	if (root == 0)
		return SNAP_OK;
	*id = root;
	*key = (struct tuple){{(uint64_t)libsnap_array_get32(&side->kept.kinds, root) + 1,
			       libsnap_array_get32(&side->kept.step_of, root)}};
	return SNAP_OK;
}

static enum snap_status root_key(struct side *side, const struct query_row *row, uint64_t *id,
				 struct tuple *key, struct snap_error *error)
{
	if (side->kept.parts)
		return kept_root_key(side, row, id, key);
	uint32_t index = snap_graph_group_of(side->graph, row->row), label;
	if (index == SNAP_GRAPH_NO_GROUP)
		return SNAP_OK;
	*id = index;
	if (libsnap_array_get32(&side->group_of, index))
		return SNAP_OK;
	struct snap_graph_group root;
	snap_graph_group(side->graph, index, &root);
	enum snap_status status = libsnap_space_text(
		&side->answer->space, root.label,
		libsnap_size_of_variable(root.label, root.label_size), &label, error);
	if (status == SNAP_OK)
		*key = (struct tuple){{(uint64_t)root.kind + 1, label}};
	return status;
}

enum snap_status libsnap_side_key(struct side *side, const struct query_row *row, uint64_t *id,
				  struct tuple *key, struct snap_error *error)
{
	struct names *names = &side->names;
	*id = UINT64_MAX;
	*key = (struct tuple){{0}};
	if (side->classing)
		return class_key(side, row, key);
	switch (side->options->key) {
	case SNAP_KEY_TYPE:
	case SNAP_KEY_FILL: {
		struct type_name type = libsnap_type_at(names, row->type);
		*id = row->type;
		*key = (struct tuple){{type.name, type.kind}};
		break;
	}
	case SNAP_KEY_SHAPE: {
		struct shape_name shape = libsnap_shape_name_at(names, row->shape);
		struct type_name type = libsnap_type_at(names, shape.type);
		*id = row->shape;
		*key = (struct tuple){
			{type.name, type.kind, shape.slots, shape.tail, shape.tail_kind}};
		break;
	}
	case SNAP_KEY_LINENO:
	case SNAP_KEY_FILENAME:
	case SNAP_KEY_FUNCTION:
	case SNAP_KEY_MODULE:
		*id = libsnap_site_at(names, row->stack);
		*key = libsnap_side_frame_key(side, (uint32_t)*id);
		break;
	case SNAP_KEY_TRACEBACK:
		*id = row->stack;
		*key = (struct tuple){{libsnap_array_get32(&side->list_of, row->stack)}};
		break;
	case SNAP_KEY_THREAD: {
		struct thread_name thread = libsnap_thread_at(names, row->thread);
		*id = row->thread;
		*key = (struct tuple){{row->thread != 0, thread.number, thread.name}};
		break;
	}
	case SNAP_KEY_DOMAIN: *key = (struct tuple){{row->domain}}; break;
	case SNAP_KEY_GENERATION: *key = (struct tuple){{row->generation}}; break;
	case SNAP_KEY_REFCOUNT: *key = (struct tuple){{row->refcount}}; break;
	case SNAP_KEY_SIZE: *key = (struct tuple){{row->size_bucket}}; break;
	case SNAP_KEY_ROOT: return root_key(side, row, id, key, error);
	case SNAP_KEY_DOMINATOR: return owner_key(side, row, key);
	case SNAP_KEY_DUPLICATE: return content_key(side, row, key);
	case SNAP_KEY_PATH:
		*id = row->row < side->object_count ? libsnap_array_get32(&side->path_of, row->row)
						    : 0;
		*key = (struct tuple){{*id}};
		break;
	case SNAP_KEY_FIELD: break;
	}
	return SNAP_OK;
}
