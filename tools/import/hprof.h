/* HPROF dumps of JVMs and Android: what the parts of the importer share.
 *
 * The file is read twice.  First everything is checked for its form, and what has a name is kept:
 * where strings, frames and traces lie, all classes, where arrays lie that strings may be made of.
 * Then objects, references and roots go into the writer, in the order of the file.  An object may
 * come before its class, and a string before the array with its characters. */
#ifndef HPROF_H
#define HPROF_H

#include "import.h"
#include "siphash.h"
#include "worker.h"

/* ---- numbers to numbers (hprof_map.c) ---- */

struct hprof_map_item {
	uint64_t key, value;
};

/* Key 0 is kept beside the table. */
struct hprof_map {
	struct hprof_map_item *items;
	size_t capacity, count;
	bool has_zero;
	uint64_t zero;
};

/* False: no memory.  The last value of a key counts. */
bool hprof_map_set(struct hprof_map *map, uint64_t key, uint64_t value);
bool hprof_map_get(const struct hprof_map *map, uint64_t key, uint64_t *value);
void hprof_map_free(struct hprof_map *map);

/* Room for one more item in a growing array; false: no memory. */
bool hprof_room(void **items, size_t *capacity, size_t count, size_t item_size);

/* ---- pieces of the file, by offset (hprof_pieces.c) ---- */

#define HPROF_PIECE_SIZE  (64u * 1024)
#define HPROF_PIECE_COUNT 64u

struct hprof_pieces {
	struct import_input *input;
	uint8_t *bytes;
	uint64_t at[HPROF_PIECE_COUNT]; /* number of the piece + 1 */
	size_t size[HPROF_PIECE_COUNT];
	uint8_t *copy; /* what lies across pieces */
	size_t copy_capacity;
	struct snap_error failed; /* the first name that could not be read; SNAP_OK: none */
};

enum snap_status hprof_pieces_begin(struct hprof_pieces *pieces, struct import_input *input,
				    struct snap_error *error);
void hprof_pieces_end(struct hprof_pieces *pieces);
/* Valid until the next call. */
enum snap_status hprof_piece(struct hprof_pieces *pieces, uint64_t offset, size_t size,
			     const uint8_t **bytes, struct snap_error *error);

/* ---- records, one after the other (hprof_scan.c) ---- */

enum hprof_tag {
	HPROF_UTF8 = 0x01,
	HPROF_LOAD_CLASS = 0x02,
	HPROF_FRAME = 0x04,
	HPROF_TRACE = 0x05,
	HPROF_START_THREAD = 0x0a,
	HPROF_HEAP_DUMP = 0x0c,
	HPROF_HEAP_DUMP_SEGMENT = 0x1c,
	HPROF_HEAP_DUMP_END = 0x2c,
	/* inside heap dumps, here with this bit */
	HPROF_IN_HEAP = 0x100,
	HPROF_ROOT_JNI_GLOBAL = 0x101,
	HPROF_ROOT_JNI_LOCAL = 0x102,
	HPROF_ROOT_JAVA_FRAME = 0x103,
	HPROF_ROOT_NATIVE_STACK = 0x104,
	HPROF_ROOT_STICKY_CLASS = 0x105,
	HPROF_ROOT_THREAD_BLOCK = 0x106,
	HPROF_ROOT_MONITOR = 0x107,
	HPROF_ROOT_THREAD = 0x108,
	HPROF_CLASS = 0x120,
	HPROF_INSTANCE = 0x121,
	HPROF_OBJECT_ARRAY = 0x122,
	HPROF_PRIMITIVE_ARRAY = 0x123,
	HPROF_ROOT_INTERNED = 0x189,
	HPROF_ROOT_FINALIZING = 0x18a,
	HPROF_ROOT_DEBUGGER = 0x18b,
	HPROF_ROOT_CLEANUP = 0x18c,
	HPROF_ROOT_VM_INTERNAL = 0x18d,
	HPROF_ROOT_JNI_MONITOR = 0x18e,
	HPROF_UNREACHABLE = 0x190,
	HPROF_ARRAY_NODATA = 0x1c3,
	HPROF_HEAP_INFO = 0x1fe,
	HPROF_ROOT_UNKNOWN = 0x1ff,
};

