/* What must be unique is, and what may not be referred
 * to is not (FORMAT.md, sections 7.1 to 7.3). */
#include "reader.h"

static enum snap_status duplicate(uint64_t value, const char *what, struct snap_error *error)
{
	return libsnap_fail(error, SNAP_CORRUPT, SNAP_NO_OFFSET, "%s %llu is there twice", what,
			    (unsigned long long)value);
}

static enum snap_status check_unique(uint64_t *values, size_t count, const char *what,
				     struct snap_error *error)
{
	libsnap_sort_u64(values, count);
	for (size_t i = 1; i < count; i++) {
		if (values[i] == values[i - 1])
			return duplicate(values[i], what, error);
	}
	return SNAP_OK;
}

static enum snap_status check_properties(struct snap_reader *reader, struct snap_error *error)
{
	if (reader->rows[SNAP_PROPERTIES] == 0)
		return SNAP_OK;
	uint64_t *keys;
	size_t count = (size_t)reader->rows[SNAP_PROPERTIES];
	enum snap_status status = libsnap_load_column(reader, SNAP_PROPERTY_KEY, &keys, error);
	if (status != SNAP_OK)
		return status;
	status = check_unique(keys, count, "the property key with string id", error);
	libsnap_reader_free(reader, keys, count, sizeof *keys);
	return status;
}

/* No frame is inlined into itself, by however many steps. */
static enum snap_status check_inlining(struct snap_reader *reader, struct snap_error *error)
{
	if (!snap_reader_has_column(reader, SNAP_FRAME_INLINED_INTO))
		return SNAP_OK;
	uint64_t *into, *walks;
	size_t count = (size_t)reader->rows[SNAP_FRAMES];
	enum snap_status status =
		libsnap_load_column(reader, SNAP_FRAME_INLINED_INTO, &into, error);
	if (status != SNAP_OK)
		return status;
	void *memory = NULL;
	status = libsnap_reader_resize(reader, &memory, 0, count, sizeof *walks, error);
	walks = memory;
	for (size_t i = 0; i < count && status == SNAP_OK; i++)
		walks[i] = 0; /* not seen */
	for (size_t i = 0; i < count && status == SNAP_OK; i++) {
		uint64_t id = i + 1;
		for (; id && walks[id - 1] == 0; id = into[id - 1])
			walks[id - 1] = i + 1;
		if (id && walks[id - 1] == i + 1)
			status = libsnap_fail(error, SNAP_CORRUPT, SNAP_NO_OFFSET,
					      "frame %llu is inlined into itself",
					      (unsigned long long)id);
	}
	libsnap_reader_free(reader, into, count, sizeof *into);
	libsnap_reader_free(reader, walks, count, sizeof *walks);
	return status;
}

static enum snap_status check_contents(struct snap_reader *reader, struct snap_error *error)
{
	static const uint32_t columns[] = {SNAP_CONTENT_HASH, SNAP_CONTENT_TEXT};
	struct scan scan = scan_begin(reader, columns, 2, error);
	while (scan_next(&scan))
		if (scan_value(&scan, 0) && scan_value(&scan, 1))
			scan.status = libsnap_fail(error, SNAP_CORRUPT, SNAP_NO_OFFSET,
						   "row %llu of contents has text and a hash",
						   (unsigned long long)scan.row);
	return scan_end(&scan, NULL);
}

/* ---- addresses: some at a time, so that memory stays bounded ---- */

#define LEAST_CHUNK ((uint64_t)1 << 20)

struct addresses {
	struct snap_reader *reader;
	uint64_t parts;
	uint64_t *chunk;
	size_t capacity, used;
};

static uint64_t part_of(uint64_t address, uint64_t parts)
{
	return (address * 0x9e3779b97f4a7c15u >> 32) % parts;
}

static enum snap_status check_part(struct addresses *a, uint64_t part, struct snap_error *error)
{
	const uint32_t column = SNAP_OBJECT_ADDRESS;
	struct scan scan = scan_begin(a->reader, &column, 1, error);
	bool full = false;
	a->used = 0;
	while (!full && scan_next(&scan)) {
		uint64_t address = scan_value(&scan, 0);
		if (address == 0 || part_of(address, a->parts) != part)
			continue;
		full = a->used == a->capacity;
		if (!full)
			a->chunk[a->used++] = address;
	}
	enum snap_status status = scan_end(&scan, NULL);
	if (status == SNAP_OK)
		status = check_unique(a->chunk, a->used, "the address or id", error);
	/* Not by chance: parts are twice as large as they need be. */
	if (status == SNAP_OK && full)
		status = libsnap_fail(error, SNAP_LIMIT, SNAP_NO_OFFSET,
				      "the addresses are too alike to be compared in this memory");
	return status;
}

