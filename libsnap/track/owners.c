/* What points to blocks: other blocks, and what is outside of them.  A variable, a stack and what
 * else belongs to a thread is an object of count 0 (FORMAT.md, section 7.2), so that all that it
 * holds is below one; a word of a module that no variable is known to have is a root of its own. */
#include <stdio.h>
#include <string.h>

#include "picture.h"

#define MAPPING    "mapping"
#define LABELS_MAX 65536u /* beyond, roots are named after their module alone */

/* ---- references ---- */

/* Whose references are being added. */
struct owner {
	struct picture *p;
	uintptr_t start;
	size_t size;
};

static uint32_t offset_name(struct picture *p, size_t offset)
{
	char text[24];
	uint32_t other = 0, *name = offset % 8 == 0 ? &p->offsets[offset / 8] : &other;
	if (*name == 0)
		*name = track_picture_string(p, text,
					     (size_t)snprintf(text, sizeof text, "+0x%zx", offset));
	return *name;
}

static bool add_reference(void *context, size_t offset, uintptr_t target)
{
	const struct owner *owner = context;
	struct picture *p = owner->p;
	bool is_field = owner->size <= PICTURE_NAMED_WORDS * sizeof(uintptr_t);
	uint64_t label = is_field ? SNAP_LABEL_STRING(offset_name(p, offset))
				  : SNAP_LABEL_INDEX(offset / sizeof(uintptr_t));
	if (p->status == SNAP_OK)
		p->status = snap_writer_reference(p->writer, owner->start, target,
						  is_field ? SNAP_REF_FIELD : SNAP_REF_ELEMENT,
						  label, &p->error);
	return p->status == SNAP_OK;
}

void track_picture_references(struct picture *p, const struct track_block *block)
{
	struct owner owner = {p, block->address, block->size};
	track_holders_words(&p->holders, &p->maps, block, add_reference, &owner);
}

void track_picture_mapped_references(struct picture *p, const struct track_mapped *m)
{
	struct owner owner = {p, m->block.address, m->block.size};
	uintptr_t at = (owner.start + 7) & ~(uintptr_t)7, stop;
	for (; (stop = track_maps_private(&p->maps, &at, owner.start + owner.size)) != 0; at = stop)
		for (; stop >= at + 8; at += 8) {
			const struct track_range *to = track_holders_find(
				&p->holders, *(const uintptr_t *)at); /* NOLINT */
			if (to && !track_holders_find(&p->holders, at) &&
			    !add_reference(&owner, at - owner.start, to->start))
				return;
		}
}

/* ---- roots ---- */

bool track_picture_read_references(struct picture *p)
{
	if (!p->has_account || !track_older_read(&p->older, &p->maps, &p->account) ||
	    !track_holders_read(&p->holders, &p->older.chunks) ||
	    !track_roots_read(&p->roots, &p->maps, &p->account, &p->holders) ||
	    !track_older_reach(&p->older, &p->maps, &p->holders, &p->roots, p->mapped,
			       p->mapped_count))
		return false;
	track_variables_name(&p->roots, &p->maps);
	p->functions = track_map((track_node_count() + 1) * sizeof *p->functions);
	return p->functions != NULL;
}

static struct picture_thread thread_of(struct picture *p, pid_t tid)
{
	for (uint32_t number = track_thread_count(); number-- > 0;)
		if (track_thread_record(number)->tid == tid)
			return track_picture_thread(p, number);
	return (struct picture_thread){0};
}

static uint32_t place_label(struct picture *p, const struct track_root *root)
{
	const char *name = strrchr(root->module->path, '/') + 1;
	char text[TRACK_PATH + 32];
	size_t offset = root->at - root->module->start;
	int size = p->labels++ >= LABELS_MAX
			   ? snprintf(text, sizeof text, "%s", name)
			   : snprintf(text, sizeof text, "%s+0x%zx", name, offset);
	return track_picture_string(p, text,
				    (size_t)size < sizeof text ? (size_t)size : sizeof text - 1);
}

/* The function of a frame, else its module and the offset of the call. */
static uint32_t function_label(struct picture *p, uint32_t node)
{
	char text[TRACK_PATH + 32];
	uint64_t frame = track_node_at(node)->frame;
	const struct track_module *module = track_module_at(TRACK_FRAME_MODULE(frame));
	uintptr_t address = TRACK_FRAME_ADDRESS(frame) - 1;
	if (p->functions[node] != 0)
		return p->functions[node];
	if (!track_function_name(&p->maps, module->start, address, text, sizeof text)) {
		const struct track_mapping *file = track_mapping_from(&p->maps, module->start);
		const char *name = file ? strrchr(file->path, '/') : NULL;
		snprintf(text, sizeof text, "%s+0x%zx", name ? name + 1 : "?",
			 (size_t)(address - module->start));
	}
	return p->functions[node] = track_picture_string(p, text, strlen(text));
}

static void add_root(struct picture *p, const struct snap_root *root)
{
	if (p->status == SNAP_OK)
		p->status = snap_writer_root(p->writer, root, &p->error);
}

