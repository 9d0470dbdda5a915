/* The pickle importer on small, damaged and hostile input (tools/import/pickle.h, tracemalloc.c).
 */
#include <sys/mman.h>
#include <unistd.h>

#include "import.h"
#include "pickle.h"
#include "tap.h"

/* Two traces in one frame of protocol 4, as CPython 3.13 writes them: (0, 100, (("a.py", 4),
 * ("b.py", 7)), 3) and (1, 2 GiB, (("b.py", 7),), 1); the limit is 2. */
static const char good[] =
	"\x80\x04\x95\x97\0\0\0\0\0\0\0"
	"\x8c\x0btracemalloc\x94\x8c\x08Snapshot\x94\x93\x94)\x81\x94}\x94("
	"\x8c\x06traces\x94h\x00\x8c\x07_Traces\x94\x93\x94)\x81\x94}\x94\x8c\x07_traces\x94]\x94("
	"(K\x00K\x64\x8c\x04"
	"a.py\x94K\x04\x86\x94\x8c\x04"
	"b.py\x94K\x07\x86\x94\x86\x94K\x03t\x94"
	"(K\x01\x8a\x05\x00\x00\x00\x80\x00h\x0f\x85\x94K\x01t\x94"
	"e"
	"sb\x8c\x0ftraceback_limit\x94K\x02ub.";

struct outcome {
	enum snap_status status;
	struct snap_error error;
	uint64_t lost, written;
};

static int count_bytes(void *context, const void *bytes, size_t size)
{
	(void)bytes;
	*(uint64_t *)context += size;
	return 0;
}

static struct outcome *current;

/* The dispatcher's part: a writer that only counts its bytes. */
enum snap_status import_begin(struct import_context *context, uint32_t flags,
			      struct snap_error *error)
{
	struct snap_sink sink = {&current->written, count_bytes};
	context->writer_options.flags = flags;
	return snap_writer_open_sink(&context->writer, &sink, &context->writer_options, error);
}

static struct outcome import(const void *bytes, size_t size, bool partial, bool pipe_like,
			     uint64_t memory)
{
	struct outcome out = {.error = {.offset = SNAP_NO_OFFSET}};
	int descriptor = memfd_create("pickle", MFD_CLOEXEC);
	REQUIRE(descriptor >= 0 && write(descriptor, bytes, size) == (ssize_t)size);
	REQUIRE(lseek(descriptor, 0, SEEK_SET) == 0);
	struct import_input input = {
		.name = "test", .descriptor = descriptor, .seekable = !pipe_like, .size = size};
	struct import_options options = {.partial = partial};
	struct import_context context = {
		.input = &input,
		.options = &options,
		.writer_options = SNAP_WRITER_OPTIONS_INIT,
		.output_descriptor = -1,
	};
	context.writer_options.max_memory_bytes = memory;
	current = &out;
	out.status = import_tracemalloc(&context, &out.error);
	out.lost = context.lost;
	if (out.status == SNAP_OK)
		out.status = snap_writer_finish(context.writer, NULL, &out.error);
	else
		snap_writer_abort(context.writer);
	close(descriptor);
	return out;
}

static struct outcome import_text(const void *bytes, size_t size)
{
	return import(bytes, size, false, false, 0);
}
#define IMPORT(literal) import_text(literal, sizeof(literal) - 1)

static bool refused(struct outcome out, enum snap_status status, uint64_t offset,
		    const char *message)
{
	bool as_wanted = out.status == status && out.error.status == status &&
			 out.error.offset == offset && strcmp(out.error.message, message) == 0 &&
			 out.written == 0;
	if (!as_wanted)
		printf("# %s at %" PRIu64 ": %s\n", snap_status_name(out.status), out.error.offset,
		       out.error.message);
	return as_wanted;
}

