/* Options and patterns as a question to the library. */
#include "demangle.h"
#include "rows.h"

#include <errno.h>
#include <inttypes.h>
#include <malloc.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define PEOPLE_LIMIT 20
#define LEAST_MEMORY ((uint64_t)16 << 20)

static bool take_prefix(const char **text, const char *prefix)
{
	size_t size = strlen(prefix);
	if (strncmp(*text, prefix, size) != 0)
		return false;
	*text += size;
	return true;
}

static bool parse_number(const char *digits, size_t size, uint64_t *number)
{
	if (size == 0 || strspn(digits, "0123456789") < size)
		return false;
	errno = 0;
	*number = strtoull(digits, NULL, 10);
	return errno == 0;
}

/* "GLOB:LINE"; the glob is cut in a copy, which lives as long as the process. */
static void parse_line(struct snap_pattern *pattern)
{
	const char *colon = strrchr(pattern->glob, ':');
	if (!colon || !parse_number(colon + 1, strlen(colon + 1), &pattern->line))
		return;
	size_t size = (size_t)(colon - pattern->glob);
	char *glob = cli_resize(NULL, size + 1);
	memcpy(glob, pattern->glob, size);
	glob[size] = '\0';
	pattern->glob = glob;
	pattern->has_line = true;
}

/* "domain:N" or "domain:N:PATTERN"; what follows is left in *text, which is NULL if nothing does.
 */
static void parse_domain(struct snap_pattern *pattern, const char **text)
{
	size_t digits = strspn(*text, "0123456789");
	if (!parse_number(*text, digits, &pattern->domain) ||
	    ((*text)[digits] && (*text)[digits] != ':'))
		cli_usage("domain:%s: a domain is a number", *text);
	pattern->has_domain = true;
	*text = (*text)[digits] ? *text + digits + 1 : NULL;
}

static struct snap_pattern parse_pattern(const char *text, bool exclude, bool all_frames)
{
	struct snap_pattern pattern = {.exclude = exclude, .kind = SNAP_PATTERN_FILE};
	if (take_prefix(&text, "domain:"))
		parse_domain(&pattern, &text);
	if (!text) {
		pattern.kind = SNAP_PATTERN_ANY;
		return pattern;
	}
	if (take_prefix(&text, "type:"))
		pattern.kind = SNAP_PATTERN_TYPE;
	else if (take_prefix(&text, "function:"))
		pattern.kind = SNAP_PATTERN_FUNCTION;
	else if (take_prefix(&text, "module:"))
		pattern.kind = SNAP_PATTERN_MODULE;
	else
		take_prefix(&text, "file:");
	pattern.glob = text;
	if (!*text)
		cli_usage("a pattern is empty");
	if (pattern.kind == SNAP_PATTERN_FILE)
		parse_line(&pattern);
	pattern.all_frames = all_frames && pattern.kind != SNAP_PATTERN_TYPE;
	return pattern;
}

static void add_patterns(struct rows_question *question, const struct cli_list *list, bool exclude,
			 bool all_frames)
{
	for (size_t i = 0; i < list->count; i++) {
		if (question->options.pattern_count == SNAP_MAX_PATTERNS)
			cli_usage("at most %d patterns", SNAP_MAX_PATTERNS);
		question->patterns[question->options.pattern_count++] =
			parse_pattern(list->items[i], exclude, all_frames);
	}
}

/* What both can answer: lineno only if both have files, and so on. */
static enum snap_key default_key(struct snap_reader *first, struct snap_reader *second)
{
	enum snap_key key = snap_key_default(first);
	if (!second || snap_key_default(second) == key)
		return key;
	bool both_typed = snap_reader_row_count(first, SNAP_TYPES) &&
			  snap_reader_row_count(second, SNAP_TYPES);
	return both_typed ? SNAP_KEY_TYPE : SNAP_KEY_SIZE;
}

static bool folds(void)
{
	return cli_common.format == CLI_FOLDED || cli_common.format == CLI_PPROF;
}

/* Who allocated if that is known, else who holds. */
static enum snap_key default_fold(struct snap_reader *first, struct snap_reader *second)
{
	enum snap_key key = default_key(first, second);
	return key == SNAP_KEY_TYPE || key == SNAP_KEY_SIZE ? SNAP_KEY_PATH : SNAP_KEY_TRACEBACK;
}

