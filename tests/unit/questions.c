/* Proves: retained bytes by group, owners, duplicates, fields, fill and paths are what a naive
 * computation over small random graphs gives; nothing leaks when memory ends (snap_query.h). */
#include "naive_heap.h"
#include "snap_query.h"
#include "survives.h"

/* ---- rows as text ---- */

enum { MAX_ROWS = 400, KEY = 2000 };

struct row {
	char key[KEY];
	uint64_t bytes, count, retained, waste;
	struct snap_fill fill;
	bool members[OBJECTS], targets[OBJECTS];
};
struct table {
	struct row rows[MAX_ROWS];
	int count;
};

static struct row *find_row(struct table *table, const char *key)
{
	int i = 0;
	while (i < table->count && strcmp(table->rows[i].key, key) != 0)
		i++;
	REQUIRE(i < MAX_ROWS);
	if (i == table->count) {
		memset(&table->rows[i], 0, sizeof(table->rows[i]));
		snprintf(table->rows[table->count++].key, KEY, "%s", key);
	}
	return &table->rows[i];
}

static void step_text(const struct snap_step_text *s, char *out, size_t size)
{
	snprintf(out, size, "%s%u%s%s:%.*s/%.*s", s->is_root ? "root" : "", s->kind,
		 s->is_index ? "[]" : "", s->is_key ? "{}" : "", (int)s->label.size,
		 s->label.bytes ? s->label.bytes : "", (int)s->type.size, s->type.bytes);
}

static void answer_key(enum snap_key key, const struct snap_answer_row *row, char out[KEY])
{
	size_t used = 0;
	out[0] = '\0';
	switch (key) {
	case SNAP_KEY_DOMINATOR:
		snprintf(out, KEY, "%" PRIu64 " %.*s %.*s", row->address, (int)row->name.size,
			 row->name.bytes, (int)row->object_name.size,
			 row->object_name.bytes ? row->object_name.bytes : "");
		break;
	case SNAP_KEY_DUPLICATE:
		snprintf(out, KEY, "%.*s %" PRIu64 " %" PRIu64 " %.*s", (int)row->name.size,
			 row->name.bytes, row->length, row->hash, (int)row->content.size,
			 row->content.bytes ? row->content.bytes : "");
		break;
	case SNAP_KEY_FIELD: step_text(&row->step, out, KEY); break;
	case SNAP_KEY_PATH:
		for (size_t i = 0; i < row->step_count; i++) {
			step_text(&row->steps[i], out + used, KEY - used);
			used = strlen(out);
			snprintf(out + used, KEY - used, ";");
			used++;
		}
		break;
	default: snprintf(out, KEY, "%.*s", (int)row->name.size, row->name.bytes);
	}
}

/* ---- what is wanted ---- */

static void fill_types(const struct heap *heap, struct table *table, bool with_fill)
{
	for (int i = 0; i < heap->count; i++) {
		uint64_t places = 0, empty = 0;
		for (int k = 0; k < heap->reference_count; k++) {
			places += heap->references[k].from == i;
			empty += heap->references[k].from == i && heap->references[k].to < 0;
		}
		struct row *row = find_row(table, type_names[heap->type[i]]);
		row->bytes += heap->size[i];
		row->count++;
		row->members[i] = true;
		if (with_fill) {
			row->fill.places += places;
			row->fill.empty += empty;
			row->fill.hollow += places > 0 && places == empty;
			row->waste = row->fill.empty;
		}
	}
	for (int i = table->count; with_fill && i-- > 0;)
		if (table->rows[i].fill.places == 0)
			table->rows[i] = table->rows[--table->count];
}

static void fill_owners(const struct heap *heap, const struct naive *n, int only_type,
			struct table *table)
{
	bool kept[OBJECTS];
	for (int i = 0; i < heap->count; i++)
		kept[i] = heap->type[i] != 3 && (only_type < 0 || heap->type[i] == only_type) &&
			  n->retained[i];
	for (int i = 0; i < heap->count; i++) {
		bool nested = !kept[i];
		for (int a = 0; a < heap->count; a++)
			nested |= kept[a] && n->dominates[a][i];
		if (nested)
			continue;
		char key[KEY];
		snprintf(key, KEY, "%d %s %s", i + 16, type_names[heap->type[i]],
			 heap->named[i] ? "named" : "");
		struct row *row = find_row(table, key);
		row->bytes = heap->size[i];
		row->count = 1;
		row->members[i] = true;
	}
}

