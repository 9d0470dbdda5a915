/* Proves: groups, filters, cumulative sums, comparisons and estimates are what a naive sum over the
 * same objects gives, from totals and from objects alike; nothing leaks or crashes when memory ends
 * (snap_query.h). */
#include "build_snapshot.h"
#include "rows.h"
#include "snap_query.h"
#include "writer.h"

/* ---- a heap as the test knows it ---- */

enum { FILES = 5, FRAMES = 24, STACKS = 40, TYPES = 6, THREADS = 3, OBJECTS = 300 };

struct place {
	int file, line;
}; /* file -1: none */
struct stack {
	int parent, frame;
};
struct object {
	uint64_t size, count;
	int type, stack, thread, domain, generation, refcount;
};

struct heap {
	struct place frames[FRAMES];
	struct stack stacks[STACKS];
	struct object objects[OBJECTS];
	int object_count;
	bool sampled, totals_only;
};

static const char *const file_names[FILES] = {"a.py", "lib/b.pyc", "lib/b.py", "C.py",
					      "\xc3\xa9.py"};
static const char *const type_names[TYPES] = {"int", "str", "list", "dict", "int", "<odd>"};
static uint64_t state = 0x9e3779b97f4a7c15u;

static int below(int limit)
{
	state ^= state << 13;
	state ^= state >> 7;
	state ^= state << 17;
	return (int)((state >> 33) % (uint64_t)limit);
}

static void make_heap(struct heap *heap)
{
	*heap = (struct heap){.object_count = OBJECTS};
	for (int i = 0; i < FRAMES; i++)
		heap->frames[i] = (struct place){below(FILES + 1) - 1, below(4) + 1};
	for (int i = 0; i < STACKS; i++)
		heap->stacks[i] = (struct stack){below(3) ? below(i + 1) - 1 : -1, below(FRAMES)};
	for (int i = 0; i < OBJECTS; i++)
		heap->objects[i] = (struct object){
			.size = (uint64_t)below(200) * (uint64_t)below(50),
			.count = 1 + (uint64_t)(below(4) ? 0 : below(9)),
			.type = below(TYPES + 1) - 1,
			.stack = below(STACKS + 2) - 1,
			.thread = below(THREADS + 1) - 1,
			.domain = below(3),
			.generation = below(3),
			.refcount = below(20),
		};
	for (int i = 0; i < OBJECTS; i++)
		if (heap->objects[i].stack >= STACKS)
			heap->objects[i].stack = -1;
}

/* ---- the same as a snapshot ---- */

struct bytes {
	uint8_t *at;
	size_t size, capacity;
};

static int take_bytes(void *context, const void *bytes, size_t size)
{
	struct bytes *out = context;
	if (out->capacity - out->size < size) {
		out->capacity = (out->size + size) * 2;
		out->at = realloc(out->at, out->capacity);
		REQUIRE(out->at);
	}
	memcpy(out->at + out->size, bytes, size);
	out->size += size;
	return 0;
}

static uint32_t string_id(struct snap_writer *w, const char *text)
{
	uint32_t id;
	REQUIRE(snap_writer_string(w, text, strlen(text), &id, NULL) == SNAP_OK);
	return id;
}

static void write_stacks(struct snap_writer *w, const struct heap *heap, uint32_t *stacks)
{
	for (int i = 0; i < STACKS; i++) {
		const struct place *place = &heap->frames[heap->stacks[i].frame];
		/* Frames of one place differ in offset: places are what is grouped. */
		struct snap_frame frame = {.offset = (uint64_t)heap->stacks[i].frame *
						     (place->file >= 0),
					   .line = (uint32_t)place->line};
		if (place->file >= 0)
			frame.file = string_id(w, file_names[place->file]);
		else
			frame.line = 0;
		uint32_t id;
		REQUIRE(snap_writer_frame(w, &frame, &id, NULL) == SNAP_OK);
		uint32_t parent = heap->stacks[i].parent < 0 ? 0 : stacks[heap->stacks[i].parent];
		REQUIRE(snap_writer_stack(w, parent, id, 0, &stacks[i], NULL) == SNAP_OK);
	}
}

