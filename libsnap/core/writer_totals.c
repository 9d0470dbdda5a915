/* Sums, kept up to date with every object (FORMAT.md, section 7.4). */
#include <inttypes.h>

#include "writer.h"

#define BIT(dimension) (1u << (dimension))

static void keyed_init(struct libsnap_keyed_sums *k, const struct snap_allocator *allocator)
{
	libsnap_set_init(&k->keys, allocator, sizeof(uint32_t));
	libsnap_pages_init(&k->sums, allocator, sizeof(struct libsnap_sum));
	k->last = 0;
}

void libsnap_totals_init(struct libsnap_totals *t, const struct snap_allocator *allocator)
{
	*t = (struct libsnap_totals){0};
	libsnap_pages_init(&t->by_type, allocator, sizeof(struct libsnap_sum));
	libsnap_pages_init(&t->by_stack, allocator, sizeof(struct libsnap_sum));
	libsnap_pages_init(&t->by_thread, allocator, sizeof(struct libsnap_sum));
	keyed_init(&t->by_domain, allocator);
	keyed_init(&t->by_generation, allocator);
}

void libsnap_totals_free(struct libsnap_totals *t)
{
	libsnap_pages_free(&t->by_type);
	libsnap_pages_free(&t->by_stack);
	libsnap_pages_free(&t->by_thread);
	libsnap_set_free(&t->by_domain.keys);
	libsnap_pages_free(&t->by_domain.sums);
	libsnap_set_free(&t->by_generation.keys);
	libsnap_pages_free(&t->by_generation.sums);
}

static inline enum snap_status add(struct snap_writer *w, struct libsnap_sum *to, uint64_t bytes,
				   uint64_t count)
{
	if (libsnap_add_overflows(to->bytes, bytes, &to->bytes) ||
	    libsnap_add_overflows(to->count, count, &to->count))
		return libsnap_fail(&w->problem, SNAP_LIMIT, SNAP_NO_OFFSET, "a sum is over 2^64");
	return SNAP_OK;
}

static enum snap_status add_by_id(struct snap_writer *w, struct libsnap_pages *sums, uint32_t id,
				  uint64_t bytes, uint64_t count)
{
	if (id >= sums->count && !libsnap_pages_reach(sums, (uint64_t)id + 1))
		return libsnap_fail_memory(&w->problem);
	return add(w, libsnap_pages_at(sums, id), bytes, count);
}

static enum snap_status add_by_key(struct snap_writer *w, struct libsnap_keyed_sums *k,
				   uint32_t key, uint64_t bytes, uint64_t count)
{
	if (k->last == 0 || *(const uint32_t *)libsnap_set_at(&k->keys, k->last) != key) {
		uint32_t id = libsnap_set_add(&k->keys, &key);
		if (!id || !libsnap_pages_reach(&k->sums, id))
			return libsnap_fail_memory(&w->problem);
		k->last = id;
	}
	return add(w, libsnap_pages_at(&k->sums, k->last - 1), bytes, count);
}

static inline enum snap_status add_to(struct snap_writer *w, enum snap_dimension dimension,
				      uint64_t key, uint64_t bytes, uint64_t count)
{
	struct libsnap_totals *t = &w->totals;
	if (key != 0)
		t->present |= BIT(dimension);
	switch (dimension) {
	case SNAP_BY_ALL: return add(w, &t->all, bytes, count);
	case SNAP_BY_TYPE: return add_by_id(w, &t->by_type, (uint32_t)key, bytes, count);
	case SNAP_BY_STACK: return add_by_id(w, &t->by_stack, (uint32_t)key, bytes, count);
	case SNAP_BY_THREAD: return add_by_id(w, &t->by_thread, (uint32_t)key, bytes, count);
	case SNAP_BY_DOMAIN: return add_by_key(w, &t->by_domain, (uint32_t)key, bytes, count);
	case SNAP_BY_GENERATION:
		return add_by_key(w, &t->by_generation, (uint32_t)key, bytes, count);
	case SNAP_BY_SIZE: return add(w, &t->by_size[key], bytes, count);
	case SNAP_BY_SHAPE: break;
	}
	return SNAP_OK;
}

