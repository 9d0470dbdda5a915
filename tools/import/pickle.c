/* The opcodes of a pickle that only ever builds data (pickle.h). */
#include "pickle.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <time.h>

/* Deeper than any recorded stack (at most 65,535 frames since 3.9) and any batch of a list (1,000).
 */
#define MAX_STACK  (UINT32_C(1) << 20)
#define MAX_STRING SNAP_MAX_STRING_SIZE
#define MAX_NAME   256 /* of a module or class in GLOBAL */

struct machine {
	struct pickle *pickle;
	struct import_reader reader;
	struct snap_error *error;
	uint64_t offset; /* of the opcode */
	uint64_t frame_end;
	bool in_frame, stopped, partial, cut;
};

#define FAIL(m, status, ...) import_fail_at((m)->error, status, (m)->offset, __VA_ARGS__)

static enum snap_status fail_memory(struct machine *m, enum snap_status status)
{
	if (status == SNAP_NO_MEMORY)
		return FAIL(m, status, "out of memory");
	return FAIL(m, status, "holds more than the memory limit allows");
}

static enum snap_status fail_stack(struct machine *m)
{
	return FAIL(m, SNAP_CORRUPT, "takes more from the pickle's stack than is there");
}

static enum snap_status take(struct machine *m, size_t size, const uint8_t **bytes)
{
	*bytes = import_reader_take(&m->reader, size);
	if (*bytes != NULL)
		return SNAP_OK;
	m->cut = m->reader.status == SNAP_OK;
	return import_reader_failure(&m->reader, m->error);
}

static enum snap_status take_number(struct machine *m, size_t size, uint64_t *number)
{
	const uint8_t *bytes;
	enum snap_status status = take(m, size, &bytes);
	if (status != SNAP_OK)
		return status;
	*number = 0;
	for (size_t i = size; i-- > 0;)
		*number = *number << 8 | bytes[i];
	return SNAP_OK;
}

static enum snap_status push(struct machine *m, pickle_value value)
{
	struct pickle *p = m->pickle;
	if (p->depth == p->stack_capacity) {
		if (p->depth >= MAX_STACK)
			return FAIL(m, SNAP_LIMIT, "more than %zu values on the pickle's stack",
				    p->depth);
		enum snap_status status = pickle_reserve(p, &p->stack, &p->stack_capacity,
							 p->depth + 1, sizeof(*p->stack));
		if (status != SNAP_OK)
			return fail_memory(m, status);
	}
	p->stack[p->depth++] = value;
	return SNAP_OK;
}

/* Values above the innermost mark. */
static size_t held(const struct pickle *p)
{
	return p->depth - (p->mark_count == 0 ? 0 : p->marks[p->mark_count - 1]);
}

static enum snap_status op_mark(struct machine *m)
{
	struct pickle *p = m->pickle;
	if (p->mark_count == PICKLE_MAX_MARKS)
		return FAIL(m, SNAP_LIMIT, "more than %d marks, one within the other",
			    PICKLE_MAX_MARKS);
	p->marks[p->mark_count++] = p->depth;
	return SNAP_OK;
}

/* Forgets the innermost mark; *count values lie above it, and at least below ones under it. */
static enum snap_status unmark(struct machine *m, size_t below, size_t *count)
{
	struct pickle *p = m->pickle;
	if (p->mark_count == 0)
		return FAIL(m, SNAP_CORRUPT, "no mark");
	*count = held(p);
	p->mark_count--;
	return held(p) - *count < below ? fail_stack(m) : SNAP_OK;
}

static enum snap_status op_number(struct machine *m, size_t size)
{
	uint64_t number = 0;
	enum snap_status status = take_number(m, size, &number);
	if (status != SNAP_OK)
		return status;
	if (size == 4 && number > INT32_MAX)
		return push(m, PICKLE_VALUE(PICKLE_NEGATIVE, 0));
	pickle_value value;
	status = pickle_add_number(m->pickle, number, &value);
	return status != SNAP_OK ? fail_memory(m, status) : push(m, value);
}

