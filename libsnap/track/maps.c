/* What memory there is, and which of it can be read without a fault: from /proc/self/maps and
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

#define TEXT_MAX     ((size_t)64 << 20)
#define PAGE         4096u
#define PAGE_PRESENT ((uint64_t)3 << 62) /* in memory, or swapped out */
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

static size_t read_text(char *text)
{
	size_t size = 0;
	ssize_t got = 1;
	int file = open("/proc/self/maps", O_RDONLY | O_CLOEXEC);
	while (file >= 0 && got > 0 && size < TEXT_MAX - 1) {
		got = read(file, text + size, TEXT_MAX - 1 - size);
		size += got > 0 ? (size_t)got : 0;
	}
	if (file >= 0)
		close(file);
	return size;
}

bool track_maps_read(struct track_maps *maps)
{
	*maps = (struct track_maps){.pagemap = -1};
	char *text = track_map(TEXT_MAX);
	size_t size = text ? read_text(text) : 0, lines = 0;
	for (size_t i = 0; i < size; i++)
		lines += text[i] == '\n';
	maps->all = lines > 0 ? track_map(lines * sizeof *maps->all) : NULL;
	if (!maps->all)
		return false;
	char *at = text;
	for (char *end; (end = memchr(at, '\n', size - (size_t)(at - text))); at = end + 1) {
		*end = '\0';
		if (parse_line(at, &maps->all[maps->count]))
			maps->count++;
	}
	maps->pagemap = open("/proc/self/pagemap", O_RDONLY | O_CLOEXEC);
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

/* What the process never touched holds no pointer, and is not brought into being by looking. */
static bool is_present(struct track_maps *maps, uintptr_t page)
{
	if (maps->pagemap < 0)
		return true;
	uintptr_t first = page & ~(uintptr_t)(TRACK_PRESENT_PAGES - 1);
	if (maps->present_count == 0 || maps->present_first != first) {
		ssize_t got = pread(maps->pagemap, maps->present, sizeof maps->present,
				    (off_t)(first * sizeof(uint64_t)));
		maps->present_count = got > 0 ? (size_t)got / sizeof(uint64_t) : 0;
		maps->present_first = first;
	}
	if (page - first >= maps->present_count)
		return maps->present_count == 0;
	uint64_t entry = maps->present[page - first];
	return (entry & PAGE_PRESENT) != 0 && (entry & PAGE_GUARD) == 0;
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

/* ---- modules ---- */

uintptr_t track_mapping_module_end(const struct track_maps *maps, const struct track_mapping *m)
{
	const ElfW(Ehdr) *file = (const void *)m->start; /* NOLINT(performance-no-int-to-ptr) */
	if (m->path[0] != '/' || m->offset != 0 || !m->readable || m->shared ||
	    memcmp(file->e_ident, ELFMAG, SELFMAG) != 0 ||
	    file->e_phentsize != sizeof(ElfW(Phdr)) || file->e_phoff > PAGE ||
	    file->e_phnum > (PAGE - file->e_phoff) / sizeof(ElfW(Phdr)))
		return 0;
	const ElfW(Phdr) *header =
		(const void *)(m->start + file->e_phoff); /* NOLINT(performance-no-int-to-ptr) */
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
	/* A file that is mapped to be read, not run, has no code. */
	for (const struct track_mapping *other = m;
	     other < maps->all + maps->count && other->start < end; other++)
		if (other->executable && strcmp(other->path, m->path) == 0)
			return end;
	return 0;
}
