/* How large objects are in memory: HPROF has only their contents.  The rules are those of HotSpot,
 * and snap-import(1) states them. */
#include <string.h>

#include "hprof.h"

/* For 8-byte ids.  An object array's size tells them apart. */
static const struct hprof_layout models[HPROF_MODELS] = {
	{.header = 12, .array_header = 16, .reference = 4}, /* compressed references */
	{.header = 12, .array_header = 16, .reference = 8}, /* only compressed class pointers */
	{.header = 16, .array_header = 24, .reference = 8},
	{.header = 8, .array_header = 12, .reference = 4}, /* compact headers of JDK 24 */
};
#define COMPRESSED_HEAP (UINT64_C(32) << 30)
#define ENOUGH          64 /* objects, to tell their alignment */

static uint64_t align(uint64_t size, uint64_t to)
{
	return (size + to - 1) / to * to;
}

uint64_t hprof_array_size(const struct hprof_layout *layout, uint64_t count, unsigned element)
{
	uint64_t first = element == 8 ? align(layout->array_header, 8) : layout->array_header;
	return align(first + count * element, layout->alignment);
}

/* The object after an array, where it follows at once, says how large the array is. */
void hprof_vote(struct hprof_votes *votes, const struct hprof_record *record)
{
	if (votes->array_id != 0 && record->id > votes->array_id) {
		uint64_t distance = record->id - votes->array_id;
		for (size_t i = 0; i < HPROF_MODELS; i++) {
			struct hprof_layout layout = models[i];
			layout.alignment = 8;
			votes->for_model[i] +=
				distance ==
				hprof_array_size(&layout, votes->array_count, layout.reference);
		}
	}
	bool array = record->tag == HPROF_OBJECT_ARRAY && record->count >= 3;
	votes->array_id = array ? record->id : 0;
	votes->array_count = record->count;
	votes->object_count++;
	votes->address_bits |= record->id;
	if (record->id > votes->highest)
		votes->highest = record->id;
}

void hprof_layout_choose(struct hprof_layout *layout, const struct hprof_scan *scan,
			 const struct hprof_votes *votes)
{
	size_t best = votes->highest < COMPRESSED_HEAP ? 0 : 2;
	for (size_t i = 0; i < HPROF_MODELS; i++)
		if (votes->for_model[i] > votes->for_model[best])
			best = i;
	bool fills_gaps = layout->fills_gaps;
	*layout = models[best];
	if (scan->id_size == 4 || scan->android)
		*layout = (struct hprof_layout){.header = 8, .array_header = 12, .reference = 4};
	layout->fills_gaps = fills_gaps;
	layout->sizes_given = scan->android;
	layout->alignment = 8;
	uint64_t bits = votes->address_bits;
	if (votes->object_count >= ENOUGH && !scan->android)
		while (layout->alignment < 256 && (bits & (2 * layout->alignment - 1)) == 0)
			layout->alignment *= 2;
}

/* ---- instances ---- */

/* How many fields of each size; references apart. */
struct fields {
	uint32_t of8, of4, of2, of1, references;
};

static void count_field(struct fields *fields, uint8_t type)
{
	switch (hprof_size_of(type, 0)) {
	case 8: fields->of8++; break;
	case 4: fields->of4++; break;
	case 2: fields->of2++; break;
	case 1: fields->of1++; break;
	default: fields->references++;
	}
}

static bool declares(struct hprof_import *import, const struct hprof_class *class, const char *name)
{
	for (uint32_t i = 0; i < class->field_count; i++)
		if (hprof_name_is(import, import->classes.fields[class->first_field + i].name,
				  name))
			return true;
	return false;
}

/* Fields that the JVM itself adds, and tells nobody of;
 * with a field that tells newer JDKs, what these change. */