/* Two's complement of any length. */
static enum snap_status op_long(struct machine *m)
{
	uint64_t size;
	const uint8_t *bytes;
	enum snap_status status = take_number(m, 1, &size);
	if (status == SNAP_OK)
		status = take(m, (size_t)size, &bytes);
	if (status != SNAP_OK)
		return status;
	if (size > 0 && bytes[size - 1] > 0x7f)
		return push(m, PICKLE_VALUE(PICKLE_NEGATIVE, 0));
	uint64_t number = 0;
	for (size_t i = (size_t)size; i-- > 0;) {
		if (i >= 8 && bytes[i] != 0)
			return FAIL(m, SNAP_LIMIT, "a number of more than 64 bits");
		number = number << 8 | bytes[i];
	}
	pickle_value value;
	status = pickle_add_number(m->pickle, number, &value);
	return status != SNAP_OK ? fail_memory(m, status) : push(m, value);
}

static enum snap_status op_string(struct machine *m, size_t length_size)
{
	uint64_t size;
	const uint8_t *bytes;
	enum snap_status status = take_number(m, length_size, &size);
	if (status != SNAP_OK)
		return status;
	if (size > MAX_STRING)
		return FAIL(m, SNAP_LIMIT, "a string of %" PRIu64 " bytes, at most %u are read",
			    size, MAX_STRING);
	status = take(m, (size_t)size, &bytes);
	if (status != SNAP_OK)
		return status;
	pickle_value value;
	status = pickle_add_string(m->pickle, bytes, (size_t)size, &value);
	return status != SNAP_OK ? fail_memory(m, status) : push(m, value);
}

static enum snap_status make_tuple(struct machine *m, size_t count)
{
	struct pickle *p = m->pickle;
	pickle_value value;
	const pickle_value *items = count > 0 ? p->stack + (p->depth - count) : NULL;
	enum snap_status status = pickle_add_tuple(p, items, count, &value);
	if (status != SNAP_OK)
		return fail_memory(m, status);
	p->depth -= count;
	return push(m, value);
}

static enum snap_status op_short_tuple(struct machine *m, size_t count)
{
	return held(m->pickle) < count ? fail_stack(m) : make_tuple(m, count);
}

static enum snap_status op_tuple(struct machine *m)
{
	size_t count;
	enum snap_status status = unmark(m, 0, &count);
	return status != SNAP_OK ? status : make_tuple(m, count);
}

static enum snap_status op_object(struct machine *m, enum pickle_object_kind kind)
{
	pickle_value value;
	if (pickle_add_object(m->pickle, kind, &value) != SNAP_OK)
		return FAIL(m, SNAP_LIMIT, "more than %d lists, dictionaries and instances",
			    PICKLE_MAX_OBJECTS);
	return push(m, value);
}

static enum snap_status memoize(struct machine *m, uint64_t index)
{
	struct pickle *p = m->pickle;
	if (held(p) < 1)
		return fail_stack(m);
	if (index > p->memo_count)
		return FAIL(m, SNAP_CORRUPT, "memo entry %" PRIu64 " after %zu", index,
			    p->memo_count);
	if (index == p->memo_count) {
		enum snap_status status = pickle_reserve(p, &p->memo, &p->memo_capacity,
							 p->memo_count + 1, sizeof(*p->memo));
		if (status != SNAP_OK)
			return fail_memory(m, status);
		p->memo_count++;
	}
	p->memo[index] = p->stack[p->depth - 1];
	return SNAP_OK;
}

static enum snap_status op_put(struct machine *m, size_t size)
{
	uint64_t index = 0;
	enum snap_status status = take_number(m, size, &index);
	return status != SNAP_OK ? status : memoize(m, index);
}

static enum snap_status op_get(struct machine *m, size_t size)
{
	uint64_t index = 0;
	enum snap_status status = take_number(m, size, &index);
	if (status != SNAP_OK)
		return status;
	if (index >= m->pickle->memo_count)
		return FAIL(m, SNAP_CORRUPT, "memo entry %" PRIu64 " of %zu", index,
			    m->pickle->memo_count);
	return push(m, m->pickle->memo[index]);
}

static struct pickle_object *object_at(struct pickle *p, size_t at, enum pickle_object_kind kind)
{
	pickle_value value = p->stack[at];
	if (pickle_kind(value) != PICKLE_OBJECT || p->objects[pickle_index(value)].kind != kind)
		return NULL;
	return &p->objects[pickle_index(value)];
}

/* Appends the topmost count values to the list below them. */
static enum snap_status append(struct machine *m, size_t count)
{
	struct pickle *p = m->pickle;
	struct pickle_object *list = object_at(p, p->depth - count - 1, PICKLE_LIST);
	if (list == NULL)
		return FAIL(m, SNAP_CORRUPT, "appends to what is no list");
	enum snap_status status = pickle_reserve(p, &list->items, &list->capacity,
						 list->count + count, sizeof(*list->items));
	if (status != SNAP_OK)
		return fail_memory(m, status);
	p->depth -= count;
	if (count > 0)
		memcpy(list->items + list->count, p->stack + p->depth,
		       count * sizeof(*list->items));
	list->count += count;
	return SNAP_OK;
}