enum hprof_type {
	HPROF_OBJECT = 2,
	HPROF_BOOLEAN = 4,
	HPROF_CHAR = 5,
	HPROF_FLOAT = 6,
	HPROF_DOUBLE = 7,
	HPROF_BYTE = 8,
	HPROF_SHORT = 9,
	HPROF_INT = 10,
	HPROF_LONG = 11,
	HPROF_TYPES = 12,
};

struct hprof_scan {
	struct import_reader in;
	struct snap_error *error;
	uint64_t size;            /* of the file, or where it was cut */
	unsigned id_size;         /* 4 or 8 */
	uint8_t fixed_sizes[256]; /* by tag, of records in heap dumps */
	bool android;             /* 1.0.3 */
	uint64_t time_ms;         /* since 1970 */
	bool in_heap, may_wrap;   /* may_wrap: the record's length may lack multiples of 2^32 */
	uint64_t heap_end;        /* of the heap dump that is read */
	uint64_t next;            /* where the record after this one is */
	uint64_t good_end;        /* all before it was whole */
	bool seen_heap, seen_segment, seen_end, cut;
};

/* A record; its body is at in.at until the next. */
struct hprof_record {
	enum hprof_tag tag;
	uint32_t stack;  /* serial number of a trace; of a root: frame number */
	uint64_t offset; /* of its tag */
	uint64_t body;   /* bytes that follow what is here */
	uint64_t id;     /* object, thread's object or class */
	uint64_t other;  /* class of an object; thread of a root */
	uint32_t count;  /* of elements */
	uint8_t type;    /* of elements */
};

enum snap_status hprof_scan_begin(struct hprof_scan *scan, struct import_input *input,
				  uint64_t size, struct snap_error *error);
void hprof_scan_end(struct hprof_scan *scan);
/* The next record of which the importer has a use; SNAP_END after the last.  A file that is cut is
 * SNAP_CORRUPT, with scan->cut set. */
enum snap_status hprof_scan_next(struct hprof_scan *scan, struct hprof_record *record);
/* Bytes of the body, in order; NULL: fail with hprof_scan_failure. */
static inline const uint8_t *hprof_take(struct hprof_scan *scan, size_t size)
{
	return import_reader_take(&scan->in, size);
}
enum snap_status hprof_scan_failure(struct hprof_scan *scan);
enum snap_status hprof_scan_corrupt(struct hprof_scan *scan, const struct hprof_record *record,
				    const char *format, ...) __attribute__((format(printf, 3, 4)));

/* Walks the body of a class: constants, statics, fields. */
struct hprof_class_item {
	enum { HPROF_CONSTANT, HPROF_STATIC, HPROF_FIELD, HPROF_CLASS_END } what;
	uint64_t name; /* string; a constant's index */
	uint8_t type;
	uint64_t value; /* of an object */
};
struct hprof_class_walk {
	uint64_t super, loader, signers, domain;
	uint32_t instance_size;
	unsigned state, left;
};
enum snap_status hprof_class_begin(struct hprof_scan *scan, const struct hprof_record *record,
				   struct hprof_class_walk *walk);
enum snap_status hprof_class_next(struct hprof_scan *scan, const struct hprof_record *record,
				  struct hprof_class_walk *walk, struct hprof_class_item *item);

static inline uint32_t hprof_u4(const uint8_t *p)
{
	return (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3];
}
static inline uint64_t hprof_u8(const uint8_t *p)
{
	return (uint64_t)hprof_u4(p) << 32 | hprof_u4(p + 4);
}
static inline uint64_t hprof_id(const uint8_t *p, unsigned id_size)
{
	return id_size == 8 ? hprof_u8(p) : hprof_u4(p);
}
/* Bytes of a value in the file, 0: there is no such type. */
static inline unsigned hprof_size_of(uint8_t type, unsigned id_size)
{
	static const uint8_t sizes[HPROF_TYPES] = {0, 0, 0, 0, 1, 2, 4, 8, 1, 2, 4, 8};
	if (type == HPROF_OBJECT)
		return id_size;
	return type < HPROF_TYPES ? sizes[type] : 0;
}

/* ---- how objects lie in memory (hprof_layout.c) ---- */

#define HPROF_GAPS 8

/* The fields of an instance, as far as one needs to know where more have room. */
struct hprof_extent {
	uint32_t end; /* of the last field */
	bool padded;
	unsigned gap_count;
	struct {
		uint32_t at, size;
	} gaps[HPROF_GAPS];
};

