/* The walk over CPython's objects, from the inside.  It runs in a forked
 * child that holds the interpreter's lock: nothing here runs Python code
 * or waits for a lock, and all memory is mapped by the child itself. */
#ifndef SNAP_PY_WALK_H
#define SNAP_PY_WALK_H

#define PY_SSIZE_T_CLEAN
#include <Python.h>
#include <frameobject.h>
#include <string.h>

#include "snap.h"
#include "worker.h"

#if PY_VERSION_HEX < 0x03080000 || defined(PYPY_VERSION) || defined(Py_GIL_DISABLED)
#error "This extension is for CPython 3.8 and later, with its global interpreter lock."
#endif

#define PY_SINCE(major, minor) (PY_VERSION_HEX >= ((major) << 24 | (minor) << 16))

/* Whether the interpreter is shutting down. */
static inline bool py_is_ending(void)
{
#if PY_SINCE(3, 13)
	return Py_IsFinalizing();
#else
	return _Py_IsFinalizing();
#endif
}

/* ---- memory (py_memory.c) ---- */

/* Zeroed pages; NULL: no memory.  To be given back with the same size; NULL may be. */
void *py_map_pages(size_t size);
void py_unmap_pages(void *, size_t size);

/* Bytes that grow where they are or move; all zero is an empty one. */
struct py_area {
	char *bytes;
	size_t size, capacity;
};
/* Room for size bytes more than there are; false: no memory. */
bool py_area_reserve(struct py_area *, size_t size);
void py_area_free(struct py_area *);
/* size bytes, one at least, at the end, zeroed; NULL: no memory. */
static inline void *py_area_add(struct py_area *area, size_t size)
{
	if (__builtin_expect(area->capacity - area->size < size, 0) && !py_area_reserve(area, size))
		return NULL;
	char *added = area->bytes + area->size;
	memset(added, 0, size);
	area->size += size;
	return added;
}

struct py_memory {
	void *free_lists[16];
	char *chunk;
	size_t chunk_left;
	bool large_pages; /* there is much to be written */
	char *piece;
	size_t piece_left;
};
/* For libsnap: blocks up to 32 KiB are reused by size,
 * larger ones mapped.  Ends with the process. */
struct snap_allocator py_memory_allocator(struct py_memory *);

/* Pointers to numbers other than 0. */
struct py_map {
	struct py_map_entry {
		const void *key;
		uint32_t value;
	} * entries;
	size_t capacity, count;
};
uint32_t py_map_get(const struct py_map *, const void *key);
bool py_map_put(struct py_map *, const void *key, uint32_t value);
void py_map_free(struct py_map *);

/* ---- addresses to ids (py_index.c) ---- */

/* For each MiB of addresses that has objects, a table with one
 * number for every 16 bytes: objects are at least so large. */
#define PY_CHUNK_LOG   20
#define PY_CHUNK_SLOTS ((size_t)1 << (PY_CHUNK_LOG - 4))
struct py_index {
	struct py_index_chunk {
		uintptr_t key;
		uint32_t *ids;
		uint64_t used; /* 64ths of it that have ids */
	} * chunks;
	size_t capacity, count; /* capacity: a power of two, or 0 */
	/* Where the next tables lie: many in one piece,
	 * which the system backs with few, large pages */
	uint32_t *pool;
	size_t pool_left;      /* tables */
	struct py_area pools;  /* uint32_t *, in one piece each */
	pthread_mutex_t *lock; /* of two threads; then it cannot grow */
};
uint32_t *py_index_seek(struct py_index *, const void *address);
/* Gives an address, of which the slot is known, an id, unless it has one: that which it has then. */
uint32_t py_index_put(struct py_index *, const void *address, uint32_t *slot, uint32_t id);
/* It is used by two threads from now on, until lock is NULL again, and has room for so many more
 * tables; false: no memory. */
