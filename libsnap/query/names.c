/* What one snapshot calls its types, frames, stacks and threads (FORMAT.md, section 7.1), by
 * content. */
#include "query.h"

bool libsnap_query_is_damaged(const struct names *names)
{
	struct snap_reader_info info;
	snap_reader_info(names->reader, &info);
	return info.damaged;
}

/* ---- rows of columns ---- */

enum snap_status libsnap_query_each_batch(struct names *names, const uint32_t *columns,
					  size_t column_count, libsnap_take_rows *take,
					  void *context, struct snap_error *error)
{
	if (snap_reader_row_count(names->reader, (enum snap_table)(columns[0] >> 16)) == 0)
		return SNAP_OK;
	struct snap_scan *scan;
	enum snap_status status =
		snap_scan_open(&scan, names->reader, columns, column_count, error);
	if (status != SNAP_OK)
		return status;
	for (;;) {
		uint64_t first_row;
		size_t count;
		const uint64_t *const *values;
		status = snap_scan_next(scan, &first_row, &count, &values, error);
		if (status != SNAP_OK)
			break;
		status = take(context, first_row, count, values, error);
		if (status != SNAP_OK)
			break;
	}
	names->lost_rows += snap_scan_lost_rows(scan);
	snap_scan_close(scan);
	return status == SNAP_END ? SNAP_OK : status;
}

/* ---- strings ---- */

static const struct snap_allocator *memory_of(const struct names *names)
{
	return &names->space->budget->allocator;
}

enum snap_status libsnap_resolver_begin(struct resolver *resolver, struct names *names,
					struct snap_error *error)
{
	*resolver = (struct resolver){.names = names};
	uint64_t ids = snap_reader_row_count(names->reader, SNAP_STRINGS) + 1;
	if (ids >= UINT32_MAX)
		return libsnap_fail(error, SNAP_LIMIT, SNAP_NO_OFFSET,
				    "more than 4 billion strings");
	resolver->word_count = (size_t)(ids / 64 + 1);
	resolver->marked =
		libsnap_alloc_zeroed(memory_of(names), resolver->word_count, sizeof(uint64_t));
	resolver->rank =
		libsnap_alloc_zeroed(memory_of(names), resolver->word_count, sizeof(uint32_t));
	if (!resolver->marked || !resolver->rank) {
		libsnap_resolver_end(resolver);
		return libsnap_budget_fail(names->space->budget, error);
	}
	return SNAP_OK;
}

void libsnap_resolver_end(struct resolver *resolver)
{
	libsnap_free(memory_of(resolver->names), resolver->marked, resolver->word_count,
		     sizeof(uint64_t));
	libsnap_free(memory_of(resolver->names), resolver->rank, resolver->word_count,
		     sizeof(uint32_t));
	libsnap_free(memory_of(resolver->names), resolver->texts, resolver->text_count,
		     sizeof(uint32_t));
	resolver->marked = NULL;
	resolver->rank = resolver->texts = NULL;
}

/* A string that damage took is none. */
static enum snap_status load_string(struct resolver *resolver, uint64_t id, uint32_t *text,
				    struct snap_error *error)
{
	const char *bytes;
	size_t size;
	*text = 0;
	if (id == 0)
		return SNAP_OK;
	enum snap_status status =
		snap_reader_string(resolver->names->reader, id, &bytes, &size, error);
	if (status == SNAP_OK)
		return libsnap_space_text(resolver->names->space, bytes, size, text, error);
	if (status != SNAP_CORRUPT || !libsnap_query_is_damaged(resolver->names))
		return status;
	resolver->names->lost_rows++;
	return SNAP_OK;
}

