/* Payloads of blocks to and from Zstandard frames (FORMAT.md, section 4). */
#define ZSTD_STATIC_LINKING_ONLY
#include <string.h>
#include <zstd.h>
#include <zstd_errors.h>

#include "core.h"
#include "snapfmt.h"

#define DEFAULT_LEVEL 3

/* zstd frees without a size and our allocator wants
 * one: it is kept in front, aligned as malloc's. */
#define PREFIX 16

static void *zstd_alloc(void *opaque, size_t size)
{
	if (size > SIZE_MAX - PREFIX)
		return NULL;
	size_t whole = size + PREFIX;
	uint8_t *pointer = libsnap_alloc(opaque, whole, 1);
	if (!pointer)
		return NULL;
	memcpy(pointer, &whole, sizeof whole);
	return pointer + PREFIX;
}

static void zstd_free(void *opaque, void *address)
{
	if (!address)
		return;
	uint8_t *pointer = (uint8_t *)address - PREFIX;
	size_t whole;
	memcpy(&whole, pointer, sizeof whole);
	libsnap_free(opaque, pointer, whole, 1);
}

/* What is compressed lies in one piece, and so does what comes out:
 * zstd needs no buffers.  A release that cannot know that has them. */
static void have_all(ZSTD_CCtx *context)
{
#if ZSTD_VERSION_NUMBER >= 10500
	const int enable = 1;
	(void)ZSTD_CCtx_setParameter(context, ZSTD_c_stableInBuffer, enable);
	(void)ZSTD_CCtx_setParameter(context, ZSTD_c_stableOutBuffer, enable);
#else
	(void)context;
#endif
}

/* zstd is to look for places where bytes change their character, which it does
 * not do by itself at low levels, and which takes longer than compressing
 * them.  A release that cannot is as good, but for a few percent. */
static void look_for_parts(ZSTD_CCtx *context, bool look)
{
#if ZSTD_VERSION_NUMBER >= 10500
	(void)ZSTD_CCtx_setParameter(context, ZSTD_c_experimentalParam13, look);
#else
	(void)context, (void)look;
#endif
}

struct libsnap_compressor {
	const struct snap_allocator *allocator;
	ZSTD_CCtx *context;
	int level;
	/* memory that zstd gave back: it may want a smaller piece, and the same again after it */
	uint8_t *kept;
	bool no_more; /* memory than that */
};

static void drop_kept(struct libsnap_compressor *c)
{
	size_t whole;
	if (!c->kept)
		return;
	memcpy(&whole, c->kept, sizeof whole);
	libsnap_free(c->allocator, c->kept, whole, 1);
	c->kept = NULL;
}

static void *compressor_alloc(void *opaque, size_t size)
{
	struct libsnap_compressor *c = opaque;
	size_t whole = 0;
	if (c->kept)
		memcpy(&whole, c->kept, sizeof whole);
	if (whole >= PREFIX && whole - PREFIX >= size) {
		uint8_t *pointer = c->kept;
		c->kept = NULL;
		return pointer + PREFIX;
	}
	if (c->no_more)
		return NULL;
	drop_kept(c);
	return zstd_alloc((void *)c->allocator, size);
}

static void compressor_free(void *opaque, void *address)
{
	struct libsnap_compressor *c = opaque;
	if (address && !c->kept)
		c->kept = (uint8_t *)address - PREFIX;
	else
		zstd_free((void *)c->allocator, address);
}

struct libsnap_decompressor {
	const struct snap_allocator *allocator;
	struct snap_allocator own;
	ZSTD_DCtx *context;
};

static ZSTD_customMem memory_for(struct snap_allocator *own, const struct snap_allocator *allocator)
{
	if (allocator)
		*own = *allocator;
	return (ZSTD_customMem){zstd_alloc, zstd_free, own};
}

enum snap_status libsnap_compressor_new(struct libsnap_compressor **out,
					const struct snap_allocator *allocator, int level,
					struct snap_error *error)
{
	struct libsnap_compressor *c = libsnap_alloc_zeroed(allocator, 1, sizeof *c);
	if (!c)
		return libsnap_fail_memory(error);
	c->allocator = allocator;
	c->context =
		ZSTD_createCCtx_advanced((ZSTD_customMem){compressor_alloc, compressor_free, c});
	if (!c->context) {
		libsnap_compressor_free(c);
		return libsnap_fail_memory(error);
	}
	if (level == 0)
		level = DEFAULT_LEVEL;
	/* The content size is known and stored, so the window is never larger than a block. */
	size_t result = ZSTD_CCtx_setParameter(c->context, ZSTD_c_compressionLevel, level);
	if (!ZSTD_isError(result))
		result = ZSTD_CCtx_setParameter(c->context, ZSTD_c_checksumFlag, 1);
	have_all(c->context);
	c->level = level;
	if (ZSTD_isError(result)) {
		libsnap_compressor_free(c);
		return libsnap_fail(error, SNAP_MISUSE, SNAP_NO_OFFSET, "compression level %d: %s",
				    level, ZSTD_getErrorName(result));
	}
	*out = c;
	return SNAP_OK;
}

