/* What one snapshot calls its types, frames, stacks and threads (FORMAT.md, section 7.1), by
 * content. */
#include <string.h>

#include "query.h"

#define NAME_SIZE 4096 /* longer names of functions are not renamed */

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
	struct scan scan = scan_begin(names->reader, columns, column_count, error);
	while (scan_batch(&scan))
		scan.status = take(context, scan.first, scan.count, scan.values, error);
	return scan_end(&scan, &names->lost_rows);
}

/* ---- strings ---- */

enum snap_status libsnap_resolver_begin(struct resolver *resolver, struct names *names,
					struct snap_error *error)
{
	*resolver = (struct resolver){.names = names};
	struct budget *budget = names->space->budget;
	uint64_t ids = snap_reader_row_count(names->reader, SNAP_STRINGS) + 1;
	if (ids >= UINT32_MAX)
		return libsnap_fail(error, SNAP_LIMIT, SNAP_NO_OFFSET,
				    "more than 4 billion strings");
	enum snap_status status = libsnap_budget_array(budget, &resolver->marked, ids / 64 + 1,
						       sizeof(uint64_t), error);
	if (status == SNAP_OK)
		status = libsnap_budget_array(budget, &resolver->rank, ids / 64 + 1,
					      sizeof(uint32_t), error);
	if (status != SNAP_OK)
		libsnap_resolver_end(resolver);
	return status;
}

