/* Objects with their references (FORMAT.md, 7.2 and
 * 7.3): slots are read a window of rows at a time. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "dump.h"

#define COUNT(array)  (sizeof(array) / sizeof(*(array)))
#define WINDOW_VALUES ((uint64_t)1 << 20)
#define WINDOW_ROWS   65536u
#define PIECE         4096u

static const struct dump_field object_fields[] = {
	{SNAP_OBJECT_SIZE, "size", DUMP_NUMBER, 0, 0, false},
	{SNAP_OBJECT_COUNT, "count", DUMP_NUMBER, 0, 1, false},
	{SNAP_OBJECT_STACK, "stack", DUMP_NUMBER, 0, 0, false},
	{SNAP_OBJECT_THREAD, "thread", DUMP_NUMBER, 0, 0, false},
	{SNAP_OBJECT_NAME, "name", DUMP_STRING, 0, 0, false},
	{SNAP_OBJECT_CONTENT, "content", DUMP_NUMBER, 0, 0, false},
	{SNAP_OBJECT_GENERATION, "generation", DUMP_NUMBER, 0, 0, false},
	{SNAP_OBJECT_REFCOUNT, "refcount", DUMP_NUMBER, 0, 0, false},
	{SNAP_OBJECT_FLAGS, "flags", DUMP_FLAGS, WORDS_OBJECT_FLAG, 0, false},
	{SNAP_OBJECT_DOMAIN, "domain", DUMP_NUMBER, 0, 0, false},
	{SNAP_OBJECT_BIRTH_SERIAL, "birth_serial", DUMP_NUMBER, 0, 0, false},
	{SNAP_OBJECT_BIRTH_TIME, "birth_time", DUMP_NUMBER, 0, 0, false},
};
#define FIELDS COUNT(object_fields)

enum {
	RUN_SHAPE,
	RUN_ROWS,
	SHAPE_TYPE,
	SHAPE_SLOTS,
	SHAPE_TAIL,
	SHAPE_TAIL_KIND,
	SLOT_KIND,
	SLOT_LABEL,
	TAIL_LENGTH,
	SLOT_TARGET,
	TAIL_TARGET,
	TAIL_KIND,
	TAIL_LABEL,
	COLUMNS
};
static const uint32_t column_ids[COLUMNS] = {
	SNAP_RUN_SHAPE,   SNAP_RUN_ROWS,         SNAP_SHAPE_TYPE,       SNAP_SHAPE_SLOT_COUNT,
	SNAP_SHAPE_TAIL,  SNAP_SHAPE_TAIL_KIND,  SNAP_SLOT_KIND,        SNAP_SLOT_LABEL,
	SNAP_TAIL_LENGTH, SNAP_REFERENCE_TARGET, SNAP_REFERENCE_TARGET, SNAP_TAIL_LABEL_KIND,
	SNAP_TAIL_LABEL,
};

struct walk {
	struct dump *dump;
	struct snap_column *columns[COLUMNS];
	uint64_t *first_slots; /* of each shape; one more */
	/* the run */
	uint64_t run, first_row, rows; /* its number and objects */
	uint64_t type, slots, tail, tail_kind, first_slot;
	/* rows of references: its first, and its next tail's first */
	uint64_t base, tail_at;
	uint64_t tail_row, label_row; /* rows of tails and tail_labels that come next */
	/* what is lost hides where references are: none are read any more */
	bool unknown_layout;
	struct buffer before; /* text before the target, of each slot ... */
	size_t *before_ends;  /* ... and where it ends */
	size_t before_capacity;
	/* targets of rows window_first and on: slot by slot */
	uint64_t window_first, window_rows;
	uint64_t *window;
	uint64_t *targets, *kinds, *labels; /* PIECE of a tail */
};

static enum snap_status read_values(struct walk *w, int column, uint64_t row, size_t count,
				    uint64_t *values)
{
	return snap_column_read(w->columns[column], row, count, values, &w->dump->error);
}

/* Something that says where references lie is lost. */
static bool lose_layout(struct walk *w, enum snap_status status)
{
	if (status == SNAP_OK)
		return true;
	if (!dump_may_lose(w->dump, status, 1))
		return false;
	w->unknown_layout = true;
	return true;
}

static bool put_label(struct dump *d, uint64_t label)
{
	switch (label & 3) {
	case 0: return dump_string(d, label >> 2);
	case 1: dump_number(d, label >> 2); return true;
	case 2:
		dump_put(d, "{object: ");
		if (!dump_object_id(d, (label >> 2) - 1))
			return false;
		dump_put(d, "}");
		return true;
	default: dump_put(d, "~"); return true;
	}
}

