/* The modules in which frames were seen: recorded when first
 * met, since they may be gone when a snapshot is taken. */
#include <dlfcn.h>
#include <elf.h>
#include <link.h>
#include <string.h>

#include "track.h"

#define MODULES_MAX 4096u

/* glibc's, since 2.35: neither waits for the loader nor allocates. */
extern int _dl_find_object(void *, struct dl_find_object *) __attribute__((weak));

static struct track_module modules[MODULES_MAX];
static _Atomic uint32_t module_count;
static struct track_lock lock;

const struct track_module *track_module_at(uint32_t number)
{
	return &modules[number - 1];
}

uint32_t track_module_count(void)
{
	return atomic_load_explicit(&module_count, memory_order_acquire);
}

static const uint8_t *note_build_id(const ElfW(Nhdr) * note, size_t size, uint8_t *id_size)
{
	while (size >= sizeof *note) {
		size_t name = (note->n_namesz + 3u) & ~3u,
		       description = (note->n_descsz + 3u) & ~3u;
		if (name > size - sizeof *note || description > size - sizeof *note - name)
			return NULL;
		const uint8_t *text = (const uint8_t *)(note + 1);
		if (note->n_type == NT_GNU_BUILD_ID && note->n_namesz == 4 &&
		    memcmp(text, "GNU", 4) == 0 && note->n_descsz <= sizeof modules->build_id) {
			*id_size = (uint8_t)note->n_descsz;
			return text + name;
		}
		size -= sizeof *note + name + description;
		note = (const ElfW(Nhdr) *)(text + name + description);
	}
	return NULL;
}

static void read_build_id(struct track_module *m, uintptr_t bias)
{
	const ElfW(Ehdr) *file = (const void *)m->start; /* NOLINT(performance-no-int-to-ptr) */
	if (memcmp(file->e_ident, ELFMAG, SELFMAG) != 0 ||
	    file->e_phentsize != sizeof(ElfW(Phdr)) || file->e_phoff > 4096 - sizeof(ElfW(Phdr)))
		return;
	/* NOLINTNEXTLINE(performance-no-int-to-ptr) */
	const ElfW(Phdr) *header = (const void *)(m->start + file->e_phoff);
	for (unsigned i = 0; i < file->e_phnum && (uintptr_t)(header + i + 1) <= m->start + 4096;
	     i++) {
		uintptr_t at = bias + header[i].p_vaddr;
		if (header[i].p_type != PT_NOTE || at < m->start || at >= m->end ||
		    header[i].p_memsz > m->end - at)
			continue;
		const uint8_t *id = note_build_id((const void *)at, header[i].p_memsz, /* NOLINT */
						  &m->build_id_size);
		if (id) {
			memcpy(m->build_id, id, m->build_id_size);
			return;
		}
	}
}

static void read_path(struct track_module *m, const char *name)
{
	size_t size = strnlen(name, TRACK_PATH) + 1;
	m->path = track_alloc(size);
	if (m->path)
		memcpy(m->path, name, size - 1);
}

static uint32_t known(const struct dl_find_object *found)
{
	uint32_t count = track_module_count();
	for (uint32_t i = count; i > 0; i--)
		if (modules[i - 1].start == (uintptr_t)found->dlfo_map_start &&
		    !modules[i - 1].gone && modules[i - 1].link_map == found->dlfo_link_map &&
		    modules[i - 1].end == (uintptr_t)found->dlfo_map_end)
			return i;
	return TRACK_NO_MODULE;
}

static uint32_t add(const struct dl_find_object *found)
{
	uint32_t number = known(found);
	uint32_t count = atomic_load_explicit(&module_count, memory_order_relaxed);
	if (number != TRACK_NO_MODULE || count == MODULES_MAX)
		return number;
	struct track_module *m = &modules[count];
	m->start = (uintptr_t)found->dlfo_map_start;
	m->end = (uintptr_t)found->dlfo_map_end;
	m->link_map = found->dlfo_link_map;
	m->unwind_header = found->dlfo_eh_frame;
	if (found->dlfo_link_map) {
		read_path(m, found->dlfo_link_map->l_name);
		read_build_id(m, found->dlfo_link_map->l_addr);
	}
	atomic_store_explicit(&module_count, count + 1, memory_order_release);
	return count + 1;
}

static bool look_up(uintptr_t address, struct dl_find_object *found)
{
	/* NOLINTNEXTLINE(performance-no-int-to-ptr) */
	return _dl_find_object && _dl_find_object((void *)address, found) == 0;
}

uint32_t track_module_of(uintptr_t address)
{
	struct dl_find_object found;
	if (!look_up(address, &found))
		return TRACK_NO_MODULE;
	uint32_t number = known(&found);
	if (number != TRACK_NO_MODULE)
		return number;
	track_lock(&lock);
	number = add(&found);
	track_unlock(&lock);
	return number;
}

bool track_modules_check(void)
{
	bool unloaded = false;
	track_lock(&lock);
	for (uint32_t i = 0; i < track_module_count(); i++) {
		struct dl_find_object found;
		if (modules[i].gone || (look_up(modules[i].start, &found) &&
					found.dlfo_link_map == modules[i].link_map &&
					(uintptr_t)found.dlfo_map_end == modules[i].end))
			continue;
		modules[i].gone = true;
		unloaded = true;
	}
	track_unlock(&lock);
	return unloaded;
}
