/* Records of an HPROF file, one after the other, each checked against what is left (hprof.h). */
#include "hprof.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define HEADER_SIZE   9  /* of a record: tag, time, length */
#define LONGEST_FIXED 32 /* no record in a heap dump has more before its body */
#define WRAP          (UINT64_C(1) << 32)

enum snap_status hprof_scan_corrupt(struct hprof_scan *scan, const struct hprof_record *record,
				    const char *format, ...)
{
	char text[160];
	va_list arguments;
	va_start(arguments, format);
	vsnprintf(text, sizeof(text), format, arguments);
	va_end(arguments);
	return import_fail_at(scan->error, SNAP_CORRUPT, record->offset, "%s", text);
}

static enum snap_status fail_cut(struct hprof_scan *scan)
{
	scan->cut = true;
	return import_fail_at(scan->error, SNAP_CORRUPT, scan->size, "ends too early");
}

enum snap_status hprof_scan_failure(struct hprof_scan *scan)
{
	if (scan->in.status == SNAP_OK) /* its size was known, and all was within it */
		return import_fail_at(scan->error, SNAP_CORRUPT, import_reader_offset(&scan->in),
				      "it was changed while it was read");
	return import_reader_failure(&scan->in, scan->error);
}

static const uint8_t *take(struct hprof_scan *scan, size_t size, enum snap_status *status)
{
	const uint8_t *bytes = import_reader_take(&scan->in, size);
	if (bytes == NULL)
		*status = hprof_scan_failure(scan);
	return bytes;
}

static void go_to(struct hprof_scan *scan, uint64_t offset)
{
	uint64_t here = import_reader_offset(&scan->in);
	if (offset >= here && offset - here <= (uint64_t)(scan->in.end - scan->in.at))
		scan->in.at += offset - here;
	else
		import_reader_seek(&scan->in, offset);
}

/* ---- the file's header ---- */

static enum snap_status read_header(struct hprof_scan *scan)
{
	static const char start[] = "JAVA PROFILE 1.0.";
	const size_t size = sizeof(start) - 1;
	if (scan->size < size + 2 + 12) {
		enum snap_status status = SNAP_OK;
		size_t there = scan->size < size ? (size_t)scan->size : size;
		const uint8_t *bytes = there > 0 ? take(scan, there, &status) : (const uint8_t *)"";
		if (status == SNAP_OK && memcmp(bytes, start, there) == 0)
			return fail_cut(scan);
		return status == SNAP_OK
			       ? import_fail_at(scan->error, SNAP_CORRUPT, 0,
						"no HPROF dump: \"JAVA PROFILE\" expected")
			       : status;
	}
	enum snap_status status = SNAP_OK;
	const uint8_t *bytes = take(scan, size + 2 + 12, &status);
	if (bytes == NULL)
		return status;
	if (memcmp(bytes, start, size) != 0)
		return import_fail_at(scan->error, SNAP_CORRUPT, 0,
				      "no HPROF dump: \"JAVA PROFILE\" expected");
	if (bytes[size] < '1' || bytes[size] > '3' || bytes[size + 1] != '\0')
		return import_fail_at(scan->error, SNAP_UNSUPPORTED, size,
				      "a version of HPROF other than 1.0.1 to 1.0.3");
	scan->android = bytes[size] == '3';
	scan->id_size = hprof_u4(bytes + size + 2);
	scan->time_ms = hprof_u8(bytes + size + 6);
	if (scan->id_size != 4 && scan->id_size != 8)
		return import_fail_at(scan->error, SNAP_UNSUPPORTED, size + 2,
				      "ids of %u bytes: only those of 4 and 8 are known",
				      scan->id_size);
	return SNAP_OK;
}