static struct bytes write_heap(const struct heap *heap)
{
	struct bytes out = {0};
	struct snap_sink sink = {&out, take_bytes};
	struct snap_writer_options options = SNAP_WRITER_OPTIONS_INIT;
	options.flags = heap->sampled ? SNAP_SNAPSHOT_SAMPLED : 0;
	options.sampling_interval_bytes = heap->sampled ? 4096 : 0;
	options.totals_only = heap->totals_only;
	struct snap_writer *w;
	uint32_t stacks[STACKS], types[TYPES], threads[THREADS];
	REQUIRE(snap_writer_open_sink(&w, &sink, &options, NULL) == SNAP_OK);
	if (below(2))
		w->few_objects = 0; /* then there are totals */
	write_stacks(w, heap, stacks);
	for (int i = 0; i < TYPES; i++)
		REQUIRE(snap_writer_type(w, string_id(w, type_names[i]),
					 i == 4 ? SNAP_TYPE_NUMBER : SNAP_TYPE_OBJECT, &types[i],
					 NULL) == SNAP_OK);
	for (int i = 0; i < THREADS; i++)
		REQUIRE(snap_writer_thread(w, (uint64_t)i, 0, &threads[i], NULL) == SNAP_OK);
	for (int i = 0; i < heap->object_count; i++) {
		const struct object *o = &heap->objects[i];
		struct snap_object object = {.size = o->size,
					     .count = o->count,
					     .domain = (uint32_t)o->domain,
					     .generation = (uint32_t)o->generation,
					     .refcount = (uint64_t)o->refcount};
		object.type = o->type < 0 ? 0 : types[o->type];
		object.stack = o->stack < 0 ? 0 : stacks[o->stack];
		object.thread = o->thread < 0 ? 0 : threads[o->thread];
		REQUIRE(snap_writer_object(w, &object, NULL) == SNAP_OK);
	}
	REQUIRE(snap_writer_finish(w, NULL, NULL) == SNAP_OK);
	return out;
}

static struct snap_reader *open_bytes(const struct bytes *bytes)
{
	struct snap_reader *reader;
	REQUIRE(snap_reader_open_memory(&reader, bytes->at, bytes->size, NULL, NULL) == SNAP_OK);
	return reader;
}

/* ---- the naive answer ---- */

enum { MAX_GROUPS = OBJECTS * 4, KEY_SIZE = 1024 };

struct naive_group {
	char key[KEY_SIZE];
	double bytes, count;
};
struct naive {
	struct naive_group groups[MAX_GROUPS];
	int count;
	double bytes, blocks;
};

static void naive_add(struct naive *naive, const char *key, double bytes, double count)
{
	int i = 0;
	while (i < naive->count && strcmp(naive->groups[i].key, key) != 0)
		i++;
	REQUIRE(i < MAX_GROUPS);
	if (i == naive->count) {
		snprintf(naive->groups[naive->count++].key, KEY_SIZE, "%s", key);
		naive->groups[i].bytes = naive->groups[i].count = 0;
	}
	naive->groups[i].bytes += bytes;
	naive->groups[i].count += count;
}

static void place_text(const struct place *place, bool with_line, char *out, size_t size)
{
	if (place->file < 0)
		snprintf(out, size, "-");
	else if (with_line)
		snprintf(out, size, "%s:%d", file_names[place->file], place->line);
	else
		snprintf(out, size, "%s", file_names[place->file]);
}

static void naive_key(const struct heap *heap, const struct object *o, enum snap_key key, char *out)
{
	out[0] = '\0';
	switch (key) {
	case SNAP_KEY_TYPE:
	case SNAP_KEY_SHAPE:
		snprintf(out, KEY_SIZE, "%s%s", o->type < 0 ? "-" : type_names[o->type],
			 o->type == 4 ? "#5" : "");
		break;
	case SNAP_KEY_LINENO:
	case SNAP_KEY_FILENAME:
		if (o->stack < 0)
			snprintf(out, KEY_SIZE, "-");
		else
			place_text(&heap->frames[heap->stacks[o->stack].frame],
				   key == SNAP_KEY_LINENO, out, KEY_SIZE);
		break;
	case SNAP_KEY_TRACEBACK:
		for (int s = o->stack; s >= 0; s = heap->stacks[s].parent) {
			size_t used = strlen(out);
			place_text(&heap->frames[heap->stacks[s].frame], true, out + used,
				   KEY_SIZE - used);
			strcat(out, ";");
		}
		break;
	case SNAP_KEY_THREAD: snprintf(out, KEY_SIZE, o->thread < 0 ? "-" : "%d", o->thread); break;
	case SNAP_KEY_DOMAIN: snprintf(out, KEY_SIZE, "%d", o->domain); break;
	case SNAP_KEY_GENERATION: snprintf(out, KEY_SIZE, "%d", o->generation); break;
	case SNAP_KEY_REFCOUNT: snprintf(out, KEY_SIZE, "%d", o->refcount); break;
	default: {
		uint64_t low = 0;
		for (uint64_t size = o->size; size; size >>= 1)
			low = low ? low * 2 : 1;
		snprintf(out, KEY_SIZE, "%" PRIu64, low);
	}
	}
}

