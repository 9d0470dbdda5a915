/* Names the frames of a snapshot from the files of its modules.
 *
 * Rows that no stack names, beyond the last that one names, were added for inlined functions
 * by an earlier run: they are made anew.  Other rows never move, for stacks name them. */
#include <stdlib.h>
#include <string.h>

#include "names.h"
#include "scan.h"
#include "symbolize.h"

#define MAX_INLINED 256 /* functions at one address */
#define COLUMNS     6

void frames_free(struct frames *frames)
{
	free(frames->old);
	free(frames->rows);
	free(frames->slots);
	texts_free(&frames->texts);
}

/* ---- the snapshot's own ---- */

static enum snap_status scan_all(struct snap_reader *reader, const uint32_t *columns, size_t count,
				 void (*row)(struct frames *, uint64_t, const uint64_t *),
				 struct frames *frames, struct snap_error *error)
{
	uint64_t values[COLUMNS];
	struct scan scan = scan_begin(reader, columns, count, error);
	while (scan_next(&scan)) {
		for (size_t k = 0; k < count; k++)
			values[k] = scan_value(&scan, k);
		row(frames, scan.row, values);
	}
	return scan_end(&scan, NULL);
}

static void load_frame(struct frames *frames, uint64_t row, const uint64_t *v)
{
	frames->old[row] = (struct frame){(uint32_t)v[0], (uint32_t)v[1], (uint32_t)v[2],
					  (uint32_t)v[3], (uint32_t)v[4], v[5]};
}

static void load_use(struct frames *frames, uint64_t row, const uint64_t *v)
{
	(void)row;
	if (v[0] > frames->count)
		frames->count = (size_t)v[0];
}

enum snap_status frames_load(struct frames *frames, struct snap_reader *reader,
			     struct snap_error *error)
{
	static const uint32_t columns[COLUMNS] = {SNAP_FRAME_FUNCTION,     SNAP_FRAME_FILE,
						  SNAP_FRAME_LINE,         SNAP_FRAME_MODULE,
						  SNAP_FRAME_INLINED_INTO, SNAP_FRAME_OFFSET};
	static const uint32_t uses[] = {SNAP_STACK_FRAME};
	frames->old_count = (size_t)snap_reader_row_count(reader, SNAP_FRAMES);
	frames->old = cli_resize(NULL, (frames->old_count + 1) * sizeof(*frames->old));
	enum snap_status status = scan_all(reader, columns, COLUMNS, load_frame, frames, error);
	if (snap_reader_row_count(reader, SNAP_STACKS) == 0)
		frames->count = frames->old_count;
	if (status == SNAP_OK)
		status = scan_all(reader, uses, 1, load_use, frames, error);
	frames->base = frames->capacity = frames->count;
	frames->rows = cli_resize(NULL, (frames->capacity + 1) * sizeof(*frames->rows));
	memcpy(frames->rows, frames->old, frames->count * sizeof(*frames->rows));
	return status;
}

/* ---- callers of inlined functions: each once ---- */

static uint64_t hash_of(const struct frame *f)
{
	uint64_t hash =
		((uint64_t)f->function << 32 | f->file) * UINT64_C(0x9e3779b97f4a7c15) + f->module;
	hash = (hash ^ hash >> 29 ^ ((uint64_t)f->line << 32 | f->inlined_into)) *
	       UINT64_C(0xbf58476d1ce4e5b9);
	return hash ^ hash >> 32;
}

static bool same(const struct frame *a, const struct frame *b)
{
	return a->function == b->function && a->file == b->file && a->line == b->line &&
	       a->module == b->module && a->inlined_into == b->inlined_into;
}

static uint32_t *find_slot(const struct frames *frames, const struct frame *frame)
{
	size_t mask = frames->slot_count - 1, at = (size_t)hash_of(frame) & mask;
	while (frames->slots[at] && !same(&frames->rows[frames->slots[at] - 1], frame))
		at = (at + 1) & mask;
	return &frames->slots[at];
}

static uint32_t add_caller(struct frames *frames, struct frame frame)
{
	if ((frames->count - frames->base) * 2 >= frames->slot_count) {
		frames->slot_count = frames->slot_count ? frames->slot_count * 2 : 1024;
		frames->slots =
			cli_resize(frames->slots, frames->slot_count * sizeof(*frames->slots));
		memset(frames->slots, 0, frames->slot_count * sizeof(*frames->slots));
		for (size_t i = frames->base; i < frames->count; i++)
			*find_slot(frames, &frames->rows[i]) = (uint32_t)i + 1;
	}
	uint32_t *slot = find_slot(frames, &frame);
	if (*slot)
		return *slot;
	if (frames->count == frames->capacity) {
		frames->capacity += frames->capacity / 2 + 256;
		frames->rows = cli_resize(frames->rows, frames->capacity * sizeof(*frames->rows));
	}
	frames->rows[frames->count++] = frame;
	return *slot = (uint32_t)frames->count;
}

