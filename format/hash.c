/* XXH64 with seed 0, from libxxhash's header (FORMAT.md, section 1). */
#include "snapfmt.h"

#define XXH_INLINE_ALL
#if defined(__GNUC__)
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wconversion"
#pragma GCC diagnostic ignored "-Wsign-conversion"
#endif
#include <xxhash.h>
#if defined(__GNUC__)
#pragma GCC diagnostic pop
#endif

_Static_assert(sizeof(struct snapfmt_hasher) >= sizeof(XXH64_state_t),
	       "the hasher holds xxhash's state");

uint64_t snapfmt_hash(const void *bytes, size_t size)
{
	return XXH64(bytes, size, 0);
}

void snapfmt_hasher_begin(struct snapfmt_hasher *h)
{
	XXH64_reset((XXH64_state_t *)h, 0);
}

void snapfmt_hasher_add(struct snapfmt_hasher *h, const void *bytes, size_t size)
{
	if (size)
		XXH64_update((XXH64_state_t *)h, bytes, size);
}

uint64_t snapfmt_hasher_end(const struct snapfmt_hasher *h)
{
	return XXH64_digest((const XXH64_state_t *)h);
}
