/* The names of variables that hold blocks, and of functions, from the symbol
 * tables of modules' files, or of the files with what was stripped from these. */
#include <dlfcn.h>
#include <elf.h>
#include <fcntl.h>
#include <link.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "track.h"

#define SAME_MAX       4096u /* so much of the file is compared with what is mapped */
#define NAME_MAX       1024u
#define LINK_MAP_WORDS 160u /* that are looked through */
#define BELOW_MAX      ((uintptr_t)1 << 24)
#define DEBUG_FOLDER   "/usr/lib/debug/.build-id/"

struct file {
	const uint8_t *bytes;
	size_t size;
};

/* NULL: it is not all in the file. */
static const void *part(const struct file *f, uint64_t offset, uint64_t count, size_t size,
			size_t align)
{
	if (offset > f->size || count > (f->size - offset) / size || offset % align != 0)
		return NULL;
	return f->bytes + offset;
}

static bool open_path(struct file *f, const char *path)
{
	struct stat about;
	int file = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	f->size = 0;
	f->bytes = MAP_FAILED;
	if (file >= 0 && fstat(file, &about) == 0 && S_ISREG(about.st_mode) &&
	    about.st_size > (off_t)sizeof(ElfW(Ehdr))) {
		f->size = (size_t)about.st_size;
		f->bytes = mmap(NULL, f->size, PROT_READ, MAP_PRIVATE, file, 0);
	}
	if (file >= 0)
		close(file);
	return f->bytes != MAP_FAILED;
}

static void close_file(struct file *f)
{
	munmap((void *)f->bytes, f->size);
}

/* The file may have been replaced since: its first page has the build-id, too. */
static bool is_same(const struct file *f, const struct track_mapping *module)
{
	size_t size =
		module->end - module->start < SAME_MAX ? module->end - module->start : SAME_MAX;
	/* NOLINTNEXTLINE */
	return memcmp(f->bytes, (const void *)module->start, size < f->size ? size : f->size) == 0;
}

static bool open_file(struct file *f, const struct track_mapping *module)
{
	if (!open_path(f, module->path))
		return false;
	if (!is_same(f, module)) {
		close_file(f);
		return false;
	}
	return true;
}

/* The address that the file gives to what is mapped first. */
static bool find_first(const struct file *f, const ElfW(Ehdr) * elf, uintptr_t *first)
{
	const ElfW(Phdr) *header = part(f, elf->e_phoff, elf->e_phnum, sizeof *header, 8);
	*first = UINTPTR_MAX;
	for (unsigned i = 0; header && i < elf->e_phnum; i++)
		if (header[i].p_type == PT_LOAD && header[i].p_vaddr < *first)
			*first = header[i].p_vaddr & ~(uintptr_t)(SAME_MAX - 1);
	return *first != UINTPTR_MAX;
}

static const ElfW(Shdr) * find_symbols(const struct file *f, const ElfW(Shdr) * *sections)
{
	const ElfW(Ehdr) *elf = (const void *)f->bytes;
	const ElfW(Shdr) *all = part(f, elf->e_shoff, elf->e_shnum, sizeof *all, 8), *best = NULL;
	for (unsigned i = 0; all && i < elf->e_shnum; i++)
		if (all[i].sh_type == SHT_SYMTAB || (all[i].sh_type == SHT_DYNSYM && !best))
			best = &all[i];
	*sections = all;
	return best && best->sh_link < elf->e_shnum ? best : NULL;
}

/* Takes the place of a file without the symbols that only
 * debuggers need, if they are where debuggers look. */
static void open_debug(struct file *f, const struct track_mapping *module)
{
	static const char digits[] = "0123456789abcdef";
	char path[sizeof DEBUG_FOLDER + 2 * sizeof((struct track_module *)0)->build_id +
		  sizeof "/.debug"] = DEBUG_FOLDER;
	const ElfW(Shdr) * sections, *table = find_symbols(f, &sections);
	uint32_t number = table && table->sh_type == SHT_SYMTAB ? TRACK_NO_MODULE
								: track_module_of(module->start);
	const struct track_module *m = number != TRACK_NO_MODULE ? track_module_at(number) : NULL;
	struct file debug;
	if (!m || m->build_id_size < 2)
		return;
	char *at = path + sizeof DEBUG_FOLDER - 1;
	for (size_t i = 0; i < m->build_id_size; i++) {
		if (i == 1)
			*at++ = '/';
		*at++ = digits[m->build_id[i] >> 4];
		*at++ = digits[m->build_id[i] & 15];
	}
	memcpy(at, ".debug", sizeof ".debug");
	if (!open_path(&debug, path))
		return;
	if (memcmp(debug.bytes, f->bytes, EI_NIDENT) == 0 && find_symbols(&debug, &sections)) {
		close_file(f);
		*f = debug;
	} else {
		close_file(&debug);
	}
}

