/* Every encoding: round trips over many patterns, refusals, and no reading beyond the bytes. */
#include "random.h"
#include "snapfmt.h"
#include "tap.h"

#define MOST 70000

static uint64_t values[MOST], decoded[MOST];
static uint8_t raw[SNAPFMT_RAW_BOUND(MOST)];

static uint64_t random_state = 88172645463325252u;
static uint64_t random_number(void)
{
	return random_next(&random_state);
}

enum { PATTERNS = 12 };
static void fill(int pattern, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		uint64_t r = random_number();
		uint64_t before = i ? values[i - 1] : 0;
		switch (pattern) {
		case 0: values[i] = 0; break;
		case 1: values[i] = UINT64_MAX; break;
		case 2: values[i] = r; break;
		case 3: values[i] = r % 5 * 16; break;
		case 4: values[i] = before + r % 100 * 8; break;
		case 5: values[i] = before - r % 100; break;
		case 6: values[i] = r % 10 ? before : r; break;
		case 7: values[i] = r % 3 == 0 ? 0 : r % 3 == 1 ? before + 3 : r % 100000; break;
		case 8: values[i] = r << 40; break;
		case 9: values[i] = i % 2 ? UINT64_MAX : 0; break;
		case 10: values[i] = i % 700 * 1000; break;
		default: values[i] = r % 7 ? i : r >> (r % 64); break;
		}
	}
}

static size_t encode(uint8_t encoding, size_t count, size_t size)
{
	static const uint64_t bounds[] = {
		1, 2, 50, 1000, 70000, (uint64_t)1 << 30, (uint64_t)1 << 62};
	if (encoding == SNAPFMT_RANGES)
		return snapfmt_encode_ranges(values, count, bounds,
					     sizeof(bounds) / sizeof(bounds[0]), raw, size);
	return snapfmt_codecs[encoding].encode(values, count, raw, size);
}

static bool round_trip(uint8_t encoding, size_t count, size_t *encoded)
{
	size_t size = encode(encoding, count, sizeof(raw));
	*encoded += size != 0;
	if (size == 0)
		return true;
	memset(decoded, 0x55, count * sizeof(decoded[0]));
	uint8_t *exact = malloc(size); /* so that a sanitizer sees a byte read too many */
	REQUIRE(exact);
	memcpy(exact, raw, size);
	bool good = snapfmt_decode(encoding, exact, size, decoded, count) &&
		    memcmp(values, decoded, count * sizeof(values[0])) == 0;
	/* Shorter or longer is another file. */
	good = good && !snapfmt_decode(encoding, exact, size - 1, decoded, count);
	raw[size] = 0;
	good = good && !snapfmt_decode(encoding, raw, size + 1, decoded, count);
	/* Too little room to encode is noticed. */
	good = good && encode(encoding, count, size - 1) == 0;
	free(exact);
	return good;
}

static void test_round_trips(uint8_t encoding)
{
	const size_t counts[] = {1, 2, 3, 7, 255, 256, 257, 1023, 1025, 4096, MOST};
	bool good = true;
	size_t encoded = 0;
	for (int pattern = 0; pattern < PATTERNS; pattern++)
		for (size_t i = 0; i < sizeof(counts) / sizeof(counts[0]); i++) {
			fill(pattern, counts[i]);
			if (!round_trip(encoding, counts[i], &encoded)) {
				printf("# %s: pattern %d, %zu values\n",
				       snapfmt_codecs[encoding].name, pattern, counts[i]);
				good = false;
			}
		}
	CHECK_NAMED(good && encoded >= 10, snapfmt_codecs[encoding].name);
}

static bool decodes(uint8_t encoding, size_t count, size_t size, const uint8_t *bytes)
{
	return snapfmt_decode(encoding, bytes, size, decoded, count);
}

#define BYTES(...) \
	sizeof((const uint8_t[]){__VA_ARGS__}), (const uint8_t[]) \
	{ \
		__VA_ARGS__ \
	}

