/* Which target was meant by one that names nothing. */
#include "refs.h"

#include <stdlib.h>
#include <string.h>

#define NAME_MAX_SIZE 128

static char lower(char letter)
{
	return letter >= 'A' && letter <= 'Z' ? (char)(letter - 'A' + 'a') : letter;
}

/* How many letters are to be changed, added or left out; other cases of letters are none. */
static size_t distance(const char *left, size_t left_size, const char *right, size_t right_size)
{
	size_t line[NAME_MAX_SIZE + 1];
	for (size_t j = 0; j <= right_size; j++)
		line[j] = j;
	for (size_t i = 1; i <= left_size; i++) {
		size_t before = line[0];
		line[0] = i;
		for (size_t j = 1; j <= right_size; j++) {
			size_t best = before + (lower(left[i - 1]) != lower(right[j - 1]));
			before = line[j];
			best = best < line[j] + 1 ? best : line[j] + 1;
			line[j] = best < line[j - 1] + 1 ? best : line[j - 1] + 1;
		}
	}
	return line[right_size];
}

/* Of a name, or of what is behind its package, namespace or class. */
static size_t distance_of(const char *words, size_t size, const struct buffer *name, size_t most)
{
	size_t best = most + 1;
	for (size_t at = 0; at < name->size; at++) {
		size_t left = name->size - at;
		bool is_start = at == 0 || strchr(".:/$", name->bytes[at - 1]) != NULL;
		if (!is_start || left > NAME_MAX_SIZE || left > size + most || size > left + most)
			continue;
		size_t found = distance(words, size, name->bytes + at, left);
		best = found < best ? found : best;
	}
	return best;
}

static void suggest_type(struct refs *refs, const char *words, struct buffer *out)
{
	uint64_t types = snap_reader_row_count(refs->reader, SNAP_TYPES), nearest = 0;
	size_t size = strlen(words), least = 1 + size / 6;
	bool is_part = false;
	struct buffer name = {NULL, 0, 0};
	for (uint64_t type = 1; type <= types && !is_part; type++) {
		name.size = 0;
		refs_append_type(refs, &name, type);
		size_t found =
			size <= NAME_MAX_SIZE ? distance_of(words, size, &name, least) : SIZE_MAX;
		if (found < least || (found == least && nearest == 0)) {
			least = found;
			nearest = type;
		}
		buffer_byte(&name, '\0');
		is_part = strstr(name.bytes, words) != NULL;
	}
	buffer_free(&name);
	if (is_part || nearest != 0)
		buffer_text(out, is_part ? "type:*" : "type:");
	if (is_part)
		buffer_text(out, words);
	else if (nearest != 0)
		refs_append_type(refs, out, nearest);
	if (is_part)
		buffer_byte(out, '*');
}

void refs_suggest(struct refs *refs, const char *words, struct buffer *out)
{
	const char *name = strchr(words, ':');
	if (name == NULL || name[1] == '\0' || strpbrk(words, "*?") != NULL)
		return;
	if (strncmp(words, "type:", 5) == 0) {
		suggest_type(refs, name + 1, out);
	} else if (strncmp(words, "site:", 5) == 0 || strncmp(words, "name:", 5) == 0) {
		buffer_append(out, words, 5);
		buffer_byte(out, '*');
		buffer_text(out, name + 1);
		buffer_byte(out, '*');
	}
}
