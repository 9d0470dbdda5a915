/* What text says, as values of the writer: strings, ids, words, flags. */
#include <string.h>

#include "make.h"

bool make_good(struct make *m, enum snap_status status, const struct snap_error *error)
{
	if (status == SNAP_OK)
		return true;
	if (status == SNAP_MISUSE)
		return document_fail(m->text, "%s", error->message);
	if (!m->failed && !document_failed(m->text))
		cli_report(m->out, error);
	m->failed = true;
	return false;
}

bool make_gave(struct make *m, enum snap_table table, uint32_t id)
{
	if (id > m->rows[table])
		m->rows[table] = id;
	return true;
}

/* Grows an array of zeros so that it has an element index. */
void *make_grow(void *array, size_t *capacity, size_t index, size_t element_size)
{
	if (index < *capacity)
		return array;
	size_t wanted = index + index / 2 + 64;
	array = cli_resize(array, wanted * element_size);
	memset((char *)array + *capacity * element_size, 0, (wanted - *capacity) * element_size);
	*capacity = wanted;
	return array;
}

bool make_intern(struct make *m, const char *bytes, size_t size, uint32_t *id)
{
	if (size > SNAP_MAX_STRING_SIZE)
		return document_fail(m->text, "a string is longer than %u bytes",
				     SNAP_MAX_STRING_SIZE);
	struct snap_error error;
	return make_good(m, snap_writer_string(m->writer, bytes, size, id, &error), &error) &&
	       make_gave(m, SNAP_STRINGS, *id);
}

bool make_string(struct make *m, uint32_t *id)
{
	if (!document_scalar(m->text))
		return false;
	size_t size;
	const char *bytes = document_text(m->text, &size);
	return make_intern(m, bytes, size, id);
}

bool make_u32(struct make *m, uint32_t *value)
{
	uint64_t number;
	if (!document_number(m->text, UINT32_MAX, &number))
		return false;
	*value = (uint32_t)number;
	return true;
}

/* The current scalar is the id of a row that is already there, or 0. */
bool make_as_id(struct make *m, enum snap_table table, uint32_t *id)
{
	uint64_t number;
	if (!document_as_number(m->text, UINT32_MAX, &number))
		return false;
	if (number > m->rows[table])
		return document_fail(m->text, "there is no row %u before this", (uint32_t)number);
	*id = (uint32_t)number;
	return true;
}

bool make_id(struct make *m, enum snap_table table, uint32_t *id)
{
	return document_scalar(m->text) && make_as_id(m, table, id);
}

/* A word of a list, or a number. */
bool make_as_word(struct make *m, enum word_list list, uint64_t *number)
{
	if (document_is_number(m->text))
		return document_as_number(m->text, UINT8_MAX, number);
	size_t size;
	const char *word = document_text(m->text, &size);
	*number = word_number(list, word, size);
	return *number != UINT64_MAX || document_fail(m->text, "unknown word %.100s", word);
}

bool make_word(struct make *m, enum word_list list, uint64_t *number)
{
	return document_scalar(m->text) && make_as_word(m, list, number);
}

/* A list of words or bit numbers. */
bool make_flags(struct make *m, enum word_list list, uint32_t *flags)
{
	if (!document_sequence(m->text))
		return false;
	enum document_node node;
	while (document_item(m->text, &node)) {
		uint64_t bit;
		if (node != DOCUMENT_SCALAR)
			return document_fail(m->text, "a flag has to be a word");
		if (!make_as_word(m, list, &bit))
			return false;
		if (bit > 31 || (*flags & 1u << bit))
			return document_fail(m->text,
					     "this flag is there twice, or there is none such");
		*flags |= 1u << bit;
	}
	return !document_failed(m->text);
}
