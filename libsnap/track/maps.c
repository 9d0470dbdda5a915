/* What memory there is, and which of it can be read without a fault: from /proc/self/smaps and
 * /proc/self/pagemap.
 *
 * For the child of a snapshot, whose memory nobody changes but itself.  It reads the list before it
 * maps anything that is large: what it maps later is in no part of the list. */
#include <elf.h>
#include <fcntl.h>
#include <link.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "track.h"

#define MODULE_MAX   ((uintptr_t)1 << 32)
#define TEXT_MIN     ((size_t)1 << 18)
#define PAGE         4096u
#define PAGE_PRESENT ((uint64_t)3 << 62) /* in memory, or swapped out */
#define PAGE_MEMORY  ((uint64_t)1 << 63)
#define PAGE_GUARD   ((uint64_t)1 << 58)

/* ---- the list ---- */

static uintptr_t hexadecimal(const char **at)
{
	uintptr_t value = 0;
	for (;; (*at)++) {
		char c = **at;
		if (c >= '0' && c <= '9')
			value = value << 4 | (uintptr_t)(c - '0');
		else if (c >= 'a' && c <= 'f')
			value = value << 4 | (uintptr_t)(c - 'a' + 10);
		else
			return value;
	}
}

/* "start-end rwxp offset device inode   path" */
static bool parse_line(const char *at, struct track_mapping *out)
{
	out->start = hexadecimal(&at);
	if (*at++ != '-')
		return false;
	out->end = hexadecimal(&at);
	if (*at++ != ' ' || strnlen(at, 5) < 5)
		return false;
	out->readable = at[0] == 'r';
	out->writable = at[1] == 'w';
	out->executable = at[2] == 'x';
	out->shared = at[3] == 's';
	at += 5;
	out->offset = hexadecimal(&at);
	for (unsigned fields = 0; *at && fields < 2; at++)
		fields += *at == ' ';
	for (; *at && *at != ' ';)
		at++;
	while (*at == ' ')
		at++;
	out->path = at;
	return out->start < out->end;
}

struct text {
	char *bytes;
	size_t size, capacity;
};

static bool grow(struct text *t)
{
	size_t capacity = t->capacity ? 2 * t->capacity : TEXT_MIN;
	void *more = t->bytes ? mremap(t->bytes, t->capacity, capacity, MREMAP_MAYMOVE)
			      : track_map(capacity);
	if (!more || more == MAP_FAILED)
		return false;
	t->bytes = more;
	t->capacity = capacity;
	return true;
}

static bool read_text(struct text *t, const char *path)
{
	ssize_t got = 1;
	int file = open(path, O_RDONLY | O_CLOEXEC);
	t->size = 0;
	while (file >= 0 && got > 0 && (t->size < t->capacity || grow(t))) {
		got = read(file, t->bytes + t->size, t->capacity - t->size);
		t->size += got > 0 ? (size_t)got : 0;
	}
	if (file >= 0)
		close(file);
	return file >= 0 && got == 0 && t->size > 0;
}

static const char resident_key[] = "Rss:";

/* "Rss:       123 kB", of the mapping whose line came last. */
static void parse_resident(const char *at, struct track_mapping *mapping)
{
	uint64_t value = 0;
	for (at += sizeof resident_key - 1; *at == ' '; at++)
		continue;
	for (; *at >= '0' && *at <= '9'; at++)
		value = value * 10 + (unsigned)(*at - '0');
	mapping->resident = value * 1024;
}

static void parse_text(struct track_maps *maps, struct text *t)
{
	char *at = t->bytes, *stop = t->bytes + t->size;
	for (char *end; (end = memchr(at, '\n', (size_t)(stop - at))); at = end + 1) {
		*end = '\0';
		if (*at >= 'A' && *at <= 'Z') {
			if (maps->count > 0 &&
			    strncmp(at, resident_key, sizeof resident_key - 1) == 0)
				parse_resident(at, &maps->all[maps->count - 1]);
		} else if (parse_line(at, &maps->all[maps->count])) {
			maps->count++;
		}
	}
}

bool track_maps_read(struct track_maps *maps)
{
	struct text text = {0};
	size_t lines = 0;
	*maps = (struct track_maps){.pages.file = -1};
	if (!read_text(&text, "/proc/self/smaps") && !read_text(&text, "/proc/self/maps"))
		return false;
	for (size_t i = 0; i < text.size; i++)
		lines += text.bytes[i] == '\n' && i + 1 < text.size &&
			 (text.bytes[i + 1] < 'A' || text.bytes[i + 1] > 'Z');
	maps->all = track_map((lines + 1) * sizeof *maps->all);
	if (!maps->all)
		return false;
	parse_text(maps, &text);
	maps->pages.file = open("/proc/self/pagemap", O_RDONLY | O_CLOEXEC);
	return true;
}

const struct track_mapping *track_mapping_from(const struct track_maps *maps, uintptr_t address)
{
	size_t low = 0, high = maps->count;
	while (low < high) {
		size_t middle = low + (high - low) / 2;
		if (maps->all[middle].end <= address)
			low = middle + 1;
		else
			high = middle;
	}
	return low < maps->count ? &maps->all[low] : NULL;
}

/* ---- reading ---- */