static bool naive_frame_matches(const struct heap *heap, int stack,
				const struct snap_pattern *pattern)
{
	const struct place *place = &heap->frames[heap->stacks[stack].frame];
	if (place->file < 0 || (pattern->has_line && pattern->line != (uint64_t)place->line))
		return false;
	char name[64], glob[64];
	snprintf(name, sizeof(name), "%s", file_names[place->file]);
	snprintf(glob, sizeof(glob), "%s", pattern->glob);
	if (strlen(name) > 4 && !strcmp(name + strlen(name) - 4, ".pyc"))
		name[strlen(name) - 1] = '\0';
	if (strlen(glob) > 4 && !strcmp(glob + strlen(glob) - 4, ".pyc"))
		glob[strlen(glob) - 1] = '\0';
	return snap_glob_match(glob, strlen(glob), name, strlen(name));
}

static bool naive_matches(const struct heap *heap, const struct object *o,
			  const struct snap_pattern *pattern)
{
	if (pattern->has_domain && pattern->domain != (uint64_t)o->domain)
		return false;
	if (pattern->kind == SNAP_PATTERN_ANY)
		return true;
	if (pattern->kind == SNAP_PATTERN_TYPE)
		return o->type >= 0 &&
		       snap_glob_match(pattern->glob, strlen(pattern->glob), type_names[o->type],
				       strlen(type_names[o->type]));
	for (int s = o->stack; s >= 0; s = heap->stacks[s].parent) {
		if (naive_frame_matches(heap, s, pattern))
			return true;
		if (!pattern->all_frames)
			break;
	}
	return false;
}

static bool naive_keeps(const struct heap *heap, const struct object *o,
			const struct snap_query_options *options)
{
	bool included = true, any_include = false;
	for (size_t i = 0; i < options->pattern_count; i++)
		any_include |= !options->patterns[i].exclude;
	if (any_include)
		included = false;
	for (size_t i = 0; i < options->pattern_count; i++) {
		bool matches = naive_matches(heap, o, &options->patterns[i]);
		if (options->patterns[i].exclude && matches)
			return false;
		included |= !options->patterns[i].exclude && matches;
	}
	return included;
}

/* e^-x by its definition: slow and simple */
static double naive_weight(double size, double interval)
{
	static double known[200 * 50]; /* by size */
	double x = size / interval, power = 1;
	if (size <= 0)
		return 1;
	if (known[(int)size] > 0)
		return known[(int)size];
	for (int i = 0; i < 1 << 18; i++)
		power *= 1 - x / (1 << 18);
	return known[(int)size] = 1 / (1 - power);
}

static void naive_answer(const struct heap *heap, const struct snap_query_options *options,
			 struct naive *naive)
{
	naive->count = 0;
	naive->bytes = naive->blocks = 0;
	for (int i = 0; i < heap->object_count; i++) {
		const struct object *o = &heap->objects[i];
		if (!naive_keeps(heap, o, options))
			continue;
		double weight = heap->sampled ? naive_weight((double)o->size, 4096) : 1;
		double bytes = weight * (double)(o->size * o->count),
		       count = weight * (double)o->count;
		char key[KEY_SIZE];
		naive->bytes += bytes;
		naive->blocks += count;
		if (!options->cumulative || o->stack < 0) {
			naive_key(heap, o, options->key, key);
			naive_add(naive, key, bytes, count);
			continue;
		}
		for (int s = o->stack; s >= 0; s = heap->stacks[s].parent) {
			place_text(&heap->frames[heap->stacks[s].frame],
				   options->key == SNAP_KEY_LINENO, key, KEY_SIZE);
			naive_add(naive, key, bytes, count);
		}
	}
}

/* ---- ours as the same text ---- */

static void append_text(char *out, struct snap_text text)
{
	size_t used = strlen(out);
	snprintf(out + used, KEY_SIZE - used, "%.*s", text.bytes ? (int)text.size : 1,
		 text.bytes ? text.bytes : "-");
}

static void append_place(char *out, const struct snap_place *place)
{
	append_text(out, place->file);
	size_t used = strlen(out);
	if (place->file.bytes && place->line)
		snprintf(out + used, KEY_SIZE - used, ":%" PRIu64, place->line);
}

static void row_key(enum snap_key key, const struct snap_answer_row *row, char *out)
{
	out[0] = '\0';
	switch (key) {
	case SNAP_KEY_TYPE:
	case SNAP_KEY_SHAPE:
		append_text(out, row->name);
		if (row->kind)
			snprintf(out + strlen(out), 16, "#%u", row->kind);
		break;
	case SNAP_KEY_LINENO:
	case SNAP_KEY_FILENAME: append_place(out, &row->place); break;
	case SNAP_KEY_TRACEBACK:
		for (size_t i = 0; i < row->frame_count; i++) {
			append_place(out, &row->frames[i]);
			strcat(out, ";");
		}
		break;
	case SNAP_KEY_SIZE: snprintf(out, KEY_SIZE, "%" PRIu64, row->low); break;
	default: snprintf(out, KEY_SIZE, row->has_number ? "%" PRIu64 : "-", row->number);
	}
}

static bool near(double wanted, uint64_t got, bool estimated)
{
	double difference = wanted - (double)got;
	double allowed = estimated ? 0.51 + wanted * 1e-4 : 0;
	return difference <= allowed && -difference <= allowed;
}