static void test_good(void)
{
	struct outcome out = IMPORT(good);
	CHECK_NAMED(out.status == SNAP_OK && out.lost == 0 && out.written > 0, "a small pickle");
	printf("# %s\n", out.error.message);
	CHECK_NAMED(import(good, sizeof(good) - 1, false, true, 0).status == SNAP_OK,
		    "the same from a pipe");
	CHECK_NAMED(refused(import_text(good, sizeof(good)), SNAP_CORRUPT, sizeof(good) - 1,
			    "goes on after the pickle's end"),
		    "one byte after its end");
}

static void test_values(void)
{
	struct import_input input = {.descriptor = memfd_create("pickle", MFD_CLOEXEC),
				     .seekable = true,
				     .size = sizeof(good) - 1};
	REQUIRE(write(input.descriptor, good, sizeof(good) - 1) == (ssize_t)sizeof(good) - 1);
	struct pickle *p;
	REQUIRE(pickle_read(&p, &input, false, 0, NULL) == SNAP_OK);
	const struct pickle_object *snapshot = pickle_object(p, p->result, PICKLE_SNAPSHOT);
	uint64_t number;
	CHECK(snapshot != NULL && pickle_number(p, snapshot->fields[PICKLE_FIELD_LIMIT], &number) &&
	      number == 2);
	const struct pickle_object *traces =
		pickle_object(p, snapshot->fields[PICKLE_FIELD_TRACES], PICKLE_TRACES);
	const struct pickle_object *list =
		pickle_object(p, traces->fields[PICKLE_FIELD_LIST], PICKLE_LIST);
	size_t count, frames, size;
	CHECK(list != NULL && list->count == 2);
	const pickle_value *trace = pickle_tuple(p, list->items[1], &count);
	CHECK(count == 4 && pickle_number(p, trace[1], &number) && number == UINT64_C(2) << 30);
	const pickle_value *stack = pickle_tuple(p, trace[2], &frames);
	const pickle_value *frame = pickle_tuple(p, stack[0], &count);
	CHECK(frames == 1 && count == 2);
	const char *file = pickle_string(p, frame[0], &size);
	CHECK(size == 4 && memcmp(file, "b.py", 4) == 0);
	CHECK_NAMED(frame ==
			    pickle_tuple(p,
					 pickle_tuple(p, pickle_tuple(p, list->items[0], &count)[2],
						      &count)[1],
					 &count),
		    "equal tuples are one value");
	pickle_free(p);
	close(input.descriptor);
}

static void test_truncation(void)
{
	bool all = true, salvaged = false;
	for (size_t size = 0; size < sizeof(good) - 1; size++) {
		for (int pipe_like = 0; pipe_like < 2; pipe_like++) {
			struct outcome out = import(good, size, false, pipe_like, 0);
			all = all && out.status == SNAP_CORRUPT && out.written == 0;
		}
		struct outcome out = import(good, size, true, false, 0);
		all = all &&
		      (out.status == SNAP_CORRUPT || (out.status == SNAP_OK && out.lost > 0));
		salvaged = salvaged || out.status == SNAP_OK;
	}
	CHECK_NAMED(all, "cut at every byte: corrupt, and nothing is written");
	CHECK_NAMED(salvaged, "with partial, traces before the cut are kept and some called lost");
}

static void test_flips(void)
{
	char bytes[sizeof(good) - 1];
	uint64_t random = 1;
	unsigned count = 0, good_count = 0;
	bool all = true;
	for (size_t bit = 0; bit < sizeof(bytes) * 8 * 5; bit++) {
		memcpy(bytes, good, sizeof(bytes));
		bytes[bit / 8 % sizeof(bytes)] ^= (char)(1 << bit % 8);
		for (size_t more = bit / (sizeof(bytes) * 8); more > 0; more--) {
			random = random * UINT64_C(6364136223846793005) + 1442695040888963407u;
			bytes[(random >> 33) % sizeof(bytes)] = (char)(random >> 25);
		}
		struct outcome out = import(bytes, sizeof(bytes), bit % 3 == 0, bit % 2 == 0, 0);
		all = all && (out.status == SNAP_OK ||
			      (out.error.status == out.status && out.error.message[0] != '\0' &&
			       (out.status == SNAP_CORRUPT || out.status == SNAP_UNSUPPORTED ||
				out.status == SNAP_LIMIT)));
		good_count += out.status == SNAP_OK;
		count++;
	}
	CHECK_NAMED(all && count > 5000,
		    "thousands of damaged pickles end in a snapshot or a reason");
	printf("# %u of %u were still a snapshot\n", good_count, count);
}

