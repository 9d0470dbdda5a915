/* Records of an HPROF file on their way to the writer, a batch at a time (hprof.h). */
#include "hprof.h"

#include <stdlib.h>

/* A batch should stay where a processor has it at hand, and be worth the way to another. */
#define ITEMS_ALONE 256u
#define ITEMS       4096u
/* With more of them, it is full. */
#define TARGETS 65536u
#define BYTES   (256u << 10)

static void fill(struct libsnap_job *job)
{
	struct hprof_batch *batch = (struct hprof_batch *)job;
	struct hprof_import *import = batch->import;
	struct hprof_feed *feed = &import->feed;
	struct hprof_record record;
	batch->count = batch->text_count = batch->known_count = 0;
	batch->target_count = batch->byte_count = 0;
	batch->body_count = batch->class_item_count = 0;
	batch->status = feed->stopped ? SNAP_END : SNAP_OK;
	import->scan.error = &batch->error;
	while (batch->status == SNAP_OK && batch->count < batch->capacity &&
	       batch->target_count < TARGETS && batch->byte_count < BYTES) {
		batch->status = hprof_scan_next(&import->scan, &record);
		if (batch->status == SNAP_OK)
			batch->status = hprof_decode(import, &record, batch);
	}
	feed->stopped = feed->stopped || batch->status != SNAP_OK;
	batch->next = import->scan.next;
}

static bool make_batch(struct hprof_import *import, struct hprof_batch *batch, size_t capacity)
{
	*batch = (struct hprof_batch){.job.run = fill, .import = import, .capacity = capacity};
	batch->items = calloc(capacity, sizeof(*batch->items));
	batch->texts = calloc(capacity, sizeof(*batch->texts));
	batch->lengths = calloc(capacity, sizeof(*batch->lengths));
	batch->hashes = calloc(capacity, sizeof(*batch->hashes));
	batch->contents = calloc(capacity, sizeof(*batch->contents));
	return batch->items != NULL && batch->texts != NULL && batch->lengths != NULL &&
	       batch->hashes != NULL && batch->contents != NULL;
}

static void free_batch(struct hprof_batch *batch)
{
	free(batch->items);
	free(batch->texts);
	free(batch->lengths);
	free(batch->hashes);
	free(batch->contents);
	free(batch->targets);
	free(batch->bytes);
	free(batch->bodies);
	free(batch->class_items);
	*batch = (struct hprof_batch){.count = 0};
}

enum snap_status hprof_feed_begin(struct hprof_import *import, unsigned threads)
{
	struct hprof_feed *feed = &import->feed;
	hprof_scan_end(&import->scan);
	enum snap_status status =
		hprof_scan_begin(&import->scan, import->context->input, import->end, import->error);
	if (status != SNAP_OK)
		return status;
	libsnap_worker_begin(&feed->worker, import->end < HPROF_LITTLE ? 1 : threads);
	feed->count = feed->worker.threaded ? HPROF_BATCHES : 1;
	for (size_t i = 0; i < feed->count; i++)
		if (!make_batch(import, &feed->batches[i],
				feed->worker.threaded ? ITEMS : ITEMS_ALONE))
			return hprof_no_memory(import);
	/* The last is that which is asked for before the first. */
	feed->at = feed->count - 1;
	for (size_t i = 0; i + 1 < feed->count; i++)
		libsnap_worker_post(&feed->worker, &feed->batches[i].job);
	return SNAP_OK;
}

/* The batch at hand, of which all was delivered, is made anew.  One
 * that ended, and the items before that, is delivered in two steps. */
enum snap_status hprof_feed_next(struct hprof_import *import, const struct hprof_batch **out)
{
	struct hprof_feed *feed = &import->feed;
	struct hprof_batch *batch = &feed->batches[feed->at];
	if (batch->status == SNAP_OK) {
		libsnap_worker_post(&feed->worker, &batch->job);
		feed->at = (feed->at + 1) % feed->count;
		batch = &feed->batches[feed->at];
		libsnap_worker_wait(&feed->worker, &batch->job);
		*out = batch;
		if (batch->status == SNAP_OK || batch->count > 0)
			return SNAP_OK;
	}
	feed->ended = true;
	if (batch->status != SNAP_END)
		*import->error = batch->error;
	return batch->status;
}

void hprof_feed_end(struct hprof_import *import)
{
	struct hprof_feed *feed = &import->feed;
	libsnap_worker_end(&feed->worker);
	for (size_t i = 0; i < feed->count; i++)
		free_batch(&feed->batches[i]);
	feed->count = 0;
	hprof_scan_end(&import->scan);
	import->scan.error = import->error;
}