static void test_refusals(void)
{
	CHECK(decodes(SNAPFMT_CONSTANT, 3, BYTES(5)));
	CHECK(!decodes(SNAPFMT_CONSTANT, 3, BYTES(0x85, 0))); /* over-long varint */
	CHECK(!decodes(SNAPFMT_CONSTANT, 3, BYTES(255, 255, 255, 255, 255, 255, 255, 255, 255, 2)));
	CHECK(decodes(SNAPFMT_CONSTANT, 3, BYTES(255, 255, 255, 255, 255, 255, 255, 255, 255, 1)));
	CHECK(decodes(SNAPFMT_PLANES, 2, BYTES(1, 1, 7, 8)) && decoded[0] == 14 &&
	      decoded[1] == 16);
	CHECK(!decodes(SNAPFMT_PLANES, 2, BYTES(0, 1, 0, 0))); /* top plane all zero */
	CHECK(!decodes(SNAPFMT_PLANES, 2, BYTES(0, 9, 1, 1)));
	CHECK(!decodes(SNAPFMT_PLANES, 1, BYTES(64, 1, 1)));
	CHECK(!decodes(SNAPFMT_PLANES, 1, BYTES(63, 1, 2))); /* bits shifted out */
	CHECK(decodes(SNAPFMT_DELTA, 3, BYTES(10, 2, 1, 1, 2)) && decoded[1] == 6 &&
	      decoded[2] == 10);
	/* a width and nothing to be wide */
	CHECK(!decodes(SNAPFMT_DELTA, 1, BYTES(10, 0, 1)));
	CHECK(decodes(SNAPFMT_DICTIONARY, 2, BYTES(2, 4, 9, 1, 0)) && decoded[0] == 9);
	CHECK(!decodes(SNAPFMT_DICTIONARY, 2, BYTES(2, 9, 4, 1, 0)));
	CHECK(!decodes(SNAPFMT_DICTIONARY, 2, BYTES(2, 4, 4, 1, 0)));
	CHECK(!decodes(SNAPFMT_DICTIONARY, 2, BYTES(2, 4, 9, 2, 0)));
	CHECK(!decodes(SNAPFMT_DICTIONARY, 2, BYTES(3, 4, 9, 10, 1, 0)));
	CHECK(!decodes(SNAPFMT_DICTIONARY, 2, BYTES(0)));
	CHECK(decodes(SNAPFMT_RUNS, 3, BYTES(2, 1, 7, 8, 1, 1, 0)) && decoded[1] == 7 &&
	      decoded[2] == 8);
	CHECK(!decodes(SNAPFMT_RUNS, 3, BYTES(2, 1, 7, 8, 1, 2, 0)));
	CHECK(!decodes(SNAPFMT_RUNS, 4, BYTES(2, 1, 7, 8, 1, 1, 0)));
	CHECK(!decodes(SNAPFMT_RUNS, 3, BYTES(0, 0, 0)));
	CHECK(decodes(SNAPFMT_STEPS, 4, BYTES(3, 2, 0, 1, 1, 1, 10)) && decoded[0] == 5 &&
	      decoded[1] == 10 && decoded[2] == 0 && decoded[3] == 10);
	CHECK(!decodes(SNAPFMT_STEPS, 2, BYTES(4, 0, 0, 0)));
	CHECK(!decodes(SNAPFMT_STEPS, 2, BYTES(3, 0, 0, 0)));    /* a difference is missing */
	CHECK(!decodes(SNAPFMT_STEPS, 2, BYTES(0, 0, 1, 1, 2))); /* one too many */
	CHECK(decodes(SNAPFMT_RANGES, 3, BYTES(2, 5, 0, 1, 4, 1, 1, 2, 1, 2, 3, 2, 1)) &&
	      decoded[0] == 10 && decoded[1] == 8 && decoded[2] == 9);
	CHECK(!decodes(SNAPFMT_RANGES, 2, BYTES(1, 5, 0, 0, 1, 2)));   /* no such range */
	CHECK(!decodes(SNAPFMT_RANGES, 1, BYTES(1, 5, 0, 1, 1, 0)));   /* top plane all zero */
	CHECK(!decodes(SNAPFMT_RANGES, 2, BYTES(1, 5, 0, 0, 0, 0)));   /* nothing is in it */
	CHECK(!decodes(SNAPFMT_RANGES, 1, BYTES(1, 0, 0, 0, 1)));      /* begins at 0 */
	CHECK(!decodes(SNAPFMT_ADJACENT, 1, BYTES(0, 0, 0, 1, 0, 0))); /* not without sizes */
	CHECK(!decodes(SNAPFMT_ENCODING_COUNT, 1, BYTES(1)));
	CHECK(!decodes(SNAPFMT_TEXT, 1, BYTES(0)));
}