static void name_one(struct track_root *roots, size_t count, uintptr_t start, uint64_t size,
		     const char *name)
{
	size_t low = 0, high = count;
	while (low < high) {
		size_t middle = low + (high - low) / 2;
		if (roots[middle].at < start)
			low = middle + 1;
		else
			high = middle;
	}
	for (; low < count && roots[low].at - start < size; low++) {
		if (size <= roots[low].name_size)
			continue; /* a name for a part, or another one for the same */
		roots[low].name = name;
		roots[low].name_at = start;
		roots[low].name_size = size;
	}
}

/* Each symbol of a type that has a name and a size.  start: of it, as the file has it. */
static void each_symbol(const struct file *f, unsigned type,
			void (*each)(void *context, uintptr_t start, uint64_t size,
				     const char *name),
			void *context)
{
	const ElfW(Shdr) * sections, *table = find_symbols(f, &sections);
	if (!table)
		return;
	const ElfW(Shdr) *text = &sections[table->sh_link];
	size_t symbol_count = table->sh_size / sizeof(ElfW(Sym));
	const ElfW(Sym) *symbols = part(f, table->sh_offset, symbol_count, sizeof *symbols, 8);
	const char *names = part(f, text->sh_offset, text->sh_size, 1, 1);
	for (size_t i = 0; symbols && names && i < symbol_count; i++) {
		const ElfW(Sym) *s = &symbols[i];
		if (ELF64_ST_TYPE(s->st_info) != type || s->st_size == 0 ||
		    s->st_shndx == SHN_UNDEF || s->st_name >= text->sh_size)
			continue;
		size_t room = text->sh_size - s->st_name,
		       length = strnlen(names + s->st_name, room);
		if (length > 0 && length < room && length <= NAME_MAX)
			each(context, s->st_value, s->st_size, names + s->st_name);
	}
}

struct naming {
	struct track_root *roots;
	size_t count;
	uintptr_t first; /* what the file calls the address of the first byte that is mapped */
	uintptr_t below; /* how far the variables of a thread begin below its descriptor */
};

static void name_global(void *context, uintptr_t start, uint64_t size, const char *name)
{
	const struct naming *n = context;
	name_one(n->roots, n->count, n->roots->module->start + (start - n->first), size, name);
}

static void name_modules(struct track_roots *r)
{
	for (size_t from = 0, to; from < r->count; from = to) {
		const struct track_mapping *module = r->all[from].module;
		struct file f;
		for (to = from + 1; to < r->count && r->all[to].module == module;)
			to++;
		struct naming n = {.roots = &r->all[from], .count = to - from};
		if (!module || !open_file(&f, module) ||
		    !find_first(&f, (const void *)f.bytes, &n.first))
			continue;
		open_debug(&f, module);
		each_symbol(&f, STT_OBJECT, name_global, &n);
	}
}

/* Of roots near a descriptor, those in a part of what lies below it. */
static void name_part(const struct naming *n, uintptr_t start, uint64_t size, const char *name)
{
	for (size_t i = 0; i < n->count; i++) {
		struct track_root *root = &n->roots[i];
		uintptr_t at = root->descriptor - n->below + start;
		if (root->descriptor == 0 || root->at < at || root->at - at >= size || root->name)
			continue;
		root->name = name;
		root->name_at = at;
		root->name_size = size;
		root->is_stack = false;
	}
}

static void name_own(void *context, uintptr_t start, uint64_t size, const char *name)
{
	name_part(context, start, size, name);
}

#if defined(__x86_64__)
#define TLS_IS_BELOW true
#else
#define TLS_IS_BELOW false
#endif

extern int _dl_find_object(void *, struct dl_find_object *) __attribute__((weak));

/* How far below each thread's descriptor a module's variables begin (ELF Handling
 * For Thread-Local Storage, variant II); 0: elsewhere.  The loader keeps it
 * behind what else it knows of the segment: in glibc where its image begins, its
 * size in the file, in memory, alignment, and the offset of its first byte. */
static uintptr_t find_below(struct track_maps *maps, const struct link_map *map,
			    const ElfW(Phdr) * tls)
{
	uintptr_t align = tls->p_align > 0 ? tls->p_align : 1;
	const uintptr_t known[] = {map->l_addr + tls->p_vaddr, tls->p_filesz, tls->p_memsz,
				   tls->p_align, tls->p_vaddr & (align - 1)};
	const uintptr_t *at = (const uintptr_t *)map, *end = at + LINK_MAP_WORDS;
	uintptr_t start = (uintptr_t)at, stop = start;
	for (;;) { /* it may lie in several mappings */
		uintptr_t next = stop, more = track_maps_readable(maps, &next, (uintptr_t)end);
		if (more == 0 || next != stop)
			break;
		stop = more;
	}
	for (end = at + (stop - start) / sizeof *at; at + 6 <= end; at++)
		if (memcmp(at, known, sizeof known) == 0)
			return at[5] >= tls->p_memsz && at[5] < BELOW_MAX ? at[5] : 0;
	return 0;
}

