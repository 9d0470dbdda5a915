/* snap-info: what a snapshot is made of, and whether it is whole (spec/FORMAT.md, sections 2 to 7).
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "info/info.h"
#include "snap_index.h"

/* ---- names of columns and encodings ---- */

struct names {
	char table[24], column[24];
};

static struct names names_of(uint32_t column)
{
	struct names n;
	struct snap_column_info info;
	if (snap_column_describe(column, &info) && info.table_name && info.column_name) {
		snprintf(n.table, sizeof(n.table), "%s", info.table_name);
		snprintf(n.column, sizeof(n.column), "%s", info.column_name);
	} else {
		snprintf(n.table, sizeof(n.table), "table-%" PRIu32, column >> 16);
		snprintf(n.column, sizeof(n.column), "column-%" PRIu32, column & 0xffff);
	}
	return n;
}

/* The encodings in a set of 256 bits, separated by commas. */
static void name_encodings(const uint64_t set[4], char *text, size_t capacity)
{
	size_t size = 0;
	text[0] = '\0';
	for (unsigned e = 0; e < 256 && size < capacity; e++) {
		if (!(set[e / 64] >> (e % 64) & 1))
			continue;
		const char *name = snap_encoding_name((uint8_t)e);
		const char *comma = size ? "," : "";
		int added = name ? snprintf(text + size, capacity - size, "%s%s", comma, name)
				 : snprintf(text + size, capacity - size, "%s%u", comma, e);
		size += added > 0 ? (size_t)added : 0;
	}
}

static void name_flags(const struct snap_reader_info *info, char text[80])
{
	snprintf(text, 80, "%s,%s%s%s",
		 info->flags & SNAP_SNAPSHOT_PARTIAL || info->damaged ? "partial" : "complete",
		 info->flags & SNAP_SNAPSHOT_SAMPLED ? "sampled" : "exact",
		 info->flags & SNAP_SNAPSHOT_TOTALS_ONLY ? ",totals-only" : "",
		 info->flags & SNAP_SNAPSHOT_CONTENTS ? ",contents" : "");
}

static struct print_cell text_cell(const char *text)
{
	return print_bytes(text, strlen(text));
}

/* ---- the heap's size ---- */

struct heap {
	bool known;
	uint64_t bytes, count;
};

/* Small snapshots have no totals. */
static enum snap_status add_up(struct snap_reader *reader, const char *file, struct heap *out,
			       struct snap_error *error)
{
	static const uint32_t columns[] = {SNAP_OBJECT_SIZE, SNAP_OBJECT_COUNT};
	struct heap heap = {.known = true};
	uint64_t bytes, lost = 0;
	struct scan scan = scan_begin(reader, columns, 2, error);
	while (scan_next(&scan)) {
		uint64_t count = scan_value(&scan, 1);
		if (__builtin_mul_overflow(scan_value(&scan, 0), count, &bytes) ||
		    __builtin_add_overflow(heap.bytes, bytes, &heap.bytes) ||
		    __builtin_add_overflow(heap.count, count, &heap.count))
			heap.known = false;
	}
	enum snap_status status = scan_end(&scan, &lost);
	if (lost > 0)
		cli_lost(file, lost);
	if (status == SNAP_OK && heap.known && lost == 0)
		*out = heap;
	return status;
}

/* Unknown where there is nothing to tell it from, and where --partial lost that. */
static enum snap_status heap_total(struct snap_reader *reader, const char *file, struct heap *out,
				   struct snap_error *error)
{
	static const uint32_t columns[] = {SNAP_TOTAL_DIMENSION, SNAP_TOTAL_BYTES,
					   SNAP_TOTAL_COUNT};
	uint64_t values[3] = {0};
	*out = (struct heap){0};
	struct snap_reader_info info;
	snap_reader_info(reader, &info);
	const bool has_objects = snap_reader_row_count(reader, SNAP_OBJECTS) > 0;
	if (snap_reader_row_count(reader, SNAP_TOTALS) == 0) {
		bool unknown =
			info.flags & SNAP_SNAPSHOT_TOTALS_ONLY || (info.damaged && !has_objects);
		return unknown ? SNAP_OK : add_up(reader, file, out, error);
	}
	/* Rows ascend by dimension, and "all" is the first. */
	for (size_t i = 0; i < 3; i++) {
		struct snap_column *column;
		enum snap_status status = snap_column_open(&column, reader, columns[i], error);
		if (status != SNAP_OK)
			return status;
		status = snap_column_read(column, 0, 1, &values[i], error);
		snap_column_close(column);
		if (status == SNAP_CORRUPT && cli_common.partial) {
			cli_lost(file, 1);
			return SNAP_OK;
		}
		if (status != SNAP_OK)
			return status;
	}
	*out = (struct heap){values[0] == SNAP_BY_ALL, values[1], values[2]};
	return SNAP_OK;
}

