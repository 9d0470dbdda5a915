/* Pulls JSON (RFC 8259) out of a stream, value by value, in
 * bounded memory; runs of integers are its fast path. */
#ifndef JSON_SCAN_H
#define JSON_SCAN_H

#include "import_input.h"

/* How deep arrays and objects may be nested where json_scan_skip goes over them. */
#define JSON_SCAN_MAX_DEPTH 512

/* Remembers the first failure; a failed scan yields only zeros and ends. */
struct json_scan {
	struct import_reader *reader;
	bool failed;
	struct snap_error error;
	bool first;    /* just after '[' or '{': no comma yet */
	uint8_t *text; /* the string last decoded */
	size_t text_size, text_capacity;
	size_t max_text; /* longer strings are cut, and counted, not refused */
	uint64_t cut_count;
	uint64_t text_full_size; /* of the string last decoded, before the cut */
};

/* Reads from where reader is, which stays the caller's. */
void json_scan_begin(struct json_scan *scan, struct import_reader *reader, size_t max_text);
void json_scan_end(struct json_scan *scan);

/* Fails the scan at offset (SNAP_NO_OFFSET: where it is), unless it has failed already. */
void json_scan_fail(struct json_scan *scan, uint64_t offset, const char *format, ...)
	__attribute__((format(printf, 3, 4)));

/* Offset of the next byte. */
static inline uint64_t json_scan_offset(const struct json_scan *scan)
{
	return import_reader_offset(scan->reader);
}

enum json_kind {
	JSON_NOTHING,
	JSON_OBJECT,
	JSON_ARRAY,
	JSON_STRING,
	JSON_NUMBER,
	JSON_TRUE,
	JSON_FALSE,
	JSON_NULL
};

/* What the next value is, without taking it. */
enum json_kind json_scan_peek(struct json_scan *scan);

/* Takes '{' or '['.  Then json_scan_member or json_scan_element says, before
 * each value, whether there is one; when they say no, the closing bracket has
 * been taken.  Every value must be taken before the next is asked for. */
void json_scan_enter(struct json_scan *scan, enum json_kind kind);
/* The member's name is in scan->text. */
bool json_scan_member(struct json_scan *scan);
bool json_scan_element(struct json_scan *scan);

/* Takes a string; its bytes, as UTF-8 (lone surrogates as three bytes), are in scan->text. */
void json_scan_string(struct json_scan *scan);
/* Takes a whole number from 0 to 2^64 - 1. */
uint64_t json_scan_unsigned(struct json_scan *scan);
/* Goes over any value. */
void json_scan_skip(struct json_scan *scan);
/* Goes over an array of what has no brackets and no strings inside, without looking closer. */
void json_scan_skip_flat(struct json_scan *scan);
/* Fails unless nothing but space is left. */
void json_scan_finish(struct json_scan *scan);

/* After json_scan_enter of an array of whole numbers: takes up to max of them.  Fewer, or none,
 * only at the end of the array, and then its bracket has been taken and *ended is true. */
size_t json_scan_integers(struct json_scan *scan, uint64_t *values, size_t max, bool *ended);

/* True if the string last decoded is this. */
bool json_scan_is(const struct json_scan *scan, const char *text);

#endif