bool py_index_share(struct py_index *, pthread_mutex_t *lock, size_t tables);
/* Adds all ids after one, up to another, in the order of their addresses; false: no memory. */
bool py_index_order(const struct py_index *, uint32_t after, uint32_t last, struct py_area *ids);
void py_index_free(struct py_index *);
static inline size_t py_index_home(const struct py_index *index, uintptr_t key)
{
	return (size_t)(key * 0x9e3779b97f4a7c15u >> 32) & (index->capacity - 1);
}
/* Where the id of an address is kept, 0 at first; NULL: no memory, or no room beside a lock. */
static inline uint32_t *py_index_slot(struct py_index *index, const void *address)
{
	uintptr_t key = (uintptr_t)address >> PY_CHUNK_LOG;
	if (__builtin_expect(index->capacity > 0, 1)) {
		const struct py_index_chunk *chunk = &index->chunks[py_index_home(index, key)];
		uint32_t *ids = __atomic_load_n(&chunk->ids, __ATOMIC_ACQUIRE);
		if (__builtin_expect(chunk->key == key && ids, 1))
			return &ids[(uintptr_t)address >> 4 & (PY_CHUNK_SLOTS - 1)];
	}
	return py_index_seek(index, address);
}

/* ---- types (py_types.c) ---- */

enum py_layout {
	PY_OTHER,
	PY_LIST,
	PY_TUPLE,
	PY_DICT,
	PY_SET,
	PY_STRING,
	PY_BYTES,
	PY_INTEGER,
	PY_FLOAT,
	PY_FUNCTION,
	PY_MODULE,
	PY_TYPE,
	PY_FRAME,
	PY_TRACEBACK,
	PY_GENERATOR,
	PY_CODE,
	PY_WEAK,
	PY_CELL,
	PY_C_FUNCTION,
	PY_EXCEPTION,
};

struct py_member {
	Py_ssize_t offset;
	uint32_t label; /* string id */
};

struct py_type {
	PyTypeObject *type;
	uint32_t id; /* in the snapshot */
	enum py_layout layout;
	bool exact; /* the type itself, not one derived from it */
	bool is_lru_cache;
	/* the writer's layouts without slots, and with labels; 0: not yet */
	uint32_t plain, labelled;
	/* bytes of a block before the object: collector's header, managed dict */
	size_t before;
	PyCFunction size; /* __sizeof__, if it is written in C and not object's */
	bool for_any;     /* its objects may be visited by any thread (py_pair.c) */
	size_t member_first, member_count;
	/* layouts of its last object, and of the last dict of such an object's own */
	uint32_t last, last_of_dict;
};

#define PY_OWN_MAX 60 /* dicts with more items are collections */
struct py_own_item {
	PyObject *key;
	uint64_t label;
	uint32_t id;
};

/* ---- the walk ---- */

/* Marks of an object. */
#define PY_NAMESPACE 1u /* a dict whose keys are names in the program */
#define PY_VISITED   2u
#define PY_LEAF      4u /* refers to nothing */

struct py_options {
	const char *path; /* or NULL */
	int descriptor;   /* if there is no path */
	bool graph, traces, hashes, keys;
	/* how a child died that read private structures; they are not to be read then */
	const char *died;
	const char *program, *time; /* properties */
	PyObject *thread_names;     /* dict of ident: name, or NULL */
	size_t trace_limit;         /* frames that are kept of a stack */
	unsigned long pid;
	uint64_t time_ns, resident_bytes;
	uint64_t hash_key[2]; /* random */
};

/* ---- leaves (py_leaves.c) ---- */

#define PY_LEAF_KINDS 4u
#define PY_LEAF_JOBS  8u

