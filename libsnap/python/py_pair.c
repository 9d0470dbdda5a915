/* A second walk beside the first, by the helper thread.  It has its own struct py_walk and visits
 * only what is read without the interpreter: it runs none of its functions but those that traverse,
 * and leaves all else, and what needs more room, to the first.  The two share the index, the rows
 * and marks of objects, and one area for words, of which each has a half. */
#include "py_walk.h"

#define BLOCK_IDS   1024u
#define STRETCH     2048u
#define TABLES_ROOM 1024u
#define HALF_SHARE  4u  /* of a process's bytes, for the words of each */
#define BYTES_EACH  64u /* of a process, for each object */
#define MIB_LOG     20u

struct py_pair {
	struct libsnap_job job;
	pthread_mutex_t lock;
	struct py_walk second;
	uint32_t count; /* ids that were given to either */
	bool stop;
	size_t words_capacity;
};

void py_lock(const struct py_walk *w)
{
	if (w->pair)
		pthread_mutex_lock(&w->pair->lock);
}

void py_unlock(const struct py_walk *w)
{
	if (w->pair)
		pthread_mutex_unlock(&w->pair->lock);
}

/* ---- what both take from ---- */

bool py_pair_next(struct py_walk *w, size_t *first, size_t *end)
{
	struct py_stretches *of = &py_first(w)->stretches;
	if (w->main && __atomic_load_n(&w->pair->stop, __ATOMIC_RELAXED))
		return false;
	*first = __atomic_fetch_add(&of->next, STRETCH, __ATOMIC_RELAXED);
	if (*first >= of->count)
		return false;
	*end = of->count - *first < STRETCH ? of->count : *first + STRETCH;
	return true;
}

bool py_pair_take_ids(struct py_walk *w)
{
	struct py_pair *pair = w->pair;
	py_leaves_describe(w, w->ids.first, w->ids.end);
	py_lock(w);
	const uint32_t first = pair->count + 1;
	const bool room = w->object_room - pair->count >= BLOCK_IDS;
	pair->count += room ? BLOCK_IDS : 0;
	py_unlock(w);
	w->ids = (struct py_ids){first, first, room ? first + BLOCK_IDS : first};
	return room;
}

/* ---- the second one ---- */

struct py_type *py_pair_type(struct py_walk *w, PyTypeObject *type)
{
	const struct py_walk *from = w->main;
	struct py_type copy = {.type = NULL};
	py_lock(w);
	const uint32_t number = py_map_get(&from->type_numbers, type);
	if (number)
		copy = ((const struct py_type *)(const void *)from->types.bytes)[number - 1];
	const size_t size = copy.member_count * sizeof(struct py_member);
	void *members = size > 0 ? py_area_add(&w->members, size) : NULL;
	if (members)
		memcpy(members, from->members.bytes + copy.member_first * sizeof(struct py_member),
		       size);
	py_unlock(w);
	if (size > 0 && !members)
		py_fail(w, SNAP_NO_MEMORY, "out of memory");
	if (!copy.type || !py_going(w))
		return NULL;
	copy.member_first = (w->members.size - size) / sizeof(struct py_member);
	/* Layouts that this one does not know. */
	copy.plain = copy.labelled = copy.last = copy.last_of_dict = 0;
	return py_type_keep(w, &copy);
}

void py_pair_give_up(struct py_walk *w)
{
	if (py_going(w))
		w->status = SNAP_END;
}

void py_pair_leave(struct py_walk *w, uint32_t id)
{
	uint32_t *added = py_area_add(&w->left, sizeof(*added));
	if (added)
		*added = id;
	else
		w->status = SNAP_NO_MEMORY;
}

bool py_pair_may_visit(struct py_walk *w, PyObject *object, uint32_t id)
{
	if (!w->main)
		return true;
	const struct py_type *type = py_type_of(w, object);
	if (type && type->for_any && (type->layout != PY_DICT || py_dict_size_is_known(w, object)))
		return true;
	py_pair_leave(w, id);
	return false;
}

static void run(struct libsnap_job *job)
{
	struct py_walk *w = &((struct py_pair *)(void *)job)->second;
	py_visit_stretches(w);
	py_leaves_describe(w, w->ids.first, w->ids.next);
}

/* ---- both ---- */

