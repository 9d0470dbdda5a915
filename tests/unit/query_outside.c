/* Questions with less memory than they need: the same answers from temporary files, and files that
 * fail (snap_query.h). */
#include "graph_make.h"

#include "faults.h"
#include "random.h"
#include "snap_query.h"

#include <stdarg.h>

#define OBJECTS 6000
#define LONG    300 /* bytes that many names begin with */
#define LEAST   (900 << 10)

/* ---- snapshots ---- */

static uint64_t random_state = 88172645463325252u;

static uint64_t pick(uint64_t below)
{
	return (random_next(&random_state) >> 16) % below;
}

/* Few are of one name; of the long ones, some differ after more than is compared at once. */
static uint32_t name(struct snap_writer *w, const char *word, uint64_t names)
{
	char text[2 * LONG + 64];
	uint64_t number = pick(names);
	size_t size = number % 8 == 0 ? LONG : number % 8 == 1 ? 2 * LONG : 0;
	memset(text, 'x', size);
	snprintf(text + size, 64, "%s%" PRIu64, word, number);
	return string(w, text);
}

static uint32_t stacks[OBJECTS];
static uint64_t stack_count;

static uint32_t stack(struct snap_writer *w)
{
	struct snap_frame frame = {.function = name(w, "f", 500), .line = (uint32_t)pick(9)};
	frame.file = pick(4) ? name(w, "file", 500) : 0;
	frame.offset = frame.file ? 0 : pick(1000);
	uint32_t frame_id, id;
	REQUIRE(snap_writer_frame(w, &frame, &frame_id, NULL) == SNAP_OK);
	REQUIRE(snap_writer_stack(w, pick(50) && stack_count ? stacks[pick(stack_count)] : 0,
				  frame_id, 0, &id, NULL) == SNAP_OK);
	stacks[stack_count++] = id;
	return id;
}

static uint32_t content(struct snap_writer *w)
{
	uint32_t id, text = pick(2) ? name(w, "content", 1000) : 0;
	REQUIRE(snap_writer_content(w, 8 + pick(4), text ? 0 : pick(2000), text, &id, NULL) ==
		SNAP_OK);
	return id;
}

static void make_object(struct snap_writer *w, uint64_t id)
{
	uint32_t type_id, thread_id;
	REQUIRE(snap_writer_type(w, name(w, "T", 1500), (enum snap_type_kind)pick(4), &type_id,
				 NULL) == SNAP_OK);
	REQUIRE(snap_writer_thread(w, pick(300), name(w, "thread", 300), &thread_id, NULL) ==
		SNAP_OK);
	struct snap_object object = {
		.id = id,
		.size = (uint64_t)1 << pick(8),
		.count = 1,
		.type = type_id,
		.stack = stack(w),
		.thread = thread_id,
		.name = pick(3) ? 0 : name(w, "name", 2000),
		.content = pick(3) ? content(w) : 0,
		.generation = (uint32_t)pick(500),
		.refcount = pick(2000),
		.domain = (uint32_t)pick(500),
	};
	REQUIRE(snap_writer_object(w, &object, NULL) == SNAP_OK);
}

static void make(struct buffer *buffer)
{
	struct snap_writer *w = begin(buffer);
	stack_count = 0;
	for (uint64_t id = 1; id <= OBJECTS; id++) {
		make_object(w, id);
		for (uint64_t i = pick(4); i > 0; i--)
			refer(w, id, pick(6) ? 1 + pick(OBJECTS) : 0, SNAP_REF_FIELD,
			      SNAP_LABEL_STRING(name(w, "field", 60)));
		for (uint64_t i = pick(3); i > 0; i--)
			refer(w, id, 1 + pick(id), SNAP_REF_ELEMENT, SNAP_LABEL_INDEX(i - 1));
		if (pick(20) == 0)
			root(w, id, SNAP_ROOT_GLOBAL, name(w, "root", 200));
	}
	finish(w);
}

/* ---- answers as text ---- */

struct text {
	char *bytes;
	size_t size, capacity;
};

static void put(struct text *text, const void *bytes, size_t size)
{
	if (text->size + size >= text->capacity) {
		text->capacity = 2 * (text->size + size + 64);
		text->bytes = realloc(text->bytes, text->capacity);
		REQUIRE(text->bytes != NULL);
	}
	if (size)
		memcpy(text->bytes + text->size, bytes, size);
	text->size += size;
}

static void put_numbers(struct text *text, size_t count, ...)
{
	va_list numbers;
	va_start(numbers, count);
	for (; count > 0; count--) {
		uint64_t number = va_arg(numbers, uint64_t);
		put(text, &number, sizeof(number));
	}
	va_end(numbers);
}