enum snap_status libsnap_resolver_load(struct resolver *resolver, struct snap_error *error)
{
	for (size_t word = 0; word < resolver->word_count; word++) {
		resolver->rank[word] = (uint32_t)resolver->text_count;
		resolver->text_count += (size_t)__builtin_popcountll(resolver->marked[word]);
	}
	resolver->texts = libsnap_alloc_zeroed(memory_of(resolver->names), resolver->text_count,
					       sizeof(uint32_t));
	if (!resolver->texts)
		return libsnap_budget_fail(resolver->names->space->budget, error);
	size_t rank = 0;
	for (size_t word = 0; word < resolver->word_count; word++) {
		for (uint64_t bits = resolver->marked[word]; bits; bits &= bits - 1) {
			uint64_t id = word * 64 + (unsigned)__builtin_ctzll(bits);
			enum snap_status status =
				load_string(resolver, id, &resolver->texts[rank++], error);
			if (status != SNAP_OK)
				return status;
		}
	}
	return SNAP_OK;
}

/* ---- tables ---- */

/* An array by id; *count is rows + 1. */
static enum snap_status make_table(struct names *names, enum snap_table table, size_t element_size,
				   void **out, size_t *count, struct snap_error *error)
{
	uint64_t rows = snap_reader_row_count(names->reader, table);
	if (rows >= UINT32_MAX - 1)
		return libsnap_fail(error, SNAP_LIMIT, SNAP_NO_OFFSET, "more than 4 billion names");
	*out = libsnap_alloc_zeroed(memory_of(names), (size_t)rows + 1, element_size);
	if (!*out)
		return libsnap_budget_fail(names->space->budget, error);
	*count = (size_t)rows + 1;
	return SNAP_OK;
}

static enum snap_status take_types(void *context, uint64_t first_row, size_t count,
				   const uint64_t *const *values, struct snap_error *error)
{
	struct names *names = context;
	for (size_t i = 0; i < count; i++) {
		if (values[1][i] > UINT32_MAX)
			return libsnap_fail(error, SNAP_LIMIT, SNAP_NO_OFFSET,
					    "type kind over 32 bits");
		names->types[first_row + i + 1] =
			(struct type_name){(uint32_t)values[0][i], (uint32_t)values[1][i]};
	}
	return SNAP_OK;
}

static enum snap_status take_frames(void *context, uint64_t first_row, size_t count,
				    const uint64_t *const *values, struct snap_error *error)
{
	(void)error;
	struct names *names = context;
	for (size_t i = 0; i < count; i++)
		names->frames[first_row + i + 1] = (struct frame_name){
			.file = (uint32_t)values[0][i],
			.function = (uint32_t)values[1][i],
			.module = (uint32_t)values[2][i],
			.inlined_into = (uint32_t)values[3][i],
			.line = values[4][i],
			.offset = values[5][i],
		};
	return SNAP_OK;
}

static enum snap_status take_stacks(void *context, uint64_t first_row, size_t count,
				    const uint64_t *const *values, struct snap_error *error)
{
	struct names *names = context;
	for (size_t i = 0; i < count; i++) {
		uint64_t id = first_row + i + 1;
		if (values[0][i] >= id)
			return libsnap_fail(error, SNAP_CORRUPT, SNAP_NO_OFFSET,
					    "stack %llu has a later parent",
					    (unsigned long long)id);
		names->stacks[id] =
			(struct stack_node){(uint32_t)values[0][i], (uint32_t)values[1][i]};
	}
	return SNAP_OK;
}

static enum snap_status take_threads(void *context, uint64_t first_row, size_t count,
				     const uint64_t *const *values, struct snap_error *error)
{
	(void)error;
	struct names *names = context;
	for (size_t i = 0; i < count; i++)
		names->threads[first_row + i + 1] =
			(struct thread_name){values[0][i], (uint32_t)values[1][i]};
	return SNAP_OK;
}