/* Those of libraries that came later may be blocks. */
static void name_tls(struct naming n, struct track_maps *maps, const struct track_mapping *module)
{
	struct dl_find_object found;
	struct file f;
	const ElfW(Phdr) *tls = NULL;
	/* NOLINTNEXTLINE */
	if (_dl_find_object((void *)module->start, &found) != 0 || !found.dlfo_link_map ||
	    !open_file(&f, module))
		return;
	const ElfW(Ehdr) *elf = (const void *)f.bytes;
	const ElfW(Phdr) *header = part(&f, elf->e_phoff, elf->e_phnum, sizeof *header, 8);
	for (unsigned i = 0; header && i < elf->e_phnum; i++)
		if (header[i].p_type == PT_TLS && header[i].p_memsz > 0)
			tls = &header[i];
	n.below = tls ? find_below(maps, found.dlfo_link_map, tls) : 0;
	if (n.below == 0)
		return;
	uint64_t size = tls->p_memsz;
	open_debug(&f, module);
	each_symbol(&f, STT_TLS, name_own, &n);
	name_part(&n, 0, size, strrchr(module->path, '/') + 1);
}

void track_variables_name(struct track_roots *r, struct track_maps *maps)
{
	struct naming threads = {.roots = r->all, .count = r->count};
	name_modules(r);
	for (; threads.count > 0 && threads.roots->module; threads.count--)
		threads.roots++; /* those of modules come first */
	for (size_t i = 0; TLS_IS_BELOW && _dl_find_object && i < maps->count; i++)
		if (track_mapping_module_end(maps, &maps->all[i]) != 0)
			name_tls(threads, maps, &maps->all[i]);
}

struct moving {
	uintptr_t by;
	void (*each)(void *context, uintptr_t start, uint64_t size, const char *name);
	void *context;
};

static void move_one(void *context, uintptr_t start, uint64_t size, const char *name)
{
	const struct moving *m = context;
	m->each(m->context, start + m->by, size, name);
}

void track_variables_each(const struct track_maps *maps,
			  void (*each)(void *context, uintptr_t start, uint64_t size,
				       const char *name),
			  void *context)
{
	for (size_t i = 0; i < maps->count; i++) {
		const struct track_mapping *module = &maps->all[i];
		struct moving m = {.each = each, .context = context};
		struct file f;
		uintptr_t first;
		if (track_mapping_module_end(maps, module) == 0 || !open_file(&f, module))
			continue;
		if (!find_first(&f, (const void *)f.bytes, &first))
			continue;
		open_debug(&f, module);
		m.by = module->start - first;
		each_symbol(&f, STT_OBJECT, move_one, &m);
	}
}

struct looking {
	uintptr_t address; /* as the file has it */
	char *name;
	size_t capacity;
	uint64_t size; /* of the function; 0: none as yet */
};

static unsigned underscores(const char *name)
{
	unsigned count = 0;
	while (name[count] == '_')
		count++;
	return count;
}

/* Of several names that one function has, the plainest. */
static void look_at(void *context, uintptr_t start, uint64_t size, const char *name)
{
	struct looking *l = context;
	size_t length = strlen(name);
	if (l->address < start || l->address - start >= size || length >= l->capacity)
		return;
	bool is_first = l->size == 0 || size < l->size;
	if (size > l->size && !is_first)
		return;
	if (is_first || underscores(name) < underscores(l->name) ||
	    (underscores(name) == underscores(l->name) && strcmp(name, l->name) < 0))
		memcpy(l->name, name, length + 1);
	l->size = size;
}

bool track_function_name(const struct track_maps *maps, uintptr_t module_start, uintptr_t address,
			 char *name, size_t capacity)
{
	const struct track_mapping *module = track_mapping_from(maps, module_start);
	struct looking l = {.capacity = capacity};
	struct file f;
	uintptr_t first;
	l.name = name;
	if (!module || module->start != module_start || module->path[0] != '/' ||
	    !open_file(&f, module))
		return false;
	if (find_first(&f, (const void *)f.bytes, &first)) {
		open_debug(&f, module);
		l.address = address - module_start + first;
		each_symbol(&f, STT_FUNC, look_at, &l);
	}
	close_file(&f);
	return l.size != 0;
}