static void test_text(void)
{
	const uint8_t text[] = {1, 0, 5, 'a', 'c', 'a', 'f', 0xc3, 0xa9};
	uint32_t offsets[4];
	const char *bytes;
	CHECK(snapfmt_decode_text(text, sizeof(text), 3, offsets, &bytes) && offsets[1] == 1 &&
	      offsets[2] == 1 && offsets[3] == 6 && bytes == (const char *)text + 3);
	CHECK(!snapfmt_decode_text(text, sizeof(text) - 1, 3, offsets, &bytes));
	CHECK(!snapfmt_decode_text(text, sizeof(text), 2, offsets, &bytes));
	const uint8_t huge[] = {255, 255, 255, 255, 255, 255, 255, 255, 255, 1};
	CHECK(!snapfmt_decode_text(huge, sizeof(huge), 1, offsets, &bytes));
}

/* Addresses as an allocator gives them, with gaps, and sizes that say nothing of them. */
static void test_adjacent(void)
{
	static uint64_t sizes[MOST];
	const size_t counts[] = {1, 2, 3, 255, 4096, MOST};
	bool good = true, small = true;
	for (int pattern = 0; pattern < PATTERNS + 2; pattern++)
		for (size_t i = 0; i < sizeof(counts) / sizeof(counts[0]); i++) {
			const size_t count = counts[i];
			fill(pattern % PATTERNS, count);
			for (size_t k = 0; k < count; k++) {
				sizes[k] = random_number() % 200;
				uint64_t room =
					sizes[k] <= 24 ? 32 : (sizes[k] + 8 + 15) & ~(uint64_t)15;
				if (pattern >= PATTERNS && k + 1 < count)
					values[k + 1] = values[k] + room +
							(random_number() % 100 == 0 ? 4096 : 0);
			}
			size_t size =
				snapfmt_encode_adjacent(values, sizes, count, raw, sizeof(raw));
			good = good && size > 0 &&
			       snapfmt_decode_adjacent(raw, size, sizes, decoded, count) &&
			       memcmp(values, decoded, count * sizeof(values[0])) == 0 &&
			       !snapfmt_decode_adjacent(raw, size - 1, sizes, decoded, count) &&
			       !snapfmt_decode_adjacent(raw, size + 1, sizes, decoded, count) &&
			       snapfmt_encode_adjacent(values, sizes, count, raw, size - 1) == 0;
			size_t gaps = 0;
			for (size_t k = 0; k < size; k++)
				gaps += raw[k] != 0;
			small = small && (pattern < PATTERNS || count < MOST || gaps < count / 50);
		}
	CHECK_NAMED(good, "addresses and sizes come back");
	CHECK_NAMED(small, "where objects touch, no gaps are written");
}

/* Random bytes must never be read beyond their end, whatever they claim (sanitizers look on). */
static bool ascend(const size_t *ends, size_t count, size_t size)
{
	bool good = count > 0 && count <= SNAPFMT_MAX_PARTS && ends[count - 1] == size;
	for (size_t i = 1; i < count; i++)
		good = good && ends[i - 1] < ends[i];
	return good;
}