static void put_text(struct text *text, struct snap_text from)
{
	put_numbers(text, 2, (uint64_t)(from.bytes != NULL), (uint64_t)from.size);
	put(text, from.bytes, from.size);
}

static void put_place(struct text *text, const struct snap_place *place)
{
	put_text(text, place->file);
	put_text(text, place->function);
	put_text(text, place->module);
	put_numbers(text, 2, place->line, place->offset);
}

static void put_step(struct text *text, const struct snap_step_text *step)
{
	put_numbers(text, 5, (uint64_t)step->is_root, (uint64_t)step->kind,
		    (uint64_t)step->is_index, (uint64_t)step->is_key, (uint64_t)step->type_kind);
	put_text(text, step->label);
	put_text(text, step->type);
}

static void put_row(struct text *text, const struct snap_answer_row *row)
{
	put_numbers(text, 6, row->bytes, row->count, row->old_bytes, row->old_count, row->retained,
		    row->old_retained);
	put_numbers(text, 6, (uint64_t)row->kind, (uint64_t)row->has_number, row->number, row->low,
		    row->high, (uint64_t)row->tail);
	put_numbers(text, 6, row->address, row->length, row->hash, row->waste, row->fill.places,
		    row->fill.empty);
	put_text(text, row->name);
	put_text(text, row->object_name);
	put_text(text, row->content);
	put_place(text, &row->place);
	put_step(text, &row->step);
	for (size_t i = 0; i < row->frame_count; i++)
		put_place(text, &row->frames[i]);
	for (size_t i = 0; i < row->slot_count; i++) {
		put_numbers(text, 2, (uint64_t)row->slots[i].kind, row->slots[i].label);
		put_text(text, row->slots[i].name);
	}
	for (size_t i = 0; i < row->step_count; i++)
		put_step(text, &row->steps[i]);
}

static void put_answer(struct text *text, struct snap_answer *answer)
{
	struct snap_answer_info info;
	snap_answer_info(answer, &info);
	put_numbers(text, 7, info.row_count, info.bytes, info.count, info.old_bytes, info.old_count,
		    info.retained, info.old_retained);
	for (uint64_t i = 0; i < info.row_count; i++) {
		struct snap_answer_row row;
		snap_answer_row(answer, i, &row);
		put_row(text, &row);
	}
}

/* ---- questions ---- */

struct asked {
	struct snap_reader *old_reader, *reader; /* old_reader may be NULL */
	struct snap_query_options options;
};

/* Whatever fails: nothing is left over. */
static enum snap_status ask(const struct asked *asked, uint64_t limit, struct faults *f,
			    struct text *text)
{
	const struct snap_allocator memory = faulty_memory(f);
	const struct snap_io io = faulty_io(f);
	struct snap_query_options options = asked->options;
	struct snap_answer *answer = NULL;
	options.max_memory_bytes = limit;
	options.allocator = &memory;
	options.io = &io;
	text->size = 0;
	struct snap_error error = {.message = ""};
	enum snap_status status = asked->old_reader
					  ? snap_query_compare(&answer, asked->old_reader,
							       asked->reader, &options, &error)
					  : snap_query(&answer, asked->reader, &options, &error);
	if (status == SNAP_LIMIT)
		printf("# %s, %" PRIu64 ": %s\n", snap_key_name(options.key), limit, error.message);
	if (status == SNAP_OK) {
		put_answer(text, answer);
		status = snap_answer_check(answer, NULL);
	}
	snap_answer_free(answer);
	REQUIRE(f->live == 0 && f->open_files == 0);
	return status;
}

static struct faults no_faults(void)
{
	return (struct faults){
		.only_temporary = true, .memory_fail_at = UINT64_MAX, .io_fail_at = UINT64_MAX};
}

/* How many of the limits were too little for the arrays, but enough for the answer. */
static uint64_t same_with_any_limit(const struct asked *asked)
{
	static const uint64_t limits[] = {LEAST, 1 << 20, 5 << 18, 2 << 20, 5 << 20};
	struct text wanted = {NULL, 0, 0}, text = {NULL, 0, 0};
	struct faults whole = no_faults();
	uint64_t outside = 0;
	REQUIRE(ask(asked, 0, &whole, &wanted) == SNAP_OK && whole.written == 0);
	for (size_t i = 0; i < sizeof(limits) / sizeof(limits[0]); i++) {
		struct faults f = no_faults();
		enum snap_status status = ask(asked, limits[i], &f, &text);
		REQUIRE(status == SNAP_OK);
		REQUIRE(text.size == wanted.size && !memcmp(text.bytes, wanted.bytes, text.size));
		REQUIRE(f.peak <= limits[i] + sizeof(void *) * 1024);
		outside += f.written > 0;
	}
	free(wanted.bytes);
	free(text.bytes);
	return outside;
}