/* Objects that refer to nothing, of types of which all is known: a helper thread describes them. */
struct py_leaves {
	struct py_leaf_kind {
		const PyTypeObject *type;
		enum py_layout layout;
		uint32_t plain; /* the writer's layout */
	} kinds[PY_LEAF_KINDS];
	const uint32_t *integer_sizes;
	struct py_leaf_job {
		struct libsnap_job job;
		const struct py_leaves *leaves;
		struct snap_heap_object *objects;
		uint8_t *marks;
		uint32_t first, last; /* ids */
	} jobs[PY_LEAF_JOBS];
	unsigned next;   /* job */
	uint32_t posted; /* ids up to this one were */
	uint32_t due;    /* when so many objects are known, more are posted */
};

#define PY_SOON          32u
#define PY_INTEGER_SIZES 4u
struct py_walk {
	const struct py_options *options;
	struct snap_writer *writer;
	struct libsnap_worker worker;
	enum snap_status status; /* the first failure; after it nothing more is done */
	struct snap_error error;
	uint64_t large_bytes; /* that a large process has; 0: it is none */
	bool layouts;         /* private structures are as we know them */

	struct py_pair *pair; /* while two threads walk, or NULL */
	struct py_walk *main; /* of the helper's: the other one */
	struct py_index *index, own_index;
	uint32_t object_count, object_room;
	/* of two walks: ids that this one has to itself, and the next of them to be given */
	struct py_ids {
		uint32_t first, next, end;
	} ids;
	struct py_area holes; /* uint32_t: ids that were given to nothing */
	uint32_t object_stop; /* when so many are known, something is to be done before the next */
	struct py_leaves leaves;
	/* By id - 1 */
	struct py_area objects;          /* struct snap_heap_object; id: the address */
	struct py_area marks;            /* uint8_t */
	struct py_area traces, contents; /* uint32_t */
	struct py_area words;            /* uint32_t: targets, as snap_writer_heap() wants them */
	/* uint32_t: ids that are to be visited, and in the end all by address */
	struct py_area order;
	/* uint32_t: ids of dicts that are to be visited when all others have been */
	struct py_area later;
	/* uint32_t: of functions, whose closures are said when all others have been visited */
	struct py_area closures;
	/* uint32_t: ids that the second of two walks has left to the other */
	struct py_area left;
	struct py_stretches {
		const uint32_t *ids;
		size_t count, next; /* of them, to be taken by either */
		bool dicts;
	} stretches;
	uint32_t soon[PY_SOON]; /* ids that wait to be visited; 0: none */
	size_t turn;

	struct py_map type_numbers; /* PyTypeObject to its number in types + 1 */
	struct py_area types;       /* struct py_type */
	struct py_area members;     /* struct py_member */
	struct py_map names;        /* str objects, and literals, to string ids */
	struct py_map told_keys;    /* keys that may be told, to string ids */
	PyObject *sizeof_name, *module_name;
	PyCFunction object_sizeof;

	/* of the object at hand */
	struct py_area visited;      /* PyObject *; NULL: has been labelled */
	size_t visited_at, searches; /* the next one expected; in vain */
	size_t first_word;
	struct py_area slots; /* uint64_t: a label and a kind for each word after that */
	uint32_t own_dict;    /* id, or 0 */
	/* what that holds, if all its keys are names */
	struct py_own_item own[PY_OWN_MAX];
	size_t own_count;
	bool own_is_told;

	struct py_map layout_numbers; /* from hashes to numbers in layout_infos + 1 */
	struct py_area layout_infos;  /* struct py_layout_info */
	struct py_area layout_slots;  /* uint64_t: as in slots */

	struct py_map dict_sizes;                 /* by what they follow from */
	uint32_t integer_sizes[PY_INTEGER_SIZES]; /* of int by digits; 0: not known */
	struct py_area roots;                     /* uint32_t: ids of known roots */
	struct py_area stacks;                    /* uint32_t: stacks of the tracer's nodes, or 0 */
};

/* Of two walks, that of the interpreter's thread. */
static inline struct py_walk *py_first(struct py_walk *w)
{
	return w->main ? w->main : w;
}
static inline bool py_going(const struct py_walk *w)
{
	return w->status == SNAP_OK;
}
void py_fail(struct py_walk *, enum snap_status, const char *message);

