/* Lanes: the records of each shape's objects, one after the
 * other, in memory and before that in a temporary file. */
#include <errno.h>
#include <string.h>

#include "writer.h"

#define CHUNK_LEAST  64 /* of a lane: there may be many */
#define WRITE_BUFFER 65536
#define RUN_MOST     262144 /* of what is read in one piece, unless it is one record */

void libsnap_lanes_init(struct libsnap_lanes *lanes, const struct snap_allocator *allocator)
{
	*lanes = (struct libsnap_lanes){.file = NULL};
	libsnap_pages_init(&lanes->lanes, allocator, sizeof(struct libsnap_lane));
}

static void forget_tape(struct libsnap_lanes *lanes, struct libsnap_lane *lane)
{
	lanes->memory_bytes -= lane->tape.memory_bytes;
	libsnap_tape_free(&lane->tape);
	lane->tape.least = CHUNK_LEAST;
}

void libsnap_lane_free(struct libsnap_lanes *lanes, struct libsnap_lane *lane)
{
	if (!lane)
		return;
	forget_tape(lanes, lane);
	libsnap_free(lane->tape.allocator, lane->runs, lane->run_capacity, sizeof(*lane->runs));
	lane->runs = NULL;
	lane->run_count = lane->run_capacity = 0;
}

void libsnap_lanes_free(struct snap_writer *w, struct libsnap_lanes *lanes)
{
	for (uint64_t i = 0; i < lanes->lanes.count; i++)
		libsnap_lane_free(lanes, libsnap_pages_at(&lanes->lanes, i));
	libsnap_pages_free(&lanes->lanes);
	if (lanes->file)
		w->io->close(w->io->context, lanes->file);
	libsnap_lanes_init(lanes, w->allocator);
}

struct libsnap_lane *libsnap_lane_at(const struct libsnap_lanes *lanes, uint32_t shape)
{
	return shape <= lanes->lanes.count ? libsnap_pages_at(&lanes->lanes, shape - 1) : NULL;
}

struct libsnap_lane *libsnap_lane_reach(struct snap_writer *w, struct libsnap_lanes *lanes,
					uint32_t shape)
{
	while (lanes->lanes.count < shape) {
		struct libsnap_lane *lane = libsnap_pages_add(&lanes->lanes);
		if (!lane)
			return NULL;
		libsnap_tape_init(&lane->tape, w->allocator);
		lane->tape.least = CHUNK_LEAST;
	}
	return libsnap_lane_at(lanes, shape);
}

enum snap_status libsnap_lane_add(struct snap_writer *w, struct libsnap_lanes *lanes,
				  uint32_t shape, uint64_t id, const uint8_t *bytes, size_t size)
{
	struct libsnap_lane *lane = libsnap_lane_reach(w, lanes, shape);
	uint8_t *room = lane ? libsnap_lane_room(lanes, lane, size) : NULL;
	if (!room)
		return libsnap_fail_memory(&w->problem);
	uint8_t *at = libsnap_lane_put_id(lane, room, id);
	memcpy(at, bytes, size);
	libsnap_tape_commit(&lane->tape, (size_t)(at - room) + size);
	return SNAP_OK;
}

/* ---- into the file ---- */

struct lanes_writer {
	struct snap_writer *writer;
	struct libsnap_lanes *lanes;
	uint8_t *buffer;
	size_t used;
	uint64_t offset; /* of the buffer */
};

static enum snap_status put_out(struct lanes_writer *o, const void *bytes, size_t size)
{
	const struct snap_io *io = o->writer->io;
	int failed = size ? io->write_at(io->context, o->lanes->file, o->offset, bytes, size) : 0;
	if (failed)
		return libsnap_fail_io(&o->writer->problem, failed, SNAP_NO_OFFSET,
				       "cannot write a temporary file in %s", o->writer->folder);
	o->offset += size;
	return SNAP_OK;
}

static enum snap_status put_chunk(struct lanes_writer *o, const struct libsnap_tape_chunk *chunk)
{
	if (chunk->used > WRITE_BUFFER - o->used) {
		enum snap_status status = put_out(o, o->buffer, o->used);
		o->used = 0;
		if (status != SNAP_OK || chunk->used > WRITE_BUFFER)
			return status == SNAP_OK ? put_out(o, chunk->bytes, chunk->used) : status;
	}
	memcpy(o->buffer + o->used, chunk->bytes, chunk->used);
	o->used += chunk->used;
	return SNAP_OK;
}