/* ---- properties ---- */

struct property {
	char *key, *value;
	size_t key_size, value_size;
};

static char *copy_string(struct snap_reader *reader, uint64_t id, size_t *size,
			 struct snap_error *error)
{
	const char *bytes;
	if (snap_reader_string(reader, id, &bytes, size, error) != SNAP_OK)
		return NULL;
	char *copy = cli_resize(NULL, *size + 1);
	memcpy(copy, bytes, *size);
	copy[*size] = '\0';
	return copy;
}

static enum snap_status each_property(struct snap_reader *reader, const char *file,
				      void (*use)(void *, const struct property *), void *context,
				      struct snap_error *error)
{
	static const uint32_t columns[] = {SNAP_PROPERTY_KEY, SNAP_PROPERTY_VALUE};
	uint64_t lost = 0;
	struct scan scan = scan_begin(reader, columns, 2, error);
	while (scan_next(&scan)) {
		struct property p = {0};
		p.key = copy_string(reader, scan_value(&scan, 0), &p.key_size, error);
		p.value = p.key ? copy_string(reader, scan_value(&scan, 1), &p.value_size, error)
				: NULL;
		if (p.value)
			use(context, &p);
		else if (error->status == SNAP_CORRUPT && cli_common.partial)
			lost++;
		else
			scan.status = error->status;
		free(p.key);
		free(p.value);
	}
	enum snap_status status = scan_end(&scan, &lost);
	if (status == SNAP_OK && lost > 0)
		cli_lost(file, lost);
	return status;
}

static void print_property(void *context, const struct property *p)
{
	(void)context;
	print_text(p->key, p->key_size);
	for (size_t i = p->key_size; i < 19; i++)
		putchar(' ');
	putchar(' ');
	print_text(p->value, p->value_size);
	putchar('\n');
}

static void property_row(void *context, const struct property *p)
{
	const struct print_cell cells[] = {print_bytes(p->key, p->key_size),
					   print_bytes(p->value, p->value_size)};
	print_row(context, cells);
}

static enum snap_status show_properties(struct snap_reader *reader, const char *file,
					struct snap_error *error)
{
	static const struct print_column columns[] = {{"key", PRINT_TEXT}, {"value", PRINT_TEXT}};
	struct print_table *table = print_begin("snap-info-properties/1", columns, 2);
	enum snap_status status = each_property(reader, file, property_row, table, error);
	print_end(table);
	return status;
}

/* ---- columns: sizes by table and column ---- */

struct usage {
	uint32_t column;
	uint64_t blocks, rows, raw, stored, encodings[4];
};

struct usages {
	struct usage *items;
	size_t count, capacity;
};

static int by_column(const void *left, const void *right)
{
	const struct usage *a = left, *b = right;
	return (a->column > b->column) - (a->column < b->column);
}

static void add_usage(struct usage *into, const struct usage *from)
{
	into->blocks += from->blocks;
	into->rows += from->rows;
	into->raw += from->raw;
	into->stored += from->stored;
	for (size_t i = 0; i < 4; i++)
		into->encodings[i] |= from->encodings[i];
}

static void merge_usages(struct usages *u)
{
	size_t kept = 0;
	if (u->count > 0)
		qsort(u->items, u->count, sizeof(*u->items), by_column);
	for (size_t i = 0; i < u->count; i++)
		if (kept > 0 && u->items[kept - 1].column == u->items[i].column)
			add_usage(&u->items[kept - 1], &u->items[i]);
		else
			u->items[kept++] = u->items[i];
	u->count = kept;
}

/* Merges whenever the array is full, so that it grows with the number of columns, not of blocks. */
static void count_block(struct usages *u, const struct snap_block_info *block)
{
	struct usage one = {.column = block->column,
			    .blocks = 1,
			    .rows = block->row_count,
			    .raw = block->raw_size,
			    .stored = block->stored_size};
	one.encodings[block->encoding / 64] |= UINT64_C(1) << (block->encoding % 64);
	if (u->count > 0 && u->items[u->count - 1].column == one.column) {
		add_usage(&u->items[u->count - 1], &one);
		return;
	}
	if (u->count == u->capacity) {
		merge_usages(u);
		if (u->count < u->capacity / 2) {
			u->items[u->count++] = one;
			return;
		}
		u->capacity = u->capacity * 2 + 64;
		u->items = cli_resize(u->items, u->capacity * sizeof(*u->items));
	}
	u->items[u->count++] = one;
}

