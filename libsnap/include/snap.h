/* libsnap: write and read heap snapshots (spec/FORMAT.md).
 *
 * Memory:  what _open or _new gives, the caller ends with _close, _finish
 *          or _free; enders accept NULL. A returned const pointer lives
 *          until the next call on its owner, unless said otherwise.
 * Threads: one object, one thread at a time, except that any number of threads
 *          may use their own snap_column on one snap_reader.  Nothing is global.
 * Safety:  any bytes may be read; work and memory stay within the
 *          limits.  The library never prints, exits or aborts.
 * Ids:     everything interned (string, frame, stack, type ...) is named by an id from 1
 *          up; 0 is none. In a file, an id is the row of its table + 1.  Rows count from 0.
 * Errors:  fallible calls return a status; details go to the caller's struct snap_error,
 *          which may be NULL.  Results leave through out-parameters, set only on success. */
#ifndef SNAP_H
#define SNAP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#define SNAP_VERSION "0.1.0"
#define SNAP_FORMAT_VERSION "1.1"

#if defined(__GNUC__)
#define SNAP_API __attribute__((visibility("default")))
#define SNAP_MUST_USE __attribute__((warn_unused_result))
#else
#define SNAP_API
#define SNAP_MUST_USE
#endif

/* Numbers never change. */
enum snap_status {
	SNAP_OK = 0,
	SNAP_END = 1,         /* no more records: not an error */
	SNAP_CORRUPT = 2,     /* the bytes break the format */
	SNAP_UNSUPPORTED = 3, /* valid, but for a newer reader */
	SNAP_LIMIT = 4,       /* needs more than the caller allows */
	SNAP_IO = 5,          /* os_errno says why */
	SNAP_NO_MEMORY = 6,
	SNAP_MISUSE = 7,      /* a bug in the caller */
};

#define SNAP_NO_OFFSET UINT64_MAX

struct snap_error {
	enum snap_status status;
	int os_errno;      /* of SNAP_IO, else 0 */
	uint64_t offset;   /* byte in the file, or SNAP_NO_OFFSET */
	char message[232]; /* one line, no newline; may quote bytes of the file, escaped */
};

/* A status in words: "corrupt", "unsupported" ...  Static. */
SNAP_API const char *snap_status_name(enum snap_status status);

/* The version of the library that runs, which may be newer than SNAP_VERSION. */
SNAP_API const char *snap_library_version(void);

/* ---- what the caller may replace ---- */

/* resize() is malloc, realloc and free in one: pointer may be NULL, new_size may be
 * 0 (free, returns NULL).  Called only from the thread that calls the library. */
struct snap_allocator {
	void *context;
	void *(*resize)(void *context, void *pointer, size_t old_size, size_t new_size);
};

enum snap_io_mode {
	SNAP_IO_READ = 0,      /* an existing file */
	SNAP_IO_CREATE = 1,    /* a new file: fails if it exists */
	SNAP_IO_APPEND = 2,    /* an existing or new file, written at its end */
	/* path is a folder; the file has no name and is read and written by offset */
	SNAP_IO_TEMPORARY = 3,
};

/* All files go through this table.  Every function returns 0 or an errno value. */
struct snap_io {
	void *context;
	int (*open)(void *context, const char *path, enum snap_io_mode mode, void **file);
	/* Reads up to size bytes; *got is less only at the end of the file. */
	int (*read_at)(void *context, void *file, uint64_t offset, void *buffer, size_t size,
		       size_t *got);
	/* Writes all of it: at offset for a temporary file,
	 * at the end for others (offset is then ignored). */
	int (*write_at)(void *context, void *file, uint64_t offset, const void *buffer,
			size_t size);
	int (*size)(void *context, void *file, uint64_t *size);
	int (*sync)(void *context, void *file);
	int (*close)(void *context, void *file);
	int (*rename)(void *context, const char *from, const char *to);
	int (*remove)(void *context, const char *path);
	/* Cuts a file off; what was appended before a
	 * failure is taken back with it.  May be NULL. */
	int (*truncate)(void *context, void *file, uint64_t size);
};

/* ---- what a snapshot is made of (FORMAT.md, section 7) ---- */

enum snap_table {
	SNAP_STRINGS = 1, SNAP_PROPERTIES = 2, SNAP_MODULES = 3, SNAP_FRAMES = 4, SNAP_STACKS = 5,
	SNAP_TYPES = 6, SNAP_SHAPES = 7, SNAP_SLOTS = 8, SNAP_THREADS = 9, SNAP_RUNS = 10,
	SNAP_OBJECTS = 11, SNAP_TAILS = 12, SNAP_REFERENCES = 13, SNAP_TAIL_LABELS = 14,
	SNAP_ROOTS = 15, SNAP_CONTENTS = 16, SNAP_TOTALS = 17, SNAP_TIMELINE = 18,
	SNAP_INDEX = 19, SNAP_INDEX_OBJECTS = 20,
	SNAP_INDEX_CYCLES = 23, SNAP_INDEX_SPANS = 24, SNAP_INDEX_MAPS = 25,
	SNAP_INDEX_MEMBERS = 28, SNAP_INDEX_CLASSES = 29,
	SNAP_INDEX_NODES = 30, SNAP_INDEX_STEPS = 31, SNAP_INDEX_ROOTS = 32, SNAP_INDEX_FIELDS = 33,
	SNAP_INDEX_TOPS = 34, SNAP_INDEX_TOP_PARTS = 35, SNAP_INDEX_DUPLICATES = 36,
	SNAP_INDEX_TYPES = 37, SNAP_INDEX_TYPE_PARTS = 38, SNAP_INDEX_TYPE_STEPS = 39,
	SNAP_MAPPINGS = 40, SNAP_INDEX_OWNERS = 41,
};

