/* Which objects are asked about: by address, row, type, name or allocation site. */
#include "refs.h"

#include <errno.h>
#include <fnmatch.h>
#include <stdlib.h>
#include <string.h>

static bool parse_number(const char *text, uint64_t *number)
{
	char *end;
	if (*text < '0' || *text > '9')
		return false;
	errno = 0;
	*number = strtoull(text, &end,
			   text[0] == '0' && (text[1] == 'x' || text[1] == 'X') ? 16 : 10);
	return errno == 0 && *end == '\0';
}

/* The name itself, or a pattern as the shell knows them: names like Array[] need no quoting. */
static bool matches(const char *pattern, const struct buffer *name)
{
	return strcmp(pattern, name->bytes) == 0 || fnmatch(pattern, name->bytes, 0) == 0;
}

static bool add_row(struct refs *refs, uint64_t row)
{
	return snap_graph_set_add(refs->targets, row);
}

static bool add_address(struct refs *refs, uint64_t address)
{
	uint64_t row;
	enum snap_status status = snap_graph_find_address(refs->graph, address, &row, &refs->error);
	if (status == SNAP_END)
		return false;
	refs_must(refs, status);
	return add_row(refs, row);
}

static bool add_types(struct refs *refs, const char *pattern)
{
	uint64_t types = snap_reader_row_count(refs->reader, SNAP_TYPES);
	struct buffer name = {NULL, 0, 0};
	bool any = false;
	for (uint64_t type = 1; type <= types; type++) {
		name.size = 0;
		refs_append_type(refs, &name, type);
		buffer_byte(&name, '\0');
		if (matches(pattern, &name))
			any |= snap_graph_set_add_type(refs->targets, type);
	}
	buffer_free(&name);
	return any;
}

/* A site is matched by its function, its file, or file:line. */
static bool is_site(struct refs *refs, const char *pattern, uint64_t stack, struct buffer *name)
{
	uint64_t frame = refs_site_frame(refs, stack);
	name->size = 0;
	refs_append_function(refs, name, frame);
	buffer_byte(name, '\0');
	if (matches(pattern, name))
		return true;
	name->size = 0;
	refs_append_place(refs, name, frame);
	buffer_byte(name, '\0');
	if (matches(pattern, name))
		return true;
	char *line = strrchr(name->bytes, ':');
	if (line != NULL)
		*line = '\0';
	return line != NULL && matches(pattern, name);
}

/* Objects for which the ids in that column are wanted. */
static bool add_wanted(struct refs *refs, uint32_t column, const bool *wanted)
{
	bool any = false;
	struct scan scan = scan_begin(refs->reader, &column, 1, &refs->error);
	while (scan_next(&scan))
		if (wanted[scan_value(&scan, 0)])
			any |= add_row(refs, scan.row);
	refs_must(refs, scan_end(&scan, NULL));
	return any;
}

static bool add_sites(struct refs *refs, const char *pattern)
{
	uint64_t stacks = snap_reader_row_count(refs->reader, SNAP_STACKS);
	bool *wanted = refs_zeroed(refs, stacks + 1, sizeof(*wanted));
	struct buffer name = {NULL, 0, 0};
	for (uint64_t stack = 1; stack <= stacks; stack++)
		wanted[stack] = is_site(refs, pattern, stack, &name);
	buffer_free(&name);
	bool any = add_wanted(refs, SNAP_OBJECT_STACK, wanted);
	refs_free(refs, wanted, stacks + 1, sizeof(*wanted));
	return any;
}

static bool add_names(struct refs *refs, const char *pattern)
{
	uint64_t strings = snap_reader_row_count(refs->reader, SNAP_STRINGS);
	bool *wanted = refs_zeroed(refs, strings + 1, sizeof(*wanted));
	struct buffer name = {NULL, 0, 0};
	for (uint64_t id = 1; id <= strings; id++) {
		name.size = 0;
		refs_append_string(refs, &name, id);
		buffer_byte(&name, '\0');
		wanted[id] = matches(pattern, &name);
	}
	buffer_free(&name);
	bool any = add_wanted(refs, SNAP_OBJECT_NAME, wanted);
	refs_free(refs, wanted, strings + 1, sizeof(*wanted));
	return any;
}

static bool is_pattern(const char *words)
{
	return strncmp(words, "type:", 5) == 0 || strncmp(words, "site:", 5) == 0 ||
	       strncmp(words, "name:", 5) == 0;
}

bool refs_is_target(const char *words)
{
	uint64_t number;
	return is_pattern(words) ||
	       (strncmp(words, "row:", 4) == 0 && parse_number(words + 4, &number)) ||
	       (strncmp(words, "id:", 3) == 0 && parse_number(words + 3, &number)) ||
	       parse_number(words[0] == '@' ? words + 1 : words, &number);
}

bool refs_add_target(struct refs *refs, const char *words)
{
	uint64_t number;
	if (strncmp(words, "type:", 5) == 0)
		return add_types(refs, words + 5);
	if (strncmp(words, "site:", 5) == 0)
		return add_sites(refs, words + 5);
	if (strncmp(words, "name:", 5) == 0)
		return add_names(refs, words + 5);
	if (strncmp(words, "row:", 4) == 0)
		return parse_number(words + 4, &number) && add_row(refs, number);
	const char *address = strncmp(words, "id:", 3) == 0 ? words + 3
			      : words[0] == '@'             ? words + 1
							    : words;
	return parse_number(address, &number) && add_address(refs, number);
}