static void usage_row(struct print_table *table, const struct usage *u)
{
	char encodings[256];
	struct names names = names_of(u->column);
	name_encodings(u->encodings, encodings, sizeof(encodings));
	const struct print_cell cells[] = {
		print_number(u->stored), print_number(u->raw),   print_number(u->rows),
		print_number(u->blocks), text_cell(names.table), text_cell(names.column),
		text_cell(encodings),
	};
	print_row(table, cells);
}

static void print_header(const char *file, const struct snap_reader_info *info, const char *flags,
			 const struct heap *heap, const struct info_memory *memory)
{
	char size[32];
	printf("file                ");
	print_text(file, strlen(file));
	printf("\nmember              %" PRIu64 " of %" PRIu64 "\n", info->member,
	       info->member_count);
	printf("size                %s (%" PRIu64 " bytes from byte %" PRIu64 ")\n",
	       print_size(info->size, size), info->size, info->offset);
	printf("identity            0x%016" PRIx64 "\n", info->identity);
	printf("format              %u.%u\n", info->major_version, info->minor_version);
	printf("state               %s\n", flags);
	if (heap->known)
		printf("heap                %s in %" PRIu64 " blocks\n",
		       print_size(heap->bytes, size), heap->count);
	if (info->flags & SNAP_SNAPSHOT_SAMPLED)
		printf("sampling interval   %s\n", print_size(info->sampling_interval_bytes, size));
	if (info->unknown_references > 0)
		printf("unknown references  %" PRIu64 "\n", info->unknown_references);
	info_memory_print(memory, info->flags & SNAP_SNAPSHOT_SAMPLED);
}

static void note_header(struct print_table *table, const char *file,
			const struct snap_reader_info *info, const char *flags,
			const struct heap *heap, const struct info_memory *memory)
{
	char text[40];
	print_note(table, "file", file);
	print_note_number(table, "member", info->member);
	print_note_number(table, "member_count", info->member_count);
	print_note_number(table, "offset", info->offset);
	print_note_number(table, "size", info->size);
	snprintf(text, sizeof(text), "0x%016" PRIx64, info->identity);
	print_note(table, "identity", text);
	snprintf(text, sizeof(text), "%u.%u", info->major_version, info->minor_version);
	print_note(table, "format", text);
	print_note(table, "state", flags);
	if (heap->known) {
		print_note_number(table, "heap_bytes", heap->bytes);
		print_note_number(table, "heap_blocks", heap->count);
	}
	print_note_number(table, "sampling_interval", info->sampling_interval_bytes);
	print_note_number(table, "unknown_references", info->unknown_references);
	print_note_number(table, "lost_blocks", info->lost_blocks);
	info_memory_note(table, memory);
}

static enum snap_status name_index(struct snap_reader *reader, char *flags, size_t size,
				   struct snap_error *error)
{
	static const char *const words[] = {
		[SNAP_INDEX_ABSENT] = "",
		[SNAP_INDEX_GOOD] = ",indexed",
		[SNAP_INDEX_FOREIGN] = ",foreign index",
	};
	struct snap_index_info index;
	enum snap_status status = snap_reader_index(reader, &index, error);
	if (status == SNAP_OK)
		snprintf(flags + strlen(flags), size - strlen(flags), "%s", words[index.state]);
	return status;
}

