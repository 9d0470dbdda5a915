/* Another process, as far as /proc and its memory tell (process.h). */
#include "process.h"

#include <ctype.h>
#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/uio.h>
#include <unistd.h>

#include "cli.h"

/* ---- memory ---- */

bool process_peek(const struct process *p, uintptr_t address, void *out, size_t size)
{
	/* NOLINTNEXTLINE(performance-no-int-to-ptr) */
	struct iovec here = {out, size}, there = {(void *)address, size};
	return process_vm_readv(p->pid, &here, 1, &there, 1, 0) == (ssize_t)size;
}

bool process_poke(const struct process *p, uintptr_t address, const void *bytes, size_t size)
{
	/* NOLINTNEXTLINE(performance-no-int-to-ptr) */
	struct iovec here = {(void *)(uintptr_t)bytes, size}, there = {(void *)address, size};
	return process_vm_writev(p->pid, &here, 1, &there, 1, 0) == (ssize_t)size;
}

void process_peek_text(const struct process *p, uintptr_t address, char *out, size_t size)
{
	size_t at = 0;
	while (at + 1 < size && process_peek(p, address + at, out + at, 1) && out[at])
		at++;
	out[at] = '\0';
}

/* ---- files of /proc ---- */

static FILE *open_file(const struct process *p, const char *name)
{
	char path[64];
	snprintf(path, sizeof path, "/proc/%d/%s", (int)p->pid, name);
	return fopen(path, "re");
}

const char *process_status(const struct process *p, const char *file, const char *name)
{
	static char line[256];
	FILE *lines = open_file(p, file);
	size_t size = strlen(name);
	const char *value = "";
	while (lines && !*value && fgets(line, sizeof line, lines))
		if (strncmp(line, name, size) == 0 && line[size] == ':') {
			line[strcspn(line, "\n")] = '\0';
			value = line + size + 1 + strspn(line + size + 1, " \t");
		}
	if (lines)
		fclose(lines);
	return value;
}

static _Noreturn void refuse_access(const struct process *p, int error)
{
	if (error == ENOENT || error == ESRCH)
		exit(cli_fail("process %d: no such process", (int)p->pid));
	if (error == EACCES || error == EPERM)
		exit(cli_fail(
			"process %d: not permitted: it belongs to another user, or is privileged; be that user, or root",
			(int)p->pid));
	exit(cli_fail("process %d: %s", (int)p->pid, strerror(error)));
}

static void add_mapping(struct process *p, char *line)
{
	struct process_mapping m = {0};
	char permissions[5] = "";
	int at = 0;
	line[strcspn(line, "\n")] = '\0';
	if (sscanf(line, "%" SCNxPTR "-%" SCNxPTR " %4s %" SCNxPTR " %*s %*s %n", &m.start, &m.end,
		   permissions, &m.offset, &at) < 4)
		return;
	m.readable = permissions[0] == 'r';
	m.executable = permissions[2] == 'x';
	m.path = strdup(at ? line + at : "");
	p->mappings = cli_resize(p->mappings, (p->count + 1) * sizeof *p->mappings);
	p->mappings[p->count++] = m;
}

const struct process_mapping *process_mapping_at(const struct process *p, uintptr_t address)
{
	for (size_t i = 0; i < p->count; i++)
		if (address >= p->mappings[i].start && address < p->mappings[i].end)
			return &p->mappings[i];
	return NULL;
}

/* ---- modules, as they lie in memory ---- */

struct module {
	const struct process *process;
	uintptr_t base, bias, symbols, strings, hashes;
};

static void read_dynamic(struct module *m, uintptr_t at)
{
	Elf64_Dyn entry;
	for (; process_peek(m->process, at, &entry, sizeof entry) && entry.d_tag != DT_NULL;
	     at += sizeof entry) {
		/* The loader has made addresses of them, but not of its own and the kernel's. */
		uintptr_t address =
			entry.d_un.d_ptr < m->bias ? entry.d_un.d_ptr + m->bias : entry.d_un.d_ptr;
		if (entry.d_tag == DT_SYMTAB)
			m->symbols = address;
		if (entry.d_tag == DT_STRTAB)
			m->strings = address;
		if (entry.d_tag == DT_GNU_HASH)
			m->hashes = address;
	}
}

