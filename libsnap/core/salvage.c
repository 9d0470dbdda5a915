/* What is whole of a damaged or cut file (FORMAT.md, section 8). */
#include "reader.h"

/* Which member of a series the frames of a walk belong to. */
struct members {
	uint64_t count;
	bool ended, any_block;
	uint64_t first_hash; /* of the member's first block */
};

static bool is_small(const struct libsnap_sound_frame *frame)
{
	return (frame->kind == LIBSNAP_FRAME_HEADER && frame->header.small) ||
	       (frame->kind == LIBSNAP_FRAME_BLOCK && frame->block.small);
}

/* A header begins a member.  Where the header itself is lost, a first block does. */
static bool begins_member(const struct members *members, const struct libsnap_sound_frame *frame)
{
	if (frame->kind == LIBSNAP_FRAME_HEADER || is_small(frame))
		return true;
	if (members->count == 0)
		return true;
	if (frame->kind != LIBSNAP_FRAME_BLOCK || frame->block.sequence != 0)
		return false;
	return members->ended || (members->any_block && frame->block.hash != members->first_hash);
}

static void follow(struct members *members, const struct libsnap_sound_frame *frame)
{
	if (begins_member(members, frame)) {
		members->count++;
		members->ended = members->any_block = false;
	}
	if (frame->kind == LIBSNAP_FRAME_BLOCK && !members->any_block) {
		members->any_block = true;
		members->first_hash = frame->block.hash;
	}
	if (frame->kind == LIBSNAP_FRAME_TRAILER || is_small(frame))
		members->ended = true;
}

static enum snap_status count_members(struct snap_reader *reader, uint64_t *count,
				      struct snap_error *error)
{
	struct libsnap_walk walk;
	struct members members = {0};
	enum snap_status status = libsnap_walk_begin(&walk, reader, error);
	struct libsnap_sound_frame frame;
	while (status == SNAP_OK && (status = libsnap_walk_next(&walk, &frame, error)) == SNAP_OK)
		follow(&members, &frame);
	libsnap_walk_end(&walk);
	*count = members.count;
	return status == SNAP_END ? SNAP_OK : status;
}

/* ---- one member's frames ---- */

struct salvaged {
	struct snap_reader *reader;
	bool any, has_header, has_trailer, has_directory;
	uint64_t start, end;
	struct snapfmt_trailer trailer;
	struct libsnap_directory directory;
};

static enum snap_status collect_block(struct salvaged *s, const struct libsnap_sound_frame *frame,
				      struct snap_error *error)
{
	struct snap_reader *reader = s->reader;
	enum snap_status status = libsnap_reserve_blocks(reader, reader->block_count + 1, error);
	if (status != SNAP_OK)
		return status;
	libsnap_block_from(&reader->blocks[reader->block_count++], &frame->block, frame->offset);
	return SNAP_OK;
}

/* Header and trailer in one; its identity is known when it is found whole. */
static void collect_small(struct salvaged *s)
{
	s->has_header = s->has_trailer = true;
	s->reader->info.major_version = s->reader->info.minor_version = 1;
	s->trailer = (struct snapfmt_trailer){.block_count = 1};
}

static enum snap_status collect(struct salvaged *s, const struct libsnap_sound_frame *frame,
				struct snap_error *error)
{
	if (frame->newer)
		return libsnap_fail(error, SNAP_UNSUPPORTED, frame->offset, "%s", frame->reason);
	if (!s->any)
		s->start = frame->offset;
	s->any = true;
	s->end = frame->offset + frame->size;
	if (is_small(frame))
		collect_small(s);
	switch (frame->kind) {
	case LIBSNAP_FRAME_HEADER:
		s->has_header = true;
		s->reader->info.major_version = frame->header.major;
		s->reader->info.minor_version = frame->header.minor;
		break;
	case LIBSNAP_FRAME_BLOCK: return collect_block(s, frame, error);
	case LIBSNAP_FRAME_DIRECTORY:
		s->has_directory = true;
		s->directory = (struct libsnap_directory){.offset = frame->offset,
							  .count = frame->entry_count};
		break;
	case LIBSNAP_FRAME_TRAILER:
		s->has_trailer = true;
		s->trailer = frame->trailer;
		break;
	case LIBSNAP_FRAME_NONE: break;
	}
	return SNAP_OK;
}