static enum snap_status show_columns(struct snap_reader *reader, const char *file,
				     struct snap_error *error)
{
	static const struct print_column columns[] = {
		{"stored_bytes", PRINT_BYTES}, {"raw_bytes", PRINT_BYTES}, {"rows", PRINT_COUNT},
		{"blocks", PRINT_COUNT},       {"table", PRINT_TEXT},      {"column", PRINT_TEXT},
		{"encodings", PRINT_TEXT},
	};
	struct snap_reader_info info;
	struct usages usages = {0};
	struct usage sum = {0};
	char flags[80];
	struct heap heap;
	struct info_memory memory;
	enum snap_status status = heap_total(reader, file, &heap, error);
	if (status == SNAP_OK)
		status = info_memory_read(reader, file, &memory, error);
	if (status != SNAP_OK)
		return status;
	snap_reader_info(reader, &info);
	name_flags(&info, flags);
	status = name_index(reader, flags, sizeof(flags), error);
	if (status != SNAP_OK)
		return status;
	if (cli_common.format == CLI_TABLE) {
		print_header(file, &info, flags, &heap, &memory);
		status = each_property(reader, file, print_property, NULL, error);
		putchar('\n');
	}
	struct print_table *table = print_begin("snap-info/1", columns, 7);
	note_header(table, file, &info, flags, &heap, &memory);
	struct snap_block_info block;
	for (uint64_t i = 0; snap_reader_block(reader, i, &block); i++)
		count_block(&usages, &block);
	merge_usages(&usages);
	for (size_t i = 0; i < usages.count; i++) {
		usage_row(table, &usages.items[i]);
		add_usage(&sum, &usages.items[i]);
	}
	const struct print_cell total[] = {
		print_number(sum.stored), print_number(sum.raw), print_absent(),
		print_number(sum.blocks), print_absent(),        print_absent(),
		print_absent(),
	};
	print_total(table, total);
	print_end(table);
	free(usages.items);
	return status;
}

/* ---- blocks ---- */

static enum snap_status show_blocks(struct snap_reader *reader)
{
	static const struct print_column columns[] = {
		{"offset", PRINT_NUMBER},    {"stored_bytes", PRINT_NUMBER},
		{"raw_bytes", PRINT_NUMBER}, {"first_row", PRINT_NUMBER},
		{"rows", PRINT_NUMBER},      {"hash", PRINT_HEX},
		{"critical", PRINT_NUMBER},  {"batch", PRINT_NUMBER},
		{"table", PRINT_TEXT},       {"column", PRINT_TEXT},
		{"encoding", PRINT_TEXT},
	};
	struct print_table *table = print_begin("snap-info-blocks/1", columns, 11);
	struct snap_block_info b;
	for (uint64_t i = 0; snap_reader_block(reader, i, &b); i++) {
		char encoding[16];
		uint64_t set[4] = {0};
		struct names names = names_of(b.column);
		set[b.encoding / 64] = UINT64_C(1) << (b.encoding % 64);
		name_encodings(set, encoding, sizeof(encoding));
		const struct print_cell cells[] = {
			print_number(b.offset),    print_number(b.stored_size),
			print_number(b.raw_size),  print_number(b.first_row),
			print_number(b.row_count), print_number(b.hash),
			print_number(b.flags & 1), print_number(b.batch),
			text_cell(names.table),    text_cell(names.column),
			text_cell(encoding),
		};
		print_row(table, cells);
	}
	print_end(table);
	return SNAP_OK;
}

/* ---- members of a series ---- */

static struct print_cell total_cell(bool known, uint64_t number)
{
	return known ? print_number(number) : print_absent();
}

static enum snap_status member_row(struct print_table *table, struct snap_reader *reader,
				   const char *file, struct snap_error *error)
{
	struct snap_reader_info info;
	char flags[80];
	struct heap heap;
	const char *time = "";
	size_t time_size = 0;
	snap_reader_info(reader, &info);
	name_flags(&info, flags);
	enum snap_status status = heap_total(reader, file, &heap, error);
	if (status == SNAP_OK)
		status = snap_reader_property(reader, "time", &time, &time_size, error);
	if (status != SNAP_OK && status != SNAP_END)
		return status;
	const struct print_cell cells[] = {
		print_number(info.member),
		total_cell(heap.known, heap.bytes),
		total_cell(heap.known, heap.count),
		print_number(info.size),
		print_number(info.offset),
		print_number(info.identity),
		text_cell(flags),
		status == SNAP_OK ? print_bytes(time, time_size) : print_absent(),
	};
	print_row(table, cells);
	return SNAP_OK;
}

/* ---- verification ---- */

static void show_progress(void *context, uint64_t done, uint64_t total)
{
	(void)context;
	cli_progress("verifying", done, total);
}

static void show_making(void *context, const char *what, uint64_t done, uint64_t total)
{
	(void)context;
	cli_progress(what, done, total);
}

static enum snap_status verify_all(struct snap_reader *reader, struct snap_error *error)
{
	struct snap_index_options options = SNAP_INDEX_OPTIONS_INIT;
	options.max_memory_bytes = cli_common.memory_bytes;
	options.progress = show_making;
	enum snap_status status = snap_reader_verify(reader, show_progress, NULL, error);
	if (status == SNAP_OK)
		status = snap_index_verify(reader, &options, error);
	cli_progress_end();
	return status;
}