static void test_refusals(void)
{
	CHECK_NAMED(refused(IMPORT("cos\nsystem\n(S'id'\ntR."), SNAP_UNSUPPORTED, 0,
			    "refuses global os.system"),
		    "os.system, protocol 0");
	CHECK_NAMED(refused(IMPORT("\x80\x02"
				   "cposix\nsystem\nX\x02\0\0\0id\x85R."),
			    SNAP_UNSUPPORTED, 2, "refuses global posix.system"),
		    "os.system, protocol 2");
	CHECK_NAMED(refused(IMPORT("\x80\x04\x8c\x02os\x94\x8c\x06system\x94\x93\x8c\x02id\x85R."),
			    SNAP_UNSUPPORTED, 16, "refuses global os.system"),
		    "os.system, protocol 4");
	CHECK_NAMED(refused(IMPORT("\x80\x04\x8c\x0btracemalloc\x8c\x05start\x93)R."),
			    SNAP_UNSUPPORTED, 22, "refuses global tracemalloc.start"),
		    "another global of the same module");
	CHECK_NAMED(refused(IMPORT("\x80\x04\x8c\x04"
				   "a\n\x1b[\x8c\x01\\\x93"),
			    SNAP_UNSUPPORTED, 11, "refuses global a\\x0a\\x1b[.\\x5c"),
		    "names are escaped");
	CHECK_NAMED(refused(IMPORT("\x80\x04\x8c\x0btracemalloc\x8c\x08Snapshot\x93)R."),
			    SNAP_UNSUPPORTED, 27, "refuses opcode REDUCE"),
		    "a call of an allowed class");
	CHECK_NAMED(refused(IMPORT("\x80\x04\x8c\x0btracemalloc\x8c\x08Snapshot\x93K\x01\x85\x81."),
			    SNAP_UNSUPPORTED, 29, "refuses to make an instance with arguments"),
		    "an instance with arguments");
	CHECK_NAMED(refused(IMPORT("\x80\x06."), SNAP_UNSUPPORTED, 0,
			    "pickle protocol 6, 2 to 5 are read"),
		    "a protocol from the future");
	CHECK_NAMED(refused(IMPORT("\x80\x01."), SNAP_UNSUPPORTED, 0,
			    "pickle protocol 1, 2 to 5 are read"),
		    "an old one");
	CHECK_NAMED(refused(IMPORT("\x7f"
				   "ELF"),
			    SNAP_CORRUPT, 0, "is no pickle of protocol 2 to 5"),
		    "an ELF file");
	CHECK_NAMED(refused(IMPORT("\x80\x04))\x86."), SNAP_CORRUPT, SNAP_NO_OFFSET,
			    "the pickle holds no tracemalloc.Snapshot"),
		    "a pickle of two empty tuples");
	CHECK_NAMED(refused(IMPORT(""), SNAP_CORRUPT, 0, "ends too early"), "an empty file");
	CHECK_NAMED(refused(IMPORT("\x80\x04N."), SNAP_CORRUPT, SNAP_NO_OFFSET,
			    "the pickle holds no tracemalloc.Snapshot"),
		    "a pickle of None");
}