static enum snap_status op_appends(struct machine *m)
{
	size_t count;
	enum snap_status status = unmark(m, 1, &count);
	return status != SNAP_OK ? status : append(m, count);
}

static enum snap_status set_item(struct machine *m, struct pickle_object *dictionary,
				 pickle_value key, pickle_value value)
{
	static const char *const names[PICKLE_FIELD_COUNT] = {
		[PICKLE_FIELD_TRACES] = "traces",
		[PICKLE_FIELD_LIMIT] = "traceback_limit",
		[PICKLE_FIELD_LIST] = "_traces",
	};
	size_t size;
	const char *name = pickle_string(m->pickle, key, &size);
	if (name == NULL)
		return FAIL(m, SNAP_CORRUPT, "a key that is no string");
	for (size_t i = 0; i < PICKLE_FIELD_COUNT; i++)
		if (size == strlen(names[i]) && memcmp(name, names[i], size) == 0)
			dictionary->fields[i] = value;
	return SNAP_OK;
}

/* Sets the topmost count values, keys and values in turn, in the dictionary below them. */
static enum snap_status set_items(struct machine *m, size_t count)
{
	struct pickle *p = m->pickle;
	struct pickle_object *dictionary = object_at(p, p->depth - count - 1, PICKLE_DICTIONARY);
	if (dictionary == NULL)
		return FAIL(m, SNAP_CORRUPT, "sets items of what is no dictionary");
	if (count % 2 != 0)
		return FAIL(m, SNAP_CORRUPT, "a key without a value");
	p->depth -= count;
	for (size_t i = 0; i < count; i += 2) {
		enum snap_status status =
			set_item(m, dictionary, p->stack[p->depth + i], p->stack[p->depth + i + 1]);
		if (status != SNAP_OK)
			return status;
	}
	return SNAP_OK;
}

static enum snap_status op_setitems(struct machine *m)
{
	size_t count;
	enum snap_status status = unmark(m, 1, &count);
	return status != SNAP_OK ? status : set_items(m, count);
}

/* The attributes of an instance, from a dictionary. */
static enum snap_status op_build(struct machine *m)
{
	struct pickle *p = m->pickle;
	if (held(p) < 2)
		return fail_stack(m);
	struct pickle_object *state = object_at(p, p->depth - 1, PICKLE_DICTIONARY);
	struct pickle_object *instance = object_at(p, p->depth - 2, PICKLE_SNAPSHOT);
	if (instance == NULL)
		instance = object_at(p, p->depth - 2, PICKLE_TRACES);
	if (state == NULL || instance == NULL)
		return FAIL(m, SNAP_CORRUPT, "builds what is no instance with a dictionary");
	for (size_t i = 0; i < PICKLE_FIELD_COUNT; i++)
		if (state->fields[i] != PICKLE_NONE)
			instance->fields[i] = state->fields[i];
	p->depth--;
	return SNAP_OK;
}

static enum snap_status op_newobj(struct machine *m)
{
	struct pickle *p = m->pickle;
	size_t count;
	if (held(p) < 2)
		return fail_stack(m);
	const pickle_value class = p->stack[p->depth - 2];
	if (class != PICKLE_SNAPSHOT_CLASS && class != PICKLE_TRACES_CLASS)
		return FAIL(m, SNAP_CORRUPT, "makes an instance of what is no class");
	if (pickle_tuple(p, p->stack[p->depth - 1], &count) == NULL || count != 0)
		return FAIL(m, SNAP_UNSUPPORTED, "refuses to make an instance with arguments");
	p->depth -= 2;
	return op_object(m, class == PICKLE_SNAPSHOT_CLASS ? PICKLE_SNAPSHOT : PICKLE_TRACES);
}

/* Text of the input in a message: printable ASCII, and cut. */
static void quote(char out[100], const char *bytes, size_t size)
{
	static const char digits[] = "0123456789abcdef";
	size_t at = 0;
	for (size_t i = 0; i < size && at < 92; i++) {
		unsigned char byte = (unsigned char)bytes[i];
		if (byte > ' ' && byte < 0x7f && byte != '\\') {
			out[at++] = (char)byte;
			continue;
		}
		out[at++] = '\\';
		out[at++] = 'x';
		out[at++] = digits[byte >> 4];
		out[at++] = digits[byte & 15];
	}
	out[at] = '\0';
}