static enum snap_status read_types(struct names *names, struct snap_error *error)
{
	void *table;
	enum snap_status status = make_table(names, SNAP_TYPES, sizeof(*names->types), &table,
					     &names->type_count, error);
	if (status != SNAP_OK)
		return status;
	names->types = table;
	static const uint32_t columns[] = {SNAP_TYPE_NAME, SNAP_TYPE_KIND_COLUMN};
	return libsnap_query_each_batch(names, columns, 2, take_types, names, error);
}

static enum snap_status read_stacks(struct names *names, struct snap_error *error)
{
	void *table;
	enum snap_status status = make_table(names, SNAP_FRAMES, sizeof(*names->frames), &table,
					     &names->frame_count, error);
	if (status != SNAP_OK)
		return status;
	names->frames = table;
	static const uint32_t columns[] = {SNAP_FRAME_FILE,   SNAP_FRAME_FUNCTION,
					   SNAP_FRAME_MODULE, SNAP_FRAME_INLINED_INTO,
					   SNAP_FRAME_LINE,   SNAP_FRAME_OFFSET};
	status = libsnap_query_each_batch(names, columns, 6, take_frames, names, error);
	if (status != SNAP_OK)
		return status;
	status = make_table(names, SNAP_STACKS, sizeof(*names->stacks), &table, &names->stack_count,
			    error);
	if (status != SNAP_OK)
		return status;
	names->stacks = table;
	static const uint32_t stack_columns[] = {SNAP_STACK_PARENT, SNAP_STACK_FRAME};
	return libsnap_query_each_batch(names, stack_columns, 2, take_stacks, names, error);
}

static enum snap_status read_threads(struct names *names, struct snap_error *error)
{
	void *table;
	enum snap_status status = make_table(names, SNAP_THREADS, sizeof(*names->threads), &table,
					     &names->thread_count, error);
	if (status != SNAP_OK)
		return status;
	names->threads = table;
	static const uint32_t columns[] = {SNAP_THREAD_ID, SNAP_THREAD_NAME};
	return libsnap_query_each_batch(names, columns, 2, take_threads, names, error);
}

/* ---- from ids to texts ---- */

struct module_paths {
	uint32_t *ids; /* of strings, by module */
	size_t count;
};

static enum snap_status take_modules(void *context, uint64_t first_row, size_t count,
				     const uint64_t *const *values, struct snap_error *error)
{
	(void)error;
	struct module_paths *paths = context;
	for (size_t i = 0; i < count; i++)
		paths->ids[first_row + i + 1] = (uint32_t)values[0][i];
	return SNAP_OK;
}

/* Frames name modules by id: put the string ids of their paths there instead. */
static enum snap_status replace_modules(struct names *names, struct snap_error *error)
{
	struct module_paths paths = {0};
	void *table;
	enum snap_status status =
		make_table(names, SNAP_MODULES, sizeof(uint32_t), &table, &paths.count, error);
	if (status != SNAP_OK)
		return status;
	paths.ids = table;
	static const uint32_t columns[] = {SNAP_MODULE_PATH};
	status = libsnap_query_each_batch(names, columns, 1, take_modules, &paths, error);
	for (size_t i = 0; status == SNAP_OK && i < names->frame_count; i++)
		names->frames[i].module = paths.ids[names->frames[i].module];
	libsnap_free(memory_of(names), paths.ids, paths.count, sizeof(uint32_t));
	return status;
}

static void forget_unneeded(struct names *names, unsigned needed)
{
	for (size_t i = 0; i < names->frame_count; i++) {
		struct frame_name *frame = &names->frames[i];
		if (!(needed & NEED_FILES))
			frame->file = 0;
		if (!(needed & NEED_FUNCTIONS))
			frame->function = 0;
		if (!(needed & NEED_MODULES))
			frame->module = 0;
	}
}

static void mark_all(struct resolver *resolver, const struct names *names)
{
	for (size_t i = 0; i < names->type_count; i++)
		libsnap_resolver_mark(resolver, names->types[i].name);
	for (size_t i = 0; i < names->thread_count; i++)
		libsnap_resolver_mark(resolver, names->threads[i].name);
	for (size_t i = 0; i < names->frame_count; i++) {
		libsnap_resolver_mark(resolver, names->frames[i].file);
		libsnap_resolver_mark(resolver, names->frames[i].function);
		libsnap_resolver_mark(resolver, names->frames[i].module);
	}
}