enum snap_status libsnap_totals_sum(struct snap_writer *w, enum snap_dimension dimension,
				    uint64_t key, const struct libsnap_sum *sum)
{
	return sum->count ? add_to(w, dimension, key, sum->bytes, sum->count) : SNAP_OK;
}

static inline enum snap_status add_of_stack(struct snap_writer *w)
{
	struct libsnap_common *common = &w->totals.common;
	const struct libsnap_sum sum = common->of_stack;
	common->of_stack = (struct libsnap_sum){0, 0};
	if (sum.count == 0)
		return SNAP_OK;
	enum snap_status status = add(w, &common->of_others, sum.bytes, sum.count);
	return status == SNAP_OK ? add_to(w, SNAP_BY_STACK, common->stack, sum.bytes, sum.count)
				 : status;
}

static enum snap_status add_of_others(struct snap_writer *w)
{
	struct libsnap_common *common = &w->totals.common;
	const struct libsnap_sum sum = common->of_others;
	common->of_others = (struct libsnap_sum){0, 0};
	if (sum.count == 0)
		return SNAP_OK;
	enum snap_status status = add_to(w, SNAP_BY_ALL, 0, sum.bytes, sum.count);
	if (status == SNAP_OK)
		status = add_to(w, SNAP_BY_THREAD, common->thread, sum.bytes, sum.count);
	if (status == SNAP_OK)
		status = add_to(w, SNAP_BY_DOMAIN, common->domain, sum.bytes, sum.count);
	if (status == SNAP_OK)
		status = add_to(w, SNAP_BY_GENERATION, common->generation, sum.bytes, sum.count);
	return status;
}

static enum snap_status add_common(struct snap_writer *w)
{
	enum snap_status status = add_of_stack(w);
	return status == SNAP_OK ? add_of_others(w) : status;
}

/* Ends what the objects so far have in common, and begins with what this one has. */
static __attribute__((noinline)) enum snap_status change_common(struct snap_writer *w,
								const struct snap_object *o)
{
	struct libsnap_common *common = &w->totals.common;
	enum snap_status status = add_of_stack(w);
	if (status == SNAP_OK && (o->thread != common->thread || o->domain != common->domain ||
				  o->generation != common->generation))
		status = add_of_others(w);
	common->stack = o->stack;
	common->thread = o->thread;
	common->domain = o->domain;
	common->generation = o->generation;
	return status;
}

enum snap_status libsnap_totals_odd(struct snap_writer *w, const struct snap_object *o)
{
	struct libsnap_common *common = &w->totals.common;
	enum snap_status status = SNAP_OK;
	uint64_t bytes;
	if (libsnap_multiply_overflows(o->size, o->count, &bytes))
		return libsnap_fail(&w->problem, SNAP_LIMIT, SNAP_NO_OFFSET,
				    "an object of over 2^64 bytes");
	if (!libsnap_in_common(common, o))
		status = change_common(w, o);
	if (status == SNAP_OK)
		status = add(w, &common->of_stack, bytes, o->count);
	/* Where there are objects, their shapes have the sums of types. */
	if (status == SNAP_OK && w->totals_only)
		status = add_to(w, SNAP_BY_TYPE, o->type, bytes, o->count);
	return status == SNAP_OK
		       ? add_to(w, SNAP_BY_SIZE, libsnap_size_bucket(o->size), bytes, o->count)
		       : status;
}