static enum snap_status check_addresses(struct snap_reader *reader, struct snap_error *error)
{
	uint64_t rows = reader->rows[SNAP_OBJECTS];
	if (!snap_reader_has_column(reader, SNAP_OBJECT_ADDRESS))
		return SNAP_OK;
	uint64_t expected = rows / 8 > LEAST_CHUNK ? rows / 8 : LEAST_CHUNK;
	uint64_t affordable = reader->max_memory / 64;
	if (expected > affordable)
		expected = affordable;
	struct addresses a = {.reader = reader, .parts = rows / expected + 1};
	a.capacity = a.parts == 1 ? (size_t)rows : (size_t)expected * 2;
	void *chunk = NULL;
	enum snap_status status =
		libsnap_reader_resize(reader, &chunk, 0, a.capacity, sizeof(uint64_t), error);
	a.chunk = chunk;
	for (uint64_t part = 0; part < a.parts && status == SNAP_OK; part++)
		status = check_part(&a, part, error);
	libsnap_reader_free(reader, chunk, a.capacity, sizeof(uint64_t));
	return status;
}

/* ---- rows that stand for several blocks: without address, and nothing refers to them ---- */

struct counted {
	struct snap_reader *reader;
	uint8_t *bits; /* one per object: it has count over 1 */
};

static bool is_counted(const struct counted *c, uint64_t id)
{
	return id && c->bits[(id - 1) / 8] >> (id - 1) % 8 & 1;
}

static enum snap_status mark_counted(struct counted *c, struct snap_error *error)
{
	static const uint32_t columns[] = {SNAP_OBJECT_COUNT, SNAP_OBJECT_ADDRESS};
	struct scan scan = scan_begin(c->reader, columns, 2, error);
	while (scan_next(&scan)) {
		uint64_t row = scan.row, count = scan_value(&scan, 0),
			 address = scan_value(&scan, 1);
		if (count > 1)
			c->bits[row / 8] |= (uint8_t)(1u << row % 8);
		if (count == 0 && address == 0)
			scan.status = libsnap_fail(error, SNAP_CORRUPT, SNAP_NO_OFFSET,
						   "object row %llu has count 0 and no address",
						   (unsigned long long)row);
		else if (count > 1 && address != 0)
			scan.status =
				libsnap_fail(error, SNAP_CORRUPT, SNAP_NO_OFFSET,
					     "object row %llu has count %llu and an address",
					     (unsigned long long)row, (unsigned long long)count);
	}
	return scan_end(&scan, NULL);
}

static enum snap_status check_targets(const struct counted *c, struct snap_error *error)
{
	const uint32_t column = SNAP_REFERENCE_TARGET;
	struct scan scan = scan_begin(c->reader, &column, 1, error);
	while (scan_next(&scan))
		if (is_counted(c, scan_value(&scan, 0)))
			scan.status = libsnap_fail(
				error, SNAP_CORRUPT, SNAP_NO_OFFSET,
				"reference %llu leads to object %llu, which stands for several",
				(unsigned long long)scan.row,
				(unsigned long long)scan_value(&scan, 0));
	return scan_end(&scan, NULL);
}

static enum snap_status check_counted(struct snap_reader *reader, struct snap_error *error)
{
	if (!snap_reader_has_column(reader, SNAP_OBJECT_COUNT))
		return SNAP_OK;
	if (reader->rows[SNAP_OBJECTS] / 8 >= SIZE_MAX)
		return libsnap_fail_memory(error);
	size_t size = (size_t)(reader->rows[SNAP_OBJECTS] / 8 + 1);
	void *bits = NULL;
	enum snap_status status = libsnap_reader_resize(reader, &bits, 0, size, 1, error);
	if (status != SNAP_OK)
		return status;
	struct counted c = {.reader = reader, .bits = bits};
	for (size_t i = 0; i < size; i++)
		c.bits[i] = 0;
	status = mark_counted(&c, error);
	if (status == SNAP_OK)
		status = check_targets(&c, error);
	libsnap_reader_free(reader, bits, size, 1);
	return status;
}

enum snap_status libsnap_verify_unique(struct snap_reader *reader, struct snap_error *error)
{
	enum snap_status status = check_properties(reader, error);
	if (status == SNAP_OK)
		status = check_inlining(reader, error);
	if (status == SNAP_OK)
		status = check_contents(reader, error);
	if (status == SNAP_OK)
		status = check_addresses(reader, error);
	if (status == SNAP_OK)
		status = check_counted(reader, error);
	return status;
}