static void replace_all(const struct resolver *resolver, struct names *names)
{
	for (size_t i = 0; i < names->type_count; i++)
		names->types[i].name = libsnap_resolver_text(resolver, names->types[i].name);
	for (size_t i = 0; i < names->thread_count; i++)
		names->threads[i].name = libsnap_resolver_text(resolver, names->threads[i].name);
	for (size_t i = 0; i < names->frame_count; i++) {
		struct frame_name *frame = &names->frames[i];
		frame->file = libsnap_resolver_text(resolver, frame->file);
		frame->function = libsnap_resolver_text(resolver, frame->function);
		frame->module = libsnap_resolver_text(resolver, frame->module);
	}
}

static enum snap_status resolve_all(struct names *names, unsigned needed, struct snap_error *error)
{
	enum snap_status status = SNAP_OK;
	if (needed & NEED_MODULES)
		status = replace_modules(names, error);
	if (status != SNAP_OK)
		return status;
	forget_unneeded(names, needed);
	struct resolver resolver;
	status = libsnap_resolver_begin(&resolver, names, error);
	if (status != SNAP_OK)
		return status;
	mark_all(&resolver, names);
	status = libsnap_resolver_load(&resolver, error);
	if (status == SNAP_OK)
		replace_all(&resolver, names);
	libsnap_resolver_end(&resolver);
	return status;
}

enum snap_status libsnap_query_names_load(struct names *names, struct space *space,
					  struct snap_reader *reader, unsigned needed,
					  struct snap_error *error)
{
	*names = (struct names){.space = space, .reader = reader};
	enum snap_status status = SNAP_OK;
	if (needed & NEED_TYPES)
		status = read_types(names, error);
	if (status == SNAP_OK && (needed & NEED_STACKS))
		status = read_stacks(names, error);
	if (status == SNAP_OK && (needed & NEED_THREADS))
		status = read_threads(names, error);
	if (status == SNAP_OK && (needed & (NEED_TYPES | NEED_STACKS | NEED_THREADS)))
		status = resolve_all(names, needed, error);
	if (status == SNAP_OK && (needed & (NEED_SHAPE_TYPES | NEED_SLOTS)))
		status = libsnap_shapes_load(names, needed, error);
	names->damaged = libsnap_query_is_damaged(names);
	if (status != SNAP_OK)
		libsnap_query_names_free(names);
	return status;
}

void libsnap_query_names_free(struct names *names)
{
	if (!names->space)
		return;
	const struct snap_allocator *memory = memory_of(names);
	libsnap_free(memory, names->types, names->type_count, sizeof(*names->types));
	libsnap_free(memory, names->frames, names->frame_count, sizeof(*names->frames));
	libsnap_free(memory, names->stacks, names->stack_count, sizeof(*names->stacks));
	libsnap_free(memory, names->threads, names->thread_count, sizeof(*names->threads));
	libsnap_free(memory, names->shapes, names->shape_count, sizeof(*names->shapes));
	*names = (struct names){0};
}

enum snap_status libsnap_frame_chain(const struct names *names, uint32_t frame,
				     uint32_t ids[MAX_INLINED], size_t *count,
				     struct snap_error *error)
{
	size_t n = 0;
	for (; frame; frame = names->frames[frame].inlined_into) {
		if (n == MAX_INLINED)
			return libsnap_fail(error, SNAP_CORRUPT, SNAP_NO_OFFSET,
					    "frame %u is inlined into itself, or more than %d deep",
					    ids[0], MAX_INLINED);
		ids[n++] = frame;
	}
	*count = n;
	return SNAP_OK;
}