/* Every opcode but the ones of a snapshot, whatever follows it. */
static void test_opcodes(void)
{
	static const uint8_t allowed[] = "(KMJ\x8a\x8cXN)\x85\x86\x87t\x94qrhj]ae}suc\x93\x81"
					 "b\x95.";
	bool others = true, ours = true;
	unsigned refusals = 0;
	for (unsigned opcode = 0; opcode < 256; opcode++) {
		uint8_t bytes[64] = {0x80, 4, (uint8_t)opcode};
		struct outcome out = import_text(bytes, sizeof(bytes));
		bool names = strncmp(out.error.message, "refuses opcode ", 15) == 0 ||
			     strstr(out.error.message, " is no opcode") != NULL;
		if (memchr(allowed, (int)opcode, sizeof(allowed) - 1) != NULL) {
			/* zero bytes follow a good one */
			ours = ours && (!names || out.error.offset > 2);
			continue;
		}
		others = others && names && out.error.offset == 2 && out.written == 0;
		refusals++;
	}
	CHECK_NAMED(others && refusals == 256 - (sizeof(allowed) - 1),
		    "every other opcode is refused where it stands");
	CHECK_NAMED(ours, "the opcodes of a snapshot are not");
}

static struct outcome import_repeated(const char *start, size_t start_size, const char *part,
				      size_t part_size, size_t times, uint64_t memory)
{
	size_t size = start_size + part_size * times;
	char *bytes = malloc(size);
	REQUIRE(bytes != NULL);
	memcpy(bytes, start, start_size);
	for (size_t i = 0; i < times; i++)
		memcpy(bytes + start_size + i * part_size, part, part_size);
	struct outcome out = import(bytes, size, false, false, memory);
	free(bytes);
	return out;
}
#define REPEATED(start, part, times, memory) \
	import_repeated(start, sizeof(start) - 1, part, sizeof(part) - 1, times, memory)

static void test_bombs(void)
{
	CHECK_NAMED(refused(REPEATED("\x80\x04)", "\x85", 2000000, 0), SNAP_CORRUPT, 2000003,
			    "ends too early"),
		    "tuples two million deep");
	CHECK_NAMED(REPEATED("\x80\x04)", "\x85", 2000000, 1 << 24).status == SNAP_LIMIT,
		    "the same in 16 MiB");
	CHECK_NAMED(REPEATED("\x80\x04", "N", 2000000, 0).status == SNAP_LIMIT,
		    "a stack of two million values");
	CHECK_NAMED(REPEATED("\x80\x04", "(", 1000, 0).status == SNAP_LIMIT, "a thousand marks");
	CHECK_NAMED(REPEATED("\x80\x04", "]", 1000, 0).status == SNAP_LIMIT, "a thousand lists");
	CHECK_NAMED(REPEATED("\x80\x04", "}", 1000, 0).status == SNAP_LIMIT,
		    "a thousand dictionaries");
	CHECK_NAMED(REPEATED("\x80\x04N", "\x94", 1000000, 1 << 20).status == SNAP_LIMIT,
		    "a memo over the memory limit");
	CHECK_NAMED(IMPORT("\x80\x04X\xff\xff\xff\xff").status == SNAP_LIMIT, "a string of 4 GiB");
	CHECK_NAMED(IMPORT("\x80\x04X\x00\x00\x01\x00"
			   "abc")
				    .status == SNAP_CORRUPT,
		    "a string beyond the end");
	CHECK_NAMED(IMPORT("\x80\x04\x8a\xff\x01").status == SNAP_CORRUPT,
		    "a number beyond the end");
	CHECK_NAMED(IMPORT("\x80\x04\x8a\x09\0\0\0\0\0\0\0\0\x01.").status == SNAP_LIMIT,
		    "a number of 65 bits");
	CHECK_NAMED(IMPORT("\x80\x04\x95\xff\xff\xff\xff\xff\xff\xff\xff").status == SNAP_CORRUPT,
		    "an endless frame");
	CHECK_NAMED(IMPORT("\x80\x04\x95\x02\0\0\0\0\0\0\0M\0\0.").status == SNAP_CORRUPT,
		    "an opcode across a frame");
	CHECK_NAMED(
		IMPORT("\x80\x04\x95\x12\0\0\0\0\0\0\0\x95\x00\0\0\0\0\0\0\0N........").status ==
			SNAP_CORRUPT,
		"a frame in a frame");
}