/* A damaged member is trouble, unless --partial accepts it; the members after it are read all the
 * same. */
static int verify_row(struct print_table *table, struct snap_reader *reader, const char *file)
{
	struct snap_reader_info info;
	struct snap_error error = {0};
	snap_reader_info(reader, &info);
	enum snap_status status = verify_all(reader, &error);
	if (status == SNAP_OK && info.damaged) {
		status = SNAP_CORRUPT;
		error = info.damage;
	}
	const struct print_cell cells[] = {
		print_number(info.member),
		print_number(info.size),
		print_number(info.block_count),
		print_number(info.identity),
		text_cell(status == SNAP_OK ? "good" : snap_status_name(status)),
	};
	print_row(table, cells);
	if (status == SNAP_OK)
		return CLI_YES;
	if (cli_common.partial && status == SNAP_CORRUPT) {
		cli_lost(file, 0);
		return CLI_YES;
	}
	return cli_report(file, &error);
}

/* ---- outline ---- */

struct request {
	bool verify, blocks, members, properties, mappings;
};

/* All members, or the one that FILE#N names. */
static int show_series(const char *file, bool verify)
{
	static const struct print_column member_columns[] = {
		{"member", PRINT_NUMBER}, {"bytes", PRINT_BYTES},   {"count", PRINT_COUNT},
		{"size", PRINT_BYTES},    {"offset", PRINT_NUMBER}, {"identity", PRINT_HEX},
		{"state", PRINT_TEXT},    {"time", PRINT_TEXT},
	};
	static const struct print_column verify_columns[] = {
		{"member", PRINT_NUMBER}, {"size", PRINT_BYTES},  {"blocks", PRINT_COUNT},
		{"identity", PRINT_HEX},  {"result", PRINT_TEXT},
	};
	int result = CLI_YES;
	struct snap_error error;
	struct snap_reader_info info;
	struct snap_reader *(*open)(const char *, int64_t) =
		verify ? cli_open_to_verify : cli_open_member;
	struct snap_reader *reader = open(file, 1);
	struct print_table *table = verify ? print_begin("snap-info-verify/1", verify_columns, 5)
					   : print_begin("snap-info-members/1", member_columns, 8);
	for (int64_t member = 1;; member++) {
		snap_reader_info(reader, &info);
		if (verify && verify_row(table, reader, file) != CLI_YES)
			result = CLI_TROUBLE;
		if (!verify && member_row(table, reader, file ? file : "-", &error) != SNAP_OK)
			result = cli_report(file, &error);
		snap_reader_close(reader);
		if (cli_names_member(file) || info.member >= info.member_count)
			break;
		reader = open(file, member + 1);
	}
	print_end(table);
	return result;
}

static int show(const char *file, const struct request *request)
{
	struct snap_error error;
	if (request->verify || request->members)
		return show_series(file, request->verify);
	struct snap_reader *reader = cli_open_any(file);
	const char *name = file ? file : "-";
	enum snap_status status = request->blocks       ? show_blocks(reader)
				  : request->properties ? show_properties(reader, name, &error)
				  : request->mappings   ? info_list_mappings(reader, name, &error)
							: show_columns(reader, name, &error);
	snap_reader_close(reader);
	return status == SNAP_OK ? CLI_YES : cli_report(name, &error);
}

int main(int argc, char **argv)
{
	struct request request = {0};
	const struct cli_option options[] = {
		{0, "verify", NULL, "read and check every byte of every member", CLI_FLAG,
		 &request.verify},
		{0, "blocks", NULL, "list the blocks", CLI_FLAG, &request.blocks},
		{0, "members", NULL, "list the members of a series", CLI_FLAG, &request.members},
		{0, "properties", NULL, "list the properties", CLI_FLAG, &request.properties},
		{0, "mappings", NULL, "list the process's memory, and how much of it was resident",
		 CLI_FLAG, &request.mappings},
		{0},
	};
	const struct cli_tool tool = {
		"snap-info", "[OPTION]... [FILE]", "Describe a snapshot, or verify it.", 0, 1,
		options};
	char **files = cli_parse(&tool, argc, argv, NULL);
	if (request.verify + request.blocks + request.members + request.properties +
		    request.mappings >
	    1)
		cli_usage("only one of --verify, --blocks, --members, --properties and --mappings");
	int status = show(files[0], &request);
	return cli_finish(status == CLI_YES ? CLI_YES : CLI_TROUBLE);
}
