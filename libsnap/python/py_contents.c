/* Lengths and keyed hashes of strings and bytes: equal contents
 * can be found without being stored.  The hash is SipHash-1-3. */
#include <string.h>

#include "py_walk.h"

static inline uint64_t rotate(uint64_t x, unsigned bits)
{
	return x << bits | x >> (64 - bits);
}

static inline void mix(uint64_t v[4])
{
	v[0] += v[1];
	v[1] = rotate(v[1], 13) ^ v[0];
	v[0] = rotate(v[0], 32);
	v[2] += v[3];
	v[3] = rotate(v[3], 16) ^ v[2];
	v[0] += v[3];
	v[3] = rotate(v[3], 21) ^ v[0];
	v[2] += v[1];
	v[1] = rotate(v[1], 17) ^ v[2];
	v[2] = rotate(v[2], 32);
}

static uint64_t keyed_hash(const uint64_t key[2], const void *bytes, size_t size)
{
	uint64_t v[4] = {key[0] ^ 0x736f6d6570736575u, key[1] ^ 0x646f72616e646f6du,
			 key[0] ^ 0x6c7967656e657261u, key[1] ^ 0x7465646279746573u};
	const char *at = bytes;
	size_t left = size;
	for (; left >= 8; left -= 8, at += 8) {
		uint64_t word;
		memcpy(&word, at, 8);
		v[3] ^= word;
		mix(v);
		v[0] ^= word;
	}
	uint64_t last = (uint64_t)size << 56;
	memcpy(&last, at, left);
	v[3] ^= last;
	mix(v);
	v[0] ^= last;
	v[2] ^= 0xff;
	for (int i = 0; i < 3; i++)
		mix(v);
	return v[0] ^ v[1] ^ v[2] ^ v[3];
}

uint32_t py_content_of(struct py_walk *w, PyObject *object, const struct py_type *type)
{
	const void *bytes;
	size_t size;
	unsigned tag = 0; /* equal text has an equal tag; it keeps bytes apart from text */
	if (type->layout == PY_STRING && PyUnicode_IS_COMPACT(object)) {
		tag = (unsigned)PyUnicode_KIND(object);
		bytes = PyUnicode_DATA(object);
		size = (size_t)PyUnicode_GET_LENGTH(object) * tag;
	} else if (type->layout == PY_BYTES) {
		bytes = PyBytes_AS_STRING(object);
		size = (size_t)PyBytes_GET_SIZE(object);
	} else {
		return 0;
	}
	const uint64_t key[2] = {w->options->hash_key[0], w->options->hash_key[1] ^ tag};
	uint64_t hash = keyed_hash(key, bytes, size);
	uint32_t id = 0;
	w->status = snap_writer_content(w->writer, size, hash ? hash : 1, 0, &id, &w->error);
	return id;
}