static enum snap_status compressed(size_t result, size_t size, size_t *stored_size,
				   struct snap_error *error)
{
	if (!ZSTD_isError(result)) {
		*stored_size = size;
		return SNAP_OK;
	}
	if (ZSTD_getErrorCode(result) == ZSTD_error_memory_allocation)
		return libsnap_fail_memory(error);
	return libsnap_fail(error, SNAP_MISUSE, SNAP_NO_OFFSET, "cannot compress a block: %s",
			    ZSTD_getErrorName(result));
}

enum snap_status libsnap_compress_parts(struct libsnap_compressor *c, const void *raw,
					const size_t *ends, size_t count, void *stored,
					size_t capacity, size_t *stored_size,
					struct snap_error *error)
{
	ZSTD_inBuffer in = {raw, 0, 0};
	ZSTD_outBuffer out = {stored, capacity, 0};
	size_t result = ZSTD_CCtx_reset(c->context, ZSTD_reset_session_only);
	look_for_parts(c->context, count == 1 && c->level >= DEFAULT_LEVEL);
	if (!ZSTD_isError(result))
		result = ZSTD_CCtx_setPledgedSrcSize(c->context, ends[count - 1]);
	for (size_t i = 0; i < count && !ZSTD_isError(result); i++) {
		in.size = ends[i];
		result = ZSTD_compressStream2(c->context, &out, &in,
					      i + 1 < count ? ZSTD_e_flush : ZSTD_e_end);
		if (!ZSTD_isError(result) && result > 0)
			return libsnap_fail(error, SNAP_MISUSE, SNAP_NO_OFFSET,
					    "cannot compress a block: no room");
	}
	return compressed(result, out.pos, stored_size, error);
}

enum snap_status libsnap_compress(struct libsnap_compressor *c, const void *raw, size_t raw_size,
				  void *stored, size_t capacity, size_t *stored_size,
				  struct snap_error *error)
{
	return libsnap_compress_parts(c, raw, &raw_size, 1, stored, capacity, stored_size, error);
}

enum snap_status libsnap_compressor_reserve(struct libsnap_compressor *c, const void *raw,
					    size_t raw_size, void *stored, size_t capacity,
					    bool no_more, struct snap_error *error)
{
	size_t stored_size;
	enum snap_status status =
		libsnap_compress(c, raw, raw_size, stored, capacity, &stored_size, error);
	c->no_more = no_more;
	return status;
}

void libsnap_compressor_free(struct libsnap_compressor *c)
{
	if (!c)
		return;
	ZSTD_freeCCtx(c->context);
	drop_kept(c);
	libsnap_free(c->allocator, c, 1, sizeof *c);
}

enum snap_status libsnap_decompressor_new(struct libsnap_decompressor **out,
					  const struct snap_allocator *allocator,
					  struct snap_error *error)
{
	struct libsnap_decompressor *d = libsnap_alloc_zeroed(allocator, 1, sizeof *d);
	if (!d)
		return libsnap_fail_memory(error);
	d->allocator = allocator;
	d->context = ZSTD_createDCtx_advanced(memory_for(&d->own, allocator));
	if (!d->context) {
		libsnap_decompressor_free(d);
		return libsnap_fail_memory(error);
	}
#ifdef FUZZING_BUILD_MODE_UNSAFE_FOR_PRODUCTION
	ZSTD_DCtx_setParameter(d->context, ZSTD_d_forceIgnoreChecksum, ZSTD_d_ignoreChecksum);
#endif
	*out = d;
	return SNAP_OK;
}

/* Everything that the format asks of the frame, before a byte is decompressed. */
static const char *wrong_with_frame(const void *stored, size_t stored_size, size_t raw_size)
{
	ZSTD_frameHeader header;
	if (ZSTD_getFrameHeader(&header, stored, stored_size) != 0 ||
	    header.frameType != ZSTD_frame)
		return "is no Zstandard frame";
	if (header.frameContentSize != raw_size)
		return "has another content size than its block says";
	if (header.windowSize > SNAPFMT_MAX_RAW)
		return "has a window over 1 MiB";
	if (header.dictID != 0)
		return "wants a dictionary";
	if (!header.checksumFlag)
		return "has no checksum";
	if (ZSTD_findFrameCompressedSize(stored, stored_size) != stored_size)
		return "is not one whole frame";
	return NULL;
}

enum snap_status libsnap_decompress(struct libsnap_decompressor *d, const void *stored,
				    size_t stored_size, void *raw, size_t raw_size, uint64_t offset,
				    struct snap_error *error)
{
	const char *wrong = wrong_with_frame(stored, stored_size, raw_size);
	if (wrong)
		return libsnap_fail(error, SNAP_CORRUPT, offset, "the payload %s", wrong);
	size_t size = ZSTD_decompressDCtx(d->context, raw, raw_size, stored, stored_size);
	if (!ZSTD_isError(size) && size == raw_size)
		return SNAP_OK;
	if (ZSTD_isError(size) && ZSTD_getErrorCode(size) == ZSTD_error_memory_allocation)
		return libsnap_fail_memory(error);
	return libsnap_fail(error, SNAP_CORRUPT, offset, "the payload does not decompress: %s",
			    ZSTD_isError(size) ? ZSTD_getErrorName(size) : "wrong size");
}

void libsnap_decompressor_free(struct libsnap_decompressor *d)
{
	if (!d)
		return;
	ZSTD_freeDCtx(d->context);
	libsnap_free(d->allocator, d, 1, sizeof *d);
}
