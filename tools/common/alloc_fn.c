/* Functions that allocate for whoever called them. */
#include "alloc_fn.h"

static const char *const known[] = {
	"malloc",	 "calloc",	"realloc",     "reallocarray", "posix_memalign",
	"aligned_alloc", "memalign",	"valloc",      "pvalloc",      "__libc_malloc",
	"__libc_calloc", "strdup",	"strndup",     "__strdup",     "__strndup",
	"__GI___strdup", "__GI___strndup", "operator new*", "std::*",  "__gnu_cxx::*",
	"__cxa_allocate_exception",	"g_malloc*",   "g_realloc*",   "g_try_malloc*",
	"__rust_*",	 "__rdl_*",	"__rg_*",      "alloc::*",     "<alloc::*",
	"core::*",	 "<core::*",	"<std::*",     "hashbrown::*",
};
#define KNOWN (sizeof(known) / sizeof(known[0]))

/* What an interpreter calls C by: its own line says more. */
static const char *const known_modules[] = {"*/libffi.so*", "*/_ctypes.*.so"};
#define KNOWN_MODULES (sizeof(known_modules) / sizeof(known_modules[0]))

static bool has_empty(const struct cli_list *given)
{
	for (size_t i = 0; i < given->count; i++)
		if (!*given->items[i])
			return true;
	return false;
}

static void add(struct snap_pattern *patterns, size_t *count, enum snap_pattern_kind kind, const char *glob)
{
	if (*count == SNAP_MAX_PATTERNS)
		cli_usage("at most %zu times --alloc-fn", SNAP_MAX_PATTERNS - KNOWN - KNOWN_MODULES);
	patterns[(*count)++] = (struct snap_pattern){.kind = kind, .glob = glob};
}

size_t alloc_fn_patterns(const struct cli_list *given, struct snap_pattern *patterns)
{
	size_t count = 0;
	for (size_t i = 0; !has_empty(given) && i < KNOWN; i++)
		add(patterns, &count, SNAP_PATTERN_FUNCTION, known[i]);
	for (size_t i = 0; !has_empty(given) && i < KNOWN_MODULES; i++)
		add(patterns, &count, SNAP_PATTERN_MODULE, known_modules[i]);
	for (size_t i = 0; i < given->count; i++)
		if (*given->items[i])
			add(patterns, &count, SNAP_PATTERN_FUNCTION, given->items[i]);
	return count;
}
