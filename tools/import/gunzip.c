/* Input that is gzip, also of many members as JDKs write it, becomes a temporary file. */
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <zlib.h>

#include "cli.h"
#include "hprof.h"

#define OUT_SIZE (1u << 20)

struct gunzip {
	struct import_input *input;
	struct import_reader in;
	struct import_output out;
	z_stream stream;
	uint8_t *buffer;
	struct snap_error *error;
};

static enum snap_status fail_data(struct gunzip *g, const char *what)
{
	return import_fail_at(g->error, SNAP_CORRUPT, import_reader_offset(&g->in),
			      "gzip: %s (in the compressed file)", what);
}

/* One call of inflate(); *ended: the member did. */
static enum snap_status step(struct gunzip *g, bool *ended)
{
	size_t have = (size_t)(g->in.end - g->in.at);
	uInt given = have > (1u << 30) ? 1u << 30 : (uInt)have;
	g->stream.next_in = (Bytef *)(uintptr_t)g->in.at;
	g->stream.avail_in = given;
	g->stream.next_out = g->buffer;
	g->stream.avail_out = OUT_SIZE;
	int result = inflate(&g->stream, Z_NO_FLUSH);
	g->in.at += given - g->stream.avail_in;
	if (result == Z_MEM_ERROR)
		return import_fail_at(g->error, SNAP_NO_MEMORY, SNAP_NO_OFFSET, "out of memory");
	if (result != Z_OK && result != Z_STREAM_END)
		return fail_data(g, g->stream.msg ? g->stream.msg : "damaged");
	*ended = result == Z_STREAM_END;
	return import_output_write(&g->out, g->buffer, OUT_SIZE - g->stream.avail_out, g->error);
}

static enum snap_status inflate_all(struct gunzip *g, bool *cut)
{
	bool ended = false;
	for (;;) {
		if (import_reader_peek(&g->in) < 0) {
			*cut = !ended;
			return g->in.status == SNAP_OK ? SNAP_OK
						       : import_reader_failure(&g->in, g->error);
		}
		if (ended && inflateReset(&g->stream) != Z_OK)
			return fail_data(g, "cannot go on");
		enum snap_status status = step(g, &ended);
		if (status != SNAP_OK)
			return status;
		cli_progress("unpacking", import_reader_offset(&g->in), g->input->size);
	}
}

static enum snap_status unpack(struct gunzip *g, bool *cut)
{
	g->buffer = malloc(OUT_SIZE);
	if (g->buffer == NULL || inflateInit2(&g->stream, 15 + 16) != Z_OK) {
		free(g->buffer);
		g->buffer = NULL;
		return import_fail_at(g->error, SNAP_NO_MEMORY, SNAP_NO_OFFSET, "out of memory");
	}
	enum snap_status status = import_output_begin(&g->out, g->error);
	if (status == SNAP_OK)
		status = inflate_all(g, cut);
	inflateEnd(&g->stream);
	free(g->buffer);
	return status;
}

enum snap_status import_gunzip(struct import_input *input, bool *cut, bool *was_gzip,
			       struct snap_error *error)
{
	struct gunzip g = {.input = input, .error = error, .out = {.descriptor = -1}};
	*cut = *was_gzip = false;
	enum snap_status status = import_reader_begin(&g.in, input, 0, error);
	if (status != SNAP_OK)
		return status;
	bool magic = import_reader_fill(&g.in, 2) && g.in.at[0] == 0x1f && g.in.at[1] == 0x8b;
	if (g.in.status != SNAP_OK)
		status = import_reader_failure(&g.in, error);
	else if (magic)
		status = unpack(&g, cut);
	import_reader_end(&g.in);
	*was_gzip = magic;
	return import_output_end(&g.out, magic ? input : NULL, status);
}