/* A column is named by table * 65536 + its number in the registry. */
#define SNAP_COLUMN(table, number) ((uint32_t)(table) << 16 | (uint32_t)(number))
enum snap_column_id {
	SNAP_STRING_TEXT = SNAP_COLUMN(1, 0),
	SNAP_PROPERTY_KEY = SNAP_COLUMN(2, 0), SNAP_PROPERTY_VALUE = SNAP_COLUMN(2, 1),
	SNAP_MODULE_PATH = SNAP_COLUMN(3, 0), SNAP_MODULE_BUILD_ID = SNAP_COLUMN(3, 1),
	SNAP_MODULE_BASE = SNAP_COLUMN(3, 2), SNAP_MODULE_SIZE = SNAP_COLUMN(3, 3),
	SNAP_FRAME_FUNCTION = SNAP_COLUMN(4, 0), SNAP_FRAME_FILE = SNAP_COLUMN(4, 1),
	SNAP_FRAME_LINE = SNAP_COLUMN(4, 2), SNAP_FRAME_MODULE = SNAP_COLUMN(4, 3),
	SNAP_FRAME_OFFSET = SNAP_COLUMN(4, 4), SNAP_FRAME_INLINED_INTO = SNAP_COLUMN(4, 5),
	SNAP_STACK_PARENT = SNAP_COLUMN(5, 0), SNAP_STACK_FRAME = SNAP_COLUMN(5, 1),
	SNAP_STACK_FLAGS = SNAP_COLUMN(5, 2),
	SNAP_TYPE_NAME = SNAP_COLUMN(6, 0), SNAP_TYPE_KIND_COLUMN = SNAP_COLUMN(6, 1),
	SNAP_SHAPE_TYPE = SNAP_COLUMN(7, 0), SNAP_SHAPE_SLOT_COUNT = SNAP_COLUMN(7, 1),
	SNAP_SHAPE_TAIL = SNAP_COLUMN(7, 2), SNAP_SHAPE_TAIL_KIND = SNAP_COLUMN(7, 3),
	SNAP_SLOT_KIND = SNAP_COLUMN(8, 0), SNAP_SLOT_LABEL = SNAP_COLUMN(8, 1),
	SNAP_THREAD_ID = SNAP_COLUMN(9, 0), SNAP_THREAD_NAME = SNAP_COLUMN(9, 1),
	SNAP_RUN_SHAPE = SNAP_COLUMN(10, 0), SNAP_RUN_ROWS = SNAP_COLUMN(10, 1),
	SNAP_OBJECT_ADDRESS = SNAP_COLUMN(11, 0), SNAP_OBJECT_SIZE = SNAP_COLUMN(11, 1),
	SNAP_OBJECT_COUNT = SNAP_COLUMN(11, 2), SNAP_OBJECT_STACK = SNAP_COLUMN(11, 3),
	SNAP_OBJECT_THREAD = SNAP_COLUMN(11, 4), SNAP_OBJECT_BIRTH_SERIAL = SNAP_COLUMN(11, 5),
	SNAP_OBJECT_BIRTH_TIME = SNAP_COLUMN(11, 6), SNAP_OBJECT_GENERATION = SNAP_COLUMN(11, 7),
	SNAP_OBJECT_FLAGS = SNAP_COLUMN(11, 8), SNAP_OBJECT_DOMAIN = SNAP_COLUMN(11, 9),
	SNAP_OBJECT_NAME = SNAP_COLUMN(11, 10), SNAP_OBJECT_CONTENT = SNAP_COLUMN(11, 11),
	SNAP_OBJECT_REFCOUNT = SNAP_COLUMN(11, 12),
	SNAP_TAIL_LENGTH = SNAP_COLUMN(12, 0),
	SNAP_REFERENCE_TARGET = SNAP_COLUMN(13, 0),
	SNAP_TAIL_LABEL_KIND = SNAP_COLUMN(14, 0), SNAP_TAIL_LABEL = SNAP_COLUMN(14, 1),
	SNAP_ROOT_OBJECT = SNAP_COLUMN(15, 0), SNAP_ROOT_KIND_COLUMN = SNAP_COLUMN(15, 1),
	SNAP_ROOT_LABEL = SNAP_COLUMN(15, 2), SNAP_ROOT_THREAD = SNAP_COLUMN(15, 3),
	SNAP_ROOT_STACK = SNAP_COLUMN(15, 4),
	SNAP_CONTENT_LENGTH = SNAP_COLUMN(16, 0), SNAP_CONTENT_HASH = SNAP_COLUMN(16, 1),
	SNAP_CONTENT_TEXT = SNAP_COLUMN(16, 2),
	SNAP_TOTAL_DIMENSION = SNAP_COLUMN(17, 0), SNAP_TOTAL_KEY = SNAP_COLUMN(17, 1),
	SNAP_TOTAL_BYTES = SNAP_COLUMN(17, 2), SNAP_TOTAL_COUNT = SNAP_COLUMN(17, 3),
	SNAP_TIMELINE_TIME = SNAP_COLUMN(18, 0), SNAP_TIMELINE_BYTES = SNAP_COLUMN(18, 1),
	SNAP_TIMELINE_COUNT = SNAP_COLUMN(18, 2), SNAP_TIMELINE_RESIDENT = SNAP_COLUMN(18, 3),
	SNAP_INDEX_FACT = SNAP_COLUMN(19, 0), SNAP_INDEX_VALUE = SNAP_COLUMN(19, 1),
	SNAP_INDEX_DOMINATOR = SNAP_COLUMN(20, 0), SNAP_INDEX_HELD = SNAP_COLUMN(20, 1),
	SNAP_INDEX_PARENT = SNAP_COLUMN(20, 2), SNAP_INDEX_CYCLE = SNAP_COLUMN(20, 3),
	SNAP_INDEX_CYCLE_OBJECTS = SNAP_COLUMN(23, 0), SNAP_INDEX_CYCLE_BYTES = SNAP_COLUMN(23, 1),
	SNAP_INDEX_CYCLE_FIRST = SNAP_COLUMN(23, 2), SNAP_INDEX_CYCLE_NEAREST = SNAP_COLUMN(23, 3),
	SNAP_INDEX_CYCLE_ENTRIES = SNAP_COLUMN(23, 4), SNAP_INDEX_CYCLE_ENTRY = SNAP_COLUMN(23, 5),
	SNAP_INDEX_CYCLE_HOLDER = SNAP_COLUMN(23, 6), SNAP_INDEX_CYCLE_RETAINED = SNAP_COLUMN(23,
											      7),
	SNAP_INDEX_LOW = SNAP_COLUMN(24, 0), SNAP_INDEX_HIGH = SNAP_COLUMN(24, 1),
	SNAP_INDEX_MAP = SNAP_COLUMN(25, 0),
	SNAP_INDEX_MEMBER_CYCLE = SNAP_COLUMN(28, 0), SNAP_INDEX_MEMBER_TYPE = SNAP_COLUMN(28, 1),
	SNAP_INDEX_MEMBER_COUNT = SNAP_COLUMN(28, 2), SNAP_INDEX_MEMBER_FIRST = SNAP_COLUMN(28, 3),
	SNAP_INDEX_CLASS_PARTS = SNAP_COLUMN(29, 0), SNAP_INDEX_CLASS_TYPE = SNAP_COLUMN(29, 1),
	SNAP_INDEX_CLASS_SHAPE = SNAP_COLUMN(29, 2), SNAP_INDEX_CLASS_STACK = SNAP_COLUMN(29, 3),
	SNAP_INDEX_CLASS_THREAD = SNAP_COLUMN(29, 4), SNAP_INDEX_CLASS_DOMAIN = SNAP_COLUMN(29, 5),
	SNAP_INDEX_CLASS_GENERATION = SNAP_COLUMN(29, 6), SNAP_INDEX_CLASS_SIZE = SNAP_COLUMN(29,
											      7),
	SNAP_INDEX_CLASS_REFCOUNT = SNAP_COLUMN(29, 8), SNAP_INDEX_CLASS_ROOT = SNAP_COLUMN(29, 9),
	SNAP_INDEX_CLASS_STEP = SNAP_COLUMN(29, 10), SNAP_INDEX_CLASS_BYTES = SNAP_COLUMN(29, 11),
	SNAP_INDEX_CLASS_COUNT = SNAP_COLUMN(29, 12), SNAP_INDEX_CLASS_PLACES = SNAP_COLUMN(29, 13),
	SNAP_INDEX_CLASS_EMPTY = SNAP_COLUMN(29, 14), SNAP_INDEX_CLASS_HOLLOW = SNAP_COLUMN(29, 15),
	SNAP_INDEX_CLASS_FIRST = SNAP_COLUMN(29, 16),
	SNAP_INDEX_NODE_CLASS = SNAP_COLUMN(30, 0), SNAP_INDEX_NODE_PARENT = SNAP_COLUMN(30, 1),
	SNAP_INDEX_NODE_RETAINED = SNAP_COLUMN(30, 2), SNAP_INDEX_NODE_OBJECTS = SNAP_COLUMN(30, 3),
	SNAP_INDEX_NODE_BYTES = SNAP_COLUMN(30, 4), SNAP_INDEX_NODE_COUNT = SNAP_COLUMN(30, 5),
	SNAP_INDEX_STEP_PARENT = SNAP_COLUMN(31, 0), SNAP_INDEX_STEP_TYPE = SNAP_COLUMN(31, 1),
	SNAP_INDEX_STEP_KIND = SNAP_COLUMN(31, 2), SNAP_INDEX_STEP_LABEL = SNAP_COLUMN(31, 3),
	SNAP_INDEX_ROOT_PARENT = SNAP_COLUMN(32, 0), SNAP_INDEX_ROOT_KIND = SNAP_COLUMN(32, 1),
	SNAP_INDEX_ROOT_LABEL = SNAP_COLUMN(32, 2), SNAP_INDEX_ROOT_TYPE = SNAP_COLUMN(32, 3),
	SNAP_INDEX_FIELD_TYPE = SNAP_COLUMN(33, 0), SNAP_INDEX_FIELD_KIND = SNAP_COLUMN(33, 1),
	SNAP_INDEX_FIELD_LABEL = SNAP_COLUMN(33, 2), SNAP_INDEX_FIELD_REFERENCES = SNAP_COLUMN(33,
											       3),
	SNAP_INDEX_FIELD_BYTES = SNAP_COLUMN(33, 4), SNAP_INDEX_FIELD_RETAINED = SNAP_COLUMN(33, 5),
	SNAP_INDEX_TOP_OBJECT = SNAP_COLUMN(34, 0), SNAP_INDEX_TOP_RETAINED = SNAP_COLUMN(34, 1),
	SNAP_INDEX_TOP_DOMINATOR = SNAP_COLUMN(34, 2), SNAP_INDEX_TOP_LARGEST = SNAP_COLUMN(34, 3),
	SNAP_INDEX_PART_TOP = SNAP_COLUMN(35, 0), SNAP_INDEX_PART_KIND = SNAP_COLUMN(35, 1),
	SNAP_INDEX_PART_TYPE = SNAP_COLUMN(35, 2), SNAP_INDEX_PART_STACK = SNAP_COLUMN(35, 3),
	SNAP_INDEX_PART_OBJECTS = SNAP_COLUMN(35, 4), SNAP_INDEX_PART_COUNT = SNAP_COLUMN(35, 5),
	SNAP_INDEX_PART_BYTES = SNAP_COLUMN(35, 6), SNAP_INDEX_PART_FIRST = SNAP_COLUMN(35, 7),
	SNAP_INDEX_DUPLICATE_CONTENT = SNAP_COLUMN(36, 0),
	SNAP_INDEX_DUPLICATE_TYPE = SNAP_COLUMN(36, 1),
	SNAP_INDEX_DUPLICATE_BYTES = SNAP_COLUMN(36, 2),
	SNAP_INDEX_DUPLICATE_COUNT = SNAP_COLUMN(36, 3),
	SNAP_INDEX_DUPLICATE_RETAINED = SNAP_COLUMN(36, 4),
	SNAP_INDEX_TYPE_ID = SNAP_COLUMN(37, 0),
	SNAP_INDEX_TYPE_DOMINATOR = SNAP_COLUMN(37, 1),
	SNAP_INDEX_TYPE_UNREACHED = SNAP_COLUMN(37, 2),
	SNAP_INDEX_TYPE_PART_COUNT = SNAP_COLUMN(37, 3),
	SNAP_INDEX_TYPE_STEP_COUNT = SNAP_COLUMN(37, 4),
	SNAP_INDEX_TYPE_PART_KIND = SNAP_COLUMN(38, 0),
	SNAP_INDEX_TYPE_PART_TYPE = SNAP_COLUMN(38, 1),
	SNAP_INDEX_TYPE_PART_REFERENCE = SNAP_COLUMN(38, 2),
	SNAP_INDEX_TYPE_PART_LABEL = SNAP_COLUMN(38, 3),
	SNAP_INDEX_TYPE_PART_OBJECTS = SNAP_COLUMN(38, 4),
	SNAP_INDEX_TYPE_PART_BYTES = SNAP_COLUMN(38, 5),
	SNAP_INDEX_TYPE_PART_FIRST = SNAP_COLUMN(38, 6),
	SNAP_INDEX_TYPE_STEP_PARENT = SNAP_COLUMN(39, 0),
	SNAP_INDEX_TYPE_STEP_TYPE = SNAP_COLUMN(39, 1),
	SNAP_INDEX_TYPE_STEP_KIND = SNAP_COLUMN(39, 2),
	SNAP_INDEX_TYPE_STEP_LABEL = SNAP_COLUMN(39, 3),
	SNAP_INDEX_TYPE_STEP_REPEATS = SNAP_COLUMN(39, 4),
	SNAP_INDEX_TYPE_STEP_FIRST = SNAP_COLUMN(39, 5),
	SNAP_INDEX_TYPE_STEP_OBJECTS = SNAP_COLUMN(39, 6),
	SNAP_INDEX_TYPE_STEP_ENDS = SNAP_COLUMN(39, 7),
	SNAP_INDEX_TYPE_STEP_NAMES = SNAP_COLUMN(39, 8),
	SNAP_MAPPING_ADDRESS = SNAP_COLUMN(40, 0), SNAP_MAPPING_SIZE = SNAP_COLUMN(40, 1),
	SNAP_MAPPING_RESIDENT = SNAP_COLUMN(40, 2), SNAP_MAPPING_LIVE = SNAP_COLUMN(40, 3),
	SNAP_MAPPING_KIND_COLUMN = SNAP_COLUMN(40, 4), SNAP_MAPPING_FLAGS = SNAP_COLUMN(40, 5),
	SNAP_MAPPING_NAME = SNAP_COLUMN(40, 6),
	SNAP_INDEX_OWNER_PARENT = SNAP_COLUMN(41, 0), SNAP_INDEX_OWNER_TYPE = SNAP_COLUMN(41, 1),
	SNAP_INDEX_OWNER_BYTES = SNAP_COLUMN(41, 2), SNAP_INDEX_OWNER_RETAINED = SNAP_COLUMN(41, 3),
};

