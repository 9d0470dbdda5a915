/* snap-filter: makes a smaller snapshot of one: its sums and names alone (spec/FORMAT.md,
 * section 7.4). */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cli.h"
#include "scan.h"

/* The ids of the new snapshot by those of the old one: maps[table][old id]. */
struct copy {
	struct snap_reader *reader;
	struct snap_writer *writer;
	struct snap_error *error;
	uint32_t *maps[SNAP_TIMELINE + 1];
	uint64_t rows[SNAP_TIMELINE + 1];
	uint64_t left_bytes; /* of memory for maps */
	uint64_t lost_rows;
	bool deferred; /* a row needs a later one first */
	/* The type of the objects before row next_run, from the run before run; where there are no
	 * totals. */
	uint64_t run, next_run, row;
	uint32_t type;
};

/* What is copied of a table: v has the values of one row; *id is its id in the new snapshot, 0 if
 * there is none. */
struct part {
	enum snap_table table;
	size_t column_count;
	uint32_t columns[6];
	enum snap_status (*row)(struct copy *, const uint64_t *v, uint32_t *id);
};

static enum snap_status fail(struct snap_error *error, enum snap_status status, const char *message)
{
	*error = (struct snap_error){.status = status, .offset = SNAP_NO_OFFSET};
	snprintf(error->message, sizeof(error->message), "%s", message);
	return status;
}

static enum snap_status copy_string(struct copy *c, uint64_t old, uint32_t *id)
{
	const char *bytes;
	size_t size;
	*id = 0;
	if (old == 0)
		return SNAP_OK;
	enum snap_status status = snap_reader_string(c->reader, old, &bytes, &size, c->error);
	return status == SNAP_OK ? snap_writer_string(c->writer, bytes, size, id, c->error)
				 : status;
}

/* A row that a partial reader has lost is none. */
static uint32_t mapped(const struct copy *c, enum snap_table table, uint64_t old)
{
	return c->maps[table] && old <= c->rows[table] ? c->maps[table][old] : 0;
}

/* The writer takes texts that end with NUL here; keys with a NUL inside are cut there. */
static enum snap_status copy_property(struct copy *c, const uint64_t *v, uint32_t *id)
{
	const char *bytes;
	size_t size;
	enum snap_status status = snap_reader_string(c->reader, v[0], &bytes, &size, c->error);
	if (status != SNAP_OK)
		return status;
	char *key = cli_resize(NULL, size + 1);
	memcpy(key, bytes, size);
	key[size] = '\0';
	status = snap_reader_string(c->reader, v[1], &bytes, &size, c->error);
	if (status == SNAP_OK) {
		char *value = cli_resize(NULL, size + 1);
		memcpy(value, bytes, size);
		value[size] = '\0';
		status = snap_writer_property(c->writer, key, value, c->error);
		free(value);
	}
	free(key);
	*id = 0;
	return status;
}

static enum snap_status copy_module(struct copy *c, const uint64_t *v, uint32_t *id)
{
	struct snap_module module = {.base = v[2], .size = v[3]};
	enum snap_status status = copy_string(c, v[0], &module.path);
	if (status == SNAP_OK)
		status = copy_string(c, v[1], &module.build_id);
	return status == SNAP_OK ? snap_writer_module(c->writer, &module, id, c->error) : status;
}

static enum snap_status copy_frame(struct copy *c, const uint64_t *v, uint32_t *id)
{
	struct snap_frame frame = {
		.line = (uint32_t)v[2], .module = mapped(c, SNAP_MODULES, v[3]), .offset = v[4]};
	enum snap_status status = copy_string(c, v[0], &frame.function);
	if (status == SNAP_OK)
		status = copy_string(c, v[1], &frame.file);
	frame.inlined_into = mapped(c, SNAP_FRAMES, v[5]);
	if (v[5] != 0 && frame.inlined_into == 0) {
		c->deferred = true;
		*id = 0;
		return status;
	}
	return status == SNAP_OK ? snap_writer_frame(c->writer, &frame, id, c->error) : status;
}

static enum snap_status copy_stack(struct copy *c, const uint64_t *v, uint32_t *id)
{
	return snap_writer_stack(c->writer, mapped(c, SNAP_STACKS, v[0]),
				 mapped(c, SNAP_FRAMES, v[1]), (uint32_t)v[2], id, c->error);
}

static enum snap_status copy_type(struct copy *c, const uint64_t *v, uint32_t *id)
{
	uint32_t name;
	enum snap_status status = copy_string(c, v[0], &name);
	return status == SNAP_OK
		       ? snap_writer_type(c->writer, name, (enum snap_type_kind)v[1], id, c->error)
		       : status;
}

static enum snap_status copy_thread(struct copy *c, const uint64_t *v, uint32_t *id)
{
	uint32_t name;
	enum snap_status status = copy_string(c, v[1], &name);
	return status == SNAP_OK ? snap_writer_thread(c->writer, v[0], name, id, c->error) : status;
}