struct hprof_layout {
	uint32_t header, array_header, reference, alignment;
	bool sizes_given; /* Android: a class has the size of its instances */
	bool fills_gaps;  /* JDK 15 and later: subclasses use gaps of their superclasses */
};

#define HPROF_MODELS 4

/* What the addresses of objects that follow arrays say about the layout. */
struct hprof_votes {
	uint64_t for_model[HPROF_MODELS];
	uint64_t object_count, address_bits, highest;
	uint64_t array_id; /* of the object before, if it was an array; else 0 */
	uint32_t array_count;
};

void hprof_vote(struct hprof_votes *votes, const struct hprof_record *record);
void hprof_layout_choose(struct hprof_layout *layout, const struct hprof_scan *scan,
			 const struct hprof_votes *votes);
uint64_t hprof_array_size(const struct hprof_layout *layout, uint64_t count, unsigned element);

/* ---- classes (hprof_classes.c, hprof_slots.c) ---- */

#define HPROF_MAX_DEPTH 512

struct hprof_field {
	uint64_t name;
	uint8_t type;
};

/* A reference among an instance's bytes. */
struct hprof_slot {
	uint32_t offset;
	enum snap_reference_kind kind;
	uint64_t name;
};

/* Where an instance of java.lang.String has what. */
struct hprof_string_fields {
	bool has_value, has_coder, has_range;
	uint32_t value, coder, offset, count;
};

/* References, bytes of the values of 8 bytes, and of smaller ones. */
struct hprof_statics {
	uint32_t references, of8, less;
};

struct hprof_class {
	uint64_t id, super, loader;
	uint64_t name;          /* a string; 0: there is no LOAD_CLASS */
	uint64_t offset;        /* of its dump */
	uint32_t instance_size; /* as the file has it */
	uint32_t file_bytes;    /* of an instance in the file */
	uint32_t size;          /* of an instance in memory */
	struct hprof_statics statics;
	uint32_t twin; /* which of the loaders with a class of that name it has, from 1 */
	struct hprof_extent extent;
	size_t first_field; /* its own fields */
	uint32_t field_count;
	bool dumped, measured, placed, broken; /* broken: a superclass is missing */
	bool described;                        /* in the writer */
	bool looked_at, is_string, is_thread, is_stack_chunk;
	uint32_t stack_words_at; /* of a stack chunk: where it says how many it has */
	uint32_t thread_name_at; /* of a thread */
	uint32_t type, string, layout, array_layout; /* in the writer */
	struct hprof_slot *slots;
	uint32_t slot_count;
	struct hprof_string_fields text;
};

#define HPROF_RECENT 1024u

struct hprof_classes {
	struct hprof_class *items;
	size_t count, capacity, dumped_count;
	struct hprof_field *fields;
	size_t field_count, field_capacity;
	struct hprof_map by_id, by_serial;                   /* places in items */
	uint32_t recent[HPROF_RECENT];                       /* places + 1 */
	uint64_t class_class, primitive_arrays[HPROF_TYPES]; /* ids */
	/* in the writer */
	uint32_t class_bytes; /* of an object of a class, but for the class's statics */
	uint32_t primitive_types[HPROF_TYPES], primitive_layouts[HPROF_TYPES], class_type;
};

/* ---- text of strings (hprof_text.c) ---- */

struct hprof_array {
	uint64_t id, offset; /* of the record */
};

/* Arrays in the order of their ids. */
struct hprof_run {
	uint64_t first, last;  /* ids */
	uint64_t begin, count; /* in the temporary file */
	uint64_t finger;       /* where the last one was found */
};

/* Arrays that strings may be made of.  Too many go to a temporary file, run by run. */
struct hprof_text {
	struct hprof_array *arrays; /* of the last run */
	size_t count, capacity, limit;
	bool unsorted;
	struct hprof_run *runs;
	size_t run_count, run_capacity;
	struct import_output file;
	struct import_input spilled;
	struct hprof_pieces pieces;
	struct siphash_key key;
	uint8_t *utf8;
	size_t utf8_capacity;
	uint64_t cut_count;
};

/* ---- records on their way to the writer (hprof_feed.c) ---- */

/* What the second reading makes of a record. */
struct hprof_item {
	uint64_t id;
	uint64_t size;  /* of an instance in memory; of another's body in the file */
	uint32_t class; /* of an object, or the class itself: its place + 1; 0: not known */
	uint32_t first,
		count; /* in targets; of a class, first: in bodies; of others count as it is */
	uint32_t stack;
	uint32_t text; /* in texts; 0: there is none */
	uint16_t tag;
	uint8_t type;
};