enum snap_dimension {
	SNAP_BY_ALL = 0, SNAP_BY_TYPE = 1, SNAP_BY_STACK = 2, SNAP_BY_THREAD = 3,
	SNAP_BY_DOMAIN = 4, SNAP_BY_GENERATION = 5, SNAP_BY_SHAPE = 6, SNAP_BY_SIZE = 7,
};

enum snap_type_kind {
	SNAP_TYPE_OBJECT = 0, SNAP_TYPE_ARRAY = 1, SNAP_TYPE_STRING = 2, SNAP_TYPE_CODE = 3,
	SNAP_TYPE_CLOSURE = 4, SNAP_TYPE_NUMBER = 5, SNAP_TYPE_NATIVE = 6,
	SNAP_TYPE_SYNTHETIC = 7, /* stands for a set of roots, is no object of the program */
	SNAP_TYPE_CLASS = 8, SNAP_TYPE_HIDDEN = 9, SNAP_TYPE_SYMBOL = 10, SNAP_TYPE_REGEXP = 11,
	SNAP_TYPE_BIGINT = 12, SNAP_TYPE_LAYOUT = 13, SNAP_TYPE_BLOCK = 14,
	/* outside of the heap: a variable, a stack; its objects have count 0 */
	SNAP_TYPE_PLACE = 15,
};