static void begin_second(struct py_walk *w, struct py_pair *pair)
{
	struct py_walk *second = &pair->second;
	*second = (struct py_walk){.options = w->options,
				   .writer = w->writer,
				   .status = SNAP_OK,
				   .layouts = w->layouts,
				   .pair = pair,
				   .main = w,
				   .index = w->index,
				   .object_room = w->object_room,
				   .leaves = w->leaves,
				   .objects = w->objects,
				   .marks = w->marks,
				   .words = w->words};
	memcpy(second->integer_sizes, w->integer_sizes, sizeof(w->integer_sizes));
	pair->count = w->object_count;
	pair->words_capacity = w->words.capacity;
	const size_t room = (w->words.capacity - w->words.size) / sizeof(uint32_t);
	second->words.size += room / 2 * sizeof(uint32_t);
	w->words.capacity = second->words.size;
	w->ids = (struct py_ids){.first = 0};
	w->pair = pair;
	pair->job.run = run;
	libsnap_worker_post(&w->worker, &pair->job);
}

bool py_pair_begin(struct py_walk *w)
{
	const size_t half = (size_t)(w->options->resident_bytes / HALF_SHARE);
	/* Stacks and contents are the writer's. */
	if (!w->worker.threaded || !w->layouts || w->options->traces || w->options->hashes ||
	    !py_type_at(w, &PyDict_Type))
		return false;
	struct py_pair *pair = py_map_pages(sizeof(*pair));
	if (!pair || pthread_mutex_init(&pair->lock, NULL) != 0) {
		py_unmap_pages(pair, sizeof(*pair));
		return false;
	}
	if (py_area_reserve(&w->words, 2 * half) &&
	    py_room_reserve(w, (size_t)(w->options->resident_bytes / BYTES_EACH)) &&
	    py_index_share(w->index, &pair->lock,
			   (size_t)(w->options->resident_bytes >> MIB_LOG) + TABLES_ROOM)) {
		begin_second(w, pair);
		return true;
	}
	pthread_mutex_destroy(&pair->lock);
	py_unmap_pages(pair, sizeof(*pair));
	return false;
}

/* Behind those of the second one; those of the object at hand come after them. */
static void join_words(struct py_walk *w, const struct py_pair *pair)
{
	const size_t first = w->first_word * sizeof(uint32_t), size = w->words.size - first;
	w->words.size = pair->second.words.size;
	w->words.capacity = pair->words_capacity;
	if (!py_area_reserve(&w->words, size)) {
		py_fail(w, SNAP_NO_MEMORY, "out of memory for references");
		return;
	}
	memcpy(w->words.bytes + w->words.size, w->words.bytes + first, size);
	w->first_word = w->words.size / sizeof(uint32_t);
	w->words.size += size;
}

static void join_ids(struct py_walk *w, struct py_area *to, const struct py_area *from)
{
	void *added = from->size > 0 ? py_area_add(to, from->size) : NULL;
	if (added)
		memcpy(added, from->bytes, from->size);
	else if (from->size > 0)
		py_fail(w, SNAP_NO_MEMORY, "out of memory for a table of objects");
}

static void keep_holes(struct py_walk *w, const struct py_ids *ids)
{
	for (uint32_t id = ids->next; id < ids->end; id++) {
		py_add_id(w, &w->holes, id);
		py_row_of(w, id)->id = 0;
		py_mark_as(w, id, PY_VISITED | PY_LEAF);
	}
}

static void free_second(struct py_walk *second)
{
	struct py_area *const areas[] = {
		&second->later,   &second->left,  &second->types,        &second->members,
		&second->visited, &second->slots, &second->layout_infos, &second->layout_slots};
	struct py_map *const maps[] = {&second->type_numbers, &second->names, &second->told_keys,
				       &second->layout_numbers, &second->dict_sizes};
	for (size_t i = 0; i < sizeof(areas) / sizeof(*areas); i++)
		py_area_free(areas[i]);
	for (size_t i = 0; i < sizeof(maps) / sizeof(*maps); i++)
		py_map_free(maps[i]);
}

void py_pair_end(struct py_walk *w)
{
	struct py_pair *pair = w->pair;
	if (!pair)
		return;
	__atomic_store_n(&pair->stop, true, __ATOMIC_RELAXED);
	libsnap_worker_wait(&w->worker, &pair->job);
	w->pair = NULL;
	w->index->lock = NULL;
	w->object_count = pair->count;
	py_leaves_describe(w, w->ids.first, w->ids.next);
	keep_holes(w, &w->ids);
	keep_holes(w, &pair->second.ids);
	py_leaves_go_on(w);
	join_words(w, pair);
	join_ids(w, &w->later, &pair->second.later);
	join_ids(w, &w->left, &pair->second.left);
	py_layouts_join(w, &pair->second);
	if (pair->second.status != SNAP_OK && pair->second.status != SNAP_END && py_going(w)) {
		w->status = pair->second.status;
		w->error = pair->second.error;
	}
	free_second(&pair->second);
	pthread_mutex_destroy(&pair->lock);
	py_unmap_pages(pair, sizeof(*pair));
}