/* Bytes after the tag that every record of this type has; 0: there is none. */
static unsigned fixed_size(enum hprof_tag tag, unsigned id)
{
	switch (tag) {
	case HPROF_ROOT_UNKNOWN:
	case HPROF_ROOT_STICKY_CLASS:
	case HPROF_ROOT_MONITOR:
	case HPROF_ROOT_INTERNED:
	case HPROF_ROOT_FINALIZING:
	case HPROF_ROOT_DEBUGGER:
	case HPROF_ROOT_CLEANUP:
	case HPROF_ROOT_VM_INTERNAL:
	case HPROF_UNREACHABLE: return id;
	case HPROF_ROOT_JNI_GLOBAL: return 2 * id;
	case HPROF_ROOT_NATIVE_STACK:
	case HPROF_ROOT_THREAD_BLOCK: return id + 4;
	case HPROF_ROOT_JNI_LOCAL:
	case HPROF_ROOT_JAVA_FRAME:
	case HPROF_ROOT_JNI_MONITOR:
	case HPROF_ROOT_THREAD: return id + 8;
	case HPROF_HEAP_INFO: return 4 + id;
	case HPROF_CLASS: return id + 4;
	case HPROF_INSTANCE:
	case HPROF_OBJECT_ARRAY: return 2 * id + 8;
	case HPROF_PRIMITIVE_ARRAY:
	case HPROF_ARRAY_NODATA: return id + 9;
	default: return 0;
	}
}

enum snap_status hprof_scan_begin(struct hprof_scan *scan, struct import_input *input,
				  uint64_t size, struct snap_error *error)
{
	*scan = (struct hprof_scan){.error = error, .size = size};
	enum snap_status status = import_reader_begin(&scan->in, input, 0, error);
	if (status == SNAP_OK)
		status = read_header(scan);
	for (unsigned tag = 0; tag < 256; tag++)
		scan->fixed_sizes[tag] = (uint8_t)fixed_size(HPROF_IN_HEAP | tag, scan->id_size);
	scan->next = import_reader_offset(&scan->in);
	return status;
}

void hprof_scan_end(struct hprof_scan *scan)
{
	import_reader_end(&scan->in);
}

/* ---- records outside heap dumps ---- */

static bool known_tag(uint8_t tag)
{
	return (tag >= 0x01 && tag <= 0x07) || (tag >= 0x0a && tag <= 0x0e) || tag == 0x1c ||
	       tag == 0x2c;
}

/* Whether what lies at offset may be a record, and the two after it too. */
static enum snap_status look_for_records(const struct hprof_scan *scan, uint64_t offset,
					 bool *found)
{
	struct hprof_pieces pieces;
	enum snap_status status = hprof_pieces_begin(&pieces, scan->in.input, scan->error);
	*found = true;
	for (int i = 0; status == SNAP_OK && *found && i < 3 && offset < scan->size; i++) {
		const uint8_t *header;
		*found = scan->size - offset >= HEADER_SIZE;
		if (*found)
			status = hprof_piece(&pieces, offset, HEADER_SIZE, &header, scan->error);
		if (!*found || status != SNAP_OK)
			break;
		uint64_t length = hprof_u4(header + 5);
		*found = known_tag(header[0]) && length <= scan->size - offset - HEADER_SIZE;
		offset += HEADER_SIZE + length;
	}
	hprof_pieces_end(&pieces);
	return status;
}

static void enter_heap(struct hprof_scan *scan, uint8_t tag, uint64_t body, uint64_t length)
{
	scan->in_heap = true;
	scan->seen_heap = true;
	scan->seen_segment = scan->seen_segment || tag == HPROF_HEAP_DUMP_SEGMENT;
	scan->may_wrap = tag == HPROF_HEAP_DUMP;
	scan->heap_end = body + length;
	scan->next = body;
}