/* What a frame that keeps its names was inlined into, where that row is made anew. */
static uint32_t keep_callers(struct frames *frames, uint32_t id)
{
	uint32_t chain[MAX_INLINED];
	size_t count = 0;
	for (; id > frames->base && count < MAX_INLINED; id = frames->old[id - 1].inlined_into)
		chain[count++] = id;
	while (count > 0) {
		struct frame frame = frames->old[chain[--count] - 1];
		frame.inlined_into = id;
		id = add_caller(frames, frame);
	}
	return id;
}

/* ---- names ---- */

static uint32_t text_id(struct frames *frames, const char *text)
{
	return text && *text ? TEXT_BIT | texts_add(&frames->texts, text, strlen(text)) : 0;
}

static struct frame frame_of(struct frames *frames, const struct symbol *symbol, uint32_t module,
			     uint32_t caller)
{
	return (struct frame){.function = text_id(frames, symbol->function),
			      .file = text_id(frames, symbol->file),
			      .line = symbol->line,
			      .module = module,
			      .inlined_into = caller};
}

static void name_frame(struct frames *frames, uint32_t row, struct module *module)
{
	struct symbol symbols[MAX_INLINED];
	const struct frame old = frames->rows[row];
	size_t count = module_symbols(module, old.offset, symbols, MAX_INLINED);
	uint32_t caller = 0;
	if (count == 0) {
		uint32_t kept = keep_callers(frames, old.inlined_into);
		frames->rows[row].inlined_into = kept;
		return;
	}
	for (size_t i = count; i-- > 1;)
		caller = add_caller(frames, frame_of(frames, &symbols[i], old.module, caller));
	frames->rows[row] = frame_of(frames, &symbols[0], old.module, caller);
	frames->rows[row].offset = old.offset;
	frames->named++;
}

static enum snap_status copy_string(struct snap_reader *reader, uint32_t column, uint64_t row,
				    char **out, struct snap_error *error)
{
	struct snap_column *ids;
	uint64_t id = 0;
	const char *bytes;
	size_t size;
	enum snap_status status = snap_column_open(&ids, reader, column, error);
	if (status != SNAP_OK)
		return status;
	status = snap_column_read(ids, row, 1, &id, error);
	snap_column_close(ids);
	if (status == SNAP_OK)
		status = snap_reader_string(reader, id, &bytes, &size, error);
	if (status != SNAP_OK)
		return status;
	*out = cli_resize(NULL, size + 1);
	memcpy(*out, bytes, size);
	(*out)[size] = '\0';
	return SNAP_OK;
}

/* order has the numbers of count rows, all of one module. */
static enum snap_status name_module(struct frames *frames, struct snap_reader *reader,
				    const uint32_t *order, size_t count, struct snap_error *error)
{
	char *path = NULL, *build_id = NULL;
	uint64_t row = frames->rows[order[0]].module - 1;
	enum snap_status status = copy_string(reader, SNAP_MODULE_PATH, row, &path, error);
	if (status == SNAP_OK)
		status = copy_string(reader, SNAP_MODULE_BUILD_ID, row, &build_id, error);
	struct module *module = status == SNAP_OK ? module_find(path, build_id) : NULL;
	for (size_t i = 0; i < count && module; i++)
		name_frame(frames, order[i], module);
	free(path);
	free(build_id);
	return status;
}

static const struct frame *sorted;
static int by_place(const void *a, const void *b)
{
	const struct frame *left = &sorted[*(const uint32_t *)a];
	const struct frame *right = &sorted[*(const uint32_t *)b];
	if (left->module != right->module)
		return left->module < right->module ? -1 : 1;
	return left->offset < right->offset ? -1 : left->offset > right->offset;
}

enum snap_status frames_name(struct frames *frames, struct snap_reader *reader,
			     struct snap_error *error)
{
	enum snap_status status = SNAP_OK;
	uint32_t *order = cli_resize(NULL, (frames->base + 1) * sizeof(*order));
	for (size_t i = 0; i < frames->base; i++) {
		if (frames->rows[i].module)
			order[frames->asked++] = (uint32_t)i;
		else if (frames->rows[i].inlined_into) {
			uint32_t kept = keep_callers(frames, frames->rows[i].inlined_into);
			frames->rows[i].inlined_into = kept;
		}
	}
	sorted = frames->rows;
	qsort(order, frames->asked, sizeof(*order), by_place);
	for (size_t i = 0, end; i < frames->asked && status == SNAP_OK; i = end) {
		uint32_t module = frames->rows[order[i]].module;
		for (end = i; end < frames->asked && frames->rows[order[end]].module == module;
		     end++)
			;
		cli_progress("naming frames", i, frames->asked);
		status = name_module(frames, reader, order + i, end - i, error);
	}
	cli_progress_end();
	free(order);
	return status;
}