static enum snap_status collect_member(struct salvaged *s, uint64_t number,
				       struct snap_error *error)
{
	struct libsnap_walk walk;
	struct members members = {0};
	enum snap_status status = libsnap_walk_begin(&walk, s->reader, error);
	struct libsnap_sound_frame frame;
	while (status == SNAP_OK && (status = libsnap_walk_next(&walk, &frame, error)) == SNAP_OK) {
		follow(&members, &frame);
		if (members.count > number)
			break;
		if (members.count == number)
			status = collect(s, &frame, error);
	}
	libsnap_walk_end(&walk);
	return status == SNAP_END ? SNAP_OK : status;
}

/* ---- from frames to a directory with holes ---- */

/* Blocks by sequence; of several with one number, the first that was found. */
static enum snap_status sort_by_sequence(struct snap_reader *reader, uint64_t **keys_out,
					 struct snap_error *error)
{
	void *memory = NULL;
	enum snap_status status = libsnap_reader_resize(reader, &memory, 0, reader->block_count,
							sizeof(uint64_t), error);
	if (status != SNAP_OK)
		return status;
	uint64_t *keys = memory;
	for (size_t i = 0; i < reader->block_count; i++)
		keys[i] = (uint64_t)reader->blocks[i].sequence << 32 | i;
	libsnap_sort_u64(keys, reader->block_count);
	*keys_out = keys;
	return SNAP_OK;
}

/* Puts found blocks in the places that a sound directory gives them; the others are lost. */
struct matching {
	const struct libsnap_block *found;
	const uint64_t *keys;
	size_t found_count, next;
	struct libsnap_block *blocks;
	uint64_t lost;
};

static bool is_same(const struct libsnap_block *a, const struct snapfmt_block *b)
{
	return a->sequence == b->sequence && a->hash == b->hash &&
	       a->column == SNAP_COLUMN(b->table, b->column) &&
	       (snapfmt_is_batch(b) || a->first_row == b->first_row) &&
	       a->row_count == b->row_count && a->raw_size == b->raw_size &&
	       a->stored_size == b->stored_size && a->encoding == b->encoding &&
	       a->flags == b->flags;
}

static enum snap_status match_entry(void *context, const struct snapfmt_block *entry,
				    struct snap_error *error)
{
	(void)error;
	struct matching *m = context;
	struct libsnap_block *block = &m->blocks[entry->sequence];
	libsnap_block_from(block, entry, 0);
	block->lost = 1;
	for (; m->next < m->found_count && m->keys[m->next] >> 32 <= entry->sequence; m->next++) {
		const struct libsnap_block *found = &m->found[(uint32_t)m->keys[m->next]];
		if (block->lost && is_same(found, entry)) {
			block->offset = found->offset;
			block->lost = 0;
		}
	}
	m->lost += block->lost;
	return SNAP_OK;
}

static enum snap_status use_directory(struct salvaged *s, const uint64_t *keys, uint64_t *lost,
				      struct snap_error *error)
{
	struct snap_reader *reader = s->reader;
	void *blocks = NULL;
	enum snap_status status = libsnap_reader_resize(reader, &blocks, 0, s->directory.count,
							sizeof *reader->blocks, error);
	if (status != SNAP_OK)
		return status;
	struct matching matching = {.found = reader->blocks,
				    .keys = keys,
				    .found_count = reader->block_count,
				    .blocks = blocks};
	status = libsnap_read_directory(reader, &s->directory, match_entry, &matching, error);
	if (status != SNAP_OK) {
		libsnap_reader_free(reader, blocks, s->directory.count, sizeof *reader->blocks);
		return status;
	}
	libsnap_reader_free(reader, reader->blocks, reader->block_capacity, sizeof *reader->blocks);
	reader->blocks = blocks;
	reader->block_count = reader->block_capacity = s->directory.count;
	*lost = matching.lost;
	return SNAP_OK;
}