static enum snap_status next_outside(struct hprof_scan *scan, struct hprof_record *record,
				     bool *found)
{
	enum snap_status status = SNAP_OK;
	uint64_t at = scan->next;
	if (at == scan->size)
		return SNAP_END;
	if (scan->size - at < HEADER_SIZE)
		return fail_cut(scan);
	go_to(scan, at);
	const uint8_t *header = take(scan, HEADER_SIZE, &status);
	if (header == NULL)
		return status;
	*record =
		(struct hprof_record){.tag = header[0], .offset = at, .body = hprof_u4(header + 5)};
	if (!known_tag(header[0]))
		return hprof_scan_corrupt(scan, record, "there is no record of type 0x%02x",
					  header[0]);
	at += HEADER_SIZE;
	if (header[0] == HPROF_HEAP_DUMP || header[0] == HPROF_HEAP_DUMP_SEGMENT) {
		enter_heap(scan, header[0], at, record->body);
		return SNAP_OK;
	}
	if (record->body > scan->size - at)
		return fail_cut(scan);
	scan->seen_end = scan->seen_end || header[0] == HPROF_HEAP_DUMP_END;
	scan->next = at + record->body;
	*found = header[0] <= HPROF_TRACE || header[0] == HPROF_START_THREAD;
	return SNAP_OK;
}

/* ---- records in heap dumps ---- */

/* Whether size bytes from offset on are within the heap dump and the file. */
static inline enum snap_status need(struct hprof_scan *scan, const struct hprof_record *record,
				    uint64_t offset, uint64_t size)
{
	if (offset <= scan->size && size > scan->size - offset)
		return fail_cut(scan);
	while (offset > scan->heap_end || size > scan->heap_end - offset) {
		if (!scan->may_wrap || scan->heap_end > scan->size)
			return hprof_scan_corrupt(scan, record,
						  "a record goes beyond its heap dump's end");
		scan->heap_end += WRAP;
	}
	return SNAP_OK;
}

/* Where a heap dump's length says that it ends.  Its 32 bits wrap, which old JVMs did not mind. */
static enum snap_status end_heap(struct hprof_scan *scan)
{
	bool ends = true;
	enum snap_status status = SNAP_OK;
	if (scan->may_wrap && scan->heap_end < scan->size && scan->size - scan->heap_end >= WRAP)
		status = look_for_records(scan, scan->heap_end, &ends);
	if (ends)
		scan->in_heap = false;
	else
		scan->heap_end += WRAP;
	return status;
}

static void parse_root(const struct hprof_scan *scan, struct hprof_record *record,
		       const uint8_t *bytes, unsigned size)
{
	record->id = hprof_id(bytes, scan->id_size);
	if (record->tag == HPROF_ROOT_JNI_GLOBAL)
		return;
	if (size >= scan->id_size + 4)
		record->other = hprof_u4(bytes + scan->id_size);
	if (size >= scan->id_size + 8)
		record->stack = hprof_u4(bytes + scan->id_size + 4);
}

/* What nearly all records are, compiled for each size of
 * ids.  False: without an id, or of no known type. */
static inline __attribute__((always_inline)) bool
parse_object(struct hprof_record *record, const uint8_t *bytes, const unsigned id)
{
	record->id = hprof_id(bytes, id);
	record->stack = hprof_u4(bytes + id);
	bytes += id + 4;
	if (record->tag == HPROF_INSTANCE) {
		record->other = hprof_id(bytes, id);
		record->body = hprof_u4(bytes + id);
	} else if (record->tag == HPROF_OBJECT_ARRAY) {
		record->count = hprof_u4(bytes);
		record->other = hprof_id(bytes + 4, id);
		record->body = (uint64_t)record->count * id;
	} else if (record->tag != HPROF_CLASS) {
		record->count = hprof_u4(bytes);
		record->type = bytes[4];
		unsigned size = record->type == HPROF_OBJECT ? 0 : hprof_size_of(record->type, id);
		record->body =
			record->tag == HPROF_ARRAY_NODATA ? 0 : (uint64_t)record->count * size;
		return size > 0 && record->id != 0;
	}
	return record->id != 0;
}

