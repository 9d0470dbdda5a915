/* Proves: estimates from samples have no bias, and the truth is within 1.96 of
 * their standard errors as often as it should be (FORMAT.md, section 7.4). */
#include "random.h"
#include "snap_query.h"
#include "tap.h"

enum { TRIALS = 400, BLOCKS = 9000, GROUPS = 3 };
#define INTERVAL 1024

static uint64_t state = 88172645463325252u;

static double uniform(void)
{
	return ((double)(random_next(&state) >> 11) + 0.5) / 9007199254740992.0;
}

/* -ln(u), 0 < u < 1: u = m * 2^-e, and a series for m from 1 to below 2. */
static double minus_log(double u)
{
	int e = 0;
	for (; u < 1; u *= 2)
		e++;
	double x = (u - 1) / (u + 1), power = x, sum = 0;
	for (int k = 1; k < 40; k += 2, power *= x * x)
		sum += power / k;
	return e * 0.69314718055994530942 - 2 * sum;
}

static double distance(double a, double b)
{
	return a < b ? b - a : a - b;
}

/* Of one group small, of another of all sizes, of the last larger than the interval. */
static uint64_t size_of(unsigned block)
{
	switch (block % GROUPS) {
	case 0: return 16 + block % 48;
	case 1: return 200 + (uint64_t)block * block % 9973;
	default: return 3000 + block % 4000;
	}
}

struct file {
	uint8_t bytes[1 << 20];
	size_t size;
};

static int take(void *context, const void *bytes, size_t size)
{
	struct file *file = context;
	REQUIRE(size <= sizeof file->bytes - file->size);
	memcpy(file->bytes + file->size, bytes, size);
	file->size += size;
	return 0;
}

/* A tracker's way: bytes are counted until the next
 * sample, and the block that it falls in is seen. */
static void sample(struct file *file, bool totals_only)
{
	struct snap_writer_options options = SNAP_WRITER_OPTIONS_INIT;
	struct snap_writer *w;
	file->size = 0;
	options.level = 1;
	options.flags = SNAP_SNAPSHOT_SAMPLED;
	options.sampling_interval_bytes = INTERVAL;
	options.totals_only = totals_only;
	REQUIRE(snap_writer_open_sink(&w, &(struct snap_sink){.context = file, .write = take},
				      &options, NULL) == SNAP_OK);
	double gap = minus_log(uniform()) * INTERVAL;
	for (unsigned i = 0; i < BLOCKS; i++) {
		struct snap_object object = {.id = 4096u + 16384u * i,
					     .size = size_of(i),
					     .count = 1,
					     .domain = i % GROUPS};
		if (gap >= (double)object.size) {
			gap -= (double)object.size;
			continue;
		}
		gap = minus_log(uniform()) * INTERVAL;
		REQUIRE(snap_writer_object(w, &object, NULL) == SNAP_OK);
	}
	REQUIRE(snap_writer_finish(w, NULL, NULL) == SNAP_OK);
}

struct tally {
	double bytes, count;
	unsigned bytes_within, count_within;
};

static void judge(struct tally *tally, double bytes, double count, double wanted_bytes,
		  double wanted_count, uint64_t bytes_error, uint64_t count_error)
{
	tally->bytes += bytes / TRIALS;
	tally->count += count / TRIALS;
	tally->bytes_within += distance(bytes, wanted_bytes) <= 1.96 * (double)bytes_error;
	tally->count_within += distance(count, wanted_count) <= 1.96 * (double)count_error;
}

static void ask(struct file *file, struct tally tallies[GROUPS + 1], const double bytes[GROUPS + 1],
		const double count[GROUPS + 1])
{
	struct snap_query_options options = SNAP_QUERY_OPTIONS_INIT;
	struct snap_reader *reader;
	struct snap_answer *answer;
	struct snap_answer_info info;
	options.key = SNAP_KEY_DOMAIN;
	options.errors = true;
	REQUIRE(snap_reader_open_memory(&reader, file->bytes, file->size, NULL, NULL) == SNAP_OK);
	REQUIRE(snap_query(&answer, reader, &options, NULL) == SNAP_OK);
	snap_answer_info(answer, &info);
	REQUIRE(info.has_errors && info.row_count == GROUPS);
	for (uint64_t i = 0; i < GROUPS; i++) {
		struct snap_answer_row row;
		snap_answer_row(answer, i, &row);
		size_t group = (size_t)row.number;
		judge(&tallies[group], (double)row.bytes, (double)row.count, bytes[group],
		      count[group], row.bytes_error, row.count_error);
	}
	judge(&tallies[GROUPS], (double)info.bytes, (double)info.count, bytes[GROUPS],
	      count[GROUPS], info.bytes_error, info.count_error);
	snap_answer_free(answer);
	snap_reader_close(reader);
}