static void add_hidden_fields(struct hprof_import *import, const struct hprof_class *class,
			      struct fields *fields)
{
	static const struct {
		const char *name, *field;
		uint8_t pointers, of8, of4, of2, of1;
		int8_t references;
	} hidden[] = {
		{"java.lang.Class", NULL, 2, 0, 2, 0, 0, 3},
		{"java.lang.ClassLoader", NULL, 1, 0, 0, 0, 0, 0},
		{"java.lang.Module", NULL, 1, 0, 0, 0, 0, 0},
		{"java.lang.String", NULL, 0, 0, 0, 0, 1, 0},
		{"java.lang.StackFrameInfo", NULL, 0, 0, 0, 1, 0, 0},
		{"java.lang.InternalError", NULL, 0, 0, 0, 0, 1, 0},
		{"java.lang.invoke.MemberName", NULL, 1, 0, 0, 0, 0, 0},
		{"java.lang.invoke.ResolvedMethodName", NULL, 1, 0, 0, 0, 0, 1},
		{"java.lang.invoke.MethodHandleNatives$CallSiteContext", NULL, 1, 1, 0, 0, 0, 0},
		{"java.lang.Class", "signers", 0, 0, 0, 0, 0, -1},
		{"java.lang.Thread", "holder", 1, 0, 1, 1, 1, 0},
		{"java.lang.VirtualThread", "onWaitingList", 1, 0, 0, 0, 0, 0},
		{"jdk.internal.vm.StackChunk", NULL, 1, 0, 1, 0, 2, 1},
		{"java.lang.invoke.ResolvedMethodName", "vmholder", 0, 0, 0, 0, 0, -1},
	};
	for (size_t i = 0; i < sizeof(hidden) / sizeof(hidden[0]); i++) {
		if (!hprof_name_is(import, class->name, hidden[i].name) ||
		    (hidden[i].field != NULL && !declares(import, class, hidden[i].field)))
			continue;
		uint32_t *pointers = import->scan.id_size == 8 ? &fields->of8 : &fields->of4;
		*pointers += hidden[i].pointers;
		fields->of8 += hidden[i].of8;
		fields->of4 += hidden[i].of4;
		fields->of2 += hidden[i].of2;
		fields->of1 += hidden[i].of1;
		fields->references = (uint32_t)((int32_t)fields->references + hidden[i].references);
	}
}

static void add_gap(struct hprof_extent *extent, uint32_t at, uint32_t size)
{
	if (size == 0 || extent->padded || extent->gap_count == HPROF_GAPS)
		return;
	extent->gaps[extent->gap_count].at = at;
	extent->gaps[extent->gap_count++].size = size;
}

/* The smallest gap that will do, or none. */
static int find_gap(const struct hprof_extent *extent, uint32_t size)
{
	int best = -1;
	for (int i = (int)extent->gap_count - 1; i >= 0; i--) {
		uint32_t at = (uint32_t)align(extent->gaps[i].at, size);
		bool fits = at + size <= extent->gaps[i].at + extent->gaps[i].size;
		if (fits && (best < 0 || extent->gaps[i].size < extent->gaps[best].size))
			best = i;
	}
	return best;
}

static void place(struct hprof_extent *extent, uint32_t size)
{
	int gap = find_gap(extent, size);
	if (gap < 0) {
		uint32_t at = (uint32_t)align(extent->end, size);
		add_gap(extent, extent->end, at - extent->end);
		extent->end = at + size;
		return;
	}
	uint32_t begin = extent->gaps[gap].at, end = begin + extent->gaps[gap].size;
	uint32_t at = (uint32_t)align(begin, size);
	extent->gaps[gap] = extent->gaps[--extent->gap_count];
	add_gap(extent, begin, at - begin);
	add_gap(extent, at + size, end - at - size);
}

static void place_all(struct hprof_extent *extent, const struct fields *fields, uint32_t reference)
{
	const struct {
		uint32_t size, count;
	} in_order[] = {{8, fields->of8},
			{4, fields->of4},
			{2, fields->of2},
			{1, fields->of1},
			{reference, fields->references}};
	for (size_t i = 0; i < 5; i++)
		for (uint32_t n = 0; n < in_order[i].count; n++)
			place(extent, in_order[i].size);
}

#define PADDING 128

/* What several processors write to is given cache lines of its own: fields, or
 * all of a class.  Where classes changed, a field tells which one it is. */