static enum snap_status check_total(struct snap_writer *w, enum snap_dimension dimension,
				    uint64_t key)
{
	const struct libsnap_names *n = &w->names;
	uint64_t most = 0;
	if (!w->totals_only)
		return libsnap_misuse(w, "a total without the option totals_only");
	switch (dimension) {
	case SNAP_BY_ALL: most = 0; break;
	case SNAP_BY_TYPE: most = n->types.rows.count; break;
	case SNAP_BY_STACK: most = n->stacks.rows.count; break;
	case SNAP_BY_THREAD: most = n->threads.rows.count; break;
	case SNAP_BY_DOMAIN:
	case SNAP_BY_GENERATION: most = UINT32_MAX; break;
	case SNAP_BY_SIZE: most = 64; break;
	case SNAP_BY_SHAPE:
		return libsnap_misuse(w,
				      "a total by shape, of which there are none in totals only");
	default: return libsnap_misuse(w, "%u is no dimension", (unsigned)dimension);
	}
	if (key > most)
		return libsnap_misuse(w, "a total of dimension %u: key %" PRIu64 " is not known",
				      (unsigned)dimension, key);
	return SNAP_OK;
}

enum snap_status snap_writer_total(struct snap_writer *w, enum snap_dimension dimension,
				   uint64_t key, uint64_t bytes, uint64_t count,
				   struct snap_error *error)
{
	enum snap_status status = w->failure.status;
	if (status == SNAP_OK)
		status = check_total(w, dimension, key);
	if (status == SNAP_OK)
		status = add_to(w, dimension, key, bytes, count);
	return libsnap_writer_end_call(w, status, error);
}

/* ---- writing ---- */

struct totals_out {
	struct snap_writer *writer;
	struct libsnap_table_out table;
	enum snap_dimension dimension;
	struct libsnap_sum sum; /* of the dimension */
	bool only_check;
	enum snap_status status;
};

static void put_sum(struct totals_out *o, uint64_t key, const struct libsnap_sum *sum)
{
	if (o->status != SNAP_OK ||
	    (sum->count == 0 && sum->bytes == 0 && o->dimension != SNAP_BY_ALL))
		return;
	o->status = add(o->writer, &o->sum, sum->bytes, sum->count);
	if (o->status != SNAP_OK || o->only_check)
		return;
	const uint64_t row[] = {o->dimension, key, sum->bytes, sum->count};
	o->status = libsnap_table_row(&o->table, row);
}

static bool begin(struct totals_out *o, enum snap_dimension dimension)
{
	o->dimension = dimension;
	o->sum = (struct libsnap_sum){0, 0};
	return dimension == SNAP_BY_ALL || (o->writer->totals.present & BIT(dimension));
}

static void end(struct totals_out *o)
{
	static const char *const names[] = {"all",    "type",       "stack", "thread",
					    "domain", "generation", "shape", "size"};
	const struct libsnap_sum *all = &o->writer->totals.all;
	if (o->status != SNAP_OK || (o->sum.bytes == all->bytes && o->sum.count == all->count))
		return;
	o->status = libsnap_misuse(o->writer,
				   "totals by %s are %" PRIu64 " bytes and %" PRIu64
				   " blocks, of all %" PRIu64 " and %" PRIu64,
				   names[o->dimension], o->sum.bytes, o->sum.count, all->bytes,
				   all->count);
}

static void put_by_id(struct totals_out *o, enum snap_dimension dimension,
		      const struct libsnap_pages *sums, const uint32_t *numbers)
{
	if (!begin(o, dimension))
		return;
	for (uint64_t id = 0; id < sums->count; id++)
		put_sum(o, libsnap_number(numbers, (uint32_t)id), libsnap_pages_at(sums, id));
	end(o);
}

static bool key_before(const void *context, uint32_t a, uint32_t b)
{
	const struct libsnap_set *keys = context;
	return *(const uint32_t *)libsnap_set_at(keys, a) <
	       *(const uint32_t *)libsnap_set_at(keys, b);
}

