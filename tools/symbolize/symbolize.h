/* Names for addresses: what the parts of snap-symbolize share. */
#ifndef SYMBOLIZE_H
#define SYMBOLIZE_H

#include <elfutils/libdwfl.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Where files are looked for, for the whole process.  Call once, before any module is opened. */
struct symbol_options {
	const char *sysroot; /* before the path of every module; NULL: none */
	/* where separate debug files are, separated by colons; NULL: the usual */
	const char *debug_folders;
	bool debuginfod; /* ask the servers in $DEBUGINFOD_URLS */
};
void symbols_setup(const struct symbol_options *options);

/* One function at an address, by its linkage name; NULL and 0 where not known. */
struct symbol {
	const char *function, *file;
	uint32_t line;
};

struct unit;
struct labels {
	struct label *all; /* by address */
	size_t count, capacity;
};

struct module {
	Dwfl *dwfl; /* NULL: there is no file, for a reason */
	Dwfl_Module *dwfl_module;
	struct unit *units; /* of debug information */
	size_t unit_count;
	struct span *spans; /* of addresses to units, by address */
	size_t span_count;
	Dwarf_Addr bias; /* address in the file = address in debug information + bias */
	struct labels globals, locals;
	bool has_labels;
	char reason[256];
	char *path, *build_id;
	struct module *next;
};

/* The file of a module, or its separate debug file, if its build-id (hexadecimal; "": any) is the
 * wanted one.  It is opened once, and kept with its texts; a file that is missing is warned of. */
struct module *module_find(const char *path, const char *build_id);

/* The functions at an offset from where the module was loaded, innermost first,
 * each inlined into the next.  Returns how many, at most max; 0: not known. */
size_t module_symbols(struct module *, uint64_t offset, struct symbol *out, size_t max);

/* ---- debug information (units.c) ---- */

void units_open(struct module *);
void units_close(struct module *);
size_t units_symbols(struct module *, uint64_t address, struct symbol *out, size_t max);

/* ---- the table of symbols (labels.c) ---- */

/* NULL: what lies behind the last symbol has no name. */
const char *labels_find(struct module *, Dwarf_Addr address);
void labels_close(struct module *);

#endif
