/* libsnap: what a heap is made of, and what changed.  Filter, group, add up, order: one
 * engine for one snapshot and for the comparison of two (FORMAT.md, sections 7.2 and 7.4).
 *
 * A question whose key and patterns need one dimension of the totals at most is answered
 * from the totals, and does not depend on the number of objects; another one scans the
 * object columns that it needs, in batches.  Memory grows with the number of stacks,
 * types and groups, not of objects.  Exceptions: SNAP_KEY_ROOT to SNAP_KEY_PATH, and
 * retained bytes, load the graph or contents, and need memory for each object.  What is
 * more than max_memory_bytes goes to temporary files, and the answer is the same.
 *
 * Groups are made by content: two stacks of equal frames are one traceback, two types of
 * equal name and kind one type.  Contract for memory, threads, safety and errors: snap.h. */
#ifndef SNAP_QUERY_H
#define SNAP_QUERY_H

#include "snap.h"

#ifdef __cplusplus
extern "C" {
#endif

/* What rows are grouped by.  Stacks: the innermost frame counts, but for those
 * passed over (snap_query_options); one inlined into another lies within it. */
enum snap_key {
	SNAP_KEY_TYPE = 0,       /* name, kind */
	SNAP_KEY_SHAPE = 1,      /* name, kind, slots, tail */
	/* file, line; without a file function and module, or module and offset */
	SNAP_KEY_LINENO = 2,
	SNAP_KEY_FILENAME = 3,   /* file */
	SNAP_KEY_FUNCTION = 4,   /* function, file, module */
	/* frames: function, file and line; without a file function, module and offset */
	SNAP_KEY_TRACEBACK = 5,
	SNAP_KEY_MODULE = 6,     /* module */
	SNAP_KEY_THREAD = 7,     /* has_number, number, name */
	SNAP_KEY_DOMAIN = 8,     /* number */
	SNAP_KEY_SIZE = 9,       /* low, high: bytes of one block */
	SNAP_KEY_GENERATION = 10, /* number */
	/* has_number, number: enum snap_root_kind, name: label.  Without number:
	 * no root reaches it.  Offsets in labels, variable+0x10, are left out */
	SNAP_KEY_ROOT = 11,
	/* name, kind, address, object_name: one object each.  Those that no other object
	 * kept dominates; synthetic ones do not count.  Always with retained bytes */
	SNAP_KEY_DOMINATOR = 12,
	/* name, kind, length, hash, content: equal contents of two or more objects */
	SNAP_KEY_DUPLICATE = 13,
	/* name, kind: the owner's type; step: label of references that hold.  Count
	 * is that of references, bytes those of distinct targets, retained that of
	 * targets which their owner alone holds; patterns are for owners */
	SNAP_KEY_FIELD = 14,
	/* name, kind, fill: objects with places for references, by type */
	SNAP_KEY_FILL = 15,
	/* steps: types and labels from a root, breadth first.  None: no root reaches it.
	 * Indexes and keys count as the same, numbers after @ and offsets, variable+0x10, are
	 * left out of labels, and a step that repeats one of the four before as that one */
	SNAP_KEY_PATH = 16,
	SNAP_KEY_REFCOUNT = 17,   /* number */
};
#define SNAP_KEY_COUNT 18

/* The name of a key as in the tools; NULL past the last.  Static. */
SNAP_API const char *snap_key_name(enum snap_key key);
/* false if there is no such key. */
SNAP_API bool snap_key_find(const char *name, enum snap_key *key);
/* The key that says most of this snapshot: lineno, function
 * or traceback if it has stacks, else type or size. */
SNAP_API enum snap_key snap_key_default(struct snap_reader *);

/* A shell pattern as Python's fnmatch takes it: the whole text, case-sensitive, * crosses /, [!x],
 * a [ without ] is itself.  Characters are those of UTF-8; a byte that is none is one character. */
SNAP_API bool snap_glob_match(const char *glob, size_t glob_size, const char *text,
			      size_t text_size);

/* What a pattern looks at.  Objects without such a name never match. */
enum snap_pattern_kind {
	/* of a frame; ".pyc" at the end counts as ".py", in glob and name */
	SNAP_PATTERN_FILE = 0,
	SNAP_PATTERN_FUNCTION = 1, /* of a frame */
	SNAP_PATTERN_MODULE = 2,   /* of a frame */
	SNAP_PATTERN_TYPE = 3,
	SNAP_PATTERN_ANY = 4,      /* all objects: for has_domain */
};

/* Objects are kept that match any including pattern, if there is one, and no excluding one. */
struct snap_pattern {
	bool exclude;
	enum snap_pattern_kind kind;
	const char *glob;  /* ends with 0; unused with _ANY */
	bool all_frames;   /* any frame of the stack may match, not the innermost alone */
	bool has_line;     /* of a frame: its line is this too */
	uint64_t line;
	bool has_domain;   /* and the object is of this domain */
	uint64_t domain;
};
#define SNAP_MAX_PATTERNS 64

/* Rows come greatest first, by this, then by the other of bytes and count, then
 * by key; keys compare as bytes, numbers and none before all; tracebacks from the
 * outermost frame.  Comparisons: by size of the change, then the new value. */
enum snap_order {
	SNAP_ORDER_BYTES = 0, SNAP_ORDER_COUNT = 1, SNAP_ORDER_AVERAGE = 2,
	SNAP_ORDER_RETAINED = 3, /* needs retained */
	/* of SNAP_KEY_DUPLICATE bytes of all copies but one, of _FILL empty places */
	SNAP_ORDER_WASTE = 4,
};

/* Append members only at the end. */
struct snap_query_options {
	size_t struct_size;        /* set by SNAP_QUERY_OPTIONS_INIT */
	enum snap_key key;
	/* every frame of a stack counts, repeated ones repeatedly: for lineno and filename
	 * as tracemalloc has it, and for function and module; SNAP_MISUSE with others */
	bool cumulative;
	/* of a sampled snapshot: estimate from the totals even where there are objects */
	bool by_average;
	const struct snap_pattern *patterns;
	size_t pattern_count;
	enum snap_order order;
	/* of the question and its answer, beside the reader's; 0: 2 GiB.  SNAP_LIMIT if it
	 * is too little for buffers: less than 1 MiB, or what the graph needs at least */
	uint64_t max_memory_bytes;
	const struct snap_allocator *allocator; /* NULL: malloc */
	bool retained;             /* add what each group retains: see snap_answer_row */
	/* SNAP_KEY_PATH: paths are cut after so many steps; 0: they are not */
	uint32_t path_depth;
	/* Where unlinked files are kept that hold what has
	 * no room in memory; NULL: $TMPDIR, else /tmp. */
	const char *temporary_folder;
	const struct snap_io *io;  /* NULL: the system's */
	/* How a function, or the class of a virtual table (a type named _ZTV...), is
	 * called in keys, answers and patterns, as a demangler knows it: puts up to size
	 * bytes at name and returns how many; 0: by its own name.  NULL: all are. */
	size_t (*function_name)(void *context, const char *bytes, size_t count, char *name,
				size_t size);
	void *function_context;
	/* no row from here on will be asked for, though all count; 0: any may be */
	uint64_t max_rows;
	/* Frames that say nothing of a place, as those of allocators: what these match
	 * (by the kinds of frames; exclude, all_frames and domains do not count) is
	 * passed over on the way to the innermost frame, unless the whole stack is.
	 * In snapshots with modules only: elsewhere there are no such frames. */
	const struct snap_pattern *passed;
	size_t passed_count;       /* at most SNAP_MAX_PATTERNS */
	/* add the standard errors of estimates; SNAP_MISUSE with cumulative */
	bool errors;
	/* That may run: as of a graph (snap_graph.h). */
	unsigned threads;
	/* of a comparison: no row that did not change will be asked for, though all count */
	bool changed_only;
};
#define SNAP_QUERY_OPTIONS_INIT { .struct_size = sizeof(struct snap_query_options) }

/* An answer owns all that it tells, and needs no reader. */
struct snap_answer;

/* Groups one snapshot.  SNAP_MISUSE: the snapshot has not
 * what key or patterns ask for (the message says what). */
SNAP_API SNAP_MUST_USE enum snap_status
snap_query(struct snap_answer **out, struct snap_reader *, const struct snap_query_options *options,
	   struct snap_error *error);

/* Groups two and compares.  SNAP_MISUSE also if they cannot be compared: one is sampled
 * and the other exact, or one has not what the other has.  The readers may be the same. */
SNAP_API SNAP_MUST_USE enum snap_status
snap_query_compare(struct snap_answer **out, struct snap_reader *old_reader,
		   struct snap_reader *new_reader,
		   const struct snap_query_options *options, struct snap_error *error);
SNAP_API void snap_answer_free(struct snap_answer *);

struct snap_answer_info {
	enum snap_key key;
	bool cumulative, compared;
	bool estimated;            /* sampled: sizes and counts are estimates */
	/* estimated from the mean size of each total, not block by block */
	bool by_average;
	bool scanned;              /* objects were read, not totals alone */
	uint64_t row_count;
	uint64_t changed_count;    /* of a comparison: rows whose sums are not the same */
	uint64_t bytes, count;     /* of all objects kept, each counted once; of the new snapshot */
	uint64_t old_bytes, old_count;
	uint64_t sampling_interval_bytes; /* of the new snapshot */
	/* objects and names that a partial reader could not give */
	uint64_t lost_rows, old_lost_rows;
	bool has_retained;
	uint64_t retained, old_retained;   /* by all objects kept */
	bool has_errors;           /* they were asked for */
	/* of the totals: see snap_answer_row */
	uint64_t bytes_error, count_error, old_bytes_error, old_count_error;
};
SNAP_API void snap_answer_info(const struct snap_answer *, struct snap_answer_info *out);

/* bytes is NULL for none, which is not the empty text.  Lives until the next row is asked for. */
struct snap_text {
	const char *bytes;
	size_t size;
};

struct snap_place {
	/* with a file the others are none: it and the line are the place */
	struct snap_text file, function, module;
	uint64_t line, offset;
};

struct snap_slot_text {
	uint32_t kind;         /* enum snap_reference_kind */
	struct snap_text name; /* of a string label */
	uint64_t label;        /* SNAP_LABEL_... otherwise */
};

/* A step of a path or one kind of reference: its label,
 * and the type that it leads to (or belongs to). */
struct snap_step_text {
	/* kind is an enum snap_root_kind, else an enum snap_reference_kind */
	bool is_root;
	uint32_t kind;
	bool is_index, is_key;   /* labels that are folded: any index, any key */
	struct snap_text label;  /* none: see above, or it has none */
	struct snap_text type;
	uint32_t type_kind;
};

/* Places for references: slots, and elements of tails. */
struct snap_fill {
	uint64_t places, empty;
	/* objects of which no place is filled; those without places do not count */
	uint64_t hollow;
};

/* A group.  Which parts of the key are set: enum snap_key. */
struct snap_answer_row {
	uint64_t bytes, count;         /* at most 2^63 - 1; 0 in a key that is gone */
	uint64_t old_bytes, old_count; /* 0 in a key that is new, and if nothing was compared */
	/* of a comparison: objects only in the new, only in the old snapshot */
	bool is_new, is_gone;
	struct snap_text name;         /* of type, thread or root */
	uint32_t kind;                 /* enum snap_type_kind */
	struct snap_place place;       /* file, line, function, module */
	bool has_number;
	uint64_t number, low, high;
	uint32_t tail, tail_kind;      /* enum snap_tail, enum snap_reference_kind */
	const struct snap_place *frames; /* innermost first; until the next call on this answer */
	const struct snap_slot_text *slots; /* likewise */
	size_t frame_count, slot_count;
	/* Bytes that only objects of the group keep alive, each counted once:
	 * the sum over those of its objects that no other one of the group
	 * dominates.  What two of them hold together, and neither alone, is not
	 * in it, so that this is a lower bound.  0 for what no root reaches. */
	uint64_t retained, old_retained;
	uint64_t address;
	struct snap_text object_name; /* of the object alone */
	uint64_t length, hash;        /* of the content; hash is 0 where the text is stored */
	struct snap_text content;
	uint64_t waste;               /* see SNAP_ORDER_WASTE */
	struct snap_fill fill;        /* of the new snapshot */
	struct snap_step_text step;
	/* from the root on; until the next call on this answer */
	const struct snap_step_text *steps;
	size_t step_count;
	/* Standard errors of estimates: the truth is within 1.96 of them in 95 of 100 samples,
	 * if these are not few.  0 where nothing is estimated, or was not asked for. */
	uint64_t bytes_error, count_error, old_bytes_error, old_count_error;
};
/* index is below row_count.  What lies in temporary files may
 * fail to be read, and is then zero: see snap_answer_check. */
SNAP_API void snap_answer_row(struct snap_answer *, uint64_t index, struct snap_answer_row *out);
/* The same without the key, which takes longer where it is a list. */
SNAP_API void snap_answer_sums(struct snap_answer *, uint64_t index, struct snap_answer_row *out);
/* SNAP_OK, or why a row that was asked for could not be told whole. */
SNAP_API SNAP_MUST_USE enum snap_status
snap_answer_check(const struct snap_answer *, struct snap_error *error);

#ifdef __cplusplus
}
#endif
#endif
