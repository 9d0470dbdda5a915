/* What every part of the library leans on: failures, memory, files, compression. */
#ifndef LIBSNAP_CORE_H
#define LIBSNAP_CORE_H

#include "snap.h"

#define LIBSNAP_PRINTF(words, first) __attribute__((format(printf, words, first)))

/* ---- failures (error.c) ---- */

/* Fills *error, if there is one, and returns status.  Control bytes in the message become '?'. */
enum snap_status libsnap_fail(struct snap_error *error, enum snap_status status, uint64_t offset,
			      const char *format, ...) LIBSNAP_PRINTF(4, 5);
/* The same for SNAP_IO: ": " and the system's words for os_errno are added. */
enum snap_status libsnap_fail_io(struct snap_error *error, int os_errno, uint64_t offset,
				 const char *format, ...) LIBSNAP_PRINTF(4, 5);
enum snap_status libsnap_fail_memory(struct snap_error *error);

/* Copies what the caller knows of an options struct (its first member is struct_size) over zeros or
 * defaults in *to.  from may be NULL. */
enum snap_status libsnap_copy_options(void *to, size_t own_size, const void *from,
				      struct snap_error *error);

/* ---- memory (alloc.c) ---- */

/* A NULL allocator means malloc.  Sizes are count * element_size, and NULL is returned where that
 * overflows; a size of 0 gives a pointer too.  Free with the same count and element size. */
void *libsnap_alloc(const struct snap_allocator *allocator, size_t count, size_t element_size);
void *libsnap_alloc_zeroed(const struct snap_allocator *allocator, size_t count,
			   size_t element_size);
/* NULL leaves pointer as it was. */
void *libsnap_resize_array(const struct snap_allocator *allocator, void *pointer, size_t old_count,
			   size_t new_count, size_t element_size);
void libsnap_free(const struct snap_allocator *allocator, void *pointer, size_t count,
		  size_t element_size);
/* Room for at least needed elements, growing by half or more;
 * *capacity is updated.  NULL leaves both as they were. */
void *libsnap_grow(const struct snap_allocator *allocator, void *pointer, size_t *capacity,
		   size_t needed, size_t element_size);

static inline bool libsnap_add_overflows(uint64_t a, uint64_t b, uint64_t *sum)
{
	return __builtin_add_overflow(a, b, sum);
}

static inline bool libsnap_multiply_overflows(uint64_t a, uint64_t b, uint64_t *product)
{
	return __builtin_mul_overflow(a, b, product);
}

/* ---- files (io.c) ---- */

/* The system's files.  size() answers ESPIPE for what
 * cannot seek; read_at() then reads on from where it is. */
const struct snap_io *libsnap_system_io(void);
/* A file of that table for a descriptor which stays the caller's: never give it to close(). */
void *libsnap_system_file(int descriptor);
/* $TMPDIR, else /tmp, unless folder is given. */
const char *libsnap_temporary_folder(const char *folder);

/* ---- compression (codec.c) ---- */

/* Enough for any raw size up to SNAPFMT_MAX_RAW (and no more than SNAPFMT_MAX_STORED). */
#define LIBSNAP_STORED_BOUND ((size_t)1052672)

/* One frame per call, of fixed bytes for the same input, level and zstd version. */
struct libsnap_compressor;
enum snap_status libsnap_compressor_new(struct libsnap_compressor **out,
					const struct snap_allocator *allocator, int level,
					struct snap_error *error);
enum snap_status libsnap_compress(struct libsnap_compressor *, const void *raw, size_t raw_size,
				  void *stored, size_t capacity, size_t *stored_size,
				  struct snap_error *error);
/* The same, but parts up to each of the ends are compressed
 * apart from each other: their bytes have little in common. */
enum snap_status libsnap_compress_parts(struct libsnap_compressor *, const void *raw,
					const size_t *ends, size_t count, void *stored,
					size_t capacity, size_t *stored_size, struct snap_error *);
/* From now on the allocator is hardly ever called for up to raw_size
 * bytes, or with no_more, for another thread, never: a call that needed it
 * is SNAP_NO_MEMORY.  raw and stored: of these something is compressed. */
enum snap_status libsnap_compressor_reserve(struct libsnap_compressor *, const void *raw,
					    size_t raw_size, void *stored, size_t capacity,
					    bool no_more, struct snap_error *error);
void libsnap_compressor_free(struct libsnap_compressor *);

/* stored must be one frame as FORMAT.md section 4 wants it, and give raw_size bytes; offset is its
 * place in the file, for messages. */
struct libsnap_decompressor;
enum snap_status libsnap_decompressor_new(struct libsnap_decompressor **out,
					  const struct snap_allocator *allocator,
					  struct snap_error *error);
enum snap_status libsnap_decompress(struct libsnap_decompressor *, const void *stored,
				    size_t stored_size, void *raw, size_t raw_size, uint64_t offset,
				    struct snap_error *error);
void libsnap_decompressor_free(struct libsnap_decompressor *);

#endif
