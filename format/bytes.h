/* Bounds-checked little-endian reading and writing inside one buffer (FORMAT.md, section 1). */
#ifndef SNAPFMT_BYTES_H
#define SNAPFMT_BYTES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Remembers the first failure; a failed cursor yields only zeros. */
struct cursor {
	const uint8_t *at, *end;
	bool failed;
};

/* The same for writing: a failed sink writes nothing more. */
struct sink {
	uint8_t *at, *end;
	bool failed;
};

struct cursor cursor_over(const void *bytes, size_t size);
size_t cursor_left(const struct cursor *c);
/* The only function that moves a cursor: the next size bytes, or NULL. */
const uint8_t *cursor_take(struct cursor *c, uint64_t size);
uint8_t cursor_u8(struct cursor *c);
uint16_t cursor_u16(struct cursor *c);
uint32_t cursor_u32(struct cursor *c);
uint64_t cursor_u64(struct cursor *c);
uint64_t cursor_varint(struct cursor *c);

struct sink sink_over(void *bytes, size_t size);
size_t sink_left(const struct sink *s);
/* Room for size bytes, which the caller fills; or NULL. */
uint8_t *sink_take(struct sink *s, size_t size);
void sink_u8(struct sink *s, uint8_t value);
void sink_u16(struct sink *s, uint16_t value);
void sink_u32(struct sink *s, uint32_t value);
void sink_u64(struct sink *s, uint64_t value);
void sink_varint(struct sink *s, uint64_t value);
void sink_bytes(struct sink *s, const void *bytes, size_t size);

static inline uint64_t snapfmt_zigzag(uint64_t difference)
{
	return difference << 1 ^ (0 - (difference >> 63));
}

static inline uint64_t snapfmt_unzigzag(uint64_t value)
{
	return value >> 1 ^ (0 - (value & 1));
}

#endif
