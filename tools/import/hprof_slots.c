/* Types, and which of an instance's bytes refer to other objects (hprof.h). */
#include "hprof.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

static enum snap_type_kind kind_of(struct hprof_import *import, const struct hprof_class *class)
{
	const char *text;
	size_t size;
	if (class->id == import->classes.class_class)
		return SNAP_TYPE_CLASS;
	if (class->is_string)
		return SNAP_TYPE_STRING;
	if (hprof_name(import, class->name, &text, &size) != SNAP_OK || size < 2)
		return SNAP_TYPE_OBJECT;
	bool array = text[0] == '[' || memcmp(text + size - 2, "[]", 2) == 0;
	return array ? SNAP_TYPE_ARRAY : SNAP_TYPE_OBJECT;
}

enum snap_status hprof_class_type(struct hprof_import *import, struct hprof_class *class)
{
	if (class->type != 0)
		return SNAP_OK;
	enum snap_status status = hprof_class_name(import, class, &class->string);
	if (status == SNAP_OK)
		status = snap_writer_type(import->context->writer, class->string,
					  kind_of(import, class), &class->type, import->error);
	return status;
}

/* The referent of java.lang.ref.Reference does not hold, in the way of the subclass. */
static enum snap_reference_kind referent_kind(struct hprof_import *import,
					      const struct hprof_class *class)
{
	static const struct {
		const char *name;
		enum snap_reference_kind kind;
	} kinds[] = {
		{"java.lang.ref.SoftReference", SNAP_REF_SOFT},
		{"java.lang.ref.PhantomReference", SNAP_REF_PHANTOM},
		{"java.lang.ref.FinalReference", SNAP_REF_FINAL},
		{"java.lang.ref.FinalizerReference", SNAP_REF_FINAL},
	};
	for (unsigned depth = 0; class != NULL && depth < HPROF_MAX_DEPTH; depth++) {
		for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++)
			if (hprof_name_is(import, class->name, kinds[i].name))
				return kinds[i].kind;
		class = class->super == 0 ? NULL : hprof_class_find(import, class->super);
	}
	return SNAP_REF_WEAK;
}

static void find_text_field(struct hprof_import *import, struct hprof_string_fields *text,
			    const struct hprof_field *field, uint32_t offset)
{
	if (field->type == HPROF_OBJECT && hprof_name_is(import, field->name, "value")) {
		text->has_value = true;
		text->value = offset;
	} else if (field->type == HPROF_BYTE && hprof_name_is(import, field->name, "coder")) {
		text->has_coder = true;
		text->coder = offset;
	} else if (field->type == HPROF_INT && hprof_name_is(import, field->name, "offset")) {
		text->has_range = true;
		text->offset = offset;
	} else if (field->type == HPROF_INT && hprof_name_is(import, field->name, "count")) {
		text->count = offset;
	}
}

static void find_stack_words(struct hprof_import *import, struct hprof_class *class,
			     const struct hprof_class *owner, const struct hprof_field *field,
			     uint32_t offset)
{
	if (field->type != HPROF_INT || !hprof_name_is(import, field->name, "size") ||
	    !hprof_name_is(import, owner->name, "jdk.internal.vm.StackChunk"))
		return;
	class->is_stack_chunk = true;
	class->stack_words_at = offset;
}

static void add_slot(struct hprof_import *import, struct hprof_class *class,
		     const struct hprof_class *owner, const struct hprof_field *field,
		     uint32_t offset)
{
	struct hprof_slot *slot = &class->slots[class->slot_count++];
	*slot = (struct hprof_slot){.offset = offset, .kind = SNAP_REF_FIELD, .name = field->name};
	if (hprof_name_is(import, field->name, "referent") &&
	    hprof_name_is(import, owner->name, "java.lang.ref.Reference"))
		slot->kind = referent_kind(import, class);
}

/* Fields lie in the file as own ones, those of the superclass, and so on. */
static void add_slots(struct hprof_import *import, struct hprof_class *class)
{
	uint32_t offset = 0;
	const struct hprof_class *owner = class;
	while (owner != NULL && owner->dumped) {
		for (uint32_t i = 0; i < owner->field_count; i++) {
			const struct hprof_field *field =
				&import->classes.fields[owner->first_field + i];
			if (owner->is_string)
				find_text_field(import, &class->text, field, offset);
			find_stack_words(import, class, owner, field, offset);
			if (field->type == HPROF_OBJECT)
				add_slot(import, class, owner, field, offset);
			offset += hprof_size_of(field->type, import->scan.id_size);
		}
		owner = owner->super == 0 ? NULL : hprof_class_find(import, owner->super);
	}
}

enum snap_status hprof_class_place(struct hprof_import *import, struct hprof_class *class)
{
	/* No more references than an instance, which is in the file, has room for. */
	class->slots = calloc(class->file_bytes / import->scan.id_size + 1, sizeof(*class->slots));
	if (class->slots == NULL)
		return import_fail_at(import->scan.error, SNAP_NO_MEMORY, SNAP_NO_OFFSET,
				      "out of memory");
	add_slots(import, class);
	class->placed = true;
	return SNAP_OK;
}

static enum snap_status make_layout(struct hprof_import *import, struct hprof_class *class)
{
	size_t count = (size_t) class->slot_count + 1;
	struct snap_slot *slots = calloc(count, sizeof(*slots));
	if (slots == NULL)
		return hprof_no_memory(import);
	enum snap_status status = SNAP_OK;
	slots[0] = (struct snap_slot){SNAP_REF_CLASS, SNAP_LABEL_NONE};
	for (uint32_t i = 0; i < class->slot_count && status == SNAP_OK; i++) {
		uint32_t string = 0;
		status = hprof_label(import, class->slots[i].name, &string);
		slots[i + 1] = (struct snap_slot){class->slots[i].kind, SNAP_LABEL_STRING(string)};
	}
	if (status == SNAP_OK)
		status = snap_writer_layout(import->context->writer, class->type, slots, count,
					    &class->layout, import->error);
	free(slots);
	return status;
}

enum snap_status hprof_class_describe(struct hprof_import *import, struct hprof_class *class)
{
	enum snap_status status = hprof_class_type(import, class);
	if (status != SNAP_OK || class->described)
		return status;
	class->described = true;
	return make_layout(import, class);
}
