/* What was resident beside live blocks, and the list of
 * mappings that tells (spec/FORMAT.md, section 7.4). */
#include "info.h"

#include <stdio.h>
#include <string.h>

#include "words.h"

enum { ADDRESS, SIZE, RESIDENT, LIVE, KIND, FLAGS, NAME, COLUMNS };

typedef enum snap_status use_mapping(void *context, struct snap_reader *,
				     const uint64_t row[COLUMNS], struct snap_error *);

static enum snap_status each_mapping(struct snap_reader *reader, const char *file, use_mapping *use,
				     void *context, struct snap_error *error)
{
	static const uint32_t columns[COLUMNS] = {
		SNAP_MAPPING_ADDRESS, SNAP_MAPPING_SIZE,        SNAP_MAPPING_RESIDENT,
		SNAP_MAPPING_LIVE,    SNAP_MAPPING_KIND_COLUMN, SNAP_MAPPING_FLAGS,
		SNAP_MAPPING_NAME,
	};
	uint64_t lost = 0;
	struct scan scan = scan_begin(reader, columns, COLUMNS, error);
	while (scan_next(&scan)) {
		uint64_t row[COLUMNS];
		for (size_t k = 0; k < COLUMNS; k++)
			row[k] = scan_value(&scan, k);
		scan.status = use(context, reader, row, error);
	}
	enum snap_status status = scan_end(&scan, &lost);
	if (lost > 0)
		cli_lost(file, lost);
	return status;
}

/* ---- the account ---- */

static void add(uint64_t *sum, uint64_t bytes)
{
	*sum = bytes > UINT64_MAX - *sum ? UINT64_MAX : *sum + bytes;
}

static enum snap_status add_mapping(void *context, struct snap_reader *reader,
				    const uint64_t row[COLUMNS], struct snap_error *error)
{
	struct info_memory *m = context;
	uint64_t live = row[LIVE] < row[RESIDENT] ? row[LIVE] : row[RESIDENT];
	(void)reader;
	(void)error;
	m->known = true;
	add(&m->resident, row[RESIDENT]);
	add(&m->live, live);
	add(&m->by_kind[row[KIND] <= SNAP_MAPPING_RECORDER ? row[KIND] : SNAP_MAPPING_OTHER],
	    row[RESIDENT] - live);
	return SNAP_OK;
}

enum snap_status info_memory_read(struct snap_reader *reader, const char *file,
				  struct info_memory *out, struct snap_error *error)
{
	*out = (struct info_memory){0};
	return each_mapping(reader, file, add_mapping, out, error);
}

static void print_line(const char *what, uint64_t bytes)
{
	char size[32];
	printf("%-19s %12s\n", what, print_size(bytes, size));
}

void info_memory_print(const struct info_memory *m, bool sampled)
{
	if (!m->known)
		return;
	print_line("resident", m->resident);
	if (!sampled)
		print_line("  live blocks", m->live);
	print_line(sampled ? "  heap" : "  free, overhead", m->by_kind[SNAP_MAPPING_HEAP]);
	print_line("  stacks", m->by_kind[SNAP_MAPPING_STACK]);
	print_line("  files", m->by_kind[SNAP_MAPPING_FILE]);
	print_line("  other", m->by_kind[SNAP_MAPPING_OTHER]);
	print_line("  recorder", m->by_kind[SNAP_MAPPING_RECORDER]);
}

void info_memory_note(struct print_table *table, const struct info_memory *m)
{
	static const char *const keys[] = {"resident_other", "resident_heap", "resident_stacks",
					   "resident_files", "resident_recorder"};
	if (!m->known)
		return;
	print_note_number(table, "resident", m->resident);
	print_note_number(table, "resident_live", m->live);
	for (size_t i = 0; i <= SNAP_MAPPING_RECORDER; i++)
		print_note_number(table, keys[i], m->by_kind[i]);
}

/* ---- the list ---- */

static enum snap_status mapping_row(void *context, struct snap_reader *reader,
				    const uint64_t row[COLUMNS], struct snap_error *error)
{
	const char *name = "", *kind = word_of(WORDS_MAPPING_KIND, row[KIND]);
	size_t name_size = 0;
	char flags[5] = "rwxs";
	for (unsigned bit = 0; bit < 4; bit++)
		if (!(row[FLAGS] >> bit & 1))
			flags[bit] = '-';
	enum snap_status status = SNAP_OK;
	if (row[NAME] != 0)
		status = snap_reader_string(reader, row[NAME], &name, &name_size, error);
	if (status == SNAP_CORRUPT && cli_common.partial) {
		name_size = 0;
		status = SNAP_OK;
	}
	if (status != SNAP_OK)
		return status;
	const struct print_cell cells[] = {
		print_number(row[RESIDENT]),
		print_number(row[LIVE]),
		print_number(row[SIZE]),
		print_number(row[ADDRESS]),
		print_bytes(flags, 4),
		kind ? print_bytes(kind, strlen(kind)) : print_absent(),
		name_size ? print_bytes(name, name_size) : print_absent(),
	};
	print_row(context, cells);
	return SNAP_OK;
}

enum snap_status info_list_mappings(struct snap_reader *reader, const char *file,
				    struct snap_error *error)
{
	static const struct print_column columns[] = {
		{"resident", PRINT_BYTES}, {"live", PRINT_BYTES}, {"size", PRINT_BYTES},
		{"address", PRINT_HEX},    {"flags", PRINT_TEXT}, {"kind", PRINT_TEXT},
		{"name", PRINT_TEXT},
	};
	struct print_table *table = print_begin("snap-info-mappings/1", columns, 7);
	enum snap_status status = each_mapping(reader, file, mapping_row, table, error);
	print_end(table);
	return status;
}