static const struct naive_group *naive_find(const struct naive *naive, const char *key)
{
	for (int i = 0; i < naive->count; i++)
		if (!strcmp(naive->groups[i].key, key))
			return &naive->groups[i];
	return NULL;
}

static bool same(struct snap_answer *answer, const struct naive *wanted)
{
	struct snap_answer_info info;
	struct snap_answer_row row, before = {0};
	snap_answer_info(answer, &info);
	int seen = 0;
	for (uint64_t i = 0; i < info.row_count; i++) {
		char key[KEY_SIZE];
		snap_answer_row(answer, i, &row);
		row_key(info.key, &row, key);
		const struct naive_group *group = naive_find(wanted, key);
		if (!group || !near(group->bytes, row.bytes, info.estimated) ||
		    !near(group->count, row.count, info.estimated)) {
			printf("# %s: %" PRIu64 " %" PRIu64 ", wanted %f %f\n", key, row.bytes,
			       row.count, group ? group->bytes : -1, group ? group->count : -1);
			return false;
		}
		if (i > 0 && (before.bytes < row.bytes ||
			      (before.bytes == row.bytes && before.count < row.count)))
			return false;
		before = row;
		seen++;
	}
	return seen == wanted->count && near(wanted->bytes, info.bytes, info.estimated) &&
	       near(wanted->blocks, info.count, info.estimated);
}

static bool same_sums(struct snap_answer *answer, uint64_t index, const struct snap_answer_row *row)
{
	struct snap_answer_row sums;
	snap_answer_sums(answer, index, &sums);
	return sums.bytes == row->bytes && sums.count == row->count &&
	       sums.old_bytes == row->old_bytes && sums.old_count == row->old_count &&
	       sums.is_new == row->is_new && sums.is_gone == row->is_gone && sums.slot_count == 0;
}

/* Those who want the first rows alone get the same ones. */
static bool same_first(struct snap_reader *reader, struct snap_query_options options)
{
	struct snap_answer *all, *first;
	struct snap_answer_info info, info_of_first;
	options.order = (enum snap_order)below(3);
	REQUIRE(snap_query(&all, reader, &options, NULL) == SNAP_OK);
	snap_answer_info(all, &info);
	options.max_rows = 1 + (uint64_t)below((int)info.row_count + 2);
	REQUIRE(snap_query(&first, reader, &options, NULL) == SNAP_OK);
	snap_answer_info(first, &info_of_first);
	bool good = info.row_count == info_of_first.row_count &&
		    info.bytes == info_of_first.bytes && info.count == info_of_first.count;
	for (uint64_t i = 0; good && i < info.row_count && i < options.max_rows; i++) {
		struct snap_answer_row row;
		char key[KEY_SIZE], key_of_first[KEY_SIZE];
		snap_answer_row(all, i, &row);
		row_key(info.key, &row, key);
		good = same_sums(first, i, &row);
		snap_answer_row(first, i, &row);
		row_key(info.key, &row, key_of_first);
		good &= same_sums(all, i, &row) && !strcmp(key, key_of_first);
	}
	snap_answer_free(all);
	snap_answer_free(first);
	return good;
}

/* ---- against each other ---- */

static const enum snap_key keys[] = {
	SNAP_KEY_TYPE,   SNAP_KEY_SHAPE,  SNAP_KEY_LINENO, SNAP_KEY_FILENAME,   SNAP_KEY_TRACEBACK,
	SNAP_KEY_THREAD, SNAP_KEY_DOMAIN, SNAP_KEY_SIZE,   SNAP_KEY_GENERATION,
	SNAP_KEY_REFCOUNT,
};
enum { KEYS = sizeof(keys) / sizeof(keys[0]) };

static size_t random_patterns(struct snap_pattern *patterns)
{
	static const char *const globs[] = {"*",    "lib/*",     "*.py",  "a.pyc",
					    "?.py", "lib/b.py*", "[!a]*", "no"};
	static const char *const types[] = {"*", "int", "?i*", "<*"};
	size_t count = (size_t)below(4);
	for (size_t i = 0; i < count; i++) {
		struct snap_pattern *p = &patterns[i];
		*p = (struct snap_pattern){
			.exclude = below(2), .kind = SNAP_PATTERN_FILE, .glob = globs[below(8)]};
		int kind = below(5);
		if (kind == 0) {
			p->kind = SNAP_PATTERN_ANY;
		} else if (kind == 1) {
			p->kind = SNAP_PATTERN_TYPE;
			p->glob = types[below(4)];
		} else {
			p->all_frames = below(2);
			p->has_line = below(3) == 0;
			p->line = 1 + (uint64_t)below(4);
		}
		p->has_domain = kind == 0 || below(4) == 0;
		p->domain = (uint64_t)below(3);
	}
	return count;
}