enum snap_reference_kind {
	SNAP_REF_FIELD = 0,    /* attribute or member variable; label: name */
	SNAP_REF_ELEMENT = 1,  /* label: index */
	/* held by the runtime on behalf of the object; label: name or index */
	SNAP_REF_INTERNAL = 2,
	SNAP_REF_HIDDEN = 3,   /* like internal, not meant to be shown */
	SNAP_REF_LOCAL = 4,    /* captured or local variable; label: name */
	SNAP_REF_KEY = 5,      /* key of a mapping */
	SNAP_REF_VALUE = 6,    /* value of a mapping; label: its key */
	SNAP_REF_CLASS = 7,    /* the object's own class */
	SNAP_REF_STATIC = 8,   /* static member of a class */
	/* what a part of the object holds, as its dict:
	 * refcount does not count it again; label: name */
	SNAP_REF_ALIAS = 9,
	SNAP_REF_FIRST_WEAK = 16, /* from here on, references do not hold their target */
	SNAP_REF_WEAK = 16, SNAP_REF_SOFT = 17, SNAP_REF_PHANTOM = 18, SNAP_REF_FINAL = 19,
	SNAP_REF_EPHEMERON = 20,
	SNAP_REF_SHORTCUT = 21, /* repeats what a longer path says */
};

enum snap_root_kind {
	SNAP_ROOT_UNKNOWN = 0, SNAP_ROOT_VM = 1, SNAP_ROOT_GLOBAL = 2, SNAP_ROOT_STACK_FRAME = 3,
	SNAP_ROOT_THREAD_OBJECT = 4, SNAP_ROOT_HANDLE = 5, SNAP_ROOT_REGISTER = 6,
	SNAP_ROOT_TLS = 7,
	SNAP_ROOT_CLASS = 8, SNAP_ROOT_MONITOR = 9, SNAP_ROOT_FINALIZER = 10,
	SNAP_ROOT_INTERNED = 11, SNAP_ROOT_FOREIGN = 12,
};

enum snap_mapping_kind {
	SNAP_MAPPING_OTHER = 0,
	SNAP_MAPPING_HEAP = 1,     /* held by an allocator */
	SNAP_MAPPING_STACK = 2,
	SNAP_MAPPING_FILE = 3,
	SNAP_MAPPING_RECORDER = 4, /* memory of what writes the snapshot */
};
enum snap_mapping_flag {
	SNAP_MAPPING_READABLE = 1, SNAP_MAPPING_WRITABLE = 2, SNAP_MAPPING_EXECUTABLE = 4,
	SNAP_MAPPING_SHARED = 8,
};