static bool is(const char *bytes, size_t size, const char *text)
{
	return size == strlen(text) && memcmp(bytes, text, size) == 0;
}

static enum snap_status push_global(struct machine *m, const char *module, size_t module_size,
				    const char *name, size_t name_size)
{
	if (is(module, module_size, "tracemalloc")) {
		if (is(name, name_size, "Snapshot"))
			return push(m, PICKLE_SNAPSHOT_CLASS);
		if (is(name, name_size, "_Traces"))
			return push(m, PICKLE_TRACES_CLASS);
	}
	char module_text[100], name_text[100];
	quote(module_text, module, module_size);
	quote(name_text, name, name_size);
	return FAIL(m, SNAP_UNSUPPORTED, "refuses global %s.%s", module_text, name_text);
}

static enum snap_status op_stack_global(struct machine *m)
{
	struct pickle *p = m->pickle;
	size_t module_size, name_size;
	if (held(p) < 2)
		return fail_stack(m);
	const char *module = pickle_string(p, p->stack[p->depth - 2], &module_size);
	const char *name = pickle_string(p, p->stack[p->depth - 1], &name_size);
	if (module == NULL || name == NULL)
		return FAIL(m, SNAP_CORRUPT, "a global whose name is no string");
	p->depth -= 2;
	return push_global(m, module, module_size, name, name_size);
}

static enum snap_status take_line(struct machine *m, char line[MAX_NAME], size_t *size)
{
	for (*size = 0;; ++*size) {
		const uint8_t *byte;
		enum snap_status status = take(m, 1, &byte);
		if (status != SNAP_OK)
			return status;
		if (*byte == '\n')
			return SNAP_OK;
		if (*size == MAX_NAME)
			return FAIL(m, SNAP_UNSUPPORTED,
				    "refuses a global with a name of over %d bytes", MAX_NAME);
		line[*size] = (char)*byte;
	}
}

static enum snap_status op_global(struct machine *m)
{
	char module[MAX_NAME], name[MAX_NAME];
	size_t module_size, name_size = 0;
	enum snap_status status = take_line(m, module, &module_size);
	if (status == SNAP_OK)
		status = take_line(m, name, &name_size);
	return status != SNAP_OK ? status : push_global(m, module, module_size, name, name_size);
}

static enum snap_status op_frame(struct machine *m)
{
	uint64_t size;
	enum snap_status status = take_number(m, 8, &size);
	if (status != SNAP_OK)
		return status;
	uint64_t start = import_reader_offset(&m->reader);
	if (m->in_frame)
		return FAIL(m, SNAP_CORRUPT, "a frame within a frame");
	const struct import_input *input = m->reader.input;
	if (size > INT64_MAX || (input->seekable && !m->partial && size > input->size - start))
		return FAIL(m, SNAP_CORRUPT, "a frame of %" PRIu64 " bytes goes beyond the end",
			    size);
	m->frame_end = start + size;
	m->in_frame = true;
	return SNAP_OK;
}

static enum snap_status op_stop(struct machine *m)
{
	struct pickle *p = m->pickle;
	if (p->depth != 1 || p->mark_count != 0)
		return FAIL(m, SNAP_CORRUPT, "stops with %zu values on the stack, not one",
			    p->depth);
	if (m->in_frame && import_reader_offset(&m->reader) != m->frame_end)
		return FAIL(m, SNAP_CORRUPT, "stops before its frame ends");
	p->result = p->stack[0];
	m->stopped = true;
	return SNAP_OK;
}

static enum snap_status refuse(struct machine *m, uint8_t opcode)
{
	const char *name = pickle_opcode_name(opcode);
	if (m->offset == 0)
		return FAIL(m, SNAP_CORRUPT, "is no pickle of protocol 2 to 5");
	if (name != NULL)
		return FAIL(m, SNAP_UNSUPPORTED, "refuses opcode %s", name);
	return FAIL(m, SNAP_CORRUPT, "0x%02x is no opcode", opcode);
}