static void check_format(const struct rows_options *given, const struct snap_query_options *options)
{
	enum cli_format format = cli_common.format;
	const char *name = format == CLI_FOLDED ? "folded" : "pprof";
	if (format == CLI_TRACEMALLOC && !rows_has_statistics(options->key))
		cli_usage("--format=tracemalloc knows the keys lineno, filename and traceback");
	if (format == CLI_TRACEMALLOC && given->errors)
		cli_usage("--format=tracemalloc has no place for --errors");
	if (!folds())
		return;
	if (!rows_can_fold(options->key))
		cli_usage("--format=%s knows the keys traceback and path", name);
	if (given->errors || options->retained)
		cli_usage("--format=%s has no place for --%s", name,
			  given->errors ? "errors" : "retained");
	if (format == CLI_FOLDED && options->order != SNAP_ORDER_BYTES &&
	    options->order != SNAP_ORDER_COUNT)
		cli_usage("--format=folded is weighed by --sort=bytes or count");
	if (format == CLI_PPROF && isatty(STDOUT_FILENO))
		cli_usage("--format=pprof is not for a terminal: redirect it to a file");
}

/* What was asked for counts most: retained bytes, or what the key is about. */
static enum snap_order default_order(const struct rows_options *given, enum snap_key key)
{
	if (given->retained || key == SNAP_KEY_DOMINATOR)
		return SNAP_ORDER_RETAINED;
	return key == SNAP_KEY_DUPLICATE || key == SNAP_KEY_FILL ? SNAP_ORDER_WASTE
								 : SNAP_ORDER_BYTES;
}

static enum snap_order parse_order(const struct rows_options *given, enum snap_key key)
{
	static const char *const names[] = {"bytes", "count", "average", "retained", "waste"};
	if (!given->sort)
		return default_order(given, key);
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		if (strcmp(given->sort, names[i]) == 0)
			return (enum snap_order)i;
	cli_usage("--sort=%s: not bytes, count, average, retained or waste", given->sort);
}

static void check_depth(struct snap_query_options *options, uint64_t depth)
{
	if (depth && options->key != SNAP_KEY_PATH)
		cli_usage("--depth needs --key=path");
	if (depth > UINT32_MAX)
		cli_usage("--depth=%" PRIu64 " is too large", depth);
	options->path_depth = (uint32_t)depth;
}

static void refuse_key(const char *name) __attribute__((noreturn));
static void refuse_key(const char *name)
{
	struct buffer names = {0};
	for (enum snap_key key = 0; key < SNAP_KEY_COUNT; key++) {
		buffer_text(&names, key ? ", " : "");
		buffer_text(&names, snap_key_name(key));
	}
	buffer_byte(&names, '\0');
	cli_usage("--key=%s: not one of %s", name, names.bytes);
}

/* What one step of a question gave back serves the next: pages
 * that the system gives must be cleared, and may be slow to come. */
static void keep_memory(void)
{
#ifdef __GLIBC__
	mallopt(M_MMAP_MAX, 0);
	mallopt(M_TRIM_THRESHOLD, -1);
#endif
}

void rows_question(struct rows_question *question, const struct rows_options *given,
		   struct snap_reader *first, struct snap_reader *second)
{
	keep_memory();
	*question = (struct rows_question){.options = SNAP_QUERY_OPTIONS_INIT};
	struct snap_query_options *options = &question->options;
	if (!given->key)
		options->key = folds() ? default_fold(first, second) : default_key(first, second);
	else if (!snap_key_find(given->key, &options->key))
		refuse_key(given->key);
	options->order = parse_order(given, options->key);
	options->retained = given->retained || options->order == SNAP_ORDER_RETAINED;
	check_depth(options, given->depth);
	options->cumulative = given->cumulative;
	options->errors = given->errors;
	if (given->errors && given->cumulative)
		cli_usage("--errors cannot be used with --cumulative");
	options->max_memory_bytes = cli_common.memory_bytes;
	if (options->max_memory_bytes && options->max_memory_bytes < LEAST_MEMORY)
		options->max_memory_bytes = LEAST_MEMORY; /* as the reader does */
	options->threads = cli_common.threads;
	options->function_name = demangle;
	options->patterns = question->patterns;
	add_patterns(question, &given->include, false, given->all_frames);
	add_patterns(question, &given->exclude, true, given->all_frames);
	options->passed = question->passed;
	options->passed_count = alloc_fn_patterns(&given->alloc_fn, question->passed);
	check_format(given, options);
}

uint64_t rows_limit(const struct rows_options *options)
{
	if (options->limit == 0)
		return UINT64_MAX;
	if (options->limit != ROWS_NOT_GIVEN)
		return options->limit;
	return cli_common.format == CLI_TABLE || cli_common.format == CLI_MARKDOWN ? PEOPLE_LIMIT
										   : UINT64_MAX;
}
