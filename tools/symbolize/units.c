/* Functions at an address by debug information: which unit, which function, what was inlined there.
 *
 * A unit's functions are gone through once, when the first address
 * in it is asked for; they are then found by binary search.  Ranges
 * that were inlined into a function follow it, deeper ones later. */
#include <dwarf.h>
#include <stdlib.h>
#include <string.h>

#include "cli.h"
#include "symbolize.h"

#define MAX_DEPTH 256 /* of nested blocks in one function: more are not looked into */

/* Addresses low to high - 1 belong to units[unit]. */
struct span {
	Dwarf_Addr low, high;
	size_t unit;
};

/* One range of a function, or of one that was inlined into it. */
struct range {
	Dwarf_Addr low, high;
	Dwarf_Die die;
	size_t last; /* of a function: the inlined ranges that follow end before this one */
	unsigned depth;
};

struct unit {
	Dwarf_Die die;   /* has the lines */
	Dwarf_Die scope; /* has the functions: another one where debug information is split */
	struct range *ranges;
	size_t count, capacity;
	size_t *functions; /* the ranges of depth 0, by address */
	size_t function_count;
	bool loaded;
};

static void add_span(struct module *m, size_t *capacity, Dwarf_Addr low, Dwarf_Addr high)
{
	if (low >= high)
		return;
	if (m->span_count == *capacity) {
		*capacity = *capacity ? *capacity * 2 : 64;
		m->spans = cli_resize(m->spans, *capacity * sizeof(*m->spans));
	}
	m->spans[m->span_count++] = (struct span){low, high, m->unit_count};
}

static int by_low(const void *a, const void *b)
{
	const struct span *left = a, *right = b;
	return left->low < right->low ? -1 : left->low > right->low;
}

void units_open(struct module *m)
{
	Dwarf *debug = dwfl_module_getdwarf(m->dwfl_module, &m->bias);
	if (!debug)
		return;
	size_t unit_capacity = 0, span_capacity = 0;
	Dwarf_CU *cu = NULL;
	Dwarf_Half version;
	uint8_t type;
	Dwarf_Die die, split;
	while (dwarf_get_units(debug, cu, &cu, &version, &type, &die, &split) == 0) {
		bool skeleton = type == DW_UT_skeleton && dwarf_tag(&split) != DW_TAG_invalid;
		Dwarf_Addr base, low, high;
		if (type != DW_UT_compile && type != DW_UT_skeleton)
			continue;
		if (m->unit_count == unit_capacity) {
			unit_capacity = unit_capacity ? unit_capacity * 2 : 64;
			m->units = cli_resize(m->units, unit_capacity * sizeof(*m->units));
		}
		m->units[m->unit_count] =
			(struct unit){.die = die, .scope = skeleton ? split : die};
		for (ptrdiff_t at = 0; (at = dwarf_ranges(&die, at, &base, &low, &high)) > 0;)
			add_span(m, &span_capacity, low, high);
		m->unit_count++;
	}
	if (m->span_count > 0)
		qsort(m->spans, m->span_count, sizeof(*m->spans), by_low);
}

void units_close(struct module *m)
{
	for (size_t i = 0; i < m->unit_count; i++) {
		free(m->units[i].ranges);
		free(m->units[i].functions);
	}
	free(m->units);
	free(m->spans);
	m->units = NULL;
	m->spans = NULL;
	m->unit_count = m->span_count = 0;
}

static void add_range(struct unit *unit, Dwarf_Addr low, Dwarf_Addr high, const Dwarf_Die *die,
		      unsigned depth)
{
	if (low >= high)
		return;
	if (unit->count == unit->capacity) {
		unit->capacity = unit->capacity ? unit->capacity * 2 : 256;
		unit->ranges = cli_resize(unit->ranges, unit->capacity * sizeof(*unit->ranges));
	}
	unit->ranges[unit->count++] = (struct range){low, high, *die, 0, depth};
}

static void add_ranges(struct unit *unit, Dwarf_Die *die, unsigned depth)
{
	Dwarf_Addr base, low, high;
	for (ptrdiff_t at = 0; (at = dwarf_ranges(die, at, &base, &low, &high)) > 0;)
		add_range(unit, low, high, die, depth);
}

/* What is inlined below *parent, at any depth of lexical blocks. */
static void collect_inlined(struct unit *unit, Dwarf_Die *parent)
{
	Dwarf_Die path[MAX_DEPTH];
	unsigned inlined[MAX_DEPTH + 1] = {0};
	size_t depth = 0;
	if (dwarf_child(parent, &path[0]) != 0)
		return;
	for (;;) {
		int tag = dwarf_tag(&path[depth]);
		bool call = tag == DW_TAG_inlined_subroutine;
		if (call)
			add_ranges(unit, &path[depth], inlined[depth] + 1);
		if ((call || tag == DW_TAG_lexical_block) && depth + 1 < MAX_DEPTH &&
		    dwarf_child(&path[depth], &path[depth + 1]) == 0) {
			inlined[depth + 1] = inlined[depth] + call;
			depth++;
			continue;
		}
		while (dwarf_siblingof(&path[depth], &path[depth]) != 0)
			if (depth-- == 0)
				return;
	}
}

static void add_function(struct unit *unit, Dwarf_Die *die)
{
	size_t first = unit->count;
	add_ranges(unit, die, 0);
	size_t inlined = unit->count;
	if (inlined == first)
		return;
	collect_inlined(unit, die);
	/* A function in several pieces: each is followed by, and shares, what was inlined. */
	for (size_t i = first; i < inlined; i++)
		unit->ranges[i].last = unit->count;
}

