/* SipHash-2-4 and a key made of an input (siphash.h). */
#include "siphash.h"

static inline uint64_t load8(const uint8_t *p)
{
	return (uint64_t)p[0] | (uint64_t)p[1] << 8 | (uint64_t)p[2] << 16 | (uint64_t)p[3] << 24 |
	       (uint64_t)p[4] << 32 | (uint64_t)p[5] << 40 | (uint64_t)p[6] << 48 |
	       (uint64_t)p[7] << 56;
}

/* Of fewer. */
static uint64_t load(const uint8_t *bytes, size_t size)
{
	uint64_t word = 0;
	for (size_t i = 0; i < size; i++)
		word |= (uint64_t)bytes[i] << 8 * i;
	return word;
}

struct siphash_key siphash_key_from_bytes(const uint8_t bytes[16])
{
	return (struct siphash_key){load8(bytes), load8(bytes + 8)};
}

static inline uint64_t rotate(uint64_t x, int bits)
{
	return x << bits | x >> (64 - bits);
}

static inline void sip_rounds(uint64_t v[4], int count)
{
	while (count-- > 0) {
		v[0] += v[1];
		v[1] = rotate(v[1], 13);
		v[1] ^= v[0];
		v[0] = rotate(v[0], 32);
		v[2] += v[3];
		v[3] = rotate(v[3], 16);
		v[3] ^= v[2];
		v[0] += v[3];
		v[3] = rotate(v[3], 21);
		v[3] ^= v[0];
		v[2] += v[1];
		v[1] = rotate(v[1], 17);
		v[1] ^= v[2];
		v[2] = rotate(v[2], 32);
	}
}

static inline void absorb(uint64_t v[4], uint64_t word)
{
	v[3] ^= word;
	sip_rounds(v, 2);
	v[0] ^= word;
}

static void start(uint64_t v[4], struct siphash_key key)
{
	v[0] = key.low ^ UINT64_C(0x736f6d6570736575);
	v[1] = key.high ^ UINT64_C(0x646f72616e646f6d);
	v[2] = key.low ^ UINT64_C(0x6c7967656e657261);
	v[3] = key.high ^ UINT64_C(0x7465646279746573);
}

uint64_t siphash(struct siphash_key key, const void *bytes, size_t size)
{
	const uint8_t *at = bytes;
	uint64_t v[4];
	start(v, key);
	size_t left = size;
	for (; left >= 8; at += 8, left -= 8)
		absorb(v, load8(at));
	absorb(v, load(at, left) | (uint64_t)size << 56);
	v[2] ^= 0xff;
	sip_rounds(v, 4);
	return v[0] ^ v[1] ^ v[2] ^ v[3];
}

void siphash_derive_begin(struct siphash_state *state)
{
	/* The key is public, and so is the method: what is secret are the strings. */
	start(state->v, (struct siphash_key){UINT64_C(0x70616e732d79656b), 1});
	state->v[1] ^= 0xee;
	state->count = 0;
}

void siphash_derive_add(struct siphash_state *state, const void *bytes, size_t size)
{
	const uint8_t *at = bytes;
	absorb(state->v, size);
	size_t left = size;
	for (; left >= 8; at += 8, left -= 8)
		absorb(state->v, load8(at));
	if (left > 0)
		absorb(state->v, load(at, left));
	state->count++;
}

struct siphash_key siphash_derive_finish(struct siphash_state *state)
{
	uint64_t *v = state->v;
	absorb(v, state->count);
	v[2] ^= 0xee;
	sip_rounds(v, 4);
	struct siphash_key key;
	key.low = v[0] ^ v[1] ^ v[2] ^ v[3];
	v[1] ^= 0xdd;
	sip_rounds(v, 4);
	key.high = v[0] ^ v[1] ^ v[2] ^ v[3];
	return key;
}
