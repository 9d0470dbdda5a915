/* Copies a snapshot block by block, with other frames and more strings (FORMAT.md, section 7.1).
 *
 * Blocks keep their compressed bytes; only their numbers, and so their hashes, are
 * new.  What is derived from the blocks of one file, as an index, is left out. */
#include <string.h>

#include "reader.h"
#include "writer.h"

struct copy {
	struct snap_writer *writer;
	struct snap_reader *reader;
	const struct snap_naming *naming;
	struct libsnap_decoder decoder;
	bool strings_done, frames_done;
};

static enum snap_status text_at(struct snap_writer *w, void *context, size_t i, const char **bytes,
				size_t *size)
{
	struct copy *c = context;
	uint64_t old_count = c->reader->rows[SNAP_STRINGS];
	if (i < old_count)
		return snap_reader_string(c->reader, i + 1, bytes, size, &w->problem);
	*bytes = c->naming->texts[i - old_count];
	*size = c->naming->text_sizes[i - old_count];
	return SNAP_OK;
}

static enum snap_status write_strings(struct copy *c)
{
	size_t count = (size_t)c->reader->rows[SNAP_STRINGS] + c->naming->text_count;
	c->strings_done = true;
	return libsnap_write_texts(c->writer, count, text_at, c);
}

static enum snap_status write_frames(struct copy *c)
{
	struct libsnap_table_out t;
	enum snap_status status = SNAP_OK;
	c->frames_done = true;
	libsnap_table_begin(&t, c->writer, SNAP_FRAMES, c->naming->frame_count);
	for (size_t i = 0; i < c->naming->frame_count && status == SNAP_OK; i++) {
		const struct snap_frame *f = &c->naming->frames[i];
		const uint64_t values[] = {f->function, f->file,   f->line,
					   f->module,   f->offset, f->inlined_into};
		status = libsnap_table_row(&t, values);
	}
	return libsnap_table_end(&t, status);
}

/* Into w->stored, behind room for a header, as they are in the file. */
static enum snap_status read_stored(struct copy *c, const struct libsnap_block *block)
{
	struct snap_writer *w = c->writer;
	uint64_t payload = block->offset + SNAPFMT_BLOCK_HEADER_SIZE;
	return libsnap_source_read(&c->reader->source, payload,
				   w->stored + SNAPFMT_BLOCK_HEADER_SIZE, block->stored_size,
				   &w->problem);
}

static enum snap_status copy_block(struct copy *c, const struct libsnap_block *block)
{
	struct snap_writer *w = c->writer;
	struct snapfmt_block header = libsnap_block_header(block);
	bool added = false;
	enum snap_status status = libsnap_fetch(&c->decoder, block, w->encoder.raw, &w->problem);
	if (status == SNAP_OK && block->batch)
		status = libsnap_batch_add(w, &header, w->encoder.raw, block->raw_size, &added);
	if (status != SNAP_OK || added)
		return status;
	if (block->batch)
		return libsnap_write_block(w, &header, w->encoder.raw, block->raw_size);
	status = libsnap_batch_precede(w, &header);
	if (status == SNAP_OK)
		status = read_stored(c, block);
	return status == SNAP_OK
		       ? libsnap_out_block(w, &header, w->stored + SNAPFMT_BLOCK_HEADER_SIZE)
		       : status;
}

static enum snap_status copy_or_replace(struct copy *c, const struct libsnap_block *block)
{
	uint32_t table = block->column >> 16;
	if (table == SNAP_STRINGS)
		return c->strings_done ? SNAP_OK : write_strings(c);
	if (table == SNAP_FRAMES)
		return c->frames_done ? SNAP_OK : write_frames(c);
	return copy_block(c, block);
}

static enum snap_status copy_all(struct copy *c)
{
	struct snap_writer *w = c->writer;
	enum snap_status status = libsnap_out_begin(w);
	for (size_t i = 0; i < c->reader->block_count && status == SNAP_OK; i++)
		status = copy_or_replace(c, &c->reader->blocks[i]);
	if (status == SNAP_OK && !c->strings_done && c->naming->text_count > 0)
		status = write_strings(c);
	return status;
}

/* Every frame that a stack names is still there. */
static enum snap_status check_stacks(struct snap_writer *w, struct snap_reader *from,
				     size_t frame_count)
{
	static const uint32_t column = SNAP_STACK_FRAME;
	struct scan scan = scan_begin(from, &column, 1, &w->problem);
	while (scan_next(&scan))
		if (scan_value(&scan, 0) > frame_count)
			scan.status = libsnap_misuse(w, "frame %llu is missing, and has a stack",
						     (unsigned long long)scan_value(&scan, 0));
	return scan_end(&scan, NULL);
}

static enum snap_status check_naming(struct snap_writer *w, struct snap_reader *from,
				     const struct snap_naming *naming)
{
	uint64_t strings = from->rows[SNAP_STRINGS] + naming->text_count;
	if (from->info.damaged)
		return libsnap_misuse(w, "a damaged snapshot is not copied");
	for (size_t i = 0; i < naming->frame_count; i++) {
		const struct snap_frame *f = &naming->frames[i];
		if (f->function > strings || f->file > strings ||
		    f->module > from->rows[SNAP_MODULES] || f->inlined_into > naming->frame_count)
			return libsnap_misuse(w, "frame %zu refers to what is not there", i + 1);
	}
	for (size_t i = 0; i < naming->text_count; i++)
		if (naming->text_sizes[i] > SNAP_MAX_STRING_SIZE)
			return libsnap_misuse(w, "a text over %u bytes", SNAP_MAX_STRING_SIZE);
	return check_stacks(w, from, naming->frame_count);
}

static enum snap_status write_copy(struct snap_writer *w, void *context)
{
	struct copy *c = context;
	enum snap_status status = check_naming(w, c->reader, c->naming);
	w->flags = c->reader->info.flags;
	w->sampling_interval = c->reader->info.sampling_interval_bytes;
	w->unknown_references = c->reader->info.unknown_references;
	libsnap_decoder_init(&c->decoder, c->reader);
	if (status == SNAP_OK)
		status = copy_all(c);
	libsnap_decoder_end(&c->decoder);
	return status;
}

enum snap_status snap_writer_finish_renamed(struct snap_writer *w, struct snap_reader *from,
					    const struct snap_naming *naming,
					    struct snap_writer_summary *out,
					    struct snap_error *error)
{
	struct copy copy = {.writer = w, .reader = from, .naming = naming};
	return libsnap_writer_finish_copy(w, write_copy, &copy, out, error);
}