void libsnap_resolver_end(struct resolver *resolver)
{
	libsnap_array_end(&resolver->marked);
	libsnap_array_end(&resolver->rank);
	libsnap_array_end(&resolver->texts);
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

static enum snap_status load_marked(struct resolver *resolver, uint64_t first, uint64_t bits,
				    uint32_t *rank, struct snap_error *error)
{
	for (; bits; bits &= bits - 1) {
		uint32_t text;
		enum snap_status status = load_string(
			resolver, first + (unsigned)__builtin_ctzll(bits), &text, error);
		if (status != SNAP_OK)
			return status;
		libsnap_array_set32(&resolver->texts, (*rank)++, text);
	}
	return SNAP_OK;
}

enum snap_status libsnap_resolver_load(struct resolver *resolver, struct snap_error *error)
{
	uint32_t count = 0;
	for (uint64_t word = 0; word < resolver->marked.count; word++) {
		libsnap_array_set32(&resolver->rank, word, count);
		count += (uint32_t)__builtin_popcountll(
			libsnap_array_get64(&resolver->marked, word));
	}
	enum snap_status status = libsnap_budget_array(
		resolver->names->space->budget, &resolver->texts, count, sizeof(uint32_t), error);
	uint32_t rank = 0;
	for (uint64_t word = 0; status == SNAP_OK && word < resolver->marked.count; word++)
		status = load_marked(resolver, word * 64,
				     libsnap_array_get64(&resolver->marked, word), &rank, error);
	return status;
}

/* ---- tables ---- */

/* An array by id. */
static enum snap_status make_table(struct names *names, enum snap_table table, size_t element_size,
				   struct libsnap_array *out, struct snap_error *error)
{
	uint64_t rows = snap_reader_row_count(names->reader, table);
	if (rows >= UINT32_MAX - 1)
		return libsnap_fail(error, SNAP_LIMIT, SNAP_NO_OFFSET, "more than 4 billion names");
	return libsnap_budget_array(names->space->budget, out, rows + 1, element_size, error);
}

static enum snap_status take_types(void *context, uint64_t first_row, size_t count,
				   const uint64_t *const *values, struct snap_error *error)
{
	struct names *names = context;
	for (size_t i = 0; i < count; i++) {
		if (values[1][i] > UINT32_MAX)
			return libsnap_fail(error, SNAP_LIMIT, SNAP_NO_OFFSET,
					    "type kind over 32 bits");
		*(struct type_name *)libsnap_array_edit(&names->types, first_row + i + 1) =
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
		*(struct frame_name *)libsnap_array_edit(&names->frames, first_row + i + 1) =
			(struct frame_name){
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
		if (!names->has_callers) {
			libsnap_array_set32(&names->stacks, id, (uint32_t)values[0][i]);
			continue;
		}
		if (values[1][i] >= id)
			return libsnap_fail(error, SNAP_CORRUPT, SNAP_NO_OFFSET,
					    "stack %llu has a later parent",
					    (unsigned long long)id);
		*(struct stack_node *)libsnap_array_edit(&names->stacks, id) =
			(struct stack_node){(uint32_t)values[1][i], (uint32_t)values[0][i]};
	}
	return SNAP_OK;
}

static enum snap_status take_threads(void *context, uint64_t first_row, size_t count,
				     const uint64_t *const *values, struct snap_error *error)
{
	(void)error;
	struct names *names = context;
	for (size_t i = 0; i < count; i++)
		*(struct thread_name *)libsnap_array_edit(&names->threads, first_row + i + 1) =
			(struct thread_name){values[0][i], (uint32_t)values[1][i]};
	return SNAP_OK;
}

static enum snap_status read_types(struct names *names, struct snap_error *error)
{
	static const uint32_t columns[] = {SNAP_TYPE_NAME, SNAP_TYPE_KIND_COLUMN};
	enum snap_status status =
		make_table(names, SNAP_TYPES, sizeof(struct type_name), &names->types, error);
	return status == SNAP_OK
		       ? libsnap_query_each_batch(names, columns, 2, take_types, names, error)
		       : status;
}

static enum snap_status read_stacks(struct names *names, struct snap_error *error)
{
	static const uint32_t frame_columns[] = {SNAP_FRAME_FILE,   SNAP_FRAME_FUNCTION,
						 SNAP_FRAME_MODULE, SNAP_FRAME_INLINED_INTO,
						 SNAP_FRAME_LINE,   SNAP_FRAME_OFFSET};
	static const uint32_t stack_columns[] = {SNAP_STACK_FRAME, SNAP_STACK_PARENT};
	enum snap_status status =
		make_table(names, SNAP_FRAMES, sizeof(struct frame_name), &names->frames, error);
	if (status == SNAP_OK)
		status = libsnap_query_each_batch(names, frame_columns, 6, take_frames, names,
						  error);
	if (status == SNAP_OK)
		status = make_table(names, SNAP_STACKS,
				    names->has_callers ? sizeof(struct stack_node)
						       : sizeof(uint32_t),
				    &names->stacks, error);
	return status == SNAP_OK
		       ? libsnap_query_each_batch(names, stack_columns, names->has_callers ? 2 : 1,
						  take_stacks, names, error)
		       : status;
}

static enum snap_status read_threads(struct names *names, struct snap_error *error)
{
	static const uint32_t columns[] = {SNAP_THREAD_ID, SNAP_THREAD_NAME};
	enum snap_status status =
		make_table(names, SNAP_THREADS, sizeof(struct thread_name), &names->threads, error);
	return status == SNAP_OK
		       ? libsnap_query_each_batch(names, columns, 2, take_threads, names, error)
		       : status;
}

/* ---- from ids to texts ---- */

static enum snap_status take_modules(void *context, uint64_t first_row, size_t count,
				     const uint64_t *const *values, struct snap_error *error)
{
	(void)error;
	struct libsnap_array *paths = context;
	for (size_t i = 0; i < count; i++)
		libsnap_array_set32(paths, first_row + i + 1, (uint32_t)values[0][i]);
	return SNAP_OK;
}

static struct frame_name *edit_frame(struct names *names, uint64_t id)
{
	return libsnap_array_edit(&names->frames, id);
}

/* Frames name modules by id: put the string ids of their paths there instead. */
static enum snap_status replace_modules(struct names *names, struct snap_error *error)
{
	static const uint32_t columns[] = {SNAP_MODULE_PATH};
	struct libsnap_array paths = {0};
	enum snap_status status = make_table(names, SNAP_MODULES, sizeof(uint32_t), &paths, error);
	if (status == SNAP_OK)
		status = libsnap_query_each_batch(names, columns, 1, take_modules, &paths, error);
	for (uint64_t i = 0; status == SNAP_OK && i < names->frames.count; i++) {
		uint32_t path = libsnap_array_get32(&paths, libsnap_frame_at(names, i).module);
		edit_frame(names, i)->module = path;
	}
	libsnap_array_end(&paths);
	return status;
}

static void forget_unneeded(struct names *names, unsigned needed)
{
	for (uint64_t i = 0; i < names->frames.count; i++) {
		struct frame_name *frame = edit_frame(names, i);
		if (!(needed & NEED_FILES))
			frame->file = 0;
		if (!(needed & NEED_FUNCTIONS))
			frame->function = 0;
		if (!(needed & NEED_MODULES))
			frame->module = 0;
	}
}

static void mark_all(struct resolver *resolver, struct names *names)
{
	for (uint64_t i = 0; i < names->types.count; i++)
		libsnap_resolver_mark(resolver, libsnap_type_at(names, i).name);
	for (uint64_t i = 0; i < names->threads.count; i++)
		libsnap_resolver_mark(resolver, libsnap_thread_at(names, i).name);
	for (uint64_t i = 0; i < names->frames.count; i++) {
		struct frame_name frame = libsnap_frame_at(names, i);
		libsnap_resolver_mark(resolver, frame.file);
		libsnap_resolver_mark(resolver, frame.function);
		libsnap_resolver_mark(resolver, frame.module);
	}
}

/* Another name for a text, from whoever asked. */
static enum snap_status rename_text(struct names *names, uint32_t *text, struct snap_error *error)
{
	char own[NAME_SIZE], other[NAME_SIZE];
	size_t size = libsnap_text_size(names->space, *text);
	if (size > sizeof(own))
		return SNAP_OK;
	libsnap_text_read(names->space, *text, 0, size, own);
	size = names->rename->function_name(names->rename->function_context, own, size, other,
					    sizeof(other));
	return size > 0 && size <= sizeof(other)
		       ? libsnap_space_text(names->space, other, size, text, error)
		       : SNAP_OK;
}

/* Linkage names of classes are those of their virtual tables. */
static enum snap_status rename_types(struct names *names, struct snap_error *error)
{
	static const char table[4] = {'_', 'Z', 'T', 'V'};
	enum snap_status status = SNAP_OK;
	for (uint64_t i = 0; status == SNAP_OK && i < names->types.count; i++) {
		char begin[sizeof table];
		uint32_t text = libsnap_type_at(names, i).name;
		if (!text || libsnap_text_size(names->space, text) <= sizeof table)
			continue;
		libsnap_text_read(names->space, text, 0, sizeof begin, begin);
		if (memcmp(begin, table, sizeof table) == 0)
			status = rename_text(names, &text, error);
		((struct type_name *)libsnap_array_edit(&names->types, i))->name = text;
	}
	return status;
}

/* Frames share functions: each is renamed once. */
static enum snap_status rename_functions(struct names *names, struct snap_error *error)
{
	struct libsnap_array renamed = {0}; /* by text: its new one + 1 */
	enum snap_status status = libsnap_budget_array(
		names->space->budget, &renamed, names->space->texts.count, sizeof(uint32_t), error);
	for (uint64_t i = 0; status == SNAP_OK && i < names->frames.count; i++) {
		uint32_t own = libsnap_frame_at(names, i).function, text = own;
		uint32_t known = own ? libsnap_array_get32(&renamed, own) : 1;
		if (!known) {
			status = rename_text(names, &text, error);
			known = text + 1;
			libsnap_array_set32(&renamed, own, known);
		}
		if (own)
			edit_frame(names, i)->function = known - 1;
	}
	libsnap_array_end(&renamed);
	return status;
}

static void replace_all(struct resolver *resolver, struct names *names)
{
	for (uint64_t i = 0; i < names->types.count; i++) {
		uint32_t text = libsnap_resolver_text(resolver, libsnap_type_at(names, i).name);
		((struct type_name *)libsnap_array_edit(&names->types, i))->name = text;
	}
	for (uint64_t i = 0; i < names->threads.count; i++) {
		uint32_t text = libsnap_resolver_text(resolver, libsnap_thread_at(names, i).name);
		((struct thread_name *)libsnap_array_edit(&names->threads, i))->name = text;
	}
	for (uint64_t i = 0; i < names->frames.count; i++) {
		struct frame_name frame = libsnap_frame_at(names, i);
		frame.file = libsnap_resolver_text(resolver, frame.file);
		frame.function = libsnap_resolver_text(resolver, frame.function);
		frame.module = libsnap_resolver_text(resolver, frame.module);
		*edit_frame(names, i) = frame;
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
	if (status == SNAP_OK && (needed & NEED_FUNCTIONS) && names->rename->function_name)
		status = rename_functions(names, error);
	if (status == SNAP_OK && (needed & NEED_TYPES) && names->rename->function_name)
		status = rename_types(names, error);
	return status;
}

enum snap_status libsnap_query_names_load(struct names *names, struct space *space,
					  struct snap_reader *reader, unsigned needed,
					  const struct snap_query_options *options,
					  struct snap_error *error)
{
	*names = (struct names){.space = space, .reader = reader, .rename = options};
	names->has_callers = needed & NEED_CALLERS;
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
	libsnap_array_end(&names->types);
	libsnap_array_end(&names->frames);
	libsnap_array_end(&names->stacks);
	libsnap_array_end(&names->threads);
	libsnap_array_end(&names->shapes);
	libsnap_array_end(&names->sites);
}

enum snap_status libsnap_frame_chain(struct names *names, uint32_t frame, uint32_t ids[MAX_INLINED],
				     size_t *count, struct snap_error *error)
{
	size_t n = 0;
	for (; frame; frame = libsnap_frame_at(names, frame).inlined_into) {
		if (n == MAX_INLINED)
			return libsnap_fail(error, SNAP_CORRUPT, SNAP_NO_OFFSET,
					    "frame %u is inlined into itself, or more than %d deep",
					    ids[0], MAX_INLINED);
		ids[n++] = frame;
	}
	*count = n;
	return SNAP_OK;
}