/* "    {field: "next", to: " */
static bool put_before(struct dump *d, uint64_t kind, uint64_t label)
{
	dump_put(d, "    {");
	dump_word(d, WORDS_REFERENCE_KIND, kind);
	dump_put(d, ": ");
	if (!put_label(d, label))
		return false;
	dump_put(d, ", to: ");
	return true;
}

static bool put_target(struct dump *d, uint64_t target)
{
	if (target == 0)
		dump_put(d, "0");
	else if (!dump_object_id(d, target - 1))
		return false;
	dump_put(d, "}");
	return true;
}

/* ---- runs ---- */

/* The text of all slots of the run's shape, once for all its objects. */
static bool prepare_slots(struct walk *w)
{
	struct dump *d = w->dump;
	struct buffer out = d->out;
	bool ok = true;
	if (w->slots > w->before_capacity) {
		w->before_capacity = (size_t)w->slots;
		w->before_ends =
			cli_resize(w->before_ends, w->before_capacity * sizeof(*w->before_ends));
	}
	d->out = w->before;
	d->out.size = 0;
	for (uint64_t i = 0; ok && i < w->slots; i++) {
		uint64_t kind, label;
		enum snap_status status = read_values(w, SLOT_KIND, w->first_slot + i, 1, &kind);
		if (status == SNAP_OK)
			status = read_values(w, SLOT_LABEL, w->first_slot + i, 1, &label);
		if (status == SNAP_OK)
			ok = put_before(d, kind, label);
		else if ((ok = dump_may_lose(d, status, 1)))
			dump_put(d, "    {~: ~, to: ");
		w->before_ends[i] = d->out.size;
	}
	w->before = d->out;
	d->out = out;
	return ok;
}

static bool begin_run(struct walk *w)
{
	struct dump *d = w->dump;
	uint64_t shape;
	w->first_row += w->rows;
	w->base = w->tail_at;
	w->window_rows = 0;
	enum snap_status status = SNAP_CORRUPT;
	if (w->run < snap_reader_row_count(d->reader, SNAP_RUNS))
		status = read_values(w, RUN_SHAPE, w->run, 1, &shape);
	else
		d->error = (struct snap_error){SNAP_CORRUPT, 0, SNAP_NO_OFFSET,
					       "there are more objects than runs have"};
	if (status == SNAP_OK)
		status = read_values(w, RUN_ROWS, w->run, 1, &w->rows);
	const int columns[] = {SHAPE_TYPE, SHAPE_SLOTS, SHAPE_TAIL, SHAPE_TAIL_KIND};
	uint64_t *const values[] = {&w->type, &w->slots, &w->tail, &w->tail_kind};
	for (size_t i = 0; status == SNAP_OK && i < COUNT(columns); i++)
		status = read_values(w, columns[i], shape - 1, 1, values[i]);
	if (status != SNAP_OK) {
		w->rows = UINT64_MAX - w->first_row; /* all that follow are of unknown shape */
		w->type = w->slots = w->tail = 0;
		return lose_layout(w, status);
	}
	w->run++;
	if (w->unknown_layout) {
		w->slots = w->tail = 0;
		return true;
	}
	w->tail_at = w->base + w->slots * w->rows;
	w->first_slot = w->first_slots[shape - 1];
	if (w->slots <= WINDOW_VALUES)
		return prepare_slots(w);
	d->error = (struct snap_error){SNAP_LIMIT, 0, SNAP_NO_OFFSET,
				       "a shape has more slots than can be shown"};
	return false;
}

/* ---- references ---- */

/* Targets of all slots for some rows, from row (within the run) on. */
static bool load_window(struct walk *w, uint64_t row, uint64_t most)
{
	uint64_t rows = w->slots ? WINDOW_VALUES / w->slots : WINDOW_ROWS;
	rows = rows < most ? rows : most;
	for (;;) {
		enum snap_status status = SNAP_OK;
		for (uint64_t i = 0; status == SNAP_OK && i < w->slots; i++)
			status = read_values(w, SLOT_TARGET, w->base + i * w->rows + row,
					     (size_t)rows, w->window + i * rows);
		w->window_first = row;
		w->window_rows = rows;
		if (status == SNAP_OK)
			return true;
		if (status != SNAP_CORRUPT || !cli_common.partial)
			return false;
		if (rows == 1)
			break;
		rows /= 2; /* towards the rows that are lost, and past them one by one */
	}
	w->dump->lost++;
	memset(w->window, 0, (size_t)w->slots * sizeof(*w->window));
	return true;
}