/* False: not known. */
static bool page_entry(struct track_pagemap *pages, uintptr_t page, uint64_t *entry)
{
	if (pages->file < 0)
		return false;
	uintptr_t first = page & ~(uintptr_t)(TRACK_PAGEMAP_ENTRIES - 1);
	if (pages->count == 0 || pages->first != first) {
		ssize_t got = pread(pages->file, pages->entries, sizeof pages->entries,
				    (off_t)(first * sizeof(uint64_t)));
		pages->count = got > 0 ? (size_t)got / sizeof(uint64_t) : 0;
		pages->first = first;
	}
	if (page - first < pages->count)
		*entry = pages->entries[page - first];
	else
		*entry = 0;
	return pages->count > 0;
}

/* What the process never touched holds no pointer, and is not brought into being by looking. */
static bool is_present(struct track_maps *maps, uintptr_t page)
{
	uint64_t entry;
	if (!page_entry(&maps->pages, page, &entry))
		return true;
	return (entry & PAGE_PRESENT) != 0 && (entry & PAGE_GUARD) == 0;
}

uint64_t track_pagemap_resident(struct track_pagemap *pages, uintptr_t start, uintptr_t end)
{
	uint64_t size = 0, entry;
	for (uintptr_t at = start, stop; at < end; at = stop) {
		stop = (at & ~(uintptr_t)(PAGE - 1)) + PAGE;
		stop = stop < end ? stop : end;
		if (!page_entry(pages, at / PAGE, &entry) || (entry & PAGE_MEMORY))
			size += stop - at;
	}
	return size;
}

/* Finds the readable stretch that holds address or comes next; false: none begins below end. */
static bool find_run(struct track_maps *maps, uintptr_t address, uintptr_t end)
{
	const struct track_mapping *m = track_mapping_from(maps, address);
	for (; m && m < maps->all + maps->count && m->start < end; m++) {
		if (!m->readable || strncmp(m->path, "[v", 2) == 0) /* [vvar] */
			continue;
		uintptr_t at = address > m->start ? address & ~(uintptr_t)(PAGE - 1) : m->start;
		while (at < m->end && at < end && !m->shared && !is_present(maps, at / PAGE))
			at += PAGE;
		if (at >= m->end || at >= end)
			continue;
		maps->run_start = at;
		for (at += PAGE;
		     at < m->end && at < end && (m->shared || is_present(maps, at / PAGE));)
			at += PAGE;
		maps->run_end = at < m->end ? at : m->end;
		return true;
	}
	return false;
}

uintptr_t track_maps_readable(struct track_maps *maps, uintptr_t *start, uintptr_t end)
{
	if (*start >= end)
		return 0;
	if (*start < maps->run_start || *start >= maps->run_end) {
		if (!find_run(maps, *start, end))
			return 0;
		if (*start < maps->run_start)
			*start = maps->run_start;
	}
	return maps->run_end < end ? maps->run_end : end;
}

uintptr_t track_maps_private(struct track_maps *maps, uintptr_t *start, uintptr_t end)
{
	const struct track_mapping *m = track_mapping_from(maps, *start);
	for (; m && m < maps->all + maps->count && m->start < end; m++) {
		uintptr_t at = *start > m->start ? *start : m->start;
		uintptr_t stop =
			m->shared || m->path[0] == '/'
				? 0
				: track_maps_readable(maps, &at, m->end < end ? m->end : end);
		if (stop != 0) {
			*start = at;
			return stop;
		}
	}
	return 0;
}

/* ---- modules ---- */

/* A file that is mapped to be read, not run, has none. */
static bool has_code(const struct track_maps *maps, const struct track_mapping *m, uintptr_t end)
{
	const struct track_mapping *other = m;
	for (; other < maps->all + maps->count && other->start < end; other++)
		if (other->executable && strcmp(other->path, m->path) == 0)
			return true;
	return false;
}

/* What has no code is not looked at: its file may have been cut off meanwhile. */
uintptr_t track_mapping_module_end(const struct track_maps *maps, const struct track_mapping *m)
{
	const ElfW(Ehdr) *file = (const void *)m->start; /* NOLINT(performance-no-int-to-ptr) */
	if (m->path[0] != '/' || m->offset != 0 || !m->readable || m->shared ||
	    !has_code(maps, m, m->start + MODULE_MAX) ||
	    memcmp(file->e_ident, ELFMAG, SELFMAG) != 0 ||
	    file->e_phentsize != sizeof(ElfW(Phdr)) || file->e_phoff > PAGE ||
	    file->e_phnum > (PAGE - file->e_phoff) / sizeof(ElfW(Phdr)))
		return 0;
	/* NOLINTNEXTLINE(performance-no-int-to-ptr) */
	const ElfW(Phdr) *header = (const void *)(m->start + file->e_phoff);
	uintptr_t first = UINTPTR_MAX, end = 0;
	for (unsigned i = 0; i < file->e_phnum; i++) {
		if (header[i].p_type != PT_LOAD)
			continue;
		uintptr_t at = header[i].p_vaddr & ~(uintptr_t)(PAGE - 1);
		first = at < first ? at : first;
		end = header[i].p_vaddr + header[i].p_memsz > end
			      ? header[i].p_vaddr + header[i].p_memsz
			      : end;
	}
	end = end > first ? m->start + (end - first) : 0;
	return has_code(maps, m, end) ? end : 0;
}
