/* Roots and threads of an HPROF file (hprof.h). */
#include "hprof.h"

#include <stdlib.h>
#include <string.h>

#define NO_FRAME UINT32_MAX

static const struct {
	enum hprof_tag tag;
	enum snap_root_kind kind;
	const char *label;
	bool has_thread, has_frame;
} root_kinds[] = {
	{HPROF_ROOT_UNKNOWN, SNAP_ROOT_UNKNOWN, "unknown", false, false},
	{HPROF_ROOT_JNI_GLOBAL, SNAP_ROOT_HANDLE, "JNI global", false, false},
	{HPROF_ROOT_JNI_LOCAL, SNAP_ROOT_HANDLE, "JNI local", true, true},
	{HPROF_ROOT_JAVA_FRAME, SNAP_ROOT_STACK_FRAME, "Java frame", true, true},
	{HPROF_ROOT_NATIVE_STACK, SNAP_ROOT_STACK_FRAME, "native stack", true, false},
	{HPROF_ROOT_STICKY_CLASS, SNAP_ROOT_CLASS, "system class", false, false},
	{HPROF_ROOT_THREAD_BLOCK, SNAP_ROOT_TLS, "thread block", true, false},
	{HPROF_ROOT_MONITOR, SNAP_ROOT_MONITOR, "monitor", false, false},
	{HPROF_ROOT_THREAD, SNAP_ROOT_THREAD_OBJECT, "thread", true, false},
	{HPROF_ROOT_INTERNED, SNAP_ROOT_INTERNED, "interned string", false, false},
	{HPROF_ROOT_FINALIZING, SNAP_ROOT_FINALIZER, "finalizing", false, false},
	{HPROF_ROOT_DEBUGGER, SNAP_ROOT_HANDLE, "debugger", false, false},
	{HPROF_ROOT_CLEANUP, SNAP_ROOT_FINALIZER, "reference cleanup", false, false},
	{HPROF_ROOT_VM_INTERNAL, SNAP_ROOT_VM, "VM internal", false, false},
	{HPROF_ROOT_JNI_MONITOR, SNAP_ROOT_MONITOR, "JNI monitor", true, true},
};

static enum snap_status keep_thread(struct hprof_import *import, const struct hprof_record *record)
{
	uint64_t place = import->thread_count;
	if (hprof_map_get(&import->thread_by_serial, record->other, &place)) {
		/* A record of its start said its name; the trace is that of now. */
		import->threads[place].trace = record->stack;
		return SNAP_OK;
	}
	void *threads = import->threads;
	if (!hprof_room(&threads, &import->thread_capacity, import->thread_count,
			sizeof(*import->threads)))
		return hprof_no_memory(import);
	import->threads = threads;
	import->threads[import->thread_count++] = (struct hprof_thread){
		.object = record->id, .serial = (uint32_t)record->other, .trace = record->stack};
	if (!hprof_map_set(&import->thread_by_serial, record->other, place))
		return hprof_no_memory(import);
	return SNAP_OK;
}

enum snap_status hprof_root_keep(struct hprof_import *import, const struct hprof_record *record)
{
	if (record->id == 0) /* an empty handle */
		return SNAP_OK;
	void *roots = import->roots;
	if (!hprof_room(&roots, &import->root_capacity, import->root_count, sizeof(*import->roots)))
		return hprof_no_memory(import);
	import->roots = roots;
	import->roots[import->root_count++] = (struct hprof_root){.object = record->id,
								  .thread = (uint32_t)record->other,
								  .frame = record->stack,
								  .tag = record->tag};
	return record->tag == HPROF_ROOT_THREAD ? keep_thread(import, record) : SNAP_OK;
}

static enum snap_status write_thread(struct hprof_import *import, struct hprof_thread *thread)
{
	uint64_t string_object, text = 0;
	uint32_t name = 0;
	enum snap_status status = SNAP_OK;
	if (thread->has_name)
		status = hprof_label(import, thread->name, &name);
	else if (hprof_map_get(&import->thread_names, thread->object, &string_object) &&
		 hprof_map_get(&import->known_texts, string_object, &text))
		name = (uint32_t)text;
	if (status == SNAP_OK)
		status = snap_writer_thread(import->context->writer, thread->serial, name,
					    &thread->id, import->error);
	return status;
}

/* The thread object hangs on all of its stack, a local variable on its frame. */
static enum snap_status find_stack(struct hprof_import *import, const struct hprof_root *kept,
				   bool has_frame, struct snap_root *root)
{
	uint64_t place;
	if (!hprof_map_get(&import->thread_by_serial, kept->thread, &place))
		return SNAP_OK;
	const struct hprof_thread *thread = &import->threads[place];
	root->thread = thread->id;
	if (kept->tag == HPROF_ROOT_THREAD)
		return hprof_stack(import, thread->trace, 0, &root->stack);
	if (has_frame && kept->frame != NO_FRAME)
		return hprof_stack(import, thread->trace, kept->frame, &root->stack);
	return SNAP_OK;
}

static enum snap_status write_root(struct hprof_import *import, const struct hprof_root *kept,
				   uint32_t *labels)
{
	size_t i = 0;
	while (root_kinds[i].tag != kept->tag)
		i++;
	enum snap_status status = SNAP_OK;
	if (labels[i] == 0)
		status = hprof_string(import, root_kinds[i].label, &labels[i]);
	struct snap_root root = {
		.object = kept->object, .kind = root_kinds[i].kind, .label = labels[i]};
	if (status == SNAP_OK && root_kinds[i].has_thread)
		status = find_stack(import, kept, root_kinds[i].has_frame, &root);
	if (status == SNAP_OK)
		status = snap_writer_root(import->context->writer, &root, import->error);
	return status;
}

enum snap_status hprof_roots_write(struct hprof_import *import)
{
	uint32_t labels[sizeof(root_kinds) / sizeof(root_kinds[0])] = {0};
	enum snap_status status = SNAP_OK;
	for (size_t i = 0; i < import->thread_count && status == SNAP_OK; i++)
		status = write_thread(import, &import->threads[i]);
	for (size_t i = 0; i < import->root_count && status == SNAP_OK; i++)
		status = write_root(import, &import->roots[i], labels);
	return status;
}