static bool put_comma(struct dump *d)
{
	dump_put(d, d->first ? ", references: [\n" : ",\n");
	d->first = false;
	return true;
}

static bool put_slots(struct walk *w, uint64_t row)
{
	struct dump *d = w->dump;
	const uint64_t *targets = w->window + (row - w->window_first);
	for (uint64_t i = 0; i < w->slots; i++) {
		size_t start = i ? w->before_ends[i - 1] : 0;
		put_comma(d);
		buffer_append(&d->out, w->before.bytes + start, w->before_ends[i] - start);
		if (!put_target(d, targets[i * w->window_rows]))
			return false;
		dump_flush(d, 1 << 16);
	}
	return true;
}

static enum snap_status read_piece(struct walk *w, uint64_t at, uint64_t done, size_t count)
{
	enum snap_status status = read_values(w, TAIL_TARGET, at + done, count, w->targets);
	if (w->tail == SNAP_TAIL_LABELLED) {
		if (status == SNAP_OK)
			status = read_values(w, TAIL_KIND, w->label_row + done, count, w->kinds);
		if (status == SNAP_OK)
			status = read_values(w, TAIL_LABEL, w->label_row + done, count, w->labels);
		return status;
	}
	for (size_t i = 0; i < count; i++) {
		w->kinds[i] = w->tail_kind;
		w->labels[i] = SNAP_LABEL_INDEX(done + i);
	}
	return status;
}

static bool put_tail(struct walk *w, uint64_t length)
{
	struct dump *d = w->dump;
	for (uint64_t done = 0; done < length;) {
		size_t count = length - done < PIECE ? (size_t)(length - done) : PIECE;
		enum snap_status status = read_piece(w, w->tail_at, done, count);
		done += count;
		if (status != SNAP_OK) {
			if (!dump_may_lose(d, status, count))
				return false;
			continue;
		}
		for (size_t i = 0; i < count; i++) {
			put_comma(d);
			if (!put_before(d, w->kinds[i], w->labels[i]) ||
			    !put_target(d, w->targets[i]))
				return false;
			dump_flush(d, 1 << 16);
		}
	}
	return true;
}

/* The tail's length of the next object; the layout is lost with it. */
static bool next_tail(struct walk *w, uint64_t *length)
{
	*length = 0;
	if (w->tail == SNAP_TAIL_NONE || w->unknown_layout)
		return true;
	if (snap_reader_row_count(w->dump->reader, SNAP_TAILS) == 0)
		return true;
	return lose_layout(w, read_values(w, TAIL_LENGTH, w->tail_row++, 1, length));
}

static void pass_tail(struct walk *w, uint64_t length)
{
	w->tail_at += length;
	if (w->tail == SNAP_TAIL_LABELLED)
		w->label_row += length;
}

/* ---- objects ---- */

static bool put_head(struct walk *w, const uint64_t *const *values, size_t at)
{
	struct dump *d = w->dump;
	dump_put(d, "- {");
	d->first = true;
	if (values[FIELDS][at] != 0) {
		dump_key(d, "id");
		dump_hexadecimal(d, values[FIELDS][at]);
	}
	if (w->type != 0) {
		dump_key(d, "type");
		if (d->type_names[w->type - 1] == 0)
			dump_number(d, w->type);
		else if (!dump_string(d, d->type_names[w->type - 1]))
			return false;
	}
	return dump_row(d, object_fields, FIELDS, values, at);
}

static bool put_references(struct walk *w, uint64_t row, uint64_t batch_left)
{
	struct dump *d = w->dump;
	uint64_t in_run = row - w->first_row, run_left = w->rows - in_run, length;
	if (w->slots > 0 && !w->unknown_layout &&
	    (in_run < w->window_first || in_run - w->window_first >= w->window_rows) &&
	    !load_window(w, in_run, batch_left < run_left ? batch_left : run_left))
		return false;
	d->first = true;
	if (!next_tail(w, &length) || (!w->unknown_layout && !put_slots(w, in_run)) ||
	    !put_tail(w, length))
		return false;
	pass_tail(w, length);
	dump_put(d, d->first ? "" : "]");
	return true;
}

/* Goes to the run that has a row, past tails of rows that were lost. */
static bool reach(struct walk *w, uint64_t *next, uint64_t row)
{
	for (;;) {
		uint64_t length;
		for (; *next < row && *next - w->first_row < w->rows; ++*next) {
			if (w->tail == SNAP_TAIL_NONE || w->unknown_layout) {
				*next = row - w->first_row < w->rows ? row : w->first_row + w->rows;
				break;
			}
			if (!next_tail(w, &length))
				return false;
			pass_tail(w, length);
		}
		if (row - w->first_row < w->rows)
			return true;
		if (!begin_run(w))
			return false;
	}
}