static struct naive wanted, wanted_old;

static void check_random(bool sampled, int rounds, const char *name)
{
	bool good = true;
	int scanned = 0, from_totals = 0, kept = 0;
	for (int round = 0; round < rounds && good; round++) {
		struct heap heap;
		make_heap(&heap);
		heap.sampled = sampled;
		struct bytes bytes = write_heap(&heap);
		struct snap_reader *reader = open_bytes(&bytes);
		for (int k = 0; k < KEYS * 2 && good; k++) {
			struct snap_pattern patterns[4];
			struct snap_query_options options = SNAP_QUERY_OPTIONS_INIT;
			options.key = keys[k % KEYS];
			options.patterns = patterns;
			options.pattern_count = k < KEYS ? 0 : random_patterns(patterns);
			options.cumulative = (options.key == SNAP_KEY_LINENO ||
					      options.key == SNAP_KEY_FILENAME) &&
					     below(2);
			naive_answer(&heap, &options, &wanted);
			struct snap_answer *answer;
			struct snap_error error;
			good = snap_query(&answer, reader, &options, &error) == SNAP_OK;
			if (!good) {
				printf("# %s\n", error.message);
				break;
			}
			struct snap_answer_info info;
			snap_answer_info(answer, &info);
			info.scanned ? scanned++ : from_totals++;
			kept += info.count > 0;
			good = same(answer, &wanted) && same_first(reader, options);
			if (!good)
				printf("# key %s, %zu patterns, round %d\n",
				       snap_key_name(options.key), options.pattern_count, round);
			snap_answer_free(answer);
		}
		snap_reader_close(reader);
		free(bytes.at);
	}
	CHECK_NAMED(good, name);
	CHECK(scanned > rounds && (sampled || from_totals > rounds) && kept > rounds * KEYS);
}

/* ---- comparisons ---- */

static uint64_t distance(uint64_t a, uint64_t b)
{
	return a > b ? a - b : b - a;
}

static bool compared_right(struct snap_answer *answer)
{
	struct snap_answer_info info;
	struct snap_answer_row row, before = {0};
	snap_answer_info(answer, &info);
	int in_old = 0, in_new = 0;
	for (uint64_t i = 0; i < info.row_count; i++) {
		char key[KEY_SIZE];
		snap_answer_row(answer, i, &row);
		row_key(info.key, &row, key);
		const struct naive_group *now = naive_find(&wanted, key),
					 *old = naive_find(&wanted_old, key);
		in_old += old != NULL;
		in_new += now != NULL;
		if (!near(now ? now->bytes : 0, row.bytes, false) ||
		    !near(old ? old->bytes : 0, row.old_bytes, false) ||
		    !near(now ? now->count : 0, row.count, false) ||
		    !near(old ? old->count : 0, row.old_count, false) || row.is_new != !old ||
		    row.is_gone != !now)
			return false;
		uint64_t change = distance(row.bytes, row.old_bytes),
			 change_before = distance(before.bytes, before.old_bytes);
		if (i > 0 && (change > change_before ||
			      (change == change_before && row.bytes > before.bytes)))
			return false;
		before = row;
	}
	return in_old == wanted_old.count && in_new == wanted.count &&
	       near(wanted.bytes, info.bytes, false) &&
	       near(wanted_old.bytes, info.old_bytes, false);
}

static void check_comparisons(void)
{
	bool good = true;
	for (int round = 0; round < 20 && good; round++) {
		struct heap old, now;
		make_heap(&old);
		now = old;
		for (int i = 0; i < OBJECTS / 3; i++)
			now.objects[below(OBJECTS)].size += 8;
		now.object_count -= below(100);
		old.totals_only = round % 2;
		struct bytes old_bytes = write_heap(&old), bytes = write_heap(&now);
		struct snap_reader *old_reader = open_bytes(&old_bytes),
				   *reader = open_bytes(&bytes);
		for (int k = 0; k < KEYS && good; k++) {
			struct snap_query_options options = SNAP_QUERY_OPTIONS_INIT;
			options.key = keys[k];
			if ((options.key == SNAP_KEY_SHAPE || options.key == SNAP_KEY_REFCOUNT) && old.totals_only)
				continue;
			naive_answer(&old, &options, &wanted_old);
			naive_answer(&now, &options, &wanted);
			struct snap_answer *answer;
			good = snap_query_compare(&answer, old_reader, reader, &options, NULL) ==
				       SNAP_OK &&
			       compared_right(answer);
			snap_answer_free(good ? answer : NULL);
		}
		snap_reader_close(old_reader);
		snap_reader_close(reader);
		free(old_bytes.at);
		free(bytes.at);
	}
	CHECK_NAMED(good, "comparisons, also with totals alone, agree with two naive sums");
}

/* ---- refusals ---- */

