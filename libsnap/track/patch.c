/* The functions of the C library in a program that runs already: its modules call them through
 * slots that the loader has filled in; they are filled in anew, and later again as they were.
 *
 * What is not called through a slot is not seen: the loader's own
 * allocations, and functions whose address the program has copied. */
#include <dlfcn.h>
#include <elf.h>
#include <link.h>
#include <string.h>
#include <sys/auxv.h>
#include <sys/mman.h>
#include <unistd.h>

#include "track.h"

#if defined(__aarch64__)
#define JUMP_SLOT R_AARCH64_JUMP_SLOT
#define GLOB_DAT  R_AARCH64_GLOB_DAT
#define ADDRESS   R_AARCH64_ABS64
#else
#define JUMP_SLOT R_X86_64_JUMP_SLOT
#define GLOB_DAT  R_X86_64_GLOB_DAT
#define ADDRESS   R_X86_64_64
#endif

#define MODULES_MAX 4096u

struct table {
	const ElfW(Rela) * rows;
	size_t size; /* in bytes */
};
struct module {
	uintptr_t bias, start, end;
	uintptr_t sealed, sealed_end; /* made read-only when the loader was done */
	const ElfW(Sym) * symbols;
	const char *strings;
	const uint32_t *hashes;
	struct table tables[2];
};
struct modules {
	size_t count;
	const struct module *own;
	struct module all[MODULES_MAX];
};

bool track_attached;
static struct track_lock lock;
static struct modules modules_read; /* under the lock */

/* ---- modules ---- */

static void read_dynamic(struct module *m, const ElfW(Dyn) * d)
{
	for (; d->d_tag != DT_NULL; d++) {
		/* NOLINTNEXTLINE */
		const void *at = (const void *)(d->d_un.d_ptr < m->bias ? d->d_un.d_ptr + m->bias
									: d->d_un.d_ptr);
		switch (d->d_tag) {
		case DT_SYMTAB: m->symbols = at; break;
		case DT_STRTAB: m->strings = at; break;
		case DT_GNU_HASH: m->hashes = at; break;
		case DT_RELA: m->tables[0].rows = at; break;
		case DT_RELASZ: m->tables[0].size = d->d_un.d_val; break;
		case DT_JMPREL: m->tables[1].rows = at; break;
		case DT_PLTRELSZ: m->tables[1].size = d->d_un.d_val; break;
		default: break;
		}
	}
}

static int gather(struct dl_phdr_info *info, size_t size, void *context)
{
	struct modules *modules = context;
	struct module *m = &modules->all[modules->count];
	const ElfW(Dyn) *dynamic = NULL;
	(void)size;
	*m = (struct module){.bias = info->dlpi_addr, .start = UINTPTR_MAX};
	for (unsigned i = 0; i < info->dlpi_phnum; i++) {
		const ElfW(Phdr) *h = &info->dlpi_phdr[i];
		uintptr_t start = m->bias + h->p_vaddr, end = start + h->p_memsz;
		if (h->p_type == PT_LOAD && start < m->start)
			m->start = start;
		if (h->p_type == PT_LOAD && end > m->end)
			m->end = end;
		if (h->p_type == PT_DYNAMIC)
			dynamic = (const void *)start; /* NOLINT(performance-no-int-to-ptr) */
		if (h->p_type == PT_GNU_RELRO) {
			uintptr_t page = (uintptr_t)sysconf(_SC_PAGESIZE);
			m->sealed = start & ~(page - 1);
			m->sealed_end = end & ~(page - 1);
		}
	}
	if (dynamic)
		read_dynamic(m, dynamic);
	uintptr_t here = (uintptr_t)&track_attached;
	if (here >= m->start && here < m->end)
		modules->own = m;
	/* The loader calls what it has found itself; the kernel's has no slots. */
	if (m->symbols && m->strings && m->hashes &&
	    (m->bias == 0 || m->bias != getauxval(AT_BASE)))
		modules->count++;
	return modules->count == MODULES_MAX;
}

/* ---- symbols ---- */