enum snap_tail { SNAP_TAIL_NONE = 0, SNAP_TAIL_INDEXED = 1, SNAP_TAIL_LABELLED = 2 };

/* A reference's label: the name of a field, an index, the object that is the key, or nothing. */
#define SNAP_LABEL_STRING(id) ((uint64_t)(id) * 4)
#define SNAP_LABEL_INDEX(index) ((uint64_t)(index) * 4 + 1)
/* in a file: row + 1; for a writer: not used, see below */
#define SNAP_LABEL_OBJECT(id) ((uint64_t)(id) * 4 + 2)
#define SNAP_LABEL_NONE ((uint64_t)3)

/* Of an object. */
#define SNAP_OBJECT_UNCOLLECTABLE 1u /* garbage that the collector gave up on */
#define SNAP_OBJECT_DETACHED 2u      /* of a document: no part of its tree any more */
#define SNAP_OBJECT_ATTACHED 4u      /* it is */
#define SNAP_OBJECT_OLDER 8u         /* than the recording */

#define SNAP_STACK_TRUNCATED 1u /* callers beyond the outermost frame were not recorded */

#define SNAP_SNAPSHOT_PARTIAL 1u     /* the writer knows that something is missing */
#define SNAP_SNAPSHOT_SAMPLED 2u     /* sizes and counts are those of samples */
#define SNAP_SNAPSHOT_TOTALS_ONLY 4u /* no objects, no references */
#define SNAP_SNAPSHOT_CONTENTS 8u    /* texts of strings in the heap are stored */

#define SNAP_MAX_STRING_SIZE 262144u

/* ---- writing ---- */

struct snap_writer;
struct snap_reader;

/* Append members only at the end. */
struct snap_writer_options {
	size_t struct_size;             /* set by SNAP_WRITER_OPTIONS_INIT */
	/* for objects and references; 0: no limit.  Beyond it they go to an unlinked
	 * file in temporary_folder; the snapshot is the same, byte for byte.  Names,
	 * stacks, types and shapes stay in memory.  So do roots, and the references
	 * of the one object that is being put together.  At least 16 MiB is used. */
	uint64_t max_memory_bytes;
	const char *temporary_folder;   /* NULL: $TMPDIR, else /tmp */
	int level;                      /* of Zstandard, 1 to 19; 0: 3 */
	/* add a member to the file, if there is one; else replace it by rename */
	bool append;
	bool totals_only;               /* keep sums and names; forget objects and references */
	uint32_t flags;                 /* SNAP_SNAPSHOT_PARTIAL, _SAMPLED, _CONTENTS */
	uint64_t sampling_interval_bytes;
	const struct snap_allocator *allocator; /* NULL: malloc */
	const struct snap_io *io;               /* NULL: the system's */
	/* hashes only say which contents are equal: 1, 2, 3 ... are written instead */
	bool number_contents;
	/* objects are written as they come and take next to no memory.  They come by ascending
	 * id, or have none; names, contents, references and roots are SNAP_MISUSE */
	bool direct;
	/* that may run in snap_writer_finish, the caller's among them; 0: 1.  With 2, a
	 * thread of the library's finds rows and makes blocks meanwhile, if the process
	 * may use two processors and the snapshot is large; blocks only if
	 * max_memory_bytes has 12 MiB left.  It blocks all signals, calls neither allocator nor io, and is gone when
	 * snap_writer_finish returns.  The bytes are the same.  More than 2 are as 2 */
	unsigned threads;
};
#define SNAP_WRITER_OPTIONS_INIT { .struct_size = sizeof(struct snap_writer_options) }

/* Starts a snapshot that replaces path when it is finished, and only then. */
SNAP_API SNAP_MUST_USE enum snap_status
snap_writer_open(struct snap_writer **out, const char *path,
		 const struct snap_writer_options *options, struct snap_error *error);

/* Writes to an open descriptor (a pipe will do), which stays the caller's. */
SNAP_API SNAP_MUST_USE enum snap_status
snap_writer_open_descriptor(struct snap_writer **out, int descriptor,
			    const struct snap_writer_options *options, struct snap_error *error);

/* write() takes all the bytes and returns 0, or an errno value. */
struct snap_sink {
	void *context;
	int (*write)(void *context, const void *bytes, size_t size);
};
SNAP_API SNAP_MUST_USE enum snap_status
snap_writer_open_sink(struct snap_writer **out, const struct snap_sink *sink,
		      const struct snap_writer_options *options, struct snap_error *error);

/* After a failure other than SNAP_MISUSE, every later call
 * returns the same failure, up to and with finish. */

/* Interning: equal arguments give equal ids.  Strings
 * are bytes; those over SNAP_MAX_STRING_SIZE are cut. */
SNAP_API SNAP_MUST_USE enum snap_status
snap_writer_string(struct snap_writer *, const char *bytes, size_t size, uint32_t *id,
		   struct snap_error *);

/* Sets a property; the last value of a key counts. */
SNAP_API SNAP_MUST_USE enum snap_status
snap_writer_property(struct snap_writer *, const char *key, const char *value, struct snap_error *);

struct snap_module {
	uint32_t path, build_id; /* string ids; build_id may be 0 */
	uint64_t base, size;
};
SNAP_API SNAP_MUST_USE enum snap_status
snap_writer_module(struct snap_writer *, const struct snap_module *, uint32_t *id,
		   struct snap_error *);

struct snap_frame {
	uint32_t function, file; /* string ids or 0 */
	uint32_t line;
	uint32_t module;
	uint64_t offset;
	uint32_t inlined_into; /* frame id or 0 */
};
SNAP_API SNAP_MUST_USE enum snap_status
snap_writer_frame(struct snap_writer *, const struct snap_frame *, uint32_t *id,
		  struct snap_error *);

/* A stack is a frame called from parent (0: outermost).  flags: SNAP_STACK_TRUNCATED. */
SNAP_API SNAP_MUST_USE enum snap_status
snap_writer_stack(struct snap_writer *, uint32_t parent, uint32_t frame, uint32_t flags,
		  uint32_t *id, struct snap_error *);