/* References that objects may have in common; by the writer's number - 1. */
struct py_layout_info {
	uint64_t first;  /* in layout_slots */
	uint64_t strong; /* bit of each slot that holds its target */
	uint32_t count, type;
	bool labelled;
};
static inline const struct py_layout_info *py_layout_at(const struct py_walk *w, uint32_t layout)
{
	return (const struct py_layout_info *)(const void *)w->layout_infos.bytes + (layout - 1);
}
static inline bool py_holds(unsigned kind)
{
	return kind < SNAP_REF_FIRST_WEAK && kind != SNAP_REF_ALIAS;
}
static inline struct snap_heap_object *py_row_of(const struct py_walk *w, uint32_t id)
{
	return (struct snap_heap_object *)(void *)w->objects.bytes + (id - 1);
}
static inline PyObject *py_object_at(const struct py_walk *w, uint32_t id)
{
	return (PyObject *)(uintptr_t)py_row_of(w, id)->id; /* NOLINT(performance-no-int-to-ptr) */
}
static inline unsigned py_marks_of(const struct py_walk *w, uint32_t id)
{
	return __atomic_load_n((uint8_t *)w->marks.bytes + (id - 1), __ATOMIC_RELAXED);
}
static inline void py_mark_as(const struct py_walk *w, uint32_t id, unsigned marks)
{
	__atomic_fetch_or((uint8_t *)w->marks.bytes + (id - 1), marks, __ATOMIC_RELAXED);
}

/* py_refer.c */
uint32_t py_note_new(struct py_walk *, const PyObject *);
/* The id of an object, which is queued if it is new; 0 after a failure. */
static inline uint32_t py_note(struct py_walk *w, const PyObject *object)
{
	const uint32_t *slot = py_index_slot(w->index, object),
		       id = slot ? __atomic_load_n(slot, __ATOMIC_ACQUIRE) : 0;
	return id ? id : py_note_new(w, object);
}
/* Begins an object's references; each that is added then is the next. */
void py_refer_begin(struct py_walk *);
#define PY_KIND_BITS 5
#define PY_TAG_KEY   2u
bool py_refer_room(struct py_walk *);
bool py_words_reserve(struct py_walk *, size_t size);
/* Room for so many objects, whose rows may move. */
bool py_room_reserve(struct py_walk *, size_t room);
/* Takes over what another walk knows of layouts. */
void py_layouts_join(struct py_walk *, const struct py_walk *from);
static inline void py_refer_id(struct py_walk *w, uint32_t to, uint64_t slot)
{
	struct py_area *words = &w->words, *slots = &w->slots;
	if (__builtin_expect(words->capacity - words->size < sizeof(to) ||
				     slots->capacity - slots->size < sizeof(slot),
			     0) &&
	    !py_refer_room(w))
		return;
	memcpy(words->bytes + words->size, &to, sizeof(to));
	memcpy(slots->bytes + slots->size, &slot, sizeof(slot));
	words->size += sizeof(to);
	slots->size += sizeof(slot);
}
/* A reference from the object at hand; to may be NULL. */
static inline void py_refer(struct py_walk *w, PyObject *to, enum snap_reference_kind kind,
			    uint64_t label)
{
	if (to)
		py_refer_id(w, py_note(w, to), label << PY_KIND_BITS | kind);
}
static inline void py_refer_key(struct py_walk *w, PyObject *to, PyObject *key)
{
	if (to)
		py_refer_id(w, py_note(w, to),
			    ((uint64_t)py_note(w, key) << 2 | PY_TAG_KEY) << PY_KIND_BITS |
				    SNAP_REF_VALUE);
}
/* All that a list or tuple holds. */
void py_refer_items(struct py_walk *, PyObject *const *items, size_t count);
/* Ends them: the object has that type, and the layout that they make, which is told.  The one that
 * is expected, or 0, is looked at first. */