static void fill_duplicates(const struct heap *heap, struct table *table)
{
	for (int i = 0; i < heap->count; i++) {
		char key[KEY];
		int c = heap->content[i];
		if (c < 0)
			continue;
		snprintf(key, KEY, "%s %d %d %s", type_names[heap->type[i]], c,
			 c == 4 ? 0 : c * 77 + 1, c == 4 ? "four" : "");
		struct row *row = find_row(table, key);
		row->bytes += heap->size[i];
		row->count++;
		row->members[i] = true;
		row->waste = row->bytes - (row->bytes * 2 + row->count) / (row->count * 2);
	}
	for (int i = table->count; i-- > 0;)
		if (table->rows[i].count < 2)
			table->rows[i] = table->rows[--table->count];
}

static void reference_text(const struct reference *r, const char *type_name, char *out, size_t size)
{
	snprintf(out, size, "%u%s:%s/%s", (unsigned)r->kind, r->label >= LABELS ? "[]" : "",
		 r->label >= 0 && r->label < LABELS ? label_names[r->label] : "", type_name);
}

static void fill_fields(const struct heap *heap, const struct naive *n, int only_type,
			struct table *table)
{
	for (int k = 0; k < heap->reference_count; k++) {
		const struct reference *r = &heap->references[k];
		char key[KEY];
		if (!holds(r) || (only_type >= 0 && heap->type[r->from] != only_type))
			continue;
		reference_text(r, type_names[heap->type[r->from]], key, KEY);
		struct row *row = find_row(table, key);
		row->count++;
		if (!row->targets[r->to])
			row->bytes += heap->size[r->to];
		row->targets[r->to] = true;
		row->members[r->to] |= n->dominator[r->to] == r->from;
	}
}

/* Steps as the graph tells them, folded here. */
struct walked {
	const struct heap *heap;
	char steps[OBJECTS][200];
	int count, depth;
	const int *object_of;
};

static bool take_step(void *context, const struct snap_graph_reference *reference)
{
	struct walked *walked = context;
	int to = walked->object_of[reference->target];
	const char *name = type_names[walked->heap->type[to]];
	char text[200];
	if (walked->depth && walked->count >= walked->depth)
		return true;
	if (reference->owner == SNAP_GRAPH_NONE) {
		bool odd = reference->label % 2 && walked->heap->root_count;
		snprintf(text, sizeof(text), "root%u:%s/%s", reference->kind, odd ? "a root" : "",
			 name);
	}
	for (int k = 0; reference->owner != SNAP_GRAPH_NONE && k < walked->heap->reference_count;
	     k++) {
		const struct reference *r = &walked->heap->references[k];
		if (r->from == walked->object_of[reference->owner] && r->to == to)
			reference_text(r, name, text, sizeof(text));
	}
	for (int back = 1; back <= 4 && walked->count - back > 0; back++) {
		if (!strcmp(walked->steps[walked->count - back], text)) {
			walked->count -= back - 1;
			return true;
		}
	}
	snprintf(walked->steps[walked->count++], sizeof(text), "%s", text);
	return true;
}

static void fill_paths(const struct heap *heap, const struct buffer *bytes, int depth,
		       struct table *table)
{
	struct opened opened = open_graph(bytes, false);
	int object_of[OBJECTS];
	REQUIRE(snap_graph_search(opened.graph, NULL) == SNAP_OK);
	for (int row = 0; row < heap->count; row++) {
		struct snap_graph_object o;
		REQUIRE(snap_graph_object(opened.graph, (uint64_t)row, &o, NULL) == SNAP_OK);
		object_of[row] = (int)o.address - 16;
	}
	for (int row = 0; row < heap->count; row++) {
		struct walked walked = {.heap = heap, .object_of = object_of, .depth = depth};
		enum snap_status status =
			snap_graph_path(opened.graph, (uint64_t)row, take_step, &walked, NULL);
		REQUIRE(status == SNAP_OK || status == SNAP_END);
		char key[KEY] = "";
		for (int i = 0; i < walked.count; i++) {
			strcat(key, walked.steps[i]);
			strcat(key, ";");
		}
		struct row *found = find_row(table, key);
		found->bytes += heap->size[object_of[row]];
		found->count++;
		found->members[object_of[row]] = true;
	}
	close_graph(opened);
}

