/* References become successors of nodes, run by run, as they lie in memory.  Where there is a
 * second thread, it does that with what the first one has read. */
#include "graph.h"

#include <string.h>

/* Puts the targets of a span (as ids, 0 for none) where they belong. */
static void place_span(struct filler *filler, const struct span *span)
{
	const struct snap_graph *graph = filler->graph;
	const uint32_t *start = graph->held.start, moved = filler->moved;
	uint32_t *to = graph->held.to;
	uint64_t objects = graph->objects;
	bool weak = graph->options.follow_weak, bad = false;
	if (!span->is_tail) {
		for (size_t i = 0; i < span->count; i++) {
			bad |= span->targets[i] > objects;
			to[start[span->row + i] - moved + span->slot] = (uint32_t)span->targets[i];
		}
		filler->bad |= bad;
		return;
	}
	uint32_t *tail = to + (start[span->row] - moved) + span->slot + span->index;
	for (size_t i = 0; i < span->count; i++) {
		if (span->kinds != NULL && span->kinds[i] >= SNAP_REF_FIRST_WEAK && !weak)
			continue;
		bad |= span->targets[i] > objects;
		tail[i] = (uint32_t)span->targets[i];
	}
	filler->bad |= bad;
}

/* Ids become rows, and those of none disappear.  Rows from there up to next have no successors. */
static void end_run(struct filler *filler, uint64_t next)
{
	uint32_t *start = filler->graph->held.start, *to = filler->graph->held.to;
	uint32_t written = filler->written, at = start[filler->row] - filler->moved;
	for (; filler->row < filler->end; filler->row++) {
		uint32_t stop = start[filler->row + 1] - filler->moved;
		start[filler->row] = written;
		for (; at < stop; at++) {
			uint32_t id = to[at];
			to[written] = id - 1;
			written += id != 0;
		}
	}
	for (; filler->row < next; filler->row++)
		start[filler->row] = written;
	filler->written = written;
}

/* The run of the row, which no run before it was begun behind. */
static void begin_run(struct filler *filler, uint64_t row)
{
	const struct snap_graph *graph = filler->graph;
	const uint32_t *start = graph->held.start;
	while (graph->runs[filler->run + 1].first_row <= row)
		filler->run++;
	const struct run *run = &graph->runs[filler->run];
	end_run(filler, run->first_row);
	filler->end = run[1].first_row;
	filler->moved = start[run->first_row] - filler->written;
	memset(graph->held.to + filler->written, 0,
	       (start[filler->end] - start[run->first_row]) * sizeof(*graph->held.to));
}

static void fill_span(struct filler *filler, const struct span *span)
{
	if (span->row >= filler->end)
		begin_run(filler, span->row);
	place_span(filler, span);
}

/* ---- what one thread hands to the other ---- */

/* Where there are no more objects, a thread would not be worth its start. */
#define FEW 30000u
/* References are read a block at a time, and end with their run: where one
 * thread has much to do at once, the other is not to wait for it. */
#define BATCHES 16u
#define SPANS   1024u
#define TARGETS 32768u

struct batch {
	struct libsnap_job job;
	struct filler *filler;
	size_t span_count, target_count;
	struct span spans[SPANS];
	uint64_t targets[TARGETS];
};

static void fill_spans(struct libsnap_job *job)
{
	const struct batch *batch = (const struct batch *)job;
	struct filler *filler = batch->filler;
	for (size_t i = 0; i < batch->span_count && !filler->bad; i++)
		fill_span(filler, &batch->spans[i]);
}

static void post_batch(struct filler *filler)
{
	libsnap_worker_post(&filler->worker, &filler->batches[filler->at].job);
	filler->at = (filler->at + 1) % BATCHES;
	struct batch *next = &filler->batches[filler->at];
	libsnap_worker_wait(&filler->worker, &next->job);
	next->span_count = next->target_count = 0;
}

/* Without those that are left out. */
static void copy_targets(const struct snap_graph *graph, const struct span *span, uint64_t *to)
{
	memcpy(to, span->targets, span->count * sizeof(*to));
	for (size_t i = 0; i < span->count && span->kinds != NULL; i++)
		if (span->kinds[i] >= SNAP_REF_FIRST_WEAK && !graph->options.follow_weak)
			to[i] = 0;
}

/* In pieces that batches have room for. */
static void send_span(struct filler *filler, struct span rest)
{
	while (rest.count > 0) {
		struct batch *batch = &filler->batches[filler->at];
		const size_t room = TARGETS - batch->target_count;
		if (room == 0 || batch->span_count == SPANS) {
			post_batch(filler);
			continue;
		}
		struct span piece = rest;
		piece.count = rest.count < room ? rest.count : room;
		uint64_t *targets = batch->targets + batch->target_count;
		copy_targets(filler->graph, &piece, targets);
		piece.targets = targets;
		piece.kinds = piece.labels = NULL;
		batch->spans[batch->span_count++] = piece;
		batch->target_count += piece.count;
		rest.count -= piece.count;
		rest.targets += piece.count;
		if (rest.kinds != NULL)
			rest.kinds += piece.count;
		*(rest.is_tail ? &rest.index : &rest.row) += piece.count;
	}
}

void libsnap_graph_filler_begin(struct filler *filler, struct snap_graph *graph)
{
	*filler = (struct filler){.graph = graph};
	libsnap_worker_begin(&filler->worker, graph->objects > FEW ? graph->options.threads : 1);
	/* Given back before more is reserved; without room this thread does it all. */
	if (filler->worker.threaded && libsnap_graph_room(graph) >= BATCHES * sizeof(struct batch))
		filler->batches =
			libsnap_alloc_zeroed(graph->allocator, BATCHES, sizeof(struct batch));
	for (size_t i = 0; i < BATCHES && filler->batches != NULL; i++) {
		filler->batches[i].job.run = fill_spans;
		filler->batches[i].filler = filler;
	}
}

void libsnap_graph_filler_add(struct filler *filler, const struct span *span)
{
	if (filler->batches != NULL)
		send_span(filler, *span);
	else
		fill_span(filler, span);
}

bool libsnap_graph_filler_end(struct filler *filler)
{
	struct snap_graph *graph = filler->graph;
	if (filler->batches != NULL)
		post_batch(filler);
	libsnap_worker_end(&filler->worker);
	libsnap_free(graph->allocator, filler->batches, BATCHES, sizeof(struct batch));
	filler->batches = NULL;
	if (!filler->bad) {
		end_run(filler, graph->objects);
		graph->held.start[graph->objects] = filler->written;
	}
	return !filler->bad;
}
