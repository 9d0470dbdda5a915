/* What a reader tells of a snapshot: its columns, blocks,
 * strings and properties (FORMAT.md, section 7.1). */
#include <string.h>

#include "reader.h"

void snap_reader_info(const struct snap_reader *reader, struct snap_reader_info *out)
{
	/* The lock alone is not const: damage may be found meanwhile on another thread. */
	pthread_mutex_t *lock = (pthread_mutex_t *)(uintptr_t)&reader->lock;
	pthread_mutex_lock(lock);
	*out = reader->info;
	pthread_mutex_unlock(lock);
}

uint64_t snap_reader_row_count(const struct snap_reader *reader, enum snap_table table)
{
	return (unsigned)table <= SNAPFMT_TABLE_COUNT ? reader->rows[table] : 0;
}

bool snap_reader_has_column(const struct snap_reader *reader, uint32_t column)
{
	const struct libsnap_column *found = libsnap_find_column(reader, column);
	return found && found->known && found->count > 0;
}

static void describe(const struct snapfmt_column *known, struct snap_column_info *out)
{
	*out = (struct snap_column_info){
		.column = SNAP_COLUMN(known->table, known->column),
		.table_name = known->table_name,
		.column_name = known->column_name,
		.is_text = known->is_text,
		.default_value = known->default_value,
		.refers_to = known->refers_to,
	};
}

bool snap_column_describe(uint32_t column, struct snap_column_info *out)
{
	const struct snapfmt_column *known =
		snapfmt_find_column((uint16_t)(column >> 16), (uint16_t)column);
	*out = (struct snap_column_info){.column = column};
	if (known)
		describe(known, out);
	return known != NULL;
}

bool snap_column_at(size_t index, struct snap_column_info *out)
{
	if (index >= snapfmt_column_count)
		return false;
	describe(&snapfmt_columns[index], out);
	return true;
}

bool snap_reader_block(const struct snap_reader *reader, uint64_t index,
		       struct snap_block_info *out)
{
	if (index >= reader->block_count)
		return false;
	const struct libsnap_block *block = &reader->blocks[index];
	*out = (struct snap_block_info){
		.column = block->column,
		.encoding = block->encoding,
		.flags = block->flags,
		.offset = block->offset,
		.first_row = block->first_row,
		.hash = block->hash,
		.row_count = block->row_count,
		.raw_size = block->raw_size,
		.stored_size = block->stored_size,
		.batch = block->batch,
	};
	return true;
}

const char *snap_encoding_name(uint8_t encoding)
{
	return encoding < SNAPFMT_ENCODING_COUNT ? snapfmt_codecs[encoding].name : NULL;
}

enum snap_status snap_reader_string(struct snap_reader *reader, uint64_t id, const char **bytes,
				    size_t *size, struct snap_error *error)
{
	if (id == 0) {
		*bytes = "";
		*size = 0;
		return SNAP_OK;
	}
	if (id > reader->rows[SNAP_STRINGS])
		return libsnap_fail(error, SNAP_CORRUPT, SNAP_NO_OFFSET,
				    "string %llu is asked for, but there are %llu",
				    (unsigned long long)id,
				    (unsigned long long)reader->rows[SNAP_STRINGS]);
	if (!reader->strings) {
		enum snap_status status =
			snap_column_open(&reader->strings, reader, SNAP_STRING_TEXT, error);
		if (status != SNAP_OK)
			return status;
	}
	return snap_column_text(reader->strings, id - 1, bytes, size, error);
}

static enum snap_status open_properties(struct snap_reader *reader, struct snap_error *error)
{
	enum snap_status status = SNAP_OK;
	if (!reader->property_keys)
		status = snap_column_open(&reader->property_keys, reader, SNAP_PROPERTY_KEY, error);
	if (status == SNAP_OK && !reader->property_values)
		status = snap_column_open(&reader->property_values, reader, SNAP_PROPERTY_VALUE,
					  error);
	return status;
}

enum snap_status snap_reader_property(struct snap_reader *reader, const char *key,
				      const char **bytes, size_t *size, struct snap_error *error)
{
	enum snap_status status = open_properties(reader, error);
	size_t key_size = strlen(key);
	for (uint64_t row = 0; status == SNAP_OK && row < reader->rows[SNAP_PROPERTIES]; row++) {
		uint64_t id;
		const char *found;
		size_t found_size;
		status = snap_column_read(reader->property_keys, row, 1, &id, error);
		if (status == SNAP_OK)
			status = snap_reader_string(reader, id, &found, &found_size, error);
		/* What is lost of other properties does not matter to a partial reader. */
		if (status == SNAP_CORRUPT && reader->partial) {
			status = SNAP_OK;
			continue;
		}
		if (status != SNAP_OK || found_size != key_size ||
		    memcmp(found, key, key_size) != 0)
			continue;
		status = snap_column_read(reader->property_values, row, 1, &id, error);
		return status == SNAP_OK ? snap_reader_string(reader, id, bytes, size, error)
					 : status;
	}
	return status == SNAP_OK ? SNAP_END : status;
}