static void test_memo_and_stack(void)
{
	CHECK_NAMED(refused(IMPORT("\x80\x04h\x00."), SNAP_CORRUPT, 2, "memo entry 0 of 0"),
		    "a memo entry never made");
	CHECK_NAMED(refused(IMPORT("\x80\x04Nj\xff\xff\xff\xff."), SNAP_CORRUPT, 3,
			    "memo entry 4294967295 of 0"),
		    "a memo entry far away");
	CHECK_NAMED(refused(IMPORT("\x80\x02Nr\xff\xff\xff\xff."), SNAP_CORRUPT, 3,
			    "memo entry 4294967295 after 0"),
		    "a hole in the memo");
	CHECK_NAMED(IMPORT("\x80\x04\x94.").status == SNAP_CORRUPT, "memo of an empty stack");
	CHECK_NAMED(IMPORT("\x80\x04N(\x94.").status == SNAP_CORRUPT, "memo of a mark");
	CHECK_NAMED(IMPORT("\x80\x04N(\x85.").status == SNAP_CORRUPT, "a tuple across a mark");
	static const char underflow[] = "\x85\x86\x87taesu\x93\x81"
					"b.";
	bool all = true;
	for (size_t i = 0; i < sizeof(underflow) - 1; i++) {
		char bytes[4] = {(char)0x80, 4, underflow[i], '.'},
		     marked[5] = {(char)0x80, 4, '(', underflow[i], '.'};
		all = all && import_text(bytes, 4).status == SNAP_CORRUPT &&
		      import_text(marked, 5).status != SNAP_OK;
	}
	CHECK_NAMED(all, "no opcode takes from an empty stack");
	CHECK_NAMED(IMPORT("\x80\x04]\x94h\x00"
			   "a.")
				    .status == SNAP_CORRUPT,
		    "a list in itself");
	CHECK_NAMED(IMPORT("\x80\x04}\x94\x8c\x07_tracesh\x00s.").status == SNAP_CORRUPT,
		    "a dictionary in itself");
	CHECK_NAMED(IMPORT("\x80\x04}K\x01K\x02s.").status == SNAP_CORRUPT,
		    "a key that is a number");
	CHECK_NAMED(IMPORT("\x80\x04}(\x8c\x01"
			   "au.")
				    .status == SNAP_CORRUPT,
		    "a key without a value");
	CHECK_NAMED(IMPORT("\x80\x04NN.").status == SNAP_CORRUPT, "two values at the end");
}

/* A snapshot with these traces: opcodes that leave values on the stack. */
static struct outcome import_traces(const char *traces, size_t size)
{
	static const char head[] = "\x80\x02"
				   "ctracemalloc\nSnapshot\n)\x81}(X\x06\0\0\0traces"
				   "ctracemalloc\n_Traces\n)\x81}X\x07\0\0\0_traces](";
	static const char tail[] = "esbX\x0f\0\0\0traceback_limitK\x01ub.";
	char bytes[512];
	REQUIRE(sizeof(head) + size + sizeof(tail) < sizeof(bytes));
	memcpy(bytes, head, sizeof(head) - 1);
	memcpy(bytes + sizeof(head) - 1, traces, size);
	memcpy(bytes + sizeof(head) - 1 + size, tail, sizeof(tail) - 1);
	return import_text(bytes, sizeof(head) - 1 + size + sizeof(tail) - 1);
}
#define TRACES(literal) import_traces(literal, sizeof(literal) - 1)
#define FRAMES          "X\x01\0\0\0aK\x07\x86\x85"