/* What is known of a string's text. */
struct hprof_item_text {
	size_t first, size; /* in bytes, where it is wanted, or contents are */
	uint32_t place;     /* in lengths, hashes and contents, where it is known */
	bool wanted;        /* it is a thread's name */
	bool known;
};

struct hprof_class_body {
	uint64_t offset; /* of the record */
	struct hprof_class_walk walk;
	size_t first, count; /* in class_items */
};

/* After the items, status says how it goes on. */
struct hprof_batch {
	struct libsnap_job job;
	struct hprof_import *import;
	struct hprof_item *items;
	struct hprof_item_text *texts;
	uint64_t *lengths, *hashes; /* of the texts that are known */
	uint32_t *contents; /* these in the writer, but for those with text; the importer's */
	size_t count, text_count, known_count, capacity; /* capacity: of each */
	uint64_t *targets;
	size_t target_count, target_capacity;
	uint8_t *bytes;
	size_t byte_count, byte_capacity;
	struct hprof_class_body *bodies;
	size_t body_count, body_capacity;
	struct hprof_class_item *class_items;
	size_t class_item_count, class_item_capacity;
	enum snap_status status;
	struct snap_error error;
	uint64_t next; /* where the file is read next */
};

#define HPROF_BATCHES 3u

/* While the writer is told of one batch, a helper, where there is one, makes the
 * next: it alone then uses scan, pieces, text and what is recent of the classes. */
struct hprof_feed {
	struct libsnap_worker worker;
	struct hprof_batch batches[HPROF_BATCHES];
	size_t count, at;
	bool stopped; /* the helper's: nothing comes any more */
	bool ended;   /* and the importer knows that */
};

enum snap_status hprof_feed_begin(struct hprof_import *import, unsigned threads);
/* The next batch, until the next call.  Fails as hprof_scan_next() and hprof_decode() do. */
enum snap_status hprof_feed_next(struct hprof_import *import, const struct hprof_batch **batch);
/* import->scan is as the last record left it if ended; it has no reader any more. */
void hprof_feed_end(struct hprof_import *import);

/* ---- the whole ---- */

/* So small a dump is read before a thread has begun. */
#define HPROF_LITTLE (1u << 20)

struct hprof_thread {
	uint64_t object, name;      /* name: a string object, or with has_name a string */
	uint32_t serial, trace, id; /* id: in the writer */
	bool has_name;
};

struct hprof_root {
	uint64_t object;
	uint32_t thread, frame;
	enum hprof_tag tag;
};

struct hprof_waiting {
	struct hprof_item item; /* its targets are in waiting_targets */
	uint32_t heap;
};

struct hprof_import {
	struct import_context *context;
	struct snap_error *error;
	struct hprof_pieces name_pieces;            /* for what goes to the writer */
	struct hprof_map names, frames, traces;     /* by id, where they lie */
	struct hprof_map labels, frame_ids, stacks; /* what they are in the writer */
	struct hprof_classes classes;
	struct hprof_votes votes;
	struct hprof_layout layout;
	struct hprof_thread *threads;
	size_t thread_count, thread_capacity;
	struct hprof_map thread_by_serial,
		thread_names;          /* of thread objects: their name's object */
	struct hprof_map wanted_texts, /* string objects, and what their text is in the writer */
		known_texts;
	struct hprof_waiting *waiting; /* thread objects, whose names may come later */
	size_t waiting_count, waiting_capacity;
	uint64_t *waiting_targets;
	size_t waiting_target_count, waiting_target_capacity;
	struct hprof_root *roots;
	size_t root_count, root_capacity;
	uint64_t end; /* of what is whole */
	bool cut;
	uint32_t heap; /* Android: where the objects that follow lie */
	uint32_t last_trace, last_stack;
	uint32_t string_labels[4];
	/* What a helper writes with every record is no neighbour of what is read meanwhile. */
	uint8_t apart[64];
	struct hprof_scan scan;
	struct hprof_pieces pieces;
	struct hprof_text text;
	struct hprof_feed feed;
};

enum snap_status hprof_no_memory(struct hprof_import *import);

/* hprof_names.c: text of a string of the file, until the next call. */
enum snap_status hprof_name(struct hprof_import *import, uint64_t id, const char **text,
			    size_t *size);