SNAP_API SNAP_MUST_USE enum snap_status
snap_writer_type(struct snap_writer *, uint32_t name, enum snap_type_kind kind, uint32_t *id,
		 struct snap_error *);

SNAP_API SNAP_MUST_USE enum snap_status
snap_writer_thread(struct snap_writer *, uint64_t number, uint32_t name, uint32_t *id,
		   struct snap_error *);

/* The length and keyed hash of a string's bytes, or (text not 0) the bytes themselves. */
SNAP_API SNAP_MUST_USE enum snap_status
snap_writer_content(struct snap_writer *, uint64_t length, uint64_t hash, uint32_t text,
		    uint32_t *id, struct snap_error *);

/* Many of them without text.  It is faster with some
 * dozens at once, as these wait for memory together. */
SNAP_API SNAP_MUST_USE enum snap_status
snap_writer_contents(struct snap_writer *, const uint64_t *lengths, const uint64_t *hashes,
		     size_t count, uint32_t *ids,
		     struct snap_error *);

struct snap_object {
	/* address or any number, unique; 0: none, and then nothing can refer to it */
	uint64_t id;
	uint64_t size;  /* bytes of one block */
	/* equal blocks that this row stands for: 1, or without id more.  0, with an id:
	 * it is no block of the heap and in no sum, but holds some, as a variable does */
	uint64_t count;
	uint32_t type, stack, thread, name, content; /* ids or 0 */
	uint32_t generation, flags, domain;
	uint64_t birth_serial, birth_time_ns;
	uint64_t refcount; /* references that the runtime counts; 0: it does not */
};
/* Rows without id that are alike in everything else are added up. */
SNAP_API SNAP_MUST_USE enum snap_status
snap_writer_object(struct snap_writer *, const struct snap_object *, struct snap_error *);

/* A reference between objects, by their ids; either may be added later. to 0: the slot is there,
 * but empty, so that objects of one type keep one shape.  It is fastest to add an object's
 * references right after it.  label: SNAP_LABEL_STRING(string id), _INDEX(n) or _NONE. */
SNAP_API SNAP_MUST_USE enum snap_status
snap_writer_reference(struct snap_writer *, uint64_t from, uint64_t to,
		      enum snap_reference_kind kind,
		      uint64_t label, struct snap_error *);

/* The same, labelled with an object: the value of a mapping under the key with that id. */
SNAP_API SNAP_MUST_USE enum snap_status
snap_writer_keyed_reference(struct snap_writer *, uint64_t from, uint64_t to,
			    enum snap_reference_kind kind,
			    uint64_t key, struct snap_error *);

/* A reference that all objects of one layout have.
 * label: SNAP_LABEL_STRING(string id) or _NONE. */
struct snap_slot {
	enum snap_reference_kind kind;
	uint64_t label;
};
/* For many objects of one make: their type and their references.  *id is for the next call. */
SNAP_API SNAP_MUST_USE enum snap_status
snap_writer_layout(struct snap_writer *, uint32_t type, const struct snap_slot *slots, size_t count,
		   uint32_t *id,
		   struct snap_error *);

/* An object with all its references: what snap_writer_object() and a snap_writer_reference()
 * for each of them do, but faster.  targets are ids, or 0: first one for each slot of the
 * layout, then those of elements (SNAP_REF_ELEMENT) with the indexes 0, 1, 2 ...  The object
 * has an id, and the layout's type.  targets may be NULL where count is 0. */
SNAP_API SNAP_MUST_USE enum snap_status
snap_writer_object_of(struct snap_writer *, uint32_t layout, const struct snap_object *,
		      const uint64_t *targets,
		      size_t count, struct snap_error *);

/* An object of a heap that is given at once.  Its count is 1, and its type its layout's. */
struct snap_heap_object {
	uint64_t id, size, refcount; /* as in struct snap_object; id is not 0 */
	uint64_t references;         /* where its references begin in words */
	uint32_t reference_count, layout;
	uint32_t name;
	uint16_t generation, flags;
};
/* All objects of a snapshot, out of arrays: the fastest way for a program that
 * has them in memory anyway.  Objects have numbers, 1 to count, in any order;
 * what is said of number n is at n - 1.  Append members only at the end. */
struct snap_heap {
	size_t struct_size;     /* set by SNAP_HEAP_INIT */
	uint32_t count;         /* less than 2^32 - 1 */
	const uint32_t *order;  /* numbers, by ascending id */
	const struct snap_heap_object *objects;
	/* targets, which are numbers, or 0: those of the layout's slots, then elements with
	 * the indexes 0, 1, 2 ...  Of a labelled layout three words for each reference:
	 * target, kind * 4 + label % 4, label / 4 (after SNAP_LABEL_OBJECT a number) */
	const uint32_t *words;
	uint64_t word_count;
	const uint32_t *stacks, *contents; /* NULL: all are 0 */
	/* how many numbers stand in order; 0: all.  Those that do not are no objects. */
	uint32_t order_count;
};
#define SNAP_HEAP_INIT { .struct_size = sizeof(struct snap_heap) }

/* A layout of which each object says itself what its references are. */
SNAP_API SNAP_MUST_USE enum snap_status
snap_writer_labelled_layout(struct snap_writer *, uint32_t type, uint32_t *id, struct snap_error *);

/* Gives the heap of a writer that is neither direct nor for totals only, and has no
 * other objects.  Its arrays stay the caller's, and as they are until the writer is
 * finished or aborted: they are read, and found to be wrong, now or only then.  They
 * count for nothing in max_memory_bytes, and neither do 8 bytes for each object. */
SNAP_API SNAP_MUST_USE enum snap_status
snap_writer_heap(struct snap_writer *, const struct snap_heap *, struct snap_error *);

struct snap_root {
	uint64_t object; /* its id */
	enum snap_root_kind kind;
	uint32_t label, thread, stack; /* ids or 0 */
};
SNAP_API SNAP_MUST_USE enum snap_status
snap_writer_root(struct snap_writer *, const struct snap_root *, struct snap_error *);