static _Thread_local const struct range *sorted_ranges;
static int by_function(const void *a, const void *b)
{
	const struct range *left = &sorted_ranges[*(const size_t *)a];
	const struct range *right = &sorted_ranges[*(const size_t *)b];
	return left->low < right->low ? -1 : left->low > right->low;
}

static void index_functions(struct unit *unit)
{
	unit->functions = cli_resize(NULL, (unit->count + 1) * sizeof(*unit->functions));
	for (size_t i = 0; i < unit->count; i++)
		if (unit->ranges[i].depth == 0)
			unit->functions[unit->function_count++] = i;
	sorted_ranges = unit->ranges;
	qsort(unit->functions, unit->function_count, sizeof(*unit->functions), by_function);
}

/* Functions are children of the unit, of namespaces and of types. */
static void load_unit(struct unit *unit)
{
	Dwarf_Die path[MAX_DEPTH];
	size_t depth = 0;
	unit->loaded = true;
	bool any = dwarf_child(&unit->scope, &path[0]) == 0;
	while (any) {
		int tag = dwarf_tag(&path[depth]);
		bool inside = tag == DW_TAG_namespace || tag == DW_TAG_class_type ||
			      tag == DW_TAG_structure_type || tag == DW_TAG_module ||
			      tag == DW_TAG_union_type || tag == DW_TAG_subprogram ||
			      tag == DW_TAG_lexical_block;
		if (tag == DW_TAG_subprogram)
			add_function(unit, &path[depth]);
		if (inside && depth + 1 < MAX_DEPTH &&
		    dwarf_child(&path[depth], &path[depth + 1]) == 0) {
			depth++;
			continue;
		}
		while (any && dwarf_siblingof(&path[depth], &path[depth]) != 0)
			any = depth-- > 0;
	}
	index_functions(unit);
}

static struct unit *find_unit(const struct module *m, Dwarf_Addr address)
{
	size_t low = 0, high = m->span_count;
	while (low < high) {
		size_t middle = low + (high - low) / 2;
		if (m->spans[middle].low <= address)
			low = middle + 1;
		else
			high = middle;
	}
	return low > 0 && address < m->spans[low - 1].high ? &m->units[m->spans[low - 1].unit]
							   : NULL;
}

static const struct range *find_function(const struct unit *unit, Dwarf_Addr address)
{
	size_t low = 0, high = unit->function_count;
	while (low < high) {
		size_t middle = low + (high - low) / 2;
		if (unit->ranges[unit->functions[middle]].low <= address)
			low = middle + 1;
		else
			high = middle;
	}
	if (low == 0)
		return NULL;
	const struct range *range = &unit->ranges[unit->functions[low - 1]];
	return address < range->high ? range : NULL;
}

static const char *linkage_name(Dwarf_Die *die)
{
	Dwarf_Attribute attribute;
	if (!dwarf_attr_integrate(die, DW_AT_linkage_name, &attribute) &&
	    !dwarf_attr_integrate(die, DW_AT_MIPS_linkage_name, &attribute))
		return dwarf_diename(die);
	return dwarf_formstring(&attribute);
}

static uint32_t number(Dwarf_Die *die, unsigned name)
{
	Dwarf_Attribute attribute;
	Dwarf_Word value;
	if (!dwarf_attr(die, name, &attribute) || dwarf_formudata(&attribute, &value) != 0)
		return 0;
	return value <= UINT32_MAX ? (uint32_t)value : 0;
}

static void place_of_call(struct unit *unit, Dwarf_Die *call, struct symbol *symbol)
{
	Dwarf_Files *files;
	size_t count;
	if (dwarf_getsrcfiles(&unit->die, &files, &count) == 0)
		symbol->file = dwarf_filesrc(files, number(call, DW_AT_call_file), NULL, NULL);
	symbol->line = symbol->file ? number(call, DW_AT_call_line) : 0;
}

static void place_of_address(struct unit *unit, Dwarf_Addr address, struct symbol *symbol)
{
	Dwarf_Line *line = dwarf_getsrc_die(&unit->die, address);
	int number_of_line;
	if (!line)
		return;
	symbol->file = dwarf_linesrc(line, NULL, NULL);
	if (symbol->file && dwarf_lineno(line, &number_of_line) == 0 && number_of_line > 0)
		symbol->line = (uint32_t)number_of_line;
}

size_t units_symbols(struct module *m, uint64_t address, struct symbol *out, size_t max)
{
	Dwarf_Die *chain[MAX_DEPTH]; /* outermost first */
	size_t count = 0;
	address -= m->bias;
	struct unit *unit = find_unit(m, address);
	if (!unit || max == 0)
		return 0;
	if (!unit->loaded)
		load_unit(unit);
	struct symbol place = {0};
	place_of_address(unit, address, &place);
	const struct range *function = find_function(unit, address);
	if (!function) {
		out[0] = place;
		return place.file ? 1 : 0;
	}
	chain[count++] = (Dwarf_Die *)&function->die;
	for (size_t i = (size_t)(function - unit->ranges) + 1; i < function->last; i++) {
		struct range *range = &unit->ranges[i];
		if (range->depth == count && range->low <= address && address < range->high &&
		    count < MAX_DEPTH && count < max)
			chain[count++] = &range->die;
	}
	for (size_t i = 0; i < count; i++) {
		Dwarf_Die *die = chain[count - 1 - i];
		out[i] = place;
		out[i].function = linkage_name(die);
		place = (struct symbol){0};
		if (i + 1 < count)
			place_of_call(unit, die, &place);
	}
	return count;
}