/* Roots that belong together come one after the other. */
static size_t count_alike(const struct track_root *roots, size_t count)
{
	const struct track_root *first = roots;
	size_t alike = 1;
	if (!first->name && first->module)
		return 1;
	for (; alike < count; alike++) {
		const struct track_root *r = &roots[alike];
		bool is_same = first->name ? r->name == first->name && r->name_at == first->name_at
					   : !r->name && !r->module && r->at != 0 &&
						     r->tid == first->tid &&
						     r->is_stack == first->is_stack &&
						     r->node == first->node;
		if (!is_same)
			break;
	}
	return alike;
}

static bool is_at(const struct track_root *root, uintptr_t id)
{
	return root->at == id || (root->name && root->name_at == id);
}

/* A stack may lie in a block, or be looked at as another thread's.  Roots in modules, which
 * may be many, have been added between those of threads that have ended and others. */
static bool is_taken(const struct picture *p, const struct track_root *roots, uintptr_t id)
{
	const struct track_range *block = track_holders_find(&p->holders, id);
	bool is_taken = block && block->start == id;
	for (size_t i = 0; i < p->mapped_count && !is_taken; i++)
		is_taken = p->mapped[i].block.address == id;
	for (const struct track_root *r = roots; r > p->roots.all && !(--r)->module && !is_taken;)
		is_taken = is_at(r, id);
	for (const struct track_root *r = p->roots.all; r < roots && !r->module && !is_taken; r++)
		is_taken = is_at(r, id);
	return is_taken;
}

static uint32_t type_id(struct picture *p, const struct track_root *root)
{
	const char *name = root->name       ? "variable"
			   : root->node     ? "frame"
			   : root->is_stack ? "stack"
					    : "thread";
	uint32_t text = track_picture_string(p, name, strlen(name)), type = 0;
	if (p->status == SNAP_OK)
		p->status = snap_writer_type(p->writer, text, SNAP_TYPE_PLACE, &type, &p->error);
	return type;
}

/* A place on a stack has no label: it is another one in each run. */
static void add_local(struct picture *p, uintptr_t owner, uintptr_t target)
{
	if (p->status == SNAP_OK)
		p->status = snap_writer_reference(p->writer, owner, target, SNAP_REF_LOCAL,
						  SNAP_LABEL_NONE, &p->error);
}

static void add_owner(struct picture *p, const struct track_root *roots, size_t count,
		      struct snap_root root)
{
	struct owner owner = {p, roots->name ? roots->name_at : roots->at, roots->name_size};
	struct snap_object object = {.id = owner.start,
				     .type = type_id(p, roots),
				     .thread = root.thread,
				     .stack = root.stack};
	object.name = root.label ? root.label : thread_of(p, roots->tid).name;
	if (p->status == SNAP_OK)
		p->status = snap_writer_object(p->writer, &object, &p->error);
	for (size_t i = 0; i < count; i++)
		if (roots->name)
			add_reference(&owner, roots[i].at - owner.start, roots[i].block);
		else
			add_local(p, owner.start, roots[i].block);
	root.object = owner.start;
	add_root(p, &root);
}

/* What is mapped stays so without anything that points to it. */
static void add_mapped(struct picture *p)
{
	const uint32_t label =
		p->mapped_count ? track_picture_string(p, MAPPING, sizeof MAPPING - 1) : 0;
	for (size_t i = 0; i < p->mapped_count; i++) {
		const struct track_range *block =
			track_holders_find(&p->holders, p->mapped[i].block.address);
		if (!block || block->start != p->mapped[i].block.address)
			add_root(p, &(struct snap_root){.object = p->mapped[i].block.address,
							.kind = SNAP_ROOT_GLOBAL,
							.label = label});
	}
}

void track_picture_roots(struct picture *p)
{
	if (track_settings.references)
		add_mapped(p);
	for (size_t i = 0, count; i < p->roots.count && p->status == SNAP_OK; i += count) {
		const struct track_root *r = &p->roots.all[i];
		struct snap_root root = {.object = r->block, .kind = SNAP_ROOT_GLOBAL};
		count = count_alike(r, p->roots.count - i);
		if (r->name)
			root.label = track_picture_string(p, r->name, strlen(r->name));
		else if (r->module)
			root.label = place_label(p, r);
		if (!r->module) {
			root.kind = r->at == 0    ? SNAP_ROOT_REGISTER
				    : r->is_stack ? SNAP_ROOT_STACK_FRAME
						  : SNAP_ROOT_TLS;
			root.thread = thread_of(p, r->tid).id;
			root.stack = r->node ? track_picture_stack(p, r->node) : 0;
			root.label = r->node ? function_label(p, r->node) : root.label;
		}
		bool has_owner = r->name || (!r->module && r->at != 0);
		if (has_owner && (r->module || !is_taken(p, r, r->name ? r->name_at : r->at))) {
			add_owner(p, r, count, root);
			continue;
		}
		for (size_t j = 0; j < count; j++) {
			root.object = r[j].block;
			add_root(p, &root);
		}
	}
}