static enum snap_status use_sequence(struct salvaged *s, const uint64_t *keys, uint64_t *lost,
				     struct snap_error *error)
{
	struct snap_reader *reader = s->reader;
	void *memory = NULL;
	size_t capacity = reader->block_count;
	enum snap_status status =
		libsnap_reader_resize(reader, &memory, 0, capacity, sizeof *reader->blocks, error);
	if (status != SNAP_OK)
		return status;
	struct libsnap_block *blocks = memory;
	size_t count = 0;
	for (size_t i = 0; i < reader->block_count; i++) {
		const struct libsnap_block *block = &reader->blocks[(uint32_t)keys[i]];
		if (count == 0 || blocks[count - 1].sequence != block->sequence)
			blocks[count++] = *block;
	}
	uint64_t known = s->has_trailer ? s->trailer.block_count : 0;
	if (count && known < (uint64_t)blocks[count - 1].sequence + 1)
		known = (uint64_t)blocks[count - 1].sequence + 1;
	*lost = known - count;
	libsnap_reader_free(reader, reader->blocks, reader->block_capacity, sizeof *reader->blocks);
	reader->blocks = blocks;
	reader->block_capacity = capacity;
	reader->block_count = count;
	return SNAP_OK;
}

/* ---- columns that are absent, or lost? ---- */

/* How many stretches of rows are missing between the blocks of columns. */
static uint64_t count_row_gaps(const struct snap_reader *reader)
{
	uint64_t gaps = 0;
	for (size_t i = 0; i < reader->column_count; i++) {
		const struct libsnap_column *column = &reader->columns[i];
		uint64_t row = 0;
		for (uint32_t k = 0; k < column->count; k++) {
			const struct libsnap_block *block = libsnap_block_of(reader, column, k);
			gaps += block->first_row > row;
			row = block->first_row + block->row_count;
		}
	}
	return gaps;
}

/* From which row of the last block's table columns may be missing that were
 * yet to be written.  If blocks come row by row, all columns of some rows
 * and then all of the next, those before the last block's are complete. */
static uint64_t last_whole_row(const struct snap_reader *reader, const struct libsnap_block *last)
{
	uint64_t row = 0;
	bool several = false;
	for (size_t i = 0; i < reader->block_count; i++) {
		const struct libsnap_block *block = &reader->blocks[i];
		if (block->column >> 16 != last->column >> 16)
			continue;
		if (block->first_row < row)
			return 0;
		row = block->first_row;
		several |= block->column != last->column;
	}
	return several ? last->first_row : 0;
}

/* Without a directory, a column of which no block was found is taken as absent only where all
 * missing blocks are known to be others, and its table is known to have been finished. */
static void find_doubts(const struct salvaged *s, uint64_t lost_blocks, uint64_t lost_tables)
{
	struct snap_reader *reader = s->reader;
	bool explained = lost_blocks <= count_row_gaps(reader);
	const struct libsnap_block *last =
		reader->block_count ? &reader->blocks[reader->block_count - 1] : NULL;
	/* A trailer says how many blocks there were: if none
	 * of them is lost, nothing is behind the last. */
	if (s->has_trailer && lost_blocks == 0)
		last = NULL;
	for (uint16_t table = 0; table <= SNAPFMT_TABLE_COUNT; table++) {
		/* Rows that are known only by their ids come behind. */
		uint64_t from = explained ? reader->rows[table] : 0;
		if (last && last->column >> 16 == table && from > 0)
			from = last_whole_row(reader, last);
		if (s->has_directory)
			from = UINT64_MAX;
		reader->doubtful_from[table] = lost_tables & snapfmt_table_bit(table) ? 0 : from;
	}
}

/* ---- rows that are known only because something refers to them ---- */

static void know_rows(struct snap_reader *reader, uint16_t table, uint64_t id)
{
	if (id <= LIBSNAP_MAX_ROWS_KNOWN && id > reader->rows[table])
		reader->rows[table] = id;
}

static void know_labels(struct snap_reader *reader, const uint64_t *values, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		if ((values[i] & 3) == 0)
			know_rows(reader, SNAP_STRINGS, values[i] >> 2);
		else if ((values[i] & 3) == 2)
			know_rows(reader, SNAP_OBJECTS, values[i] >> 2);
	}
}

