/* Pickled tracemalloc snapshots as data: an opcode reader that can build nothing else and runs
 * nothing. */
#ifndef PICKLE_H
#define PICKLE_H

#include "import_input.h"

/* A value, by kind and number.  Data is interned: equal numbers, strings and tuples are the same
 * value. */
typedef uint32_t pickle_value;

enum pickle_kind {
	PICKLE_SMALL = 0, /* the number itself */
	PICKLE_NUMBER = 1,
	PICKLE_NEGATIVE = 2, /* no value of a snapshot is, so its size is not kept */
	PICKLE_STRING = 3,
	PICKLE_TUPLE = 4,
	PICKLE_OBJECT = 5, /* list, dictionary or instance */
	PICKLE_OTHER = 6,  /* PICKLE_NONE, or a class */
};

#define PICKLE_INDEX_BITS 29
#define PICKLE_MAX_INDEX  ((UINT32_C(1) << PICKLE_INDEX_BITS) - 1)
#define PICKLE_VALUE(kind, index) \
	((pickle_value)(kind) << PICKLE_INDEX_BITS | (pickle_value)(index))
#define PICKLE_NONE           PICKLE_VALUE(PICKLE_OTHER, 0)
#define PICKLE_SNAPSHOT_CLASS PICKLE_VALUE(PICKLE_OTHER, 1)
#define PICKLE_TRACES_CLASS   PICKLE_VALUE(PICKLE_OTHER, 2)

static inline enum pickle_kind pickle_kind(pickle_value value)
{
	return (enum pickle_kind)(value >> PICKLE_INDEX_BITS);
}

static inline uint32_t pickle_index(pickle_value value)
{
	return value & PICKLE_MAX_INDEX;
}

enum pickle_object_kind { PICKLE_LIST, PICKLE_DICTIONARY, PICKLE_SNAPSHOT, PICKLE_TRACES };

/* The attributes that mean something; others are not kept. */
enum pickle_field {
	PICKLE_FIELD_TRACES,
	PICKLE_FIELD_LIMIT,
	PICKLE_FIELD_LIST,
	PICKLE_FIELD_COUNT
};

#define PICKLE_MAX_OBJECTS 64 /* a snapshot has five */
#define PICKLE_MAX_MARKS   64 /* it needs three */

struct pickle_object {
	enum pickle_object_kind kind;
	/* of an instance or dictionary; PICKLE_NONE if absent */
	pickle_value fields[PICKLE_FIELD_COUNT];
	pickle_value *items; /* of a list */
	size_t count, capacity;
};

/* Slots are found by hash; an index is kept plus one, so that zero is free. */
struct pickle_slot {
	uint32_t hash, index;
};

struct pickle_table {
	struct pickle_slot *slots;
	size_t capacity, count;
};

struct pickle {
	uint64_t memory_bytes, max_memory_bytes;
	uint64_t seed; /* of the hashes: nobody can choose colliding input */

	uint64_t *numbers;
	size_t number_count, number_capacity;
	char *text;            /* of all strings, one after the other */
	size_t *string_starts; /* and where the last ends */
	size_t text_size, text_capacity, string_count, string_capacity;
	pickle_value *items; /* of all tuples */
	uint32_t *tuple_starts;
	size_t item_count, item_capacity, tuple_count, tuple_capacity;
	struct pickle_table number_table, string_table, tuple_table;

	struct pickle_object objects[PICKLE_MAX_OBJECTS];
	size_t object_count;

	pickle_value *stack, *memo;
	size_t depth, stack_capacity, memo_count, memo_capacity;
	size_t marks[PICKLE_MAX_MARKS], mark_count;

	pickle_value result;
	bool cut; /* the input ended too early, and partial was asked for: there is no result */
};

/* Reads one pickle, which must be all that the input holds, protocols 2 to 5.  Opcodes and globals
 * that no tracemalloc.Snapshot needs are refused (SNAP_UNSUPPORTED); max_memory_bytes 0: no limit.
 */
enum snap_status pickle_read(struct pickle **out, struct import_input *input, bool partial,
			     uint64_t max_memory_bytes, struct snap_error *error);
void pickle_free(struct pickle *pickle);

/* The number; false if the value is none, or negative. */
bool pickle_number(const struct pickle *pickle, pickle_value value, uint64_t *number);
/* The bytes of a string (UTF-8, surrogates included), NULL if it is none. */
const char *pickle_string(const struct pickle *pickle, pickle_value value, size_t *size);
/* The items of a tuple; NULL if it is none. */
const pickle_value *pickle_tuple(const struct pickle *pickle, pickle_value value, size_t *count);
/* An object of that kind, else NULL. */
const struct pickle_object *pickle_object(const struct pickle *pickle, pickle_value value,
					  enum pickle_object_kind kind);

/* "REDUCE"; NULL if no protocol has it.  Static. */
const char *pickle_opcode_name(uint8_t opcode);

/* ---- pickle_data.c: how the opcode reader builds values ---- */

/* Makes room for needed elements, within the memory limit.  array points to the pointer. */
enum snap_status pickle_reserve(struct pickle *pickle, void *array, size_t *capacity, size_t needed,
				size_t element_size);
enum snap_status pickle_add_number(struct pickle *pickle, uint64_t number, pickle_value *out);
enum snap_status pickle_add_string(struct pickle *pickle, const void *bytes, size_t size,
				   pickle_value *out);
enum snap_status pickle_add_tuple(struct pickle *pickle, const pickle_value *items, size_t count,
				  pickle_value *out);
enum snap_status pickle_add_object(struct pickle *pickle, enum pickle_object_kind kind,
				   pickle_value *out);

#endif