static void put_by_key(struct totals_out *o, enum snap_dimension dimension,
		       const struct libsnap_keyed_sums *k)
{
	const struct snap_allocator *allocator = o->writer->allocator;
	size_t count = (size_t)k->sums.count;
	if (!begin(o, dimension))
		return;
	uint32_t *ids = libsnap_alloc(allocator, count, sizeof(*ids));
	uint32_t *scratch = libsnap_alloc(allocator, count, sizeof(*scratch));
	if (ids && scratch) {
		for (size_t i = 0; i < count; i++)
			ids[i] = (uint32_t)i + 1;
		libsnap_merge_sort(ids, scratch, count, key_before, &k->keys);
		for (size_t i = 0; i < count; i++)
			put_sum(o, *(const uint32_t *)libsnap_set_at(&k->keys, ids[i]),
				libsnap_pages_at(&k->sums, ids[i] - 1));
		end(o);
	} else if (o->status == SNAP_OK) {
		o->status = libsnap_fail_memory(&o->writer->problem);
	}
	libsnap_free(allocator, ids, count, sizeof(*ids));
	libsnap_free(allocator, scratch, count, sizeof(*scratch));
}

static void put_by_shape(struct totals_out *o)
{
	const struct libsnap_shapes *s = &o->writer->shapes;
	if (o->writer->totals_only || s->count == 0)
		return;
	begin(o, SNAP_BY_SHAPE);
	for (size_t i = 0; i < s->count; i++) {
		const struct libsnap_shape *shape = libsnap_shape_at(s, s->in_order[i]);
		struct libsnap_sum sum = {shape->bytes, shape->blocks};
		put_sum(o, i + 1, &sum);
	}
	end(o);
}

static void put_by_size(struct totals_out *o)
{
	if (!begin(o, SNAP_BY_SIZE))
		return;
	for (unsigned bucket = 0; bucket <= 64; bucket++)
		put_sum(o, bucket, &o->writer->totals.by_size[bucket]);
	end(o);
}

static void put_all(struct totals_out *o)
{
	const struct libsnap_totals *t = &o->writer->totals;
	const struct libsnap_numbers *n = &o->writer->numbers;
	begin(o, SNAP_BY_ALL);
	put_sum(o, 0, &t->all);
	put_by_id(o, SNAP_BY_TYPE, &t->by_type, n->types);
	put_by_id(o, SNAP_BY_STACK, &t->by_stack, n->stacks);
	put_by_id(o, SNAP_BY_THREAD, &t->by_thread, n->threads);
	put_by_key(o, SNAP_BY_DOMAIN, &t->by_domain);
	put_by_key(o, SNAP_BY_GENERATION, &t->by_generation);
	put_by_shape(o);
	put_by_size(o);
}

static enum snap_status add_types(struct snap_writer *w)
{
	enum snap_status status = SNAP_OK;
	for (size_t i = 0; i < w->shapes.count && status == SNAP_OK; i++) {
		const struct libsnap_shape *shape =
			libsnap_shape_at(&w->shapes, w->shapes.in_order[i]);
		status = add_to(w, SNAP_BY_TYPE, shape->type, shape->bytes, shape->blocks);
	}
	return status;
}

enum snap_status libsnap_totals_check(struct snap_writer *w)
{
	struct totals_out o = {.writer = w, .only_check = true, .status = add_common(w)};
	if (o.status == SNAP_OK)
		o.status = add_types(w);
	put_all(&o);
	return o.status;
}

/* Few objects are added up as quickly as their totals are read; but of samples,
 * what is estimated from totals is not what is estimated from objects. */
static bool needs_totals(const struct snap_writer *w)
{
	uint64_t rows = 0;
	if (w->totals_only || (w->flags & SNAP_SNAPSHOT_SAMPLED))
		return true;
	for (size_t i = 0; i < w->shapes.count; i++)
		rows += libsnap_shape_at(&w->shapes, w->shapes.in_order[i])->rows;
	return rows > w->few_objects;
}

enum snap_status libsnap_write_totals(struct snap_writer *w)
{
	if (!needs_totals(w))
		return SNAP_OK;
	struct totals_out o = {.writer = w};
	libsnap_table_begin(&o.table, w, SNAP_TOTALS,
			    w->totals.by_type.count + w->totals.by_stack.count +
				    w->totals.by_thread.count + w->totals.by_domain.sums.count +
				    w->totals.by_generation.sums.count + w->shapes.count + 66);
	put_all(&o);
	return libsnap_table_end(&o.table, o.status);
}