SNAP_API SNAP_MUST_USE enum snap_status
snap_writer_timeline(struct snap_writer *, uint64_t time_ns, uint64_t bytes, uint64_t count,
		     uint64_t resident_bytes,
		     struct snap_error *);

/* A stretch of the process's memory.  To be added by ascending address. */
struct snap_mapping {
	uint64_t address, size;
	uint64_t resident; /* bytes in memory */
	uint64_t live;     /* of these, bytes of objects; 0 in a sampled snapshot */
	enum snap_mapping_kind kind;
	uint32_t flags, name; /* of enum snap_mapping_flag; a string or 0 */
};
SNAP_API SNAP_MUST_USE enum snap_status
snap_writer_mapping(struct snap_writer *, const struct snap_mapping *, struct snap_error *);

/* For baselines and tools that rewrite sums: adds to a
 * total without any object.  Only with totals_only. */
SNAP_API SNAP_MUST_USE enum snap_status
snap_writer_total(struct snap_writer *, enum snap_dimension dimension, uint64_t key, uint64_t bytes,
		  uint64_t count,
		  struct snap_error *);

/* Counts references that the caller knows of but cannot
 * add, beside those that the writer finds to be unknown. */
SNAP_API SNAP_MUST_USE enum snap_status
snap_writer_unknown_references(struct snap_writer *, uint64_t count, struct snap_error *);

struct snap_writer_summary {
	uint64_t object_rows, references, unknown_references, unknown_roots, bytes_written,
	identity;
};

/* Writes the snapshot, publishes it and frees the writer, in every case.  An id given
 * to two objects is SNAP_MISUSE, and the message has the id.  out may be NULL. */
SNAP_API SNAP_MUST_USE enum snap_status
snap_writer_finish(struct snap_writer *, struct snap_writer_summary *out, struct snap_error *);

/* Other names for the frames of a snapshot that is there already (FORMAT.md, section 7.1). */
struct snap_naming {
	/* The whole table: a frame that a stack names has its old row.  Ids of strings
	 * are those of the snapshot, and beyond them, in their order, those of texts. */
	const struct snap_frame *frames;
	size_t frame_count;
	const char *const *texts; /* not terminated; at most SNAP_MAX_STRING_SIZE bytes each */
	const size_t *text_sizes;
	size_t text_count;
};

/* Like snap_writer_finish, of a writer that was given nothing: the snapshot is a
 * copy of that of from, whose frames are replaced.  Its flags and sampling interval
 * are taken over; an index is not.  A reader that is damaged is SNAP_MISUSE. */
SNAP_API SNAP_MUST_USE enum snap_status
snap_writer_finish_renamed(struct snap_writer *, struct snap_reader *from,
			   const struct snap_naming *naming,
			   struct snap_writer_summary *out, struct snap_error *);

/* Forgets everything; no file appears or changes. */
SNAP_API void snap_writer_abort(struct snap_writer *);

/* ---- reading ---- */

#define SNAP_LAST_MEMBER 0

/* Append members only at the end. */
struct snap_reader_options {
	size_t struct_size;        /* set by SNAP_READER_OPTIONS_INIT */
	/* of directory, caches and temporary buffers; 0: 256 MiB.  At least 16 MiB */
	uint64_t max_memory_bytes;
	/* of a series, from 1; SNAP_LAST_MEMBER or -1: the last, -2 the one before ... */
	int64_t member;
	bool partial;              /* salvage: read what is whole of a damaged or cut file */
	const char *temporary_folder; /* where a pipe is kept; NULL: $TMPDIR, else /tmp */
	const struct snap_allocator *allocator;
	const struct snap_io *io;
};
#define SNAP_READER_OPTIONS_INIT { .struct_size = sizeof(struct snap_reader_options) }

/* Opens a snapshot: reads header, directory and trailer
 * of one member.  NULL options mean the defaults. */
SNAP_API SNAP_MUST_USE enum snap_status
snap_reader_open(struct snap_reader **out, const char *path,
		 const struct snap_reader_options *options, struct snap_error *error);

/* A descriptor that cannot seek is first copied to an
 * unlinked temporary file.  It stays the caller's. */
SNAP_API SNAP_MUST_USE enum snap_status
snap_reader_open_descriptor(struct snap_reader **out, int descriptor,
			    const struct snap_reader_options *options, struct snap_error *error);

/* The bytes stay the caller's, and must live as long as the reader. */
SNAP_API SNAP_MUST_USE enum snap_status
snap_reader_open_memory(struct snap_reader **out, const void *bytes, size_t size,
			const struct snap_reader_options *options, struct snap_error *error);

struct snap_source {
	void *context;
	uint64_t size;
	/* Reads exactly size bytes and returns 0, or an errno
	 * value.  Must be safe to call from several threads. */
	int (*read_at)(void *context, uint64_t offset, void *buffer, size_t size);
};
SNAP_API SNAP_MUST_USE enum snap_status
snap_reader_open_source(struct snap_reader **out, const struct snap_source *source,
			const struct snap_reader_options *options, struct snap_error *error);

SNAP_API void snap_reader_close(struct snap_reader *);

struct snap_reader_info {
	uint64_t member, member_count; /* from 1; member_count counts members that could be found */
	uint64_t offset, size;         /* of the member in the file, bytes */
	uint64_t identity;
	uint32_t flags; /* SNAP_SNAPSHOT_... */
	uint16_t major_version, minor_version;
	uint64_t sampling_interval_bytes, unknown_references;
	uint64_t block_count; /* as snap_reader_block() counts them */
	bool damaged;         /* only with partial: something was missing or wrong */
	uint64_t lost_blocks; /* at least so many */
	struct snap_error damage; /* the first thing that was wrong, if damaged */
};
SNAP_API void snap_reader_info(const struct snap_reader *, struct snap_reader_info *out);

SNAP_API uint64_t snap_reader_row_count(const struct snap_reader *, enum snap_table);
SNAP_API bool snap_reader_has_column(const struct snap_reader *, uint32_t column);