/* ---- compared ---- */

static bool same_row(const struct row *wanted, const struct snap_answer_row *got, bool retained)
{
	return wanted->bytes == got->bytes && wanted->count == got->count &&
	       wanted->waste == got->waste && (!retained || wanted->retained == got->retained) &&
	       wanted->fill.places == got->fill.places && wanted->fill.empty == got->fill.empty &&
	       wanted->fill.hollow == got->fill.hollow;
}

static bool same(struct snap_answer *answer, struct table *wanted)
{
	struct snap_answer_info info;
	struct snap_answer_row row, before = {.retained = UINT64_MAX};
	snap_answer_info(answer, &info);
	for (uint64_t i = 0; i < info.row_count; i++) {
		char key[KEY];
		snap_answer_row(answer, i, &row);
		answer_key(info.key, &row, key);
		int at = 0;
		while (at < wanted->count && strcmp(wanted->rows[at].key, key) != 0)
			at++;
		if (at == wanted->count || !same_row(&wanted->rows[at], &row, info.has_retained)) {
			printf("# %s: '%s' %" PRIu64 " %" PRIu64 " retains %" PRIu64
			       " fill %" PRIu64 "/%" PRIu64 ", wanted %" PRId64 " %" PRIu64
			       " fill %" PRIu64 "/%" PRIu64 "\n",
			       snap_key_name(info.key), key, row.bytes, row.count, row.retained,
			       row.fill.empty, row.fill.places,
			       at < wanted->count ? (int64_t)wanted->rows[at].bytes : -1,
			       at < wanted->count ? wanted->rows[at].retained : 0,
			       at < wanted->count ? wanted->rows[at].fill.empty : 0,
			       at < wanted->count ? wanted->rows[at].fill.places : 0);
			return false;
		}
		if (info.has_retained && row.retained > before.retained)
			return false;
		before = row;
	}
	return info.row_count == (uint64_t)wanted->count;
}

static struct table wanted_rows;

static bool check_key(const struct heap *heap, const struct naive *n, const struct buffer *bytes,
		      struct snap_reader *reader, enum snap_key key, bool retained, int only_type)
{
	struct snap_query_options options = SNAP_QUERY_OPTIONS_INIT;
	char glob[16];
	struct snap_pattern pattern = {.kind = SNAP_PATTERN_TYPE, .glob = glob};
	options.key = key;
	options.retained = retained;
	options.order = retained ? SNAP_ORDER_RETAINED : SNAP_ORDER_BYTES;
	options.path_depth = key == SNAP_KEY_PATH && only_type >= 0 ? 2 : 0;
	if (only_type >= 0) {
		snprintf(glob, sizeof(glob), "%s", type_names[only_type]);
		options.patterns = &pattern;
		options.pattern_count = key == SNAP_KEY_DOMINATOR || key == SNAP_KEY_FIELD;
	}
	wanted_rows.count = 0;
	switch (key) {
	case SNAP_KEY_TYPE: fill_types(heap, &wanted_rows, false); break;
	case SNAP_KEY_FILL: fill_types(heap, &wanted_rows, true); break;
	case SNAP_KEY_DOMINATOR: fill_owners(heap, n, only_type, &wanted_rows); break;
	case SNAP_KEY_DUPLICATE: fill_duplicates(heap, &wanted_rows); break;
	case SNAP_KEY_FIELD: fill_fields(heap, n, only_type, &wanted_rows); break;
	default: fill_paths(heap, bytes, (int)options.path_depth, &wanted_rows);
	}
	for (int i = 0; i < wanted_rows.count; i++)
		wanted_rows.rows[i].retained = retained_by(heap, n, wanted_rows.rows[i].members);
	struct snap_answer *answer = NULL;
	struct snap_error error = {.message = ""};
	enum snap_status status = snap_query(&answer, reader, &options, &error);
	bool all = key == SNAP_KEY_TYPE, good = status == SNAP_OK && same(answer, &wanted_rows);
	if (status == SNAP_MISUSE && only_type >= 0 && strstr(error.message, "no types"))
		good = true;
	if (good && all && retained) {
		bool everything[OBJECTS];
		memset(everything, true, sizeof(everything));
		struct snap_answer_info info;
		snap_answer_info(answer, &info);
		good = info.retained == retained_by(heap, n, everything);
	}
	if (status != SNAP_OK)
		printf("# %s: %s\n", snap_key_name(key), error.message);
	snap_answer_free(answer);
	return good;
}