uint32_t py_refer_end(struct py_walk *, uint32_t id, struct py_type *, uint32_t expected);
/* The layout of a type's objects that refer to nothing; 0 after a failure. */
uint32_t py_plain_layout(struct py_walk *, struct py_type *);

/* py_leaves.c */
/* From here on, leaves among the objects that are noted are described beside the walk. */
void py_leaves_begin(struct py_walk *);
/* Posts what was noted since, unless the thread has enough to do. */
void py_leaves_post(struct py_walk *);
/* Waits until nothing is being described: the tables may move. */
void py_leaves_wait(struct py_walk *);
/* Until all that was noted has been described. */
void py_leaves_end_round(struct py_walk *);
/* Describes leaves among these at once. */
void py_leaves_describe(struct py_walk *, uint32_t first, uint32_t end);
/* What is noted from here on is posted again. */
void py_leaves_go_on(struct py_walk *);

/* py_pair.c */
/* While two threads walk: the writer, and what the walk knows of types and sizes, is for one. */
void py_lock(const struct py_walk *);
void py_unlock(const struct py_walk *);
/* Begins to visit what is in w->stretches with a second thread, too, unless there is none, or no
 * room; false after that. */
bool py_pair_begin(struct py_walk *);
/* The next stretch; false: none is left for this walk. */
bool py_pair_next(struct py_walk *, size_t *first, size_t *end);
/* Of two walks one remains, which knows all that was found. */
void py_pair_end(struct py_walk *);
/* More ids that are this walk's; false: there is no room for them. */
bool py_pair_take_ids(struct py_walk *);
/* Whether this walk may visit an object; if not, it is left to the other one. */
bool py_pair_may_visit(struct py_walk *, PyObject *, uint32_t id);
/* Of the second one: it leaves this to the other; it can go no further (its status is SNAP_END). */
void py_pair_leave(struct py_walk *, uint32_t id);
void py_pair_give_up(struct py_walk *);
/* The helper's: what the other one knows of a type, or NULL. */
struct py_type *py_pair_type(struct py_walk *, PyTypeObject *);

/* py_dump.c */
/* Adds one to a list of them. */
void py_add_id(struct py_walk *, struct py_area *ids, uint32_t id);
/* Visits what py_pair_next() gives. */
void py_visit_stretches(struct py_walk *);
uint32_t py_string(struct py_walk *, const char *text);
/* The same for a text that is one address for ever. */
uint64_t py_literal_label(struct py_walk *, const char *literal);
/* The label of a str object: its text. */
uint64_t py_name_label(struct py_walk *, PyObject *name);
/* The text of a str in UTF-8 (at most size - 1 bytes), without touching the object. */
size_t py_text(PyObject *string, char *out, size_t size);
void py_dump(struct py_walk *, const struct py_options *);

/* py_types.c: NULL after a failure; valid until the next call. */
struct py_type *py_type_at(struct py_walk *, PyTypeObject *);
static inline struct py_type *py_type_of(struct py_walk *w, PyObject *object)
{
	return py_type_at(w, Py_TYPE(object));
}
/* Keeps a type that has been described. */
struct py_type *py_type_keep(struct py_walk *, const struct py_type *);
PyObject *py_type_dict(PyTypeObject *);
/* "module.qualname", as far as there is room. */
void py_type_name(struct py_walk *, PyTypeObject *, char *out, size_t size);

/* py_sizes.c */
void py_sizes_init(struct py_walk *);
/* Asks integers for their sizes. */
void py_sizes_ask(struct py_walk *);
/* The size of an object whose type has this layout itself; 0: it has to be asked.
 * For any thread. */
size_t py_plain_size(const uint32_t *integer_sizes, PyObject *, enum py_layout);
uint64_t py_size(struct py_walk *, PyObject *, const struct py_type *);
/* Whether a dict's size is told without asking it, which is for the interpreter's thread. */
bool py_dict_size_is_known(struct py_walk *, PyObject *dict);