static void test_traces(void)
{
	CHECK_NAMED(TRACES("").status == SNAP_OK, "no traces, protocol 2");
	CHECK_NAMED(TRACES("K\x00K\x05" FRAMES "\x87").status == SNAP_OK,
		    "three values, as until 3.8");
	CHECK_NAMED(TRACES("(K\x00K\x05" FRAMES "Nt").status == SNAP_OK, "a total of None");
	CHECK_NAMED(
		TRACES("K\x00\x8a\x09\xff\xff\xff\xff\xff\xff\xff\xff\x00" FRAMES "\x87").status ==
			SNAP_OK,
		"a size of 2^64 - 1");
	CHECK_NAMED(refused(TRACES("K\x00J\xff\xff\xff\xff" FRAMES "\x87"), SNAP_CORRUPT,
			    SNAP_NO_OFFSET, "trace 1: the size is no number from 0"),
		    "a negative size");
	CHECK_NAMED(refused(TRACES("\x8a\x05\0\0\0\0\x01K\x00" FRAMES "\x87"), SNAP_CORRUPT,
			    SNAP_NO_OFFSET,
			    "trace 1: the domain is no number from 0 to 4294967295"),
		    "a domain of 2^32");
	CHECK_NAMED(refused(TRACES("K\x00K\x05" FRAMES "\x87K\x00K\x05)\x87"), SNAP_CORRUPT,
			    SNAP_NO_OFFSET, "trace 2: no frames"),
		    "an empty stack");
	CHECK_NAMED(TRACES("K\x00K\x05K\x06\x87").status == SNAP_CORRUPT, "a number for frames");
	CHECK_NAMED(TRACES("K\x00K\x05K\x06\x85\x87").status == SNAP_CORRUPT,
		    "a number for a frame");
	CHECK_NAMED(TRACES("K\x00K\x05K\x06K\x07\x86\x85\x87").status == SNAP_CORRUPT,
		    "a number for a file");
	CHECK_NAMED(TRACES("K\x00K\x05X\x01\0\0\0aJ\xff\xff\xff\xff\x86\x85\x87").status ==
			    SNAP_CORRUPT,
		    "line -1");
	CHECK_NAMED(TRACES("N").status == SNAP_CORRUPT, "None for a trace");
	CHECK_NAMED(TRACES("K\x00K\x05" FRAMES "\x87q\x00h\x00h\x00").status == SNAP_OK,
		    "one trace three times");
	/* A trace that stands for frames, frames that stand for a trace, a frame that does. */
	CHECK_NAMED(TRACES("K\x00K\x05" FRAMES "\x87q\x00K\x00K\x06h\x00\x87").status ==
			    SNAP_CORRUPT,
		    "a trace among frames");
	CHECK_NAMED(TRACES("K\x00K\x05X\x01\0\0\0aK\x07\x86q\x00\x85q\x01\x87h\x01").status ==
			    SNAP_CORRUPT,
		    "frames among traces");
	CHECK_NAMED(TRACES("K\x00K\x05X\x01\0\0\0aK\x07\x86q\x00\x85q\x01\x87h\x00").status ==
			    SNAP_CORRUPT,
		    "a frame among traces");
}

/* Each place that asks for memory is refused once. */
static void test_memory(void)
{
	unsigned limited = 0;
	bool all = true;
	for (uint64_t memory = 1; memory < 80000; memory += 97) {
		struct outcome out = import(good, sizeof(good) - 1, false, false, memory);
		all = all && (out.status == SNAP_OK || out.status == SNAP_LIMIT);
		limited += out.status == SNAP_LIMIT;
	}
	CHECK_NAMED(all && limited > 100,
		    "too little memory is over the limit, wherever it runs out");
}

int main(void)
{
	test_good();
	test_values();
	test_truncation();
	test_flips();
	test_refusals();
	test_opcodes();
	test_bombs();
	test_memo_and_stack();
	test_traces();
	test_memory();
	return DONE();
}
