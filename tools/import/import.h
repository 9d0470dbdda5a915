/* What an importer is given, and the table of importers (tools/snap-import.c). */
#ifndef IMPORT_H
#define IMPORT_H

#include "import_input.h"
#include "snap.h"

struct import_options {
	bool contents;        /* store the text of strings in the heap, not only length and hash */
	bool has_hash_key;    /* else the importer derives one from the input */
	uint8_t hash_key[16]; /* of SipHash-2-4 */
	bool partial;         /* accept input that is cut short, if what is there has a meaning */
};

#define IMPORT_LOST_SOME UINT64_MAX /* nobody knows how many */

struct import_context {
	struct import_input *input;
	const struct import_options *options;
	struct snap_writer *writer; /* NULL until import_begin; finished or aborted by the caller */
	bool bare;                  /* the importer's choice: not even the producer is told */
	uint64_t lost;              /* rows known to be missing; with partial only */
	const char *unknown_why;    /* why whole inputs, too, have unknown references; or NULL */
	const char *output;         /* for import_begin */
	struct snap_writer_options writer_options;
	int output_descriptor; /* or -1 */
};

/* Opens context->writer, once the importer knows that its input is worth it.  flags:
 * SNAP_SNAPSHOT_PARTIAL, _SAMPLED or 0; _CONTENTS is added from the options. */
enum snap_status import_begin(struct import_context *context, uint32_t flags,
			      struct snap_error *error);

/* An importer reads context->input and fills context->writer; it does not finish the
 * writer.  A fault of the input is SNAP_CORRUPT, a newer version of the foreign format
 * SNAP_UNSUPPORTED; error->offset is the byte in the input (import_fail_at does both). */
struct import_format {
	const char *name;
	const char *summary; /* one line for --help */
	enum snap_status (*import)(struct import_context *context, struct snap_error *error);
};

enum snap_status import_v8(struct import_context *context, struct snap_error *error);
enum snap_status import_tracemalloc(struct import_context *context, struct snap_error *error);
enum snap_status import_hprof(struct import_context *context, struct snap_error *error);

#endif