static enum snap_status copy_total(struct copy *c, const uint64_t *v, uint32_t *id)
{
	static const enum snap_table tables[] = {[SNAP_BY_TYPE] = SNAP_TYPES,
						 [SNAP_BY_STACK] = SNAP_STACKS,
						 [SNAP_BY_THREAD] = SNAP_THREADS};
	uint64_t key = v[1];
	*id = 0;
	if (v[0] == SNAP_BY_SHAPE) /* shapes are left out with the objects that have them */
		return SNAP_OK;
	if (v[0] < sizeof(tables) / sizeof(tables[0]) && tables[v[0]])
		key = mapped(c, tables[v[0]], key);
	return snap_writer_total(c->writer, (enum snap_dimension)v[0], key, v[2], v[3], c->error);
}

static enum snap_status read_value(struct copy *c, uint32_t column, uint64_t row, uint64_t *value)
{
	struct snap_column *values;
	enum snap_status status = snap_column_open(&values, c->reader, column, c->error);
	if (status != SNAP_OK)
		return status;
	status = snap_column_read(values, row, 1, value, c->error);
	snap_column_close(values);
	return status;
}

static enum snap_status begin_run(struct copy *c)
{
	uint64_t rows = 0, shape = 1, type = 0;
	enum snap_status status = read_value(c, SNAP_RUN_ROWS, c->run, &rows);
	if (status == SNAP_OK)
		status = read_value(c, SNAP_RUN_SHAPE, c->run++, &shape);
	if (status == SNAP_OK)
		status = read_value(c, SNAP_SHAPE_TYPE, shape - 1, &type);
	c->next_run += rows;
	c->type = mapped(c, SNAP_TYPES, type);
	return status;
}

/* The writer adds objects up, and forgets them. */
static enum snap_status copy_object(struct copy *c, const uint64_t *v, uint32_t *id)
{
	enum snap_status status = c->row == c->next_run ? begin_run(c) : SNAP_OK;
	const struct snap_object object = {.size = v[0],
					   .count = v[1],
					   .type = c->type,
					   .stack = mapped(c, SNAP_STACKS, v[2]),
					   .thread = mapped(c, SNAP_THREADS, v[3]),
					   .domain = (uint32_t)v[4],
					   .generation = (uint32_t)v[5]};
	c->row++;
	*id = 0;
	if (object.domain != v[4] || object.generation != v[5])
		return fail(c->error, SNAP_LIMIT, "a domain or generation is over 4294967295");
	return status == SNAP_OK ? snap_writer_object(c->writer, &object, c->error) : status;
}

static enum snap_status copy_timeline(struct copy *c, const uint64_t *v, uint32_t *id)
{
	*id = 0;
	return snap_writer_timeline(c->writer, v[0], v[1], v[2], v[3], c->error);
}

static const struct part parts[] = {
	{SNAP_PROPERTIES, 2, {SNAP_PROPERTY_KEY, SNAP_PROPERTY_VALUE}, copy_property},
	{SNAP_MODULES,
	 4,
	 {SNAP_MODULE_PATH, SNAP_MODULE_BUILD_ID, SNAP_MODULE_BASE, SNAP_MODULE_SIZE},
	 copy_module},
	{SNAP_FRAMES,
	 6,
	 {SNAP_FRAME_FUNCTION, SNAP_FRAME_FILE, SNAP_FRAME_LINE, SNAP_FRAME_MODULE,
	  SNAP_FRAME_OFFSET, SNAP_FRAME_INLINED_INTO},
	 copy_frame},
	{SNAP_STACKS, 3, {SNAP_STACK_PARENT, SNAP_STACK_FRAME, SNAP_STACK_FLAGS}, copy_stack},
	{SNAP_TYPES, 2, {SNAP_TYPE_NAME, SNAP_TYPE_KIND_COLUMN}, copy_type},
	{SNAP_THREADS, 2, {SNAP_THREAD_ID, SNAP_THREAD_NAME}, copy_thread},
	{SNAP_TOTALS,
	 4,
	 {SNAP_TOTAL_DIMENSION, SNAP_TOTAL_KEY, SNAP_TOTAL_BYTES, SNAP_TOTAL_COUNT},
	 copy_total},
	{SNAP_OBJECTS,
	 6,
	 {SNAP_OBJECT_SIZE, SNAP_OBJECT_COUNT, SNAP_OBJECT_STACK, SNAP_OBJECT_THREAD,
	  SNAP_OBJECT_DOMAIN, SNAP_OBJECT_GENERATION},
	 copy_object},
	{SNAP_TIMELINE,
	 4,
	 {SNAP_TIMELINE_TIME, SNAP_TIMELINE_BYTES, SNAP_TIMELINE_COUNT, SNAP_TIMELINE_RESIDENT},
	 copy_timeline},
};