/* py_collector.c */
/* Notes each object that the collector tracks, in the order of addresses. */
void py_collector_walk(struct py_walk *);

/* py_labels.c */
/* Marks what an object says of others: which dicts are namespaces. */
void py_mark(struct py_walk *, PyObject *);
/* Gathers the references of an object, which is the one at hand. */
void py_references(struct py_walk *, uint32_t id, const struct py_type *);
/* The same of a dict of the own of the object at hand. */
void py_refer_own_dict(struct py_walk *, PyObject *dict);
/* The same of a function's closure. */
void py_refer_closure(struct py_walk *, PyFunctionObject *);
/* Labels one of the references that the object's type reported; false: it did not. */
bool py_claim(struct py_walk *, PyObject *to, enum snap_reference_kind, uint64_t label);
void py_claim_field(struct py_walk *, PyObject *to, const char *label);
void py_claim_internal(struct py_walk *, PyObject *to, const char *label);

/* py_layout.c */
/* Makes objects of which everything is known; false, with an exception set, if it cannot. */
bool py_layouts_prepare(void);
bool py_layouts_are_prepared(void);
void py_layouts_forget(void);
/* Whether private structures say of them what is true. */
bool py_layouts_hold(void);
/* Whether a type is visited by the interpreter's own code alone, which only reads. */
bool py_traverse_is_known(const PyTypeObject *);

/* py_instances.c */
/* Whether the values of an instance without a dict are those of a tuple. */
bool py_instance_holds(PyObject *instance, PyObject *names, PyObject *values);
bool py_values_are_embedded(PyObject *dict);
/* A number that is the same for dicts of one size, of such as share no keys; 0: not known. */
uintptr_t py_dict_shape(PyObject *dict);
/* borrowed, and only if there is one */
PyObject *py_instance_dict(const struct py_walk *, PyObject *);
size_t py_inline_values_size(PyObject *);
void py_claim_instance(struct py_walk *, PyObject *, const struct py_type *);
void py_claim_type(struct py_walk *, PyTypeObject *);
void py_refer_static_type(struct py_walk *, PyTypeObject *);

/* py_frames.c */
void py_claim_frame(struct py_walk *, PyObject *frame);
void py_claim_generator(struct py_walk *, PyObject *generator);
PyObject *py_generator_name(PyObject *generator); /* borrowed */
/* Whether a waiting generator's variables are these, and
 * the thread's innermost frame is that of a code object. */
bool py_generator_holds(PyObject *generator, PyObject *names, PyObject *values);
bool py_thread_runs(PyCodeObject *code);
/* "function (file:line)" */
uint32_t py_frame_name(struct py_walk *, PyObject *frame);
void py_frame_roots(struct py_walk *);
uint32_t py_code_name(struct py_walk *, PyCodeObject *);

/* py_roots.c */
/* As the interpreter counts references; 0: it does not, the object is immortal. */
uint64_t py_refcount(PyObject *);
void py_known_roots(struct py_walk *);
void py_root(struct py_walk *, PyObject *, const struct snap_root *);
/* Begins to look for what no known root reaches, but something that is no object holds; NULL after
 * a failure.  Until that has been given, nothing is noted or visited. */
struct py_reach *py_foreign_find(struct py_walk *);
void py_foreign_give(struct py_walk *, struct py_reach *);

/* py_traces.c */
uint32_t py_trace_of(struct py_walk *, const void *block);
void py_trace_rows(struct py_walk *);
/* Whether tracemalloc has its lock taken wherever memory is allocated or freed. */
bool py_traces_are_locked(void);
void py_traces_wait(void); /* for that lock */

/* py_contents.c */
uint32_t py_content_of(struct py_walk *, PyObject *, const struct py_type *);

#endif
