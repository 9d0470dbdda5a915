/* Why a program was not recorded, as far as its file tells. */
#include <elf.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "record.h"

/* The file that execvp() runs; NULL: it is not found. */
static char *find_program(const char *name)
{
	const char *folders = getenv("PATH");
	if (strchr(name, '/') || !folders)
		return strdup(name);
	for (size_t size; *folders; folders += size + (folders[size] == ':')) {
		char *path = NULL;
		size = strcspn(folders, ":");
		if (asprintf(&path, "%.*s/%s", (int)size, size ? folders : ".", name) < 0)
			return NULL;
		if (access(path, X_OK) == 0)
			return path;
		free(path);
	}
	return NULL;
}

static bool is_elf(const unsigned char *bytes, size_t size)
{
	return size >= sizeof(Elf64_Ehdr) && memcmp(bytes, ELFMAG, SELFMAG) == 0 &&
	       bytes[EI_CLASS] == ELFCLASS64;
}

/* Without an interpreter nothing is loaded into it before it runs. */
static bool is_static(const unsigned char *bytes, size_t size)
{
	Elf64_Ehdr header;
	Elf64_Phdr segment;
	memcpy(&header, bytes, sizeof header);
	for (size_t i = 0; i < header.e_phnum; i++) {
		uint64_t at = header.e_phoff + i * sizeof segment;
		if (at > size || size - at < sizeof segment)
			return false;
		memcpy(&segment, bytes + at, sizeof segment);
		if (segment.p_type == PT_INTERP)
			return false;
	}
	return true;
}

static bool has_text(const unsigned char *bytes, size_t size, const char *text)
{
	return memmem(bytes, size, text, strlen(text)) != NULL;
}

static const char *look(int file, const unsigned char *bytes, size_t size, const struct stat *about)
{
	if ((about->st_mode & S_ISUID && about->st_uid != geteuid()) ||
	    (about->st_mode & S_ISGID && about->st_gid != getegid()))
		return "the program is privileged (set-user-ID), so that nothing is preloaded";
	if (geteuid() != 0 && fgetxattr(file, "security.capability", NULL, 0) > 0)
		return "the program is privileged (it has capabilities), so that nothing is preloaded";
	if (is_elf(bytes, size) && is_static(bytes, size))
		return "the program is statically linked, so that nothing can be preloaded";
	if (is_elf(bytes, size) &&
	    (has_text(bytes, size, "__asan_init") || has_text(bytes, size, "__tsan_init")))
		return "the program has a sanitizer, which brings an allocator of its own";
	if (is_elf(bytes, size) && has_text(bytes, size, "Go buildinf:"))
		return "the program is written in Go, which ends without the C library: --interval, "
		       "--growth or --signal takes snapshots before";
	return NULL;
}

const char *record_refusal(const char *name)
{
	struct stat about;
	const char *why = NULL;
	char *path = find_program(name);
	int file = path ? open(path, O_RDONLY | O_CLOEXEC) : -1;
	if (file >= 0 && fstat(file, &about) == 0 && S_ISREG(about.st_mode) && about.st_size > 0) {
		size_t size = (size_t)about.st_size;
		void *bytes = mmap(NULL, size, PROT_READ, MAP_PRIVATE, file, 0);
		if (bytes != MAP_FAILED) {
			why = look(file, bytes, size, &about);
			munmap(bytes, size);
		}
	}
	if (file >= 0)
		close(file);
	free(path);
	return why;
}