/* False if no module begins at the mapping, or it has no table of symbols. */
static bool read_module(const struct process *p, const struct process_mapping *mapping,
			struct module *out)
{
	Elf64_Ehdr header;
	Elf64_Phdr segment;
	uintptr_t dynamic = 0, lowest = UINTPTR_MAX;
	if (mapping->offset != 0 || !mapping->readable || !*mapping->path ||
	    !process_peek(p, mapping->start, &header, sizeof header) ||
	    memcmp(header.e_ident, ELFMAG, SELFMAG) != 0 || header.e_phentsize != sizeof segment ||
	    header.e_phnum > 64)
		return false;
	*out = (struct module){.process = p, .base = mapping->start};
	for (unsigned i = 0; i < header.e_phnum; i++) {
		if (!process_peek(p, mapping->start + header.e_phoff + i * sizeof segment, &segment,
				  sizeof segment))
			return false;
		if (segment.p_type == PT_LOAD && segment.p_vaddr - segment.p_offset < lowest)
			lowest = segment.p_vaddr - segment.p_offset;
		if (segment.p_type == PT_DYNAMIC)
			dynamic = segment.p_vaddr;
	}
	if (!dynamic || lowest == UINTPTR_MAX)
		return false;
	out->bias = mapping->start - lowest;
	read_dynamic(out, out->bias + dynamic);
	return out->symbols && out->strings && out->hashes;
}

static bool is_named(const struct module *m, const Elf64_Sym *symbol, const char *name)
{
	char text[64];
	size_t size = strlen(name) + 1;
	return symbol->st_shndx != SHN_UNDEF && size <= sizeof text &&
	       process_peek(m->process, m->strings + symbol->st_name, text, size) &&
	       memcmp(text, name, size) == 0;
}

/* Through the GNU hash table: a bucket names the first
 * of a run of symbols, whose hashes lie in a chain. */
static uintptr_t find_symbol(const struct module *m, const char *name)
{
	uint32_t head[4], hash = 5381, index, chained;
	for (const char *at = name; *at; at++)
		hash = hash * 33 + (unsigned char)*at;
	if (!process_peek(m->process, m->hashes, head, sizeof head) || head[0] == 0)
		return 0;
	uintptr_t buckets = m->hashes + sizeof head + head[2] * sizeof(uint64_t),
		  chain = buckets + head[0] * sizeof(uint32_t);
	if (!process_peek(m->process, buckets + hash % head[0] * sizeof(uint32_t), &index,
			  sizeof index) ||
	    index < head[1])
		return 0;
	for (;; index++) {
		Elf64_Sym symbol;
		if (!process_peek(m->process, chain + (index - head[1]) * sizeof(uint32_t),
				  &chained, sizeof chained) ||
		    !process_peek(m->process, m->symbols + index * sizeof symbol, &symbol,
				  sizeof symbol))
			return 0;
		if ((chained | 1) == (hash | 1) && is_named(m, &symbol, name))
			return m->bias + symbol.st_value;
		if (chained & 1)
			return 0;
	}
}

uintptr_t process_symbol(const struct process *p, const char *name)
{
	for (size_t i = 0; i < p->count; i++) {
		struct module module;
		uintptr_t found =
			read_module(p, &p->mappings[i], &module) ? find_symbol(&module, name) : 0;
		if (found)
			return found;
	}
	return 0;
}

/* ---- what must be left alone ---- */

static void mark_module(struct process *p, const struct process_mapping *first)
{
	for (size_t i = 0; i < p->count; i++)
		if (strcmp(p->mappings[i].path, first->path) == 0)
			p->mappings[i].keeps_locks = true;
}

static bool is_program(const struct process *p, const char *path)
{
	char link[64], program[4096];
	snprintf(link, sizeof link, "/proc/%d/exe", (int)p->pid);
	ssize_t size = readlink(link, program, sizeof program - 1);
	program[size > 0 ? size : 0] = '\0';
	return strcmp(path, program) == 0;
}