static enum snap_status make_map(struct copy *c, enum snap_table table)
{
	uint64_t rows = snap_reader_row_count(c->reader, table);
	if (rows >= c->left_bytes / sizeof(uint32_t))
		return fail(c->error, SNAP_LIMIT, "more rows than --memory allows");
	c->maps[table] = calloc((size_t)rows + 1, sizeof(uint32_t));
	if (!c->maps[table])
		return fail(c->error, SNAP_NO_MEMORY, "out of memory");
	c->left_bytes -= (rows + 1) * sizeof(uint32_t);
	c->rows[table] = rows;
	return SNAP_OK;
}

static enum snap_status copy_pass(struct copy *c, const struct part *part)
{
	struct scan scan = scan_begin(c->reader, part->columns, part->column_count, c->error);
	c->deferred = false;
	while (scan_next(&scan)) {
		uint32_t *id = &c->maps[part->table][scan.row + 1];
		uint64_t row[6];
		for (size_t k = 0; k < part->column_count; k++)
			row[k] = scan_value(&scan, k);
		if (*id == 0)
			scan.status = part->row(c, row, id);
	}
	return scan_end(&scan, &c->lost_rows);
}

/* A frame may be inlined into a later one: then the table is gone through again for those left
 * over. */
static enum snap_status copy_part(struct copy *c, const struct part *part)
{
	enum snap_status status = make_map(c, part->table);
	if (status == SNAP_OK)
		status = copy_pass(c, part);
	for (int passes = 0; status == SNAP_OK && c->deferred && c->lost_rows == 0; passes++) {
		if (passes == 64)
			return fail(c->error, SNAP_LIMIT, "frames are inlined more than 64 deep");
		status = copy_pass(c, part);
	}
	return status;
}

static enum snap_status copy_all(struct copy *c)
{
	const bool has_totals = snap_reader_row_count(c->reader, SNAP_TOTALS) > 0;
	enum snap_status status = SNAP_OK;
	for (size_t i = 0; i < sizeof(parts) / sizeof(parts[0]) && status == SNAP_OK; i++)
		if (parts[i].table != SNAP_OBJECTS || !has_totals)
			status = copy_part(c, &parts[i]);
	for (size_t i = 0; i <= SNAP_TIMELINE; i++)
		free(c->maps[i]);
	return status;
}

static enum snap_status open_writer(struct snap_writer **out, const char *path,
				    const struct snap_reader *reader, struct snap_error *error)
{
	struct snap_reader_info info;
	snap_reader_info(reader, &info);
	struct snap_writer_options options = SNAP_WRITER_OPTIONS_INIT;
	options.totals_only = true;
	options.level = 19; /* little data, kept for long */
	options.flags = info.flags & (SNAP_SNAPSHOT_PARTIAL | SNAP_SNAPSHOT_SAMPLED);
	if (info.damaged)
		options.flags |= SNAP_SNAPSHOT_PARTIAL;
	options.sampling_interval_bytes = info.sampling_interval_bytes;
	options.max_memory_bytes = cli_common.memory_bytes;
	if (strcmp(path, "-") == 0)
		return snap_writer_open_descriptor(out, STDOUT_FILENO, &options, error);
	return snap_writer_open(out, path, &options, error);
}

/* Sums that name lost rows would be wrong, not just fewer: a snapshot that lost some of its names
 * is not copied. */
static int filter(const char *file, const char *output)
{
	struct snap_error error;
	struct snap_reader *reader = cli_open_any(file);
	struct copy copy = {.reader = reader, .error = &error};
	copy.left_bytes = cli_common.memory_bytes ? cli_common.memory_bytes : UINT64_C(256) << 20;
	if (open_writer(&copy.writer, output, reader, &error) != SNAP_OK) {
		snap_reader_close(reader);
		return cli_report(output, &error);
	}
	enum snap_status status = copy_all(&copy);
	if (status == SNAP_OK && copy.lost_rows > 0)
		status = fail(&error, SNAP_CORRUPT, "its names or sums are damaged");
	snap_reader_close(reader);
	if (status != SNAP_OK) {
		snap_writer_abort(copy.writer);
		return cli_report(file ? file : "-", &error);
	}
	if (snap_writer_finish(copy.writer, NULL, &error) != SNAP_OK)
		return cli_report(output, &error);
	return CLI_YES;
}

int main(int argc, char **argv)
{
	bool totals = false;
	const char *output = NULL;
	const struct cli_option options[] = {
		{0, "totals", NULL, "keep sums and names, leave out objects and references",
		 CLI_FLAG, &totals},
		{'o', "output", "FILE", "write the new snapshot to FILE, - for standard output",
		 CLI_STRING, &output},
		{0},
	};
	const struct cli_tool tool = {
		"snap-filter", "--totals -o OUTPUT [FILE]", "Make a smaller snapshot of one.", 0, 1,
		options};
	cli_without = CLI_NO_FORMAT;
	char **files = cli_parse(&tool, argc, argv, NULL);
	if (!totals)
		cli_usage("say what to keep: --totals");
	if (!output)
		cli_usage("--output is missing");
	return cli_finish(filter(files[0], output) == CLI_YES ? CLI_YES : CLI_TROUBLE);
}
