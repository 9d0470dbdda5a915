/* A hash table of live blocks.  Rows lie in the order of their
 * hashes, so that it grows in one pass from front to back. */
#include "py_tracer.h"

#define FIRST_CAPACITY ((size_t)1 << 12)
#define ADDRESS_BITS   45 /* of an address, which is divisible by 8 */
#define ADDRESS_MASK   (((uint64_t)1 << ADDRESS_BITS) - 1)
#define SIZE_MAX_TOLD  (((uint64_t)1 << (32 + 64 - ADDRESS_BITS)) - 1)

struct py_block_row {
	uint64_t key; /* address / 8, and above it what size_low leaves of the size */
	uint32_t size_low, stack;
};

static uint64_t address_of(const struct py_block_row *row)
{
	return row->key & ADDRESS_MASK;
}

static size_t home_of(const struct py_blocks *blocks, uint64_t address)
{
	uint64_t hash = (address * 0x9e3779b97f4a7c15u) >> 32;
	return (size_t)(hash * blocks->capacity >> 32);
}

static size_t after(const struct py_blocks *blocks, size_t at)
{
	return at + 1 < blocks->capacity ? at + 1 : 0;
}

/* Where a block is, or could be put. */
static struct py_block_row *place_of(const struct py_blocks *blocks, uint64_t address)
{
	size_t at = home_of(blocks, address);
	while (blocks->rows[at].key && address_of(&blocks->rows[at]) != address)
		at = after(blocks, at);
	return &blocks->rows[at];
}

static bool grow(struct py_blocks *blocks)
{
	struct py_blocks larger = {.capacity = blocks->capacity ? blocks->capacity / 4 * 5
								: FIRST_CAPACITY,
				   .count = blocks->count};
	if (larger.capacity > UINT32_MAX)
		return false;
	larger.rows = py_map_pages(larger.capacity * sizeof(*larger.rows));
	if (!larger.rows)
		return false;
	for (size_t i = 0; i < blocks->capacity; i++)
		if (blocks->rows[i].key)
			*place_of(&larger, address_of(&blocks->rows[i])) = blocks->rows[i];
	py_blocks_free(blocks);
	*blocks = larger;
	return true;
}

bool py_blocks_put(struct py_blocks *blocks, const void *pointer, size_t size, uint32_t stack)
{
	uint64_t address = (uintptr_t)pointer / 8,
		 told = size < SIZE_MAX_TOLD ? size : SIZE_MAX_TOLD;
	if (blocks->count >= blocks->capacity / 5 * 4 && !grow(blocks))
		return false;
	struct py_block_row *row = place_of(blocks, address);
	blocks->count += row->key == 0;
	*row = (struct py_block_row){address | (told >> 32) << ADDRESS_BITS, (uint32_t)told, stack};
	return true;
}

static struct py_block block_of(const struct py_block_row *row)
{
	return (struct py_block){.address = address_of(row) * 8,
				 .size = (row->key >> ADDRESS_BITS) << 32 | row->size_low,
				 .stack = row->stack};
}

/* Moves what lies behind a row that was emptied, so that each stays reachable from its home. */
static void close_gap(struct py_blocks *blocks, size_t gap)
{
	for (size_t at = after(blocks, gap); blocks->rows[at].key; at = after(blocks, at)) {
		size_t home = home_of(blocks, address_of(&blocks->rows[at]));
		size_t from_home = at >= home ? at - home : at + blocks->capacity - home;
		size_t from_gap = at >= gap ? at - gap : at + blocks->capacity - gap;
		if (from_home < from_gap)
			continue;
		blocks->rows[gap] = blocks->rows[at];
		gap = at;
	}
	blocks->rows[gap].key = 0;
}

bool py_blocks_take(struct py_blocks *blocks, const void *address, struct py_block *out)
{
	if (!blocks->count)
		return false;
	struct py_block_row *row = place_of(blocks, (uintptr_t)address / 8);
	if (!row->key)
		return false;
	*out = block_of(row);
	close_gap(blocks, (size_t)(row - blocks->rows));
	blocks->count--;
	return true;
}

bool py_blocks_find(const struct py_blocks *blocks, const void *address, struct py_block *out)
{
	const struct py_block_row *row =
		blocks->count ? place_of(blocks, (uintptr_t)address / 8) : NULL;
	if (!row || !row->key)
		return false;
	*out = block_of(row);
	return true;
}

bool py_blocks_next(const struct py_blocks *blocks, size_t *at, struct py_block *out)
{
	while (*at < blocks->capacity) {
		const struct py_block_row *row = &blocks->rows[(*at)++];
		if (row->key) {
			*out = block_of(row);
			return true;
		}
	}
	return false;
}

void py_blocks_free(struct py_blocks *blocks)
{
	py_unmap_pages(blocks->rows, blocks->capacity * sizeof(*blocks->rows));
	*blocks = (struct py_blocks){0};
}