static enum snap_status refuse_object(struct hprof_scan *scan, const struct hprof_record *record)
{
	if (record->id == 0)
		return hprof_scan_corrupt(scan, record, "an object with the id 0");
	return hprof_scan_corrupt(scan, record, "an array of no known type: %u", record->type);
}

static enum snap_status parse(struct hprof_scan *scan, struct hprof_record *record,
			      const uint8_t *bytes, unsigned size)
{
	bool sound;
	switch (record->tag) {
	case HPROF_HEAP_INFO:
		record->other = hprof_u4(bytes);
		record->id = hprof_id(bytes + 4, scan->id_size);
		return SNAP_OK;
	case HPROF_CLASS:
	case HPROF_INSTANCE:
	case HPROF_OBJECT_ARRAY:
	case HPROF_PRIMITIVE_ARRAY:
	case HPROF_ARRAY_NODATA:
		sound = scan->id_size == 8 ? parse_object(record, bytes, 8)
					   : parse_object(record, bytes, 4);
		return sound ? SNAP_OK : refuse_object(scan, record);
	default: parse_root(scan, record, bytes, size); return SNAP_OK;
	}
}

/* An instance or an array that lies within the heap dump and the
 * file, and begins in the buffer.  False: nothing was read. */
static inline __attribute__((always_inline)) bool
next_object(struct hprof_scan *scan, struct hprof_record *record, const unsigned id)
{
	struct import_reader *in = &scan->in;
	const uint64_t next = scan->next, left = in->end_offset - next;
	uint64_t end = scan->heap_end < scan->size ? scan->heap_end : scan->size;
	if (left > (uint64_t)(in->end - in->at) || left < LONGEST_FIXED || end < next ||
	    end - next < LONGEST_FIXED)
		return false;
	const uint8_t *bytes = in->end - left;
	if (*bytes < (HPROF_INSTANCE & 0xff) || *bytes > (HPROF_PRIMITIVE_ARRAY & 0xff))
		return false;
	*record = (struct hprof_record){.tag = HPROF_IN_HEAP | *bytes, .offset = next};
	unsigned fixed = 1 + (*bytes == (HPROF_PRIMITIVE_ARRAY & 0xff) ? id + 9 : 2 * id + 8);
	if (!parse_object(record, bytes + 1, id) || record->body > end - next - fixed)
		return false;
	in->at = bytes + fixed;
	scan->good_end = next;
	scan->next = next + fixed + record->body;
	return true;
}

/* Its tag, and *bytes: what follows. */
static enum snap_status next_fixed(struct hprof_scan *scan, struct hprof_record *record,
				   const uint8_t **bytes)
{
	enum snap_status status = need(scan, record, scan->next, 1);
	if (status != SNAP_OK)
		return status;
	go_to(scan, scan->next);
	const uint8_t *tag = take(scan, 1, &status);
	if (tag == NULL)
		return status;
	record->tag = HPROF_IN_HEAP | *tag;
	unsigned size = scan->fixed_sizes[*tag];
	status = need(scan, record, scan->next + 1, size);
	if (status == SNAP_OK)
		*bytes = take(scan, size, &status);
	return status;
}

static enum snap_status next_inside(struct hprof_scan *scan, struct hprof_record *record)
{
	const uint8_t *bytes = NULL;
	*record = (struct hprof_record){.offset = scan->next};
	enum snap_status status = next_fixed(scan, record, &bytes);
	if (status != SNAP_OK)
		return status;
	unsigned size = scan->fixed_sizes[record->tag & 0xff];
	if (size == 0)
		return hprof_scan_corrupt(scan, record,
					  "there is no record of type 0x%02x in a heap dump",
					  record->tag & 0xffu);
	status = parse(scan, record, bytes, size);
	if (status == SNAP_OK && record->body > 0)
		status = need(scan, record, scan->next + 1 + size, record->body);
	scan->next += 1 + size + record->body;
	return status;
}