static struct asked question(struct snap_reader *const *readers, enum snap_key key, int form)
{
	static const struct snap_pattern patterns[] = {
		{.kind = SNAP_PATTERN_TYPE, .glob = "*[1-7]"},
		{.kind = SNAP_PATTERN_FILE, .glob = "*3*", .all_frames = true},
		{.kind = SNAP_PATTERN_FUNCTION, .glob = "*4*", .exclude = true},
	};
	struct asked asked = {.reader = readers[1], .options = SNAP_QUERY_OPTIONS_INIT};
	bool sums_frames = key == SNAP_KEY_LINENO || key == SNAP_KEY_FILENAME ||
			   key == SNAP_KEY_FUNCTION || key == SNAP_KEY_MODULE;
	asked.options.key = key;
	if (form % 2 == 1)
		asked.old_reader = readers[0];
	if (form >= 2) {
		asked.options.patterns = patterns;
		asked.options.pattern_count = form == 2 ? 1 : 3;
	}
	asked.options.cumulative = sums_frames && form == 2;
	asked.options.retained = form == 3 && !sums_frames;
	asked.options.order = form == 0   ? SNAP_ORDER_BYTES
			      : form == 1 ? SNAP_ORDER_COUNT
			      : form == 2 ? SNAP_ORDER_AVERAGE
					  : SNAP_ORDER_BYTES;
	return asked;
}

static void test_limits(struct snap_reader *const *readers)
{
	for (unsigned key = 0; key < SNAP_KEY_COUNT; key++) {
		uint64_t outside = 0;
		for (int form = 0; form < 4; form++) {
			struct asked asked = question(readers, (enum snap_key)key, form);
			outside += same_with_any_limit(&asked);
		}
		bool always_small = key == SNAP_KEY_DOMAIN || key == SNAP_KEY_SIZE ||
				    key == SNAP_KEY_GENERATION;
		printf("# %s: %" PRIu64 " outside\n", snap_key_name((enum snap_key)key), outside);
		CHECK_NAMED(outside > 0 || always_small, snap_key_name((enum snap_key)key));
	}
}

/* ---- what fails ---- */

static void test_files(const struct asked *asked, uint64_t limit, bool cut_short)
{
	struct text wanted = {NULL, 0, 0}, text = {NULL, 0, 0};
	struct faults whole = no_faults();
	uint64_t failures = 0;
	REQUIRE(ask(asked, 0, &whole, &wanted) == SNAP_OK);
	for (uint64_t n = 0;; n += 1 + n / 4) {
		struct faults f = no_faults();
		f.io_fail_at = n;
		f.cut_short = cut_short;
		enum snap_status status = ask(asked, limit, &f, &text);
		if (f.io_calls <= n) {
			REQUIRE(status == SNAP_OK);
			break;
		}
		REQUIRE(status == SNAP_IO);
		failures++;
	}
	CHECK_NAMED(failures > 20,
		    cut_short ? "reads that are short are noticed" : "files that fail are said");
	free(wanted.bytes);
	free(text.bytes);
}

static void test_memory(const struct asked *asked, uint64_t limit)
{
	struct text text = {NULL, 0, 0};
	uint64_t n;
	for (n = 0;; n += 1 + n / 8) {
		struct faults f = no_faults();
		f.memory_fail_at = n;
		enum snap_status status = ask(asked, limit, &f, &text);
		if (f.memory_calls <= n) {
			REQUIRE(status == SNAP_OK && f.written > 0);
			break;
		}
		REQUIRE(status == SNAP_NO_MEMORY || status == SNAP_OK);
	}
	CHECK_NAMED(n > 20, "every allocation may fail outside, too");
	free(text.bytes);
}

int main(void)
{
	struct buffer buffers[2] = {{NULL, 0, 0}, {NULL, 0, 0}};
	struct snap_reader *readers[2];
	for (int i = 0; i < 2; i++) {
		make(&buffers[i]);
		REQUIRE(snap_reader_open_memory(&readers[i], buffers[i].bytes, buffers[i].size,
						NULL, NULL) == SNAP_OK);
	}
	test_limits(readers);
	static const enum snap_key keys[] = {SNAP_KEY_TRACEBACK, SNAP_KEY_DOMINATOR, SNAP_KEY_FIELD,
					     SNAP_KEY_DUPLICATE};
	for (size_t i = 0; i < sizeof(keys) / sizeof(keys[0]); i++) {
		struct asked asked = question(readers, keys[i], 3);
		test_files(&asked, LEAST, false);
		test_files(&asked, LEAST, true);
		test_memory(&asked, LEAST);
	}
	for (int i = 0; i < 2; i++) {
		snap_reader_close(readers[i]);
		free(buffers[i].bytes);
	}
	return DONE();
}