static uint32_t hash_of(const char *name)
{
	uint32_t hash = 5381;
	for (; *name; name++)
		hash = hash * 33 + (unsigned char)*name;
	return hash;
}

/* What a module itself defines; 0: nothing of that name. */
static uintptr_t defined(const struct module *m, const char *name, uint32_t hash)
{
	uint32_t bucket_count = m->hashes[0], first = m->hashes[1], words = m->hashes[2],
		 shift = m->hashes[3];
	const uint64_t *filter = (const void *)(m->hashes + 4);
	const uint32_t *buckets = (const void *)(filter + words), *chain = buckets + bucket_count;
	uint64_t bits = (uint64_t)1 << (hash & 63) | (uint64_t)1 << (hash >> shift & 63);
	if (bucket_count == 0 || (filter[hash / 64 % words] & bits) != bits)
		return 0;
	uint32_t at = buckets[hash % bucket_count];
	for (; at >= first; at++) {
		const ElfW(Sym) *s = &m->symbols[at];
		if ((chain[at - first] | 1) == (hash | 1) && s->st_shndx != SHN_UNDEF &&
		    strcmp(m->strings + s->st_name, name) == 0)
			return m->bias + s->st_value;
		if (chain[at - first] & 1)
			break;
	}
	return 0;
}

/* What all modules call by that name: the first that is defined, as the loader has it. */
static uintptr_t real(const struct modules *modules, const char *name, uint32_t hash)
{
	for (size_t i = 0; i < modules->count; i++) {
		uintptr_t found = &modules->all[i] == modules->own
					  ? 0
					  : defined(&modules->all[i], name, hash);
		if (found)
			return found;
	}
	return 0;
}

/* ---- slots ---- */

enum round { ROUND_FREE, ROUND_ALL, ROUND_BACK };

struct change {
	struct modules *modules;
	enum round round;
};

static uintptr_t replacement(const struct modules *modules, const char *name, uint32_t hash)
{
	uintptr_t open;
	void *(*function)(const char *, int) = track_dlopen;
	memcpy(&open, &function, sizeof open);
	return strcmp(name, "dlopen") == 0 ? open : defined(modules->own, name, hash);
}

/* A slot that the loader has not seen to yet is left to it: it holds an offset, or, if it is to be
 * seen to when it is first used, an address in its own module that is no function of that name. */
static uintptr_t wanted_value(const struct change *c, const struct module *m,
			      const ElfW(Rela) * row, uintptr_t now)
{
	uint64_t kind = ELF64_R_TYPE(row->r_info);
	if ((kind != JUMP_SLOT && kind != GLOB_DAT && kind != ADDRESS) ||
	    (kind == ADDRESS && row->r_addend != 0))
		return now;
	const char *name = m->strings + m->symbols[ELF64_R_SYM(row->r_info)].st_name;
	if (c->round == ROUND_FREE && strncmp(name, "free", 4) != 0 &&
	    strncmp(name, "realloc", 7) != 0)
		return now;
	uint32_t hash = hash_of(name);
	uintptr_t ours = replacement(c->modules, name, hash);
	uintptr_t theirs = ours ? real(c->modules, name, hash) : 0;
	if (!theirs)
		return now;
	if (c->round == ROUND_BACK)
		return now == ours ? theirs : now;
	bool is_lazy = kind == JUMP_SLOT && now >= m->start && now < m->end &&
		       now != defined(m, name, hash);
	return now == theirs || is_lazy ? ours : now;
}

static void change_slot(const struct change *c, const struct module *m, const ElfW(Rela) * row,
			bool *opened)
{
	/* NOLINTNEXTLINE(performance-no-int-to-ptr) */
	_Atomic uintptr_t *slot = (_Atomic uintptr_t *)(m->bias + row->r_offset);
	uintptr_t at = (uintptr_t)slot, now = atomic_load_explicit(slot, memory_order_relaxed);
	uintptr_t then = wanted_value(c, m, row, now);
	if (then == now)
		return;
	bool is_sealed = at >= m->sealed && at < m->sealed_end;
	if (is_sealed && !*opened)
		/* NOLINTNEXTLINE */
		*opened = mprotect((void *)m->sealed, m->sealed_end - m->sealed,
				   PROT_READ | PROT_WRITE) == 0;
	if (!is_sealed || *opened)
		atomic_compare_exchange_strong(slot, &now, then);
}

