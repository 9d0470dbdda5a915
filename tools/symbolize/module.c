/* Finds the file of a module by path and build-id, and names addresses in it. */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cli.h"
#include "symbolize.h"

#define USUAL_FOLDER "/usr/lib/debug"
#define MAX_BUILD_ID 64 /* bytes */

/* libdwfl wants a pointer to the pointer to the search path for as long as it works. */
static char *search_path;
static const char *sysroot = "";
static const char *debug_folders;
static const Dwfl_Callbacks callbacks = {
	.find_elf = dwfl_build_id_find_elf,
	.find_debuginfo = dwfl_standard_find_debuginfo,
	.section_address = dwfl_offline_section_address,
	.debuginfo_path = &search_path,
};

static char *join(const char *a, const char *b, const char *c)
{
	size_t size = strlen(a) + strlen(b) + strlen(c) + 1;
	char *text = cli_resize(NULL, size);
	snprintf(text, size, "%s%s%s", a, b, c);
	return text;
}

void symbols_setup(const struct symbol_options *options)
{
	if (options->sysroot)
		sysroot = options->sysroot;
	debug_folders =
		options->debug_folders ? options->debug_folders : join(sysroot, USUAL_FOLDER, "");
	search_path = join(":.debug:", debug_folders, "");
	if (!options->debuginfod) /* libdwfl asks whenever it is set */
		unsetenv("DEBUGINFOD_URLS");
}

static void close_file(struct module *m)
{
	units_close(m);
	labels_close(m);
	if (m->dwfl)
		dwfl_end(m->dwfl);
	m->dwfl = NULL;
	m->dwfl_module = NULL;
}

static bool refuse(struct module *m, const char *format, ...) __attribute__((format(printf, 2, 3)));
static bool refuse(struct module *m, const char *format, ...)
{
	va_list arguments;
	va_start(arguments, format);
	vsnprintf(m->reason, sizeof(m->reason), format, arguments);
	va_end(arguments);
	close_file(m);
	return false;
}

static void build_id_of(const struct module *m, char text[2 * MAX_BUILD_ID + 1])
{
	const unsigned char *bytes;
	GElf_Addr address;
	int size = dwfl_module_build_id(m->dwfl_module, &bytes, &address);
	text[0] = '\0';
	for (int i = 0; i < size && i < MAX_BUILD_ID; i++)
		snprintf(text + 2 * i, 3, "%02x", bytes[i]);
}

static bool open_file(struct module *m, const char *path, const char *build_id)
{
	char actual[2 * MAX_BUILD_ID + 1];
	m->dwfl = dwfl_begin(&callbacks);
	if (!m->dwfl)
		return refuse(m, "%s", dwfl_errmsg(-1));
	m->dwfl_module = dwfl_report_elf(m->dwfl, path, path, -1, 0, true);
	if (!m->dwfl_module || dwfl_report_end(m->dwfl, NULL, NULL) != 0)
		return refuse(m, "%s", dwfl_errmsg(-1));
	build_id_of(m, actual);
	if (build_id[0] != '\0' && strcmp(actual, build_id) != 0)
		return refuse(m, "another build: its build-id is %s, not %s",
			      actual[0] ? actual : "missing", build_id);
	units_open(m);
	return true;
}

/* FOLDER/.build-id/12/345678.debug, as debugger packages are laid out. */
static bool open_by_build_id(struct module *m, const char *folder, size_t size,
			     const char *build_id)
{
	char path[4096];
	int length = snprintf(path, sizeof(path), "%.*s/.build-id/%.2s/%s.debug", (int)size, folder,
			      build_id, build_id + 2);
	return length > 0 && (size_t)length < sizeof(path) && access(path, R_OK) == 0 &&
	       open_file(m, path, build_id);
}

static bool is_build_id(const char *text)
{
	size_t size = strlen(text);
	return size > 2 && size <= (size_t)2 * MAX_BUILD_ID &&
	       strspn(text, "0123456789abcdef") == size;
}

static bool open_module(struct module *m, const char *path, const char *build_id)
{
	char *file = join(sysroot, path, "");
	bool good = path[0] == '/' ? open_file(m, file, build_id) : refuse(m, "no file");
	free(file);
	if (good || !is_build_id(build_id))
		return good;
	char reason[sizeof(m->reason)];
	memcpy(reason, m->reason, sizeof(reason));
	for (const char *at = debug_folders; *at;) {
		size_t size = strcspn(at, ":");
		if (open_by_build_id(m, at, size, build_id))
			return true;
		at += size + (at[size] == ':');
	}
	memcpy(m->reason, reason, sizeof(reason));
	return false;
}

struct module *module_find(const char *path, const char *build_id)
{
	static struct module *all;
	for (struct module *m = all; m; m = m->next)
		if (strcmp(m->path, path) == 0 && strcmp(m->build_id, build_id) == 0)
			return m;
	struct module *m = cli_resize(NULL, sizeof(*m));
	*m = (struct module){.path = join(path, "", ""), .build_id = join(build_id, "", "")};
	if (!open_module(m, path, build_id))
		cli_warn("%s: %s: its frames keep their offsets", path, m->reason);
	m->next = all;
	return all = m;
}

size_t module_symbols(struct module *m, uint64_t offset, struct symbol *out, size_t max)
{
	Dwarf_Addr start;
	if (!m->dwfl)
		return 0;
	dwfl_module_info(m->dwfl_module, NULL, &start, NULL, NULL, NULL, NULL, NULL);
	uint64_t address = start + offset;
	size_t count = units_symbols(m, address, out, max);
	if (count > 0 && out[count - 1].function)
		return count;
	const char *name = labels_find(m, address);
	if (!name)
		return count;
	if (count == 0)
		out[count++] = (struct symbol){0};
	out[count - 1].function = name;
	return count;
}