static enum snap_status ask(struct snap_reader *old, struct snap_reader *reader,
			    const struct snap_query_options *options, char message[232])
{
	struct snap_answer *answer = NULL;
	struct snap_error error = {.message = ""};
	enum snap_status status = old ? snap_query_compare(&answer, old, reader, options, &error)
				      : snap_query(&answer, reader, options, &error);
	snprintf(message, 232, "%s", error.message);
	snap_answer_free(answer);
	return status;
}

static void check_refusals(void)
{
	char message[232];
	struct heap heap;
	make_heap(&heap);
	struct bytes whole_bytes = write_heap(&heap);
	heap.totals_only = true;
	struct bytes totals_bytes = write_heap(&heap);
	heap.totals_only = false;
	heap.sampled = true;
	struct bytes sampled_bytes = write_heap(&heap);
	heap.sampled = false;
	for (int i = 0; i < OBJECTS; i++)
		heap.objects[i].stack = heap.objects[i].type = -1;
	struct bytes bare_bytes = write_heap(&heap);
	heap.object_count = 0;
	struct bytes empty_bytes = write_heap(&heap);
	struct snap_reader *whole = open_bytes(&whole_bytes), *totals = open_bytes(&totals_bytes);
	struct snap_reader *sampled = open_bytes(&sampled_bytes), *bare = open_bytes(&bare_bytes);
	struct snap_reader *empty = open_bytes(&empty_bytes);

	struct snap_pattern pattern = {.kind = SNAP_PATTERN_TYPE, .glob = "int"};
	struct snap_query_options options = SNAP_QUERY_OPTIONS_INIT;
	options.key = SNAP_KEY_LINENO;
	CHECK(ask(NULL, whole, &options, message) == SNAP_OK);
	CHECK(ask(whole, sampled, &options, message) == SNAP_MISUSE && strstr(message, "sampled"));
	CHECK(ask(sampled, whole, &options, message) == SNAP_MISUSE);
	CHECK(ask(sampled, sampled, &options, message) == SNAP_OK);
	CHECK(ask(NULL, bare, &options, message) == SNAP_MISUSE &&
	      !strcmp(message, "the snapshot has no call stacks"));
	CHECK(ask(whole, bare, &options, message) == SNAP_MISUSE &&
	      !strcmp(message, "the new snapshot has no call stacks"));
	CHECK(ask(bare, whole, &options, message) == SNAP_MISUSE &&
	      !strcmp(message, "the old snapshot has no call stacks"));
	CHECK(ask(empty, whole, &options, message) == SNAP_OK);
	CHECK(ask(NULL, empty, &options, message) == SNAP_OK);
	options.key = SNAP_KEY_DOMAIN;
	CHECK(ask(whole, bare, &options, message) == SNAP_OK);
	options.patterns = &pattern;
	options.pattern_count = 1;
	CHECK(ask(NULL, bare, &options, message) == SNAP_MISUSE &&
	      !strcmp(message, "the snapshot has no types"));
	CHECK(ask(NULL, totals, &options, message) == SNAP_MISUSE &&
	      strstr(message, "totals only"));
	options.key = SNAP_KEY_TYPE;
	CHECK(ask(NULL, totals, &options, message) ==
	      SNAP_OK); /* one dimension: the totals answer */
	options.pattern_count = 0;
	options.key = SNAP_KEY_SHAPE;
	CHECK(ask(NULL, totals, &options, message) == SNAP_MISUSE);
	options.key = SNAP_KEY_ROOT;
	CHECK(ask(NULL, whole, &options, message) == SNAP_MISUSE && strstr(message, "no roots"));
	options.key = SNAP_KEY_TRACEBACK;
	options.cumulative = true;
	CHECK(ask(NULL, whole, &options, message) == SNAP_MISUSE);
	options.cumulative = false;
	options.max_memory_bytes = 4096;
	CHECK(ask(NULL, whole, &options, message) == SNAP_LIMIT && strstr(message, "4096"));
	CHECK(snap_query(&(struct snap_answer *){NULL}, whole, &(struct snap_query_options){0},
			 NULL) == SNAP_MISUSE);
	struct snap_reader *readers[] = {whole, totals, sampled, bare, empty};
	uint8_t *kept[] = {whole_bytes.at, totals_bytes.at, sampled_bytes.at, bare_bytes.at,
			   empty_bytes.at};
	for (int i = 0; i < 5; i++) {
		snap_reader_close(readers[i]);
		free(kept[i]);
	}
}

/* ---- memory that ends ---- */

struct failing {
	uint64_t calls, fail_at;
	int64_t live;
};

static void *failing_resize(void *context, void *pointer, size_t old_size, size_t new_size)
{
	struct failing *memory = context;
	if (new_size > 0 && memory->calls++ == memory->fail_at)
		return NULL;
	memory->live += (int64_t)new_size - (int64_t)old_size;
	if (new_size == 0) {
		free(pointer);
		return NULL;
	}
	return realloc(pointer, new_size);
}