static bool is_contended(struct hprof_import *import, const struct hprof_class *class,
			 const struct hprof_field *field)
{
	static const struct {
		const char *class, *field, *with, *without;
	} all[] = {
		{"java.lang.Thread", "threadLocalRandomSeed", NULL, "holder"},
		{"java.lang.Thread", "threadLocalRandomProbe", NULL, "holder"},
		{"java.lang.Thread", "threadLocalRandomSecondarySeed", NULL, "holder"},
		{"java.util.concurrent.atomic.Striped64$Cell", NULL, NULL, NULL},
		{"java.util.concurrent.ConcurrentHashMap$CounterCell", NULL, NULL, NULL},
		{"java.util.concurrent.Exchanger$Node", NULL, "bound", NULL},
		{"java.util.concurrent.Exchanger$Slot", NULL, NULL, NULL},
		{"java.util.concurrent.SubmissionPublisher$BufferedSubscription", NULL, NULL, NULL},
		{"java.util.concurrent.SubmissionPublisher$BufferedSubscription", "demand", NULL,
		 NULL},
		{"java.util.concurrent.SubmissionPublisher$BufferedSubscription", "waiting", NULL,
		 NULL},
		{"java.util.concurrent.ForkJoinPool", "ctl", NULL, NULL},
		{"java.util.concurrent.ForkJoinPool", "parallelism", NULL, NULL},
		{"java.util.concurrent.ForkJoinPool$WorkQueue", "top", NULL, NULL},
		{"java.util.concurrent.ForkJoinPool$WorkQueue", "source", NULL, NULL},
		{"java.util.concurrent.ForkJoinPool$WorkQueue", "nsteals", NULL, NULL},
		{"java.util.concurrent.ForkJoinPool$WorkQueue", "phase", "parking", NULL},
		{"java.util.concurrent.ForkJoinPool$WorkQueue", "stackPred", "parking", NULL},
		{"java.util.concurrent.ForkJoinPool$WorkQueue", "parking", NULL, NULL},
	};
	for (size_t i = 0; i < sizeof(all) / sizeof(all[0]); i++)
		if ((all[i].field == NULL) == (field == NULL) &&
		    (field == NULL || hprof_name_is(import, field->name, all[i].field)) &&
		    hprof_name_is(import, class->name, all[i].class))
			return (all[i].with == NULL || declares(import, class, all[i].with)) &&
			       (all[i].without == NULL || !declares(import, class, all[i].without));
	return false;
}

/* Nothing else comes near, and what comes after fills no gaps. */
static void pad(struct hprof_extent *extent)
{
	extent->end += PADDING;
	extent->gap_count = 0;
	extent->padded = true;
}

/* Up to JDK 14, a class begins anew after its superclass; only the gap before its own 8-byte
 * fields is filled, by smaller ones. */
static void begin_anew(struct hprof_extent *extent, uint32_t reference)
{
	extent->end = (uint32_t)align(extent->end, reference);
	extent->gap_count = 0;
}

void hprof_layout_class(struct hprof_import *import, struct hprof_class *class,
			const struct hprof_class *super)
{
	const struct hprof_layout *layout = &import->layout;
	struct fields fields = {0}, contended = {0};
	bool whole = !layout->sizes_given && is_contended(import, class, NULL), part = false;
	for (uint32_t i = 0; i < class->field_count; i++) {
		const struct hprof_field *field = &import->classes.fields[class->first_field + i];
		bool apart = !layout->sizes_given && is_contended(import, class, field);
		count_field(apart ? &contended : &fields, field->type);
		part = part || apart;
	}
	if (!layout->sizes_given)
		add_hidden_fields(import, class, &fields);
	class->extent =
		super != NULL ? super->extent : (struct hprof_extent){.end = layout->header};
	if (!layout->fills_gaps)
		begin_anew(&class->extent, layout->reference);
	if (whole)
		pad(&class->extent);
	place_all(&class->extent, &fields, layout->reference);
	if (part) {
		pad(&class->extent);
		place_all(&class->extent, &contended, layout->reference);
	}
	if (whole || part)
		pad(&class->extent);
	class->extent.padded = false;
	class->size = (uint32_t)align(class->extent.end, layout->alignment);
	if (layout->sizes_given && class->instance_size > 0)
		class->size = class->instance_size;
}

/* The object of a class has the statics of that class after
 * its own fields: references, large values, small ones. */
uint64_t hprof_class_object_size(const struct hprof_import *import, const struct hprof_class *class)
{
	const struct hprof_statics *statics = &class->statics;
	uint64_t size = import->classes.class_bytes;
	size += (uint64_t)statics->references * import->layout.reference;
	if (statics->of8 > 0)
		size = align(size, 8) + statics->of8;
	return align(size + statics->less, import->layout.alignment);
}

/* A piece of a virtual thread's stack: after its fields so many
 * words, and a bit for each reference that they have room for. */
uint64_t hprof_stack_chunk_size(const struct hprof_import *import, const struct hprof_class *class,
				uint32_t words)
{
	const uint64_t word = import->scan.id_size, bits_per_word = 8 * word;
	uint64_t bits = words * word / import->layout.reference;
	uint64_t bit_words = (bits + bits_per_word - 1) / bits_per_word;
	return align(class->size + (words + bit_words) * word, import->layout.alignment);
}