static const enum snap_key keys[] = {SNAP_KEY_TYPE,  SNAP_KEY_DOMINATOR, SNAP_KEY_DUPLICATE,
				     SNAP_KEY_FIELD, SNAP_KEY_FILL,      SNAP_KEY_PATH};
enum { KEYS = sizeof(keys) / sizeof(keys[0]) };

static void check_keys(const struct heap *heap, const struct naive *naive,
		       const struct buffer *plain, const struct buffer *bytes, bool wrong[KEYS])
{
	struct snap_reader *reader;
	REQUIRE(snap_reader_open_memory(&reader, bytes->bytes, bytes->size, NULL, NULL) == SNAP_OK);
	for (int k = 0; k < KEYS; k++)
		for (int retained = keys[k] == SNAP_KEY_DOMINATOR; retained < 2; retained++)
			for (int only = -1; only < 1; only++)
				wrong[k] |= !check_key(heap, naive, plain, reader, keys[k],
						       retained, only);
	snap_reader_close(reader);
}

static void check_random(void)
{
	static struct heap heap;
	static struct naive naive;
	struct buffer plain = {0}, indexed = {0};
	bool wrong[2][KEYS] = {{false}};
	for (int round = 0; round < 300; round++) {
		make_heap(&heap);
		analyse(&heap, &naive);
		write_heap(&heap, &plain);
		REQUIRE(add_index(&plain, &indexed));
		check_keys(&heap, &naive, &plain, &plain, wrong[0]);
		check_keys(&heap, &naive, &plain, &indexed, wrong[1]);
	}
	for (int k = 0; k < KEYS; k++) {
		CHECK_NAMED(!wrong[0][k], snap_key_name(keys[k]));
		CHECK_NAMED(!wrong[1][k], "and from an index");
	}
	free(plain.bytes);
	free(indexed.bytes);
}

/* ---- two snapshots, and memory ---- */

static void check_comparison(void)
{
	struct buffer bytes[2] = {{0}, {0}};
	struct snap_reader *readers[2];
	for (int side = 0; side < 2; side++) {
		struct snap_writer *w = begin(&bytes[side]);
		uint32_t map = type(w, "Map", SNAP_TYPE_OBJECT),
			 node = type(w, "Node", SNAP_TYPE_OBJECT);
		uint64_t base = side ? 5000 : 100; /* nothing keeps its address */
		object(w, base, 10, map);
		for (uint64_t i = 0; i < 3 + 4u * (unsigned)side; i++) {
			object(w, base + 1 + i, 7, node);
			refer(w, i && i < 3 ? base + i : base, base + 1 + i, SNAP_REF_FIELD,
			      SNAP_LABEL_STRING(string(w, i && i < 3 ? "next" : "first")));
		}
		root(w, base, SNAP_ROOT_GLOBAL, string(w, "cache"));
		finish(w);
		REQUIRE(snap_reader_open_memory(&readers[side], bytes[side].bytes, bytes[side].size,
						NULL, NULL) == SNAP_OK);
	}
	struct snap_query_options options = SNAP_QUERY_OPTIONS_INIT;
	options.key = SNAP_KEY_PATH;
	options.retained = true;
	struct snap_answer *answer;
	struct snap_answer_info info;
	struct snap_answer_row row;
	REQUIRE(snap_query_compare(&answer, readers[0], readers[1], &options, NULL) == SNAP_OK);
	snap_answer_info(answer, &info);
	snap_answer_row(answer, 0, &row);
	CHECK(info.row_count == 3 && row.step_count == 2 && row.steps[0].is_root);
	CHECK(row.old_bytes == 7 && row.bytes == 35 && row.old_retained == 21 &&
	      row.retained == 49);
	CHECK(info.old_retained == 31 && info.retained == 59);
	snap_answer_row(answer, 2, &row);
	CHECK(row.bytes == row.old_bytes && !row.is_new && !row.is_gone);
	snap_answer_free(answer);
	for (int side = 0; side < 2; side++) {
		snap_reader_close(readers[side]);
		free(bytes[side].bytes);
	}
}