static enum snap_status know_block(struct libsnap_decoder *decoder,
				   const struct snapfmt_column *known, struct libsnap_block *block,
				   uint64_t *values, struct snap_error *error)
{
	struct snap_error own;
	enum snap_status status = libsnap_fetch_values(decoder, block, values, &own);
	if (status == SNAP_CORRUPT) {
		libsnap_note_lost(decoder->reader, block, &own);
		return SNAP_OK;
	}
	if (status != SNAP_OK) {
		if (error)
			*error = own;
		return status;
	}
	if (known->unit == SNAPFMT_LABEL) {
		know_labels(decoder->reader, values, block->row_count);
		return SNAP_OK;
	}
	uint64_t largest = 0;
	for (size_t i = 0; i < block->row_count; i++)
		largest = values[i] > largest ? values[i] : largest;
	know_rows(decoder->reader, known->refers_to, largest);
	return SNAP_OK;
}

/* Without a directory the end of a table may be lost
 * unseen, but ids must stay within their tables. */
static enum snap_status extend_rows(struct snap_reader *reader, struct snap_error *error)
{
	struct libsnap_decoder decoder;
	libsnap_decoder_init(&decoder, reader);
	void *memory = NULL;
	size_t capacity = 0;
	enum snap_status status = SNAP_OK;
	for (size_t i = 0; i < reader->column_count && status == SNAP_OK; i++) {
		const struct libsnap_column *column = &reader->columns[i];
		if (!column->known ||
		    (!column->known->refers_to && column->known->unit != SNAPFMT_LABEL))
			continue;
		for (uint32_t k = 0; k < column->count && status == SNAP_OK; k++) {
			struct libsnap_block *block = libsnap_block_of(reader, column, k);
			status = libsnap_reader_reserve(reader, &memory, &capacity,
							block->row_count, sizeof(uint64_t), error);
			if (status == SNAP_OK)
				status = know_block(&decoder, column->known, block, memory, error);
		}
	}
	libsnap_reader_free(reader, memory, capacity, sizeof(uint64_t));
	libsnap_decoder_end(&decoder);
	return status;
}

/* ---- all together ---- */

static enum snap_status rebuild(struct salvaged *s, const struct snap_error *damage,
				struct snap_error *error)
{
	struct snap_reader *reader = s->reader;
	uint64_t *keys, lost = 0;
	size_t found = reader->block_count;
	enum snap_status status = sort_by_sequence(reader, &keys, error);
	if (status != SNAP_OK)
		return status;
	if (s->has_directory)
		status = use_directory(s, keys, &lost, error);
	else
		status = use_sequence(s, keys, &lost, error);
	libsnap_reader_free(reader, keys, found, sizeof *keys);
	if (status != SNAP_OK)
		return status;
	libsnap_note_damage(reader, lost, damage);
	uint64_t lost_tables;
	status = libsnap_open_batches(reader, true, &lost_tables, error);
	if (status == SNAP_OK)
		status = libsnap_index_blocks(reader, true, error);
	if (status != SNAP_OK || (s->has_directory && !lost_tables))
		return status;
	find_doubts(s, lost, lost_tables);
	status = extend_rows(reader, error);
	return status == SNAP_OK ? libsnap_extend_layout(reader, error) : status;
}

enum snap_status libsnap_salvage(struct snap_reader *reader, int64_t wanted,
				 const struct snap_error *given_damage, struct snap_error *error)
{
	const struct snap_error damage = *given_damage;
	libsnap_forget_blocks(reader);
	uint64_t count;
	enum snap_status status = count_members(reader, &count, error);
	if (status != SNAP_OK)
		return status;
	if (count == 0) {
		if (error)
			*error = damage;
		return damage.status;
	}
	uint64_t number = libsnap_member_number(wanted, count);
	if (number == 0)
		return libsnap_fail(error, SNAP_MISUSE, SNAP_NO_OFFSET,
				    "no snapshot %lld: %llu were found in the damaged file",
				    (long long)wanted, (unsigned long long)count);
	struct salvaged s = {.reader = reader};
	status = collect_member(&s, number, error);
	if (status != SNAP_OK)
		return status;
	struct snap_reader_info *info = &reader->info;
	info->member = number;
	info->member_count = count;
	info->offset = s.start;
	info->size = s.end - s.start;
	info->flags = SNAP_SNAPSHOT_PARTIAL;
	if (s.has_trailer) {
		info->flags |= s.trailer.flags & ~SNAPFMT_NO_DIRECTORY;
		info->identity = s.trailer.identity;
		info->sampling_interval_bytes = s.trailer.sampling_interval;
		info->unknown_references = s.trailer.unknown_references;
	}
	return rebuild(&s, &damage, error);
}