static bool put_batch(struct walk *w, uint64_t *next, uint64_t first, size_t count,
		      const uint64_t *const *values)
{
	struct dump *d = w->dump;
	for (size_t i = 0; i < count; i++) {
		if (!reach(w, next, first + i) || !put_head(w, values, i) ||
		    !put_references(w, first + i, count - i))
			return false;
		dump_put(d, "}\n");
		dump_flush(d, 1 << 16);
		*next = first + i + 1;
	}
	return true;
}

static bool put_objects(struct walk *w)
{
	struct dump *d = w->dump;
	uint32_t columns[FIELDS + 1];
	uint64_t next = 0;
	for (size_t i = 0; i < FIELDS; i++)
		columns[i] = object_fields[i].column;
	columns[FIELDS] = SNAP_OBJECT_ADDRESS;
	struct scan scan = scan_begin(d->reader, columns, FIELDS + 1, &d->error);
	while (scan_batch(&scan))
		if (!put_batch(w, &next, scan.first, scan.count, scan.values))
			scan.status = d->error.status;
	return scan_end(&scan, &d->lost) == SNAP_OK;
}

/* ---- what is kept in memory ---- */

static bool load_addresses(struct dump *d)
{
	uint64_t rows = snap_reader_row_count(d->reader, SNAP_OBJECTS);
	if (snap_column_open(&d->address_column, d->reader, SNAP_OBJECT_ADDRESS, &d->error) !=
	    SNAP_OK)
		return false;
	if (rows > d->memory / 32 || cli_common.partial)
		return true;
	d->addresses = cli_resize(NULL, ((size_t)rows + 1) * sizeof(*d->addresses));
	return snap_column_read(d->address_column, 0, (size_t)rows, d->addresses, &d->error) ==
	       SNAP_OK;
}

static bool load_shapes(struct walk *w)
{
	struct dump *d = w->dump;
	uint64_t rows = snap_reader_row_count(d->reader, SNAP_SHAPES);
	if (rows > d->memory / 32) {
		d->error = (struct snap_error){SNAP_LIMIT, 0, SNAP_NO_OFFSET,
					       "the shapes need more memory than allowed"};
		return false;
	}
	w->first_slots = cli_resize(NULL, ((size_t)rows + 1) * sizeof(*w->first_slots));
	enum snap_status status = read_values(w, SHAPE_SLOTS, 0, (size_t)rows, w->first_slots + 1);
	w->first_slots[0] = 0;
	if (status != SNAP_OK)
		return lose_layout(w, status);
	uint64_t slots = snap_reader_row_count(d->reader, SNAP_SLOTS);
	for (size_t i = 1; i <= rows; i++) {
		w->first_slots[i] += w->first_slots[i - 1];
		if (w->first_slots[i] <= slots && w->first_slots[i] >= w->first_slots[i - 1])
			continue;
		d->error = (struct snap_error){SNAP_CORRUPT, 0, SNAP_NO_OFFSET,
					       "shapes have more slots than there are"};
		return lose_layout(w, SNAP_CORRUPT);
	}
	return true;
}

static bool open_walk(struct walk *w)
{
	for (size_t i = 0; i < COLUMNS; i++)
		if (snap_column_open(&w->columns[i], w->dump->reader, column_ids[i],
				     &w->dump->error) != SNAP_OK)
			return false;
	w->window = cli_resize(NULL, (WINDOW_VALUES + 1) * sizeof(*w->window));
	w->targets = cli_resize(NULL, PIECE * sizeof(*w->targets));
	w->kinds = cli_resize(NULL, PIECE * sizeof(*w->kinds));
	w->labels = cli_resize(NULL, PIECE * sizeof(*w->labels));
	return load_shapes(w);
}

bool dump_objects(struct dump *d)
{
	struct walk w = {.dump = d};
	if (snap_reader_row_count(d->reader, SNAP_OBJECTS) == 0)
		return true;
	dump_put(d, "objects:\n");
	bool ok = load_addresses(d) && open_walk(&w) && put_objects(&w);
	for (size_t i = 0; i < COLUMNS; i++)
		snap_column_close(w.columns[i]);
	free(w.first_slots);
	free(w.before_ends);
	buffer_free(&w.before);
	free(w.window);
	free(w.targets);
	free(w.kinds);
	free(w.labels);
	return ok;
}