static __attribute__((noinline)) enum snap_status next_record(struct hprof_scan *scan,
							      struct hprof_record *record)
{
	bool found = false;
	while (!found) {
		enum snap_status status = SNAP_OK;
		scan->good_end = scan->next;
		if (!scan->in_heap)
			status = next_outside(scan, record, &found);
		else if (scan->next == scan->heap_end)
			status = end_heap(scan);
		else
			return next_inside(scan, record);
		if (status == SNAP_END && scan->seen_segment && !scan->seen_end)
			return fail_cut(scan);
		if (status != SNAP_OK)
			return status;
	}
	return SNAP_OK;
}

enum snap_status hprof_scan_next(struct hprof_scan *scan, struct hprof_record *record)
{
	if (scan->in_heap &&
	    (scan->id_size == 8 ? next_object(scan, record, 8) : next_object(scan, record, 4)))
		return SNAP_OK;
	return next_record(scan, record);
}

/* ---- what a class has ---- */

static const uint8_t *class_take(struct hprof_scan *scan, const struct hprof_record *record,
				 size_t size, enum snap_status *status)
{
	*status = need(scan, record, scan->next, size);
	if (*status != SNAP_OK)
		return NULL;
	scan->next += size;
	return take(scan, size, status);
}

enum snap_status hprof_class_begin(struct hprof_scan *scan, const struct hprof_record *record,
				   struct hprof_class_walk *walk)
{
	enum snap_status status;
	const unsigned id = scan->id_size;
	const uint8_t *bytes = class_take(scan, record, 6 * id + 4 + 2, &status);
	if (bytes == NULL)
		return status;
	*walk = (struct hprof_class_walk){
		.super = hprof_id(bytes, id),
		.loader = hprof_id(bytes + id, id),
		.signers = hprof_id(bytes + 2 * id, id),
		.domain = hprof_id(bytes + 3 * id, id),
		.instance_size = hprof_u4(bytes + 6 * id),
		.left = (unsigned)bytes[6 * id + 4] << 8 | bytes[6 * id + 5],
	};
	return SNAP_OK;
}

/* A value, after its type where it has one. */
static enum snap_status class_value(struct hprof_scan *scan, const struct hprof_record *record,
				    struct hprof_class_item *item)
{
	enum snap_status status = SNAP_OK;
	unsigned size = hprof_size_of(item->type, scan->id_size);
	if (size == 0)
		return hprof_scan_corrupt(scan, record, "a class with a value of no known type: %u",
					  item->type);
	if (item->what == HPROF_FIELD)
		return SNAP_OK;
	const uint8_t *bytes = class_take(scan, record, size, &status);
	if (bytes != NULL && item->type == HPROF_OBJECT)
		item->value = hprof_id(bytes, scan->id_size);
	return status;
}

enum snap_status hprof_class_next(struct hprof_scan *scan, const struct hprof_record *record,
				  struct hprof_class_walk *walk, struct hprof_class_item *item)
{
	enum snap_status status = SNAP_OK;
	const unsigned id = scan->id_size;
	while (walk->left == 0 && walk->state < 2) {
		const uint8_t *count = class_take(scan, record, 2, &status);
		if (count == NULL)
			return status;
		walk->left = (unsigned)count[0] << 8 | count[1];
		walk->state++;
	}
	*item = (struct hprof_class_item){.what = HPROF_CLASS_END};
	if (walk->left == 0)
		return SNAP_OK;
	walk->left--;
	size_t name_size = walk->state == 0 ? 2 : id;
	const uint8_t *bytes = class_take(scan, record, name_size + 1, &status);
	if (bytes == NULL)
		return status;
	item->what = walk->state == 0   ? HPROF_CONSTANT
		     : walk->state == 1 ? HPROF_STATIC
					: HPROF_FIELD;
	item->name = walk->state == 0 ? ((uint64_t)bytes[0] << 8 | bytes[1]) : hprof_id(bytes, id);
	item->type = bytes[name_size];
	return class_value(scan, record, item);
}
