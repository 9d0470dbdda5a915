/* The words of spec/registry.yaml for the kinds of references and roots. */
#include "snap_graph.h"

#include <stddef.h>

const char *snap_reference_kind_name(uint32_t kind)
{
	static const char *const names[] = {
		[SNAP_REF_FIELD] = "field",         [SNAP_REF_ELEMENT] = "element",
		[SNAP_REF_INTERNAL] = "internal",   [SNAP_REF_HIDDEN] = "hidden",
		[SNAP_REF_LOCAL] = "local",         [SNAP_REF_KEY] = "key",
		[SNAP_REF_VALUE] = "value",         [SNAP_REF_CLASS] = "class",
		[SNAP_REF_STATIC] = "static",       [SNAP_REF_ALIAS] = "alias",
		[SNAP_REF_WEAK] = "weak",           [SNAP_REF_SOFT] = "soft",
		[SNAP_REF_PHANTOM] = "phantom",     [SNAP_REF_FINAL] = "final",
		[SNAP_REF_EPHEMERON] = "ephemeron", [SNAP_REF_SHORTCUT] = "shortcut",
	};
	return kind < sizeof(names) / sizeof(names[0]) ? names[kind] : NULL;
}

const char *snap_root_kind_name(uint32_t kind)
{
	static const char *const names[] = {"unknown",   "vm",       "global", "stack", "thread",
					    "handle",    "register", "tls",    "class", "monitor",
					    "finalizer", "interned", "foreign"};
	return kind < sizeof(names) / sizeof(names[0]) ? names[kind] : NULL;
}
