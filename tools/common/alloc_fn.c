/* Functions that allocate for whoever called them. */
#include "alloc_fn.h"

/* clang-format off */
static const struct snap_pattern known[] = {
#define FUNCTION(name) {.kind = SNAP_PATTERN_FUNCTION, .glob = (name)}
#define SOURCE(name)   {.kind = SNAP_PATTERN_FILE, .glob = (name)}
#define MODULE(name)   {.kind = SNAP_PATTERN_MODULE, .glob = (name)}
	/* C: malloc, xcalloc, PyMem_Realloc, CRYPTO_strdup ... */
	FUNCTION("*[cmpvzCMZ]alloc"), FUNCTION("*[rR]ealloc"), FUNCTION("*reallocarray"), FUNCTION("*alloc_usable"),
	FUNCTION("*calloc_num"), FUNCTION("*memalign"), FUNCTION("aligned_alloc"), FUNCTION("*strdup"), FUNCTION("*strndup"),
	FUNCTION("*memdup"), FUNCTION("g_malloc*"), FUNCTION("g_realloc*"), FUNCTION("g_try_malloc*"),
	/* C++ */
	FUNCTION("operator new*"), FUNCTION("std::*"), FUNCTION("__gnu_cxx::*"), FUNCTION("__cxa_allocate_exception"),
	SOURCE("*/include/c++/*"),
	/* Rust */
	FUNCTION("__rust_*"), FUNCTION("__rdl_*"), FUNCTION("__rg_*"), FUNCTION("alloc::*"), FUNCTION("<alloc::*"),
	FUNCTION("core::*"), FUNCTION("<core::*"), FUNCTION("<std::*"), FUNCTION("hashbrown::*"),
	SOURCE("/rustc/*/library/*"), SOURCE("library/alloc/*"), SOURCE("library/core/*"), SOURCE("library/std/*"),
	/* What an interpreter calls C by: its own line says more. */
	MODULE("*/libffi.so*"), MODULE("*/_ctypes.*.so"),
};
/* clang-format on */
#define KNOWN (sizeof(known) / sizeof(known[0]))

static bool has_empty(const struct cli_list *given)
{
	for (size_t i = 0; i < given->count; i++)
		if (!*given->items[i])
			return true;
	return false;
}

static void add(struct snap_pattern *patterns, size_t *count, struct snap_pattern pattern)
{
	if (*count == SNAP_MAX_PATTERNS)
		cli_usage("at most %zu times --alloc-fn", SNAP_MAX_PATTERNS - KNOWN);
	patterns[(*count)++] = pattern;
}

size_t alloc_fn_patterns(const struct cli_list *given, struct snap_pattern *patterns)
{
	size_t count = 0;
	for (size_t i = 0; !has_empty(given) && i < KNOWN; i++)
		add(patterns, &count, known[i]);
	for (size_t i = 0; i < given->count; i++)
		if (*given->items[i])
			add(patterns, &count, (struct snap_pattern)FUNCTION(given->items[i]));
	return count;
}