/* Planes are parts of their own, and of any bytes whatsoever parts are in order. */
static void test_parts(void)
{
	const uint64_t bounds[] = {1, 1000, 1u << 20};
	const size_t count = 3000;
	size_t ends[SNAPFMT_MAX_PARTS], size, wrong = 0;
	for (size_t i = 0; i < count; i++)
		values[i] = random_number() % (1u << 24);
	size = snapfmt_encode_planes(values, count, raw, sizeof(raw));
	CHECK(snapfmt_find_parts(SNAPFMT_PLANES, raw, size, count, ends) == 3 &&
	      ends[0] == size - 2 * count && ends[1] == size - count && ends[2] == size);
	size = snapfmt_encode_delta(values, count, raw, sizeof(raw));
	CHECK(snapfmt_find_parts(SNAPFMT_DELTA, raw, size, count, ends) == 4 &&
	      ends[2] == size - (count - 1));
	size = snapfmt_encode_steps(values, count, raw, sizeof(raw));
	CHECK(snapfmt_find_parts(SNAPFMT_STEPS, raw, size, count, ends) == 5 && ends[0] == count &&
	      ends[4] == size);
	for (size_t i = 0; i < count; i++)
		values[i] += values[i] == 0;
	size = snapfmt_encode_ranges(values, count, bounds, 3, raw, sizeof(raw));
	CHECK(size > 0 && snapfmt_find_parts(SNAPFMT_RANGES, raw, size, count, ends) > 3);
	CHECK(snapfmt_find_parts(SNAPFMT_PLANES, raw, 10, 8, ends) == 1 && ends[0] == 10);
	for (int i = 0; i < 20000; i++) {
		size = 1 + random_number() % 9000;
		uint8_t *noise = malloc(size);
		REQUIRE(noise);
		for (size_t j = 0; j < size; j++)
			noise[j] = (uint8_t)(j < 32 ? random_number() >> random_number() % 60 : j);
		const uint8_t encoding = (uint8_t)(random_number() % 16);
		wrong += !ascend(
			ends,
			snapfmt_find_parts(encoding, noise, size, 1 + random_number() % 5000, ends),
			size);
		free(noise);
	}
	CHECK(wrong == 0);
}

static void test_noise(void)
{
	size_t accepted = 0;
	for (int i = 0; i < 200000; i++) {
		size_t size = random_number() % 40;
		uint8_t *noise = malloc(size + 1);
		REQUIRE(noise);
		for (size_t j = 0; j < size; j++)
			noise[j] = (uint8_t)(random_number() >> (random_number() % 60));
		accepted += snapfmt_decode((uint8_t)(i % 8), noise, size, decoded,
					   1 + random_number() % 12);
		accepted += snapfmt_decode_adjacent(noise, size, values, decoded,
						    1 + random_number() % 12);
		free(noise);
	}
	CHECK_NAMED(accepted > 0, "noise is decoded or refused");
}

/* ---- batches ---- */

#define COLUMNS 40