static bool is_share(unsigned within)
{
	double share = (double)within / TRIALS;
	printf("# %.3f\n", share);
	return share > 0.925 && share < 0.975;
}

static void test_coverage(struct file *file)
{
	struct tally tallies[GROUPS + 1] = {{0}};
	double bytes[GROUPS + 1] = {0}, count[GROUPS + 1] = {0};
	for (unsigned i = 0; i < BLOCKS; i++)
		for (unsigned group = i % GROUPS;; group = GROUPS) {
			bytes[group] += (double)size_of(i);
			count[group]++;
			if (group == GROUPS)
				break;
		}
	for (int i = 0; i < TRIALS; i++) {
		sample(file, false);
		ask(file, tallies, bytes, count);
	}
	for (size_t group = 0; group <= GROUPS; group++) {
		CHECK(distance(tallies[group].bytes / bytes[group], 1) < 0.02);
		CHECK(distance(tallies[group].count / count[group], 1) < 0.02);
		CHECK(is_share(tallies[group].bytes_within));
		CHECK(is_share(tallies[group].count_within));
	}
}

/* Of totals alone, where blocks of a group are much alike: nearly the same. */
static void test_averages(struct file *file)
{
	uint64_t errors[2];
	for (int totals_only = 0; totals_only < 2; totals_only++) {
		struct snap_query_options options = SNAP_QUERY_OPTIONS_INIT;
		struct snap_reader *reader;
		struct snap_answer *answer;
		struct snap_answer_info info;
		options.key = SNAP_KEY_DOMAIN;
		options.errors = true;
		state = 1234567;
		sample(file, totals_only);
		REQUIRE(snap_reader_open_memory(&reader, file->bytes, file->size, NULL, NULL) ==
			SNAP_OK);
		REQUIRE(snap_query(&answer, reader, &options, NULL) == SNAP_OK);
		snap_answer_info(answer, &info);
		CHECK(info.by_average == totals_only);
		struct snap_answer_row row;
		snap_answer_row(answer, 0, &row);
		errors[totals_only] = row.bytes_error;
		snap_answer_free(answer);
		snap_reader_close(reader);
	}
	CHECK(errors[0] > 0 && errors[1] > errors[0] / 2 && errors[1] < errors[0] * 2);
}

static void test_exact(struct file *file)
{
	struct snap_writer_options given = SNAP_WRITER_OPTIONS_INIT;
	struct snap_query_options options = SNAP_QUERY_OPTIONS_INIT;
	struct snap_object object = {.id = 8, .size = 100, .count = 1};
	struct snap_writer *w;
	struct snap_reader *reader;
	struct snap_answer *answer;
	struct snap_answer_info info;
	struct snap_answer_row row;
	file->size = 0;
	REQUIRE(snap_writer_open_sink(&w, &(struct snap_sink){.context = file, .write = take},
				      &given, NULL) == SNAP_OK);
	REQUIRE(snap_writer_object(w, &object, NULL) == SNAP_OK);
	REQUIRE(snap_writer_finish(w, NULL, NULL) == SNAP_OK);
	REQUIRE(snap_reader_open_memory(&reader, file->bytes, file->size, NULL, NULL) == SNAP_OK);
	options.key = SNAP_KEY_DOMAIN;
	options.errors = true;
	REQUIRE(snap_query(&answer, reader, &options, NULL) == SNAP_OK);
	snap_answer_info(answer, &info);
	snap_answer_row(answer, 0, &row);
	CHECK(info.has_errors && info.bytes_error == 0 && row.bytes == 100 &&
	      row.bytes_error == 0 && row.count_error == 0);
	snap_answer_free(answer);
	options.key = SNAP_KEY_FUNCTION;
	options.cumulative = true;
	CHECK(snap_query(&answer, reader, &options, NULL) == SNAP_MISUSE);
	snap_reader_close(reader);
}

int main(void)
{
	static struct file file;
	test_coverage(&file);
	test_averages(&file);
	test_exact(&file);
	return DONE();
}
