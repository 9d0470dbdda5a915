/* The keys: their names, and what each needs of a snapshot. */
#include <string.h>

#include "query.h"

static const char *const key_names[SNAP_KEY_COUNT] = {
	"type",      "shape",     "lineno", "filename", "function",   "traceback",
	"module",    "thread",    "domain", "size",     "generation", "root",
	"dominator", "duplicate", "field",  "fill",     "path",       "refcount",
};

const char *snap_key_name(enum snap_key key)
{
	return (unsigned)key < SNAP_KEY_COUNT ? key_names[key] : NULL;
}

bool snap_key_find(const char *name, enum snap_key *key)
{
	for (unsigned i = 0; i < SNAP_KEY_COUNT; i++) {
		if (!strcmp(name, key_names[i])) {
			*key = (enum snap_key)i;
			return true;
		}
	}
	return false;
}

/* Of objects: a heap dump may have stacks of its threads only. */
static bool has_stacks(struct snap_reader *reader)
{
	struct snap_reader_info info;
	snap_reader_info(reader, &info);
	return snap_reader_row_count(reader, SNAP_STACKS) &&
	       (snap_reader_has_column(reader, SNAP_OBJECT_STACK) ||
		(info.flags & SNAP_SNAPSHOT_TOTALS_ONLY));
}

enum snap_key snap_key_default(struct snap_reader *reader)
{
	if (has_stacks(reader)) {
		if (snap_reader_has_column(reader, SNAP_FRAME_FILE))
			return SNAP_KEY_LINENO;
		return snap_reader_has_column(reader, SNAP_FRAME_FUNCTION) ? SNAP_KEY_FUNCTION
									   : SNAP_KEY_TRACEBACK;
	}
	return snap_reader_row_count(reader, SNAP_TYPES) ? SNAP_KEY_TYPE : SNAP_KEY_SIZE;
}

const struct key_needs libsnap_key_needs[SNAP_KEY_COUNT] = {
	[SNAP_KEY_TYPE] = {DIMENSION(SNAP_BY_TYPE), NEED_TYPES, LIBSNAP_NEEDS_TYPES},
	[SNAP_KEY_SHAPE] = {DIMENSION(SNAP_BY_SHAPE), NEED_TYPES | NEED_SHAPE_TYPES | NEED_SLOTS,
			    "shapes"},
	[SNAP_KEY_LINENO] = {DIMENSION(SNAP_BY_STACK),
			     NEED_STACKS | NEED_FILES | NEED_FUNCTIONS | NEED_MODULES,
			     LIBSNAP_NEEDS_STACKS},
	[SNAP_KEY_FILENAME] = {DIMENSION(SNAP_BY_STACK), NEED_STACKS | NEED_FILES,
			       LIBSNAP_NEEDS_STACKS},
	[SNAP_KEY_FUNCTION] = {DIMENSION(SNAP_BY_STACK),
			       NEED_STACKS | NEED_FILES | NEED_FUNCTIONS | NEED_MODULES,
			       LIBSNAP_NEEDS_STACKS},
	[SNAP_KEY_TRACEBACK] = {DIMENSION(SNAP_BY_STACK),
				NEED_STACKS | NEED_FILES | NEED_FUNCTIONS | NEED_MODULES,
				LIBSNAP_NEEDS_STACKS},
	[SNAP_KEY_MODULE] = {DIMENSION(SNAP_BY_STACK), NEED_STACKS | NEED_MODULES,
			     LIBSNAP_NEEDS_STACKS},
	[SNAP_KEY_THREAD] = {DIMENSION(SNAP_BY_THREAD), NEED_THREADS,
			     "threads (snap-record records them)"},
	[SNAP_KEY_DOMAIN] = {DIMENSION(SNAP_BY_DOMAIN), 0, NULL},
	[SNAP_KEY_SIZE] = {DIMENSION(SNAP_BY_SIZE), 0, NULL},
	[SNAP_KEY_GENERATION] = {DIMENSION(SNAP_BY_GENERATION), 0, NULL},
	[SNAP_KEY_ROOT] = {NEED_ROWS, 0, NULL},
	[SNAP_KEY_DOMINATOR] = {NEED_ADDRESS | NEED_NAME | DIMENSION(SNAP_BY_TYPE), NEED_TYPES,
				NULL},
	[SNAP_KEY_DUPLICATE] = {NEED_CONTENT | DIMENSION(SNAP_BY_TYPE), NEED_TYPES, NULL},
	[SNAP_KEY_FIELD] = {NEED_ROWS, NEED_TYPES, NULL},
	[SNAP_KEY_FILL] = {NEED_ROWS | DIMENSION(SNAP_BY_TYPE), NEED_TYPES, NULL},
	[SNAP_KEY_PATH] = {NEED_ROWS, NEED_TYPES, NULL},
	[SNAP_KEY_REFCOUNT] = {NEED_REFCOUNT, 0, NULL},
};

bool libsnap_key_can_cumulate(enum snap_key key)
{
	return key == SNAP_KEY_LINENO || key == SNAP_KEY_FILENAME || key == SNAP_KEY_FUNCTION ||
	       key == SNAP_KEY_MODULE;
}