/* The snapshot has not what the key asks for. */
static bool is_misuse(struct snap_reader *reader, const struct snap_query_options *options)
{
	struct snap_answer *answer = NULL;
	bool misuse = snap_query(&answer, reader, options, NULL) == SNAP_MISUSE;
	snap_answer_free(answer);
	return misuse;
}

static void check_memory_of(const struct buffer *bytes, size_t patterns)
{
	struct snap_reader *reader;
	struct snap_pattern pattern = {.kind = SNAP_PATTERN_TYPE, .glob = "*"};
	REQUIRE(snap_reader_open_memory(&reader, bytes->bytes, bytes->size, NULL, NULL) == SNAP_OK);
	bool good = true, limited = true;
	unsigned asked = 0;
	for (int key = 0; key < SNAP_KEY_COUNT; key++) {
		struct snap_query_options options = SNAP_QUERY_OPTIONS_INIT;
		options.key = (enum snap_key)key;
		options.retained = true;
		options.patterns = &pattern;
		options.pattern_count = patterns;
		if (is_misuse(reader, &options))
			continue;
		asked++;
		bool survived = survives(reader, reader, options, 20);
		good &= survived;
		if (!survived)
			printf("# %s\n", snap_key_name(options.key));
		/* Any limit gives the answer, or says that it is too small. */
		bool refused = false, answered = false;
		for (uint64_t limit = 256; limit < 1 << 20; limit += limit / 8) {
			struct snap_answer *answer = NULL;
			options.max_memory_bytes = limit;
			enum snap_status status = snap_query(&answer, reader, &options, NULL);
			limited &= status == SNAP_OK || (status == SNAP_LIMIT && !answered);
			refused |= status == SNAP_LIMIT;
			answered |= status == SNAP_OK;
			snap_answer_free(answer);
		}
		limited &= refused && answered;
	}
	CHECK(asked >= 10);
	CHECK_NAMED(good, "every allocation may fail: the status says so, and all is given back");
	CHECK_NAMED(limited, "too little memory is refused as a limit");
	snap_reader_close(reader);
}

static void check_memory(void)
{
	static struct heap heap;
	struct buffer plain = {0}, indexed = {0};
	make_heap(&heap);
	write_heap(&heap, &plain);
	REQUIRE(add_index(&plain, &indexed));
	for (size_t patterns = 0; patterns < 2; patterns++) {
		check_memory_of(&plain, patterns);
		check_memory_of(&indexed, patterns);
	}
	free(plain.bytes);
	free(indexed.bytes);
}

static void check_refusals(void)
{
	struct buffer bytes = {0};
	struct snap_reader *reader;
	struct snap_writer *w = begin(&bytes);
	object(w, 1, 8, type(w, "T", SNAP_TYPE_OBJECT));
	finish(w);
	REQUIRE(snap_reader_open_memory(&reader, bytes.bytes, bytes.size, NULL, NULL) == SNAP_OK);
	static const struct {
		struct snap_query_options options;
		const char *words;
	} cases[] = {
		{{.retained = true}, "no roots"},
		{{.key = SNAP_KEY_DOMINATOR}, "no roots"},
		{{.key = SNAP_KEY_PATH}, "no roots"},
		{{.key = SNAP_KEY_DUPLICATE}, "no hashes"},
		{{.order = SNAP_ORDER_RETAINED}, "not asked for"},
		{{.order = SNAP_ORDER_WASTE}, "waste by type"},
		{{.key = SNAP_KEY_LINENO, .cumulative = true, .retained = true}, "cumulative"},
	};
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct snap_query_options options = cases[i].options;
		struct snap_error error = {.message = ""};
		struct snap_answer *answer;
		options.struct_size = sizeof(options);
		CHECK_NAMED(snap_query(&answer, reader, &options, &error) == SNAP_MISUSE &&
				    strstr(error.message, cases[i].words),
			    cases[i].words);
	}
	snap_reader_close(reader);
	free(bytes.bytes);
}

int main(void)
{
	check_random();
	check_comparison();
	check_memory();
	check_refusals();
	return DONE();
}