static void change_module(const struct change *c, const struct module *m)
{
	bool opened = false;
	for (unsigned t = 0; t < 2; t++)
		for (size_t i = 0;
		     m->tables[t].rows && i < m->tables[t].size / sizeof *m->tables[t].rows; i++)
			change_slot(c, m, &m->tables[t].rows[i], &opened);
	if (opened)
		/* NOLINTNEXTLINE(performance-no-int-to-ptr) */
		mprotect((void *)m->sealed, m->sealed_end - m->sealed, PROT_READ);
}

/* Within the loader's lock, so that no module goes meanwhile. */
static int change_all(struct dl_phdr_info *info, size_t size, void *context)
{
	struct change *c = context;
	(void)info;
	(void)size;
	dl_iterate_phdr(gather, c->modules);
	for (size_t i = 0; c->modules->own && i < c->modules->count; i++)
		if (&c->modules->all[i] != c->modules->own)
			change_module(c, &c->modules->all[i]);
	return 1;
}

static bool change(enum round round)
{
	struct change c = {&modules_read, round};
	track_lock(&lock);
	modules_read.count = 0;
	modules_read.own = NULL;
	dl_iterate_phdr(change_all, &c);
	bool done = modules_read.own != NULL;
	track_unlock(&lock);
	return done;
}

/* What frees comes first: no block may be recorded whose end would not be seen. */
bool track_patch(void)
{
	return change(ROUND_FREE) && change(ROUND_ALL);
}

void track_unpatch(void)
{
	change(ROUND_BACK);
}

/* ---- what is in front of what ---- */

/* Nothing comes before the program itself: what it defines, all modules call. */
bool track_is_bypassed(void)
{
	track_lock(&lock);
	modules_read.count = 0;
	modules_read.own = NULL;
	dl_iterate_phdr(gather, &modules_read);
	const struct module *first = &modules_read.all[0];
	uintptr_t headers = getauxval(AT_PHDR);
	bool is_program = modules_read.count > 0 && headers >= first->start && headers < first->end;
	bool is_bypassed = is_program && defined(first, "malloc", hash_of("malloc")) != 0;
	track_unlock(&lock);
	return is_bypassed;
}

void *track_next(const char *name)
{
	if (!track_attached)
		return dlsym(RTLD_NEXT, name);
	track_lock(&lock);
	modules_read.count = 0;
	modules_read.own = NULL;
	dl_iterate_phdr(gather, &modules_read);
	uintptr_t found = real(&modules_read, name, hash_of(name));
	track_unlock(&lock);
	return (void *)found; /* NOLINT(performance-no-int-to-ptr) */
}

extern int _dl_find_object(void *, struct dl_find_object *) __attribute__((weak));

/* The loader looks at who calls it where a path is relative to the caller's, or
 * searched for in folders that the caller's file names; then it must see the caller. */
static bool depends_on_caller(const char *path, void *caller)
{
	struct dl_find_object found;
	if (!path || (strchr(path, '/') && !strchr(path, '$')))
		return false;
	if (!_dl_find_object || _dl_find_object(caller, &found) != 0 || !found.dlfo_link_map)
		return true;
	for (const ElfW(Dyn) *d = found.dlfo_link_map->l_ld; d->d_tag != DT_NULL; d++)
		if (d->d_tag == DT_RUNPATH || d->d_tag == DT_RPATH)
			return true;
	return strchr(path, '$') != NULL;
}

void *track_dlopen(const char *path, int flags)
{
	static void *(*next)(const char *, int);
	if (!next) {
		void *found = track_next("dlopen");
		memcpy(&next, &found, sizeof found);
	}
	if (depends_on_caller(path, __builtin_return_address(0)))
		/* a jump, which leaves the caller's address where it is */
		return next(path, flags);
	void *handle = next(path, flags);
	if (handle && atomic_load_explicit(&track_on, memory_order_relaxed))
		track_patch();
	return handle;
}
