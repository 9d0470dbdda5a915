/* Strings of an HPROF file: where they lie, and what they are in the writer (hprof.h). */
#include "hprof.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define LONGEST_CLASS_NAME 4096
#define LONGEST_FIELD_NAME 1024

enum snap_status hprof_no_memory(struct hprof_import *import)
{
	return import_fail_at(import->error, SNAP_NO_MEMORY, SNAP_NO_OFFSET, "out of memory");
}

/* The length lies before the body, of which the id is the first.  A failure is kept: who compares
 * names goes on as if this were another one. */
static enum snap_status name_at(const struct hprof_import *import, struct hprof_pieces *pieces,
				uint64_t id, const char **text, size_t *size)
{
	struct snap_error error;
	uint64_t offset;
	const uint8_t *bytes;
	*text = "";
	*size = 0;
	if (!hprof_map_get(&import->names, id, &offset))
		return SNAP_OK;
	const unsigned id_size = import->scan.id_size;
	enum snap_status status = hprof_piece(pieces, offset - 4, 4, &bytes, &error);
	if (status != SNAP_OK)
		goto fail;
	size_t length = hprof_u4(bytes);
	length = length < id_size ? 0 : length - id_size;
	if (length > SNAP_MAX_STRING_SIZE)
		length = SNAP_MAX_STRING_SIZE;
	status = hprof_piece(pieces, offset + id_size, length, &bytes, &error);
	if (status != SNAP_OK)
		goto fail;
	*text = (const char *)bytes;
	*size = length;
	return SNAP_OK;
fail:
	if (pieces->failed.status == SNAP_OK)
		pieces->failed = error;
	return status;
}

enum snap_status hprof_name(struct hprof_import *import, uint64_t id, const char **text,
			    size_t *size)
{
	enum snap_status status = name_at(import, &import->name_pieces, id, text, size);
	if (status != SNAP_OK)
		*import->error = import->name_pieces.failed;
	return status;
}

bool hprof_name_is(struct hprof_import *import, uint64_t id, const char *wanted)
{
	const char *text;
	size_t size;
	enum snap_status status = name_at(import, &import->pieces, id, &text, &size);
	if (status != SNAP_OK || size != strlen(wanted))
		return false;
	for (size_t i = 0; i < size; i++)
		if (text[i] != wanted[i] && !(text[i] == '/' && wanted[i] == '.'))
			return false;
	return true;
}

enum snap_status hprof_string(struct hprof_import *import, const char *text, uint32_t *string)
{
	return snap_writer_string(import->context->writer, text, strlen(text), string,
				  import->error);
}

enum snap_status hprof_label(struct hprof_import *import, uint64_t id, uint32_t *string)
{
	uint64_t known;
	if (hprof_map_get(&import->labels, id, &known)) {
		*string = (uint32_t)known;
		return SNAP_OK;
	}
	const char *text;
	size_t size;
	enum snap_status status = hprof_name(import, id, &text, &size);
	if (status == SNAP_OK)
		status = snap_writer_string(import->context->writer, text, size, string,
					    import->error);
	if (status == SNAP_OK && !hprof_map_set(&import->labels, id, *string))
		return hprof_no_memory(import);
	return status;
}

static const char *primitive(char letter)
{
	switch (letter) {
	case 'Z': return "boolean";
	case 'B': return "byte";
	case 'C': return "char";
	case 'S': return "short";
	case 'I': return "int";
	case 'J': return "long";
	case 'F': return "float";
	case 'D': return "double";
	default: return NULL;
	}
}

/* "[[Ljava/lang/String;" is java.lang.String[][]; a name that is none of these stays as it is. */
static size_t array_name(const char *text, size_t size, char *out)
{
	size_t depth = 0;
	while (depth < size && text[depth] == '[')
		depth++;
	const char *element = text + depth;
	size_t element_size = size - depth;
	if (depth > 255 || element_size == 0)
		return 0;
	const char *name = primitive(*element);
	if (name != NULL && element_size == 1) {
		element = name;
		element_size = strlen(name);
	} else if (*element == 'L' && element_size > 2 && element[element_size - 1] == ';') {
		element++;
		element_size -= 2;
	} else {
		return 0;
	}
	memcpy(out, element, element_size);
	for (size_t i = 0; i < depth; i++)
		memcpy(out + element_size + 2 * i, "[]", 2);
	return element_size + 2 * depth;
}

size_t hprof_dotted_name(const char *text, size_t size, char *out)
{
	size_t out_size = size > 0 && text[0] == '[' ? array_name(text, size, out) : 0;
	if (out_size == 0) {
		memcpy(out, text, size);
		out_size = size;
	}
	for (size_t i = 0; i < out_size; i++) {
		if (out[i] == '/')
			out[i] = '.';
		/* A hidden class: its name, and what makes it one of its kind. */
		if (out[i] == '+' && i + 2 < out_size && out[i + 1] == '0' && out[i + 2] == 'x')
			out[i] = '/';
	}
	return out_size;
}

enum snap_status hprof_class_name(struct hprof_import *import, const struct hprof_class *class,
				  uint32_t *string)
{
	const char *text;
	size_t size;
	char name[LONGEST_CLASS_NAME + 512 + 16];
	enum snap_status status = hprof_name(import, class->name, &text, &size);
	if (status != SNAP_OK)
		return status;
	if (size == 0)
		size = (size_t)snprintf(name, sizeof(name), "(class 0x%llx)",
					(unsigned long long)class->id);
	else if (size <= LONGEST_CLASS_NAME)
		size = hprof_dotted_name(text, size, name);
	else
		return snap_writer_string(import->context->writer, text, size, string,
					  import->error);
	if (class->twin > 1 && class->name != 0)
		size += (size_t)snprintf(name + size, sizeof(name) - size, " #%u",
					 (unsigned)class->twin);
	return snap_writer_string(import->context->writer, name, size, string, import->error);
}

/* A class is the object that holds its statics: without its name nothing
 * says whose they are.  Those whose names are in brackets are the JVM's;
 * a hidden class goes by its name up to the /, what follows being a number. */
enum snap_status hprof_static_label(struct hprof_import *import, const struct hprof_class *class,
				    uint64_t id, uint32_t *string)
{
	const char *text;
	size_t size, used;
	char name[LONGEST_CLASS_NAME + 512 + LONGEST_FIELD_NAME];
	enum snap_status status = hprof_name(import, class->name, &text, &size);
	if (status != SNAP_OK)
		return status;
	if (size == 0 || size > LONGEST_CLASS_NAME)
		return hprof_label(import, id, string);
	used = hprof_dotted_name(text, size, name);
	const char *hidden = memchr(name, '/', used);
	used = hidden != NULL ? (size_t)(hidden - name) : used;
	name[used++] = '.';
	status = hprof_name(import, id, &text, &size);
	if (status != SNAP_OK)
		return status;
	if (size == 0 || size > sizeof(name) - used || text[0] == '<')
		return hprof_label(import, id, string);
	memcpy(name + used, text, size);
	return snap_writer_string(import->context->writer, name, used + size, string,
				  import->error);
}
