/* SipHash-2-4 (Aumasson and Bernstein): a keyed hash that
 * tells nothing of its input to who lacks the key. */
#ifndef SIPHASH_H
#define SIPHASH_H

#include <stddef.h>
#include <stdint.h>

struct siphash_key {
	uint64_t low, high;
};

/* The key as its sixteen bytes are written. */
struct siphash_key siphash_key_from_bytes(const uint8_t bytes[16]);

uint64_t siphash(struct siphash_key key, const void *bytes, size_t size);

/* Derives a key from many strings: every bit of it depends
 * on all of them, their lengths and their order. */
struct siphash_state {
	uint64_t v[4];
	uint64_t count;
};
void siphash_derive_begin(struct siphash_state *state);
void siphash_derive_add(struct siphash_state *state, const void *bytes, size_t size);
struct siphash_key siphash_derive_finish(struct siphash_state *state);

#endif