/* Modules with one of these are the C library, the loader, or an allocator. */
static const char *const lock_keepers[] = {"malloc",          "pthread_create",
					   "_dl_find_object", "_dl_debug_state",
					   "__tls_get_addr",  "__vdso_gettimeofday"};

static void mark_lock_keepers(struct process *p)
{
	struct module module;
	for (size_t i = 0; i < p->count; i++) {
		if (!read_module(p, &p->mappings[i], &module))
			continue;
		for (size_t k = 0; k < sizeof lock_keepers / sizeof *lock_keepers; k++) {
			if (!find_symbol(&module, lock_keepers[k]))
				continue;
			if (is_program(p, p->mappings[i].path))
				p->own_allocator = p->own_allocator || k == 0;
			else
				mark_module(p, &p->mappings[i]);
		}
	}
}

void process_read_mappings(struct process *p)
{
	char *line = NULL;
	size_t capacity = 0;
	FILE *file = open_file(p, "maps");
	if (!file)
		refuse_access(p, errno);
	for (size_t i = 0; i < p->count; i++)
		free(p->mappings[i].path);
	p->count = 0;
	while (getline(&line, &capacity, file) > 0)
		add_mapping(p, line);
	free(line);
	fclose(file);
	mark_lock_keepers(p);
}

/* ---- refusals ---- */

static void refuse_state(const struct process *p)
{
	switch (*process_status(p, "status", "State")) {
	case '\0': refuse_access(p, ENOENT);
	case 'Z':
	case 'X': exit(cli_fail("process %d has ended", (int)p->pid));
	case 'T':
		exit(cli_fail("process %d is stopped: let it go on first (kill -CONT %d)",
			      (int)p->pid, (int)p->pid));
	default: break;
	}
}

pid_t process_tracer(const struct process *p)
{
	return (pid_t)strtol(process_status(p, "status", "TracerPid"), NULL, 10);
}

void process_refuse_tracer(const struct process *p)
{
	pid_t tracer = process_tracer(p);
	if (tracer)
		exit(cli_fail("process %d is traced by process %d, a debugger or strace",
			      (int)p->pid, (int)tracer));
}

static void refuse_format(const struct process *p)
{
	Elf64_Ehdr header = {0};
	FILE *file = open_file(p, "exe");
	if (!file && errno == ENOENT)
		exit(cli_fail("process %d belongs to the kernel", (int)p->pid));
	if (!file)
		refuse_access(p, errno);
	size_t got = fread(&header, 1, sizeof header, file);
	fclose(file);
#if defined(__x86_64__)
	uint16_t machine = EM_X86_64;
#elif defined(__aarch64__)
	uint16_t machine = EM_AARCH64;
#else
	uint16_t machine = EM_NONE;
#endif
	if (got < EI_CLASS + 1 || header.e_ident[EI_CLASS] != ELFCLASS64)
		exit(cli_fail("process %d is a 32-bit program", (int)p->pid));
	if (got < sizeof header || header.e_machine != machine)
		exit(cli_fail("process %d: no attaching to programs of this machine", (int)p->pid));
}

/* What a filter forbids may end the process.  One that is
 * subject to no more filters than we are may do what we do. */
static void refuse_filter(const struct process *p)
{
	struct process self = {.pid = getpid()};
	long theirs = strtol(process_status(p, "status", "Seccomp_filters"), NULL, 10);
	long ours = strtol(process_status(&self, "status", "Seccomp_filters"), NULL, 10);
	if (*process_status(p, "status", "Seccomp") == '1' || theirs > ours)
		exit(cli_fail(
			"process %d has its system calls filtered (seccomp), and what attaching needs could end it%s",
			(int)p->pid, theirs > 0 ? "; in a container, run snap-record inside" : ""));
}

void process_open(struct process *p, const char *pid)
{
	char *end;
	errno = 0;
	unsigned long number = strtoul(pid, &end, 10);
	if (!isdigit((unsigned char)*pid) || *end || errno || number == 0 || number > INT32_MAX)
		cli_usage("--pid=%s: not the number of a process", pid);
	*p = (struct process){.pid = (pid_t)number};
	refuse_state(p);
	refuse_format(p);
	refuse_filter(p);
	process_read_mappings(p);
}