static bool survives(struct snap_reader *old, struct snap_reader *reader,
		     struct snap_query_options options)
{
	for (uint64_t n = 0;; n++) {
		struct failing memory = {.fail_at = n};
		struct snap_allocator allocator = {&memory, failing_resize};
		struct snap_answer *answer = NULL;
		options.allocator = &allocator;
		enum snap_status status = snap_query_compare(&answer, old, reader, &options, NULL);
		snap_answer_free(answer);
		if (memory.live != 0 || (memory.calls <= n) != (status == SNAP_OK))
			return false;
		if (status == SNAP_OK)
			return n > 10;
		if (status != SNAP_NO_MEMORY)
			return false;
	}
}

static void check_memory(void)
{
	struct heap old, now;
	make_heap(&old);
	make_heap(&now);
	struct bytes old_bytes = write_heap(&old), bytes = write_heap(&now);
	struct snap_reader *old_reader = open_bytes(&old_bytes), *reader = open_bytes(&bytes);
	struct snap_pattern patterns[2] = {{.glob = "*.py", .all_frames = true},
					   {.kind = SNAP_PATTERN_TYPE, .glob = "*"}};
	bool good = true;
	for (int k = 0; k < KEYS; k++) {
		struct snap_query_options options = SNAP_QUERY_OPTIONS_INIT;
		options.key = keys[k];
		options.cumulative = options.key == SNAP_KEY_LINENO;
		good &= survives(old_reader, reader, options);
		options.patterns = patterns;
		options.pattern_count = 2;
		good &= survives(old_reader, reader, options);
	}
	CHECK_NAMED(good, "every allocation may fail: the status says so, and all is given back");
	snap_reader_close(old_reader);
	snap_reader_close(reader);
	free(old_bytes.at);
	free(bytes.at);
}

/* ---- what only a hand-made snapshot has ---- */

struct column {
	uint32_t column;
	size_t count;
	uint64_t values[8];
};

static struct snap_reader *open_columns(struct build *b, const struct column *columns, size_t count,
					bool totals_only)
{
	static const char *const strings[] = {"a.c", "f", "lib.so", "T", "a.c"};
	build_begin(b);
	build_strings(b, strings, 5);
	for (size_t i = 0; i < count; i++)
		build_column(b, columns[i].column, columns[i].values, columns[i].count);
	build_end(b,
		  &(struct snapfmt_trailer){.flags = totals_only ? SNAP_SNAPSHOT_TOTALS_ONLY : 0});
	struct snap_reader *reader;
	REQUIRE(snap_reader_open_memory(&reader, b->bytes, b->size, NULL, NULL) == SNAP_OK);
	return reader;
}

#define TOTALS_OF(dimension, a, b, size_a, size_b) \
	{SNAP_TOTAL_DIMENSION, 3, {SNAP_BY_ALL, dimension, dimension}}, \
		{SNAP_TOTAL_KEY, 3, {0, a, b}}, {SNAP_TOTAL_BYTES, 3, {30, size_a, size_b}}, \
	{ \
		SNAP_TOTAL_COUNT, 3, \
		{ \
			3, 1, 2 \
		} \
	}

static uint64_t rows_of(const struct column *columns, size_t count, enum snap_key key,
			enum snap_status wanted_status, struct snap_answer_row *first,
			struct snap_place *frames)
{
	struct build b = {0};
	struct snap_reader *reader = open_columns(&b, columns, count, true);
	struct snap_query_options options = SNAP_QUERY_OPTIONS_INIT;
	struct snap_answer *answer = NULL;
	struct snap_answer_info info = {.row_count = UINT64_MAX};
	options.key = key;
	if (snap_query(&answer, reader, &options, NULL) == wanted_status)
		info.row_count = 0;
	if (answer) {
		snap_answer_info(answer, &info);
		snap_answer_row(answer, 0, first);
		for (size_t i = 0; frames && i < first->frame_count; i++)
			frames[i] = first->frames[i];
	}
	snap_answer_free(answer);
	snap_reader_close(reader);
	build_free(&b);
	return info.row_count;
}
#define ROWS_OF(columns, key, status, first, frames) \
	rows_of(columns, sizeof(columns) / sizeof((columns)[0]), key, status, first, frames)