/* Columns of random tables with random bytes; returns the batch's size. */
static size_t random_batch(struct snapfmt_batch_column *columns, size_t count, uint8_t *bytes,
			   uint8_t *batch, size_t size)
{
	uint32_t used = 0;
	uint16_t table = 0, number = 0;
	for (size_t i = 0; i < count; i++) {
		struct snapfmt_batch_column *column = &columns[i];
		bool next = i == 0 || random_number() % 3 == 0;
		*column = next ? (struct snapfmt_batch_column){0} : columns[i - 1];
		if (next) {
			table = (uint16_t)(1 + (table + random_number() % 900) % UINT16_MAX);
			number = (uint16_t)(random_number() % 5);
			column->row_count = 1 + (uint32_t)(random_number() % SNAPFMT_MAX_ROWS);
		} else {
			number = (uint16_t)(number + 1 + random_number() % 300);
		}
		column->table = table;
		column->column = number;
		column->encoding = (uint8_t)(random_number() % 64);
		column->flags = random_number() % 2 ? SNAPFMT_BLOCK_CRITICAL : 0;
		column->offset = used;
		column->size = 1 + (uint32_t)(random_number() % 200);
		for (uint32_t at = 0; at < column->size; at++)
			bytes[used + at] = (uint8_t)random_number();
		if (column->encoding == SNAPFMT_CONSTANT) {
			struct sink s = sink_over(bytes + used, 10);
			sink_varint(&s, random_number() >> random_number() % 64);
			column->size = (uint32_t)(s.at - bytes) - used;
		}
		used += column->size;
	}
	struct sink s = sink_over(batch, size);
	snapfmt_write_batch_start(&s, columns, count, bytes);
	for (size_t i = 0; i < count; i++)
		if (columns[i].encoding != SNAPFMT_CONSTANT)
			sink_bytes(&s, bytes + columns[i].offset, columns[i].size);
	REQUIRE(!s.failed);
	return (size_t)(s.at - batch);
}

static bool same_batch(const struct snapfmt_batch_column *a, const uint8_t *a_bytes,
		       const struct snapfmt_batch_column *b, const uint8_t *b_bytes, size_t count)
{
	bool same = true;
	for (size_t i = 0; i < count; i++)
		same = same && a[i].table == b[i].table && a[i].column == b[i].column &&
		       a[i].encoding == b[i].encoding && a[i].flags == b[i].flags &&
		       a[i].row_count == b[i].row_count && a[i].size == b[i].size &&
		       memcmp(a_bytes + a[i].offset, b_bytes + b[i].offset, a[i].size) == 0;
	return same;
}

/* What is written is read; what is cut short or longer is
 * refused; what is changed never reaches beyond the batch. */
static void test_batches(void)
{
	static struct snapfmt_batch_column given[COLUMNS], got[SNAPFMT_BATCH_MAX_COLUMNS];
	static uint8_t bytes[COLUMNS * 256], batch[COLUMNS * 256];
	const char *reason;
	bool same = true, refused = true, inside = true;
	for (int round = 0; round < 300; round++) {
		size_t count = 1 + random_number() % COLUMNS, found;
		size_t size = random_batch(given, count, bytes, batch, sizeof(batch) - 1);
		/* of just that size, so that a sanitizer sees reads past it */
		uint8_t *exact = malloc(size);
		REQUIRE(exact);
		memcpy(exact, batch, size);
		same = same && snapfmt_read_batch(exact, size, got, &found, &reason) &&
		       found == count && same_batch(given, bytes, got, exact, count);
		refused =
			refused &&
			!snapfmt_read_batch(exact, random_number() % size, got, &found, &reason) &&
			reason && !snapfmt_read_batch(batch, size + 1, got, &found, &reason);
		for (int i = 0; i < 100; i++) {
			exact[random_number() % size] = (uint8_t)random_number();
			if (!snapfmt_read_batch(exact, size, got, &found, &reason))
				continue;
			for (size_t k = 0; k < found; k++)
				inside = inside && got[k].offset <= size &&
					 got[k].size <= size - got[k].offset && got[k].size > 0 &&
					 got[k].table > 0 && got[k].row_count > 0;
		}
		free(exact);
	}
	CHECK_NAMED(same, "a batch is read as it was written");
	CHECK_NAMED(refused, "a batch that is cut short or longer is refused");
	CHECK_NAMED(inside, "columns of a damaged batch lie within it");
}

int main(void)
{
	for (unsigned encoding = 0; encoding < SNAPFMT_TEXT; encoding++)
		test_round_trips((uint8_t)encoding);
	test_round_trips(SNAPFMT_RANGES);
	test_refusals();
	test_text();
	test_parts();
	test_noise();
	test_adjacent();
	test_batches();
	return DONE();
}