static enum snap_status step(struct machine *m, uint8_t opcode)
{
	switch (opcode) {
	case '(': return op_mark(m);
	case 'K': return op_number(m, 1);
	case 'M': return op_number(m, 2);
	case 'J': return op_number(m, 4);
	case 0x8a: return op_long(m);
	case 0x8c: return op_string(m, 1);
	case 'X': return op_string(m, 4);
	case 'N': return push(m, PICKLE_NONE);
	case ')': return make_tuple(m, 0);
	case 0x85: return op_short_tuple(m, 1);
	case 0x86: return op_short_tuple(m, 2);
	case 0x87: return op_short_tuple(m, 3);
	case 't': return op_tuple(m);
	case 0x94: return memoize(m, m->pickle->memo_count);
	case 'q': return op_put(m, 1);
	case 'r': return op_put(m, 4);
	case 'h': return op_get(m, 1);
	case 'j': return op_get(m, 4);
	case ']': return op_object(m, PICKLE_LIST);
	case 'a': return held(m->pickle) < 2 ? fail_stack(m) : append(m, 1);
	case 'e': return op_appends(m);
	case '}': return op_object(m, PICKLE_DICTIONARY);
	case 's': return held(m->pickle) < 3 ? fail_stack(m) : set_items(m, 2);
	case 'u': return op_setitems(m);
	case 'c': return op_global(m);
	case 0x93: return op_stack_global(m);
	case 0x81: return op_newobj(m);
	case 'b': return op_build(m);
	case 0x95: return op_frame(m);
	case '.': return op_stop(m);
	default: return refuse(m, opcode);
	}
}

static enum snap_status op_proto(struct machine *m)
{
	uint64_t version;
	enum snap_status status = take_number(m, 1, &version);
	if (status == SNAP_OK && (version < 2 || version > 5))
		status = FAIL(m, SNAP_UNSUPPORTED, "pickle protocol %u, 2 to 5 are read",
			      (unsigned)version);
	return status;
}

static enum snap_status run(struct machine *m)
{
	enum snap_status status = SNAP_OK;
	while (status == SNAP_OK && !m->stopped) {
		m->offset = import_reader_offset(&m->reader);
		if (m->in_frame && m->offset >= m->frame_end) {
			if (m->offset > m->frame_end)
				return FAIL(m, SNAP_CORRUPT,
					    "an opcode crosses the end of its frame");
			m->in_frame = false;
		}
		const uint8_t *opcode;
		status = take(m, 1, &opcode);
		if (status == SNAP_OK)
			status = *opcode == 0x80 && m->offset == 0 ? op_proto(m) : step(m, *opcode);
	}
	if (status != SNAP_OK)
		return status;
	m->offset = import_reader_offset(&m->reader);
	if (import_reader_peek(&m->reader) >= 0)
		return FAIL(m, SNAP_CORRUPT, "goes on after the pickle's end");
	return m->reader.status == SNAP_OK ? SNAP_OK : import_reader_failure(&m->reader, m->error);
}

/* Stack and memo have done their work. */
static void forget(struct pickle *p)
{
	free(p->stack);
	free(p->memo);
	p->stack = p->memo = NULL;
	p->memory_bytes -= (uint64_t)(p->stack_capacity + p->memo_capacity) * sizeof(pickle_value);
	p->depth = p->stack_capacity = p->memo_count = p->memo_capacity = 0;
}

enum snap_status pickle_read(struct pickle **out, struct import_input *input, bool partial,
			     uint64_t max_memory_bytes, struct snap_error *error)
{
	struct machine m = {.error = error, .partial = partial};
	enum snap_status status = import_reader_begin(&m.reader, input, 0, error);
	if (status != SNAP_OK)
		return status;
	m.pickle = calloc(1, sizeof(*m.pickle));
	if (m.pickle == NULL) {
		status = FAIL(&m, SNAP_NO_MEMORY, "out of memory");
		goto end;
	}
	m.pickle->max_memory_bytes = max_memory_bytes;
	m.pickle->result = PICKLE_NONE;
	if (getrandom(&m.pickle->seed, sizeof(m.pickle->seed), GRND_NONBLOCK) !=
	    sizeof(m.pickle->seed))
		m.pickle->seed = (uint64_t)time(NULL) ^ (uint64_t)(uintptr_t)m.pickle;
	status = run(&m);
	if (status == SNAP_CORRUPT && m.cut && partial) {
		m.pickle->cut = true;
		status = SNAP_OK;
	}
	if (status != SNAP_OK)
		goto end;
	if (!m.pickle->cut)
		forget(m.pickle);
	*out = m.pickle;
	m.pickle = NULL;
end:
	pickle_free(m.pickle);
	import_reader_end(&m.reader);
	return status;
}