/* false, too, where it cannot be read: the import fails in the end. */
bool hprof_name_is(struct hprof_import *import, uint64_t id, const char *text);
/* In the writer: as it is, and as a class is called. */
enum snap_status hprof_label(struct hprof_import *import, uint64_t id, uint32_t *string);
enum snap_status hprof_class_name(struct hprof_import *import, const struct hprof_class *class,
				  uint32_t *string);
/* Of a static of the class: "Class.name". */
enum snap_status hprof_static_label(struct hprof_import *import, const struct hprof_class *class,
				    uint64_t id, uint32_t *string);
enum snap_status hprof_string(struct hprof_import *import, const char *text, uint32_t *string);
/* As a class is called; out has room for size + 512 bytes. */
size_t hprof_dotted_name(const char *text, size_t size, char *out);

/* hprof_stacks.c: the stack of a trace from its frame number first on, 0 where there is none. */
enum snap_status hprof_stack(struct hprof_import *import, uint32_t trace, uint32_t first,
			     uint32_t *stack);

/* hprof_classes.c; NULL where it is not known.  What was sought is found at once the next time. */
struct hprof_class *hprof_class_seek(struct hprof_import *import, uint64_t id, uint32_t *recent);
static inline struct hprof_class *hprof_class_find(struct hprof_import *import, uint64_t id)
{
	struct hprof_classes *classes = &import->classes;
	uint32_t *recent =
		&classes->recent[id * UINT64_C(0x9e3779b97f4a7c15) >> 32 & (HPROF_RECENT - 1)];
	if (*recent != 0 && classes->items[*recent - 1].id == id)
		return &classes->items[*recent - 1];
	return hprof_class_seek(import, id, recent);
}
enum snap_status hprof_class_add(struct hprof_import *import, uint64_t id,
				 struct hprof_class **class);
enum snap_status hprof_class_read(struct hprof_import *import, const struct hprof_record *record);
/* Whether it is a kind of thread. */
enum snap_status hprof_class_look(struct hprof_import *import, struct hprof_class *class);
/* After all are read: what needs the superclasses. */
enum snap_status hprof_classes_measure(struct hprof_import *import);
void hprof_classes_free(struct hprof_classes *classes);

/* hprof_slots.c: where an instance has its references; before the first one is decoded. */
enum snap_status hprof_class_place(struct hprof_import *import, struct hprof_class *class);
/* What the writer is told of a class that is placed; before its first instance. */
enum snap_status hprof_class_describe(struct hprof_import *import, struct hprof_class *class);
enum snap_status hprof_class_type(struct hprof_import *import, struct hprof_class *class);

/* hprof_layout.c */
void hprof_layout_class(struct hprof_import *import, struct hprof_class *class,
			const struct hprof_class *super);
uint64_t hprof_class_object_size(const struct hprof_import *import,
				 const struct hprof_class *class);
uint64_t hprof_stack_chunk_size(const struct hprof_import *import, const struct hprof_class *class,
				uint32_t words);

/* hprof_text.c */
void hprof_text_begin(struct hprof_import *import);
enum snap_status hprof_text_array(struct hprof_import *import, const struct hprof_record *record);
/* After the last array. */
enum snap_status hprof_text_finish(struct hprof_import *import);
/* What is known of the text of a string with these bytes; where it is wanted, also the text itself,
 * into the batch. */
enum snap_status hprof_text_find(struct hprof_import *import, const struct hprof_class *class,
				 const uint8_t *instance, struct hprof_batch *batch,
				 struct hprof_item_text *out);
void hprof_text_free(struct hprof_text *text);

/* hprof_decode.c: adds to a batch what the writer is to be told of a record. */
enum snap_status hprof_decode(struct hprof_import *import, const struct hprof_record *record,
			      struct hprof_batch *batch);

/* hprof_index.c, hprof_heap.c, hprof_roots.c: the passes. */
enum snap_status hprof_index_read(struct hprof_import *import);
enum snap_status hprof_heap_write(struct hprof_import *import);
enum snap_status hprof_root_keep(struct hprof_import *import, const struct hprof_record *record);
enum snap_status hprof_roots_write(struct hprof_import *import);

/* gunzip.c: puts a temporary file in the place of input that is gzip.  *cut: it ended too early. */
enum snap_status import_gunzip(struct import_input *input, bool *cut, bool *was_gzip,
			       struct snap_error *error);

#endif