/* No record lies across two runs, so that each can be read alone. */
static bool add_run(struct lanes_writer *o, struct libsnap_lane *lane, uint64_t size)
{
	uint64_t offset = o->offset + o->used;
	struct libsnap_sort_run *last = lane->run_count ? &lane->runs[lane->run_count - 1] : NULL;
	if (last && last->offset + last->size == offset && last->size + size <= RUN_MOST) {
		last->size += size;
		return true;
	}
	struct libsnap_sort_run *runs =
		libsnap_grow(o->writer->allocator, lane->runs, &lane->run_capacity,
			     lane->run_count + 1, sizeof(*runs));
	if (!runs)
		return false;
	lane->runs = runs;
	runs[lane->run_count++] = (struct libsnap_sort_run){offset, size};
	return true;
}

static enum snap_status spill_lane(struct lanes_writer *o, struct libsnap_lane *lane)
{
	enum snap_status status = SNAP_OK;
	for (size_t i = 0; i < lane->tape.chunk_count && status == SNAP_OK; i++) {
		if (!add_run(o, lane, lane->tape.chunks[i].used))
			return libsnap_fail_memory(&o->writer->problem);
		status = put_chunk(o, &lane->tape.chunks[i]);
	}
	forget_tape(o->lanes, lane);
	return status;
}

enum snap_status libsnap_lanes_spill(struct snap_writer *w, struct libsnap_lanes *lanes)
{
	if (!lanes->file) {
		int failed =
			w->io->open(w->io->context, w->folder, SNAP_IO_TEMPORARY, &lanes->file);
		if (failed) {
			lanes->file = NULL;
			return libsnap_fail_io(&w->problem, failed, SNAP_NO_OFFSET,
					       "cannot make a temporary file in %s", w->folder);
		}
	}
	struct lanes_writer o = {.writer = w, .lanes = lanes, .offset = lanes->file_size};
	o.buffer = libsnap_alloc(w->allocator, WRITE_BUFFER, 1);
	enum snap_status status = o.buffer ? SNAP_OK : libsnap_fail_memory(&w->problem);
	for (uint64_t i = 0; i < lanes->lanes.count && status == SNAP_OK; i++)
		status = spill_lane(&o, libsnap_pages_at(&lanes->lanes, i));
	if (status == SNAP_OK)
		status = put_out(&o, o.buffer, o.used);
	lanes->file_size = o.offset;
	libsnap_free(w->allocator, o.buffer, WRITE_BUFFER, 1);
	return status;
}

/* ---- and back ---- */

void libsnap_lane_walk_begin(struct libsnap_lane_walk *walk, struct libsnap_lanes *lanes,
			     uint32_t shape)
{
	walk->lanes = lanes;
	walk->lane = libsnap_lane_at(lanes, shape);
	walk->piece = 0;
	walk->id = 0;
	walk->at = walk->end = NULL;
}

static enum snap_status read_run(struct snap_writer *w, struct libsnap_lane_walk *walk,
				 const struct libsnap_sort_run *run)
{
	size_t got = 0, size = (size_t)run->size;
	uint8_t *bytes = libsnap_buffer_room(w, &walk->buffer, size);
	if (!bytes)
		return libsnap_fail_memory(&w->problem);
	int failed =
		w->io->read_at(w->io->context, walk->lanes->file, run->offset, bytes, size, &got);
	if (!failed && got != size)
		failed = EIO;
	if (failed)
		return libsnap_fail_io(&w->problem, failed, SNAP_NO_OFFSET,
				       "cannot read a temporary file in %s", w->folder);
	walk->at = bytes;
	walk->end = bytes + size;
	return SNAP_OK;
}

enum snap_status libsnap_lane_walk_more(struct snap_writer *w, struct libsnap_lane_walk *walk)
{
	const struct libsnap_lane *lane = walk->lane;
	if (!lane)
		return SNAP_END;
	while (walk->at == walk->end) {
		size_t piece = walk->piece++;
		if (piece >= lane->run_count + lane->tape.chunk_count)
			return SNAP_END;
		if (piece >= lane->run_count) {
			const struct libsnap_tape_chunk *chunk =
				&lane->tape.chunks[piece - lane->run_count];
			walk->at = chunk->bytes;
			walk->end = chunk->bytes + chunk->used;
			continue;
		}
		enum snap_status status = read_run(w, walk, &lane->runs[piece]);
		if (status != SNAP_OK)
			return status;
	}
	return SNAP_OK;
}

void libsnap_lane_walk_end(struct snap_writer *w, struct libsnap_lane_walk *walk)
{
	libsnap_free(w->allocator, walk->buffer.bytes, walk->buffer.capacity, 1);
	*walk = (struct libsnap_lane_walk){.lane = NULL};
}
