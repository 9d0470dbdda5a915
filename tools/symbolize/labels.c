/* Functions at an address by the symbols of a file, sorted once. */
#include <stdlib.h>

#include "cli.h"
#include "symbolize.h"

struct label {
	Dwarf_Addr start, end, reach; /* reach: no label up to here ends later */
	const char *name;
	int binding, place; /* place: in the file's table */
};

static bool is_label(const GElf_Sym *symbol, const char *name)
{
	int type = GELF_ST_TYPE(symbol->st_info);
	return name && *name && symbol->st_shndx != SHN_UNDEF && symbol->st_size > 0 &&
	       type != STT_SECTION && type != STT_FILE && type != STT_TLS;
}

static int by_binding(int binding)
{
	return binding == STB_GLOBAL ? 2 : binding == STB_WEAK ? 1 : 0;
}

/* Of those that begin at the same place, the one that is to be found comes last: the smallest,
 * the most binding, the first of the file. */
static int by_start(const void *a, const void *b)
{
	const struct label *left = a, *right = b;
	if (left->start != right->start)
		return left->start < right->start ? -1 : 1;
	if (left->end != right->end)
		return left->end > right->end ? -1 : 1;
	int binding = by_binding(left->binding) - by_binding(right->binding);
	return binding ? binding : right->place - left->place;
}

static void sort(struct labels *labels)
{
	Dwarf_Addr reach = 0;
	if (labels->count > 0)
		qsort(labels->all, labels->count, sizeof(*labels->all), by_start);
	for (size_t i = 0; i < labels->count; i++) {
		reach = labels->all[i].end > reach ? labels->all[i].end : reach;
		labels->all[i].reach = reach;
	}
}

static void add(struct labels *labels, struct label label)
{
	if (labels->count == labels->capacity) {
		labels->capacity = labels->capacity ? labels->capacity * 2 : 256;
		labels->all = cli_resize(labels->all, labels->capacity * sizeof(*labels->all));
	}
	labels->all[labels->count++] = label;
}

static void load(struct module *m)
{
	int count = dwfl_module_getsymtab(m->dwfl_module);
	for (int i = 1; i < count; i++) {
		GElf_Sym symbol;
		GElf_Addr address;
		const char *name = dwfl_module_getsym_info(m->dwfl_module, i, &symbol, &address,
							   NULL, NULL, NULL);
		if (!is_label(&symbol, name))
			continue;
		int binding = GELF_ST_BIND(symbol.st_info);
		add(binding == STB_LOCAL ? &m->locals : &m->globals,
		    (struct label){.start = address,
				   .end = address + symbol.st_size,
				   .name = name,
				   .binding = binding,
				   .place = i});
	}
	sort(&m->globals);
	sort(&m->locals);
	m->has_labels = true;
}

static const char *find(const struct labels *labels, Dwarf_Addr address)
{
	size_t low = 0, high = labels->count;
	while (low < high) {
		size_t middle = low + (high - low) / 2;
		if (labels->all[middle].start <= address)
			low = middle + 1;
		else
			high = middle;
	}
	for (; low > 0 && labels->all[low - 1].reach > address; low--)
		if (labels->all[low - 1].end > address)
			return labels->all[low - 1].name;
	return NULL;
}

const char *labels_find(struct module *m, Dwarf_Addr address)
{
	if (!m->has_labels)
		load(m);
	const char *name = find(&m->globals, address);
	return name ? name : find(&m->locals, address);
}

void labels_close(struct module *m)
{
	free(m->globals.all);
	free(m->locals.all);
	m->globals = m->locals = (struct labels){0};
	m->has_labels = false;
}