/* What the registry knows of a column; NULL names for unknown ones. */
struct snap_column_info {
	uint32_t column;
	const char *table_name, *column_name;
	bool is_text;
	uint64_t default_value;
	uint16_t refers_to; /* enum snap_table, if values are ids; else 0 */
};
SNAP_API bool snap_column_describe(uint32_t column, struct snap_column_info *out);
/* Walks the registry: index from 0; false past the last. */
SNAP_API bool snap_column_at(size_t index, struct snap_column_info *out);

/* A stretch of rows of a column: in a block of its own, or with others in a batch.  Then offset
 * and hash are the batch's, and stored_size is a share of the batch's; all shares add up to it. */
struct snap_block_info {
	uint32_t column; /* SNAP_COLUMN(table, number), known or not */
	uint8_t encoding, flags;
	uint64_t offset, first_row, hash;
	uint32_t row_count, raw_size, stored_size;
	uint32_t batch; /* number from 1 in the snapshot; 0: a block of its own */
};
SNAP_API bool snap_reader_block(const struct snap_reader *, uint64_t index,
				struct snap_block_info *out);
/* "planes", "delta" ...; NULL if unknown.  Static. */
SNAP_API const char *snap_encoding_name(uint8_t encoding);

/* A cursor over one column; keeps the blocks last used.  An absent column gives its default. */
struct snap_column;
SNAP_API SNAP_MUST_USE enum snap_status
snap_column_open(struct snap_column **out, struct snap_reader *, uint32_t column,
		 struct snap_error *error);
SNAP_API void snap_column_close(struct snap_column *);

/* count values from first_row; all of them or a failure.  Ids are within their table. */
SNAP_API SNAP_MUST_USE enum snap_status
snap_column_read(struct snap_column *, uint64_t first_row, size_t count, uint64_t *values,
		 struct snap_error *error);

/* The bytes of one row of a text column, until the next call on this column. */
SNAP_API SNAP_MUST_USE enum snap_status
snap_column_text(struct snap_column *, uint64_t row, const char **bytes, size_t *size,
		 struct snap_error *error);

/* A string by its id, through a cursor that the reader
 * keeps; 0 gives "".  Valid until the next call of this. */
SNAP_API SNAP_MUST_USE enum snap_status
snap_reader_string(struct snap_reader *, uint64_t id, const char **bytes, size_t *size,
		   struct snap_error *error);

/* ---- the index: answers that snap-index keeps in the snapshot (FORMAT.md, section 7.5) ---- */

enum snap_index_state {
	SNAP_INDEX_ABSENT = 0,
	SNAP_INDEX_GOOD = 1,
	/* it was made of other blocks, or is not whole: nothing of it is used */
	SNAP_INDEX_FOREIGN = 2,
};
enum snap_index_fact {
	SNAP_FACT_BASE = 0,    /* hash of the hashes of header and blocks before the index */
	/* rows, and bytes, that roots reach */
	SNAP_FACT_REACHED_OBJECTS = 1, SNAP_FACT_REACHED_BYTES = 2,
	/* all objects that retain so much are in SNAP_INDEX_TOPS; 0: there is no such table */
	SNAP_FACT_TOP_BYTES = 8,
};
#define SNAP_FACT_COUNT 9
/* What hangs on an object of SNAP_INDEX_TOPS, or on none of them. */
enum snap_top_part { SNAP_TOP_HELD = 0, SNAP_TOP_CHILD = 1, SNAP_TOP_LOOSE = 2 };
/* What is known of the objects of a type: who refers to them, and what hangs on them. */
enum snap_type_part { SNAP_TYPE_HOLDER = 0, SNAP_TYPE_FREED = 1 };
/* What the objects of a class have in common, as bits. */
enum snap_class_part {
	SNAP_PART_TYPE = 1, SNAP_PART_SHAPE = 2, SNAP_PART_STACK = 4, SNAP_PART_THREAD = 8,
	SNAP_PART_DOMAIN = 16,
	SNAP_PART_GENERATION = 32, SNAP_PART_SIZE = 64, SNAP_PART_REFCOUNT = 128,
	SNAP_PART_PLACES = 256, /* they are counted, and may differ */
	SNAP_PART_ROOT = 512, SNAP_PART_PATH = 1024,
};
struct snap_index_info {
	enum snap_index_state state;
	uint64_t first_block;      /* number of the index's first block; block_count without one */
	uint64_t facts[SNAP_FACT_COUNT]; /* of a good one */
};
/* Reads a block at most.  A partial reader never has an index. */
SNAP_API SNAP_MUST_USE enum snap_status
snap_reader_index(struct snap_reader *, struct snap_index_info *out, struct snap_error *error);

/* The value of a property; SNAP_END if there is none.  Valid as snap_reader_string's. */
SNAP_API SNAP_MUST_USE enum snap_status
snap_reader_property(struct snap_reader *, const char *key, const char **bytes, size_t *size,
		     struct snap_error *error);

/* A walk over several integer columns of one table, from the first row to the last, in batches of
 * whole rows.  A partial reader skips rows of which a column is lost; others fail on the first. */
struct snap_scan;
#define SNAP_SCAN_MAX_COLUMNS 16
SNAP_API SNAP_MUST_USE enum snap_status
snap_scan_open(struct snap_scan **out, struct snap_reader *, const uint32_t *columns,
	       size_t column_count,
	       struct snap_error *error);
/* values[i] has *count values of columns[i] for rows from *first_row;
 * valid until the next call.  SNAP_END after the last. */
SNAP_API SNAP_MUST_USE enum snap_status
snap_scan_next(struct snap_scan *, uint64_t *first_row, size_t *count,
	       const uint64_t *const **values,
	       struct snap_error *error);
/* Rows skipped so far, of those known to have existed. */
SNAP_API uint64_t snap_scan_lost_rows(const struct snap_scan *);
SNAP_API void snap_scan_close(struct snap_scan *);

/* Reads every byte of the member and checks every rule of the
 * format: hashes, encodings, ids, sums.  Of an index: that it was made of
 * this snapshot (snap_index_verify says the rest).  progress may be NULL. */
SNAP_API SNAP_MUST_USE enum snap_status
snap_reader_verify(struct snap_reader *, void (*progress)(void *context, uint64_t done_bytes,
							  uint64_t total_bytes),
		   void *context, struct snap_error *error);

#ifdef __cplusplus
}
#endif
#endif
