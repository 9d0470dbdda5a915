/* The classes of C++ objects: a block that begins with the address of a virtual table is of the
 * class that the table's type_info names (Itanium C++ ABI, 2.5.2 and 2.9.5).  So it can be known in
 * programs without symbols, too.  Where there is no type_info, a symbol of the table may tell. */
#include <string.h>
#include <sys/mman.h>

#include "track.h"

#define NAME_MAX  1000u
#define CACHE_MIN 1024u
#define CACHE_MAX ((size_t)1 << 22)

/* A word that points into a module, and what it says. */
struct known {
	uintptr_t table;
	const char *name; /* NULL: it is no table */
};

/* A table that has a symbol. */
struct table {
	uintptr_t start, end;
	const char *name;
};

static uintptr_t word_at(uintptr_t address)
{
	return *(const uintptr_t *)address; /* NOLINT(performance-no-int-to-ptr) */
}

/* The mapping of a file that has all size bytes at an address, or NULL. */
static const struct track_mapping *file_at(const struct track_maps *maps, uintptr_t address,
					   size_t size)
{
	const struct track_mapping *m = track_mapping_from(maps, address);
	bool is_there = m && address >= m->start && m->end - address >= size;
	return is_there && m->readable && !m->shared && m->path[0] == '/' ? m : NULL;
}

static bool is_of_name(char c)
{
	return (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') ||
	       c == '_' || c == '$' || c == '.';
}

/* As compilers write it: mangled, with a * before it where it is to be compared by address. */
static const char *name_at(const struct track_maps *maps, uintptr_t address)
{
	const struct track_mapping *m = file_at(maps, address, 2);
	if (!m || m->writable)
		return NULL;
	const char *name = (const char *)address; /* NOLINT(performance-no-int-to-ptr) */
	size_t room = m->end - address, size = 0;
	if (*name == '*') {
		name++;
		room--;
	}
	while (size < room && size < NAME_MAX && is_of_name(name[size]))
		size++;
	bool begins = (*name >= '1' && *name <= '9') || *name == 'N' || *name == 'S';
	return begins && size < room && name[size] == '\0' ? name : NULL;
}

static void add_table(void *context, uintptr_t start, uint64_t size, const char *name)
{
	struct track_types *t = context;
	if (strncmp(name, "_ZTV", 4) != 0)
		return;
	if (t->table_count == t->table_capacity) {
		size_t capacity = t->table_capacity ? 2 * t->table_capacity : CACHE_MIN;
		struct table *more = track_map(capacity * sizeof *more);
		if (!more)
			return;
		if (t->tables) {
			memcpy(more, t->tables, t->table_count * sizeof *more);
			munmap(t->tables, t->table_capacity * sizeof *more);
		}
		t->tables = more;
		t->table_capacity = capacity;
	}
	t->tables[t->table_count++] = (struct table){start, start + size, name + 4};
}

static const char *name_of_symbol(struct track_types *t, const struct track_maps *maps,
				  uintptr_t table)
{
	if (!t->has_tables)
		track_variables_each(maps, add_table, t);
	t->has_tables = true;
	for (size_t i = 0; i < t->table_count; i++)
		if (table >= t->tables[i].start && table < t->tables[i].end)
			return t->tables[i].name;
	return NULL;
}

/* Before the functions lie the offset to the object's start, here 0, and the
 * address of the type_info: which has a virtual table itself, and the name. */
static const char *read_table(struct track_types *t, const struct track_maps *maps, uintptr_t table)
{
	const struct track_mapping *first;
	if (table % 8 != 0 || !file_at(maps, table - 16, 24) || word_at(table - 16) != 0)
		return NULL;
	first = file_at(maps, word_at(table), 1);
	uintptr_t type = word_at(table - 8);
	if (!first || !first->executable)
		return NULL;
	if (type == 0)
		return name_of_symbol(t, maps, table);
	if (type % 8 != 0 || !file_at(maps, type, 16) || !file_at(maps, word_at(type) - 16, 24))
		return NULL;
	return name_at(maps, word_at(type + 8));
}

static struct known *slot_of(const struct track_types *t, uintptr_t table)
{
	size_t at = (size_t)(table * 0x9e3779b97f4a7c15u >> 20) & (t->capacity - 1);
	while (t->known[at].table != 0 && t->known[at].table != table)
		at = (at + 1) & (t->capacity - 1);
	return &t->known[at];
}

static bool make_room(struct track_types *t)
{
	if (2 * t->count < t->capacity)
		return true;
	struct track_types larger = {.capacity = t->capacity ? 2 * t->capacity : CACHE_MIN,
				     .count = t->count};
	larger.known =
		t->capacity < CACHE_MAX ? track_map(larger.capacity * sizeof *larger.known) : NULL;
	if (!larger.known)
		return false;
	for (size_t i = 0; i < t->capacity; i++)
		if (t->known[i].table != 0)
			*slot_of(&larger, t->known[i].table) = t->known[i];
	if (t->known)
		munmap(t->known, t->capacity * sizeof *t->known);
	t->known = larger.known;
	t->capacity = larger.capacity;
	return true;
}

const char *track_types_of(struct track_types *t, struct track_maps *maps,
			   const struct track_block *block)
{
	uintptr_t at = block->address;
	if (block->size < sizeof(uintptr_t) || at % 8 != 0 ||
	    track_maps_readable(maps, &at, at + 8) == 0 || at != block->address)
		return NULL;
	uintptr_t table = word_at(at);
	if (table % 8 != 0 || !file_at(maps, table, 8))
		return NULL;
	if (!make_room(t))
		return read_table(t, maps, table);
	struct known *slot = slot_of(t, table);
	if (slot->table == 0) {
		*slot = (struct known){table, read_table(t, maps, table)};
		t->count++;
	}
	return slot->name;
}
