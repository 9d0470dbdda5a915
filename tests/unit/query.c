/* Proves: groups, filters, cumulative sums, comparisons and estimates are what a naive sum over the
 * same objects gives, from totals and from objects alike (snap_query.h). */
#include "query_heap.h"
#include "rows.h"

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

static bool is_changed(const struct snap_answer_row *row)
{
	return row->bytes != row->old_bytes || row->count != row->old_count;
}

/* Those who want the first rows that changed get the same ones as those who want all. */
static bool same_changed(struct snap_reader *old_reader, struct snap_reader *reader,
			 struct snap_query_options options)
{
	struct snap_answer *all, *first;
	struct snap_answer_info info, info_of_first;
	uint64_t changed = 0;
	options.order = (enum snap_order)below(3);
	REQUIRE(snap_query_compare(&all, old_reader, reader, &options, NULL) == SNAP_OK);
	options.changed_only = true;
	options.max_rows = 1 + (uint64_t)below(9);
	REQUIRE(snap_query_compare(&first, old_reader, reader, &options, NULL) == SNAP_OK);
	snap_answer_info(all, &info);
	snap_answer_info(first, &info_of_first);
	bool good = info.row_count == info_of_first.row_count && info.bytes == info_of_first.bytes;
	for (uint64_t i = 0; good && i < info.row_count; i++) {
		struct snap_answer_row row;
		char key[KEY_SIZE], key_of_first[KEY_SIZE];
		snap_answer_row(all, i, &row);
		row_key(info.key, &row, key);
		if (!is_changed(&row) || changed++ >= options.max_rows)
			continue;
		good = same_sums(first, changed - 1, &row);
		snap_answer_row(first, changed - 1, &row);
		row_key(info.key, &row, key_of_first);
		good &= !strcmp(key, key_of_first);
	}
	good &= changed == info.changed_count && changed == info_of_first.changed_count;
	snap_answer_free(all);
	snap_answer_free(first);
	return good;
}

static void check_comparisons(void)
{
	bool good = true, good_changed = true;
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
			if ((options.key == SNAP_KEY_SHAPE || options.key == SNAP_KEY_REFCOUNT) &&
			    old.totals_only)
				continue;
			naive_answer(&old, &options, &wanted_old);
			naive_answer(&now, &options, &wanted);
			struct snap_answer *answer;
			good = snap_query_compare(&answer, old_reader, reader, &options, NULL) ==
				       SNAP_OK &&
			       compared_right(answer);
			snap_answer_free(good ? answer : NULL);
			good_changed &= same_changed(old_reader, reader, options);
		}
		snap_reader_close(old_reader);
		snap_reader_close(reader);
		free(old_bytes.at);
		free(bytes.at);
	}
	CHECK_NAMED(good, "comparisons, also with totals alone, agree with two naive sums");
	CHECK_NAMED(good_changed, "the first rows that changed are those of all rows");
}

int main(void)
{
	check_random(false, 40, "exact: every key, filtered and not, agrees with a naive sum");
	check_random(true, 4, "sampled: estimates agree with a naive sum of weights");
	check_comparisons();
	return DONE();
}