static void check_by_hand(void)
{
	struct snap_answer_row row;
	struct snap_place frames[8];
	const struct column twins[] = {
		/* strings 1 and 5 are alike, and so are types 1 and 2 */
		{SNAP_FRAME_FILE, 2, {1, 5}},           {SNAP_FRAME_LINE, 2, {7, 7}},
		{SNAP_FRAME_FUNCTION, 2, {2, 0}},       {SNAP_STACK_FRAME, 2, {1, 2}},
		TOTALS_OF(SNAP_BY_STACK, 1, 2, 10, 20),
	};
	CHECK(ROWS_OF(twins, SNAP_KEY_LINENO, SNAP_OK, &row, NULL) == 1 && row.bytes == 30 &&
	      row.count == 3);
	CHECK(ROWS_OF(twins, SNAP_KEY_TRACEBACK, SNAP_OK, &row, frames) == 2 && row.bytes == 20 &&
	      !frames[0].function.bytes && frames[0].line == 7);
	CHECK(ROWS_OF(twins, SNAP_KEY_FUNCTION, SNAP_OK, &row, NULL) == 2 && row.bytes == 20 &&
	      !row.place.function.bytes);
	const struct column types[] = {{SNAP_TYPE_NAME, 2, {4, 4}},
				       TOTALS_OF(SNAP_BY_TYPE, 1, 2, 10, 20)};
	CHECK(ROWS_OF(types, SNAP_KEY_TYPE, SNAP_OK, &row, NULL) == 1 && row.bytes == 30);

	const struct column inlined[] = {
		/* frame 1 was inlined into 2, whose caller is stack 2 */
		{SNAP_FRAME_FILE, 3, {1, 1, 0}},         {SNAP_FRAME_LINE, 3, {1, 2, 0}},
		{SNAP_FRAME_INLINED_INTO, 3, {2, 0, 0}}, {SNAP_FRAME_MODULE, 3, {0, 0, 1}},
		{SNAP_FRAME_OFFSET, 3, {0, 0, 0x99}},    {SNAP_MODULE_PATH, 1, {3}},
		{SNAP_STACK_PARENT, 2, {0, 1}},          {SNAP_STACK_FRAME, 2, {3, 1}},
		TOTALS_OF(SNAP_BY_STACK, 1, 2, 10, 20),
	};
	CHECK(ROWS_OF(inlined, SNAP_KEY_TRACEBACK, SNAP_OK, &row, frames) == 2 &&
	      row.frame_count == 3 && frames[0].line == 1 && frames[1].line == 2 &&
	      !frames[2].file.bytes && frames[2].offset == 0x99);
	CHECK(ROWS_OF(inlined, SNAP_KEY_MODULE, SNAP_OK, &row, NULL) == 2 && row.bytes == 20 &&
	      !row.place.module.bytes);

	const struct column circle[] = {
		{SNAP_FRAME_FILE, 2, {1, 1}},
		{SNAP_FRAME_INLINED_INTO, 2, {2, 1}},
		{SNAP_STACK_FRAME, 2, {1, 2}},
		TOTALS_OF(SNAP_BY_STACK, 1, 2, 10, 20),
	};
	CHECK(ROWS_OF(circle, SNAP_KEY_TRACEBACK, SNAP_CORRUPT, &row, NULL) == 0);
	CHECK(ROWS_OF(circle, SNAP_KEY_LINENO, SNAP_OK, &row, NULL) ==
	      1); /* the innermost frame is enough */
	const struct column beyond[] = {{SNAP_TYPE_NAME, 1, {4}},
					TOTALS_OF(SNAP_BY_TYPE, 1, 2, 10, 20)};
	CHECK(ROWS_OF(beyond, SNAP_KEY_TYPE, SNAP_CORRUPT, &row, NULL) == 0);
	const struct column unequal[] = {{SNAP_TYPE_NAME, 2, {4, 4}},
					 TOTALS_OF(SNAP_BY_TYPE, 1, 2, 10, 21)};
	CHECK(ROWS_OF(unequal, SNAP_KEY_TYPE, SNAP_CORRUPT, &row, NULL) == 0);
	const struct column huge[] = {
		{SNAP_TOTAL_DIMENSION, 1, {SNAP_BY_ALL}},
		{SNAP_TOTAL_BYTES, 1, {UINT64_MAX}},
		{SNAP_TOTAL_COUNT, 1, {1}},
	};
	CHECK(ROWS_OF(huge, SNAP_KEY_DOMAIN, SNAP_LIMIT, &row, NULL) == 0);
	const struct column late[] = {{SNAP_FRAME_FILE, 1, {1}},
				      {SNAP_STACK_PARENT, 2, {2, 0}},
				      {SNAP_STACK_FRAME, 2, {1, 1}},
				      TOTALS_OF(SNAP_BY_STACK, 1, 2, 10, 20)};
	CHECK(ROWS_OF(late, SNAP_KEY_TRACEBACK, SNAP_CORRUPT, &row, NULL) == 0);
	CHECK(ROWS_OF(late, SNAP_KEY_LINENO, SNAP_OK, &row, NULL) == 1);
}

int main(void)
{
	check_random(false, 40, "exact: every key, filtered and not, agrees with a naive sum");
	check_random(true, 4, "sampled: estimates agree with a naive sum of weights");
	check_comparisons();
	check_refusals();
	check_memory();
	check_by_hand();
	return DONE();
}
